/*
 * traffic: the shop's events, any series in any step on its own.
 */
#include "traffic.h"

#include <errno.h>
#include <stdlib.h>

#include "random.h"

#define BUFFER_MIN 4096
#define THINNING (UINT64_C(1) << 32) /* the incident's streams, beside the series' own */
#define BOUNCING (UINT64_C(1) << 33) /* which visits are one page long */

void traffic_init(struct traffic *traffic, uint64_t seed, double page_views_min, uint64_t step_ms)
{
	traffic->seed = seed;
	traffic->step_ms = step_ms;
	traffic->incident = NULL;
	season_init(&traffic->season, seed);
	market_prices_init(&traffic->prices);
	traffic->step_mean_sum = 0.0;
	for (uint32_t i = 0; i < MARKET_SERIES; i++) {
		traffic->step_mean[i] = page_views_min * market_series_ratio(i) * (double)step_ms /
					60000.0;
		traffic->step_mean_sum += traffic->step_mean[i];
	}
}

double traffic_factor(const struct traffic *traffic, uint64_t step)
{
	return season_factor(&traffic->season, step * traffic->step_ms + traffic->step_ms / 2);
}

static int make_room(struct traffic_buffer *buffer, uint64_t count)
{
	if (count <= buffer->capacity - buffer->used)
		return 0;
	size_t capacity = buffer->capacity ? buffer->capacity : BUFFER_MIN;
	while (capacity - buffer->used < count)
		capacity *= 2;
	struct weir_sample *samples = realloc(buffer->samples, capacity * sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	buffer->samples = samples;
	buffer->capacity = capacity;
	return 0;
}

/* The series whose events these are: a bounce is a visit that was one page long. */
static uint32_t drawn_from(uint32_t series)
{
	if (market_series_event(series) != MARKET_BOUNCE)
		return series;
	return series + (MARKET_SESSION_START - MARKET_BOUNCE) * MARKET_CELLS;
}

/* Of the events from `from` on, those that are kept: visits that bounce. */
static void keep_bounces(const struct traffic *traffic, uint64_t step, uint32_t series,
			 struct traffic_buffer *buffer, size_t from)
{
	struct random random = random_keyed(traffic->seed, step, BOUNCING + series);
	double chance = traffic->step_mean[series] / traffic->step_mean[drawn_from(series)];
	size_t kept = from;
	for (size_t i = from; i < buffer->used; i++) {
		if (random_unit(&random) >= chance)
			continue;
		buffer->samples[kept] = buffer->samples[i];
		buffer->samples[kept++].series = (int)series;
	}
	buffer->used = kept;
}

int traffic_step(const struct traffic *traffic, uint64_t step, uint32_t series,
		 struct traffic_buffer *buffer)
{
	if (drawn_from(series) != series) {
		size_t from = buffer->used;
		int ret = traffic_step(traffic, step, drawn_from(series), buffer);
		if (ret == 0)
			keep_bounces(traffic, step, series, buffer, from);
		return ret;
	}
	const uint64_t start_ms = step * traffic->step_ms;
	const int32_t *cents = traffic->prices.cents[market_series_event(series)];
	const struct incident *incident = traffic->incident;
	struct random random = random_keyed(traffic->seed, step, 16 + series);
	uint64_t count = random_poisson(&random,
					traffic->step_mean[series] * traffic_factor(traffic, step));
	int ret = make_room(buffer, count);
	if (ret < 0)
		return ret;

	struct random thinning = {0};
	if (incident &&
	    (!incident_touches(incident, series) ||
	     start_ms + traffic->step_ms <= incident->onset_ms || start_ms >= incident->end_ms))
		incident = NULL;
	if (incident)
		thinning = random_keyed(traffic->seed, step, THINNING + series);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t bits = random_next(&random);
		uint64_t time_ms = start_ms + ((bits >> 32) * traffic->step_ms >> 32);
		if (incident && random_unit(&thinning) < -incident->size &&
		    time_ms >= incident->onset_ms && time_ms < incident->end_ms)
			continue;
		buffer->samples[buffer->used++] = (struct weir_sample){
			.time_ms = time_ms,
			.value = cents[bits % MARKET_PRICES] / 100.0,
			.series = (int)series,
		};
	}
	return 0;
}

static int compare_samples(const void *left, const void *right)
{
	const struct weir_sample *a = left, *b = right;
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	if (a->series != b->series)
		return a->series < b->series ? -1 : 1;
	return (a->value > b->value) - (a->value < b->value);
}

void traffic_sort(struct traffic_buffer *buffer)
{
	if (buffer->used)
		qsort(buffer->samples, buffer->used, sizeof(*buffer->samples), compare_samples);
}
