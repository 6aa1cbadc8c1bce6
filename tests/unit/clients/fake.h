/*
 * fake: the engine's side of the shared memory, as small as it can be and turned by hand.
 *
 * Idea:  it speaks the messages of weir/region.h, maps what it is given, copies events out and
 *        moves the cursors in a control memfd of its own, sealed like the real one. What outlives
 *        an engine (the log) is a struct of its own, so that a test can let one engine die and
 *        another take over.
 *
 * Runs on:  the test's thread, or one thread of fake_run().
 */
#ifndef TEST_FAKE_H
#define TEST_FAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "weir/ring.h"

#define FAKE_RINGS_MAX 600
#define FAKE_PRODUCERS_MAX 80

/* What a log knows of a ring. */
struct fake_ring {
	uint8_t uuid[16];
	uint32_t index;
	uint64_t next; /* first sequence not persisted */
	uint64_t durable;
	uint64_t rejected;
	uint64_t events; /* copied out and found well-formed */
	double sum;      /* of their values */
	uint64_t time_max_ms;
	uint32_t series_max;
	/* Of the engine that holds it now. */
	const struct weir_ring_header *header;
	const struct weir_event *slots;
	uint64_t capacity;
	struct weir_control_slot *slot;
};

struct fake_log {
	uint32_t count;
	struct fake_ring rings[FAKE_RINGS_MAX];
};

struct fake_producer {
	int socket; /* -1: hung up */
	const struct weir_region_header *region;
	uint64_t region_bytes;
	void *control;
	uint64_t control_bytes;
};

enum fake_vice {
	FAKE_HONEST = 0,
	FAKE_SILENT,  /* accepts, never answers */
	FAKE_REFUSES, /* every region, with a text */
	FAKE_REFUSES_RINGS,
	FAKE_IGNORES_RINGS, /* welcomes the region, its control page stays zeros */
	FAKE_UNSEALED,      /* the control memfd has no seals */
	FAKE_SHORT,         /* ... is a page too short */
	FAKE_WRONG_MAGIC,
	FAKE_GARBLES, /* answers something that is no message */
};

struct fake {
	char path[108];
	int listener;
	enum fake_vice vice;
	struct fake_log *log;
	uint32_t count;
	struct fake_producer producers[FAKE_PRODUCERS_MAX];
	uint32_t connections; /* ever accepted */
	const char *wrong;    /* the first thing that a producer did wrong, NULL: nothing */
	pthread_t thread;
	uint32_t stop;
};

/* Listen at `path`. Exits the test program when the system will not do it. */
void fake_start(struct fake *fake, const char *path, struct fake_log *log);
/* Accept, read, answer. */
void fake_step(struct fake *fake);
/* Copy out up to `max` events of each ring and release them; how many were copied. */
uint64_t fake_drain(struct fake *fake, uint64_t max);
/* What is released becomes durable. */
void fake_sync(struct fake *fake);
/* Steps, drains and syncs on a thread of its own until fake_stop. */
void fake_run(struct fake *fake);
/* Die: close everything that a process's end would close. The log stays. */
void fake_stop(struct fake *fake);

uint64_t fake_log_events(const struct fake_log *log);
double fake_log_sum(const struct fake_log *log);
/* A path for a socket in a fresh directory. */
void fake_path(char *path, size_t path_bytes);

#endif
