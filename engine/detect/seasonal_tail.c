/*
 * seasonal_tail: from deviations to one calibrated probability.
 *
 * Idea:  each class of windows, and each side of it, has a tail of its own, measured on the series
 *        itself: where the rarest two per cent begin, how far they reach on average, and how heavy
 *        they are. That is a generalized Pareto distribution over a threshold (Pickands 1975), its
 *        parameters by moments and within bounds, because likelihood fits wander on few points
 *        (Siffer et al. 2017 has the method, and its users the wandering). The threshold is tracked
 *        by stochastic approximation (Robbins, Monro 1951). Runs of exceedances are one event, told
 *        often: each counts less than the one before it, and what is wild counts little.
 *
 *        Thresholds are kept in standard deviations. Within one, a deviation counts by how much of
 *        the way to it it went, which is a multiplication. Behind it, it enters as -log10 of its
 *        normal tail, so that for a right model the excess is exponential with mean 1 / ln 10,
 *        which is where every tail begins: with little seen, the model speaks; with more, the
 *        series.
 *
 *        The sixteen are merged as the mean of 1/p (valid for p-values under any dependence up to a
 *        factor: Vovk, Wang 2020), and with the strongest of them. SHIFT makes the result the
 *        probability that an anomaly as strong as this begins in an interval by chance.
 *
 * Cannot see: whether wild values are incidents or habits, before they repeat.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include "detect/seasonal.h"

/* Part of intervals beyond the threshold, and -log10 of it. */
#define TAIL_RATE 0.02
#define TAIL_LOG10 1.7
/* The threshold that a right model has, in standard deviations; none lies below the other one. */
#define TAIL_FIRST 2.327
#define TAIL_LEAST 1.96
#define EXCESS_MIN 0.3
#define EXCESS_PRIOR MATH_LOG10_E
/* Intervals that the model speaks with the series: of counts, of gauges. */
#define PRIOR_COUNTS 2000.0
#define PRIOR_GAUGES 20.0
/* Thresholds never learn slower than this; excesses of counts and of gauges. */
#define TAIL_GAIN 0.001
#define EXCESS_GAIN_COUNTS 0.002
#define EXCESS_GAIN_GAUGES 0.03
/* One exceedance teaches as if it reached so many mean excesses, at most. */
#define REACH_COUNTS 6.0
#define REACH_GAUGES 20.0
/* Beyond this score a tail learns less: it is rather an anomaly. */
#define WILD 5.0
/* Shape of the Pareto tail: a gauge's is never light; a count's estimate is a bit high by what
 * anomalies leave in it. */
#define HEAVY_MIN 0.2
#define HEAVY_MAX 0.7
#define HEAVY_BIAS 0.2
/* Many windows are tried in each interval. */
#define SHIFT (-0.45)
#define BLOCK_TURN 8

void seasonal_tail_init(struct seasonal_group *group)
{
	struct seasonal_rough *rough = &group->rough;

	for (uint32_t class = 0; class < SEASONAL_CLASSES; class ++) {
		for (uint32_t side = 0; side < 2; side++) {
			for (int i = 0; i < LANES; i++) {
				LANE(rough->threshold[class][side], i) = (float)(1 / TAIL_FIRST);
				LANE(rough->excess[class][side], i) = EXCESS_PRIOR;
				LANE(rough->square[class][side], i) = 2 * EXCESS_PRIOR *
								      EXCESS_PRIOR;
			}
		}
	}
}

/* -log10 of the tail within the threshold, 0 <= part <= 1 of the way to it: a normal's, stretched
 * to meet the Pareto tail there. */
LANES_INLINE lanes near_score(lanes part)
{
	return TAIL_LOG10 * part * (0.44 + 0.56 * part);
}

/* 10 to the power of that, within a few per cent. */
LANES_INLINE lanes near_power(lanes part)
{
	lanes root = 1 + part * (0.62 + part * (1.2107 * part - 0.17));
	root *= root;
	return root * root;
}

/* How -log10 of a normal's tail grows at the threshold, times one over the threshold. */
LANES_INLINE lanes slope_at(lanes inverse)
{
	return 0.35 + 0.33 * inverse;
}

struct tail {
	lanes heavy_min, bias, reach, wild, prior, gain;
};

