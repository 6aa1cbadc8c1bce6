/* quality shop: the oracle is as good as theory says, and the measures count what they say. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quality_lasting.h"
#include "quality_shop.h"
#include "random.h"

#define SERIES 4
#define EVENTS (SERIES * SHOP_EVENTS)

static const struct counts_spec spec = {
	.seed = 5, .rate = 20, .minutes = SHOP_MINUTES, .tier = counts_tiers};

/* A part whose injections are all of one size, over an hour. */
static struct shop_part part_of(double size)
{
	struct shop_part part;
	cr_assert_eq(shop_part_init(&part, SHOP_COUNT, &spec, SERIES, false), 0);
	for (uint32_t i = 0; i < EVENTS; i++) {
		part.events[i].onset = SHOP_TEST + i % SHOP_EVENTS * SHOP_SPACING + 100;
		part.events[i].length = 60;
		part.events[i].size = size;
	}
	return part;
}

/* Twins of a constant rate. */
static struct shop_twins flat_twins(const struct shop_part *part, float rate)
{
	struct random random = random_keyed(9, 9, (uint64_t)rate);
	struct shop_twins twins;

	cr_assert_eq(shop_twins_make(&twins, SHOP_COUNT, &part->spec, 0, SERIES), 0);
	for (size_t t = 0; t < (size_t)SERIES * SHOP_MINUTES; t++) {
		twins.lambda[t] = rate;
		twins.clean[t] = twins.injected[t] = (float)random_poisson(&random, (double)rate);
	}
	for (uint32_t i = 0; i < EVENTS; i++)
		shop_plant(&twins, i / SHOP_EVENTS, &part->events[i]);
	return twins;
}

static void check_delay(float rate, double size)
{
	struct shop_part part = part_of(size);
	struct shop_twins twins = flat_twins(&part, rate);
	uint8_t delays[EVENTS];
	double sum = 0.0, limit = LASTING_NATS / lasting_evidence((double)rate, size);

	shop_oracle(&part, &twins);
	shop_oracle_delays(&part, delays);
	for (uint32_t i = 0; i < EVENTS; i++)
		sum += delays[i] ? delays[i] : 62 + limit / 4;
	/* ln(ARL) / KL, and about a minute's grain. */
	cr_expect(sum / EVENTS > 0.6 * limit && sum / EVENTS < 1.25 * limit + 1,
		  "rate %g size %g: %g minutes, theory says %g", (double)rate, size, sum / EVENTS,
		  limit);
	shop_twins_free(&twins);
	shop_part_free(&part);
}

Test(quality_shop, the_oracle_needs_as_long_as_the_closed_form_says)
{
	cr_expect_float_eq(LASTING_NATS, log(COUNTS_WEEK), 1e-4);
	check_delay(20, -0.2);
	check_delay(20, 0.5);
	check_delay(100, -0.1);
	check_delay(2, -0.5);
	check_delay(2, -1);
}

Test(quality_shop, the_oracle_has_one_alarm_hour_a_week_at_its_threshold)
{
	struct shop_part part = part_of(-0.2);
	struct shop_twins twins = flat_twins(&part, 20);
	uint32_t above = 0, size = shop_size(-0.2), count = SERIES * SHOP_HOURS;
	uint8_t delays[EVENTS];

	shop_oracle(&part, &twins);
	shop_oracle_delays(&part, delays);
	for (uint32_t i = 1; i < count; i++)
		cr_assert_leq(part.oracle_max[size][i], part.oracle_max[size][i - 1]);
	for (uint32_t i = 0; i < count; i++)
		above += part.oracle_max[size][i] > part.oracle_max[size][SERIES * SHOP_TEST_WEEKS];
	cr_expect_eq(above, SERIES * SHOP_TEST_WEEKS);
	shop_twins_free(&twins);
	shop_part_free(&part);
}

Test(quality_shop, the_evidence_for_a_change_is_its_divergence)
{
	/* Sum of p1 log(p1 / p0) over Poisson counts of mean 6 and 10. */
	double p = exp(-6.0), sum = 0.0;
	for (int k = 0; k < 60; p *= 6.0 / ++k)
		sum += p * (k * log(0.6) + 4.0);
	cr_expect_float_eq(lasting_evidence(10, -0.4), sum, 1e-9);
	cr_expect_float_eq(lasting_evidence(10, -1), 10, 1e-12);
}

