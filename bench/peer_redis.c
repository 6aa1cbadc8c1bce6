/*
 * peer_redis: XADD, so many in a pipeline, over a UNIX socket to a redis-server of its own. The
 * next pipeline is on its way before the answers to the last are read, so the server never waits.
 *
 * An entry is the event: its time is the entry's id, which Redis completes with a sequence number;
 * series and value are two fields. With a file: appendonly, synced by Redis every second and by us
 * at the end. Without: in memory only, which is what an installed Redis does between snapshots.
 */
#include <hiredis.h>

#include "coarse.h"
#include "own_redis.h"
#include "peer.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server.h"

#define COMMAND_BYTES_MAX 128u
#define READ_ENTRIES 10000u

static int redis_available(const struct peer_task *task, char *why, size_t why_bytes)
{
	char path[2200];
	(void)task;
	return own_redis_find(path, why, why_bytes);
}

static char *put(char *at, const char *text, size_t bytes)
{
	memcpy(at, text, bytes);
	return at + bytes;
}

#define PUT(at, text) put(at, text, sizeof(text) - 1)

/* XADD e <ms>-* s <series> v <value>, each word with its length. `head`: up to the series. */
static char *put_command(char *at, const char *head, size_t head_bytes, uint32_t index,
			 uint32_t value)
{
	char series[12], *digits = series + sizeof(series);
	do
		*--digits = (char)('0' + index % 10);
	while (index /= 10);
	size_t count = (size_t)(series + sizeof(series) - digits);
	at = put(at, head, head_bytes);
	*at++ = (char)('0' + count); /* fewer than 10: PLAN_SERIES_MAX has 7 */
	at = PUT(at, "\r\n");
	at = put(at, digits, count);
	at = PUT(at, "\r\n$1\r\nv\r\n$1\r\n");
	*at++ = (char)('0' + value); /* 1 .. PLAN_VALUES */
	return PUT(at, "\r\n");
}

static int send_batch(redisContext *context, struct plan_cursor *cursor, char *buffer,
		      uint32_t batch)
{
	char head[COMMAND_BYTES_MAX], *at = buffer;
	int done = 0, bytes = snprintf(head, sizeof(head),
				       "*7\r\n$4\r\nXADD\r\n$1\r\ne\r\n$15\r\n%013llu-*\r\n"
				       "$1\r\ns\r\n$",
				       (unsigned long long)coarse_ms());
	for (uint32_t i = 0; i < batch; i++) {
		uint32_t value, index = plan_next(cursor, &value);
		at = put_command(at, head, (size_t)bytes, index, value);
	}
	if (redisAppendFormattedCommand(context, buffer, (size_t)(at - buffer)) != REDIS_OK)
		return -ENOMEM;
	while (!done)
		if (redisBufferWrite(context, &done) != REDIS_OK)
			return -EIO;
	return 0;
}

static int take_replies(redisContext *context, uint32_t count, char *why, size_t why_bytes)
{
	for (uint32_t i = 0; i < count; i++) {
		redisReply *reply = NULL;
		if (redisGetReply(context, (void **)&reply) != REDIS_OK) {
			snprintf(why, why_bytes, "redis-server: %s", context->errstr);
			return -EIO;
		}
		bool refused = reply->type == REDIS_REPLY_ERROR;
		if (refused)
			snprintf(why, why_bytes, "redis-server: %s", reply->str);
		freeReplyObject(reply);
		if (refused)
			return -EIO;
	}
	return 0;
}

