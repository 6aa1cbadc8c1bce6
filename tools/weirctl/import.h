/*
 * import: rows of a file to events in the order of their times.
 *
 * Idea:  the whole file is read and checked before the first event is sent, at 16 bytes per event;
 *        so a broken row in the last line stops an import that has not begun, and a file in any
 *        order is sent in the order in which it was lived. An event holds its time and the number
 *        of its series here; what a series is stands in a table, once.
 *
 *   row ── time, dimensions ─┬─ measure 0: event, field, column ──> series ──> event
 *                            └─ measure 1 ...
 *
 * A measure is what one column of a row says: the value of an event, or, where rows are sums
 * already, one statistic of many (fields "value:count", "value:sum", ...; FORMAT.md, section 2).
 */
#ifndef WEIRCTL_IMPORT_H
#define WEIRCTL_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "import_input.h"
#include "import_time.h"
#include "weir/event.h"
#include "weir/limits.h"

#define IMPORT_MEASURES_MAX 64
#define IMPORT_WHY_BYTES 384

struct import_dimension {
	char name[WEIR_NAME_BYTES_MAX + 1];
	const char *column;
};

struct import_measure {
	/* NULL: the row's event column says it. Beside such a column: only of rows that say this,
	 * and of these in place of the measures of any event. */
	const char *event;
	char field[WEIR_NAME_BYTES_MAX + 1];
	const char *column; /* NULL: each row is an event of value 1 */
	bool optional;      /* an empty field is no event, not a broken row */
	bool distinct;      /* a text, of which a hash is taken: a series of kind hash */
};

/* What the columns mean. */
struct import_map {
	enum import_format format;
	char delimiter;
	bool no_header; /* CSV: columns are "1", "2", ... */
	const char *time_column, *event_column;
	const char *time_format, *zone;
	struct import_dimension dimensions[WEIR_DIMENSIONS_MAX];
	uint32_t dimensions_count;
	struct import_measure measures[IMPORT_MEASURES_MAX];
	uint32_t measures_count;
};

/* Rows of the same event and dimension values; each measure of it is a series. */
struct import_group {
	uint64_t hash;
	size_t key; /* offset in `keys`: event and values, each with a NUL behind it */
	uint32_t bytes;
};

struct import {
	const struct import_map *map;
	struct weir_event *events;
	size_t count, capacity;
	bool unsorted;
	int64_t first_ms, last_ms;
	uint64_t rows, bad_rows;
	struct import_group *groups;
	uint32_t groups_count, groups_capacity;
	uint32_t *buckets; /* 1 + index of a group; 0: free */
	uint32_t bucket_mask;
	char *keys;
	size_t keys_bytes, keys_capacity;
	uint8_t *used; /* by series: group * measures + measure; does an event use it? */
};

/* What a reader wants to hear while it reads; both may be NULL. */
struct import_listener {
	void *self;
	void (*progress)(void *self, double part, uint64_t rows);
	/* A row that is passed over. Without it the first one ends the reading. */
	void (*bad_row)(void *self, uint64_t line, const char *what);
};

/* Read and check everything, and sort it. 0; -EBADMSG: a broken row, or no such column; -EIO,
 * -ENOMEM, -EINVAL (a time format), with file, line and what is wrong in `why`. */
int import_read(struct import *import, const struct import_map *map, const char *path,
		const struct import_listener *listener, char *why, size_t why_bytes);
void import_fini(struct import *import);

/* The texts of a series: event, field, and one value for each dimension of the map. */
void import_series(const struct import *import, uint32_t series, const char **ret_event,
		   const char **ret_field, const char *values[WEIR_DIMENSIONS_MAX]);
static inline uint32_t import_series_count(const struct import *import)
{
	return import->groups_count * import->map->measures_count;
}

/* Where it is sent. */
struct import_target {
	const char *socket_path; /* NULL: libweir's default */
	const char *source;
	bool wall; /* into a live source: what is older than its clock corrects the history */
	uint64_t patience_ms; /* without an event taken, before it gives up */
};

struct import_sent {
	uint64_t attempted, published, persisted, rejected, dropped, lost;
};

/* Send all and wait until the engine's files have them. 0; -ETIMEDOUT, -ECONNREFUSED, -EPROTO
 * (rejected or lost), -ECANCELED (a signal), -ENOSPC, with `why`. */
int import_send(const struct import *import, const struct import_target *target,
		const struct import_listener *listener, struct import_sent *ret_sent, char *why,
		size_t why_bytes);

#endif
