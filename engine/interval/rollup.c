/*
 * rollup: the cells of all series that feed one metric, summed into the metric's slices.
 *
 * Idea:  what a series feeds is found once, when its first cell comes, and kept by series id
 *        (feeds.c): what each term takes of it, the total, and one slice of each roll-up. After
 *        that a cell costs one look-up and one addition per roll-up and term.
 *
 *        feeds: series -> | takes | takes | slice of roll-up 1 | slice of roll-up 2 | ...
 *                                                  |
 *        slices[]  sums[slice][term]  sketches[] <-'
 *
 *        Late cells change nothing that is observed: they wait until rollup_rows() turns them into
 *        corrections.
 *
 * Runs on: the shard that owns the metric.
 * Never:   looks at anything but partials, definitions and its own state, so that the same
 *          partials in the same order give the same observations bit for bit. Where memory ends it
 *          stops the engine: a cell left out in silence would be an answer that no replay repeats.
 */
#include "interval/rollup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "interval/feeds.h"
#include "interval/slices.h"
#include "interval/sums.h"

/* A late cell, kept until the rows are asked for. */
struct late {
	struct partial_cell cell;
	int64_t interval;
	size_t sketch; /* 1 + where it lies in late_sketches; 0: it has none */
};

/* One late cell in one slice. */
struct correction {
	int64_t interval;
	uint32_t slice;
	uint32_t late; /* index */
	const uint32_t *takes;
};

struct rollup {
	char *metric, *source;
	uint32_t source_number;
	int64_t interval_ms;
	enum aggregation aggregation;
	double quantile;
	bool empty_is_missing;
	uint32_t terms;

	struct feeds feeds;
	struct slices slices;
	struct sum *sums;         /* of the interval: [slice * terms + term] */
	struct sketch **sketches; /* of the interval; NULL until first needed. Or NULL: no need */
	double *value, *events, *sum_squares, *numerator, *weight; /* as observed */
	uint32_t capacity; /* slices that these have room for */
	bool total_born;
	bool closed; /* the sums are those of the last close: the next cell begins anew */
	uint64_t overflowed;

	struct sketch *cell_sketch; /* of the cell in hand */
	struct late *late;
	uint32_t late_count, late_capacity;
	struct bytes late_sketches;

	struct observations observations;
};

static int create_slices(struct rollup *rollup, const struct rollup_spec *spec)
{
	int r = slices_init(&rollup->slices, spec->rollups, spec->slices_max);
	for (uint32_t i = 0; r == 0 && i < spec->rollups; i++) {
		check(spec->by[i].dimensions > 0 && spec->by[i].dimensions <= WEIR_DIMENSIONS_MAX);
		for (uint32_t j = 0; r == 0 && j < spec->by[i].dimensions; j++)
			r = slices_name(&rollup->slices, i, spec->by[i].names[j]);
	}
	return r;
}

static enum sketch_kind sketch_needed(enum aggregation aggregation)
{
	return aggregation == AGGREGATE_DISTINCT     ? SKETCH_DISTINCT
	       : aggregation == AGGREGATE_PERCENTILE ? SKETCH_QUANTILE
						     : SKETCH_NONE;
}

struct rollup *rollup_create(const struct rollup_spec *spec, const char *source,
			     uint32_t source_number, int64_t interval_ms, rollup_lookup *lookup,
			     const void *lookup_self)
{
	struct rollup *rollup = calloc(1, sizeof(*rollup));
	if (!rollup)
		return NULL;
	rollup->metric = strdup(spec->metric);
	rollup->source = strdup(source);
	rollup->source_number = source_number;
	rollup->interval_ms = interval_ms;
	rollup->aggregation = spec->terms_count == 2 ? AGGREGATE_RATIO : spec->terms[0].aggregation;
	rollup->quantile = spec->quantile;
	rollup->empty_is_missing = spec->empty_is_missing && spec->terms_count == 1;
	rollup->terms = spec->terms_count;
	enum sketch_kind kind = sketch_needed(rollup->aggregation);
	if (kind != SKETCH_NONE)
		rollup->cell_sketch = sketch_create(kind);
	/* Both, whatever the first says: rollup_destroy() ends both. */
	int slices = create_slices(rollup, spec);
	int feeds = feeds_init(&rollup->feeds, spec, lookup, lookup_self);
	if (slices < 0 || feeds < 0 || !rollup->metric || !rollup->source ||
	    (kind != SKETCH_NONE && !rollup->cell_sketch)) {
		rollup_destroy(rollup);
		return NULL;
	}
	return rollup;
}

