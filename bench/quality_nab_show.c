/*
 * quality_nab_show: what happened in each file at one threshold: the windows that were hit, and
 * when; those that were missed, and how far the best row in them was; the false alarms.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "quality_nab.h"

#define FALSE_SHOWN 12

static const char *show_time(int64_t time_ms, char text[32])
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, 32, "%Y-%m-%d %H:%M", &tm);
	return text;
}

static void show_window(const struct nab_file *file, const struct nab_window *window,
			double threshold)
{
	uint32_t begin = nab_probation_rows(file->rows);
	uint32_t best = UINT32_MAX, first = UINT32_MAX;
	char from[32], to[32], at[32];

	begin = begin > window->first ? begin : window->first;
	for (uint32_t row = begin; row <= window->last; row++) {
		if (best == UINT32_MAX || file->scores[row] > file->scores[best])
			best = row;
		if (first == UINT32_MAX && file->scores[row] >= threshold)
			first = row;
	}
	printf("  %-5s %s .. %s", first == UINT32_MAX ? "miss" : "hit",
	       show_time(file->times_ms[window->first], from),
	       show_time(file->times_ms[window->last], to));
	if (best == UINT32_MAX)
		printf("  in probation\n");
	else if (first == UINT32_MAX)
		printf("  highest %.4g at %s\n", file->scores[best],
		       show_time(file->times_ms[best], at));
	else
		printf("  %.4g at %s, %.0f %% in; highest %.4g\n", file->scores[first],
		       show_time(file->times_ms[first], at),
		       100.0 * (first - window->first) / (window->last - window->first + 1),
		       file->scores[best]);
}

static void show_false(const struct nab_file *file, double threshold)
{
	uint32_t shown = 0, more = 0;

	for (uint32_t row = nab_probation_rows(file->rows); row < file->rows; row++) {
		int32_t window;
		char at[32];
		double value = nab_row_value(file, row, &window);
		if (window >= 0 || !(file->scores[row] >= threshold))
			continue;
		if (++shown > FALSE_SHOWN) {
			more++;
			continue;
		}
		printf("  false %s  %.4g", show_time(file->times_ms[row], at), file->scores[row]);
		printf(value > -0.99 ? ", shortly behind a window (%.2f)\n" : "\n", -value);
	}
	if (more)
		printf("  false %u more\n", more);
}

int nab_show_files(const struct nab_corpus *corpus, const struct nab_result *result)
{
	const struct nab_profile *profile = &nab_profiles[NAB_STANDARD];
	/* What the whole could be more, file by file, in points of the normalised score. */
	double point = 100 / (profile->hit * result->windows - result->nothing);

	printf("\nat threshold %.6g:\n", result->threshold);
	for (uint32_t f = 0; f < corpus->count; f++) {
		const struct nab_file *file = &corpus->files[f];
		struct nab_result at;
		if (nab_score_at(&file, 1, profile, result->threshold, &at) < 0)
			return -ENOMEM;
		printf("%s: %u of %u windows, %u false, %.2f points lost\n", file->name, at.hits,
		       at.windows, at.false_rows, point * (profile->hit * at.windows - at.raw));
		for (uint32_t w = 0; w < file->windows_count; w++)
			show_window(file, &file->windows[w], result->threshold);
		show_false(file, result->threshold);
	}
	return 0;
}
