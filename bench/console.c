/*
 * console: how soon is the web console usable, how much must be fetched for it, and whom does it
 * slow down?
 *
 * Idea:  a data directory of a busy shop is made up by the engine's own code, and a real
 *        weir-console reads it, with an engine beside it. What a browser does is measured in
 *        Chromium, from the navigation to what is painted; what needs no browser, by requests. Then
 *        many subscribers listen while one more anomaly is stored, and at last an engine takes in
 *        events as fast as it can, while a console that a crowd of slow clients holds on to is
 *        stopped and goes on in turns.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "console_crowd.h"
#include "console_data.h"
#include "console_http.h"
#include "console_server.h"
#include "producer.h"
#include "question.h"
#include "report.h"
#include "scratch.h"
#include "server.h"
#include "weir/order.h"

#define USABLE_MS 300.0
#define ASSETS_BYTES 80000.0
#define CHART_MS 50.0
#define CHARTS 10u /* of a span: series that have a point in every minute */
#define EVENTS 5u  /* that all subscribers must hear */
#define DAY_MS INT64_C(86400000)
#define INGEST_SERIES 10000u
#define INGEST_RING 65536u
#define SLICE_MS 250
#define SETTLE_MS 100 /* from a start or a stop on */

struct settings {
	const char *directory, *weird, *console;
	uint32_t anomalies, series, days, subscribers, slow, runs, rounds;
	bool json, quick, keep;
};

struct console_bench {
	struct settings options;
	struct report report;
	char weird[2200], console[2200];
	char directory[3000], data[3100];
	char why[2000];
	int64_t end_ms;
	struct server engine;
	struct console_server server;
};

static const struct option_row rows[] = {
	{.name = "dir",
	 .argument = "DIR",
	 .help = "for the data of the run; default the current directory",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, directory)},
	{.name = "anomalies",
	 .argument = "N",
	 .help = "in the data directory; default 10000",
	 .kind = OPTION_U32,
	 .min = 100,
	 .max = 100000,
	 .at = offsetof(struct settings, anomalies)},
	{.name = "series",
	 .argument = "N",
	 .help = "with a history; default 1000",
	 .kind = OPTION_U32,
	 .min = 10,
	 .max = 100000,
	 .at = offsetof(struct settings, series)},
	{.name = "days",
	 .argument = "N",
	 .help = "of history; default 400",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 2000,
	 .at = offsetof(struct settings, days)},
	{.name = "subscribers",
	 .argument = "N",
	 .help = "to events at once; default 500",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = CROWD_MAX,
	 .at = offsetof(struct settings, subscribers)},
	{.name = "slow",
	 .argument = "N",
	 .help = "slow clients beside ingest; default 1000",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = CROWD_MAX,
	 .at = offsetof(struct settings, slow)},
	{.name = "runs",
	 .argument = "N",
	 .help = "the median of N runs is reported; default 7",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = FIGURE_RUNS_MAX,
	 .at = offsetof(struct settings, runs)},
	{.name = "rounds",
	 .argument = "N",
	 .help = "of ingest, of which each takes 1.4 s; default 40",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = FIGURE_RUNS_MAX,
	 .at = offsetof(struct settings, rounds)},
	ROW_PROGRAM(struct settings, weird),
	{.name = "console",
	 .argument = "PATH",
	 .help = "weir-console; default as above",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, console)},
	{.name = "quick",
	 .help = "small numbers, one run: to see that it works",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
	{.name = "keep",
	 .help = "leave the data directory, and say where it is",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, keep)},
};

/* An engine and a console on bench->directory/NAME. io: of the engine's log. */
static int start_both(struct console_bench *bench, const char *name, const char *io)
{
	char directory[3200];
	struct server_options options = {.program = bench->weird,
					 .directory = directory,
					 .lanes = 1,
					 .shards = 1,
					 .series_max = INGEST_SERIES,
					 .ring_events = INGEST_RING,
					 .producers = 1,
					 .interval = strcmp(io, "none") == 0 ? "1s" : "60s",
					 .durability = "interval",
					 .io = io};

	snprintf(directory, sizeof(directory), "%s/%s", bench->directory, name);
	mkdir(directory, 0700);
	int error = server_start(&bench->engine, &options, bench->why, sizeof(bench->why));
	if (error)
		return error;
	return console_server_start(&bench->server, bench->console, bench->directory,
				    bench->engine.data, bench->engine.control, bench->why,
				    sizeof(bench->why));
}

