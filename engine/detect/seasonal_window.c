/*
 * seasonal_window: small deviations that last.
 *
 * Idea:  the sum over the last n intervals is compared with the forecast that was made before these
 *        n: level then, shape since. A change that began anywhere in the last hours is seen by the
 *        window that fits it, and no level has followed it there (a window-limited likelihood
 *        ratio test: Willsky, Jones 1976; Lai 1995). How well a level forecasts n intervals ahead
 *        is learned for each n: noise that wanders, errors of the shape, all that makes sums
 *        scatter more than their parts do.
 *
 *          variance of a sum = unit * mean + unit_square * mean^2 / n + drift(n) * mean^2
 *
 *        A count's deviation is the normal score of its Poisson tail (Peizer, Pratt 1968). What is
 *        over is forgotten at once: a window counts only as far as its last quarter agrees.
 *
 *        sums of the last 1..12 intervals, every one
 *        of the last 2, 3, 4, 6, 8, 12 blocks of 8 and the current one, every other interval
 *        of as many blocks of 64, every eighth interval
 *
 * Cannot see: what lasts longer than a day, but for the slowest level's forecast.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include <string.h>

#include "base/simd.h"
#include "detect/seasonal.h"

/* Memory of drifts: a fortnight. */
#define DRIFT_DAYS 14.0
/* Squares that teach a drift, over their variance, at most; and what the cut takes from a normal.
 */
#define DRIFT_CLIP 6.0
#define DRIFT_CUT 1.03
/* Drift of a window that fits into the series' life only so often: over the square of that. */
#define DRIFT_YOUNG 0.1
/* An hour of a day never seen: a count's level may change by this part of it, for three hours. */
#define SLOPE 0.2
/* Under a deviation this strong drifts learn a tenth. */
#define STRESSED 4.5
/* From here on a count's deviation is worth its exact tail. */
#define EXACT_FROM 1.8
/* A window's deviation is at most this, and twice its last quarter's; beyond that, of a count, what
 * it saw is over, and this is left of it. */
#define OVER 3.5
#define LEFT 2.0

static const uint8_t fine[SEASONAL_FINE] = {1, 2, 3, 4, 6, 8, 12};
static const uint8_t blocks[SEASONAL_BLOCKS] = {2, 3, 4, 6, 8, 12};
static const uint8_t class_of[SEASONAL_SPANS] = {0, 1, 1, 1, 2, 2, 2, 3, 3, 3,
						 4, 4, 4, 5, 5, 5, 5, 5, 5};

/* A sum and what it is compared with. */
struct window {
	uint32_t number;
	double length;
	lanes value, base, level;
	bool learn;
};

LANES_INLINE lanes poisson(lanes value, lanes mean, lanes variance, lanes z, double grain)
{
	lanes least = lanes_max(mean, lanes_all(1e-6));
	lanes scale = lanes_max(variance / least, lanes_all(1e-3));
	lanes exact = lanes_poisson(lanes_max(value, lanes_all(0)), least, lanes_all(grain), scale);
	/* A sum below zero: refunds outweigh. */
	return lanes_pick(value < 0, lanes_min(z, exact), exact);
}

/* Counts are whole numbers. */
LANES_INLINE double grain(const struct seasonal_step *step)
{
	return step->observations->aggregation == AGGREGATE_SUM ? 0 : 1;
}

