/*
 * import_time: the times of rows, as files have them, to unix milliseconds.
 *
 * Formats: `auto` (a number: seconds, milliseconds or microseconds by its size; else as `iso`),
 * `s`, `ms`, `us`, `ns` (numbers since 1970), `iso` (2011-01-04[T10:00[:00[.000]]][Z|+01:00]), or
 * any of strptime(3), "%d/%m/%Y %H:%M". A time that names no zone is of the zone given.
 */
#ifndef WEIRCTL_IMPORT_TIME_H
#define WEIRCTL_IMPORT_TIME_H

#include <stdbool.h>
#include <stdint.h>

enum import_time_kind {
	IMPORT_TIME_AUTO,
	IMPORT_TIME_S,
	IMPORT_TIME_MS,
	IMPORT_TIME_US,
	IMPORT_TIME_NS,
	IMPORT_TIME_ISO,
	IMPORT_TIME_PATTERN,
};

struct import_clock {
	enum import_time_kind kind;
	const char *pattern; /* of strptime() */
	bool named_zone;     /* the process's TZ says it, else: */
	int32_t offset_s;    /* east of UTC */
	/* The last hour of a named zone that was asked for: files go on in it. */
	int64_t hour;
	int32_t hour_offset_s;
	bool hour_known;
};

/* `zone`: NULL or "UTC", "+01:00", or a name, "Europe/Rome" (sets the process's TZ). 0, -EINVAL: no
 * such format, -ENOENT: no such zone. */
int import_clock_init(struct import_clock *clock, const char *format, const char *zone);
/* 0, -EINVAL: not such a time, -ERANGE: before 1970 or behind 2109. */
int import_time(struct import_clock *clock, const char *text, uint32_t bytes, int64_t *ret_unix_ms);

/* "-12.50", "1e3": the nearest double; blanks around it are passed over. 0, -EINVAL. */
int import_number(const char *text, uint32_t bytes, double *ret_value);

#endif
