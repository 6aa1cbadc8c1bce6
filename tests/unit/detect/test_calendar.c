/*
 * Calendar: the days that rules give, in which zone's time, and what a checkpoint keeps of entries.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "base/zone.h"
#include "detect/calendar.h"

#define DAY_MS INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)

/* Unix ms of a date, UTC. */
static int64_t date_ms(int64_t year, int month, int day)
{
	return civil_day(year, month, day) * DAY_MS;
}

static struct calendar_entry rule(enum calendar_when when)
{
	return (struct calendar_entry){
		.number = 1,
		.name = "test",
		.when = when,
		.month = 1,
		.day = 1,
		.weekday = -1,
		.length_days = 1,
	};
}

static void expect_day(const struct calendar_entry *entry, int year, int month, int day)
{
	int64_t got;

	cr_assert_null(calendar_wrong(entry), "%s", calendar_wrong(entry));
	cr_assert(calendar_day(entry, year, &got));
	cr_assert_eq(got, civil_day(year, month, day), "%d: %ld days off", year,
		     (long)(got - civil_day(year, month, day)));
}

/* Dates of Easter Sunday as printed: western and orthodox, both in the Gregorian calendar. */
static const struct {
	int year, month, day, orthodox_month, orthodox_day;
} easters[] = {
	{1981, 4, 19, 4, 26}, {2000, 4, 23, 4, 30}, {2008, 3, 23, 4, 27}, {2010, 4, 4, 4, 4},
	{2011, 4, 24, 4, 24}, {2019, 4, 21, 4, 28}, {2020, 4, 12, 4, 19}, {2021, 4, 4, 5, 2},
	{2022, 4, 17, 4, 24}, {2023, 4, 9, 4, 16},  {2024, 3, 31, 5, 5},  {2025, 4, 20, 4, 20},
	{2026, 4, 5, 4, 12},  {2027, 3, 28, 5, 2},  {2030, 4, 21, 4, 28}, {2038, 4, 25, 4, 25},
	{2049, 4, 18, 4, 25}, {2076, 4, 19, 4, 26},
};

Test(calendar, easter_is_when_it_was_and_will_be)
{
	struct calendar_entry western = rule(CALENDAR_EASTER);
	struct calendar_entry orthodox = rule(CALENDAR_ORTHODOX);

	for (size_t i = 0; i < sizeof(easters) / sizeof(easters[0]); i++) {
		expect_day(&western, easters[i].year, easters[i].month, easters[i].day);
		expect_day(&orthodox, easters[i].year, easters[i].orthodox_month,
			   easters[i].orthodox_day);
	}
}

Test(calendar, weekdays_are_counted_from_a_date)
{
	static const int black_fridays[][2] = {{2019, 29}, {2020, 27}, {2021, 26}, {2022, 25},
					       {2023, 24}, {2024, 29}, {2025, 28}, {2026, 27}};
	struct calendar_entry friday = rule(CALENDAR_DATE);
	struct calendar_entry memorial = rule(CALENDAR_DATE);

	/* The fourth Thursday of November, and the day behind it. */
	friday.month = 11;
	friday.day = 22;
	friday.weekday = 4;
	friday.days = 1;
	for (size_t i = 0; i < 8; i++)
		expect_day(&friday, black_fridays[i][0], 11, black_fridays[i][1]);
	/* The last Monday of May. */
	memorial.month = 5;
	memorial.day = 25;
	memorial.weekday = 1;
	expect_day(&memorial, 2023, 5, 29);
	expect_day(&memorial, 2024, 5, 27);
	expect_day(&memorial, 2026, 5, 25);
}

Test(calendar, a_rule_may_leave_years_out)
{
	struct calendar_entry leap = rule(CALENDAR_DATE);
	int64_t day, from, until;

	leap.month = 2;
	leap.day = 29;
	cr_assert(!calendar_day(&leap, 2023, &day));
	expect_day(&leap, 2024, 2, 29);
	cr_assert(calendar_next(&leap, NULL, date_ms(2096, 3, 1), &from, &until));
	cr_assert_eq(from, date_ms(2104, 2, 29)); /* 2100 is none */
	/* A substitute: the Monday behind a New Year's Day at the weekend. */
	struct calendar_entry substitute = rule(CALENDAR_DATE);
	substitute.only = 1u << 6 | 1u << 0;
	substitute.weekday = 1;
	cr_assert(!calendar_day(&substitute, 2024, &day)); /* a Monday */
	expect_day(&substitute, 2022, 1, 3);               /* of a Saturday */
	expect_day(&substitute, 2023, 1, 2);               /* of a Sunday */
	substitute.first_year = 2023;
	cr_assert(!calendar_day(&substitute, 2022, &day));
	substitute.last_year = 2023;
	cr_assert(!calendar_day(&substitute, 2028, &day));
}

static struct zone *zone_of(const char *name)
{
	struct zone *zone;
	char why[512];

