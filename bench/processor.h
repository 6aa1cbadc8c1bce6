/*
 * processor: which of its processors a thread runs on. Numbers are of those that this process was
 * allowed when it first asked, from 0.
 */
#ifndef BENCH_PROCESSOR_H
#define BENCH_PROCESSOR_H

#include <stdint.h>
#include <sys/types.h>

uint32_t processor_count(void);
/* One of two (0 or 1) that are to run side by side; -1, wherever the kernel puts them, if there is
 * but one. */
int processor_of_two(int which);
/* A thread (0: this one) to one of them; -1: it stays where it is. 0 or a negative errno. */
int processor_pin(pid_t thread, int number);
/* This thread to all of them again. */
void processor_unpin(void);

#endif
