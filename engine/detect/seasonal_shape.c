/*
 * seasonal_shape: the shape of day and week.
 *
 * Idea:  a week has bins of half an hour (of an interval, if that is longer), by the clock of the
 *        place. A bin's mean is learned when it is over, from the whole of it, so that it has no
 *        bias from where in the bin the values lay; and relative to the level of a fortnight, not
 *        to one that follows the days: that one would take part of the shape with it.
 *
 *        What a bin will bring is estimated from all that was seen around it:
 *
 *          pooled day       the mean over weekdays, smoothed along the day
 *        x deviation of     of this weekday from the pooled day, smoothed along the day and
 *          the weekday      shrunk by its signal to noise (empirical Bayes: Efron, Morris 1975)
 *
 *        Smoothing is a local cubic over nine bins, over five, or none (Savitzky, Golay 1964),
 *        whichever finer one differs by more than noise can: peaks keep their height, opening
 *        hours their edge, and quiet shops lose their noise. Within a bin the shape is the quartic
 *        whose means over five bins are the estimates.
 *
 *        Trust: the slope of what came on what the shape had said. A shape that does not come true
 *        (a machine has no week) fades into its mean.
 *
 * Cannot see: months and years, holidays.
 *
 * Runs on: the shard that owns the metric, once for each bin. Never allocates.
 */
#include "detect/seasonal.h"

/* Bins before and after the one to be estimated that have a say. */
#define REACH 6
#define AROUND (2 * REACH + 1)
#define CENTRE REACH
#define ESTIMATES 5
/* Visits that a bin's mean remembers. */
#define VISITS_MAX 8.0
/* A finer estimate counts so far as its square exceeds this many variances. */
#define SIGNIFICANT 4.0
/* Variance of five-bin minus nine-bin estimate, of raw minus five-bin, and of a smoothed one, over
 * that of a bin: from the coefficients. */
#define VARIANCE_5_9 0.23
#define VARIANCE_0_5 0.51
#define VARIANCE_SMOOTH 0.3
/* A weekday never seen: squared deviation from the others, relative (gauges: in units). */
#define WEEKDAY_UNSEEN 0.01
#define WEEKDAY_UNSEEN_GAUGE 0.25
/* Neighbours that have less than this part of each other are a step; the bin is flat then. */
#define STEP 0.4
/* What trust begins with: so much evidence (relative; gauges: in units), of slope one half. */
#define TRUST_PRIOR 5.0
/* Slopes from LOW to HIGH are trust from 0 to 1: errors in what was said flatten the slope a bit.
 */
#define TRUST_LOW 0.1
#define TRUST_HIGH 0.85

/* A weekday that is further from the others than this (squared, relative) may be so by a burst
 * while it was seen once: doubt, over the visits' square. */
#define FAR_WEEKDAY 0.05
/* Of a bin, what counts of what came: so many times what was expected, or so many lumps. */
#define RATIO_MAX 10.0
#define RATIO_LUMPS 3.0
/* Along a row of bins around the one to be estimated. */
struct around {
	lanes pooled[AROUND], pooled_visits[AROUND];
	lanes differs[AROUND], differs_visits[AROUND]; /* of this weekday from the pooled day */
};

static const double nine[9] = {-21 / 231.0, 14 / 231.0, 39 / 231.0, 54 / 231.0, 59 / 231.0,
			       54 / 231.0,  39 / 231.0, 14 / 231.0, -21 / 231.0};
static const double five[5] = {-3 / 35.0, 12 / 35.0, 17 / 35.0, 12 / 35.0, -3 / 35.0};

/* Mean over the weekdays at this time of day, and visits in all. */
LANES_INLINE void pool(const struct seasonal_group *group, uint32_t day_bins, uint32_t time,
		       lanes *ret_mean, lanes *ret_visits)
{
	lanes sum = {0}, visits = {0};

	for (uint32_t day = 0; day < 7; day++) {
		uint32_t bin = day * day_bins + time;
		lanes count = seasonal_visits(group, bin);
		sum += count * lanes_wide(group->rough.bin[bin]);
		visits += count;
	}
	*ret_mean = sum / lanes_max(visits, lanes_all(1e-9));
	*ret_visits = visits;
}

