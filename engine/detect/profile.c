/*
 * profile: a plain profile of the week, aware of counts.
 *
 *   forecast = shape of this hour of the week (profile_season.c) x level of the last hours
 *
 * Idea:  counts are Poisson counts and sums are Poisson counts of lumps of money, each more
 *        dispersed than that by a factor phi, which is learned; so the band is right for 3 events
 *        and for 30,000. Means, minima and maxima are gauges with a learned variance and heavier
 *        tails. How little was seen so far is part of the variance: bands begin wide and narrow.
 *        An interval is also judged together with the one, two and three before it, so that a drop
 * too small for one interval is seen after two.
 *
 *   first day            before the same hour has come again: the local mean, with a wide band
 *   until a week          the same hour of the other days
 *   then                  the hour of the week and the other days, by their variances
 *
 * Dispersion, tails and all else that is learned: profile_learn.c.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include "detect/profile.h"

#include <math.h>

#include "base/simd.h"
#include "detect/math.h"
#include "detect/severity.h"
#include "detect/values.h"

const struct rows_shape profile_shape = {.doubles = PROFILE_DOUBLES, .floats = PROFILE_FLOATS};

/* Hours over which the level follows; at least as many intervals as a day has hours. */
#define LEVEL_HOURS 6.0
#define LEVEL_INTERVALS 24.0
#define LEVEL_LUMPS 20.0
/* The local mean: ten minutes or eight intervals; a day's slope is up to 40 % in an hour. */
#define LOCAL_HOURS (1.0 / 6)
#define LOCAL_INTERVALS 8.0
#define LOCAL_SLOPE 0.4
/* The best of PROFILE_SPANS correlated scores is worth about this many tries (log10 of 2). */
#define SPANS_LOG10_TRIES MATH_LOG10_2
/* How often a right model passes PROFILE_TAIL_FROM on a side, and the slack that is left to chance.
 */
#define TAIL_RATE 0.005
#define TAIL_SLACK 1.15
/* Lumps of this many times their usual size are as large as lumps get. */
#define SKEW_MAX 64.0
/* Nobody knows a gauge's distribution: its tails begin so much longer. */
#define TAIL_GAUGE 1.5
/* A gauge's tails are those of a Student t with this many degrees of freedom. */
#define GAUGE_FREEDOM 15.0

/* Forecast, its variance, and the variance of the value around it. */
WEIR_CLONES
static void forecast(const struct profile_step *step)
{
	double u = step->offset;
	double width = math_min(step->interval_hours, 1), square = width * width;
	/* Means of u, u^2, u^3, u^4 over the interval, less those over the hour. */
	double u2 = u * u + (square - 1) / 12;
	double u3 = u * (u * u + square / 4);
	double u4 = u * u * (u * u + square / 2) + (square * square - 1) / 80;
	double local_hours = math_max(LOCAL_HOURS, LOCAL_INTERVALS * step->interval_hours);
	double drift = math_min(LOCAL_SLOPE * local_hours, 0.5);
	double local_count = local_hours / step->interval_hours;
	const double *restrict known = profile_row(step, PROFILE_KNOWN);
	const double *restrict base = profile_row(step, PROFILE_BASE);
	const double *restrict bend1 = profile_row(step, PROFILE_BEND + 0);
	const double *restrict bend2 = profile_row(step, PROFILE_BEND + 1);
	const double *restrict bend3 = profile_row(step, PROFILE_BEND + 2);
	const double *restrict bend4 = profile_row(step, PROFILE_BEND + 3);
	const double *restrict doubt = profile_row(step, PROFILE_DOUBT);
	const double *restrict local = profile_row(step, PROFILE_LOCAL);
	const double *restrict seen = profile_row(step, PROFILE_SEEN);
	const double *restrict level_seen = profile_row(step, PROFILE_LEVEL_SEEN);
	const double *restrict level_shape = profile_row(step, PROFILE_LEVEL_SHAPE);
	const double *restrict unit = profile_row(step, PROFILE_UNIT);
	const double *restrict rarity = profile_row(step, PROFILE_RARITY);
	const double *restrict lump = profile_row(step, PROFILE_LUMP);
	const double *restrict pseudo = profile_row(step, PROFILE_PSEUDO);
	double *restrict shape_now = profile_row(step, PROFILE_SHAPE_NOW);
	double *restrict ret_forecast = profile_row(step, PROFILE_FORECAST);
	double *restrict ret_mean = profile_row(step, PROFILE_MEAN);
	double *restrict ret_variance = profile_row(step, PROFILE_VARIANCE);
	double *restrict ret_error = profile_row(step, PROFILE_ERROR);
	double lumps = step->lumps ? 1 : 0;
	uint32_t slices = step->slices;

	for (uint32_t i = 0; i < slices; i++) {
		double shape = base[i] + bend1[i] * u + bend2[i] * u2 + bend3[i] * u3 +
			       bend4[i] * u4;
		/* Of few events nobody knows the level: it stands at 1 with the weight of twenty.
		 */
		double prior = lumps > 0 ? LEVEL_LUMPS * lump[i] : 0.0;
		double weight = level_shape[i] + prior;
		double quotient = weight > 0 ? (level_seen[i] + prior) / weight : lumps;
		double level = lumps > 0 ? math_clamp(quotient, 0.02, 50.0) : 1.0;
		double lift = lumps > 0 ? 0.0 : quotient;
		double seasonal = lumps > 0 ? math_max(shape, 0.0) : shape;
		double mean = known[i] > 0 ? seasonal * level + lift : local[i];
		double hidden = known[i] > 0 ? pseudo[i]
					     : 0.5 * lump[i] / math_min(seen[i] + 0.5, local_count);
		double full = lumps > 0 ? math_max(mean, 0.0) + hidden : mean;
		double variance = lumps > 0 ? full * lump[i] : unit[i];
		double lag = drift * full;
		double one = lumps > 0 ? variance : variance * rarity[i];
		double early = lag * lag + one / math_min(seen[i] + 0.5, 2.0 * local_count);
		shape_now[i] = seasonal;
		ret_forecast[i] = mean;
		ret_mean[i] = full;
		ret_variance[i] = math_max(variance, 1e-300);
		ret_error[i] = known[i] > 0 ? doubt[i] * level * level : early;
	}
}

