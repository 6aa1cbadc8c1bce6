/*
 * wait: what the engine has said of our events, and waiting until it has said more.
 *
 * Idea:  everything is read from the control page; nothing is asked over the socket. Each number
 *        is kept at the greatest value ever seen, because a new engine's page starts from zeros
 *        and is filled ring by ring. Sleeps are slices, so that none outlives a dead engine.
 *
 * Runs on:  any thread. The sums of the ledger are of the moment at which each ring is read.
 */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

/* A sleep starts with the first and doubles up to the second. */
#define SLICE_MIN_US 500u
#define SLICE_MAX_US 50000u

uint64_t libweir_clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t libweir_coarse_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec;
}

static uint64_t floor_raise(uint64_t *floor, uint64_t value)
{
	/* The order of the swap is not needed: the floor guards nothing, it only grows. */
	weir_max_64(floor, value);
	return weir_load_relaxed_64(floor);
}

struct ring_progress libweir_ring_progress(struct client_ring *ring)
{
	const struct weir_control_slot *slot = ring->writer.control;
	struct ring_progress progress;

	/* Orders: this look before that at the cursors, the other one behind them: a page may be
	 * replaced in between, and what an engine without a log has taken is not persisted. */
	const uint32_t before = weir_load_acquire_32(&slot->flags);
	/* Orders: `released` before the counts that are part of it, so that the parts are never
	 * newer than we think. Partner: the lane, which stores rejected and lost first. */
	const uint64_t durable = weir_load_acquire_64(&slot->durable);
	const uint64_t released = weir_load_acquire_64(&slot->released);

	/* Relaxed: behind the acquire of `released`. */
	progress.unkept = (before | weir_load_relaxed_32(&slot->flags)) & WEIR_CONTROL_UNKEPT;
	progress.durable = floor_raise(&ring->durable, progress.unkept ? 0 : durable);
	progress.released = floor_raise(&ring->released, progress.unkept ? 0 : released);
	progress.taken = floor_raise(&ring->taken, released);
	progress.rejected = floor_raise(&ring->rejected, weir_load_relaxed_64(&slot->rejected));
	progress.lost = floor_raise(&ring->lost, weir_load_relaxed_64(&slot->lost));
	return progress;
}

void libweir_ring_sleep(const struct client_ring *ring, uint32_t futex_was, uint32_t slice_us)
{
	const struct timespec slice = {slice_us / 1000000, (long)(slice_us % 1000000) * 1000};

	/* Not a private futex: the engine wakes it through another mapping. Where no page of an
	 * engine is in place, this sleeps on a word of zeros, and the slice ends it. */
	syscall(SYS_futex, &ring->writer.control->futex, FUTEX_WAIT, futex_was, &slice, NULL, 0);
}

struct wait_targets {
	uint32_t count;
	uint64_t tails[WEIR_RINGS_MAX];
};

static void targets_take(const struct weir *w, struct wait_targets *ret_targets)
{
	/* Acquire: partner in ring_take(), so that each ring counted is whole. */
	ret_targets->count = weir_load_acquire_32(&w->ring_count);
	for (uint32_t i = 0; i < ret_targets->count; i++) {
		/* Relaxed: an emit that came before this call, on whichever thread, was ordered
		 * before it by whatever told the caller so. */
		ret_targets->tails[i] = weir_load_relaxed_64(&w->rings[i].writer.header->tail);
	}
}

/* The first ring from `from` on that is not there yet; its futex word as it was before the look.
 * *ret_unkept: a ring was only taken, by an engine that keeps nothing. */
static uint32_t target_missed(struct weir *w, const struct wait_targets *targets, uint32_t from,
			      enum weir_level level, uint32_t *ret_futex, bool *ret_unkept)
{
	for (uint32_t i = from; i < targets->count; i++) {
		/* Acquire before the look at the cursors, as in wait_for_room() of emit.c. */
		*ret_futex = weir_load_acquire_32(&w->rings[i].writer.control->futex);
		struct ring_progress progress = libweir_ring_progress(&w->rings[i]);
		uint64_t reached = level == WEIR_DURABLE ? progress.durable : progress.released;
		if (reached >= targets->tails[i])
			continue;
		if (!progress.unkept || progress.taken < targets->tails[i])
			return i;
		*ret_unkept = true;
	}
	return targets->count;
}

/* Sleep until something may have changed: the ring's word, or an answer on the socket. */
static void wait_slice(struct weir *w, uint32_t ring, uint32_t futex_was, uint32_t slice_us)
{
	/* Relaxed looks, from beside the attach machine: a stale one costs a slice. */
	if (libweir_attached(w) && !weir_load_relaxed_32(&w->attach.awaiting)) {
		libweir_ring_sleep(&w->rings[ring], futex_was, slice_us);
		return;
	}
	const struct timespec slice = {0, (long)slice_us * 1000};
	const int fd = (int)weir_load_relaxed_32((const uint32_t *)&w->attach.socket.fd);
	struct pollfd answer = {
		.fd = weir_load_relaxed_32(&w->attach.awaiting) ? fd : -1,
		.events = POLLIN,
	};
	ppoll(&answer, 1, &slice, NULL);
}

