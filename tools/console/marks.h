/*
 * marks: the anomalies of one series, for charts and key figures.
 *
 * Runs on: any thread.
 */
#ifndef CONSOLE_MARKS_H
#define CONSOLE_MARKS_H

#include <jansson.h>
#include <stdint.h>

struct book;

/* [{"id","start_ms","end_ms"|null,"peak"}] of those that fired in a span, newest first. */
json_t *marks_of_slice(struct book *book, const char *source, const char *metric,
		       const char *slice, int64_t from_ms, int64_t until_ms);

/* What is open of a metric, over all its slices: how many, and how severe the worst is. */
struct marks_open {
	uint32_t count;
	double worst; /* 0: nothing is open */
};
struct marks_open marks_of_metric(struct book *book, const char *source,
				  const char *metric);

#endif
