/* What stood out a year before is expected again: by its date, or by its weekday; and what that
 * must not do. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>

#include "base/civil.h"
#include "detect/resolutions.h"
#include "support.h"

#define HOUR INT64_C(3600000)
#define DAY INT64_C(86400000)
#define RATE 400.0
/* Scores at intervals of an hour that people would hear of: severity 70. */
#define LOUD 3.8

static const struct detector_spec spec = {
	.name = "year", .kind = DETECTOR_SEASONAL, .severity = 70, .learn_intervals = 1};

/* What a day brings, in multiples of the usual. */
typedef double pattern(int64_t day);

/* A shop that has seen the years before, and one that opened in June. */
struct twins {
	struct shop shop;
	struct probe old, young;
	pattern *pattern;
	bool mean;
};

static struct twins twins;

static int64_t date(int64_t year, int month, int day)
{
	return civil_day(year, month, day);
}

/* The nth of a weekday of a month, 0: Sunday. */
static int64_t nth(int64_t year, int month, int weekday, int n)
{
	int64_t first = date(year, month, 1);
	return first + (weekday - civil_weekday(first) + 7) % 7 + 7 * (n - 1);
}

static double plain(int64_t day)
{
	(void)day;
	return 1;
}

static double feasts(int64_t day)
{
	int64_t year = civil_year(day);

	if (day >= date(year, 12, 24) && day <= date(year, 12, 26))
		return 0.4;
	if (day == date(year, 2, 14))
		return 1.5;
	if (day == nth(year, 11, 5, 4))
		return 1.8;
	return day == nth(year, 5, 0, 2) ? 1.4 : 1;
}

/* A summer in which people are away, and December. */
static double seasons(int64_t day)
{
	int64_t year = civil_year(day);
	double of_year = (double)(day - date(year, 1, 1));
	double summer = (of_year - 210) / 25, december = (of_year - 350) / 12;

	return 1 - 0.35 * exp(-summer * summer) + 0.8 * exp(-december * december);
}

static void open_twins(struct twins *t, int64_t interval_ms, pattern *of_days)
{
	shop_init(&t->shop, 3, 1, interval_ms, AGGREGATE_COUNT);
	probe_init(&t->old, &detector_seasonal, &spec, 1);
	probe_init(&t->young, &detector_seasonal, &spec, 1);
	t->pattern = of_days;
	t->shop.observations.interval = date(2021, 1, 1) * DAY / interval_ms - 1;
}

static void close_twins(struct twins *t)
{
	probe_fini(&t->old);
	probe_fini(&t->young);
}

static int64_t today(const struct twins *t)
{
	return t->shop.observations.interval * t->shop.observations.interval_ms / DAY;
}

/* The next interval, with so many times what comes. */
static void step(struct twins *t, double factor)
{
	double hours = (double)t->shop.observations.interval_ms / HOUR;

	t->shop.observations.interval++;
	double shape = hours < 24 ? shop_shape(fmod(shop_hours(&t->shop), 168)) : 1;
	double mean = RATE * hours * factor * t->pattern(today(t));
	if (t->mean) {
		t->shop.value[0] = mean * (1 + 0.05 * chance_normal(&t->shop.chance));
		t->shop.events[0] = 20, t->shop.squares[0] = NAN;
	} else {
		shop_draw(&t->shop, 0, mean * shape);
	}
	probe_step(&t->old, &t->shop);
	if (today(t) >= date(2022, 6, 1))
		probe_step(&t->young, &t->shop);
}

static void live_until(struct twins *t, int64_t day)
{
	while ((t->shop.observations.interval + 1) * t->shop.observations.interval_ms < day * DAY)
		step(t, 1);
}

/* What they said of some days. */
struct said {
	double came, old, young;           /* sums */
	double old_off, young_off;         /* of days, relative to what came */
	uint32_t days, old_loud, young_loud; /* loud: intervals at which something opens */
	double old_worst;
};

