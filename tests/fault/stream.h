/*
 * stream: a Redis for the lives of a stage, and what its stream holds at their end.
 */
#ifndef TESTS_FAULT_STREAM_H
#define TESTS_FAULT_STREAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "stage.h"

/* A redis-server of its own on a socket in the directory; its URL, or NULL: it is not installed. */
const char *stream_start(const char *directory, pid_t *ret_pid);
/* Empty it. */
void stream_forget(const char *url);
/* What it holds, oldest first. false: it does not answer. */
bool stream_read(const char *url, struct lines *ret_lines);
/* Every one of those to be published is there, for the first time in their order, and nothing that
 * is not stored. */
bool stream_good(const struct lines *came, const struct lines *published,
		 const struct lines *stored);

#endif
