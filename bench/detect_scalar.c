/*
 * detect_scalar: the vector files of detect/ a second time, under other names, to be compiled
 * without clones: by detect_cost.c's build without vectorization, and by the unit tests' without
 * any optimization (test_clones.c: the two say the same bit for bit).
 */
#include "base/simd.h"
#undef WEIR_CLONES
#define WEIR_CLONES

#define detector_profile scalar_profile
#define detector_window scalar_window
#define profile_shape scalar_profile_shape
#define profile_learn scalar_profile_learn
#define profile_season_close scalar_profile_season_close
#define profile_season_open scalar_profile_season_open
#define math_tail_quantile scalar_math_tail_quantile

#include "detect/math.c"
#include "detect/profile.c"
#include "detect/profile_learn.c"
#include "detect/profile_season.c"

#include "detect/window.c"
