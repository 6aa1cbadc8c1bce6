/*
 * profile_season: the shape of the week in 168 hourly means.
 *
 * Idea:  an hour's mean is learned from the whole hour at its end, so it has no bias from where in
 * the hour the values lay. Within the hour the shape is the polynomial whose means over this hour
 * and its four neighbours are the learned means, where joining the means by straight lines would
 * cut off every peak by some percent. Where neighbours differ like a step (a shop opens), the hour
 * is flat.
 *
 *        An hour of the week seen w times has a variance that falls with w; the same hour on other
 *        days says the same but for a variance between days, estimated from those days. The two are
 *        weighed by their variances (empirical Bayes): with little traffic the days help
 *        each other, with much each hour of the week stands for itself.
 *
 * Runs on: the shard that owns the metric, once per hour (each interval from an hour up).
 */
#include <math.h>
#include <string.h>

#include "base/simd.h"
#include "detect/math.h"
#include "detect/profile.h"

/* Hours of one place in the week are averaged over at most this many weeks. */
#define WEEKS_MAX 8.0
/* A quarter of an hour is enough to know an hour by. */
#define KNOWN_WEIGHT 0.25
/* Days differ by this part of the mean, before they are known: counts as two days seen. */
#define DAYS_DIFFER 0.15
#define DAYS_DIFFER_WEIGHT 2.0
/* And their hours by as much as this. */
#define DAYS_SHIFT_HOURS 0.5

/* How far the hour lay from its forecast, compared with what its lumps explain; as a quotient of
 * decayed sums, so that an order at night does not speak for the day. */
static void learn_hour_phi(const struct profile_step *step, uint32_t i, double weight)
{
	double *phi = profile_row(step, PROFILE_HOUR_PHI) + i;
	double *square = profile_row(step, PROFILE_HOUR_SQUARE) + i;
	double *variance = profile_row(step, PROFILE_HOUR_VARIANCE) + i;
	double intervals = profile_row(step, PROFILE_HOUR_COUNT)[i];
	double forecast = profile_row(step, PROFILE_HOUR_FORECAST)[i];
	double gap = profile_row(step, PROFILE_HOUR_SUM)[i] - forecast;
	double lump = profile_lump(step, i);
	double one = profile_variance(step, i, math_max(forecast / intervals, 0), lump);
	double now = intervals * one * (1 + 1 / math_max(weight, 1));
	double least = step->lumps ? lump * lump : 0;
	/* A week of hours, four weeks of days. */
	double memory = math_min(HOURS_OF_WEEK, 4 * HOURS_OF_WEEK / step->interval_hours);
	double keep = 1 - 1 / memory;

	*square = *square * keep + math_min(gap * gap, 9 * *phi * math_max(now, least));
	*variance = *variance * keep + now;
	/* One until four busy hours have been seen. */
	double prior = 4 * *variance / memory + least;
	*phi = math_max((*square + prior) / (*variance + prior), 1);
}

/* The hour's mean, freed of which part of the hour was seen. */
static double hour_mean(const struct profile_step *step, uint32_t i)
{
	double sum = profile_row(step, PROFILE_HOUR_SUM)[i];
	double shape = profile_row(step, PROFILE_HOUR_SHAPE)[i];
	double count = profile_row(step, PROFILE_HOUR_COUNT)[i];
	double base = profile_row(step, PROFILE_BASE)[i];

	if (!(profile_row(step, PROFILE_KNOWN)[i] > 0))
		return sum / count;
	if (!step->lumps)
		return base + (sum - shape) / count;
	return shape > 0.2 * base * count && base > 0 ? base * (sum / shape) : sum / count;
}

