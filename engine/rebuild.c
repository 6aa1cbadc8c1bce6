/*
 * rebuild: see rebuild.h. Reads from the block in which the interval's first event came, with the
 * frontier that held then, so that late and future are judged as the lane judged them.
 */
#include "rebuild.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "definitions.h"
#include "log/reader.h"

/* The cells of a lane from the partial's first block on, until they are those it had. */
struct rebuilding {
	struct cells *cells;
	uint32_t series_max;
	uint8_t *kinds; /* of sketches, as the log says so far */
	const struct partial *wanted;
	bool ended;            /* there is nothing behind the log's end */
	bool closed;           /* a mark through the wanted interval was met, or its epoch's end */
	bool lacking;          /* blocks that held some of it are lost */
	struct partial *found; /* of `closed`: NULL if no event is left */
};

/* The others are whole without us. */
static void close_with(struct rebuilding *rebuilding, struct partial *partials)
{
	while (partials) {
		struct partial *next = partials->next;
		if (partials->interval == rebuilding->wanted->interval)
			rebuilding->found = partials;
		else
			partial_free(partials);
		partials = next;
	}
}

/* Apply a block's runs of one source, up to a mark that closes the wanted interval: its own, or
 * where that is lost a later one. */
static void apply(struct rebuilding *rebuilding, const struct reader_block *block)
{
	struct cells *cells = rebuilding->cells;
	const struct partial *wanted = rebuilding->wanted;
	const struct weir_event *events = block->events;

	cells_block(cells, block->header.lsn);
	for (uint32_t i = 0; i < block->header.runs && !rebuilding->closed; i++) {
		const struct weir_run *run = &block->runs[i];
		struct batch batch = {
			.events = events, .count = run->count, .source = run->source};
		events += run->count;
		if (run->source != wanted->source)
			continue;
		if (run->ring != WEIR_RUN_MARK) {
			cells_add(cells, &batch);
			continue;
		}
		close_with(rebuilding, cells_mark(cells, run->interval, UINT64_MAX));
		rebuilding->closed = run->interval >= wanted->interval;
	}
}

static int note_sketch(void *self, uint32_t id, enum weir_sketch sketch,
		       const struct weir_definition *definition)
{
	const struct rebuilding *rebuilding = self;

	(void)definition;
	if (id > rebuilding->series_max)
		return -EPROTO;
	rebuilding->kinds[id] = (uint8_t)sketch;
	return 0;
}

/* Its epoch has no more, and no mark was there: that is lost. */
static void end_epoch(struct rebuilding *rebuilding)
{
	/* A checkpoint may say anything of where it began. */
	if (cells_frontier(rebuilding->cells) < rebuilding->wanted->interval)
		close_with(rebuilding, cells_end(rebuilding->cells));
	rebuilding->closed = rebuilding->lacking = true;
}

/* Definitions count from the start of the segment, where its snapshot is. */
static int read_on(struct rebuilding *rebuilding, struct reader *reader)
{
	const struct partial *wanted = rebuilding->wanted;
	struct reader_block block;
	int error = 0, more = 0;

	while (!error && !rebuilding->closed && (more = reader_next(reader, &block)) > 0) {
		rebuilding->lacking |= block.gap_before && block.header.lsn > wanted->first_lsn;
		if (block.header.epoch > wanted->epoch)
			end_epoch(rebuilding);
		else if (block.header.type == WEIR_BLOCK_SERIES)
			error = definitions_each(block.payload, block.header.payload_bytes,
						 note_sketch, rebuilding);
		else if (block.header.type == WEIR_BLOCK_EVENTS &&
			 block.header.lsn >= wanted->first_lsn &&
			 block.header.epoch == wanted->epoch)
			apply(rebuilding, &block);
	}
	if (error < 0 || rebuilding->closed)
		return error;
	if (more < 0)
		return more;
	if (!rebuilding->ended)
		return -EAGAIN;
	end_epoch(rebuilding);
	return 0;
}

static int rebuild_one(struct io *io, int64_t interval_ms, struct rebuilding *rebuilding)
{
	const struct partial *wanted = rebuilding->wanted;
	const uint32_t series_max = rebuilding->series_max;
	struct reader *reader;
	char directory[16];
	char why[256];

	snprintf(directory, sizeof(directory), "lane-%02u", wanted->lane % 100);
	int error = reader_open_kept(io, directory, (uint16_t)wanted->lane, wanted->first_lsn,
				     &reader, why, sizeof(why));
	if (error < 0)
		return error;
	/* Up to a mark that was heeded, and it is not read further. */
	reader_kept(reader, UINT64_MAX);
	rebuilding->kinds = calloc(series_max + 1, 1);
	rebuilding->cells = cells_create(series_max, interval_ms, wanted->source, wanted->epoch,
					 wanted->lane, wanted->first_frontier);
	if (rebuilding->cells && rebuilding->kinds) {
		cells_sketches(rebuilding->cells, rebuilding->kinds);
		error = read_on(rebuilding, reader);
	} else {
		error = -ENOMEM;
	}
	cells_destroy(rebuilding->cells);
	free(rebuilding->kinds);
	reader_close(reader);
	return error;
}

int rebuild_partials(struct io *io, uint32_t series_max, int64_t interval_ms, bool ended,
		     struct partial **partials, uint32_t *lacking)
{
	struct partial **at = partials;

	while (*at) {
		struct partial *next = (*at)->next;
		struct rebuilding rebuilding = {
			.series_max = series_max, .wanted = *at, .ended = ended};
		if (!(*at)->dropped) {
			at = &(*at)->next;
			continue;
		}
		int error = rebuild_one(io, interval_ms, &rebuilding);
		if (error < 0)
			return error;
		*lacking += rebuilding.lacking;
		partial_free(*at);
		*at = next;
		if (rebuilding.found) {
			rebuilding.found->rebuilt = true;
			rebuilding.found->next = next;
			*at = rebuilding.found;
			at = &(*at)->next;
		}
	}
	return 0;
}
