/*
 * api_chart: a span of one slice of a metric, in columns: what it was, what was expected, how
 * severe that is, what was before, and what people said of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/match.h"
#include "chart.h"
#include "console.h"
#include "detect/calendar.h"
#include "deliver/store.h"
#include "input_calendar.h"
#include "looking.h"
#include "marks.h"

#define DAY_MS INT64_C(86400000)
#define TIME_MAX_MS (INT64_C(1) << 42)
#define WHY_BYTES 640
/* Of each, in one answer. */
#define NOTES_MAX 200
#define CALENDAR_MAX 200
#define COMPARED_MAX 3

#define AT(member) offsetof(struct outlook_point, member)

/* What a chart may be held against. A year of weeks, so that weekdays agree. */
static const struct {
	const char *name;
	int64_t days;
} compared[COMPARED_MAX] = {{"day", 1}, {"week", 7}, {"year", 364}};

struct chart {
	struct looking looking;
	struct outlook_query query;
	struct outlook outlook;
	int64_t from_ms, until_ms; /* what is shown */
	uint32_t count;            /* of its points; the open one is told apart */
	const char *compare;
};

/* Is the word in a list such as "day,week"? */
static bool has_word(const char *list, const char *word)
{
	size_t bytes = strlen(word);

	for (const char *at = list; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, word, bytes) == 0 && (at[bytes] == ',' || at[bytes] == '\0'))
			return true;
	return false;
}

static json_t *check_compare(const char *list, unsigned *status)
{
	size_t bytes = 0;

	for (size_t i = 0; i < COMPARED_MAX; i++)
		if (has_word(list, compared[i].name))
			bytes += strlen(compared[i].name) + 1;
	if (!list || !list[0] || bytes == strlen(list) + 1)
		return NULL;
	return api_error(status, 400, "compare has to be a list of day, week and year");
}

/* What is asked for; NULL, or what is wrong with it. */
static json_t *read_query(const struct api_request *request, struct chart *chart, unsigned *status)
{
	struct outlook_query *query = &chart->query;
	json_t *error = NULL;
	int64_t points, expected;
	const char *source = api_query(request, "source");
	const char *detector = api_query(request, "detector");

	query->source = source && source[0] ? source : NULL;
	query->slice = api_query(request, "slice");
	query->detector = detector && detector[0] ? detector : NULL;
	chart->compare = api_query(request, "compare");
	*status = 400;
	if (api_query_i64(request, "from_ms", -TIME_MAX_MS, TIME_MAX_MS, 0, &query->from_ms,
			  &error) < 0 ||
	    api_query_i64(request, "to_ms", -TIME_MAX_MS, TIME_MAX_MS, HISTORY_NEWEST,
			  &query->to_ms, &error) < 0 ||
	    api_query_i64(request, "back_ms", 0, TIME_MAX_MS,
			  api_query(request, "from_ms") ? 0 : DAY_MS, &query->back_ms,
			  &error) < 0 ||
	    api_query_i64(request, "step_ms", 0, TIME_MAX_MS, 0, &query->step_ms, &error) < 0 ||
	    api_query_i64(request, "points", 1, OUTLOOK_POINTS_MAX, OUTLOOK_POINTS, &points,
			  &error) < 0 ||
	    api_query_i64(request, "expected", 0, 1, 1, &expected, &error) < 0)
		return error;
	query->points_max = (uint32_t)points;
	query->values = !expected;
	error = check_compare(chart->compare, status);
	if (!error)
		*status = 200;
	return error;
}

static void add_column(json_t *json, const char *name, const struct chart *chart, size_t at,
		       bool exact)
{
	json_t *column = json_array();

	for (uint32_t i = 0; i < chart->count; i++) {
		const char *point = (const char *)&chart->outlook.points[i];
		double value;
		memcpy(&value, point + at, sizeof(value));
		json_array_append_new(column, exact ? looking_number(value) : looking_rough(value));
	}
	json_object_set_new(json, name, column);
}

