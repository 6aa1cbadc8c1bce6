/*
 * config_metric: what a metric counts, of which events, and how it is rolled up.
 *
 * Idea:  a metric is either an aggregation of an event, perhaps only where conditions hold, or the
 *        ratio of two such metrics that stand before it. Names of dimensions and values in a
 *        condition may have a backslash before a character that would end them.
 *
 * Runs on: the main thread, at start; weirctl.
 * Never: knows what an aggregation does.
 */
#include "config_metric.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METRIC(member) .from = offsetof(struct yaml_metric, member), VALUE(config_metric, member)

/* And percentiles. */
static const char *const empties[] = {"zero", "missing", NULL};
static const char *const aggregations[] = {"count", "sum", "mean", "min", "max", "distinct", NULL};

/* clang-format off */
static const struct setting metric_settings[] = {
	{"name", NAME, METRIC(name)},
	{"event", LABEL, METRIC(event)},
	{"agg", TEXT, METRIC(agg)},
	{"field", LABEL, METRIC(field)},
	{"empty", CHOICE, METRIC(empty), .choices = empties},
	END,
};
/* clang-format on */

/* "p95" or "p99.9"; false: it is not that, or none between p0 and p100. */
static bool parse_percentile(const char *text, double *ret_quantile)
{
	size_t digits = text[0] == 'p' ? strspn(text + 1, "0123456789") : 0;
	const char *rest = text + 1 + digits;

	if (!digits)
		return false;
	if (rest[0] == '.') {
		digits = strspn(rest + 1, "0123456789");
		rest += 1 + digits;
	}
	if (!digits || *rest || rest - text > 12)
		return false;
	*ret_quantile = strtod(text + 1, NULL) / 100;
	return *ret_quantile > 0 && *ret_quantile < 1;
}

static int check_aggregation(struct config_job *job, const char *prefix,
			     struct config_metric *metric)
{
	for (size_t i = 0; aggregations[i]; i++)
		if (strcmp(metric->agg, aggregations[i]) == 0)
			return 0;
	if (parse_percentile(metric->agg, &metric->quantile))
		return 0;
	return config_refuse(job,
			     "%sagg: \"%s\" is unknown; write one of count, sum, mean, min, max, "
			     "distinct, or a percentile as p95 or p99.9",
			     prefix, metric->agg);
}

/* Text up to one of `ends` or the NUL, where a backslash takes what follows it as it is. NULL: no
 * memory. *at is moved behind it. */
static char *unescape(const char **at, const char *ends)
{
	char *text = malloc(strlen(*at) + 1), *to = text;

	if (!text)
		return NULL;
	while (**at && !strchr(ends, **at)) {
		if (**at == '\\' && (*at)[1])
			(*at)++;
		*to++ = *(*at)++;
	}
	*to = '\0';
	return text;
}

/* "channel=cpc|email" or "channel!=direct" into a condition. */
static int parse_where(struct config_job *job, const char *path, const char *text,
		       struct config_where *where)
{
	const char *at = text;
	bool more = true;

	where->dimension = unescape(&at, "=!");
	where->values = calloc(strlen(text) + 1, sizeof(*where->values));
	if (!where->dimension || !where->values)
		return -ENOMEM;
	where->negated = at[0] == '!';
	at += where->negated;
	if (at[0] != '=' || !where->dimension[0] || strlen(where->dimension) > WEIR_NAME_BYTES_MAX)
		return config_refuse(job,
				     "%s: \"%s\" is not a condition; write channel=cpc|email or "
				     "channel!=direct",
				     path, text);
	while (more) {
		at++;
		char *value = unescape(&at, "|");

		if (!value)
			return -ENOMEM;
		where->values[where->values_count++] = value;
		if (strlen(value) > WEIR_LABEL_BYTES_MAX)
			return config_refuse(job, "%s: a value of more than %d bytes", path,
					     WEIR_LABEL_BYTES_MAX);
		more = *at == '|';
	}
	return 0;
}

/* One half of a ratio: the name at `text`, of so many bytes, as an index of a metric. */
static int find_term(struct config_job *job, const char *prefix, unsigned index, const char *text,
		     size_t bytes, unsigned *ret_term)
{
	for (unsigned i = 0; i < index; i++) {
		const struct config_metric *metric = &job->config->metrics[i];

		if (strlen(metric->name) != bytes || memcmp(metric->name, text, bytes) != 0)
			continue;
		*ret_term = i;
		if (strcmp(metric->agg, "count") == 0 || strcmp(metric->agg, "sum") == 0)
			return 0;
		return config_refuse(job,
				     "%sratio: %s is a %s; a ratio is of counts and sums, whose "
				     "parts add up",
				     prefix, metric->name, metric->agg);
	}
	return config_refuse(job,
			     "%sratio: there is no metric \"%.*s\" before this one; define it "
			     "above",
			     prefix, (int)bytes, text);
}

