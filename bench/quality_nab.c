/*
 * quality nab: what is the default detector worth by the rules of the Numenta Anomaly Benchmark?
 *
 * Idea:  every row of every file gets a score, by the detector as it ships, one configuration for
 *        all; the benchmark's own rules choose the threshold (quality_nab_score.h). Because a
 *        threshold chosen on the files it is judged by flatters, one chosen on every other file is
 *        also applied to the rest. Published result files can be scored the same way.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "quality.h"
#include "quality_nab.h"
#include "question.h"

#define GROUPS_MAX 32
#define NAME_BYTES 96

struct settings {
	unsigned column;
	const char *results;
	bool halves, files, json;
};

/* One detector's figures. */
struct report {
	struct nab_result best[NAB_PROFILES]; /* each profile at its own threshold */
	struct nab_result fixed; /* standard, as people run it, or by its alarms */
	/* Threshold chosen on one half, applied to the other: [0] is the first, third, ... file. */
	struct nab_result halves[NAB_PROFILES][2];
	struct nab_result groups[GROUPS_MAX]; /* standard, at the best threshold of all */
	uint32_t groups_count;
};

struct bench {
	struct settings options;
	struct nab_corpus corpus;
	const struct nab_file **all, **half[2];
	uint32_t half_count[2];
	struct {
		const struct nab_file **files;
		uint32_t count;
		char name[NAME_BYTES]; /* "adexchange" */
	} groups[GROUPS_MAX];
	uint32_t groups_count;
};

static const struct option_row rows[] = {
	{.name = "column",
	 .argument = "onset|score|alarm",
	 .help = "which answer of the detector is judged; default onset",
	 .kind = OPTION_CHOICE,
	 .at = offsetof(struct settings, column)},
	{.name = "results",
	 .argument = "DIR",
	 .help = "score the result files of another detector instead: GROUP/FILE.csv with "
		 "timestamp,anomaly_score",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, results)},
	{.name = "halves",
	 .help = "also each half at the threshold of the other, by profile",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, halves)},
	{.name = "files",
	 .help = "also each file: hits, misses and false alarms with their times",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, files)},
	ROW_JSON(struct settings),
};

/* "realAdExchange" is "adexchange". */
static void group_name(const char *name, size_t bytes, char text[NAME_BYTES])
{
	size_t skip = bytes > 4 && strncmp(name, "real", 4) == 0 ? 4 : 0, n = 0;

	for (size_t i = skip; i < bytes && n + 1 < NAME_BYTES; i++)
		if (isalnum((unsigned char)name[i]))
			text[n++] = (char)tolower((unsigned char)name[i]);
	text[n] = '\0';
}

/* Files are sorted, so a group's lie together. */
static int make_groups(struct bench *bench)
{
	const struct nab_corpus *corpus = &bench->corpus;
	char name[NAME_BYTES] = "";

	bench->all = calloc(corpus->count, sizeof(*bench->all));
	bench->half[0] = calloc(corpus->count, sizeof(*bench->all));
	bench->half[1] = calloc(corpus->count, sizeof(*bench->all));
	if (!bench->all || !bench->half[0] || !bench->half[1])
		return -ENOMEM;
	for (uint32_t f = 0; f < corpus->count; f++) {
		const struct nab_file *file = &corpus->files[f];
		uint32_t g = bench->groups_count;
		bench->all[f] = file;
		bench->half[f % 2][bench->half_count[f % 2]++] = file;
		group_name(file->name, nab_group_bytes(file->name), name);
		if (g == 0 || strcmp(bench->groups[g - 1].name, name) != 0) {
			if (g == GROUPS_MAX)
				continue; /* counted in the whole only */
			memcpy(bench->groups[g].name, name, NAME_BYTES);
			bench->groups[g].files = &bench->all[f];
			bench->groups_count = ++g;
		}
		bench->groups[g - 1].count++;
	}
	return 0;
}

static int judge_halves(const struct bench *bench, struct report *report)
{
	for (int p = 0; p < NAB_PROFILES; p++) {
		struct nab_result chosen;
		for (int h = 0; h < 2; h++)
			if (nab_score_best(bench->half[1 - h], bench->half_count[1 - h],
					   &nab_profiles[p], &chosen) < 0 ||
			    nab_score_at(bench->half[h], bench->half_count[h], &nab_profiles[p],
					 chosen.threshold, &report->halves[p][h]) < 0)
				return -ENOMEM;
	}
	return 0;
}

