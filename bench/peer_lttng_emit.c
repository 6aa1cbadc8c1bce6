/*
 * peer_lttng_emit: the application that LTTng traces: a program of its own (weir-bench-lttng),
 * because liblttng-ust starts threads in whatever is linked with it. Sends a plan through the
 * tracepoint, prints how many events and when the first and the last, and waits to be killed.
 *
 *	weir-bench-lttng SERIES RUN_NS EVENTS_MAX
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "peer_lttng_provider.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "plan.h"

#define CHUNK 4000u

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
	struct plan plan;
	struct plan_cursor cursor;
	if (argc != 4) {
		fprintf(stderr, "usage: weir-bench-lttng SERIES RUN_NS EVENTS_MAX\n");
		return 2;
	}
	uint64_t run_ns = strtoull(argv[2], NULL, 10), events_max = strtoull(argv[3], NULL, 10);
	if (plan_init(&plan, (uint32_t)strtoul(argv[1], NULL, 10), 0) < 0)
		return 3;
	plan_start(&plan, &cursor);
	uint64_t first_ns = clock_ns(CLOCK_REALTIME), sent = 0;
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + run_ns;
	while (sent + CHUNK <= events_max && clock_ns(CLOCK_MONOTONIC) < end_ns) {
		for (uint32_t i = 0; i < CHUNK; i++) {
			uint32_t value, index = plan_next(&cursor, &value);
			lttng_ust_tracepoint(weir_bench, event, index, (double)value);
		}
		sent += CHUNK;
	}
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", sent, first_ns, clock_ns(CLOCK_REALTIME));
	/* Stay until the session is stopped: an application that ends keeps its daemons busy. */
	fflush(stdout);
	for (;;)
		pause();
}
