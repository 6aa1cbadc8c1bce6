/*
 * metrics: every aggregation from single values, with its error measured.
 *
 * The model keeps every event as it came and computes each statistic anew from those that belong:
 * counts and extremes must be equal, sums within the rounding of so many additions, percentiles
 * within the sketch's error of the value of that rank, distinct counts within four standard errors
 * (one in sixteen thousand honest rounds would miss), ratios what their exact halves say. Late
 * events must not move what is observed; the rows of an interval and its corrections together must
 * be the statistics of all its events.
 */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "interval/rollup.h"
#include "support/definition.h"
#include "support/random.h"

#define SERIES 48
#define INTERVALS 8
#define EVENTS_MAX 40000
#define ROWS_MAX 4096

struct series {
	const char *event, *field, *channel, *country;
	enum weir_kind kind;
	struct weir_definition *definition;
};

struct event {
	uint32_t series;
	int64_t interval; /* that it belongs to */
	int64_t closed;   /* the interval that was closed when it was taken in */
	double value;
};

struct exact {
	double count, sum, magnitude, squares, min, max;
	bool any;
	double *values; /* of what is counted itself, not of aggregates */
	uint32_t values_count;
};

struct row {
	struct rollup_row row;
	bool sketched;
	double answer; /* of its sketch */
};

static struct series series[SERIES + 1];
static struct event events[EVENTS_MAX];
static uint32_t events_count;
static struct rollup_spec spec;
static struct row rows[ROWS_MAX];
static uint32_t rows_count;
static double exact_values[2][EVENTS_MAX];

/* What the bounds measured were, in parts of what is promised: printed at the end. */
static double worst_sum, worst_quantile, distinct_squares;
static uint64_t distinct_measured, quantiles_measured;

static const struct weir_definition *lookup(const void *self, uint32_t id)
{
	(void)self;
	return id <= SERIES ? series[id].definition : NULL;
}

static void make_series(void)
{
	static const char *const channels[] = {NULL, "cpc", "email", "direct", "a|b"};
	static const char *const fields[] = {"",           "value",       "",
					     "items",      "value:count", "value:sum",
					     "value:min",  "value:max",   "value:sum_squares",
					     "items:count"};
	for (uint32_t i = 1; i <= SERIES; i++) {
		struct series *s = &series[i];
		struct definition_pair pairs[2];
		uint32_t pairs_count = 0;
		*s = (struct series){
			.event = random_one_in(3) ? "visit" : "purchase",
			.field = fields[random_below(10)],
			.channel = channels[random_below(5)],
			.country = random_one_in(2) ? "DE" : "FR",
			.kind = random_one_in(4) ? WEIR_HASH : WEIR_NUMBER,
		};
		if (s->channel)
			pairs[pairs_count++] = (struct definition_pair){"channel", s->channel};
		pairs[pairs_count++] = (struct definition_pair){"country", s->country};
		s->definition = definition_make(s->kind, s->event, s->field, pairs_count, pairs);
	}
}

static void make_term(struct rollup_term *term, enum aggregation aggregation)
{
	static const char *const cpc_or_email[] = {"cpc", "email"}, *const bar[] = {"a|b"},
				 *const nothing[] = {""}, *const de[] = {"DE"};
	static const struct rollup_where conditions[] = {
		{"channel", cpc_or_email, 2, false}, {"channel", cpc_or_email, 2, true},
		{"channel", bar, 1, false},          {"channel", nothing, 1, true},
		{"country", de, 1, false},           {"country", de, 1, true},
		{"absent", nothing, 1, false},
	};
	*term = (struct rollup_term){
		.event = random_one_in(4) ? "visit" : "purchase",
		.field = random_one_in(4)   ? "items"
			 : random_one_in(2) ? "value"
					    : "",
		.aggregation = aggregation,
		.where_count = (uint32_t)random_below(3),
	};
	for (uint32_t i = 0; i < term->where_count; i++)
		term->where[i] = conditions[random_below(7)];
}

static void make_spec(void)
{
	enum aggregation aggregation = (enum aggregation)random_below(8);
	bool ratio = aggregation == AGGREGATE_RATIO;
	spec = (struct rollup_spec){
		.metric = "m",
		.terms_count = ratio ? 2 : 1,
		.quantile = random_one_in(2) ? 0.95 : 0.5,
		.rollups = 2,
		.by = {{1, {"channel"}}, {2, {"channel", "country"}}},
		.slices_max = 1000,
	};
	for (uint32_t i = 0; i < spec.terms_count; i++)
		make_term(&spec.terms[i], !ratio             ? aggregation
					  : random_one_in(2) ? AGGREGATE_SUM
							     : AGGREGATE_COUNT);
}

