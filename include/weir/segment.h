/*
 * segment: the log on disk. FORMAT.md has the bytes in full; two readers exist (the engine's, and
 * the one of `weirctl verify`, written from that page alone).
 *
 * A segment is a preallocated file, filled once from the front, never rewritten (but for fences, at
 * the end of this header, which are there before the first block). It is a sequence of blocks, each
 * padded to 4 KiB. The first is of type SEGMENT and says what file this is; the next ones are the
 * snapshot (rings, series) that makes the file readable on its own.
 *
 *   +---------+-------+--------+--------+-----+--------+--------+-----+--------+- - - -
 *   | SEGMENT | RINGS | SERIES | EVENTS | ... | LEDGER | EVENTS | ... | FOOTER | zeros or old
 *   +---------+-------+--------+--------+-----+--------+--------+-----+--------+- - - -
 *     base_lsn  base    base+1   base+2 ...            (SEGMENT and FOOTER have no LSN of their
 *                                                      own: theirs is the next block's)
 *
 * A block is valid if its header's CRC, magic and segment id agree and its payload's CRC does. An
 * unfinished write fails one of these; recycled files carry other ids, so old blocks never pass.
 */
#ifndef WEIR_SEGMENT_H
#define WEIR_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#define WEIR_BLOCK_MAGIC 0x4b4c4257u /* "WBLK" */
#define WEIR_FORMAT_MAJOR 1u
#define WEIR_FORMAT_MINOR 1u

enum weir_block_type {
	WEIR_BLOCK_SEGMENT = 1, /* struct weir_segment_info */
	WEIR_BLOCK_EVENTS = 2,  /* events, then struct weir_run[runs]: also the marks */
	WEIR_BLOCK_SERIES = 3,  /* {u32 id, u32 sketch, definition}...: from here on */
	WEIR_BLOCK_RINGS = 4,   /* struct weir_ring_record[]: positions, at the segment's start */
	WEIR_BLOCK_LEDGER = 5,  /* struct weir_ring_record[]: positions and drops, as they change */
	WEIR_BLOCK_FOOTER = 6,  /* struct weir_footer: the segment is complete */
	WEIR_BLOCK_CONTROL = 7, /* struct weir_control_record...: the control log's only content */
	WEIR_BLOCK_SKIPPABLE = 0x80, /* unknown types with this bit are passed over */
};

/* What a SERIES record says of a series: cells of its later events are sketched so. Numbers on disk
 * and of enum sketch_kind alike. */
enum weir_sketch {
	WEIR_SKETCH_NONE = 0,
	WEIR_SKETCH_DISTINCT = 1, /* every series of kind hash */
	WEIR_SKETCH_QUANTILE = 2,
};

/* Lane number of the control log in block headers. */
#define WEIR_LANE_CONTROL 0xffffu

/*
 * A block's header: 64 bytes, written once with the payload behind it. CRCs are CRC32C
 * (Castagnoli, reflected, initial and final xor 0xffffffff). Readers check header_crc before they
 * believe any length. An unfinished write shows as a CRC that does not agree.
 */
struct weir_block_header {
	uint32_t magic;
	uint8_t type;           /* enum weir_block_type */
	uint8_t incompat;       /* must be 0: a reader that knows no such flag refuses the file */
	uint16_t lane;
	uint64_t segment_id;    /* random, not 0 */
	uint64_t lsn;           /* +1 per block of a lane, over segments and epochs; from 1 */
	uint64_t durable_lsn;   /* highest LSN known synced when this was written */
	uint32_t epoch;         /* of the engine, from 1 */
	uint32_t count;         /* events, or records */
	uint32_t payload_bytes; /* behind this header; the padding behind it is not covered */
	uint32_t runs;          /* EVENTS: entries of the run table; else 0 */
	uint32_t time_min_s;    /* EVENTS: earliest and latest event, unix seconds; else 0 */
	uint32_t time_max_s;
	uint32_t payload_crc;
	uint32_t header_crc; /* over the 60 bytes before it */
};

_Static_assert(sizeof(struct weir_block_header) == 64, "block header is one line");
_Static_assert(offsetof(struct weir_block_header, header_crc) == 60, "CRC comes last");

/* Payload of SEGMENT. Blocks of older files of this lane with lsn >= base_lsn are void: they are
 * what a crash left behind a hole, and their events were written again under the same numbers. */
struct weir_segment_info {
	uint32_t format_major;
	uint32_t format_minor;
	uint8_t store_uuid[16];
	uint64_t base_lsn;     /* LSN of the block after this one */
	uint64_t previous_id;  /* segment before this one on the lane, 0 if none */
	uint64_t created_ms;   /* unix time */
	uint64_t file_bytes;
	uint32_t flags;        /* enum weir_segment_flag */
	uint32_t serial;       /* of the file among those of its epoch and lane, from 1 */
};

enum weir_segment_flag {
	/* The disk refused a block or a sync: this file begins with the blocks concerned, written
	 * again under their numbers; the snapshot follows behind them. The file before this one is
	 * needed to read it. */
	WEIR_SEGMENT_CONTINUES = 1,
	/* It begins with such blocks; without the flag above, with those of a whole snapshot. */
	WEIR_SEGMENT_AGAIN = 2,
};

