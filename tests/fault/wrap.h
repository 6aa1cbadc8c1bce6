/*
 * wrap: what wrap.c and its siblings share: the real functions, and how one is refused.
 */
#ifndef TESTS_FAULT_WRAP_H
#define TESTS_FAULT_WRAP_H

#include <dirent.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "fault.h"

bool fault_strikes(enum fault_call call);
int fault_error(int one, int other);

/* What the wrappers of libc's and of SQLite's calls have in common (wrap_files.c). */
int fault_open(const char *path, int flags, mode_t mode);
ssize_t fault_pwrite(int fd, const void *data, size_t bytes, off_t offset);
int fault_truncate(int fd, off_t bytes);
int fault_unlink(int directory, const char *path, int flags);

/* Behind a power cut nothing is done. */
#define POWER(bad)                                                                                 \
	do {                                                                                       \
		if (disk_is_off()) {                                                               \
			errno = EIO;                                                               \
			return bad;                                                                \
		}                                                                                  \
	} while (0)

#define FAULT(call, one, other, bad)                                                               \
	do {                                                                                       \
		if (fault_strikes(call)) {                                                         \
			errno = fault_error(one, other);                                           \
			return bad;                                                                \
		}                                                                                  \
	} while (0)

/* Functions of libc's whose wrapper is one line: in meson.build too. */
#define FAULT_PLAIN(X)                                                                             \
	X(FILE *, fopen64, (const char *path, const char *mode), (path, mode), FAULT_OPEN, EMFILE, \
	  EIO, NULL)                                                                               \
	X(DIR *, fdopendir, (int fd), (fd), FAULT_OPEN, ENOMEM, EMFILE, NULL)                      \
	X(ssize_t, read, (int fd, void *data, size_t bytes), (fd, data, bytes), FAULT_READ, EIO,   \
	  EINTR, -1)                                                                               \
	X(ssize_t, pread64, (int fd, void *data, size_t bytes, off_t offset),                      \
	  (fd, data, bytes, offset), FAULT_READ, EIO, EIO, -1)                                     \
	X(int, memfd_create, (const char *name, unsigned flags), (name, flags), FAULT_OPEN,        \
	  ENOMEM, EMFILE, -1)                                                                      \
	X(int, socket, (int domain, int type, int protocol), (domain, type, protocol),             \
	  FAULT_SOCKET, EMFILE, ENOMEM, -1)                                                        \
	X(int, bind, (int fd, const struct sockaddr *address, socklen_t bytes),                    \
	  (fd, address, bytes), FAULT_SOCKET, EACCES, ENOSPC, -1)                                  \
	X(int, listen, (int fd, int backlog), (fd, backlog), FAULT_SOCKET, EADDRINUSE, ENOMEM, -1) \
	X(int, accept4, (int fd, struct sockaddr *address, socklen_t *bytes, int flags),           \
	  (fd, address, bytes, flags), FAULT_SOCKET, EMFILE, ECONNABORTED, -1)                     \
	X(int, connect, (int fd, const struct sockaddr *address, socklen_t bytes),                 \
	  (fd, address, bytes), FAULT_SOCKET, ECONNREFUSED, EAGAIN, -1)                            \
	X(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags),                     \
	  (fd, message, flags), FAULT_MESSAGE, EAGAIN, EPIPE, -1)                                  \
	X(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags),     \
	  FAULT_MESSAGE, EINTR, ECONNRESET, -1)                                                    \
	X(ssize_t, send, (int fd, const void *data, size_t bytes, int flags),                      \
	  (fd, data, bytes, flags), FAULT_MESSAGE, EAGAIN, EPIPE, -1)                              \
	X(ssize_t, recv, (int fd, void *data, size_t bytes, int flags), (fd, data, bytes, flags),  \
	  FAULT_MESSAGE, EINTR, ECONNRESET, -1)

#define FAULT_RING_SETUPS(X)                                                                       \
	X(io_uring_queue_init, (unsigned entries, struct io_uring *ring, unsigned flags),          \
	  (entries, ring, flags))                                                                  \
	X(io_uring_register_buffers,                                                               \
	  (struct io_uring *ring, const struct iovec *regions, unsigned count),                    \
	  (ring, regions, count))                                                                  \
	X(io_uring_register_iowq_max_workers, (struct io_uring *ring, unsigned *values),           \
	  (ring, values))

#define DECLARE_PLAIN(result, name, parameters, arguments, call, one, other, bad)                  \
	result __real_##name parameters;                                                           \
	result __wrap_##name parameters;
