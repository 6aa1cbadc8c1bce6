/*
 * fences: a dead engine's file is read to the first fence that stands, and no block that was called
 * persisted or durable is ever missed for it: not after a kill or a power cut at any place, and not
 * where a disk has lost the write that should have covered one.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lane.h"
#include "log/block.h"
#include "support/proof.h"
#include "support/simdisk.h"
#include "weir/limits.h"

#define STRIDE (128u << 10)
#define SEGMENT_BYTES (4u << 20)
#define FENCES (SEGMENT_BYTES / STRIDE)
#define FENCES_AT_ONCE 4

static struct lane lane;
static struct simdisk *disk;

static void setup(uint64_t seed)
{
	disk = lane_small(&lane, SEGMENT_BYTES, seed);
}

/* An epoch that idles until its next file and a spare are written ahead, and dies. */
static void make_spares(void)
{
	struct io *io = simdisk_io(disk, 8);

	cr_assert(lane_open(&lane, io, NULL, NULL));
	cr_assert(lane_write(&lane, 100, 1000));
	cr_assert(lane_settle(&lane, 1000));
	for (int i = 0; i < 6000; i++)
		lane_step(&lane);
	writer_abandon(lane.writer);
	simdisk_kill(disk);
	io->ops->destroy(io);
}

static uint64_t read_all(struct lane_log *log)
{
	struct io *io = simdisk_io(disk, 4);
	const uint64_t before = simdisk_count(disk, SIMDISK_READ);

	lane_read(io, log);
	io->ops->destroy(io);
	return simdisk_count(disk, SIMDISK_READ) - before;
}

/* A second one, in what the first wrote ahead: `events` more, all of them durable. */
static void fill(uint64_t events)
{
	struct lane_log log;

	read_all(&log);
	struct io *io = simdisk_io(disk, 8);
	cr_assert(lane_open(&lane, io, &log, NULL));
	cr_assert(lane_write(&lane, lane.next + events, 200000));
	cr_assert(lane_settle(&lane, 1000));
	for (int i = 0; i < 200; i++)
		lane_step(&lane); /* the next file's fences, too */
	writer_abandon(lane.writer);
	simdisk_kill(disk);
	io->ops->destroy(io);
}

struct standing {
	uint8_t *file; /* the one with the most fences covered, and blocks in it */
	uint64_t id;
	uint32_t fences; /* of all files */
	uint32_t covered;
	uint32_t erase_from; /* this fence of each file and those behind; FENCES: none */
};

/* Every segment's fences: counted, then made zeros. */
static void look(void *self, const char *path)
{
	struct standing *standing = self;
	uint64_t bytes, id;
	uint32_t fences = 0;

	if (segment_parse_name(path + strlen("lane-00/"), &id) != SEGMENT_FILE_SEGMENT)
		return;
	uint8_t *file = simdisk_file(disk, path, &bytes);
	for (uint64_t at = 0; at < bytes; at += STRIDE) {
		struct weir_fence fence;
		memcpy(&fence, file + at, sizeof(fence));
		fences += fence_good(&fence, id, at);
		if (at / STRIDE >= standing->erase_from && fence.magic == WEIR_FENCE_MAGIC)
			memset(file + at, 0, sizeof(fence));
	}
	standing->fences += fences;
	if (fences && FENCES - fences > standing->covered) {
		standing->covered = FENCES - fences;
		standing->file = file;
		standing->id = id;
	}
}

static struct standing erase_from(uint32_t fence)
{
	struct standing standing = {.erase_from = fence};

	simdisk_names(disk, look, &standing);
	return standing;
}

static struct standing look_at_all(void)
{
	return erase_from(FENCES);
}

Test(fences, a_dead_file_is_read_to_its_first_fence_and_no_further)
{
	struct lane_log log, again;

	setup(lane_seed() + 1);
	make_spares();
	struct standing standing = look_at_all();
	cr_assert(standing.fences >= FENCES, "the next file's: %u", standing.fences);
	fill(20000);
	const uint64_t reads = read_all(&log);
	erase_from(0);
	const uint64_t reads_without = read_all(&again);
	cr_assert_eq(log.events, lane.flushed);
	cr_assert_eq(again.events, log.events);
	cr_assert_eq(again.report.next_lsn, log.report.next_lsn);
	/* Pages: two files, less what is in windows; against 512 KiB of each, and 31 fences. */
	cr_assert(reads < 600, "%lu", (unsigned long)reads);
	cr_assert(reads_without > 1000, "%lu", (unsigned long)reads_without);
	simdisk_destroy(disk);
}

