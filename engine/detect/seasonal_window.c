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
 *        sums of the last 1..12 intervals, in every one
 *        of the last 2, 3, 4, 6, 8, 12 blocks of 8 and the current one, in every fourth
 *        of as many blocks of 64, in every sixteenth
 *        of the last 12 against the slowest level, in every other
 *
 *        Drifts change over days: a window learns in every fourth interval, longer ones in every
 *        eighth to 64th. Most windows are no more than scatter: all are measured by the normal's
 *        standard first, and only those that are far off are looked at closely (correct()).
 *
 * Cannot see: what lasts longer than a day, but for the slowest level's forecast; what only a long
 * window sees it sees up to three (fifteen) intervals later.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include <string.h>

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
#define EXACT_FROM 2.0
/* A window's deviation is at most this, and twice its last quarter's; beyond that, of a count, what
 * it saw is over, and this is left of it. */
#define OVER 3.5
#define LEFT 2.0
/* Up to here a window's deviation is believed as its drift says; beyond, if the level that it is
 * measured by is known that well. */
#define BELIEVED 4.5
/* How well the level before a block was known lies in its last bits: the variance, in quarters of
 * powers of two from 2^-48 on. */
#define KNOWN_MASK 0xffu
#define KNOWN_SHIFT 21
#define KNOWN_FROM ((127u - 48) << 2)
#define KNOWN_HALF (1u << (KNOWN_SHIFT - 1))
#define KNOWN_LEAST 4e-15
#define KNOWN_MOST 3e4

/* Windows in the order in which they are looked at, in groups that have their turns at the same
 * time. A window's quarter is the one that stands for its last quarter. */