static void live_day(struct twins *t, double factor, struct said *said)
{
	int64_t day = today(t) + ((t->shop.observations.interval + 1) *
					  t->shop.observations.interval_ms % DAY == 0);
	double came = 0, old = 0, young = 0;

	while ((t->shop.observations.interval + 1) * t->shop.observations.interval_ms <
	       (day + 1) * DAY) {
		step(t, factor);
		came += t->shop.value[0];
		old += t->old.expected[0];
		young += t->young.expected[0];
		said->old_loud += t->old.onset[0] > LOUD;
		said->young_loud += t->young.onset[0] > LOUD;
		said->old_worst = fmax(said->old_worst, -t->old.log10_p[0]);
	}
	said->came += came, said->old += old, said->young += young;
	said->old_off += fabs(old / came - 1), said->young_off += fabs(young / came - 1);
	said->days++;
}

static struct said of_days(struct twins *t, int64_t from, int64_t until)
{
	struct said said = {0};

	live_until(t, from);
	for (int64_t day = from; day < until; day++)
		live_day(t, 1, &said);
	return said;
}

static void heard_nothing(void *self, const struct anomaly *anomaly)
{
	(void)self;
	(void)anomaly;
}

Test(seasonal_year, what_stood_out_is_expected_again_by_weekday_and_by_date)
{
	const int64_t days[][2] = {
		{nth(2022, 11, 5, 4), 1}, /* 366 days after the last one: the weekday */
		{date(2022, 12, 24), 3},  /* the dates */
		{date(2023, 2, 14), 1},
		{nth(2023, 5, 0, 2), 1}, /* 371 days after the last one */
	};

	open_twins(&twins, HOUR, feasts);
	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
		struct said said = of_days(&twins, days[i][0], days[i][0] + days[i][1]);

		cr_expect(said.old_off < 0.3 * said.young_off, "%zu: off by %g, and %g", i,
			  said.old_off, said.young_off);
		cr_expect_eq(said.old_loud, 0, "%zu", i);
	}
	close_twins(&twins);
	/* Of days alone there is nothing within one that could be learned. */
	open_twins(&twins, DAY, feasts);
	struct said christmas = of_days(&twins, date(2022, 12, 24), date(2022, 12, 25));
	cr_expect(christmas.old_off < 0.3 * christmas.young_off, "off by %g, and %g",
		  christmas.old_off, christmas.young_off);
	cr_expect(christmas.young_loud && !christmas.old_loud);
	close_twins(&twins);
}

/* The third of them is expected more surely than the second. */
Test(seasonal_year, what_came_true_is_trusted_more)
{
	open_twins(&twins, DAY, feasts);
	struct said second = of_days(&twins, date(2022, 12, 24), date(2022, 12, 25));
	struct said third = of_days(&twins, date(2023, 12, 24), date(2023, 12, 25));
	cr_expect(third.old_off < second.old_off, "off by %g, then %g", second.old_off,
		  third.old_off);
	close_twins(&twins);
}

Test(seasonal_year, a_season_is_followed_before_it_is_seen)
{
	open_twins(&twins, HOUR, seasons);
	struct said year = of_days(&twins, date(2022, 7, 1), date(2023, 3, 1));
	cr_expect(year.young_loud > 8, "%u without a year", year.young_loud);
	cr_expect(year.old_loud <= 1, "%u with it", year.old_loud);
	close_twins(&twins);
	open_twins(&twins, DAY, seasons);
	year = of_days(&twins, date(2022, 7, 1), date(2023, 3, 1));
	cr_expect(year.old_off < 0.8 * year.young_off, "off by %g, and %g", year.old_off,
		  year.young_off);
	close_twins(&twins);
}

Test(seasonal_year, without_a_pattern_nothing_changes)
{
	open_twins(&twins, HOUR, plain);
	struct said said = of_days(&twins, date(2022, 9, 1), date(2023, 5, 1));
	cr_expect(said.old_off < 1.05 * said.young_off, "off by %g, and %g", said.old_off,
		  said.young_off);
	cr_expect(said.old_loud <= said.young_loud);
	close_twins(&twins);
}