/* An engine that was killed while it wrote zeros, or had to begin the file before it was done. */
Test(fences, pages_that_were_never_written_stand_for_theirs)
{
	struct lane_log log, again;

	setup(lane_seed() + 1);
	make_spares();
	fill(20000);
	const struct standing before = look_at_all();
	const uint64_t reads = read_all(&log);
	cr_assert(before.covered > 0 && before.covered + 3 < FENCES, "%u", before.covered);
	erase_from(before.covered + 3);
	const uint64_t reads_again = read_all(&again);
	cr_assert_eq(again.events, lane.flushed);
	cr_assert_eq(again.report.next_lsn, log.report.next_lsn);
	cr_assert(reads_again <= reads, "%lu, %lu", (unsigned long)reads,
		  (unsigned long)reads_again);
	simdisk_destroy(disk);
}

static void put_fence(uint8_t *page, uint64_t id, uint64_t offset, uint64_t stride)
{
	struct weir_fence fence = {
		.magic = WEIR_FENCE_MAGIC,
		.offset = offset,
		.segment_id = id,
		.stride = stride,
	};

	fence_seal(&fence);
	memset(page, 0, 4096);
	memcpy(page, &fence, sizeof(fence));
}

/* A spare that was to be a segment's file once, and was let go: it has the fences of that one. */
static void fence_spare(void *self, const char *path)
{
	uint32_t *spares = self;
	uint64_t bytes, id;

	if (segment_parse_name(path + strlen("lane-00/"), &id) != SEGMENT_FILE_SPARE)
		return;
	uint8_t *file = simdisk_file(disk, path, &bytes);
	for (uint64_t at = 0; at < bytes; at += STRIDE)
		put_fence(file + at, id, at, STRIDE);
	++*spares;
}

/* An engine that is killed soon after its start leaves a next file of which some fences are not
 * written: it is not read through for that. Reads of a start after so many steps. */
static uint64_t reads_after(uint32_t steps, bool used, uint32_t *ret_fences)
{
	struct lane_log log;
	uint32_t spares = 0;

	setup(lane_seed() + 6);
	lane.options.spares = 2;
	make_spares();
	if (used)
		simdisk_names(disk, fence_spare, &spares);
	cr_assert_eq(spares, used ? 2 : 0);
	read_all(&log);
	const uint32_t before = look_at_all().fences;
	struct io *io = simdisk_io(disk, 8);
	cr_assert(lane_open(&lane, io, &log, NULL));
	for (uint32_t i = 0; i < steps; i++)
		lane_step(&lane);
	writer_abandon(lane.writer);
	simdisk_kill(disk);
	io->ops->destroy(io);
	*ret_fences = look_at_all().fences - before;
	const uint64_t reads = read_all(&log);
	simdisk_destroy(disk);
	return reads;
}

static void some_of_them(bool used)
{
	uint32_t fences = 0, few = 0;
	const uint64_t all = reads_after(400, used, &fences);

	cr_assert_eq(fences, FENCES - 1, "those of the next file, but the first file's one: %u",
		     fences);
	for (uint32_t steps = 0; steps < 60; steps++) {
		const uint64_t reads = reads_after(steps, used, &fences);
		few += fences > 0 && fences < FENCES - 1;
		/* The first one may be lost with those that were on their way with it. */
		cr_assert(fences < 2 * FENCES_AT_ONCE || reads < all + 2 * FENCES,
			  "%u steps, %u fences: %lu", steps, fences, (unsigned long)reads);
	}
	cr_assert(few > 0, "killed between two of them");
}

Test(fences, a_next_file_that_has_some_of_them_is_not_read_through)
{
	some_of_them(false);
}

Test(fences, nor_is_one_that_has_those_of_another_segment)
{
	some_of_them(true);
}

/* The pages at `count` fences that blocks have covered, from `first` on, and `bytes` from the last
 * one on, as if these writes had been lost, with all between them or without. What is found then is
 * what is found where they are zeros. */
static void lose(const struct standing *standing, uint32_t first, uint32_t count, uint64_t bytes,
		 bool between)
{
	static uint8_t good[SEGMENT_BYTES];
	struct lane_log zeros, fences;

	memcpy(good, standing->file, sizeof(good));
	for (uint32_t i = first; i < first + count; i++)
		memset(standing->file + (uint64_t)i * STRIDE, 0, 4096);
	memset(standing->file + (uint64_t)(first + count - 1) * STRIDE, 0, bytes);
	if (between)
		memset(standing->file + (uint64_t)first * STRIDE, 0, (count - 1) * STRIDE);
	read_all(&zeros);
	/* Those behind the first: its own, or another segment's that was to have the file. */
	for (uint64_t other = 0; other <= 1; other++) {
		for (uint32_t i = first; i < first + count; i++)
			put_fence(standing->file + (uint64_t)i * STRIDE,
				  standing->id + (i > first ? other : 0), (uint64_t)i * STRIDE,
				  STRIDE);
		read_all(&fences);
		cr_assert_eq(fences.events, zeros.events, "fence %u", first);
		cr_assert_eq(fences.report.events, zeros.report.events);
		cr_assert_eq(fences.report.next_lsn, zeros.report.next_lsn);
		cr_assert_eq(fences.report.gap_blocks, zeros.report.gap_blocks);
		cr_assert_eq(fences.report.torn_bytes, zeros.report.torn_bytes);
	}
	memcpy(standing->file, good, sizeof(good));
}

