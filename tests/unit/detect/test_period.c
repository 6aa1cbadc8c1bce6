/* Periods against the calendar of libc, and sums over them against plain loops. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <time.h>

#include "base/zone.h"
#include "detect/period.h"
#include "support.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static struct tm calendar(int64_t ms)
{
	time_t seconds = ms / 1000 - (ms % 1000 < 0);
	struct tm tm;
	gmtime_r(&seconds, &tm);
	return tm;
}

Test(period, months_are_those_of_the_calendar)
{
	/* Each day of 800 years, leap years and centuries among them. */
	for (int64_t day = -146097; day < 146097; day++) {
		struct tm tm = calendar(day * DAY);
		int64_t month = (tm.tm_year - 70) * 12 + tm.tm_mon;
		cr_assert_eq(period_of(day, DAY, DETECTOR_MONTH, NULL), month, "day %ld",
			     (long)day);
		if (tm.tm_mday == 1) {
			cr_assert_eq(period_first(month, DAY, DETECTOR_MONTH, NULL), day);
			cr_assert_eq(period_last(month - 1, DAY, DETECTOR_MONTH, NULL), day - 1);
		}
	}
}

Test(period, weeks_begin_on_monday)
{
	for (int64_t hour = -1000; hour < 3000; hour++) {
		int64_t week = period_of(hour, HOUR, 7 * DAY, NULL);
		struct tm tm = calendar(period_first(week, HOUR, 7 * DAY, NULL) * HOUR);
		cr_assert(tm.tm_wday == 1 && tm.tm_hour == 0 && tm.tm_min == 0);
		cr_assert_leq(period_first(week, HOUR, 7 * DAY, NULL), hour);
		cr_assert_geq(period_last(week, HOUR, 7 * DAY, NULL), hour);
	}
}

Test(period, every_interval_lies_in_the_one_period_that_says_so)
{
	const int64_t lengths[] = {0, 5 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, DETECTOR_MONTH};
	for (uint32_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
		int64_t length = lengths[l], last = period_of(-200001, MINUTE, length, NULL);
		for (int64_t i = -200000; i < 200000; i++) {
			int64_t number = period_of(i, MINUTE, length, NULL);
			cr_assert(number == last || number == last + 1);
			if (number != last) {
				cr_assert_eq(period_first(number, MINUTE, length, NULL), i);
				cr_assert_eq(period_last(last, MINUTE, length, NULL), i - 1);
			}
			last = number;
		}
	}
}

Test(period, a_year_before_is_the_same_weekday_and_a_week_before_too)
{
	cr_assert_eq(period_back(MINUTE, HOUR, BASELINE_LAST_WEEK), 168);
	cr_assert_eq(period_back(MINUTE, DAY, BASELINE_LAST_WEEK), 7);
	cr_assert_eq(period_back(MINUTE, DAY, BASELINE_LAST_YEAR), 364);
	cr_assert_eq(period_back(MINUTE, 7 * DAY, BASELINE_LAST_YEAR), 52);
	cr_assert_eq(period_back(MINUTE, DETECTOR_MONTH, BASELINE_LAST_YEAR), 12);
	cr_assert_eq(period_back(DAY, 0, BASELINE_LAST_YEAR), 364);
	cr_assert_eq(period_back(MINUTE, DAY, BASELINE_RECENT), 1);
}

static struct shop shop;
static double numerator[SHOP_SLICES_MAX], weight[SHOP_SLICES_MAX];

static void begin(enum aggregation aggregation, uint32_t slices, struct period *period)
{
	shop_init(&shop, 3, slices, MINUTE, aggregation);
	if (aggregation == AGGREGATE_RATIO) {
		shop.observations.numerator = numerator;
		shop.observations.weight = weight;
	}
	period_init(period, HOUR, NULL);
	cr_assert_eq(period_grow(period, slices), 0);
}

