/*
 * simdisk: a disk in memory behind log/io.h, which forgets, tears, reorders and refuses on command.
 *
 * Idea:  every page (4 KiB) of a file has what a reader sees now and what would survive a power
 *        cut. A write lands when it completes, after a random number of reaps, in any order, and
 *        from the caller's buffer as it is at that moment: a buffer that is used again too early
 *        shows as wrong data. A sync makes safe what had completed when it was asked for, no more.
 *        A failed sync makes some pages safe and forgets that the others were dirty, as kernels
 *        do: the next sync says yes, and means nothing. Names work alike: what was not synced
 *        survives a power cut as a prefix of the operations.
 * Everything follows from the seed.
 */
#ifndef SUPPORT_SIMDISK_H
#define SUPPORT_SIMDISK_H

#include <stdbool.h>
#include <stdint.h>

#include "log/io.h"

struct simdisk;

enum simdisk_op {
	SIMDISK_CREATE,
	SIMDISK_OPEN,
	SIMDISK_READ,
	SIMDISK_RENAME,
	SIMDISK_UNLINK,
	SIMDISK_WRITE,
	SIMDISK_SYNC,
	SIMDISK_SYNC_DIR,
	SIMDISK_TRIM,
	SIMDISK_OPS,
};

struct simdisk *simdisk_create(uint64_t seed);
void simdisk_destroy(struct simdisk *disk); /* after its instances */
/* What a process gets. Several may be open on one disk. */
struct io *simdisk_io(struct simdisk *disk, uint32_t depth);

/* Completions come after 0 to this many reaps; 0: at once and in order. Default 3. */
void simdisk_delay(struct simdisk *disk, uint32_t reaps_max);
/* Making a file fails with -ENOSPC when all files together would be larger. Default: no bound. */
void simdisk_capacity(struct simdisk *disk, uint64_t bytes);
/* The nth (from 1) of these operations from now on fails, and all after it if `persistent`.
 * error: negative errno, or 0 on a write: it comes out short. nth 0: no more failures. */
void simdisk_fail(struct simdisk *disk, enum simdisk_op op, uint64_t nth, int error,
		  bool persistent);
/* A file of which a write was refused refuses each one from then on: the place is bad, not the
 * disk. false: no file does any more. */
void simdisk_spoil(struct simdisk *disk, bool spoils);
/* Operations so far that a simdisk_fail() would count. */
uint64_t simdisk_count(const struct simdisk *disk, enum simdisk_op op);
uint64_t simdisk_failed(const struct simdisk *disk);
/* Writes and syncs that have been queued and not reaped. */
uint32_t simdisk_in_flight(const struct simdisk *disk);

/* kill -9: what was in flight lands, page by page, or does not. Instances are dead then. */
void simdisk_kill(struct simdisk *disk);
/* The same, but what was in flight lands whenever simdisk_late() is called: a kernel goes on with
 * the writes of the dead. Until then their files are not quiet (log/io.h). */
void simdisk_kill_late(struct simdisk *disk);
/* Number of writes that landed. */
uint32_t simdisk_late(struct simdisk *disk);
/* Power cut: in addition, unsynced pages are kept, lost or torn, unsynced names undone. */
void simdisk_power_cut(struct simdisk *disk);

/* Who decides from now on what becomes of each page and name at a power cut: 0 .. bound - 1, where
 * 0 is kept. NULL: the seed. Asked only where it makes a difference, in the same order each time,
 * so that a test can go through every end that a moment may have. */
typedef uint32_t simdisk_choice(void *self, uint32_t bound);
void simdisk_choose(struct simdisk *disk, simdisk_choice *choice, void *self);

/* What a reader sees of a file now, to look at or to damage; NULL: no such file. */
uint8_t *simdisk_file(struct simdisk *disk, const char *path, uint64_t *ret_bytes);
/* Bytes that all files take: what was trimmed takes none. */
uint64_t simdisk_used(const struct simdisk *disk);
/* Call for each name in the order they were made. */
void simdisk_names(struct simdisk *disk, void (*each)(void *self, const char *path), void *self);

#endif
