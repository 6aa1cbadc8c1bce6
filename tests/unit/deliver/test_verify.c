/*
 * test_verify: directories that are whole, and directories with one thing wrong each.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <time.h>

#include "maker.h"
#include "sample.h"
#include "verify.h"
#include "verify_private.h"

/* Two lanes, two epochs, one source; a ring that moves from lane 0 to lane 1, one that ends. The
 * steps where a test may do something else are numbered. */
struct house {
	char root[64];
	struct maker lane[2], control;
	uint64_t last_mark; /* on lane 1 */
	/* What to do wrong, 0: nothing. */
	enum fault {
		FAULT_NONE,
		FAULT_RESUME_LATE,  /* epoch 2 resumes one sequence too far */
		FAULT_RESUME_EARLY, /* ... one too early */
		FAULT_MARK_BACK,    /* a mark that goes behind the one before */
		FAULT_CLOSE_BEYOND, /* a close of a mark that is not there */
		FAULT_CLOSE_SKIPS,  /* a close that leaves out an interval */
		FAULT_NOT_NAMED,    /* the snapshot leaves out the ring */
		FAULT_NOT_DEFINED,  /* the snapshot leaves out the series */
		FAULT_REJECTED,     /* the ledger counts another number of rejected slots */
		FAULT_LOST,         /* a hole, told as lost */
		FAULT_HOLE,         /* a hole, not told */
		FAULT_TWO_LANES,    /* both lanes drain the ring in one epoch */
		FAULT_BEHIND_END,   /* a final ring goes on */
		FAULT_TIME,         /* an event out of its block's time range */
		FAULT_NAN,
		FAULT_LATE, /* events behind the mark of their interval */
		FAULT_SECOND_DEFINITION,
		FAULT_NO_SOURCE, /* the control log does not name the source */
		FAULT_UNKNOWN_TYPE,
		FAULT_SKIPPABLE,   /* is none: an unknown block that may be skipped */
		FAULT_EPOCH_LANES, /* the control log says one lane only */
		FAULT_NO_MARK,     /* a close that names no mark of a lane */
		FAULT_OTHER_LANE,  /* a block of another lane */
		FAULT_OTHER_EPOCH,
		FAULT_NEW_KIND, /* is none: a control record of a later version */
		FAULTS
	} fault;
};

/* Interval 100 begins at 1,000,000 ms. */
#define T100 UINT64_C(1000000)

static void build_first_epoch(struct house *house)
{
	struct maker *lane0 = &house->lane[0], *lane1 = &house->lane[1];

	maker_segment(lane0, 0);
	maker_ring(lane0, WEIR_BLOCK_LEDGER, 1, 0, 0, 0, 0);
	maker_series(lane0, 3);
	maker_mark(lane0, 0, 99);
	maker_run(lane0, 1, 0, 10, 0, T100, 1);
	maker_flush(lane0);
	lane0->durable = 2;
	maker_run(lane0, 1, 10, 7, 3, T100 + 5000, 2);
	maker_mark(lane0, 0, 100);
	maker_run(lane0, 1, 20, 5, 0, house->fault == FAULT_LATE ? T100 : T100 + 10000, 3);
	lane0->lane = house->fault == FAULT_OTHER_LANE;
	lane0->epoch = house->fault == FAULT_OTHER_EPOCH ? 3 : 1;
	maker_flush(lane0); /* 4: the mark of interval 100 */
	lane0->lane = 0;
	lane0->epoch = 1;
	maker_ring(lane0, WEIR_BLOCK_LEDGER, 1, 25, house->fault == FAULT_REJECTED ? 4 : 3, 0, 0);
	lane0->durable = 4;
	maker_footer(lane0);

	maker_segment(lane1, 0);
	maker_ring(lane1, WEIR_BLOCK_LEDGER, 2, 0, 0, 0, 0);
	maker_series(lane1, 2);
	maker_mark(lane1, 0, 99);
	maker_mark(lane1, 0, house->fault == FAULT_MARK_BACK ? 98 : 100);
	maker_run(lane1, 2, 0, 4, 0, T100 + 10001, 1);
	lane1->time_lie = house->fault == FAULT_TIME;
	maker_flush(lane1); /* 3: the marks */
	lane1->time_lie = 0;
	lane1->durable = 3;
	maker_ring(lane1, WEIR_BLOCK_LEDGER, 2, 4, 0, 0, 1);
	if (house->fault == FAULT_BEHIND_END) {
		maker_run(lane1, 2, 4, 1, 0, T100 + 10010, 1);
		maker_flush(lane1);
	}
	if (house->fault == FAULT_TWO_LANES) {
		maker_ring(lane1, WEIR_BLOCK_LEDGER, 1, 25, 3, 0, 0);
		maker_run(lane1, 1, 25, 1, 0, T100 + 10010, 1);
		maker_flush(lane1);
	}
}

