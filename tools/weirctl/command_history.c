/*
 * history: what a metric was: of a running engine, or of a data directory's history.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "chart.h"
#include "command.h"
#include "member.h"
#include "options.h"
#include "since.h"
#include "text.h"

#define WHY_BYTES 640

enum form { FORM_TABLE, FORM_JSON, FORM_CSV };

struct history_command {
	const char *socket, *directory, *slice, *source;
	const char *since;
	int64_t until_ms;
	uint64_t step_ms, points;
	unsigned form;
	bool slices;
};

static const struct option_row rows[] = {
	ROW_CONTROL(struct history_command),
	{.name = "directory",
	 .argument = "DIR",
	 .help = "read this data directory, whether or not an engine runs on it",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct history_command, directory)},
	{.name = "slice",
	 .argument = "SLICE",
	 .help = "as country=DE or country=DE,device=mobile; default the total",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct history_command, slice)},
	{.name = "slices",
	 .help = "list the slices of the metric instead",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct history_command, slices)},
	{.name = "source",
	 .argument = "NAME",
	 .help = "of this source; default the first that has the metric",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct history_command, source)},
	{.name = "since",
	 .argument = "TIME",
	 .help = "so long before the end, as 7d; or from a time on, as 2011-01-04; default 1d",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct history_command, since)},
	{.name = "until",
	 .argument = "TIME",
	 .help = "up to this time; default the newest closed interval of the source",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct history_command, until_ms)},
	{.name = "step",
	 .argument = "DURATION",
	 .help = "of a point, as 1h; longer where no tier that is so fine reaches back",
	 .kind = OPTION_DURATION,
	 .max = 366.0 * 86400000,
	 .at = offsetof(struct history_command, step_ms)},
	{.name = "points",
	 .argument = "N",
	 .help = "without --step: the finest step that gives at most N points; default 100",
	 .kind = OPTION_U64,
	 .min = 1,
	 .max = 10000,
	 .at = offsetof(struct history_command, points)},
	{.name = "json",
	 .help = "one JSON object",
	 .kind = OPTION_VALUE,
	 .min = FORM_JSON,
	 .at = offsetof(struct history_command, form)},
	{.name = "csv",
	 .help = "time,value,events,closed,incomplete; and a header",
	 .kind = OPTION_VALUE,
	 .min = FORM_CSV,
	 .at = offsetof(struct history_command, form)},
};

static void print_json(const json_t *found)
{
	json_dumpf(found, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
}

/* The engine's answer, or the directory's: the part `name` of it. NULL: said why, with the exit
 * code. */
static json_t *find(const struct history_command *command, json_t *request, const char *name,
		    int *ret_code)
{
	char why[WHY_BYTES];
	json_t *answer, *found;
	char *path;

	if (!command->directory) {
		answer = ask_of(ask_socket(command->socket), request, ret_code, why, sizeof(why));
	} else {
		*ret_code = TOOL_IO;
		if (asprintf(&path, "%s/%s", command->directory, HISTORY_FILE) < 0)
			return NULL;
		char *text = chart_answer(path, request);
		answer = text ? json_loads(text, 0, NULL) : NULL;
		json_decref(request);
		free(text);
		free(path);
		snprintf(why, sizeof(why), "%s", text_of(answer, "error"));
		if (json_is_true(json_object_get(answer, "unknown")))
			*ret_code = TOOL_NO;
	}
	found = answer ? json_incref(json_object_get(answer, name)) : NULL;
	json_decref(answer);
	if (!found)
		fprintf(stderr, "weirctl: %s\n", why);
	return found;
}

static int print_names(const struct history_command *command, const char *metric)
{
	const char *name = metric ? "slices" : "metrics";
	json_t *request = json_pack("{ss sb}", "command", "history", "slices", 1);
	const json_t *entry;
	size_t i;

	if (metric)
		json_object_set_new(request, "metric", json_string(metric));
	int code;
	json_t *found = find(command, request, name, &code);
	if (!found)
		return code;
	if (command->form == FORM_JSON) {
		print_json(found);
		json_decref(found);
		return TOOL_OK;
	}
	json_array_foreach(found, i, entry)
	{
		const char *slice = text_of(entry, "slice");
		if (metric)
			printf("%-16s %s\n", text_of(entry, "source"), *slice ? slice : "(total)");
		else
			printf("%-24s %-12s %-16s %lld slice%s\n", text_of(entry, "metric"),
			       text_of(entry, "aggregation"), text_of(entry, "source"),
			       whole_of(entry, "slices"),
			       text_s((uint64_t)whole_of(entry, "slices")));
	}
	json_decref(found);
	return TOOL_OK;
}

