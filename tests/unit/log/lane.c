/*
 * lane: see lane.h.
 */
#include "lane.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RING 7u

uint64_t lane_seed(void)
{
	const char *seed = getenv("WEIR_TEST_SEED");

	return seed ? strtoull(seed, NULL, 10) * 1000003 : 0;
}

struct simdisk *lane_small(struct lane *lane, uint64_t segment_bytes, uint64_t seed)
{
	*lane = (struct lane){
		.options = {
			.segment_bytes = segment_bytes,
			.block_bytes = 8 << 10,
			.buffers = 12,
			.durability = DURABILITY_INTERVAL,
			.sync_ms = 5,
			.sync_bytes = 64 << 10,
			.spares = 1,
		},
		.random = seed,
	};
	return simdisk_create(seed);
}

uint64_t lane_random(struct lane *lane, uint64_t bound)
{
	uint64_t z = lane->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return bound ? z % bound : 0;
}

/* The events below the block with this LSN have been given LSNs up to it. */
static void note_lsn(struct lane *lane, uint64_t lsn, uint64_t events)
{
	cr_assert(lsn < LANE_LSNS_MAX);
	cr_assert(lsn >= lane->lsns, "LSN %lu again", (unsigned long)lsn);
	for (uint64_t i = lane->lsns; i < lsn; i++)
		lane->events_until[i] = i ? lane->events_until[i - 1] : 0;
	lane->events_until[lsn] = events;
	lane->lsns = lsn + 1;
}

/* Three records in blocks of their own, so that a snapshot can run out of buffers half-way. */
static int snapshot(void *self, struct writer *writer)
{
	struct lane *lane = self;

	for (; lane->snapshot_at < 3; lane->snapshot_at++) {
		struct weir_ring_record ring = {
			.number = RING,
			.index = lane->snapshot_at,
			.next_sequence = lane->flushed,
		};
		int64_t lsn = writer_records(writer, WEIR_BLOCK_RINGS, &ring, sizeof(ring), 1);
		if (lsn < 0)
			return (int)lsn;
		note_lsn(lane, (uint64_t)lsn, lane->flushed);
	}
	lane->snapshot_at = 0;
	lane->snapshots++;
	return 0;
}

bool lane_open(struct lane *lane, struct io *io, const struct lane_log *log, int *ret_error)
{
	lane->options.io = io;
	lane->options.directory = "lane-00";
	lane->options.epoch++;
	lane->options.next_lsn = log ? log->report.next_lsn : 1;
	lane->options.previous_id = log ? log->report.last_id : 0;
	lane->options.random_seed = 42; /* the same every time: ids must differ all the same */
	lane->options.snapshot = snapshot;
	lane->options.self = lane;
	lane->next = lane->flushed = log ? log->events : 0;
	lane->lsns = lane->options.next_lsn;
	lane->events_until[lane->lsns - 1] = lane->next;
	lane->claimed_persisted = lane->claimed_durable = lane->options.next_lsn - 1;
	lane->snapshot_at = 0;
	int result = writer_open(&lane->options, &lane->writer);
	if (ret_error)
		*ret_error = result;
	return result == 0;
}

void lane_step(struct lane *lane)
{
	struct timespec nap = {.tv_nsec = 20000};

	lane->now_ns += 1000000;
	/* A real disk needs real time. */
	if (!writer_step(lane->writer, lane->now_ns) && lane->real)
		nanosleep(&nap, NULL);
	uint64_t persisted = writer_persisted(lane->writer);
	uint64_t durable = writer_durable(lane->writer);
	cr_assert(persisted >= lane->claimed_persisted, "persisted went back");
	cr_assert(durable >= lane->claimed_durable, "durable went back");
	cr_assert(durable <= persisted && persisted < writer_lsn(lane->writer));
	lane->claimed_persisted = persisted;
	lane->claimed_durable = durable;
}

static void flush(struct lane *lane)
{
	uint64_t lsn = writer_lsn(lane->writer);

	writer_flush(lane->writer);
	if (writer_lsn(lane->writer) == lsn)
		return;
	lane->flushed = lane->next;
	note_lsn(lane, lsn, lane->next);
}

