/*
 * descriptors: see descriptors.h. Those that are memory hold the bytes of a good region or ring, so
 * that only what is wrong with them can be the reason.
 */
#include "descriptors.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

static uint64_t bytes_of(const struct rogue *rogue, bool ring)
{
	return ring ? rogue->ring_bytes : rogue->region_bytes;
}

/* The header, where it can be written. */
static int fill(const struct rogue *rogue, bool ring, int fd)
{
	const void *from = ring ? (const void *)rogue->ring[0] : rogue->region;

	if (fd >= 0 && pwrite(fd, from, 4096, 0) != 4096) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A memfd that differs in seals, flags or size. */
static int other_memfd(const struct rogue *rogue, bool ring, unsigned flags, int seals, off_t more)
{
	int fd = memfd_create("bad", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)bytes_of(rogue, ring) + more) < 0) {
		close(fd);
		return -1;
	}
	if (more >= 0 && !(flags & MFD_HUGETLB))
		fd = fill(rogue, ring, fd);
	if (fd >= 0 && seals)
		fcntl(fd, F_ADD_SEALS, seals);
	return fd;
}

/* A sealed one whose header lies in the 8 bytes at `offset`. */
static int lying_memfd(const struct rogue *rogue, bool ring, off_t offset, uint64_t value,
		       size_t bytes)
{
	int fd = other_memfd(rogue, ring, 0, 0, 0);

	if (fd >= 0 && pwrite(fd, &value, bytes, offset) == (ssize_t)bytes)
		fcntl(fd, F_ADD_SEALS, ROGUE_SEALS);
	return fd;
}

#define MAKER(NAME, EXPRESSION)                                                                    \
	static int make_##NAME(const struct rogue *rogue, bool ring)                               \
	{                                                                                          \
		(void)rogue;                                                                       \
		(void)ring;                                                                        \
		return (EXPRESSION);                                                               \
	}

MAKER(null, open("/dev/null", O_RDWR | O_CLOEXEC))
MAKER(zero, open("/dev/zero", O_RDWR | O_CLOEXEC))
MAKER(directory, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
MAKER(path, open("/proc/self/exe", O_PATH | O_CLOEXEC))
MAKER(program, open("/proc/self/exe", O_RDONLY | O_CLOEXEC))
MAKER(proc, open("/proc/self/mem", O_RDWR | O_CLOEXEC))
MAKER(event, eventfd(0, EFD_CLOEXEC))
MAKER(poll, epoll_create1(EPOLL_CLOEXEC))
MAKER(timer, timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC))
MAKER(watch, inotify_init1(IN_CLOEXEC))
MAKER(socket, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
MAKER(attach_socket, dup(rogue->socket))
MAKER(process, (int)syscall(SYS_pidfd_open, getpid(), 0))
MAKER(control_page, dup(rogue->control_fd))
MAKER(secret, (int)syscall(SYS_memfd_secret, O_CLOEXEC))
MAKER(other_kind, dup(ring ? rogue->region_fd : rogue->ring_fd[0]))
MAKER(disk_file, fill(rogue, ring, open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)))
MAKER(tmpfs_file, fill(rogue, ring, open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)))
MAKER(unsealed, other_memfd(rogue, ring, 0, 0, 0))
MAKER(seal_shrink, other_memfd(rogue, ring, 0, F_SEAL_SHRINK, 0))
MAKER(seal_grow, other_memfd(rogue, ring, 0, F_SEAL_GROW | F_SEAL_SEAL, 0))
MAKER(seal_open, other_memfd(rogue, ring, 0, F_SEAL_SHRINK | F_SEAL_GROW, 0))
MAKER(huge_pages, other_memfd(rogue, ring, MFD_HUGETLB, ROGUE_SEALS,
			      (off_t)((4u << 20) - bytes_of(rogue, ring) % (2u << 20))))
