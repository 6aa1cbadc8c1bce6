/*
 * quality orders: what does the default detector make of the recorded orders of a real shop?
 *
 * Idea:  order lines become orders (tools/shop/orders.h), orders become counts and sums by hour and
 *        by ten minutes, and each of these series is scored from its first interval on, as a shop
 *        that begins today would live it. Nobody has labelled them: so every alarm is listed, with
 *        what was expected and the largest invoices behind it, for a person to judge.
 *
 * A shop's time is read as UTC, as the recording has it: its hours are the shop's own.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detect/scoring.h"
#include "machine.h"
#include "orders.h"
#include "quality.h"
#include "question.h"
#include "score_svg.h"
#include "text.h"

#define WHY_BYTES 256
#define HOUR_MS INT64_C(3600000)
#define WEEK_MS INT64_C(604800000)
#define INTERVALS_MAX 4000000
#define LARGEST 3

struct settings {
	bool json;
	const char *svg;
	int64_t since_ms, until_ms;
};

static const struct option_row rows[] = {
	{.name = "svg",
	 .argument = "FILE",
	 .help = "draw a chart of the orders by the hour there",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, svg)},
	{.name = "since",
	 .argument = "TIME",
	 .help = "with --svg, draw from this time on, as 2011-01-17",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct settings, since_ms)},
	{.name = "until",
	 .argument = "TIME",
	 .help = "with --svg, draw up to this time",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct settings, until_ms)},
	ROW_JSON(struct settings),
};

/* What is counted or added up, of which orders, in which intervals. */
static const struct order_series {
	const char *title, *name;
	int64_t interval_ms;
	enum aggregation aggregation;
	bool refunds;
} all_series[] = {
	{"orders, 1 h", "orders_1h", HOUR_MS, AGGREGATE_COUNT, false},
	{"orders, 10 min", "orders_10min", HOUR_MS / 6, AGGREGATE_COUNT, false},
	{"revenue, 1 h", "revenue_1h", HOUR_MS, AGGREGATE_SUM, false},
	{"refunds, 1 h", "refunds_1h", HOUR_MS, AGGREGATE_COUNT, true},
};

struct series_result {
	int64_t first; /* interval */
	uint32_t intervals;
	double *values;        /* [intervals] */
	double *squares;       /* [intervals], of what sums are made of */
	struct scored *scored; /* [intervals] */
	uint32_t alarms, hours; /* hours with an interval at the threshold or above */
};

static int64_t interval_of(const struct order *order, const struct order_series *series)
{
	return (int64_t)order->time_ms / series->interval_ms;
}

static void result_free(struct series_result *result)
{
	free(result->values);
	free(result->squares);
	free(result->scored);
}

/* Values from the first order's interval to the last one's: an interval without orders has 0. */
static int add_up(const struct orders *orders, const struct order_series *series,
		  struct series_result *result)
{
	int64_t last = interval_of(&orders->orders[orders->count - 1], series);

	result->first = interval_of(&orders->orders[0], series);
	if (last - result->first >= INTERVALS_MAX)
		return -ERANGE;
	result->intervals = (uint32_t)(last - result->first + 1);
	result->values = calloc(result->intervals, sizeof(*result->values));
	result->scored = calloc(result->intervals, sizeof(*result->scored));
	result->squares = calloc(result->intervals, sizeof(*result->squares));
	if (!result->values || !result->squares || !result->scored)
		return -ENOMEM;
	for (size_t i = 0; i < orders->count; i++) {
		const struct order *order = &orders->orders[i];
		double value = series->aggregation == AGGREGATE_SUM ? order_value(order) : 1;
		int64_t at = interval_of(order, series) - result->first;

		if (order->refund != series->refunds)
			continue;
		result->values[at] += value;
		result->squares[at] += value * value;
	}
	return 0;
}

static int score(const struct order_series *series, struct series_result *result)
{
	struct scoring_spec spec = {.aggregation = series->aggregation,
				    .interval_ms = series->interval_ms,
				    .series = 1};
	struct scoring *scoring = scoring_create(&spec);
	int64_t hour = INT64_MIN;

	if (!scoring)
		return -ENOMEM;
	for (uint32_t i = 0; i < result->intervals; i++) {
		struct scored *scored = &result->scored[i];
		int64_t now = (result->first + i) * series->interval_ms / HOUR_MS;

		scoring_step_sums(scoring, result->first + i, &result->values[i],
				  &result->squares[i], scored);
		result->alarms += scored->alarm;
		result->hours += scored->severity >= SCORING_SEVERITY && now != hour;
		hour = scored->severity >= SCORING_SEVERITY ? now : hour;
	}
	scoring_destroy(scoring);
	return 0;
}

/* Places of the largest orders of an interval, by size; how many. */
static uint32_t find_largest(const struct orders *orders, const struct order_series *series,
			     int64_t interval, const struct order *ret_largest[LARGEST])
{
	uint32_t count = 0;

	for (size_t i = 0; i < orders->count; i++) {
		const struct order *order = &orders->orders[i];
		uint32_t at = count;

		if (order->refund != series->refunds || interval_of(order, series) != interval)
			continue;
		while (at > 0 && llabs(order->micros) > llabs(ret_largest[at - 1]->micros))
			at--;
		if (at == LARGEST)
			continue;
		count += count < LARGEST;
		memmove(&ret_largest[at + 1], &ret_largest[at],
			(count - 1 - at) * sizeof(*ret_largest));
		ret_largest[at] = order;
	}
	return count;
}

/* Orders and money, for people. */
static void print_number(double value)
{
	if (value == floor(value) || fabs(value) >= 100)
		printf("%.0f", value);
	else
		printf("%.*f", fabs(value) < 1 ? 2 : 1, value);
}

