/*
 * rollup: against a model that keeps slices in a list, reads definitions as plain fields and looks
 * through everything for every cell. Checkpoints are taken and loaded on the way; numbers, births,
 * values and sums must stay what the model says, bit for bit.
 */
#include "interval/rollup.h"

#include <math.h>
#include <string.h>

#include "support/definition.h"
#include "support/random.h"

#define SERIES 60
#define SLICES 600
#define NAMES 4

static const char *const names[NAMES] = {"a", "b=", "c", "d"};
static const char *const values[] = {"", "DE", "FR", "x,y", "c=1", "\\", "__overflow__", "z"};

struct series {
	const char *event, *field;
	enum weir_kind kind;
	const char *value[NAMES]; /* NULL: the series lacks the dimension */
	struct weir_definition *definition;
};

struct model_slice {
	uint32_t rollup; /* 0: total */
	uint32_t dimensions;
	const char *value[NAMES];
	int64_t born;
	double count, sum, sum_squares, min, max;
};

static struct series series[SERIES + 1];
static struct model_slice slices[SLICES];
static uint32_t slices_count, ordinary;
static uint64_t overflowed;
static struct rollup_spec spec;
static uint32_t by[3][NAMES]; /* indexes into names */

static const struct weir_definition *lookup(const void *self, uint32_t id)
{
	(void)self;
	return id <= SERIES ? series[id].definition : NULL;
}

static bool same(double a, double b)
{
	return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(a)) == 0;
}

static void make_series(void)
{
	static const char *const fields[] = {"", "value", "items", "__overflow__"};
	for (uint32_t i = 1; i <= SERIES; i++) {
		struct definition_pair pairs[NAMES];
		uint32_t dimensions = 0;
		series[i] = (struct series){
			.event = random_one_in(4) ? "refund" : "purchase",
			.field = fields[random_below(random_one_in(6) ? 4 : 3)],
			.kind = random_one_in(8) ? WEIR_HASH : WEIR_NUMBER,
		};
		for (uint32_t j = 0; j < NAMES; j++) {
			if (random_one_in(4))
				continue;
			const char *value = values[random_below(8)];
			series[i].value[j] = value;
			pairs[dimensions++] = (struct definition_pair){names[j], value};
		}
		series[i].definition = definition_make(series[i].kind, series[i].event,
						       series[i].field, dimensions, pairs);
	}
}

static void make_spec(void)
{
	spec = (struct rollup_spec){
		.metric = "m",
		.terms_count = 1,
		.terms = {{.event = "purchase",
			   .field = random_one_in(3)   ? "items"
				    : random_one_in(2) ? "value"
						       : "",
			   .aggregation = (enum aggregation)random_below(5)}},
		.rollups = (uint32_t)random_below(4),
		.slices_max = random_one_in(3) ? 1000 : (uint32_t)random_below(25),
	};
	for (uint32_t i = 0; i < spec.rollups; i++) {
		uint32_t order[NAMES] = {0, 1, 2, 3};
		spec.by[i].dimensions = 1 + (uint32_t)random_below(3);
		for (uint32_t j = 0; j < spec.by[i].dimensions; j++) {
			uint32_t pick = j + (uint32_t)random_below(NAMES - j), swap = order[j];
			order[j] = order[pick];
			order[pick] = swap;
			by[i][j] = order[j];
			spec.by[i].names[j] = names[order[j]];
		}
	}
}

static bool model_feeds(const struct series *s)
{
	bool items = !strcmp(spec.terms[0].field, "items");
	if (strcmp(s->event, spec.terms[0].event))
		return false;
	if (s->kind == WEIR_HASH && spec.terms[0].aggregation != AGGREGATE_COUNT)
		return false;
	return items == !strcmp(s->field, "items");
}

static struct model_slice *model_find(uint32_t rollup, const char *const *key, bool *ret_overflow,
				      int64_t interval)
{
	uint32_t dimensions = spec.by[rollup].dimensions;
	bool overflow = true;
	for (uint32_t i = 0; i < dimensions; i++)
		overflow = overflow && !strcmp(key[i], "__overflow__");
	*ret_overflow = overflow;
	for (uint32_t i = 1; i < slices_count; i++) {
		bool equal = slices[i].rollup == rollup + 1;
		for (uint32_t j = 0; equal && j < dimensions; j++)
			equal = !strcmp(slices[i].value[j], key[j]);
		if (equal)
			return &slices[i];
	}
	uint32_t bound = spec.slices_max > spec.rollups ? spec.slices_max - spec.rollups : 1;
	if (!overflow && ordinary >= bound) {
		const char *over[NAMES] = {"__overflow__", "__overflow__", "__overflow__"};
		return model_find(rollup, over, ret_overflow, interval);
	}
	ordinary += !overflow;
	expect(slices_count < SLICES);
	struct model_slice *slice = &slices[slices_count++];
	*slice = (struct model_slice){.rollup = rollup + 1, .dimensions = dimensions};
	slice->born = interval;
	memcpy(slice->value, key, dimensions * sizeof(*key));
	return slice;
}

static void model_sum(struct model_slice *slice, const struct partial_cell *cell, bool number)
{
	bool first = slice->count == 0;
	slice->count += (double)cell->count;
	if (!number)
		return;
	slice->sum += cell->sum;
	slice->sum_squares += cell->sum_squares;
	slice->min = first || cell->min < slice->min ? cell->min : slice->min;
	slice->max = first || cell->max > slice->max ? cell->max : slice->max;
}

