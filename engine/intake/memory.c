/*
 * memory: the shared memory of producers, checked and mapped; and what the engine shares back.
 *
 * Idea:  what can still change after a check is not checked. The seals come first: with SHRINK,
 *        GROW and SEAL on a memfd, its size is settled and no read of the mapping can fault. Then
 *        the header is copied out once, and the copy is checked and used; the rest of the life of
 *        the region nothing is read from it but cursors, counters and slots.
 *
 *   producer's memfd                             engine's memfd (control)
 *   PROT_READ here, written there                written here, sealed FUTURE_WRITE: the
 *   sealed SHRINK|GROW|SEAL                      descriptor that goes out cannot write
 *
 * Runs on:  the intake agent.
 * Never:    maps what it has not measured; trusts a size that stands in shared memory twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "intake/memory.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define SEALS_NEEDED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define PAGE_BYTES 4096u
/* Address space that producers never get: what the log, the store and an operator's answer want at
 * any moment. Of little, a quarter. */
#define ADDRESSES_KEPT (UINT64_C(64) << 20)

void refuse(struct refusal *refusal, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(refusal->text, sizeof(refusal->text), format, arguments);
	va_end(arguments);
}

void memory_copy(void *to, const void *shared, size_t bytes)
{
	memcpy(to, shared, bytes);
	/* Whatever lies behind `shared` may differ from here on, says this to the compiler, so the
	 * copy must be made and must be used. */
	__asm__ volatile("" : : "r"(to), "r"(shared) : "memory");
}

static size_t page_round(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

/* Is it a memfd whose size is settled, and what is it? */
static int measure(int fd, const char *what, struct stat *ret_status, struct refusal *refusal)
{
	struct statfs fs;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || fstat(fd, ret_status) < 0 || fstatfs(fd, &fs) < 0 ||
	    !S_ISREG(ret_status->st_mode)) {
		refuse(refusal, "the %s is not a memfd: make it with memfd_create", what);
		return -EINVAL;
	}
	if (fs.f_type != TMPFS_MAGIC) {
		/* A huge page that the producer punches out could not be had back on a read. */
		refuse(refusal, "the %s lies on huge pages: make it without MFD_HUGETLB", what);
		return -EINVAL;
	}
	if ((seals & SEALS_NEEDED) != SEALS_NEEDED) {
		refuse(refusal, "the %s is not sealed: add F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL",
		       what);
		return -EPERM;
	}
	return 0;
}

static bool size_fits(const struct stat *status, uint64_t bytes)
{
	uint64_t size = (uint64_t)status->st_size;
	return size == bytes || size == page_round(bytes);
}

static int map(int fd, const struct stat *status, const char *what, struct memory *ret_memory,
	       struct refusal *refusal)
{
	size_t bytes = page_round((size_t)status->st_size);
	void *at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED) {
		int status_map = -errno;
		refuse(refusal, "cannot map the %s: %s", what, strerror(-status_map));
		return status_map;
	}
	*ret_memory = (struct memory){
		.at = at, .bytes = bytes, .device = status->st_dev, .inode = status->st_ino};
	return 0;
}

bool memory_has_room(struct refusal *refusal)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return true;
	size_t kept = (size_t)(limit.rlim_cur / 4 < ADDRESSES_KEPT ? limit.rlim_cur / 4
								   : ADDRESSES_KEPT);
	/* Nobody says what is left of a limit; asked for, it is given or not. */
	void *at = mmap(NULL, kept, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED) {
		refuse(refusal, "the engine has no address space left for more: raise LimitAS");
		return false;
	}
	munmap(at, kept);
	return true;
}

void memory_close(struct memory *memory)
{
	if (memory->at)
		munmap((void *)(uintptr_t)memory->at, memory->bytes);
	memory->at = NULL;
}

int memory_is(const struct memory *memory, int fd)
{
	struct stat status;
	return fstat(fd, &status) == 0 && status.st_dev == memory->device &&
	       status.st_ino == memory->inode;
}

