/*
 * stream: the feed over HTTP: GET /api/v1/events as Server-Sent Events.
 *
 * A connection without news sleeps (suspended in the library) and costs nothing; the feed wakes it.
 */
#ifndef CONSOLE_STREAM_H
#define CONSOLE_STREAM_H

#include <microhttpd.h>

struct connection;
struct connections;
struct feed;
struct url;

/* ?topics=anomalies,pipeline (all, where it is not there), Last-Event-ID or ?last_id=. */
enum MHD_Result stream_answer(struct MHD_Connection *connection, struct feed *feed,
			      struct connections *connections, struct connection *place,
			      const struct url *url);

#endif
