/*
 * emit: an event into the calling thread's ring.
 *
 * Idea:  the hot path is a comparison of generations, two checks of the event, the coarse clock,
 *        one comparison of cursors and two stores. Whatever else may be due (a first emit, a
 *        forked child, a full ring, the look at the socket once a second) makes one of these
 *        comparisons fail, and the slow path finds out which.
 *
 *        tail == stop      no room is known beyond `stop`, or LOOK_EVERY events have passed
 *        second changed    the look at the socket is due
 *        generation        another handle, a first emit, a fork, a close, or: an emit of this
 *                          thread is inside (busy), and this one comes from a signal handler
 *
 * Runs on:  any thread; signal handlers too, after the thread's first emit.
 * Never:    a lock, an allocation or a wait on the hot path.
 */
#include <errno.h>
#include <time.h>

#include "client.h"

/* In place of a time: the coarse clock's. */
#define TIME_NOW UINT64_MAX
/* Events between two looks at the clock where the caller gives the times. */
#define LOOK_EVERY 4096u
/* Events of weir_emit_many that one store of the tail publishes at most. */
#define CHUNK 64u
/* A full ring is looked at this often while someone waits for room. */
#define ROOM_SLICE_US 200u

static inline bool series_valid(const struct weir *w, int series)
{
	/* Relaxed is enough: who passes an id here got it from weir_series, which counted it. */
	return (uint32_t)series - 1 < weir_load_relaxed_32(&w->series_count);
}

static inline uint64_t time_ms_of(const struct timespec *now)
{
	return (uint64_t)now->tv_sec * 1000 + (uint32_t)now->tv_nsec / 1000000u;
}

/* From here to emitter_free() an emit of a signal handler on this thread stays out. */
static inline void emitter_busy(struct emitter *e)
{
	e->generation = GENERATION_BUSY;
	libweir_handler_fence();
}

static inline void emitter_free(struct emitter *e, uint64_t generation)
{
	libweir_handler_fence();
	e->generation = generation;
}

static uint64_t wait_for_room(struct weir *w, struct emitter *e, bool nested)
{
	uint64_t now_us = libweir_clock_us();
	const uint64_t end_us = now_us + w->full_wait_us;

	for (;;) {
		/* Acquire before the look at `released`: a move after this look changes the word,
		 * and the sleep below returns at once. Partner: the lane, which changes the word
		 * after the cursors. Without it a wake could be slept through, for one slice. */
		uint32_t futex_was = weir_load_acquire_32(&e->ring.control->futex);
		uint64_t room = weir_ring_room(&e->ring);
		if (room || now_us >= end_us)
			return room;
		if (!nested && libweir_look_due(e))
			libweir_maintain(w);
		uint64_t left_us = end_us - now_us;
		libweir_ring_sleep(e->home, futex_was,
				   left_us < ROOM_SLICE_US ? (uint32_t)left_us : ROOM_SLICE_US);
		now_us = libweir_clock_us();
	}
}

/* Move `stop` on. 0, or -EAGAIN: the ring is full, the drop is counted. */
static int make_room(struct weir *w, struct emitter *e, bool nested)
{
	uint64_t room = weir_ring_room(&e->ring);
	if (unlikely(!room) && w->full_wait_us)
		room = wait_for_room(w, e, nested);
	if (unlikely(!room)) {
		uint64_t *drops = w->full_wait_us ? &e->ring.header->dropped_timeout
						  : &e->ring.header->dropped_full;
		/* Relaxed, and no atomic add: this thread is the only writer. */
		weir_store_relaxed_64(drops, *drops + 1);
		return -EAGAIN;
	}
	e->stop = e->ring.tail + (room < LOOK_EVERY ? room : LOOK_EVERY);
	return 0;
}

/* With everything checked and the emitter this thread's. `nested`: in a signal handler inside a
 * slow call, which may hold locks; so none is taken. */
