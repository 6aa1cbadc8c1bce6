/* rollup: which series feed a metric, what its slices say, what a checkpoint keeps. */
#include <criterion/criterion.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "interval/rollup.h"
#include "support/definition.h"

#define SOURCE 1

struct shop {
	struct weir_definition *definitions[64];
	uint32_t count;
};

static const struct weir_definition *shop_lookup(const void *self, uint32_t series)
{
	const struct shop *shop = self;
	return series < shop->count ? shop->definitions[series] : NULL;
}

static uint32_t shop_add(struct shop *shop, enum weir_kind kind, const char *event,
			 const char *field, const char *country, const char *device)
{
	struct definition_pair pairs[2];
	uint32_t dimensions = 0;
	if (country)
		pairs[dimensions++] = (struct definition_pair){"country", country};
	if (device)
		pairs[dimensions++] = (struct definition_pair){"device", device};
	if (shop->count == 0)
		shop->count = 1;
	shop->definitions[shop->count] = definition_make(kind, event, field, dimensions, pairs);
	return shop->count++;
}

static void shop_fini(struct shop *shop)
{
	for (uint32_t i = 1; i < shop->count; i++)
		free(shop->definitions[i]);
}

/* purchase by country, and by country and device. */
static struct rollup_spec purchases(enum aggregation aggregation)
{
	return (struct rollup_spec){
		.metric = "orders",
		.terms_count = 1,
		.terms = {{.event = "purchase", .field = "", .aggregation = aggregation}},
		.rollups = 2,
		.by = {{1, {"country"}}, {2, {"device", "country"}}},
		.slices_max = 100,
	};
}

static struct rollup *make(const struct rollup_spec *spec, const struct shop *shop)
{
	struct rollup *rollup = rollup_create(spec, "live", SOURCE, 10000, shop_lookup, shop);
	cr_assert_not_null(rollup);
	return rollup;
}

/* A partial of one cell: count values of which the sum is `sum`. */
static void apply(struct rollup *rollup, int64_t interval, uint32_t series, uint64_t count,
		  double sum, double min, double max)
{
	struct partial *partial = calloc(1, sizeof(*partial) + sizeof(struct partial_cell));
	cr_assert_not_null(partial);
	partial->source = SOURCE;
	partial->interval = interval;
	partial->cell_count = 1;
	partial->cells[0] = (struct partial_cell){
		.series = series,
		.count = count,
		.sum = sum,
		.sum_squares = sum * sum,
		.min = min,
		.max = max,
	};
	rollup_apply(rollup, partial);
	free(partial);
}

static uint32_t find(const struct observations *observations, const char *label)
{
	for (uint32_t i = 0; i < observations->count; i++)
		if (!strcmp(observations->slices[i].label, label))
			return i;
	cr_assert_fail("no slice '%s'", label);
	return 0;
}

static void expect(const struct observations *observations, const char *label, double value)
{
	uint32_t i = find(observations, label);
	cr_assert_eq(observations->value[i], value, "slice '%s' is %g, not %g", label,
		     observations->value[i], value);
}

Test(rollup, the_total_exists_before_the_first_event)
{
	struct shop shop = {0};
	struct rollup_spec spec = purchases(AGGREGATE_COUNT);
	struct rollup *rollup = make(&spec, &shop);
	const struct observations *seen = rollup_close(rollup, 77, OBSERVATION_INCOMPLETE);
	cr_assert_eq(seen->count, 1);
	cr_assert_eq(seen->value[0], 0);
	cr_assert_eq(seen->events[0], 0);
	cr_assert_eq(seen->interval, 77);
	cr_assert_eq(seen->interval_ms, 10000);
	cr_assert_eq(seen->flags, OBSERVATION_INCOMPLETE);
	cr_assert_eq(seen->source_number, SOURCE);
	cr_assert_str_eq(seen->metric, "orders");
	cr_assert_str_eq(seen->source, "live");
	cr_assert_str_eq(seen->slices[0].label, "");
	cr_assert_eq(seen->slices[0].rollup, 0);
	cr_assert_eq(seen->slices[0].dimensions, 0);
	cr_assert_eq(seen->slices[0].born, 77);
	rollup_destroy(rollup);
}

