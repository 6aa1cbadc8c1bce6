/*
 * feeds: which series feed a metric, by event, field and conditions; see feeds.h.
 *
 * A hash says nothing about sums: series of kind hash feed counts of events and of distinct values,
 * and nothing else. The series that stands for what was over the registry's bound (field
 * `__overflow__`) feeds the metrics of the default field: the total, and the overflow slice of each
 * roll-up. Whether conditions hold for it nobody can say, so it feeds no metric that has any.
 *
 * Runs on: the shard that owns the metric.
 * Never:   looks at anything but definitions. Where memory ends it stops the engine: a series left
 *          out in silence would be an answer that no replay repeats.
 */
#include "interval/feeds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define FEEDS_NOTHING 1u
#define FEEDS_FIRST 2u

/* Is it the field that an event has when nothing else is said? */
static bool field_is_default(struct slices_text field)
{
	return field.count == 0 || (field.count == 5 && !memcmp(field.bytes, "value", 5));
}

static bool text_is(struct slices_text text, const char *string)
{
	return text.count == strlen(string) && !memcmp(text.bytes, string, text.count);
}

static int copy_where(struct rollup_where *copy, const struct rollup_where *where)
{
	char **values = calloc(where->values_count + 1, sizeof(*values));
	copy->dimension = strdup(where->dimension);
	copy->negated = where->negated;
	copy->values = (const char *const *)values;
	if (!values || !copy->dimension)
		return -ENOMEM;
	for (uint32_t i = 0; i < where->values_count; i++) {
		values[i] = strdup(where->values[i]);
		if (!values[i])
			return -ENOMEM;
		copy->values_count++;
	}
	return 0;
}

static int copy_term(struct rollup_term *copy, const struct rollup_term *term)
{
	const char *field = term->field ? term->field : "";
	struct slices_text text = {field, (uint32_t)strlen(field)};
	int r = 0;
	check(term->where_count <= ROLLUP_WHERE_MAX);
	copy->event = strdup(term->event);
	copy->field = strdup(field_is_default(text) ? "" : field);
	copy->aggregation = term->aggregation;
	if (!copy->event || !copy->field)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < term->where_count; i++) {
		copy->where_count++;
		r = copy_where(&copy->where[i], &term->where[i]);
	}
	return r;
}

int feeds_init(struct feeds *feeds, const struct rollup_spec *spec, rollup_lookup *lookup,
	       const void *lookup_self)
{
	int r = 0;
	check(spec->terms_count == 1 || spec->terms_count == 2);
	*feeds = (struct feeds){.lookup = lookup, .lookup_self = lookup_self};
	for (uint32_t i = 0; r == 0 && i < spec->terms_count; i++) {
		feeds->terms_count++;
		r = copy_term(&feeds->terms[i], &spec->terms[i]);
	}
	return r;
}

void feeds_fini(struct feeds *feeds)
{
	for (uint32_t i = 0; i < feeds->terms_count; i++) {
		struct rollup_term *term = &feeds->terms[i];
		for (uint32_t j = 0; j < term->where_count; j++) {
			for (uint32_t k = 0; k < term->where[j].values_count; k++)
				free((void *)term->where[j].values[k]);
			free((void *)term->where[j].values);
			free((void *)term->where[j].dimension);
		}
		free((void *)term->event);
		free((void *)term->field);
	}
	free(feeds->by_series);
	free(feeds->members);
}

