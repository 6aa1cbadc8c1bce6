/*
 * sums: see sums.h.
 *
 * Runs on: the shard that owns the metric.
 * Never:   allocates.
 */
#include "interval/sums.h"

#include <errno.h>
#include <math.h>

#include "base/check.h"
#include "interval/feeds.h"

const struct sum sum_nothing = {.stats = {.min = NAN, .max = NAN}};

static double least(double a, double b)
{
	return a <= b ? a : b; /* b where a is NaN */
}

static double greatest(double a, double b)
{
	return a >= b ? a : b;
}

/* A sum of counts as a count: one that was never one is none. */
static uint64_t count_of(double sum)
{
	return sum >= 0.5 ? (uint64_t)(fmin(sum, 0x1p62) + 0.5) : 0;
}

static void add_companion(struct rollup_stats *stats, uint32_t take,
			  const struct partial_cell *cell)
{
	if (take & TAKE_AS_COUNT)
		stats->count += count_of(cell->sum);
	if (take & TAKE_AS_SUM)
		stats->sum += cell->sum;
	if (take & TAKE_AS_SQUARES)
		stats->sum_squares += cell->sum;
	if (take & TAKE_AS_MIN)
		stats->min = least(stats->min, cell->min);
	if (take & TAKE_AS_MAX)
		stats->max = greatest(stats->max, cell->max);
}

void sum_add(struct sum *sum, uint32_t take, const struct partial_cell *cell)
{
	struct rollup_stats *stats = &sum->stats;
	sum->touched |= take;
	if (take & TAKE_COUNT)
		stats->count += cell->count;
	if (take & TAKE_VALUES) {
		stats->sum += cell->sum;
		stats->sum_squares += cell->sum_squares;
		stats->min = least(stats->min, cell->min);
		stats->max = greatest(stats->max, cell->max);
	}
	if (__builtin_expect(take >= TAKE_AS_COUNT, 0))
		add_companion(stats, take, cell);
}

uint64_t sum_sketch(struct sketch *sketch, const struct partial_cell *cell, const uint8_t *saved,
		    size_t bytes)
{
	uint32_t at = cell->sketch;
	sketch_reset(sketch);
	if (!at || at > bytes)
		return cell->count;
	struct bytes_reader in = {.data = saved + at - 1, .left = bytes - at + 1};
	int r = sketch_merge_saved(sketch, &in);
	check(r != -ENOMEM);
	if (r < 0)
		return cell->count;
	uint64_t covered = sketch_kind(sketch) == SKETCH_DISTINCT ? cell->count
								  : sketch_count(sketch);
	return covered < cell->count ? cell->count - covered : 0;
}

double sum_quantile(const struct sum *sum, const struct sketch *sketch, double q)
{
	return sketch && !sum->unsketched ? sketch_quantile(sketch, q) : NAN;
}

double sum_distinct(const struct sum *sum, const struct sketch *sketch)
{
	if (sum->stats.count == 0)
		return 0;
	return sum->unsketched || !sketch ? (double)NAN : floor(sketch_distinct(sketch) + 0.5);
}

double sum_value(enum aggregation aggregation, const struct rollup_stats *stats)
{
	switch (aggregation) {
	case AGGREGATE_COUNT:
		return (double)stats->count;
	case AGGREGATE_SUM:
		return sum_clamp(stats->sum);
	case AGGREGATE_MEAN:
		return stats->count ? sum_clamp(stats->sum / (double)stats->count) : NAN;
	case AGGREGATE_MIN:
		return stats->min;
	case AGGREGATE_MAX:
		return stats->max;
	case AGGREGATE_DISTINCT:
	case AGGREGATE_PERCENTILE:
	case AGGREGATE_RATIO:
		break;
	}
	check_failed(__FILE__, __LINE__, "an aggregation of one term");
}
