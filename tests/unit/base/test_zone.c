/* zone: what the database says is what is answered, before, between and behind its changes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/zone.h"
#include "zone_file.h"

#define HOUR_MS INT64_C(3600000)
#define NOWHERE INT64_C(-4102444800) /* 1840: before all changes of these tests */

static struct zone *parse(const struct made *made)
{
	struct zone *zone = NULL;

	cr_assert_eq(zone_parse("Test/Zone", made->data, made->used, &zone), 0);
	return zone;
}

static struct zone *rule(const char *footer)
{
	struct made made = make_file(NULL, 0, (const int32_t[]){0}, 1, footer);

	return parse(&made);
}

static int64_t at(int year, int month, int day, int hour, int minute, int second)
{
	struct tm tm = {.tm_year = year - 1900,
			.tm_mon = month - 1,
			.tm_mday = day,
			.tm_hour = hour,
			.tm_min = minute,
			.tm_sec = second};

	return (int64_t)timegm(&tm) * 1000;
}

/* The offset changes exactly there, to the millisecond. */
static void changes_at(const struct zone *zone, int64_t unix_ms, int64_t before_ms,
		       int64_t after_ms)
{
	cr_assert_eq(zone_offset_ms(zone, unix_ms - 1), before_ms);
	cr_assert_eq(zone_offset_ms(zone, unix_ms), after_ms);
}

Test(zone, changes_at_the_second_that_the_file_says_and_not_before)
{
	const struct made_change changes[] = {{1000, 1}, {5001, 2}};
	struct made made = make_file(changes, 2, (const int32_t[]){-75, 3600, -12345}, 3, "");
	struct zone *zone = parse(&made);

	cr_assert_eq(zone_offset_ms(zone, NOWHERE * 1000), -75000);
	changes_at(zone, 1000000, -75000, HOUR_MS);
	changes_at(zone, 5001000, HOUR_MS, -12345000);
	cr_assert_eq(zone_offset_ms(zone, INT64_MAX), -12345000);
	cr_assert_eq(zone_offset_ms(zone, INT64_MIN), -75000);
	cr_assert_str_eq(zone_name(zone), "Test/Zone");
	zone_free(zone);
}

Test(zone, follows_the_rule_behind_the_last_change_north_of_the_equator)
{
	struct zone *zone = rule("GMT0BST,M3.5.0/1,M10.5.0");

	changes_at(zone, at(2024, 3, 31, 1, 0, 0), 0, HOUR_MS);
	changes_at(zone, at(2024, 10, 27, 1, 0, 0), HOUR_MS, 0);
	changes_at(zone, at(2010, 3, 28, 1, 0, 0), 0, HOUR_MS);
	changes_at(zone, at(2399, 3, 28, 1, 0, 0), 0, HOUR_MS);
	cr_assert_eq(zone_offset_ms(zone, at(2023, 12, 31, 23, 59, 59)), 0);
	cr_assert_eq(zone_offset_ms(zone, at(2024, 1, 1, 0, 0, 0)), 0);
	zone_free(zone);
}

Test(zone, follows_the_rule_south_of_the_equator_where_summer_spans_the_new_year)
{
	struct zone *zone = rule("AEST-10AEDT,M10.1.0,M4.1.0/3");

	changes_at(zone, at(2023, 9, 30, 16, 0, 0), 10 * HOUR_MS, 11 * HOUR_MS);
	changes_at(zone, at(2024, 4, 6, 16, 0, 0), 11 * HOUR_MS, 10 * HOUR_MS);
	cr_assert_eq(zone_offset_ms(zone, at(2023, 12, 31, 12, 59, 59)), 11 * HOUR_MS);
	cr_assert_eq(zone_offset_ms(zone, at(2023, 12, 31, 13, 0, 0)), 11 * HOUR_MS);
	zone_free(zone);
}

