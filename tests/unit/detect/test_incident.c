/* What the resolutions of a detector say becomes one anomaly for each incident: told by hand, rank
 * by rank, as banks would. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "detect/resolutions.h"
#include "support.h"

#define MINUTE 60000
#define HOUR 3600000

/* Interval, five minutes, an hour, a day. */
enum { BASE, FIVE, HOURS, DAYS };

static struct bank *bank;
static struct resolutions *all;
static struct heard heard;
static double raws[RANKS_MAX];

static void setup(void)
{
	static struct shop shop;
	struct detector_spec spec = {
		.name = "orders-watch",
		.metric = "orders",
		.kind = DETECTOR_SEASONAL,
		.severity = 70,
		.for_intervals = 1,
		.recover_intervals = 2,
		.learn_intervals = 1,
		.resolutions_ms = {5 * MINUTE, HOUR, 24 * (int64_t)HOUR},
	};

	bank = bank_create(&spec);
	shop_init(&shop, 1, 1, MINUTE, AGGREGATE_COUNT);
	/* A day, so that all of them have been stepped. */
	for (int k = 0; k < 1440; k++) {
		shop.observations.interval++;
		cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
	}
	all = bank->resolutions;
	cr_assert_eq(all->ranks, 4);
	all->each = heard_each;
	all->self = &heard;
	heard.count = 0;
}

static void teardown(void)
{
	bank_destroy(bank);
}

/* The period of a rank that ends with, or holds, this minute. */
static int64_t period_at(uint32_t rank, int64_t minute)
{
	return minute * MINUTE / all->banks[rank]->step_ms;
}

static void say(uint32_t rank, int64_t minute, enum anomaly_state state)
{
	struct bank *one = all->banks[rank];
	struct anomaly *anomaly = &one->anomaly;
	struct ear ear = {all, rank};

	memset(anomaly, 0, sizeof(*anomaly));
	snprintf(anomaly->source, sizeof(anomaly->source), "live");
	snprintf(anomaly->metric, sizeof(anomaly->metric), "orders");
	anomaly->interval = bank_last_of(one, period_at(rank, minute));
	anomaly->frequency_ms = one->spec.frequency_ms;
	anomaly->state = state;
	anomaly->severity = raws[rank] > 100 ? 100 : raws[rank];
	one->speaking = 0;
	one->raw[0] = raws[rank];
	incident_hear(&ear, anomaly);
}

static void fire(uint32_t rank, int64_t minute, int direction, double raw)
{
	struct bank *one = all->banks[rank];

	one->lives[0] = (struct life){
		.status = LIFE_FIRING,
		.direction = (int8_t)direction,
		.start = period_at(rank, minute),
		.group = period_at(rank, minute),
		.peak_interval = period_at(rank, minute),
		.peak = raw,
	};
	one->diagnosis.observed[0] = 90;
	one->diagnosis.expected[0] = 100;
	raws[rank] = raw;
	say(rank, minute, ANOMALY_FIRING);
}

static void rise(uint32_t rank, int64_t minute, double raw)
{
	raws[rank] = raw;
	if (raw > all->banks[rank]->lives[0].peak)
		all->banks[rank]->lives[0].peak = raw;
	say(rank, minute, ANOMALY_UPDATED);
}

static void end(uint32_t rank, int64_t minute)
{
	raws[rank] = 0;
	say(rank, minute, ANOMALY_RESOLVED);
	all->banks[rank]->lives[0].status = LIFE_NORMAL;
}

/* What has been heard, in order: so many, and the last is this revision of that state. */
static const struct anomaly *heard_now(uint32_t count, enum anomaly_state state, uint32_t revision)
{
	cr_assert_eq(heard.count, count, "%u revisions", heard.count);
	const struct anomaly *last = &heard.anomaly[count - 1];
	cr_assert_eq(last->state, state, "state %d", last->state);
	cr_assert_eq(last->revision, revision, "revision %u", last->revision);
	return last;
}

static bool same(const struct anomaly *a, const struct anomaly *b)
{
	return memcmp(a->id, b->id, sizeof(a->id)) == 0;
}

TestSuite(incident, .init = setup, .fini = teardown);

