/*
 * verify_zones: the rules of time zones behind a configuration of the control log.
 *
 * Idea:  read from the end: the last line says how many lines before it are zones. What a file of
 *        a person looks like does not matter; only that what the engine put behind it is whole,
 *        since a replay has nothing else to know the time of day by.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify_private.h"

#define ZONES_MAX 64
#define OFFSET_MAX 93600 /* a day and two hours, either way */

static bool take_number(const char **at, bool sign, int64_t *ret_value)
{
	char *end;

	if (sign ? **at != '+' && **at != '-' : **at < '0' || **at > '9')
		return false;
	*ret_value = strtoll(*at, &end, 10);
	bool digits = end > *at + sign;

	*at = end;
	return digits;
}

/* "Europe/London 3600 57722400+0 GMT0BST,M3.5.0/1,M10.5.0" */
static bool is_zone(const char *line)
{
	const char *at = strchr(line, ' ');
	int64_t before = 0, time, offset;

	if (!at || at == line || at - line > 64)
		return false;
	at++;
	if (!take_number(&at, *at == '-' || *at == '+', &offset) || llabs(offset) > OFFSET_MAX)
		return false;
	while (at[0] == ' ' && at[1] >= '0' && at[1] <= '9') {
		at++;
		if (!take_number(&at, false, &time) || !take_number(&at, true, &offset) ||
		    time <= before || llabs(offset) > OFFSET_MAX)
			return false;
		before = time;
	}
	/* The rule is a word for a reader of time zones. */
	return !*at || (at[0] == ' ' && at[1] && !strchr(at + 1, ' '));
}

/* The line before *end, without its newline; *end moves to where it begins. */
static char *line_before(char *text, size_t *end)
{
	if (*end == 0 || text[*end - 1] != '\n')
		return NULL;
	text[--*end] = '\0';
	while (*end > 0 && text[*end - 1] != '\n')
		--*end;
	return text + *end;
}

const char *verify_zones(const void *record, size_t bytes)
{
	static const char count[] = "#zones ", zone[] = "#zone ";
	char *text = strndup(record, bytes);
	size_t end = text ? strlen(text) : 0;
	char *line = text ? line_before(text, &end) : NULL;
	const char *wrong = text ? NULL : "is too large to be read here";
	long left = 0;

	if (line && strncmp(line, count, sizeof(count) - 1) == 0)
		left = strtol(line + sizeof(count) - 1, NULL, 10);
	if (left < 0 || left > ZONES_MAX)
		wrong = "has a number of time zones that cannot be";
	for (; !wrong && left > 0; left--) {
		line = line_before(text, &end);
		if (!line || strncmp(line, zone, sizeof(zone) - 1) != 0)
			wrong = "has fewer time zones than it says";
		else if (!is_zone(line + sizeof(zone) - 1))
			wrong = "has a time zone whose rules are broken";
	}
	free(text);
	return wrong;
}
