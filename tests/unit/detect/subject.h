/*
 * subject: the detector that ships as the default, under one name, for the tests that hold for
 * whichever it is. SUBJECT_SCALAR is its twin without clones and optimization
 * (bench/detect_scalar.h).
 */
#ifndef TESTS_DETECT_SUBJECT_H
#define TESTS_DETECT_SUBJECT_H

#include "detect/seasonal_build.h"

#define SUBJECT (*seasonal_here())
#define SUBJECT_SCALAR scalar_seasonal
#define SUBJECT_KIND DETECTOR_SEASONAL
/* Hours with a severity of 50 or more in a week of one series, where all is well: 1 is said. */
#define SUBJECT_ALARMS_LEAST 0.3
#define SUBJECT_ALARMS_MOST 2.0

extern const struct detector_ops SUBJECT_SCALAR;

#endif
