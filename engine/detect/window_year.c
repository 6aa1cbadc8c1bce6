/*
 * window_year: mean and k standard deviations of the same season a year before.
 *
 *          a year (364 days, or 12 months) before
 *   ... ___________[ x x x x | x x x ]_____________________________________ now
 *                   window of periods around the same one
 *
 * Idea:  the values of a year and half a window are kept, one for each period; those of the window
 *        around the same period a year before are what is expected now, as they were: a shop that
 *        has grown since says so with its first interval, and wants direction or min_delta. What
 *        is not learned (an anomaly, an interval seen in part) leaves a hole, which counts for
 *        nothing a year later.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include <math.h>

#include "detect/detector.h"
#include "detect/math.h"
#include "detect/past.h"
#include "detect/rows.h"
#include "detect/values.h"
#include "detect/window.h"

enum year_row {
	ROW_SIZE,  /* of an event, lately: learn_size() */
	ROW_COUNT, /* scratch: values in the window, their sum and mean, squared deviations */
	ROW_MEAN,
	ROW_DEVIATION,
	ROW_PAST, /* from here on */
};

/* Over which the size of an event is learned. */
#define SIZE_PERIODS 30.0

/* Of the window, before and behind the period a year before. */
static uint32_t half_before(const struct detector_spec *spec)
{
	return spec->window / 2;
}

static uint32_t half_behind(const struct detector_spec *spec)
{
	uint32_t half = spec->window - half_before(spec);
	/* The present is no year before; configuration sees to it that windows are shorter. */
	return half < spec->year_periods ? half : spec->year_periods;
}

static struct rows_shape year_shape(const struct detector_spec *spec)
{
	uint32_t past = spec->year_periods + half_before(spec) + 1;
	return (struct rows_shape){.doubles = ROW_PAST + past};
}

ROWS_OPS(year)

static struct past year_past(void *state, const struct detector_spec *spec, uint32_t capacity)
{
	return (struct past){.state = state,
			     .capacity = capacity,
			     .first = ROW_PAST,
			     .length = year_shape(spec).doubles - ROW_PAST};
}

static void year_init(void *state, const struct detector_spec *spec, uint32_t capacity)
{
	struct rows_shape shape = year_shape(spec);
	struct past past = year_past(state, spec, capacity);
	rows_zero(state, &shape, capacity);
	past_clear(&past);
}

/* Number, mean and squared deviations of the values in the window, in order of time. */
static void year_sums(const struct past *past, const struct detector_spec *spec, int64_t now,
		      uint32_t slices)
{
	int64_t from = now - spec->year_periods - half_before(spec);
	int64_t until = now - spec->year_periods + half_behind(spec);
	double *count = rows_double(past->state, past->capacity, ROW_COUNT);
	double *mean = rows_double(past->state, past->capacity, ROW_MEAN);
	double *deviation = rows_double(past->state, past->capacity, ROW_DEVIATION);

	for (uint32_t i = 0; i < slices; i++)
		count[i] = mean[i] = deviation[i] = 0;
	for (int64_t period = from; period < until; period++) {
		const double *row = past_row(past, period);
		for (uint32_t i = 0; row && i < slices; i++) {
			bool known = row[i] <= VALUE_MAX;
			count[i] += known ? 1 : 0;
			mean[i] += known ? row[i] : 0;
		}
	}
	for (uint32_t i = 0; i < slices; i++)
		mean[i] = count[i] > 0 ? mean[i] / count[i] : 0;
	for (int64_t period = from; period < until; period++) {
		const double *row = past_row(past, period);
		for (uint32_t i = 0; row && i < slices; i++) {
			double gap = row[i] <= VALUE_MAX ? row[i] - mean[i] : 0;
			deviation[i] += gap * gap;
		}
	}
}

/* Of sums the size of an event, which outlives their season; of others what stands there now. */
static void learn_size(double *size, const struct observations *observations, uint32_t i)
{
	double squares = window_squares(observations, i), value = observations->value[i];
	double now = observations->aggregation != AGGREGATE_SUM ? squares
		     : value > 0                                ? squares / value
								: 0;
	if (now > 0 && now <= VALUE_MAX)
		*size += *size > 0 ? (now - *size) / SIZE_PERIODS : now;
}

static void year_step(void *state, const struct detector_spec *spec, uint32_t capacity,
		      const struct observations *observations, const uint8_t *learn,
		      struct verdicts *verdicts)
{
	struct past past = year_past(state, spec, capacity);
	const double *count = rows_double(state, capacity, ROW_COUNT);
	const double *mean = rows_double(state, capacity, ROW_MEAN);
	const double *deviation = rows_double(state, capacity, ROW_DEVIATION);
	double *size = rows_double(state, capacity, ROW_SIZE);
	bool incomplete = observations->flags & OBSERVATION_INCOMPLETE;
	bool sum = observations->aggregation == AGGREGATE_SUM;
	double wanted = math_max(3, ceil(0.5 * spec->window));

	double *noted = past_note(&past, observations->interval);
	year_sums(&past, spec, observations->interval, observations->count);
	for (uint32_t i = 0; i < observations->count; i++) {
		double value = value_of(observations, i), times = value_times(observations, i);
		verdicts->expected[i] = verdicts->lower[i] = verdicts->upper[i] = mean[i] * times;
		verdicts->log10_p[i] = 0;
		verdicts->direction[i] = 0;
		if (count[i] >= wanted && isfinite(value)) {
			struct window_fit fit = window_fit(observations, count[i], mean[i],
							   deviation[i],
							   sum ? size[i] * mean[i] : size[i]);
			window_expect(&fit, times);
			window_score(&fit, spec, observations, value, i, verdicts);
		}
		bool learned = learn[i] && !incomplete && !value_paused(observations, i);
		noted[i] = learned ? past_kept(value / times) : PAST_NONE;
		if (learned)
			learn_size(&size[i], observations, i);
	}
}

static int year_load(void *state, const struct detector_spec *spec, uint32_t capacity,
		     uint32_t slices, struct bytes_reader *in)
{
	int result = year_read(state, spec, capacity, slices, in);
	return result ? result : past_check(state);
}

const struct detector_ops detector_window_year = {
	.kind = "window",
	.bytes = year_bytes,
	.init = year_init,
	.move = year_move,
	.step = year_step,
	.save = year_save,
	.load = year_load,
};
