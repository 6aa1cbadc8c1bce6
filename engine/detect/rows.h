/*
 * rows: the shape of every detector's state: a small header, then rows of doubles and rows of
 * floats, one element per slice.
 *
 *   +--------+----------------------+-----+----------------------+-----+
 *   | header | double row 0         | ... | float row 0          | ... |
 *   | 64 B   | slice 0 .. capacity  |     | slice 0 .. capacity  |     |
 *   +--------+----------------------+-----+----------------------+-----+
 *
 * A step is then a loop along a row. Rows begin on a cache line. Everything that a detector knows
 * is in here, so growing, saving and loading are the same few lines for all of them.
 */
#ifndef DETECT_ROWS_H
#define DETECT_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define ROWS_HEADER_BYTES 64

struct rows_shape {
	uint32_t doubles; /* rows */
	uint32_t floats;
};

/* Elements of a row: whole cache lines of floats. */
static inline size_t rows_stride(uint32_t capacity)
{
	return ((size_t)capacity + 15) & ~(size_t)15;
}

static inline double *rows_double(const void *state, uint32_t capacity, uint32_t row)
{
	return (double *)((char *)(uintptr_t)state + ROWS_HEADER_BYTES) +
	       rows_stride(capacity) * row;
}

static inline float *rows_float(const void *state, const struct rows_shape *shape,
				uint32_t capacity, uint32_t row)
{
	return (float *)rows_double(state, capacity, shape->doubles) + rows_stride(capacity) * row;
}

size_t rows_bytes(const struct rows_shape *shape, uint32_t capacity);
void rows_zero(void *state, const struct rows_shape *shape, uint32_t capacity);
/* Header and all rows of a smaller or equal block into a zeroed one. */
void rows_move(void *to, uint32_t to_capacity, const void *from, uint32_t from_capacity,
	       const struct rows_shape *shape);
void rows_save(const void *state, const struct rows_shape *shape, uint32_t capacity,
	       uint32_t slices, struct bytes *out);
/* 0, or -EPROTO: too short, or a number in a row is not finite. */
int rows_load(void *state, const struct rows_shape *shape, uint32_t capacity, uint32_t slices,
	      struct bytes_reader *in);

#endif
