/*
 * server: see server.h.
 */
#include "server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "asset.h"
#include "base/monotonic.h"
#include "connections.h"
#include "console.h"
#include "crew.h"
#include "feed.h"
#include "guard.h"
#include "head.h"
#include "listen.h"
#include "reply.h"
#include "reports.h"
#include "route.h"
#include "stream.h"
#include "url.h"
#include "weir/order.h"

#define THREADS 4u /* they wait for nobody */
/* Of those who look and of those who tell; engine_link.c lets four and two of them wait for the
 * engine, the others refuse what comes meanwhile. */
#define LOOKERS 8u
#define LOOKS_WAITING_MAX 2048u /* all pages look when an interval is closed */
#define TELLERS 4u
#define TELLS_WAITING_MAX 32u
#define LAST_MS 1000u /* at the end, for answers to be taken */
#define CONNECTION_BYTES                                                                           \
	(16u << 10)     /* the library's, of each: a head of 8 KiB and the answer's                \
			 */
#define SILENCE_S 60u   /* connections.c cuts long before */
#define BODIES_MAX 128u /* at a time; with more, who takes longest loses his */
#define BODIES_CUT 128u /* and such that are being cut */
#define AUTHOR_BYTES 65 /* as the engine keeps them */
#define KEY_BYTES 65
#define BODY_DRAINED_MAX (1u << 20) /* of one that is refused, so that its sender sees why */

struct server {
	struct console *console;
	const struct guard *guard;
	struct MHD_Daemon *daemon;
	struct connections *connections;
	struct crew *lookers, *tellers;
	uint32_t bodies; /* in memory */
	uint32_t handed; /* requests that a crew has, or whose answer is on its way */
};

struct request {
	const char *target_at; /* where the library has it */
	char *target;
	struct url url;
	bool begun, has_body;
	struct guard_verdict verdict;
	char *body;
	size_t body_bytes, body_room, body_seen;
	/* What its handler is given, and says. */
	struct crew_job job;
	struct server *server;
	struct MHD_Connection *connection;
	struct route_match match;
	char author[AUTHOR_BYTES], key[KEY_BYTES];
	struct api_request given;
	bool handed; /* to a crew, which is done with it when the library asks again */
	unsigned status;
	json_t *answer;
};

static struct connection *place_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void set_phase(struct server *server, struct MHD_Connection *connection,
		      enum connection_phase phase)
{
	struct connection *place = place_of(connection);

	if (place)
		connections_phase(server->connections, place, phase, monotonic_ms());
}

/* The first of a request, before the library decodes the target where it lies. */
static void *on_target(void *self, const char *target, struct MHD_Connection *connection)
{
	struct request *request = calloc(1, sizeof(*request));

	(void)self;
	(void)connection;
	if (!request)
		return NULL;
	request->target_at = target;
	request->target = strdup(target ? target : "");
	return request;
}

static size_t keep_escaped(void *self, struct MHD_Connection *connection, char *text)
{
	(void)self;
	(void)connection;
	return strlen(text);
}

/* What its head says, and whether it goes on. */
static void look_at_head(struct server *server, struct MHD_Connection *connection,
			 struct request *request, const char *method, const char *version)
{
	struct guard_verdict *verdict = &request->verdict;
	const struct head_lines line = {.method = method,
					.target_at = request->target_at,
					.version = version,
					.target = request->target};
	struct guard_head head;
	const char *why = NULL;

	head_read(connection, &line, &head);
	int error = url_parse(request->target, &request->url, &why);
	if (!error)
		head.path = request->url.path;
	request->has_body = head.transfer_encoding ||
			    (head.content_length && strcmp(head.content_length, "0") != 0);
	guard_check(server->guard, &head, verdict);
	if (!verdict->status && error)
		*verdict = (struct guard_verdict){.status = error == -ENOMEM ? 503 : 400,
						  .why = why ? why : "out of memory"};
}

