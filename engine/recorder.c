/*
 * recorder: see recorder.h.
 */
#include "recorder.h"

#include <math.h>

#include "base/check.h"

struct collector {
	struct recorder *recorder;
	const struct observations *observations;
	struct history_rows *rows;
	struct history_metric metric;
};

static enum history_kind kind_of(enum aggregation aggregation, uint32_t sums)
{
	static const enum history_kind kinds[] = {
		[AGGREGATE_COUNT] = HISTORY_COUNT,
		[AGGREGATE_SUM] = HISTORY_SUM,
		[AGGREGATE_MEAN] = HISTORY_SUM,
		[AGGREGATE_MIN] = HISTORY_MIN,
		[AGGREGATE_MAX] = HISTORY_MAX,
		[AGGREGATE_DISTINCT] = HISTORY_DISTINCT,
		[AGGREGATE_PERCENTILE] = HISTORY_QUANTILE,
		[AGGREGATE_RATIO] = HISTORY_RATIO,
	};

	check(aggregation < sizeof(kinds) / sizeof(kinds[0]));
	return aggregation == AGGREGATE_RATIO && !sums ? HISTORY_SHARE : kinds[aggregation];
}

static void put_sum(uint64_t *words, const struct rollup_stats *stats)
{
	words[0] = stats->count;
	words[1] = history_word(stats->sum);
	words[2] = history_word(stats->sum_squares);
}

/* A metric of which nothing ever came has no name here. */
static void name_slices(const struct collector *collector)
{
	struct recorder *recorder = collector->recorder;
	const struct observations *observations = collector->observations;

	for (; recorder->named < observations->count; recorder->named++)
		history_rows_name(collector->rows, recorder->number, &collector->metric,
				  recorder->named, observations->slices[recorder->named].label);
}

static void collect(void *self, const struct rollup_row *from)
{
	const struct collector *collector = self;
	const struct rollup_stats *terms = from->terms;
	struct history_row row = {
		.metric = collector->recorder->number,
		.late = from->late,
		.slice = from->slice,
		.interval = from->interval,
		.words = {terms[0].count},
	};

	name_slices(collector);
	switch (collector->metric.kind) {
	case HISTORY_SUM:
		put_sum(row.words, &terms[0]);
		break;
	case HISTORY_MIN:
		row.words[1] = history_word(terms[0].min);
		break;
	case HISTORY_MAX:
		row.words[1] = history_word(terms[0].max);
		break;
	case HISTORY_SHARE:
		row.words[1] = terms[1].count;
		break;
	case HISTORY_RATIO:
		put_sum(row.words, &terms[0]);
		put_sum(row.words + 3, &terms[1]);
		break;
	case HISTORY_COUNT:
	case HISTORY_DISTINCT:
	case HISTORY_QUANTILE:
	case HISTORY_COVERAGE:
		break;
	}
	history_rows_add(collector->rows, &row, from->sketch);
}

void recorder_close(struct recorder *recorder, struct rollup *rollup,
		    const struct observations *observations, struct history_rows *rows)
{
	struct collector collector = {
		.recorder = recorder,
		.observations = observations,
		.rows = rows,
		.metric =
			{
				.name = observations->metric,
				.spec = recorder->spec,
				.kind = kind_of(observations->aggregation, recorder->sums),
				.aggregation = observations->aggregation,
				.sums = recorder->sums,
				.quantile = observations->quantile,
			},
	};

	rollup_rows(rollup, collect, &collector);
}