static void print_alarm(const struct orders *orders, const struct order_series *series,
			const struct series_result *result, uint32_t i)
{
	const struct scored *scored = &result->scored[i];
	const struct order *largest[LARGEST];
	int64_t interval = result->first + i;
	char time[TEXT_TIME_BYTES];

	text_time(time, interval * series->interval_ms);
	printf("  %.16sZ  ", time);
	print_number(result->values[i]);
	fputs(" instead of ", stdout);
	print_number(scored->expected);
	fputs(" (", stdout);
	print_number(scored->lower);
	fputs(" .. ", stdout);
	print_number(scored->upper);
	printf("), severity %.0f\n", scored->severity);
	uint32_t count = find_largest(orders, series, interval, largest);
	for (uint32_t k = 0; k < count; k++) {
		text_time(time, (int64_t)largest[k]->time_ms);
		printf("      %-9s %10.2f  %.5s  %s\n", largest[k]->invoice,
		       order_value(largest[k]), time + 11,
		       orders->countries[largest[k]->country]);
	}
}

static void print_result(const struct settings *settings, const struct orders *orders,
			 const struct order_series *series, const struct series_result *result)
{
	double weeks = (double)result->intervals * (double)series->interval_ms / WEEK_MS;

	if (settings->json) {
		printf("{\"name\":\"%s_alarms\",\"value\":%u}\n"
		       "{\"name\":\"%s_alarms_per_week\",\"value\":%.4f}\n"
		       "{\"name\":\"%s_alarm_hours_per_week\",\"value\":%.4f}\n",
		       series->name, result->alarms, series->name, result->alarms / weeks,
		       series->name, result->hours / weeks);
		return;
	}
	printf("\n%-16s %6u intervals  %4u alarms, %.2f a week  %4u hours at severity %d and "
	       "more\n",
	       series->title, result->intervals, result->alarms, result->alarms / weeks,
	       result->hours, SCORING_SEVERITY);
	for (uint32_t i = 0; i < result->intervals; i++) {
		if (result->scored[i].alarm)
			print_alarm(orders, series, result, i);
	}
}

static int draw(const struct settings *settings, const struct order_series *series,
		const struct series_result *result)
{
	struct score_svg svg = {
		.title = "Orders by the hour",
		.interval_ms = series->interval_ms,
		.since_ms = settings->since_ms,
		.until_ms = settings->until_ms,
		.severity = SCORING_SEVERITY,
	};
	FILE *to = fopen(settings->svg, "we");
	int error = to ? 0 : -errno;

	for (uint32_t i = 0; i < result->intervals && !error; i++) {
		const struct scored *scored = &result->scored[i];
		const struct score_line line = {
			.timed = true,
			.time_ms = (result->first + i) * series->interval_ms,
			.value = result->values[i],
			.expected = scored->expected,
			.lower = scored->lower,
			.upper = scored->upper,
			.severity = scored->severity,
			.alarm = scored->alarm,
		};
		error = score_svg_add(&svg, &line);
	}
	if (!error)
		error = score_svg_draw(&svg, to);
	if (to && fclose(to) != 0 && !error)
		error = -errno;
	score_svg_fini(&svg);
	return error;
}

static void print_head(const struct orders *orders)
{
	char from[TEXT_TIME_BYTES], to[TEXT_TIME_BYTES];
	size_t refunds = 0;

	for (size_t i = 0; i < orders->count; i++)
		refunds += orders->orders[i].refund;
	text_time(from, (int64_t)orders->orders[0].time_ms);
	text_time(to, (int64_t)orders->orders[orders->count - 1].time_ms);
	printf("%zu orders and %zu refunds, %.10s to %.10s; the alarms of the default detector\n",
	       orders->count - refunds, refunds, from, to);
}

static int run(void *self, int count, char **operands)
{
	const struct settings *settings = self;
	struct orders orders = {0};
	char why[WHY_BYTES];
	int error = 0;

	(void)count;
	if (orders_load(operands[0], &orders, why, sizeof(why)) < 0) {
		fprintf(stderr, "weir-bench: %s\n", why);
		return STATUS_UNABLE;
	}
	if (orders.count == 0) {
		fprintf(stderr, "weir-bench: %s: there are no orders in it\n", operands[0]);
		orders_fini(&orders);
		return STATUS_UNABLE;
	}
	machine_head(settings->json, NULL);
	if (!settings->json)
		print_head(&orders);
	for (size_t s = 0; s < sizeof(all_series) / sizeof(all_series[0]) && !error; s++) {
		struct series_result result = {0};

		error = add_up(&orders, &all_series[s], &result);
		if (!error)
			error = score(&all_series[s], &result);
		if (!error)
			print_result(settings, &orders, &all_series[s], &result);
		if (!error && s == 0 && settings->svg)
			error = draw(settings, &all_series[s], &result);
		result_free(&result);
	}
	orders_fini(&orders);
	if (error)
		fprintf(stderr, "weir-bench: %s: %s\n", operands[0], strerror(-error));
	return error ? STATUS_UNABLE : STATUS_GOOD;
}

static const struct option_example examples[] = {
	{"weir-bench quality orders tools/shop/data/orders-2011-01.csv.gz",
	 "The month that ships with the shop"},
};

const struct command quality_orders = {
	.options = {.program = "weir-bench quality orders",
		    .operands = "FILE",
		    .summary = "the alarms in recorded orders of a real shop",
		    .description =
			    "Reads order lines (CSV, also .gz, with InvoiceNo, Quantity, "
			    "InvoiceDate, UnitPrice and Country), makes counts and revenue by the "
			    "hour and by ten minutes of them, and scores these with the default "
			    "detector from the first interval on. Every alarm is listed, with "
			    "what was expected and the largest invoices of its interval.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.run = run,
};
