/*
 * lockstep: keeps all workers, in all processes, in the same interval.
 *
 * Idea:  a barrier of two words in memory shared before the forks. The last to arrive opens it by
 *        raising `generation`; the others sleep on that word in slices, so that a worker that was
 *        killed or a request to stop holds nobody.
 * Never: takes a lock, so a killed worker leaves nothing locked.
 */
#ifndef SHOP_LOCKSTEP_H
#define SHOP_LOCKSTEP_H

#include <stdint.h>

struct lockstep {
	uint32_t parties;    /* written before the forks, never again */
	uint32_t arrived;    /* raised by workers, zeroed by the last of a round */
	uint32_t generation; /* raised by the last of a round; the futex word */
	uint32_t stop;       /* set by anyone, also by signal handlers; never cleared */
};

void lockstep_init(struct lockstep *lockstep, uint32_t parties);
/* 0: all are here. -ECANCELED: someone said stop. */
int lockstep_wait(struct lockstep *lockstep);
/* Everyone leaves at the next look. May be called from a signal handler. */
void lockstep_stop(struct lockstep *lockstep);
int lockstep_stopped(const struct lockstep *lockstep);

#endif
