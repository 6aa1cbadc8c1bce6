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
};

/* Apply a block's runs of one source; the partial of the wanted interval, once its mark is met. */
static struct partial *apply(const struct rebuilding *rebuilding, const struct reader_block *block)
{
	struct cells *cells = rebuilding->cells;
	const struct partial *wanted = rebuilding->wanted;
	const struct weir_event *events = block->events;
	struct partial *found = NULL;

	cells_block(cells, block->header.lsn);
	for (uint32_t i = 0; i < block->header.runs && !found; i++) {
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
		struct partial *partials = cells_mark(cells, run->interval, UINT64_MAX);
		while (partials) {
			struct partial *next = partials->next;
			if (partials->interval == wanted->interval)
				found = partials;
			else
				partial_free(partials);
			partials = next;
		}
	}
	return found;
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

/* Definitions count from the start of the segment, where its snapshot is. */
static int read_on(const struct rebuilding *rebuilding, struct reader *reader,
		   struct partial **ret_partial)
{
	const struct partial *wanted = rebuilding->wanted;
	struct reader_block block;
	int error = 0, more = 0;

	while (!error && !*ret_partial && (more = reader_next(reader, &block)) > 0) {
		if (block.header.type == WEIR_BLOCK_SERIES)
			error = definitions_each(block.payload, block.header.payload_bytes,
						 note_sketch, (void *)(uintptr_t)rebuilding);
		else if (block.header.type == WEIR_BLOCK_EVENTS &&
			 block.header.lsn >= wanted->first_lsn &&
			 block.header.epoch == wanted->epoch)
			*ret_partial = apply(rebuilding, &block);
	}
	if (error < 0 || *ret_partial)
		return error;
	return more < 0 ? more : -EAGAIN;
}

static int rebuild_one(struct io *io, uint32_t series_max, int64_t interval_ms,
		       const struct partial *wanted, struct partial **ret_partial)
{
	struct rebuilding rebuilding = {.series_max = series_max, .wanted = wanted};
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
	*ret_partial = NULL;
	rebuilding.kinds = calloc(series_max + 1, 1);
	rebuilding.cells = cells_create(series_max, interval_ms, wanted->source, wanted->epoch,
					wanted->lane, wanted->first_frontier);
	if (rebuilding.cells && rebuilding.kinds) {
		cells_sketches(rebuilding.cells, rebuilding.kinds);
		error = read_on(&rebuilding, reader, ret_partial);
	} else {
		error = -ENOMEM;
	}
	cells_destroy(rebuilding.cells);
	free(rebuilding.kinds);
	reader_close(reader);
	return error;
}

int rebuild_partials(struct io *io, uint32_t series_max, int64_t interval_ms,
		     struct partial **partials)
{
	for (struct partial **at = partials; *at; at = &(*at)->next) {
		struct partial *rebuilt;
		if (!(*at)->dropped)
			continue;
		int error = rebuild_one(io, series_max, interval_ms, *at, &rebuilt);
		if (error < 0)
			return error;
		rebuilt->rebuilt = true;
		rebuilt->next = (*at)->next;
		partial_free(*at);
		*at = rebuilt;
	}
	return 0;
}
