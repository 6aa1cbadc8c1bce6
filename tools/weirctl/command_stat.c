/*
 * stat: every number of the running engine, with its unit and what it means.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "command.h"
#include "member.h"
#include "text.h"

#define WHY_BYTES 320
#define LABEL_BYTES 128

struct ask_stat {
	const char *socket;
	bool json, prometheus;
};

static const struct option_row rows[] = {
	ROW_CONTROL(struct ask_stat),
	{.name = "prometheus",
	 .help = "all of them, as Prometheus reads them",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct ask_stat, prometheus)},
	ROW_JSON(struct ask_stat, "one JSON object per line"),
};

/* "lane=0", "" where there is one only. */
static void label_of(const json_t *stat, char label[LABEL_BYTES])
{
	json_t *labels = json_object_get(stat, "labels"), *value;
	const char *name;
	label[0] = '\0';
	json_object_foreach(labels, name, value)
		snprintf(label, LABEL_BYTES, "%s=%s", name, json_string_value(value));
}

/* Is it one of those asked for? A pattern without wildcards is a part of the name. */
static bool is_wanted(const json_t *stat, int count, char **patterns)
{
	const char *name = text_of(stat, "name");
	bool wanted = count == 0;
	for (int i = 0; i < count; i++)
		wanted |= strpbrk(patterns[i], "*?[") ? fnmatch(patterns[i], name, 0) == 0
						      : strstr(name, patterns[i]) != NULL;
	return wanted;
}

static void print_people(const json_t *stat)
{
	char number[TEXT_NUMBER_BYTES], label[LABEL_BYTES], shown[2 * LABEL_BYTES];
	label_of(stat, label);
	snprintf(shown, sizeof(shown), "%s%s%s%s", text_of(stat, "name"), label[0] ? "{" : "",
		 label, label[0] ? "}" : "");
	text_double(number, json_number_value(json_object_get(stat, "value")));
	printf("%-40s %16s %-12s %s\n", shown, number, text_of(stat, "unit"),
	       text_of(stat, "description"));
}

static int print_stats(const struct ask_stat *given, const json_t *answer, int count,
		       char **patterns)
{
	const json_t *stat;
	size_t i, shown = 0;
	json_array_foreach(json_object_get(answer, "stats"), i, stat)
	{
		if (!is_wanted(stat, count, patterns))
			continue;
		shown++;
		if (!given->json) {
			print_people(stat);
			continue;
		}
		json_dumpf(stat, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
	}
	if (shown == 0)
		fputs("weirctl: no number has such a name; 'weirctl stat' lists them all\n",
		      stderr);
	return shown ? TOOL_OK : TOOL_NO;
}

static int run(void *self, int count, char **operands)
{
	const struct ask_stat *given = self;
	const char *command = given->prometheus ? "prometheus" : "stat";
	char why[WHY_BYTES];
	if (given->prometheus && (given->json || count))
		return options_wrong(&command_stat.options,
				     "Prometheus wants all of them, and in its own form");
	json_t *answer = ask(ask_socket(given->socket), json_pack("{ss}", "command", command), why,
			     sizeof(why));
	if (!answer) {
		fprintf(stderr, "weirctl: %s\n", why);
		return TOOL_IO;
	}
	int code = TOOL_OK;
	if (given->prometheus)
		fputs(text_of(answer, "text"), stdout);
	else
		code = print_stats(given, answer, count, operands);
	json_decref(answer);
	return code;
}

static const struct option_example examples[] = {
	{"weirctl stat", "Every number"},
	{"weirctl stat events 'redis_*'", "Those with events in their name, and those of Redis"},
	{"weirctl stat --prometheus | promtool check metrics", "What Prometheus would read"},
};

const struct command command_stat = {
	.options = {.program = "weirctl stat",
		    .operands = "[PATTERN]...",
		    .summary = "every number of the engine",
		    .description =
			    "Every number of the running engine, with its unit and what it means: "
			    "all, or those whose name matches a pattern. A pattern is a part of "
			    "the name, or has wildcards and matches the whole of it.\n\n"
			    "The same numbers are served to Prometheus, with weir_ before their "
			    "names, where the configuration says prometheus.listen.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    .exits = {[TOOL_NO] = "no number has such a name"},
		    .environment = "WEIR_CONTROL"},
	.bytes = sizeof(struct ask_stat),
	.run = run,
};
