/*
 * own_redis: a redis-server of a benchmark's own, over a UNIX socket in its directory.
 */
#ifndef BENCH_OWN_REDIS_H
#define BENCH_OWN_REDIS_H

#include <hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct own_redis {
	const char *directory; /* redis.sock and redis.log lie there */
	bool appends;          /* what it has is in a file, synced every second; else in memory */
	int processor;         /* for processor_pin(); -1: any */
};

/* Is there one on this machine? 0; or -ENOENT, and in `why` which package brings it. */
int own_redis_find(char program[2200], char *why, size_t why_bytes);
/* Start it and connect. Its pid, to be ended by peer_end(), with *ret_context, which is NULL where
 * it does not answer; or a negative errno. */
pid_t own_redis_start(const struct own_redis *own, redisContext **ret_context);

#endif
