/*
 * seasonal_recent: what the last intervals had, and what was expected of them before they came.
 *
 * Idea:  the windows that look for small deviations (seasonal_window.c) keep sums of values and of
 *        their shape, and the level as it was before each. So the forecast of a stretch that was
 *        made before it began is at hand: no level has followed an incident there.
 *
 *        the last 1..16 intervals one by one, then the current block of 8 and up to 12 before it,
 *        then the same of 64
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include "detect/seasonal.h"

#define FINE 8
static const uint8_t fine[FINE] = {1, 2, 3, 4, 6, 8, 12, 16};
static const uint8_t blocks[SEASONAL_BLOCKS] = {2, 3, 4, 6, 8, 12};

_Static_assert(FINE + 2 * SEASONAL_BLOCKS == DETECTOR_RECENT, "all of them have room");

/* Intervals of the current block that are over. */
static uint32_t part_of(uint64_t pushed, uint32_t size)
{
	return (uint32_t)(pushed % size);
}

uint32_t seasonal_recent_lengths(const void *state, const struct seasonal_step *step,
				 uint32_t lengths[DETECTOR_RECENT])
{
	const struct seasonal_header *header = state;
	uint32_t count = 0;

	for (uint32_t k = 0; k < FINE; k++)
		lengths[count++] = fine[k];
	for (uint32_t order = 0; order < 2; order++) {
		uint32_t size = order ? 64 : 8;
		for (uint32_t k = 0; k < SEASONAL_BLOCKS; k++)
			lengths[count++] = blocks[k] * size + part_of(header->pushed, size);
	}
	/* No further back than windows look. */
	while (count > 1 && lengths[count - 1] > step->longest + 64)
		count--;
	return count;
}

/* Sums of one series in its own terms: lumps, or deviations from the shape. */
struct sums {
	double value, base, level;
};

static void put(const struct seasonal_exact *exact, const struct seasonal_step *step, uint32_t lane,
		const struct sums *sums, uint32_t length, struct recent *ret)
{
	double mean = sums->level * sums->base, unit = LANE(exact->unit, lane);

	if (!step->lumps) {
		*ret = (struct recent){sums->value, mean, unit * sums->base, sums->base};
		return;
	}
	double square = LANE(exact->unit_square, lane) * mean * mean / length;
	/* Shares are counted in what their denominators count, sums in their own unit. */
	double lump = step->whole || step->shares ? 1 : LANE(exact->lump, lane);
	double sign = LANE(exact->usual, lane) < 0 ? -lump : lump;
	*ret = (struct recent){sign * sums->value, sign * mean,
			       lump * lump * (unit * mean + square), 1};
}

static void add(struct sums *sums, const struct seasonal_ring *ring, uint64_t at, uint32_t lane)
{
	sums->value += (double)LANE(ring->value[at % SEASONAL_RING], lane);
	sums->base += (double)LANE(ring->base[at % SEASONAL_RING], lane);
	sums->level = (double)LANE(ring->level[at % SEASONAL_RING], lane);
}

void seasonal_recent(const struct seasonal_group *group, const struct seasonal_step *step,
		     uint64_t pushed, uint32_t lane, struct recent ret[DETECTOR_RECENT])
{
	const struct seasonal_exact *exact = &group->exact;
	const struct seasonal_ring *ring = group->rough.ring;
	struct sums sums = {0};
	uint32_t count = 0;

	for (uint32_t k = 0, n = 0; k < FINE; k++) {
		for (; n < fine[k]; n++)
			add(&sums, &ring[0], pushed - 1 - n, lane);
		put(exact, step, lane, &sums, fine[k], &ret[count++]);
	}
	for (uint32_t order = 0; order < 2; order++) {
		uint32_t size = order ? 64 : 8, part = part_of(pushed, size);
		uint64_t block = pushed / size;
		sums = (struct sums){LANE(exact->part_value[order], lane),
				     LANE(exact->part_base[order], lane), 0};
		for (uint32_t k = 0, n = 1; k < SEASONAL_BLOCKS; k++) {
			for (; n <= blocks[k]; n++)
				add(&sums, &ring[1 + order], block - n, lane);
			put(exact, step, lane, &sums, blocks[k] * size + part, &ret[count++]);
		}
	}
}
