/*
 * clock: somebody sets the machine's clock while a live source runs.
 *
 * The engine's own time slews, so closed intervals never come again and none is skipped, while the
 * application stamps its events with the stepped time. Every event is kept; which are late and
 * which too far ahead is what the marks in the log say, counted here a second time from the log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "closing.h"
#include "engine_private.h"
#include "expect.h"
#include "lane.h"
#include "log/reader.h"
#include "support/simdisk.h"
#include "support/story.h"

#define MINUTE_MS 60000
#define TICK_MS 100

/* The story's time, and how far the system's clock is off. */
static struct stepping {
	struct story story;
	int64_t offset_ms;
} stepping;

static uint64_t monotonic_ns(void *self)
{
	const struct stepping *my = self;
	return my->story.now_ns;
}

static uint64_t wall_ms(void *self)
{
	const struct stepping *my = self;
	uint64_t ms = STORY_START_MS + my->story.now_ns / 1000000;
	return (uint64_t)((int64_t)ms + my->offset_ms);
}

struct counts {
	uint64_t events, late, future, marks;
};

/* A lane's log, judged event by event. */
static void count_lane(struct io *io, uint32_t lane, struct counts *counts)
{
	struct reader *reader;
	struct reader_block block;
	int64_t frontier = INT64_MIN;
	char name[16], why[256];

	snprintf(name, sizeof(name), "lane-%02u", lane);
	expect(reader_open(io, name, (uint16_t)lane, 0, false, &reader, why, sizeof(why)) == 0,
	       "a lane is read");
	while (reader_next(reader, &block) > 0) {
		const struct weir_event *event = block.events;
		for (uint32_t i = 0; i < block.header.runs; i++) {
			const struct weir_run *run = &block.runs[i];
			if (run->ring == WEIR_RUN_MARK) {
				expect(run->interval >= frontier, "marks never go back");
				frontier = run->interval;
				counts->marks++;
			}
			for (uint32_t e = 0; e < run->count; e++, event++) {
				int64_t interval =
					(int64_t)weir_event_time_ms(event->word) / MINUTE_MS;
				counts->late += interval <= frontier;
				counts->future += interval > frontier + WEIR_OPEN_INTERVALS_MAX;
				counts->events++;
			}
		}
	}
	reader_close(reader);
}

static weir *open_producer(int *ret_series)
{
	struct weir_options options = {.size = sizeof(options),
				       .socket_path = stepping.story.socket,
				       .source = "live",
				       .ring_events = 4096};
	weir *producer;

	expect(weir_open(&options, &producer) == 0, "a producer opens");
	*ret_series = weir_series(producer, WEIR_PAGE_VIEW, WEIR_VALUE, WEIR_KIND_NUMBER, NULL, 0);
	expect(*ret_series > 0, "a series is defined");
	return producer;
}

/* Minutes of an event each tenth of a second, stamped by the system's clock. */
static uint64_t play(weir *producer, int series, int minutes)
{
	struct engine *engine = stepping.story.engine;
	int64_t closed = closing_closed(engine->closing, 0);
	uint64_t closes = closing_sequence(engine->closing);
	bool steady = true, counted = true;

	for (int tick = 0; tick < minutes * MINUTE_MS / TICK_MS; tick++) {
		expect(weir_emit_at(producer, series, 1, wall_ms(&stepping)) == 0, "an emit");
		weir_poll(producer);
		stepping.story.now_ns += UINT64_C(1000000) * (TICK_MS - 1);
		story_crank(&stepping.story);
		int64_t now = closing_closed(engine->closing, 0);
		steady &= closed == INT64_MIN || (now >= closed && now <= closed + 1);
		counted &= (now != closed) == (closing_sequence(engine->closing) != closes);
		closes = closing_sequence(engine->closing);
		closed = now;
	}
	expect(counted, "an interval is shown as closed when its close is counted, not before");
	expect(steady, "intervals close one after the other, and none twice");
	return (uint64_t)(minutes * MINUTE_MS / TICK_MS);
}

int main(void)
{
	static const int64_t steps_ms[] = {0, 25000, -25000, -7200000, 7200000, 1200000};
	struct story *story = &stepping.story;
	struct lane_totals totals, sum = {0};
	struct counts counts = {0};
	uint64_t emitted = 0;
	int series;

	story_begin(story, 2, 1, 5);
	story->clock = (struct clock){
		.monotonic_ns = monotonic_ns, .wall_ms = wall_ms, .self = &stepping};
	weir *producer = open_producer(&series);
	story_start(story);
	for (int turns = 0; turns < 100; turns++) {
		weir_poll(producer);
		story_crank(story);
	}
	for (size_t i = 0; i < sizeof(steps_ms) / sizeof(steps_ms[0]); i++) {
		stepping.offset_ms += steps_ms[i];
		emitted += play(producer, series, 12);
	}
	story_settle(story);
	for (uint32_t lane = 0; lane < 2; lane++) {
		lane_totals(story->engine->lanes[lane], &totals);
		sum.late += totals.late;
		sum.future += totals.future;
		sum.persisted += totals.persisted;
	}
	struct io *io = simdisk_io(story->disk, 1);
	count_lane(io, 0, &counts);
	count_lane(io, 1, &counts);
	io->ops->destroy(io);
	printf("%llu events, %llu late, %llu ahead, %llu marks\n",
	       (unsigned long long)counts.events, (unsigned long long)counts.late,
	       (unsigned long long)counts.future, (unsigned long long)counts.marks);
	expect(counts.events == emitted && sum.persisted == emitted, "every event is kept");
	expect(counts.late == sum.late && counts.late > 0, "what is late, the marks say");
	expect(counts.future == sum.future && counts.future > 0, "so do they what is ahead");
	weir_close(producer, 0);
	story_settle(story);
	story_stop(story);
	uint32_t count;
	char **lines = story_replayed(story, 1, &count);
	story_free_lines(lines, count);
	story_end(story);
	return expect_end("clock-set-events", counts.events);
}
