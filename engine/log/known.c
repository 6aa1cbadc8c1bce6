/*
 * known: what the first blocks of files say, so that a start reads each of them once.
 *
 * Idea:  a start lists a lane's files for recovery, for the names of series and for its writer, and
 *        whoever was killed often has left many. A first block that is good never changes, and no
 *        other file gets its segment's id: what was read once holds for as long as the file has its
 *        name, and the names are read anew each time. A file without a good first block may get one
 *        yet, from what a dead engine had queued: nothing is remembered of it.
 *
 *          id -> { lane, entry }      open addressing: ids are random, the table half full at most
 *
 * Runs on: who starts the engine.
 */
#include <stdlib.h>

#include "base/check.h"
#include "log/segments.h"

/* What is beyond is read as often as it is asked for. */
#define KNOWN_MAX (64u << 10)

struct known {
	struct segment_entry entry; /* id 0: free */
	uint16_t lane;
};

struct segments_known {
	struct known *places;
	uint32_t capacity, count; /* the capacity is a power of two, or 0 */
};

struct segments_known *segments_know(void)
{
	return calloc(1, sizeof(struct segments_known));
}

void segments_forget(struct segments_known *known)
{
	if (known)
		free(known->places);
	free(known);
}

/* Where an id is, or would go. */
static struct known *place_of(const struct segments_known *known, uint64_t id)
{
	for (uint64_t at = id;; at++) {
		struct known *place = &known->places[at & (known->capacity - 1)];
		if (!place->entry.id || place->entry.id == id)
			return place;
	}
}

static bool grow(struct segments_known *known)
{
	const struct segments_known old = *known;
	const uint32_t capacity = old.capacity ? 2 * old.capacity : 256;
	struct known *places = capacity <= KNOWN_MAX ? calloc(capacity, sizeof(*places)) : NULL;

	if (!places)
		return false;
	known->places = places;
	known->capacity = capacity;
	for (uint32_t i = 0; i < old.capacity; i++)
		if (old.places[i].entry.id)
			*place_of(known, old.places[i].entry.id) = old.places[i];
	free(old.places);
	return true;
}

bool segments_recall(const struct segments_known *known, uint64_t id, uint16_t lane,
		     struct segment_entry *ret_entry)
{
	if (!known || !known->capacity || !id)
		return false;
	const struct known *place = place_of(known, id);
	/* In the directory of another lane it is refused, and whoever reads it says why. */
	if (place->entry.id != id || place->lane != lane)
		return false;
	*ret_entry = place->entry;
	return true;
}

void segments_note(struct segments_known *known, const struct segment_entry *entry, uint16_t lane)
{
	if (!known || entry->headless || !entry->id)
		return;
	check(entry->void_lsn == UINT64_MAX); /* that depends on the other files */
	if (2 * known->count >= known->capacity && !grow(known))
		return;
	struct known *place = place_of(known, entry->id);
	known->count += !place->entry.id;
	*place = (struct known){.entry = *entry, .lane = lane};
}