/* --- the model -------------------------------------------------------------------------------- */

static const char *dimension(const struct series *s, const char *name)
{
	if (!strcmp(name, "channel"))
		return s->channel ? s->channel : "";
	return !strcmp(name, "country") ? s->country : "";
}

static bool in_slice(const struct series *s, const struct slice *slice)
{
	for (uint32_t i = 0; i < slice->dimensions; i++)
		if (strcmp(dimension(s, slice->names[i]), slice->values[i]))
			return false;
	return true;
}

static bool holds(const struct series *s, const struct rollup_term *term)
{
	for (uint32_t i = 0; i < term->where_count; i++) {
		const struct rollup_where *where = &term->where[i];
		bool found = false;
		for (uint32_t j = 0; j < where->values_count; j++)
			found |= !strcmp(dimension(s, where->dimension), where->values[j]);
		if (found == where->negated)
			return false;
	}
	return true;
}

/* "" : the term's own field; "count", "sum" ...: that companion of it; NULL: another. */
static const char *role(const struct series *s, const struct rollup_term *term)
{
	bool items = !strcmp(term->field, "items");
	const char *colon = strchr(s->field, ':');
	if (strcmp(s->event, term->event) || items != !strncmp(s->field, "items", 5))
		return NULL;
	if (s->kind == WEIR_HASH)
		return !colon && (term->aggregation == AGGREGATE_COUNT ||
				  term->aggregation == AGGREGATE_DISTINCT)
			       ? "hash"
			       : NULL;
	if (term->aggregation == AGGREGATE_DISTINCT ||
	    (colon && term->aggregation == AGGREGATE_PERCENTILE))
		return NULL;
	return colon ? colon + 1 : "";
}

static void exact_add(struct exact *exact, const char *is, double value)
{
	exact->any = true;
	if (!*is || !strcmp(is, "hash")) {
		exact->count++;
		exact->values[exact->values_count++] = value;
	}
	if (!strcmp(is, "count"))
		exact->count += value > 0 ? value : 0;
	if (!*is || !strcmp(is, "sum")) {
		exact->sum += value;
		exact->magnitude += fabs(value);
	}
	if (!*is)
		exact->squares += value * value;
	if (!strcmp(is, "sum_squares"))
		exact->squares += value;
	if (!*is || !strcmp(is, "min"))
		exact->min = isnan(exact->min) || value < exact->min ? value : exact->min;
	if (!*is || !strcmp(is, "max"))
		exact->max = isnan(exact->max) || value > exact->max ? value : exact->max;
}

/* The statistics of a term in a slice and interval. closed: only what was taken in when that
 * interval was closed; -1: all. */
static struct exact exactly(uint32_t term, const struct slice *slice, int64_t interval,
			    int64_t closed)
{
	struct exact exact = {.min = NAN, .max = NAN, .values = exact_values[term]};
	for (uint32_t i = 0; i < events_count && term < spec.terms_count; i++) {
		const struct event *event = &events[i];
		const struct series *s = &series[event->series];
		const char *is = role(s, &spec.terms[term]);
		if (event->interval == interval && (closed < 0 || event->closed == closed) && is &&
		    in_slice(s, slice) && holds(s, &spec.terms[term]))
			exact_add(&exact, is, event->value);
	}
	return exact;
}

/* --- comparisons ------------------------------------------------------------------------------ */

static bool same(double a, double b)
{
	return (isnan(a) && isnan(b)) || a == b;
}

/* A sum in another order: each addition may round by half a unit in the last place. */
static void expect_sum(double is, const struct exact *exact)
{
	double bound = (exact->values_count + 10) * DBL_EPSILON * exact->magnitude;
	expect(fabs(is - exact->sum) <= bound);
	if (bound > 0 && fabs(is - exact->sum) / bound > worst_sum)
		worst_sum = fabs(is - exact->sum) / bound;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void expect_quantile(double is, const struct exact *exact)
{
	if (exact->values_count == 0) {
		expect(isnan(is));
		return;
	}
	qsort(exact->values, exact->values_count, sizeof(double), ascending);
	double rank = ceil(spec.quantile * exact->values_count);
	double should = exact->values[(uint32_t)rank - 1];
	double bound = SKETCH_QUANTILE_ERROR * fabs(should);
	expect(fabs(is - should) <= bound);
	if (bound > 0 && fabs(is - should) / bound > worst_quantile)
		worst_quantile = fabs(is - should) / bound;
	quantiles_measured++;
}

static int by_bits(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(double));
}