static void build_second_epoch(struct house *house)
{
	struct maker *lane0 = &house->lane[0], *lane1 = &house->lane[1];
	uint64_t lost = house->fault == FAULT_LOST ? 6 : 0;
	uint64_t from = 25 + lost;

	lane0->epoch = lane1->epoch = 2;
	lane0->durable = lane0->lsn - 1;
	lane1->durable = lane1->lsn - 1;
	if (house->fault == FAULT_RESUME_LATE)
		from++;
	if (house->fault == FAULT_RESUME_EARLY)
		from--;
	/* Lane 0 names ring 1 as it was, lane 1 drains it. */
	maker_segment(lane0, 0);
	maker_ring(lane0, WEIR_BLOCK_RINGS, 1, 25, 3, 0, 0);
	maker_series(lane0, 3);
	maker_mark(lane0, 0, 100);
	maker_flush(lane0); /* 8 */
	maker_mark(lane0, 0, 102);
	maker_flush(lane0); /* 9 */

	maker_segment(lane1, 0);
	maker_ring(lane1, WEIR_BLOCK_RINGS, 1, 25, 3, 0, 0);
	if (house->fault != FAULT_NOT_DEFINED)
		maker_series(lane1, 3);
	maker_ring(lane1, WEIR_BLOCK_LEDGER, 1, from, 3, lost, 0);
	maker_mark(lane1, 0, 100);
	maker_run(lane1, 1, from, 10, 0, T100 + 10000, 3);
	if (house->fault == FAULT_NAN)
		lane1->event[4].value = weir_value_bits(NAN);
	maker_flush(lane1);
	if (house->fault == FAULT_HOLE)
		from += 2;
	maker_run(lane1, 1, from + 10, 10, 0, T100 + 20000, 1);
	maker_flush(lane1);
	if (house->fault == FAULT_UNKNOWN_TYPE)
		maker_block(lane1, 77, "?", 1, 1);
	if (house->fault == FAULT_SKIPPABLE)
		maker_block(lane1, 77 | WEIR_BLOCK_SKIPPABLE, "?", 1, 1);
	maker_mark(lane1, 0, 102);
	house->last_mark = lane1->durable = maker_flush(lane1);
	maker_footer(lane1);
	/* A second segment of the epoch: its snapshot makes it readable on its own. */
	maker_segment(lane1, 0);
	if (house->fault != FAULT_NOT_NAMED)
		maker_ring(lane1, WEIR_BLOCK_RINGS, 1, from + 20, 3, lost, 0);
	maker_series(lane1, 3);
	if (house->fault == FAULT_SECOND_DEFINITION) {
		lane1->lsn--; /* over it: e1, e2 instead of e1, e2, e3 with other bytes */
		lane1->offset = lane1->last_offset;
		uint8_t other[40] = {1, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 1, 0, 'x'};
		maker_block(lane1, WEIR_BLOCK_SERIES, other, 24, 1);
		lane1->blocks--;
	}
	maker_run(lane1, 1, from + 20, 5, 0, T100 + 30000, 1);
	maker_flush(lane1);
	lane1->durable = lane1->lsn - 1;
	maker_ring(lane1, WEIR_BLOCK_LEDGER, 1, from + 25, 3, lost, 1);
	/* Lane 0 goes on naming ring 1 as it was. */
	lane0->durable = lane0->lsn - 1;
	maker_segment(lane0, 0);
	maker_ring(lane0, WEIR_BLOCK_RINGS, 1, 25, 3, 0, 0);
	lane0->durable = lane0->lsn - 1;
	maker_series(lane0, 3);
}

