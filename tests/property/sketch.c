/*
 * sketch: its errors measured against sorted lists, and merging against one sketch of everything.
 *
 * The bound of the distinct sketch is a standard error, so a single round may exceed it: each round
 * holds four of them (which one in sixteen thousand honest ones would), and over all rounds the
 * mean of the squared errors must be what the header promises.
 */
#include "interval/sketch.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "support/random.h"

#define VALUES_MAX 20000
#define PARTS 5

static double values[VALUES_MAX];
static double squared_errors;
static uint64_t measured;

static double of_bits(uint64_t bits)
{
	double value;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static double uniform(void)
{
	return (double)(random_next() >> 11) / 9007199254740992.0;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* All of them in one sketch; and spread over parts, some saved, merged in any order. */
static struct sketch *fill(enum sketch_kind kind, uint32_t count)
{
	struct sketch *whole = sketch_create(kind), *merged = sketch_create(kind), *parts[PARTS];
	struct bytes whole_bytes = {0}, merged_bytes = {0};
	expect(whole && merged);
	for (uint32_t i = 0; i < PARTS; i++) {
		parts[i] = sketch_create(kind);
		expect(parts[i]);
		/* One that was used before is as good as a new one. */
		for (uint32_t j = 0; j < count / 3 && i == 0; j++)
			expect(sketch_add(parts[i], values[j]) == 0);
		sketch_reset(parts[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		expect(sketch_add(whole, values[i]) == 0);
		expect(sketch_add(parts[random_below(PARTS)], values[i]) == 0);
	}
	uint32_t first = (uint32_t)random_below(PARTS);
	for (uint32_t i = 0; i < PARTS; i++) {
		const struct sketch *part = parts[(first + i) % PARTS];
		if (random_one_in(2)) {
			expect(sketch_merge(merged, part) == 0);
			continue;
		}
		struct bytes bytes = {0};
		bytes_put_u64(&bytes, 0);
		sketch_save(part, &bytes);
		struct bytes_reader in = {.data = bytes.data + 8, .left = bytes.used - 8};
		expect(!bytes.failed && bytes.used % 8 == 0);
		expect(sketch_merge_saved(merged, &in) == 0 && in.left == 0);
		bytes_fini(&bytes);
	}
	sketch_save(whole, &whole_bytes);
	sketch_save(merged, &merged_bytes);
	expect(whole_bytes.used == merged_bytes.used);
	expect(!memcmp(whole_bytes.data, merged_bytes.data, whole_bytes.used));
	expect(sketch_count(whole) == sketch_count(merged));
	expect(sketch_bytes(whole) <= SKETCH_BYTES_MAX);
	bytes_fini(&whole_bytes);
	bytes_fini(&merged_bytes);
	for (uint32_t i = 0; i < PARTS; i++)
		sketch_destroy(parts[i]);
	sketch_destroy(whole);
	return merged;
}

static uint32_t some_count(void)
{
	uint64_t bound = random_one_in(3) ? 20 : random_one_in(2) ? 600 : VALUES_MAX;
	return (uint32_t)random_below(bound + 1);
}

static void check_distinct(void)
{
	uint32_t count = some_count(), distinct = 0;
	bool counter = random_one_in(2);
	uint64_t start = random_next() >> 2;
	for (uint32_t i = 0; i < count; i++) {
		/* Hashes, or a counter by who has not read the manual; some of them twice. */
		uint64_t bits = counter ? start + i : random_next() & ~(UINT64_C(1) << 62);
		bool again = i > 0 && random_one_in(3);
		values[i] = again ? values[random_below(i)] : of_bits(bits & ~(UINT64_C(1) << 62));
		distinct += !again;
	}
	struct sketch *sketch = fill(SKETCH_DISTINCT, count);
	double error = sketch_distinct(sketch) - distinct;
	if (distinct == 0) {
		expect(error == 0);
	} else {
		double standard = 1.04 / sqrt((double)(1 << SKETCH_DISTINCT_BITS));
		/* Of few values one that meets another's register is a step of 1. */
		expect(fabs(error) <= 4 * standard * distinct + 1);
		error /= standard * distinct;
		squared_errors += error * error;
		measured++;
	}
	sketch_destroy(sketch);
}

static double some_value(int shape)
{
	double u = uniform();
	switch (shape) {
	case 0: /* prices in cents */
		return floor(u * 20000) / 100;
	case 1: /* latencies: a long tail */
		return exp(4 + 2 * (uniform() + uniform() + uniform() - 1.5) * 2);
	case 2: /* any magnitude that is kept apart, both signs */
		return ldexp(0.5 + u / 2, (int)random_below(128) - 63) *
		       (random_one_in(3) ? -1 : 1);
	case 3: /* few different ones */
		return (double)random_below(4) - 1;
	default: /* around zero */
		return u - 0.5;
	}
}

static void check_quantile(void)
{
	uint32_t count = some_count();
	int shape = (int)random_below(5);
	for (uint32_t i = 0; i < count; i++)
		values[i] = some_value(shape);
	struct sketch *sketch = fill(SKETCH_QUANTILE, count);
	expect(sketch_count(sketch) == count);
	if (count == 0)
		expect(isnan(sketch_quantile(sketch, 0.5)));
	qsort(values, count, sizeof(*values), ascending);
	for (int i = 0; i < 12 && count > 0; i++) {
		static const double usual[] = {0, 0.5, 0.9, 0.95, 0.99, 0.999, 1};
		double q = i < 7 ? usual[i] : uniform();
		double rank = ceil(q * count);
		double is = values[(uint32_t)(rank < 1 ? 1 : rank) - 1];
		double says = sketch_quantile(sketch, q);
		expect(fabs(says - is) <= SKETCH_QUANTILE_ERROR * fabs(is) + 0x1p-64);
	}
	sketch_destroy(sketch);
}

/* Whatever lies on a disk: refused without a change, or understood. */
static void check_damage(void)
{
	enum sketch_kind kind = random_one_in(2) ? SKETCH_DISTINCT : SKETCH_QUANTILE;
	uint32_t count = (uint32_t)random_below(random_one_in(2) ? 10 : 400);
	struct sketch *sketch = sketch_create(kind), *into = sketch_create(kind);
	struct bytes bytes = {0}, after = {0};
	expect(sketch && into);
	for (uint32_t i = 0; i < count; i++)
		expect(sketch_add(sketch, some_value(2)) == 0);
	sketch_save(sketch, &bytes);
	for (uint64_t i = 0; i <= random_below(3); i++)
		bytes.data[random_below(bytes.used)] ^= (uint8_t)(1 << random_below(8));
	size_t left = random_one_in(3) ? random_below(bytes.used) : bytes.used;
	struct bytes_reader in = {.data = bytes.data, .left = left};
	int r = sketch_merge_saved(into, &in);
	sketch_save(into, &after);
	expect(r == 0 || (r == -EPROTO && after.used == 8));
	if (r == 0) {
		struct bytes_reader again = {.data = after.data, .left = after.used};
		expect(sketch_merge_saved(sketch, &again) == 0 && again.left == 0);
		(void)sketch_quantile(sketch, 0.5);
	}
	bytes_fini(&bytes);
	bytes_fini(&after);
	sketch_destroy(sketch);
	sketch_destroy(into);
}

static void round_(void)
{
	check_distinct();
	check_quantile();
	check_damage();
}

int main(int argc, char **argv)
{
	int r = random_main(argc, argv, "property-sketch", 300, round_);
	printf("distinct: %.2f of the standard error stated\n",
	       sqrt(squared_errors / (double)measured));
	if (measured > 200)
		expect(squared_errors / (double)measured <= 1.1 * 1.1);
	return r;
}