/* The window's deviation in standard deviations; its drift learned. */
LANES_INLINE lanes deviation(struct seasonal_group *group, const struct seasonal_step *step,
			     const struct seasonal_now *now, const struct window *window)
{
	const struct seasonal_exact *exact = &group->exact;
	struct seasonal_rough *rough = &group->rough;
	uint32_t k = window->number;
	lanes mean = window->level * window->base;
	lanes square = step->lumps ? mean * mean : exact->unit * window->base * window->base;
	lanes own = step->lumps ? exact->unit * mean + exact->unit_square * square / window->length
				: exact->unit * window->base;
	lanes lives = exact->seen / window->length;
	lanes young = DRIFT_YOUNG / (exact->heft * lanes_max(lives * lives, lanes_all(1e-3)));
	lanes learned = lanes_wide(rough->drift[k]) /
			lanes_max(lanes_wide(rough->drift_weight[k]), lanes_all(1e-30));
	lanes drift = lanes_max(learned, now->doubt) + young;
	if (step->lumps) {
		double slope = SLOPE * math_min(window->length * 24 / step->per_day, 3);
		drift += lanes_where(exact->known == 0, lanes_all(slope * slope));
	}
	lanes variance = lanes_max(own + drift * square, lanes_all(1e-300));
	lanes off = window->value - mean;
	lanes_mask there = (window->base > 0) & (exact->seen >= window->length) & (mean == mean);
	lanes z = lanes_where(there, off / lanes_sqrt(variance));

	if (window->learn) {
		double memory = math_max(DRIFT_DAYS * step->per_day, 500);
		double keep = 1 - math_max(1, window->length / 4) / memory;
		lanes weight = now->gain / (variance * variance) * square;
		lanes beyond = lanes_min(off * off, DRIFT_CLIP * variance) * DRIFT_CUT - own;
		lanes old = lanes_wide(rough->drift[k]);
		lanes next = lanes_max(old * keep + weight * beyond, lanes_all(0));
		rough->drift[k] = lanes_narrow(lanes_pick(there, next, old));
		old = lanes_wide(rough->drift_weight[k]);
		next = old * keep + weight * square;
		rough->drift_weight[k] = lanes_narrow(lanes_pick(there, next, old));
	}
	lanes_mask far = lanes_abs(z) > EXACT_FROM;
	if (step->lumps && lanes_any(far)) {
		lanes tail = poisson(window->value, mean, variance, z, grain(step));
		z = lanes_pick(far, tail, z);
	}
	return z;
}

/* Deviations of windows, and whether what they saw is over. */
struct deviations {
	lanes_mask surely; /* a count, whose noise is white: what is over is over */
	lanes z[SEASONAL_SPANS];
	lanes_mask over[SEASONAL_SPANS];
};

/* Window k goes no further than its last quarter, window `quarter`, goes along; where that one says
 * that it is over, so it is. */
LANES_INLINE void agree(struct deviations *all, uint32_t k, uint32_t quarter, lanes z)
{
	lanes along = lanes_pick(z < 0, -all->z[quarter], all->z[quarter]);
	lanes most = 2 * lanes_max(along, lanes_all(0)) + OVER;

	most = lanes_pick(all->over[quarter], lanes_all(LEFT), most);
	all->over[k] = (lanes_abs(z) > most) & all->surely;
	most = lanes_pick(all->over[k], lanes_all(LEFT), most);
	all->z[k] = lanes_signed(lanes_min(lanes_abs(z), most), z);
}

LANES_INLINE void to_class(struct seasonal_now *now, uint32_t class, lanes z)
{
	now->class_score[class][1] = lanes_max(now->class_score[class][1], z);
	now->class_score[class][0] = lanes_max(now->class_score[class][0], -z);
}

/* Is it this window's turn to learn? Overlapping sums say little new. */
LANES_INLINE bool learns(const struct seasonal_step *step, uint32_t length)
{
	uint32_t each = length < 4 ? 1 : length / 4;
	return length > 1 && step->pushed % each == 0;
}

LANES_INLINE void score_fine(struct seasonal_group *group, const struct seasonal_step *step,
			     struct seasonal_now *now, struct deviations *all)
{
	const struct seasonal_ring *ring = &group->rough.ring[0];
	struct window window = {
		.length = 1, .value = now->value, .base = now->base, .level = group->exact.level};

	all->z[0] = deviation(group, step, now, &window);
	all->over[0] = all->z[0] != all->z[0];
	for (uint32_t length = 2, k = 1; k < SEASONAL_FINE; length++) {
		uint64_t at = (step->pushed - (length - 1)) % SEASONAL_RING;
		window.value += lanes_wide(ring->value[at]);
		window.base += lanes_wide(ring->base[at]);
		if (fine[k] != length)
			continue;
		window.number = k;
		window.length = length;
		window.level = lanes_wide(ring->level[at]);
		window.learn = learns(step, length);
		agree(all, k, k < 5 ? k == 4 : k - 4, deviation(group, step, now, &window));
		k++;
	}
}

