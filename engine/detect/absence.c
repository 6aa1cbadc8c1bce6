/*
 * absence: nothing came, although something was expected.
 *
 * Idea:  n intervals without an event have probability exp(-L / phi), L being the events expected
 *        in them at the rate this slice is never much below at this hour of the week, phi their
 *        dispersion. That rate is deliberately low: the least of the neighbouring hours, less one
 * and a half standard errors, following the general level only downward. So a shop that closes at
 * night or on Sundays is silent after it has been seen closed once. Before an hour was ever seen:
 * half of what lately came (quarter of an hour), which forgets as the silence lasts, so that a rate
 * too low to tell an outage from an evening says nothing.
 *
 * An interval that the calendar leaves out is no silence; of one of which it expects more or less,
 * so much more or less is owed.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/simd.h"
#include "detect/detector.h"
#include "detect/hours.h"
#include "detect/math.h"
#include "detect/rows.h"
#include "detect/values.h"

enum absence_row {
	ROW_SEEN,       /* complete intervals seen */
	ROW_RECENT,     /* events per interval lately */
	ROW_SILENT,     /* intervals without an event up to now */
	ROW_OWED,       /* events expected in them */
	ROW_LEVEL_SEEN, /* decayed events, and what the hours' rates expected in the same time */
	ROW_LEVEL_OWED,
	ROW_DISPERSION, /* variance over mean */
	ROW_VALUE,      /* of the metric, lately: what an anomaly shows as expected */
	ROW_HOUR_SUM,   /* events and intervals of the current hour */
	ROW_HOUR_COUNT,
	ROW_HOUR_RATE, /* of the hour of the week we are in: expected, least; known at all */
	ROW_HOUR_LEAST,
	ROW_HOUR_KNOWN,
	ROWS,
};

/* Float rows: rate of each hour of the week, then how often it was seen. */
static const struct rows_shape hours_shape = {.doubles = ROWS, .floats = 2 * HOURS_OF_WEEK};

struct absence_header {
	int64_t hour; /* the hour we are in, plus 1; 0: none yet */
};

static struct rows_shape absence_shape(const struct detector_spec *spec)
{
	(void)spec;
	return hours_shape;
}

ROWS_OPS(absence)

static void absence_init(void *state, const struct detector_spec *spec, uint32_t capacity)
{
	(void)spec;
	rows_zero(state, &hours_shape, capacity);
}

static double *row(const void *state, uint32_t capacity, enum absence_row number)
{
	return rows_double(state, capacity, number);
}

/* The hour is over: its mean rate goes into its place in the week, over at most four weeks. */
static void hour_close(void *state, uint32_t capacity, uint32_t slices, uint32_t hour,
		       double per_hour)
{
	float *rate = rows_float(state, &hours_shape, capacity, hour);
	float *visits = rows_float(state, &hours_shape, capacity, HOURS_OF_WEEK + hour);
	double *sum = row(state, capacity, ROW_HOUR_SUM);
	double *count = row(state, capacity, ROW_HOUR_COUNT);

	for (uint32_t i = 0; i < slices; i++) {
		if (count[i] > 0) {
			double part = math_min(1, count[i] / per_hour);
			double weight = math_min((double)visits[i] + part, 4);
			double mean = sum[i] / count[i];
			rate[i] += (float)(part / weight * (mean - (double)rate[i]));
			visits[i] = (float)weight;
		}
		sum[i] = count[i] = 0;
	}
}

/* Slices whose hours are worked out together: they stay in the nearest cache. */
#define BLOCK 256

/* The same hour of all days of a block's slices: sum of weights, mean, and the least of them. */
struct days {
	double weight[BLOCK], rate[BLOCK], least[BLOCK], least_weight[BLOCK];
};

WEIR_CLONES
static void add_day(uint32_t slices, const float *restrict rates, const float *restrict visits,
		    struct days *restrict days)
{
	for (uint32_t i = 0; i < slices; i++) {
		double visit = (double)visits[i], rate = (double)rates[i];
		double known = visit >= 0.25 ? 1 : 0;
		double first = days->least_weight[i] == 0 ? 1 : 0;
		double lower = rate < days->least[i] ? 1 : 0;
		double take = known * math_max(first, lower);
		days->weight[i] += known * visit;
		days->rate[i] += known * visit * rate;
		days->least[i] = take > 0 ? rate : days->least[i];
		days->least_weight[i] = take > 0 ? visit : days->least_weight[i];
	}
}

/* Rates of a block in one hour of the week, and the least they may be; 0 and 0 where not known. */
struct rates {
	double rate[BLOCK], least[BLOCK], known[BLOCK];
};

/*
 * Rate of an hour of the week, and the least it may be. An hour that was seen stands with the same
 * hour of all days, which know it much better, unless it is clearly below them (closed on
 * Sundays); one never seen may be like the quietest of them. Without branches, so that slices are
 * worked on side by side: all answers are computed, and one is taken.
 */
