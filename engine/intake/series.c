/*
 * series: the registry that gives every definition one engine id.
 *
 * Idea:  definitions are copied once into chunks that never move and are never freed while the
 *        registry lives; an array that was reserved at start points to them by id. Only the writer
 *        looks definitions up by content, so the hash table is plain private memory and may grow.
 *        Ids are handed out in order, those first that a recovery found in no segment and no
 *        checkpoint any more; a few at the end are kept back for `__overflow__` series, so
 *        that what is over the bound still counts under its event's name.
 *
 *   by_id: [0: never][1][2][3]..[count-1] | not yet          slots: {hash, id} open addressing
 *                     |  |  `-> chunk 0 ...                  (writer only)
 *                     `--`----> chunk 0: | def | def | def |  free  |
 *
 *   what runs beside what      | intern/restore | count/get | overflowed
 *   writer: intern, restore    |       -        |    yes    |    yes
 *   any thread: count, get     |      yes       |    yes    |    yes
 *   whoever configures: want   |      yes       |    yes    |    yes
 *
 * Runs on:  one writer (the intake agent); any number of readers.
 * Never:    moves or frees a definition; reuses an id that has one; takes a lock.
 * Costs:    a series takes its definition's bytes, 8 for its place by id and 16 to 32 in the table.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"
#include "intake/series.h"
#include "weir/order.h"

#define CHUNK_BYTES (256u << 10)
#define SLOTS_MIN 1024u
#define OVERFLOW_FIELD "__overflow__"
/* Ids kept back for overflow series: a sixteenth, at most this many. A site has some dozens of
 * event names; one producer that invents names must not take them all from the rest. */
#define OVERFLOW_IDS_MAX 1024u

struct chunk {
	struct chunk *next;
	uint32_t used;
	_Alignas(8) uint8_t data[];
};

/* A place in the hash table; id 0: free. */
struct slot {
	uint64_t hash;
	uint32_t id;
};

/* Published whole, never changed, freed with the registry: a reader may hold it as long as it
 * likes, and configurations are few. */
struct wish_list {
	struct wish_list *older;
	uint32_t number; /* from 1 */
	uint32_t count;
	struct series_wish wishes[];
};

struct series_registry {
	uint64_t *by_id; /* [series_max + 1] of struct weir_definition *; lazily touched */
	uint32_t free_at; /* ids below have a definition: where to look for one that is free */
	uint32_t series_max;
	uint32_t ordinary_max; /* ids up to here are for definitions, the rest for overflow */
	uint64_t seed;         /* of the table's hash: a producer cannot aim for one bucket */
	struct slot *slots;    /* [slots_mask + 1] */
	uint32_t slots_mask;
	uint32_t slots_used;
	struct chunk *chunks;        /* newest first */
	_Alignas(64) uint32_t count; /* next id; writer release-stores, readers acquire */
	uint64_t overflowed;
	uint64_t wishes; /* struct wish_list *; release-stored, 0: none */
};

struct series_registry *series_create(uint32_t series_max)
{
	if (series_max < 1 || series_max > WEIR_SERIES_MAX)
		return NULL;
	struct series_registry *registry = aligned_alloc(64, sizeof(*registry));
	if (!registry)
		return NULL;
	memset(registry, 0, sizeof(*registry));
	uint32_t kept = series_max / 16 < OVERFLOW_IDS_MAX ? series_max / 16 : OVERFLOW_IDS_MAX;
	if (!kept && series_max > 1)
		kept = 1;
	registry->series_max = series_max;
	registry->ordinary_max = series_max - kept;
	registry->count = 1;
	/* Without entropy the seed is a constant: slower under attack, never wrong. */
	if (getrandom(&registry->seed, sizeof(registry->seed), GRND_NONBLOCK) < 0)
		registry->seed = UINT64_C(0x9e3779b97f4a7c15);
	registry->free_at = 1;
	registry->by_id = calloc((size_t)series_max + 1, sizeof(*registry->by_id));
	registry->slots = calloc(SLOTS_MIN, sizeof(*registry->slots));
	registry->slots_mask = SLOTS_MIN - 1;
	if (!registry->by_id || !registry->slots) {
		series_destroy(registry);
		return NULL;
	}
	return registry;
}

void series_destroy(struct series_registry *registry)
{
	if (!registry)
		return;
	while (registry->chunks) {
		struct chunk *chunk = registry->chunks;
		registry->chunks = chunk->next;
		free(chunk);
	}
	struct wish_list *list = (struct wish_list *)(uintptr_t)registry->wishes;
	while (list) {
		struct wish_list *older = list->older;
		free(list);
		list = older;
	}
	free(registry->slots);
	free(registry->by_id);
	free(registry);
}

