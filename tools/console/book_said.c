/*
 * book_said: what operators said of anomalies, as the entries show it at once: the engine's next
 * revision may be hours away.
 *
 * A mute holds to an event time: it is over for an anomaly when its source is closed up to there.
 */
#include "book_private.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/match.h"
#include "input.h"

/* A source that has not moved for so long; one may come in batches. */
#define STANDS_MS (24 * 3600 * INT64_C(1000))

static bool holds(const struct book *book, const struct operator_input *mute,
		  const struct book_entry *entry)
{
	const struct input_target target = {
		.id = entry->id,
		.source = entry->source->text,
		.metric = entry->metric->text,
		.detector = entry->detector->text,
		.slice = entry->slice->text,
		.severity_peak = entry->peak,
	};

	return input_mute_holds(mute, &target, book_through(book, entry));
}

bool book_mutes_hold(const struct book *book, const struct book_entry *entry)
{
	for (uint32_t i = 0; i < book->mutes; i++)
		if (holds(book, &book->mute[i], entry))
			return true;
	return false;
}

/* Has one that goes on not come to the end yet? */
static bool is_ahead(const struct book *book, const struct operator_input *mute, int64_t now_ms)
{
	for (uint32_t i = 0; i < book->sources && !mute->has_id; i++) {
		const struct book_source *source = &book->source[i];
		bool moves = now_ms - source->moved_ms < STANDS_MS;
		if ((moves || now_ms - mute->time_ms < STANDS_MS) &&
		    mute->until_ms > source->through_ms &&
		    (!mute->source[0] || match_glob(mute->source, source->name->text)))
			return true;
	}
	return false;
}

bool book_mute_counts(const struct book *book, const struct operator_input *mute, int64_t now_ms)
{
	if (mute->until_ms > now_ms || is_ahead(book, mute, now_ms))
		return true;
	for (uint32_t i = 0; i < book->count; i++)
		if (!book_is_over(&book->entry[i]) && holds(book, mute, &book->entry[i]))
			return true;
	return false;
}

void book_mutes_settle(struct book *book)
{
	book->mutes_turned = false;
	for (uint32_t i = 0; i < book->count; i++) {
		struct book_entry *entry = &book->entry[i];
		if (book_is_over(entry))
			continue;
		bool muted = book_mutes_hold(book, entry);
		if (muted != entry->muted)
			book_note(book, entry);
		entry->muted = muted;
	}
}

static void take_mute(struct book *book, uint32_t at)
{
	memmove(&book->mute[at], &book->mute[at + 1], (--book->mutes - at) * sizeof(book->mute[0]));
	book->mutes_turned = true;
}

/* As the engine has it: of too many the one that ends first is forgotten. */
static void add_mute(struct book *book, const struct operator_input *input)
{
	if (book->mutes == BOOK_MUTES) {
		uint32_t first = 0;
		for (uint32_t i = 1; i < book->mutes; i++)
			if (book->mute[i].until_ms < book->mute[first].until_ms)
				first = i;
		take_mute(book, first);
	}
	book->mute[book->mutes++] = *input;
	book->mutes_turned = true;
}

static void end_mute(struct book *book, uint64_t number)
{
	for (uint32_t i = 0; i < book->mutes; i++)
		if (book->mute[i].number == number) {
			take_mute(book, i);
			return;
		}
}

enum feedback_verdict book_verdict(const struct operator_input *input)
{
	json_t *detail = input->detail[0] ? json_loads(input->detail, 0, NULL) : NULL;
	const char *text = json_string_value(json_object_get(detail, "verdict"));
	enum feedback_verdict verdict = 0;

	for (int i = FEEDBACK_NO; text && i < FEEDBACK_VERDICTS; i++)
		if (strcmp(text, feedback_verdict_name((enum feedback_verdict)i)) == 0)
			verdict = (enum feedback_verdict)i;
	json_decref(detail);
	return verdict;
}

static int keep_said(struct book *book, const struct operator_input *input)
{
	if (book->saids == BOOK_SAID) /* the oldest half cannot be taken back to any more */
		memmove(book->said, book->said + BOOK_SAID / 2,
			(book->saids = BOOK_SAID / 2) * sizeof(book->said[0]));
	if (book->saids == book->saids_capacity) {
		uint32_t capacity = book->saids_capacity ? 2 * book->saids_capacity : 64;
		struct book_said *grown = realloc(book->said, capacity * sizeof(grown[0]));
		if (!grown)
			return -ENOMEM;
		book->said = grown;
		book->saids_capacity = capacity;
	}
	struct book_said *said = &book->said[book->saids++];
	*said = (struct book_said){.number = input->number,
				   .verdict = (uint8_t)book_verdict(input)};
	memcpy(said->id, input->id, sizeof(said->id));
	return 0;
}

/* The last that holds counts. */
static void look_up(struct book *book, struct book_entry *entry)
{
	uint8_t verdict = 0;
	uint64_t number = 0;

	for (uint32_t i = book->saids; i > 0 && !number; i--) {
		const struct book_said *said = &book->said[i - 1];
		if (said->ended || memcmp(said->id, entry->id, sizeof(said->id)) != 0)
			continue;
		verdict = said->verdict;
		number = said->number;
	}
	entry->verdict = verdict;
	entry->feedback = number;
	book_note(book, entry);
}

/* NULL: the book has no such anomaly. */
static struct book_entry *entry_of(struct book *book, const uint64_t id[2])
{
	return (struct book_entry *)(uintptr_t)book_find(book, id);
}

static void undo(struct book *book, uint64_t number)
{
	for (uint32_t i = 0; i < book->saids; i++) {
		struct book_said *said = &book->said[i];
		if (said->number != number || said->ended)
			continue;
		said->ended = true;
		struct book_entry *entry = entry_of(book, said->id);
		if (entry)
			look_up(book, entry);
	}
}

static int hear(struct book *book, const struct operator_input *input)
{
	struct book_entry *entry = entry_of(book, input->id);
	int error = keep_said(book, input);

	if (error || !entry)
		return error;
	entry->verdict = book->said[book->saids - 1].verdict;
	entry->feedback = input->number;
	book_note(book, entry);
	return 0;
}

static void acknowledge(struct book *book, const struct operator_input *input)
{
	struct book_entry *entry = entry_of(book, input->id);

	if (!entry || entry->acknowledged)
		return;
	entry->acknowledged = true;
	book_note(book, entry);
}

int book_input(struct book *book, const struct operator_input *input, uint64_t ended)
{
	switch (input->kind) {
	case OPERATOR_MUTE:
		if (!ended)
			add_mute(book, input);
		return 0;
	case OPERATOR_UNMUTE:
		end_mute(book, input->ends);
		return 0;
	case OPERATOR_ACK:
		acknowledge(book, input);
		return 0;
	case OPERATOR_FEEDBACK:
		return ended ? 0 : hear(book, input);
	case OPERATOR_FEEDBACK_UNDO:
		undo(book, input->ends);
		return 0;
	default:
		return 0;
	}
}
