/*
 * scorer_input: what operators say of detectors' work, on its way to them; see scorer.h.
 *
 * Runs on: as the scorer. Deterministic, no I/O, no clock.
 */
#include <errno.h>

#include "base/log.h"
#include "base/zone.h"
#include "checkpoint.h"
#include "input_calendar.h"
#include "scorer_private.h"

/* What the record says was checked before it was written, by whoever wrote it. What cannot be an
 * entry here, or has no room, is none in any scorer, live, in a replay or in a backtest: it must
 * not end all of them at every start. */
static int ignore(const struct scorer *scorer, const struct operator_input *input, const char *why)
{
	/* All shards meet it: one says it. */
	if (scorer->shard == 0)
		log_warning("calendar", "entry %llu is ignored: %s; weirctl calendar remove %llu",
			    (unsigned long long)input->number, why,
			    (unsigned long long)input->number);
	return 0;
}

static int add_entry(struct scorer *scorer, const struct operator_input *input)
{
	struct calendar_entry entry;
	char why[256] = "it cannot be read";
	int error = input_calendar_entry(input, &entry, why, sizeof(why));

	if (!error)
		error = calendar_add(scorer->calendar, &entry);
	zone_free((struct zone *)(uintptr_t)entry.zone);
	if (error == -ENOSPC)
		return ignore(scorer, input, "the calendar is full");
	return error && error != -ENOMEM ? ignore(scorer, input, why) : error;
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
