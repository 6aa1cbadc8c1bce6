/*
 * scale: how do rate and cost grow with producers and series?
 *
 * Idea:  every number of producers with every number of series is a case of ingest (ingest_run.h),
 *        measured like any other: a real weird, a disk, and every event found again. What comes of
 *        it is events a second and processor time of the engine for an event: as figures, as CSV
 *        and as two charts. Runs go round by round over all cases, so that a slow minute of a
 *        shared machine does not fall on one of them.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"
#include "ingest_run.h"
#include "plan.h"
#include "producer.h"
#include "question.h"
#include "report.h"
#include "weir/limits.h"

#define LIST_MAX 6u
#define CASES_MAX (LIST_MAX * LIST_MAX)
/* Each producer defines all series by itself. More definitions than this take minutes and
 * gigabytes before the first event; --all asks for them. */
#define DEFINITIONS_MAX 8000000u

struct settings {
	const char *directory, *weird, *weirctl, *producers, *series, *csv, *svg, *svg_cpu;
	uint32_t ms, runs, ring_events, lanes, shards, limit_mib;
	bool json, quick, all;
};

struct list {
	uint32_t values[LIST_MAX], count;
};

struct scale_case {
	uint32_t producers, series;
	char name[48], cpu_name[48], absent[160];
	struct figure rate, cpu;
	double log_bytes; /* of an event, in the last run */
};

struct scale {
	struct settings options;
	struct list producers, series;
	struct scale_case cases[CASES_MAX];
	uint32_t count;
	struct ingest_place place;
	char why[2000];
};

static const struct option_row rows[] = {
	{.name = "dir",
	 .argument = "DIR",
	 .help = "on a disk, for the data; default the current directory",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, directory)},
	{.name = "producers",
	 .argument = "LIST",
	 .help = "numbers of processes that emit; default 1,4,16,64",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, producers)},
	{.name = "series",
	 .argument = "LIST",
	 .help = "numbers of series, all the same for each; default 1000,10000,100000,1000000",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, series)},
	{.name = "all",
	 .help = "cases of more than 8 million definitions too; they take minutes and memory",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, all)},
	{.name = "ms",
	 .argument = "MS",
	 .help = "emit for at least so long in each case; default 2000",
	 .kind = OPTION_U32,
	 .min = 100,
	 .max = 60000,
	 .at = offsetof(struct settings, ms)},
	{.name = "runs",
	 .argument = "N",
	 .help = "the median of N runs of each case is reported; default 3",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = FIGURE_RUNS_MAX,
	 .at = offsetof(struct settings, runs)},
	{.name = "ring",
	 .argument = "N",
	 .help = "events of a ring, a power of two; default 262144",
	 .kind = OPTION_U32,
	 .min = 1024,
	 .max = WEIR_RING_EVENTS_MAX,
	 .at = offsetof(struct settings, ring_events)},
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
	{.name = "csv",
	 .argument = "FILE",
	 .help = "write a row for each case",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, csv)},
	{.name = "svg",
	 .argument = "FILE",
	 .help = "draw events a second",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, svg)},
	{.name = "svg-cpu",
	 .argument = "FILE",
	 .help = "draw the engine's processor time for an event",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, svg_cpu)},
	ROW_PROGRAM(struct settings, weird),
	ROW_PROGRAM(struct settings, weirctl),
	{.name = "limit-mib",
	 .argument = "N",
	 .help = "of the plain writer that finds the disk's limit; default 512",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 1 << 20,
	 .at = offsetof(struct settings, limit_mib)},
	{.name = "quick",
	 .help = "1 and 2 producers, 1000 and 2000 series, 100 ms, once: to see that it works",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
};

/* "1,4,16", ascending. False: it is something else. */
static bool parse_list(const char *text, uint32_t min, uint32_t max, struct list *ret_list)
{
	char *end;
	*ret_list = (struct list){0};
	do {
		unsigned long value = strtoul(text, &end, 10);
		bool ascends = ret_list->count == 0 ||
			       value > ret_list->values[ret_list->count - 1];
		if (end == text || (*end && *end != ',') || value < min || value > max ||
		    !ascends || ret_list->count == LIST_MAX)
			return false;
		ret_list->values[ret_list->count++] = (uint32_t)value;
		text = end + 1;
	} while (*end);
	return true;
}

/* 100000 as "100k". */
static const char *short_name(uint32_t value, char text[16])
{
	if (value % 1000000 == 0)
		snprintf(text, 16, "%um", value / 1000000);
	else if (value % 1000 == 0)
		snprintf(text, 16, "%uk", value / 1000);
	else
		snprintf(text, 16, "%u", value);
	return text;
}

