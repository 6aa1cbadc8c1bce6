/*
 * detector: the contract. State and interval in, score and new state out; no clock, no I/O, no
 * allocation in step(). State lies in structure-of-arrays banks over the slices of one metric, so
 * that closing an interval is a vector loop. Scoring is bit-identical on every build: no
 * contraction, reductions in a fixed order, exp and log from detect/math.h.
 */
#ifndef DETECT_DETECTOR_H
#define DETECT_DETECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "interval/observation.h"

enum detector_kind {
	DETECTOR_WINDOW,  /* mean and k standard deviations of the last `window` intervals */
	DETECTOR_ABSENCE, /* nothing came although something was expected */
	DETECTOR_PROFILE, /* hour-of-week profile, count-aware */
};

enum detector_direction { DIRECTION_BOTH, DIRECTION_UP, DIRECTION_DOWN };

/* Plain data, checked by configuration, copied by bank_create(). */
struct detector_spec {
	char name[65];
	char metric[65];
	enum detector_kind kind;
	enum detector_direction direction;
	double severity;   /* fires at this severity or above (plus the alarm budget), 0..100 */
	double min_volume; /* fewer events (expected and observed) than this say nothing */
	uint32_t for_intervals;     /* consecutive anomalous intervals before firing, >= 1 */
	uint32_t recover_intervals; /* consecutive normal ones before it is resolved, >= 1 */
	/* window */
	uint32_t window; /* intervals */
	double k;        /* standard deviations that count as the edge of the band */
	/* profile */
	uint32_t learn_intervals; /* says nothing before it has seen this many */
	/* absence */
	uint32_t absent_intervals; /* this many intervals without an event where some were expected
				    */
};

/* One step's answers, arrays of `count` slices owned by the bank; filled by the detector. */
struct verdicts {
	double *expected;
	double *lower; /* of the band in which the value is not anomalous */
	double *upper;
	double *log10_p;   /* of the two-sided tail probability, <= 0; 0: nothing can be said */
	int8_t *direction; /* sign of the deviation */
};

struct detector_ops {
	const char *kind;
	/* Bytes of state for `slices` slices. */
	size_t (*bytes)(const struct detector_spec *spec, uint32_t slices);
	/* Lay out and zero the state of slices from..to in a block of bytes(to); grown blocks keep
	 * their old arrays' content (the caller copies array by array through move()). */
	void (*init)(void *state, const struct detector_spec *spec, uint32_t capacity);
	void (*move)(void *to, uint32_t to_capacity, const void *from, uint32_t from_capacity,
		     const struct detector_spec *spec);
	/* Score the interval with what is known before it, then learn it (unless incomplete, or
	 * learn[i] is 0: the slice is in a firing anomaly). */
	void (*step)(void *state, const struct detector_spec *spec, uint32_t capacity,
		     const struct observations *observations, const uint8_t *learn,
		     struct verdicts *verdicts);
	void (*save)(const void *state, const struct detector_spec *spec, uint32_t capacity,
		     uint32_t slices, struct bytes *out);
	int (*load)(void *state, const struct detector_spec *spec, uint32_t capacity,
		    uint32_t slices, struct bytes_reader *in);
};

extern const struct detector_ops detector_window, detector_absence, detector_profile;

#endif
