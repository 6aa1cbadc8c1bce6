/*
 * wrap_files: see fault.h. Files and their names: each change is told to the disk (disk.h) that
 * knows what a power cut would leave.
 *
 * Syncs are not made: what they mean is the disk's to know. SQLite's are calls of a library's own,
 * which no wrapper sees; it finds fsync() and fdatasync() here instead of in libc.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>

#include "wrap.h"

#define SHORT_BYTES 64

/* With the power that it takes. A file that is made is a change of names, one that is cut short a
 * change of its size. */
static int open_one(int directory, const char *path, int flags, mode_t mode)
{
	int number = -1;

	if (disk_is_off() && (flags & (O_CREAT | O_TRUNC))) {
		errno = EIO;
		return -1;
	}
	if (flags & (O_CREAT | O_TRUNC)) {
		int there = __real_openat64(directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (there >= 0 && (flags & O_TRUNC) && !(flags & O_EXCL))
			disk_resize(there, 0);
		else if (there < 0)
			number = disk_change(DISK_MADE, directory, path, 0, NULL);
		if (there >= 0)
			close(there);
	}
	int fd = __real_openat64(directory, path, flags, mode);
	int error = errno;
	disk_changed(number, fd >= 0);
	errno = error;
	return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & O_CREAT ? (mode_t)va_arg(arguments, int) : 0;
}

int __wrap_open64(const char *path, int flags, ...)
{
	va_list arguments;

	FAULT(FAULT_OPEN, EMFILE, EIO, -1);
	va_start(arguments, flags);
	mode_t mode = mode_of(flags, arguments);
	va_end(arguments);
	return open_one(AT_FDCWD, path, flags, mode);
}

int __wrap_openat64(int directory, const char *path, int flags, ...)
{
	va_list arguments;

	FAULT(FAULT_OPEN, EMFILE, EIO, -1);
	va_start(arguments, flags);
	mode_t mode = mode_of(flags, arguments);
	va_end(arguments);
	return open_one(directory, path, flags, mode);
}

int fault_open(const char *path, int flags, mode_t mode)
{
	return open_one(AT_FDCWD, path, flags, mode);
}

ssize_t fault_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
	POWER(-1);
	disk_write(fd, (uint64_t)offset, bytes);
	return __real_pwrite64(fd, data, bytes, offset);
}

int fault_truncate(int fd, off_t bytes)
{
	POWER(-1);
	disk_resize(fd, (uint64_t)bytes);
	return __real_ftruncate64(fd, bytes);
}

int fault_unlink(int directory, const char *path, int flags)
{
	POWER(-1);
	int number = disk_change(DISK_UNLINKED, directory, path, 0, NULL);
	int result = __real_unlinkat(directory, path, flags), error = errno;
	disk_changed(number, result == 0);
	errno = error;
	return result;
}

/* Less than what counts: the blocks of a life so short are small, and their other half is zeros. */
static size_t short_of(size_t bytes)
{
	return bytes > 2 * SHORT_BYTES ? SHORT_BYTES : bytes / 2;
}

ssize_t __wrap_pwrite64(int fd, const void *data, size_t bytes, off_t offset)
{
	FAULT(FAULT_WRITE, EIO, ENOSPC, -1);
	if (fault_strikes(FAULT_SHORT))
		bytes = short_of(bytes);
	return fault_pwrite(fd, data, bytes, offset);
}

ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
	FAULT(FAULT_WRITE, EIO, ENOSPC, -1);
	if (fault_strikes(FAULT_SHORT))
		bytes = short_of(bytes);
	off_t offset = lseek(fd, 0, SEEK_CUR);
	if (offset >= 0) {
		POWER(-1);
		disk_write(fd, (uint64_t)offset, bytes);
	}
	return __real_write(fd, data, bytes);
}

static int sync_one(int fd, enum fault_call call, int error)
{
	POWER(-1);
	bool good = !fault_strikes(call);
	disk_sync(fd, good);
	errno = error;
	return good ? 0 : -1;
}

int __wrap_fsync(int fd)
{
	return sync_one(fd, FAULT_SYNC, EIO);
}

int __wrap_fdatasync(int fd)
{
	return sync_one(fd, FAULT_SYNC, fault_error(EIO, ENOSPC));
}

__attribute__((visibility("default"))) int fsync(int fd)
{
	return sync_one(fd, FAULT_SQL_SYNC, EIO);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
	return sync_one(fd, FAULT_SQL_SYNC, EIO);
}

int __wrap_fallocate64(int fd, int mode, off_t offset, off_t bytes)
{
	FAULT(FAULT_ALLOCATE, ENOSPC, EIO, -1);
	POWER(-1);
	return __real_fallocate64(fd, mode, offset, bytes);
}

int __wrap_posix_fallocate64(int fd, off_t offset, off_t bytes)
{
	if (fault_strikes(FAULT_ALLOCATE))
		return ENOSPC; /* it does not set errno */
	return __real_posix_fallocate64(fd, offset, bytes);
}

int __wrap_ftruncate64(int fd, off_t bytes)
{
	FAULT(FAULT_ALLOCATE, ENOSPC, EIO, -1);
	return fault_truncate(fd, bytes);
}

static int rename_one(int a, const char *from, int b, const char *to)
{
	FAULT(FAULT_RENAME, EIO, ENOSPC, -1);
	POWER(-1);
	int number = disk_change(DISK_RENAMED, a, from, b, to);
	int result = __real_renameat(a, from, b, to), error = errno;
	disk_changed(number, result == 0);
	errno = error;
	return result;
}

int __wrap_rename(const char *from, const char *to)
{
	return rename_one(AT_FDCWD, from, AT_FDCWD, to);
}

int __wrap_renameat(int a, const char *from, int b, const char *to)
{
	return rename_one(a, from, b, to);
}

int __wrap_unlink(const char *path)
{
	FAULT(FAULT_RENAME, EIO, EROFS, -1);
	return fault_unlink(AT_FDCWD, path, 0);
}

int __wrap_unlinkat(int directory, const char *path, int flags)
{
	FAULT(FAULT_RENAME, EIO, EROFS, -1);
	return fault_unlink(directory, path, flags);
}

static int make_directory(int directory, const char *path, mode_t mode)
{
	FAULT(FAULT_RENAME, EIO, ENOSPC, -1);
	POWER(-1);
	int number = disk_change(DISK_MADE_DIRECTORY, directory, path, 0, NULL);
	int result = __real_mkdirat(directory, path, mode), error = errno;
	disk_changed(number, result == 0);
	errno = error;
	return result;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	return make_directory(AT_FDCWD, path, mode);
}

int __wrap_mkdirat(int directory, const char *path, mode_t mode)
{
	return make_directory(directory, path, mode);
}
