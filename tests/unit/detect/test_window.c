/* The window against its definition, and its tails against chance. */
#include <criterion/criterion.h>
#include <math.h>

#include "detect/severity.h"
#include "support.h"

static struct detector_spec window_spec(uint32_t window, double k)
{
	return (struct detector_spec){
		.kind = DETECTOR_WINDOW, .severity = 75, .window = window, .k = k};
}

static void step_values(struct probe *probe, struct shop *shop, double value)
{
	shop->observations.interval++;
	shop->value[0] = value;
	shop->events[0] = 1;
	shop->squares[0] = value * value;
	probe_step(probe, shop);
}

Test(window, band_is_mean_and_k_deviations_of_the_last_values)
{
	struct detector_spec spec = window_spec(20, 2.5);
	struct shop shop;
	struct probe probe;
	double values[500];

	shop_init(&shop, 1, 1, 60000, AGGREGATE_MEAN);
	probe_init(&probe, &detector_window, &spec, 1);
	for (int k = 0; k < 500; k++) {
		values[k] = 1000 + 50 * chance_normal(&shop.chance);
		step_values(&probe, &shop, values[k]);
		if (k < 20)
			continue;
		double mean = 0, square = 0;
		for (int i = k - 20; i < k; i++)
			mean += values[i] / 20;
		for (int i = k - 20; i < k; i++)
			square += (values[i] - mean) * (values[i] - mean) / 19;
		double spread = 2.5 * sqrt(square);
		cr_assert_float_eq(probe.expected[0], mean, 1e-6);
		cr_assert_float_eq(probe.lower[0], mean - spread, 1e-6);
		cr_assert_float_eq(probe.upper[0], mean + spread, 1e-6);
	}
	probe_fini(&probe);
}

Test(window, long_window_in_buckets_is_close_to_the_plain_one)
{
	struct detector_spec spec = window_spec(2400, 3);
	struct shop shop;
	struct probe probe;
	static double values[6000];

	shop_init(&shop, 2, 1, 60000, AGGREGATE_COUNT);
	probe_init(&probe, &detector_window, &spec, 1);
	for (int k = 0; k < 6000; k++) {
		values[k] = chance_poisson(&shop.chance, 40 + 0.002 * k);
		step_values(&probe, &shop, values[k]);
		if (k < 2400 || k % 100)
			continue;
		double mean = 0;
		for (int i = k - 2400; i < k; i++)
			mean += values[i] / 2400;
		cr_assert_float_eq(probe.expected[0], mean, 0.05);
		cr_assert_float_eq(probe.upper[0] - mean, 3 * sqrt(mean), 2);
	}
	cr_assert_leq(detector_window.bytes(&spec, 1024) / 1024, 4096);
	probe_fini(&probe);
}

Test(window, missing_values_take_a_place_and_count_for_nothing)
{
	struct detector_spec spec = window_spec(10, 3);
	struct shop shop;
	struct probe probe;

	shop_init(&shop, 3, 1, 60000, AGGREGATE_MEAN);
	probe_init(&probe, &detector_window, &spec, 1);
	for (int k = 0; k < 10; k++)
		step_values(&probe, &shop, k < 4 ? 100 : 10);
	for (int k = 0; k < 4; k++) {
		step_values(&probe, &shop, NAN);
		cr_assert_eq(probe.log10_p[0], 0);
	}
	/* The four hundreds have left the window, six tens are in it. */
	step_values(&probe, &shop, 10);
	cr_assert_float_eq(probe.expected[0], 10, 1e-9);
	cr_assert_lt(probe.log10_p[0], 0);
	probe_fini(&probe);
}

Test(window, counts_keep_their_tails_at_every_rate)
{
	const double rates[] = {0.2, 2, 20, 2000};
	struct detector_spec spec = window_spec(100, 0);
	double per_week = severity_log10_intervals(60000);
	struct shop shop;
	struct probe probe;
	uint32_t fifty[4] = {0}, seventyfive = 0;

	shop_init(&shop, 4, 16, 60000, AGGREGATE_COUNT);
	probe_init(&probe, &detector_window, &spec, 16);
	for (int k = 0; k < 2 * 10080; k++) {
		shop.observations.interval++;
		for (uint32_t i = 0; i < 16; i++)
			shop_draw(&shop, i, rates[i % 4]);
		probe_step(&probe, &shop);
		for (uint32_t i = 0; i < 16; i++) {
			double severity = severity_raw(probe.log10_p[i], per_week);
			fifty[i % 4] += probe.log10_p[i] < 0 && severity >= 50;
			seventyfive += probe.log10_p[i] < 0 && severity >= 75;
		}
	}
	/* Eight series-weeks each: about eight at 50. */
	for (uint32_t i = 0; i < 4; i++)
		cr_assert_leq(fifty[i], 24, "rate %g: %u of 50", rates[i], fifty[i]);
	cr_assert_leq(seventyfive, 2, "%u of 75", seventyfive);
	probe_fini(&probe);
}

