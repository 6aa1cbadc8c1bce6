/*
 * console_http: as much of HTTP as it takes to measure a server on loopback: one request on one
 * connection, and how much a page with all that it refers to weighs.
 */
#ifndef BENCH_CONSOLE_HTTP_H
#define BENCH_CONSOLE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_answer {
	int status;
	bool gzip; /* the body is packed: gzip, or brotli */
	char *body; /* NUL behind it; to be freed */
	size_t body_bytes;
	double seconds; /* from connect to the last byte */
};

/* Connected to loopback; a negative errno. */
int http_connect(uint16_t port);
/* Send a GET for a stream or a download, and read nothing. 0 or a negative errno. */
int http_send_get(int fd, uint16_t port, const char *path, bool gzip, const char *more);
/* GET and the whole answer. 0 (look at status), or a negative errno with `why`. */
int http_get(uint16_t port, const char *path, bool gzip, struct http_answer *ret_answer, char *why,
	     size_t why_bytes);
void http_answer_fini(struct http_answer *answer);

struct http_weight {
	uint32_t files;
	uint64_t bytes;  /* of bodies, packed where the server packs */
	double seconds;  /* of all requests, one after the other */
};
/* The page at `path` and every file of ours that it, its scripts and its styles name. 0, or a
 * negative errno with `why`. */
int http_weigh(uint16_t port, const char *path, struct http_weight *ret_weight, char *why,
	       size_t why_bytes);

#endif
