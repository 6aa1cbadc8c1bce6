/*
 * Occasions: what a calendar means to a bank: which slices are left out, what the others are
 * expected to bring, and what the last event of a name brought.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "detect/life.h"
#include "support.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define STEP (10 * MINUTE)
#define USUAL 200.0

static struct shop shop;
static struct heard heard;
static struct bank *bank;
static struct calendar *calendar;

static void begin(uint32_t slices)
{
	static const char *const labels[] = {"", "country=DE", "country=IT,device=mobile"};
	const struct detector_spec spec = {
		.name = "orders",
		.metric = "orders",
		.kind = DETECTOR_WINDOW,
		.severity = 60,
		.window = 144,
		.k = 3,
		.for_intervals = 1,
		.recover_intervals = 2,
	};

	shop_init(&shop, 7, slices, STEP, AGGREGATE_COUNT);
	for (uint32_t i = 0; i < slices; i++)
		snprintf(shop.labels[i], sizeof(shop.labels[i]), "%s", labels[i]);
	heard.count = 0;
	calendar = calendar_create();
	bank = bank_create(&spec);
	bank_calendar(bank, calendar);
}

static void end(void)
{
	bank_destroy(bank);
	calendar_destroy(calendar);
}

static int64_t now_ms(void)
{
	return (shop.observations.interval + 1) * STEP;
}

static void step(double factor)
{
	shop.observations.interval++;
	for (uint32_t i = 0; i < shop.observations.count; i++)
		shop_draw(&shop, i, USUAL * factor);
	cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
}

/* Until a time, `factor` times the usual. */
static void live(int64_t until_ms, double factor)
{
	while (now_ms() < until_ms)
		step(factor);
}

static void add(uint64_t number, const char *name, const char *effect, int64_t from_ms,
		int64_t until_ms, const char *slice)
{
	struct calendar_entry entry = {.number = number, .from_ms = from_ms, .until_ms = until_ms};

	snprintf(entry.name, sizeof(entry.name), "%s", name);
	snprintf(entry.slice, sizeof(entry.slice), "%s", slice);
	cr_assert_eq(calendar_read_effect(effect, &entry), 0);
	cr_assert_null(calendar_wrong(&entry));
	cr_assert_eq(calendar_add(calendar, &entry), 0);
}

/* Of the last step. */
static bool excludes(const struct bank *of, uint32_t slice)
{
	const uint8_t *excluded = of->placed.excluded;

	return of->occasion.now_count > 0 && excluded && excluded[slice];
}

static bool excluded(uint32_t slice)
{
	return excludes(bank, slice);
}

static double expect(uint32_t slice)
{
	const double *expect = bank->placed.expect;

	return bank->occasion.now_count > 0 && expect ? expect[slice] : 1;
}

static bool paused(uint32_t slice)
{
	const uint8_t *paused = bank->placed.paused;

	return bank->occasion.now_count > 0 && paused && paused[slice];
}

Test(occasion, what_is_excluded_is_neither_judged_nor_learned)
{
	begin(1);
	add(1, "sale", "exclude", 3 * DAY, 3 * DAY + 6 * HOUR, "");
	live(3 * DAY, 1);
	uint32_t before = heard.count;
	double expected = bank->verdicts.expected[0], volume = bank->volume[0];
	cr_assert(!excluded(0));
	step(4);
	cr_assert(excluded(0));
	live(3 * DAY + 6 * HOUR, 4);
	cr_assert(excluded(0));
	cr_assert_eq(heard.count, before);
	cr_assert_float_eq(bank->verdicts.expected[0], expected, 0.02 * USUAL);
	cr_assert_float_eq(bank->volume[0], volume, 0.05 * USUAL);
	/* End is exclusive. */
	step(1);
	cr_assert(!excluded(0));
	cr_assert_eq(heard.count, before);
	/* Without an entry the same is an anomaly. */
	live(4 * DAY, 1);
	step(4);
	cr_assert_gt(heard.count, before);
	end();
}

