/*
 * detect: how long does closing an interval take, from the lanes' cells to the last verdict?
 *
 * Idea:  one metric over so many series, each a slice of its own, is closed as a shard closes it:
 *        the partial is applied to the roll-up, the roll-up closed, each detector's bank stepped.
 *        First eight days are learned, a quarter of each hour of the week, so that every hour has a
 *        shape; then contiguous intervals are measured, those that begin an hour (whose shape is
 *        worked out anew) among them, in processor time of the one thread. Counts follow the day,
 *        two to two thousand an interval, and scatter like counts. In the last interval some series
 *        stop, which the detectors must say, or no figure is to be believed.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "detect/bank.h"
#include "detect_cost.h"
#include "detect_scale.h"
#include "figure.h"
#include "interval/rollup.h"
#include "question.h"
#include "report.h"

#define KINDS 4
#define BROKEN 20 /* series that stop */
#define HOUR_MS 3600000
#define WARM_HOURS (8 * 24)
#define LIMIT_MS_PER_DETECTOR (100.0 / 300e3) /* 100,000 series x 3 detectors in 100 ms */

struct settings {
	uint32_t series, interval_s, closes;
	const char *kinds;
	bool json, quick, scale;
};

struct bench {
	struct settings options;
	struct weir_definition **definitions; /* [series + 1] */
	struct partial *partial;
	float *means;
	struct rollup *rollup;
	struct bank *banks[KINDS];
	uint32_t kinds[KINDS], banks_count;
	uint64_t chance;
	double sent;
	uint64_t fired; /* anomalies of the broken series in the last interval */
	bool broken, right;
	struct report report;
};

static const struct kind {
	const char *name, *figure;
	enum detector_kind kind;
	double severity;
	bool sure; /* the window's band is as wide as the day: it may say nothing */
} all_kinds[KINDS] = {
	/* After eight days, and with the alarm budget of so many slices, it need not be. */
	{"seasonal", "detect.seasonal", DETECTOR_SEASONAL, 70, false},
	{"window", "detect.window", DETECTOR_WINDOW, 50, false},
	{"absence", "detect.absence", DETECTOR_ABSENCE, 75, true},
	{"rule", "detect.rule", DETECTOR_RULE, 50, true},
};

static const struct option_row rows[] = {
	{.name = "series",
	 .argument = "N",
	 .help = "slices of the metric; default 100000",
	 .kind = OPTION_U32,
	 .min = BROKEN + 1,
	 .max = 1000000,
	 .at = offsetof(struct settings, series)},
	{.name = "detectors",
	 .argument = "LIST",
	 .help = "of seasonal, window, absence, rule; default seasonal,window,absence",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, kinds)},
	{.name = "interval",
	 .argument = "SECONDS",
	 .help = "of which an hour is a multiple; shorter ones take longer to warm up; default 900",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 3600,
	 .at = offsetof(struct settings, interval_s)},
	{.name = "closes",
	 .argument = "N",
	 .help = "intervals that are measured; default 24",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = FIGURE_RUNS_MAX,
	 .at = offsetof(struct settings, closes)},
	{.name = "scale",
	 .help = "also seasonal and window over 1,000 to a million series, two ways",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, scale)},
	{.name = "quick",
	 .help = "500 series and 8 intervals: to see that it works",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
};