LANES_INLINE void look_around(const struct seasonal_group *group, const struct seasonal_step *step,
			      struct around *ret)
{
	uint32_t day_bins = step->day_bins, bins = 7 * day_bins;

	for (uint32_t j = 0; j < AROUND; j++) {
		/* A week of one bin a day is shorter than the reach. */
		uint32_t bin = (step->bin + 7 * bins + j - CENTRE) % bins;
		lanes own = lanes_wide(group->rough.bin[bin]);
		lanes visits = seasonal_visits(group, bin);
		lanes pooled, gap;

		pool(group, day_bins, bin % day_bins, &pooled, &ret->pooled_visits[j]);
		gap = step->lumps ? own / lanes_max(pooled, lanes_all(1e-12)) - 1 : own - pooled;
		ret->pooled[j] = pooled;
		ret->differs[j] = lanes_where(visits > 0, gap);
		ret->differs_visits[j] = visits;
	}
	/* Where a neighbour was never seen, the next one inward stands for it. */
	for (int j = CENTRE + 1; j < AROUND; j++) {
		ret->pooled[j] = lanes_pick(ret->pooled_visits[j] > 0, ret->pooled[j],
					    ret->pooled[j - 1]);
		ret->differs[j] = lanes_pick(ret->differs_visits[j] > 0, ret->differs[j],
					     ret->differs[j - 1]);
	}
	for (int j = CENTRE - 1; j >= 0; j--) {
		ret->pooled[j] = lanes_pick(ret->pooled_visits[j] > 0, ret->pooled[j],
					    ret->pooled[j + 1]);
		ret->differs[j] = lanes_pick(ret->differs_visits[j] > 0, ret->differs[j],
					     ret->differs[j + 1]);
	}
}

/* How far a finer estimate is to be believed: its difference against the variance that noise
 * alone would give it. */
LANES_INLINE lanes believed(lanes finer, lanes variance)
{
	lanes square = lanes_max(finer * finer, variance * 1e-9 + 1e-300);
	return lanes_max(1 - SIGNIFICANT * variance / square, lanes_all(0));
}

/* row[at] from its neighbours; variance: of one of them. */
LANES_INLINE lanes smooth(const lanes *row, uint32_t at, lanes variance)
{
	lanes of_five = {0}, of_nine = {0};

	for (uint32_t j = 0; j < 5; j++)
		of_five += five[j] * row[at + j - 2];
	for (uint32_t j = 0; j < 9; j++)
		of_nine += nine[j] * row[at + j - 4];
	lanes finer = of_five - of_nine, finest = row[at] - of_five;
	return of_nine + believed(finer, VARIANCE_5_9 * variance) * finer +
	       believed(finest, VARIANCE_0_5 * variance) * finest;
}

/* Variance of one visit's mean, relative to the shape (gauges: absolute). */
LANES_INLINE lanes visit_variance(const struct seasonal_group *group,
				  const struct seasonal_step *step, lanes shape)
{
	const struct seasonal_exact *exact = &group->exact;

	if (!step->lumps)
		return seasonal_unit(exact) * (1 / step->per_bin + exact->day_variance);
	lanes least = exact->first * 0.02;
	lanes count = lanes_max(exact->level, lanes_all(0.01)) * lanes_max(shape, least) *
		      step->per_bin;
	lanes variance = exact->unit * exact->lump / lanes_max(count, lanes_all(1e-300)) +
			 exact->day_variance;
	/* However large, a number: what is made of it divides it by itself. */
	return lanes_min(variance, lanes_all(1e100));
}

