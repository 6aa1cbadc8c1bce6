/*
 * options: one table of options for each command; it drives both getopt_long and --help.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMN 28

int options_next(const struct options *options, int argc, char **argv, const char **ret_argument)
{
	struct option longs[OPTIONS_MAX + 2];
	char shorts[2 * OPTIONS_MAX + 4];
	size_t used = 0;
	memset(longs, 0, sizeof(longs));
	shorts[used++] = 'h';
	for (size_t i = 0; i < options->count && i < OPTIONS_MAX; i++) {
		const struct option_row *row = &options->rows[i];
		longs[i].name = row->name;
		longs[i].has_arg = row->argument ? required_argument : no_argument;
		longs[i].val = row->id;
		if (row->id < OPTIONS_LONG) {
			shorts[used++] = (char)row->id;
			if (row->argument)
				shorts[used++] = ':';
		}
	}
	shorts[used] = '\0';
	longs[options->count] = (struct option){.name = "help", .val = 'h'};
	argv[0] = (char *)(uintptr_t)options->program; /* what getopt's messages begin with */
	int id = getopt_long(argc, argv, shorts, longs, NULL);
	if (id == -1)
		return 0;
	if (id == '?') {
		fprintf(stderr, "Try '%s --help'.\n", options->program);
		return -EINVAL;
	}
	if (id == 'h') {
		options_help(options, stdout);
		return OPTIONS_HELP;
	}
	*ret_argument = optarg;
	return id;
}

void options_help(const struct options *options, FILE *to)
{
	fprintf(to, "Usage: %s %s\n%s\n\n", options->program, options->usage, options->about);
	for (size_t i = 0; i < options->count; i++) {
		const struct option_row *row = &options->rows[i];
		int width = fprintf(to, "  ");
		if (row->id < OPTIONS_LONG)
			width += fprintf(to, "-%c, ", row->id);
		width += fprintf(to, "--%s", row->name);
		if (row->argument)
			width += fprintf(to, " %s", row->argument);
		if (width >= HELP_COLUMN) {
			fputc('\n', to);
			width = 0;
		}
		fprintf(to, "%*s%s\n", HELP_COLUMN - width, "", row->help);
	}
	fprintf(to, "  -h, --help%*sthis text\n", HELP_COLUMN - 12, "");
}

const char *options_name(const struct options *options, int id)
{
	for (size_t i = 0; i < options->count; i++)
		if (options->rows[i].id == id)
			return options->rows[i].name;
	return "?";
}

int options_wrong(const struct options *options, const char *format, ...)
{
	va_list list;
	fprintf(stderr, "%s: ", options->program);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fprintf(stderr, "\nTry '%s --help'.\n", options->program);
	return TOOL_USAGE;
}

int options_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (*end != '\0')
		return -EINVAL;
	if (errno == ERANGE || value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int options_f64(const char *text, double min, double max, double *ret_value)
{
	if (isspace((unsigned char)text[0]) || text[0] == '\0')
		return -EINVAL;
	char *end;
	double value = strtod(text, &end);
	if (*end != '\0' || !isfinite(value))
		return -EINVAL;
	if (value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int options_duration_ms(const char *text, uint64_t min_ms, uint64_t max_ms, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"", 1000},     {"ms", 1},      {"s", 1000},    {"m", 60000},
		     {"min", 60000}, {"h", 3600000}, {"d", 86400000}};

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	char *end;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (errno == ERANGE)
		return -ERANGE;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		uint64_t ms;
		if (__builtin_mul_overflow((uint64_t)number, units[i].ms, &ms) || ms < min_ms ||
		    ms > max_ms)
			return -ERANGE;
		*ret_ms = ms;
		return 0;
	}
	return -EINVAL;
}
