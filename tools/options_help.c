/*
 * options_help: what --help says, from the table.
 */
#include <string.h>

#include "options.h"

#define HELP_COLUMN 28
#define HELP_COLUMNS 96

static void print_usage(const struct options *options, FILE *to)
{
	const char *some = options->rows_count ? " [options]" : "";
	for (size_t i = 0; i < options->actions_count; i++) {
		const struct option_action *action = &options->actions[i];
		fprintf(to, "%s %s %s%s%s%s\n", i ? "      " : "Usage:", options->program,
			action->name, some, action->operands[0] ? " " : "", action->operands);
	}
	if (!options->actions_count)
		fprintf(to, "Usage: %s%s%s%s\n", options->program, some,
			options->operands[0] ? " " : "", options->operands);
}

/* Words, broken into lines behind `indent` columns; the first line begins at column `at`. */
static void print_wrapped(const char *text, size_t indent, size_t at, FILE *to)
{
	bool first = true;
	while (*text) {
		size_t word = strcspn(text, " \n");
		bool paragraph = text[word] == '\n' && text[word + 1] == '\n';
		if (!first && at + 1 + word > HELP_COLUMNS) {
			fprintf(to, "\n%*s", (int)indent, "");
			at = indent;
			first = true;
		}
		fprintf(to, "%s%.*s", first ? "" : " ", (int)word, text);
		at += word + !first;
		first = false;
		text += word;
		if (paragraph) {
			fprintf(to, "\n\n%*s", (int)indent, "");
			at = indent;
			first = true;
		}
		text += strspn(text, " \n");
	}
	fputc('\n', to);
}

static void print_row(const struct option_row *row, FILE *to)
{
	int width = fprintf(to, "  ");
	if (row->letter)
		width += fprintf(to, "-%c, ", row->letter);
	width += fprintf(to, "--%s", row->name);
	if (row->argument)
		width += fprintf(to, " %s", row->argument);
	if (width >= HELP_COLUMN) {
		fputc('\n', to);
		width = 0;
	}
	fprintf(to, "%*s", HELP_COLUMN - width, "");
	print_wrapped(row->help, HELP_COLUMN, HELP_COLUMN, to);
}

void options_help(const struct options *options, FILE *to)
{
	print_usage(options, to);
	print_wrapped(options->description, 0, 0, to);
	fputc('\n', to);
	for (size_t i = 0; i < options->actions_count; i++) {
		const struct option_action *action = &options->actions[i];
		int width = fprintf(to, "  %s %s", action->name, action->operands);
		fprintf(to, "%*s", width < HELP_COLUMN ? HELP_COLUMN - width : 1, "");
		print_wrapped(action->help, HELP_COLUMN, HELP_COLUMN, to);
	}
	if (options->actions_count)
		fputc('\n', to);
	for (size_t i = 0; i < options->rows_count; i++)
		print_row(&options->rows[i], to);
	fprintf(to, "  -h, --help%*sthis text; --help=man: the manual page\n", HELP_COLUMN - 12,
		"");
	for (size_t i = 0; i < options->examples_count; i++)
		fprintf(to, "%s  %s\n", i ? "" : "\nExamples:\n", options->examples[i].line);
}
