/*
 * What a score is worth: what was measured where enough was, what it says where nothing was, and
 * never less than a lower one. Incidents teach nothing.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "detect/calibration.h"
#include "detect/life.h"
#include "support.h"

#define MINUTE 60000
#define HOUR 3600000
#define SLICES 12
#define NEVER 99.0 /* worth of what fires */

/* Steps of so many slices, each an episode in `often`; its peak's tail falls by `slope` decades a
 * unit of score. */
static void play(struct calibration *calibration, struct chance *chance, uint32_t steps,
		 double slices, double often, double slope)
{
	for (uint32_t step = 0; step < steps; step++) {
		uint32_t reached[CALIBRATION_LEVELS] = {0};
		uint32_t count = (uint32_t)chance_poisson(chance, slices * often);
		for (uint32_t i = 0; i < count; i++) {
			double over = -log10(chance_uniform(chance)) / slope;
			for (uint32_t k = 0; k < CALIBRATION_LEVELS && k * CALIBRATION_STEP <= over;
			     k++)
				reached[k]++;
		}
		calibration_add(calibration, slices, reached);
		calibration_step(calibration, MINUTE, step + 20000, 1, NEVER);
	}
}

Test(calibration, what_was_measured_is_believed_and_goes_on)
{
	static const double slopes[] = {0.6, 0.8, 1.0};
	struct chance chance = {.state = 7};

	for (uint32_t i = 0; i < 3; i++) {
		struct calibration calibration;
		calibration_init(&calibration);
		play(&calibration, &chance, 20000, 1000, 0.02, slopes[i]);
		for (double score = 2; score < 9; score += 0.25) {
			double right = -log10(0.02) + slopes[i] * (score - 2);
			double worth = calibration_score(&calibration, score);
			cr_assert_lt(fabs(worth - right), 0.05 * score,
				     "slope %g: %g is worth %g, not %g", slopes[i], score, worth,
				     right);
		}
	}
}

/* What fires is not counted among the episodes, nor are false alarms: still there are no more of
 * these than the budget allows. */
Test(calibration, what_fires_by_chance_is_no_rarer_for_it)
{
	const double fires = 4.5, slices = 1000, slope = 0.7;
	struct calibration calibration;
	struct chance chance = {.state = 12};
	double alarms = 0, steps = 60000;

	calibration_init(&calibration);
	for (uint32_t step = 0; step < 2 * steps; step++) {
		uint32_t reached[CALIBRATION_LEVELS] = {0};
		uint32_t count = (uint32_t)chance_poisson(&chance, 0.01 * slices);
		for (uint32_t i = 0; i < count; i++) {
			double score = 2 - log10(chance_uniform(&chance)) / slope;
			bool fired = calibration_score(&calibration, score) >= fires;
			calibration.fired += fired;
			alarms += fired && step >= steps;
			for (uint32_t k = 0; !fired && k < CALIBRATION_LEVELS &&
					     score >= CALIBRATION_FROM + k * CALIBRATION_STEP;
			     k++)
				reached[k]++;
		}
		calibration_add(&calibration, slices, reached);
		calibration_step(&calibration, MINUTE, step + 20000, 0, fires);
	}
	double budget = steps * slices * pow(10, -fires);
	cr_assert(alarms > 0.7 * budget && alarms < 1.3 * budget, "%g alarms of %g", alarms,
		  budget);
}

/* Series that become known say more and more: what they say now counts, not when they were new. */
Test(calibration, what_becomes_more_is_not_what_it_was)
{
	const double slices = 1000, fortnight = 20160;
	struct calibration calibration;
	struct chance chance = {.state = 14};
	double often = 0;

	calibration_init(&calibration);
	for (double seen = fortnight; seen < 4 * fortnight; seen++) {
		uint32_t reached[CALIBRATION_LEVELS] = {0};
		often = 0.001 * seen / fortnight;
		reached[0] = (uint32_t)chance_poisson(&chance, slices * often);
		calibration_add(&calibration, slices, reached);
		calibration_step(&calibration, MINUTE, (uint64_t)seen, 0, NEVER);
	}
	/* Of all that was counted the mean would be 0.62 of it. */
	double rate = calibration.over[0] / calibration.time;
	cr_assert(rate > 0.72 * often && rate < 0.82 * often, "%g where there are %g", rate, often);
}

