/*
 * test_feedback: what was said of anomalies, and what follows for the next ones: the list alone,
 * and a bank that heeds it.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "detect/feedback.h"
#include "detect/scoring.h"
#include "support.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)
/* A Tuesday, 14:00. */
#define TUESDAY (INT64_C(1000) * WEEK + 5 * DAY + 14 * HOUR)

static const uint64_t ids[4][2] = {{1, 1}, {2, 2}, {3, 3}, {4, 4}};

/* An hour of 50 more than the 100 expected a minute. */
static struct feedback_said said(enum feedback_verdict verdict, int64_t start_ms)
{
	return (struct feedback_said){
		.verdict = verdict,
		.direction = 1,
		.start_ms = start_ms,
		.end_ms = start_ms + HOUR,
		.period_ms = MINUTE,
		.severity_peak = 80,
		.usual = 100,
		.size = {70, 58, 50},
	};
}

static void say(struct feedback_list *list, uint64_t number, enum feedback_verdict verdict,
		int64_t start_ms)
{
	struct feedback_said all = said(verdict, start_ms);
	cr_assert_eq(feedback_add(list, number, ids[number % 4], "country=DE", &all), 0);
}

static struct feedback_case at(const char *slice, int64_t from_ms)
{
	return (struct feedback_case){
		.slice = slice,
		.direction = 1,
		.from_ms = from_ms,
		.until_ms = from_ms + MINUTE,
		.since_ms = from_ms,
		.usual = 100,
		.deviation = 10,
		.adds = true,
	};
}

/* A run of so many intervals, each so far off. */
static struct feedback_run run(double size, int intervals)
{
	struct feedback_run of = {0};
	for (int i = 0; i < intervals; i++)
		feedback_measure(&of, size);
	return of;
}

static bool is_alike(const struct feedback_list *list, const char *slice, int64_t from_ms,
		     double size)
{
	struct feedback_case of = at(slice, from_ms);
	struct feedback_run so_far = run(size, 60);
	return feedback_alike(list, &of, &so_far);
}

static double raise_at(const struct feedback_list *list, const char *slice, int direction,
		       int64_t from_ms)
{
	struct feedback_case of = at(slice, from_ms);
	of.direction = direction;
	return feedback_raise(list, &of, 0);
}

Test(feedback, measures_a_run_on_each_scale_it_has_lasted)
{
	struct feedback_run of = run(40, 3);
	cr_assert_float_eq(of.most[0], 40, 1e-9);
	cr_assert_eq(of.most[1], 0, "three of eight are no mean over eight");
	of = run(40, 20);
	cr_assert_float_eq(of.most[1], 40, 1e-9);
	cr_assert_eq(of.most[2], 0);
	of = run(40, 64);
	cr_assert_float_eq(of.most[2], 40, 1e-9);
	feedback_measure(&of, -30);
	cr_assert_float_eq(of.most[0], 40, 1e-9, "the largest stays");
}

Test(feedback, raises_the_threshold_of_the_slice_and_a_little_of_its_siblings)
{
	struct feedback_list *list = feedback_create();
	say(list, 1, FEEDBACK_NO, TUESDAY);
	int64_t after = TUESDAY + HOUR - MINUTE;
	cr_assert_float_eq(raise_at(list, "country=DE", 1, after), 3.75, 1e-9);
	cr_assert_float_eq(raise_at(list, "country=FR", 1, after), 1.25, 1e-9);
	cr_assert_eq(raise_at(list, "country=DE", -1, after), 0, "another direction");
	cr_assert_eq(raise_at(list, "", 1, after), 0);
	cr_assert_eq(raise_at(list, "device=app", 1, after), 0);
	cr_assert_eq(raise_at(list, "country=DE,device=app", 1, after), 0);
	cr_assert_float_eq(raise_at(list, "country=DE", 1, after + 90 * DAY), 3.75 / 2, 1e-3);
	for (uint64_t number = 2; number < 8; number++) {
		struct feedback_said all = said(FEEDBACK_NO, TUESDAY);
		uint64_t id[2] = {number, 100};
		cr_assert_eq(feedback_add(list, number, id, "country=DE", &all), 0);
	}
	cr_assert_eq(raise_at(list, "country=DE", 1, after), FEEDBACK_RAISE_MAX);
	feedback_destroy(list);
}