Test(rollup, a_cell_counts_in_the_total_and_one_slice_of_each_rollup)
{
	struct shop shop = {0};
	struct rollup_spec spec = purchases(AGGREGATE_SUM);
	struct rollup *rollup = make(&spec, &shop);
	uint32_t de = shop_add(&shop, WEIR_NUMBER, "purchase", "", "DE", "mobile");
	uint32_t fr = shop_add(&shop, WEIR_NUMBER, "purchase", "", "FR", "mobile");
	uint32_t de2 = shop_add(&shop, WEIR_NUMBER, "purchase", "", "DE", "desktop");
	apply(rollup, 5, de, 2, 30, 10, 20);
	apply(rollup, 5, fr, 1, 7, 7, 7);
	apply(rollup, 5, de2, 4, 100, 1, 97);
	const struct observations *seen = rollup_close(rollup, 5, 0);
	cr_assert_eq(seen->count, 1 + 2 + 3);
	expect(seen, "", 137);
	expect(seen, "country=DE", 130);
	expect(seen, "country=FR", 7);
	expect(seen, "device=mobile,country=DE", 30);
	expect(seen, "device=mobile,country=FR", 7);
	expect(seen, "device=desktop,country=DE", 100);
	cr_assert_eq(seen->events[0], 7);
	cr_assert_eq(seen->sum_squares[0], 900 + 49 + 10000);
	/* Numbers by first appearance. */
	cr_assert_str_eq(seen->slices[1].label, "country=DE");
	cr_assert_str_eq(seen->slices[2].label, "device=mobile,country=DE");
	cr_assert_str_eq(seen->slices[3].label, "country=FR");
	const struct slice *slice = &seen->slices[2];
	cr_assert_eq(slice->rollup, 2);
	cr_assert_eq(slice->dimensions, 2);
	cr_assert_str_eq(slice->names[0], "device");
	cr_assert_str_eq(slice->values[0], "mobile");
	cr_assert_str_eq(slice->names[1], "country");
	cr_assert_str_eq(slice->values[1], "DE");
	rollup_destroy(rollup);
	shop_fini(&shop);
}

Test(rollup, a_close_leaves_the_sums_empty_and_the_slices_in_place)
{
	struct shop shop = {0};
	struct rollup_spec spec = purchases(AGGREGATE_MEAN);
	struct rollup *rollup = make(&spec, &shop);
	uint32_t de = shop_add(&shop, WEIR_NUMBER, "purchase", "value", "DE", "mobile");
	uint32_t fr = shop_add(&shop, WEIR_NUMBER, "purchase", "value", "FR", "mobile");
	apply(rollup, 5, de, 2, 30, 10, 20);
	rollup_close(rollup, 5, 0);
	apply(rollup, 6, fr, 1, 9, 9, 9);
	const struct observations *seen = rollup_close(rollup, 6, 0);
	expect(seen, "", 9);
	expect(seen, "country=FR", 9);
	cr_assert(isnan(seen->value[find(seen, "country=DE")]));
	cr_assert_eq(seen->events[find(seen, "country=DE")], 0);
	cr_assert_eq(find(seen, "country=DE"), 1);
	cr_assert_eq(seen->slices[0].born, 5);
	cr_assert_eq(seen->slices[find(seen, "country=DE")].born, 5);
	cr_assert_eq(seen->slices[find(seen, "country=FR")].born, 6);
	rollup_destroy(rollup);
	shop_fini(&shop);
}

