/*
 * delays: how long things took, as a histogram that many processes can fill side by side, each its
 * own. Buckets are 1/32 of a power of two wide, so that a quantile is within 3 %.
 */
#ifndef BENCH_DELAYS_H
#define BENCH_DELAYS_H

#include <stdint.h>

#define DELAYS_STEPS 32u /* of a doubling */
#define DELAYS_BUCKETS (40u * DELAYS_STEPS)

struct delays {
	uint64_t count;
	uint32_t buckets[DELAYS_BUCKETS];
};

void delays_add(struct delays *delays, uint64_t ns);
void delays_merge(struct delays *delays, const struct delays *more);
/* The upper end of the bucket that holds the quantile `part` (0 < part <= 1), ns; 0: none there. */
double delays_quantile_ns(const struct delays *delays, double part);

#endif
