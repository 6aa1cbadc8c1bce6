/*
 * checkpoint: see checkpoint.h. An unfinished file has the name "new" and is written over; a file
 * under its own name was whole and synced before the rename, so only a failing disk breaks it.
 */
#include "checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "rebase_file.h"

#define MAGIC UINT64_C(0x54504b4352494557) /* "WEIRCKPT" */
#define VERSION 2u
#define TEMPORARY CHECKPOINT_DIRECTORY "/new"

/* The file's first 64 bytes. */
struct file_header {
	uint64_t magic;
	uint32_t version;
	uint32_t crc; /* CRC32C of everything behind the header */
	uint64_t positions_bytes;
	uint64_t sections_bytes;
	uint64_t sequence;
	uint8_t spare[24];
};
_Static_assert(sizeof(struct file_header) == 64, "checkpoint header");

void checkpoint_init(struct checkpoint *checkpoint)
{
	memset(checkpoint, 0, sizeof(*checkpoint));
	closer_init(&checkpoint->closer);
}

void checkpoint_fini(struct checkpoint *checkpoint)
{
	closer_fini(&checkpoint->closer);
	free(checkpoint->config_text);
	bytes_fini(&checkpoint->definitions);
	bytes_fini(&checkpoint->sections);
	checkpoint_init(checkpoint);
}

void checkpoint_put_positions(const struct checkpoint *checkpoint, struct bytes *out)
{
	bytes_put_u64(out, checkpoint->sequence);
	bytes_put_u64(out, checkpoint->control_lsn);
	bytes_put_u32(out, checkpoint->control_records);
	bytes_put_u64(out, (uint64_t)checkpoint->interval_ms);
	bytes_put_u32(out, checkpoint->sources);
	for (uint32_t i = 0; i < checkpoint->sources; i++) {
		bytes_put_text(out, checkpoint->source[i].name);
		bytes_put_u32(out, checkpoint->source[i].clock);
	}
	bytes_put_text(out, checkpoint->config_text);
	bytes_put_u64(out, checkpoint->definitions.used);
	bytes_put(out, checkpoint->definitions.data, checkpoint->definitions.used);
	closer_save(&checkpoint->closer, out);
}

static int get_positions(struct bytes_reader *in, struct checkpoint *checkpoint)
{
	checkpoint->sequence = bytes_get_u64(in);
	checkpoint->control_lsn = bytes_get_u64(in);
	checkpoint->control_records = bytes_get_u32(in);
	checkpoint->interval_ms = (int64_t)bytes_get_u64(in);
	checkpoint->sources = bytes_get_u32(in);
	if (in->failed || checkpoint->sources > WEIR_SOURCES_MAX)
		return -EPROTO;
	for (uint32_t i = 0; i < checkpoint->sources; i++) {
		bytes_get_text(in, checkpoint->source[i].name, WEIR_SOURCE_NAME_BYTES);
		checkpoint->source[i].clock = bytes_get_u32(in);
	}
	checkpoint->config_text = malloc(in->left + 1);
	if (!checkpoint->config_text)
		return -ENOMEM;
	bytes_get_text(in, checkpoint->config_text, in->left + 1);
	uint64_t bytes = bytes_get_u64(in);
	const void *definitions = bytes_get(in, bytes);
	if (in->failed)
		return -EPROTO;
	bytes_put(&checkpoint->definitions, definitions, bytes);
	return closer_load(&checkpoint->closer, in);
}

/* Wait for the one thing in flight. Its result, or -ETIMEDOUT. */
static int64_t wait_one(struct io *io)
{
	struct io_completion completion;

	for (;;) {
		int done = io->ops->reap(io, &completion, 1);
		if (done != 0)
			return done < 0 ? done : completion.result;
	}
}

static int write_at(struct io *io, int file, uint64_t offset, const void *data, size_t bytes)
{
	int error;

	do
		error = io->ops->write(io, file, offset, data, bytes, 0);
	while (error == -EAGAIN);
	if (error < 0)
		return error;
	int64_t written = wait_one(io);
	if (written < 0)
		return (int)written;
	return (size_t)written == bytes ? 0 : -ENOSPC;
}

