/*
 * engine_link: the engine as the console sees it: asked over its control socket, and remembered.
 *
 * An engine that does not answer costs two seconds, and is then known to be away for one, so that
 * not every request pays for it: one asks whether it is back. A change is waited for longer, while
 * nobody knows that it is away; few may wait at a time, and never on a thread that others need
 * (server.c). What it last said of itself (status, metrics) stays known while it is away: charts
 * and anomalies of its data directory are readable all the same.
 *
 * Runs on: any thread.
 */
#ifndef CONSOLE_ENGINE_LINK_H
#define CONSOLE_ENGINE_LINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define ENGINE_WHY_BYTES 512

struct engine_link;

/* `data`: its data directory; NULL: as it says. Both names must live as long as the link. NULL: no
 * memory. */
struct engine_link *engine_link_open(const char *control, const char *data);
/* Who waits for it waits no more, and nobody asks it again. */
void engine_link_end(struct engine_link *link);
void engine_link_close(struct engine_link *link);

/* Ask; steals `request`. The answer, which says ok; or NULL, with what to answer: *status 503 (the
 * engine is away), 404 (it knows no such thing) or 400 (it says no), and `why`. */
json_t *engine_ask(struct engine_link *link, json_t *request, unsigned *status,
		   char why[ENGINE_WHY_BYTES]);
/* The same of what changes something: it is answered when it is kept, and is waited for longer.
 * *ret_unknown: without an answer it may have been kept, or may be yet. */
json_t *engine_tell(struct engine_link *link, json_t *request, bool *ret_unknown, unsigned *status,
		    char why[ENGINE_WHY_BYTES]);

/* What it says of itself, at most a second old; NULL, with `why`: it is away. */
json_t *engine_link_status(struct engine_link *link, char why[ENGINE_WHY_BYTES]);
/* What it said last, however long ago; NULL: never anything. Likewise its answer to `metrics`. */
json_t *engine_link_known(struct engine_link *link);
json_t *engine_link_watched(struct engine_link *link);
/* Is the data directory given another one than the engine's? */
bool engine_link_elsewhere(struct engine_link *link);
/* Is it up, as far as anybody has noticed? */
bool engine_link_up(struct engine_link *link, char why[ENGINE_WHY_BYTES]);

/* A file of its data directory ("weir.db"): malloc'd; NULL, with `why`: nobody has said where. */
char *engine_link_path(struct engine_link *link, const char *file, char why[ENGINE_WHY_BYTES]);

#endif