MAKER(empty, other_memfd(rogue, ring, 0, ROGUE_SEALS, -(off_t)bytes_of(rogue, ring)))
MAKER(one_page, other_memfd(rogue, ring, 0, ROGUE_SEALS, 4096 - (off_t)bytes_of(rogue, ring)))
MAKER(short, other_memfd(rogue, ring, 0, ROGUE_SEALS, -1))
MAKER(long, other_memfd(rogue, ring, 0, ROGUE_SEALS, 4096))
MAKER(enormous, other_memfd(rogue, ring, 0, ROGUE_SEALS, (off_t)1 << 42))
MAKER(magic, lying_memfd(rogue, ring, 0, 0x1234, 8))
MAKER(version, lying_memfd(rogue, ring, 8, WEIR_LAYOUT_VERSION + 1, 4))
MAKER(fingerprint, lying_memfd(rogue, ring, 12, 1, 4))
MAKER(table_lies, ring ? -1 : lying_memfd(rogue, ring, 48, UINT64_C(1) << 40, 8))
MAKER(no_rings, ring ? -1 : lying_memfd(rogue, ring, 56, 0, 4))
MAKER(many_rings, ring ? -1 : lying_memfd(rogue, ring, 56, WEIR_RINGS_MAX + 1, 4))
MAKER(no_series, ring ? -1 : lying_memfd(rogue, ring, 60, 0, 4))
MAKER(many_series, ring ? -1 : lying_memfd(rogue, ring, 60, WEIR_SERIES_MAX + 1u, 4))
MAKER(bad_source, ring ? -1 : lying_memfd(rogue, ring, 64, UINT64_C(0x0a2f2e2e2f2e2e), 8))
MAKER(stranger, ring ? -1 : lying_memfd(rogue, ring, 40, 1, 8))
MAKER(another_uuid, ring ? lying_memfd(rogue, ring, 16, 1, 8) : -1)
MAKER(another_index, ring ? lying_memfd(rogue, ring, 32, 1, 4) : -1)
MAKER(capacity_odd, ring ? lying_memfd(rogue, ring, 40, 63, 8) : -1)
MAKER(capacity_zero, ring ? lying_memfd(rogue, ring, 40, 0, 8) : -1)
MAKER(capacity_lies, ring ? lying_memfd(rogue, ring, 40, 1u << 20, 8) : -1)

static int make_pipe(const struct rogue *rogue, bool ring)
{
	int ends[2];

	(void)rogue;
	(void)ring;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	close(ends[1]);
	return ends[0];
}

static int make_signal(const struct rogue *rogue, bool ring)
{
	sigset_t none;

	(void)rogue;
	(void)ring;
	sigemptyset(&none);
	return signalfd(-1, &none, SFD_CLOEXEC);
}

static int make_uring(const struct rogue *rogue, bool ring)
{
	struct io_uring_params parameters = {0};

	(void)rogue;
	(void)ring;
	return (int)syscall(SYS_io_uring_setup, 1, &parameters);
}

/* Good and sealed, but opened anew for writing only: it cannot be mapped for reading. */
static int make_write_only(const struct rogue *rogue, bool ring)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d",
		 ring ? rogue->ring_fd[0] : rogue->region_fd);
	return open(path, O_WRONLY | O_CLOEXEC);
}

#define NAMED(NAME) {#NAME, make_##NAME}

const struct bad_descriptor bad_descriptors[] = {
	NAMED(null), NAMED(zero), NAMED(directory), NAMED(path), NAMED(program), NAMED(proc),
	NAMED(event), NAMED(poll), NAMED(timer), NAMED(watch), NAMED(socket),
	NAMED(attach_socket), NAMED(process), NAMED(control_page), NAMED(secret),
	NAMED(other_kind), NAMED(disk_file), NAMED(tmpfs_file), NAMED(unsealed),
	NAMED(seal_shrink), NAMED(seal_grow), NAMED(seal_open), NAMED(huge_pages), NAMED(empty),
	NAMED(one_page), NAMED(short), NAMED(long), NAMED(enormous), NAMED(magic),
	NAMED(version), NAMED(fingerprint), NAMED(table_lies), NAMED(no_rings),
	NAMED(many_rings), NAMED(no_series), NAMED(many_series), NAMED(bad_source),
	NAMED(stranger), NAMED(another_uuid), NAMED(another_index), NAMED(capacity_odd),
	NAMED(capacity_zero), NAMED(capacity_lies), NAMED(pipe), NAMED(signal), NAMED(uring),
	NAMED(write_only),
};
const unsigned bad_descriptors_count = sizeof(bad_descriptors) / sizeof(bad_descriptors[0]);
