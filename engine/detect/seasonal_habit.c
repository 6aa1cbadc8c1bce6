/*
 * seasonal_habit: what happens often is not rare; when an anomaly opens.
 *
 * Idea:  a probability from a model of the tail can be wrong by decades on a series that has its
 * own habits: a job that runs every few hours, a burst with every news. What came before cannot be
 * rarer than it was: episodes are counted, by side and by whether short or long windows saw them,
 * in levels of their score, and an episode of a kind that came n times in t intervals is no rarer
 * than n in t. Counts fade over four weeks.
 *
 *        An onset is a score that clearly exceeds everything of the last day; what is remembered of
 *        that fades over hours, sooner after calm.
 *
 * Cannot see: that a habit stopped (kind absence, and its own windows, do).
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include "detect/seasonal.h"

/* Levels of score: from here, each higher by this factor. */
#define LEVEL_FROM 2.5
#define LEVEL_STEP 1.25
/* An earlier episode counts as as strong from this part of the score on. */
#define AS_STRONG 0.8
/* Episodes before so much of one is counted. */
#define COUNTED 0.3
/* Decades by which the count may be exceeded: of a gauge, and more of a count, whose tail is known
 * better than its habits. */
#define ALLOWANCE 1.4
#define ALLOWANCE_COUNTS 3.0
/* An episode is over after so many intervals below half of its peak. */
#define OVER_INTERVALS 6.0
/* An onset exceeds what is remembered by this. */
#define ONSET_MARGIN 0.5
/* and by a part of what lies above this: beyond it, more evidence is no news. */
#define ONSET_SURE 6.0
#define ONSET_PART 0.5
/* Below this score there is calm. */
#define CALM 2.3

/* The level that a score is in; the last has no end. */
LANES_INLINE lanes_mask in_level(lanes score, uint32_t level, double from)
{
	lanes_mask above = score >= from;
	return level + 1 < SEASONAL_HABITS ? above & (score < from * LEVEL_STEP) : above;
}

/* Earlier episodes of this kind that were as strong. */
LANES_INLINE lanes count_habits(const struct seasonal_rough *rough, lanes kind, lanes score)
{
	lanes count = lanes_all(0);

	for (uint32_t k = 0; k < 4; k++) {
		double from = LEVEL_FROM;
		for (uint32_t level = 0; level < SEASONAL_HABITS; level++, from *= LEVEL_STEP) {
			lanes_mask as = (kind == (double)k) & (score * AS_STRONG <= from);
			count += lanes_where(as, lanes_wide(rough->habit[k][level]));
		}
	}
	return count;
}

/* The episode is over: one more of its kind and level. */
LANES_INLINE void keep_habit(struct seasonal_rough *rough, const struct seasonal_exact *exact,
			     lanes_mask over)
{
	for (uint32_t k = 0; k < 4; k++) {
		double from = LEVEL_FROM;
		for (uint32_t level = 0; level < SEASONAL_HABITS; level++, from *= LEVEL_STEP) {
			lanes_mask here = over & (exact->episode_kind == (double)k) &
					  in_level(exact->episode, level, from);
			rough->habit[k][level] =
				lanes_narrow(lanes_wide(rough->habit[k][level]) +
					     lanes_pick(here, lanes_all(1), lanes_all(0)));
		}
	}
}

/* Counts fade, once for each bin of the week. */
void seasonal_habit_fade(struct seasonal_group *group, const struct seasonal_step *step)
{
	double keep = math_exp(-1 / (SEASONAL_HABIT_DAYS * step->day_bins));

	for (uint32_t k = 0; k < 4; k++) {
		for (uint32_t level = 0; level < SEASONAL_HABITS; level++) {
			lanes_short *habit = &group->rough.habit[k][level];
			*habit = lanes_narrow(lanes_wide(*habit) * keep);
		}
	}
}

/* No rarer than such episodes were. */
LANES_INLINE lanes capped(const struct seasonal_group *group, const struct seasonal_now *now,
			  lanes score)
{
	lanes count = count_habits(&group->rough, now->kind, score);
	lanes time = lanes_max(group->exact.habit_time, lanes_all(1));
	lanes most = lanes_log(time / lanes_max(count, lanes_all(1e-9))) * MATH_LOG10_E +
		     ALLOWANCE + ALLOWANCE_COUNTS * (1 - now->gauge);

	return lanes_pick(count > COUNTED, lanes_min(score, most), score);
}

/* The current episode goes on, or is over. */
LANES_INLINE void follow(struct seasonal_group *group, const struct seasonal_step *step,
			 const struct seasonal_now *now, lanes score)
{
	struct seasonal_exact *exact = &group->exact;
	lanes_mask lives = exact->episode > 0;
	lanes_mask higher = (score > LEVEL_FROM) & (score > exact->episode) & now->there;
	lanes_mask strong = score > 0.5 * exact->episode;

	exact->episode_kind = lanes_pick(higher, now->kind, exact->episode_kind);
	exact->episode_age = lanes_pick(strong, lanes_all(0), exact->episode_age + 1);
	exact->episode = lanes_pick(higher, score, exact->episode);
	lanes time = exact->habit_time * step->keep_habit + 1;
	exact->habit_time = lanes_pick(now->there, time, exact->habit_time);
	lanes_mask over = lives & (exact->episode_age >= OVER_INTERVALS);
	if (!lanes_any(over))
		return;
	keep_habit(&group->rough, exact, over);
	exact->episode = lanes_pick(over, lanes_all(0), exact->episode);
}

void seasonal_habit_score(struct seasonal_group *group, const struct seasonal_step *step,
			  struct seasonal_now *now)
{
	struct seasonal_exact *exact = &group->exact;
	lanes raw = now->score;

	if (lanes_any(raw > LEVEL_FROM))
		now->score = lanes_pick(raw > LEVEL_FROM, capped(group, now, raw), raw);
	follow(group, step, now, raw);

	lanes sure = lanes_max(exact->peak - ONSET_SURE, lanes_all(0));
	lanes higher = exact->peak + ONSET_MARGIN + ONSET_PART * sure;
	lanes_mask opens = (now->score > higher) & now->there;
	now->onset = lanes_where(opens, now->score);
	exact->calm = lanes_pick(now->score > CALM, lanes_all(0), exact->calm + 1);
	lanes fade = lanes_pick(exact->calm > step->calm_after, lanes_all(step->fade_calm),
				lanes_all(step->fade));
	/* What was sure is forgotten down to what is. */
	lanes faded = lanes_min(exact->peak, lanes_all(ONSET_SURE)) * fade +
		      lanes_max(exact->peak - ONSET_SURE, lanes_all(0)) * step->fade_sure;
	exact->peak = lanes_pick(now->there, lanes_max(faded, now->score), exact->peak);
}
