/*
 * command: the commands of weirctl (tools/program.h): each is a table, the struct that the table
 * fills, and what to do with it.
 *
 * To add one: a file command_NAME.c that defines `const struct command command_NAME`, a row in
 * COMMANDS below (its place there is its place in --help), and the file in meson.build. Parsing,
 * --help, the manual page and completion follow from the table.
 */
#ifndef WEIRCTL_COMMAND_H
#define WEIRCTL_COMMAND_H

#include <stddef.h>

#include "program.h"

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
	ROW(score)                                                                                 \
	ROW(backtest)                                                                              \
	ROW(rebase)                                                                                \
	ROW(mute)                                                                                  \
	ROW(unmute)                                                                                \
	ROW(ack)                                                                                   \
	ROW(feedback)                                                                              \
	ROW(annotate)                                                                              \
	ROW(calendar)                                                                              \
	ROW(config)                                                                                \
	ROW(reload)                                                                                \
	ROW(doctor)                                                                                \
	ROW(completion)

#define COMMAND_DECLARE(name) extern const struct command command_##name;
COMMANDS(COMMAND_DECLARE)

/* All of them, in the order of COMMANDS (main.c). */
extern const struct command_entry commands[];
extern const size_t commands_count;

/* Rows that several commands have; `type` is the command's struct. */
#define ROW_CONTROL_AT(place)                                                                      \
	{                                                                                          \
		.name = "socket", .argument = "PATH",                                              \
		.help = "control socket; default $WEIR_CONTROL, /run/weir/control.sock",           \
		.kind = OPTION_TEXT, .at = (place)                                                 \
	}
#define ROW_JSON_AT(place, text)                                                                   \
	{                                                                                          \
		.name = "json", .help = text, .kind = OPTION_SWITCH, .at = (place)                 \
	}
#define ROW_CONTROL(type) ROW_CONTROL_AT(offsetof(type, socket))
#define ROW_JSON(type, text) ROW_JSON_AT(offsetof(type, json), text)

#endif
