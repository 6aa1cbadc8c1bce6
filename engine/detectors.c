/*
 * detectors: what each detector is and how far it has come, for who asks at the control socket.
 *
 *   {"command":"detectors"}                    -> {"detectors":[{...},...]}
 *   {"command":"detectors","name":"orders"}    the same for one, with its slices
 *
 * Runs on: the control agent asks; each shard looks its own up, between two closes.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine_private.h"

/* A shard that scores a large close has no time before it is done. */
#define PATIENCE_MS 5000u
/* Slices in one answer: the most severe. */
#define SLICES_MAX 100

struct list {
	json_t *detectors;
	const char *name; /* NULL: all, without slices */
};

static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static void add_number(json_t *to, const char *name, double value)
{
	if (isfinite(value))
		json_object_set_new(to, name, json_real(value));
}

static void add_period(json_t *to, int64_t frequency_ms)
{
	if (frequency_ms == DETECTOR_MONTH)
		json_object_set_new(to, "frequency", json_string("1mo"));
	else if (frequency_ms > 0)
		json_object_set_new(to, "frequency_ms", json_integer(frequency_ms));
}

/* Longer periods that it watches beside the interval. */
static void add_resolutions(json_t *to, const struct config_detector *detector)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < CONFIG_RESOLUTIONS_MAX && detector->resolutions_ms[i]; i++)
		json_array_append_new(list, json_integer(detector->resolutions_ms[i]));
	json_object_set_new(to, "resolutions_ms", list);
}

/* The configuration of a detector: what its kind knows. */
static json_t *spec_json(const struct config_detector *d)
{
	json_t *spec = json_pack("{ss sf sf sI sI sf sI}", "direction", d->direction, "severity",
				 d->severity, "min_volume", d->min_volume, "for",
				 (json_int_t)d->for_intervals, "recover",
				 (json_int_t)d->recover_intervals, "min_delta", d->min_delta,
				 "cooldown", (json_int_t)d->cooldown_intervals);

	if (strcmp(d->kind, "window") == 0) {
		json_object_set_new(spec, "window", json_integer(d->window_intervals));
		json_object_set_new(spec, "k", json_real(d->k));
	} else if (strcmp(d->kind, "rule") == 0) {
		add_number(spec, "up_percent", d->up_percent);
		add_number(spec, "down_percent", d->down_percent);
		add_number(spec, "above", d->above);
		add_number(spec, "below", d->below);
		add_number(spec, "growth_drop", d->growth_drop);
	} else if (strcmp(d->kind, "absence") == 0) {
		json_object_set_new(spec, "absent", json_integer(d->absent_intervals));
	} else {
		json_object_set_new(spec, "learn", json_integer(d->learn_intervals));
		add_resolutions(spec, d);
	}
	if (d->baseline && d->baseline[0])
		json_object_set_new(spec, "baseline", json_string(d->baseline));
	add_period(spec, d->frequency_ms);
	if (d->timezone)
		json_object_set_new(spec, "timezone", json_string(d->timezone));
	return spec;
}

static int by_severity(const void *left, const void *right)
{
	const struct bank_slice *l = left, *r = right;

	if (l->severity != r->severity)
		return l->severity < r->severity ? 1 : -1;
	return strcmp(l->label, r->label);
}

static json_t *slices_json(const struct bank_slice *slices, uint32_t count)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < count && i < SLICES_MAX; i++) {
		const struct bank_slice *s = &slices[i];
		const char *state = s->firing ? "firing" : s->pending ? "pending" : "normal";
		json_array_append_new(list, json_pack("{ss ss sf sf sf so so so}", "slice",
						      s->label, "state", state, "severity",
						      s->severity, "score", s->score, "onset",
						      s->onset, "expected", number(s->expected),
						      "lower", number(s->lower), "upper",
						      number(s->upper)));
	}
	return list;
}

/* What the bank says of itself; with its slices where one detector was asked for. */
static void add_bank(json_t *to, const struct bank *bank, bool with_slices)
{
	uint32_t count = bank_slices(bank), firing = 0;
	struct bank_slice *slices = calloc(count + 1, sizeof(*slices));
	uint64_t seen, wanted;

	bank_learning(bank, &seen, &wanted);
	for (uint32_t i = 0; slices && i < count; i++) {
		bank_slice(bank, i, &slices[i]);
		firing += slices[i].firing;
	}
	if (slices)
		qsort(slices, count, sizeof(*slices), by_severity);
	json_object_set_new(to, "learned", json_integer((json_int_t)seen));
	json_object_set_new(to, "learn", json_integer((json_int_t)wanted));
	json_object_set_new(to, "slices", json_integer(count));
	json_object_set_new(to, "watched", json_integer(bank_watched(bank)));
	json_object_set_new(to, "firing", json_integer(firing));
	json_object_set_new(to, "severity", json_real(slices && count ? slices[0].severity : 0));
	json_object_set_new(to, "state_bytes", json_integer((json_int_t)bank_bytes(bank)));
	if (with_slices && slices)
		json_object_set_new(to, "top_slices", slices_json(slices, count));
	free(slices);
}

static json_t *detector_json(const struct config_detector *detector, const char *source)
{
	json_t *object = json_pack("{ss ss ss ss?}", "name", detector->name, "metric",
				   detector->metric, "kind", detector->kind, "source", source);

	json_object_set_new(object, "spec", spec_json(detector));
	return object;
}

static void each(void *self, const struct scorer_detail *detail)
{
	struct list *list = self;

	if (list->name && strcmp(list->name, detail->detector->name) != 0)
		return;
	json_t *object = detector_json(detail->detector, detail->source);
	json_object_set_new(object, "through_ms",
			    detail->through_ms ? json_integer(detail->through_ms) : json_null());
	add_bank(object, detail->bank, list->name != NULL);
	json_array_append_new(list->detectors, object);
}

static void look(void *self, const void *scorer)
{
	scorer_details(scorer, each, self);
}

static bool is_listed(const json_t *list, const char *name)
{
	const json_t *object;
	size_t i;

	json_array_foreach(list, i,
			   object) if (strcmp(json_string_value(json_object_get(object, "name")),
					      name) == 0) return true;
	return false;
}

/* A detector works once a source has come; until then there is only what was configured. */
static void add_idle(const struct config *config, struct list *list)
{
	for (unsigned i = 0; i < config->detectors_count; i++) {
		const struct config_detector *detector = &config->detectors[i];
		if ((!list->name || strcmp(list->name, detector->name) == 0) &&
		    !is_listed(list->detectors, detector->name))
			json_array_append_new(list->detectors, detector_json(detector, NULL));
	}
}

void *detectors_json(struct engine *engine, const char *name)
{
	struct list list = {.detectors = json_array(), .name = name};

	for (uint32_t i = 0; i < engine->config->shards; i++)
		if (question_ask(&engine->shards[i].questions, look, &list, PATIENCE_MS) < 0) {
			json_decref(list.detectors);
			return json_pack("{sb ss}", "ok", 0, "error",
					 "a shard is busy with a large close; ask again");
		}
	add_idle(engine->running ? engine->running : engine->config, &list);
	if (name && json_array_size(list.detectors) == 0) {
		json_decref(list.detectors);
		return json_pack("{sb ss sb}", "ok", 0, "error",
				 "there is no such detector: see weirctl detectors list", "unknown",
				 1);
	}
	return json_pack("{sb so}", "ok", 1, "detectors", list.detectors);
}