static int write_all(struct io *io, uint8_t *buffer, int file, const struct bytes *whole)
{
	for (size_t at = 0; at < whole->used; at += CHECKPOINT_BUFFER_BYTES) {
		size_t bytes = whole->used - at;
		if (bytes > CHECKPOINT_BUFFER_BYTES)
			bytes = CHECKPOINT_BUFFER_BYTES;
		size_t padded = (bytes + 4095) & ~(size_t)4095;
		memcpy(buffer, whole->data + at, bytes);
		memset(buffer + bytes, 0, padded - bytes);
		int error = write_at(io, file, at, buffer, padded);
		if (error < 0)
			return error;
	}
	int error;
	do
		error = io->ops->sync(io, file, 0);
	while (error == -EAGAIN);
	return error < 0 ? error : (int)wait_one(io);
}

int checkpoint_put_file(struct io *io, void *buffer, const char *temporary, const char *path,
			const struct bytes *whole)
{
	int error = io->ops->make_dir(io, CHECKPOINT_DIRECTORY);

	io->ops->unlink(io, temporary);
	int file = error < 0
			   ? error
			   : io->ops->create(io, temporary, (whole->used + 4095) & ~UINT64_C(4095));
	error = file < 0 ? file : write_all(io, buffer, file, whole);
	if (file >= 0)
		io->ops->close(io, file);
	if (!error)
		error = io->ops->rename(io, temporary, path);
	return error ? error : io->ops->sync_dir(io, CHECKPOINT_DIRECTORY);
}

static void forget_old(struct io *io)
{
	uint64_t sequences[64];
	char path[64];
	int count = checkpoint_list(io, sequences, 64);

	for (int i = CHECKPOINTS_KEPT; i < count; i++) {
		snprintf(path, sizeof(path), CHECKPOINT_DIRECTORY "/%016" PRIx64 ".wckp",
			 sequences[i]);
		io->ops->unlink(io, path);
	}
	if (count > 0)
		rebase_file_forget(
			io, sequences[count < CHECKPOINTS_KEPT ? count - 1 : CHECKPOINTS_KEPT - 1]);
}

int checkpoint_write(struct io *io, void *buffer, uint64_t sequence, const struct bytes *positions,
		     const struct bytes *sections)
{
	struct file_header header = {
		.magic = MAGIC,
		.version = VERSION,
		.positions_bytes = positions->used,
		.sections_bytes = sections->used,
		.sequence = sequence,
	};
	struct bytes whole = {0};
	char path[64];

	header.crc = crc32c(crc32c(0, positions->data, positions->used), sections->data,
			    sections->used);
	bytes_put(&whole, &header, sizeof(header));
	bytes_put(&whole, positions->data, positions->used);
	bytes_put(&whole, sections->data, sections->used);
	if (positions->failed || sections->failed || whole.failed) {
		bytes_fini(&whole);
		return -ENOMEM;
	}
	snprintf(path, sizeof(path), CHECKPOINT_DIRECTORY "/%016" PRIx64 ".wckp", sequence);
	int error = checkpoint_put_file(io, buffer, TEMPORARY, path, &whole);
	bytes_fini(&whole);
	if (!error)
		forget_old(io);
	return error;
}

void checkpoint_put_section(struct bytes *out, uint32_t source, struct bytes *body)
{
	bytes_put_u32(out, source);
	bytes_put_u32(out, 0);
	bytes_put_u64(out, body->used);
	bytes_put(out, body->data, body->used);
	out->failed |= body->failed;
	bytes_fini(body);
}

int checkpoint_get_section(struct bytes_reader sections, uint32_t source,
			   struct bytes_reader *ret_body)
{
	while (sections.left && !sections.failed) {
		uint32_t number = bytes_get_u32(&sections);
		bytes_get_u32(&sections);
		uint64_t bytes = bytes_get_u64(&sections);
		const void *data = bytes_get(&sections, bytes);
		if (!data || number != source)
			continue;
		*ret_body = (struct bytes_reader){.data = data, .left = bytes};
		return 0;
	}
	return -EPROTO; /* every checkpoint has one */
}