/* What fires when an exclusion begins is neither resolved in it nor forgotten. */
Test(occasion, what_fires_goes_on_behind_an_exclusion)
{
	begin(1);
	live(2 * DAY, 1);
	step(4);
	cr_assert_eq(heard.count, 1);
	add(1, "sale", "exclude", now_ms(), now_ms() + 3 * HOUR, "");
	live(now_ms() + 3 * HOUR, 1);
	cr_assert_eq(heard.count, 1);
	cr_assert_eq(bank->lives[0].status, LIFE_FIRING);
	step(1);
	step(1);
	cr_assert_eq(heard.count, 2);
	cr_assert_eq(heard.anomaly[1].state, ANOMALY_RESOLVED);
	end();
}

Test(occasion, exclude_wins_expects_multiply_last_year_replaces)
{
	int64_t at = DAY;

	begin(1);
	add(1, "a", "expect:+50%", at, at + 3 * HOUR, "");
	add(2, "b", "expect:-20%", at + HOUR, at + 3 * HOUR, "");
	add(3, "c", "exclude", at + 2 * HOUR, at + 3 * HOUR, "");
	add(4, "d", "expect:+50%", at + 3 * HOUR, at + 4 * HOUR, "");
	add(5, "d", "last-year", at + 3 * HOUR, at + 4 * HOUR, "");
	add(6, "d", "last-year", at - 5 * HOUR, at - 4 * HOUR, "");
	live(at - 5 * HOUR, 1);
	live(at - 4 * HOUR, 2); /* the first of its name */
	cr_assert(excluded(0));
	live(at, 1);
	step(1);
	cr_assert_float_eq(expect(0), 1.5, 1e-12);
	cr_assert(!excluded(0) && !paused(0));
	live(at + HOUR, 1);
	step(1);
	cr_assert_float_eq(expect(0), 1.2, 1e-12);
	live(at + 2 * HOUR, 1);
	step(1);
	cr_assert(excluded(0));
	live(at + 3 * HOUR, 1);
	step(1);
	/* Not 1.5 x 2: of one event there is one answer. */
	cr_assert_float_eq(expect(0), 2, 0.1);
	cr_assert(!excluded(0));
	cr_assert(paused(0)); /* by default nothing is learned of a comparison */
	live(at + 4 * HOUR, 1);
	step(1);
	cr_assert_eq(bank->occasion.now_count, 0);
	end();
}

Test(occasion, an_entry_that_covers_half_an_interval_counts_by_half)
{
	begin(1);
	add(1, "a", "expect:+60%", 10 * STEP + STEP / 2, 12 * STEP + STEP / 4, "");
	live(10 * STEP, 1);
	step(1);
	cr_assert_float_eq(expect(0), 1.3, 1e-12);
	step(1);
	cr_assert_float_eq(expect(0), 1.6, 1e-12);
	step(1);
	cr_assert_float_eq(expect(0), 1.15, 1e-12);
	step(1);
	cr_assert_float_eq(expect(0), 1, 1e-12);
	end();
}

/* A country's holiday is for that country's slices, and not for the total. */
Test(occasion, an_entry_is_of_the_slices_that_it_names)
{
	begin(3);
	add(1, "de", "exclude", HOUR, 3 * HOUR, "country=DE");
	add(2, "mobile", "expect:+100%", HOUR, 2 * HOUR, "device=mobile,country=IT");
	add(3, "all", "expect:+50%", 2 * HOUR, 3 * HOUR, "");
	live(HOUR, 1);
	step(1);
	cr_assert(!excluded(0) && excluded(1) && !excluded(2));
	cr_assert_float_eq(expect(0), 1, 1e-12);
	cr_assert_float_eq(expect(2), 2, 1e-12);
	live(2 * HOUR, 1);
	step(1);
	cr_assert_float_eq(expect(0), 1.5, 1e-12);
	cr_assert(excluded(1));
	cr_assert_float_eq(expect(2), 1.5, 1e-12);
	/* Another metric's, another source's. */
	calendar_remove(calendar, 3);
	struct calendar_entry entry = calendar->entries[0];
	entry.number = 4;
	entry.slice[0] = '\0';
	snprintf(entry.metric, sizeof(entry.metric), "order*s");
	snprintf(entry.source, sizeof(entry.source), "liv");
	cr_assert_eq(calendar_add(calendar, &entry), 0);
	step(1);
	cr_assert(!excluded(0));
	entry.number = 5;
	snprintf(entry.source, sizeof(entry.source), "l*");
	cr_assert_eq(calendar_add(calendar, &entry), 0);
	step(1);
	cr_assert(excluded(0));
	/* Taken back, it is as if it were not there. */
	cr_assert(calendar_remove(calendar, 5));
	step(1);
	cr_assert(!excluded(0));
	end();
}

