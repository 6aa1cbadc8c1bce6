/*
 * scorer_input: what operators say of detectors' work, on its way to them; see scorer.h.
 *
 * Runs on: as the scorer. Deterministic, no I/O, no clock.
 */
#include <errno.h>

#include "base/zone.h"
#include "checkpoint.h"
#include "input_calendar.h"
#include "scorer_private.h"

/* What the record says was checked before it was written; one calendar is full in every scorer. */
static int add_entry(struct scorer *scorer, const struct operator_input *input)
{
	struct calendar_entry entry;
	char why[256];
	int error = input_calendar_entry(input, &entry, why, sizeof(why));

	if (!error)
		error = calendar_add(scorer->calendar, &entry);
	zone_free((struct zone *)(uintptr_t)entry.zone);
	return error == -ENOSPC ? 0 : error;
}

/* All shards have the same: one says it. */
void scorer_save_calendar(const struct scorer *scorer, struct bytes *out)
{
	struct bytes body = {0};

	if (scorer->shard != 0)
		return;
	calendar_save(scorer->calendar, &body);
	bytes_put_u32(out, SECTION_CALENDAR);
	bytes_put_u32(out, 0);
	bytes_put_u64(out, body.used);
	bytes_put(out, body.data, body.used);
	out->failed |= body.failed;
	bytes_fini(&body);
}

struct calendar *scorer_calendar(struct scorer *scorer)
{
	return scorer->calendar;
}

int scorer_input(struct scorer *scorer, const struct operator_input *input)
{
	switch (input->kind) {
	case OPERATOR_FEEDBACK:
		return scorer_hear(scorer, input);
	case OPERATOR_FEEDBACK_UNDO:
		scorer_take_back(scorer, input->ends);
		return 0;
	case OPERATOR_CALENDAR_ADD:
		return add_entry(scorer, input);
	case OPERATOR_CALENDAR_REMOVE:
		calendar_remove(scorer->calendar, input->ends);
		return 0;
	default:
		return 0;
	}
}
