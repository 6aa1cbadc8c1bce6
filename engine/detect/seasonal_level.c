/*
 * seasonal_level: the level, how values scatter around it, and what an interval teaches.
 *
 * Idea:  six levels forget at six speeds, from one and a half intervals to three days. Each is a
 *        quotient of decayed sums, value over base, so that busy hours count for more than quiet
 *        ones. Which speed suits the series is decided by how well each forecast lately: their
 *        mixture is the level (aggregation of experts with forgetting: Vovk 1990; Herbster,
 *        Warmuth 1998).
 *
 *        The variance of one interval is unit * mean + unit_square * mean^2: Poisson counts and
 *        more, a negative binomial's second term. Both are a decayed, weighted regression of
 * squared deviations on the mean. Gauges have one variance, and never less than a part of their
 *        spread: nobody knows them better. A sum is a count of lumps.
 *
 *        What teaches is clipped at two and a half deviations: one wild interval teaches little.
 *        While the score says that this is no chance, the shape learns its own forecast, the slow
 *        levels stay where they are and the mixture what it is: an incident leaves no hole in next
 *        week's shape and no distrust of what was right before it and will be after. But only for
 *        a day in a week: what lasts longer is how things are now.
 *
 * Cannot see: a variance that differs by the hour other than through the mean.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include "detect/seasonal.h"

/* Lumps that a level begins with, at 1. */
#define LEVEL_PRIOR 20.0
#define LEVEL_MIN 0.02
#define LEVEL_MAX 50.0
/* Deviations that teach, at most; and lumps more: of rare events the first is no outlier. */
#define CLIP 2.5
#define CLIP_LUMPS 3.0
/* The shape's clip is wider by this over the visits of the bin, and by this before the first. */
#define CLIP_SELDOM 3.0
#define CLIP_NEVER 10.0
/* A shape that has seen this time of day so often may wait for anomalies to end: a day, which calm
 * intervals bring back in a week. */
#define SURE_VISITS 3.0
#define REST (1.0 / 7)
/* Levels from this one on wait for anomalies to end. */
#define LEVEL_SLOW 3
/* Levels are mixed anew, and variances solved, so often. */
#define MIX_EACH 4
#define SOLVE_EACH 8
/* Weight of the Poisson variance before anything is known. */
#define UNIT_PRIOR 10.0
/* Counts scatter less than Poisson's only if they are no counts. */
#define UNIT_MIN 0.8
/* However wild values are, no more than this of either. */
#define UNIT_MAX 1e9
#define LUMP_MIN 1e-30
/* A sum's forecast is at least this part of it where it tells how large lumps are. */
#define LUMP_PART 0.25
/* No gauge is known better than this part of its spread. */
#define SPREAD_PART 0.05
/* Doubt of a young series' forecast, over the intervals it has seen. */
#define DOUBT_YOUNG 0.25
/* Dispersion from which a count counts as a gauge in this; half of it at four more. */
#define DISPERSED 2.0
#define DISPERSED_HALF 4.0
/* Variance over squared mean up to which scatter is little. */
#define SMOOTH 0.005
/* Of a day of fewer intervals none are left out of what is learned. */
#define FEW 96
/* A count with bursts is like a gauge, too: single intervals beyond FAR deviations, told once each,
 * in FAR_OFTEN of the intervals; a part of which chance brings. */
#define FAR 3.5
#define FAR_OFTEN 0.003
#define FAR_CHANCE 0.3
#define FAR_PRIOR 500.0
/* What last year says of a gauge is no more in doubt than this many variances. */
#define HINT_DOUBT_MAX 1e12
/* Levels know the day as well as a mean of this part of its intervals would. */
#define DOUBT_SLOW 4.0
/* A level of a fortnight beyond this becomes part of the shape. */
#define LONG_FAR 8.0

/* How far a count is like a gauge, 0..1: scattered by more than chance alone. How wild it is: where
 * it scatters little beside its mean, that makes it no wilder. */
