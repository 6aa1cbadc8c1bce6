/*
 * config_zones: see config_zones.h.
 *
 * Idea:  a detector's phases follow from its zone's rules, and a replay must find the same phases
 *        on a machine with a newer database or none. So the rules are read when a file is, and are
 *        part of what is logged; whoever reads the log asks no database.
 * Runs on: the main thread and the control agent; weirctl.
 */
#include "config_zones.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZONE "#zone "
#define ZONES "#zones "
/* Of one configuration: as many as there are places to sell in. */
#define ZONES_MAX 64

static bool begins(const char *text, size_t bytes, const char *with)
{
	return bytes >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/* Where the line begins that ends (with its newline) before `end`. */
static const char *line_before(const char *text, const char *end)
{
	if (end > text)
		end--;
	while (end > text && end[-1] != '\n')
		end--;
	return end;
}

/* The line behind a text that says how many zones it has; NULL: it has none. */
static const char *find_count(const char *text, size_t bytes)
{
	const char *line = line_before(text, text + bytes);

	return begins(line, (size_t)(text + bytes - line), ZONES) ? line : NULL;
}

static int add(struct config_job *job, struct zone *zone)
{
	struct config *config = job->config;

	if (!config->zones)
		config->zones = calloc(ZONES_MAX, sizeof(struct zone *));
	if (!config->zones || config->zones_count == ZONES_MAX) {
		zone_free(zone);
		return config->zones ? config_refuse(job, "more than %d time zones", ZONES_MAX)
				     : -ENOMEM;
	}
	config->zones[config->zones_count++] = zone;
	return 0;
}

static int take_line(struct config_job *job, const char *line, const char *end)
{
	size_t skip = sizeof(ZONE) - 1;
	struct zone *zone;

	if (end == line || end[-1] != '\n' || !begins(line, (size_t)(end - line), ZONE))
		return config_refuse(job, "the lines of its time zones are broken");
	int error = zone_read(line + skip, (size_t)(end - line) - skip - 1, &zone);

	if (error == -EPROTO)
		return config_refuse(job, "the rules of its time zones are broken");
	return error < 0 ? error : add(job, zone);
}

int config_zones_split(struct config_job *job, const char *record, size_t bytes,
		       size_t *ret_text_bytes)
{
	const char *from = find_count(record, bytes);
	long count = 0;
	char digits[8];

	if (from) {
		size_t length = (size_t)(record + bytes - from) - (sizeof(ZONES) - 1);

		snprintf(digits, sizeof(digits), "%.*s", length < 8 ? (int)length : 8,
			 from + sizeof(ZONES) - 1);
		count = strtol(digits, NULL, 10);
	}
	*ret_text_bytes = from ? (size_t)(from - record) : bytes;
	if (count < 0 || count > ZONES_MAX)
		return config_refuse(job, "the lines of its time zones are broken");
	for (const char *end = from; count > 0; count--) {
		const char *line = line_before(record, end);
		int error = take_line(job, line, end);

		if (error < 0)
			return error;
		end = line;
		*ret_text_bytes = (size_t)(line - record);
	}
	/* From the last to the first: back into their order. */
	for (unsigned i = 0; i < job->config->zones_count / 2; i++) {
		struct zone **zones = job->config->zones;
		struct zone *other = zones[job->config->zones_count - 1 - i];

		zones[job->config->zones_count - 1 - i] = zones[i];
		zones[i] = other;
	}
	return 0;
}

int config_zones_find(struct config_job *job, const char *path, const char *name,
		      const struct zone **ret_zone)
{
	const struct config *config = job->config;
	struct zone *zone;
	char why[512];

	*ret_zone = NULL;
	if (strcmp(name, "UTC") == 0)
		return 0;
	for (unsigned i = 0; i < config->zones_count && !*ret_zone; i++)
		if (strcmp(zone_name(config->zones[i]), name) == 0)
			*ret_zone = config->zones[i];
	if (*ret_zone)
		return 0;
	if (job->logged)
		return config_refuse(job, "%s: the rules of \"%s\" are not behind it", path, name);
	int error = zone_load(name, &zone, why, sizeof(why));

	if (error == -ENOMEM)
		return error;
	if (error < 0)
		return config_refuse(job, "%s: %s", path, why);
	error = add(job, zone);
	*ret_zone = error < 0 ? NULL : zone;
	return error;
}

char *config_zones_record(const struct config *config)
{
	size_t bytes = strlen(config->text);
	struct bytes record = {0};
	char count[32];

	bytes_put(&record, config->text, bytes);
	if (config->zones_count || find_count(config->text, bytes)) {
		if (bytes && config->text[bytes - 1] != '\n')
			bytes_put(&record, "\n", 1);
		for (unsigned i = 0; i < config->zones_count; i++) {
			bytes_put(&record, ZONE, sizeof(ZONE) - 1);
			zone_save(config->zones[i], &record);
			bytes_put(&record, "\n", 1);
		}
		snprintf(count, sizeof(count), ZONES "%u\n", config->zones_count);
		bytes_put(&record, count, strlen(count));
	}
	bytes_put(&record, "", 1);
	if (record.failed)
		bytes_fini(&record);
	return (char *)record.data;
}

void config_zones_free(struct config *config)
{
	for (unsigned i = 0; i < config->zones_count; i++)
		zone_free(config->zones[i]);
	free(config->zones);
}
