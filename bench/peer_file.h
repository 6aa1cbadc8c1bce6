/*
 * peer_file: a file of weir's events, 16 bytes each, as the peers write it that have no format of
 * their own.
 */
#ifndef BENCH_PEER_FILE_H
#define BENCH_PEER_FILE_H

#include "peer.h"

#define PEER_FILE_STEP (UINT64_C(8) << 20)

/* Always there. */
int peer_file_available(const struct peer_task *task, char *why, size_t why_bytes);
void peer_file_path(const struct peer_task *task, char *path, size_t path_bytes);
/* Every PEER_FILE_STEP bytes: let the kernel write what is there, and do not wait for it. */
void peer_file_hasten(int fd, uint64_t written, uint64_t *hastened);
/* Read it back. 0, or a negative errno. */
int peer_file_check(const char *path, const struct plan *plan, uint64_t sent,
		    struct peer_result *result);

#endif
