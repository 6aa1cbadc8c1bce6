/*
 * import: columns to measures, rows to events, events into the order of their times.
 */
#include "import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fnv.h"

#define PROGRESS_ROWS 16384
#define KEY_BYTES_MAX (WEIR_NAME_BYTES_MAX + WEIR_DIMENSIONS_MAX * (WEIR_LABEL_BYTES_MAX + 1) + 8)
#define RADIX_BITS 14
#define RADIX (1u << RADIX_BITS)

/* Where the map's columns are in a row; below 0: the map has none. */
struct places {
	int time, event, dimensions[WEIR_DIMENSIONS_MAX], measures[IMPORT_MEASURES_MAX];
};

struct reading {
	struct import *import;
	struct import_input *input;
	struct import_clock clock;
	struct places places;
	uint32_t columns; /* CSV: of the header; a row has as many */
	char key[KEY_BYTES_MAX];
	char *why;
	size_t why_bytes;
};

#define BROKEN(reading, ...) (snprintf((reading)->why, (reading)->why_bytes, __VA_ARGS__), -EBADMSG)

/* As much of a field as a message can bear. */
static int shown(const struct import_field *field)
{
	return (int)(field->bytes < 60 ? field->bytes : 60);
}

static int out_of_memory(struct reading *reading)
{
	snprintf(reading->why, reading->why_bytes,
		 "no memory: an import takes 16 bytes per event; cut the file by time");
	return -ENOMEM;
}

/* The index of a column, or -ENOENT. */
static int find_column(struct reading *reading, const struct import_row *header, const char *name)
{
	const struct import_map *map = reading->import->map;
	if (map->format == IMPORT_JSON)
		return import_path(reading->input, name);
	if (map->no_header) {
		char *end;
		unsigned long number = strtoul(name, &end, 10);
		return *end == '\0' && number >= 1 && number <= header->count ? (int)number - 1
									      : -ENOENT;
	}
	for (uint32_t i = 0; i < header->count; i++)
		if (header->fields[i].bytes == strlen(name) &&
		    memcmp(header->fields[i].text, name, header->fields[i].bytes) == 0)
			return (int)i;
	return -ENOENT;
}

static int no_column(struct reading *reading, const struct import_row *header, const char *name)
{
	size_t used = (size_t)snprintf(reading->why, reading->why_bytes,
				       "there is no column \"%.64s\"; there are ", name);
	if (reading->import->map->no_header) {
		snprintf(reading->why + used, reading->why_bytes - used, "1 to %u", header->count);
		return -EBADMSG;
	}
	for (uint32_t i = 0; i < header->count && used < reading->why_bytes; i++)
		used += (size_t)snprintf(reading->why + used, reading->why_bytes - used, "%s%.*s",
					 i ? ", " : "", shown(&header->fields[i]),
					 header->fields[i].text);
	return -EBADMSG;
}

static int place(struct reading *reading, const struct import_row *header, const char *name,
		 int *ret_index)
{
	*ret_index = -1;
	if (!name)
		return 0;
	*ret_index = find_column(reading, header, name);
	return *ret_index < 0 ? no_column(reading, header, name) : 0;
}

static int find_places(struct reading *reading, const struct import_row *header)
{
	const struct import_map *map = reading->import->map;
	struct places *places = &reading->places;
	int ret = place(reading, header, map->time_column, &places->time);

	if (ret == 0)
		ret = place(reading, header, map->event_column, &places->event);
	for (uint32_t i = 0; ret == 0 && i < map->dimensions_count; i++)
		ret = place(reading, header, map->dimensions[i].column, &places->dimensions[i]);
	for (uint32_t i = 0; ret == 0 && i < map->measures_count; i++)
		ret = place(reading, header, map->measures[i].column, &places->measures[i]);
	return ret;
}