/* Means of the bin and two on each side; what is not known of the middle one. */
LANES_INLINE void estimate(struct seasonal_group *group, const struct seasonal_step *step,
			   lanes ret_mean[ESTIMATES])
{
	struct seasonal_exact *exact = &group->exact;
	struct around around;
	bool smoothed = step->day_bins >= SEASONAL_SMOOTHED_BINS;

	look_around(group, step, &around);
	lanes_mask known = around.pooled_visits[CENTRE] > 0;
	lanes visits = around.differs_visits[CENTRE];
	lanes noise = visit_variance(group, step, around.pooled[CENTRE]);
	lanes pooled_variance = noise / lanes_max(around.pooled_visits[CENTRE], lanes_all(1));
	lanes own_variance = noise / lanes_max(visits, lanes_all(0.5));
	lanes scale = step->lumps ? lanes_max(around.pooled[CENTRE], exact->first * 0.02)
				  : lanes_all(1);
	/* How much weekdays differ here, beyond noise. */
	lanes square = {0};
	for (uint32_t j = CENTRE - 4; j <= CENTRE + 4; j++)
		square += around.differs[j] * around.differs[j];
	lanes differ = lanes_max(square / 9 - own_variance, lanes_all(0));
	lanes shrink = lanes_where(visits > 0, differ / (differ + 0.4 * own_variance + 1e-12));

	for (uint32_t q = 0; q < ESTIMATES; q++) {
		uint32_t at = CENTRE - 2 + q;
		lanes pooled = around.pooled[at], differs = around.differs[at];
		if (smoothed) {
			pooled = smooth(around.pooled, at, pooled_variance * scale * scale);
			differs = smooth(around.differs, at, own_variance);
		}
		differs *= shrink;
		ret_mean[q] = step->lumps ? lanes_max(pooled, lanes_all(0)) *
						    lanes_max(1 + differs, lanes_all(0))
					  : pooled + differs;
	}
	lanes doubt = pooled_variance + shrink * own_variance;
	doubt = (smoothed ? VARIANCE_SMOOTH : 1) * doubt + (1 - shrink) * differ;
	lanes far = shrink * lanes_max(differ - FAR_WEEKDAY, lanes_all(0)) /
		    lanes_max(visits * visits, lanes_all(1));
	doubt += lanes_where(seasonal_steady(exact), far);
	lanes unseen = step->lumps ? lanes_all(WEEKDAY_UNSEEN)
				   : WEEKDAY_UNSEEN_GAUGE * seasonal_unit(exact);
	doubt = lanes_pick(visits > 0, doubt, doubt + unseen);
	/* A week after the first, levels have followed a day that was new to the shape: how much of
	 * that was the weekday's, this one cannot know. */
	const uint32_t day_before = step->bin + 6 * step->day_bins;
	lanes before = seasonal_visits(group, day_before % (7 * step->day_bins));
	lanes away = exact->level - seasonal_long_level(exact, step);
	lanes_mask second = (visits > 0) & (visits < 2) & (before > 0) & (before < 2);
	doubt += lanes_where(second, away * away);
	exact->pooled_visits = around.pooled_visits[CENTRE];
	exact->doubt = lanes_where(known, doubt);
	exact->known = lanes_pick(known, lanes_all(1), lanes_all(0));
}

/* Mean of the pooled day, which the shape fades into: once a day, or while it is new. */
LANES_INLINE void mean_day(struct seasonal_group *group, const struct seasonal_step *step)
{
	lanes sum = {0}, bins = {0};

	if (step->bin % step->day_bins != 0 && (double)step->pushed >= 3 * step->per_day)
		return;
	for (uint32_t time = 0; time < step->day_bins; time++) {
		lanes mean, visits;
		pool(group, step->day_bins, time, &mean, &visits);
		sum += lanes_where(visits > 0, mean);
		bins += lanes_pick(visits > 0, lanes_all(1), lanes_all(0));
	}
	group->exact.day_mean = sum / lanes_max(bins, lanes_all(1));
}

LANES_INLINE lanes trust(const struct seasonal_group *group, const struct seasonal_step *step)
{
	const struct seasonal_exact *exact = &group->exact;
	lanes prior = step->lumps ? lanes_all(TRUST_PRIOR) : TRUST_PRIOR * seasonal_unit(exact);

	/* Weekdays alone differ so little that it takes their own noise to tell what is much. */
	if (step->lumps && step->day_bins < SEASONAL_SMOOTHED_BINS)
		prior *= lanes_min(visit_variance(group, step, exact->day_mean), lanes_all(1));
	lanes slope = (exact->trust_product + 0.5 * prior) / (exact->trust_square + prior);
	return lanes_clamp((slope - TRUST_LOW) / (TRUST_HIGH - TRUST_LOW), lanes_all(0),
			   lanes_all(1));
}

