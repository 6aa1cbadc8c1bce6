/* overview: a metric's figures of today, beside sums that are made another way. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interval/history.h"
#include "overview_metric.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MS INT64_C(86400000)
/* Monday, 1 June 2026, 0:00 in Berlin. */
#define START_MS INT64_C(1780264800000)
/* 10:07 in Berlin of the fourth day. */
#define MINUTES (3 * 1440 + 607)

static char directory[64], path[96], why[512];
static struct config *config;
static struct looking looking;
static struct history *history;
static struct overview_metric metric;

enum { VIEWS, ORDERS, REVENUE, BASKET, CONVERSION, DEAREST, METRICS };

static struct history_keep keep = {{35 * 86400, 86400, 730 * 86400, 1826 * 86400}};

static void load_config(const char *timezone)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "data_directory: /nonexistent\nsocket: /nonexistent/s\n"
		 "control_socket: /nonexistent/c\ninterval: 1m\ntimezone: %s\nmetrics:\n"
		 "  - {name: page_views, event: page_view}\n"
		 "  - {name: orders, event: purchase}\n"
		 "  - {name: revenue, event: purchase, agg: sum, field: value}\n"
		 "  - {name: basket, event: purchase, agg: mean, field: value}\n"
		 "  - {name: conversion, ratio: orders / page_views}\n"
		 "  - {name: dearest, event: purchase, agg: max, field: value}\n",
		 timezone);
	cr_assert_eq(config_parse(text, strlen(text), "test", &config, why, sizeof(why)), 0, "%s",
		     why);
	looking.config = config;
}

/* What came in minute i: fewer buy at night, and they buy less. */
static void made(int64_t i, double *ret_views, double *ret_orders, double *ret_value)
{
	bool night = i % 1440 < 420;

	*ret_views = night ? 100 : 400 + (double)(i % 7);
	*ret_orders = night ? 2 : 40;
	*ret_value = night ? 10 : 50;
}

static void add(int64_t i, int64_t count)
{
	static const struct history_metric metrics[METRICS] = {
		[VIEWS] = {.name = "page_views", .spec = 1, .kind = HISTORY_COUNT},
		[ORDERS] = {.name = "orders", .spec = 2, .kind = HISTORY_COUNT},
		[REVENUE] = {.name = "revenue",
			     .spec = 3,
			     .kind = HISTORY_SUM,
			     .aggregation = AGGREGATE_SUM},
		[BASKET] = {.name = "basket",
			    .spec = 4,
			    .kind = HISTORY_SUM,
			    .aggregation = AGGREGATE_MEAN},
		[CONVERSION] = {.name = "conversion",
				.spec = 5,
				.kind = HISTORY_SHARE,
				.aggregation = AGGREGATE_RATIO},
		[DEAREST] = {.name = "dearest",
			     .spec = 6,
			     .kind = HISTORY_MAX,
			     .aggregation = AGGREGATE_MAX}};
	struct history_rows rows = {0};
	double views, orders, value;

	made(i, &views, &orders, &value);
	const uint64_t money[3] = {(uint64_t)orders, weir_value_bits(orders * value),
				   weir_value_bits(orders * value * value)};
	const uint64_t words[METRICS][3] = {[VIEWS] = {(uint64_t)views},
					    [ORDERS] = {(uint64_t)orders},
					    [REVENUE] = {money[0], money[1], money[2]},
					    [BASKET] = {money[0], money[1], money[2]},
					    [CONVERSION] = {(uint64_t)orders, (uint64_t)views},
					    [DEAREST] = {(uint64_t)orders, weir_value_bits(value)}};
	int64_t interval = START_MS / MINUTE_MS + i;
	history_rows_interval(&rows, interval, false);
	for (uint32_t m = 0; m < METRICS; m++) {
		struct history_row row = {.metric = m, .interval = interval};
		memcpy(row.words, words[m], sizeof(words[m]));
		history_rows_name(&rows, m, &metrics[m], 0, "");
		history_rows_add(&rows, &row, NULL);
	}
	struct history_close close = {.sequence = (uint64_t)i + 1,
				      .source = "shop",
				      .through = interval,
				      .rows = &rows,
				      .shards = 1};
	cr_assert(history_add(history, &close));
	history_rows_fini(&rows);
	if (i + 1 == count)
		cr_assert_eq(history_commit(history), 0);
}

static void begin(void)
{
	struct history_options options = {
		.path = path,
		.store = "store",
		.interval_ms = MINUTE_MS,
		.keep = keep,
		.pending_bytes_max = 256 << 20,
	};

	strcpy(directory, "/tmp/weir-overview-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/history.db", directory);
	cr_assert_eq(history_open(&options, &history, NULL, why, sizeof(why)), 0, "%s", why);
	for (int64_t i = 0; i < MINUTES; i++)
		add(i, MINUTES);
	history_close(history);
	looking.history = path;
}

