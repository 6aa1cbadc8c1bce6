/*
 * posix: files by small numbers, directory operations and buffers, for uring.c and pwrite.c.
 *
 * Idea:  everything is relative to one directory descriptor and never follows a link at its end.
 *        A file is allocated when it is made, so that "disk full" is said then, not in the middle
 *        of a block. O_DIRECT is tried with a read, which a file system that does not mean it
 *        refuses; then the file is an ordinary one.
 * Runs on: the agent that owns the instance.
 */
#include "log/posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* A signal may interrupt a call this often before it counts as an error. */
#define TRIES_MAX 16

void posix_init(struct posix_io *posix, const struct io_ops *ops, int dirfd, bool direct)
{
	*posix = (struct posix_io){.io.ops = ops, .dirfd = dirfd, .direct = direct};
	for (uint32_t i = 0; i < IO_FILES_MAX; i++)
		posix->files[i].fd = -1;
}

void posix_fini(struct posix_io *posix, bool keep_buffers)
{
	for (uint32_t i = 0; i < IO_FILES_MAX; i++)
		if (posix->files[i].fd >= 0)
			close(posix->files[i].fd);
	if (posix->prepared.iov_base)
		munmap(posix->prepared.iov_base, posix->prepared.iov_len);
	for (uint32_t i = 0; i < posix->regions_count && !keep_buffers; i++)
		munmap(posix->regions[i].iov_base, posix->regions[i].iov_len);
}

static struct posix_io *posix_of(struct io *io)
{
	return (struct posix_io *)io;
}

struct posix_file *posix_file(struct io *io, int file)
{
	struct posix_io *posix = posix_of(io);

	if (file < 0 || file >= (int)IO_FILES_MAX || posix->files[file].fd < 0)
		return NULL;
	return &posix->files[file];
}

static int file_number(struct posix_io *posix, int fd, bool directory)
{
	for (uint32_t i = 0; i < IO_FILES_MAX; i++) {
		if (posix->files[i].fd >= 0)
			continue;
		posix->files[i] = (struct posix_file){.fd = fd, .directory = directory};
		return (int)i;
	}
	close(fd);
	return -EMFILE;
}

/* Large pages where there are any. */
static void *map(size_t bytes)
{
	void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (data == MAP_FAILED)
		return NULL;
	madvise(data, bytes, MADV_HUGEPAGE);
	return data;
}

void *posix_prepare(struct io *io, size_t bytes)
{
	struct posix_io *posix = posix_of(io);

	if (posix->prepared.iov_base)
		return NULL;
	posix->prepared = (struct iovec){.iov_base = map(bytes), .iov_len = bytes};
	return posix->prepared.iov_base;
}

void *posix_buffers(struct io *io, uint32_t count, size_t bytes)
{
	struct posix_io *posix = posix_of(io);
	size_t all = count * bytes;

	if (posix->regions_count == IO_REGIONS_MAX || !all || bytes % 4096)
		return NULL;
	bool prepared = posix->prepared.iov_base && posix->prepared.iov_len == all;
	void *data = prepared ? posix->prepared.iov_base : map(all);
	if (!data)
		return NULL;
	/* Touched now, so that the lane meets no page fault. */
	if (prepared)
		posix->prepared = (struct iovec){0};
	else
		memset(data, 0, all);
	posix->regions[posix->regions_count++] = (struct iovec){.iov_base = data, .iov_len = all};
	return data;
}

static int allocate(int fd, uint64_t bytes)
{
	int tries = 0;

	while (fallocate(fd, 0, 0, (off_t)bytes) < 0) {
		if (errno == EINTR && ++tries < TRIES_MAX)
			continue;
		if (errno != EOPNOTSUPP)
			return -errno;
		log_warning("log", "the file system cannot allocate files ahead: a full disk will "
				   "show in the middle of a segment");
		return ftruncate(fd, (off_t)bytes) < 0 ? -errno : 0;
	}
	return 0;
}

/* Turn O_DIRECT on if a read of the first page goes through with it. */
static void try_direct(int fd)
{
	_Alignas(4096) char page[4096];
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0) {
		if (pread(fd, page, sizeof(page), 0) >= 0)
			return;
		fcntl(fd, F_SETFL, flags);
	}
	log_info("log", "the file system does not take O_DIRECT: buffered writes");
}

/* For posix_quiet(): a lock stays until the kernel has given up the file, and that is when the last
 * write into it has ended, whatever has become of the process. Nobody waits for it, and a file
 * system that has none does without. */
static void mark_written(int fd)
{
	flock(fd, LOCK_EX | LOCK_NB);
}

int posix_create(struct io *io, const char *path, uint64_t bytes)
{
	struct posix_io *posix = posix_of(io);
	int fd = openat(posix->dirfd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			0640);

	if (fd < 0)
		return -errno;
	int result = allocate(fd, bytes);
	if (result < 0) {
		close(fd);
		unlinkat(posix->dirfd, path, 0);
		return result;
	}
	mark_written(fd);
	if (posix->direct)
		try_direct(fd);
	return file_number(posix, fd, false);
}

