/*
 * confirmed: see confirmed.h.
 */
#include "confirmed.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/store.h"
#include "detect/feedback.h"

struct holding {
	struct calendar *calendar;
	const char *source;
	uint64_t (*said)[2]; /* [count] ids of which something newer was said */
	size_t count;
	int error;
};

/* What a calendar has no room for is learned, like what nobody spoke of. */
static void hold(struct holding *holding, uint64_t number, const char *metric, const char *slice,
		 int64_t from_ms, int64_t until_ms)
{
	struct calendar_entry entry = {
		.number = number,
		.name = "confirmed",
		.when = CALENDAR_ONCE,
		.from_ms = from_ms,
		.until_ms = until_ms,
		.weekday = -1,
		.effect = CALENDAR_EXCLUDE,
	};

	snprintf(entry.source, sizeof(entry.source), "%s", holding->source);
	snprintf(entry.metric, sizeof(entry.metric), "%s", metric);
	snprintf(entry.slice, sizeof(entry.slice), "%s", slice);
	if (calendar_wrong(&entry))
		return;
	int error = calendar_add(holding->calendar, &entry);
	if (error < 0 && error != -ENOSPC)
		holding->error = error;
}

/* Has something newer been said of it? Now something has. */
static bool newer(struct holding *holding, const uint64_t id[2])
{
	for (size_t i = 0; i < holding->count; i++)
		if (memcmp(holding->said[i], id, sizeof(holding->said[i])) == 0)
			return true;
	void *said = realloc(holding->said, (holding->count + 1) * sizeof(holding->said[0]));
	if (!said) {
		holding->error = -ENOMEM;
		return true;
	}
	holding->said = said;
	memcpy(holding->said[holding->count++], id, sizeof(holding->said[0]));
	return false;
}

/* The newest comes first. */
static int each_stored(void *self, const struct operator_input *input, uint64_t ended)
{
	struct holding *holding = self;

	if (ended || strcmp(input->source, holding->source) != 0 || newer(holding, input->id))
		return holding->error;
	json_t *own = json_loads(input->detail, 0, NULL);
	const char *verdict = json_string_value(json_object_get(own, "verdict"));
	if (verdict && strcmp(verdict, feedback_verdict_name(FEEDBACK_YES)) == 0)
		hold(holding, input->number, input->metric, input->slice,
		     json_integer_value(json_object_get(own, "start_ms")),
		     json_integer_value(json_object_get(own, "end_ms")));
	json_decref(own);
	return holding->error;
}

int confirmed_stored(const char *store_path, const char *source, struct calendar *calendar)
{
	struct holding holding = {.calendar = calendar, .source = source};
	struct store_reader *reader;
	int error = store_reader_open(store_path, &reader);

	if (error < 0)
		return error;
	error = store_inputs(reader, OPERATOR_FEEDBACK, NULL, 0, each_stored, &holding);
	store_reader_close(reader);
	free(holding.said);
	return holding.error ? holding.error : error;
}

static void each_said(void *self, const struct scorer_said *said)
{
	struct holding *holding = self;

	if (strcmp(said->source, holding->source) != 0)
		return;
	for (uint32_t i = 0; i < said->list->count; i++) {
		const struct feedback_entry *entry = &said->list->entry[i];
		if (entry->in_force && entry->said.verdict == FEEDBACK_YES)
			hold(holding, entry->number, said->metric, entry->slice,
			     entry->said.start_ms, entry->said.end_ms);
	}
}

int confirmed_told(const struct scorer *told, const char *source, struct calendar *calendar)
{
	struct holding holding = {.calendar = calendar, .source = source};

	scorer_said(told, each_said, &holding);
	return holding.error;
}