/* A sale of four hours brings 2, 4, 3 and 1.5 times the usual. */
static const double sale[] = {2, 4, 3, 1.5};

static void live_sale(int64_t at, double size)
{
	for (int hour = 0; hour < 4; hour++)
		live(at + (hour + 1) * HOUR, sale[hour] * size);
}

/* An event hours later in the day and on another weekday brings what the one before brought. */
Test(occasion, last_year_is_expected_from_the_second_time_on)
{
	int64_t first = 10 * DAY, second = 16 * DAY + 7 * HOUR, third = 23 * DAY;

	begin(1);
	add(1, "sale", "exclude", first, first + 4 * HOUR, "");
	add(2, "sale", "last-year", second, second + 4 * HOUR, "");
	add(3, "sale", "last-year", third, third + 4 * HOUR, "");
	live(first, 1);
	live_sale(first, 1);
	live(second, 1);
	for (int hour = 0; hour < 4; hour++) {
		live(second + (hour + 1) * HOUR, 1.5 * sale[hour]);
		cr_assert(!excluded(0));
		cr_assert_float_eq(expect(0), sale[hour], 0.05 * sale[hour]);
	}
	/* Half as much again as the first: the newest counts, over what would have come without. */
	live(third, 1);
	uint32_t before = heard.count;
	for (int hour = 0; hour < 4; hour++) {
		live(third + (hour + 1) * HOUR, 1.5 * sale[hour]);
		cr_assert_float_eq(expect(0), 1.5 * sale[hour], 0.08 * sale[hour]);
		cr_assert_float_eq(bank->verdicts.expected[0], 1.5 * sale[hour] * USUAL,
				   0.1 * sale[hour] * USUAL);
	}
	cr_assert_eq(heard.count, before); /* as was expected */
	end();
}

/* One that is shorter than a part is over when it is over. */
Test(occasion, a_short_event_ends_with_its_end)
{
	int64_t first = 3 * DAY, second = 4 * DAY;

	begin(1);
	add(1, "sale", "exclude", first, first + 2 * STEP, "");
	add(2, "sale", "last-year", second, second + 2 * STEP, "");
	live(first, 1);
	live(first + 2 * STEP, 3);
	cr_assert(excluded(0));
	step(1);
	cr_assert(!excluded(0));
	live(second, 1);
	step(3);
	cr_assert_float_eq(expect(0), 3, 0.3);
	step(3);
	cr_assert(!excluded(0));
	step(1);
	cr_assert_float_eq(expect(0), 1, 1e-12);
	end();
}

/* So few events say little: what is expected is drawn toward the usual. */
Test(occasion, chance_is_not_taken_for_an_event)
{
	int64_t first = 3 * DAY, second = 6 * DAY;

	begin(1);
	add(1, "sale", "last-year", first, first + HOUR, "");
	add(2, "sale", "last-year", second, second + HOUR, "");
	live(first, 0.0025); /* an event in two intervals */
	live(first + HOUR, 0.05);
	live(second, 0.0025);
	step(0.0025);
	cr_assert(!excluded(0));
	double ratio = bank->occasion.events[0].past[0].ratio[0];
	cr_assert_gt(ratio, 10);
	cr_assert_gt(expect(0), 1);
	cr_assert_lt(expect(0), 1 + 0.5 * (ratio - 1));
	end();
}

