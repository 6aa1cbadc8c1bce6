/*
 * match: see match.h.
 *
 * Runs on: any thread.
 */
#include "base/match.h"

#include <string.h>

/* By hand: what a library makes of it depends on the locale. */
bool match_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *behind = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			behind = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++behind;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool match_slice(const char *pattern, const char *label)
{
	while (*pattern) {
		size_t bytes = strcspn(pattern, ",");
		const char *at = label;
		bool found = false;
		while (*at && !found) {
			size_t piece = strcspn(at, ",");
			found = piece == bytes && memcmp(at, pattern, bytes) == 0;
			at += piece + (at[piece] == ',');
		}
		if (!found)
			return false;
		pattern += bytes + (pattern[bytes] == ',');
	}
	return true;
}

size_t match_piece(const char *label)
{
	size_t bytes = 0;

	while (label[bytes] && label[bytes] != ',')
		bytes += label[bytes] == '\\' && label[bytes + 1] ? 2 : 1;
	return bytes;
}
