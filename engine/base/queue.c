/*
 * queue: pointers from one agent to the next.
 *
 * Idea:  ck_ring, single producer and single consumer, with its buffer behind it in one
 *        allocation. ck_ring holds one less than its size, so it is made twice as large and the
 *        bound is kept here: a queue of 4 holds 4.
 *        ThreadSanitizer cannot see into CK's assembly; its builds use the same ring of
 *        free-running cursors written with weir/order.h.
 *
 *   may run at the same time     push   pop   count
 *     push                        no    yes    yes
 *     pop                        yes     no    yes
 *
 * Runs on: one thread pushes, one pops.
 * Never: allocates after creation, blocks, or drops: full is the pusher's answer.
 */
#include "base/queue.h"

#include <stdlib.h>

#include "base/check.h"
#include "weir/order.h"

#ifndef WEIR_ORDER_BUILTIN

#include <ck_ring.h>

struct queue {
	ck_ring_t ring;
	uint32_t capacity;
	ck_ring_buffer_t slots[];
};

struct queue *queue_create(uint32_t capacity)
{
	check(capacity >= 4 && capacity <= 1u << 30 && (capacity & (capacity - 1)) == 0);
	/* The cursors lie on lines of their own, so the struct must begin on one. */
	size_t bytes = sizeof(struct queue) + (size_t)capacity * 2 * sizeof(ck_ring_buffer_t);
	struct queue *queue = aligned_alloc(64, (bytes + 63) & ~(size_t)63);

	if (!queue)
		return NULL;
	ck_ring_init(&queue->ring, capacity * 2);
	queue->capacity = capacity;
	return queue;
}

bool queue_push(struct queue *queue, void *item)
{
	check(item != NULL);
	/* The consumer's cursor may have moved since: the count errs on the side of full. */
	if (ck_ring_size(&queue->ring) >= queue->capacity)
		return false;
	return ck_ring_enqueue_spsc(&queue->ring, queue->slots, item);
}

void *queue_pop(struct queue *queue)
{
	void *item = NULL;

	if (!ck_ring_dequeue_spsc(&queue->ring, queue->slots, &item))
		return NULL;
	return item;
}

uint32_t queue_count(const struct queue *queue)
{
	return ck_ring_size(&queue->ring);
}

#else

struct queue {
	uint32_t head; /* consumer's */
	uint32_t tail; /* producer's */
	uint32_t capacity;
	void *slots[];
};

struct queue *queue_create(uint32_t capacity)
{
	check(capacity >= 4 && capacity <= 1u << 30 && (capacity & (capacity - 1)) == 0);
	struct queue *queue = calloc(1, sizeof(struct queue) + capacity * sizeof(void *));

	if (queue)
		queue->capacity = capacity;
	return queue;
}

bool queue_push(struct queue *queue, void *item)
{
	check(item != NULL);
	/* Acquire: pairs with the release of head in queue_pop(); the consumer has read the slot
	 * before this one overwrites it. */
	if (queue->tail - weir_load_acquire_32(&queue->head) >= queue->capacity)
		return false;
	queue->slots[queue->tail & (queue->capacity - 1)] = item;
	/* Release: the slot, and what the item points to, before the cursor that shows it. The
	 * other half is the acquire of tail in queue_pop(). */
	weir_store_release_32(&queue->tail, queue->tail + 1);
	return true;
}

void *queue_pop(struct queue *queue)
{
	/* Acquire: the slot's content is that of before the release in queue_push(). */
	if (queue->head == weir_load_acquire_32(&queue->tail))
		return NULL;
	void *item = queue->slots[queue->head & (queue->capacity - 1)];

	/* Release: the slot was read before the producer may take it again. */
	weir_store_release_32(&queue->head, queue->head + 1);
	return item;
}

uint32_t queue_count(const struct queue *queue)
{
	return weir_load_relaxed_32(&queue->tail) - weir_load_relaxed_32(&queue->head);
}

#endif

void queue_destroy(struct queue *queue)
{
	free(queue);
}
