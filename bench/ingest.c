/*
 * ingest: how many events a second go from emit to a durable file, and is every one there?
 *
 * Idea:  a real weird, its detectors on, with a new data directory on a disk; producers that link
 *        libweir and push uniformly shuffled series. Without further options every figure is taken
 *        that decides whether weir is fast (ingest_cases.h); options make a case of one's own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ingest_cases.h"
#include "plan.h"
#include "producer.h"
#include "question.h"
#include "report.h"
#include "status.h"
#include "weir/limits.h"

/* 0, NULL: not given. */
struct settings {
	const char *directory, *weird, *weirctl, *only;
	const char *interval, *durability, *io;
	uint32_t seconds, producers, series, ring_events, lanes, shards, batch, runs, limit_mib;
	double paced;
	bool fresh, no_log, idle;
	bool json, keep, quick;
};

static const struct option_row rows[] = {
	{.name = "dir",
	 .argument = "DIR",
	 .help = "on a disk, for the data; default the current directory",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, directory)},
	{.name = "seconds",
	 .argument = "N",
	 .help = "emit for at least N seconds; default 10",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 3600,
	 .at = offsetof(struct settings, seconds)},
	{.name = "runs",
	 .argument = "N",
	 .help = "the median of N runs is reported; default 3",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = FIGURE_RUNS_MAX,
	 .at = offsetof(struct settings, runs)},
	{.name = "only",
	 .argument = "NAMES",
	 .help = "of the deciding cases only these, as durable,fresh",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, only)},
	{.name = "producers",
	 .argument = "N",
	 .help = "processes that emit; default 1",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = PRODUCERS_MAX,
	 .at = offsetof(struct settings, producers)},
	{.name = "series",
	 .argument = "N",
	 .help = "series of each, all the same; default 100000",
	 .kind = OPTION_U32,
	 .min = 1000,
	 .max = PLAN_SERIES_MAX,
	 .at = offsetof(struct settings, series)},
	{.name = "ring",
	 .argument = "N",
	 .help = "events of a ring, a power of two; default 262144",
	 .kind = OPTION_U32,
	 .min = 1024,
	 .max = WEIR_RING_EVENTS_MAX,
	 .at = offsetof(struct settings, ring_events)},
	{.name = "batch",
	 .argument = "N",
	 .help = "weir_emit_many with N events, instead of weir_emit",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = PRODUCER_BATCH_MAX,
	 .at = offsetof(struct settings, batch)},
	{.name = "lanes",
	 .argument = "N",
	 .help = "as in the configuration; default 1",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = WEIR_LANES_MAX,
	 .at = offsetof(struct settings, lanes)},
	{.name = "shards",
	 .argument = "N",
	 .help = "as in the configuration; default 1",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = WEIR_SHARDS_MAX,
	 .at = offsetof(struct settings, shards)},
	{.name = "paced",
	 .argument = "RATE",
	 .help = "events/s of all producers together; default as fast as they can",
	 .kind = OPTION_F64,
	 .min = 1,
	 .max = 1e9,
	 .at = offsetof(struct settings, paced)},
	{.name = "idle",
	 .help = "producers are attached, and emit nothing",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, idle)},
	{.name = "fresh",
	 .help = "into files that were never written; default over written ones",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, fresh)},
	{.name = "no-log",
	 .help = "nothing is kept: ring, cells and detectors alone",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, no_log)},
	{.name = "interval",
	 .argument = "TIME",
	 .help = "as in the configuration; default 1s",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, interval)},
	{.name = "durability",
	 .argument = "none|interval|block",
	 .help = "as in the configuration; default interval",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, durability)},
	{.name = "io",
	 .argument = "auto|uring|pwrite",
	 .help = "as in the configuration; default auto",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, io)},
	ROW_PROGRAM(struct settings, weird),
	ROW_PROGRAM(struct settings, weirctl),
	{.name = "limit-mib",
	 .argument = "N",
	 .help = "of the plain writer that finds the disk's limit; default 2048",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 1 << 20,
	 .at = offsetof(struct settings, limit_mib)},
	{.name = "keep",
	 .help = "leave the data of the last run in place",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, keep)},
	{.name = "quick",
	 .help = "a fifth of a second each, once, 2000 series: to see that it works",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
};

/* Has any option been given that makes a case of its own? */
static bool own_case(const struct settings *s)
{
	return s->interval || s->durability || s->io || s->producers || s->series ||
	       s->ring_events || s->lanes || s->shards || s->batch || s->paced > 0 || s->idle ||
	       s->fresh || s->no_log;
}

