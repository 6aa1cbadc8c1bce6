/*
 * scoring: rows of numbers become observations, the bank's answers become rows.
 *
 * Idea:  nothing here judges: the bank that runs live does. Series are slices of one metric that
 *        have nothing to do with each other (detector_spec.apart). What numbers alone do not tell
 *        is told as unknown, by the conventions of observation.h.
 *
 * Intervals that nobody gave are stepped as missing ones, as the engine steps every interval; of a
 * longer gap only the last four weeks, which is what detectors remember a gap by.
 *
 * Runs on: any thread. Allocates in scoring_create() only.
 */
#include "detect/scoring.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "detect/life.h"
#include "detect/math.h"

#define GAP_MAX_MS (28 * INT64_C(86400000))

struct scoring {
	struct bank *bank;
	struct observations observations;
	int64_t next; /* interval expected next */
	bool begun;
	/* [series], what the observations point to. */
	double *value, *events, *sum_squares, *numerator, *weight;
	char (*labels)[16];
	struct slice *slices;
	struct scored *scored; /* the step's answers, while the bank speaks */
};

void scoring_defaults(struct detector_spec *ret_spec)
{
	*ret_spec = (struct detector_spec){
		.name = "default",
		.metric = "value",
		.kind = SCORING_KIND,
		.direction = DIRECTION_BOTH,
		.severity = SCORING_SEVERITY,
		.min_volume = SCORING_MIN_VOLUME,
		.for_intervals = 1,
		.recover_intervals = 2,
		.learn_intervals = SCORING_LEARN,
		.up_percent = NAN,
		.down_percent = NAN,
		.above = NAN,
		.below = NAN,
		.growth_drop = NAN,
	};
}

void scoring_destroy(struct scoring *scoring)
{
	if (!scoring)
		return;
	bank_destroy(scoring->bank);
	free(scoring->value);
	free(scoring->labels);
	free(scoring->slices);
	free(scoring);
}

/* The bank grows now, not in the first step. */
static int prepare_bank(struct scoring *scoring, const struct scoring_spec *spec)
{
	struct detector_spec detector;

	if (spec->detector)
		detector = *spec->detector;
	else
		scoring_defaults(&detector);
	detector.apart = true;
	if (spec->zone)
		detector.zone = spec->zone;
	scoring->bank = bank_create(&detector);
	if (!scoring->bank)
		return -1;
	bank_calendar(scoring->bank, spec->calendar);
	bank_interval(scoring->bank, spec->interval_ms);
	if (bank_grow(scoring->bank, spec->series) < 0)
		return -1;
	for (uint32_t i = 0; i < spec->series; i++) {
		if (bank_label(scoring->bank, i, scoring->labels[i]) < 0)
			return -1;
	}
	return 0;
}

struct scoring *scoring_create(const struct scoring_spec *spec)
{
	uint32_t series = spec->series;
	struct scoring *scoring = calloc(1, sizeof(*scoring));

	check(series > 0 && spec->interval_ms > 0);
	if (!scoring)
		return NULL;
	scoring->value = calloc((size_t)5 * series, sizeof(double));
	scoring->labels = calloc(series, sizeof(*scoring->labels));
	scoring->slices = calloc(series, sizeof(*scoring->slices));
	if (!scoring->value || !scoring->labels || !scoring->slices) {
		scoring_destroy(scoring);
		return NULL;
	}
	scoring->events = scoring->value + series;
	scoring->sum_squares = scoring->events + series;
	scoring->numerator = scoring->sum_squares + series;
	scoring->weight = scoring->numerator + series;
	for (uint32_t i = 0; i < series; i++) {
		snprintf(scoring->labels[i], sizeof(scoring->labels[i]), "%u", i);
		scoring->slices[i].label = scoring->labels[i];
	}
	if (prepare_bank(scoring, spec) < 0) {
		scoring_destroy(scoring);
		return NULL;
	}
	bool ratio = spec->aggregation == AGGREGATE_RATIO;
	scoring->observations = (struct observations){
		.metric = "value",
		.source = "rows",
		.aggregation = spec->aggregation,
		.interval_ms = spec->interval_ms,
		.count = series,
		.value = scoring->value,
		.events = scoring->events,
		.sum_squares = scoring->sum_squares,
		.numerator = ratio ? scoring->numerator : NULL,
		.weight = ratio ? scoring->weight : NULL,
		.slices = scoring->slices,
	};
	return scoring;
}

