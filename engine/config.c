/*
 * config: from texts to one checked struct.
 *
 * Idea:  a table has a row for each key: where its text lies, where its value goes, what kind of
 *        value it is, its bounds and its default, itself written as text. One function turns rows
 *        into values, for the file, for each metric and for each detector. What relates keys to
 *        each other (names, references, bounds that depend) is checked behind it.
 * Runs on: the main thread, at start; weirctl.
 * Never: opens what a path names, knows a stage, changes anything but what it returns.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "config_yaml.h"

/* Of the file: a thousand detectors fit into a tenth of it. */
#define CONFIG_BYTES_MAX (1u << 20)

#define MIB (1024.0 * 1024)
#define DAY_MS (24 * 3600 * 1000.0)

enum kind {
	TEXT,      /* char *, as written */
	PATH,      /* char *, relative to the file's directory */
	SOCKET,    /* the same, short enough for a socket address */
	NAME,      /* char *, [a-z0-9_.-]{1,64} */
	LABEL,     /* char *, 0-64 bytes without control characters */
	CHOICE,    /* char *, one of `choices` */
	COUNT,     /* uint32_t or uint64_t */
	BYTES,     /* uint32_t or uint64_t, "64MiB" */
	MS,        /* uint32_t or int64_t, "10s" */
	SECONDS,   /* uint64_t, "7d" */
	INTERVALS, /* uint32_t: a number of intervals, or a duration */
	NUMBER,    /* double */
};

struct setting {
	const char *key;
	enum kind kind;
	size_t group;    /* of the pointer to the group in the texts, + 1; 0: no group */
	size_t from, to; /* offsets of the text and of the value */
	size_t bytes;    /* of the value */
	double min, max;
	const char *standard; /* what an absent key means; NULL: the value stays 0 */
	const char *const *choices;
};

#define VALUE(structure, member)                                                                   \
	.to = offsetof(struct structure, member), .bytes = sizeof(((struct structure *)0)->member)
#define TOP(member, value) .from = offsetof(struct yaml_config, member), VALUE(config, value)
#define IN(name, member, value)                                                                    \
	.group = offsetof(struct yaml_config, name) + 1,                                           \
	.from = offsetof(struct yaml_##name, member), VALUE(config, value)
#define METRIC(member) .from = offsetof(struct yaml_metric, member), VALUE(config_metric, member)
#define DETECTOR(member, value)                                                                    \
	.from = offsetof(struct yaml_detector, member), VALUE(config_detector, value)
#define END                                                                                        \
	{                                                                                          \
		.key = NULL                                                                        \
	}

static const char *const ios[] = {"auto", "uring", "pwrite", NULL};
static const char *const durabilities[] = {"none", "interval", "block", NULL};
static const char *const aggregations[] = {"count", "sum", "mean", "min", "max", NULL};
static const char *const detector_kinds[] = {"profile", "window", "absence", NULL};
static const char *const directions[] = {"both", "up", "down", NULL};

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
	{"log.retain_bytes", BYTES, IN(log, retain_bytes, retain_bytes), 0, 1e15, "0"},
	{"log.retain_age", SECONDS, IN(log, retain_age, retain_s), 0, 36600 * DAY_MS / 1000, "0"},

	{"redis.url", TEXT, IN(redis, url, redis_url)},
	{"redis.user", LABEL, IN(redis, user, redis_user)},
	{"redis.password_file", PATH, IN(redis, password_file, redis_password_file)},
	{"redis.stream_max", COUNT, IN(redis, stream_max, redis_stream_max), 1, 1e12, "100000"},
	END,
};

static const struct setting metric_settings[] = {
	{"name", NAME, METRIC(name)},
	{"event", LABEL, METRIC(event)},
	{"agg", CHOICE, METRIC(agg), .standard = "count", .choices = aggregations},
	{"field", LABEL, METRIC(field)},
	END,
};

