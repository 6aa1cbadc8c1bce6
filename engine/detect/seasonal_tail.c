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
 *        Deviations enter as -log10 of their normal tail, so that for a right model the excess is
 *        exponential with mean 1 / ln 10, which is where every tail begins: with little seen, the
 *        model speaks; with more, the series.
 *
 *        The sixteen are merged as the mean of 1/p (valid for p-values under any dependence up to a
 *        factor: Vovk, Wang 2020), and with the strongest of them. SHIFT makes the result the
 *        probability that an anomaly as strong as this begins in an interval by chance.
 *
 * Cannot see: whether wild values are incidents or habits, before they repeat.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include "base/simd.h"
#include "detect/seasonal.h"

/* Part of intervals beyond the threshold, and -log10 of it. */
#define TAIL_RATE 0.02
#define TAIL_LOG10 1.7
/* A threshold never lies below this -log10 p, which normal scores reach at NEAR. */
#define TAIL_MIN 1.3
#define NEAR 1.9
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
				LANE(rough->tail[class][side], i) = TAIL_LOG10;
				LANE(rough->excess[class][side], i) = EXCESS_PRIOR;
				LANE(rough->square[class][side], i) = 2 * EXCESS_PRIOR *
								      EXCESS_PRIOR;
			}
		}
	}
}

/* -log10 of the normal tail, for z below NEAR: within a hundredth. */
LANES_INLINE lanes near_tail(lanes z)
{
	return z * (0.325 + 0.173 * z);
}

/* 10^x for 0 <= x <= TAIL_LOG10, within a few per cent. */
LANES_INLINE lanes near_power(lanes x)
{
	lanes y = x * (MATH_LN10 / 4);
	lanes root = 1 + y * (1 + y * (0.5 + y * (1.0 / 6 + y * (1.0 / 24))));
	root *= root;
	return root * root;
}

struct tail {
	lanes heavy_min, bias, reach, wild, prior, gain;
};

/* A class's score where it passes its threshold; what it teaches. */
LANES_INLINE lanes beyond(struct seasonal_rough *rough, uint32_t class, uint32_t side,
			  const struct tail *tail, const struct seasonal_now *now, lanes z,
			  lanes *score)
{
	lanes threshold = lanes_wide(rough->tail[class][side]);
	lanes mean = lanes_wide(rough->excess[class][side]);
	lanes square = lanes_wide(rough->square[class][side]);
	lanes crowd = lanes_wide(rough->crowd[class][side]);
	lanes excess = lanes_tail(z) - threshold;
	lanes_mask over = (excess > 0) & now->there;
	lanes spread = lanes_max(square - mean * mean, 0.1 * mean * mean);
	lanes heavy = 0.5 * (1 - mean * mean / spread) - tail->bias;

	heavy = lanes_clamp(heavy, tail->heavy_min, lanes_all(HEAVY_MAX));
	lanes scale = mean * (1 - heavy);
	lanes pareto = lanes_log(1 + heavy * lanes_max(excess, lanes_all(0)) / scale) /
		       lanes_max(heavy, lanes_all(1e-6));
	pareto = lanes_pick(heavy > 1e-3, pareto, excess / mean);
	lanes below = TAIL_LOG10 * lanes_clamp(1 + excess / (3 * mean), lanes_all(0), lanes_all(1));
	*score = lanes_pick(excess > 0, TAIL_LOG10 + MATH_LOG10_E * pareto, below);

	lanes_mask learn = over & now->teach;
	lanes damped = lanes_pick(*score > WILD, tail->wild, lanes_all(1));
	lanes step = 8 * mean * tail->prior * damped * (1 - TAIL_RATE);
	rough->tail[class][side] = lanes_narrow(lanes_pick(learn, threshold + step, threshold));
	lanes gain = tail->gain / (1 + crowd) *
		     lanes_pick(*score > WILD, 0.2 + 0.375 * (tail->wild - 0.2), lanes_all(1));
	lanes reached = lanes_min(excess, tail->reach * mean);
	lanes next = lanes_max(mean + gain * (reached - mean), lanes_all(EXCESS_MIN));
	rough->excess[class][side] = lanes_narrow(lanes_pick(learn, next, mean));
	next = square + gain * (reached * reached - square);
	rough->square[class][side] = lanes_narrow(lanes_pick(learn, next, square));
	rough->crowd[class][side] = lanes_narrow(lanes_pick(learn, crowd + 1, crowd));
	return lanes_pick(over, lanes_all(1), lanes_all(0));
}

/* Intervals within a threshold bring it down, once for a block of them; crowds thin out. */
LANES_INLINE void relax(struct seasonal_rough *rough, const struct tail *tail,
			const struct seasonal_now *now)
{
	const double thinner = 0.43046721; /* 0.9^BLOCK_TURN */

	for (uint32_t class = 0; class < SEASONAL_CLASSES; class ++) {
		for (uint32_t side = 0; side < 2; side++) {
			lanes threshold = lanes_wide(rough->tail[class][side]);
			lanes mean = lanes_wide(rough->excess[class][side]);
			lanes step = BLOCK_TURN * 8 * mean * tail->prior * TAIL_RATE;
			lanes next = lanes_max(threshold - step, lanes_all(TAIL_MIN));
			rough->tail[class][side] =
				lanes_narrow(lanes_pick(now->teach, next, threshold));
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

WEIR_CLONES
void seasonal_tail_score(struct seasonal_group *group, const struct seasonal_step *step,
			 struct seasonal_now *now)
{
	struct seasonal_exact *exact = &group->exact;
	struct tail tail = tail_of(exact, now->gauge);
	lanes_mask speaks = now->there & (exact->seen >= SEASONAL_SILENT);
	lanes strongest[2] = {lanes_all(0), lanes_all(0)}, sum = lanes_all(0);
	lanes highest = lanes_all(0), kind = lanes_all(0);

	for (uint32_t class = 0; class < SEASONAL_CLASSES; class ++) {
		for (uint32_t side = 0; side < 2; side++) {
			lanes z = now->class_score[class][side];
			lanes_mask far = (z > NEAR) & speaks;
			lanes score = lanes_min(near_tail(z) * 1.15, lanes_all(TAIL_LOG10));
			lanes power = near_power(score);
			if (lanes_any(far)) {
				lanes past;
				beyond(&group->rough, class, side, &tail, now, lanes_where(far, z),
				       &past);
				score = lanes_pick(far, past, score);
				lanes most = lanes_min(past, lanes_all(250));
				power = lanes_pick(far, lanes_exp(most * MATH_LN10), power);
			}
			strongest[side] = lanes_max(strongest[side], score);
			lanes_mask best = score > highest;
			highest = lanes_pick(best, score, highest);
			kind = lanes_pick(best, lanes_all(kind_of(class, side)), kind);
			sum += power;
		}
	}
	if (step->pushed % BLOCK_TURN == BLOCK_TURN - 1)
		relax(&group->rough, &tail, now);
	lanes merged = lanes_log(sum / (2.0 * SEASONAL_CLASSES)) * MATH_LOG10_E;
	lanes score = 0.5 * (merged + highest) + SHIFT;

	now->score = lanes_where(speaks, lanes_max(score, lanes_all(0)));
	now->side = lanes_pick(strongest[1] > strongest[0], lanes_all(1), lanes_all(-1));
	now->kind = kind;
}
