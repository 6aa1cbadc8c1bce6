/* question: another agent looks, between two of its steps. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>

#include "base/agent.h"
#include "base/question.h"
#include "weir/order.h"

struct counting {
	struct question_box box;
	uint64_t steps, answered;
	int odd; /* nonzero only within a step: nobody may see it so */
};

static int step(void *self, uint64_t now_ns)
{
	struct counting *counting = self;

	(void)now_ns;
	counting->odd = 1;
	counting->steps++;
	counting->odd = 0;
	counting->answered += (uint64_t)question_answer(&counting->box, counting);
	return 1;
}

struct seen {
	uint64_t steps;
	int odd;
	pthread_t thread;
};

static void look(void *self, const void *subject)
{
	const struct counting *counting = subject;
	struct seen *seen = self;

	*seen = (struct seen){counting->steps, counting->odd, pthread_self()};
}

Test(question, is_answered_by_the_agents_own_thread_between_two_steps, .timeout = 20)
{
	const struct agent_idle idle = {
		.busy_pause_ns = 1000, .idle_min_ns = 100000, .idle_max_ns = 100000};
	struct counting counting = {0};
	struct agent agent;
	uint64_t last = 0;

	cr_assert_eq(agent_start(&agent, "counting", step, &counting, idle), 0);
	for (int i = 0; i < 200; i++) {
		struct seen seen = {0};
		cr_assert_eq(question_ask(&counting.box, look, &seen, 10000), 0);
		cr_expect(pthread_equal(seen.thread, agent.thread));
		cr_expect_eq(seen.odd, 0);
		cr_expect_geq(seen.steps, last);
		last = seen.steps;
	}
	agent_stop(&agent);
	agent_join(&agent);
	cr_expect_eq(counting.answered, 200);
}

Test(question, that_nobody_answers_is_taken_back)
{
	struct counting counting = {0};
	struct seen seen = {0};

	cr_expect_eq(question_ask(&counting.box, look, &seen, 5), -ETIMEDOUT);
	cr_expect_eq(counting.box.address, 0);
	step(&counting, 0);
	cr_expect_eq(counting.answered, 0);
	cr_expect_eq(seen.steps, 0);
}