static bool version_ok(uint32_t version, uint32_t fingerprint, struct refusal *refusal)
{
	if (version != WEIR_LAYOUT_VERSION)
		refuse(refusal,
		       "the library speaks layout %u, the engine %u: install the same release",
		       version, WEIR_LAYOUT_VERSION);
	else if (fingerprint != weir_layout_fingerprint())
		refuse(refusal,
		       "library and engine were built differently: install the same release");
	else
		return true;
	return false;
}

/* [a-z0-9_-], 1 to 31 of them, then NUL: a name of a source appears in file and channel names. */
static bool source_name_ok(const char name[WEIR_SOURCE_NAME_BYTES])
{
	size_t bytes = strnlen(name, WEIR_SOURCE_NAME_BYTES);
	if (bytes < 1 || bytes == WEIR_SOURCE_NAME_BYTES)
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == bytes;
}

static bool all_zero(const uint8_t *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (at[i])
			return false;
	return true;
}

/* `header` is a private copy. */
static int check_region(const struct weir_region_header *header, const struct stat *status,
			struct refusal *refusal)
{
	if (header->magic != WEIR_REGION_MAGIC) {
		refuse(refusal, "this memfd is not a weir region");
		return -EINVAL;
	}
	if (!version_ok(header->version, header->fingerprint, refusal))
		return -EPROTONOSUPPORT;
	if (header->table_bytes > WEIR_TABLE_BYTES_MAX) {
		refuse(refusal, "the series table is larger than %u bytes: set table_bytes lower",
		       WEIR_TABLE_BYTES_MAX);
		return -EFBIG;
	}
	if (!size_fits(status, WEIR_TABLE_OFFSET + header->table_bytes)) {
		refuse(refusal, "the region has %lld bytes, its header says %llu",
		       (long long)status->st_size,
		       (unsigned long long)(WEIR_TABLE_OFFSET + header->table_bytes));
		return -EINVAL;
	}
	if (header->rings_max < 1 || header->rings_max > WEIR_RINGS_MAX || header->series_max < 1 ||
	    header->series_max > WEIR_SERIES_MAX) {
		refuse(refusal, "rings_max must be 1 to %u and series_max 1 to %u", WEIR_RINGS_MAX,
		       WEIR_SERIES_MAX);
		return -EINVAL;
	}
	if (header->clock != WEIR_CLOCK_WALL && header->clock != WEIR_CLOCK_EVENT) {
		refuse(refusal, "the source's clock is neither wall nor event");
		return -EINVAL;
	}
	if (!source_name_ok(header->source)) {
		refuse(refusal, "a source's name is 1 to 31 of a-z, 0-9, _ and -: set `source` so");
		return -EINVAL;
	}
	if (all_zero(header->uuid, sizeof(header->uuid))) {
		refuse(refusal, "the region has no uuid");
		return -EINVAL;
	}
	return 0;
}

int memory_open_region(int fd, struct memory *ret_memory, struct region_identity *ret_identity,
		       struct refusal *refusal)
{
	struct weir_region_header header;
	struct memory memory;
	struct stat status;

	int r = measure(fd, "region", &status, refusal);
	if (r < 0)
		return r;
	if (status.st_size < WEIR_TABLE_OFFSET ||
	    status.st_size > (off_t)WEIR_TABLE_OFFSET + WEIR_TABLE_BYTES_MAX) {
		refuse(refusal, "a region has a page and up to %u bytes, this one %lld",
		       WEIR_TABLE_BYTES_MAX, (long long)status.st_size);
		return -EFBIG;
	}
	r = map(fd, &status, "region", &memory, refusal);
	if (r < 0)
		return r;
	memory_copy(&header, memory.at, sizeof(header));
	r = check_region(&header, &status, refusal);
	if (r < 0) {
		memory_close(&memory);
		return r;
	}
	*ret_identity = (struct region_identity){.start_time_ticks = header.start_time_ticks,
						 .table_bytes = header.table_bytes,
						 .clock = header.clock,
						 .rings_max = header.rings_max,
						 .series_max = header.series_max};
	memcpy(ret_identity->uuid, header.uuid, sizeof(header.uuid));
	memcpy(ret_identity->source, header.source, sizeof(header.source));
	memcpy(ret_identity->program, header.program, sizeof(header.program) - 1);
	*ret_memory = memory;
	return 0;
}

