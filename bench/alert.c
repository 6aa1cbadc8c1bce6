/*
 * alert: how long after an incident is complete does a subscriber know of it?
 *
 * Idea:  a real weird with its default detectors, a real Redis, a subscriber, and a shop's traffic
 *        on the wall's clock. In each interval one country orders ten times as much as usual. The
 *        incident is complete when its interval ends; the time runs from there to the moment that
 *        the subscriber has the message. An interval is closed when the configured lateness is
 *        over, and Redis takes its time for any message: these two are the limit, the second
 *        measured in the same run. Every incident must be heard of, once.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alert_hear.h"
#include "alert_load.h"
#include "plan.h"
#include "producer.h"
#include "question.h"
#include "report.h"
#include "scratch.h"
#include "server.h"

#define PINGS 200u
#define LAST_MS 15000 /* after the last event, for the last message */
#define INCIDENTS_MAX 10000u
#define RING_EVENTS 65536u

struct settings {
	const char *directory, *weird, *durability;
	uint32_t incidents, runs, series, rate, interval_ms, lateness_ms, shards;
	bool json, quick;
};

enum figure_name { P50, P99, MOST, OWN_P50, OWN_P99, REDIS_P50, FIGURES };

struct alert {
	struct settings options;
	char weird[2200];
	char directory[3000]; /* of this run */
	char why[2000];
	struct figure figures[FIGURES];
	struct hear hear;
	struct load load;
	struct server server;
	double *waits_ms; /* [incidents] */
	bool lossless;
};

static const struct option_row rows[] = {
	{.name = "dir",
	 .argument = "DIR",
	 .help = "for the data of the run; default the current directory",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, directory)},
	{.name = "incidents",
	 .argument = "N",
	 .help = "of a run, one in each interval; default 100",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = INCIDENTS_MAX,
	 .at = offsetof(struct settings, incidents)},
	{.name = "runs",
	 .argument = "N",
	 .help = "the median of N runs is reported; default 3",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = FIGURE_RUNS_MAX,
	 .at = offsetof(struct settings, runs)},
	{.name = "rate",
	 .argument = "N",
	 .help = "events/s of the traffic beside the incidents; default 100000",
	 .kind = OPTION_U32,
	 .min = 0,
	 .max = 1000000,
	 .at = offsetof(struct settings, rate)},
	{.name = "series",
	 .argument = "N",
	 .help = "of the traffic; default 10000",
	 .kind = OPTION_U32,
	 .min = 2,
	 .max = 1000000,
	 .at = offsetof(struct settings, series)},
	{.name = "interval-ms",
	 .argument = "MS",
	 .help = "as in the configuration; default 1000",
	 .kind = OPTION_U32,
	 .min = 1000,
	 .max = 60000,
	 .at = offsetof(struct settings, interval_ms)},
	{.name = "lateness-ms",
	 .argument = "MS",
	 .help = "lateness.wall, as in the configuration; default 1000",
	 .kind = OPTION_U32,
	 .min = 0,
	 .max = 60000,
	 .at = offsetof(struct settings, lateness_ms)},
	{.name = "durability",
	 .argument = "none|interval|block",
	 .help = "as in the configuration; default interval",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, durability)},
	{.name = "shards",
	 .argument = "N",
	 .help = "as in the configuration; default 1",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 16,
	 .at = offsetof(struct settings, shards)},
	ROW_PROGRAM(struct settings, weird),
	{.name = "quick",
	 .help = "2 incidents, once, little traffic: to see that it works",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
};

