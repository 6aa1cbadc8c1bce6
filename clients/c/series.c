/*
 * series: definitions, each once, in the region's table before the first event that uses it.
 *
 * Idea:  a definition is built on the stack in its one canonical form (dimensions sorted, field
 *        spelled out), so that equal ones are equal bytes, and looked up by their hash. A new one
 *        is appended to the table; its id is its place there, from 1. The index is private and can
 *        be made again from the table, which is what a forked child does.
 *
 *   table:    | definition 1 | definition 2 | ... | definition n |        free         |
 *                                                                ^ table_used (release-stored)
 *   buckets:  | 0 | 2 | 0 | 1 | ...   ids by hash, open addressing, at most half full
 *
 * Runs on:  any thread, with the handle's lock held for all but the building.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "client.h"

/* A definition at its largest, aligned for its header. */
union definition_space {
	struct weir_definition definition;
	uint8_t bytes[WEIR_DEFINITION_BYTES_MAX];
};

_Static_assert(sizeof(struct weir_definition) + 2 * WEIR_NAME_BYTES_MAX +
			       WEIR_DIMENSIONS_MAX *
				       (4 + WEIR_NAME_BYTES_MAX + WEIR_LABEL_BYTES_MAX) +
			       8 <=
		       WEIR_DEFINITION_BYTES_MAX,
	       "the largest definition fits");

/* Bytes of the UTF-8 sequence at `text`, at most `left`; 0: there is none. Overlong forms,
 * surrogates and what is beyond U+10FFFF are none (RFC 3629). */