LANES_INLINE lanes dispersed(struct seasonal_exact *exact, const struct seasonal_step *step)
{
	exact->wild = lanes_all(1);
	if (!step->lumps)
		return lanes_all(1);
	lanes rate = exact->far_rate / (exact->far_time + FAR_PRIOR);
	lanes bursts = lanes_clamp(rate * (1 / FAR_OFTEN) - FAR_CHANCE, lanes_all(0), lanes_all(1));
	lanes mean = lanes_max(exact->level * exact->first / exact->lump, lanes_all(0));
	lanes over = exact->unit + exact->unit_square * mean - 1;
	lanes part = lanes_clamp((over - DISPERSED) / (over + DISPERSED_HALF), lanes_all(0),
				 lanes_all(1));
	lanes wild = lanes_where(over > SMOOTH * mean, part);

	/* What is a share has no level that a campaign lifts. */
	if (step->per_day >= FEW && !step->shares)
		exact->wild = lanes_max(wild, bursts);
	return lanes_max(part, bursts);
}

/* Before anything was learned of what a sum is made of, the first one is one lump. */
LANES_INLINE void guess_lump(struct seasonal_exact *exact, const struct seasonal_now *now)
{
	lanes size = lanes_abs(now->x);
	lanes_mask fresh = now->there & (exact->lump_value <= 0) & (size > LUMP_MIN);

	exact->lump = lanes_pick(fresh, size, exact->lump);
}

void seasonal_level_forecast(struct seasonal_group *group, const struct seasonal_step *step,
			     struct seasonal_now *now)
{
	struct seasonal_exact *exact = &group->exact;
	lanes_mask known = exact->known > 0;
	lanes shape = exact->shape[0];
	/* The first value is its own. */
	lanes first = lanes_pick(exact->seen > 0, exact->first, now->plain);
	lanes rare = 1 / (exact->heft * (exact->seen + 1));

	if (step->observations->aggregation == AGGREGATE_SUM)
		guess_lump(exact, now);
	for (uint32_t power = 1; power < 5; power++)
		shape += exact->shape[power] * step->powers[power];
	/* What never came may come: half of one in all that was seen. */
	lanes least = 0.5 * exact->lump * rare;
	least = lanes_pick(first > 0, lanes_all(1e-9), least);
	if (step->lumps) {
		shape = lanes_max(shape, 0.02 * exact->shape[0]);
		shape = lanes_max(shape, seasonal_least(exact, step) + least);
		shape = lanes_pick(known, shape, lanes_max(first, least));
		lanes lumps = step->shares  ? now->weight
			      : step->whole ? lanes_all(1)
					    : 1 / exact->lump;
		now->base = lanes_where(now->there, shape * now->times * lumps);
		now->value = lanes_where(now->there, now->x * lumps);
	} else {
		shape = lanes_pick(known, shape, first);
		now->base = lanes_where(now->there, now->weight);
		now->value = lanes_where(now->there, (now->plain - shape) * now->weight);
	}
	now->shape = shape;

	lanes prior = step->lumps ? LEVEL_PRIOR * exact->unit : lanes_all(1e-9);
	lanes level = lanes_all(0);
	for (uint32_t a = 0; a < SEASONAL_LEVELS; a++) {
		lanes one = exact->level_value[a] + (step->lumps ? prior : lanes_all(0));
		one = one / (exact->level_base[a] + prior);
		if (step->lumps)
			one = lanes_clamp(one, lanes_all(LEVEL_MIN), lanes_all(LEVEL_MAX));
		now->levels[a] = one;
		level += exact->share[a] * one;
	}
	exact->level = level;
	now->mean = lanes_where(exact->seen > 0,
				step->lumps ? level * shape * now->times : shape + level);
	lanes doubt = step->lumps ? exact->doubt : exact->doubt / exact->unit;
	/* Of a gauge in units of its variance. */
	lanes mean = shape + level;
	lanes hint = step->lumps ? now->hint_doubt : now->hint_doubt * mean * mean / exact->unit;
	now->doubt = lanes_where(known, doubt) + DOUBT_YOUNG * rare +
		     lanes_min(hint, lanes_all(HINT_DOUBT_MAX));
	now->rare = rare;
	now->gauge = dispersed(exact, step);
}

/* Least variance over the mean: a share's is that of tosses of a coin. */
LANES_INLINE lanes unit_min(const struct seasonal_exact *exact, const struct seasonal_step *step)
{
	if (!step->shares)
		return lanes_all(UNIT_MIN);
	return UNIT_MIN * lanes_max(1 - exact->usual, lanes_all(1e-3));
}

