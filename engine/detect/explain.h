/*
 * explain: which slice, or which two at once, best explain an anomaly.
 *
 * Idea:  a scan statistic over all slices of the metric, values and pairs of them alike. For each
 *        slice and each stretch of the last intervals: how much likelier is what came if this slice
 *        is off by a factor of its own, than if all of the metric is off by one? What moves the
 *        whole shop cancels out, and nested slices compete fairly: a country that is down in one
 *        device only is a worse explanation than that country and device. One of many slices has to
 *        say more than one of few before it is believed, and two more than one.
 *
 *            X ln(X/M) + (T-X) ln((T-X)/(N-M)) - T ln(T/N)        (Kulldorff 1997)
 *
 *        X, T: observed of the slice and of its roll-up; M, N: expected, before the stretch began.
 *        Of the roll-up and not of the total: forecasts of slices that nothing has happened to are
 *        right, that of the total may have followed those that something has.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#ifndef DETECT_EXPLAIN_H
#define DETECT_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "detect/anomaly.h"
#include "detect/detector.h"
#include "detect/diagnose.h"
#include "interval/observation.h"

/* The best explanations by one slice are kept for a step; pairs are looked for among the first. */
#define EXPLAIN_CANDIDATES 48
#define EXPLAIN_PAIRED 20

/* What is known after a step. */
struct explain {
	const struct observations *observations;
	const struct verdicts *verdicts;
	const struct detector_ops *ops;
	const void *state;
	const struct diagnosis *diagnosis; /* of detectors that remember no stretches */
};

/* Total and as many roll-ups as a metric may have. */
#define EXPLAIN_ROLLUPS 17

/* Anomalies of one step may ask for stretches that reach back differently far. As many lists are
 * kept, for the whole memory and for that less its longest stretch, the two longest, ...; who asks
 * for less than the shortest of them is answered by that. What all of them need is scanned once. */
#define EXPLAIN_REACHES 9

/* What is the same for all slices: the stretches that are looked at, and what each roll-up had in
 * them. */
struct explain_sums {
	uint32_t count; /* 0: nothing has been summed in this step */
	uint32_t lengths[DETECTOR_RECENT];
	uint32_t slices[EXPLAIN_ROLLUPS];
	double lump; /* events that come together */
	struct recent rollup[EXPLAIN_ROLLUPS][DETECTOR_RECENT];
};

#define EXPLAIN_PAIRS (EXPLAIN_PAIRED * (EXPLAIN_PAIRED - 1) / 2)

/* The slices that explain a deviation in one direction, the best in front. */
struct explain_list {
	uint32_t count;
	struct {
		uint32_t slice;
		double evidence; /* less what it has to pay */
	} best[EXPLAIN_CANDIDATES];
	/* Of the first of them two at once, once somebody asks; 0: no explanation. */
	bool paired;
	uint8_t stretch[EXPLAIN_PAIRS];
	double evidence[EXPLAIN_PAIRS];
};

/* Scratch of a step; explain_forget() before the first of it. */
struct explain_scan {
	struct explain_sums sums;
	bool known[2]; /* downward, upward: the lists of this step */
	struct explain_list list[2][EXPLAIN_REACHES];
};

void explain_forget(struct explain_scan *scan);
/* What explains an anomaly of this slice: number of explanations, 0: nothing stands out. Each, or
 * the other one, has something in common with the slice. longest: stretch that is looked at, in
 * intervals. */
uint32_t explain(const struct explain *explain, struct explain_scan *scan, uint32_t slice,
		 int direction, uint32_t longest, struct explanation ret[ANOMALY_EXPLANATIONS_MAX]);

#endif
