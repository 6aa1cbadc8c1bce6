/*
 * api: what a handler sees of a request, and the handlers. API.md says what they answer.
 *
 * A handler is synchronous and bounded, and runs several times at once, on the server's threads or
 * on a crew's: its row in route.c says which. It returns the body (never NULL but without memory),
 * with the status in *status where that is not 200: api_error() makes {"error": text}. It knows
 * nothing of HTTP's library.
 */
#ifndef CONSOLE_API_H
#define CONSOLE_API_H

#include <jansson.h>

struct console;
struct url;

struct api_request {
	const char *id;     /* the path's variable part, decoded, or "" */
	json_t *body;       /* of POST: an object, else NULL */
	const char *author; /* who writes: from a proxy, else the body's, else "console" */
	const char *key;    /* Idempotency-Key, or "" */
	const struct url *url;
};

typedef json_t *api_handler(struct console *console, const struct api_request *request,
			    unsigned *status);

/* The query's ?name=, decoded UTF-8; control characters may be in `slice` and `q` (url.h). NULL:
 * not there. */
const char *api_query(const struct api_request *request, const char *name);
/* A whole number of the query within min..max; `missing` where it is not there. 0, or -EINVAL with
 * *ret_error the answer to give (status 400). */
int api_query_i64(const struct api_request *request, const char *name, int64_t min, int64_t max,
		  int64_t missing, int64_t *ret_value, json_t **ret_error);
/* {"error": "what is wrong and what to do"} */
json_t *api_error(unsigned *status, unsigned code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A list's filters, for sieve_create(): `self` is the request. */
const char *anomalies_query(const void *self, const char *name);

api_handler api_session, api_first;
api_handler api_anomalies, api_lanes, api_anomaly;
api_handler api_feedback, api_feedback_said, api_feedback_undo, api_ack, api_note, api_note_span;
api_handler api_mutes, api_mute, api_unmute;
api_handler api_chart;
api_handler api_demo;
api_handler api_overview;
api_handler api_pipeline;
api_handler api_series;

#endif
