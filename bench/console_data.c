/*
 * console_data: see console_data.h. All follows from numbers, nothing from chance; times end with
 * the last whole hour, so that the console's own spans find them.
 */
#include "console_data.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "datadir.h"
#include "interval/history.h"

#define INTERVAL_MS INT64_C(60000)
#define HOUR_MS INT64_C(3600000)
#define DAY_MS INT64_C(86400000)
#define RARE_MS (6 * HOUR_MS) /* of those that have few points: a chunk each is room enough */
#define PENDING_BYTES (UINT64_C(64) << 20)
#define ANOMALY_DAYS 30 /* over which they are spread */
#define FIRING 12u      /* the newest of them still fire */
#define BATCH 500u      /* anomalies in a transaction */

/* Those that bench/server.c watches with kind count. */
const char *const console_data_metrics[] = {"orders", "page_views", "item_views", "carts",
					    "checkouts"};
#define METRICS ((uint32_t)(sizeof(console_data_metrics) / sizeof(console_data_metrics[0])))

uint32_t console_data_metrics_count(void)
{
	return METRICS;
}

void console_data_slice(char label[32], uint32_t slice)
{
	label[0] = '\0';
	if (slice)
		snprintf(label, 32, "country=C%03u", slice);
}

/* A day that comes and goes, and something that is different in each series. */
static uint64_t count_of(uint32_t metric, uint32_t slice, int64_t ms)
{
	int64_t minute = ms % DAY_MS / INTERVAL_MS;
	int64_t from_noon = llabs(minute - 720);
	uint64_t mixed = ((uint64_t)ms / INTERVAL_MS * 31 + slice * UINT64_C(7) + metric) *
			 UINT64_C(0x9e3779b97f4a7c15);

	return (uint64_t)(1000 - from_noon) / (slice + 1) + (mixed >> 60);
}

static void fill(struct history_rows *rows, uint32_t slices, int64_t interval, bool first)
{
	int64_t ms = interval * INTERVAL_MS;
	uint32_t told = ms % RARE_MS == 0 || first ? slices : CONSOLE_DATA_DENSE;
	char label[32];

	history_rows_clear(rows);
	history_rows_interval(rows, interval, false);
	for (uint32_t m = 0; m < METRICS; m++) {
		struct history_metric metric = {.name = console_data_metrics[m],
						.spec = m + 1,
						.kind = HISTORY_COUNT,
						.aggregation = AGGREGATE_COUNT};
		for (uint32_t s = 0; s < told; s++) {
			struct history_row row = {.metric = m, .slice = s, .interval = interval};
			row.words[0] = count_of(m, s, ms);
			history_rows_add(rows, &row, NULL);
			console_data_slice(label, s);
			if (first)
				history_rows_name(rows, m, &metric, s, label);
		}
	}
}

static int write_history(const struct console_data_options *options, const char *path,
			 const char *store, int64_t end_ms, char *why, size_t why_bytes)
{
	static const struct history_keep keep = {
		{35 * 86400, 14 * 86400, 730 * 86400, UINT64_C(1826) * 86400}};
	struct history_options made = {.path = path,
				       .store = store,
				       .interval_ms = INTERVAL_MS,
				       .keep = keep,
				       .pending_bytes_max = 4 * PENDING_BYTES};
	int64_t first = (end_ms - options->days * DAY_MS) / INTERVAL_MS;
	struct history_rows rows = {0};
	struct history *history;
	int error = history_open(&made, &history, NULL, why, why_bytes);

	if (error < 0)
		return error;
	for (int64_t i = first; i < end_ms / INTERVAL_MS && !error; i++) {
		fill(&rows, options->series / METRICS, i, i == first);
		struct history_close close = {.sequence = (uint64_t)(i - first) + 1,
					      .source = CONSOLE_DATA_SOURCE,
					      .through = i,
					      .rows = &rows,
					      .shards = 1};
		if (history_rows_failed(&rows) || !history_add(history, &close))
			error = -ENOBUFS;
		if (!error && history_pending_bytes(history) > PENDING_BYTES)
			error = history_commit(history);
	}
	if (!error)
		error = history_commit(history);
	if (error)
		snprintf(why, why_bytes, "%s: %s", path, strerror(-error));
	history_rows_fini(&rows);
	history_close(history);
	return error;
}

/* What it says of a country, and what explains it. */
static void explain(struct anomaly *anomaly, uint32_t number)
{
	static const double shares[] = {0.64, 0.24, 0.12};

	anomaly->contributions = 3;
	for (uint32_t i = 0; i < 3; i++) {
		struct contribution *part = &anomaly->contribution[i];
		snprintf(part->dimension, sizeof(part->dimension), "country");
		snprintf(part->value, sizeof(part->value), "C%03u", (number + i) % 90 + 1);
		part->share = shares[i];
		part->observed = anomaly->observed * shares[i];
		part->expected = anomaly->expected * shares[i];
	}
	anomaly->explanations = 1;
	snprintf(anomaly->explanation[0].slice, sizeof(anomaly->explanation[0].slice),
		 "country=C%03u", number % 90 + 1);
	anomaly->explanation[0].share = 0.64;
	anomaly->explanation[0].observed = anomaly->observed * 0.64;
	anomaly->explanation[0].expected = anomaly->expected * 0.64;
	anomaly->explanation[0].since = anomaly->start;
}

