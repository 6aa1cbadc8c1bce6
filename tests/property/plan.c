/*
 * plan: the benchmark's closed form against the events themselves, one by one; and names that
 * lead back to the series they were made from. A benchmark that calls itself lossless stands on
 * this.
 */
#include "plan.h"

#include <string.h>

#include "support/random.h"

static void check_names(uint32_t index)
{
	struct plan_series series;
	const char *values[PLAN_DIMENSIONS];
	uint32_t bytes[PLAN_DIMENSIONS];
	plan_series(index, &series);
	for (uint32_t i = 0; i < PLAN_DIMENSIONS; i++) {
		values[i] = series.values[i];
		bytes[i] = (uint32_t)strlen(values[i]);
		expect(i == 0 || strcmp(series.names[i - 1], series.names[i]) < 0);
	}
	expect(plan_index(series.event, strlen(series.event), values, bytes) == index);
	expect(plan_index("refund", 6, values, bytes) == UINT32_MAX);
	bytes[random_below(PLAN_DIMENSIONS)] = 1;
	expect(plan_index(series.event, strlen(series.event), values, bytes) == UINT32_MAX);
}

static void round_of_plans(void)
{
	uint32_t series = 2 + (uint32_t)random_below(200);
	uint64_t events = random_below(series * 20);
	uint64_t counts[202] = {0}, sums[202] = {0}, is_counts[202] = {0}, is_sums[202] = {0};
	struct plan plans[2];
	uint32_t differ = 0;

	for (uint32_t p = 0; p < 2; p++) {
		struct plan_cursor cursor;
		expect(plan_init(&plans[p], series, p) == 0);
		plan_expect(&plans[p], events, counts, sums);
		plan_start(&plans[p], &cursor);
		for (uint64_t n = 0; n < events; n++) {
			uint32_t value, index = plan_next(&cursor, &value);
			expect(index < series && value >= 1 && value <= PLAN_VALUES);
			is_counts[index]++;
			is_sums[index] += value;
		}
		differ += memcmp(plans[0].order, plans[p].order, series * sizeof(uint32_t)) != 0;
	}
	expect(!memcmp(counts, is_counts, sizeof(counts)));
	expect(!memcmp(sums, is_sums, sizeof(sums)));
	expect(differ == 1 || series < 20);
	plan_fini(&plans[0]);
	plan_fini(&plans[1]);
	check_names((uint32_t)random_below(PLAN_SERIES_MAX));
	check_names((uint32_t)random_below(3000));
}

int main(int argc, char **argv)
{
	return random_main(argc, argv, "property-plan", 500, round_of_plans);
}