static void model_apply(const struct partial *partial)
{
	for (uint32_t i = 0; i < partial->cell_count; i++) {
		const struct partial_cell *cell = &partial->cells[i];
		const struct series *s = &series[cell->series];
		if (!model_feeds(s))
			continue;
		if (slices[0].born < 0)
			slices[0].born = partial->interval;
		model_sum(&slices[0], cell, s->kind == WEIR_NUMBER);
		for (uint32_t j = 0; j < spec.rollups; j++) {
			const char *key[NAMES];
			bool overflow, over = !strcmp(s->field, "__overflow__");
			for (uint32_t k = 0; k < spec.by[j].dimensions; k++) {
				const char *value = s->value[by[j][k]];
				key[k] = over ? "__overflow__" : value ? value : "";
			}
			struct model_slice *slice = model_find(j, key, &overflow,
							       partial->interval);
			model_sum(slice, cell, s->kind == WEIR_NUMBER);
			overflowed += overflow ? cell->count : 0;
		}
	}
}

static double model_value(const struct model_slice *slice)
{
	switch (spec.terms[0].aggregation) {
	case AGGREGATE_COUNT:
		return slice->count;
	case AGGREGATE_SUM:
		return slice->sum;
	case AGGREGATE_MEAN:
		return slice->count > 0 ? slice->sum / slice->count : (double)NAN;
	case AGGREGATE_MIN:
		return slice->count > 0 ? slice->min : (double)NAN;
	default:
		return slice->count > 0 ? slice->max : (double)NAN;
	}
}

/* Read a label back: it must say exactly the slice's names and values. */
static void compare_label(const struct slice *slice)
{
	const char *at = slice->label;
	for (uint32_t i = 0; i < slice->dimensions; i++)
		for (int half = 0; half < 2; half++) {
			char text[64];
			size_t used = 0;
			for (; *at && *at != '=' && *at != ','; at++) {
				at += *at == '\\';
				text[used++] = *at;
			}
			text[used] = '\0';
			expect(!strcmp(text, half ? slice->values[i] : slice->names[i]));
			expect(*at == (half == 0 ? '=' : i + 1 < slice->dimensions ? ',' : '\0'));
			at += *at != '\0';
		}
	expect(*at == '\0');
}

static void compare(const struct observations *seen, int64_t interval)
{
	if (slices[0].born < 0)
		slices[0].born = interval;
	expect(seen->count == slices_count && seen->interval == interval);
	for (uint32_t i = 0; i < slices_count; i++) {
		const struct slice *is = &seen->slices[i];
		struct model_slice *should = &slices[i];
		expect(is->rollup == should->rollup && is->dimensions == should->dimensions);
		expect(is->born == should->born);
		for (uint32_t j = 0; j < is->dimensions; j++) {
			expect(!strcmp(is->names[j], spec.by[is->rollup - 1].names[j]));
			expect(!strcmp(is->values[j], should->value[j]));
		}
		compare_label(is);
		expect(same(seen->value[i], model_value(should)));
		expect(seen->events[i] == should->count);
		expect(same(seen->sum_squares[i], should->sum_squares));
		should->count = should->sum = should->sum_squares = should->min = should->max = 0;
	}
}

static struct partial *random_partial(int64_t interval)
{
	struct partial *partial = calloc(1,
					 sizeof(*partial) + SERIES * sizeof(struct partial_cell));
	expect(partial);
	partial->interval = interval;
	uint64_t density = 1 + random_below(6);
	for (uint32_t i = 1; i <= SERIES; i++) {
		if (!random_one_in(density))
			continue;
		double mean = (double)random_next() / 1e15 - 9000;
		uint64_t count = 1 + random_below(100);
		partial->cells[partial->cell_count++] = (struct partial_cell){
			.series = i,
			.count = count,
			.sum = mean * (double)count,
			.sum_squares = mean * mean * (double)count,
			.min = mean - (double)random_below(10),
			.max = mean + (double)random_below(10),
		};
	}
	return partial;
}

static struct rollup *make_rollup(void)
{
	struct rollup *rollup = rollup_create(&spec, "s", 0, 1000, lookup, NULL);
	expect(rollup);
	return rollup;
}

static struct rollup *through_checkpoint(struct rollup *rollup)
{
	struct bytes saved = {0};
	rollup_save(rollup, &saved);
	rollup_destroy(rollup);
	struct rollup *loaded = make_rollup();
	struct bytes_reader in = {saved.data, saved.used, false};
	expect(rollup_load(loaded, &in) == 0 && in.left == 0);
	bytes_fini(&saved);
	return loaded;
}

static void round_of_rollups(void)
{
	make_series();
	make_spec();
	memset(slices, 0, sizeof(slices));
	slices_count = ordinary = 1;
	slices[0].born = -1;
	overflowed = 0;
	struct rollup *rollup = make_rollup();
	for (int64_t interval = 100; interval < 112; interval++) {
		for (uint64_t i = random_below(4); i > 0; i--) {
			struct partial *partial = random_partial(interval);
			rollup_apply(rollup, partial);
			model_apply(partial);
			free(partial);
		}
		compare(rollup_close(rollup, interval, 0), interval);
		expect(rollup_overflowed(rollup) == overflowed);
		if (random_one_in(4))
			rollup = through_checkpoint(rollup);
	}
	rollup_destroy(rollup);
	for (uint32_t i = 1; i <= SERIES; i++)
		free(series[i].definition);
}

int main(int argc, char **argv)
{
	return random_main(argc, argv, "property-rollup", 600, round_of_rollups);
}
