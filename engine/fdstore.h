/*
 * fdstore: what the engine says to the service manager, and the descriptors it leaves with it.
 *
 * The manager is systemd, or `weird --supervise`: the same protocol (sd_notify(3)). Without one,
 * everything here does nothing, and says so by 0.
 *
 * Runs on:  keep and drop on the intake agent, the rest on the main thread. Each call is one
 *           datagram; sendmsg needs no lock.
 */
#ifndef ENGINE_FDSTORE_H
#define ENGINE_FDSTORE_H

#include <stdbool.h>
#include <stdint.h>

struct fdstore {
	int socket;           /* to the manager; -1: there is none */
	uint64_t watchdog_ns; /* say WATCHDOG=1 at least this often; 0: nobody waits for it */
	uint32_t taken;       /* descriptors that came with the start */
	uint64_t unsent;      /* datagrams that the manager did not take; any thread may read */
};

/* Read the environment ($NOTIFY_SOCKET, $WATCHDOG_USEC). 0, or a negative errno: a manager is named
 * but cannot be reached. Call it once, before there are threads. */
int fdstore_open(struct fdstore *store);
void fdstore_close(struct fdstore *store);

/* "READY=1", "STATUS=...", "WATCHDOG=1", "STOPPING=1"; several with newlines between. 0 also when
 * there is no manager. */
int fdstore_notify(struct fdstore *store, const char *text);

/* The keep_fd and drop_fd of the intake; `store` is a struct fdstore. A name has no colon. */
void fdstore_keep(void *store, const char *name, int fd);
void fdstore_drop(void *store, const char *name);

/* Hand over the descriptors that came with the start ($LISTEN_FDS), those named *.region.* first.
 * `take` owns the descriptor if it returns >= 0, else it is closed. How many were taken. */
uint32_t fdstore_take(struct fdstore *store, int (*take)(void *self, const char *name, int fd),
		      void *self);

#endif
