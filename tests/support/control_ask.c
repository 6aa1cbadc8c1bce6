/*
 * control_ask: a line to a control socket, a line back; see control_ask.h.
 */
#include "support/control_ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

size_t control_ask(const char *path, const char *line, char *answer, size_t bytes,
		   unsigned patience_s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = patience_s};
	size_t got = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    send(fd, line, strlen(line), MSG_NOSIGNAL) > 0)
		while (got < bytes - 1) {
			ssize_t n = recv(fd, answer + got, bytes - 1 - got, 0);
			/* A stop and its end interrupt a wait that has a bound. */
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				break;
			got += (size_t)n;
			if (answer[got - 1] == '\n')
				break;
		}
	answer[got] = '\0';
	close(fd);
	return got;
}