Test(incident, who_comes_second_joins_and_nothing_fires_twice)
{
	fire(BASE, 2000, -1, 72);
	heard_now(1, ANOMALY_FIRING, 1);
	fire(FIVE, 2004, -1, 74);
	fire(HOURS, 2039, -1, 74);
	cr_expect_eq(heard.count, 1);
	/* It raises what is told, under its name, with its own figures. */
	rise(FIVE, 2009, 90);
	const struct anomaly *last = heard_now(2, ANOMALY_UPDATED, 2);
	cr_expect(same(last, &heard.anomaly[0]));
	cr_expect_eq(last->frequency_ms, 5 * MINUTE);
	cr_expect_eq(last->start, 2000);
	cr_expect_eq(last->severity_peak, 90);
	/* The finest has seen it best enough: it says when it is over. */
	rise(BASE, 2010, 85);
	heard_now(3, ANOMALY_UPDATED, 3);
	end(BASE, 2030);
	last = heard_now(4, ANOMALY_RESOLVED, 4);
	cr_expect(same(last, &heard.anomaly[0]));
	cr_expect_eq(last->severity_peak, 90);
	end(FIVE, 2064);
	end(HOURS, 2159);
	cr_expect_eq(heard.count, 4);
}

Test(incident, the_other_direction_is_another_incident)
{
	fire(BASE, 2000, -1, 80);
	fire(HOURS, 2039, 1, 90);
	const struct anomaly *last = heard_now(2, ANOMALY_FIRING, 1);
	cr_expect_not(same(last, &heard.anomaly[0]));
	cr_expect_eq(last->direction, 1);
	end(BASE, 2050);
	heard_now(3, ANOMALY_RESOLVED, 2);
	end(HOURS, 2159);
	heard_now(4, ANOMALY_RESOLVED, 2);
}

Test(incident, two_that_begin_at_the_same_time_have_names_of_their_own)
{
	fire(BASE, 2040, -1, 80);
	end(BASE, 2050);
	fire(HOURS, 2040, 1, 90);
	cr_expect_eq(heard.anomaly[0].start, heard.anomaly[2].start);
	cr_expect_not(same(&heard.anomaly[0], &heard.anomaly[2]));
}

Test(incident, a_coarser_one_by_far_the_best_keeps_it_open)
{
	fire(BASE, 2000, -1, 72);
	fire(HOURS, 2039, -1, 95);
	heard_now(2, ANOMALY_UPDATED, 2);
	end(BASE, 2050);
	cr_expect_eq(heard.count, 2, "it goes on");
	cr_expect(incident_fires(all, 0));
	/* And what the interval finds again is no new one. */
	fire(BASE, 2100, -1, 73);
	end(BASE, 2110);
	cr_expect_eq(heard.count, 2);
	end(HOURS, 2219);
	const struct anomaly *last = heard_now(3, ANOMALY_RESOLVED, 3);
	cr_expect(same(last, &heard.anomaly[0]));
	cr_expect_eq(last->interval, 2219);
	cr_expect_not(incident_fires(all, 0));
}

Test(incident, a_finer_one_keeps_it_open)
{
	fire(HOURS, 2039, -1, 84);
	fire(BASE, 2050, -1, 75);
	cr_expect_eq(heard.count, 1);
	end(HOURS, 2159);
	cr_expect_eq(heard.count, 1);
	end(BASE, 2170);
	cr_expect(same(heard_now(2, ANOMALY_RESOLVED, 2), &heard.anomaly[0]));
}

Test(incident, what_was_told_is_not_told_again_by_a_coarser_one)
{
	fire(BASE, 2000, -1, 90);
	end(BASE, 2020);
	fire(FIVE, 2024, -1, 88);
	fire(HOURS, 2039, -1, 88);
	fire(DAYS, 2879, -1, 95);
	cr_expect_eq(heard.count, 2);
	/* Unless it becomes ten times as unlikely as what was told, in a period behind it. */
	rise(HOURS, 2099, 101);
	cr_expect_eq(heard.count, 2);
	rise(HOURS, 2159, 103);
	const struct anomaly *last = heard_now(3, ANOMALY_FIRING, 1);
	cr_expect_not(same(last, &heard.anomaly[0]));
	cr_expect_eq(last->frequency_ms, HOUR);
	end(HOURS, 2219);
	heard_now(4, ANOMALY_RESOLVED, 2);
	end(FIVE, 2224);
	end(DAYS, 4319);
	cr_expect_eq(heard.count, 4);
}

Test(incident, what_grows_in_the_period_that_holds_it_is_no_news)
{
	fire(BASE, 2045, -1, 90);
	end(BASE, 2060);
	fire(HOURS, 2099, -1, 88);
	rise(HOURS, 2099, 150);
	cr_expect_eq(heard.count, 2);
}

Test(incident, a_day_later_it_is_another_one)
{
	fire(BASE, 2000, -1, 90);
	end(BASE, 2020);
	fire(HOURS, 2020 + 1440 + 60, -1, 88);
	heard_now(3, ANOMALY_FIRING, 1);
}

