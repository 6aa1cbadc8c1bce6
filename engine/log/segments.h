/*
 * segments: which files a lane has, in what order, and from where on each is void.
 *
 * Order: epoch, then base LSN, then serial. A block with lsn >= void_lsn of its
 * file was left behind by a crash; a newer epoch has written those numbers again.
 */
#ifndef LOG_SEGMENTS_H
#define LOG_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log/io.h"
#include "weir/segment.h"

struct segment_entry {
	uint64_t id;
	uint64_t base_lsn;
	uint64_t previous_id;
	uint64_t created_ms;
	uint64_t file_bytes; /* that it takes of the disk */
	uint64_t durable_lsn; /* as its first block says */
	uint64_t void_lsn;    /* UINT64_MAX: nothing of it is void */
	uint32_t epoch;
	uint32_t serial;
	bool continues;  /* WEIR_SEGMENT_CONTINUES */
	bool again;      /* WEIR_SEGMENT_AGAIN */
	bool superseded; /* a later file has everything again, or was about to when it ended */
	bool headless;   /* first block lost; base and epoch are those of the next good one */
};

struct segment_list {
	struct segment_entry *entries; /* ordered */
	uint32_t count;
	uint32_t empty;       /* files without any block: allocated, never begun */
	uint64_t *empty_ids;
};

/* What is in the directory now. With `headless`, files whose first block is bad are searched to
 * their end for another; without, they are left out (a live engine may be about to write it).
 * -ENOENT: no such directory. -EPROTONOSUPPORT: a file that this version must not read, `why`
 * says which. Anything else: cannot read. */
int segments_list(struct io *io, const char *directory, uint16_t lane, bool headless,
		  struct segment_list *ret_list, char *why, size_t why_bytes);
void segments_free(struct segment_list *list);

/* What a start of an engine reads of files once, for every instance whose `known` it is: entries of
 * those whose first block is good. For as long as nobody uses the directories but whoever has it.
 * NULL: no memory; all is read each time, as without it. */
struct segments_known *segments_know(void);
/* No instance has it any more. */
void segments_forget(struct segments_known *known);
bool segments_recall(const struct segments_known *known, uint64_t id, uint16_t lane,
		     struct segment_entry *ret_entry);
void segments_note(struct segments_known *known, const struct segment_entry *entry, uint16_t lane);

/* A hint: the beginning of this file is read soon. */
void segments_expect(struct io *io, const char *directory, uint64_t id, uint64_t bytes);

/* For a reader that looks again: the ids of all files (free() them), and one file's entry, 1: read,
 * 0: not begun, or its first block is bad. */
int segments_ids(struct io *io, const char *directory, uint64_t **ret_ids, uint32_t *ret_count);
int segments_entry(struct io *io, const char *directory, uint64_t id, uint16_t lane, bool headless,
		   struct segment_entry *ret_entry, char *why, size_t why_bytes);
int segments_compare(const void *a, const void *b);
/* Where the segment ended when it was read with this io; 0: it was not read to its end, or had a
 * footer there. */
uint64_t segments_end(const struct io *io, uint64_t id);
/* Does it still: is it a hole from there on, or does the fence stand? 1: yes. 0: what a dead engine
 * had queued has come, or a read failed. */
int segments_ended(struct io *io, int file, uint64_t id, uint64_t end);
/* Notes that end, if all is a hole from there on. */
void segments_hole(struct io *io, int file, uint64_t id, uint64_t from);
/* Moves *offset to the next page, itself included, that begins as a block does; behind those that
 * do not, to `limit` or the end of the file. Only the first bytes of each are read; a fence of
 * segment `id` ends the file. 1: there is one; 0: there is none; or what a read has failed with. */
int segments_page(struct io *io, int file, uint64_t id, uint64_t limit, uint64_t *offset);
/* Is the page at *offset a fence of the segment, and does the file look as it does where that is
 * true? 1: *offset is the end of the file; 0: look further; or what a read has failed with. */
int segments_fence(struct io *io, int file, uint64_t id, uint64_t *offset);

/* Is the page at `at` one that the segment in this file has not written: zeros, or a fence, be it
 * of another segment that was to have the file before? 1: yes; 0: no; or what the read has failed
 * with. */
int segments_unwritten(struct io *io, int file, uint64_t at);

/* The SERIES blocks that a lane's segments begin with, and of each epoch's last segment, and of one
 * before an unfinished snapshot, all of them: the payload of each, in no particular order, checked
 * as far as its CRC goes. Together they name every id that the log has. Void blocks are passed
 * over. 0, or a negative errno, also that of `take`. -ENOENT: no such directory. */
int segments_series(struct io *io, const char *directory, uint16_t lane,
		    int (*take)(void *self, const void *payload, uint32_t bytes), void *self);

#endif
