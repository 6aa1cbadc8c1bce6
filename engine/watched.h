/*
 * watched: the metrics of a configuration, for who asks at the control socket or reads a log.
 */
#ifndef WATCHED_H
#define WATCHED_H

#include <stdbool.h>

#include "config.h"

/* How values are written: "count" (whole ones, of events or distinct ones), "share" (a ratio of two
 * counts), "value" (whatever else). `counts`: of a ratio, whether both its parts are counts. */
const char *watched_unit_of(const char *aggregation, bool counts);
const char *watched_unit(const struct config *config, const struct config_metric *metric);

/* A json_t: the answer to {"command":"metrics"}. */
void *watched_json(const struct config *config);

#endif
