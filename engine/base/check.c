/*
 * check: the end of an engine that found an error of its own.
 *
 * Idea:  one line that names the broken assumption, then abort(): a core file is worth more than a
 *        clean exit, and the log is made to survive it.
 * Runs on: any thread.
 * Never: allocates, takes a lock, returns.
 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void check_failed(const char *file, int line, const char *expression)
{
	/* dprintf writes without stdio's locks and buffers: the failing thread may hold them. */
	dprintf(STDERR_FILENO, "weird: check failed at %s:%d: %s\n", file, line, expression);
	abort();
}