static void add_columns(json_t *json, const struct chart *chart)
{
	const struct outlook *outlook = &chart->outlook;
	json_t *times = json_array(), *incomplete = json_array();

	for (uint32_t i = 0; i < chart->count; i++) {
		const struct outlook_point *point = &outlook->points[i];
		json_array_append_new(times, json_integer(point->time_ms));
		bool whole = !point->incomplete &&
			     (!point->closed || point->closed >= point->intervals);
		if (!whole)
			json_array_append_new(incomplete, json_integer(i));
	}
	json_object_set_new(json, "time_ms", times);
	add_column(json, "value", chart, AT(value), true);
	if (!chart->query.values) {
		add_column(json, "expected", chart, AT(expected), false);
		add_column(json, "lower", chart, AT(lower), false);
		add_column(json, "upper", chart, AT(upper), false);
		add_column(json, "severity", chart, AT(severity), false);
	}
	json_object_set_new(json, "incomplete", incomplete);
}

/* The last point while it goes on: so far, and what is expected of all of it. */
static json_t *open_json(const struct outlook *outlook)
{
	if (!outlook->open)
		return json_null();
	const struct outlook_point *last = &outlook->points[outlook->count - 1];
	return json_pack("{sI so so si si}", "time_ms", (json_int_t)last->time_ms, "value",
			 looking_number(last->value), "expected", looking_rough(last->expected),
			 "closed", (int)last->closed, "intervals", (int)last->intervals);
}

/* NULL: all went well. */
static json_t *add_compared(json_t *json, struct chart *chart, unsigned *status)
{
	struct outlook *outlook = &chart->outlook;
	json_t *columns = json_object(), *steps = json_object();
	double *values = calloc(outlook->count + 1, sizeof(*values));
	char why[WHY_BYTES] = "";
	int error = values ? 0 : -ENOMEM;

	for (size_t i = 0; i < COMPARED_MAX && !error; i++) {
		int64_t step_ms;
		if (!has_word(chart->compare, compared[i].name))
			continue;
		error = outlook_before(&chart->query, outlook, compared[i].days, values, &step_ms,
				       why, sizeof(why));
		json_t *column = json_array();
		for (uint32_t p = 0; p < chart->count; p++)
			json_array_append_new(column, looking_number(values[p]));
		json_object_set_new(columns, compared[i].name, column);
		json_object_set_new(steps, compared[i].name,
				    step_ms ? json_integer(step_ms) : json_null());
	}
	free(values);
	json_object_set_new(json, "compare", columns);
	json_object_set_new(json, "compare_step_ms", steps);
	return error ? looking_failed(error, why, status) : NULL;
}

struct noting {
	const struct chart *chart;
	json_t *notes;
};

static int each_note(void *self, const struct operator_input *input, uint64_t ended)
{
	struct noting *noting = self;
	const struct chart *chart = noting->chart;
	const struct outlook *outlook = &chart->outlook;
	int64_t until_ms = input->until_ms > input->from_ms ? input->until_ms : input->from_ms;

	(void)ended;
	if (input->has_id || until_ms < chart->from_ms || input->from_ms >= chart->until_ms ||
	    (input->source[0] && !match_glob(input->source, outlook->source)) ||
	    (input->metric[0] && !match_glob(input->metric, outlook->metric)) ||
	    !match_slice(input->slice, outlook->slice))
		return 0;
	json_array_append_new(noting->notes,
			      json_pack("{sI sI ss ss sI}", "from_ms", (json_int_t)input->from_ms,
					"until_ms", (json_int_t)until_ms, "text", input->text,
					"author", input->author, "number",
					(json_int_t)input->number));
	return json_array_size(noting->notes) >= NOTES_MAX;
}

static json_t *notes_json(const struct chart *chart)
{
	struct noting noting = {.chart = chart, .notes = json_array()};
	struct store_reader *reader;

	/* Where nothing was stored yet, nobody has said anything. */
	if (store_reader_open(chart->looking.store, &reader) == 0) {
		store_inputs(reader, OPERATOR_ANNOTATE, NULL, 0, each_note, &noting);
		store_reader_close(reader);
	}
	return noting.notes;
}

