/*
 * test_readers: the log has two readers, written apart. Whatever is done to a lane's files, both
 * must say the same: which blocks count, how many events, which numbers are missing.
 *
 * A difference is a mistake in one of them, or in what FORMAT.md says.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "log/io.h"
#include "log/reader.h"
#include "maker.h"
#include "sample.h"
#include "verify.h"

#define FILES 5

struct lane {
	char root[64];
	struct maker maker, control;
	char path[FILES][128];
	uint32_t files;
	uint64_t kept; /* a block that a close names; 0: there is no control log */
	uint64_t control_blocks;
};

static void next_file(struct lane *lane, uint32_t flags)
{
	maker_segment(&lane->maker, flags);
	strcpy(lane->path[lane->files++], lane->maker.path);
}

static void some_blocks(struct lane *lane, uint64_t *seed)
{
	struct maker *maker = &lane->maker;
	uint64_t count = 1 + sample_random(seed) % 4;
	for (uint64_t i = 0; i < count; i++) {
		/* Syncs come now and then, and lag behind. */
		if (sample_random(seed) % 2 && maker->lsn - 1 > maker->durable)
			maker->durable += sample_random(seed) % (maker->lsn - maker->durable);
		/* The same block again in the same epoch is the same block. */
		maker_run(maker, 1, maker->lsn * 100,
			  1 + (uint32_t)(maker->lsn * 7 + maker->epoch * 3) % 9, 0, 1000000, 1);
		maker_flush(maker);
	}
}

/* A lane's life over some epochs: files finished or torn, blocks written again. */
static void build(struct lane *lane, uint64_t *seed)
{
	memset(lane, 0, sizeof(*lane));
	strcpy(lane->root, sample_directory());
	maker_open(&lane->maker, lane->root, "lane-00", 0);
	next_file(lane, 0);
	some_blocks(lane, seed);
	while (lane->files < FILES) {
		struct maker *maker = &lane->maker;
		switch (sample_random(seed) % 4) {
		case 0: /* the next file of the same engine */
			maker_footer(maker);
			next_file(lane, 0);
			break;
		case 1: /* the disk refused: again from an unsynced block on */
			maker->lsn = maker->durable + 1;
			next_file(lane, WEIR_SEGMENT_CONTINUES | WEIR_SEGMENT_AGAIN);
			break;
		case 2: /* a crash: the unsynced end may be gone, a new epoch writes it again */
			maker->lsn -= sample_random(seed) % (maker->lsn - maker->durable);
			if (maker->lsn <= maker->durable)
				maker->lsn = maker->durable + 1;
			maker->durable = maker->lsn - 1;
			maker->epoch++;
			maker->serial = 1;
			next_file(lane, 0);
			break;
		default: /* a file that was made and never got a block */
			maker->epoch++;
			maker->serial = 1;
			maker->durable = maker->lsn - 1;
			next_file(lane, 0);
			break;
		}
		some_blocks(lane, seed);
	}
}

/* A control log of nothing but a close that names a mark in the block. */
static void close_at(struct lane *lane, uint64_t lsn)
{
	struct maker *control = &lane->control;

	maker_open(control, lane->root, "control", WEIR_LANE_CONTROL);
	maker_segment(control, 0);
	maker_epoch(control, 1, 1);
	maker_source(control, 0, "live");
	maker_close(control, 0, 1, 1, 1, lsn, 0);
	maker_end(control);
	lane->kept = lsn;
	lane->control_blocks = control->blocks;
}

static void damage(struct lane *lane, uint64_t *seed)
{
	const char *path = lane->path[sample_random(seed) % lane->files];
	int fd = open(path, O_RDWR);
	uint8_t page[4096];
	uint64_t offset = sample_random(seed) % 10 * 4096;
	if (fd < 0)
		return;
	if (pread(fd, page, sizeof(page), (off_t)offset) != sizeof(page)) {
		close(fd);
		return;
	}
	switch (sample_random(seed) % 8) {
	case 0: /* a bit of a header */
		page[sample_random(seed) % 64] ^= (uint8_t)(1 << sample_random(seed) % 8);
		break;
	case 1:
	case 2: /* a bit of a payload */
		page[64 + sample_random(seed) % 64] ^= (uint8_t)(1 << sample_random(seed) % 8);
		break;
	case 3: /* a page that was never written */
		memset(page, 0, sizeof(page));
		break;
	case 4:
	case 5: /* another file's page */
		(void)!pread(lane->maker.fd, page, sizeof(page), (off_t)offset);
		break;
	case 6:
		(void)!ftruncate(fd, (off_t)offset);
		close(fd);
		return;
	default:
		if (sample_random(seed) % 3 == 0)
			unlink(path);
		close(fd);
		return;
	}
	cr_assert_eq(pwrite(fd, page, sizeof(page), (off_t)offset), (ssize_t)sizeof(page));
	close(fd);
}

