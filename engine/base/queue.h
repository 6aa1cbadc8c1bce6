/*
 * queue: a bounded one-writer one-reader queue of pointers between two agents of this process.
 * The only user of ck_ring. Under ThreadSanitizer the cursor accesses go through weir/order.h.
 */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue; /* opaque; created at start */

struct queue *queue_create(uint32_t capacity); /* a power of two >= 4; NULL: no memory */
void queue_destroy(struct queue *queue);       /* NULL is fine */
bool queue_push(struct queue *queue, void *item); /* false: full, an answer */
void *queue_pop(struct queue *queue);             /* NULL: empty */
uint32_t queue_count(const struct queue *queue);  /* either side; a hint */

#endif
