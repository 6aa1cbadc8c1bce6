/*
 * seasonal: the default detector. Level, and the shape of day and week, learned as they come; small
 * deviations that last as well as large ones that do not; a probability that means the same for
 * every series.
 *
 *   forecast = shape of this bin of the week x level (counts and sums; gauges and quotients: +)
 *
 *        observation --> shape, level --> windows --> tails --> score, onset
 *                            ^                                     |
 *                            +---------- learned, clipped <--------+
 *
 * Parameters: none but `learn`: how long it keeps silent. All constants are in the files below,
 * each with its reason.
 *
 * Cannot see: what has been so since the series began; a year; deviations that last longer than a
 * day, but for their beginning.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include "detect/seasonal.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "detect/hours.h"
#include "detect/severity.h"
#include "detect/values.h"

#define DAY_MS INT64_C(86400000)
/* Memories of levels: from this many intervals to this many days, at least so many intervals. */
#define LEVEL_FIRST 1.5
#define LEVEL_DAYS 3.0
#define LEVEL_LAST_MIN 40.0
/* Intervals that values themselves are known by, at least: a week of days would be seven. */
#define WEEK_MIN 100.0
/* Scores of counts beyond this count for this part less: measured on clean ones by `weir-bench
 * quality slices`. */
#define DEEP 5.0
#define DEEP_LESS 0.2
/* Hours over which the highest score fades. */
#define FADE_HOURS 24.0
/* The same of the part that is beyond doubt. */
#define FADE_SURE_HOURS 1.0
/* The same after so many hours of calm. */
#define FADE_CALM_HOURS 6.0
#define CALM_HOURS 6.0
/* Values and weights beyond this are none: what is kept as floats has no room for more. */
#define LARGEST 1e30
/* A value below this is nothing, and so is a weight: the inverse of either has to be a number. */
#define SMALLEST 1e-30
/* No day that an event has is further from 1970. */
#define DAY_FAR (HOURS_FAR / 24)
/* No window is longer than a day, or than this many intervals. */
#define LONGEST_MIN 12

_Static_assert(SEASONAL_BYTES <= 4096, "a series' state is bounded");
_Static_assert(sizeof(struct seasonal_header) <= 64, "it stands before the first group");

#define HEADER_BYTES 64
#define STEP_BYTES ((sizeof(struct seasonal_step) + 63) / 64 * 64)

static struct seasonal_step *step_of(void *state)
{
	return (struct seasonal_step *)((char *)state + HEADER_BYTES);
}

static struct seasonal_group *groups_of(void *state)
{
	return (struct seasonal_group *)((char *)state + HEADER_BYTES + STEP_BYTES);
}

static uint32_t groups(uint32_t slices)
{
	return (slices + LANES - 1) / LANES;
}

static size_t seasonal_bytes(const struct detector_spec *spec, uint32_t slices)
{
	(void)spec;
	return HEADER_BYTES + STEP_BYTES + (size_t)groups(slices) * sizeof(struct seasonal_group);
}

static void init_group(struct seasonal_group *group)
{
	struct seasonal_exact *exact = &group->exact;

	memset(group, 0, sizeof(*group));
	memset(group->year, INT8_MIN, sizeof(group->year));
	for (int i = 0; i < LANES; i++) {
		LANE(exact->year_times, i) = 1;
		LANE(exact->unit, i) = 1;
		LANE(exact->lump, i) = 1;
		LANE(exact->heft, i) = 1;
		for (uint32_t a = 0; a < SEASONAL_LEVELS; a++)
			LANE(exact->share[a], i) = 1.0 / SEASONAL_LEVELS;
	}
	seasonal_tail_init(group);
}