/* Append a field and a NUL to the key. UTF-8 is asked for when a group is new. */
static int key_put(struct reading *reading, const struct import_field *field, uint32_t bytes_min,
		   uint32_t bytes_max, const char *what, size_t *used)
{
	if (field->bytes < bytes_min || field->bytes > bytes_max)
		return BROKEN(reading, "%.64s has %u bytes; it may have %u to %u", what,
			      field->bytes, bytes_min, bytes_max);
	memcpy(reading->key + *used, field->text, field->bytes);
	*used += field->bytes;
	reading->key[(*used)++] = '\0';
	return 0;
}

static int key_of(struct reading *reading, const struct import_row *row, size_t *ret_bytes)
{
	const struct import_map *map = reading->import->map;
	static const struct import_field none = {.text = "", .bytes = 0};
	const struct places *places = &reading->places;
	size_t used = 0;
	int ret = places->event < 0 ? key_put(reading, &none, 0, 0, "", &used)
				    : key_put(reading, &row->fields[places->event], 1,
					      WEIR_NAME_BYTES_MAX, "the event's name", &used);

	for (uint32_t i = 0; ret == 0 && i < map->dimensions_count; i++)
		ret = key_put(reading, &row->fields[places->dimensions[i]], 0, WEIR_LABEL_BYTES_MAX,
			      map->dimensions[i].name, &used);
	*ret_bytes = used;
	return ret;
}

