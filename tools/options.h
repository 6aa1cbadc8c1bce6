/*
 * options: one table of options for each command; it drives both getopt_long and --help.
 *
 * A row's id is what options_next() returns for it. An id that is a letter is a short option too;
 * ids from OPTIONS_LONG on are long options only. --help needs no row.
 */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_LONG 256
#define OPTIONS_HELP 1 /* answer of options_next(): help is printed, leave with exit code 0 */
#define OPTIONS_MAX 48 /* rows of one command */

/* Exit codes of every program in tools/. */
enum tool_exit {
	TOOL_OK = 0,
	TOOL_NO = 1, /* a negative finding: not verified, configuration wrong, events dropped */
	TOOL_USAGE = 2,
	TOOL_IO = 3, /* cannot reach the engine, or a file cannot be read or written */
};

struct option_row {
	int id;
	const char *name;
	const char *argument; /* NULL: a switch */
	const char *help;     /* without the final point */
};

struct options {
	const char *program; /* "weirctl dump" */
	const char *usage;   /* what follows the program: "[options] DIR" */
	const char *about;   /* one or two sentences */
	const struct option_row *rows;
	size_t count;
};

/* The next option: its row's id, its argument in *ret_argument (NULL for a switch). 0: no more
 * (optind is at the first operand). OPTIONS_HELP. -EINVAL: said on stderr. */
int options_next(const struct options *options, int argc, char **argv, const char **ret_argument);
void options_help(const struct options *options, FILE *to);
/* The long name of an option. */
const char *options_name(const struct options *options, int id);
/* Say what is wrong with the command line, and how to get help. Returns TOOL_USAGE. */
int options_wrong(const struct options *options, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Whole texts only. 0, -EINVAL (not such a number), -ERANGE (not within min..max). */
int options_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);
int options_f64(const char *text, double min, double max, double *ret_value);
/* "250ms", "60s", "5m", "1h", "7d"; a bare number is seconds. */
int options_duration_ms(const char *text, uint64_t min_ms, uint64_t max_ms, uint64_t *ret_ms);

#endif
