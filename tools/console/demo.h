/*
 * demo: weir-shop, started once into an engine that holds nothing yet: weeks of history, and an
 * incident.
 *
 * Runs on: any thread; a thread of its own waits for the shop's end.
 */
#ifndef CONSOLE_DEMO_H
#define CONSOLE_DEMO_H

#include <stddef.h>

struct console;
struct demo;

struct demo *demo_open(void);           /* NULL: no memory */
void demo_close(struct demo *demo);     /* ends a shop that runs */
/* Start it. 0; -EALREADY: one runs, or has; -ENOENT: there is no weir-shop; another
 * negative errno with `why`. */
int demo_start(struct demo *demo, struct console *console, const char *socket,
	       long long interval_ms, char *why, size_t why_bytes);

#endif