static const struct setting detector_settings[] = {
	{"name", NAME, DETECTOR(name, name)},
	{"metric", NAME, DETECTOR(metric, metric)},
	{"kind", CHOICE, DETECTOR(kind, kind), .standard = "profile", .choices = detector_kinds},
	{"direction", CHOICE, DETECTOR(direction, direction),
		.standard = "both", .choices = directions},
	{"severity", NUMBER, DETECTOR(severity, severity), 0, 100},
	{"min_volume", NUMBER, DETECTOR(min_volume, min_volume), 0, 1e15, "10"},
	{"k", NUMBER, DETECTOR(k, k), 0.5, 50, "4"},
	{"for", INTERVALS, DETECTOR(consecutive, for_intervals), 1, 10000, "1"},
	{"recover", INTERVALS, DETECTOR(recover, recover_intervals), 1, 10000, "2"},
	{"window", INTERVALS, DETECTOR(window, window_intervals), 2, 100000, "60"},
	{"learn", INTERVALS, DETECTOR(learn, learn_intervals), 1, 10000000, "14d"},
	{"absent", INTERVALS, DETECTOR(absent, absent_intervals), 1, 10000, "3"},
	END,
};
/* clang-format on */

/* The job in hand. Memory that runs out, or the first error, ends it. */
struct job {
	struct config *config;
	const char *name; /* of the file */
	char *why;
	size_t why_bytes;
};

