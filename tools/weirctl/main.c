/*
 * weirctl: the operator's tool. This file lists the commands; each has a file of its own.
 *
 * Exit codes: 0 ok, 1 a negative finding, 2 usage, 3 cannot reach the engine or a file.
 */
#include "command.h"
#include "weir/weir.h"

#define COMMAND_ROW(name) {#name, &command_##name},

const struct command_entry commands[] = {COMMANDS(COMMAND_ROW)};
const size_t commands_count = OPTIONS_COUNT(commands);

int main(int argc, char **argv)
{
	const struct program program = {
		.name = "weirctl",
		.word = "command",
		.summary = "ask a running weird, and read what it has kept",
		.description =
			"The operator's tool. It asks a running engine over its control socket, "
			"and reads what a data directory holds. Each command has a page of its "
			"own. What answers knows --json: one object per line; members may be "
			"added but are not renamed or removed.\n\nThe commands are:",
		.footer = "What answers knows --json. Exit codes: 0 ok, 1 a negative finding, 2 "
			  "usage, 3 cannot\nreach the engine or a file.\n",
		.commands = commands,
		.count = commands_count,
		.exits = {[TOOL_NO] = "a negative finding: not whole, not the same, configuration "
				      "wrong, the engine cannot write"},
		.version = weir_version(),
		.see_also = "weir-bench(1) weir-shop(1) weird(8)",
	};
	return program_main(&program, argc, argv);
}