static int send_all(const struct peer *peer, const struct peer_task *task, redisContext *context,
		    struct plan_cursor *cursor, struct peer_result *result)
{
	struct peer_watch watch;
	uint32_t batch = peer->batch, waiting = 0;
	char *buffer = malloc((size_t)batch * COMMAND_BYTES_MAX);
	int r = buffer ? 0 : -ENOMEM;
	peer_watch_start(&watch, task);
	while (r == 0 && peer_going(&watch, result->sent)) {
		r = send_batch(context, cursor, buffer, batch);
		result->sent += batch;
		if (r == 0 && waiting)
			r = take_replies(context, waiting, result->why, sizeof(result->why));
		waiting = batch;
	}
	if (r == 0)
		r = take_replies(context, waiting, result->why, sizeof(result->why));
	if (r == 0 && peer->on_disk) {
		char pattern[2300];
		glob_t files;
		struct stat is;
		snprintf(pattern, sizeof(pattern), "%s/appendonlydir/*", task->directory);
		r = glob(pattern, 0, NULL, &files) ? -ENOENT : 0;
		for (size_t i = 0; r == 0 && i < files.gl_pathc; i++) {
			r = peer_sync(files.gl_pathv[i]);
			result->bytes += stat(files.gl_pathv[i], &is) == 0 ? (uint64_t)is.st_size
									   : 0;
		}
		if (r != -ENOENT)
			globfree(&files);
	}
	result->seconds = peer_seconds(&watch);
	free(buffer);
	return r;
}

/* One page of the stream behind `last`, which becomes the last of the page. The number of entries,
 * or a negative errno. */
static int read_page(redisContext *context, char last[64], struct peer_books *books)
{
	redisReply *reply = redisCommand(context, "XRANGE e %s%s + COUNT %u", last[0] ? "(" : "-",
					 last, READ_ENTRIES);
	int r = reply && reply->type == REDIS_REPLY_ARRAY ? (int)reply->elements : -EPROTO;
	for (int i = 0; i < r; i++) {
		const redisReply *entry = reply->element[i];
		if (entry->elements != 2 || entry->element[1]->elements != 4) {
			r = -EPROTO;
			break;
		}
		redisReply *const *fields = entry->element[1]->element;
		peer_books_add(books, strtoull(fields[1]->str, NULL, 10), atof(fields[3]->str));
		if (i == r - 1)
			snprintf(last, 64, "%s", entry->element[0]->str);
	}
	freeReplyObject(reply);
	return r;
}

static int read_back(redisContext *context, const struct plan *plan, uint64_t sent,
		     struct peer_result *result)
{
	struct peer_books books;
	char last[64] = "";
	int r = peer_books_init(&books, plan);
	if (r < 0)
		return r;
	while ((r = read_page(context, last, &books)) > 0)
		;
	if (r < 0)
		snprintf(result->why, sizeof(result->why), "redis-server: XRANGE failed");
	else
		peer_books_close(&books, sent, result);
	peer_books_fini(&books);
	return r;
}

static int redis_run(const struct peer *peer, const struct peer_task *task,
		     struct peer_result *ret_result)
{
	struct plan plan;
	struct plan_cursor cursor;
	redisContext *context;
	const struct own_redis own = {.directory = task->directory,
				      .appends = peer->on_disk,
				      .processor = task->receiver};
	pid_t server = own_redis_start(&own, &context);
	int r = context ? plan_init(&plan, task->series, 0) : -EIO;
	if (!context)
		peer_quote(task->directory, "redis", ret_result->why, sizeof(ret_result->why));
	if (r == 0) {
		processor_pin(0, task->sender);
		plan_start(&plan, &cursor);
		r = send_all(peer, task, context, &cursor, ret_result);
		if (r == 0)
			r = read_back(context, &plan, ret_result->sent, ret_result);
		plan_fini(&plan);
	}
	if (context)
		redisFree(context);
	peer_end(server);
	return r;
}

#define REDIS_PEER(variable, word, heading, many, disk, how)                                       \
	const struct peer peer_##variable = {                                                      \
		.name = word,                                                                      \
		.title = heading,                                                                  \
		.driven = how,                                                                     \
		.batch = many,                                                                     \
		.on_disk = disk,                                                                   \
		.available = redis_available,                                                      \
		.run = redis_run,                                                                  \
	}

REDIS_PEER(redis_100, "redis_100", "Redis XADD, 100 at a time", 100, true,
	   "one connection over a UNIX socket; appendonly, synced every second and at the end");
REDIS_PEER(redis_1000, "redis_1000", "Redis XADD, 1000 at a time", 1000, true,
	   "the same, 1000 at a time");
REDIS_PEER(redis_memory, "redis_memory", "Redis XADD, 1000, memory only", 1000, false,
	   "the same without a file: in the server's memory");
