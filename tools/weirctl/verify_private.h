/*
 * verify_private: what the files of verify share. Nobody else includes this.
 *
 *   verify.c          the directory, the order of things, the report
 *   verify_log.c      files of one log -> the chain of blocks that are in force
 *   verify_control.c  the control log: epochs, sources, closes
 *   verify_zones.c    the rules of time zones behind a configuration
 *   verify_lane.c     the lanes: series, marks, events
 *   verify_ring.c     the ledger: each ring's sequences, exactly once
 *   verify_crc.c      CRC32C
 */
#ifndef WEIRCTL_VERIFY_PRIVATE_H
#define WEIRCTL_VERIFY_PRIVATE_H

#include <stdarg.h>

#include "verify.h"
#include "weir/event.h"
#include "weir/limits.h"
#include "weir/region.h"
#include "weir/segment.h"

/* A segment file. */
struct verify_file {
	char name[32];
	uint64_t id;
	uint64_t bytes;
	uint64_t base_lsn;
	uint64_t created_ms;
	uint64_t void_lsn; /* blocks from here on are void: a newer epoch wrote them again */
	uint64_t first_lsn, last_lsn; /* of its good blocks, 0: none */
	uint64_t durable_lsn;         /* highest that any of its blocks names */
	uint64_t began_durable_lsn;   /* as its first good header says */
	uint64_t footer_lsn;          /* last block, as its footer says; 0: none */
	uint64_t blocks, events;
	uint32_t epoch;
	uint32_t serial; /* order in which the chain came to it, from 1; 0: not yet */
	bool headless;   /* its first block is not good */
	uint32_t ordinal; /* among the files of its epoch, from 1; 0: not known */
	bool continues;  /* its snapshot is that of the file before it */
	bool footed;
	bool damaged; /* bad blocks lie between good ones */
};

/* A good block, and where it lies. */
struct verify_place {
	uint64_t lsn;
	uint64_t durable_lsn;
	uint32_t epoch;
	uint32_t file;
	uint32_t page; /* offset / 4096 */
	uint32_t payload_crc;
	uint32_t payload_bytes;
	uint32_t count;
	uint32_t runs;
	uint8_t type;
	bool gap_before; /* blocks between the one before and this are lost */
};

/* A block that says it is one of the file's and is not good. */
struct verify_claim {
	uint64_t lsn; /* it says, or the least it can be */
	uint32_t file;
	uint32_t page;
};

struct verify_mark {
	uint64_t lsn;
	int64_t interval;
	uint32_t epoch;
	uint32_t source;
};

/* One lane, or the control log. */
struct verify_log {
	char directory[16];
	int fd; /* of the directory */
	uint16_t lane;
	struct verify_file *files;
	uint32_t files_count;
	struct verify_place *places; /* after verify_log_chain(): the chain, by LSN */
	uint64_t places_count;
	struct verify_claim *claims;
	uint64_t claims_count;
	uint64_t first_lsn, end_lsn; /* of the chain: end is one past the last */
	struct verify_mark *marks;
	uint64_t marks_count;

	/* While it is read: */
	uint64_t next;   /* index of the next place */
	uint32_t file;   /* of the last place + 1; 0: none */
	uint32_t serial; /* of the snapshot that is in force */
	uint32_t epoch;
	uint32_t series_last; /* greatest id in `series` */
	uint8_t *series;      /* bit per id: defined since that snapshot */
	bool marked[WEIR_SOURCES_MAX];
	int64_t frontier[WEIR_SOURCES_MAX]; /* last mark of this epoch */
	int open_fd;                        /* of `file` */
};

/* An engine's life, as the control log tells it. */
struct verify_epoch {
	uint32_t epoch;
	uint32_t lanes;
	int64_t interval_ms;
};

struct verify_close {
	uint64_t lsn; /* of the control block */
	uint32_t epoch, source, lanes;
	int64_t through;
	uint64_t mark_lsn[WEIR_LANES_MAX];
};

