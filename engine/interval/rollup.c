/*
 * rollup: the cells of all series that feed one metric, summed into the metric's slices.
 *
 * Idea:  what a series feeds is found once, when its first cell comes, and kept by series id: the
 *        total and one slice of each roll-up. After that a cell costs one look-up and one addition
 *        per roll-up.
 *
 *        feeds[series] -> members: | number? | slice of roll-up 1 | slice of roll-up 2 | ...
 *                                                    |
 *        slices[]  sums[]   (parallel) <-------------'
 *
 * A hash says nothing about sums, so that series of kind hash feed counts and nothing else. The
 * series that stands for what was over the registry's bound (field `__overflow__`) feeds the
 * metrics of the default field: the total, and the overflow slice of each roll-up.
 *
 * Runs on: the shard that owns the metric.
 * Never:   looks at anything but partials, definitions and its own state, so that the same
 *          partials in the same order give the same observations bit for bit. Where memory ends it
 *          stops the engine: a cell left out in silence would be an answer that no replay repeats.
 */
#include "interval/rollup.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "interval/slices.h"

/* In feeds[]: 0 is a series not met yet. */
#define FEEDS_NOTHING 1u
#define FEEDS_FIRST 2u /* FEEDS_FIRST + i: members[i], 1 + roll-ups long */

struct rollup {
	char *metric, *event, *field, *source; /* field: "" for the default one */
	uint32_t source_number;
	int64_t interval_ms;
	enum aggregation aggregation;
	rollup_lookup *lookup;
	const void *lookup_self;

	struct slices slices;
	struct cell *sums;                    /* of the interval: an accumulator is a cell */
	struct cell *closed;                  /* of the last one closed */
	double *value, *events, *sum_squares; /* as observed */
	uint32_t capacity;                    /* of these five */
	bool total_born;
	uint64_t overflowed;

	uint32_t *feeds;
	uint32_t feeds_count;
	uint32_t *members;
	uint32_t members_count, members_capacity; /* words */

	struct observations observations;
};

/* Is it the field that an event has when nothing else is said? */
static bool field_is_default(struct slices_text field)
{
	return field.count == 0 || (field.count == 5 && !memcmp(field.bytes, "value", 5));
}

static bool text_is(struct slices_text text, const char *string)
{
	return text.count == strlen(string) && !memcmp(text.bytes, string, text.count);
}

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