static int read_as_engine(const struct lane *lane, struct reader_report *report)
{
	struct reader *reader;
	struct reader_block block;
	struct io *io;
	char why[256] = "";
	int fd = open(lane->root, O_RDONLY | O_DIRECTORY);
	cr_assert_eq(io_pwrite_create(fd, 4, &io), 0);
	int error = reader_open(io, "lane-00", 0, 0, false, &reader, why, sizeof(why));
	if (!error) {
		reader_kept(reader, lane->kept);
		while ((error = reader_next(reader, &block)) > 0)
			;
		reader_report(reader, report);
		reader_close(reader);
	}
	io->ops->destroy(io);
	close(fd);
	return error;
}

static void clear(struct lane *lane)
{
	char path[128];
	maker_end(&lane->maker);
	snprintf(path, sizeof(path), "%s/lane-00", lane->root);
	sample_remove(path);
	snprintf(path, sizeof(path), "%s/control", lane->root);
	sample_remove(path);
	sample_remove(lane->root);
}

static void compare(const struct lane *lane, int round)
{
	struct reader_report engine = {0};
	struct verify_report verify;
	char why[256] = "";
	int error = read_as_engine(lane, &engine);
	int other = verify_directory(lane->root, NULL, &verify, why, sizeof(why));
	cr_assert_eq(error, other, "round %d: engine %d, verify %d (%s)", round, error, other, why);
	verify.blocks -= lane->control_blocks;
	cr_assert_eq(engine.blocks, verify.blocks, "round %d, %s: %lu and %lu blocks", round,
		     lane->root, engine.blocks, verify.blocks);
	cr_assert_eq(engine.events, verify.events, "round %d, %s: %lu and %lu events", round,
		     lane->root, engine.events, verify.events);
	cr_assert_eq(engine.gap_blocks, verify.gap_blocks, "round %d, %s: %lu and %lu blocks gone",
		     round, lane->root, engine.gap_blocks, verify.gap_blocks);
	cr_assert_eq(engine.gaps, verify.gaps, "round %d, %s: %lu and %lu gaps", round, lane->root,
		     engine.gaps, verify.gaps);
	verify_report_free(&verify);
}

/* The file in front is gone, and continued by the next; so is the one behind these, from its first
 * block or from its second on. */
static void build_rest(struct lane *lane, uint64_t again)
{
	const uint64_t files[FILES] = {1, 2, 4, again, again + 2};
	struct maker *maker = &lane->maker;

	memset(lane, 0, sizeof(*lane));
	strcpy(lane->root, sample_directory());
	maker_open(maker, lane->root, "lane-00", 0);
	for (int i = 0; i < FILES; i++) {
		maker->lsn = files[i];
		maker->durable = files[i] - 1;
		next_file(lane, i % 2 ? WEIR_SEGMENT_CONTINUES | WEIR_SEGMENT_AGAIN : 0);
		for (int k = 0; k < 2; k++) {
			maker_run(maker, 1, maker->lsn * 100, 3, 0, 1000000, 1);
			maker_flush(maker);
		}
	}
	unlink(lane->path[0]);
}

static void expect_blocks(const struct lane *lane, uint64_t blocks, uint64_t gap_blocks)
{
	struct reader_report report = {0};

	compare(lane, 0);
	cr_assert_eq(read_as_engine(lane, &report), 0);
	cr_assert_eq(report.blocks, blocks, "%lu", report.blocks);
	cr_assert_eq(report.gap_blocks, gap_blocks, "%lu", report.gap_blocks);
}

Test(readers, begin_with_the_next_file_that_can_be_read_alone)
{
	struct lane lane;

	build_rest(&lane, 5);
	/* Its first block is damaged; 5 is there twice, the later copy in a file without one. */
	int fd = open(lane.path[2], O_RDWR);
	cr_assert_eq(pwrite(fd, "?", 1, 4096 + 64), 1);
	close(fd);
	expect_blocks(&lane, 4, 1);
	clear(&lane);
}