/*
 * Poisson's score; a sum below zero (refunds outweigh) has the normal one. Above the mean of a sum,
 * fewer and larger lumps on a fixed base have the same mean and variance, and its skew.
 */
static inline double lump_score(double x, double mean, double lump, double skew, double scale)
{
	double larger = x > mean ? skew : 1.0;
	double base = mean - mean / larger;
	double poisson = math_poisson_score(math_max(x, 0.0) - base, mean / larger, lump,
					    scale * larger);
	double normal = (x - mean) / sqrt(scale * mean);
	return x < 0 ? math_min(normal, poisson) : poisson;
}

/* The strongest score among the spans that end here; spans count only if this interval itself
 * deviates to their side, so that an incident's end is seen at once. */
static inline double stronger(double best, double z)
{
	double size = math_max(best, -best);
	double side = best < 0 ? -1.0 : 1.0;
	double ours = size >= 1 ? side * z : 0.0;
	return side * math_max(ours, size);
}

WEIR_CLONES
static void score_lumps(const struct profile_step *step, uint32_t span)
{
	/* The last span - 1 intervals; for span 1 any row will do, it counts zero times. */
	uint32_t past = span > 1 ? span - 2 : 0;
	double times = span > 1 ? 1 : 0;
	double span_square = (double)span * (double)span;
	const double *restrict value = profile_row(step, PROFILE_X);
	const double *restrict mean = profile_row(step, PROFILE_MEAN);
	const double *restrict variance = profile_row(step, PROFILE_VARIANCE);
	const double *restrict error = profile_row(step, PROFILE_ERROR);
	const double *restrict lump = profile_row(step, PROFILE_LUMP);
	const double *restrict skew = profile_row(step, PROFILE_SKEW);
	const double *restrict past_value = profile_row(step, PROFILE_PAST_VALUE + past);
	const double *restrict past_mean = profile_row(step, PROFILE_PAST_FORECAST + past);
	const double *restrict past_variance = profile_row(step, PROFILE_PAST_VARIANCE + past);
	const double *restrict phi = profile_row(step, PROFILE_PHI + span - 1);
	double *restrict score = profile_row(step, PROFILE_SCORE);
	uint32_t slices = step->slices;

	for (uint32_t i = 0; i < slices; i++) {
		double x = value[i] + times * past_value[i];
		double m = math_max(mean[i] + times * past_mean[i], 1e-12 * lump[i]);
		double own = variance[i] + times * past_variance[i];
		/* The forecast's error is the same error in all of them. */
		double sum = phi[i] * (own + span_square * error[i]);
		double scale = math_max(sum, 0.9 * own) / m;
		double z = lump_score(x, m, lump[i], skew[i], scale);
		score[i] = times > 0 ? stronger(score[i], z) : z;
	}
}

