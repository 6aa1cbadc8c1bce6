/*
 * chart: see chart.h.
 */
#include "chart.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY_BYTES 640
/* Points, or names, of one answer at most: some megabytes. */
#define CHART_POINTS_MAX 20000
#define CHART_NAMES_MAX 10000

static const char *const aggregations[] = {"count", "sum",      "mean",       "min",
					   "max",   "distinct", "percentile", "ratio"};

const char *chart_aggregation_name(enum aggregation aggregation)
{
	return aggregations[aggregation];
}

static json_t *number(double value)
{
	if (!isfinite(value))
		return json_null();
	if (value == floor(value) && fabs(value) < 9e15)
		return json_integer((json_int_t)value);
	return json_real(value);
}

static json_t *point_json(const struct history_answer *answer, const struct history_point *point)
{
	json_t *json = json_pack("{sI so so si si}", "time_ms", (json_int_t)point->time_ms, "value",
				 number(point->value), "events", number(point->events), "closed",
				 (int)point->closed, "incomplete", (int)point->incomplete);

	if (answer->aggregation == AGGREGATE_RATIO) {
		json_object_set_new(json, "numerator", number(point->numerator));
		json_object_set_new(json, "weight", number(point->weight));
	}
	return json;
}

static json_t *answer_json(const struct history_answer *answer)
{
	json_t *points = json_array();
	json_t *json = json_pack("{ss ss ss ss ss sI sI si}", "source", answer->source, "metric",
				 answer->metric, "slice", answer->slice, "aggregation",
				 aggregations[answer->aggregation], "tier",
				 history_tier_name(answer->tier), "interval_ms",
				 (json_int_t)answer->interval_ms, "step_ms",
				 (json_int_t)answer->step_ms, "damaged", (int)answer->damaged);

	if (answer->aggregation == AGGREGATE_PERCENTILE)
		json_object_set_new(json, "quantile", json_real(answer->quantile));
	for (uint32_t i = 0; i < answer->count; i++)
		json_array_append_new(points, point_json(answer, &answer->points[i]));
	json_object_set_new(json, "points", points);
	return json;
}

static void *chart_json(const char *path, const struct history_query *query, bool *ret_unknown,
			char *why, size_t why_bytes)
{
	struct history_reader *reader;
	struct history_answer answer;

	if (history_reader_open_or_say(path, &reader, why, why_bytes) < 0)
		return NULL;
	int error = history_read(reader, query, &answer, why, why_bytes);
	history_reader_close(reader);
	*ret_unknown = error == -ENOENT;
	if (error < 0)
		return NULL;
	json_t *json = answer_json(&answer);
	history_answer_fini(&answer);
	return json;
}

struct listing {
	json_t *list;
	const char *metric; /* NULL: metrics are listed, not slices */
};

static int each_name(void *self, const struct history_name *name)
{
	struct listing *listing = self;
	size_t count = json_array_size(listing->list);
	json_t *last = count ? json_array_get(listing->list, count - 1) : NULL;

	if (count == CHART_NAMES_MAX)
		return 1;
	if (listing->metric && strcmp(name->metric, listing->metric) == 0)
		json_array_append_new(listing->list, json_pack("{ss ss}", "source", name->source,
							       "slice", name->slice));
	if (listing->metric)
		return 0;
	/* They come by source and metric. */
	if (!last ||
	    strcmp(json_string_value(json_object_get(last, "source")), name->source) != 0 ||
	    strcmp(json_string_value(json_object_get(last, "metric")), name->metric) != 0) {
		last = json_pack("{ss ss ss si}", "source", name->source, "metric", name->metric,
				 "aggregation", aggregations[name->aggregation], "slices", 0);
		json_array_append_new(listing->list, last);
	}
	json_t *slices = json_object_get(last, "slices");
	json_integer_set(slices, json_integer_value(slices) + 1);
	return 0;
}

static void *chart_names(const char *path, const char *metric, bool *ret_unknown, char *why,
			 size_t why_bytes)
{
	struct listing listing = {.list = json_array(), .metric = metric};
	struct history_reader *reader;

	if (history_reader_open_or_say(path, &reader, why, why_bytes) < 0) {
		json_decref(listing.list);
		return NULL;
	}
	int error = history_names(reader, each_name, &listing);
	history_reader_close(reader);
	if (error < 0) {
		snprintf(why, why_bytes, "cannot read %s: %s", path, strerror(-error));
		json_decref(listing.list);
		return NULL;
	}
	if (metric && json_array_size(listing.list) == 0) {
		*ret_unknown = true;
		snprintf(why, why_bytes, "nothing is known of %s: see weirctl history", metric);
		json_decref(listing.list);
		return NULL;
	}
	return listing.list;
}

static int64_t integer_of(const json_t *request, const char *name, int64_t absent)
{
	const json_t *value = json_object_get(request, name);

	return json_is_integer(value) ? (int64_t)json_integer_value(value) : absent;
}

static char *text_of(json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT | JSON_PRESERVE_ORDER);

	json_decref(answer);
	return text;
}

char *chart_answer(const char *path, const void *request)
{
	char why[WHY_BYTES] = "";
	const char *metric = json_string_value(json_object_get(request, "metric"));
	struct history_query query = {
		.metric = metric,
		.source = json_string_value(json_object_get(request, "source")),
		.slice = json_string_value(json_object_get(request, "slice")),
		.from_ms = integer_of(request, "from_ms", 0),
		.to_ms = integer_of(request, "to_ms", HISTORY_NEWEST),
		.back_ms = integer_of(request, "back_ms", 0),
		.step_ms = integer_of(request, "step_ms", 0),
	};
	int64_t points = integer_of(request, "points", 0);
	bool slices = json_is_true(json_object_get(request, "slices"));
	bool unknown = false;
	json_t *found;

	query.points_max = points > 0 && points < CHART_POINTS_MAX ? (uint32_t)points : 0;
	if (metric && !slices)
		found = chart_json(path, &query, &unknown, why, sizeof(why));
	else
		found = chart_names(path, metric, &unknown, why, sizeof(why));
	if (!found)
		return text_of(
			json_pack("{sb ss sb}", "ok", 0, "error", why, "unknown", unknown));
	return text_of(json_pack("{sb so}", "ok", 1,
				 !metric  ? "metrics"
				 : slices ? "slices"
					  : "history",
				 found));
}