Test(rollup, every_aggregation_says_what_its_name_says)
{
	const double expected[] = {
		[AGGREGATE_COUNT] = 5, [AGGREGATE_SUM] = -5, [AGGREGATE_MEAN] = -1,
		[AGGREGATE_MIN] = -9,  [AGGREGATE_MAX] = 6,
	};
	for (int i = AGGREGATE_COUNT; i <= AGGREGATE_MAX; i++) {
		struct shop shop = {0};
		struct rollup_spec spec = purchases((enum aggregation)i);
		struct rollup *rollup = make(&spec, &shop);
		uint32_t de = shop_add(&shop, WEIR_NUMBER, "purchase", "", "DE", "mobile");
		uint32_t fr = shop_add(&shop, WEIR_NUMBER, "purchase", "", "FR", "mobile");
		apply(rollup, 1, de, 2, 4, -2, 6);
		apply(rollup, 1, fr, 3, -9, -9, 1);
		const struct observations *seen = rollup_close(rollup, 1, 0);
		cr_assert_eq(seen->aggregation, (enum aggregation)i);
		expect(seen, "", expected[i]);
		seen = rollup_close(rollup, 2, 0);
		if (i == AGGREGATE_COUNT || i == AGGREGATE_SUM)
			expect(seen, "", 0);
		else
			cr_assert(isnan(seen->value[0]));
		rollup_destroy(rollup);
		shop_fini(&shop);
	}
}

Test(rollup, only_the_metrics_event_and_field_feed_it)
{
	struct shop shop = {0};
	struct rollup_spec spec = purchases(AGGREGATE_SUM);
	struct rollup_spec items_spec = spec;
	items_spec.terms[0].field = "items";
	struct rollup *value = make(&spec, &shop), *items = make(&items_spec, &shop);
	uint32_t ids[] = {
		shop_add(&shop, WEIR_NUMBER, "purchase", "", "DE", NULL),
		shop_add(&shop, WEIR_NUMBER, "purchase", "value", "DE", NULL),
		shop_add(&shop, WEIR_NUMBER, "purchase", "items", "DE", NULL),
		shop_add(&shop, WEIR_NUMBER, "purchases", "", "DE", NULL),
		shop_add(&shop, WEIR_NUMBER, "refund", "", "DE", NULL),
	};
	for (uint32_t i = 0; i < 5; i++) {
		apply(value, 1, ids[i], 1, 1 << i, 0, 0);
		apply(items, 1, ids[i], 1, 1 << i, 0, 0);
	}
	expect(rollup_close(value, 1, 0), "country=DE", 3);
	expect(rollup_close(items, 1, 0), "country=DE", 4);
	rollup_destroy(value);
	rollup_destroy(items);
	shop_fini(&shop);
}

Test(rollup, hashes_are_counted_and_never_summed)
{
	struct shop shop = {0};
	struct rollup_spec count_spec = purchases(AGGREGATE_COUNT);
	struct rollup_spec sum_spec = purchases(AGGREGATE_SUM);
	struct rollup *count = make(&count_spec, &shop), *sum = make(&sum_spec, &shop);
	uint32_t hash = shop_add(&shop, WEIR_HASH, "purchase", "", "DE", NULL);
	uint32_t number = shop_add(&shop, WEIR_NUMBER, "purchase", "", "DE", NULL);
	apply(count, 1, hash, 3, 1e300, 1e299, 1e300);
	apply(count, 1, number, 1, 2, 2, 2);
	apply(sum, 1, hash, 3, 1e300, 1e299, 1e300);
	apply(sum, 1, number, 1, 2, 2, 2);
	const struct observations *seen = rollup_close(count, 1, 0);
	expect(seen, "", 4);
	cr_assert_eq(seen->sum_squares[0], 4);
	seen = rollup_close(sum, 1, 0);
	expect(seen, "", 2);
	cr_assert_eq(seen->events[0], 1);
	rollup_destroy(count);
	rollup_destroy(sum);
	shop_fini(&shop);
}