/* One lane of a group as it is in another. */
static void copy_lane(struct seasonal_group *to, const struct seasonal_group *from, uint32_t lane)
{
	double *exact = (double *)&to->exact;
	float *rough = (float *)&to->rough;

	for (size_t i = lane; i < sizeof(to->exact) / sizeof(double); i += LANES)
		exact[i] = ((const double *)&from->exact)[i];
	for (size_t i = lane; i < sizeof(to->rough) / sizeof(float); i += LANES)
		rough[i] = ((const float *)&from->rough)[i];
	for (size_t i = 0; i < SEASONAL_BINS / 2; i++)
		to->visits[i][lane] = from->visits[i][lane];
	for (size_t i = 0; i < SEASONAL_BINS / 8; i++)
		to->held[i][lane] = from->held[i][lane];
	for (size_t i = 0; i < SEASONAL_YEAR; i++)
		to->year[i][lane] = from->year[i][lane];
}

/* Slices born since the last step: their lanes have been stepped beside their neighbours', and
 * after a load they have not. */
static void bear(void *state, struct seasonal_header *header, uint32_t slices)
{
	struct seasonal_group fresh;

	if (header->slices >= slices)
		return;
	init_group(&fresh);
	for (uint32_t slice = (uint32_t)header->slices; slice < slices; slice++)
		copy_lane(&groups_of(state)[slice / LANES], &fresh, slice % LANES);
	header->slices = slices;
}

static void seasonal_init(void *state, const struct detector_spec *spec, uint32_t capacity)
{
	(void)spec;
	memset(state, 0, HEADER_BYTES + STEP_BYTES);
	for (uint32_t i = 0; i < groups(capacity); i++)
		init_group(&groups_of(state)[i]);
}

static void seasonal_move(void *to, uint32_t to_capacity, const void *from, uint32_t from_capacity,
			  const struct detector_spec *spec)
{
	check(to_capacity >= from_capacity);
	memcpy(to, from, seasonal_bytes(spec, from_capacity));
}

/* The bin of the week that the middle of the interval lies in, by the clock of the place; where in
 * it, in bins from its middle. */
static uint32_t place(const struct observations *observations, uint32_t day_bins,
		      double *ret_offset, int64_t *ret_day)
{
	int64_t interval_ms = observations->interval_ms;
	int64_t middle = observations->interval * interval_ms + interval_ms / 2 +
			 observations->offset_ms;
	int64_t day = middle / DAY_MS - (middle % DAY_MS < 0);
	int64_t time = middle - day * DAY_MS;
	int64_t bin = time * day_bins / DAY_MS;
	/* 1 January 1970 was a Thursday. */
	int64_t weekday = ((day + 3) % 7 + 7) % 7;

	*ret_day = day;
	*ret_offset = (double)time * day_bins / DAY_MS - (double)bin - 0.5;
	return (uint32_t)(weekday * day_bins + bin);
}

/* Means of u, u^2, u^3, u^4 over the interval, less those over the bin. */
static void powers(double u, double width, double ret[5])
{
	double square = width * width;

	ret[0] = 1;
	ret[1] = u;
	ret[2] = u * u + (square - 1) / 12;
	ret[3] = u * (u * u + square / 4);
	ret[4] = u * u * (u * u + square / 2) + (square * square - 1) / 80;
}

/* What depends on the interval's length. */
static void set_pace(struct seasonal_step *step, int64_t length_ms)
{
	double interval_ms = (double)length_ms;
	/* Of what is longer than a day, memories are as many intervals as of a day. */
	double per_day = math_max((double)DAY_MS / interval_ms, 1);
	double last = math_max(LEVEL_DAYS * per_day, LEVEL_LAST_MIN);
	double ratio = math_log(last / LEVEL_FIRST) / (SEASONAL_LEVELS - 1);

	step->interval_ms = length_ms;
	step->per_day = per_day;
	step->day_bins = (uint32_t)math_clamp(per_day, 1, SEASONAL_DAY_BINS);
	step->per_bin = math_max(per_day / step->day_bins, 1);
	step->longest = (uint32_t)math_clamp(per_day, LONGEST_MIN, 768);
	for (uint32_t a = 0; a < SEASONAL_LEVELS; a++)
		step->keep[a] = math_exp(-1 / (LEVEL_FIRST * math_exp(a * ratio)));
	step->keep_unit = 1 - 1 / math_max(3 * per_day, 300);
	step->keep_far = 1 - 1 / math_max(7 * per_day, 1000);
	step->keep_merit = 1 - 1 / math_clamp(per_day, 100, 2000);
	step->keep_long = 1 - 1 / (SEASONAL_LONG_DAYS * per_day);
	step->keep_habit = 1 - 1 / (SEASONAL_HABIT_DAYS * per_day);
	step->week = 1 / math_max(7 * per_day, WEEK_MIN);
	step->odd = severity_log10_intervals(length_ms);
	step->fade = math_exp(-interval_ms / (FADE_HOURS * HOUR_MS));
	step->fade_sure = math_exp(-interval_ms / (FADE_SURE_HOURS * HOUR_MS));
	step->fade_calm = math_exp(-interval_ms / (FADE_CALM_HOURS * HOUR_MS));
	step->calm_after = CALM_HOURS * HOUR_MS / interval_ms;
	seasonal_window_pace(step);
}

