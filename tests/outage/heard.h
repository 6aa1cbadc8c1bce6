/*
 * heard: what reached those who wait for alerts, against what the store says was raised.
 *
 * Idea:  the stored revisions, in their order, are the truth (a replay of the log gives the same).
 *        What came must be those bodies, byte for byte; each for the first time in their order;
 *        what comes again was there before. A subscriber hears what is said while it listens, the
 *        stream keeps all: both are held against the same list.
 */
#ifndef OUTAGE_HEARD_H
#define OUTAGE_HEARD_H

#include <pthread.h>
#include <stdint.h>

/* Bodies in the order in which they came. */
struct bodies {
	char **body;
	uint32_t count, space;
};

void bodies_add(struct bodies *bodies, const char *body);
void bodies_free(struct bodies *bodies);

/* A subscriber of Redis' own socket, which comes back whenever it can. */
struct subscriber {
	pthread_t thread;
	char path[96];
	struct bodies heard; /* after subscriber_stop() */
	uint32_t done;
};

int subscriber_start(struct subscriber *subscriber, const char *path);
void subscriber_stop(struct subscriber *subscriber);

/* Of Redis' stream: 0 or -1. */
int stream_read(const char *path, struct bodies *ret_bodies);
/* Of the store of a stopped engine, what is to be published: 0 or -1. */
int store_read(const char *path, struct bodies *ret_bodies);

struct comparison {
	uint32_t missing;   /* raised, and never came */
	uint32_t strangers; /* came, and never raised, or not with this body */
	uint32_t disorder;  /* came for the first time before one that was raised before */
	uint32_t again;     /* came before */
};

struct comparison bodies_compare(const struct bodies *raised, const struct bodies *came);

#endif
