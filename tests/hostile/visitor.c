/*
 * visitor: see visitor.h.
 */
#include "visitor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* Nothing takes so long, on the slowest machine: the console cuts who says nothing before. */
#define PATIENCE_MS 120000
/* Behind a whole answer on a connection that stays open: does more come? */
#define MORE_MS 5

int visitor_connect(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("cannot reach the console");
		exit(1);
	}
	return fd;
}

/* Where a head says that its body is so long; -1: it does not. */
static long body_bytes(const char *head, const char *end)
{
	static const char name[] = "\r\nContent-Length:";

	for (const char *at = head; at < end; at++)
		if (strncasecmp(at, name, strlen(name)) == 0)
			return atol(at + strlen(name));
	return -1;
}

/* Take the answers apart. Is the last of them whole? */
static void count_answers(struct visit *visit, const char *all, size_t bytes, bool head_only)
{
	const char *at = all, *end = all + bytes;

	visit->answers = 0;
	visit->whole = true;
	while (at < end) {
		const char *body = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
		unsigned status = 0;
		visit->whole = body && sscanf(at, "HTTP/1.1 %3u ", &status) == 1;
		if (!visit->whole)
			return;
		body += 4;
		bool bare = head_only || status < 200 || status == 204 || status == 304;
		long length = bare ? 0 : body_bytes(at, body);
		/* Without a length it ends with the connection. */
		visit->whole = length >= 0 && length <= end - body;
		if (!visit->whole)
			return;
		if (!visit->status && status >= 200)
			visit->status = status;
		visit->answers += status >= 200;
		at = body + length;
	}
}

/* Until it ends, or has answered and says no more. */
static void read_all(int fd, const struct visitor *visitor, struct visit *visit)
{
	const int patience_ms = visitor->patience_ms ? (int)visitor->patience_ms : PATIENCE_MS;
	static char all[1 << 20];
	size_t used = 0;

	while (used < sizeof(all) - 1) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		bool answered = visit->answers > 0 && visit->whole;
		if (poll(&wait, 1, answered ? MORE_MS : patience_ms) <= 0)
			break;
		ssize_t got = recv(fd, all + used, sizeof(all) - 1 - used, 0);
		if (got < 0 && errno == EINTR)
			continue;
		visit->closed = got <= 0;
		if (got <= 0)
			break;
		used += (size_t)got;
		all[used] = '\0';
		count_answers(visit, all, used, visitor->head_only);
	}
	visit->bytes = used < sizeof(visit->text) ? used : sizeof(visit->text) - 1;
	memcpy(visit->text, all, visit->bytes);
	visit->text[visit->bytes] = '\0';
}

void visitor_ask(const struct visitor *visitor, const char *bytes, size_t count,
		 struct visit *ret_visit)
{
	int fd = visitor_connect(visitor->port);
	size_t sent = 0;

	*ret_visit = (struct visit){.whole = true};
	while (sent < count) {
		struct pollfd wait = {.fd = fd, .events = POLLOUT | POLLIN};
		if (poll(&wait, 1, PATIENCE_MS) <= 0)
			break;
		/* It has answered before it has heard all: that is to be read. */
		if (wait.revents & POLLIN && !(wait.revents & POLLOUT))
			break;
		ssize_t part = send(fd, bytes + sent, count - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (part < 0 && errno != EAGAIN && errno != EINTR)
			break;
		sent += part > 0 ? (size_t)part : 0;
	}
	if (visitor->end)
		shutdown(fd, SHUT_WR);
	read_all(fd, visitor, ret_visit);
	close(fd);
}