/* fixed: a threshold, or 0. */
static int judge(const struct bench *bench, double fixed, struct report *report)
{
	const struct nab_profile *standard = &nab_profiles[NAB_STANDARD];
	uint32_t count = bench->corpus.count;
	int error = 0;

	*report = (struct report){.groups_count = bench->groups_count};
	for (int p = 0; p < NAB_PROFILES && !error; p++)
		error = nab_score_best(bench->all, count, &nab_profiles[p], &report->best[p]);
	if (fixed > 0 && !error)
		error = nab_score_at(bench->all, count, standard, fixed, &report->fixed);
	for (uint32_t g = 0; g < bench->groups_count && !error; g++)
		error = nab_score_at(bench->groups[g].files, bench->groups[g].count, standard,
				     report->best[NAB_STANDARD].threshold, &report->groups[g]);
	return error ? error : judge_halves(bench, report);
}

static double half_score(const struct report *report, int profile)
{
	return nab_score_together(report->halves[profile], 2, &nab_profiles[profile]);
}

static void print_json(const char *prefix, const char *name, double value)
{
	printf("{\"name\":\"nab_%s%s\",\"value\":", prefix, name);
	if (isfinite(value))
		printf("%.6g}\n", value);
	else
		printf("null}\n");
}

static void report_json(const struct bench *bench, const char *prefix,
			const struct report *report)
{
	const struct nab_result *best = &report->best[NAB_STANDARD];

	for (int p = 0; p < NAB_PROFILES; p++)
		print_json(prefix, nab_profiles[p].name, report->best[p].score);
	print_json(prefix, "threshold", best->threshold);
	print_json(prefix, "windows", best->windows);
	print_json(prefix, "hits", best->hits);
	print_json(prefix, "false_rows", best->false_rows);
	print_json(prefix, "half", half_score(report, NAB_STANDARD));
	print_json(prefix, "half_first", report->halves[NAB_STANDARD][0].score);
	print_json(prefix, "half_second", report->halves[NAB_STANDARD][1].score);
	for (uint32_t g = 0; g < report->groups_count; g++)
		print_json(prefix, bench->groups[g].name, report->groups[g].score);
	if (report->fixed.windows)
		print_json(prefix, "as_run", report->fixed.score);
}

static void print_row(const char *title, const char *fixed, const struct report *report)
{
	const struct nab_result *best = &report->best[NAB_STANDARD];

	printf("%-24s%9.2f%9.2f%9.2f%9.2f   %8.4g  %3u of %u, %u\n", title,
	       report->best[NAB_STANDARD].score, report->best[NAB_LOW_FP].score,
	       report->best[NAB_LOW_FN].score, half_score(report, NAB_STANDARD),
	       best->threshold, best->hits, best->windows, best->false_rows);
	if (report->fixed.windows)
		printf("%-24s%9.2f%*s   %8.4g  %3u of %u, %u\n", fixed,
		       report->fixed.score, 27, "", report->fixed.threshold, report->fixed.hits,
		       report->fixed.windows, report->fixed.false_rows);
}

static void print_head(const struct bench *bench)
{
	printf("%u files, %u rows, %u labelled windows; by %s\n\n", bench->corpus.count,
	       bench->corpus.rows, bench->corpus.windows,
	       bench->options.results ? bench->options.results
	       : bench->options.column == NAB_SCORE ? "score"
	       : bench->options.column == NAB_ALARM ? "alarm"
						    : "onset");
	printf("%-24s%9s%9s%9s%9s   %8s  %s\n", "", "standard", "low FP", "low FN", "halves",
	       "from", "windows hit, false rows");
}

static void print_groups(const struct bench *bench, const struct report *report)
{
	for (uint32_t g = 0; g < report->groups_count; g++) {
		const struct nab_result *group = &report->groups[g];
		printf("  %-22s%9.2f%*s  %3u of %u, %u\n", bench->groups[g].name, group->score, 38,
		       "", group->hits, group->windows, group->false_rows);
	}
}