/* Words of eight bytes, then FNV-1a over the rest. */
static uint64_t hash_of(const char *key, size_t bytes)
{
	uint64_t hash = FNV_BEGIN;
	for (; bytes >= 8; bytes -= 8, key += 8) {
		uint64_t word;
		memcpy(&word, key, 8);
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	hash = fnv(hash, key, bytes);
	return hash ^ hash >> 32;
}

static int rehash(struct import *import, uint32_t size)
{
	uint32_t *buckets = calloc(size, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	for (uint32_t i = 0; i < import->groups_count; i++) {
		uint32_t at = (uint32_t)import->groups[i].hash & (size - 1);
		while (buckets[at])
			at = (at + 1) & (size - 1);
		buckets[at] = i + 1;
	}
	free(import->buckets);
	import->buckets = buckets;
	import->bucket_mask = size - 1;
	return 0;
}

/* Room for one more group. */
static int grow_groups(struct import *import, size_t key_bytes)
{
	uint32_t measures = import->map->measures_count;
	if (import->groups_count == import->groups_capacity) {
		uint32_t more = import->groups_capacity ? 2 * import->groups_capacity : 256;
		void *groups = realloc(import->groups, more * sizeof(*import->groups));
		if (groups)
			import->groups = groups;
		uint8_t *used = realloc(import->used, (size_t)more * measures);
		if (used)
			import->used = used;
		if (!groups || !used || rehash(import, 2 * more) < 0)
			return -ENOMEM;
		memset(used + (size_t)import->groups_capacity * measures, 0,
		       (size_t)(more - import->groups_capacity) * measures);
		import->groups_capacity = more;
	}
	if (import->keys_bytes + key_bytes > import->keys_capacity) {
		size_t more = 2 * import->keys_capacity + KEY_BYTES_MAX;
		char *keys = realloc(import->keys, more);
		if (!keys)
			return -ENOMEM;
		import->keys = keys;
		import->keys_capacity = more;
	}
	return 0;
}

/* A key is UTF-8 without a NUL but for those that end its texts. */
static int key_check(struct reading *reading, size_t bytes)
{
	uint32_t texts = 1 + reading->import->map->dimensions_count;
	size_t at = 0;
	for (uint32_t i = 0; i < texts; i++) {
		json_t *text = json_string(reading->key + at);
		if (!text)
			return BROKEN(reading, "a dimension's value is not UTF-8");
		json_decref(text);
		at += strlen(reading->key + at) + 1;
	}
	return at == bytes ? 0 : BROKEN(reading, "a dimension's value has a zero byte in it");
}

/* The index of the group of the key, found or new. */
static int64_t group_of(struct reading *reading, size_t bytes)
{
	struct import *import = reading->import;
	uint64_t hash = hash_of(reading->key, bytes);

	if (import->buckets) {
		uint32_t at = (uint32_t)hash & import->bucket_mask;
		for (; import->buckets[at]; at = (at + 1) & import->bucket_mask) {
			const struct import_group *group = &import->groups[import->buckets[at] - 1];
			if (group->hash == hash && group->bytes == bytes &&
			    memcmp(import->keys + group->key, reading->key, bytes) == 0)
				return import->buckets[at] - 1;
		}
	}
	int ret = key_check(reading, bytes);
	if (ret < 0)
		return ret;
	if ((uint64_t)(import->groups_count + 1) * import->map->measures_count > WEIR_SERIES_MAX)
		return BROKEN(reading, "more than %u series: is a dimension a column of ids?",
			      WEIR_SERIES_MAX);
	if (grow_groups(import, bytes) < 0)
		return out_of_memory(reading);
	uint32_t index = import->groups_count++;
	import->groups[index] = (struct import_group){
		.hash = hash, .key = import->keys_bytes, .bytes = (uint32_t)bytes};
	memcpy(import->keys + import->keys_bytes, reading->key, bytes);
	import->keys_bytes += bytes;
	uint32_t at = (uint32_t)hash & import->bucket_mask;
	while (import->buckets[at])
		at = (at + 1) & import->bucket_mask;
	import->buckets[at] = index + 1;
	return index;
}

static int add_event(struct reading *reading, int64_t time_ms, uint32_t series, double value)
{
	struct import *import = reading->import;
	if (import->count == import->capacity) {
		size_t more = import->capacity ? 2 * import->capacity : 65536;
		void *events = realloc(import->events, more * sizeof(*import->events));
		if (!events)
			return out_of_memory(reading);
		import->events = events;
		import->capacity = more;
	}
	if (import->count == 0) {
		import->first_ms = import->last_ms = time_ms;
	} else if (time_ms < import->last_ms) {
		import->unsorted = true;
		import->first_ms = time_ms < import->first_ms ? time_ms : import->first_ms;
	} else {
		import->last_ms = time_ms;
	}
	import->used[series] = 1;
	import->events[import->count++] =
		(struct weir_event){.word = weir_event_word((uint64_t)time_ms, series),
				    .value = weir_value_bits(value)};
	return 0;
}

/* As weir_hash_text() of an application that saw the same visitor: FORMAT.md, section 1. */
static double distinct_value(const char *text, size_t bytes)
{
	return weir_bits_value(fnv(FNV_BEGIN, text, bytes) & ~(UINT64_C(1) << 62));
}

/* The value of a measure in a row. 1: it has one; 0: it has none; -EBADMSG. */
static int measure_of(struct reading *reading, const struct import_row *row, uint32_t m,
		      double *ret_value)
{
	const struct import_measure *measure = &reading->import->map->measures[m];
	if (!measure->column) {
		*ret_value = 1.0;
		return 1;
	}
	const struct import_field *field = &row->fields[reading->places.measures[m]];
	if (field->bytes == 0 && measure->optional)
		return 0;
	if (measure->distinct) {
		*ret_value = distinct_value(field->text, field->bytes);
		return 1;
	}
	if (field->is_number)
		*ret_value = field->number;
	else if (import_number(field->text, field->bytes, ret_value) < 0)
		return BROKEN(reading, "\"%.*s\" in column \"%.64s\" is no number", shown(field),
			      field->text, measure->column);
	const char *statistic = strrchr(measure->field, ':');
	if (*ret_value < 0 && statistic && strcmp(statistic, ":count") == 0)
		return BROKEN(reading, "%g in column \"%.64s\" is no count of events", *ret_value,
			      measure->column);
	return 1;
}

static bool is_of(const struct import_measure *measure, const struct import_field *event)
{
	return measure->event && strlen(measure->event) == event->bytes &&
	       memcmp(measure->event, event->text, event->bytes) == 0;
}

/* All measures of a row. With an event column a row is one event: it has the measures that were
 * described by its name, or else those of any. 0 or -EBADMSG. */
static int measures_of(struct reading *reading, const struct import_row *row, bool *has,
		       double *values)
{
	const struct import_map *map = reading->import->map;
	const struct import_field *event =
		reading->places.event < 0 ? NULL : &row->fields[reading->places.event];
	bool named = false;

	for (uint32_t m = 0; event && m < map->measures_count; m++)
		named |= is_of(&map->measures[m], event);
	for (uint32_t m = 0; m < map->measures_count; m++) {
		const struct import_measure *measure = &map->measures[m];
		bool wanted = !event || (named ? is_of(measure, event) : !measure->event);
		int ret = wanted ? measure_of(reading, row, m, &values[m]) : 0;
		if (ret < 0)
			return ret;
		has[m] = ret > 0;
	}
	return 0;
}

static int take_row(struct reading *reading, const struct import_row *row)
{
	const struct import_map *map = reading->import->map;
	double values[IMPORT_MEASURES_MAX];
	bool has[IMPORT_MEASURES_MAX];
	int64_t time_ms;
	size_t bytes;

	if (map->format == IMPORT_CSV && row->count != reading->columns)
		return BROKEN(reading, "%u columns, but the first line has %u", row->count,
			      reading->columns);
	const struct import_field *time = &row->fields[reading->places.time];
	int ret = import_time(&reading->clock, time->text, time->bytes, &time_ms);
	if (ret == -ERANGE)
		return BROKEN(reading, "the time \"%.*s\" is before 1970 or behind 2109",
			      shown(time), time->text);
	if (ret < 0)
		return BROKEN(reading, "\"%.*s\" is no time of format %s", shown(time), time->text,
			      map->time_format);
	ret = key_of(reading, row, &bytes);
	if (ret == 0)
		ret = measures_of(reading, row, has, values);
	if (ret < 0)
		return ret;
	int64_t group = group_of(reading, bytes);
	ret = group < 0 ? (int)group : 0;
	for (uint32_t m = 0; ret == 0 && m < map->measures_count; m++)
		if (has[m])
			ret = add_event(reading, time_ms, (uint32_t)group * map->measures_count + m,
					values[m]);
	return ret;
}

/* Sort by time alone, what is of one time in the order of the file: the words' upper 42 bits, from
 * the lowest, 14 at a time. */
static int sort_events(struct import *import)
{
	struct weir_event *from = import->events;
	struct weir_event *to = malloc(import->count * sizeof(*to));
	size_t *starts = malloc(RADIX * sizeof(*starts));

	if (!to || !starts) {
		free(to);
		free(starts);
		return -ENOMEM;
	}
	for (uint32_t shift = WEIR_SERIES_BITS; shift < 64; shift += RADIX_BITS) {
		memset(starts, 0, RADIX * sizeof(*starts));
		for (size_t i = 0; i < import->count; i++)
			starts[from[i].word >> shift & (RADIX - 1)]++;
		size_t sum = 0;
		for (uint32_t i = 0; i < RADIX; i++) {
			size_t count = starts[i];
			starts[i] = sum;
			sum += count;
		}
		for (size_t i = 0; i < import->count; i++)
			to[starts[from[i].word >> shift & (RADIX - 1)]++] = from[i];
		struct weir_event *swap = from;
		from = to;
		to = swap;
	}
	import->events = from;
	import->capacity = import->count;
	import->unsorted = false;
	free(to);
	free(starts);
	return 0;
}

/* Put file and line before what is wrong. */
static void name_line(struct reading *reading, uint64_t line)
{
	char what[IMPORT_WHY_BYTES];
	snprintf(what, sizeof(what), "%s", reading->why);
	snprintf(reading->why, reading->why_bytes, "%s:%llu: %s", reading->input->name,
		 (unsigned long long)line, what);
}

static int read_rows(struct reading *reading, struct import_row *row, bool have,
		     const struct import_listener *listener)
{
	struct import *import = reading->import;
	for (;;) {
		int ret = have ? 1
			       : import_next(reading->input, row, reading->why, reading->why_bytes);
		have = false;
		if (ret == 0)
			return 0;
		if (ret == 1) {
			import->rows++;
			ret = take_row(reading, row);
		} else if (ret == -EBADMSG) {
			import->rows++;
		}
		if (ret == -EBADMSG && listener->bad_row) {
			import->bad_rows++;
			listener->bad_row(listener->self, row->line, reading->why);
			ret = 0;
		}
		if (ret == -EBADMSG)
			name_line(reading, row->line);
		if (ret < 0)
			return ret;
		if (import->rows % PROGRESS_ROWS == 0 && listener->progress)
			listener->progress(listener->self, import_part(reading->input),
					   import->rows);
	}
}

static int read_all(struct reading *reading, const struct import_listener *listener)
{
	const struct import_map *map = reading->import->map;
	struct import_row row = {.count = 0};
	bool have = map->format == IMPORT_CSV && map->no_header;
	int ret = 0;

	if (map->format == IMPORT_CSV) {
		ret = import_header(reading->input, &row, reading->why, reading->why_bytes);
		reading->columns = row.count;
	}
	if (ret == 0)
		ret = find_places(reading, &row);
	if (ret == -EBADMSG)
		name_line(reading, row.line ? row.line : 1);
	return ret < 0 ? ret : read_rows(reading, &row, have, listener);
}

int import_read(struct import *import, const struct import_map *map, const char *path,
		const struct import_listener *listener, char *why, size_t why_bytes)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	struct import_input *input = calloc(1, sizeof(*input));
	int ret = -ENOMEM;

	memset(import, 0, sizeof(*import));
	import->map = map;
	snprintf(why, why_bytes, "no memory");
	if (reading && input) {
		*reading = (struct reading){
			.import = import, .input = input, .why = why, .why_bytes = why_bytes};
		ret = import_clock_init(&reading->clock, map->time_format, map->zone);
		if (ret == -ENOENT)
			snprintf(why, why_bytes,
				 "there is no time zone \"%.64s\"; zones are UTC, "
				 "+01:00, Europe/Rome",
				 map->zone);
		else if (ret < 0)
			snprintf(why, why_bytes,
				 "a time format is auto, s, ms, us, ns, iso, or "
				 "like %%d/%%m/%%Y %%H:%%M");
		else
			ret = import_open(input, path, map->format, map->delimiter, why, why_bytes);
		if (ret == 0) {
			ret = read_all(reading, listener);
			int closed = import_close(input, ret < 0 ? (char[64]){0} : why,
						  ret < 0 ? 64 : why_bytes);
			ret = ret < 0 ? ret : closed;
		}
	}
	free(reading);
	free(input);
	if (ret == 0 && import->unsorted && sort_events(import) < 0) {
		snprintf(why, why_bytes, "no memory to sort %zu events by time", import->count);
		ret = -ENOMEM;
	}
	if (ret < 0)
		import_fini(import);
	return ret;
}

void import_fini(struct import *import)
{
	free(import->events);
	free(import->groups);
	free(import->buckets);
	free(import->keys);
	free(import->used);
	import->events = NULL;
	import->groups = NULL;
	import->buckets = NULL;
	import->keys = NULL;
	import->used = NULL;
	import->count = 0;
	import->groups_count = 0;
}

void import_series(const struct import *import, uint32_t series, const char **ret_event,
		   const char **ret_field, const char *values[WEIR_DIMENSIONS_MAX])
{
	const struct import_map *map = import->map;
	const struct import_measure *measure = &map->measures[series % map->measures_count];
	const char *at = import->keys + import->groups[series / map->measures_count].key;

	*ret_event = measure->event ? measure->event : at;
	*ret_field = measure->field;
	for (uint32_t i = 0; i < map->dimensions_count; i++) {
		at += strlen(at) + 1;
		values[i] = at;
	}
}
