/* One detector at several resolutions: each finds what only it can see, and one incident is one
 * anomaly. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/zone.h"
#include "detect/resolutions.h"
#include "support.h"

#define SECOND 1000
#define MINUTE 60000
#define HOUR 3600000
#define DAY INT64_C(86400000)
#define WEEK (7 * DAY)

static const struct detector_spec plain = {
	.name = "orders-watch",
	.metric = "orders",
	.kind = DETECTOR_SEASONAL,
	.severity = 70,
	.for_intervals = 1,
	.recover_intervals = 2,
	.learn_intervals = 1,
};

#define SHOPS 16

/* Shops side by side, their detector, and what it said. */
struct scene {
	struct shop shop;
	struct bank *bank;
	struct heard heard;
	double rate; /* per interval, of each */
};

static struct scene scene, other;

static void open_scene(struct scene *s, uint64_t seed, int64_t interval_ms, double rate,
		       const struct detector_spec *spec)
{
	shop_init(&s->shop, seed, 1, interval_ms, AGGREGATE_COUNT);
	s->bank = bank_create(spec);
	s->heard.count = 0;
	s->rate = rate;
}

static void open_shops(struct scene *s, int64_t interval_ms, double rate, struct detector_spec spec)
{
	spec.apart = true;
	open_scene(s, 7, interval_ms, rate, &spec);
	s->shop.observations.count = SHOPS;
	for (int i = 0; i < SHOPS; i++)
		snprintf(s->shop.labels[i], sizeof(s->shop.labels[i]), "shop=%d", i);
}

static void live(struct scene *s, int64_t span_ms, double factor)
{
	for (int64_t t = 0; t < span_ms; t += s->shop.observations.interval_ms) {
		s->shop.observations.interval++;
		double mean = s->rate * factor * shop_shape(shop_hours(&s->shop));
		for (uint32_t i = 0; i < s->shop.observations.count; i++)
			shop_draw(&s->shop, i, mean);
		cr_assert_eq(bank_step(s->bank, &s->shop.observations, heard_each, &s->heard), 0);
	}
}

static struct detector_spec with(int64_t first_ms, int64_t second_ms, int64_t third_ms)
{
	struct detector_spec spec = plain;

	spec.resolutions_ms[0] = first_ms;
	spec.resolutions_ms[1] = second_ms;
	spec.resolutions_ms[2] = third_ms;
	return spec;
}

/* Of a slice, NULL: of all: that began to fire so low, told by this resolution; -1: by any. */
static uint32_t fired(const struct heard *heard, const char *slice, int64_t frequency_ms)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < heard->count; i++) {
		const struct anomaly *a = &heard->anomaly[i];
		count += a->state == ANOMALY_FIRING && a->direction < 0 &&
			 (!slice || strcmp(a->slice, slice) == 0) &&
			 (frequency_ms < 0 || a->frequency_ms == frequency_ms);
	}
	return count;
}

/* Shops in which it fired, and those in which it did more than once. */
static uint32_t shops(const struct scene *s, int64_t frequency_ms, uint32_t times)
{
	uint32_t count = 0;

	for (int i = 0; i < SHOPS; i++)
		count += fired(&s->heard, s->shop.labels[i], frequency_ms) >= times;
	return count;
}

/* What is small and lasts, seen by one resolution and not without it. */
static void only_it_sees(int64_t interval_ms, double rate, int64_t warm_ms, double factor,
			 int64_t lasts_ms, int64_t resolution_ms)
{
	open_shops(&scene, interval_ms, rate, plain);
	open_shops(&other, interval_ms, rate, with(resolution_ms, 0, 0));
	live(&scene, warm_ms, 1);
	live(&other, warm_ms, 1);
	scene.heard.count = other.heard.count = 0;
	live(&scene, lasts_ms, factor);
	live(&other, lasts_ms, factor);
	uint32_t without = shops(&scene, -1, 1), seen = shops(&other, resolution_ms, 1);
	cr_expect_leq(without, SHOPS / 4, "%u", without);
	cr_expect_geq(seen, SHOPS * 3 / 4, "%u", seen);
	uint32_t twice = shops(&other, -1, 2);
	cr_expect_leq(twice, SHOPS / 5, "%u", twice);
	for (uint32_t i = 0; i < other.heard.count; i++) {
		const struct anomaly *a = &other.heard.anomaly[i];
		/* What a finer one found first has its start. */
		if (a->frequency_ms != resolution_ms || a->state != ANOMALY_FIRING)
			continue;
		cr_expect_eq(a->interval_ms, interval_ms);
		cr_expect_eq((a->interval + 1) * interval_ms % resolution_ms, 0);
		cr_expect_eq(a->start * interval_ms % resolution_ms, 0);
	}
	bank_destroy(scene.bank);
	bank_destroy(other.bank);
}