static int check_ring(const struct weir_ring_header *header, const struct stat *status,
		      const uint8_t uuid[16], uint32_t index, struct refusal *refusal)
{
	if (header->magic != WEIR_RING_MAGIC) {
		refuse(refusal, "this memfd is not a weir ring");
		return -EINVAL;
	}
	if (!version_ok(header->version, header->fingerprint, refusal))
		return -EPROTONOSUPPORT;
	if (memcmp(header->uuid, uuid, sizeof(header->uuid)) || header->index != index) {
		refuse(refusal, "this is ring %u of another region, or not ring %u", header->index,
		       index);
		return -EPERM;
	}
	if (header->capacity < WEIR_RING_EVENTS_MIN || header->capacity > WEIR_RING_EVENTS_MAX ||
	    header->capacity & (header->capacity - 1)) {
		refuse(refusal, "a ring has a power of two of events, %u to %u: set ring_events so",
		       WEIR_RING_EVENTS_MIN, WEIR_RING_EVENTS_MAX);
		return -EINVAL;
	}
	uint64_t bytes = WEIR_RING_OFFSET + header->capacity * sizeof(struct weir_event);
	if (!size_fits(status, bytes)) {
		refuse(refusal, "the ring has %lld bytes, its header says %llu",
		       (long long)status->st_size, (unsigned long long)bytes);
		return -EINVAL;
	}
	return 0;
}

int memory_open_ring(int fd, const uint8_t uuid[16], uint32_t index, struct memory *ret_memory,
		     uint64_t *ret_capacity, struct refusal *refusal)
{
	struct weir_ring_header header;
	struct memory memory;
	struct stat status;

	int r = measure(fd, "ring", &status, refusal);
	if (r < 0)
		return r;
	off_t bytes_max = WEIR_RING_OFFSET + (off_t)WEIR_RING_EVENTS_MAX * 16;
	if (status.st_size < WEIR_RING_OFFSET || status.st_size > bytes_max) {
		refuse(refusal, "a ring has a page and up to %u events, this one %lld bytes",
		       WEIR_RING_EVENTS_MAX, (long long)status.st_size);
		return -EFBIG;
	}
	r = map(fd, &status, "ring", &memory, refusal);
	if (r < 0)
		return r;
	memory_copy(&header, memory.at, sizeof(header));
	r = check_ring(&header, &status, uuid, index, refusal);
	if (r < 0) {
		memory_close(&memory);
		return r;
	}
	*ret_capacity = header.capacity;
	*ret_memory = memory;
	return 0;
}

/* A memfd that exists only to be shared with producers; NOEXEC where the kernel has it. */
static int create_memfd(void)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("weir-control", flags | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("weir-control", flags);
	return fd < 0 ? -errno : fd;
}

int memory_create_control(uint32_t epoch, void **ret_control, int *ret_fd)
{
	int fd = create_memfd();
	if (fd < 0)
		return fd;
	int r = -posix_fallocate(fd, 0, WEIR_CONTROL_BYTES);
	if (r < 0)
		goto failed;
	void *control = mmap(NULL, WEIR_CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (control == MAP_FAILED) {
		r = -errno;
		goto failed;
	}
	*(struct weir_control_header *)control = (struct weir_control_header){
		.magic = WEIR_CONTROL_MAGIC,
		.version = WEIR_LAYOUT_VERSION,
		.fingerprint = weir_layout_fingerprint(),
		.epoch = epoch,
		.slots = WEIR_RINGS_MAX,
	};
	/* Our mapping stays writable; no other can be made from this descriptor or any other. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | SEALS_NEEDED) < 0) {
		r = -errno;
		munmap(control, WEIR_CONTROL_BYTES);
		goto failed;
	}
	*ret_control = control;
	*ret_fd = fd;
	return 0;
failed:
	close(fd);
	return r;
}

void memory_destroy_control(void *control, int fd)
{
	if (control)
		munmap(control, WEIR_CONTROL_BYTES);
	if (fd >= 0)
		close(fd);
}
