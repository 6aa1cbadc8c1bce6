/*
 * backtest: how long does one wait to see what a draft of a detector would have found?
 *
 * Idea:  the engine's history is given thirty days of minutes, a total and twenty slices, as the
 *        shards would give them; then the default detector lives through it (engine/backtest.h), as
 *        `weirctl backtest` and previews let it. Beside it, as the limit, the bare detector: the
 *        same bank over the same numbers, which lie in memory as observations already. What lies
 *        between is reading, decoding, rolling up.
 *        What both find must be the same, and every value must have been read, or no figure is to
 *        be believed. The control log, which says what is in force, is given and not read.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backtest.h"
#include "config.h"
#include "interval/history.h"
#include "lived.h"
#include "question.h"
#include "report.h"
#include "scorer.h"
#include "scratch.h"

#define DAY_MS INT64_C(86400000)
#define START_MS INT64_C(1735689600000) /* 2025-01-01 */
#define SOURCE "live"
#define PENDING_BYTES (UINT64_C(64) << 20)
#define DRAFT "{name: orders, metric: orders}"
#define PREVIEW_MS 300.0 /* what a preview may take */

struct settings {
	const char *directory;
	uint32_t days, slices, interval_s, runs;
	bool json, quick;
};

static const struct option_row rows[] = {
	{.name = "dir",
	 .argument = "DIR",
	 .help = "where the history is made, and removed; default the current directory",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, directory)},
	{.name = "days",
	 .argument = "N",
	 .help = "of history; default 30",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 400,
	 .at = offsetof(struct settings, days)},
	{.name = "slices",
	 .argument = "N",
	 .help = "beside the total; default 20",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 4000,
	 .at = offsetof(struct settings, slices)},
	{.name = "interval",
	 .argument = "SECONDS",
	 .help = "of an interval; default 60",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 3600,
	 .at = offsetof(struct settings, interval_s)},
	{.name = "runs",
	 .argument = "N",
	 .help = "of which the median is reported; default 5",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = FIGURE_RUNS_MAX,
	 .at = offsetof(struct settings, runs)},
	{.name = "quick",
	 .help = "2 days, 3 slices, one run: to see that it works",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
};

struct bench {
	struct settings options;
	char directory[4096], history[4200];
	char config_text[512];
	struct config *config;
	uint32_t series;      /* slices and the total */
	int64_t first, count; /* intervals */
	double *values;       /* [count][series] */
	struct slice *slices;
	char (*labels)[32], (*names)[16];
	struct lived lived;
	struct lived_event event;
	uint64_t found; /* hash of the revisions of a run */
	uint64_t revisions;
};

static double ms_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* What one waits; and this thread's time on a processor. */
struct took {
	double wall_ms, cpu_ms;
};

static struct took now(void)
{
	return (struct took){ms_of(CLOCK_MONOTONIC), ms_of(CLOCK_THREAD_CPUTIME_ID)};
}

static struct took since(struct took begin)
{
	struct took end = now();

	return (struct took){end.wall_ms - begin.wall_ms, end.cpu_ms - begin.cpu_ms};
}

