/*
 * overview_metric: one metric's figures of today.
 *
 * Runs on: any thread.
 */
#ifndef CONSOLE_OVERVIEW_METRIC_H
#define CONSOLE_OVERVIEW_METRIC_H

#include <jansson.h>
#include <stdint.h>

#include "looking.h"

struct overview_metric {
	char name[WEIR_NAME_BYTES_MAX + 1], source[WEIR_SOURCE_NAME_BYTES];
	int rank;           /* the less, the more telling */
	int64_t through_ms; /* of its source */
	/* By overview_metric_look(). */
	enum aggregation aggregation;
	int64_t from_ms; /* midnight, of the day that the source is in */
	double observed, expected, change;
	json_t *spark; /* the caller's */
};

/* How early a metric comes: money, orders, shares, then as they are configured. Negative: it is
 * watched no more. Without a configuration all are alike. */
int overview_rank(const struct config *config, const char *metric);
/* name, source and through_ms are there. 0 or negative errno. */
int overview_metric_look(const struct looking *looking, struct overview_metric *metric);

#endif
