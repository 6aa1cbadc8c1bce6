/* agent: the loop steps, looks away, sleeps and stops as it says. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/agent.h"
#include "weir/order.h"

/* The test's thread looks on while the agent's runs, so what they share is loaded and stored. */
struct probe {
	int work;
	uint32_t stop_after; /* steps; 0: never */
	uint64_t steps;
	uint64_t first_ns, last_ns;
	char name[16];
	sigset_t blocked;
	struct agent *agent;
};

static int probe_step(void *self, uint64_t now_ns)
{
	struct probe *probe = self;

	if (!probe->first_ns) {
		probe->first_ns = now_ns;
		pthread_getname_np(pthread_self(), probe->name, sizeof(probe->name));
		pthread_sigmask(SIG_BLOCK, NULL, &probe->blocked);
	}
	if (now_ns < probe->last_ns)
		probe->last_ns = UINT64_MAX; /* time went back: seen after the join */
	if (probe->last_ns != UINT64_MAX)
		probe->last_ns = now_ns;
	if (++probe->steps == probe->stop_after)
		agent_stop(probe->agent);
	return probe->work;
}

static const struct agent_idle idle = {
	.busy_pause_ns = 100000, .idle_min_ns = 100000, .idle_max_ns = 800000};

Test(agent, steps_until_it_is_stopped, .timeout = 10)
{
	struct agent agent;
	struct probe probe = {.work = 0, .stop_after = 5, .agent = &agent};

	cr_assert_eq(agent_start(&agent, "probe-a", probe_step, &probe, idle), 0);
	agent_join(&agent);
	cr_assert_eq(probe.steps, 5);
	cr_assert_eq(agent.steps, 5);
	cr_assert_eq(agent.sleeps, 5);
	cr_assert_str_eq(probe.name, "probe-a");
	cr_assert_neq(probe.last_ns, UINT64_MAX);
}

Test(agent, does_not_sleep_after_work_but_looks_away, .timeout = 10)
{
	struct agent agent;
	struct probe probe = {.work = 3, .stop_after = 20, .agent = &agent};

	agent_start(&agent, "busy", probe_step, &probe, idle);
	agent_join(&agent);
	cr_assert_eq(agent.sleeps, 0);
	cr_assert_geq(probe.last_ns - probe.first_ns, 19u * idle.busy_pause_ns);
}

Test(agent, sleeps_twice_as_long_each_time_without_work_up_to_the_bound, .timeout = 10)
{
	struct agent agent;
	struct probe probe = {.work = 0, .stop_after = 8, .agent = &agent};

	agent_start(&agent, "idle", probe_step, &probe, idle);
	agent_join(&agent);
	/* 7 sleeps between 8 steps: 0.1, 0.2, 0.4 and then 0.8 ms each, never less. */
	cr_assert_geq(probe.last_ns - probe.first_ns, (100000u + 200000 + 400000 + 4 * 800000));
}

static bool always(const void *self)
{
	(void)self;
	return true;
}

Test(agent, naps_after_little_work_and_while_something_is_under_way, .timeout = 10)
{
	const struct agent_idle napping = {.busy_pause_ns = 1000,
					   .idle_min_ns = 200000000,
					   .idle_max_ns = 800000000,
					   .calm_work = 10,
					   .nap_ns = 100000,
					   .waits = always};
	static const int works[] = {0, 1, 10, 11};

	for (int i = 0; i < 4; i++) {
		struct agent agent;
		struct probe probe = {.work = works[i], .stop_after = 6, .agent = &agent};
		cr_assert_eq(agent_start(&agent, "nap", probe_step, &probe, napping), 0);
		agent_join(&agent);
		cr_assert_eq(agent.sleeps, works[i] == 11 ? 0 : 6, "work %d", works[i]);
		/* Five naps of 0.1 ms, and none of the sleeps of 200 ms. */
		cr_assert_lt(probe.last_ns - probe.first_ns, 200000000, "work %d", works[i]);
		if (works[i] != 11)
			cr_assert_geq(probe.last_ns - probe.first_ns, 500000);
	}
}

Test(agent, an_error_is_no_work, .timeout = 10)
{
	struct agent agent;
	struct probe probe = {.work = -5, .stop_after = 3, .agent = &agent};

	agent_start(&agent, "error", probe_step, &probe, idle);
	agent_join(&agent);
	cr_assert_eq(agent.sleeps, 3);
}

Test(agent, leaves_signals_to_the_main_thread, .timeout = 10)
{
	struct agent agent;
	struct probe probe = {.stop_after = 1, .agent = &agent};

	agent_start(&agent, "signals", probe_step, &probe, idle);
	agent_join(&agent);
	cr_assert(sigismember(&probe.blocked, SIGTERM));
	cr_assert(sigismember(&probe.blocked, SIGINT));
	sigset_t mine;

	pthread_sigmask(SIG_BLOCK, NULL, &mine);
	cr_assert_not(sigismember(&mine, SIGTERM));
}

Test(agent, stops_when_another_thread_says_so, .timeout = 10)
{
	struct agent agent;
	struct probe probe = {.work = 0, .agent = &agent};
	struct timespec tick = {.tv_nsec = 1000000};

	agent_start(&agent, "outside", probe_step, &probe, idle);
	while (weir_load_relaxed_64(&agent.steps) < 3)
		nanosleep(&tick, NULL);
	agent_stop(&agent);
	agent_join(&agent);
	cr_assert_geq(agent.steps, 3);
}

Test(agent, moves_while_its_steps_go_on_and_not_for_longer_than_the_limit_after)
{
	struct agent agent = {.steps = 5};
	struct agent_watch watch = {0};

	cr_expect(agent_moves(&agent, &watch, 1000, 100));
	cr_expect(agent_moves(&agent, &watch, 1100, 100));
	cr_expect_not(agent_moves(&agent, &watch, 1101, 100));
	agent.steps = 6;
	cr_expect(agent_moves(&agent, &watch, 2000, 100));
	cr_expect(agent_moves(&agent, &watch, 2050, 100));
	agent.steps = 7;
	cr_expect(agent_moves(&agent, &watch, 2140, 100));
	cr_expect(agent_moves(&agent, &watch, 2240, 100));
	cr_expect_not(agent_moves(&agent, &watch, 2241, 100));
}