/* splitmix64 of a place: a number from 0 to 1. */
static double chance(uint64_t place)
{
	uint64_t z = place * UINT64_C(0x9e3779b97f4a7c15) + 1;

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Counts that follow the day and scatter about like counts; every hundredth hour something is
 * broken. Never zero, so that every value is a row. */
static void make_values(struct bench *bench)
{
	for (int64_t i = 0; i < bench->count; i++) {
		double *row = &bench->values[(uint64_t)i * bench->series];
		int64_t time_ms = (bench->first + i) * bench->options.interval_s * 1000;
		double day = 1.2 + sin((double)(time_ms % DAY_MS) / (double)DAY_MS * 6.283185307);
		bool broken = time_ms / 3600000 % 100 == 99;
		row[0] = 0;
		for (uint32_t s = 1; s < bench->series; s++) {
			uint64_t place = ((uint64_t)i * bench->series + s) * 4;
			double mean = 20 * day * (broken && s == 1 ? 0.3 : 1);
			double noise = chance(place) + chance(place + 1) + chance(place + 2) +
				       chance(place + 3) - 2;
			row[s] = 1 + floor(fmax(0, mean + noise * sqrt(3 * mean)));
			row[0] += row[s];
		}
	}
}

static int make_arrays(struct bench *bench)
{
	bench->values = calloc((size_t)bench->count * bench->series, sizeof(double));
	bench->slices = calloc(bench->series, sizeof(bench->slices[0]));
	bench->labels = calloc(bench->series, sizeof(bench->labels[0]));
	bench->names = calloc(bench->series, sizeof(bench->names[0]));
	if (!bench->values || !bench->slices || !bench->labels || !bench->names)
		return -ENOMEM;
	make_values(bench);
	return 0;
}

/* A slice's label, and what it says of itself. */
static void make_slices(struct bench *bench, const char **name, const char **values)
{
	*name = "country";
	bench->slices[0] = (struct slice){.label = "", .born = bench->first};
	for (uint32_t s = 1; s < bench->series; s++) {
		snprintf(bench->names[s], sizeof(bench->names[s]), "%u", s);
		snprintf(bench->labels[s], sizeof(bench->labels[s]), "country=%u", s);
		values[s] = bench->names[s];
		bench->slices[s] = (struct slice){
			.label = bench->labels[s],
			.rollup = 1,
			.dimensions = 1,
			.names = name,
			.values = &values[s],
			.born = bench->first,
		};
	}
}

static void fill(const struct bench *bench, const struct history_metric *metric, int64_t i,
		 struct history_rows *to)
{
	bytes_clear(&to->rows);
	bytes_clear(&to->names);
	bytes_clear(&to->intervals);
	history_rows_interval(to, bench->first + i, false);
	for (uint32_t s = 0; s < bench->series; s++) {
		struct history_row row = {.slice = s, .interval = bench->first + i};
		row.words[0] = (uint64_t)bench->values[(uint64_t)i * bench->series + s];
		history_rows_add(to, &row, NULL);
		if (i == 0)
			history_rows_name(to, 0, metric, s, bench->slices[s].label);
	}
}

static int write_history(const struct bench *bench)
{
	struct history_metric metric = {
		.name = "orders",
		.spec = scorer_spec(bench->config, 0),
		.kind = HISTORY_COUNT,
		.aggregation = AGGREGATE_COUNT,
	};
	struct history_options made = {
		.path = bench->history,
		.store = "bench",
		.interval_ms = (int64_t)bench->options.interval_s * 1000,
		.keep = {{500 * 86400, 500 * 86400, 730 * 86400, 1826 * 86400}},
		.pending_bytes_max = 4 * PENDING_BYTES,
	};
	struct history_rows to = {0};
	struct history *history;
	char why[256];
	int error = history_open(&made, &history, NULL, why, sizeof(why));

	if (error < 0) {
		fprintf(stderr, "weir-bench: %s\n", why);
		return error;
	}
	for (int64_t i = 0; i < bench->count && !error; i++) {
		fill(bench, &metric, i, &to);
		struct history_close close = {
			.sequence = (uint64_t)i + 1,
			.source = SOURCE,
			.through = bench->first + i,
			.rows = &to,
			.shards = 1,
		};
		if (!history_add(history, &close))
			error = -ENOBUFS;
		if (!error &&
		    (history_pending_bytes(history) > PENDING_BYTES || i + 1 == bench->count))
			error = history_commit(history);
	}
	history_rows_fini(&to);
	history_close(history);
	return error;
}

static void note(void *self, const struct anomaly *anomaly)
{
	struct bench *bench = self;
	uint64_t state = (uint64_t)anomaly->state + 4 * anomaly->revision;

	bench->revisions++;
	bench->found = (bench->found ^ anomaly->id[0] ^ state) * UINT64_C(0x100000001b3);
}

static void take_bank(void *self, const struct scorer_detail *detail)
{
	struct bank **bank = self;

	*bank = (struct bank *)(uintptr_t)detail->bank;
}

/* The detector of a configured scorer, over observations that are there. */
static int run_bare(struct bench *bench, struct took *ret_took)
{
	struct scorer *scorer = scorer_create(0, 1, bench->lived.interval_ms, NULL);
	struct bank *bank = NULL;
	double *squares = calloc(bench->series, sizeof(double));
	struct observations observations = {
		.metric = "orders",
		.source = SOURCE,
		.interval_ms = bench->lived.interval_ms,
		.count = bench->series,
		.sum_squares = squares,
		.slices = bench->slices,
	};
	struct took begin = now();
	int error = scorer && squares ? scorer_configure(scorer, bench->config) : -ENOMEM;

	if (!error)
		error = scorer_source(scorer, 0, SOURCE);
	if (!error) {
		scorer_details(scorer, take_bank, &bank);
		begin = now();
	}
	for (int64_t i = 0; !error && i < bench->count; i++) {
		observations.interval = bench->first + i;
		observations.value = &bench->values[(uint64_t)i * bench->series];
		observations.events = observations.value;
		error = bank_step(bank, &observations, note, bench);
	}
	*ret_took = since(begin);
	scorer_destroy(scorer);
	free(squares);
	return error;
}

static int run_once(struct bench *bench, struct took *ret_took, uint64_t *ret_rows)
{
	struct backtest_options options = {
		.lived = &bench->lived,
		.history_path = bench->history,
		.draft = DRAFT,
		.draft_bytes = strlen(DRAFT),
		.draft_name = "draft",
		.each = note,
		.self = bench,
	};
	struct backtest backtest;
	char why[512];
	struct took begin = now();
	int error = backtest_run(&options, &backtest, why, sizeof(why));
	*ret_took = since(begin);

	*ret_rows = error ? 0 : backtest.sources[0].rows;
	if (error < 0)
		fprintf(stderr, "weir-bench: %s\n", why);
	backtest_fini(&backtest);
	return error;
}

static int measure(struct bench *bench, struct report *report)
{
	struct figure preview = {.name = "backtest.preview", .unit = "ms", .cost = true};
	struct figure rate = {.name = "backtest.rate", .unit = "series-intervals/min"};
	double values = (double)bench->count * bench->series;
	bool same = true;

	for (uint32_t r = 0; r < bench->options.runs; r++) {
		uint64_t bare_found, bare_revisions, read = 0;
		struct took bare, took = {0};
		bench->found = bench->revisions = 0;
		int error = run_bare(bench, &bare);
		bare_found = bench->found;
		bare_revisions = bench->revisions;
		bench->found = bench->revisions = 0;
		error = error ? error : run_once(bench, &took, &read);
		if (error < 0)
			return STATUS_UNABLE;
		same &= bare_found == bench->found && bare_revisions == bench->revisions &&
			(double)read == values && bare_revisions > 0;
		figure_add(&preview, took.wall_ms, bare.wall_ms);
		figure_add(&rate, values / took.cpu_ms * 60e3, values / bare.cpu_ms * 60e3);
	}
	preview.lossless = rate.lossless = same;
	report_note(report,
		    "%u days, %u series, intervals of %u s: %.0f values, %" PRIu64
		    " revisions found; a preview of 30 days of 21 series may take %g ms; the limit "
		    "is the bare detector, over the same numbers in memory",
		    bench->options.days, bench->series, bench->options.interval_s, values,
		    bench->revisions, PREVIEW_MS);
	report_figure(report, &preview);
	report_figure(report, &rate);
	return same ? STATUS_GOOD : STATUS_LOSSY;
}

/* What an engine's log would say: one source, this configuration, closed to the end. */
static int make_lived(struct bench *bench)
{
	char why[512];
	int bytes = snprintf(bench->config_text, sizeof(bench->config_text),
			     "interval: %us\nlimits: {slices_max: 8192}\n"
			     "metrics:\n  - {name: orders, event: purchase, by: [country]}\n"
			     "detectors:\n  - " DRAFT "\n",
			     bench->options.interval_s);
	int error = config_parse(bench->config_text, (size_t)bytes, "bench", &bench->config, why,
				 sizeof(why));

	if (error < 0) {
		fprintf(stderr, "weir-bench: %s\n", why);
		return error;
	}
	bench->event = (struct lived_event){.kind = WEIR_CONTROL_CONFIG,
					    .text = bench->config->record,
					    .bytes = strlen(bench->config->record)};
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++)
		bench->event.behind[s] = bench->lived.closed[s] = INT64_MIN;
	bench->lived.first = &bench->event;
	bench->lived.sources = 1;
	snprintf(bench->lived.names[0], sizeof(bench->lived.names[0]), SOURCE);
	bench->lived.closed[0] = bench->first + bench->count - 1;
	bench->lived.interval_ms = bench->config->interval_ms;
	return 0;
}