Test(resolutions, a_quarter_less_for_a_day_is_seen_by_five_minutes)
{
	only_it_sees(10 * SECOND, 1, 3 * WEEK, 0.75, DAY, 5 * MINUTE);
}

Test(resolutions, a_rare_event_that_grows_rarer_is_seen_by_hours)
{
	only_it_sees(10 * SECOND, 0.02, 3 * WEEK, 0.3, DAY, HOUR);
}

Test(resolutions, two_fifths_less_of_two_in_an_hour_are_seen_by_days)
{
	only_it_sees(HOUR, 2, 24 * WEEK, 0.6, 3 * WEEK, DAY);
}

/* Revisions of each anomaly are numbered through, from firing to resolved, with one name. */
static void expect_well_told(const struct heard *heard)
{
	for (uint32_t i = 0; i < heard->count; i++) {
		const struct anomaly *a = &heard->anomaly[i];
		uint32_t before = 0;
		bool resolved = false;

		for (uint32_t k = 0; k < i; k++) {
			const struct anomaly *b = &heard->anomaly[k];
			if (memcmp(a->id, b->id, sizeof(a->id)) != 0)
				continue;
			before++;
			resolved |= b->state == ANOMALY_RESOLVED;
			cr_expect_eq(a->start, b->start);
			cr_expect_eq(a->group[0], b->group[0]);
			cr_expect_geq(a->severity_peak, b->severity_peak);
		}
		cr_expect_eq(a->revision, before + 1);
		cr_expect_not(resolved, "said after it was over");
		cr_expect_eq(a->state == ANOMALY_FIRING, before == 0);
		cr_expect_geq(a->severity_peak, a->severity);
	}
}

/* All resolutions see it, and nobody hears of it more often for that. */
Test(resolutions, an_outage_is_as_many_anomalies_as_without_them)
{
	open_shops(&scene, MINUTE, 30, plain);
	open_shops(&other, MINUTE, 30, with(5 * MINUTE, HOUR, DAY));
	for (int i = 0; i < 2; i++) {
		struct scene *s = i ? &other : &scene;
		live(s, 6 * WEEK + 10 * HOUR + 20 * MINUTE, 1);
		s->heard.count = 0;
		live(s, 3 * HOUR, 0.3);
		live(s, DAY, 1);
		cr_assert_lt(s->heard.count, HEARD_MAX);
	}
	const struct resolutions *all = other.bank->resolutions;
	bool hours_saw = false, minutes_saw = false;
	for (int i = 0; i < SHOPS; i++) {
		minutes_saw |= all->banks[1]->lives[i].fired > 0;
		hours_saw |= all->banks[2]->lives[i].fired > 0;
	}
	cr_expect(minutes_saw);
	cr_expect(hours_saw);
	cr_expect_eq(shops(&scene, -1, 1), SHOPS);
	cr_expect_eq(shops(&other, -1, 1), SHOPS);
	cr_expect_leq(fired(&other.heard, NULL, -1), fired(&scene.heard, NULL, -1) + 1);
	cr_expect_leq(fired(&other.heard, NULL, -1) - fired(&other.heard, NULL, 0), 1);
	expect_well_told(&other.heard);
	bank_destroy(scene.bank);
	bank_destroy(other.bank);
}

/* All of a bank, as bytes. */
static struct bytes saved_of(const struct bank *bank)
{
	struct bytes saved = {0};

	bank_save(bank, &saved);
	cr_assert(!saved.failed);
	return saved;
}