Test(zone, knows_what_a_rule_may_say_of_days_and_hours)
{
	/* Nuuk changes on the day before its Sunday; Morocco's summer has an offset below. */
	struct zone *nuuk = rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0");
	struct zone *julian = rule("AAA5BBB,J60/0,J300/0");
	struct zone *zero = rule("AAA5BBB,59/0,300/0");
	struct zone *half = rule("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0");
	struct zone *always = rule("EST5EDT,0/0,J365/25");
	struct zone *late = rule("<-04>4<-03>,M9.1.6/167,M4.1.6/24");

	changes_at(nuuk, at(2024, 3, 31, 1, 0, 0), -2 * HOUR_MS, -HOUR_MS);
	/* J60 is the first of March in every year, 59 is in leap years the 29th of February. */
	changes_at(julian, at(2024, 3, 1, 5, 0, 0), -5 * HOUR_MS, -4 * HOUR_MS);
	changes_at(julian, at(2023, 3, 1, 5, 0, 0), -5 * HOUR_MS, -4 * HOUR_MS);
	changes_at(zero, at(2024, 2, 29, 5, 0, 0), -5 * HOUR_MS, -4 * HOUR_MS);
	changes_at(zero, at(2023, 3, 1, 5, 0, 0), -5 * HOUR_MS, -4 * HOUR_MS);
	changes_at(half, at(2023, 9, 30, 15, 30, 0), 21 * HOUR_MS / 2, 11 * HOUR_MS);
	for (int64_t t = at(2020, 1, 1, 0, 0, 0); t < at(2023, 1, 1, 0, 0, 0); t += HOUR_MS / 2)
		cr_assert_eq(zone_offset_ms(always, t), -4 * HOUR_MS);
	/* Six days and 23 hours behind the first Saturday of September 2024, the 7th. */
	changes_at(late, at(2024, 9, 14, 3, 0, 0), -4 * HOUR_MS, -3 * HOUR_MS);
	struct zone *zones[] = {nuuk, julian, zero, half, always, late};

	for (size_t i = 0; i < 6; i++)
		zone_free(zones[i]);
}

Test(zone, reads_files_of_the_first_version_which_have_no_rule)
{
	const struct made_change changes[] = {{-100, 1}, {1000, 0}};
	struct made made = {0};

	put_header(&made, '\0', 2, 2);
	put_block(&made, 4, changes, 2, (const int32_t[]){0, 3600}, 2);
	struct zone *zone = parse(&made);

	changes_at(zone, -100000, 0, HOUR_MS);
	changes_at(zone, 1000000, HOUR_MS, 0);
	zone_free(zone);
}

Test(zone, is_utc_where_there_is_none)
{
	struct zone *zone = NULL;
	char why[512];

	cr_assert_eq(zone_load("UTC", &zone, why, sizeof(why)), 0);
	cr_assert_eq(zone_offset_ms(zone, 1e15), 0);
	cr_assert_eq(zone_offset_ms(NULL, 1e15), 0);
	cr_assert_str_eq(zone_name(NULL), "UTC");
	cr_assert_str_eq(zone_name(zone), "UTC");
	zone_free(zone);
	zone_free(NULL);
}

