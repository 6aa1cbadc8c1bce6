/*
 * recorder: see recorder.h.
 */
#include "recorder.h"

#include <errno.h>
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
	words[1] = weir_value_bits(stats->sum);
	words[2] = weir_value_bits(stats->sum_squares);
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
		row.words[1] = weir_value_bits(terms[0].min);
		break;
	case HISTORY_MAX:
		row.words[1] = weir_value_bits(terms[0].max);
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

static void get_sum(struct rollup_stats *stats, const uint64_t *words)
{
	stats->count = words[0];
	stats->sum = weir_bits_value(words[1]);
	stats->sum_squares = weir_bits_value(words[2]);
}

int recorder_put(struct rollup *rollup, enum history_kind kind, uint32_t slice, int64_t interval,
		 const uint64_t *words, const uint8_t *saved, size_t bytes)
{
	struct rollup_stats terms[2] = {{.min = NAN, .max = NAN}, {.min = NAN, .max = NAN}};
	struct bytes_reader in = {.data = saved, .left = bytes};
	struct sketch *sketch = NULL;

	terms[0].count = words[0];
	switch (kind) {
	case HISTORY_SUM:
		get_sum(&terms[0], words);
		break;
	case HISTORY_MIN:
		terms[0].min = weir_bits_value(words[1]);
		break;
	case HISTORY_MAX:
		terms[0].max = weir_bits_value(words[1]);
		break;
	case HISTORY_SHARE:
		terms[1].count = words[1];
		break;
	case HISTORY_RATIO:
		get_sum(&terms[0], words);
		get_sum(&terms[1], words + 3);
		break;
	case HISTORY_COUNT:
	case HISTORY_DISTINCT:
	case HISTORY_QUANTILE:
		break;
	case HISTORY_COVERAGE:
		return -ENOENT;
	}
	if (saved) {
		sketch = sketch_create((enum sketch_kind)history_kind_sketch(kind));
		if (!sketch)
			return -ENOMEM;
	}
	int error = saved ? sketch_merge_saved(sketch, &in) : 0;
	if (!error)
		rollup_put(rollup, slice, interval, terms, sketch);
	sketch_destroy(sketch);
	return error;
}
