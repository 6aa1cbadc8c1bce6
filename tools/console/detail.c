/*
 * detail: see detail.h.
 */
#include "detail.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "book.h"
#include "deliver/payload.h"
#include "row.h"

#define TEXT_BYTES 512

static void put_number(json_t *to, const char *name, double value)
{
	json_object_set_new(to, name, row_number(value));
}

json_t *detail_revision(const struct anomaly *revision)
{
	json_t *object = json_object();

	json_object_set_new(object, "revision", json_integer(revision->revision));
	json_object_set_new(object, "state", json_string(anomaly_state_name(revision->state)));
	json_object_set_new(object, "at_ms",
			    json_integer(anomaly_time_ms(revision, revision->interval, true)));
	put_number(object, "severity", severity_shown(revision->severity));
	put_number(object, "peak", severity_shown(revision->severity_peak));
	json_object_set_new(object, "direction", json_string(row_direction(revision->direction)));
	put_number(object, "observed", revision->observed);
	put_number(object, "expected", revision->expected);
	put_number(object, "lower", revision->lower);
	put_number(object, "upper", revision->upper);
	put_number(object, "log10_p", revision->log10_p < 0 ? revision->log10_p : NAN);
	return object;
}

/* The list of a dimension's values; added where it is new. */
static json_t *values_of(json_t *list, const char *dimension)
{
	json_t *group;
	size_t i;

	json_array_foreach(list, i, group)
	{
		const char *name = json_string_value(json_object_get(group, "dimension"));
		if (name && strcmp(name, dimension) == 0)
			return json_object_get(group, "values");
	}
	json_t *values = json_array();
	if (json_array_append_new(list,
				  json_pack("{ss so}", "dimension", dimension, "values", values)))
		return NULL;
	return values;
}

static json_t *value_json(const struct contribution *from)
{
	json_t *object = json_object();
	json_t *value = json_string(from->value);

	json_object_set_new(object, "value", value ? value : json_string("\xef\xbf\xbd"));
	put_number(object, "share", from->share);
	put_number(object, "observed", from->observed);
	put_number(object, "expected", from->expected);
	return object;
}

static double sum_of(const json_t *values, const char *name)
{
	const json_t *value;
	double sum = 0;
	size_t i;

	json_array_foreach(values, i, value) sum += json_number_value(json_object_get(value, name));
	return sum;
}

/* What the values that are listed leave. Too small to be seen, it is rounding. */
static void add_rest(json_t *values, const struct anomaly *strongest, bool sums)
{
	double share = 1 - sum_of(values, "share");
	bool whole = sums && !strongest->slice[0];
	double observed = strongest->observed - sum_of(values, "observed");
	double expected = strongest->expected - sum_of(values, "expected");

	if (!(share > 1e-9))
		return;
	json_t *rest = json_pack("{sn sf}", "value", "share", share);
	put_number(rest, "observed", whole && observed >= 0 ? observed : NAN);
	put_number(rest, "expected", whole && expected >= 0 ? expected : NAN);
	json_array_append_new(values, rest);
}

json_t *detail_contributions(const struct anomaly *strongest, bool sums)
{
	json_t *list = json_array(), *group;
	size_t i;

	for (uint32_t k = 0; k < strongest->contributions; k++) {
		json_t *values = values_of(list, strongest->contribution[k].dimension);
		if (values)
			json_array_append_new(values, value_json(&strongest->contribution[k]));
	}
	json_array_foreach(list, i, group)
		add_rest(json_object_get(group, "values"), strongest, sums);
	return list;
}

json_t *detail_explanation(const struct anomaly *strongest)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < strongest->explanations; i++) {
		const struct explanation *from = &strongest->explanation[i];
		json_t *object = json_pack("{ss so}", "slice", from->slice, "dimensions",
					   row_dimensions(from->slice));
		if (!object)
			continue;
		put_number(object, "share", from->share);
		put_number(object, "observed", from->observed);
		put_number(object, "expected", from->expected);
		json_object_set_new(object, "since_ms",
				    json_integer(anomaly_time_ms(strongest, from->since, false)));
		json_array_append_new(list, object);
	}
	return list;
}

