/*
 * config_values: texts, names, choices, quantities with units; see config_values.h.
 *
 * Runs on: the main thread, at start; weirctl.
 * Never: knows what a key is for.
 */
#include "config_values.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/check.h"
#include "weir/limits.h"

int config_refuse(struct config_job *job, const char *format, ...)
{
	va_list arguments;
	int used = snprintf(job->why, job->why_bytes, "%s: ", job->name);

	va_start(arguments, format);
	if (used >= 0 && (size_t)used < job->why_bytes)
		vsnprintf(job->why + used, job->why_bytes - (size_t)used, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

const struct unit config_duration_units[] = {{"ms", 1},     {"s", 1e3},    {"m", 60e3},
					     {"h", 3600e3}, {"d", DAY_MS}, {NULL, 0}};
const struct unit config_byte_units[] = {
	{"B", 1},    {"KiB", 1024.0}, {"MiB", MIB}, {"GiB", 1024 * MIB}, {"TiB", 1024 * 1024 * MIB},
	{"kB", 1e3}, {"MB", 1e6},     {"GB", 1e9},  {"TB", 1e12},        {NULL, 0}};
static const struct unit percent_units[] = {{"%", 1}, {NULL, 0}};

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

const char *config_quantity_text(double value, const struct unit *units, char text[32])
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
	/* Through the signed type, so that CONFIG_MONTH is a value like others. */
	uint64_t wide = (uint64_t)(int64_t)value;
	uint32_t narrow = (uint32_t)(int64_t)value;

	check(bytes == 4 || bytes == 8);
	if (bytes == 8)
		memcpy(to, &wide, 8);
	else
		memcpy(to, &narrow, 4);
}

/* The text of a number of that kind; *ret_units: how to write it back. */
static bool read_quantity(const struct config_job *job, const struct setting *s, const char *text,
			  const struct unit **ret_units, double *ret_value)
{
	const struct unit *units = NULL;
	bool negative = s->kind == NUMBER && s->min < 0 && text[0] == '-';
	bool ok;

	if (s->kind == BYTES)
		units = config_byte_units;
	if (s->kind == PERCENT)
		units = percent_units;
	if (s->kind == MS || s->kind == SECONDS || s->kind == PERIOD)
		units = config_duration_units;
	*ret_units = units;
	ok = parse_quantity(text + negative, units, ret_value);
	if (!ok && (s->kind == BYTES || s->kind == PERCENT))
		ok = parse_quantity(text, NULL, ret_value); /* the unit goes without saying */
	if (!ok && s->kind == INTERVALS) {
		ok = parse_quantity(text, config_duration_units, ret_value);
		/* At least the time that was asked for. */
		*ret_value = ok ? ceil(*ret_value / job->step_ms) : 0;
	}
	if (!ok)
		return false;
	if (negative)
		*ret_value = -*ret_value;
	if (s->kind == SECONDS)
		*ret_value /= 1000;
	return true;
}

static int set_quantity(struct config_job *job, const struct setting *s, const char *path,
			const char *text, void *to)
{
	static const char *const what[] = {[COUNT] = "a whole number",
					   [BYTES] = "a size, as 64MiB",
					   [MS] = "a duration, as 500ms, 10s, 5m, 1h or 1d",
					   [SECONDS] = "a duration, as 12h or 30d",
					   [INTERVALS] =
						   "a number of intervals, or a duration as 6h",
					   [PERIOD] = "a period, as 1h, 1d, 7d or 1mo",
					   [NUMBER] = "a number",
					   [PERCENT] = "a percentage, as 25%"};
	const struct unit *units;
	char least[32], most[32];
	double value = 0;

	if (s->kind == PERIOD && strcmp(text, "1mo") == 0) {
		store_number(to, s->bytes, CONFIG_MONTH);
		return 0;
	}
	bool ok = read_quantity(job, s, text, &units, &value);
	bool whole = s->kind != NUMBER && s->kind != PERCENT;

	if (!ok || (whole && value != floor(value)))
		return config_refuse(job, "%s: \"%s\" is not %s; correct it", path, text,
				     what[s->kind]);
	if (value < s->min || value > s->max) {
		double scale = s->kind == SECONDS ? 1000 : 1;

		return config_refuse(job, "%s: %s is out of bounds; write %s to %s", path, text,
				     config_quantity_text(s->min * scale, units, least),
				     config_quantity_text(s->max * scale, units, most));
	}
	if (whole)
		store_number(to, s->bytes, value);
	else
		memcpy(to, &value, sizeof(value));
	return 0;
}

bool config_is_name(const char *text)
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

static int set_choice(struct config_job *job, const struct setting *s, const char *path,
		      const char *text)
{
	char list[128] = "";

	for (const char *const *choice = s->choices; *choice; choice++) {
		if (strcmp(text, *choice) == 0)
			return 0;
		size_t used = strlen(list);

		snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", *choice);
	}
	return config_refuse(job, "%s: \"%s\" is unknown; write one of %s", path, text, list);
}

/* A path as the engine will open it. NULL: no memory. */
static char *resolve(const struct config_job *job, const char *path)
{
	const char *slash = strrchr(job->name, '/');
	char *resolved;

	if (path[0] == '/' || !slash)
		return strdup(path);
	if (asprintf(&resolved, "%.*s/%s", (int)(slash - job->name), job->name, path) < 0)
		return NULL;
	return resolved;
}

static int set_text(struct config_job *job, const struct setting *s, const char *path,
		    const char *text, void *to)
{
	bool is_path = s->kind == PATH || s->kind == SOCKET;
	char *value;
	int r = 0;

	if (!text[0] && s->kind != LABEL)
		return config_refuse(job, "%s: empty; give it a value or remove the key", path);
	if (s->kind == NAME && !config_is_name(text))
		return config_refuse(
			job,
			"%s: \"%s\" is not a name; use 1 to 64 of the letters a-z, digits, "
			"_ . and -",
			path, text);
	if (s->kind == LABEL && !is_label(text))
		return config_refuse(job, "%s: at most %d bytes, no control characters", path,
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
		return config_refuse(job, "%s: %s has %zu bytes, a socket's path has at most %zu",
				     path, value, strlen(value),
				     sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	return 0;
}

int config_interpret(struct config_job *job, const struct setting *settings, const char *prefix,
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

void config_free_texts(const struct setting *settings, void *values)
{
	for (const struct setting *s = settings; s->key; s++) {
		char *text;

		if (s->kind >= COUNT)
			continue;
		memcpy(&text, (char *)values + s->to, sizeof(text));
		free(text);
	}
}
