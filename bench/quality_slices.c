/*
 * quality_slices: one slice of a metric fails, or two: is it found, how soon, and is it named? And
 * how often do slices that have nothing cry wolf?
 *
 * Idea:  shops of six countries and three devices from a seed, each watched by banks of all its
 *        slices (quality_slices.h); shops are handed out to threads.
 */
#include "quality_slices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "machine.h"
#include "quality.h"
#include "quality_rates.h"
#include "quality_share.h"
#include "question.h"

#define QUICK_SHOPS 3

enum { TABLE_FAULTS, TABLE_CLEAN, TABLES };

struct settings {
	const char *rates;
	const char *events;
	uint32_t shops, threads, millions, slices, minutes, weeks, severity;
	unsigned table; /* of the choices; TABLES: all */
	uint64_t seed;
	bool quick, json, other;
};

static const struct option_row rows[] = {
	{.name = "rates",
	 .argument = "LIST",
	 .help = "events a minute of all slices together; default 200,1000",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, rates)},
	{.name = "shops",
	 .argument = "N",
	 .help = "of each rate; 14 faults each; default 90",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 2000,
	 .at = offsetof(struct settings, shops)},
	{.name = "table",
	 .argument = "faults|clean|all",
	 .help = "what fails; alarms of slices that have nothing; default all",
	 .kind = OPTION_CHOICE,
	 .at = offsetof(struct settings, table)},
	{.name = "millions",
	 .argument = "N",
	 .help = "of intervals of slices, of each case of clean ones; default 10",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 100000,
	 .at = offsetof(struct settings, millions)},
	{.name = "slices",
	 .argument = "N",
	 .help = "clean ones in detectors of 10, 1000 or 100000; default all",
	 .kind = OPTION_U32,
	 .min = 10,
	 .max = 100000,
	 .at = offsetof(struct settings, slices)},
	{.name = "minutes",
	 .argument = "N",
	 .help = "of an interval of clean slices: 1, 10, 60 or 1440; default all",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 1440,
	 .at = offsetof(struct settings, minutes)},
	{.name = "events",
	 .argument = "N|mixed",
	 .help = "an interval of clean slices: 0.1, 1, 5, 20, 100, 1000, or all of these mixed; "
		 "default each",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, events)},
	{.name = "weeks",
	 .argument = "N",
	 .help = "in which alarms of clean slices are counted, behind four; default 12 to 208, by "
		 "the interval",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 500,
	 .at = offsetof(struct settings, weeks)},
	{.name = "severity",
	 .argument = "N",
	 .help = "threshold of clean slices' detectors; default 70, which is rarely passed: at 57 "
		 "there are ten times as many alarms to count",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 100,
	 .at = offsetof(struct settings, severity)},
	{.name = "seed",
	 .argument = "N",
	 .help = "everything follows from it; default 1",
	 .kind = OPTION_U64,
	 .at = offsetof(struct settings, seed)},
	{.name = "other",
	 .help = "shops of other habits, with noise of another size and speed",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, other)},
	{.name = "threads",
	 .argument = "N",
	 .help = "that share the work; default 2",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = SHARE_THREADS_MAX,
	 .at = offsetof(struct settings, threads)},
	{.name = "quick",
	 .help = "3 shops of the first rate: to see that it works, no figures to believe",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
};

static int watch_shop(void *self, uint32_t index)
{
	struct slices_shop *shops = self;
	return slices_shop_watch(&shops[index]);
}

static int watch_all(const struct slices_request *request)
{
	uint32_t count = request->rates_count * request->shops;
	struct slices_shop *shops = calloc(count, sizeof(*shops));
	int ret = shops ? 0 : -ENOMEM;

	for (uint32_t i = 0; ret == 0 && i < count; i++)
		slices_shop_init(&shops[i], request, request->rates[i / request->shops],
				 i % request->shops);
	if (ret == 0)
		ret = quality_share(request->threads, count, watch_shop, shops);
	if (ret == 0)
		slices_print(request, shops);
	free(shops);
	return ret;
}

static int run(void *self, int count, char **operands)
{
	const struct settings *settings = self;
	double rates[SLICES_RATES_MAX];
	struct slices_request request = {.seed = settings->seed,
					 .shops = settings->quick ? QUICK_SHOPS : settings->shops,
					 .threads = settings->threads,
					 .millions = settings->quick ? 0 : settings->millions,
					 .clean_slices = settings->slices,
					 .clean_minutes = settings->minutes,
					 .clean_events = -1.0,
					 .clean_weeks = settings->weeks,
					 .clean_severity = settings->severity,
					 .other = settings->other,
					 .json = settings->json,
					 .rates = rates};

	(void)count;
	(void)operands;
	if (quality_rates(settings->rates, SLICES_RATES_MAX, rates, &request.rates_count) < 0)
		return options_wrong(&quality_slices.options,
				     "--rates: at most %d numbers between 0.01 and 100000, as "
				     "200,1000",
				     SLICES_RATES_MAX);
	/* Of others there would be an empty table. */
	if (!slices_clean_known(settings->minutes, settings->slices))
		return options_wrong(&quality_slices.options,
				     "--minutes: 1, 10, 60 or 1440; --slices: 10, 1000 or 100000");
	if (settings->events && !slices_clean_events(settings->events, &request.clean_events))
		return options_wrong(&quality_slices.options,
				     "--events: 0.1, 1, 5, 20, 100, 1000 or mixed");
	request.rates_count = settings->quick ? 1 : request.rates_count;
	machine_head(settings->json, NULL);
	int ret = settings->table != TABLE_CLEAN ? watch_all(&request) : 0;
	if (ret == 0 && settings->table != TABLE_FAULTS)
		ret = slices_clean_run(&request);
	if (ret == 0)
		return STATUS_GOOD;
	fprintf(stderr, "weir-bench: not enough memory; ask for fewer --shops or --threads\n");
	return STATUS_UNABLE;
}

static const struct settings defaults = {
	.rates = "200,1000",
	.shops = 90,
	.threads = 2,
	.millions = 10,
	.severity = 70,
	.seed = 1,
	.table = TABLES};

static const struct option_example examples[] = {
	{"weir-bench quality slices", "All figures, in about two minutes"},
	{"weir-bench quality slices --rates 200 --json", "Of one rate, to go on with"},
};

const struct command quality_slices = {
	.options = {.program = "weir-bench quality slices",
		    .operands = "",
		    .summary = "one slice fails, or two: found, how soon, and named",
		    .description =
			    "Shops of six countries and three devices, with the noise of tier 1 of "
			    "quality shop: four weeks of training and four of test in minutes. "
			    "Every two days a country, a device, a pair of both, two countries or "
			    "two pairs lose 20, 40 or 70 % for 45 minutes. Found is an alarm of a "
			    "slice that fails or of the total, in that time; named, that the "
			    "explanation five minutes after it says which slices fail, all of them "
			    "and no others. Possible is what a test could find that knows the mean "
			    "of every minute and the size of the fault.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
