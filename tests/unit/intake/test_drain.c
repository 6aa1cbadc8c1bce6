/*
 * The drain loop against a simple oracle that judges one event at a time, and against liars.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "intake/drain.h"
#include "random.h"

#define EVENTS_MAX (1u << 16)

/* A ring in plain memory, its producer's end, and everything that was ever pushed. */
struct rig {
	struct weir_ring_header header;
	struct weir_region_header region;
	struct weir_control_slot control;
	struct series_map map;
	struct drain_ring ring;
	struct weir_ring_writer writer;
	struct weir_event *slots;
	struct weir_event *pushed; /* by sequence */
};

static void rig_init(struct rig *rig, uint64_t capacity, uint32_t series_max)
{
	memset(rig, 0, sizeof(*rig));
	rig->slots = calloc(capacity, sizeof(*rig->slots));
	rig->pushed = calloc(EVENTS_MAX, sizeof(*rig->pushed));
	rig->map.ids = calloc(series_max + 1, sizeof(*rig->map.ids));
	rig->map.series_max = series_max;
	rig->map.mapped = 1;
	rig->ring = (struct drain_ring){.header = &rig->header,
					.slots = rig->slots,
					.region = &rig->region,
					.map = &rig->map,
					.capacity = capacity,
					.mask = capacity - 1,
					.number = 77,
					.source = 3};
	rig->writer = (struct weir_ring_writer){.slots = rig->slots,
						.mask = capacity - 1,
						.header = &rig->header,
						.control = &rig->control};
}

static void rig_fini(struct rig *rig)
{
	free(rig->slots);
	free(rig->pushed);
	free(rig->map.ids);
}

/* The producer defines series up to `count`; the engine maps those below `mapped`. */
static void rig_map(struct rig *rig, uint32_t count, uint32_t mapped)
{
	weir_store_release_32(&rig->region.series_count, count);
	for (uint32_t i = 1; i < mapped; i++)
		rig->map.ids[i] = i % 11 == 10 ? 0 : 1000 + 7 * i; /* some were refused */
	weir_store_release_32(&rig->map.mapped, mapped);
	rig->ring.mapped = mapped;
}

static bool rig_push(struct rig *rig, uint64_t word, uint64_t value)
{
	if (!weir_ring_room(&rig->writer))
		return false;
	cr_assert(rig->writer.tail < EVENTS_MAX);
	rig->pushed[rig->writer.tail] = (struct weir_event){word, value};
	weir_ring_push(&rig->writer, word, value);
	return true;
}

static void rig_release(struct rig *rig)
{
	rig->ring.released = rig->ring.next;
	weir_store_release_64(&rig->control.released, rig->ring.next);
}

enum verdict { TAKE, REFUSE, STOP, WAIT };

static enum verdict oracle_judge(const struct rig *rig, struct weir_event event, uint64_t limit_ms,
				 struct weir_event *ret_event)
{
	uint32_t local = weir_event_series(event.word);
	uint64_t time_ms = weir_event_time_ms(event.word);

	if (local == 0 || !isfinite(weir_bits_value(event.value)))
		return REFUSE;
	if (time_ms >= limit_ms)
		return STOP;
	if (local >= rig->map.mapped)
		return local <= rig->region.series_count && local <= rig->map.series_max ? WAIT
											 : REFUSE;
	if (!rig->map.ids[local])
		return REFUSE;
	*ret_event = (struct weir_event){weir_event_word(time_ms, rig->map.ids[local]),
					 event.value};
	return TAKE;
}

