/*
 * status: how the running engine is. Exit code 1 if it cannot write what it should keep.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "command.h"
#include "options.h"
#include "text.h"

#define WHY_BYTES 320
#define GROUPED_BYTES 32

struct ask_status {
	const char *socket;
	bool json;
};

static const struct option_row rows[] = {
	ROW_CONTROL(struct ask_status),
	ROW_JSON(struct ask_status, "one JSON object"),
};

/* A number at "detectors.banks", 0 if it is not there. */
static int64_t number_at(const json_t *status, const char *path)
{
	char part[64];
	for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
		snprintf(part, sizeof(part), "%.*s", (int)(dot - path), path);
		status = json_object_get(status, part);
	}
	return json_integer_value(json_object_get(status, path));
}

static const char *text_at(const json_t *status, const char *name)
{
	const char *text = json_string_value(json_object_get(status, name));
	return text ? text : "?";
}

/* 12,345,678 */
static const char *grouped(int64_t value, char text[GROUPED_BYTES])
{
	char digits[24];
	int count = snprintf(digits, sizeof(digits), "%" PRId64, value), used = 0;
	for (int i = 0; i < count; i++) {
		if (i > 0 && (count - i) % 3 == 0 && digits[i - 1] != '-')
			text[used++] = ',';
		text[used++] = digits[i];
	}
	text[used] = '\0';
	return text;
}

/* Is there anything that it should write and cannot? */
static bool is_failing(const json_t *status)
{
	const json_t *lane;
	size_t i;
	bool failing = number_at(status, "store.failing") ||
		       number_at(status, "control_log.failing");
	json_array_foreach(json_object_get(status, "lanes"), i, lane)
		failing |= number_at(lane, "failing") != 0;
	return failing;
}

static void print_events(const json_t *status)
{
	static const struct {
		const char *name, *said;
	} counts[] = {{"events_persisted", "kept"},
		      {"events_unkept", "not kept (log.io is none)"},
		      {"events_dropped", "dropped"},
		      {"events_rejected", "rejected"},
		      {"events_lost", "lost"},
		      {"events_in_ring", "in rings"}};
	char number[GROUPED_BYTES];
	printf("events     ");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		uint64_t count = number_at(status, counts[i].name);
		if (count == 0 && strcmp(counts[i].name, "events_unkept") == 0)
			continue;
		printf("%s%s %s", i ? ", " : "", grouped(count, number), counts[i].said);
	}
	putchar('\n');
}

static void print_sources(const json_t *status)
{
	const json_t *source;
	size_t i;
	json_array_foreach(json_object_get(status, "sources"), i, source)
	{
		const json_t *through = json_object_get(source, "closed_through_ms");
		char time[TEXT_TIME_BYTES] = "nothing yet";
		if (json_is_integer(through))
			text_time(time, json_integer_value(through));
		printf("%s%s (clock %s), closed up to %s\n", i ? "           " : "sources    ",
		       text_at(source, "name"), text_at(source, "clock"), time);
	}
}

static void print_redis(const json_t *status)
{
	const json_t *redis = json_object_get(status, "redis");
	char number[GROUPED_BYTES];
	printf("alerts     %s revisions stored",
	       grouped(number_at(status, "store.revisions"), number));
	printf(", %s wait for Redis\n", grouped(number_at(status, "store.outbox"), number));
	if (!json_is_true(json_object_get(redis, "configured"))) {
		puts("redis      none configured");
	} else {
		bool connected = json_is_true(json_object_get(redis, "connected"));
		printf("redis      %s, %s published", connected ? "connected" : "NOT CONNECTED",
		       grouped(number_at(redis, "published"), number));
		printf(connected ? "\n" : " (%s)\n", text_at(redis, "error"));
	}
}

static void print_people(const json_t *status)
{
	int64_t up_s = number_at(status, "up_ms") / 1000;
	printf("weird %s, pid %" PRId64 ", up %" PRId64 ":%02d:%02d, environment %s%s\n",
	       text_at(status, "version"), number_at(status, "pid"), up_s / 3600,
	       (int)(up_s / 60 % 60), (int)(up_s % 60), text_at(status, "environment"),
	       is_failing(status) ? ", CANNOT WRITE" : "");
	printf("data       %s (%s, durability %s, epoch %" PRId64 ")\n",
	       text_at(status, "data_directory"), text_at(status, "io"),
	       text_at(status, "durability"), number_at(status, "epoch"));
	print_events(status);
	printf("producers  %" PRId64 " with %" PRId64 " rings, %" PRId64 " series, %" PRId64
	       " refused, %" PRId64 " in quarantine\n",
	       number_at(status, "intake.producers"), number_at(status, "intake.rings"),
	       number_at(status, "series"), number_at(status, "intake.refused"),
	       number_at(status, "intake.quarantined"));
	print_sources(status);
	printf("detectors  %" PRId64 ", of these %" PRId64 " learning\n",
	       number_at(status, "detectors.banks"), number_at(status, "detectors.learning"));
	print_redis(status);
	printf("recovery   %s\n", text_at(status, "recovery"));
}

static int run(void *self, int count, char **operands)
{
	const struct ask_status *given = self;
	char why[WHY_BYTES];
	(void)count;
	(void)operands;
	json_t *answer = ask(ask_socket(given->socket), json_pack("{ss}", "command", "status"), why,
			     sizeof(why));
	if (!answer) {
		fprintf(stderr, "weirctl: %s\n", why);
		return TOOL_IO;
	}
	const json_t *status = json_object_get(answer, "status");
	if (given->json) {
		json_dumpf(status, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else {
		print_people(status);
	}
	int code = is_failing(status) ? TOOL_NO : TOOL_OK;
	json_decref(answer);
	return code;
}

static const struct option_example examples[] = {
	{"weirctl status", "Say how the engine is"},
	{"weirctl status --json | jq .events_dropped", "How many events were dropped"},
};

const struct command command_status = {
	.options = {.program = "weirctl status",
		    .operands = "",
		    .summary = "how the engine is",
		    .description = "How the running engine is: what it keeps, who produces, up to "
				   "where it has closed, and whether alerts get out.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    .exits = {[TOOL_NO] = "the engine cannot write what it should keep"},
		    .environment = "WEIR_CONTROL"},
	.bytes = sizeof(struct ask_status),
	.run = run,
};
