/*
 * judge: what a log has of what was promised, read before anything repairs it.
 *
 * The value of an event is its number in the life of its producer, and the life is a dimension of
 * its series: so a hole, a double, a torn event, one that nobody wrote, and one whose definition is
 * gone each show as what they are.
 */
#ifndef TESTS_POWER_JUDGE_H
#define TESTS_POWER_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#define LIVES_MAX 1024u
#define LIFE_DIMENSION "life"
#define REMARKS_MAX 65536u

/* One ring of one process, from its first event to its end. */
struct life {
	uint64_t emitted;    /* numbers from here on were never written */
	uint64_t promised;   /* the producer had been told that those below are durable */
	uint64_t first, end; /* what the log had when it was last looked at; first > 0: retention */
	bool seen;
};

struct lives {
	struct life life[LIVES_MAX]; /* from 1 */
	uint32_t count;
	bool retention; /* the log may have let go of the oldest */
};

/* What operators were answered "ok" to must be in the control log, once: remarks by number. */
struct remarks {
	uint8_t answered[REMARKS_MAX];
	uint8_t found[REMARKS_MAX];
};

/* How many promises of a look at GROUND_DATA were broken; each is said on stdout. */
uint64_t judge_log(struct lives *lives);
uint64_t judge_remarks(struct remarks *remarks);
/* By weirctl's own reader. */
uint64_t judge_verify(void);
/* Of a stopped engine that nothing was taken from: the stored alerts are those of a replay, and
 * Redis has them all, in order. redis: its socket, or NULL. */
uint64_t judge_alerts(const char *redis, const char *environment, uint64_t *ret_alerts);
/* The same where retention took the beginning: whatever was sent is stored, in order. */
uint64_t judge_sent(const char *redis, const char *environment, uint64_t *ret_alerts);

#endif