/* One take, compared in everything with what the oracle says of the same slots. */
static uint32_t take_and_compare(struct rig *rig, uint32_t room, uint64_t limit_ms)
{
	static struct weir_event out[EVENTS_MAX + 1];
	const struct weir_event canary = {0xdeadbeef, 0xfeedface};
	uint64_t first = rig->ring.next, at = first, low = 5000, high = 5001, rejected = 0;
	uint64_t expected_low = low, expected_high = high, before = rig->ring.rejected;
	uint32_t count = 0;
	bool waiting = false;
	struct weir_event *expected = calloc(room + 1, sizeof(*expected));
	struct batch batch;

	for (; at < rig->ring.tail && at - first < room; at++) {
		enum verdict verdict = oracle_judge(rig, rig->pushed[at], limit_ms,
						    &expected[count]);
		waiting = verdict == WAIT;
		if (verdict == STOP || verdict == WAIT)
			break;
		if (verdict == REFUSE) {
			rejected++;
			continue;
		}
		uint64_t time_ms = weir_event_time_ms(expected[count++].word);
		expected_low = time_ms < expected_low ? time_ms : expected_low;
		expected_high = time_ms > expected_high ? time_ms : expected_high;
	}

	out[room] = canary;
	uint32_t slots = drain_take(&rig->ring, out, room, limit_ms, &batch, &low, &high);
	cr_assert_eq(slots, at - first, "%u slots, expected %lu", slots, at - first);
	cr_assert_eq(batch.count, count);
	cr_assert_eq(batch.rejected, rejected);
	cr_assert_eq(batch.first_sequence, first);
	cr_assert_eq(batch.ring, 77);
	cr_assert_eq(batch.source, 3);
	cr_assert(batch.events == out);
	cr_assert_eq(memcmp(out, expected, count * sizeof(*out)), 0);
	cr_assert_eq(memcmp(&out[room], &canary, sizeof(canary)), 0, "written beyond the room");
	cr_assert_eq(rig->ring.next, at);
	cr_assert_eq(rig->ring.rejected, before + rejected);
	cr_assert_eq(rig->ring.waiting, waiting);
	cr_assert_eq(low, expected_low);
	cr_assert_eq(high, expected_high);
	free(expected);
	return slots;
}

static uint64_t random_word(uint64_t *random, uint32_t series, uint32_t odd_in)
{
	uint64_t time_ms = 4000 + random_below(random, 2000);
	uint32_t local = 1 + random_below(random, series);
	if (odd_in && random_below(random, odd_in) == 0) {
		static const uint32_t odd[] = {0, 50, 60, 120, 4000000, WEIR_SERIES_MASK};
		local = odd[random_below(random, 6)];
	}
	return weir_event_word(time_ms, local);
}

static uint64_t random_value(uint64_t *random, uint32_t odd_in)
{
	static const uint64_t odd[] = {
		UINT64_C(0x7ff0000000000000), UINT64_C(0xfff0000000000000), /* infinities */
		UINT64_C(0x7ff8000000000000), UINT64_C(0xffffffffffffffff), /* NaNs */
		UINT64_C(0x8000000000000000), UINT64_C(0x0000000000000001), /* -0, denormal: fine */
		UINT64_C(0x7fefffffffffffff), UINT64_C(0xbfffffffffffffff), /* fine */
	};
	if (odd_in && random_below(random, odd_in) == 0)
		return odd[random_below(random, 8)];
	return weir_value_bits((double)random_below(random, 10000) / 100);
}