static int emit_owned(struct weir *w, struct emitter *e, int series, uint64_t bits,
		      uint64_t time_ms, bool nested)
{
	const uint64_t generation = e->generation;
	int error = 0;

	if (!nested && libweir_look_due(e))
		libweir_maintain(w);
	if (time_ms == TIME_NOW) {
		struct timespec now;
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		time_ms = time_ms_of(&now);
	}
	emitter_busy(e);
	if (e->ring.tail == e->stop)
		error = make_room(w, e, nested);
	if (!error)
		weir_ring_push(&e->ring, weir_event_word(time_ms, (uint32_t)series), bits);
	emitter_free(e, generation);
	return error;
}

static inline bool event_valid(const struct weir *w, int series, uint64_t bits, uint64_t time_ms)
{
	return series_valid(w, series) && weir_bits_finite(bits) &&
	       (time_ms <= WEIR_TIME_MS_MAX || time_ms == TIME_NOW);
}

/* The handle made this process's own, and the thread's ring in it. 0; -EINVAL: no event; -ENOMEM:
 * no ring; -ENODEV: the handle is closed. */
static int emit_prepare(struct weir *w, int series, uint64_t bits, uint64_t time_ms,
			struct emitter **ret_emitter)
{
	/* Twice, because a signal handler may fork in here; then all that was found is wiped. */
	for (int i = 0; i < 2; i++) {
		int error = libweir_ensure(w);
		if (error)
			return error == -EINVAL ? -ENODEV : -ENOMEM;
		const bool valid = event_valid(w, series, bits, time_ms);
		struct emitter *e = valid ? libweir_emitter_get(w) : NULL;
		/* Relaxed: only a fork of this thread's could have changed it. */
		if (!weir_load_relaxed_64(&w->generation))
			continue;
		*ret_emitter = e;
		return !valid ? -EINVAL : e ? 0 : -ENOMEM;
	}
	return -ENOMEM;
}

static int emit_checked(struct weir *w, struct emitter *e, int series, uint64_t bits,
			uint64_t time_ms, bool nested)
{
	int error;

	if (nested)
		error = event_valid(w, series, bits, time_ms) ? 0 : -EINVAL;
	else
		error = emit_prepare(w, series, bits, time_ms, &e);
	if (error == -ENODEV)
		return -EINVAL;
	if (error) {
		libweir_drop(w, error == -EINVAL ? WEIR_DROP_INVALID : WEIR_DROP_NO_RING);
		return error;
	}
	return emit_owned(w, e, series, bits, time_ms, nested);
}

static __attribute__((noinline)) int emit_slow(struct weir *w, int series, uint64_t bits,
					       uint64_t time_ms)
{
	if (!w)
		return -EINVAL;

	const bool nested = libweir_thread.inside > 0;
	struct emitter *e = libweir_emitter_find(w);
	/* Relaxed: equal to the emitter's only if this thread has seen it before. */
	if ((e && e->generation == GENERATION_BUSY) ||
	    (nested && (!e || e->generation != weir_load_relaxed_64(&w->generation)))) {
		libweir_drop(w, WEIR_DROP_REENTRANT);
		return -EDEADLK;
	}

	struct slow_call call = libweir_enter();
	int error = emit_checked(w, e, series, bits, time_ms, nested);
	libweir_leave(call);
	return error;
}

/* The checks that both emits begin with. A wiped or closed handle has generation 0, which no
 * emitter has. Relaxed is enough: equality says that this thread took the ring under this
 * generation, with the lock held. */
static inline bool emit_ready(const struct weir *w, const struct emitter *e, int series,
			      uint64_t bits)
{
	return likely(w) && likely(e->generation == weir_load_relaxed_64(&w->generation)) &&
	       likely(series_valid(w, series)) && likely(weir_bits_finite(bits));
}

/* false: nothing done, go the slow way. */
static inline bool emit_fast(struct emitter *e, int series, uint64_t bits, uint64_t time_ms)
{
	const uint64_t generation = e->generation;
	bool room;

	emitter_busy(e);
	room = likely(e->ring.tail != e->stop);
	if (room)
		weir_ring_push(&e->ring, weir_event_word(time_ms, (uint32_t)series), bits);
	emitter_free(e, generation);
	return room;
}

