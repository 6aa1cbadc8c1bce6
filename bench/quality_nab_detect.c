/*
 * quality_nab_detect: the rows of all files, scored by the default detector (detect/scoring.h) or
 * by a rival, as `weirctl score` does. Each file is a series of its own that begins anew; nothing
 * is read ahead but the first rows, which tell the interval and the kind of the values. A row that
 * is of no interval has no score.
 */
#include <errno.h>
#include <stdio.h>

#include "detect/scoring.h"
#include "quality_nab.h"
#include "rival.h"

#define DAY_MS INT64_C(86400000)

const struct nab_rival nab_rivals[NAB_RIVALS] = {
	{"sliding 24 h, k sigma", "sliding_24h", DAY_MS, RIVAL_SLIDING, 3},
	{"sliding 7 d, k sigma", "sliding_7d", 7 * DAY_MS, RIVAL_SLIDING, 3},
	{"hour of week, k sigma", "hour_of_week", 0, RIVAL_HOUR_OF_WEEK, 3},
	{"windowed gaussian", "gaussian", 0, RIVAL_GAUSSIAN, 0},
};

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

static int no_memory(void)
{
	fprintf(stderr, "weir-bench: out of memory\n");
	return -ENOMEM;
}

int nab_detect(struct nab_corpus *corpus, enum nab_column column)
{
	for (uint32_t f = 0; f < corpus->count; f++) {
		struct nab_file *file = &corpus->files[f];
		const struct nab_data *data = &corpus->data[f];
		struct scoring_spec spec = {.aggregation = data->shape.aggregation,
					    .interval_ms = data->shape.interval_ms,
					    .series = 1};
		struct scoring *scoring = scoring_create(&spec);
		if (!scoring)
			return no_memory();
		for (uint32_t r = 0; r < file->rows; r++) {
			const struct score_row *row = &data->rows[r];
			struct scored scored = {0};
			if (row->scorable)
				scoring_step(scoring, row->interval, &row->value,
					     data->shape.weighted ? &row->weight : NULL, &scored);
			file->scores[r] = column_of(&scored, column);
		}
		scoring_destroy(scoring);
	}
	return 0;
}

int nab_detect_rival(struct nab_corpus *corpus, const struct nab_rival *which)
{
	for (uint32_t f = 0; f < corpus->count; f++) {
		struct nab_file *file = &corpus->files[f];
		const struct nab_data *data = &corpus->data[f];
		int64_t interval_ms = data->shape.interval_ms;
		struct rival *rival = rival_create((enum rival_kind)which->kind, interval_ms,
						   (uint32_t)(which->window_ms / interval_ms));
		if (!rival)
			return no_memory();
		for (uint32_t r = 0; r < file->rows; r++) {
			const struct score_row *row = &data->rows[r];
			file->scores[r] = !row->scorable
						  ? 0
						  : rival_step(rival, row->interval, row->value);
		}
		rival_destroy(rival);
	}
	return 0;
}
