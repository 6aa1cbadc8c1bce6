/* options: one table gives parsing and help. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

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

struct filled {
	bool all;
	const char *name;
	uint64_t count, wait_ms;
	uint32_t lanes, guard;
	double share;
	unsigned colour, form;
	int taken;
};

static int take_length(void *field, const char *argument)
{
	*(int *)field += (int)strlen(argument);
	return argument[0] == '-' ? -EINVAL : 0;
}

static const struct option_row typed_rows[] = {
	{.letter = 'a',
	 .name = "all",
	 .help = "all",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct filled, all)},
	{.name = "name",
	 .argument = "NAME",
	 .help = "name",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct filled, name)},
	{.name = "count",
	 .argument = "N",
	 .help = "count",
	 .kind = OPTION_U64,
	 .min = 1,
	 .max = 9,
	 .at = offsetof(struct filled, count)},
	{.name = "any",
	 .argument = "N",
	 .help = "count",
	 .kind = OPTION_U64,
	 .at = offsetof(struct filled, count)},
	{.name = "lanes",
	 .argument = "N",
	 .help = "lanes",
	 .kind = OPTION_U32,
	 .at = offsetof(struct filled, lanes)},
	{.name = "wait",
	 .argument = "TIME",
	 .help = "wait",
	 .kind = OPTION_DURATION,
	 .at = offsetof(struct filled, wait_ms)},
	{.name = "share",
	 .argument = "N",
	 .help = "share",
	 .kind = OPTION_F64,
	 .min = -1,
	 .max = 1,
	 .at = offsetof(struct filled, share)},
	{.name = "colour",
	 .argument = "red|green|blue",
	 .help = "colour",
	 .kind = OPTION_CHOICE,
	 .at = offsetof(struct filled, colour)},
	{.name = "csv",
	 .help = "form",
	 .kind = OPTION_VALUE,
	 .min = 7,
	 .at = offsetof(struct filled, form)},
	{.name = "take",
	 .argument = "TEXT",
	 .help = "take",
	 .kind = OPTION_TAKE,
	 .take = take_length,
	 .at = offsetof(struct filled, taken)},
};

static const struct option_action actions[] = {
	{"list", "", "list them"},
	{"show", "NAME [FILE]...", "show it"},
};

static const struct option_example examples[] = {{"prog .x 'a \"b\\c\"'", "show a.b"}};

static const struct options typed = {.program = "prog sub",
				     .operands = "FILE [DIR]",
				     .summary = "what it is for",
				     .description = "About it. And more.\n\nA paragraph.",
				     .rows = typed_rows,
				     .rows_count = OPTIONS_COUNT(typed_rows),
				     .examples = examples,
				     .examples_count = 1,
				     .exits = {[TOOL_NO] = "it is not so"},
				     .environment = "WEIR_CONTROL"};

/* Parse a line of words; -1: go on, else the exit code. The operands, joined by commas. */
static int parse(const struct options *table, const char *line, struct filled *filled,
		 char operands[64])
{
	static char copy[256];
	char *argv[32] = {"prog"}, **rest;
	int argc = 1, count, code;
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	optind = 0;
	if (options_parse(table, argc, argv, filled, &rest, &count, &code))
		return code;
	operands[0] = '\0';
	for (int i = 0; i < count; i++) {
		strcat(operands, i ? "," : "");
		strcat(operands, rest[i]);
	}
	return -1;
}