/* Variance over the mean: weighted least squares of squares on mean and mean squared. */
LANES_INLINE void solve_unit(struct seasonal_exact *exact, lanes least)
{
	lanes a11 = exact->moment11 + UNIT_PRIOR, a12 = exact->moment12;
	lanes a22 = exact->moment22 * 1.0001 + SEASONAL_SQUARE_PRIOR;
	lanes b1 = exact->moment1 + UNIT_PRIOR, b2 = exact->moment2;
	lanes inverse = 1 / (a11 * a22 - a12 * a12);
	lanes unit = (b1 * a22 - b2 * a12) * inverse;
	lanes square = (a11 * b2 - a12 * b1) * inverse;

	unit = lanes_pick(square < 0, b1 / a11, unit);
	square = lanes_max(square, lanes_all(0));
	lanes_mask low = unit < least;
	lanes rest = lanes_max((b2 - least * a12) / a22, lanes_all(0));
	square = lanes_pick(low, rest, square);
	exact->unit_square = lanes_min(square, lanes_all(UNIT_MAX));
	exact->unit = lanes_clamp(unit, least, lanes_all(UNIT_MAX));
}

/* What the shape is not known by (relative variance) is no scatter. Intervals of a day would
 * remember for a year how far weekdays were off that were new; shorter ones forget it in days. */
LANES_INLINE lanes unsure_shape(const struct seasonal_exact *exact,
				const struct seasonal_step *step)
{
	if (step->day_bins >= SEASONAL_SMOOTHED_BINS)
		return lanes_all(0);
	return lanes_where(exact->known > 0, exact->doubt);
}

LANES_INLINE void learn_counts(struct seasonal_exact *exact, const struct seasonal_step *step,
			       const struct seasonal_now *now, lanes square)
{
	double keep = step->keep_unit;
	lanes mean = exact->level * now->base;
	lanes unsure = unsure_shape(exact, step) * mean * mean;
	lanes variance = exact->unit * mean + exact->unit_square * mean * mean + unsure + 1;
	lanes weight = lanes_where(now->calm & (exact->seen > 5),
				   lanes_pick(exact->stress > 4.5, lanes_all(0.1), lanes_all(1)) /
					   (variance * variance));
	lanes once = weight * mean, twice = once * mean;

	square -= unsure;
	exact->moment11 = exact->moment11 * keep + twice;
	exact->moment12 = exact->moment12 * keep + twice * mean;
	exact->moment22 = exact->moment22 * keep + twice * mean * mean;
	exact->moment1 = exact->moment1 * keep + once * square;
	exact->moment2 = exact->moment2 * keep + twice * square;
	if (step->pushed % SOLVE_EACH == SOLVE_EACH - 1 || step->pushed < 8 * SOLVE_EACH)
		solve_unit(exact, unit_min(exact, step));
}

LANES_INLINE void learn_gauge(struct seasonal_exact *exact, const struct seasonal_step *step,
			      const struct seasonal_now *now, lanes square)
{
	double least = 1 - step->keep_unit;
	lanes gain = lanes_max(1 / lanes_max(exact->seen, lanes_all(1)), lanes_all(least));
	lanes one = square / lanes_max(now->base, lanes_all(1e-9));
	lanes_mask second = exact->seen < 2;

	gain *= lanes_pick(exact->stress > 4.5, lanes_all(0.1), lanes_all(1));
	lanes next = lanes_pick(second, one, exact->unit + gain * (one - exact->unit));
	next = lanes_max(next, 1e-6 * now->mean * now->mean + 1e-12);
	next = lanes_max(next, SPREAD_PART * SPREAD_PART * exact->spread);
	exact->unit = lanes_pick(now->teach & (exact->seen >= 1), next, exact->unit);
}

/* Mean and variance of the values themselves, over a week. */
LANES_INLINE void learn_spread(struct seasonal_exact *exact, const struct seasonal_step *step,
			       const struct seasonal_now *now, lanes_mask grown)
{
	lanes gain = lanes_max(exact->heft * now->rare, lanes_all(step->week));
	lanes usual = now->sign * exact->usual;
	lanes gap = now->plain - usual;
	lanes reach = CLIP * lanes_sqrt(exact->spread);

	/* Of rare events each would be cut until they seem never to come. */
	if (step->lumps)
		reach = lanes_max(reach, CLIP_LUMPS * exact->lump);
	gap = lanes_pick(grown & (exact->spread > 0), lanes_clamp(gap, -reach, reach), gap);
	lanes spread = (1 - gain) * (exact->spread + gain * gap * gap);
	usual = now->sign * (usual + gain * gap);
	exact->usual = lanes_pick(now->calm, usual, exact->usual);
	exact->spread = lanes_pick(now->calm, spread, exact->spread);
}

