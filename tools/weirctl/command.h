/*
 * command: a subcommand of weirctl: its table (tools/options.h), the struct that the table fills,
 * and what to do with it.
 *
 * To add one: a file command_NAME.c that defines `const struct command command_NAME`, a row in
 * COMMANDS below (its place there is its place in --help), and the file in meson.build. Parsing,
 * --help, the manual page and completion follow from the table.
 */
#ifndef WEIRCTL_COMMAND_H
#define WEIRCTL_COMMAND_H

#include <stddef.h>

#include "options.h"

struct command {
	struct options options;
	size_t bytes;         /* of the struct that the options fill; never 0 */
	const void *defaults; /* such a struct; NULL: all zero */
	/* Returns an exit code (enum tool_exit). `self` is the filled struct; the operands are as
	 * many as the table asks for. */
	int (*run)(void *self, int count, char **operands);
};

#define COMMANDS(ROW)                                                                              \
	ROW(status)                                                                                \
	ROW(stat)                                                                                  \
	ROW(top)                                                                                   \
	ROW(anomalies)                                                                             \
	ROW(detectors)                                                                             \
	ROW(history)                                                                               \
	ROW(tail)                                                                                  \
	ROW(dump)                                                                                  \
	ROW(verify)                                                                                \
	ROW(replay)                                                                                \
	ROW(emit)                                                                                  \
	ROW(import)                                                                                \
	ROW(rebase)                                                                                \
	ROW(mute)                                                                                  \
	ROW(unmute)                                                                                \
	ROW(ack)                                                                                   \
	ROW(annotate)                                                                              \
	ROW(config)                                                                                \
	ROW(reload)                                                                                \
	ROW(doctor)                                                                                \
	ROW(completion)

#define COMMAND_DECLARE(name) extern const struct command command_##name;
COMMANDS(COMMAND_DECLARE)

/* All of them, in the order of COMMANDS (main.c). */
struct command_entry {
	const char *name;
	const struct command *command;
};
extern const struct command_entry commands[];
extern const size_t commands_count;

/* Rows that several commands have; `type` is the command's struct. */
#define ROW_CONTROL(type)                                                                          \
	{                                                                                          \
		.name = "socket", .argument = "PATH",                                              \
		.help = "control socket; default $WEIR_CONTROL, /run/weir/control.sock",           \
		.kind = OPTION_TEXT, .at = offsetof(type, socket)                                  \
	}
#define ROW_JSON(type, text)                                                                       \
	{                                                                                          \
		.name = "json", .help = text, .kind = OPTION_SWITCH, .at = offsetof(type, json)    \
	}

#define COMMAND_ROWS(table) .rows = (table), .rows_count = OPTIONS_COUNT(table)
#define COMMAND_ACTIONS(table) .actions = (table), .actions_count = OPTIONS_COUNT(table)
#define COMMAND_EXAMPLES(table) .examples = (table), .examples_count = OPTIONS_COUNT(table)

#endif