Test(rollup, a_series_without_the_dimension_has_the_empty_value)
{
	struct shop shop = {0};
	struct rollup_spec spec = purchases(AGGREGATE_COUNT);
	struct rollup *rollup = make(&spec, &shop);
	uint32_t bare = shop_add(&shop, WEIR_NUMBER, "purchase", "", NULL, NULL);
	uint32_t empty = shop_add(&shop, WEIR_NUMBER, "purchase", "", "", "mobile");
	apply(rollup, 1, bare, 1, 0, 0, 0);
	apply(rollup, 1, empty, 1, 0, 0, 0);
	const struct observations *seen = rollup_close(rollup, 1, 0);
	expect(seen, "country=", 2);
	expect(seen, "device=,country=", 1);
	expect(seen, "device=mobile,country=", 1);
	rollup_destroy(rollup);
	shop_fini(&shop);
}

Test(rollup, labels_of_different_values_are_different)
{
	struct shop shop = {0};
	struct rollup_spec spec = purchases(AGGREGATE_COUNT);
	struct rollup *rollup = make(&spec, &shop);
	uint32_t a = shop_add(&shop, WEIR_NUMBER, "purchase", "", "", "x,country=y");
	uint32_t b = shop_add(&shop, WEIR_NUMBER, "purchase", "", "y,country=", "x");
	uint32_t c = shop_add(&shop, WEIR_NUMBER, "purchase", "", "\\", "x");
	apply(rollup, 1, a, 1, 0, 0, 0);
	apply(rollup, 1, b, 2, 0, 0, 0);
	apply(rollup, 1, c, 3, 0, 0, 0);
	const struct observations *seen = rollup_close(rollup, 1, 0);
	expect(seen, "device=x\\,country\\=y,country=", 1);
	expect(seen, "device=x,country=y\\,country\\=", 2);
	expect(seen, "device=x,country=\\\\", 3);
	cr_assert_str_eq(seen->slices[find(seen, "device=x,country=\\\\")].values[1], "\\");
	rollup_destroy(rollup);
	shop_fini(&shop);
}

Test(rollup, values_over_the_bound_share_the_overflow_slice)
{
	struct shop shop = {0};
	struct rollup_spec spec = purchases(AGGREGATE_COUNT);
	spec.slices_max = 6; /* the total, two overflow slices, three others */
	struct rollup *rollup = make(&spec, &shop);
	char country[8];
	for (uint32_t i = 0; i < 10; i++) {
		snprintf(country, sizeof(country), "C%u", i);
		uint32_t id = shop_add(&shop, WEIR_NUMBER, "purchase", "", country, "mobile");
		apply(rollup, 1, id, 1, 1, 1, 1);
	}
	const struct observations *seen = rollup_close(rollup, 1, 0);
	cr_assert_eq(seen->count, 6);
	expect(seen, "", 10);
	expect(seen, "country=C0", 1);
	expect(seen, "device=mobile,country=C0", 1);
	expect(seen, "country=C1", 1);
	expect(seen, "country=__overflow__", 8);
	expect(seen, "device=__overflow__,country=__overflow__", 9);
	cr_assert_eq(rollup_overflowed(rollup), 17);
	/* A slice that is there is found again when there is no room for others. */
	apply(rollup, 2, 1, 5, 5, 1, 1);
	expect(rollup_close(rollup, 2, 0), "country=C0", 5);
	cr_assert_eq(rollup_overflowed(rollup), 17);
	rollup_destroy(rollup);
	shop_fini(&shop);
}

