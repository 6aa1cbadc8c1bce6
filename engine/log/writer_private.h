/*
 * writer_private: what writer.c (the caller's side), backlog.c (blocks on their way to the disk),
 * roll.c, spares.c, trim.c and takeover.c (files) share. Nobody else includes this.
 *
 *   open --flush--> waiting --place--> placed --submit--> writing --reap--> written --sync--> free
 *                      ^                                                       |
 *                      `------------- the file failed: again, in a new one ----'
 *
 *   LSNs:  first_held .......... written ........ sent ..... placed ........ next
 *            (buffers held)        |  in flight    |  queued   |  no file     | (open block's)
 *          durable <= written; persisted is the highest `written` ever was
 */
#ifndef LOG_WRITER_PRIVATE_H
#define LOG_WRITER_PRIVATE_H

#include "log/block.h"
#include "log/writer.h"

/* Files that are not done with: current, next, closing, and failed ones being replaced. */
#define SLOTS_MAX 8u
#define SPARES_MAX WEIR_SPARES_MAX
#define HEAD_BYTES 4096u
/* Bytes of a prewriting step; also the smallest buffer it can borrow. */
#define PREWRITE_BYTES_MAX (256u << 10)
/* Buffers that events leave to records and marks, of at least twice as many. */
#define BUFFERS_KEPT 2u
/* Bytes of a block that is opened for a mark when events have no room. */
#define MARK_BLOCK_BYTES 4096u
/* Fences of a file at most; so many of them are written at a time. */
#define FENCES_MAX 32u
#define FENCES_AT_ONCE 4u
/* Interrupted submissions of one block before it counts as failed. */
#define RETRIES_MAX 32u
/* Waits between two tries of a disk that refuses, doubling. */
#define BACKOFF_MIN_NS (UINT64_C(10) * 1000 * 1000)
#define BACKOFF_MAX_NS (UINT64_C(640) * 1000 * 1000)

enum slot_state {
	SLOT_FREE,
	SLOT_NAMING,  /* has its final name; the directory's sync is under way */
	SLOT_READY,   /* the next segment */
	SLOT_CURRENT,
	SLOT_CLOSING, /* full: footer, sync, close */
	SLOT_FAILED,  /* refused a write or a sync: blocks from bad_lsn on go elsewhere */
	SLOT_SPARE,   /* a spare that is being written ahead */
};

/* A file. Small flags say what has been asked for; a step asks again while the queue is full. */
struct slot {
	enum slot_state state;
	int file;
	uint64_t id;
	uint8_t *head; /* HEAD_BYTES of a write buffer: SEGMENT, later FOOTER */
	uint64_t base_lsn;
	uint64_t last_lsn; /* placed here; base_lsn - 1: none */
	uint64_t offset;   /* of the next block */
	uint64_t events;
	uint64_t blocks;
	uint64_t written_bytes;  /* completed since the last sync was queued */
	uint64_t synced_ns;      /* when the last sync was queued */
	uint64_t sync_covers;    /* LSN, of the sync under way */
	uint64_t synced_lsn;     /* everything of this file up to here is on stable storage */
	uint64_t snapshot_lsn;   /* of the last block of its snapshot, 0: not complete */
	uint32_t in_flight;      /* writes, prewriting included */
	uint32_t held;           /* blocks in memory that lie here */
	uint32_t head_retries;
	bool head_wanted, head_sent, head_written;
	bool footer_wanted, footer_sent, footer_written;
	bool sync_running;
	bool sync_final; /* ... with the footer written and nothing to come */
	bool finished;   /* that one succeeded */
	bool poisoned; /* a sync failed: nothing of this file is believed any more */
	/* Prewriting: */
	uint64_t zeroed; /* bytes */
	struct block *zeros;
	uint32_t fences; /* still to be written: bit i is the file's ith */
	uint32_t fences_retries;
};

enum block_state {
	BLOCK_FREE,
	BLOCK_OPEN,
	BLOCK_WAITING,
	BLOCK_PLACED,
	BLOCK_WRITING,
	BLOCK_WRITTEN,
	BLOCK_ZEROS, /* lent to prewriting */
};

