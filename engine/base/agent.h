/*
 * agent: a thread is a loop over a step, with an idle policy; a test turns the crank by hand.
 */
#ifndef BASE_AGENT_H
#define BASE_AGENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Does what there is to do at `now_ns` (monotonic) without blocking; returns how much it was,
 * 0 for nothing. Must not look at a clock of its own. */
typedef int agent_step(void *self, uint64_t now_ns);

struct agent_idle {
	uint32_t busy_pause_ns; /* after a step with work: a lane looks away on purpose */
	uint32_t idle_min_ns;   /* first sleep after a step without work, doubling up to */
	uint32_t idle_max_ns;
	uint32_t calm_work; /* a step with no more work than this can be followed by a nap */
	uint32_t nap_ns;    /* ... of so long; with calm_work 0 there are none */
	/* Is something under way that the next step should find soon? Then a step without work is
	 * followed by a nap too. NULL: never. */
	bool (*waits)(const void *self);
};

struct agent {
	const char *name; /* of the thread, at most 15 bytes */
	agent_step *step;
	void *self;
	struct agent_idle idle;
	pthread_t thread;
	uint32_t stop;     /* release-stored by agent_stop */
	uint64_t steps;    /* counters for people */
	uint64_t sleeps;
};

/* 0, or a negative errno. The struct must live until agent_join. */
int agent_start(struct agent *agent, const char *name, agent_step *step, void *self,
		struct agent_idle idle);
/* Ask the loop to end after its current step. */
void agent_stop(struct agent *agent);
void agent_join(struct agent *agent);

/* What somebody who looks now and then remembers of an agent; starts as zero. */
struct agent_watch {
	uint64_t steps;
	uint64_t since_ns; /* of the look at which `steps` was new */
};
/* Has it finished a step within limit_ns, as far as the looks tell? From one thread, any. */
bool agent_moves(const struct agent *agent, struct agent_watch *watch, uint64_t now_ns,
		 uint64_t limit_ns);

#endif
