/*
 * quality_shop_run: makes the twins of a few series and has them scored.
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

int shop_part_init(struct shop_part *part, const struct counts_spec *spec, uint32_t series,
		   bool rivals)
{
	*part = (struct shop_part){.spec = *spec, .series = series, .rivals = rivals};
	part->events = calloc((size_t)series * SHOP_EVENTS, sizeof(*part->events));
	part->oracle_reach = calloc((size_t)series * SHOP_EVENTS * SHOP_REACH, sizeof(float));
	part->error_squares = calloc(series, sizeof(double));
	part->score_ns = calloc(series, sizeof(double));
	part->errors = calloc(series, sizeof(uint32_t));
	bool failed = !part->events || !part->oracle_reach || !part->error_squares ||
		      !part->score_ns || !part->errors;
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

void shop_note(struct shop_part *part, enum shop_method method, uint32_t series, uint32_t minute,
	       double clean, double injected, bool loud)
{
	struct shop_scores *scores = &part->methods[method];
	size_t hour = (size_t)series * SHOP_HOURS + (minute - SHOP_TEST) / 60;
	size_t event = (size_t)series * SHOP_EVENTS + (minute - SHOP_TEST) / SHOP_SPACING;
	const struct injection *injection = &part->events[event];

	if (clean > scores->hour_max[hour])
		scores->hour_max[hour] = (float)clean;
	if (minute >= injection->onset && minute < injection->onset + injection->length + SHOP_AFTER)
		scores->reach[event * SHOP_REACH + minute - injection->onset] = (float)injected;
	if (loud)
		note_loud(scores, series, minute);
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int twins_make(struct shop_twins *twins, const struct shop_part *part, uint32_t from,
		      uint32_t count)
{
	const size_t bytes = SHOP_MINUTES * sizeof(float);

	*twins = (struct shop_twins){.from = from, .count = count};
	twins->lambda = malloc(3 * count * bytes);
	if (!twins->lambda)
		return -ENOMEM;
	twins->clean = twins->lambda + (size_t)count * SHOP_MINUTES;
	twins->injected = twins->clean + (size_t)count * SHOP_MINUTES;
	for (uint32_t i = 0; i < count; i++) {
		struct counts_spec spec = part->spec;
		float *lambda = twins->lambda + (size_t)i * SHOP_MINUTES;
		float *clean = twins->clean + (size_t)i * SHOP_MINUTES;
		float *injected = twins->injected + (size_t)i * SHOP_MINUTES;
		const struct injection *events = &part->events[(from + i) * SHOP_EVENTS];

		spec.series = from + i;
		counts_make(&spec, lambda, clean);
		memcpy(injected, clean, bytes);
		for (uint32_t k = 0; k < SHOP_EVENTS; k++)
			counts_inject(&spec, &events[k], lambda, injected);
	}
	return 0;
}

static void twins_free(struct shop_twins *twins)
{
	free(twins->lambda);
	twins->lambda = NULL;
}

static void note_step(struct shop_part *part, const struct shop_twins *twins, uint32_t minute,
		      const struct scored *scored)
{
	for (uint32_t i = 0; i < twins->count; i++) {
		const struct scored *clean = &scored[2 * i], *injected = &scored[2 * i + 1];
		double lambda = twins->lambda[(size_t)i * SHOP_MINUTES + minute];

		shop_note(part, SHOP_WEIR, twins->from + i, minute, clean->score, injected->score,
			  clean->severity >= LOUD_SEVERITY);
		if (clean->expected > 0.0 && lambda > 0.0) {
			double error = log(clean->expected / lambda);
			part->error_squares[twins->from + i] += error * error;
			part->errors[twins->from + i]++;
		}
	}
}

static int score_weir(struct shop_part *part, const struct shop_twins *twins)
{
	const struct scoring_spec spec = {.aggregation = AGGREGATE_COUNT,
					  .interval_ms = MINUTE_MS,
					  .series = 2 * twins->count};
	struct scoring *scoring = scoring_create(&spec);
	struct scored *scored = calloc(spec.series, sizeof(*scored));
	double *values = calloc(spec.series, sizeof(*values));
	int ret = scoring && scored && values ? 0 : -ENOMEM;
	double begin = now_ns();

	for (uint32_t t = 0; ret == 0 && t < SHOP_MINUTES; t++) {
		for (uint32_t i = 0; i < twins->count; i++) {
			values[2 * i] = twins->clean[(size_t)i * SHOP_MINUTES + t];
			values[2 * i + 1] = twins->injected[(size_t)i * SHOP_MINUTES + t];
		}
		scoring_step(scoring, (int64_t)(COUNTS_START_MS / MINUTE_MS) + t, values, NULL,
			     scored);
		if (t >= SHOP_TEST)
			note_step(part, twins, t, scored);
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
	int ret = twins_make(&twins, part, from, count);

	if (ret == 0)
		ret = score_weir(part, &twins);
	if (ret == 0 && part->rivals)
		ret = shop_rivals(part, &twins);
	if (ret == 0)
		shop_oracle(part, &twins);
	twins_free(&twins);
	return ret;
}
