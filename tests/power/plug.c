/*
 * plug: see plug.h.
 */
#include "power/plug.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "weir/order.h"

#define SHOWN __attribute__((visibility("default")))

const char *const plug_names[PLUG_STATES] = {
	"random", "recovery", "roll", "write", "sync", "checkpoint", "retention", "store", "stop",
};

enum call { CALL_WRITE, CALL_SYNC, CALL_ALLOCATE, CALL_RENAME, CALL_UNLINK };

static struct plug plugged;
static bool is_engine;
static uint32_t phase, counted;

void plug_in(const struct plug *plug)
{
	plugged = *plug;
	is_engine = true;
}

void plug_phase(enum plug_phase next)
{
	/* Relaxed: a cut a call earlier or later is as good. */
	weir_store_relaxed_32(&phase, next);
}

/* What a call in a running engine belongs to. */
static enum plug_state state_of(enum call call, const char *path)
{
	if (strstr(path, "checkpoint/"))
		return PLUG_CHECKPOINT;
	if (strstr(path, ".db"))
		return PLUG_STORE;
	if (call == CALL_WRITE)
		return PLUG_WRITE;
	if (call == CALL_SYNC)
		return PLUG_SYNC;
	if (call == CALL_ALLOCATE)
		return PLUG_ROLL;
	/* A segment that is let go of is removed, or becomes a spare; a spare becomes a segment. */
	return strstr(path, ".wseg") ? PLUG_RETENTION : PLUG_ROLL;
}

void plug_cutting(uint32_t *cutting)
{
	/* Orders: the flag before the cut. Who finds it 0 behind what it was told was told before.
	 * Without it a lie of the dying disk could count as a promise. */
	__atomic_store_n(cutting, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void cut(void)
{
	/* Relaxed: looked at when this process is dead. */
	weir_store_relaxed_32(plugged.struck, 1);
	plug_cutting(plugged.cutting);
	ground_cut(plugged.ground, plugged.how);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* Is this the moment? Then, if it is before the call, it does not return. */
static bool strikes(enum call call, const char *path)
{
	uint32_t now = weir_load_relaxed_32(&phase);
	enum plug_state state = now == PLUG_OPENING    ? PLUG_RECOVERY
				: now == PLUG_STOPPING ? PLUG_STOP
						       : state_of(call, path);

	if (state != plugged.state)
		return false;
	/* Relaxed: threads share the count, and nothing else hangs on it. */
	if (__atomic_add_fetch(&counted, 1, __ATOMIC_RELAXED) != plugged.nth)
		return false;
	if (plugged.before)
		cut();
	return true;
}

static bool watches(void)
{
	return is_engine && plugged.state != PLUG_RANDOM;
}

static bool strikes_fd(enum call call, int fd)
{
	char link[40], path[256] = "";

	if (!watches())
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t bytes = readlink(link, path, sizeof(path) - 1);
	return bytes > 0 && strncmp(path, GROUND_DISK, sizeof(GROUND_DISK) - 1) == 0 &&
	       strikes(call, path);
}

static bool strikes_path(enum call call, const char *path)
{
	return watches() && strikes(call, path);
}

/* The call itself, and the end of it all if this was the moment. */
#define CALLED(type, struck, ...)                                                                  \
	do {                                                                                       \
		bool last = struck;                                                                \
		type result = (type)(__VA_ARGS__);                                                 \
		if (last)                                                                          \
			cut();                                                                     \
		return result;                                                                     \
	} while (0)

static int synced(int fd, long number)
{
	bool last = strikes_fd(CALL_SYNC, fd);
	int result = (int)syscall(number, fd);
	int error = errno;

	if (last)
		cut();
	if (result < 0 && is_engine && plugged.sync_failed)
		plugged.sync_failed(fd, error);
	errno = error;
	return result;
}

/* What an engine does after some seconds can be had at once. */
SHOWN int clock_gettime(clockid_t clock, struct timespec *time)
{
	int result = (int)syscall(SYS_clock_gettime, clock, time);

	if (is_engine && result == 0 && clock != CLOCK_REALTIME) {
		/* Relaxed: one number. */
		uint64_t ns = (uint64_t)time->tv_nsec + weir_load_relaxed_64(plugged.ahead_ns);
		time->tv_sec += (time_t)(ns / 1000000000);
		time->tv_nsec = (long)(ns % 1000000000);
	}
	return result;
}

SHOWN ssize_t send(int fd, const void *data, size_t bytes, int flags)
{
	/* Acquire: behind whatever the engine was told, see plug_cutting(). */
	if (is_engine && weir_load_acquire_32(plugged.cutting)) {
		errno = ENETDOWN;
		return -1;
	}
	return syscall(SYS_sendto, fd, data, bytes, flags, NULL, 0);
}

SHOWN int fsync(int fd)
{
	return synced(fd, SYS_fsync);
}

SHOWN int fdatasync(int fd)
{
	return synced(fd, SYS_fdatasync);
}

SHOWN ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t offset)
{
	CALLED(ssize_t, strikes_fd(CALL_WRITE, fd), syscall(SYS_pwrite64, fd, data, bytes, offset));
}

SHOWN int fallocate64(int fd, int mode, off64_t offset, off64_t bytes)
{
	CALLED(int, strikes_fd(CALL_ALLOCATE, fd), syscall(SYS_fallocate, fd, mode, offset, bytes));
}

SHOWN int ftruncate64(int fd, off64_t bytes)
{
	CALLED(int, strikes_fd(CALL_ALLOCATE, fd), syscall(SYS_ftruncate, fd, bytes));
}

SHOWN int rename(const char *from, const char *to)
{
	CALLED(int, strikes_path(CALL_RENAME, from),
	       syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
}

SHOWN int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	CALLED(int, strikes_path(CALL_RENAME, from),
	       syscall(SYS_renameat, from_directory, from, to_directory, to));
}

SHOWN int unlink(const char *path)
{
	CALLED(int, strikes_path(CALL_UNLINK, path), syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

SHOWN int unlinkat(int directory, const char *path, int flags)
{
	CALLED(int, strikes_path(CALL_UNLINK, path), syscall(SYS_unlinkat, directory, path, flags));
}

SHOWN int mkdirat(int directory, const char *path, mode_t mode)
{
	CALLED(int, strikes_path(CALL_RENAME, path), syscall(SYS_mkdirat, directory, path, mode));
}

/* Writes and syncs are queued by now: the kernel sees them with this. */
SHOWN int io_uring_submit(struct io_uring *ring)
{
	static int (*submit)(struct io_uring *);

	if (!submit)
		submit = (int (*)(struct io_uring *))dlsym(RTLD_NEXT, "io_uring_submit");
	if (!watches() || io_uring_sq_ready(ring) == 0)
		return submit(ring);
	CALLED(int, strikes(CALL_WRITE, "lane-"), submit(ring));
}
