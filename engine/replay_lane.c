/*
 * replay_lane: see replay_lane.h.
 *
 * Reading starts at the beginning of the segment that holds the resume point, because its snapshot
 * names the rings and series. Blocks before the resume point of a source only move ring positions;
 * from there on its events go into cells. Marks that the checkpoint had already taken are met a
 * second time; their partials are let go.
 */
#include "replay_lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "replay.h"

/* No engine marks beyond this: times have 42 bits, intervals are seconds at least. */
#define INTERVAL_MAX ((int64_t)1 << 42)

struct lane_source {
	struct cells *cells;
	bool waiting;         /* for resume_lsn */
	uint64_t resume_lsn;
	int64_t resume_frontier;
	bool taken;           /* skip_through is set */
	int64_t skip_through; /* partials up to here are in the checkpoint */
};

struct replay_lane {
	struct replay_lane_options options;
	struct reader *reader;
	bool have; /* `block` is read but not applied */
	bool ended;
	struct reader_block block;
	uint32_t epoch;      /* of the cells */
	uint32_t skip_epoch; /* cells of epochs below this are in the checkpoint */
	uint8_t *kinds;      /* of sketches, by series, as the log says so far */
	struct lane_source sources[WEIR_SOURCES_MAX];
};

int replay_lane_open(const struct replay_lane_options *options, struct replay_lane **ret_lane)
{
	struct replay_lane *lane = calloc(1, sizeof(*lane));
	const struct closer *resume = options->resume;
	uint64_t from_lsn = 0;
	char directory[16];

	if (!lane)
		return -ENOMEM;
	lane->options = *options;
	lane->kinds = calloc(options->replay->options.series_max + 1, 1);
	if (!lane->kinds) {
		free(lane);
		return -ENOMEM;
	}
	if (resume) {
		bool here = options->lane < resume->lanes;
		lane->skip_epoch = here ? resume->epoch : resume->epoch + 1;
		for (uint32_t s = 0; here && s < WEIR_SOURCES_MAX; s++) {
			const struct close_lane *mark = &resume->sources[s].lanes[options->lane];
			if (!mark->marked)
				continue;
			lane->sources[s] = (struct lane_source){
				.waiting = true,
				.resume_lsn = mark->resume_lsn,
				.resume_frontier = mark->resume_frontier,
				.taken = true,
				.skip_through = mark->interval,
			};
			if (from_lsn == 0 || mark->resume_lsn < from_lsn)
				from_lsn = mark->resume_lsn;
		}
		if (here)
			lane->epoch = resume->epoch;
	}
	snprintf(directory, sizeof(directory), "lane-%02u", options->lane % 100);
	int error = reader_open_kept(options->io, directory, (uint16_t)options->lane, from_lsn,
				     &lane->reader, options->replay->why,
				     sizeof(options->replay->why));
	if (error < 0) {
		free(lane->kinds);
		free(lane);
		return error;
	}
	*ret_lane = lane;
	return 0;
}

/* Where a ring's number is in the index, or would go. Ends: the index is at most half full. */
static uint32_t *ring_place(const struct replay *replay, uint32_t number)
{
	uint32_t mask = replay->rings_capacity * 2 - 1;

	/* Fibonacci hashing (Knuth, TAOCP 3, 6.4); numbers follow each other. */
	for (uint32_t at = number * UINT32_C(2654435769);; at++) {
		uint32_t *place = &replay->rings_index[at & mask];
		if (!*place || replay->rings[*place - 1].number == number)
			return place;
	}
}

static struct weir_ring_record *find_ring(struct replay *replay, uint32_t number)
{
	uint32_t place = replay->rings_capacity ? *ring_place(replay, number) : 0;

	return place ? &replay->rings[place - 1] : NULL;
}