WEIR_CLONES
static void score_gauges(const struct profile_step *step, uint32_t span)
{
	uint32_t past = span > 1 ? span - 2 : 0;
	double times = span > 1 ? 1 : 0;
	double span_square = (double)span * (double)span;
	const double *restrict value = profile_row(step, PROFILE_X);
	const double *restrict mean = profile_row(step, PROFILE_MEAN);
	const double *restrict variance = profile_row(step, PROFILE_VARIANCE);
	const double *restrict error = profile_row(step, PROFILE_ERROR);
	const double *restrict past_value = profile_row(step, PROFILE_PAST_VALUE + past);
	const double *restrict past_mean = profile_row(step, PROFILE_PAST_FORECAST + past);
	const double *restrict past_variance = profile_row(step, PROFILE_PAST_VARIANCE + past);
	const double *restrict phi = profile_row(step, PROFILE_PHI + span - 1);
	double *restrict score = profile_row(step, PROFILE_SCORE);
	uint32_t slices = step->slices;

	for (uint32_t i = 0; i < slices; i++) {
		double gap = value[i] + times * past_value[i] - mean[i] - times * past_mean[i];
		double own = variance[i] + times * past_variance[i];
		double z = gap / sqrt(phi[i] * (own + span_square * error[i]));
		score[i] = times > 0 ? stronger(score[i], z) : z;
	}
}

/*
 * Tails heavier than the model's. If the model is right, -log10 p passes PROFILE_TAIL_FROM on one
 * side at TAIL_RATE, and then by 1 / ln 10 on average. What is measured beyond that stretches the
 * tail; it never shortens it.
 */
static double corrected(const struct profile_step *step, uint32_t i, double surprise, int side)
{
	double rate = profile_row(step, PROFILE_TAIL_RATE + side)[i];
	double excess = profile_row(step, PROFILE_TAIL_EXCESS + side)[i];
	double often = math_log10(math_max(rate / (TAIL_RATE * TAIL_SLACK), 1));
	double stretch = math_max(excess * MATH_LN10 / TAIL_SLACK, 1);
	double over = surprise - PROFILE_TAIL_FROM;
	double body = surprise * (1 - often / PROFILE_TAIL_FROM);
	return math_max(over > 0 ? PROFILE_TAIL_FROM + over / stretch - often : body, 0);
}

/* Degrees of freedom of a score: how often its dispersion was seen. */
static double freedom(const struct profile_step *step, uint32_t i)
{
	double seen = profile_row(step, PROFILE_SEEN)[i];
	double known = math_clamp(seen, 8.0, 2.0 * step->phi_memory);
	if (step->lumps)
		return known;
	double weight = value_weight(step->observations, i);
	return math_min(known, GAUGE_FREEDOM + math_max(weight > 1 ? weight : 0, 0));
}

/* What the bank is told; the band ends where the threshold's tail probability does. */
static void answer(const struct profile_step *step, double deviations, uint32_t i,
		   struct verdicts *verdicts)
{
	double sign = profile_row(step, PROFILE_SIGN)[i];
	double mean = profile_row(step, PROFILE_FORECAST)[i];
	double full = profile_row(step, PROFILE_MEAN)[i];
	double lump = profile_row(step, PROFILE_LUMP)[i];
	double own = profile_row(step, PROFILE_VARIANCE)[i];
	double variance = profile_row(step, PROFILE_PHI)[i] *
			  (own + profile_row(step, PROFILE_ERROR)[i]);
	double degrees = freedom(step, i);
	double z = math_student_score(profile_row(step, PROFILE_SCORE)[i], degrees);
	double edge = math_student_inverse(deviations, degrees);
	double lower = mean - edge * sqrt(variance), upper = mean + edge * sqrt(variance);

	if (step->lumps) {
		double scale = math_max(variance, 0.9 * own) / math_max(full, 1e-12 * lump);
		lower = math_min(math_poisson_quantile(-edge, full, lump, scale), mean);
		double skew = profile_row(step, PROFILE_SKEW)[i];
		double base = full - full / skew;
		upper = base + math_poisson_quantile(edge, full / skew, lump, scale * skew);
		upper = math_max(upper, mean);
	}
	double there = profile_row(step, PROFILE_THERE)[i];
	bool said = there > 0 && profile_row(step, PROFILE_SEEN)[i] >= step->learn_wanted;
	double surprise = math_max(-math_log10_tail(z) - SPANS_LOG10_TRIES, 0);
	double log10_p = math_clamp(-corrected(step, i, surprise, z > 0), -300.0, -1e-12);
	profile_row(step, PROFILE_SURPRISE)[i] = surprise;
	verdicts->expected[i] = sign * mean;
	verdicts->lower[i] = sign > 0 ? lower : -upper;
	verdicts->upper[i] = sign > 0 ? upper : -lower;
	verdicts->log10_p[i] = said ? log10_p : 0;
	verdicts->direction[i] = sign * z < 0 ? -1 : sign * z > 0 ? 1 : 0;
}

