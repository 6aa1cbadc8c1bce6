/*
 * bytes: a growing buffer to write flat state into, and a bounded cursor to read it back.
 * Used for checkpoints, control records and payloads. Little-endian machines only (asserted).
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	uint8_t *data;
	size_t used;
	size_t capacity;
	bool failed; /* an allocation failed: everything after is void */
};

void bytes_fini(struct bytes *bytes);
void bytes_clear(struct bytes *bytes);
/* Append `count` bytes; returns where they lie (valid until the next call) or NULL. */
void *bytes_put(struct bytes *bytes, const void *data, size_t count);
void bytes_put_u32(struct bytes *bytes, uint32_t value);
void bytes_put_u64(struct bytes *bytes, uint64_t value);
void bytes_put_f64(struct bytes *bytes, double value);
void bytes_put_text(struct bytes *bytes, const char *text); /* u32 length, bytes, no NUL */

struct bytes_reader {
	const uint8_t *data;
	size_t left;
	bool failed; /* something was asked for that is not there; every later answer is 0 */
};

const void *bytes_get(struct bytes_reader *reader, size_t count); /* NULL: not there */
uint32_t bytes_get_u32(struct bytes_reader *reader);
uint64_t bytes_get_u64(struct bytes_reader *reader);
double bytes_get_f64(struct bytes_reader *reader);
/* Copies at most size - 1 bytes and a NUL; a longer text is a failure. */
void bytes_get_text(struct bytes_reader *reader, char *text, size_t size);

#endif
