/* Rows of numbers through the bank: what a row says, what a gap is, and that series are alone. */
#include <criterion/criterion.h>

#include "detect/scoring.h"
#include "support.h"

#define MINUTE 60000
#define FIRST (INT64_C(1267401600000) / MINUTE) /* 2010-03-01 00:00 UTC, a Monday */
#define DAYS 6

static struct scoring *scoring_of(enum aggregation aggregation, uint32_t series)
{
	struct scoring_spec spec = {
		.aggregation = aggregation, .interval_ms = 10 * MINUTE, .series = series};
	struct scoring *scoring = scoring_create(&spec);
	cr_assert_not_null(scoring);
	return scoring;
}

static double count_at(struct chance *chance, int64_t interval, double rate)
{
	return chance_poisson(chance, 10 * rate * shop_shape((double)interval / 6));
}

static void assert_same(const struct scored *left, const struct scored *right)
{
	cr_assert_eq(memcmp(&left->expected, &right->expected, 6 * sizeof(double)), 0);
	cr_assert_eq(left->alarm, right->alarm);
}

Test(scoring, of_an_outage_raises_the_alarm_once_and_scores_high)
{
	struct scoring *scoring = scoring_of(AGGREGATE_COUNT, 1);
	struct chance chance = {7};
	struct scored row;
	unsigned alarms = 0;
	double score = 0, severity = 0;

	for (int64_t i = 0; i < 144 * DAYS + 6; i++) {
		double value = count_at(&chance, i, 50);
		bool outage = i >= 144 * DAYS;

		if (outage)
			value = 0;
		scoring_step(scoring, FIRST / 10 + i, &value, NULL, &row);
		cr_assert(isfinite(row.expected) && row.lower <= row.expected &&
			  row.expected <= row.upper);
		alarms += row.alarm && outage;
		score = outage && row.score > score ? row.score : score;
		severity = outage && row.severity > severity ? row.severity : severity;
	}
	cr_assert_eq(alarms, 1);
	cr_assert_gt(score, 8);
	cr_assert_geq(severity, 75);
	scoring_destroy(scoring);
}

Test(scoring, of_a_series_is_the_same_alone_and_among_others)
{
	enum { SERIES = 5 };
	struct scoring *alone[SERIES], *together = scoring_of(AGGREGATE_COUNT, SERIES);
	struct chance chance = {11};

	for (unsigned s = 0; s < SERIES; s++)
		alone[s] = scoring_of(AGGREGATE_COUNT, 1);
	for (int64_t i = 0; i < 144 * DAYS; i++) {
		double values[SERIES];
		struct scored rows[SERIES], row;

		for (unsigned s = 0; s < SERIES; s++) {
			bool odd = i > 144 * 4 && i % 40 < 5 && s % 2;
			values[s] = count_at(&chance, i, 5 + s) * (odd ? 3 : 1);
		}
		scoring_step(together, FIRST / 10 + i, values, NULL, rows);
		for (unsigned s = 0; s < SERIES; s++) {
			scoring_step(alone[s], FIRST / 10 + i, &values[s], NULL, &row);
			assert_same(&row, &rows[s]);
		}
	}
	for (unsigned s = 0; s < SERIES; s++)
		scoring_destroy(alone[s]);
	scoring_destroy(together);
}

Test(scoring, takes_an_interval_that_is_not_given_for_missing)
{
	struct scoring *jumps = scoring_of(AGGREGATE_MEAN, 1);
	struct scoring *steps = scoring_of(AGGREGATE_MEAN, 1);
	struct chance chance = {13};
	const double missing = NAN;

	for (int64_t i = 0; i < 144 * DAYS; i++) {
		double value = 20 + 5 * shop_shape((double)i / 6) + chance_normal(&chance);
		struct scored row, same;

		if (i % 50 > 42) {
			scoring_step(steps, FIRST / 10 + i, &missing, NULL, &same);
			cr_assert_eq(same.score, 0);
			continue;
		}
		scoring_step(jumps, FIRST / 10 + i, &value, NULL, &row);
		scoring_step(steps, FIRST / 10 + i, &value, NULL, &same);
		assert_same(&row, &same);
	}
	scoring_destroy(jumps);
	scoring_destroy(steps);
}

