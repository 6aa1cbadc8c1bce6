/*
 * quality_lasting: plants changes that last, and writes down what the detector makes of them.
 *
 * Beside each time to find one stands the limit: the minutes until the mean evidence for the
 * change, the sum of lambda ((1+d) ln(1+d) - d), is the logarithm of the minutes in a week. On
 * average no rule that has one false alarm a week finds a change of Poisson counts much sooner
 * (G. Lorden, "Procedures for reacting to a change in distribution", Annals of Mathematical
 * Statistics 42, 1971).
 */
#include "quality_lasting.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detect/scoring.h"
#include "quality_share.h"
#include "random.h"

#define MINUTE_MS 60000
#define SEVERITY 50.0
#define CHUNK 10    /* series */
#define RATE_LOW 80 /* of orders: about 100 a minute */
#define RATE_HIGH 125
#define CONVERSION_RATE 100.0 /* mean of a week */
#define WEEK COUNTS_WEEK
#define PLAN_PART UINT64_C(0x6c617374) /* of the random streams */
#define TRIES 1000

const struct lasting_scenario lasting_scenarios[LASTING_KINDS] = {
	[LASTING_SHIFT] = {.size = 0.2,
			   .length = SHOP_MINUTES,
			   .horizon = 720,
			   .after_from = WEEK,
			   .after_to = 2 * WEEK,
			   .blocks = 1},
	[LASTING_DRIFT] = {.size = -0.2, .ramp = 360, .length = 720, .horizon = 720, .blocks = 1},
	[LASTING_OUTAGE] = {.size = -1,
			    .length = 240,
			    .horizon = 240,
			    .after_from = 300,
			    .after_to = 300 + WEEK,
			    .blocks = 1},
	[LASTING_CONVERSION] = {.size = -0.1, .length = 120, .horizon = 120, .blocks = SHOP_EVENTS},
};

/* Chunks of all scenarios. */
struct work {
	struct lasting *all;
	uint32_t count, chunks; /* chunks: of each */
};

double lasting_evidence(double lambda, double size)
{
	double rest = 1.0 + size;
	return lambda * ((rest > 0.0 ? rest * log(rest) : 0.0) - size);
}

/* How large it is, so many minutes after its onset. */
static double size_at(const struct lasting_scenario *scenario, double size, uint32_t minute)
{
	return minute < scenario->ramp ? size * (minute + 1) / scenario->ramp : size;
}

/* When it begins: of conversion, at some time when there are about so many orders. */
static uint32_t choose_onset(const struct lasting *lasting, struct random *random, uint32_t block,
			     const float *lambda)
{
	uint32_t spacing = lasting->kind == LASTING_CONVERSION ? SHOP_SPACING : 3 * COUNTS_DAY;
	uint32_t from = SHOP_TEST + block * spacing, onset = from;

	for (uint32_t i = 0; i < TRIES; i++) {
		onset = from + random_below(random, spacing - 2 * 120);
		if (lasting->kind != LASTING_CONVERSION ||
		    (lambda[onset] >= RATE_LOW && lambda[onset] <= RATE_HIGH))
			break;
	}
	return onset;
}

static void plant(struct lasting *lasting, struct shop_twins *twins, uint32_t index)
{
	const struct lasting_scenario *scenario = &lasting_scenarios[lasting->kind];
	const float *lambda = shop_row(twins->lambda, index);
	uint32_t series = twins->from + index;
	struct random random = random_keyed(lasting->spec.seed, PLAN_PART + lasting->kind, series);

	for (uint32_t block = 0; block < scenario->blocks; block++) {
		struct lasting_event *event = &lasting->events[series * scenario->blocks + block];
		double evidence = 0.0;

		event->onset = choose_onset(lasting, &random, block, lambda);
		event->size = lasting->kind == LASTING_SHIFT && series % 2 ? -scenario->size
									   : scenario->size;
		for (uint32_t k = 0;
		     k < scenario->length && event->onset + k < SHOP_MINUTES; k++) {
			struct injection minute = {.onset = event->onset + k,
						   .length = 1,
						   .size = size_at(scenario, event->size, k)};
			shop_plant(twins, index, &minute);
			if (k >= scenario->horizon)
				continue;
			evidence += lasting_evidence(lambda[event->onset + k], minute.size);
			if (evidence >= LASTING_NATS && event->limit == 0)
				event->limit = k + 1;
		}
	}
}