/* A quotient's usual denominator, over a week. */
LANES_INLINE void learn_heft(struct seasonal_exact *exact, const struct seasonal_step *step,
			     const struct seasonal_now *now)
{
	lanes gain = lanes_max(1 / (exact->seen + 1), lanes_all(step->week));
	lanes next = exact->heft + gain * (now->weight - exact->heft);
	exact->heft = lanes_pick(now->teach, lanes_max(next, lanes_all(1e-9)), exact->heft);
	if (step->shares)
		exact->lump = 1 / exact->heft;
}

/* Size of what a sum is made of: from the events' squares where these are known, else from how far
 * sums lay from their forecasts. */
LANES_INLINE void learn_lump(struct seasonal_exact *exact, const struct seasonal_step *step,
			     const struct seasonal_now *now, lanes squares, lanes rest)
{
	double keep = step->keep_unit;
	lanes_mask given = squares == squares;
	lanes most = 9 * exact->lump * lanes_max(now->mean, exact->lump);
	lanes off = lanes_min(rest * rest * exact->lump * exact->lump, most);
	lanes square = lanes_pick(given, squares, off);
	/* No lump is larger than four such sums, whatever little was expected. */
	lanes mean = lanes_max(now->mean, LUMP_PART * lanes_abs(now->x));
	lanes value = lanes_pick(given, lanes_abs(now->x), mean);
	lanes_mask learn = now->calm & (exact->seen >= 1) & (value > 0);

	exact->lump_square = lanes_pick(learn, exact->lump_square * keep + square,
					exact->lump_square);
	exact->lump_value = lanes_pick(learn, exact->lump_value * keep + value, exact->lump_value);
	lanes lump = exact->lump_square / lanes_max(exact->lump_value, lanes_all(1e-300));
	lanes_mask first = now->teach & (exact->seen < 1);
	lump = lanes_pick(first, lanes_abs(now->x), lump);
	exact->lump = lanes_pick((learn | first) & (lump > LUMP_MIN), lump, exact->lump);
}

LANES_INLINE void learn_levels(struct seasonal_exact *exact, const struct seasonal_step *step,
			       const struct seasonal_now *now, lanes value, lanes variance,
			       lanes_mask wait)
{
	lanes_mask calm = now->teach & lanes_not(wait);
	double forget = step->keep_merit;
	lanes half = 0.5 / variance;

	for (uint32_t a = 0; a < SEASONAL_LEVELS; a++) {
		lanes off = now->value - now->levels[a] * now->base;
		lanes loss = lanes_min(off * off * half, lanes_all(8));
		lanes_mask follows = a < LEVEL_SLOW ? now->teach : calm;
		exact->merit[a] = lanes_pick(calm, exact->merit[a] * forget - loss,
					     exact->merit[a]);
		exact->level_value[a] = lanes_pick(follows,
						   exact->level_value[a] * step->keep[a] + value,
						   exact->level_value[a]);
		exact->level_base[a] = lanes_pick(follows,
						  exact->level_base[a] * step->keep[a] + now->base,
						  exact->level_base[a]);
	}
	if (step->pushed % MIX_EACH != MIX_EACH - 1 && step->pushed >= 8 * MIX_EACH)
		return;
	lanes best = exact->merit[0], sum = lanes_all(0);
	for (uint32_t a = 1; a < SEASONAL_LEVELS; a++)
		best = lanes_max(best, exact->merit[a]);
	for (uint32_t a = 0; a < SEASONAL_LEVELS; a++) {
		lanes log10_share = (exact->merit[a] - best) * MATH_LOG10_E;
		exact->share[a] = lanes_power10(lanes_max(log10_share, lanes_all(-300)));
		sum += exact->share[a];
	}
	sum = 1 / sum;
	for (uint32_t a = 0; a < SEASONAL_LEVELS; a++)
		exact->share[a] *= sum;
}

