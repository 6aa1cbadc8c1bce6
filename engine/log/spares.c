/*
 * spares: files that are kept, files that are free.
 *
 * Idea:  retention does not delete a file where a spare is wanted: it renames it, and the next
 *        segment takes it over. Where there are not enough, spares are made, and written with
 *        zeros a piece at a time while the lane is idle: a disk takes blocks into a written file
 *        half as fast again as into a fresh one, and syncs them twice as fast. The next segment,
 *        which is made in advance anyway, is written first. An old block in such a file carries an
 *        old id, so it never passes for a new one.
 *
 *          <id>.wseg --retention--> spare-<id>.wspare --> <new id>.wseg
 *          prepare-<id>.wtmp --all zeros written----^
 *
 * Runs on: the agent that owns the writer; from writer_step(), writer_retain().
 * Never:   writes while blocks are on their way; keeps a file of another size.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "log/writer_private.h"

static const struct io_ops *ops_of(const struct writer *writer)
{
	return writer->options.io->ops;
}

int spares_let_go(struct writer *writer, uint64_t id, bool whole)
{
	char from[SEGMENT_PATH_BYTES], to[SEGMENT_PATH_BYTES];

	/* One more where there is no next file: it is made of one of these at once. */
	uint32_t wanted = writer->options.spares;
	wanted += wanted && wanted < SPARES_MAX && !writer->next;

	writer_path(writer, from, SEGMENT_FILE_SEGMENT, id);
	if (whole && writer->spares_count < wanted) {
		writer_path(writer, to, SEGMENT_FILE_SPARE, id);
		int result = ops_of(writer)->rename(writer->options.io, from, to);
		if (result == -ENOENT)
			return 0; /* somebody was faster */
		if (result < 0)
			return result;
		writer->spares[writer->spares_count++] = id;
		return 0;
	}
	int result = ops_of(writer)->unlink(writer->options.io, from);
	return result == -ENOENT ? 0 : result;
}

int spares_take(struct writer *writer, uint64_t id)
{
	struct io *io = writer->options.io;
	char path[SEGMENT_PATH_BYTES], spare[SEGMENT_PATH_BYTES];

	writer_path(writer, path, SEGMENT_FILE_SEGMENT, id);
	while (writer->spares_count) {
		writer_path(writer, spare, SEGMENT_FILE_SPARE,
			    writer->spares[--writer->spares_count]);
		if (io->ops->rename(io, spare, path) < 0)
			continue;
		int file = io->ops->open_write(io, path);
		if (file >= 0 &&
		    io->ops->size(io, file) == (int64_t)writer->options.segment_bytes)
			return file;
		if (file >= 0)
			io->ops->close(io, file);
		io->ops->unlink(io, path);
	}
	return io->ops->create(io, path, writer->options.segment_bytes);
}

static int spare_found(void *self, const char *name)
{
	struct writer *writer = self;
	uint64_t id;
	enum segment_file kind = segment_parse_name(name, &id);

	if (kind == SEGMENT_FILE_SPARE && writer->spares_count < SPARES_MAX)
		writer->spares[writer->spares_count++] = id;
	return 0;
}

struct leftovers {
	uint64_t ids[SPARES_MAX];
	uint32_t count;
};

static int leftover_found(void *self, const char *name)
{
	struct leftovers *leftovers = self;
	uint64_t id;

	if (segment_parse_name(name, &id) == SEGMENT_FILE_PREPARE && leftovers->count < SPARES_MAX)
		leftovers->ids[leftovers->count++] = id;
	return 0;
}

static bool spare_fits(struct writer *writer, const char *path)
{
	struct io *io = writer->options.io;
	int file = io->ops->open_read(io, path);

	if (file < 0)
		return false;
	int64_t size = io->ops->size(io, file);
	io->ops->close(io, file);
	return size == (int64_t)writer->options.segment_bytes;
}

