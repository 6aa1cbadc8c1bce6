/*
 * definition: the bytes of one series' definition: checked, read, built, hashed.
 *
 * Idea:  a definition is the same record in a producer's table, in the log and in checkpoints, and
 *        equal definitions are equal bytes (names sorted, padding zero, length minimal). So one
 *        strict check at the door makes byte comparison and byte hashing right everywhere else.
 *
 *   +-------+------+------+-------+-------+-------+-------+----------------------------+-----+
 *   | bytes | kind | dims | event | field | event | field | {u16, u16, name, value}... | 0.. |
 *   |  u32  |  u8  |  u8  | bytes | bytes | text  | text  |   sorted by name           | pad |
 *   +-------+------+------+-------+-------+-------+-------+----------------------------+-----+
 *
 * Runs on:  any thread; no state.
 * Never:    reads beyond the `left` bytes it was given; looks at shared memory (a caller copies
 *           the record out first, so that it cannot change between check and use).
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/fnv.h"
#include "intake/series.h"

/* Both lengths in front of a dimension's texts. */
#define DIMENSION_HEADER_BYTES 4u

static uint32_t padded(uint32_t bytes)
{
	return (bytes + 7u) & ~7u;
}

static uint32_t load_u16(const char *at)
{
	uint16_t value;
	memcpy(&value, at, sizeof(value)); /* texts before it have any length: unaligned */
	return value;
}

/* Length of the well-formed UTF-8 sequence at `at`, 0 if there is none: no overlong forms, no
 * surrogates, nothing above U+10FFFF, no NUL (RFC 3629, table 3-7 of the Unicode standard). */