Test(feedback, lowers_the_threshold_for_what_was_confirmed)
{
	struct feedback_list *list = feedback_create();
	say(list, 1, FEEDBACK_YES, TUESDAY);
	say(list, 2, FEEDBACK_UNSURE, TUESDAY + DAY);
	int64_t after = TUESDAY + HOUR - MINUTE;
	cr_assert_float_eq(raise_at(list, "country=DE", 1, after), -1.25, 1e-9);
	cr_assert_eq(raise_at(list, "country=FR", 1, after), 0);
	for (uint64_t number = 3; number < 20; number++) {
		struct feedback_said all = said(FEEDBACK_YES, TUESDAY);
		uint64_t id[2] = {number, 100};
		cr_assert_eq(feedback_add(list, number, id, "country=DE", &all), 0);
	}
	cr_assert_eq(raise_at(list, "country=DE", 1, after), -FEEDBACK_LOWER_MAX);
	feedback_destroy(list);
}

Test(feedback, dismisses_look_alikes_at_the_same_time_of_the_week)
{
	struct feedback_list *list = feedback_create();
	say(list, 1, FEEDBACK_NO, TUESDAY);
	cr_assert(is_alike(list, "country=DE", TUESDAY + WEEK, 50));
	cr_assert(is_alike(list, "country=DE", TUESDAY + WEEK - 2 * HOUR, 50), "two hours before");
	cr_assert(is_alike(list, "country=DE", TUESDAY + WEEK + 3 * HOUR - MINUTE, 50));
	cr_assert_not(is_alike(list, "country=DE", TUESDAY + WEEK + 3 * HOUR, 50), "later");
	cr_assert_not(is_alike(list, "country=DE", TUESDAY + WEEK - 2 * HOUR - MINUTE, 50));
	cr_assert_not(is_alike(list, "country=DE", TUESDAY + 8 * DAY, 50), "on Wednesday");
	cr_assert_not(is_alike(list, "country=FR", TUESDAY + WEEK, 50), "a sibling");
	cr_assert(is_alike(list, "country=DE", TUESDAY + 20 * WEEK, 50));
	cr_assert_not(is_alike(list, "country=DE", TUESDAY + 27 * WEEK, 50), "after half a year");
	struct feedback_case down = at("country=DE", TUESDAY + WEEK);
	struct feedback_run so_far = run(50, 60);
	down.direction = -1;
	cr_assert_not(feedback_alike(list, &down, &so_far));
	feedback_destroy(list);
}

Test(feedback, lets_through_what_is_larger_and_less_the_more_often_it_was_dismissed)
{
	struct feedback_list *list = feedback_create();
	say(list, 1, FEEDBACK_NO, TUESDAY);
	cr_assert(is_alike(list, "country=DE", TUESDAY + WEEK, 59));
	cr_assert_not(is_alike(list, "country=DE", TUESDAY + WEEK, 61), "1.2 times 50");
	say(list, 2, FEEDBACK_NO, TUESDAY + WEEK + 20 * MINUTE);
	cr_assert(is_alike(list, "country=DE", TUESDAY + 2 * WEEK, 64));
	cr_assert_not(is_alike(list, "country=DE", TUESDAY + 2 * WEEK, 66));
	say(list, 3, FEEDBACK_NO, TUESDAY + 2 * WEEK - 20 * MINUTE);
	cr_assert(is_alike(list, "country=DE", TUESDAY + 3 * WEEK, 69));
	cr_assert_not(is_alike(list, "country=DE", TUESDAY + 3 * WEEK, 71));
	cr_assert_not(is_alike(list, "country=DE", TUESDAY + 3 * WEEK, 100), "twice its size");
	/* A single value is not the mean of an hour. */
	struct feedback_case of = at("country=DE", TUESDAY + 3 * WEEK);
	struct feedback_run spike = run(50, 60);
	feedback_measure(&spike, 97);
	cr_assert(feedback_alike(list, &of, &spike), "1.4 times 70");
	feedback_measure(&spike, 99);
	cr_assert_not(feedback_alike(list, &of, &spike));
	feedback_destroy(list);
}

Test(feedback, knows_its_times_of_week_across_the_weeks_end)
{
	struct feedback_list *list = feedback_create();
	int64_t night = INT64_C(1000) * WEEK - HOUR / 2;
	say(list, 1, FEEDBACK_NO, night);
	cr_assert(is_alike(list, "country=DE", night + WEEK, 50));
	cr_assert(is_alike(list, "country=DE", night + WEEK + 2 * HOUR, 50));
	cr_assert(is_alike(list, "country=DE", night + WEEK - 2 * HOUR, 50));
	cr_assert_not(is_alike(list, "country=DE", night + WEEK + 4 * HOUR, 50));
	feedback_destroy(list);
}

