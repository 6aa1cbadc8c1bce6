/*
 * verify_ring: the ledger. Every sequence of every ring is in the log exactly once, or counted.
 *
 * Idea:  a ring's state is how far its sequences are accounted for. A run must begin there and
 *        moves it on; a LEDGER record must say just that, and may move it on by what it counts as
 *        lost. Records of the snapshots may be older: a lane goes on naming rings that have moved
 *        to another one.
 *
 *        sequences   0 ........ 120 ..... 150 ..... 400 ....... 470
 *                    | run, 120  | lost 30 | run 250 | run 60 +10 rejected
 *
 * Where retention has deleted the beginning of a lane, what it held cannot be followed: positions
 * begin with the first record of each ring, and may jump over what a cut lane could have held.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify_private.h"

static void __attribute__((format(printf, 5, 6)))
say(struct verify *verify, const struct verify_log *log, const struct verify_place *place,
    uint32_t ring, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	verify_say(verify, VERIFY_LEDGER, "%s: block %llu: ring %u: %s%s", log->directory,
		   (unsigned long long)place->lsn, ring, text,
		   place->gap_before ? " (blocks are missing before this one)" : "");
}

/* Slots hold number + 1, so that 0 is free. */
static struct verify_ring *slot_of(struct verify_ring *rings, uint32_t slots, uint32_t number)
{
	uint32_t at = number * 2654435761u & (slots - 1);

	while (rings[at].state_epoch && rings[at].record.number != number)
		at = (at + 1) & (slots - 1);
	return &rings[at];
}

/* The ring's slot; free (state_epoch 0) if it is not known. NULL: no memory. */
static struct verify_ring *find(struct verify *verify, uint32_t number)
{
	if (verify->rings_count * 2 >= verify->rings_slots) {
		uint32_t slots = verify->rings_slots ? verify->rings_slots * 2 : 64;
		struct verify_ring *grown = calloc(slots, sizeof(*grown));
		if (!grown)
			return NULL;
		for (uint32_t i = 0; i < verify->rings_slots; i++)
			if (verify->rings[i].state_epoch)
				*slot_of(grown, slots,
					 verify->rings[i].record.number) = verify->rings[i];
		free(verify->rings);
		verify->rings = grown;
		verify->rings_slots = slots;
	}
	return slot_of(verify->rings, verify->rings_slots, number);
}

/* Could a lane whose beginning is deleted have held runs of this ring since its state was known? */
static bool excused(const struct verify *verify, const struct verify_ring *ring,
		    const struct verify_log *log, uint32_t epoch)
{
	if (ring->owner_epoch == epoch && ring->owner_lane == log->lane)
		return false; /* this lane's own blocks tell it all */
	for (uint32_t i = 0; i < verify->logs_count; i++) {
		const struct verify_log *other = &verify->logs[i];
		if (other->lane == WEIR_LANE_CONTROL ||
		    (other->first_lsn <= 1 && !verify_lane_dropped(verify, other)))
			continue;
		uint32_t first = other->places_count ? other->places[0].epoch : UINT32_MAX;
		if (first >= ring->state_epoch)
			return true;
	}
	return false;
}

static bool same_ring(const struct weir_ring_record *a, const struct weir_ring_record *b)
{
	return a->index == b->index && a->uid == b->uid && a->source == b->source &&
	       memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0;
}

static void first_record(struct verify *verify, struct verify_log *log,
			 const struct verify_place *place, struct verify_ring *ring,
			 const struct weir_ring_record *record)
{
	/* With nothing deleted, a ring begins with nothing persisted. */
	if ((record->next_sequence != record->lost || record->rejected) &&
	    !excused(verify, ring, log, place->epoch))
		say(verify, log, place, record->number,
		    "begins at sequence %llu with %llu rejected and %llu lost",
		    (unsigned long long)record->next_sequence, (unsigned long long)record->rejected,
		    (unsigned long long)record->lost);
	ring->record = *record;
	ring->state_epoch = place->epoch;
	verify->rings_count++;
	verify->report->rings++;
}

static void own(struct verify *verify, struct verify_log *log, const struct verify_place *place,
		struct verify_ring *ring)
{
	if (ring->owner_epoch == place->epoch && ring->owner_lane != log->lane)
		say(verify, log, place, ring->record.number,
		    "is drained by lane-%02u too, in the same epoch", ring->owner_lane);
	ring->owner_epoch = place->epoch;
	ring->owner_lane = log->lane;
}

