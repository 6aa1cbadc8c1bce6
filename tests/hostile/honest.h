/*
 * honest: producers that keep to the rules beside those that do not: processes with the library,
 * whose events are numbered, so that at the end each is found once in the log, or missing.
 */
#ifndef HOSTILE_HONEST_H
#define HOSTILE_HONEST_H

#include "host.h"
#include "weir/weir.h"

#define HONEST_MAX 4u

struct honest_page {
	uint32_t stop;     /* test -> producer */
	uint32_t attached; /* producer -> test: an engine has answered */
	uint64_t emitted;  /* events to which emit said yes */
	struct weir_ledger ledger; /* at the end */
	int waited;                /* what weir_wait said there */
};

struct honest {
	unsigned first, count;
	pid_t pid[HONEST_MAX];
	struct honest_page *page; /* [HONEST_MAX], shared */
};

/* Start `count` of them, named by number from `first` on; each emits 256 events every nap_us, until
 * it is told to stop. */
void honest_start(struct honest *honest, const struct host *host, unsigned first, unsigned count,
		  uint64_t nap_us);
/* Wait until all of them are attached and have emitted so many events more than before. */
void honest_wait(struct honest *honest, struct host *host, uint64_t events);
/* Tell them to stop, wait until the engine has kept all: ledgers must be exact. */
void honest_stop(struct honest *honest, struct host *host);
/* Of a stopped engine: each of their events is in the log exactly once, under its own series. */
void honest_check(const struct honest *honest, struct host *host);
void honest_free(struct honest *honest);
/* All of that at a story's end, the engine stopped and its log verified between; frees them. */
void honest_end(struct honest *honest, struct host *host);

#endif
