/*
 * processor: which of its processors a thread runs on. Numbers are of those that this process was
 * allowed when it first asked, from 0.
 */
#ifndef BENCH_PROCESSOR_H
#define BENCH_PROCESSOR_H

#include <stdint.h>
#include <sys/types.h>

uint32_t processor_count(void);
/* A thread (0: this one) to one of them. 0 or a negative errno. */
int processor_pin(pid_t thread, uint32_t number);

#endif
