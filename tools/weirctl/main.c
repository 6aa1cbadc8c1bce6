/*
 * weirctl: the operator's tool. This file finds the subcommand; each has a file of its own.
 *
 * Exit codes: 0 ok, 1 a negative finding, 2 usage, 3 cannot reach the engine or a file.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "options.h"
#include "weir/weir.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"status", command_status, "how the engine is"},
	{"anomalies", command_anomalies, "what it found, newest first"},
	{"tail", command_tail, "events as they are kept"},
	{"dump", command_dump, "all events of a log, or sums of them"},
	{"verify", command_verify, "is a log whole, is its ledger exact"},
	{"replay", command_replay, "find a log's anomalies again, and compare"},
	{"emit", command_emit, "one event from the command line"},
	{"config", command_config, "check a configuration"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *to)
{
	fputs("Usage: weirctl COMMAND [options] ...\n"
	      "Ask a running weird, and read what it has kept.\n\n",
	      to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-12s%s\n", commands[i].name, commands[i].help);
	fputs("\n'weirctl COMMAND --help' has the options; each command knows --json.\n"
	      "Exit codes: 0 ok, 1 a negative finding, 2 usage, 3 cannot reach the engine or a "
	      "file.\n",
	      to);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	/* A reader that has seen enough (head) ends us quietly. */
	signal(SIGPIPE, SIG_DFL);
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(name, commands[i].name) != 0)
			continue;
		int code = commands[i].run(argc - 1, argv + 1);
		if (fflush(stdout) != 0 || ferror(stdout)) {
			perror("weirctl: cannot write");
			return TOOL_IO;
		}
		return code;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		help(stdout);
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
