/*
 * drain: out of a ring, into a block. Copy each slot once, check the copy, map the series.
 *
 * Runs on:  the lane that owns the ring. Never reads a shared field twice for one decision.
 */
#ifndef INTAKE_DRAIN_H
#define INTAKE_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/batch.h"
#include "intake/source.h"
#include "weir/limits.h"
#include "weir/ring.h"

/*
 * A region's map from the producer's series ids to the engine's. The intake agent fills it from
 * the region's table; lanes read. ids[local] is valid for local < mapped (acquire).
 */
struct series_map {
	uint32_t *ids;       /* [series_max + 1]; 0: refused definition */
	uint32_t series_max;
	_Alignas(64) uint32_t mapped; /* local ids below are mapped; release-stored */
	/* Local ids below this have been published by the producer but are not mapped yet: set by
	 * lanes that met one (any of them may), cleared by nobody; the intake agent looks at the
	 * table anyway on every step. */
	uint32_t wanted;
};

/* A ring as its lane sees it: everything is the engine's own copy but *header and *slots. */
struct drain_ring {
	const struct weir_ring_header *header; /* shared: only `tail` and drop counters are read */
	const struct weir_event *slots;        /* shared */
	const struct weir_region_header *region; /* shared: series_count, region-wide drops */
	struct series_map *map;
	uint64_t capacity; /* checked at attach */
	uint64_t mask;
	uint64_t next;     /* sequence of the first slot not yet read */
	uint64_t tail;     /* snapshot; next <= tail <= released + capacity, else quarantine */
	uint64_t released; /* as last said to the producer: tail - released <= capacity */
	uint32_t mapped;   /* local ids below may be drained: their definitions are in the log */
	uint32_t number;   /* in the log */
	uint32_t source;
	uint64_t grace;    /* tail at attach: up to here the producer may go by the `released` of an
			    * earlier engine, so that a lap over it is a loss, not a lie */
	uint64_t rejected; /* totals */
	uint64_t lost;
	uint32_t over; /* intake -> lane, release: the producer is gone or done, */
	bool settled;  /* ... and the last look at the tail was taken */
	bool quarantined;
	bool waiting; /* stopped before an event whose series is not mapped yet */
};

/* Take a snapshot of the tail. > 0: that many slots to drain; 0: none; -EPROTO: the ring lies (the
 * cursor went back or too far), it is now quarantined. The first snapshot of a ring that is over
 * is the last. */
int64_t drain_snapshot(struct drain_ring *ring);

/*
 * Drain up to `room` events of the snapshot into `out`, stopping early before an event at or
 * beyond `time_limit_ms` (UINT64_MAX: none) or whose series is not mapped yet (waiting = true).
 * *ret_time_min/max_ms are raised and lowered to cover what was taken (in/out).
 * Fills *batch (events = out); returns slots read, batch->count + batch->rejected; 0 with
 * ring->next == ring->tail: drained; 0 otherwise: stopped before the next slot.
 * Refused and counted in batch->rejected: series 0 or never defined, NaN and infinities.
 */
uint32_t drain_take(struct drain_ring *ring, struct weir_event *out, uint32_t room,
		    uint64_t time_limit_ms, struct batch *batch, uint64_t *time_min_ms,
		    uint64_t *time_max_ms);

#endif
