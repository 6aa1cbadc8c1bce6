/*
 * sources: a lane's log names no source before the control log has it.
 *
 * An application of a new source attaches, and the engine dies before the control log has taken the
 * source's number. The next engine gives that number to whoever comes first: had a lane already
 * written it down with the ring, the ring would then be of another source than before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_private.h"
#include "expect.h"
#include "lane.h"
#include "log/io.h"
#include "log/reader.h"
#include "support/simdisk.h"
#include "support/story.h"

#define LIVES 20
#define TURNS 200
#define RINGS_MAX 256

static weir *open_producer(const struct story *story, const char *source)
{
	struct weir_options options = {.size = sizeof(options),
				       .socket_path = story->socket,
				       .source = source,
				       .ring_events = 1024};
	weir *producer;

	expect(weir_open(&options, &producer) == 0, "a producer opens");
	int series = weir_series(producer, WEIR_PAGE_VIEW, WEIR_VALUE, WEIR_KIND_NUMBER, NULL, 0);
	expect(series > 0 && weir_emit(producer, series, 1) == 0, "it has an event to tell");
	return producer;
}

/* Everything but the closing agent, which writes the control log, has its turns. */
static void turn_without_control_log(struct story *story, weir *producer)
{
	for (int turns = 0; turns < TURNS; turns++) {
		weir_poll(producer);
		story->now_ns += UINT64_C(1000000);
		engine_intake_step(story->engine, story->now_ns);
		for (uint32_t i = 0; i < story->lanes; i++)
			lane_step(story->engine->lanes[i], story->now_ns);
	}
}

struct rings {
	uint32_t source_of[RINGS_MAX]; /* 1 + source; 0: not named */
	uint32_t greatest, moved;
};

static void look_at(struct rings *rings, const struct weir_ring_record *record)
{
	if (record->number >= RINGS_MAX)
		return;
	uint32_t *source = &rings->source_of[record->number];
	rings->moved += *source && *source != record->source + 1;
	*source = record->source + 1;
	if (record->source > rings->greatest)
		rings->greatest = record->source;
}

/* What the lanes' logs say of rings. */
static void read_rings(struct story *story, struct rings *rings)
{
	struct reader_block block;
	struct reader *reader;
	char name[16], why[256];

	memset(rings, 0, sizeof(*rings));
	struct io *io = simdisk_io(story->disk, 1);
	for (uint32_t lane = 0; lane < story->lanes; lane++) {
		snprintf(name, sizeof(name), "lane-%02u", lane);
		expect(reader_open(io, name, (uint16_t)lane, 0, false, &reader, why, sizeof(why)) ==
			       0,
		       "a lane is read");
		while (reader_next(reader, &block) > 0) {
			const struct weir_ring_record *records = block.payload;
			if (block.header.type != WEIR_BLOCK_LEDGER &&
			    block.header.type != WEIR_BLOCK_RINGS)
				continue;
			for (uint32_t i = 0; i < block.header.count; i++)
				look_at(rings, &records[i]);
		}
		reader_close(reader);
	}
	io->ops->destroy(io);
}

/* Whose source was not kept comes back behind another one. */
static void live(uint64_t seed)
{
	struct story story;
	struct rings rings;

	story_begin(&story, 1 + (uint32_t)(seed % 2), 1, seed);
	story_start(&story);
	story_settle(&story);
	uint32_t known = story.engine->recovered.sources.count;
	weir *first = open_producer(&story, "first");
	turn_without_control_log(&story, first);
	expect(story.engine->recovered.sources.count == known + 1, "the engine has met the source");
	story_crash(&story);
	read_rings(&story, &rings);
	expect(rings.greatest < known, "no ring is of a source that the control log lacks");

	weir *second = open_producer(&story, "second");
	story_start(&story);
	weir *both[] = {second, first};
	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
		struct weir_ledger ledger = {0};
		for (int turns = 0; turns < 10000 && ledger.persisted == 0; turns++) {
			weir_poll(both[i]);
			story_crank(&story);
			weir_ledger(both[i], &ledger);
		}
		expect(ledger.persisted == 1 && ledger.dropped == 0, "its event is kept");
	}
	story_settle(&story);
	story_stop(&story);
	read_rings(&story, &rings);
	expect(rings.greatest == known + 1, "then both sources are in the log");
	expect(rings.moved == 0, "a ring is of one source for ever");
	weir_close(first, 0);
	weir_close(second, 0);
	story_end(&story);
}

int main(void)
{
	for (uint64_t seed = 1; seed <= LIVES; seed++)
		live(seed);
	return expect_end("sources-named-first", LIVES);
}
