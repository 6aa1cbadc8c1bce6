/*
 * ingest: how many events a second go from emit to a durable file, and is every one there?
 *
 * Idea:  a real weird, its detectors on, with a new data directory on a disk; producers that link
 *        libweir and push uniformly shuffled series as fast as the engine takes them. The time
 *        runs from the first emit to the answer "durable" for the last event. Then the log is read
 *        back: every event is compared with what was sent, counts and sums by series with their
 *        closed form, and `weirctl verify` has its say. The disk's own limit is measured right
 *        before and after, because on shared machines it changes by the minute.
 */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "figure.h"
#include "plan.h"
#include "producer.h"
#include "question.h"
#include "report.h"
#include "server.h"
#include "status.h"
#include "tally.h"
#include "weir/limits.h"

/* Of disk for each second of a run; what is more than this, the run must not need. */
#define BYTES_PER_S (UINT64_C(2000) << 20)
#define SPARE_BYTES (UINT64_C(2) << 30)

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
	char weird[2200], weirctl[2200]; /* weirctl "": there is none */
	char run[2600];                  /* directory of this run */
	char why[2000];
	struct figure figures[FIGURES];
	struct report report;
	bool lossless;
};

/* What one run measured. */
struct run {
	struct disk_rate before, after;
	struct producers *producers;
	struct server server;
	struct server_usage from, to;
	uint64_t first_ns, durable_ns, events, emit_ns;
	bool short_of_space;
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

static int find_programs(struct ingest *ingest)
{
	const struct settings *options = &ingest->options;
	if (program_find(options->weird, "weird", ingest->weird, sizeof(ingest->weird)) < 0) {
		snprintf(ingest->why, sizeof(ingest->why),
			 "%s: no such program; build it, or name it with --weird",
			 options->weird ? options->weird : "weird");
		return -ENOENT;
	}
	if (program_find(options->weirctl, "weirctl", ingest->weirctl, sizeof(ingest->weirctl)) ==
	    0)
		return 0;
	ingest->weirctl[0] = '\0';
	if (options->weirctl) {
		snprintf(ingest->why, sizeof(ingest->why), "%s: no such program", options->weirctl);
		return -ENOENT;
	}
	return 0;
}

static struct producer_options producer_options(const struct ingest *ingest, const char *socket,
						uint64_t free_bytes)
{
	const struct settings *options = &ingest->options;
	return (struct producer_options){
		.socket = socket,
		.series = options->series,
		.ring_events = options->ring_events,
		.batch = options->batch,
		.run_ns = options->seconds * UINT64_C(1000000000),
		/* Never fill a disk that others need: 20 bytes an event, all costs included. */
		.events_max = (free_bytes - SPARE_BYTES) / 20 / options->producers,
		.attach_ms = 30000,
		.durable_ms = 60000,
	};
}

/* The measured part: from the first emit until everything is durable. */
static int emit_all(struct ingest *ingest, struct run *run)
{
	uint64_t free_bytes;
	int r = disk_check(ingest->run, SPARE_BYTES, &free_bytes, ingest->why, sizeof(ingest->why));
	if (r < 0)
		return r;
	struct producer_options with = producer_options(ingest, run->server.socket, free_bytes);
	run->producers = producers_start(&with, ingest->options.producers, ingest->why,
					 sizeof(ingest->why));
	if (!run->producers)
		return -EIO;
	server_usage(&run->server, &run->from);
	r = producers_run(run->producers, &with, ingest->why, sizeof(ingest->why));
	server_usage(&run->server, &run->to);
	if (r < 0)
		return r;
	run->first_ns = UINT64_MAX;
	for (uint32_t i = 0; i < run->producers->count; i++) {
		const struct producer_report *report = &run->producers->reports[i];
		run->first_ns = report->first_ns < run->first_ns ? report->first_ns : run->first_ns;
		if (report->durable_ns > run->durable_ns)
			run->durable_ns = report->durable_ns;
		run->events += report->events;
		run->emit_ns += report->last_ns - report->first_ns;
		run->short_of_space |= report->last_ns - report->first_ns < with.run_ns;
	}
	return 0;
}

/* The producers' own books: nothing dropped, refused or lost, all of it durable. */
static bool ledger_exact(struct ingest *ingest, const struct run *run)
{
	for (uint32_t i = 0; i < run->producers->count; i++) {
		const struct producer_report *report = &run->producers->reports[i];
		const struct weir_ledger *l = &report->ledger;
		if (l->attempted == report->events && l->published == l->attempted &&
		    l->persisted == l->attempted && l->durable == l->attempted && !l->dropped &&
		    !l->rejected && !l->lost)
			continue;
		snprintf(ingest->why, sizeof(ingest->why),
			 "producer %u: attempted %llu, published %llu, persisted %llu, "
			 "durable %llu, dropped %llu, rejected %llu, lost %llu",
			 i, (unsigned long long)l->attempted, (unsigned long long)l->published,
			 (unsigned long long)l->persisted, (unsigned long long)l->durable,
			 (unsigned long long)l->dropped, (unsigned long long)l->rejected,
			 (unsigned long long)l->lost);
		return false;
	}
	return true;
}

/* Read the log back. False: something is missing, doubled or different; `why` says what. */
static bool log_exact(struct ingest *ingest, const struct run *run, uint64_t *ret_log_bytes)
{
	struct plan plans[PRODUCERS_MAX] = {0};
	uint64_t sent[PRODUCERS_MAX];
	struct tally_result result = {0};
	uint32_t count = run->producers->count;
	int r = 0;
	for (uint32_t i = 0; i < count; i++) {
		sent[i] = run->producers->reports[i].events;
		if (plan_init(&plans[i], ingest->options.series, i) < 0)
			r = -ENOMEM;
	}
	if (r == 0)
		r = tally_log(run->server.data, ingest->options.lanes, plans, count, sent, &result,
			      ingest->why, sizeof(ingest->why));
	for (uint32_t i = 0; i < count; i++)
		plan_fini(&plans[i]);
	*ret_log_bytes = result.log_bytes;
	if (r < 0)
		return false;
	if (result.events == run->events && !result.wrong_events && !result.wrong_series &&
	    !result.rejected && !result.gaps)
		return true;
	snprintf(ingest->why, sizeof(ingest->why),
		 "the log: %llu events of %llu, %llu wrong, %llu series wrong, %llu rejected, %llu "
		 "gaps; first: %s",
		 (unsigned long long)result.events, (unsigned long long)run->events,
		 (unsigned long long)result.wrong_events, (unsigned long long)result.wrong_series,
		 (unsigned long long)result.rejected, (unsigned long long)result.gaps,
		 result.first_wrong);
	return false;
}

static bool verify_agrees(struct ingest *ingest, const struct run *run)
{
	char said[1000];
	if (!ingest->weirctl[0])
		return true;
	int r = program_verify(ingest->weirctl, run->server.data, said, sizeof(said));
	if (r == 0)
		return true;
	snprintf(ingest->why, sizeof(ingest->why), "weirctl verify: %s %d: %s",
		 r < 0 ? "error" : "exit status", r < 0 ? -r : r, said);
	return false;
}

static double best(const struct disk_rate *rate)
{
	return rate->overwrite > rate->fresh ? rate->overwrite : rate->fresh;
}

static void add_figures(struct ingest *ingest, const struct run *run, uint64_t log_bytes)
{
	double seconds = (double)(run->durable_ns - run->first_ns) * 1e-9;
	double limit = (best(&run->before) + best(&run->after)) / 2;
	double bytes_per_event = (double)log_bytes / (double)run->events;
	struct figure *figures = ingest->figures;
	figure_add(&figures[EVENTS], (double)run->events / seconds, limit / bytes_per_event);
	figure_add(&figures[BYTES], (double)log_bytes / seconds, limit);
	figure_add(&figures[ENGINE_CPU], (run->to.cpu_s - run->from.cpu_s) / seconds, 0);
	figure_add(&figures[ENGINE_MEMORY], (double)run->to.peak_bytes, 0);
	figure_add(&figures[PRODUCER], (double)run->emit_ns / (double)run->events, 0);
	figure_add(&figures[DISK_FRESH], (run->before.fresh + run->after.fresh) / 2, 0);
	figure_add(&figures[DISK_OVER], (run->before.overwrite + run->after.overwrite) / 2, 0);
}

/* Between before and after. 0: measured (ingest->lossless says whether to believe it). */
static int measure(struct ingest *ingest, struct run *run)
{
	const struct settings *options = &ingest->options;
	const struct server_options with = {
		.program = ingest->weird,
		.directory = ingest->run,
		.lanes = options->lanes,
		.shards = options->shards,
		.series_max = options->series,
		.ring_events = options->ring_events,
		.producers = options->producers,
		.interval = options->interval,
		.durability = options->durability,
		.io = options->io,
	};
	uint64_t log_bytes = 0, disk_bytes = (uint64_t)options->limit_mib << 20;
	int r = disk_measure(ingest->run, disk_bytes, &run->before, ingest->why,
			     sizeof(ingest->why));
	if (r == 0)
		r = server_start(&run->server, &with, ingest->why, sizeof(ingest->why));
	if (r == 0)
		r = emit_all(ingest, run);
	if (r < 0)
		return r;
	r = server_stop(&run->server, 60000, ingest->why, sizeof(ingest->why));
	if (r < 0)
		return r;
	r = disk_measure(ingest->run, disk_bytes, &run->after, ingest->why, sizeof(ingest->why));
	if (r < 0)
		return r;
	bool exact = ledger_exact(ingest, run) && log_exact(ingest, run, &log_bytes) &&
		     verify_agrees(ingest, run);
	ingest->lossless = ingest->lossless && exact;
	if (!exact)
		fprintf(stderr, "weir-bench: NOT LOSSLESS: %s\n", ingest->why);
	add_figures(ingest, run, log_bytes);
	return 0;
}

/* Remove what the run wrote: our own directory, made by mkdtemp. */
static void remove_run(const char *directory)
{
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", directory, (char *)NULL);
		_exit(127);
	}
	int status;
	if (pid > 0)
		waitpid(pid, &status, 0);
}