/*
 * A run: consecutive sequences of one ring, in block order; or a mark, which stands between the
 * events before it and those after it, and closes intervals on this lane for one source.
 */
#define WEIR_RUN_MARK 0xffffffffu /* in `ring` */

struct weir_run {
	uint32_t ring;   /* ring number, or WEIR_RUN_MARK */
	uint32_t source; /* source number */
	union {
		uint64_t first_sequence; /* run: of the first slot read */
		int64_t interval;        /* mark: closed through this interval */
	};
	uint32_t count;    /* run: events in this block; mark: 0 */
	uint32_t rejected; /* run: slots read and refused; mark: 0 */
	uint64_t drops;    /* mark: of the source's producers on this lane since its last mark */
};

_Static_assert(sizeof(struct weir_run) == 32, "two runs to a line");

/* A ring as the log knows it. `number` is unique in a data directory, never used again. */
struct weir_ring_record {
	uint32_t number;
	uint32_t index;  /* of the ring in its region */
	uint8_t uuid[16];
	uint32_t uid;    /* user of the producer */
	uint32_t source;
	uint64_t next_sequence; /* all below is persisted, rejected or lost, before this block */
	uint64_t rejected;      /* totals since the ring's first event */
	uint64_t lost;
	uint64_t dropped[5]; /* by enum weir_drop; region-wide reasons stand in index 0 only */
	uint32_t final;      /* 1: the producer is gone and the ring was drained to its end */
	uint32_t spare;
};

_Static_assert(sizeof(struct weir_ring_record) == 104, "ring record");

struct weir_footer {
	uint64_t last_lsn; /* of the block before the footer's own */
	uint64_t events;
	uint64_t blocks;
};

/* A fence: what a page that no block has covered yet begins with, every `stride` bytes of a file
 * that was written ahead. Put there before the file's first block; where one stands, no block that
 * counts lies behind it. A reader may do without. */
#define WEIR_FENCE_MAGIC 0x434e4657u /* "WFNC" */
/* Closer together they are none: who finds one looks at all behind it. */
#define WEIR_FENCE_STRIDE_MIN (128u << 10)

struct weir_fence {
	uint32_t magic;
	uint32_t crc;    /* over the 24 bytes behind it */
	uint64_t offset; /* of this page; a multiple of stride */
	uint64_t segment_id;
	uint64_t stride; /* a multiple of WEIR_BLOCK_ALIGN, of WEIR_FENCE_STRIDE_MIN at least */
};

_Static_assert(sizeof(struct weir_fence) == 32, "fence");

/*
 * The control log: everything but events that can change a result, in order. A record is this
 * header and `bytes` bytes of data, padded to a multiple of 8.
 */
enum weir_control_kind {
	WEIR_CONTROL_EPOCH = 1,  /* struct weir_control_epoch: an engine started */
	WEIR_CONTROL_SOURCE = 2, /* struct weir_control_source: a source got a number */
	WEIR_CONTROL_CONFIG = 3, /* YAML text, in force from `interval` + 1 of every source; the
				  * rules of its time zones are comments at its end */
	WEIR_CONTROL_CLOSE = 4,  /* struct weir_control_close and its lanes */
	WEIR_CONTROL_INPUT = 5,  /* JSON text: what an operator said, in force like CONFIG */
	WEIR_CONTROL_REBASE = 6, /* struct weir_control_rebase: state rebuilt from the history */
};

struct weir_control_record {
	uint32_t kind; /* enum weir_control_kind */
	uint32_t source;
	int64_t interval; /* CLOSE: through this one; else the last one closed before it */
	uint32_t bytes;
	uint32_t spare;
};

struct weir_control_epoch {
	uint32_t epoch;
	uint32_t lanes;
	uint64_t started_ms; /* unix time */
	int64_t interval_ms;
};

struct weir_control_source {
	uint32_t number; /* below WEIR_SOURCES_MAX */
	uint32_t clock;  /* enum weir_clock_kind */
	char name[32];
};

enum weir_close_flag {
	WEIR_CLOSE_INCOMPLETE = 1, /* drops or downtime: shown, not learned, not scored downward */
};

/* Intervals from..record.interval of the source are closed: every lane of this epoch has marked
 * them, in the blocks named here, and lanes of dead epochs count to their end. */
struct weir_control_close {
	uint32_t epoch;
	uint32_t flags; /* enum weir_close_flag */
	int64_t from;
	uint64_t mark_lsn[]; /* one per lane of the epoch */
};

/* The state of the source's detectors is from here on the one in this file, whatever it was:
 * checkpoint/rebase-<sequence>-<crc>.wreb, both in hexadecimal. */
struct weir_control_rebase {
	uint64_t sequence; /* of the last close before the record */
	uint64_t bytes;    /* of the sections in the file */
	uint32_t crc;      /* CRC32C of them */
	uint32_t spare;
};

static inline uint64_t weir_block_disk_bytes(uint32_t payload_bytes)
{
	const uint64_t bytes = sizeof(struct weir_block_header) + (uint64_t)payload_bytes;

	return (bytes + 4095) & ~UINT64_C(4095);
}

#endif
