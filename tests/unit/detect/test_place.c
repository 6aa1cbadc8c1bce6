/* A detector's place: its bank tells it the time of day there, whatever happens to clocks. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/zone.h"
#include "market.h"

#define MINUTE 60000
#define HOUR (60 * MINUTE)
/* 2024-02-12, a Monday, 00:00 UTC; summer time begins on 2024-03-31. */
#define FEBRUARY (INT64_C(1707696000) * 1000)
#define SUMMER (INT64_C(1711846800) * 1000)

static struct shop shop;
static struct heard heard;

static struct zone *zone_of(const char *line)
{
	struct zone *zone = NULL;

	cr_assert_eq(zone_read(line, strlen(line), &zone), 0);
	return zone;
}

static struct zone *london(void)
{
	return zone_of("Europe/London 0 GMT0BST,M3.5.0/1,M10.5.0");
}

/* Two hours of summer time: silence an hour before it is due is forgiven anyway. */
static struct zone *troll(void)
{
	return zone_of("Antarctica/Troll 0 <+00>0<+02>-2,M3.5.0/1,M10.5.0/3");
}

static struct detector_spec absence(const struct zone *zone)
{
	return (struct detector_spec){
		.name = "silence",
		.metric = "orders",
		.kind = DETECTOR_ABSENCE,
		.zone = zone,
		.severity = 75,
		.absent_intervals = 3,
		.for_intervals = 1,
		.recover_intervals = 1,
	};
}

/* The shop is open from 8 to 22 by the clock of Troll. Returns the alarms from summer time on. */
static uint32_t alarms_in_summer(const struct zone *zone)
{
	struct detector_spec spec = absence(zone);
	struct bank *bank = bank_create(&spec);
	struct zone *place = troll();
	uint32_t before = 0;

	shop_init(&shop, 3, 1, 10 * MINUTE, AGGREGATE_COUNT);
	shop.observations.interval = FEBRUARY / (10 * MINUTE) - 1;
	heard.count = 0;
	for (int k = 0; k < 63 * 144; k++) {
		int64_t start = ++shop.observations.interval * 10 * MINUTE;
		int64_t hour = (start + zone_offset_ms(place, start)) / HOUR % 24;

		shop_draw(&shop, 0, hour >= 8 && hour < 22 ? 60 : 0);
		if (start == SUMMER)
			before = heard.count;
		cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
	}
	bank_destroy(bank);
	zone_free(place);
	return heard.count - before;
}

Test(place, the_hours_of_a_shop_follow_its_clock_when_summer_begins)
{
	struct zone *zone = troll();

	cr_assert_eq(alarms_in_summer(zone), 0);
	/* By UTC it closes two hours too early. */
	cr_assert_gt(alarms_in_summer(NULL), 0);
	zone_free(zone);
}

Test(place, state_is_of_one_place_whatever_its_rules_become)
{
	struct zone *zone = london(), *newer = zone_of("Europe/London 0 GMT0");
	struct zone *other = zone_of("Europe/Dublin 0 GMT0BST,M3.5.0/1,M10.5.0");
	const struct zone *const zones[] = {zone, newer, other, NULL};
	const int expected[] = {0, 0, -EPROTO, -EPROTO};
	struct detector_spec spec = absence(zone);
	struct bank *bank = bank_create(&spec);
	struct bytes saved = {0};

	shop_init(&shop, 3, 2, MINUTE, AGGREGATE_COUNT);
	for (int k = 0; k < 100; k++) {
		shop.observations.interval++;
		shop_draw(&shop, 0, 20);
		cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
	}
	cr_assert_eq(bank_zone(bank, newer), 0);
	bank_save(bank, &saved);
	bank_destroy(bank);
	for (uint32_t i = 0; i < 4; i++) {
		struct bytes_reader in = {.data = saved.data, .left = saved.used};

		spec.zone = zones[i];
		bank = bank_create(&spec);
		cr_assert_eq(bank_load(bank, &in), expected[i], "%u", i);
		bank_destroy(bank);
	}
	bytes_fini(&saved);
	zone_free(zone);
	zone_free(newer);
	zone_free(other);
}