static void prepare(struct seasonal_step *step, const struct detector_spec *spec,
		    const struct observations *observations, struct seasonal_header *header)
{
	double offset;

	if (step->interval_ms != observations->interval_ms)
		set_pace(step, observations->interval_ms);
	step->observations = observations;
	step->shares = observations->aggregation == AGGREGATE_RATIO;
	step->whole = observations->aggregation == AGGREGATE_COUNT ||
		      observations->aggregation == AGGREGATE_DISTINCT;
	step->lumps = value_adds(observations->aggregation) || step->shares;
	step->weighted = !step->lumps;
	if (header->edge == 0) {
		double log10_p = severity_log10_p(spec->severity, step->odd);
		header->edge = math_tail_quantile(math_min(log10_p, -1));
	}
	step->edge = header->edge;
	step->bin = place(observations, step->day_bins, &offset, &step->day);
	step->old_day = header->day ? header->day - 1 : INT64_MIN;
	step->day_begins = step->old_day != step->day && observations->interval_ms <= DAY_MS;
	powers(offset, math_min(step->day_bins / step->per_day, 1), step->powers);
	step->bin_ends = header->bin != 0 && header->bin != step->bin + 1;
	step->bin_begins = header->bin != step->bin + 1;
	step->old_bin = header->bin ? (uint32_t)(header->bin - 1) : 0;
	step->incomplete = observations->flags & OBSERVATION_INCOMPLETE;
	step->gap = header->interval != 0 && header->interval != observations->interval;
	step->pushed = header->pushed;
	seasonal_window_prepare(step);
}

/* Of a group's series, those that there are. */
static uint32_t rows_of(const struct seasonal_step *step, uint32_t first)
{
	uint32_t left = step->observations->count - first;

	return left < LANES ? left : LANES;
}

/* What the calendar leaves out, or somebody has confirmed. */
LANES_INLINE lanes_mask marked(const uint8_t *column, uint32_t first, uint32_t count)
{
	return column ? lanes_set(column + first, count) : lanes_none();
}

/* Values as value_of() has them: NaN where there is none. */
LANES_INLINE lanes values(const struct observations *observations, uint32_t first, uint32_t count,
			  lanes_mask excluded)
{
	lanes value = lanes_rows(observations->value + first, count, (double)NAN);
	lanes squares = lanes_rows(observations->sum_squares + first, count, (double)NAN);
	lanes_mask sane = (value >= -VALUE_MAX) & (value <= VALUE_MAX) &
			  lanes_not(squares > VALUE_MAX * VALUE_MAX) & lanes_not(excluded);

	value = lanes_pick(sane, value, lanes_all((double)NAN));
	return lanes_pick(lanes_abs(value) < SMALLEST, lanes_all(0), value);
}

/* A quotient's denominators, as value_weight() has them. */
LANES_INLINE lanes weights(const struct seasonal_step *step, uint32_t first, uint32_t count)
{
	const struct observations *observations = step->observations;
	enum aggregation aggregation = observations->aggregation;

	if (aggregation == AGGREGATE_MEAN || aggregation == AGGREGATE_PERCENTILE)
		return lanes_rows(observations->events + first, count, 1);
	if (!step->shares)
		return lanes_all(1);
	lanes weight = lanes_rows(observations->weight + first, count, 1);
	return lanes_where(weight <= VALUE_MAX, weight);
}