void profile_season_close(const struct profile_step *step, uint32_t week)
{
	float *mean = profile_hour(step, PROFILE_HOUR_MEAN + week);
	float *weight = profile_hour(step, PROFILE_HOUR_WEIGHT + week);
	double *count = profile_row(step, PROFILE_HOUR_COUNT);

	for (uint32_t i = 0; i < step->slices; i++) {
		if (count[i] > 0) {
			double part = math_min(1, count[i] / step->per_hour);
			double total = math_min((double)weight[i] + part, WEEKS_MAX);
			double now = hour_mean(step, i);
			if (profile_row(step, PROFILE_KNOWN)[i] > 0 && part >= KNOWN_WEIGHT)
				learn_hour_phi(step, i, (double)weight[i]);
			mean[i] += (float)(part / total * (now - (double)mean[i]));
			weight[i] = (float)total;
		}
		count[i] = 0;
		profile_row(step, PROFILE_HOUR_SUM)[i] = 0;
		profile_row(step, PROFILE_HOUR_SHAPE)[i] = 0;
		profile_row(step, PROFILE_HOUR_FORECAST)[i] = 0;
	}
}

/* Slices that are estimated together: their five hours stay in the nearest cache. */
#define BLOCK 128

/* What one hour of the week is worth, by slice of a block. */
struct estimates {
	double mean[BLOCK];
	double variance[BLOCK];
	double weight[BLOCK]; /* hours seen of all that went in; 0: nothing known */
	double trust[BLOCK];  /* 0: by the other days alone, 1: by this hour of the week alone */
};

/* What sampling() needs of the slices of a block. */
struct block {
	uint32_t from, count;
	double per_hour;
	double lumps; /* 1; gauges: 0 */
	const double *lump, *phi, *unit, *rarity;
};

static struct block block_of(const struct profile_step *step, uint32_t from)
{
	uint32_t left = step->slices - from;
	return (struct block){
		.from = from,
		.count = left < BLOCK ? left : BLOCK,
		.per_hour = step->per_hour,
		.lumps = step->lumps ? 1 : 0,
		.lump = profile_row(step, PROFILE_LUMP) + from,
		.phi = profile_row(step, PROFILE_HOUR_PHI) + from,
		.unit = profile_row(step, PROFILE_UNIT) + from,
		.rarity = profile_row(step, PROFILE_RARITY) + from,
	};
}

/* Variance of a mean over `weight` hours. */
static inline double sampling(double lumps, double per_hour, double lump, double phi, double one,
			      double mean, double weight)
{
	double intervals = per_hour * math_max(weight, 1e-9);
	double seen = math_max(mean, 0) + lump / intervals, many = seen * lump;
	double variance = lumps > 0 ? many : one;
	return math_max(phi, 1) * variance / intervals;
}

/* Sums over the other days of a block's slices. */
struct days {
	double count[BLOCK], mean[BLOCK], weight[BLOCK], squares[BLOCK];
};

WEIR_CLONES
static void add_day(uint32_t slices, const float *restrict means, const float *restrict weights,
		    struct days *restrict days)
{
	for (uint32_t i = 0; i < slices; i++) {
		double weight = (double)weights[i];
		double known = weight >= KNOWN_WEIGHT ? 1 : 0;
		days->count[i] += known;
		days->mean[i] += known * (double)means[i];
		days->weight[i] += known * weight;
	}
}

WEIR_CLONES
static void add_day_square(uint32_t slices, const float *restrict means,
			   const float *restrict weights, struct days *restrict days)
{
	for (uint32_t i = 0; i < slices; i++) {
		double known = (double)weights[i] >= KNOWN_WEIGHT ? 1 : 0;
		double gap = known * ((double)means[i] - days->mean[i]);
		days->squares[i] += gap * gap;
	}
}

/* Without branches, so that slices are worked on side by side: both answers are computed, and one
 * is taken. */
WEIR_CLONES
static void weigh_days(const struct block *block, const float *restrict means,
		       const float *restrict weights, const struct days *restrict days,
		       struct estimates *restrict estimates)
{
	const double *restrict lumps = block->lump, *restrict phis = block->phi;
	const double *restrict units = block->unit, *restrict rarities = block->rarity;
	double kind = block->lumps, per_hour = block->per_hour;
	uint32_t slices = block->count;

