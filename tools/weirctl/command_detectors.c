/*
 * detectors: what the detectors are, how far each has come, and what is changed of them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "command.h"
#include "member.h"
#include "overrides.h"
#include "text.h"

#define WHY_BYTES 320

struct detectors {
	struct operate_by by;
	const char *note;
	bool rebase;
};

static const struct option_row rows[] = {
	{.name = "note",
	 .argument = "TEXT",
	 .help = "set, undo: why",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct detectors, note)},
	{.name = "rebase",
	 .help = "set: what changed lives through the history then, as weirctl rebase lets it",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct detectors, rebase)},
	ROWS_OPERATE(struct detectors),
};

static const char *word_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "-";
}

/* "3 of 60", "yes" once it has seen enough, "-" where no source has come. */
static void learning(const json_t *detector, char text[48])
{
	int64_t seen = whole_of(detector, "learned"), wanted = whole_of(detector, "learn");
	if (!json_is_string(json_object_get(detector, "source")))
		snprintf(text, 48, "-");
	else if (seen >= wanted)
		snprintf(text, 48, "yes");
	else
		snprintf(text, 48, "%" PRId64 " of %" PRId64, seen, wanted);
}

/* Columns of names: as wide as the longest of the list. */
struct widths {
	int of[3];
};
static const char *const columns[] = {"name", "metric", "source"};

static struct widths measure(const json_t *list)
{
	struct widths widths = {{24, 16, 10}};
	const json_t *detector;
	size_t i;
	json_array_foreach(list, i, detector)
	{
		for (int c = 0; c < 3; c++) {
			int bytes = (int)strlen(word_of(detector, columns[c]));
			widths.of[c] = bytes > widths.of[c] ? bytes : widths.of[c];
		}
	}
	return widths;
}

static void print_line(const json_t *detector, const struct widths *widths)
{
	char learnt[48];
	learning(detector, learnt);
	for (int c = 0; c < 3; c++)
		printf("%-*s ", widths->of[c], word_of(detector, columns[c]));
	printf("%-8s %-14s %6lld %6lld %8.1f %9lld\n", word_of(detector, "kind"), learnt,
	       whole_of(detector, "slices"), whole_of(detector, "firing"),
	       json_number_value(json_object_get(detector, "severity")),
	       whole_of(detector, "state_bytes") >> 10);
}

/* In milliseconds, each a part of a day. */
static void print_periods(const char *name, const json_t *periods)
{
	static const struct {
		int64_t ms;
		char unit;
	} units[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}, {1000, 's'}};
	const json_t *period;
	size_t i;

	printf("  %-12s %s", name, json_array_size(periods) ? "" : "none");
	json_array_foreach(periods, i, period)
	{
		int64_t ms = json_integer_value(period);
		size_t unit = 0;
		while (unit < 3 && ms % units[unit].ms != 0)
			unit++;
		printf("%s%" PRId64 "%c", i ? ", " : "", ms / units[unit].ms, units[unit].unit);
	}
	putchar('\n');
}

static void print_value(const char *name, json_t *value)
{
	char number[TEXT_NUMBER_BYTES];
	if (json_is_array(value)) {
		print_periods("resolutions", value);
		return;
	}
	if (json_is_string(value)) {
		printf("  %-12s %s\n", name, json_string_value(value));
		return;
	}
	text_double(number, json_number_value(value));
	printf("  %-12s %s\n", name, number);
}

static void print_slices(const json_t *detector)
{
	const json_t *slice;
	size_t i;
	json_array_foreach(json_object_get(detector, "top_slices"), i, slice)
	{
		const char *label = word_of(slice, "slice");
		printf("  %-8s %5.1f  ", word_of(slice, "state"),
		       json_number_value(json_object_get(slice, "severity")));
		/* After a start or a rebase: its next interval, or period, is not over. */
		if (json_is_number(json_object_get(slice, "expected")))
			printf("%.6g to %.6g, expected %.6g",
			       json_number_value(json_object_get(slice, "lower")),
			       json_number_value(json_object_get(slice, "upper")),
			       json_number_value(json_object_get(slice, "expected")));
		else
			printf("nothing to say before its next step");
		printf("  %s\n", label[0] ? label : "(total)");
	}
}

