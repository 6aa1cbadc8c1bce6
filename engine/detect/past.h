/*
 * past: the values of the periods before, by their numbers.
 *
 *   row       0      1      2      3      4
 *        +------+------+------+------+------+
 *        |  10  |  11  |  12  |   8  |   9  |    of length 5, with period 12 as the newest:
 *        +------+------+------+------+------+    period p lies in row p % length
 *
 * The rows are those of a detector's state (rows.h), from `first` on. A period that nobody saw has
 * no value (PAST_NONE: a number, so that state stays finite).
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#ifndef DETECT_PAST_H
#define DETECT_PAST_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "detect/rows.h"
#include "detect/values.h"

#define PAST_NONE 1e300

/* Head of a state that holds a past. */
struct past_header {
	int64_t next; /* number behind the newest period noted; 0 and `noted` 0: none yet */
	int64_t noted;
};

struct past {
	void *state; /* begins with a struct past_header */
	uint32_t capacity, slices;
	uint32_t first;  /* row */
	uint32_t length; /* rows */
};

/* Of a state that was loaded: -EPROTO, if its newest period is none that an event has. */
int past_check(const void *state);
/* All slices' values are unknown: for a new state, of which no row was written. */
void past_clear(const struct past *past);
/* Period `number` has come: its row, to be filled with values or PAST_NONE. What lies between the
 * newest one and it was not seen. A period at or before the newest one gets its own row again. */
double *past_note(const struct past *past, int64_t number);
/* The values of a period before the newest one noted; NULL: never seen, or no longer kept. */
const double *past_row(const struct past *past, int64_t number);

static inline double past_value(const double *row, uint32_t i)
{
	return row && row[i] >= -VALUE_MAX && row[i] <= VALUE_MAX ? row[i] : (double)NAN;
}

/* The way back into a row. */
static inline double past_kept(double value)
{
	return value >= -VALUE_MAX && value <= VALUE_MAX ? value : PAST_NONE;
}

#endif
