/*
 * score: the default detector over the rows of a file. What it says is what the engine would have
 * said: it is the same code (detect/scoring.h).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/zone.h"
#include "command.h"
#include "detect/calendar.h"
#include "detect/scoring.h"
#include "options.h"
#include "score_calendar.h"
#include "score_file.h"
#include "score_line.h"
#include "score_svg.h"
#include "text.h"

#define WHY_BYTES 320

enum kind { KIND_AUTO, KIND_COUNT, KIND_SUM, KIND_GAUGE, KIND_RATIO };

static const char *const kind_names[] = {"auto", "count", "sum", "gauge", "ratio"};

struct score_command {
	const char *out;
	uint64_t interval_ms;
	unsigned kind; /* enum kind */
	const char *timezone, *calendar;
	const char *svg;
	int64_t since_ms, until_ms;
	bool json;
};

static const struct option_row rows[] = {
	{.name = "interval",
	 .argument = "DURATION",
	 .help = "from one row to the next, as 5m; default the commonest of the first 100 rows",
	 .kind = OPTION_DURATION,
	 .min = SCORE_INTERVAL_MS_MIN,
	 .max = (double)SCORE_INTERVAL_MS_MAX,
	 .at = offsetof(struct score_command, interval_ms)},
	{.name = "kind",
	 .argument = "auto|count|sum|gauge|ratio",
	 .help = "what the values are; default auto: by the first 100 rows",
	 .kind = OPTION_CHOICE,
	 .at = offsetof(struct score_command, kind)},
	{.name = "timezone",
	 .argument = "ZONE",
	 .help = "whose clock decides the hour and the day, as Europe/London; default UTC. The "
		 "timestamps themselves stay what they are",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct score_command, timezone)},
	{.name = "calendar",
	 .argument = "FILE",
	 .help = "what is known to come: a CSV file of start,end,name[,effect], times as those of "
		 "the rows, end exclusive; effect: exclude (the default), expect:+40%, last-year",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct score_command, calendar)},
	{.name = "out",
	 .argument = "FILE",
	 .help = "write the rows there, and to standard output what was scored; default the rows "
		 "to standard output",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct score_command, out)},
	{.name = "svg",
	 .argument = "FILE",
	 .help = "draw a chart there: values, what was expected and its band, alarms, and rows of "
		 "their severity",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct score_command, svg)},
	{.name = "since",
	 .argument = "TIME",
	 .help = "with --svg, draw the rows from this time on, as 2011-01-04",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct score_command, since_ms)},
	{.name = "until",
	 .argument = "TIME",
	 .help = "with --svg, draw the rows before this time",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct score_command, until_ms)},
	ROW_JSON(struct score_command, "one JSON object per row"),
};

/* What one file comes to. */
struct score_run {
	const struct score_command *command;
	struct score_shape shape;
	struct score_file *file;
	struct zone *zone;
	struct calendar *calendar;
	struct scoring *scoring;
	bool begun; /* a row has been scored */
	FILE *to;
	struct scored last; /* of the last row that had an interval */
	uint64_t rows, alarms, unscored;
	struct score_svg svg;
	int failed; /* -ENOMEM: the chart has not all rows */
};

static int say(const char *why, int result)
{
	fprintf(stderr, "weirctl: %s\n", why);
	return result == -EBADMSG ? TOOL_NO : TOOL_IO;
}

static void put_row(struct score_run *run, const struct score_row *row)
{
	const struct scored *scored = &run->last;
	const struct score_line line = {
		.timed = row->timed,
		.time_ms = row->time_ms,
		.value = row->value,
		.expected = scored->expected,
		.lower = scored->lower,
		.upper = scored->upper,
		.score = scored->score,
		.onset = scored->onset,
		.severity = scored->severity,
		.alarm = scored->alarm,
	};
	if (run->command->svg && row->scorable)
		run->failed |= score_svg_add(&run->svg, &line);
	if (run->command->json) {
		score_line_json(run->to, &line);
		return;
	}
	score_line_put(run->to, &line);
	putc_unlocked('\n', run->to);
}

