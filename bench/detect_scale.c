/*
 * detect_scale: see detect_scale.h.
 *
 * Idea:  so many series live through their first hours minute by minute, first with the detector
 *        that runs live, then with its twin without vectors (detect_scalar.h), on the same numbers:
 *        all that they say goes into one number, which must be the same. Processor time of this
 *        thread, without the making of the numbers.
 *
 *        detect.<kind>.scalar.<series>, detect.<kind>.vector.<series>: ns a series and interval
 *        detect.<kind>.bytes.<series>: state of a series
 */
#include "detect_scale.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "detect/detector.h"
#include "detect/seasonal_build.h"

#define MINUTE_MS 60000
#define WARM_STEPS 96
#define STEPS 16 /* a turn of the longest windows */

extern const struct detector_ops scalar_seasonal, scalar_window;

static const struct subject {
	const char *name;
	enum detector_kind kind;
	const struct detector_ops *vector, *scalar; /* vector NULL: seasonal_here() */
} subjects[] = {
	{"seasonal", DETECTOR_SEASONAL, NULL, &scalar_seasonal},
	{"window", DETECTOR_WINDOW, &detector_window, &scalar_window},
};

static const struct size {
	const char *name;
	uint32_t series;
} sizes[] = {{"1k", 1000}, {"10k", 10000}, {"100k", 100000}, {"1m", 1000000}};

struct crowd {
	uint32_t series;
	struct detector_spec spec;
	const struct detector_ops *ops;
	void *state;
	double *numbers[7]; /* values, and what verdicts have as doubles */
	int8_t *direction;
	uint8_t *learn;
	uint64_t chance, said;
};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Counts of 1 to 1,000 a minute, that scatter like counts, nearly. */
static void draw(struct crowd *crowd)
{
	for (uint32_t s = 0; s < crowd->series; s++) {
		double mean = exp((double)(s % 64) * (log(1000) / 64)), unit = 1.0 / 4294967296.0;
		crowd->chance = crowd->chance * UINT64_C(6364136223846793005) + 1;
		uint64_t z = crowd->chance ^ crowd->chance >> 29;
		double sum = (double)(z >> 32) * unit + (double)(uint32_t)z * unit - 1;
		crowd->numbers[0][s] = fmax(floor(mean + sqrt(6 * mean) * sum + 0.5), 0);
	}
}

/* ns that the step took. */
static double step(struct crowd *crowd, int64_t interval)
{
	double **numbers = crowd->numbers;
	struct verdicts verdicts = {.expected = numbers[1],
				    .lower = numbers[2],
				    .upper = numbers[3],
				    .log10_p = numbers[4],
				    .severity = numbers[5],
				    .onset = numbers[6],
				    .direction = crowd->direction};
	struct observations observations = {.metric = "views",
					    .source = "live",
					    .aggregation = AGGREGATE_COUNT,
					    .interval = interval,
					    .interval_ms = MINUTE_MS,
					    .count = crowd->series,
					    .value = numbers[0],
					    .events = numbers[0],
					    .sum_squares = numbers[0]};

	draw(crowd);
	double begin = now_ns();
	crowd->ops->step(crowd->state, &crowd->spec, crowd->series, &observations, crowd->learn,
			 &verdicts);
	double ns = now_ns() - begin;
	for (uint32_t s = 0; s < crowd->series; s++) {
		uint64_t bits;
		memcpy(&bits, &numbers[4][s], sizeof(bits));
		crowd->said = (crowd->said ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
	}
	return ns;
}

static void leave(struct crowd *crowd)
{
	free(crowd->state);
	free(crowd->direction);
	free(crowd->learn);
	for (int i = 0; i < 7; i++)
		free(crowd->numbers[i]);
}

static bool gather(struct crowd *crowd)
{
	size_t bytes = crowd->ops->bytes(&crowd->spec, crowd->series);

	crowd->chance = 42;
	crowd->state = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
	crowd->direction = calloc(crowd->series, 1);
	crowd->learn = malloc(crowd->series);
	bool all = crowd->state && crowd->direction && crowd->learn;
	for (int i = 0; i < 7; i++) {
		crowd->numbers[i] = calloc(crowd->series, sizeof(double));
		all = all && crowd->numbers[i];
	}
	if (!all)
		return false;
	memset(crowd->learn, 1, crowd->series);
	crowd->ops->init(crowd->state, &crowd->spec, crowd->series);
	return true;
}

/* Returns what was said, 0 where there is no memory. */
static uint64_t measure(const struct subject *subject, const struct detector_ops *ops,
			uint32_t series, struct figure *figure)
{
	struct crowd crowd = {.series = series,
			      .ops = ops,
			      .spec = {.name = "views",
				       .kind = subject->kind,
				       .severity = 70,
				       .learn_intervals = 1,
				       .window = 60,
				       .k = 4}};

	if (gather(&crowd)) {
		for (int64_t k = 0; k < WARM_STEPS; k++)
			step(&crowd, k);
		for (int64_t k = WARM_STEPS; k < WARM_STEPS + STEPS; k++)
			figure_add(figure, step(&crowd, k) / series, 0);
		crowd.said |= 1;
	}
	leave(&crowd);
	return crowd.said;
}

static bool compare(struct report *report, const struct subject *subject, const struct size *size)
{
	char names[3][48];
	const char *parts[3] = {"scalar", "vector", "bytes"};
	struct detector_spec spec = {.kind = subject->kind, .window = 60};
	const struct detector_ops *live = subject->vector ? subject->vector : seasonal_here();
	struct figure figures[3];

	for (int f = 0; f < 3; f++) {
		snprintf(names[f], sizeof(names[f]), "detect.%s.%s.%s", subject->name, parts[f],
			 size->name);
		figures[f] = (struct figure){
			.name = names[f], .unit = f == 2 ? "bytes" : "ns", .cost = true};
	}
	uint64_t vector = measure(subject, live, size->series, &figures[1]);
	uint64_t scalar = measure(subject, subject->scalar, size->series, &figures[0]);
	if (vector == 0 || scalar == 0)
		return false;
	figure_add(&figures[2],
		   (double)live->bytes(&spec, size->series) / size->series, 0);
	for (int f = 0; f < 3; f++) {
		figures[f].lossless = vector == scalar;
		report_figure(report, &figures[f]);
	}
	return true;
}

bool detect_scale(struct report *report, bool quick)
{
	bool able = true;

	for (size_t k = 0; k < sizeof(subjects) / sizeof(subjects[0]); k++) {
		for (size_t i = 0; able && i < (quick ? 1 : sizeof(sizes) / sizeof(sizes[0])); i++)
			able = compare(report, &subjects[k], &sizes[i]);
	}
	return able;
}
