/*
 * feed: see feed.h.
 */
#include "feed.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 1024u /* a power of two */
#define FRAMES_BYTES_MAX (4u << 20)
#define SUBSCRIBERS_MAX 2048u
#define BEHIND_BYTES_MAX (1u << 20)
#define BEHIND_MS_MAX 20000u
#define PING_MS 15000u
#define IDS_PER_MS 1000u /* a process that starts later begins above what an earlier one gave */

struct frame { /* bytes of an event as they are sent */
	uint32_t references;
	unsigned topics; /* 0: everybody's */
	size_t bytes;
	char text[];
};

struct latest {
	struct frame *frame;
	uint64_t number; /* counts them */
};

struct feed {
	pthread_mutex_t lock;
	struct frame *ring[FRAMES_MAX]; /* by id */
	uint64_t first, next;           /* ids: the oldest kept, the one to be given */
	size_t ring_bytes;
	struct latest latest[FEED_TOPICS]; /* by topic - 1 */
	struct feed_subscriber *subscribers;
	struct feed_counters counters;
	bool ended;
};

struct feed_subscriber {
	struct feed *feed;
	struct feed_subscriber *next, *previous;
	const struct feed_ops *ops;
	void *self;
	unsigned topics;
	uint64_t cursor;             /* id of the next event to look at */
	uint64_t taken[FEED_TOPICS]; /* number of the latest that it has had */
	struct frame *frame;         /* being sent; a reference of its own */
	size_t sent;                 /* bytes of it */
	size_t behind_bytes;         /* that wait for it */
	uint64_t moved_ms;           /* when it last took something, or began to sleep */
	bool paused, greeted, reset, ping, dropped;
};

static const char greeting[] = "retry: 2000\n: weir\n\n";
static const char reset_event[] = "event: reset\ndata: {}\n\n";
static const char ping_event[] = ": ping\n\n";

static void release(struct frame *frame)
{
	if (frame && --frame->references == 0)
		free(frame);
}

/* An event's data is one line: JSON has no line feed. */
static struct frame *make_frame(unsigned topics, const char *event, const char *json, uint64_t id)
{
	size_t room = strlen(event) + strlen(json) + 64;
	struct frame *frame = malloc(sizeof(*frame) + room);

	if (!frame)
		return NULL;
	int bytes = id ? snprintf(frame->text, room, "id: %" PRIu64 "\nevent: %s\ndata: %s\n\n", id,
				  event, json)
		       : snprintf(frame->text, room, "event: %s\ndata: %s\n\n", event, json);
	frame->references = 1;
	frame->topics = topics;
	frame->bytes = (size_t)bytes;
	return frame;
}

static struct frame *text_frame(const char *text)
{
	size_t bytes = strlen(text);
	struct frame *frame = malloc(sizeof(*frame) + bytes + 1);

	if (!frame)
		return NULL;
	frame->references = 1;
	frame->topics = 0;
	frame->bytes = bytes;
	memcpy(frame->text, text, bytes + 1);
	return frame;
}

struct feed *feed_open(uint64_t now_ms)
{
	struct feed *feed = calloc(1, sizeof(*feed));

	if (!feed)
		return NULL;
	pthread_mutex_init(&feed->lock, NULL);
	feed->first = feed->next = now_ms * IDS_PER_MS + 1;
	return feed;
}

static void forget_oldest(struct feed *feed)
{
	struct frame *frame = feed->ring[feed->first % FRAMES_MAX];

	feed->ring[feed->first % FRAMES_MAX] = NULL;
	feed->ring_bytes -= frame->bytes;
	feed->first++;
	release(frame);
}

void feed_close(struct feed *feed)
{
	while (feed->first < feed->next)
		forget_oldest(feed);
	for (unsigned i = 0; i < FEED_TOPICS; i++)
		release(feed->latest[i].frame);
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}

static bool is_for(const struct feed_subscriber *subscriber, unsigned topics)
{
	return !topics || subscriber->topics & topics;
}

static void wake(struct feed_subscriber *subscriber)
{
	if (!subscriber->paused)
		return;
	subscriber->paused = false;
	subscriber->ops->wake(subscriber->self);
}

static void drop(struct feed_subscriber *subscriber)
{
	if (subscriber->dropped)
		return;
	subscriber->dropped = true;
	subscriber->feed->counters.dropped++;
	subscriber->ops->drop(subscriber->self);
	wake(subscriber);
}

static void tell_all(struct feed *feed, const struct frame *frame, bool counts)
{
	for (struct feed_subscriber *s = feed->subscribers; s; s = s->next) {
		if (!is_for(s, frame->topics))
			continue;
		if (counts)
			s->behind_bytes += frame->bytes;
		if (s->behind_bytes > BEHIND_BYTES_MAX)
			drop(s);
		else
			wake(s);
	}
}

