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

struct estimate {
	double mean;
	double variance;
	double weight; /* hours seen of all that went in; 0: nothing known */
	double trust;  /* 0: by the other days alone, 1: by this hour of the week alone */
};

/* Variance of a mean over `weight` hours. */
static double sampling(const struct profile_step *step, uint32_t i, double mean, double weight)
{
	double lump = profile_lump(step, i);
	double intervals = step->per_hour * weight;
	double seen = step->lumps ? math_max(mean, 0) + lump / intervals : mean;
	double phi = math_max(profile_row(step, PROFILE_HOUR_PHI)[i], 1);
	return phi * profile_variance(step, i, seen, lump) / intervals;
}

/* The same hour on the other days. */
static struct estimate other_days(const struct profile_step *step, uint32_t i, uint32_t week)
{
	struct estimate days = {0, 0, 0, 0};
	double squares = 0, count = 0;

	for (uint32_t day = 1; day < 7; day++) {
		uint32_t other = (week + 24 * day) % HOURS_OF_WEEK;
		double weight = (double)profile_hour(step, PROFILE_HOUR_WEIGHT + other)[i];
		double mean = (double)profile_hour(step, PROFILE_HOUR_MEAN + other)[i];
		double known = weight >= KNOWN_WEIGHT ? 1 : 0;
		/* Welford's update, by days: one day's value deviates like any other's. */
		double gap = known * (mean - days.mean);
		count += known;
		days.mean += gap / math_max(count, 1);
		squares += gap * (mean - days.mean);
		days.weight += known * weight;
	}
	if (count == 0)
		return days;
	double noise = sampling(step, i, days.mean, days.weight / count);
	double differ = DAYS_DIFFER * days.mean;
	double between = math_max(squares - (count - 1) * noise, 0);
	double spread = (DAYS_DIFFER_WEIGHT * differ * differ + between) /
			(DAYS_DIFFER_WEIGHT + count - 1);
	days.variance = spread * (1 + 1 / count) + sampling(step, i, days.mean, days.weight);
	return days;
}

static struct estimate estimate_hour(const struct profile_step *step, uint32_t i, uint32_t week)
{
	struct estimate own = {
		.mean = (double)profile_hour(step, PROFILE_HOUR_MEAN + week)[i],
		.weight = (double)profile_hour(step, PROFILE_HOUR_WEIGHT + week)[i],
		.trust = 1,
	};
	struct estimate days = other_days(step, i, week);

	if (own.weight < KNOWN_WEIGHT)
		return days;
	own.variance = sampling(step, i, own.mean, own.weight);
	if (days.weight == 0 || !(days.variance > 0) || !(own.variance > 0))
		return own;
	double trust = days.variance / (days.variance + own.variance);
	return (struct estimate){
		.mean = days.mean + trust * (own.mean - days.mean),
		.variance = trust * own.variance,
		.weight = own.weight,
		.trust = trust,
	};
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

/* From the hours around, as far as they are known. */
static void bend_slice(const struct profile_step *step, uint32_t i, uint32_t week,
		       struct estimate estimated)
{
	double at = estimated.mean;
	double means[5] = {at, at, at, at, at};
	bool known[5] = {0};

	for (uint32_t k = 0; k < 5 && step->per_hour > 1; k++) {
		if (k == 2)
			continue;
		uint32_t other = (week + HOURS_OF_WEEK + k - 2) % HOURS_OF_WEEK;
		struct estimate estimate = estimate_hour(step, i, other);
		known[k] = estimate.weight > 0;
		if (known[k])
			means[k] = estimate.mean;
	}
	if (!known[1] || !known[3])
		means[1] = means[3] = at;
	/* Another day is not only more or less, it is also earlier or later. */
	double shift = DAYS_SHIFT_HOURS * (1 - estimated.trust) * 0.5 * (means[3] - means[1]);
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

void profile_season_open(const struct profile_step *step, uint32_t week)
{
	for (uint32_t i = 0; i < step->slices; i++) {
		struct estimate at = estimate_hour(step, i, week);
		bool known = at.weight > 0;
		double intervals = step->per_hour * math_max(at.weight, KNOWN_WEIGHT);
		profile_row(step, PROFILE_KNOWN)[i] = known;
		profile_row(step, PROFILE_BASE)[i] = at.mean;
		profile_row(step, PROFILE_DOUBT)[i] = at.variance;
		profile_row(step, PROFILE_PSEUDO)[i] =
			known ? 0.5 * profile_lump(step, i) / intervals : 0;
		if (!known)
			continue;
		change_trust(step, i, at.trust);
		bend_slice(step, i, week, at);
	}
}
