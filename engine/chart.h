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

/* The answer to {"command":"history",...}: "metric" (none: which there are), "slice", "source",
 * "from_ms", "to_ms", "back_ms", "step_ms", "points"; or "slices": true. It has the above as
 * "history"; or "metrics": [{"source","metric","aggregation","slices"},...]; or "slices" of a
 * metric: [{"source","slice"},...]; or "error", with "unknown": true where there is no such metric
 * or slice. Malloc'd; `request` is a json_t. */
char *chart_answer(const char *path, const void *request);

/* "count", "sum", ... */
const char *chart_aggregation_name(enum aggregation aggregation);

#endif
