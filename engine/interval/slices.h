/*
 * slices: the slices of one metric, numbered in the order in which they come.
 *
 * Idea:  a slice is found by (roll-up, values) in a hash table and never forgotten, so that a
 *        number means the same for ever, also after a checkpoint. Slice 0 is the total. When the
 *        bound is reached new values share the roll-up's overflow slice, whose every value is
 *        `__overflow__`; its place is set aside from the start.
 * Labels: "country=DE,device=mobile". A backslash stands before a comma, an equals sign or a
 *        backslash of a name or value, so that two slices never have one label.
 * Runs on: the shard that owns the metric. Includes: observation.h only; rollup.c alone uses it.
 */
#ifndef INTERVAL_SLICES_H
#define INTERVAL_SLICES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "interval/observation.h"
#include "weir/limits.h"

#define SLICES_ROLLUPS_MAX 16
#define SLICES_OVERFLOW "__overflow__"

struct slices_text {
	const char *bytes; /* not NUL-terminated */
	uint32_t count;
};

struct slices_rollup {
	uint32_t dimensions;
	char *names[WEIR_DIMENSIONS_MAX]; /* owned */
	uint32_t overflow;                /* number of its overflow slice; 0: none yet */
};

struct slices {
	struct slice *slice; /* [count] */
	uint32_t count, capacity;
	uint32_t ordinary, ordinary_max; /* slices but for overflow slices */
	struct slices_rollup by[SLICES_ROLLUPS_MAX];
	uint32_t rollups;
	uint32_t *table; /* open addressing; a power of two, at most half full */
	uint32_t table_size;
};

/* The slices of no roll-up yet: the total alone. 0 or -ENOMEM (then slices_fini() is still due). */
int slices_init(struct slices *slices, uint32_t rollups, uint32_t slices_max);
/* Add a dimension to a roll-up (from 0). 0 or -ENOMEM. */
int slices_name(struct slices *slices, uint32_t rollup, const char *name);
void slices_fini(struct slices *slices);
/* Back to the total alone. */
void slices_reset(struct slices *slices);

/* The slice of these values in a roll-up (from 0), made if it is new: its number, or that of the
 * overflow slice. values: one for each of the roll-up's dimensions; NULL: overflow. */
uint32_t slices_find(struct slices *slices, uint32_t rollup, const struct slices_text *values,
		     int64_t interval);

/* The slice that has this label, made if it is new, as slices_find() does. UINT32_MAX: no roll-up
 * has these dimensions, or it is no label. */
uint32_t slices_labelled(struct slices *slices, const char *label, int64_t interval);

/* All but the total's birth. load: 0 or -EPROTO, which leaves the total alone. */
void slices_save(const struct slices *slices, struct bytes *out);
int slices_load(struct slices *slices, struct bytes_reader *in);

#endif
