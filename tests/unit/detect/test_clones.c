/* Scoring is the same bit for bit, whatever the compiler made of the loops. */
#include <criterion/criterion.h>
#include <math.h>

#include "detect/seasonal_build.h"
#include "market.h"

extern const struct detector_ops scalar_seasonal, scalar_window;

/* Twins of a detector: the first without vectors, then all that this processor can run. */
struct twins {
	struct probe probe[1 + SEASONAL_BUILDS];
	uint32_t count;
};

static void twins_init(struct twins *twins, bool seasonal, const struct detector_spec *spec)
{
	probe_init(&twins->probe[0], seasonal ? &scalar_seasonal : &scalar_window, spec,
		   MARKET_SLICES);
	twins->count = 1;
	for (uint32_t n = 0; n < (seasonal ? SEASONAL_BUILDS : 1); n++) {
		const struct detector_ops *ops = seasonal ? seasonal_build(n) : &detector_window;
		if (ops)
			probe_init(&twins->probe[twins->count++], ops, spec, MARKET_SLICES);
	}
	cr_assert_geq(twins->count, 2);
}

static void twins_step(struct twins *twins, struct shop *shop, int k)
{
	const struct probe *first = &twins->probe[0];
	size_t size = MARKET_SLICES * sizeof(double);

	for (uint32_t n = 0; n < twins->count; n++) {
		struct probe *other = &twins->probe[n];
		memcpy(other->learn, first->learn, MARKET_SLICES);
		probe_step(other, shop);
		cr_assert_eq(memcmp(other->log10_p, first->log10_p, size), 0, "at %d", k);
		cr_assert_eq(memcmp(other->expected, first->expected, size), 0, "at %d", k);
		cr_assert_eq(memcmp(other->lower, first->lower, size), 0, "at %d", k);
		cr_assert_eq(memcmp(other->upper, first->upper, size), 0, "at %d", k);
		cr_assert_eq(memcmp(other->direction, first->direction, MARKET_SLICES), 0, "at %d",
			     k);
	}
}

/* The bytes of their states are the same, too. */
static void twins_fini(struct twins *twins)
{
	struct bytes saved[1 + SEASONAL_BUILDS] = {0};

	for (uint32_t n = 0; n < twins->count; n++) {
		struct probe *probe = &twins->probe[n];
		probe->ops->save(probe->state, &probe->spec, MARKET_SLICES, MARKET_SLICES,
				 &saved[n]);
		cr_assert_eq(saved[n].used, saved[0].used);
		cr_assert_eq(memcmp(saved[n].data, saved[0].data, saved[0].used), 0);
	}
	for (uint32_t n = 0; n < twins->count; n++) {
		bytes_fini(&saved[n]);
		probe_fini(&twins->probe[n]);
	}
}

static void check_same(bool seasonal, enum aggregation aggregation, int64_t interval_ms, int steps)
{
	static struct market market;
	struct detector_spec spec = {.severity = 75, .window = 40, .k = 3, .learn_intervals = 50};
	struct twins twins;

	market_init(&market, 11, 300, interval_ms, aggregation);
	twins_init(&twins, seasonal, &spec);
	for (int k = 0; k < steps; k++) {
		market.factor = k % 50 == 49 ? 0.2 : 1;
		market.shop.observations.flags = k % 61 == 60 ? OBSERVATION_INCOMPLETE : 0;
		market_step(&market);
		twins.probe[0].learn[k % MARKET_SLICES] = k % 3 > 0;
		twins_step(&twins, &market.shop, k);
	}
	twins_fini(&twins);
}

Test(clones, of_seasonal_agree_bit_for_bit)
{
	check_same(true, AGGREGATE_COUNT, 1200000, 1400);
	check_same(true, AGGREGATE_SUM, 1200000, 1400);
	check_same(true, AGGREGATE_MEAN, 1200000, 1400);
}

/* Six hours, for a year and a half. */
Test(clones, of_seasonal_agree_in_what_a_year_says)
{
	check_same(true, AGGREGATE_COUNT, 21600000, 2200);
	check_same(true, AGGREGATE_MEAN, 21600000, 2200);
}

/* Campaigns that nobody announced begin and end in some slices of a group. */
Test(clones, of_seasonal_agree_at_the_end_of_a_burst)
{
	static struct market market;
	struct detector_spec spec = {.severity = 75, .learn_intervals = 50};
	struct twins twins;

	market_init(&market, 11, 900, 900000, AGGREGATE_COUNT);
	twins_init(&twins, true, &spec);
	for (int k = 0; k < 2000; k++) {
		bool campaign = k > 900 && k % 150 < 20;
		market.dimension = campaign ? 0 : -1;
		market.value = (uint32_t)(k / 150 % 6);
		market.factor = campaign ? 2.5 : 1;
		market_step(&market);
		twins_step(&twins, &market.shop, k);
	}
	twins_fini(&twins);
}

Test(clones, of_window_agree_bit_for_bit)
{
	check_same(false, AGGREGATE_COUNT, 1200000, 1400);
	check_same(false, AGGREGATE_SUM, 1200000, 1400);
	check_same(false, AGGREGATE_MEAN, 1200000, 1400);
}