Test(fences, who_follows_a_live_log_looks_behind_one_once)
{
	struct lane_log log;
	struct reader_block block;
	struct reader *reader;
	char why[256] = "";

	setup(lane_seed() + 3);
	make_spares();
	read_all(&log);
	struct io *io = simdisk_io(disk, 8), *other = simdisk_io(disk, 1);
	cr_assert(lane_open(&lane, io, &log, NULL));
	cr_assert(lane_write(&lane, lane.next + 20000, 200000));
	cr_assert(lane_settle(&lane, 1000));
	cr_assert_eq(reader_open(other, "lane-00", 0, 0, true, &reader, why, sizeof(why)), 0, "%s",
		     why);
	while (reader_next(reader, &block) == 1)
		;
	const uint64_t before = simdisk_count(disk, SIMDISK_READ);
	cr_assert_eq(reader_next(reader, &block), 0);
	/* Windows, and first blocks: not all fences behind the end, again. */
	cr_assert(simdisk_count(disk, SIMDISK_READ) - before < 10, "%lu",
		  (unsigned long)(simdisk_count(disk, SIMDISK_READ) - before));
	reader_close(reader);
	writer_abandon(lane.writer);
	other->ops->destroy(other);
	io->ops->destroy(io);
	simdisk_destroy(disk);
}

/* One of them, of the first file or the next. */
static void put_off(uint32_t nth)
{
	struct lane_log log;

	setup(lane_seed() + 5);
	make_spares();
	read_all(&log);
	struct io *io = simdisk_io(disk, 8);
	simdisk_fail(disk, SIMDISK_WRITE, nth, -EAGAIN, false);
	cr_assert(lane_open(&lane, io, &log, NULL));
	for (int i = 0; i < 4000; i++)
		lane_step(&lane);
	cr_assert_eq(simdisk_failed(disk), 1u);
	/* The file in use has covered its first. */
	struct standing all = look_at_all();
	cr_assert_eq(all.fences, 2 * FENCES - 1, "%u of them: %u", nth, all.fences);
	writer_abandon(lane.writer);
	simdisk_kill(disk);
	io->ops->destroy(io);
	simdisk_destroy(disk);
}

Test(fences, that_were_put_off_are_written_all_the_same)
{
	for (uint32_t nth = 1; nth < 2 * FENCES; nth += 4)
		put_off(nth);
}

/* What an engine had queued when it was killed may land when the next one is well under way: on the
 * file that was to be the next, and is used again under another id. */
static uint32_t die_late(uint64_t steps)
{
	struct lane_log log;

	setup(lane_seed() + 6);
	struct io *io = simdisk_io(disk, 8);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	cr_assert(lane_write(&lane, 100, 1000));
	cr_assert(lane_settle(&lane, 1000));
	for (uint64_t i = 0; i < steps; i++)
		lane_step(&lane);
	writer_abandon(lane.writer);
	simdisk_kill_late(disk);
	io->ops->destroy(io);
	read_all(&log);
	io = simdisk_io(disk, 8);
	cr_assert(lane_open(&lane, io, &log, NULL));
	cr_assert(lane_write(&lane, lane.next + 10000, 200000));
	cr_assert(lane_settle(&lane, 1000));
	const uint32_t late = simdisk_late(disk);
	writer_abandon(lane.writer);
	simdisk_kill(disk);
	io->ops->destroy(io);
	read_all(&log);
	cr_assert_eq(log.events, lane.flushed, "after %lu steps, %u late writes: %lu of %lu events",
		     (unsigned long)steps, late, (unsigned long)log.events,
		     (unsigned long)lane.flushed);
	cr_assert_eq(log.report.gaps, 0u);
	simdisk_destroy(disk);
	return late;
}

Test(fences, what_a_killed_engine_writes_late_falls_on_no_block)
{
	uint32_t late = 0;

	for (uint64_t steps = 0; steps < 120; steps++)
		late += die_late(steps);
	cr_assert(late > 20, "%u", late);
	proof_say("fences-late-writes", late, 0);
}

