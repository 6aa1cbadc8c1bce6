/*
 * lane_private: the lane's struct, shared by lane.c (passes, marks) and lane_rings.c (rings: from
 * adoption to the last word). Nobody else includes this.
 */
#ifndef ENGINE_LANE_PRIVATE_H
#define ENGINE_LANE_PRIVATE_H

#include "lane.h"

/* Rings of one lane at most, and blocks' worth of positions on their way to the disk. */
#define LANE_RINGS_MAX 4096u
#define LANE_POSITIONS_MAX (64u << 10) /* a power of two */

struct lane_ring {
	struct intake_ring *intake;
	uint64_t positions;     /* entries that name this ring and are not durable yet */
	uint64_t last_position; /* index of the newest entry, to lengthen it */
	uint64_t drops_marked;  /* drops that a mark has told */
	uint64_t drops_seen;    /* ... that the mark being written will tell */
	uint64_t ledger_next;   /* next_sequence and drops when last written to the log */
	uint64_t ledger_drops;
	uint64_t ledger_seen;   /* drops of the record being written */
	bool ledger_due;        /* it is in that record's block */
	uint64_t final_lsn;     /* of the last ledger record; 0: not written */
	uint64_t persisted;     /* sequence below which all is in the file */
	uint64_t durable;
	bool held;              /* before an event beyond the window */
	uint64_t held_ms;       /* ... its time */
	uint64_t rest;          /* the tail when the lane was told to close */
};

/* "When the block with this LSN is in the file, the ring is released up to there." */
struct position {
	uint64_t lsn;
	uint64_t end;
	struct lane_ring *ring;
};

struct lane_source {
	struct cells *cells;
	uint64_t clock_ms; /* at the start of this pass */
	uint64_t marked_lsn; /* of the last mark's block */
	bool ended;
};

struct lane {
	struct lane_options options;
	struct writer *writer;
	struct lane_ring **rings; /* [LANE_RINGS_MAX] */
	uint32_t rings_count;
	struct intake_ring *adopting; /* taken from the queue, waits for room in the log, or, */
	bool awaits_source;           /* for its source to be in the control log */
	struct lane_source sources[WEIR_SOURCES_MAX];
	uint32_t sources_count;
	/* Bit per series id: a segment's snapshot names it, or the log does behind it. With the
	 * next snapshot those go that no ring has and that were not defined since. */
	uint8_t *series_known;
	uint8_t *series_fresh; /* defined since the last snapshot */
	uint32_t series_known_max;
	uint8_t *series_sketch; /* [series_max + 1] enum weir_sketch: as it is defined there */
	uint32_t wants;         /* of the registry, as far as the log has it */
	uint32_t wants_at;      /* ids below have been looked at since it changed */
	uint64_t block_lsn;    /* of the block the cells know of */

	uint64_t now_ns;       /* of this step */
	bool passing;          /* rings from `at` on are still to be drained in this pass */
	uint32_t at;
	bool stuck;            /* marking although rings are not drained */
	uint64_t pending_since_ns; /* first event of the open block */
	bool urgent;           /* a mark waits in the open block */

	struct position *positions; /* [LANE_POSITIONS_MAX], ring buffer of free-running indexes */
	uint64_t position_put, position_persisted, position_durable;
	struct lane_mark *marks_first, **marks_last; /* written, waiting for disk or queue */

	uint64_t partial_bytes; /* handed over since the start */
	uint64_t ledger_ns;
	uint64_t retain_ns;
	uint64_t count_ns;
	struct weir_ring_record *records; /* scratch for ledgers and snapshots */
	uint32_t snapshots;  /* begun */
	bool snapshot_begun; /* ... and is not complete: */
	uint32_t snapshot_rings, snapshot_series; /* goes on here */
	uint64_t finished_attempted, finished_persisted, finished_rejected, finished_dropped,
		finished_lost; /* of rings that are gone */
	struct lane_totals totals;
};

/* Blocks given to the disk and not yet in the file. */
static inline uint64_t lane_in_flight(const struct lane *lane)
{
	return writer_lsn(lane->writer) - 1 - writer_persisted(lane->writer);
}

/* Blocks given to the disk and not yet known to be on it. */
static inline uint64_t lane_unsynced(const struct lane *lane)
{
	return writer_lsn(lane->writer) - 1 - writer_durable(lane->writer);
}

/* lane_rings.c */
int lane_adopt(struct lane *lane);
bool lane_define_series(struct lane *lane, struct lane_ring *ring);
bool lane_define_again(struct lane *lane);
void lane_note_position(struct lane *lane, struct lane_ring *ring);
int lane_say_back(struct lane *lane);
/* Its producer, the intake agent and people are told that the ring lied. */
void lane_say_quarantine(struct lane_ring *ring);
int lane_ledger(struct lane *lane);
int lane_detach(struct lane *lane);
uint64_t lane_ring_drops(const struct lane_ring *ring, uint64_t dropped[WEIR_DROP_REASONS]);
int lane_snapshot(void *self, struct writer *writer);
void lane_count(struct lane *lane);

#endif