	cr_assert_eq(zone_load(name, &zone, why, sizeof(why)), 0, "%s", why);
	return zone;
}

Test(calendar, a_day_is_one_of_its_zone)
{
	struct zone *berlin = zone_of("Europe/Berlin"), *tokyo = zone_of("Asia/Tokyo");
	struct calendar_entry entry = rule(CALENDAR_DATE);
	int64_t from, until;

	/* The clocks go forward on 29 March 2026, and back on 25 October. */
	entry.month = 3;
	entry.day = 29;
	cr_assert(calendar_next(&entry, berlin, date_ms(2026, 1, 1), &from, &until));
	cr_assert_eq(from, date_ms(2026, 3, 29) - HOUR_MS);
	cr_assert_eq(until - from, 23 * HOUR_MS);
	entry.month = 10;
	entry.day = 25;
	cr_assert(calendar_next(&entry, berlin, date_ms(2026, 1, 1), &from, &until));
	cr_assert_eq(from, date_ms(2026, 10, 25) - 2 * HOUR_MS);
	cr_assert_eq(until - from, 25 * HOUR_MS);
	/* Its own zone, whatever the detector's is; by the hour from an hour of the day. */
	entry.zone = tokyo;
	entry.at_ms = 20 * HOUR_MS;
	entry.length_days = 0;
	entry.length_ms = 4 * HOUR_MS;
	cr_assert(calendar_next(&entry, berlin, date_ms(2026, 1, 1), &from, &until));
	cr_assert_eq(from, date_ms(2026, 10, 25) + 11 * HOUR_MS);
	cr_assert_eq(until, from + 4 * HOUR_MS);
	/* The first that is not over. */
	cr_assert(calendar_next(&entry, berlin, until - 1, &from, &until));
	cr_assert_eq(from, date_ms(2026, 10, 25) + 11 * HOUR_MS);
	cr_assert(calendar_next(&entry, berlin, until, &from, &until));
	cr_assert_eq(from, date_ms(2027, 10, 25) + 11 * HOUR_MS);
	zone_free(berlin);
	zone_free(tokyo);
}

/* When the day of this date begins there, and how long it lasts. */
static void expect_clock_day(const char *name, int year, int month, int day, int begins_at,
			     int hours)
{
	struct zone *zone = zone_of(name);
	struct calendar_entry entry = rule(CALENDAR_DATE);
	int64_t from, until;

	entry.month = month;
	entry.day = day;
	cr_assert(calendar_next(&entry, zone, date_ms(year, 1, 1) + DAY_MS, &from, &until));
	cr_assert_eq(from, date_ms(year, month, day) + begins_at * HOUR_MS, "%s: %g hours off",
		     name, (double)(from - date_ms(year, month, day)) / HOUR_MS - begins_at);
	cr_assert_eq(until - from, hours * HOUR_MS, "%s: %g hours", name,
		     (double)(until - from) / HOUR_MS);
	zone_free(zone);
}

/* Clocks that are put forward at midnight have a day that begins at 1:00; those that are put back
 * to it have a midnight twice, of which the first counts. */
Test(calendar, a_midnight_may_be_missing_or_there_twice)
{
	expect_clock_day("America/Santiago", 2024, 9, 8, 4, 23);
	expect_clock_day("America/Santiago", 2024, 9, 7, 4, 24);
	expect_clock_day("America/Havana", 2024, 3, 10, 5, 23);
	expect_clock_day("America/Havana", 2024, 3, 9, 5, 24);
	expect_clock_day("Africa/Cairo", 2024, 4, 26, -2, 23);
	/* 0:00 to 1:00 comes twice. */
	expect_clock_day("America/Havana", 2024, 11, 3, 4, 25);
	expect_clock_day("America/Havana", 2024, 11, 2, 4, 24);
	/* 23:00 to 24:00 comes twice: midnight does not. */
	expect_clock_day("America/Santiago", 2024, 4, 6, 3, 25);
	expect_clock_day("America/Santiago", 2024, 4, 7, 4, 24);
}

/* Every occurrence of a rule is met once, in order, whatever moment is asked from. */
Test(calendar, the_next_one_is_the_next_one)
{
	struct calendar_entry entries[] = {rule(CALENDAR_EASTER), rule(CALENDAR_DATE),
					   rule(CALENDAR_DATE)};

	entries[0].days = -300;
	entries[0].length_days = 366;
	entries[1].month = 12;
	entries[1].day = 31;
	entries[1].length_days = 3;
	entries[2].only = 1u << 3;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		int64_t last = INT64_MIN;
		for (int64_t at = date_ms(2020, 1, 1); at < date_ms(2035, 1, 1); at += DAY_MS / 2) {
			int64_t from, until, again, end;
			cr_assert(calendar_next(&entries[i], NULL, at, &from, &until));
			cr_assert_gt(until, at);
			cr_assert_geq(from, last);
			last = from;
			/* Nothing ends between the moment and that one's end. */
			cr_assert(calendar_next(&entries[i], NULL, until - 1, &again, &end));
			cr_assert_eq(again, from);
		}
	}
}

