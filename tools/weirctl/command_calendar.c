/*
 * calendar: what is known to come: holidays, campaigns, Black Friday.
 */
#include <errno.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "base/zone.h"
#include "calendar_set.h"
#include "calendar_show.h"
#include "command.h"
#include "ical.h"
#include "input_calendar.h"
#include "operate.h"
#include "options.h"
#include "text.h"

#define WHY_BYTES 1280
/* An iCalendar file of more than this is none of holidays. */
#define FILE_BYTES_MAX (64u << 20)

enum easter { EASTER_NONE, EASTER_WESTERN, EASTER_ORTHODOX };
enum learn { LEARN_DEFAULT, LEARN_YES, LEARN_NO };

struct given {
	struct operate_by by;
	const char *set, *date, *weekday, *at, *effect, *zone, *source, *metric, *slice, *text;
	int64_t from_ms, until_ms;
	int64_t shift;
	uint64_t for_ms;
	uint32_t days, year;
	unsigned easter, learn;
	bool all, sets;
};

static int take_shift(void *field, const char *text)
{
	char *end;
	long days = strtol(text, &end, 10);

	if (end == text || *end || days < -366 || days > 366)
		return -EINVAL;
	*(int64_t *)field = days;
	return 0;
}

static const struct option_row rows[] = {
	{.name = "from",
	 .argument = "TIME",
	 .help = "add: once, from here: unix seconds, or 2026-11-27[T18:00[+01:00]], UTC",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct given, from_ms)},
	{.name = "until",
	 .argument = "TIME",
	 .help = "add: to here, which is not part of it; or --for",
	 .kind = OPTION_TAKE,
	 .take = text_take_time,
	 .at = offsetof(struct given, until_ms)},
	{.name = "date",
	 .argument = "MM-DD",
	 .help = "add: each year on this date",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, date)},
	{.name = "easter",
	 .argument = "none|western|orthodox",
	 .help = "add: each year on Easter Sunday",
	 .kind = OPTION_CHOICE,
	 .at = offsetof(struct given, easter)},
	{.name = "weekday",
	 .argument = "mon|tue|wed|thu|fri|sat|sun",
	 .help = "add: on the first such day from the date on: thu with --date 11-22 is the fourth "
		 "Thursday of November",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, weekday)},
	{.name = "shift",
	 .argument = "DAYS",
	 .help = "add: so many days later, or earlier: -2",
	 .kind = OPTION_TAKE,
	 .take = take_shift,
	 .at = offsetof(struct given, shift)},
	{.name = "at",
	 .argument = "HH:MM",
	 .help = "add: a rule's time of day; default 00:00",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, at)},
	{.name = "days",
	 .argument = "N",
	 .help = "add: a rule's length in days of its clock; default 1",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 366,
	 .at = offsetof(struct given, days)},
	{.name = "for",
	 .argument = "DURATION",
	 .help = "add: its length: 4h, 90m",
	 .kind = OPTION_DURATION,
	 .min = 1000,
	 .max = 366 * 86400000.0,
	 .at = offsetof(struct given, for_ms)},
	{.name = "effect",
	 .argument = "EFFECT",
	 .help = "exclude (the default), expect:+40%, or last-year; with --set and import of all "
		 "entries",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, effect)},
	{.name = "learn",
	 .argument = "default|yes|no",
	 .help = "learn from what comes in it; default: expect does, last-year does not, exclude "
		 "never",
	 .kind = OPTION_CHOICE,
	 .at = offsetof(struct given, learn)},
	{.name = "zone",
	 .argument = "ZONE",
	 .help = "whose days a rule's are, as Europe/Berlin; default the detector's",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, zone)},
	{.name = "metric",
	 .argument = "NAME",
	 .help = "of this metric only; * is any text, here and below",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, metric)},
	{.name = "source",
	 .argument = "NAME",
	 .help = "of this source of events only",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, source)},
	{.name = "slice",
	 .argument = "NAME=VALUE[,...]",
	 .help = "of slices with these dimension values only, and not of the total",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, slice)},
	{.name = "set",
	 .argument = "NAME",
	 .help = "add: all entries of this set (list --sets), or of a FILE with a slash in its "
		 "name; remove: those that came with it; import: what to call them",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, set)},
	{.name = "text",
	 .argument = "WHY",
	 .help = "for who wonders later",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, text)},
	{.name = "year",
	 .argument = "YEAR",
	 .help = "list: the days that entries give in this year",
	 .kind = OPTION_U32,
	 .min = CALENDAR_YEAR_MIN,
	 .max = CALENDAR_YEAR_MAX,
	 .at = offsetof(struct given, year)},
	{.name = "sets",
	 .help = "list: the sets that there are",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct given, sets)},
	{.name = "all",
	 .help = "list: also entries that were removed",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct given, all)},
	ROWS_OPERATE(struct given),
};