WEIR_CLONES
static void judge_hour(uint32_t slices, const float *restrict rates, const float *restrict visits,
		       const double *restrict dispersion, double per_hour,
		       const struct days *restrict days, struct rates *restrict ret)
{
	for (uint32_t i = 0; i < slices; i++) {
		double visit = (double)visits[i], own = (double)rates[i];
		double scale = math_max(dispersion[i], 1) / per_hour;
		double weight = math_max(days->weight[i], 1e-9), mean = days->rate[i] / weight;
		double seen = visit >= 0.25 ? 1 : 0;
		double scatter = sqrt(scale * mean / math_max(visit, 0.25));
		double edge = mean - 1.5 * scatter;
		double below = own < edge ? 1 : 0;
		double best = below > 0 ? own : mean, best_weight = below > 0 ? visit : weight;
		double rate = seen > 0 ? best : days->least[i];
		double sure = seen > 0 ? best_weight : days->least_weight[i];
		double error = sqrt(scale * rate / math_max(sure, 0.25));
		double known = days->weight[i] > 0 ? 1 : 0;
		ret->known[i] = known;
		ret->rate[i] = known * rate;
		ret->least[i] = known * math_max(rate - 1.5 * error, 0);
	}
}

static void hour_rates(const void *state, uint32_t capacity, uint32_t from, uint32_t slices,
		       uint32_t hour, double per_hour, struct rates *ret)
{
	struct days days;
	memset(&days, 0, sizeof(days));
	for (uint32_t day = 0; day < 7; day++) {
		uint32_t other = (hour + day * 24) % HOURS_OF_WEEK;
		add_day(slices, rows_float(state, &hours_shape, capacity, other) + from,
			rows_float(state, &hours_shape, capacity, HOURS_OF_WEEK + other) + from,
			&days);
	}
	judge_hour(slices, rows_float(state, &hours_shape, capacity, hour) + from,
		   rows_float(state, &hours_shape, capacity, HOURS_OF_WEEK + hour) + from,
		   row(state, capacity, ROW_DISPERSION) + from, per_hour, &days, ret);
}

/* A new hour has begun: what it and its neighbours are worth. */
static void hour_open(void *state, uint32_t capacity, uint32_t slices, uint32_t hour,
		      double per_hour)
{
	struct rates own, other;

	for (uint32_t from = 0; from < slices; from += BLOCK) {
		uint32_t count = slices - from < BLOCK ? slices - from : BLOCK;
		hour_rates(state, capacity, from, count, hour, per_hour, &own);
		/* Intervals longer than an hour have no neighbours within reach. */
		for (uint32_t side = 0; per_hour > 1 && side < 2; side++) {
			uint32_t next = (hour + HOURS_OF_WEEK - 1 + 2 * side) % HOURS_OF_WEEK;
			hour_rates(state, capacity, from, count, next, per_hour, &other);
			for (uint32_t i = 0; i < count; i++)
				if (other.known[i] > 0)
					own.least[i] = math_min(own.least[i], other.least[i]);
		}
		memcpy(row(state, capacity, ROW_HOUR_RATE) + from, own.rate,
		       count * sizeof(double));
		memcpy(row(state, capacity, ROW_HOUR_LEAST) + from, own.least,
		       count * sizeof(double));
		memcpy(row(state, capacity, ROW_HOUR_KNOWN) + from, own.known,
		       count * sizeof(double));
	}
}

/* Events that slice i owes in one interval, at the least. */
static double owed(const void *state, uint32_t capacity, uint32_t i)
{
	if (!(row(state, capacity, ROW_HOUR_KNOWN)[i] > 0))
		return 0.5 * row(state, capacity, ROW_RECENT)[i];
	double expected = row(state, capacity, ROW_LEVEL_OWED)[i];
	double level = expected > 0 ? row(state, capacity, ROW_LEVEL_SEEN)[i] / expected : 1;
	return row(state, capacity, ROW_HOUR_LEAST)[i] * math_min(level, 1);
}

static void learn_slice(void *state, uint32_t capacity, uint32_t i, double events, double value,
			double interval_hours, bool firing)
{
	double *seen = row(state, capacity, ROW_SEEN) + i;
	double *recent = row(state, capacity, ROW_RECENT) + i;
	double *dispersion = row(state, capacity, ROW_DISPERSION) + i;

	/* Also while firing: a silence that comes back every week is not an anomaly for ever. */
	row(state, capacity, ROW_HOUR_SUM)[i] += events;
	row(state, capacity, ROW_HOUR_COUNT)[i] += 1;
	if (firing)
		return;
	*seen += 1;
	double gain = math_max(1 / *seen, math_min(1.0 / 8, interval_hours * 4));
	bool known = row(state, capacity, ROW_HOUR_KNOWN)[i] > 0;
	if (known) {
		double mean = math_max(row(state, capacity, ROW_HOUR_RATE)[i], 0.01);
		double square = (events - mean) * (events - mean) / mean;
		double most = 9 * math_max(*dispersion, 1) * math_max(1, 1 / mean);
		double slow = math_max(1 / (*seen + 10), math_min(1.0 / 200, interval_hours / 24));
		*dispersion += slow * (math_min(square, most) - *dispersion);
	}
	*recent += gain * (events - *recent);
	if (isfinite(value) && events > 0)
		row(state, capacity, ROW_VALUE)[i] += gain *
						      (value - row(state, capacity, ROW_VALUE)[i]);
	if (known) {
		double keep = 1 - math_min(1.0 / 24, interval_hours / 24);
		double *level = row(state, capacity, ROW_LEVEL_SEEN) + i;
		double *expected = row(state, capacity, ROW_LEVEL_OWED) + i;
		double rate = row(state, capacity, ROW_HOUR_RATE)[i];
		if (*expected == 0) /* begins at 1, worth six hours */
			*level = *expected = 6 * rate / interval_hours;
		*level = *level * keep + events;
		*expected = *expected * keep + rate;
	}
}

