/*
 * Ratios, distinct values and percentiles: how often the default detector cries wolf over them,
 * what it sees, and which dimension values are blamed. Rates follow the seeded shop's day.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "detect/severity.h"
#include "subject.h"
#include "support.h"

#define TEN_MINUTES 600000
#define WEEK 1008 /* intervals */
#define SLICES 12

static struct shop shop;
static struct probe probe;
static double numerator[SHOP_SLICES_MAX], weight[SHOP_SLICES_MAX];

static void begin(uint64_t seed, enum aggregation aggregation)
{
	struct detector_spec spec = {.kind = SUBJECT_KIND, .severity = 75, .learn_intervals = 100};
	shop_init(&shop, seed, SLICES, TEN_MINUTES, aggregation);
	shop.observations.numerator = numerator;
	shop.observations.weight = weight;
	shop.observations.quantile = 0.95;
	probe_init(&probe, &SUBJECT, &spec, SLICES);
}

/* So many visits, each with a chance of `share`. */
static void draw_ratio(uint32_t i, double visits, double share)
{
	double hits = 0;
	weight[i] = shop.events[i] = chance_poisson(&shop.chance, visits);
	for (double v = 0; v < weight[i]; v++)
		hits += chance_uniform(&shop.chance) < share;
	numerator[i] = hits;
	shop.value[i] = weight[i] > 0 ? hits / weight[i] : (double)NAN;
	shop.squares[i] = hits;
}

static double severity_of(uint32_t i)
{
	double per_week = severity_log10_intervals(TEN_MINUTES);
	return probe.log10_p[i] < 0 ? severity_raw(probe.log10_p[i], per_week) : -INFINITY;
}

typedef void draw_each(uint32_t i, double shape, bool broken);

/* Hours with an interval at 75 and above in three weeks after four, of all slices. */
static uint32_t cries(draw_each *draw, uint32_t *ret_fifty)
{
	int told[SLICES][2] = {{0}};
	uint32_t seventyfive = 0;
	*ret_fifty = 0;
	for (int k = 0; k < 7 * WEEK; k++) {
		shop.observations.interval++;
		double shape = shop_shape(shop_hours(&shop));
		for (uint32_t i = 0; i < SLICES; i++)
			draw(i, shape, false);
		probe_step(&probe, &shop);
		for (uint32_t i = 0; i < SLICES && k >= 4 * WEEK; i++) {
			int hour = k / 6;
			bool major = severity_of(i) >= 50, critical = severity_of(i) >= 75;
			*ret_fifty += major && told[i][0] != hour;
			seventyfive += critical && told[i][1] != hour;
			told[i][0] = major ? hour : told[i][0];
			told[i][1] = critical ? hour : told[i][1];
		}
	}
	return seventyfive;
}

static void draw_conversion(uint32_t i, double shape, bool broken)
{
	static const double rates[] = {5, 40, 400}, shares[] = {0.02, 0.45, 0.9, 0.2};
	draw_ratio(i, rates[i % 3] * shape, shares[i % 4] * (broken ? 0.5 : 1));
}

Test(quotient, a_ratio_rarely_cries_wolf_whatever_its_denominator, .timeout = 30)
{
	uint32_t fifty;
	begin(1, AGGREGATE_RATIO);
	uint32_t seventyfive = cries(draw_conversion, &fifty);
	/* 36 slice-weeks: 36 at 50 are what it says; a third of one at 75. */
	cr_assert_leq(fifty, 72, "%u at 50", fifty);
	cr_assert_leq(seventyfive, 4, "%u at 75", seventyfive);
	/* What is halved is seen where there is enough to see it by. */
	uint32_t seen = 0;
	for (int k = 0; k < 6; k++) {
		shop.observations.interval += 1;
		for (uint32_t i = 0; i < SLICES; i++)
			draw_conversion(i, 1, true);
		probe_step(&probe, &shop);
		for (uint32_t i = 0; i < SLICES; i++)
			seen |= (uint32_t)(severity_of(i) >= 75 && probe.direction[i] < 0) << i;
	}
	/* 400 visits: slices 2 (0.9), 5 (0.45), 11 (0.2) and 8 (0.02, too rare for an hour). */
	cr_assert_eq(seen & 0x824, 0x824, "seen %x", seen);
	probe_fini(&probe);
}

static void draw_visitors(uint32_t i, double shape, bool broken)
{
	static const double rates[] = {3, 60, 2000};
	double rate = rates[i % 3] * shape * (broken ? 0.5 : 1);
	double visitors = chance_poisson(&shop.chance, rate);
	/* Counting distinct values by a sketch has an error of its own. */
	shop.value[i] = fmax(visitors * (1 + 0.016 * chance_normal(&shop.chance)), 0);
	shop.events[i] = 3 * visitors;
	shop.squares[i] = 0;
}

