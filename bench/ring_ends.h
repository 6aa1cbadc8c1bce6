/*
 * ring_ends: producer and consumer of each way through a ring; see ring_run.h.
 */
#ifndef BENCH_RING_ENDS_H
#define BENCH_RING_ENDS_H

#include <ck_ring.h>

#include "ring_run.h"
#include "weir/ring.h"

/*
 * What the two processes share beside the slots; each field's writer has its lines for itself.
 * `end` is UINT64_MAX until the producer has published its last event, then how many there were.
 */
struct ring_shared {
	_Alignas(128) uint64_t head; /* of the ideal ring: release-stored by the producer */
	_Alignas(128) uint64_t tail; /* of the ideal ring: release-stored by the consumer */
	_Alignas(128) uint64_t end;
	uint64_t sent; /* the sum of what was sent; before `end` */
	_Alignas(128) uint64_t received;
	uint64_t done_ns;
	uint32_t ready; /* 1: the consumer is at its ring; 2: it has ended, what is above stands */
	_Alignas(128) struct weir_ring_header header;
	_Alignas(128) struct weir_control_slot control;
	_Alignas(128) struct weir_region_header region;
	_Alignas(128) struct ck_ring ck;
};

struct ring_ends {
	struct ring_shared *shared;
	struct weir_event *slots;
	uint64_t capacity;
	uint64_t run_ns;
};

/* The event of number n: series 1, as the drain's map knows it, and a value that is finite. */
static inline struct weir_event ring_event(uint64_t n)
{
	return (struct weir_event){.word = n << WEIR_SERIES_BITS | 1, .value = n * 3 + 1};
}

/* Both return how many events; the sums go to shared->sent and shared->received. */
uint64_t ring_produce(const struct ring_ends *ends, enum ring_way way);
uint64_t ring_consume(const struct ring_ends *ends, enum ring_way way);

#endif
