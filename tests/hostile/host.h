/*
 * host: an engine under test: `weird` as its own process, or all of it in this one; its directory,
 * its health, and what is true when it has stopped.
 *
 * A violation is one more of host->violations, with a line that says what. Whatever ends the test,
 * a signal too, takes the engine and the directory with it; a test with violations leaves the
 * directory and names it.
 */
#ifndef HOSTILE_HOST_H
#define HOSTILE_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "config.h"
#include "definitions.h"
#include "engine.h"
#include "support/process.h"
#include "weir/event.h"

/* Something must happen within this, on the slowest machine; nothing takes so long. A short run,
 * which may be one of weir with a bug in it, waits for less. */
#define HOST_PATIENCE_S (host_quick() ? 30 : 120)

struct host {
	const char *weird; /* NULL: in this process */
	char directory[64], config_path[96], socket[96], control[96], data[96], log[96];
	pid_t pid; /* of the engine; 0: it does not run */
	struct engine *engine;
	struct config *config;
	struct clock clock;
	uint64_t violations;
	void (*limit)(void); /* called in weird's process before it is weird; NULL: nothing */
};

/* A directory and a configuration: `more` are lines of YAML behind the usual ones, "" for none. */
void host_open(struct host *host, const char *weird, const char *more);
/* Start it and wait until it takes producers. */
void host_start(struct host *host);
/* The same; false: it has ended instead, with exit code *ret_code. */
bool host_try(struct host *host, int *ret_code);
/* Does it run, and answer an operator? */
bool host_answers(struct host *host);
/* SIGTERM, or the same in this process. A crash, another exit code than 0, a report of a sanitizer
 * is a violation. */
void host_stop(struct host *host);
/* kill -9. */
void host_kill(struct host *host);
/* Of a stopped engine: the independent reader finds nothing wrong. */
void host_verify(struct host *host);
/* Every definition and every event of every lane, in order, as the engine's reader sees them. */
typedef void host_event(void *self, const struct weir_event *event);
void host_read(struct host *host, definitions_take *definition, host_event *event, void *self);
void host_close(struct host *host);

/* A number of its answer to `status`: the first with this name behind the text `after` (NULL: from
 * the beginning). 0 if there is none. */
uint64_t host_number(struct host *host, const char *after, const char *name);
/* Wait until such a number is at least `wanted`; false: it did not come to that. */
bool host_reaches(struct host *host, const char *after, const char *name, uint64_t wanted);
/* Ask the control socket for a line; bytes of its answer, or -1. */
long host_ask(const struct host *host, const char *request, char *answer, size_t bytes);
/* Descriptors and resident memory of the engine's process. */
unsigned host_descriptors(const struct host *host);
uint64_t host_memory_kib(const struct host *host);
/* The same of any process. */
unsigned descriptors_of(pid_t pid);
uint64_t memory_kib_of(pid_t pid);

void host_expect(struct host *host, bool condition, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Run one thing, with the count of it that is wanted; it says how many there were. Between two
 * looks at the engine's descriptors, which come back to what they were; then the engine answers,
 * and a PROOF line says what came of it. */
void host_prove(struct host *host, const char *name, uint64_t (*run)(struct host *, uint64_t),
		uint64_t count);

/* Of a program's proofs, those alone that its last argument names; NULL: all. */
void host_only(const char *name);
bool host_wanted(const char *name);

/* Wait for a child: its exit code; 128 and the signal that ended it. */
int host_wait(pid_t pid);
/* Does WEIR_TEST_QUICK ask for a short run? */
bool host_quick(void);
/* Built with AddressSanitizer, which takes addresses and memory of its own? */
bool host_sanitized(void);

#endif
