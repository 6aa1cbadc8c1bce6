/*
 * pipeline: what the engine says of itself, all of it: one look a second, however many ask.
 *
 * Runs on: any thread.
 */
#ifndef CONSOLE_PIPELINE_H
#define CONSOLE_PIPELINE_H

#include <jansson.h>

struct console;
struct pipeline;

struct pipeline *pipeline_open(void); /* NULL: no memory */
void pipeline_close(struct pipeline *pipeline);
/* {"at_ms","status","stats","producers","detectors"}, the caller's; or an error with its status. */
json_t *pipeline_get(struct console *console, unsigned *status);
/* For those who listen: each second, where anybody does. */
void pipeline_step(struct console *console);

#endif
