/*
 * zone: see zone.h.
 *
 * Idea:  a list of changes, each with the offset that holds from it on, and behind the last one a
 *        rule that goes on for ever (zone_rule.h):
 *
 *          -inf ..... change 0 ... change 1 ... ... change n-1 ................. +inf
 *             first_s    | offset    | offset            | offset, or the rule if there is one
 *
 *        What a database says twice is left out: changes that change no offset, and those at the
 *        end that the rule gives too.
 *
 * Runs on: any thread; main and the control agent load, shards ask.
 * Never: believes a length in a file, allocates but for a zone.
 */
#include "base/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/zone_rule.h"

#define DATABASE "/usr/share/zoneinfo"
/* Ten times the largest there is. */
#define FILE_BYTES_MAX 65536
#define CHANGES_MAX 4096
#define FOOTER_MAX 64
/* RFC 8536, 3.2: an offset lies within a day and an hour. */
#define OFFSET_S_MIN (-89999)
#define OFFSET_S_MAX 93599

struct change {
	int64_t since_s;
	int32_t offset_s;
};

struct zone {
	char name[ZONE_NAME_MAX + 1];
	char footer[FOOTER_MAX + 1]; /* the rule as written; "": there is none */
	struct zone_rule rule;
	int32_t first_s; /* before the first change */
	uint32_t count;
	struct change changes[];
};

/* The six counts of a TZif header. */
struct counts {
	uint32_t universal, standard, leaps, times, types, letters;
};

static struct zone *zone_make(const char *name, uint32_t count)
{
	struct zone *zone = calloc(1, sizeof(*zone) + count * sizeof(zone->changes[0]));

	if (zone)
		snprintf(zone->name, sizeof(zone->name), "%s", name);
	return zone;
}

void zone_free(struct zone *zone)
{
	free(zone);
}

const char *zone_name(const struct zone *zone)
{
	return zone ? zone->name : "UTC";
}

int64_t zone_offset_until(const struct zone *zone, int64_t unix_ms, int64_t *ret_until_ms)
{
	*ret_until_ms = INT64_MAX;
	if (!zone)
		return 0;
	int64_t unix_s = unix_ms / 1000 - (unix_ms % 1000 < 0);
	uint32_t from = 0, to = zone->count; /* as many changes lie at or before it */

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;

		if (zone->changes[middle].since_s <= unix_s)
			from = middle + 1;
		else
			to = middle;
	}
	int64_t offset = from ? zone->changes[from - 1].offset_s : zone->first_s;
	int64_t since, until = from < zone->count ? zone->changes[from].since_s : INT64_MAX;

	if (from == zone->count && zone->footer[0])
		offset = zone_rule_offset_s(&zone->rule, unix_s, &since, &until);
	if (until <= INT64_MAX / 1000)
		*ret_until_ms = until * 1000;
	return offset * 1000;
}

int64_t zone_offset_ms(const struct zone *zone, int64_t unix_ms)
{
	int64_t until;

	return zone_offset_until(zone, unix_ms, &until);
}

/*
 * Two offsets can be meant: those that hold a day before and a day behind it, since a clock is not
 * put forward and back within two days.
 *
 *   the clock is put forward over it   it never shows it: the moment at which it is put forward,
 *                                      so a day without a midnight begins with its first hour
 *   the clock is put back to it        it shows it twice: the first time, so no hour is lost
 */
int64_t zone_utc_ms(const struct zone *zone, int64_t local_ms)
{
	int64_t before_ms = zone_offset_ms(zone, local_ms - 86400000);
	int64_t behind_ms = zone_offset_ms(zone, local_ms + 86400000);
	int64_t first_ms = local_ms - (before_ms > behind_ms ? before_ms : behind_ms);
	int64_t second_ms = local_ms - (before_ms > behind_ms ? behind_ms : before_ms);

	if (first_ms + zone_offset_ms(zone, first_ms) == local_ms)
		return first_ms;
	if (second_ms + zone_offset_ms(zone, second_ms) == local_ms)
		return second_ms;
	/* It lies in the gap: when that begins, which is before the later of the two. */
	int64_t change_ms;
	zone_offset_until(zone, first_ms, &change_ms);
	return change_ms <= second_ms ? change_ms : second_ms;
}

/* What the rule says at a moment, and since when without a change of the offset; INT64_MIN: it
 * never changes. "All year" is written as a change each year that changes nothing; the calendar
 * comes again after 400 years. */
