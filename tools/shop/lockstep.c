/*
 * lockstep: keeps all workers, in all processes, in the same interval.
 */
#include "lockstep.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "weir/order.h"

#define SLICE_NS 100000000L /* how long a worker may oversleep a request to stop */

void lockstep_init(struct lockstep *lockstep, uint32_t parties)
{
	*lockstep = (struct lockstep){.parties = parties};
}

/* Raise `arrived`; returns how many came before in this round. */
static uint32_t arrive(struct lockstep *lockstep)
{
	for (;;) {
		uint32_t before = weir_load_relaxed_32(&lockstep->arrived);
		/* Orders: this worker's emits before its arrival (release), and the emits of those
		 * who came before it, before what it does next (acquire). Partner: the same line in
		 * the other workers. Without it the last one could open the round while an event of
		 * the old interval is still on its way to the ring. */
		if (weir_cas_32(&lockstep->arrived, before, before + 1))
			return before;
	}
}

int lockstep_wait(struct lockstep *lockstep)
{
	/* Orders: the round is read before arriving; relaxed is enough because it cannot change
	 * before this worker has arrived. */
	uint32_t generation = weir_load_relaxed_32(&lockstep->generation);
	if (lockstep_stopped(lockstep))
		return -ECANCELED;
	if (arrive(lockstep) + 1 == lockstep->parties) {
		weir_store_relaxed_32(&lockstep->arrived, 0);
		/* Orders: the zero above and all arrivals before the new round. Seen by: the load
		 * below. Without it a fast worker could arrive on top of the old count. */
		weir_store_release_32(&lockstep->generation, generation + 1);
		syscall(SYS_futex, &lockstep->generation, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		return 0;
	}
	/* Orders: what the others did before this round opened, before what follows here. Partner:
	 * the release above. Without it this worker could see the old count of arrivals. */
	while (weir_load_acquire_32(&lockstep->generation) == generation) {
		if (lockstep_stopped(lockstep))
			return -ECANCELED;
		struct timespec slice = {.tv_nsec = SLICE_NS};
		syscall(SYS_futex, &lockstep->generation, FUTEX_WAIT, generation, &slice, NULL, 0);
	}
	return 0;
}

void lockstep_stop(struct lockstep *lockstep)
{
	/* A flag without anything behind it: no order is needed. */
	weir_store_relaxed_32(&lockstep->stop, 1);
}

int lockstep_stopped(const struct lockstep *lockstep)
{
	return weir_load_relaxed_32(&lockstep->stop) != 0;
}