/* What stands behind a value, as far as a number tells (observation.h). */
static void look(struct scoring *scoring, const double *value, const double *weight,
		 const double *squares)
{
	enum aggregation aggregation = scoring->observations.aggregation;
	bool count = aggregation == AGGREGATE_COUNT || aggregation == AGGREGATE_DISTINCT;
	bool sum = aggregation == AGGREGATE_SUM;

	for (uint32_t i = 0; i < scoring->observations.count; i++) {
		bool there = value && isfinite(value[i]);
		double x = there ? value[i] : (double)NAN;
		double behind = weight && isfinite(weight[i]) ? math_max(weight[i], 0) : 1;
		double events = count ? x : sum ? 1 : behind;

		/* A share of nothing is none. */
		if (aggregation == AGGREGATE_RATIO && !(behind > 0))
			x = NAN;
		there = isfinite(x);
		scoring->value[i] = x;
		scoring->events[i] = there ? math_max(events, 0) : 0;
		scoring->sum_squares[i] = !there           ? 0
					  : count          ? math_max(x, 0)
					  : sum && squares ? squares[i]
							   : (double)NAN;
		scoring->numerator[i] = there ? x * behind : 0;
		scoring->weight[i] = there ? behind : 0;
	}
}

static void note_alarm(void *self, const struct anomaly *anomaly)
{
	struct scoring *scoring = self;

	if (anomaly->state == ANOMALY_FIRING)
		scoring->scored[strtoul(anomaly->slice, NULL, 10)].alarm = true;
}

static void step_bank(struct scoring *scoring, int64_t interval)
{
	scoring->observations.interval = interval;
	int result = bank_step(scoring->bank, &scoring->observations, note_alarm, scoring);
	check(result == 0);
}

static void step_gap(struct scoring *scoring, int64_t interval, struct scored *scratch)
{
	int64_t most = GAP_MAX_MS / scoring->observations.interval_ms;
	int64_t from = scoring->next;

	if (!scoring->begun || from == interval)
		return;
	check(interval > from);
	if (interval - from > most)
		from = interval - most;
	look(scoring, NULL, NULL, NULL);
	scoring->scored = scratch;
	for (; from < interval; from++)
		step_bank(scoring, from);
}

static void step(struct scoring *scoring, int64_t interval, struct scored *ret_scored)
{
	memset(ret_scored, 0, scoring->observations.count * sizeof(*ret_scored));
	scoring->scored = ret_scored;
	step_bank(scoring, interval);
	scoring->next = interval + 1;
	scoring->begun = true;
	for (uint32_t i = 0; i < scoring->observations.count; i++) {
		struct bank_slice slice;

		bank_slice(scoring->bank, i, &slice);
		ret_scored[i].expected = slice.expected;
		ret_scored[i].lower = slice.lower;
		ret_scored[i].upper = slice.upper;
		ret_scored[i].score = slice.score;
		ret_scored[i].onset = slice.onset;
		ret_scored[i].severity = slice.severity;
	}
}

void scoring_step(struct scoring *scoring, int64_t interval, const double *value,
		  const double *weight, struct scored *ret_scored)
{
	step_gap(scoring, interval, ret_scored);
	look(scoring, value, weight, NULL);
	step(scoring, interval, ret_scored);
}

void scoring_step_sums(struct scoring *scoring, int64_t interval, const double *value,
		       const double *squares, struct scored *ret_scored)
{
	step_gap(scoring, interval, ret_scored);
	look(scoring, value, NULL, squares);
	step(scoring, interval, ret_scored);
}
