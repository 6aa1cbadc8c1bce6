/*
 * history: how much room does a year of intervals take, and how long does a chart wait for it?
 *
 * Idea:  the engine's history is given every interval of so many days, for so many series, as the
 *        shards would give them, and forgets on the way as it would live. Each value follows from
 *        its series and its interval, so that what is read back is checked, point by point. The
 *        file is then compared with the arithmetic of engine/interval/README.md, and one series is
 *        read over 7, 30 and 400 days: first with the file put out of the page cache, then again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "figure.h"
#include "interval/history.h"
#include "question.h"
#include "report.h"

#define DAY_MS INT64_C(86400000)
#define START_MS INT64_C(1735689600000) /* 2025-01-01 */
#define READ_MS 20.0                    /* what a chart may wait */
#define PENDING_BYTES (UINT64_C(64) << 20)

struct settings {
	const char *directory;
	uint32_t days, series, interval_s, reads;
	bool json, keep, sums, quick;
};

static const struct option_row option_rows[] = {
	{.name = "dir",
	 .argument = "DIR",
	 .help = "where the file is made, and removed; default the current directory",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, directory)},
	{.name = "days",
	 .argument = "N",
	 .help = "of history that are written; default 365",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 20000,
	 .at = offsetof(struct settings, days)},
	{.name = "series",
	 .argument = "N",
	 .help = "of which each has a value in each interval; default 1000",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 1000000,
	 .at = offsetof(struct settings, series)},
	{.name = "interval",
	 .argument = "SECONDS",
	 .help = "of an interval; default 60",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 86400,
	 .at = offsetof(struct settings, interval_s)},
	{.name = "sums",
	 .help = "of a sum, not of a count: three words a point",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, sums)},
	{.name = "reads",
	 .argument = "N",
	 .help = "of each span; the median is reported; default 15",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = FIGURE_RUNS_MAX,
	 .at = offsetof(struct settings, reads)},
	{.name = "quick",
	 .help = "2 days of 100 series: to see that it works",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
	{.name = "keep",
	 .help = "leave the file",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, keep)},
};

static const struct history_keep keep = {
	{35 * 86400, 14 * 86400, 730 * 86400, UINT64_C(1826) * 86400}};

static uint64_t count_of(uint32_t series, int64_t interval)
{
	return 1 + ((uint64_t)interval * 31 + series * UINT64_C(7)) % 97;
}

/* The first series is the total. */
static void label_slice(char label[32], uint32_t slice)
{
	label[0] = '\0';
	if (slice)
		snprintf(label, 32, "slice=%u", slice);
}

static void fill(struct history_rows *rows, const struct settings *options,
		 const struct history_metric *metric, int64_t interval, bool first)
{
	char label[32];

	bytes_clear(&rows->rows);
	bytes_clear(&rows->names);
	bytes_clear(&rows->intervals);
	history_rows_interval(rows, interval, false);
	for (uint32_t s = 0; s < options->series; s++) {
		struct history_row row = {.slice = s, .interval = interval};
		row.words[0] = count_of(s, interval);
		row.words[1] = weir_value_bits((double)row.words[0] * 2);
		row.words[2] = weir_value_bits((double)row.words[0] * 4);
		history_rows_add(rows, &row, NULL);
		label_slice(label, s);
		if (first)
			history_rows_name(rows, 0, metric, s, label);
	}
}

