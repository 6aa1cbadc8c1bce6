/*
 * detect_scale: what a detector costs a series and interval as series grow in number, with and
 * without vector instructions, where its state no longer stays in the processor's caches.
 */
#ifndef BENCH_DETECT_SCALE_H
#define BENCH_DETECT_SCALE_H

#include <stdbool.h>

#include "report.h"

/* Kinds that are written in vectors: seasonal and window; 1,000 series to a million, quick: to
 * 1,000. false: no memory. A figure is not lossless if the two builds do not say the same. */
bool detect_scale(struct report *report, bool quick);

#endif
