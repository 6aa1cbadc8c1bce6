/*
 * quality_nab_score: the scorer of the Numenta Anomaly Benchmark, version 1.1: what detections are
 * worth, and the threshold at which a detector does best.
 *
 * Idea:  a file's rows have scores; a row whose score reaches the threshold is a detection. Within
 *        a labelled window only the best detection counts, and earlier is worth more; outside, each
 *        is a false alarm, that costs less shortly behind a window. A window without a detection is
 *        missed. The first rows of a file (probation) count for nothing.
 *
 *          value   1 +---------.                    inside: 2 sigmoid(-5 position) - 1, scaled to 1
 *                    |          `--.                at the first row; one row past the end is 0
 *                  0 +--------------`-.----------
 *                    |                 `-.          behind: the same curve, in window widths;
 *                 -1 +--------------------`------   before any window, and from 3 widths on: -1
 *                    |<--- window --->|
 *
 *        Three profiles weigh hits, misses and false alarms. Normalised: 0 is a detector that sees
 *        no difference between rows (it says nothing, or everything if that is worth more), 100
 *        one that detects the first row of each window and nothing else.
 *
 * After numenta/NAB: nab/sweeper.py, optimizer.py, runner.py, config/profiles.json.
 * Runs on: any thread. Never reads a file, knows nothing of how rows were scored.
 */
#ifndef BENCH_QUALITY_NAB_SCORE_H
#define BENCH_QUALITY_NAB_SCORE_H

#include <stdbool.h>
#include <stdint.h>

enum nab_profile_name { NAB_STANDARD, NAB_LOW_FP, NAB_LOW_FN, NAB_PROFILES };

struct nab_profile {
	const char *name;
	double hit, miss, false_alarm; /* what one is worth */
};

extern const struct nab_profile nab_profiles[NAB_PROFILES];

/* Rows of a labelled anomaly: first and last are inside. */
struct nab_window {
	uint32_t first, last;
};

/* A file with its labels, and what the detector in question said. */
struct nab_file {
	char *name; /* "realTweets/Twitter_volume_AAPL.csv" */
	uint32_t rows;
	struct nab_window *windows; /* in order, apart from each other */
	uint32_t windows_count;
	int64_t *times_ms; /* [rows] */
	double *scores;    /* [rows] */
};

struct nab_result {
	double threshold; /* INFINITY: best not to say anything */
	double raw;       /* as the weights sum up */
	double nothing, everything; /* the same, of no detection at all, and of every row */
	double score;     /* normalised; NaN where there is no window */
	uint32_t windows, hits, false_rows;
};

/* Rows at a file's beginning that count for nothing. */
uint32_t nab_probation_rows(uint32_t rows);
/* What a detection is worth at `position`, in widths of the window from its right end. */
double nab_sigmoid(double position);
/* What a detection in this row is worth before weighing, and the window it lies in (-1: none). */
double nab_row_value(const struct nab_file *file, uint32_t row, int32_t *ret_window);

/* All the files as one: the highest of the thresholds that score best. 0 or -ENOMEM. */
int nab_score_best(const struct nab_file *const *files, uint32_t count,
		   const struct nab_profile *profile, struct nab_result *ret_result);
/* At this threshold. */
int nab_score_at(const struct nab_file *const *files, uint32_t count,
		 const struct nab_profile *profile, double threshold,
		 struct nab_result *ret_result);
/* The normalised score of several sets of files together, each scored for itself. */
double nab_score_together(const struct nab_result *results, uint32_t count,
			  const struct nab_profile *profile);

#endif