static int32_t rule_at(const struct zone_rule *rule, int64_t unix_s, int64_t *ret_since_s)
{
	int64_t before_s, until_s;
	int32_t offset_s = zone_rule_offset_s(rule, unix_s, ret_since_s, &until_s);

	for (int i = 0; i < 2 * 400 && *ret_since_s != INT64_MIN; i++) {
		if (zone_rule_offset_s(rule, *ret_since_s - 1, &before_s, &until_s) != offset_s)
			return offset_s;
		*ret_since_s = before_s;
	}
	*ret_since_s = INT64_MIN;
	return offset_s;
}

/* The last change moves down to where the rule begins to say what holds; true: down to the one
 * before it, and is gone. */
static bool lower_last(struct zone *zone)
{
	struct change *last = &zone->changes[zone->count - 1];
	int32_t offset_s = zone->count > 1 ? last[-1].offset_s : zone->first_s;
	int64_t since_s = zone->count > 1 ? last[-1].since_s : INT64_MIN, since;

	if (rule_at(&zone->rule, last->since_s - 1, &since) != offset_s)
		return false;
	if (since <= since_s) {
		zone->count--;
		return true;
	}
	*last = (struct change){since, offset_s};
	return false;
}

/* Leave out what is said twice, so that equal rules are equal bytes. */
static void normalise(struct zone *zone)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < zone->count; i++) {
		int32_t was = kept ? zone->changes[kept - 1].offset_s : zone->first_s;

		/* The last one says from when on the rule holds. */
		if (zone->changes[i].offset_s != was || i + 1 == zone->count)
			zone->changes[kept++] = zone->changes[i];
	}
	zone->count = kept;
	while (zone->footer[0] && zone->count && lower_last(zone))
		;
}

/* RFC 8536, 3.2: nothing was before the Big Bang; and seconds of days must not overflow. */
static bool is_time(int64_t unix_s)
{
	return unix_s >= -(INT64_C(1) << 60) && unix_s <= INT64_C(1) << 60;
}

static bool is_offset(int32_t offset_s)
{
	return offset_s >= OFFSET_S_MIN && offset_s <= OFFSET_S_MAX;
}

/* Is all that was filled in a zone? Ends its making. */
static int conclude(struct zone *zone)
{
	if (!is_offset(zone->first_s))
		return -EPROTO;
	for (uint32_t i = 0; i < zone->count; i++)
		if (!is_offset(zone->changes[i].offset_s) || !is_time(zone->changes[i].since_s) ||
		    (i && zone->changes[i].since_s <= zone->changes[i - 1].since_s))
			return -EPROTO;
	if (zone->footer[0] && zone_rule_parse(zone->footer, &zone->rule) < 0)
		return -EPROTO;
	normalise(zone);
	return 0;
}

static uint64_t get_big(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | *at++;
	return value;
}

static int64_t get_time(const uint8_t *at, size_t bytes)
{
	return bytes == 8 ? (int64_t)get_big(at, 8) : (int32_t)(uint32_t)get_big(at, 4);
}

/* *ret_version: 1 or more. */
static int get_header(struct bytes_reader *in, struct counts *ret_counts, int *ret_version)
{
	const uint8_t *at = bytes_get(in, 44);
	uint32_t counts[6];

	if (!at || memcmp(at, "TZif", 4) != 0 || (at[4] && at[4] < '2'))
		return -EPROTO;
	*ret_version = at[4] ? at[4] - '0' : 1;
	for (size_t i = 0; i < 6; i++) {
		counts[i] = (uint32_t)get_big(at + 20 + 4 * i, 4);
		if (counts[i] > FILE_BYTES_MAX)
			return -EPROTO;
	}
	*ret_counts = (struct counts){counts[0], counts[1], counts[2],
				      counts[3], counts[4], counts[5]};
	return 0;
}

/* The data block behind a header; without a zone it is only passed over. */
static int get_block(struct bytes_reader *in, const struct counts *counts, size_t time_bytes,
		     struct zone *zone)
{
	const uint8_t *times = bytes_get(in, counts->times * time_bytes);
	const uint8_t *indexes = bytes_get(in, counts->times);
	const uint8_t *types = bytes_get(in, (size_t)counts->types * 6);

	bytes_get(in, counts->letters);
	bytes_get(in, counts->leaps * (time_bytes + 4));
	bytes_get(in, counts->standard);
	bytes_get(in, counts->universal);
	if (in->failed)
		return -EPROTO;
	if (!zone)
		return 0;
	zone->first_s = (int32_t)(uint32_t)get_big(types, 4);
	for (uint32_t i = 0; i < counts->times; i++) {
		if (indexes[i] >= counts->types)
			return -EPROTO;
		zone->changes[i].since_s = get_time(times + i * time_bytes, time_bytes);
		zone->changes[i].offset_s = (int32_t)(uint32_t)get_big(types + 6 * indexes[i], 4);
	}
	zone->count = counts->times;
	return 0;
}