/* What is expected of slice i, in the metric's unit. */
static double usual_of(const void *state, uint32_t capacity, uint32_t i,
		       const struct observations *observations)
{
	bool count = observations->aggregation == AGGREGATE_COUNT;
	double usual = count ? owed(state, capacity, i) : row(state, capacity, ROW_VALUE)[i];
	return usual * value_times(observations, i);
}

static void score_slice(void *state, const struct detector_spec *spec, uint32_t capacity,
			uint32_t i, const struct observations *observations,
			struct verdicts *verdicts)
{
	double *silent = row(state, capacity, ROW_SILENT) + i;
	double *debt = row(state, capacity, ROW_OWED) + i;
	double rate = owed(state, capacity, i) * value_times(observations, i);
	bool count = observations->aggregation == AGGREGATE_COUNT;

	if (observations->events[i] > 0) {
		*silent = *debt = 0;
	} else {
		*silent += 1;
		*debt += rate;
	}
	verdicts->expected[i] = usual_of(state, capacity, i, observations);
	/* Anything but nothing is in the band; there is no upper edge to tell. */
	verdicts->lower[i] = math_min(verdicts->expected[i], count ? 1 : verdicts->expected[i]);
	verdicts->upper[i] = verdicts->expected[i];
	verdicts->direction[i] = -1;
	verdicts->log10_p[i] = 0;
	/* Long enough to have seen the rate, and some of its scatter. */
	if (row(state, capacity, ROW_SEEN)[i] < 20 + 2.0 * spec->absent_intervals)
		return;
	double nats = *debt / math_max(row(state, capacity, ROW_DISPERSION)[i], 1);
	bool enough = *silent >= math_max(spec->absent_intervals, 1);
	verdicts->log10_p[i] = math_clamp(enough ? -nats * MATH_LOG10_E : 0, -300, -1e-12);
}

static void absence_step(void *state, const struct detector_spec *spec, uint32_t capacity,
			 const struct observations *observations, const uint8_t *learn,
			 struct verdicts *verdicts)
{
	struct absence_header *header = state;
	double interval_hours = (double)observations->interval_ms / HOUR_MS;
	double per_hour = math_max(1 / interval_hours, 1);
	/* By the clock on the wall, which repeats an hour in autumn and leaves one out in spring.
	 */
	int64_t hour = hours_at(observations->interval * observations->interval_ms +
				observations->interval_ms / 2 + observations->offset_ms);
	bool incomplete = observations->flags & OBSERVATION_INCOMPLETE;

	if (header->hour != hour + 1) {
		if (header->hour)
			hour_close(state, capacity, observations->count,
				   hours_of_week(header->hour - 1), per_hour);
		hour_open(state, capacity, observations->count, hours_of_week(hour), per_hour);
		header->hour = hour + 1;
	}
	for (uint32_t i = 0; i < observations->count; i++) {
		double events = observations->events[i], times = value_times(observations, i);
		double usual = usual_of(state, capacity, i, observations);
		bool out = observations->excluded && observations->excluded[i];
		if (out || (incomplete && !(events > 0))) {
			/* Nobody knows whether anything came, or wants to: the silence neither
			 * grows nor ends. */
			verdicts->expected[i] = out ? usual : 0;
			verdicts->lower[i] = verdicts->upper[i] = verdicts->expected[i];
			verdicts->log10_p[i] = 0;
			verdicts->direction[i] = 0;
			continue;
		}
		score_slice(state, spec, capacity, i, observations, verdicts);
		if (!incomplete && !value_paused(observations, i))
			learn_slice(state, capacity, i, events / times,
				    value_of(observations, i) / times, interval_hours, !learn[i]);
	}
}

static int absence_load(void *state, const struct detector_spec *spec, uint32_t capacity,
			uint32_t slices, struct bytes_reader *in)
{
	const struct absence_header *header = state;
	int result = absence_read(state, spec, capacity, slices, in);

	if (result == 0 && (header->hour < -HOURS_FAR || header->hour > HOURS_FAR))
		result = -EPROTO;
	return result;
}

const struct detector_ops detector_absence = {
	.kind = "absence",
	.bytes = absence_bytes,
	.init = absence_init,
	.move = absence_move,
	.step = absence_step,
	.save = absence_save,
	.load = absence_load,
};
