/*
 * quality: how well the default detector detects. `weir-bench quality` is a program of several
 * questions: to add one, define `const struct command quality_NAME` in a file of its own, with all
 * its options, and give it a row in QUALITY_QUESTIONS and its file in meson.build a name.
 */
#ifndef BENCH_QUALITY_H
#define BENCH_QUALITY_H

#include "program.h"
#include "status.h"

#define QUALITY_QUESTIONS(ROW) ROW(feedback) ROW(nab) ROW(orders) ROW(shop) ROW(slices)

#define QUALITY_DECLARE(name) extern const struct command quality_##name;
QUALITY_QUESTIONS(QUALITY_DECLARE)

#endif
