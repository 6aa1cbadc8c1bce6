/*
 * heard: see heard.h.
 */
#include "heard.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deliver/payload.h"
#include "deliver/store.h"
#include "server.h"

#define ENVIRONMENT "outage"
#define CHANNEL "weir." ENVIRONMENT ".anomaly"
#define PAGE "1000"
#define PAUSE_MS 20

void bodies_add(struct bodies *bodies, const char *body)
{
	if (bodies->count == bodies->space) {
		bodies->space = bodies->space ? 2 * bodies->space : 1024;
		bodies->body = realloc(bodies->body, bodies->space * sizeof(*bodies->body));
	}
	bodies->body[bodies->count] = strdup(body);
	if (!bodies->body[bodies->count++])
		abort();
}

void bodies_free(struct bodies *bodies)
{
	for (uint32_t i = 0; i < bodies->count; i++)
		free(bodies->body[i]);
	free(bodies->body);
	*bodies = (struct bodies){0};
}

/* The subscriber. */

static bool is_done(const struct subscriber *subscriber)
{
	/* Relaxed: pthread_join() orders what follows. */
	return __atomic_load_n(&subscriber->done, __ATOMIC_RELAXED);
}

static void take_message(struct subscriber *subscriber, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
	    strcmp(reply->element[0]->str, "message") == 0)
		bodies_add(&subscriber->heard, reply->element[2]->str);
}

/* Until Redis is gone, or nobody listens any more. */
static void hear(struct subscriber *subscriber, redisContext *redis)
{
	int sent = 0;

	redisAppendCommand(redis, "SUBSCRIBE " CHANNEL);
	while (!sent)
		if (redisBufferWrite(redis, &sent) != REDIS_OK)
			return;
	while (!is_done(subscriber)) {
		struct pollfd ready = {.fd = redis->fd, .events = POLLIN};
		void *reply = NULL;
		if (redisGetReplyFromReader(redis, &reply) != REDIS_OK)
			return;
		if (reply) {
			take_message(subscriber, reply);
			freeReplyObject(reply);
		} else if (poll(&ready, 1, PAUSE_MS) > 0 && redisBufferRead(redis) != REDIS_OK) {
			return;
		}
	}
}

static void *listen_on(void *self)
{
	struct subscriber *subscriber = self;

	while (!is_done(subscriber)) {
		redisContext *redis = server_connect(subscriber->path);
		if (redis && !redis->err)
			hear(subscriber, redis);
		if (redis)
			redisFree(redis);
		usleep(PAUSE_MS * 1000);
	}
	return NULL;
}

int subscriber_start(struct subscriber *subscriber, const char *path)
{
	*subscriber = (struct subscriber){0};
	snprintf(subscriber->path, sizeof(subscriber->path), "%s", path);
	return pthread_create(&subscriber->thread, NULL, listen_on, subscriber) ? -1 : 0;
}

void subscriber_stop(struct subscriber *subscriber)
{
	/* Relaxed: see is_done(). */
	__atomic_store_n(&subscriber->done, 1, __ATOMIC_RELAXED);
	pthread_join(subscriber->thread, NULL);
}

/* The stream: entries of "id", "revision", "payload", each before what it is. */

static bool take_page(const redisReply *page, struct bodies *bodies, char *last, size_t bytes)
{
	for (size_t i = 0; i < page->elements; i++) {
		const redisReply *entry = page->element[i], *fields;
		if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2)
			return false;
		fields = entry->element[1];
		if (fields->elements != 6 || strcmp(fields->element[4]->str, "payload") != 0)
			return false;
		bodies_add(bodies, fields->element[5]->str);
		snprintf(last, bytes, "(%s", entry->element[0]->str);
	}
	return true;
}

int stream_read(const char *path, struct bodies *ret_bodies)
{
	redisContext *redis = server_connect(path);
	char last[64] = "-";
	bool good = redis && !redis->err, more = good;

	while (more) {
		redisReply *page =
			redisCommand(redis, "XRANGE " SERVER_STREAM " %s + COUNT " PAGE, last);
		good = page && page->type == REDIS_REPLY_ARRAY &&
		       take_page(page, ret_bodies, last, sizeof(last));
		more = good && page->elements > 0;
		freeReplyObject(page);
	}
	if (redis)
		redisFree(redis);
	return good ? 0 : -1;
}

static int add_published(void *self, const struct anomaly *anomaly)
{
	char *body = store_publishes(anomaly) ? payload_json(anomaly, ENVIRONMENT) : NULL;

	if (body)
		bodies_add(self, body);
	free(body);
	return 0;
}

int store_read(const char *path, struct bodies *ret_bodies)
{
	struct store_query query = {.limit = 1u << 30, .revisions = true};
	struct store_reader *reader;

	if (store_reader_open(path, &reader) < 0)
		return -1;
	int error = store_anomalies(reader, &query, add_published, ret_bodies);
	store_reader_close(reader);
	return error < 0 ? -1 : 0;
}

/* The comparison. */

struct place {
	const char *body;
	uint32_t at;
};

static int by_body(const void *left, const void *right)
{
	return strcmp(((const struct place *)left)->body, ((const struct place *)right)->body);
}

struct comparison bodies_compare(const struct bodies *raised, const struct bodies *came)
{
	struct place *places = calloc(raised->count + 1, sizeof(*places));
	bool *seen = calloc(raised->count + 1, sizeof(*seen));
	struct comparison result = {0};
	uint32_t next = 0; /* no body before this place has yet to come for the first time */

	for (uint32_t i = 0; i < raised->count; i++)
		places[i] = (struct place){raised->body[i], i};
	qsort(places, raised->count, sizeof(*places), by_body);
	for (uint32_t i = 0; i < came->count; i++) {
		struct place key = {.body = came->body[i]};
		const struct place *place =
			bsearch(&key, places, raised->count, sizeof(*places), by_body);
		if (!place) {
			result.strangers++;
		} else if (seen[place->at]) {
			result.again++;
		} else {
			seen[place->at] = true;
			result.disorder += place->at < next;
			next = place->at + 1 > next ? place->at + 1 : next;
		}
	}
	for (uint32_t i = 0; i < raised->count; i++)
		result.missing += !seen[i];
	free(places);
	free(seen);
	return result;
}
