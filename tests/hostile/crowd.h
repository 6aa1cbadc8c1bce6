/*
 * crowd: clients of the attach socket that come and get no further.
 */
#ifndef HOSTILE_CROWD_H
#define HOSTILE_CROWD_H

#include "host.h"

/* `count` half-open clients at once, from several processes: each connects, says nothing or half of
 * a HELLO, holds on for as long as it may, and comes again. Meanwhile honest producers come for the
 * first time, and all that the engine holds is bounded. For host_prove(): the number of clients. */
uint64_t crowd(struct host *host, uint64_t count);

#endif