static void restart(struct scene *s, const struct detector_spec *spec)
{
	struct bytes saved = saved_of(s->bank);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};

	bank_destroy(s->bank);
	s->bank = bank_create(spec);
	cr_assert_eq(bank_load(s->bank, &in), 0);
	cr_assert_eq(in.left, 0);
	bytes_fini(&saved);
}

Test(resolutions, a_restart_at_any_time_changes_no_revision)
{
	struct detector_spec spec = with(5 * MINUTE, HOUR, DAY);

	open_scene(&scene, 5, MINUTE, 4, &spec);
	open_scene(&other, 5, MINUTE, 4, &spec);
	live(&scene, 2 * WEEK, 1);
	live(&other, 2 * WEEK, 1);
	for (int round = 0; round < 60; round++) {
		static const double factors[] = {1, 0.75, 1, 1.4, 0.2, 1};
		/* In the middle of an hour, of five minutes, and at the end of a day. */
		int64_t span = round % 3 == 0   ? 37 * MINUTE
			       : round % 3 == 1 ? 5 * HOUR
						: 223 * MINUTE;

		live(&scene, span, factors[round % 6]);
		live(&other, span, factors[round % 6]);
		restart(&other, &spec);
	}
	struct bytes one = saved_of(scene.bank), two = saved_of(other.bank);
	cr_expect(one.used == two.used && memcmp(one.data, two.data, one.used) == 0);
	cr_assert_gt(scene.heard.count, 8);
	cr_assert_eq(scene.heard.count, other.heard.count);
	cr_expect_eq(memcmp(scene.heard.anomaly, other.heard.anomaly,
			    scene.heard.count * sizeof(struct anomaly)),
		     0);
	expect_well_told(&scene.heard);
	bytes_fini(&one);
	bytes_fini(&two);
	bank_destroy(scene.bank);
	bank_destroy(other.bank);
}

Test(resolutions, a_checkpoint_of_other_resolutions_is_refused)
{
	struct detector_spec three = with(5 * MINUTE, HOUR, DAY), two = with(5 * MINUTE, HOUR, 0);

	open_scene(&scene, 5, MINUTE, 4, &three);
	live(&scene, DAY, 1);
	struct bytes saved = saved_of(scene.bank);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	struct bank *bank = bank_create(&two);
	cr_expect_eq(bank_load(bank, &in), -EPROTO);
	bank_destroy(bank);
	/* And one that is cut off, wherever. */
	for (size_t cut = 1; cut < saved.used; cut += 97) {
		in = (struct bytes_reader){.data = saved.data, .left = saved.used - cut};
		bank = bank_create(&three);
		cr_expect_eq(bank_load(bank, &in), -EPROTO, "%zu", cut);
		bank_destroy(bank);
	}
	bytes_fini(&saved);
	bank_destroy(scene.bank);
}

Test(resolutions, longer_periods_are_sums_whichever_way_they_come)
{
	/* Days are fed by five minutes, or by intervals: whole numbers add up to the same. */
	struct detector_spec fed = with(5 * MINUTE, DAY, 0), alone = with(DAY, 0, 0);

	open_scene(&scene, 9, MINUTE, 20, &fed);
	open_scene(&other, 9, MINUTE, 20, &alone);
	live(&scene, 3 * WEEK + 9 * HOUR, 1);
	live(&other, 3 * WEEK + 9 * HOUR, 1);
	struct bytes one = saved_of(scene.bank->resolutions->banks[2]);
	struct bytes two = saved_of(other.bank->resolutions->banks[1]);
	cr_expect_eq(scene.bank->resolutions->feeders[2], 1);
	cr_expect(one.used == two.used && memcmp(one.data, two.data, one.used) == 0);
	bytes_fini(&one);
	bytes_fini(&two);
	bank_destroy(scene.bank);
	bank_destroy(other.bank);
}

