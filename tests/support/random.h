/*
 * random: seeded numbers for tests (splitmix64), and how a property test says what failed.
 *
 * A property test runs many rounds; round r of seed s is made of random_start(s + r) alone, so
 * that `program 1 <s + r>` shows a failure again.
 */
#ifndef SUPPORT_RANDOM_H
#define SUPPORT_RANDOM_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "proof.h"

static uint64_t random_state, random_seed;

static inline void random_start(uint64_t seed)
{
	random_seed = seed;
	random_state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
}

static inline uint64_t random_next(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 .. bound - 1. */
static inline uint64_t random_below(uint64_t bound)
{
	return random_next() % bound;
}

/* True one time in n. */
static inline int random_one_in(uint64_t n)
{
	return random_below(n) == 0;
}

/* The property does not hold: say where and with which seed, and end. */
#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: seed %" PRIu64 ": not so: %s\n", __FILE__,         \
				__LINE__, random_seed, #condition);                                \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* program [rounds [seed]]: run them all; a quarter where WEIR_TEST_QUICK asks for a short run. A
 * round in which something does not hold ends the program: there is no proof then. */
static inline int random_main(int argc, char **argv, const char *proof, uint64_t rounds,
			      void (*round)(void))
{
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	const char *quick = getenv("WEIR_TEST_QUICK");
	if (argc > 1)
		rounds = strtoull(argv[1], NULL, 0);
	else if (quick && *quick)
		rounds = (rounds + 3) / 4;
	for (uint64_t i = 0; i < rounds; i++) {
		random_start(seed + i);
		round();
	}
	printf("%" PRIu64 " rounds from seed %" PRIu64 "\n", rounds, seed);
	proof_say(proof, rounds, 0);
	return 0;
}

#endif
