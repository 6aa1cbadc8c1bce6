/*
 * question: see question.h.
 */
#include "base/question.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "weir/order.h"

struct question {
	question_look *look;
	void *self;
	uint32_t done; /* release-stored by the agent */
};

int question_answer(struct question_box *box, const void *subject)
{
	/* Acquire: the question's members; partner: the release in question_ask(). Without it the
	 * agent could call what lay on the asker's stack before. */
	uint64_t address = weir_load_acquire_64(&box->address);

	if (!address || !weir_cas_64(&box->address, address, 0))
		return 0;
	struct question *question = (void *)(uintptr_t)address;
	question->look(question->self, subject);
	/* Release: what look() wrote is there for the asker, whose question this is no more. */
	weir_store_release_32(&question->done, 1);
	return 1;
}

int question_ask(struct question_box *box, question_look *look, void *self, uint32_t timeout_ms)
{
	struct question question = {.look = look, .self = self};
	uint64_t address = (uint64_t)(uintptr_t)&question;
	struct timespec pause = {.tv_nsec = 1000000};

	/* Release: the question is whole for the agent that finds its address. */
	weir_store_release_64(&box->address, address);
	/* Acquire: what look() wrote; partner: question_answer(). */
	for (uint32_t ms = 0; !weir_load_acquire_32(&question.done); ms++) {
		if (ms >= timeout_ms && weir_cas_64(&box->address, address, 0))
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return 0;
}
