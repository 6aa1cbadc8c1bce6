/* import_time: times and numbers as files have them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../support/random.h"
#include "import_time.h"
#include "weir/event.h"

static int64_t time_of(const char *format, const char *zone, const char *text)
{
	struct import_clock clock;
	int64_t ms;
	cr_assert_eq(import_clock_init(&clock, format, zone), 0);
	int ret = import_time(&clock, text, (uint32_t)strlen(text), &ms);
	return ret < 0 ? ret : ms;
}

Test(ctl_import_time, numbers_are_taken_by_their_size_or_as_said)
{
	cr_expect_eq(time_of("auto", NULL, "1294135200"), 1294135200000);
	cr_expect_eq(time_of("auto", NULL, "1294135200.25"), 1294135200250);
	cr_expect_eq(time_of("auto", NULL, "1294135200123"), 1294135200123);
	cr_expect_eq(time_of("auto", NULL, "1294135200123456"), 1294135200123);
	cr_expect_eq(time_of("s", NULL, " 7 "), 7000);
	cr_expect_eq(time_of("ms", NULL, "7"), 7);
	cr_expect_eq(time_of("us", NULL, "7999"), 7);
	cr_expect_eq(time_of("ns", NULL, "1294135200123456789"), 1294135200123);
	cr_expect_eq(time_of("s", NULL, "-1"), -ERANGE);
	cr_expect_eq(time_of("s", NULL, "5000000000"), -ERANGE);
	cr_expect_eq(time_of("s", NULL, ""), -EINVAL);
	cr_expect_eq(time_of("s", NULL, "1h"), -EINVAL);
}

Test(ctl_import_time, iso_has_days_minutes_seconds_fractions_and_zones)
{
	cr_expect_eq(time_of("auto", NULL, "2011-01-04"), 1294099200000);
	cr_expect_eq(time_of("iso", NULL, "2011-01-04T10:00"), 1294135200000);
	cr_expect_eq(time_of("iso", NULL, "2011-01-04 10:00:01Z"), 1294135201000);
	cr_expect_eq(time_of("iso", NULL, "2011-01-04T10:00:00.123456+01:00"), 1294131600123);
	cr_expect_eq(time_of("iso", NULL, "2011-01-04T10:00:00-0530"), 1294155000000);
	cr_expect_eq(time_of("iso", "+02:00", "2011-01-04T10:00"), 1294128000000);
	cr_expect_eq(time_of("iso", "+02:00", "2011-01-04T10:00Z"), 1294135200000);
	cr_expect_eq(time_of("iso", NULL, "2016-12-31T23:59:60Z"), 1483228799000);
	cr_expect_eq(time_of("iso", NULL, "2000-02-29"), 951782400000);
	static const char *const wrong[] = {"2011-02-29",
					    "1900-02-29",
					    "2011-13-01",
					    "2011-1-4",
					    "2011-01-04T",
					    "2011-01-04T24:00",
					    "2011-01-04T10:60",
					    "2011-01-04T10:00:61",
					    "2011-01-04T10:00x",
					    "2011-01-04T10:00:",
					    "2011-01-04T10:00:00.",
					    "2011-01-04Z",
					    "2011-01-04T10:00+1",
					    "",
					    "2011-01-04T10:00+19:00"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_eq(time_of("iso", NULL, wrong[i]), -EINVAL, "%s", wrong[i]);
	cr_expect_eq(time_of("iso", NULL, "1969-12-31"), -ERANGE);
}

Test(ctl_import_time, patterns_are_those_of_strptime)
{
	cr_expect_eq(time_of("%Y%m%d", NULL, "20110104"), 1294099200000);
	cr_expect_eq(time_of("%d/%m/%Y %H:%M", NULL, "04/01/2011 10:00"), 1294135200000);
	cr_expect_eq(time_of("%d/%m/%Y %H:%M %z", "+05:00", "04/01/2011 10:00 +0100"),
		     1294131600000);
	cr_expect_eq(time_of("%d/%m/%Y", NULL, "30/02/2011"), -EINVAL);
	cr_expect_eq(time_of("%d/%m/%Y", NULL, "04/01/2011 10:00"), -EINVAL);
	struct import_clock clock;
	cr_expect_eq(import_clock_init(&clock, "dd.mm.yyyy", NULL), -EINVAL);
}

/* Against libc, over a century, in a zone with summer time. */
Test(ctl_import_time, any_day_and_zone_agrees_with_libc)
{
	random_start(5);
	struct import_clock clock;
	cr_assert_eq(import_clock_init(&clock, "iso", "Europe/Rome"), 0);
	for (int i = 0; i < 50000; i++) {
		time_t second = (time_t)(random_next() % 4102444800u);
		char text[32];
		struct tm tm;
		int64_t ms;
		/* The hour that comes twice has two answers. */
		localtime_r(&second, &tm);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
		tm.tm_isdst = -1;
		cr_assert_eq(import_time(&clock, text, (uint32_t)strlen(text), &ms), 0);
		int64_t off = ms - (int64_t)second * 1000;
		cr_assert(off == 0 || off == 3600000 || off == -3600000, "%s: %lld", text,
			  (long long)off);
		gmtime_r(&second, &tm);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
		cr_assert_eq(import_time(&clock, text, (uint32_t)strlen(text), &ms), 0);
		cr_assert_eq(ms, (int64_t)second * 1000);
	}
	cr_expect_eq(time_of("iso", "Europe/Rome", "2011-07-04T10:00"), 1309766400000);
	cr_expect_eq(time_of("iso", "Europe/Rome", "2011-01-04T10:00"), 1294131600000);
	cr_expect_eq(import_clock_init(&clock, "iso", "Europe/Atlantis"), -ENOENT);
	cr_expect_eq(import_clock_init(&clock, "iso", "../../etc/passwd"), -ENOENT);
}

Test(ctl_import_time, numbers_are_the_nearest_doubles)
{
	static const char *const forms[] = {"%.0f", "%.2f", "%.6f", "%.17g", "%e", "%g"};
	random_start(3);
	for (int i = 0; i < 200000; i++) {
		char text[400];
		double value = (double)(int64_t)random_next() /
			       (double)(1 + (random_next() >> (i % 60)));
		int bytes = snprintf(text, sizeof(text), forms[i % 6], value);
		double read;
		cr_assert_eq(import_number(text, (uint32_t)bytes, &read), 0, "%s", text);
		double oracle = strtod(text, NULL);
		cr_assert_eq(weir_value_bits(read), weir_value_bits(oracle), "%s", text);
	}
	static const char *const wrong[] = {"",  " ",  "-",   ".",    "1,5",   "1 2",
					    "e", "1e", "inf", "0x10", "1e400", "--1"};
	double value;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_eq(import_number(wrong[i], (uint32_t)strlen(wrong[i]), &value), -EINVAL,
			     "%s", wrong[i]);
}
