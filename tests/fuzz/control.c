/*
 * control: bytes as what an operator's client says on the control socket, in pieces. Behind one
 * that begins with a tab, too much time goes by.
 *
 * Holds: a whole line is answered by a line, whatever it is, or the client is sent away; the next
 * client is served.
 */
#include "deliver/control.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "target.h"

#define LINES_MAX 12

int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

/* Where nobody is left it would wait for somebody to come. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	(void)timeout_ms;
	return __real_poll(fds, count, 0);
}

static char *answer(void *self, const char *command, const void *request)
{
	(void)self;
	check(command && request);
	return strdup(strlen(command) % 2 ? "{\"ok\":true}" : "{\"ok\":false,\"error\":\"no\"}");
}

static char path[64];

static void remove_socket(void)
{
	unlink(path);
}

static struct control *open_control(void)
{
	struct control *control;
	char why[256];

	snprintf(path, sizeof(path), "./fuzz-control-%d.sock", (int)getpid());
	check(control_open(path, answer, NULL, &control, why, sizeof(why)) == 0);
	atexit(remove_socket);
	return control;
}

/* What has come of answers is taken at once: an engine that waits for us to read would make a run
 * long. 0: the end of them. */
static ssize_t hear(int fd, size_t *heard, size_t *lines)
{
	char said[4096];
	ssize_t got;

	/* Sent away before all was read, one is told so once; then comes the end. */
	while ((got = recv(fd, said, sizeof(said), MSG_DONTWAIT)) > 0 ||
	       (got < 0 && errno == ECONNRESET))
		for (ssize_t i = 0; i < got; i++, ++*heard)
			*lines += said[i] == '\n';
	return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct control *control;
	static uint64_t now_ns;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t sent = 0, heard = 0, lines = 0, whole = 0;
	ssize_t got = 1;

	if (!control)
		control = open_control();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(address.sun_path, path, sizeof(path));
	check(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	/* More lines than a few say nothing new. */
	for (size_t i = 0; i < size; i++)
		if (data[i] == '\n' && ++whole == LINES_MAX)
			size = i + 1;
	while (sent < size) {
		size_t piece = 1 + data[sent] * 4u;
		bool late = data[sent] == '\t';
		piece = piece > size - sent ? size - sent : piece;
		got = send(fd, data + sent, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (got <= 0)
			break;
		sent += (size_t)got;
		control_step(control, now_ns += late ? 6000000000 : 1000);
		hear(fd, &heard, &lines);
	}
	shutdown(fd, SHUT_WR);
	/* Each line takes one turn to be read, and one or two to be answered. */
	got = hear(fd, &heard, &lines);
	for (size_t turns = 0; got != 0 && turns < 400 + 4 * whole; turns++) {
		control_step(control, now_ns += 1000);
		got = hear(fd, &heard, &lines);
	}
	check(got == 0 && lines <= whole + 1 && (heard == 0 || lines > 0));
	close(fd);
	return 0;
}