/* Room for more of a body; false: too long, or too many at once. */
static bool keep_body(struct server *server, struct request *request, const char *bytes,
		      size_t count)
{
	struct guard_verdict *verdict = &request->verdict;

	if (request->body_bytes + count > GUARD_BODY_BYTES_MAX) {
		*verdict = (struct guard_verdict){
			.status = 413, .why = "the body is longer than 64 KiB", .close = true};
		return false;
	}
	if (!request->body) {
		weir_add_32(&server->bodies, 1);
		uint32_t bodies = weir_load_relaxed_32(&server->bodies);
		if (bodies > BODIES_MAX)
			connections_evict(server->connections, CONNECTION_BODY, BODIES_MAX);
		if (bodies > BODIES_MAX + BODIES_CUT) {
			weir_add_32(&server->bodies, UINT32_MAX);
			*verdict = (struct guard_verdict){.status = 503,
							  .why = "too many write at once"};
			return false;
		}
	}
	if (request->body_bytes + count > request->body_room) {
		size_t room = 2 * (request->body_bytes + count);
		char *grown = realloc(request->body, room);
		if (!grown && !request->body)
			weir_add_32(&server->bodies, UINT32_MAX);
		if (!grown)
			return false;
		request->body = grown;
		request->body_room = room;
	}
	memcpy(request->body + request->body_bytes, bytes, count);
	request->body_bytes += count;
	return true;
}

/* Of one that is refused the rest is read and forgotten, up to a point. */
static enum MHD_Result take_body(struct server *server, struct request *request, const char *bytes,
				 size_t *count)
{
	request->body_seen += *count;
	if (!request->verdict.status && !keep_body(server, request, bytes, *count) &&
	    !request->verdict.status)
		request->verdict = (struct guard_verdict){.status = 503, .why = "out of memory"};
	*count = 0;
	return request->body_seen > BODY_DRAINED_MAX ? MHD_NO : MHD_YES;
}

/* The object that a POST brings; an empty body is an empty one. NULL: *ret_why. */
static json_t *parse_body(const struct request *request, char *why, size_t why_bytes)
{
	json_error_t where;

	if (!request->body_bytes)
		return json_object();
	json_t *body = json_loadb(request->body, request->body_bytes, JSON_REJECT_DUPLICATES,
				  &where);
	if (body && !json_is_object(body)) {
		json_decref(body);
		body = NULL;
		snprintf(where.text, sizeof(where.text), "it is no object");
	}
	if (!body)
		snprintf(why, why_bytes, "the body is not the JSON that is wanted: %s", where.text);
	return body;
}

/* Who writes, as the proxy says, else the body: what fits the engine's records and can be shown.
 * False: that cannot be. */
static bool take_author(struct server *server, struct MHD_Connection *connection,
			const json_t *body, char author[AUTHOR_BYTES])
{
	const char *name = server->console->options->author_header;
	const char *said = NULL;

	if (name)
		said = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
	else if (body)
		said = json_string_value(json_object_get(body, "author"));
	if (!said || !said[0])
		said = "console";
	bool fits = strlen(said) < AUTHOR_BYTES && url_is_text(said);
	snprintf(author, AUTHOR_BYTES, "%s", fits ? said : "");
	return fits;
}

/* Under which it is said (API.md). False: it is none. */
static bool take_key(struct MHD_Connection *connection, char key[KEY_BYTES])
{
	const char *said = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
						       "Idempotency-Key");
	size_t bytes = said ? strlen(said) : 0;

	for (size_t i = 0; i < bytes; i++)
		if (said[i] <= ' ' || said[i] > '~')
			return false;
	if (said && (bytes == 0 || bytes >= KEY_BYTES))
		return false;
	snprintf(key, KEY_BYTES, "%s", said ? said : "");
	return true;
}

static void handle(struct request *request)
{
	request->status = 200;
	request->answer = request->match.handler(request->server->console, &request->given,
						 &request->status);
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, struct request *request)
{
	const struct reply_how how = {.status = request->status};
	json_t *answer = request->answer;

	request->answer = NULL;
	return reply_json(connection, &how, answer);
}

/* On a thread of a crew. Once it is resumed, the request is the library's again. */
static void on_turn(void *self, bool ends)
{
	struct request *request = self;

	if (ends)
		request->answer = api_error(&request->status, 503,
					    "this console is being stopped: nothing was done");
	else
		handle(request);
	MHD_resume_connection(request->connection);
}

/* What may wait, for the engine or for the disk, is done by a crew, and its connection sleeps: the
 * library's threads have others to serve. It is asleep before anybody can wake it. */
