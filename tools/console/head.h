/*
 * head: a request's head, as it lies in memory and as the library has understood it.
 *
 * The library takes what others would not: a line without a name as the end of the head, a NUL as
 * the end of a text, a line feed as the end of a line, a line that goes on in the next. Whoever
 * stands before the console sees another request then. So the parts that it has found have to be
 * all of the head's bytes.
 */
#ifndef CONSOLE_HEAD_H
#define CONSOLE_HEAD_H

#include <microhttpd.h>

#include "guard.h"

/* The first line. */
struct head_lines {
	const char *method, *target_at, *version; /* where the library has them */
	const char *target;                       /* as it came */
};

/* What guard.c looks at, but for the path; it points into the library's memory. */
void head_read(struct MHD_Connection *connection, const struct head_lines *line,
	       struct guard_head *ret_head);

#endif
