/*
 * sketch: what a cell cannot hold in five numbers: how many different values, and their quantiles.
 *
 *   distinct   HyperLogLog (Flajolet et al. 2007, with the improved estimator of Ertl 2017) over
 *              63-bit hashes; few values are kept as a sorted list, exactly the same registers.
 *   quantile   counts in buckets of equal relative width (as HdrHistogram and DDSketch do): each
 *              power of two in equal parts by the leading bits of the mantissa; negative values
 *              mirrored, zero by itself; and the least and greatest value. Between 2^-64 and 2^64;
 * what is smaller counts as zero, what is greater as the greatest, so that no producer can make a
 * sketch grow beyond SKETCH_BYTES_MAX.
 *
 * Merging is exact: merge(a, b) holds what one sketch of all values holds, in any order, and its
 * saved bytes are the same. Errors are stated here and measured in tests/property/sketch.c.
 *
 * Runs on: lanes fill, shards merge; no clock, no I/O.
 */
#ifndef INTERVAL_SKETCH_H
#define INTERVAL_SKETCH_H

#include <stdint.h>

#include "base/bytes.h"

/* Numbers of enum weir_sketch (weir/segment.h): the log says which series have one. */
enum sketch_kind {
	SKETCH_NONE,
	SKETCH_DISTINCT, /* standard error 1.04 / sqrt(2^SKETCH_DISTINCT_BITS) of the count */
	SKETCH_QUANTILE, /* a quantile is within SKETCH_QUANTILE_ERROR of its value, relatively */
};

#define SKETCH_DISTINCT_BITS 12       /* registers: 2^12, 1.6 %, 4 KiB at most */
#define SKETCH_QUANTILE_ERROR 0.0079  /* 64 buckets to a power of two: 1 / 128, rounded up */
#define SKETCH_BYTES_MAX (160u << 10) /* of memory; a usual one has 4 KiB to 16 KiB */

struct sketch;

/* NULL: no memory. */
struct sketch *sketch_create(enum sketch_kind kind);
void sketch_destroy(struct sketch *sketch);
enum sketch_kind sketch_kind(const struct sketch *sketch);
/* Of memory that it holds. */
uint64_t sketch_bytes(const struct sketch *sketch);
/* Empty again, its memory kept for the next interval. */
void sketch_reset(struct sketch *sketch);
/* An event's value; of kind hash its bits are the hash. 0, or -ENOMEM (then nothing was added). */
int sketch_add(struct sketch *sketch, double value);
/* 0, -ENOMEM (merging again once there is memory gives the whole). Both of one kind. */
int sketch_merge(struct sketch *into, const struct sketch *from);
/* Values added, also over merges (the distinct sketch does not know: 0). */
uint64_t sketch_count(const struct sketch *sketch);
/* Different values, estimated; 0 of an empty one. */
double sketch_distinct(const struct sketch *sketch);
/* 0 <= q <= 1, by nearest rank; NaN of an empty one. */
double sketch_quantile(const struct sketch *sketch, double q);
/* Canonical: equal content gives equal bytes, a multiple of 8 (FORMAT.md section 10, Sketches).
 * merge_saved: 0, -ENOMEM, or -EPROTO (not a saved sketch of this kind; the bytes may come from a
 * disk; nothing was merged). */
void sketch_save(const struct sketch *sketch, struct bytes *out);
int sketch_merge_saved(struct sketch *into, struct bytes_reader *in);

#endif