/* Incidents are no more than chance can be, however many there are. */
Test(calibration, what_fires_again_and_again_teaches_little)
{
	struct calibration calibration, with;
	struct chance chance = {.state = 13};

	calibration_init(&calibration);
	play(&calibration, &chance, 20000, 100, 0.01, 1);
	with = calibration;
	with.fired = 1000;
	for (uint32_t step = 0; step < 60; step++) {
		calibration_step(&calibration, MINUTE, step + 40000, 0, 6);
		calibration_step(&with, MINUTE, step + 40000, 0, 6);
	}
	cr_assert_gt(with.fired, 900);
	for (double score = 2; score < 9; score += 0.25)
		cr_assert_gt(calibration_score(&with, score),
			     calibration_score(&calibration, score) - 0.35, "%g", score);
}

Test(calibration, with_little_counted_a_score_says_what_it_says)
{
	struct calibration calibration;
	struct chance chance = {.state = 8};

	calibration_init(&calibration);
	for (double score = 0; score < 30; score += 0.5)
		cr_assert_float_eq(calibration_score(&calibration, score), score, 1e-12);
	/* Five times as many as they say, of which eight have come. */
	play(&calibration, &chance, 60, 8, 0.05 / 3, 1);
	double worth = calibration_score(&calibration, 4);
	cr_assert(worth > 3, "4 is worth %g", worth);
}

Test(calibration, a_higher_score_is_never_worth_less)
{
	struct chance chance = {.state = 9};

	for (uint32_t round = 0; round < 40; round++) {
		struct calibration calibration;
		double slope = 0.2 + 2 * chance_uniform(&chance), last = -1;
		calibration_init(&calibration);
		play(&calibration, &chance, 500, 300, 0.3 * chance_uniform(&chance), slope);
		cr_assert(calibration_possible(&calibration));
		for (double score = 0; score < 40; score += 0.03) {
			double worth = calibration_score(&calibration, score);
			cr_assert(worth >= last && worth >= score * 0.39 - 2.5 &&
				  worth <= score * 1.2 + 1.1);
			last = worth;
		}
	}
}

Test(calibration, many_at_once_count_for_a_few)
{
	struct calibration calibration, with;
	struct chance chance = {.state = 10};
	uint32_t reached[CALIBRATION_LEVELS];

	calibration_init(&calibration);
	play(&calibration, &chance, 10000, 100, 0.01, 1);
	with = calibration;
	for (uint32_t k = 0; k < CALIBRATION_LEVELS; k++)
		reached[k] = 100;
	calibration_add(&with, 100, reached);
	cr_assert_lt(with.over[0] - calibration.over[0], 30);
	cr_assert_lt(with.over[CALIBRATION_LEVELS - 1], 30);
}

