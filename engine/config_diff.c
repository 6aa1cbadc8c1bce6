/*
 * config_diff: see config_diff.h.
 *
 * Idea:  tables of fields again, this time from values back to texts. Metrics and detectors are the
 *        same where they have the same name; their order says nothing but by which numbers shards
 *        know them.
 * Runs on: the control agent; weirctl.
 */
#include "config_diff.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/zone.h"

enum kind { TEXT, U32, U64, I64, F64, BY, WHERE, RATIO, PERIODS };

struct field {
	const char *key;
	enum kind kind;
	size_t offset;
	bool restart;
};

#define TOP(key, kind, member, restart)                                                            \
	{                                                                                          \
		key, kind, offsetof(struct config, member), restart                                \
	}
#define METRIC(key, kind, member)                                                                  \
	{                                                                                          \
		key, kind, offsetof(struct config_metric, member), false                           \
	}
#define DETECTOR(key, kind, member)                                                                \
	{                                                                                          \
		key, kind, offsetof(struct config_detector, member), false                         \
	}

static const struct field config_fields[] = {
	TOP("data_directory", TEXT, data_directory, true),
	TOP("socket", TEXT, socket, true),
	TOP("control_socket", TEXT, control_socket, true),
	TOP("environment", TEXT, environment, true),
	TOP("lanes", U32, lanes, true),
	TOP("shards", U32, shards, true),
	TOP("interval", I64, interval_ms, true),
	TOP("checkpoint_intervals", U32, checkpoint_intervals, true),
	TOP("timezone", TEXT, timezone, false),
	TOP("lateness.wall", I64, lateness_wall_ms, false),
	TOP("lateness.event", I64, lateness_event_ms, false),
	TOP("limits.series_max", U32, series_max, true),
	TOP("limits.producers_max", U32, producers_max, true),
	TOP("limits.producer_series_max", U32, producer_series_max, true),
	TOP("limits.slices_max", U32, slices_max, true),
	TOP("limits.user_bytes_max", U64, user_bytes_max, true),
	TOP("log.io", TEXT, io, true),
	TOP("log.durability", TEXT, durability, true),
	TOP("log.sync_interval", U32, sync_ms, true),
	TOP("log.sync_bytes", U64, sync_bytes, true),
	TOP("log.segment_bytes", U64, segment_bytes, true),
	TOP("log.block_bytes", U64, block_bytes, true),
	TOP("log.spares", U32, spares, true),
	TOP("log.retain_bytes", U64, retain_bytes, false),
	TOP("log.retain_age", U64, retain_s, false),
	TOP("history.base", U64, history_base_s, false),
	TOP("history.minute", U64, history_minute_s, false),
	TOP("history.hour", U64, history_hour_s, false),
	TOP("history.day", U64, history_day_s, false),
	TOP("redis.url", TEXT, redis_url, true),
	TOP("redis.user", TEXT, redis_user, true),
	TOP("redis.password_file", TEXT, redis_password_file, true),
	TOP("redis.stream_max", U64, redis_stream_max, true),
	TOP("prometheus.listen", TEXT, prometheus_listen, true),
	TOP("prometheus.network", TEXT, prometheus_network, true),
};

static const struct field metric_fields[] = {
	METRIC("event", TEXT, event), METRIC("field", TEXT, field),
	METRIC("agg", TEXT, agg),     METRIC("where", WHERE, where),
	METRIC("by", BY, by),         METRIC("ratio", RATIO, numerator),
	METRIC("empty", TEXT, empty),
};