void feed_publish(struct feed *feed, unsigned topics, const char *event, json_t *data)
{
	char *json = json_dumps(data, JSON_COMPACT | JSON_PRESERVE_ORDER);

	json_decref(data);
	if (!json)
		return;
	pthread_mutex_lock(&feed->lock);
	struct frame *frame = make_frame(topics, event, json, feed->next);
	if (frame) {
		while (feed->next - feed->first == FRAMES_MAX ||
		       (feed->first < feed->next &&
			feed->ring_bytes + frame->bytes > FRAMES_BYTES_MAX))
			forget_oldest(feed);
		feed->ring[feed->next++ % FRAMES_MAX] = frame;
		feed->ring_bytes += frame->bytes;
		feed->counters.published++;
		tell_all(feed, frame, true);
	}
	pthread_mutex_unlock(&feed->lock);
	free(json);
}

void feed_latest(struct feed *feed, enum feed_topic topic, const char *event, json_t *data)
{
	char *json = json_dumps(data, JSON_COMPACT | JSON_PRESERVE_ORDER);
	struct frame *frame = json ? make_frame(topic, event, json, 0) : NULL;

	json_decref(data);
	free(json);
	if (!frame)
		return;
	pthread_mutex_lock(&feed->lock);
	struct latest *latest = &feed->latest[topic - 1];
	release(latest->frame);
	latest->frame = frame;
	latest->number++;
	feed->counters.published++;
	tell_all(feed, frame, false);
	pthread_mutex_unlock(&feed->lock);
}

bool feed_wanted(struct feed *feed, enum feed_topic topic)
{
	bool wanted = false;

	pthread_mutex_lock(&feed->lock);
	for (const struct feed_subscriber *s = feed->subscribers; s && !wanted; s = s->next)
		wanted = s->topics & topic;
	pthread_mutex_unlock(&feed->lock);
	return wanted;
}

uint64_t feed_last_id(struct feed *feed)
{
	pthread_mutex_lock(&feed->lock);
	uint64_t id = feed->next - 1;
	pthread_mutex_unlock(&feed->lock);
	return id;
}

void feed_tick(struct feed *feed, uint64_t now_ms)
{
	pthread_mutex_lock(&feed->lock);
	for (struct feed_subscriber *s = feed->subscribers; s; s = s->next) {
		uint64_t still_ms = now_ms > s->moved_ms ? now_ms - s->moved_ms : 0;
		if (s->paused && still_ms >= PING_MS) {
			s->ping = true;
			wake(s);
		} else if (!s->paused && still_ms >= BEHIND_MS_MAX) {
			drop(s);
		}
	}
	pthread_mutex_unlock(&feed->lock);
}

void feed_end(struct feed *feed)
{
	pthread_mutex_lock(&feed->lock);
	feed->ended = true;
	for (struct feed_subscriber *s = feed->subscribers; s; s = s->next)
		wake(s);
	pthread_mutex_unlock(&feed->lock);
}

/* Where it goes on: behind the event that it saw last, if all since then is still there
 * and no more than may wait. */
static void set_cursor(struct feed_subscriber *subscriber, uint64_t last_id)
{
	struct feed *feed = subscriber->feed;

	subscriber->cursor = feed->next;
	if (!last_id)
		return;
	bool kept = last_id + 1 >= feed->first && last_id < feed->next;
	size_t bytes = 0;
	for (uint64_t id = last_id + 1; kept && id < feed->next; id++)
		if (is_for(subscriber, feed->ring[id % FRAMES_MAX]->topics))
			bytes += feed->ring[id % FRAMES_MAX]->bytes;
	/* So far behind the next event would drop it. */
	if (!kept || bytes > BEHIND_BYTES_MAX) {
		subscriber->reset = true;
		feed->counters.reset++;
		return;
	}
	subscriber->cursor = last_id + 1;
	subscriber->behind_bytes = bytes;
	feed->counters.resumed++;
}