Test(feedback, finds_an_outage_where_less_was_dismissed)
{
	struct feedback_list *list = feedback_create();
	struct feedback_said half = said(FEEDBACK_NO, TUESDAY);
	half.direction = -1;
	for (int s = 0; s < FEEDBACK_SCALES; s++)
		half.size[s] = 75;
	for (uint64_t number = 1; number < 4; number++)
		cr_assert_eq(feedback_add(list, number, ids[number], "", &half), 0);
	struct feedback_case of = at("", TUESDAY + WEEK);
	of.direction = -1;
	struct feedback_run same = run(80, 60), outage = run(99, 60);
	cr_assert(feedback_alike(list, &of, &same));
	cr_assert_not(feedback_alike(list, &of, &outage), "1.4 times 75 is more than all");
	feedback_destroy(list);
}

Test(feedback, believes_what_was_confirmed_after_it_was_dismissed)
{
	struct feedback_list *list = feedback_create();
	say(list, 1, FEEDBACK_NO, TUESDAY);
	say(list, 2, FEEDBACK_YES, TUESDAY + WEEK);
	cr_assert_not(is_alike(list, "country=DE", TUESDAY + 2 * WEEK, 50));
	cr_assert(is_alike(list, "country=DE", TUESDAY + 2 * WEEK, 40));
	say(list, 3, FEEDBACK_NO, TUESDAY + 2 * WEEK);
	cr_assert(is_alike(list, "country=DE", TUESDAY + 3 * WEEK, 50));
	feedback_destroy(list);
}

Test(feedback, compares_periods_of_any_length)
{
	struct feedback_list *list = feedback_create();
	say(list, 1, FEEDBACK_NO, TUESDAY);
	/* Of an hour, what was 50 a minute is 3000, and 1.2 times that is none. */
	struct feedback_case hour = at("country=DE", TUESDAY + WEEK);
	hour.until_ms = hour.from_ms + HOUR;
	hour.usual = 6000;
	hour.deviation = 77;
	struct feedback_run same = run(3500, 1), larger = run(3700, 1);
	cr_assert(feedback_alike(list, &hour, &same));
	cr_assert_not(feedback_alike(list, &hour, &larger));
	/* Of a day it is no more: the rest of the day was not dismissed. */
	struct feedback_case day = at("country=DE", TUESDAY + WEEK - 14 * HOUR);
	day.until_ms = day.from_ms + DAY;
	day.usual = 144000;
	day.deviation = 380;
	cr_assert(feedback_alike(list, &day, &same));
	cr_assert_not(feedback_alike(list, &day, &larger));
	feedback_destroy(list);
}

Test(feedback, is_as_if_never_said_once_taken_back)
{
	struct feedback_list *list = feedback_create();
	int64_t when = TUESDAY + WEEK;
	say(list, 1, FEEDBACK_NO, TUESDAY);
	say(list, 5, FEEDBACK_YES, TUESDAY); /* of the same anomaly */
	cr_assert_not(is_alike(list, "country=DE", when, 50));
	cr_assert_lt(raise_at(list, "country=DE", 1, when), 0);
	cr_assert_eq(feedback_of(list, ids[1])->said.verdict, FEEDBACK_YES);
	cr_assert(feedback_undo(list, 5));
	cr_assert_not(feedback_undo(list, 5));
	cr_assert_eq(feedback_of(list, ids[1])->said.verdict, FEEDBACK_NO);
	cr_assert(is_alike(list, "country=DE", when, 50));
	cr_assert_gt(raise_at(list, "country=DE", 1, when), 0);
	cr_assert(feedback_undo(list, 1));
	cr_assert_not(is_alike(list, "country=DE", when, 50));
	cr_assert_eq(raise_at(list, "country=DE", 1, when), 0);
	cr_assert_null(feedback_of(list, ids[1]));
	feedback_destroy(list);
}

Test(feedback, counts_what_it_suppressed)
{
	struct feedback_list *list = feedback_create();
	say(list, 1, FEEDBACK_NO, TUESDAY);
	say(list, 2, FEEDBACK_NO, TUESDAY + DAY);
	struct feedback_case of = at("country=DE", TUESDAY + WEEK);
	feedback_suppressed(list, &of);
	cr_assert_eq(list->entry[0].suppressed, 1, "of that time of the week");
	cr_assert_eq(list->entry[0].suppressed_ms, of.until_ms);
	of = at("country=FR", TUESDAY + WEEK);
	feedback_suppressed(list, &of);
	cr_assert_eq(list->entry[1].suppressed, 1, "the newest");
	feedback_destroy(list);
}