/* The table's own hash: words of 8 (a record's length is a multiple), multiplied to 128 bits and
 * folded, from a secret seed. series_hash() is no good here: it is public, and a producer that
 * finds definitions of one bucket could make every look-up walk all of them. */
static uint64_t table_hash(const struct series_registry *registry,
			   const struct weir_definition *definition)
{
	const char *at = (const char *)definition;
	uint64_t hash = registry->seed;
	for (uint32_t i = 0; i < definition->bytes; i += 8) {
		uint64_t word;
		memcpy(&word, at + i, sizeof(word));
		unsigned __int128 product = (unsigned __int128)(hash ^ word ^ registry->seed) *
					    UINT64_C(0xa0761d6478bd642f);
		hash = (uint64_t)product ^ (uint64_t)(product >> 64);
		hash += UINT64_C(0xe7037ed1a0b428db);
	}
	return hash;
}

static bool same_definition(const struct weir_definition *a, const struct weir_definition *b)
{
	return a->bytes == b->bytes && !memcmp(a, b, a->bytes);
}

/* The writer's look. */
static const struct weir_definition *definition_of(const struct series_registry *registry,
						   uint32_t id)
{
	return (const void *)(uintptr_t)registry->by_id[id];
}

/* The slot that holds an equal definition, or the free one where it would go. */
static struct slot *find_slot(struct series_registry *registry,
			      const struct weir_definition *definition, uint64_t hash)
{
	/* Ends: the table is never more than half full. */
	for (uint64_t at = hash;; at++) {
		struct slot *slot = &registry->slots[at & registry->slots_mask];
		if (!slot->id ||
		    (slot->hash == hash &&
		     same_definition(definition_of(registry, slot->id), definition)))
			return slot;
	}
}

/* Keep the table at most half full. -ENOMEM: the old one stays. */
static int grow_slots(struct series_registry *registry)
{
	if ((registry->slots_used + 1) * UINT64_C(2) <= (uint64_t)registry->slots_mask + 1)
		return 0;
	uint32_t mask = registry->slots_mask * 2 + 1;
	struct slot *slots = calloc((size_t)mask + 1, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i <= registry->slots_mask; i++) {
		if (!registry->slots[i].id)
			continue;
		uint64_t at = registry->slots[i].hash;
		while (slots[at & mask].id)
			at++;
		slots[at & mask] = registry->slots[i];
	}
	free(registry->slots);
	registry->slots = slots;
	registry->slots_mask = mask;
	return 0;
}

/* A copy that lives as long as the registry. NULL: no memory. */
static const struct weir_definition *store_definition(struct series_registry *registry,
						      const struct weir_definition *definition)
{
	struct chunk *chunk = registry->chunks;
	if (!chunk || CHUNK_BYTES - chunk->used < definition->bytes) {
		chunk = malloc(sizeof(*chunk) + CHUNK_BYTES);
		if (!chunk)
			return NULL;
		chunk->next = registry->chunks;
		chunk->used = 0;
		registry->chunks = chunk;
	}
	void *copy = chunk->data + chunk->used;
	memcpy(copy, definition, definition->bytes);
	chunk->used += definition->bytes;
	return copy;
}

/* Put a new definition at `id`. -ENOMEM changes nothing that anybody sees. */
static int insert(struct series_registry *registry, uint32_t id,
		  const struct weir_definition *definition, uint64_t hash)
{
	check(id >= 1 && id <= registry->series_max && !registry->by_id[id]);
	if (grow_slots(registry) < 0)
		return -ENOMEM;
	const struct weir_definition *copy = store_definition(registry, definition);
	if (!copy)
		return -ENOMEM;
	struct slot *slot = find_slot(registry, definition, hash);
	check(!slot->id);
	*slot = (struct slot){.hash = hash, .id = id};
	registry->slots_used++;
	/* Orders: the definition's bytes before its place by id, and that before the count that
	 * covers it. Seen by: series_get() and series_count() of every other thread. Without it a
	 * lane could log a half-copied definition. */
	weir_store_release_64(&registry->by_id[id], (uintptr_t)copy);
	if (id >= registry->count)
		weir_store_release_32(&registry->count, id + 1);
	return 0;
}

/* Find or add, with ids up to `max`. 0: over the bound, or no memory. */
static uint32_t intern_within(struct series_registry *registry,
			      const struct weir_definition *definition, uint32_t max)
{
	uint64_t hash = table_hash(registry, definition);
	struct slot *slot = find_slot(registry, definition, hash);
	if (slot->id)
		return slot->id;
	while (registry->free_at < registry->count && registry->by_id[registry->free_at])
		registry->free_at++;
	uint32_t id = registry->free_at;
	if (id > max || insert(registry, id, definition, hash) < 0)
		return 0;
	return id;
}

