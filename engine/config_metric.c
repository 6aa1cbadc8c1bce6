/*
 * config_metric: what a metric counts, of which events, and how it is rolled up.
 *
 * Runs on: the main thread, at start; weirctl.
 * Never: knows what an aggregation does.
 */
#include "config_metric.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METRIC(member) .from = offsetof(struct yaml_metric, member), VALUE(config_metric, member)

static const char *const aggregations[] = {"count", "sum", "mean", "min", "max", NULL};

/* clang-format off */
static const struct setting metric_settings[] = {
	{"name", NAME, METRIC(name)},
	{"event", LABEL, METRIC(event)},
	{"agg", CHOICE, METRIC(agg), .standard = "count", .choices = aggregations},
	{"field", LABEL, METRIC(field)},
	END,
};
/* clang-format on */

/* "country" or "country*device" into a roll-up. */
static int parse_rollup(struct config_job *job, const char *path, const char *text,
			struct config_rollup *rollup)
{
	const char *rest = text;
	bool more = true;

	rollup->dimensions = calloc(WEIR_DIMENSIONS_MAX, sizeof(char *));
	if (!rollup->dimensions)
		return -ENOMEM;
	while (more) {
		size_t length = strcspn(rest, "*");
		const char *next = rest + length;

		more = *next == '*';
		while (length && rest[length - 1] == ' ')
			length--;
		while (length && *rest == ' ') {
			rest++;
			length--;
		}
		if (!length || length > WEIR_NAME_BYTES_MAX)
			return config_refuse(
				job,
				"%s: \"%s\" is not a roll-up; write a dimension's name, or "
				"several as country*device",
				path, text);
		if (rollup->dimensions_count == WEIR_DIMENSIONS_MAX)
			return config_refuse(job, "%s: more than %d dimensions", path,
					     WEIR_DIMENSIONS_MAX);
		char *name = strndup(rest, length);

		if (!name)
			return -ENOMEM;
		rollup->dimensions[rollup->dimensions_count++] = name;
		for (unsigned i = 0; i + 1 < rollup->dimensions_count; i++)
			if (strcmp(rollup->dimensions[i], name) == 0)
				return config_refuse(job, "%s: %s stands there twice; remove one",
						     path, name);
		rest = next + 1;
	}
	return 0;
}

/* The same dimensions, in whatever order. */
static bool same_rollup(const struct config_rollup *a, const struct config_rollup *b)
{
	if (a->dimensions_count != b->dimensions_count)
		return false;
	for (unsigned i = 0; i < a->dimensions_count; i++) {
		bool found = false;

		for (unsigned j = 0; j < b->dimensions_count; j++)
			found |= strcmp(a->dimensions[i], b->dimensions[j]) == 0;
		if (!found)
			return false;
	}
	return true;
}

int config_metric_parse(struct config_job *job, unsigned index, const struct yaml_metric *yaml)
{
	struct config_metric *metric = &job->config->metrics[index];
	char prefix[64];
	int r;

	snprintf(prefix, sizeof(prefix), "metrics[%u].", index);
	r = config_interpret(job, metric_settings, prefix, yaml, metric);
	if (r < 0)
		return r;
	if (!metric->name)
		return config_refuse(job, "%sname: missing; every metric has one", prefix);
	if (!metric->event || !metric->event[0])
		return config_refuse(job,
				     "%sevent: missing; write which event feeds %s, as purchase",
				     prefix, metric->name);
	for (unsigned i = 0; i < index; i++)
		if (strcmp(job->config->metrics[i].name, metric->name) == 0)
			return config_refuse(job,
					     "%sname: metrics[%u] is called %s too; rename one",
					     prefix, i, metric->name);
	if (!metric->field)
		metric->field = strdup(strcmp(metric->agg, "count") == 0 ? "" : "value");
	metric->by = calloc(yaml->by_count + 1, sizeof(*metric->by));
	if (!metric->field || !metric->by)
		return -ENOMEM;
	for (unsigned i = 0; i < yaml->by_count; i++) {
		char path[80];

		snprintf(path, sizeof(path), "%sby[%u]", prefix, i);
		metric->by_count++;
		r = parse_rollup(job, path, yaml->by[i], &metric->by[i]);
		if (r < 0)
			return r;
		for (unsigned j = 0; j < i; j++)
			if (same_rollup(&metric->by[i], &metric->by[j]))
				return config_refuse(job, "%s: the same as by[%u]; remove one",
						     path, j);
	}
	return 0;
}

void config_metric_free(struct config_metric *metric)
{
	for (unsigned i = 0; i < metric->by_count; i++) {
		for (unsigned j = 0; j < metric->by[i].dimensions_count; j++)
			free(metric->by[i].dimensions[j]);
		free(metric->by[i].dimensions);
	}
	free(metric->by);
	config_free_texts(metric_settings, metric);
}
