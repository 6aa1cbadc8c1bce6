/*
 * made: anomalies for the console's tests, from a few numbers.
 */
#ifndef TEST_MADE_H
#define TEST_MADE_H

#include <stdio.h>
#include <string.h>

#include "detect/anomaly.h"

#define MADE_INTERVAL_MS INT64_C(60000)

/* The first revision of an anomaly of this number: it fires, and is a fall from 100 to 40. */
static inline struct anomaly made_anomaly(uint64_t number, const char *metric, const char *slice)
{
	struct anomaly made;

	memset(&made, 0, sizeof(made));
	made.id[0] = number * UINT64_C(0x9e3779b97f4a7c15);
	made.id[1] = number;
	made.group[0] = number / 4 * UINT64_C(0xbf58476d1ce4e5b9);
	made.group[1] = number / 4;
	made.revision = 1;
	made.state = ANOMALY_FIRING;
	made.fired = true;
	made.severity = made.severity_peak = 60;
	snprintf(made.source, sizeof(made.source), "shop");
	snprintf(made.metric, sizeof(made.metric), "%s", metric);
	snprintf(made.detector, sizeof(made.detector), "%s-seasonal", metric);
	snprintf(made.kind, sizeof(made.kind), "seasonal");
	snprintf(made.slice, sizeof(made.slice), "%s", slice);
	made.direction = -1;
	made.interval_ms = MADE_INTERVAL_MS;
	made.start = made.interval = made.peak_interval = 1000 + (int64_t)number;
	made.observed = 40;
	made.expected = 100;
	made.log10_p = -6;
	return made;
}

/* The next one of the same, so many intervals later. */
static inline void made_next(struct anomaly *made, enum anomaly_state state, int64_t later)
{
	made->revision++;
	made->state = state;
	made->interval += later;
}

#endif
