/*
 * producer: processes that emit a plan through libweir, as an application would.
 */
#ifndef BENCH_PRODUCER_H
#define BENCH_PRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/monotonic.h"
#include "delays.h"
#include "weir/weir.h"

#define PRODUCERS_MAX 64
#define PRODUCER_BATCH_MAX 1024u

struct producer_options {
	const char *socket;
	uint32_t series;
	uint32_t ring_events;
	uint32_t batch;      /* 0: weir_emit, else so many at a time with weir_emit_many */
	double rate;         /* events/s of one producer; 0: as fast as it can */
	bool idle;           /* nothing is emitted at all */
	bool pinned;         /* each to a processor of its own, from the last one down */
	bool unkept;         /* the engine keeps nothing: at the end all must be taken */
	uint64_t run_ns;     /* emit for at least this long */
	uint64_t events_max; /* of one producer; reached only where the disk is too small */
	uint32_t attach_ms, durable_ms;
};

enum producer_state {
	PRODUCER_STARTING,
	PRODUCER_READY, /* series defined, an engine answers */
	PRODUCER_DONE,  /* everything is durable; the numbers below are final */
	PRODUCER_FAILED,
};

/* In memory shared with the parent. Times are CLOCK_MONOTONIC. */
struct producer_report {
	uint32_t state;      /* release-stored after what it speaks of */
	uint64_t events;     /* emitted */
	uint64_t first_ns;   /* before the first emit */
	uint64_t last_ns;    /* after the last emit */
	uint64_t durable_ns; /* after the wait for `durable` */
	struct weir_ledger ledger;
	struct delays delays; /* from emit to durable */
	char why[200];
};

struct producers {
	uint32_t go; /* release-stored by the parent: emit */
	uint32_t count;
	struct producer_report reports[PRODUCERS_MAX];
	pid_t pids[PRODUCERS_MAX];
};

/* Fork `count` producers and wait until all are ready. NULL: `why` says what to do. */
struct producers *producers_start(const struct producer_options *options, uint32_t count, char *why,
				  size_t why_bytes);
/* Let them emit: reports[].events says how far they are. */
void producers_go(struct producers *producers);
/* Let them emit, if they do not yet; wait until all have ended. 0, or -EIO with `why`. */
int producers_run(struct producers *producers, const struct producer_options *options, char *why,
		  size_t why_bytes);
/* A signal handler: what waits for producers comes back with an error, soon. */
void producers_interrupt(int signal);
/* It is that of interrupts and of requests to end; and a peer that has gone is no signal. */
void producers_heed_signals(void);
bool producers_interrupted(void);
/* A child that nobody has waited for yet, and that stays to be waited for. */
bool process_has_ended(pid_t child);
/* End what still runs, free. NULL is fine. */
void producers_stop(struct producers *producers);

#endif