/* Sums of whole blocks and the current one; order 0: blocks of 8, 1: of 64. */
LANES_INLINE void score_blocks(struct seasonal_group *group, const struct seasonal_step *step,
			       struct seasonal_now *now, uint32_t order, struct deviations *all)
{
	const struct seasonal_exact *exact = &group->exact;
	const struct seasonal_ring *ring = &group->rough.ring[1 + order];
	uint32_t size = order ? 64 : 8, part = (uint32_t)(step->pushed % size) + 1;
	uint64_t block = step->pushed / size;
	struct window window = {.value = now->value + exact->part_value[order],
				.base = now->base + exact->part_base[order]};

	for (uint32_t count = 1, i = 0; i < SEASONAL_BLOCKS; count++) {
		uint64_t at = (block - count) % SEASONAL_RING;
		uint32_t length = count * size + part,
			 k = SEASONAL_FINE + order * SEASONAL_BLOCKS + i;
		window.value += lanes_wide(ring->value[at]);
		window.base += lanes_wide(ring->base[at]);
		if (blocks[i] != count)
			continue;
		i++;
		if (count * size > step->longest) {
			all->z[k] = lanes_all(0);
			all->over[k] = all->over[0];
			continue;
		}
		window.number = k;
		window.length = length;
		window.level = lanes_wide(ring->level[at]);
		window.learn = step->pushed % (count * size / 4) == (order ? 7 : 0);
		agree(all, k, k - 4, deviation(group, step, now, &window));
	}
}

/* The last intervals against the slowest level, which follows nothing within a day. */
LANES_INLINE void score_slow(struct seasonal_group *group, const struct seasonal_step *step,
			     struct seasonal_now *now)
{
	const struct seasonal_ring *ring = &group->rough.ring[0];
	struct window window = {.number = SEASONAL_SPANS,
				.length = 1,
				.value = now->value,
				.base = now->base,
				.level = now->levels[SEASONAL_LEVELS - 1],
				.learn = true};

	struct deviations two = {.surely = now->gauge < 0.5};
	two.z[0] = deviation(group, step, now, &window);
	two.over[0] = two.z[0] != two.z[0];
	to_class(now, SEASONAL_SLOW, two.z[0]);
	for (uint32_t length = 2; length <= 12; length++) {
		uint64_t at = (step->pushed - (length - 1)) % SEASONAL_RING;
		window.value += lanes_wide(ring->value[at]);
		window.base += lanes_wide(ring->base[at]);
	}
	window.number = SEASONAL_SPANS + 1;
	window.length = 12;
	agree(&two, 1, 0, deviation(group, step, now, &window));
	to_class(now, SEASONAL_SLOW, two.z[1]);
}

/* Against a week of values, whatever their time of day. */
LANES_INLINE lanes novelty(const struct seasonal_exact *exact, const struct seasonal_step *step,
			   const struct seasonal_now *now)
{
	lanes spread = lanes_max(exact->spread, lanes_all(1e-300));
	lanes usual = now->sign * exact->usual;
	lanes lumps = step->shares ? now->weight : 1 / exact->lump;
	/* Of a larger denominator the share scatters less. */
	lanes heft = step->lumps ? lumps * exact->lump : lanes_all(1);
	lanes z = (now->x - usual) / lanes_sqrt(spread / lanes_max(heft, lanes_all(1e-9)));
	lanes_mask far = lanes_abs(z) > EXACT_FROM;

	if (!step->lumps || !lanes_any(far))
		return z;
	lanes mean = lanes_max(usual, lanes_all(1e-9)) * lumps;
	lanes variance = spread * lumps / exact->lump;
	return lanes_pick(far, poisson(now->value, mean, variance, z, grain(step)), z);
}

/* Classes that are not looked at in this interval keep what they said. */
LANES_INLINE void hold(struct seasonal_group *group, struct seasonal_now *now, uint32_t class,
		       bool looked)
{
	for (uint32_t side = 0; side < 2; side++) {
		if (looked) {
			lanes kept = lanes_wide(group->rough.held[class][side]);
			kept = lanes_pick(now->teach, now->class_score[class][side], kept);
			group->rough.held[class][side] = lanes_narrow(kept);
		}
		now->class_score[class][side] = lanes_wide(group->rough.held[class][side]);
	}
}

