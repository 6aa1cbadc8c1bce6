/*
 * control_ask: a line to a control socket, a line back, as text: also what is no JSON, and also
 * while the engine is stopped or killed.
 */
#ifndef TESTS_SUPPORT_CONTROL_ASK_H
#define TESTS_SUPPORT_CONTROL_ASK_H

#include <stddef.h>

/* Bytes of the answer, which ends in a line feed unless it was cut off or is longer than `bytes`;
 * a NUL follows. 0: nobody answers within `patience_s`. */
size_t control_ask(const char *path, const char *line, char *answer, size_t bytes,
		   unsigned patience_s);

#endif
