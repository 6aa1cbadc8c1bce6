/*
 * close: see close.h. Lists are short (open intervals times lanes), so insertion is linear.
 */
#include "interval/close.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void closer_init(struct closer *closer)
{
	memset(closer, 0, sizeof(*closer));
}

void closer_fini(struct closer *closer)
{
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++)
		partials_free(closer->sources[s].pending);
	closer_init(closer);
}

void closer_epoch(struct closer *closer, uint32_t epoch, uint32_t lanes)
{
	check(lanes >= 1 && lanes <= WEIR_LANES_MAX);
	closer->epoch = epoch;
	closer->lanes = lanes;
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++)
		memset(closer->sources[s].lanes, 0, sizeof(closer->sources[s].lanes));
}

static bool key_before(const struct partial *a, const struct partial *b)
{
	if (a->interval != b->interval)
		return a->interval < b->interval;
	if (a->epoch != b->epoch)
		return a->epoch < b->epoch;
	return a->lane < b->lane;
}

void closer_add(struct closer *closer, uint32_t source, struct partial *partials)
{
	struct close_source *s = &closer->sources[source];

	while (partials) {
		struct partial *partial = partials;
		partials = partial->next;
		if (s->opened && partial->interval <= s->closed) {
			/* A replay that starts before its checkpoint's marks meets these again. */
			partial_free(partial);
			continue;
		}
		struct partial **at = &s->pending;
		while (*at && key_before(*at, partial))
			at = &(*at)->next;
		partial->next = *at;
		*at = partial;
	}
}

void closer_feed(struct closer *closer, const struct close_mark *mark)
{
	check(mark->lane < closer->lanes && mark->source < WEIR_SOURCES_MAX);
	struct close_source *s = &closer->sources[mark->source];
	struct close_lane *lane = &s->lanes[mark->lane];

	if (!s->opened) {
		s->opened = true;
		s->closed = mark->interval;
	}
	check(!lane->marked || mark->interval >= lane->interval);
	*lane = (struct close_lane){
		.marked = true,
		.interval = mark->interval,
		.lsn = mark->lsn,
		.resume_lsn = mark->resume_lsn,
		.resume_frontier = mark->resume_frontier,
	};
	s->drops += mark->drops;
	closer_add(closer, mark->source, mark->partials);
}

bool closer_due(const struct closer *closer, uint32_t source, int64_t *ret_from,
		int64_t *ret_through, bool *ret_drops)
{
	const struct close_source *s = &closer->sources[source];
	int64_t through = INT64_MAX;

	if (!s->opened)
		return false;
	for (uint32_t lane = 0; lane < closer->lanes; lane++) {
		if (!s->lanes[lane].marked)
			return false;
		if (s->lanes[lane].interval < through)
			through = s->lanes[lane].interval;
	}
	if (through <= s->closed)
		return false;
	*ret_from = s->closed + 1;
	*ret_through = through;
	*ret_drops = s->drops > 0;
	return true;
}

struct partial *closer_take(struct closer *closer, uint32_t source, int64_t interval)
{
	struct close_source *s = &closer->sources[source];
	struct partial *taken = s->pending;
	struct partial **at = &s->pending;

	while (*at && (*at)->interval <= interval)
		at = &(*at)->next;
	struct partial *rest = *at;
	*at = NULL;
	if (taken == rest)
		taken = NULL;
	s->pending = rest;
	s->opened = true;
	s->closed = interval;
	s->drops = 0;
	return taken;
}

static void save_partial(const struct partial *partial, struct bytes *out)
{
	bytes_put_u32(out, partial->epoch);
	bytes_put_u32(out, partial->lane);
	bytes_put_u64(out, (uint64_t)partial->interval);
	bytes_put_u32(out, partial->dropped);
	bytes_put_u64(out, partial->first_lsn);
	bytes_put_u64(out, (uint64_t)partial->first_frontier);
	bytes_put_u32(out, partial->cell_count);
	bytes_put(out, partial->cells, partial->cell_count * sizeof(partial->cells[0]));
	bytes_put_u32(out, partial->late_count);
	bytes_put(out, partial->late, partial->late_count * sizeof(partial->late[0]));
	bytes_put_u32(out, partial->sketch_bytes);
	bytes_put(out, partial->sketches, partial->sketch_bytes);
}

/* What is left of a saved partial behind its head, into memory of its own. false: no memory, or it
 * is not there. */