int libweir_wait_level(struct weir *w, enum weir_level level, uint32_t timeout_ms)
{
	const uint64_t end_us = libweir_clock_us() + (uint64_t)timeout_ms * 1000;
	struct wait_targets targets;
	uint32_t slice_us = SLICE_MIN_US, ring = 0, futex_was;
	bool unkept = false;

	targets_take(w, &targets);
	for (;;) {
		struct slow_call call = libweir_enter();
		libweir_maintain(w);
		libweir_leave(call);
		ring = target_missed(w, &targets, ring, level, &futex_was, &unkept);
		if (ring == targets.count)
			return unkept ? -EOPNOTSUPP : 0;
		const uint64_t now_us = libweir_clock_us();
		if (now_us >= end_us)
			return -ETIMEDOUT;
		const uint64_t left_us = end_us - now_us;
		wait_slice(w, ring, futex_was, left_us < slice_us ? (uint32_t)left_us : slice_us);
		slice_us = slice_us * 2 < SLICE_MAX_US ? slice_us * 2 : SLICE_MAX_US;
	}
}

int weir_wait(weir *w, enum weir_level level, uint32_t timeout_ms)
{
	if (!w || (level != WEIR_PERSISTED && level != WEIR_DURABLE))
		return -EINVAL;
	struct slow_call call = libweir_enter();
	int error = libweir_ensure(w);
	libweir_leave(call);
	/* Outside of the slow call, so that emits of signal handlers go on while this sleeps. */
	if (!error) {
		const int kept = errno;
		error = libweir_wait_level(w, level, timeout_ms);
		errno = kept;
	}
	return error;
}

int weir_poll(weir *w)
{
	if (!w)
		return -EINVAL;
	struct slow_call call = libweir_enter();
	int error = libweir_ensure(w);
	if (!error) {
		libweir_maintain(w);
		/* Relaxed: looked at only. */
		error = libweir_attached(w) ? 1 : (int)weir_load_relaxed_32(&w->attach.status);
	}
	libweir_leave(call);
	return error;
}

static void ring_add(struct client_ring *ring, struct weir_ledger *sum)
{
	const struct weir_ring_header *header = ring->writer.header;
	const struct ring_progress progress = libweir_ring_progress(ring);
	const uint64_t refused = progress.rejected + progress.lost;

	/* Relaxed: each count is exact of its moment; nothing else is read on its strength. */
	sum->published += weir_load_relaxed_64(&header->tail);
	sum->dropped_full += weir_load_relaxed_64(&header->dropped_full);
	sum->dropped_timeout += weir_load_relaxed_64(&header->dropped_timeout);
	sum->persisted += progress.released > refused ? progress.released - refused : 0;
	sum->taken += progress.taken > refused ? progress.taken - refused : 0;
	/* Which of the refused lie below `durable` is not known: as if all did, so that nothing
	 * is called durable that is not. */
	sum->durable += progress.durable > refused ? progress.durable - refused : 0;
	sum->rejected += progress.rejected;
	sum->lost += progress.lost;
}

void weir_ledger(weir *w, struct weir_ledger *ret_ledger)
{
	struct weir_ledger sum = {0};

	if (!ret_ledger)
		return;
	struct slow_call call = libweir_enter();
	if (w && libweir_ensure(w) == 0) {
		const struct weir_region_header *header = region_header(w);
		/* Acquire: partner in ring_take(). */
		const uint32_t count = weir_load_acquire_32(&w->ring_count);
		for (uint32_t i = 0; i < count; i++)
			ring_add(&w->rings[i], &sum);
		/* Relaxed as in ring_add(). */
		sum.dropped_no_ring = weir_load_relaxed_64(&header->dropped_no_ring) +
				      weir_load_relaxed_64(&w->pending[WEIR_DROP_NO_RING]);
		sum.dropped_reentrant = weir_load_relaxed_64(&header->dropped_reentrant) +
					weir_load_relaxed_64(&w->pending[WEIR_DROP_REENTRANT]);
		sum.dropped_invalid = weir_load_relaxed_64(&header->dropped_invalid) +
				      weir_load_relaxed_64(&w->pending[WEIR_DROP_INVALID]);
		sum.attached = libweir_attached(w);
	}
	sum.dropped = sum.dropped_full + sum.dropped_timeout + sum.dropped_no_ring +
		      sum.dropped_reentrant + sum.dropped_invalid;
	sum.attempted = sum.published + sum.dropped;
	libweir_leave(call);
	*ret_ledger = sum;
}

const char *weir_refusal(weir *w)
{
	if (!w)
		return "";
	struct slow_call call = libweir_enter();
	if (libweir_ensure(w) == 0) {
		/* Who turns the machine is done in a moment, and does not wait itself. */
		for (int i = 0; i < 1000; i++) {
			if (libweir_attach_enter(w)) {
				memcpy(w->refusal, w->attach.refusal, sizeof(w->refusal));
				libweir_attach_leave(w);
				break;
			}
			sched_yield();
		}
	}
	libweir_leave(call);
	return w->refusal;
}
