/*
 * quality_slices_clean: how often detectors of 10, 1,000 and 100,000 slices fire that have nothing.
 *
 * A detector of n slices fires at its threshold plus 12.5 log10 n (severity.h), so that all n of
 * them have as many false alarms as one alone: at severity 70 one in 40 weeks. Clean slices that
 * have nothing to do with each other are watched by banks as they run live, with the resolutions
 * and whatever they learn of their slices, from the first interval on; after four weeks their
 * alarms are counted. Beside what they are of the budget stands between what the true figure lies
 * in nine of ten cases, by the Poisson distribution of what was counted: one alarm in 40 weeks
 * takes many weeks, and as many times the slices.
 *
 * Counts of a given mean an interval: season, slow noise of tier 1 and its scatter (counts.h); or,
 * mixed, of all these means in turn.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detect/bank.h"
#include "detect/scoring.h"
#include "quality_share.h"
#include "quality_slices.h"
#include "random.h"
#include "season.h"

#define MINUTE_MS 60000
#define CLEAN_PART UINT64_C(0x636c6561)
#define TRAIN_WEEKS 4
#define DAY_MINUTES 1440.0
/* A bank is watched although it takes so many times what was asked for. */
#define STRETCH 20.0
#define MIXED 0.0

/* Of an interval, in minutes: weeks of test. */
static const struct {
	uint32_t minutes, weeks;
} intervals[] = {{1, 12}, {10, 24}, {60, 52}, {1440, 208}};
static const double means[] = {0.1, 1, 5, 20, 100, 1000, MIXED}; /* events an interval */
static const uint32_t sizes[] = {10, 1000, 100000};              /* slices of a bank */

#define INTERVALS (sizeof(intervals) / sizeof(intervals[0]))
#define MEANS (sizeof(means) / sizeof(means[0]))
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* An interval, a mean and a number of slices. */
struct clean_case {
	uint32_t minutes, weeks, slices, banks;
	double mean;
	uint32_t *alarms; /* [banks] */
};

struct work {
	struct clean_case cases[INTERVALS * MEANS * SIZES];
	const struct slices_request *request;
};

/* A slice's own noise: two Ornstein-Uhlenbeck processes in the place of slow noise and odd days. */
struct noise {
	struct random random;
	double slow, day;
};

struct watched {
	const struct clean_case *of;
	const struct counts_tier *tier;
	struct season season;
	double slow_keep, day_keep;
	uint32_t alarms;
	double severity;
	/* [slices] */
	struct noise *noises;
	double *values;
	struct slice *slices;
	char (*names)[16];
	const char **parts; /* [2]: what their labels are made of */
};

static double step_process(struct random *random, double *value, double keep, double sd)
{
	*value = keep * *value + sqrt(1 - keep * keep) * sd * random_normal(random);
	return *value;
}

/* Of the season in an interval: by its middle, of a long one by its hours. */
static double season_of(const struct watched *watched, uint64_t step)
{
	const uint32_t minutes = watched->of->minutes, parts = minutes > 60 ? minutes / 60 : 1;
	double sum = 0.0;

	for (uint32_t i = 0; i < parts; i++) {
		double minute = (double)minutes * ((double)step + (i + 0.5) / parts);
		sum += season_factor(&watched->season,
				     COUNTS_START_MS + (uint64_t)(minute * MINUTE_MS));
	}
	return sum / parts;
}

static void draw(struct watched *watched, uint64_t step)
{
	const struct clean_case *of = watched->of;
	const struct counts_tier *tier = watched->tier;
	const double season = season_of(watched, step);
	const double extra = tier->extra_sd * tier->extra_sd / of->minutes;

	for (uint32_t i = 0; i < of->slices; i++) {
		struct noise *noise = &watched->noises[i];
		double mean = of->mean == MIXED ? means[i % (MEANS - 1)] : of->mean;
		double shift = step_process(&noise->random, &noise->slow, watched->slow_keep,
					    tier->slow_sd);
		shift += step_process(&noise->random, &noise->day, watched->day_keep, tier->day_sd);
		double lambda = mean * season * exp(shift);
		/* Where chance alone scatters a hundred times as much nobody can see it. */
		if (lambda * extra > 0.01)
			lambda *= random_gamma(&noise->random, 1.0 / extra);
		watched->values[i] = (double)random_poisson(&noise->random, lambda);
	}
}

static void hear(void *self, const struct anomaly *anomaly)
{
	struct watched *watched = self;

	watched->alarms += anomaly->state == ANOMALY_FIRING;
}

