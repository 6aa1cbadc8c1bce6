/*
 * looking: what charts and key figures are read from: the files of the data directory, and the
 * configuration in force, whose detectors say what was expected.
 *
 * Runs on: any thread; one for each request.
 */
#ifndef CONSOLE_LOOKING_H
#define CONSOLE_LOOKING_H

#include <jansson.h>

#include "engine_link.h"
#include "outlook.h"

struct console;

struct looking {
	struct console *console;
	char *history, *store;
	const struct config *config; /* NULL: nobody knows it, and `why` says so */
	char why[ENGINE_WHY_BYTES];
};

/* NULL; or the answer to give, with its status: nobody has said where the data is. To be given to
 * looking_end() in any case. */
json_t *looking_begin(struct console *console, struct looking *ret_looking, unsigned *status);
void looking_end(struct looking *looking);
struct outlook_query looking_query(const struct looking *looking, const char *metric);
/* What to answer where the history or the store could not be read, or has no such thing. */
json_t *looking_failed(int error, const char *why, unsigned *status);
/* "count", "value", "share": how a metric's values are written. "" where it is not known. */
const char *looking_unit(const struct looking *looking, const char *metric);
/* A number as short as it can be said: a whole one as such, null where there is none. */
json_t *looking_number(double value);
/* The same to six digits: of what is reckoned, not counted. */
json_t *looking_rough(double value);

#endif