/* The sums over the last intervals take this one in, or begin anew. */
static void remember(const struct profile_step *step, bool incomplete)
{
	static const uint32_t now[] = {PROFILE_X, PROFILE_MEAN, PROFILE_VARIANCE};
	static const uint32_t past[] = {PROFILE_PAST_VALUE, PROFILE_PAST_FORECAST,
					PROFILE_PAST_VARIANCE};
	const double *there = profile_row(step, PROFILE_THERE);

	for (uint32_t kind = 0; kind < 3; kind++) {
		const double *add = profile_row(step, now[kind]);
		for (uint32_t span = PROFILE_SPANS - 1; span >= 1; span--) {
			double *to = profile_row(step, past[kind] + span - 1);
			/* The longer from the shorter; the shortest is this interval alone. */
			const double *from = profile_row(step, past[kind] + span - 2 + (span == 1));
			double keep = span == 1 ? 0 : 1;
			for (uint32_t i = 0; i < step->slices; i++) {
				double sum = keep * from[i] + add[i];
				to[i] = there[i] > 0 && !incomplete ? sum : 0;
			}
		}
	}
}

/* A sum's skew, the larger if this very sum has larger lumps than any before: one order of a
 * hundred thousand is no proof that orders have become more. */
static double skew_now(const struct profile_step *step, uint32_t i)
{
	double skew = profile_skew(step, i), value = fabs(value_of(step->observations, i));

	if (step->observations->aggregation != AGGREGATE_SUM || !(value > 0))
		return skew;
	double own = step->observations->sum_squares[i] / value / profile_lump(step, i);
	return isfinite(own) ? math_clamp(sqrt(skew * own), skew, SKEW_MAX) : skew;
}

/* Value, sign and lump of each slice; before anything is known of a gauge, its first value. */
static void look(const struct profile_step *step)
{
	const struct observations *observations = step->observations;
	bool sum = observations->aggregation == AGGREGATE_SUM;

	for (uint32_t i = 0; i < step->slices; i++) {
		double value = value_of(observations, i);
		bool there = isfinite(value);
		double values = profile_row(step, PROFILE_VALUES)[i];
		double sign = sum && (values == 0 ? value : values) < 0 ? -1 : 1;
		profile_row(step, PROFILE_SIGN)[i] = sign;
		profile_row(step, PROFILE_THERE)[i] = there;
		profile_row(step, PROFILE_X)[i] = there ? sign * value : 0;
		profile_row(step, PROFILE_LUMP)[i] = profile_lump(step, i);
		profile_row(step, PROFILE_SKEW)[i] = skew_now(step, i);
		if (profile_row(step, PROFILE_SEEN)[i] == 0) {
			for (uint32_t span = 0; span < PROFILE_SPANS; span++)
				profile_row(step, PROFILE_PHI + span)[i] = 1;
			profile_row(step, PROFILE_HOUR_PHI)[i] = 1;
			profile_row(step, PROFILE_RARITY)[i] =
				1 / math_max(value_weight(observations, i), 1);
			for (uint32_t side = 0; side < 2; side++) {
				profile_row(step, PROFILE_TAIL_RATE + side)[i] = TAIL_RATE;
				profile_row(step, PROFILE_TAIL_EXCESS + side)[i] =
					(step->lumps ? 1 : TAIL_GAUGE) / MATH_LN10;
			}
		}
	}
}

/* Of a mean over more or fewer events than usual (a ratio's denominator) the variance is that of
 * one event over them; a share's is at least that of so many tosses. */
static void weigh_quotients(const struct profile_step *step)
{
	const struct observations *observations = step->observations;
	double *variance = profile_row(step, PROFILE_VARIANCE);
	const double *mean = profile_row(step, PROFILE_FORECAST);
	bool ratio = observations->aggregation == AGGREGATE_RATIO;

	if (step->lumps)
		return;
	for (uint32_t i = 0; i < step->slices; i++) {
		double share = math_clamp(mean[i], 0, 1);
		double least = ratio ? share * (1 - share) : 0;
		double weight = math_max(value_weight(observations, i), 1);
		variance[i] = math_max(variance[i], least) / weight;
	}
}

