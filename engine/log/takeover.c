/*
 * takeover: what a new writer finds in its directory, and what it makes of it.
 *
 * Idea:  nothing new is put into a dead engine's files. What it wrote and did not sync is synced
 *        now, so that the new epoch may call everything before its first LSN durable; and written
 *        before that, the same bytes in the same place: a sync of the dead engine's may have
 *        failed, and then the kernel shows pages that the disk does not have, and says yes to
 *        whoever syncs them once more. Files that hold nothing below that LSN are void, and
 *        become spares, unless a write that the dead engine had queued may yet fall into them.
 *
 * Runs on: whoever calls writer_open(); the only place but writer_close() that waits for the disk.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "log/segments.h"
#include "log/writer_private.h"

/* Newest files that are synced at open: an engine never has more than two unsynced. */
#define SYNC_AT_OPEN 4u
#define OPEN_SYNC_TRIES 200000 /* of 100 us */

/* The next answer to what is under way. False: there is none, for very long. */
static bool answered(struct writer *writer, struct io_completion *ret_completion)
{
	struct io *io = writer->options.io;
	struct timespec nap = {.tv_nsec = 100 * 1000};

	for (int tries = 0; tries < OPEN_SYNC_TRIES; tries++) {
		if (io->ops->reap(io, ret_completion, 1) == 1)
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

/* What comes of the one thing that is under way. */
static int64_t await(struct writer *writer)
{
	struct io_completion completion;

	return answered(writer, &completion) ? completion.result : -ETIMEDOUT;
}

static int sync_and_wait(struct writer *writer, int file)
{
	struct io *io = writer->options.io;
	int result = io->ops->sync(io, file, cookie(COOKIE_NAMES, 1));

	return result < 0 ? result : (int)await(writer);
}

/* The next block of a file at or behind *offset: 1; 0: there is none. What is damaged is passed
 * over as a reader does it, if it is searched for. */
static int next_block(struct writer *writer, int file, uint64_t id, bool search, uint64_t *offset,
		      struct weir_block_header *ret_header)
{
	struct io *io = writer->options.io;
	int found = 1;

	while (found > 0) {
		int64_t bytes = io->ops->read(io, file, *offset, ret_header, sizeof(*ret_header));
		if (bytes < (int64_t)sizeof(*ret_header))
			return bytes < 0 ? (int)bytes : 0;
		if (block_header_good(ret_header, id))
			return 1;
		if (!search)
			return 0;
		if (ret_header->magic == WEIR_BLOCK_MAGIC)
			*offset += WEIR_BLOCK_ALIGN;
		found = segments_page(io, file, id, UINT64_MAX, offset);
	}
	return found;
}

/* A file's blocks above `durable`, and the highest durable_lsn that any of its blocks names. */
struct stretch {
	uint64_t from, until; /* bytes of the file; equal: none */
	uint64_t durable;
};

static int look_through(struct writer *writer, int file, const struct segment_entry *entry,
			uint64_t durable, struct stretch *ret_stretch)
{
	const uint64_t next_lsn = writer->options.next_lsn;
	const uint64_t end_lsn = entry->void_lsn < next_lsn ? entry->void_lsn : next_lsn;
	struct weir_block_header header;
	uint64_t offset = 0, end;
	bool whole = false; /* all that counts has been seen: nothing is searched for */
	int result;

	*ret_stretch = (struct stretch){.durable = durable};
	while ((result = next_block(writer, file, entry->id, !whole, &offset, &header)) > 0) {
		if (header.lsn >= end_lsn)
			return 0;
		end = offset + weir_block_disk_bytes(header.payload_bytes);
		if (header.durable_lsn > ret_stretch->durable)
			ret_stretch->durable = header.durable_lsn;
		if (header.lsn > durable) {
			if (!ret_stretch->until)
				ret_stretch->from = offset;
			ret_stretch->until = end;
		}
		whole = header.type == WEIR_BLOCK_FOOTER ||
			header.lsn + (header.type != WEIR_BLOCK_SEGMENT) >= end_lsn;
		offset = end;
	}
	return result;
}

/* A write that a disk puts off is tried again, so many times. */
static int64_t write_and_wait(struct writer *writer, int file, uint64_t offset, const void *data,
			      uint64_t bytes)
{
	const struct io_ops *ops = writer->options.io->ops;
	int64_t result = -EAGAIN;

	for (uint32_t i = 0; i < RETRIES_MAX && (result == -EAGAIN || result == -EINTR); i++) {
		result = ops->write(writer->options.io, file, offset, data, bytes,
				    cookie(COOKIE_NAMES, 1));
		if (result >= 0)
			result = await(writer);
	}
	return result;
}

static bool no_room(int64_t result)
{
	return result == -ENOSPC || result == -EDQUOT;
}

/* Read as everybody reads, written as blocks are; then synced. 0, or negative errno. No room for
 * the writes, where a block in place takes new room (copy-on-write), is said and is 0: it is synced
 * as it is. A sync that finds none has dropped what it could not write, and has failed like any. */
static int write_again(struct writer *writer, const char *path, int reader,
		       const struct stretch *stretch)
{
	struct io *io = writer->options.io;
	uint8_t *data = writer->blocks[0].data; /* nobody has one yet */
	int file = stretch->from < stretch->until ? io->ops->open_write(io, path) : -1;
	int64_t result = 0;

	if (stretch->from == stretch->until)
		return 0;
	if (file < 0)
		return file;
	for (uint64_t at = stretch->from; at < stretch->until && result >= 0;) {
		uint64_t bytes = stretch->until - at;
		if (bytes > writer->options.block_bytes)
			bytes = writer->options.block_bytes;
		result = io->ops->read(io, reader, at, data, bytes);
		if (result >= 0 && (uint64_t)result < bytes) {
			log_error("log", "%s: %lld of %llu bytes can be read at %llu", path,
				  (long long)result, (unsigned long long)bytes,
				  (unsigned long long)at);
			result = -EIO;
		}
		if (result >= 0)
			result = write_and_wait(writer, file, at, data, bytes);
		/* A short write is gone on with where a page begins. */
		if (result >= 0 && result < (int64_t)WEIR_BLOCK_ALIGN) {
			log_error("log", "%s: %lld of %llu bytes were written at %llu", path,
				  (long long)result, (unsigned long long)bytes,
				  (unsigned long long)at);
			result = -EIO;
		}
		at += result > 0 ? (uint64_t)result & -(uint64_t)WEIR_BLOCK_ALIGN : 0;
	}
	if (no_room(result)) {
		log_warning("log",
			    "%s: no room to write its tail again (%s); it is synced as it is", path,
			    strerror((int)-result));
		result = 0;
	}
	if (result >= 0)
		result = sync_and_wait(writer, file);
	io->ops->close(io, file);
	return result < 0 ? (int)result : 0;
}

/* What a dead engine wrote and did not sync is in these files: from now on it counts as durable.
 * Twice through them: what is durable already is known only behind the last of them. */
static int keep_tail(struct writer *writer, const struct segment_list *list, bool again,
		     uint64_t *durable)
{
	struct io *io = writer->options.io;
	char path[SEGMENT_PATH_BYTES];
	struct stretch stretch = {0};

	for (uint32_t i = list->count, looked = 0; i-- > 0 && looked < SYNC_AT_OPEN;) {
		if (list->entries[i].base_lsn >= writer->options.next_lsn)
			continue; /* void: let go */
		looked++;
		writer_path(writer, path, SEGMENT_FILE_SEGMENT, list->entries[i].id);
		int file = io->ops->open_read(io, path);
		if (file < 0)
			return file;
		/* Who never syncs promises nothing for which it would have to be written again. */
		int result = writer_soft(writer) ? 0
						 : look_through(writer, file, &list->entries[i],
								*durable, &stretch);
		if (result >= 0 && again)
			result = write_again(writer, path, file, &stretch);
		if (result >= 0 && again)
			result = sync_and_wait(writer, file);
		io->ops->close(io, file);
		if (result < 0) {
			log_error("log", "%s cannot be synced: %s", path, strerror(-result));
			return result;
		}
		if (!again)
			*durable = stretch.durable;
	}
	return 0;
}

static int sync_tail(struct writer *writer, const struct segment_list *list)
{
	uint64_t durable = 0;
	int result = writer_soft(writer) ? 0 : keep_tail(writer, list, false, &durable);

	return result < 0 ? result : keep_tail(writer, list, true, &durable);
}

/* A file without anything in it is one to use again, unless a write of the dead engine's may yet
 * fall into it: on a block of ours, then. */
static void let_go(struct writer *writer, uint64_t id, bool whole)
{
	struct io *io = writer->options.io;
	char path[SEGMENT_PATH_BYTES];

	writer_path(writer, path, SEGMENT_FILE_SEGMENT, id);
	if (io->ops->quiet && io->ops->quiet(io, path) == 1)
		spares_let_go(writer, id, whole);
	else
		io->ops->unlink(io, path);
}

/* What is there, oldest first. Files that hold nothing below next_lsn are void altogether. */
static int take_over(struct writer *writer, const struct segment_list *list)
{
	for (uint32_t i = 0; i < list->count; i++) {
		const struct segment_entry *entry = &list->entries[i];
		if (entry->durable_lsn >= writer->options.next_lsn ||
		    entry->epoch >= writer->options.epoch) {
			log_error("log", "%s: segment %016llx is newer than what was recovered",
				  writer->directory, (unsigned long long)entry->id);
			return -EINVAL;
		}
	}
	for (uint32_t i = 0; i < list->count; i++) {
		const struct segment_entry *entry = &list->entries[i];
		struct kept kept = {
			.id = entry->id,
			.base_lsn = entry->base_lsn,
			.created_ms = entry->created_ms,
			.bytes = entry->file_bytes,
			.continues = entry->continues,
		};
		if (entry->base_lsn >= writer->options.next_lsn) {
			let_go(writer, entry->id, kept.bytes >= writer->options.segment_bytes);
			continue;
		}
		trim_find(writer, &kept);
		writer->trims |= kept.trim != 0;
		if (!kept_add(writer, &kept))
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < list->empty; i++)
		let_go(writer, list->empty_ids[i], true);
	return 0;
}

/* All fences of a file, before it begins. Only what never ends is an error. */
static int write_fences(struct writer *writer, struct slot *slot)
{
	struct io_completion completion;

	fences_want(writer, slot);
	while (slot->fences || slot->in_flight) {
		if (fences_submit(writer, slot))
			continue;
		/* Refused with nothing under way: then without. */
		if (!slot->in_flight)
			break;
		if (!answered(writer, &completion))
			return -ETIMEDOUT;
		fences_written(writer, (uint32_t)completion.cookie, completion.result);
	}
	slot->fences = 0;
	return 0;
}

/* The first file, in one go. A full disk is no error: it is tried again. */
static int first_file(struct writer *writer)
{
	struct io *io = writer->options.io;
	struct slot *slot = roll_free_slot(writer);
	bool spare = writer->spares_count > 0;

	slot->id = roll_new_id(writer);
	slot->file = spares_take(writer, slot->id);
	if (slot->file == -ENOSPC || slot->file == -EDQUOT) {
		roll_file_failed(writer, slot->file);
		return 0;
	}
	if (slot->file < 0)
		return slot->file;
	/* The name first: under its old one what the file holds may be needed still. */
	int result = io->ops->sync_dir(io, writer->directory);
	if (result == 0 && spare)
		result = write_fences(writer, slot);
	if (result < 0) {
		io->ops->close(io, slot->file);
		return result;
	}
	slot->state = SLOT_READY;
	writer->next = slot;
	return roll_start(writer, writer->next_lsn) ? 0 : -ENOMEM;
}

int takeover(struct writer *writer)
{
	struct io *io = writer->options.io;
	struct segment_list list = {0};
	char why[256] = "";

	roll_seed(writer);
	int result = io->ops->make_dir(io, writer->directory);
	if (result == 0)
		result = io->ops->sync_dir(io, ".");
	if (result < 0)
		return result;
	result = segments_list(io, writer->directory, writer->options.lane, true, &list, why,
			       sizeof(why));
	/* From here on files change. */
	io->known = NULL;
	if (result < 0) {
		log_error("log", "%s", why);
		return result;
	}
	spares_find(writer);
	result = take_over(writer, &list);
	if (result == 0)
		result = sync_tail(writer, &list);
	segments_free(&list);
	if (result < 0)
		return result;
	/* Now: who is started again and again may never come to a moment of rest. */
	while (trim_step(writer))
		;
	writer->directory_file = io->ops->open_read(io, writer->directory);
	if (writer->directory_file < 0)
		return writer->directory_file;
	return first_file(writer);
}