/* Last year's outage is not what is usual at its date; and one at its date is found. */
Test(seasonal_year, an_outage_does_not_come_again)
{
	for (int again = 0; again < 2; again++) {
		struct said said = {0};

		open_twins(&twins, HOUR, plain);
		live_until(&twins, date(2021, 10, 6) + 1);
		for (int hour = 0; hour < 8; hour++)
			step(&twins, 0.2);
		live_until(&twins, date(2022, 10, 6));
		for (int64_t day = 0; day < 3; day++) {
			for (int hour = 0; hour < 10; hour++)
				step(&twins, 1);
			if (again && day == 1)
				step(&twins, 0.3);
			said.old_loud += again && twins.old.onset[0] > LOUD;
			live_day(&twins, 1, &said);
		}
		cr_expect_eq(said.old_loud > 0, again, "%u", said.old_loud);
		close_twins(&twins);
	}
}

/* Nobody said that it was one: half of it is expected again, in doubt, and taken back when the day
 * is over. */
Test(seasonal_year, a_whole_day_without_orders_costs_one_alarm_a_year_later)
{
	struct said said;

	open_twins(&twins, HOUR, plain);
	live_until(&twins, date(2021, 10, 6));
	for (int hour = 0; hour < 24; hour++)
		step(&twins, 0.2);
	said = of_days(&twins, date(2022, 10, 4), date(2022, 10, 10));
	cr_expect(said.old_loud <= 1, "%u, the worst of %g", said.old_loud, said.old_worst);
	close_twins(&twins);
}

/* On a day that is expected to be special, an outage is one. */
Test(seasonal_year, an_outage_on_a_feast_is_found)
{
	struct said said = {0};
	int64_t friday = nth(2023, 11, 5, 4);

	open_twins(&twins, HOUR, feasts);
	live_until(&twins, friday);
	for (int hour = 0; hour < 12; hour++)
		step(&twins, 1);
	cr_expect(twins.old.onset[0] < LOUD);
	for (int hour = 0; hour < 2; hour++) {
		step(&twins, 0.4);
		said.old_worst = fmax(said.old_worst, twins.old.onset[0]);
	}
	cr_expect(said.old_worst > LOUD, "%g", said.old_worst);
	close_twins(&twins);
}

/* Nothing is known of days that nobody may learn from; and what a calendar expects is its own. */
Test(seasonal_year, what_is_excluded_is_not_remembered)
{
	static const uint8_t yes = 1;
	static const double more = 1.8;

	for (int how = 0; how < 4; how++) {
		int64_t friday = nth(2021, 11, 5, 4), next = nth(2022, 11, 5, 4);
		struct observations *now = &twins.shop.observations;
		struct said said = {0};

		open_twins(&twins, HOUR, feasts);
		live_until(&twins, friday);
		now->excluded = how == 0 ? &yes : NULL;
		now->paused = how == 1 ? &yes : NULL;
		now->expect = how == 2 ? &more : NULL;
		now->flags = how == 3 ? OBSERVATION_INCOMPLETE : 0;
		live_until(&twins, friday + 1);
		now->excluded = now->paused = NULL;
		now->expect = NULL;
		now->flags = 0;
		live_until(&twins, next);
		live_day(&twins, 1, &said);
		cr_expect(said.old_off > 0.7 * said.young_off, "%d: off by %g, and %g", how,
			  said.old_off, said.young_off);
		close_twins(&twins);
	}
}

/* The calendar's word counts, not both. */
Test(seasonal_year, what_a_calendar_says_takes_its_place)
{
	static const double more = 1.8;
	int64_t friday = nth(2022, 11, 5, 4);
	struct said said = {0};

	open_twins(&twins, HOUR, feasts);
	live_until(&twins, friday);
	twins.shop.observations.expect = &more;
	live_day(&twins, 1, &said);
	cr_expect(said.old_off < 0.03, "%g", said.old_off);
	close_twins(&twins);
}