void seasonal_shape_open(struct seasonal_group *group, const struct seasonal_step *step)
{
	struct seasonal_exact *exact = &group->exact;
	lanes mean[ESTIMATES];

	estimate(group, step, mean);
	mean_day(group, step);
	exact->plain = mean[2];
	lanes part = trust(group, step);
	for (uint32_t q = 0; q < ESTIMATES; q++)
		mean[q] = exact->day_mean + part * (mean[q] - exact->day_mean);

	lanes m2 = mean[0], m1 = mean[1], z = mean[2], p1 = mean[3], p2 = mean[4];
	lanes least = lanes_min(m1, p1), most = lanes_max(m1, p1);
	lanes_mask flat = (least < STEP * z) | (z < STEP * most);
	if (!step->lumps)
		flat = z != z;
	if (step->day_bins < SEASONAL_SMOOTHED_BINS)
		flat = z == z;
	exact->shape[0] = z;
	exact->shape[1] = lanes_where(lanes_not(flat), (5 * m2 - 34 * m1 + 34 * p1 - 5 * p2) / 48);
	exact->shape[2] = lanes_where(lanes_not(flat),
				      (-m2 + 12 * m1 - 22 * z + 12 * p1 - p2) / 16);
	exact->shape[3] = lanes_where(lanes_not(flat), (-m2 + 2 * m1 - 2 * p1 + p2) / 12);
	exact->shape[4] = lanes_where(lanes_not(flat), (m2 - 4 * m1 + 6 * z - 4 * p1 + p2) / 24);
	exact->bin_value = exact->bin_base = exact->bin_count = exact->bin_held = lanes_all(0);
	for (int i = 0; i < LANES; i++)
		LANE(exact->again, i) = group->held[step->bin / 8][i] >> step->bin % 8 & 1;
}

/* Did what the shape said come true? Both around the day's mean. */
LANES_INLINE void learn_trust(struct seasonal_exact *exact, const struct seasonal_step *step,
			      lanes_mask learn, lanes visit)
{
	lanes said = exact->plain - exact->day_mean, came = visit - exact->day_mean;
	/* A fortnight; of so few bins as it has then, what bins remember. */
	double keep = 1 - 1 / math_max(14.0 * step->day_bins, 7 * VISITS_MAX);

	if (step->lumps) {
		lanes mean = lanes_max(exact->day_mean, lanes_all(1e-12));
		said = said / mean;
		came = lanes_clamp(visit / mean, lanes_all(0), lanes_all(5)) - 1;
	} else {
		lanes reach = 20 * lanes_sqrt(seasonal_unit(exact));
		came = lanes_clamp(came, said - reach, said + reach);
	}
	exact->trust_product = lanes_pick(learn, exact->trust_product * keep + said * came,
					  exact->trust_product);
	exact->trust_square = lanes_pick(learn, exact->trust_square * keep + said * said,
					 exact->trust_square);
}

/* How much bins differ from week to week, beyond what their intervals' variance explains. */
LANES_INLINE void learn_day(struct seasonal_exact *exact, const struct seasonal_step *step,
			    lanes_mask learn, lanes ratio)
{
	lanes count = lanes_max(exact->bin_count, lanes_all(1));
	lanes off = (exact->bin_value - exact->bin_base) / count;
	lanes explained, square, weight = lanes_all(1);

	if (step->lumps) {
		explained = exact->unit * exact->lump / lanes_max(exact->bin_base, lanes_all(1e-6));
		square = (ratio - 1) * (ratio - 1) - explained - exact->doubt;
		weight = 1 / (1 + 100 * explained);
	} else {
		explained = 1 / count;
		square = (off * off - exact->doubt) / seasonal_unit(exact) - explained;
	}
	lanes memory = lanes_min(exact->day_seen + 1, lanes_all(28.0 * step->day_bins));
	lanes gain = weight / lanes_max(memory, lanes_all(1));
	lanes most = 9 * (exact->day_variance + explained);
	lanes next = exact->day_variance +
		     gain * (lanes_clamp(square, -most, most) - exact->day_variance);
	exact->day_variance = lanes_pick(learn, lanes_max(next, lanes_all(0)), exact->day_variance);
	exact->day_seen = lanes_pick(learn, exact->day_seen + weight, exact->day_seen);
}