/* The bin's sums, relative to the level of a fortnight. */
LANES_INLINE void learn_bin(struct seasonal_exact *exact, const struct seasonal_step *step,
			    const struct seasonal_now *now, lanes clipped, lanes_mask wait)
{
	lanes_mask known = exact->known > 0;
	double keep = step->keep_long;
	lanes level = seasonal_long_level(exact, step);
	lanes base = step->lumps ? now->shape * level : now->shape + level;
	lanes over = step->lumps ? now->shape : lanes_all(1);

	/* Its own forecast: nothing is learned. */
	lanes_mask again = exact->again > 0;
	lanes lesson = lanes_pick(wait & lanes_not(again), base, clipped);
	clipped = lanes_pick(wait, base, clipped);
	lanes above = step->lumps ? clipped : clipped - now->shape;
	exact->bin_held += lanes_where(now->teach & wait & seasonal_steady(exact), lanes_all(1));
	exact->long_value = lanes_pick(now->teach & known, exact->long_value * keep + above,
				       exact->long_value);
	exact->long_base = lanes_pick(now->teach & known, exact->long_base * keep + over,
				      exact->long_base);
	exact->bin_value += lanes_where(now->teach, lesson);
	exact->bin_base += lanes_where(now->teach, base);
	exact->bin_count += lanes_where(now->teach, lanes_all(1));
	lanes_mask fresh = now->teach & lanes_not(known);
	lanes next = exact->first + (now->plain - exact->first) / (exact->first_seen + 1);
	exact->first = lanes_pick(fresh, next, exact->first);
	exact->first_seen += lanes_where(fresh, lanes_all(1));
}

/* How often single intervals are far off. */
LANES_INLINE void learn_far(struct seasonal_exact *exact, const struct seasonal_step *step,
			    const struct seasonal_now *now, lanes_mask grown)
{
	double keep = step->keep_far;
	lanes z = lanes_max(now->class_score[0][0], now->class_score[0][1]);
	/* What begins a burst is told by that. */
	lanes_mask far = grown & now->calm & (z > FAR) & (exact->burst == 0);
	lanes told = lanes_where(far, 1 / (1 + exact->far_crowd));

	exact->far_rate = lanes_pick(now->teach, exact->far_rate * keep + told, exact->far_rate);
	exact->far_time = lanes_pick(now->teach, exact->far_time * keep + 1, exact->far_time);
	exact->far_crowd = lanes_pick(far, exact->far_crowd + 1, exact->far_crowd * 0.9);
}

/* What the shape is taught: of a bin that was seldom or never seen nobody knows what is wild. */
LANES_INLINE lanes shape_lesson(const struct seasonal_exact *exact,
				const struct seasonal_step *step, const struct seasonal_now *now,
				lanes off, lanes reach)
{
	lanes visits = lanes_max(exact->pooled_visits, lanes_all(1));
	lanes wider = lanes_pick(exact->known > 0, 1 + CLIP_SELDOM / visits,
				 lanes_all(1 + CLIP_NEVER));

	reach = lanes_pick(exact->again > 0, lanes_all(1e300), reach * wider);
	off = lanes_clamp(off, -reach, reach);
	if (step->lumps)
		return (now->mean + off / (step->shares ? lanes_max(now->weight, lanes_all(1e-9))
							: 1 / exact->lump)) /
		       now->times;
	return now->mean + off / lanes_max(now->base, lanes_all(1e-9));
}

/* May the shape learn this? Not what is an anomaly, for a day or so; calm intervals bring the
 * patience back. What comes a week after another anomaly costs none. */
LANES_INLINE lanes_mask waits(struct seasonal_exact *exact, const struct seasonal_step *step,
			      const struct seasonal_now *now)
{
	lanes_mask sure = exact->pooled_visits >= SURE_VISITS;
	lanes_mask burst = exact->burst != 0;
	lanes_mask odd = (((now->score > step->odd) & sure) | burst) & now->there;
	lanes_mask wait = odd & ((exact->patience > 0) | burst);
	lanes_mask calm = now->there & lanes_not(odd);
	lanes_mask costs = wait & (exact->again <= 0);

	exact->patience = lanes_pick(costs, exact->patience - 1, exact->patience);
	lanes rested = lanes_min(exact->patience + REST, seasonal_patience(step, exact));
	exact->patience = lanes_pick(calm, rested, exact->patience);
	return wait;
}

/* What the day has brought so far, for the year after. */
LANES_INLINE void note_day(struct seasonal_exact *exact, const struct seasonal_step *step,
			   const struct seasonal_now *now)
{
	lanes weight = step->weighted || step->shares ? now->weight : lanes_all(1);
	lanes_mask noted = now->year & (exact->known > 0);

	exact->year_value += lanes_where(noted, now->x * weight);
	exact->year_base += lanes_where(noted, now->shape * weight);
	exact->year_count += lanes_where(noted, lanes_all(1));
}

