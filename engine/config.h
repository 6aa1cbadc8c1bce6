/*
 * config: one YAML file to one checked struct, through libcyaml. Knows no stage.
 * Unknown keys and broken syntax: line and column. Wrong meaning: the path ("detectors[3].metric").
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/limits.h"

struct zone;

struct config_rollup {
	char **dimensions;
	unsigned dimensions_count;
};

#define CONFIG_WHERE_MAX 16 /* conditions of one metric */
#define CONFIG_RESOLUTIONS_MAX 4 /* longer periods of one detector */

/* "channel=cpc|email" or "channel!=cpc": all conditions of a metric must hold. */
struct config_where {
	char *dimension;
	bool negated;
	char **values;
	unsigned values_count;
};

struct config_metric {
	char *name;
	char *event; /* NULL: a ratio */
	char *field; /* default "" for count, "value" else; NULL: a ratio */
	char *agg;   /* count, sum, mean, min, max, distinct, p50, p99, p99.9, ...; or ratio */
	double quantile;                    /* of a percentile, 0..1 */
	unsigned numerator, denominator;    /* of a ratio: indexes of metrics before this one */
	struct config_where *where;
	unsigned where_count;
	struct config_rollup *by;
	unsigned by_count;
	char *empty; /* what an interval in which nothing came is: zero or missing */
};

struct config_detector {
	char *name;
	char *metric;
	char *kind;      /* seasonal (default), window, rule, absence */
	char *direction; /* both, up, down */
	double severity, min_volume, k;
	uint32_t for_intervals, recover_intervals, window_intervals, learn_intervals,
		absent_intervals, cooldown_intervals;
	double min_delta;
	int64_t frequency_ms; /* 0: the interval; DETECTOR_MONTH (-1): a calendar month */
	char *baseline;       /* window: recent, last_year; rule: previous, last_week, last_year */
	double up_percent, down_percent, above, below, growth_drop; /* rule; NaN: not set */
	int64_t resolutions_ms[CONFIG_RESOLUTIONS_MAX]; /* seasonal; 0: no more */
	char *timezone;          /* whose hours and days it goes by; NULL: by none */
	const struct zone *zone; /* the same; NULL: UTC, or none */
};

struct config {
	char *data_directory;
	char *socket;          /* producers */
	char *control_socket;
	char *environment;
	uint32_t lanes, shards;
	int64_t interval_ms;
	char *timezone; /* of detectors that say none */
	int64_t lateness_wall_ms, lateness_event_ms;
	uint32_t series_max, producers_max, producer_series_max, slices_max;
	uint64_t user_bytes_max;
	char *io;              /* auto, uring, pwrite; none: nothing is kept */
	char *durability;      /* none, interval, block */
	uint32_t sync_ms;
	uint64_t sync_bytes, segment_bytes, block_bytes;
	uint32_t spares;       /* files written ahead, of each lane */
	uint64_t retain_bytes; /* 0: no bound */
	uint64_t retain_s;
	uint32_t checkpoint_intervals;
	char *redis_url, *redis_user, *redis_password_file; /* NULL: none */
	uint64_t redis_stream_max;
	/* How long the history keeps each tier. */
	uint64_t history_base_s, history_minute_s, history_hour_s, history_day_s;
	char *prometheus_listen; /* "127.0.0.1:9464"; NULL: not served over TCP */
	char *prometheus_network; /* "yes": listen may name more than this machine */
	struct config_metric *metrics;
	unsigned metrics_count;
	struct config_detector *detectors;
	unsigned detectors_count;
	struct zone **zones; /* all that are named, but UTC */
	unsigned zones_count;
	char *text;   /* the YAML, as written */
	char *record; /* as logged: the text, and behind it the rules of its zones */
};

/* 0, or a negative errno with what is wrong, where, and what to do, in `why`. The rules of time
 * zones are those of the machine's database. */
int config_load(const char *path, struct config **ret_config, char *why, size_t why_bytes);
int config_parse(const char *text, size_t bytes, const char *name, struct config **ret_config,
		 char *why, size_t why_bytes);
/* The same from a record of the log, which brings the rules: equal on every machine. */
int config_restore(const char *record, size_t bytes, const char *name, struct config **ret_config,
		   char *why, size_t why_bytes);
void config_free(struct config *config);

#endif