static int run_in(struct bench *bench, struct report *report)
{
	const char *name, **values = calloc(bench->series, sizeof(char *));
	int status = STATUS_UNABLE;

	if (values && make_arrays(bench) == 0 && make_lived(bench) == 0) {
		make_slices(bench, &name, values);
		int error = write_history(bench);
		if (error == 0)
			status = measure(bench, report);
		else
			fprintf(stderr, "weir-bench: writing the history: %s\n", strerror(-error));
	}
	config_free(bench->config);
	free(values);
	free(bench->values);
	free(bench->slices);
	free(bench->labels);
	free(bench->names);
	return status;
}

static int run(void *self, int count, char **operands)
{
	struct bench bench = {.options = *(struct settings *)self};
	struct settings *options = &bench.options;
	struct report report;
	char why[512];

	(void)count;
	(void)operands;
	if (options->quick) {
		options->days = 2;
		options->slices = 3;
		options->runs = 1;
	}
	bench.series = options->slices + 1;
	bench.first = START_MS / 1000 / options->interval_s;
	bench.count = (int64_t)options->days * 86400 / options->interval_s;
	if (scratch_make(options->directory, bench.directory, sizeof(bench.directory), why,
			 sizeof(why)) < 0) {
		fprintf(stderr, "weir-bench: %s\n", why);
		return STATUS_UNABLE;
	}
	snprintf(bench.history, sizeof(bench.history), "%s/history.db", bench.directory);
	report_begin(&report, options->json, options->directory);
	int status = run_in(&bench, &report);
	scratch_remove(bench.directory);
	if (status == STATUS_UNABLE)
		return status;
	int ended = report_end(&report);
	return ended ? ended : status;
}

static const struct settings defaults = {
	.directory = ".", .days = 30, .slices = 20, .interval_s = 60, .runs = 5};

static const struct option_example examples[] = {
	{"weir-bench backtest --dir /var/tmp", "Thirty days of minutes, a total and 20 slices"},
	{"weir-bench backtest --dir /var/tmp --slices 1000 --days 3", "Many slices"},
};

const struct command bench_backtest = {
	.options =
		{
			.program = "weir-bench backtest",
			.operands = "",
			.summary = "how long a preview of a detector takes",
			.description =
				"The default detector lives through a history that is made for it. "
				"backtest.preview is how long one waits for it, backtest.rate how many "
				"values of a series it is in a minute of one core; the limit is the bare "
				"detector over the same numbers in memory. What both find must be the "
				"same.",
			COMMAND_ROWS(rows),
			COMMAND_EXAMPLES(examples),
			QUESTION_EXITS,
		},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
