/*
 * reload: the engine reads its configuration again.
 */
#include <stdbool.h>
#include <stdio.h>

#include "changes.h"
#include "command.h"
#include "operate.h"
#include "options.h"
#include "text.h"

struct given {
	struct operate_by by;
};

static const struct option_row rows[] = {
	ROW_CONTROL_AT(offsetof(struct given, by.socket)),
	ROW_JSON_AT(offsetof(struct given, by.json), "one JSON object, as the engine answers"),
};

/* Those that fit the new file, and those that do not. */
static void print_overrides(const json_t *overrides)
{
	const json_t *override;
	size_t kept = json_array_size(overrides), i;
	json_array_foreach(overrides, i, override)
	{
		const char *left = json_string_value(json_object_get(override, "left"));
		long long number = json_integer_value(json_object_get(override, "number"));
		if (!left)
			continue;
		kept--;
		printf("override %lld does not fit the file and is left out: %s; correct the file, "
		       "or: weirctl detectors undo %lld\n",
		       number, left, number);
	}
	if (kept)
		printf("%zu override%s of detectors kept: weirctl detectors diff\n", kept,
		       text_s(kept));
}

static int run(void *self, int count, char **operands)
{
	const struct given *given = self;
	int code;
	(void)count;
	(void)operands;
	json_t *answer = operate(&given->by, json_pack("{ss}", "command", "reload"), &code);
	if (!answer)
		return code;
	const json_t *list = json_object_get(answer, "changes"), *change;
	const json_t *behind = json_object_get(answer, "behind_ms");
	size_t i;
	json_array_foreach(list, i, change) change_print(change);
	if (json_array_size(list) == 0) {
		printf("nothing has changed\n");
	} else if (behind) {
		char time[TEXT_TIME_BYTES];
		text_time(time, json_integer_value(behind));
		printf("in force behind %.19sZ\n", time);
	} else {
		printf("in force\n");
	}
	print_overrides(json_object_get(answer, "overrides"));
	json_decref(answer);
	return code;
}

static const struct given nobody = {.by = {.unkept = true}};

static const struct option_example examples[] = {
	{"weirctl config diff /etc/weir/weir.yaml && weirctl reload", "Look first"},
};

const struct command command_reload = {
	.options = {.program = "weirctl reload",
		    .operands = "",
		    .summary = "let the engine read its configuration again",
		    .description =
			    "Metrics, detectors, lateness, retention and how long the history is "
			    "kept come into force without a restart, between two intervals; "
			    "detectors that did not change keep what they have learned. SIGHUP to "
			    "weird does the same.\n"
			    "\n"
			    "A configuration that is wrong, or that changes what an engine takes "
			    "only when it starts (paths, sockets, lanes, shards, interval, limits, "
			    "log, redis), is refused as a whole, and the one in force stays.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    .exits = {[TOOL_NO] =
				      "the engine keeps the configuration it has, and says why"},
		    .environment = "WEIR_CONTROL"},
	.bytes = sizeof(struct given),
	.defaults = &nobody,
	.run = run,
};