Test(feedback, forgets_the_oldest)
{
	struct feedback_list *list = feedback_create();
	for (uint64_t number = 1; number <= FEEDBACK_MAX + 1; number++) {
		struct feedback_said all = said(FEEDBACK_NO, TUESDAY);
		uint64_t id[2] = {number, 7};
		cr_assert_eq(feedback_add(list, number, id, "country=DE", &all), 0);
	}
	cr_assert_eq(list->count, FEEDBACK_MAX);
	cr_assert_not(feedback_undo(list, 1));
	cr_assert(feedback_undo(list, 2));
	feedback_destroy(list);
}

static struct feedback_list *again(const struct bytes *bytes, size_t left, int expected)
{
	struct feedback_list *list = feedback_create();
	struct bytes_reader in = {.data = bytes->data, .left = left};
	cr_assert_eq(feedback_load(list, &in), expected);
	return list;
}

Test(feedback, goes_on_from_a_checkpoint_and_refuses_impossible_ones)
{
	struct feedback_list *list = feedback_create();
	struct bytes bytes = {0}, copy = {0};
	say(list, 1, FEEDBACK_NO, TUESDAY);
	say(list, 2, FEEDBACK_YES, TUESDAY + DAY);
	say(list, 5, FEEDBACK_UNSURE, TUESDAY);
	struct feedback_case of = at("country=DE", TUESDAY + 8 * DAY);
	feedback_suppressed(list, &of);
	feedback_save(list, &bytes);
	struct feedback_list *loaded = again(&bytes, bytes.used, 0);
	feedback_save(loaded, &copy);
	cr_assert_eq(bytes.used, copy.used);
	cr_assert_eq(memcmp(bytes.data, copy.data, bytes.used), 0);
	for (uint32_t i = 0; i < list->count; i++)
		cr_assert_eq(loaded->entry[i].in_force, list->entry[i].in_force);
	feedback_destroy(loaded);
	for (size_t left = 0; left < bytes.used; left += 7)
		feedback_destroy(again(&bytes, left, -EPROTO));
	/* The verdict stands behind count, number, id and slice; then direction and times. */
	size_t verdict = 4 + 8 + 16 + 4 + 10;
	bytes.data[verdict] = 9;
	feedback_destroy(again(&bytes, bytes.used, -EPROTO));
	bytes.data[verdict] = FEEDBACK_NO;
	bytes.data[verdict + 8 + 7] = 0x7f; /* a start that no time has */
	feedback_destroy(again(&bytes, bytes.used, -EPROTO));
	feedback_destroy(list);
	bytes_fini(&bytes);
	bytes_fini(&copy);
}

#define FIVE (5 * MINUTE)
#define FIVES_DAY 288

/* A shop in steps of five minutes before a bank; an incident takes its part. */
struct twin {
	struct bank *bank;
	struct feedback_list *list;
	struct shop shop;
	struct anomaly last; /* revision heard */
};

static void twin_hear(void *self, const struct anomaly *anomaly)
{
	struct twin *twin = self;
	twin->last = *anomaly;
}

static struct twin *twin_new(void)
{
	struct twin *twin = calloc(1, sizeof(*twin));
	struct detector_spec spec;
	scoring_defaults(&spec);
	twin->bank = bank_create(&spec);
	twin->list = feedback_create();
	bank_feedback(twin->bank, twin->list);
	shop_init(&twin->shop, 21, 1, FIVE, AGGREGATE_COUNT);
	return twin;
}

static void twin_free(struct twin *twin)
{
	bank_destroy(twin->bank);
	feedback_destroy(twin->list);
	free(twin);
}

/* The mean of what is expected over that of what is usual. Chance is the same whatever is lost. */
static double twin_play(struct twin *twin, int intervals, double left)
{
	double expected = 0, usual = 0;
	for (int i = 0; i < intervals; i++) {
		struct bank_slice slice;
		twin->shop.observations.interval++;
		double mean = 500 * shop_shape(shop_hours(&twin->shop));
		shop_draw(&twin->shop, 0, mean);
		double value = floor(twin->shop.value[0] * left);
		twin->shop.value[0] = twin->shop.events[0] = twin->shop.squares[0] = value;
		cr_assert_eq(bank_step(twin->bank, &twin->shop.observations, twin_hear, twin), 0);
		bank_slice(twin->bank, 0, &slice);
		expected += slice.expected;
		usual += mean;
	}
	return expected / usual;
}