Test(window, few_samples_have_wide_tails)
{
	double tails[2];
	for (uint32_t n = 0; n < 2; n++) {
		struct detector_spec spec = window_spec(n ? 200 : 8, 3);
		struct shop shop;
		struct probe probe;
		shop_init(&shop, 5, 1, 60000, AGGREGATE_MEAN);
		probe_init(&probe, &detector_window, &spec, 1);
		for (int k = 0; k < 200; k++)
			step_values(&probe, &shop, 100 + (k % 2 ? 10 : -10));
		step_values(&probe, &shop, 170);
		tails[n] = probe.log10_p[0];
		probe_fini(&probe);
	}
	cr_assert(tails[0] > -5 && tails[1] < -8, "%g of 8, %g of 200", tails[0], tails[1]);
}

Test(window, says_nothing_before_half_its_length)
{
	struct detector_spec spec = window_spec(30, 3);
	struct shop shop;
	struct probe probe;

	shop_init(&shop, 6, 1, 60000, AGGREGATE_COUNT);
	probe_init(&probe, &detector_window, &spec, 1);
	for (int k = 0; k < 15; k++) {
		step_values(&probe, &shop, 5);
		cr_assert_eq(probe.log10_p[0], 0);
	}
	step_values(&probe, &shop, 5);
	cr_assert_lt(probe.log10_p[0], 0);
	probe_fini(&probe);
}

Test(window, stands_still_while_it_may_not_learn)
{
	struct detector_spec spec = window_spec(10, 3);
	struct shop shop;
	struct probe probe;

	shop_init(&shop, 7, 1, 60000, AGGREGATE_COUNT);
	probe_init(&probe, &detector_window, &spec, 1);
	for (int k = 0; k < 20; k++)
		step_values(&probe, &shop, 100);
	probe.learn[0] = 0;
	for (int k = 0; k < 50; k++)
		step_values(&probe, &shop, 0);
	cr_assert_float_eq(probe.expected[0], 100, 1e-9);
	shop.observations.flags = OBSERVATION_INCOMPLETE;
	probe.learn[0] = 1;
	step_values(&probe, &shop, 0);
	shop.observations.flags = 0;
	step_values(&probe, &shop, 0);
	cr_assert_float_eq(probe.expected[0], 100, 1e-9, "an incomplete interval was learned");
	probe_fini(&probe);
}

Test(window, of_last_year_is_mean_and_k_deviations_around_the_same_day_then)
{
	struct detector_spec spec = window_spec(29, 2.5);
	struct shop shop;
	struct heard heard = {0};
	static double values[800];

	spec.baseline = BASELINE_LAST_YEAR;
	spec.severity = 0;
	spec.for_intervals = spec.recover_intervals = 1;
	shop_init(&shop, 8, 1, 86400000, AGGREGATE_COUNT);
	struct bank *bank = bank_create(&spec);
	for (int k = 0; k < 800; k++) {
		/* Summer is twice winter, and one day of the second year is half of what it was. */
		double season = 1000 - 300 * cos(2 * M_PI * k / 364);
		values[k] = floor(season + 20 * chance_normal(&shop.chance));
		if (k == 600)
			values[k] = floor(values[k] / 2);
		shop.observations.interval++;
		shop.value[0] = shop.events[0] = shop.squares[0] = values[k];
		heard.count = 0;
		cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
		if (k != 600) {
			cr_assert_leq(heard.count, k == 601, "day %d", k);
			continue;
		}
		double mean = 0, square = 0;
		for (int i = 600 - 364 - 14; i < 600 - 364 + 15; i++)
			mean += values[i] / 29;
		for (int i = 600 - 364 - 14; i < 600 - 364 + 15; i++)
			square += (values[i] - mean) * (values[i] - mean) / 28;
		cr_assert_eq(heard.count, 1);
		cr_assert_float_eq(heard.anomaly[0].expected, mean, 1e-6);
		cr_assert_float_eq(heard.anomaly[0].upper - mean, 2.5 * sqrt(fmax(square, mean)),
				   1e-6);
	}
	bank_destroy(bank);
}