static enum MHD_Result hand_over(struct server *server, struct crew *crew, struct request *request)
{
	request->handed = true;
	weir_add_32(&server->handed, 1);
	request->job = (struct crew_job){.run = on_turn, .self = request};
	set_phase(server, request->connection, CONNECTION_WAIT);
	MHD_suspend_connection(request->connection);
	if (!crew_bring(crew, &request->job)) {
		request->answer = api_error(&request->status, 503,
					    "too many wait for an answer already: try again");
		MHD_resume_connection(request->connection);
	}
	return MHD_YES;
}

static enum MHD_Result answer_api(struct server *server, struct MHD_Connection *connection,
				  const char *method, struct request *request)
{
	struct api_request *given = &request->given;
	const struct reply_how wrong = {.status = 400};
	char why[256];

	*given = (struct api_request){.id = request->match.id,
				      .url = &request->url,
				      .author = request->author,
				      .key = request->key};
	if (strcmp(method, "POST") == 0) {
		given->body = parse_body(request, why, sizeof(why));
		if (!given->body)
			return reply_error(connection, &wrong, why);
	}
	if (!take_author(server, connection, given->body, request->author))
		return reply_error(connection, &wrong,
				   "the author's name is longer than 64 bytes, or no plain text");
	if (!take_key(connection, request->key))
		return reply_error(connection, &wrong,
				   "Idempotency-Key has to be 1 to 64 characters of ASCII, "
				   "without blanks");
	request->server = server;
	request->connection = connection;
	switch (request->match.pace) {
	case ROUTE_LOOKS:
		return hand_over(server, server->lookers, request);
	case ROUTE_TELLS:
		return hand_over(server, server->tellers, request);
	default:
		handle(request);
		return send_answer(connection, request);
	}
}

static enum MHD_Result answer_nothing(struct MHD_Connection *connection, const char *allow)
{
	const struct reply_how absent = {.status = 404};
	const struct reply_how other = {.status = 405, .allow = allow};

	return allow ? reply_error(connection, &other, "not with that method")
		     : reply_error(connection, &absent, "there is no such page");
}

static enum MHD_Result answer(struct server *server, struct MHD_Connection *connection,
			      const char *method, struct request *request)
{
	const char *path = request->url.path;
	struct route_match *match = &request->match;
	bool reads = strcmp(method, "HEAD") == 0 || strcmp(method, "GET") == 0;

	method = reads ? "GET" : method;
	route_find(method, path, match);
	if (match->handler)
		return answer_api(server, connection, method, request);
	if (strcmp(path, "/api/v1/csp") == 0 && strcmp(method, "POST") == 0) {
		reports_take(request->body, request->body_bytes);
		return reply_nothing(connection);
	}
	if (strcmp(path, "/api/v1/csp") == 0)
		return answer_nothing(connection, "POST");
	if (match->allow || strncmp(path, "/api/", 5) == 0) {
		if (strcmp(path, "/api/v1/events") != 0)
			return answer_nothing(connection, match->allow);
		if (reads)
			return stream_answer(connection, server->console->feed, server->connections,
					     place_of(connection), &request->url);
		return answer_nothing(connection, "GET, HEAD");
	}
	/* The first page names what it will ask for; where something is chosen, that is not it. */
	const char *page = strcmp(path, "/") == 0 && !request->url.query_count ? "/" : ASSET_PAGE;
	const struct asset *asset = asset_find(route_is_page(path) ? page : path);
	bool healthy = strcmp(path, "/-/healthy") == 0, icon = strcmp(path, "/favicon.ico") == 0;
	if (!asset && !healthy && !icon)
		return answer_nothing(connection, NULL);
	if (!reads)
		return answer_nothing(connection, "GET, HEAD");
	if (asset)
		return reply_asset(connection, asset);
	return healthy ? reply_text(connection, "ok\n") : reply_nothing(connection);
}

static enum MHD_Result refuse(struct MHD_Connection *connection,
			      const struct guard_verdict *verdict)
{
	const struct reply_how how = {
		.status = verdict->status, .allow = verdict->allow, .close = verdict->close};

	return reply_error(connection, &how, verdict->why);
}

