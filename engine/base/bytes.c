/*
 * bytes: flat state, written with growth and read back with bounds.
 *
 * Idea:  errors stick. A writer whose allocation failed swallows the rest and says so once at the
 *        end; a reader that asked for more than there is answers zeroes from then on. So callers
 *        write straight code and look at `failed` once.
 * Runs on: any thread; one at a time for each struct.
 * Never: reads behind what it was given, whatever a length in the data says.
 */
#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "state is written as it lies in memory");

#define BYTES_CAPACITY_MIN 256

void bytes_fini(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}

void bytes_clear(struct bytes *bytes)
{
	bytes->used = 0;
	bytes->failed = false;
}

static bool grow(struct bytes *bytes, size_t count)
{
	size_t need, capacity = bytes->capacity ? bytes->capacity : BYTES_CAPACITY_MIN;

	if (bytes->failed)
		return false;
	if (__builtin_add_overflow(bytes->used, count, &need))
		goto fail;
	while (capacity < need)
		if (__builtin_mul_overflow(capacity, (size_t)2, &capacity))
			goto fail;
	if (capacity != bytes->capacity) {
		uint8_t *data = realloc(bytes->data, capacity);

		if (!data)
			goto fail;
		bytes->data = data;
		bytes->capacity = capacity;
	}
	return true;
fail:
	bytes->failed = true;
	return false;
}

void *bytes_put(struct bytes *bytes, const void *data, size_t count)
{
	check(bytes->used <= bytes->capacity);
	if (!grow(bytes, count))
		return NULL;
	uint8_t *at = bytes->data + bytes->used;

	/* Without data the space is zeroed: what is not filled in later is at least the same on
	 * every run. */
	if (data)
		memcpy(at, data, count);
	else
		memset(at, 0, count);
	bytes->used += count;
	return at;
}

void bytes_put_u32(struct bytes *bytes, uint32_t value)
{
	bytes_put(bytes, &value, sizeof(value));
}

void bytes_put_u64(struct bytes *bytes, uint64_t value)
{
	bytes_put(bytes, &value, sizeof(value));
}

void bytes_put_f64(struct bytes *bytes, double value)
{
	bytes_put(bytes, &value, sizeof(value));
}

void bytes_put_text(struct bytes *bytes, const char *text)
{
	size_t length = strlen(text);

	check(length <= UINT32_MAX);
	bytes_put_u32(bytes, (uint32_t)length);
	bytes_put(bytes, text, length);
}

const void *bytes_get(struct bytes_reader *reader, size_t count)
{
	if (reader->failed || count > reader->left) {
		reader->failed = true;
		return NULL;
	}
	if (count == 0)
		return reader->data ? (const void *)reader->data : "";
	const void *at = reader->data;

	reader->data += count;
	reader->left -= count;
	return at;
}

/* All or nothing: `value` keeps its zero when there is too little. */
static void get_fixed(struct bytes_reader *reader, void *value, size_t count)
{
	const void *at = bytes_get(reader, count);

	if (at)
		memcpy(value, at, count);
}

uint32_t bytes_get_u32(struct bytes_reader *reader)
{
	uint32_t value = 0;

	get_fixed(reader, &value, sizeof(value));
	return value;
}

uint64_t bytes_get_u64(struct bytes_reader *reader)
{
	uint64_t value = 0;

	get_fixed(reader, &value, sizeof(value));
	return value;
}

double bytes_get_f64(struct bytes_reader *reader)
{
	double value = 0;

	get_fixed(reader, &value, sizeof(value));
	return value;
}

void bytes_get_text(struct bytes_reader *reader, char *text, size_t size)
{
	check(size > 0);
	text[0] = '\0';
	uint32_t length = bytes_get_u32(reader);

	if (length >= size)
		reader->failed = true;
	const char *from = bytes_get(reader, length);

	if (!from)
		return;
	memcpy(text, from, length);
	text[length] = '\0';
}
