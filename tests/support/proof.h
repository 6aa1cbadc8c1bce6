/*
 * proof: one line that says how often a promise was tried, and how often it was broken.
 *
 * Every program that proves a promise ends with one such line for each thing that it counts:
 *
 *	PROOF <name> <count> <violations>
 *
 * tools/check and tools/proof add them up, and tests/README.md says what each name stands for. The
 * name is of lower-case words with dashes. A program with a violation also ends with 1.
 */
#ifndef SUPPORT_PROOF_H
#define SUPPORT_PROOF_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

static inline void proof_say(const char *name, uint64_t count, uint64_t violations)
{
	printf("PROOF %s %" PRIu64 " %" PRIu64 "\n", name, count, violations);
	/* What was counted stays said, whatever ends the program behind this. */
	fflush(stdout);
}

#endif
