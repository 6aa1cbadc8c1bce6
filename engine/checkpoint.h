/*
 * checkpoint: the state of everything behind the logs, as of one close.
 *
 * Idea:  a file set aside from the logs: checkpoint/<sequence, 16 hex>.wckp, written whole, synced,
 *        renamed into place; two are kept. It holds where reading goes on (control log, lanes),
 *        what waits to be closed, and the scorers' state. FORMAT.md has the bytes.
 *
 *   +--------+---------+-------------------------------------------------+
 *   | header | crc     | positions | scorer sections (source, metric)... |
 *   +--------+---------+-------------------------------------------------+
 */
#ifndef ENGINE_CHECKPOINT_H
#define ENGINE_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "intake/source.h"
#include "interval/close.h"
#include "log/io.h"

#define CHECKPOINT_DIRECTORY "checkpoint"
#define CHECKPOINTS_KEPT 2

/* Where reading goes on, and what was known there. */
struct checkpoint {
	uint64_t sequence;       /* of the last close it contains */
	uint64_t control_lsn;    /* block of the control log that holds that close */
	uint32_t control_records; /* records of that block which it contains */
	uint32_t sources;
	struct {
		char name[WEIR_SOURCE_NAME_BYTES];
		uint32_t clock;
	} source[WEIR_SOURCES_MAX];
	int64_t interval_ms;
	char *config_text; /* malloc'd */
	struct closer closer;
	struct bytes definitions; /* {u32 id, u32 zero, definition}: of series that wait in it */
	struct bytes sections;    /* scorer_save() of all shards, one after the other */
};

void checkpoint_init(struct checkpoint *checkpoint);
void checkpoint_fini(struct checkpoint *checkpoint);

/* The part that the closing agent knows; `sections` is added by who writes the file. */
void checkpoint_put_positions(const struct checkpoint *checkpoint, struct bytes *out);

/* Write the file and forget all but the newest two. Blocks; the storing agent's. `buffer` is
 * CHECKPOINT_BUFFER_BYTES of io->ops->buffers(). */
#define CHECKPOINT_BUFFER_BYTES (256u << 10)
int checkpoint_write(struct io *io, void *buffer, uint64_t sequence,
		     const struct bytes *positions, const struct bytes *sections);
/* Below both, and rebase_file.c: one file, whole and synced under `path`, or not at all;
 * `temporary` is the writing thread's own name. And all of a file: its bytes, to be freed; negative
 * errno. */
int checkpoint_put_file(struct io *io, void *buffer, const char *temporary, const char *path,
			const struct bytes *whole);
int64_t checkpoint_get_file(struct io *io, const char *path, uint8_t **ret_data);
/* Of a section that is no metric's: what stands where others have their source's number. */
#define SECTION_INPUTS UINT32_MAX
#define SECTION_CALENDAR (UINT32_MAX - 1)
#define SECTION_MOVED (UINT32_MAX - 2)
/* A section that is no metric's, told by what stands where others have their source's number: adds
 * it, header and all, and frees its body; finds it: 0, or -EPROTO. */
void checkpoint_put_section(struct bytes *out, uint32_t source, struct bytes *body);
int checkpoint_get_section(struct bytes_reader sections, uint32_t source,
			   struct bytes_reader *ret_body);
/* Sequences of the files there, newest first; at most `max`. Count, or negative errno. */
int checkpoint_list(struct io *io, uint64_t *sequences, uint32_t max);
/* Negative errno: not there, or not whole (-EPROTO). */
int checkpoint_read(struct io *io, uint64_t sequence, struct checkpoint *ret_checkpoint);
/* The block of the control log that the newest whole checkpoint knows of: it was kept, and all
 * before it. 0: there is no checkpoint. */
uint64_t checkpoint_control_lsn(struct io *io);

#endif