int weir_emit(weir *w, int series, double value)
{
	struct timespec now;
	/* First, so that the least has to be kept over the call. */
	libweir_clock(CLOCK_REALTIME_COARSE, &now);
	struct emitter *e = libweir_thread.current;
	const uint64_t bits = weir_value_bits(value);

	if (likely(emit_ready(w, e, series, bits)) && likely(now.tv_sec == e->second) &&
	    likely(emit_fast(e, series, bits, time_ms_of(&now))))
		return 0;
	return emit_slow(w, series, bits, TIME_NOW);
}

int weir_emit_at(weir *w, int series, double value, uint64_t time_ms)
{
	struct emitter *e = libweir_thread.current;
	const uint64_t bits = weir_value_bits(value);

	if (likely(emit_ready(w, e, series, bits)) && likely(time_ms <= WEIR_TIME_MS_MAX) &&
	    likely(emit_fast(e, series, bits, time_ms)))
		return 0;
	/* Any time out of range is invalid, also the one that stands for "now" in here. */
	return emit_slow(w, series, bits, time_ms == TIME_NOW ? TIME_NOW - 1 : time_ms);
}

/* As many of the samples as fit before `stop`, published by one store. Returns how many were
 * looked at, 0: no room; adds those that were taken. */
static size_t emit_chunk(struct weir *w, struct emitter *e, const struct weir_sample *samples,
			 size_t count, uint64_t now_ms, size_t *taken)
{
	const uint64_t generation = e->generation;
	size_t invalid = 0;

	emitter_busy(e);
	/* Behind the fence: a handler may have used some of the room before it. */
	const uint64_t room = e->stop - e->ring.tail;
	if (count > room)
		count = (size_t)room;
	/* A copy: the loop's own never leaves registers. */
	struct weir_ring_writer ring = e->ring;
	weir_ring_ahead(&ring, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		const int series = samples[i].series;
		const uint64_t bits = weir_value_bits(samples[i].value);
		const uint64_t time_ms = samples[i].time_ms ? samples[i].time_ms : now_ms;
		if (unlikely(!series_valid(w, series) || !weir_bits_finite(bits) ||
			     time_ms > WEIR_TIME_MS_MAX)) {
			invalid++;
			continue;
		}
		weir_ring_put(&ring, weir_event_word(time_ms, (uint32_t)series), bits);
	}
	e->ring.tail = ring.tail;
	weir_ring_publish(&ring);
	emitter_free(e, generation);
	*taken += count - invalid;
	while (invalid--)
		libweir_drop(w, WEIR_DROP_INVALID);
	return count;
}

size_t weir_emit_many(weir *w, const struct weir_sample *samples, size_t count)
{
	size_t taken = 0, done = 0;
	struct timespec now;

	if (!w || !samples)
		return 0;
	libweir_clock(CLOCK_REALTIME_COARSE, &now);
	const uint64_t now_ms = time_ms_of(&now);
	int64_t second = now.tv_sec;
	while (done < count) {
		struct emitter *e = libweir_thread.current;
		size_t left = count - done, chunk = 0;
		/* Relaxed as in emit_ready(). */
		if (likely(e->generation == weir_load_relaxed_64(&w->generation)) &&
		    likely(e->second == second))
			chunk = emit_chunk(w, e, samples + done, left < CHUNK ? left : CHUNK,
					   now_ms, &taken);
		done += chunk;
		if (likely(chunk))
			continue;
		const struct weir_sample *sample = &samples[done++];
		uint64_t time_ms = sample->time_ms ? sample->time_ms : now_ms;
		if (time_ms == TIME_NOW)
			time_ms--;
		taken += emit_slow(w, sample->series, weir_value_bits(sample->value), time_ms) == 0;
		second = libweir_thread.current->second;
	}
	return taken;
}

double weir_hash_value(uint64_t hash)
{
	/* Bit 62 is the highest of the exponent: cleared, the value is finite whatever the rest. */
	return weir_bits_value(hash & ~(UINT64_C(1) << 62));
}

/* FNV-1a (Fowler, Noll, Vo). Its weak high bits do no harm: what counts mixes them again. */
double weir_hash_text(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (; text && *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return weir_hash_value(hash);
}
