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

#define detector_seasonal scalar_seasonal
#define detector_window scalar_window
#define math_tail_quantile scalar_math_tail_quantile
#define seasonal_burst_begin scalar_seasonal_burst_begin
#define seasonal_burst_follow scalar_seasonal_burst_follow
#define seasonal_habit_fade scalar_seasonal_habit_fade
#define seasonal_habit_score scalar_seasonal_habit_score
#define seasonal_level_fold scalar_seasonal_level_fold
#define seasonal_level_forecast scalar_seasonal_level_forecast
#define seasonal_level_learn scalar_seasonal_level_learn
#define seasonal_recent scalar_seasonal_recent
#define seasonal_recent_lengths scalar_seasonal_recent_lengths
#define seasonal_shape_close scalar_seasonal_shape_close
#define seasonal_shape_open scalar_seasonal_shape_open
#define seasonal_tail_init scalar_seasonal_tail_init
#define seasonal_tail_score scalar_seasonal_tail_score
#define seasonal_window_forget scalar_seasonal_window_forget
#define seasonal_window_pace scalar_seasonal_window_pace
#define seasonal_window_prepare scalar_seasonal_window_prepare
#define seasonal_window_push scalar_seasonal_window_push
#define seasonal_window_score scalar_seasonal_window_score

#endif
