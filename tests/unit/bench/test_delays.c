/*
 * delays: quantiles against those of the sorted list, over sizes from nanoseconds to minutes.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "delays.h"

#define COUNT 20000

static uint64_t next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 20;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return (left > right) - (left < right);
}

Test(delays, a_quantile_is_that_of_the_sorted_list_within_a_bucket)
{
	static uint64_t values[COUNT];
	static const double parts[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
	uint64_t state = 5;
	for (uint32_t bits = 3; bits < 39; bits += 4) {
		struct delays halves[2] = {0};
		for (uint32_t i = 0; i < COUNT; i++) {
			values[i] = next(&state) & ((UINT64_C(1) << bits) - 1);
			delays_add(&halves[i & 1], values[i]);
		}
		delays_merge(&halves[0], &halves[1]);
		qsort(values, COUNT, sizeof(values[0]), compare);
		for (uint32_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			double exact = (double)values[(uint32_t)(parts[i] * COUNT + 0.999999) - 1];
			double is = delays_quantile_ns(&halves[0], parts[i]);
			cr_assert_geq(is, exact, "%u bits, %g", bits, parts[i]);
			cr_assert_leq(is, exact * 33 / 32 + 1, "%u bits, %g", bits, parts[i]);
		}
	}
}

Test(delays, nothing_took_no_time_and_longest_times_are_kept)
{
	struct delays delays = {0};
	cr_assert_eq(delays_quantile_ns(&delays, 0.5), 0);
	delays_add(&delays, UINT64_MAX);
	cr_assert_eq(delays.count, 1);
	cr_assert_gt(delays_quantile_ns(&delays, 0.5), 1e12);
}
