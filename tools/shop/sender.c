/*
 * sender: one thread's way into libweir, for traffic that must not be lost.
 */
#include "sender.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define BATCH 256
#define PAUSE_NS 1000000L
#define SETTLE_MS 200
#define SPEAK_NS UINT64_C(3000000000)

static uint64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct waiting {
	uint64_t since_ns; /* 0: not waiting */
	bool spoken;
};

/* Called after each try that brought nothing. */
static int wait_more(const struct sender *sender, struct waiting *waiting)
{
	uint64_t now = monotonic_ns();
	if (lockstep_stopped(sender->stop))
		return -ECANCELED;
	if (waiting->since_ns == 0)
		waiting->since_ns = now;
	uint64_t waited_ns = now - waiting->since_ns;
	if (waited_ns > (uint64_t)sender->patience_s * 1000000000)
		return -ETIMEDOUT;
	if (waited_ns > SPEAK_NS && sender->speaks && !waiting->spoken) {
		const char *refusal = weir_refusal(sender->weir);
		waiting->spoken = true;
		fprintf(stderr, "weir-shop: waiting for an engine at %s%s%s\n",
			sender->socket_path ? sender->socket_path : "the default socket",
			refusal[0] ? ": " : "", refusal);
	}
	struct timespec pause = {.tv_nsec = PAUSE_NS};
	nanosleep(&pause, NULL);
	weir_poll(sender->weir);
	return 0;
}

int sender_send(const struct sender *sender, const struct weir_sample *samples, size_t count)
{
	struct waiting waiting = {0};
	/* After a refusal one event at a time feels for room, so that a wait counts few drops. */
	size_t batch = BATCH;
	while (count > 0) {
		if (batch > count)
			batch = count;
		size_t taken = weir_emit_many(sender->weir, samples, batch);
		if (!sender->waits)
			taken = batch;
		samples += taken;
		count -= taken;
		if (taken == batch) {
			waiting.since_ns = 0;
			batch = BATCH;
			if (lockstep_stopped(sender->stop))
				return -ECANCELED;
			continue;
		}
		batch = 1;
		int ret = taken ? 0 : wait_more(sender, &waiting);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int sender_settle(const struct sender *sender)
{
	struct waiting waiting = {0};
	struct weir_ledger before, after;
	weir_ledger(sender->weir, &before);
	for (;;) {
		int ret = weir_wait(sender->weir, WEIR_PERSISTED, SETTLE_MS);
		if (ret == 0 || ret == -EOPNOTSUPP) /* taken, by an engine that keeps nothing */
			return 0;
		ret = wait_more(sender, &waiting);
		if (ret < 0)
			return ret;
		/* As long as the engine gets on with it, patience begins anew. */
		weir_ledger(sender->weir, &after);
		if (after.taken != before.taken)
			waiting.since_ns = 0;
		before = after;
	}
}
