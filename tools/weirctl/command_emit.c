/*
 * emit: one event from the command line, through libweir like any application's.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "command.h"
#include "options.h"
#include "text.h"
#include "weir/limits.h"
#include "weir/weir.h"

#define PAIR_BYTES (WEIR_NAME_BYTES_MAX + WEIR_LABEL_BYTES_MAX + 2)

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

static const struct option_row rows[] = {
	{.name = "socket",
	 .argument = "PATH",
	 .help = "of the engine; default $WEIR_SOCKET, /run/weir/weir.sock",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct emit, open.socket_path)},
	{.name = "source",
	 .argument = "NAME",
	 .help = "stream of the event; default live",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct emit, open.source)},
	{.name = "field",
	 .argument = "NAME",
	 .help = "what the value is; default value",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct emit, field)},
	{.name = "time",
	 .argument = "TIME",
	 .help = "unix seconds, or 2011-01-04[T10:00[:00]] UTC; default now",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct emit, time_ms)},
	{.name = "wait",
	 .help = "leave when it is on stable storage, not only in the files",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct emit, durable)},
	{.name = "timeout",
	 .argument = "TIME",
	 .help = "wait for the engine so long; default 5s",
	 .kind = OPTION_DURATION,
	 .min = 1,
	 .max = 86400000,
	 .at = offsetof(struct emit, timeout_ms)},
	ROW_JSON(struct emit, "one JSON object"),
};

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
	bool unkept = ret == -EOPNOTSUPP; /* log.io is none */
	bool taken = (ret == 0 || unkept) && ledger.rejected + ledger.lost == 0;
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
	} else if (unkept) {
		fprintf(stderr, "weirctl: the engine took it and keeps nothing (log.io is none)\n");
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
		return options_wrong(&command_emit.options,
				     "this cannot be a series (%s): names are 1 to %d bytes of "
				     "UTF-8, values 0 to %d, each dimension comes once",
				     strerror(-series), WEIR_NAME_BYTES_MAX, WEIR_LABEL_BYTES_MAX);
	}
	ret = emit->time_ms < 0
		      ? weir_emit(handle, series, emit->value)
		      : weir_emit_at(handle, series, emit->value, (uint64_t)emit->time_ms);
	if (ret == 0)
		ret = weir_wait(handle, emit->durable ? WEIR_DURABLE : WEIR_PERSISTED,
				(uint32_t)emit->timeout_ms);
	return finish(emit, handle, ret);
}

static int run(void *self, int count, char **operands)
{
	struct emit *emit = self;
	emit->event = operands[0];
	for (int i = 1; i < count; i++) {
		const char *wrong = take_pair(emit, operands[i]);
		if (wrong)
			return options_wrong(&command_emit.options, "%.64s: %s", operands[i],
					     wrong);
	}
	return emit_one(emit);
}

static const struct emit defaults = {.open = {.size = sizeof(struct weir_options),
					      .program = "weirctl",
					      .ring_events = WEIR_RING_EVENTS_MIN},
				     .field = WEIR_VALUE,
				     .time_ms = -1,
				     .timeout_ms = 5000,
				     .value = 1.0};

static const struct option_example examples[] = {
	{"weirctl emit purchase value=49.99 country=IT", "One purchase"},
	{"weirctl emit --wait page_view device=mobile", "Leave when it is on stable storage"},
};

const struct command command_emit = {
	.options = {.program = "weirctl emit",
		    .operands = "EVENT [value=NUMBER] [DIMENSION=VALUE]...",
		    .summary = "one event from the command line",
		    .description = "One event, as an application would emit it.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    .exits = {[TOOL_NO] = "the engine rejected the event",
			      [TOOL_IO] = "no engine took it within the timeout"},
		    .environment = "WEIR_SOCKET"},
	.bytes = sizeof(struct emit),
	.defaults = &defaults,
	.run = run,
};
