/*
 * stream: see stream.h.
 *
 * Runs on: the server's threads read; who publishes wakes. The feed's mutex is held where a
 * connection is put to sleep and where it is woken, so that no wake falls between the two.
 */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/monotonic.h"
#include "connections.h"
#include "feed.h"
#include "reply.h"
#include "server.h"
#include "url.h"

#define BLOCK_BYTES 4096u

struct stream {
	struct MHD_Connection *connection;
	struct connections *connections;
	struct connection *place;
	struct feed_subscriber *subscriber;
};

static void pause_stream(void *self)
{
	struct stream *stream = self;

	MHD_suspend_connection(stream->connection);
}

static void wake_stream(void *self)
{
	struct stream *stream = self;

	MHD_resume_connection(stream->connection);
}

static void drop_stream(void *self)
{
	struct stream *stream = self;

	connections_cut(stream->connections, stream->place);
}

static const struct feed_ops ops = {pause_stream, wake_stream, drop_stream};

static ssize_t read_stream(void *self, uint64_t position, char *to, size_t bytes)
{
	struct stream *stream = self;

	(void)position;
	ssize_t used = feed_read(stream->subscriber, to, bytes, monotonic_ms());
	return used < 0 ? MHD_CONTENT_READER_END_OF_STREAM : used;
}

static void free_stream(void *self)
{
	struct stream *stream = self;

	feed_unsubscribe(stream->subscriber);
	free(stream);
}

/* A bit for each; 0: one of them there is not. */
static unsigned parse_topics(const char *text)
{
	static const struct {
		const char *name;
		enum feed_topic topic;
	} known[] = {{"anomalies", FEED_ANOMALIES}, {"pipeline", FEED_PIPELINE}};
	unsigned topics = 0;

	if (!text || !text[0])
		return FEED_TOPICS_ALL;
	while (*text) {
		size_t bytes = strcspn(text, ",");
		unsigned found = 0;
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strlen(known[i].name) == bytes &&
			    memcmp(known[i].name, text, bytes) == 0)
				found = known[i].topic;
		if (!found)
			return 0;
		topics |= found;
		text += bytes + (text[bytes] == ',');
	}
	return topics;
}

/* A browser that comes back says it in a header. 0, -EINVAL: no such number. */
static int parse_last_id(struct MHD_Connection *connection, const struct url *url, uint64_t *ret_id)
{
	const char *text = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
						       "Last-Event-ID");
	char *end;

	*ret_id = 0;
	if (!text)
		text = url_query(url, "last_id");
	if (!text || !text[0])
		return 0;
	errno = 0;
	*ret_id = strtoull(text, &end, 10);
	return *end || errno || text[0] < '0' || text[0] > '9' ? -EINVAL : 0;
}

static enum MHD_Result send_stream(struct stream *stream)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, stream, free_stream);

	if (!response) {
		free_stream(stream);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Accel-Buffering", "no");
	reply_protect(response);
	enum MHD_Result result = MHD_queue_response(stream->connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result stream_answer(struct MHD_Connection *connection, struct feed *feed,
			      struct connections *connections, struct connection *place,
			      const struct url *url)
{
	const struct reply_how wrong = {.status = MHD_HTTP_BAD_REQUEST};
	const struct reply_how full = {.status = MHD_HTTP_SERVICE_UNAVAILABLE, .close = true};
	unsigned topics = parse_topics(url_query(url, "topics"));
	uint64_t last_id;

	if (!topics)
		return reply_error(connection, &wrong, "topics are anomalies and pipeline");
	if (parse_last_id(connection, url, &last_id) < 0)
		return reply_error(connection, &wrong, "the last event's id is a number");
	struct stream *stream = calloc(1, sizeof(*stream));
	if (!stream)
		return MHD_NO;
	*stream = (struct stream){
		.connection = connection, .connections = connections, .place = place};
	stream->subscriber = feed_subscribe(feed, topics, last_id, &ops, stream, monotonic_ms());
	if (!stream->subscriber) {
		free(stream);
		return reply_error(connection, &full, "too many listen already; try again later");
	}
	connections_phase(connections, place, CONNECTION_STREAM, monotonic_ms());
	return send_stream(stream);
}