static void print_halves(const struct report *report)
{
	static const char *const titles[2] = {"odd files by even", "even files by odd"};

	for (int p = 0; p < NAB_PROFILES; p++) {
		for (int h = 0; h < 2; h++) {
			const struct nab_result *half = &report->halves[p][h];
			printf("  %-8s  %-20s%9.2f   threshold %.4g, %u of %u, %u\n",
			       nab_profiles[p].name, titles[h], half->score, half->threshold,
			       half->hits, half->windows, half->false_rows);
		}
	}
}

/* The default detector's answers; ret_alarms: what its alarms alone are worth. */
static int detect(struct bench *bench, struct nab_result *ret_alarms)
{
	int error = nab_detect(&bench->corpus, NAB_ALARM);

	if (!error)
		error = nab_score_at(bench->all, bench->corpus.count, &nab_profiles[NAB_STANDARD],
				     1, ret_alarms);
	return error ? error : nab_detect(&bench->corpus, (enum nab_column)bench->options.column);
}

/* What is asked about: the default detector, or the result files. */
static int run_subject(struct bench *bench)
{
	const struct settings *options = &bench->options;
	struct nab_result alarms = {0};
	struct report report;
	int error = options->results ? nab_results_read(&bench->corpus, options->results)
				     : detect(bench, &alarms);

	if (error < 0 || (error = judge(bench, 0, &report)) < 0)
		return error;
	report.fixed = alarms;
	if (options->json) {
		report_json(bench, "", &report);
		return 0;
	}
	print_head(bench);
	print_row(options->results ? "results" : "weir", "  its alarms", &report);
	print_groups(bench, &report);
	if (options->halves)
		print_halves(&report);
	return options->files ? nab_show_files(&bench->corpus, &report.best[NAB_STANDARD]) : 0;
}

static int run_rivals(struct bench *bench)
{
	for (uint32_t r = 0; r < NAB_RIVALS; r++) {
		const struct nab_rival *rival = &nab_rivals[r];
		struct report report;
		char prefix[NAME_BYTES];
		int error = nab_detect_rival(&bench->corpus, rival);
		if (error < 0 || (error = judge(bench, rival->threshold, &report)) < 0)
			return error;
		snprintf(prefix, sizeof(prefix), "%s_", rival->name);
		if (bench->options.json)
			report_json(bench, prefix, &report);
		else
			print_row(rival->title, "  at its usual threshold", &report);
	}
	return 0;
}

static int run(void *self, int count, char **operands)
{
	struct bench bench = {.options = *(const struct settings *)self};

	(void)count;
	if (nab_corpus_read(&bench.corpus, operands[0]) < 0)
		return STATUS_UNABLE;
	machine_head(bench.options.json, NULL);
	int error = make_groups(&bench);
	if (!error)
		error = run_subject(&bench);
	if (!error && !bench.options.results && !bench.options.files)
		error = run_rivals(&bench);
	free(bench.all);
	free(bench.half[0]);
	free(bench.half[1]);
	nab_corpus_destroy(&bench.corpus);
	return error ? STATUS_UNABLE : STATUS_GOOD;
}

static const struct option_example examples[] = {
	{"weir-bench quality nab nab/", "the default detector and its rivals"},
	{"weir-bench quality nab nab/ --files", "what it found, missed and invented"},
	{"weir-bench quality nab nab/ --results nab/results/randomCutForest",
	 "another detector, by its result files"},
};

const struct command quality_nab = {
	.options = {.program = "weir-bench quality nab",
		    .operands = "DIR",
		    .summary = "the Numenta Anomaly Benchmark, version 1.1",
		    .description =
			    "Scores each file of the benchmark row by row, and judges the rows by "
			    "the benchmark's own rules: 0 is a detector that never says anything, "
			    "100 one that detects the first row of each labelled window and "
			    "nothing else. DIR has windows.json and data/, or is a clone of the "
			    "benchmark.\n\nOne threshold for all files is chosen, as the rules "
			    "say, where the score is highest. Because that flatters, \"halves\" "
			    "has a threshold chosen on every other file and applied to the rest.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.run = run,
};
