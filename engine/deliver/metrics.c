/*
 * metrics: see metrics.h.
 *
 * Idea:  the library parses and writes, our agent is its thread. All is bounded: clients, memory
 *        of each, seconds for a request to come and a page to go.
 * Never: waits for a client; reads a request's body.
 */
#include "deliver/metrics.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define CLIENTS_MAX 16u
#define CLIENT_BYTES 8192u /* a longer request line is refused */
#define PATIENCE_S 5u
#define WAIT_MS 50

struct metrics {
	struct MHD_Daemon *daemon;
	metrics_page *page;
	void *self;
};

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status, char *text,
				 enum MHD_ResponseMemoryMode mode, const char *type)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, mode);

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return send_text(connection, status, (char *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT,
			 "text/plain; charset=utf-8");
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *body,
				  size_t *body_bytes, void **request)
{
	struct metrics *metrics = self;

	(void)version;
	(void)body;
	(void)request;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		*body_bytes = 0;
		return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
	}
	if (strcmp(url, "/-/healthy") == 0)
		return say(connection, MHD_HTTP_OK, "ok\n");
	if (strcmp(url, "/metrics") != 0)
		return say(connection, MHD_HTTP_NOT_FOUND, "only /metrics and /-/healthy\n");
	char *page = metrics->page(metrics->self);
	if (!page)
		return say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	return send_text(connection, MHD_HTTP_OK, page, MHD_RESPMEM_MUST_FREE,
			 "text/plain; version=0.0.4; charset=utf-8");
}

/* What the library has to say is about clients, who are not ours to mend. */
static void on_message(void *self, const char *format, va_list arguments)
{
	(void)self;
	(void)format;
	(void)arguments;
}

static int listen_at(const struct sockaddr *address, socklen_t bytes)
{
	int one = 1;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* A port that an engine left a moment ago is free. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, address, bytes) < 0 || listen(fd, CLIENTS_MAX) < 0) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

int metrics_open(const char *name, const struct sockaddr *address, socklen_t bytes,
		 metrics_page *page, void *self, struct metrics **ret_metrics, char *why,
		 size_t why_bytes)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics) {
		snprintf(why, why_bytes, "not enough memory to start");
		return -ENOMEM;
	}
	metrics->page = page;
	metrics->self = self;
	int fd = listen_at(address, bytes);
	if (fd < 0) {
		snprintf(why, why_bytes, "prometheus.listen: cannot listen at %s: %s; %s", name,
			 strerror(-fd),
			 fd == -EADDRINUSE ? "stop who does, or write another port"
					   : "write another address, or remove the key");
		free(metrics);
		return fd;
	}
	metrics->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL,
					   on_request, metrics, MHD_OPTION_EXTERNAL_LOGGER,
					   on_message, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
					   MHD_OPTION_CONNECTION_LIMIT, CLIENTS_MAX,
					   MHD_OPTION_CONNECTION_TIMEOUT, PATIENCE_S,
					   MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CLIENT_BYTES,
					   MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (!metrics->daemon) {
		snprintf(why, why_bytes, "prometheus.listen: libmicrohttpd does not start");
		close(fd);
		free(metrics);
		return -EIO;
	}
	*ret_metrics = metrics;
	return 0;
}

int metrics_step(void *self, uint64_t now_ns)
{
	struct metrics *metrics = self;

	(void)now_ns;
	/* It says yes whether or not there was anything to do. */
	MHD_run_wait(metrics->daemon, WAIT_MS);
	return 0;
}

void metrics_close(struct metrics *metrics)
{
	MHD_stop_daemon(metrics->daemon); /* closes the socket */
	free(metrics);
}
