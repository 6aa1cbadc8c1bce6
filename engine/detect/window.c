/*
 * window: mean and k standard deviations of the last intervals.
 *
 * Idea:  a ring of at most WINDOW_BUCKETS buckets per slice; a bucket is one interval, or several
 *        when the window is longer than that. Mean and deviation are summed up afresh over the
 *        ring each interval, so nothing drifts. Counts have at least Poisson's variance, sums
 *        at least that of a Poisson number of such events; few samples widen the tails (Student).
 *        What is not learned does not move the ring: while an anomaly lasts the band stays
 *        what it was before. The first interval of an anomaly is learned clipped.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include <errno.h>
#include <math.h>

#include "base/simd.h"
#include "detect/detector.h"
#include "detect/math.h"
#include "detect/rows.h"
#include "detect/values.h"
#include "detect/window.h"

/* 240 buckets of 16 bytes: a slice stays below 4 KiB. */
#define WINDOW_BUCKETS 240

enum window_row {
	ROW_HEAD,    /* bucket being filled */
	ROW_FILL,    /* intervals in it */
	ROW_SQUARES, /* mean over intervals of window_squares() */
	ROW_SEEN,    /* intervals learned */
	ROW_COUNT,   /* scratch: values in the ring, their mean, squared deviations */
	ROW_MEAN,
	ROW_DEVIATION,
	ROW_BUCKETS, /* bucket means, from here on */
};

static uint32_t window_buckets(const struct detector_spec *spec)
{
	uint32_t window = spec->window < 2 ? 2 : spec->window;
	return window < WINDOW_BUCKETS ? window : WINDOW_BUCKETS;
}

/* Intervals of one bucket: the ring as a whole covers the window, rounded up. */
static uint32_t window_per_bucket(const struct detector_spec *spec)
{
	uint32_t buckets = window_buckets(spec);
	return spec->window <= buckets ? 1 : (spec->window + buckets - 1) / buckets;
}

static struct rows_shape window_shape(const struct detector_spec *spec)
{
	uint32_t buckets = window_buckets(spec);
	return (struct rows_shape){.doubles = ROW_BUCKETS + buckets, .floats = 2 * buckets};
}

ROWS_OPS(window)

static void window_init(void *state, const struct detector_spec *spec, uint32_t capacity)
{
	struct rows_shape shape = window_shape(spec);
	rows_zero(state, &shape, capacity);
}

/* One bucket's part in the sums: values, and values times mean. */
WEIR_CLONES
static void add_bucket(uint32_t slices, const double *restrict mean, const float *restrict count,
		       double *restrict ret_count, double *restrict ret_sum)
{
	for (uint32_t i = 0; i < slices; i++) {
		ret_count[i] += (double)count[i];
		ret_sum[i] += (double)count[i] * mean[i];
	}
}

/* One bucket's squared deviations from the mean over all buckets. */
WEIR_CLONES
static void add_deviation(uint32_t slices, const double *restrict mean, const float *restrict count,
			  const float *restrict inner, const double *restrict centre,
			  double *restrict ret_deviation)
{
	for (uint32_t i = 0; i < slices; i++) {
		double gap = mean[i] - centre[i];
		ret_deviation[i] += (double)inner[i] + (double)count[i] * gap * gap;
	}
}

static void window_sums(void *state, const struct detector_spec *spec, uint32_t capacity,
			uint32_t slices)
{
	struct rows_shape shape = window_shape(spec);
	uint32_t buckets = window_buckets(spec);
	double *count = rows_double(state, capacity, ROW_COUNT);
	double *mean = rows_double(state, capacity, ROW_MEAN);
	double *deviation = rows_double(state, capacity, ROW_DEVIATION);

	for (uint32_t i = 0; i < slices; i++)
		count[i] = mean[i] = deviation[i] = 0;
	for (uint32_t b = 0; b < buckets; b++)
		add_bucket(slices, rows_double(state, capacity, ROW_BUCKETS + b),
			   rows_float(state, &shape, capacity, b), count, mean);
	for (uint32_t i = 0; i < slices; i++)
		mean[i] = count[i] > 0 ? mean[i] / count[i] : 0;
	for (uint32_t b = 0; b < buckets; b++)
		add_deviation(slices, rows_double(state, capacity, ROW_BUCKETS + b),
			      rows_float(state, &shape, capacity, b),
			      rows_float(state, &shape, capacity, buckets + b), mean, deviation);
}