/* The values of a group's series, from `first` on. */
static void look(const struct seasonal_step *step, const struct seasonal_group *group,
		 uint32_t first, struct seasonal_now *now)
{
	const struct observations *observations = step->observations;
	uint32_t count = rows_of(step, first);
	lanes_mask excluded = marked(observations->excluded, first, count);
	lanes_mask paused = marked(observations->paused, first, count) | excluded;
	lanes value = values(observations, first, count, excluded);
	lanes times = observations->expect ? lanes_rows(observations->expect + first, count, 1)
					   : lanes_all(1);
	lanes_mask alone = (times <= 1) & (times >= 1);
	lanes weight = weights(step, first, count);
	lanes usual = group->exact.usual, sign = lanes_all(1);
	lanes_mask there = (lanes_abs(value) <= LARGEST) & (weight >= SMALLEST) &
			   (weight <= LARGEST);

	if (step->lumps) {
		/* Zeros before the first event are no news: it is what begins the series. */
		there &= (usual != 0) | (value != 0);
		/* A sum of what is below zero (refunds) is looked at in the mirror. */
		lanes of = lanes_pick(usual != 0, usual, value);
		sign = lanes_pick(of < 0, lanes_all(-1), lanes_all(1));
	}
	/* A calendar knows better. */
	times = lanes_pick(alone, group->exact.year_times, times);
	lanes squares = lanes_rows(observations->sum_squares + first, count, (double)NAN);
	now->x = lanes_where(there, sign * value);
	now->hint_doubt = lanes_where(alone, group->exact.year_doubt);
	now->times = times;
	now->plain = lanes_where(there, sign * value / times);
	now->sign = sign;
	now->weight = lanes_where(there, weight);
	now->squares = lanes_pick(squares <= LARGEST * LARGEST, squares, lanes_all((double)NAN));
	now->there = there;
	now->whole = step->incomplete ? lanes_none() : there;
	now->teach = now->whole & lanes_not(paused);
	now->year = alone & now->teach;
}

/* Where chance ends: the square root of a count has about the same scatter at any mean. */
LANES_INLINE void band(const struct seasonal_group *group, const struct seasonal_step *step,
		       const struct seasonal_now *now, lanes *ret_lower, lanes *ret_upper)
{
	const struct seasonal_exact *exact = &group->exact;
	double edge = step->edge;
	/* Where there is no value, of the usual denominator. */
	lanes weight = lanes_pick(now->there, lanes_max(now->weight, lanes_all(1e-9)), exact->heft);

	if (!step->lumps) {
		lanes reach = edge * lanes_sqrt(exact->unit * (1 / weight + now->doubt));
		*ret_lower = now->mean - reach;
		*ret_upper = now->mean + reach;
		return;
	}
	lanes mean = lanes_max(now->mean, lanes_all(0));
	lanes lump = step->shares ? 1 / weight : exact->lump;
	lanes count = lanes_max(step->whole ? mean : mean / lump, lanes_all(1e-9));
	/* However far in doubt, it stays a number: the lower end is a product with it. */
	lanes scale = lanes_min(exact->unit + (exact->unit_square + now->doubt) * count,
				lanes_all(1e300));
	lanes root = lanes_sqrt(count / scale), half = lanes_all(0.5 * edge);
	lanes low = lanes_max(root - half, lanes_all(0)), high = root + half;
	*ret_lower = low * low * scale * lump;
	*ret_upper = lanes_min(high * high * scale * lump, lanes_all(1e300));
}

/* What a score is worth to people: of counts, which many windows look at and models fit nearly,
 * what lies beyond DEEP is met more often than it says. */
LANES_INLINE lanes kept(const struct seasonal_now *now, lanes score)
{
	lanes beyond = lanes_max(score - DEEP, lanes_all(0));

	return score - DEEP_LESS * (1 - now->gauge) * beyond;
}

