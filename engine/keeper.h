/*
 * keeper: the part of `weird --supervise` that listens to the engine and keeps descriptors for it.
 * Private to the supervisor.
 */
#ifndef ENGINE_KEEPER_H
#define ENGINE_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Descriptors kept: their names go into one variable of the environment, which may have 128 KiB. */
#define KEEPER_MAX 2048
#define KEEPER_NAME_BYTES 64

struct kept {
	char name[KEEPER_NAME_BYTES];
	int fd;
};

struct keeper {
	int socket;         /* the engine's datagrams */
	char address[32];   /* for $NOTIFY_SOCKET: "@" and the abstract name */
	pid_t child;        /* who is listened to; 0: nobody */
	bool ready;         /* some engine has been */
	uint64_t pinged_ms; /* last WATCHDOG=1 of this child; 0: none */
	int fd_min;         /* kept descriptors lie above those that the child gets */
	int count;
	struct kept kept[KEEPER_MAX];
};

/* 0, or a negative errno. */
int keeper_open(struct keeper *keeper, int fd_min);
void keeper_close(struct keeper *keeper);
/* Read one datagram. false: there is none. */
bool keeper_hear(struct keeper *keeper);
/* The names, for $LISTEN_FDNAMES, in the order of the descriptors; malloc'd. NULL: no memory. */
char *keeper_names(const struct keeper *keeper);

#endif