static void name_case(struct scale_case *named, bool all)
{
	char series[16];
	uint64_t definitions = (uint64_t)named->producers * named->series;
	short_name(named->series, series);
	snprintf(named->name, sizeof(named->name), "scale.p%u.s%s", named->producers, series);
	snprintf(named->cpu_name, sizeof(named->cpu_name), "scale.p%u.s%s.cpu", named->producers,
		 series);
	named->rate = (struct figure){.name = named->name, .unit = "events/s", .lossless = true};
	named->cpu = (struct figure){
		.name = named->cpu_name, .unit = "ns", .lossless = true, .cost = true};
	if (all || definitions <= DEFINITIONS_MAX)
		return;
	snprintf(named->absent, sizeof(named->absent),
		 "%u producers that define %s series each take minutes; ask for it with --all",
		 named->producers, series);
	named->rate.absent = named->cpu.absent = named->absent;
}

static void make_cases(struct scale *scale)
{
	for (uint32_t p = 0; p < scale->producers.count; p++)
		for (uint32_t s = 0; s < scale->series.count; s++) {
			struct scale_case *made = &scale->cases[scale->count++];
			made->producers = scale->producers.values[p];
			made->series = scale->series.values[s];
			name_case(made, scale->options.all);
		}
}

static int measure(struct scale *scale, struct scale_case *measured)
{
	const struct settings *options = &scale->options;
	const struct ingest_case with = {
		.interval = "1s",
		.durability = "interval",
		.io = "auto",
		.run_ms = options->ms,
		.producers = measured->producers,
		.series = measured->series,
		.ring_events = options->ring_events,
		.lanes = options->lanes,
		.shards = options->shards,
	};
	struct ingest_outcome outcome;
	if (measured->rate.absent)
		return 0;
	int r = ingest_measure(&scale->place, &with, &outcome, scale->why, sizeof(scale->why));
	if (r < 0)
		return r;
	double events = (double)outcome.events;
	measured->log_bytes = (double)outcome.log_bytes / events;
	figure_add(&measured->rate, events / outcome.seconds,
		   ingest_disk_limit(&outcome) / measured->log_bytes);
	figure_add(&measured->cpu, outcome.cpu_s * 1e9 / events, 0);
	measured->rate.lossless = measured->cpu.lossless = measured->rate.lossless &&
							   outcome.lossless;
	return 0;
}

static int write_csv(const struct scale *scale, FILE *to)
{
	fputs("producers,series,events_per_s,events_per_s_min,events_per_s_max,"
	      "engine_ns_per_event,engine_ns_per_event_min,engine_ns_per_event_max,"
	      "log_bytes_per_event,disk_limit_events_per_s,runs,lossless\n",
	      to);
	for (uint32_t i = 0; i < scale->count; i++) {
		const struct scale_case *row = &scale->cases[i];
		if (row->rate.absent)
			continue;
		fprintf(to, "%u,%u,%.0f,%.0f,%.0f,%.3f,%.3f,%.3f,%.3f,%.0f,%u,%s\n", row->producers,
			row->series, figure_value(&row->rate), figure_min(&row->rate),
			figure_max(&row->rate), figure_value(&row->cpu), figure_min(&row->cpu),
			figure_max(&row->cpu), row->log_bytes, figure_limit(&row->rate),
			row->rate.runs, row->rate.lossless ? "true" : "false");
	}
	return 0;
}

static int draw(const struct scale *scale, bool cpu, FILE *to)
{
	double x[LIST_MAX];
	char labels[LIST_MAX][32];
	struct chart_line lines[LIST_MAX];
	const struct chart chart = {
		.title = cpu ? "Processor time of the engine for an event, by series and producers"
			     : "Events a second, durable, by series and producers",
		.about = cpu ? "A line for each number of producers; less is better"
			     : "A line for each number of producers; more is better",
		.x_name = "series",
		.y_name = cpu ? "ns" : "events/s",
		.x = x,
		.x_count = scale->series.count,
	};
	for (uint32_t s = 0; s < scale->series.count; s++)
		x[s] = scale->series.values[s];
	for (uint32_t p = 0; p < scale->producers.count; p++) {
		uint32_t producers = scale->producers.values[p];
		snprintf(labels[p], sizeof(labels[p]), "%u producer%s", producers,
			 producers == 1 ? "" : "s");
		lines[p].label = labels[p];
		for (uint32_t s = 0; s < scale->series.count; s++) {
			const struct scale_case *at = &scale->cases[p * scale->series.count + s];
			const struct figure *figure = cpu ? &at->cpu : &at->rate;
			lines[p].values[s] = figure->absent ? NAN : figure_value(figure);
		}
	}
	return chart_draw_lines(&chart, lines, scale->producers.count, to);
}

