/*
 * known: where rings stand in the log, by the identity of their producer.
 *
 * Idea:  recovery tells where every ring of the log stands, before anybody attaches. A producer
 *        that comes back (same user, same uuid) goes on exactly there. The list is filled at once
 *        and then looked up, so it is an array, sorted when it is first asked. What closes while
 *        the engine runs is noted beside it, in a bounded list that is looked through.
 *
 * Runs on:  the intake agent, and recovery before it.
 * Never:    gives a ring number twice.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "intake/known.h"

void known_fini(struct known *known)
{
	free(known->rings);
	free(known->notes);
	*known = (struct known){.rings = NULL};
}

static int compare_region(const struct weir_ring_record *a, const struct weir_ring_record *b)
{
	if (a->uid != b->uid)
		return a->uid < b->uid ? -1 : 1;
	return memcmp(a->uuid, b->uuid, sizeof(a->uuid));
}

static int compare(const void *left, const void *right)
{
	const struct known_ring *a = left, *b = right;
	int order = compare_region(&a->record, &b->record);
	if (order)
		return order;
	if (a->record.index != b->record.index)
		return a->record.index < b->record.index ? -1 : 1;
	/* Notes of one ring: the one that knows more comes last and stays. */
	if (a->record.next_sequence != b->record.next_sequence)
		return a->record.next_sequence < b->record.next_sequence ? -1 : 1;
	return (int)a->record.final - (int)b->record.final;
}

static bool same_ring(const struct weir_ring_record *a, const struct weir_ring_record *b)
{
	return compare_region(a, b) == 0 && a->index == b->index;
}

static void sort(struct known *known)
{
	if (known->sorted)
		return;
	known->sorted = true;
	if (!known->count)
		return;
	qsort(known->rings, known->count, sizeof(*known->rings), compare);
	uint32_t kept = 0;
	for (uint32_t i = 1; i < known->count; i++) {
		if (!same_ring(&known->rings[kept].record, &known->rings[i].record))
			kept++;
		known->rings[kept] = known->rings[i];
	}
	known->count = kept + 1;
}

int known_add(struct known *known, const struct weir_ring_record *record)
{
	if (known->count == known->capacity) {
		uint32_t capacity = known->capacity ? known->capacity * 2 : 64;
		void *rings = realloc(known->rings, capacity * sizeof(*known->rings));
		if (!rings)
			return -ENOMEM;
		known->rings = rings;
		known->capacity = capacity;
	}
	known->rings[known->count++] = (struct known_ring){.record = *record};
	known->sorted = false;
	if (record->number >= known->number_next)
		known->number_next = record->number + 1;
	return 0;
}

int known_note(struct known *known, const struct weir_ring_record *record)
{
	if (!known->notes)
		known->notes = calloc(KNOWN_NOTES_MAX, sizeof(*known->notes));
	if (!known->notes)
		return -ENOMEM;
	known->notes[known->notes_next] = (struct known_ring){.record = *record};
	known->notes_next = (known->notes_next + 1) % KNOWN_NOTES_MAX;
	if (known->notes_count < KNOWN_NOTES_MAX)
		known->notes_count++;
	return 0;
}

static struct known_ring *find_note(struct known *known, const struct weir_ring_record *key)
{
	for (uint32_t i = 0; i < known->notes_count; i++)
		if (same_ring(&known->notes[i].record, key))
			return &known->notes[i];
	return NULL;
}

struct known_ring *known_find(struct known *known, uint32_t uid, const uint8_t uuid[16],
			      uint32_t index)
{
	struct weir_ring_record key = {.uid = uid, .index = index};

	memcpy(key.uuid, uuid, sizeof(key.uuid));
	sort(known);
	uint32_t low = 0, high = known->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct weir_ring_record *record = &known->rings[middle].record;
		int order = compare_region(record, &key);
		if (!order)
			order = record->index < index ? -1 : record->index > index;
		if (!order)
			return &known->rings[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return find_note(known, &key);
}

uint32_t known_awaited(struct known *known)
{
	const struct weir_ring_record *counted = NULL;
	uint32_t regions = 0;

	sort(known);
	for (uint32_t i = 0; i < known->count; i++) {
		const struct known_ring *ring = &known->rings[i];
		if (ring->record.final || ring->attached)
			continue;
		if (!counted || compare_region(counted, &ring->record) != 0)
			regions++;
		counted = &ring->record;
	}
	return regions;
}
