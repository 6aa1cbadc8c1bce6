/*
 * tally: it finds every event that is there, and one that is lost, doubled, changed or under the
 * wrong series. The benchmark says "lossless" only on its word.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "intake/series.h"
#include "log/io.h"
#include "log/writer.h"
#include "tally.h"

#define SERIES 1000
#define EVENTS 20000
#define STEPS_MAX 1000000 /* of a writer that makes no progress */

enum fault {
	NONE,
	EVENT_LOST,
	EVENT_DOUBLED,
	EVENTS_SWAPPED,
	VALUE_CHANGED,
	SERIES_CHANGED,
	SEQUENCE_SKIPPED,
	SLOT_REJECTED,
	END_MISSING,
	FAULTS,
};

struct fixture {
	char data[64];
	int fd;
	struct plan plans[2];
	uint64_t sent[2];
};

/* What a lane writes at the start of each segment; ids run against the indexes. */
static int write_series(void *self, struct writer *writer)
{
	_Alignas(8) uint8_t block[32768];
	uint32_t used = 0, count = 0;
	(void)self;
	for (uint32_t i = 0; i <= SERIES; i++) {
		if (count > 0 && (i == SERIES || used + 512 > sizeof(block))) {
			if (writer_records(writer, WEIR_BLOCK_SERIES, block, used, count) < 0)
				return -EAGAIN;
			used = count = 0;
		}
		if (i == SERIES)
			break;
		struct plan_series text;
		const char *values[PLAN_DIMENSIONS];
		uint32_t head[2] = {SERIES - i, 0};
		plan_series(i, &text);
		for (uint32_t j = 0; j < PLAN_DIMENSIONS; j++)
			values[j] = text.values[j];
		memcpy(block + used, head, sizeof(head));
		int bytes = series_build(block + used + sizeof(head), 500, WEIR_NUMBER, text.event,
					 "", PLAN_DIMENSIONS, text.names, values);
		cr_assert_gt(bytes, 0);
		used += (uint32_t)(sizeof(head) + (size_t)bytes);
		count++;
	}
	return 0;
}

/* `count` events of a ring, with the fault in the middle. Returns how many there are. */
static uint32_t make_events(struct plan_cursor *cursor, uint32_t count, enum fault fault,
			    struct weir_event *events)
{
	uint32_t used = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t value, index = plan_next(cursor, &value);
		events[used++] = (struct weir_event){weir_event_word(1000, SERIES - index),
						     weir_value_bits(value)};
		if (i != count / 2)
			continue;
		if (fault == EVENT_LOST)
			used--;
		if (fault == EVENT_DOUBLED) {
			events[used] = events[used - 1];
			used++;
		}
		if (fault == VALUE_CHANGED)
			events[used - 1].value = weir_value_bits(value % PLAN_VALUES + 1);
		if (fault == SERIES_CHANGED)
			events[used - 1].word ^= 1;
		if (fault == EVENTS_SWAPPED) {
			struct weir_event swap = events[used - 1];
			events[used - 1] = events[used - 2];
			events[used - 2] = swap;
		}
	}
	return used;
}

static void write_piece(struct writer *writer, uint32_t ring, const struct weir_event *events,
			uint32_t count, uint64_t sequence, uint32_t rejected)
{
	while (count > 0) {
		uint32_t room = 0;
		struct weir_event *to = NULL;
		for (uint32_t i = 0; i < STEPS_MAX && (!to || room == 0); i++) {
			if (to)
				writer_flush(writer);
			writer_step(writer, i);
			to = writer_room(writer, &room);
		}
		cr_assert(to && room > 0);
		uint32_t now = count < room ? count : room;
		memcpy(to, events, now * sizeof(*events));
		struct batch batch = {.events = to,
				      .count = now,
				      .ring = ring,
				      .first_sequence = sequence,
				      .rejected = rejected};
		writer_commit(writer, &batch, 1000, 1000);
		events += now;
		count -= now;
		sequence += now + rejected;
		rejected = 0;
	}
}

