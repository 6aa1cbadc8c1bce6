/*
 * judge: what must be true of a site whose engine has ended, by the log, the store and Redis.
 */
#ifndef TESTS_CRASH_JUDGE_H
#define TESTS_CRASH_JUDGE_H

#include "load.h"
#include "site.h"

struct verdict {
	uint64_t published, lost, doubled, torn;
};

/* Each producer's events are in the log exactly once and whole; its ledger says the same. */
struct verdict judge_events(struct site *site, const struct load *load);
/* The stored revisions are those of a replay of the log, and Redis has received all in order. */
void judge_alerts(struct site *site);
/* The history: an engine that finds none makes it anew from the log, the same to
 * the byte. Starts and ends one. */
void judge_history(struct site *site);
/* Wait until the engine, without producers, has nothing more to close or to deliver. */
void judge_wait(struct site *site);

#endif