/* Scores known in advance: hours of 1, 2, 3, ..., so that the threshold is known too. */
static void say(struct shop_part *part)
{
	struct shop_scores *scores = &part->methods[SHOP_WEIR];
	const uint32_t hours = SERIES * SHOP_HOURS;

	for (uint32_t i = 0; i < hours; i++)
		scores->hour_max[i] = (float)(i * 7919 % hours + 1);
	for (uint32_t size = 0; size < COUNTS_SIZES; size++)
		memcpy(part->oracle_max[size], scores->hour_max, hours * sizeof(float));
	float threshold = (float)(hours - SERIES * SHOP_TEST_WEEKS);
	for (uint32_t i = 0; i < EVENTS; i++) {
		float *weir = scores->reach + (size_t)i * SHOP_REACH;
		float *oracle = part->oracle_reach + (size_t)i * SHOP_REACH;
		weir[0] = weir[1] = threshold;
		oracle[i % 2 ? 61 : 2] = threshold + 1;
		if (i % 4 == 0)
			weir[5] = threshold + 1;
		else if (i % 4 == 1)
			weir[61] = threshold + 1;
	}
}

Test(quality_shop, what_is_found_and_when_is_counted_at_equal_false_alarms)
{
	struct shop_part part = part_of(-0.2);
	struct shop_table table = {0};

	say(&part);
	cr_assert_eq(shop_measure(&part, 1, &table), 0);
	cr_expect_float_eq(table.figures[SHOP_ROW_ORACLE][0], 100.0, 1e-9);
	cr_expect_float_eq(table.figures[SHOP_ROW_WEIR][0], 50.0, 1e-9);
	cr_expect_float_eq(table.figures[SHOP_ROW_RATIO][0], 0.5, 1e-9);
	cr_expect_float_eq(table.figures[SHOP_ROW_GLOBAL][1], 0.5, 1e-9, "one rate: the same");
	/* Minutes 6 and 62 against 3 and 62. */
	cr_expect_float_eq(table.figures[SHOP_ROW_DELAY_20][0], 68.0 / 65.0, 1e-9);
	cr_expect(isnan(table.figures[SHOP_ROW_DELAY_50][0]));
	cr_expect_float_eq(table.figures[SHOP_ROW_GLOBAL_HOURS][0], 1.0, 1e-9);
	cr_expect_float_eq(table.cells[2][0][0], 50.0, 1e-9);
	cr_expect_float_eq(table.cells[2][1][0], 100.0, 1e-9);
	shop_part_free(&part);
}

/* A part of a rate: of one series in `each` all is found, of the others nothing. */
static struct shop_part part_found(uint32_t series, uint32_t each)
{
	struct shop_part part;

	cr_assert_eq(shop_part_init(&part, SHOP_COUNT, &spec, series, false), 0);
	for (uint32_t i = 0; i < series * SHOP_EVENTS; i++) {
		part.oracle_reach[(size_t)i * SHOP_REACH] = 1;
		part.methods[SHOP_WEIR].reach[(size_t)i * SHOP_REACH] =
			i / SHOP_EVENTS % each == 0 ? 1 : 0;
	}
	return part;
}

Test(quality_shop, a_ratio_says_how_far_series_let_it_be_off_and_each_rate_has_the_same_say)
{
	/* Half of 64 series, and a quarter of 16: all or nothing of a series, as a coin. */
	struct shop_part parts[2] = {part_found(64, 2), part_found(16, 4)};
	struct shop_table table = {0};
	double (*figures)[SHOP_RATES_MAX + 1] = table.figures;

	cr_assert_eq(shop_measure(parts, 2, &table), 0);
	cr_expect_eq(table.series[0], 64);
	cr_expect_eq(table.series[1], 16);
	const double expected[3] = {0.5, 0.25, 0.375};
	const double off[3] = {sqrt(0.25 / 64), sqrt(0.1875 / 16),
			       sqrt(0.25 / 64 + 0.1875 / 16) / 2};
	for (uint32_t i = 0; i < 3; i++) {
		cr_expect_float_eq(figures[SHOP_ROW_RATIO][i], expected[i], 1e-9, "%u", i);
		cr_expect_float_eq(figures[SHOP_ROW_RATIO_MOST][i] - expected[i], 1.6449 * off[i],
				   1e-9, "%u", i);
		cr_expect_float_eq(expected[i] - figures[SHOP_ROW_RATIO_LEAST][i],
				   1.6449 * off[i], 1e-9, "%u", i);
	}
	for (uint32_t i = 0; i < 2; i++)
		shop_part_free(&parts[i]);
}

Test(quality_shop, alarms_are_counted_by_hours_of_the_clock_and_by_episodes)
{
	struct shop_part part = part_of(0.1);
	const struct shop_scores *scores = &part.methods[SHOP_WEIR];
	uint32_t from = SHOP_TEST + 6 * 60;

	/* Across the hour, an hour later, and after two quiet hours. */
	const uint32_t loud[] = {58, 59, 60, 110, 240};
	for (uint32_t i = 0; i < 5; i++)
		shop_note(&part, SHOP_WEIR, 1, from + loud[i], 2.5 + i, 0, true);
	shop_note(&part, SHOP_WEIR, 1, from + 300, 9, 0, false);
	cr_expect_eq(scores->loud_hours[1], 3);
	cr_expect_eq(scores->loud_episodes[1], 2);
	cr_expect_eq(scores->loud_hours[0], 0);
	cr_expect_float_eq(scores->hour_max[SHOP_HOURS + 6], 3.5F, 1e-6F);
	cr_expect_float_eq(scores->hour_max[SHOP_HOURS + 7], 5.5F, 1e-6F);
	cr_expect_float_eq(scores->hour_max[SHOP_HOURS + 11], 9.0F, 1e-6F);
	shop_part_free(&part);
}

