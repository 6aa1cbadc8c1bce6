/* sketch: its ends, its bytes on disk, what it refuses. Errors are measured in tests/property. */
#include <criterion/criterion.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "interval/sketch.h"

static struct sketch *make(enum sketch_kind kind, const double *values, uint32_t count)
{
	struct sketch *sketch = sketch_create(kind);

	cr_assert_not_null(sketch);
	for (uint32_t i = 0; i < count; i++)
		cr_assert_eq(sketch_add(sketch, values[i]), 0);
	return sketch;
}

static double of_bits(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static void expect_bytes(const struct sketch *sketch, const uint8_t *expected, size_t count)
{
	struct bytes bytes = {0};

	sketch_save(sketch, &bytes);
	cr_assert_eq(bytes.used, count, "%zu bytes", bytes.used);
	cr_assert_arr_eq(bytes.data, expected, count);
	bytes_fini(&bytes);
}

static int merge(struct sketch *into, const void *data, size_t bytes)
{
	struct bytes_reader in = {.data = data, .left = bytes};

	return sketch_merge_saved(into, &in);
}

Test(sketch, an_empty_one_has_no_quantile_and_nothing_distinct)
{
	static const uint8_t distinct[8] = {1}, quantile[8] = {2};
	struct sketch *d = make(SKETCH_DISTINCT, NULL, 0), *q = make(SKETCH_QUANTILE, NULL, 0);

	cr_assert_eq(sketch_distinct(d), 0);
	cr_assert(isnan(sketch_quantile(q, 0.5)));
	cr_assert_eq(sketch_count(q), 0);
	cr_assert_eq(sketch_kind(d), SKETCH_DISTINCT);
	expect_bytes(d, distinct, 8);
	expect_bytes(q, quantile, 8);
	sketch_destroy(d);
	sketch_destroy(q);
	sketch_destroy(NULL);
}

Test(sketch, a_value_that_comes_again_is_not_another_one)
{
	double values[3000];

	for (uint32_t i = 0; i < 3000; i++)
		values[i] = of_bits(i % 3);
	struct sketch *sketch = make(SKETCH_DISTINCT, values, 3000);

	cr_assert_eq(round(sketch_distinct(sketch)), 3);
	sketch_destroy(sketch);
}

Test(sketch, quantiles_are_by_nearest_rank)
{
	static const double values[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
	struct sketch *sketch = make(SKETCH_QUANTILE, values, 10);

	cr_assert_float_eq(sketch_quantile(sketch, 0), 1, 0.008);
	cr_assert_float_eq(sketch_quantile(sketch, 0.1), 1, 0.008);
	cr_assert_float_eq(sketch_quantile(sketch, 0.11), 2, 0.016);
	cr_assert_float_eq(sketch_quantile(sketch, 0.5), 16, 0.13);
	cr_assert_float_eq(sketch_quantile(sketch, 0.51), 32, 0.26);
	cr_assert_float_eq(sketch_quantile(sketch, 1), 512, 4.1);
	sketch_destroy(sketch);
}

Test(sketch, zeros_and_negative_values_have_their_place)
{
	static const double values[] = {-100, -0.0, 0, 100, DBL_TRUE_MIN, -1e-300};
	struct sketch *sketch = make(SKETCH_QUANTILE, values, 6);

	cr_assert_float_eq(sketch_quantile(sketch, 0), -100, 0.8);
	cr_assert_eq(sketch_quantile(sketch, 0.5), 0);
	cr_assert_eq(sketch_quantile(sketch, 0.83), 0);
	cr_assert_float_eq(sketch_quantile(sketch, 1), 100, 0.8);
	sketch_destroy(sketch);
}

Test(sketch, no_values_make_it_greater_than_it_says)
{
	struct sketch *sketch = make(SKETCH_QUANTILE, NULL, 0);

	for (int exponent = -1074; exponent < 1024; exponent++)
		for (int sign = -1; sign < 2; sign += 2)
			for (int part = 0; part < 64; part++)
				cr_assert_eq(sketch_add(sketch,
							sign * ldexp(1 + part / 64.0, exponent)),
					     0);
	cr_assert_leq(sketch_bytes(sketch), SKETCH_BYTES_MAX);
	cr_assert_gt(sketch_quantile(sketch, 1), 0x1p63);
	cr_assert_lt(sketch_quantile(sketch, 0), -0x1p63);
	cr_assert_eq(sketch_add(sketch, DBL_MAX), 0);
	cr_assert_eq(sketch_add(sketch, -DBL_MAX), 0);
	sketch_destroy(sketch);
}

/* FORMAT.md section 10, Sketches, done by hand. */
Test(sketch, lies_on_disk_as_the_format_says)
{
	/* Buckets: 1 is 64 (0 + 65) = 4160; 1.5 is 4192; -1 is 63 - 4160 = -4097; 0 is 0.
	 * Skips: 4095, 4096, 4159, 31. */
	static const double values[] = {1, 1.5, 1.5, -1, 0};
	static const uint8_t quantile[24] = {
		2, 0, 0, 0, 11, 0, 0, 0, 0xff, 0x1f, 1, 0x80, 0x20, 1, 0xbf, 0x20, 1, 31, 2,
	};
	struct sketch *sketch = make(SKETCH_QUANTILE, values, 5);

	expect_bytes(sketch, quantile, sizeof(quantile));
	cr_assert_eq(merge(sketch, quantile, sizeof(quantile)), 0);
	cr_assert_eq(sketch_count(sketch), 10);
	sketch_destroy(sketch);

	/* 0 mixes to 0: register 0, no one bit in the others. */
	static const double zero = 0;
	static const uint8_t distinct[16] = {1, 0, 0, 0, 4, 0, 0, 0, 53};

	sketch = make(SKETCH_DISTINCT, &zero, 1);
	expect_bytes(sketch, distinct, sizeof(distinct));
	sketch_destroy(sketch);
}

Test(sketch, many_registers_are_packed_to_six_bits)
{
	struct sketch *sketch = make(SKETCH_DISTINCT, NULL, 0);
	struct bytes bytes = {0};
	uint8_t ranks[4096] = {0};

	for (uint64_t i = 0; i < 3000; i++) {
		uint64_t hash = i * UINT64_C(0x123456789abcdef) & ~(UINT64_C(1) << 62), h = hash;

		cr_assert_eq(sketch_add(sketch, of_bits(hash)), 0);
		h ^= h >> 33;
		h *= UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 33;
		h *= UINT64_C(0xc4ceb9fe1a85ec53);
		h ^= h >> 33;
		uint8_t rank = 1;
		while (rank < 53 && !(h >> (52 - rank) & 1))
			rank++;
		if (ranks[h >> 52] < rank)
			ranks[h >> 52] = rank;
	}
	sketch_save(sketch, &bytes);
	cr_assert_eq(bytes.used, 8 + 3072);
	for (uint32_t i = 0; i < 4096; i++) {
		const uint8_t *at = bytes.data + 8 + i / 4 * 3;
		uint32_t four = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;

		cr_assert_eq(four >> i % 4 * 6 & 63, ranks[i], "register %u", i);
	}
	bytes_fini(&bytes);
	sketch_destroy(sketch);
}

Test(sketch, bytes_that_are_no_sketch_are_refused_and_change_nothing)
{
	static const struct {
		const char *what;
		uint8_t bytes[24];
		size_t count;
	} wrong[] = {
		{"of another kind", {3}, 8},
		{"cut in the header", {2, 0, 0, 0, 0}, 5},
		{"cut in the buckets", {2, 0, 0, 0, 2, 0, 0, 0, 1}, 9},
		{"without its padding", {2, 0, 0, 0, 2, 0, 0, 0, 1, 1}, 10},
		{"with something in the padding", {2, 0, 0, 0, 2, 0, 0, 0, 1, 1, 7}, 16},
		{"with a count of nothing", {2, 0, 0, 0, 2, 0, 0, 0, 1, 0}, 16},
		{"with half a pair", {2, 0, 0, 0, 1, 0, 0, 0, 1}, 16},
		{"with a number longer than it must be", {2, 0, 0, 0, 3, 0, 0, 0, 0x81, 0, 1}, 16},
		{"behind the last bucket", {2, 0, 0, 0, 4, 0, 0, 0, 0xc0, 0x80, 1, 1}, 16},
		{"between zero and the least", {2, 0, 0, 0, 3, 0, 0, 0, 0x81, 0x40, 1}, 16},
	};
	static const double one = 1;
	struct sketch *sketch = make(SKETCH_QUANTILE, &one, 1);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_assert_eq(merge(sketch, wrong[i].bytes, wrong[i].count), -EPROTO, "%s",
			     wrong[i].what);
		cr_assert_eq(sketch_count(sketch), 1, "%s", wrong[i].what);
	}
	sketch_destroy(sketch);

	static const uint32_t entries[][6] = {
		{1, 4, 0},                      /* rank 0 */
		{1, 4, 54},                     /* rank too high */
		{1, 4, 4096 << 6 | 1},          /* no such register */
		{1, 8, 2 << 6 | 1, 1 << 6 | 1}, /* not in order */
		{1, 8, 2 << 6 | 1, 2 << 6 | 2}, /* twice */
		{1, 6, 1, 0},
	};
	struct sketch *distinct = make(SKETCH_DISTINCT, NULL, 0);

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		cr_assert_eq(merge(distinct, entries[i], 16), -EPROTO, "case %zu", i);
		cr_assert_eq(sketch_distinct(distinct), 0, "case %zu", i);
	}
	sketch_destroy(distinct);
}

Test(sketch, a_reset_one_is_as_good_as_new)
{
	static const uint8_t empty[2][8] = {{1}, {2}};

	for (int kind = SKETCH_DISTINCT; kind <= SKETCH_QUANTILE; kind++) {
		struct sketch *sketch = make((enum sketch_kind)kind, NULL, 0);

		for (uint32_t i = 0; i < 5000; i++)
			cr_assert_eq(sketch_add(sketch, i * 0.37 - 100), 0);
		sketch_reset(sketch);
		expect_bytes(sketch, empty[kind - 1], 8);
		cr_assert_eq(sketch_add(sketch, 5), 0);
		struct bytes bytes = {0};
		sketch_save(sketch, &bytes);
		cr_assert_eq(bytes.used, 16);
		bytes_fini(&bytes);
		sketch_destroy(sketch);
	}
}
