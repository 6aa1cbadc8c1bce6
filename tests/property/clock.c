/*
 * clock: the engine's time on random walks, while somebody sets the machine's clock by milliseconds
 * to years, forwards and backwards, and pauses last as long.
 *
 * Holds: it never goes backward; it runs at half the speed at least and at one and a half at most;
 * once the machine's clock is left alone it is caught up with, in twice the time that it is off.
 */
#include "base/clock.h"

#include <stdlib.h>

#include "support/random.h"

#define READS 200
#define YEAR_MS UINT64_C(31557600000)
#define START_MS UINT64_C(1767225600000) /* 2026 */

static struct walk {
	uint64_t monotonic_ns;
	int64_t off_ms; /* the machine's clock, beside one that is never set */
} walk;

static uint64_t monotonic_ns(void *self)
{
	(void)self;
	return walk.monotonic_ns;
}

static uint64_t machine_ms(void *self)
{
	int64_t ms = (int64_t)(START_MS + walk.monotonic_ns / 1000000) + walk.off_ms;

	(void)self;
	return ms < 1 ? 1 : (uint64_t)ms;
}

/* Of any size: as often seconds as years. */
static uint64_t any_ms(uint64_t most_ms)
{
	uint64_t bound = UINT64_C(1) << random_below(40);

	return random_below(bound) % most_ms;
}

static void turn(void)
{
	struct clock clock = {.monotonic_ns = monotonic_ns, .wall_ms = machine_ms};

	walk = (struct walk){.monotonic_ns = random_below(1000000000)};
	uint64_t last_ms = clock_wall_ms(&clock), last_ns = walk.monotonic_ns;
	for (int i = 0; i < READS; i++) {
		if (random_one_in(8)) {
			int64_t by_ms = (int64_t)any_ms(10 * YEAR_MS);
			walk.off_ms += random_one_in(2) ? by_ms : -by_ms;
		}
		walk.monotonic_ns += random_one_in(4) ? any_ms(YEAR_MS) * 1000000
						      : random_below(5000000);
		uint64_t now_ms = clock_wall_ms(&clock);
		uint64_t passed_ms = (walk.monotonic_ns - last_ns) / 1000000;
		expect(now_ms >= last_ms);
		expect(now_ms - last_ms <= passed_ms + passed_ms / 2 + 3);
		expect(now_ms - last_ms + 3 >= passed_ms / 2);
		last_ms = now_ms;
		last_ns = walk.monotonic_ns;
	}
	uint64_t off_ms = (uint64_t)llabs((int64_t)last_ms - (int64_t)machine_ms(NULL));
	for (int i = 0; i < 3; i++) {
		walk.monotonic_ns += (off_ms + 5) * 1000000;
		last_ms = clock_wall_ms(&clock);
	}
	expect(llabs((int64_t)last_ms - (int64_t)machine_ms(NULL)) <= 1);
}

int main(int argc, char **argv)
{
	return random_main(argc, argv, "clock-walks", 10000, turn);
}
