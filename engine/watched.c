/*
 * watched: the metrics of the running configuration, for who asks at the control socket.
 *
 *   {"command":"metrics"} -> {"metrics":[{"name","aggregation","unit","quantile"?,"event"|null,
 *                             "numerator"?,"denominator"?,"dimensions":[name],
 *                             "detectors":[name]},...],"timezone"}
 *
 * In the configuration's order. dimensions: those of its roll-ups, each once.
 * Runs on: the control agent; the console, on any thread.
 */
#include "watched.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static bool has_text(const json_t *list, const char *text)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one) if (strcmp(json_string_value(one), text) == 0) return true;
	return false;
}

static json_t *dimensions_json(const struct config_metric *metric)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < metric->by_count; i++)
		for (unsigned d = 0; d < metric->by[i].dimensions_count; d++)
			if (!has_text(list, metric->by[i].dimensions[d]))
				json_array_append_new(list,
						      json_string(metric->by[i].dimensions[d]));
	return list;
}

static json_t *detectors_of(const struct config *config, const char *metric)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < config->detectors_count; i++)
		if (strcmp(config->detectors[i].metric, metric) == 0)
			json_array_append_new(list, json_string(config->detectors[i].name));
	return list;
}

const char *watched_unit_of(const char *aggregation, bool counts)
{
	if (strcmp(aggregation, "count") == 0 || strcmp(aggregation, "distinct") == 0)
		return "count";
	return strcmp(aggregation, "ratio") == 0 && counts ? "share" : "value";
}

const char *watched_unit(const struct config *config, const struct config_metric *metric)
{
	const struct config_metric *half[] = {&config->metrics[metric->numerator],
					      &config->metrics[metric->denominator]};
	bool counts = true;

	/* The parts of a ratio are no ratios. */
	for (int i = 0; i < 2 && strcmp(metric->agg, "ratio") == 0; i++)
		counts &= strcmp(watched_unit_of(half[i]->agg, false), "count") == 0;
	return watched_unit_of(metric->agg, counts);
}

static json_t *metric_json(const struct config *config, const struct config_metric *metric)
{
	json_t *object = json_pack("{ss ss ss ss? so so}", "name", metric->name, "aggregation",
				   metric->agg, "unit", watched_unit(config, metric), "event",
				   metric->event, "dimensions", dimensions_json(metric),
				   "detectors", detectors_of(config, metric->name));

	if (metric->agg[0] == 'p' && isfinite(metric->quantile))
		json_object_set_new(object, "quantile", json_real(metric->quantile));
	if (metric->event)
		return object;
	json_object_set_new(object, "numerator",
			    json_string(config->metrics[metric->numerator].name));
	json_object_set_new(object, "denominator",
			    json_string(config->metrics[metric->denominator].name));
	return object;
}

void *watched_json(const struct config *config)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < config->metrics_count; i++)
		json_array_append_new(list, metric_json(config, &config->metrics[i]));
	return json_pack("{sb so ss?}", "ok", 1, "metrics", list, "timezone", config->timezone);
}
