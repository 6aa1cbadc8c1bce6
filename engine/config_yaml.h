/*
 * config_yaml: the configuration file as it is written: keys and texts, no meaning yet.
 *
 * Every scalar is a text here, NULL where its key is absent; config.c gives it a meaning. What is
 * refused here has a line and a column.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

struct yaml_lateness {
	char *wall, *event;
};

struct yaml_limits {
	char *series_max, *producers_max, *producer_series_max, *slices_max, *user_bytes_max;
};

struct yaml_log {
	char *io, *durability, *sync_interval, *sync_bytes, *segment_bytes, *block_bytes,
		*spares, *retain_bytes, *retain_age;
};

struct yaml_prometheus {
	char *listen, *network;
};

struct yaml_history {
	char *base, *minute, *hour, *day;
};

struct yaml_redis {
	char *url, *user, *password_file, *stream_max;
};

struct yaml_metric {
	char *name, *event, *field, *agg, *ratio, *empty;
	char **where;
	unsigned where_count;
	char **by;
	unsigned by_count;
};

struct yaml_detector {
	char *name, *metric, *kind, *direction, *severity, *min_volume, *k, *consecutive, *recover,
		*window, *learn, *absent, *frequency, *baseline, *versus, *up, *down, *above,
		*below, *growth_drop, *min_delta, *cooldown, *timezone;
	char **resolutions;
	unsigned resolutions_count;
	bool resolutions_given; /* be its list empty */
};

/* The groups are NULL where absent or empty. */
struct yaml_config {
	char *data_directory, *socket, *control_socket, *environment, *lanes, *shards, *interval,
		*checkpoint_intervals, *timezone;
	struct yaml_lateness *lateness;
	struct yaml_limits *limits;
	struct yaml_log *log;
	struct yaml_history *history;
	struct yaml_redis *redis;
	struct yaml_prometheus *prometheus;
	struct yaml_metric *metrics;
	unsigned metrics_count;
	struct yaml_detector *detectors;
	unsigned detectors_count;
};

/* *ret_yaml is NULL for a file without content; `why` is "name:line:column: what, and what to do".
 * *ret_detectors: the key `detectors` is there, be its list empty. 0, -EINVAL, -ENOMEM. */
int config_yaml_load(const char *text, size_t bytes, const char *name,
		     struct yaml_config **ret_yaml, bool *ret_detectors, char *why,
		     size_t why_bytes);
/* Is it a key of a detector; a list: are its values several? */
bool config_yaml_detector_key(const char *key, bool *ret_list);
void config_yaml_free(struct yaml_config *yaml); /* NULL is fine */

#endif