Test(scoring, survives_a_gap_of_centuries)
{
	struct scoring *scoring = scoring_of(AGGREGATE_SUM, 1);
	double value = 5;
	struct scored row;

	scoring_step(scoring, -1000, &value, NULL, &row);
	scoring_step(scoring, INT64_C(20000000), &value, NULL, &row);
	cr_assert(isfinite(row.expected) && isfinite(row.score));
	scoring_destroy(scoring);
}

Test(scoring, of_a_ratio_knows_its_denominator)
{
	struct scoring *few = scoring_of(AGGREGATE_RATIO, 1);
	struct scoring *many = scoring_of(AGGREGATE_RATIO, 1);
	struct chance chance = {17};
	double few_width = 0, many_width = 0;

	for (int64_t i = 0; i < 144 * DAYS; i++) {
		const double weights[] = {50, 5000};
		double value;
		struct scored row;

		value = chance_poisson(&chance, 0.1 * weights[0]) / weights[0];
		scoring_step(few, FIRST / 10 + i, &value, &weights[0], &row);
		few_width = row.upper - row.lower;
		value = chance_poisson(&chance, 0.1 * weights[1]) / weights[1];
		scoring_step(many, FIRST / 10 + i, &value, &weights[1], &row);
		many_width = row.upper - row.lower;
	}
	cr_assert_gt(few_width, 3 * many_width);
	scoring_destroy(few);
	scoring_destroy(many);
}

/* The second day's first hours are forecast from the first day's, the very first value's too. */
Test(scoring, of_a_gauge_expects_on_its_second_day_what_the_first_one_had)
{
	static const int64_t intervals_ms[] = {MINUTE, 10 * MINUTE, 60 * MINUTE};

	for (uint32_t k = 0; k < 3; k++) {
		struct scoring_spec spec = {.aggregation = AGGREGATE_MEAN,
					    .interval_ms = intervals_ms[k],
					    .series = 1};
		struct scoring *scoring = scoring_create(&spec);
		int64_t per_day = INT64_C(86400000) / intervals_ms[k];
		struct chance chance = {11};
		struct scored row;

		cr_assert_not_null(scoring);
		for (int64_t i = 0; i < 3 * per_day; i++) {
			double value = 70 + 0.1 * chance_normal(&chance);

			scoring_step(scoring, FIRST * MINUTE / intervals_ms[k] + i, &value, NULL,
				     &row);
			cr_assert(i == 0 || fabs(row.expected - 70) < 1,
				  "%g expected at %lld, interval %lld ms", row.expected,
				  (long long)i, (long long)intervals_ms[k]);
			cr_assert_lt(row.severity, 75, "severity %g at %lld", row.severity,
				     (long long)i);
		}
		scoring_destroy(scoring);
	}
}

/* Alarms of four days with an outage on one of them. */
static unsigned count_alarms(uint32_t learn, int64_t day)
{
	struct detector_spec detector;
	struct chance chance = {19};
	struct scored row;
	unsigned alarms = 0;

	scoring_defaults(&detector);
	detector.learn_intervals = learn;
	struct scoring_spec spec = {.aggregation = AGGREGATE_COUNT,
				    .interval_ms = 10 * MINUTE,
				    .series = 1,
				    .detector = &detector};
	struct scoring *scoring = scoring_create(&spec);
	cr_assert_not_null(scoring);
	for (int64_t i = 0; i < 144 * 4; i++) {
		int64_t since = i - day * 144;
		double value = since >= 60 && since < 80 ? 0 : count_at(&chance, i, 50);
		scoring_step(scoring, FIRST / 10 + i, &value, NULL, &row);
		alarms += row.alarm;
		if (i < learn)
			cr_assert_eq(row.severity, 0);
	}
	scoring_destroy(scoring);
	return alarms;
}

Test(scoring, fires_nothing_before_it_has_learned_for_as_long_as_it_is_told_to)
{
	cr_assert_gt(count_alarms(SCORING_LEARN, 1), 0);
	cr_assert_eq(count_alarms(288, 1), 0);
	cr_assert_gt(count_alarms(288, 3), 0);
}
