/* Which of two sides of a backtest are the same incident. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "backtest.h"

#define HOUR_MS INT64_C(3600000)

static struct backtest_found live[16], found[16];
static struct backtest backtest;
static struct backtest_comparison comparison;

/* From hour to hour; -1: it goes on. */
static void put(struct backtest_found *side, struct backtest_set *set, int from, int until,
		int direction)
{
	struct backtest_found *at = &side[set->count++];

	*at = (struct backtest_found){.direction = direction, .fired = true, .severity = 60};
	at->id[0] = set->count + (side == live ? 100 : 200);
	at->revision = 3;
	at->start_ms = from * HOUR_MS;
	at->end_ms = until < 0 ? INT64_MAX : until * HOUR_MS;
	strcpy(at->source, "live");
	strcpy(at->metric, "orders");
	strcpy(at->detector, "orders");
}

static void begin(void)
{
	backtest = (struct backtest){.live.found = live, .found.found = found, .sources_count = 1};
	backtest.last_ms = 1000 * HOUR_MS;
	strcpy(backtest.sources[0].name, "live");
	backtest.sources[0].last_ms = backtest.last_ms;
}

static void compare(void)
{
	cr_assert_eq(backtest_compare(&backtest, &comparison), 0);
	free(comparison.weeks);
}

Test(backtest, an_incident_has_a_direction)
{
	begin();
	put(live, &backtest.live, 10, 12, -1);
	put(found, &backtest.found, 10, 12, 1);
	compare();
	cr_assert(comparison.only_live == 1 && comparison.only_found == 1);
}

Test(backtest, an_incident_is_one_other)
{
	begin();
	for (int i = 0; i < 9; i++)
		put(live, &backtest.live, 20 * i, 20 * i + 10, -1);
	for (int i = 0; i < 9; i++) {
		put(found, &backtest.found, 20 * i + 1, 20 * i + 4, -1);
		if (i < 2)
			put(found, &backtest.found, 20 * i + 5, 20 * i + 10, -1);
	}
	compare();
	cr_assert(comparison.live_all == 9 && comparison.found_all == 11);
	cr_assert(comparison.only_live == 0 && comparison.only_found == 2);
	/* The one that shares most. */
	cr_assert(!found[0].known && found[1].known);
}

Test(backtest, what_goes_on_for_ever_does_not_catch_all)
{
	begin();
	for (int i = 0; i < 5; i++) {
		put(live, &backtest.live, 20 * i + 1, 20 * i + 10, -1);
		live[i].verdict = FEEDBACK_YES;
	}
	put(found, &backtest.found, 0, -1, -1);
	compare();
	cr_assert(comparison.confirmed == 5 && comparison.caught == 1);
	cr_assert(comparison.only_live == 4);
}

Test(backtest, a_detector_of_the_same_name_comes_first)
{
	begin();
	put(live, &backtest.live, 10, 20, -1);
	put(live, &backtest.live, 10, 20, -1);
	strcpy(live[0].detector, "other");
	put(found, &backtest.found, 10, 20, -1);
	compare();
	cr_assert(!live[0].known && live[1].known && found[0].known);
}

Test(backtest, what_was_lived_is_the_same_to_the_bit)
{
	begin();
	backtest.as_lived = true;
	for (int i = 0; i < 4; i++) {
		put(live, &backtest.live, 20 * i, 20 * i + 10, -1);
		put(found, &backtest.found, 20 * i, 20 * i + 10, -1);
		found[i].id[0] = live[i].id[0];
	}
	found[1].id[0] = 77;
	found[2].severity = 61;
	found[3].revision = 4;
	compare();
	cr_assert(found[0].known && live[0].known);
	cr_assert(comparison.only_live == 3 && comparison.only_found == 3);
}

Test(backtest, each_source_counts_from_its_own_beginning)
{
	begin();
	put(live, &backtest.live, 10, 12, -1);
	put(live, &backtest.live, 10, 12, -1);
	put(live, &backtest.live, 30, 32, -1);
	strcpy(live[0].source, "old");
	backtest.sources_count = 2;
	strcpy(backtest.sources[1].name, "old");
	backtest.sources[1].last_ms = 20 * HOUR_MS;
	backtest.sources[0].from_ms = 25 * HOUR_MS;
	compare();
	cr_assert(comparison.live_all == 2);
	backtest.sources[1].from_ms = 15 * HOUR_MS;
	compare();
	cr_assert(comparison.live_all == 1);
}
