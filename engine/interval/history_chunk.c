/*
 * history_chunk: see history_chunk.h.
 */
#include "interval/history_chunk.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "interval/sketch.h"

/* How a word of one point joins that of another. */
enum join { NO_WORD, ADD_COUNT, ADD_NUMBER, LEAST, GREATEST };

static const uint8_t joins[HISTORY_COVERAGE + 1][HISTORY_WORDS_MAX] = {
	[HISTORY_COUNT] = {ADD_COUNT},
	[HISTORY_SUM] = {ADD_COUNT, ADD_NUMBER, ADD_NUMBER},
	[HISTORY_MIN] = {ADD_COUNT, LEAST},
	[HISTORY_MAX] = {ADD_COUNT, GREATEST},
	[HISTORY_SHARE] = {ADD_COUNT, ADD_COUNT},
	[HISTORY_RATIO] = {ADD_COUNT, ADD_NUMBER, ADD_NUMBER, ADD_COUNT, ADD_NUMBER, ADD_NUMBER},
	[HISTORY_DISTINCT] = {ADD_COUNT},
	[HISTORY_QUANTILE] = {ADD_COUNT},
	[HISTORY_COVERAGE] = {ADD_COUNT, ADD_COUNT},
};

struct chunk_header {
	uint32_t crc;
	uint8_t kind, words;
	uint16_t zero;
	uint64_t present;
};
_Static_assert(sizeof(struct chunk_header) == HISTORY_CHUNK_HEADER_BYTES, "chunk header");

uint32_t history_kind_words(uint32_t kind)
{
	uint32_t words = 0;

	if (kind > HISTORY_COVERAGE)
		return 0;
	while (words < HISTORY_WORDS_MAX && joins[kind][words] != NO_WORD)
		words++;
	return words;
}

double history_kind_file_bytes(enum history_kind kind)
{
	uint32_t sizes = history_kind_sketch(kind) == SKETCH_NONE ? 0 : 4 * HISTORY_POINTS;
	uint32_t row = HISTORY_CHUNK_HEADER_BYTES + 8 * HISTORY_POINTS * history_kind_words(kind) +
		       sizes + HISTORY_ROW_BYTES;

	return (double)HISTORY_PAGE_BYTES /
	       ((HISTORY_PAGE_BYTES - HISTORY_PAGE_HEADER_BYTES) / row);
}

int history_kind_sketch(enum history_kind kind)
{
	return kind == HISTORY_DISTINCT   ? SKETCH_DISTINCT
	       : kind == HISTORY_QUANTILE ? SKETCH_QUANTILE
					  : SKETCH_NONE;
}

void history_chunk_init(struct history_chunk *chunk)
{
	memset(chunk, 0, sizeof(*chunk));
}

void history_chunk_fini(struct history_chunk *chunk)
{
	for (uint32_t i = 0; i < HISTORY_POINTS; i++)
		bytes_fini(&chunk->sketches[i]);
	history_chunk_init(chunk);
}

void history_chunk_clear(struct history_chunk *chunk, enum history_kind kind)
{
	chunk->kind = kind;
	chunk->words = history_kind_words(kind);
	check(chunk->words);
	chunk->present = 0;
	memset(chunk->points, 0, sizeof(uint64_t) * HISTORY_POINTS * chunk->words);
	for (uint32_t i = 0; i < HISTORY_POINTS; i++)
		bytes_clear(&chunk->sketches[i]);
}

static int load_sketches(struct history_chunk *chunk, struct bytes_reader *in)
{
	const uint8_t *sizes = bytes_get(in, sizeof(uint32_t) * HISTORY_POINTS);

	for (uint32_t i = 0; i < HISTORY_POINTS && !in->failed; i++) {
		uint32_t bytes;
		memcpy(&bytes, sizes + sizeof(bytes) * i, sizeof(bytes));
		const void *data = bytes_get(in, bytes);
		if (data)
			bytes_put(&chunk->sketches[i], data, bytes);
		if (chunk->sketches[i].failed)
			return -ENOMEM;
	}
	return in->failed ? -EPROTO : 0;
}

