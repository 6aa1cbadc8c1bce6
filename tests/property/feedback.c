/*
 * feedback: what bench/quality_feedback.h says of a pattern that was dismissed three times, over
 * seeded rounds; `weir-bench quality feedback` prints the same.
 *
 * property_feedback [rounds [seed]]
 */
#include <stdio.h>
#include <stdlib.h>

#include "quality_feedback.h"

static uint32_t failures;

static void fail(const char *what, uint32_t round, double rate, double size)
{
	failures++;
	printf("round %u, %.0f a minute, times %.2f: %s\n", round, rate, size, what);
}

int main(int argc, char **argv)
{
	uint32_t rounds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 7;
	struct feedback_sums sums;

	feedback_run(rounds, seed, fail, &sums);
	printf("%u rounds of %d weeks: %u weeks with alarms (%u), dismissed; %u suppressed; "
	       "%u incidents of twice its size: %u found, %u had nothing been said, %u lost\n",
	       sums.rounds, FEEDBACK_RUN_WEEKS, sums.dismissed, sums.alarms, sums.suppressed,
	       sums.incidents, sums.found, sums.bare, sums.lost);
	if (sums.again || sums.lost || sums.undone < sums.rounds)
		failures++;
	return failures ? 1 : 0;
}