static int stop_both(struct console_bench *bench)
{
	int console = console_server_stop(&bench->server, bench->why, sizeof(bench->why));
	int engine = server_stop(&bench->engine, 60000, bench->why, sizeof(bench->why));

	return console ? console : engine;
}

static int measure_page(struct console_bench *bench)
{
	struct console_page pages[FIGURE_RUNS_MAX];
	struct figure usable = {.name = "console.page_usable", .unit = "ms"};
	struct figure opened = {.name = "console.page_new_window", .unit = "ms"};
	struct figure answers = {.name = "console.slider_answers", .unit = "ms"};
	struct figure requests = {.name = "console.page_requests", .unit = "ms"};
	struct figure bytes = {.name = "console.page_bytes", .unit = "bytes"};
	struct figure *const all[] = {&usable, &opened, &answers, &requests, &bytes};
	struct http_weight weight;
	char absent[600];
	int error = console_page_measure(bench->server.port, bench->directory, bench->options.runs,
					 pages, absent, sizeof(absent));

	for (uint32_t i = 0; i < bench->options.runs && !error; i++) {
		figure_add(&usable, pages[i].usable_ms, USABLE_MS);
		figure_add(&opened, pages[i].opened_ms, 0);
		figure_add(&answers, pages[i].answers_ms, 0);
	}
	if (error == -ENOENT)
		usable.absent = opened.absent = answers.absent = absent;
	else if (error)
		snprintf(bench->why, sizeof(bench->why), "%s", absent);
	if (error && error != -ENOENT)
		return error;
	for (uint32_t i = 0; i < bench->options.runs; i++) {
		error = http_weigh(bench->server.port, "/", &weight, bench->why,
				   sizeof(bench->why));
		if (error)
			return error;
		figure_add(&requests, weight.seconds * 1e3, 0);
		figure_add(&bytes, (double)weight.bytes, ASSETS_BYTES);
	}
	report_note(&bench->report,
		    "the page is %u files; page_requests asks for one after the other",
		    weight.files);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		all[i]->cost = all[i]->keeps_nothing = true;
		report_figure(&bench->report, all[i]);
	}
	return 0;
}

/* Is it a chart, with a value at nearly every time? */
static bool chart_is_whole(const char *body)
{
	json_t *chart = json_loads(body, 0, NULL), *value;
	json_t *values = json_object_get(chart, "value");
	size_t i, known = 0, count = json_array_size(json_object_get(chart, "time_ms"));

	json_array_foreach(values, i, value)
		known += json_is_number(value);
	bool whole = count > 0 && count == json_array_size(values) && known * 10 >= count * 9;
	json_decref(chart);
	return whole;
}

static int measure_chart(struct console_bench *bench, const char *name, uint32_t days)
{
	struct figure figure = {.name = name, .unit = "ms", .cost = true, .lossless = true};
	uint32_t metrics = console_data_metrics_count();
	struct http_answer answer;
	char path[500], slice[32];

	for (uint32_t i = 0; i < CHARTS; i++) {
		console_data_slice(slice, i / metrics % CONSOLE_DATA_DENSE);
		char *equals = strchr(slice, '=');
		if (equals)
			memmove(equals + 2, equals, strlen(equals) + 1), memcpy(equals, "%3D", 3);
		snprintf(path, sizeof(path),
			 "/api/v1/chart?metric=%s&slice=%s&from_ms=%" PRId64 "&to_ms=%" PRId64
			 "&points=800&expected=1&compare=week,year",
			 console_data_metrics[i % metrics], slice, bench->end_ms - days * DAY_MS,
			 bench->end_ms);
		int error = http_get(bench->server.port, path, true, &answer, bench->why,
				     sizeof(bench->why));
		http_answer_fini(&answer);
		if (error)
			return error;
		figure_add(&figure, answer.seconds * 1e3, CHART_MS);
		error = http_get(bench->server.port, path, false, &answer, bench->why,
				 sizeof(bench->why));
		if (error)
			return error;
		figure.lossless &= answer.status == 200 && chart_is_whole(answer.body);
		if (!figure.lossless)
			fprintf(stderr, "weir-bench: %s: status %d: %.300s\n", path, answer.status,
				answer.body);
		http_answer_fini(&answer);
	}
	report_figure(&bench->report, &figure);
	return 0;
}

static int measure_charts(struct console_bench *bench)
{
	static const struct {
		const char *name;
		uint32_t days;
	} spans[] = {{"console.chart_7d", 7},
		     {"console.chart_30d", 30},
		     {"console.chart_400d", 400}};
	int error = 0;

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]) && !error; i++)
		if (spans[i].days <= bench->options.days)
			error = measure_chart(bench, spans[i].name, spans[i].days);
	return error;
}

