/* scorer: how many empty intervals a jump of a source's clock may cost. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detect/bank.h"
#include "detect/calendar.h"
#include "gaps.h"
#include "scorer.h"

#define MINUTE_MS 60000
static struct series_registry *registry;
static struct config *config;

static void load_config(void)
{
	static const char text[] =
		"data_directory: /nonexistent\nsocket: /nonexistent/s\n"
		"control_socket: /nonexistent/c\ninterval: 1m\n"
		"metrics:\n  - {name: views, event: page_view, agg: count}\n"
		"detectors:\n  - {name: p, metric: views, kind: seasonal, learn: 1000000}\n";
	char why[256] = "";

	cr_assert_eq(config_parse(text, sizeof(text) - 1, "test", &config, why, sizeof(why)), 0,
		     "%s", why);
	registry = series_create(100);
}

static void unload_config(void)
{
	config_free(config);
	series_destroy(registry);
}

static struct scorer *make(void)
{
	struct scorer *scorer = scorer_create(0, 1, MINUTE_MS, registry);

	cr_assert_eq(scorer_configure(scorer, config), 0);
	cr_assert_eq(scorer_source(scorer, 0, "story"), 0);
	return scorer;
}

static void learned(void *self, const struct scorer_detail *detail)
{
	uint64_t wanted;

	bank_learning(detail->bank, self, &wanted);
}

static uint64_t scored(const struct scorer *scorer)
{
	uint64_t seen = 0;

	scorer_details(scorer, learned, &seen);
	return seen;
}

/* A close of the intervals from..through, the last of which has events. */
static uint64_t close_through(struct scorer *scorer, int64_t from, int64_t through)
{
	struct partial *partial = calloc(1, sizeof(*partial));
	uint64_t before = scored(scorer);
	struct scored_list out;

	partial->interval = through;
	struct close_job job = {.kind = WEIR_CONTROL_CLOSE,
				.source_name = "story",
				.from = from,
				.through = through,
				.partials = partial};
	scored_list_init(&out);
	cr_assert_eq(scorer_close(scorer, &job, &out), 0);
	scored_list_free(&out);
	partial_free(partial);
	return scored(scorer) - before;
}

TestSuite(scorer, .init = load_config, .fini = unload_config);

Test(scorer, a_jump_costs_so_many_empty_intervals_and_another_only_what_was_earned)
{
	struct scorer *scorer = make();
	int64_t at = 0;

	close_through(scorer, at, at); /* what is before the first event is not learned from */
	cr_assert_eq(close_through(scorer, at + 1, at + 1000000), GAPS_FREE + GAPS_MAX + 1);
	at += 1000000;
	for (int i = 0; i < 5; i++, at += 1000000)
		cr_assert_eq(close_through(scorer, at + 1, at + 1000000),
			     GAPS_FREE + GAPS_EARNED + 1);
	scorer_destroy(scorer);
}

Test(scorer, gaps_of_a_night_are_always_scored)
{
	struct scorer *scorer = make();
	int64_t at = 0;

	close_through(scorer, at, at);
	for (int day = 0; day < 30; day++, at += 1440) {
		for (int64_t minute = 1; minute <= 480; minute++)
			cr_assert_eq(close_through(scorer, at + minute, at + minute), 1);
		cr_assert_eq(close_through(scorer, at + 481, at + 1440), 960);
	}
	scorer_destroy(scorer);
}

Test(scorer, what_jumps_have_used_is_remembered_over_a_checkpoint)
{
	struct scorer *scorer = make(), *again = make();
	struct bytes saved = {0};

	close_through(scorer, 0, 0);
	close_through(scorer, 1, 1000000);
	scorer_save(scorer, &saved);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	cr_assert_eq(scorer_load(again, &in), 0);
	cr_assert_eq(close_through(again, 1000001, 2000000), GAPS_FREE + GAPS_EARNED + 1);
	cr_assert_eq(close_through(scorer, 1000001, 2000000), GAPS_FREE + GAPS_EARNED + 1);
	bytes_fini(&saved);
	scorer_destroy(scorer);
	scorer_destroy(again);
}

/* Its numbers of intervals would be other times. */
Test(scorer, a_state_of_another_interval_is_refused)
{
	struct scorer *scorer = make(), *other = scorer_create(0, 1, MINUTE_MS / 2, registry);
	struct bytes saved = {0};

	cr_assert_eq(scorer_configure(other, config), 0);
	cr_assert_eq(scorer_source(other, 0, "story"), 0);
	close_through(scorer, 0, 10);
	scorer_save(scorer, &saved);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	cr_assert_eq(scorer_load(other, &in), -EPROTO);
	bytes_fini(&saved);
	scorer_destroy(scorer);
	scorer_destroy(other);
}

/* Of a record that somebody else wrote: it must not end the engine at every start. */
Test(scorer, what_cannot_be_an_entry_is_ignored)
{
	static const char *const details[] = {"{\"name\":\"x\"}", "{}", "", "{\"na",
					      "{\"name\":\"x\",\"date\":\"13-45\"}"};
	struct operator_input input = {.kind = OPERATOR_CALENDAR_ADD};
	struct scorer *scorer = make();

	for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
		input.number = i + 1;
		snprintf(input.detail, sizeof(input.detail), "%s", details[i]);
		cr_expect_eq(scorer_input(scorer, &input), 0, "%s", details[i]);
	}
	cr_assert_eq(scorer_calendar(scorer)->count, 0);
	snprintf(input.detail, sizeof(input.detail), "{\"name\":\"x\",\"date\":\"12-24\"}");
	cr_assert_eq(scorer_input(scorer, &input), 0);
	cr_assert_eq(scorer_calendar(scorer)->count, 1);
	scorer_destroy(scorer);
}