static void note(struct lasting_event *event, const struct lasting_scenario *scenario, uint32_t t,
		 const struct scored *scored, double mean)
{
	uint32_t since = t - event->onset;
	bool loud = scored->severity >= SEVERITY;

	if (since < scenario->horizon && loud && event->found == 0)
		event->found = since + 1;
	if (since < WEEK)
		event->fired += scored->alarm;
	if (loud && since >= scenario->after_from && since < scenario->after_to &&
	    event->last_hour != t / 60) {
		event->loud_hours++;
		event->last_hour = t / 60;
	}
	if (since >= WEEK && since < WEEK + COUNTS_DAY && scored->expected > 0.0 && mean > 0.0) {
		event->adapted += log(scored->expected / mean) / log1p(event->size);
		event->adapted_minutes++;
	}
}

/* The change that a minute comes after; NULL: none yet. */
static struct lasting_event *latest(struct lasting *lasting, uint32_t series, uint32_t t)
{
	uint32_t blocks = lasting_scenarios[lasting->kind].blocks;
	struct lasting_event *found = NULL;

	for (uint32_t i = 0; i < blocks; i++)
		if (lasting->events[series * blocks + i].onset <= t)
			found = &lasting->events[series * blocks + i];
	return found;
}

static void note_step(struct lasting *lasting, const struct shop_twins *twins, uint32_t t,
		      const struct scored *scored)
{
	for (uint32_t i = 0; i < twins->count; i++) {
		struct lasting_event *event = latest(lasting, twins->from + i, t);
		if (event)
			note(event, &lasting_scenarios[lasting->kind], t, &scored[i],
			     shop_value(twins, i, t, shop_row(twins->lambda, i)[t]));
	}
}

static int score(struct lasting *lasting, const struct shop_twins *twins)
{
	const struct scoring_spec spec = {
		.aggregation = twins->visits ? AGGREGATE_RATIO : AGGREGATE_COUNT,
		.interval_ms = MINUTE_MS,
		.series = twins->count};
	struct scoring *scoring = scoring_create(&spec);
	struct scored *scored = calloc(spec.series, sizeof(*scored));
	double *values = calloc((size_t)2 * spec.series, sizeof(*values));
	double *visits = twins->visits && values ? values + spec.series : NULL;
	int ret = scoring && scored && values ? 0 : -ENOMEM;

	for (uint32_t t = 0; ret == 0 && t < SHOP_MINUTES; t++) {
		for (uint32_t i = 0; i < twins->count; i++) {
			values[i] = shop_value(twins, i, t, shop_row(twins->injected, i)[t]);
			if (visits)
				visits[i] = shop_row(twins->visits, i)[t];
		}
		scoring_step(scoring, (int64_t)(COUNTS_START_MS / MINUTE_MS) + t, values, visits,
			     scored);
		if (t >= SHOP_TEST)
			note_step(lasting, twins, t, scored);
	}
	scoring_destroy(scoring);
	free(scored);
	free(values);
	return ret;
}

static int run_chunk(void *self, uint32_t index)
{
	struct work *work = self;
	struct lasting *lasting = &work->all[index / work->chunks];
	uint32_t from = index % work->chunks * CHUNK;
	uint32_t count = lasting->series - from < CHUNK ? lasting->series - from : CHUNK;
	struct shop_twins twins;
	int ret = shop_twins_make(&twins,
				  lasting->kind == LASTING_CONVERSION ? SHOP_CONVERSION
								      : SHOP_COUNT,
				  &lasting->spec, from, count);

	for (uint32_t i = 0; ret == 0 && i < count; i++)
		plant(lasting, &twins, i);
	if (ret == 0)
		ret = score(lasting, &twins);
	shop_twins_free(&twins);
	return ret;
}

/* 0; -ENOMEM. */
static int prepare(const struct shop_request *request, struct lasting *all, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct lasting *lasting = &all[i];
		bool last = i + 1 == count;
		lasting->kind = last ? LASTING_CONVERSION
				     : (enum lasting_kind)(i / request->rates_count);
		lasting->series = request->series;
		lasting->spec = shop_counts(
			request, last ? CONVERSION_RATE : request->rates[i % request->rates_count]);
		lasting->events = calloc((size_t)request->series *
						 lasting_scenarios[lasting->kind].blocks,
					 sizeof(*lasting->events));
		if (!lasting->events)
			return -ENOMEM;
	}
	return 0;
}

int lasting_run(const struct shop_request *request)
{
	uint32_t count = LASTING_CONVERSION * request->rates_count + 1;
	struct work work = {.count = count, .chunks = (request->series + CHUNK - 1) / CHUNK};
	int ret;

	work.all = calloc(count, sizeof(*work.all));
	if (!work.all)
		return -ENOMEM;
	ret = prepare(request, work.all, count);
	if (ret == 0)
		ret = quality_share(request->threads, count * work.chunks, run_chunk, &work);
	if (ret == 0)
		lasting_print(request, work.all);
	for (uint32_t i = 0; i < count; i++)
		free(work.all[i].events);
	free(work.all);
	return ret;
}
