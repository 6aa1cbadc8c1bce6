/*
 * rival: see rival.h. Sums of a window are kept up and worked out anew each time the window has
 * passed once, so that what rounding does to them stays small.
 */
#include "rival.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define HOUR_MS 3600000
#define HOURS (7 * 24)
#define MONDAY_MS (4 * INT64_C(86400000)) /* the first one after the epoch */
#define VALUES_MIN 10 /* before a window says anything */
#define VISITS_MIN 3 /* before an hour does */
#define HOUR_LEAST 0.05 /* of the whole deviation: few visits can be alike by chance */
#define GAUSSIAN_WINDOW 6400
#define GAUSSIAN_STEP 100
#define GAUSSIAN_DEVIATION_MIN 1e-6

struct moments {
	double count, mean, squares; /* squares: of the distances from the mean */
};

struct rival {
	enum rival_kind kind;
	int64_t interval_ms;
	struct moments hours[HOURS];
	struct moments known; /* gaussian: what it judges by; hour of week: of all values */
	/* A ring of the last values. */
	uint32_t window, at, held;
	double sum, squares, shift; /* of the values less `shift` */
	double values[];
};

struct rival *rival_create(enum rival_kind kind, int64_t interval_ms, uint32_t window)
{
	uint32_t held = kind == RIVAL_GAUSSIAN ? GAUSSIAN_WINDOW : window;
	struct rival *rival = calloc(1, sizeof(*rival) + (held + 1) * sizeof(double));

	if (!rival)
		return NULL;
	rival->kind = kind;
	rival->interval_ms = interval_ms;
	rival->window = held ? held : 1;
	return rival;
}

void rival_destroy(struct rival *rival)
{
	free(rival);
}

/* The sums from the values, around the mean they have now. */
static void renew(struct rival *rival)
{
	rival->shift += rival->held ? rival->sum / rival->held : 0;
	rival->sum = rival->squares = 0;
	for (uint32_t i = 0; i < rival->held; i++) {
		double value = rival->values[i] - rival->shift;
		rival->sum += value;
		rival->squares += value * value;
	}
}

static void remember(struct rival *rival, double value)
{
	double *place = &rival->values[rival->at];

	if (rival->held == rival->window) {
		double old = *place - rival->shift;
		rival->sum -= old;
		rival->squares -= old * old;
	} else {
		rival->shift = rival->held ? rival->shift : value;
		rival->held++;
	}
	*place = value;
	rival->sum += value - rival->shift;
	rival->squares += (value - rival->shift) * (value - rival->shift);
	rival->at = (rival->at + 1) % rival->window;
	if (rival->at == 0)
		renew(rival);
}

static struct moments recent(const struct rival *rival)
{
	double mean = rival->sum / rival->held;
	double squares = rival->squares - mean * rival->sum;

	return (struct moments){rival->held, mean + rival->shift, squares > 0 ? squares : 0};
}

static void add(struct moments *moments, double value)
{
	double before = value - moments->mean;

	moments->count++;
	moments->mean += before / moments->count;
	moments->squares += before * (value - moments->mean);
}

static double deviation_of(const struct moments *moments)
{
	return sqrt(moments->squares / moments->count);
}

/* In standard deviations. A series that never moved has none: the least change is then far out. */
static double distance(const struct moments *moments, double value, double least)
{
	double deviation = deviation_of(moments);

	least += 1e-6 * fabs(moments->mean) + 1e-12;
	return fabs(value - moments->mean) / (deviation > least ? deviation : least);
}

static double step_sliding(struct rival *rival, double value)
{
	struct moments moments = recent(rival);
	double score = rival->held < VALUES_MIN ? 0 : distance(&moments, value, 0);

	remember(rival, value);
	return score;
}

static double step_hour(struct rival *rival, int64_t interval, double value)
{
	int64_t hour = (interval * rival->interval_ms - MONDAY_MS) / HOUR_MS % HOURS;
	struct moments *moments = &rival->hours[hour < 0 ? hour + HOURS : hour];
	double score = 0;

	if (moments->count >= VISITS_MIN)
		score = distance(moments, value, HOUR_LEAST * deviation_of(&rival->known));
	add(moments, value);
	add(&rival->known, value);
	return score;
}

/*
 * NAB's takes every value in until the window is full, then a hundred at a time; a ring that is
 * fed at once and looked at each hundred is the same. The score is the part of the normal
 * distribution that is nearer: 0.5 to 1.
 */
static double step_gaussian(struct rival *rival, double value)
{
	bool filling = rival->held < rival->window;
	double score = 0;

	if (rival->known.count > 0) {
		double deviation = deviation_of(&rival->known);
		deviation = deviation > 0 ? deviation : GAUSSIAN_DEVIATION_MIN;
		double z = fabs(value - rival->known.mean) / deviation;
		score = 1 - 0.5 * erfc(z / sqrt(2));
	}
	remember(rival, value);
	if (filling || rival->at % GAUSSIAN_STEP == 0)
		rival->known = recent(rival);
	return score;
}

double rival_step(struct rival *rival, int64_t interval, double value)
{
	if (isnan(value))
		return 0;
	switch (rival->kind) {
	case RIVAL_HOUR_OF_WEEK:
		return step_hour(rival, interval, value);
	case RIVAL_GAUSSIAN:
		return step_gaussian(rival, value);
	case RIVAL_SLIDING:
		break;
	}
	return step_sliding(rival, value);
}
