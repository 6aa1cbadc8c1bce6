/*
 * listen: the socket file that producers connect to.
 *
 * Private to intake. Used at start and stop.
 */
#ifndef INTAKE_LISTEN_H
#define INTAKE_LISTEN_H

#include <stddef.h>
#include <sys/types.h>

struct listener {
	int fd; /* non-blocking, close-on-exec */
	char path[108];
	dev_t device; /* of the file, so that only our own is removed */
	ino_t inode;
};

/* 0; a negative errno with a text in `why` that says what is wrong and what to do. A socket file
 * that nobody listens on (left by a killed engine) is replaced. */
int listener_open(struct listener *listener, const char *path, char *why, size_t why_bytes);
/* Close and remove the file, if it is still ours. */
void listener_close(struct listener *listener);

#endif
