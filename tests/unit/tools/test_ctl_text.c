/* text: names, numbers and times as weirctl writes and reads them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "weir/event.h"

static const char *number(double value)
{
	static char text[TEXT_NUMBER_BYTES];
	text_double(text, value);
	return text;
}

Test(ctl_text, numbers_have_the_fewest_digits_that_read_back)
{
	cr_expect_str_eq(number(49.99), "49.99");
	cr_expect_str_eq(number(-0.5), "-0.5");
	cr_expect_str_eq(number(0.0), "0");
	cr_expect_str_eq(number(-3.0), "-3");
	cr_expect_str_eq(number(0.1 + 0.2), "0.30000000000000004");
	cr_expect_str_eq(number(1e300), "1e+300");
	cr_expect_str_eq(number(INFINITY), "null");
	cr_expect_str_eq(number(NAN), "null");
}

static const char *brief(double value)
{
	static char text[TEXT_NUMBER_BYTES];
	text_brief(text, value);
	return text;
}

Test(ctl_text, people_are_told_no_digits_that_say_nothing)
{
	cr_expect_str_eq(brief(231465.59000000008), "231466");
	cr_expect_str_eq(brief(2170.5499999999997), "2170.55");
	cr_expect_str_eq(brief(0.6131329113924051), "0.613133");
	cr_expect_str_eq(brief(12345678), "12345678");
	cr_expect_str_eq(brief(-12345678.5), "-12345678");
	cr_expect_str_eq(brief(0), "0");
	cr_expect_str_eq(brief(1e300), "1e+300");
	cr_expect_str_eq(brief(NAN), "-");
}

static const char *span(int64_t ms)
{
	static char text[TEXT_NUMBER_BYTES];
	text_span(text, ms);
	return text;
}

Test(ctl_text, spans_are_whole_ones_of_a_unit)
{
	cr_expect_str_eq(span(500), "0.5 s");
	cr_expect_str_eq(span(90000), "90 s");
	cr_expect_str_eq(span(1740000), "29 min");
	cr_expect_str_eq(span(7200000), "2 h");
	cr_expect_str_eq(span(604800000), "7 d");
	cr_expect_str_eq(span(0), "0 s");
}

Test(ctl_text, any_number_reads_back_to_the_same_bits)
{
	uint64_t state = 88172645463325252u;
	for (int i = 0; i < 200000; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		uint64_t bits = state;
		if (i % 2) /* money, up to large sums */
			bits = weir_value_bits((double)(int64_t)(state >> (i % 50 + 10)) / 100.0);
		if (!weir_bits_finite(bits))
			continue;
		double value = weir_bits_value(bits);
		uint64_t back = weir_value_bits(strtod(number(value), NULL));
		cr_assert_eq(back, bits, "%a: %s", value, number(value));
	}
	cr_expect_eq(weir_value_bits(strtod(number(-0.0), NULL)), weir_value_bits(-0.0));
}

static const char *written(void (*write)(FILE *, const char *), const char *text)
{
	static char buffer[256];
	memset(buffer, 0, sizeof(buffer));
	FILE *file = fmemopen(buffer, sizeof(buffer), "w");
	write(file, text);
	fclose(file);
	return buffer;
}

Test(ctl_text, json_strings_and_csv_fields_are_quoted_where_they_must_be)
{
	cr_expect_str_eq(written(text_json, "a \"b\" \\ \n\x01 \xc3\xa9"),
			 "\"a \\\"b\\\" \\\\ \\u000a\\u0001 \xc3\xa9\"");
	cr_expect_str_eq(written(text_csv, "plain text"), "plain text");
	cr_expect_str_eq(written(text_csv, "a,b"), "\"a,b\"");
	cr_expect_str_eq(written(text_csv, "say \"hi\""), "\"say \"\"hi\"\"\"");
	cr_expect_str_eq(written(text_csv, ""), "");
}

Test(ctl_text, times_are_written_in_utc_with_milliseconds)
{
	char text[TEXT_TIME_BYTES];
	text_time(text, INT64_C(1294135200007));
	cr_expect_str_eq(text, "2011-01-04T10:00:00.007Z");
	text_time(text, -1);
	cr_expect_str_eq(text, "1969-12-31T23:59:59.999Z");
}

Test(ctl_text, times_of_the_week_say_their_days)
{
	static const struct {
		int64_t start_minutes, minutes;
		const char *text;
	} cases[] = {
		/* 1970-01-06 was a Tuesday. */
		{5 * 1440 + 14 * 60, 90, "Tue 14:00-15:30 UTC"},
		{5 * 1440 + 22 * 60, 240, "Tue 22:00-Wed 02:00 UTC"},
		{5 * 1440, 1440, "Tue 00:00-24:00 UTC"},
		{6 * 1440 + 23 * 60, 3 * 1440, "Wed 23:00-Sat 23:00 UTC"},
		{5 * 1440 + 60, 8 * 1440, "the whole week"},
		{-60, 30, "Wed 23:00-23:30 UTC"},
	};
	char text[TEXT_WEEK_BYTES];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t start_ms = cases[i].start_minutes * 60000;

		text_week(text, start_ms, start_ms + cases[i].minutes * 60000);
		cr_expect_str_eq(text, cases[i].text);
	}
}

Test(ctl_text, times_are_read_in_the_forms_that_people_write)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"0", 0},
		{"1294135200", INT64_C(1294135200000)},
		{"2011-01-04", INT64_C(1294099200000)},
		{"2011-01-04T10:00", INT64_C(1294135200000)},
		{"2011-01-04 10:00", INT64_C(1294135200000)},
		{"2011-01-04T10:00:01", INT64_C(1294135201000)},
		{"2011-01-04 10:00:01Z", INT64_C(1294135201000)},
		{"2011-01-04T11:00:01.5+01:00", INT64_C(1294135201500)},
	};
	static const char *const bad[] = {
		"",   "yesterday",   "2011-02-30",          "2011-01-04T", "2011-01-04T10:00x",
		"-5", "1294135200s", "99999999999999999999"};
	int64_t ms;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_expect_eq(text_parse_time(good[i].text, &ms), 0, "%s", good[i].text);
		cr_expect_eq(ms, good[i].ms, "%s", good[i].text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(text_parse_time(bad[i], &ms), -EINVAL, "%s", bad[i]);
}