struct block {
	uint8_t *data; /* options.block_bytes, in a write buffer */
	struct slot *slot;
	uint64_t offset;
	uint32_t index;
	uint32_t disk_bytes;
	uint32_t done_bytes;
	uint32_t retries;
	bool begins_snapshot;
	enum block_state state;
};

/* A segment of the lane that still has its file, oldest first; the last ones are in slots. */
struct kept {
	uint64_t id;
	uint64_t base_lsn;
	uint64_t created_ms;
	uint64_t bytes; /* of the disk */
	uint64_t trim;  /* from here on it is to give back its room; 0: it is not */
	uint64_t last_lsn; /* of a file that a newer one replaces altogether */
	bool continues;
	bool busy; /* in a slot */
	bool replaced; /* to be removed once `written` has reached last_lsn */
};

struct writer {
	struct writer_options options;
	char directory[80];
	uint64_t random;

	/* The open block. */
	struct block *open;
	uint32_t open_bytes; /* what it may fill: block_bytes, or less for marks */
	uint32_t events;
	uint32_t runs_count;
	uint32_t payload_crc;
	uint64_t time_min_ms, time_max_ms;
	struct weir_run runs[WEIR_BLOCK_RUNS_MAX];

	/* Blocks. */
	struct block *blocks; /* [buffers] */
	struct block **free;  /* a stack: the last one freed is the hottest */
	uint32_t free_count;
	struct block **held; /* [buffers], by lsn modulo */
	uint64_t next_lsn, placed, sent, written, persisted, durable, first_held;
	uint64_t sync_target; /* sync until this is durable */
	uint64_t lost_lsn;    /* level none: the first that a failed sync has lost; 0: none */
	uint64_t rewrite_lsn; /* from here on again, once no write is in flight; 0: no */

	/* Files. */
	struct slot slots[SLOTS_MAX];
	uint8_t *fences; /* HEAD_BYTES for each of a file, in a write buffer */
	struct slot *current, *next;
	int directory_file;
	bool naming_running;
	bool no_prewriting;
	bool closing; /* by writer_close: no more files than needed */
	uint64_t last_id;
	uint32_t serial; /* of the last file */
	bool snapshot_pending, in_snapshot;
	uint64_t snapshot_begin_lsn; /* of the last snapshot that was begun */
	bool snapshot_partial;       /* the rest of it is to come */
	uint64_t reserve_bytes;
	uint64_t spares[SPARES_MAX];
	uint32_t spares_count;
	struct kept *kept;
	uint32_t kept_count, kept_capacity;
	uint32_t replaced_count; /* of these, to be removed */
	bool trims;              /* ... perhaps some to be trimmed, */
	uint64_t trim_ns;        /* and not before this */

	uint64_t now_ns;
	uint64_t retry_ns;   /* no new file before this */
	uint64_t backoff_ns;
	int file_error;      /* why there is no next file */
	int write_error;     /* why the last file was given up; 0 once a newer one took blocks */
	bool error_was_sync;
	uint32_t interrupted; /* blocks to submit again, at or below `sent` */
	bool active;         /* something was flushed since the last step */
	uint64_t in_flight;
	struct writer_counters counters;
};

enum cookie_kind {
	COOKIE_BLOCK = 1,  /* index of a block */
	COOKIE_HEAD = 2,   /* of a slot */
	COOKIE_FOOTER = 3, /* of a slot */
	COOKIE_SYNC = 4,   /* of a slot */
	COOKIE_ZEROS = 5,  /* of a slot */
	COOKIE_NAMES = 6,
	COOKIE_FENCE = 7, /* of a slot, and which one: see fences.c */
};

static inline uint64_t cookie(enum cookie_kind kind, uint32_t index)
{
	return (uint64_t)kind << 32 | index;
}

static inline struct block *writer_held(struct writer *writer, uint64_t lsn)
{
	return writer->held[lsn % writer->options.buffers];
}

static inline uint32_t slot_index(const struct writer *writer, const struct slot *slot)
{
	return (uint32_t)(slot - writer->slots);
}