/* A value (or its absence) takes the next place in slice i's ring. */
static void window_learn(void *state, const struct detector_spec *spec, uint32_t capacity,
			 uint32_t i, double value, double squares)
{
	struct rows_shape shape = window_shape(spec);
	uint32_t buckets = window_buckets(spec);
	double *head = rows_double(state, capacity, ROW_HEAD) + i;
	double *fill = rows_double(state, capacity, ROW_FILL) + i;
	double *seen = rows_double(state, capacity, ROW_SEEN) + i;
	double *square = rows_double(state, capacity, ROW_SQUARES) + i;
	uint32_t b = (uint32_t)*head;

	if (*fill >= window_per_bucket(spec)) {
		b = (b + 1) % buckets;
		*head = b;
		*fill = 0;
		rows_double(state, capacity, ROW_BUCKETS + b)[i] = 0;
		rows_float(state, &shape, capacity, b)[i] = 0;
		rows_float(state, &shape, capacity, buckets + b)[i] = 0;
	}
	*fill += 1;
	if (!isfinite(value))
		return;
	double *mean = rows_double(state, capacity, ROW_BUCKETS + b) + i;
	float *count = rows_float(state, &shape, capacity, b) + i;
	float *inner = rows_float(state, &shape, capacity, buckets + b) + i;
	double gap = value - *mean;
	*count += 1;
	*mean += gap / (double)*count;
	*inner = (float)math_min((double)*inner + gap * (value - *mean), 1e38);
	*seen += 1;
	/* Where they are not known (of imported rows) what was known stands: a NaN would stay. */
	if (isfinite(squares))
		*square += (squares - *square) / math_min(*seen, math_max(spec->window, 2));
}

static void window_step(void *state, const struct detector_spec *spec, uint32_t capacity,
			const struct observations *observations, const uint8_t *learn,
			struct verdicts *verdicts)
{
	const double *count = rows_double(state, capacity, ROW_COUNT);
	const double *mean = rows_double(state, capacity, ROW_MEAN);
	const double *deviation = rows_double(state, capacity, ROW_DEVIATION);
	const double *squares = rows_double(state, capacity, ROW_SQUARES);
	bool incomplete = observations->flags & OBSERVATION_INCOMPLETE;
	/* Half a window is enough to speak, with tails as wide as so few samples deserve. */
	double wanted = math_max(3, ceil(0.5 * spec->window));

	window_sums(state, spec, capacity, observations->count);
	for (uint32_t i = 0; i < observations->count; i++) {
		double value = value_of(observations, i), times = value_times(observations, i);
		verdicts->expected[i] = verdicts->lower[i] = verdicts->upper[i] = mean[i] * times;
		verdicts->log10_p[i] = 0;
		verdicts->direction[i] = 0;
		if (count[i] >= wanted && isfinite(value)) {
			struct window_fit fit = window_fit(observations, count[i], mean[i],
							   deviation[i], squares[i]);
			window_expect(&fit, times);
			window_score(&fit, spec, observations, value, i, verdicts);
			value = window_clipped(&fit, spec, value);
		}
		if (learn[i] && !incomplete && !value_paused(observations, i))
			window_learn(state, spec, capacity, i, value / times,
				     window_squares(observations, i));
	}
}

static int window_load(void *state, const struct detector_spec *spec, uint32_t capacity,
		       uint32_t slices, struct bytes_reader *in)
{
	int result = window_read(state, spec, capacity, slices, in);
	const double *head = rows_double(state, capacity, ROW_HEAD);
	for (uint32_t i = 0; result == 0 && i < slices; i++) {
		if (!(head[i] >= 0 && head[i] < window_buckets(spec)))
			result = -EPROTO;
	}
	return result;
}

const struct detector_ops detector_window = {
	.kind = "window",
	.bytes = window_bytes,
	.init = window_init,
	.move = window_move,
	.step = window_step,
	.save = window_save,
	.load = window_load,
};
