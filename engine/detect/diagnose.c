/*
 * diagnose: shares and evidence of each dimension value. See diagnose.h.
 *
 * Evidence: for counts and sums, of slice S and the rest R (observed X, expected M, both in
 * lumps of the total's variance over mean)
 *
 *	X_S ln(X_S/M_S) + X_R ln(X_R/M_R) - (X_S+X_R) ln((X_S+X_R)/(M_S+M_R))
 *
 * the log-likelihood ratio of "S and R are off by factors of their own" to "by the same factor"
 * (Kulldorff's scan statistic). For means and ratios the squared difference of the deviations of
 * S and R over twice its variance, each weighed with its events or its denominator; minima, maxima
 * and percentiles have no rest, each stands for itself.
 */
#include "detect/diagnose.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/simd.h"
#include "detect/likelihood.h"
#include "detect/math.h"
#include "detect/values.h"

/* Evidence below this many nats (20:1) is what noise has: it does not order values. */
#define EVIDENCE_NATS 3.0
/* Roll-ups of an observation: total and as many as a metric may have, with room. */
#define ROLLUPS_MAX 64

struct candidate {
	uint32_t slice;
	double share;
	double evidence;
};

/* Where no band says how a value scatters: counts like Poisson's, sums like a Poisson number of
 * such events, means like their events, ratios like so many tosses; twice, since the baseline is a
 * value of the same kind. */
static double plain_variance(const struct observations *observations, uint32_t i, double value)
{
	double events = observations->events[i], squares = observations->sum_squares[i];
	double weight = value_weight(observations, i);

	switch (observations->aggregation) {
	case AGGREGATE_COUNT:
	case AGGREGATE_DISTINCT:
		return 2 * math_max(value, 1);
	case AGGREGATE_SUM:
		return 2 * math_max(squares, 0);
	case AGGREGATE_MEAN:
		return events > 0 ? 2 * math_max(squares / events - value * value, 0) / events : 0;
	case AGGREGATE_RATIO:
		return weight > 0 ? 2 * math_max(fabs(value) * math_max(1 - value, 0.1), 0) / weight
				  : 0;
	default:
		return 0;
	}
}

/* Of what has no weight: of slices of which something is said, what came and what was expected. */
WEIR_CLONES
static void add_values(uint32_t count, double keep, const double *restrict log10_p,
		       const double *restrict squares, const double *restrict value,
		       const double *restrict mean, double *restrict observed,
		       double *restrict expected, double *restrict weight)
{
	for (uint32_t i = 0; i < count; i++) {
		bool said = (log10_p[i] < 0) & value_sane(value[i], squares[i]);
		double came = value[i], usual = mean[i];

		observed[i] = keep * observed[i] + (said ? came : 0);
		expected[i] = keep * expected[i] + (said ? usual : 0);
		weight[i] = keep * weight[i] + (said ? 1 : 0);
	}
}

/* And how it scatters, by its band. */
WEIR_CLONES
static void add_scatter(uint32_t count, double keep, double edge, const double *restrict log10_p,
			const double *restrict squares, const double *restrict value,
			const double *restrict lower, const double *restrict upper,
			double *restrict variance)
{
	for (uint32_t i = 0; i < count; i++) {
		bool said = (log10_p[i] < 0) & value_sane(value[i], squares[i]);
		double deviation = 0.5 * (upper[i] - lower[i]) / edge;
		double square = deviation * deviation;

		variance[i] = keep * variance[i] + (said ? square : 0);
	}
}

