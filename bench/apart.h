/*
 * apart: how far two processors are from each other: the time that a line in the cache takes from
 * one to the other and back. Under a hypervisor it may change from second to second, as the host
 * moves what it calls a processor; what goes from one process to another changes with it.
 */
#ifndef BENCH_APART_H
#define BENCH_APART_H

/* Nanoseconds of a round trip between the first two processors of this process, the best of a few
 * short looks; 0: it has one only. Takes some milliseconds. */
double apart_ns(void);

#endif