static void expect_distinct(double is, const struct exact *exact)
{
	uint32_t distinct = 0;
	qsort(exact->values, exact->values_count, sizeof(double), by_bits);
	for (uint32_t i = 0; i < exact->values_count; i++)
		distinct += i == 0 || by_bits(&exact->values[i], &exact->values[i - 1]);
	double standard = 1.04 / sqrt((double)(1 << SKETCH_DISTINCT_BITS)) * distinct;
	expect(fabs(is - distinct) <= 4 * standard + 1);
	if (distinct > 200) {
		distinct_squares += (is - distinct) * (is - distinct) / (standard * standard);
		distinct_measured++;
	}
}

static void expect_term(const struct rollup_stats *is, const struct exact *exact)
{
	expect((double)is->count == exact->count);
	expect_sum(is->sum, exact);
	expect(same(is->min, exact->min) && same(is->max, exact->max));
}

static double half(uint32_t term, const struct exact *exact)
{
	return spec.terms[term].aggregation == AGGREGATE_COUNT ? exact->count : exact->sum;
}

static void expect_ratio(const struct observations *seen, uint32_t i, const struct exact *first,
			 const struct exact *second)
{
	double numerator = seen->numerator[i], weight = seen->weight[i];
	double slack = 1e-9;
	expect(fabs(numerator - half(0, first)) <= slack * first->magnitude);
	expect(fabs(weight - half(1, second)) <= slack * second->magnitude);
	expect(weight == 0 ? isnan(seen->value[i]) : seen->value[i] == numerator / weight);
	expect(seen->events[i] == second->count);
}

static void expect_observation(const struct observations *seen, uint32_t i, bool unsketched)
{
	struct exact first = exactly(0, &seen->slices[i], seen->interval, seen->interval);
	double is = seen->value[i];
	switch (seen->aggregation) {
	case AGGREGATE_COUNT:
		expect(is == first.count);
		break;
	case AGGREGATE_SUM:
		expect_sum(is, &first);
		break;
	case AGGREGATE_MEAN:
		expect(first.count > 0 || isnan(is));
		if (first.count > 0)
			expect_sum(is * first.count, &first);
		break;
	case AGGREGATE_MIN:
		expect(same(is, first.min));
		break;
	case AGGREGATE_MAX:
		expect(same(is, first.max));
		break;
	case AGGREGATE_DISTINCT:
		if (unsketched && isnan(is))
			break;
		expect_distinct(is, &first);
		break;
	case AGGREGATE_PERCENTILE:
		if (unsketched && isnan(is))
			break;
		expect_quantile(is, &first);
		break;
	case AGGREGATE_RATIO: {
		struct exact second = exactly(1, &seen->slices[i], seen->interval, seen->interval);
		expect_ratio(seen, i, &first, &second);
		return;
	}
	}
	expect(seen->events[i] == first.count);
}

static void keep_row(void *self, const struct rollup_row *row)
{
	(void)self;
	expect(rows_count < ROWS_MAX);
	struct row *kept = &rows[rows_count++];
	*kept = (struct row){.row = *row, .sketched = row->sketch};
	if (row->sketch)
		kept->answer = spec.terms[0].aggregation == AGGREGATE_DISTINCT
				       ? sketch_distinct(row->sketch)
				       : sketch_quantile(row->sketch, spec.quantile);
}

/* In order, each where something came and nowhere else, with what came when this was closed. */
static void expect_rows(const struct observations *seen, bool unsketched)
{
	uint32_t at = 0;
	for (int64_t i = -1; i < seen->interval; i++) {
		/* The closed interval is first, corrections of earlier ones behind it. */
		int64_t interval = i < 0 ? seen->interval : i;
		for (uint32_t slice = 0; slice < seen->count; slice++) {
			const struct slice *is = &seen->slices[slice];
			struct exact first = exactly(0, is, interval, seen->interval);
			struct exact second = exactly(1, is, interval, seen->interval);
			if (!first.any && !second.any)
				continue;
			expect(at < rows_count);
			const struct row *row = &rows[at++];
			expect(row->row.slice == slice && row->row.interval == interval);
			expect(row->row.late == (i >= 0));
			expect_term(&row->row.terms[0], &first);
			expect_term(&row->row.terms[1], &second);
			enum aggregation aggregation = spec.terms[0].aggregation;
			if (spec.terms_count == 2 || aggregation < AGGREGATE_DISTINCT) {
				expect(!row->sketched);
				continue;
			}
			expect(row->sketched || unsketched);
			if (row->sketched && aggregation == AGGREGATE_DISTINCT)
				expect_distinct(row->answer, &first);
			if (row->sketched && aggregation == AGGREGATE_PERCENTILE)
				expect_quantile(row->answer, &first);
		}
	}
	expect(at == rows_count);
}