static size_t utf8_sequence(const uint8_t *text, size_t left)
{
	static const struct {
		uint8_t first_min, first_max, second_min, second_max, bytes;
	} forms[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	if (text[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (text[0] < forms[i].first_min || text[0] > forms[i].first_max)
			continue;
		if (left < forms[i].bytes || text[1] < forms[i].second_min ||
		    text[1] > forms[i].second_max)
			return 0;
		for (size_t k = 2; k < forms[i].bytes; k++) {
			if (text[k] < 0x80 || text[k] > 0xbf)
				return 0;
		}
		return forms[i].bytes;
	}
	return 0;
}

bool libweir_utf8_valid(const char *text, size_t bytes)
{
	for (size_t at = 0; at < bytes;) {
		size_t step = utf8_sequence((const uint8_t *)text + at, bytes - at);
		if (!step)
			return false;
		at += step;
	}
	return true;
}

/* Bytes of a text within its bounds, or -EINVAL. Never reads beyond bytes_max + 1. */
static int text_bytes(const char *text, size_t bytes_min, size_t bytes_max)
{
	if (!text)
		return -EINVAL;
	size_t bytes = strnlen(text, bytes_max + 1);
	if (bytes < bytes_min || bytes > bytes_max || !libweir_utf8_valid(text, bytes))
		return -EINVAL;
	return (int)bytes;
}

/* Sort by name, bytewise. -EINVAL: a name twice. There are few: insertion. */
static int dimensions_sort(const struct weir_dimension *dimensions, size_t count,
			   const struct weir_dimension **ret_sorted)
{
	for (size_t i = 0; i < count; i++) {
		size_t at = i;
		for (; at > 0; at--) {
			int order = strcmp(ret_sorted[at - 1]->name, dimensions[i].name);
			if (order == 0)
				return -EINVAL;
			if (order < 0)
				break;
			ret_sorted[at] = ret_sorted[at - 1];
		}
		ret_sorted[at] = &dimensions[i];
	}
	return 0;
}

static uint8_t *append(uint8_t *at, const void *bytes, size_t count)
{
	memcpy(at, bytes, count);
	return at + count;
}

/* The canonical record. 0 or -EINVAL. */
static int definition_build(union definition_space *out, const char *event, const char *field,
			    enum weir_series_kind kind, const struct weir_dimension *dimensions,
			    size_t count)
{
	const struct weir_dimension *sorted[WEIR_DIMENSIONS_MAX];
	const char *field_text = field && field[0] ? field : WEIR_VALUE;
	int event_bytes = text_bytes(event, 1, WEIR_NAME_BYTES_MAX);
	int field_bytes = text_bytes(field_text, 1, WEIR_NAME_BYTES_MAX);

	if (event_bytes < 0 || field_bytes < 0 || count > WEIR_DIMENSIONS_MAX ||
	    (count && !dimensions) || (kind != WEIR_KIND_NUMBER && kind != WEIR_KIND_HASH))
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (text_bytes(dimensions[i].name, 1, WEIR_NAME_BYTES_MAX) < 0 ||
		    text_bytes(dimensions[i].value, 0, WEIR_LABEL_BYTES_MAX) < 0)
			return -EINVAL;
	}
	if (dimensions_sort(dimensions, count, sorted))
		return -EINVAL;

	uint8_t *at = out->definition.text;
	at = append(at, event, (size_t)event_bytes);
	at = append(at, field_text, (size_t)field_bytes);
	for (size_t i = 0; i < count; i++) {
		const uint16_t bytes[2] = {(uint16_t)strlen(sorted[i]->name),
					   (uint16_t)strlen(sorted[i]->value)};
		at = append(at, bytes, sizeof(bytes));
		at = append(at, sorted[i]->name, bytes[0]);
		at = append(at, sorted[i]->value, bytes[1]);
	}
	while ((size_t)(at - out->bytes) % 8)
		*at++ = 0;
	out->definition.bytes = (uint32_t)(at - out->bytes);
	out->definition.kind = (uint8_t)kind;
	out->definition.dimensions = (uint8_t)count;
	out->definition.event_bytes = (uint8_t)event_bytes;
	out->definition.field_bytes = (uint8_t)field_bytes;
	return 0;
}

static struct weir_definition *table_at(const struct weir *w, uint64_t offset)
{
	return (struct weir_definition *)((char *)w->region.map + WEIR_TABLE_OFFSET + offset);
}

/* FNV-1a, 64 bits, folded. */
static uint32_t definition_hash(const struct weir_definition *definition)
{
	const uint8_t *bytes = (const uint8_t *)definition;
	uint64_t hash = UINT64_C(14695981039346656037);

	for (uint32_t i = 0; i < definition->bytes; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
	return (uint32_t)(hash ^ hash >> 32);
}

/* The bucket of an equal definition, or the free one where it belongs. */
static uint32_t *bucket_find(struct weir *w, const struct weir_definition *definition)
{
	uint32_t at = definition_hash(definition) & w->bucket_mask;

	for (;; at = (at + 1) & w->bucket_mask) {
		if (!w->buckets[at])
			return &w->buckets[at];
		const struct weir_definition *other = table_at(w, w->offsets[w->buckets[at] - 1]);
		if (other->bytes == definition->bytes &&
		    memcmp(other, definition, other->bytes) == 0)
			return &w->buckets[at];
	}
}

static size_t offsets_bytes(const struct weir *w)
{
	return (size_t)w->series_max * sizeof(uint32_t);
}

static size_t buckets_bytes(const struct weir *w)
{
	return ((size_t)w->bucket_mask + 1) * sizeof(uint32_t);
}

/* Pages of the index cost memory only once they are used. */
int libweir_index_create(struct weir *w)
{
	uint32_t buckets = 16;
	while (buckets < 2 * w->series_max)
		buckets *= 2;
	w->bucket_mask = buckets - 1;
	char *map = mmap(NULL, offsets_bytes(w) + buckets_bytes(w), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	w->offsets = (uint32_t *)map;
	w->buckets = (uint32_t *)(map + offsets_bytes(w));
	return 0;
}

void libweir_index_destroy(struct weir *w)
{
	if (w->offsets)
		munmap(w->offsets, offsets_bytes(w) + buckets_bytes(w));
	w->offsets = NULL;
	w->buckets = NULL;
}

void libweir_index_rebuild(struct weir *w)
{
	memset(w->buckets, 0, buckets_bytes(w));
	w->defined = 0;
	for (uint64_t at = 0; at < w->table_used;) {
		const struct weir_definition *definition = table_at(w, at);
		w->offsets[w->defined++] = (uint32_t)at;
		*bucket_find(w, definition) = w->defined;
		at += definition->bytes;
	}
}

/* A new definition behind the others. Its id, or -ENOSPC. With the lock held. */
static int series_append(struct weir *w, const struct weir_definition *definition, uint32_t *bucket)
{
	struct weir_region_header *header = region_header(w);

	if (w->defined >= w->series_max || w->table_used + definition->bytes > w->table_bytes)
		return -ENOSPC;
	memcpy(table_at(w, w->table_used), definition, definition->bytes);
	w->offsets[w->defined] = (uint32_t)w->table_used;
	*bucket = ++w->defined;
	/* Orders: the bytes before our own cursor. Seen by: the child of a fork by another thread,
	 * in libweir_index_rebuild(). Without it the child could walk over half a definition. */
	weir_store_release_64(&w->table_used, w->table_used + definition->bytes);
	/* Orders: the definition's bytes before the cursor that covers them, and the cursor before
	 * the count. Seen by: the intake agent, which reads them in the opposite order. Without it
	 * the engine could map a definition that is half written. */
	weir_store_release_64(&header->table_used, w->table_used);
	weir_store_release_32(&header->series_count, w->defined);
	/* Orders: the definition before any event that passes emit's check with this id. Seen by:
	 * series_valid(); the tail of that event carries the order on to the engine. */
	weir_store_release_32(&w->series_count, w->defined);
	return (int)w->defined;
}

static int series_find_or_append(struct weir *w, const struct weir_definition *definition)
{
	/* Twice, because a signal handler may fork before the lock is taken. */
	for (int i = 0; i < 2; i++) {
		int id = libweir_ensure(w);
		if (id)
			return id;
		pthread_mutex_lock(&w->lock);
		/* Relaxed: set with the lock held only. */
		const bool own = weir_load_relaxed_64(&w->generation) != 0;
		if (own) {
			uint32_t *bucket = bucket_find(w, definition);
			id = *bucket ? (int)*bucket : series_append(w, definition, bucket);
		}
		pthread_mutex_unlock(&w->lock);
		if (own)
			return id;
	}
	return -ENOMEM;
}

int weir_series(weir *w, const char *event, const char *field, enum weir_series_kind kind,
		const struct weir_dimension *dimensions, size_t count)
{
	union definition_space space;

	if (!w || definition_build(&space, event, field, kind, dimensions, count))
		return -EINVAL;
	struct slow_call call = libweir_enter();
	int id = series_find_or_append(w, &space.definition);
	libweir_leave(call);
	return id;
}
