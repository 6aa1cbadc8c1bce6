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

/* The ops that follow from NAME_shape(spec) alone: NAME_bytes, NAME_move, NAME_save, NAME_read (to
 * be `load`, or the beginning of one that looks further). */
#define ROWS_OPS(name)                                                                             \
	static size_t name##_bytes(const struct detector_spec *spec, uint32_t slices)              \
	{                                                                                          \
		struct rows_shape shape = name##_shape(spec);                                      \
		return rows_bytes(&shape, slices);                                                 \
	}                                                                                          \
	static void name##_move(void *to, uint32_t to_capacity, const void *from,                  \
				uint32_t from_capacity, const struct detector_spec *spec)          \
	{                                                                                          \
		struct rows_shape shape = name##_shape(spec);                                      \
		rows_move(to, to_capacity, from, from_capacity, &shape);                           \
	}                                                                                          \
	static void name##_save(const void *state, const struct detector_spec *spec,               \
				uint32_t capacity, uint32_t slices, struct bytes *out)             \
	{                                                                                          \
		struct rows_shape shape = name##_shape(spec);                                      \
		rows_save(state, &shape, capacity, slices, out);                                   \
	}                                                                                          \
	static int name##_read(void *state, const struct detector_spec *spec, uint32_t capacity,   \
			       uint32_t slices, struct bytes_reader *in)                           \
	{                                                                                          \
		struct rows_shape shape = name##_shape(spec);                                      \
		return rows_load(state, &shape, capacity, slices, in);                             \
	}

#endif
