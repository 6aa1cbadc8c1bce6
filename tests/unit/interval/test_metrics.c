/* rollup: conditions, ratios, companions, sketches and late cells, one small case each. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "interval/rollup.h"
#include "support/definition.h"

#define SERIES 16

struct world {
	struct weir_definition *definitions[SERIES];
	uint32_t count;
	struct rollup *rollup;
	struct partial *partial; /* filled until close_interval() */
	struct bytes sketches;
	struct rollup_row rows[32];
	uint32_t rows_count;
};

static const struct weir_definition *lookup(const void *self, uint32_t series)
{
	const struct world *world = self;

	return series && series <= world->count ? world->definitions[series - 1] : NULL;
}

static void begin(struct world *world, const struct rollup_spec *spec)
{
	*world = (struct world){0};
	world->rollup = rollup_create(spec, "live", 0, 1000, lookup, world);
	world->partial = calloc(1, sizeof(struct partial) + SERIES * sizeof(struct partial_cell));
	cr_assert(world->rollup && world->partial);
	world->partial->late = calloc(SERIES, sizeof(struct late_cell));
	cr_assert_not_null(world->partial->late);
}

static void end(struct world *world)
{
	rollup_destroy(world->rollup);
	for (uint32_t i = 0; i < world->count; i++)
		free(world->definitions[i]);
	free(world->partial->late);
	free(world->partial);
	bytes_fini(&world->sketches);
}

/* channel NULL: the series lacks the dimension. */
static uint32_t series(struct world *world, enum weir_kind kind, const char *event,
		       const char *field, const char *channel)
{
	struct definition_pair pair = {"channel", channel};

	cr_assert_lt(world->count, SERIES);
	world->definitions[world->count++] = definition_make(kind, event, field, channel != NULL,
							     &pair);
	return world->count;
}

static struct partial_cell cell_of(uint32_t id, const double *values, uint32_t count)
{
	struct partial_cell cell = {.series = id, .min = values[0], .max = values[0]};

	for (uint32_t i = 0; i < count; i++) {
		cell.count++;
		cell.sum += values[i];
		cell.sum_squares += values[i] * values[i];
		cell.min = fmin(cell.min, values[i]);
		cell.max = fmax(cell.max, values[i]);
	}
	return cell;
}

#define add(world, id, ...)                                                                        \
	add_cell(world, cell_of(id, (double[]){__VA_ARGS__},                                       \
				sizeof((double[]){__VA_ARGS__}) / sizeof(double)))

static void add_cell(struct world *world, struct partial_cell cell)
{
	world->partial->cells[world->partial->cell_count++] = cell;
}

static void add_late(struct world *world, int64_t interval, uint32_t id, double value)
{
	world->partial->late[world->partial->late_count++] =
		(struct late_cell){interval, cell_of(id, &value, 1)};
}

/* The last cell gets a sketch of these values. */
static void sketched(struct world *world, enum sketch_kind kind, const double *values,
		     uint32_t count)
{
	struct sketch *sketch = sketch_create(kind);

	cr_assert_not_null(sketch);
	for (uint32_t i = 0; i < count; i++)
		cr_assert_eq(sketch_add(sketch, values[i]), 0);
	world->partial->cells[world->partial->cell_count - 1].sketch =
		1 + (uint32_t)world->sketches.used;
	sketch_save(sketch, &world->sketches);
	sketch_destroy(sketch);
}

static void keep(void *self, const struct rollup_row *row)
{
	struct world *world = self;

	world->rows[world->rows_count++] = *row;
}

static const struct observations *close_interval(struct world *world, int64_t interval)
{
	world->partial->interval = interval;
	world->partial->sketches = world->sketches.data;
	world->partial->sketch_bytes = (uint32_t)world->sketches.used;
	rollup_apply(world->rollup, world->partial);
	const struct observations *seen = rollup_close(world->rollup, interval, 0);
	world->rows_count = 0;
	rollup_rows(world->rollup, keep, world);
	world->partial->cell_count = world->partial->late_count = 0;
	bytes_clear(&world->sketches);
	return seen;
}

static struct rollup_spec metric(enum aggregation aggregation)
{
	return (struct rollup_spec){
		.metric = "m",
		.terms_count = 1,
		.terms = {{.event = "visit", .field = "", .aggregation = aggregation}},
		.quantile = 0.5,
		.rollups = 1,
		.by = {{1, {"channel"}}},
		.slices_max = 100,
	};
}

