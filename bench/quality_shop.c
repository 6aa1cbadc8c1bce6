/*
 * quality_shop: the synthetic shop: what the default detector finds of small and large deviations,
 * how soon, and how often it cries wolf, beside an oracle and the rules that people run.
 *
 * Idea:  four weeks of training and four of test, minute by minute, series after series from a
 *        seed (tools/shop/counts.h). Chunks of a few series of one rate are handed out to threads;
 *        each writes down its own series' part of the figures (quality_shop.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "quality.h"
#include "quality_calm.h"
#include "quality_lasting.h"
#include "quality_rates.h"
#include "quality_share.h"
#include "quality_shop.h"
#include "question.h"

#define CHUNK 20 /* series */
#define QUICK_SERIES 4
/* Of a rate, where nobody says how many; of seldom events, of which even the oracle finds few, as
 * many more as make the share of these that is found good to two or three points of 100. */
#define SERIES 40
#define SERIES_SELDOM 120 /* below SELDOM a minute */
#define SERIES_RARE 320   /* below RARE */
#define SELDOM 10.0
#define RARE 3.0

/* Those of deviations are numbered as enum shop_kind. */
enum { TABLE_LASTING = SHOP_KINDS, TABLE_CALM, TABLES };

struct settings {
	const char *rates;
	uint32_t series, threads;
	uint64_t seed;
	unsigned tier;  /* of the choices: 0 .. 3, all */
	unsigned table; /* of the choices; TABLES: all */
	bool quick, json, no_rivals, other;
};

/* A tier's work: chunks of all its rates. */
struct work {
	struct shop_part parts[SHOP_RATES_MAX];
	uint32_t rates, chunks; /* chunks: of all rates */
};

static const struct option_row rows[] = {
	{.name = "rates",
	 .argument = "LIST",
	 .help = "events a minute; default 1,5,20,100,500,2000; of orders 20,100,500 for the "
		 "conversion and 5,20,100 for the revenue; 5,20,100,500 for lasting changes; 5,100 "
		 "for clean data",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, rates)},
	{.name = "series",
	 .argument = "N",
	 .help = "of each rate; default 40, of deviations below 10 events a minute 120 and below 3 "
		 "320, of which few are found",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 1000,
	 .at = offsetof(struct settings, series)},
	{.name = "tier",
	 .argument = "0|1|2|3|all",
	 .help = "0: Poisson counts around a season; 1: with slow noise, days that differ, a "
		 "trend, more scatter and missing minutes; 2: with holidays and campaigns that "
		 "nobody announced; 3: with a calendar of them; default all (of lasting changes "
		 "and clean data 0 and 1, there are no others)",
	 .kind = OPTION_CHOICE,
	 .at = offsetof(struct settings, tier)},
	{.name = "table",
	 .argument = "count|conversion|revenue|lasting|calm|all",
	 .help = "deviations of counts, of the ratio of orders to visits, of the sum of orders; "
		 "changes that last; alarms on clean data by kind and interval; default all",
	 .kind = OPTION_CHOICE,
	 .at = offsetof(struct settings, table)},
	{.name = "seed",
	 .argument = "N",
	 .help = "everything follows from it; default 1",
	 .kind = OPTION_U64,
	 .at = offsetof(struct settings, seed)},
	{.name = "other",
	 .help = "a shop of other habits, with noise of another size and speed: to check what was "
		 "chosen with the usual one",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, other)},
	{.name = "threads",
	 .argument = "N",
	 .help = "that share the work; default 2",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = SHARE_THREADS_MAX,
	 .at = offsetof(struct settings, threads)},
	{.name = "no-rivals",
	 .help = "without the rules that people run",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, no_rivals)},
	{.name = "quick",
	 .help = "4 series at 20 and 500 a minute: to see that it works, no figures to believe",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
};

static uint32_t chunks_of(const struct shop_part *part)
{
	return (part->series + CHUNK - 1) / CHUNK;
}

static int score_chunk(void *self, uint32_t chunk)
{
	struct work *work = self;
	struct shop_part *part = work->parts;

	for (; chunk >= chunks_of(part); part++)
		chunk -= chunks_of(part);
	uint32_t from = chunk * CHUNK;
	uint32_t count = part->series - from < CHUNK ? part->series - from : CHUNK;

	return shop_part_score(part, from, count);
}