static void add(json_t *timeline, int64_t at_ms, const char *kind, const char *text,
		const char *author)
{
	json_t *entry = json_pack("{sI ss ss? ss?}", "at_ms", (json_int_t)at_ms, "kind", kind,
				  "text", text && text[0] ? text : NULL, "author",
				  author && author[0] ? author : NULL);

	json_array_append_new(timeline, entry);
}

/* In three digits, whole ones from 100 on; without a locale. */
static void put_figure(char *to, size_t bytes, double value)
{
	if (!isfinite(value))
		snprintf(to, bytes, "nothing");
	else
		snprintf(to, bytes, fabs(value) >= 100 || value == floor(value) ? "%.0f" : "%.3g",
			 value);
}

void detail_add_revision(json_t *timeline, const struct anomaly *revision)
{
	static const char *const words[] = {
		[ANOMALY_FIRING] = "It fires",
		[ANOMALY_UPDATED] = "It has changed",
		[ANOMALY_RESOLVED] = "It is over",
		[ANOMALY_PENDING] = "It may begin",
	};
	int64_t at_ms = anomaly_time_ms(revision, revision->interval, true);
	char text[TEXT_BYTES], observed[32], expected[32];

	put_figure(observed, sizeof(observed), revision->observed);
	put_figure(expected, sizeof(expected), revision->expected);
	snprintf(text, sizeof(text), "%s: severity %.1f, %s of %s expected%s%s",
		 words[revision->state], severity_shown(revision->severity), observed, expected,
		 revision->explanations ? ", mostly " : "",
		 revision->explanations ? revision->explanation[0].slice : "");
	add(timeline, at_ms, "revision", text, NULL);
	if (!store_publishes(revision))
		return;
	snprintf(text, sizeof(text), "Subscribers are told: %s, %s",
		 anomaly_state_name(revision->state), severity_band_name(revision->severity));
	add(timeline, at_ms, "alert", text, NULL);
}

void detail_add_input(json_t *timeline, const struct operator_input *input, uint64_t ended)
{
	char text[OPERATOR_TEXT_BYTES + 64];
	const char *verdict = NULL;

	switch (input->kind) {
	case OPERATOR_ACK:
		add(timeline, input->time_ms, "ack", input->text, input->author);
		return;
	case OPERATOR_ANNOTATE:
		add(timeline, input->time_ms, "note", input->text, input->author);
		return;
	case OPERATOR_MUTE:
		snprintf(text, sizeof(text), "%s%s", input->text, ended ? " (ended)" : "");
		add(timeline, input->time_ms, "mute", text, input->author);
		return;
	case OPERATOR_FEEDBACK:
		if (book_verdict(input))
			verdict = feedback_verdict_name(book_verdict(input));
		snprintf(text, sizeof(text), "%s%s%s%s", verdict ? verdict : "said",
			 input->text[0] ? ": " : "", input->text, ended ? " (taken back)" : "");
		add(timeline, input->time_ms, "feedback", text, input->author);
		return;
	case OPERATOR_FEEDBACK_UNDO:
		add(timeline, input->time_ms, "feedback", "taken back", input->author);
		return;
	default:
		return;
	}
}

struct moment {
	json_t *entry;
	size_t place;
};

static int compare_moments(const void *left, const void *right)
{
	const struct moment *l = left, *r = right;
	json_int_t l_ms = json_integer_value(json_object_get(l->entry, "at_ms"));
	json_int_t r_ms = json_integer_value(json_object_get(r->entry, "at_ms"));

	if (l_ms != r_ms)
		return l_ms < r_ms ? -1 : 1;
	return l->place < r->place ? -1 : l->place > r->place;
}

void detail_sort(json_t *timeline)
{
	size_t count = json_array_size(timeline);
	struct moment *moment = calloc(count + 1, sizeof(*moment));

	for (size_t i = 0; moment && i < count; i++)
		moment[i] = (struct moment){json_incref(json_array_get(timeline, i)), i};
	if (!moment)
		return;
	qsort(moment, count, sizeof(*moment), compare_moments);
	json_array_clear(timeline);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(timeline, moment[i].entry);
	free(moment);
}
