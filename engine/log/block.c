/*
 * block: checksums of headers and fences, names of files.
 *
 * Runs on: any thread; pure functions.
 */
#include "log/block.h"

#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"

static const struct {
	const char *prefix;
	const char *suffix;
} names[] = {
	[SEGMENT_FILE_SEGMENT] = {"", ".wseg"},
	[SEGMENT_FILE_SPARE] = {"spare-", ".wspare"},
	[SEGMENT_FILE_PREPARE] = {"prepare-", ".wtmp"},
};

void segment_path(char path[SEGMENT_PATH_BYTES], const char *directory, enum segment_file kind,
		  uint64_t id)
{
	snprintf(path, SEGMENT_PATH_BYTES, "%.80s/%s%016llx%s", directory, names[kind].prefix,
		 (unsigned long long)id, names[kind].suffix);
}

/* Sixteen lower-case hexadecimal digits. */
static bool parse_id(const char *text, uint64_t *ret_id)
{
	uint64_t id = 0;

	for (int i = 0; i < 16; i++) {
		char c = text[i];
		unsigned digit;
		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			return false;
		id = id << 4 | digit;
	}
	*ret_id = id;
	return id != 0;
}

enum segment_file segment_parse_name(const char *name, uint64_t *ret_id)
{
	for (int kind = SEGMENT_FILE_SEGMENT; kind <= SEGMENT_FILE_PREPARE; kind++) {
		size_t prefix = strlen(names[kind].prefix);
		if (strlen(name) != prefix + 16 + strlen(names[kind].suffix))
			continue;
		if (strncmp(name, names[kind].prefix, prefix) ||
		    strcmp(name + prefix + 16, names[kind].suffix))
			continue;
		if (parse_id(name + prefix, ret_id))
			return (enum segment_file)kind;
	}
	return SEGMENT_FILE_NONE;
}

static uint32_t header_crc(const struct weir_block_header *header)
{
	return crc32c(0, header, offsetof(struct weir_block_header, header_crc));
}

void block_seal(struct weir_block_header *header)
{
	header->header_crc = header_crc(header);
}

bool block_header_claims(const struct weir_block_header *header, uint64_t segment_id)
{
	return header->magic == WEIR_BLOCK_MAGIC && header->segment_id == segment_id;
}

bool block_header_good(const struct weir_block_header *header, uint64_t segment_id)
{
	return block_header_claims(header, segment_id) &&
	       header->header_crc == header_crc(header) &&
	       header->payload_bytes <= WEIR_BLOCK_BYTES_MAX - sizeof(*header) &&
	       header->lsn != 0 && header->lsn < BLOCK_LSN_END &&
	       header->durable_lsn < header->lsn;
}

static uint32_t fence_crc(const struct weir_fence *fence)
{
	const size_t from = offsetof(struct weir_fence, offset);

	return crc32c(0, (const uint8_t *)fence + from, sizeof(*fence) - from);
}

void fence_seal(struct weir_fence *fence)
{
	fence->crc = fence_crc(fence);
}

bool fence_good(const struct weir_fence *fence, uint64_t segment_id, uint64_t offset)
{
	return fence->magic == WEIR_FENCE_MAGIC && fence->segment_id == segment_id &&
	       fence->offset == offset && fence->crc == fence_crc(fence) &&
	       fence->stride >= WEIR_FENCE_STRIDE_MIN && fence->stride % WEIR_BLOCK_ALIGN == 0 &&
	       offset % fence->stride == 0;
}