Test(zone, is_found_by_its_name_in_the_database)
{
	struct made made = make_file(NULL, 0, (const int32_t[]){3600}, 1, "");
	struct zone *zone = NULL;
	char why[512] = "";

	database("Somewhere", &made);
	cr_assert_eq(zone_load("Etc/Somewhere", &zone, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(zone_offset_ms(zone, 0), HOUR_MS);
	cr_assert_str_eq(zone_name(zone), "Etc/Somewhere");
	zone_free(zone);
	remove_database("Somewhere");
}

Test(zone, of_a_wrong_name_is_refused_with_how_zones_are_named)
{
	const char *names[] = {"Europe/Londn", "",
			       "Etc",          "/etc/passwd",
			       "../Etc/UTC",   "Etc/../Etc/UTC",
			       "GMT+1:00",     "a name with a space"};
	struct made made = make_file(NULL, 0, (const int32_t[]){0}, 1, "UTC0");
	struct zone *zone = NULL;
	char why[512];

	database("UTC", &made);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		why[0] = '\0';
		cr_assert_eq(zone_load(names[i], &zone, why, sizeof(why)), -ENOENT, "%s", names[i]);
		cr_assert(strstr(why, "Europe/London"), "%s", why);
		cr_assert(strstr(why, names[i]), "%s", why);
	}
	cr_assert_null(zone);
	remove_database("UTC");
}

Test(zone, without_a_database_says_which_package_has_it)
{
	struct zone *zone = NULL;
	char why[512] = "";

	setenv("TZDIR", "/nonexistent", 1);
	cr_assert_eq(zone_load("Europe/London", &zone, why, sizeof(why)), -ENOENT);
	cr_assert(strstr(why, "tzdata"), "%s", why);
	cr_assert(strstr(why, "/nonexistent"), "%s", why);
	cr_assert_eq(zone_load("UTC", &zone, why, sizeof(why)), 0);
	zone_free(zone);
}

Test(zone, of_a_broken_file_is_refused_however_it_is_cut)
{
	const struct made_change changes[] = {{1000, 1}, {5001, 0}};
	struct made made = make_file(changes, 2, (const int32_t[]){0, 3600}, 2, "GMT0");
	struct zone *zone = NULL;

	for (size_t bytes = 0; bytes < made.used; bytes++) {
		uint8_t *cut = malloc(bytes + 1);

		memcpy(cut, made.data, bytes);
		cr_assert_eq(zone_parse("Cut", cut, bytes, &zone), -EPROTO, "%zu bytes", bytes);
		free(cut);
	}
	database("Broken", &made);
	char why[512];

	cr_assert_eq(zone_load("Etc/Broken", &zone, why, sizeof(why)), 0);
	zone_free(zone);
	remove_database("Broken");
	made.used -= 3;
	database("Broken", &made);
	cr_assert_eq(zone_load("Etc/Broken", &zone, why, sizeof(why)), -EPROTO);
	cr_assert(strstr(why, "Etc/Broken is no time zone"), "%s", why);
	remove_database("Broken");
}

static void refuses(const struct made_change *changes, uint32_t times, const int32_t *types,
		    uint32_t types_count, const char *footer)
{
	struct made made = make_file(changes, times, types, types_count, footer);
	struct zone *zone = NULL;

	cr_assert_eq(zone_parse("Bad", made.data, made.used, &zone), -EPROTO, "%s", footer);
	cr_assert_null(zone);
}

Test(zone, of_a_file_that_makes_no_sense_is_refused)
{
	const struct made_change backward[] = {{5001, 0}, {1000, 0}}, beyond[] = {{1000, 1}};
	const char *footers[] = {"GMT",
				 "GM0",
				 "<GMT0",
				 "GMT0BST",
				 "GMT0BST,M3.5.0/1",
				 "GMT25",
				 "GMT0BST,M13.5.0,M10.5.0",
				 "GMT0BST,M3.6.0,M10.5.0",
				 "GMT0BST,M3.5.7,M10.5.0",
				 "GMT0BST,J0,J365",
				 "GMT0BST,366,J365",
				 "GMT0BST,M3.5.0/168,M10.5.0",
				 "GMT0BST,M3.5.0,M10.5.0,",
				 "GMT0:60",
				 "GMT0BST,M3",
				 "GMT0BST,M3.5",
				 "GMT0BST,M0.5.0,M10.5.0"};
	const int32_t zero[] = {0}, day[] = {93600};

	for (size_t i = 0; i < sizeof(footers) / sizeof(footers[0]); i++)
		refuses(NULL, 0, zero, 1, footers[i]);
	refuses(backward, 2, zero, 1, "");
	refuses(beyond, 1, zero, 1, "");
	refuses(NULL, 0, day, 1, "");
	refuses(NULL, 0, zero, 0, "GMT0");
	/* Leap seconds: unix time has none. The count stands behind those of indicators. */
	struct made made = make_file(NULL, 0, zero, 1, "GMT0");
	struct zone *zone = NULL;

	made.data[44 + 6 + 4 + 31] = 1;
	memmove(made.data + made.used + 12 - 6, made.data + made.used - 6, 6);
	made.used += 12;
	cr_assert_eq(zone_parse("Leap", made.data, made.used, &zone), -EPROTO);
}

static char *saved(const struct zone *zone)
{
	struct bytes bytes = {0};

	zone_save(zone, &bytes);
	bytes_put(&bytes, "", 1);
	cr_assert_not(bytes.failed);
	return (char *)bytes.data;
}

Test(zone, comes_back_as_it_was_saved)
{
	const struct made_change changes[] = {
		{-3852662325, 1}, {5, 1}, {57722400, 2}, {859683600, 1}};
	struct made made = make_file(changes, 4, (const int32_t[]){-75, 3600, 0}, 3,
				     "GMT0BST,M3.5.0/1,M10.5.0");
	struct zone *zone = parse(&made), *read = NULL;
	char *line = saved(zone);

	cr_assert_eq(zone_read(line, strlen(line), &read), 0, "%s", line);
	struct zone *copy = zone_copy(read);
	char *again = saved(copy);

	cr_assert_str_eq(line, "Test/Zone 3600 57722400+0 846378000+0 GMT0BST,M3.5.0/1,M10.5.0");
	cr_assert_str_eq(again, line);
	cr_assert_str_eq(zone_name(copy), "Test/Zone");
	for (int64_t t = 0; t < 8000000000000; t += 12345678) {
		cr_assert_eq(zone_offset_ms(read, t), zone_offset_ms(zone, t));
		cr_assert_eq(zone_offset_ms(copy, t), zone_offset_ms(zone, t));
	}
	cr_assert_null(zone_copy(NULL));
	zone_free(zone);
	zone_free(read);
	zone_free(copy);
	free(line);
	free(again);
}

Test(zone, of_a_line_that_makes_no_sense_is_refused)
{
	static const char *const lines[] = {
		"",
		"A",
		"A ",
		" 0",
		"A x",
		"A 0 ",
		"A 99999999",
		"A 0 1000",
		"A 0 1000+",
		"A 0 1000+x",
		"A 0 1000+3600x",
		"A 0 1000+99999",
		"A 0 2000+0 1000+0",
		"A 0 1000+0 GMT",
		"A 0 GMT0 1",
		"A 0  GMT0",
		"../A 0",
		"A 0 99999999999999999999+0",
		"A2345678901234567890123456789012345678901234567890123456789012345 0",
		"A 0 <234567890123456789012345678901234567890123456789012345678901234>0"};
	struct zone *zone = NULL;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		cr_assert_eq(zone_read(lines[i], strlen(lines[i]), &zone), -EPROTO, "%s", lines[i]);
	cr_assert_eq(zone_read("A\0 0", 4, &zone), -EPROTO);
	char *long_one = malloc(200000);

	for (size_t i = 0; i < 100000; i++)
		memcpy(long_one + 2 * i, "1 ", 2);
	cr_assert_eq(zone_read(long_one, 200000, &zone), -EPROTO);
	free(long_one);
	cr_assert_null(zone);
	cr_assert_eq(zone_read("A 0", 3, &zone), 0);
	zone_free(zone);
}

/* London from 1995 on, with each change through `year`, or with the one that leads to the rule. */
static struct made london(int year)
{
	struct made_change changes[128] = {{at(1995, 3, 26, 1, 0, 0) / 1000, 1},
					   {at(1995, 10, 22, 1, 0, 0) / 1000, 0},
					   {at(1996, 1, 1, 0, 0, 0) / 1000, 0}};
	struct zone *rules = rule("GMT0BST,M3.5.0/1,M10.5.0");
	uint32_t count = 3;

	for (int64_t t = at(1996, 1, 1, 0, 0, 0); t < at(year, 1, 1, 0, 0, 0); t += HOUR_MS)
		if (zone_offset_ms(rules, t) != zone_offset_ms(rules, t - 1))
			changes[count++] = (struct made_change){t / 1000,
								zone_offset_ms(rules, t) > 0};
	zone_free(rules);
	return make_file(changes, count, (const int32_t[]){0, 3600}, 2, "GMT0BST,M3.5.0/1,M10.5.0");
}

Test(zone, is_saved_the_same_whether_its_file_writes_each_change_or_the_rule)
{
	struct made fat = london(2038), slim = london(1996);
	struct zone *of_fat = parse(&fat), *of_slim = parse(&slim);

	for (int64_t t = at(1994, 1, 1, 0, 0, 0); t < at(2050, 1, 1, 0, 0, 0); t += HOUR_MS / 2)
		cr_assert_eq(zone_offset_ms(of_fat, t), zone_offset_ms(of_slim, t));
	/* 1995 had its autumn a week earlier than the rule. */
	changes_at(of_slim, at(1995, 10, 22, 1, 0, 0), HOUR_MS, 0);
	changes_at(of_fat, at(1996, 10, 27, 1, 0, 0), HOUR_MS, 0);
	char *a = saved(of_fat), *b = saved(of_slim);

	cr_assert_str_eq(a, b);
	free(a);
	free(b);
	zone_free(of_fat);
	zone_free(of_slim);
}

/* The C library reads the same files: it is the oracle, where there is a database. */
Test(zone, says_what_the_c_library_says)
{
	static const char *const names[] = {
		"Europe/London",     "America/New_York",   "Australia/Sydney",    "Asia/Kolkata",
		"America/St_Johns",  "Asia/Tehran",        "Africa/Cairo",        "Pacific/Apia",
		"Antarctica/Troll",  "America/Sao_Paulo",  "Australia/Lord_Howe", "Europe/Dublin",
		"Africa/Casablanca", "Pacific/Kiritimati", "Asia/Kathmandu",      "America/Nuuk",
	};
	uint64_t random = 1;
	char why[512];

	unsetenv("TZDIR");
	if (access("/usr/share/zoneinfo/Europe/London", R_OK) < 0)
		cr_skip_test("no time zone database here (Debian: tzdata)");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct zone *zone = NULL;

		cr_assert_eq(zone_load(names[i], &zone, why, sizeof(why)), 0, "%s", why);
		setenv("TZ", names[i], 1);
		tzset();
		for (int n = 0; n < 5000; n++) {
			random = random * 6364136223846793005 + 1442695040888963407;
			/* 1950 to 2150; every second one near a change that may be. */
			time_t t = -631152000 + (time_t)((random >> 16) % 6311433600);
			struct tm tm;

			cr_assert(localtime_r(&t, &tm));
			cr_assert_eq(zone_offset_ms(zone, (int64_t)t * 1000), tm.tm_gmtoff * 1000,
				     "%s at %lld", names[i], (long long)t);
		}
		zone_free(zone);
	}
}