static int measure_events(struct console_bench *bench)
{
	struct console_data_options data = {.directory = bench->data,
					    .anomalies = bench->options.anomalies};
	uint32_t count = bench->options.subscribers;
	struct figure heard = {.name = "console.subscribers", .unit = "subscribers"};
	struct figure half = {.name = "console.event_p50", .unit = "ms"};
	struct figure most = {.name = "console.event_max", .unit = "ms"};
	struct figure *const all[] = {&heard, &half, &most};
	static double delays_ms[CROWD_MAX];
	bool lossless = true;
	int error = crowd_allow(count, bench->why, sizeof(bench->why));
	struct crowd *crowd = error ? NULL
				    : crowd_subscribe(bench->server.port, count, bench->why,
						      sizeof(bench->why));

	if (!crowd)
		return error ? error : -EIO;
	for (uint32_t i = 0; i < EVENTS && !error; i++) {
		uint64_t id[2], since_ns;
		char word[48];
		error = console_data_fire(&data, i, bench->end_ms, id, bench->why,
					  sizeof(bench->why));
		since_ns = monotonic_ns();
		snprintf(word, sizeof(word), "%016" PRIx64 "%016" PRIx64, id[0], id[1]);
		uint32_t listened = error ? 0 : crowd_hear(crowd, word, since_ns, delays_ms);
		lossless &= listened == count;
		figure_add(&heard, listened, count);
		if (listened) {
			figure_add(&half, delays_ms[listened / 2], 0);
			figure_add(&most, delays_ms[listened - 1], 0);
		}
	}
	crowd_end(crowd);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && !error; i++) {
		all[i]->cost = i > 0;
		all[i]->lossless = lossless;
		report_figure(&bench->report, all[i]);
	}
	return error;
}

/* Events/s of what is emitted within a slice, with the console and its crowd stopped or not. */
static double slice_rate(const struct console_bench *bench, pid_t crowd, bool beside,
			 struct producer_report *report)
{
	const struct timespec settle = {.tv_nsec = SETTLE_MS * 1000000L},
			      slice = {.tv_nsec = SLICE_MS * 1000000L};

	kill(crowd, beside ? SIGCONT : SIGSTOP);
	kill(bench->server.pid, beside ? SIGCONT : SIGSTOP);
	nanosleep(&settle, NULL);
	/* Relaxed: a number, and the time beside it. */
	uint64_t from = weir_load_relaxed_64(&report->events), from_ns = monotonic_ns();
	nanosleep(&slice, NULL);
	uint64_t until = weir_load_relaxed_64(&report->events), until_ns = monotonic_ns();
	return (double)(until - from) * 1e9 / (double)(until_ns - from_ns);
}

/* A machine whose processors are another machine's threads is twice as fast in one second as in the
 * next. So it is one engine and one producer, all the while, and slices that are shorter than such
 * moods: alone, beside, beside, alone, so that what grows slower is as slow for both. */
static void slices(const struct console_bench *bench, pid_t crowd, struct producer_report *report,
		   struct figure *figure)
{
	static const bool order[] = {false, true, true, false};

	for (uint32_t i = 0; i < bench->options.rounds && !producers_interrupted(); i++) {
		double rates[2] = {0};
		for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++)
			rates[order[k]] += slice_rate(bench, crowd, order[k], report) / 2;
		figure_add(figure, rates[1], rates[0]);
	}
	kill(crowd, SIGCONT);
	kill(bench->server.pid, SIGCONT);
}

static int ingest(struct console_bench *bench, pid_t crowd, struct figure *figure)
{
	const struct producer_options options = {
		.socket = bench->engine.socket,
		.series = INGEST_SERIES,
		.ring_events = INGEST_RING,
		.unkept = true,
		/* and a second: they must not end before the last slice */
		.run_ns = (bench->options.rounds * 4 * (SETTLE_MS + SLICE_MS) + 1000) *
			  UINT64_C(1000000),
		.events_max = UINT64_MAX,
		.attach_ms = 60000,
		.durable_ms = 60000};
	struct producers *producers = producers_start(&options, 1, bench->why, sizeof(bench->why));

	if (!producers)
		return -EIO;
	producers_go(producers);
	slices(bench, crowd, &producers->reports[0], figure);
	int error = producers_run(producers, &options, bench->why, sizeof(bench->why));
	figure->lossless &= producers->reports[0].ledger.dropped == 0;
	producers_stop(producers);
	return error;
}