Test(period, counts_means_extremes_and_ratios_come_to_what_all_events_come_to)
{
	const enum aggregation all[] = {AGGREGATE_COUNT, AGGREGATE_SUM, AGGREGATE_MEAN,
					AGGREGATE_MIN,   AGGREGATE_MAX, AGGREGATE_RATIO};
	for (uint32_t a = 0; a < sizeof(all) / sizeof(all[0]); a++) {
		struct period period;
		double count = 0, sum = 0, least = INFINITY, most = -INFINITY, bounces = 0;
		uint32_t ended = 0;
		begin(all[a], 1, &period);
		for (int i = 0; i < 600; i++) {
			int n = (int)(5 * chance_uniform(&shop.chance));
			double total = 0, low = INFINITY, high = -INFINITY;
			for (int k = 0; k < n; k++) {
				double x = 40 * chance_uniform(&shop.chance);
				total += x;
				low = fmin(low, x), high = fmax(high, x);
			}
			numerator[0] = n / 2, weight[0] = n;
			const double values[] = {[AGGREGATE_COUNT] = n,
						 [AGGREGATE_SUM] = total,
						 [AGGREGATE_MEAN] = n ? total / n : (double)NAN,
						 [AGGREGATE_MIN] = n ? low : (double)NAN,
						 [AGGREGATE_MAX] = n ? high : (double)NAN,
						 [AGGREGATE_RATIO] = n ? numerator[0] / n
								       : (double)NAN};
			shop.observations.interval++;
			shop.value[0] = values[all[a]];
			shop.events[0] = n;
			shop.squares[0] = total;
			count += n, sum += total, bounces += numerator[0];
			least = fmin(least, low), most = fmax(most, high);
			const struct observations *o = period_add(&period, &shop.observations);
			cr_assert_eq(o != NULL, i % 60 == 59, "at %d", i);
			if (!o)
				continue;
			const double sums[] = {[AGGREGATE_COUNT] = count,
					       [AGGREGATE_SUM] = sum,
					       [AGGREGATE_MEAN] = sum / count,
					       [AGGREGATE_MIN] = least,
					       [AGGREGATE_MAX] = most,
					       [AGGREGATE_RATIO] = bounces / count};
			cr_assert_float_eq(o->value[0], sums[all[a]], 1e-9);
			cr_assert_eq(o->events[0], count);
			cr_assert_float_eq(o->sum_squares[0], all[a] == AGGREGATE_RATIO ? 0 : sum,
					   1e-9);
			cr_assert(o->interval == i / 60 && o->interval_ms == HOUR);
			cr_assert_eq(o->flags, 0);
			count = sum = bounces = 0, least = INFINITY, most = -INFINITY;
			ended++;
		}
		cr_assert_eq(ended, 10);
		period_fini(&period);
	}
}

Test(period, of_which_much_was_not_seen_is_incomplete)
{
	struct period period;
	const struct observations *o = NULL;

	begin(AGGREGATE_COUNT, 1, &period);
	shop.observations.interval = 2;
	for (int i = 3; i < 60; i++) {
		shop.observations.interval++;
		o = period_add(&period, &shop.observations);
	}
	cr_assert_not_null(o);
	cr_assert_eq(o->flags, 0, "57 of 60 are enough");
	for (int i = 0; i < 60; i++) {
		shop.observations.interval++;
		shop.observations.flags = i < 4 ? OBSERVATION_INCOMPLETE : 0;
		o = period_add(&period, &shop.observations);
	}
	cr_assert_eq(o->flags, OBSERVATION_INCOMPLETE, "56 are not");
	shop.observations.flags = 0;
	shop.observations.interval++;
	cr_assert_null(period_add(&period, &shop.observations));
	shop.observations.interval = 60 * 4 - 2;
	shop.value[0] = 7;
	cr_assert_null(period_add(&period, &shop.observations));
	shop.observations.interval++;
	o = period_add(&period, &shop.observations);
	cr_assert_eq(o->value[0], 14, "nothing is carried over a jump");
	cr_assert_eq(o->flags, OBSERVATION_INCOMPLETE);
	period_fini(&period);
}