/* A record that must agree with all that came before it. */
static void exact_record(struct verify *verify, struct verify_log *log,
			 const struct verify_place *place, struct verify_ring *ring,
			 const struct weir_ring_record *record)
{
	const struct weir_ring_record *known = &ring->record;
	uint64_t covered = known->next_sequence + (record->lost - known->lost);
	bool jump = record->next_sequence >= known->next_sequence && record->lost >= known->lost &&
		    record->rejected >= known->rejected && excused(verify, ring, log, place->epoch);

	if ((record->lost < known->lost || record->next_sequence != covered) && !jump)
		say(verify, log, place, record->number,
		    "is said to be accounted for below %llu with %llu lost, the log has it below "
		    "%llu with %llu lost",
		    (unsigned long long)record->next_sequence, (unsigned long long)record->lost,
		    (unsigned long long)known->next_sequence, (unsigned long long)known->lost);
	if (record->rejected != known->rejected && !jump)
		say(verify, log, place, record->number, "%llu rejected, the log's runs say %llu",
		    (unsigned long long)record->rejected, (unsigned long long)known->rejected);
	if (known->final && record->next_sequence > known->next_sequence)
		say(verify, log, place, record->number, "goes on behind its end");
	uint32_t final = known->final | record->final;
	for (int i = 0; i < WEIR_DROP_REASONS; i++)
		if (record->dropped[i] < known->dropped[i])
			verify_say(
				verify, VERIFY_NOTE,
				"%s: block %llu: ring %u: its producer's count of drops went back",
				log->directory, (unsigned long long)place->lsn, record->number);
	ring->record = *record;
	ring->record.final = final;
	ring->state_epoch = place->epoch;
}

int verify_ring_record(struct verify *verify, struct verify_log *log,
		       const struct verify_place *place, const struct weir_ring_record *record)
{
	struct verify_ring *ring = find(verify, record->number);
	bool ledger = place->type == WEIR_BLOCK_LEDGER;

	if (!ring)
		return -1;
	if (record->number == WEIR_RUN_MARK || record->source >= WEIR_SOURCES_MAX) {
		say(verify, log, place, record->number, "no such ring, or no such source (%u)",
		    record->source);
		return 0;
	}
	if (!ring->state_epoch)
		first_record(verify, log, place, ring, record);
	if (!same_ring(&ring->record, record))
		say(verify, log, place, record->number, "is another ring than before");
	if (ledger)
		own(verify, log, place, ring);
	/* A snapshot may name a ring as it was before it moved to another lane. */
	bool old = !ledger && record->next_sequence < ring->record.next_sequence &&
		   record->rejected <= ring->record.rejected && record->lost <= ring->record.lost;
	if (old)
		return 0;
	exact_record(verify, log, place, ring, record);
	ring->named[log->lane] = log->serial;
	return 0;
}

int verify_ring_run(struct verify *verify, struct verify_log *log, const struct verify_place *place,
		    const struct weir_run *run)
{
	struct verify_ring *ring = find(verify, run->ring);
	uint64_t slots = (uint64_t)run->count + run->rejected;

	if (!ring)
		return -1;
	if (!ring->state_epoch) {
		struct weir_ring_record record = {.number = run->ring,
						  .source = run->source,
						  .next_sequence = run->first_sequence};
		say(verify, log, place, run->ring, "has events before any record of it");
		ring->record = record;
		ring->state_epoch = place->epoch;
		verify->rings_count++;
		verify->report->rings++;
	}
	if (ring->named[log->lane] != log->serial) {
		say(verify, log, place, run->ring, "is not named since its segment began");
		ring->named[log->lane] = log->serial; /* once is enough */
	}
	own(verify, log, place, ring);
	struct weir_ring_record *known = &ring->record;
	if (run->source != known->source)
		say(verify, log, place, run->ring, "events of source %u, it is of source %u",
		    run->source, known->source);
	if (slots == 0)
		say(verify, log, place, run->ring, "a run of nothing");
	if (known->final && slots)
		say(verify, log, place, run->ring, "goes on behind its end");
	if (run->first_sequence > known->next_sequence)
		say(verify, log, place, run->ring, "sequences %llu to %llu are missing",
		    (unsigned long long)known->next_sequence,
		    (unsigned long long)run->first_sequence - 1);
	else if (run->first_sequence < known->next_sequence)
		say(verify, log, place, run->ring, "sequences from %llu on are there twice",
		    (unsigned long long)run->first_sequence);
	known->next_sequence = run->first_sequence + slots;
	known->rejected += run->rejected;
	ring->state_epoch = place->epoch;
	return 0;
}

void verify_ring_totals(struct verify *verify)
{
	struct verify_report *report = verify->report;

	for (uint32_t i = 0; i < verify->rings_slots; i++) {
		const struct weir_ring_record *record = &verify->rings[i].record;
		if (!verify->rings[i].state_epoch)
			continue;
		report->persisted += record->next_sequence - record->rejected - record->lost;
		report->rejected += record->rejected;
		report->lost += record->lost;
		for (int reason = 0; reason < WEIR_DROP_REASONS; reason++)
			report->dropped += record->dropped[reason];
	}
	if (report->lost && !verify->options.allow_lost)
		verify_say(
			verify, VERIFY_FINDING,
			"%llu events were published and are lost, as the ledger says: the log was "
			"behind the producers after a power cut, or a write or sync had failed",
			(unsigned long long)report->lost);
}
