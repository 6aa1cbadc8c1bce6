/* Time under a fake: each test turns both clocks by hand. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"

struct fake {
	uint64_t monotonic_ns;
	uint64_t wall_ms;
};

static uint64_t fake_monotonic_ns(void *self)
{
	return ((struct fake *)self)->monotonic_ns;
}

static uint64_t fake_wall_ms(void *self)
{
	return ((struct fake *)self)->wall_ms;
}

static struct clock clock_of(struct fake *fake)
{
	return (struct clock){
		.monotonic_ns = fake_monotonic_ns, .wall_ms = fake_wall_ms, .self = fake};
}

static void pass(struct fake *fake, uint64_t ms)
{
	fake->monotonic_ns += ms * 1000000;
	fake->wall_ms += ms;
}

Test(clock, starts_at_the_systems_wall_time)
{
	struct fake fake = {5000000, 1700000000000};
	struct clock clock = clock_of(&fake);

	cr_assert_eq(clock_wall_ms(&clock), 1700000000000);
	pass(&fake, 12345);
	cr_assert_eq(clock_wall_ms(&clock), 1700000012345);
}

Test(clock, keeps_the_rest_below_a_millisecond)
{
	struct fake fake = {0, 1000000};
	struct clock clock = clock_of(&fake);

	clock_wall_ms(&clock);
	/* 2.9 ms at a time; the system's own clock would say the same, cut to a millisecond. */
	for (int i = 1; i <= 1000; i++) {
		fake.monotonic_ns += 2900000;
		fake.wall_ms = 1000000 + fake.monotonic_ns / 1000000;
		clock_wall_ms(&clock);
	}
	cr_assert_eq(clock_wall_ms(&clock), 1002900);
}

Test(clock, follows_a_step_forward_at_one_and_a_half_speed)
{
	struct fake fake = {0, 1000000};
	struct clock clock = clock_of(&fake);

	clock_wall_ms(&clock);
	fake.wall_ms += 60000;
	pass(&fake, 1000);
	cr_assert_eq(clock_wall_ms(&clock), 1001500);
	pass(&fake, 100000);
	cr_assert_eq(clock_wall_ms(&clock), 1000000 + 101000 + 50500);
	pass(&fake, 100000);
	cr_assert_eq(clock_wall_ms(&clock), fake.wall_ms, "no more than the step");
}

Test(clock, follows_a_step_backward_at_half_speed_and_never_goes_back)
{
	struct fake fake = {0, 10000000};
	struct clock clock = clock_of(&fake);
	uint64_t last = clock_wall_ms(&clock);

	fake.wall_ms -= 3600000;
	for (int i = 0; i < 10000; i++) {
		pass(&fake, 10);
		uint64_t now = clock_wall_ms(&clock);

		cr_assert_eq(now, last + 5);
		last = now;
	}
}

Test(clock, arrives_at_the_stepped_time_and_stays_there)
{
	struct fake fake = {0, 10000000};
	struct clock clock = clock_of(&fake);

	clock_wall_ms(&clock);
	fake.wall_ms -= 1000;
	for (int i = 0; i < 1000; i++) {
		pass(&fake, 10);
		clock_wall_ms(&clock);
	}
	cr_assert_eq(clock_wall_ms(&clock), fake.wall_ms);
}

Test(clock, slews_also_when_asked_every_tenth_of_a_millisecond)
{
	struct fake fake = {0, 10000000};
	struct clock clock = clock_of(&fake);

	clock_wall_ms(&clock);
	fake.wall_ms += 1000;
	for (int i = 0; i < 40000; i++) {
		fake.monotonic_ns += 100000;
		if (i % 10 == 9)
			fake.wall_ms++;
		clock_wall_ms(&clock);
	}
	cr_assert_eq(clock_wall_ms(&clock), fake.wall_ms);
}

Test(clock, never_goes_backward_whatever_the_system_does)
{
	for (unsigned seed = 1; seed <= 50; seed++) {
		struct fake fake = {0, 1u << 30};
		struct clock clock = clock_of(&fake);
		uint64_t last = clock_wall_ms(&clock);

		srandom(seed);
		for (int i = 0; i < 2000; i++) {
			uint64_t step_ns = (uint64_t)random() % 5000000;
			uint64_t before_ms = fake.monotonic_ns / 1000000;

			fake.monotonic_ns += step_ns;
			fake.wall_ms += fake.monotonic_ns / 1000000 - before_ms;
			if (random() % 50 == 0)
				fake.wall_ms = (uint64_t)random() % (1u << 31);
			uint64_t now = clock_wall_ms(&clock);

			cr_assert_geq(now, last, "seed %u", seed);
			cr_assert_leq(now - last, 2 * (step_ns / 1000000 + 2), "seed %u", seed);
			last = now;
		}
	}
}

Test(clock, of_the_system_goes_forward_and_is_near_the_systems_time)
{
	struct clock clock;

	clock_system(&clock);
	uint64_t a = clock_monotonic_ns(&clock);
	uint64_t b = clock_monotonic_ns(&clock);

	cr_assert_leq(a, b);
	uint64_t wall = clock_wall_ms(&clock);
	uint64_t system = clock.wall_ms(clock.self);

	cr_assert_leq(wall, system);
	cr_assert_geq(wall + 5000, system);
}
