/* moved: which metrics moved together, and which of them first. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "moved.h"

#define MINUTE_MS 60000

static struct moved moved;

static void init(void)
{
	cr_assert_eq(moved_init(&moved), 0);
}

static void fini(void)
{
	moved_fini(&moved);
}

TestSuite(moved, .init = init, .fini = fini);

/* The revisions of one close. */
struct close {
	struct scored_list list;
	struct scored scored[16];
	uint32_t count;
};

static void begin(struct close *close)
{
	memset(close, 0, sizeof(*close));
	scored_list_init(&close->list);
}

static struct anomaly *add(struct close *close, int64_t interval, const char *metric,
			   enum anomaly_state state, int64_t start)
{
	struct scored *scored = &close->scored[close->count++];

	scored->interval = interval;
	scored->anomaly = (struct anomaly){.state = state,
					   .direction = -1,
					   .interval_ms = MINUTE_MS,
					   .start = start,
					   .interval = interval,
					   .fired = state != ANOMALY_PENDING};
	strcpy(scored->anomaly.source, "live");
	strcpy(scored->anomaly.metric, metric);
	*close->list.last = scored;
	close->list.last = &scored->next;
	return &scored->anomaly;
}

/* One revision in a close of its own. */
static struct anomaly tell(int64_t interval, const char *metric, enum anomaly_state state,
			   int64_t start)
{
	static struct close close;

	begin(&close);
	add(&close, interval, metric, state, start);
	moved_relate(&moved, &close.list);
	return close.scored[0].anomaly;
}

Test(moved, the_first_mover_stands_in_front_with_its_lead)
{
	cr_assert_eq(tell(100, "visits", ANOMALY_FIRING, 100).relateds, 0, "alone");
	struct anomaly orders = tell(103, "orders", ANOMALY_FIRING, 102);
	cr_assert_eq(orders.relateds, 1);
	cr_assert_str_eq(orders.related[0].metric, "visits");
	cr_assert_eq(orders.related[0].direction, -1);
	cr_assert_eq(orders.related[0].start_ms, 100 * MINUTE_MS);
	cr_assert_eq(orders.related[0].lead_ms, 2 * MINUTE_MS);
	struct anomaly refunds = tell(110, "refunds", ANOMALY_FIRING, 110);
	cr_assert_eq(refunds.relateds, 2);
	cr_assert_str_eq(refunds.related[0].metric, "visits");
	cr_assert_str_eq(refunds.related[1].metric, "orders");
	struct anomaly visits = tell(111, "visits", ANOMALY_UPDATED, 100);
	cr_assert_eq(visits.relateds, 2);
	cr_assert_str_eq(visits.related[0].metric, "orders");
	cr_assert_eq(visits.related[0].lead_ms, -2 * MINUTE_MS, "it came after");
}

Test(moved, the_order_of_metrics_within_an_interval_decides_nothing)
{
	struct close close;

	begin(&close);
	struct anomaly *a = add(&close, 50, "a", ANOMALY_FIRING, 50);
	struct anomaly *b = add(&close, 50, "b", ANOMALY_FIRING, 48);
	struct anomaly *later = add(&close, 51, "c", ANOMALY_FIRING, 51);
	moved_relate(&moved, &close.list);
	cr_assert_eq(a->relateds, 1, "what comes in the next interval is not known yet");
	cr_assert_str_eq(a->related[0].metric, "b");
	cr_assert_eq(a->related[0].lead_ms, 2 * MINUTE_MS);
	cr_assert_eq(b->relateds, 1);
	cr_assert_eq(b->related[0].lead_ms, -2 * MINUTE_MS);
	cr_assert_eq(later->relateds, 2);
	cr_assert_str_eq(later->related[0].metric, "b");
}

Test(moved, closes_of_one_interval_or_of_many_tell_the_same)
{
	struct close close;
	struct anomaly alone[3], together[3];

	for (int turn = 0; turn < 2; turn++) {
		begin(&close);
		for (int k = 0; k < 3; k++) {
			const char *metric = k == 1 ? "visits" : "orders";
			enum anomaly_state state = k == 2 ? ANOMALY_RESOLVED : ANOMALY_FIRING;
			if (turn == 0)
				alone[k] = tell(10 + k, metric, state, k == 1 ? 11 : 10);
			else
				add(&close, 10 + k, metric, state, k == 1 ? 11 : 10);
		}
		moved_relate(&moved, &close.list);
		for (int k = 0; k < 3 && turn; k++)
			together[k] = close.scored[k].anomaly;
		moved_reset(&moved);
	}
	cr_assert_eq(memcmp(alone, together, sizeof(alone)), 0);
	cr_assert_eq(alone[2].relateds, 1, "its last revision still names the other");
}