Test(window, of_last_year_says_nothing_of_a_past_nobody_saw)
{
	struct detector_spec spec = window_spec(10, 2);
	struct shop shop;
	struct heard heard = {0};

	spec.baseline = BASELINE_LAST_YEAR;
	spec.severity = 0;
	spec.for_intervals = spec.recover_intervals = 1;
	shop_init(&shop, 9, 1, 86400000, AGGREGATE_MEAN);
	struct bank *bank = bank_create(&spec);
	for (int k = 0; k < 900; k++) {
		shop.observations.interval++;
		shop.events[0] = 5;
		/* Wild, and without data for most of the first autumn. */
		shop.value[0] = k > 250 && k < 330 ? (double)NAN : k % 2 ? 10 : 50;
		shop.observations.flags = k > 100 && k < 110 ? OBSERVATION_INCOMPLETE : 0;
		if (k == 364 + 105 || k == 364 + 290)
			shop.value[0] = 1e6;
		cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
	}
	cr_assert_eq(heard.count, 0);
	shop.observations.interval++;
	shop.value[0] = 1e6;
	cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
	cr_assert_eq(heard.count, 1);
	bank_destroy(bank);
}

Test(window, a_share_of_few_is_no_surer_than_few_tosses)
{
	const double shares[] = {0.02, 0.4, 0.97};
	struct detector_spec spec = window_spec(60, 0);
	double per_week = severity_log10_intervals(60000);
	static double numerator[SHOP_SLICES_MAX], weight[SHOP_SLICES_MAX];
	struct shop shop;
	struct probe probe;
	uint32_t fifty[3] = {0};

	shop_init(&shop, 10, 12, 60000, AGGREGATE_RATIO);
	shop.observations.numerator = numerator;
	shop.observations.weight = weight;
	probe_init(&probe, &detector_window, &spec, 12);
	for (int k = 0; k < 2 * 10080; k++) {
		shop.observations.interval++;
		for (uint32_t i = 0; i < 12; i++) {
			/* From three visits at night to thirty. */
			double visits = chance_poisson(&shop.chance, 3 + 27 * (k % 1440 / 1440.0));
			double hits = 0;
			for (double v = 0; v < visits; v++)
				hits += chance_uniform(&shop.chance) < shares[i % 3];
			numerator[i] = hits, weight[i] = shop.events[i] = visits;
			shop.value[i] = visits > 0 ? hits / visits : (double)NAN;
		}
		probe_step(&probe, &shop);
		for (uint32_t i = 0; i < 12; i++)
			fifty[i % 3] += probe.log10_p[i] < 0 &&
					severity_raw(probe.log10_p[i], per_week) >= 50;
	}
	/* Eight series-weeks each: about eight. */
	for (uint32_t i = 0; i < 3; i++)
		cr_assert_leq(fifty[i], 24, "share %g: %u of 50", shares[i], fifty[i]);
	probe_fini(&probe);
}

/* Imported rows do not say what their events' squares were. */
Test(window, squares_that_are_not_known_leave_a_state_that_a_checkpoint_takes)
{
	struct detector_spec spec = window_spec(20, 3);
	struct shop shop;
	struct probe probe;
	struct bytes saved = {0};

	shop_init(&shop, 1, 1, 60000, AGGREGATE_SUM);
	probe_init(&probe, &detector_window, &spec, 1);
	for (int k = 0; k < 60; k++) {
		shop.observations.interval++;
		shop.value[0] = 100 + k % 3;
		shop.events[0] = 1;
		shop.squares[0] = k % 20 == 7 ? (double)NAN : 10000;
		probe_step(&probe, &shop);
		cr_assert(isfinite(probe.log10_p[0]) && isfinite(probe.upper[0]), "%d", k);
	}
	detector_window.save(probe.state, &spec, 1, 1, &saved);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	cr_assert_eq(detector_window.load(probe.state, &spec, 1, 1, &in), 0);
	bytes_fini(&saved);
	probe_fini(&probe);
}
