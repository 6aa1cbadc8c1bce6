/*
 * detect_cost: what the default detector costs a series and interval, with and without vector
 * instructions, while its state stays in the processor's caches; and how large that state is.
 */
#ifndef BENCH_DETECT_COST_H
#define BENCH_DETECT_COST_H

#include <stdbool.h>

#include "figure.h"

enum { COST_SCALAR, COST_VECTOR, COST_STATE, COST_FIGURES };

/* false: no memory. A figure is not lossless if the two builds do not say the same. */
bool detect_cost(struct figure ret_figures[COST_FIGURES]);

#endif