Test(seasonal_year, a_checkpoint_with_an_impossible_year_is_refused)
{
	struct bytes saved = {0};
	struct probe probe;
	double times;
	uint32_t refused = 0;

	open_twins(&twins, HOUR, feasts);
	live_until(&twins, date(2022, 12, 25));
	detector_seasonal.save(twins.old.state, &spec, 1, 1, &saved);
	probe_init(&probe, &detector_seasonal, &spec, 1);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	cr_assert_eq(detector_seasonal.load(probe.state, &spec, 1, 1, &in), 0);
	/* Whichever number of the state holds how many times the usual today is. */
	for (size_t at = 64; at + sizeof(times) <= 64 + 1024; at += sizeof(times)) {
		double kept, wrong = 1e6;

		memcpy(&times, saved.data + at, sizeof(times));
		if (!(times > 0.3 && times < 0.9))
			continue;
		kept = times;
		memcpy(saved.data + at, &wrong, sizeof(wrong));
		in = (struct bytes_reader){.data = saved.data, .left = saved.used};
		refused += detector_seasonal.load(probe.state, &spec, 1, 1, &in) == -EPROTO;
		memcpy(saved.data + at, &kept, sizeof(kept));
	}
	cr_expect_geq(refused, 1);
	bytes_fini(&saved);
	probe_fini(&probe);
	close_twins(&twins);
}

/* Numbers that are no counts know a year too. */
Test(seasonal_year, means_know_it_too)
{
	struct said christmas;

	open_twins(&twins, HOUR, feasts);
	twins.shop.observations.aggregation = AGGREGATE_MEAN;
	twins.mean = true;
	christmas = of_days(&twins, date(2022, 12, 24), date(2022, 12, 27));
	twins.mean = false;
	cr_expect(christmas.old_off < 0.4 * christmas.young_off, "off by %g, and %g",
		  christmas.old_off, christmas.young_off);
	close_twins(&twins);
}

/* Two years of days, as `weirctl import` and a rebase bring them; then hours. */
Test(seasonal_year, imported_days_are_a_year)
{
	struct detector_spec whole = spec;
	struct bank_slice slice = {0};
	double value = 0, came = 0, expected = 0;
	int64_t christmas = date(2022, 12, 25), through = christmas - 28;

	whole.for_intervals = whole.recover_intervals = 1;
	whole.resolutions_ms[0] = DAY;
	for (int with = 0; with < 2; with++) {
		struct bank *bank = bank_create(&whole);
		struct shop *shop = &twins.shop;

		shop_init(shop, 5, 1, HOUR, AGGREGATE_COUNT);
		shop->observations.value = shop->observations.events = &value;
		shop->observations.sum_squares = &value;
		for (int64_t day = date(2021, 1, 1); with && day < through; day++) {
			value = chance_poisson(&shop->chance, 24 * RATE * feasts(day));
			shop->observations.interval = (day + 1) * 24 - 1;
			cr_assert_eq(bank_absorb(bank, &shop->observations, 24, DAY, 0,
						 through * 24 - 1),
				     0);
		}
		came = expected = 0;
		for (int64_t hour = through * 24; hour < (christmas + 1) * 24; hour++) {
			double shape = shop_shape(fmod((double)hour + 0.5, 168));
			value = chance_poisson(&shop->chance, RATE * shape * feasts(hour / 24));
			shop->observations.interval = hour;
			cr_assert_eq(bank_step(bank, &shop->observations, heard_nothing, NULL), 0);
			bank_slice(bank, 0, &slice);
			came += hour >= (christmas - 1) * 24 && hour < christmas * 24 ? value : 0;
			expected += hour >= (christmas - 1) * 24 && hour < christmas * 24
					    ? slice.expected
					    : 0;
		}
		bool right = fabs(expected / came - 1) < 0.25;
		cr_expect_eq(right, with, "%g expected of %g", expected, came);
		bank_destroy(bank);
	}
}
