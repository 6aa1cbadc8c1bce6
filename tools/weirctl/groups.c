/*
 * groups: counts and sums of events by day, event, source or dimensions.
 */
#include "groups.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fnv.h"
#include "text.h"
#include "weir/event.h"

#define DAY_BYTES 10       /* 2011-01-04 */
#define HOUR_BYTES 13      /* 2011-01-04T10 */
#define KEY_BYTES_MAX 1024 /* of one group, all values with their NULs */

struct group {
	char *values; /* the keys' values, each with its NUL */
	size_t bytes;
	uint64_t hash;
	uint64_t count;
	double sum, rest; /* rest: what the additions to sum have lost */
};

struct groups {
	char *text; /* the keys, cut at the commas */
	const char *keys[GROUPS_KEYS_MAX];
	uint32_t keys_count;
	struct group *groups;
	size_t count, capacity;
	uint32_t *table; /* hash to 1 + index; 0: free */
	size_t table_size;
	uint64_t
		hour; /* since 1970, plus 1, of the text below: most events are of the last one's */
	char hour_text[TEXT_TIME_BYTES];
};

int groups_create(const char *keys, struct groups **ret_groups)
{
	struct groups *groups = calloc(1, sizeof(*groups));
	int error = -ENOMEM;
	if (groups)
		groups->text = strdup(keys);
	if (!groups || !groups->text)
		goto failed;
	error = -EINVAL;
	for (char *key = groups->text; key;) {
		char *comma = strchr(key, ',');
		if (comma)
			*comma = '\0';
		if (*key == '\0' || groups->keys_count == GROUPS_KEYS_MAX)
			goto failed;
		groups->keys[groups->keys_count++] = key;
		key = comma ? comma + 1 : NULL;
	}
	*ret_groups = groups;
	return 0;
failed:
	groups_destroy(groups);
	return error;
}

/* "2011-01-04T10" of the event. */
static const char *hour_of(struct groups *groups, const struct event_view *event)
{
	uint64_t hour = event->time_ms / 3600000 + 1;
	if (groups->hour != hour) {
		text_time(groups->hour_text, (int64_t)event->time_ms);
		groups->hour_text[HOUR_BYTES] = '\0';
		groups->hour = hour;
	}
	return groups->hour_text;
}

/* The event's value of a key; *ret_bytes of it count. */
static const char *key_value(struct groups *groups, const char *key, const struct event_view *event,
			     size_t *ret_bytes)
{
	const char *value;
	if (strcmp(key, "day") == 0) {
		*ret_bytes = DAY_BYTES;
		return hour_of(groups, event);
	}
	if (strcmp(key, "hour") == 0)
		value = hour_of(groups, event);
	else if (strcmp(key, "source") == 0)
		value = event->source_name;
	else if (strcmp(key, "event") == 0)
		value = event->series ? event->series->event : "";
	else if (strcmp(key, "field") == 0)
		value = event->series ? event->series->field : "";
	else
		value = event_dimension(event, key);
	*ret_bytes = strlen(value);
	return value;
}

/* The event's values of all keys; returns their bytes. A value that is too long is cut. */
static size_t event_key(struct groups *groups, const struct event_view *event,
			char key[KEY_BYTES_MAX])
{
	size_t used = 0;
	for (uint32_t i = 0; i < groups->keys_count; i++) {
		size_t bytes, left = KEY_BYTES_MAX - used - (groups->keys_count - i);
		const char *value = key_value(groups, groups->keys[i], event, &bytes);
		if (bytes > left)
			bytes = left;
		memcpy(key + used, value, bytes);
		key[used + bytes] = '\0';
		used += bytes + 1;
	}
	return used;
}

static uint64_t key_hash(const char *key, size_t bytes)
{
	uint64_t hash = fnv(FNV_BEGIN, key, bytes);
	return hash ^ hash >> 32;
}

/* Where the group is in the table, or the free place where it would be. */
static size_t table_find(const struct groups *groups, const char *key, size_t bytes, uint64_t hash)
{
	size_t place = hash & (groups->table_size - 1);
	while (groups->table[place]) {
		const struct group *group = &groups->groups[groups->table[place] - 1];
		if (group->hash == hash && group->bytes == bytes &&
		    memcmp(group->values, key, bytes) == 0)
			break;
		place = (place + 1) & (groups->table_size - 1);
	}
	return place;
}