void spares_find(struct writer *writer)
{
	struct io *io = writer->options.io;
	struct leftovers leftovers = {.count = 0};
	char path[SEGMENT_PATH_BYTES];
	uint32_t good = 0;

	io->ops->list(io, writer->directory, leftover_found, &leftovers);
	for (uint32_t i = 0; i < leftovers.count; i++) {
		writer_path(writer, path, SEGMENT_FILE_PREPARE, leftovers.ids[i]);
		io->ops->unlink(io, path);
	}
	io->ops->list(io, writer->directory, spare_found, writer);
	for (uint32_t i = 0; i < writer->spares_count; i++) {
		writer_path(writer, path, SEGMENT_FILE_SPARE, writer->spares[i]);
		if (good < writer->options.spares && spare_fits(writer, path))
			writer->spares[good++] = writer->spares[i];
		else
			io->ops->unlink(io, path);
	}
	writer->spares_count = good;
}

/* The disk does not take zeros: go without, blocks will show what it is about. */
static void give_up(struct writer *writer, struct slot *slot, int error)
{
	char path[SEGMENT_PATH_BYTES];

	log_info("log", "%s: no files are written ahead (%s)", writer->directory, strerror(-error));
	writer->no_prewriting = true;
	if (slot->state != SLOT_SPARE)
		return;
	ops_of(writer)->close(writer->options.io, slot->file);
	writer_path(writer, path, SEGMENT_FILE_PREPARE, slot->id);
	ops_of(writer)->unlink(writer->options.io, path);
	slot->state = SLOT_FREE;
}

void spares_written(struct writer *writer, struct slot *slot, int64_t result)
{
	struct block *block = slot->zeros;

	/* To the bottom of the stack: it is the coldest one. */
	memmove(&writer->free[1], &writer->free[0], writer->free_count * sizeof(*writer->free));
	writer->free[0] = block;
	writer->free_count++;
	block->state = BLOCK_FREE;
	slot->zeros = NULL;
	slot->in_flight--;
	if (result >= 4096)
		slot->zeroed += (uint64_t)result & ~UINT64_C(4095);
	else if (result != -EAGAIN && result != -EINTR)
		give_up(writer, slot, result < 0 ? (int)result : -EIO);
}

static int write_zeros(struct writer *writer, struct slot *slot)
{
	struct io *io = writer->options.io;
	uint64_t bytes = writer->options.segment_bytes - slot->zeroed;
	struct block *block = writer->free[0];

	if (bytes > writer->options.block_bytes)
		bytes = writer->options.block_bytes;
	memset(block->data, 0, bytes);
	/* A spare gets another id when it is taken, and its fences then. */
	if (slot == writer->next)
		fences_put(writer, slot, block->data, slot->zeroed, bytes);
	if (io->ops->write(io, slot->file, slot->zeroed, block->data, bytes,
			   cookie(COOKIE_ZEROS, slot_index(writer, slot))) < 0)
		return 0;
	writer->free_count--;
	memmove(&writer->free[0], &writer->free[1], writer->free_count * sizeof(*writer->free));
	block->state = BLOCK_ZEROS;
	slot->zeros = block;
	slot->in_flight++;
	return 1;
}

/* A file to make a spare of, begun now if there is none. */
static struct slot *unfinished(struct writer *writer)
{
	struct io *io = writer->options.io;
	char path[SEGMENT_PATH_BYTES];

	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		if (writer->slots[i].state == SLOT_SPARE)
			return &writer->slots[i];
	if (writer->spares_count >= writer->options.spares)
		return NULL;
	struct slot *slot = roll_free_slot(writer);
	if (!slot)
		return NULL;
	slot->id = roll_new_id(writer);
	writer_path(writer, path, SEGMENT_FILE_PREPARE, slot->id);
	slot->file = io->ops->create(io, path, writer->options.segment_bytes);
	if (slot->file < 0) {
		give_up(writer, slot, slot->file);
		return NULL;
	}
	slot->state = SLOT_SPARE;
	return slot;
}

static int finish(struct writer *writer, struct slot *slot)
{
	struct io *io = writer->options.io;
	char from[SEGMENT_PATH_BYTES], to[SEGMENT_PATH_BYTES];

	io->ops->close(io, slot->file);
	slot->state = SLOT_FREE;
	writer_path(writer, from, SEGMENT_FILE_PREPARE, slot->id);
	writer_path(writer, to, SEGMENT_FILE_SPARE, slot->id);
	if (writer->spares_count == SPARES_MAX || io->ops->rename(io, from, to) < 0) {
		io->ops->unlink(io, from);
		return 0;
	}
	writer->spares[writer->spares_count++] = slot->id;
	return 1;
}

