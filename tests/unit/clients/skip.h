/*
 * skip: time that passes at a test's word. This program's clock_gettime stands in for libc's and
 * adds what was skipped, so that a test need not sleep through the seconds between two attempts.
 */
#ifndef TEST_SKIP_H
#define TEST_SKIP_H

void clock_skip(int seconds);

#endif
