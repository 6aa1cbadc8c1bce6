/*
 * alert_hear: see alert_hear.h.
 *
 * Idea:  the subscriber is a thread that does nothing else: it blocks on the socket as an
 *        application would, and takes the time before it looks into what came. Messages are parsed
 *        on the spot, which is why only one that is followed by another at once would be late; they
 *        take microseconds.
 */
#include "alert_hear.h"

#include <errno.h>
#include <hiredis.h>
#include <jansson.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "own_redis.h"
#include "peer.h"
#include "server.h"
#include "weir/order.h"

#define PING_MS 2000
#define LOOK_MS 100 /* the subscriber looks for the end so often */

int64_t realtime_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_ms(uint32_t ms)
{
	struct timespec pause = {ms / 1000, ms % 1000 * 1000000l};
	nanosleep(&pause, NULL);
}

/* "2026-11-22T11:31:44Z", perhaps with milliseconds, as unix time in ms; -1: it is no time. */
static int64_t parse_time(const char *text)
{
	struct tm tm = {0};
	unsigned ms = 0;
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end)
		return -1;
	if (*end == '.')
		sscanf(end, ".%3u", &ms);
	return (int64_t)timegm(&tm) * 1000 + ms;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static void hear_message(struct hear *hear, const char *payload, int64_t at_ns)
{
	json_t *event = json_loads(payload, 0, NULL);
	const json_t *data = json_object_get(event, "data");
	if (strcmp(text_of(data, "state"), "firing") == 0 && hear->count < hear->capacity) {
		struct heard *heard = &hear->heard[hear->count];
		heard->at_ns = at_ns;
		heard->end_ms = parse_time(text_of(event, "time"));
		snprintf(heard->metric, sizeof(heard->metric), "%s", text_of(data, "metric"));
		snprintf(heard->slice, sizeof(heard->slice), "%s", text_of(data, "slice"));
		/* The message before its number: the main thread reads up to it. Without, it might
		 * read a row that is half written. */
		weir_store_release_32(&hear->count, hear->count + 1);
	}
	json_decref(event);
}

/* ["message", channel, payload] */
static void take(struct hear *hear, const redisReply *reply, int64_t at_ns)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
	    reply->element[2]->type != REDIS_REPLY_STRING)
		return;
	if (strcmp(reply->element[1]->str, "ping") == 0) {
		hear->ping_ns = at_ns;
		/* The time before the number that says it is there, for hear_ping(). */
		weir_store_release_32(&hear->pings, hear->pings + 1);
		return;
	}
	hear_message(hear, reply->element[2]->str, at_ns);
}

static void *listen_all(void *self)
{
	struct hear *hear = self;
	redisContext *context = hear->context;
	struct pollfd poller = {.fd = context->fd, .events = POLLIN};
	/* hear_stop() sets it after all messages that matter; without the order this loop would
	 * still end, a look later. */
	while (!weir_load_acquire_32(&hear->stop)) {
		redisReply *reply = NULL;
		if (poll(&poller, 1, LOOK_MS) <= 0)
			continue;
		if (redisBufferRead(context) != REDIS_OK)
			break;
		int64_t at_ns = realtime_ns();
		while (redisReaderGetReply(context->reader, (void **)&reply) == REDIS_OK && reply) {
			take(hear, reply, at_ns);
			freeReplyObject(reply);
		}
	}
	return NULL;
}

static bool subscribe(redisContext *context)
{
	/* One answer for each channel. */
	redisReply *first = redisCommand(context, "SUBSCRIBE weir.bench.anomaly ping");
	redisReply *second = NULL;
	bool good = first && first->type == REDIS_REPLY_ARRAY &&
		    redisGetReply(context, (void **)&second) == REDIS_OK;
	if (first)
		freeReplyObject(first);
	if (second)
		freeReplyObject(second);
	return good;
}

int hear_start(struct hear *hear, const char *directory, uint32_t capacity, char *why,
	       size_t why_bytes)
{
	const struct own_redis own = {.directory = directory, .processor = -1};
	char program[2200];
	redisContext *context = NULL;
	*hear = (struct hear){.capacity = capacity};
	if (own_redis_find(program, why, why_bytes) < 0)
		return -ENOENT;
	snprintf(hear->socket, sizeof(hear->socket), "%s/redis.sock", directory);
	hear->heard = calloc(capacity, sizeof(*hear->heard));
	hear->server = hear->heard ? own_redis_start(&own, &context) : -ENOMEM;
	if (hear->server < 0) {
		snprintf(why, why_bytes, "redis-server: %s", strerror(-hear->server));
		return hear->server;
	}
	if (context && subscribe(context)) {
		hear->context = context;
		if (pthread_create(&hear->thread, NULL, listen_all, hear) == 0)
			return 0;
		hear->context = NULL;
	}
	if (context)
		redisFree(context);
	snprintf(why, why_bytes, "%s does not answer; %s/redis.log says why", program, directory);
	return -EIO;
}

/* Does the subscriber have `wanted` pings in time? */
static bool await_pings(struct hear *hear, uint32_t wanted)
{
	int64_t end_ns = realtime_ns() + PING_MS * INT64_C(1000000);
	/* The number after which ping_ns is there; take() says it in this order. */
	while (weir_load_acquire_32(&hear->pings) < wanted) {
		if (realtime_ns() > end_ns)
			return false;
		sched_yield();
	}
	return true;
}

int hear_ping(struct hear *hear, uint32_t count, int64_t *ret_ns, char *why, size_t why_bytes)
{
	redisContext *context = redisConnectUnix(hear->socket);
	bool good = context && !context->err;
	for (uint32_t i = 0; good && i < count; i++) {
		int64_t begin_ns = realtime_ns();
		redisReply *reply = redisCommand(context, "PUBLISH ping 1");
		good = reply && reply->type == REDIS_REPLY_INTEGER && await_pings(hear, i + 1);
		ret_ns[i] = good ? hear->ping_ns - begin_ns : 0;
		if (reply)
			freeReplyObject(reply);
		sleep_ms(1);
	}
	if (context)
		redisFree(context);
	if (good)
		return 0;
	snprintf(why, why_bytes, "redis-server: a message did not come to its subscriber");
	return -EIO;
}

uint32_t hear_count(struct hear *hear)
{
	/* The rows before it were written by the subscriber's thread; see hear_message(). */
	return weir_load_acquire_32(&hear->count);
}

void hear_stop(struct hear *hear)
{
	if (hear->context) {
		/* After everything this thread has asked for; listen_all() looks at it. */
		weir_store_release_32(&hear->stop, 1);
		pthread_join(hear->thread, NULL);
		redisFree(hear->context);
	}
	if (hear->server > 0)
		peer_end(hear->server);
	free(hear->heard);
	*hear = (struct hear){0};
}
