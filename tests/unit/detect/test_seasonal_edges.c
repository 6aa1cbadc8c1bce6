/* Where the default detector begins, and where time does not go on as usual: first values, gaps,
 * slices that are born late, intervals longer than a day. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "detect/seasonal.h"
#include "support.h"

#define MINUTE 60000
#define HOUR 3600000
#define DAY 86400000

static const struct detector_spec spec = {
	.name = "edges", .kind = DETECTOR_SEASONAL, .severity = 70, .learn_intervals = 1};

static void setup(struct shop *shop, struct probe *probe, enum aggregation aggregation,
		  int64_t interval_ms, uint32_t slices)
{
	shop_init(shop, 1, slices, interval_ms, aggregation);
	probe_init(probe, &detector_seasonal, &spec, slices);
}

/* One slice's value, of which no more is known. */
static void step_value(struct shop *shop, struct probe *probe, double value)
{
	shop->observations.interval++;
	shop->value[0] = value;
	shop->events[0] = isnan(value) ? 0 : 1;
	shop->squares[0] = NAN;
	probe_step(probe, shop);
}

static void check_sums(double sign)
{
	static struct shop shop;
	struct probe probe;

	setup(&shop, &probe, AGGREGATE_SUM, 5 * MINUTE, 1);
	for (int k = 0; k < 600; k++) {
		double truth = sign * 2000;
		step_value(&shop, &probe, truth + 140 * chance_normal(&shop.chance));
		double off = probe.expected[0] / truth;
		double reach = (probe.upper[0] - probe.lower[0]) / 2000;
		cr_assert(k == 0 || fabs(off - 1) < 0.25, "%g times what is, at %d", off, k);
		cr_assert(k < 8 || fabs(off - 1) < 0.1, "%g times what is, at %d", off, k);
		cr_assert(k < 20 || reach < 3, "a band of %g at %d", reach, k);
		cr_assert(k < 100 || reach < 1.5, "a band of %g at %d", reach, k);
	}
	/* The first of them weighs no more than others: a new level is found within half a day. */
	for (int k = 0; k < 144; k++)
		step_value(&shop, &probe, sign * (3000 + 140 * chance_normal(&shop.chance)));
	cr_assert_float_eq(probe.expected[0], sign * 3000, 200, "%g", probe.expected[0]);
	probe_fini(&probe);
}

Test(seasonal_edges, a_sum_is_expected_from_its_second_value_on)
{
	check_sums(1);
	check_sums(-1);
}

Test(seasonal_edges, what_is_missing_has_the_band_of_what_is_usual)
{
	static struct shop shop;
	struct probe probe;

	setup(&shop, &probe, AGGREGATE_MEAN, 5 * MINUTE, 1);
	for (int k = 0; k < 2016; k++) {
		step_value(&shop, &probe, k % 100 == 99 ? NAN : 50 + chance_normal(&shop.chance));
		double reach = probe.upper[0] - probe.lower[0];
		cr_assert(k < 200 || (reach > 4 && reach < 20), "%g at %d", reach, k);
	}
	probe_fini(&probe);
}

Test(seasonal_edges, a_share_of_few_may_be_further_off_than_one_of_many)
{
	static struct shop shop;
	static double numerator[SHOP_SLICES_MAX], weight[SHOP_SLICES_MAX];
	struct probe probe;
	double few = 0, many = 0;

	setup(&shop, &probe, AGGREGATE_RATIO, 5 * MINUTE, 1);
	shop.observations.numerator = numerator;
	shop.observations.weight = weight;
	for (int k = 0; k < 1000; k++) {
		weight[0] = k % 10 == 9 ? 40 : 4000;
		numerator[0] = chance_poisson(&shop.chance, 0.1 * weight[0]);
		step_value(&shop, &probe, numerator[0] / weight[0]);
		double reach = probe.upper[0] - probe.lower[0];
		if (k >= 900)
			*(weight[0] == 40 ? &few : &many) += reach / (weight[0] == 40 ? 10 : 90);
	}
	cr_assert(few > 4 * many, "%g of few, %g of many", few, many);
	probe_fini(&probe);
}

/* Counts that wander by more than chance; the highest score of eight hours that lack a twentieth,
 * which no single interval tells, on average. */
static double score_of_loss(int64_t skipped)
{
	static struct shop shop;
	struct probe probe;
	double highest[8] = {0}, sum = 0;

	setup(&shop, &probe, AGGREGATE_COUNT, 5 * MINUTE, 8);
	for (int k = 0; k < 3 * 2016 + 96; k++) {
		shop.observations.interval += k == 2016 ? 1 + skipped : 1;
		double wander = 1 + 0.01 * sin(k / 17.0) + 0.01 * sin(k / 5.0);
		double factor = k < 3 * 2016 ? 1 : 0.95;
		for (uint32_t i = 0; i < 8; i++)
			shop_draw(&shop, i, 200 * wander * factor);
		probe_step(&probe, &shop);
		for (uint32_t i = 0; i < 8 && k >= 3 * 2016; i++)
			highest[i] = fmax(highest[i], -probe.log10_p[i]);
	}
	for (uint32_t i = 0; i < 8; i++)
		sum += highest[i];
	probe_fini(&probe);
	return sum / 8;
}

Test(seasonal_edges, windows_see_as_much_behind_a_gap)
{
	double whole = score_of_loss(0), behind = score_of_loss(2016);

	cr_assert(whole > 3, "%g", whole);
	cr_assert(behind > 0.9 * whole, "%g behind a gap, %g without one", behind, whole);
}