static void add_occurrences(const struct chart *chart, const struct calendar_entry *entry,
			    json_t *list)
{
	char effect[CALENDAR_EFFECT_BYTES];
	int64_t from_ms, until_ms, after_ms = chart->from_ms;

	calendar_put_effect(entry, effect);
	while (json_array_size(list) < CALENDAR_MAX &&
	       calendar_next(entry, outlook_zone(chart->looking.config), after_ms, &from_ms,
			     &until_ms) &&
	       from_ms < chart->until_ms) {
		json_array_append_new(list, json_pack("{sI sI ss ss}", "from_ms",
						      (json_int_t)from_ms, "until_ms",
						      (json_int_t)until_ms, "name", entry->name,
						      "effect", effect));
		after_ms = until_ms > after_ms ? until_ms : after_ms + 1;
	}
}

static json_t *calendar_json(const struct chart *chart)
{
	const struct outlook *outlook = &chart->outlook;
	struct calendar *calendar = calendar_create();
	json_t *list = json_array();

	if (calendar && input_calendar_stored(chart->looking.store, calendar) == 0)
		for (uint32_t i = 0; i < calendar->count; i++) {
			const struct calendar_entry *entry = &calendar->entries[i];
			if (calendar_concerns(entry, outlook->source, outlook->metric) &&
			    calendar_covers(entry, outlook->slice))
				add_occurrences(chart, entry, list);
		}
	calendar_destroy(calendar);
	return list;
}

static json_t *chart_json(struct chart *chart, unsigned *status)
{
	const struct outlook *outlook = &chart->outlook;
	json_t *json = json_pack("{ss ss ss ss ss sI sI ss sb sI sI ss? ss? si}", "metric",
				 outlook->metric, "slice", outlook->slice, "source",
				 outlook->source, "aggregation",
				 chart_aggregation_name(outlook->aggregation), "unit",
				 looking_unit(&chart->looking, outlook->metric), "interval_ms",
				 (json_int_t)outlook->interval_ms, "step_ms",
				 (json_int_t)outlook->step_ms, "tier",
				 history_tier_name(outlook->tier), "local", outlook->local,
				 "known_ms", (json_int_t)outlook->known_ms, "through_ms",
				 (json_int_t)outlook->through_ms, "detector",
				 outlook->detector[0] ? outlook->detector : NULL, "unsaid",
				 outlook->unsaid[0]       ? outlook->unsaid
				 : chart->looking.config  ? NULL
							  : chart->looking.why,
				 "damaged", (int)outlook->damaged);

	if (!json)
		return NULL;
	add_columns(json, chart);
	json_object_set_new(json, "open", open_json(outlook));
	json_t *error = add_compared(json, chart, status);
	if (error) {
		json_decref(json);
		return error;
	}
	json_object_set_new(json, "notes", notes_json(chart));
	json_object_set_new(json, "calendar", calendar_json(chart));
	json_object_set_new(json, "anomalies",
			    marks_of_slice(chart->looking.console->book, outlook->source,
					   outlook->metric, outlook->slice, chart->from_ms,
					   chart->until_ms));
	return json;
}

json_t *api_chart(struct console *console, const struct api_request *request, unsigned *status)
{
	const char *metric = api_query(request, "metric");
	struct chart *chart = calloc(1, sizeof(*chart));
	char why[WHY_BYTES];

	if (!chart)
		return NULL;
	json_t *answer = NULL;
	if (!metric || !metric[0])
		answer = api_error(status, 400, "metric is missing: of which one? /api/v1/series "
						"lists them");
	if (!answer)
		answer = looking_begin(console, &chart->looking, status);
	if (!answer) {
		chart->query = looking_query(&chart->looking, metric);
		answer = read_query(request, chart, status);
	}
	if (!answer) {
		int error = outlook_read(&chart->query, &chart->outlook, why, sizeof(why));
		const struct outlook *outlook = &chart->outlook;
		chart->count = error < 0 ? 0 : outlook->count - outlook->open;
		if (chart->count) {
			chart->from_ms = outlook->points[0].time_ms;
			chart->until_ms = outlook->points[chart->count - 1].time_ms +
					  outlook->step_ms;
		}
		answer = error < 0 ? looking_failed(error, why, status)
				   : chart_json(chart, status);
	}
	outlook_fini(&chart->outlook);
	if (chart->looking.console)
		looking_end(&chart->looking);
	free(chart);
	return answer;
}
