/*
 * calibration: counting and what follows from it. See calibration.h.
 *
 * Idea:  how often episodes reach a level is counted; with few of them, what scores say has a say
 *        of PRIOR episodes. Behind the last level with ENOUGH of them
 *        rates fall on a line, whose slope is that of the counts from there on: as many reach the
 *        next level as a coin shows heads (the likeliest coin, SLOPE_PRIOR tosses being there
 *        before). That is an exponential tail over a threshold, as long as none is heavier; clean
 *        slices of `weir-bench quality slices` are straight over six decades.
 *
 *        Many episodes that end in the same step are rather one thing that happened: they count
 *        for a few. What fires, and all that goes on while something does, is not counted
 *        (bank_calibrate.c): incidents must not teach that they are usual. But false alarms are
 *        what the tail is made of that is looked for; without them it would seem to end where
 *        something fires. So the slope is that of the levels below, and of what fired so much is
 *        taken for chance as goes on from there.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include "detect/calibration.h"

#include <math.h>

#include "detect/math.h"

/* 10^-CALIBRATION_FROM, and 10^-CALIBRATION_STEP. */
#define RATE_FROM 0.01
#define RATE_STEP 0.31622776601683794
/* Over so long what was counted fades; or over this part of what has been seen, while that is less:
 * scores of series that are new are held back by doubt, and what they were then tells little. */
#define MEMORY_MS (26 * 604800000.0)
#define MEMORY_AGES 0.5
/* It is looked at once in an hour, or step. */
#define TURN_MS INT64_C(3600000)
/* Episodes as rare as scores say they are that are there before the first. */
#define PRIOR 5.0
/* Of long intervals, which see less of what scatters, scores are worth more: by this much for each
 * ten times of ten minutes, up to a day; not where there are many events. */
#define PRIOR_MORE 0.29
#define LONG_FROM_MS 600000.0
#define LONG_DECADES 2.2
/* From an hour on it is less and less what many events bring that scatters: noise that wanders for
 * hours is white by the day. */
#define BUSY_DECADES 0.8
/* Episodes behind which a line goes on. */
#define ENOUGH 40.0
/* Tosses of a coin that are there before, and what they say: a score of one more is worth 0.95; the
 * more events, the less of what scatters is chance, and of long intervals there are few to know
 * that by. By clean slices of `weir-bench quality slices`. */
#define SLOPE_TOSSES 80.0
#define SLOPE_PRIOR 0.95
#define SLOPE_BUSY 0.15
#define SLOPE_LONG 0.06
/* By the day scores are worth what they say. */
#define SLOPE_DAY 0.05
/* Levels below what fires that have a say in it. */
#define SLOPE_LEVELS 5
#define SLOPE_MIN 0.4
#define SLOPE_MAX 1.2
/* A score is never worth so much more or less than it says. */
#define MORE_MOST 1.0
#define LESS_MOST 2.5
/* Episodes that count of those that end in a step: these, and so many times the usual number. Long
 * windows are looked at each sixteenth step, and so end together. */
#define CROWD 2.0
#define CROWD_USUAL 20.0

static double level_score(uint64_t level)
{
	return CALIBRATION_FROM + CALIBRATION_STEP * (double)level;
}

void calibration_init(struct calibration *calibration)
{
	*calibration = (struct calibration){.slope = 1, .ran = -1e18};
	for (uint32_t level = 0; level < CALIBRATION_LEVELS; level++)
		calibration->worth[level] = level_score(level);
}

static bool within(double value, double least, double most)
{
	return value >= least && value <= most;
}

bool calibration_possible(const struct calibration *calibration)
{
	double least = 0, most = 1e18;
	bool possible = within(calibration->time, 0, 1e18) && within(calibration->slope, 0.1, 2) &&
			within(calibration->ran, -1e18, 1e18) &&
			within(calibration->fired, 0, 1e18) &&
			calibration->last < CALIBRATION_LEVELS &&
			calibration->steps <= (uint64_t)TURN_MS;

	for (uint32_t level = 0; level < CALIBRATION_LEVELS; level++) {
		possible &= within(calibration->over[level], 0, most) &&
			    within(calibration->worth[level], least, 100);
		most = calibration->over[level];
		least = calibration->worth[level];
	}
	return possible;
}

double calibration_far(const struct calibration *calibration, double score)
{
	double last = level_score(calibration->last);

	if (score >= last)
		return calibration->worth[calibration->last] + calibration->slope * (score - last);
	double at = (score - CALIBRATION_FROM) * (1 / CALIBRATION_STEP);
	uint32_t level = (uint32_t)at;
	double worth = calibration->worth[level];

	return worth + (at - level) * (calibration->worth[level + 1] - worth);
}

