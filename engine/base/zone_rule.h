/*
 * zone_rule: the rule that a time zone follows from its last recorded change on: a POSIX TZ string
 * ("GMT0BST,M3.5.0/1,M10.5.0") with the extensions of RFC 8536, section 3.3.1. For zone.c alone.
 *
 * Runs on: any thread. Never: allocates.
 */
#ifndef BASE_ZONE_RULE_H
#define BASE_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

/* When in a year, by the clock on the wall. */
struct zone_day {
	char kind; /* 'M': day `day` (0: Sunday) of week `week` (5: the last) of `month`;
		    * 'J': day 1..365, 29 February is not counted; 'D': day 0..365 */
	int month, week, day;
	int32_t seconds; /* of that day; may lie before it or behind it */
};

struct zone_rule {
	int32_t standard_s, summer_s; /* local time minus UTC */
	bool has_summer;
	struct zone_day start, end; /* of summer time */
};

/* 0, or -EPROTO: that is no such string. */
int zone_rule_parse(const char *text, struct zone_rule *ret_rule);
/* Local time minus UTC at a unix time, in seconds; since when, and until before when the rule says
 * so (INT64_MIN, INT64_MAX: always). */
int32_t zone_rule_offset_s(const struct zone_rule *rule, int64_t unix_s, int64_t *ret_since_s,
			   int64_t *ret_until_s);

#endif