/* A ring, as far as the logs have been read. */
struct verify_ring {
	struct weir_ring_record record; /* identity, and the newest totals */
	uint32_t state_epoch;           /* in which `record` was last set exactly */
	uint32_t owner_epoch;           /* the lane that drains it, in this epoch */
	uint16_t owner_lane;
	uint32_t named[WEIR_LANES_MAX]; /* snapshot serial in which a lane named it, exactly */
};

struct verify {
	struct verify_options options;
	struct verify_report *report;
	char *why;
	size_t why_bytes;
	int fd;                                     /* of the data directory */
	struct verify_log logs[WEIR_LANES_MAX + 1]; /* lanes, then the control log */
	uint32_t logs_count;
	bool have_uuid;
	uint8_t store_uuid[16];
	uint64_t bytes, bytes_all; /* for progress */

	struct verify_epoch *epochs;
	uint32_t epochs_count;
	bool source_known[WEIR_SOURCES_MAX];
	bool source_closed[WEIR_SOURCES_MAX];
	int64_t closed_through[WEIR_SOURCES_MAX];
	struct verify_close *closes;
	uint64_t closes_count;

	struct verify_ring *rings; /* hashed by number, open addressing */
	uint32_t rings_slots, rings_count;
	uint64_t *definitions; /* [WEIR_SERIES_MAX + 1] hash of the definition, 0: none */
	uint8_t *buffer;       /* a block */
};

#define VERIFY_PAGE 4096u
#define VERIFY_BUFFER_BYTES (1u << 20)

enum verify_kind {
	VERIFY_NOTE,    /* worth knowing */
	VERIFY_FINDING, /* wrong */
	VERIFY_LEDGER,  /* wrong, and the ledger does not agree */
};

/* verify.c */
void verify_say(struct verify *verify, enum verify_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Grow an array of `size` bytes an entry that is full at every power of two. false: no memory. */
bool verify_grow(void *array, uint64_t count, size_t size);

/* verify_crc.c: CRC-32C (Castagnoli), reflected, initial and final value all ones; incremental. */
uint32_t verify_crc32c(uint32_t crc, const void *data, size_t bytes);

/* verify_log.c. Negative errno with verify->why. List the files, find the good blocks, follow the
 * chain: in this order. A lane's chain once the control log has been read. */
int verify_log_list(struct verify *verify, struct verify_log *log);
int verify_log_scan(struct verify *verify, struct verify_log *log);
int verify_log_chain(struct verify *verify, struct verify_log *log);
/* The payload of a place, in verify->buffer (8-byte aligned); NULL: it cannot be read any more. */
const uint8_t *verify_log_read(struct verify *verify, struct verify_log *log,
			       const struct verify_place *place);

/* verify_control.c */
int verify_control(struct verify *verify, struct verify_log *log);
const struct verify_epoch *verify_epoch_find(const struct verify *verify, uint32_t epoch);
/* The last block of the lane that a close names: it was kept, and all before it. 0: none. */
uint64_t verify_kept(const struct verify *verify, const struct verify_log *log);
void verify_closes(struct verify *verify);
/* Was there an engine without this lane, before the first block that it has and after others that
 * had the lane? Then retention may have taken all of it, and its LSNs begin anew. */
bool verify_lane_dropped(const struct verify *verify, const struct verify_log *log);

/* verify_zones.c: what is wrong with the zones of a CONFIG record ("has ..."); NULL: nothing. */
const char *verify_zones(const void *record, size_t bytes);

/* verify_lane.c */
int verify_lanes(struct verify *verify);

/* verify_ring.c */
int verify_ring_record(struct verify *verify, struct verify_log *log,
		       const struct verify_place *place, const struct weir_ring_record *record);
int verify_ring_run(struct verify *verify, struct verify_log *log, const struct verify_place *place,
		    const struct weir_run *run);
void verify_ring_totals(struct verify *verify);

#endif
