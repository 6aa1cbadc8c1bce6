/*
 * site: where engines are killed: a directory of its own, real processes, and nothing left behind.
 *
 * Idea:  every process here dies with the test (the kernel sees to it), and a test that is ended by
 *        a signal takes its directory along. What went wrong is counted; then the directory stays,
 *        for people.
 *
 * Runs on: one thread, one site a process.
 */
#ifndef TESTS_CRASH_SITE_H
#define TESTS_CRASH_SITE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "support/process.h"

/* What must happen happens within this, however slow the machine. */
#define SITE_PATIENCE_S 120u

struct site {
	const char *weird, *weirctl;
	char directory[64], config[96], socket[96], control[96], data[96], log[96];
	pid_t engine; /* 0: none runs */
	pid_t redis;  /* 0: not installed */
	unsigned failed;
};

/* Make a directory; all names. Exits with 1 where that cannot be. */
void site_begin(struct site *site, const char *weird, const char *weirctl, const char *parent);
/* End what still runs; remove the directory, unless something failed: then say where it is. */
void site_end(struct site *site);

/* Counts and says what is not so; the answer is whether it is. */
bool site_expect(struct site *site, bool condition, const char *what);

/* weird on the configuration; true: it answers on its control socket. */
bool site_start_engine(struct site *site);
/* The signal, then wait for its end; the status, as waitpid says it. */
int site_end_engine(struct site *site, int signal);

/* What the engine answers to {"command":"status"}. */
bool site_ask(const struct site *site, char *answer, size_t bytes);
/* The engine says that it has persisted events. */
bool site_wait_for_events(struct site *site);
/* The greatest number shown under this name, 0: none. */
uint64_t site_shown(const char *answer, const char *name);
/* `weirctl verify` finds nothing wrong; with refuse_late, no event behind its interval either. */
void site_verify(struct site *site, bool refuse_late);

/* The configuration of an engine that has all of its work often: small segments, checkpoints,
 * closes; for `producers` of load.h. `more` goes below `log:`'s braces, may be "". */
void site_write_config(const struct site *site, const char *backend, int producers,
		       const char *more);

uint64_t site_now_us(void);

#endif