/* Local days of a zone with half hours are not made of hours. */
Test(resolutions, days_are_made_of_what_local_midnights_lie_between)
{
	struct zone *zone = NULL;
	static const char line[] = "Asia/Kolkata 0 IST-5:30";
	struct detector_spec spec = with(5 * MINUTE, HOUR, DAY);

	cr_assert_eq(zone_read(line, strlen(line), &zone), 0);
	spec.zone = zone;
	open_scene(&scene, 9, MINUTE, 20, &spec);
	live(&scene, 2 * DAY, 1);
	cr_expect_eq(scene.bank->resolutions->feeders[2], 1);
	cr_expect_eq(scene.bank->resolutions->feeders[3], 1);
	const struct period *day = &scene.bank->resolutions->banks[3]->period;
	cr_expect_eq(day->intervals, 330, "%ld", (long)day->intervals);
	spec.zone = NULL;
	bank_destroy(scene.bank);
	open_scene(&scene, 9, MINUTE, 20, &spec);
	live(&scene, 2 * DAY, 1);
	cr_expect_eq(scene.bank->resolutions->feeders[3], 2);
	bank_destroy(scene.bank);
	zone_free(zone);
}

/* Thresholds are so much higher that all of them together alarm as often as one would alone. */
Test(resolutions, the_alarm_budget_is_one)
{
	struct detector_spec specs[] = {plain, with(HOUR, 0, 0), with(5 * MINUTE, HOUR, DAY)};

	for (int i = 0; i < 3; i++) {
		double all = 0;

		open_scene(&scene, 5, MINUTE, 20, &specs[i]);
		live(&scene, DAY, 1);
		for (int rank = 0; rank <= (i == 2 ? 3 : i); rank++) {
			const struct bank *bank = rank ? scene.bank->resolutions->banks[rank]
						       : scene.bank;
			all += pow(10, -bank->handicap / 12.5);
		}
		cr_expect_float_eq(all, 1, 1e-9, "%f", all);
		bank_destroy(scene.bank);
	}
}

/* What is known to come is no news at any resolution. */
Test(resolutions, a_calendar_is_that_of_all)
{
	struct detector_spec spec = with(5 * MINUTE, HOUR, DAY);
	uint32_t told[2];

	for (int known = 0; known < 2; known++) {
		struct calendar *calendar = calendar_create();
		struct calendar_entry entry = {
			.number = 1,
			.name = "sale",
			.from_ms = 6 * WEEK + 9 * HOUR,
			.until_ms = 6 * WEEK + 15 * HOUR,
			.effect = CALENDAR_EXCLUDE,
		};

		open_scene(&scene, 5, MINUTE, 20, &spec);
		/* Before there are any resolutions, or when there are. */
		if (known)
			bank_calendar(scene.bank, calendar);
		live(&scene, 6 * WEEK + 9 * HOUR, 1);
		scene.heard.count = 0;
		if (known)
			cr_assert_eq(calendar_add(calendar, &entry), 0);
		live(&scene, 6 * HOUR, 3);
		live(&scene, 10 * HOUR, 1);
		told[known] = 0;
		for (uint32_t i = 0; i < scene.heard.count; i++)
			told[known] += scene.heard.anomaly[i].direction > 0;
		const struct life *hours = &scene.bank->resolutions->banks[2]->lives[0];
		cr_expect_eq(hours->fired > 6 * 168, !known);
		bank_destroy(scene.bank);
		calendar_destroy(calendar);
	}
	cr_expect_gt(told[0], 0);
	cr_expect_eq(told[1], 0);
}

Test(resolutions, what_does_not_add_up_has_none)
{
	struct detector_spec spec = with(5 * MINUTE, HOUR, DAY);
	uint64_t bytes[2];

	for (int i = 0; i < 2; i++) {
		open_scene(&scene, 5, MINUTE, 20, i ? &spec : &plain);
		scene.shop.observations.aggregation = AGGREGATE_DISTINCT;
		for (int k = 0; k < 600; k++) {
			scene.shop.observations.interval++;
			scene.shop.value[0] = scene.shop.events[0] = 20;
			cr_assert_eq(bank_step(scene.bank, &scene.shop.observations, heard_each,
					       &scene.heard),
				     0);
		}
		bytes[i] = bank_bytes(scene.bank);
		restart(&scene, i ? &spec : &plain);
		bank_destroy(scene.bank);
	}
	cr_expect_eq(bytes[0], bytes[1]);
}