static int compare(const void *left, const void *right)
{
	const double *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

/* Sorts. */
static double part_of(double *values, uint32_t count, double part)
{
	qsort(values, count, sizeof(*values), compare);
	return values[(uint32_t)(part * (count - 1) + 0.5)];
}

static int start_server(struct alert *alert)
{
	const struct settings *options = &alert->options;
	char more[4000], interval[32];
	snprintf(interval, sizeof(interval), "%ums", options->interval_ms);
	/* The rule says at once what is ten times the interval before; beside it runs the default
	 * detector, as it does for the metrics of the traffic. */
	snprintf(more, sizeof(more),
		 "  - {name: %s, event: %s, agg: count, by: [country]}\n"
		 "detectors:\n"
		 "  - {metric: %s, kind: rule, up: 400%%, recover: 1}\n"
		 "lateness: {wall: %ums}\n"
		 "redis: {url: 'unix://%s'}\n",
		 ALERT_METRIC, ALERT_EVENT, ALERT_METRIC, options->lateness_ms, alert->hear.socket);
	const struct server_options with = {
		.program = alert->weird,
		.directory = alert->directory,
		.lanes = 1,
		.shards = options->shards,
		.series_max = options->series + ALERT_SLICES,
		.ring_events = RING_EVENTS,
		.producers = 1,
		.interval = interval,
		.durability = options->durability,
		.io = "auto",
		.more = more,
	};
	return server_start(&alert->server, &with, alert->why, sizeof(alert->why));
}

/* Which incident is this, from 0 on; -1: none of ours. */
static int64_t incident_of(const struct alert *alert, const struct heard *heard)
{
	char slice[HEAR_NAME_BYTES];
	int64_t interval = heard->end_ms / alert->options.interval_ms - 1;
	int64_t number = interval - alert->load.first;
	snprintf(slice, sizeof(slice), "country=C%02u", load_slice(interval));
	bool ours = strcmp(heard->metric, ALERT_METRIC) == 0 && strcmp(heard->slice, slice) == 0 &&
		    number >= 0 && number < alert->options.incidents &&
		    heard->end_ms % alert->options.interval_ms == 0;
	return ours ? number : -1;
}

/* Pair messages with incidents. Returns how many were heard of; 0 where one was told of twice. */
static uint32_t match(struct alert *alert)
{
	uint32_t count = hear_count(&alert->hear), found = 0;
	memset(alert->waits_ms, 0, alert->options.incidents * sizeof(*alert->waits_ms));
	for (uint32_t i = 0; i < count; i++) {
		const struct heard *heard = &alert->hear.heard[i];
		int64_t number = incident_of(alert, heard);
		if (number < 0)
			continue;
		if (alert->waits_ms[number] != 0)
			return 0;
		alert->waits_ms[number] = (double)(heard->at_ns - heard->end_ms * 1000000) * 1e-6;
		found++;
	}
	return found;
}

/* The last message may still be on its way when the last event is durable. */
static uint32_t await_all(struct alert *alert)
{
	int64_t end_ns = realtime_ns() + (LAST_MS + alert->options.lateness_ms) * INT64_C(1000000);
	uint32_t found;
	while ((found = match(alert)) < alert->options.incidents && realtime_ns() < end_ns &&
	       !producers_interrupted()) {
		struct timespec pause = {0, 50000000};
		nanosleep(&pause, NULL);
	}
	return found;
}

static void add_figures(struct alert *alert, const int64_t pings_ns[PINGS])
{
	uint32_t count = alert->options.incidents;
	double pings_ms[PINGS], lateness = alert->options.lateness_ms, *waits = alert->waits_ms;
	struct figure *figures = alert->figures;
	for (uint32_t i = 0; i < PINGS; i++)
		pings_ms[i] = (double)pings_ns[i] * 1e-6;
	double redis_50 = part_of(pings_ms, PINGS, 0.5), redis_99 = part_of(pings_ms, PINGS, 0.99);
	double p50 = part_of(waits, count, 0.5), p99 = part_of(waits, count, 0.99);
	figure_add(&figures[P50], p50, lateness + redis_50);
	figure_add(&figures[P99], p99, lateness + redis_99);
	figure_add(&figures[MOST], waits[count - 1], 0);
	figure_add(&figures[OWN_P50], p50 - lateness, 0);
	figure_add(&figures[OWN_P99], p99 - lateness, 0);
	figure_add(&figures[REDIS_P50], redis_50, 0);
}

static int measure(struct alert *alert)
{
	const struct settings *options = &alert->options;
	int64_t pings_ns[PINGS];
	/* Each incident has one message; what is more would be false alarms. */
	int r = hear_start(&alert->hear, alert->directory, 4 * options->incidents + 1000,
			   alert->why, sizeof(alert->why));
	if (r == 0)
		r = start_server(alert);
	if (r == 0)
		r = hear_ping(&alert->hear, PINGS, pings_ns, alert->why, sizeof(alert->why));
	if (r < 0)
		return r;
	struct load_options with = {.socket = alert->server.socket,
				    .series = options->series,
				    .rate = options->rate,
				    .interval_ms = options->interval_ms,
				    .incidents = options->incidents};
	r = load_start(&alert->load, &with);
	load_join(&alert->load);
	if (r < 0 || alert->load.why[0]) {
		snprintf(alert->why, sizeof(alert->why), "%s", alert->load.why);
		return -EIO;
	}
	uint32_t found = await_all(alert);
	if (producers_interrupted()) {
		snprintf(alert->why, sizeof(alert->why), "interrupted");
		return -EINTR;
	}
	r = server_stop(&alert->server, 60000, alert->why, sizeof(alert->why));
	if (r < 0)
		return r;
	/* Once more: nothing came twice until the engine's end. */
	found = found ? match(alert) : 0;
	if (found < options->incidents || alert->load.dropped || !alert->load.durable) {
		fprintf(stderr,
			"weir-bench: NOT LOSSLESS: %u of %u incidents were heard of once, %llu of "
			"%llu events were dropped\n",
			found, options->incidents, (unsigned long long)alert->load.dropped,
			(unsigned long long)alert->load.events);
		alert->lossless = false;
	}
	add_figures(alert, pings_ns);
	return 0;
}

static int run_once(struct alert *alert)
{
	char ignored[200];
	int r = scratch_make(alert->options.directory, alert->directory, sizeof(alert->directory),
			     alert->why, sizeof(alert->why));
	if (r < 0)
		return r;
	r = measure(alert);
	load_join(&alert->load);
	server_stop(&alert->server, 10000, ignored, sizeof(ignored));
	hear_stop(&alert->hear);
	scratch_remove(alert->directory);
	return r;
}

static void print_figures(struct alert *alert, struct report *report)
{
	const struct settings *options = &alert->options;
	report_note(report,
		    "%u incidents a run, one in each interval of %u ms, beside %u events/s of %u "
		    "series; lateness %u ms, durability %s",
		    options->incidents, options->interval_ms, options->rate, options->series,
		    options->lateness_ms, options->durability);
	for (uint32_t i = 0; i < FIGURES; i++) {
		alert->figures[i].lossless = alert->lossless;
		alert->figures[i].cost = true;
		report_figure(report, &alert->figures[i]);
	}
}

static int run(void *self, int count, char **operands)
{
	static struct alert alert = {
		.figures = {[P50] = {.name = "alert.p50", .unit = "ms"},
			    [P99] = {.name = "alert.p99", .unit = "ms"},
			    [MOST] = {.name = "alert.max", .unit = "ms"},
			    [OWN_P50] = {.name = "alert.after_lateness_p50", .unit = "ms"},
			    [OWN_P99] = {.name = "alert.after_lateness_p99", .unit = "ms"},
			    [REDIS_P50] = {.name = "alert.redis_p50", .unit = "ms"}},
		.lossless = true,
	};
	struct settings *settings = self;
	struct report report;
	(void)count;
	(void)operands;
	if (settings->quick) {
		settings->incidents = 2;
		settings->runs = 1;
		settings->rate = 1000;
		settings->series = 1000;
		settings->lateness_ms = 200;
	}
	alert.options = *settings;
	producers_heed_signals();
	int r = program_find_weird(settings->weird, alert.weird, sizeof(alert.weird), alert.why,
				   sizeof(alert.why));
	alert.waits_ms = calloc(settings->incidents, sizeof(*alert.waits_ms));
	if (!alert.waits_ms)
		return STATUS_UNABLE;
	if (r == 0)
		report_begin(&report, settings->json, settings->directory);
	for (uint32_t i = 0; r == 0 && i < settings->runs; i++)
		r = run_once(&alert);
	free(alert.waits_ms);
	if (r < 0) {
		fprintf(stderr, "weir-bench: %s\n", alert.why);
		return STATUS_UNABLE;
	}
	print_figures(&alert, &report);
	return report_end(&report);
}

static const struct settings defaults = {.directory = ".",
					 .durability = "interval",
					 .incidents = 100,
					 .runs = 3,
					 .series = 10000,
					 .rate = 100000,
					 .interval_ms = 1000,
					 .lateness_ms = 1000,
					 .shards = 1};

static const struct option_example examples[] = {
	{"weir-bench alert --dir /var/tmp", "As it ships: intervals of 1 s, lateness of 1 s"},
	{"weir-bench alert --lateness-ms 0", "What is left when nothing may come late"},
};

const struct command bench_alert = {
	.options = {.program = "weir-bench alert",
		    .operands = "",
		    .summary = "from the end of an incident's interval to the message in Redis",
		    .description =
			    "How long after the interval in which an incident is complete a "
			    "subscriber of Redis has the message. It runs weird and a redis-server "
			    "of its own. The limit is the configured lateness, for which an "
			    "interval waits, and the time that Redis takes for any message.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