/* Number `number` of them, the newest having the greatest; three of a metric are a group. */
static void make_anomaly(struct anomaly *anomaly, uint32_t number, int64_t start_ms)
{
	uint32_t group = number / 3;
	const char *metric = console_data_metrics[group % METRICS];

	*anomaly = (struct anomaly){
		.id = {(number + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15), number},
		.group = {(group + UINT64_C(1)) * UINT64_C(0xbf58476d1ce4e5b9), group},
		.revision = 1,
		.state = ANOMALY_FIRING,
		.fired = true,
		.severity = 4 + number * 37 % 96,
		.direction = group % 2 ? 1 : -1,
		.interval_ms = INTERVAL_MS,
		.start = start_ms / INTERVAL_MS,
		.interval = start_ms / INTERVAL_MS,
		.peak_interval = start_ms / INTERVAL_MS,
		.observed = group % 2 ? 1640 : 360,
		.expected = 1000,
		.lower = 900,
		.upper = 1100,
		.usual = 1000,
		.log10_p = -9,
	};
	anomaly->severity_peak = anomaly->severity;
	snprintf(anomaly->source, sizeof(anomaly->source), CONSOLE_DATA_SOURCE);
	snprintf(anomaly->metric, sizeof(anomaly->metric), "%s", metric);
	snprintf(anomaly->detector, sizeof(anomaly->detector), "%s", metric);
	snprintf(anomaly->kind, sizeof(anomaly->kind), "seasonal");
	if (number % 3)
		snprintf(anomaly->slice, sizeof(anomaly->slice), "country=C%03u", number % 90 + 1);
	explain(anomaly, number);
}

static int add_life(struct store *store, uint64_t sequence, uint32_t number, uint32_t count,
		    int64_t end_ms)
{
	int64_t step_ms = ANOMALY_DAYS * DAY_MS / (count + 1);
	int64_t start_ms = end_ms - (count - number) * step_ms;
	struct anomaly anomaly;

	make_anomaly(&anomaly, number, start_ms);
	int error = store_add(store, sequence, &anomaly);
	if (error || number + FIRING >= count)
		return error;
	anomaly.revision = 2;
	anomaly.state = ANOMALY_RESOLVED;
	anomaly.interval += 20 + number % 40;
	anomaly.severity = 0;
	anomaly.observed = anomaly.expected;
	return store_add(store, sequence, &anomaly);
}

static int write_anomalies(const struct console_data_options *options, const char *path,
			   int64_t end_ms, char *why, size_t why_bytes)
{
	struct store *store;
	uint64_t sequence;
	int error = store_open(path, &store, why, why_bytes);

	if (error)
		return error;
	sequence = store_scored_through(store);
	for (uint32_t i = 0; i < options->anomalies && !error; i++) {
		if (i % BATCH == 0)
			error = store_begin(store);
		sequence += i % BATCH == 0;
		if (!error)
			error = add_life(store, sequence, i, options->anomalies, end_ms);
		if (!error && (i % BATCH == BATCH - 1 || i + 1 == options->anomalies))
			error = store_commit(store, sequence);
	}
	/* Nobody waits for them in Redis. */
	if (!error)
		error = store_acknowledge(store, INT64_MAX);
	if (error)
		snprintf(why, why_bytes, "%s: %s", path, strerror(-error));
	store_close(store);
	return error;
}

int console_data_make(const struct console_data_options *options, int64_t *ret_end_ms, char *why,
		      size_t why_bytes)
{
	int64_t end_ms = (int64_t)time(NULL) * 1000 / HOUR_MS * HOUR_MS;
	char path[4200], store[33];
	struct datadir datadir;
	int error = datadir_open(options->directory, 0, true, &datadir, why, why_bytes);

	if (error < 0)
		return error;
	for (int i = 0; i < 16; i++)
		snprintf(store + 2 * i, 3, "%02x", datadir.uuid[i]);
	datadir_close(&datadir);
	*ret_end_ms = end_ms;
	snprintf(path, sizeof(path), "%s/%s", options->directory, HISTORY_FILE);
	error = write_history(options, path, store, end_ms, why, why_bytes);
	if (error < 0)
		return error;
	snprintf(path, sizeof(path), "%s/weir.db", options->directory);
	return write_anomalies(options, path, end_ms, why, why_bytes);
}

int console_data_fire(const struct console_data_options *options, uint32_t number, int64_t end_ms,
		      uint64_t ret_id[2], char *why, size_t why_bytes)
{
	struct anomaly anomaly;
	struct store *store;
	char path[4200];

	snprintf(path, sizeof(path), "%s/weir.db", options->directory);
	int error = store_open(path, &store, why, why_bytes);
	if (error)
		return error;
	uint64_t sequence = store_scored_through(store) + 1;
	make_anomaly(&anomaly, options->anomalies + number, end_ms - INTERVAL_MS);
	ret_id[0] = anomaly.id[0];
	ret_id[1] = anomaly.id[1];
	error = store_begin(store);
	if (!error)
		error = store_add(store, sequence, &anomaly);
	if (!error)
		error = store_commit(store, sequence);
	if (error)
		snprintf(why, why_bytes, "%s: %s", path, strerror(-error));
	store_close(store);
	return error;
}
