/*
 * scratch: a directory of a run's own, made where the user wants it and removed afterwards.
 */
#ifndef BENCH_SCRATCH_H
#define BENCH_SCRATCH_H

#include <stddef.h>

/* Make DIRECTORY/weir-bench-XXXXXX and give its absolute path. 0, or a negative errno with `why`.
 */
int scratch_make(const char *directory, char *path, size_t path_bytes, char *why, size_t why_bytes);
/* With all that is in it. */
void scratch_remove(const char *path);

#endif
