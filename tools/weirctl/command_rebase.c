/*
 * rebase: let a source's detectors live through its history again.
 */
#include <stdbool.h>

#include "command.h"
#include "options.h"
#include "rebase.h"

#define WHY_BYTES 512

struct ask_rebase {
	const char *socket;
	bool quiet, json;
};

static const struct option_row rows[] = {
	ROW_CONTROL(struct ask_rebase),
	{.name = "quiet",
	 .help = "no progress bar",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct ask_rebase, quiet)},
	ROW_JSON(struct ask_rebase, "one JSON object"),
};

static int run(void *self, int count, char **operands)
{
	const struct ask_rebase *given = self;
	char why[WHY_BYTES];
	int code;
	json_t *rebase = rebase_follow(given->socket, count ? operands[0] : "live",
				       given->quiet || given->json, &code, why, sizeof(why));
	if (!rebase) {
		fprintf(stderr, "weirctl: %s\n", why);
		return code;
	}
	rebase_print(rebase, given->json);
	json_decref(rebase);
	return code;
}

static const struct option_example examples[] = {
	{"weirctl rebase", "Of the live source, after older data was imported into it"},
};

const struct command command_rebase = {
	.options = {.program = "weirctl rebase",
		    .operands = "[SOURCE]",
		    .summary = "detectors live through a source's history again",
		    .description =
			    "Rebuild the state of a source's detectors (default: live) from its "
			    "history, in the order of time: what was imported behind live data, or "
			    "came late, is learned as if it had come then. Closing goes on "
			    "meanwhile; at the end the source is held for a moment, and what fires "
			    "is resolved, as when the configuration changes.\n\n"
			    "Taken are detector intervals, as long as the history keeps them. The "
			    "rebuilt state is kept in a file beside the checkpoints, so that a "
			    "replay finds the same.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    .exits = {[TOOL_NO] = "nothing is known of it, or the rebuild failed; the "
					  "detectors go on as they were"},
		    .environment = "WEIR_CONTROL"},
	.bytes = sizeof(struct ask_rebase),
	.run = run,
};