Test(rollup, series_over_the_registrys_bound_count_in_the_total_and_overflow)
{
	struct shop shop = {0};
	struct rollup_spec spec = purchases(AGGREGATE_COUNT);
	struct rollup_spec items_spec = spec;
	items_spec.terms[0].field = "items";
	struct rollup *rollup = make(&spec, &shop), *items = make(&items_spec, &shop);
	uint32_t over = shop_add(&shop, WEIR_NUMBER, "purchase", "__overflow__", NULL, NULL);
	apply(rollup, 1, over, 4, 4, 1, 1);
	apply(items, 1, over, 4, 4, 1, 1);
	const struct observations *seen = rollup_close(rollup, 1, 0);
	expect(seen, "", 4);
	expect(seen, "country=__overflow__", 4);
	expect(seen, "device=__overflow__,country=__overflow__", 4);
	cr_assert_eq(seen->count, 3);
	expect(rollup_close(items, 1, 0), "", 0);
	rollup_destroy(rollup);
	rollup_destroy(items);
	shop_fini(&shop);
}

Test(rollup, a_series_that_is_not_known_yet_is_asked_for_again)
{
	struct shop shop = {0};
	struct rollup_spec spec = purchases(AGGREGATE_COUNT);
	struct rollup *rollup = make(&spec, &shop);
	apply(rollup, 1, 1, 3, 0, 0, 0);
	expect(rollup_close(rollup, 1, 0), "", 0);
	shop_add(&shop, WEIR_NUMBER, "purchase", "", "DE", NULL);
	apply(rollup, 2, 1, 3, 0, 0, 0);
	expect(rollup_close(rollup, 2, 0), "country=DE", 3);
	rollup_destroy(rollup);
	shop_fini(&shop);
}

Test(rollup, no_detector_sees_an_infinity)
{
	struct shop shop = {0};
	struct rollup_spec spec = purchases(AGGREGATE_SUM);
	struct rollup *rollup = make(&spec, &shop);
	uint32_t de = shop_add(&shop, WEIR_NUMBER, "purchase", "", "DE", NULL);
	uint32_t fr = shop_add(&shop, WEIR_NUMBER, "purchase", "", "FR", NULL);
	apply(rollup, 1, de, 1, -DBL_MAX, -DBL_MAX, -DBL_MAX);
	apply(rollup, 1, fr, 1, -DBL_MAX, -DBL_MAX, -DBL_MAX);
	const struct observations *seen = rollup_close(rollup, 1, 0);
	expect(seen, "", -DBL_MAX);
	cr_assert_eq(seen->sum_squares[0], DBL_MAX);
	rollup_destroy(rollup);
	shop_fini(&shop);
}

Test(rollup, observations_lie_at_cache_lines)
{
	struct shop shop = {0};
	struct rollup_spec spec = purchases(AGGREGATE_SUM);
	struct rollup *rollup = make(&spec, &shop);
	char country[8];
	for (uint32_t i = 0; i < 40; i++) {
		snprintf(country, sizeof(country), "C%u", i);
		uint32_t id = shop_add(&shop, WEIR_NUMBER, "purchase", "", country, "mobile");
		apply(rollup, 1, id, 1, i, 1, 1);
	}
	const struct observations *seen = rollup_close(rollup, 1, 0);
	cr_assert_eq(seen->count, 81);
	cr_assert_eq((uintptr_t)seen->value % 64, 0);
	cr_assert_eq((uintptr_t)seen->events % 64, 0);
	cr_assert_eq((uintptr_t)seen->sum_squares % 64, 0);
	expect(seen, "country=C39", 39);
	expect(seen, "", 39 * 40 / 2);
	rollup_destroy(rollup);
	shop_fini(&shop);
}

/* Twelve countries under a bound of eight slices, closed once, as saved bytes. */
static struct rollup *full(const struct rollup_spec *spec, struct shop *shop, struct bytes *out)
{
	struct rollup *rollup = make(spec, shop);
	char country[8];
	for (uint32_t i = 0; i < 12; i++) {
		snprintf(country, sizeof(country), "C%u", i);
		uint32_t id = shop_add(shop, WEIR_NUMBER, "purchase", "", country, "mobile");
		apply(rollup, 9, id, 1, 1, 1, 1);
	}
	rollup_close(rollup, 9, 0);
	rollup_save(rollup, out);
	cr_assert_not(out->failed);
	return rollup;
}

