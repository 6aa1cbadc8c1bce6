/*
 * overview_metric: see overview_metric.h.
 *
 * Idea:  a day in steps of a quarter of an hour, each with what was expected of it, makes both the
 *        sparkline and the sums since midnight. Of the step that goes on still, that part of what
 *        is expected counts of which intervals have come. What does not add up is weighed with its
 *        events; percentiles and distinct ones are read as one long step, and nothing is expected
 *        of them.
 */
#include "overview_metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/zone.h"

#define DAY_MS INT64_C(86400000)
#define STEP_MS INT64_C(900000)
#define WHY_BYTES 640
#define RANK_MONEY 0
#define RANK_ORDERS 1000
#define RANK_SHARES 2000
#define RANK_OTHERS 3000

int overview_rank(const struct config *config, const char *metric)
{
	const struct config_metric *found = NULL;
	int place = 0;

	if (!config)
		return 0;
	for (unsigned i = 0; i < config->metrics_count && !found; i++) {
		place = (int)i;
		if (strcmp(config->metrics[i].name, metric) == 0)
			found = &config->metrics[i];
	}
	if (!found)
		return -1;
	bool bought = found->event && strcmp(found->event, "purchase") == 0;
	if (strcmp(found->agg, "sum") == 0 && (bought || strcasestr(metric, "revenue")))
		return RANK_MONEY + place;
	if (strcmp(found->agg, "count") == 0 && (bought || strcasestr(metric, "order")))
		return RANK_ORDERS + place;
	return (strcmp(found->agg, "ratio") == 0 ? RANK_SHARES : RANK_OTHERS) + place;
}

/* Sums since midnight. */
struct today {
	double observed, expected;
	double weight, expected_weight; /* behind them, of what is weighed */
	bool unexpected;                /* of some of it nobody can say what was expected */
};

static bool is_weighed(enum aggregation aggregation)
{
	return aggregation == AGGREGATE_MEAN || aggregation == AGGREGATE_RATIO;
}

static void add_point(struct today *today, const struct outlook *outlook,
		      const struct outlook_point *point)
{
	bool weighed = is_weighed(outlook->aggregation);
	double part = point->intervals && point->closed
			      ? fmin((double)point->closed / point->intervals, 1)
			      : 1;
	double weight = !weighed                                  ? 1
			: outlook->aggregation == AGGREGATE_RATIO ? point->weight
								  : point->events;

	if (!isfinite(point->value))
		return;
	today->observed += weighed ? point->value * weight : point->value;
	today->weight += weight;
	if (!isfinite(point->expected)) {
		today->unexpected = true;
		return;
	}
	today->expected += weighed ? point->expected * weight : point->expected * part;
	today->expected_weight += weight;
}

static void sum_up(struct overview_metric *metric, const struct outlook *outlook)
{
	struct today today = {0};

	for (uint32_t i = 0; i < outlook->count; i++)
		if (outlook->points[i].time_ms >= metric->from_ms)
			add_point(&today, outlook, &outlook->points[i]);
	bool weighed = is_weighed(outlook->aggregation);
	if (!(today.weight > 0))
		return;
	metric->observed = weighed ? today.observed / today.weight : today.observed;
	if (today.unexpected)
		return;
	metric->expected = weighed ? today.expected / today.expected_weight : today.expected;
	if (metric->expected != 0)
		metric->change = metric->observed / metric->expected - 1;
}

/* Values of steps do not tell the day's: it is read as one step. */
static int read_day(const struct looking *looking, struct overview_metric *metric)
{
	struct outlook_query query = looking_query(looking, metric->name);
	struct outlook outlook;
	char why[WHY_BYTES];

	query.source = metric->source;
	query.from_ms = metric->from_ms;
	query.step_ms = DAY_MS;
	query.values = true;
	int error = outlook_read(&query, &outlook, why, sizeof(why));
	if (error < 0)
		return error;
	/* What is kept may be too coarse for midnights of the place: another day's value is no
	 * today's. */
	if (outlook.count && outlook.points[outlook.count - 1].time_ms == metric->from_ms)
		metric->observed = outlook.points[outlook.count - 1].value;
	outlook_fini(&outlook);
	return 0;
}

static json_t *spark_json(const struct outlook *outlook)
{
	json_t *value = json_array(), *expected = json_array();
	uint32_t count = outlook->count - outlook->open;
	int64_t most = DAY_MS / outlook->step_ms;
	uint32_t first = count > most && most > 0 ? count - (uint32_t)most : 0;

	for (uint32_t i = first; i < count; i++) {
		json_array_append_new(value, looking_rough(outlook->points[i].value));
		json_array_append_new(expected, looking_rough(outlook->points[i].expected));
	}
	return json_pack("{so sI so so}", "from_ms",
			 count ? json_integer(outlook->points[first].time_ms) : json_null(),
			 "step_ms", (json_int_t)outlook->step_ms, "value", value, "expected",
			 expected);
}

static int64_t midnight_ms(const struct zone *zone, int64_t ms)
{
	int64_t local_ms = ms + zone_offset_ms(zone, ms);

	return zone_utc_ms(zone, civil_floor_div(local_ms, DAY_MS) * DAY_MS);
}

int overview_metric_look(const struct looking *looking, struct overview_metric *metric)
{
	struct outlook_query query = looking_query(looking, metric->name);
	struct outlook outlook;
	char why[WHY_BYTES];

	metric->observed = metric->expected = metric->change = NAN;
	metric->from_ms = midnight_ms(outlook_zone(looking->config), metric->through_ms - 1);
	query.source = metric->source;
	query.step_ms = STEP_MS;
	query.from_ms = metric->through_ms - DAY_MS;
	if (query.from_ms > metric->from_ms)
		query.from_ms = metric->from_ms;
	int error = outlook_read(&query, &outlook, why, sizeof(why));
	if (error < 0)
		return error;
	metric->aggregation = outlook.aggregation;
	metric->through_ms = outlook.through_ms;
	bool adds = outlook.aggregation == AGGREGATE_COUNT ||
		    outlook.aggregation == AGGREGATE_SUM || is_weighed(outlook.aggregation);
	if (adds)
		sum_up(metric, &outlook);
	else
		error = read_day(looking, metric);
	metric->spark = spark_json(&outlook);
	outlook_fini(&outlook);
	return error;
}
