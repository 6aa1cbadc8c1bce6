/*
 * said: feedback at the control socket: what a record of it must say, and what came of what was
 * said.
 *
 *   {"command":"feedback","id":...,"verdict":"no"}    completed here, then an input (request.c)
 *   {"command":"feedback_list"}  -> {"feedback":[{"number","id","verdict",...,"effect":{...}}]}
 *
 * Runs on: the control agent; each shard looks its own effects up, between two closes.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/payload.h"
#include "detect/feedback.h"
#include "engine_private.h"
#include "listing.h"

/* A shard that scores a large close has no time before it is done. */
#define PATIENCE_MS 5000u
/* In one answer at most. */
#define LISTED_MAX 1000

static double finite_or_nothing(double value)
{
	return isfinite(value) ? value : 0;
}

/* Those of its life so far. `off`: of one from before they were kept, what its strongest revision
 * says. */
static json_t *sizes_of(const double sizes[FEEDBACK_SCALES], double off)
{
	json_t *list = json_array();

	for (unsigned s = 0; s < FEEDBACK_SCALES; s++) {
		double size = fmax(finite_or_nothing(sizes[s]), 0);
		if (s == 0 && size <= 0)
			size = finite_or_nothing(off);
		json_array_append_new(list, json_real(size));
	}
	return list;
}

void said_describe(void *of, const struct anomaly *last, const struct anomaly *strongest)
{
	json_t *record = of;
	/* One that turned on its way is what it was at its worst. */
	bool down = strongest->direction < 0;
	/* Sizes grow as it goes on. But what several resolutions saw has figures of each: those
	 * that are said together are of one. */
	bool same = anomaly_period_ms(last) == anomaly_period_ms(strongest);
	const struct anomaly *figures = same ? last : strongest;

	json_object_set_new(record, "source", json_string(last->source));
	json_object_set_new(record, "metric", json_string(last->metric));
	json_object_set_new(record, "detector", json_string(last->detector));
	json_object_set_new(record, "slice", json_string(last->slice));
	json_object_set_new(record, "direction", json_integer(down ? -1 : 1));
	json_object_set_new(record, "start_ms",
			    json_integer(anomaly_time_ms(last, last->start, false)));
	json_object_set_new(record, "end_ms",
			    json_integer(anomaly_time_ms(last, last->interval, true)));
	json_object_set_new(record, "period_ms", json_integer(anomaly_period_ms(figures)));
	json_object_set_new(record, "severity", json_real(finite_or_nothing(last->severity_peak)));
	json_object_set_new(record, "usual", json_real(finite_or_nothing(figures->usual)));
	double off = fabs(strongest->observed - strongest->expected);
	json_object_set_new(record, "sizes",
			    sizes_of(down ? figures->fall : figures->rise, off));
	json_object_set_new(record, "rebound",
			    sizes_of(down ? figures->rise : figures->fall, 0));
}

static int each_feedback(void *self, const struct operator_input *input, uint64_t ended)
{
	uint64_t *number = self;

	if (!ended)
		*number = input->number;
	return !ended;
}

/* Of the anomaly's feedback the last that holds. */
static const char *complete_undo(json_t *record, struct store_reader *reader, const uint64_t id[2])
{
	uint64_t number = 0;
	int error = store_inputs(reader, OPERATOR_FEEDBACK, id, 0, each_feedback, &number);

	if (error < 0)
		return strerror(-error);
	if (!number)
		return "nobody has said anything of this anomaly, or it was taken back";
	json_object_set_new(record, "of", json_integer((json_int_t)number));
	return NULL;
}

static const char *complete_from(json_t *record, struct store_reader *reader)
{
	const char *digits = json_string_value(json_object_get(record, "id"));
	struct anomaly *last = malloc(sizeof(*last)), *strongest = malloc(sizeof(*strongest));
	const char *kind = json_string_value(json_object_get(record, "kind"));
	const char *why = NULL;
	uint64_t id[2];
	int found = last && strongest ? 1 : -ENOMEM;

	if (found > 0 && digits)
		found = store_match(reader, digits, id);
	if (found > 0 && digits)
		found = store_find(reader, id, last);
	if (found > 0 && digits)
		found = store_find_strongest(reader, id, strongest);
	if (found < 0)
		why = strerror(-found);
	else if (found > 0 && digits && strcmp(kind, "feedback") == 0)
		said_describe(record, last, strongest);
	else if (found > 0 && digits)
		why = complete_undo(record, reader, id);
	/* Without an anomaly the record is refused for that. */
	free(last);
	free(strongest);
	return why;
}

