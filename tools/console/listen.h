/*
 * listen: the socket that the console listens at.
 */
#ifndef CONSOLE_LISTEN_H
#define CONSOLE_LISTEN_H

#include <stddef.h>

struct guard;

/* "127.0.0.1:8474", "[::1]:8474" or "unix:PATH": a listening descriptor, and what the guard knows
 * of the address. A UNIX socket that nobody listens at any more is replaced. Negative errno: why.
 */
int listen_at(const char *text, struct guard *guard, char *why, size_t why_bytes);

#endif
