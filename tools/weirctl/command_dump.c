/*
 * dump: all events of a log, or counts and sums of them.
 */
#include <errno.h>
#include <stdlib.h>

#include "ask.h"
#include "command.h"
#include "events.h"
#include "groups.h"
#include "options.h"
#include "show.h"
#include "text.h"

#define WHY_BYTES 320

struct dump {
	struct event_filter filter;
	const char *sum, *socket;
	unsigned form; /* enum event_form */
};

static const struct option_row rows[] = {
	ROWS_FILTER(struct dump),
	{.name = "since",
	 .argument = "TIME",
	 .help = "from here on: unix seconds, or 2011-01-04[T10:00[:00]] UTC",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct dump, filter.since_ms)},
	{.name = "until",
	 .argument = "TIME",
	 .help = "before this",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct dump, filter.until_ms)},
	{.name = "sum",
	 .argument = "KEYS",
	 .help = "counts and sums by day, hour, event, field, source or dimensions: day,country",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct dump, sum)},
	{.name = "socket",
	 .argument = "PATH",
	 .help = "without DIR: of the engine whose log it is",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct dump, socket)},
	ROWS_FORM(struct dump),
};

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

static int run(void *self, int count, char **operands)
{
	const struct dump *dump = self;
	struct groups *groups = NULL;
	char why[WHY_BYTES];
	int code = TOOL_IO;
	if (dump->sum && groups_create(dump->sum, &groups) < 0)
		return options_wrong(&command_dump.options, "--sum cannot be \"%s\"", dump->sum);
	char *directory = ask_directory(count ? operands[0] : NULL, ask_socket(dump->socket), why,
					sizeof(why));
	if (directory)
		code = dump_directory(dump, directory, groups);
	else
		fprintf(stderr, "weirctl: %s\n", why);
	free(directory);
	groups_destroy(groups);
	return code;
}

static const struct dump defaults = {.filter = FILTER_ALL};

static const struct option_example examples[] = {
	{"weirctl dump /var/lib/weir --event purchase --csv", "All purchases as a table"},
	{"weirctl dump --sum day,country --since 2026-01-01",
	 "Counts and sums of each day and country, of the running engine's log"},
};

const struct command command_dump = {
	.options = {.program = "weirctl dump",
		    .operands = "[DIR]",
		    .summary = "all events of a log, or sums of them",
		    .description = "All events of the log in a data directory, lane after lane; of "
				   "a running engine's without DIR.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    .exits = {[TOOL_NO] = "blocks of the log are damaged or missing"},
		    .environment = "WEIR_CONTROL"},
	.bytes = sizeof(struct dump),
	.defaults = &defaults,
	.run = run,
};
