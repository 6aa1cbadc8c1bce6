/*
 * emit_count: instructions of an emit, counted by valgrind's callgrind: a figure without noise.
 */
#ifndef BENCH_EMIT_COUNT_H
#define BENCH_EMIT_COUNT_H

#include <stddef.h>

#include "emit_run.h"

/* What is run under callgrind: this program as `weir-bench emit --alone WAY`, which calls
 * emit_alone(). */
#define EMIT_COUNT_EVENTS 32768u

/* Instructions for one event, the clock's own system call not among them. 0; -ENOENT: there is no
 * valgrind; another negative errno: it did not work. `directory` takes its file. */
int emit_count(enum emit_way way, const char *directory, double *ret_instructions);
/* Emit EMIT_COUNT_EVENTS events with no engine, right after the coarse clock's second has changed,
 * so that no look at the socket falls into it. An exit status. */
int emit_alone(enum emit_way way);

extern const char *const emit_way_names[EMIT_WAYS];

#endif
