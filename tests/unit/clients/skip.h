/*
 * skip: time that passes at a test's word. This program's clock_gettime stands in for libc's and
 * adds what was skipped, so that a test need not sleep through the seconds between two attempts.
 * The library asks for the time at the seams between its steps, so a call from there is also the
 * way to make something happen at a chosen one.
 */
#ifndef TEST_SKIP_H
#define TEST_SKIP_H

void clock_skip(int seconds);
/* Call this from every clock_gettime of the thread that sets it; NULL: no more. */
void clock_call(void (*call)(void));

#endif
