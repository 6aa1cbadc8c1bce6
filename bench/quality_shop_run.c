/*
 * quality_shop_run: has the twins of a few series scored.
 *
 * Clean and injected twin lie side by side in one bank, so that both went through the same
 * training. Scores are not kept: what the measures need of them is written down as they come.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "detect/scoring.h"
#include "quality_shop.h"

#define MINUTE_MS 60000
#define LOUD_SEVERITY 50.0

static int scores_init(struct shop_scores *scores, uint32_t series)
{
	scores->hour_max = calloc((size_t)series * SHOP_HOURS, sizeof(float));
	scores->reach = calloc((size_t)series * SHOP_EVENTS * SHOP_REACH, sizeof(float));
	scores->loud_hours = calloc((size_t)3 * series, sizeof(uint32_t));
	if (!scores->hour_max || !scores->reach || !scores->loud_hours)
		return -ENOMEM;
	scores->loud_episodes = scores->loud_hours + series;
	scores->loud_last = scores->loud_episodes + series;
	return 0;
}

int shop_part_init(struct shop_part *part, enum shop_kind kind, const struct counts_spec *spec,
		   uint32_t series, bool rivals)
{
	*part = (struct shop_part){
		.kind = kind, .spec = *spec, .series = series, .rivals = rivals};
	part->events = calloc((size_t)series * SHOP_EVENTS, sizeof(*part->events));
	part->oracle_reach = calloc((size_t)series * SHOP_EVENTS * SHOP_REACH, sizeof(float));
	part->error_squares = calloc(series, sizeof(double));
	part->score_ns = calloc(series, sizeof(double));
	part->errors = calloc((size_t)5 * series, sizeof(uint32_t));
	part->fired_at = calloc((size_t)series * SHOP_EVENTS, sizeof(uint8_t));
	bool failed = !part->events || !part->oracle_reach || !part->error_squares ||
		      !part->score_ns || !part->errors || !part->fired_at;
	part->fired = part->errors ? part->errors + series : NULL;
	part->early = part->errors ? part->errors + (size_t)2 * series : NULL;
	for (uint32_t i = 0; i < SHOP_METHODS; i++)
		failed |= (i == SHOP_WEIR || rivals) && scores_init(&part->methods[i], series) < 0;
	for (uint32_t i = 0; i < COUNTS_SIZES; i++) {
		part->oracle_max[i] = calloc((size_t)series * SHOP_HOURS, sizeof(float));
		failed |= !part->oracle_max[i];
	}
	if (failed) {
		shop_part_free(part);
		return -ENOMEM;
	}
	counts_plan(spec, series, SHOP_TEST, SHOP_SPACING, SHOP_EVENTS, part->events);
	return 0;
}

void shop_part_free(struct shop_part *part)
{
	for (uint32_t i = 0; i < SHOP_METHODS; i++) {
		free(part->methods[i].hour_max);
		free(part->methods[i].reach);
		free(part->methods[i].loud_hours);
	}
	for (uint32_t i = 0; i < COUNTS_SIZES; i++)
		free(part->oracle_max[i]);
	free(part->oracle_reach);
	free(part->error_squares);
	free(part->score_ns);
	free(part->errors);
	free(part->fired_at);
	free(part->events);
	memset(part, 0, sizeof(*part));
}

static void note_loud(struct shop_scores *scores, uint32_t series, uint32_t minute)
{
	uint32_t last = scores->loud_last[series];

	scores->loud_hours[series] += last == 0 || minute / 60 != last / 60;
	scores->loud_episodes[series] += last == 0 || minute - last > SHOP_QUIET;
	scores->loud_last[series] = minute;
}

int64_t shop_event_at(const struct shop_part *part, uint32_t series, uint32_t minute)
{
	uint32_t event = series * SHOP_EVENTS + (minute - SHOP_TEST) / SHOP_SPACING;
	const struct injection *injection = &part->events[event];

	return minute >= injection->onset &&
			       minute < injection->onset + injection->length + SHOP_AFTER
		       ? (int64_t)event
		       : -1;
}

void shop_note(struct shop_part *part, enum shop_method method, uint32_t series, uint32_t minute,
	       double clean, double injected, bool loud)
{
	struct shop_scores *scores = &part->methods[method];
	size_t hour = (size_t)series * SHOP_HOURS + (minute - SHOP_TEST) / 60;
	int64_t event = shop_event_at(part, series, minute);

	if (clean > scores->hour_max[hour])
		scores->hour_max[hour] = (float)clean;
	if (event >= 0)
		scores->reach[event * SHOP_REACH + minute - part->events[event].onset] =
			(float)injected;
	if (loud)
		note_loud(scores, series, minute);
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void note_step(struct shop_part *part, const struct shop_twins *twins, uint32_t minute,
		      const struct scored *scored)
{
	for (uint32_t i = 0; i < twins->count; i++) {
		const struct scored *clean = &scored[2 * i], *injected = &scored[2 * i + 1];
		double events = shop_row(twins->lambda, i)[minute];
		if (shop_aside(twins, i, minute) & TWINS_UNCOUNTED)
			continue;
		double mean = shop_value(twins, i, minute, events * twins->worth);

		shop_note(part, SHOP_WEIR, twins->from + i, minute, clean->score, injected->score,
			  clean->severity >= LOUD_SEVERITY);
		int64_t event = shop_event_at(part, twins->from + i, minute);
		part->fired[twins->from + i] += clean->alarm;
		if (event >= 0 && injected->alarm)
			part->fired_at[event] = 1;
		if (clean->expected > 0.0 && mean > 0.0) {
			double error = log(clean->expected / mean);
			part->error_squares[twins->from + i] += error * error;
			part->errors[twins->from + i]++;
		}
	}
}

/* While it learns. */
static void note_early(struct shop_part *part, const struct shop_twins *twins, uint32_t minute,
		       const struct scored *scored)
{
	uint32_t *hours = part->early + (minute < COUNTS_WEEK ? 0 : part->series);
	uint32_t *last = part->early + (size_t)2 * part->series;

	for (uint32_t i = twins->from; i < twins->from + twins->count; i++) {
		if (scored[2 * (i - twins->from)].severity < LOUD_SEVERITY ||
		    shop_aside(twins, i - twins->from, minute) & TWINS_UNCOUNTED ||
		    last[i] == minute / 60 + 1)
			continue;
		hours[i]++;
		last[i] = minute / 60 + 1;
	}
}

