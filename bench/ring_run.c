/*
 * ring_run: events of 16 bytes from one process to another; see ring_run.h. Makes the memory and
 * the two processes, pins them, takes the time.
 */
#include "ring_run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "processor.h"
#include "producer.h"
#include "ring_ends.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

#define LARGE_BYTES ((size_t)2 << 20)
/* A consumer that has not ended so long after its producer never will. */
#define END_S 10

struct memory {
	struct ring_shared *shared;
	char *reserved; /* where the slots lie, on a large page's boundary */
	size_t reserved_bytes, bytes;
	struct weir_event *slots;
};

static void memory_free(struct memory *memory)
{
	if (memory->shared)
		munmap(memory->shared, sizeof(*memory->shared));
	if (memory->reserved)
		munmap(memory->reserved, memory->reserved_bytes);
}

/* Both kinds of pages on the same boundary, all of them there before the first event. */
static int memory_make(const struct ring_run *run, struct memory *memory)
{
	*memory = (struct memory){.bytes = run->events * sizeof(struct weir_event)};
	if (run->large && memory->bytes < LARGE_BYTES)
		memory->bytes = LARGE_BYTES;
	void *shared = mmap(NULL, sizeof(*memory->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	memory->shared = shared;
	memory->reserved_bytes = memory->bytes + LARGE_BYTES;
	void *reserved = mmap(NULL, memory->reserved_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
	if (reserved == MAP_FAILED)
		return -errno;
	memory->reserved = reserved;
	uintptr_t at = ((uintptr_t)reserved + LARGE_BYTES - 1) & ~(uintptr_t)(LARGE_BYTES - 1);
	int fd = memfd_create("weir-bench", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	void *slots = ftruncate(fd, (off_t)memory->bytes) < 0
			      ? MAP_FAILED
			      : mmap((void *)at, memory->bytes, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0);
	int error = slots == MAP_FAILED ? -errno : 0;
	close(fd);
	if (error)
		return error;
	memset(slots, 0, memory->bytes);
	memory->slots = slots;
	if (run->large && madvise(slots, memory->bytes, MADV_COLLAPSE) < 0)
		return -ENOTSUP;
	return 0;
}

static _Noreturn void consumer(const struct ring_run *run, const struct ring_ends *ends)
{
	struct ring_shared *shared = ends->shared;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A terminal interrupts both; the producer ends this process when it has ended its work. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	processor_pin(0, 1);
	/* Its own page tables, before the first event. */
	volatile const char *byte = (const char *)ends->slots;
	for (size_t at = 0; at < ends->capacity * sizeof(struct weir_event); at += 4096)
		(void)byte[at];
	weir_store_release_32(&shared->ready, 1);
	ring_consume(ends, run->way);
	shared->done_ns = monotonic_ns();
	/* Orders: sums and time before the word that says they stand; partner: ring_run(). */
	weir_store_release_32(&shared->ready, 2);
	_exit(0);
}

/* Wait until the consumer is as far; false: it has died or hangs, or we are interrupted. */
static bool await(const struct ring_shared *shared, uint32_t ready, pid_t child)
{
	uint64_t end_ns = monotonic_ns() + END_S * UINT64_C(1000000000);
	/* Orders: what the consumer did before it said so; partner: consumer(). */
	while (weir_load_acquire_32(&shared->ready) < ready) {
		if (monotonic_ns() > end_ns || producers_interrupted())
			return false;
		/* Orders: as above; its last word may have come just before its end. */
		if (process_has_ended(child) && weir_load_acquire_32(&shared->ready) < ready)
			return false;
	}
	return true;
}

static int measure(const struct ring_run *run, struct memory *memory,
		   struct ring_result *ret_result)
{
	struct ring_shared *shared = memory->shared;
	struct ring_ends ends = {
		.shared = shared,
		.slots = memory->slots,
		.capacity = run->events,
		.run_ns = run->ms * UINT64_C(1000000),
	};
	shared->end = UINT64_MAX;
	ck_ring_init(&shared->ck, run->events);
	pid_t child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		consumer(run, &ends);
	processor_pin(0, 0);
	bool good = await(shared, 1, child);
	uint64_t from_ns = monotonic_ns();
	uint64_t count = good ? ring_produce(&ends, run->way) : 0;
	good = good && await(shared, 2, child);
	processor_unpin();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	if (!good)
		return -EIO;
	*ret_result = (struct ring_result){
		.rate = (double)count * 1e9 / (double)(shared->done_ns - from_ns),
		.events = count,
		.lossless = count > 0 && shared->sent == shared->received,
	};
	return 0;
}

int ring_run(const struct ring_run *run, struct ring_result *ret_result, char *why,
	     size_t why_bytes)
{
	struct memory memory = {0};
	if (processor_count() < 2) {
		snprintf(why, why_bytes, "two processors are needed, one for each process");
		return -ENOTSUP;
	}
	int r = memory_make(run, &memory);
	if (r == -ENOTSUP)
		snprintf(why, why_bytes, "no large pages of shared memory here");
	else if (r < 0)
		snprintf(why, why_bytes, "shared memory: %s", strerror(-r));
	if (r == 0) {
		r = measure(run, &memory, ret_result);
		if (r < 0)
			snprintf(why, why_bytes, "the consumer: %s", strerror(-r));
	}
	memory_free(&memory);
	return r;
}
