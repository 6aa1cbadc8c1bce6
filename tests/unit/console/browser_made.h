/*
 * browser_made: a client of the console that keeps its connection: asks, and reads one answer.
 */
#ifndef UNIT_CONSOLE_BROWSER_MADE_H
#define UNIT_CONSOLE_BROWSER_MADE_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

#define BROWSER_PATIENCE_MS 120000

struct browser {
	int fd;
	unsigned status;
	size_t bytes; /* of the answer, whole */
	char text[16384];
};

/* False: nobody listens there. */
static inline bool browser_try_open(struct browser *browser, unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	browser->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(browser->fd >= 0);
	if (connect(browser->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return true;
	check(errno == ECONNREFUSED);
	close(browser->fd);
	return false;
}

static inline void browser_open(struct browser *browser, unsigned port)
{
	check(browser_try_open(browser, port));
}

static inline void browser_close(struct browser *browser)
{
	close(browser->fd);
}

/* `json`: what is posted; NULL: a GET. False: the other side has gone. */
static inline bool browser_try_says(struct browser *browser, const char *path, const char *json)
{
	char text[1024];
	int bytes = json ? snprintf(text, sizeof(text),
				    "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
				    "application/json\r\nContent-Length: %zu\r\n\r\n%s",
				    path, strlen(json), json)
			 : snprintf(text, sizeof(text),
				    "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);

	check(bytes > 0 && (size_t)bytes < sizeof(text));
	return send(browser->fd, text, (size_t)bytes, MSG_NOSIGNAL) == bytes;
}

static inline void browser_says(struct browser *browser, const char *path, const char *json)
{
	check(browser_try_says(browser, path, json));
}

static inline bool browser_has_news(const struct browser *browser, int patience_ms)
{
	struct pollfd wait = {.fd = browser->fd, .events = POLLIN};

	return poll(&wait, 1, patience_ms) == 1;
}

/* Of the answer that has begun to come; 0: not known yet. */
static inline size_t browser_whole(const struct browser *browser)
{
	const char *end = strstr(browser->text, "\r\n\r\n");
	const char *length = strcasestr(browser->text, "\r\nContent-Length:");

	if (!end)
		return 0;
	check(length && length < end);
	return (size_t)(end + 4 - browser->text) + (size_t)atol(length + 17);
}

/* One answer, whole. False: the connection ended, or nothing came. */
static inline bool browser_hears(struct browser *browser)
{
	size_t whole = 0;

	browser->bytes = 0;
	browser->status = 0;
	do {
		if (!browser_has_news(browser, BROWSER_PATIENCE_MS))
			return false;
		ssize_t got = recv(browser->fd, browser->text + browser->bytes,
				   sizeof(browser->text) - 1 - browser->bytes, 0);
		if (got <= 0)
			return false;
		browser->bytes += (size_t)got;
		browser->text[browser->bytes] = '\0';
		whole = browser_whole(browser);
		check(whole < sizeof(browser->text));
	} while (!whole || browser->bytes < whole);
	check(browser->bytes == whole);
	check(sscanf(browser->text, "HTTP/1.1 %3u ", &browser->status) == 1);
	return true;
}

/* Ask, and hear. */
static inline unsigned browser_asks(struct browser *browser, const char *path, const char *json)
{
	browser_says(browser, path, json);
	return browser_hears(browser) ? browser->status : 0;
}

#endif