static int say(const char *why, int code)
{
	fprintf(stderr, "weirctl: %s\n", why);
	return code;
}

/* What the options say of any entry. */
static void put_common(const struct given *given, json_t *members)
{
	operate_set(members, "source", given->source);
	operate_set(members, "metric", given->metric);
	operate_set(members, "slice", given->slice);
	operate_set(members, "text", given->text);
	operate_set(members, "effect", given->effect);
	if (given->zone && !json_object_get(members, "from_ms"))
		operate_set(members, "zone", given->zone);
	if (given->learn != LEARN_DEFAULT)
		json_object_set_new(members, "learn", json_boolean(given->learn == LEARN_YES));
}

/* An entry of the options. */
static json_t *entry_of(const struct given *given, const char *name)
{
	static const char *const easters[] = {NULL, "western", "orthodox"};
	json_t *members = json_pack("{ss}", "name", name);

	operate_set(members, "date", given->date);
	operate_set(members, "easter", easters[given->easter]);
	operate_set(members, "weekday", given->weekday);
	operate_set(members, "at", given->at);
	if (given->shift)
		json_object_set_new(members, "shift", json_integer(given->shift));
	if (given->days)
		json_object_set_new(members, "days", json_integer(given->days));
	if (given->from_ms) {
		int64_t until_ms = given->until_ms ? given->until_ms
						   : given->from_ms + (int64_t)given->for_ms;
		json_object_set_new(members, "from_ms", json_integer(given->from_ms));
		json_object_set_new(members, "until_ms", json_integer(until_ms));
	} else if (given->for_ms) {
		json_object_set_new(members, "length_ms", json_integer((json_int_t)given->for_ms));
	}
	put_common(given, members);
	return members;
}

/* Is it an entry, and is its zone known here? */
static int check_entry(const json_t *members, char *why, size_t why_bytes)
{
	struct calendar_entry entry;
	json_t *copy = json_copy((json_t *)(uintptr_t)members);
	int error = copy ? input_calendar_complete(copy, why, why_bytes) : -ENOMEM;

	if (!error) {
		error = input_calendar_read(copy, &entry, why, why_bytes);
		zone_free((struct zone *)(uintptr_t)entry.zone);
	}
	json_decref(copy);
	return error;
}

static int send_entry(const struct given *given, const json_t *members, bool tell)
{
	int code;
	json_t *request = json_copy((json_t *)(uintptr_t)members);

	operate_set(request, "command", "calendar_add");
	json_t *answer = operate(&given->by, request, &code);
	if (answer && tell)
		printf("entry %lld is in force; weirctl calendar remove %lld takes it back\n",
		       (long long)json_integer_value(json_object_get(answer, "number")),
		       (long long)json_integer_value(json_object_get(answer, "number")));
	json_decref(answer);
	return code;
}

/* All of them, or none where one is wrong. Steals the list. */
static int send_all(const struct given *given, json_t *entries, const char *what)
{
	char why[WHY_BYTES], said[WHY_BYTES + 64];
	json_t *members;
	size_t i;
	int code = TOOL_OK;

	json_array_foreach(entries, i, members)
	{
		put_common(given, members);
		if (code == TOOL_OK && check_entry(members, why, sizeof(why)) < 0) {
			snprintf(said, sizeof(said), "%s: %s: %s", what,
				 json_string_value(json_object_get(members, "name")), why);
			code = say(said, TOOL_NO);
		}
	}
	size_t sent = 0;
	for (; code == TOOL_OK && sent < json_array_size(entries); sent++)
		code = send_entry(given, json_array_get(entries, sent), false);
	if (code == TOOL_OK && !given->by.json)
		printf("%zu entries of %s are in force; weirctl calendar list --year YEAR shows "
		       "their days\n",
		       sent, what);
	else if (sent > 1)
		fprintf(stderr, "weirctl: %zu entries before it are in force\n", sent - 1);
	json_decref(entries);
	return code;
}

static int add(const struct given *given, const char *name)
{
	char why[WHY_BYTES];

	if (given->set && name)
		return options_wrong(&command_calendar.options, "a NAME, or --set; not both");
	if (given->set) {
		json_t *entries = calendar_set_read(given->set, why, sizeof(why));
		return entries ? send_all(given, entries, given->set) : say(why, TOOL_NO);
	}
	if (!name)
		return options_wrong(&command_calendar.options, "the NAME is missing, or --set");
	if (given->until_ms && given->for_ms)
		return options_wrong(&command_calendar.options, "--until, or --for; not both");
	json_t *members = entry_of(given, name);
	int code = check_entry(members, why, sizeof(why)) < 0 ? say(why, TOOL_NO)
							      : send_entry(given, members, true);
	json_decref(members);
	return code;
}