WEIR_CLONES
void seasonal_window_score(struct seasonal_group *group, const struct seasonal_step *step,
			   struct seasonal_now *now)
{
	struct seasonal_exact *exact = &group->exact;
	struct deviations all;

	all.surely = now->gauge < 0.5;
	bool middle = step->pushed % 2 == 0, long_ones = step->pushed % 8 == 7;

	now->gain = lanes_pick(exact->stress > STRESSED, lanes_all(0.1), lanes_all(1));
	now->gain = lanes_where(now->teach & (exact->seen > 10), now->gain);
	for (uint32_t class = 0; class < SEASONAL_CLASSES; class ++)
		now->class_score[class][0] = now->class_score[class][1] = lanes_all(0);
	score_fine(group, step, now, &all);
	for (uint32_t k = 0; k < SEASONAL_FINE; k++)
		to_class(now, class_of[k], all.z[k]);
	if (middle || long_ones) {
		score_blocks(group, step, now, 0, &all);
		for (uint32_t k = SEASONAL_FINE; k < SEASONAL_FINE + SEASONAL_BLOCKS; k++)
			to_class(now, class_of[k], all.z[k]);
	}
	if (long_ones) {
		score_blocks(group, step, now, 1, &all);
		for (uint32_t k = SEASONAL_FINE + SEASONAL_BLOCKS; k < SEASONAL_SPANS; k++)
			to_class(now, class_of[k], all.z[k]);
	}
	hold(group, now, 3, middle || long_ones);
	hold(group, now, 4, middle || long_ones);
	hold(group, now, 5, long_ones);
	score_slow(group, step, now);

	lanes novel = novelty(exact, step, now);
	to_class(now, SEASONAL_NOVELTY, lanes_where(now->there & (exact->spread > 0), novel));
	lanes stress = lanes_all(0);
	for (uint32_t class = 0; class < SEASONAL_NOVELTY; class ++)
		stress = lanes_max(stress, lanes_max(now->class_score[class][0],
						     now->class_score[class][1]));
	exact->stress = stress;
}

/* The interval goes into the rings, with the level as it was before it; one that is incomplete as
 * one of which nothing is known: a gap's missing part is no deviation. */
WEIR_CLONES
void seasonal_window_push(struct seasonal_group *group, const struct seasonal_step *step,
			  const struct seasonal_now *now)
{
	struct seasonal_exact *exact = &group->exact;
	uint64_t at = step->pushed % SEASONAL_RING;
	lanes value = lanes_where(now->teach, now->value);
	lanes base = lanes_where(now->teach, now->base);

	group->rough.ring[0].value[at] = lanes_narrow(value);
	group->rough.ring[0].base[at] = lanes_narrow(base);
	group->rough.ring[0].level[at] = lanes_narrow(exact->level);
	for (uint32_t order = 0; order < 2; order++) {
		struct seasonal_ring *ring = &group->rough.ring[1 + order];
		uint32_t size = order ? 64 : 8;
		uint64_t block = step->pushed / size % SEASONAL_RING;

		if (step->pushed % size == 0)
			ring->level[block] = lanes_narrow(exact->level);
		exact->part_value[order] += value;
		exact->part_base[order] += base;
		if (step->pushed % size != size - 1)
			continue;
		ring->value[block] = lanes_narrow(exact->part_value[order]);
		ring->base[block] = lanes_narrow(exact->part_base[order]);
		exact->part_value[order] = exact->part_base[order] = lanes_all(0);
	}
}

/* Intervals were left out: what lies before them is not the last that was. Windows begin anew
 * behind them, against the level that was before. */
void seasonal_window_forget(struct seasonal_group *group)
{
	struct seasonal_exact *exact = &group->exact;
	lanes_short level = lanes_narrow(exact->level);

	memset(group->rough.ring, 0, sizeof(group->rough.ring));
	for (uint32_t order = 0; order < 3; order++) {
		for (uint32_t at = 0; at < SEASONAL_RING; at++)
			group->rough.ring[order].level[at] = level;
	}
	memset(group->rough.held, 0, sizeof(group->rough.held));
	memset(exact->part_value, 0, sizeof(exact->part_value));
	memset(exact->part_base, 0, sizeof(exact->part_base));
}
