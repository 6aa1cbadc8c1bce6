/*
 * options_manual: a manual page in mdoc(7), from the table. What stands in the table is the text:
 * nothing is said twice.
 */
#include <ctype.h>
#include <string.h>

#include "options.h"

/* The day of the release that these pages describe. */
#define MANUAL_DATE "November 22, 2026"
#define LINE_BYTES 72

static const char *const exit_texts[4] = {
	"All is well.",
	"A negative finding.",
	"The command line is wrong.",
	"The engine cannot be reached, or a file cannot be read or written.",
};

static const struct {
	const char *name, *text;
} variables[] = {
	{"WEIR_CONTROL", "The engine's control socket, where --socket does not say it. Without "
			 "both it is /run/weir/control.sock."},
	{"WEIR_SOCKET", "The socket for producers, where --socket does not say it. Without both it "
			"is /run/weir/weir.sock."},
	{"WEIR_CONFIG", "The engine's configuration, where --config does not say it. Without both "
			"it is /etc/weir/weir.yaml."},
	{"WEIR_CALENDARS", "The folder with sets of holidays, where they are not where they were "
			   "installed."},
	{"NO_COLOR", "If set and not empty, nothing is coloured."},
};

/* Text that roff must not understand: a point at a line's beginning, backslashes, hyphens. */
void manual_escaped(const char *text, size_t bytes, FILE *to)
{
	if (bytes && (text[0] == '.' || text[0] == '\''))
		fputs("\\&", to);
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '\\')
			fputs("\\e", to);
		else if (text[i] == '"')
			fputs("\\(dq", to);
		else
			fputc(text[i], to);
	}
}

/* A word as an argument of a macro: quoted, if it could be a macro itself. */
static void print_word(const char *text, size_t bytes, FILE *to)
{
	fputc('"', to);
	manual_escaped(text, bytes, to);
	fputc('"', to);
}

/* Sentences: each begins a line, as the formatter wants it; an empty line begins a paragraph. */
void manual_text(const char *text, FILE *to)
{
	size_t line = 0;
	while (*text) {
		size_t word = strcspn(text, " \n");
		size_t space = strspn(text + word, " \n");
		if (line)
			fputc(line + word > LINE_BYTES ? '\n' : ' ', to);
		line = line + word > LINE_BYTES ? word : line + 1 + word;
		manual_escaped(text, word, to);
		bool ends = word > 1 && strchr(".!?:", text[word - 1]) && space > 0;
		bool paragraph = space > 1 && text[word] == '\n' && text[word + 1] == '\n';
		if ((ends || paragraph) && text[word + space]) {
			fputs(paragraph ? "\n.Pp\n" : "\n", to);
			line = 0;
		}
		text += word + space;
	}
	fputc('\n', to);
}

/* The help of a row: a text without its final point. */
static void print_point(const char *help, FILE *to)
{
	char text[512];
	size_t bytes = strlen(help);
	bool ended = bytes && strchr(".!?", help[bytes - 1]);
	snprintf(text, sizeof(text), "%c%s%s", toupper((unsigned char)help[0]), help + 1,
		 ended ? "" : ".");
	manual_text(text, to);
}

void manual_head(const char *name, const char *section, const char *summary, FILE *to)
{
	fprintf(to, ".Dd %s\n.Dt ", MANUAL_DATE);
	for (const char *at = name; *at; at++)
		fputc(*at == ' ' ? '-' : toupper((unsigned char)*at), to);
	fprintf(to, " %s\n.Os\n.Sh NAME\n.Nm ", section);
	for (const char *at = name; *at; at++)
		fputc(*at == ' ' ? '-' : *at, to);
	fprintf(to, "\n.Nd %s\n", summary);
}

void manual_see_also(const char *pages, FILE *to)
{
	fputs(".Sh SEE ALSO\n", to);
	while (*pages) {
		size_t name = strcspn(pages, "("), word = strcspn(pages, " ");
		size_t space = strspn(pages + word, " ");
		fprintf(to, ".Xr %.*s %c%s\n", (int)name, pages, pages[name + 1],
			pages[word + space] ? " ," : "");
		pages += word + space;
	}
}

static void print_operands(const char *operands, FILE *to)
{
	size_t bytes;
	bool optional, repeats;
	const char *word;
	while ((word = options_operand(&operands, &bytes, &optional, &repeats))) {
		fputs(optional ? ".Op Ar " : ".Ar ", to);
		print_word(word, bytes, to);
		fputs(repeats ? " ...\n" : "\n", to);
	}
}

