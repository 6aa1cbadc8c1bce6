/*
 * fdstore: what the engine says to the service manager, and the descriptors it leaves with it.
 *
 * Idea:  a producer and the engine may both be killed within one second; what the producer had
 *        published is then in memory that only a third process can keep alive. The manager is that
 *        third: it gets a copy of each region and ring the moment they are attached, and gives all
 *        of them to the next engine, which drains them before anything else.
 *
 *   engine                                 manager (systemd, weird --supervise)
 *   FDSTORE=1 FDNAME=u0.<uuid>.3 + fd  ->  keeps it
 *   FDSTOREREMOVE=1 FDNAME=...         ->  closes it          (drained to the end)
 *   next engine: $LISTEN_FDS, $LISTEN_FDNAMES <- descriptors 3, 4, ...
 *
 * Runs on:  see the header.
 * Never:    waits longer than WAIT_MS for a manager; fails its caller for want of one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/passing.h"
#include "fdstore.h"
#include "weir/order.h"

#define LISTEN_FIRST_FD 3
/* A manager's queue holds ten datagrams by default; it empties it in microseconds. */
#define WAIT_MS 100
#define NAME_BYTES_MAX 255

/* A number from the environment; 0: none. */
static uint64_t environment_number(const char *name)
{
	const char *text = getenv(name);
	char *end;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	return errno || *end ? 0 : number;
}

static int connect_manager(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t bytes = strlen(path);

	if ((*path != '/' && *path != '@') || bytes < 2 || bytes >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, path, bytes);
	if (*path == '@')
		address.sun_path[0] = 0; /* an abstract name: no file, its length counts */
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, length) < 0) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

int fdstore_open(struct fdstore *store)
{
	const char *path = getenv("NOTIFY_SOCKET");
	uint64_t watchdog_us = environment_number("WATCHDOG_USEC");
	uint64_t watchdog_pid = environment_number("WATCHDOG_PID");

	*store = (struct fdstore){.socket = -1};
	if (!path || !*path)
		return 0;
	int fd = connect_manager(path);
	unsetenv("NOTIFY_SOCKET");
	if (fd < 0)
		return fd;
	store->socket = fd;
	if (!watchdog_pid || watchdog_pid == (uint64_t)getpid())
		store->watchdog_ns = watchdog_us * 1000;
	return 0;
}

void fdstore_close(struct fdstore *store)
{
	if (store->socket >= 0)
		close(store->socket);
	store->socket = -1;
}

/* One datagram, with a descriptor or -1. */
static int send_datagram(struct fdstore *store, const char *text, int fd)
{
	struct passing passing;
	struct iovec data = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
	struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};

	if (store->socket < 0)
		return 0;
	if (fd >= 0)
		passing_put(&header, &passing, fd);
	ssize_t sent = sendmsg(store->socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno == EAGAIN) {
		struct pollfd writable = {.fd = store->socket, .events = POLLOUT};
		poll(&writable, 1, WAIT_MS);
		sent = sendmsg(store->socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	if (sent >= 0)
		return 0;
	int error = -errno;
	weir_add_64(&store->unsent, 1); /* a number for people */
	return error;
}

int fdstore_notify(struct fdstore *store, const char *text)
{
	return send_datagram(store, text, -1);
}

void fdstore_keep(void *self, const char *name, int fd)
{
	char text[NAME_BYTES_MAX + 32];

	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
	int error = send_datagram(self, text, fd);
	if (error < 0)
		log_warning("fdstore",
			    "the manager does not keep %s (%s): if engine and producer die "
			    "together, its last events are lost",
			    name, strerror(-error));
}

void fdstore_drop(void *self, const char *name)
{
	char text[NAME_BYTES_MAX + 32];

	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	int error = send_datagram(self, text, -1);
	if (error < 0)
		log_warning("fdstore", "the manager does not let go of %s: %s", name,
			    strerror(-error));
}

/* Cut the next of the names off the list, "" when it is short. */
static const char *next_name(char **list)
{
	static const char none[] = "";
	char *name = strsep(list, ":");
	return name ? name : none;
}

static bool is_region(const char *name)
{
	return strstr(name, ".region.") != NULL;
}

uint32_t fdstore_take(struct fdstore *store, int (*take)(void *self, const char *name, int fd),
		      void *self)
{
	uint64_t count = environment_number("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	int fd_max = (int)sysconf(_SC_OPEN_MAX);

	if (environment_number("LISTEN_PID") != (uint64_t)getpid() || !count ||
	    count > (uint64_t)fd_max)
		return 0;
	/* Rings are of no use before their region, and a manager keeps no order. */
	for (int rings = 0; rings <= 1; rings++) {
		char *copy = strdup(names ? names : ""), *rest = copy;
		for (uint64_t i = 0; i < count; i++) {
			int fd = LISTEN_FIRST_FD + (int)i;
			const char *name = copy ? next_name(&rest) : "";
			if (is_region(name) == (bool)rings || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
				continue;
			if (take(self, name, fd) < 0)
				close(fd);
			else
				store->taken++;
		}
		free(copy);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return store->taken;
}