static int run_once(struct ingest *ingest, bool last)
{
	struct run run = {0};
	char ignored[200], directory[PATH_MAX];
	/* Absolute: the configuration takes paths from where its file lies. */
	if (!realpath(ingest->options.directory, directory))
		snprintf(directory, sizeof(directory), "%s", ingest->options.directory);
	if (snprintf(ingest->run, sizeof(ingest->run), "%s/weir-bench-XXXXXX", directory) >=
		    (int)sizeof(ingest->run) ||
	    !mkdtemp(ingest->run)) {
		snprintf(ingest->why, sizeof(ingest->why), "%s: %s", ingest->options.directory,
			 strerror(errno));
		return -EIO;
	}
	int r = measure(ingest, &run);
	if (r == 0 && producers_interrupted()) {
		snprintf(ingest->why, sizeof(ingest->why), "interrupted");
		r = -EINTR;
	}
	if (r == 0 && run.short_of_space) {
		snprintf(ingest->why, sizeof(ingest->why),
			 "%s had no room for %u seconds; name another directory with --dir",
			 ingest->options.directory, ingest->options.seconds);
		r = -ENOSPC;
	}
	producers_stop(run.producers);
	server_stop(&run.server, 10000, ignored, sizeof(ignored));
	if (ingest->options.keep && last)
		fprintf(stderr, "weir-bench: the data are in %s\n", ingest->run);
	else
		remove_run(ingest->run);
	return r;
}

static void print_figures(struct ingest *ingest)
{
	for (uint32_t i = 0; i < FIGURES; i++) {
		ingest->figures[i].lossless = ingest->lossless;
		report_figure(&ingest->report, &ingest->figures[i]);
	}
	if (!ingest->weirctl[0])
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
	uint64_t free_bytes;
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
	int r = find_programs(&ingest);
	if (r == 0)
		r = disk_check(settings->directory, SPARE_BYTES + settings->seconds * BYTES_PER_S,
			       &free_bytes, ingest.why, sizeof(ingest.why));
	if (r == 0)
		report_begin(&ingest.report, settings->json, settings->directory);
	for (uint32_t i = 0; r == 0 && i < settings->runs; i++)
		r = run_once(&ingest, i + 1 == settings->runs);
	if (r < 0) {
		fprintf(stderr, "weir-bench: %s\n", ingest.why);
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