/* A week-long decline is told and known; then the shop is down. */
Test(incident, a_sharp_fall_within_a_decline_is_its_own)
{
	fire(DAYS, 2879, -1, 84);
	fire(BASE, 3000, -1, 75);
	cr_expect_eq(heard.count, 1, "so far it may be the decline");
	all->banks[BASE]->diagnosis.observed[0] = 10;
	rise(BASE, 3005, 140);
	const struct anomaly *last = heard_now(2, ANOMALY_FIRING, 1);
	cr_expect_not(same(last, &heard.anomaly[0]));
	cr_expect_eq(last->frequency_ms, 0);
	end(BASE, 3060);
	heard_now(3, ANOMALY_RESOLVED, 2);
	end(DAYS, 7199);
	cr_expect(same(heard_now(4, ANOMALY_RESOLVED, 2), &heard.anomaly[0]));
}

Test(incident, a_decline_that_all_come_to_see_stays_one)
{
	fire(DAYS, 2879, -1, 84);
	fire(BASE, 3000, -1, 75);
	rise(BASE, 3005, 140);
	cr_expect_eq(heard.count, 1, "as critical as it was");
	end(DAYS, 4319);
	end(BASE, 4400);
	const struct anomaly *last = heard_now(2, ANOMALY_RESOLVED, 2);
	cr_expect(same(last, &heard.anomaly[0]));
	cr_expect_eq(last->severity_peak, 100);
	cr_expect_eq(last->peak_interval, 3000);
}

Test(incident, one_that_turns_leaves_what_it_has_joined)
{
	fire(BASE, 2000, -1, 80);
	fire(FIVE, 2004, -1, 82);
	all->banks[FIVE]->lives[0].direction = 1;
	rise(FIVE, 2009, 82);
	const struct anomaly *last = heard_now(2, ANOMALY_FIRING, 1);
	cr_expect_eq(last->direction, 1);
	cr_expect_not(same(last, &heard.anomaly[0]));
}

Test(incident, what_was_pending_is_over_when_it_turns_out_to_be_part_of_another)
{
	struct life *life = &all->banks[BASE]->lives[0];

	*life = (struct life){
		.status = LIFE_PENDING, .direction = -1, .start = 2000, .group = 2000};
	say(BASE, 2000, ANOMALY_PENDING);
	heard_now(1, ANOMALY_PENDING, 1);
	cr_expect_not(heard.anomaly[0].fired);
	fire(FIVE, 2004, -1, 84);
	heard_now(2, ANOMALY_FIRING, 1);
	fire(BASE, 2000, -1, 71);
	const struct anomaly *last = heard_now(3, ANOMALY_RESOLVED, 2);
	cr_expect(same(last, &heard.anomaly[0]));
	cr_expect_not(last->fired);
	/* And alone it fires under the name that it had. */
	end(BASE, 2010);
	end(FIVE, 2034);
	heard.count = 0;
	*life = (struct life){.status = LIFE_PENDING, .direction = 1, .start = 4000, .group = 4000};
	say(BASE, 4000, ANOMALY_PENDING);
	life->status = LIFE_FIRING;
	say(BASE, 4001, ANOMALY_FIRING);
	cr_expect(same(heard_now(2, ANOMALY_FIRING, 2), &heard.anomaly[0]));
}

Test(incident, the_end_of_a_detector_ends_what_is_told_once)
{
	fire(BASE, 2000, -1, 72);
	fire(HOURS, 2039, -1, 95);
	end(BASE, 2050);
	fire(DAYS, 2879, 1, 90);
	heard.count = 0;
	for (uint32_t rank = 0; rank < all->ranks; rank++)
		all->banks[rank]->lives[0].revision = 1;
	bank_end(bank, 3000, heard_each, &heard);
	cr_assert_eq(heard.count, 2);
	for (uint32_t i = 0; i < 2; i++) {
		cr_expect_eq(heard.anomaly[i].state, ANOMALY_RESOLVED);
		cr_expect_eq(heard.anomaly[i].interval, 3000);
	}
	for (uint32_t rank = 0; rank < all->ranks; rank++)
		cr_expect_eq(all->incidents[0].voices[rank].status, VOICE_NONE);
}