/* So many series of a rate. */
static uint32_t series_of(const struct shop_request *request, double rate)
{
	if (request->series > 0)
		return request->series;
	return rate < RARE ? SERIES_RARE : rate < SELDOM ? SERIES_SELDOM : SERIES;
}

/* Deviations of one kind of metric. 0; -ENOMEM. */
static int run_kind(const struct shop_request *request, enum shop_kind kind)
{
	struct work work = {.rates = request->rates_count};
	struct shop_table table = {.tier = request->tier};
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < work.rates; i++) {
		struct counts_spec spec = shop_counts(request, request->rates[i]);
		uint32_t series = series_of(request, request->rates[i]);
		ret = shop_part_init(&work.parts[i], kind, &spec, series, request->rivals);
		work.chunks += chunks_of(&work.parts[i]);
	}
	if (ret == 0)
		ret = quality_share(request->threads, work.chunks, score_chunk, &work);
	if (ret == 0)
		ret = shop_measure(work.parts, work.rates, &table);
	if (ret == 0)
		shop_table_print(&table, request->json);
	for (uint32_t i = 0; i < work.rates; i++)
		shop_part_free(&work.parts[i]);
	return ret;
}

/* All tiers of a table. An exit code. */
static int run_table(const struct settings *settings, uint32_t table)
{
	static const char *const all_rates[TABLES] = {"1,5,20,100,500,2000", "20,100,500",
						      "5,20,100", "5,20,100,500", "5,100"};
	static const char *const quick_rates[TABLES] = {"20,500", "100", "20", "100", "100"};
	const char *text = settings->rates ? settings->rates
			   : settings->quick ? quick_rates[table]
					     : all_rates[table];
	double rates[SHOP_RATES_MAX];
	struct shop_request request = {.seed = settings->seed,
				       .series = settings->quick ? QUICK_SERIES : settings->series,
				       .threads = settings->threads,
				       .other = settings->other,
				       .rivals = !settings->no_rivals,
				       .json = settings->json,
				       .rates = rates};
	int ret = 0;

	if (quality_rates(text, SHOP_RATES_MAX, rates, &request.rates_count) < 0)
		return options_wrong(&quality_shop.options,
				     "--rates: at most %d numbers between 0.01 and 100000, as "
				     "1,20,500",
				     SHOP_RATES_MAX);
	/* Of what is found however many they are, as many as ever. */
	if (table >= SHOP_KINDS && request.series == 0)
		request.series = SERIES;
	uint32_t tiers = table < SHOP_KINDS ? COUNTS_TIERS : COUNTS_TIERS_CALM;
	for (; ret == 0 && request.tier < tiers; request.tier++) {
		if (settings->tier < COUNTS_TIERS && settings->tier != request.tier)
			continue;
		ret = table == TABLE_CALM      ? calm_run(&request)
		      : table == TABLE_LASTING ? lasting_run(&request)
					       : run_kind(&request, (enum shop_kind)table);
	}
	if (ret < 0)
		fprintf(stderr, "weir-bench: not enough memory; ask for fewer --series or "
				"--threads\n");
	return ret < 0 ? STATUS_UNABLE : STATUS_GOOD;
}

static int run(void *self, int count, char **operands)
{
	struct settings *settings = self;
	int status = STATUS_GOOD;

	(void)count;
	(void)operands;
	machine_head(settings->json, NULL);
	for (uint32_t table = 0; table < TABLES && status == STATUS_GOOD; table++)
		if (settings->table == TABLES || settings->table == table)
			status = run_table(settings, table);
	return status;
}

static const struct settings defaults = {
	.threads = 2, .seed = 1, .tier = COUNTS_TIERS, .table = TABLES};

static const struct option_example examples[] = {
	{"weir-bench quality shop", "All figures, in about three minutes"},
	{"weir-bench quality shop --table count --tier 0 --rates 100", "One of its columns"},
};

const struct command quality_shop = {
	.options = {.program = "weir-bench quality shop",
		    .operands = "",
		    .summary = "a made-up shop: small deviations found, how soon, and false alarms",
		    .description =
			    "Four weeks of training and four of test in minutes, for each rate and "
			    "tier of noise, with a deviation of 5 to 100 % for 5 to 60 minutes "
			    "planted every two days. Of holidays and campaigns (tiers 2 and 3) no "
			    "alarm is counted, of what they leave behind every one is. How many are found when each series may give "
			    "false alarms in one hour a week, how soon, beside an oracle that "
			    "knows the mean of every minute and the size of what is planted, and "
			    "beside the rules that people run.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
