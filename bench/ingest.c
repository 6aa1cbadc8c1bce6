/*
 * ingest: how many events a second go from emit to a durable file, and is every one there?
 *
 * Idea:  a real weird, its detectors on, with a new data directory on a disk; producers that link
 *        libweir and push uniformly shuffled series as fast as the engine takes them. One run is
 *        ingest_run.h; here are the options, and the figures of several.
 */

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "figure.h"
#include "ingest_run.h"
#include "plan.h"
#include "producer.h"
#include "question.h"
#include "report.h"
#include "status.h"
#include "weir/limits.h"

struct settings {
	const char *directory, *weird, *weirctl;
	const char *interval, *durability, *io;
	uint32_t seconds, producers, series, ring_events, lanes, shards, batch, runs, limit_mib;
	bool json, keep, quick;
};

enum figure_name {
	EVENTS,
	BYTES,
	ENGINE_CPU,
	ENGINE_MEMORY,
	PRODUCER,
	DISK_FRESH,
	DISK_OVER,
	FIGURES
};

struct ingest {
	struct settings options;
	struct ingest_place place;
	struct figure figures[FIGURES];
	struct report report;
	bool lossless;
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
	 .help = "weir_emit_many with N events, instead of weir_emit; default 0",
	 .kind = OPTION_U32,
	 .min = 0,
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
	{.name = "weird",
	 .argument = "PATH",
	 .help = "program; default beside this one, in its build tree, in PATH",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, weird)},
	{.name = "weirctl",
	 .argument = "PATH",
	 .help = "program; default beside this one, in its build tree, in PATH",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, weirctl)},
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
	 .help = "1 s, once, 2000 series and a small ring: to see that it works",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	{.name = "json",
	 .help = "one JSON object for each figure",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, json)},
};

static struct ingest_case case_of(const struct settings *options)
{
	return (struct ingest_case){
		.interval = options->interval,
		.durability = options->durability,
		.io = options->io,
		.run_ms = options->seconds * 1000,
		.producers = options->producers,
		.series = options->series,
		.ring_events = options->ring_events,
		.batch = options->batch,
		.lanes = options->lanes,
		.shards = options->shards,
	};
}

static void add_figures(struct ingest *ingest, const struct ingest_outcome *outcome)
{
	double limit = ingest_disk_limit(outcome);
	double bytes_per_event = (double)outcome->log_bytes / (double)outcome->events;
	struct figure *figures = ingest->figures;
	figure_add(&figures[EVENTS], (double)outcome->events / outcome->seconds,
		   limit / bytes_per_event);
	figure_add(&figures[BYTES], (double)outcome->log_bytes / outcome->seconds, limit);
	figure_add(&figures[ENGINE_CPU], outcome->cpu_s / outcome->seconds, 0);
	figure_add(&figures[ENGINE_MEMORY], (double)outcome->peak_bytes, 0);
	figure_add(&figures[PRODUCER], outcome->emit_ns, 0);
	figure_add(&figures[DISK_FRESH], (outcome->before.fresh + outcome->after.fresh) / 2, 0);
	figure_add(&figures[DISK_OVER], (outcome->before.overwrite + outcome->after.overwrite) / 2,
		   0);
}

static void print_figures(struct ingest *ingest)
{
	for (uint32_t i = 0; i < FIGURES; i++) {
		ingest->figures[i].lossless = ingest->lossless;
		report_figure(&ingest->report, &ingest->figures[i]);
	}
	if (!ingest->place.weirctl[0])
		report_note(&ingest->report, "no weirctl here to verify the log a second time");
}

static void make_quick(struct settings *settings)
{
	settings->seconds = settings->runs = 1;
	settings->series = 2000;
	settings->ring_events = 16384;
	settings->limit_mib = 64;
}

static int run(void *self, int count, char **operands)
{
	static struct ingest ingest = {
		.figures = {[EVENTS] = {.name = "ingest.durable", .unit = "events/s"},
			    [BYTES] = {.name = "ingest.bytes", .unit = "B/s"},
			    [ENGINE_CPU] = {.name = "ingest.engine_cpu", .unit = "cores"},
			    [ENGINE_MEMORY] = {.name = "ingest.engine_memory", .unit = "B"},
			    [PRODUCER] = {.name = "ingest.producer", .unit = "ns/event"},
			    [DISK_FRESH] = {.name = "disk.fresh", .unit = "B/s"},
			    [DISK_OVER] = {.name = "disk.overwrite", .unit = "B/s"}},
		.lossless = true,
	};
	const struct settings *settings = self;
	char why[2000];
	(void)count;
	(void)operands;
	ingest.options = *settings;
	if (settings->quick)
		make_quick(&ingest.options);
	settings = &ingest.options;
	if (settings->ring_events & (settings->ring_events - 1))
		return options_wrong(&bench_ingest.options, "--ring: %u is not a power of two",
				     settings->ring_events);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, producers_interrupt);
	signal(SIGTERM, producers_interrupt);
	int r = ingest_place_init(&ingest.place, settings->directory, settings->weird,
				  settings->weirctl, why, sizeof(why));
	if (r == 0)
		r = ingest_disk_check(&ingest.place, settings->seconds * 1000, why, sizeof(why));
	if (r == 0)
		report_begin(&ingest.report, settings->json, settings->directory);
	ingest.place.limit_mib = settings->limit_mib;
	for (uint32_t i = 0; r == 0 && i < settings->runs; i++) {
		struct ingest_case with = case_of(settings);
		struct ingest_outcome outcome;
		ingest.place.keep = settings->keep && i + 1 == settings->runs;
		r = ingest_measure(&ingest.place, &with, &outcome, why, sizeof(why));
		if (r < 0)
			break;
		ingest.lossless = ingest.lossless && outcome.lossless;
		add_figures(&ingest, &outcome);
	}
	if (r < 0) {
		fprintf(stderr, "weir-bench: %s\n", why);
		return STATUS_UNABLE;
	}
	print_figures(&ingest);
	return report_end(&ingest.report);
}

static const struct settings defaults = {.directory = ".",
					 .interval = "1s",
					 .durability = "interval",
					 .io = "auto",
					 .seconds = 10,
					 .producers = 1,
					 .series = 100000,
					 .ring_events = 256u << 10,
					 .lanes = 1,
					 .shards = 1,
					 .runs = 3,
					 .limit_mib = 2048};

static const struct option_example examples[] = {
	{"weir-bench ingest --dir /var/tmp", "On the disk that holds /var/tmp"},
	{"weir-bench ingest --quick --json", "Does it work here?"},
};

const struct command bench_ingest = {
	.options = {.program = "weir-bench ingest",
		    .operands = "",
		    .summary = "events/s from emit to a durable file, every one checked",
		    .description =
			    "How many events a second go from an application's emit to a durable "
			    "file, with detectors on. Every event is found again in the log, or no "
			    "figure is to be believed. Beside it stands what the disk takes from a "
			    "plain writer.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
