/*
 * known: what is remembered of rings that were closed, and for how long.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "intake/known.h"

static struct weir_ring_record record_of(uint32_t number)
{
	struct weir_ring_record record = {.number = number, .uid = 7, .final = 1};

	memcpy(record.uuid, &number, sizeof(number));
	return record;
}

static struct known_ring *find(struct known *known, uint32_t number)
{
	struct weir_ring_record record = record_of(number);

	return known_find(known, record.uid, record.uuid, record.index);
}

Test(known, the_newest_notes_are_found_and_the_oldest_go)
{
	struct known known = {.number_next = 1};

	for (uint32_t i = 1; i <= 3 * KNOWN_NOTES_MAX; i++) {
		struct weir_ring_record record = record_of(i);
		cr_assert_eq(known_note(&known, &record), 0);
	}
	cr_expect_eq(known.notes_count, KNOWN_NOTES_MAX);
	cr_expect_eq(known.count, 0, "notes are not kept with what the log says");
	cr_expect_null(find(&known, 2 * KNOWN_NOTES_MAX));
	for (uint32_t i = 2 * KNOWN_NOTES_MAX + 1; i <= 3 * KNOWN_NOTES_MAX; i++) {
		struct known_ring *ring = find(&known, i);
		cr_assert_not_null(ring, "note %u", i);
		cr_assert_eq(ring->record.number, i);
	}
	known_fini(&known);
}

Test(known, no_number_of_notes_drives_out_what_the_log_says)
{
	struct known known = {.number_next = 1};
	struct weir_ring_record record = record_of(1000000);

	record.final = 0;
	cr_assert_eq(known_add(&known, &record), 0);
	for (uint32_t i = 1; i <= 2 * KNOWN_NOTES_MAX; i++) {
		record = record_of(i);
		cr_assert_eq(known_note(&known, &record), 0);
	}
	cr_expect_not_null(find(&known, 1000000));
	cr_expect_eq(known_awaited(&known), 1, "a closed ring is not awaited");
	cr_expect_eq(known.number_next, 1000001);
	known_fini(&known);
}
