/*
 * detect_cost: see detect_cost.h.
 *
 * Idea:  some series, few enough for the second cache, are fed minute by minute: three weeks are
 *        learned, then days are measured, in processor time of this thread, without the making of
 *        the numbers. The detector that runs live and its twin, the same files compiled without
 *        clones and vectorization (detect_scalar.h), take turns on the same numbers and must give
 *        the same answers bit for bit.
 */
#include "detect_cost.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "detect/seasonal_build.h"

#define SERIES 32
#define MINUTE_MS 60000
#define DAY 1440 /* intervals */
#define WARM_DAYS 21
#define DAYS 9
#define LIMIT_SCALAR_NS 300
#define LIMIT_VECTOR_NS 150
#define LIMIT_STATE_BYTES 4096

extern const struct detector_ops scalar_seasonal;

struct side {
	const struct detector_ops *ops;
	void *state;
	double expected[SERIES], lower[SERIES], upper[SERIES], log10_p[SERIES], severity[SERIES],
		onset[SERIES];
	int8_t direction[SERIES];
	double ns; /* of the day so far */
};

struct cost {
	struct detector_spec spec;
	struct side sides[2]; /* COST_SCALAR, COST_VECTOR */
	double mean[SERIES], value[SERIES];
	struct observations observations;
	uint64_t chance;
	bool same;
};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* splitmix64, as a number between 0 and 1 */
static double uniform(struct cost *cost)
{
	uint64_t z = cost->chance += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return ((double)((z ^ (z >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

/* Counts that follow the day and scatter like counts; now and then a series has an incident, since
 * they cost too. */
static void draw(struct cost *cost, int64_t interval)
{
	double shape = 1 + 0.8 * sin((double)interval * 2 * M_PI / DAY);

	cost->observations.interval = interval;
	for (uint32_t s = 0; s < SERIES; s++) {
		double normal = sqrt(-2 * log(uniform(cost))) * cos(2 * M_PI * uniform(cost));
		bool broken = (interval / 30 + 7 * s) % 97 == 0;
		double mean = cost->mean[s] * shape * (broken ? 0.7 : 1);

		cost->value[s] = fmax(floor(mean + sqrt(mean) * normal + 0.5), 0);
	}
}

static void step(struct cost *cost, struct side *side)
{
	static const uint8_t learn[SERIES] = {[0 ... SERIES - 1] = 1};
	struct verdicts verdicts = {side->expected,  side->lower,    side->upper, side->log10_p,
				    side->direction, side->severity, side->onset};
	double begin = now_ns();

	side->ops->step(side->state, &cost->spec, SERIES, &cost->observations, learn, &verdicts);
	side->ns += now_ns() - begin;
}

static void play(struct cost *cost, int64_t day)
{
	struct side *scalar = &cost->sides[COST_SCALAR], *vector = &cost->sides[COST_VECTOR];

	scalar->ns = vector->ns = 0;
	for (int64_t k = day * DAY; k < (day + 1) * DAY; k++) {
		draw(cost, k);
		step(cost, scalar);
		step(cost, vector);
		cost->same = cost->same &&
			     memcmp(scalar->log10_p, vector->log10_p, sizeof(scalar->log10_p)) == 0;
	}
}

static bool begin(struct cost *cost)
{
	const struct detector_ops *ops[2] = {&scalar_seasonal, seasonal_here()};
	size_t bytes = ops[1]->bytes(&cost->spec, SERIES);

	for (int s = 0; s < 2; s++) {
		cost->sides[s].ops = ops[s];
		cost->sides[s].state = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
		if (!cost->sides[s].state)
			return false;
		ops[s]->init(cost->sides[s].state, &cost->spec, SERIES);
	}
	for (uint32_t s = 0; s < SERIES; s++)
		cost->mean[s] = pow(10, 3.3 * s / SERIES); /* 1 to 2,000 a minute */
	cost->observations = (struct observations){
		.metric = "views",
		.source = "live",
		.aggregation = AGGREGATE_COUNT,
		.interval_ms = MINUTE_MS,
		.count = SERIES,
		.value = cost->value,
		.events = cost->value,
		.sum_squares = cost->value,
	};
	return true;
}

bool detect_cost(struct figure ret_figures[COST_FIGURES])
{
	static struct cost cost;

	cost = (struct cost){.spec = {.name = "views",
				      .kind = DETECTOR_SEASONAL,
				      .severity = 70,
				      .learn_intervals = 1},
			     .chance = 42,
			     .same = true};
	ret_figures[COST_SCALAR] =
		(struct figure){.name = "detect.scalar", .unit = "ns", .cost = true};
	ret_figures[COST_VECTOR] =
		(struct figure){.name = "detect.vector", .unit = "ns", .cost = true};
	ret_figures[COST_STATE] =
		(struct figure){.name = "detect.series_state", .unit = "bytes", .cost = true};
	bool made = begin(&cost);
	for (int64_t day = 0; made && day < WARM_DAYS + DAYS; day++) {
		play(&cost, day);
		if (day < WARM_DAYS)
			continue;
		figure_add(&ret_figures[COST_SCALAR], cost.sides[COST_SCALAR].ns / DAY / SERIES,
			   LIMIT_SCALAR_NS);
		figure_add(&ret_figures[COST_VECTOR], cost.sides[COST_VECTOR].ns / DAY / SERIES,
			   LIMIT_VECTOR_NS);
	}
	if (made)
		figure_add(&ret_figures[COST_STATE],
			   (double)cost.sides[COST_VECTOR].ops->bytes(&cost.spec, 1024) / 1024,
			   LIMIT_STATE_BYTES);
	for (int f = 0; f < COST_FIGURES; f++)
		ret_figures[f].lossless = cost.same;
	free(cost.sides[0].state);
	free(cost.sides[1].state);
	return made;
}