void feeds_reset(struct feeds *feeds)
{
	if (feeds->by_series_count)
		memset(feeds->by_series, 0, feeds->by_series_count * sizeof(uint32_t));
	feeds->members_count = 0;
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

static bool conditions_hold(const struct rollup_term *term,
			    const struct weir_definition *definition)
{
	for (uint32_t i = 0; i < term->where_count; i++) {
		const struct rollup_where *where = &term->where[i];
		struct slices_text value = definition_value(definition, where->dimension);
		bool found = false;
		for (uint32_t j = 0; j < where->values_count; j++)
			found = found || text_is(value, where->values[j]);
		if (found == where->negated)
			return false;
	}
	return true;
}

/* Is the field the term's own? */
static bool field_matches(const struct rollup_term *term, struct slices_text field)
{
	return term->field[0] ? text_is(field, term->field) : field_is_default(field);
}

/* What the term takes of a companion of its field; 0: it is none. */
static uint32_t companion_take(const struct rollup_term *term, struct slices_text field)
{
	static const struct {
		const char *suffix;
		uint32_t take;
	} companions[] = {{"count", TAKE_AS_COUNT},
			  {"sum", TAKE_AS_SUM},
			  {"sum_squares", TAKE_AS_SQUARES},
			  {"min", TAKE_AS_MIN},
			  {"max", TAKE_AS_MAX}};
	const char *colon = memrchr(field.bytes, ':', field.count);
	if (!colon)
		return 0;
	struct slices_text base = {field.bytes, (uint32_t)(colon - field.bytes)};
	struct slices_text suffix = {colon + 1, field.count - base.count - 1};
	if (!field_matches(term, base))
		return 0;
	for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++)
		if (text_is(suffix, companions[i].suffix))
			return companions[i].take;
	return 0;
}

/* What a term takes of a series' cells; 0: nothing. over: the series stands for others. */
static uint32_t term_take(const struct rollup_term *term, const struct weir_definition *definition,
			  bool over)
{
	const char *text = (const char *)definition->text;
	struct slices_text event = {text, definition->event_bytes};
	struct slices_text field = {text + definition->event_bytes, definition->field_bytes};
	bool hash = definition->kind == WEIR_HASH;
	bool own = field_matches(term, field) || (over && !term->field[0]);
	if (!text_is(event, term->event) || (over && term->where_count) ||
	    !conditions_hold(term, definition))
		return 0;
	if (term->aggregation == AGGREGATE_DISTINCT)
		return own && hash ? TAKE_COUNT | TAKE_SKETCH : 0;
	if (hash)
		return own && term->aggregation == AGGREGATE_COUNT ? TAKE_COUNT : 0;
	if (term->aggregation == AGGREGATE_PERCENTILE)
		return own ? TAKE_COUNT | TAKE_VALUES | TAKE_SKETCH : 0;
	return own ? TAKE_COUNT | TAKE_VALUES : companion_take(term, field);
}

static void *widen(void *old, uint32_t used, uint32_t count)
{
	uint32_t *wide = reallocarray(old, count, sizeof(*wide));
	check(wide);
	memset(&wide[used], 0, (count - used) * sizeof(*wide));
	return wide;
}

__attribute__((noinline)) const uint32_t *feeds_learn(struct feeds *feeds, struct slices *slices,
						      uint32_t series, int64_t interval)
{
	const struct weir_definition *definition = feeds->lookup(feeds->lookup_self, series);
	if (!definition)
		return NULL;
	if (series >= feeds->by_series_count) {
		uint32_t count = series < 511 ? 1024 : (series + 1) * 2;
		feeds->by_series = widen(feeds->by_series, feeds->by_series_count, count);
		feeds->by_series_count = count;
	}
	struct slices_text field = {(const char *)definition->text + definition->event_bytes,
				    definition->field_bytes};
	bool over = text_is(field, SLICES_OVERFLOW);
	uint32_t takes[2] = {0, 0};
	for (uint32_t i = 0; i < feeds->terms_count; i++)
		takes[i] = term_take(&feeds->terms[i], definition, over);
	if (!takes[0] && !takes[1]) {
		feeds->by_series[series] = FEEDS_NOTHING;
		return NULL;
	}
	uint32_t at = feeds->members_count;
	if (at + 2 + slices->rollups > feeds->members_capacity) {
		uint32_t capacity = (at + 2 + slices->rollups) * 2;
		feeds->members = widen(feeds->members, at, capacity);
		feeds->members_capacity = capacity;
	}
	feeds->members_count += 2 + slices->rollups;
	memcpy(&feeds->members[at], takes, sizeof(takes));
	for (uint32_t i = 0; i < slices->rollups; i++) {
		struct slices_text values[WEIR_DIMENSIONS_MAX];
		for (uint32_t j = 0; j < slices->by[i].dimensions; j++)
			values[j] = definition_value(definition, slices->by[i].names[j]);
		feeds->members[at + 2 + i] = slices_find(slices, i, over ? NULL : values, interval);
	}
	feeds->by_series[series] = FEEDS_FIRST + at;
	return &feeds->members[at];
}
