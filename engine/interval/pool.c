/*
 * pool: see pool.h.
 */
#include "interval/pool.h"

#include <stdlib.h>

/* A usual sketch; one that a wild series has blown up is not kept. */
#define KEPT_BYTES_MAX (16u << 10)

static void push(struct sketch_list *list, struct sketch *sketch)
{
	if (list->count == list->capacity) {
		uint32_t capacity = list->capacity ? list->capacity * 2 : 64;
		void *grown = realloc(list->sketches, capacity * sizeof(*list->sketches));
		check(grown);
		list->sketches = grown;
		list->capacity = capacity;
	}
	list->sketches[list->count++] = sketch;
}

void sketch_list_fini(struct sketch_list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		sketch_destroy(list->sketches[i]);
	free(list->sketches);
	*list = (struct sketch_list){0};
}

void pool_fini(struct sketch_pool *pool)
{
	for (uint32_t kind = 0; kind < POOL_KINDS; kind++)
		sketch_list_fini(&pool->spare[kind]);
}

uint32_t pool_open(struct sketch_pool *pool, struct sketch_list *set, enum sketch_kind kind,
		   uint32_t most)
{
	struct sketch_list *spare = &pool->spare[kind];

	if (set->count >= most)
		return 0;
	struct sketch *sketch = spare->count ? spare->sketches[--spare->count]
					     : sketch_create(kind);
	check(sketch);
	push(set, sketch);
	return set->count;
}

void pool_close(struct sketch_pool *pool, struct sketch_list *set)
{
	for (uint32_t i = 0; i < set->count; i++) {
		struct sketch *sketch = set->sketches[i];
		if (sketch_bytes(sketch) > KEPT_BYTES_MAX) {
			sketch_destroy(sketch);
			continue;
		}
		sketch_reset(sketch);
		push(&pool->spare[sketch_kind(sketch)], sketch);
	}
	set->count = 0;
}