Test(options, a_table_fills_the_commands_struct)
{
	struct filled filled = {0};
	char operands[64];
	cr_expect_eq(
		parse(&typed,
		      "--name=x in -a --count 9 --wait 2m --share -0.5 out --colour blue --csv "
		      "--take abc --take de",
		      &filled, operands),
		-1);
	cr_expect_str_eq(operands, "in,out");
	cr_expect(filled.all);
	cr_expect_str_eq(filled.name, "x");
	cr_expect_eq(filled.count, 9);
	cr_expect_eq(filled.wait_ms, 120000);
	cr_expect_eq(filled.share, -0.5);
	cr_expect_eq(filled.colour, 2);
	cr_expect_eq(filled.form, 7);
	cr_expect_eq(filled.taken, 5);
	cr_expect_eq(parse(&typed, "--lanes 4294967295 in", &filled, operands), -1);
	cr_expect_eq(filled.lanes, UINT32_MAX);
	cr_expect_eq(filled.guard, 0);
	cr_expect_eq(parse(&typed, "--any 18446744073709551615 in", &filled, operands), -1);
	cr_expect_eq(filled.count, UINT64_MAX);
}

Test(options, long_and_short_forms_stand_before_and_behind_operands)
{
	static const char *const lines[] = {"-a in", "in -a", "--all in", "in --all", "--al in"};
	char operands[64];
	for (size_t i = 0; i < OPTIONS_COUNT(lines); i++) {
		struct filled filled = {0};
		cr_expect_eq(parse(&typed, lines[i], &filled, operands), -1, "%s", lines[i]);
		cr_expect(filled.all);
		cr_expect_str_eq(operands, "in");
	}
}

Test(options, what_is_unknown_or_lacks_its_argument_is_said, .init = cr_redirect_stderr)
{
	struct filled filled = {0};
	char operands[64];
	cr_expect_eq(parse(&typed, "--nonsense in", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&typed, "in --count", &filled, operands), TOOL_USAGE);
	fflush(stderr);
	cr_expect_stderr_eq_str("prog sub: unrecognized option '--nonsense'\n"
				"Try 'prog sub --help'.\n"
				"prog sub: option '--count' requires an argument\n"
				"Try 'prog sub --help'.\n");
}

Test(options, help_lists_each_row, .init = cr_redirect_stdout)
{
	static const struct option_row two[] = {
		{.letter = 'n', .name = "number", .argument = "N", .help = "a number"},
		{.name = "count", .help = "a switch"},
	};
	const struct options small = {.program = "prog sub",
				      .operands = "DIR",
				      .description = "About it.",
				      .rows = two,
				      .rows_count = 2};
	struct filled filled = {0};
	char operands[64];
	cr_expect_eq(parse(&small, "--help", &filled, operands), TOOL_OK);
	fflush(stdout);
	cr_expect_stdout_eq_str(
		"Usage: prog sub [options] DIR\nAbout it.\n\n"
		"  -n, --number N            a number\n"
		"  --count                   a switch\n"
		"  -h, --help                this text; --help=man: the manual page\n");
}

Test(options, what_a_row_does_not_take_is_named, .init = cr_redirect_stderr)
{
	struct filled filled = {0};
	char operands[64];
	cr_expect_eq(parse(&typed, "--count 10 in", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&typed, "--lanes 4294967296 in", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&typed, "--colour bl in", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&typed, "--share 1.5 in", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&typed, "--take -x in", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&typed, "--help=woman", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&typed, "--wait 1y in", &filled, operands), TOOL_USAGE);
	fflush(stderr);
	cr_expect_stderr_eq_str("prog sub: --count cannot be \"10\": out of range\n"
				"Try 'prog sub --help'.\n"
				"prog sub: --lanes cannot be \"4294967296\": out of range\n"
				"Try 'prog sub --help'.\n"
				"prog sub: --colour cannot be \"bl\"\n"
				"Try 'prog sub --help'.\n"
				"prog sub: --share cannot be \"1.5\": out of range\n"
				"Try 'prog sub --help'.\n"
				"prog sub: --take cannot be \"-x\"\n"
				"Try 'prog sub --help'.\n"
				"prog sub: --help cannot be \"woman\"\n"
				"Try 'prog sub --help'.\n"
				"prog sub: --wait cannot be \"1y\": a duration is a number with ms, "
				"s, m, h or d, as 90s or 7d\n"
				"Try 'prog sub --help'.\n");
}

