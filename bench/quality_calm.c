/*
 * quality_calm: clean series of every kind, at several lengths of interval, through the detector as
 * it ships; its alarm-hours in the test's weeks are counted.
 */
#include "quality_calm.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "detect/scoring.h"
#include "quality_share.h"

#define MINUTE_MS 60000
#define SEVERITY 50.0
#define CHUNK 10 /* series */

enum calm_kind { CALM_COUNT, CALM_CONVERSION, CALM_REVENUE, CALM_BASKET, CALM_KINDS };

static const struct {
	const char *name;
	enum shop_kind twins;
	enum aggregation aggregation;
} kinds[CALM_KINDS] = {
	{"count", SHOP_COUNT, AGGREGATE_COUNT},
	{"conversion", SHOP_CONVERSION, AGGREGATE_RATIO},
	{"revenue", SHOP_REVENUE, AGGREGATE_SUM},
	{"basket", SHOP_REVENUE, AGGREGATE_MEAN},
};

static const uint32_t intervals[] = {1, 5, 15, 60}; /* minutes */

#define INTERVALS (sizeof(intervals) / sizeof(intervals[0]))

/* A kind at a rate. */
struct calm {
	enum calm_kind kind;
	struct counts_spec spec;
	uint32_t series;
	uint32_t *hours; /* [series][INTERVALS] */
};

struct work {
	struct calm *all;
	uint32_t count, chunks; /* chunks: of each */
};

/* Some minutes of a series as one interval: the value, and the weight where there is one. */
static double add_up(const struct calm *calm, const struct shop_twins *twins, uint32_t index,
		     uint32_t from, uint32_t minutes, double *ret_weight)
{
	const float *behind = calm->kind == CALM_CONVERSION ? shop_row(twins->visits, index)
			      : calm->kind == CALM_BASKET   ? shop_row(twins->orders, index)
							    : NULL;
	double sum = 0.0, weight = 0.0;

	for (uint32_t t = from; t < from + minutes; t++) {
		sum += (double)shop_row(twins->clean, index)[t];
		weight += behind ? (double)behind[t] : 1.0;
	}
	*ret_weight = weight;
	return behind ? sum / weight : sum; /* of nothing: NaN */
}

static int score(struct calm *calm, const struct shop_twins *twins, uint32_t which)
{
	const uint32_t minutes = intervals[which], count = twins->count;
	const struct scoring_spec spec = {.aggregation = kinds[calm->kind].aggregation,
					  .interval_ms = (int64_t)minutes * MINUTE_MS,
					  .series = count};
	struct scoring *scoring = scoring_create(&spec);
	struct scored *scored = calloc(count, sizeof(*scored));
	double *values = calloc((size_t)2 * count, sizeof(*values));
	uint32_t *last = calloc(count, sizeof(*last)); /* hour with an alarm */
	int ret = scoring && scored && values && last ? 0 : -ENOMEM;

	for (uint32_t t = 0; ret == 0 && t < SHOP_MINUTES; t += minutes) {
		for (uint32_t i = 0; i < count; i++)
			values[i] = add_up(calm, twins, i, t, minutes, &values[count + i]);
		scoring_step(scoring, (int64_t)(COUNTS_START_MS / MINUTE_MS + t) / minutes, values,
			     values + count, scored);
		for (uint32_t i = 0; t >= SHOP_TEST && i < count; i++) {
			if (scored[i].severity < SEVERITY || last[i] == t / 60)
				continue;
			last[i] = t / 60;
			calm->hours[(size_t)(twins->from + i) * INTERVALS + which]++;
		}
	}
	scoring_destroy(scoring);
	free(scored);
	free(values);
	free(last);
	return ret;
}

static int run_chunk(void *self, uint32_t index)
{
	struct work *work = self;
	struct calm *calm = &work->all[index / work->chunks];
	uint32_t from = index % work->chunks * CHUNK;
	uint32_t count = calm->series - from < CHUNK ? calm->series - from : CHUNK;
	struct shop_twins twins;
	int ret = shop_twins_make(&twins, kinds[calm->kind].twins, &calm->spec, from, count);

	for (uint32_t i = 0; ret == 0 && i < INTERVALS; i++)
		ret = score(calm, &twins, i);
	shop_twins_free(&twins);
	return ret;
}

static double hours_of(const struct calm *calm, uint32_t which)
{
	double hours = 0.0;

	for (uint32_t i = 0; i < calm->series; i++)
		hours += calm->hours[(size_t)i * INTERVALS + which];
	return hours / (calm->series * SHOP_TEST_WEEKS);
}

static void print(const struct shop_request *request, const struct calm *all, uint32_t count)
{
	if (!request->json) {
		printf("clean data, tier %u: %u series each, alarm-hours/week at severity 50\n\n"
		       "%-33s",
		       request->tier, request->series, "minutes of an interval");
		for (uint32_t i = 0; i < INTERVALS; i++)
			printf(" %7u", intervals[i]);
		putchar('\n');
	}
	for (uint32_t k = 0; k < count; k++) {
		const char *name = kinds[all[k].kind].name;
		char label[64];

		snprintf(label, sizeof(label), "%s, %g a minute", name, all[k].spec.rate);
		if (!request->json)
			printf("%-33s", label);
		for (uint32_t i = 0; i < INTERVALS; i++) {
			double hours = hours_of(&all[k], i);
			if (request->json)
				printf("{\"name\":\"shop_t%u_calm_%s_%um_r%g\",\"value\":%.6g}\n",
				       request->tier, name, intervals[i], all[k].spec.rate, hours);
			else
				printf(" %7.2f", hours);
		}
		if (!request->json)
			putchar('\n');
	}
	if (!request->json)
		putchar('\n');
	fflush(stdout);
}

int calm_run(const struct shop_request *request)
{
	uint32_t count = CALM_KINDS * request->rates_count;
	struct work work = {.count = count, .chunks = (request->series + CHUNK - 1) / CHUNK};
	int ret = 0;

	work.all = calloc(count, sizeof(*work.all));
	if (!work.all)
		return -ENOMEM;
	for (uint32_t i = 0; ret == 0 && i < count; i++) {
		struct calm *calm = &work.all[i];
		calm->kind = (enum calm_kind)(i / request->rates_count);
		calm->series = request->series;
		calm->spec = shop_counts(request, request->rates[i % request->rates_count]);
		calm->hours = calloc((size_t)request->series * INTERVALS, sizeof(*calm->hours));
		ret = calm->hours ? 0 : -ENOMEM;
	}
	if (ret == 0)
		ret = quality_share(request->threads, count * work.chunks, run_chunk, &work);
	if (ret == 0)
		print(request, work.all, count);
	for (uint32_t i = 0; i < count; i++)
		free(work.all[i].hours);
	free(work.all);
	return ret;
}