#define DECLARE_RING(name, parameters, arguments)                                                  \
	int __real_##name parameters;                                                              \
	int __wrap_##name parameters;
FAULT_PLAIN(DECLARE_PLAIN)
FAULT_RING_SETUPS(DECLARE_RING)
#undef DECLARE_PLAIN
#undef DECLARE_RING

_Noreturn void __real_check_failed(const char *file, int line, const char *expression);
_Noreturn void __wrap_check_failed(const char *file, int line, const char *expression);

#define BOTH(result, name, ...)                                                                    \
	result __real_##name(__VA_ARGS__);                                                         \
	result __wrap_##name(__VA_ARGS__);
BOTH(int, clock_gettime, clockid_t clock, struct timespec *time)
BOTH(int, nanosleep, const struct timespec *pause, struct timespec *left)
BOTH(int, poll, struct pollfd *fds, nfds_t count, int timeout_ms)
BOTH(void *, malloc, size_t bytes)
BOTH(void *, calloc, size_t count, size_t bytes)
BOTH(void *, realloc, void *at, size_t bytes)
BOTH(void *, reallocarray, void *at, size_t count, size_t bytes)
BOTH(void *, aligned_alloc, size_t alignment, size_t bytes)
BOTH(char *, strdup, const char *text)
BOTH(char *, strndup, const char *text, size_t bytes)
BOTH(int, asprintf, char **text, const char *format, ...)
BOTH(void, free, void *at)
BOTH(int, open64, const char *path, int flags, ...)
BOTH(int, openat64, int directory, const char *path, int flags, ...)
BOTH(ssize_t, write, int fd, const void *data, size_t bytes)
BOTH(ssize_t, pwrite64, int fd, const void *data, size_t bytes, off_t offset)
BOTH(int, fsync, int fd)
BOTH(int, fdatasync, int fd)
BOTH(int, fallocate64, int fd, int mode, off_t offset, off_t bytes)
BOTH(int, ftruncate64, int fd, off_t bytes)
BOTH(int, rename, const char *from, const char *to)
BOTH(int, renameat, int a, const char *from, int b, const char *to)
BOTH(int, unlink, const char *path)
BOTH(int, unlinkat, int directory, const char *path, int flags)
BOTH(int, mkdir, const char *path, mode_t mode)
BOTH(int, mkdirat, int directory, const char *path, mode_t mode)
BOTH(int, posix_fallocate64, int fd, off_t offset, off_t bytes)
BOTH(void *, mmap64, void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
BOTH(int, pthread_create, pthread_t *thread, const pthread_attr_t *attributes,
     void *(*start)(void *), void *self)
BOTH(int, pthread_join, pthread_t thread, void **result)
BOTH(int, pthread_cond_signal, pthread_cond_t *condition)
BOTH(int, pthread_cond_wait, pthread_cond_t *condition, pthread_mutex_t *mutex)
BOTH(int, pthread_mutex_unlock, pthread_mutex_t *mutex)
BOTH(int, io_uring_register_files, struct io_uring *ring, const int *files, unsigned count)
BOTH(int, io_uring_register_files_update, struct io_uring *ring, unsigned at, const int *files,
     unsigned count)
BOTH(int, io_uring_submit, struct io_uring *ring)
BOTH(unsigned, io_uring_peek_batch_cqe, struct io_uring *ring, struct io_uring_cqe **cqes,
     unsigned count)
BOTH(int, io_uring_wait_cqe_timeout, struct io_uring *ring, struct io_uring_cqe **cqe,
     struct __kernel_timespec *wait)
BOTH(int, sqlite3_step, sqlite3_stmt *statement)
BOTH(int, sqlite3_prepare_v2, sqlite3 *db, const char *text, int bytes, sqlite3_stmt **statement,
     const char **tail)
BOTH(int, sqlite3_prepare_v3, sqlite3 *db, const char *text, int bytes, unsigned flags,
     sqlite3_stmt **statement, const char **tail)
BOTH(int, sqlite3_open_v2, const char *path, sqlite3 **db, int flags, const char *vfs)
BOTH(int, sqlite3_exec, sqlite3 *db, const char *text,
     int (*each)(void *, int, char **, char **), void *self, char **error)
BOTH(redisContext *, redisConnectUnixWithTimeout, const char *path, struct timeval patience)
BOTH(int, redisBufferRead, redisContext *redis)
BOTH(int, redisBufferWrite, redisContext *redis, int *done)
BOTH(int, redisGetReplyFromReader, redisContext *redis, void **reply)
BOTH(int, redisAppendCommand, redisContext *redis, const char *format, ...)
#undef BOTH

#endif