/* A class's score where it passes its threshold; what it teaches. */
LANES_INLINE lanes beyond(struct seasonal_rough *rough, uint32_t class, uint32_t side,
			  const struct tail *tail, lanes_mask learn, lanes z)
{
	lanes inverse = lanes_wide(rough->threshold[class][side]);
	lanes mean = lanes_wide(rough->excess[class][side]);
	lanes square = lanes_wide(rough->square[class][side]);
	lanes crowd = lanes_wide(rough->crowd[class][side]);
	lanes excess = lanes_far_tail(lanes_min(z, lanes_all(1e12))) - lanes_far_tail(1 / inverse);
	excess = lanes_max(excess, lanes_all(0));
	lanes spread = lanes_max(square - mean * mean, 0.1 * mean * mean);
	lanes heavy = 0.5 * (1 - mean * mean / spread) - tail->bias;

	heavy = lanes_clamp(heavy, tail->heavy_min, lanes_all(HEAVY_MAX));
	lanes least = lanes_max(heavy, lanes_all(1e-6));
	lanes pareto = lanes_log_short(1 + heavy * excess / (mean * (1 - heavy))) / least;
	pareto = lanes_pick(heavy > 1e-3, pareto, excess / mean);
	lanes score = TAIL_LOG10 + MATH_LOG10_E * pareto;

	lanes damped = lanes_pick(score > WILD, tail->wild, lanes_all(1));
	lanes step = 8 * mean * tail->prior * damped * (1 - TAIL_RATE);
	lanes slope = slope_at(inverse);
	lanes next = inverse * slope / (slope + step * inverse * inverse);
	rough->threshold[class][side] = lanes_narrow(lanes_pick(learn, next, inverse));
	lanes gain = tail->gain / (1 + crowd) *
		     lanes_pick(score > WILD, 0.2 + 0.375 * (tail->wild - 0.2), lanes_all(1));
	lanes reached = lanes_min(excess, tail->reach * mean);
	next = lanes_max(mean + gain * (reached - mean), lanes_all(EXCESS_MIN));
	rough->excess[class][side] = lanes_narrow(lanes_pick(learn, next, mean));
	next = square + gain * (reached * reached - square);
	rough->square[class][side] = lanes_narrow(lanes_pick(learn, next, square));
	rough->crowd[class][side] = lanes_narrow(lanes_pick(learn, crowd + 1, crowd));
	return score;
}

/* Intervals within a threshold bring it down, once for a block of them; crowds thin out. */
LANES_INLINE void relax(struct seasonal_rough *rough, const struct tail *tail,
			const struct seasonal_now *now)
{
	const double thinner = 0.43046721; /* 0.9^BLOCK_TURN */

	for (uint32_t class = 0; class < SEASONAL_CLASSES; class ++) {
		for (uint32_t side = 0; side < 2; side++) {
			lanes inverse = lanes_wide(rough->threshold[class][side]);
			lanes mean = lanes_wide(rough->excess[class][side]);
			lanes step = BLOCK_TURN * 8 * mean * tail->prior * TAIL_RATE;
			lanes slope = slope_at(inverse);
			lanes rest = lanes_max(slope - step * inverse * inverse, lanes_all(1e-3));
			lanes next = lanes_min(inverse * slope / rest, lanes_all(1 / TAIL_LEAST));
			rough->threshold[class][side] =
				lanes_narrow(lanes_pick(now->calm, next, inverse));
			lanes crowd = lanes_wide(rough->crowd[class][side]);
			rough->crowd[class][side] = lanes_narrow(crowd * thinner);
		}
	}
}

LANES_INLINE struct tail tail_of(const struct seasonal_exact *exact, lanes gauge)
{
	lanes prior = PRIOR_COUNTS + gauge * (PRIOR_GAUGES - PRIOR_COUNTS);
	lanes slowest = EXCESS_GAIN_COUNTS + gauge * (EXCESS_GAIN_GAUGES - EXCESS_GAIN_COUNTS);

	return (struct tail){
		.heavy_min = HEAVY_MIN * gauge,
		.bias = HEAVY_BIAS * (1 - gauge),
		.reach = REACH_COUNTS + gauge * (REACH_GAUGES - REACH_COUNTS),
		.wild = 0.2 + 0.8 * gauge,
		.prior = lanes_max(1 / (prior + exact->seen), lanes_all(TAIL_GAIN)),
		.gain = lanes_max(1 / (0.5 * prior + 0.02 * exact->seen), slowest),
	};
}