void calibration_add(struct calibration *calibration, double slices,
		     const uint32_t reached[CALIBRATION_LEVELS])
{
	double usual = calibration->time > 0 ? calibration->over[0] / calibration->time : RATE_FROM;
	double most = CROWD + CROWD_USUAL * usual * slices;
	double many = 0, least = (double)INFINITY;

	for (uint32_t level = 0; level < CALIBRATION_LEVELS; level++)
		many = math_max(many, reached[level]);
	double part = many > most ? most / many : 1;
	calibration->time += slices;
	/* What was counted before may have been one of many, and counted for less. */
	for (uint32_t level = 0; level < CALIBRATION_LEVELS; level++) {
		least = math_min(calibration->over[level] + part * reached[level], least);
		calibration->over[level] = least;
	}
}

/* Worth of a level that so many have reached: by the logarithm of how often it came, as far as it
 * came, or should have. */
static double worth_of(const struct calibration *calibration, uint32_t level, double over,
		       double rate)
{
	double expected = calibration->time * rate;
	double most = math_max(over, expected), score = level_score(level);
	double came = math_log10(math_max(calibration->time, 1) / (over + 0.5));
	double worth = (most * came - PRIOR * math_log10(rate)) / (most + PRIOR);

	return math_clamp(worth, score - LESS_MOST, score + MORE_MOST);
}

/* The levels that do not fire, from the first: of what is beyond them little is counted. */
static uint32_t count_silent(const struct calibration *calibration, double fires)
{
	uint32_t silent = 0;

	while (silent < CALIBRATION_LEVELS &&
	       calibration_far(calibration, level_score(silent)) <= fires)
		silent++;
	return silent;
}

/* Episodes that reached a level and not the next. */
static double between(const struct calibration *calibration, uint32_t level)
{
	return calibration->over[level] - calibration->over[level + 1];
}

/* Of what fired, what is chance: with it, levels go on as they did below. */
static double chance_in(const struct calibration *calibration, uint32_t silent)
{
	double part = math_exp(-calibration->slope * CALIBRATION_STEP * MATH_LN10);
	double all = between(calibration, silent - 2) * part / (1 - part);

	return math_clamp(all - calibration->over[silent - 1], 0, calibration->fired);
}

/* The slope of what is below what fires, from a level on that enough have reached, or so far below
 * that it is known. prior: what it is before. */
static double slope_of(const struct calibration *calibration, uint32_t silent, double prior)
{
	uint64_t from = silent > SLOPE_LEVELS ? silent - SLOPE_LEVELS : 0;
	double tosses = SLOPE_TOSSES;
	double heads = SLOPE_TOSSES * math_exp(-prior * CALIBRATION_STEP * MATH_LN10);

	if (from > calibration->last)
		from = calibration->last;
	for (uint32_t level = (uint32_t)from; level + 2 < silent; level++) {
		tosses += between(calibration, level);
		heads += between(calibration, level + 1);
	}
	double slope = -math_log10(heads / tosses) * (1 / CALIBRATION_STEP);
	return math_clamp(slope, SLOPE_MIN, SLOPE_MAX);
}

/* Worth of the levels, and the slope behind them. */
static void solve(struct calibration *calibration, int64_t step_ms, double busy, double fires)
{
	double decades = math_clamp(math_log10((double)step_ms / LONG_FROM_MS), 0, LONG_DECADES);
	busy *= math_min((LONG_DECADES - decades) / (LONG_DECADES - BUSY_DECADES), 1);
	double more = PRIOR_MORE * decades * (1 - busy), least = 0;
	double rate = RATE_FROM * math_exp(-more * MATH_LN10);
	uint32_t silent = count_silent(calibration, fires);

	/* Nearly all that is counted fires: there is nothing to go by. */
	if (silent < 2)
		return;
	double chance = chance_in(calibration, silent);
	calibration->last = 0;
	for (uint32_t level = 0; level < CALIBRATION_LEVELS; level++, rate *= RATE_STEP) {
		double over = calibration->over[level] + (level < silent ? chance : 0);
		least = math_max(worth_of(calibration, level, over, rate), least);
		calibration->worth[level] = least;
		if (over >= ENOUGH && level < silent)
			calibration->last = level;
	}
	double slope = SLOPE_PRIOR + SLOPE_DAY * decades / LONG_DECADES;
	calibration->slope = slope_of(calibration, silent,
				      slope - busy * (SLOPE_BUSY + SLOPE_LONG * decades));
}

void calibration_step(struct calibration *calibration, int64_t step_ms, uint64_t seen, double busy,
		      double fires)
{
	uint64_t turn = step_ms < TURN_MS ? (uint64_t)(TURN_MS / step_ms) : 1;

	if (++calibration->steps < turn)
		return;
	double memory = math_min(MEMORY_AGES * (double)seen, MEMORY_MS / (double)step_ms);
	double keep = math_exp(-(double)calibration->steps / math_max(memory, 1));

	calibration->steps = 0;
	solve(calibration, step_ms, busy, fires);
	calibration->time *= keep;
	calibration->fired *= keep;
	for (uint32_t level = 0; level < CALIBRATION_LEVELS; level++)
		calibration->over[level] *= keep;
}