/* Saved in the middle of an event and loaded, a bank goes on to the bit; and it saves the same. */
Test(occasion, what_is_remembered_survives_a_restart)
{
	int64_t first = 3 * DAY, second = 6 * DAY;
	struct bytes bytes = {0}, twice = {0};

	begin(2);
	add(1, "sale", "last-year", first, first + 4 * HOUR, "");
	add(2, "sale", "last-year", second, second + 4 * HOUR, "");
	add(3, "here", "last-year", second, second + 4 * HOUR, "country=DE");
	live(first, 1);
	live_sale(first, 1);
	live(second + 90 * MINUTE, 1);
	bank_save(bank, &bytes);
	struct bank *again = bank_create(&bank->spec);
	bank_calendar(again, calendar);
	struct bytes_reader in = {.data = bytes.data, .left = bytes.used};
	cr_assert_eq(bank_load(again, &in), 0);
	cr_assert_eq(in.left, 0);
	bank_save(again, &twice);
	cr_assert_eq(bytes.used, twice.used);
	cr_assert_eq(memcmp(bytes.data, twice.data, bytes.used), 0);
	for (int i = 0; i < 20; i++) {
		step(2);
		cr_assert_eq(bank_step(again, &shop.observations, heard_each, &heard), 0);
		cr_assert_eq(memcmp(bank->occasion.expect, again->occasion.expect,
				    2 * sizeof(double)),
			     0);
		cr_assert_eq(memcmp(bank->occasion.excluded, again->occasion.excluded, 2), 0);
	}
	bytes_clear(&bytes);
	bytes_clear(&twice);
	bank_save(bank, &bytes);
	bank_save(again, &twice);
	cr_assert_eq(bytes.used, twice.used);
	cr_assert_eq(memcmp(bytes.data, twice.data, bytes.used), 0);
	bytes_fini(&bytes);
	bytes_fini(&twice);
	bank_destroy(again);
	end();
}

/* Of an interval that an event has only in part, less may come than without it: that is no reason
 * to refuse a checkpoint in between. */
Test(occasion, a_part_that_brought_less_than_nothing_can_be_saved)
{
	struct bytes bytes = {0};

	begin(1);
	add(1, "sale", "last-year", DAY + STEP / 2, DAY + 4 * HOUR, "");
	live(DAY, 1);
	step(0.1);
	cr_assert_lt(bank->occasion.events[0].past[0].observed, 0);
	bank_save(bank, &bytes);
	struct bytes_reader in = {.data = bytes.data, .left = bytes.used};
	struct bank *again = bank_create(&bank->spec);
	bank_calendar(again, calendar);
	cr_assert_eq(bank_load(again, &in), 0);
	bank_destroy(again);
	bytes_fini(&bytes);
	end();
}

/* Whatever bytes of a memory are wrong, no number comes of it that cannot be. */
Test(occasion, a_broken_memory_is_refused)
{
	struct bytes bytes = {0};
	unsigned refused = 0;

	begin(1);
	add(1, "sale", "last-year", DAY, DAY + 4 * HOUR, "");
	live(DAY, 1);
	live_sale(DAY, 1);
	step(1);
	occasion_save(bank, &bytes);
	for (size_t cut = 0; cut < bytes.used; cut++) {
		struct bytes_reader in = {.data = bytes.data, .left = cut};
		cr_assert_eq(occasion_load(bank, &in), -EPROTO, "cut at %zu", cut);
	}
	for (size_t at = 0; at < bytes.used; at++) {
		struct bytes_reader in = {.data = bytes.data, .left = bytes.used};
		bytes.data[at] ^= 0xff;
		refused += occasion_load(bank, &in) < 0;
		for (uint32_t i = 0; i < bank->occasion.events_count; i++)
			for (int part = 0; part < OCCASION_PARTS; part++) {
				const struct occasion_past *past = bank->occasion.events[i].past;
				cr_assert(isfinite(past->ratio[part]) && past->ratio[part] >= 0);
				cr_assert(isfinite(past->evidence[part]));
			}
		bytes.data[at] ^= 0xff;
	}
	cr_assert_gt(refused, bytes.used / 8);
	bytes_fini(&bytes);
	end();
}

