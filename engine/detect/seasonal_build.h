/*
 * seasonal_build: kind seasonal as it is built for the processor that runs it.
 *
 * Idea:  its files are compiled three times on x86-64 (lanes_names.h): for what every processor
 *        has, for AVX2, and for AVX-512 with eight series side by side in the place of four. All
 * say the same bit for bit, and a state is saved series by series, so a checkpoint of one build is
 *        one of the others (tests/unit/detect/test_clones.c, tests/property/seasonal.c).
 */
#ifndef DETECT_SEASONAL_BUILD_H
#define DETECT_SEASONAL_BUILD_H

#include <stdint.h>

#include "detect/detector.h"

#define SEASONAL_BUILDS 3

/* The one that is best here. */
const struct detector_ops *seasonal_here(void);
/* The n-th; NULL: this processor, or what weir was compiled for, does not have it. */
const struct detector_ops *seasonal_build(uint32_t n);

#endif
