/*
 * compare: weir beside what a user would take instead, on the same machine, in the same minutes,
 * with the same events.
 *
 * Idea:  rounds. In each every system has its turn, weir first; a system's ratio is that of the two
 *        rates of one round, so what else the machine does falls on both. What a system has kept is
 *        read back; a rate counts what arrived. A system that is not installed is absent.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"
#include "disk.h"
#include "figure.h"
#include "peer.h"
#include "producer.h"
#include "question.h"
#include "report.h"

#define SPARE_BYTES (UINT64_C(4) << 30)
/* Of disk for an event at most: LTTng's are 18, Redis' commands 60, but those are few. */
#define EVENT_BYTES 24u

#define PEER_ENTRY(name) &peer_##name,
static const struct peer *const peers[] = {PEERS(PEER_ENTRY)};
#define PEERS_COUNT (sizeof(peers) / sizeof(peers[0]))

struct settings {
	const char *directory, *weird, *weirctl, *only, *svg;
	double seconds;
	uint32_t runs, series;
	bool json, quick, keep;
};

struct compare {
	struct settings options;
	struct peer_task task;
	struct figure figures[PEERS_COUNT];
	char names[PEERS_COUNT][64], whys[PEERS_COUNT][600];
	char directory[PATH_MAX]; /* absolute: servers have their own */
};

static const struct option_row rows[] = {
	{.name = "dir",
	 .argument = "DIR",
	 .help = "on a disk, for the data; default /var/tmp. As root, LTTng runs as nobody, who "
		 "must be able to go there",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, directory)},
	{.name = "seconds",
	 .argument = "N",
	 .help = "each system sends for at least N seconds; default 5",
	 .kind = OPTION_F64,
	 .min = 0.1,
	 .max = 600,
	 .at = offsetof(struct settings, seconds)},
	{.name = "runs",
	 .argument = "N",
	 .help = "each system has N turns, one in each round; default 5",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = FIGURE_RUNS_MAX,
	 .at = offsetof(struct settings, runs)},
	{.name = "series",
	 .argument = "N",
	 .help = "different ones, uniformly shuffled; default 100000",
	 .kind = OPTION_U32,
	 .min = 1000,
	 .max = PLAN_SERIES_MAX,
	 .at = offsetof(struct settings, series)},
	{.name = "only",
	 .argument = "NAMES",
	 .help = "these and weir, as in lttng,redis_1000; default all",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, only)},
	{.name = "svg",
	 .argument = "FILE",
	 .help = "a chart of it",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, svg)},
	ROW_PROGRAM(struct settings, weird),
	ROW_PROGRAM(struct settings, weirctl),
	{.name = "keep",
	 .help = "leave what each turn wrote in place, and say where",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, keep)},
	{.name = "quick",
	 .help = "a third of a second once over 2000 series, to see that all of it works",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
};

/* Is `name` one of "a,b,c"? */
static bool listed(const char *list, const char *name)
{
	size_t length = strlen(name);
	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, name, length) == 0 && (at[length] == ',' || !at[length]))
			return true;
	return false;
}

static bool wanted(const struct compare *compare, size_t peer)
{
	return peer == 0 || !compare->options.only ||
	       listed(compare->options.only, peers[peer]->name);
}

/* The first name of the list that is no peer's; NULL: all are. */
static const char *stranger(const char *list)
{
	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		size_t length = strcspn(at, ","), found = 0;
		for (size_t i = 0; i < PEERS_COUNT; i++)
			found += strlen(peers[i]->name) == length &&
				 strncmp(at, peers[i]->name, length) == 0;
		if (!found)
			return at;
	}
	return NULL;
}

static int prepare(struct compare *compare, char *why, size_t why_bytes)
{
	const struct settings *options = &compare->options;
	uint64_t free_bytes, run_ns = (uint64_t)(options->seconds * 1e9);
	if (!realpath(options->directory, compare->directory)) {
		snprintf(why, why_bytes, "%s: %s", options->directory, strerror(errno));
		return -ENOENT;
	}
	int r = disk_check(compare->directory, SPARE_BYTES, &free_bytes, why, why_bytes);
	if (r < 0)
		return r;
	compare->task = (struct peer_task){
		.directory = compare->directory,
		.weird = options->weird,
		.weirctl = options->weirctl,
		.series = options->series,
		.run_ns = run_ns,
		.keep = options->keep,
		.events_max = (free_bytes - SPARE_BYTES) / EVENT_BYTES,
		.sender = processor_of_two(0),
		.receiver = processor_of_two(1),
	};
	for (size_t i = 0; i < PEERS_COUNT; i++) {
		struct figure *figure = &compare->figures[i];
		snprintf(compare->names[i], sizeof(compare->names[i]), "compare.%s",
			 peers[i]->name);
		*figure = (struct figure){.name = compare->names[i],
					  .unit = "events/s",
					  .lossless = true,
					  .beaten = i > 0};
		r = peers[i]->available(&compare->task, compare->whys[i], sizeof(compare->whys[i]));
		if (r < 0 && i == 0) {
			snprintf(why, why_bytes, "%s", compare->whys[0]);
			return r;
		}
		if (r < 0)
			figure->absent = compare->whys[i];
	}
	return 0;
}

