/*
 * limit_lane: the bare lane; see limit_lane.h.
 *
 *      producer process             lane (the caller's process)
 *      slots, tail  ──────────────> copy, check, map ─> block ─> CRC, disk
 *                                                         └────> cells
 *      released     <────────────── completed prefix
 *
 * Never:  uses the engine's drain, cells or writer, whose limit it is. Of the engine it has only
 *         the CRC and the way to the disk.
 */
#include "limit_lane.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "coarse.h"
#include "limit_cells.h"
#include "log/io.h"
#include "plan.h"
#include "processor.h"
#include "producer.h"
#include "weir/event.h"
#include "weir/order.h"

#define BLOCK_BYTES (256u << 10)
#define HEADER_BYTES 64u
#define BLOCK_EVENTS ((BLOCK_BYTES - HEADER_BYTES) / (uint32_t)sizeof(struct weir_event))
#define DEPTH 8u
#define FILE_BYTES (UINT64_C(1) << 30)
#define FILE_BLOCKS (FILE_BYTES / BLOCK_BYTES)
#define FILE_NAME "lane-limit"
/* Events worked on at once: they stay in the first-level cache between copy, cells and CRC. */
#define PIECE_EVENTS 1024u
#define MAP_AHEAD 64u
#define GIVE_EVENTS 8192u /* slots given back at once where there is no log */
/* Looks at an empty or full ring that are this far apart leave its line with who writes it. */
#define LOOK_AWAY_PAUSES 64u
#define EVENTS_PER_LINE (64u / sizeof(struct weir_event))
#define LINES_AHEAD_EVENTS 128u
#define EVENTS_PER_LOOK 4096u /* of the producer at the clock */
#define HANGS_NS UINT64_C(20000000000)

struct shared {
	_Alignas(128) uint64_t tail;
	_Alignas(128) uint64_t released;
	_Alignas(128) uint32_t ready, go, failed;
	uint32_t done; /* the rest is the last word */
	uint64_t first_ns, last_ns, value_sum;
};

struct bare_lane {
	const struct limit_lane_options *options;
	struct shared *shared;
	struct weir_event *slots;
	uint64_t mask, next, given;
	uint32_t *ids;            /* [series + 1] */
	struct limit_cell *cells; /* [series + 1] */
	uint64_t refused;
	/* The log. Blocks are numbered from 0; `written` and `sent` are such numbers. */
	struct io *io;
	int dirfd, file;
	uint8_t *data; /* [DEPTH + 1][BLOCK_BYTES] */
	uint64_t sent, written;
	uint64_t ends[DEPTH + 1]; /* sequence behind a block's last event */
	bool landed[DEPTH + 1];
	uint32_t fill, crc; /* of the open block */
	bool synced;
	int error;
};

static void look_away(void)
{
	for (uint32_t i = 0; i < LOOK_AWAY_PAUSES; i++) {
#if defined(__x86_64__) || defined(__i386__)
		__builtin_ia32_pause();
#else
		__asm__ __volatile__("" ::: "memory");
#endif
	}
}

/* Series in an order that looks random, each once a round; values 1 to 8. */
static _Noreturn void produce(const struct bare_lane *lane)
{
	const struct limit_lane_options *options = lane->options;
	struct shared *shared = lane->shared;
	struct weir_event *slots = lane->slots;
	uint64_t mask = lane->mask;
	struct plan plan;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	processor_pin(0, processor_of_two(0));
	if (plan_init(&plan, options->series, 0) < 0)
		_exit(1);
	/* Orders: nothing but the start. Partner: limit_lane_run(). */
	weir_store_release_32(&shared->ready, 1);
	while (!weir_load_acquire_32(&shared->go))
		look_away();
	uint64_t tail = 0, released = 0, sum = 0, values = 0;
	uint32_t at = 0;
	shared->first_ns = monotonic_ns();
	do {
		for (uint32_t i = 0; i < EVENTS_PER_LOOK; i++) {
			while (__builtin_expect(tail - released > mask, 0)) {
				/* Orders: the lane's copies before our stores into the same slots.
				 * Partner: give_back(). */
				released = weir_load_acquire_64(&shared->released);
				if (tail - released > mask)
					look_away();
			}
			uint64_t value = (values++ & (PLAN_VALUES - 1)) + 1;
			struct weir_event *slot = &slots[tail & mask];
			/* Its lines are with the lane, and come back while others are filled. */
			if (tail % EVENTS_PER_LINE == 0)
				weir_prefetch_write(&slots[(tail + LINES_AHEAD_EVENTS) & mask]);
			slot->word = weir_event_word(coarse_ms(), plan.order[at] + 1);
			slot->value = weir_value_bits((double)value);
			sum += value;
			at = at + 1 == options->series ? 0 : at + 1;
			/* Orders: the slot before the tail that covers it. Partner: take(). */
			weir_store_release_64(&shared->tail, ++tail);
		}
		shared->last_ns = monotonic_ns();
	} while (shared->last_ns - shared->first_ns < options->run_ns &&
		 (!options->events_max || tail < options->events_max));
	shared->value_sum = sum;
	/* Orders: the last words before the flag. Partner: work(). */
	weir_store_release_32(&shared->done, 1);
	_exit(0);
}

