/* Contributions: their arithmetic, and whether the first of them is what was planted. */
#include <criterion/criterion.h>
#include <math.h>

#include "detect/diagnose.h"
#include "market.h"

static struct market market;
static struct heard heard;

static struct detector_spec profile_spec(int64_t interval_ms)
{
	return (struct detector_spec){
		.name = "orders",
		.metric = "orders",
		.kind = DETECTOR_SEASONAL,
		.severity = 75,
		.min_volume = 5,
		.for_intervals = 1,
		.recover_intervals = 3,
		.learn_intervals = (uint32_t)(86400000 / interval_ms),
	};
}

static struct bank *taught_bank(uint64_t seed, double rate, enum aggregation aggregation)
{
	struct detector_spec spec = profile_spec(300000);
	struct bank *bank = bank_create(&spec);

	market_init(&market, seed, rate, 300000, aggregation);
	/* Two weeks, to half past eleven. */
	for (int k = 0; k < 14 * 288 + 138; k++) {
		market_step(&market);
		bank_step(bank, &market.shop.observations, heard_each, &heard);
	}
	heard.count = 0;
	return bank;
}

static void check_shares(const struct anomaly *a)
{
	double sums[MARKET_DIMENSIONS] = {0};
	for (uint32_t k = 0; k < a->contributions; k++) {
		const struct contribution *c = &a->contribution[k];
		uint32_t d = 0;
		while (d < MARKET_DIMENSIONS && strcmp(c->dimension, market_names[d]) != 0)
			d++;
		cr_assert_lt(d, MARKET_DIMENSIONS, "a pair is no contribution");
		cr_assert(c->share > 0 && c->share <= 1);
		cr_assert(isfinite(c->observed) && isfinite(c->expected));
		sums[d] += c->share;
	}
	for (uint32_t d = 0; d < MARKET_DIMENSIONS; d++)
		cr_assert(sums[d] == 0 || fabs(sums[d] - 1) < 1e-9, "%s adds up to %.12f",
			  market_names[d], sums[d]);
}

Test(diagnose, the_planted_value_is_the_first_contribution, .timeout = 60)
{
	for (uint32_t d = 0; d < MARKET_DIMENSIONS; d++) {
		for (uint32_t v = 0; v < market_sizes[d]; v++) {
			struct bank *bank = taught_bank(100 + 10 * d + v, 4000, AGGREGATE_COUNT);
			market.dimension = (int)d;
			market.value = v;
			market.factor = 0.6;
			for (int k = 0; k < 3; k++) {
				market_step(&market);
				bank_step(bank, &market.shop.observations, heard_each, &heard);
			}
			cr_assert_gt(heard.count, 0, "%s was not seen", market_values[d][v]);
			for (uint32_t i = 0; i < heard.count; i++) {
				const struct anomaly *a = &heard.anomaly[i];
				cr_assert_gt(a->contributions, 0);
				cr_assert_str_eq(a->contribution[0].dimension, market_names[d]);
				cr_assert_str_eq(a->contribution[0].value, market_values[d][v]);
				/* Of a small value the others' noise takes its part. */
				bool small = market_parts[d][v] < 0.15;
				cr_assert_gt(a->contribution[0].share, small ? 0.3 : 0.6);
				check_shares(a);
				cr_assert_eq(a->explanations, 1);
				cr_assert_str_eq(a->explanation[0].slice,
						 market.shop.labels[market_slice(d, v)]);
			}
			bank_destroy(bank);
		}
	}
}

Test(diagnose, works_for_money_and_for_mean_values, .timeout = 60)
{
	static const enum aggregation aggregations[] = {AGGREGATE_SUM, AGGREGATE_MEAN};
	for (unsigned kind = 0; kind < 2; kind++) {
		struct bank *bank = taught_bank(200 + kind, 1000, aggregations[kind]);
		for (int k = 0; k < 4; k++) {
			market.dimension = 0;
			market.value = 1;
			market.factor = kind == 0 ? 0.4 : 1;
			market_step(&market);
			/* France pays half. */
			for (uint32_t i = 0; kind == 1 && i < MARKET_SLICES; i++) {
				bool french = strstr(market.shop.labels[i], "country=FR");
				market.shop.value[i] *= french ? 0.5 : i == 0 || i >= 7 ? 0.89 : 1;
			}
			bank_step(bank, &market.shop.observations, heard_each, &heard);
		}
		cr_assert_gt(heard.count, 0);
		for (uint32_t i = 0; i < heard.count; i++) {
			cr_assert_str_eq(heard.anomaly[i].contribution[0].value, "FR");
			check_shares(&heard.anomaly[i]);
		}
		bank_destroy(bank);
	}
}

