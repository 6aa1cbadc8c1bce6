/*
 * plug: the power goes where the engine calls into the machine, at a state that the test chose.
 *
 * Idea:  the program has functions of its own under the names of libc's that change a disk, which
 *        take those of libc's place for the engine and for SQLite alike; each does what libc's
 *        does. In the engine's process the nth of them in the chosen state is the last: the file
 *        system is cut before or behind it, and the process is killed.
 *
 *        A machine without power says nothing. Here the processes outlive their disk by a moment,
 *        and the kernel's answers of that moment are not to be had on a real one: an fdatasync that
 *        waits when the journal is given up may be told 0. So what is said behind the cut reaches
 *        nobody: the engine's sockets are dead, and what shared memory says then is not a promise.
 *
 * Runs on: any thread of the engine's process. Elsewhere the functions do nothing more.
 */
#ifndef TESTS_POWER_PLUG_H
#define TESTS_POWER_PLUG_H

#include <stdbool.h>
#include <stdint.h>

#include "power/ground.h"

/* What the engine was doing when the power went. */
enum plug_state {
	PLUG_RANDOM, /* nobody knows: by the clock, from outside */
	PLUG_RECOVERY,
	PLUG_ROLL,  /* a segment is made, named, taken over */
	PLUG_WRITE, /* blocks are on their way */
	PLUG_SYNC,  /* of a segment or of names */
	PLUG_CHECKPOINT,
	PLUG_RETENTION,
	PLUG_STORE, /* SQLite: anomalies, inputs, history */
	PLUG_STOP,  /* after SIGTERM */
	PLUG_STATES,
};
extern const char *const plug_names[PLUG_STATES];

enum plug_phase { PLUG_OPENING, PLUG_RUNNING, PLUG_STOPPING };

struct plug {
	enum plug_state state;
	uint32_t nth;
	bool before; /* the call, else behind it */
	enum ground_cut how;
	const struct ground *ground;
	uint32_t *cutting;  /* set to 1 before the cut, by whoever cuts */
	uint32_t *struck;   /* set to 1 as well */
	uint64_t *ahead_ns; /* the engine's clocks that only go forward are ahead by so much */
	/* Told of each sync that has failed, with its descriptor; NULL: nobody. */
	void (*sync_failed)(int fd, int error);
};

/* This process is an engine's from now on. */
void plug_in(const struct plug *plug);
void plug_phase(enum plug_phase phase);
/* Before a cut from outside. */
void plug_cutting(uint32_t *cutting);

#endif
