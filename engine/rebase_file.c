/*
 * rebase_file: see rebase_file.h.
 */
#include "rebase_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "checkpoint.h"

#define MAGIC UINT64_C(0x4553424552494557) /* "WEIREBSE" */
#define VERSION 1u
#define TEMPORARY CHECKPOINT_DIRECTORY "/new-rebase"
#define LISTED_MAX 256

/* The file's first 64 bytes. */
struct file_header {
	uint64_t magic;
	uint32_t version;
	uint32_t crc; /* CRC32C of the sections */
	uint64_t sections_bytes;
	uint64_t sequence;
	uint32_t source;
	uint8_t spare[28];
};
_Static_assert(sizeof(struct file_header) == 64, "rebase header");

static void path_of(char path[64], uint64_t sequence, uint32_t crc)
{
	snprintf(path, 64, CHECKPOINT_DIRECTORY "/rebase-%016" PRIx64 "-%08" PRIx32 ".wreb",
		 sequence, crc);
}

int rebase_file_write(struct io *io, void *buffer, uint64_t sequence, uint32_t source,
		      const struct bytes *sections, struct weir_control_rebase *ret_rebase)
{
	struct file_header header = {
		.magic = MAGIC,
		.version = VERSION,
		.crc = crc32c(0, sections->data, sections->used),
		.sections_bytes = sections->used,
		.sequence = sequence,
		.source = source,
	};
	struct bytes whole = {0};
	char path[64];

	bytes_put(&whole, &header, sizeof(header));
	bytes_put(&whole, sections->data, sections->used);
	if (whole.failed || sections->failed) {
		bytes_fini(&whole);
		return -ENOMEM;
	}
	*ret_rebase = (struct weir_control_rebase){
		.sequence = sequence, .bytes = sections->used, .crc = header.crc};
	path_of(path, sequence, header.crc);
	int error = checkpoint_put_file(io, buffer, TEMPORARY, path, &whole);
	bytes_fini(&whole);
	return error;
}

int rebase_file_read(struct io *io, const struct weir_control_rebase *rebase, uint32_t source,
		     struct bytes *ret_sections)
{
	struct file_header header = {.magic = 0};
	uint8_t *data;
	char path[64];

	path_of(path, rebase->sequence, rebase->crc);
	int64_t size = checkpoint_get_file(io, path, &data);
	if (size < 0)
		return (int)size;
	uint64_t body = (uint64_t)size - sizeof(header);
	if ((uint64_t)size >= sizeof(header))
		memcpy(&header, data, sizeof(header));
	bool good = header.magic == MAGIC && header.version == VERSION && header.source == source &&
		    header.sequence == rebase->sequence && header.sections_bytes == rebase->bytes &&
		    rebase->bytes <= body &&
		    crc32c(0, data + sizeof(header), rebase->bytes) == rebase->crc;
	if (good)
		bytes_put(ret_sections, data + sizeof(header), rebase->bytes);
	free(data);
	return !good ? -EPROTO : ret_sections->failed ? -ENOMEM : 0;
}

struct listing {
	struct {
		uint64_t sequence;
		uint32_t crc;
	} files[LISTED_MAX]; /* newest first */
	uint32_t count;
};

static int list_one(void *self, const char *name)
{
	struct listing *listing = self;
	uint64_t sequence;
	uint32_t crc;
	int end = 0;

	if (sscanf(name, "rebase-%16" SCNx64 "-%8" SCNx32 ".wreb%n", &sequence, &crc, &end) != 2 ||
	    !end || name[end] || listing->count == LISTED_MAX)
		return 0;
	uint32_t at = listing->count++;
	for (; at > 0 && listing->files[at - 1].sequence < sequence; at--)
		listing->files[at] = listing->files[at - 1];
	listing->files[at].sequence = sequence;
	listing->files[at].crc = crc;
	return 0;
}

void rebase_file_forget(struct io *io, uint64_t oldest_checkpoint)
{
	struct listing listing = {.count = 0};
	char path[64];

	io->ops->list(io, CHECKPOINT_DIRECTORY, list_one, &listing);
	for (uint32_t i = REBASE_FILES_KEPT; i < listing.count; i++) {
		if (listing.files[i].sequence >= oldest_checkpoint)
			continue;
		path_of(path, listing.files[i].sequence, listing.files[i].crc);
		io->ops->unlink(io, path);
	}
}
