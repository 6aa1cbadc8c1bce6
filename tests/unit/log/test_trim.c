/*
 * trim: an engine that is stopped or killed leaves files that take what they hold and little more,
 * and everything that they hold.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lane.h"
#include "log/block.h"
#include "log/posix.h"
#include "support/proof.h"
#include "support/simdisk.h"
#include "weir/limits.h"

#define SEGMENT_BYTES (4u << 20)
#define EPOCHS 40
/* The current file, the next one and a spare are whole. */
#define WHOLE 3
/* Of a life of some thousand events: they, and what lies before the next fence. */
#define LIFE_BYTES (512u << 10)

static struct lane lane;
static struct simdisk *disk;

enum end { STOP, KILL, POWER_CUT, ENDS };

static void setup(uint64_t seed)
{
	disk = lane_small(&lane, SEGMENT_BYTES, seed);
}

/* What the log holds, and an instance that has read it: for the next epoch. */
static struct io *recover(struct lane_log *log)
{
	struct io *io = simdisk_io(disk, 8);

	lane_read(io, log);
	return io;
}

static void die(struct io *io, enum end end)
{
	if (end == STOP) {
		cr_assert_eq(writer_close(lane.writer, 10000), 0);
	} else {
		writer_abandon(lane.writer);
		if (end == POWER_CUT)
			simdisk_power_cut(disk);
		else
			simdisk_kill(disk);
	}
	io->ops->destroy(io);
}

/* Lives that come to such an end, after a moment or with all files written ahead. */
static void live(enum end end, bool settled)
{
	struct lane_log log = {.report.next_lsn = 1};

	setup(lane_seed() + 10 * end + settled);
	for (int epoch = 0; epoch < EPOCHS; epoch++) {
		struct io *io = recover(&log);
		cr_assert(lane_open(&lane, io, epoch ? &log : NULL, NULL));
		cr_assert(lane_write(&lane, lane.next + 1 + lane_random(&lane, 5000), 100000));
		cr_assert(lane_settle(&lane, 10000));
		for (int i = settled ? 6000 : 60; i > 0; i--)
			lane_step(&lane);
		const uint64_t events = lane.flushed;
		die(io, end);
		io = recover(&log);
		cr_assert_eq(log.events, events, "%lu of %lu", (unsigned long)log.events,
			     (unsigned long)events);
		cr_assert_eq(log.report.gaps, 0u);
		io->ops->destroy(io);
		/* A power cut may bring back what was given away shortly before. */
		if (end == POWER_CUT)
			continue;
		/* A stopped one leaves a spare; the next trims a killed one's current file. */
		const uint64_t whole = end == STOP ? 1 : WHOLE;
		cr_assert(simdisk_used(disk) <=
				  whole * SEGMENT_BYTES + (uint64_t)(epoch + 1) * LIFE_BYTES,
			  "end %d, settled %d, epoch %d: %lu", end, settled, epoch,
			  (unsigned long)simdisk_used(disk));
	}
	simdisk_destroy(disk);
}

Test(trim, lives_that_end_early_take_what_they_hold)
{
	for (enum end end = STOP; end < ENDS; end++) {
		live(end, false);
		live(end, true);
	}
	proof_say("trimmed-lives", 2 * ENDS * EPOCHS, 0);
}

/* Blocks below next_lsn that a file has. */
#define BLOCKS_MAX 8192

struct blocks {
	uint64_t next_lsn;
	uint32_t count;
	struct {
		char path[SEGMENT_PATH_BYTES];
		uint64_t offset;
	} at[BLOCKS_MAX];
};

static bool is_block(const uint8_t *file, uint64_t at, uint64_t id, uint64_t next_lsn)
{
	struct weir_block_header header;

	memcpy(&header, file + at, sizeof(header));
	return block_header_good(&header, id) && header.lsn < next_lsn;
}

