/*
 * memory: the memfds of a producer, and descriptors that may be closed behind our back.
 *
 * Idea:  a memfd is made whole before anyone sees it: size, pages allocated (so that no emit ever
 *        meets a lack of memory as a signal), header, seals. The seals let the engine map it
 *        without fear of a later truncation.
 *
 * Runs on:  the thread that needs the memory, in a slow call, with the handle's lock held and its
 *           signals held back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* One step of fallocate: short enough that a program with a fast interval timer, whose signals
 * interrupt it, gets through. */
#define ALLOCATE_STEP_BYTES ((size_t)256 << 10)
#define INTERRUPTS_MAX 1000

void libweir_signals_hold(sigset_t *ret_before)
{
	static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
	sigset_t held;

	sigfillset(&held);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&held, own[i]);
	pthread_sigmask(SIG_BLOCK, &held, ret_before);
}

void libweir_signals_release(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

int libweir_descriptor_take(int fd, struct descriptor *ret_descriptor)
{
	struct stat status;

	/* Not on a standard stream's number: an application that closed its own would print
	 * into our memory. */
	if (fd >= 0 && fd <= STDERR_FILENO) {
		int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		int error = errno;
		close(fd);
		errno = error;
		fd = higher;
	}
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0) {
		int error = -errno;
		close(fd);
		return error;
	}
	ret_descriptor->device = status.st_dev;
	ret_descriptor->inode = status.st_ino;
	/* Orders: nothing. A waiting thread looks at the socket's number beside the one that
	 * attaches (wait_slice()); a stale one costs it a slice. */
	weir_store_relaxed_32((uint32_t *)&ret_descriptor->fd, (uint32_t)fd);
	return 0;
}

bool libweir_descriptor_valid(const struct descriptor *descriptor)
{
	struct stat status;

	return descriptor->fd >= 0 && fstat(descriptor->fd, &status) == 0 &&
	       status.st_dev == descriptor->device && status.st_ino == descriptor->inode;
}

void libweir_descriptor_drop(struct descriptor *descriptor)
{
	if (libweir_descriptor_valid(descriptor))
		close(descriptor->fd);
	weir_store_relaxed_32((uint32_t *)&descriptor->fd, (uint32_t)-1); /* as above */
}

static int allocate(int fd, size_t bytes)
{
	struct rlimit largest;
	int interrupts = 0;

	/* A process that outgrows this limit is sent a signal, which ends most. */
	if (getrlimit(RLIMIT_FSIZE, &largest) == 0 && largest.rlim_cur < bytes)
		return -EFBIG;
	if (ftruncate(fd, (off_t)bytes) < 0)
		return -errno;
	for (size_t at = 0; at < bytes;) {
		size_t step = bytes - at < ALLOCATE_STEP_BYTES ? bytes - at : ALLOCATE_STEP_BYTES;
		if (fallocate(fd, 0, (off_t)at, (off_t)step) == 0)
			at += step;
		else if (errno != EINTR || ++interrupts > INTERRUPTS_MAX)
			return -errno;
	}
	return 0;
}

void libweir_memory_drop(struct memory *memory)
{
	if (memory->map)
		munmap(memory->map, memory->bytes);
	libweir_descriptor_drop(&memory->descriptor);
	*memory = (struct memory){.descriptor = {.fd = -1}};
}

/* Made where it stays: whoever forks meanwhile, in another thread, leaves a child that sees in
 * *memory what it has of it. The addresses are set aside first, for pages take their time. */