static void print_whole(json_t *detector, bool first)
{
	char learnt[48], time[TEXT_TIME_BYTES] = "nothing yet";
	const char *key;
	json_t *value, *through = json_object_get(detector, "through_ms");
	if (first) {
		printf("%s: %s of %s\n", word_of(detector, "name"), word_of(detector, "kind"),
		       word_of(detector, "metric"));
		json_object_foreach(json_object_get(detector, "spec"), key, value)
			print_value(key, value);
	}
	if (!json_is_string(json_object_get(detector, "source"))) {
		puts("no source has come yet");
		return;
	}
	learning(detector, learnt);
	if (json_is_integer(through))
		text_time(time, json_integer_value(through));
	printf("source %s: scored up to %s, learned enough: %s, %lld slice%s, %lld firing, %lld "
	       "KiB\n",
	       word_of(detector, "source"), time, learnt, whole_of(detector, "slices"),
	       text_s((uint64_t)whole_of(detector, "slices")), whole_of(detector, "firing"),
	       whole_of(detector, "state_bytes") >> 10);
	print_slices(detector);
}

static void print_all(const struct detectors *given, json_t *list, bool whole)
{
	struct widths widths = measure(list);
	json_t *detector;
	size_t i;
	if (!given->by.json && !whole)
		printf("%-*s %-*s %-*s %-8s %-14s %6s %6s %8s %9s\n", widths.of[0], "NAME",
		       widths.of[1], "METRIC", widths.of[2], "SOURCE", "KIND", "LEARNED", "SLICES",
		       "FIRING", "SEVERITY", "STATE KiB");
	json_array_foreach(list, i, detector)
	{
		if (given->by.json) {
			json_dumpf(detector, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
			putchar('\n');
		} else if (whole) {
			print_whole(detector, i == 0);
		} else {
			print_line(detector, &widths);
		}
	}
}

static int run(void *self, int count, char **operands)
{
	const struct detectors *given = self;
	bool whole = strcmp(operands[0], "show") == 0;

	if (strcmp(operands[0], "set") == 0)
		return overrides_set(&given->by, given->note, given->rebase, count - 1,
				     operands + 1);
	if (strcmp(operands[0], "diff") == 0)
		return overrides_diff(&given->by);
	if (strcmp(operands[0], "undo") == 0)
		return overrides_undo(&given->by, given->note, count > 1 ? operands[1] : NULL);
	if (strcmp(operands[0], "history") == 0)
		return overrides_history(&given->by);
	char why[WHY_BYTES];
	json_t *request = json_pack("{ss}", "command", "detectors");
	if (whole)
		json_object_set_new(request, "name", json_string(operands[1]));
	int code;
	json_t *answer = ask_of(ask_socket(given->by.socket), request, &code, why, sizeof(why));
	if (!answer) {
		fprintf(stderr, "weirctl: %s\n", why);
		return code;
	}
	print_all(given, json_object_get(answer, "detectors"), whole);
	json_decref(answer);
	return TOOL_OK;
}

static const struct option_action actions[] = {
	{"list", "",
	 "all of them: how far each has learned, how many slices, how severe it is now"},
	{"show", "NAME", "one of them: its settings, and its most severe slices"},
	{"set", "NAME|FILE [KEY=VALUE]...",
	 "change keys of one (KEY= is the default again), or set those of a file as a whole"},
	{"diff", "",
	 "what differs from the configuration file by that; exit code 1 if anything does"},
	{"undo", "[NUMBER]", "take the last change back, or the one of this number"},
	{"history", "", "all changes there were, the newest first: by whom, when, why"},
};

static const struct option_example examples[] = {
	{"weirctl detectors list", "All of them"},
	{"weirctl detectors show orders", "One of them, with its slices and their bands"},
	{"weirctl detectors set orders severity=60 for=3 --note 'too loud at night'",
	 "Change two of its keys; the file stays as it is"},
	{"weirctl backtest --detector draft.yaml && weirctl detectors set draft.yaml --rebase",
	 "Look first what a draft would have found, then switch it on"},
};

const struct command command_detectors = {
	.options =
		{.program = "weirctl detectors",
		 .operands = "",
		 .summary = "what the detectors are, how far they have learned, and changing "
			    "them",
		 .description =
			 "What the running engine's detectors are and how far each has come. A "
			 "detector works on each source by itself. LEARNED is how many "
			 "intervals it has seen of how many it wants before it speaks; SEVERITY "
			 "is that of its most severe slice in the last interval.\n\nWhat is set lies "
			 "over the configuration file, by author and number: it survives a "
			 "restart and a reload, and can be undone. It is in force between two "
			 "intervals, as after a reload: a detector that changed learns anew, or, with "
			 "--rebase, has what weirctl backtest showed.",
		 COMMAND_ROWS(rows),
		 COMMAND_ACTIONS(actions),
		 COMMAND_EXAMPLES(examples),
		 .exits = {[TOOL_NO] = "there is none such; the engine refuses; something differs"},
		 .environment = "WEIR_CONTROL"},
	.bytes = sizeof(struct detectors),
	.run = run,
};
