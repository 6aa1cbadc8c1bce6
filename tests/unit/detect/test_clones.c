/* Scoring is the same bit for bit, whatever the compiler made of the loops. */
#include <criterion/criterion.h>
#include <math.h>

#include "market.h"

extern const struct detector_ops scalar_seasonal, scalar_window;

static void check_same(const struct detector_ops *ops, const struct detector_ops *scalar,
		       enum aggregation aggregation)
{
	static struct market market;
	struct detector_spec spec = {.severity = 75, .window = 40, .k = 3, .learn_intervals = 50};
	struct probe fast, slow;
	struct bytes first = {0}, second = {0};

	market_init(&market, 11, 300, 1200000, aggregation);
	probe_init(&fast, ops, &spec, MARKET_SLICES);
	probe_init(&slow, scalar, &spec, MARKET_SLICES);
	for (int k = 0; k < 1400; k++) {
		market.factor = k % 50 == 49 ? 0.2 : 1;
		market.shop.observations.flags = k % 61 == 60 ? OBSERVATION_INCOMPLETE : 0;
		market_step(&market);
		fast.learn[k % MARKET_SLICES] = slow.learn[k % MARKET_SLICES] = k % 3 > 0;
		probe_step(&fast, &market.shop);
		probe_step(&slow, &market.shop);
		size_t size = MARKET_SLICES * sizeof(double);
		cr_assert_eq(memcmp(fast.log10_p, slow.log10_p, size), 0, "at %d", k);
		cr_assert_eq(memcmp(fast.expected, slow.expected, size), 0, "at %d", k);
		cr_assert_eq(memcmp(fast.lower, slow.lower, size), 0, "at %d", k);
		cr_assert_eq(memcmp(fast.upper, slow.upper, size), 0, "at %d", k);
		cr_assert_eq(memcmp(fast.direction, slow.direction, MARKET_SLICES), 0, "at %d", k);
	}
	ops->save(fast.state, &spec, MARKET_SLICES, MARKET_SLICES, &first);
	scalar->save(slow.state, &spec, MARKET_SLICES, MARKET_SLICES, &second);
	cr_assert_eq(first.used, second.used);
	cr_assert_eq(memcmp(first.data, second.data, first.used), 0);
	bytes_fini(&first), bytes_fini(&second);
	probe_fini(&fast), probe_fini(&slow);
}

Test(clones, of_seasonal_agree_bit_for_bit)
{
	check_same(&detector_seasonal, &scalar_seasonal, AGGREGATE_COUNT);
	check_same(&detector_seasonal, &scalar_seasonal, AGGREGATE_SUM);
	check_same(&detector_seasonal, &scalar_seasonal, AGGREGATE_MEAN);
}

Test(clones, of_window_agree_bit_for_bit)
{
	check_same(&detector_window, &scalar_window, AGGREGATE_COUNT);
	check_same(&detector_window, &scalar_window, AGGREGATE_SUM);
	check_same(&detector_window, &scalar_window, AGGREGATE_MEAN);
}