/* A new hour, or a gap: the season moves on, and sums over neighbouring intervals begin anew. */
static void move_on(const struct profile_step *step, struct profile_header *header)
{
	const struct observations *observations = step->observations;
	int64_t hour = hours_of(observations->interval, observations->interval_ms);

	if (header->hour != hour + 1) {
		if (header->hour)
			profile_season_close(step, hours_of_week(header->hour - 1));
		profile_season_open(step, hours_of_week(hour));
	}
	if (header->interval != observations->interval) {
		for (uint32_t row = PROFILE_PAST_VALUE; row < PROFILE_SHAPE_NOW; row++) {
			for (uint32_t i = 0; i < step->slices; i++)
				profile_row(step, row)[i] = 0;
		}
	}
	header->hour = hour + 1;
	header->interval = observations->interval + 1;
}

static void profile_step(void *state, const struct detector_spec *spec, uint32_t capacity,
			 const struct observations *observations, const uint8_t *learn,
			 struct verdicts *verdicts)
{
	double interval_hours = (double)observations->interval_ms / HOUR_MS;
	enum aggregation aggregation = observations->aggregation;
	bool incomplete = observations->flags & OBSERVATION_INCOMPLETE;
	struct profile_step step = {
		.state = state,
		.capacity = capacity,
		.slices = observations->count,
		.observations = observations,
		.lumps = value_adds(aggregation),
		.interval_hours = interval_hours,
		.per_hour = math_max(1 / interval_hours, 1),
		.offset = hours_offset(observations->interval, observations->interval_ms),
		.level_gain = math_min(interval_hours / LEVEL_HOURS, 1 / LEVEL_INTERVALS),
		.day_gain = math_min(interval_hours / 24, 1.0 / 24),
		.local_gain = math_min(interval_hours / LOCAL_HOURS, 1 / LOCAL_INTERVALS),
		.tail_gain = math_min(interval_hours / 72, 1.0 / 2000),
		.phi_gain = math_min(interval_hours / 24, 1.0 / 200),
		.learn_wanted = math_max(spec->learn_intervals, 8),
	};
	struct profile_header *header = state;
	double per_week = severity_log10_intervals(observations->interval_ms);
	double log10_p = severity_log10_p(spec->severity, per_week) - SPANS_LOG10_TRIES;

	if (header->edge == 0)
		header->edge = math_tail_quantile(math_min(log10_p, -1));
	step.phi_memory = 1 / step.phi_gain;
	look(&step);
	move_on(&step, header);
	forecast(&step);
	weigh_quotients(&step);
	for (uint32_t span = 1; span <= PROFILE_SPANS; span++) {
		if (step.lumps)
			score_lumps(&step, span);
		else
			score_gauges(&step, span);
	}
	for (uint32_t i = 0; i < step.slices; i++) {
		answer(&step, header->edge, i, verdicts);
		if (learn[i] && !incomplete && profile_row(&step, PROFILE_THERE)[i] > 0)
			profile_learn(&step, i);
	}
	remember(&step, incomplete);
}

static size_t profile_bytes(const struct detector_spec *spec, uint32_t slices)
{
	(void)spec;
	return rows_bytes(&profile_shape, slices);
}

static void profile_init(void *state, const struct detector_spec *spec, uint32_t capacity)
{
	(void)spec;
	rows_zero(state, &profile_shape, capacity);
}

static void profile_move(void *to, uint32_t to_capacity, const void *from, uint32_t from_capacity,
			 const struct detector_spec *spec)
{
	(void)spec;
	rows_move(to, to_capacity, from, from_capacity, &profile_shape);
}

static void profile_save(const void *state, const struct detector_spec *spec, uint32_t capacity,
			 uint32_t slices, struct bytes *out)
{
	(void)spec;
	rows_save(state, &profile_shape, capacity, slices, out);
}

static int profile_load(void *state, const struct detector_spec *spec, uint32_t capacity,
			uint32_t slices, struct bytes_reader *in)
{
	(void)spec;
	return rows_load(state, &profile_shape, capacity, slices, in);
}

const struct detector_ops detector_profile = {
	.kind = "profile",
	.bytes = profile_bytes,
	.init = profile_init,
	.move = profile_move,
	.step = profile_step,
	.save = profile_save,
	.load = profile_load,
};