static int refuse(struct job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct job *job, const char *format, ...)
{
	va_list arguments;
	int used = snprintf(job->why, job->why_bytes, "%s: ", job->name);

	va_start(arguments, format);
	if (used >= 0 && (size_t)used < job->why_bytes)
		vsnprintf(job->why + used, job->why_bytes - (size_t)used, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

struct unit {
	const char *name;
	double size;
};

static const struct unit duration_units[] = {{"ms", 1},     {"s", 1e3},    {"m", 60e3},
					     {"h", 3600e3}, {"d", DAY_MS}, {NULL, 0}};
static const struct unit byte_units[] = {
	{"B", 1},    {"KiB", 1024.0}, {"MiB", MIB}, {"GiB", 1024 * MIB}, {"TiB", 1024 * 1024 * MIB},
	{"kB", 1e3}, {"MB", 1e6},     {"GB", 1e9},  {"TB", 1e12},        {NULL, 0}};

/* Digits with an optional fraction, and a unit; "0" needs none. False: it is not that. */
static bool parse_quantity(const char *text, const struct unit *units, double *ret_value)
{
	char *end;

	if (text[0] < '0' || text[0] > '9' || text[1] == 'x' || text[1] == 'X')
		return false;
	errno = 0;
	double value = strtod(text, &end);

	if (errno || !isfinite(value))
		return false;
	while (*end == ' ')
		end++;
	if (*end == '\0') {
		*ret_value = value;
		return !units || value == 0;
	}
	for (; units && units->name; units++)
		if (strcmp(end, units->name) == 0) {
			*ret_value = value * units->size;
			return true;
		}
	return false;
}

/* The way back, for messages: in the largest unit that leaves no fraction. */
static const char *quantity_text(double value, const struct unit *units, char text[32])
{
	const struct unit *best = units;

	for (const struct unit *unit = units; unit && unit->name; unit++)
		if (value > 0 && unit->size > best->size && fmod(value, unit->size) == 0)
			best = unit;
	snprintf(text, 32, "%.15g%s", best ? value / best->size : value,
		 best && value > 0 ? best->name : "");
	return text;
}

static void store_number(void *to, size_t bytes, double value)
{
	uint64_t wide = (uint64_t)value;
	uint32_t narrow = (uint32_t)value;

	check(bytes == 4 || bytes == 8);
	if (bytes == 8)
		memcpy(to, &wide, 8);
	else
		memcpy(to, &narrow, 4);
}

static int set_quantity(struct job *job, const struct setting *s, const char *path,
			const char *text, void *to)
{
	static const char *const what[] = {[COUNT] = "a whole number",
					   [BYTES] = "a size, as 64MiB",
					   [MS] = "a duration, as 500ms, 10s, 5m, 1h or 1d",
					   [SECONDS] = "a duration, as 12h or 30d",
					   [INTERVALS] =
						   "a number of intervals, or a duration as 6h",
					   [NUMBER] = "a number"};
	const struct unit *units = s->kind == BYTES ? byte_units : NULL;
	char least[32], most[32];
	double value;
	bool ok;

	if (s->kind == MS || s->kind == SECONDS)
		units = duration_units;
	ok = parse_quantity(text, units, &value);
	if (s->kind == BYTES && !ok)
		ok = parse_quantity(text, NULL, &value); /* a bare number is bytes */
	if (s->kind == INTERVALS && !ok) {
		ok = parse_quantity(text, duration_units, &value);
		/* At least the time that was asked for. */
		value = ok ? ceil(value / (double)job->config->interval_ms) : 0;
	}
	if (s->kind == SECONDS)
		value /= ok ? 1000 : 1;
	if (!ok || (s->kind != NUMBER && value != floor(value)))
		return refuse(job, "%s: \"%s\" is not %s; correct it", path, text, what[s->kind]);
	if (value < s->min || value > s->max) {
		double scale = s->kind == SECONDS ? 1000 : 1;

		return refuse(job, "%s: %s is out of bounds; write %s to %s", path, text,
			      quantity_text(s->min * scale, units, least),
			      quantity_text(s->max * scale, units, most));
	}
	if (s->kind == NUMBER)
		memcpy(to, &value, sizeof(value));
	else
		store_number(to, s->bytes, value);
	return 0;
}

static bool is_name(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-");

	return length > 0 && length <= WEIR_NAME_BYTES_MAX && text[length] == '\0';
}

static bool is_label(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return strlen(text) <= WEIR_NAME_BYTES_MAX;
}

static int set_choice(struct job *job, const struct setting *s, const char *path, const char *text)
{
	char list[128] = "";

	for (const char *const *choice = s->choices; *choice; choice++) {
		if (strcmp(text, *choice) == 0)
			return 0;
		size_t used = strlen(list);

		snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", *choice);
	}
	return refuse(job, "%s: \"%s\" is unknown; write one of %s", path, text, list);
}

/* A path as the engine will open it. NULL: no memory. */
static char *resolve(const struct job *job, const char *path)
{
	const char *slash = strrchr(job->name, '/');
	char *resolved;

	if (path[0] == '/' || !slash)
		return strdup(path);
	if (asprintf(&resolved, "%.*s/%s", (int)(slash - job->name), job->name, path) < 0)
		return NULL;
	return resolved;
}

static int set_text(struct job *job, const struct setting *s, const char *path, const char *text,
		    void *to)
{
	bool is_path = s->kind == PATH || s->kind == SOCKET;
	char *value;
	int r = 0;

	if (!text[0] && s->kind != LABEL)
		return refuse(job, "%s: empty; give it a value or remove the key", path);
	if (s->kind == NAME && !is_name(text))
		return refuse(job,
			      "%s: \"%s\" is not a name; use 1 to 64 of the letters a-z, digits, "
			      "_ . and -",
			      path, text);
	if (s->kind == LABEL && !is_label(text))
		return refuse(job, "%s: at most %d bytes, no control characters", path,
			      WEIR_NAME_BYTES_MAX);
	if (s->kind == CHOICE)
		r = set_choice(job, s, path, text);
	if (r < 0)
		return r;
	value = is_path ? resolve(job, text) : strdup(text);
	if (!value)
		return -ENOMEM;
	memcpy(to, &value, sizeof(value));
	if (s->kind == SOCKET && strlen(value) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return refuse(job, "%s: %s has %zu bytes, a socket's path has at most %zu", path,
			      value, strlen(value),
			      sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	return 0;
}

/* Row by row: the text at `from`, or the default, becomes the value at `to`. */
static int interpret(struct job *job, const struct setting *settings, const char *prefix,
		     const void *from, void *to)
{
	for (const struct setting *s = settings; s->key; s++) {
		const char *base = from, *text = NULL;
		char path[160];
		int r;

		if (s->group && base)
			memcpy(&base, base + s->group - 1, sizeof(base));
		if (base)
			memcpy(&text, base + s->from, sizeof(text));
		if (!text)
			text = s->standard;
		if (!text)
			continue;
		snprintf(path, sizeof(path), "%s%s", prefix, s->key);
		if (s->kind >= COUNT)
			r = set_quantity(job, s, path, text, (char *)to + s->to);
		else
			r = set_text(job, s, path, text, (char *)to + s->to);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_config(struct job *job, const struct yaml_config *yaml)
{
	struct config *c = job->config;
	char size[32];

	if (!yaml || !yaml->lateness || !yaml->lateness->event)
		c->lateness_event_ms = c->interval_ms;
	int64_t lateness_max = (WEIR_OPEN_INTERVALS_MAX - 2) * c->interval_ms;
	bool wall = c->lateness_wall_ms > lateness_max;

	if (wall || c->lateness_event_ms > lateness_max)
		return refuse(job,
			      "lateness.%s: more than %d intervals; wait %s at most, or make the "
			      "interval longer",
			      wall ? "wall" : "event", WEIR_OPEN_INTERVALS_MAX - 2,
			      quantity_text((double)lateness_max, duration_units, size));
	if (c->segment_bytes % WEIR_BLOCK_ALIGN)
		return refuse(job, "log.segment_bytes: not a multiple of 4KiB; write 64MiB or so");
	if (c->block_bytes % WEIR_BLOCK_ALIGN)
		return refuse(job, "log.block_bytes: not a multiple of 4KiB; write 64KiB or so");
	uint64_t least = 2 * c->segment_bytes * c->lanes;

	if (c->retain_bytes && c->retain_bytes < least)
		return refuse(
			job,
			"log.retain_bytes: two segments for each lane are the least, %s; keep "
			"more, or make segment_bytes smaller",
			quantity_text((double)least, byte_units, size));
	if (strcmp(c->socket, c->control_socket) == 0)
		return refuse(job, "control_socket: the same path as socket; give it another");
	if (c->redis_url && strncmp(c->redis_url, "unix:///", 8) != 0 &&
	    strncmp(c->redis_url, "redis://", 8) != 0)
		return refuse(job,
			      "redis.url: \"%s\" is neither unix:///path nor redis://host:port",
			      c->redis_url);
	if (c->redis_url && !c->redis_url[8])
		return refuse(job, "redis.url: nothing behind %s", c->redis_url);
	if (!c->redis_url && (c->redis_user || c->redis_password_file))
		return refuse(job, "redis.url: missing; write where Redis is, or remove the group");
	if (c->redis_user && !c->redis_password_file)
		return refuse(job, "redis.password_file: missing; redis.user needs one");
	return 0;
}

/* "country" or "country*device" into a roll-up. */
static int parse_rollup(struct job *job, const char *path, const char *text,
			struct config_rollup *rollup)
{
	const char *rest = text;
	bool more = true;

	rollup->dimensions = calloc(WEIR_DIMENSIONS_MAX, sizeof(char *));
	if (!rollup->dimensions)
		return -ENOMEM;
	while (more) {
		size_t length = strcspn(rest, "*");
		const char *next = rest + length;

		more = *next == '*';
		while (length && rest[length - 1] == ' ')
			length--;
		while (length && *rest == ' ') {
			rest++;
			length--;
		}
		if (!length || length > WEIR_NAME_BYTES_MAX)
			return refuse(job,
				      "%s: \"%s\" is not a roll-up; write a dimension's name, or "
				      "several as country*device",
				      path, text);
		if (rollup->dimensions_count == WEIR_DIMENSIONS_MAX)
			return refuse(job, "%s: more than %d dimensions", path,
				      WEIR_DIMENSIONS_MAX);
		char *name = strndup(rest, length);

		if (!name)
			return -ENOMEM;
		rollup->dimensions[rollup->dimensions_count++] = name;
		for (unsigned i = 0; i + 1 < rollup->dimensions_count; i++)
			if (strcmp(rollup->dimensions[i], name) == 0)
				return refuse(job, "%s: %s stands there twice; remove one", path,
					      name);
		rest = next + 1;
	}
	return 0;
}

/* The same dimensions, in whatever order. */
static bool same_rollup(const struct config_rollup *a, const struct config_rollup *b)
{
	if (a->dimensions_count != b->dimensions_count)
		return false;
	for (unsigned i = 0; i < a->dimensions_count; i++) {
		bool found = false;

		for (unsigned j = 0; j < b->dimensions_count; j++)
			found |= strcmp(a->dimensions[i], b->dimensions[j]) == 0;
		if (!found)
			return false;
	}
	return true;
}

static int parse_metric(struct job *job, unsigned index, const struct yaml_metric *yaml)
{
	struct config_metric *metric = &job->config->metrics[index];
	char prefix[64];
	int r;

	snprintf(prefix, sizeof(prefix), "metrics[%u].", index);
	r = interpret(job, metric_settings, prefix, yaml, metric);
	if (r < 0)
		return r;
	if (!metric->name)
		return refuse(job, "%sname: missing; every metric has one", prefix);
	if (!metric->event || !metric->event[0])
		return refuse(job, "%sevent: missing; write which event feeds %s, as purchase",
			      prefix, metric->name);
	for (unsigned i = 0; i < index; i++)
		if (strcmp(job->config->metrics[i].name, metric->name) == 0)
			return refuse(job, "%sname: metrics[%u] is called %s too; rename one",
				      prefix, i, metric->name);
	if (!metric->field)
		metric->field = strdup(strcmp(metric->agg, "count") == 0 ? "" : "value");
	metric->by = calloc(yaml->by_count + 1, sizeof(*metric->by));
	if (!metric->field || !metric->by)
		return -ENOMEM;
	for (unsigned i = 0; i < yaml->by_count; i++) {
		char path[80];

		snprintf(path, sizeof(path), "%sby[%u]", prefix, i);
		metric->by_count++;
		r = parse_rollup(job, path, yaml->by[i], &metric->by[i]);
		if (r < 0)
			return r;
		for (unsigned j = 0; j < i; j++)
			if (same_rollup(&metric->by[i], &metric->by[j]))
				return refuse(job, "%s: the same as by[%u]; remove one", path, j);
	}
	return 0;
}

static const struct config_metric *find_metric(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->metrics_count; i++)
		if (strcmp(config->metrics[i].name, name) == 0)
			return &config->metrics[i];
	return NULL;
}

static int refuse_metric(struct job *job, const char *prefix, const char *name)
{
	char list[256] = "";

	for (unsigned i = 0; i < job->config->metrics_count; i++) {
		size_t used = strlen(list);

		snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "",
			 job->config->metrics[i].name);
	}
	return refuse(job, "%smetric: there is no metric \"%s\"; %s%s", prefix, name,
		      list[0] ? "use one of " : "define it under metrics", list);
}

/* A key that this kind of detector does not read is a misunderstanding: say so. */
static int check_kind(struct job *job, const char *prefix, const char *kind,
		      const struct yaml_detector *yaml)
{
	const struct {
		const char *key, *text, *kind;
	} owned[] = {{"k", yaml->k, "window"},
		     {"window", yaml->window, "window"},
		     {"learn", yaml->learn, "profile"},
		     {"absent", yaml->absent, "absence"}};

	for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++)
		if (owned[i].text && strcmp(owned[i].kind, kind) != 0)
			return refuse(job, "%s%s: only kind %s has it, this is %s; remove it",
				      prefix, owned[i].key, owned[i].kind, kind);
	return 0;
}

static int parse_detector(struct job *job, unsigned index, const struct yaml_detector *yaml)
{
	struct config_detector *detector = &job->config->detectors[index];
	char prefix[64];
	int r;

	snprintf(prefix, sizeof(prefix), "detectors[%u].", index);
	r = interpret(job, detector_settings, prefix, yaml, detector);
	if (r < 0)
		return r;
	/* 75 is once in two years by chance. A window says with k what is too far: 50, once a week,
	 * leaves that to it. */
	if (!yaml->severity)
		detector->severity = strcmp(detector->kind, "window") == 0 ? 50 : 75;
	if (!detector->metric)
		return refuse(job, "%smetric: missing; write which metric it watches", prefix);
	if (!find_metric(job->config, detector->metric))
		return refuse_metric(job, prefix, detector->metric);
	if (!detector->name &&
	    asprintf(&detector->name, "%s-%s", detector->metric, detector->kind) < 0) {
		detector->name = NULL;
		return -ENOMEM;
	}
	if (!is_name(detector->name))
		return refuse(job, "%sname: missing, and %s is too long for one", prefix,
			      detector->name);
	for (unsigned i = 0; i < index; i++)
		if (strcmp(job->config->detectors[i].name, detector->name) == 0)
			return refuse(job, "%sname: detectors[%u] is called %s too; rename one",
				      prefix, i, detector->name);
	return check_kind(job, prefix, detector->kind, yaml);
}

/* Metrics and detectors; without the key `detectors` each metric has one of the default kind. */
static int parse_lists(struct job *job, const struct yaml_config *yaml, bool has_detectors)
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
		r = parse_metric(job, i, &yaml->metrics[i]);
	}
	for (unsigned i = 0; i < detectors && r == 0; i++) {
		struct yaml_detector standard = {.metric = config->metrics[i].name};

		config->detectors_count++;
		r = parse_detector(job, i, has_detectors ? &yaml->detectors[i] : &standard);
	}
	return r;
}

int config_parse(const char *text, size_t bytes, const char *name, struct config **ret_config,
		 char *why, size_t why_bytes)
{
	struct job job = {.name = name, .why = why, .why_bytes = why_bytes};
	struct yaml_config *yaml = NULL;
	bool has_detectors = false;
	int r;

	if (bytes > CONFIG_BYTES_MAX)
		return refuse(&job, "%zu bytes; a configuration has at most 1MiB", bytes);
	r = config_yaml_load(text, bytes, name, &yaml, &has_detectors, why, why_bytes);
	if (r == 0) {
		job.config = calloc(1, sizeof(*job.config));
		r = job.config && (job.config->text = strndup(text, bytes)) ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = interpret(&job, config_settings, "", yaml, job.config);
	if (r == 0)
		r = check_config(&job, yaml);
	if (r == 0)
		r = parse_lists(&job, yaml, has_detectors);
	config_yaml_free(yaml);
	if (r == -ENOMEM)
		snprintf(why, why_bytes, "%s: out of memory", name);
	if (r < 0)
		config_free(job.config);
	else
		*ret_config = job.config;
	return r;
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

/* What a table filled in: every kind before COUNT is a text of its own. */
static void free_texts(const struct setting *settings, void *values)
{
	for (const struct setting *s = settings; s->key; s++) {
		char *text;

		if (s->kind >= COUNT)
			continue;
		memcpy(&text, (char *)values + s->to, sizeof(text));
		free(text);
	}
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (unsigned i = 0; i < config->metrics_count; i++) {
		struct config_metric *metric = &config->metrics[i];

		for (unsigned j = 0; j < metric->by_count; j++) {
			for (unsigned k = 0; k < metric->by[j].dimensions_count; k++)
				free(metric->by[j].dimensions[k]);
			free(metric->by[j].dimensions);
		}
		free(metric->by);
		free_texts(metric_settings, metric);
	}
	for (unsigned i = 0; i < config->detectors_count; i++)
		free_texts(detector_settings, &config->detectors[i]);
	free_texts(config_settings, config);
	free(config->metrics);
	free(config->detectors);
	free(config->text);
	free(config);
}
