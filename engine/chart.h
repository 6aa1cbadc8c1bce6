/*
 * chart: a span of the history as JSON, for the control socket and for weirctl.
 *
 *   {"source","metric","slice","aggregation","quantile"?,"tier","interval_ms","step_ms","damaged",
 *    "points":[{"time_ms","value","events","closed","incomplete","numerator"?,"weight"?},...]}
 *
 * value: null where nothing is known or can be said. closed: intervals of the point that are
 * known; incomplete: of them, those with drops or downtime.
 *
 * Runs on: the control agent; weirctl. Reads over a connection of its own.
 */
#ifndef ENGINE_CHART_H
#define ENGINE_CHART_H

#include <stddef.h>

#include "interval/history.h"

/* A json_t (void * so that this header needs no jansson). NULL: what is wrong is in `why`. */
void *chart_json(const char *path, const struct history_query *query, char *why, size_t why_bytes);
/* [{"source","metric","aggregation","slices"},...]; with a metric: [{"source","slice"},...]. */
void *chart_names(const char *path, const char *metric, char *why, size_t why_bytes);
/* The answer to {"command":"history",...}: "metric" (none: which there are), "slice", "source",
 * "from_ms", "to_ms", "back_ms", "step_ms", "points"; or "slices": true. Malloc'd. */
char *chart_answer(const char *path, const void *request);

#endif
