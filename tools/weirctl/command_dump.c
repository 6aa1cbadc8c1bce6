/*
 * dump: all events of a log, or counts and sums of them.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "ask.h"
#include "command.h"
#include "events.h"
#include "groups.h"
#include "options.h"
#include "show.h"

#define WHY_BYTES 320

enum {
	OPTION_EVENT = OPTIONS_LONG,
	OPTION_SOURCE,
	OPTION_SINCE,
	OPTION_UNTIL,
	OPTION_WHERE,
	OPTION_SUM,
	OPTION_SOCKET,
	OPTION_JSON,
	OPTION_CSV
};

static const struct option_row rows[] = {
	{OPTION_EVENT, "event", "NAME", "only this event"},
	{OPTION_SOURCE, "source", "NAME", "only this source"},
	{OPTION_SINCE, "since", "TIME",
	 "from here on: unix seconds, or 2011-01-04[T10:00[:00]] UTC"},
	{OPTION_UNTIL, "until", "TIME", "before this"},
	{OPTION_WHERE, "where", "NAME=VALUE", "only this value of a dimension; may be repeated"},
	{OPTION_SUM, "sum", "KEYS",
	 "counts and sums by day, hour, event, field, source or "
	 "dimensions: day,country"},
	{OPTION_SOCKET, "socket", "PATH", "without DIR: of the engine whose log it is"},
	{OPTION_JSON, "json", NULL, "one JSON object per line"},
	{OPTION_CSV, "csv", NULL, "comma-separated, with a header"},
};

static const struct options options = {
	.program = "weirctl dump",
	.usage = "[options] [DIR]",
	.about =
		"All events of the log in a data directory, lane after lane; of a running engine's "
		"without DIR.",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
};

struct dump {
	struct event_filter filter;
	const char *sum, *socket;
	enum event_form form;
};

static int take_option(struct dump *dump, int id, const char *argument)
{
	switch (id) {
	case OPTION_EVENT:
		dump->filter.event = argument;
		return 0;
	case OPTION_SOURCE:
		dump->filter.source = argument;
		return 0;
	case OPTION_SINCE:
		return filter_since(&dump->filter, argument);
	case OPTION_UNTIL:
		return filter_until(&dump->filter, argument);
	case OPTION_WHERE:
		return filter_where(&dump->filter, argument);
	case OPTION_SUM:
		dump->sum = argument;
		return 0;
	case OPTION_SOCKET:
		dump->socket = argument;
		return 0;
	default:
		dump->form = id == OPTION_JSON ? FORM_JSON : FORM_CSV;
		return 0;
	}
}

static int dump_events(const struct dump *dump, struct events *events, struct groups *groups)
{
	struct event_view event;
	int more;
	if (!groups)
		show_header(dump->form, stdout);
	while ((more = events_next(events, &event)) > 0) {
		if (!filter_takes(&dump->filter, &event))
			continue;
		if (!groups)
			show_event(&event, dump->form, stdout);
		else if (groups_add(groups, &event) < 0)
			return -ENOMEM;
	}
	if (more == 0 && groups)
		groups_print(groups, dump->form, stdout);
	return more;
}

static int dump_directory(const struct dump *dump, const char *directory, struct groups *groups)
{
	char why[WHY_BYTES] = "";
	struct events *events;
	struct events_report report;
	if (events_open(directory, EVENTS_ALL, &events, why, sizeof(why)) < 0) {
		fprintf(stderr, "weirctl: %s\n", why);
		return TOOL_IO;
	}
	int ret = dump_events(dump, events, groups);
	if (ret < 0)
		fprintf(stderr, "weirctl: %s: %s\n", directory,
			ret == -ENOMEM ? "out of memory" : events_why(events));
	events_report(events, &report);
	if (report.gaps)
		fprintf(stderr,
			"weirctl: %llu blocks are damaged or missing in %llu places; see "
			"weirctl verify %s\n",
			(unsigned long long)report.gap_blocks, (unsigned long long)report.gaps,
			directory);
	events_close(events);
	if (ret < 0)
		return TOOL_IO;
	return report.gaps ? TOOL_NO : TOOL_OK;
}

int command_dump(int argc, char **argv)
{
	struct dump dump = {.filter = {.since_ms = INT64_MIN, .until_ms = INT64_MAX}};
	struct groups *groups = NULL;
	const char *argument;
	int id;
	while ((id = options_next(&options, argc, argv, &argument)) > 0) {
		if (id == OPTIONS_HELP)
			return TOOL_OK;
		if (take_option(&dump, id, argument) < 0)
			return options_wrong(&options, "--%s cannot be \"%s\"",
					     options_name(&options, id), argument);
	}
	if (id < 0)
		return TOOL_USAGE;
	if (optind + 1 < argc)
		return options_wrong(&options, "one data directory, please");
	if (dump.sum && groups_create(dump.sum, &groups) < 0)
		return options_wrong(&options, "--sum cannot be \"%s\"", dump.sum);

	char why[WHY_BYTES], *asked = NULL;
	if (optind == argc) {
		asked = ask_directory(ask_socket(dump.socket), why, sizeof(why));
		if (!asked)
			fprintf(stderr, "weirctl: %s\n", why);
	}
	int code = TOOL_IO;
	if (asked || optind < argc)
		code = dump_directory(&dump, asked ? asked : argv[optind], groups);
	free(asked);
	groups_destroy(groups);
	return code;
}