static void fill(struct calendar *calendar)
{
	struct zone *zone = zone_of("Africa/Casablanca");
	struct calendar_entry entry = rule(CALENDAR_EASTER);

	entry.number = 7;
	entry.days = -2;
	entry.zone = zone;
	entry.effect = CALENDAR_EXPECT;
	entry.percent = 40;
	snprintf(entry.slice, sizeof(entry.slice), "country=MA,device=mobile");
	cr_assert_eq(calendar_add(calendar, &entry), 0);
	zone_free(zone);
	entry = (struct calendar_entry){.number = 3,
					.name = "sale",
					.source = "live*",
					.metric = "orders",
					.from_ms = 1000,
					.until_ms = 2000,
					.effect = CALENDAR_LAST_YEAR,
					.learn = CALENDAR_LEARN_YES};
	cr_assert_eq(calendar_add(calendar, &entry), 0);
}

Test(calendar, entries_are_kept_by_number_and_survive_a_checkpoint)
{
	struct calendar *calendar = calendar_create(), *again = calendar_create();
	struct bytes bytes = {0}, twice = {0};

	fill(calendar);
	cr_assert_eq(calendar->count, 2);
	cr_assert_eq(calendar->entries[0].number, 3);
	calendar_save(calendar, &bytes);
	struct bytes_reader in = {.data = bytes.data, .left = bytes.used};
	cr_assert_eq(calendar_load(again, &in), 0);
	cr_assert_eq(in.left, 0);
	calendar_save(again, &twice);
	cr_assert_eq(bytes.used, twice.used);
	cr_assert_eq(memcmp(bytes.data, twice.data, bytes.used), 0);
	cr_assert_str_eq(zone_name(again->entries[1].zone), "Africa/Casablanca");
	uint64_t version = again->version;
	cr_assert(calendar_remove(again, 3));
	cr_assert_neq(again->version, version);
	cr_assert(!calendar_remove(again, 3));
	cr_assert_eq(again->count, 1);
	bytes_fini(&bytes);
	bytes_fini(&twice);
	calendar_destroy(calendar);
	calendar_destroy(again);
}

/* A checkpoint that is broken anywhere is refused, or is another good one; never believed with
 * numbers that no entry can have. */
Test(calendar, what_is_broken_is_not_believed)
{
	struct calendar *calendar = calendar_create(), *again = calendar_create();
	struct bytes bytes = {0};
	unsigned refused = 0;

	fill(calendar);
	calendar_save(calendar, &bytes);
	for (size_t cut = 0; cut < bytes.used; cut++) {
		struct bytes_reader in = {.data = bytes.data, .left = cut};
		cr_assert_eq(calendar_load(again, &in), -EPROTO, "cut at %zu", cut);
		cr_assert_eq(again->count, 0);
	}
	for (size_t at = 0; at < bytes.used; at++) {
		struct bytes_reader in = {.data = bytes.data, .left = bytes.used};
		bytes.data[at] ^= 0x81;
		refused += calendar_load(again, &in) < 0;
		for (uint32_t i = 0; i < again->count; i++)
			cr_assert_null(calendar_wrong(&again->entries[i]));
		bytes.data[at] ^= 0x81;
	}
	cr_assert_gt(refused, bytes.used / 4);
	bytes_fini(&bytes);
	calendar_destroy(calendar);
	calendar_destroy(again);
}

Test(calendar, what_cannot_be_is_refused)
{
	struct calendar_entry entry = rule(CALENDAR_DATE);

	entry.day = 32;
	cr_assert_not_null(calendar_wrong(&entry));
	entry.day = 31;
	cr_assert_null(calendar_wrong(&entry));
	entry.length_ms = HOUR_MS; /* and a day: which? */
	cr_assert_not_null(calendar_wrong(&entry));
	entry.length_days = 0;
	cr_assert_null(calendar_wrong(&entry));
	entry.effect = CALENDAR_EXPECT;
	entry.percent = -100;
	cr_assert_not_null(calendar_wrong(&entry));
	entry.percent = -95;
	cr_assert_null(calendar_wrong(&entry));
	entry = (struct calendar_entry){.name = "x", .from_ms = 5, .until_ms = 5};
	cr_assert_not_null(calendar_wrong(&entry));
	entry.until_ms = 5 + 367 * DAY_MS;
	cr_assert_not_null(calendar_wrong(&entry));
	entry.until_ms = 6;
	cr_assert_null(calendar_wrong(&entry));
	entry.learn = CALENDAR_LEARN_YES;
	cr_assert_not_null(calendar_wrong(&entry)); /* excluded is excluded */
}
