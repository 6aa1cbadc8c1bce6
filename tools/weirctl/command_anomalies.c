/*
 * anomalies: what was found, newest first: of a running engine, or of a data directory's store.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "command.h"
#include "deliver/store.h"
#include "listing.h"
#include "member.h"
#include "options.h"
#include "text.h"

#define WHY_BYTES 320
#define LIMIT_MAX 1000 /* what the engine answers at once; a directory has no such bound */

struct anomalies {
	const char *socket, *metric, *state;
	double severity;
	int64_t since_ms;
	uint64_t limit;
	bool revisions, pending, json;
	struct store_reader *reader; /* of a directory */
};

static int take_state(void *field, const char *argument)
{
	const char **state = field;
	if (!listing_states(argument))
		return -1;
	*state = argument;
	return 0;
}

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
	{.name = "state",
	 .argument = "STATE[,...]",
	 .help = "only those in this state: pending, firing, updated, resolved; open is firing and "
		 "updated",
	 .kind = OPTION_TAKE,
	 .take = take_state,
	 .at = offsetof(struct anomalies, state)},
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
	{.name = "pending",
	 .help = "also what went before it fired",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct anomalies, pending)},
	{.name = "revisions",
	 .help = "every revision, oldest first",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct anomalies, revisions)},
	ROW_JSON(struct anomalies, "one JSON object per line, as Redis subscribers get it"),
};

static void print_remark(const char *what, const json_t *remark)
{
	char time[TEXT_TIME_BYTES];
	text_time(time, json_integer_value(json_object_get(remark, "time_ms")));
	printf("          %.19sZ  %s %s%s%s\n", time, what, text_of(remark, "author"),
	       text_of(remark, "text")[0] ? ": " : "", text_of(remark, "text"));
}

/* What operators said of it. */
static void print_remarks(const json_t *said)
{
	const json_t *note;
	size_t i;
	if (json_object_get(said, "ack"))
		print_remark("acknowledged by", json_object_get(said, "ack"));
	const json_t *feedback = json_object_get(said, "feedback");
	const char *verdict = text_of(feedback, "verdict");
	if (feedback)
		print_remark(strcmp(verdict, "yes") == 0  ? "an incident, says"
			     : strcmp(verdict, "no") == 0 ? "a false alarm, says"
							  : "perhaps one, says",
			     feedback);
	json_array_foreach(json_object_get(said, "notes"), i, note) print_remark("note by", note);
}

/* "country=IT and device=mobile" of "country=IT,device=mobile". */
static void print_slice(const json_t *dimensions)
{
	const char *name, *before = "";
	json_t *value;
	json_object_foreach((json_t *)dimensions, name, value)
	{
		printf("%s%s=%s", before, name, json_string_value(value));
		before = " and ";
	}
}

/* What explains it: "mostly country=IT and device=mobile (62 %)", or two slices at once; else the
 * first contribution. */
static void print_cause(const json_t *data)
{
	const json_t *explanation = json_object_get(data, "explanation"), *one;
	size_t i;
	if (json_array_size(explanation) == 0 && text_of(data, "top_contribution")[0])
		printf("  (%s)", text_of(data, "top_contribution"));
	json_array_foreach((json_t *)explanation, i, one)
	{
		fputs(i ? "; and " : "  (mostly ", stdout);
		print_slice(json_object_get(one, "dimensions"));
		if (isfinite(number_of(one, "share")))
			printf(", %.0f %%", 100 * number_of(one, "share"));
	}
	if (json_array_size(explanation) > 0)
		putchar(')');
}

/* What moved with it, in the order in which it did: "visits 20 s before; refunds 10 s after". */
static void print_related(const json_t *data)
{
	const json_t *one;
	size_t i;
	json_array_foreach(json_object_get(data, "related"), i, one)
	{
		const json_int_t lead_ms = whole_of(one, "lead_ms");
		char span[TEXT_NUMBER_BYTES];
		printf("%s%s %s", i ? "; " : "  [", text_of(one, "metric"),
		       text_of(one, "direction"));
		text_span(span, llabs(lead_ms));
		if (lead_ms)
			printf(" %s %s", span, lead_ms > 0 ? "before" : "after");
	}
	if (i > 0)
		putchar(']');
}

/* One CloudEvent as a line. */
static void print_people(const json_t *event)
{
	const json_t *data = json_object_get(event, "data");
	const json_t *strongest = json_object_get(event, "strongest");
	const json_t *figures = strongest ? strongest : data;
	char observed[TEXT_NUMBER_BYTES], expected[TEXT_NUMBER_BYTES];
	text_brief(observed, number_of(figures, "observed"));
	text_brief(expected, number_of(figures, "expected"));
	printf("%.8s  %-20s  %-8s %5.1f %-8s  %-34s %s instead of %s", text_of(data, "id"),
	       text_of(data, "interval_start"), text_of(data, "state"), number_of(data, "peak"),
	       text_of(data, "direction"), text_of(event, "subject"), observed, expected);
	print_cause(figures);
	print_related(data);
	if (json_is_true(json_object_get(data, "muted")))
		printf("  [muted]");
	putchar('\n');
	print_remarks(json_object_get(event, "operator"));
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
	json_t *request = json_pack("{ss sf sI sI sb sb}", "command", "anomalies", "severity",
				    anomalies->severity, "since_ms",
				    (json_int_t)anomalies->since_ms, "limit",
				    (json_int_t)anomalies->limit, "revisions", anomalies->revisions,
				    "pending", anomalies->pending);
	if (anomalies->state)
		json_object_set_new(request, "state", json_string(anomalies->state));
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
	const struct anomalies *anomalies = self;
	/* The environment stands in the configuration; the store does not know it. */
	json_t *event = listing_event(anomalies->reader, anomaly, "-");
	if (!event)
		return 1;
	print_event(anomalies, event);
	json_decref(event);
	return 0;
}

static int read_directory(struct anomalies *anomalies, const char *directory)
{
	struct store_query query = {.severity_min = anomalies->severity,
				    .since_ms = anomalies->since_ms,
				    .metric = anomalies->metric,
				    .limit = (uint32_t)anomalies->limit,
				    .states = anomalies->state ? listing_states(anomalies->state)
							       : 0,
				    .pending = anomalies->pending,
				    .revisions = anomalies->revisions};
	char *path;
	if (asprintf(&path, "%s/weir.db", directory) < 0)
		return TOOL_IO;
	int error = store_reader_open(path, &anomalies->reader);
	if (!error) {
		error = store_anomalies(anomalies->reader, &query, each, anomalies);
		store_reader_close(anomalies->reader);
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
	{"weirctl anomalies --state open", "What goes on now"},
	{"weirctl anomalies --metric revenue --revisions --json",
	 "Every revision of one metric's anomalies"},
	{"weirctl anomalies /var/lib/weir", "The same without the engine"},
};

const struct command command_anomalies = {
	.options = {.program = "weirctl anomalies",
		    .operands = "[DIR]",
		    .summary = "what it found, newest first",
		    .description =
			    "What was found, newest first: by the running engine, or, with "
			    "DIR, in a data directory; with what operators said of it. What "
			    "was pending and went before it fired is left out. The figures of "
			    "a resolved one are those of its most severe revision.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    .environment = "WEIR_CONTROL"},
	.bytes = sizeof(struct anomalies),
	.defaults = &defaults,
	.run = run,
};