static void answer(const struct seasonal_group *group, const struct seasonal_step *step,
		   const struct seasonal_now *now, uint32_t first, struct verdicts *verdicts)
{
	lanes lower, upper, mean = now->mean;
	lanes score = kept(now, now->score), onset = kept(now, now->onset);

	band(group, step, now, &lower, &upper);
	/* Of a gauge all was reckoned without what the calendar expects. */
	if (!step->lumps) {
		lanes edge = lower * now->times, other = upper * now->times;
		mean *= now->times;
		lower = lanes_min(edge, other);
		upper = lanes_max(edge, other);
	}
	lanes_mask mirror = now->sign<0, said = now->score> 0;
	lanes side = lanes_pick(now->side > 0, now->sign, -now->sign);
	uint32_t count = rows_of(step, first);

	side = lanes_where(said, side);
	lanes_put(verdicts->expected + first, count, lanes_pick(mirror, -mean, mean));
	lanes_put(verdicts->lower + first, count, lanes_pick(mirror, -upper, lower));
	lanes_put(verdicts->upper + first, count, lanes_pick(mirror, -lower, upper));
	lanes_put(verdicts->log10_p + first, count, lanes_where(said, -score));
	lanes_put(verdicts->onset + first, count, onset);
	for (uint32_t i = 0; i < count; i++)
		verdicts->direction[first + i] = (int8_t)LANE(side, i);
}

static void seasonal_step(void *state, const struct detector_spec *spec, uint32_t capacity,
			  const struct observations *observations, const uint8_t *learn,
			  struct verdicts *verdicts)
{
	struct seasonal_header *header = state;
	struct seasonal_step *step = step_of(state);
	const lanes_mask all = lanes_not(lanes_none());

	(void)capacity;
	(void)learn; /* it has its own way with anomalies: seasonal_level.c */
	prepare(step, spec, observations, header);
	bear(state, header, observations->count);
	for (uint32_t i = 0; i < groups(observations->count); i++) {
		struct seasonal_group *group = &groups_of(state)[i];
		struct seasonal_now now;

		if (step->day_begins)
			seasonal_year_day(group, step);
		look(step, group, i * LANES, &now);
		if (step->gap)
			seasonal_window_forget(group, step, &all);
		seasonal_burst_begin(group, step, &now);
		if (step->bin_ends)
			seasonal_shape_close(group, step);
		if (step->bin_begins) {
			seasonal_level_fold(group, step);
			seasonal_shape_open(group, step);
			seasonal_habit_fade(group, step);
		}
		seasonal_level_forecast(group, step, &now);
		seasonal_window_score(group, step, &now);
		seasonal_tail_score(group, step, &now);
		seasonal_habit_score(group, step, &now);
		answer(group, step, &now, i * LANES, verdicts);
		seasonal_burst_follow(group, step, &now);
		seasonal_window_push(group, step, &now);
		seasonal_level_learn(group, step, &now);
	}
	header->interval = observations->interval + 1;
	header->bin = step->bin + 1;
	header->day = step->day + 1;
	header->pushed++;
}

/* Series by series, so that the bytes do not depend on how many lie side by side. */
static void seasonal_save(const void *state, const struct detector_spec *spec, uint32_t capacity,
			  uint32_t slices, struct bytes *out)
{
	const struct seasonal_group *all = groups_of((void *)(uintptr_t)state);

	(void)spec;
	(void)capacity;
	bytes_put(out, state, HEADER_BYTES);
	for (uint32_t slice = 0; slice < slices; slice++) {
		const struct seasonal_group *group = &all[slice / LANES];
		const double *exact = (const double *)&group->exact + slice % LANES;
		const float *rough = (const float *)&group->rough + slice % LANES;

		for (size_t i = 0; i < sizeof(group->exact) / sizeof(lanes); i++)
			bytes_put(out, &exact[i * LANES], sizeof(double));
		for (size_t i = 0; i < sizeof(group->rough) / sizeof(lanes_short); i++)
			bytes_put(out, &rough[i * LANES], sizeof(float));
		for (size_t i = 0; i < SEASONAL_BINS / 2; i++)
			bytes_put(out, &group->visits[i][slice % LANES], 1);
		for (size_t i = 0; i < SEASONAL_BINS / 8; i++)
			bytes_put(out, &group->held[i][slice % LANES], 1);
		for (size_t i = 0; i < SEASONAL_YEAR; i++)
			bytes_put(out, &group->year[i][slice % LANES], 1);
	}
}

