/*
 * feedback: was an anomaly one?
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "command.h"
#include "member.h"
#include "operate.h"
#include "options.h"
#include "text.h"

#define WHY_BYTES 1280

struct given {
	struct operate_by by;
	const char *note;
	bool undo, list;
};

static const struct option_row rows[] = {
	{.name = "note",
	 .argument = "TEXT",
	 .help = "for who wonders later",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, note)},
	{.name = "undo",
	 .help = "take back what was last said of this anomaly",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct given, undo)},
	{.name = "list",
	 .help = "what was said, what it did and what it has suppressed, newest first",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct given, list)},
	ROWS_OPERATE(struct given),
};

static void print_effect(const json_t *said)
{
	const json_t *effect = json_object_get(said, "effect");
	char time[TEXT_TIME_BYTES], week[TEXT_WEEK_BYTES];
	if (json_object_get(said, "ended")) {
		printf("      taken back\n");
		return;
	}
	if (!effect) {
		printf("      forgotten: newer feedback has taken its place\n");
		return;
	}
	if (!json_is_true(json_object_get(effect, "in_force"))) {
		printf("      something else was said of this anomaly since\n");
		return;
	}
	if (strcmp(text_of(said, "verdict"), "unsure") == 0)
		return;
	printf("      threshold %.2f -> %.2f", number_of(effect, "threshold_before"),
	       number_of(effect, "threshold"));
	if (strcmp(text_of(said, "verdict"), "no") == 0) {
		text_week(week, whole_of(said, "start_ms"), whole_of(said, "end_ms"));
		printf("; look-alikes suppressed around %s", week);
	}
	if (whole_of(effect, "suppressed") > 0) {
		text_time(time, whole_of(effect, "suppressed_ms"));
		printf("; %lld suppressed, the last %.19sZ",
		       (long long)whole_of(effect, "suppressed"), time);
	}
	putchar('\n');
}

static void print_said(const json_t *said)
{
	char time[TEXT_TIME_BYTES];
	text_time(time, whole_of(said, "time_ms"));
	printf("%4lld %.19sZ %-10s %.12s %-6s %s %s%s%s %s%s%s\n",
	       (long long)whole_of(said, "number"), time, text_of(said, "author"),
	       text_of(said, "id"), text_of(said, "verdict"), text_of(said, "detector"),
	       text_of(said, "metric"), text_of(said, "slice")[0] ? " " : "",
	       text_of(said, "slice"), whole_of(said, "direction") > 0 ? "up" : "down",
	       text_of(said, "text")[0] ? "  " : "", text_of(said, "text"));
	print_effect(said);
}

static int list(const struct given *given)
{
	char why[WHY_BYTES] = "";
	json_t *request = json_pack("{ss}", "command", "feedback_list");
	json_t *answer = ask(ask_socket(given->by.socket), request, why, sizeof(why));
	if (!answer) {
		fprintf(stderr, "weirctl: %s\n", why);
		return TOOL_IO;
	}
	const json_t *said;
	size_t i;
	json_array_foreach(json_object_get(answer, "feedback"), i, said)
	{
		if (given->by.json) {
			json_dumpf(said, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
			putchar('\n');
		} else {
			print_said(said);
		}
	}
	json_decref(answer);
	return TOOL_OK;
}

static int run(void *self, int count, char **operands)
{
	const struct given *given = self;
	int code;
	if (given->list)
		return list(given);
	if (count == 0)
		return options_wrong(&command_feedback.options, "on which anomaly? its id");
	if (given->undo ? count > 1 : count < 2)
		return options_wrong(&command_feedback.options,
				     given->undo ? "an id is enough to take back what was last said"
						 : "was it one? yes, no or unsure");
	json_t *request = json_pack("{ss ss}", "command",
				    given->undo ? "feedback_undo" : "feedback", "id", operands[0]);
	if (!given->undo)
		operate_set(request, "verdict", operands[1]);
	operate_set(request, "text", given->note);
	json_t *answer = operate(&given->by, request, &code);
	if (answer && given->undo)
		printf("taken back\n");
	else if (answer)
		printf("feedback %lld is kept; weirctl feedback --list shows what it does, "
		       "weirctl feedback %s --undo takes it back\n",
		       (long long)whole_of(answer, "number"), operands[0]);
	json_decref(answer);
	return code;
}

static const struct option_example examples[] = {
	{"weirctl feedback 9f31c0 no --note 'the newsletter goes out on Tuesdays'",
	 "Not to be told again of the like"},
	{"weirctl feedback 9f31c0 --undo", "It was one after all"},
	{"weirctl feedback --list", "What was said, and what it has suppressed since"},
};

const struct command command_feedback = {
	.options =
		{.program = "weirctl feedback",
		 .operands = "[ID] [yes|no|unsure]",
		 .summary = "say whether an anomaly was one: its detector learns from it",
		 .description =
			 "In force from the next interval on; the first digits of the id will do.\n"
			 "\n"
			 "no: the threshold of this slice in this direction is 3.75 higher for "
			 "each (of slices of the same dimensions 1.25; at most 18.75), fading with "
			 "a half-life of 90 days. At the same time of the week, two hours more or "
			 "less, nothing is told that is no larger than 1.2 times what was "
			 "dismissed, 1.3 times after two and 1.4 times after three; larger is. "
			 "What still fires and is dismissed ends.\n"
			 "\n"
			 "yes: the threshold is 1.25 lower for each (at most 6.25), and nothing is "
			 "learned from the incident while it lasts. Of one that is over, what it "
			 "has taught is taken out by the next weirctl rebase.\n"
			 "\n"
			 "unsure: kept, without effect. Said twice of one anomaly the later "
			 "counts. --undo takes the last back: from then on thresholds are as if it "
			 "had not been said; what was learned meanwhile, or was not, stays "
			 "until the next rebase.",
		 OPERATE_ENDS},
	.bytes = sizeof(struct given),
	.run = run,
};
