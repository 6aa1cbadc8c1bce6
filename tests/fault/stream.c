/*
 * stream: see stream.h.
 */
#include "stream.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/process.h"

#define SCHEME "unix://"
#define STREAM "weir:test:anomalies"

static redisReply *command(const char *url, const char *text)
{
	redisContext *redis = redisConnectUnix(url + strlen(SCHEME));
	redisReply *reply = redis && !redis->err ? redisCommand(redis, text) : NULL;

	if (redis)
		redisFree(redis);
	return reply;
}

const char *stream_start(const char *directory, pid_t *ret_pid)
{
	static char url[128];

	snprintf(url, sizeof(url), SCHEME "%s/redis.sock", directory);
	*ret_pid = process_redis(directory);
	return *ret_pid ? url : NULL;
}

void stream_forget(const char *url)
{
	freeReplyObject(command(url, "FLUSHALL"));
}

bool stream_read(const char *url, struct lines *ret_lines)
{
	redisReply *reply = command(url, "XRANGE " STREAM " - +");
	bool good = reply && reply->type == REDIS_REPLY_ARRAY;

	for (size_t i = 0; good && i < reply->elements; i++) {
		/* id, revision and payload, each before what it is. */
		const redisReply *fields = reply->element[i]->element[1];
		if (fields->elements == 6)
			lines_add(ret_lines, strdup(fields->element[5]->str));
	}
	freeReplyObject(reply);
	return good;
}

static uint32_t place(const struct lines *lines, const char *line)
{
	uint32_t at = 0;

	while (at < lines->count && strcmp(lines->lines[at], line) != 0)
		at++;
	return at;
}

bool stream_good(const struct lines *came, const struct lines *published,
		 const struct lines *stored)
{
	uint32_t next = 0, strangers = 0;

	for (uint32_t i = 0; i < came->count; i++) {
		/* What was withheld by a mute may be released later: it has no place of its own. */
		if (next < published->count && strcmp(came->lines[i], published->lines[next]) == 0)
			next++;
		else if (place(published, came->lines[i]) >= next)
			strangers += place(stored, came->lines[i]) == stored->count ||
				     place(published, came->lines[i]) < published->count;
	}
	printf("%u published, %u of them came in order, %u came, %u strangers\n", published->count,
	       next, came->count, strangers);
	return next == published->count && !strangers;
}