/* Room for one more group in the array, and a table at most half full. */
static int make_room(struct groups *groups)
{
	if (groups->count < groups->capacity)
		return 0;
	size_t capacity = groups->capacity ? 2 * groups->capacity : 1024;
	struct group *grown = realloc(groups->groups, capacity * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	groups->groups = grown;
	uint32_t *table = calloc(2 * capacity, sizeof(*table));
	if (!table)
		return -ENOMEM;
	free(groups->table);
	groups->table = table;
	groups->table_size = 2 * capacity;
	groups->capacity = capacity;
	for (size_t i = 0; i < groups->count; i++)
		table[table_find(groups, grown[i].values, grown[i].bytes, grown[i].hash)] =
			(uint32_t)i + 1;
	return 0;
}

int groups_add(struct groups *groups, const struct event_view *event)
{
	char key[KEY_BYTES_MAX];
	if (make_room(groups) < 0)
		return -ENOMEM;
	size_t bytes = event_key(groups, event, key);
	uint64_t hash = key_hash(key, bytes);
	size_t place = table_find(groups, key, bytes, hash);
	if (!groups->table[place]) {
		char *values = malloc(bytes);
		if (!values)
			return -ENOMEM;
		memcpy(values, key, bytes);
		groups->groups[groups->count] =
			(struct group){.values = values, .bytes = bytes, .hash = hash};
		groups->table[place] = (uint32_t)++groups->count;
	}
	struct group *group = &groups->groups[groups->table[place] - 1];
	group->count++;
	if (event->series && event->series->hash)
		return 0; /* a hash takes no part in sums */
	double value = weir_bits_value(event->value_bits), sum = group->sum + value;
	group->rest += fabs(group->sum) >= fabs(value) ? (group->sum - sum) + value
						       : (value - sum) + group->sum;
	group->sum = sum;
	return 0;
}

/* By the keys, in their order; a NUL sorts before every other byte. */
static int compare_groups(const void *left, const void *right)
{
	const struct group *a = left, *b = right;
	size_t bytes = a->bytes < b->bytes ? a->bytes : b->bytes;
	return memcmp(a->values, b->values, bytes);
}

/* Fifteen digits: what is behind them is the noise of decimals in binary. */
static void sum_text(char text[TEXT_NUMBER_BYTES], const struct group *group)
{
	char digits[TEXT_NUMBER_BYTES];
	snprintf(digits, sizeof(digits), "%.15g", group->sum + group->rest);
	text_double(text, strtod(digits, NULL));
}

static void print_group(const struct groups *groups, const struct group *group,
			enum event_form form, FILE *to)
{
	char sum[TEXT_NUMBER_BYTES];
	const char *value = group->values;
	sum_text(sum, group);
	for (uint32_t i = 0; i < groups->keys_count; i++) {
		if (form == FORM_JSON) {
			putc(i ? ',' : '{', to);
			text_json(to, groups->keys[i]);
			putc(':', to);
			text_json(to, value);
		} else if (form == FORM_CSV) {
			text_csv(to, value);
			putc(',', to);
		} else {
			fprintf(to, "%-20s ", value);
		}
		value += strlen(value) + 1;
	}
	if (form == FORM_JSON)
		fprintf(to, ",\"count\":%" PRIu64 ",\"sum\":%s}\n", group->count, sum);
	else
		fprintf(to, form == FORM_CSV ? "%" PRIu64 ",%s\n" : "%10" PRIu64 " %16s\n",
			group->count, sum);
}

void groups_print(struct groups *groups, enum event_form form, FILE *to)
{
	if (groups->count)
		qsort(groups->groups, groups->count, sizeof(*groups->groups), compare_groups);
	free(groups->table); /* its indexes are void now */
	groups->table = NULL;
	if (form != FORM_JSON) {
		for (uint32_t i = 0; i < groups->keys_count; i++)
			fprintf(to, form == FORM_CSV ? "%s," : "%-20s ", groups->keys[i]);
		fprintf(to, form == FORM_CSV ? "count,sum\n" : "%10s %16s\n", "count", "sum");
	}
	for (size_t i = 0; i < groups->count; i++)
		print_group(groups, &groups->groups[i], form, to);
}

void groups_destroy(struct groups *groups)
{
	if (!groups)
		return;
	for (size_t i = 0; i < groups->count; i++)
		free(groups->groups[i].values);
	free(groups->groups);
	free(groups->table);
	free(groups->text);
	free(groups);
}
