/*
 * The series registry and the bytes of a definition.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/series.h"
#include "random.h"

/* A definition in memory of its own, so that a sanitizer sees every byte read too far. */
static struct weir_definition *exact_copy(const void *bytes, size_t count)
{
	void *copy = malloc(count ? count : 1);
	cr_assert_not_null(copy);
	memcpy(copy, bytes, count);
	return copy;
}

static struct weir_definition *build(void *out, const char *event, const char *field,
				     uint32_t dimensions, const char *const *names,
				     const char *const *values)
{
	int bytes = series_build(out, WEIR_DEFINITION_BYTES_MAX, WEIR_NUMBER, event, field,
				 dimensions, names, values);
	cr_assert_gt(bytes, 0, "series_build: %d", bytes);
	return out;
}

static bool text_is(struct series_text text, const char *expected)
{
	return text.count == strlen(expected) && !memcmp(text.bytes, expected, text.count);
}

Test(series, a_built_definition_gives_back_its_parts_sorted_by_name)
{
	_Alignas(8) char record[WEIR_DEFINITION_BYTES_MAX];
	const char *names[] = {"device", "country", "dev"};
	const char *values[] = {"mobile", "DE", ""};
	struct weir_definition *d = build(record, "purchase", "value", 3, names, values);
	struct series_text name, value;

	cr_expect_eq(series_check(d, d->bytes, NULL), 0);
	cr_expect(text_is(series_event(d), "purchase"));
	cr_expect(text_is(series_field(d), "value"));
	series_dimension(d, 0, &name, &value);
	cr_expect(text_is(name, "country") && text_is(value, "DE"));
	series_dimension(d, 1, &name, &value);
	cr_expect(text_is(name, "dev") && text_is(value, ""));
	series_dimension(d, 2, &name, &value);
	cr_expect(text_is(name, "device") && text_is(value, "mobile"));
}

Test(series, the_order_of_dimensions_given_does_not_matter)
{
	_Alignas(8) char a[WEIR_DEFINITION_BYTES_MAX], b[WEIR_DEFINITION_BYTES_MAX];
	const char *names_a[] = {"x", "a", "m"}, *values_a[] = {"1", "2", "3"};
	const char *names_b[] = {"m", "x", "a"}, *values_b[] = {"3", "1", "2"};
	struct weir_definition *d = build(a, "e", "", 3, names_a, values_a);
	build(b, "e", "", 3, names_b, values_b);
	cr_expect_eq(memcmp(a, b, d->bytes), 0);
}

Test(series, build_refuses_what_is_not_a_definition)
{
	_Alignas(8) char out[WEIR_DEFINITION_BYTES_MAX];
	char long_name[WEIR_NAME_BYTES_MAX + 2], long_value[WEIR_LABEL_BYTES_MAX + 2];
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = 0;
	memset(long_value, 'v', sizeof(long_value) - 1);
	long_value[sizeof(long_value) - 1] = 0;
	const char *twice[] = {"a", "a"}, *empty[] = {""}, *one[] = {"a"}, *v[] = {"1", "2"};
	const char *bad_utf8[] = {"\xff"}, *too_long[] = {long_value}, *name_long[] = {long_name};
	size_t n = sizeof(out);

	cr_expect_eq(series_build(out, n, WEIR_NUMBER, "", "f", 0, NULL, NULL), -EINVAL);
	cr_expect_eq(series_build(out, n, WEIR_NUMBER, NULL, "f", 0, NULL, NULL), -EINVAL);
	cr_expect_eq(series_build(out, n, WEIR_NUMBER, long_name, "f", 0, NULL, NULL), -EINVAL);
	cr_expect_eq(series_build(out, n, WEIR_NUMBER, "e", long_name, 0, NULL, NULL), -EINVAL);
	cr_expect_eq(series_build(out, n, (enum weir_kind)2, "e", "f", 0, NULL, NULL), -EINVAL);
	cr_expect_eq(series_build(out, n, WEIR_NUMBER, "e", "f", 2, twice, v), -EINVAL);
	cr_expect_eq(series_build(out, n, WEIR_NUMBER, "e", "f", 1, empty, v), -EINVAL);
	cr_expect_eq(series_build(out, n, WEIR_NUMBER, "e", "f", 1, name_long, v), -EINVAL);
	cr_expect_eq(series_build(out, n, WEIR_NUMBER, "e", "f", 1, one, too_long), -EINVAL);
	cr_expect_eq(series_build(out, n, WEIR_NUMBER, "e", "f", 1, one, bad_utf8), -EINVAL);
	cr_expect_eq(series_build(out, n, WEIR_NUMBER, "\xc0\x80", "f", 0, NULL, NULL), -EINVAL);
	cr_expect_eq(series_build(out, n, WEIR_NUMBER, "e", "f", 17, one, v), -EINVAL);
	cr_expect_eq(series_build(out, 8, WEIR_NUMBER, "e", "f", 1, one, v), -ENOSPC);
}