static int write_all(struct history *history, const struct settings *options,
		     const struct history_metric *metric)
{
	int64_t first = START_MS / 1000 / options->interval_s;
	int64_t count = (int64_t)options->days * 86400 / options->interval_s;
	struct history_rows rows = {0};
	int error = 0;

	for (int64_t i = 0; i < count && !error; i++) {
		fill(&rows, options, metric, first + i, i == 0);
		struct history_close close = {
			.sequence = (uint64_t)i + 1,
			.source = "live",
			.through = first + i,
			.rows = &rows,
			.shards = 1,
		};
		if (!history_add(history, &close))
			error = -ENOBUFS;
		if (!error && (history_pending_bytes(history) > PENDING_BYTES || i + 1 == count))
			error = history_commit(history);
		if (isatty(STDERR_FILENO) && i % 1440 == 0)
			fprintf(stderr, "\r%3.0f %%", 100.0 * (double)i / (double)count);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r     \r");
	history_rows_fini(&rows);
	return error;
}

/* The arithmetic: points of a tier that are kept, in chunks, in pages. */
static double expected_bytes(const struct settings *options, enum history_kind kind)
{
	double bytes = 0;
	int64_t span_s = (int64_t)options->days * 86400;
	static const int64_t steps_s[] = {0, 60, 3600, 86400};

	for (int t = 0; t < HISTORY_TIERS; t++) {
		int64_t step_s = t ? steps_s[t] : options->interval_s;
		int64_t kept_s = (int64_t)keep.keep_s[t] < span_s ? (int64_t)keep.keep_s[t]
								  : span_s;
		if (t && step_s <= options->interval_s)
			continue;
		double chunks = ceil((double)kept_s / (double)step_s / HISTORY_POINTS);
		bytes += chunks * options->series * history_kind_file_bytes(kind);
	}
	return bytes;
}

static void drop_cache(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
}

static bool right(const struct history_answer *answer, const struct settings *options,
		  uint32_t series)
{
	int64_t interval_ms = (int64_t)options->interval_s * 1000;
	int64_t end_ms = START_MS + (int64_t)options->days * DAY_MS;

	for (uint32_t p = 0; p < answer->count; p++) {
		const struct history_point *point = &answer->points[p];
		double sum = 0;
		int64_t known = 0;
		for (int64_t ms = point->time_ms; ms < point->time_ms + answer->step_ms;
		     ms += interval_ms)
			if (ms >= START_MS && ms < end_ms) {
				sum += (double)count_of(series, ms / interval_ms);
				known++;
			}
		if (options->sums)
			sum *= 2;
		if (point->closed != known || (known ? point->value != sum : !isnan(point->value)))
			return false;
	}
	return answer->count > 0;
}

/* Read one series over `days` up to the newest. Seconds, or a negative errno. */
static double read_once(const char *path, const struct settings *options, uint32_t days,
			int64_t step_ms, uint32_t series, bool *ret_right)
{
	struct history_reader *reader;
	struct history_answer answer;
	char why[256], slice[32];
	int64_t end_ms = START_MS + (int64_t)options->days * DAY_MS;
	struct history_query query = {
		.metric = "orders",
		.slice = slice,
		.from_ms = end_ms - days * DAY_MS,
		.to_ms = end_ms,
		.step_ms = step_ms,
	};

	label_slice(slice, series);
	double begin = monotonic_s();
	int error = history_reader_open(path, &reader);
	if (error < 0)
		return error;
	error = history_read(reader, &query, &answer, why, sizeof(why));
	history_reader_close(reader);
	double took = monotonic_s() - begin;
	if (error < 0) {
		fprintf(stderr, "weir-bench: reading %u days: %s\n", days, why);
		return error;
	}
	*ret_right = right(&answer, options, series) && *ret_right;
	history_answer_fini(&answer);
	return took;
}

static void print(struct report *report, struct figure *figure, bool whole)
{
	figure->lossless = whole;
	report_figure(report, figure);
}

/* A chart's thousand points, and a week interval by interval. */
static const struct span {
	const char *cold, *warm;
	uint32_t days;
	bool intervals;
} spans[] = {{"history_7d_cold", "history_7d", 7, false},
	     {"history_30d_cold", "history_30d", 30, false},
	     {"history_400d_cold", "history_400d", 400, false},
	     {"history_7d_whole_cold", "history_7d_whole", 7, true}};

static bool read_all(const char *path, const struct settings *options, struct report *report)
{
	bool whole = true;

	for (size_t i = 0; i < 2 * sizeof(spans) / sizeof(spans[0]); i++) {
		const struct span *span = &spans[i / 2];
		bool warm = i % 2;
		int64_t step_ms = span->intervals ? (int64_t)options->interval_s * 1000 : 0;
		struct figure figure = {
			.name = warm ? span->warm : span->cold, .unit = "ms", .cost = true};
		for (uint32_t r = 0; r < options->reads && r < FIGURE_RUNS_MAX; r++) {
			uint32_t series = r * 37 % options->series;
			if (!warm)
				drop_cache(path);
			double took = read_once(path, options, span->days, step_ms, series, &whole);
			if (took < 0)
				return false;
			figure_add(&figure, took * 1e3, READ_MS);
		}
		print(report, &figure, whole);
	}
	return whole;
}

static int measure(const struct settings *options, const char *path, struct report *report)
{
	struct history_metric metric = {
		.name = "orders",
		.spec = 1,
		.kind = options->sums ? HISTORY_SUM : HISTORY_COUNT,
		.aggregation = options->sums ? AGGREGATE_SUM : AGGREGATE_COUNT,
	};
	struct history_options made = {
		.path = path,
		.store = "bench",
		.interval_ms = (int64_t)options->interval_s * 1000,
		.keep = keep,
		.pending_bytes_max = 4 * PENDING_BYTES,
	};
	struct history *history;
	char why[256];
	struct stat st;

	if (history_open(&made, &history, NULL, why, sizeof(why)) < 0) {
		fprintf(stderr, "weir-bench: %s\n", why);
		return STATUS_UNABLE;
	}
	double begin = monotonic_s();
	int error = write_all(history, options, &metric);
	double took = monotonic_s() - begin;
	struct history_counters counters;
	history_counters(history, &counters);
	history_close(history);
	if (error < 0 || stat(path, &st) < 0) {
		fprintf(stderr, "weir-bench: writing %s: %s\n", path,
			strerror(error < 0 ? -error : errno));
		return STATUS_UNABLE;
	}
	struct figure points = {.name = "history_points", .unit = "points/s"};
	struct figure bytes = {.name = "history_bytes", .unit = "bytes", .cost = true};
	figure_add(&points, (double)counters.rows / took, 0);
	figure_add(&bytes, (double)st.st_size, expected_bytes(options, metric.kind));
	bool whole = counters.lost_closes == 0 && counters.damaged_chunks == 0;
	print(report, &points, whole);
	print(report, &bytes, whole);
	return read_all(path, options, report) ? report_end(report) : STATUS_LOSSY;
}

static int run(void *self, int count, char **operands)
{
	struct settings *settings = self;
	struct report report;
	char path[4096], other[4200];

	(void)count;
	(void)operands;
	if (access(settings->directory, W_OK | X_OK) < 0) {
		fprintf(stderr, "weir-bench: %s: %s; name a directory on a disk with --dir\n",
			settings->directory, strerror(errno));
		return STATUS_UNABLE;
	}
	snprintf(path, sizeof(path), "%s/history-bench-%d.db", settings->directory, (int)getpid());
	if (settings->quick) {
		settings->days = 2;
		settings->series = 100;
	}
	report_begin(&report, settings->json, settings->directory);
	int status = measure(settings, path, &report);
	static const char *const endings[] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < 3 && !settings->keep; i++) {
		snprintf(other, sizeof(other), "%s%s", path, endings[i]);
		unlink(other);
	}
	return status;
}

static const struct settings defaults = {
	.directory = ".", .days = 365, .series = 1000, .interval_s = 60, .reads = 15};

static const struct option_example examples[] = {
	{"weir-bench history", "A year of minutes of a thousand series"},
};

const struct command bench_history = {
	.options = {.program = "weir-bench history",
		    .operands = "",
		    .summary = "bytes of a year of intervals, and how long a chart waits for them",
		    .description =
			    "How much room a year of intervals takes, against the arithmetic, and "
			    "how long the data of one series' chart take to read, over 7, 30 and "
			    "400 days. Every point that is read back is checked.",
		    COMMAND_ROWS(option_rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
