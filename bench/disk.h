/*
 * disk: what the disk takes at best, measured in the same minute as what is compared with it.
 */
#ifndef BENCH_DISK_H
#define BENCH_DISK_H

#include <stddef.h>
#include <stdint.h>

struct disk_rate {
	double fresh;     /* bytes/s into a file that is allocated and never written */
	double overwrite; /* bytes/s over the same file */
};

/* Is `directory` on a disk, and does it have `bytes` free? 0, or a negative errno and in `why` what
 * to do. *ret_free: bytes free. */
int disk_check(const char *directory, uint64_t bytes, uint64_t *ret_free, char *why,
	       size_t why_bytes);
/* Write `bytes` (rounded to blocks) twice into a new file of `directory`, past the page cache, with
 * a data sync at the end of each, and remove it. 0 or a negative errno with `why`. */
int disk_measure(const char *directory, uint64_t bytes, struct disk_rate *ret_rate, char *why,
		 size_t why_bytes);
/* A new file of `bytes` that has been written from end to end, past the page cache, and synced. 0
 * or a negative errno with `why`. */
int disk_write_file(const char *path, uint64_t bytes, char *why, size_t why_bytes);

#endif
