/*
 * The benchmark's scorer: values worked out by hand from its rules, the sweep against every
 * threshold tried on its own, folders as they are read. Published result files: e2e/quality-nab.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quality_nab_read.h"
#include "quality_nab_score.h"

#define ROWS 100
#define NEAR 1e-6

static const struct nab_profile *const standard = &nab_profiles[NAB_STANDARD];

/* A hundred rows, of which the first fifteen are probation, with one window: rows 40 to 49. */
struct made {
	struct nab_file file;
	struct nab_window windows[8];
	double scores[ROWS];
};

static void make(struct made *made)
{
	memset(made, 0, sizeof(*made));
	made->windows[0] = (struct nab_window){40, 49};
	made->file = (struct nab_file){.rows = ROWS,
				       .windows = made->windows,
				       .windows_count = 1,
				       .scores = made->scores};
}

static struct nab_result best(const struct made *made, enum nab_profile_name profile)
{
	const struct nab_file *files[1] = {&made->file};
	struct nab_result result;

	cr_assert_eq(nab_score_best(files, 1, &nab_profiles[profile], &result), 0);
	return result;
}

static struct nab_result at(const struct made *made, double threshold)
{
	const struct nab_file *files[1] = {&made->file};
	struct nab_result result;

	cr_assert_eq(nab_score_at(files, 1, standard, threshold, &result), 0);
	return result;
}

Test(nab, probation_is_15_percent_of_the_rows_and_750_at_most)
{
	cr_assert_eq(nab_probation_rows(0), 0);
	cr_assert_eq(nab_probation_rows(99), 14);
	cr_assert_eq(nab_probation_rows(100), 15);
	cr_assert_eq(nab_probation_rows(4032), 604);
	cr_assert_eq(nab_probation_rows(5000), 750);
	cr_assert_eq(nab_probation_rows(20000), 750);
}

Test(nab, a_detection_is_worth_less_the_later_it_comes)
{
	cr_assert_float_eq(nab_sigmoid(-1), 0.98661430, NEAR);
	cr_assert_float_eq(nab_sigmoid(-0.5), 0.84828364, NEAR);
	cr_assert_eq(nab_sigmoid(0), 0);
	cr_assert_float_eq(nab_sigmoid(1), -0.98661430, NEAR);
	cr_assert_eq(nab_sigmoid(3.01), -1);
}

Test(nab, a_row_is_worth_what_its_place_beside_the_window_says)
{
	struct made made;
	int32_t window;

	make(&made);
	cr_assert_eq(nab_row_value(&made.file, 39, &window), -1, "before any window");
	cr_assert_eq(window, -1);
	cr_assert_eq(nab_row_value(&made.file, 40, &window), 1, "its first row");
	cr_assert_eq(window, 0);
	/* Five tenths before the end: tanh(1.25) / tanh(2.5). */
	cr_assert_float_eq(nab_row_value(&made.file, 45, &window), 0.85979257, NEAR);
	/* Its last row: tanh(0.25) / tanh(2.5). */
	cr_assert_float_eq(nab_row_value(&made.file, 49, &window), 0.24824155, NEAR);
	cr_assert_eq(window, 0);
	/* The row behind it, one of nine: -tanh(2.5 / 9). */
	cr_assert_float_eq(nab_row_value(&made.file, 50, &window), -0.27084712, NEAR);
	cr_assert_eq(window, -1);
	cr_assert_eq(nab_row_value(&made.file, 77, &window), -1, "more than three widths behind");
}

Test(nab, the_first_row_of_each_window_and_nothing_else_is_perfect)
{
	struct made made;

	make(&made);
	made.windows[1] = (struct nab_window){70, 79};
	made.file.windows_count = 2;
	made.scores[40] = made.scores[70] = 3;
	for (int p = 0; p < NAB_PROFILES; p++) {
		struct nab_result result = best(&made, (enum nab_profile_name)p);
		cr_assert_float_eq(result.score, 100, 1e-9);
		cr_assert_eq(result.threshold, 3);
		cr_assert_eq(result.hits, 2);
		cr_assert_eq(result.false_rows, 0);
	}
}

Test(nab, never_to_detect_anything_is_worth_nothing)
{
	struct made made;

	make(&made);
	for (int p = 0; p < NAB_PROFILES; p++) {
		struct nab_result result = best(&made, (enum nab_profile_name)p);
		cr_assert_eq(result.score, 0, "%s: %g", nab_profiles[p].name, result.score);
		cr_assert(isinf(result.threshold));
		cr_assert_eq(result.hits, 0);
	}
	/* Everything, at a threshold of 0: 24 rows before the window and 23 behind three widths of
	 * it cost 0.11 each, which the window's first row does not bring in. */
	cr_assert_lt(at(&made, 0).score, -100);
}

