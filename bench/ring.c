/*
 * ring: how many events a second go from one process to another through a ring in shared memory?
 *
 * Idea:  the project's ring beside an ideal one of the same size and pages (ring_run.h), which does
 *        only what cannot be left out, and beside ck_ring. They take turns, so that what else
 *        happens on the machine meets all of them.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "figure.h"
#include "producer.h"
#include "question.h"
#include "report.h"
#include "ring_run.h"
#include "status.h"

struct settings {
	uint32_t runs, milliseconds;
	bool json, quick;
};

static const struct option_row rows[] = {
	{.name = "runs",
	 .argument = "N",
	 .help = "the median of N runs is reported; default 7",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = FIGURE_RUNS_MAX,
	 .at = offsetof(struct settings, runs)},
	{.name = "ms",
	 .argument = "N",
	 .help = "milliseconds of a run; default 200",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 10000,
	 .at = offsetof(struct settings, milliseconds)},
	{.name = "quick",
	 .help = "one short run of each: a smoke test, no measurement",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
};

/* The ideal ring's rate where it was first measured, at 64Ki events on small pages. */
#define IDEAL_ROW 600e6
#define DEFAULT_EVENTS (64u << 10)

/* What stands beside the ideal ring; `limit`: another way that is the limit. */
struct question {
	const char *name;
	enum ring_way way, limit;
	uint32_t events;
	bool large;
	double row;
};

static const struct question questions[] = {
	{"ring.between_processes", RING_CHUNKS, RING_IDEAL, DEFAULT_EVENTS, false, IDEAL_ROW},
	{"ring.ck", RING_CHUNKS, RING_CK, DEFAULT_EVENTS, false, 0},
	{"ring.each", RING_EACH, RING_IDEAL, DEFAULT_EVENTS, false, IDEAL_ROW},
	{"ring.each_ck", RING_EACH, RING_CK, DEFAULT_EVENTS, false, 0},
	{"ring.drained", RING_DRAIN, RING_IDEAL, DEFAULT_EVENTS, false, IDEAL_ROW},
	{"ring.4ki", RING_CHUNKS, RING_IDEAL, 4u << 10, false, 0},
	{"ring.16ki", RING_CHUNKS, RING_IDEAL, 16u << 10, false, 0},
	{"ring.256ki", RING_CHUNKS, RING_IDEAL, 256u << 10, false, 0},
	{"ring.1mi", RING_CHUNKS, RING_IDEAL, 1u << 20, false, 0},
	{"ring.4ki_large_pages", RING_CHUNKS, RING_IDEAL, 4u << 10, true, 0},
	{"ring.64ki_large_pages", RING_CHUNKS, RING_IDEAL, DEFAULT_EVENTS, true, 0},
	{"ring.256ki_large_pages", RING_CHUNKS, RING_IDEAL, 256u << 10, true, 0},
	{"ring.1mi_large_pages", RING_CHUNKS, RING_IDEAL, 1u << 20, true, 0},
};

/* `runs` pairs of runs, the limit's first. 0, also where there is none (figure->absent says why);
 * or a negative errno with `why`. */
static int answer(const struct settings *settings, const struct question *question,
		  struct figure *figure, char *why, size_t why_bytes)
{
	struct ring_run run = {
		.events = question->events,
		.large = question->large,
		.ms = settings->milliseconds,
	};
	*figure = (struct figure){.name = question->name,
				  .unit = "events/s",
				  .row = question->row,
				  .lossless = true};
	for (uint32_t i = 0; i < settings->runs && !producers_interrupted(); i++) {
		struct ring_result limit, result;
		run.way = question->limit;
		int r = ring_run(&run, &limit, why, why_bytes);
		run.way = question->way;
		if (r == 0)
			r = ring_run(&run, &result, why, why_bytes);
		if (r == -ENOTSUP && question->large) {
			figure->absent = "no large pages of shared memory here";
			return 0;
		}
		if (r < 0)
			return r;
		figure_add(figure, result.rate, limit.rate);
		figure->lossless &= result.lossless && limit.lossless;
	}
	return 0;
}

static int run(void *self, int count, char **operands)
{
	struct settings settings = *(struct settings *)self;
	struct report report;
	struct figure figure;
	char why[200];
	(void)count;
	(void)operands;
	if (settings.quick)
		settings.runs = 1, settings.milliseconds = 10;
	producers_heed_signals();
	report_begin(&report, settings.json, NULL);
	report_note(&report, "two processes, each pinned to a processor of its own; the limit is "
			     "an ideal ring of the same size, or ck_ring where the name says so");
	for (size_t i = 0; i < OPTIONS_COUNT(questions); i++) {
		int r = answer(&settings, &questions[i], &figure, why, sizeof(why));
		if (r < 0 || producers_interrupted()) {
			fprintf(stderr, "weir-bench: %s\n",
				producers_interrupted() ? "interrupted" : why);
			return STATUS_UNABLE;
		}
		report_figure(&report, &figure);
	}
	return report_end(&report);
}

static const struct settings defaults = {.runs = 7, .milliseconds = 200};

static const struct option_example examples[] = {
	{"weir-bench ring", "Everything, in about a minute"},
	{"weir-bench ring --quick --json", "Does it run here?"},
};

const struct command bench_ring = {
	.options = {.program = "weir-bench ring",
		    .operands = "",
		    .summary = "events/s between two processes, beside an ideal ring",
		    .description =
			    "How many events of 16 bytes a second go from one process to another "
			    "through a ring in shared memory, every one read and summed up. The "
			    "ring is the one that applications and the engine use "
			    "(include/weir/ring.h); ring.each publishes every event by itself, the "
			    "others 64 at a time; ring.drained has the engine's drain behind it, "
			    "which validates and maps each event.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
