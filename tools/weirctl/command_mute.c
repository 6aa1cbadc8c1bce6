/*
 * mute: alerts that nobody wants to hear for a while.
 */
#include <stdbool.h>
#include <stdio.h>

#include "command.h"
#include "operate.h"
#include "options.h"
#include "text.h"

struct given {
	struct operate_by by;
	bool list, all;
	const char *id, *source, *metric, *detector, *slice, *text;
	double severity_below;
	uint64_t for_ms;
	int64_t until_ms;
};

static const struct option_row rows[] = {
	{.name = "id",
	 .argument = "ID",
	 .help = "this anomaly; the first digits of its id will do",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, id)},
	{.name = "metric",
	 .argument = "NAME",
	 .help = "those of this metric; * is any text, here and below",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, metric)},
	{.name = "detector",
	 .argument = "NAME",
	 .help = "those that this detector finds",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, detector)},
	{.name = "slice",
	 .argument = "NAME=VALUE[,...]",
	 .help = "those of slices with these dimension values",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, slice)},
	{.name = "source",
	 .argument = "NAME",
	 .help = "those of this source of events",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, source)},
	{.name = "severity-below",
	 .argument = "N",
	 .help = "while their peak is below N",
	 .kind = OPTION_F64,
	 .max = 1000,
	 .at = offsetof(struct given, severity_below)},
	{.name = "for",
	 .argument = "DURATION",
	 .help = "from now on: 30m, 2h, 7d",
	 .kind = OPTION_DURATION,
	 .min = 1000,
	 .max = 3.2e11,
	 .at = offsetof(struct given, for_ms)},
	{.name = "until",
	 .argument = "TIME",
	 .help = "to this time: unix seconds, or 2011-01-04[T10:00] UTC",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct given, until_ms)},
	{.name = "text",
	 .argument = "WHY",
	 .help = "for who wonders later",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, text)},
	{.name = "list",
	 .help = "the mutes that hold, newest first",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct given, list)},
	{.name = "all",
	 .help = "with --list: also those that are over",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct given, all)},
	ROWS_OPERATE(struct given),
};

static int mute(const struct given *given)
{
	int code;
	json_t *request = json_pack("{ss}", "command", "mute");
	operate_set(request, "id", given->id);
	operate_set(request, "source", given->source);
	operate_set(request, "metric", given->metric);
	operate_set(request, "detector", given->detector);
	operate_set(request, "slice", given->slice);
	operate_set(request, "text", given->text);
	if (given->severity_below > 0)
		json_object_set_new(request, "severity_below", json_real(given->severity_below));
	if (given->until_ms)
		json_object_set_new(request, "until_ms", json_integer(given->until_ms));
	else
		json_object_set_new(request, "for_ms", json_integer((json_int_t)given->for_ms));
	json_t *answer = operate(&given->by, request, &code);
	if (answer) {
		char time[TEXT_TIME_BYTES];
		text_time(time, json_integer_value(json_object_get(answer, "until_ms")));
		printf("mute %lld holds until %.19sZ; weirctl unmute %lld ends it\n",
		       (long long)json_integer_value(json_object_get(answer, "number")), time,
		       (long long)json_integer_value(json_object_get(answer, "number")));
		json_decref(answer);
	}
	return code;
}

static int run(void *self, int count, char **operands)
{
	const struct given *given = self;
	(void)count;
	(void)operands;
	if (given->list)
		return operate_list(&given->by, "mute", given->all ? 0 : operate_now_ms());
	if (!given->id && !given->metric && !given->detector && !given->slice && !given->source &&
	    given->severity_below <= 0)
		return options_wrong(&command_mute.options,
				     "mute what? --id, or --metric, --detector, --slice, --source, "
				     "--severity-below");
	if ((given->for_ms == 0) == (given->until_ms == 0))
		return options_wrong(&command_mute.options, "how long? --for, or --until");
	return mute(given);
}

static const struct option_example examples[] = {
	{"weirctl mute --metric revenue --slice country=DE --for 2h --text 'payment provider'",
	 "Nothing of German revenue for two hours"},
	{"weirctl mute --metric '*' --severity-below 75 --until 2026-11-28",
	 "Only what is critical until the sale is over"},
	{"weirctl mute --list", "What is muted now"},
};

const struct command command_mute = {
	.options = {.program = "weirctl mute",
		    .operands = "",
		    .summary = "anomalies that are not to be told for a while",
		    .description =
			    "What matches is found, stored and listed as ever, but not published. "
			    "The end of a mute is in event time: a revision is muted when its "
			    "interval ends before it, by the clock of its source.\n"
			    "\n"
			    "What still fires when a mute ends is published then, as its last "
			    "revision says. What began and ended within a mute is never told; the "
			    "end of what had been told before it is, so that nobody is left with "
			    "an open alarm.",
		    OPERATE_ENDS},
	.bytes = sizeof(struct given),
	.run = run,
};