static inline struct weir_event copy_slot(const struct weir_event *slot)
{
	return (struct weir_event){.word = *(const volatile uint64_t *)&slot->word,
				   .value = *(const volatile uint64_t *)&slot->value};
}

/* Copy, check and map `count` slots into `out`; returns how many were good. */
static uint32_t take(struct bare_lane *lane, struct weir_event *out, uint32_t count, uint64_t tail,
		     uint64_t word_last)
{
	const struct weir_event *slots = lane->slots;
	const uint32_t *ids = lane->ids;
	const uint64_t mask = lane->mask, next = lane->next;
	const uint32_t span = lane->options->series;
	uint32_t good = 0;
	uint64_t last = tail - 1 - next; /* what lies above is the producer's: not even a look */

	for (uint32_t i = 0; i < count; i++) {
		uint64_t far = i + MAP_AHEAD < last ? i + MAP_AHEAD : last;
		uint64_t ahead = *(const volatile uint64_t *)&slots[(next + far) & mask].word;
		uintptr_t line = (uintptr_t)ids + 4 * (uintptr_t)weir_event_series(ahead);
		__builtin_prefetch((const void *)line);
		struct weir_event event = copy_slot(&slots[(next + i) & mask]);
		uint32_t local = weir_event_series(event.word);
		if (__builtin_expect(!((local - 1 < span) & (event.word <= word_last) &
				       weir_bits_finite(event.value)),
				     0)) {
			lane->refused++;
			continue;
		}
		out[good].word = (event.word & ~WEIR_SERIES_MASK) | ids[local];
		out[good].value = event.value;
		good++;
	}
	lane->next = next + count;
	return good;
}

static void give_back(struct bare_lane *lane, uint64_t sequence)
{
	/* Orders: our copies out of the slots before the word that frees them. Partner: produce().
	 * Without it a slot could be overwritten while it is read. */
	weir_store_release_64(&lane->shared->released, sequence);
	lane->given = sequence;
}

static void reap(struct bare_lane *lane)
{
	struct io_completion completions[DEPTH];
	uint64_t before = lane->written;
	int n = lane->io->ops->reap(lane->io, completions, DEPTH);

	for (int i = 0; i < n; i++) {
		if (completions[i].cookie == UINT64_MAX)
			lane->synced = completions[i].result == 0;
		else
			lane->landed[completions[i].cookie] = true;
		bool good = completions[i].cookie == UINT64_MAX
				    ? completions[i].result == 0
				    : completions[i].result == BLOCK_BYTES;
		if (!good && !lane->error)
			lane->error = completions[i].result < 0 ? (int)completions[i].result : -EIO;
	}
	while (lane->written < lane->sent && lane->landed[lane->written % (DEPTH + 1)])
		lane->written++;
	if (lane->written != before)
		give_back(lane, lane->ends[(lane->written - 1) % (DEPTH + 1)]);
}

static uint8_t *open_block(const struct bare_lane *lane)
{
	return lane->data + lane->sent % (DEPTH + 1) * BLOCK_BYTES;
}

static void send_block(struct bare_lane *lane)
{
	uint64_t index = lane->sent % (DEPTH + 1);
	uint8_t *block = open_block(lane);
	const uint64_t header[] = {lane->sent, lane->fill, lane->crc, lane->next};

	while (lane->sent - lane->written == DEPTH && !lane->error)
		reap(lane);
	memcpy(block, header, sizeof(header));
	memset(block + HEADER_BYTES + lane->fill * sizeof(struct weir_event), 0,
	       BLOCK_BYTES - HEADER_BYTES - lane->fill * sizeof(struct weir_event));
	lane->ends[index] = lane->next;
	lane->landed[index] = false;
	int error = lane->io->ops->write(lane->io, lane->file,
					 lane->sent % FILE_BLOCKS * BLOCK_BYTES, block, BLOCK_BYTES,
					 index);
	if (error < 0 && !lane->error)
		lane->error = error;
	lane->sent++;
	lane->fill = 0;
	lane->crc = 0;
}