/* A minute's values, and where there are any the visits behind them, of both twins. */
static void fill_values(const struct shop_twins *twins, uint32_t t, double *values, double *weights)
{
	for (uint32_t i = 0; i < twins->count; i++) {
		values[2 * i] = shop_value(twins, i, t, shop_row(twins->clean, i)[t]);
		values[2 * i + 1] = shop_value(twins, i, t, shop_row(twins->injected, i)[t]);
		if (twins->visits)
			weights[2 * i] = weights[2 * i + 1] = shop_row(twins->visits, i)[t];
	}
}

static int score_weir(struct shop_part *part, const struct shop_twins *twins)
{
	static const enum aggregation aggregations[SHOP_KINDS] = {AGGREGATE_COUNT, AGGREGATE_RATIO,
								  AGGREGATE_SUM};
	const struct scoring_spec spec = {.aggregation = aggregations[part->kind],
					  .interval_ms = MINUTE_MS,
					  .series = 2 * twins->count};
	struct scoring *scoring = scoring_create(&spec);
	struct scored *scored = calloc(spec.series, sizeof(*scored));
	double *values = calloc((size_t)2 * spec.series, sizeof(*values));
	int ret = scoring && scored && values ? 0 : -ENOMEM;
	double begin = now_ns();

	for (uint32_t t = 0; ret == 0 && t < SHOP_MINUTES; t++) {
		double *weights = twins->visits ? values + spec.series : NULL;
		fill_values(twins, t, values, weights);
		scoring_step(scoring, (int64_t)(COUNTS_START_MS / MINUTE_MS) + t, values, weights,
			     scored);
		if (t >= SHOP_TEST)
			note_step(part, twins, t, scored);
		else
			note_early(part, twins, t, scored);
	}
	double each = (now_ns() - begin) / SHOP_MINUTES / spec.series;
	for (uint32_t i = 0; i < twins->count; i++)
		part->score_ns[twins->from + i] = each;
	scoring_destroy(scoring);
	free(scored);
	free(values);
	return ret;
}

int shop_part_score(struct shop_part *part, uint32_t from, uint32_t count)
{
	struct shop_twins twins;
	int ret = shop_twins_make(&twins, part->kind, &part->spec, from, count);

	for (uint32_t i = 0; ret == 0 && i < count * SHOP_EVENTS; i++)
		shop_plant(&twins, i / SHOP_EVENTS, &part->events[from * SHOP_EVENTS + i]);
	if (ret == 0)
		ret = score_weir(part, &twins);
	if (ret == 0 && part->rivals)
		ret = shop_rivals(part, &twins);
	if (ret == 0)
		shop_oracle(part, &twins);
	shop_twins_free(&twins);
	return ret;
}
