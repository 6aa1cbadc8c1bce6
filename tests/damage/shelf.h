/*
 * shelf: the files of a data directory in memory, behind log/io.h, to be damaged and read.
 */
#ifndef TESTS_DAMAGE_SHELF_H
#define TESTS_DAMAGE_SHELF_H

#include <stdint.h>

#include "log/io.h"

#define SHELF_FILES_MAX 64
#define SHELF_CHECKPOINT_HEADER_BYTES 64u

struct shelf_file {
	char path[96];
	uint8_t *data;
	uint64_t bytes; /* as readers see it: less than `capacity` when cut */
	uint64_t capacity;
};

struct shelf {
	struct io io; /* first; read only */
	struct shelf_file files[SHELF_FILES_MAX];
	uint32_t count;
};

/* Take what lies in these directories of another disk; NULL ends the list. */
void shelf_fill(struct shelf *shelf, struct io *from, const char *const directories[]);
void shelf_fini(struct shelf *shelf);
/* The nth file (from 0) below a directory, in order of their names; NULL: none. */
struct shelf_file *shelf_find(struct shelf *shelf, const char *directory, uint32_t nth);
/* A checkpoint's checksum is made that of what it holds, if its lengths can be believed. */
void shelf_seal_checkpoint(struct shelf_file *file);

#endif
