/*
 * ended: says of a log that ends before a block which was kept once what became of it, as far as a
 * look at its files tells, and what can be done.
 *
 * Runs on: who starts an engine; reads through an io, writes nothing.
 */
#ifndef ENGINE_ENDED_H
#define ENGINE_ENDED_H

#include <stdbool.h>
#include <stdint.h>

#include "log/io.h"
#include "replay.h"

/* Nothing, where nothing is missing. `soft`: nothing was synced, a power cut may have done it. */
void ended_say(struct io *io, const char *directory, uint16_t lane,
	       const struct replay_lane_end *end, bool soft);

#endif
