/*
 * keeper: the part of `weird --supervise` that listens to the engine and keeps descriptors for it.
 *
 * Idea:  the engine says what a service manager would hear (sd_notify(3)): READY=1, WATCHDOG=1,
 *        FDSTORE=1 and FDSTOREREMOVE=1 with FDNAME. A kept descriptor is a number and a name;
 *        it is never read or mapped. One name stands for one descriptor.
 *
 * Runs on:  the only thread of the parent.
 * Never:    takes a word from anybody but the child; holds more than KEEPER_MAX descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/monotonic.h"
#include "keeper.h"

int keeper_open(struct keeper *keeper, int fd_min)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t bytes = sizeof(address);
	int on = 1;

	keeper->fd_min = fd_min;
	keeper->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* An address of the family alone: the kernel chooses an abstract name. */
	if (keeper->socket < 0 ||
	    bind(keeper->socket, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
	    getsockname(keeper->socket, (struct sockaddr *)&address, &bytes) < 0 ||
	    setsockopt(keeper->socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	snprintf(keeper->address, sizeof(keeper->address), "@%.*s",
		 (int)(bytes - offsetof(struct sockaddr_un, sun_path) - 1), address.sun_path + 1);
	return 0;
}

void keeper_close(struct keeper *keeper)
{
	while (keeper->count)
		close(keeper->kept[--keeper->count].fd);
	close(keeper->socket);
}

char *keeper_names(const struct keeper *keeper)
{
	size_t bytes = (size_t)KEEPER_MAX * KEEPER_NAME_BYTES, used = 0;
	char *names = calloc(1, bytes);

	for (int i = 0; names && i < keeper->count; i++)
		used += (size_t)snprintf(names + used, bytes - used, "%s%s", i ? ":" : "",
					 keeper->kept[i].name);
	return names;
}

static void keep(struct keeper *keeper, const char *name, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, keeper->fd_min);

	if (copy < 0 || keeper->count == KEEPER_MAX || keeper->count + 3 >= keeper->fd_min) {
		log_warning("supervise", "no room to keep %s", name);
		if (copy >= 0)
			close(copy);
		return;
	}
	struct kept *kept = &keeper->kept[keeper->count++];
	snprintf(kept->name, sizeof(kept->name), "%s", name);
	kept->fd = copy;
}

static void drop(struct keeper *keeper, const char *name)
{
	for (int i = 0; i < keeper->count;) {
		if (strcmp(keeper->kept[i].name, name)) {
			i++;
			continue;
		}
		close(keeper->kept[i].fd);
		keeper->kept[i] = keeper->kept[--keeper->count];
	}
}

/* One datagram of the engine: lines of KEY=value, and perhaps a descriptor. */
static void obey(struct keeper *keeper, char *text, int fd)
{
	const char *name = NULL;
	bool store = false, remove = false;

	for (char *line; (line = strsep(&text, "\n"));) {
		if (!strcmp(line, "READY=1"))
			keeper->ready = true;
		else if (!strcmp(line, "WATCHDOG=1"))
			keeper->pinged_ms = monotonic_ms();
		else if (!strcmp(line, "FDSTORE=1"))
			store = true;
		else if (!strcmp(line, "FDSTOREREMOVE=1"))
			remove = true;
		else if (!strncmp(line, "FDNAME=", 7))
			name = line + 7;
	}
	if (!name || strlen(name) >= KEEPER_NAME_BYTES || strchr(name, ':'))
		return;
	if (store || remove)
		drop(keeper, name); /* one name, one descriptor: a later one replaces it */
	if (store && fd >= 0)
		keep(keeper, name, fd);
}

bool keeper_hear(struct keeper *keeper)
{
	char text[512];
	_Alignas(struct cmsghdr) char
		control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(16 * sizeof(int))];
	struct iovec data = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr header = {.msg_iov = &data,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	struct ucred from = {.pid = 0};
	int fd = -1;

	ssize_t bytes = recvmsg(keeper->socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (bytes < 0)
		return errno == EINTR;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&from, CMSG_DATA(c), sizeof(from));
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			if (fd >= 0)
				close(fd);
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
		}
	}
	text[bytes] = 0;
	/* Anybody can send to an abstract name. A pid is the kernel's word, and the child is not
	 * reaped before its last datagram is read, so it is still nobody else's. */
	if (keeper->child && from.pid == keeper->child &&
	    !(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		obey(keeper, text, fd);
	if (fd >= 0)
		close(fd);
	return true;
}