Test(moved, what_ended_shortly_before_may_be_the_cause_and_long_before_is_not)
{
	tell(100, "visits", ANOMALY_FIRING, 100);
	tell(110, "visits", ANOMALY_RESOLVED, 100);
	cr_assert_eq(tell(165, "orders", ANOMALY_FIRING, 165).relateds, 1);
	cr_assert_eq(tell(172, "refunds", ANOMALY_FIRING, 172).relateds, 1, "orders alone");
	/* It fires for a day: what begins then has another cause. */
	cr_assert_eq(tell(165 + 1440, "visits", ANOMALY_FIRING, 165 + 1440).relateds, 0);
}

Test(moved, periods_that_are_long_reach_far)
{
	struct close close;

	begin(&close);
	add(&close, 1439, "visits", ANOMALY_FIRING, 0)->frequency_ms = 86400000;
	struct anomaly *orders = add(&close, 2879, "orders", ANOMALY_FIRING, 1440);
	orders->frequency_ms = 86400000;
	moved_relate(&moved, &close.list);
	cr_assert_eq(orders->relateds, 1);
	cr_assert_eq(orders->related[0].lead_ms, 86400000);
}

Test(moved, a_run_lasts_until_its_last_anomaly_is_over)
{
	tell(100, "visits", ANOMALY_FIRING, 100);
	tell(104, "visits", ANOMALY_FIRING, 103); /* another slice */
	tell(105, "visits", ANOMALY_RESOLVED, 100);
	struct anomaly orders = tell(200, "orders", ANOMALY_FIRING, 200);
	cr_assert_eq(orders.relateds, 1);
	cr_assert_eq(orders.related[0].start_ms, 100 * MINUTE_MS, "of its first");
	tell(201, "visits", ANOMALY_RESOLVED, 103);
	tell(202, "visits", ANOMALY_FIRING, 202);
	orders = tell(203, "orders", ANOMALY_UPDATED, 200);
	cr_assert_eq(orders.related[0].start_ms, 202 * MINUTE_MS, "a run of its own");
}

Test(moved, other_sources_and_what_never_fired_are_not_named)
{
	struct close close;

	begin(&close);
	strcpy(add(&close, 100, "visits", ANOMALY_FIRING, 100)->source, "other");
	add(&close, 100, "carts", ANOMALY_PENDING, 100);
	struct anomaly *orders = add(&close, 100, "orders", ANOMALY_FIRING, 100);
	moved_relate(&moved, &close.list);
	cr_assert_eq(orders->relateds, 0);
	/* One that was only pending and went is no end of a run. */
	begin(&close);
	add(&close, 101, "orders", ANOMALY_RESOLVED, 101)->fired = false;
	moved_relate(&moved, &close.list);
	cr_assert_eq(tell(191, "views", ANOMALY_FIRING, 191).relateds, 1, "orders still fires");
}

Test(moved, names_eight_at_most_the_first_of_them)
{
	char name[8];

	for (int k = 0; k < 12; k++) {
		snprintf(name, sizeof(name), "m%02d", 11 - k);
		tell(100, name, ANOMALY_FIRING, 100 - k);
	}
	struct anomaly last = tell(101, "orders", ANOMALY_FIRING, 101);
	cr_assert_eq(last.relateds, ANOMALY_RELATED_MAX);
	for (int k = 0; k < ANOMALY_RELATED_MAX; k++) {
		snprintf(name, sizeof(name), "m%02d", k);
		cr_assert_str_eq(last.related[k].metric, name);
	}
}

Test(moved, of_more_than_fit_those_that_are_over_make_room)
{
	char name[8];

	for (uint32_t k = 0; k < MOVED_MAX; k++) {
		snprintf(name, sizeof(name), "m%u", k);
		tell(100, name, ANOMALY_FIRING, 100);
	}
	cr_assert_eq(moved.count, MOVED_MAX);
	tell(100, "late", ANOMALY_FIRING, 100);
	tell(101, "late", ANOMALY_RESOLVED, 100);
	cr_assert_eq(moved.count, MOVED_MAX);
	tell(101, "m7", ANOMALY_RESOLVED, 100);
	tell(102, "late", ANOMALY_FIRING, 102);
	cr_assert_eq(moved.count, MOVED_MAX);
	/* 6 h after it, what is over is forgotten. */
	for (uint32_t k = 0; k < MOVED_MAX; k++) {
		snprintf(name, sizeof(name), "m%u", k);
		tell(103, name, ANOMALY_RESOLVED, 100);
	}
	tell(103 + 361, "late", ANOMALY_UPDATED, 102);
	cr_assert_eq(moved.count, 1);
}

