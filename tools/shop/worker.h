/*
 * worker: one process of the shop: its threads play their share of the series, step by step.
 *
 * Series are dealt out to all threads of all processes in turn. Within an interval a thread emits
 * its series as they come; at the interval's end all wait for each other (lockstep), because the
 * engine forgives a recorded source lateness of one interval. A thread's first ring must be known
 * to the engine before anyone goes on, so after its first events it waits until they are persisted.
 */
#ifndef SHOP_WORKER_H
#define SHOP_WORKER_H

#include <stdint.h>

#include "lockstep.h"
#include "plan.h"
#include "weir/weir.h"

#define WORKER_WHY_BYTES 192

/* In memory shared before the forks. Written by the process (its first thread, or under the
 * claim of `failed`), read by the parent: the counters for show, the rest after the exit. */
struct worker_report {
	_Alignas(128) uint64_t sim_ms; /* event time that the first thread has reached */
	uint64_t events;               /* by all threads */
	uint64_t live_unix_ms;         /* when the first thread began with the live phase; 0: not */
	uint32_t failed;               /* 0, or claimed by the thread that tells why */
	uint32_t closed;               /* 1: the ledger is in */
	int32_t status;                /* negative errno */
	struct weir_ledger ledger;
	char why[WORKER_WHY_BYTES];
};

struct worker_shared {
	struct lockstep lockstep;
	struct worker_report reports[];
};

struct worker_options {
	const char *socket_path; /* NULL: libweir's default */
	uint32_t processes, threads;
	uint32_t patience_s;
	double speed; /* simulated seconds per second of the live phase; 0: flat out */
};

/* Play the plan as process `index`; returns when it is over or stopped. The exit code. */
int worker_run(const struct plan *plan, const struct worker_options *options, uint32_t index,
	       struct worker_shared *shared);

#endif