Test(quotient, distinct_values_are_counts_with_an_error_of_their_own, .timeout = 30)
{
	uint32_t fifty;
	begin(2, AGGREGATE_DISTINCT);
	uint32_t seventyfive = cries(draw_visitors, &fifty);
	cr_assert_leq(fifty, 72, "%u at 50", fifty);
	cr_assert_leq(seventyfive, 4, "%u at 75", seventyfive);
	shop.observations.interval++;
	for (uint32_t i = 0; i < SLICES; i++)
		draw_visitors(i, shop_shape(shop_hours(&shop)), true);
	probe_step(&probe, &shop);
	for (uint32_t i = 2; i < SLICES; i += 3)
		cr_assert(severity_of(i) >= 75 && probe.direction[i] < 0);
	probe_fini(&probe);
}

/* The 95th percentile of that many lognormal times: its own law, close to normal. */
static void draw_percentile(uint32_t i, double shape, bool broken)
{
	static const double rates[] = {20, 200, 2000};
	double events = chance_poisson(&shop.chance, rates[i % 3] * shape);
	double error = 0.5 * 2.1 / sqrt(fmax(events, 1));
	shop.events[i] = events;
	shop.value[i] = events > 0 ? 120 * exp(0.5 * 1.645 + error * chance_normal(&shop.chance)) *
					     (broken ? 3 : 1)
				   : (double)NAN;
	shop.squares[i] = 0;
}

Test(quotient, a_percentile_of_few_events_is_less_sure, .timeout = 30)
{
	uint32_t fifty;
	begin(3, AGGREGATE_PERCENTILE);
	uint32_t seventyfive = cries(draw_percentile, &fifty);
	cr_assert_leq(fifty, 72, "%u at 50", fifty);
	cr_assert_leq(seventyfive, 6, "%u at 75", seventyfive);
	shop.observations.interval++;
	for (uint32_t i = 0; i < SLICES; i++)
		draw_percentile(i, 1, true);
	probe_step(&probe, &shop);
	for (uint32_t i = 2; i < SLICES; i += 3)
		cr_assert(severity_of(i) >= 75 && probe.direction[i] > 0);
	probe_fini(&probe);
}

Test(quotient, what_a_ratio_lost_is_blamed_on_the_value_that_lost_it)
{
	static struct heard heard;
	struct detector_spec spec = {.name = "conversion",
				     .metric = "conversion",
				     .kind = SUBJECT_KIND,
				     .severity = 75,
				     .learn_intervals = 100,
				     .for_intervals = 1,
				     .recover_intervals = 2};
	static const double parts[] = {1, 0.6, 0.3, 0.1};
	static const char *const channels[] = {"", "cpc", "email", "social"};
	struct bank *bank = bank_create(&spec);

	begin(4, AGGREGATE_RATIO);
	shop.observations.count = 4;
	for (uint32_t i = 1; i < 4; i++) {
		shop.names[i][0] = "channel", shop.values[i][0] = channels[i];
		sprintf(shop.labels[i], "channel=%s", channels[i]);
		shop.slices[i] = (struct slice){.label = shop.labels[i],
						.rollup = 1,
						.dimensions = 1,
						.names = shop.names[i],
						.values = shop.values[i]};
	}
	for (int k = 0; k < 2 * WEEK; k++) {
		shop.observations.interval++;
		bool broken = k >= 2 * WEEK - 3;
		double shape = broken ? 1 : shop_shape(shop_hours(&shop));
		weight[0] = numerator[0] = 0;
		for (uint32_t i = 1; i < 4; i++) {
			/* email converts half as often */
			draw_ratio(i, 9000 * parts[i] * shape, broken && i == 2 ? 0.05 : 0.1);
			weight[0] += weight[i], numerator[0] += numerator[i];
		}
		shop.events[0] = weight[0];
		shop.value[0] = numerator[0] / weight[0];
		heard.count = broken ? heard.count : 0;
		cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
	}
	cr_assert_gt(heard.count, 0);
	const struct anomaly *last = &heard.anomaly[heard.count - 1];
	cr_assert_eq(last->direction, -1);
	cr_assert_gt(last->contributions, 0);
	cr_assert_str_eq(last->contribution[0].value, "email");
	cr_assert_gt(last->contribution[0].share, 0.7);
	double sum = 0;
	for (uint32_t c = 0; c < last->contributions; c++)
		sum += last->contribution[c].share;
	cr_assert_float_eq(sum, 1, 1e-9);
	bank_destroy(bank);
	probe_fini(&probe);
}
