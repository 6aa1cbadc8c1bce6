/*
 * block: what writer and reader agree on: checksums of headers and fences, names of files.
 */
#ifndef LOG_BLOCK_H
#define LOG_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/limits.h"
#include "weir/segment.h"

#define SEGMENT_PATH_BYTES 128u
/* No block's LSN. */
#define BLOCK_LSN_END (UINT64_C(1) << 62)

enum segment_file {
	SEGMENT_FILE_NONE,    /* not one of ours */
	SEGMENT_FILE_SEGMENT, /* <id>.wseg */
	SEGMENT_FILE_SPARE,   /* spare-<id>.wspare: free, written before */
	SEGMENT_FILE_PREPARE, /* prepare-<id>.wtmp: a spare being written, void after a crash */
};

/* "directory/name of the file"; SEGMENT_PATH_BYTES are enough for a directory of 80. */
void segment_path(char path[SEGMENT_PATH_BYTES], const char *directory, enum segment_file kind,
		  uint64_t id);
enum segment_file segment_parse_name(const char *name, uint64_t *ret_id);

/* Set header_crc: the last thing that is done to a header. */
void block_seal(struct weir_block_header *header);
/* Is this a header that was written for this segment? Lengths may be believed then. */
bool block_header_good(const struct weir_block_header *header, uint64_t segment_id);
/* Does it at least claim to be: magic and id, for counting what was torn. */
bool block_header_claims(const struct weir_block_header *header, uint64_t segment_id);

/* The same for a fence. Good: made for this place of this segment. */
void fence_seal(struct weir_fence *fence);
bool fence_good(const struct weir_fence *fence, uint64_t segment_id, uint64_t offset);

#endif