static int measure_slow(struct console_bench *bench)
{
	struct figure figure = {
		.name = "console.ingest_slow", .unit = "events/s", .lossless = true};
	char ignored[200];
	int error = crowd_allow(bench->options.slow, bench->why, sizeof(bench->why));

	if (!error)
		error = start_both(bench, "slow", "none");
	pid_t crowd = error ? 0 : slow_start(bench->server.port, bench->options.slow);
	if (!error && !crowd)
		error = -EAGAIN;
	if (!error) {
		sleep(2); /* each of them has begun */
		error = ingest(bench, crowd, &figure);
	}
	slow_stop(crowd);
	if (error) {
		console_server_stop(&bench->server, ignored, sizeof(ignored));
		server_stop(&bench->engine, 10000, ignored, sizeof(ignored));
		return error;
	}
	error = stop_both(bench);
	if (!error)
		report_figure(&bench->report, &figure);
	return error;
}

static int measure(struct console_bench *bench)
{
	struct console_data_options data = {.directory = bench->data,
					    .days = bench->options.days,
					    .series = bench->options.series,
					    .anomalies = bench->options.anomalies};
	char ignored[200];

	snprintf(bench->data, sizeof(bench->data), "%s/shop", bench->directory);
	if (mkdir(bench->data, 0700) < 0)
		return -errno;
	snprintf(bench->data, sizeof(bench->data), "%s/shop/data", bench->directory);
	report_note(&bench->report,
		    "%u anomalies, %u series, %u days of history; of each metric %u series have a "
		    "point in every minute, the others one in six hours",
		    data.anomalies, data.series, data.days, CONSOLE_DATA_DENSE);
	int error = console_data_make(&data, &bench->end_ms, bench->why, sizeof(bench->why));
	if (!error)
		error = start_both(bench, "shop", "pwrite");
	if (!error)
		error = measure_page(bench);
	if (!error)
		error = measure_charts(bench);
	if (!error)
		error = measure_events(bench);
	if (error) {
		console_server_stop(&bench->server, ignored, sizeof(ignored));
		server_stop(&bench->engine, 10000, ignored, sizeof(ignored));
		return error;
	}
	error = stop_both(bench);
	return error ? error : measure_slow(bench);
}

static int find_programs(struct console_bench *bench)
{
	const struct settings *options = &bench->options;

	int error = program_find_weird(options->weird, bench->weird, sizeof(bench->weird),
				       bench->why, sizeof(bench->why));
	if (error)
		return error;
	if (program_find(options->console, "weir-console", bench->console,
			 sizeof(bench->console)) < 0) {
		snprintf(bench->why, sizeof(bench->why),
			 "%s: no such program; nodejs and npm are needed to build it: "
			 "apt-get install nodejs npm, or name it with --console",
			 options->console ? options->console : "weir-console");
		return -ENOENT;
	}
	return 0;
}

static int run(void *self, int count, char **operands)
{
	static struct console_bench bench;
	struct settings *settings = self;

	(void)count;
	(void)operands;
	if (settings->quick) {
		settings->anomalies = 1000;
		settings->series = 50;
		settings->days = 8;
		settings->subscribers = settings->slow = 20;
		settings->runs = settings->rounds = 1;
	}
	bench.options = *settings;
	producers_heed_signals();
	int error = find_programs(&bench);
	if (!error)
		error = scratch_make(settings->directory, bench.directory, sizeof(bench.directory),
				     bench.why, sizeof(bench.why));
	if (!error) {
		report_begin(&bench.report, settings->json, settings->directory);
		error = measure(&bench);
		if (settings->keep)
			fprintf(stderr, "weir-bench: left in %s\n", bench.directory);
		else
			scratch_remove(bench.directory);
	}
	if (error) {
		fprintf(stderr, "weir-bench: %s\n", bench.why);
		return STATUS_UNABLE;
	}
	return report_end(&bench.report);
}

static const struct settings defaults = {.directory = ".",
					 .anomalies = 10000,
					 .series = 1000,
					 .days = 400,
					 .subscribers = 500,
					 .slow = 1000,
					 .runs = 7,
					 .rounds = 40};

static const struct option_example examples[] = {
	{"weir-bench console --dir /var/tmp", "10,000 anomalies, 1,000 series, 400 days"},
};

const struct command bench_console = {
	.options = {.program = "weir-bench console",
		    .operands = "",
		    .summary = "how soon the web console is usable, and whom it slows down",
		    .description =
			    "How soon the first page of weir-console is usable in Chromium (where "
			    "that is installed), how much must be fetched for it, how long charts "
			    "take, how many subscribers it keeps up to date and how soon, and what a "
			    "crowd of slow clients takes from the engine.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
