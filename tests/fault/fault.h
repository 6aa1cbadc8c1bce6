/*
 * fault: the calls of the engine and of libweir into the machine, counted, and one of them refused.
 *
 * Idea:  the shipped objects are linked with --wrap for every function named in meson.build, so
 *        that not a line of them knows. Each wrapper belongs to a kind of call; the nth call of the
 *        armed kind, and all behind it if `persistent`, answers as a poor machine would, without
 *        being made. Time is made up too: whoever sleeps moves the clock, so a timeout costs
 *        nothing. Syncs are counted and not made: no test here loses power.
 *
 *        What the engine allocates is remembered until it is freed: the rest is a leak.
 *
 * Runs on: any thread; the side is each thread's own, and a new thread is the engine's.
 */
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

enum fault_side { SIDE_ENGINE, SIDE_CLIENT, SIDE_TEST, SIDES };

enum fault_call {
	FAULT_MALLOC,
	FAULT_OPEN,
	FAULT_READ,
	FAULT_WRITE,
	FAULT_SHORT, /* a write that does half of it */
	FAULT_SYNC,
	FAULT_ALLOCATE,
	FAULT_RENAME, /* and the other changes of names */
	FAULT_MMAP,
	FAULT_THREAD,
	FAULT_SOCKET,  /* making one, connecting, accepting */
	FAULT_MESSAGE, /* sending, receiving, waiting for either */
	FAULT_RING_SETUP,
	FAULT_RING_SUBMIT,
	FAULT_RING_WRITE, /* as its completion says */
	FAULT_RING_SHORT,
	FAULT_RING_SYNC,
	FAULT_SQL_STEP,
	FAULT_SQL_MEMORY,
	FAULT_SQL_FILE,
	FAULT_SQL_SYNC,
	FAULT_JSON_MEMORY,
	FAULT_REDIS, /* connecting, writing, reading; an answer that is an error */
	FAULT_CALLS,
};

extern const char *const fault_names[FAULT_CALLS];
extern const char *const fault_sides[SIDES];

/* Once, before SQLite is used. */
void fault_begin(void);
/* Counting begins anew. nth 0: nothing is refused. */
void fault_arm(enum fault_call call, enum fault_side side, uint64_t nth, bool persistent);
void fault_disarm(void);
uint64_t fault_struck(void); /* calls refused since fault_arm() */
uint64_t fault_counted(enum fault_call call, enum fault_side side);
/* Told of every call of the engine's before it is made; true refuses it. For kill.c. */
extern bool (*fault_watch)(enum fault_call call);
/* Time lies here from now on: for processes that share it. */
void fault_share_time(uint64_t *at);
/* Whose calls this thread's are from now on; the answer is whose they were. */
enum fault_side fault_enter(enum fault_side side);

/* An engine without memory stops itself by check() rather than go on with less. With this set by
 * who called it, a failed check jumps there instead, if it is memory that was refused. */
extern jmp_buf *fault_stop;

/* Milliseconds that clocks of all kinds move. */
void fault_pass_ms(uint64_t ms);

/* What the engine holds of memory: how many pieces. */
uint64_t fault_held(void);
/* Say on standard output where those were allocated, and where the first call was refused, as
 * addr2line -fe takes it. */
void fault_say_held(void);
void fault_say_struck(void);

#endif
