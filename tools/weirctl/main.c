/*
 * weirctl: the operator's tool. This file finds the subcommand and reads its options; each has a
 * file of its own.
 *
 * Exit codes: 0 ok, 1 a negative finding, 2 usage, 3 cannot reach the engine or a file.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "options.h"
#include "weir/weir.h"

#define COMMAND_ROW(name) {#name, &command_##name},

const struct command_entry commands[] = {COMMANDS(COMMAND_ROW)};
const size_t commands_count = OPTIONS_COUNT(commands);

static const char about[] = "Ask a running weird, and read what it has kept.";
static const char codes[] =
	"Exit codes: 0 ok, 1 a negative finding, 2 usage, 3 cannot reach the engine or a file.";

/* What an exit code means, whatever the command. */
static const struct options everywhere = {
	.exits = {[TOOL_NO] = "a negative finding: not whole, not the same, configuration wrong, "
			      "the engine cannot write"},
};

static void help(FILE *to)
{
	fprintf(to, "Usage: weirctl COMMAND [options] ...\n%s\n\n", about);
	for (size_t i = 0; i < commands_count; i++)
		fprintf(to, "  %-12s%s\n", commands[i].name, commands[i].command->options.summary);
	fprintf(to, "\n'weirctl COMMAND --help' has the options; what answers knows --json.\n%s\n",
		codes);
}

static void manual(FILE *to)
{
	manual_head("weirctl", "1", "ask a running weird, and read what it has kept", to);
	fputs(".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar options\n.Op Ar operand ...\n"
	      ".Nm\n.Fl -help Ns Op = Ns Cm man\n.Nm\n.Fl -version\n"
	      ".Sh DESCRIPTION\n",
	      to);
	manual_text(
		"The operator's tool. It asks a running engine over its control socket, and "
		"reads what a data directory holds. Each command has a page of its own and "
		"what answers knows --json: one object per line, members may be added but are not renamed "
		"or removed.",
		to);
	fputs(".Pp\nThe commands are:\n.Bl -tag -width Ds\n", to);
	for (size_t i = 0; i < commands_count; i++)
		fprintf(to, ".It Xr weirctl-%s 1\n%s\n", commands[i].name,
			commands[i].command->options.summary);
	fputs(".El\n", to);
	manual_exits(&everywhere, to);
	manual_see_also("weir-bench(1) weir-shop(1) weird(8)", to);
}

static int run_command(const struct command *command, int argc, char **argv)
{
	char **operands;
	int count, code;
	void *self = calloc(1, command->bytes);
	if (!self) {
		fputs("weirctl: out of memory\n", stderr);
		return TOOL_IO;
	}
	if (command->defaults)
		memcpy(self, command->defaults, command->bytes);
	if (!options_parse(&command->options, argc, argv, self, &operands, &count, &code))
		code = command->run(self, count, operands);
	free(self);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("weirctl: cannot write");
		return TOOL_IO;
	}
	return code;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	/* A reader that has seen enough (head) ends us quietly. */
	signal(SIGPIPE, SIG_DFL);
	for (size_t i = 0; i < commands_count; i++)
		if (strcmp(name, commands[i].name) == 0)
			return run_command(commands[i].command, argc - 1, argv + 1);
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		help(stdout);
		return TOOL_OK;
	}
	if (strcmp(name, "--help=man") == 0) {
		manual(stdout);
		return TOOL_OK;
	}
	if (strcmp(name, "--version") == 0) {
		printf("weirctl %s\n", weir_version());
		return TOOL_OK;
	}
	if (name[0])
		fprintf(stderr, "weirctl: there is no command \"%s\"\n", name);
	help(stderr);
	return TOOL_USAGE;
}
