/*
 * score_infer: the rules of score_infer.h. Pure functions of at most 100 rows.
 *
 * Runs on: any thread; no state.
 */
#include "score_infer.h"

#include <math.h>

/* Gaps that differ by less are one gap with a clock that jitters. */
#define ALIKE 0.1
/* Least mean of (x - y)^2 / (x + y) that counts have; 1 is Poisson's. By chance a hundred pairs of
 * Poisson counts come below a half once in five hundred times. */
#define SCATTER_MIN 0.5

static bool alike(int64_t left, int64_t right)
{
	return fabs((double)(left - right)) <= ALIKE * (double)right;
}

/* The gap that most are like; the smaller one of equals. */
static int64_t centre_of(const int64_t *gaps, unsigned count)
{
	int64_t best = 0;
	unsigned best_like = 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned like = 0;

		for (unsigned k = 0; k < count; k++)
			like += alike(gaps[k], gaps[i]);
		if (like > best_like || (like == best_like && gaps[i] < best)) {
			best_like = like;
			best = gaps[i];
		}
	}
	return best;
}

/* The commonest gap that is like the centre, or the centre where no two are the same. */
static int64_t commonest(const int64_t *gaps, unsigned count, int64_t centre)
{
	int64_t best = centre;
	unsigned best_same = 1;

	for (unsigned i = 0; i < count; i++) {
		unsigned same = 0;

		for (unsigned k = 0; k < count; k++)
			same += gaps[k] == gaps[i];
		if (!alike(gaps[i], centre) || same < 2)
			continue;
		if (same > best_same || (same == best_same && gaps[i] < best)) {
			best_same = same;
			best = gaps[i];
		}
	}
	if (best_same == 1 && best >= 10000)
		best = (best + 500) / 1000 * 1000;
	return best;
}

int64_t score_infer_interval_ms(const struct score_sample *samples, unsigned rows)
{
	int64_t gaps[SCORE_INFER_ROWS];
	unsigned count = 0;

	for (unsigned i = 1; i < rows; i++) {
		int64_t gap = samples[i].time_ms - samples[i - 1].time_ms;

		if (gap > 0)
			gaps[count++] = gap;
	}
	return count ? commonest(gaps, count, centre_of(gaps, count)) : 0;
}

static bool is_share(const struct score_sample *samples, unsigned rows)
{
	for (unsigned i = 0; i < rows; i++) {
		if (samples[i].value < 0 || samples[i].value > 1)
			return false;
	}
	return true;
}

enum aggregation score_infer_kind(const struct score_sample *samples, unsigned rows)
{
	double scatter = 0, before = NAN;
	unsigned pairs = 0;
	bool weighted = false, whole = true, point = false;

	for (unsigned i = 0; i < rows; i++) {
		double value = samples[i].value;

		weighted |= isfinite(samples[i].weight);
		if (isnan(value))
			continue;
		point |= samples[i].point;
		whole &= value >= 0 && value == floor(value);
		if (value + before > 0) {
			scatter += (value - before) * (value - before) / (value + before);
			pairs++;
		}
		before = value;
	}
	if (weighted)
		return is_share(samples, rows) ? AGGREGATE_RATIO : AGGREGATE_MEAN;
	if (!whole)
		return AGGREGATE_MEAN;
	if (pairs == 0)
		return point ? AGGREGATE_MEAN : AGGREGATE_COUNT;
	return scatter / pairs >= SCATTER_MIN ? AGGREGATE_COUNT : AGGREGATE_MEAN;
}