static inline bool writer_soft(const struct writer *writer)
{
	return writer->options.durability == DURABILITY_NONE;
}

/* backlog.c: blocks. */
struct block *backlog_take(struct writer *writer);
void backlog_give(struct writer *writer, struct block *block);
/* Give the block the next LSN and send it on its way. */
uint64_t backlog_append(struct writer *writer, struct block *block);
/* Place what waits, submit what is placed. Work done. */
int backlog_push(struct writer *writer);
int backlog_reap(struct writer *writer);
/* Queue the syncs that are due. Work done. */
int backlog_sync(struct writer *writer);
/* A file refused: what it and later ones hold from bad_lsn on goes to a new one. */
void backlog_fail(struct writer *writer, struct slot *slot, uint64_t bad_lsn, int error);
/* Once nothing is in flight on the files that failed: line the blocks up again. */
int backlog_again(struct writer *writer);

/* fences.c: how far a file that was written ahead has been filled. */
/* Of a file that was written before: all of them are to be written. */
void fences_want(const struct writer *writer, struct slot *slot);
/* Into zeros that are to be written at `offset` of the file. */
void fences_put(const struct writer *writer, const struct slot *slot, uint8_t *data,
		uint64_t offset, uint64_t bytes);
/* Queue one that is wanted: 1; 0: none is, or the queue is full. */
int fences_submit(struct writer *writer, struct slot *slot);
/* One that was queued has come to an end. `index` is its cookie's. */
void fences_written(struct writer *writer, uint32_t index, int64_t result);
/* Those of the next file. Work done. */
int fences_step(struct writer *writer);

/* trim.c: files that ended early. */
/* Of one that a dead engine has left: is there room to be given back? */
void trim_find(const struct writer *writer, struct kept *kept);
/* Now, of a file that is open for writing and ends there. */
void trim_file(struct writer *writer, struct kept *kept, int file, uint64_t end);
/* One of those that were found, when the lane's disk has nothing else to do. Work done. */
int trim_step(struct writer *writer);

/* takeover.c: the directory as it is found, and the first file. */
int takeover(struct writer *writer);

/* spares.c: files that are kept, files that are free. */
/* Keep the segment's file as a spare, or remove it: also one that has not all of its room. */
int spares_let_go(struct writer *writer, uint64_t id, bool whole);
/* A file for a segment: a spare, or a new one. >= 0: it has its name, which is not synced yet. */
int spares_take(struct writer *writer, uint64_t id);
/* Spares of the right size stay; half-made ones, others and too many go. */
void spares_find(struct writer *writer);
int spares_step(struct writer *writer);
void spares_written(struct writer *writer, struct slot *slot, int64_t result);
bool kept_add(struct writer *writer, const struct kept *kept);
void kept_drop(struct writer *writer, uint32_t first, uint32_t count);
struct kept *kept_find(struct writer *writer, uint64_t id);
/* A newer file has, or is to have, all its blocks: remove it once needed_lsn is written there. */
void kept_replace(struct writer *writer, uint64_t id, uint64_t needed_lsn);

/* roll.c: files that are being filled. */
void roll_seed(struct writer *writer);
uint64_t roll_new_id(struct writer *writer);
struct slot *roll_free_slot(struct writer *writer);
void roll_file_failed(struct writer *writer, int error);
/* The next file becomes the current one, which begins at base_lsn. False: there is none ready. */
bool roll_start(struct writer *writer, uint64_t base_lsn);
/* Full: close the current one and start the next. */
bool roll_over(struct writer *writer);
/* Heads, footers, closing, the next file, spares. Work done. */
int roll_step(struct writer *writer);
void roll_named(struct writer *writer, int64_t result);
bool roll_ready(const struct writer *writer);
/* No more blocks: the current file ends here. */
void roll_close(struct writer *writer);
/* All is settled: let the unused file go, so that it is not searched at the next start. */
void roll_finish(struct writer *writer);
void writer_backoff(struct writer *writer);
void writer_path(const struct writer *writer, char path[SEGMENT_PATH_BYTES],
		 enum segment_file kind, uint64_t id);

#endif