static const char *const paid[] = {"cpc", "email"}, *const none[] = {""};

Test(metrics, only_series_for_which_every_condition_holds_feed_it)
{
	struct world world;
	struct rollup_spec spec = metric(AGGREGATE_COUNT);

	spec.terms[0].where_count = 2;
	spec.terms[0].where[0] = (struct rollup_where){"channel", paid, 2, false};
	spec.terms[0].where[1] = (struct rollup_where){"country", none, 1, false};
	begin(&world, &spec);
	uint32_t cpc = series(&world, WEIR_NUMBER, "visit", "", "cpc");
	uint32_t email = series(&world, WEIR_NUMBER, "visit", "", "email");
	uint32_t direct = series(&world, WEIR_NUMBER, "visit", "", "direct");
	uint32_t over = series(&world, WEIR_NUMBER, "visit", "__overflow__", NULL);
	add(&world, cpc, 0);
	add(&world, email, 0, 0);
	add(&world, direct, 0, 0, 0);
	add(&world, over, 0);
	const struct observations *seen = close_interval(&world, 1);
	cr_assert_eq(seen->value[0], 3);
	cr_assert_eq(seen->count, 3, "no slice of direct, none of what is over the bound");
	end(&world);
}

Test(metrics, an_interval_without_events_is_zero_or_missing_as_it_is_told)
{
	static const enum aggregation all[] = {AGGREGATE_COUNT, AGGREGATE_SUM, AGGREGATE_DISTINCT};

	for (int i = 0; i < 6; i++) {
		struct world world;
		struct rollup_spec spec = metric(all[i / 2]);
		bool missing = spec.empty_is_missing = i % 2;

		begin(&world, &spec);
		bool distinct = spec.terms[0].aggregation == AGGREGATE_DISTINCT;
		enum weir_kind kind = distinct ? WEIR_HASH : WEIR_NUMBER;
		uint32_t cpc = series(&world, kind, "visit", "", "cpc");
		uint32_t email = series(&world, kind, "visit", "", "email");
		add(&world, cpc, 0);
		add(&world, email, 0);
		close_interval(&world, 1);
		/* Zero is what came; of email nothing did, then of none. */
		add(&world, cpc, 0);
		const struct observations *seen = close_interval(&world, 2);
		if (!distinct) /* of which nobody made a sketch */
			cr_assert_eq(seen->value[1], all[i / 2] == AGGREGATE_COUNT);
		cr_assert(missing ? isnan(seen->value[2]) : seen->value[2] == 0);
		seen = close_interval(&world, 3);
		for (uint32_t slice = 0; slice < 3; slice++)
			cr_assert(missing ? isnan(seen->value[slice]) : seen->value[slice] == 0);
		cr_assert_eq(seen->events[0], 0);
		end(&world);
	}
}

Test(metrics, a_negated_condition_holds_where_the_dimension_is_missing)
{
	struct world world;
	struct rollup_spec spec = metric(AGGREGATE_COUNT);

	spec.terms[0].where_count = 1;
	spec.terms[0].where[0] = (struct rollup_where){"channel", paid, 2, true};
	begin(&world, &spec);
	uint32_t cpc = series(&world, WEIR_NUMBER, "visit", "", "cpc");
	uint32_t bare = series(&world, WEIR_NUMBER, "visit", "", NULL);
	add(&world, cpc, 0);
	add(&world, bare, 0, 0);
	cr_assert_eq(close_interval(&world, 1)->value[0], 2);
	end(&world);
}

Test(metrics, a_ratio_is_kept_as_its_two_halves_in_every_slice)
{
	struct world world;
	struct rollup_spec spec = metric(AGGREGATE_COUNT);

	spec.terms_count = 2;
	spec.terms[1] = spec.terms[0];
	spec.terms[0].event = "bounce";
	begin(&world, &spec);
	uint32_t visits = series(&world, WEIR_NUMBER, "visit", "", "cpc");
	uint32_t bounces = series(&world, WEIR_NUMBER, "bounce", "", "cpc");
	uint32_t alone = series(&world, WEIR_NUMBER, "bounce", "", "email");
	add(&world, visits, 0, 0, 0, 0);
	add(&world, bounces, 0);
	add(&world, alone, 0, 0);
	const struct observations *seen = close_interval(&world, 1);
	cr_assert_eq(seen->aggregation, AGGREGATE_RATIO);
	cr_assert_eq(seen->value[0], 0.75);
	cr_assert_eq(seen->numerator[0], 3);
	cr_assert_eq(seen->weight[0], 4);
	cr_assert_eq(seen->events[0], 4, "those of the denominator");
	cr_assert_eq(seen->value[1], 0.25);
	cr_assert(isnan(seen->value[2]), "a bounce of no visit");
	cr_assert_eq(seen->numerator[2], 2);
	cr_assert_eq(seen->weight[2], 0);
	cr_assert_eq(world.rows_count, 3);
	cr_assert_eq(world.rows[1].terms[0].count, 1);
	cr_assert_eq(world.rows[1].terms[1].count, 4);
	end(&world);
}