/* Behind the blocks, between two newlines. */
static int get_footer(struct bytes_reader *in, struct zone *zone)
{
	const char *text = (const char *)in->data;
	const char *end = in->left > 1 ? memchr(text + 1, '\n', in->left - 1) : NULL;

	if (!end || text[0] != '\n' || (size_t)(end - text - 1) > FOOTER_MAX)
		return -EPROTO;
	memcpy(zone->footer, text + 1, (size_t)(end - text - 1));
	return strlen(zone->footer) == (size_t)(end - text - 1) ? 0 : -EPROTO;
}

int zone_parse(const char *name, const void *data, size_t bytes, struct zone **ret_zone)
{
	struct bytes_reader in = {.data = data, .left = bytes};
	size_t time_bytes = 4;
	struct counts counts;
	int version, error = get_header(&in, &counts, &version);

	/* The first block is for readers of old, whose times have 32 bits. */
	if (!error && version > 1) {
		time_bytes = 8;
		error = get_block(&in, &counts, 4, NULL);
		if (!error)
			error = get_header(&in, &counts, &version);
	}
	/* Unix time has no leap seconds; a file that counts them would be off by them. */
	if (error || counts.types == 0 || counts.times > CHANGES_MAX || counts.leaps)
		return -EPROTO;
	struct zone *zone = zone_make(name, counts.times);

	if (!zone)
		return -ENOMEM;
	error = get_block(&in, &counts, time_bytes, zone);
	if (!error && time_bytes == 8)
		error = get_footer(&in, zone);
	if (!error)
		error = conclude(zone);
	if (error)
		zone_free(zone);
	else
		*ret_zone = zone;
	return error;
}

/* A name is a path below the database and nowhere else. */
static bool is_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_+-/";
	size_t length = strlen(name);

	return length > 0 && length <= ZONE_NAME_MAX && strspn(name, letters) == length &&
	       name[0] != '/';
}

static int refuse(int error, const char *name, const char *directory, char *why, size_t why_bytes)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/Etc/UTC", directory);
	if (error == -ENOMEM)
		snprintf(why, why_bytes, "out of memory");
	else if (error == -EPROTO)
		snprintf(why, why_bytes,
			 "%s/%s is no time zone (TZif, without leap seconds); choose another name, "
			 "or reinstall the time zone database (Debian: tzdata)",
			 directory, name);
	else if (access(path, F_OK) < 0)
		snprintf(
			why, why_bytes,
			"\"%s\" cannot be looked up: there is no time zone database in %s; install "
			"it (Debian: tzdata), or write UTC",
			name, directory);
	else
		snprintf(why, why_bytes,
			 "there is no time zone \"%s\"; write UTC, or a name as Europe/London or "
			 "America/New_York (a file below %s)",
			 name, directory);
	return error;
}

/* All of a file: its bytes, or -ENOENT, -EPROTO. */
static ssize_t read_file(const char *path, uint8_t data[FILE_BYTES_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat stat;
	ssize_t got = -1;

	if (fd < 0)
		return -ENOENT;
	bool regular = fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);

	if (regular && stat.st_size <= FILE_BYTES_MAX)
		got = read(fd, data, FILE_BYTES_MAX);
	close(fd);
	return !regular ? -ENOENT : got < 0 ? -EPROTO : got;
}

int zone_load(const char *name, struct zone **ret_zone, char *why, size_t why_bytes)
{
	const char *directory = getenv("TZDIR");
	char path[4096];
	int error = -ENOENT;

	if (!directory || directory[0] != '/' || strlen(directory) > 2048)
		directory = DATABASE;
	/* What needs no database is not looked up: every machine has it. */
	if (strcmp(name, "UTC") == 0) {
		*ret_zone = zone_make(name, 0);
		return *ret_zone ? 0 : refuse(-ENOMEM, name, directory, why, why_bytes);
	}
	uint8_t *data = malloc(FILE_BYTES_MAX);

	if (!data)
		error = -ENOMEM;
	if (data && is_name(name)) {
		snprintf(path, sizeof(path), "%s/%s", directory, name);
		ssize_t got = read_file(path, data);

		error = got < 0 ? (int)got : zone_parse(name, data, (size_t)got, ret_zone);
	}
	free(data);
	return error ? refuse(error, name, directory, why, why_bytes) : 0;
}

