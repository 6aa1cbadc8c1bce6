/*
 * crew: a few threads that do what may take long, one thing after another, so that who brings it
 * need not wait. Its queue is bounded: what does not fit is the bringer's to refuse.
 *
 * Runs on: threads of its own; who brings something, any. One mutex.
 */
#ifndef CONSOLE_CREW_H
#define CONSOLE_CREW_H

#include <stdbool.h>

struct crew;

/* Part of what is to be done; its memory is its bringer's again as soon as `run` is called. */
struct crew_job {
	struct crew_job *next;
	/* `ends`: the crew is ending; what can be refused should be. */
	void (*run)(void *self, bool ends);
	void *self;
};

/* `name`: of its threads, at most 15 bytes; `waiting_max`: jobs that nobody has begun. NULL: no
 * memory, or no threads. */
struct crew *crew_open(const char *name, unsigned threads, unsigned waiting_max);
/* False: too much waits already, or it has ended. */
bool crew_bring(struct crew *crew, struct crew_job *job);
/* Takes nothing more, and comes back when all is done. */
void crew_end(struct crew *crew);
void crew_close(struct crew *crew); /* behind crew_end() */

#endif