Test(zone, that_is_in_summer_all_year_is_saved_the_same_again_and_again)
{
	/* A change each year that changes nothing. */
	static const char *const lines[] = {"A 0 57722064230+0 GMT1BST,M1.5.0/1,M1.5.0",
					    "A 0 946684800-14400 EST5EDT,0/0,J365/25",
					    "A 0 946684800+0 GMT0BST0,M1.5.0/1,M1.5.0"};
	static const char *const expected[] = {"A 0 GMT1BST,M1.5.0/1,M1.5.0",
					       "A 0 946684800-14400 EST5EDT,0/0,J365/25",
					       "A 0 GMT0BST0,M1.5.0/1,M1.5.0"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct zone *zone = NULL;

		cr_assert_eq(zone_read(lines[i], strlen(lines[i]), &zone), 0);
		char *line = saved(zone);

		cr_assert_str_eq(line, expected[i]);
		free(line);
		zone_free(zone);
	}
	struct zone *none = NULL;

	cr_assert_eq(zone_read("A 0 9000000000000000000+0 GMT0", 30, &none), -EPROTO);
}

Test(zone, says_before_when_an_offset_does_not_change)
{
	static const char *const lines[] = {"A 0 57722400+3600 GMT0BST,M3.5.0/1,M10.5.0",
					    "A 7200 1000+3600 5000+0", "A 0",
					    "A 0 <-03>3<-02>,M10.3.0/0,M2.3.0/0",
					    "A 0 EST5EDT,0/0,J365/25"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct zone *zone = NULL;
		int64_t until = INT64_MIN, offset = 0;
		uint32_t asked = 0;

		cr_assert_eq(zone_read(lines[i], strlen(lines[i]), &zone), 0);
		for (int64_t t = 0; t < 4000000000000; t += 1800000) {
			if (t >= until) {
				offset = zone_offset_until(zone, t, &until);
				cr_assert_gt(until, t);
				asked++;
			}
			cr_assert_eq(zone_offset_ms(zone, t), offset, "%s at %ld", lines[i],
				     (long)t);
		}
		cr_assert_lt(asked, 400, "asked %u times", asked);
		zone_free(zone);
	}
}

Test(zone, has_a_granule_that_divides_all_its_offsets)
{
	static const struct {
		const char *line;
		int64_t granule_s;
	} zones[] = {{"A 0", 86400},
		     {"A 0 GMT0BST,M3.5.0/1,M10.5.0", 3600},
		     {"A 19800", 1800},
		     {"A 0 1000+18000 2000+20700", 900},
		     {"A -2670 63593070+0 GMT0", 30}};

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		struct zone *zone = NULL;

		cr_assert_eq(zone_read(zones[i].line, strlen(zones[i].line), &zone), 0);
		cr_assert_eq(zone_granule_ms(zone), zones[i].granule_s * 1000);
		zone_free(zone);
	}
	cr_assert_eq(zone_granule_ms(NULL), 86400000);
}
