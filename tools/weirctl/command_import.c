/*
 * import: recorded events, or sums of them, from a file into the engine.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/monotonic.h"
#include "command.h"
#include "import.h"
#include "options.h"
#include "progress.h"
#include "rebase.h"
#include "text.h"
#include "weir/weir.h"

#define BAD_ROWS_SHOWN 5

/* An --event, and the options behind it. */
struct described {
	const char *event; /* NULL: from the event column */
	const char *field, *value, *aggregate, *distinct;
};

struct descriptions {
	struct described list[IMPORT_MEASURES_MAX];
	uint32_t count;
	const char *event_column;
	bool orphan; /* an option of an event came before any */
};

struct import_command {
	struct import_map map;
	struct import_target target;
	struct descriptions descriptions;
	const char *path;
	unsigned format; /* of `auto|csv|jsonl` */
	unsigned clock, bad_rows;
	const char *control;
	bool dry_run, rebase, quiet, json;
	struct progress progress;
	uint64_t bad_shown;
	char *texts[IMPORT_MEASURES_MAX]; /* that measures were cut out of; owned */
	uint32_t texts_count;
};

static int take_dimension(void *field, const char *argument)
{
	struct import_map *map = field;
	const char *equals = strchr(argument, '=');
	size_t bytes = equals ? (size_t)(equals - argument) : strlen(argument);

	if (map->dimensions_count == WEIR_DIMENSIONS_MAX || bytes == 0 ||
	    bytes > WEIR_NAME_BYTES_MAX || (equals && equals[1] == '\0'))
		return -EINVAL;
	struct import_dimension *dimension = &map->dimensions[map->dimensions_count];
	memcpy(dimension->name, argument, bytes);
	dimension->name[bytes] = '\0';
	dimension->column = equals ? equals + 1 : argument;
	for (uint32_t i = 0; i < map->dimensions_count; i++)
		if (strcmp(map->dimensions[i].name, dimension->name) == 0)
			return -EINVAL;
	map->dimensions_count++;
	return 0;
}

static int take_delimiter(void *field, const char *argument)
{
	bool tab = strcmp(argument, "tab") == 0;
	if ((argument[0] && argument[1] && !tab) || strchr("\"\r\n", argument[0]))
		return -EINVAL;
	*(char *)field = tab ? '\t' : argument[0];
	return 0;
}

static int describe(struct descriptions *descriptions, const char *event)
{
	if (descriptions->count == IMPORT_MEASURES_MAX ||
	    (event && (!event[0] || strlen(event) > WEIR_NAME_BYTES_MAX)))
		return -EINVAL;
	descriptions->list[descriptions->count++] = (struct described){.event = event};
	return 0;
}

static int take_event(void *field, const char *argument)
{
	return describe(field, argument);
}

static int take_event_column(void *field, const char *argument)
{
	struct descriptions *descriptions = field;
	if (descriptions->event_column)
		return -EINVAL;
	descriptions->event_column = argument;
	return describe(descriptions, NULL);
}

/* Where an option of the last event goes. */
static struct described *last_of(struct descriptions *descriptions)
{
	if (descriptions->count)
		return &descriptions->list[descriptions->count - 1];
	descriptions->orphan = true;
	return &descriptions->list[0];
}

static int take_once(const char **place, const char *argument)
{
	if (*place || !argument[0])
		return -EINVAL;
	*place = argument;
	return 0;
}

static int take_field(void *field, const char *argument)
{
	return take_once(&last_of(field)->field, argument);
}

static int take_value(void *field, const char *argument)
{
	return take_once(&last_of(field)->value, argument);
}

static int take_aggregate(void *field, const char *argument)
{
	return take_once(&last_of(field)->aggregate, argument);
}

static int take_distinct(void *field, const char *argument)
{
	return take_once(&last_of(field)->distinct, argument);
}

static int take_source(void *field, const char *argument)
{
	if (!argument[0] || strlen(argument) >= WEIR_SOURCE_NAME_BYTES)
		return -EINVAL;
	*(const char **)field = argument;
	return 0;
}

