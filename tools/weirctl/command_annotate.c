/*
 * annotate: a remark on an anomaly, or on a span of time.
 */
#include <stdbool.h>
#include <stdio.h>

#include "command.h"
#include "operate.h"
#include "options.h"
#include "text.h"

struct given {
	struct operate_by by;
	bool list;
	const char *id, *source, *metric, *slice;
	int64_t from_ms, until_ms;
};

static const struct option_row rows[] = {
	{.name = "id",
	 .argument = "ID",
	 .help = "on this anomaly; the first digits of its id will do",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, id)},
	{.name = "from",
	 .argument = "TIME",
	 .help = "on the time from here: unix seconds, or 2011-01-04[T10:00] UTC",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct given, from_ms)},
	{.name = "until",
	 .argument = "TIME",
	 .help = "to here; default: from",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct given, until_ms)},
	{.name = "metric",
	 .argument = "NAME",
	 .help = "of this metric only",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, metric)},
	{.name = "slice",
	 .argument = "NAME=VALUE[,...]",
	 .help = "of these dimension values only",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, slice)},
	{.name = "source",
	 .argument = "NAME",
	 .help = "of this source of events only",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, source)},
	{.name = "list",
	 .help = "what has been remarked, newest first",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct given, list)},
	ROWS_OPERATE(struct given),
};

static int run(void *self, int count, char **operands)
{
	struct given *given = self;
	int code;
	if (given->list)
		return operate_list(&given->by, "annotate", 0);
	if (count == 0)
		return options_wrong(&command_annotate.options, "the remark is missing");
	if (!given->id == !given->from_ms)
		return options_wrong(&command_annotate.options,
				     "on what? --id, or --from and --until");
	json_t *request = json_pack("{ss ss}", "command", "annotate", "text", operands[0]);
	operate_set(request, "id", given->id);
	operate_set(request, "source", given->source);
	operate_set(request, "metric", given->metric);
	operate_set(request, "slice", given->slice);
	if (given->from_ms) {
		int64_t until_ms = given->until_ms ? given->until_ms : given->from_ms;
		json_object_set_new(request, "from_ms", json_integer(given->from_ms));
		json_object_set_new(request, "until_ms", json_integer(until_ms));
	}
	json_t *answer = operate(&given->by, request, &code);
	if (answer)
		printf("remark %lld is kept\n",
		       (long long)json_integer_value(json_object_get(answer, "number")));
	json_decref(answer);
	return code;
}

static const struct option_example examples[] = {
	{"weirctl annotate 'price list was wrong' --id 9f31c0", "Why it happened"},
	{"weirctl annotate 'spring sale' --from 2026-03-01 --until 2026-03-08 --metric revenue",
	 "What a chart should show"},
};

const struct command command_annotate = {
	.options = {.program = "weirctl annotate",
		    .operands = "[TEXT]",
		    .summary = "a remark on an anomaly, or on a span of time",
		    .description = "Keeps a remark with its author. weirctl anomalies shows those "
				   "on an anomaly.",
		    OPERATE_ENDS},
	.bytes = sizeof(struct given),
	.run = run,
};