static int grow_rings(struct replay *replay)
{
	uint32_t capacity = replay->rings_capacity ? replay->rings_capacity * 2 : 64;
	void *rings = realloc(replay->rings, capacity * sizeof(*replay->rings));

	if (!rings)
		return -ENOMEM;
	replay->rings = rings;
	uint32_t *index = calloc(capacity * (size_t)2, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(replay->rings_index);
	replay->rings_index = index;
	replay->rings_capacity = capacity;
	for (uint32_t i = 0; i < replay->rings_count; i++)
		*ring_place(replay, replay->rings[i].number) = i + 1;
	return 0;
}

/* Positions only grow: a snapshot in one lane may be older than what another lane wrote. */
static int note_ring(struct replay *replay, const struct weir_ring_record *record)
{
	struct weir_ring_record *known = find_ring(replay, record->number);

	if (known) {
		if (record->next_sequence >= known->next_sequence) {
			uint32_t final = known->final | record->final;
			*known = *record;
			known->final = final;
		} else {
			known->final |= record->final;
		}
		return 0;
	}
	if (replay->rings_count == replay->rings_capacity && grow_rings(replay) < 0)
		return -ENOMEM;
	*ring_place(replay, record->number) = replay->rings_count + 1;
	replay->rings[replay->rings_count++] = *record;
	return 0;
}

static int apply_rings(struct replay *replay, const struct reader_block *block)
{
	uint32_t count = block->header.payload_bytes / (uint32_t)sizeof(struct weir_ring_record);

	for (uint32_t i = 0; i < count; i++) {
		struct weir_ring_record record;
		memcpy(&record, (const char *)block->payload + i * sizeof(record), sizeof(record));
		int error = note_ring(replay, &record);
		if (error < 0)
			return error;
	}
	return 0;
}

static struct cells *open_cells(struct replay_lane *lane, uint32_t source, int64_t frontier,
				uint64_t lsn)
{
	struct replay *replay = lane->options.replay;
	struct cells *cells = cells_create(replay->options.series_max, replay->interval_ms, source,
					   lane->epoch, lane->options.lane, frontier);

	if (cells) {
		cells_sketches(cells, lane->kinds);
		cells_block(cells, lsn);
	}
	return cells;
}

/* Drop what the checkpoint already has. */
static struct partial *after(struct partial *partials, const struct lane_source *source)
{
	while (partials && source->taken && partials->interval <= source->skip_through) {
		struct partial *next = partials->next;
		partial_free(partials);
		partials = next;
	}
	return partials;
}

static int apply_mark(struct replay_lane *lane, const struct weir_run *run, uint64_t lsn)
{
	struct replay *replay = lane->options.replay;
	struct lane_source *source = &lane->sources[run->source];
	struct partial *partials = NULL;

	if (run->interval < -INTERVAL_MAX || run->interval > INTERVAL_MAX)
		return -EPROTO;
	if (source->waiting)
		return 0;
	/* The epoch's record is durable before the first mark of its lanes. */
	if (!replay->interval_ms) {
		snprintf(replay->why, sizeof(replay->why), "%s", REPLAY_WITHOUT_CONTROL);
		return -EPROTO;
	}
	if (!source->cells) {
		source->cells = open_cells(lane, run->source, run->interval, lsn);
		if (!source->cells)
			return -ENOMEM;
	} else {
		partials = cells_mark(source->cells, run->interval, UINT64_MAX);
	}
	partials = after(partials, source);
	bool again = source->taken && run->interval <= source->skip_through;
	if (again || lane->epoch != replay->closer.epoch) {
		closer_add(&replay->closer, run->source, partials);
		return 0;
	}
	const struct close_lane *last =
		&replay->closer.sources[run->source].lanes[lane->options.lane];
	if (lane->options.lane >= replay->closer.lanes ||
	    (last->marked && run->interval < last->interval))
		return -EPROTO;
	struct close_mark mark = {
		.lane = lane->options.lane,
		.source = run->source,
		.interval = run->interval,
		.lsn = lsn,
		.drops = run->drops,
		.partials = partials,
	};
	cells_resume(source->cells, &mark.resume_lsn, &mark.resume_frontier);
	closer_feed(&replay->closer, &mark);
	return 0;
}

static bool series_known(const struct replay *replay, const struct weir_event *events,
			 uint32_t count)
{
	uint32_t bad = 0;

	for (uint32_t i = 0; i < count; i++)
		bad |= weir_event_series(events[i].word) > replay->options.series_max;
	return !bad;
}

static int apply_events(struct replay_lane *lane, const struct reader_block *block)
{
	struct replay *replay = lane->options.replay;
	const struct weir_event *events = block->events;

	replay->events += block->header.count;
	for (uint32_t i = 0; i < block->header.runs; i++) {
		const struct weir_run *run = &block->runs[i];
		if (run->source >= WEIR_SOURCES_MAX)
			return -EPROTO;
		if (run->ring == WEIR_RUN_MARK) {
			int error = apply_mark(lane, run, block->header.lsn);
			if (error < 0)
				return error;
			continue;
		}
		struct weir_ring_record *ring = find_ring(replay, run->ring);
		uint64_t end = run->first_sequence + run->count + run->rejected;
		if (ring && end > ring->next_sequence) {
			ring->next_sequence = end;
			ring->rejected += run->rejected;
		}
		struct batch batch = {
			.events = events,
			.count = run->count,
			.ring = run->ring,
			.source = run->source,
		};
		events += run->count;
		if (!lane->sources[run->source].cells)
			continue;
		if (!series_known(replay, batch.events, batch.count))
			return -EPROTO;
		cells_add(lane->sources[run->source].cells, &batch);
	}
	return 0;
}

/* Everything that is open ends with its epoch. */
static void end_epoch(struct replay_lane *lane)
{
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++) {
		struct lane_source *source = &lane->sources[s];
		if (source->cells) {
			struct partial *partials = cells_end(source->cells);
			closer_add(&lane->options.replay->closer, s, after(partials, source));
			cells_destroy(source->cells);
		}
		memset(source, 0, sizeof(*source));
	}
}