Test(quality_shop, scores_are_kept_from_the_onset_until_two_minutes_after_the_end)
{
	struct shop_part part = part_of(0.1);
	const struct injection *event = &part.events[SHOP_EVENTS + 2];
	const float *reach = part.methods[SHOP_WEIR].reach + (SHOP_EVENTS + 2) * SHOP_REACH;

	for (uint32_t k = 0; k < 70; k++)
		shop_note(&part, SHOP_WEIR, 1, event->onset - 1 + k, 0, k, false);
	for (uint32_t k = 0; k < SHOP_REACH; k++)
		cr_expect_float_eq(reach[k], (float)(k + 1), 1e-6F);
	shop_part_free(&part);
}

/* What is said while an unknown thing happens, and shortly after, is no false alarm; a calendar
 * takes the time itself away, and no more. */
static void check_aside(uint32_t tier)
{
	struct counts_spec busy = spec;
	struct happening happenings[COUNTS_HAPPENINGS_MAX];
	struct shop_twins twins;
	const bool known = tier == 3;
	uint32_t aside = 0, expected = 0;

	busy.tier = &counts_tiers[tier];
	cr_assert_eq(shop_twins_make(&twins, SHOP_COUNT, &busy, 0, SERIES), 0);
	busy.series = 2;
	uint32_t count = counts_happenings(&busy, happenings);
	cr_assert_eq(count, 6);
	for (uint32_t t = 0; t < SHOP_MINUTES; t++) {
		bool within = false;
		for (uint32_t i = 0; i < count; i++) {
			uint32_t after = known ? 0 : happenings[i].after;
			within |= t >= happenings[i].start &&
				  t < happenings[i].start + happenings[i].length + after;
		}
		expected += within;
		aside += (shop_aside(&twins, 2, t) & TWINS_UNCOUNTED) != 0;
		cr_assert_eq(within, shop_aside(&twins, 2, t) & TWINS_UNCOUNTED);
		cr_assert_eq(isnan(shop_value(&twins, 2, t, 5)), known && within);
	}
	cr_expect(aside == expected && aside > 2 * COUNTS_DAY, "%u", aside);
	shop_twins_free(&twins);
}

Test(quality_shop, what_happens_is_set_aside_and_a_calendar_excludes_it)
{
	check_aside(2);
	check_aside(3);
}

/* In the hours of the test that are wholly set aside nothing was written down. */
static void check_silence(const struct shop_part *part, uint32_t series)
{
	struct happening happenings[COUNTS_HAPPENINGS_MAX];
	struct counts_spec one = part->spec;
	uint32_t hours = 0;

	one.series = series;
	uint32_t count = counts_happenings(&one, happenings);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t end = happenings[i].start + happenings[i].length;
		for (uint32_t t = (happenings[i].start + 59) / 60 * 60; t + 60 <= end; t += 60) {
			if (t < SHOP_TEST)
				continue;
			size_t hour = (size_t)series * SHOP_HOURS + (t - SHOP_TEST) / 60;
			cr_assert_eq(part->methods[SHOP_WEIR].hour_max[hour], 0.0F);
			hours++;
		}
	}
	cr_assert_geq(hours, 24);
}

/* Who knows nothing fires on a day of 2.2 times the usual: only its aftermath counts. */
Test(quality_shop, alarms_on_what_happens_are_not_counted_and_none_are_raised_with_a_calendar)
{
	double fired[2], worst[2] = {0, 0};

	for (uint32_t known = 0; known < 2; known++) {
		struct counts_spec busy = spec;
		struct shop_part part;
		busy.rate = 500;
		busy.tier = &counts_tiers[2 + known];
		cr_assert_eq(shop_part_init(&part, SHOP_COUNT, &busy, SERIES, false), 0);
		cr_assert_eq(shop_part_score(&part, 0, SERIES), 0);
		for (uint32_t i = 0; i < SERIES; i++)
			check_silence(&part, i);
		fired[known] = 0;
		for (uint32_t i = 0; i < SERIES; i++)
			fired[known] += part.fired[i];
		for (uint32_t i = 0; i < SERIES * SHOP_HOURS; i++)
			worst[known] = fmax(worst[known], part.methods[SHOP_WEIR].hour_max[i]);
		shop_part_free(&part);
	}
	/* The score of the holiday's first minute has no bound near 40. */
	cr_expect_lt(worst[1], 12, "%g", worst[1]);
	/* What nobody announced is survived: but for chance there are no more alarms. */
	cr_expect_leq(fired[1], fired[0] + 1, "%g, %g", fired[1], fired[0]);
}