bool said_complete(const struct engine *engine, void *record, char *why, size_t why_bytes)
{
	struct store_reader *reader;
	int error = store_reader_open(engine->store_path, &reader);
	const char *what = error < 0 ? strerror(-error) : complete_from(record, reader);

	if (error >= 0)
		store_reader_close(reader);
	if (what)
		snprintf(why, why_bytes, "%s", what);
	return !what;
}

struct effects {
	json_t *by_number;
	const struct config *config;
};

static double threshold_of(const struct config *config, const struct scorer_said *said)
{
	for (unsigned i = 0; i < config->detectors_count; i++)
		if (strcmp(config->detectors[i].name, said->detector) == 0)
			return config->detectors[i].severity;
	return 0;
}

/* What one feedback does, as of the last interval of its series. */
static json_t *effect(const struct effects *effects, const struct scorer_said *said,
		      const struct feedback_entry *entry)
{
	const struct feedback_case of = {
		.slice = entry->slice,
		.direction = entry->said.direction,
		.from_ms = said->through_ms - entry->said.period_ms,
		.until_ms = said->through_ms,
		.since_ms = said->through_ms - entry->said.period_ms,
	};
	double threshold = threshold_of(effects->config, said);
	json_t *object = json_object();

	json_object_set_new(object, "threshold_before",
			    json_real(threshold + feedback_raise(said->list, &of, entry->number)));
	json_object_set_new(object, "threshold",
			    json_real(threshold + feedback_raise(said->list, &of, 0)));
	json_object_set_new(object, "in_force", json_boolean(entry->in_force));
	json_object_set_new(object, "suppressed", json_integer((json_int_t)entry->suppressed));
	if (entry->suppressed)
		json_object_set_new(object, "suppressed_ms", json_integer(entry->suppressed_ms));
	return object;
}

static void each_said(void *self, const struct scorer_said *said)
{
	const struct effects *effects = self;
	char number[24];

	for (uint32_t i = 0; i < said->list->count; i++) {
		const struct feedback_entry *entry = &said->list->entry[i];
		snprintf(number, sizeof(number), "%llu", (unsigned long long)entry->number);
		json_object_set_new(effects->by_number, number, effect(effects, said, entry));
	}
}

static void look(void *self, const void *scorer)
{
	scorer_said(scorer, each_said, self);
}

struct list {
	json_t *list;
	const json_t *effects;
};

static int each_input(void *self, const struct operator_input *input, uint64_t ended)
{
	const struct list *list = self;
	json_t *object = listing_input(input, ended);
	char number[24];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)input->number);
	json_t *found = json_object_get(list->effects, number);
	if (found)
		json_object_set(object, "effect", found);
	json_array_append_new(list->list, object);
	return 0;
}

void *said_json(struct engine *engine)
{
	struct effects effects = {.by_number = json_object(),
				  .config = engine->running ? engine->running : engine->config};
	struct list list = {.list = json_array(), .effects = effects.by_number};
	struct store_reader *reader;
	int error = 0;

	for (uint32_t i = 0; i < engine->config->shards && !error; i++)
		error = question_ask(&engine->shards[i].questions, look, &effects, PATIENCE_MS);
	const char *why = error ? "a shard is busy with a large close; ask again" : NULL;
	if (!error) {
		error = store_reader_open(engine->store_path, &reader);
		if (!error) {
			error = store_inputs(reader, OPERATOR_FEEDBACK, NULL, LISTED_MAX,
					     each_input, &list);
			store_reader_close(reader);
		}
		why = error < 0 ? strerror(-error) : NULL;
	}
	json_decref(effects.by_number);
	if (!why)
		return json_pack("{sb so}", "ok", 1, "feedback", list.list);
	json_decref(list.list);
	return json_pack("{sb ss}", "ok", 0, "error", why);
}
