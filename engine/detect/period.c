/*
 * period: the calendar, and sums over it. See period.h.
 *
 * Runs on: the shard that owns the metric. Allocates when slices are added and nowhere else.
 */
#include "detect/period.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/simd.h"
#include "base/zone.h"
#include "detect/math.h"
#include "detect/values.h"

#define DAY_MS INT64_C(86400000)
#define WEEK_MS (7 * DAY_MS)
/* 52 weeks, so that weekdays agree. */
#define YEAR_MS (52 * WEEK_MS)
/* 1970 began on a Thursday; its first Monday was the 5th. */
#define MONDAY_MS (4 * DAY_MS)
/* A twelfth of 365.2425 days. */
#define MONTH_MS INT64_C(2629746000)

/* No period of a second or more has a larger number, nor so many intervals. */
#define NUMBER_MAX (INT64_C(1) << 43)

enum { ROWS = 5, SQUARES = 3 };

static int64_t floor_divide(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Months since January 1970 of a day since 1970-01-01; years of the Gregorian calendar are counted
 * from March on, so that the leap day is the last one. */
static int64_t month_of_day(int64_t day)
{
	int64_t shifted = day + 719468; /* from 0000-03-01 */
	int64_t era = floor_divide(shifted, 146097);
	int64_t of_era = shifted - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153; /* from March: 0 .. 11 */
	return (era * 400 + year - 1970) * 12 + month + 2;
}

static int64_t day_of_month(int64_t month)
{
	int64_t from_march = month - 2 + 1970 * 12;
	int64_t year = floor_divide(from_march, 12), of_year = from_march - year * 12;
	int64_t era = floor_divide(year, 400), of_era = year - era * 400;
	int64_t day = (153 * of_year + 2) / 5;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day - 719468;
}

/* Where periods of this length are counted from. */
static int64_t origin_ms(int64_t frequency_ms)
{
	return frequency_ms == WEEK_MS ? MONDAY_MS : 0;
}

static bool is_local(int64_t frequency_ms, const struct zone *zone)
{
	return zone && (frequency_ms == DETECTOR_MONTH || frequency_ms >= DAY_MS);
}

/* Of a moment by some clock; the frequency is not 0. */
static int64_t period_at(int64_t ms, int64_t frequency_ms)
{
	if (frequency_ms == DETECTOR_MONTH)
		return month_of_day(floor_divide(ms, DAY_MS));
	return floor_divide(ms - origin_ms(frequency_ms), frequency_ms);
}

/* Where it begins by that clock. */
static int64_t begin_ms(int64_t period, int64_t frequency_ms)
{
	if (frequency_ms == DETECTOR_MONTH)
		return day_of_month(period) * DAY_MS;
	return period * frequency_ms + origin_ms(frequency_ms);
}

int64_t period_of(int64_t interval, int64_t interval_ms, int64_t frequency_ms,
		  const struct zone *zone)
{
	int64_t ms = interval * interval_ms;

	if (frequency_ms == 0)
		return interval;
	if (is_local(frequency_ms, zone)) {
		ms += interval_ms / 2;
		ms += zone_offset_ms(zone, ms);
	}
	return period_at(ms, frequency_ms);
}

int64_t period_first(int64_t period, int64_t interval_ms, int64_t frequency_ms,
		     const struct zone *zone)
{
	if (frequency_ms == 0)
		return period;
	int64_t ms = begin_ms(period, frequency_ms);

	if (!is_local(frequency_ms, zone))
		return floor_divide(ms, interval_ms);
	/* The clock tells the offset of a time in UTC, not of one of its own: near enough, and from
	 * there by hand, some hours at most. */
	ms -= zone_offset_ms(zone, ms);
	ms = begin_ms(period, frequency_ms) - zone_offset_ms(zone, ms);
	int64_t first = floor_divide(ms, interval_ms);

	while (period_of(first - 1, interval_ms, frequency_ms, zone) >= period)
		first--;
	while (period_of(first, interval_ms, frequency_ms, zone) < period)
		first++;
	return first;
}

int64_t period_last(int64_t period, int64_t interval_ms, int64_t frequency_ms,
		    const struct zone *zone)
{
	return period_first(period + 1, interval_ms, frequency_ms, zone) - 1;
}

int64_t period_ms(int64_t interval_ms, int64_t frequency_ms)
{
	if (frequency_ms == 0)
		return interval_ms;
	return frequency_ms == DETECTOR_MONTH ? MONTH_MS : frequency_ms;
}

int64_t period_back(int64_t interval_ms, int64_t frequency_ms, enum detector_baseline baseline)
{
	if (baseline == BASELINE_RECENT)
		return 1;
	if (frequency_ms == DETECTOR_MONTH)
		return 12;
	int64_t back_ms = baseline == BASELINE_LAST_WEEK ? WEEK_MS : YEAR_MS;
	int64_t back = back_ms / period_ms(interval_ms, frequency_ms);
	return back > 1 ? back : 1;
}

void period_init(struct period *period, int64_t frequency_ms, const struct zone *zone)
{
	*period = (struct period){.frequency_ms = frequency_ms, .zone = zone};
}

void period_fini(struct period *period)
{
	bool even = period->even;

	free(period->block);
	period_init(period, period->frequency_ms, period->zone);
	period->even = even;
}

static void place_rows(struct period *period)
{
	double **rows[ROWS] = {&period->top, &period->weight, &period->events, &period->squares,
			       &period->value};
	for (uint32_t row = 0; row < ROWS; row++)
		*rows[row] = period->block + (size_t)row * period->capacity;
}

int period_grow(struct period *period, uint32_t slices)
{
	if (slices > period->capacity) {
		uint32_t capacity = period->capacity ? period->capacity : 16;
		while (capacity < slices)
			capacity *= 2;
		double *block = calloc((size_t)ROWS * capacity, sizeof(double));
		if (!block)
			return -ENOMEM;
		for (uint32_t row = 0; row < ROWS && period->block; row++)
			memcpy(block + (size_t)row * capacity,
			       period->block + (size_t)row * period->capacity,
			       period->slices * sizeof(double));
		free(period->block);
		period->block = block;
		period->capacity = capacity;
		place_rows(period);
	}
	if (slices > period->slices)
		period->slices = slices;
	return 0;
}

uint64_t period_bytes(const struct period *period)
{
	return (uint64_t)ROWS * period->capacity * sizeof(double);
}

/* The halves may come in different intervals: a bounce later than its visit. */
static void add_ratio(struct period *period, double numerator, double weight, uint32_t i)
{
	if (!(fabs(numerator) <= VALUE_MAX && fabs(weight) <= VALUE_MAX))
		return;
	period->top[i] += numerator;
	period->weight[i] += weight;
}

/* Sums add up; of means and ratios both halves do; of extremes the extreme stays. What has no
 * value (NaN) brings nothing. */
static void add_slice(struct period *period, const struct observations *observations, uint32_t i)
{
	double value = value_of(observations, i);
	bool first = period->weight[i] == 0;

	period->events[i] += observations->events[i];
	if (observations->aggregation == AGGREGATE_RATIO) {
		add_ratio(period, observations->numerator[i], observations->weight[i], i);
		return;
	}
	if (!isfinite(value))
		return;
	period->squares[i] += observations->sum_squares[i];
	switch (observations->aggregation) {
	case AGGREGATE_MEAN:
		period->top[i] += value * observations->events[i];
		period->weight[i] += observations->events[i];
		break;
	case AGGREGATE_MIN:
		period->top[i] = first ? value : math_min(period->top[i], value);
		period->weight[i] = 1;
		break;
	case AGGREGATE_MAX:
		period->top[i] = first ? value : math_max(period->top[i], value);
		period->weight[i] = 1;
		break;
	default:
		period->top[i] += value;
		period->weight[i] = 1;
		break;
	}
}

/* The same of all slices, of what adds up by itself. */
WEIR_CLONES
static void add_sums(uint32_t count, const double *restrict value, const double *restrict square,
		     double *restrict top, double *restrict squares, double *restrict weight)
{
	for (uint32_t i = 0; i < count; i++) {
		bool there = value_sane(value[i], square[i]);
		double sum = top[i], next = sum + value[i];
		double all = squares[i], more = all + square[i], had = weight[i];

		top[i] = there ? next : sum;
		squares[i] = there ? more : all;
		weight[i] = there ? 1 : had;
	}
}

/* An interval, or sums of some. */
static void add_all(struct period *period, const struct observations *observations)
{
	uint32_t count = observations->count;

	if (!value_adds(observations->aggregation) || observations->excluded) {
		for (uint32_t i = 0; i < count; i++)
			add_slice(period, observations, i);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		period->events[i] += observations->events[i];
	add_sums(count, observations->value, observations->sum_squares, period->top,
		 period->squares, period->weight);
}

/* What the sums come to. Distinct values and percentiles do not add up: configuration refuses
 * them here, and nothing is said of them. */
static void conclude(struct period *period, const struct observations *observations)
{
	enum aggregation aggregation = observations->aggregation;
	bool quotient = aggregation == AGGREGATE_MEAN || aggregation == AGGREGATE_RATIO;
	bool none = aggregation == AGGREGATE_DISTINCT || aggregation == AGGREGATE_PERCENTILE;

	for (uint32_t i = 0; i < observations->count; i++) {
		double weight = period->weight[i];
		double value = quotient ? period->top[i] / weight : period->top[i];
		period->value[i] = none || weight == 0 ? (double)NAN : value;
	}
}

static void begin(struct period *period, int64_t number)
{
	for (uint32_t i = 0; i < period->slices; i++)
		period->top[i] = period->weight[i] = period->events[i] = period->squares[i] = 0;
	period->number = number;
	period->intervals = period->incomplete = 0;
}

/* Whether enough of the period was seen in full. */
static bool whole(const struct period *period, int64_t interval_ms)
{
	int64_t first = period_first(period->number, interval_ms, period->frequency_ms,
				     period->zone);
	int64_t last = period_last(period->number, interval_ms, period->frequency_ms, period->zone);
	int64_t length = last - first + 1;
	return 20 * (period->intervals - period->incomplete) >= 19 * length;
}

/* Is it as long as others of its kind are? On two days of a year clocks change. */
static bool as_long(const struct period *period, int64_t interval_ms)
{
	int64_t first = period_first(period->number, interval_ms, period->frequency_ms,
				     period->zone);
	int64_t last = period_last(period->number, interval_ms, period->frequency_ms, period->zone);
	return (last - first + 1) * interval_ms == period->frequency_ms;
}

static void forget(struct period *period)
{
	for (uint32_t i = 0; i < period->slices; i++)
		period->value[i] = NAN;
}

const struct observations *period_add(struct period *period,
				      const struct observations *observations)
{
	return period_add_many(period, observations, 1,
			       observations->flags & OBSERVATION_INCOMPLETE ? 1 : 0);
}

const struct observations *period_add_many(struct period *period,
					   const struct observations *observations,
					   int64_t intervals, int64_t incomplete)
{
	int64_t interval_ms = observations->interval_ms;
	int64_t number = period_of(observations->interval, interval_ms, period->frequency_ms,
				   period->zone);
	int64_t next = period_of(observations->interval + 1, interval_ms, period->frequency_ms,
				 period->zone);

	period->ended = 0;
	check(period->slices == observations->count);
	/* A clock that is set back at midnight shows the day before once more: it is over. */
	if (period->intervals && number < period->number)
		number = period->number;
	/* A new period; what the last one's end would have been was jumped over. */
	if (period->intervals == 0 || number != period->number)
		begin(period, number);
	period->intervals += intervals;
	period->incomplete += incomplete;
	add_all(period, observations);
	if (next <= number)
		return NULL;
	conclude(period, observations);
	if (period->even && !as_long(period, interval_ms))
		forget(period);
	period->observations = *observations;
	period->observations.interval = number;
	period->observations.interval_ms = period_ms(interval_ms, period->frequency_ms);
	period->observations.flags = whole(period, interval_ms) ? 0 : OBSERVATION_INCOMPLETE;
	period->observations.value = period->value;
	period->observations.events = period->events;
	period->observations.sum_squares = period->squares;
	if (observations->aggregation == AGGREGATE_RATIO) {
		period->observations.numerator = period->top;
		period->observations.weight = period->weight;
	}
	period->ended = period->intervals;
	period->intervals = 0;
	return &period->observations;
}

void period_save(const struct period *period, struct bytes *out)
{
	bytes_put_u64(out, (uint64_t)period->number);
	bytes_put_u64(out, (uint64_t)period->intervals);
	bytes_put_u64(out, (uint64_t)period->incomplete);
	for (uint32_t i = 0; i < period->slices; i++) {
		bytes_put_f64(out, period->top[i]);
		bytes_put_f64(out, period->weight[i]);
		bytes_put_f64(out, period->events[i]);
		bytes_put_f64(out, period->squares[i]);
	}
}

int period_load(struct period *period, uint32_t slices, struct bytes_reader *in)
{
	period->number = (int64_t)bytes_get_u64(in);
	period->intervals = (int64_t)bytes_get_u64(in);
	period->incomplete = (int64_t)bytes_get_u64(in);
	for (uint32_t i = 0; i < slices; i++) {
		double *numbers[] = {&period->top[i], &period->weight[i], &period->events[i],
				     &period->squares[i]};
		for (uint32_t n = 0; n < 4; n++) {
			*numbers[n] = bytes_get_f64(in);
			/* Squares may be such as nobody knows. */
			bool unknown = n == SQUARES && isnan(*numbers[n]);
			if (!isfinite(*numbers[n]) && !unknown)
				return -EPROTO;
		}
	}
	bool sane = period->number >= -NUMBER_MAX && period->number <= NUMBER_MAX &&
		    period->intervals >= 0 && period->intervals <= NUMBER_MAX &&
		    period->incomplete >= 0 && period->incomplete <= NUMBER_MAX;
	return in->failed || !sane ? -EPROTO : 0;
}