static int64_t common(int64_t a, int64_t b)
{
	while (b) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a < 0 ? -a : a;
}

int64_t zone_granule_ms(const struct zone *zone)
{
	int64_t granule_s = common(86400, zone_offset_ms(zone, 0) / 1000);

	for (uint32_t i = 0; zone && i < zone->count; i++)
		if (zone->changes[i].since_s > 0)
			granule_s = common(granule_s, zone->changes[i].offset_s);
	if (zone && zone->footer[0])
		granule_s = common(common(granule_s, zone->rule.standard_s), zone->rule.summer_s);
	return granule_s * 1000;
}

struct zone *zone_copy(const struct zone *zone)
{
	size_t bytes = zone ? sizeof(*zone) + zone->count * sizeof(zone->changes[0]) : 0;
	struct zone *copy = zone ? malloc(bytes) : NULL;

	if (copy)
		memcpy(copy, zone, bytes);
	return copy;
}

/* "Europe/London 3600 57722400+0 69818400+3600 ... GMT0BST,M3.5.0/1,M10.5.0" */
void zone_save(const struct zone *zone, struct bytes *out)
{
	char text[64];

	snprintf(text, sizeof(text), " %" PRId64, zone_offset_ms(zone, 0) / 1000);
	bytes_put(out, zone->name, strlen(zone->name));
	bytes_put(out, text, strlen(text));
	for (uint32_t i = 0; i < zone->count; i++) {
		/* The last one says from when on the rule holds: it may lie before 1970. */
		if (zone->changes[i].since_s <= 0)
			continue;
		snprintf(text, sizeof(text), " %" PRId64 "%+" PRId32, zone->changes[i].since_s,
			 zone->changes[i].offset_s);
		bytes_put(out, text, strlen(text));
	}
	if (zone->footer[0]) {
		bytes_put(out, " ", 1);
		bytes_put(out, zone->footer, strlen(zone->footer));
	}
}

/* A number with at most a sign, and what follows it. */
static bool take_number(const char **at, int64_t *ret_value)
{
	char *end;

	if (!strchr("+-0123456789", **at) || !**at)
		return false;
	errno = 0;
	*ret_value = strtoll(*at, &end, 10);
	bool ok = !errno && end != *at;

	*at = end;
	return ok;
}

static bool take_change(const char **at, struct change *ret_change)
{
	int64_t offset;

	if (!take_number(at, &ret_change->since_s) || (**at != '+' && **at != '-') ||
	    !take_number(at, &offset) || offset < OFFSET_S_MIN || offset > OFFSET_S_MAX)
		return false;
	ret_change->offset_s = (int32_t)offset;
	return **at == ' ' || !**at;
}

/* The line behind the name: numbers begin with a digit or a sign, a rule with neither. */
static int read_changes(struct zone *zone, const char *at)
{
	int64_t first;

	if (!take_number(&at, &first) || first < OFFSET_S_MIN || first > OFFSET_S_MAX)
		return -EPROTO;
	zone->first_s = (int32_t)first;
	while (at[0] == ' ' && at[1] >= '0' && at[1] <= '9') {
		at++;
		if (zone->count == CHANGES_MAX || !take_change(&at, &zone->changes[zone->count++]))
			return -EPROTO;
	}
	if (at[0] == ' ' && at[1] && strlen(at + 1) <= FOOTER_MAX) {
		snprintf(zone->footer, sizeof(zone->footer), "%s", at + 1);
		at = "";
	}
	return *at ? -EPROTO : conclude(zone);
}

int zone_read(const char *line, size_t bytes, struct zone **ret_zone)
{
	const char *space = memchr(line, ' ', bytes);
	char *text = strndup(line, bytes);
	uint32_t spaces = 0;
	int error = -EPROTO;

	for (size_t i = 0; i < bytes; i++)
		spaces += line[i] == ' ';
	/* Each change has its space. */
	struct zone *zone = spaces <= CHANGES_MAX + 2 ? zone_make("", spaces) : NULL;
	bool whole = text && strlen(text) == bytes && space && space - line <= ZONE_NAME_MAX;

	if (!text || (!zone && spaces <= CHANGES_MAX + 2))
		error = -ENOMEM;
	if (zone && whole) {
		memcpy(zone->name, line, (size_t)(space - line));
		error = is_name(zone->name) ? read_changes(zone, text + (space - line) + 1)
					    : -EPROTO;
	}
	free(text);
	if (error)
		zone_free(zone);
	else
		*ret_zone = zone;
	return error;
}
