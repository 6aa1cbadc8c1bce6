/*
 * quality_slices_clean: how often slices that have nothing fire, in detectors of one slice and of
 * many.
 *
 * A detector of n slices fires at its threshold plus 12.5 log10 n (severity.h), so that all n of
 * them have as many false alarms as one alone: at severity 70 one in 40 weeks. Clean slices that
 * have nothing to do with each other are scored by the bank that runs live, and the alarms are
 * counted that each would raise among 1, 10, .. 100,000 such slices: what a detector of n of them
 * would, is n times as much. So few slice-weeks tell of many detectors, and 100,000 slices need not
 * be scored for centuries; that a bank adds its budget as severity.h says is tested elsewhere
 * (tests/unit/detect/test_bank.c).
 *
 * Counts of a given mean an interval: season, slow noise of tier 1 and its scatter (counts.h).
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "detect/scoring.h"
#include "detect/severity.h"
#include "quality_share.h"
#include "quality_slices.h"
#include "random.h"
#include "season.h"

#define MINUTE_MS 60000
#define CHUNK 32 /* slices of a bank */
#define CLEAN_PART UINT64_C(0x636c6561)
#define THRESHOLD 70.0
#define GOES_ON (THRESHOLD - 25.0) /* bank.c */
#define RECOVER 2
#define TRAIN_DAYS 28
#define TEST_DAYS (12 * 7)
#define TEST_DAYS_LONG (104 * 7) /* of intervals of a day */
#define LEVELS 6 /* 1 .. 100,000 slices */
#define DAY_MINUTES 1440.0

static const uint32_t intervals[] = {1, 10, 60, 1440}; /* minutes */
static const double means[] = {0.1, 1, 5, 20, 100, 1000}; /* events an interval */

#define INTERVALS (sizeof(intervals) / sizeof(intervals[0]))
#define MEANS (sizeof(means) / sizeof(means[0]))

/* An interval and a mean. */
struct clean_case {
	uint32_t minutes;
	double mean;
	uint32_t chunks;
	double slice_weeks;
	uint32_t *alarms; /* [chunks][LEVELS] */
};

struct work {
	struct clean_case cases[INTERVALS * MEANS];
	const struct slices_request *request;
};

/* A slice's own noise: two Ornstein-Uhlenbeck processes in the place of slow noise and odd days. */
struct noise {
	struct random random;
	double slow, day;
};

struct chunk {
	const struct clean_case *of;
	const struct counts_tier *tier;
	struct season season;
	struct noise noises[CHUNK];
	double values[CHUNK];
	struct scored scored[CHUNK];
	uint8_t firing[CHUNK], quiet[CHUNK]; /* firing: a bit for each level */
	double slow_keep, day_keep;
};

static uint32_t days_of(const struct clean_case *of)
{
	return TRAIN_DAYS + (of->minutes >= COUNTS_DAY ? TEST_DAYS_LONG : TEST_DAYS);
}

static double step_process(struct random *random, double *value, double keep, double sd)
{
	*value = keep * *value + sqrt(1 - keep * keep) * sd * random_normal(random);
	return *value;
}

/* Of the season in an interval: by its middle, of a long one by its hours. */
static double season_of(const struct chunk *chunk, uint64_t step)
{
	const uint32_t minutes = chunk->of->minutes, parts = minutes > 60 ? minutes / 60 : 1;
	double sum = 0.0;

	for (uint32_t i = 0; i < parts; i++) {
		double minute = (double)minutes * ((double)step + (i + 0.5) / parts);
		sum += season_factor(&chunk->season,
				     COUNTS_START_MS + (uint64_t)(minute * MINUTE_MS));
	}
	return sum / parts;
}

static void draw(struct chunk *chunk, uint64_t step)
{
	const struct counts_tier *tier = chunk->tier;
	const double season = chunk->of->mean * season_of(chunk, step);
	const double extra = tier->extra_sd * tier->extra_sd / chunk->of->minutes;

	for (uint32_t i = 0; i < CHUNK; i++) {
		struct noise *noise = &chunk->noises[i];
		double shift = step_process(&noise->random, &noise->slow, chunk->slow_keep,
					    tier->slow_sd);
		shift += step_process(&noise->random, &noise->day, chunk->day_keep, tier->day_sd);
		double lambda = season * exp(shift);
		/* Where chance alone scatters a hundred times as much nobody can see it. */
		if (lambda * extra > 0.01)
			lambda *= random_gamma(&noise->random, 1.0 / extra);
		chunk->values[i] = (double)random_poisson(&noise->random, lambda);
	}
}

/* An alarm begins where its level's threshold is reached, and ends as a bank's does. */
static void count(struct chunk *chunk, double log10_intervals, bool counts, uint32_t *alarms)
{
	for (uint32_t i = 0; i < CHUNK; i++) {
		double raw = severity_raw(-chunk->scored[i].score, log10_intervals);
		if (raw < THRESHOLD && !chunk->firing[i])
			continue;
		chunk->quiet[i] = raw < GOES_ON ? chunk->quiet[i] + 1 : 0;
		if (chunk->quiet[i] >= RECOVER)
			chunk->firing[i] = 0;
		for (uint32_t level = 0; level < LEVELS; level++) {
			if (raw < THRESHOLD + 12.5 * level || chunk->firing[i] >> level & 1)
				continue;
			chunk->firing[i] |= (uint8_t)(1U << level);
			alarms[level] += counts;
		}
	}
}

