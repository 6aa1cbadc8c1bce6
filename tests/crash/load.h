/*
 * load: producers that write all the time, and know what they have written.
 *
 * Each is a process with one ring and one event-clock source. The value of an event is its number
 * n, its time a function of n, so that a hole, a double and a torn event each show as what they
 * are. Every so often there is a hole in the times, so that alerts are raised all the time.
 */
#ifndef TESTS_CRASH_LOAD_H
#define TESTS_CRASH_LOAD_H

#include <stdint.h>
#include <sys/types.h>

#include "site.h"
#include "weir/weir.h"

#define LOAD_PRODUCERS 3

struct load {
	uint32_t stop, pause_us;
	struct load_row {
		uint64_t emitted; /* events whose emit has returned 0; moves all the time */
		/* What the engine has said, looked at after each burst; `looks` counts these. */
		uint64_t persisted, durable, looks;
		struct weir_ledger ledger; /* at its end */
		uint64_t ended;
	} rows[LOAD_PRODUCERS];
	pid_t pids[LOAD_PRODUCERS];
};

/* A burst of 512 events each, then a pause of so long: 1 ms makes a million events a second. */
struct load *load_start(const struct site *site, uint32_t pause_us);
/* Each waits until its events are kept, says its ledger and ends. */
void load_stop(struct load *load);
/* Ends those that have not ended; frees. */
void load_kill(struct load *load);

/* The time of event n, unix milliseconds. */
uint64_t load_time_ms(uint64_t n);
/* Where the first hole begins. */
uint64_t load_first_hole_ms(void);
void load_name(int producer, char name[16]);

/* A look for an engine now: the library's own comes once a second, and kills are more frequent. */
void load_look(weir *w);

#endif
