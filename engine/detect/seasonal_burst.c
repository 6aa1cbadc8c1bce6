/*
 * seasonal_burst: holidays and campaigns that nobody announced are survived.
 *
 * Idea:  a burst is a count that is far from its slowest level for a while, up or down, by more
 *        than chance. While it lasts, what describes the usual stays as it was: shape, slow levels,
 *        scatter, tails. Only the fast levels follow, so that what happens within it is seen.
 *
 *        It ends when the values are again what the slowest level says, and not what the burst
 *        brought: when the sum of log-likelihood ratios between the two is past OVER_NATS (CUSUM:
 *        Page 1954), which takes a minute where there are many events and as long as it must where
 *        there are few. Then fast levels and windows begin anew, as if it had not been: its end is
 *        no anomaly. The level is what it was before, or after a long one what it is in the long
 *        run: where there are many events the two lie far apart for chance. What is learned is so
 *        bounded by what came before it was noticed.
 *
 *        But levels wander, and of many series some wander so far that it seems a burst, and then
 *        come back a bit: what is far from the burst is still far from what was before, and to
 *        expect that again would be an alarm. Where values are no further than levels wander, the
 *        level is where it is.
 *
 *        A burst may last for a day and a quarter; none begins while the shape's patience is
 *        spent (seasonal_level.c). What lasts longer is the new level, at once. A bin of the week
 *        that was taught a burst before anybody knew better is unlearned the second time that it is
 *        contradicted (seasonal_shape.c).
 *
 *            level   ____________/~~~~~~~~~~~~~~\____________
 *            burst               [ in           ]  -> windows forget, fast levels come back
 *
 * Never: of what is no count, or as wild as a gauge: there nobody knows what is over.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include "detect/seasonal.h"

/* Standard deviations from the slowest level's forecast, at least. */
#define AWAY 4.0
/* Days of this time of day that must have been seen. */
#define SURE_VISITS 7.0
/* Part of the longest patience without which none begins. */
#define PATIENT 0.1
/* Evidence that it is over. */
#define OVER_NATS 6.0
/* Within this of the slowest level it is none, and none begins. */
#define NEAR 0.1
/* Within so many standard deviations of how far that level is off, values may have wandered: in a
 * year one of a hundred thousand series is not so far by chance. But not further than this: of few
 * events nobody knows so well how far they do. */
#define WANDERS 6.0
#define WANDERS_MOST 0.2
/* A burst is what it was in its last fifty intervals or so. */
#define KEEP 0.98
/* However far it is: evidence is counted as of a burst within these. */
#define RATIO_MIN 0.3
#define RATIO_MAX 4.0
/* Levels that follow it, and the one that tells where values are: seven intervals. */
#define FAST_LEVELS 3
#define HERE 1

/* It is over: levels are as they were before it. Or it is how things are now: levels are where it
 * was lately. Windows begin anew, so that neither is a deviation. */
LANES_INLINE void settle(struct seasonal_group *group, const struct seasonal_step *step,
			 lanes_mask over, lanes_mask stays)
{
	struct seasonal_exact *exact = &group->exact;
	const uint32_t last = SEASONAL_LEVELS - 1;
	lanes slow = exact->level_value[last] / lanes_max(exact->level_base[last], lanes_all(1e-9));
	lanes ratio = exact->burst_value / lanes_max(exact->burst_base, lanes_all(1e-9));
	lanes level = lanes_pick(over, exact->burst_level, slow * ratio);

	for (uint32_t a = 0; a < SEASONAL_LEVELS; a++) {
		lanes_mask moves = a < FAST_LEVELS ? over | stays : stays;
		exact->level_value[a] = lanes_pick(moves, level * exact->level_base[a],
						   exact->level_value[a]);
	}
	exact->level = lanes_pick(over | stays, level, exact->level);
	lanes_mask which = over | stays;

	seasonal_window_forget(group, step, &which);
	exact->burst_value = lanes_where(lanes_not(over | stays), exact->burst_value);
	exact->burst_base = lanes_where(lanes_not(over | stays), exact->burst_base);
	exact->burst_over = lanes_where(lanes_not(over | stays), exact->burst_over);
	exact->burst = lanes_where(lanes_not(over | stays), exact->burst);
}

