/*
 * series: series and lanes come and go, events come late, and a replay agrees.
 *
 * A story like that of replay.c, whose producers bring series of their own, which nobody uses again
 * later. Retention takes their segments, and engines that are started after that give their ids to
 * others: in the end there were more series than ids, and none went to `__overflow__`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_private.h"
#include "expect.h"
#include "intake/series.h"
#include "log/io.h"
#include "support/simdisk.h"
#include "support/story.h"

#define ROUNDS 7
#define SERIES 250 /* of a round; the story has 1000 ids, 62 of them for overflow */

static weir *open_producer(const struct story *story)
{
	struct weir_options options = {
		.size = sizeof(options),
		.socket_path = story->socket,
		.source = "story",
		.event_clock = 1,
		.ring_events = 1024,
		.table_bytes = 1u << 18,
		.series_max = 2 * SERIES,
	};
	weir *producer;

	expect(weir_open(&options, &producer) == 0, "a producer opens");
	return producer;
}

/* Until every event of the producer is kept, and the engine knows that it is gone. */
static void finish(struct story *story, weir *producer, uint64_t events)
{
	struct weir_ledger ledger = {0};

	for (int turns = 0; turns < 100 && ledger.persisted < events; turns++) {
		weir_poll(producer);
		story_settle(story);
		weir_ledger(producer, &ledger);
	}
	expect(ledger.persisted == events && ledger.dropped == 0, "every event is kept");
	weir_close(producer, 0);
	story_settle(story);
}

/* Series that nobody has used before; some events come late. */
static void campaign(struct story *story, int round)
{
	weir *producer = open_producer(story);
	uint64_t now_ms = story_time_ms(story), events = 0;
	char value[32];

	for (int i = 0; i < SERIES; i++) {
		struct weir_dimension by[] = {{"campaign", value}};
		snprintf(value, sizeof(value), "round %d, %d", round, i);
		enum weir_series_kind kind = i % 5 ? WEIR_KIND_NUMBER : WEIR_KIND_HASH;
		int series = weir_series(producer, "select_item", WEIR_VALUE, kind, by, 1);
		expect(series > 0, "a series is defined");
		uint64_t time_ms = i % 3 ? now_ms : now_ms - 60000u * (uint64_t)i;
		events += weir_emit_at(producer, series, 1, time_ms) == 0;
	}
	finish(story, producer, events);
}

static void compare(struct story *story, const char *when)
{
	uint32_t stored_count, count;
	char **stored = story_stored(story, &stored_count);
	char **replayed = story_replayed(story, 2, &count);
	bool same = count > 0 && count <= stored_count;

	for (uint32_t i = 0; same && i < count; i++)
		same = strcmp(stored[stored_count - count + i], replayed[i]) == 0;
	expect(same, "a replay from the oldest checkpoint gives the last revisions");
	if (!same)
		printf("%s: %u stored, %u replayed\n", when, stored_count, count);
	story_free_lines(stored, stored_count);
	story_free_lines(replayed, count);
}

static void ids_are_given_again(uint32_t lanes)
{
	uint64_t overflowed = 0;
	uint32_t ids = 0;
	struct story story;

	story_begin(&story, lanes, 2, 4711 + lanes);
	story.retain_bytes = (2u << 20) * lanes;
	for (int round = 0; round < ROUNDS; round++) {
		story_start(&story);
		campaign(&story, round);
		story_play(&story, 600 * lanes, 0);
		story_play(&story, 12, 0.9);
		story_settle(&story);
		overflowed += series_overflowed(story.engine->recovered.registry);
		ids = series_count(story.engine->recovered.registry);
		if (round % 2)
			story_crash(&story);
		else
			story_stop(&story);
	}
	printf("%u lanes: %d series came, ids below %u\n", lanes, ROUNDS * SERIES, ids);
	expect(overflowed == 0, "no series went to overflow");
	compare(&story, "ids");
	story_end(&story);
}

static int count_segment(void *self, const char *name)
{
	*(uint32_t *)self += strstr(name, ".wseg") != NULL;
	return 0;
}

static uint32_t segments(struct story *story, const char *directory)
{
	struct io *io = simdisk_io(story->disk, 1);
	uint32_t count = 0;

	io->ops->list(io, directory, count_segment, &count);
	io->ops->destroy(io);
	return count;
}

/* Three lanes become one: what the others have left goes once no checkpoint needs it. */
static void lanes_go(void)
{
	struct story story;

	story_begin(&story, 3, 2, 99);
	story.retain_bytes = 6u << 20;
	story_start(&story);
	story_play(&story, 300, 0);
	story_crash(&story);
	uint32_t before = segments(&story, "lane-01") + segments(&story, "lane-02");
	expect(before >= 2, "every lane has segments");
	story.lanes = 1;
	story_start(&story);
	story_play(&story, 40, 0);
	story_play(&story, 12, 0.9);
	story_settle(&story);
	uint32_t kept = segments(&story, "lane-01") + segments(&story, "lane-02");
	expect(kept >= 2 && kept <= before, "while there is room what holds events stays");
	compare(&story, "three lanes, then one");
	story_play(&story, 3000, 0);
	story_play(&story, 12, 0.9);
	story_settle(&story);
	expect(segments(&story, "lane-01") + segments(&story, "lane-02") == 0,
	       "when the lane has more, the lanes that are gone give way");
	expect(segments(&story, "lane-00") > 1, "the lane itself stays");
	story_stop(&story);
	compare(&story, "one lane, long after");
	story.lanes = 3;
	story_start(&story);
	story_play(&story, 100, 0);
	story_end_producers(&story);
	story_stop(&story);
	expect(segments(&story, "lane-02") > 0, "a lane may come back");
	compare(&story, "three again");
	story_end(&story);
}

int main(void)
{
	lanes_go();
	ids_are_given_again(1);
	ids_are_given_again(2);
	return expect_end("series-reused", 2 * ROUNDS * SERIES);
}