static int begin(struct watched *watched, const struct work *work, const struct clean_case *of,
		 uint32_t index)
{
	const struct slices_request *request = work->request;
	const uint64_t key = random_keyed(request->seed,
					  CLEAN_PART + of->minutes + (uint64_t)(of->mean * 1e6),
					  (uint64_t)of->slices << 32 | index)
				     .state;

	*watched = (struct watched){
		.of = of,
		.severity = request->clean_severity,
		.tier = request->other ? &counts_tiers_other[1] : &counts_tiers[1],
		.noises = calloc(of->slices, sizeof(*watched->noises)),
		.values = calloc(of->slices, sizeof(*watched->values)),
		.slices = calloc(of->slices, sizeof(*watched->slices)),
		.names = calloc(of->slices, sizeof(*watched->names)),
		.parts = calloc((size_t)2 * of->slices, sizeof(*watched->parts)),
	};
	if (!watched->noises || !watched->values || !watched->slices || !watched->names ||
	    !watched->parts)
		return -ENOMEM;
	if (request->other)
		season_init_other(&watched->season, key);
	else
		season_init(&watched->season, key);
	watched->slow_keep = exp(-(double)of->minutes / watched->tier->slow_minutes);
	watched->day_keep = exp(-(double)of->minutes / DAY_MINUTES);
	for (uint32_t i = 0; i < of->slices; i++) {
		const char **parts = &watched->parts[(size_t)2 * i];

		watched->noises[i].random = random_keyed(key, CLEAN_PART, i);
		snprintf(watched->names[i], sizeof(watched->names[i]), "shop=%u", i);
		parts[0] = "shop";
		parts[1] = watched->names[i] + strlen("shop=");
		watched->slices[i] = (struct slice){.label = watched->names[i],
						    .rollup = 1,
						    .dimensions = 1,
						    .names = &parts[0],
						    .values = &parts[1]};
	}
	return 0;
}

static void end(struct watched *watched)
{
	free(watched->noises);
	free(watched->values);
	free(watched->slices);
	free(watched->names);
	free(watched->parts);
}

static uint64_t steps_of(const struct clean_case *of, uint32_t weeks)
{
	return (uint64_t)weeks * COUNTS_WEEK / of->minutes;
}

static int watch(struct watched *watched)
{
	const struct clean_case *of = watched->of;
	struct detector_spec spec;
	struct observations observations = {
		.metric = "orders",
		.source = "shop",
		.aggregation = AGGREGATE_COUNT,
		.interval_ms = (int64_t)of->minutes * MINUTE_MS,
		.count = of->slices,
		.value = watched->values,
		.events = watched->values,
		.sum_squares = watched->values,
		.slices = watched->slices,
	};
	const uint64_t first = COUNTS_START_MS / (uint64_t)observations.interval_ms;
	const uint64_t train = steps_of(of, TRAIN_WEEKS);
	const uint64_t steps = train + steps_of(of, of->weeks);
	int ret = 0;

	slices_shipped(&spec, observations.interval_ms);
	spec.severity = watched->severity;
	struct bank *bank = bank_create(&spec);
	if (!bank)
		return -ENOMEM;
	for (uint64_t step = 0; ret == 0 && step < steps; step++) {
		draw(watched, step);
		observations.interval = (int64_t)(first + step);
		ret = bank_step(bank, &observations, hear, watched);
		if (step + 1 == train)
			watched->alarms = 0;
	}
	bank_destroy(bank);
	return ret;
}

static int run_bank(void *self, uint32_t index)
{
	const struct work *work = self;
	const struct clean_case *of = work->cases;
	struct watched watched;

	for (; index >= of->banks; of++)
		index -= of->banks;
	int ret = begin(&watched, work, of, index);
	if (ret == 0)
		ret = watch(&watched);
	of->alarms[index] = watched.alarms;
	end(&watched);
	return ret;
}

/* The mean at which so many, or fewer, come with this probability. */
static double poisson_mean(uint32_t count, double probability)
{
	double low = 0.0, high = 10.0 + 3.0 * count;

	for (int turn = 0; turn < 60; turn++) {
		double mean = 0.5 * (low + high), sum = 0.0;

		for (uint32_t k = 0; k <= count; k++)
			sum += exp(k * log(mean) - mean - lgamma(k + 1.0));
		if (sum > probability)
			low = mean;
		else
			high = mean;
	}
	return low;
}

/* Between two false alarms of a detector. */
static double budget_weeks(const struct slices_request *request)
{
	return SLICES_BUDGET_WEEKS *
	       pow(10.0, (request->clean_severity - SLICES_SEVERITY) / 12.5);
}

