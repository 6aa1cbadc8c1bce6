/*
 * rows: laying out, growing, saving and loading a detector's state.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include "detect/rows.h"

#include <errno.h>
#include <math.h>
#include <string.h>

size_t rows_bytes(const struct rows_shape *shape, uint32_t capacity)
{
	size_t stride = rows_stride(capacity);
	return ROWS_HEADER_BYTES + stride * shape->doubles * sizeof(double) +
	       stride * shape->floats * sizeof(float);
}

void rows_zero(void *state, const struct rows_shape *shape, uint32_t capacity)
{
	memset(state, 0, rows_bytes(shape, capacity));
}

void rows_move(void *to, uint32_t to_capacity, const void *from, uint32_t from_capacity,
	       const struct rows_shape *shape)
{
	memcpy(to, from, ROWS_HEADER_BYTES);
	for (uint32_t row = 0; row < shape->doubles; row++)
		memcpy(rows_double(to, to_capacity, row), rows_double(from, from_capacity, row),
		       from_capacity * sizeof(double));
	for (uint32_t row = 0; row < shape->floats; row++)
		memcpy(rows_float(to, shape, to_capacity, row),
		       rows_float(from, shape, from_capacity, row), from_capacity * sizeof(float));
}

void rows_save(const void *state, const struct rows_shape *shape, uint32_t capacity,
	       uint32_t slices, struct bytes *out)
{
	bytes_put(out, state, ROWS_HEADER_BYTES);
	for (uint32_t row = 0; row < shape->doubles; row++)
		bytes_put(out, rows_double(state, capacity, row), slices * sizeof(double));
	for (uint32_t row = 0; row < shape->floats; row++)
		bytes_put(out, rows_float(state, shape, capacity, row), slices * sizeof(float));
}

static int load_into(void *to, size_t count, struct bytes_reader *in)
{
	const void *from = bytes_get(in, count);
	if (!from)
		return -EPROTO;
	memcpy(to, from, count);
	return 0;
}

int rows_load(void *state, const struct rows_shape *shape, uint32_t capacity, uint32_t slices,
	      struct bytes_reader *in)
{
	if (load_into(state, ROWS_HEADER_BYTES, in) < 0)
		return -EPROTO;
	for (uint32_t row = 0; row < shape->doubles; row++) {
		double *to = rows_double(state, capacity, row);
		if (load_into(to, slices * sizeof(double), in) < 0)
			return -EPROTO;
		for (uint32_t i = 0; i < slices; i++) {
			if (!isfinite(to[i]))
				return -EPROTO;
		}
	}
	for (uint32_t row = 0; row < shape->floats; row++) {
		float *to = rows_float(state, shape, capacity, row);
		if (load_into(to, slices * sizeof(float), in) < 0)
			return -EPROTO;
		for (uint32_t i = 0; i < slices; i++) {
			if (!isfinite(to[i]))
				return -EPROTO;
		}
	}
	return 0;
}
