/*
 * alert_load: a shop's traffic at a steady rate, and in each interval one country that orders ten
 * times as much as usual: an incident that is complete when its interval ends.
 */
#ifndef BENCH_ALERT_LOAD_H
#define BENCH_ALERT_LOAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The metric that is struck, and its slices "country=C00" and on. */
#define ALERT_METRIC "struck"
#define ALERT_EVENT "struck_order"
#define ALERT_SLICES 32u
#define ALERT_USUAL 20u           /* orders of a slice in an interval */
#define ALERT_INCIDENT 200u       /* and more, in one of them */
#define ALERT_INTERVALS_BEFORE 2u /* one is compared with, one may be cut */

struct load_options {
	const char *socket;
	uint32_t series, rate; /* of the traffic beside it, events/s */
	uint32_t interval_ms, incidents;
};

struct load {
	struct load_options options;
	pthread_t thread;
	bool running;
	int64_t first; /* the interval of the first incident; intervals count from 1970 */
	uint64_t events, dropped;
	bool durable;
	char why[300]; /* "" or what went wrong; after load_join() */
};

/* Attach, define everything and begin to emit. 0, or a negative errno with load->why. */
int load_start(struct load *load, const struct load_options *options);
/* Wait for the last event. */
void load_join(struct load *load);
/* Of the incident in `interval`. */
uint32_t load_slice(int64_t interval);

#endif
