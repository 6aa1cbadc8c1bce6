/*
 * lane: one drain worker. Joins a ring's events, the log and the cells in one pass.
 *
 * Idea:  a pass takes a snapshot of the clock of each source, then of every ring's tail, drains
 *        the rings up to that, piece by piece into the open block and, while a piece is hot, into
 *        the cells and the CRC. When all rings stand at their snapshot, everything published
 *        before the clocks were read is in: the intervals that those clocks have passed are
 *        marked. What has reached the disk is said back to the producers.
 *
 *      rings ──> [ drain ] ──> block (writer) ──> segment
 *                    └───────> cells ── mark ──> partial ──> closing agent
 *      released, durable  <── contiguous prefix of completed blocks
 *
 * Runs on: a lane agent; everything here is its own but what lane.h says is shared.
 * Never:   waits for a shard, for SQLite, for Redis or for another lane.
 */
#ifndef ENGINE_LANE_H
#define ENGINE_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/queue.h"
#include "intake/attach.h"
#include "intake/series.h"
#include "intake/source.h"
#include "interval/cells.h"
#include "interval/close.h"
#include "log/writer.h"

/* What lanes share about a source beside its clock. */
struct lane_source_start {
	uint32_t ready;   /* the closing agent: the source is in the control log (release) */
	uint32_t started; /* whoever claimed it: `frontier` is set (release) */
	uint32_t claimed;
	int64_t frontier; /* the interval before the first one that is open */
};

/* A mark on its way to the closing agent, and what to say with it. */
struct lane_mark {
	struct lane_mark *next;
	struct close_mark mark;
};

struct lane_options {
	uint32_t number;
	uint32_t epoch;
	int64_t interval_ms;
	uint32_t series_max;
	bool unkept; /* the log goes nowhere: nothing is called persisted or durable */
	uint64_t partial_bytes_max; /* handed over and not freed: above it, rebuilt from the log */
	const uint64_t *partial_bytes_freed; /* of this lane's; the storing agent's count */
	struct series_registry *registry;
	struct source_table *sources;
	struct lane_source_start *starts; /* [WEIR_SOURCES_MAX], shared by all lanes */
	struct queue *rings; /* struct intake_ring, from the intake agent */
	struct queue *marks; /* struct lane_mark, to the closing agent */
	const uint32_t *hold_marks; /* nonzero: known producers may still come back (acquire) */
	const uint64_t *keep_lsn;   /* retention may not pass this (acquire); from checkpoints */
	uint64_t retain_bytes;      /* of this lane's segments; 0: no bound */
	uint64_t retain_s;
	const struct weir_ring_record *orphans; /* rings that have not come back; for snapshots */
	uint32_t orphans_count;
	struct writer_options writer; /* snapshot and self are set by the lane */
};

/* Numbers for people and the ledger: stored relaxed by the lane, read by any thread. */
struct lane_totals {
	uint64_t rings;
	/* Of its own rings: */
	uint64_t attempted, persisted, unkept, rejected, dropped, lost, in_ring;
	uint64_t late, future;
	uint64_t late_uncorrected, unsketched; /* see struct cells_counters */
	uint64_t events, blocks, bytes, in_flight, in_flight_max, unsynced;
	uint64_t segments, syncs, stalled;
	uint64_t write_errors, sync_errors;
	uint64_t quarantined;
	int64_t failing; /* negative errno while the disk refuses */
};

struct lane;

int lane_create(const struct lane_options *options, struct lane **ret_lane);
/* Other bounds for what is kept, from now on; any thread. 0: no bound. */
void lane_retain(struct lane *lane, uint64_t bytes, uint64_t seconds);
int lane_step(void *lane, uint64_t now_ns); /* agent_step */
/* Blocks are on their way to the disk, and producers may wait for their room. The lane's thread. */
bool lane_waits(const void *lane);
void lane_totals(const struct lane *lane, struct lane_totals *ret_totals); /* any thread */
/* The agent has been joined: drain what is left, once, write it, sync, bounded by timeout_ms. */
int lane_close(struct lane *lane, uint32_t timeout_ms);
void lane_abandon(struct lane *lane); /* for tests: what a crash leaves */

#endif