/* A whole life of a ring: random pushes, looks, takes of random size, releases, new definitions. */
static void live(uint64_t seed, uint64_t capacity, uint32_t odd_in, bool limits)
{
	struct rig rig;
	uint64_t random = seed, limit_ms = UINT64_MAX;
	uint32_t mapped = 41;

	rig_init(&rig, capacity, 100);
	rig_map(&rig, 60, mapped);
	while (rig.writer.tail < 20 * capacity && rig.writer.tail < EVENTS_MAX - 2 * capacity) {
		for (uint32_t i = random_below(&random, (uint32_t)capacity + 10); i > 0; i--)
			rig_push(&rig, random_word(&random, 40, odd_in),
				 random_value(&random, odd_in));
		if (limits)
			limit_ms = 3900 + random_below(&random, 3000);
		int64_t there = drain_snapshot(&rig.ring);
		cr_assert_eq(there, (int64_t)(rig.writer.tail - rig.ring.next));
		for (int i = 0; i < 8; i++) {
			uint32_t room = random_below(&random, 3) ? random_below(&random, 200)
								 : (uint32_t)capacity;
			if (!take_and_compare(&rig, room, limit_ms) && rig.ring.waiting) {
				cr_assert(mapped <= 60);
				cr_assert_gt(rig.map.wanted, mapped);
				mapped++;
				rig_map(&rig, 60, mapped);
			}
		}
		if (random_below(&random, 2))
			rig_release(&rig);
		if (rig.ring.next + capacity / 2 < rig.writer.tail) { /* not stuck at a limit */
			while (rig.ring.next < rig.ring.tail)
				if (!take_and_compare(&rig, (uint32_t)capacity, UINT64_MAX))
					rig_map(&rig, 60, mapped = 61);
			rig_release(&rig);
		}
	}
	cr_assert(!rig.ring.quarantined);
	cr_assert_eq(rig.ring.lost, 0);
	rig_fini(&rig);
}

Test(drain, agrees_with_the_oracle_on_good_events_over_many_laps)
{
	live(1, 64, 0, false);
	live(2, 256, 0, false);
	live(3, 1024, 0, false);
}

Test(drain, agrees_with_the_oracle_on_bad_events_refused_and_unknown_series)
{
	for (uint64_t seed = 10; seed < 20; seed++) {
		live(seed, 64, 5, false);
		live(seed, 512, 50, false);
	}
}

Test(drain, agrees_with_the_oracle_on_time_limits)
{
	for (uint64_t seed = 30; seed < 40; seed++) {
		live(seed, 64, 9, true);
		live(seed, 512, 9, true);
	}
}

/* Sign, exponent and the first digits of the fraction, all of them; the other digits 0, or 1. */
Test(drain, of_all_kinds_of_values_those_that_are_no_finite_number_are_refused)
{
	for (uint64_t rest = 0; rest < 2; rest++) {
		struct rig rig;
		rig_init(&rig, EVENTS_MAX, 100);
		rig_map(&rig, 60, 41);
		for (uint64_t top = 0; top < 1u << 16; top++)
			cr_assert(rig_push(&rig, weir_event_word(5000, 1),
					   top << 48 | (rest ? (UINT64_C(1) << 48) - 1 : 0)));
		cr_assert_eq(drain_snapshot(&rig.ring), 1 << 16);
		while (rig.ring.next < rig.ring.tail)
			cr_assert(take_and_compare(&rig, 4096, UINT64_MAX));
		cr_assert_eq(rig.ring.rejected, 32, "two signs, sixteen digits");
		rig_fini(&rig);
	}
}

Test(drain, the_extremes_of_time_and_series_are_taken)
{
	struct rig rig;
	struct weir_event out[4];
	struct batch batch;
	uint64_t low = UINT64_MAX, high = 0;

	rig_init(&rig, 64, WEIR_SERIES_MAX);
	rig_map(&rig, WEIR_SERIES_MAX, WEIR_SERIES_MAX + 1);
	rig.map.ids[WEIR_SERIES_MAX] = WEIR_SERIES_MAX;
	rig_push(&rig, UINT64_MAX, 0);            /* the last millisecond, the last series */
	rig_push(&rig, weir_event_word(0, 1), 0); /* the first ones */
	cr_assert_eq(drain_snapshot(&rig.ring), 2);
	cr_expect_eq(drain_take(&rig.ring, out, 4, 0, &batch, &low, &high), 0);
	cr_expect_eq(drain_take(&rig.ring, out, 4, WEIR_TIME_MS_MAX, &batch, &low, &high), 0);
	cr_expect_eq(drain_take(&rig.ring, out, 4, UINT64_MAX, &batch, &low, &high), 2);
	cr_expect_eq(batch.count, 2);
	cr_expect_eq(out[0].word, UINT64_MAX);
	cr_expect_eq(low, 0);
	cr_expect_eq(high, WEIR_TIME_MS_MAX);
	rig_fini(&rig);
}