struct feed_subscriber *feed_subscribe(struct feed *feed, unsigned topics, uint64_t last_id,
				       const struct feed_ops *ops, void *self, uint64_t now_ms)
{
	struct feed_subscriber *subscriber = calloc(1, sizeof(*subscriber));

	if (!subscriber)
		return NULL;
	*subscriber = (struct feed_subscriber){
		.feed = feed, .ops = ops, .self = self, .topics = topics, .moved_ms = now_ms};
	pthread_mutex_lock(&feed->lock);
	if (feed->ended || feed->counters.subscribers == SUBSCRIBERS_MAX) {
		pthread_mutex_unlock(&feed->lock);
		free(subscriber);
		return NULL;
	}
	set_cursor(subscriber, last_id);
	/* The newest so far may be hours old: it is made only while somebody listens. */
	for (unsigned i = 0; i < FEED_TOPICS; i++)
		subscriber->taken[i] = feed->latest[i].number;
	subscriber->next = feed->subscribers;
	if (subscriber->next)
		subscriber->next->previous = subscriber;
	feed->subscribers = subscriber;
	feed->counters.subscribers++;
	feed->counters.subscribed++;
	pthread_mutex_unlock(&feed->lock);
	return subscriber;
}

void feed_unsubscribe(struct feed_subscriber *subscriber)
{
	struct feed *feed = subscriber->feed;

	pthread_mutex_lock(&feed->lock);
	if (subscriber->previous)
		subscriber->previous->next = subscriber->next;
	else
		feed->subscribers = subscriber->next;
	if (subscriber->next)
		subscriber->next->previous = subscriber->previous;
	feed->counters.subscribers--;
	release(subscriber->frame);
	pthread_mutex_unlock(&feed->lock);
	free(subscriber);
}

/* The next event of the ring that is for it; a reference. Events that were forgotten before it came
 * to them are one `reset`. */
static struct frame *next_of_ring(struct feed_subscriber *subscriber)
{
	struct feed *feed = subscriber->feed;

	if (subscriber->cursor < feed->first) {
		subscriber->cursor = feed->next;
		subscriber->behind_bytes = 0;
		feed->counters.reset++;
		return text_frame(reset_event);
	}
	while (subscriber->cursor < feed->next) {
		struct frame *frame = feed->ring[subscriber->cursor++ % FRAMES_MAX];
		if (is_for(subscriber, frame->topics)) {
			subscriber->behind_bytes -= frame->bytes;
			frame->references++;
			return frame;
		}
	}
	return NULL;
}

static struct frame *next_latest(struct feed_subscriber *subscriber)
{
	for (unsigned i = 0; i < FEED_TOPICS; i++) {
		struct latest *latest = &subscriber->feed->latest[i];
		if (!latest->frame || !is_for(subscriber, latest->frame->topics) ||
		    subscriber->taken[i] == latest->number)
			continue;
		subscriber->taken[i] = latest->number;
		latest->frame->references++;
		return latest->frame;
	}
	return NULL;
}

/* True once, and then no more. */
static bool take_flag(bool *flag)
{
	bool was = *flag;

	*flag = false;
	return was;
}

static struct frame *next_frame(struct feed_subscriber *subscriber)
{
	if (!subscriber->greeted) {
		subscriber->greeted = true;
		return text_frame(greeting);
	}
	if (take_flag(&subscriber->reset))
		return text_frame(reset_event);
	struct frame *frame = next_of_ring(subscriber);
	if (!frame)
		frame = next_latest(subscriber);
	if (!frame && take_flag(&subscriber->ping))
		return text_frame(ping_event);
	return frame;
}

/* As many bytes as there are and fit. */
static size_t fill(struct feed_subscriber *subscriber, char *to, size_t bytes)
{
	size_t used = 0;

	while (used < bytes) {
		if (!subscriber->frame) {
			subscriber->frame = next_frame(subscriber);
			subscriber->sent = 0;
		}
		const struct frame *frame = subscriber->frame;
		if (!frame)
			break;
		size_t left = frame->bytes - subscriber->sent;
		size_t part = left < bytes - used ? left : bytes - used;
		memcpy(to + used, frame->text + subscriber->sent, part);
		used += part;
		subscriber->sent += part;
		if (part == left) {
			release(subscriber->frame);
			subscriber->frame = NULL;
		}
	}
	return used;
}

ssize_t feed_read(struct feed_subscriber *subscriber, char *to, size_t bytes, uint64_t now_ms)
{
	struct feed *feed = subscriber->feed;
	ssize_t used = -1;

	pthread_mutex_lock(&feed->lock);
	if (!feed->ended && !subscriber->dropped) {
		used = (ssize_t)fill(subscriber, to, bytes);
		subscriber->moved_ms = now_ms;
		if (used == 0) {
			subscriber->paused = true;
			subscriber->ops->pause(subscriber->self);
		} else {
			subscriber->ping = false;
		}
	}
	pthread_mutex_unlock(&feed->lock);
	return used;
}

void feed_counters(struct feed *feed, struct feed_counters *ret_counters)
{
	pthread_mutex_lock(&feed->lock);
	*ret_counters = feed->counters;
	pthread_mutex_unlock(&feed->lock);
}
