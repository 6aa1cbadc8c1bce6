/*
 * program: see program.h.
 */
#include "program.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void help(const struct program *program, FILE *to)
{
	char word[32] = "";
	for (size_t i = 0; program->word[i] && i + 1 < sizeof(word); i++)
		word[i] = (char)toupper((unsigned char)program->word[i]);
	fprintf(to, "Usage: %s %s [options] ...\n%c%s.\n\n", program->name, word,
		toupper((unsigned char)program->summary[0]), program->summary + 1);
	for (size_t i = 0; i < program->count; i++)
		fprintf(to, "  %-12s%s\n", program->commands[i].name,
			program->commands[i].command->options.summary);
	fprintf(to, "\n'%s %s --help' has the options.\n%s", program->name, word, program->footer);
}

static void manual(const struct program *program, FILE *to)
{
	struct options exits = {0};
	memcpy(exits.exits, program->exits, sizeof(exits.exits));
	manual_head(program->name, "1", program->summary, to);
	fprintf(to,
		".Sh SYNOPSIS\n.Nm\n.Ar %s\n.Op Ar options\n.Op Ar operand ...\n"
		".Nm\n.Fl -help Ns Op = Ns Cm man\n.Nm\n.Fl -version\n"
		".Sh DESCRIPTION\n",
		program->word);
	manual_text(program->description, to);
	fputs(".Bl -tag -width Ds\n", to);
	for (size_t i = 0; i < program->count; i++) {
		fputs(".It Xr ", to);
		for (const char *at = program->name; *at; at++)
			fputc(*at == ' ' ? '-' : *at, to);
		fprintf(to, "-%s 1\n", program->commands[i].name);
		manual_text(program->commands[i].command->options.summary, to);
	}
	fputs(".El\n", to);
	manual_exits(&exits, to);
	manual_see_also(program->see_also, to);
}

static int run_command(const struct command *command, int argc, char **argv)
{
	char **operands;
	int count, code;
	void *self = calloc(1, command->bytes);
	if (!self) {
		fprintf(stderr, "%s: out of memory\n", command->options.program);
		return TOOL_IO;
	}
	if (command->defaults)
		memcpy(self, command->defaults, command->bytes);
	if (!options_parse(&command->options, argc, argv, self, &operands, &count, &code))
		code = command->run(self, count, operands);
	free(self);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("cannot write");
		return TOOL_IO;
	}
	return code;
}

static int run_entry(const struct command *command, int argc, char **argv)
{
	return command->program ? program_main(command->program, argc, argv)
				: run_command(command, argc, argv);
}

int program_main(const struct program *program, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	/* A reader that has seen enough (head) ends us quietly. */
	signal(SIGPIPE, SIG_DFL);
	for (size_t i = 0; i < program->count; i++)
		if (strcmp(name, program->commands[i].name) == 0)
			return run_entry(program->commands[i].command, argc - 1, argv + 1);
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		help(program, stdout);
		return TOOL_OK;
	}
	if (strcmp(name, "--help=man") == 0) {
		manual(program, stdout);
		return TOOL_OK;
	}
	if (strcmp(name, "--version") == 0) {
		printf("%s %s\n", program->name, program->version);
		return TOOL_OK;
	}
	if (name[0])
		fprintf(stderr, "%s: there is no %s \"%s\"\n", program->name, program->word, name);
	help(program, stderr);
	return TOOL_USAGE;
}
