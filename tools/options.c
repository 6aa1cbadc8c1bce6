/*
 * options: see options.h. Parsing; help is options_help.c, manual pages options_manual.c.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* What getopt returns for a row without a letter: this and the row's number. */
#define ROW_IDS 65536

static int row_id(const struct options *options, size_t row)
{
	return options->rows[row].letter ? options->rows[row].letter : ROW_IDS + (int)row;
}

static const struct option_row *find_row(const struct options *options, int id)
{
	for (size_t i = 0; i < options->rows_count; i++)
		if (row_id(options, i) == id)
			return &options->rows[i];
	return NULL;
}

/* What getopt_long wants, of the rows. `longs` and `shorts` have room for OPTIONS_MAX rows. */
static void fill_tables(const struct options *options, struct option *longs, char *shorts)
{
	size_t used = 0, i;
	shorts[used++] = 'h';
	for (i = 0; i < options->rows_count && i < OPTIONS_MAX; i++) {
		const struct option_row *row = &options->rows[i];
		longs[i] = (struct option){.name = row->name,
					   .has_arg = row->argument && row->kind != OPTION_VALUE
							      ? required_argument
							      : no_argument,
					   .val = row_id(options, i)};
		if (row->letter) {
			shorts[used++] = row->letter;
			if (row->argument)
				shorts[used++] = ':';
		}
	}
	shorts[used] = '\0';
	longs[i] = (struct option){.name = "help", .has_arg = optional_argument, .val = 'h'};
	longs[i + 1] = (struct option){0};
}

/* The next option's row. NULL: no more, optind is at the first operand; or all is said, and
 * *ret_code is an exit code instead of -1. */
static const struct option_row *next_row(const struct options *options, int argc, char **argv,
					 const char **ret_argument, int *ret_code)
{
	struct option longs[OPTIONS_MAX + 2];
	char shorts[2 * OPTIONS_MAX + 4];
	fill_tables(options, longs, shorts);
	argv[0] = (char *)(uintptr_t)options->program; /* what getopt's messages begin with */
	int id = getopt_long(argc, argv, shorts, longs, NULL);
	*ret_argument = optarg;
	*ret_code = -1;
	if (id == -1)
		return NULL;
	if (id == 'h' && optarg && strcmp(optarg, "man") != 0) {
		*ret_code = options_wrong(options, "--help cannot be \"%s\"", optarg);
	} else if (id == 'h') {
		*ret_code = TOOL_OK;
		if (optarg)
			options_manual(options, stdout);
		else
			options_help(options, stdout);
	} else if (id == '?') {
		*ret_code = TOOL_USAGE; /* what is wrong, getopt has said */
		fprintf(stderr, "Try '%s --help'.\n", options->program);
	} else {
		return find_row(options, id);
	}
	return NULL;
}

/* Which of "a|b|c" it is. */
static int choose(const char *words, const char *text, unsigned *ret_index)
{
	size_t bytes = strlen(text);
	for (unsigned index = 0;; index++) {
		size_t word = strcspn(words, "|");
		if (word == bytes && memcmp(words, text, bytes) == 0) {
			*ret_index = index;
			return 0;
		}
		if (words[word] == '\0')
			return -EINVAL;
		words += word + 1;
	}
}

static int take_number(const struct option_row *row, void *field, const char *argument)
{
	bool bounded = row->min < 0.0 || row->min > 0.0 || row->max > 0.0;
	uint64_t max = bounded && row->max < 18446744073709551615.0 ? (uint64_t)row->max
								    : UINT64_MAX;
	uint64_t min = row->min > 0.0 ? (uint64_t)row->min : 0;
	if (row->kind == OPTION_U32) {
		uint64_t wide = 0;
		int error = options_u64(argument, min, max < UINT32_MAX ? max : UINT32_MAX, &wide);
		if (!error)
			*(uint32_t *)field = (uint32_t)wide;
		return error;
	}
	if (row->kind == OPTION_U64)
		return options_u64(argument, min, max, field);
	if (row->kind == OPTION_DURATION)
		return options_duration_ms(argument, min, max, field);
	return options_f64(argument, bounded ? row->min : -HUGE_VAL, bounded ? row->max : HUGE_VAL,
			   field);
}

static int take_row(const struct option_row *row, void *self, const char *argument)
{
	void *field = (char *)self + row->at;
	switch (row->kind) {
	case OPTION_SWITCH:
		*(bool *)field = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)field = argument;
		return 0;
	case OPTION_CHOICE:
		return choose(row->argument, argument, field);
	case OPTION_VALUE:
		*(unsigned *)field = (unsigned)row->min;
		return 0;
	case OPTION_TAKE:
		return row->take(field, argument);
	case OPTION_U32:
	case OPTION_U64:
	case OPTION_DURATION:
	case OPTION_F64:
		return take_number(row, field, argument);
	}
	return -EINVAL; /* a row without a kind takes nothing */
}

const char *options_operand(const char **at, size_t *ret_bytes, bool *ret_optional,
			    bool *ret_repeats)
{
	const char *word = *at + strspn(*at, " ");
	size_t bytes = strcspn(word, " ");
	*at = word + bytes;
	if (bytes == 0)
		return NULL;
	*ret_repeats = bytes > 3 && memcmp(word + bytes - 3, "...", 3) == 0;
	bytes -= *ret_repeats ? 3 : 0;
	*ret_optional = word[0] == '[';
	if (*ret_optional) {
		word++;
		bytes -= 2;
	}
	*ret_bytes = bytes;
	return word;
}

/* Are there as many operands as there must be? 0, or TOOL_USAGE. */
static int check_operands(const struct options *options, const char *operands, int count,
			  char **given)
{
	size_t bytes;
	bool optional, repeats;
	int taken = 0;
	const char *word;
	while ((word = options_operand(&operands, &bytes, &optional, &repeats))) {
		if (taken == count && !optional)
			return options_wrong(options, "%.*s is missing", (int)bytes, word);
		if (repeats)
			return 0;
		taken += taken < count;
	}
	return taken < count ? options_wrong(options, "what is \"%s\"?", given[taken]) : 0;
}

/* The same, where the first operand says what to do. */
static int check_action(const struct options *options, int count, char **given)
{
	if (count == 0)
		return options_wrong(options, "what shall it do?");
	for (size_t i = 0; i < options->actions_count; i++)
		if (strcmp(options->actions[i].name, given[0]) == 0)
			return check_operands(options, options->actions[i].operands, count - 1,
					      given + 1);
	return options_wrong(options, "it cannot \"%s\"", given[0]);
}

int options_parse(const struct options *options, int argc, char **argv, void *self,
		  char ***ret_operands, int *ret_count, int *ret_code)
{
	const struct option_row *row;
	const char *argument;
	while ((row = next_row(options, argc, argv, &argument, ret_code))) {
		int error = take_row(row, self, argument);
		if (error < 0) {
			*ret_code = options_wrong(
				options, "--%s cannot be \"%s\"%s", row->name,
				argument ? argument : "",
				error == -ERANGE               ? ": out of range"
				: row->kind == OPTION_DURATION ? ": " OPTIONS_DURATION_WORDS
							       : "");
			return 1;
		}
	}
	if (*ret_code >= 0)
		return 1;
	*ret_operands = argv + optind;
	*ret_count = argc - optind;
	*ret_code = options->actions_count
			    ? check_action(options, *ret_count, *ret_operands)
			    : check_operands(options, options->operands, *ret_count, *ret_operands);
	return *ret_code ? 1 : 0;
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
