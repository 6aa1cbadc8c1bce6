/*
 * zone: what a clock on the wall of some place shows. UTC in, the place's offset out.
 *
 * Idea:  the rules of a place (the system's time zone database, RFC 8536) are read once, when a
 *        configuration is read, and travel with it: the same log gives the same phases whatever
 *        database the machine has by then. A zone does not change once it is made, so that any
 *        thread may ask it.
 * Never: looks at TZ or at any global of the C library; TZDIR says where the database is, if it
 *        is not in its usual place.
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define ZONE_NAME_MAX 64

struct zone;

/* By name ("Europe/London", "UTC"). 0; -ENOENT: there is none of that name; -EPROTO: its file is
 * broken; -ENOMEM. `why` says what to do. */
int zone_load(const char *name, struct zone **ret_zone, char *why, size_t why_bytes);
/* The same from the content of such a file. 0, -EPROTO, -ENOMEM. */
int zone_parse(const char *name, const void *data, size_t bytes, struct zone **ret_zone);
void zone_free(struct zone *zone);
const char *zone_name(const struct zone *zone);
/* Local time minus UTC, at a unix time. NULL is UTC. */
int64_t zone_offset_ms(const struct zone *zone, int64_t unix_ms);
/* The same, and a time (or INT64_MAX) before which it does not change: to ask again only then. */
int64_t zone_offset_until(const struct zone *zone, int64_t unix_ms, int64_t *ret_until_ms);
/* A moment of its clock, as if in UTC, in UTC. What the clock is put forward over is the moment at
 * which it is, so that a day without a midnight begins with its first hour; of what it shows twice
 * the first time is meant. */
int64_t zone_utc_ms(const struct zone *zone, int64_t local_ms);
/* What all offsets from 1970 on are multiples of, and a day too; of UTC a day. */
int64_t zone_granule_ms(const struct zone *zone);
/* NULL: no memory, or of none. */
struct zone *zone_copy(const struct zone *zone);
/*
 * As it travels in a configuration's record: a line of text, without its end, of what holds from
 * 1970 on (FORMAT.md, section 9). Databases that say the same in different words (each change
 * until 2037, or a rule instead) give the same line. Read: 0, -EPROTO, -ENOMEM.
 */
void zone_save(const struct zone *zone, struct bytes *out);
int zone_read(const char *line, size_t bytes, struct zone **ret_zone);

#endif
