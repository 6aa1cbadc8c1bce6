/*
 * stage: a life of an engine and two applications in one thread, on a real directory, in made-up
 * time; and what must be true at its end, whatever was refused in between.
 */
#ifndef TESTS_FAULT_STAGE_H
#define TESTS_FAULT_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "engine.h"
#include "weir/weir.h"

/* The exit code of a process whose engine stopped itself while it started. */
#define STAGE_STOPPED_AT_START 3

/* What is asked of an engine, all of it. */
enum stage_call { STAGE_OPEN, STAGE_TURN, STAGE_INPUT, STAGE_CLOSE, STAGE_ABANDON };

#define STAGE_PRODUCERS 2
#define STAGE_SERIES 4
#define STAGE_EVENTS_MAX (1u << 16)

struct lines {
	char **lines;
	uint32_t count;
};

void lines_add(struct lines *lines, char *line); /* takes it; NULL: no memory */
void lines_free(struct lines *lines);

struct stage {
	char directory[80]; /* with the name of a socket in it: 107 bytes */
	const char *io;    /* of the log: "pwrite", "uring" */
	const char *redis; /* URL; NULL: none */
	bool retain; /* only the newest segments are kept: less can be checked */
	struct config *config;
	struct clock clock;
	struct engine *engine;
	weir *producers[STAGE_PRODUCERS];
	uint64_t attempts[STAGE_PRODUCERS]; /* emits, since it was opened */
	int series[STAGE_PRODUCERS][STAGE_SERIES];
	uint64_t random, slot;
	/* By number: 1 + the producer to whom emit said yes; behind a power cut others, with a
	 * number of their own. */
	uint8_t emitted[STAGE_EVENTS_MAX];
	uint64_t events;
	/* A power cut, so many turns behind the first call that is refused; 0: none. */
	unsigned cut_after, turns_behind;
	bool cut, over; /* it was; the play is over */
	/* What had been said by then: what a producer was told is durable, what anybody could
	 * have been told of alerts, and a mute that was answered. */
	struct {
		uint64_t durable[STAGE_PRODUCERS];
		struct lines alerts;
		bool mute;
	} told;
	/* Where the engine is when it is not here (kill.c); else NULL. */
	int (*host)(struct stage *stage, enum stage_call what);
	bool wanted; /* an engine is to run: who stops itself is started again */
	unsigned opens_refused, stops;
	unsigned violations;
};

/* The call itself, in this process. */
int stage_serve(struct stage *stage, enum stage_call what);

/* Makes its own directory below `parent`, which must exist. */
void stage_begin(struct stage *stage, const char *parent);
/* Everything that a fault may strike, up to a power cut if there is to be one: two engines, one of
 * which is killed, and the applications. */
void stage_play(struct stage *stage);
/* Nothing is refused any more: a last engine, the ledgers, the log by both readers, the alerts,
 * what was not given back. Behind a power cut: nothing that had been called durable, sent or
 * answered may be missing. Removes the directory unless something was wrong. */
void stage_check(struct stage *stage);

#endif
