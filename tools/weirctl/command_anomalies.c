/*
 * anomalies: what was found, newest first: of a running engine, or of a data directory's store.
 */
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "command.h"
#include "deliver/payload.h"
#include "deliver/store.h"
#include "options.h"
#include "text.h"

#define WHY_BYTES 320
#define LIMIT_MAX 1000 /* what the engine answers at once; a directory has no such bound */

enum {
	OPTION_SOCKET = OPTIONS_LONG,
	OPTION_SEVERITY,
	OPTION_METRIC,
	OPTION_SINCE,
	OPTION_LIMIT,
	OPTION_REVISIONS,
	OPTION_JSON
};

static const struct option_row rows[] = {
	{OPTION_SOCKET, "socket", "PATH",
	 "control socket; default $WEIR_CONTROL, /run/weir/control.sock"},
	{OPTION_SEVERITY, "severity", "N", "only those whose peak reached N, 0 to 100"},
	{OPTION_METRIC, "metric", "NAME", "only those of this metric"},
	{OPTION_SINCE, "since", "TIME",
	 "that ended later: unix seconds, or 2011-01-04[T10:00] UTC"},
	{OPTION_LIMIT, "limit", "N", "at most N; default 100"},
	{OPTION_REVISIONS, "revisions", NULL, "every revision, oldest first"},
	{OPTION_JSON, "json", NULL, "one JSON object per line, as Redis subscribers get it"},
};

static const struct options options = {
	.program = "weirctl anomalies",
	.usage = "[options] [DIR]",
	.about = "What was found, newest first: by the running engine, or, with DIR, in a data "
		 "directory.",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
};

struct anomalies {
	const char *socket, *metric;
	double severity;
	int64_t since_ms;
	uint64_t limit;
	bool revisions, json;
};

static int take_option(struct anomalies *anomalies, int id, const char *argument)
{
	switch (id) {
	case OPTION_SOCKET:
		anomalies->socket = argument;
		return 0;
	case OPTION_METRIC:
		anomalies->metric = argument;
		return 0;
	case OPTION_SEVERITY:
		return options_f64(argument, 0.0, 100.0, &anomalies->severity);
	case OPTION_SINCE:
		return text_parse_time(argument, &anomalies->since_ms);
	case OPTION_LIMIT:
		return options_u64(argument, 1, UINT32_MAX, &anomalies->limit);
	case OPTION_REVISIONS:
		anomalies->revisions = true;
		return 0;
	default:
		anomalies->json = true;
		return 0;
	}
}

static const char *text_of(const json_t *data, const char *name)
{
	const char *text = json_string_value(json_object_get(data, name));
	return text ? text : "";
}

static double number_of(const json_t *data, const char *name)
{
	const json_t *value = json_object_get(data, name);
	return json_is_number(value) ? json_number_value(value) : NAN;
}

/* One CloudEvent as a line. */
static void print_people(const json_t *event)
{
	const json_t *data = json_object_get(event, "data");
	char observed[TEXT_NUMBER_BYTES], expected[24];
	text_double(observed, number_of(data, "observed"));
	snprintf(expected, sizeof(expected), "%.6g", number_of(data, "expected"));
	printf("%-20s  %-8s %5.1f %-8s  %-34s %s instead of %s", text_of(data, "interval_start"),
	       text_of(data, "state"), number_of(data, "peak"), text_of(data, "direction"),
	       text_of(event, "subject"), observed, expected);
	if (text_of(data, "top_contribution")[0])
		printf("  (%s)", text_of(data, "top_contribution"));
	putchar('\n');
}

static void print_event(const struct anomalies *anomalies, const json_t *event)
{
	if (!anomalies->json) {
		print_people(event);
		return;
	}
	json_dumpf(event, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
}

static int ask_engine(const struct anomalies *anomalies)
{
	char why[WHY_BYTES];
	json_t *request =
		json_pack("{ss sf sI sI sb}", "command", "anomalies", "severity",
			  anomalies->severity, "since_ms", (json_int_t)anomalies->since_ms, "limit",
			  (json_int_t)anomalies->limit, "revisions", anomalies->revisions);
	if (anomalies->metric)
		json_object_set_new(request, "metric", json_string(anomalies->metric));
	json_t *answer = ask(ask_socket(anomalies->socket), request, why, sizeof(why));
	if (!answer) {
		fprintf(stderr, "weirctl: %s\n", why);
		return TOOL_IO;
	}
	const json_t *event;
	size_t i;
	json_array_foreach(json_object_get(answer, "anomalies"), i, event)
		print_event(anomalies, event);
	json_decref(answer);
	return TOOL_OK;
}

static int each(void *self, const struct anomaly *anomaly)
{
	/* The environment stands in the configuration; the store does not know it. */
	char *text = payload_json(anomaly, "-");
	json_t *event = text ? json_loads(text, 0, NULL) : NULL;
	free(text);
	if (!event)
		return 1;
	print_event(self, event);
	json_decref(event);
	return 0;
}

static int read_directory(struct anomalies *anomalies, const char *directory)
{
	struct store_query query = {.severity_min = anomalies->severity,
				    .since_ms = anomalies->since_ms,
				    .metric = anomalies->metric,
				    .limit = (uint32_t)anomalies->limit,
				    .revisions = anomalies->revisions};
	struct store_reader *reader;
	char *path;
	if (asprintf(&path, "%s/weir.db", directory) < 0)
		return TOOL_IO;
	int error = store_reader_open(path, &reader);
	if (!error) {
		error = store_anomalies(reader, &query, each, anomalies);
		store_reader_close(reader);
	}
	if (error < 0)
		fprintf(stderr, "weirctl: %s: %s\n", path, strerror(-error));
	free(path);
	return error < 0 ? TOOL_IO : TOOL_OK;
}

int command_anomalies(int argc, char **argv)
{
	struct anomalies anomalies = {.limit = 100};
	const char *argument;
	int id;
	while ((id = options_next(&options, argc, argv, &argument)) > 0) {
		if (id == OPTIONS_HELP)
			return TOOL_OK;
		if (take_option(&anomalies, id, argument) < 0)
			return options_wrong(&options, "--%s cannot be \"%s\"",
					     options_name(&options, id), argument);
	}
	if (id < 0)
		return TOOL_USAGE;
	if (optind + 1 < argc)
		return options_wrong(&options, "one data directory, please");
	if (optind < argc)
		return read_directory(&anomalies, argv[optind]);
	if (anomalies.limit > LIMIT_MAX)
		return options_wrong(&options, "an engine answers with at most %d", LIMIT_MAX);
	return ask_engine(&anomalies);
}