Test(diagnose, a_drop_of_everything_names_shares_by_volume)
{
	struct bank *bank = taught_bank(300, 2000, AGGREGATE_COUNT);

	market.factor = 0.5;
	for (int k = 0; k < 3; k++) {
		market_step(&market);
		bank_step(bank, &market.shop.observations, heard_each, &heard);
	}
	const struct anomaly *a = &heard.anomaly[0];
	cr_assert_gt(heard.count, 0);
	cr_assert_str_eq(a->slice, "");
	for (uint32_t k = 0; k < a->contributions; k++) {
		const struct contribution *c = &a->contribution[k];
		for (uint32_t d = 0; d < MARKET_DIMENSIONS; d++) {
			for (uint32_t v = 0; v < market_sizes[d]; v++) {
				if (strcmp(c->value, market_values[d][v]) == 0)
					cr_assert_float_eq(c->share, market_parts[d][v], 0.08);
			}
		}
	}
	check_shares(a);
	bank_destroy(bank);
}

/* Hand-made sums: two dimensions, two values each, one of them the only one with traffic. */
static struct observations hand_made(struct shop *shop)
{
	static const char *names[] = {"channel", "country"};
	static const char *values[][2] = {{"web", "app"}, {"DE", "FR"}};
	shop_init(shop, 1, 5, 60000, AGGREGATE_COUNT);
	for (uint32_t i = 0; i < 4; i++) {
		shop->names[1 + i][0] = names[i / 2];
		shop->values[1 + i][0] = values[i / 2][i % 2];
		shop->slices[1 + i] = (struct slice){.label = "",
						     .rollup = 1 + i / 2,
						     .dimensions = 1,
						     .names = shop->names[1 + i],
						     .values = shop->values[1 + i]};
	}
	return shop->observations;
}

Test(diagnose, the_only_value_of_a_dimension_is_not_the_cause)
{
	static struct shop shop;
	struct observations observations = hand_made(&shop);
	double observed[] = {860, 860, 0, 200, 660}, expected[] = {1000, 1000, 0, 320, 680};
	double variance[] = {1000, 1000, 0, 320, 680}, weight[] = {1, 1, 1, 1, 1};
	double zero[5] = {0};
	int8_t direction[5] = {0};
	struct verdicts verdicts = {expected, zero, zero, zero, direction, zero, zero};
	struct diagnosis diagnosis = {observed, expected, variance, weight};
	struct contribution c[ANOMALY_CONTRIBUTIONS_MAX];

	uint32_t count = diagnose(&diagnosis, &observations, &verdicts, -1, c);
	cr_assert_eq(count, 3);
	cr_assert_str_eq(c[0].value, "DE");
	cr_assert_float_eq(c[0].share, 120.0 / 140, 1e-12);
	cr_assert_str_eq(c[1].value, "web");
	cr_assert_eq(c[1].share, 1);
	cr_assert_str_eq(c[2].value, "FR");
	cr_assert_eq(diagnose(&diagnosis, &observations, &verdicts, 1, c), 0, "nothing rose");
}

Test(diagnose, ties_go_by_name)
{
	static struct shop shop;
	struct observations observations = hand_made(&shop);
	double observed[] = {500, 250, 250, 250, 250}, expected[] = {1000, 500, 500, 500, 500};
	double variance[] = {1000, 500, 500, 500, 500}, weight[] = {1, 1, 1, 1, 1};
	double zero[5] = {0};
	int8_t direction[5] = {0};
	struct verdicts verdicts = {expected, zero, zero, zero, direction, zero, zero};
	struct diagnosis diagnosis = {observed, expected, variance, weight};
	struct contribution c[ANOMALY_CONTRIBUTIONS_MAX];

	cr_assert_eq(diagnose(&diagnosis, &observations, &verdicts, -1, c), 4);
	const char *const order[] = {"app", "web", "DE", "FR"};
	for (int i = 0; i < 4; i++) {
		cr_assert_str_eq(c[i].value, order[i]);
		cr_assert_eq(c[i].share, 0.5);
	}
}

Test(diagnose, of_more_values_than_fit_the_greatest_stay)
{
	static struct shop shop;
	static double observed[101], expected[101], variance[101], weight[101], zero[101];
	int8_t direction[101] = {0};
	struct contribution c[ANOMALY_CONTRIBUTIONS_MAX];

	shop_init(&shop, 1, 101, 60000, AGGREGATE_COUNT);
	for (uint32_t i = 1; i <= 100; i++) {
		sprintf(shop.labels[i], "c%03u", (i * 37) % 101);
		shop.names[i][0] = "city";
		shop.values[i][0] = shop.labels[i];
		shop.slices[i] = (struct slice){.label = shop.labels[i],
						.rollup = 1,
						.dimensions = 1,
						.names = shop.names[i],
						.values = shop.values[i]};
		expected[i] = variance[i] = 1000;
		observed[i] = 1000 - (double)((i * 53) % 101);
		expected[0] += expected[i], observed[0] += observed[i], variance[0] += 1000;
	}
	struct verdicts verdicts = {expected, zero, zero, zero, direction, zero, zero};
	struct diagnosis diagnosis = {observed, expected, variance, weight};
	cr_assert_eq(diagnose(&diagnosis, &shop.observations, &verdicts, -1, c),
		     ANOMALY_CONTRIBUTIONS_MAX);
	for (int i = 0; i < ANOMALY_CONTRIBUTIONS_MAX; i++)
		cr_assert_float_eq(c[i].share * 5050, 100 - i, 1e-9);
}