/* Only so many events are remembered: one that nobody asks for any more gives way. */
Test(occasion, memory_is_bounded)
{
	char name[16];

	begin(1);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "event %d", i);
		add((uint64_t)i + 1, name, "last-year", DAY + i * HOUR, DAY + (i + 1) * HOUR, "");
		if (i >= 10)
			calendar_remove(calendar, (uint64_t)i - 9);
		live(DAY + (i + 1) * HOUR, 1);
		cr_assert_leq(bank->occasion.events_count, OCCASION_EVENTS_MAX);
	}
	snprintf(name, sizeof(name), "event %d", 39);
	struct calendar_entry entry = {.number = 1};
	memcpy(entry.name, name, sizeof(name));
	cr_assert_geq(occasion_find(&bank->occasion, &entry), 0);
	cr_assert_lt(occasion_bytes(&bank->occasion), 200000);
	end();
}

Test(occasion, more_events_than_there_is_room_for_are_the_same_behind_a_restart)
{
	struct bytes bytes = {0};
	uint32_t differ = 0;
	char name[16];

	begin(1);
	for (uint64_t i = 0; i < OCCASION_EVENTS_MAX + 2; i++) {
		const int64_t from_ms = DAY + (int64_t)i * HOUR;
		snprintf(name, sizeof(name), "event %u", (unsigned)i);
		add(i + 1, name, "last-year", from_ms, from_ms + HOUR, "");
		add(i + 101, name, "last-year", from_ms + 7 * DAY, from_ms + 7 * DAY + HOUR, "");
	}
	live(7 * DAY, 1);
	bank_save(bank, &bytes);
	struct bank *again = bank_create(&bank->spec);
	struct bytes_reader in = {.data = bytes.data, .left = bytes.used};
	bank_calendar(again, calendar);
	cr_assert_eq(bank_load(again, &in), 0);
	while (now_ms() < 9 * DAY) {
		step(1);
		cr_assert_eq(bank_step(again, &shop.observations, heard_each, &heard), 0);
		differ += excluded(0) != excludes(again, 0);
	}
	cr_assert_eq(differ, 0, "%u intervals differ", differ);
	bank_destroy(again);
	bytes_fini(&bytes);
	end();
}

Test(occasion, what_covers_a_sliver_of_an_interval_is_nothing_to_it)
{
	begin(1);
	add(1, "seconds", "exclude", 2 * DAY, 2 * DAY + STEP / 25, "");
	add(2, "a minute", "exclude", 3 * DAY, 3 * DAY + STEP / 10, "");
	live(2 * DAY, 1);
	step(1);
	cr_assert(!excluded(0));
	live(3 * DAY, 1);
	step(1);
	cr_assert(excluded(0));
	end();
}

Test(occasion, a_part_of_an_interval_is_remembered_as_the_event_alone)
{
	begin(1);
	add(1, "rush", "last-year", 3 * DAY, 3 * DAY + STEP / 2, "");
	add(2, "rush", "last-year", 6 * DAY, 6 * DAY + STEP / 2, "");
	live(3 * DAY, 1);
	step(2); /* three times the usual for half the time */
	cr_assert(excluded(0));
	step(1);
	cr_assert(!excluded(0), "what is over holds no longer, though its hour is not");
	live(6 * DAY, 1);
	step(2);
	cr_assert_float_eq(bank->occasion.events[0].past[0].ratio[0], 3, 0.5, "%g",
			   (double)bank->occasion.events[0].past[0].ratio[0]);
	cr_assert_float_eq(expect(0), 2, 0.25, "%g", expect(0));
	end();
}

Test(occasion, per_cents_for_all_metrics_are_not_said_of_means)
{
	begin(1);
	add(1, "campaign", "expect:+40%", 2 * DAY, 3 * DAY, "");
	shop.observations.aggregation = AGGREGATE_MEAN;
	live(2 * DAY, 1);
	step(1);
	cr_assert_float_eq(expect(0), 1, 1e-9);
	shop.observations.aggregation = AGGREGATE_COUNT;
	live(3 * DAY, 1);
	end();
}
