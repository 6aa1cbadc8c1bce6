/*
 * options: one table for each command. It drives parsing, --help, the manual page and the
 * shells' completion.
 *
 * Idea:  a row says what an option is called, what it takes, and where in the command's own struct
 *        its value goes: options_parse() fills the struct, checks bounds and says what is wrong.
 *        What the value may be is read off the row's `argument`: "FILE", "DIR" and "PATH" complete
 *        to files, "event|wall" to these words. How many operands there must be is read off
 *        `operands`: "FILE", "[DIR]", "EVENT [DIMENSION=VALUE]...".
 *
 * Help is options_help.c, manual pages options_manual.c. --help needs no row; --help=man is the
 * manual page, as the build installs it.
 */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_MAX 48 /* rows of one command */
#define OPTIONS_COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Exit codes of every program in tools/. */
enum tool_exit {
	TOOL_OK = 0,
	TOOL_NO = 1, /* a negative finding: not verified, configuration wrong, events dropped */
	TOOL_USAGE = 2,
	TOOL_IO = 3, /* cannot reach the engine, or a file cannot be read or written */
};

/* Where the value goes: what lies at `at` in the command's struct. */
enum option_kind {
	OPTION_SWITCH = 1, /* bool: true */
	OPTION_TEXT,       /* const char * */
	OPTION_U32,        /* uint32_t, within min..max */
	OPTION_U64,        /* uint64_t, within min..max */
	OPTION_F64,        /* double, within min..max */
	OPTION_DURATION,   /* uint64_t, milliseconds, within min..max */
	OPTION_CHOICE,     /* unsigned: `argument` is "a|b|c", the value the index of the word */
	OPTION_VALUE,      /* unsigned: `min` (a switch that stands for a value) */
	OPTION_TAKE,       /* take(field, argument): 0, or negative where it cannot be that */
};

struct option_row {
	char letter; /* of the short option; 0: --name only */
	const char *name;
	const char *argument; /* NULL: a switch */
	const char *help;     /* without the final point */
	enum option_kind kind;
	size_t at;       /* offsetof() */
	double min, max; /* both 0: whatever the field holds */
	int (*take)(void *field, const char *argument);
};

/* A command that does several things: `weirctl config check FILE`. The first operand says which. */
struct option_action {
	const char *name, *operands, *help;
};

/* A line for the shell, and what it does (without the final point). */
struct option_example {
	const char *line, *does;
};

struct options {
	const char *program;     /* "weirctl dump" */
	const char *operands;    /* "[DIR]"; "" if there are none */
	const char *summary;     /* one line, no capital, no point: what stands behind the name */
	const char *description; /* sentences; an empty line begins a paragraph */
	const struct option_row *rows;
	size_t rows_count;
	const struct option_action *actions; /* where there are any, `operands` is "" */
	size_t actions_count;
	const struct option_example *examples;
	size_t examples_count;
	const char *exits[4];    /* what a code means here, where it differs from every tool's */
	const char *environment; /* "WEIR_SOCKET WEIR_CONTROL": those it reads */
	const char *see_also;    /* "weird(8)"; NULL: the program whose command this is */
	const char *section;     /* of the manual; NULL: "1" */
};

/* Fill `self` from the command line, and check that the operands can be these. 0 and the operands
 * behind the options; or 1, with the exit code, when all is said: help, or what is wrong. */
int options_parse(const struct options *options, int argc, char **argv, void *self,
		  char ***ret_operands, int *ret_count, int *ret_code);

void options_help(const struct options *options, FILE *to);
/* The manual page, in mdoc(7). */
void options_manual(const struct options *options, FILE *to);
/* Say what is wrong with the command line, and how to get help. Returns TOOL_USAGE. */
int options_wrong(const struct options *options, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The next word of "FILE [DIR] [NAME=VALUE]...": its bytes in *ret_bytes, NULL at the end. */
const char *options_operand(const char **at, size_t *ret_bytes, bool *ret_optional,
			    bool *ret_repeats);

/* Whole texts only. 0, -EINVAL (not such a number), -ERANGE (not within min..max). */
int options_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);
int options_f64(const char *text, double min, double max, double *ret_value);
/* "250ms", "60s", "5m", "1h", "7d"; a bare number is seconds. */
#define OPTIONS_DURATION_WORDS "a duration is a number with ms, s, m, h or d, as 90s or 7d"
int options_duration_ms(const char *text, uint64_t min_ms, uint64_t max_ms, uint64_t *ret_ms);

/* Pieces of a manual page, for a program that puts its own together. */
void manual_head(const char *name, const char *section, const char *summary, FILE *to);
void manual_text(const char *text, FILE *to);
void manual_escaped(const char *text, size_t bytes, FILE *to);
void manual_exits(const struct options *options, FILE *to);
/* "weirctl(1) weird(8)": the last section. */
void manual_see_also(const char *pages, FILE *to);

#endif