/* Everything up to a snapshot of the tail. */
static void drain(struct bare_lane *lane, uint64_t tail)
{
	uint64_t word_last = weir_event_word(coarse_ms() + 60000, 0);

	while (lane->next != tail && !lane->error) {
		if (lane->io)
			reap(lane);
		uint64_t left = tail - lane->next;
		uint32_t count = left < PIECE_EVENTS ? (uint32_t)left : PIECE_EVENTS;
		if (count > BLOCK_EVENTS - lane->fill)
			count = BLOCK_EVENTS - lane->fill;
		struct weir_event *out =
			(struct weir_event *)(open_block(lane) + HEADER_BYTES) + lane->fill;
		uint32_t good = take(lane, out, count, tail, word_last);
		limit_cells_add(lane->cells, out, good);
		if (!lane->io) {
			if (lane->next - lane->given >= GIVE_EVENTS)
				give_back(lane, lane->next);
			continue;
		}
		lane->crc = crc32c(lane->crc, out, good * sizeof(*out));
		lane->fill += good;
		if (lane->fill == BLOCK_EVENTS)
			send_block(lane);
	}
	if (!lane->io)
		give_back(lane, lane->next);
}

/* Until the producer is done and all of it is synced. */
static int work(struct bare_lane *lane, pid_t producer)
{
	uint64_t moved_ns = monotonic_ns();

	while (!lane->error) {
		/* Orders: the flag before the tail, so that the tail seen with it is the last one;
		 * partner: produce(). */
		uint32_t done = weir_load_acquire_32(&lane->shared->done);
		/* Orders: the tail before the slots below it; partner: produce(). */
		uint64_t tail = weir_load_acquire_64(&lane->shared->tail);
		if (tail != lane->next) {
			drain(lane, tail);
			moved_ns = 0;
		} else if (done) {
			break;
		} else if (moved_ns == 0) {
			moved_ns = monotonic_ns();
		} else if (monotonic_ns() - moved_ns > HANGS_NS ||
			   /* Orders: as above; it may have been done just before its end. */
			   (process_has_ended(producer) &&
			    !weir_load_acquire_32(&lane->shared->done))) {
			return -ESRCH;
		}
		if (lane->io)
			reap(lane);
		look_away();
	}
	if (!lane->io || lane->error)
		return lane->error;
	if (lane->fill)
		send_block(lane);
	while (lane->written < lane->sent && !lane->error)
		reap(lane);
	if (!lane->error)
		lane->error = lane->io->ops->sync(lane->io, lane->file, UINT64_MAX);
	while (!lane->synced && !lane->error)
		reap(lane);
	return lane->error;
}