static bool load_arrays(struct partial *partial, const void *cells, struct bytes_reader *in)
{
	memcpy(partial->cells, cells, partial->cell_count * sizeof(partial->cells[0]));
	uint32_t late_count = bytes_get_u32(in);
	const void *late = bytes_get(in, late_count * sizeof(partial->late[0]));
	uint32_t sketch_bytes = bytes_get_u32(in);
	const void *sketches = bytes_get(in, sketch_bytes);

	if (in->failed)
		return false;
	partial->late = malloc(late_count * sizeof(partial->late[0]) + 1);
	partial->sketches = malloc(sketch_bytes + 1);
	if (!partial->late || !partial->sketches)
		return false;
	memcpy(partial->late, late, late_count * sizeof(partial->late[0]));
	memcpy(partial->sketches, sketches, sketch_bytes);
	partial->late_count = late_count;
	partial->sketch_bytes = sketch_bytes;
	bool good = true;
	for (uint32_t i = 0; i < partial->cell_count; i++)
		good &= partial->cells[i].sketch <= sketch_bytes;
	for (uint32_t i = 0; i < late_count; i++)
		good &= partial->late[i].cell.sketch <= sketch_bytes;
	return good;
}

static struct partial *load_partial(uint32_t source, struct bytes_reader *in)
{
	struct partial head = {.source = source};
	head.epoch = bytes_get_u32(in);
	head.lane = bytes_get_u32(in);
	head.interval = (int64_t)bytes_get_u64(in);
	head.dropped = bytes_get_u32(in) != 0;
	head.first_lsn = bytes_get_u64(in);
	head.first_frontier = (int64_t)bytes_get_u64(in);
	head.cell_count = bytes_get_u32(in);
	size_t bytes = (size_t)head.cell_count * sizeof(struct partial_cell);
	const void *cells = bytes_get(in, bytes);
	if (in->failed)
		return NULL;
	struct partial *partial = malloc(sizeof(*partial) + bytes);
	if (!partial)
		return NULL;
	*partial = head;
	if (!load_arrays(partial, cells, in)) {
		partial_free(partial);
		return NULL;
	}
	return partial;
}

void closer_save(const struct closer *closer, struct bytes *out)
{
	bytes_put_u32(out, closer->epoch);
	bytes_put_u32(out, closer->lanes);
	for (uint32_t i = 0; i < WEIR_SOURCES_MAX; i++) {
		const struct close_source *s = &closer->sources[i];
		uint32_t count = 0;
		bytes_put_u32(out, s->opened);
		bytes_put_u64(out, (uint64_t)s->closed);
		bytes_put_u64(out, s->drops);
		for (uint32_t lane = 0; lane < closer->lanes; lane++) {
			bytes_put_u32(out, s->lanes[lane].marked);
			bytes_put_u64(out, (uint64_t)s->lanes[lane].interval);
			bytes_put_u64(out, s->lanes[lane].lsn);
			bytes_put_u64(out, s->lanes[lane].resume_lsn);
			bytes_put_u64(out, (uint64_t)s->lanes[lane].resume_frontier);
		}
		for (const struct partial *p = s->pending; p; p = p->next)
			count++;
		bytes_put_u32(out, count);
		for (const struct partial *p = s->pending; p; p = p->next)
			save_partial(p, out);
	}
}

int closer_load(struct closer *closer, struct bytes_reader *in)
{
	closer_init(closer);
	closer->epoch = bytes_get_u32(in);
	closer->lanes = bytes_get_u32(in);
	if (in->failed || closer->lanes > WEIR_LANES_MAX)
		return -EPROTO;
	for (uint32_t i = 0; i < WEIR_SOURCES_MAX; i++) {
		struct close_source *s = &closer->sources[i];
		s->opened = bytes_get_u32(in) != 0;
		s->closed = (int64_t)bytes_get_u64(in);
		s->drops = bytes_get_u64(in);
		for (uint32_t lane = 0; lane < closer->lanes; lane++) {
			s->lanes[lane].marked = bytes_get_u32(in) != 0;
			s->lanes[lane].interval = (int64_t)bytes_get_u64(in);
			s->lanes[lane].lsn = bytes_get_u64(in);
			s->lanes[lane].resume_lsn = bytes_get_u64(in);
			s->lanes[lane].resume_frontier = (int64_t)bytes_get_u64(in);
		}
		uint32_t count = bytes_get_u32(in);
		struct partial **at = &s->pending;
		for (uint32_t p = 0; p < count; p++) {
			*at = load_partial(i, in);
			if (!*at) {
				closer_fini(closer);
				return -EPROTO;
			}
			at = &(*at)->next;
		}
	}
	return in->failed ? -EPROTO : 0;
}