Test(moved, what_fired_when_there_was_no_room_ends_no_run)
{
	char name[8];

	for (uint32_t k = 0; k < MOVED_MAX; k++) {
		snprintf(name, sizeof(name), "m%u", k);
		tell(100, name, ANOMALY_FIRING, 100);
	}
	tell(101, "late", ANOMALY_FIRING, 101);
	tell(102, "m7", ANOMALY_RESOLVED, 100);
	tell(103, "late", ANOMALY_FIRING, 103); /* another slice, and now there is room */
	tell(104, "late", ANOMALY_RESOLVED, 101);
	for (uint32_t k = 0; k < MOVED_MAX; k++) {
		snprintf(name, sizeof(name), "m%u", k);
		tell(105, name, ANOMALY_RESOLVED, 100);
	}
	struct anomaly orders = tell(103 + 300, "orders", ANOMALY_FIRING, 103 + 300);
	cr_assert_eq(orders.relateds, 1, "it fires on");
	cr_assert_str_eq(orders.related[0].metric, "late");
	tell(104 + 300, "late", ANOMALY_RESOLVED, 103);
	cr_assert_eq(tell(500, "views", ANOMALY_FIRING, 500).relateds, 1, "orders alone");
}

Test(moved, goes_on_from_a_checkpoint_as_if_nothing_had_been)
{
	struct bytes bytes = {0};
	struct moved other;

	tell(100, "visits", ANOMALY_FIRING, 99);
	tell(100, "carts", ANOMALY_FIRING, 98);
	tell(101, "carts", ANOMALY_RESOLVED, 98);
	bytes_put_u32(&bytes, 3), bytes_put_u32(&bytes, 0); /* somebody else's section */
	bytes_put_u64(&bytes, 4), bytes_put_u32(&bytes, 7);
	moved_save(&moved, &bytes);
	cr_assert_eq(moved_init(&other), 0);
	cr_assert_eq(moved_load(&other, (struct bytes_reader){bytes.data, bytes.used, false}), 0);
	struct anomaly told = tell(102, "orders", ANOMALY_FIRING, 102);
	struct moved kept = moved;
	moved = other;
	struct anomaly again = tell(102, "orders", ANOMALY_FIRING, 102);
	cr_assert_eq(memcmp(&told, &again, sizeof(told)), 0);
	cr_assert_eq(told.relateds, 2);
	for (size_t left = bytes.used; left-- > 0;)
		cr_assert_eq(moved_load(&other, (struct bytes_reader){bytes.data, left, false}),
			     -EPROTO);
	moved_fini(&kept);
	bytes_fini(&bytes);
}

/* What a checkpoint may not say. */
Test(moved, refuses_impossible_numbers)
{
	static const struct {
		uint32_t at;
		uint64_t value;
		uint32_t bytes;
	} wrong[] = {
		{16, MOVED_MAX + 1, 4},                      /* entries */
		{20 + 4 + 4 + 4 + 6, 2, 4},                  /* direction */
		{20 + 4 + 4 + 4 + 6 + 8, UINT64_MAX / 2, 8}, /* start */
		{20 + 4 + 4 + 4 + 6 + 24, UINT64_MAX, 8},    /* period */
	};
	struct bytes bytes = {0};
	struct moved other;

	tell(100, "visits", ANOMALY_FIRING, 99);
	cr_assert_eq(moved_init(&other), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		bytes_clear(&bytes);
		moved_save(&moved, &bytes);
		cr_assert_eq(moved_load(&other,
					(struct bytes_reader){bytes.data, bytes.used, false}),
			     0);
		memcpy(bytes.data + wrong[i].at, &wrong[i].value, wrong[i].bytes);
		cr_assert_eq(moved_load(&other,
					(struct bytes_reader){bytes.data, bytes.used, false}),
			     -EPROTO, "%zu", i);
	}
	moved_fini(&other);
	bytes_fini(&bytes);
}