/* The engine's entries; NULL: *ret_code. */
static json_t *ask_entries(const struct given *given, int *ret_code)
{
	char why[WHY_BYTES] = "";
	json_t *request = json_pack("{ss ss si sb}", "command", "inputs", "kind", "calendar_add",
				    "limit", 1000, "standing", !given->all);
	json_t *answer = ask(ask_socket(given->by.socket), request, why, sizeof(why));

	if (!answer) {
		*ret_code = say(why, TOOL_IO);
		return NULL;
	}
	json_t *entries = json_incref(json_object_get(answer, "inputs"));
	json_decref(answer);
	return entries;
}

static void print_set(void *self, const char *name, const char *title)
{
	(void)self;
	printf("%-10s %s\n", name, title);
}

static int list(const struct given *given)
{
	char why[WHY_BYTES];
	int code = TOOL_OK;

	if (given->sets && calendar_sets_each(print_set, NULL) < 0) {
		snprintf(why, sizeof(why), "there are no sets in %s; WEIR_CALENDARS says where",
			 calendar_sets_folder());
		return say(why, TOOL_IO);
	}
	if (given->sets)
		return TOOL_OK;
	/* Of a set that is not in force yet: what it would bring. */
	json_t *entries = given->set ? calendar_set_read(given->set, why, sizeof(why))
				     : ask_entries(given, &code);
	if (!entries)
		return given->set ? say(why, TOOL_NO) : code;
	if (given->year) {
		code = calendar_show_year(entries, given->year, given->by.json) < 0 ? TOOL_IO
										    : code;
	} else if (given->by.json) {
		for (size_t i = json_array_size(entries); i > 0; i--) {
			json_dumpf(json_array_get(entries, i - 1), stdout,
				   JSON_COMPACT | JSON_PRESERVE_ORDER);
			putchar('\n');
		}
	} else {
		calendar_show_entries(entries);
	}
	json_decref(entries);
	return code;
}

static int remove_one(const struct given *given, uint64_t number)
{
	int code;
	json_t *request = json_pack("{ss sI}", "command", "calendar_remove", "of",
				    (json_int_t)number);
	json_t *answer = operate(&given->by, request, &code);

	if (answer)
		printf("entry %llu holds no longer\n", (unsigned long long)number);
	json_decref(answer);
	return code;
}

static int remove_set(const struct given *given)
{
	int code = TOOL_OK;
	json_t *entries = ask_entries(given, &code);
	const json_t *members;
	size_t i, count = 0;

	if (!entries)
		return code;
	json_array_foreach(entries, i, members)
	{
		const char *set = json_string_value(json_object_get(members, "set"));
		if (code != TOOL_OK || !set || strcmp(set, given->set) != 0)
			continue;
		count++;
		code = remove_one(given,
				  (uint64_t)json_integer_value(json_object_get(members, "number")));
	}
	json_decref(entries);
	return count == 0 ? say("no entry in force is of this set: weirctl calendar list", TOOL_NO)
			  : code;
}

static int remove_entries(const struct given *given, int count, char **operands)
{
	uint64_t number;
	int code = TOOL_OK;

	if (given->set && count == 0)
		return remove_set(given);
	if (count == 0 || given->set)
		return options_wrong(&command_calendar.options,
				     "remove which? NUMBERs, or --set: weirctl calendar list");
	for (int i = 0; i < count; i++)
		if (options_u64(operands[i], 1, UINT32_MAX, &number) < 0)
			return options_wrong(&command_calendar.options,
					     "\"%s\" is not the number of an entry: weirctl "
					     "calendar list",
					     operands[i]);
	for (int i = 0; i < count && code == TOOL_OK; i++) {
		options_u64(operands[i], 1, UINT32_MAX, &number);
		code = remove_one(given, number);
	}
	return code;
}

static int each_event(void *self, uint64_t line, json_t *members)
{
	(void)line;
	return json_array_append_new(self, members) < 0 ? -ENOMEM : 0;
}