static int begin_block(struct replay_lane *lane, uint64_t lsn)
{
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++) {
		struct lane_source *source = &lane->sources[s];
		if (source->waiting && lsn >= source->resume_lsn) {
			source->waiting = false;
			source->cells = open_cells(lane, s, source->resume_frontier, lsn);
			if (!source->cells)
				return -ENOMEM;
		} else if (source->cells) {
			cells_block(source->cells, lsn);
		}
	}
	return 0;
}

static int apply_block(struct replay_lane *lane)
{
	const struct reader_block *block = &lane->block;
	struct replay *replay = lane->options.replay;
	bool skipped = block->header.epoch < lane->skip_epoch;

	replay->blocks++;
	if (block->header.epoch > replay->epoch_seen)
		replay->epoch_seen = block->header.epoch;
	if (!skipped && block->header.epoch != lane->epoch) {
		end_epoch(lane);
		lane->epoch = block->header.epoch;
	}
	switch (block->header.type) {
	case WEIR_BLOCK_SERIES:
		return replay_definitions(replay, block->payload, block->header.payload_bytes,
					  lane->kinds);
	case WEIR_BLOCK_RINGS:
	case WEIR_BLOCK_LEDGER:
		return apply_rings(replay, block);
	case WEIR_BLOCK_EVENTS:
		if (!skipped && begin_block(lane, block->header.lsn) < 0)
			return -ENOMEM;
		return apply_events(lane, block);
	default:
		return 0;
	}
}

/* 1: lane->block is the next one; 0: the log ends. */
static int look(struct replay_lane *lane)
{
	if (lane->have)
		return 1;
	if (lane->ended)
		return 0;
	int more = reader_next(lane->reader, &lane->block);
	lane->have = more > 0;
	lane->ended = more == 0;
	return more;
}

static int step(struct replay_lane *lane)
{
	int error = apply_block(lane);

	lane->have = false;
	return error;
}

/* It may have ended where something is missing that is only now known to have been kept. */
void replay_lane_kept(struct replay_lane *lane, uint64_t lsn)
{
	if (reader_kept(lane->reader, lsn))
		lane->ended = false;
}

int replay_lane_until(struct replay_lane *lane, uint32_t source, int64_t interval)
{
	struct replay *replay = lane->options.replay;
	const struct close_lane *mark =
		&replay->closer.sources[source].lanes[lane->options.lane];
	int more = 0;

	while (!(mark->marked && mark->interval >= interval) && (more = look(lane)) > 0) {
		if (lane->block.header.epoch > replay->epoch)
			return 0;
		int error = step(lane);
		if (error < 0)
			return error;
	}
	return more < 0 ? more : 0;
}

int replay_lane_finish(struct replay_lane *lane, uint32_t epoch)
{
	int more;

	while ((more = look(lane)) > 0) {
		if (epoch && lane->block.header.epoch >= epoch)
			break;
		int error = step(lane);
		if (error < 0)
			return error;
	}
	if (more < 0)
		return more;
	end_epoch(lane);
	return 0;
}

void replay_lane_report(const struct replay_lane *lane, struct reader_report *ret_report)
{
	reader_report(lane->reader, ret_report);
}

void replay_lane_close(struct replay_lane *lane)
{
	if (!lane)
		return;
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++)
		if (lane->sources[s].cells)
			cells_destroy(lane->sources[s].cells);
	reader_close(lane->reader);
	free(lane->kinds);
	free(lane);
}
