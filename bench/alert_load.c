/*
 * alert_load: see alert_load.h.
 *
 * Idea:  a thread with a clock: in steps of 10 ms it emits what is due of the traffic (plan.h) and,
 *        at a fifth of each interval, the usual orders of all slices, at its half those of the
 *        incident. Orders carry the time they belong to, so that a late step does not put them
 *        into the next interval.
 */
#include "alert_load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "alert_hear.h"
#include "plan.h"
#include "producer.h"
#include "weir/weir.h"

#define STEP_MS 10
#define ATTACH_MS 20000
#define DURABLE_MS 20000
#define DEFINITION_BYTES 128u

uint32_t load_slice(int64_t interval)
{
	return (uint32_t)(interval % ALERT_SLICES);
}

static void sleep_until(int64_t ms)
{
	struct timespec at = {ms / 1000, ms % 1000 * 1000000};
	while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL) == EINTR) {
	}
}

/* The plan's series, and behind them those that are struck; ids are in the order of definition. */
static int define(weir *w, const struct load_options *options)
{
	for (uint32_t i = 0; i < options->series + ALERT_SLICES; i++) {
		struct plan_series text;
		struct weir_dimension by[PLAN_DIMENSIONS];
		char country[16];
		uint32_t count = 1;
		const char *event = ALERT_EVENT;
		if (i < options->series) {
			plan_series(i, &text);
			event = text.event;
			for (count = 0; count < PLAN_DIMENSIONS; count++)
				by[count] = (struct weir_dimension){text.names[count],
								    text.values[count]};
		} else {
			snprintf(country, sizeof(country), "C%02u", i - options->series);
			by[0] = (struct weir_dimension){WEIR_COUNTRY, country};
		}
		int id = weir_series(w, event, WEIR_VALUE, WEIR_KIND_NUMBER, by, count);
		if (id != (int)i + 1)
			return id < 0 ? id : -EPROTO;
	}
	return 0;
}

static void emit_orders(weir *w, const struct load *load, uint32_t slice, uint32_t count,
			int64_t time_ms)
{
	for (uint32_t i = 0; i < count; i++)
		/* What is not taken shows in the ledger. */
		(void)weir_emit_at(w, (int)(load->options.series + slice + 1), 10,
				   (uint64_t)time_ms);
}

/* What is due in this interval before `until_ms` of it, from `from_ms` on. */
static void emit_interval(weir *w, const struct load *load, int64_t interval, int64_t from_ms,
			  int64_t until_ms)
{
	int64_t length = load->options.interval_ms, start = interval * length;
	if (from_ms <= length / 5 && length / 5 < until_ms)
		for (uint32_t slice = 0; slice < ALERT_SLICES; slice++)
			emit_orders(w, load, slice, ALERT_USUAL, start + length / 5);
	if (interval >= load->first && from_ms <= length / 2 && length / 2 < until_ms)
		emit_orders(w, load, load_slice(interval), ALERT_INCIDENT, start + length / 2);
}

static void emit_all(weir *w, struct load *load, struct plan_cursor *cursor)
{
	const struct load_options *options = &load->options;
	int64_t length = options->interval_ms, start = load->first - ALERT_INTERVALS_BEFORE;
	/* One more without an incident: the traffic goes on while the last one is found. */
	int64_t end_ms = (load->first + options->incidents + 1) * length;
	uint64_t sent = 0;
	for (int64_t at = start * length; at < end_ms && !producers_interrupted(); at += STEP_MS) {
		sleep_until(at + STEP_MS);
		uint64_t due = (uint64_t)(at + STEP_MS - start * length) * options->rate / 1000;
		for (; sent < due; sent++) {
			uint32_t value, index = plan_next(cursor, &value);
			(void)weir_emit(w, (int)index + 1, (double)value);
		}
		emit_interval(w, load, at / length, at % length, at % length + STEP_MS);
	}
}

static void *run(void *self)
{
	struct load *load = self;
	struct weir_options with = {
		.size = sizeof(with),
		.socket_path = load->options.socket,
		.series_max = load->options.series + ALERT_SLICES,
		.table_bytes = (load->options.series + ALERT_SLICES + 32) * DEFINITION_BYTES,
		.program = "weir-bench",
	};
	struct weir_ledger ledger;
	struct plan plan = {0};
	struct plan_cursor cursor;
	weir *w;
	int r = plan_init(&plan, load->options.series, 0);
	if (r < 0 || (r = weir_open(&with, &w)) < 0) {
		snprintf(load->why, sizeof(load->why), "weir_open: %s", strerror(-r));
		plan_fini(&plan);
		return NULL;
	}
	plan_start(&plan, &cursor);
	r = define(w, &load->options);
	int64_t end_ns = realtime_ns() + ATTACH_MS * INT64_C(1000000);
	while (r == 0 && weir_poll(w) != 1) {
		struct timespec pause = {0, 1000000};
		if (weir_refusal(w)[0] || realtime_ns() > end_ns)
			r = -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	if (r == 0) {
		load->first = realtime_ns() / 1000000 / load->options.interval_ms + 1 +
			      ALERT_INTERVALS_BEFORE;
		emit_all(w, load, &cursor);
		load->durable = weir_wait(w, WEIR_DURABLE, DURABLE_MS) == 0;
		weir_ledger(w, &ledger);
		load->events = ledger.attempted;
		load->dropped = ledger.dropped + ledger.rejected + ledger.lost;
	} else {
		snprintf(load->why, sizeof(load->why), "the producer: %s %s", strerror(-r),
			 weir_refusal(w));
	}
	weir_close(w, 1000);
	plan_fini(&plan);
	return NULL;
}

int load_start(struct load *load, const struct load_options *options)
{
	*load = (struct load){.options = *options};
	int r = pthread_create(&load->thread, NULL, run, load);
	if (r != 0) {
		snprintf(load->why, sizeof(load->why), "a thread: %s", strerror(r));
		return -r;
	}
	load->running = true;
	return 0;
}

void load_join(struct load *load)
{
	if (load->running)
		pthread_join(load->thread, NULL);
	load->running = false;
}