Test(nab, each_profile_weighs_hits_and_false_alarms_its_own_way)
{
	struct made made;

	make(&made);
	made.scores[20] = made.scores[40] = 1;
	cr_assert_float_eq(best(&made, NAB_STANDARD).score, 100 * (1 - 0.11 + 1) / 2, 1e-9);
	cr_assert_float_eq(best(&made, NAB_LOW_FP).score, 100 * (1 - 0.22 + 1) / 2, 1e-9);
	cr_assert_float_eq(best(&made, NAB_LOW_FN).score, 100 * (1 - 0.11 + 2) / 3, 1e-9);
}

Test(nab, of_several_detections_in_a_window_the_first_counts)
{
	struct made made;

	make(&made);
	made.scores[45] = 2;
	cr_assert_float_eq(best(&made, NAB_STANDARD).raw, 0.85979257, NEAR);
	made.scores[49] = made.scores[47] = 3;
	struct nab_result result = best(&made, NAB_STANDARD);
	cr_assert_float_eq(result.raw, 0.85979257, NEAR);
	cr_assert_eq(result.threshold, 2);
	cr_assert_eq(result.hits, 1);
}

Test(nab, the_threshold_goes_down_as_long_as_that_pays)
{
	struct made made;

	make(&made);
	made.windows[1] = (struct nab_window){70, 79};
	made.file.windows_count = 2;
	made.scores[40] = 9;
	made.scores[70] = 5;
	made.scores[20] = made.scores[25] = 7; /* on the way: 0.22 for a window worth 2 */
	made.scores[30] = 3;                   /* below: brings nothing */
	struct nab_result result = best(&made, NAB_STANDARD);
	cr_assert_eq(result.threshold, 5);
	cr_assert_eq(result.false_rows, 2);
	cr_assert_float_eq(result.score, 100 * (2 - 0.22 + 2) / 4, 1e-9);
	for (int row = 16; row < 36; row++)
		made.scores[row] = 7; /* 2.2: too much */
	cr_assert_eq(best(&made, NAB_STANDARD).threshold, 9);
	cr_assert_float_eq(best(&made, NAB_STANDARD).score, 50, 1e-9);
}

Test(nab, what_happens_in_probation_counts_for_nothing)
{
	struct made made;

	make(&made);
	made.windows[0] = (struct nab_window){5, 14};
	made.windows[1] = (struct nab_window){40, 49};
	made.file.windows_count = 2;
	made.scores[3] = made.scores[5] = 9; /* neither a hit nor a false alarm */
	made.scores[40] = 8;
	struct nab_result result = best(&made, NAB_STANDARD);
	cr_assert_eq(result.hits, 1);
	cr_assert_eq(result.false_rows, 0);
	/* It cannot be missed, but perfect would have had it: (1 + 1) / (2 + 1). */
	cr_assert_float_eq(result.score, 200.0 / 3, 1e-9);
	/* A window that ends behind probation can be hit by the rows that are. */
	made.windows[0] = (struct nab_window){6, 15};
	made.scores[15] = 8;
	result = best(&made, NAB_STANDARD);
	cr_assert_eq(result.hits, 2);
	cr_assert_float_eq(result.raw, 1 + 0.24824155, NEAR);
}

Test(nab, together_is_what_the_parts_would_be_as_one)
{
	struct made one, two;

	make(&one);
	make(&two);
	one.scores[40] = 1;
	two.scores[20] = 1; /* missed, and a false alarm */
	struct nab_result results[2] = {at(&one, 1), at(&two, 1)};
	const struct nab_file *files[2] = {&one.file, &two.file};
	struct nab_result whole;
	cr_assert_eq(nab_score_at(files, 2, standard, 1, &whole), 0);
	cr_assert_float_eq(nab_score_together(results, 2, standard), whole.score, 1e-9);
	cr_assert_float_eq(whole.score, 100 * (1 - 1 - 0.11 + 2) / 4, 1e-9);
}

Test(nab, the_best_threshold_is_the_best_of_all_tried_one_by_one)
{
	uint32_t found = 0;

	srand(7);
	for (int round = 0; round < 200; round++) {
		struct made made;
		double most = -INFINITY;
		make(&made);
		made.windows[1] = (struct nab_window){70, 72 + (uint32_t)(rand() % 20)};
		made.file.windows_count = 2;
		for (int row = 0; row < ROWS; row++)
			made.scores[row] = rand() % 3 ? 0 : rand() % 50;
		for (int k = 0; k <= 51; k++) {
			struct nab_result tried = at(&made, k);
			most = tried.score > most ? tried.score : most;
		}
		struct nab_result result = best(&made, NAB_STANDARD);
		cr_assert_float_eq(result.score, most, 1e-9);
		cr_assert_float_eq(at(&made, result.threshold).score, most, 1e-9);
		found += result.hits;
	}
	cr_assert_gt(found, 0);
}

/* Folders. */

static char folder[] = "/tmp/weir-nab-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	for (char *at = path + strlen(folder) + 1; (at = strchr(at, '/')); *at++ = '/') {
		*at = '\0';
		cr_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
	}
	FILE *out = fopen(path, "w");
	cr_assert_not_null(out);
	fputs(text, out);
	fclose(out);
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
	(void)stat, (void)kind, (void)ftw;
	return remove(path);
}

