/*
 * profile_learn: what an interval teaches the profile, after it was scored.
 *
 * Idea:  everything is clipped at four deviations first, so that one wild interval teaches little;
 *        a rare event is no outlier, so one lump is always let through. Gains begin at one over
 *        the number of intervals seen and end at a fixed memory.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include <math.h>

#include "detect/math.h"
#include "detect/profile.h"
#include "detect/values.h"

#define CLIP 4.0
/* Least dispersion, and so much more where the shape is that of any day. */
#define PHI_MIN 0.2
#define PHI_MIN_DAYS 0.2
/* How many passings of a tail are remembered; the prior counts as so many. */
#define TAIL_MEMORY 200.0
#define TAIL_PRIOR 40.0

/* How often and how far scores pass PROFILE_TAIL_FROM on either side. */
static void learn_tails(const struct profile_step *step, uint32_t i)
{
	double surprise = profile_row(step, PROFILE_SURPRISE)[i];
	double score = profile_row(step, PROFILE_SCORE)[i];
	double *last = profile_row(step, PROFILE_TAIL_LAST) + i;
	double now = 0;

	for (int side = 0; side < 2; side++) {
		double *rate = profile_row(step, PROFILE_TAIL_RATE + side) + i;
		double *excess = profile_row(step, PROFILE_TAIL_EXCESS + side) + i;
		double *count = profile_row(step, PROFILE_TAIL_COUNT + side) + i;
		double sign = side ? 1 : -1;
		bool over = surprise > PROFILE_TAIL_FROM && score * sign > 0;
		*rate += step->tail_gain * ((over ? 1 : 0) - *rate);
		if (!over)
			continue;
		/* Neighbours are one event told twice. */
		double weight = *last == sign ? 0.3 : 1;
		double gain = weight / (math_min(*count, TAIL_MEMORY) + TAIL_PRIOR);
		*excess += gain * (math_min(surprise - PROFILE_TAIL_FROM, 6 * *excess) - *excess);
		*count += weight;
		now = sign;
	}
	*last = now;
}

/* Dispersion of each span: actual over forecast variance, robustly. */
static void learn_phi(const struct profile_step *step, uint32_t i, double gain)
{
	double x = 0, m = 0, v = 0;
	/* Other days are alike only as long as a holiday or a Sunday has not come. */
	double floor = PHI_MIN + PHI_MIN_DAYS * (1 - profile_row(step, PROFILE_TRUST)[i]);
	double lump = profile_row(step, PROFILE_LUMP)[i];

	for (uint32_t span = 1; span <= PROFILE_SPANS; span++) {
		double *phi = profile_row(step, PROFILE_PHI + span - 1) + i;
		x = profile_row(step, PROFILE_X)[i];
		m = profile_row(step, PROFILE_MEAN)[i];
		v = profile_row(step, PROFILE_VARIANCE)[i];
		if (span > 1) {
			x += profile_row(step, PROFILE_PAST_VALUE + span - 2)[i];
			m += profile_row(step, PROFILE_PAST_FORECAST + span - 2)[i];
			v += profile_row(step, PROFILE_PAST_VARIANCE + span - 2)[i];
		}
		double error = (double)(span * span) * profile_row(step, PROFILE_ERROR)[i];
		double square = (x - m) * (x - m) / (v + error);
		/* A rare event's square is large by nature: one per 1/m. */
		double few = step->lumps ? math_clamp(lump / math_max(m, 1e-3 * lump), 1, 1e3) : 1;
		*phi += gain * (math_min(square, 9 * math_max(*phi, 0.5) * few) - *phi);
		*phi = math_max(*phi, floor);
	}
}

/* The level of the last hours against the shape. */
static void learn_level(const struct profile_step *step, uint32_t i, double x)
{
	double *seen = profile_row(step, PROFILE_LEVEL_SEEN) + i;
	double *weight = profile_row(step, PROFILE_LEVEL_SHAPE) + i;
	double *usual = profile_row(step, PROFILE_LEVEL_USUAL) + i;
	double shape = profile_row(step, PROFILE_SHAPE_NOW)[i];
	/* Closed hours tell little and so make little forgotten: what a shop's last hour said still
	 * holds when it opens. */
	double busy = math_clamp(4 * shape / math_max(*usual, 1e-12), 0.1, 1);
	/* Where the shape is that of any day, the level must catch what this one is like. */
	double hurry = 1 + 2 * (1 - profile_row(step, PROFILE_TRUST)[i]);
	double keep = 1 - math_min(step->level_gain * hurry * (step->lumps ? busy : 1), 0.1);
	double prior = PROFILE_LEVEL_PRIOR / step->level_gain;

	*usual += (*usual == 0 ? 1 : step->day_gain) * (shape - *usual);
	if (step->lumps) {
		if (*weight == 0)
			*weight = *seen = prior * shape;
		*seen = *seen * keep + x;
		*weight = *weight * keep + shape;
		return;
	}
	if (*weight == 0)
		*weight = prior;
	*seen = *seen * keep + (x - shape);
	*weight = *weight * keep + 1;
}