struct rollup *rollup_create(const struct rollup_spec *spec, const char *source,
			     uint32_t source_number, int64_t interval_ms, rollup_lookup *lookup,
			     const void *lookup_self)
{
	struct rollup *rollup = calloc(1, sizeof(*rollup));
	if (!rollup)
		return NULL;
	const struct rollup_term *term = &spec->terms[0];
	const char *field = term->field ? term->field : "";
	struct slices_text field_text = {field, (uint32_t)strlen(field)};
	rollup->metric = strdup(spec->metric);
	rollup->event = strdup(term->event);
	rollup->field = strdup(field_is_default(field_text) ? "" : field);
	rollup->source = strdup(source);
	rollup->source_number = source_number;
	rollup->interval_ms = interval_ms;
	rollup->aggregation = term->aggregation;
	rollup->lookup = lookup;
	rollup->lookup_self = lookup_self;
	if (create_slices(rollup, spec) < 0 || !rollup->metric || !rollup->event ||
	    !rollup->field || !rollup->source) {
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
	free(rollup->metric);
	free(rollup->event);
	free(rollup->field);
	free(rollup->source);
	free(rollup->sums);
	free(rollup->closed);
	free(rollup->value);
	free(rollup->events);
	free(rollup->sum_squares);
	free(rollup->feeds);
	free(rollup->members);
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
	if (rollup->slices.count <= had)
		return;
	rollup->sums = widen(rollup->sums, had * sizeof(struct cell),
			     capacity * sizeof(struct cell));
	rollup->closed = widen(rollup->closed, had * sizeof(struct cell),
			       capacity * sizeof(struct cell));
	rollup->value = widen(rollup->value, had * 8, capacity * 8);
	rollup->events = widen(rollup->events, had * 8, capacity * 8);
	rollup->sum_squares = widen(rollup->sum_squares, had * 8, capacity * 8);
	rollup->capacity = (uint32_t)capacity;
}

/* The value of a dimension; a series without it has the empty one. */
static struct slices_text definition_value(const struct weir_definition *definition,
					   const char *name)
{
	const uint8_t *at = definition->text + definition->event_bytes + definition->field_bytes;
	for (uint32_t i = 0; i < definition->dimensions; i++) {
		uint16_t lengths[2];
		memcpy(lengths, at, sizeof(lengths));
		at += sizeof(lengths);
		struct slices_text is = {(const char *)at, lengths[0]};
		if (text_is(is, name))
			return (struct slices_text){(const char *)at + lengths[0], lengths[1]};
		at += lengths[0] + lengths[1];
	}
	return (struct slices_text){"", 0};
}

/* Does a series feed the metric? *ret_over: it stands for series over the registry's bound. */
static bool definition_feeds(const struct rollup *rollup, const struct weir_definition *definition,
			     bool *ret_over)
{
	const char *text = (const char *)definition->text;
	struct slices_text event = {text, definition->event_bytes};
	struct slices_text field = {text + definition->event_bytes, definition->field_bytes};
	*ret_over = text_is(field, SLICES_OVERFLOW);
	if (!text_is(event, rollup->event))
		return false;
	if (definition->kind == WEIR_HASH && rollup->aggregation != AGGREGATE_COUNT)
		return false;
	if (rollup->field[0])
		return text_is(field, rollup->field);
	return field_is_default(field) || *ret_over;
}

/* Find out what a series feeds, and remember it. */
static __attribute__((noinline)) uint32_t feeds_learn(struct rollup *rollup, uint32_t series,
						      int64_t interval)
{
	const struct weir_definition *definition = rollup->lookup(rollup->lookup_self, series);
	struct slices *slices = &rollup->slices;
	bool over;
	if (!definition)
		return FEEDS_NOTHING;
	if (series >= rollup->feeds_count) {
		uint32_t count = (series + 1) * 2 < 1024 ? 1024 : (series + 1) * 2;
		rollup->feeds = widen(rollup->feeds, rollup->feeds_count * sizeof(uint32_t),
				      (size_t)count * sizeof(uint32_t));
		rollup->feeds_count = count;
	}
	if (!definition_feeds(rollup, definition, &over))
		return rollup->feeds[series] = FEEDS_NOTHING;

	uint32_t words = 1 + slices->rollups, at = rollup->members_count;
	if (at + words > rollup->members_capacity) {
		uint32_t capacity = (at + words) * 2;
		rollup->members = widen(rollup->members, at * sizeof(uint32_t),
					(size_t)capacity * sizeof(uint32_t));
		rollup->members_capacity = capacity;
	}
	rollup->members_count += words;
	rollup->members[at] = definition->kind == WEIR_NUMBER;
	for (uint32_t i = 0; i < slices->rollups; i++) {
		struct slices_text values[WEIR_DIMENSIONS_MAX];
		for (uint32_t j = 0; j < slices->by[i].dimensions; j++)
			values[j] = definition_value(definition, slices->by[i].names[j]);
		rollup->members[at + 1 + i] = slices_find(slices, i, over ? NULL : values,
							  interval);
	}
	reserve_slices(rollup);
	return rollup->feeds[series] = FEEDS_FIRST + at;
}

static void sum_add(struct cell *sum, const struct partial_cell *cell, bool number)
{
	uint64_t had = sum->count;
	sum->count += cell->count;
	if (!number)
		return;
	sum->sum += cell->sum;
	sum->sum_squares += cell->sum_squares;
	sum->min = had && sum->min <= cell->min ? sum->min : cell->min;
	sum->max = had && sum->max >= cell->max ? sum->max : cell->max;
}

void rollup_apply(struct rollup *rollup, const struct partial *partial)
{
	check(partial->source == rollup->source_number);
	reserve_slices(rollup);
	for (uint32_t i = 0; i < partial->cell_count; i++) {
		const struct partial_cell *cell = &partial->cells[i];
		uint32_t feeds = 0;
		if (cell->series < rollup->feeds_count)
			feeds = rollup->feeds[cell->series];
		if (feeds == 0)
			feeds = feeds_learn(rollup, cell->series, partial->interval);
		if (feeds == FEEDS_NOTHING)
			continue;
		const uint32_t *member = &rollup->members[feeds - FEEDS_FIRST];
		sum_add(&rollup->sums[0], cell, member[0]);
		if (!rollup->total_born) {
			rollup->total_born = true;
			rollup->slices.slice[0].born = partial->interval;
		}
		for (uint32_t j = 0; j < rollup->slices.rollups; j++) {
			uint32_t slice = member[1 + j];
			sum_add(&rollup->sums[slice], cell, member[0]);
			if (slice == rollup->slices.by[j].overflow)
				rollup->overflowed += cell->count;
		}
	}
}

/* What is too large for a double is the largest one: no detector sees an infinity. A sum that was
 * too large in both directions is NaN: no data. */
static double clamp(double value)
{
	return value > DBL_MAX ? DBL_MAX : value < -DBL_MAX ? -DBL_MAX : value;
}

static double aggregate(enum aggregation aggregation, const struct cell *sum)
{
	switch (aggregation) {
	case AGGREGATE_COUNT:
		return (double)sum->count;
	case AGGREGATE_SUM:
		return clamp(sum->sum);
	case AGGREGATE_MEAN:
		return sum->count ? clamp(sum->sum / (double)sum->count) : NAN;
	case AGGREGATE_MIN:
		return sum->count ? sum->min : NAN;
	case AGGREGATE_MAX:
		return sum->count ? sum->max : NAN;
	case AGGREGATE_DISTINCT:
	case AGGREGATE_PERCENTILE:
	case AGGREGATE_RATIO:
		break;
	}
	check_failed(__FILE__, __LINE__, "a known aggregation");
}

const struct observations *rollup_close(struct rollup *rollup, int64_t interval, uint32_t flags)
{
	reserve_slices(rollup);
	if (!rollup->total_born) {
		/* No event yet: the total's life begins with the first interval looked at. */
		rollup->total_born = true;
		rollup->slices.slice[0].born = interval;
	}
	for (uint32_t i = 0; i < rollup->slices.count; i++) {
		rollup->value[i] = aggregate(rollup->aggregation, &rollup->sums[i]);
		rollup->events[i] = (double)rollup->sums[i].count;
		rollup->sum_squares[i] = clamp(rollup->sums[i].sum_squares);
	}
	struct cell *closed = rollup->sums;
	rollup->sums = rollup->closed;
	rollup->closed = closed;
	memset(rollup->sums, 0, rollup->slices.count * sizeof(struct cell));
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
		.slices = rollup->slices.slice,
	};
	return &rollup->observations;
}

void rollup_rows(struct rollup *rollup, rollup_each *each, void *self)
{
	for (uint32_t i = 0; i < rollup->slices.count; i++) {
		const struct cell *sum = &rollup->closed[i];
		if (sum->count == 0)
			continue;
		struct rollup_row row = {
			.slice = i,
			.interval = rollup->observations.interval,
			.terms = {{sum->count, sum->sum, sum->sum_squares, sum->min, sum->max},
				  {.min = NAN, .max = NAN}},
		};
		each(self, &row);
	}
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
	if (rollup->feeds_count)
		memset(rollup->feeds, 0, rollup->feeds_count * sizeof(uint32_t));
	rollup->members_count = 0;
	if (rollup->capacity)
		memset(rollup->sums, 0, rollup->capacity * sizeof(struct cell));
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