Test(drain, a_room_of_none_takes_nothing)
{
	struct rig rig;
	rig_init(&rig, 64, 10);
	rig_map(&rig, 10, 11);
	rig_push(&rig, weir_event_word(1, 1), 0);
	cr_assert_eq(drain_snapshot(&rig.ring), 1);
	cr_expect_eq(take_and_compare(&rig, 0, UINT64_MAX), 0);
	rig_fini(&rig);
}

Test(drain, an_empty_ring_answers_none)
{
	struct rig rig;
	rig_init(&rig, 64, 10);
	cr_expect_eq(drain_snapshot(&rig.ring), 0);
	cr_expect_eq(take_and_compare(&rig, 10, UINT64_MAX), 0);
	rig_fini(&rig);
}

Test(drain, a_tail_that_goes_back_is_quarantined_for_good)
{
	struct rig rig;
	struct weir_event out[64];
	struct batch batch;
	uint64_t low = UINT64_MAX, high = 0;

	rig_init(&rig, 64, 10);
	rig_map(&rig, 10, 11);
	for (int i = 0; i < 10; i++)
		rig_push(&rig, weir_event_word(1, 1), 0);
	cr_assert_eq(drain_snapshot(&rig.ring), 10);
	rig.header.tail = 9;
	cr_expect_eq(drain_snapshot(&rig.ring), -EPROTO);
	cr_expect(rig.ring.quarantined);
	rig.header.tail = 10; /* too late to be honest */
	cr_expect_eq(drain_snapshot(&rig.ring), -EPROTO);
	cr_expect_eq(drain_take(&rig.ring, out, 64, UINT64_MAX, &batch, &low, &high), 0);
	rig_fini(&rig);
}

/* Written by a process that goes on behind its own word, or shares the memory of a dead one. */
Test(drain, what_is_written_behind_the_end_is_not_read)
{
	struct rig rig;

	rig_init(&rig, 64, 10);
	rig_map(&rig, 10, 11);
	rig_push(&rig, weir_event_word(1, 1), 0);
	cr_assert_eq(drain_snapshot(&rig.ring), 1);
	rig_push(&rig, weir_event_word(1, 1), 0);
	rig.ring.over = 1;
	cr_expect_eq(drain_snapshot(&rig.ring), 2, "the last look");
	rig_push(&rig, weir_event_word(1, 1), 0);
	cr_expect_eq(drain_snapshot(&rig.ring), 2);
	cr_expect_eq(take_and_compare(&rig, 10, UINT64_MAX), 2);
	rig.header.tail = 0; /* whatever it says */
	cr_expect_eq(drain_snapshot(&rig.ring), 0);
	cr_expect(!rig.ring.quarantined);
	rig_fini(&rig);
}

Test(drain, a_liar_does_not_keep_waiting_for_a_series)
{
	struct rig rig;
	struct weir_event out[64];
	struct batch batch;
	uint64_t low = UINT64_MAX, high = 0;

	rig_init(&rig, 64, 10);
	rig_map(&rig, 1, 2);
	rig.region.series_count = 5; /* published, never mapped */
	rig_push(&rig, weir_event_word(1, 5), 0);
	cr_assert_eq(drain_snapshot(&rig.ring), 1);
	cr_assert_eq(drain_take(&rig.ring, out, 64, UINT64_MAX, &batch, &low, &high), 0);
	cr_assert(rig.ring.waiting);
	rig.header.tail = 0;
	cr_assert_eq(drain_snapshot(&rig.ring), -EPROTO);
	cr_expect(!rig.ring.waiting, "marks wait for rings that wait");
	rig_fini(&rig);
}