static void end(void)
{
	char command[128];

	config_free(config);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	cr_assert_eq(system(command), 0);
}

TestSuite(overview, .init = begin, .fini = end);

static void look(const char *name)
{
	json_decref(metric.spark);
	metric = (struct overview_metric){.source = "shop",
					  .through_ms = START_MS + MINUTES * MINUTE_MS};
	snprintf(metric.name, sizeof(metric.name), "%s", name);
	cr_assert_eq(overview_metric_look(&looking, &metric), 0);
}

/* Since minute `from`. */
static void sums(int64_t from, double *ret_views, double *ret_orders, double *ret_money)
{
	*ret_views = *ret_orders = *ret_money = 0;
	for (int64_t i = from; i < MINUTES; i++) {
		double views, orders, value;
		made(i, &views, &orders, &value);
		*ret_views += views;
		*ret_orders += orders;
		*ret_money += orders * value;
	}
}

Test(overview, today_begins_at_midnight_of_the_place)
{
	double views, orders, money;

	load_config("Europe/Berlin");
	sums(3 * 1440, &views, &orders, &money);
	look("page_views");
	cr_assert_eq(metric.from_ms, START_MS + 3 * DAY_MS);
	cr_assert_eq(metric.through_ms, START_MS + MINUTES * MINUTE_MS);
	cr_assert_eq(metric.observed, views);
	look("orders");
	cr_assert_eq(metric.observed, orders);
	look("revenue");
	cr_assert_float_eq(metric.observed, money, 1e-6);
	/* What is weighed: neither a mean of means nor a mean of shares. */
	look("basket");
	cr_assert_float_eq(metric.observed, money / orders, 1e-9);
	look("conversion");
	cr_assert_float_eq(metric.observed, orders / views, 1e-9);
	/* Two hours later where it is UTC's. */
	config_free(config);
	load_config("UTC");
	sums(3 * 1440 + 120, &views, &orders, &money);
	look("page_views");
	cr_assert_eq(metric.from_ms, START_MS + 3 * DAY_MS + 120 * MINUTE_MS);
	cr_assert_eq(metric.observed, views);
}

/* Seven minutes of the last quarter have come: so many of what is expected of it count. */
Test(overview, what_is_expected_ends_where_the_values_do)
{
	static const char *const names[] = {"page_views", "orders", "revenue", "basket",
					    "conversion"};

	load_config("Europe/Berlin");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		look(names[i]);
		/* Where a day is like the last one; the whole quarter would be 0.018 more. */
		cr_assert(i > 0 || fabs(metric.change) < 0.003, "%g", metric.change);
		cr_assert_float_eq(metric.change, metric.observed / metric.expected - 1, 1e-12);
	}
}

Test(overview, a_sparkline_has_a_day_of_whole_quarters)
{
	load_config("Europe/Berlin");
	look("page_views");
	const json_t *value = json_object_get(metric.spark, "value");
	cr_assert_eq(json_array_size(value), 96);
	cr_assert_eq(json_array_size(json_object_get(metric.spark, "expected")), 96);
	cr_assert_eq(json_integer_value(json_object_get(metric.spark, "step_ms")), 15 * MINUTE_MS);
	cr_assert_eq(json_integer_value(json_object_get(metric.spark, "from_ms")),
		     START_MS + 2 * DAY_MS + 600 * MINUTE_MS);
	double last = json_number_value(json_array_get(value, 95));
	cr_assert(last > 6000 && last < 6100, "%g", last);
}

/* Of hours alone no day can be made that begins at half past. */
Test(overview, another_days_value_is_not_todays)
{
	load_config("Asia/Kolkata");
	look("dearest");
	cr_assert_eq(metric.observed, 50);
	end();
	config = NULL;
	keep.keep_s[HISTORY_BASE] = keep.keep_s[HISTORY_MINUTE] = 3600;
	begin();
	load_config("Asia/Kolkata");
	look("dearest");
	cr_assert(isnan(metric.observed), "%g", metric.observed);
	config_free(config);
	load_config("UTC");
	look("dearest");
	cr_assert_eq(metric.observed, 50);
}

Test(overview, without_a_configuration_nothing_is_expected)
{
	looking.config = NULL;
	look("page_views");
	cr_assert(metric.observed > 0 && isnan(metric.expected) && isnan(metric.change));
}

Test(overview, the_most_telling_come_first)
{
	static const char *const order[] = {"revenue", "orders", "conversion", "page_views",
					    "basket"};

	load_config("UTC");
	for (size_t i = 0; i + 1 < sizeof(order) / sizeof(order[0]); i++)
		cr_assert_lt(overview_rank(config, order[i]), overview_rank(config, order[i + 1]));
	cr_assert_lt(overview_rank(config, "nobody"), 0);
}
