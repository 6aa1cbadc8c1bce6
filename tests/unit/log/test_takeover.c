/*
 * takeover: what a new epoch finds behind a dead engine whose sync had failed is on the disk before
 * it is called durable, also what lies behind a page that is damaged.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "lane.h"
#include "log/block.h"
#include "log/segments.h"
#include "support/simdisk.h"
#include "weir/limits.h"

#define ROUNDS 100u

static struct lane lane;
static struct simdisk *disk;

/* An epoch that dies when a sync has failed: pages that it had written are nowhere, and clean. */
static bool die_of_a_sync(uint64_t seed)
{
	disk = lane_small(&lane, WEIR_SEGMENT_BYTES_MIN, seed);
	struct io *io = simdisk_io(disk, 8);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	cr_assert(lane_write(&lane, 4000 + lane_random(&lane, 20000), 20000));
	cr_assert(lane_settle(&lane, 1000));
	simdisk_fail(disk, SIMDISK_SYNC, 2, -EIO, false);
	for (uint32_t i = 0; i < 4000 && !simdisk_failed(disk); i++)
		lane_write(&lane, UINT64_MAX, 1);
	for (uint32_t i = 0; i < lane_random(&lane, 4); i++)
		lane_step(&lane);
	const bool failed = simdisk_failed(disk) > 0;
	simdisk_fail(disk, SIMDISK_SYNC, 0, 0, false);
	writer_abandon(lane.writer);
	simdisk_kill(disk);
	io->ops->destroy(io);
	return failed;
}

struct damage {
	uint64_t durable; /* the highest that a header of the file says */
	uint64_t place;   /* which of its blocks that are durable is hit, of this many */
	uint64_t count;
	uint64_t lsn; /* the one that was */
};

/* Walks the blocks of the first file: counts those that are durable, or hits one. */
static void walk(void *self, const char *path)
{
	struct damage *damage = self;
	uint64_t bytes, id, count = 0;

	if (segment_parse_name(path + strlen("lane-00/"), &id) != SEGMENT_FILE_SEGMENT)
		return;
	uint8_t *file = simdisk_file(disk, path, &bytes);
	for (uint64_t at = 0; at < bytes;) {
		struct weir_block_header header;
		memcpy(&header, file + at, sizeof(header));
		if (!block_header_good(&header, id))
			break;
		if (header.durable_lsn > damage->durable)
			damage->durable = header.durable_lsn;
		if (header.type != WEIR_BLOCK_SEGMENT && header.lsn <= damage->durable &&
		    !damage->lsn && damage->count && ++count == damage->place) {
			file[at + 8] ^= 1;
			damage->lsn = header.lsn;
		}
		at += weir_block_disk_bytes(header.payload_bytes);
	}
}

/* One block that was durable is damaged. The next engine reads on behind it, calls what is there
 * durable, and loses its power: 1 if there was something above what had been durable. */
static uint32_t survive(uint64_t seed)
{
	struct damage damage = {0};
	struct lane_log log, again;

	if (!die_of_a_sync(seed)) {
		simdisk_destroy(disk);
		return 0;
	}
	simdisk_names(disk, walk, &damage); /* how far it was durable */
	const uint64_t known = damage.durable;
	damage = (struct damage){.durable = known, .count = known, .place = 1 + seed % 7};
	simdisk_names(disk, walk, &damage);
	struct io *io = simdisk_io(disk, 8);
	lane_read(io, &log);
	cr_assert_eq(log.report.gap_blocks, damage.lsn ? 1u : 0u);
	const uint64_t next = log.report.next_lsn;
	cr_assert(lane_open(&lane, io, &log, NULL));
	cr_assert(lane_write(&lane, lane.next + 500, 1000));
	cr_assert(lane_settle(&lane, 1000));
	const uint64_t durable = lane.claimed_durable;
	writer_abandon(lane.writer);
	simdisk_power_cut(disk);
	io->ops->destroy(io);
	io = simdisk_io(disk, 8);
	lane_read(io, &again);
	cr_assert(again.report.next_lsn > durable);
	/* The disk had that one whole. */
	cr_assert_eq(again.report.gap_blocks, 0u,
		     "%lu blocks are gone: %lu to %lu were there behind block %lu, durable %lu",
		     (unsigned long)again.report.gap_blocks, (unsigned long)damage.lsn + 1,
		     (unsigned long)next - 1, (unsigned long)damage.lsn, (unsigned long)known);
	io->ops->destroy(io);
	simdisk_destroy(disk);
	return damage.lsn && next > known + 1;
}

Test(takeover, what_lies_behind_a_damaged_page_is_on_the_disk_before_it_is_durable)
{
	uint32_t behind = 0;

	log_set_level((enum log_level)(LOG_ERROR - 1));
	for (uint32_t i = 0; i < ROUNDS; i++)
		behind += survive(lane_seed() + i);
	cr_assert(behind > ROUNDS / 2, "%u", behind);
}
