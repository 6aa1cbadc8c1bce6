/*
 * emit_run: what an emit costs, beside the same loop that stores into private memory.
 *
 * Idea:  bursts of 4096 events, timed as a whole, as long as the ring has room: the engine, a real
 *        one, drains the burst before while the next is written, so its reads of the ring's lines
 *        are part of the cost. Between two bursts the floor has its turn. Then single calls, for
 *        the distribution.
 */
#ifndef BENCH_EMIT_RUN_H
#define BENCH_EMIT_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ticks.h"
#include "weir/weir.h"

enum emit_way {
	EMIT_STAMPED, /* weir_emit */
	EMIT_AT,      /* weir_emit_at */
	EMIT_MANY,    /* weir_emit_many, 64 at a time */
	EMIT_WAYS
};

#define EMIT_RING_EVENTS (64u << 10) /* the default of weir_open */
#define EMIT_BURST 4096u
#define EMIT_BATCH 64u
#define EMIT_SERIES 1024u

struct emit_bench {
	weir *w;
	struct weir_event *private; /* EMIT_RING_EVENTS */
	double *bursts, *floors;    /* as many as bursts_max */
	uint32_t *samples;          /* as many as samples_max */
	uint32_t bursts_max, samples_max;
	double tick_ns;
	uint64_t emitted, refused; /* in all: the ledger must say the same */
};

/* ns an event */
struct emit_cost {
	double mean, floor; /* medians of the bursts; floor 0: none was measured */
	struct ticks_spread single;
};

/* Open a handle, define the series, and wait for the engine at `socket` (NULL: there is none). 0,
 * or a negative errno with `why`. */
int emit_open(struct emit_bench *bench, const char *socket, char *why, size_t why_bytes);
void emit_close(struct emit_bench *bench);

/* Emit `count` events. Returns how many were taken. */
uint64_t emit_some(struct emit_bench *bench, enum emit_way way, uint32_t count);
/* With an engine that drains. -ETIMEDOUT: it does not. */
int emit_live(struct emit_bench *bench, enum emit_way way, struct emit_cost *ret_cost);
/* Without one: weir_emit until the ring is full, then into the full ring. */
void emit_gone(struct emit_bench *bench, struct emit_cost *ret_alone, struct emit_cost *ret_full);

#endif