/* A lane with one ring for each of `producers` plans, in turns. */
static void write_lane(struct fixture *fixture, uint16_t lane, uint32_t first, uint32_t producers,
		       enum fault fault)
{
	static struct weir_event events[EVENTS + 8];
	struct io *io;
	struct writer *writer;
	char directory[16];
	snprintf(directory, sizeof(directory), "lane-%02u", lane);
	cr_assert_eq(io_pwrite_create(fixture->fd, 16, &io), 0);
	struct writer_options options = {
		.io = io,
		.directory = directory,
		.lane = lane,
		.epoch = 1,
		.next_lsn = 1,
		.segment_bytes = WEIR_SEGMENT_BYTES_MIN,
		.block_bytes = 32768,
		.buffers = 8,
		.durability = DURABILITY_NONE,
		.sync_ms = 100,
		.sync_bytes = 1 << 20,
		.random_seed = 7u + lane,
		.snapshot = write_series,
	};
	cr_assert_eq(writer_open(&options, &writer), 0);
	struct plan_cursor cursors[2];
	uint64_t next[2] = {0};
	for (uint32_t p = first; p < first + producers; p++)
		plan_start(&fixture->plans[p], &cursors[p]);
	for (uint32_t piece = 0; piece < 4; piece++)
		for (uint32_t p = first; p < first + producers; p++) {
			enum fault now = piece == 2 && p == first ? fault : NONE;
			if (piece == 3 && p == first && fault == END_MISSING)
				continue;
			uint32_t count = make_events(&cursors[p], EVENTS / 4, now, events);
			uint32_t rejected = now == SLOT_REJECTED;
			next[p] += now == SEQUENCE_SKIPPED;
			write_piece(writer, 100 + p, events, count, next[p], rejected);
			next[p] += count + rejected;
		}
	cr_assert_eq(writer_close(writer, 5000), 0);
	io->ops->destroy(io);
}

static void setup(struct fixture *fixture)
{
	snprintf(fixture->data, sizeof(fixture->data), "/tmp/weir-tally-XXXXXX");
	cr_assert_not_null(mkdtemp(fixture->data));
	fixture->fd = open(fixture->data, O_RDONLY | O_DIRECTORY);
	cr_assert_geq(fixture->fd, 0);
	for (uint32_t p = 0; p < 2; p++) {
		cr_assert_eq(plan_init(&fixture->plans[p], SERIES, p), 0);
		fixture->sent[p] = EVENTS;
	}
}

static void teardown(struct fixture *fixture)
{
	char command[100];
	close(fixture->fd);
	plan_fini(&fixture->plans[0]);
	plan_fini(&fixture->plans[1]);
	snprintf(command, sizeof(command), "rm -rf %s", fixture->data);
	cr_assert_eq(system(command), 0);
}

static struct tally_result tally(struct fixture *fixture, uint32_t lanes, uint32_t producers)
{
	struct tally_result result;
	char why[300] = "";
	int r = tally_log(fixture->data, lanes, fixture->plans, producers, fixture->sent, &result,
			  why, sizeof(why));
	cr_assert_eq(r, 0, "%d: %s", r, why);
	return result;
}

static void expect_clean(const struct tally_result *result, uint64_t events)
{
	cr_assert_eq(result->events, events);
	cr_assert_eq(result->wrong_events, 0, "%s", result->first_wrong);
	cr_assert_eq(result->wrong_series, 0, "%s", result->first_wrong);
	cr_assert_eq(result->rejected, 0);
	cr_assert_eq(result->gaps, 0);
	cr_assert_str_empty(result->first_wrong);
	cr_assert_gt(result->log_bytes, events * sizeof(struct weir_event));
}

Test(tally, finds_every_event_of_two_rings_in_one_lane)
{
	struct fixture fixture;
	setup(&fixture);
	write_lane(&fixture, 0, 0, 2, NONE);
	struct tally_result result = tally(&fixture, 1, 2);
	expect_clean(&result, 2 * EVENTS);
	teardown(&fixture);
}

Test(tally, finds_every_event_of_two_lanes)
{
	struct fixture fixture;
	setup(&fixture);
	write_lane(&fixture, 0, 1, 1, NONE);
	write_lane(&fixture, 1, 0, 1, NONE);
	struct tally_result result = tally(&fixture, 2, 2);
	expect_clean(&result, 2 * EVENTS);
	teardown(&fixture);
}

Test(tally, sees_each_kind_of_fault)
{
	for (int fault = NONE + 1; fault < FAULTS; fault++) {
		struct fixture fixture;
		setup(&fixture);
		write_lane(&fixture, 0, 0, 2, (enum fault)fault);
		struct tally_result result = tally(&fixture, 1, 2);
		cr_assert(result.wrong_events || result.wrong_series, "fault %d", fault);
		cr_assert_str_not_empty(result.first_wrong, "fault %d", fault);
		teardown(&fixture);
	}
}

Test(tally, sees_a_producer_that_is_missing_altogether)
{
	struct fixture fixture;
	setup(&fixture);
	write_lane(&fixture, 0, 0, 1, NONE);
	struct tally_result result = tally(&fixture, 1, 2);
	cr_assert_eq(result.events, EVENTS);
	cr_assert_gt(result.wrong_series, 0);
	teardown(&fixture);
}

Test(tally, a_directory_that_is_not_there_is_an_error)
{
	struct fixture fixture;
	struct tally_result result;
	char why[300] = "";
	setup(&fixture);
	cr_assert_lt(tally_log("/nonexistent", 1, fixture.plans, 2, fixture.sent, &result, why,
			       sizeof(why)),
		     0);
	cr_assert_str_not_empty(why);
	teardown(&fixture);
}
