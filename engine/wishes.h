/*
 * wishes: what a configuration wants sketched, told to the registry of series.
 */
#ifndef ENGINE_WISHES_H
#define ENGINE_WISHES_H

#include "config.h"
#include "intake/series.h"

/* Series of metrics with percentiles are sketched from now on, others no more. Whoever applies the
 * configuration of a live engine; a replay need not: lanes have logged what they did.
 * 0 or -ENOMEM. */
int wishes_apply(struct series_registry *registry, const struct config *config);

#endif