static void twin_confirm(struct twin *twin)
{
	struct feedback_said all = said(FEEDBACK_YES, TUESDAY);
	cr_assert(twin->last.fired);
	cr_assert_eq(feedback_add(twin->list, 1, twin->last.id, "", &all), 0);
	bank_feedback(twin->bank, twin->list);
}

Test(feedback, a_confirmed_incident_is_not_learned_from_while_it_lasts)
{
	struct twin *told = twin_new(), *untold = twin_new();
	struct twin *both[] = {told, untold};
	double after[2];
	for (int i = 0; i < 2; i++) {
		twin_play(both[i], 22 * FIVES_DAY, 1);
		twin_play(both[i], 12, 0.4);
		if (both[i] == told)
			twin_confirm(told);
		twin_play(both[i], 3 * FIVES_DAY, 0.4);
		after[i] = twin_play(both[i], 12, 1);
	}
	cr_assert_gt(after[0], 0.85, "told: %.2f of the usual is expected", after[0]);
	cr_assert_lt(after[1], 0.75, "untold: %.2f of the usual is expected", after[1]);
	twin_play(told, FIVES_DAY, 1);
	cr_assert_eq(told->last.state, ANOMALY_RESOLVED, "it was judged all the while");
	twin_free(told);
	twin_free(untold);
}

Test(feedback, an_incident_that_is_over_has_left_nothing_in_the_shape)
{
	struct twin *hit = twin_new(), *never = twin_new();
	struct twin *both[] = {hit, never};
	double then[2];
	for (int i = 0; i < 2; i++) {
		twin_play(both[i], 22 * FIVES_DAY + 12 * 12, 1);
		twin_play(both[i], 12, both[i] == hit ? 0.33 : 1);
		twin_play(both[i], 7 * FIVES_DAY - 12, 1);
		then[i] = twin_play(both[i], 12, 1);
	}
	cr_assert_float_eq(then[0], then[1], 0.02, "%.3f after an incident, %.3f without", then[0],
			   then[1]);
	twin_free(hit);
	twin_free(never);
}

/* The same twice: hushed, saved in the middle, and undone. */
Test(feedback, a_bank_goes_on_hushing_from_a_checkpoint_and_speaks_when_it_is_taken_back)
{
	struct twin *twin = twin_new();
	struct bytes bytes = {0}, again = {0};
	twin_play(twin, 22 * FIVES_DAY, 1);
	twin_play(twin, 12, 0.4);
	cr_assert(twin->last.fired);
	struct feedback_said all = {.verdict = FEEDBACK_NO,
				    .direction = twin->last.direction,
				    .start_ms = twin->last.start * FIVE,
				    .end_ms = (twin->last.interval + 1) * FIVE,
				    .period_ms = FIVE,
				    .usual = twin->last.usual};
	memcpy(all.size, twin->last.fall, sizeof(all.size));
	all.size[0] *= 2;
	all.size[1] = all.size[2] = all.size[0];
	cr_assert_eq(feedback_add(twin->list, 1, twin->last.id, "", &all), 0);
	bank_feedback(twin->bank, twin->list);
	twin_play(twin, 3, 0.4);
	cr_assert_eq(twin->last.state, ANOMALY_RESOLVED, "dismissed, it ends");
	memset(&twin->last, 0, sizeof(twin->last));
	twin_play(twin, 3, 0.4);
	cr_assert_eq(twin->last.revision, 0, "and is not told again");
	bank_save(twin->bank, &bytes);
	struct bytes_reader in = {.data = bytes.data, .left = bytes.used};
	cr_assert_eq(bank_load(twin->bank, &in), 0);
	bank_feedback(twin->bank, twin->list);
	bank_save(twin->bank, &again);
	cr_assert_eq(bytes.used, again.used);
	cr_assert_eq(memcmp(bytes.data, again.data, bytes.used), 0);
	twin_play(twin, 3, 0.4);
	cr_assert_eq(twin->last.revision, 0, "nor after a restart");
	cr_assert_eq(twin->list->entry[0].suppressed, 1, "%llu, once",
		     (unsigned long long)twin->list->entry[0].suppressed);
	cr_assert(feedback_undo(twin->list, 1));
	bank_feedback(twin->bank, twin->list);
	twin_play(twin, 1, 0.4);
	cr_assert_eq(twin->last.state, ANOMALY_FIRING, "taken back, it is told at once");
	cr_assert_eq(twin->last.revision, 1);
	bytes_fini(&bytes);
	bytes_fini(&again);
	twin_free(twin);
}
