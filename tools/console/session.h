/*
 * session: what api_session.c knows that other nouns need too.
 */
#ifndef CONSOLE_SESSION_H
#define CONSOLE_SESSION_H

#include <jansson.h>
#include <stdbool.h>

struct console;

/* [{"name","aggregation","unit","detectors","dimensions"}], as the running engine watches
 * them, or did when it was last asked; else as its log has them; empty where nobody knows. */
json_t *session_metrics(struct console *console);
/* Is there anything yet, as the status (NULL: none) or else the history says? 1; 0: nothing, for
 * sure; negative errno: nobody can say: -ENOENT: there is no history; -EXDEV: what is read is not
 * the engine's. */
int session_holds(struct console *console, const json_t *status);

#endif
