/*
 * thread: which ring the calling thread writes to.
 *
 * Idea:  a thread keeps one emitter for each handle it ever used, in a list that only it touches.
 *        An emitter owns a ring of the handle from the thread's first emit until the thread exits;
 *        then the ring is free for the next thread that comes. An emitter whose generation is not
 *        its handle's (closed, forked) is empty, and is filled again.
 *
 * Runs on:  the emitting thread, in a slow call; the exit of a thread.
 * Never:    frees a ring; that is weir_close's.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "client.h"

/* What `current` points to before the first emit. Never matches a handle, so never written. */
static struct emitter nobody = {.generation = GENERATION_NONE};

THREAD_LOCAL struct thread libweir_thread = {.current = &nobody, .starved_second = -1};

static pthread_once_t setup_once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;
static int setup_error;

struct slow_call libweir_enter(void)
{
	struct slow_call call = {.error = errno};
	libweir_thread.inside++;
	libweir_handler_fence();
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &call.cancel);
	return call;
}

void libweir_leave(struct slow_call call)
{
	pthread_setcancelstate(call.cancel, NULL);
	libweir_handler_fence();
	libweir_thread.inside--;
	errno = call.error;
}

/* Give the emitter's ring back, unless its handle was closed or forked since. */
static void ring_return(struct emitter *e)
{
	struct weir *w = e->weir;

	pthread_mutex_lock(&w->lock);
	/* Relaxed: only changed with the lock held, or in a child that has just been forked. */
	if (e->lease == weir_load_relaxed_64(&w->generation)) {
		struct client_ring *ring = e->home;
		/* Only the cursors: the ledger reads the rest beside us. What was put but not
		 * published (a thread cancelled inside an emit) is not there. Relaxed: this thread
		 * wrote it. */
		ring->writer.released = e->ring.released;
		ring->writer.tail = weir_load_relaxed_64(&ring->writer.header->tail);
		/* Orders: the last tail before the ring is seen free. Seen by: the engine, for
		 * its status only. */
		weir_store_release_32(&ring->writer.header->owned, 0);
		ring->owned = false;
	}
	pthread_mutex_unlock(&w->lock);
}

static void thread_exit(void *argument)
{
	struct thread *thread = argument;
	struct slow_call call = libweir_enter();

	thread->current = &nobody;
	while (thread->list) {
		struct emitter *e = thread->list;
		thread->list = e->next;
		libweir_handler_fence();
		if (e->weir)
			ring_return(e);
		free(e);
	}
	libweir_leave(call);
}

static void setup(void)
{
	setup_error = -pthread_key_create(&exit_key, thread_exit);
	libweir_clock_find();
}

int libweir_thread_setup(void)
{
	int error = -pthread_once(&setup_once, setup);
	return error ? error : setup_error;
}

bool libweir_look_due(struct emitter *e)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	/* With an answer awaited, every step of the coarse clock will do: a full ring before an
	 * engine that hangs must not cost a system call an event. Relaxed: a hint. */
	if (now.tv_sec == e->second &&
	    (now.tv_nsec == e->nanosecond || !weir_load_relaxed_32(&e->weir->attach.awaiting)))
		return false;
	e->second = now.tv_sec;
	e->nanosecond = now.tv_nsec;
	return true;
}

struct emitter *libweir_emitter_find(struct weir *w)
{
	struct emitter *e = libweir_thread.list;

	while (e && e->weir != w)
		e = e->next;
	return e;
}

/* A ring that no thread writes to, or a new one. NULL: none to be had, or the process was forked
 * since the caller looked (by a signal handler), and these are the parent's. */
static struct client_ring *ring_take(struct weir *w, uint64_t *ret_generation)
{
	struct client_ring *ring = NULL;
	sigset_t signals;

	libweir_signals_hold(&signals);
	pthread_mutex_lock(&w->lock);
	/* Relaxed: set with the lock held only. */
	const uint64_t generation = weir_load_relaxed_64(&w->generation);
	*ret_generation = generation;
	for (uint32_t i = 0; generation && i < w->ring_count && !ring; i++)
		ring = w->rings[i].owned ? NULL : &w->rings[i];
	if (!ring && generation && w->ring_count < WEIR_RINGS_MAX && libweir_ring_create(w) == 0) {
		ring = &w->rings[w->ring_count];
		/* Orders: all of the ring before the count that covers it. Seen by: the attach
		 * machine and the ledger, which take no lock. Without it they could read a ring
		 * that is half made. */
		weir_store_release_32(&w->ring_count, w->ring_count + 1);
	}
	if (ring) {
		ring->owned = true;
		/* Release for symmetry with ring_return(); for status only. */
		weir_store_release_32(&ring->writer.header->owned, 1);
	}
	pthread_mutex_unlock(&w->lock);
	libweir_signals_release(&signals);
	return ring;
}

/* An emitter of this thread that is tied to no ring, in the list. */
static struct emitter *emitter_empty(struct weir *w)
{
	struct thread *thread = &libweir_thread;
	struct emitter *e = libweir_emitter_find(w);

	for (struct emitter *old = thread->list; old && !e; old = old->next) {
		/* Relaxed: a closed handle does not come back under the same generation. */
		if (!old->weir || old->lease != weir_load_relaxed_64(&old->weir->generation))
			e = old;
	}
	if (e) {
		e->generation = GENERATION_NONE;
		libweir_handler_fence();
		e->weir = NULL;
		return e;
	}
	/* The exit of the thread is where the ring is given back: without it, no ring. */
	if (pthread_setspecific(exit_key, thread))
		return NULL;
	e = aligned_alloc(_Alignof(struct emitter), sizeof(*e));
	if (!e)
		return NULL;
	*e = (struct emitter){.generation = GENERATION_NONE, .next = thread->list};
	libweir_handler_fence();
	thread->list = e;
	return e;
}

/* Give this thread a ring of `w`. */
static struct emitter *emitter_fill(struct weir *w)
{
	uint64_t generation;
	struct emitter *e = emitter_empty(w);
	if (!e)
		return NULL;
	struct client_ring *ring = ring_take(w, &generation);
	if (!ring)
		return NULL;
	e->ring = ring->writer;
	e->stop = e->ring.tail; /* the first emit looks up the room */
	e->second = -1;         /* ... and at the socket, which offers the ring */
	e->lease = generation;
	e->home = ring;
	e->weir = w;
	libweir_handler_fence();
	e->generation = generation;
	return e;
}

struct emitter *libweir_emitter_get(struct weir *w)
{
	struct thread *thread = &libweir_thread;
	struct emitter *e = libweir_emitter_find(w);
	struct timespec now;

	/* Relaxed: equal only to what this thread read with the lock held. */
	if (!e || e->generation != weir_load_relaxed_64(&w->generation)) {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		if (thread->starved_weir == w && thread->starved_second == now.tv_sec)
			return NULL;
		e = emitter_fill(w);
		/* Forked in here: that was no lack of rings. */
		const bool own = weir_load_relaxed_64(&w->generation) != 0;
		thread->starved_weir = e || !own ? NULL : w;
		thread->starved_second = now.tv_sec;
		if (!e)
			return NULL;
	}
	thread->current = e;
	return e;
}