static void begin(struct chunk *chunk, const struct work *work, const struct clean_case *of,
		  uint32_t index)
{
	const uint64_t key = random_keyed(work->request->seed,
					  CLEAN_PART + of->minutes + (uint64_t)(of->mean * 1e6),
					  index).state;

	chunk->of = of;
	chunk->tier = work->request->other ? &counts_tiers_other[1] : &counts_tiers[1];
	if (work->request->other)
		season_init_other(&chunk->season, key);
	else
		season_init(&chunk->season, key);
	chunk->slow_keep = exp(-(double)of->minutes / chunk->tier->slow_minutes);
	chunk->day_keep = exp(-(double)of->minutes / DAY_MINUTES);
	for (uint32_t i = 0; i < CHUNK; i++)
		chunk->noises[i].random = random_keyed(key, CLEAN_PART, i);
}

static int run_chunk(void *self, uint32_t index)
{
	const struct work *work = self;
	const struct clean_case *of = work->cases;

	for (; index >= of->chunks; of++)
		index -= of->chunks;
	const struct scoring_spec spec = {.aggregation = AGGREGATE_COUNT,
					  .interval_ms = (int64_t)of->minutes * MINUTE_MS,
					  .series = CHUNK};
	const double log10_intervals = severity_log10_intervals(spec.interval_ms);
	const uint64_t first = COUNTS_START_MS / (uint64_t)spec.interval_ms;
	const uint64_t steps = (uint64_t)days_of(of) * COUNTS_DAY / of->minutes;
	struct scoring *scoring = scoring_create(&spec);
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	int ret = scoring && chunk ? 0 : -ENOMEM;

	if (ret == 0)
		begin(chunk, work, of, index);
	for (uint64_t step = 0; ret == 0 && step < steps; step++) {
		draw(chunk, step);
		scoring_step(scoring, (int64_t)(first + step), chunk->values, NULL,
			     chunk->scored);
		count(chunk, log10_intervals, step * of->minutes >= TRAIN_DAYS * COUNTS_DAY,
		      of->alarms + (size_t)index * LEVELS);
	}
	scoring_destroy(scoring);
	free(chunk);
	return ret;
}

/* Alarms at a level, by how many there should be. */
static void print_case(const struct slices_request *request, const struct clean_case *of)
{
	static const char *const names[LEVELS] = {"1", "10", "100", "1000", "10000", "100000"};
	const double budget = of->slice_weeks / SLICES_BUDGET_WEEKS;

	if (of->chunks == 0)
		return;
	if (!request->json)
		printf("%5u min %6g %10.0f", of->minutes, of->mean, of->slice_weeks);
	for (uint32_t level = 0; level < LEVELS; level++) {
		double expected = budget * pow(10, -(double)level);
		uint32_t alarms = 0;
		for (uint32_t i = 0; i < of->chunks; i++)
			alarms += of->alarms[(size_t)i * LEVELS + level];
		if (request->json) {
			printf("{\"name\":\"slices_clean_%um_e%g_n%s\",\"value\":%.6g}\n",
			       of->minutes, of->mean, names[level], alarms / expected);
			printf("{\"name\":\"slices_clean_%um_e%g_n%s_alarms\",\"value\":%u}\n",
			       of->minutes, of->mean, names[level], alarms);
			continue;
		}
		char cell[32];
		snprintf(cell, sizeof(cell), "%.2f (%u)", alarms / expected, alarms);
		printf(" %13s", cell);
	}
	if (!request->json)
		putchar('\n');
}

int slices_clean_run(const struct slices_request *request)
{
	struct work work = {.request = request};
	uint32_t chunks = 0;
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < INTERVALS * MEANS; i++) {
		struct clean_case *of = &work.cases[i];
		of->minutes = intervals[i / MEANS];
		of->mean = means[i % MEANS];
		double steps = (double)days_of(of) * COUNTS_DAY / of->minutes;
		of->chunks = 1 + (uint32_t)(request->millions * 1e6 / steps / CHUNK);
		/* To see that it works, of what is fast. */
		of->chunks = request->millions == 0 && of->minutes < 60 ? 0 : of->chunks;
		of->slice_weeks = (days_of(of) - TRAIN_DAYS) / 7.0 * of->chunks * CHUNK;
		of->alarms = calloc((size_t)(of->chunks + 1) * LEVELS, sizeof(*of->alarms));
		ret = of->alarms ? 0 : -ENOMEM;
		chunks += of->chunks;
	}
	if (ret == 0)
		ret = quality_share(request->threads, chunks, run_chunk, &work);
	if (ret == 0 && !request->json)
		printf("clean slices: alarms by the budget (and how many they are) of detectors of "
		       "so many slices, at severity 70\n%9s %6s %10s %13s %13s %13s %13s %13s "
		       "%13s\n",
		       "interval", "events", "weeks", "1", "10", "100", "1,000", "10,000",
		       "100,000");
	for (uint32_t i = 0; ret == 0 && i < INTERVALS * MEANS; i++)
		print_case(request, &work.cases[i]);
	for (uint32_t i = 0; i < INTERVALS * MEANS; i++)
		free(work.cases[i].alarms);
	fflush(stdout);
	return ret;
}
