/*
 * rule: static thresholds, as a sheet of marketing rules has them.
 *
 * Idea:  a period's value is compared with another period's (the one before, the same one a week or
 *        a year before), with an absolute limit, or its growth over the year with the growth of the
 *        period before. How far beyond the threshold is the severity: 50 at the threshold,
 *
 *            severity = 50 x deviation / threshold        (above and below: the limit plus what
 *                                                          lies beyond it, over the limit)
 *
 *        so 100 at twice the threshold. It is no tail probability, and there is no alarm budget: a
 *        static threshold is a promise of its own, and says nothing of chance. Of several
 *        thresholds the one that is passed furthest speaks.
 *        What was is what it is compared with, also after an anomaly: yesterday was yesterday. Of
 *        a calendar it knows what is left out, and compares nothing with it later; a factor is no
 *        matter of a static threshold.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include <math.h>

#include "detect/detector.h"
#include "detect/math.h"
#include "detect/past.h"
#include "detect/period.h"
#include "detect/rows.h"
#include "detect/values.h"

#define SEVERITY_AT_THRESHOLD 50.0
/* More than this is 100 anyway; keeps numbers finite. */
#define SEVERITY_MOST 1000.0
/* A quotient that misses the threshold by its own rounding has reached it. */
#define SEVERITY_ROUNDING 1e-6

static bool wants_changes(const struct detector_spec *spec)
{
	return !isnan(spec->up_percent) || !isnan(spec->down_percent);
}

/* This period, and back to the oldest one that a threshold asks for. */
static uint32_t past_length(const struct detector_spec *spec)
{
	uint32_t back = wants_changes(spec) ? spec->back_periods : 0;
	uint32_t year = isnan(spec->growth_drop) ? 0 : spec->year_periods + 1;
	return (back > year ? back : year) + 1;
}

static struct rows_shape rule_shape(const struct detector_spec *spec)
{
	return (struct rows_shape){.doubles = past_length(spec)};
}

ROWS_OPS(rule)

static struct past rule_past(void *state, const struct detector_spec *spec, uint32_t capacity,
			     uint32_t slices)
{
	return (struct past){.state = state,
			     .capacity = capacity,
			     .slices = slices,
			     .first = 0,
			     .length = past_length(spec)};
}

static void rule_init(void *state, const struct detector_spec *spec, uint32_t capacity)
{
	struct rows_shape shape = rule_shape(spec);
	struct past past = rule_past(state, spec, capacity, 0);
	rows_zero(state, &shape, capacity);
	past_clear(&past);
}

/* What one slice's value is held against; NaN: not known. */
struct rule_case {
	double value;
	double baseline; /* of up and down */
	double year;     /* the same period a year before */
	double growth;   /* year-on-year, of the period before, per cent */
};

/* The strongest threshold so far. */
struct rule_answer {
	double severity; /* below 0: nothing is known to compare with */
	double expected;
	double lower, upper; /* NaN: no limit */
	int8_t direction;
};

/* A threshold at `limit`: passed by `excess` of its own size. */
static void weigh_limit(struct rule_answer *answer, double excess, double limit, double expected,
			int direction)
{
	double severity = SEVERITY_AT_THRESHOLD * (1 + excess);
	severity = math_clamp(severity, 0, SEVERITY_MOST);
	if (fabs(severity - SEVERITY_AT_THRESHOLD) < SEVERITY_ROUNDING)
		severity = SEVERITY_AT_THRESHOLD;

	if (direction > 0)
		answer->upper = isnan(answer->upper) ? limit : math_min(answer->upper, limit);
	else
		answer->lower = isnan(answer->lower) ? limit : math_max(answer->lower, limit);
	if (severity <= answer->severity)
		return;
	answer->severity = severity;
	answer->expected = expected;
	answer->direction = (int8_t)direction;
}

/* Beyond the limit by which part of its size; a limit of zero is passed by all or nothing. */
static double part_beyond(double beyond, double limit)
{
	double size = fabs(limit);
	if (size > 0)
		return beyond / size;
	return beyond > 0 ? 1 : beyond < 0 ? -1 : 0;
}

/* up, down: deviation over threshold; products first, so that whole numbers stay exact. */
static void weigh_change(struct rule_answer *answer, const struct rule_case *of, double percent,
			 int direction)
{
	double size = fabs(of->baseline);
	double change = direction * (of->value - of->baseline) * 100 / size;
	double limit = of->baseline + direction * size * percent / 100;

	if (!(size > 0) || !isfinite(change))
		return;
	weigh_limit(answer, change / percent - 1, limit, of->baseline, direction);
}

