/*
 * events: all events of a data directory, decoded, lane after lane; or, following, as they come.
 *
 * Reads with the engine's own reader, writes nothing, may run beside an engine. Retention may take
 * segments away meanwhile: then reading goes on behind them.
 */
#ifndef WEIRCTL_EVENTS_H
#define WEIRCTL_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A decoded definition. Texts are NUL-terminated. */
struct event_series {
	const char *event, *field;
	const char *const *names, *const *values; /* [dimensions], sorted by name */
	uint32_t dimensions;
	bool hash; /* the value is a hash, no number */
};

struct event_view {
	uint64_t time_ms;
	uint64_t value_bits;
	uint64_t sequence; /* in its ring: where slots of its run were refused, the least it can be
			    */
	uint32_t lane, ring, source;
	uint32_t series_id;
	const struct event_series *series; /* NULL: the log does not define it here */
	const char *source_name;           /* "" if the control log does not say */
};

struct events_report {
	uint64_t events, blocks, gaps, gap_blocks;
	uint32_t lanes;
};

struct events;

enum events_mode {
	EVENTS_ALL,    /* from the first one kept to the last */
	EVENTS_FOLLOW, /* those that come from now on; 0 means "not yet" */
};

/* 0; -ENOENT: no log there; or another negative errno: what is wrong is in `why`. */
int events_open(const char *directory, enum events_mode mode, struct events **ret_events, char *why,
		size_t why_bytes);
/* 1: one event, valid until the next call; 0: the end, or none yet; negative errno, see why. */
int events_next(struct events *events, struct event_view *ret_event);
const char *events_why(const struct events *events);
void events_report(const struct events *events, struct events_report *ret_report);
void events_close(struct events *events);

#endif