struct listing {
	uint64_t *sequences;
	uint32_t max;
	uint32_t count;
};

static int list_one(void *self, const char *name)
{
	struct listing *listing = self;
	uint64_t sequence;
	int end = 0;

	if (sscanf(name, "%16" SCNx64 ".wckp%n", &sequence, &end) != 1 || end != 21 || name[end])
		return 0;
	if (listing->count == listing->max && listing->sequences[listing->max - 1] > sequence)
		return 0;
	uint32_t at = listing->count < listing->max ? listing->count++ : listing->max - 1;
	while (at > 0 && listing->sequences[at - 1] < sequence) {
		listing->sequences[at] = listing->sequences[at - 1];
		at--;
	}
	listing->sequences[at] = sequence;
	return 0;
}

int checkpoint_list(struct io *io, uint64_t *sequences, uint32_t max)
{
	struct listing listing = {.sequences = sequences, .max = max};
	int error = io->ops->list(io, CHECKPOINT_DIRECTORY, list_one, &listing);

	return error == -ENOENT ? 0 : error < 0 ? error : (int)listing.count;
}

static int parse(const uint8_t *data, size_t bytes, uint64_t sequence,
		 struct checkpoint *checkpoint)
{
	struct file_header header;

	if (bytes < sizeof(header))
		return -EPROTO;
	memcpy(&header, data, sizeof(header));
	size_t body = bytes - sizeof(header);
	if (header.magic != MAGIC || header.version != VERSION || header.sequence != sequence ||
	    header.positions_bytes > body || header.sections_bytes > body - header.positions_bytes)
		return -EPROTO;
	data += sizeof(header);
	if (crc32c(0, data, header.positions_bytes + header.sections_bytes) != header.crc)
		return -EPROTO;
	struct bytes_reader in = {.data = data, .left = header.positions_bytes};
	int error = get_positions(&in, checkpoint);
	if (!error)
		bytes_put(&checkpoint->sections, data + header.positions_bytes,
			  header.sections_bytes);
	return error ? error : checkpoint->sections.failed ? -ENOMEM : 0;
}

int64_t checkpoint_get_file(struct io *io, const char *path, uint8_t **ret_data)
{
	int file = io->ops->open_read(io, path);

	if (file < 0)
		return file;
	int64_t size = io->ops->size(io, file);
	uint8_t *data = size > 0 ? malloc((size_t)size) : NULL;
	int64_t got = data ? io->ops->read(io, file, 0, data, (size_t)size) : -EPROTO;
	io->ops->close(io, file);
	if (got == size) {
		*ret_data = data;
		return size;
	}
	free(data);
	return got < 0 ? got : -EPROTO;
}

int checkpoint_read(struct io *io, uint64_t sequence, struct checkpoint *ret_checkpoint)
{
	char path[64];

	checkpoint_init(ret_checkpoint);
	snprintf(path, sizeof(path), CHECKPOINT_DIRECTORY "/%016" PRIx64 ".wckp", sequence);
	uint8_t *data;
	int64_t size = checkpoint_get_file(io, path, &data);
	if (size < 0)
		return (int)size;
	int error = parse(data, (size_t)size, sequence, ret_checkpoint);
	free(data);
	if (error < 0)
		checkpoint_fini(ret_checkpoint);
	return error;
}

uint64_t checkpoint_control_lsn(struct io *io)
{
	struct checkpoint checkpoint;
	uint64_t sequences[CHECKPOINTS_KEPT + 2];
	int count = checkpoint_list(io, sequences, CHECKPOINTS_KEPT + 2);

	for (int i = 0; i < count; i++) {
		if (checkpoint_read(io, sequences[i], &checkpoint) < 0)
			continue;
		uint64_t lsn = checkpoint.control_lsn;
		checkpoint_fini(&checkpoint);
		return lsn;
	}
	return 0;
}
