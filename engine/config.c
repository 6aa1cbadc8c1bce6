/*
 * config: from texts to one checked struct.
 *
 * Idea:  a table has a row for each key (config_values.h), for the file, for each metric
 *        (config_metric.c) and for each detector (config_detector.c). What relates keys to each
 *        other (names, references, bounds that depend) is checked behind it.
 * Runs on: the main thread, at start; weirctl.
 * Never: opens what a path names, knows a stage, changes anything but what it returns.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_address.h"
#include "config_detector.h"
#include "config_metric.h"
#include "config_values.h"
#include "config_yaml.h"
#include "config_zones.h"

/* Of the file: a thousand detectors fit into a tenth of it. */
#define CONFIG_BYTES_MAX (1u << 20)

#define TOP(member, value) .from = offsetof(struct yaml_config, member), VALUE(config, value)
#define IN(name, member, value)                                                                    \
	.group = offsetof(struct yaml_config, name) + 1,                                           \
	.from = offsetof(struct yaml_##name, member), VALUE(config, value)

static const char *const ios[] = {"auto", "uring", "pwrite", "none", NULL};
static const char *const durabilities[] = {"none", "interval", "block", NULL};
static const char *const truths[] = {"no", "yes", NULL};

/* clang-format off */
static const struct setting config_settings[] = {
	{"data_directory", PATH, TOP(data_directory, data_directory), .standard = "/var/lib/weir"},
	{"socket", SOCKET, TOP(socket, socket), .standard = "/run/weir/weir.sock"},
	{"control_socket", SOCKET, TOP(control_socket, control_socket),
		.standard = "/run/weir/control.sock"},
	{"environment", NAME, TOP(environment, environment), .standard = "prod"},
	{"lanes", COUNT, TOP(lanes, lanes), 1, WEIR_LANES_MAX, "1"},
	{"shards", COUNT, TOP(shards, shards), 1, WEIR_SHARDS_MAX, "1"},
	{"interval", MS, TOP(interval, interval_ms), 1000, DAY_MS, "10s"},
	{"checkpoint_intervals", COUNT, TOP(checkpoint_intervals, checkpoint_intervals),
		1, 1000000, "360"},
	{"timezone", TEXT, TOP(timezone, timezone), .standard = "UTC"},

	{"lateness.wall", MS, IN(lateness, wall, lateness_wall_ms), 0, 7 * DAY_MS, "1s"},
	{"lateness.event", MS, IN(lateness, event, lateness_event_ms), 0, 7 * DAY_MS},

	{"limits.series_max", COUNT, IN(limits, series_max, series_max),
		1, WEIR_SERIES_MAX, "1000000"},
	{"limits.producers_max", COUNT, IN(limits, producers_max, producers_max),
		1, WEIR_PRODUCERS_MAX, "256"},
	{"limits.producer_series_max", COUNT, IN(limits, producer_series_max, producer_series_max),
		1, WEIR_SERIES_MAX, "65536"},
	{"limits.slices_max", COUNT, IN(limits, slices_max, slices_max), 2, 1 << 20, "4096"},
	{"limits.user_bytes_max", BYTES, IN(limits, user_bytes_max, user_bytes_max),
		8 * MIB, 1024 * 1024 * MIB, "2GiB"},

	{"log.io", CHOICE, IN(log, io, io), .standard = "auto", .choices = ios},
	{"log.durability", CHOICE, IN(log, durability, durability),
		.standard = "interval", .choices = durabilities},
	{"log.sync_interval", MS, IN(log, sync_interval, sync_ms), 1, 60000, "100ms"},
	{"log.sync_bytes", BYTES, IN(log, sync_bytes, sync_bytes), 4096, 1024 * MIB, "4MiB"},
	{"log.segment_bytes", BYTES, IN(log, segment_bytes, segment_bytes),
		WEIR_SEGMENT_BYTES_MIN, 4096 * MIB, "128MiB"},
	{"log.block_bytes", BYTES, IN(log, block_bytes, block_bytes),
		4 * WEIR_BLOCK_ALIGN, WEIR_BLOCK_BYTES_MAX, "256KiB"},
	{"log.spares", COUNT, IN(log, spares, spares), 0, WEIR_SPARES_MAX, "2"},
	{"log.retain_bytes", BYTES, IN(log, retain_bytes, retain_bytes), 0, 1e15, "0"},
	{"log.retain_age", SECONDS, IN(log, retain_age, retain_s), 0, 36600 * DAY_S, "0"},

	{"history.base", SECONDS, IN(history, base, history_base_s), 3600, 36600 * DAY_S, "35d"},
	{"history.minute", SECONDS, IN(history, minute, history_minute_s),
		3600, 36600 * DAY_S, "14d"},
	{"history.hour", SECONDS, IN(history, hour, history_hour_s), 3600, 36600 * DAY_S, "730d"},
	{"history.day", SECONDS, IN(history, day, history_day_s), 3600, 36600 * DAY_S, "1826d"},

	{"redis.url", TEXT, IN(redis, url, redis_url)},
	{"redis.user", LABEL, IN(redis, user, redis_user)},
	{"redis.password_file", PATH, IN(redis, password_file, redis_password_file)},
	{"redis.stream_max", COUNT, IN(redis, stream_max, redis_stream_max), 1, 1e12, "100000"},

	{"prometheus.listen", TEXT, IN(prometheus, listen, prometheus_listen)},
	{"prometheus.network", CHOICE, IN(prometheus, network, prometheus_network),
		.standard = "no", .choices = truths},
	END,
};

/* clang-format on */

static int check_prometheus(struct config_job *job)
{
	const struct config *c = job->config;
	struct sockaddr_storage address;
	socklen_t bytes;
	bool network = strcmp(c->prometheus_network, "yes") == 0;

	if (!c->prometheus_listen)
		return network ? config_refuse(job, "prometheus.listen: missing; write an address "
						    "as 127.0.0.1:9464, or remove the group")
			       : 0;
	if (config_address(c->prometheus_listen, &address, &bytes) < 0)
		return config_refuse(job,
				     "prometheus.listen: \"%s\" is no address and port in numbers, "
				     "as 127.0.0.1:9464 or [::1]:9464; correct it",
				     c->prometheus_listen);
	if (!network && !config_address_is_loopback(&address))
		return config_refuse(
			job,
			"prometheus.listen: %s can be reached from elsewhere, and "
			"asks for no password; listen at 127.0.0.1, or say network: yes",
			c->prometheus_listen);
	return 0;
}

static int check_config(struct config_job *job, const struct yaml_config *yaml)
{
	struct config *c = job->config;
	char size[32];

	if (!yaml || !yaml->lateness || !yaml->lateness->event)
		c->lateness_event_ms = c->interval_ms;
	int64_t lateness_max = (WEIR_OPEN_INTERVALS_MAX - 2) * c->interval_ms;
	bool wall = c->lateness_wall_ms > lateness_max;

	if (wall || c->lateness_event_ms > lateness_max)
		return config_refuse(
			job,
			"lateness.%s: more than %d intervals; wait %s at most, or make the "
			"interval longer",
			wall ? "wall" : "event", WEIR_OPEN_INTERVALS_MAX - 2,
			config_quantity_text((double)lateness_max, config_duration_units, size));
	if (c->segment_bytes % WEIR_BLOCK_ALIGN)
		return config_refuse(
			job, "log.segment_bytes: not a multiple of 4KiB; write 64MiB or so");
	if (c->block_bytes % WEIR_BLOCK_ALIGN)
		return config_refuse(job,
				     "log.block_bytes: not a multiple of 4KiB; write 64KiB or so");
	uint64_t least = 2 * c->segment_bytes * c->lanes;

	if (c->retain_bytes && c->retain_bytes < least)
		return config_refuse(
			job,
			"log.retain_bytes: two segments for each lane are the least, %s; keep "
			"more, or make segment_bytes smaller",
			config_quantity_text((double)least, config_byte_units, size));
	if (strcmp(c->socket, c->control_socket) == 0)
		return config_refuse(job,
				     "control_socket: the same path as socket; give it another");
	if (c->redis_url && strncmp(c->redis_url, "unix:///", 8) != 0 &&
	    strncmp(c->redis_url, "redis://", 8) != 0)
		return config_refuse(
			job, "redis.url: \"%s\" is neither unix:///path nor redis://host:port",
			c->redis_url);
	if (c->redis_url && !c->redis_url[8])
		return config_refuse(job, "redis.url: nothing behind %s", c->redis_url);
	if (!c->redis_url && (c->redis_user || c->redis_password_file))
		return config_refuse(
			job, "redis.url: missing; write where Redis is, or remove the group");
	if (c->redis_user && !c->redis_password_file)
		return config_refuse(job, "redis.password_file: missing; redis.user needs one");
	return check_prometheus(job);
}

/* Metrics and detectors; without the key `detectors` each metric has one of the default kind. */
static int parse_lists(struct config_job *job, const struct yaml_config *yaml, bool has_detectors)
{
	struct config *config = job->config;
	unsigned metrics = yaml ? yaml->metrics_count : 0;
	unsigned detectors = has_detectors ? yaml->detectors_count : metrics;
	int r = 0;

	config->metrics = calloc(metrics + 1, sizeof(*config->metrics));
	config->detectors = calloc(detectors + 1, sizeof(*config->detectors));
	if (!config->metrics || !config->detectors)
		return -ENOMEM;
	for (unsigned i = 0; i < metrics && r == 0; i++) {
		config->metrics_count++;
		r = config_metric_parse(job, i, &yaml->metrics[i]);
	}
	for (unsigned i = 0; i < detectors && r == 0; i++) {
		struct yaml_detector standard = {0};

		config->detectors_count++;
		if (!has_detectors)
			standard.metric = config->metrics[i].name;
		r = config_detector_parse(job, i, has_detectors ? &yaml->detectors[i] : &standard);
	}
	return r;
}

/* The whole text, which the job's configuration has already. */
static int parse_text(struct config_job *job)
{
	struct config *config = job->config;
	struct yaml_config *yaml = NULL;
	const struct zone *zone;
	bool has_detectors = false;
	int r = config_yaml_load(config->text, strlen(config->text), job->name, &yaml,
				 &has_detectors, job->why, job->why_bytes);

	if (r == 0)
		r = config_interpret(job, config_settings, "", yaml, config);
	if (r == 0)
		r = check_config(job, yaml);
	if (r == 0)
		r = config_zones_find(job, "timezone", config->timezone, &zone);
	if (r == 0) {
		job->step_ms = (double)config->interval_ms;
		r = parse_lists(job, yaml, has_detectors);
	}
	config_yaml_free(yaml);
	return r;
}

/* `bytes` of `text` are YAML; with `logged`, its zones lie behind them. */
static int parse(struct config_job *job, const char *text, size_t bytes, struct config **ret_config)
{
	int r = 0;

	job->config = calloc(1, sizeof(*job->config));
	if (!job->config)
		r = -ENOMEM;
	if (r == 0 && job->logged)
		r = config_zones_split(job, text, bytes, &bytes);
	if (r == 0 && bytes > CONFIG_BYTES_MAX)
		r = config_refuse(job, "%zu bytes; a configuration has at most 1MiB", bytes);
	if (r == 0 && !(job->config->text = strndup(text, bytes)))
		r = -ENOMEM;
	if (r == 0)
		r = parse_text(job);
	if (r == 0 && !(job->config->record = config_zones_record(job->config)))
		r = -ENOMEM;
	if (r == -ENOMEM)
		snprintf(job->why, job->why_bytes, "%s: out of memory", job->name);
	if (r < 0)
		config_free(job->config);
	else
		*ret_config = job->config;
	return r;
}

int config_parse(const char *text, size_t bytes, const char *name, struct config **ret_config,
		 char *why, size_t why_bytes)
{
	struct config_job job = {.name = name, .why = why, .why_bytes = why_bytes};

	return parse(&job, text, bytes, ret_config);
}

int config_restore(const char *record, size_t bytes, const char *name, struct config **ret_config,
		   char *why, size_t why_bytes)
{
	struct config_job job = {.name = name, .why = why, .why_bytes = why_bytes, .logged = true};

	return parse(&job, record, bytes, ret_config);
}

int config_load(const char *path, struct config **ret_config, char *why, size_t why_bytes)
{
	char *text = malloc(CONFIG_BYTES_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = fd < 0 ? -errno : 0;
	size_t used = 0;

	if (!text)
		r = -ENOMEM;
	/* One byte more than is allowed: config_parse() refuses it by its size. */
	while (r == 0 && used < CONFIG_BYTES_MAX + 1) {
		ssize_t got = read(fd, text + used, CONFIG_BYTES_MAX + 1 - used);

		if (got < 0 && errno != EINTR)
			r = -errno;
		if (got == 0)
			break;
		used += got > 0 ? (size_t)got : 0;
	}
	if (fd >= 0)
		close(fd);
	if (r < 0)
		snprintf(why, why_bytes, "%s: %s; name a readable file with --config", path,
			 strerror(-r));
	else
		r = config_parse(text, used, path, ret_config, why, why_bytes);
	free(text);
	return r;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (unsigned i = 0; i < config->metrics_count; i++)
		config_metric_free(&config->metrics[i]);
	for (unsigned i = 0; i < config->detectors_count; i++)
		config_detector_free(&config->detectors[i]);
	config_free_texts(config_settings, config);
	config_zones_free(config);
	free(config->metrics);
	free(config->detectors);
	free(config->text);
	free(config->record);
	free(config);
}
