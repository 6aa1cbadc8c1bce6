/*
 * tail: events as they are kept: follows the log of a running engine.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "ask.h"
#include "command.h"
#include "events.h"
#include "options.h"
#include "show.h"

#define WHY_BYTES 320
#define LOOK_MS 50 /* between two looks at a log that had nothing new */

enum {
	OPTION_EVENT = OPTIONS_LONG,
	OPTION_SOURCE,
	OPTION_WHERE,
	OPTION_SOCKET,
	OPTION_SECONDS,
	OPTION_JSON,
	OPTION_CSV
};

static const struct option_row rows[] = {
	{'n', "count", "N", "leave after N events"},
	{OPTION_SECONDS, "seconds", "N", "leave after N seconds"},
	{OPTION_EVENT, "event", "NAME", "only this event"},
	{OPTION_SOURCE, "source", "NAME", "only this source"},
	{OPTION_WHERE, "where", "NAME=VALUE", "only this value of a dimension; may be repeated"},
	{OPTION_SOCKET, "socket", "PATH", "control socket of the engine, to ask where its log is"},
	{OPTION_JSON, "json", NULL, "one JSON object per line"},
	{OPTION_CSV, "csv", NULL, "comma-separated, with a header"},
};

static const struct options options = {
	.program = "weirctl tail",
	.usage = "[options] [DIR]",
	.about = "Events as they are kept, until Ctrl-C. Follows the log in a data directory; a "
		 "running\nengine's without DIR.",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
};

struct tail {
	struct event_filter filter;
	const char *socket;
	enum event_form form;
	uint64_t count, seconds;
};

static volatile sig_atomic_t stopped;

static void on_signal(int signal)
{
	(void)signal;
	stopped = 1;
}

static int take_option(struct tail *tail, int id, const char *argument)
{
	switch (id) {
	case 'n':
		return options_u64(argument, 1, UINT64_MAX, &tail->count);
	case OPTION_SECONDS:
		return options_u64(argument, 1, UINT32_MAX, &tail->seconds);
	case OPTION_EVENT:
		tail->filter.event = argument;
		return 0;
	case OPTION_SOURCE:
		tail->filter.source = argument;
		return 0;
	case OPTION_WHERE:
		return filter_where(&tail->filter, argument);
	case OPTION_SOCKET:
		tail->socket = argument;
		return 0;
	default:
		tail->form = id == OPTION_JSON ? FORM_JSON : FORM_CSV;
		return 0;
	}
}

static int follow(const struct tail *tail, struct events *events)
{
	uint64_t shown = 0, looks = 0;
	struct event_view event;
	show_header(tail->form, stdout);
	fflush(stdout);
	while (!stopped && shown < tail->count) {
		int more = events_next(events, &event);
		if (more < 0)
			return more;
		if (more > 0) {
			if (filter_takes(&tail->filter, &event)) {
				show_event(&event, tail->form, stdout);
				shown++;
			}
			continue;
		}
		if (fflush(stdout) != 0)
			return 0;
		if (++looks * LOOK_MS > tail->seconds * 1000)
			return 0;
		poll(NULL, 0, LOOK_MS);
	}
	return 0;
}

static int follow_directory(const struct tail *tail, const char *directory)
{
	char why[WHY_BYTES] = "";
	struct events *events;
	struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (events_open(directory, EVENTS_FOLLOW, &events, why, sizeof(why)) < 0) {
		fprintf(stderr, "weirctl: %s\n", why);
		return TOOL_IO;
	}
	int ret = follow(tail, events);
	if (ret < 0)
		fprintf(stderr, "weirctl: %s: %s\n", directory, events_why(events));
	events_close(events);
	return ret < 0 ? TOOL_IO : TOOL_OK;
}

int command_tail(int argc, char **argv)
{
	struct tail tail = {.filter = {.since_ms = INT64_MIN, .until_ms = INT64_MAX},
			    .count = UINT64_MAX,
			    .seconds = UINT32_MAX};
	const char *argument;
	int id;
	while ((id = options_next(&options, argc, argv, &argument)) > 0) {
		if (id == OPTIONS_HELP)
			return TOOL_OK;
		if (take_option(&tail, id, argument) < 0)
			return options_wrong(&options, "--%s cannot be \"%s\"",
					     options_name(&options, id), argument);
	}
	if (id < 0)
		return TOOL_USAGE;
	if (optind + 1 < argc)
		return options_wrong(&options, "one data directory, please");
	if (optind < argc)
		return follow_directory(&tail, argv[optind]);
	char why[WHY_BYTES];
	char *asked = ask_directory(ask_socket(tail.socket), why, sizeof(why));
	if (!asked) {
		fprintf(stderr, "weirctl: %s\n", why);
		return TOOL_IO;
	}
	int code = follow_directory(&tail, asked);
	free(asked);
	return code;
}