static void build_control(struct house *house)
{
	struct maker *control = &house->control;
	uint64_t mark = house->last_mark;
	uint32_t lanes = house->fault == FAULT_EPOCH_LANES ? 1 : 2;
	maker_segment(control, 0);
	maker_epoch(control, 1, 2);
	if (house->fault != FAULT_NO_SOURCE)
		maker_source(control, 0, "live");
	maker_control(control, WEIR_CONTROL_CONFIG, 0, 99, "metrics: []", 11);
	if (house->fault == FAULT_NEW_KIND)
		maker_control(control, 99, 0, 99, "?", 1);
	maker_close(control, 0, 100, 100, 2, 4, house->fault == FAULT_NO_MARK ? 0 : 3);
	control->durable = 1;
	maker_footer(control);
	control->durable = control->lsn - 1;
	control->epoch = 2;
	maker_segment(control, 0);
	maker_epoch(control, 2, lanes);
	control->durable = control->lsn - 1;
	maker_close(control, 0, house->fault == FAULT_CLOSE_SKIPS ? 102 : 101, 102, lanes, 9,
		    house->fault == FAULT_CLOSE_BEYOND ? mark + 40 : mark);
}

static void build(struct house *house, enum fault fault)
{
	memset(house, 0, sizeof(*house));
	house->fault = fault;
	strcpy(house->root, sample_directory());
	maker_open(&house->lane[0], house->root, "lane-00", 0);
	maker_open(&house->lane[1], house->root, "lane-01", 1);
	maker_open(&house->control, house->root, "control", WEIR_LANE_CONTROL);
	build_first_epoch(house);
	build_second_epoch(house);
	build_control(house);
}

static void clear(struct house *house)
{
	static const char *const directories[] = {"lane-00", "lane-01", "control"};
	char path[128];
	maker_end(&house->lane[0]);
	maker_end(&house->lane[1]);
	maker_end(&house->control);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", house->root, directories[i]);
		sample_remove(path);
	}
	sample_remove(house->root);
}

static struct verify_report look(const struct house *house, const struct verify_options *options)
{
	struct verify_report report;
	char why[256] = "";
	cr_assert_eq(verify_directory(house->root, options, &report, why, sizeof(why)), 0, "%s",
		     why);
	return report;
}

static const char *first(const struct verify_lines *lines)
{
	return lines->count ? lines->line[0] : "";
}

static bool says(const struct verify_lines *lines, const char *words)
{
	for (uint32_t i = 0; i < lines->count; i++)
		if (strstr(lines->line[i], words))
			return true;
	return false;
}

Test(verify, has_a_checksum_of_its_own_that_is_right)
{
	uint8_t bytes[300];
	uint64_t seed = 3;
	cr_assert_eq(verify_crc32c(0, "123456789", 9), 0xe3069283u);
	memset(bytes, 0, 32);
	cr_assert_eq(verify_crc32c(0, bytes, 32), 0x8a9136aau, "RFC 3720, 32 bytes of zeros");
	memset(bytes, 0xff, 32);
	cr_assert_eq(verify_crc32c(0, bytes, 32), 0x62a8ab43u, "RFC 3720, 32 bytes of ones");
	for (int i = 0; i < 290; i++) {
		bytes[i] = (uint8_t)sample_random(&seed);
		cr_assert_eq(verify_crc32c(0, bytes, (size_t)i), crc32c(0, bytes, (size_t)i));
		cr_assert_eq(verify_crc32c(verify_crc32c(0, bytes, 7), bytes + 7, (size_t)i),
			     crc32c(0, bytes, (size_t)i + 7));
	}
}

Test(verify, finds_nothing_wrong_with_a_whole_directory)
{
	struct house house;
	build(&house, FAULT_NONE);
	struct verify_report report = look(&house, NULL);
	cr_assert(report.ok && report.ledger_ok, "%s", first(&report.findings));
	cr_assert_eq(report.notes.count, 0, "%s", first(&report.notes));
	cr_assert_eq(report.lanes, 2);
	cr_assert_eq(report.epochs, 2);
	cr_assert_eq(report.segments, 8);
	cr_assert_eq(report.blocks, 11 + 14 + 6, "%lu", report.blocks);
	cr_assert_eq(report.blocks_bad + report.blocks_torn + report.gaps + report.late, 0);
	cr_assert_eq(report.events, 22 + 4 + 25);
	cr_assert_eq(report.rings, 2);
	cr_assert_eq(report.series, 3);
	cr_assert_eq(report.marks, 8);
	cr_assert_eq(report.closes, 2);
	cr_assert_eq(report.persisted, report.events);
	cr_assert_eq(report.rejected, 3);
	cr_assert_eq(report.dropped, 10);
	cr_assert_eq(report.lost, 0);
	verify_report_free(&report);
	clear(&house);
}

