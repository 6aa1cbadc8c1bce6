/*
 * detect_scalar: included by force in front of the files of detect/ that work on many series at a
 * time, so that they are there a second time under other names: without clones, one series after
 * another. detect_cost.c measures them compiled without vectorization; the unit tests compile them
 * without any optimization, and see that they say the same bit for bit.
 */
#ifndef BENCH_DETECT_SCALAR_H
#define BENCH_DETECT_SCALAR_H

#include "base/simd.h"
#undef WEIR_CLONES
#define WEIR_CLONES

#define LANES 1
#define LANES_BUILD scalar
#include "detect/lanes_names.h"

#define detector_window scalar_window
#define math_tail_quantile scalar_math_tail_quantile

#endif
