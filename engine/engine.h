/*
 * engine: the composition root. Knows every stage; no stage knows it.
 *
 *   producers ─> intake ─> lane 0..n ─> closing ─> shard 0..m ─> storing ─> SQLite ─> publisher
 *                            └─> segments  └─> control log        └─> checkpoints
 *
 * Every arrow is a bounded queue with one writer and one reader, or a number in shared memory.
 * engine_open() recovers and builds; then either engine_start() gives every stage its thread, or
 * a test turns the crank with engine_crank().
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "config.h"
#include "fdstore.h"
#include "log/io.h"

#define ENGINE_VERSION "0.1.0"

struct engine;

struct engine_options {
	const struct config *config; /* borrowed */
	const char *config_path;     /* to read again at a reload; NULL: cannot be */
	struct clock *clock;         /* borrowed */
	struct fdstore *fdstore;     /* borrowed; NULL: producers' memory is kept nowhere else */
	uint64_t random_seed;        /* 0: from the system */
	uint32_t lock_wait_ms;
	/* Tests: another disk. NULL: as configured. */
	int (*make_io)(void *self, int dirfd, uint32_t depth, struct io **ret_io);
	void *self;
};

/* Recover and build. Negative errno with what is wrong and what to do in `why`. */
int engine_open(const struct engine_options *options, struct engine **ret_engine, char *why,
		size_t why_bytes);
/* A thread for every stage. */
int engine_start(struct engine *engine);
/* The name of a thread that has finished no step for limit_ns, as far as the calls of this tell;
 * NULL: all move. From the thread that started the engine. */
const char *engine_stuck(struct engine *engine, uint64_t limit_ns);
/* One step of every stage, in this thread. Work done. */
int engine_crank(struct engine *engine, uint64_t now_ns);
/* Stop the threads (if started), finish what is under way, close files. */
void engine_close(struct engine *engine);
/* Let go of everything as a crash would: nothing is flushed, synced or said. For tests. */
void engine_abandon(struct engine *engine);

/* Read the configuration's file again, soon; what comes of it is said in the log. Any thread. */
void engine_reload(struct engine *engine);
/* The same as the control socket's commands, for who turns the crank: 0 when it is on its way to
 * the control log, or -EINVAL with what is wrong; engine_kept() when it is durable. */
int engine_configure(struct engine *engine, const char *text, size_t bytes, const char *name,
		     char *why, size_t why_bytes);
int engine_input(struct engine *engine, const char *json, char *why, size_t why_bytes);
bool engine_kept(const struct engine *engine);
/* Begin to rebuild the state of a source's detectors from its history (rebase.h). 0; -ENOENT,
 * -EBUSY, -ENOMEM with why. */
int engine_rebase(struct engine *engine, const char *source, char *why, size_t why_bytes);
/* 1: it is in force; 0: under way; -ECANCELED: it has failed. */
int engine_rebased(const struct engine *engine);

/* What recovery found, one line for the log. */
const char *engine_recovery_text(const struct engine *engine);
/* How long the parts of engine_open() took. */
void engine_start_text(const struct engine *engine, char *text, size_t bytes);
/* The answer to {"command":"status"}: malloc'd JSON, see tools/weirctl/README.md. */
char *engine_status(struct engine *engine);

#endif
