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

Test(sketch, the_ends_and_equal_values_are_exact)
{
	static const double ones[] = {1.01, 1.01, 1.01}, values[] = {3.3, 7.7, 5.1, -0.0};
	struct sketch *sketch = make(SKETCH_QUANTILE, ones, 3);

	cr_assert_eq(sketch_quantile(sketch, 0.5), 1.01);
	sketch_destroy(sketch);
	sketch = make(SKETCH_QUANTILE, values, 4);
	cr_assert_eq(sketch_quantile(sketch, 0.25), 0);
	cr_assert_eq(signbit(sketch_quantile(sketch, 0)), 0);
	cr_assert_eq(sketch_quantile(sketch, 1), 7.7);
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
	static const uint8_t quantile[40] = {
		2, 0, 0, 0, 27,   0,    0,    0,    0, 0,    0,    0, 0,    0,    0xf0, 0xbf, 0, 0,
		0, 0, 0, 0, 0xf8, 0x3f, 0xff, 0x1f, 1, 0x80, 0x20, 1, 0xbf, 0x20, 1,    31,   2,
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
	static const double one = 1;
	static const struct {
		const char *what;
		double least, greatest;
		uint8_t buckets[8];
		uint32_t count; /* bytes of buckets */
		int32_t more;   /* of what is said to follow and does not */
	} wrong[] = {
		{"without buckets", 1, 1, {0}, 0, 0},
		{"cut in the buckets", 1, 1, {0xc0, 0x60, 1}, 3, 1},
		{"with a count of nothing", 1, 1, {0xc0, 0x60, 0}, 3, 0},
		{"with half a pair", 1, 1, {0xc0, 0x60}, 2, 0},
		{"with a number longer than it must be", 1, 1, {0xc0, 0x60, 0x81, 0}, 4, 0},
		{"behind the last bucket", 1, 1, {0xc0, 0x80, 1, 1}, 4, 0},
		{"between zero and the least", 1, 1, {0x81, 0x40, 1}, 3, 0},
		{"of another least", 2, 2, {0xc0, 0x60, 1}, 3, 0},
		{"of another greatest", 1, 2, {0xc0, 0x60, 1}, 3, 0},
		{"of no number", NAN, 1, {0xc0, 0x60, 1}, 3, 0},
		{"of no end", 1, INFINITY, {0xc0, 0x60, 1}, 3, 0},
	};
	static const uint8_t other[8] = {3}, cut[5] = {2}, bare[16] = {2, 0, 0, 0, 1};
	struct sketch *sketch = make(SKETCH_QUANTILE, &one, 1);

	cr_assert_eq(merge(sketch, other, 8), -EPROTO, "of another kind");
	cr_assert_eq(merge(sketch, cut, 5), -EPROTO, "cut in the header");
	cr_assert_eq(merge(sketch, bare, 16), -EPROTO, "cut in the least value");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct bytes bytes = {0};
		static const uint8_t zeros[8];

		bytes_put_u32(&bytes, SKETCH_QUANTILE);
		bytes_put_u32(&bytes, 16 + wrong[i].count + (uint32_t)wrong[i].more);
		bytes_put_f64(&bytes, wrong[i].least);
		bytes_put_f64(&bytes, wrong[i].greatest);
		bytes_put(&bytes, wrong[i].buckets, wrong[i].count);
		if (!wrong[i].more)
			bytes_put(&bytes, zeros, -bytes.used & 7);
		cr_assert_eq(merge(sketch, bytes.data, bytes.used), -EPROTO, "%s", wrong[i].what);
		cr_assert_eq(sketch_count(sketch), 1, "%s", wrong[i].what);
		if (bytes.used % 8 == 0) {
			bytes.data[bytes.used - 1] = 7;
			cr_assert_eq(merge(sketch, bytes.data, bytes.used), -EPROTO, "padding");
		}
		bytes_fini(&bytes);
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
		cr_assert_eq(bytes.used, kind == SKETCH_DISTINCT ? 16 : 32);
		bytes_fini(&bytes);
		sketch_destroy(sketch);
	}
}