Test(incident, what_somebody_called_an_incident_is_one_at_every_resolution)
{
	struct feedback_list *list = feedback_create();
	struct feedback_said said = {.verdict = FEEDBACK_YES, .direction = -1, .period_ms = MINUTE};

	fire(BASE, 2000, -1, 80);
	fire(FIVE, 2004, -1, 74);
	cr_assert_eq(feedback_add(list, 1, heard.anomaly[0].id, "", &said), 0);
	bank_feedback(bank, list);
	cr_expect_eq(all->banks[BASE]->lives[0].confirmed, 1);
	cr_expect_eq(all->banks[FIVE]->lives[0].confirmed, 1);
	cr_expect_eq(all->banks[HOURS]->lives[0].confirmed, 0);
	/* And one that joins later is told. */
	fire(HOURS, 2039, -1, 74);
	cr_expect_eq(all->banks[HOURS]->lives[0].confirmed, 1);
	bank_feedback(bank, NULL);
	cr_expect_eq(all->banks[FIVE]->lives[0].confirmed, 0);
	feedback_destroy(list);
}

Test(incident, a_checkpoint_keeps_it_as_it_is)
{
	struct bytes saved = {0}, again = {0};
	struct bank *fresh = bank_create(&bank->spec);

	fire(DAYS, 2879, 1, 90);
	end(DAYS, 2879);
	fire(BASE, 3000, -1, 72);
	fire(HOURS, 3059, -1, 95);
	end(BASE, 3070);
	fire(FIVE, 3079, 1, 90);
	bank_save(bank, &saved);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	cr_assert_eq(bank_load(fresh, &in), 0);
	bank_save(fresh, &again);
	cr_expect(again.used == saved.used && memcmp(again.data, saved.data, saved.used) == 0);
	bytes_fini(&saved);
	bytes_fini(&again);
	bank_destroy(fresh);
}

static int load_with(size_t at, uint8_t byte)
{
	struct bytes saved = {0};
	struct bank *fresh = bank_create(&bank->spec);

	bank_save(bank, &saved);
	saved.data[saved.used - at] = byte;
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	int result = bank_load(fresh, &in);
	bytes_fini(&saved);
	bank_destroy(fresh);
	return result;
}

Test(incident, a_checkpoint_that_cannot_be_is_refused)
{
	/* From the end: two peaks, two intervals; a rank has 5 bytes, a number, 3 intervals and 2
	 * doubles; DAYS is the last one. */
	size_t days = 32 + 49, hours = days + 49;

	fire(BASE, 2000, -1, 80);
	fire(HOURS, 2039, -1, 74);
	cr_assert_eq(all->incidents[0].voices[HOURS].status, VOICE_JOINED);
	cr_expect_eq(load_with(days, VOICE_NONE), 0);
	cr_expect_eq(load_with(days, VOICE_SILENT + 1), -EPROTO, "no such status");
	cr_expect_eq(load_with(days, VOICE_JOINED), 0, "of what the interval tells");
	cr_expect_eq(load_with(hours - 1, RANKS_MAX), -EPROTO, "no such host");
	cr_expect_eq(load_with(hours - 1, FIVE), -EPROTO, "who tells nothing");
	cr_expect_eq(load_with(hours - 2, 2), -EPROTO, "no such direction");
	cr_expect_eq(load_with(hours - 4, 7), -EPROTO, "neither over nor not");
	/* Multiplied by the interval's length they would be no times. */
	cr_expect_eq(load_with(days - 3, 7), -EPROTO, "no such band");
	cr_expect_eq(load_with(days - 9 - 5, 1), -EPROTO, "no such start");
	cr_expect_eq(load_with(days - 17 - 5, 1), -EPROTO, "no such group");
	cr_expect_eq(load_with(days - 25 - 7, 0x80), -EPROTO, "no such peak");
	cr_expect_eq(load_with(1, 0x7f), 0, "a large peak");
	cr_expect_eq(load_with(2, 0xf0), 0);
}

static int load_again(void)
{
	struct bytes saved = {0};
	struct bank *fresh = bank_create(&bank->spec);

	bank_save(bank, &saved);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	int result = bank_load(fresh, &in);
	bytes_fini(&saved);
	bank_destroy(fresh);
	return result;
}

Test(incident, times_that_overflow_in_milliseconds_are_refused)
{
	const int64_t most = (INT64_C(1) << 43) / MINUTE;
	struct life *life = &bank->lives[0];
	int64_t *const numbers[] = {&bank->run, &life->start, &life->fired, &life->group,
				    &life->peak_interval};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int64_t kept = *numbers[i];
		*numbers[i] = most;
		cr_expect_eq(load_again(), 0, "%zu", i);
		*numbers[i] = most + 1;
		cr_expect_eq(load_again(), -EPROTO, "%zu", i);
		*numbers[i] = INT64_MIN;
		cr_expect_eq(load_again(), -EPROTO, "%zu", i);
		*numbers[i] = kept;
	}
	const int64_t lengths[] = {-MINUTE, 0, 999, 86400001, INT64_MAX};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		bank->interval_ms = lengths[i];
		cr_expect_eq(load_again(), -EPROTO, "%ld ms", (long)lengths[i]);
	}
	bank->interval_ms = MINUTE;
}

