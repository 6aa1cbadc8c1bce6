/*
 * score_infer: the interval and the kind of a file that says neither, from its first 100 rows.
 *
 * The interval is the gap between neighbouring rows that most gaps are like (within a tenth); of
 * those the commonest, to the second where no two are the same.
 *
 * The kind:
 *   ratio   there are weights, and all values are between 0 and 1
 *   count   no weights; whole numbers, none below zero, that scatter like counts or more
 *   gauge   everything else
 *
 * "Like counts": of two neighbours x and y that are Poisson counts of one rate, (x - y)^2 is x + y
 * on average, whatever the rate (given x + y, x is binomial). Whole numbers with less than half of
 * that are no counts of independent events but readings: temperatures, speeds, per cents, sizes.
 * More than that is what a day's shape and busy customers do to counts: it says nothing. Where no
 * pair says anything (all zero), digits do: "0" is a count, "0.0" a reading.
 *
 * Revenue cannot be told from a reading by its numbers: `sum` is inferred never.
 */
#ifndef WEIRCTL_SCORE_INFER_H
#define WEIRCTL_SCORE_INFER_H

#include <stdbool.h>
#include <stdint.h>

#include "interval/observation.h"

/* Rows that are looked at. */
#define SCORE_INFER_ROWS 100

struct score_sample {
	int64_t time_ms;
	double value, weight; /* NaN: missing */
	bool point;           /* the value is written with a decimal point */
};

/* Milliseconds; 0: fewer than two different times. `rows` at most SCORE_INFER_ROWS. */
int64_t score_infer_interval_ms(const struct score_sample *samples, unsigned rows);
enum aggregation score_infer_kind(const struct score_sample *samples, unsigned rows);

#endif