void diagnose_add(const struct diagnosis *diagnosis, const struct observations *observations,
		  const struct verdicts *verdicts, double keep, double edge)
{
	bool quotient = observations->aggregation == AGGREGATE_MEAN ||
			observations->aggregation == AGGREGATE_RATIO;

	if (!quotient && edge > 0 && !observations->excluded) {
		add_values(observations->count, keep, verdicts->log10_p, observations->sum_squares,
			   observations->value, verdicts->expected, diagnosis->observed,
			   diagnosis->expected, diagnosis->weight);
		add_scatter(observations->count, keep, edge, verdicts->log10_p,
			    observations->sum_squares, observations->value, verdicts->lower,
			    verdicts->upper, diagnosis->variance);
		return;
	}
	for (uint32_t i = 0; i < observations->count; i++) {
		double value = value_of(observations, i);
		bool said = verdicts->log10_p[i] < 0 && isfinite(value);
		double weight = !said ? 0 : quotient ? value_weight(observations, i) : 1;
		double expected = said ? verdicts->expected[i] : 0;
		double half = 0.5 * (verdicts->upper[i] - verdicts->lower[i]);
		double variance = edge > 0 ? half / edge * (half / edge)
					   : plain_variance(observations, i, value);
		diagnosis->observed[i] = keep * diagnosis->observed[i] +
					 (said ? weight * value : 0);
		diagnosis->expected[i] = keep * diagnosis->expected[i] + weight * expected;
		diagnosis->variance[i] = keep * diagnosis->variance[i] +
					 (said ? weight * weight * variance : 0);
		diagnosis->weight[i] = keep * diagnosis->weight[i] + weight;
	}
}

/* Counts and sums: how much likelier two factors are than one. */
static double evidence_lumps(const struct diagnosis *d, uint32_t i, int direction)
{
	double sign = d->expected[0] < 0 ? -1 : 1;
	double total = sign * d->expected[0];
	double lump = total > 0 ? math_max(d->variance[0] / total, 1e-300) : 1;
	double x[2] = {math_max(sign * d->observed[i], 0) / lump};
	double m[2] = {math_max(sign * d->expected[i], 0) / lump};
	double whole_x = sign * d->observed[0] / lump, whole_m = total / lump;
	double rest_x = math_max(whole_x - x[0], 0), rest_m = math_max(whole_m - m[0], 0);

	/* Both known to half an event, as their likelihoods are. */
	if (sign * direction * (x[0] * (rest_m + 0.5) - rest_x * (m[0] + 0.5)) <= 0)
		return 0;
	return likelihood_gain(1, x, m, whole_x, whole_m);
}

static double evidence_mean(const struct diagnosis *d, uint32_t i, int direction)
{
	double weight = d->weight[i], rest = d->weight[0] - weight;
	if (!(weight > 0) || rest < 1e-3 * weight)
		return 0;
	double own = (d->observed[i] - d->expected[i]) / weight;
	double total = d->observed[0] - d->expected[0];
	double other = (total - (d->observed[i] - d->expected[i])) / rest;
	double gap = direction * (own - other);
	/* The rest scatters like the total, per event. */
	double variance = d->variance[i] / (weight * weight) +
			  d->variance[0] / (d->weight[0] * rest);
	return gap > 0 && variance > 0 ? 0.5 * gap * gap / variance : 0;
}

static double evidence(const struct diagnosis *d, const struct observations *observations,
		       uint32_t i, int direction)
{
	double gap = d->observed[i] - d->expected[i];

	if (!(direction * gap > 0))
		return 0;
	switch (observations->aggregation) {
	case AGGREGATE_COUNT:
	case AGGREGATE_SUM:
	case AGGREGATE_DISTINCT:
		return evidence_lumps(d, i, direction);
	case AGGREGATE_MEAN:
	case AGGREGATE_RATIO:
		return evidence_mean(d, i, direction);
	default:
		return d->variance[i] > 0 ? 0.5 * gap * gap / d->variance[i] : 0;
	}
}