static void score_row(struct score_run *run, const struct score_row *row)
{
	const double *weight = run->shape.weighted ? &row->weight : NULL;

	/* Intervals are as the clock has them; where rows are not, spans are of the rows' times. */
	if (row->scorable && !run->begun && run->calendar)
		score_calendar_shift(run->calendar,
				     row->time_ms - row->interval * run->shape.interval_ms);
	run->begun |= row->scorable;
	if (row->scorable && run->shape.squared && run->shape.aggregation == AGGREGATE_SUM) {
		scoring_step_sums(run->scoring, row->interval, &row->value, &row->squares,
				  &run->last);
	} else if (row->scorable) {
		scoring_step(run->scoring, row->interval, &row->value, weight, &run->last);
	} else {
		/* Of no interval: the last forecast stands, and nothing is said. */
		run->unscored++;
		run->last.score = run->last.onset = run->last.severity = 0;
		run->last.alarm = false;
	}
	run->rows++;
	run->alarms += run->last.alarm;
	put_row(run, row);
}

static int score_rows(struct score_run *run)
{
	struct score_row row;
	char why[WHY_BYTES];
	int result;

	if (!run->command->json)
		fputs(SCORE_LINE_COLUMNS "\n", run->to);
	while ((result = score_file_next(run->file, &row, why, sizeof(why))) > 0 &&
	       !ferror(run->to))
		score_row(run, &row);
	return result < 0 ? say(why, result) : TOOL_OK;
}

static void print_summary(const struct score_run *run)
{
	unsigned kind = KIND_GAUGE;
	double seconds = (double)run->shape.interval_ms / 1000;
	char text[TEXT_NUMBER_BYTES];

	if (run->shape.aggregation == AGGREGATE_COUNT)
		kind = KIND_COUNT;
	else if (run->shape.aggregation == AGGREGATE_SUM)
		kind = KIND_SUM;
	else if (run->shape.aggregation == AGGREGATE_RATIO)
		kind = KIND_RATIO;
	text_double(text, seconds);
	printf("%" PRIu64 " rows, one every %s s, scored as %s: %" PRIu64 " alarm%s\n", run->rows,
	       text, kind_names[kind], run->alarms, run->alarms == 1 ? "" : "s");
}

/* Whoever feeds us row by row gets its answers row by row. */
static bool is_fed(const char *path)
{
	struct stat status;

	return strcmp(path, "-") == 0 && fstat(STDIN_FILENO, &status) == 0 &&
	       !S_ISREG(status.st_mode);
}

static int draw(struct score_run *run)
{
	const char *path = run->command->svg;
	char why[WHY_BYTES];
	FILE *to = fopen(path, "we");
	int result = to ? run->failed : -errno;

	if (to && result == 0)
		result = score_svg_draw(&run->svg, to);
	if (to && (ferror(to) | fclose(to)) && result == 0)
		result = -errno;
	if (result == 0)
		return TOOL_OK;
	snprintf(why, sizeof(why), "cannot draw %s: %s", path,
		 result == -ENODATA ? "no row has a value in this time" : strerror(-result));
	return say(why, -EIO);
}

static int run_opened(struct score_run *run, bool fed)
{
	const char *out = run->command->out;
	char why[WHY_BYTES];

	if (run->shape.aggregation == AGGREGATE_RATIO && !run->shape.weighted)
		return say("a ratio needs a column weight with its denominators; without one, "
			   "score it with --kind gauge",
			   -EBADMSG);
	struct scoring_spec spec = {
		.aggregation = run->shape.aggregation,
		.interval_ms = run->shape.interval_ms,
		.zone = run->zone,
		.calendar = run->calendar,
		.series = 1,
	};
	run->scoring = scoring_create(&spec);
	if (!run->scoring)
		return say("no memory for the detector", -ENOMEM);
	run->to = out ? fopen(out, "we") : stdout;
	if (!run->to) {
		snprintf(why, sizeof(why), "cannot write %s: %s", out, strerror(errno));
		return say(why, -EIO);
	}
	if (fed)
		setvbuf(run->to, NULL, _IOLBF, BUFSIZ);
	int code = score_rows(run);
	int failed = ferror(run->to) | fflush(run->to);
	if (out)
		failed |= fclose(run->to);
	if (failed) {
		snprintf(why, sizeof(why), "cannot write %s: %s", out ? out : "standard output",
			 strerror(errno));
		return say(why, -EIO);
	}
	if (run->command->svg && code == TOOL_OK)
		code = draw(run);
	if (out && code == TOOL_OK)
		print_summary(run);
	if (run->unscored)
		fprintf(stderr,
			"weirctl: %" PRIu64 " of %" PRIu64 " rows are no newer than one before, "
			"or of the same interval: scored 0, not learned\n",
			run->unscored, run->rows);
	return code;
}