static const struct field detector_fields[] = {
	DETECTOR("metric", TEXT, metric),
	DETECTOR("kind", TEXT, kind),
	DETECTOR("direction", TEXT, direction),
	DETECTOR("severity", F64, severity),
	DETECTOR("min_volume", F64, min_volume),
	DETECTOR("min_delta", F64, min_delta),
	DETECTOR("k", F64, k),
	DETECTOR("for", U32, for_intervals),
	DETECTOR("recover", U32, recover_intervals),
	DETECTOR("cooldown", U32, cooldown_intervals),
	DETECTOR("window", U32, window_intervals),
	DETECTOR("learn", U32, learn_intervals),
	DETECTOR("absent", U32, absent_intervals),
	DETECTOR("frequency", I64, frequency_ms),
	DETECTOR("baseline", TEXT, baseline),
	DETECTOR("up", F64, up_percent),
	DETECTOR("down", F64, down_percent),
	DETECTOR("above", F64, above),
	DETECTOR("below", F64, below),
	DETECTOR("growth_drop", F64, growth_drop),
	DETECTOR("timezone", TEXT, timezone),
	DETECTOR("resolutions", PERIODS, resolutions_ms),
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define VALUE_BYTES 1024

struct diff {
	const struct config *from, *to;
	config_each *each;
	void *self;
	unsigned count;
};

static void add_text(char *to, const char *separator, const char *text)
{
	size_t used = strlen(to);

	snprintf(to + used, VALUE_BYTES - used, "%s%s", separator, text);
}

static void by_text(const struct config_metric *metric, char *to)
{
	for (unsigned i = 0; i < metric->by_count; i++)
		for (unsigned d = 0; d < metric->by[i].dimensions_count; d++)
			add_text(to, d ? "*" : i ? ", " : "", metric->by[i].dimensions[d]);
}

static void where_text(const struct config_metric *metric, char *to)
{
	for (unsigned i = 0; i < metric->where_count; i++) {
		const struct config_where *where = &metric->where[i];
		add_text(to, i ? ", " : "", where->dimension);
		for (unsigned v = 0; v < where->values_count; v++)
			add_text(to, v ? "|" : where->negated ? "!=" : "=", where->values[v]);
	}
}

/* In milliseconds, as other durations are shown. */
static void periods_text(const int64_t *periods_ms, char *to)
{
	char text[32];

	for (unsigned i = 0; i < CONFIG_RESOLUTIONS_MAX && periods_ms[i]; i++) {
		snprintf(text, sizeof(text), "%" PRId64, periods_ms[i]);
		add_text(to, i ? ", " : "", text);
	}
}

/* The value as a text; NULL: not set. */
static const char *value_text(const struct config *config, const struct field *field,
			      const void *structure, char text[VALUE_BYTES])
{
	const char *at = (const char *)structure + field->offset;
	const struct config_metric *metric = structure;

	text[0] = '\0';
	switch (field->kind) {
	case TEXT:
		return *(char *const *)(const void *)at;
	case U32:
		snprintf(text, VALUE_BYTES, "%" PRIu32, *(const uint32_t *)(const void *)at);
		break;
	case U64:
		snprintf(text, VALUE_BYTES, "%" PRIu64, *(const uint64_t *)(const void *)at);
		break;
	case I64:
		snprintf(text, VALUE_BYTES, "%" PRId64, *(const int64_t *)(const void *)at);
		break;
	case F64:
		if (isnan(*(const double *)(const void *)at))
			return NULL;
		snprintf(text, VALUE_BYTES, "%.15g", *(const double *)(const void *)at);
		break;
	case BY:
		by_text(metric, text);
		return metric->by_count ? text : NULL;
	case WHERE:
		where_text(metric, text);
		return metric->where_count ? text : NULL;
	case PERIODS:
		periods_text((const int64_t *)(const void *)at, text);
		return text[0] ? text : NULL;
	case RATIO:
		if (metric->event)
			return NULL;
		add_text(text, "", config->metrics[metric->numerator].name);
		add_text(text, " / ", config->metrics[metric->denominator].name);
		break;
	}
	return text;
}

static void say(struct diff *diff, const char *key, const char *from, const char *to, bool restart)
{
	diff->count++;
	if (diff->each)
		diff->each(diff->self, key, from, to, restart);
}

static void compare(struct diff *diff, const struct field *fields, size_t count, const char *prefix,
		    const void *from, const void *to)
{
	char key[256], from_text[VALUE_BYTES], to_text[VALUE_BYTES];

	for (size_t i = 0; i < count; i++) {
		const char *was = value_text(diff->from, &fields[i], from, from_text);
		const char *is = value_text(diff->to, &fields[i], to, to_text);
		if ((!was && !is) || (was && is && strcmp(was, is) == 0))
			continue;
		snprintf(key, sizeof(key), "%s%s", prefix, fields[i].key);
		say(diff, key, was, is, fields[i].restart);
	}
}

static const struct config_metric *find_metric(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->metrics_count; i++)
		if (strcmp(config->metrics[i].name, name) == 0)
			return &config->metrics[i];
	return NULL;
}

