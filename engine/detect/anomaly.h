/*
 * anomaly: the door from detect to deliver. One revision of one anomaly, self-contained.
 */
#ifndef DETECT_ANOMALY_H
#define DETECT_ANOMALY_H

#include <stdbool.h>
#include <stdint.h>

#include "detect/said.h"

enum anomaly_state {
	ANOMALY_FIRING,   /* the first revision, or the one behind `pending` */
	ANOMALY_UPDATED,  /* severity band, direction or top contribution has changed */
	ANOMALY_RESOLVED, /* last revision */
	ANOMALY_PENDING,  /* anomalous for less than `for`: stored and shown, not published */
};

/* Bands of the severity, 0-100: the lowest severity of each. */
enum severity_band {
	SEVERITY_WARNING = 3,
	SEVERITY_MINOR = 25,
	SEVERITY_MAJOR = 50,
	SEVERITY_CRITICAL = 75,
};

#define ANOMALY_CONTRIBUTIONS_MAX 32
#define ANOMALY_LABEL_BYTES 384
#define ANOMALY_EXPLANATIONS_MAX 2
#define ANOMALY_RELATED_MAX 8

/* What one dimension value explains: shares of one dimension add up to 1. */
struct contribution {
	char dimension[65];
	char value[257];
	double share;    /* of the metric's deviation over this dimension, signed shares clipped to
			    0..1 */
	double observed; /* of this value's slice in the interval */
	double expected;
};

/* A slice that has a deviation of its own: of all slices, or of all two of them, the one (the two)
 * that best explains how the metric's values differ from what was expected. */
struct explanation {
	char slice[ANOMALY_LABEL_BYTES]; /* "country=IT", "country=IT,device=mobile" */
	double share;                    /* of the total's deviation, 0..1 */
	double observed, expected; /* of this slice: sums from `since` on; of means, shares and
				      extremes this interval's */
	double evidence; /* nats: how much likelier than one factor for the whole metric; of the
			    second one, than the first alone */
	int64_t since;   /* interval */
};

/* Another metric of the same source that is anomalous too. */
struct related {
	char metric[65];
	int direction;    /* of what began first there */
	int64_t start_ms; /* unix: since when something of it is anomalous */
	int64_t lead_ms;  /* by which that is before this metric's own start; negative: after it */
};

struct anomaly {
	uint64_t id[2];    /* hash of detector, source, metric, slice label, start interval */
	uint64_t group[2]; /* hash of source, metric and the start of the metric's run */
	uint32_t revision;
	enum anomaly_state state;
	double severity; /* of this revision's interval; the peak is below */
	double severity_peak;
	char source[32];
	char metric[65];
	char detector[65];
	char kind[16];                   /* detector kind: seasonal, window, rule, absence */
	char slice[ANOMALY_LABEL_BYTES]; /* "" total, "country=DE,device=mobile" */
	int direction;                   /* -1 lower than expected, +1 higher */
	int64_t interval_ms;
	int64_t frequency_ms; /* of the period that `observed` and `expected` speak of; 0: one
				 interval; -1: a calendar month */
	int64_t start;        /* first interval of the run */
	int64_t interval;     /* this revision speaks of */
	int64_t peak_interval;
	double observed, expected, lower, upper; /* of `interval`; observed 0: no data */
		double usual; /* what was expected when the run began */
	double fall[FEEDBACK_SCALES], rise[FEEDBACK_SCALES]; /* so far, by direction: said.h */
	double log10_p; /* of the tail probability, negative; 0: not said */
	bool incomplete;
	bool fired;        /* has been `firing`: what was only pending and went is not published */
	bool muted;        /* by an operator: stored, not published */
	bool acknowledged; /* by an operator, before this revision */
	uint32_t contributions;
	/* The likeliest cause first: values with evidence of their own, then by share (diagnose.h).
	 */
	struct contribution contribution[ANOMALY_CONTRIBUTIONS_MAX];
	/* None: no slice stands out, all of the metric has moved. Two: two slices at once. */
	uint32_t explanations;
	struct explanation explanation[ANOMALY_EXPLANATIONS_MAX];
	uint32_t relateds; /* the one that moved first in front */
	struct related related[ANOMALY_RELATED_MAX];
};

#endif