/* Does a stand before b? */
static bool precedes(const struct candidate *a, const struct candidate *b,
		     const struct observations *observations)
{
	double ours = a->evidence >= EVIDENCE_NATS ? a->evidence : 0;
	double theirs = b->evidence >= EVIDENCE_NATS ? b->evidence : 0;
	const struct slice *x = &observations->slices[a->slice];
	const struct slice *y = &observations->slices[b->slice];

	if (ours != theirs)
		return ours > theirs;
	if (a->share != b->share)
		return a->share > b->share;
	int order = strcmp(x->names[0], y->names[0]);
	return (order ? order : strcmp(x->values[0], y->values[0])) < 0;
}

/* Keep the list in order and short; returns its new length. */
static uint32_t insert(struct candidate *list, uint32_t count, struct candidate candidate,
		       const struct observations *observations)
{
	uint32_t at = count;

	while (at > 0 && precedes(&candidate, &list[at - 1], observations))
		at--;
	if (at == ANOMALY_CONTRIBUTIONS_MAX)
		return count;
	uint32_t last = count < ANOMALY_CONTRIBUTIONS_MAX ? count : count - 1;
	memmove(&list[at + 1], &list[at], (last - at) * sizeof(list[0]));
	list[at] = candidate;
	return last + 1;
}

/* A value of a dimension, and the first roll-up by that dimension if there are several. */
static bool is_value(const struct slice *slice, const uint32_t *first)
{
	return slice->dimensions == 1 && slice->rollup < ROLLUPS_MAX &&
	       first[slice->rollup] == slice->rollup;
}

/* Deviations in the direction, summed by roll-up; which roll-up is the first of its dimension. */
static void sum_rollups(const struct diagnosis *d, const struct observations *observations,
			int direction, double *sums, uint32_t *first)
{
	const char *names[ROLLUPS_MAX] = {NULL};

	for (uint32_t i = 0; i < observations->count; i++) {
		const struct slice *slice = &observations->slices[i];
		if (slice->dimensions != 1 || slice->rollup >= ROLLUPS_MAX)
			continue;
		uint32_t rollup = slice->rollup;
		if (!names[rollup]) {
			names[rollup] = slice->names[0];
			first[rollup] = rollup;
			for (uint32_t r = ROLLUPS_MAX; r-- > 0;) {
				if (r != rollup && names[r] && first[r] == r &&
				    strcmp(names[r], names[rollup]) == 0)
					first[rollup] = r;
			}
		}
		double gap = direction * (d->observed[i] - d->expected[i]);
		sums[rollup] += gap > 0 ? gap : 0;
	}
}

uint32_t diagnose(const struct diagnosis *diagnosis, const struct observations *observations,
		  const struct verdicts *verdicts, int direction,
		  struct contribution contribution[ANOMALY_CONTRIBUTIONS_MAX])
{
	struct candidate list[ANOMALY_CONTRIBUTIONS_MAX];
	double sums[ROLLUPS_MAX] = {0};
	uint32_t first[ROLLUPS_MAX] = {0};
	uint32_t count = 0;

	sum_rollups(diagnosis, observations, direction, sums, first);
	for (uint32_t i = 0; i < observations->count; i++) {
		double gap = direction * (diagnosis->observed[i] - diagnosis->expected[i]);
		if (!is_value(&observations->slices[i], first) || !(gap > 0))
			continue;
		struct candidate candidate = {
			.slice = i,
			.share = math_clamp(gap / sums[observations->slices[i].rollup], 0, 1),
			.evidence = evidence(diagnosis, observations, i, direction),
		};
		count = insert(list, count, candidate, observations);
	}
	for (uint32_t k = 0; k < count; k++) {
		uint32_t i = list[k].slice;
		const struct slice *slice = &observations->slices[i];
		struct contribution *to = &contribution[k];
		double value = value_of(observations, i);
		snprintf(to->dimension, sizeof(to->dimension), "%s", slice->names[0]);
		snprintf(to->value, sizeof(to->value), "%s", slice->values[0]);
		to->share = list[k].share;
		to->observed = isfinite(value) ? value : 0;
		to->expected = verdicts->expected[i];
	}
	return count;
}