/* --- the world -------------------------------------------------------------------------------- */

static double some_value(const struct series *s)
{
	if (s->kind == WEIR_HASH) {
		uint64_t bits = random_below(random_one_in(2) ? 50 : 100000);
		double value;
		memcpy(&value, &bits, sizeof(value));
		return value;
	}
	if (strchr(s->field, ':') && strstr(s->field, "count"))
		return (double)random_below(1000);
	return random_one_in(5) ? -(double)random_below(1000) / 8
				: exp((double)random_below(12000) / 1000) - 1;
}

/* The cell of some events of one series, and its sketch, but where `bare`. */
static struct partial_cell make_cell(uint32_t id, int64_t interval, int64_t closed,
				     struct bytes *sketches, bool bare)
{
	const struct series *s = &series[id];
	bool hash = s->kind == WEIR_HASH;
	struct sketch *sketch = sketch_create(hash ? SKETCH_DISTINCT : SKETCH_QUANTILE);
	struct partial_cell cell = {.series = id};
	uint64_t count = 1 + random_below(hash && random_one_in(3) ? 2000 : 20);
	expect(sketch);
	for (uint64_t i = 0; i < count && events_count < EVENTS_MAX; i++) {
		double value = some_value(s);
		events[events_count++] = (struct event){id, interval, closed, value};
		expect(sketch_add(sketch, value) == 0);
		cell.sum += value;
		cell.sum_squares += value * value;
		cell.min = cell.count && cell.min <= value ? cell.min : value;
		cell.max = cell.count && cell.max >= value ? cell.max : value;
		cell.count++;
	}
	if (!bare) {
		cell.sketch = 1 + (uint32_t)sketches->used;
		sketch_save(sketch, sketches);
	}
	sketch_destroy(sketch);
	return cell;
}

static struct partial *make_partial(int64_t interval, bool *unsketched)
{
	struct partial *partial = calloc(1,
					 sizeof(*partial) + SERIES * sizeof(struct partial_cell));
	struct bytes sketches = {0};
	expect(partial);
	partial->interval = interval;
	partial->late = calloc(SERIES, sizeof(*partial->late));
	expect(partial->late);
	for (uint32_t id = 1; id <= SERIES && events_count + 4000 < EVENTS_MAX; id++) {
		bool bare = *unsketched && random_one_in(8);
		if (random_one_in(2))
			partial->cells[partial->cell_count++] = make_cell(id, interval, interval,
									  &sketches, bare);
		if (interval > 0 && random_one_in(6)) {
			int64_t before = (int64_t)random_below((uint64_t)interval);
			partial->late[partial->late_count++] = (struct late_cell){
				before, make_cell(id, before, interval, &sketches, bare)};
		}
	}
	partial->sketches = sketches.data;
	partial->sketch_bytes = (uint32_t)sketches.used;
	return partial;
}

static void round_of_metrics(void)
{
	bool unsketched = random_one_in(4);
	make_series();
	make_spec();
	events_count = 0;
	struct rollup *rollup = rollup_create(&spec, "s", 0, 1000, lookup, NULL);
	expect(rollup);
	for (int64_t interval = 0; interval < INTERVALS; interval++) {
		for (uint64_t i = random_below(3); i > 0; i--) {
			struct partial *partial = make_partial(interval, &unsketched);
			rollup_apply(rollup, partial);
			free(partial->late);
			free(partial->sketches);
			free(partial);
		}
		const struct observations *seen = rollup_close(rollup, interval, 0);
		for (uint32_t i = 0; i < seen->count; i++)
			expect_observation(seen, i, unsketched);
		rows_count = 0;
		rollup_rows(rollup, keep_row, NULL);
		expect_rows(seen, unsketched);
	}
	rollup_destroy(rollup);
	for (uint32_t i = 1; i <= SERIES; i++)
		free(series[i].definition);
}

int main(int argc, char **argv)
{
	int r = random_main(argc, argv, "property-metrics", 200, round_of_metrics);
	printf("of the errors stated: sums %.3f, percentiles %.3f at most (%llu), distinct %.3f in "
	       "the mean square (%llu)\n",
	       worst_sum, worst_quantile, (unsigned long long)quantiles_measured,
	       sqrt(distinct_squares / (double)(distinct_measured ? distinct_measured : 1)),
	       (unsigned long long)distinct_measured);
	return r;
}