Test(readers, do_not_begin_with_a_file_that_another_replaces)
{
	struct lane lane;

	build_rest(&lane, 4);
	expect_blocks(&lane, 2, 0); /* 6 and 7 */
	clear(&lane);
}

/* All that is left of the oldest file is its footer. */
Test(readers, miss_what_a_file_without_blocks_held)
{
	const uint8_t zeros[2 * 4096] = {0};
	struct lane lane;

	memset(&lane, 0, sizeof(lane));
	strcpy(lane.root, sample_directory());
	maker_open(&lane.maker, lane.root, "lane-00", 0);
	for (int i = 0; i < 2; i++) {
		next_file(&lane, 0);
		maker_run(&lane.maker, 1, lane.maker.lsn * 100, 3, 0, 1000000, 1);
		maker_flush(&lane.maker);
		if (i == 0)
			cr_assert_eq(pwrite(lane.maker.fd, zeros, sizeof(zeros), 0),
				     (ssize_t)sizeof(zeros));
		maker_footer(&lane.maker);
		lane.maker.durable = 1;
	}
	expect_blocks(&lane, 1, 1);
	clear(&lane);
}

/* Four blocks, of which no header calls any durable. The second is damaged. */
static void write_damaged(struct lane *lane)
{
	next_file(lane, 0);
	for (int i = 0; i < 4; i++) {
		maker_run(&lane->maker, 1, lane->maker.lsn * 100, 3, 0, 1000000, 1);
		maker_flush(&lane->maker);
	}
	cr_assert_eq(pwrite(lane->maker.fd, "?", 1, 2 * 4096 + 64), 1);
}

/* A close names a mark in the last block. */
Test(readers, do_not_end_at_a_damaged_block_that_was_kept)
{
	for (int told = 0; told < 2; told++) {
		struct lane lane = {0};
		strcpy(lane.root, sample_directory());
		maker_open(&lane.maker, lane.root, "lane-00", 0);
		write_damaged(&lane);
		if (told)
			close_at(&lane, 4);
		expect_blocks(&lane, told ? 3 : 1, told);
		clear(&lane);
	}
}

/* Of a lane that an engine had not, retention may have taken all: its blocks begin again. */
Test(readers, do_not_hold_a_lane_that_comes_back_to_what_was_kept_of_it_before)
{
	struct verify_report report;
	struct lane lane = {0};
	char why[256] = "", path[128];

	strcpy(lane.root, sample_directory());
	maker_open(&lane.maker, lane.root, "lane-01", 1);
	maker_open(&lane.control, lane.root, "control", WEIR_LANE_CONTROL);
	maker_segment(&lane.control, 0);
	maker_epoch(&lane.control, 1, 2);
	maker_source(&lane.control, 0, "live");
	maker_close(&lane.control, 0, 1, 1, 2, 9, 9);
	for (uint32_t epoch = 2; epoch <= 3; epoch++) {
		lane.control.epoch = lane.maker.epoch = epoch;
		maker_segment(&lane.control, 0);
		maker_epoch(&lane.control, epoch, epoch - 1);
	}
	write_damaged(&lane);
	cr_assert_eq(verify_directory(lane.root, NULL, &report, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(report.blocks - lane.control.lsn + 1, 1u, "%lu", report.blocks);
	cr_assert_eq(report.gaps, 0u);
	verify_report_free(&report);
	maker_end(&lane.control);
	snprintf(path, sizeof(path), "%s/lane-01", lane.root);
	sample_remove(path);
	clear(&lane);
}

Test(readers, agree_on_undamaged_lanes)
{
	uint64_t seed = 11;
	for (int round = 0; round < 80; round++) {
		struct lane lane;
		build(&lane, &seed);
		compare(&lane, round);
		clear(&lane);
	}
}

Test(readers, agree_on_damaged_lanes)
{
	const char *wanted = getenv("WEIR_TEST_ROUNDS");
	int rounds = wanted ? atoi(wanted) : 400;
	uint64_t seed = 12;

	for (int round = 0; round < rounds; round++) {
		struct lane lane;
		build(&lane, &seed);
		for (uint64_t n = 1 + sample_random(&seed) % 3; n > 0; n--)
			damage(&lane, &seed);
		if (round % 2)
			close_at(&lane, 1 + sample_random(&seed) % lane.maker.lsn);
		compare(&lane, round);
		clear(&lane);
	}
}