/* What last year said of the day is in doubt until levels have followed what comes: no sooner than
 * the second of them can, and than scatter lets it be seen. */
LANES_INLINE void fade_doubt(struct seasonal_exact *exact, const struct seasonal_step *step,
			     const struct seasonal_now *now, lanes variance)
{
	lanes mean = step->lumps ? exact->level * now->base
				 : (now->shape + exact->level) * now->base;
	lanes noise = DOUBT_SLOW * variance / lanes_max(mean * mean, lanes_all(1e-300));
	lanes known = exact->year_doubt * noise / (noise + exact->year_doubt + 1e-300);

	known = lanes_max(known, exact->year_doubt * step->keep[2]);
	exact->year_doubt = lanes_pick(now->teach, known, exact->year_doubt);
}

/* What has grown many times over (a shop that was tried out and then opened) is beyond what levels
 * may say: they are relative to today again, and forecasts stay the same. */
void seasonal_level_fold(struct seasonal_group *group, const struct seasonal_step *step)
{
	struct seasonal_exact *exact = &group->exact;
	struct seasonal_rough *rough = &group->rough;
	lanes level = seasonal_long_level(exact, step);
	lanes_mask far = (level > LONG_FAR) & (exact->known > 0);

	if (!step->lumps || !lanes_any(far))
		return;
	level = lanes_pick(far, lanes_min(level, lanes_all(LEVEL_MAX)), lanes_all(1));
	for (uint32_t bin = 0; bin < SEASONAL_BINS; bin++)
		rough->bin[bin] = lanes_narrow(lanes_wide(rough->bin[bin]) * level);
	exact->first *= level;
	exact->day_mean *= level;
	exact->long_base *= level;
	for (uint32_t a = 0; a < SEASONAL_LEVELS; a++)
		exact->level_base[a] *= level;
	seasonal_window_fold(group, &level);
	exact->burst_level /= level;
	/* Days are relative to the shape. */
	exact->year_base *= level;
	exact->year_before /= level;
	exact->year_level /= level;
	for (int i = 0; i < LANES; i++)
		LANE(exact->year_anchor, i) -= math_log(LANE(level, i)) / SEASONAL_YEAR_STEP;
}

void seasonal_level_learn(struct seasonal_group *group, const struct seasonal_step *step,
			  const struct seasonal_now *now)
{
	struct seasonal_exact *exact = &group->exact;
	lanes mean = exact->level * now->base; /* of value */
	lanes variance = step->lumps ? exact->unit * mean + exact->unit_square * mean * mean
				     : exact->unit * now->base;
	fade_doubt(exact, step, now, variance);
	lanes drift = step->lumps ? mean * mean : exact->unit * now->base * now->base;
	variance = lanes_max(variance + now->doubt * drift, lanes_all(1e-300));
	lanes_mask grown = exact->seen > SEASONAL_SILENT;
	lanes off = now->value - mean;
	lanes reach = CLIP * lanes_sqrt(variance) + (step->lumps ? CLIP_LUMPS : 0);
	lanes clipped = lanes_pick(grown, lanes_clamp(off, -reach, reach), off);
	lanes most = 9 * variance + (step->lumps ? 9 : 0);
	lanes square = lanes_pick(grown, lanes_min(off * off, most), off * off);

	if (step->lumps)
		learn_far(exact, step, now, grown);
	if (step->lumps)
		learn_counts(exact, step, now, square);
	else
		learn_gauge(exact, step, now, square);
	learn_spread(exact, step, now, grown);
	if (step->weighted || step->shares)
		learn_heft(exact, step, now);
	lanes_mask wait = waits(exact, step, now);
	learn_levels(exact, step, now, mean + clipped, variance, wait);
	lanes taught = shape_lesson(exact, step, now, off,
				    lanes_pick(grown, reach, lanes_all(1e300)));
	/* Before the first value there was no forecast to be off from. */
	taught = lanes_pick(exact->seen > 0, taught, now->plain);
	learn_bin(exact, step, now, taught, wait);
	if (step->lumps && step->observations->aggregation == AGGREGATE_SUM)
		learn_lump(exact, step, now, now->squares, off);
	exact->seen += lanes_where(now->teach, lanes_all(1));
	note_day(exact, step, now);
}
