/*
 * named: every series id that the data directory still gives a meaning.
 */
#ifndef ENGINE_NAMED_H
#define ENGINE_NAMED_H

#include "intake/series.h"
#include "log/io.h"

/* Into the registry what any segment and any checkpoint names, beside what a replay has read: what
 * is free then may be given again. Blocks. 0, or a negative errno: it cannot be read. */
int named_restore(struct io *io, struct series_registry *registry);

#endif