Test(verify, turns_red_with_every_fault_and_says_which)
{
	static const struct {
		enum fault fault;
		bool ledger; /* the ledger too */
		const char *words;
	} cases[] = {
		{FAULT_RESUME_LATE, true, "accounted for below 26"},
		{FAULT_RESUME_EARLY, true, "accounted for below 24"},
		{FAULT_MARK_BACK, false, "marked through 98, after 99"},
		{FAULT_CLOSE_BEYOND, false, "of lane-01 has no such mark"},
		{FAULT_CLOSE_SKIPS, false, "closed from 102 to 102"},
		{FAULT_NOT_NAMED, true, "is not named since its segment began"},
		{FAULT_NOT_DEFINED, false, "series that were not defined"},
		{FAULT_REJECTED, true, "4 rejected, the log's runs say 3"},
		{FAULT_LOST, false, "6 events were published and are lost"},
		{FAULT_HOLE, true, "sequences 35 to 36 are missing"},
		{FAULT_TWO_LANES, true, "is drained by lane-00 too"},
		{FAULT_BEHIND_END, true, "goes on behind its end"},
		{FAULT_TIME, false, "its events are of 1010 to 1010 s, its header says 1011"},
		{FAULT_NAN, false, "no finite numbers"},
		{FAULT_SECOND_DEFINITION, false, "series 1 has a second definition"},
		{FAULT_NO_SOURCE, false, "which the control log does not know"},
		{FAULT_UNKNOWN_TYPE, false, "is of type 77"},
		{FAULT_EPOCH_LANES, false, "had only 1 lanes"},
		{FAULT_NO_MARK, false, "block 0 of lane-01 has no such mark"},
		{FAULT_OTHER_LANE, true, "block 4 is of lane 1 and epoch 1"},
		{FAULT_OTHER_EPOCH, true, "block 4 is of lane 0 and epoch 3"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct house house;
		build(&house, cases[i].fault);
		struct verify_report report = look(&house, NULL);
		cr_assert(!report.ok, "%s: stayed green", cases[i].words);
		cr_assert_eq(report.ledger_ok, !cases[i].ledger, "%s: ledger", cases[i].words);
		cr_assert(says(&report.findings, cases[i].words), "\"%s\" is not among: %s ...",
			  cases[i].words, first(&report.findings));
		verify_report_free(&report);
		clear(&house);
	}
}

Test(verify, takes_what_its_options_allow)
{
	struct house house;
	build(&house, FAULT_LOST);
	struct verify_report report = look(&house, &(struct verify_options){.allow_lost = true});
	cr_assert(report.ok && report.ledger_ok, "%s", first(&report.findings));
	cr_assert_eq(report.lost, 6);
	verify_report_free(&report);
	clear(&house);

	build(&house, FAULT_LATE);
	report = look(&house, NULL);
	cr_assert(report.ok, "%s", first(&report.findings));
	cr_assert_eq(report.late, 5);
	verify_report_free(&report);
	report = look(&house, &(struct verify_options){.refuse_late = true});
	cr_assert(!report.ok);
	cr_assert(says(&report.findings, "5 events behind the mark"));
	verify_report_free(&report);
	clear(&house);

	build(&house, FAULT_SKIPPABLE);
	report = look(&house, NULL);
	cr_assert(report.ok, "%s", first(&report.findings));
	verify_report_free(&report);
	clear(&house);

	build(&house, FAULT_NEW_KIND);
	report = look(&house, NULL);
	cr_assert(report.ok, "%s", first(&report.findings));
	cr_assert(says(&report.notes, "a record of kind 99"));
	verify_report_free(&report);
	clear(&house);
}

/* Where a file's good blocks lie: offsets of headers and bytes in use, by the header's length. */
static uint64_t block_bytes(int fd, uint64_t offset)
{
	struct weir_block_header header;
	if (pread(fd, &header, sizeof(header), (off_t)offset) != sizeof(header) ||
	    header.magic != WEIR_BLOCK_MAGIC)
		return 0;
	return sizeof(header) + header.payload_bytes;
}

static void flip(int fd, uint64_t offset, int bit)
{
	uint8_t byte;
	cr_assert_eq(pread(fd, &byte, 1, (off_t)offset), 1);
	byte ^= (uint8_t)(1 << bit);
	cr_assert_eq(pwrite(fd, &byte, 1, (off_t)offset), 1);
}

/*
 * Flip a bit at every eleventh byte of every block: it is seen, unless the block is the last of a
 * log that nobody called durable: that is a torn end, and the honest limit.
 */
Test(verify, sees_every_flipped_bit_that_can_be_seen)
{
	struct house house;
	uint64_t flips = 0, missed = 0, seed = 5;
	build(&house, FAULT_NONE);
	char command[160];
	snprintf(command, sizeof(command), "ls %s/*/*.wseg", house.root);
	FILE *listing = popen(command, "r");
	char path[256];
	while (fgets(path, sizeof(path), listing)) {
		path[strcspn(path, "\n")] = '\0';
		int fd = open(path, O_RDWR);
		uint64_t offset = 0, bytes;
		while ((bytes = block_bytes(fd, offset)) > 0) {
			uint64_t next = (offset + bytes + 4095) & ~UINT64_C(4095);
			bool end = block_bytes(fd, next) == 0;
			for (uint64_t at = 0; at < bytes; at += 11) {
				int bit = (int)(sample_random(&seed) % 8);
				flip(fd, offset + at, bit);
				struct verify_report report = look(&house, NULL);
				flips++;
				if (report.ok) {
					missed++;
					cr_assert(end, "%s: byte %lu of the block at %lu", path, at,
						  offset);
				}
				verify_report_free(&report);
				flip(fd, offset + at, bit);
			}
			offset = next;
		}
		close(fd);
	}
	pclose(listing);
	cr_log_info("%lu flips, %lu in the last block of a log", flips, missed);
	cr_assert_gt(flips, 300);
	struct verify_report report = look(&house, NULL);
	cr_assert(report.ok);
	verify_report_free(&report);
	clear(&house);
}

/* A block of `count` events of ring 1. */
static void put_run(struct maker *lane, uint64_t first, uint32_t count)
{
	maker_run(lane, 1, first, count, 0, T100, 1);
	maker_flush(lane);
}

/* One lane and a control log, for what happens at the ends of files. */
static void build_small(struct house *house)
{
	memset(house, 0, sizeof(*house));
	strcpy(house->root, sample_directory());
	maker_open(&house->lane[0], house->root, "lane-00", 0);
	maker_open(&house->control, house->root, "control", WEIR_LANE_CONTROL);
	maker_segment(&house->control, 0);
	maker_epoch(&house->control, 1, 1);
	maker_source(&house->control, 0, "live");
	struct maker *lane = &house->lane[0];
	maker_segment(lane, 0);
	maker_ring(lane, WEIR_BLOCK_LEDGER, 1, 0, 0, 0, 0);
	maker_series(lane, 1);
	for (uint64_t i = 0; i < 4; i++) /* 3 .. 6 */
		put_run(lane, 10 * i, 10);
}

static void tear(const struct maker *maker)
{
	flip(maker->fd, maker->last_offset + 70, 0);
}

static void expect(struct house *house, bool ok, uint64_t blocks_bad, uint64_t gaps,
		   uint64_t blocks_torn, uint64_t events, const char *words)
{
	struct verify_report report = look(house, NULL);
	cr_assert_eq(report.ok, ok, "%s", first(&report.findings));
	cr_assert_eq(report.blocks_bad, blocks_bad, "%lu bad", report.blocks_bad);
	cr_assert_eq(report.gaps, gaps, "%lu gaps", report.gaps);
	cr_assert_eq(report.blocks_torn, blocks_torn, "%lu torn", report.blocks_torn);
	cr_assert_eq(report.events, events, "%lu events", report.events);
	cr_assert(!words || says(&report.findings, words) || says(&report.notes, words),
		  "\"%s\" is not said", words);
	verify_report_free(&report);
	clear(house);
}

Test(verify, takes_a_torn_end_for_what_it_is)
{
	struct house house;
	build_small(&house);
	tear(&house.lane[0]);
	expect(&house, true, 0, 0, 1, 30, NULL);
}

Test(verify, takes_no_block_that_was_called_durable_for_a_torn_end)
{
	struct house house;
	struct maker *lane = &house.lane[0];
	build_small(&house);
	tear(lane);
	lane->durable = 6;
	put_run(lane, 40, 10);
	expect(&house, false, 1, 1, 0, 40, "blocks 6 to 6 are missing");
}

Test(verify, ignores_strays_behind_a_torn_end)
{
	struct house house;
	struct maker *lane = &house.lane[0];
	build_small(&house);
	tear(lane);
	lane->durable = 5;
	put_run(lane, 40, 10);
	expect(&house, true, 0, 0, 1, 30, "1 blocks behind the torn end do not count");
}

/* A new engine goes on where the torn end was, and voids what lies behind it. */
static void second_life(struct house *house, uint64_t lsn, uint64_t from)
{
	struct maker *lane = &house->lane[0];
	lane->epoch = 2;
	lane->lsn = lsn;
	lane->durable = lsn - 1;
	house->control.epoch = 2;
	maker_segment(&house->control, 0);
	maker_epoch(&house->control, 2, 1);
	maker_segment(lane, 0);
	maker_ring(lane, WEIR_BLOCK_RINGS, 1, from, 0, 0, 0);
	maker_series(lane, 1);
	maker_ring(lane, WEIR_BLOCK_LEDGER, 1, from, 0, 0, 0);
	put_run(lane, from, 10);
}

Test(verify, voids_what_a_newer_epoch_has_written_again)
{
	struct house house;
	struct maker *lane = &house.lane[0];
	build_small(&house);
	tear(lane);
	put_run(lane, 40, 10);
	second_life(&house, 6, 30);
	expect(&house, true, 0, 0, 0, 40, NULL);
}

Test(verify, sees_a_torn_block_that_a_recovery_took_for_good)
{
	struct house house;
	build_small(&house);
	tear(&house.lane[0]);
	/* Goes on behind it: its checksum was not looked at. */
	second_life(&house, 7, 40);
	expect(&house, false, 1, 1, 0, 40, "blocks 6 to 6 are missing");
}

Test(verify, sees_that_what_was_synced_is_void)
{
	struct house house;
	struct maker *lane = &house.lane[0];
	build_small(&house);
	lane->durable = 6; /* says the next one, but 6 did not survive */
	put_run(lane, 40, 10);
	second_life(&house, 6, 30);
	expect(&house, false, 0, 0, 0, 40, "had synced up to block 6");
}

Test(verify, takes_the_newer_copy_of_blocks_that_were_written_again)
{
	struct house house;
	struct maker *lane = &house.lane[0];
	build_small(&house);
	tear(lane);
	lane->lsn = 5; /* a sync failed: 5 and 6 again, in a new file */
	maker_segment(lane, WEIR_SEGMENT_CONTINUES);
	put_run(lane, 20, 10);
	put_run(lane, 30, 10);
	maker_ring(lane, WEIR_BLOCK_RINGS, 1, 40, 0, 0, 0);
	maker_series(lane, 1);
	put_run(lane, 40, 10);
	expect(&house, true, 0, 0, 0, 50, NULL);
}

Test(verify, wants_blocks_that_were_written_again_to_be_the_same)
{
	struct house house;
	struct maker *lane = &house.lane[0];
	build_small(&house);
	lane->lsn = 6;
	maker_segment(lane, WEIR_SEGMENT_CONTINUES);
	put_run(lane, 30, 9);
	expect(&house, false, 0, 0, 0, 39, "is there twice with different content");
}

Test(verify, finds_a_lost_file_in_the_middle)
{
	struct house house;
	struct maker *lane = &house.lane[0];
	char path[128];
	build_small(&house);
	maker_segment(lane, 0);
	maker_ring(lane, WEIR_BLOCK_RINGS, 1, 40, 0, 0, 0);
	strcpy(path, lane->path);
	lane->durable = 7;
	maker_segment(lane, 0);
	maker_ring(lane, WEIR_BLOCK_RINGS, 1, 40, 0, 0, 0);
	unlink(path);
	expect(&house, false, 1, 1, 0, 40, "blocks 7 to 7 are missing");
}

Test(verify, finds_a_lost_first_block_and_reads_the_rest)
{
	struct house house;
	build_small(&house);
	house.lane[0].durable = 6;
	maker_footer(&house.lane[0]);
	flip(house.lane[0].fd, 20, 3);
	expect(&house, false, 1, 0, 0, 40, "its first block is damaged");
}

Test(verify, takes_an_unfinished_first_block_for_a_crash)
{
	struct house house;
	build_small(&house);
	flip(house.lane[0].fd, 20, 3);
	expect(&house, true, 0, 0, 0, 40, "its first block is unfinished");
}

Test(verify, misses_the_last_block_before_a_footer)
{
	struct house house;
	build_small(&house);
	tear(&house.lane[0]);
	maker_footer(&house.lane[0]);
	expect(&house, false, 1, 0, 1, 30, "ends before block 6, though");
}

Test(verify, counts_with_the_footer)
{
	struct house house;
	build_small(&house);
	house.lane[0].events++;
	maker_footer(&house.lane[0]);
	expect(&house, false, 0, 0, 0, 40, "its footer counts 6 blocks, 41 events");
}

Test(verify, knows_old_blocks_in_recycled_files)
{
	struct house house;
	struct maker *lane = &house.lane[0];
	char from[128];
	build_small(&house);
	/* A former life under another id fills the file behind the new blocks. */
	strcpy(from, lane->path);
	int old = dup(lane->fd);
	maker_segment(lane, 0);
	for (uint64_t at = lane->offset; at < 32768; at += 4096) {
		uint8_t page[4096];
		cr_assert_eq(pread(old, page, 4096, (off_t)at), 4096);
		cr_assert_eq(pwrite(lane->fd, page, 4096, (off_t)at), 4096);
	}
	close(old);
	maker_ring(lane, WEIR_BLOCK_RINGS, 1, 40, 0, 0, 0);
	expect(&house, true, 0, 0, 0, 40, NULL);
}

Test(verify, begins_where_retention_has_left_off)
{
	struct house house;
	char path[128];
	build(&house, FAULT_NONE);
	/* Epoch 1 of lane 1, and all of lane 0 but its last file: ring 1 was on lane 0, is on 1. */
	snprintf(path, sizeof(path), "rm $(ls %s/lane-0*/*.wseg | sort | awk 'NR <= 2 || NR == 4')",
		 house.root);
	cr_assert_eq(system(path), 0);
	struct verify_report report = look(&house, NULL);
	cr_assert(report.ok, "%s", first(&report.findings));
	cr_assert_eq(report.events, 25);
	cr_assert_eq(report.persisted, 22 + 25, "counted since the ring's first event");
	verify_report_free(&report);
	clear(&house);
}

/* Retention removes a file and those that continue it one by one: a power cut in between may leave
 * one that continues nothing. */
Test(verify, begins_behind_a_file_that_continues_one_that_is_gone)
{
	struct house house;
	struct maker *lane = &house.lane[0];
	char path[128];
	build_small(&house);
	lane->lsn = 5; /* a sync failed: 5 and 6 again, in a new file */
	lane->durable = 4;
	maker_segment(lane, WEIR_SEGMENT_CONTINUES | WEIR_SEGMENT_AGAIN);
	put_run(lane, 20, 10);
	put_run(lane, 30, 10);
	maker_ring(lane, WEIR_BLOCK_RINGS, 1, 40, 0, 0, 0);
	maker_series(lane, 1);
	lane->durable = lane->lsn - 1;
	maker_segment(lane, 0);
	maker_ring(lane, WEIR_BLOCK_RINGS, 1, 40, 0, 0, 0);
	maker_series(lane, 1);
	put_run(lane, 40, 10);
	snprintf(path, sizeof(path), "rm $(ls %s/lane-00/*.wseg | head -1)", house.root);
	cr_assert_eq(system(path), 0);
	expect(&house, true, 0, 0, 0, 10, NULL);
}

Test(verify, sees_a_hole_also_where_retention_has_been)
{
	struct house house;
	char path[128];
	build(&house, FAULT_HOLE);
	snprintf(path, sizeof(path), "rm $(ls %s/lane-00/*.wseg | head -1)", house.root);
	cr_assert_eq(system(path), 0);
	struct verify_report report = look(&house, NULL);
	cr_assert(!report.ledger_ok);
	verify_report_free(&report);
	clear(&house);
}

Test(verify, lists_as_many_lines_as_asked_and_counts_the_rest)
{
	struct house house;
	build(&house, FAULT_NOT_DEFINED);
	struct verify_report report = look(&house, &(struct verify_options){.lines_max = 1});
	cr_assert_eq(report.findings.count, 1);
	cr_assert_eq(report.findings.more, 1, "%lu", report.findings.more);
	verify_report_free(&report);
	clear(&house);
}

static void count_bytes(void *self, uint64_t bytes, uint64_t bytes_all)
{
	uint64_t *last = self;
	cr_assert(bytes > *last && bytes <= bytes_all);
	*last = bytes;
}

Test(verify, reports_progress)
{
	struct house house;
	uint64_t last = 0;
	build(&house, FAULT_NONE);
	struct verify_report report =
		look(&house, &(struct verify_options){.progress = count_bytes, .self = &last});
	cr_assert_eq(last, 8 * MAKER_FILE_BYTES);
	verify_report_free(&report);
	clear(&house);
}

Test(verify, says_what_it_cannot_read)
{
	struct verify_report report;
	char why[256] = "", path[128];
	const char *directory = sample_directory();
	snprintf(path, sizeof(path), "%s/none", directory);
	cr_assert_eq(verify_directory(path, NULL, &report, why, sizeof(why)), -ENOENT);
	cr_assert(strstr(why, "No such file"), "%s", why);
	cr_assert_eq(verify_directory(directory, NULL, &report, why, sizeof(why)), -ENOENT);
	cr_assert(strstr(why, "no data directory of weir"), "%s", why);
	sample_remove(directory);

	struct house house;
	build_small(&house);
	struct weir_block_header header = {
		.type = WEIR_BLOCK_LEDGER, .incompat = 1, .lsn = house.lane[0].lsn};
	maker_write(&house.lane[0], &header, "", 0);
	cr_assert_eq(verify_directory(house.root, NULL, &report, why, sizeof(why)),
		     -EPROTONOSUPPORT);
	cr_assert(strstr(why, "format flags"), "%s", why);
	clear(&house);
}

/* Whatever lies in the files, it must not crash, hang or be believed. */
Test(verify, survives_scribbles)
{
	uint64_t seed = 77;
	for (int round = 0; round < 60; round++) {
		struct house house;
		build_small(&house);
		struct maker *lane = &house.lane[0];
		for (int i = 0; i < 20; i++) {
			/* Inside a block, with checksums that agree: lengths and counts that lie.
			 */
			uint64_t offset = sample_random(&seed) % 7 * 4096;
			uint8_t block[4096];
			struct weir_block_header header;
			cr_assert_eq(pread(lane->fd, block, 4096, (off_t)offset), 4096);
			memcpy(&header, block, sizeof(header));
			for (int j = 0; j < 3; j++)
				block[8 + sample_random(&seed) % 500] =
					(uint8_t)sample_random(&seed);
			memcpy(&header, block, sizeof(header));
			header.segment_id = lane->id;
			header.incompat = 0;
			if (header.payload_bytes <= 4096 - 64)
				header.payload_crc = crc32c(0, block + 64, header.payload_bytes);
			header.header_crc = crc32c(0, &header, 60);
			memcpy(block, &header, sizeof(header));
			cr_assert_eq(pwrite(lane->fd, block, 4096, (off_t)offset), 4096);
		}
		struct verify_report report;
		char why[256];
		int error = verify_directory(house.root, NULL, &report, why, sizeof(why));
		cr_assert(error == 0 || error == -EPROTONOSUPPORT, "%d", error);
		verify_report_free(&report);
		clear(&house);
	}
}