#define ROW_TEXT(NAME, ARGUMENT, HELP, MEMBER)                                                     \
	{                                                                                          \
		.name = NAME, .argument = ARGUMENT, .help = HELP, .kind = OPTION_TEXT,             \
		.at = offsetof(struct import_command, MEMBER)                                      \
	}
#define ROW_TAKE(NAME, ARGUMENT, HELP, MEMBER, TAKE)                                               \
	{                                                                                          \
		.name = NAME, .argument = ARGUMENT, .help = HELP, .kind = OPTION_TAKE,             \
		.take = TAKE, .at = offsetof(struct import_command, MEMBER)                        \
	}
#define ROW_CHOICE(NAME, WORDS, HELP, MEMBER)                                                      \
	{                                                                                          \
		.name = NAME, .argument = WORDS, .help = HELP, .kind = OPTION_CHOICE,              \
		.at = offsetof(struct import_command, MEMBER)                                      \
	}
#define ROW_SWITCH(NAME, HELP, MEMBER)                                                             \
	{                                                                                          \
		.name = NAME, .help = HELP, .kind = OPTION_SWITCH,                                 \
		.at = offsetof(struct import_command, MEMBER)                                      \
	}

static const struct option_row rows[] = {
	ROW_CHOICE("format", "auto|csv|jsonl", "auto (default): by the file's name, else csv",
		   format),
	ROW_TAKE("delimiter", "CHAR", "between columns of CSV; default a comma; or tab",
		 map.delimiter, take_delimiter),
	ROW_SWITCH("no-header", "the first line is a row; columns are 1, 2, ...", map.no_header),
	ROW_TEXT("time", "COLUMN", "when it happened; default time", map.time_column),
	ROW_TEXT("time-format", "FORMAT",
		 "auto (default), s, ms, us, ns, iso, or of strptime(3): %d/%m/%Y",
		 map.time_format),
	ROW_TEXT("zone", "ZONE", "of times that name none: UTC (default), +01:00, Europe/Rome",
		 map.zone),
	ROW_TAKE("dimension", "NAME[=COLUMN]", "a label of every event; may be repeated", map,
		 take_dimension),
	ROW_TAKE("event", "NAME",
		 "what the options behind it describe; with several a row is several events",
		 descriptions, take_event),
	ROW_TAKE("event-column", "COLUMN",
		 "a row is one event, named by this column; an --event NAME beside it describes rows "
		 "that say NAME, what is behind --event-column the others",
		 descriptions, take_event_column),
	ROW_TAKE("value", "COLUMN", "what the event is worth; default: 1 each", descriptions,
		 take_value),
	ROW_TAKE("field", "NAME", "what the value is; default value", descriptions, take_field),
	ROW_TAKE("aggregate", "STAT=COLUMN,...",
		 "rows are sums: count, sum, sum_squares, min, max of many events", descriptions,
		 take_aggregate),
	ROW_TAKE("distinct", "[FIELD=]COLUMN",
		 "a text of which different ones are counted, as a visitor's; it is hashed",
		 descriptions, take_distinct),
	ROW_TAKE("source", "NAME", "stream of the events; default import", target.source,
		 take_source),
	ROW_CHOICE("clock", "event|wall",
		   "event (default): as it was lived; wall: into the history of a live source",
		   clock),
	ROW_CHOICE("bad-rows", "stop|count",
		   "stop (default) before anything is sent, or count and pass over", bad_rows),
	ROW_SWITCH("dry-run", "read and check only; no engine is asked", dry_run),
	ROW_TEXT("socket", "PATH", "of the engine; default $WEIR_SOCKET, /run/weir/weir.sock",
		 target.socket_path),
	{.name = "timeout",
	 .argument = "TIME",
	 .help = "give up when the engine takes nothing; default 10s",
	 .kind = OPTION_DURATION,
	 .min = 1,
	 .max = 86400000,
	 .at = offsetof(struct import_command, target.patience_ms)},
	ROW_SWITCH("rebase",
		   "then let the source's detectors live through its history again; see "
		   "weirctl-rebase(1)",
		   rebase),
	ROW_TEXT("control", "PATH",
		 "for --rebase: control socket; default $WEIR_CONTROL, /run/weir/control.sock",
		 control),
	ROW_SWITCH("quiet", "no progress bar", quiet),
	ROW_JSON(struct import_command, "one JSON object"),
};

