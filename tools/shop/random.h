/*
 * random: numbers that depend on a key only, so that any worker can draw any part of the traffic.
 *
 * A stream is splitmix64 (Steele, Lea, Flood 2014) started from a hash of seed and key: streams of
 * different keys share nothing, and none has to be drawn in order.
 */
#ifndef SHOP_RANDOM_H
#define SHOP_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static inline struct random random_keyed(uint64_t seed, uint64_t a, uint64_t b)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t x = random_mix(seed + odd);
	x = random_mix(x ^ (a + 2 * odd));
	return (struct random){.state = random_mix(x ^ (b + 3 * odd))};
}

static inline uint64_t random_next(struct random *random)
{
	return random_mix(random->state += UINT64_C(0x9e3779b97f4a7c15));
}

/* Above 0 and below 1, in steps of 2^-53. */
static inline double random_unit(struct random *random)
{
	return ((double)(random_next(random) >> 11) + 0.5) * 0x1p-53;
}

/* 0 .. bound - 1; bound at least 1. */
uint32_t random_below(struct random *random, uint32_t bound);
/* A Poisson count, exact in distribution. mean: 0 or more, finite. */
uint64_t random_poisson(struct random *random, double mean);
/* How many of n happen that each happen with probability p; n steps. */
uint64_t random_binomial(struct random *random, uint64_t n, double p);
/* Standard normal. */
double random_normal(struct random *random);
/* Gamma of mean 1 and this shape, at least 1: its variance is 1 / shape. */
double random_gamma(struct random *random, double shape);
/* The standard normal quantile of p, 0 < p < 1. */
double normal_quantile(double p);

#endif
