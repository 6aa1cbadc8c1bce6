/*
 * rebuild: see rebuild.h. Reads from the block in which the interval's first event came, with the
 * frontier that held then, so that late and future are judged as the lane judged them.
 */
#include "rebuild.h"

#include <errno.h>
#include <stdio.h>

#include "log/reader.h"

/* Apply a block's runs of one source; the partial of the wanted interval, once its mark is met. */
static struct partial *apply(struct cells *cells, const struct reader_block *block,
			     const struct partial *wanted)
{
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

static int rebuild_one(struct io *io, uint32_t series_max, int64_t interval_ms,
		       const struct partial *wanted, struct partial **ret_partial)
{
	struct reader *reader;
	struct reader_block block;
	char directory[16];
	char why[256];
	int more = 0;

	snprintf(directory, sizeof(directory), "lane-%02u", wanted->lane % 100);
	int error = reader_open(io, directory, (uint16_t)wanted->lane, wanted->first_lsn, false,
				&reader, why, sizeof(why));
	if (error < 0)
		return error;
	struct cells *cells = cells_create(series_max, interval_ms, wanted->source, wanted->epoch,
					   wanted->lane, wanted->first_frontier);
	*ret_partial = NULL;
	while (cells && !*ret_partial && (more = reader_next(reader, &block)) > 0)
		if (block.header.lsn >= wanted->first_lsn &&
		    block.header.epoch == wanted->epoch &&
		    block.header.type == WEIR_BLOCK_EVENTS)
			*ret_partial = apply(cells, &block, wanted);
	if (!cells)
		error = -ENOMEM;
	else if (!*ret_partial)
		error = more < 0 ? more : -EAGAIN;
	if (cells)
		cells_destroy(cells);
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
