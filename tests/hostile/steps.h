/*
 * steps: something happens at one instruction of a call, as a signal's handler may.
 */
#ifndef HOSTILE_STEPS_H
#define HOSTILE_STEPS_H

#include <stdbool.h>
#include <stdint.h>

/* Can this machine go by single steps, in this program? */
bool steps_possible(void);
/* Run `call`, and `strike` in a handler of a signal before the instruction number `at` of it (from
 * 0), on this thread. false: the call has fewer, `strike` was not run. */
bool steps_run(void (*call)(void), uint32_t at, void (*strike)(void));

#endif