static uint32_t utf8_sequence(const uint8_t *at, uint32_t left)
{
	uint8_t lead = at[0];
	if (lead >= 0x01 && lead <= 0x7f)
		return 1;
	uint32_t count = lead >= 0xc2 && lead <= 0xdf   ? 2
			 : (lead & 0xf0) == 0xe0        ? 3
			 : lead >= 0xf0 && lead <= 0xf4 ? 4
							: 0;
	if (!count || count > left)
		return 0;
	uint8_t low = 0x80, high = 0xbf; /* of the second byte; it decides what is overlong */
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	if (at[1] < low || at[1] > high)
		return 0;
	for (uint32_t i = 2; i < count; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return count;
}

static bool text_ok(const char *text, uint32_t bytes)
{
	const uint8_t *at = (const uint8_t *)text;
	for (uint32_t i = 0; i < bytes;) {
		uint32_t count = utf8_sequence(at + i, bytes - i);
		if (!count)
			return false;
		i += count;
	}
	return true;
}

/* Bytewise, a prefix before what it starts: the order of names in a definition. */
static int text_compare(struct series_text a, struct series_text b)
{
	uint32_t common = a.count < b.count ? a.count : b.count;
	int order = memcmp(a.bytes, b.bytes, common);
	if (order)
		return order;
	return a.count < b.count ? -1 : a.count > b.count;
}

static int refuse(const char **ret_why, const char *why)
{
	if (ret_why)
		*ret_why = why;
	return -EINVAL;
}

/* The dimensions lie between `at` and `end`. Returns where they end, or NULL. */
static const char *check_dimensions(const char *at, const char *end, uint32_t dimensions,
				    const char **why)
{
	struct series_text before = {NULL, 0};
	for (uint32_t i = 0; i < dimensions; i++) {
		if ((size_t)(end - at) < DIMENSION_HEADER_BYTES) {
			*why = "a dimension is cut off";
			return NULL;
		}
		struct series_text name = {at + DIMENSION_HEADER_BYTES, load_u16(at)};
		uint32_t value_bytes = load_u16(at + 2);
		if (name.count < 1 || name.count > WEIR_NAME_BYTES_MAX) {
			*why = "a dimension's name is not of 1 to 64 bytes";
			return NULL;
		}
		if (value_bytes > WEIR_LABEL_BYTES_MAX) {
			*why = "a dimension's value is longer than 256 bytes";
			return NULL;
		}
		if ((size_t)(end - name.bytes) < (size_t)name.count + value_bytes) {
			*why = "a dimension is cut off";
			return NULL;
		}
		if (!text_ok(name.bytes, name.count) ||
		    !text_ok(name.bytes + name.count, value_bytes)) {
			*why = "a dimension is not UTF-8 without NUL";
			return NULL;
		}
		if (i > 0 && text_compare(before, name) >= 0) {
			*why = "dimensions are not sorted by name, each once";
			return NULL;
		}
		before = name;
		at = name.bytes + name.count + value_bytes;
	}
	return at;
}

int series_check(const struct weir_definition *definition, size_t left, const char **ret_why)
{
	const char *why = NULL;

	if (left < sizeof(*definition))
		return refuse(ret_why, "the definition's header is cut off");
	if (definition->bytes > left)
		return refuse(ret_why, "the definition is cut off");
	if (definition->bytes < sizeof(*definition) || definition->bytes % 8 ||
	    definition->bytes > WEIR_DEFINITION_BYTES_MAX)
		return refuse(ret_why, "the definition's length is impossible");
	if (definition->kind != WEIR_NUMBER && definition->kind != WEIR_HASH)
		return refuse(ret_why, "the kind is neither number nor hash");
	if (definition->dimensions > WEIR_DIMENSIONS_MAX)
		return refuse(ret_why, "more than 16 dimensions");
	if (definition->event_bytes < 1 || definition->event_bytes > WEIR_NAME_BYTES_MAX)
		return refuse(ret_why, "the event's name is not of 1 to 64 bytes");
	if (definition->field_bytes > WEIR_NAME_BYTES_MAX)
		return refuse(ret_why, "the field's name is longer than 64 bytes");

	const char *at = (const char *)definition->text;
	const char *end = (const char *)definition + definition->bytes;
	uint32_t names = (uint32_t)definition->event_bytes + definition->field_bytes;
	if ((size_t)(end - at) < names)
		return refuse(ret_why, "the names are cut off");
	if (!text_ok(at, definition->event_bytes) ||
	    !text_ok(at + definition->event_bytes, definition->field_bytes))
		return refuse(ret_why, "a name is not UTF-8 without NUL");

	at = check_dimensions(at + names, end, definition->dimensions, &why);
	if (!at)
		return refuse(ret_why, why);
	if (end - at > 7)
		return refuse(ret_why, "bytes follow the last dimension");
	for (; at < end; at++)
		if (*at)
			return refuse(ret_why, "the padding is not zero");
	return 0;
}

uint64_t series_hash(const struct weir_definition *definition)
{
	return fnv(FNV_BEGIN, definition, definition->bytes);
}

struct series_text series_event(const struct weir_definition *definition)
{
	return (struct series_text){(const char *)definition->text, definition->event_bytes};
}

struct series_text series_field(const struct weir_definition *definition)
{
	return (struct series_text){(const char *)definition->text + definition->event_bytes,
				    definition->field_bytes};
}

void series_dimension(const struct weir_definition *definition, uint32_t index,
		      struct series_text *ret_name, struct series_text *ret_value)
{
	check(index < definition->dimensions);
	const char *at = (const char *)definition->text + definition->event_bytes +
			 definition->field_bytes;
	for (uint32_t i = 0; i < index; i++)
		at += DIMENSION_HEADER_BYTES + load_u16(at) + load_u16(at + 2);
	*ret_name = (struct series_text){at + DIMENSION_HEADER_BYTES, load_u16(at)};
	*ret_value = (struct series_text){ret_name->bytes + ret_name->count, load_u16(at + 2)};
}

/* A C string of `min` to `max` bytes as a text; false: too long or too short. */
static bool text_from(const char *string, size_t min, size_t max, struct series_text *ret_text)
{
	size_t bytes = string ? strnlen(string, max + 1) : 0;
	if (bytes < min || bytes > max)
		return false;
	*ret_text = (struct series_text){string, (uint32_t)bytes};
	return true;
}

/* The order of names: an insertion sort of at most 16 indexes. */
static bool order_names(uint32_t dimensions, const char *const *names, uint8_t *ret_order)
{
	for (uint32_t i = 0; i < dimensions; i++) {
		struct series_text name, other;
		if (!text_from(names[i], 1, WEIR_NAME_BYTES_MAX, &name))
			return false;
		uint32_t at = i;
		for (; at > 0; at--) {
			const char *before = names[ret_order[at - 1]];
			other = (struct series_text){before, (uint32_t)strlen(before)};
			if (text_compare(other, name) < 0)
				break;
			ret_order[at] = ret_order[at - 1];
		}
		ret_order[at] = (uint8_t)i;
	}
	return true;
}

static char *put_text(char *at, struct series_text text)
{
	if (text.count)
		memcpy(at, text.bytes, text.count);
	return at + text.count;
}

int series_build(void *out, size_t out_bytes, enum weir_kind kind, const char *event,
		 const char *field, uint32_t dimensions, const char *const *names,
		 const char *const *values)
{
	_Alignas(8) char record[WEIR_DEFINITION_BYTES_MAX];
	struct weir_definition *definition = (struct weir_definition *)record;
	struct series_text event_text, field_text;
	uint8_t order[WEIR_DIMENSIONS_MAX];

	if (dimensions > WEIR_DIMENSIONS_MAX ||
	    !text_from(event, 1, WEIR_NAME_BYTES_MAX, &event_text) ||
	    !text_from(field, 0, WEIR_NAME_BYTES_MAX, &field_text) ||
	    !order_names(dimensions, names, order))
		return -EINVAL;

	memset(record, 0, sizeof(record));
	char *at = put_text((char *)definition->text, event_text);
	at = put_text(at, field_text);
	for (uint32_t i = 0; i < dimensions; i++) {
		struct series_text name, value;
		if (!text_from(names[order[i]], 1, WEIR_NAME_BYTES_MAX, &name) ||
		    !text_from(values[order[i]], 0, WEIR_LABEL_BYTES_MAX, &value))
			return -EINVAL;
		uint16_t counts[2] = {(uint16_t)name.count, (uint16_t)value.count};
		memcpy(at, counts, sizeof(counts));
		at = put_text(put_text(at + DIMENSION_HEADER_BYTES, name), value);
	}
	definition->bytes = padded((uint32_t)(at - record));
	definition->kind = (uint8_t)kind;
	definition->dimensions = (uint8_t)dimensions;
	definition->event_bytes = (uint8_t)event_text.count;
	definition->field_bytes = (uint8_t)field_text.count;
	/* The rest (UTF-8, a name twice, the kind) is the check's to say. */
	if (series_check(definition, sizeof(record), NULL) < 0)
		return -EINVAL;
	if (definition->bytes > out_bytes)
		return -ENOSPC;
	memcpy(out, record, definition->bytes);
	return (int)definition->bytes;
}

_Static_assert(sizeof(struct weir_definition) + 2 * WEIR_NAME_BYTES_MAX +
			       WEIR_DIMENSIONS_MAX * (DIMENSION_HEADER_BYTES + WEIR_NAME_BYTES_MAX +
						      WEIR_LABEL_BYTES_MAX) +
			       7 <=
		       WEIR_DEFINITION_BYTES_MAX,
	       "the longest definition fits its bound");
