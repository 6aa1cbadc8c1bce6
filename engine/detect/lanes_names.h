/*
 * lanes_names: included by force in front of the files of kind seasonal where they are built once
 * more, for another instruction set or without any: all that they share has the build's name in
 * front (LANES_BUILD), so that the builds stand side by side. See seasonal_build.h.
 */
#ifndef DETECT_LANES_NAMES_H
#define DETECT_LANES_NAMES_H

#define LANES_NAME_OF(build, name) build##_##name
#define LANES_NAME_IN(build, name) LANES_NAME_OF(build, name)
#define LANES_NAME(name) LANES_NAME_IN(LANES_BUILD, name)

#define seasonal_burst_begin LANES_NAME(seasonal_burst_begin)
#define seasonal_burst_follow LANES_NAME(seasonal_burst_follow)
#define seasonal_habit_fade LANES_NAME(seasonal_habit_fade)
#define seasonal_habit_score LANES_NAME(seasonal_habit_score)
#define seasonal_level_fold LANES_NAME(seasonal_level_fold)
#define seasonal_level_forecast LANES_NAME(seasonal_level_forecast)
#define seasonal_level_learn LANES_NAME(seasonal_level_learn)
#define seasonal_recent LANES_NAME(seasonal_recent)
#define seasonal_recent_lengths LANES_NAME(seasonal_recent_lengths)
#define seasonal_shape_close LANES_NAME(seasonal_shape_close)
#define seasonal_shape_open LANES_NAME(seasonal_shape_open)
#define seasonal_tail_init LANES_NAME(seasonal_tail_init)
#define seasonal_tail_score LANES_NAME(seasonal_tail_score)
#define seasonal_window_fold LANES_NAME(seasonal_window_fold)
#define seasonal_window_forget LANES_NAME(seasonal_window_forget)
#define seasonal_window_pace LANES_NAME(seasonal_window_pace)
#define seasonal_window_prepare LANES_NAME(seasonal_window_prepare)
#define seasonal_window_push LANES_NAME(seasonal_window_push)
#define seasonal_window_score LANES_NAME(seasonal_window_score)
#define seasonal_year_day LANES_NAME(seasonal_year_day)
#define seasonal_year_inherit LANES_NAME(seasonal_year_inherit)
#define seasonal_year_possible LANES_NAME(seasonal_year_possible)

#define detector_seasonal LANES_NAME(seasonal)

#endif
