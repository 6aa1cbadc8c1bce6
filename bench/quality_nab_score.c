/*
 * quality_nab_score: see quality_nab_score.h. A sweep goes through the rows of all files from the
 * highest score down; after each group of equal scores the sum is what that threshold is worth.
 */
#include "quality_nab_score.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* 15 % of a file, and no more than of 5,000 rows. */
#define PROBATION_PART 0.15
#define PROBATION_OF_ROWS 5000
#define STEEPNESS 5
#define FAR_WIDTHS 3 /* from here on a false alarm costs all it can */

const struct nab_profile nab_profiles[NAB_PROFILES] = {
	[NAB_STANDARD] = {"standard", 1, 1, 0.11},
	[NAB_LOW_FP] = {"low_fp", 1, 1, 0.22},
	[NAB_LOW_FN] = {"low_fn", 1, 2, 0.11},
};

struct point {
	double score, value;
	int32_t window; /* among those of all files; -1: outside */
};

struct points {
	struct point *of; /* without those in probation */
	uint32_t count;
	double *windows;        /* what each is worth so far */
	uint32_t windows_count; /* those that no row past probation lies in have no part in it */
	uint32_t windows_all;
};

uint32_t nab_probation_rows(uint32_t rows)
{
	double most = PROBATION_PART * PROBATION_OF_ROWS;
	double part = floor(PROBATION_PART * rows);

	return (uint32_t)(part < most ? part : most);
}

double nab_sigmoid(double position)
{
	return position > FAR_WIDTHS ? -1 : 2 / (1 + exp(STEEPNESS * position)) - 1;
}

double nab_row_value(const struct nab_file *file, uint32_t row, int32_t *ret_window)
{
	const struct nab_window *before = NULL;

	*ret_window = -1;
	for (uint32_t w = 0; w < file->windows_count; w++) {
		const struct nab_window *window = &file->windows[w];
		if (row < window->first)
			break;
		before = window;
		if (row > window->last)
			continue;
		double width = window->last - window->first + 1;
		*ret_window = (int32_t)w;
		return nab_sigmoid(-((double)window->last - row + 1) / width) / nab_sigmoid(-1);
	}
	if (!before)
		return -1;
	return nab_sigmoid((double)(row - before->last) / (before->last - before->first));
}

static int compare(const void *left, const void *right)
{
	const struct point *a = left, *b = right;

	return (a->score < b->score) - (a->score > b->score);
}

static void points_destroy(struct points *points)
{
	free(points->of);
	free(points->windows);
}

static void points_add(struct points *points, const struct nab_file *file, uint32_t base)
{
	uint32_t first = nab_probation_rows(file->rows);

	for (uint32_t row = first; row < file->rows; row++) {
		struct point *point = &points->of[points->count++];
		point->score = file->scores[row];
		point->value = nab_row_value(file, row, &point->window);
		if (point->window >= 0)
			point->window += (int32_t)base;
	}
	for (uint32_t w = 0; w < file->windows_count; w++)
		points->windows_count += file->windows[w].last >= first;
}

static int points_create(struct points *points, const struct nab_file *const *files,
			 uint32_t count)
{
	size_t rows = 0;

	memset(points, 0, sizeof(*points));
	for (uint32_t f = 0; f < count; f++) {
		rows += files[f]->rows;
		points->windows_all += files[f]->windows_count;
	}
	points->of = malloc((rows + 1) * sizeof(*points->of));
	points->windows = malloc((points->windows_all + 1) * sizeof(*points->windows));
	if (!points->of || !points->windows) {
		points_destroy(points);
		return -ENOMEM;
	}
	for (uint32_t f = 0, base = 0; f < count; base += files[f++]->windows_count)
		points_add(points, files[f], base);
	return 0;
}

/* Nothing is detected yet. */
static void begin(struct points *points, const struct nab_profile *profile,
		  struct nab_result *result)
{
	for (uint32_t w = 0; w < points->windows_all; w++)
		points->windows[w] = -profile->miss;
	*result = (struct nab_result){.threshold = INFINITY,
				      .raw = -profile->miss * points->windows_count,
				      .windows = points->windows_all};
}

static void detect(struct points *points, const struct point *point,
		   const struct nab_profile *profile, struct nab_result *result)
{
	if (point->window < 0) {
		result->raw += point->value * profile->false_alarm;
		result->false_rows++;
		return;
	}
	double *best = &points->windows[point->window];
	double value = point->value * profile->hit;
	result->hits += *best == -profile->miss;
	if (value > *best) {
		result->raw += value - *best;
		*best = value;
	}
}

static double normalise(double raw, double nothing, double everything, double perfect)
{
	double least = nothing > everything ? nothing : everything;

	return perfect > 0 ? 100 * (raw - least) / (perfect - least) : NAN;
}

/* The normalised score, with what it is measured from. */
static void finish(struct points *points, const struct nab_profile *profile,
		   struct nab_result *result)
{
	struct nab_result all;

	begin(points, profile, &all);
	result->nothing = all.raw;
	for (uint32_t p = 0; p < points->count; p++)
		detect(points, &points->of[p], profile, &all);
	result->everything = all.raw;
	result->score = normalise(result->raw, result->nothing, result->everything,
				  profile->hit * result->windows);
}

int nab_score_best(const struct nab_file *const *files, uint32_t count,
		   const struct nab_profile *profile, struct nab_result *ret_result)
{
	struct points points;
	struct nab_result now;

	if (points_create(&points, files, count) < 0)
		return -ENOMEM;
	qsort(points.of, points.count, sizeof(*points.of), compare);
	begin(&points, profile, &now);
	*ret_result = now;
	for (uint32_t p = 0; p < points.count; p++) {
		now.threshold = points.of[p].score;
		detect(&points, &points.of[p], profile, &now);
		bool last = p + 1 == points.count || points.of[p + 1].score != now.threshold;
		if (last && now.raw > ret_result->raw)
			*ret_result = now;
	}
	finish(&points, profile, ret_result);
	points_destroy(&points);
	return 0;
}

int nab_score_at(const struct nab_file *const *files, uint32_t count,
		 const struct nab_profile *profile, double threshold,
		 struct nab_result *ret_result)
{
	struct points points;

	if (points_create(&points, files, count) < 0)
		return -ENOMEM;
	begin(&points, profile, ret_result);
	ret_result->threshold = threshold;
	for (uint32_t p = 0; p < points.count; p++)
		if (points.of[p].score >= threshold)
			detect(&points, &points.of[p], profile, ret_result);
	finish(&points, profile, ret_result);
	points_destroy(&points);
	return 0;
}

double nab_score_together(const struct nab_result *results, uint32_t count,
			  const struct nab_profile *profile)
{
	double raw = 0, nothing = 0, everything = 0, windows = 0;

	for (uint32_t r = 0; r < count; r++) {
		raw += results[r].raw;
		nothing += results[r].nothing;
		everything += results[r].everything;
		windows += results[r].windows;
	}
	return normalise(raw, nothing, everything, profile->hit * windows);
}
