/*
 * quality_share: jobs that have nothing to do with each other, shared by a few threads.
 */
#ifndef BENCH_QUALITY_SHARE_H
#define BENCH_QUALITY_SHARE_H

#include <stdint.h>

#define SHARE_THREADS_MAX 64

/* Run job(self, 0 .. jobs - 1), this thread among `threads`; by itself if there can be no others.
 * After the first negative answer no more are begun. 0, or that answer. */
int quality_share(uint32_t threads, uint32_t jobs, int (*job)(void *self, uint32_t index),
		  void *self);

#endif
