/*
 * takeover: what a new writer finds in its directory, and what it makes of it.
 *
 * Idea:  a dead engine's files are never written again. What it wrote and did not sync is synced
 *        now, so that the new epoch may call everything before its first LSN durable. Files that
 *        hold nothing below that LSN are void, and become spares.
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

static int sync_and_wait(struct writer *writer, int file)
{
	struct io *io = writer->options.io;
	struct timespec nap = {.tv_nsec = 100 * 1000};
	struct io_completion completion;
	int result = io->ops->sync(io, file, cookie(COOKIE_NAMES, 1));

	if (result < 0)
		return result;
	for (int tries = 0; tries < OPEN_SYNC_TRIES; tries++) {
		if (io->ops->reap(io, &completion, 1) == 1)
			return (int)completion.result;
		nanosleep(&nap, NULL);
	}
	return -ETIMEDOUT;
}

/* What a dead engine wrote and did not sync is in these files: from now on it counts as durable. */
static int sync_tail(struct writer *writer, const struct segment_list *list)
{
	struct io *io = writer->options.io;
	char path[SEGMENT_PATH_BYTES];

	for (uint32_t i = list->count, synced = 0; i-- > 0 && synced < SYNC_AT_OPEN;) {
		if (list->entries[i].base_lsn >= writer->options.next_lsn)
			continue; /* void: let go */
		synced++;
		writer_path(writer, path, SEGMENT_FILE_SEGMENT, list->entries[i].id);
		int file = io->ops->open_read(io, path);
		if (file < 0)
			return file;
		int result = sync_and_wait(writer, file);
		io->ops->close(io, file);
		if (result < 0) {
			log_error("log", "%s cannot be synced: %s", path, strerror(-result));
			return result;
		}
	}
	return 0;
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
		if (entry->base_lsn >= writer->options.next_lsn)
			spares_let_go(writer, SEGMENT_FILE_SEGMENT, entry->id);
		else if (!kept_add(writer, &kept))
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < list->empty; i++)
		spares_let_go(writer, SEGMENT_FILE_SEGMENT, list->empty_ids[i]);
	return 0;
}

/* The first file, in one go. A full disk is no error: it is tried again. */
static int first_file(struct writer *writer)
{
	struct io *io = writer->options.io;
	struct slot *slot = roll_free_slot(writer);

	slot->id = roll_new_id(writer);
	slot->file = spares_take(writer, slot->id);
	if (slot->file == -ENOSPC || slot->file == -EDQUOT) {
		roll_file_failed(writer, slot->file);
		return 0;
	}
	if (slot->file < 0)
		return slot->file;
	int result = io->ops->sync_dir(io, writer->directory);
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
	writer->directory_file = io->ops->open_read(io, writer->directory);
	if (writer->directory_file < 0)
		return writer->directory_file;
	return first_file(writer);
}