Test(fences, those_that_lost_writes_have_left_standing_hide_nothing)
{
	setup(lane_seed() + 2);
	make_spares();
	fill(120000);
	struct standing standing = look_at_all();
	cr_assert(standing.covered > 8 && standing.covered < FENCES - 1, "%u", standing.covered);
	for (uint32_t count = 1; count <= 4; count++)
		for (uint32_t i = 0; i + count <= standing.covered; i++)
			lose(&standing, i, count, 4096, false);
	/* Nothing is left next to it: the fence behind it is not, either. */
	for (uint32_t i = 0; i + 1 < standing.covered; i++)
		lose(&standing, i, 1, STRIDE, false);
	/* Nor is that one; what it hides ends before the third. */
	for (uint32_t count = 2; count <= 3; count++)
		for (uint32_t i = 0; i + count <= standing.covered; i++)
			lose(&standing, i, count, 4096, true);
	simdisk_destroy(disk);
}

Test(fences, of_another_segment_or_place_or_shape_are_no_fences)
{
	struct weir_fence fence = {
		.magic = WEIR_FENCE_MAGIC,
		.offset = 3 * STRIDE,
		.segment_id = 77,
		.stride = STRIDE,
	};

	fence_seal(&fence);
	cr_assert(fence_good(&fence, 77, 3 * STRIDE));
	cr_assert(!fence_good(&fence, 78, 3 * STRIDE));
	cr_assert(!fence_good(&fence, 77, 2 * STRIDE));
	for (uint64_t bit = 0; bit < sizeof(fence) * 8; bit++) {
		((uint8_t *)&fence)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert(!fence_good(&fence, 77, 3 * STRIDE), "bit %lu", (unsigned long)bit);
		((uint8_t *)&fence)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	const uint64_t strides[] = {0, 1, 4095, 2048, 6 * STRIDE, UINT64_MAX & ~UINT64_C(4095)};
	for (size_t i = 0; i < sizeof(strides) / sizeof(strides[0]); i++) {
		fence.stride = strides[i];
		fence_seal(&fence);
		cr_assert(!fence_good(&fence, 77, 3 * STRIDE), "%zu", i);
	}
}

/* No fence of the file stands before a block up to `lsn`. */
static void check_file(const uint8_t *file, uint64_t bytes, uint64_t id, uint64_t lsn)
{
	uint64_t first = bytes;

	for (uint64_t at = bytes; at;) {
		struct weir_fence fence;
		at -= 4096;
		memcpy(&fence, file + at, sizeof(fence));
		if (fence_good(&fence, id, at))
			first = at;
	}
	for (uint64_t at = first; at < bytes; at += 4096) {
		struct weir_block_header header;
		memcpy(&header, file + at, sizeof(header));
		cr_assert(!block_header_good(&header, id) || header.lsn > lsn,
			  "block %lu of %016lx lies behind a fence at %lu",
			  (unsigned long)header.lsn, (unsigned long)id, (unsigned long)first);
	}
}

static void check_promise(void *self, const char *path)
{
	const uint64_t *lsn = self;
	uint64_t bytes, id;

	if (segment_parse_name(path + strlen("lane-00/"), &id) != SEGMENT_FILE_SEGMENT)
		return;
	const uint8_t *file = simdisk_file(disk, path, &bytes);
	check_file(file, bytes, id, *lsn);
}

Test(fences, no_block_that_was_promised_lies_behind_one_wherever_an_engine_ends)
{
	struct lane_log log = {.report.next_lsn = 1};

	setup(lane_seed() + 4);
	lane.options.segment_bytes = WEIR_SEGMENT_BYTES_MIN;
	lane.options.spares = 2;
	for (int round = 0; round < 60; round++) {
		struct io *io = simdisk_io(disk, 4 + (uint32_t)round % 8);
		cr_assert(lane_open(&lane, io, round ? &log : NULL, NULL), "round %d", round);
		for (uint64_t i = lane_random(&lane, 300); i > 0; i--)
			lane_step(&lane);
		lane_write(&lane, lane.next + lane_random(&lane, 90000),
			   (uint32_t)lane_random(&lane, 2000));
		for (uint64_t i = lane_random(&lane, 300); i > 0; i--)
			lane_step(&lane);
		const bool power = round % 2;
		uint64_t lsn = power ? lane.claimed_durable : lane.claimed_persisted;
		writer_abandon(lane.writer);
		if (power)
			simdisk_power_cut(disk);
		else
			simdisk_kill(disk);
		io->ops->destroy(io);
		simdisk_names(disk, check_promise, &lsn);
		read_all(&log);
		cr_assert(log.report.next_lsn > lsn);
		cr_assert(log.events >= lane.events_until[lsn]);
		cr_assert_eq(log.report.gaps, 0u);
	}
	simdisk_destroy(disk);
	proof_say("fences-ends", 60, 0);
}