static bool put(struct lane *lane)
{
	uint32_t room;
	struct weir_event *events = writer_room(lane->writer, &room);

	if (!events)
		return false;
	uint32_t count = 1 + (uint32_t)lane_random(lane, 300);
	if (count > room)
		count = room;
	if (!count) {
		flush(lane);
		return true;
	}
	uint64_t first = lane->next;
	for (uint32_t i = 0; i < count; i++, lane->next++)
		events[i] = (struct weir_event){
			.word = weir_event_word(lane->next, (uint32_t)(lane->next % 1000 + 1)),
			.value = lane->next,
		};
	struct batch batch = {
		.events = events,
		.count = count,
		.ring = RING,
		.first_sequence = first,
	};
	writer_commit(lane->writer, &batch, first, lane->next - 1);
	if (lane_random(lane, 8) == 0 && writer_mark(lane->writer, 1, (int64_t)first, 5) < 0)
		flush(lane);
	if (lane_random(lane, 8) == 0)
		flush(lane);
	return true;
}

bool lane_write(struct lane *lane, uint64_t until, uint32_t steps)
{
	for (uint32_t i = 0; i < steps; i++) {
		if (lane->flushed >= until)
			return true;
		bool any = put(lane);
		if (!any || lane_random(lane, 3) == 0)
			lane_step(lane);
		if (lane->next >= until)
			flush(lane);
	}
	return lane->flushed >= until;
}

bool lane_settle(struct lane *lane, uint32_t steps)
{
	flush(lane);
	for (uint32_t i = 0; i < steps; i++) {
		writer_sync_soon(lane->writer);
		lane_step(lane);
		if (lane->claimed_durable + 1 == writer_lsn(lane->writer))
			return true;
	}
	return false;
}

static void check_block(const struct reader_block *block, struct lane_log *log)
{
	uint32_t at = 0;

	if (block->header.type == WEIR_BLOCK_RINGS) {
		const struct weir_ring_record *ring = block->payload;
		cr_assert_eq(block->header.payload_bytes, sizeof(*ring));
		cr_assert(ring->next_sequence <= log->events);
		log->snapshots++;
		return;
	}
	cr_assert_eq(block->header.type, WEIR_BLOCK_EVENTS);
	for (uint32_t i = 0; i < block->header.runs; i++) {
		const struct weir_run *run = &block->runs[i];
		if (run->ring == WEIR_RUN_MARK) {
			cr_assert_eq(run->drops, 5u);
			log->marks++;
			continue;
		}
		cr_assert_eq(run->ring, RING);
		cr_assert_eq(run->first_sequence, block->events[at].value);
		at += run->count;
	}
	cr_assert_eq(at, block->header.count);
	for (uint32_t i = 0; i < block->header.count; i++) {
		const struct weir_event *event = &block->events[i];
		uint64_t n = log->events;
		if (event->value > n && block->gap_before && i == 0)
			n = log->events = event->value;
		cr_assert_eq(event->value, n, "event %lu instead of %lu",
			     (unsigned long)event->value, (unsigned long)n);
		cr_assert_eq(event->word, weir_event_word(n, (uint32_t)(n % 1000 + 1)));
		log->events++;
	}
}

void lane_read(struct io *io, struct lane_log *ret_log)
{
	struct reader *reader;
	struct reader_block block;
	char why[256] = "";
	int result = reader_open(io, "lane-00", 0, 0, false, &reader, why, sizeof(why));

	*ret_log = (struct lane_log){.report.next_lsn = 1};
	if (result == -ENOENT)
		return;
	cr_assert_eq(result, 0, "reader_open: %d %s", result, why);
	uint64_t lsn = 0;
	while ((result = reader_next(reader, &block)) == 1) {
		cr_assert(block.header.lsn > lsn);
		cr_assert(lsn == 0 || block.gap_before || block.header.lsn == lsn + 1);
		lsn = block.header.lsn;
		check_block(&block, ret_log);
	}
	cr_assert_eq(result, 0, "reader_next: %d %s", result, reader_why(reader));
	reader_report(reader, &ret_log->report);
	cr_assert(ret_log->report.next_lsn > lsn);
	reader_close(reader);
}

int lane_directory(char path[64])
{
	strcpy(path, "test-log-XXXXXX");
	cr_assert(mkdtemp(path) != NULL, "cannot make a directory here: %s", strerror(errno));
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(fd >= 0);
	return fd;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

void lane_remove(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