Test(period, a_ratio_without_denominator_and_what_cannot_be_added_have_no_value)
{
	struct period period;
	const struct observations *o = NULL;

	begin(AGGREGATE_RATIO, 1, &period);
	numerator[0] = weight[0] = 0;
	for (int i = 0; i < 60; i++) {
		shop.observations.interval++;
		shop.value[0] = NAN;
		o = period_add(&period, &shop.observations);
	}
	cr_assert(o && isnan(o->value[0]));
	/* A bounce that comes in another interval than its visit counts all the same. */
	for (int i = 0; i < 60; i++) {
		shop.observations.interval++;
		numerator[0] = i % 2, weight[0] = i % 2 ? 0 : 2;
		shop.value[0] = i % 2 ? (double)NAN : 0;
		o = period_add(&period, &shop.observations);
	}
	cr_assert(o && o->value[0] == 0.5 && o->weight[0] == 60 && o->numerator[0] == 30);
	period_fini(&period);
	begin(AGGREGATE_DISTINCT, 1, &period);
	for (int i = 0; i < 60; i++) {
		shop.observations.interval++;
		shop.value[0] = 5;
		o = period_add(&period, &shop.observations);
	}
	cr_assert(o && isnan(o->value[0]));
	period_fini(&period);
}

Test(period, saved_and_loaded_goes_on_like_one_that_was_not)
{
	struct period period, loaded;
	struct bytes saved = {0};

	begin(AGGREGATE_SUM, 20, &period);
	for (int i = 0; i < 90; i++) {
		shop.observations.interval++;
		for (uint32_t s = 0; s < 20; s++)
			shop_draw(&shop, s, 3);
		period_add(&period, &shop.observations);
	}
	period_save(&period, &saved);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	period_init(&loaded, HOUR, NULL);
	cr_assert_eq(period_grow(&loaded, 20), 0);
	cr_assert_eq(period_load(&loaded, 20, &in), 0);
	for (int i = 0; i < 30; i++) {
		shop.observations.interval++;
		for (uint32_t s = 0; s < 20; s++)
			shop_draw(&shop, s, 3);
		const struct observations *a = period_add(&period, &shop.observations);
		const struct observations *b = period_add(&loaded, &shop.observations);
		cr_assert_eq(a == NULL, b == NULL);
		if (a)
			cr_assert_eq(memcmp(a->value, b->value, 20 * sizeof(double)), 0);
	}
	struct bytes_reader half = {.data = saved.data, .left = saved.used / 2};
	cr_assert_eq(period_load(&loaded, 20, &half), -EPROTO);
	bytes_fini(&saved);
	period_fini(&period), period_fini(&loaded);
}

/* Sums that come without their events: their squares are no number, and no reason to doubt. */
Test(period, squares_that_nobody_knows_are_kept_as_such)
{
	struct period period, loaded;
	struct bytes saved = {0};

	begin(AGGREGATE_SUM, 1, &period);
	shop.observations.interval++;
	shop.value[0] = shop.events[0] = 1;
	shop.squares[0] = NAN;
	cr_assert_null(period_add(&period, &shop.observations));
	period_save(&period, &saved);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	period_init(&loaded, HOUR, NULL);
	cr_assert_eq(period_grow(&loaded, 1), 0);
	cr_assert_eq(period_load(&loaded, 1, &in), 0);
	cr_expect(isnan(loaded.squares[0]) && loaded.top[0] == 1);
	/* Of the sum itself that is no answer, nor are numbers of no time. */
	double nothing = NAN;
	memcpy(saved.data + 24, &nothing, sizeof(nothing));
	in = (struct bytes_reader){.data = saved.data, .left = saved.used};
	cr_expect_eq(period_load(&loaded, 1, &in), -EPROTO);
	memset(saved.data, 0x7f, 8);
	in = (struct bytes_reader){.data = saved.data, .left = saved.used};
	cr_expect_eq(period_load(&loaded, 1, &in), -EPROTO);
	bytes_fini(&saved);
	period_fini(&period), period_fini(&loaded);
}

static struct zone *zone_of(const char *line)
{
	struct zone *zone = NULL;

	cr_assert_eq(zone_read(line, strlen(line), &zone), 0, "%s", line);
	return zone;
}