void rollup_destroy(struct rollup *rollup)
{
	if (!rollup)
		return;
	slices_fini(&rollup->slices);
	feeds_fini(&rollup->feeds);
	for (uint32_t i = 0; rollup->sketches && i < rollup->capacity; i++)
		sketch_destroy(rollup->sketches[i]);
	sketch_destroy(rollup->cell_sketch);
	bytes_fini(&rollup->late_sketches);
	free(rollup->metric);
	free(rollup->source);
	free(rollup->sums);
	free(rollup->sketches);
	free(rollup->value);
	free(rollup->events);
	free(rollup->sum_squares);
	free(rollup->numerator);
	free(rollup->weight);
	free(rollup->late);
	free(rollup);
}

/* A larger zeroed array at a cache line's border, with the old one's first bytes. */
static void *widen(void *old, size_t used_bytes, size_t bytes)
{
	bytes = (bytes + 63) / 64 * 64;
	void *wide = aligned_alloc(64, bytes);
	check(wide);
	if (used_bytes)
		memcpy(wide, old, used_bytes);
	memset((char *)wide + used_bytes, 0, bytes - used_bytes);
	free(old);
	return wide;
}

/* Sums and observations for every slice there is. */
static void reserve_slices(struct rollup *rollup)
{
	size_t had = rollup->capacity, capacity = rollup->slices.capacity;
	uint32_t terms = rollup->terms;
	if (rollup->slices.count <= had)
		return;
	rollup->sums = widen(rollup->sums, had * terms * sizeof(struct sum),
			     capacity * terms * sizeof(struct sum));
	for (size_t i = had * terms; i < capacity * terms; i++)
		rollup->sums[i] = sum_nothing;
	if (rollup->cell_sketch)
		rollup->sketches = widen(rollup->sketches, had * sizeof(struct sketch *),
					 capacity * sizeof(struct sketch *));
	rollup->value = widen(rollup->value, had * 8, capacity * 8);
	rollup->events = widen(rollup->events, had * 8, capacity * 8);
	rollup->sum_squares = widen(rollup->sum_squares, had * 8, capacity * 8);
	if (terms == 2) {
		rollup->numerator = widen(rollup->numerator, had * 8, capacity * 8);
		rollup->weight = widen(rollup->weight, had * 8, capacity * 8);
	}
	rollup->capacity = (uint32_t)capacity;
}

/* The first cell, or close, behind a close: nothing has come yet. */
static void begin_interval(struct rollup *rollup)
{
	if (!rollup->closed)
		return;
	uint32_t count = rollup->slices.count < rollup->capacity ? rollup->slices.count
								 : rollup->capacity;
	rollup->closed = false;
	for (uint32_t i = 0; i < count * rollup->terms; i++)
		rollup->sums[i] = sum_nothing;
	for (uint32_t i = 0; rollup->sketches && i < count; i++)
		if (rollup->sketches[i])
			sketch_reset(rollup->sketches[i]);
	rollup->late_count = 0;
	bytes_clear(&rollup->late_sketches);
}

static void slice_sketch(struct rollup *rollup, uint32_t slice, uint64_t unsketched)
{
	struct sketch **sketch = &rollup->sketches[slice];
	rollup->sums[slice].unsketched += unsketched;
	if (!*sketch)
		*sketch = sketch_create(sketch_kind(rollup->cell_sketch));
	check(*sketch);
	check(sketch_merge(*sketch, rollup->cell_sketch) == 0);
}

