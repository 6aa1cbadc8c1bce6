/*
 * alert_hear: a Redis of the run's own, and a subscriber to it that writes down when each message
 * came.
 */
#ifndef BENCH_ALERT_HEAR_H
#define BENCH_ALERT_HEAR_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HEAR_NAME_BYTES 64

/* A message about an anomaly that began to fire. */
struct heard {
	int64_t at_ns;  /* unix time when the subscriber had it */
	int64_t end_ms; /* of the interval it speaks of, as it says itself */
	char metric[HEAR_NAME_BYTES], slice[HEAR_NAME_BYTES];
};

struct hear {
	pid_t server;
	char socket[3000];
	pthread_t thread;
	void *context; /* of the thread: hiredis' */
	uint32_t stop; /* release-stored: end */
	struct heard *heard;
	uint32_t count; /* release-stored after what it counts */
	uint32_t capacity;
	uint32_t pings; /* release-stored: how many pings have come */
	int64_t ping_ns;
};

/* Start redis-server in `directory` and subscribe to what environment "bench" publishes; room for
 * `capacity` messages, more are not written down. 0, or a negative errno with `why`: what to do. */
int hear_start(struct hear *hear, const char *directory, uint32_t capacity, char *why,
	       size_t why_bytes);
/* Publish `count` messages, one after the other, and write down how many nanoseconds each took to
 * the subscriber: what Redis itself costs. 0, or a negative errno with `why`. */
int hear_ping(struct hear *hear, uint32_t count, int64_t *ret_ns, char *why, size_t why_bytes);
/* How many messages are there by now; they do not change any more. */
uint32_t hear_count(struct hear *hear);
/* Whatever was started. */
void hear_stop(struct hear *hear);

int64_t realtime_ns(void);

#endif
