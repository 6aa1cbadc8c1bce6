/*
 * emit: one event from the command line, through libweir like any application's.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "command.h"
#include "options.h"
#include "text.h"
#include "weir/limits.h"
#include "weir/weir.h"

#define PAIR_BYTES (WEIR_NAME_BYTES_MAX + WEIR_LABEL_BYTES_MAX + 2)

enum {
	OPTION_SOCKET = OPTIONS_LONG,
	OPTION_SOURCE,
	OPTION_FIELD,
	OPTION_TIME,
	OPTION_WAIT,
	OPTION_TIMEOUT,
	OPTION_JSON
};

static const struct option_row rows[] = {
	{OPTION_SOCKET, "socket", "PATH",
	 "of the engine; default $WEIR_SOCKET, /run/weir/weir.sock"},
	{OPTION_SOURCE, "source", "NAME", "stream of the event; default live"},
	{OPTION_FIELD, "field", "NAME", "what the value is; default value"},
	{OPTION_TIME, "time", "TIME", "unix seconds, or 2011-01-04[T10:00[:00]] UTC; default now"},
	{OPTION_WAIT, "wait", NULL, "leave when it is on stable storage, not only in the files"},
	{OPTION_TIMEOUT, "timeout", "TIME", "wait for the engine so long; default 5s"},
	{OPTION_JSON, "json", NULL, "one JSON object"},
};

static const struct options options = {
	.program = "weirctl emit",
	.usage = "[options] EVENT [value=NUMBER] [DIMENSION=VALUE]...",
	.about = "One event, as an application would emit it: weirctl emit purchase value=49.99 "
		 "country=IT",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
};

struct emit {
	struct weir_options open;
	const char *event, *field;
	bool durable, json;
	int64_t time_ms; /* negative: now */
	uint64_t timeout_ms;
	double value;
	struct weir_dimension dimensions[WEIR_DIMENSIONS_MAX];
	char pairs[WEIR_DIMENSIONS_MAX][PAIR_BYTES];
	uint32_t count;
};

static int take_option(struct emit *emit, int id, const char *argument)
{
	switch (id) {
	case OPTION_SOCKET:
		emit->open.socket_path = argument;
		return 0;
	case OPTION_SOURCE:
		emit->open.source = argument;
		return 0;
	case OPTION_FIELD:
		emit->field = argument;
		return 0;
	case OPTION_TIME:
		return text_parse_time(argument, &emit->time_ms);
	case OPTION_TIMEOUT:
		return options_duration_ms(argument, 1, 86400000, &emit->timeout_ms);
	case OPTION_WAIT:
		emit->durable = true;
		return 0;
	default:
		emit->json = true;
		return 0;
	}
}

/* "value=49.99" or "country=IT". Returns what is wrong, or NULL. */
static const char *take_pair(struct emit *emit, const char *text)
{
	if (strncmp(text, "value=", 6) == 0)
		return options_f64(text + 6, -1e308, 1e308, &emit->value) < 0
			       ? "the value is not a number"
			       : NULL;
	const char *equals = strchr(text, '=');
	if (!equals || equals == text)
		return "a dimension is NAME=VALUE";
	if (emit->count == WEIR_DIMENSIONS_MAX)
		return "too many dimensions";
	char *pair = emit->pairs[emit->count];
	if (strlen(text) >= PAIR_BYTES)
		return "the dimension is too long";
	memcpy(pair, text, strlen(text) + 1);
	pair[equals - text] = '\0';
	emit->dimensions[emit->count++] =
		(struct weir_dimension){.name = pair, .value = pair + (equals - text) + 1};
	return NULL;
}

static int finish(const struct emit *emit, weir *handle, int ret)
{
	struct weir_ledger ledger;
	const char *refusal = weir_refusal(handle);
	weir_ledger(handle, &ledger);
	bool taken = ret == 0 && ledger.rejected + ledger.lost == 0;
	if (emit->json) {
		printf("{\"ok\":%s,\"attempted\":%llu,\"published\":%llu,\"persisted\":%llu,"
		       "\"durable\":%llu,\"rejected\":%llu,\"error\":",
		       taken ? "true" : "false", (unsigned long long)ledger.attempted,
		       (unsigned long long)ledger.published, (unsigned long long)ledger.persisted,
		       (unsigned long long)ledger.durable, (unsigned long long)ledger.rejected);
		text_json(stdout, refusal);
		puts("}");
	} else if (refusal[0]) {
		fprintf(stderr, "weirctl: the engine refuses: %s\n", refusal);
	} else if (ret == -ETIMEDOUT) {
		fprintf(stderr, "weirctl: no engine took it within %llu ms; is weird running?\n",
			(unsigned long long)emit->timeout_ms);
	} else if (ret < 0) {
		fprintf(stderr, "weirctl: not emitted: %s\n", strerror(-ret));
	} else if (!taken) {
		fprintf(stderr, "weirctl: the engine rejected the event\n");
	}
	weir_close(handle, 0);
	if (taken)
		return TOOL_OK;
	return ret == 0 ? TOOL_NO : TOOL_IO;
}

static int emit_one(const struct emit *emit)
{
	weir *handle;
	int ret = weir_open(&emit->open, &handle);
	if (ret < 0) {
		fprintf(stderr, "weirctl: cannot open weir: %s\n", strerror(-ret));
		return TOOL_IO;
	}
	int series = weir_series(handle, emit->event, emit->field, WEIR_KIND_NUMBER,
				 emit->dimensions, emit->count);
	if (series < 0) {
		weir_close(handle, 0);
		return options_wrong(&options,
				     "this cannot be a series (%s): names are 1 to %d bytes of "
				     "UTF-8, values 0 to %d, each dimension comes once",
				     strerror(-series), WEIR_NAME_BYTES_MAX,
				     WEIR_LABEL_BYTES_MAX);
	}
	ret = emit->time_ms < 0
		      ? weir_emit(handle, series, emit->value)
		      : weir_emit_at(handle, series, emit->value, (uint64_t)emit->time_ms);
	if (ret == 0)
		ret = weir_wait(handle, emit->durable ? WEIR_DURABLE : WEIR_PERSISTED,
				(uint32_t)emit->timeout_ms);
	return finish(emit, handle, ret);
}

int command_emit(int argc, char **argv)
{
	struct emit emit = {.open = {.size = sizeof(emit.open),
				     .program = "weirctl",
				     .ring_events = WEIR_RING_EVENTS_MIN},
			    .field = WEIR_VALUE,
			    .time_ms = -1,
			    .timeout_ms = 5000,
			    .value = 1.0};
	const char *argument;
	int id;
	while ((id = options_next(&options, argc, argv, &argument)) > 0) {
		if (id == OPTIONS_HELP)
			return TOOL_OK;
		if (take_option(&emit, id, argument) < 0)
			return options_wrong(&options, "--%s cannot be \"%s\"",
					     options_name(&options, id), argument);
	}
	if (id < 0)
		return TOOL_USAGE;
	if (optind == argc)
		return options_wrong(&options, "which event?");
	emit.event = argv[optind];
	for (int i = optind + 1; i < argc; i++) {
		const char *wrong = take_pair(&emit, argv[i]);
		if (wrong)
			return options_wrong(&options, "%.64s: %s", argv[i], wrong);
	}
	return emit_one(&emit);
}