Test(calibration, numbers_that_cannot_be_are_refused)
{
	struct calibration good, bad;
	struct chance chance = {.state = 11};

	calibration_init(&good);
	play(&good, &chance, 1000, 100, 0.01, 1);
	cr_assert(calibration_possible(&good));
#define REFUSES(change)                                                                            \
	do {                                                                                       \
		bad = good;                                                                        \
		bad.change;                                                                        \
		cr_assert_not(calibration_possible(&bad), #change);                                \
	} while (0)
	REFUSES(time = NAN);
	REFUSES(time = -1);
	REFUSES(over[3] = good.over[2] + 1);
	REFUSES(over[CALIBRATION_LEVELS - 1] = -1);
	REFUSES(worth[5] = good.worth[4] - 1);
	REFUSES(worth[CALIBRATION_LEVELS - 1] = INFINITY);
	REFUSES(slope = 0);
	REFUSES(last = CALIBRATION_LEVELS);
	REFUSES(steps = UINT64_MAX);
	REFUSES(ran = NAN);
	REFUSES(fired = -1);
}

static const struct detector_spec spec = {
	.name = "orders",
	.metric = "orders",
	.kind = DETECTOR_SEASONAL,
	.severity = 70,
	.for_intervals = 1,
	.recover_intervals = 2,
	.learn_intervals = 20,
};

static struct shop shop;
static struct heard heard;

static void shop_step(struct bank *bank, uint32_t slices, double factor, double other)
{
	double shape = shop_shape(shop_hours(&shop) + 1);

	shop.observations.interval++;
	for (uint32_t i = 0; i < slices; i++)
		shop_draw(&shop, i, (5 + 20 * i) * shape * (i % 2 ? factor : other));
	heard.count = 0;
	cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
}

static struct bank *bank_of(uint32_t slices, bool apart)
{
	struct detector_spec own = spec;

	own.apart = apart;
	shop_init(&shop, 70, slices, HOUR, AGGREGATE_COUNT);
	for (uint32_t i = 0; i < slices; i++)
		sprintf(shop.labels[i], "country=C%u", i);
	return bank_create(&own);
}

/* Few slices, and such as have nothing to do with each other, are judged by their scores alone. */
Test(calibration, few_slices_and_rows_of_numbers_learn_nothing)
{
	static const struct {
		uint32_t slices;
		bool apart, learns;
	} cases[] = {{SLICES, false, true}, {SLICES, true, false}, {7, false, false}};

	for (uint32_t k = 0; k < 3; k++) {
		struct bank *bank = bank_of(cases[k].slices, cases[k].apart);
		for (uint32_t hour = 0; hour < 8 * 168; hour++) {
			shop_step(bank, cases[k].slices, 1, 1);
			cr_assert(hour >= 14 * 24 || bank->calibration.time == 0);
		}
		cr_assert_eq(bank->calibration.time > 0, cases[k].learns);
		cr_assert_eq(bank->calibration.over[0] > 5, cases[k].learns);
		cr_assert_eq(calibration_score(&bank->calibration, 5) == 5, !cases[k].learns);
		bank_destroy(bank);
	}
}

/* Every other day half of the slices lose most for two hours, and the others a bit for six, for
 * months: nobody takes it for usual. */
Test(calibration, incidents_teach_nothing)
{
	struct bank *bank = bank_of(SLICES, false);

	for (uint32_t hour = 0; hour < 20 * 168; hour++) {
		uint32_t since = hour >= 4 * 168 ? hour % 48 : 99;
		shop_step(bank, SLICES, since < 2 ? 0.4 : 1, since < 6 ? 0.8 : 1);
	}
	double over = bank->calibration.over[5], worth = calibration_score(&bank->calibration, 6);
	cr_assert_lt(over, 2, "%g episodes beyond 4.5", over);
	cr_assert_gt(worth, 4.5, "6 is worth %g", worth);
	bank_destroy(bank);
}

/* Something fires in four of eight steps: there is less to count, and not less often. Episodes are
 * of one step, and over after two more. */
Test(calibration, what_often_fires_does_not_seem_seldom)
{
	const double often = 0.02;
	struct bank *bank = bank_of(SLICES, false);
	struct chance chance = {.state = 11};

	shop_step(bank, SLICES, 1, 1);
	bank->seen = 1000;
	for (int64_t step = 1; step < 40000; step++) {
		bank->running = step % 8 < 4;
		bank_calibrate_begin(bank, step, 3);
		for (uint32_t i = 0; i < SLICES; i++) {
			bool lives = bank->episodes.peak[i] > 0;
			bool begins = !lives && chance_uniform(&chance) < often;
			if (lives || begins)
				bank_episode(bank, i, begins ? 3.2 : 0.2);
		}
		bank_calibrate_end(bank, &shop.observations, SLICES, 0, NEVER);
	}
	/* While it lasts another one cannot begin. */
	double right = often / (1 + 2 * often);
	double rate = bank->calibration.over[0] / bank->calibration.time;
	cr_assert(fabs(rate / right - 1) < 0.1, "%g in the place of %g", rate, right);
	bank_destroy(bank);
}

/* An episode that has been counted and grows counts by how far it came in the end: half of these
 * come to 3.2, and a while later to 5.1. */
Test(calibration, what_grows_counts_by_what_it_came_to)
{
	static const double grows[] = {3.2, 1.6, 5.1, 1.6, 0.2, 0.2},
			    stays[] = {3.2, 1.6, 2.9, 1.6, 0.2, 0.2};
	struct bank *bank = bank_of(SLICES, false);
	const struct calibration *calibration = &bank->calibration;

	shop_step(bank, SLICES, 1, 1);
	bank->seen = 1000;
	for (int64_t step = 0; step < 600; step++) {
		/* Each goes on while its score is 1.5. */
		bank_calibrate_begin(bank, step, 1.5 - bank->log10_intervals);
		for (uint32_t i = 0; i < SLICES && i <= step; i++)
			bank_episode(bank, i, (i / 6 ? grows : stays)[(step - i) % 6]);
		bank_calibrate_end(bank, &shop.observations, SLICES, 0, NEVER);
	}
	cr_assert_gt(calibration->over[2], 500);
	/* Levels of 3, 4 and 5. */
	double part = calibration->over[4] / calibration->over[2];
	cr_assert(part > 0.45 && part < 0.55, "%g of them grew", part);
	cr_assert_float_eq(calibration->over[6], calibration->over[4], 1e-6);
	cr_assert_lt(calibration->over[7], 1e-6);
	cr_assert(calibration_possible(calibration));
	bank_destroy(bank);
}

/* Steps in which a slice says nothing are as faint as any: its episode ends in them. */
Test(calibration, what_says_nothing_is_over)
{
	struct bank *bank = bank_of(SLICES, false);

	for (uint32_t hour = 0; hour < 3 * 168; hour++)
		shop_step(bank, SLICES, 1, 1);
	bank->episodes.peak[0] = 5;
	bank->episodes.start[0] = (double)shop.observations.interval;
	bank->episodes.faint[0] = bank->episodes.counted[0] = 0;
	for (uint32_t k = 0; k < spec.recover_intervals; k++) {
		shop.observations.interval++;
		for (uint32_t i = 0; i < SLICES; i++)
			shop_draw(&shop, i, (5 + 20 * i) * shop_shape(shop_hours(&shop)));
		shop.value[0] = NAN;
		cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
	}
	cr_assert_eq(bank->episodes.peak[0], 0);
	cr_assert_eq(bank->episodes.counted[0], 5);
	bank_destroy(bank);
}

/* What has been counted, and what goes on, outlive a restart bit for bit. */
Test(calibration, goes_on_after_a_restart)
{
	struct bank *bank = bank_of(SLICES, false), *twin;
	struct bytes one = {0}, other = {0};

	for (uint32_t hour = 0; hour < 4 * 168; hour++)
		shop_step(bank, SLICES, 1, 1);
	struct shop then = shop;
	bank_save(bank, &one);
	twin = bank_create(&spec);
	struct bytes_reader in = {.data = one.data, .left = one.used};
	cr_assert_eq(bank_load(twin, &in), 0);
	cr_assert_eq(twin->calibration.time, bank->calibration.time);
	for (uint32_t k = 0; k < 2; k++) {
		shop = then;
		for (uint32_t hour = 0; hour < 2 * 168; hour++)
			shop_step(k ? twin : bank, SLICES, hour % 100 == 99 ? 0.5 : 1, 1);
	}
	bytes_clear(&one);
	bank_save(bank, &one);
	bank_save(twin, &other);
	cr_assert_eq(one.used, other.used);
	cr_assert_eq(memcmp(one.data, other.data, one.used), 0);
	/* What cannot be is refused: the first number of what was counted. */
	size_t at = 0;
	while (memcmp(other.data + at, &twin->calibration, sizeof(twin->calibration)) != 0)
		at++;
	memset(other.data + at, 0xff, sizeof(double));
	in = (struct bytes_reader){.data = other.data, .left = other.used};
	cr_assert_eq(bank_load(twin, &in), -EPROTO);
	bytes_fini(&one);
	bytes_fini(&other);
	bank_destroy(bank);
	bank_destroy(twin);
}
