/*
 * outlook: what was expected of one slice of a metric, over any span: values as the history has
 * them, and beside each what the detector that watches the metric says of it.
 *
 * Idea:  nobody keeps what was expected, so it is reckoned anew: a bank of the live detector's own
 *        kind and settings lives through the history of that one slice, at the step of the chart,
 *        from as far back before the span as is useful and kept.
 *
 *   history ──> points at the step ──> bank ──> expected, lower, upper, severity
 *               └ learned from ┘└ the span ┘
 *
 * Where the step is the detector's own period and the points reach back to the first one of the
 * slice (outlook.whole), what is said of a point is what live said of it, to the bit, but for:
 *   - what came late: it was not scored, and the history has it;
 *   - feedback, which moves thresholds, and confirmed incidents;
 *   - calendar entries said after the time that they hold for;
 *   - another configuration before, or a state that was rebuilt (rebase);
 *   - kind window, which does not learn from what fires: the alarm budget is that of one slice
 *     here, and live that of all.
 * Elsewhere it is what the same detector says of such points.
 *
 * Where no detector can say anything at the step, or of such values, there are values alone:
 * expected, lower and upper are NaN, and `unsaid` says why. They are NaN too until the detector has
 * seen enough to say anything.
 *
 * Runs on: any thread; keeps nothing between two calls. Reads over connections of its own.
 */
#ifndef ENGINE_OUTLOOK_H
#define ENGINE_OUTLOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "interval/history.h"

#define OUTLOOK_POINTS 800
#define OUTLOOK_POINTS_MAX 5000

struct outlook_query {
	const char *history_path;
	const char *store_path;      /* which has the calendar; NULL: there is none */
	const struct config *config; /* in force; NULL: values alone. Stays the caller's. */
	const char *metric;
	const char *source;   /* NULL: the first that has the metric */
	const char *slice;    /* NULL or "": the total */
	const char *detector; /* its name; NULL: of those that watch the metric, who can say most */
	int64_t from_ms;
	int64_t to_ms;       /* HISTORY_NEWEST: the end of what is known */
	int64_t back_ms;     /* not 0: from_ms is that long before the end */
	int64_t step_ms;     /* 0: the finest natural one that gives at most points_max */
	uint32_t points_max; /* 0: OUTLOOK_POINTS */
	bool values;         /* values alone */
};

struct outlook_point {
	int64_t time_ms; /* its beginning */
	double value;    /* NaN: nothing is known, or nothing can be said */
	double expected, lower, upper;
	double score;    /* -log10 of the tail probability; NaN: nothing is said */
	double severity; /* 0 .. 100; NaN: the same, or the point is not whole */
	double events;   /* behind the value */
	double numerator, weight;            /* of a ratio */
	uint32_t intervals, closed, incomplete; /* that it has; known; and of them not whole */
};

struct outlook {
	char source[WEIR_SOURCE_NAME_BYTES];
	char metric[WEIR_NAME_BYTES_MAX + 1];
	char slice[HISTORY_LABEL_BYTES];
	enum aggregation aggregation;
	double quantile;
	enum history_tier tier;
	int64_t interval_ms, step_ms;
	int64_t known_ms, through_ms; /* of the source: since when, and up to when */
	bool local;                   /* steps are days of the configuration's zone */
	char detector[65], kind[16];  /* "": none says anything */
	char unsaid[256];             /* why not */
	bool whole;                   /* all that the detector can have seen was lived through */
	uint32_t learned;             /* points before the span */
	uint32_t damaged;             /* chunks that cannot be read: holes */
	/* The last point goes on still: it has fewer intervals than it will have. */
	bool open;
	uint32_t count;
	struct outlook_point *points; /* [count] without gaps, in order */
};

/* 0; -ENOENT: nothing is known of that metric, slice or detector; other negative errno with what
 * to do. A span of which nothing is known gives no points. */
int outlook_read(const struct outlook_query *query, struct outlook *ret_outlook, char *why,
		 size_t why_bytes);
void outlook_fini(struct outlook *outlook);

/* Whose days the configuration counts, and whose own it is; NULL: UTC, or no configuration. */
const struct zone *outlook_zone(const struct config *config);
/* The same span `days` before, by the days of its zone where the clock was put forward or back in
 * between and the step allows it, at the times of the outlook's points: [count], NaN: not known. A
 * coarser tier's value is spread over the points that it covers, where values add up; else it
 * holds for all of them. *ret_step_ms: as fine as it is; 0: nothing is known. */
int outlook_before(const struct outlook_query *query, const struct outlook *outlook, int64_t days,
		   double *ret_values, int64_t *ret_step_ms, char *why, size_t why_bytes);

#endif
