/*
 * question: let another agent look something up in what is its own.
 *
 * Idea:  what an agent owns is read by nobody else while it runs. Who wants to know puts the
 *        address of a question into the agent's box; the agent finds it between two of its steps,
 *        looks, and says that it is done. The asker waits: the question and what `look` writes
 *        stay its own.
 *
 *      asker:  box = question ............ waits ............ done
 *      agent:                 takes it out of the box, look()
 *
 * Runs on: one asker at a time, and the agent.
 */
#ifndef BASE_QUESTION_H
#define BASE_QUESTION_H

#include <stdint.h>

/* On the agent's thread; `subject` is what the agent owns. No allocation bound, but short. */
typedef void question_look(void *self, const void *subject);

struct question_box {
	uint64_t address; /* of the asker's question; 0: none. Whoever takes it out owns it. */
};

/* The asker. 0, or -ETIMEDOUT: the agent had no time within timeout_ms, and has not looked. */
int question_ask(struct question_box *box, question_look *look, void *self, uint32_t timeout_ms);
/* The agent, in each step. 1: there was one, and it is answered. */
int question_answer(struct question_box *box, const void *subject);

#endif
