/*
 * queue: two agents hand messages to each other at full speed, through queues of several sizes.
 *
 * Idea:  the producer writes into a message before it pushes, the consumer reads it after it pops
 *        and gives it back through a second queue; so a missing order is a wrong number, and under
 *        ThreadSanitizer a report. Every message has to come back, in order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/agent.h"
#include "base/queue.h"
#include "support/proof.h"
#include "weir/order.h"

#define MESSAGES 8
#define TIMEOUT_NS UINT64_C(60000000000)

struct message {
	uint64_t number;
	uint64_t words[6];
};

struct pair {
	struct queue *there, *back;
	struct message messages[MESSAGES];
	uint64_t rounds;
	uint64_t sent, returned, seen; /* of one thread each */
	uint64_t wrong;
	uint64_t done;
	uint64_t started_ns;
};

static int produce(void *self, uint64_t now_ns)
{
	struct pair *pair = self;
	struct message *message;
	int work = 0;

	if (!pair->started_ns)
		pair->started_ns = now_ns;
	while ((message = queue_pop(pair->back)) != NULL) {
		/* The consumer has turned every word around. */
		for (int i = 0; i < 6; i++)
			if (message->words[i] != ~(message->number + (uint64_t)i))
				weir_add_64(&pair->wrong, 1);
		if (message->number != pair->returned++)
			weir_add_64(&pair->wrong, 1);
		work++;
	}
	while (pair->sent < pair->rounds && pair->sent - pair->returned < MESSAGES) {
		message = &pair->messages[pair->sent % MESSAGES];
		message->number = pair->sent;
		for (int i = 0; i < 6; i++)
			message->words[i] = pair->sent + (uint64_t)i;
		if (!queue_push(pair->there, message))
			break;
		pair->sent++;
		work++;
	}
	/* Release: the counts above are final for who sees `done`. */
	if (pair->returned == pair->rounds || now_ns - pair->started_ns > TIMEOUT_NS)
		weir_store_release_64(&pair->done, 1);
	return work;
}

static int consume(void *self, uint64_t now_ns)
{
	struct pair *pair = self;
	struct message *message;
	int work = 0;

	(void)now_ns;
	while ((message = queue_pop(pair->there)) != NULL) {
		if (message->number != pair->seen++)
			weir_add_64(&pair->wrong, 1);
		for (int i = 0; i < 6; i++)
			message->words[i] = ~message->words[i];
		/* Never more than MESSAGES are on their way: there is room, or it is a mistake. */
		if (!queue_push(pair->back, message))
			weir_add_64(&pair->wrong, 1);
		work++;
	}
	return work;
}

/* How many came back wrong, or did not. */
static uint64_t run(uint32_t capacity, uint64_t rounds)
{
	static const struct agent_idle idle = {.idle_min_ns = 1000, .idle_max_ns = 20000};
	static const struct timespec tick = {.tv_nsec = 1000000};
	struct pair pair = {.rounds = rounds};
	struct agent producer, consumer;

	pair.there = queue_create(capacity);
	pair.back = queue_create(MESSAGES);
	if (!pair.there || !pair.back || agent_start(&consumer, "consume", consume, &pair, idle) ||
	    agent_start(&producer, "produce", produce, &pair, idle)) {
		fprintf(stderr, "no memory or no threads\n");
		exit(1);
	}
	/* Acquire: pairs with the release in produce(). */
	while (!weir_load_acquire_64(&pair.done))
		nanosleep(&tick, NULL);
	agent_stop(&producer);
	agent_stop(&consumer);
	agent_join(&producer);
	agent_join(&consumer);
	queue_destroy(pair.there);
	queue_destroy(pair.back);
	printf("capacity %u: %llu of %llu came back, %llu wrong\n", capacity,
	       (unsigned long long)pair.returned, (unsigned long long)rounds,
	       (unsigned long long)pair.wrong);
	return (pair.returned != rounds) + pair.wrong;
}

int main(void)
{
	uint64_t rounds = getenv("WEIR_TEST_QUICK") ? 20000 : 300000;
	uint64_t sent = 0, bad = 0;

	for (uint32_t capacity = 4; capacity <= 64; capacity *= 2, sent += rounds)
		bad += run(capacity, rounds);
	proof_say("queue-messages", sent, bad);
	return bad ? 1 : 0;
}