/* What an episode counts as: its side, and whether long windows see it. */
LANES_INLINE double kind_of(uint32_t class, uint32_t side)
{
	bool wide = class >= 3 && class != SEASONAL_NOVELTY;
	return 2.0 * wide + side;
}

/* What all classes say. */
struct merged {
	lanes sum;        /* of 1/p */
	lanes nearest[2]; /* parts of the way to a threshold */
	lanes highest[2]; /* scores behind one */
	lanes top, kind;
};

/* How much of the way to its threshold a side of a class went. */
LANES_INLINE lanes way_of(const struct seasonal_group *group, const struct seasonal_now *now,
			  uint32_t class, uint32_t side)
{
	return now->class_score[class][side] * lanes_wide(group->rough.threshold[class][side]);
}

/* What a class says within its thresholds: the side that went further. Which are passed: a bit for
 * each side. */
LANES_INLINE uint32_t merge_near(const struct seasonal_group *group, const struct seasonal_now *now,
				 uint32_t class, lanes_mask speaks, struct merged *all)
{
	lanes down = way_of(group, now, class, 0), up = way_of(group, now, class, 1);
	bool far_down = lanes_any((down > 1) & speaks), far_up = lanes_any((up > 1) & speaks);

	all->nearest[0] = lanes_max(all->nearest[0], down);
	all->nearest[1] = lanes_max(all->nearest[1], up);
	all->sum += near_power(lanes_min(lanes_max(down, up), lanes_all(1)));
	return (uint32_t)far_down | (uint32_t)far_up << 1;
}

/* What it says behind it, for what it said within. */
LANES_INLINE void merge_far(struct seasonal_group *group, uint32_t class, uint32_t side,
			    const struct tail *tail, const struct seasonal_now *now,
			    lanes_mask speaks, struct merged *all)
{
	lanes_mask far = (way_of(group, now, class, side) > 1) & speaks;
	lanes score = beyond(&group->rough, class, side, tail, far & now->calm,
			     now->class_score[class][side]);
	lanes power = lanes_power10(lanes_min(score, lanes_all(250)));

	score = lanes_where(far, score);
	all->sum += lanes_where(far, power - near_power(lanes_all(1)));
	all->highest[side] = lanes_max(all->highest[side], score);
	all->kind = lanes_pick(score > all->top, lanes_all(kind_of(class, side)), all->kind);
	all->top = lanes_max(all->top, score);
}

void seasonal_tail_score(struct seasonal_group *group, const struct seasonal_step *step,
			 struct seasonal_now *now)
{
	struct seasonal_exact *exact = &group->exact;
	bool relaxes = step->pushed % BLOCK_TURN == BLOCK_TURN - 1;
	lanes_mask speaks = now->there & (exact->seen >= SEASONAL_SILENT);
	/* Of each class the weaker side says nothing: 1. */
	struct merged all;
	uint32_t far = 0;

	all.sum = lanes_all(SEASONAL_CLASSES);
	all.nearest[0] = all.nearest[1] = all.highest[0] = all.highest[1] = lanes_all(0);
	all.top = all.kind = lanes_all(0);
	for (uint32_t class = 0; class < SEASONAL_CLASSES; class ++)
		far |= merge_near(group, now, class, speaks, &all) << 2 * class;
	struct tail tail;
	if (far || relaxes)
		tail = tail_of(exact, now->gauge);
	for (; far; far &= far - 1) {
		uint32_t at = (uint32_t)__builtin_ctz(far);
		merge_far(group, at / 2, at % 2, &tail, now, speaks, &all);
	}
	if (relaxes)
		relax(&group->rough, &tail, now);
	lanes one = lanes_all(1);
	lanes down = lanes_max(near_score(lanes_min(all.nearest[0], one)), all.highest[0]);
	lanes up = lanes_max(near_score(lanes_min(all.nearest[1], one)), all.highest[1]);
	lanes merged = lanes_log_short(all.sum * (0.5 / SEASONAL_CLASSES)) * MATH_LOG10_E;
	lanes score = 0.5 * (merged + lanes_max(down, up)) + SHIFT;

	now->score = lanes_where(speaks, lanes_max(score, lanes_all(0)));
	now->side = lanes_pick(up > down, lanes_all(1), lanes_all(-1));
	now->kind = all.kind;
}
