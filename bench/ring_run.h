/*
 * ring_run: events of 16 bytes from one process to another through shared memory, in several ways.
 *
 * Idea:  every way has a producer and a consumer (ring_ends.c) that move as many events as they can
 *        in a given time, and sum up all words on both sides. The ideal ring is the limit program:
 *        plain stores, the head published for 64 events at a time, a consumer that drains what it
 *        found and looks away for some microseconds.
 */
#ifndef BENCH_RING_RUN_H
#define BENCH_RING_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ring_way {
	RING_IDEAL,
	RING_CHUNKS, /* weir/ring.h as weir_emit_many uses it: 64 events a store of the tail */
	RING_EACH,   /* ... as weir_emit uses it: each event is published at once */
	RING_DRAIN,  /* each, and the engine's whole drain behind it: validated, mapped, copied */
	RING_CK,     /* ck_ring, typed, one producer and one consumer */
	RING_WAYS
};

struct ring_run {
	enum ring_way way;
	uint32_t events; /* of the ring, a power of two, at least 1024 */
	bool large;      /* 2 MiB pages */
	uint32_t ms;
};

struct ring_result {
	double rate; /* events/s, first push to the last event read */
	uint64_t events;
	bool lossless; /* as many events and the same sums on both sides */
};

/* 0, -ENOTSUP (this kernel gives no large pages, or there are not two processors), or another
 * negative errno; `why` says it. */
int ring_run(const struct ring_run *run, struct ring_result *ret_result, char *why,
	     size_t why_bytes);

#endif
