/*
 * listen: see listen.h.
 */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config_address.h"
#include "guard.h"

#define BACKLOG 512
/* What a client that does not read may hold in the kernel; twice that is taken. */
#define SEND_BYTES (64 << 10)
#define RECEIVE_BYTES (32 << 10)

static int refuse(int error, const char *text, char *why, size_t why_bytes)
{
	const char *advice = error == -EADDRINUSE ? "stop who does, or give another --listen"
						  : "give another --listen";

	snprintf(why, why_bytes, "cannot listen at %s: %s; %s", text, strerror(-error), advice);
	return error;
}

static int open_socket(int family)
{
	int one = 1, send_bytes = SEND_BYTES, receive_bytes = RECEIVE_BYTES;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* Connections inherit these. A port that a console left a moment ago is free. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
	return fd;
}

/* Does anybody still listen there? */
static int is_dead(const struct sockaddr_un *address)
{
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	int dead = stat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
		   connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		   errno == ECONNREFUSED;
	close(fd);
	return dead;
}

static int listen_unix(const char *text, struct guard *guard, char *why, size_t why_bytes)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = text + strlen("unix:");

	if (!path[0] || strlen(path) >= sizeof(address.sun_path))
		return refuse(-ENAMETOOLONG, text, why, why_bytes);
	memcpy(address.sun_path, path, strlen(path));
	int fd = open_socket(AF_UNIX);
	if (fd < 0)
		return refuse(fd, text, why, why_bytes);
	if (is_dead(&address))
		unlink(path);
	mode_t mask = umask(0117); /* its user and its group */
	int failed = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		     listen(fd, BACKLOG) < 0;
	int error = -errno;
	umask(mask);
	guard->local = true;
	if (!failed)
		return fd;
	close(fd);
	return refuse(error, text, why, why_bytes);
}

static void describe(const struct sockaddr_storage *address, struct guard *guard)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
	const void *bytes = address->ss_family == AF_INET ? (const void *)&four->sin_addr
							  : (const void *)&six->sin6_addr;

	inet_ntop(address->ss_family, bytes, guard->address, sizeof(guard->address));
	guard->port = ntohs(address->ss_family == AF_INET ? four->sin_port : six->sin6_port);
	guard->local = config_address_is_loopback(address);
	guard->any_address = address->ss_family == AF_INET
				     ? four->sin_addr.s_addr == htonl(INADDR_ANY)
				     : IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr);
}

/* As a configuration has it, and also with port 0: any that is free. */
static int parse(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_bytes)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;
	char other[80];
	size_t bytes = strlen(text);

	if (bytes < 2 || bytes >= sizeof(other) || strcmp(text + bytes - 2, ":0") != 0)
		return config_address(text, ret_address, ret_bytes);
	memcpy(other, text, bytes + 1);
	other[bytes - 1] = '1';
	int error = config_address(other, ret_address, ret_bytes);
	if (!error && ret_address->ss_family == AF_INET)
		four->sin_port = 0;
	else if (!error)
		six->sin6_port = 0;
	return error;
}

int listen_at(const char *text, struct guard *guard, char *why, size_t why_bytes)
{
	struct sockaddr_storage address;
	socklen_t bytes;

	if (strncmp(text, "unix:", 5) == 0)
		return listen_unix(text, guard, why, why_bytes);
	if (parse(text, &address, &bytes) < 0) {
		snprintf(why, why_bytes,
			 "--listen %s: an address and a port, as 127.0.0.1:8474 or [::1]:8474, or "
			 "unix:PATH",
			 text);
		return -EINVAL;
	}
	int fd = open_socket(address.ss_family);
	if (fd < 0)
		return refuse(fd, text, why, why_bytes);
	if (bind(fd, (const struct sockaddr *)&address, bytes) < 0 || listen(fd, BACKLOG) < 0) {
		int error = -errno;
		close(fd);
		return refuse(error, text, why, why_bytes);
	}
	getsockname(fd, (struct sockaddr *)&address, &bytes);
	describe(&address, guard);
	return fd;
}
