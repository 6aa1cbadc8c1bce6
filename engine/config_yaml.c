/*
 * config_yaml: from YAML to texts, the only user of libcyaml.
 *
 * Idea:  three passes over the same text. libyaml's parser finds broken syntax and says exactly
 *        where; libcyaml holds the schema and refuses unknown keys and wrong shapes, but knows the
 *        place only roughly; libyaml's scanner then finds the key that libcyaml named.
 * Runs on: the main thread, at start.
 * Never: knows what a value means.
 */
#include "config_yaml.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config.h"

/* Of entries in each list; bounds a mistake, not a user. */
#define LIST_MAX 1024
#define BY_MAX 16
#define RESOLUTIONS_MAX 16

#define TEXT(key, structure, member)                                                               \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, structure, member,   \
			       0, CYAML_UNLIMITED)
#define GROUP(key, structure, member, fields)                                                      \
	CYAML_FIELD_MAPPING_PTR(key, CYAML_FLAG_POINTER_NULL | CYAML_FLAG_OPTIONAL, structure,     \
				member, fields)
#define LIST(key, structure, member, entry, max)                                                   \
	CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER_NULL | CYAML_FLAG_OPTIONAL, structure,        \
			     member, entry, 0, max)

static const cyaml_schema_field_t lateness_fields[] = {
	TEXT("wall", struct yaml_lateness, wall),
	TEXT("event", struct yaml_lateness, event),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits_fields[] = {
	TEXT("series_max", struct yaml_limits, series_max),
	TEXT("producers_max", struct yaml_limits, producers_max),
	TEXT("producer_series_max", struct yaml_limits, producer_series_max),
	TEXT("slices_max", struct yaml_limits, slices_max),
	TEXT("user_bytes_max", struct yaml_limits, user_bytes_max),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t log_fields[] = {
	TEXT("io", struct yaml_log, io),
	TEXT("durability", struct yaml_log, durability),
	TEXT("sync_interval", struct yaml_log, sync_interval),
	TEXT("sync_bytes", struct yaml_log, sync_bytes),
	TEXT("segment_bytes", struct yaml_log, segment_bytes),
	TEXT("block_bytes", struct yaml_log, block_bytes),
	TEXT("spares", struct yaml_log, spares),
	TEXT("retain_bytes", struct yaml_log, retain_bytes),
	TEXT("retain_age", struct yaml_log, retain_age),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t history_fields[] = {
	TEXT("base", struct yaml_history, base),
	TEXT("minute", struct yaml_history, minute),
	TEXT("hour", struct yaml_history, hour),
	TEXT("day", struct yaml_history, day),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t redis_fields[] = {
	TEXT("url", struct yaml_redis, url),
	TEXT("user", struct yaml_redis, user),
	TEXT("password_file", struct yaml_redis, password_file),
	TEXT("stream_max", struct yaml_redis, stream_max),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t prometheus_fields[] = {
	TEXT("listen", struct yaml_prometheus, listen),
	TEXT("network", struct yaml_prometheus, network),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t text_value = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t metric_fields[] = {
	TEXT("name", struct yaml_metric, name),
	TEXT("event", struct yaml_metric, event),
	TEXT("field", struct yaml_metric, field),
	TEXT("agg", struct yaml_metric, agg),
	TEXT("ratio", struct yaml_metric, ratio),
	TEXT("empty", struct yaml_metric, empty),
	LIST("where", struct yaml_metric, where, &text_value, CONFIG_WHERE_MAX),
	LIST("by", struct yaml_metric, by, &text_value, BY_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t metric_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_metric, metric_fields),
};

static const cyaml_schema_field_t detector_fields[] = {
	TEXT("name", struct yaml_detector, name),
	TEXT("metric", struct yaml_detector, metric),
	TEXT("kind", struct yaml_detector, kind),
	TEXT("direction", struct yaml_detector, direction),
	TEXT("severity", struct yaml_detector, severity),
	TEXT("min_volume", struct yaml_detector, min_volume),
	TEXT("k", struct yaml_detector, k),
	TEXT("for", struct yaml_detector, consecutive),
	TEXT("recover", struct yaml_detector, recover),
	TEXT("window", struct yaml_detector, window),
	TEXT("learn", struct yaml_detector, learn),
	TEXT("absent", struct yaml_detector, absent),
	TEXT("frequency", struct yaml_detector, frequency),
	TEXT("baseline", struct yaml_detector, baseline),
	TEXT("versus", struct yaml_detector, versus),
	TEXT("up", struct yaml_detector, up),
	TEXT("down", struct yaml_detector, down),
	TEXT("above", struct yaml_detector, above),
	TEXT("below", struct yaml_detector, below),
	TEXT("growth_drop", struct yaml_detector, growth_drop),
	TEXT("min_delta", struct yaml_detector, min_delta),
	TEXT("cooldown", struct yaml_detector, cooldown),
	TEXT("timezone", struct yaml_detector, timezone),
	LIST("resolutions", struct yaml_detector, resolutions, &text_value, RESOLUTIONS_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t detector_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_detector, detector_fields),
};

static const cyaml_schema_field_t config_fields[] = {
	TEXT("data_directory", struct yaml_config, data_directory),
	TEXT("socket", struct yaml_config, socket),
	TEXT("control_socket", struct yaml_config, control_socket),
	TEXT("environment", struct yaml_config, environment),
	TEXT("lanes", struct yaml_config, lanes),
	TEXT("shards", struct yaml_config, shards),
	TEXT("interval", struct yaml_config, interval),
	TEXT("checkpoint_intervals", struct yaml_config, checkpoint_intervals),
	TEXT("timezone", struct yaml_config, timezone),
	GROUP("lateness", struct yaml_config, lateness, lateness_fields),
	GROUP("limits", struct yaml_config, limits, limits_fields),
	GROUP("log", struct yaml_config, log, log_fields),
	GROUP("history", struct yaml_config, history, history_fields),
	GROUP("redis", struct yaml_config, redis, redis_fields),
	GROUP("prometheus", struct yaml_config, prometheus, prometheus_fields),
	LIST("metrics", struct yaml_config, metrics, &metric_value, LIST_MAX),
	LIST("detectors", struct yaml_config, detectors, &detector_value, LIST_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t config_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct yaml_config, config_fields),
};

/* What libcyaml said of the first error: the text, and the innermost place. */
struct complaint {
	char text[256];
	unsigned line, column;
	bool in_by; /* somewhere in a list of roll-ups */
};

static void hear(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
	struct complaint *complaint = context;
	char line[256];

	(void)level;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;

	if (!complaint->text[0]) {
		snprintf(complaint->text, sizeof(complaint->text), "%s", text);
		return;
	}
	const char *place = strstr(text, "(line: ");

	complaint->in_by |= strstr(text, "field 'by'") != NULL;
	if (place && !complaint->line)
		sscanf(place, "(line: %u, column: %u)", &complaint->line, &complaint->column);
}

static const cyaml_config_t cyaml = {
	.log_fn = hear,
	.mem_fn = cyaml_mem,
	.log_level = CYAML_LOG_ERROR,
};

/* The whole text through libyaml's parser, for exact places. 0, or -EINVAL and `why`. */
static int check_syntax(const char *text, size_t bytes, const char *name, char *why,
			size_t why_bytes)
{
	yaml_parser_t parser;
	yaml_event_t event;
	unsigned documents = 0;
	int r = 0;
	bool end = false;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
	while (!end && r == 0) {
		if (!yaml_parser_parse(&parser, &event)) {
			snprintf(why, why_bytes, "%s:%zu:%zu: %s%s%s", name,
				 parser.problem_mark.line + 1, parser.problem_mark.column + 1,
				 parser.problem ? parser.problem : "broken YAML",
				 parser.context ? ", " : "", parser.context ? parser.context : "");
			r = parser.error == YAML_MEMORY_ERROR ? -ENOMEM : -EINVAL;
			break;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		if (event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1) {
			snprintf(why, why_bytes,
				 "%s:%zu:1: a second document; join it with the first and remove "
				 "the line ---",
				 name, event.start_mark.line + 1);
			r = -EINVAL;
		}
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return r;
}

/* The first mapping key `key` at or after a place (from 1); false: there is none. */
static bool find_key(const char *text, size_t bytes, const char *key, unsigned *line,
		     unsigned *column)
{
	yaml_parser_t parser;
	yaml_token_t token;
	bool is_key = false, found = false, end = false;

	if (!yaml_parser_initialize(&parser))
		return false;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
	while (!found && !end && yaml_parser_scan(&parser, &token)) {
		size_t at_line = token.start_mark.line + 1, at_column = token.start_mark.column + 1;

		if (token.type == YAML_SCALAR_TOKEN && is_key &&
		    strcmp((const char *)token.data.scalar.value, key) == 0 &&
		    (at_line > *line || (at_line == *line && at_column >= *column))) {
			*line = (unsigned)at_line;
			*column = (unsigned)at_column;
			found = true;
		}
		is_key = token.type == YAML_KEY_TOKEN;
		end = token.type == YAML_STREAM_END_TOKEN;
		yaml_token_delete(&token);
	}
	yaml_parser_delete(&parser);
	return found;
}

/* Where in the nesting a walk through the events is: is the next node of each level a key? */
struct walk {
	unsigned depth;
	bool mapping[8], key[8];
	bool in_detectors; /* the last key of level 1 */
	unsigned detector; /* number of the one that we are in, from 1 */
};

/* libcyaml gives an empty list and no list the same face. */
static void walk_scalar(struct walk *walk, const char *text, struct yaml_config *yaml)
{
	bool key = walk->depth > 0 && walk->depth < 8 && walk->key[walk->depth];

	if (key && walk->depth == 1)
		walk->in_detectors = strcmp(text, "detectors") == 0;
	if (key && walk->depth == 3 && walk->in_detectors && strcmp(text, "resolutions") == 0 &&
	    walk->detector > 0 && walk->detector <= yaml->detectors_count)
		yaml->detectors[walk->detector - 1].resolutions_given = true;
}

/* In a mapping key and value take turns. */
static void walk_node_ends(struct walk *walk)
{
	if (walk->depth < 8 && walk->mapping[walk->depth])
		walk->key[walk->depth] = !walk->key[walk->depth];
}

static void walk_event(struct walk *walk, const yaml_event_t *event, struct yaml_config *yaml)
{
	switch (event->type) {
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		walk->depth++;
		walk->detector += walk->depth == 3 && walk->in_detectors;
		if (walk->depth < 8)
			walk->mapping[walk->depth] = walk->key[walk->depth] =
				event->type == YAML_MAPPING_START_EVENT;
		break;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		walk->depth--;
		walk_node_ends(walk);
		break;
	case YAML_SCALAR_EVENT:
		walk_scalar(walk, (const char *)event->data.scalar.value, yaml);
		walk_node_ends(walk);
		break;
	case YAML_ALIAS_EVENT:
		walk_node_ends(walk);
		break;
	default:
		break;
	}
}

/* Which detectors say what their resolutions are, be it that they have none. */
static void mark_given(const char *text, size_t bytes, struct yaml_config *yaml)
{
	struct walk walk = {0};
	yaml_parser_t parser;
	yaml_event_t event;
	bool end = false;

	if (!yaml || !yaml_parser_initialize(&parser))
		return;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
	while (!end && yaml_parser_parse(&parser, &event)) {
		walk_event(&walk, &event, yaml);
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}

static const char *shape(const char *said)
{
	if (strncmp(said, "STRING", 6) == 0 || strncmp(said, "SCALAR", 6) == 0)
		return "a single value";
	if (strncmp(said, "SEQUENCE", 8) == 0)
		return "a list";
	if (strncmp(said, "MAPPING", 7) == 0)
		return "a group of keys";
	return "something else";
}

static void explain(struct complaint *complaint, const char *text, size_t bytes, const char *name,
		    char *why, size_t why_bytes)
{
	static const char unknown[] = "Unexpected key: ", twice[] = "Mapping field already seen: ",
			  wrong[] = "Expecting ", got[] = "got event: ";
	const char *found = strstr(complaint->text, got);

	if (!complaint->line)
		complaint->line = complaint->column = 1;
	if (strncmp(complaint->text, unknown, sizeof(unknown) - 1) == 0) {
		const char *key = complaint->text + sizeof(unknown) - 1;

		find_key(text, bytes, key, &complaint->line, &complaint->column);
		snprintf(why, why_bytes, "%s:%u:%u: unknown key \"%s\"; correct or remove it", name,
			 complaint->line, complaint->column, key);
	} else if (strncmp(complaint->text, twice, sizeof(twice) - 1) == 0) {
		const char *key = complaint->text + sizeof(twice) - 1;

		find_key(text, bytes, key, &complaint->line, &complaint->column);
		snprintf(why, why_bytes, "%s:%u:%u: \"%s\" stands there twice; remove one", name,
			 complaint->line, complaint->column, key);
	} else if (strncmp(complaint->text, wrong, sizeof(wrong) - 1) == 0 && found) {
		const char *expected = complaint->text + sizeof(wrong) - 1;

		found += sizeof(got) - 1;
		snprintf(why, why_bytes, "%s:%u:%u: %s stands where %s is expected%s", name,
			 complaint->line, complaint->column, shape(found), shape(expected),
			 complaint->in_by && found[0] == 'S'
				 ? "; write a roll-up over two dimensions as country*device"
				 : "");
	} else {
		snprintf(why, why_bytes, "%s:%u:%u: %s", name, complaint->line, complaint->column,
			 complaint->text);
	}
}

int config_yaml_load(const char *text, size_t bytes, const char *name,
		     struct yaml_config **ret_yaml, bool *ret_detectors, char *why,
		     size_t why_bytes)
{
	struct complaint complaint = {0};
	cyaml_config_t config = cyaml;
	struct yaml_config *yaml = NULL;
	unsigned line = 1, column = 1;
	int r = check_syntax(text, bytes, name, why, why_bytes);

	if (r < 0)
		return r;
	config.log_ctx = &complaint;
	cyaml_err_t error = cyaml_load_data((const uint8_t *)text, bytes, &config, &config_value,
					    (cyaml_data_t **)&yaml, NULL);

	if (error == CYAML_ERR_OOM)
		return -ENOMEM;
	if (error != CYAML_OK) {
		if (!complaint.text[0])
			snprintf(complaint.text, sizeof(complaint.text), "%s",
				 cyaml_strerror(error));
		explain(&complaint, text, bytes, name, why, why_bytes);
		return -EINVAL;
	}
	*ret_yaml = yaml;
	mark_given(text, bytes, yaml);
	*ret_detectors = find_key(text, bytes, "detectors", &line, &column);
	return 0;
}

bool config_yaml_detector_key(const char *key, bool *ret_list)
{
	for (const cyaml_schema_field_t *field = detector_fields; field->key; field++) {
		*ret_list = field->value.type == CYAML_SEQUENCE;
		if (strcmp(field->key, key) == 0)
			return true;
	}
	return false;
}

void config_yaml_free(struct yaml_config *yaml)
{
	if (yaml)
		cyaml_free(&cyaml, &config_value, yaml, 0);
}