/* One cell into one slice, whatever its terms take of it. */
static inline void slice_add(struct rollup *rollup, uint32_t slice, const uint32_t *takes,
			     const struct partial_cell *cell)
{
	struct sum *sums = &rollup->sums[(size_t)slice * rollup->terms];
	if (takes[0])
		sum_add(&sums[0], takes[0], cell);
	if (takes[1])
		sum_add(&sums[1], takes[1], cell);
}

static void apply_cell(struct rollup *rollup, const struct partial *partial,
		       const struct partial_cell *cell)
{
	const uint32_t *member = feeds_find(&rollup->feeds, &rollup->slices, cell->series,
					    partial->interval);
	if (!member)
		return;
	reserve_slices(rollup);
	if (!rollup->total_born) {
		rollup->total_born = true;
		rollup->slices.slice[0].born = partial->interval;
	}
	slice_add(rollup, 0, member, cell);
	for (uint32_t i = 0; i < rollup->slices.rollups; i++) {
		slice_add(rollup, member[2 + i], member, cell);
		if (member[2 + i] == rollup->slices.by[i].overflow)
			rollup->overflowed += cell->count;
	}
	if (!(member[0] & TAKE_SKETCH))
		return;
	uint64_t unsketched = sum_sketch(rollup->cell_sketch, cell, partial->sketches,
					 partial->sketch_bytes);
	slice_sketch(rollup, 0, unsketched);
	for (uint32_t i = 0; i < rollup->slices.rollups; i++)
		slice_sketch(rollup, member[2 + i], unsketched);
}

/* Keep a late cell, and its sketch, if the metric is fed by it. */
static void keep_late(struct rollup *rollup, const struct partial *partial,
		      const struct late_cell *late)
{
	const uint32_t *member = feeds_find(&rollup->feeds, &rollup->slices, late->cell.series,
					    partial->interval);
	if (!member)
		return;
	reserve_slices(rollup);
	if (rollup->late_count == rollup->late_capacity) {
		uint32_t capacity = rollup->late_capacity ? 2 * rollup->late_capacity : 16;
		rollup->late = widen(rollup->late, rollup->late_count * sizeof(struct late),
				     capacity * sizeof(struct late));
		rollup->late_capacity = capacity;
	}
	struct late *kept = &rollup->late[rollup->late_count++];
	*kept = (struct late){.cell = late->cell, .interval = late->interval};
	if (!(member[0] & TAKE_SKETCH) || sum_sketch(rollup->cell_sketch, &late->cell,
						     partial->sketches, partial->sketch_bytes) > 0)
		return;
	kept->sketch = 1 + rollup->late_sketches.used;
	sketch_save(rollup->cell_sketch, &rollup->late_sketches);
	check(!rollup->late_sketches.failed);
}

void rollup_apply(struct rollup *rollup, const struct partial *partial)
{
	check(partial->source == rollup->source_number);
	begin_interval(rollup);
	reserve_slices(rollup);
	for (uint32_t i = 0; i < partial->late_count; i++)
		keep_late(rollup, partial, &partial->late[i]);
	for (uint32_t i = 0; i < partial->cell_count; i++)
		apply_cell(rollup, partial, &partial->cells[i]);
}

static void observe(struct rollup *rollup, uint32_t slice)
{
	const struct sum *sums = &rollup->sums[(size_t)slice * rollup->terms];
	const struct sketch *sketch = rollup->sketches ? rollup->sketches[slice] : NULL;
	rollup->events[slice] = (double)sums[rollup->terms - 1].stats.count;
	rollup->sum_squares[slice] = sum_squares(&sums[0].stats);
	if (rollup->aggregation == AGGREGATE_PERCENTILE) {
		rollup->value[slice] = sum_quantile(&sums[0], sketch, rollup->quantile);
	} else if (rollup->aggregation == AGGREGATE_DISTINCT) {
		rollup->value[slice] = sum_distinct(&sums[0], sketch);
	} else if (rollup->aggregation == AGGREGATE_RATIO) {
		double numerator = sum_value(rollup->feeds.terms[0].aggregation, &sums[0].stats);
		double weight = sum_value(rollup->feeds.terms[1].aggregation, &sums[1].stats);
		rollup->numerator[slice] = numerator;
		rollup->weight[slice] = weight;
		rollup->value[slice] = weight != 0 ? sum_clamp(numerator / weight) : NAN;
	} else {
		rollup->value[slice] = sum_value(rollup->aggregation, &sums[0].stats);
	}
	if (rollup->empty_is_missing && !sums[0].touched)
		rollup->value[slice] = NAN;
}