enum { SLOW_ONE = 7, SLOW_TWELVE = SEASONAL_SLOW_TWELVE, FIRST_BLOCK = 9, FIRST_LARGE = 15 };
static const uint8_t quarter[SEASONAL_WINDOWS] = {0, 0, 0, 0,  1,  1,  2,  7,  7,  3, 4,
						  5, 6, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t lengths[FIRST_BLOCK] = {1, 2, 3, 4, 6, 8, 12, 1, 12};
static const uint8_t blocks[SEASONAL_BLOCKS] = {2, 3, 4, 6, 8, 12};

/* Turns at which a window learns: multiples of those at which it is looked at. Overlapping sums say
 * little new. */
static uint32_t learns_each(uint32_t k)
{
	if (k >= FIRST_LARGE)
		return 64;
	return k < FIRST_BLOCK ? 4 : k < FIRST_BLOCK + 3 ? 8 : 16;
}

static void set_length(struct seasonal_span *span, uint32_t length, double per_day)
{
	double slope = SLOPE * math_min((double)length * 24 / per_day, 3);

	span->length = length;
	span->part = 1 / (double)length;
	span->young = DRIFT_YOUNG * length * length;
	span->slope = slope * slope;
}

static uint32_t whole_blocks(uint32_t k)
{
	return (k < FIRST_LARGE ? 8u : 64u) * blocks[(k - FIRST_BLOCK) % SEASONAL_BLOCKS];
}

/* What is the same of windows for all intervals of this length. */
void seasonal_window_pace(struct seasonal_step *step)
{
	double memory = math_max(DRIFT_DAYS * step->per_day, 500);

	step->longest_window = SEASONAL_WINDOWS;
	for (uint32_t k = SEASONAL_WINDOWS; k-- > 0;) {
		step->span[k].keep = 1 - learns_each(k) / memory;
		if (k < FIRST_BLOCK)
			set_length(&step->span[k], lengths[k], step->per_day);
		else if (whole_blocks(k) > step->longest)
			step->longest_window = k;
	}
}

/* Which windows are looked at in this interval, and which of them learn. */
void seasonal_window_prepare(struct seasonal_step *step)
{
	uint64_t pushed = step->pushed;

	step->windows = pushed % 16 == 15 ? SEASONAL_WINDOWS
			: pushed % 4 == 3 ? FIRST_LARGE
			: pushed % 2 == 1 ? FIRST_BLOCK
					  : SLOW_TWELVE;
	step->windows_due = step->windows;
	if (step->windows > step->longest_window)
		step->windows = step->longest_window;
	for (uint32_t k = 0; k < step->windows; k++) {
		uint32_t part = (uint32_t)(pushed % (k < FIRST_LARGE ? 8 : 64)) + 1;

		if (k >= FIRST_BLOCK)
			set_length(&step->span[k], whole_blocks(k) + part, step->per_day);
		step->span[k].learns = k > 0 && pushed % learns_each(k) == learns_each(k) - 1;
	}
}

/* Counts are whole numbers. */
LANES_INLINE double grain(const struct seasonal_step *step)
{
	return step->observations->aggregation == AGGREGATE_SUM ? 0 : 1;
}

/* The normal score of a count's Poisson tail: math_poisson_score() without its logarithm. */
LANES_INLINE lanes poisson(lanes value, lanes mean, lanes variance, lanes z, double grain)
{
	lanes least = lanes_max(mean, lanes_all(1e-6));
	lanes scale = lanes_max(variance / least, lanes_all(1e-3));
	lanes count = lanes_max(value, lanes_all(0));
	lanes_mask more = count > least;
	lanes x = count + lanes_pick(more, lanes_all(-0.5 * grain), lanes_all(0.5 * grain));
	x = lanes_max(x, lanes_all(0));
	lanes gap = x - least;
	lanes apart = gap / (x + least);
	lanes trust = lanes_min(scale, 2 * x);
	lanes off = gap + trust * (1.0 / 6 + 0.02 * scale / (x + 0.5 * scale));
	lanes exact = off * lanes_sqrt(lanes_deviance(apart, scale * least));
	lanes_mask wide = apart > LANES_DEVIANCE_REACH;

	exact = lanes_pick(more, lanes_max(exact, lanes_all(0)), lanes_min(exact, lanes_all(0)));
	if (lanes_any(wide))
		exact = lanes_pick(wide, lanes_poisson(count, least, lanes_all(grain), scale),
				   exact);
	/* A sum below zero: refunds outweigh. */
	return lanes_pick(value < 0, lanes_min(z, exact), exact);
}

/* Sums and what they are compared with; what became of them. */
struct windows {
	lanes value[SEASONAL_WINDOWS], base[SEASONAL_WINDOWS], level[SEASONAL_WINDOWS];
	lanes mean[SEASONAL_WINDOWS], variance[SEASONAL_WINDOWS], z[SEASONAL_WINDOWS];
	uint32_t far;      /* windows of which any lane is far off, a bit each */
	lanes_mask surely; /* a count, whose noise is white: what is over is over */
};

/* What is the same for all windows of a series. */
struct common {
	lanes young;        /* over what a span says */
	lanes_mask unknown; /* this hour of the day was never seen */
	bool any_unknown;
};

/* Variance of the level, of what was added up to it, relative to its square: of a count. Levels
 * that forget are means whose weights fall off, and overlap. */
LANES_INLINE lanes mix_unknown(const struct seasonal_exact *exact, const lanes *behind)
{
	lanes sum = lanes_all(0);

	for (uint32_t a = 0; a < SEASONAL_LEVELS; a++) {
		for (uint32_t b = 0; b < SEASONAL_LEVELS; b++) {
			lanes both = lanes_max(behind[a] + behind[b], lanes_all(1e-9));
			sum += exact->share[a] * exact->share[b] / both;
		}
	}
	return sum * exact->unit;
}

LANES_INLINE lanes level_unknown(const struct seasonal_exact *exact)
{
	return mix_unknown(exact, exact->level_base) / lanes_max(exact->level, lanes_all(1e-9));
}

/* What that is on the average of a week, as the levels have their shares now. */
LANES_INLINE lanes level_usually_unknown(const struct seasonal_exact *exact,
					 const struct seasonal_step *step,
					 const struct seasonal_now *now)
{
	lanes lumps = now->base / lanes_max(now->shape * now->times, lanes_all(1e-9));
	lanes behind[SEASONAL_LEVELS];

	for (uint32_t a = 0; a < SEASONAL_LEVELS; a++)
		behind[a] = lanes_all(1 / (1 - step->keep[a]));
	lanes mean = lanes_abs(exact->usual) * lumps;
	return mix_unknown(exact, behind) / lanes_max(mean, lanes_all(1e-9));
}

/* The normal's deviation that is as unlikely as this one of a variance that few values have told:
 * Student's t of so many degrees of freedom (Wallace 1959: z^2 = n ln(1 + t^2 / n)); few: one over
 * them. The logarithm's quotient is a rational function, within 0.5 % up to t^2 = 2.5 n. */
LANES_INLINE lanes student(lanes t, lanes few)
{
	lanes u = t * t * few;
	lanes less = (30 + u * (21 + u)) / (30 + u * (36 + 9 * u));

	return t * lanes_sqrt(less);
}

/* One over the degrees of freedom that a count's variance is known by: of its part that is chance
 * there is no doubt, what is beyond goes by the evidence for it, `known`. square: of the mean, as
 * it has a part in the variance. */
LANES_INLINE lanes few_values(lanes square, lanes variance, lanes known)
{
	lanes part = square / variance;

	return part * part / known;
}

/* A level that remembers how well it is known. */
LANES_INLINE lanes_short marked(lanes level, lanes unknown)
{
	lanes_short ret = lanes_narrow(level);
	lanes_short marks = lanes_narrow(
		lanes_clamp(unknown, lanes_all(KNOWN_LEAST), lanes_all(KNOWN_MOST)));

	for (int i = 0; i < LANES; i++) {
		float kept = LANE(ret, i), mark = LANE(marks, i);
		uint32_t bits, of;
		memcpy(&bits, &kept, sizeof(bits));
		memcpy(&of, &mark, sizeof(of));
		bits = (bits & ~KNOWN_MASK) | ((of >> KNOWN_SHIFT) - KNOWN_FROM);
		memcpy(&kept, &bits, sizeof(kept));
		LANE(ret, i) = kept;
	}
	return ret;
}

/* How well it was. */
LANES_INLINE lanes unknown_then(lanes level)
{
	lanes ret = {0};

	for (int i = 0; i < LANES; i++) {
		float kept = (float)LANE(level, i), mark;
		uint32_t bits;
		memcpy(&bits, &kept, sizeof(bits));
		bits = ((bits & KNOWN_MASK) + KNOWN_FROM) << KNOWN_SHIFT | KNOWN_HALF;
		memcpy(&mark, &bits, sizeof(mark));
		LANE(ret, i) = (double)mark;
	}
	return ret;
}

/* A drift is learned from few windows of its length, and may seem to be none. And it is the mean of
 * all hours, of those with most events above all: at night a level is known from few, and a fast
 * one that was lucky may have all the say in it. By how much less it is known than usual, scatters
 * more. */
LANES_INLINE lanes believed(const struct seasonal_exact *exact, const struct seasonal_step *step,
			    const struct seasonal_now *now, const struct windows *all, uint32_t k,
			    lanes z)
{
	lanes mean = all->mean[k], variance = all->variance[k];
	lanes unknown = k < FIRST_BLOCK ? level_unknown(exact) : unknown_then(all->level[k]);
	lanes more = lanes_max(unknown - level_usually_unknown(exact, step, now), lanes_all(0));
	lanes least = lanes_max((exact->unit + unknown * mean) * mean,
				variance + more * mean * mean);
	lanes part = variance / lanes_max(variance, least);
	lanes most = lanes_max(lanes_abs(z) * lanes_sqrt(part), lanes_all(BELIEVED));

	return lanes_signed(lanes_min(lanes_abs(z), most), z);
}

/* What windows say that are far off, the short ones first: a count's exact tail, and no window goes
 * further than its last quarter goes along; where that one says that it is over, so it is. */
LANES_INLINE void correct(const struct seasonal_exact *exact, const struct seasonal_step *step,
			  const struct seasonal_now *now, struct windows *all, bool lumps)
{
	lanes_mask over[SEASONAL_WINDOWS];
	uint32_t any_over = 0;

	for (uint32_t left = all->far; left; left &= left - 1) {
		uint32_t k = (uint32_t)__builtin_ctz(left);
		lanes z = all->z[k];
		if (lumps) {
			lanes tail = poisson(all->value[k], all->mean[k], all->variance[k], z,
					     grain(step));
			z = lanes_pick(lanes_abs(z) > EXACT_FROM, tail, z);
			if (lanes_any(lanes_abs(z) > BELIEVED))
				z = believed(exact, step, now, all, k, z);
		}
		lanes last = all->z[quarter[k]];
		lanes along = lanes_pick(z < 0, -last, last);
		lanes most = 2 * lanes_max(along, lanes_all(0)) + OVER;
		if (any_over >> quarter[k] & 1)
			most = lanes_pick(over[quarter[k]], lanes_all(LEFT), most);
		if (quarter[k] == k) {
			all->z[k] = z;
			continue;
		}
		over[k] = (lanes_abs(z) > most) & all->surely;
		any_over |= (uint32_t)lanes_any(over[k]) << k;
		most = lanes_pick(over[k], lanes_all(LEFT), most);
		all->z[k] = lanes_signed(lanes_min(lanes_abs(z), most), z);
	}
}

/* How far sums of this length scatter beyond their parts is learned. */
LANES_INLINE void learn_drift(struct seasonal_rough *rough, uint32_t k, double keep, lanes gain,
			      lanes beyond, lanes square)
{
	lanes kept = lanes_wide(rough->drift_weight[k]) * keep;
	lanes weight = gain * square;
	lanes sum = kept + weight * square;
	lanes drift = lanes_wide(rough->drift[k]);
	lanes next = (drift * kept + weight * beyond) / lanes_max(sum, lanes_all(1e-30));

	rough->drift[k] = lanes_narrow(lanes_max(next, lanes_all(0)));
	rough->drift_weight[k] = lanes_narrow(sum);
}

/* The window's deviation in standard deviations; its drift learned. */
LANES_INLINE void deviation(struct seasonal_group *group, const struct seasonal_step *step,
			    const struct seasonal_now *now, const struct common *common,
			    struct windows *all, uint32_t k, bool lumps)
{
	const struct seasonal_exact *exact = &group->exact;
	const struct seasonal_span *span = &step->span[k];
	lanes base = all->base[k];
	lanes mean = all->level[k] * base;
	lanes drift = lanes_max(lanes_wide(group->rough.drift[k]), now->doubt) +
		      common->young * span->young;
	lanes own, square;

	if (lumps) {
		own = (exact->unit + exact->unit_square * mean * span->part) * mean;
		square = mean * mean;
		if (common->any_unknown)
			drift += lanes_where(common->unknown, lanes_all(span->slope));
	} else {
		own = exact->unit * base;
		square = own * base;
	}
	lanes variance = lanes_max(own + drift * square, lanes_all(1e-300));
	lanes inverse = 1 / variance;
	lanes off = all->value[k] - mean;
	lanes_mask there = (base > 0) & (exact->seen >= span->length);
	lanes z = lanes_where(there, off * lanes_sqrt(inverse));

	all->mean[k] = mean;
	all->variance[k] = variance;
	all->z[k] = z;
	all->far |= (uint32_t)lanes_any(lanes_abs(z) > EXACT_FROM) << k;
	if (span->learns) {
		lanes reach = lanes_min(z * z, lanes_all(DRIFT_CLIP));
		learn_drift(&group->rough, k, span->keep, lanes_where(there, now->gain),
			    reach * DRIFT_CUT - own * inverse, square * inverse);
	}
}

/* Sums of the last intervals. */
LANES_INLINE void sum_fine(const struct seasonal_group *group, const struct seasonal_step *step,
			   const struct seasonal_now *now, struct windows *all)
{
	const struct seasonal_ring *ring = &group->rough.ring[0];
	lanes value = now->value, base = now->base;
	uint64_t at = step->pushed;

	all->value[0] = all->value[SLOW_ONE] = value;
	all->base[0] = all->base[SLOW_ONE] = base;
	all->level[0] = group->exact.level;
	all->level[SLOW_ONE] = all->level[SLOW_TWELVE] = now->levels[SEASONAL_LEVELS - 1];
	LANES_UNROLL
	for (uint32_t k = 1; k < SLOW_ONE; k++) {
		LANES_UNROLL
		for (uint32_t more = lengths[k] - lengths[k - 1]; more > 0; more--) {
			at--;
			value += lanes_wide(ring->value[at % SEASONAL_RING]);
			base += lanes_wide(ring->base[at % SEASONAL_RING]);
		}
		all->value[k] = value;
		all->base[k] = base;
		all->level[k] = lanes_wide(ring->level[at % SEASONAL_RING]);
	}
	all->value[SLOW_TWELVE] = value;
	all->base[SLOW_TWELVE] = base;
}

/* Sums of whole blocks and the current one; order 0: blocks of 8, 1: of 64. */
LANES_INLINE void sum_blocks(const struct seasonal_group *group, const struct seasonal_step *step,
			     const struct seasonal_now *now, uint32_t order, struct windows *all)
{
	const struct seasonal_exact *exact = &group->exact;
	const struct seasonal_ring *ring = &group->rough.ring[1 + order];
	uint64_t block = step->pushed / (order ? 64 : 8);
	lanes value = now->value + exact->part_value[order];
	lanes base = now->base + exact->part_base[order];
	uint32_t first = order ? FIRST_LARGE : FIRST_BLOCK;

	for (uint32_t i = 0, count = 1; i < SEASONAL_BLOCKS; i++) {
		for (; count <= blocks[i]; count++) {
			uint64_t at = (block - count) % SEASONAL_RING;
			value += lanes_wide(ring->value[at]);
			base += lanes_wide(ring->base[at]);
		}
		all->value[first + i] = value;
		all->base[first + i] = base;
		all->level[first + i] =
			lanes_wide(ring->level[(block - blocks[i]) % SEASONAL_RING]);
	}
}

LANES_INLINE void to_class(struct seasonal_now *now, uint32_t class, lanes z)
{
	now->class_score[class][1] = lanes_max(now->class_score[class][1], z);
	now->class_score[class][0] = lanes_max(now->class_score[class][0], -z);
}

/* Against a week of values, whatever their time of day. */
LANES_INLINE lanes novelty(const struct seasonal_exact *exact, const struct seasonal_step *step,
			   const struct seasonal_now *now)
{
	lanes spread = lanes_max(exact->spread, lanes_all(1e-300));
	lanes usual = now->sign * exact->usual;
	lanes lumps = step->shares ? now->weight : step->whole ? lanes_all(1) : 1 / exact->lump;
	/* Of a larger denominator the share scatters less. */
	lanes heft = step->shares ? lumps * exact->lump : lanes_all(1);
	lanes z = (now->plain - usual) * lanes_sqrt(lanes_max(heft, lanes_all(1e-9)) / spread);
	lanes_mask far = lanes_abs(z) > EXACT_FROM;

	if (!step->lumps || !lanes_any(far))
		return z;
	/* Half of one in a week is the least that a week can tell. */
	lanes mean = lanes_max(usual * now->times * lumps, lanes_all(0.5 * step->week));
	/* Few values may lie closer together than chance lets them; nobody knows that they will. */
	lanes scatter = spread * now->times * now->times;
	lanes variance = lanes_max(scatter * lumps / exact->lump, exact->unit * mean);
	lanes tail = poisson(now->value, mean, variance, z, grain(step));
	/* So many values are behind what fades over a week. */
	lanes values = lanes_min(exact->seen, lanes_all(2 / step->week - 1));
	lanes square = mean * mean, each = square / (variance + 1);
	lanes known = values * each * each + SEASONAL_SQUARE_PRIOR;
	return lanes_pick(far, student(tail, few_values(square, variance, known)), z);
}

/* The strongest of these windows, on each side. Classes that are not looked at in this interval
 * keep what they said. */
LANES_INLINE void classify(struct seasonal_group *group, struct seasonal_now *now, uint32_t class,
			   const lanes *z, uint32_t count, bool looked)
{
	lanes_short *held = group->rough.held[class];

	if (!looked) {
		now->class_score[class][0] = lanes_wide(held[0]);
		now->class_score[class][1] = lanes_wide(held[1]);
		return;
	}
	for (uint32_t k = 0; k < count; k++)
		to_class(now, class, z[k]);
	for (uint32_t side = 0; side < 2; side++) {
		lanes kept = lanes_wide(held[side]);
		kept = lanes_pick(now->whole, now->class_score[class][side], kept);
		held[side] = lanes_narrow(kept);
		now->class_score[class][side] = lanes_wide(held[side]);
	}
}

LANES_INLINE void classify_all(struct seasonal_group *group, const struct seasonal_step *step,
			       struct seasonal_now *now, const struct windows *all)
{
	bool second = step->pushed % 2 == 1, fourth = step->pushed % 4 == 3;
	bool sixteenth = step->pushed % 16 == 15;

	for (uint32_t class = 0; class < SEASONAL_CLASSES; class ++)
		now->class_score[class][0] = now->class_score[class][1] = lanes_all(0);
	to_class(now, 0, all->z[0]);
	for (uint32_t k = 1; k < 4; k++)
		to_class(now, 1, all->z[k]);
	for (uint32_t k = 4; k < SLOW_ONE; k++)
		to_class(now, 2, all->z[k]);
	classify(group, now, 3, &all->z[FIRST_BLOCK], 3, fourth);
	classify(group, now, 4, &all->z[FIRST_BLOCK + 3], 3, fourth);
	classify(group, now, 5, &all->z[FIRST_LARGE], SEASONAL_BLOCKS, sixteenth);
	classify(group, now, SEASONAL_SLOW, &all->z[SLOW_TWELVE], 1, second);
	to_class(now, SEASONAL_SLOW, all->z[SLOW_ONE]);
}

LANES_INLINE void score_all(struct seasonal_group *group, const struct seasonal_step *step,
			    const struct seasonal_now *now, struct windows *all, bool lumps)
{
	const struct seasonal_exact *exact = &group->exact;
	struct common common = {
		.young = exact->heft * now->rare * now->rare,
		.unknown = exact->known == 0,
	};

	common.any_unknown = lanes_any(common.unknown);
	all->surely = now->gauge < 0.5;
	all->far = 0;
	for (uint32_t k = 0; k < step->windows; k++)
		deviation(group, step, now, &common, all, k, lumps);
	correct(exact, step, now, all, lumps);
}

void seasonal_window_score(struct seasonal_group *group, const struct seasonal_step *step,
			   struct seasonal_now *now)
{
	struct seasonal_exact *exact = &group->exact;
	struct windows all;

	now->gain = lanes_pick(exact->stress > STRESSED, lanes_all(0.1), lanes_all(1));
	now->gain = lanes_where(now->calm & (exact->seen > 10), now->gain);
	for (uint32_t k = step->windows; k < step->windows_due; k++)
		all.z[k] = lanes_all(0);
	sum_fine(group, step, now, &all);
	if (step->windows > FIRST_BLOCK)
		sum_blocks(group, step, now, 0, &all);
	if (step->windows > FIRST_LARGE)
		sum_blocks(group, step, now, 1, &all);
	if (step->lumps)
		score_all(group, step, now, &all, true);
	else
		score_all(group, step, now, &all, false);
	classify_all(group, step, now, &all);

	lanes stress = lanes_all(0);
	for (uint32_t class = 0; class < SEASONAL_NOVELTY; class ++)
		stress = lanes_max(stress, lanes_max(now->class_score[class][0],
						     now->class_score[class][1]));
	exact->stress = stress;
	lanes novel = novelty(exact, step, now);
	to_class(now, SEASONAL_NOVELTY, lanes_where(now->there & (exact->spread > 0), novel));
}

LANES_INLINE lanes_short kept_level(const struct seasonal_exact *exact, bool lumps)
{
	return lumps ? marked(exact->level, level_unknown(exact)) : lanes_narrow(exact->level);
}

/* The interval goes into the rings, with the level as it was before it; one that is incomplete as
 * one of which nothing is known: a gap's missing part is no deviation. */
void seasonal_window_push(struct seasonal_group *group, const struct seasonal_step *step,
			  const struct seasonal_now *now)
{
	struct seasonal_exact *exact = &group->exact;
	uint64_t at = step->pushed % SEASONAL_RING;
	lanes value = lanes_where(now->whole, now->value);
	lanes base = lanes_where(now->whole, now->base);

	group->rough.ring[0].value[at] = lanes_narrow(value);
	group->rough.ring[0].base[at] = lanes_narrow(base);
	group->rough.ring[0].level[at] = lanes_narrow(exact->level);
	for (uint32_t order = 0; order < 2; order++) {
		struct seasonal_ring *ring = &group->rough.ring[1 + order];
		uint32_t size = order ? 64 : 8;
		uint64_t block = step->pushed / size % SEASONAL_RING;

		if (step->pushed % size == 0)
			ring->level[block] = kept_level(exact, step->lumps);
		exact->part_value[order] += value;
		exact->part_base[order] += base;
		if (step->pushed % size != size - 1)
			continue;
		ring->value[block] = lanes_narrow(exact->part_value[order]);
		ring->base[block] = lanes_narrow(exact->part_base[order]);
		exact->part_value[order] = exact->part_base[order] = lanes_all(0);
	}
}

/* What was relative to a shape is to one that is so many times as large. How well a block's level
 * was known stays what it was. */
void seasonal_window_fold(struct seasonal_group *group, const lanes *times)
{
	for (uint32_t order = 0; order < 3; order++) {
		struct seasonal_ring *ring = &group->rough.ring[order];
		for (uint32_t at = 0; at < SEASONAL_RING; at++) {
			lanes before = lanes_wide(ring->level[at]), level = before / *times;

			ring->base[at] = lanes_narrow(lanes_wide(ring->base[at]) * *times);
			ring->level[at] = order > 0 ? marked(level, unknown_then(before))
						    : lanes_narrow(level);
		}
	}
	group->exact.part_base[0] *= *times;
	group->exact.part_base[1] *= *times;
}

/* Intervals were left out, or a burst is over: what lies before them is not the last that was.
 * Windows begin anew behind them, against the level that was before. */
void seasonal_window_forget(struct seasonal_group *group, const struct seasonal_step *step,
			    const lanes_mask *which)
{
	struct seasonal_exact *exact = &group->exact;
	float *held = (float *)group->rough.held;

	for (uint32_t i = 0; i < LANES; i++) {
		if (!LANE(*which, i))
			continue;
		for (uint32_t order = 0; order < 3; order++) {
			struct seasonal_ring *ring = &group->rough.ring[order];
			lanes_short level = kept_level(exact, step->lumps && order > 0);
			for (uint32_t at = 0; at < SEASONAL_RING; at++) {
				LANE(ring->value[at], i) = 0;
				LANE(ring->base[at], i) = 0;
				LANE(ring->level[at], i) = LANE(level, i);
			}
		}
		for (uint32_t at = 0; at < 2 * SEASONAL_CLASSES; at++)
			held[at * LANES + i] = 0;
		for (uint32_t order = 0; order < 2; order++) {
			LANE(exact->part_value[order], i) = 0;
			LANE(exact->part_base[order], i) = 0;
		}
	}
}