/* Where nothing is said, ingest.durable's. */
static void set_case(const struct settings *s, struct ingest_case *with)
{
	with->interval = s->interval ? s->interval : with->interval;
	with->durability = s->durability ? s->durability : with->durability;
	with->io = s->io ? s->io : with->io;
	with->producers = s->producers ? s->producers : with->producers;
	with->series = s->series ? s->series : with->series;
	with->ring_events = s->ring_events ? s->ring_events : with->ring_events;
	with->lanes = s->lanes ? s->lanes : with->lanes;
	with->shards = s->shards ? s->shards : with->shards;
	with->batch = s->batch;
	with->rate = s->paced;
	with->idle = s->idle;
	with->no_log = s->no_log;
	with->recycled = !s->fresh && !s->no_log;
}

/* What to measure. 0, or the exit status: it is said what is wrong. */
static int choose(struct ingest_suite *suite, const struct settings *settings)
{
	char wrong[64], names[400];
	ingest_suite_init(suite, settings->seconds * 1000, settings->quick);
	if (settings->ring_events & (settings->ring_events - 1))
		return options_wrong(&bench_ingest.options, "--ring: %u is not a power of two",
				     settings->ring_events);
	if (own_case(settings)) {
		if (settings->only)
			return options_wrong(&bench_ingest.options,
					     "--only: the other options make a case of their own");
		memset(suite->asked, 0, sizeof(suite->asked));
		suite->asked[INGEST_OWN] = true;
		set_case(settings, &suite->cases[INGEST_OWN]);
	}
	if (!settings->only)
		return 0;
	ingest_suite_names(names, sizeof(names));
	if (!settings->only[0])
		return options_wrong(&bench_ingest.options,
				     "--only: no case is named; there are %s", names);
	if (ingest_suite_ask(suite, settings->only, wrong) == 0)
		return 0;
	return options_wrong(&bench_ingest.options, "--only: no case \"%s\"; there are %s", wrong,
			     names);
}

static int run(void *self, int count, char **operands)
{
	static struct ingest_suite suite;
	const struct settings *settings = self;
	struct report report;
	char why[2000];
	uint32_t runs = settings->quick ? 1 : settings->runs;
	(void)count;
	(void)operands;
	int wrong = choose(&suite, settings);
	if (wrong)
		return wrong;
	producers_heed_signals();
	int r = ingest_place_init(&suite.place, settings->directory, settings->weird,
				  settings->weirctl, why, sizeof(why));
	suite.place.keep = settings->keep;
	suite.place.limit_mib = settings->quick ? 64 : settings->limit_mib;
	if (r == 0)
		r = ingest_disk_check(&suite.place, suite.cases[INGEST_OWN].run_ms, why,
				      sizeof(why));
	if (r == 0)
		report_begin(&report, settings->json, settings->directory);
	for (uint32_t i = 0; r == 0 && i < runs; i++)
		r = ingest_suite_round(&suite, i + 1 == runs, why, sizeof(why));
	if (r < 0) {
		fprintf(stderr, "weir-bench: %s\n", why);
		return STATUS_UNABLE;
	}
	ingest_suite_report(&suite, &report);
	return report_end(&report);
}

static const struct settings defaults = {
	.directory = ".", .seconds = 10, .runs = 3, .limit_mib = 2048};

static const struct option_example examples[] = {
	{"weir-bench ingest --dir /var/tmp", "All that decides, on the disk that holds /var/tmp"},
	{"weir-bench ingest --only durable,fresh --runs 5", "Two of these cases"},
	{"weir-bench ingest --producers 4 --series 1000 --paced 20e6", "A case of one's own"},
	{"weir-bench ingest --quick --json", "Does it work here?"},
};

const struct command bench_ingest = {
	.options = {.program = "weir-bench ingest",
		    .operands = "",
		    .summary = "events/s from emit to a durable file, every one checked",
		    .description =
			    "How many events a second go from an application's emit to a durable "
			    "file, with detectors on, what it costs the engine, and how long an "
			    "event takes. Every event is found again in the log, or no figure is "
			    "to be believed.\n\nWithout options that make a case of one's own, all "
			    "cases that decide are measured one after another, and the whole is "
			    "repeated. Beside each figure stands what a bare lane, or a plain "
			    "writer, did in the same minute.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