static void observe_all(struct rollup *rollup)
{
	const struct sum *sums = rollup->sums;

	/* Counts are most of what there is, and read back they are a preview's time. */
	bool counts = rollup->aggregation == AGGREGATE_COUNT && !rollup->empty_is_missing;
	for (uint32_t i = 0; i < rollup->slices.count && counts; i++) {
		rollup->value[i] = rollup->events[i] = (double)sums[i].stats.count;
		rollup->sum_squares[i] = sum_squares(&sums[i].stats);
	}
	for (uint32_t i = 0; i < rollup->slices.count && !counts; i++)
		observe(rollup, i);
}

const struct observations *rollup_close(struct rollup *rollup, int64_t interval, uint32_t flags)
{
	begin_interval(rollup);
	reserve_slices(rollup);
	if (!rollup->total_born) {
		/* No event yet: the total's life begins with the first interval looked at. */
		rollup->total_born = true;
		rollup->slices.slice[0].born = interval;
	}
	observe_all(rollup);
	rollup->closed = true;
	rollup->observations = (struct observations){
		.metric = rollup->metric,
		.source = rollup->source,
		.source_number = rollup->source_number,
		.aggregation = rollup->aggregation,
		.interval = interval,
		.interval_ms = rollup->interval_ms,
		.flags = flags,
		.count = rollup->slices.count,
		.value = rollup->value,
		.events = rollup->events,
		.sum_squares = rollup->sum_squares,
		.quantile = rollup->quantile,
		.numerator = rollup->numerator,
		.weight = rollup->weight,
		.slices = rollup->slices.slice,
	};
	return &rollup->observations;
}

static void give_row(const struct rollup *rollup, const struct sum *sums,
		     const struct sketch *sketch, struct rollup_row row, rollup_each *each,
		     void *self)
{
	if (!sums[0].touched && !(rollup->terms == 2 && sums[1].touched))
		return;
	row.terms[0] = sums[0].stats;
	row.terms[1] = rollup->terms == 2 ? sums[1].stats : sum_nothing.stats;
	row.sketch = sums[0].unsketched ? NULL : sketch;
	each(self, &row);
}

static int by_interval_and_slice(const void *a, const void *b)
{
	const struct correction *x = a, *y = b;
	if (x->interval != y->interval)
		return x->interval < y->interval ? -1 : 1;
	if (x->slice != y->slice)
		return x->slice < y->slice ? -1 : 1;
	return (x->late > y->late) - (x->late < y->late);
}

/* Every late cell in each of its slices, those of one interval and slice together. */
static struct correction *sort_corrections(struct rollup *rollup, uint32_t *ret_count)
{
	uint32_t rollups = rollup->slices.rollups, count = 0;
	struct correction *corrections = calloc((size_t)rollup->late_count * (1 + rollups),
						sizeof(*corrections));
	check(corrections);
	for (uint32_t i = 0; i < rollup->late_count; i++) {
		const struct late *late = &rollup->late[i];
		const uint32_t *member = feeds_find(&rollup->feeds, &rollup->slices,
						    late->cell.series, late->interval);
		check(member);
		for (uint32_t j = 0; j < 1 + rollups; j++)
			corrections[count++] = (struct correction){
				.interval = late->interval,
				.slice = j == 0 ? 0 : member[1 + j],
				.late = i,
				.takes = member,
			};
	}
	qsort(corrections, count, sizeof(*corrections), by_interval_and_slice);
	*ret_count = count;
	return corrections;
}

/* How many of the events it does not cover. */
static uint64_t add_late_sketch(const struct rollup *rollup, const struct late *late,
				struct sketch *sketch)
{
	if (!late->sketch)
		return late->cell.count;
	struct bytes_reader in = {.data = rollup->late_sketches.data + (late->sketch - 1),
				  .left = rollup->late_sketches.used - (late->sketch - 1)};
	check(sketch_merge_saved(sketch, &in) == 0);
	return 0;
}

