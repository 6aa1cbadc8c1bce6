/*
 * tail: events as they are kept: follows the log of a running engine.
 */
#include <errno.h>
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

struct tail {
	struct event_filter filter;
	const char *socket;
	unsigned form; /* enum event_form */
	uint64_t count, seconds;
};

static volatile sig_atomic_t stopped;

static void on_signal(int signal)
{
	(void)signal;
	stopped = 1;
}

static const struct option_row rows[] = {
	{.letter = 'n',
	 .name = "count",
	 .argument = "N",
	 .help = "leave after N events",
	 .kind = OPTION_U64,
	 .min = 1,
	 .max = 1e18,
	 .at = offsetof(struct tail, count)},
	{.name = "seconds",
	 .argument = "N",
	 .help = "leave after N seconds",
	 .kind = OPTION_U64,
	 .min = 1,
	 .max = UINT32_MAX,
	 .at = offsetof(struct tail, seconds)},
	ROWS_FILTER(struct tail),
	{.name = "socket",
	 .argument = "PATH",
	 .help = "control socket of the engine, to ask where its log is",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct tail, socket)},
	ROWS_FORM(struct tail),
};

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

static int run(void *self, int count, char **operands)
{
	const struct tail *tail = self;
	char why[WHY_BYTES];
	char *directory = ask_directory(count ? operands[0] : NULL, ask_socket(tail->socket), why,
					sizeof(why));
	if (!directory) {
		fprintf(stderr, "weirctl: %s\n", why);
		return TOOL_IO;
	}
	int code = follow_directory(tail, directory);
	free(directory);
	return code;
}

static const struct tail defaults = {
	.filter = FILTER_ALL, .count = UINT64_MAX, .seconds = UINT32_MAX};

static const struct option_example examples[] = {
	{"weirctl tail --event purchase --where country=IT", "Purchases from Italy as they come"},
	{"weirctl tail -n 1 --json", "Wait for one event"},
};

const struct command command_tail = {
	.options = {.program = "weirctl tail",
		    .operands = "[DIR]",
		    .summary = "events as they are kept",
		    .description = "Events as they are kept, until Ctrl-C. Follows the log in a "
				   "data directory; a running engine's without DIR.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    .environment = "WEIR_CONTROL"},
	.bytes = sizeof(struct tail),
	.defaults = &defaults,
	.run = run,
};