/* Four weeks of hours at once, then the last day of them once more, interval by interval. */
static void absorb_hours(struct scene *s, const struct detector_spec *spec, double factor)
{
	double value = 0;

	open_scene(s, 5, MINUTE, 4, spec);
	s->shop.observations.value = s->shop.observations.events = &value;
	s->shop.observations.sum_squares = &value;
	for (int hour = 0; hour < 4 * 168; hour++) {
		s->shop.observations.interval = (hour + 1) * 60 - 1;
		value = chance_poisson(&s->shop.chance, 240 * shop_shape(hour + 0.5));
		cr_assert_eq(bank_absorb(s->bank, &s->shop.observations, 60, HOUR, 0,
					 4 * 168 * 60 - 1),
			     0);
	}
	bank_end(s->bank, 0, heard_each, &s->heard);
	cr_expect_eq(s->heard.count, 0, "nobody hears of it");
	s->shop.observations.value = s->shop.value;
	s->shop.observations.events = s->shop.events;
	s->shop.observations.sum_squares = s->shop.squares;
	s->shop.observations.interval = 27 * 1440 - 1;
	live(s, DAY, factor);
}

/* A base that has nothing of a coarse history learns from the intervals that come; those who have
 * had them leave them out. */
Test(resolutions, a_coarse_history_teaches_those_that_are_made_of_it)
{
	struct detector_spec spec = with(5 * MINUTE, HOUR, DAY);
	static const uint64_t seen[] = {1440, 288, 672, 28};

	absorb_hours(&scene, &spec, 1);
	absorb_hours(&other, &spec, 5);
	cr_assert(bank_absorbs(scene.bank, MINUTE, HOUR));
	cr_assert(bank_absorbs(scene.bank, MINUTE, DAY));
	cr_assert_not(bank_absorbs(scene.bank, MINUTE, 7 * MINUTE));
	for (uint32_t rank = 0; rank < 4; rank++) {
		struct bank *bank = scene.bank->resolutions->banks[rank];
		uint64_t wanted, found;

		bank_learning(bank, &found, &wanted);
		cr_expect_eq(found, seen[rank], "%u: %lu", rank, (unsigned long)found);
		struct bytes one = saved_of(bank);
		struct bytes two = saved_of(other.bank->resolutions->banks[rank]);
		bool same = one.used == two.used && memcmp(one.data, two.data, one.used) == 0;
		cr_expect_eq(same, rank >= 2, "%u", rank);
		bytes_fini(&one);
		bytes_fini(&two);
	}
	bank_destroy(scene.bank);
	bank_destroy(other.bank);
}

Test(resolutions, days_on_which_clocks_change_are_no_anomalies)
{
	struct zone *zone = NULL;
	static const char line[] = "Europe/London 0 GMT0BST,M3.5.0/1,M10.5.0";
	struct detector_spec spec = with(DAY, 0, 0);

	cr_assert_eq(zone_read(line, strlen(line), &zone), 0);
	spec.zone = zone;
	open_scene(&scene, 3, HOUR, 0, &spec);
	/* From October 2023 to November 2024; the same each hour, so that an hour more is 4 %. */
	scene.shop.observations.interval = INT64_C(1696118400000) / HOUR - 1;
	for (int k = 0; k < 56 * 168; k++) {
		scene.shop.observations.interval++;
		scene.shop.value[0] = scene.shop.events[0] = scene.shop.squares[0] =
			1e6 + 1000 * chance_normal(&scene.shop.chance);
		cr_assert_eq(bank_step(scene.bank, &scene.shop.observations, heard_each,
				       &scene.heard),
			     0);
	}
	for (uint32_t i = 0; i < scene.heard.count; i++)
		cr_expect_neq(scene.heard.anomaly[i].frequency_ms, DAY, "interval %ld",
			      (long)scene.heard.anomaly[i].interval);
	/* Another day on which 4 % are missing is one. */
	scene.heard.count = 0;
	for (int k = 0; k < 48; k++) {
		scene.shop.observations.interval++;
		scene.shop.value[0] = scene.shop.events[0] = scene.shop.squares[0] = 0.958e6;
		cr_assert_eq(bank_step(scene.bank, &scene.shop.observations, heard_each,
				       &scene.heard),
			     0);
	}
	cr_expect_gt(scene.heard.count, 0);
	bank_destroy(scene.bank);
	zone_free(zone);
}
