/*
 * tally: what the log holds, beside what the producers sent; see tally.h.
 *
 * The log does not know which producer a ring belonged to; the ring's first events say it, because
 * no two plans begin alike. From there on each event must be the plan's next: the same series, the
 * same value, the next sequence. Counts and sums by series are kept beside that and compared with
 * the closed form, so that an error in the walk itself would show as well.
 */
#include "tally.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "intake/series.h"
#include "log/io.h"
#include "log/reader.h"

/* Events that tell whose ring it is. */
#define SIGNATURE 16u
#define RINGS_MAX 256u

struct ring {
	uint32_t number;
	uint32_t producer;
	uint64_t next; /* sequence */
	struct plan_cursor cursor;
};

struct tally {
	const struct plan *plans;
	uint32_t producers;
	uint32_t *index; /* by engine series id: index + 1, 0: none of ours */
	struct ring rings[RINGS_MAX];
	uint32_t rings_count;
	bool *claimed; /* by producer: a ring is its */
	uint64_t *counts, *sums;
	struct tally_result result;
};

static void wrong(struct tally *tally, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void wrong(struct tally *tally, const char *format, ...)
{
	va_list arguments;
	if (tally->result.first_wrong[0])
		return;
	va_start(arguments, format);
	vsnprintf(tally->result.first_wrong, sizeof(tally->result.first_wrong), format, arguments);
	va_end(arguments);
}

static void learn_definition(struct tally *tally, uint32_t id,
			     const struct weir_definition *definition)
{
	const char *values[PLAN_DIMENSIONS];
	uint32_t bytes[PLAN_DIMENSIONS];
	struct series_text event = series_event(definition);
	if (id > WEIR_SERIES_MAX || definition->dimensions != PLAN_DIMENSIONS)
		return;
	for (uint32_t i = 0; i < PLAN_DIMENSIONS; i++) {
		struct series_text name, value;
		series_dimension(definition, i, &name, &value);
		values[i] = value.bytes;
		bytes[i] = value.count;
	}
	uint32_t index = plan_index(event.bytes, event.count, values, bytes);
	if (index < tally->plans[0].series)
		tally->index[id] = index + 1;
}

/* A SERIES block: {u32 id, u32 zero, definition}... */
static int learn_series(struct tally *tally, const struct reader_block *block)
{
	const uint8_t *at = block->payload;
	size_t left = block->header.payload_bytes;
	for (uint32_t i = 0; i < block->header.count; i++) {
		const char *why;
		uint32_t id;
		if (left < 8 + sizeof(struct weir_definition))
			return -EPROTO;
		memcpy(&id, at, sizeof(id));
		const struct weir_definition *definition = (const void *)(at + 8);
		if (series_check(definition, left - 8, &why) < 0)
			return -EPROTO;
		learn_definition(tally, id, definition);
		at += 8 + definition->bytes;
		left -= 8 + definition->bytes;
	}
	return 0;
}

static uint32_t event_index(const struct tally *tally, const struct weir_event *event)
{
	return tally->index[weir_event_series(event->word)] - 1;
}

/* Whose ring is it whose first events these are? */
static struct ring *ring_add(struct tally *tally, const struct weir_run *run,
			     const struct weir_event *events)
{
	uint32_t count = run->count < SIGNATURE ? run->count : SIGNATURE;
	if (tally->rings_count == RINGS_MAX)
		return NULL;
	for (uint32_t p = 0; p < tally->producers; p++) {
		struct plan_cursor cursor;
		uint32_t same = 0;
		plan_start(&tally->plans[p], &cursor);
		while (same < count) {
			uint32_t value, index = plan_next(&cursor, &value);
			if (event_index(tally, &events[same]) != index)
				break;
			same++;
		}
		if (same < count || tally->claimed[p])
			continue;
		struct ring *ring = &tally->rings[tally->rings_count++];
		tally->claimed[p] = true;
		*ring = (struct ring){.number = run->ring, .producer = p};
		plan_start(&tally->plans[p], &ring->cursor);
		return ring;
	}
	return NULL;
}

static struct ring *ring_find(struct tally *tally, const struct weir_run *run,
			      const struct weir_event *events)
{
	for (uint32_t i = 0; i < tally->rings_count; i++)
		if (tally->rings[i].number == run->ring)
			return &tally->rings[i];
	return ring_add(tally, run, events);
}

static void tally_run(struct tally *tally, const struct weir_run *run,
		      const struct weir_event *events)
{
	tally->result.events += run->count;
	tally->result.rejected += run->rejected;
	if (run->count == 0 && run->rejected == 0)
		return;
	struct ring *ring = ring_find(tally, run, events);
	if (!ring) {
		wrong(tally, "ring %u: begins like no producer's plan", run->ring);
		tally->result.wrong_events += run->count;
		return;
	}
	if (run->first_sequence != ring->next || run->rejected) {
		wrong(tally, "ring %u: sequence %llu (%u refused) where %llu comes next", run->ring,
		      (unsigned long long)run->first_sequence, run->rejected,
		      (unsigned long long)ring->next);
		tally->result.wrong_events += run->count;
		return;
	}
	for (uint32_t i = 0; i < run->count; i++) {
		uint32_t value, index = plan_next(&ring->cursor, &value);
		uint32_t is = event_index(tally, &events[i]);
		double is_value = weir_bits_value(events[i].value);
		if (is != index || is_value != (double)value) {
			wrong(tally, "ring %u, sequence %llu: series %u value %g, sent %u and %u",
			      run->ring, (unsigned long long)ring->next + i, is, is_value, index,
			      value);
			tally->result.wrong_events++;
		}
		if (is < tally->plans[0].series && is_value >= 0 && is_value <= PLAN_VALUES) {
			tally->counts[is]++;
			tally->sums[is] += (uint64_t)is_value;
		}
	}
	ring->next += run->count;
}

static int tally_block(struct tally *tally, const struct reader_block *block)
{
	const struct weir_event *events = block->events;
	tally->result.log_bytes += weir_block_disk_bytes(block->header.payload_bytes);
	tally->result.gaps += block->gap_before;
	if (block->header.type == WEIR_BLOCK_SERIES)
		return learn_series(tally, block);
	if (block->header.type != WEIR_BLOCK_EVENTS)
		return 0;
	for (uint32_t i = 0; i < block->header.runs; i++) {
		if (block->runs[i].ring == WEIR_RUN_MARK)
			continue;
		tally_run(tally, &block->runs[i], events);
		events += block->runs[i].count;
	}
	return 0;
}

static int tally_lane(struct tally *tally, struct io *io, uint16_t lane, char *why,
		      size_t why_bytes)
{
	char directory[16];
	struct reader *reader;
	struct reader_block block;
	snprintf(directory, sizeof(directory), "lane-%02u", lane);
	int r = reader_open(io, directory, lane, 1, false, &reader, why, why_bytes);
	if (r < 0)
		return r;
	while ((r = reader_next(reader, &block)) > 0) {
		r = tally_block(tally, &block);
		if (r < 0)
			break;
	}
	if (r < 0)
		snprintf(why, why_bytes, "%s: %s", directory, strerror(-r));
	reader_close(reader);
	return r;
}

/* The closed form is computed behind the log's own numbers in the same arrays' second halves. */
static void compare_series(struct tally *tally, const uint64_t *sent)
{
	uint32_t series = tally->plans[0].series;
	uint64_t *counts = tally->counts + series, *sums = tally->sums + series;
	for (uint32_t p = 0; p < tally->producers; p++)
		plan_expect(&tally->plans[p], sent[p], counts, sums);
	for (uint32_t i = 0; i < series; i++) {
		if (tally->counts[i] == counts[i] && tally->sums[i] == sums[i])
			continue;
		tally->result.wrong_series++;
		wrong(tally, "series %u: %llu events, sum %llu; sent %llu, sum %llu", i,
		      (unsigned long long)tally->counts[i], (unsigned long long)tally->sums[i],
		      (unsigned long long)counts[i], (unsigned long long)sums[i]);
	}
}

int tally_log(const char *data, uint32_t lanes, const struct plan *plans, uint32_t producers,
	      const uint64_t *sent, struct tally_result *ret_result, char *why, size_t why_bytes)
{
	struct io *io = NULL;
	struct tally tally = {.plans = plans, .producers = producers};
	tally.index = calloc((size_t)WEIR_SERIES_MAX + 1, sizeof(*tally.index));
	tally.counts = calloc(2 * (size_t)plans[0].series, sizeof(*tally.counts));
	tally.sums = calloc(2 * (size_t)plans[0].series, sizeof(*tally.sums));
	tally.claimed = calloc(producers, sizeof(*tally.claimed));
	int fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : io_pwrite_create(fd, 4, &io);
	if (r == 0 && (!tally.index || !tally.counts || !tally.sums || !tally.claimed))
		r = -ENOMEM;
	if (r < 0)
		snprintf(why, why_bytes, "%s: %s", data, strerror(-r));
	for (uint32_t lane = 0; r == 0 && lane < lanes; lane++)
		r = tally_lane(&tally, io, (uint16_t)lane, why, why_bytes);
	if (r == 0)
		compare_series(&tally, sent);
	*ret_result = tally.result;
	if (io)
		io->ops->destroy(io);
	if (fd >= 0)
		close(fd);
	free(tally.index);
	free(tally.counts);
	free(tally.sums);
	free(tally.claimed);
	return r;
}