/* All of a file; to be freed. NULL: errno. */
static char *read_file(const char *path, size_t *ret_bytes)
{
	FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	struct bytes bytes = {0};
	char buffer[65536];
	size_t got;

	if (!from)
		return NULL;
	while ((got = fread(buffer, 1, sizeof(buffer), from)) > 0 && bytes.used < FILE_BYTES_MAX)
		bytes_put(&bytes, buffer, got);
	bool failed = ferror(from) || bytes.failed;
	if (from != stdin)
		fclose(from);
	bytes_put(&bytes, "", 1);
	if (failed || bytes.failed) {
		bytes_fini(&bytes);
		errno = EIO;
		return NULL;
	}
	*ret_bytes = bytes.used - 1;
	return (char *)bytes.data;
}

/* What the events of a file are called together: its name without what is behind the point. */
static void name_set(const struct given *given, const char *path, json_t *entries)
{
	char name[32], *copy = strdup(path);
	json_t *members;
	size_t i;

	snprintf(name, sizeof(name), "%.31s", given->set ? given->set : copy ? basename(copy) : "");
	if (!given->set && strrchr(name, '.') > name)
		*strrchr(name, '.') = '\0';
	json_array_foreach(entries, i, members)
	{
		operate_set(members, "set", name);
	}
	free(copy);
}

static int import(const struct given *given, const char *path)
{
	char why[WHY_BYTES], said[WHY_BYTES + 512];
	json_t *entries = json_array();
	size_t bytes = 0;
	char *text = read_file(path, &bytes);
	int error = text ? ical_read(text, bytes, each_event, entries, why, sizeof(why)) : -errno;

	if (!text)
		snprintf(said, sizeof(said), "cannot read %s: %s", path, strerror(-error));
	else if (error < 0)
		snprintf(said, sizeof(said), "%s: %s", path, why);
	else if (json_array_size(entries) == 0)
		snprintf(said, sizeof(said), "%s: there is no VEVENT in it", path);
	if (error < 0 || json_array_size(entries) == 0) {
		json_decref(entries);
		int code = say(said, text ? TOOL_NO : TOOL_IO);
		free(text);
		return code;
	}
	free(text);
	name_set(given, path, entries);
	return send_all(given, entries, path);
}

static int run(void *self, int count, char **operands)
{
	const struct given *given = self;

	if (strcmp(operands[0], "add") == 0)
		return add(given, count > 1 ? operands[1] : NULL);
	if (strcmp(operands[0], "list") == 0)
		return list(given);
	if (strcmp(operands[0], "remove") == 0)
		return remove_entries(given, count - 1, operands + 1);
	return import(given, operands[1]);
}

static const struct option_action actions[] = {
	{"add", "[NAME]", "an entry: once, or each year; or a set of them"},
	{"list", "", "the entries in force; the days that they give in a year; the sets there are"},
	{"remove", "[NUMBER]...", "entries hold no longer; or those of a set"},
	{"import", "FILE", "the events of an iCalendar file, with YEARLY rules"},
};

static const struct option_example examples[] = {
	{"weirctl calendar add --set de --slice country=DE",
	 "Germany's holidays for Germany's slices"},
	{"weirctl calendar add 'spring sale' --from 2026-03-01T08:00 --for 6h --effect expect:+40%",
	 "A campaign"},
	{"weirctl calendar add 'Black Friday' --date 11-22 --weekday thu --shift 1",
	 "The Friday behind the fourth Thursday of November"},
	{"weirctl calendar list --set us --year 2027", "A dry look at a set"},
	{"weirctl calendar import campaigns.ics --effect expect:+25%", "What marketing plans"},
};

const struct command command_calendar = {
	.options =
		{.program = "weirctl calendar",
		 .operands = "",
		 .summary = "holidays, campaigns and what else is known to come",
		 .description =
			 "An entry is a span of time, or a rule that gives one each year. While it "
			 "holds, detectors exclude the time (neither judge it nor learn from it), "
			 "expect so many per cent more or less than usual (and learn relative to "
			 "that), or expect what the last event of the same name brought, part by "
			 "part from its beginning, for each slice; without an earlier one they "
			 "exclude it.\n\n"
			 "Entries may overlap: exclude wins, the factors of expect are multiplied, "
			 "last-year takes the place of expect of the same name. An entry that names "
			 "a slice is for slices with these dimension values, and not for the total. "
			 "Rules go by the days of their zone, else of the detector's.\n\n"
			 "What is added and removed is in force between two closes, stands in the "
			 "log, and is part of what a replay does.",
		 COMMAND_ACTIONS(actions),
		 COMMAND_ROWS(rows),
		 COMMAND_EXAMPLES(examples),
		 .exits = {[TOOL_NO] = "the engine refuses, or a file is wrong; the message says "
				       "why"},
		 .environment = "WEIR_CONTROL WEIR_CALENDARS"},
	.bytes = sizeof(struct given),
	.run = run,
};
