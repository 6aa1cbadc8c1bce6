/*
 * agent: the loop around a step.
 *
 *      step ---- work ----> look away for busy_pause_ns ----> step
 *           -- a little --> nap for nap_ns ----> step
 *           --- nothing --> sleep idle_min_ns, twice that, ... idle_max_ns --> step
 *
 * Idea:  after work the other side is likely still writing; a short pause off its cache lines
 *        costs it nothing, where looking again at once would make each of its stores a miss.
 *        After little work more is gathered by a nap, at a part of the cost of looking on.
 *        After no work the thread sleeps in the kernel, longer each time, and costs next to
 *        nothing when nothing comes.
 * Runs on: the thread it makes, all signals blocked (main takes them).
 * Never: wakes anybody, or is woken; a stop is seen after the step or sleep that is under way.
 */
#include "base/agent.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/check.h"
#include "base/monotonic.h"
#include "weir/order.h"

static void pause_busy(uint64_t until_ns)
{
	/* The clock is read between a few pauses, not each time: a read costs as much as two. */
	while (monotonic_ns() < until_ns)
		for (int i = 0; i < 8; i++) {
#if defined(__x86_64__) || defined(__i386__)
			__builtin_ia32_pause();
#else
			__asm__ __volatile__("" ::: "memory");
#endif
		}
}

static void sleep_ns(uint32_t ns)
{
	struct timespec ts = {
		.tv_sec = ns / 1000000000,
		.tv_nsec = ns % 1000000000,
	};

	nanosleep(&ts, NULL);
}

static void *loop(void *argument)
{
	struct agent *agent = argument;
	uint32_t idle_ns = agent->idle.idle_min_ns;

	pthread_setname_np(pthread_self(), agent->name);
	/* A sleep of 100 us would last 150 with the default slack of 50. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);

	/* Acquire: what the stopper wrote before agent_stop() is there for the thread's last
	 * words. Without it a step after the stop could see half of it. */
	while (!weir_load_acquire_32(&agent->stop)) {
		int work = agent->step(agent->self, monotonic_ns());

		weir_store_relaxed_64(&agent->steps, agent->steps + 1);
		if (work > 0 && (uint32_t)work > agent->idle.calm_work) {
			idle_ns = agent->idle.idle_min_ns;
			if (agent->idle.busy_pause_ns)
				pause_busy(monotonic_ns() + agent->idle.busy_pause_ns);
			continue;
		}
		weir_store_relaxed_64(&agent->sleeps, agent->sleeps + 1);
		if (work > 0 || (agent->idle.waits && agent->idle.waits(agent->self))) {
			idle_ns = agent->idle.idle_min_ns;
			sleep_ns(agent->idle.nap_ns);
			continue;
		}
		sleep_ns(idle_ns);
		idle_ns = idle_ns > agent->idle.idle_max_ns / 2 ? agent->idle.idle_max_ns
								: idle_ns * 2;
	}
	return NULL;
}

int agent_start(struct agent *agent, const char *name, agent_step *step, void *self,
		struct agent_idle idle)
{
	pthread_attr_t attributes;
	sigset_t all;

	check(strlen(name) <= 15);
	check(idle.idle_min_ns > 0 && idle.idle_min_ns <= idle.idle_max_ns);
	check(idle.nap_ns > 0 || (idle.calm_work == 0 && !idle.waits));
	*agent = (struct agent){.name = name, .step = step, .self = self, .idle = idle};

	int r = pthread_attr_init(&attributes);

	if (r)
		return -r;
	sigfillset(&all);
	/* From its first instruction, or a signal could pick this thread before it blocks them. */
	r = pthread_attr_setsigmask_np(&attributes, &all);
	if (!r)
		r = pthread_create(&agent->thread, &attributes, loop, agent);
	pthread_attr_destroy(&attributes);
	return -r;
}

void agent_stop(struct agent *agent)
{
	/* Release: pairs with the acquire in loop(); everything done before the stop is visible
	 * to the thread that sees it. */
	weir_store_release_32(&agent->stop, 1);
}

void agent_join(struct agent *agent)
{
	check(pthread_join(agent->thread, NULL) == 0);
}

bool agent_moves(const struct agent *agent, struct agent_watch *watch, uint64_t now_ns,
		 uint64_t limit_ns)
{
	uint64_t steps = weir_load_relaxed_64(&agent->steps);

	if (steps != watch->steps || watch->since_ns == 0) {
		watch->steps = steps;
		watch->since_ns = now_ns;
	}
	return now_ns - watch->since_ns <= limit_ns;
}