Test(rollup, a_checkpoint_keeps_slices_their_numbers_and_their_births)
{
	struct shop shop = {0};
	struct bytes saved = {0};
	struct rollup_spec spec = purchases(AGGREGATE_COUNT);
	spec.slices_max = 8;
	struct rollup *first = full(&spec, &shop, &saved), *second = make(&spec, &shop);
	struct bytes_reader in = {saved.data, saved.used, false};
	cr_assert_eq(rollup_load(second, &in), 0);
	cr_assert_eq(in.left, 0);
	cr_assert_eq(rollup_overflowed(second), rollup_overflowed(first));
	for (uint32_t i = 12; i > 0; i--) {
		apply(first, 10, i, i, 1, 1, 1);
		apply(second, 10, i, i, 1, 1, 1);
	}
	const struct observations *a = rollup_close(first, 10, 0), *b = rollup_close(second, 10, 0);
	cr_assert_eq(a->count, 8);
	cr_assert_eq(b->count, 8);
	for (uint32_t i = 0; i < 8; i++) {
		cr_assert_str_eq(a->slices[i].label, b->slices[i].label);
		cr_assert_eq(b->slices[i].born, 9);
		cr_assert_eq(a->slices[i].rollup, b->slices[i].rollup);
		cr_assert_eq(a->value[i], b->value[i]);
	}
	cr_assert_eq(rollup_overflowed(second), rollup_overflowed(first));
	rollup_destroy(first);
	rollup_destroy(second);
	bytes_fini(&saved);
	shop_fini(&shop);
}

Test(rollup, a_load_replaces_what_was_there)
{
	struct shop shop = {0};
	struct bytes empty = {0}, saved = {0};
	struct rollup_spec spec = purchases(AGGREGATE_COUNT);
	spec.slices_max = 8;
	struct rollup *fresh = make(&spec, &shop);
	rollup_save(fresh, &empty);
	struct rollup *used = full(&spec, &shop, &saved);
	apply(used, 10, 3, 1, 1, 1, 1);
	struct bytes_reader in = {empty.data, empty.used, false};
	cr_assert_eq(rollup_load(used, &in), 0);
	for (uint32_t i = 12; i > 0; i--) {
		apply(fresh, 11, i, i, 1, 1, 1);
		apply(used, 11, i, i, 1, 1, 1);
	}
	const struct observations *a = rollup_close(fresh, 11, 0), *b = rollup_close(used, 11, 0);
	cr_assert_eq(a->count, 8);
	cr_assert_eq(b->count, 8);
	for (uint32_t i = 0; i < 8; i++) {
		cr_assert_str_eq(a->slices[i].label, b->slices[i].label);
		cr_assert_eq(a->value[i], b->value[i]);
		cr_assert_eq(b->slices[i].born, 11);
	}
	cr_assert_eq(rollup_overflowed(used), rollup_overflowed(fresh));
	rollup_destroy(fresh);
	rollup_destroy(used);
	bytes_fini(&empty);
	bytes_fini(&saved);
	shop_fini(&shop);
}

Test(rollup, a_checkpoint_cut_short_anywhere_is_refused)
{
	struct shop shop = {0};
	struct bytes saved = {0};
	struct rollup_spec spec = purchases(AGGREGATE_COUNT);
	struct rollup *first = full(&spec, &shop, &saved), *second = make(&spec, &shop);
	for (size_t left = 0; left < saved.used; left++) {
		struct bytes_reader in = {saved.data, left, false};
		cr_assert_eq(rollup_load(second, &in), -EPROTO, "%zu bytes", left);
		cr_assert_eq(rollup_close(second, 1, 0)->count, 1);
	}
	rollup_destroy(first);
	rollup_destroy(second);
	bytes_fini(&saved);
	shop_fini(&shop);
}

