/* State: what a checkpoint says of the time is held against the times that events have. */
#include <criterion/criterion.h>
#include <errno.h>

#include "support.h"

#define DAY 86400000

struct keeper {
	const struct detector_ops *ops;
	size_t at; /* of the number in its state that says which hour, day or period was the last */
	struct detector_spec spec;
};

static const struct keeper keepers[] = {
	{&detector_absence, 0, {.kind = DETECTOR_ABSENCE, .absent_intervals = 3}},
	{&detector_rule, 0, {.kind = DETECTOR_RULE, .up_percent = 50, .back_periods = 7}},
	{&detector_window_year, 0, {.kind = DETECTOR_WINDOW, .window = 10, .year_periods = 364}},
	{&detector_seasonal, 40, {.kind = DETECTOR_SEASONAL, .severity = 70}},
};

static int load(struct probe *probe, const struct bytes *saved)
{
	struct bytes_reader in = {.data = saved->data, .left = saved->used};
	return probe->ops->load(probe->state, &probe->spec, 1, 1, &in);
}

static void try_times(const struct keeper *keeper)
{
	static const int64_t never[] = {INT64_MIN, INT64_MIN / 2, INT64_MAX / 2, INT64_MAX};
	struct probe probe, again;
	struct bytes saved = {0};
	struct shop shop;

	shop_init(&shop, 3, 1, DAY, AGGREGATE_COUNT);
	probe_init(&probe, keeper->ops, &keeper->spec, 1);
	for (int k = 0; k < 30; k++) {
		shop.observations.interval++;
		shop_draw(&shop, 0, 100);
		probe_step(&probe, &shop);
	}
	keeper->ops->save(probe.state, &keeper->spec, 1, 1, &saved);
	probe_init(&again, keeper->ops, &keeper->spec, 1);
	cr_expect_eq(load(&again, &saved), 0, "%s", keeper->ops->kind);
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		memcpy(saved.data + keeper->at, &never[i], sizeof(never[i]));
		cr_expect_eq(load(&again, &saved), -EPROTO, "%s: %lld", keeper->ops->kind,
			     (long long)never[i]);
	}
	bytes_fini(&saved);
	probe_fini(&again);
	probe_fini(&probe);
}

Test(state, of_a_time_that_no_event_has_is_refused)
{
	for (size_t i = 0; i < sizeof(keepers) / sizeof(keepers[0]); i++)
		try_times(&keepers[i]);
}
