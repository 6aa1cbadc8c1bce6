/*
 * reply: answers as HTTP: JSON, errors, the pages' files, with the headers that each of them has.
 *
 * Every answer forbids what the console does not need: scripts and styles of others, frames,
 * guessing of types, being embedded. What is compressed is so where the client takes it.
 * One of the few users of libmicrohttpd (with server.c and stream.c).
 */
#ifndef CONSOLE_REPLY_H
#define CONSOLE_REPLY_H

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>

struct asset;

struct reply_how {
	unsigned status;
	const char *allow; /* of 405 */
	bool close;        /* the connection ends with this */
};

/* Steals the body; NULL: no memory. */
enum MHD_Result reply_json(struct MHD_Connection *connection, const struct reply_how *how,
			   json_t *body);
enum MHD_Result reply_error(struct MHD_Connection *connection, const struct reply_how *how,
			    const char *why);
enum MHD_Result reply_asset(struct MHD_Connection *connection, const struct asset *asset);
enum MHD_Result reply_text(struct MHD_Connection *connection, const char *text);
enum MHD_Result reply_nothing(struct MHD_Connection *connection); /* 204 */

/* The headers of every answer. */
void reply_protect(struct MHD_Response *response);

#endif