Test(rollup, a_checkpoint_of_other_rollups_is_refused)
{
	struct shop shop = {0};
	struct bytes saved = {0};
	struct rollup_spec spec = purchases(AGGREGATE_COUNT);
	struct rollup *first = full(&spec, &shop, &saved);
	struct rollup_spec fewer = spec, renamed = spec;
	fewer.rollups = 1;
	renamed.by[1].names[0] = "channel";
	struct rollup *others[] = {make(&fewer, &shop), make(&renamed, &shop)};
	for (uint32_t i = 0; i < 2; i++) {
		struct bytes_reader in = {saved.data, saved.used, false};
		cr_assert_eq(rollup_load(others[i], &in), -EPROTO);
		rollup_destroy(others[i]);
	}
	rollup_destroy(first);
	bytes_fini(&saved);
	shop_fini(&shop);
}

struct kept {
	char label[64];
	struct rollup_stats stats;
};

struct keeping_rows {
	const struct observations *observations;
	struct kept rows[64];
	uint32_t count;
};

static void keep_row(void *self, const struct rollup_row *row)
{
	struct keeping_rows *rows = self;
	struct kept *kept = &rows->rows[rows->count++];
	cr_assert_lt(rows->count, 64);
	snprintf(kept->label, sizeof(kept->label), "%s",
		 rows->observations->slices[row->slice].label);
	kept->stats = row->terms[0];
}

/* What a roll-up tells the history, and what the history puts back, is the same to detectors. */
Test(rollup, rows_put_back_are_observed_as_the_cells_were)
{
	struct shop shop = {0};
	struct rollup_spec spec = purchases(AGGREGATE_SUM);
	uint32_t plain = shop_add(&shop, WEIR_NUMBER, "purchase", "value", "DE", "tv");
	uint32_t odd = shop_add(&shop, WEIR_NUMBER, "purchase", "value", "a,b=c\\", "x\\,y");
	uint32_t none = shop_add(&shop, WEIR_NUMBER, "purchase", "value", NULL, NULL);
	struct rollup *lived = make(&spec, &shop), *again = make(&spec, &shop);

	for (int64_t interval = 1; interval < 4; interval++) {
		struct keeping_rows rows = {.count = 0};
		if (interval != 2) {
			apply(lived, interval, plain, 2, 0.1 + 0.2, 0.1, 0.2);
			apply(lived, interval, odd, 1, 7, 7, 7);
		}
		if (interval == 3)
			apply(lived, interval, none, 1, 1, 1, 1);
		rows.observations = rollup_close(lived, interval, 0);
		rollup_rows(lived, keep_row, &rows);
		for (uint32_t i = 0; i < rows.count; i++) {
			struct rollup_stats terms[2] = {rows.rows[i].stats};
			uint32_t slice = rollup_slice(again, rows.rows[i].label, interval);
			cr_assert_neq(slice, UINT32_MAX, "%s", rows.rows[i].label);
			rollup_put(again, slice, interval, terms, NULL);
		}
		const struct observations *a = rows.observations;
		const struct observations *b = rollup_close(again, interval, 0);
		cr_assert_eq(a->count, b->count);
		for (uint32_t i = 0; i < a->count; i++) {
			cr_expect_str_eq(a->slices[i].label, b->slices[i].label);
			cr_expect_eq(a->slices[i].born, b->slices[i].born);
			cr_expect_eq(memcmp(&a->value[i], &b->value[i], sizeof(double)), 0);
			cr_expect_eq(a->events[i], b->events[i]);
			cr_expect_eq(a->sum_squares[i], b->sum_squares[i]);
		}
	}
	static const char *const wrong[] = {"country", "country=", "city=Rome", "country=DE,",
					    "country=DE\\", "country=DE,device=tv,x=y"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		bool unknown = rollup_slice(again, wrong[i], 4) == UINT32_MAX;
		/* An empty value is a value. */
		cr_expect_eq(unknown, strcmp(wrong[i], "country=") != 0, "%s", wrong[i]);
	}
	rollup_destroy(lived);
	rollup_destroy(again);
	shop_fini(&shop);
}
