/*
 * reader: a lane's blocks in LSN order, over all its segments; and what recovery needs to know.
 *
 * A missing LSN at or below the highest durable_lsn seen in the lane, or one that was known to be
 * kept, is corruption: it is reported as a gap and reading goes on. Above it, it is the torn tail:
 * reading ends. Blocks that a newer epoch's base_lsn voids are passed over. What retention removes
 * while we read is no gap.
 */
#ifndef LOG_READER_H
#define LOG_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "log/io.h"
#include "weir/event.h"
#include "weir/segment.h"

struct reader;

/* Valid until the next call. */
struct reader_block {
	struct weir_block_header header; /* a checked copy */
	const void *payload;             /* header.payload_bytes */
	const struct weir_event *events; /* EVENTS: header.count */
	const struct weir_run *runs;     /* EVENTS: header.runs; counts add up to header.count */
	bool gap_before; /* blocks between the last one and this are lost (corruption) */
};

struct reader_report {
	uint64_t next_lsn;       /* one past the last good block: where a new epoch writes on */
	uint64_t last_id;        /* newest segment, 0 if none */
	uint64_t durable_lsn;    /* highest seen */
	uint64_t segments, blocks, events;
	uint64_t gaps, gap_blocks;   /* corruption found */
	uint64_t torn_bytes;         /* invalid bytes behind the last good block, 0 if clean */
	uint64_t first_lsn;          /* of the oldest segment still there, 0 if none */
	uint32_t epoch;              /* highest of any segment, blocks in it or not; 0 if none */
};

/* Open a lane for reading: lists and orders its segments, finds where the good prefix ends.
 * from_lsn: start at the beginning of the segment that holds it (its snapshot comes first), or of
 * one a little older if it is not certain that nothing is torn in between.
 * follow: new blocks and segments may appear; 0 from reader_next() then means "not yet".
 * -ENOENT: no such lane. -EPROTONOSUPPORT: a file of an incompatible format, in one clear line. */
int reader_open(struct io *io, const char *directory, uint16_t lane, uint64_t from_lsn, bool follow,
		struct reader **ret_reader, char *why, size_t why_bytes);
/* As reader_open(), of a lane that is known to have had the block from_lsn, and so all before it,
 * whatever headers say of what was durable. */
int reader_open_kept(struct io *io, const char *directory, uint16_t lane, uint64_t from_lsn,
		     struct reader **ret_reader, char *why, size_t why_bytes);
/* The same of the block `lsn`: one that is missing up to there is a gap where there are blocks
 * behind it, and not the log's end. True: so that reading goes on where it had ended. */
bool reader_kept(struct reader *reader, uint64_t lsn);
/* 1: a block; 0: the end; negative errno: cannot read. SEGMENT and FOOTER blocks are not shown. */
int reader_next(struct reader *reader, struct reader_block *ret_block);
/* What a negative answer of reader_next() is about, in one clear line. */
const char *reader_why(const struct reader *reader);
/* Complete once reader_next() has said 0. */
void reader_report(const struct reader *reader, struct reader_report *ret_report);
void reader_close(struct reader *reader);

#endif