static void remove_folder(void)
{
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_folder(void)
{
	cr_assert_not_null(mkdtemp(folder));
	put("data/b/two.csv", "timestamp,value\n2014-04-01 00:00:00,1\n2014-04-01 00:05:00,2\n"
			      "2014-04-01 00:10:00,\n2014-04-01 00:10:00,4\n"
			      "2014-04-01 00:15:00,5.5\n");
	put("data/a/one.csv", "timestamp,value\n2014-04-01 00:00:01,1\n2014-04-01 01:00:01,1.5\n");
	put("windows.json", "{\"b/two.csv\": [[\"2014-04-01 00:10:00.000000\", "
			    "\"2014-04-01 00:15:00.000000\"]], \"a/one.csv\": []}");
}

Test(nab_read, a_folder_is_read_with_its_labels, .init = make_folder, .fini = remove_folder)
{
	struct nab_corpus corpus;

	cr_assert_eq(nab_corpus_read(&corpus, folder), 0);
	cr_assert_eq(corpus.count, 2);
	cr_assert_eq(corpus.rows, 7);
	cr_assert_eq(corpus.windows, 1);
	cr_assert_str_eq(corpus.files[0].name, "a/one.csv", "by name");
	const struct nab_file *file = &corpus.files[1];
	cr_assert_eq(file->times_ms[1] - file->times_ms[0], 300000);
	cr_assert_eq(corpus.data[1].shape.interval_ms, 300000);
	cr_assert(isnan(corpus.data[1].rows[2].value));
	cr_assert_not(corpus.data[1].rows[3].scorable);
	cr_assert_eq(file->windows[0].first, 2, "the first row of a time that comes twice");
	cr_assert_eq(file->windows[0].last, 4);
	nab_corpus_destroy(&corpus);
}

Test(nab_read, labels_that_are_no_rows_are_refused, .init = make_folder, .fini = remove_folder)
{
	struct nab_corpus corpus;

	put("windows.json",
	    "{\"b/two.csv\": [[\"2014-04-01 00:10:00\", \"2014-04-01 00:16:00\"]]}");
	cr_assert_lt(nab_corpus_read(&corpus, folder), 0);
	put("windows.json",
	    "{\"b/two.csv\": [[\"2014-04-01 00:10:00\", \"2014-04-01 00:05:00\"]]}");
	cr_assert_lt(nab_corpus_read(&corpus, folder), 0);
	put("windows.json", "{\"b/three.csv\": []}");
	cr_assert_lt(nab_corpus_read(&corpus, folder), 0);
	put("windows.json", "[]");
	cr_assert_lt(nab_corpus_read(&corpus, folder), 0);
}

Test(nab_read, results_are_taken_row_by_row_or_refused, .init = make_folder,
     .fini = remove_folder)
{
	struct nab_corpus corpus;
	char results[64];

	snprintf(results, sizeof(results), "%s/mine/", folder);
	cr_assert_eq(nab_corpus_read(&corpus, folder), 0);
	cr_assert_lt(nab_results_read(&corpus, results), 0, "there are none");
	put("mine/a/one.csv", "timestamp,anomaly_score\n2014-04-01 00:00:01,0.25\nx,0\n");
	/* As the benchmark calls its own, with more columns. */
	put("mine/b/mine_two.csv", "timestamp,value,anomaly_score,label\nx,1,0,0\nx,2,0.5,0\n"
				   "x,3,1e-3,1\nx,4,,1\nx,5,1,0\n");
	cr_assert_eq(nab_results_read(&corpus, results), 0);
	cr_assert_eq(corpus.files[0].scores[0], 0.25);
	cr_assert_eq(corpus.files[1].scores[1], 0.5);
	cr_assert_eq(corpus.files[1].scores[2], 1e-3);
	cr_assert_eq(corpus.files[1].scores[3], 0, "nothing said");
	put("mine/b/mine_two.csv", "timestamp,anomaly_score\nx,1\n");
	cr_assert_lt(nab_results_read(&corpus, results), 0, "too few rows");
	put("mine/b/mine_two.csv", "timestamp,score\nx,1\nx,1\nx,1\nx,1\nx,1\n");
	cr_assert_lt(nab_results_read(&corpus, results), 0, "no such column");
	put("mine/b/mine_two.csv", "timestamp,anomaly_score\nx,1\nx,1\nx,one\nx,1\nx,1\n");
	cr_assert_lt(nab_results_read(&corpus, results), 0, "no number");
	nab_corpus_destroy(&corpus);
}

Test(nab_read, both_artificial_folders_are_one_group)
{
	cr_assert_eq(nab_group_bytes("artificialNoAnomaly/art_noisy.csv"), 10);
	cr_assert_eq(nab_group_bytes("artificialWithAnomaly/art_daily_nojump.csv"), 10);
	cr_assert_eq(nab_group_bytes("realTweets/Twitter_volume_AAPL.csv"), 10);
	cr_assert_eq(nab_group_bytes("realTraffic/speed_7578.csv"), 11);
}