/* The options in a synopsis. */
static void print_flags(const struct options *options, FILE *to)
{
	for (size_t i = 0; i < options->rows_count; i++) {
		const struct option_row *row = &options->rows[i];
		fprintf(to, ".Op Fl -%s", row->name);
		if (row->argument) {
			fputs(" Ar ", to);
			print_word(row->argument, strlen(row->argument), to);
		}
		fputc('\n', to);
	}
}

static void print_synopsis(const struct options *options, FILE *to)
{
	fputs(".Sh SYNOPSIS\n", to);
	for (size_t i = 0; i < options->actions_count; i++) {
		fprintf(to, ".Nm \"%s\"\n.Cm %s\n", options->program, options->actions[i].name);
		fputs(options->rows_count ? ".Op Ar options\n" : "", to);
		print_operands(options->actions[i].operands, to);
	}
	if (options->actions_count)
		return;
	fprintf(to, ".Nm \"%s\"\n", options->program);
	print_flags(options, to);
	print_operands(options->operands, to);
}

static void print_rows(const struct options *options, FILE *to)
{
	fputs(".Pp\nThe options are:\n.Bl -tag -width Ds\n", to);
	for (size_t i = 0; i < options->rows_count; i++) {
		const struct option_row *row = &options->rows[i];
		fputs(".It ", to);
		if (row->letter)
			fprintf(to, "Fl %c , ", row->letter);
		fprintf(to, "Fl -%s", row->name);
		if (row->argument) {
			fputs(" Ar ", to);
			print_word(row->argument, strlen(row->argument), to);
		}
		fputc('\n', to);
		print_point(row->help, to);
	}
	fputs(".It Fl h , Fl -help Ns Op = Ns Cm man\n"
	      "Say what the options are, or print this page.\n.El\n",
	      to);
}

static void print_actions(const struct options *options, FILE *to)
{
	if (!options->actions_count)
		return;
	fputs(".Bl -tag -width Ds\n", to);
	for (size_t i = 0; i < options->actions_count; i++) {
		const struct option_action *action = &options->actions[i];
		fprintf(to, ".It Cm %s", action->name);
		if (action->operands[0])
			fprintf(to, " Ar \"%s\"", action->operands);
		fputc('\n', to);
		print_point(action->help, to);
	}
	fputs(".El\n", to);
}

static void print_environment(const struct options *options, FILE *to)
{
	bool any = false;
	for (size_t i = 0; options->environment && i < OPTIONS_COUNT(variables); i++) {
		if (!strstr(options->environment, variables[i].name))
			continue;
		fprintf(to, "%s.It Ev %s\n", any ? "" : ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n",
			variables[i].name);
		manual_text(variables[i].text, to);
		any = true;
	}
	fputs(any ? ".El\n" : "", to);
}

void manual_exits(const struct options *options, FILE *to)
{
	fputs(".Sh EXIT STATUS\n.Bl -tag -width Ds\n", to);
	for (int code = 0; code < 4; code++) {
		fprintf(to, ".It %d\n", code);
		if (options->exits[code])
			print_point(options->exits[code], to);
		else
			manual_text(exit_texts[code], to);
	}
	fputs(".El\n", to);
}

static void print_examples(const struct options *options, FILE *to)
{
	for (size_t i = 0; i < options->examples_count; i++) {
		fputs(i ? "" : ".Sh EXAMPLES\n", to);
		fputs(i ? ".Pp\n" : "", to);
		print_point(options->examples[i].does, to);
		fputs(".Pp\n.Dl ", to);
		manual_escaped(options->examples[i].line, strlen(options->examples[i].line), to);
		fputc('\n', to);
	}
}

void options_manual(const struct options *options, FILE *to)
{
	const char *space = strchr(options->program, ' ');
	char pages[64] = "weird(8)";
	manual_head(options->program, options->section ? options->section : "1", options->summary,
		    to);
	print_synopsis(options, to);
	fputs(".Sh DESCRIPTION\n", to);
	manual_text(options->description, to);
	print_actions(options, to);
	print_rows(options, to);
	print_environment(options, to);
	manual_exits(options, to);
	print_examples(options, to);
	if (space)
		snprintf(pages, sizeof(pages), "%.*s(1) weird(8)", (int)(space - options->program),
			 options->program);
	manual_see_also(options->see_also ? options->see_also : pages, to);
}