static void find_blocks(void *self, const char *path)
{
	struct blocks *blocks = self;
	uint64_t bytes, id;

	if (segment_parse_name(path + strlen("lane-00/"), &id) != SEGMENT_FILE_SEGMENT)
		return;
	const uint8_t *file = simdisk_file(disk, path, &bytes);
	for (uint64_t at = 0; at < bytes; at += WEIR_BLOCK_ALIGN) {
		if (!is_block(file, at, id, blocks->next_lsn))
			continue;
		cr_assert_lt(blocks->count, BLOCKS_MAX);
		strcpy(blocks->at[blocks->count].path, path);
		blocks->at[blocks->count++].offset = at;
	}
}

/* In files that are there still. */
static void expect_blocks(const struct blocks *blocks)
{
	for (uint32_t i = 0; i < blocks->count; i++) {
		uint64_t bytes, id;
		const uint8_t *file = simdisk_file(disk, blocks->at[i].path, &bytes);
		segment_parse_name(blocks->at[i].path + strlen("lane-00/"), &id);
		cr_assert(!file || is_block(file, blocks->at[i].offset, id, blocks->next_lsn),
			  "the block at %lu of %s is gone", (unsigned long)blocks->at[i].offset,
			  blocks->at[i].path);
	}
}

/* Killed while blocks of a file that failed go to another one; they come when the log has been
 * read, and all of it was found to hold nothing. 1: it was so. */
static int die_rewriting(uint64_t steps)
{
	static struct blocks blocks;
	struct lane_log log;

	setup(lane_seed() + 1000 + steps);
	lane.options.sync_bytes = 32 << 10;
	struct io *io = recover(&log);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	cr_assert(lane_write(&lane, 3000, 10000));
	simdisk_fail(disk, SIMDISK_SYNC, 1, -EIO, false);
	lane_write(&lane, lane.next + 20000, (uint32_t)steps);
	writer_abandon(lane.writer);
	simdisk_kill_late(disk);
	io->ops->destroy(io);
	simdisk_fail(disk, SIMDISK_SYNC, 0, 0, false);
	io = recover(&log);
	const bool late = simdisk_late(disk) > 0;
	blocks = (struct blocks){.next_lsn = log.report.next_lsn};
	simdisk_names(disk, find_blocks, &blocks);
	cr_assert(lane_open(&lane, io, &log, NULL));
	cr_assert(lane_write(&lane, lane.next + 1000, 100000));
	cr_assert(lane_settle(&lane, 10000));
	for (int i = 0; i < 1000; i++)
		lane_step(&lane);
	const uint64_t events = lane.flushed;
	expect_blocks(&blocks);
	die(io, STOP);
	io = recover(&log);
	cr_assert_eq(log.events, events);
	cr_assert_eq(log.report.gaps, 0u);
	io->ops->destroy(io);
	simdisk_destroy(disk);
	return late;
}

Test(trim, what_a_killed_engine_writes_late_is_not_taken_for_nothing)
{
	int late = 0;

	for (uint64_t steps = 1; steps <= 400; steps++)
		late += die_rewriting(steps);
	cr_assert_gt(late, 40);
}

Test(trim, on_a_full_disk_a_start_gets_the_room_of_the_dead)
{
	struct lane_log log;

	setup(lane_seed() + 1);
	struct io *io = recover(&log);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	cr_assert(lane_write(&lane, 100, 1000));
	cr_assert(lane_settle(&lane, 1000));
	die(io, KILL);
	/* The new epoch's first file is the dead one's next; there is no room for another. */
	simdisk_capacity(disk, simdisk_used(disk) + LIFE_BYTES);
	io = recover(&log);
	cr_assert(lane_open(&lane, io, &log, NULL));
	cr_assert(lane_write(&lane, lane.next + 3 * SEGMENT_BYTES / 32, 200000));
	cr_assert(lane_settle(&lane, 1000));
	const uint64_t events = lane.flushed;
	die(io, STOP);
	io = recover(&log);
	cr_assert_eq(log.events, events);
	io->ops->destroy(io);
	simdisk_destroy(disk);
}

