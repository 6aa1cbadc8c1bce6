/*
 * run: a detector by itself watching a seeded shop, week after week. "Fires" is a raw severity of
 * 75 for the slice alone, without an alarm budget.
 */
#ifndef TESTS_DETECT_RUN_H
#define TESTS_DETECT_RUN_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "detect/severity.h"
#include "subject.h"
#include "support.h"

#define MINUTE 60000
#define HOUR 3600000
#define DAY 86400000
#define WEEK_INTERVALS(interval_ms) (INT64_C(604800000) / (interval_ms))

static const struct detector_spec run_spec = {
	.name = "orders",
	.kind = SUBJECT_KIND,
	.severity = 75,
	.learn_intervals = 100,
};

struct run {
	struct shop shop;
	struct probe probe;
	double rates[SHOP_SLICES_MAX]; /* events per interval, on average */
};

static inline struct run *run_new(uint64_t seed, uint32_t slices, int64_t interval_ms,
				  enum aggregation aggregation, const double *rates,
				  uint32_t rates_count)
{
	struct run *run = calloc(1, sizeof(*run));
	shop_init(&run->shop, seed, slices, interval_ms, aggregation);
	probe_init(&run->probe, &SUBJECT, &run_spec, slices);
	for (uint32_t i = 0; i < slices; i++)
		run->rates[i] = rates[i % rates_count];
	return run;
}

static inline void run_free(struct run *run)
{
	probe_fini(&run->probe);
	free(run);
}

/* One interval, slice i's rate multiplied by `factor`. */
static inline void run_step(struct run *run, double factor)
{
	run->shop.observations.interval++;
	double shape = shop_shape(shop_hours(&run->shop));
	for (uint32_t i = 0; i < run->shop.observations.count; i++)
		shop_draw(&run->shop, i, run->rates[i] * shape * factor);
	probe_step(&run->probe, &run->shop);
}

static inline void run_weeks(struct run *run, double weeks)
{
	int64_t intervals =
		(int64_t)(weeks * (double)WEEK_INTERVALS(run->shop.observations.interval_ms));
	for (int64_t k = 0; k < intervals; k++)
		run_step(run, 1);
}

/* Is this another clock hour than the one that was told last? */
static inline bool run_new_hour(const struct run *run, int64_t *told)
{
	int64_t interval_ms = run->shop.observations.interval_ms;
	int64_t hour = run->shop.observations.interval * interval_ms /
			       (interval_ms < HOUR ? HOUR : interval_ms) +
		       1;

	if (*told == hour)
		return false;
	*told = hour;
	return true;
}

static inline double severity_of(const struct run *run, uint32_t i)
{
	double log10_p = run->probe.log10_p[i];
	double per_week = severity_log10_intervals(run->shop.observations.interval_ms);
	return log10_p < 0 ? severity_raw(log10_p, per_week) : -INFINITY;
}

/* Clock hours (intervals, where these are longer) of slice-weeks in which a slice was at or above
 * two severities, over so many more weeks. */
static inline void run_count(struct run *run, double weeks, uint32_t *ret_fifty,
			     uint32_t *ret_seventyfive)
{
	int64_t intervals =
		(int64_t)(weeks * (double)WEEK_INTERVALS(run->shop.observations.interval_ms));
	int64_t told[SHOP_SLICES_MAX][2] = {{0}};
	*ret_fifty = *ret_seventyfive = 0;
	for (int64_t k = 0; k < intervals; k++) {
		run_step(run, 1);
		for (uint32_t i = 0; i < run->shop.observations.count; i++) {
			double severity = severity_of(run, i);
			*ret_fifty += severity >= 50 && run_new_hour(run, &told[i][0]);
			*ret_seventyfive += severity >= 75 && run_new_hour(run, &told[i][1]);
		}
	}
}

#endif