Test(series, the_longest_definition_is_taken)
{
	_Alignas(8) char out[WEIR_DEFINITION_BYTES_MAX];
	char name[16][WEIR_NAME_BYTES_MAX + 1], value[WEIR_LABEL_BYTES_MAX + 1];
	const char *names[16], *values[16];
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	for (int i = 0; i < 16; i++) {
		memset(name[i], 'a' + i, WEIR_NAME_BYTES_MAX);
		name[i][WEIR_NAME_BYTES_MAX] = 0;
		names[15 - i] = name[i];
		values[i] = value;
	}
	struct weir_definition *d = build(out, name[0], name[1], 16, names, values);
	cr_expect_eq(series_check(d, d->bytes, NULL), 0);
}

Test(series, text_is_checked_as_utf8)
{
	static const struct {
		const char *text;
		int ok;
	} cases[] = {
		{"ascii", 1},
		{"\xc3\xa9", 1},
		{"\xe2\x82\xac", 1},
		{"\xf0\x9f\x9b\x92", 1},
		{"\xed\x9f\xbf", 1},
		{"\xee\x80\x80", 1},
		{"\xf4\x8f\xbf\xbf", 1},
		{"\x7f", 1},
		{"\x80", 0},
		{"\xc0\xaf", 0},
		{"\xc1\xbf", 0},
		{"\xc3", 0},
		{"\xc3(", 0},
		{"\xe0\x9f\xbf", 0},
		{"\xe2\x82", 0},
		{"\xe2\x28\xa1", 0},
		{"\xed\xa0\x80", 0},
		{"\xf0\x8f\xbf\xbf", 0},
		{"\xf4\x90\x80\x80", 0},
		{"\xf5\x80\x80\x80", 0},
		{"\xf0\x9f\x9b", 0},
		{"\xfe", 0},
		{"a\xff", 0},
		{"\xe2\x82\xac\xbf", 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_Alignas(8) char out[WEIR_DEFINITION_BYTES_MAX];
		const char *names[] = {"d"}, *values[] = {cases[i].text};
		int r = series_build(out, sizeof(out), WEIR_HASH, "e", "", 1, names, values);
		cr_expect_eq(r > 0, cases[i].ok, "case %zu", i);
	}
}

Test(series, check_refuses_every_truncation_without_reading_beyond_it)
{
	_Alignas(8) char record[WEIR_DEFINITION_BYTES_MAX];
	const char *names[] = {"country", "device"}, *values[] = {"DE", "mobile"};
	struct weir_definition *d = build(record, "page_view", "value", 2, names, values);
	uint32_t bytes = d->bytes;

	for (uint32_t left = 0; left < bytes; left++) {
		const char *why = NULL;
		struct weir_definition *cut = exact_copy(record, left);
		cr_expect_eq(series_check(cut, left, &why), -EINVAL, "%u of %u bytes", left, bytes);
		cr_expect_not_null(why);
		if (left >= 8 && left % 8 == 0) { /* the same, with a length that says so */
			cut->bytes = left;
			cr_expect_eq(series_check(cut, left, &why), -EINVAL, "short %u", left);
		}
		free(cut);
	}
	struct weir_definition *whole = exact_copy(record, bytes);
	cr_expect_eq(series_check(whole, bytes, NULL), 0);
	free(whole);
}

Test(series, check_refuses_nonzero_or_needless_padding_and_nul)
{
	_Alignas(8) char record[WEIR_DEFINITION_BYTES_MAX] = {0};
	struct weir_definition *d = build(record, "ab", "", 0, NULL, NULL); /* 8 + 2 + 6 */
	cr_assert_eq(d->bytes, 16);
	record[15] = 1;
	cr_expect_eq(series_check(d, 16, NULL), -EINVAL);
	record[15] = 0;
	d->bytes = 24;
	cr_expect_eq(series_check(d, 24, NULL), -EINVAL);
	d->bytes = 16;
	d->text[1] = 0;
	cr_expect_eq(series_check(d, 16, NULL), -EINVAL);
}

Test(series, what_check_lets_through_of_random_bytes_is_sound)
{
	_Alignas(8) char seedling[WEIR_DEFINITION_BYTES_MAX];
	const char *names[] = {"country", "device"}, *values[] = {"DE", "mobile"};
	struct weir_definition *d = build(seedling, "page_view", "value", 2, names, values);
	uint64_t random = 7;
	uint32_t taken = 0;

	for (int i = 0; i < 200000; i++) {
		/* Half of them pure noise, half a good record with a few bytes changed. */
		uint32_t left = random_below(&random, 2) ? d->bytes : random_below(&random, 96);
		char *at = malloc(left ? left : 1);
		for (uint32_t k = 0; k < left; k++)
			at[k] = (char)random_u64(&random);
		if (left == d->bytes && random_below(&random, 8)) {
			memcpy(at, seedling, left);
			for (uint32_t k = random_below(&random, 4); k > 0; k--)
				at[random_below(&random, left)] = (char)random_u64(&random);
		}
		const struct weir_definition *candidate = (const void *)at;
		if (series_check(candidate, left, NULL) == 0) {
			struct series_text name, value, before = {"", 0};
			taken++;
			for (uint32_t k = 0; k < candidate->dimensions; k++) {
				series_dimension(candidate, k, &name, &value);
				cr_assert(value.bytes + value.count <= at + candidate->bytes);
				cr_assert(k == 0 || name.count != before.count ||
					  memcmp(name.bytes, before.bytes, name.count));
				before = name;
			}
		}
		free(at);
	}
	cr_expect_gt(taken, 1000); /* the test has teeth on both sides */
}

/* The oracle: definitions in an array, looked up by walking it. */
struct oracle {
	struct weir_definition *definitions[400];
	uint32_t count; /* ids 1 .. count */
};

static uint32_t oracle_intern(struct oracle *oracle, const struct weir_definition *d, uint32_t max)
{
	for (uint32_t id = 1; id <= oracle->count; id++)
		if (oracle->definitions[id]->bytes == d->bytes &&
		    !memcmp(oracle->definitions[id], d, d->bytes))
			return id;
	if (oracle->count >= max)
		return 0;
	oracle->definitions[++oracle->count] = exact_copy(d, d->bytes);
	return oracle->count;
}

Test(series, interning_agrees_with_a_simple_oracle_also_over_the_bound)
{
	enum { SERIES_MAX = 320, ORDINARY_MAX = SERIES_MAX - SERIES_MAX / 16 };
	struct series_registry *registry = series_create(SERIES_MAX);
	struct oracle oracle = {.count = 0};
	uint64_t random = 42, overflowed = 0;

	cr_assert_not_null(registry);
	for (int i = 0; i < 20000; i++) {
		_Alignas(8) char record[WEIR_DEFINITION_BYTES_MAX], over[WEIR_DEFINITION_BYTES_MAX];
		char event[16], value[16];
		snprintf(event, sizeof(event), "event%u", random_below(&random, 40));
		snprintf(value, sizeof(value), "%u", random_below(&random, 10 + i / 400));
		const char *names[] = {"country"}, *values[] = {value};
		build(record, event, "value", 1, names, values);
		struct weir_definition *d = (void *)record;

		uint32_t expected = oracle_intern(&oracle, d, ORDINARY_MAX);
		if (!expected) {
			overflowed++;
			build(over, event, "__overflow__", 0, NULL, NULL);
			expected = oracle_intern(&oracle, (void *)over, SERIES_MAX);
		}
		uint32_t id = series_intern(registry, d);
		cr_assert_eq(id, expected, "step %d: %u, expected %u", i, id, expected);
		cr_assert_eq(series_count(registry), oracle.count + 1);
		cr_assert_eq(series_overflowed(registry), overflowed);
	}
	cr_expect_gt(overflowed, 0);
	cr_expect_eq(oracle.count, SERIES_MAX); /* 40 events over 20 overflow ids: some got none */
	for (uint32_t id = 1; id <= oracle.count; id++) {
		cr_expect_eq(memcmp(series_get(registry, id), oracle.definitions[id],
				    oracle.definitions[id]->bytes),
			     0);
		free(oracle.definitions[id]);
	}
	cr_expect_null(series_get(registry, 0));
	cr_expect_null(series_get(registry, SERIES_MAX + 1));
	series_destroy(registry);
}

Test(series, definitions_stay_where_they_are_while_the_table_grows)
{
	enum { COUNT = 50000 };
	struct series_registry *registry = series_create(1 << 17);
	const struct weir_definition **seen = calloc(COUNT + 1, sizeof(*seen));

	for (uint32_t i = 1; i <= COUNT; i++) {
		_Alignas(8) char record[64];
		char event[24];
		snprintf(event, sizeof(event), "event number %u", i);
		cr_assert_gt(series_build(record, sizeof(record), WEIR_NUMBER, event, "", 0, NULL,
					  NULL),
			     0);
		cr_assert_eq(series_intern(registry, (void *)record), i);
		seen[i] = series_get(registry, i);
	}
	for (uint32_t i = 1; i <= COUNT; i++)
		cr_assert(series_get(registry, i) == seen[i]);
	free(seen);
	series_destroy(registry);
}

Test(series, recovery_restores_ids_with_holes_and_refuses_contradictions)
{
	_Alignas(8) char a[64], b[64], c[64];
	struct series_registry *registry = series_create(100);
	build(a, "a", "", 0, NULL, NULL);
	build(b, "b", "", 0, NULL, NULL);
	build(c, "c", "", 0, NULL, NULL);

	cr_expect_eq(series_restore(registry, 7, (void *)a), 0);
	cr_expect_eq(series_restore(registry, 7, (void *)a), 0);
	cr_expect_eq(series_restore(registry, 7, (void *)b), -EEXIST);
	cr_expect_eq(series_restore(registry, 8, (void *)a), -EEXIST);
	cr_expect_eq(series_restore(registry, 3, (void *)b), 0);
	cr_expect_eq(series_restore(registry, 101, (void *)c), -ENOSPC);
	cr_expect_eq(series_restore(registry, 0, (void *)c), -ENOSPC);
	cr_expect_eq(series_count(registry), 8);
	cr_expect_null(series_get(registry, 5));
	cr_expect_eq(series_intern(registry, (void *)b), 3);
	cr_expect_eq(series_intern(registry, (void *)c), 1);
	series_destroy(registry);
}

Test(series, ids_that_recovery_found_nowhere_are_given_again_before_new_ones)
{
	_Alignas(8) char record[64];
	static const char *const events[] = {"d", "e", "f", "g", "h", "i"};
	static const uint32_t ids[] = {1, 2, 4, 6, 7, 8};
	struct series_registry *registry = series_create(100);

	build(record, "a", "", 0, NULL, NULL);
	cr_expect_eq(series_restore(registry, 5, (void *)record), 0);
	build(record, "b", "", 0, NULL, NULL);
	cr_expect_eq(series_restore(registry, 3, (void *)record), 0);
	for (int i = 0; i < 6; i++) {
		build(record, events[i], "", 0, NULL, NULL);
		cr_expect_eq(series_intern(registry, (void *)record), ids[i]);
		cr_expect(text_is(series_event(series_get(registry, ids[i])), events[i]));
	}
	cr_expect_eq(series_count(registry), 9);
	series_destroy(registry);
}

Test(series, the_hash_of_a_definition_is_fnv_1a_of_its_bytes)
{
	_Alignas(8) char record[64];
	struct weir_definition *d = build(record, "purchase", "value", 0, NULL, NULL);
	/* From the definition of FNV-1a, once more and differently. */
	uint64_t hash = 0xcbf29ce484222325;
	for (uint32_t i = 0; i < d->bytes; i++) {
		hash ^= (uint8_t)record[i];
		hash += (hash << 1) + (hash << 4) + (hash << 5) + (hash << 7) + (hash << 8) +
			(hash << 40);
	}
	cr_expect_eq(series_hash(d), hash);
}

Test(series, a_registry_has_room_for_at_least_one_series)
{
	_Alignas(8) char a[64], b[64];
	build(a, "a", "", 0, NULL, NULL);
	build(b, "b", "", 0, NULL, NULL);
	cr_expect_null(series_create(0));
	cr_expect_null(series_create(WEIR_SERIES_MAX + 1));
	struct series_registry *registry = series_create(1);
	cr_expect_eq(series_intern(registry, (void *)a), 1);
	cr_expect_eq(series_intern(registry, (void *)b), 0);
	cr_expect_eq(series_intern(registry, (void *)a), 1);
	series_destroy(registry);
}

static enum weir_sketch sketch_of(struct series_registry *registry, enum weir_kind kind,
				  const char *event, const char *field)
{
	_Alignas(8) char record[256];
	cr_assert_gt(series_build(record, sizeof(record), kind, event, field, 0, NULL, NULL), 0);
	return series_sketch(registry, (const void *)record);
}

Test(series, hashes_are_always_sketched_and_numbers_as_wished)
{
	struct series_registry *registry = series_create(10);
	const struct series_wish wishes[] = {{"purchase", "value"}, {"search", "results"}};

	cr_assert_eq(series_wants(registry), 0);
	cr_assert_eq(sketch_of(registry, WEIR_HASH, "visit", ""), WEIR_SKETCH_DISTINCT);
	cr_assert_eq(sketch_of(registry, WEIR_NUMBER, "purchase", ""), WEIR_SKETCH_NONE);
	cr_assert_eq(series_want(registry, wishes, 2), 0);
	cr_assert_eq(series_wants(registry), 1);
	cr_assert_eq(sketch_of(registry, WEIR_NUMBER, "purchase", ""), WEIR_SKETCH_QUANTILE);
	cr_assert_eq(sketch_of(registry, WEIR_NUMBER, "purchase", "value"), WEIR_SKETCH_QUANTILE);
	cr_assert_eq(sketch_of(registry, WEIR_NUMBER, "purchase", "items"), WEIR_SKETCH_NONE);
	cr_assert_eq(sketch_of(registry, WEIR_NUMBER, "purchase", "__overflow__"),
		     WEIR_SKETCH_QUANTILE);
	cr_assert_eq(sketch_of(registry, WEIR_NUMBER, "search", ""), WEIR_SKETCH_NONE);
	cr_assert_eq(sketch_of(registry, WEIR_NUMBER, "search", "results"), WEIR_SKETCH_QUANTILE);
	cr_assert_eq(sketch_of(registry, WEIR_NUMBER, "searches", "results"), WEIR_SKETCH_NONE);
	cr_assert_eq(sketch_of(registry, WEIR_HASH, "purchase", ""), WEIR_SKETCH_DISTINCT);
	series_destroy(registry);
}

Test(series, the_last_wishes_hold_and_no_others)
{
	struct series_registry *registry = series_create(10);
	const struct series_wish first = {"purchase", ""}, second = {"refund", ""};

	cr_assert_eq(series_want(registry, &first, 1), 0);
	cr_assert_eq(series_want(registry, &second, 1), 0);
	cr_assert_eq(sketch_of(registry, WEIR_NUMBER, "purchase", "value"), WEIR_SKETCH_NONE);
	cr_assert_eq(sketch_of(registry, WEIR_NUMBER, "refund", ""), WEIR_SKETCH_QUANTILE);
	cr_assert_eq(series_want(registry, NULL, 0), 0);
	cr_assert_eq(series_wants(registry), 3);
	cr_assert_eq(sketch_of(registry, WEIR_NUMBER, "refund", ""), WEIR_SKETCH_NONE);
	series_destroy(registry);
}