Test(options, there_are_as_many_operands_as_the_table_says, .init = cr_redirect_stderr)
{
	struct options many = typed, none = typed, doing = typed;
	struct filled filled = {0};
	char operands[64];
	many.operands = "EVENT [DIMENSION=VALUE]...";
	none.operands = "";
	doing.actions = actions;
	doing.actions_count = OPTIONS_COUNT(actions);
	cr_expect_eq(parse(&typed, "", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&typed, "a b", &filled, operands), -1);
	cr_expect_eq(parse(&typed, "a b c", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&many, "", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&many, "a b c d e", &filled, operands), -1);
	cr_expect_eq(parse(&none, "a", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&doing, "", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&doing, "bake", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&doing, "list it", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&doing, "list", &filled, operands), -1);
	cr_expect_eq(parse(&doing, "show", &filled, operands), TOOL_USAGE);
	cr_expect_eq(parse(&doing, "show a b c", &filled, operands), -1);
	cr_expect_str_eq(operands, "show,a,b,c");
	fflush(stderr);
	cr_expect_stderr_eq_str("prog sub: FILE is missing\nTry 'prog sub --help'.\n"
				"prog sub: what is \"c\"?\nTry 'prog sub --help'.\n"
				"prog sub: EVENT is missing\nTry 'prog sub --help'.\n"
				"prog sub: what is \"a\"?\nTry 'prog sub --help'.\n"
				"prog sub: what shall it do?\nTry 'prog sub --help'.\n"
				"prog sub: it cannot \"bake\"\nTry 'prog sub --help'.\n"
				"prog sub: what is \"it\"?\nTry 'prog sub --help'.\n"
				"prog sub: NAME is missing\nTry 'prog sub --help'.\n");
}

/* What a call writes, to be freed. */
static char *written(void (*write)(const struct options *, FILE *), const struct options *table)
{
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);
	write(table, to);
	fclose(to);
	return text;
}

Test(options, the_manual_page_has_every_row_and_nothing_that_roff_would_obey)
{
	char *page = written(options_manual, &typed);
	for (size_t i = 0; i < OPTIONS_COUNT(typed_rows); i++) {
		char item[32];
		snprintf(item, sizeof(item), "Fl -%s", typed_rows[i].name);
		cr_expect_not_null(strstr(page, item), "%s", item);
	}
	cr_expect_not_null(strstr(page, ".Nm prog-sub\n.Nd what it is for\n"));
	cr_expect_not_null(strstr(page, "About it.\nAnd more.\n.Pp\nA paragraph.\n"));
	cr_expect_not_null(strstr(page, "\n.It 1\nIt is not so.\n"));
	cr_expect_not_null(strstr(page, ".Dl prog .x 'a \\(dqb\\ec\\(dq'\n"));
	cr_expect_not_null(strstr(page, ".It Ev WEIR_CONTROL\n"));
	cr_expect_null(strstr(page, "WEIR_SOCKET"));
	cr_expect_not_null(strstr(page, ".Xr prog 1 ,\n.Xr weird 8\n"));
	free(page);
}

Test(options, help_is_wrapped_and_lists_what_a_command_can_do)
{
	struct options doing = typed;
	doing.operands = "";
	doing.actions = actions;
	doing.actions_count = OPTIONS_COUNT(actions);
	doing.description = "One two three four five six seven eight nine ten eleven twelve "
			    "thirteen fourteen fifteen sixteen.";
	char *help = written(options_help, &doing);
	cr_expect_not_null(strstr(help, "Usage: prog sub list [options]\n"
					"       prog sub show [options] NAME [FILE]...\n"));
	cr_expect_not_null(strstr(help, "\n  show NAME [FILE]...       show it\n"));
	cr_expect_not_null(strstr(help, "--colour red|green|blue   colour\n"));
	for (const char *line = help; *line; line += strcspn(line, "\n"), line += *line == '\n')
		cr_expect_leq(strcspn(line, "\n"), 100);
	free(help);
}
