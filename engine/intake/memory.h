/*
 * memory: the shared memory of producers, checked and mapped; and what the engine shares back.
 *
 * Runs on:  the intake agent. Private to intake.
 */
#ifndef INTAKE_MEMORY_H
#define INTAKE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "weir/region.h"
#include "weir/ring.h"

/* Why something was refused: what is wrong and what to do; fits a message. */
struct refusal {
	char text[104];
};

/* A memfd of a producer, mapped read-only. */
struct memory {
	const void *at;
	size_t bytes; /* of the mapping */
	dev_t device; /* which memfd it is: the same one may be offered again */
	ino_t inode;
};

/* What a region said when it was checked. Nothing of it is read from shared memory again. */
struct region_identity {
	uint8_t uuid[16];
	uint64_t start_time_ticks;
	uint64_t table_bytes;
	uint32_t clock;
	uint32_t rings_max;
	uint32_t series_max;
	char source[WEIR_SOURCE_NAME_BYTES];
	char program[32];
};

/* Check and map a region. 0; -EINVAL or another negative errno with a refusal. The descriptor
 * stays the caller's. */
int memory_open_region(int fd, struct memory *ret_memory, struct region_identity *ret_identity,
		       struct refusal *refusal);
/* Check and map ring `index` of the region `uuid`. */
int memory_open_ring(int fd, const uint8_t uuid[16], uint32_t index, struct memory *ret_memory,
		     uint64_t *ret_capacity, struct refusal *refusal);
/* Is there as much address space as the engine keeps for itself, beside what is mapped? false: not,
 * and the refusal says so. */
bool memory_has_room(struct refusal *refusal);
void memory_close(struct memory *memory);
/* Is `fd` the memfd of this mapping? */
int memory_is(const struct memory *memory, int fd);

/* The control memfd of one region: mapped writable here, and by nobody else ever. */
int memory_create_control(uint32_t epoch, void **ret_control, int *ret_fd);
void memory_destroy_control(void *control, int fd);

/* Copy out of shared memory, once: the compiler may not go back for what it has copied. */
void memory_copy(void *to, const void *shared, size_t bytes);

void refuse(struct refusal *refusal, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
