/*
 * disk: what the disk takes at best. Eight threads write blocks of 256 KiB with O_DIRECT, as many
 * in flight as the engine has by default; nothing of the engine's takes part, so that an error in
 * its I/O cannot lower the bar it is measured by.
 *
 * Data is not zeros and differs from block to block, because some disks under virtual machines
 * store zeros without writing them.
 */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/monotonic.h"

#define BLOCK_BYTES (256u << 10)
#define THREADS 8u

struct pass {
	int fd;
	uint64_t blocks;
	uint64_t next;  /* block to write; atomic add */
	uint32_t error; /* first errno of any thread */
};

static int refuse(char *why, size_t why_bytes, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int refuse(char *why, size_t why_bytes, int error, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(why, why_bytes, format, arguments);
	va_end(arguments);
	return -error;
}

int disk_check(const char *directory, uint64_t bytes, uint64_t *ret_free, char *why,
	       size_t why_bytes)
{
	struct statfs fs;
	if (statfs(directory, &fs) < 0)
		return refuse(why, why_bytes, errno, "%s: %s; name a directory with --dir",
			      directory, strerror(errno));
	if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)
		return refuse(why, why_bytes, EINVAL,
			      "%s lies in memory (tmpfs): nothing written there is durable; name "
			      "a directory on a disk with --dir",
			      directory);
	*ret_free = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	if (*ret_free < bytes)
		return refuse(why, why_bytes, ENOSPC,
			      "%s has %.1f GB free, %.1f GB are needed; name another directory "
			      "with --dir, or run fewer --seconds",
			      directory, (double)*ret_free / 1e9, (double)bytes / 1e9);
	return 0;
}

static void *write_blocks(void *self)
{
	struct pass *pass = self;
	uint64_t *data = aligned_alloc(4096, BLOCK_BYTES);
	for (uint32_t i = 0; data && i < BLOCK_BYTES / 8; i++)
		data[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
	while (data) {
		uint64_t block = __atomic_fetch_add(&pass->next, 1, __ATOMIC_RELAXED);
		if (block >= pass->blocks || __atomic_load_n(&pass->error, __ATOMIC_RELAXED))
			break;
		for (uint32_t i = 0; i < BLOCK_BYTES / 8; i += 512)
			data[i] = block * UINT64_C(0x9e3779b97f4a7c15) + i;
		ssize_t wrote = pwrite(pass->fd, data, BLOCK_BYTES, (off_t)(block * BLOCK_BYTES));
		if (wrote != BLOCK_BYTES)
			__atomic_store_n(&pass->error, wrote < 0 ? (uint32_t)errno : EIO,
					 __ATOMIC_RELAXED);
	}
	if (!data)
		__atomic_store_n(&pass->error, ENOMEM, __ATOMIC_RELAXED);
	free(data);
	return NULL;
}

/* Write the whole file once and sync it. 0 or a negative errno. */
static int write_pass(int fd, uint64_t blocks, double *ret_rate)
{
	struct pass pass = {.fd = fd, .blocks = blocks};
	pthread_t threads[THREADS];
	uint32_t started = 0;
	double start = monotonic_s();

	while (started < THREADS && !pthread_create(&threads[started], NULL, write_blocks, &pass))
		started++;
	for (uint32_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (started == 0)
		return -EAGAIN;
	if (pass.error)
		return -(int)pass.error;
	if (fdatasync(fd) < 0)
		return -errno;
	*ret_rate = (double)(blocks * BLOCK_BYTES) / (monotonic_s() - start);
	return 0;
}

/* A new file, allocated. A descriptor, or a negative errno with `why`. */
static int make_file(const char *path, uint64_t bytes, char *why, size_t why_bytes)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
	if (fd < 0)
		return refuse(why, why_bytes, errno,
			      "%s: %s; the disk's limit is measured with O_DIRECT, name a "
			      "directory on a file system that takes it",
			      path, strerror(errno));
	int r = posix_fallocate(fd, 0, (off_t)bytes);
	if (r == 0)
		return fd;
	close(fd);
	unlink(path);
	return refuse(why, why_bytes, r, "%s: %s", path, strerror(r));
}

int disk_write_file(const char *path, uint64_t bytes, char *why, size_t why_bytes)
{
	double rate;
	int fd = make_file(path, bytes, why, why_bytes);
	if (fd < 0)
		return fd;
	int r = write_pass(fd, bytes / BLOCK_BYTES, &rate);
	close(fd);
	return r < 0 ? refuse(why, why_bytes, -r, "%s: %s", path, strerror(-r)) : 0;
}

int disk_measure(const char *directory, uint64_t bytes, struct disk_rate *ret_rate, char *why,
		 size_t why_bytes)
{
	char path[4096];
	uint64_t blocks = (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
	if (snprintf(path, sizeof(path), "%s/disk-limit", directory) >= (int)sizeof(path))
		return refuse(why, why_bytes, ENAMETOOLONG, "%s: too long", directory);
	int fd = make_file(path, blocks * BLOCK_BYTES, why, why_bytes);
	if (fd < 0)
		return fd;
	int r = write_pass(fd, blocks, &ret_rate->fresh);
	if (r == 0)
		r = write_pass(fd, blocks, &ret_rate->overwrite);
	close(fd);
	unlink(path);
	if (r < 0)
		refuse(why, why_bytes, -r, "%s: %s", path, strerror(-r));
	return r;
}