/* Who is confirmed, as bits by rank: a restart goes by names, so do those who were not. */
static uint32_t confirmed_now(struct feedback_list *list)
{
	struct bytes saved = {0};
	struct bank *fresh = bank_create(&bank->spec);
	uint32_t live = 0, restarted = 0;

	bank_save(bank, &saved);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	cr_assert_eq(bank_load(fresh, &in), 0);
	bank_feedback(fresh, list);
	for (uint32_t rank = 0; rank < all->ranks; rank++) {
		live |= (uint32_t)all->banks[rank]->lives[0].confirmed << rank;
		restarted |= (uint32_t)fresh->resolutions->banks[rank]->lives[0].confirmed << rank;
	}
	cr_expect_eq(live, restarted, "%x, after a restart %x", live, restarted);
	bytes_fini(&saved);
	bank_destroy(fresh);
	return live;
}

Test(incident, whoever_goes_his_own_way_is_confirmed_by_his_own_name)
{
	struct feedback_list *list = feedback_create();
	struct feedback_said said = {.verdict = FEEDBACK_YES, .direction = -1, .period_ms = MINUTE};

	fire(BASE, 2000, -1, 80);
	fire(HOURS, 2039, -1, 74);
	cr_assert_eq(feedback_add(list, 1, heard.anomaly[0].id, "", &said), 0);
	bank_feedback(bank, list);
	cr_expect_eq(confirmed_now(list), 1 << BASE | 1 << HOURS);
	/* One that turns tells an anomaly that nobody has spoken of. */
	all->banks[HOURS]->lives[0].direction = 1;
	rise(HOURS, 2059, 76);
	cr_assert_eq(all->incidents[0].voices[HOURS].status, VOICE_TELLS);
	cr_expect_eq(confirmed_now(list), 1 << BASE);
	end(HOURS, 2060);
	/* What is left of one that is over is no part of it. */
	fire(FIVE, 2064, -1, 74);
	cr_expect_eq(confirmed_now(list), 1 << BASE | 1 << FIVE);
	end(BASE, 2065);
	cr_assert_eq(all->incidents[0].voices[FIVE].status, VOICE_SILENT);
	cr_expect_eq(confirmed_now(list), 0);
	feedback_destroy(list);
}

Test(incident, one_that_was_kept_open_is_as_confirmed_as_it_was)
{
	struct feedback_list *list = feedback_create();
	struct feedback_said said = {.verdict = FEEDBACK_YES, .direction = -1, .period_ms = MINUTE};

	fire(BASE, 2000, -1, 80);
	fire(HOURS, 2039, -1, 95);
	cr_assert_eq(feedback_add(list, 1, heard.anomaly[0].id, "", &said), 0);
	bank_feedback(bank, list);
	end(BASE, 2050);
	cr_assert(all->incidents[0].voices[BASE].over);
	fire(BASE, 2060, -1, 81);
	cr_assert_not(all->incidents[0].voices[BASE].over);
	cr_expect_eq(confirmed_now(list), 1 << BASE | 1 << HOURS);
	feedback_destroy(list);
}

/* What was said went without the sections that say it: hushed is what nobody hushes. */
Test(incident, one_that_is_hushed_goes_on_without_what_was_said)
{
	static struct shop shop;
	struct detector_spec spec = bank->spec;
	struct bytes saved = {0};

	spec.resolutions_ms[0] = 0;
	struct bank *one = bank_create(&spec);
	shop_init(&shop, 1, 1, MINUTE, AGGREGATE_COUNT);
	for (int k = 0; k < 3000; k++) {
		shop.observations.interval++;
		shop.value[0] = shop.events[0] = 100 + k % 5;
		cr_assert_eq(bank_step(one, &shop.observations, heard_each, &heard), 0);
	}
	one->lives[0].status = LIFE_HUSHED;
	one->lives[0].direction = -1;
	bank_save(one, &saved);
	bank_destroy(one);
	shop.observations.interval++;
	for (int below = 1; below < 40; below++) {
		struct bytes_reader in = {.data = saved.data, .left = saved.used};

		one = bank_create(&spec);
		cr_assert_eq(bank_load(one, &in), 0);
		shop.value[0] = shop.events[0] = 100 - below;
		cr_assert_eq(bank_step(one, &shop.observations, heard_each, &heard), 0);
		bank_destroy(one);
	}
	bytes_fini(&saved);
}