static int add_measure(struct import_command *command, const struct described *described,
		       const char *suffix, const char *column, bool optional)
{
	struct import_map *map = &command->map;
	if (map->measures_count == IMPORT_MEASURES_MAX)
		return -E2BIG;
	struct import_measure *measure = &map->measures[map->measures_count++];
	int bytes = snprintf(measure->field, sizeof(measure->field), "%s%s%s",
			     described->field ? described->field : WEIR_VALUE, suffix[0] ? ":" : "",
			     suffix);
	if (bytes >= (int)sizeof(measure->field))
		return -EINVAL;
	measure->event = described->event;
	measure->column = column;
	measure->optional = optional;
	return 0;
}

/* "count=sessions,sum=revenue": a measure for each. Its texts are cut out of a copy that lives as
 * long as the command. */
static int add_aggregate(struct import_command *command, const struct described *described)
{
	static const char *const stats[] = {"count", "sum", "sum_squares", "min", "max"};
	char *copy = strdup(described->aggregate);
	char *rest = copy;
	command->texts[command->texts_count++] = copy;
	for (char *pair; copy && (pair = strsep(&rest, ","));) {
		char *column = strchr(pair, '=');
		const char *stat = NULL;
		if (!column || !column[1])
			return -EINVAL;
		*column++ = '\0';
		for (size_t i = 0; i < sizeof(stats) / sizeof(stats[0]); i++)
			if (strcmp(pair, stats[i]) == 0)
				stat = stats[i];
		int ret = stat ? add_measure(command, described, stat, column, true) : -EINVAL;
		if (ret < 0)
			return ret;
	}
	return copy ? 0 : -ENOMEM;
}

/* "COLUMN" or "FIELD=COLUMN": a series of hashes beside the event's own. */
static int add_distinct(struct import_command *command, const struct described *described)
{
	const char *equals = strchr(described->distinct, '=');
	size_t bytes = equals ? (size_t)(equals - described->distinct)
			      : strlen(described->distinct);
	struct import_map *map = &command->map;
	if (map->measures_count == IMPORT_MEASURES_MAX || bytes == 0 ||
	    bytes > WEIR_NAME_BYTES_MAX || (equals && !equals[1]))
		return -EINVAL;
	struct import_measure *measure = &map->measures[map->measures_count++];
	memcpy(measure->field, described->distinct, bytes);
	measure->event = described->event;
	measure->column = equals ? equals + 1 : described->distinct;
	measure->optional = true;
	measure->distinct = true;
	return 0;
}

static int make_measures(struct import_command *command)
{
	if (command->descriptions.orphan)
		return options_wrong(&command_import.options,
				     "--field, --value, --aggregate and --distinct come behind "
				     "the --event they describe");
	if (command->descriptions.count == 0)
		return options_wrong(&command_import.options,
				     "which event? --event NAME or --event-column "
				     "COLUMN");
	for (uint32_t i = 0; i < command->descriptions.count; i++) {
		const struct described *described = &command->descriptions.list[i];
		if (described->value && described->aggregate)
			return options_wrong(&command_import.options,
					     "--value and --aggregate of one event: "
					     "rows are events, or sums of events");
		int ret = described->aggregate
				  ? add_aggregate(command, described)
				  : add_measure(command, described, "", described->value, false);
		if (ret < 0 && described->aggregate)
			return options_wrong(&command_import.options,
					     "--aggregate cannot be \"%s\": it is STAT=COLUMN,... "
					     "of count, sum, sum_squares, min, max",
					     described->aggregate);
		if (ret < 0)
			return options_wrong(&command_import.options, "--field: too long");
		if (described->distinct && add_distinct(command, described) < 0)
			return options_wrong(&command_import.options,
					     "--distinct cannot be \"%s\": it is a column, or "
					     "FIELD=COLUMN",
					     described->distinct);
	}
	return TOOL_OK;
}