int spares_step(struct writer *writer)
{
	bool idle = !writer->active && !writer->in_flight && !writer->write_error &&
		    !writer->file_error && writer->free_count > writer->options.buffers / 2;

	if (!idle || !writer->options.spares || writer->no_prewriting || writer->closing)
		return 0;
	struct slot *slot = writer->next;
	if (!slot || slot->state != SLOT_READY || slot->zeroed == writer->options.segment_bytes)
		slot = unfinished(writer);
	if (!slot || slot->in_flight)
		return 0;
	if (slot->zeroed == writer->options.segment_bytes)
		return finish(writer, slot);
	return write_zeros(writer, slot);
}

bool kept_add(struct writer *writer, const struct kept *kept)
{
	if (writer->kept_count == writer->kept_capacity) {
		uint32_t capacity = writer->kept_capacity ? writer->kept_capacity * 2 : 64;
		struct kept *grown = realloc(writer->kept, capacity * sizeof(*grown));
		if (!grown)
			return false;
		writer->kept = grown;
		writer->kept_capacity = capacity;
	}
	writer->kept[writer->kept_count++] = *kept;
	return true;
}

void kept_drop(struct writer *writer, uint32_t first, uint32_t count)
{
	memmove(&writer->kept[first], &writer->kept[first + count],
		(writer->kept_count - first - count) * sizeof(*writer->kept));
	writer->kept_count -= count;
}

struct kept *kept_find(struct writer *writer, uint64_t id)
{
	for (uint32_t i = writer->kept_count; i-- > 0;)
		if (writer->kept[i].id == id)
			return &writer->kept[i];
	return NULL;
}

void kept_replace(struct writer *writer, uint64_t id, uint64_t needed_lsn)
{
	struct kept *kept = kept_find(writer, id);

	check(kept != NULL);
	if (kept->replaced)
		return; /* an older file failed as well, meanwhile */
	kept->replaced = true;
	kept->last_lsn = needed_lsn;
	writer->replaced_count++;
}

/* The snapshot that would then be the lane's first must be on stable storage. */
static bool snapshot_safe(const struct writer *writer, const struct kept *kept)
{
	if (!kept->busy)
		return true;
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		const struct slot *slot = &writer->slots[i];
		if (slot->id == kept->id && slot->state >= SLOT_CURRENT &&
		    slot->state <= SLOT_FAILED)
			return slot->snapshot_lsn && writer->durable >= slot->snapshot_lsn;
	}
	return false;
}

int writer_retain(struct writer *writer, uint64_t keep_lsn, uint64_t bytes_max, uint64_t before_s)
{
	int freed = 0;

	for (;;) {
		uint64_t bytes = 0;
		uint32_t end = 1;
		for (uint32_t i = 0; i < writer->kept_count; i++)
			bytes += writer->kept[i].bytes;
		/* A file that continues another has no snapshot in front: they go together. */
		while (end < writer->kept_count &&
		       (writer->kept[end].continues || writer->kept[end].replaced))
			end++;
		if (end >= writer->kept_count || writer->kept[end].base_lsn > keep_lsn ||
		    !snapshot_safe(writer, &writer->kept[end]))
			return freed;
		bool old = before_s && writer->kept[end].created_ms / 1000 < before_s;
		if (!old && !(bytes_max && bytes > bytes_max))
			return freed;
		for (uint32_t i = 0; i < end; i++)
			if (writer->kept[i].busy || writer->kept[i].replaced)
				return freed;
		for (uint32_t i = 0; i < end; i++) {
			int result = spares_let_go(writer, writer->kept[0].id,
						   writer->kept[0].bytes >=
							   writer->options.segment_bytes);
			if (result < 0) {
				log_warning("log", "%s: cannot remove a segment: %s",
					    writer->directory, strerror(-result));
				return freed;
			}
			kept_drop(writer, 0, 1);
			freed++;
		}
	}
}
