/*
 * overview: today's key figures against what was expected by now, with a day's sparkline each.
 *
 * Idea:  worked out once for each close, by whoever asks first or ahead of everybody by watch's
 *        thread, while anybody looks; all others have what was worked out.
 *
 * Runs on: any thread.
 */
#ifndef CONSOLE_OVERVIEW_H
#define CONSOLE_OVERVIEW_H

#include <jansson.h>

struct console;
struct overview;

struct overview *overview_open(void); /* NULL: no memory */
void overview_close(struct overview *overview);
/* The answer, the caller's; or an error with its status. */
json_t *overview_get(struct console *console, unsigned *status);
/* Ahead of who asks: where nobody has asked for minutes, nothing is done. */
void overview_step(struct console *console);

#endif