/* Growth of a value over another, per cent; NaN if that is not known or not above zero. */
static double growth_of(double value, double before)
{
	return before > 0 ? (value - before) * 100 / before : (double)NAN;
}

static void weigh_growth(struct rule_answer *answer, const struct rule_case *of, double points)
{
	double fall = of->growth - growth_of(of->value, of->year);
	double expected = of->year * (100 + of->growth) / 100;

	if (isfinite(fall))
		weigh_limit(answer, fall / points - 1, expected - of->year * points / 100, expected,
			    -1);
}

static struct rule_answer answer_case(const struct detector_spec *spec, const struct rule_case *of)
{
	struct rule_answer answer = {.severity = -1, .lower = NAN, .upper = NAN};
	bool known = isfinite(of->baseline);

	if (!isnan(spec->up_percent))
		weigh_change(&answer, of, spec->up_percent, 1);
	if (!isnan(spec->down_percent))
		weigh_change(&answer, of, spec->down_percent, -1);
	if (!isnan(spec->above))
		weigh_limit(&answer, part_beyond(of->value - spec->above, spec->above), spec->above,
			    known ? of->baseline : spec->above, 1);
	if (!isnan(spec->below))
		weigh_limit(&answer, part_beyond(spec->below - of->value, spec->below), spec->below,
			    known ? of->baseline : spec->below, -1);
	if (!isnan(spec->growth_drop))
		weigh_growth(&answer, of, spec->growth_drop);
	return answer;
}

static void tell(const struct rule_answer *answer, double value, uint32_t i,
		 struct verdicts *verdicts)
{
	double expected = answer->expected;
	bool said = answer->severity >= 0;

	if (!said || isnan(value)) {
		verdicts->expected[i] = verdicts->lower[i] = verdicts->upper[i] = 0;
		verdicts->log10_p[i] = verdicts->severity[i] = 0;
		verdicts->direction[i] = 0;
		return;
	}
	verdicts->expected[i] = expected;
	/* Where there is no limit, what came is within it. */
	verdicts->lower[i] = isnan(answer->lower) ? math_min(expected, value) : answer->lower;
	verdicts->upper[i] = isnan(answer->upper) ? math_max(expected, value) : answer->upper;
	verdicts->log10_p[i] = -1e-12;
	verdicts->severity[i] = answer->severity;
	verdicts->direction[i] = answer->direction;
}

static void rule_step(void *state, const struct detector_spec *spec, uint32_t capacity,
		      const struct observations *observations, const uint8_t *learn,
		      struct verdicts *verdicts)
{
	struct past past = rule_past(state, spec, capacity, observations->count);
	int64_t now = observations->interval;
	bool growth = !isnan(spec->growth_drop);
	bool incomplete = observations->flags & OBSERVATION_INCOMPLETE;
	int64_t back = spec->back_periods, year = spec->year_periods;

	(void)learn;
	double *noted = past_note(&past, now);
	const double *baseline = wants_changes(spec) ? past_row(&past, now - back) : NULL;
	const double *a_year_ago = growth ? past_row(&past, now - year) : NULL;
	const double *before = growth ? past_row(&past, now - 1) : NULL;
	const double *year_before = growth ? past_row(&past, now - 1 - year) : NULL;
	for (uint32_t i = 0; i < observations->count; i++) {
		double value = value_of(observations, i);
		bool paused = value_paused(observations, i);
		struct rule_case of = {
			.value = value,
			.baseline = past_value(baseline, i),
			.year = past_value(a_year_ago, i),
			.growth = growth_of(past_value(before, i), past_value(year_before, i)),
		};
		struct rule_answer answer = answer_case(spec, &of);
		tell(&answer, value, i, verdicts);
		noted[i] = incomplete || paused ? PAST_NONE : past_kept(value);
	}
}

static int rule_load(void *state, const struct detector_spec *spec, uint32_t capacity,
		     uint32_t slices, struct bytes_reader *in)
{
	int result = rule_read(state, spec, capacity, slices, in);
	return result ? result : past_check(state);
}

const struct detector_ops detector_rule = {
	.kind = "rule",
	.bytes = rule_bytes,
	.init = rule_init,
	.move = rule_move,
	.step = rule_step,
	.save = rule_save,
	.load = rule_load,
};