int posix_open_write(struct io *io, const char *path)
{
	struct posix_io *posix = posix_of(io);
	int fd = openat(posix->dirfd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	mark_written(fd);
	if (posix->direct)
		try_direct(fd);
	return file_number(posix, fd, false);
}

int posix_open_read(struct io *io, const char *path)
{
	struct posix_io *posix = posix_of(io);
	struct stat stat;
	/* Not blocking: a fifo of that name must not hold us. */
	int fd = openat(posix->dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &stat) < 0 || !(S_ISREG(stat.st_mode) || S_ISDIR(stat.st_mode))) {
		close(fd);
		return -EINVAL;
	}
	return file_number(posix, fd, S_ISDIR(stat.st_mode));
}

void posix_close(struct io *io, int file)
{
	struct posix_file *f = posix_file(io, file);

	if (!f)
		return;
	close(f->fd);
	f->fd = -1;
}

int64_t posix_size(struct io *io, int file)
{
	struct posix_file *f = posix_file(io, file);
	struct stat stat;

	if (!f)
		return -EBADF;
	return fstat(f->fd, &stat) < 0 ? -errno : (int64_t)stat.st_size;
}

int64_t posix_room(struct io *io, int file)
{
	struct posix_file *f = posix_file(io, file);
	struct stat stat;

	if (!f)
		return -EBADF;
	if (fstat(f->fd, &stat) < 0)
		return -errno;
	/* Blocks of the file system's own are among these. */
	int64_t bytes = (int64_t)stat.st_blocks * 512;
	return bytes < stat.st_size ? bytes : (int64_t)stat.st_size;
}

int posix_trim(struct io *io, int file, uint64_t offset)
{
	const int64_t size = posix_size(io, file);
	int tries = 0;

	if (size < 0 || (uint64_t)size <= offset)
		return size < 0 ? (int)size : 0;
	while (fallocate(posix_file(io, file)->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 (off_t)offset, (off_t)((uint64_t)size - offset)) < 0)
		if (errno != EINTR || ++tries == TRIES_MAX)
			return -errno;
	return 0;
}

/* As many bytes as there are: short only at the end of the file. */
int64_t posix_read(struct io *io, int file, uint64_t offset, void *data, size_t bytes)
{
	struct posix_file *f = posix_file(io, file);
	size_t done = 0;
	int tries = 0;

	if (!f)
		return -EBADF;
	while (done < bytes) {
		ssize_t n = pread(f->fd, (char *)data + done, bytes - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR && ++tries < TRIES_MAX)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (int64_t)done;
}

int64_t posix_next_data(struct io *io, int file, uint64_t offset)
{
	struct posix_file *f = posix_file(io, file);

	if (!f)
		return -EBADF;
	/* The place in the file is of no use to anybody: reads and writes say theirs. */
	off_t data = lseek(f->fd, (off_t)offset, SEEK_DATA);
	/* A page of a hole that was read, or read along, counts as data while the cache has it. Of
	 * the whole file: a folio that begins before the offset would stay. */
	if (data == (off_t)offset) {
		posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
		data = lseek(f->fd, (off_t)offset, SEEK_DATA);
	}
	if (data < 0)
		return errno == ENXIO ? posix_size(io, file) : -errno;
	return (int64_t)data;
}

void posix_expect(struct io *io, int file, uint64_t offset, uint64_t bytes)
{
	struct posix_file *f = posix_file(io, file);

	if (!f)
		return;
	/* In this order: what is asked for with the first on brings nothing along. */
	posix_fadvise(f->fd, 0, 0, POSIX_FADV_RANDOM);
	posix_fadvise(f->fd, (off_t)offset, (off_t)bytes, POSIX_FADV_WILLNEED);
}

void posix_expect_end(struct io *io, int file)
{
	struct posix_file *f = posix_file(io, file);

	if (f)
		posix_fadvise(f->fd, 0, 0, POSIX_FADV_NORMAL);
}

int posix_quiet(struct io *io, const char *path)
{
	int fd = openat(posix_of(io)->dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return 0;
	bool quiet = flock(fd, LOCK_SH | LOCK_NB) == 0;
	close(fd);
	return quiet;
}

int posix_rename(struct io *io, const char *from, const char *to)
{
	struct posix_io *posix = posix_of(io);

	return renameat(posix->dirfd, from, posix->dirfd, to) < 0 ? -errno : 0;
}

int posix_unlink(struct io *io, const char *path)
{
	return unlinkat(posix_of(io)->dirfd, path, 0) < 0 ? -errno : 0;
}

int posix_make_dir(struct io *io, const char *path)
{
	if (mkdirat(posix_of(io)->dirfd, path, 0750) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

int posix_sync_dir(struct io *io, const char *path)
{
	int fd = openat(posix_of(io)->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int result = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return result;
}

int posix_list(struct io *io, const char *path, int (*each)(void *self, const char *name),
	       void *self)
{
	int fd = openat(posix_of(io)->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	DIR *directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return -ENOMEM;
	}
	struct dirent *entry;
	int stop = 0;
	while ((errno = 0, entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		stop = each(self, entry->d_name);
		if (stop)
			break;
	}
	int result = !entry ? -errno : stop < 0 ? stop : 0;
	closedir(directory);
	return result;
}