LANES_INLINE void count_visit(struct seasonal_group *group, uint32_t bin, lanes visits)
{
	for (int i = 0; i < LANES; i++) {
		uint8_t *both = &group->visits[bin / 2][i];
		unsigned shift = bin % 2 * 4;
		*both = (uint8_t)((*both & ~(15u << shift)) | ((unsigned)LANE(visits, i) << shift));
	}
}

/* Was the bin not taught? As before where it was not seen. */
LANES_INLINE void hold_bin(struct seasonal_group *group, uint32_t bin, lanes_mask held,
			   lanes_mask keep)
{
	for (int i = 0; i < LANES; i++) {
		uint8_t *all = &group->held[bin / 8][i];
		unsigned one = 1u << bin % 8;
		if (!LANE(keep, i))
			*all = (uint8_t)(LANE(held, i) ? *all | one : *all & ~one);
	}
}

void seasonal_shape_close(struct seasonal_group *group, const struct seasonal_step *step)
{
	struct seasonal_exact *exact = &group->exact;
	uint32_t bin = step->old_bin;
	/* Half of it must have been seen. */
	lanes_mask seen = exact->bin_count >= 0.5 * step->per_bin;
	lanes_mask known = exact->known > 0;
	lanes count = lanes_max(exact->bin_count, lanes_all(1));
	lanes mean = exact->bin_value / count;
	lanes ratio = exact->bin_value / lanes_max(exact->bin_base, lanes_all(1e-12));
	lanes visits = seasonal_visits(group, bin);
	lanes old = lanes_wide(group->rough.bin[bin]);
	lanes visit;

	/* Freed of which part of it was seen. */
	if (step->lumps) {
		lanes_mask tiny = exact->shape[0] <= seasonal_least(exact, step);
		/* Of rare events each would be cut, until they seem never to come. */
		lanes base = lanes_max(exact->bin_base, lanes_all(1e-12));
		lanes most = lanes_max(RATIO_LUMPS * exact->lump / base, lanes_all(RATIO_MAX));
		visit = exact->shape[0] * lanes_clamp(ratio, lanes_all(0), most);
		visit = lanes_pick(known & lanes_not(tiny), visit, mean);
		/* However little was expected, it is kept as a float. */
		visit = lanes_min(visit, lanes_all(1e30));
	} else {
		visit = exact->shape[0] + (exact->bin_value - exact->bin_base) / count;
		visit = lanes_pick(known, visit, mean);
	}
	/* What was an anomaly is not learned. But where it comes a week after another, and is more
	 * like the other days than the bin is, it was the bin that was wrong. */
	lanes_mask held = seen & (exact->bin_held > 0.5 * count), again = exact->again > 0;
	hold_bin(group, bin, held, lanes_not(seen));
	learn_day(exact, step, seen & known & (visits > 0) & lanes_not(held), ratio);
	learn_trust(exact, step, seen & known & lanes_not(held), visit);
	lanes other, others;
	pool(group, step->day_bins, bin % step->day_bins, &other, &others);
	again = again & (lanes_abs(visit - other) < lanes_abs(old - other));
	seen = seen & (lanes_not(held) | again);
	visits = lanes_pick(held & again, lanes_min(visits, lanes_all(1)), visits);
	lanes next = lanes_min(visits + 1, lanes_all(VISITS_MAX));
	group->rough.bin[bin] = lanes_narrow(lanes_pick(seen, old + (visit - old) / next, old));
	count_visit(group, bin, lanes_pick(seen, next, visits));
}