static void on_progress(void *self, double part, uint64_t count)
{
	progress_show(&((struct import_command *)self)->progress, part, count);
}

static void on_bad_row(void *self, uint64_t line, const char *what)
{
	struct import_command *command = self;
	if (command->bad_shown++ >= BAD_ROWS_SHOWN)
		return;
	progress_end(&command->progress);
	fprintf(stderr, "weirctl: %s:%llu: %s\n", command->path, (unsigned long long)line, what);
	if (command->bad_shown == BAD_ROWS_SHOWN)
		fputs("weirctl: further broken rows are only counted\n", stderr);
}

static uint32_t series_used(const struct import *import)
{
	uint32_t used = 0;
	for (uint32_t s = 0; s < import_series_count(import); s++)
		used += import->used[s];
	return used;
}

static void print_json(const struct import *import, const struct import_sent *sent, double seconds,
		       bool ok, const char *why)
{
	printf("{\"ok\":%s,\"rows\":%llu,\"bad_rows\":%llu,\"events\":%zu,\"series\":%u,"
	       "\"first_ms\":%lld,\"last_ms\":%lld,\"attempted\":%llu,\"published\":%llu,"
	       "\"persisted\":%llu,\"dropped\":%llu,\"rejected\":%llu,\"seconds\":%.3f,\"error\":",
	       ok ? "true" : "false", (unsigned long long)import->rows,
	       (unsigned long long)import->bad_rows, import->count, series_used(import),
	       (long long)import->first_ms, (long long)import->last_ms,
	       (unsigned long long)sent->attempted, (unsigned long long)sent->published,
	       (unsigned long long)sent->persisted, (unsigned long long)sent->dropped,
	       (unsigned long long)sent->rejected, seconds);
	text_json(stdout, why);
	puts("}");
}

static void print_text(const struct import_command *command, const struct import *import,
		       double seconds)
{
	char first[TEXT_TIME_BYTES], last[TEXT_TIME_BYTES];
	text_time(first, import->first_ms);
	text_time(last, import->last_ms);
	printf("%llu row%s: %zu event%s of %u series", (unsigned long long)import->rows,
	       text_s(import->rows), import->count, text_s(import->count), series_used(import));
	if (import->count)
		printf(", from %s to %s", first, last);
	if (import->bad_rows)
		printf("; %llu broken row%s passed over", (unsigned long long)import->bad_rows,
		       text_s(import->bad_rows));
	printf("\n%s in %.2f s\n",
	       command->dry_run ? "read and checked, nothing sent" : "all in the engine's files",
	       seconds);
}

/* What came late is in the history once the source has closed; then its detectors may learn it. */
static int rebase_after(const struct import_command *command)
{
	bool quiet = command->quiet || command->json;
	const char *source = command->target.source;
	char why[IMPORT_WHY_BYTES];
	int code = command->target.wall
			   ? rebase_await_closes(command->control, source, quiet, why, sizeof(why))
			   : TOOL_OK;
	json_t *rebase = code == TOOL_OK ? rebase_follow(command->control, source, quiet, &code,
							 why, sizeof(why))
					 : NULL;
	if (rebase)
		rebase_print(rebase, command->json);
	else
		fprintf(stderr, "weirctl: imported, but no rebase: %s\n", why);
	json_decref(rebase);
	return code;
}

