/*
 * quality feedback: what three "no" to the same weekly pattern bring, and what they cost. The weeks
 * are those of quality_feedback_run.c.
 */
#include <stdio.h>

#include "quality.h"
#include "quality_feedback.h"
#include "question.h"

struct settings {
	uint32_t rounds;
	uint64_t seed;
	bool quick, json;
};

static const struct option_row rows[] = {
	{.name = "rounds",
	 .argument = "N",
	 .help = "shops, of 10 to 2000 events a minute in turn; default 20",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 10000,
	 .at = offsetof(struct settings, rounds)},
	{.name = "seed",
	 .argument = "N",
	 .help = "of all chance; default 7",
	 .kind = OPTION_U64,
	 .at = offsetof(struct settings, seed)},
	{.name = "quick",
	 .help = "two shops: to see that it works",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
};

static const struct settings usual = {.rounds = 20, .seed = 7};

static void print_line(const char *name, double value, const char *unit)
{
	printf("{\"name\":\"feedback_%s\",\"value\":%g,\"unit\":\"%s\"}\n", name, value, unit);
}

static void print_json(const struct feedback_sums *sums)
{
	print_line("rounds", sums->rounds, "shops");
	print_line("dismissed", sums->dismissed, "weeks");
	print_line("alarms", sums->alarms, "alarms");
	print_line("again", sums->again, "alarms");
	print_line("suppressed", sums->suppressed, "alarms");
	print_line("incidents", sums->incidents, "incidents");
	print_line("found", sums->found, "incidents");
	print_line("bare", sums->bare, "incidents");
	print_line("lost", sums->lost, "incidents");
	print_line("undone", sums->undone, "shops");
}

static void print_text(const struct feedback_sums *sums)
{
	printf("%u shops, in which the same happens in each of %d weeks, no larger than it is "
	       "usually by a tenth\n\n",
	       sums->rounds, FEEDBACK_RUN_WEEKS);
	printf("%-56s %6u of %u\n", "weeks of which alarms were dismissed", sums->dismissed,
	       sums->rounds * FEEDBACK_RUN_WEEKS);
	printf("%-56s %6u\n", "their alarms", sums->alarms);
	printf("%-56s %6u\n", "alarms after three such weeks", sums->again);
	printf("%-56s %6u\n", "suppressed", sums->suppressed);
	printf("%-56s %6u of %u\n", "incidents of twice its size, found", sums->found,
	       sums->incidents);
	printf("%-56s %6u of %u\n", "the same, had nothing been said", sums->bare, sums->incidents);
	printf("%-56s %6u\n", "found only then", sums->lost);
	printf("%-56s %6u of %u\n", "as if never said, once all is taken back", sums->undone,
	       sums->rounds);
}

static int run(void *self, int count, char **operands)
{
	const struct settings *settings = self;
	struct feedback_sums sums;

	(void)count;
	(void)operands;
	feedback_run(settings->quick ? 2 : settings->rounds, settings->seed, NULL, &sums);
	if (settings->json)
		print_json(&sums);
	else
		print_text(&sums);
	fflush(stdout);
	return STATUS_GOOD;
}

static const struct option_example examples[] = {
	{"weir-bench quality feedback --rounds 100", "Half a minute of it"},
};

const struct command quality_feedback = {
	.options = {.program = "weir-bench quality feedback",
		    .operands = "",
		    .summary = "what three \"no\" to the same weekly pattern bring, and cost",
		    .description =
			    "In each shop something happens once a week that is no incident: for an "
			    "hour so many times the usual. Its alarms are dismissed, as with "
			    "weirctl feedback ID no, in three weeks; then it must be silent, while "
			    "what is twice as large must be found: in its place, and at another "
			    "time. Found by a detector that was told, and by one that was not.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.defaults = &usual,
	.run = run,
};
