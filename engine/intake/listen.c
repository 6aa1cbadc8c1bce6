/*
 * listen: the socket file that producers connect to.
 *
 * Idea:  a socket file outlives a killed engine, so one that exists is asked: who connects to it
 *        and is refused has found a dead one's. Anything that answers is left alone.
 *
 * Runs on:  the thread that starts and stops the engine.
 * Never:    removes a file that is not a dead socket, or not its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "intake/listen.h"

/* Connections that wait for one step of the intake agent; the kernel cuts it to somaxconn. */
#define BACKLOG 1024

__attribute__((format(printf, 4, 5))) static int fail(int status, char *why, size_t why_bytes,
						      const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, why_bytes, format, arguments);
	va_end(arguments);
	return status;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, path, strlen(path)); /* the length has been checked */
	return address;
}

static int bind_path(int fd, const char *path)
{
	struct sockaddr_un address = address_of(path);
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/* There is a file at `path`. 0: it was a dead socket and is gone now. */
static int remove_stale(const char *path, char *why, size_t why_bytes)
{
	struct sockaddr_un address = address_of(path);
	struct stat status;

	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return fail(
			-EEXIST, why, why_bytes,
			"%s exists and is not a socket: remove it, or set `socket` to another path",
			path);
	int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return fail(-errno, why, why_bytes, "socket: %s", strerror(errno));
	int status_connect = connect(probe, (struct sockaddr *)&address, sizeof(address)) < 0
				     ? -errno
				     : 0;
	close(probe);
	if (status_connect == -ENOENT)
		return 0;
	if (status_connect != -ECONNREFUSED)
		return fail(
			-EADDRINUSE, why, why_bytes,
			"another program listens on %s: stop it, or set `socket` to another path",
			path);
	if (unlink(path) < 0 && errno != ENOENT)
		return fail(-errno, why, why_bytes,
			    "cannot remove the socket %s of a dead engine: %s: remove it by hand",
			    path, strerror(errno));
	return 0;
}

static int explain_bind(int status, const char *path, char *why, size_t why_bytes)
{
	const char *slash = strrchr(path, '/');
	int bytes = slash ? (int)(slash - path) : 1;
	const char *directory = slash ? path : ".";

	if (slash == path)
		bytes = 1;
	if (status == -ENOENT || status == -ENOTDIR)
		return fail(status, why, why_bytes,
			    "the directory %.*s of the socket does not exist: create it (mkdir -p "
			    "%.*s), or set `socket` to another path",
			    bytes, directory, bytes, directory);
	if (status == -EACCES || status == -EPERM || status == -EROFS)
		return fail(status, why, why_bytes,
			    "cannot create a socket in %.*s: %s: let this user write there, or set "
			    "`socket` to another path",
			    bytes, directory, strerror(-status));
	return fail(status, why, why_bytes, "cannot bind %s: %s", path, strerror(-status));
}

int listener_open(struct listener *listener, const char *path, char *why, size_t why_bytes)
{
	struct listener new = {.fd = -1};
	struct stat status;
	int r;

	if (!*path || strlen(path) >= sizeof(new.path))
		return fail(
			-ENAMETOOLONG, why, why_bytes,
			"the socket's path must have 1 to %zu bytes: set `socket` to a shorter one",
			sizeof(new.path) - 1);
	memcpy(new.path, path, strlen(path) + 1);
	new.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (new.fd < 0)
		return fail(-errno, why, why_bytes, "socket: %s", strerror(errno));

	r = bind_path(new.fd, path);
	if (r == -EADDRINUSE) {
		*why = 0;
		r = remove_stale(path, why, why_bytes);
		if (r == 0)
			r = bind_path(new.fd, path);
		else if (*why)
			goto failed;
	}
	if (r < 0) {
		explain_bind(r, path, why, why_bytes);
		goto failed;
	}
	/* Nobody can connect before listen(), so the mode is never seen wrong. */
	if (chmod(path, 0660) < 0 || lstat(path, &status) < 0 || listen(new.fd, BACKLOG) < 0) {
		r = fail(-errno, why, why_bytes, "cannot listen on %s: %s", new.path,
			 strerror(errno));
		unlink(path);
		goto failed;
	}
	new.device = status.st_dev;
	new.inode = status.st_ino;
	*listener = new;
	return 0;
failed:
	close(new.fd);
	return r;
}

void listener_close(struct listener *listener)
{
	struct stat status;

	if (listener->fd < 0)
		return;
	close(listener->fd);
	listener->fd = -1;
	if (lstat(listener->path, &status) == 0 && status.st_dev == listener->device &&
	    status.st_ino == listener->inode)
		unlink(listener->path);
}