Test(drain, a_tail_more_than_a_lap_beyond_released_is_quarantined)
{
	static const uint64_t lies[] = {65, 1000, UINT64_MAX, (uint64_t)1 << 63};
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct rig rig;
		rig_init(&rig, 64, 10);
		rig.header.tail = 64;
		cr_expect_eq(drain_snapshot(&rig.ring), 64);
		rig.header.tail = lies[i];
		cr_expect_eq(drain_snapshot(&rig.ring), -EPROTO, "lie %zu", i);
		rig_fini(&rig);
	}
	struct rig rig;
	struct weir_event out[64];
	struct batch batch;
	uint64_t low = UINT64_MAX, high = 0;
	rig_init(&rig, 64, 10); /* drained, but not released: the same bound */
	rig.header.tail = 64;
	cr_expect_eq(drain_snapshot(&rig.ring), 64);
	cr_expect_eq(drain_take(&rig.ring, out, 64, UINT64_MAX, &batch, &low, &high), 64);
	rig.header.tail = 65;
	cr_expect_eq(drain_snapshot(&rig.ring), -EPROTO);
	rig_fini(&rig);
}

Test(drain, a_series_count_that_lies_cannot_lead_beyond_the_map)
{
	struct rig rig;
	rig_init(&rig, 64, 10);
	rig_map(&rig, UINT32_MAX, 5);
	rig_push(&rig, weir_event_word(4500, 11), 0);
	rig_push(&rig, weir_event_word(4500, WEIR_SERIES_MASK), 0);
	rig_push(&rig, weir_event_word(4500, 4), 0);
	cr_assert_eq(drain_snapshot(&rig.ring), 3);
	cr_expect_eq(take_and_compare(&rig, 10, UINT64_MAX), 3);
	rig_fini(&rig);
}

/* A producer that still goes by the `released` of an engine whose log is gone. */
Test(drain, a_lap_on_an_earlier_engines_word_is_counted_as_lost_not_as_a_lie)
{
	struct rig rig;
	uint64_t taken = 0;

	rig_init(&rig, 256, 10);
	rig_map(&rig, 10, 10);
	rig.control.released = 1000;
	rig.writer.tail = rig.writer.released = rig.header.tail = 1000;
	/* Attached now: the new log knows nothing, the oldest slot still there is 744. */
	rig.ring.next = rig.ring.tail = rig.ring.released = 744;
	rig.ring.grace = 1000;
	rig.ring.lost = 744;
	for (uint64_t i = 744; i < 1000; i++)
		rig.slots[i & 255] = rig.pushed[i] = (struct weir_event){weir_event_word(i, 1), i};
	for (int i = 0; i < 100; i++)
		cr_assert(rig_push(&rig, weir_event_word(1000 + i, 1), 1000 + i));
	cr_expect_eq(drain_snapshot(&rig.ring), 256);
	while (rig.ring.next < rig.ring.tail) {
		struct weir_event out[50];
		struct batch batch;
		uint64_t low = UINT64_MAX, high = 0;
		uint32_t slots = drain_take(&rig.ring, out, 50, UINT64_MAX, &batch, &low, &high);
		for (uint32_t i = 0; i < batch.count; i++)
			cr_assert_eq(out[i].value, batch.first_sequence + i);
		taken += slots;
		cr_assert_gt(slots, 0);
	}
	rig_release(&rig);
	cr_expect_eq(rig.ring.lost + taken, 1100);
	cr_expect_eq(rig.ring.next, 1100);
	cr_expect(!rig.ring.quarantined);
	/* The grace is over: from here on the bound is our own word. */
	rig.header.tail = 1100 + 257;
	cr_expect_eq(drain_snapshot(&rig.ring), -EPROTO);
	rig_fini(&rig);
}