static const struct config_detector *find_detector(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->detectors_count; i++)
		if (strcmp(config->detectors[i].name, name) == 0)
			return &config->detectors[i];
	return NULL;
}

static void compare_metrics(struct diff *diff)
{
	char prefix[128];

	for (unsigned i = 0; i < diff->from->metrics_count; i++) {
		const struct config_metric *from = &diff->from->metrics[i];
		const struct config_metric *to = find_metric(diff->to, from->name);
		snprintf(prefix, sizeof(prefix), "metrics.%s%s", from->name, to ? "." : "");
		if (to)
			compare(diff, metric_fields, COUNT(metric_fields), prefix, from, to);
		else
			say(diff, prefix, from->agg, NULL, false);
	}
	for (unsigned i = 0; i < diff->to->metrics_count; i++) {
		const struct config_metric *to = &diff->to->metrics[i];
		snprintf(prefix, sizeof(prefix), "metrics.%s", to->name);
		if (!find_metric(diff->from, to->name))
			say(diff, prefix, NULL, to->agg, false);
	}
}

static void compare_detectors(struct diff *diff)
{
	char prefix[128];

	for (unsigned i = 0; i < diff->from->detectors_count; i++) {
		const struct config_detector *from = &diff->from->detectors[i];
		const struct config_detector *to = find_detector(diff->to, from->name);
		snprintf(prefix, sizeof(prefix), "detectors.%s%s", from->name, to ? "." : "");
		if (to)
			compare(diff, detector_fields, COUNT(detector_fields), prefix, from, to);
		else
			say(diff, prefix, from->kind, NULL, false);
	}
	for (unsigned i = 0; i < diff->to->detectors_count; i++) {
		const struct config_detector *to = &diff->to->detectors[i];
		snprintf(prefix, sizeof(prefix), "detectors.%s", to->name);
		if (!find_detector(diff->from, to->name))
			say(diff, prefix, NULL, to->kind, false);
	}
}

/* What a zone's rules are, so that two can be told apart: its line without name and first offset.
 */
static void zone_text(const struct zone *zone, char text[VALUE_BYTES])
{
	struct bytes line = {0};
	unsigned words = 0;

	zone_save(zone, &line);
	bytes_put(&line, "", 1);
	const char *last = line.failed ? "" : (const char *)line.data;

	for (const char *at = last; *at; at++)
		if (*at == ' ') {
			last = at + 1;
			words++;
		}
	bool rule = words > 1 && !(last[0] >= '0' && last[0] <= '9');

	snprintf(text, VALUE_BYTES, "%u changes%s%s (%08x)", words - 1 - rule,
		 rule ? ", then " : "", rule ? last : "",
		 line.failed ? 0 : crc32c(0, line.data, line.used));
	bytes_fini(&line);
}

/* The same names, other rules: a new database, or a rule that nobody knew when the other was
 * read. */
static void compare_zones(struct diff *diff)
{
	char key[128], from_text[VALUE_BYTES], to_text[VALUE_BYTES];

	for (unsigned i = 0; i < diff->from->zones_count; i++)
		for (unsigned k = 0; k < diff->to->zones_count; k++) {
			const struct zone *from = diff->from->zones[i], *to = diff->to->zones[k];

			if (strcmp(zone_name(from), zone_name(to)) != 0)
				continue;
			snprintf(key, sizeof(key), "zones.%s", zone_name(from));
			zone_text(from, from_text);
			zone_text(to, to_text);
			if (strcmp(from_text, to_text) != 0)
				say(diff, key, from_text, to_text, false);
		}
}

unsigned config_diff(const struct config *from, const struct config *to, config_each *each,
		     void *self)
{
	struct diff diff = {.from = from, .to = to, .each = each, .self = self};

	compare(&diff, config_fields, COUNT(config_fields), "", from, to);
	compare_zones(&diff);
	compare_metrics(&diff);
	compare_detectors(&diff);
	return diff.count;
}
