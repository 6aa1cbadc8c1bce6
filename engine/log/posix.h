/*
 * posix: the synchronous half of both real backends: files by small numbers, directories, buffers.
 *
 * Never: waits for a write or a sync; those are the backends' own.
 */
#ifndef LOG_POSIX_H
#define LOG_POSIX_H

#include <sys/uio.h>

#include "log/io.h"

struct posix_file {
	int fd;         /* -1: free */
	bool directory; /* its sync is one of names */
};

/* First member of a backend, so that a struct io is one of these. */
struct posix_io {
	struct io io;
	int dirfd; /* borrowed */
	bool direct; /* try O_DIRECT on files to write */
	struct posix_file files[IO_FILES_MAX];
	struct iovec prepared; /* for a region that is still to be asked for */
	struct iovec regions[IO_REGIONS_MAX];
	uint32_t regions_count;
};

void posix_init(struct posix_io *posix, const struct io_ops *ops, int dirfd, bool direct);
/* Closes all files and, unless the kernel may still read them, gives the buffers back. */
void posix_fini(struct posix_io *posix, bool keep_buffers);
/* NULL when the number is not an open file: the caller's error, answered with -EBADF. */
struct posix_file *posix_file(struct io *io, int file);

void *posix_prepare(struct io *io, size_t bytes);
void *posix_buffers(struct io *io, uint32_t count, size_t bytes);
int posix_create(struct io *io, const char *path, uint64_t bytes);
int posix_open_write(struct io *io, const char *path);
int posix_open_read(struct io *io, const char *path);
void posix_close(struct io *io, int file);
int64_t posix_size(struct io *io, int file);
int64_t posix_room(struct io *io, int file);
int posix_trim(struct io *io, int file, uint64_t offset);
int64_t posix_read(struct io *io, int file, uint64_t offset, void *data, size_t bytes);
int64_t posix_next_data(struct io *io, int file, uint64_t offset);
void posix_expect(struct io *io, int file, uint64_t offset, uint64_t bytes);
void posix_expect_end(struct io *io, int file);
int posix_quiet(struct io *io, const char *path);
int posix_rename(struct io *io, const char *from, const char *to);
int posix_unlink(struct io *io, const char *path);
int posix_make_dir(struct io *io, const char *path);
int posix_sync_dir(struct io *io, const char *path);
int posix_list(struct io *io, const char *path, int (*each)(void *self, const char *name),
	       void *self);

#endif