static int run(void *self, int count, char **operands)
{
	static const enum aggregation aggregations[] = {
		[KIND_AUTO] = AGGREGATE_MEAN,   [KIND_COUNT] = AGGREGATE_COUNT,
		[KIND_SUM] = AGGREGATE_SUM,     [KIND_GAUGE] = AGGREGATE_MEAN,
		[KIND_RATIO] = AGGREGATE_RATIO,
	};
	const struct score_command *command = self;
	struct score_run run = {
		.command = command,
		.shape = {.interval_ms = (int64_t)command->interval_ms,
			  .aggregation = aggregations[command->kind],
			  .infer_kind = command->kind == KIND_AUTO},
	};
	char why[WHY_BYTES];

	(void)count;
	if (command->timezone && zone_load(command->timezone, &run.zone, why, sizeof(why)) < 0)
		return options_wrong(&command_score.options, "--timezone: %s", why);
	int result = 0;
	if (command->calendar)
		result = score_calendar_read(command->calendar, &run.calendar, why, sizeof(why));
	if (!result)
		result = score_file_open(operands[0], &run.shape, &run.file, why, sizeof(why));
	if (result < 0) {
		zone_free(run.zone);
		calendar_destroy(run.calendar);
		return say(why, result);
	}
	run.svg = (struct score_svg){
		.title = basename(operands[0]),
		.interval_ms = run.shape.interval_ms,
		.since_ms = command->since_ms,
		.until_ms = command->until_ms,
		.severity = SCORING_SEVERITY,
	};
	int code = run_opened(&run, is_fed(operands[0]));
	scoring_destroy(run.scoring);
	score_svg_fini(&run.svg);
	zone_free(run.zone);
	calendar_destroy(run.calendar);
	result = score_file_close(run.file, why, sizeof(why));
	if (result < 0 && code == TOOL_OK)
		code = say(why, result);
	return code;
}

static const struct option_example examples[] = {
	{"weirctl score requests.csv --out scored.csv", "Score a file, and say what was found"},
	{"weirctl score orders.csv --calendar holidays.csv",
	 "What was known to come is no anomaly"},
	{"weirctl score conversion.csv --kind ratio | grep ',1$'", "The rows that raise an alarm"},
};

const struct command command_score = {
	.options =
		{.program = "weirctl score",
		 .operands = "FILE",
		 .summary = "the default detector over the rows of a CSV file",
		 .description =
			 "Reads a CSV file with a header line and the columns timestamp (unix "
			 "seconds, or ISO 8601 with T or a space, UTC unless it says otherwise), "
			 "value, and weight for the denominators of a ratio (for a gauge, the "
			 "readings behind each value; of sums, squares may have those of what was "
			 "added up). Other columns are passed over. FILE may be "
			 "- for standard input, or end in .gz.\n\n"
			 "Each row is answered by one, in order: timestamp, value, the forecast "
			 "that was made before the value was looked at (expected, lower, upper), "
			 "score (-log10 of the probability that chance does this), onset (the score "
			 "where an anomaly opens or clearly strengthens, else 0), severity (0 to "
			 "100; 50 is once a week by chance), alarm (1 where the default detector "
			 "starts to fire). While nothing can be said, score is 0.\n\n"
			 "A blank value and an interval without a row are missing, never zero. A "
			 "row that is not newer than those before it, or of an interval that has a "
			 "row already, is scored 0 and not learned. Nothing is read ahead but the first 100 rows, "
			 "from which the interval (the commonest gap) and the kind are inferred: "
			 "ratio with weights and values between 0 and 1; count where all are whole "
			 "numbers that scatter at least like counts; else gauge. Sums, as of "
			 "revenue, want --kind sum.\n\n"
			 "What a calendar excludes is neither learned from nor alarmed on; expect "
			 "multiplies the forecast, and what is learned is relative to it; last-year "
			 "expects what the last event of the same name in the file brought over "
			 "what was usual, hour by hour from its start, and excludes the first one. "
			 "Spans may overlap: exclude wins, the factors of expect are multiplied, "
			 "last-year takes the place of expect of the same name.",
		 COMMAND_ROWS(rows),
		 COMMAND_EXAMPLES(examples),
		 .exits = {[TOOL_NO] = "the file is not such a one; the message names the line"}},
	.bytes = sizeof(struct score_command),
	.run = run,
};