/* Size of a lump, or variance of a gauge. */
static void learn_unit(const struct profile_step *step, uint32_t i, double x, double seen)
{
	const struct observations *observations = step->observations;

	if (step->lumps) {
		double keep = 1 - step->day_gain;
		double value = observations->value[i];
		double part = value != 0 ? fabs(x / value) : 0;
		double squares = observations->sum_squares[i] * math_min(part * part, 1);
		double *total = profile_row(step, PROFILE_SQUARES) + i;
		double *sum = profile_row(step, PROFILE_VALUES) + i;
		double *fourths = profile_row(step, PROFILE_FOURTHS) + i;
		double lump = profile_row(step, PROFILE_LUMP)[i];
		double gap = squares - profile_row(step, PROFILE_MEAN)[i] * lump;
		*fourths = *fourths * keep + (isfinite(gap) ? gap * gap : 0);
		*total = *total * keep + (isfinite(squares) ? squares : 0);
		*sum = *sum * keep + profile_row(step, PROFILE_SIGN)[i] * x;
		return;
	}
	double *unit = profile_row(step, PROFILE_UNIT) + i;
	double gap = profile_row(step, PROFILE_X)[i] - profile_row(step, PROFILE_FORECAST)[i];
	double weight = math_max(value_weight(observations, i), 1);
	double *rarity = profile_row(step, PROFILE_RARITY) + i;
	double square = gap * gap * weight;
	double gain = math_max(1 / math_max(seen - 1, 1), step->phi_gain);
	double floor = 4e-6 * x * x;
	*rarity += math_max(1 / seen, step->day_gain) * (1 / weight - *rarity);
	if (seen < 2)
		return;
	if (seen > 20)
		square = math_min(square, 9 * *unit);
	*unit = math_max(*unit + gain * (square - *unit), floor);
}

void profile_learn(const struct profile_step *step, uint32_t i)
{
	double *seen = profile_row(step, PROFILE_SEEN) + i;
	double *local = profile_row(step, PROFILE_LOCAL) + i;
	double x = profile_row(step, PROFILE_X)[i];
	double mean = profile_row(step, PROFILE_FORECAST)[i];
	double variance =
		profile_row(step, PROFILE_PHI)[i] *
		(profile_row(step, PROFILE_VARIANCE)[i] + profile_row(step, PROFILE_ERROR)[i]);
	double lump = step->lumps ? profile_row(step, PROFILE_LUMP)[i] : 0;

	if (*seen >= 10) {
		double reach = CLIP * sqrt(variance);
		/* One lump more: of rare events, the first is no outlier. */
		x = math_clamp(x, mean - reach, mean + reach + CLIP * lump);
	}
	*seen += 1;
	learn_unit(step, i, x, *seen);
	if (*seen >= 30)
		learn_tails(step, i);
	learn_phi(step, i, math_max(1 / (*seen + 20), step->phi_gain));
	if (profile_row(step, PROFILE_KNOWN)[i] > 0)
		learn_level(step, i, x);
	*local += math_max(1 / *seen, step->local_gain) * (x - *local);
	/* Of an hour of the week never seen before nobody knows what would be wild. */
	bool known = profile_row(step, PROFILE_KNOWN)[i] * profile_row(step, PROFILE_TRUST)[i] > 0;
	profile_row(step, PROFILE_HOUR_SUM)[i] += known ? x : profile_row(step, PROFILE_X)[i];
	profile_row(step, PROFILE_HOUR_SHAPE)[i] += profile_row(step, PROFILE_SHAPE_NOW)[i];
	profile_row(step, PROFILE_HOUR_FORECAST)[i] += mean;
	profile_row(step, PROFILE_HOUR_COUNT)[i] += 1;
}
