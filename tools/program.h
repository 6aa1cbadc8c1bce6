/*
 * program: a program of several commands, each with a table of its own (options.h). Finds the
 * command, fills its struct, runs it; help and manual page of the whole follow from the list.
 */
#ifndef TOOLS_PROGRAM_H
#define TOOLS_PROGRAM_H

#include "options.h"

struct program;

struct command {
	struct options options;
	/* Not NULL: the words behind the command's name are this program's, and of the rest only
	 * options.summary is used. */
	const struct program *program;
	size_t bytes;         /* of the struct that the options fill; never 0 */
	const void *defaults; /* such a struct; NULL: all zero */
	/* Returns an exit code (enum tool_exit). `self` is the filled struct; the operands are as
	 * many as the table asks for. */
	int (*run)(void *self, int count, char **operands);
};

struct command_entry {
	const char *name;
	const struct command *command;
};

struct program {
	const char *name;        /* "weirctl" */
	const char *word;        /* what a command is called: "command" */
	const char *summary;     /* one line, no capital, no point */
	const char *description; /* for the manual page: sentences */
	const char *footer;      /* below the list in --help, with its line feeds */
	const struct command_entry *commands;
	size_t count;
	const char *exits[4]; /* as in struct options */
	const char *version, *see_also;
};

/* Returns the exit code. */
int program_main(const struct program *program, int argc, char **argv);

#define COMMAND_ROWS(table) .rows = (table), .rows_count = OPTIONS_COUNT(table)
#define COMMAND_ACTIONS(table) .actions = (table), .actions_count = OPTIONS_COUNT(table)
#define COMMAND_EXAMPLES(table) .examples = (table), .examples_count = OPTIONS_COUNT(table)

#endif