static int draw_rates(const struct scale *scale, FILE *to)
{
	return draw(scale, false, to);
}

static int draw_costs(const struct scale *scale, FILE *to)
{
	return draw(scale, true, to);
}

static int write_file(struct scale *scale, const char *path,
		      int (*put)(const struct scale *scale, FILE *to))
{
	if (!path)
		return 0;
	FILE *to = fopen(path, "we");
	int r = to ? put(scale, to) : -errno;
	if (to && fclose(to) != 0 && r == 0)
		r = -errno;
	if (r < 0)
		snprintf(scale->why, sizeof(scale->why), "%s: %s", path, strerror(-r));
	return r;
}

static int measure_all(struct scale *scale)
{
	int r = 0;
	for (uint32_t run = 0; run < scale->options.runs; run++)
		for (uint32_t i = 0; r == 0 && i < scale->count; i++)
			r = measure(scale, &scale->cases[i]);
	return r;
}

static void print_figures(struct scale *scale, struct report *report)
{
	const struct settings *options = &scale->options;
	report_note(
		report,
		"%u ms a case, rings of %u events, %u lane%s; limit: what the disk takes of the "
		"log's bytes; cpu: the engine's, for an event",
		options->ms, options->ring_events, options->lanes, options->lanes == 1 ? "" : "s");
	for (uint32_t i = 0; i < scale->count; i++) {
		report_figure(report, &scale->cases[i].rate);
		report_figure(report, &scale->cases[i].cpu);
	}
}

static void make_quick(struct settings *settings)
{
	settings->producers = "1,2";
	settings->series = "1000,2000";
	settings->ms = 100;
	settings->runs = 1;
	settings->ring_events = 16384;
	settings->limit_mib = 16;
}

static int run(void *self, int count, char **operands)
{
	static struct scale scale;
	struct settings *settings = self;
	struct report report;
	(void)count;
	(void)operands;
	if (settings->quick)
		make_quick(settings);
	scale.options = *settings;
	if (settings->ring_events & (settings->ring_events - 1))
		return options_wrong(&bench_scale.options, "--ring: %u is not a power of two",
				     settings->ring_events);
	if (!parse_list(settings->producers, 1, PRODUCERS_MAX, &scale.producers))
		return options_wrong(&bench_scale.options,
				     "--producers: \"%s\" is no list of up to %u ascending numbers "
				     "from 1 to %u, such as 1,4,16",
				     settings->producers, LIST_MAX, PRODUCERS_MAX);
	if (!parse_list(settings->series, 1000, PLAN_SERIES_MAX, &scale.series))
		return options_wrong(&bench_scale.options,
				     "--series: \"%s\" is no list of up to %u ascending numbers "
				     "from 1000 to %u, such as 1000,100000",
				     settings->series, LIST_MAX, PLAN_SERIES_MAX);
	make_cases(&scale);
	producers_heed_signals();
	int r = ingest_place_init(&scale.place, settings->directory, settings->weird,
				  settings->weirctl, scale.why, sizeof(scale.why));
	scale.place.limit_mib = settings->limit_mib;
	if (r == 0)
		r = ingest_disk_check(&scale.place, settings->ms, scale.why, sizeof(scale.why));
	if (r == 0) {
		report_begin(&report, settings->json, settings->directory);
		r = measure_all(&scale);
	}
	if (r == 0)
		print_figures(&scale, &report);
	if (r == 0)
		r = write_file(&scale, settings->csv, write_csv);
	if (r == 0)
		r = write_file(&scale, settings->svg, draw_rates);
	if (r == 0)
		r = write_file(&scale, settings->svg_cpu, draw_costs);
	if (r < 0) {
		fprintf(stderr, "weir-bench: %s\n", scale.why);
		return STATUS_UNABLE;
	}
	return report_end(&report);
}

static const struct settings defaults = {.directory = ".",
					 .producers = "1,4,16,64",
					 .series = "1000,10000,100000,1000000",
					 .ms = 2000,
					 .runs = 3,
					 .ring_events = 256u << 10,
					 .lanes = 1,
					 .shards = 1,
					 .limit_mib = 512};

static const struct option_example examples[] = {
	{"weir-bench scale --dir /var/tmp --csv scale.csv --svg scale.svg", "All cases"},
	{"weir-bench scale --producers 1,2,3,4 --series 100000", "Producers only"},
};

const struct command bench_scale = {
	.options = {.program = "weir-bench scale",
		    .operands = "",
		    .summary = "how rate and cost grow with producers and series",
		    .description =
			    "Events a second into durable files, and processor time of the engine "
			    "for an event, at every number of producers with every number of "
			    "series, as figures, CSV and charts. Each case is measured and "
			    "verified as `weir-bench ingest` does.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