/* Called with a request's head, with each part of its body, at its end, and when a crew is done. */
static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *body,
				  size_t *body_bytes, void **context)
{
	struct server *server = self;
	struct request *request = *context;

	(void)url;
	if (!request || !request->target)
		return MHD_NO;
	if (!request->begun) {
		request->begun = true;
		look_at_head(server, connection, request, method, version);
		set_phase(server, connection, CONNECTION_BODY);
		if (request->verdict.status && (request->verdict.close || !request->has_body))
			return refuse(connection, &request->verdict);
		return MHD_YES;
	}
	if (request->handed) {
		set_phase(server, connection, CONNECTION_ANSWER);
		return send_answer(connection, request);
	}
	if (*body_bytes > 0)
		return take_body(server, request, body, body_bytes);
	set_phase(server, connection, CONNECTION_ANSWER);
	if (request->verdict.status)
		return refuse(connection, &request->verdict);
	return answer(server, connection, method, request);
}

static void on_completed(void *self, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode why)
{
	struct server *server = self;
	struct request *request = *context;

	(void)why;
	set_phase(server, connection, CONNECTION_HEAD);
	if (!request)
		return;
	if (request->body)
		weir_add_32(&server->bodies, UINT32_MAX);
	if (request->handed)
		weir_add_32(&server->handed, UINT32_MAX);
	if (request->url.bytes)
		url_fini(&request->url);
	json_decref(request->given.body);
	json_decref(request->answer);
	free(request->target);
	free(request->body);
	free(request);
	*context = NULL;
}

static const struct sockaddr *address_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info ? info->client_addr : NULL;
}

static void on_connection(void *self, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct server *server = self;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		*context = info ? connections_add(server->connections, info->connect_fd,
						  address_of(connection), monotonic_ms())
				: NULL;
	else if (*context)
		connections_remove(server->connections, *context);
}

static enum MHD_Result on_accept(void *self, const struct sockaddr *address, socklen_t bytes)
{
	struct server *server = self;

	(void)bytes;
	return connections_admit(server->connections, address) ? MHD_YES : MHD_NO;
}

/* What the library has to say is about clients, who are not ours to mend. */
static void on_message(void *self, const char *format, va_list arguments)
{
	(void)self;
	(void)format;
	(void)arguments;
}

/* What is strict here is ours (read_head): version 0.9.75 says the head of its own refusal twice.
 */
static struct MHD_Daemon *start_daemon(struct server *server, int fd)
{
	return MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
		on_accept, server, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, THREADS,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
		MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_URI_LOG_CALLBACK, on_target, server,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, server, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_END);
}

static void free_server(struct server *server)
{
	if (server->lookers)
		crew_end(server->lookers);
	crew_close(server->lookers);
	if (server->tellers)
		crew_end(server->tellers);
	crew_close(server->tellers);
	if (server->connections)
		connections_close(server->connections);
	free(server);
}

int server_open(struct console *console, struct guard *guard, struct server **ret_server, char *why,
		size_t why_bytes)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	server->console = console;
	server->guard = guard;
	server->connections = connections_open();
	server->lookers = crew_open("looks", LOOKERS, LOOKS_WAITING_MAX);
	server->tellers = crew_open("tells", TELLERS, TELLS_WAITING_MAX);
	if (!server->connections || !server->lookers || !server->tellers) {
		free_server(server);
		snprintf(why, why_bytes, "not enough memory to start");
		return -ENOMEM;
	}
	int fd = listen_at(console->options->listen, guard, why, why_bytes);
	int error = fd < 0 ? fd : 0;
	if (!error) {
		console->token_required = guard_wants_token(guard);
		server->daemon = start_daemon(server, fd);
		if (!server->daemon) {
			snprintf(why, why_bytes, "libmicrohttpd does not start");
			close(fd);
			error = -EIO;
		}
	}
	if (error) {
		free_server(server);
		return error;
	}
	*ret_server = server;
	return 0;
}

static void nap(void)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	nanosleep(&pause, NULL);
}

void server_close(struct server *server)
{
	/* No connection may sleep when the library ends; a client should see its answer. */
	crew_end(server->tellers);
	crew_end(server->lookers);
	for (uint64_t until = monotonic_ms() + LAST_MS;
	     weir_load_relaxed_32(&server->handed) && monotonic_ms() < until;)
		nap();
	MHD_stop_daemon(server->daemon); /* closes the socket */
	free_server(server);
}

void server_tick(struct server *server)
{
	connections_sweep(server->connections, monotonic_ms());
}
