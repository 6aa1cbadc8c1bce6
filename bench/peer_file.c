/*
 * peer_file: fwrite of a record. The record is weir's event, 16 bytes; the time comes from the same
 * clock. fwrite_unlocked with a buffer of its own is the fastest that stdio has; the kernel is told
 * to begin writing early, so that the sync at the end has little left to do.
 *
 * What is in the buffer when the application dies is gone, nothing is checked, and nobody has seen
 * the events yet.
 */
#include "peer_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "coarse.h"
#include "peer.h"
#include "weir/event.h"

#define BUFFER_BYTES (256u << 10)

int peer_file_available(const struct peer_task *task, char *why, size_t why_bytes)
{
	(void)task, (void)why, (void)why_bytes;
	return 0;
}

void peer_file_path(const struct peer_task *task, char *path, size_t path_bytes)
{
	snprintf(path, path_bytes, "%s/events", task->directory);
}

void peer_file_hasten(int fd, uint64_t written, uint64_t *hastened)
{
	if (written - *hastened < PEER_FILE_STEP)
		return;
	sync_file_range(fd, (off_t)*hastened, (off_t)(written - *hastened), SYNC_FILE_RANGE_WRITE);
	*hastened = written;
}

int peer_file_check(const char *path, const struct plan *plan, uint64_t sent,
		    struct peer_result *result)
{
	struct weir_event events[4096];
	struct peer_books books;
	size_t count;
	FILE *file = fopen(path, "re");
	int r = file ? peer_books_init(&books, plan) : -errno;
	if (r < 0) {
		if (file)
			fclose(file);
		return r;
	}
	while ((count = fread(events, sizeof(*events), 4096, file)) > 0)
		for (size_t i = 0; i < count; i++) {
			if (weir_event_time_ms(events[i].word) == 0)
				books.strangers++;
			peer_books_add(&books, weir_event_series(events[i].word),
				       weir_bits_value(events[i].value));
		}
	result->bytes = books.events * sizeof(*events);
	peer_books_close(&books, sent, result);
	peer_books_fini(&books);
	fclose(file);
	return 0;
}

static uint32_t write_chunk(FILE *file, struct plan_cursor *cursor)
{
	for (uint32_t i = 0; i < PEER_CHUNK; i++) {
		uint32_t value, index = plan_next(cursor, &value);
		struct weir_event event = {.word = weir_event_word(coarse_ms(), index),
					   .value = weir_value_bits(value)};
		if (fwrite_unlocked(&event, sizeof(event), 1, file) != 1)
			return 0;
	}
	return PEER_CHUNK;
}

static int fwrite_run(const struct peer *peer, const struct peer_task *task,
		      struct peer_result *ret_result)
{
	struct plan plan;
	struct plan_cursor cursor;
	struct peer_watch watch;
	char path[2300];
	uint64_t hastened = 0;

	(void)peer;
	peer_file_path(task, path, sizeof(path));
	int r = plan_init(&plan, task->series, 0);
	FILE *file = r == 0 ? fopen(path, "we") : NULL;
	if (!file)
		return r < 0 ? r : -errno;
	setvbuf(file, NULL, _IOFBF, BUFFER_BYTES);
	processor_pin(0, task->sender);
	plan_start(&plan, &cursor);
	peer_watch_start(&watch, task);
	while (peer_going(&watch, ret_result->sent)) {
		if (!write_chunk(file, &cursor)) {
			r = -errno;
			break;
		}
		ret_result->sent += PEER_CHUNK;
		peer_file_hasten(fileno(file), ret_result->sent * sizeof(struct weir_event),
				 &hastened);
	}
	if (fflush(file) != 0 || fdatasync(fileno(file)) < 0)
		r = -errno;
	ret_result->seconds = peer_seconds(&watch);
	fclose(file);
	if (r == 0)
		r = peer_file_check(path, &plan, ret_result->sent, ret_result);
	plan_fini(&plan);
	return r;
}

const struct peer peer_fwrite = {
	.name = "fwrite",
	.title = "fwrite of a record",
	.driven = "16 bytes, unlocked, 256 KiB buffer; page cache, synced at the end",
	.on_disk = true,
	.available = peer_file_available,
	.run = fwrite_run,
};