void seasonal_burst_begin(struct seasonal_group *group, const struct seasonal_step *step,
			  struct seasonal_now *now)
{
	struct seasonal_exact *exact = &group->exact;
	lanes_mask over = exact->burst == -1, stays = exact->burst == -2;

	if (lanes_any(over | stays))
		settle(group, step, over, stays);
	now->calm = now->teach & (exact->burst == 0);
}

/* How far from the slowest level, as a part of it, values may wander by themselves. */
LANES_INLINE lanes wandering(const struct seasonal_group *group)
{
	lanes off = lanes_sqrt(lanes_wide(group->rough.drift[SEASONAL_SLOW_TWELVE]));

	return lanes_clamp(WANDERS * off, lanes_all(NEAR), lanes_all(WANDERS_MOST));
}

LANES_INLINE lanes between(lanes value, lanes one, lanes other)
{
	return lanes_clamp(value, lanes_min(one, other), lanes_max(one, other));
}

/* Evidence of this interval that values are the slowest level's, not the burst's; how far the burst
 * is from that, as a part of it. */
LANES_INLINE lanes evidence(struct seasonal_exact *exact, const struct seasonal_now *now,
			    lanes_mask in, lanes slow, lanes *ret_far)
{
	lanes value = exact->burst_value * KEEP + now->value;
	lanes base = exact->burst_base * KEEP + slow;

	exact->burst_value = lanes_pick(in & now->whole, value, exact->burst_value);
	exact->burst_base = lanes_pick(in & now->whole, base, exact->burst_base);
	lanes ratio = (exact->burst_value + 1) / (exact->burst_base + 1);
	lanes far = lanes_abs(ratio - 1);
	ratio = lanes_clamp(ratio, lanes_all(RATIO_MIN), lanes_all(RATIO_MAX));
	lanes scale = exact->unit + exact->unit_square * slow;
	lanes nats = (slow * (ratio - 1) - now->value * lanes_log(ratio)) / scale;
	*ret_far = far;
	return lanes_pick(far < NEAR, lanes_all(2 * OVER_NATS), nats);
}

void seasonal_burst_follow(struct seasonal_group *group, const struct seasonal_step *step,
			   const struct seasonal_now *now)
{
	struct seasonal_exact *exact = &group->exact;
	lanes away = lanes_max(now->class_score[SEASONAL_SLOW][0],
			       now->class_score[SEASONAL_SLOW][1]);
	lanes_mask in = exact->burst > 0;
	lanes_mask odd = (now->score > step->odd) & (away > AWAY) & now->teach;
	lanes_mask patient = (exact->pooled_visits >= SURE_VISITS) &
			     (exact->patience > PATIENT * seasonal_patience(step, exact));
	lanes_mask enters = odd & patient & seasonal_steady(exact) & lanes_not(in);

	if (!lanes_any(in | enters))
		return;
	lanes slow = now->levels[SEASONAL_LEVELS - 1] * now->base;
	enters = enters & (lanes_abs(now->value - slow) > NEAR * slow);
	if (!lanes_any(in | enters))
		return;
	lanes far;
	lanes nats = evidence(exact, now, in | enters, slow, &far);
	nats = lanes_max(exact->burst_over + nats, lanes_all(0));
	exact->burst_over = lanes_pick(in & now->whole, nats, exact->burst_over);
	lanes_mask back = in & (exact->burst_over > OVER_NATS);
	lanes_mask stays = in & now->teach & (exact->burst >= seasonal_patience(step, exact));

	/* What it was before fades to what it is in the long run. */
	lanes usual = now->levels[SEASONAL_LEVELS - 1];
	lanes before = usual + (exact->burst_level - usual) * step->keep[FAST_LEVELS];
	exact->burst_level = lanes_pick(enters, exact->level, exact->burst_level);
	exact->burst_level = lanes_pick(in, before, exact->burst_level);
	lanes here = between(now->levels[HERE], exact->level, exact->burst_level);
	exact->burst_level =
		lanes_pick(back & (far < wandering(group)), here, exact->burst_level);
	/* What nobody may learn from does not wear out. */
	lanes age = lanes_pick(now->teach, exact->burst + 1, exact->burst);
	exact->burst = lanes_pick(enters | in, age, exact->burst);
	exact->burst = lanes_pick(stays, lanes_all(-2), exact->burst);
	exact->burst = lanes_pick(back, lanes_all(-1), exact->burst);
}