uint32_t series_intern_overflow(struct series_registry *registry,
				const struct weir_definition *definition)
{
	_Alignas(8) char record[sizeof(*definition) + 2 * WEIR_NAME_BYTES_MAX + 8];
	struct weir_definition *overflow = (struct weir_definition *)record;
	uint32_t field_bytes = sizeof(OVERFLOW_FIELD) - 1;

	memset(record, 0, sizeof(record));
	overflow->kind = definition->kind;
	overflow->event_bytes = definition->event_bytes;
	overflow->field_bytes = (uint8_t)field_bytes;
	memcpy(overflow->text, definition->text, definition->event_bytes);
	memcpy(overflow->text + definition->event_bytes, OVERFLOW_FIELD, field_bytes);
	overflow->bytes = (uint32_t)(sizeof(*overflow) + overflow->event_bytes + field_bytes + 7) &
			  ~7u;
	/* Relaxed: a number for people, nothing is read behind it. */
	weir_store_relaxed_64(&registry->overflowed, registry->overflowed + 1);
	return intern_within(registry, overflow, registry->series_max);
}

uint32_t series_intern(struct series_registry *registry, const struct weir_definition *definition)
{
	uint32_t id = intern_within(registry, definition, registry->ordinary_max);
	return id ? id : series_intern_overflow(registry, definition);
}

int series_restore(struct series_registry *registry, uint32_t id,
		   const struct weir_definition *definition)
{
	if (id < 1 || id > registry->series_max)
		return -ENOSPC;
	if (registry->by_id[id])
		return same_definition(definition_of(registry, id), definition) ? 0 : -EEXIST;
	uint64_t hash = table_hash(registry, definition);
	if (find_slot(registry, definition, hash)->id)
		return -EEXIST; /* one definition under two ids */
	return insert(registry, id, definition, hash);
}

uint32_t series_count(const struct series_registry *registry)
{
	/* Orders: this before the reads of definitions below it; partner: insert(). */
	return weir_load_acquire_32(&registry->count);
}

const struct weir_definition *series_get(const struct series_registry *registry, uint32_t id)
{
	if (id >= series_count(registry))
		return NULL;
	/* Orders: the place before what it points to; partner: insert(). Places that a recovery
	 * left free are filled below the count. */
	return (const void *)(uintptr_t)weir_load_acquire_64(&registry->by_id[id]);
}

uint64_t series_overflowed(const struct series_registry *registry)
{
	return weir_load_relaxed_64(&registry->overflowed); /* a number for people */
}

int series_want(struct series_registry *registry, const struct series_wish *wishes, uint32_t count)
{
	struct wish_list *list = malloc(sizeof(*list) + count * sizeof(*wishes));

	if (!list)
		return -ENOMEM;
	list->older = (struct wish_list *)(uintptr_t)registry->wishes;
	list->number = list->older ? list->older->number + 1 : 1;
	list->count = count;
	if (count)
		memcpy(list->wishes, wishes, count * sizeof(*wishes));
	/* Orders: the list before the pointer that shows it; partner: wish_list(). */
	weir_store_release_64(&registry->wishes, (uintptr_t)list);
	return 0;
}

static const struct wish_list *wish_list(const struct series_registry *registry)
{
	/* Orders: the pointer before what it points to; partner: series_want(). */
	return (const void *)(uintptr_t)weir_load_acquire_64(&registry->wishes);
}

uint32_t series_wants(const struct series_registry *registry)
{
	const struct wish_list *list = wish_list(registry);

	return list ? list->number : 0;
}

static bool text_is(struct series_text text, const char *is)
{
	return text.count == strlen(is) && !memcmp(text.bytes, is, text.count);
}

static bool field_is_wished(struct series_text field, const char *wished)
{
	bool wished_default = !*wished || !strcmp(wished, "value");

	/* What stands for series over the bound feeds the metric as well. */
	return text_is(field, wished) || text_is(field, OVERFLOW_FIELD) ||
	       (wished_default && (!field.count || text_is(field, "value")));
}

enum weir_sketch series_sketch(const struct series_registry *registry,
			       const struct weir_definition *definition)
{
	const struct wish_list *list = wish_list(registry);

	if (definition->kind == WEIR_HASH)
		return WEIR_SKETCH_DISTINCT;
	for (uint32_t i = 0; list && i < list->count; i++)
		if (text_is(series_event(definition), list->wishes[i].event) &&
		    field_is_wished(series_field(definition), list->wishes[i].field))
			return WEIR_SKETCH_QUANTILE;
	return WEIR_SKETCH_NONE;
}
