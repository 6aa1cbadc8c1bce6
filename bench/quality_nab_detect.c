/*
 * quality_nab_detect: the rows of all files, scored by the default detector (detect/scoring.h) or
 * by a rival. Each file is a series of its own that begins anew; nothing is read ahead but the
 * first rows, which tell the interval and the kind of the values.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "detect/scoring.h"
#include "quality_nab.h"
#include "rival.h"

#define LOOK_ROWS 100
#define DAY_MS INT64_C(86400000)

const struct nab_rival nab_rivals[NAB_RIVALS] = {
	{"sliding 24 h, k sigma", "sliding_24h", DAY_MS, RIVAL_SLIDING, 3},
	{"sliding 7 d, k sigma", "sliding_7d", 7 * DAY_MS, RIVAL_SLIDING, 3},
	{"hour of week, k sigma", "hour_of_week", 0, RIVAL_HOUR_OF_WEEK, 3},
	{"windowed gaussian", "gaussian", 0, RIVAL_GAUSSIAN, 0},
};

struct rows {
	int64_t interval_ms;
	enum aggregation aggregation;
};

static int compare(const void *left, const void *right)
{
	const int64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static struct rows look(const struct nab_file *file, const double *values)
{
	int64_t steps[LOOK_ROWS];
	uint32_t count = file->rows < LOOK_ROWS ? file->rows : LOOK_ROWS, n = 0;
	bool whole = true, positive = true;

	for (uint32_t row = 0; row < count; row++) {
		whole = whole && values[row] == floor(values[row]);
		positive = positive && values[row] >= 0;
		int64_t step = row ? file->times_ms[row] - file->times_ms[row - 1] : 0;
		if (step > 0)
			steps[n++] = step;
	}
	qsort(steps, n, sizeof(*steps), compare);
	return (struct rows){.interval_ms = n ? steps[n / 2] : 1000,
			     .aggregation = whole && positive ? AGGREGATE_COUNT : AGGREGATE_MEAN};
}

static double column_of(const struct scored *scored, enum nab_column column)
{
	switch (column) {
	case NAB_SCORE:
		return scored->score;
	case NAB_ALARM:
		return scored->alarm;
	case NAB_ONSET:
		break;
	}
	return scored->onset;
}

int nab_detect(struct nab_corpus *corpus, enum nab_column column)
{
	for (uint32_t f = 0; f < corpus->count; f++) {
		struct nab_file *file = &corpus->files[f];
		struct rows rows = look(file, corpus->values[f]);
		struct scoring_spec spec = {.aggregation = rows.aggregation,
					    .interval_ms = rows.interval_ms,
					    .series = 1};
		struct scoring *scoring = scoring_create(&spec);
		int64_t last = INT64_MIN;
		if (!scoring) {
			fprintf(stderr, "weir-bench: out of memory\n");
			return -ENOMEM;
		}
		for (uint32_t row = 0; row < file->rows; row++) {
			int64_t interval = file->times_ms[row] / rows.interval_ms;
			struct scored scored = {0};
			if (interval > last)
				scoring_step(scoring, interval, &corpus->values[f][row], NULL,
					     &scored);
			file->scores[row] = column_of(&scored, column);
			last = interval > last ? interval : last;
		}
		scoring_destroy(scoring);
	}
	return 0;
}

int nab_detect_rival(struct nab_corpus *corpus, const struct nab_rival *which)
{
	for (uint32_t f = 0; f < corpus->count; f++) {
		struct nab_file *file = &corpus->files[f];
		int64_t interval_ms = look(file, corpus->values[f]).interval_ms;
		struct rival *rival = rival_create((enum rival_kind)which->kind, interval_ms,
						   (uint32_t)(which->window_ms / interval_ms));
		if (!rival) {
			fprintf(stderr, "weir-bench: out of memory\n");
			return -ENOMEM;
		}
		for (uint32_t row = 0; row < file->rows; row++)
			file->scores[row] = rival_step(rival, file->times_ms[row] / interval_ms,
						       corpus->values[f][row]);
		rival_destroy(rival);
	}
	return 0;
}