/* The producer laps us between our look at the tail and the copies: what may be torn is dropped. */
Test(drain, what_is_overwritten_under_our_hands_is_lost_and_never_delivered)
{
	for (uint64_t more = 1; more <= 300; more += 13) {
		struct rig rig;
		uint64_t taken = 0;

		rig_init(&rig, 256, 10);
		rig_map(&rig, 10, 10);
		rig.control.released = 1000; /* the word of an engine whose log is gone */
		rig.writer.tail = rig.writer.released = rig.header.tail = 1000;
		rig.ring.next = rig.ring.tail = rig.ring.released = 744;
		rig.ring.grace = 1000;
		for (uint64_t i = 744; i < 1000; i++)
			rig.slots[i & 255] = (struct weir_event){weir_event_word(i, 1), i};
		cr_assert_eq(drain_snapshot(&rig.ring), 256);
		for (uint64_t i = 0; i < more && rig_push(&rig, weir_event_word(1, 1), 1000 + i);
		     i++)
			;
		while (rig.ring.next < rig.writer.tail) {
			struct weir_event out[300];
			struct batch batch;
			uint64_t low = UINT64_MAX, high = 0;
			drain_take(&rig.ring, out, 300, UINT64_MAX, &batch, &low, &high);
			for (uint32_t i = 0; i < batch.count; i++)
				cr_assert_eq(out[i].value, batch.first_sequence + i, "%lu", more);
			taken += batch.count;
			if (rig.ring.next == rig.ring.tail)
				cr_assert_geq(drain_snapshot(&rig.ring), 0);
		}
		cr_expect_eq(744 + taken + rig.ring.lost, rig.writer.tail);
		rig_fini(&rig);
	}
}

Test(drain, a_full_ring_that_met_its_first_engine_loses_nothing)
{
	struct rig rig;
	uint32_t taken = 0;

	rig_init(&rig, 64, 10);
	rig_map(&rig, 10, 10);
	while (rig_push(&rig, weir_event_word(4500, 1), 0))
		;
	rig.ring.grace = 64;
	cr_expect_eq(drain_snapshot(&rig.ring), 64);
	while (rig.ring.next < rig.ring.tail)
		taken += take_and_compare(&rig, 10, UINT64_MAX);
	cr_expect_eq(taken, 64);
	cr_expect_eq(rig.ring.lost, 0);
	rig_fini(&rig);
}

enum { STREAM_EVENTS = 300000 };

static void *stream(void *self)
{
	struct rig *rig = self;
	for (uint64_t i = 0; i < STREAM_EVENTS;) {
		if (!weir_ring_room(&rig->writer)) {
			sched_yield();
			continue;
		}
		weir_ring_push(&rig->writer, weir_event_word(i, 1 + i % 9), i);
		i++;
	}
	return NULL;
}

Test(drain, every_event_of_a_concurrent_producer_arrives_once_and_in_order, .timeout = 20)
{
	struct rig rig;
	pthread_t thread;
	uint64_t next = 0;
	struct weir_event out[100];

	rig_init(&rig, 256, 10);
	rig_map(&rig, 10, 10);
	cr_assert_eq(pthread_create(&thread, NULL, stream, &rig), 0);
	while (next < STREAM_EVENTS) {
		int64_t there = drain_snapshot(&rig.ring);
		cr_assert_geq(there, 0);
		if (!there)
			sched_yield();
		while (rig.ring.next < rig.ring.tail) {
			struct batch batch;
			uint64_t low = UINT64_MAX, high = 0;
			drain_take(&rig.ring, out, 100, UINT64_MAX, &batch, &low, &high);
			cr_assert_eq(batch.rejected, 0);
			for (uint32_t i = 0; i < batch.count; i++, next++) {
				cr_assert_eq(out[i].value, next);
				cr_assert_eq(out[i].word,
					     weir_event_word(next, 1000 + 7 * (1 + next % 9)));
			}
		}
		rig_release(&rig);
	}
	pthread_join(thread, NULL);
	rig_fini(&rig);
}