Test(seasonal_edges, nothing_is_said_of_the_first_values_behind_a_gap)
{
	static struct shop shop;
	struct probe probe;

	setup(&shop, &probe, AGGREGATE_COUNT, 5 * MINUTE, 1);
	for (int k = 0; k < 3 * 2016; k++) {
		bool gap = k % 144 == 0 && k >= 2016;
		shop.observations.interval += gap ? 2 : 1;
		shop_draw(&shop, 0, 2000);
		probe_step(&probe, &shop);
		cr_assert(k < 2016 || k % 144 >= 12 || probe.log10_p[0] > -3, "%g at %d",
			  probe.log10_p[0], k);
	}
	probe_fini(&probe);
}

Test(seasonal_edges, intervals_may_be_longer_than_a_day)
{
	static const int64_t days[] = {2, 7, 14, 30, 400};
	static struct shop shop;
	struct probe probe;

	for (size_t d = 0; d < sizeof(days) / sizeof(days[0]); d++) {
		setup(&shop, &probe, AGGREGATE_MEAN, days[d] * DAY, 1);
		for (int k = 0; k < 400; k++) {
			step_value(&shop, &probe, 100 + chance_normal(&shop.chance));
			double reach = probe.upper[0] - probe.lower[0];
			cr_assert(k == 0 || fabs(probe.expected[0] - 100) < 4, "%g at %d of %d d",
				  probe.expected[0], k, (int)days[d]);
			cr_assert(k < 60 || (reach > 1 && reach < 30), "%g at %d of %d d", reach, k,
				  (int)days[d]);
			cr_assert(probe.log10_p[0] <= 0);
		}
		step_value(&shop, &probe, 140);
		cr_assert(probe.log10_p[0] < -2, "%g", probe.log10_p[0]);
		probe_fini(&probe);
	}
}

/* Nothing for three days, then the shop opens: it is not a week of alarms and of not seeing. */
static void check_opening(enum aggregation aggregation, bool squares)
{
	static struct shop shop;
	struct probe probe;
	double lump = aggregation == AGGREGATE_SUM ? 40 * exp(0.245) : 1;

	setup(&shop, &probe, aggregation, 5 * MINUTE, 1);
	for (int k = 0; k < 864 + 4 * 2016; k++) {
		shop.observations.interval++;
		shop_draw(&shop, 0, k < 864 ? 0 : 20);
		if (!squares)
			shop.squares[0] = NAN;
		probe_step(&probe, &shop);
		cr_assert(isfinite(probe.lower[0]) && probe.lower[0] <= probe.upper[0]);
		cr_assert_gt(probe.log10_p[0], -6, "%g at %d", probe.log10_p[0], k);
		if (k < 864 + 300)
			continue;
		double off = probe.expected[0] / lump / 20;
		cr_assert(off > 0.6 && off < 1.6, "%g times what is, at %d", off, k);
		cr_assert(probe.upper[0] / lump < 80, "up to %g at %d", probe.upper[0] / lump, k);
	}
	probe_fini(&probe);
}

Test(seasonal_edges, a_series_begins_with_its_first_event)
{
	check_opening(AGGREGATE_COUNT, true);
	check_opening(AGGREGATE_SUM, true);
	check_opening(AGGREGATE_SUM, false);
}

/* Tried out for two weeks, then opened: four thousand times as much. */
Test(seasonal_edges, a_shop_that_opens_is_known_two_weeks_later)
{
	static struct shop shop;
	struct probe probe;

	setup(&shop, &probe, AGGREGATE_COUNT, 5 * MINUTE, 1);
	for (int k = 0; k < 5 * 2016; k++) {
		shop.observations.interval++;
		double shape = shop_shape(fmod(shop_hours(&shop), 168));
		double mean = (k < 2 * 2016 ? 0.05 : 200) * shape;
		shop_draw(&shop, 0, mean);
		probe_step(&probe, &shop);
		if (k < 4 * 2016)
			continue;
		double off = probe.expected[0] / mean;
		cr_assert(off > 0.5 && off < 2, "%g times what is, at %d", off, k);
		cr_assert_gt(probe.log10_p[0], -6, "%g at %d", probe.log10_p[0], k);
	}
	probe_fini(&probe);
}

/* A block's level has in its last eight bits how well it was known: whatever it becomes relative
 * to, that stays. */
Test(seasonal_edges, how_well_a_level_was_known_outlives_growth)
{
	static struct seasonal_group group;
	const struct seasonal_step step = {.lumps = true, .per_day = 288};
	const double growth = 20;

	for (int i = 0; i < LANES; i++) {
		LANE(group.exact.known, i) = LANE(group.exact.first, i) = 1;
		LANE(group.exact.long_base, i) = 1e9;
		LANE(group.exact.long_value, i) = growth * 1e9;
		LANE(group.exact.burst_level, i) = 3 * growth;
	}
	for (uint32_t at = 0; at < SEASONAL_RING; at++) {
		for (int i = 0; i < LANES; i++) {
			uint32_t bits = UINT32_C(0x41a0ff00) + at * 17 % 250; /* 20.1 */
			memcpy((float *)&group.rough.ring[1].level[at] + i, &bits, sizeof(bits));
		}
	}
	seasonal_level_fold(&group, &step);
	for (uint32_t at = 0; at < SEASONAL_RING; at++) {
		for (int i = 0; i < LANES; i++) {
			float level = LANE(group.rough.ring[1].level[at], i);
			uint32_t bits;
			memcpy(&bits, &level, sizeof(bits));
			cr_assert_float_eq(level, 20.1 / growth, 0.02);
			cr_assert_eq(bits & 255, at * 17 % 250, "%u, not %u", bits & 255,
				     at * 17 % 250);
		}
	}
	/* And what the level was before a burst. */
	cr_assert_float_eq(LANE(group.exact.burst_level, 0), 3, 1e-3);
}