/* Where the room cannot be given back, nothing else happens. */
static void refused(int error)
{
	struct lane_log log = {.report.next_lsn = 1};

	setup(lane_seed() + 2);
	for (int epoch = 0; epoch < 6; epoch++) {
		struct io *io = recover(&log);
		simdisk_fail(disk, SIMDISK_TRIM, 1, error, true);
		cr_assert(lane_open(&lane, io, epoch ? &log : NULL, NULL));
		cr_assert(lane_write(&lane, lane.next + 1000, 100000));
		cr_assert(lane_settle(&lane, 10000));
		for (int i = 0; i < 1000; i++)
			lane_step(&lane);
		const uint64_t events = lane.flushed;
		die(io, epoch % 2 ? STOP : KILL);
		io = recover(&log);
		cr_assert_eq(log.events, events);
		io->ops->destroy(io);
	}
	cr_assert_gt(simdisk_failed(disk), 3u);
	cr_assert_gt(simdisk_used(disk), 6u * SEGMENT_BYTES);
	simdisk_destroy(disk);
}

Test(trim, a_file_system_that_cannot_costs_room_and_nothing_else)
{
	refused(-EOPNOTSUPP);
	refused(-EIO);
}

/* Retention makes spares of files, which a disk that fills up must not find out to be holes. */
Test(trim, what_has_given_its_room_back_is_no_spare)
{
	struct lane_log log = {.report.next_lsn = 1};

	setup(lane_seed() + 3);
	for (int epoch = 0; epoch < 8; epoch++) {
		struct io *io = recover(&log);
		cr_assert(lane_open(&lane, io, epoch ? &log : NULL, NULL));
		cr_assert(lane_write(&lane, lane.next + 1000, 100000));
		cr_assert(lane_settle(&lane, 10000));
		if (epoch < 7) {
			die(io, STOP);
			io = recover(&log);
			io->ops->destroy(io);
			continue;
		}
		const uint64_t used = simdisk_used(disk);
		cr_assert_gt(writer_retain(lane.writer, writer_durable(lane.writer), 1, 0), 4);
		cr_assert(simdisk_used(disk) < used);
		cr_assert(lane_write(&lane, lane.next + 5 * SEGMENT_BYTES / 16, 200000));
		cr_assert(lane_settle(&lane, 10000));
		cr_assert_eq(simdisk_used(disk) % SEGMENT_BYTES, 0u, "all are whole: %lu",
			     (unsigned long)simdisk_used(disk));
		die(io, STOP);
	}
	simdisk_destroy(disk);
}

static void trim_real(struct io *io)
{
	_Alignas(4096) char page[4096];
	struct io_completion completion;

	char *buffer = io->ops->buffers(io, 1, 64 << 10);
	cr_assert_not_null(buffer);
	memset(buffer, 'x', 64 << 10);
	int file = io->ops->create(io, "file", 1 << 20);
	cr_assert_geq(file, 0);
	cr_assert_eq(io->ops->room(io, file), 1 << 20);
	for (uint64_t at = 0; at < 1 << 20; at += 64 << 10) {
		cr_assert_eq(io->ops->write(io, file, at, buffer, 64 << 10, 1), 0);
		while (io->ops->reap(io, &completion, 1) != 1)
			;
		cr_assert_eq(completion.result, 64 << 10);
	}
	cr_assert_eq(io->ops->trim(io, file, 128 << 10), 0);
	cr_assert_eq(io->ops->size(io, file), 1 << 20);
	cr_assert_eq(io->ops->room(io, file), 128 << 10);
	cr_assert_eq(io->ops->read(io, file, (128 << 10) - 4096, page, 4096), 4096);
	cr_assert_eq(page[4095], 'x');
	cr_assert_eq(io->ops->read(io, file, 128 << 10, page, 4096), 4096);
	cr_assert_eq(page[0], 0);
	cr_assert_eq(io->ops->trim(io, file, 2 << 20), 0, "nothing is there");
	io->ops->close(io, file);
	io->ops->destroy(io);
}

Test(trim, on_a_real_disk)
{
	char path[64];
	struct io *io;

	int directory = lane_directory(path);
	cr_assert_eq(io_pwrite_create(directory, 4, &io), 0);
	trim_real(io);
	unlinkat(directory, "file", 0);
	if (io_uring_create(directory, 4, &io) == 0)
		trim_real(io);
	close(directory);
	lane_remove(path);
}