int libweir_memory_create(const char *name, size_t bytes, struct memory *memory)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL) /* Linux before 6.3 */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	*memory = (struct memory){.descriptor = {.fd = -1}, .bytes = bytes};
	int error = libweir_descriptor_take(fd, &memory->descriptor);
	if (error)
		return error;

	error = allocate(memory->descriptor.fd, bytes);
	if (!error) {
		void *map = mmap(NULL, bytes, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (map == MAP_FAILED)
			error = -errno;
		else
			memory->map = map;
	}
	if (!error && mmap(memory->map, bytes, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE | MAP_FIXED, memory->descriptor.fd,
			   0) == MAP_FAILED)
		error = -errno;
	if (!error && fcntl(memory->descriptor.fd, F_ADD_SEALS,
			    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		error = -errno;
	if (error)
		libweir_memory_drop(memory);
	return error;
}

/* A small file of /proc, as a text; "" where there is none for us. 0, or what keeps it from being
 * read now: a region that says something wrong would be refused for all its life. */
static int read_proc(const char *path, char *text, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	text[0] = '\0';
	if (fd < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -errno;
	ssize_t count = read(fd, text, bytes - 1);
	int error = count < 0 ? -errno : 0;
	close(fd);
	text[count < 0 ? 0 : count] = '\0';
	return error;
}

/* What /proc adds to the times of processes where this one looks at it, in clock ticks: the offset
 * of its time namespace; 0 where there is none. */
static int boot_offset_ticks(uint64_t *ret_ticks)
{
	char ours[64] = "", childrens[64] = "", text[256];
	long long seconds = 0, nanoseconds = 0;

	*ret_ticks = 0;
	/* The file tells of children's namespace; only where that is ours too is it our offset. */
	if (readlink("/proc/self/ns/time", ours, sizeof(ours) - 1) < 0 ||
	    readlink("/proc/self/ns/time_for_children", childrens, sizeof(childrens) - 1) < 0 ||
	    strcmp(ours, childrens))
		return 0;
	int error = read_proc("/proc/self/timens_offsets", text, sizeof(text));
	const char *at = strstr(text, "boottime");
	if (error || !at || sscanf(at, "boottime %lld %lld", &seconds, &nanoseconds) != 2)
		return error;
	const long long per_s = sysconf(_SC_CLK_TCK);
	*ret_ticks = (uint64_t)(seconds * per_s + nanoseconds / (1000000000 / per_s));
	return 0;
}

/* When this process started, in clock ticks since boot: field 22 of /proc/self/stat, as it is seen
 * outside of time namespaces, so that an engine in another one sees the same. 0 where there
 * is no such file: unknown, which an engine that compares it refuses with a text. */
static int start_time_ticks(uint64_t *ret_ticks)
{
	char text[1024];
	uint64_t ticks = 0, offset_ticks = 0;

	*ret_ticks = 0;
	int error = read_proc("/proc/self/stat", text, sizeof(text));
	if (!error && text[0])
		error = boot_offset_ticks(&offset_ticks);
	if (error || !text[0])
		return error;
	/* The second field is the program's name in brackets, which may contain anything. */
	const char *at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	for (at = at ? at + 1 : ""; *at >= '0' && *at <= '9'; at++)
		ticks = ticks * 10 + (uint64_t)(*at - '0');
	*ret_ticks = ticks - offset_ticks;
	return 0;
}

int libweir_region_create(const struct weir *w, struct memory *ret_memory)
{
	struct memory memory;
	uint64_t start_ticks;
	int error = start_time_ticks(&start_ticks);
	if (!error)
		error = libweir_memory_create("weir-region",
					      WEIR_TABLE_OFFSET + (size_t)w->table_bytes, &memory);
	if (error)
		return error;
	struct weir_region_header *header = memory.map;
	*header = (struct weir_region_header){
		.magic = WEIR_REGION_MAGIC,
		.version = WEIR_LAYOUT_VERSION,
		.fingerprint = weir_layout_fingerprint(),
		.pid = (uint32_t)getpid(),
		.clock = w->clock,
		.start_time_ticks = start_ticks,
		.table_bytes = w->table_bytes,
		.rings_max = WEIR_RINGS_MAX,
		.series_max = w->series_max,
	};
	memcpy(header->source, w->source, sizeof(header->source));
	memcpy(header->program, w->program, sizeof(header->program));
	if (getrandom(header->uuid, sizeof(header->uuid), 0) != sizeof(header->uuid)) {
		libweir_memory_drop(&memory);
		return -EAGAIN;
	}
	*ret_memory = memory;
	return 0;
}

int libweir_ring_create(struct weir *w)
{
	struct client_ring *ring = &w->rings[w->ring_count];
	size_t bytes = WEIR_RING_OFFSET + (size_t)w->ring_events * sizeof(struct weir_event);
	*ring = (struct client_ring){.offer = OFFER_NEW, .memory = {.descriptor = {.fd = -1}}};
	int error = libweir_memory_create("weir-ring", bytes, &ring->memory);
	if (error)
		return error;
	/* A child of a bare clone(), which runs no fork handlers, must not reach the slots. */
	if (madvise(ring->memory.map, bytes, MADV_DONTFORK) < 0) {
		error = -errno;
		libweir_memory_drop(&ring->memory);
		return error;
	}
	struct weir_ring_header *header = ring->memory.map;
	*header = (struct weir_ring_header){
		.magic = WEIR_RING_MAGIC,
		.version = WEIR_LAYOUT_VERSION,
		.fingerprint = weir_layout_fingerprint(),
		.index = w->ring_count,
		.capacity = w->ring_events,
	};
	memcpy(header->uuid, region_header(w)->uuid, sizeof(header->uuid));
	ring->writer = (struct weir_ring_writer){
		.slots = (struct weir_event *)((char *)ring->memory.map + WEIR_RING_OFFSET),
		.mask = w->ring_events - 1,
		.header = header,
		.control = weir_control_slots(w->control) + w->ring_count,
	};
	return 0;
}

void libweir_rings_drop(struct weir *w, bool inherited)
{
	/* Of a parent's there may be one behind them that was being made. */
	const bool unmade = inherited && w->ring_count < WEIR_RINGS_MAX;

	for (uint32_t i = 0; i < w->ring_count + unmade; i++) {
		struct memory *memory = &w->rings[i].memory;
		/* The parent's mapping did not come along; what is there now is not ours. */
		if (inherited && !memory->plugged)
			memory->map = NULL;
		libweir_memory_drop(memory);
	}
	memset(w->rings, 0, sizeof(w->rings));
	weir_store_relaxed_32(&w->ring_count, 0); /* with the lock held, or with no one else here */
}
