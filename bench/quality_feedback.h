/*
 * quality_feedback: a shop in which something happens every week that is none: a newsletter, a
 * batch. After it has been dismissed three times no alarm of it may come, whatever chance does to
 * counts, to the time of its beginning and to its size; what is twice as large must be found, then
 * and at any other time, as it would have been had nothing been said; and from the moment at which
 * all is taken back the detector must judge as one to which nothing was ever said.
 *
 * The same weeks are those of tests/property/feedback.c, which fails where a figure is not so.
 */
#ifndef BENCH_QUALITY_FEEDBACK_H
#define BENCH_QUALITY_FEEDBACK_H

#include <stdint.h>

/* In which it happens, of each round. */
#define FEEDBACK_RUN_WEEKS 10

struct feedback_sums {
	uint32_t rounds;
	uint32_t dismissed;  /* weeks of which alarms were dismissed */
	uint32_t alarms;     /* of what happens each week */
	uint32_t again;      /* of these, after three weeks of which they were dismissed */
	uint32_t suppressed; /* by what was said */
	/* Of twice its size: all; found; found had nothing been said; only then. */
	uint32_t incidents, found, bare, lost;
	uint32_t undone; /* rounds in which what was taken back has no effect */
};

/* Something is not as it must be. */
typedef void feedback_failed(const char *what, uint32_t round, double rate, double size);

/* `each` may be NULL. Runs on: one thread at a time. */
void feedback_run(uint32_t rounds, uint64_t seed, feedback_failed *each, struct feedback_sums *ret);

#endif
