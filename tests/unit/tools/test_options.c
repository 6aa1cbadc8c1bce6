/* options: one table gives parsing and help. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

enum { OPTION_COUNT = OPTIONS_LONG };

static const struct option_row rows[] = {
	{'n', "number", "N", "a number"},
	{OPTION_COUNT, "count", NULL, "a switch"},
};

static const struct options options = {.program = "prog sub",
				       .usage = "[options] DIR",
				       .about = "About it.",
				       .rows = rows,
				       .count = 2};

/* The next option of a command line of up to three arguments. */
static int next(const char *a, const char *b, const char *c, const char **ret_argument)
{
	static char copies[4][32];
	const char *given[] = {"x", a, b, c};
	char *argv[5] = {NULL};
	int argc = 0;
	for (; argc < 4 && given[argc]; argc++) {
		snprintf(copies[argc], sizeof(copies[argc]), "%s", given[argc]);
		argv[argc] = copies[argc];
	}
	optind = 0;
	return options_next(&options, argc, argv, ret_argument);
}

Test(options, long_and_short_forms_give_the_rows_id)
{
	const char *argument = NULL;
	cr_expect_eq(next("--number", "5", NULL, &argument), 'n');
	cr_expect_str_eq(argument, "5");
	cr_expect_eq(next("-n7", NULL, NULL, &argument), 'n');
	cr_expect_str_eq(argument, "7");
	cr_expect_eq(next("--count", NULL, NULL, &argument), OPTION_COUNT);
	cr_expect_null(argument);
	cr_expect_str_eq(options_name(&options, OPTION_COUNT), "count");
}

Test(options, options_may_stand_behind_operands)
{
	const char *argument = NULL;
	cr_expect_eq(next("DIR", "--count", NULL, &argument), OPTION_COUNT);
	cr_expect_eq(next("DIR", NULL, NULL, &argument), 0);
}

Test(options, what_is_unknown_or_lacks_its_argument_is_said, .init = cr_redirect_stderr)
{
	const char *argument = NULL;
	cr_expect_eq(next("--nonsense", NULL, NULL, &argument), -EINVAL);
	cr_expect_eq(next("--number", NULL, NULL, &argument), -EINVAL);
	fflush(stderr);
	cr_expect_stderr_eq_str("prog sub: unrecognized option '--nonsense'\n"
				"Try 'prog sub --help'.\n"
				"prog sub: option '--number' requires an argument\n"
				"Try 'prog sub --help'.\n");
}

Test(options, help_lists_each_row, .init = cr_redirect_stdout)
{
	const char *argument = NULL;
	cr_expect_eq(next("--help", NULL, NULL, &argument), OPTIONS_HELP);
	fflush(stdout);
	cr_expect_stdout_eq_str("Usage: prog sub [options] DIR\nAbout it.\n\n"
				"  -n, --number N            a number\n"
				"  --count                   a switch\n"
				"  -h, --help                this text\n");
}

Test(options, numbers_and_durations_are_whole_texts_within_bounds)
{
	uint64_t value = 0;
	double real = 0.0;
	cr_expect_eq(options_u64("42", 0, 100, &value), 0);
	cr_expect_eq(value, 42);
	cr_expect_eq(options_u64("101", 0, 100, &value), -ERANGE);
	cr_expect_eq(options_u64("99999999999999999999", 0, UINT64_MAX, &value), -ERANGE);
	cr_expect_eq(options_u64("-1", 0, 100, &value), -EINVAL);
	cr_expect_eq(options_u64("4x", 0, 100, &value), -EINVAL);
	cr_expect_eq(options_u64("", 0, 100, &value), -EINVAL);
	cr_expect_eq(options_f64("-2.5e1", -100, 100, &real), 0);
	cr_expect_eq(real, -25.0);
	cr_expect_eq(options_f64("nan", -100, 100, &real), -EINVAL);
	cr_expect_eq(options_f64("inf", -100, 100, &real), -EINVAL);
	cr_expect_eq(options_f64("1 ", -100, 100, &real), -EINVAL);
	cr_expect_eq(options_duration_ms("250ms", 0, UINT64_MAX, &value), 0);
	cr_expect_eq(value, 250);
	cr_expect_eq(options_duration_ms("2h", 0, UINT64_MAX, &value), 0);
	cr_expect_eq(value, 7200000);
	cr_expect_eq(options_duration_ms("60", 0, UINT64_MAX, &value), 0);
	cr_expect_eq(value, 60000);
	cr_expect_eq(options_duration_ms("3w", 0, UINT64_MAX, &value), -EINVAL);
	cr_expect_eq(options_duration_ms("400d", 0, 86400000, &value), -ERANGE);
	cr_expect_eq(options_duration_ms("18446744073709551615d", 0, UINT64_MAX, &value), -ERANGE);
}