	for (uint32_t i = 0; i < slices; i++) {
		double lump = lumps[i], phi = phis[i], one = units[i] * rarities[i];
		double some = math_max(days->count[i], 1), mean = days->mean[i];
		double noise = sampling(kind, per_hour, lump, phi, one, mean,
					days->weight[i] / some);
		double differ = DAYS_DIFFER * mean;
		double between = math_max(days->squares[i] - (some - 1) * noise, 0);
		double spread = (DAYS_DIFFER_WEIGHT * differ * differ + between) /
				(DAYS_DIFFER_WEIGHT + some - 1);
		double theirs = spread * (1 + 1 / some) +
				sampling(kind, per_hour, lump, phi, one, mean, days->weight[i]);
		double own = (double)means[i], own_weight = (double)weights[i];
		double ours = sampling(kind, per_hour, lump, phi, one, own, own_weight);
		double here = own_weight >= KNOWN_WEIGHT ? 1 : 0;
		double there = days->count[i] > 0 ? 1 : 0;
		double sure = math_min(theirs, ours) > 0 ? here * there : 0;
		double part = theirs / math_max(theirs + ours, 1e-300);
		double blend = mean + part * (own - mean), less = part * ours;
		double alone = here > 0 ? own : mean, alone_variance = here > 0 ? ours : theirs;
		double known = math_max(here, there);
		estimates->trust[i] = sure > 0 ? part : here;
		estimates->mean[i] = known * (sure > 0 ? blend : alone);
		estimates->variance[i] = known * (sure > 0 ? less : alone_variance);
		estimates->weight[i] = here > 0 ? own_weight : days->weight[i];
	}
}

/* The hour of the week itself, and the same hour on the other days: their mean, and its variance by
 * how far days differ and how little was seen of them; weighed by their variances. */
static void estimate_hour(const struct profile_step *step, const struct block *block, uint32_t week,
			  struct estimates *estimates)
{
	const float *means[7], *weights[7];
	struct days days;

	for (uint32_t day = 0; day < 7; day++) {
		uint32_t hour = (week + 24 * day) % HOURS_OF_WEEK;
		means[day] = profile_hour(step, PROFILE_HOUR_MEAN + hour) + block->from;
		weights[day] = profile_hour(step, PROFILE_HOUR_WEIGHT + hour) + block->from;
	}
	memset(&days, 0, sizeof(days));
	for (uint32_t day = 1; day < 7; day++)
		add_day(block->count, means[day], weights[day], &days);
	for (uint32_t i = 0; i < block->count; i++)
		days.mean[i] /= math_max(days.count[i], 1);
	for (uint32_t day = 1; day < 7; day++)
		add_day_square(block->count, means[day], weights[day], &days);
	weigh_days(block, means[0], weights[0], &days, estimates);
}

/* Neighbouring hours of an even day, not of a step. */
static bool smooth(double before, double at, double after)
{
	double rise = fabs(after - at), fall = fabs(at - before);
	return math_max(rise, fall) <= 4 * math_min(rise, fall) + 0.25 * fabs(at);
}

/*
 * The polynomial whose means over the hours -2 .. 2 are the learned means m[0..4] (or over -1 .. 1;
 * or flat, where the day has a step). With means a(j) = c0 + c1 j + c2 (j^2 + 1/12) + c3 (j^3 +
 * j/4) + c4 (j^4 + j^2/2 + 1/80) the odd and even coefficients fall apart.
 */
static void bend(const struct profile_step *step, uint32_t i, const double m[5], bool wide)
{
	double at = m[2];
	double c1 = 0, c2 = 0, c3 = 0, c4 = 0;

	if (smooth(m[1], at, m[3])) {
		c1 = 0.5 * (m[3] - m[1]);
		c2 = 0.5 * (m[3] + m[1]) - at;
		if (wide && smooth(m[0], m[1], at) && smooth(at, m[3], m[4])) {
			double odd = 0.5 * (m[4] - m[0]), even = 0.5 * (m[4] + m[0]) - at;
			c3 = (odd - 2 * c1) / 6;
			c4 = (even - 4 * c2) / 12;
			c1 -= 1.25 * c3;
			c2 -= 1.5 * c4;
		}
	}
	profile_row(step, PROFILE_BEND + 0)[i] = c1;
	profile_row(step, PROFILE_BEND + 1)[i] = c2;
	profile_row(step, PROFILE_BEND + 2)[i] = c3;
	profile_row(step, PROFILE_BEND + 3)[i] = c4;
}

