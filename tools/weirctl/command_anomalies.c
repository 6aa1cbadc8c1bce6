/*
 * anomalies: what was found, newest first: of a running engine, or of a data directory's store.
 */
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

struct anomalies {
	const char *socket, *metric;
	double severity;
	int64_t since_ms;
	uint64_t limit;
	bool revisions, json;
};

static const struct option_row rows[] = {
	ROW_CONTROL(struct anomalies),
	{.name = "severity",
	 .argument = "N",
	 .help = "only those whose peak reached N, 0 to 100",
	 .kind = OPTION_F64,
	 .max = 100.0,
	 .at = offsetof(struct anomalies, severity)},
	{.name = "metric",
	 .argument = "NAME",
	 .help = "only those of this metric",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct anomalies, metric)},
	{.name = "since",
	 .argument = "TIME",
	 .help = "that ended later: unix seconds, or 2011-01-04[T10:00] UTC",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct anomalies, since_ms)},
	{.name = "limit",
	 .argument = "N",
	 .help = "at most N; default 100",
	 .kind = OPTION_U64,
	 .min = 1,
	 .max = UINT32_MAX,
	 .at = offsetof(struct anomalies, limit)},
	{.name = "revisions",
	 .help = "every revision, oldest first",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct anomalies, revisions)},
	ROW_JSON(struct anomalies, "one JSON object per line, as Redis subscribers get it"),
};

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

static int run(void *self, int count, char **operands)
{
	struct anomalies *anomalies = self;
	if (count)
		return read_directory(anomalies, operands[0]);
	if (anomalies->limit > LIMIT_MAX)
		return options_wrong(&command_anomalies.options,
				     "an engine answers with at most %d", LIMIT_MAX);
	return ask_engine(anomalies);
}

static const struct anomalies defaults = {.limit = 100};

static const struct option_example examples[] = {
	{"weirctl anomalies --severity 50", "What was at least major"},
	{"weirctl anomalies --metric revenue --revisions --json",
	 "Every revision of one metric's anomalies"},
	{"weirctl anomalies /var/lib/weir", "The same without the engine"},
};

const struct command command_anomalies = {
	.options = {.program = "weirctl anomalies",
		    .operands = "[DIR]",
		    .summary = "what it found, newest first",
		    .description = "What was found, newest first: by the running engine, or, with "
				   "DIR, in a data directory.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    .environment = "WEIR_CONTROL"},
	.bytes = sizeof(struct anomalies),
	.defaults = &defaults,
	.run = run,
};
