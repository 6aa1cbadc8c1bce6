/*
 * feed: events for browsers that listen (Server-Sent Events), without HTTP.
 *
 *   publish --> ring of frames, newest 1,024 or 4 MiB --+--> subscriber: cursor, bytes behind
 *               each with an id that grows              +--> subscriber ...
 *   latest  --> one frame a topic, the newest only -----+
 *
 * A subscriber that comes back with the id of the last event it saw gets what it missed, or, where
 * the ring no longer holds that, an event `reset`: fetch anew. Ids begin at the process's start
 * time, so that they grow across restarts and an older id is known to be one.
 * A subscriber that takes nothing for 20 seconds while events wait for it, or is a MiB behind, is
 * dropped. Nobody waits for one: publishing costs a wake for each that sleeps.
 *
 * Runs on: any thread; one mutex. `pause`, `wake` and `drop` are called with it held.
 */
#ifndef CONSOLE_FEED_H
#define CONSOLE_FEED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What one may listen to; events of no topic go to everybody. */
enum feed_topic { FEED_ANOMALIES = 1, FEED_PIPELINE = 2 };

#define FEED_TOPICS 2u /* how many */
#define FEED_TOPICS_ALL 3u

struct feed;
struct feed_subscriber;

struct feed_counters {
	uint64_t published, subscribed, resumed, reset, dropped;
	uint32_t subscribers;
};

/* How a subscriber's connection is put to sleep and woken; `drop` cuts it. */
struct feed_ops {
	void (*pause)(void *self);
	void (*wake)(void *self);
	void (*drop)(void *self);
};

/* `now_ms` (unix) is where the ids begin. NULL: no memory. */
struct feed *feed_open(uint64_t now_ms);
void feed_close(struct feed *feed); /* nobody subscribes any more */

/* An event for all that listen to one of the topics (0: for everybody). Steals `data`. */
void feed_publish(struct feed *feed, unsigned topics, const char *event, json_t *data);
/* The same for what only its newest matters of: who is slow misses some, nobody gets it again. */
void feed_latest(struct feed *feed, enum feed_topic topic, const char *event, json_t *data);
/* Does anybody listen to it? */
bool feed_wanted(struct feed *feed, enum feed_topic topic);
/* Of the newest event: what is read after this is no older than that event. */
uint64_t feed_last_id(struct feed *feed);

/* Once a second or so: pings, and who is too slow. Times are monotonic. */
void feed_tick(struct feed *feed, uint64_t now_ms);
/* Everybody is woken and comes to an end; from now on nobody can subscribe. */
void feed_end(struct feed *feed);

/* last_id: that of the last event seen, 0: none. NULL: too many listen already, or no memory. */
struct feed_subscriber *feed_subscribe(struct feed *feed, unsigned topics, uint64_t last_id,
				       const struct feed_ops *ops, void *self, uint64_t now_ms);
void feed_unsubscribe(struct feed_subscriber *subscriber);
/* The next bytes for it: how many; 0: none now, and `pause` has been called; -1: it is over. */
ssize_t feed_read(struct feed_subscriber *subscriber, char *to, size_t bytes, uint64_t now_ms);

void feed_counters(struct feed *feed, struct feed_counters *ret_counters);

#endif
