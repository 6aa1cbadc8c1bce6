/*
 * metrics: a page for Prometheus over HTTP. The only user of libmicrohttpd.
 *
 *   GET /metrics     the page that `page` gives
 *   GET /-/healthy   "ok": the engine answers
 *   anything else    404, 405
 *
 * Runs on: the metrics agent. Knows no stage. Who may ask is decided by the address listened at:
 * there is no password, and no page that changes anything.
 */
#ifndef DELIVER_METRICS_H
#define DELIVER_METRICS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct metrics;

/* The page, malloc'd; NULL: no memory. */
typedef char *metrics_page(void *self);

/* `name` is the address as it was written, for messages. */
int metrics_open(const char *name, const struct sockaddr *address, socklen_t bytes,
		 metrics_page *page, void *self, struct metrics **ret_metrics, char *why,
		 size_t why_bytes);
int metrics_step(void *metrics, uint64_t now_ns); /* agent_step; waits at most 50 ms */
void metrics_close(struct metrics *metrics);

#endif