static int import_file(struct import_command *command)
{
	char why[IMPORT_WHY_BYTES] = "";
	struct import import;
	struct import_sent sent = {0};
	double began_s = monotonic_s();
	struct import_listener listener = {.self = command,
					   .progress = on_progress,
					   .bad_row = command->bad_rows ? on_bad_row : NULL};

	progress_begin(&command->progress, "reading", "rows", command->quiet);
	int ret = import_read(&import, &command->map, command->path, &listener, why, sizeof(why));
	progress_end(&command->progress);
	if (ret == 0 && !command->dry_run) {
		progress_begin(&command->progress, "sending", "events", command->quiet);
		ret = import_send(&import, &command->target, &listener, &sent, why, sizeof(why));
		progress_end(&command->progress);
	}
	if (ret == 0)
		why[0] = '\0';
	else
		fprintf(stderr, "weirctl: %s%s\n", why,
			ret == -EBADMSG ? "; nothing was sent" : "");
	if (command->json)
		print_json(&import, &sent, monotonic_s() - began_s, ret == 0, why);
	else if (ret == 0)
		print_text(command, &import, monotonic_s() - began_s);
	import_fini(&import);
	if (ret == 0)
		return command->rebase && !command->dry_run ? rebase_after(command) : TOOL_OK;
	return ret == -EBADMSG || ret == -EPROTO || ret == -ENOSPC ? TOOL_NO
	       : ret == -EINVAL || ret == -ENOENT                  ? TOOL_USAGE
								   : TOOL_IO;
}

static bool ends_in(const char *text, const char *end)
{
	size_t bytes = strlen(text), end_bytes = strlen(end);
	return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

static enum import_format format_of(const struct import_command *command)
{
	static const char *const names[] = {".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"};
	if (command->format)
		return command->format == 1 ? IMPORT_CSV : IMPORT_JSON;
	for (size_t i = 0; i < OPTIONS_COUNT(names); i++)
		if (ends_in(command->path, names[i]))
			return IMPORT_JSON;
	return IMPORT_CSV;
}

static int run(void *self, int count, char **operands)
{
	struct import_command *command = self;
	(void)count;
	command->path = operands[0];
	command->map.format = format_of(command);
	command->map.event_column = command->descriptions.event_column;
	command->target.wall = command->clock == 1;
	int code = make_measures(command);
	code = code == TOOL_OK ? import_file(command) : code;
	while (command->texts_count)
		free(command->texts[--command->texts_count]);
	return code;
}

static const struct import_command defaults = {
	.map = {.delimiter = ',', .time_column = "time", .time_format = "auto"},
	.target = {.source = "import", .patience_ms = 10000},
};

static const struct option_example examples[] = {
	{"weirctl import orders.csv --event purchase --time date --value total --dimension country",
	 "One event for each row"},
	{"weirctl import days.csv --time day --event session_start --aggregate count=sessions "
	 "--event purchase --aggregate count=orders,sum=revenue",
	 "Sums of events, two in each row"},
	{"zcat clicks.jsonl.gz | weirctl import - --format jsonl --event-column name --dimension "
	 "country=geo.country",
	 "From a pipe; the row names its event, a path the member of an object"},
	{"weirctl import events.csv --event-column name --event purchase --value total --event "
	 "page_view --field ms --value load_time",
	 "Purchases are worth their total, page views their time, all others 1"},
};

const struct command command_import = {
	.options =
		{.program = "weirctl import",
		 .operands = "FILE",
		 .summary = "recorded events, or sums of them, from a file",
		 .description =
			 "Recorded events from CSV or JSON lines; - is stdin, a name in .gz is "
			 "unpacked. The whole file is read and checked, and sorted by time if it "
			 "is not, before the first event is sent.\n\n"
			 "With clock event the intervals of the source are closed, scored and "
			 "alerted as they were lived. What is behind the source's clock is late: "
			 "kept, and corrected into the history.",
		 COMMAND_ROWS(rows),
		 COMMAND_EXAMPLES(examples),
		 .exits = {[TOOL_NO] = "a broken row, or the engine refused events",
			   [TOOL_IO] = "the file cannot be read, or no engine took an event "
				       "within the timeout"},
		 .environment = "WEIR_SOCKET WEIR_CONTROL"},
	.bytes = sizeof(struct import_command),
	.defaults = &defaults,
	.run = run,
};