/* "bounces / sessions": two metrics before this one. */
static int parse_ratio(struct config_job *job, const char *prefix, unsigned index,
		       const struct yaml_metric *yaml)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
	struct config_metric *metric = &job->config->metrics[index];
	const struct {
		const char *key;
		bool there;
	} owned[] = {{"event", yaml->event},
		     {"agg", yaml->agg},
		     {"field", yaml->field},
		     {"where", yaml->where_count > 0}};

	for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++)
		if (owned[i].there)
			return config_refuse(job,
					     "%s%s: a ratio has none of its own, its two metrics "
					     "have; remove it",
					     prefix, owned[i].key);
	const char *first = yaml->ratio + strspn(yaml->ratio, " ");
	size_t first_bytes = strspn(first, letters);
	const char *slash = first + first_bytes + strspn(first + first_bytes, " ");
	const char *second = slash + (*slash == '/');
	second += strspn(second, " ");
	size_t second_bytes = strspn(second, letters);
	const char *end = second + second_bytes;

	if (*slash != '/' || !first_bytes || !second_bytes || end[strspn(end, " ")])
		return config_refuse(job,
				     "%sratio: \"%s\" is not a ratio; write two metrics as "
				     "bounces / sessions",
				     prefix, yaml->ratio);
	int r = find_term(job, prefix, index, first, first_bytes, &metric->numerator);
	if (r == 0)
		r = find_term(job, prefix, index, second, second_bytes, &metric->denominator);
	metric->agg = strdup("ratio");
	return r < 0 ? r : metric->agg ? 0 : -ENOMEM;
}

/* What is counted, of a metric that is no ratio. */
static int parse_term(struct config_job *job, const char *prefix, struct config_metric *metric,
		      const struct yaml_metric *yaml)
{
	int r = 0;

	if (!metric->event || !metric->event[0])
		return config_refuse(job,
				     "%sevent: missing; write which event feeds %s, as purchase",
				     prefix, metric->name);
	if (!metric->agg)
		metric->agg = strdup("count");
	if (!metric->agg)
		return -ENOMEM;
	r = check_aggregation(job, prefix, metric);
	if (r < 0)
		return r;
	if (!metric->field)
		metric->field = strdup(strcmp(metric->agg, "count") == 0 ? "" : "value");
	metric->where = calloc(yaml->where_count + 1, sizeof(*metric->where));
	if (!metric->field || !metric->where)
		return -ENOMEM;
	for (unsigned i = 0; i < yaml->where_count && r == 0; i++) {
		char path[96];

		snprintf(path, sizeof(path), "%swhere[%u]", prefix, i);
		metric->where_count++;
		r = parse_where(job, path, yaml->where[i], &metric->where[i]);
	}
	return r;
}

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

/* Nothing is a number of events, and comes to a sum; a mean of nothing there is not. */
static int check_empty(struct config_job *job, const char *prefix, struct config_metric *metric)
{
	bool zero = strcmp(metric->agg, "count") == 0 || strcmp(metric->agg, "sum") == 0 ||
		    strcmp(metric->agg, "distinct") == 0;

	if (!metric->empty)
		metric->empty = strdup(zero ? "zero" : "missing");
	if (!metric->empty)
		return -ENOMEM;
	if (zero || strcmp(metric->empty, "missing") == 0)
		return 0;
	return config_refuse(job,
			     "%sempty: a %s of nothing is missing, not zero; remove it, or watch a "
			     "count, sum or distinct",
			     prefix, metric->agg);
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
	for (unsigned i = 0; i < index; i++)
		if (strcmp(job->config->metrics[i].name, metric->name) == 0)
			return config_refuse(job,
					     "%sname: metrics[%u] is called %s too; rename one",
					     prefix, i, metric->name);
	r = yaml->ratio ? parse_ratio(job, prefix, index, yaml)
			: parse_term(job, prefix, metric, yaml);
	if (r == 0)
		r = check_empty(job, prefix, metric);
	if (r < 0)
		return r;
	metric->by = calloc(yaml->by_count + 1, sizeof(*metric->by));
	if (!metric->by)
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
	for (unsigned i = 0; i < metric->where_count; i++) {
		for (unsigned j = 0; j < metric->where[i].values_count; j++)
			free(metric->where[i].values[j]);
		free(metric->where[i].values);
		free(metric->where[i].dimension);
	}
	free(metric->where);
	config_free_texts(metric_settings, metric);
}