/* One turn. Its rate, or 0: it could not be driven, and is absent from now on. */
static double turn(struct compare *compare, size_t peer)
{
	struct figure *figure = &compare->figures[peer];
	struct peer_result result;
	char *why = compare->whys[peer];
	int r = peer_measure(peers[peer], &compare->task, &result);
	if (r < 0 || result.kept == 0 || !(result.seconds > 0)) {
		snprintf(why, sizeof(compare->whys[peer]), "it could not be driven: %.500s",
			 result.why[0] ? result.why : "nothing arrived");
		figure->absent = why;
		return 0;
	}
	if (result.kept != result.sent || result.wrong || result.why[0]) {
		figure->lossless = false;
		fprintf(stderr, "weir-bench: %s: sent %llu, kept %llu, %llu series wrong; %.800s\n",
			figure->name, (unsigned long long)result.sent,
			(unsigned long long)result.kept, (unsigned long long)result.wrong,
			result.why);
	}
	return (double)result.kept / result.seconds;
}

/* All rounds. 0, -EINTR, or -EIO: not even weir could be measured. */
static int measure(struct compare *compare)
{
	for (uint32_t round = 0; round < compare->options.runs; round++) {
		double weirs = turn(compare, 0);
		if (!producers_interrupted() && !(weirs > 0))
			return -EIO;
		figure_add(&compare->figures[0], weirs, 0);
		for (size_t i = 1; i < PEERS_COUNT && !producers_interrupted(); i++) {
			if (compare->figures[i].absent || !wanted(compare, i))
				continue;
			double rate = turn(compare, i);
			if (rate > 0)
				figure_add(&compare->figures[i], rate, weirs);
		}
		if (producers_interrupted())
			return -EINTR;
	}
	return 0;
}

static int fewer(const void *a, const void *b)
{
	const struct chart_bar *left = a, *right = b;
	return (left->value < right->value) - (left->value > right->value);
}

/* The fastest on top. */
static int draw(const struct compare *compare)
{
	struct chart_bar bars[PEERS_COUNT];
	char said[PEERS_COUNT][96], value[32];
	uint32_t count = 0;
	FILE *file = fopen(compare->options.svg, "we");
	int r = file ? 0 : -errno;
	for (size_t i = 0; file && i < PEERS_COUNT; i++) {
		const struct figure *figure = &compare->figures[i];
		double ratio = figure_ratio(figure);
		if (!wanted(compare, i) || figure->absent)
			continue;
		figure_scaled(figure_value(figure), value);
		if (i == 0)
			snprintf(said[i], sizeof(said[i]), "%s/s", value);
		else
			snprintf(said[i], sizeof(said[i]), "%s/s, weir %.*f x", value,
				 ratio < 10 ? 1 : 0, ratio);
		bars[count++] = (struct chart_bar){.label = peers[i]->title,
						   .value = figure_value(figure),
						   .said = said[i],
						   .ours = i == 0};
	}
	qsort(bars, count, sizeof(*bars), fewer);
	const struct chart chart = {
		.title =
			"events a second, one sending thread; each axis mark is ten times the last",
		.about = "Bars of the events a second that weir and other systems take",
		.logarithmic = true};
	if (file) {
		r = chart_draw_bars(&chart, bars, count, file);
		r = fclose(file) != 0 && r == 0 ? -EIO : r;
	}
	if (r < 0)
		fprintf(stderr, "weir-bench: %s: %s\n", compare->options.svg, strerror(-r));
	return r;
}

static int print(struct compare *compare, struct report *report)
{
	for (size_t i = 0; i < PEERS_COUNT; i++)
		if (wanted(compare, i))
			report_figure(report, &compare->figures[i]);
	for (size_t i = 0; i < PEERS_COUNT; i++)
		if (wanted(compare, i) && !compare->figures[i].absent)
			report_note(report, "%s: %s. %s", peers[i]->name, peers[i]->title,
				    peers[i]->driven);
	if (compare->options.svg && draw(compare) < 0)
		return STATUS_UNABLE;
	return report_end(report);
}

static int run(void *self, int count, char **operands)
{
	static struct compare compare;
	struct report report;
	char why[1500];
	(void)count, (void)operands;
	compare.options = *(struct settings *)self;
	if (compare.options.quick) {
		compare.options.seconds = 0.3;
		compare.options.runs = 1;
		compare.options.series = 2000;
	}
	const char *unknown = stranger(compare.options.only);
	if (unknown) {
		fprintf(stderr, "weir-bench: --only: there is no %s\n", unknown);
		return STATUS_USAGE;
	}
	struct sigaction action = {.sa_handler = producers_interrupt};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	int r = prepare(&compare, why, sizeof(why));
	if (r == 0) {
		report_begin(&report, compare.options.json, compare.options.directory);
		r = measure(&compare);
		snprintf(why, sizeof(why), "%s", r == -EINTR ? "interrupted" : compare.whys[0]);
	}
	if (r < 0) {
		fprintf(stderr, "weir-bench: %s\n", why);
		return STATUS_UNABLE;
	}
	return print(&compare, &report);
}

static const struct option_example examples[] = {
	{"weir-bench compare",
	 "Five rounds of all systems that are installed, a quarter of an hour"},
	{"weir-bench compare --svg compare.svg", "The same, and a chart of it"},
	{"weir-bench compare --only lttng,redis_1000 --runs 3", "Two of them"},
};

static const struct settings defaults = {
	.directory = "/var/tmp",
	.seconds = 5,
	.runs = 5,
	.series = 100000,
};

const struct command bench_compare = {
	.options =
		{
			.program = "weir-bench compare",
			.operands = "",
			.summary = "events a second, beside what else one could take",
			.description =
				"Sends the same events through weir and through other systems, each as "
				"fast as it can be driven, one after another and in several rounds, "
				"and reads back what each has kept. LTTng-UST, Redis and the rest come "
				"from the system's packages; one that is not installed is absent. A "
				"ratio says how many times as fast as the system weir is.\n\nThe "
				"servers that it starts have directories and sockets of their own.",
			COMMAND_ROWS(rows),
			COMMAND_EXAMPLES(examples),
			QUESTION_EXITS,
		},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
