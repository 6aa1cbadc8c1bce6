/*
 * writer: one lane's segments. Fills blocks, writes them, syncs them, rolls, recycles.
 *
 * Idea:  the caller fills the open block in place (a registered buffer), closes it by
 *        writer_flush(), goes on with the next. `persisted_lsn` and `durable_lsn` move only over
 *        the contiguous prefix of completed, and of synced, blocks. A block's buffer is held until
 *        its sync (level none: its write) is done, so that a failed write or sync can be written
 *        again, to a new segment; a failed sync poisons its segment for good.
 * Runs on: the agent that owns it. Blocks never wait: no free buffer is an answer (NULL).
 */
#ifndef LOG_WRITER_H
#define LOG_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/batch.h"
#include "log/io.h"
#include "weir/segment.h"

enum durability {
	DURABILITY_NONE,     /* sync when a segment is full and at close */
	DURABILITY_INTERVAL, /* every sync_ms or sync_bytes, whichever comes first (default) */
	DURABILITY_BLOCK,    /* every block, as fast as the disk answers */
};

struct writer;

struct writer_options {
	struct io *io;         /* owned by the caller, used by this writer only */
	const char *directory; /* "lane-00", "control"; made if absent */
	uint16_t lane;
	uint32_t epoch;
	uint8_t store_uuid[16];
	uint64_t next_lsn;     /* from recovery; 1 in a new store */
	uint64_t previous_id;  /* last segment of the lane, 0 if none */
	uint64_t segment_bytes;
	uint32_t block_bytes;  /* of an events block at most */
	uint32_t buffers;      /* blocks in flight or unsynced at most */
	enum durability durability;
	uint32_t sync_ms;
	uint64_t sync_bytes;
	uint32_t spares;       /* prewritten files kept ready; recycled ones come first */
	uint64_t random_seed;  /* segment ids */
	/* Called before the first other block of every segment, to write its snapshot with
	 * writer_records(): what holds at writer_lsn(). 0: complete; -EAGAIN (no buffer free): call
	 * again, it goes on where it was; no other block is opened until then. NULL: none. */
	int (*snapshot)(void *self, struct writer *writer);
	/* Unix time for a segment's age; NULL: the system's. */
	uint64_t (*wall_ms)(void *self);
	void *self;
};

struct writer_counters {
	uint64_t blocks, bytes, events, syncs, segments;
	uint64_t write_errors, sync_errors, rewritten_blocks;
	uint64_t in_flight;       /* writes now */
	uint64_t in_flight_max;
	uint64_t stalled;         /* times no buffer was free */
	int32_t failing; /* negative errno while the disk refuses (full, read-only), else 0 */
};

/* Also makes durable what a dead engine left: waits for the disk. A full disk is no error: there
 * is room once it has some (writer_counters: failing). -EINVAL: options, or next_lsn or epoch are
 * not above what the directory holds. */
int writer_open(const struct writer_options *options, struct writer **ret_writer);

/* Where the next events of the open block go, and how many fit before it or its run table is full
 * (0: flush first). Opens a block if none is open. NULL: no buffer free now, or the disk fails. */
struct weir_event *writer_room(struct writer *writer, uint32_t *ret_room);
/* The batch's events lie at writer_room(): take them, extend the CRC while they are hot, add or
 * lengthen a run. Times are of this batch's events (ignored when count is 0). */
void writer_commit(struct writer *writer, const struct batch *batch, uint64_t time_min_ms,
		   uint64_t time_max_ms);
/* A mark, after what was committed. 0, or -EAGAIN (no buffer or run table full: flush, again). */
int writer_mark(struct writer *writer, uint32_t source, int64_t interval, uint64_t drops);
/* Close the open block, if any, and submit it. */
void writer_flush(struct writer *writer);
/* Write records as blocks of their own, after flushing: `data` is `bytes` of whole records of at
 * most `record_bytes_max`... split by the caller so that bytes <= block_bytes - 64.
 * LSN of the block (> 0), or -EAGAIN (no buffer free now). */
int64_t writer_records(struct writer *writer, enum weir_block_type type, const void *data,
		       uint32_t bytes, uint32_t count);
/* LSN that the open block has or the next one will get. */
uint64_t writer_lsn(const struct writer *writer);
/* Events in the open block, for the flush policy of the lane. */
uint32_t writer_pending(const struct writer *writer);
uint64_t writer_persisted(const struct writer *writer); /* all LSNs up to this are in the file */
uint64_t writer_durable(const struct writer *writer);   /* ... and synced */
/* Reap, resubmit, sync, roll, recycle. Returns work done. */
int writer_step(struct writer *writer, uint64_t now_ns);
/* Ask for a sync of everything written so far, whatever the level (marks, shutdown). */
void writer_sync_soon(struct writer *writer);
void writer_counters(const struct writer *writer, struct writer_counters *ret_counters);
/* Retention: delete or recycle whole sealed segments, oldest first, whose last LSN is below
 * keep_lsn, while the lane holds more than bytes_max or the segment ended before before_s (unix
 * seconds; 0: no such bound). Never before the next one's snapshot is durable. Number freed. */
int writer_retain(struct writer *writer, uint64_t keep_lsn, uint64_t bytes_max, uint64_t before_s);
/* Flush, write a footer, sync, wait for it (bounded by timeout_ms), close files. */
int writer_close(struct writer *writer, uint32_t timeout_ms);
/* Free without writing: what a crash leaves. For tests. */
void writer_abandon(struct writer *writer);

#endif