int history_chunk_load(struct history_chunk *chunk, enum history_kind kind, const void *data,
		       size_t bytes)
{
	struct chunk_header header;

	history_chunk_clear(chunk, kind);
	size_t points = sizeof(uint64_t) * HISTORY_POINTS * chunk->words;
	if (!data || bytes < sizeof(header) + points)
		return -EPROTO;
	memcpy(&header, data, sizeof(header));
	if (header.kind != kind || header.words != chunk->words || header.zero ||
	    header.present >> HISTORY_POINTS ||
	    header.crc != crc32c(0, (const uint8_t *)data + 4, bytes - 4))
		return -EPROTO;
	struct bytes_reader in = {.data = (const uint8_t *)data + sizeof(header),
				  .left = bytes - sizeof(header)};
	memcpy(chunk->points, bytes_get(&in, points), points);
	chunk->present = header.present;
	int error = history_kind_sketch(kind) != SKETCH_NONE ? load_sketches(chunk, &in) : 0;
	if (!error && in.left)
		error = -EPROTO;
	if (error < 0)
		history_chunk_clear(chunk, kind);
	return error;
}

void history_chunk_save(const struct history_chunk *chunk, struct bytes *out)
{
	size_t start = out->used;
	struct chunk_header header = {
		.kind = (uint8_t)chunk->kind,
		.words = (uint8_t)chunk->words,
		.present = chunk->present,
	};

	bytes_put(out, &header, sizeof(header));
	bytes_put(out, chunk->points, sizeof(uint64_t) * HISTORY_POINTS * chunk->words);
	if (history_kind_sketch(chunk->kind) != SKETCH_NONE) {
		for (uint32_t i = 0; i < HISTORY_POINTS; i++)
			bytes_put_u32(out, (uint32_t)chunk->sketches[i].used);
		for (uint32_t i = 0; i < HISTORY_POINTS; i++)
			bytes_put(out, chunk->sketches[i].data, chunk->sketches[i].used);
	}
	if (out->failed)
		return;
	header.crc = crc32c(0, out->data + start + 4, out->used - start - 4);
	memcpy(out->data + start, &header.crc, sizeof(header.crc));
}

void history_words_add(enum history_kind kind, uint64_t *to, bool *have, const uint64_t *words)
{
	const uint8_t *join = joins[kind];

	for (uint32_t w = 0; w < HISTORY_WORDS_MAX && join[w] != NO_WORD; w++) {
		double left = weir_bits_value(to[w]);
		double right = weir_bits_value(words[w]);
		/* Without any value there is neither a least nor a greatest one. */
		if (!*have || (join[w] != ADD_COUNT && join[w] != ADD_NUMBER && isnan(left)))
			to[w] = words[w];
		else if (join[w] == ADD_COUNT)
			to[w] += words[w];
		else if (join[w] == ADD_NUMBER)
			to[w] = weir_value_bits(left + right);
		else if (join[w] == LEAST ? right < left : right > left)
			to[w] = words[w];
	}
	*have = true;
}

static int add_sketch(struct history_chunk *chunk, uint32_t point, const void *data, size_t bytes)
{
	struct bytes *saved = &chunk->sketches[point];

	if (saved->used == 0) {
		bytes_put(saved, data, bytes);
		return saved->failed ? -ENOMEM : 0;
	}
	struct sketch *sketch = sketch_create((enum sketch_kind)history_kind_sketch(chunk->kind));
	if (!sketch)
		return -ENOMEM;
	struct bytes_reader old = {.data = saved->data, .left = saved->used};
	struct bytes_reader more = {.data = data, .left = bytes};
	int error = sketch_merge_saved(sketch, &old);
	if (error == -EPROTO) /* behind a CRC that holds: of a newer weir, or never one */
		error = 0;
	if (!error)
		error = sketch_merge_saved(sketch, &more);
	if (!error) {
		bytes_clear(saved);
		sketch_save(sketch, saved);
		error = saved->failed ? -ENOMEM : 0;
	}
	sketch_destroy(sketch);
	return error;
}

int history_chunk_add(struct history_chunk *chunk, uint32_t point, const uint64_t *words,
		      const void *sketch, size_t sketch_bytes)
{
	bool have = chunk->present >> point & 1;

	check(point < HISTORY_POINTS);
	if (sketch_bytes && history_kind_sketch(chunk->kind) != SKETCH_NONE) {
		int error = add_sketch(chunk, point, sketch, sketch_bytes);
		if (error < 0)
			return error;
	}
	history_words_add(chunk->kind, &chunk->points[point * chunk->words], &have, words);
	chunk->present |= UINT64_C(1) << point;
	return 0;
}
