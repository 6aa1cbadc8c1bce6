/*
 * known: where rings stand in the log, by the identity of their producer.
 *
 * Runs on:  the intake agent. Private to intake.
 */
#ifndef INTAKE_KNOWN_H
#define INTAKE_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/segment.h"

struct known_ring {
	struct weir_ring_record record;
	bool attached; /* somebody has come back for it */
};

struct known {
	struct known_ring *rings;
	uint32_t count, capacity;
	uint32_t number_next; /* above every ring number ever seen */
	bool sorted;
	struct known_ring *notes; /* [KNOWN_NOTES_MAX] of closed rings, the oldest goes first */
	uint32_t notes_count, notes_next;
};

/* Closed rings of living processes that are remembered: many more than close in the moment that a
 * library takes to hear of it, and few enough that who closes all day costs nothing. */
#define KNOWN_NOTES_MAX 4096u

void known_fini(struct known *known);
/* Note a ring; a later note of the same one replaces the earlier. 0, or -ENOMEM. */
int known_add(struct known *known, const struct weir_ring_record *record);
/* Note a ring that was closed and drained, and is not known: for a while. 0, or -ENOMEM. */
int known_note(struct known *known, const struct weir_ring_record *record);
/* NULL: never seen. Valid until the next known_add or known_note. */
struct known_ring *known_find(struct known *known, uint32_t uid, const uint8_t uuid[16],
			      uint32_t index);
/* Regions with a ring that is not final and has not come back. */
uint32_t known_awaited(struct known *known);

#endif