/* From the hours around, as far as they are known; k: slice i's place in the block. */
static void bend_slice(const struct profile_step *step, uint32_t i, uint32_t k,
		       const struct estimates hours[5])
{
	double at = hours[2].mean[k];
	double means[5] = {at, at, at, at, at};
	bool known[5] = {0};

	for (uint32_t h = 0; h < 5 && step->per_hour > 1; h++) {
		if (h == 2)
			continue;
		known[h] = hours[h].weight[k] > 0;
		if (known[h])
			means[h] = hours[h].mean[k];
	}
	if (!known[1] || !known[3])
		means[1] = means[3] = at;
	/* Another day is not only more or less, it is also earlier or later. */
	double shift = DAYS_SHIFT_HOURS * (1 - hours[2].trust[k]) * 0.5 * (means[3] - means[1]);
	profile_row(step, PROFILE_DOUBT)[i] += shift * shift;
	bend(step, i, means, known[0] && known[1] && known[3] && known[4]);
}

/* While the shape stood for any day, the level held what is special about this one. Where the
 * shape begins to know by itself, that part of the level would count twice: it goes back to
 * neutral, and the dispersion, learned while doubt was most of the variance, to no less than one.
 */
static void change_trust(const struct profile_step *step, uint32_t i, double trust)
{
	double *most = profile_row(step, PROFILE_TRUST_MOST) + i;
	double *seen = profile_row(step, PROFILE_LEVEL_SEEN) + i;
	double *weight = profile_row(step, PROFILE_LEVEL_SHAPE) + i;
	/* Hours differ in trust; what counts is the most that was ever reached. */
	double change = trust - *most;

	profile_row(step, PROFILE_TRUST)[i] = trust;
	*most = trust == 0 ? 0 : math_max(*most, trust);
	if (change <= 0 || *weight == 0)
		return;
	double neutral = step->lumps ? *weight : 0;
	double kept = math_max(1 - change, PROFILE_LEVEL_PRIOR);
	*seen = (neutral + (1 - change) * (*seen - neutral)) * kept;
	*weight *= kept;
	for (uint32_t span = 0; span < PROFILE_SPANS; span++) {
		double *phi = profile_row(step, PROFILE_PHI + span) + i;
		*phi = math_max(*phi, change);
	}
}

static void open_slice(const struct profile_step *step, uint32_t i, uint32_t k,
		       const struct estimates hours[5])
{
	double weight = hours[2].weight[k];
	bool known = weight > 0;
	double intervals = step->per_hour * math_max(weight, KNOWN_WEIGHT);

	profile_row(step, PROFILE_KNOWN)[i] = known;
	profile_row(step, PROFILE_BASE)[i] = hours[2].mean[k];
	profile_row(step, PROFILE_DOUBT)[i] = hours[2].variance[k];
	profile_row(step, PROFILE_PSEUDO)[i] =
		known ? 0.5 * profile_row(step, PROFILE_LUMP)[i] / intervals : 0;
	if (!known)
		return;
	change_trust(step, i, hours[2].trust[k]);
	bend_slice(step, i, k, hours);
}

void profile_season_open(const struct profile_step *step, uint32_t week)
{
	struct estimates hours[5];

	for (uint32_t from = 0; from < step->slices; from += BLOCK) {
		struct block block = block_of(step, from);
		/* Intervals of an hour and more have no neighbours within reach. */
		for (uint32_t h = 0; h < 5; h++)
			if (h == 2 || step->per_hour > 1)
				estimate_hour(step, &block,
					      (week + HOURS_OF_WEEK + h - 2) % HOURS_OF_WEEK,
					      &hours[h]);
		for (uint32_t k = 0; k < block.count; k++)
			open_slice(step, from + k, k, hours);
	}
}