Test(metrics, a_series_may_feed_both_halves)
{
	struct world world;
	struct rollup_spec spec = metric(AGGREGATE_SUM);

	spec.terms_count = 2;
	spec.terms[1] = spec.terms[0];
	spec.terms[1].aggregation = AGGREGATE_COUNT;
	begin(&world, &spec);
	uint32_t visit = series(&world, WEIR_NUMBER, "visit", "value", NULL);
	add(&world, visit, 10, 20, 60);
	cr_assert_eq(close_interval(&world, 1)->value[0], 30, "what a mean would say");
	end(&world);
}

Test(metrics, companions_stand_for_events_that_came_aggregated)
{
	static const struct {
		enum aggregation aggregation;
		double value;
	} cases[] = {{AGGREGATE_COUNT, 12},
		     {AGGREGATE_SUM, 110},
		     {AGGREGATE_MEAN, 110.0 / 12},
		     {AGGREGATE_MIN, 3},
		     {AGGREGATE_MAX, 30}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;
		struct rollup_spec spec = metric(cases[i].aggregation);

		begin(&world, &spec);
		uint32_t plain = series(&world, WEIR_NUMBER, "visit", "", NULL);
		uint32_t count = series(&world, WEIR_NUMBER, "visit", "value:count", NULL);
		uint32_t sum = series(&world, WEIR_NUMBER, "visit", "value:sum", NULL);
		uint32_t squares = series(&world, WEIR_NUMBER, "visit", "value:sum_squares", NULL);
		uint32_t min = series(&world, WEIR_NUMBER, "visit", "value:min", NULL);
		uint32_t max = series(&world, WEIR_NUMBER, "visit", "value:max", NULL);
		uint32_t other = series(&world, WEIR_NUMBER, "visit", "items:sum", NULL);
		add(&world, plain, 4, 6);
		add(&world, count, 7, 2.6);
		add(&world, sum, 60, 40);
		add(&world, squares, 1000, 500);
		add(&world, min, 3, 5);
		add(&world, max, 30, 8);
		add(&world, other, 999);
		const struct observations *seen = close_interval(&world, 1);
		cr_assert_eq(seen->value[0], cases[i].value, "aggregation %zu: %g", i,
			     seen->value[0]);
		cr_assert_eq(seen->events[0], 12);
		cr_assert_eq(seen->sum_squares[0], 1552);
		end(&world);
	}
}

Test(metrics, the_squares_of_a_sum_that_came_alone_are_what_they_are_at_least)
{
	struct world world;
	struct rollup_spec spec = metric(AGGREGATE_SUM);

	begin(&world, &spec);
	uint32_t count = series(&world, WEIR_NUMBER, "visit", "value:count", NULL);
	uint32_t sum = series(&world, WEIR_NUMBER, "visit", "value:sum", NULL);
	add(&world, count, 4);
	add(&world, sum, 20);
	cr_assert_eq(close_interval(&world, 1)->sum_squares[0], 100);
	end(&world);
}

Test(metrics, a_percentile_lies_between_the_least_and_the_greatest_value)
{
	static const double ones[] = {1.01, 1.01, 1.01};
	struct world world;
	struct rollup_spec spec = metric(AGGREGATE_PERCENTILE);

	begin(&world, &spec);
	uint32_t visit = series(&world, WEIR_NUMBER, "visit", "", NULL);
	uint32_t hash = series(&world, WEIR_HASH, "visit", "", NULL);
	uint32_t companion = series(&world, WEIR_NUMBER, "visit", "value:max", NULL);
	add_cell(&world, cell_of(visit, ones, 3));
	sketched(&world, SKETCH_QUANTILE, ones, 3);
	add(&world, hash, 1);
	add(&world, companion, 77);
	const struct observations *seen = close_interval(&world, 1);
	cr_assert_eq(seen->value[0], 1.01, "the only value there is");
	cr_assert_eq(seen->events[0], 3, "no hashes, no aggregates");
	cr_assert_eq(seen->quantile, 0.5);
	cr_assert(isnan(close_interval(&world, 2)->value[0]), "nothing came");
	end(&world);
}

