/*
 * datadir: the data directory: made, checked, locked, named.
 *
 *   LOCK         held with flock on a descriptor of its own, which io_uring never sees: a lock on
 *                a file with writes in flight outlives kill -9 by tens of milliseconds
 *   store.id     16 random bytes in hex: which store this is
 *   NOT-KEPT     its last engine kept no log: what else is here goes with the next start
 *   control/ lane-NN/ checkpoint/ weir.db history.db
 */
#ifndef ENGINE_DATADIR_H
#define ENGINE_DATADIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct datadir {
	int fd;      /* of the directory */
	int lock_fd;
	uint8_t uuid[16];
	bool emptied; /* of what an engine that kept no log had left */
};

/* Make (one level) and check: ours, writable, not writable by others. Take the lock, retried for
 * wait_ms. An engine that keeps no log (keep false) marks the directory, and takes none that holds
 * any part of a log or a store; one that is marked is emptied first, unless a log lies in it. 0, or
 * a negative errno with what to do in `why`: -EBUSY another engine runs on it, -EEXIST it holds a
 * log. */
int datadir_open(const char *path, uint32_t wait_ms, bool keep, struct datadir *datadir, char *why,
		 size_t why_bytes);
void datadir_close(struct datadir *datadir);

#endif