static void print_csv(const json_t *points)
{
	const json_t *point;
	char time[TEXT_TIME_BYTES], value[TEXT_NUMBER_BYTES], events[TEXT_NUMBER_BYTES];
	size_t i;

	puts("time,value,events,closed,incomplete");
	json_array_foreach(points, i, point)
	{
		double known = number_of(point, "value");
		text_time(time, whole_of(point, "time_ms"));
		text_double(value, known);
		text_double(events, number_of(point, "events"));
		printf("%s,%s,%s,%lld,%lld\n", time, isnan(known) ? "" : value, events,
		       whole_of(point, "closed"), whole_of(point, "incomplete"));
	}
}

/* Sixteen columns of a bar say more than a number; negative values have none. */
static void print_bar(double value, double greatest)
{
	static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	int parts = greatest > 0 && value > 0 ? (int)lround(value / greatest * 128) : 0;

	for (int i = 0; i < parts / 8; i++)
		fputs("█", stdout);
	fputs(eighths[parts % 8], stdout);
}

static void print_table(const json_t *found, const json_t *points)
{
	char time[TEXT_TIME_BYTES], value[24];
	double greatest = 0;
	const json_t *point;
	size_t i;
	const char *slice = text_of(found, "slice");

	printf("%s%s%s of %s, %s; %lld s a point, from the tier \"%s\"\n", text_of(found, "metric"),
	       *slice ? ", " : "", slice, text_of(found, "source"), text_of(found, "aggregation"),
	       whole_of(found, "step_ms") / 1000, text_of(found, "tier"));
	if (whole_of(found, "damaged") > 0)
		printf("%lld chunks are damaged: holes\n", whole_of(found, "damaged"));
	json_array_foreach(points, i, point) greatest = fmax(greatest, number_of(point, "value"));
	json_array_foreach(points, i, point)
	{
		double known = number_of(point, "value");
		text_time(time, whole_of(point, "time_ms"));
		snprintf(value, sizeof(value), isnan(known) ? "-" : "%.6g", known);
		printf("%.19s  %12s  ", time, value);
		print_bar(known, greatest);
		puts(whole_of(point, "incomplete") ? " (incomplete)" : "");
	}
}

static int run(void *self, int count, char **operands)
{
	const struct history_command *command = self;
	int64_t from_ms, back_ms;

	if (count == 0 || command->slices)
		return print_names(command, count ? operands[0] : NULL);
	if (since_parse(command->since, &from_ms, &back_ms) < 0)
		return options_wrong(&command_history.options,
				     "--since cannot be \"%s\": " SINCE_WORDS, command->since);
	if (from_ms && command->until_ms < from_ms)
		return options_wrong(&command_history.options, "--until is before --since");
	json_t *request = json_pack("{ss ss sI sI sI sI}", "command", "history", "metric",
				    operands[0], "from_ms", (json_int_t)from_ms, "back_ms",
				    (json_int_t)back_ms, "step_ms", (json_int_t)command->step_ms,
				    "points", (json_int_t)command->points);
	if (command->until_ms != INT64_MAX)
		json_object_set_new(request, "to_ms", json_integer(command->until_ms));
	if (command->slice)
		json_object_set_new(request, "slice", json_string(command->slice));
	if (command->source)
		json_object_set_new(request, "source", json_string(command->source));
	int code;
	json_t *found = find(command, request, "history", &code);
	if (!found)
		return code;
	const json_t *points = json_object_get(found, "points");
	if (command->form == FORM_JSON)
		print_json(found);
	else if (command->form == FORM_CSV)
		print_csv(points);
	else
		print_table(found, points);
	json_decref(found);
	return TOOL_OK;
}

static const struct history_command defaults = {
	.since = "1d", .until_ms = INT64_MAX, .points = 100};

static const struct option_example examples[] = {
	{"weirctl history", "which metrics there are"},
	{"weirctl history orders --since 7d", "the last week, in at most 100 points"},
	{"weirctl history orders --slice country=DE --since 400d --step 1d --csv",
	 "a year and more of one country, for a spreadsheet"},
	{"weirctl history orders --directory /var/lib/weir --json", "without an engine"},
};

const struct command command_history = {
	.options =
		{
			.program = "weirctl history",
			.operands = "[METRIC]",
			.summary = "what a metric was, over any span",
			.description =
				"A metric's values from the history: each closed interval, in tiers that "
				"are kept for their own time (intervals, minutes, hours, days). The "
				"coarsest tier that gives the step is read; all times are UTC. A dash, "
				"or an empty value, is a time of which nothing is known or nothing can be "
				"said, not a zero.\n\nWithout METRIC: which metrics there are.",
			COMMAND_ROWS(rows),
			COMMAND_EXAMPLES(examples),
			.exits =
				{[TOOL_NO] = "there is no such metric or slice"},
			.environment = "WEIR_CONTROL",
		},
	.bytes = sizeof(struct history_command),
	.defaults = &defaults,
	.run = run,
};