Test(metrics, a_percentile_of_some_of_the_events_is_none)
{
	static const double values[] = {1, 2, 3};
	struct world world;
	struct rollup_spec spec = metric(AGGREGATE_PERCENTILE);

	begin(&world, &spec);
	uint32_t cpc = series(&world, WEIR_NUMBER, "visit", "", "cpc");
	uint32_t email = series(&world, WEIR_NUMBER, "visit", "", "email");
	add_cell(&world, cell_of(cpc, values, 3));
	sketched(&world, SKETCH_QUANTILE, values, 2);
	add_cell(&world, cell_of(email, values, 3));
	sketched(&world, SKETCH_QUANTILE, values, 3);
	const struct observations *seen = close_interval(&world, 1);
	cr_assert(isnan(seen->value[0]));
	cr_assert(isnan(seen->value[1]), "the first event is not in its sketch");
	cr_assert_float_eq(seen->value[2], 2, 0.02);
	cr_assert_eq(seen->events[0], 6);
	cr_assert_null(world.rows[0].sketch);
	cr_assert_null(world.rows[1].sketch);
	cr_assert_not_null(world.rows[2].sketch);
	end(&world);
}

Test(metrics, different_values_are_counted_over_series_and_once)
{
	static const double first[] = {1, 2, 3}, second[] = {3, 4};
	struct world world;
	struct rollup_spec spec = metric(AGGREGATE_DISTINCT);

	begin(&world, &spec);
	uint32_t cpc = series(&world, WEIR_HASH, "visit", "", "cpc");
	uint32_t email = series(&world, WEIR_HASH, "visit", "", "email");
	uint32_t number = series(&world, WEIR_NUMBER, "visit", "", "email");
	add_cell(&world, cell_of(cpc, first, 3));
	sketched(&world, SKETCH_DISTINCT, first, 3);
	add_cell(&world, cell_of(email, second, 2));
	sketched(&world, SKETCH_DISTINCT, second, 2);
	add(&world, number, 5);
	const struct observations *seen = close_interval(&world, 1);
	cr_assert_eq(seen->value[0], 4);
	cr_assert_eq(seen->value[1], 3);
	cr_assert_eq(seen->value[2], 2);
	cr_assert_eq(seen->events[0], 5);
	cr_assert_eq(close_interval(&world, 2)->value[0], 0, "nothing came");
	end(&world);
}

Test(metrics, late_cells_are_rows_of_their_intervals_and_nothing_else)
{
	struct world world;
	struct rollup_spec spec = metric(AGGREGATE_SUM);

	begin(&world, &spec);
	uint32_t cpc = series(&world, WEIR_NUMBER, "visit", "", "cpc");
	uint32_t email = series(&world, WEIR_NUMBER, "visit", "", "email");
	add(&world, cpc, 1);
	add_late(&world, 3, cpc, 10);
	add_late(&world, 3, email, 100);
	add_late(&world, 5, email, 1000);
	add_late(&world, 3, cpc, 10000);
	const struct observations *seen = close_interval(&world, 9);
	cr_assert_eq(seen->value[0], 1);
	cr_assert_eq(seen->count, 3, "a slice that only late events have is one");

	static const struct {
		int64_t interval;
		uint32_t slice;
		double sum;
		bool late;
	} expected[] = {{9, 0, 1, false},    {9, 1, 1, false},  {3, 0, 10110, true},
			{3, 1, 10010, true}, {3, 2, 100, true}, {5, 0, 1000, true},
			{5, 2, 1000, true}};
	uint32_t cpc_slice = strcmp(seen->slices[1].label, "channel=cpc") == 0 ? 1 : 2;
	cr_assert_eq(cpc_slice, 1);
	cr_assert_eq(world.rows_count, 7);
	for (uint32_t i = 0; i < 7; i++) {
		const struct rollup_row *row = &world.rows[i];
		cr_assert_eq(row->interval, expected[i].interval, "row %u", i);
		cr_assert_eq(row->slice, expected[i].slice, "row %u", i);
		cr_assert_eq(row->terms[0].sum, expected[i].sum, "row %u", i);
		cr_assert_eq(row->late, expected[i].late, "row %u", i);
	}
	close_interval(&world, 10);
	cr_assert_eq(world.rows_count, 0, "told once");
	end(&world);
}