static void give_corrections(struct rollup *rollup, rollup_each *each, void *self)
{
	uint32_t count, next;
	struct correction *all = sort_corrections(rollup, &count);
	struct sketch *sketch = NULL;
	if (rollup->cell_sketch) {
		sketch = sketch_create(sketch_kind(rollup->cell_sketch));
		check(sketch);
	}
	for (uint32_t i = 0; i < count; i = next) {
		struct sum sums[2] = {sum_nothing, sum_nothing};
		if (sketch)
			sketch_reset(sketch);
		for (next = i; next < count && all[next].interval == all[i].interval &&
			       all[next].slice == all[i].slice;
		     next++) {
			const struct late *late = &rollup->late[all[next].late];
			for (uint32_t j = 0; j < 2; j++)
				if (all[next].takes[j])
					sum_add(&sums[j], all[next].takes[j], &late->cell);
			if (sketch)
				sums[0].unsketched += add_late_sketch(rollup, late, sketch);
		}
		struct rollup_row row = {
			.slice = all[i].slice, .late = true, .interval = all[i].interval};
		give_row(rollup, sums, sketch, row, each, self);
	}
	sketch_destroy(sketch);
	free(all);
}

void rollup_rows(struct rollup *rollup, rollup_each *each, void *self)
{
	check(rollup->closed);
	for (uint32_t i = 0; i < rollup->slices.count; i++) {
		struct rollup_row row = {.slice = i, .interval = rollup->observations.interval};
		give_row(rollup, &rollup->sums[(size_t)i * rollup->terms],
			 rollup->sketches ? rollup->sketches[i] : NULL, row, each, self);
	}
	if (rollup->late_count)
		give_corrections(rollup, each, self);
}

uint32_t rollup_slice(struct rollup *rollup, const char *label, int64_t interval)
{
	begin_interval(rollup);
	uint32_t slice = slices_labelled(&rollup->slices, label, interval);
	if (slice != UINT32_MAX)
		reserve_slices(rollup);
	return slice;
}

void rollup_put(struct rollup *rollup, uint32_t slice, int64_t interval,
		const struct rollup_stats terms[2], const struct sketch *sketch)
{
	begin_interval(rollup);
	check(slice < rollup->capacity);
	if (!rollup->total_born) {
		rollup->total_born = true;
		rollup->slices.slice[0].born = interval;
	}
	struct sum *sums = &rollup->sums[(size_t)slice * rollup->terms];
	for (uint32_t i = 0; i < rollup->terms; i++)
		sums[i] = (struct sum){.stats = terms[i], .touched = 1};
	if (!rollup->cell_sketch)
		return;
	sketch_reset(rollup->cell_sketch);
	if (sketch)
		check(sketch_merge(rollup->cell_sketch, sketch) == 0);
	slice_sketch(rollup, slice, sketch ? 0 : terms[0].count);
}

uint64_t rollup_overflowed(const struct rollup *rollup)
{
	return rollup->overflowed;
}

void rollup_save(const struct rollup *rollup, struct bytes *out)
{
	bytes_put_u32(out, rollup->total_born);
	bytes_put_u64(out, (uint64_t)rollup->slices.slice[0].born);
	bytes_put_u64(out, rollup->overflowed);
	slices_save(&rollup->slices, out);
}

int rollup_load(struct rollup *rollup, struct bytes_reader *in)
{
	bool total_born = bytes_get_u32(in) == 1;
	int64_t born = (int64_t)bytes_get_u64(in);
	uint64_t overflowed = bytes_get_u64(in);

	/* What series feed is found again, with the numbers of the loaded slices. */
	rollup->closed = true;
	begin_interval(rollup);
	feeds_reset(&rollup->feeds);
	rollup->total_born = false;
	rollup->overflowed = 0;
	int r = slices_load(&rollup->slices, in);
	if (r < 0)
		return r;
	reserve_slices(rollup);
	rollup->total_born = total_born;
	rollup->slices.slice[0].born = born;
	rollup->overflowed = overflowed;
	return 0;
}