/* What its clock shows in the middle of an interval. */
static struct tm wall(int64_t interval, int64_t interval_ms, const struct zone *zone)
{
	int64_t ms = interval * interval_ms + interval_ms / 2;

	return calendar(ms + zone_offset_ms(zone, ms));
}

Test(period, days_weeks_and_months_of_a_place_are_those_of_its_clock)
{
	static const char *const lines[] = {
		"Europe/London 0 GMT0BST,M3.5.0/1,M10.5.0", "Asia/Kolkata 19800 IST-5:30",
		"Pacific/Auckland 43200 NZST-12NZDT,M9.5.0,M4.1.0/3",
		"America/Sao_Paulo -10800 <-03>3<-02>,M10.3.0/0,M2.3.0/0"};
	const int64_t lengths[] = {DAY, 7 * DAY, DETECTOR_MONTH}, interval_ms = 15 * MINUTE;

	for (int l = 0; l < 4 * 3; l++) {
		struct zone *zone = zone_of(lines[l / 3]);
		int64_t length = lengths[l % 3], from = INT64_C(1700000000000) / interval_ms;
		int64_t last = period_of(from - 1, interval_ms, length, zone);
		int periods = 0;

		for (int64_t i = from; i < from + 366 * 96; i++) {
			int64_t number = period_of(i, interval_ms, length, zone);
			struct tm now = wall(i, interval_ms, zone);
			struct tm was = wall(i - 1, interval_ms, zone);
			bool begins = length == DETECTOR_MONTH     ? now.tm_mon != was.tm_mon
				      : now.tm_yday == was.tm_yday ? false
				      : length == DAY              ? true
								   : now.tm_wday == 1;

			cr_assert_eq(number, last + begins, "%s %ld", lines[l / 3], (long)i);
			if (begins) {
				cr_assert_eq(period_first(number, interval_ms, length, zone), i);
				cr_assert_eq(period_last(last, interval_ms, length, zone), i - 1);
			}
			last = number;
			periods += begins;
		}
		cr_assert_geq(periods, length == DAY ? 365 : 12);
		zone_free(zone);
	}
}

Test(period, a_day_of_23_hours_or_of_25_is_whole_and_comes_once)
{
	/* Until 2011 clocks in Newfoundland were set a minute past midnight, back into the day
	 * before. */
	struct zone *zones[] = {
		zone_of("Europe/London 0 GMT0BST,M3.5.0/1,M10.5.0"),
		zone_of("America/St_Johns -12600 NST3:30NDT,M4.1.0/0:01,M10.5.0/0:01")};
	uint32_t lengths[2][1500] = {{0}}, short_days = 0, long_days = 0;

	for (int z = 0; z < 2; z++) {
		struct period period;
		int64_t last = 0, since = 0;

		shop_init(&shop, 3, 1, MINUTE, AGGREGATE_COUNT);
		shop.observations.interval = INT64_C(1700000000000) / MINUTE;
		period_init(&period, DAY, zones[z]);
		cr_assert_eq(period_grow(&period, 1), 0);
		for (int i = 0; i < 400 * 1440; i++) {
			shop.observations.interval++;
			shop.value[0] = shop.events[0] = 1;
			const struct observations *o = period_add(&period, &shop.observations);
			if (!o)
				continue;
			uint32_t minutes = (uint32_t)(shop.observations.interval - since);
			cr_assert(last == 0 || o->interval == last + 1);
			cr_assert(last == 0 || !(o->flags & OBSERVATION_INCOMPLETE));
			cr_assert(last == 0 || o->value[0] == minutes);
			if (last)
				lengths[z][minutes < 1500 ? minutes : 0]++;
			last = o->interval;
			since = shop.observations.interval;
		}
		period_fini(&period);
		zone_free(zones[z]);
	}
	short_days = lengths[0][23 * 60];
	long_days = lengths[0][0];
	cr_assert_eq(short_days, 1);
	cr_assert_eq(long_days, 1);
	cr_assert_eq(lengths[0][1440], 397);
	cr_assert_eq(lengths[1][1440] + lengths[1][1380] + lengths[1][0], 399);
}
