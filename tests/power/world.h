/*
 * world: one machine's programs: an engine, applications, an operator; and their end.
 *
 * The engine is this program's own process after a fork (the shipped library, as weird runs it).
 * What an application has been told is written down in memory that survives it: its ledger is read
 * once more when the engine is dead and before the application is.
 */
#ifndef TESTS_POWER_WORLD_H
#define TESTS_POWER_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "power/ground.h"
#include "power/judge.h"
#include "power/plug.h"
#include "support/process.h"

#define WORLD_PRODUCERS 3u
#define WORLD_LOG GROUND "/weird.log"

/* How the log of an engine is kept; in its configuration. */
struct world_log {
	const char *io, *durability;
	uint32_t sync_ms;
	uint64_t retain_bytes; /* 0: all */
	uint32_t lanes;        /* 0: two */
};

struct world_ledger {
	uint64_t emitted; /* numbers that were tried; written before the emit */
	uint64_t published, persisted, durable, dropped, rejected, lost;
	uint64_t waited; /* a weir_wait() for durable said yes to these */
	uint64_t slot;   /* of time, where it has come to */
	uint32_t error;  /* weir_open failed, or sums that do not add up */
};

/* Shared by all processes of a life. */
struct world_board {
	uint32_t over;     /* the power is off: look at the ledger and end */
	uint32_t finish;   /* emit no more, wait until all is durable, close */
	uint32_t stop;     /* the engine: as by SIGTERM */
	uint32_t ready;    /* the engine runs */
	uint32_t cutting;  /* from here on nobody is told anything: see plug.h */
	uint32_t struck;   /* the plug was pulled by the engine's process itself */
	uint64_t ahead_ns; /* the engine's clock, of the machine's */
	struct world_ledger ledger[WORLD_PRODUCERS];
	struct remarks remarks;
	uint32_t remark;  /* next number */
	uint32_t answers; /* that said yes */
};

struct world {
	struct ground ground;
	struct world_board *board;
	struct lives lives;
	uint32_t life_of[WORLD_PRODUCERS]; /* of the applications that run */
	uint64_t slot[WORLD_PRODUCERS];    /* where each one's time has come to, over its lives */
	uint64_t events_max;               /* of one life */
	uint32_t pace;                     /* events between two short rests of an application */
	const char *redis;                 /* its socket, or NULL */
	char environment[16];
	pid_t engine, operator, producers[WORLD_PRODUCERS];
};

void world_init(struct world *world);
/* Nothing that anybody was told. */
void world_forget(struct world *world);
/* An empty file system and nothing that anybody was told. Not mounted. */
void world_renew(struct world *world, uint64_t bytes);
void world_config(const struct world *world, const struct world_log *log);
/* An engine on GROUND_DATA; forked. */
void world_start_engine(struct world *world, const struct plug *plug);
/* New applications, a life each, and somebody who says things. */
void world_start_others(struct world *world);
/* Does it run? Its status is kept. */
bool world_engine_runs(const struct world *world);
/* 1: it has ended, and *ret_status is how; 0: it runs. */
int world_engine_ended(struct world *world, int *ret_status);
/* For the engine so much more time has gone by. */
void world_hurry(struct world *world, uint64_t ns);
/* The power goes now, by the clock. */
int world_cut(struct world *world, enum ground_cut how);
/* Kill it, or wait for its end. Its status as waitpid() has it. */
int world_end_engine(struct world *world, bool killed);
/* The power is off, or everything is over: applications look once more and end. What they were told
 * is in the lives. Broken promises of their ledgers. */
uint64_t world_end_others(struct world *world);
/* One line to the engine's control socket and its answer; false: none came. */
bool world_ask(const char *line, char *answer, size_t bytes);
/* The last lines that engines said; the data directory is copied to where it can be looked at. */
void world_leave(void);

#endif
