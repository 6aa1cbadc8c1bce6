/*
 * calibration: what a score is worth among many slices, by how often such scores came.
 *
 *   log10 of how often, a slice-step
 *     |\\.
 *     | \ `.               \    what the score says: 10^-score
 *     |  \  `.              `.  what was measured: counted episodes, by level
 *     |   \   `.               ..  the line behind the last level with enough of them
 *     |    \    ` .  .  .  . .
 *     +--------------------------- score
 *
 * A detector of 1,000 slices fires at what one series sees once in 40,000 weeks. No model of a tail
 * is right so far out, but 1,000 slices see in a week what one does in twenty years: how often
 * scores of 2, 2.5, 3 .. came to them is counted, and a score is taken for as rare as it was, on a
 * line where it has come less than forty times. With little counted a score is worth what it
 * says.
 *
 * Runs on: the shard that owns the metric. Never allocates. Saved as it is.
 */
#ifndef DETECT_CALIBRATION_H
#define DETECT_CALIBRATION_H

#include <stdbool.h>
#include <stdint.h>

/* Levels of score: from here, each higher by this. */
#define CALIBRATION_FROM 2.0
#define CALIBRATION_STEP 0.5
#define CALIBRATION_LEVELS 24
/* Fewer slices tell nothing of others. */
#define CALIBRATION_SLICES 8

/* Numbers of eight bytes each, without padding. */
struct calibration {
	double time;                      /* slice-steps watched, fading */
	double over[CALIBRATION_LEVELS];  /* episodes that reached a level, fading */
	double worth[CALIBRATION_LEVELS]; /* of a score at the level, as of the last turn */
	double slope;                     /* what more of score is worth behind the last one */
	uint64_t last;                    /* level from which on that is so */
	uint64_t steps;                   /* since the last turn */
	double ran;                       /* the last step in which something was not normal */
	double fired;                     /* how often something began to be that, fading */
};

/* A score is worth what it says. */
void calibration_init(struct calibration *calibration);
/* What was counted is possible. */
bool calibration_possible(const struct calibration *calibration);
/* What a score of at least CALIBRATION_FROM is worth. */
double calibration_far(const struct calibration *calibration, double score);
/* A step of so many slices, in which so many episodes turned out to have reached a level: that
 * was not known of them before. */
void calibration_add(struct calibration *calibration, double slices,
		     const uint32_t reached[CALIBRATION_LEVELS]);
/* Of counts and sums, by a slice's events in a step: 0 where chance is all that scatters, up to
 * CALIBRATION_BUSIEST where there are so many that it is the least. */
#define CALIBRATION_BUSIEST 3
static inline uint32_t calibration_busy(double events)
{
	return (uint32_t)(events >= 10) + (events >= 50) + (events >= 300);
}

/* A step is over, of so many that were seen: from time to time, what was counted is worth
 * something. busy: 0..1, the mean of calibration_busy() by its most; fires: a score of this worth
 * fires. */
void calibration_step(struct calibration *calibration, int64_t step_ms, uint64_t seen, double busy,
		      double fires);

/* How many times itself a score below CALIBRATION_FROM is worth. */
static inline double calibration_near(const struct calibration *calibration)
{
	return calibration->worth[0] / CALIBRATION_FROM;
}

/* What a score is worth: never less than that of a lower one. */
static inline double calibration_score(const struct calibration *calibration, double score)
{
	if (score < CALIBRATION_FROM)
		return score * calibration_near(calibration);
	return calibration_far(calibration, score);
}

#endif