/* Write the file once, with bytes that no disk can store as nothing. */
static int prewrite(struct bare_lane *lane)
{
	uint64_t *words = (uint64_t *)lane->data;

	for (size_t i = 0; i < (DEPTH + 1) * (size_t)BLOCK_BYTES / 8; i++)
		words[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
	while (lane->sent < FILE_BLOCKS && !lane->error) {
		lane->fill = BLOCK_EVENTS;
		send_block(lane);
		reap(lane);
	}
	while (lane->written < lane->sent && !lane->error)
		reap(lane);
	if (!lane->error)
		lane->error = lane->io->ops->sync(lane->io, lane->file, UINT64_MAX);
	while (!lane->synced && !lane->error)
		reap(lane);
	lane->sent = lane->written = 0;
	lane->synced = false;
	return lane->error;
}

static int open_log(struct bare_lane *lane)
{
	lane->dirfd = open(lane->options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lane->dirfd < 0)
		return -errno;
	int r = io_uring_create(lane->dirfd, DEPTH + 1, &lane->io);
	if (r < 0)
		return r;
	lane->data = lane->io->ops->buffers(lane->io, DEPTH + 1, BLOCK_BYTES);
	if (!lane->data)
		return -ENOMEM;
	lane->file = lane->io->ops->create(lane->io, FILE_NAME, FILE_BYTES);
	return lane->file < 0 ? lane->file : prewrite(lane);
}

static void close_log(struct bare_lane *lane)
{
	if (lane->io) {
		if (lane->file >= 0) {
			lane->io->ops->close(lane->io, lane->file);
			lane->io->ops->unlink(lane->io, FILE_NAME);
		}
		lane->io->ops->destroy(lane->io);
	} else {
		free(lane->data);
	}
	if (lane->dirfd >= 0)
		close(lane->dirfd);
}

static int make_tables(struct bare_lane *lane)
{
	uint32_t series = lane->options->series;

	lane->ids = malloc((series + 1) * sizeof(*lane->ids));
	lane->cells = limit_cells_create(series);
	if (!lane->ids || !lane->cells)
		return -ENOMEM;
	for (uint32_t i = 0; i <= series; i++)
		lane->ids[i] = i;
	if (lane->options->directory)
		return open_log(lane);
	/* One piece that is filled again and again. */
	lane->data = aligned_alloc(4096, BLOCK_BYTES);
	return lane->data ? 0 : -ENOMEM;
}

static double thread_cpu_s(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

/* With the producer ready: let it go, and drain. */
static int measure(struct bare_lane *lane, pid_t producer, struct limit_lane *ret_limit)
{
	const struct shared *shared = lane->shared;
	double sum = 0, cpu_s = thread_cpu_s();
	uint64_t count = 0;

	/* Orders: nothing but the start. Partner: produce(). */
	weir_store_release_32(&lane->shared->go, 1);
	int r = work(lane, producer);
	if (r < 0)
		return r;
	double s = (double)(monotonic_ns() - shared->first_ns) * 1e-9;
	for (uint32_t i = 1; i <= lane->options->series; i++) {
		count += lane->cells[i].count;
		sum += lane->cells[i].sum;
	}
	if (lane->refused || count != lane->next || sum != (double)shared->value_sum)
		return -EPROTO;
	*ret_limit = (struct limit_lane){
		.events_per_s = (double)lane->next / s,
		.bytes_per_s = (double)(lane->sent * BLOCK_BYTES) / s,
		.producer_ns = (double)(shared->last_ns - shared->first_ns) / (double)lane->next,
		.lane_cores = (thread_cpu_s() - cpu_s) / s,
		.events = lane->next,
	};
	return 0;
}

static int run(struct bare_lane *lane, struct limit_lane *ret_limit)
{
	int r = make_tables(lane);
	if (r < 0)
		return r;
	/* Before this process is pinned: its child may use the other one. */
	pid_t producer = fork();
	if (producer < 0)
		return -errno;
	if (producer == 0)
		produce(lane);
	processor_pin(0, processor_of_two(1));
	uint64_t end_ns = monotonic_ns() + HANGS_NS;
	/* Orders: nothing but the start. Partner: produce(). */
	while (!weir_load_acquire_32(&lane->shared->ready) && monotonic_ns() < end_ns)
		look_away();
	r = measure(lane, producer, ret_limit);
	kill(producer, SIGKILL);
	waitpid(producer, NULL, 0);
	return r;
}

int limit_lane_run(const struct limit_lane_options *options, struct limit_lane *ret_limit,
		   char *why, size_t why_bytes)
{
	uint64_t events = options->ring_events  ? options->ring_events
			  : options->directory ? 256u << 10
					       : 64u << 10;
	size_t bytes = 4096 + events * sizeof(struct weir_event);
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED) {
		snprintf(why, why_bytes, "the lane's limit: mmap: %s", strerror(errno));
		return -ENOMEM;
	}
	struct bare_lane lane = {
		.options = options,
		.shared = memory,
		.slots = (void *)((uint8_t *)memory + 4096),
		.mask = events - 1,
		.dirfd = -1,
		.file = -1,
	};
	int r = run(&lane, ret_limit);
	processor_unpin();
	close_log(&lane);
	free(lane.ids);
	free(lane.cells);
	munmap(memory, bytes);
	if (r < 0)
		snprintf(why, why_bytes, "the lane's limit cannot be measured%s%s: %s%s",
			 options->directory ? " in " : "",
			 options->directory ? options->directory : "",
			 r == -EPROTO ? "it lost events" : strerror(-r),
			 options->directory ? "; name a directory on a disk with --dir" : "");
	return r;
}

double limit_lane_row(bool log, uint32_t series)
{
	if (series > 1024 && series != 100000)
		return 0;
	if (!log)
		return series <= 1024 ? 189e6 : 149e6;
	return series <= 1024 ? 112e6 : 80e6;
}