static int load_slice(struct seasonal_group *group, uint32_t lane, struct bytes_reader *in)
{
	double *exact = (double *)&group->exact + lane;
	float *rough = (float *)&group->rough + lane;

	for (size_t i = 0; i < sizeof(group->exact) / sizeof(lanes); i++) {
		const void *from = bytes_get(in, sizeof(double));
		if (!from)
			return -EPROTO;
		memcpy(&exact[i * LANES], from, sizeof(double));
		if (!isfinite(exact[i * LANES]))
			return -EPROTO;
	}
	for (size_t i = 0; i < sizeof(group->rough) / sizeof(lanes_short); i++) {
		const void *from = bytes_get(in, sizeof(float));
		if (!from)
			return -EPROTO;
		memcpy(&rough[i * LANES], from, sizeof(float));
		if (!isfinite(rough[i * LANES]))
			return -EPROTO;
	}
	const uint8_t *bins = bytes_get(in, SEASONAL_BINS / 2 + SEASONAL_BINS / 8 + SEASONAL_YEAR);
	if (!bins)
		return -EPROTO;
	for (size_t i = 0; i < SEASONAL_BINS / 2; i++)
		group->visits[i][lane] = *bins++;
	for (size_t i = 0; i < SEASONAL_BINS / 8; i++)
		group->held[i][lane] = *bins++;
	for (size_t i = 0; i < SEASONAL_YEAR; i++)
		group->year[i][lane] = (int8_t)*bins++;
	return seasonal_year_possible(&group->exact, lane) ? 0 : -EPROTO;
}

static int seasonal_load(void *state, const struct detector_spec *spec, uint32_t capacity,
			 uint32_t slices, struct bytes_reader *in)
{
	const void *header = bytes_get(in, HEADER_BYTES);
	int result = 0;

	(void)spec;
	(void)capacity;
	if (!header)
		return -EPROTO;
	memcpy(state, header, HEADER_BYTES);
	const struct seasonal_header *head = state;
	if (head->bin < 0 || head->bin > SEASONAL_BINS || !isfinite(head->edge) ||
	    head->day < -DAY_FAR || head->day > DAY_FAR)
		return -EPROTO;
	for (uint32_t slice = 0; slice < slices && result == 0; slice++)
		result = load_slice(&groups_of(state)[slice / LANES], slice % LANES, in);
	return result;
}

static uint32_t recent_lengths(const void *state, uint32_t lengths[DETECTOR_RECENT])
{
	return seasonal_recent_lengths(state, step_of((void *)(uintptr_t)state), lengths);
}

static void recent(const void *state, uint32_t slice, struct recent ret[DETECTOR_RECENT])
{
	void *whole = (void *)(uintptr_t)state;
	const struct seasonal_header *header = state;

	seasonal_recent(&groups_of(whole)[slice / LANES], step_of(whole), header->pushed,
			slice % LANES, ret);
}

static bool inherit(void *state, const void *longer, uint32_t slices)
{
	const struct seasonal_header *header = state, *other = longer;
	const struct seasonal_group *from = groups_of((void *)(uintptr_t)longer);

	if (header->day == 0 || other->day == 0)
		return false;
	for (uint32_t slice = 0; slice < slices; slice++)
		seasonal_year_inherit(&groups_of(state)[slice / LANES], slice % LANES,
				      &from[slice / LANES], header->day - 1, other->day - 1);
	return true;
}

const struct detector_ops detector_seasonal = {
	.kind = "seasonal",
	.bytes = seasonal_bytes,
	.init = seasonal_init,
	.move = seasonal_move,
	.step = seasonal_step,
	.save = seasonal_save,
	.load = seasonal_load,
	.recent_lengths = recent_lengths,
	.recent = recent,
	.inherit = inherit,
};