/* Processor time of this thread: a shared machine's waits are not the detectors'. */
static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* splitmix64 */
static uint64_t chance(struct bench *bench)
{
	uint64_t z = bench->chance += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Close to a standard normal: the sum of four uniforms. */
static double scatter(struct bench *bench)
{
	uint64_t bits = chance(bench);
	double sum = 0;

	for (int k = 0; k < 4; k++, bits >>= 16)
		sum += (double)(bits & 0xffff) / 65536;
	return (sum - 2) * sqrt(3);
}

static const struct weir_definition *lookup(const void *self, uint32_t series)
{
	const struct bench *bench = self;

	return series <= bench->options.series ? bench->definitions[series] : NULL;
}

/* `view`, of product `series`, after the layout in weir/region.h. */
static struct weir_definition *define(uint32_t series)
{
	static const char event[] = "view", name[] = "product";
	char value[16];
	int length = snprintf(value, sizeof(value), "%u", series);
	size_t used = sizeof(struct weir_definition) + strlen(event) + 4 + strlen(name) +
		      (size_t)length;
	struct weir_definition *definition = calloc(1, (used + 7) & ~(size_t)7);

	if (!definition)
		return NULL;
	definition->bytes = (uint32_t)((used + 7) & ~(size_t)7);
	definition->kind = WEIR_NUMBER;
	definition->dimensions = 1;
	definition->event_bytes = (uint8_t)strlen(event);
	uint8_t *at = definition->text;
	memcpy(at, event, strlen(event));
	at += strlen(event);
	*at++ = (uint8_t)strlen(name), *at++ = 0;
	*at++ = (uint8_t)length, *at++ = 0;
	memcpy(at, name, strlen(name));
	memcpy(at + strlen(name), value, (size_t)length);
	return definition;
}

static void on_anomaly(void *self, const struct anomaly *anomaly)
{
	struct bench *bench = self;
	uint32_t product = 0;

	sscanf(anomaly->slice, "product=%u", &product);
	if (bench->broken && anomaly->state == ANOMALY_FIRING && anomaly->direction < 0 &&
	    product > 0 && product <= BROKEN)
		bench->fired++;
}

/* What the lanes hand over: a cell for each series that anything came for. */
static void fill(struct bench *bench, int64_t interval)
{
	double hours = ((double)interval + 0.5) * bench->options.interval_s / 3600;
	double shape = 1 + 0.8 * sin(hours * M_PI / 12);
	struct partial *partial = bench->partial;

	partial->interval = interval;
	partial->cell_count = 0;
	bench->sent = 0;
	for (uint32_t s = 1; s <= bench->options.series; s++) {
		double mean = (double)bench->means[s] * shape;
		double count = floor(mean + sqrt(mean) * scatter(bench) + 0.5);
		if (count <= 0 || (bench->broken && s <= BROKEN))
			continue;
		partial->cells[partial->cell_count++] =
			(struct partial_cell){.series = s,
					      .count = (uint64_t)count,
					      .sum = count,
					      .sum_squares = count,
					      .min = 1,
					      .max = 1};
		bench->sent += count;
	}
}

/* ret_ms: of the roll-up, then of each bank. */
static bool close_interval(struct bench *bench, int64_t interval, double ret_ms[1 + KINDS])
{
	fill(bench, interval);
	double begin = now_ms();
	rollup_apply(bench->rollup, bench->partial);
	const struct observations *observations = rollup_close(bench->rollup, interval, 0);
	double end = now_ms();
	ret_ms[0] = end - begin;
	for (uint32_t k = 0; k < bench->banks_count; k++) {
		begin = end;
		if (bank_step(bench->banks[k], observations, on_anomaly, bench) < 0)
			return false;
		end = now_ms();
		ret_ms[1 + k] = end - begin;
	}
	/* Slices are born with their first event. */
	bench->right = bench->right && observations->value[0] == bench->sent &&
		       observations->count <= bench->options.series + 1;
	return true;
}

static bool make_banks(struct bench *bench)
{
	for (uint32_t k = 0; k < KINDS; k++) {
		struct detector_spec spec = {
			.kind = all_kinds[k].kind,
			.severity = all_kinds[k].severity,
			.min_volume = 10,
			.for_intervals = 1,
			.recover_intervals = 2,
			.window = 60,
			.k = 4,
			.learn_intervals = WARM_HOURS / 2,
			.absent_intervals = 1,
			.up_percent = NAN,
			.down_percent = 90,
			.above = NAN,
			.below = NAN,
			.growth_drop = NAN,
		};
		if (!strstr(bench->options.kinds, all_kinds[k].name))
			continue;
		snprintf(spec.name, sizeof(spec.name), "views-%s", all_kinds[k].name);
		snprintf(spec.metric, sizeof(spec.metric), "views");
		struct bank *bank = bank_create(&spec);
		if (!bank)
			return false;
		bench->kinds[bench->banks_count] = k;
		bench->banks[bench->banks_count++] = bank;
	}
	return bench->banks_count > 0;
}

static bool make(struct bench *bench)
{
	uint32_t series = bench->options.series;
	struct rollup_spec spec = {
		.metric = "views",
		.terms_count = 1,
		.terms = {{.event = "view", .field = "", .aggregation = AGGREGATE_COUNT}},
		.rollups = 1,
		.by = {{.dimensions = 1, .names = {"product"}}},
		.slices_max = series + 2,
	};

	bench->chance = 42;
	bench->right = true;
	bench->definitions = calloc(series + 1, sizeof(*bench->definitions));
	bench->means = calloc(series + 1, sizeof(*bench->means));
	bench->partial = calloc(1, sizeof(*bench->partial) + series * sizeof(struct partial_cell));
	if (!bench->definitions || !bench->means || !bench->partial)
		return false;
	for (uint32_t s = 1; s <= series; s++) {
		double part = (double)(chance(bench) >> 11) / 9007199254740992.0;
		bench->definitions[s] = define(s);
		bench->means[s] = (float)(s <= BROKEN ? 500 : 2 * pow(1000, part * part));
		if (!bench->definitions[s])
			return false;
	}
	bench->rollup = rollup_create(&spec, "live", 0, (int64_t)bench->options.interval_s * 1000,
				      lookup, bench);
	return bench->rollup && make_banks(bench);
}

static void destroy(struct bench *bench)
{
	for (uint32_t k = 0; k < bench->banks_count; k++)
		bank_destroy(bench->banks[k]);
	if (bench->rollup)
		rollup_destroy(bench->rollup);
	for (uint32_t s = 1; bench->definitions && s <= bench->options.series; s++)
		free(bench->definitions[s]);
	free(bench->definitions);
	free(bench->means);
	free(bench->partial);
}

/* A quarter of each hour, of eight days. Returns the first interval to be measured, or -1. */
static int64_t warm_up(struct bench *bench)
{
	int64_t per_hour = HOUR_MS / 1000 / bench->options.interval_s;
	int64_t quarter = (per_hour + 3) / 4;
	double ignored[1 + KINDS];

	for (int64_t hour = 0; hour < WARM_HOURS; hour++)
		for (int64_t k = 0; k < quarter; k++)
			if (!close_interval(bench, hour * per_hour + k, ignored))
				return -1;
	return WARM_HOURS * per_hour;
}

static void print(struct bench *bench, struct figure *figure)
{
	figure->lossless = bench->right;
	report_figure(&bench->report, figure);
}

static void print_all(struct bench *bench, struct figure figures[1 + KINDS], struct figure *close,
		      struct figure *hour)
{
	struct figure rate = {.name = "detect.series", .unit = "series/s"};
	struct figure each = {.name = "detect.each", .unit = "ns", .cost = true};
	struct figure state = {.name = "detect.state", .unit = "bytes", .cost = true};
	double series = bench->options.series, bytes = 0;

	for (uint32_t r = 0; r < close->runs; r++) {
		figure_add(&rate, series / close->values[r] * 1e3, 0);
		figure_add(&each, close->values[r] * 1e6 / series / bench->banks_count, 0);
	}
	for (uint32_t k = 0; k < bench->banks_count; k++)
		bytes += (double)bank_bytes(bench->banks[k]);
	figure_add(&state, bytes / series, 0);
	print(bench, close);
	if (hour->runs)
		print(bench, hour);
	for (uint32_t k = 0; k < 1 + bench->banks_count; k++)
		print(bench, &figures[k]);
	print(bench, &rate);
	print(bench, &each);
	print(bench, &state);
}

/* The default detector alone. */
static int measure_cost(struct bench *bench)
{
	struct figure cost[COST_FIGURES];
	bool same = true;

	if (!detect_cost(cost))
		return STATUS_UNABLE;
	for (uint32_t f = 0; f < COST_FIGURES; f++) {
		same = same && cost[f].lossless;
		bench->right = cost[f].lossless;
		print(bench, &cost[f]);
	}
	if (!same)
		fprintf(stderr, "weir-bench: with vector instructions the detector says something "
				"else than without\n");
	return same ? STATUS_GOOD : STATUS_LOSSY;
}

static int measure_scale(struct bench *bench)
{
	if (!detect_scale(&bench->report, bench->options.quick))
		return STATUS_UNABLE;
	return bench->report.lossy ? STATUS_LOSSY : STATUS_GOOD;
}

static int measure(struct bench *bench)
{
	struct figure figures[1 + KINDS] = {{.name = "detect.rollup", .unit = "ms", .cost = true}};
	struct figure close = {.name = "detect.close", .unit = "ms", .cost = true};
	struct figure hour = {.name = "detect.close_hour", .unit = "ms", .cost = true};
	int64_t per_hour = HOUR_MS / 1000 / bench->options.interval_s;
	int64_t first = warm_up(bench);
	double limit = LIMIT_MS_PER_DETECTOR * bench->options.series * bench->banks_count;

	if (first < 0)
		return STATUS_UNABLE;
	for (uint32_t k = 0; k < bench->banks_count; k++)
		figures[1 + k] = (struct figure){
			.name = all_kinds[bench->kinds[k]].figure, .unit = "ms", .cost = true};
	for (uint32_t n = 0; n < bench->options.closes; n++) {
		double ms[1 + KINDS], sum = 0;
		bench->broken = n + 1 == bench->options.closes;
		if (!close_interval(bench, first + n, ms))
			return STATUS_UNABLE;
		for (uint32_t k = 0; k < 1 + bench->banks_count; k++) {
			figure_add(&figures[k], ms[k], 0);
			sum += ms[k];
		}
		figure_add(n % per_hour ? &close : &hour, sum, limit);
	}
	uint32_t sure = 0;
	for (uint32_t k = 0; k < bench->banks_count; k++)
		sure += all_kinds[bench->kinds[k]].sure;
	bench->right = bench->right && bench->fired >= BROKEN * sure;
	if (close.runs == 0)
		close = hour, close.name = "detect.close", hour.runs = 0;
	print_all(bench, figures, &close, &hour);
	if (!bench->right)
		fprintf(stderr,
			"weir-bench: %lu anomalies of %d series that stopped, for %u "
			"detectors, or a sum that is not what was sent\n",
			(unsigned long)bench->fired, BROKEN, sure);
	return bench->right ? STATUS_GOOD : STATUS_LOSSY;
}

static int run(void *self, int count, char **operands)
{
	const struct settings *settings = self;
	struct bench bench = {.options = *settings};

	(void)count;
	(void)operands;
	if (3600 % settings->interval_s)
		return options_wrong(&bench_detect.options,
				     "--interval: an hour is no multiple of %u s",
				     settings->interval_s);
	if (settings->quick) {
		bench.options.series = 500;
		bench.options.closes = 8;
	}
	int status = STATUS_UNABLE;
	report_begin(&bench.report, settings->json, NULL);
	if (make(&bench))
		status = measure(&bench);
	if (status == STATUS_GOOD && strstr(settings->kinds, all_kinds[0].name))
		status = measure_cost(&bench);
	if (status == STATUS_GOOD && settings->scale)
		status = measure_scale(&bench);
	if (status == STATUS_UNABLE)
		fprintf(stderr, "weir-bench: not enough memory, or no detector named; ask for "
				"fewer series, or for detectors by their names\n");
	destroy(&bench);
	if (status != STATUS_UNABLE)
		report_end(&bench.report);
	return status;
}

static const struct settings defaults = {
	.series = 100000, .interval_s = 900, .closes = 24, .kinds = "seasonal,window,absence"};

static const struct option_example examples[] = {
	{"weir-bench detect", "100,000 slices with three detectors each"},
};

const struct command bench_detect = {
	.options = {.program = "weir-bench detect",
		    .operands = "",
		    .summary = "closing an interval: its roll-up and its detectors",
		    .description =
			    "How long closing an interval takes, from the lanes' cells to the last "
			    "verdict, series by series, in processor time of one thread. Some "
			    "series stop in the last interval, which the detectors must say.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