/* Alarms by how many there should be, and between what that lies. */
static void print_case(const struct slices_request *request, const struct clean_case *of)
{
	const double budget = (double)of->banks * of->weeks / budget_weeks(request);
	uint32_t alarms = 0;
	char cell[64];

	for (uint32_t i = 0; i < of->banks; i++)
		alarms += of->alarms[i];
	const struct {
		const char *name;
		double value;
	} figures[] = {
		{"", alarms / budget},
		{"_least", alarms ? poisson_mean(alarms - 1, 0.95) / budget : 0.0},
		{"_most", poisson_mean(alarms, 0.05) / budget},
		{"_alarms", alarms},
	};
	if (!request->json && of->banks == 0)
		printf(" %26s", "-");
	if (of->banks == 0)
		return;
	for (uint32_t i = 0; request->json && i < sizeof(figures) / sizeof(figures[0]); i++)
		printf("{\"name\":\"slices_clean_%um_e%g_n%u%s\",\"value\":%.6g}\n", of->minutes,
		       of->mean, of->slices, figures[i].name, figures[i].value);
	snprintf(cell, sizeof(cell), "%.2f %.2f-%.2f (%u)", figures[0].value, figures[1].value,
		 figures[2].value, alarms);
	if (!request->json)
		printf(" %26s", cell);
}

static void print(const struct slices_request *request, const struct work *work)
{
	if (!request->json)
		printf("clean slices: alarms of detectors of so many slices at severity %g, by the "
		       "budget; between what nine of ten times (and how many they are)\n"
		       "%9s %6s %26s %26s %26s\n",
		       request->clean_severity, "interval", "events", "10", "1,000", "100,000");
	for (uint32_t i = 0; i < INTERVALS * MEANS; i++) {
		const struct clean_case *row = &work->cases[i * SIZES];
		char mean[16] = "mixed";

		if (row[0].banks + row[1].banks + row[2].banks == 0)
			continue;
		if (row->mean != MIXED)
			snprintf(mean, sizeof(mean), "%g", row->mean);
		if (!request->json)
			printf("%5u min %6s", row->minutes, mean);
		for (uint32_t k = 0; k < SIZES; k++)
			print_case(request, &row[k]);
		if (!request->json)
			putchar('\n');
	}
	fflush(stdout);
}

bool slices_clean_known(uint32_t minutes, uint32_t slices)
{
	bool length = minutes == 0, size = slices == 0;

	for (uint32_t i = 0; i < INTERVALS; i++)
		length |= intervals[i].minutes == minutes;
	for (uint32_t i = 0; i < SIZES; i++)
		size |= sizes[i] == slices;
	return length && size;
}

bool slices_clean_events(const char *text, double *ret_events)
{
	char name[16];

	for (uint32_t i = 0; i < MEANS; i++) {
		snprintf(name, sizeof(name), "%g", means[i]);
		*ret_events = means[i];
		if (strcmp(text, means[i] == MIXED ? "mixed" : name) == 0)
			return true;
	}
	return false;
}

/* So many banks as are asked for; none of what takes too long for one. */
static uint32_t banks_of(const struct slices_request *request, const struct clean_case *of)
{
	double steps = (double)steps_of(of, TRAIN_WEEKS + of->weeks) * of->slices;
	double banks = request->millions * 1e6 / steps;

	if ((request->clean_slices && request->clean_slices != of->slices) ||
	    (request->clean_minutes && request->clean_minutes != of->minutes) ||
	    (request->clean_events >= 0.0 && request->clean_events != of->mean))
		return 0;
	/* To see that it works, of what is fast. */
	if (request->millions == 0)
		return of->minutes >= COUNTS_DAY && of->slices == 10;
	/* Who asks for it has the time. */
	return banks * STRETCH < 1 && !request->clean_slices ? 0 : 1 + (uint32_t)banks;
}

int slices_clean_run(const struct slices_request *request)
{
	struct work work = {.request = request};
	uint32_t banks = 0;
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < INTERVALS * MEANS * SIZES; i++) {
		struct clean_case *of = &work.cases[i];
		of->minutes = intervals[i / SIZES / MEANS].minutes;
		of->weeks = request->clean_weeks ? request->clean_weeks
						 : intervals[i / SIZES / MEANS].weeks;
		of->mean = means[i / SIZES % MEANS];
		of->slices = sizes[i % SIZES];
		of->banks = banks_of(request, of);
		of->alarms = calloc(of->banks + 1, sizeof(*of->alarms));
		ret = of->alarms ? 0 : -ENOMEM;
		banks += of->banks;
	}
	if (ret == 0)
		ret = quality_share(request->threads, banks, run_bank, &work);
	if (ret == 0)
		print(request, &work);
	for (uint32_t i = 0; i < INTERVALS * MEANS * SIZES; i++)
		free(work.cases[i].alarms);
	return ret;
}
