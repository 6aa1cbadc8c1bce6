/*
 * subject: the detector that ships as the default, under one name, for the tests that hold for
 * whichever it is. SUBJECT_SCALAR is its twin without clones and optimization (scalar.c).
 */
#ifndef TESTS_DETECT_SUBJECT_H
#define TESTS_DETECT_SUBJECT_H

#include "detect/detector.h"

#define SUBJECT detector_profile
#define SUBJECT_SCALAR scalar_profile
#define SUBJECT_KIND DETECTOR_PROFILE
/* What kind profile does not keep: it knows no zone, has a unit, and wild values break its state.
 */
#define SUBJECT_SEASONAL 0
/* Hours with a severity of 50 or more in a week of one series, where all is well: 1 is said. */
#define SUBJECT_ALARMS_LEAST 0.0
#define SUBJECT_ALARMS_MOST 3.0

extern const struct detector_ops SUBJECT_SCALAR;

#endif
