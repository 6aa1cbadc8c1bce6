/*
 * input_calendar: see input_calendar.h.
 *
 * Idea:  a record has all that an entry is, its zone's rules too: a replay asks no database. The
 *        members that only an entry has are the input's detail; what they say together is read at
 *        the end, and again by whoever makes the entry of it.
 * Runs on: whoever reads a record.
 */
#include "input_calendar.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/match.h"
#include "base/zone.h"
#include "deliver/store.h"
#include "input_private.h"

/* So that an entry has room beside them in an input's detail. */
#define RULES_BYTES_MAX 3500u

struct entry_reading {
	const json_t *members;
	struct calendar_entry *entry;
	char *why;
	size_t why_bytes;
};

static int refuse(const struct entry_reading *reading, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(const struct entry_reading *reading, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reading->why, reading->why_bytes, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static const char *text_of(const struct entry_reading *reading, const char *key)
{
	return json_string_value(json_object_get(reading->members, key));
}

/* A text into an array; absent is "". */
static int take_text(const struct entry_reading *reading, const char *key, char *to, size_t size)
{
	const json_t *value = json_object_get(reading->members, key);
	const char *text = value ? json_string_value(value) : "";

	if (!text)
		return refuse(reading, "\"%s\" is not a text", key);
	if (strlen(text) >= size)
		return refuse(reading, "\"%s\" has more than %zu bytes", key, size - 1);
	memcpy(to, text, strlen(text) + 1);
	return 0;
}

/* A whole number within a field's bounds; absent: *ret_value stays. */
static int take_number(const struct entry_reading *reading, const char *key, int64_t least,
		       int64_t most, int64_t *ret_value)
{
	const json_t *value = json_object_get(reading->members, key);

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < least ||
	    json_integer_value(value) > most)
		return refuse(reading, "\"%s\" is a whole number from %lld to %lld", key,
			      (long long)least, (long long)most);
	*ret_value = json_integer_value(value);
	return 0;
}

static int take_only(const struct entry_reading *reading)
{
	const json_t *list = json_object_get(reading->members, "only");
	const json_t *value;
	size_t i;

	if (!list)
		return 0;
	json_array_foreach(list, i, value)
	{
		const char *text = json_string_value(value);
		int weekday = text ? calendar_read_weekday(text) : -EINVAL;
		if (weekday < 0)
			break;
		reading->entry->only |= 1u << weekday;
	}
	if (!json_is_array(list) || json_array_size(list) == 0 || i < json_array_size(list))
		return refuse(reading, "\"only\" is a list of weekdays, as [\"sat\", \"sun\"]");
	return 0;
}

/* Which of the ways to say when it is. */
static int take_when(const struct entry_reading *reading)
{
	struct calendar_entry *entry = reading->entry;
	const json_t *members = reading->members;
	const char *date = text_of(reading, "date"), *easter = text_of(reading, "easter");
	bool once = json_object_get(members, "from_ms") || json_object_get(members, "until_ms");
	int ways = once + (json_object_get(members, "date") != NULL) +
		   (json_object_get(members, "easter") != NULL);

	if (ways != 1)
		return refuse(reading, "when is it? from and until, or a date of each year, or "
				       "easter: one of these");
	if (once)
		return 0;
	if (json_object_get(members, "date")) {
		entry->when = CALENDAR_DATE;
		return !date || calendar_read_date(date, entry) < 0
			       ? refuse(reading, "\"date\" is a month and a day, as \"12-25\"")
			       : 0;
	}
	entry->when = CALENDAR_EASTER;
	if (easter && strcmp(easter, "orthodox") == 0)
		entry->when = CALENDAR_ORTHODOX;
	else if (!easter || strcmp(easter, "western") != 0)
		return refuse(reading, "\"easter\" is western or orthodox");
	return 0;
}

/* What only a rule has. */
static int take_rule(const struct entry_reading *reading)
{
	static const char *const keys[] = {"shift", "days", "first_year", "last_year"};
	struct calendar_entry *entry = reading->entry;
	const char *weekday = text_of(reading, "weekday"), *at = text_of(reading, "at");
	int64_t numbers[] = {0, 0, 0, 0};

	for (size_t i = 0; i < 4; i++)
		if (take_number(reading, keys[i], -9999, 9999, &numbers[i]) < 0)
			return -EINVAL;
	if (take_number(reading, "length_ms", 1, CALENDAR_LENGTH_DAYS_MAX * INT64_C(86400000),
			&entry->length_ms) < 0)
		return -EINVAL;
	entry->days = (int32_t)numbers[0];
	entry->length_days = (int32_t)numbers[1];
	entry->first_year = (int32_t)numbers[2];
	entry->last_year = (int32_t)numbers[3];
	if (!entry->length_ms && !json_object_get(reading->members, "days"))
		entry->length_days = 1;
	if (weekday)
		entry->weekday = calendar_read_weekday(weekday);
	if (entry->weekday < -1 || (!weekday && json_object_get(reading->members, "weekday")))
		return refuse(reading, "\"weekday\" is one of mon, tue, wed, thu, fri, sat, sun");
	if (at ? calendar_read_time(at, &entry->at_ms) < 0
	       : json_object_get(reading->members, "at") != NULL)
		return refuse(reading, "\"at\" is a time of day, as \"18:00\"");
	return take_only(reading);
}

static int take_effect(const struct entry_reading *reading)
{
	const json_t *learn = json_object_get(reading->members, "learn");
	const char *effect = text_of(reading, "effect");

	if (json_object_get(reading->members, "effect") &&
	    (!effect || calendar_read_effect(effect, reading->entry) < 0))
		return refuse(reading, "\"effect\" is one of %s", CALENDAR_EFFECT_WORDS);
	if (learn && !json_is_boolean(learn))
		return refuse(reading, "\"learn\" is true or false");
	if (learn)
		reading->entry->learn = json_is_true(learn) ? CALENDAR_LEARN_YES
							    : CALENDAR_LEARN_NO;
	return 0;
}

static int take_zone(const struct entry_reading *reading)
{
	const char *rules = text_of(reading, "zone_rules"), *name = text_of(reading, "zone");
	struct zone *zone;

	if ((json_object_get(reading->members, "zone") && !name) ||
	    (json_object_get(reading->members, "zone_rules") && !rules))
		return refuse(reading, "\"zone\" is a name, as Europe/London");
	if (!rules)
		return 0;
	int error = zone_read(rules, strlen(rules), &zone);
	if (error == -ENOMEM)
		return error;
	if (error < 0 || !name || strcmp(zone_name(zone), name) != 0) {
		if (!error)
			zone_free(zone);
		return refuse(reading, "\"zone_rules\" are not the rules of its zone");
	}
	reading->entry->zone = zone;
	return 0;
}

static int read_entry(const struct entry_reading *reading)
{
	struct calendar_entry *entry = reading->entry;
	int64_t number = 0;
	const int64_t times = INT64_C(1) << 42;
	int error = take_text(reading, "name", entry->name, sizeof(entry->name));

	if (!error)
		error = take_text(reading, "source", entry->source, sizeof(entry->source));
	if (!error)
		error = take_text(reading, "metric", entry->metric, sizeof(entry->metric));
	if (!error)
		error = take_text(reading, "slice", entry->slice, sizeof(entry->slice));
	if (!error)
		error = take_number(reading, "from_ms", -times, times, &entry->from_ms);
	if (!error)
		error = take_number(reading, "until_ms", -times, times, &entry->until_ms);
	if (!error)
		error = take_number(reading, "number", 0, INT64_MAX, &number);
	entry->number = (uint64_t)number;
	if (!error)
		error = take_when(reading);
	if (!error && entry->when != CALENDAR_ONCE)
		error = take_rule(reading);
	if (!error)
		error = take_effect(reading);
	if (!error && calendar_wrong(entry))
		error = refuse(reading, "%s", calendar_wrong(entry));
	return error ? error : take_zone(reading);
}

int input_calendar_read(const json_t *members, struct calendar_entry *ret_entry, char *why,
			size_t why_bytes)
{
	const struct entry_reading reading = {members, ret_entry, why, why_bytes};

	memset(ret_entry, 0, sizeof(*ret_entry));
	ret_entry->weekday = -1;
	return read_entry(&reading);
}

/* With what an input of any kind may say. */
static int read_input(const struct operator_input *input, const json_t *own,
		      struct calendar_entry *ret_entry, char *why, size_t why_bytes)
{
	json_t *members = json_copy((json_t *)(uintptr_t)own);

	if (!members)
		return -ENOMEM;
	json_object_set_new(members, "source", json_string(input->source));
	json_object_set_new(members, "metric", json_string(input->metric));
	json_object_set_new(members, "slice", json_string(input->slice));
	if (input->from_ms || input->until_ms) {
		json_object_set_new(members, "from_ms", json_integer(input->from_ms));
		json_object_set_new(members, "until_ms", json_integer(input->until_ms));
	}
	int error = input_calendar_read(members, ret_entry, why, why_bytes);
	ret_entry->number = input->number;
	json_decref(members);
	return error;
}

int input_calendar_entry(const struct operator_input *input, struct calendar_entry *ret_entry,
			 char *why, size_t why_bytes)
{
	json_error_t wrong;
	json_t *own = json_loads(input->detail, 0, &wrong);

	memset(ret_entry, 0, sizeof(*ret_entry));
	if (!own && json_error_code(&wrong) == json_error_out_of_memory)
		return -ENOMEM;
	if (!own) {
		snprintf(why, why_bytes, "its record is broken");
		return -EINVAL;
	}
	int error = read_input(input, own, ret_entry, why, why_bytes);
	json_decref(own);
	return error;
}

int input_calendar_member(struct input_reading *reading, const char *key, const json_t *value)
{
	static const char *const keys[] = {"name",   "set",       "date",       "easter",
					   "only",   "weekday",   "shift",      "at",
					   "days",   "length_ms", "first_year", "last_year",
					   "effect", "learn",     "zone",       "zone_rules"};

	if (reading->input->kind != OPERATOR_CALENDAR_ADD)
		return 0;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			return json_is_null(value) ? input_refuse(reading, "\"%s\" is null", key)
						   : 1;
	return 0;
}

int input_calendar_check(struct input_reading *reading)
{
	struct calendar_entry entry;

	if (reading->input->kind == OPERATOR_CALENDAR_REMOVE)
		return reading->input->ends
			       ? 0
			       : input_refuse(reading, "remove which entry? name its number");
	if (reading->input->has_id)
		return input_refuse(reading, "an entry is of no anomaly: it has no \"id\"");
	int error = read_input(reading->input, reading->own, &entry, reading->why,
			       reading->why_bytes);
	const json_t *set = json_object_get(reading->own, "set");
	if (!error && json_object_get(reading->own, "zone") && !entry.zone)
		error = input_refuse(reading, "the rules of its zone are not in the record");
	if (!error && set && (!json_is_string(set) || strlen(json_string_value(set)) > 31))
		error = input_refuse(reading, "\"set\" is a name of at most 31 bytes");
	zone_free((struct zone *)(uintptr_t)entry.zone);
	return error;
}

/* NULL: all of them are printed as they are. */
static const char *unprintable(const json_t *members)
{
	static const char *const keys[] = {"name", "set", "source", "metric", "slice"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *text = json_string_value(json_object_get(members, keys[i]));
		if (text && !calendar_printable(text))
			return keys[i];
	}
	return NULL;
}

/* "country=DE,device=mobile", or "". */
static bool names_values(const char *slice)
{
	while (*slice) {
		size_t bytes = match_piece(slice), name = strcspn(slice, "=,");
		if (name == 0 || name + 1 >= bytes || (slice[bytes] == ',' && !slice[bytes + 1]))
			return false;
		slice += bytes + (slice[bytes] == ',');
	}
	return true;
}

/* What would be ignored is refused: whoever says it means something by it. Of a new record only;
 * one that the log has is as it is. */
static int check_new(const struct entry_reading *reading)
{
	static const char *const of_rules[] = {"at",      "days",  "length_ms",  "only",
					       "weekday", "shift", "first_year", "last_year"};
	static const char *const of_others[] = {"detector", "severity_below", "of"};
	const json_t *members = reading->members;
	bool once = json_object_get(members, "from_ms") || json_object_get(members, "until_ms");
	const char *slice = text_of(reading, "slice"), *key = unprintable(members);
	const json_t *first = json_object_get(members, "first_year");
	const json_t *last = json_object_get(members, "last_year");

	for (size_t i = 0; once && i < sizeof(of_rules) / sizeof(of_rules[0]); i++)
		if (json_object_get(members, of_rules[i]))
			return refuse(reading,
				      "what has a from and an until has no \"%s\": that is said of "
				      "a date of each year, or of easter",
				      of_rules[i]);
	for (size_t i = 0; i < sizeof(of_others) / sizeof(of_others[0]); i++)
		if (json_object_get(members, of_others[i]))
			return refuse(reading,
				      "an entry has no \"%s\": it is for a source, a metric and a "
				      "slice, or for all of them",
				      of_others[i]);
	if (json_integer_value(first) && json_integer_value(last) &&
	    json_integer_value(first) > json_integer_value(last))
		return refuse(reading, "\"first_year\" is behind \"last_year\"");
	if (key)
		return refuse(reading, "\"%s\" has characters that cannot be shown", key);
	if (slice && !names_values(slice))
		return refuse(reading, "\"slice\" names values of dimensions, as "
				       "country=DE,device=mobile");
	return 0;
}

int input_calendar_complete(json_t *record, char *why, size_t why_bytes)
{
	const struct entry_reading reading = {record, NULL, why, why_bytes};
	const char *name = json_string_value(json_object_get(record, "zone"));
	struct bytes line = {0};
	struct zone *zone;
	int error = check_new(&reading);

	if (error < 0)
		return error;
	json_object_del(record, "zone_rules");
	if (!name)
		return 0;
	error = zone_load(name, &zone, why, why_bytes);
	if (error < 0)
		return error;
	zone_save(zone, &line);
	zone_free(zone);
	if (line.used > RULES_BYTES_MAX) {
		bytes_fini(&line);
		snprintf(why, why_bytes,
			 "the rules of \"%s\" are too long for an entry; name a zone with the same "
			 "days, or give times in UTC",
			 name);
		return -EINVAL;
	}
	if (!line.failed)
		json_object_set_new(record, "zone_rules",
				    json_stringn((const char *)line.data, line.used));
	error = line.failed ? -ENOMEM : 0;
	bytes_fini(&line);
	return error;
}

struct stored {
	struct calendar *calendar;
	int error;
};

static int each_stored(void *self, const struct operator_input *input, uint64_t ended)
{
	struct stored *stored = self;
	struct calendar_entry entry;
	char why[256];

	if (ended)
		return 0;
	int error = input_calendar_entry(input, &entry, why, sizeof(why));
	if (!error)
		error = calendar_add(stored->calendar, &entry);
	zone_free((struct zone *)(uintptr_t)entry.zone);
	/* What a scorer had no room for, or could not read, is not here either. */
	stored->error = error == -ENOMEM ? error : 0;
	return stored->error;
}

int input_calendar_stored(const char *store_path, struct calendar *calendar)
{
	struct stored stored = {.calendar = calendar};
	struct store_reader *reader;
	int error = store_reader_open(store_path, &reader);

	if (error < 0)
		return error;
	calendar_clear(calendar);
	error = store_inputs(reader, OPERATOR_CALENDAR_ADD, NULL, 0, each_stored, &stored);
	store_reader_close(reader);
	return stored.error ? stored.error : error;
}
