/*
 * reader: what a disk can do to a log, and what the reader may make of it. Never an event that was
 * not written, never one twice; a damaged block costs that block.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "lane.h"
#include "log/block.h"
#include "support/simdisk.h"
#include "weir/limits.h"

static struct lane lane;
static struct simdisk *disk;
static struct io *view;

/* The only segment, or the first of them, and where its blocks lie. */
static uint8_t *file;
static uint64_t file_bytes;
static uint64_t file_id;
static uint64_t blocks[2048]; /* offsets, the SEGMENT block first */
static uint32_t blocks_count;
static uint64_t segment_bytes = WEIR_SEGMENT_BYTES_MIN;
static bool hidden; /* a block was made one that the reader passes over */
static uint64_t kept;   /* a block that the reader is told was kept */
static bool kept_late; /* when it has come to the end */

static void remember(void *self, const char *path)
{
	(void)self;
	uint64_t id;

	if (file || segment_parse_name(path + strlen("lane-00/"), &id) != SEGMENT_FILE_SEGMENT)
		return;
	file = simdisk_file(disk, path, &file_bytes);
	file_id = id;
}

static struct weir_block_header *header_at(uint64_t offset)
{
	return (struct weir_block_header *)(file + offset);
}

static void find_blocks(void)
{
	blocks_count = 0;
	for (uint64_t at = 0; at < file_bytes && block_header_good(header_at(at), file_id);
	     at += weir_block_disk_bytes(header_at(at)->payload_bytes))
		blocks[blocks_count++] = at;
}

/* A lane on a fresh disk: `events`, all durable; left as a crash or a proper end leaves it. */
static void make_log(uint64_t seed, uint64_t events, enum durability durability, bool closed)
{
	lane = (struct lane){
		.options = {
			.segment_bytes = segment_bytes,
			.block_bytes = 8 << 10,
			.buffers = 12,
			.durability = durability,
			.sync_ms = 5,
			.sync_bytes = 64 << 10,
		},
		.random = seed,
	};
	disk = simdisk_create(seed);
	simdisk_delay(disk, 0);
	struct io *io = simdisk_io(disk, 8);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	cr_assert(lane_write(&lane, events, 100000));
	if (closed) {
		cr_assert_eq(writer_close(lane.writer, 5000), 0);
	} else {
		cr_assert(durability == DURABILITY_NONE || lane_settle(&lane, 1000));
		for (int i = 0; i < 10; i++)
			lane_step(&lane);
		writer_abandon(lane.writer);
	}
	io->ops->destroy(io);
	view = simdisk_io(disk, 4);
	file = NULL;
	simdisk_names(disk, remember, NULL);
	cr_assert(file != NULL);
	find_blocks();
	cr_assert(blocks_count > 8);
}

static void drop_log(void)
{
	view->ops->destroy(view);
	simdisk_destroy(disk);
}

struct found {
	uint64_t events, blocks, gaps_seen;
	uint64_t missing; /* events between those that were found */
	struct reader_report report;
	int result;
	uint32_t told;
	char why[256];
};

/* Read whatever there is. Events are checked against what was written, by their own numbers. */
static struct found read_any(void)
{
	struct found found = {0};
	struct reader_block block;
	struct reader *reader;
	uint64_t next = 0;
	bool jump = false;

	found.result = reader_open(view, "lane-00", 0, 0, false, &reader, found.why,
				   sizeof(found.why));
	if (found.result < 0)
		return found;
	if (!kept_late)
		reader_kept(reader, kept);
	while ((found.result = reader_next(reader, &block)) == 1 ||
	       (found.result == 0 && kept_late && found.told++ == 0 && reader_kept(reader, kept))) {
		if (found.result == 0)
			continue;
		found.gaps_seen += block.gap_before;
		found.blocks++;
		jump |= block.gap_before || hidden;
		for (uint32_t i = 0; block.events && i < block.header.count; i++) {
			uint64_t n = block.events[i].value;
			cr_assert(n >= next && n < lane.next, "event %lu", (unsigned long)n);
			cr_assert(n == next || (jump && i == 0));
			cr_assert_eq(block.events[i].word,
				     weir_event_word(n, (uint32_t)(n % 1000 + 1)));
			found.missing += n - next;
			found.events++;
			next = n + 1;
			jump = false;
		}
	}
	snprintf(found.why, sizeof(found.why), "%s", reader_why(reader));
	reader_report(reader, &found.report);
	reader_close(reader);
	return found;
}

Test(reader, a_tail_cut_at_every_page_ends_with_the_last_whole_block)
{
	make_log(1, 12000, DURABILITY_NONE, false);
	uint8_t *good = malloc(file_bytes);
	memcpy(good, file, file_bytes);
	uint64_t end = blocks[blocks_count - 1] +
		       weir_block_disk_bytes(header_at(blocks[blocks_count - 1])->payload_bytes);

	for (uint64_t cut = 4096; cut <= end; cut += 4096) {
		/* Gone, or never there: zeros, and what a recycled file held before. */
		memset(file + cut, cut / 4096 % 2 ? 0 : 0xa5, file_bytes - cut);
		uint64_t whole = 0;
		for (uint32_t i = 1; i < blocks_count; i++) {
			const struct weir_block_header *header =
				(const struct weir_block_header *)(good + blocks[i]);
			uint64_t used = sizeof(*header) + header->payload_bytes;
			whole += blocks[i] + used <= cut || (cut / 4096 % 2 && blocks[i] < cut &&
				 !memcmp(file + blocks[i], good + blocks[i], used));
		}
		struct found found = read_any();
		cr_assert_eq(found.result, 0);
		cr_assert_eq(found.blocks, whole, "cut at %lu", (unsigned long)cut);
		cr_assert_eq(found.report.gaps, 0u);
		cr_assert_eq(found.report.next_lsn, whole + 1);
		memcpy(file, good, file_bytes);
	}
	free(good);
	drop_log();
}

Test(reader, a_tail_torn_at_any_byte_ends_with_the_last_whole_block)
{
	make_log(2, 6000, DURABILITY_NONE, false);
	uint64_t start = blocks[blocks_count - 3];
	uint64_t end = blocks[blocks_count - 1] + 64 +
		       header_at(blocks[blocks_count - 1])->payload_bytes;
	uint8_t *good = malloc(file_bytes);
	memcpy(good, file, file_bytes);

	for (uint64_t cut = start + 1; cut < end; cut += 13) {
		memset(file + cut, 0xff, file_bytes - cut);
		uint64_t whole = 0;
		for (uint32_t i = 1; i < blocks_count; i++) {
			const struct weir_block_header *header =
				(const struct weir_block_header *)(good + blocks[i]);
			whole += blocks[i] + 64 + header->payload_bytes <= cut;
		}
		struct found found = read_any();
		cr_assert_eq(found.blocks, whole);
		cr_assert_eq(found.report.gaps, 0u);
		/* A good header in front of a bad rest is recognisably torn. */
		bool header_left = cut >= blocks[whole + 1] + 64;
		cr_assert(!header_left || found.report.torn_bytes >= 4096);
		memcpy(file, good, file_bytes);
	}
	free(good);
	drop_log();
}

/* Does a byte of the file belong to a block, and to which? */
static uint32_t block_of(uint64_t at)
{
	uint32_t i = 0;

	while (i + 1 < blocks_count && blocks[i + 1] <= at)
		i++;
	return i;
}

Test(reader, a_flipped_bit_costs_at_most_its_block_and_is_said)
{
	make_log(3, 4000, DURABILITY_BLOCK, true);
	struct found whole = read_any();
	uint32_t last = blocks_count - 1; /* the footer */
	uint32_t costly = 0, flips = 0;

	cr_assert_eq(header_at(blocks[last])->type, WEIR_BLOCK_FOOTER);
	cr_assert_eq(whole.events, lane.next);
	for (uint64_t bit = 0; bit < (blocks[last] + 4096) * 8; bit += 1 + bit % 293, flips++) {
		uint64_t at = bit / 8;
		uint32_t hit = block_of(at);
		const struct weir_block_header *header = header_at(blocks[hit]);
		bool covered = at < blocks[hit] + 64 + header->payload_bytes;
		bool numbered = hit > 0 && hit < last;
		file[at] ^= (uint8_t)(1u << bit % 8);
		struct found found = read_any();
		cr_assert_eq(found.result, 0, "bit %lu: %s", (unsigned long)bit, found.why);
		if (covered && numbered) {
			costly++;
			cr_assert_eq(found.blocks, whole.blocks - 1);
			/* The last block has no header behind it that knows it durable. */
			if (hit < last - 1) {
				cr_assert_eq(found.report.gaps, 1u);
				cr_assert_eq(found.report.gap_blocks, 1u);
				cr_assert_eq(found.report.next_lsn, whole.report.next_lsn);
			}
		} else {
			cr_assert_eq(found.blocks, whole.blocks);
			cr_assert_eq(found.report.gaps, 0u);
			cr_assert_eq(found.report.next_lsn, whole.report.next_lsn);
		}
		file[at] ^= (uint8_t)(1u << bit % 8);
	}
	cr_assert(costly > 200 && flips > costly, "%u of %u", costly, flips);
	drop_log();
}

/* At level none headers call nothing durable before a file is full: others know what was kept. */
Test(reader, what_is_known_to_have_been_kept_is_a_gap_where_blocks_follow_and_no_end)
{
	make_log(5, 12000, DURABILITY_NONE, false);
	const struct found whole = read_any();

	cr_assert_eq(whole.blocks, blocks_count - 1);
	cr_assert_eq(whole.report.durable_lsn, 0u);
	for (uint32_t hit = 1; hit < blocks_count; hit++) {
		file[blocks[hit] + 70] ^= 1;
		for (uint64_t lsn = hit - 1; lsn <= whole.blocks; lsn += whole.blocks / 3)
			for (kept = lsn, kept_late = false;; kept_late = true) {
				const struct found found = read_any();
				const bool goes_on = lsn >= hit && hit < whole.blocks;
				cr_assert_eq(found.blocks, goes_on ? whole.blocks - 1 : hit - 1);
				cr_assert_eq(found.report.next_lsn,
					     goes_on ? whole.blocks + 1 : hit);
				cr_assert_eq(found.report.gap_blocks, goes_on);
				cr_assert_eq(found.gaps_seen, goes_on);
				if (kept_late)
					break;
			}
		file[blocks[hit] + 70] ^= 1;
	}
	drop_log();
}

Test(reader, damage_in_many_places_never_gives_a_wrong_event)
{
	make_log(4, 100000, DURABILITY_INTERVAL, true);
	uint8_t *good = malloc(file_bytes);
	memcpy(good, file, file_bytes);

	for (int round = 0; round < 60; round++) {
		uint64_t count = 1 + lane_random(&lane, 40);
		for (uint64_t i = 0; i < count; i++) {
			uint64_t at = lane_random(&lane, file_bytes / 4096) * 4096;
			uint64_t from = lane_random(&lane, file_bytes / 4096) * 4096;
			switch (lane_random(&lane, 4)) {
			case 0: /* misplaced pages: good blocks in wrong places */
				memcpy(file + at, good + from, 4096);
				break;
			case 1:
				memset(file + at, 0, 4096);
				break;
			case 2:
				for (int b = 0; b < 4096; b++)
					file[at + b] = (uint8_t)lane_random(&lane, 256);
				break;
			default:
				file[at + lane_random(&lane, 4096)] ^= 1;
			}
		}
		struct found found = read_any();
		cr_assert_eq(found.result, 0, "%s", found.why);
		cr_assert(found.events + found.missing <= lane.next);
		memcpy(file, good, file_bytes);
	}
	free(good);
	drop_log();
}

static void reseal(uint64_t offset)
{
	struct weir_block_header *header = header_at(offset);

	if (header->payload_bytes < 8192)
		header->payload_crc = crc32c(0, header + 1, header->payload_bytes);
	block_seal(header);
}

/* The first block with events, that is: any of them. */
static uint32_t events_block(void)
{
	for (uint32_t i = 2; i < blocks_count; i++)
		if (header_at(blocks[i])->type == WEIR_BLOCK_EVENTS && header_at(blocks[i])->runs)
			return i;
	cr_assert(false);
	return 0;
}

Test(reader, lengths_that_lie_under_a_good_checksum_are_not_believed)
{
	make_log(5, 4000, DURABILITY_BLOCK, true);
	struct found whole = read_any();
	uint32_t hit = events_block();
	uint8_t page[16384];
	uint64_t at = blocks[hit];

	memcpy(page, file + at, sizeof(page));
	for (int lie = 0; lie < 12; lie++) {
		struct weir_block_header *header = header_at(at);
		struct weir_run *run = (struct weir_run *)(file + at + 64 + header->count * 16);
		switch (lie) {
		case 0: header->count++; break;
		case 1: header->count--; break;
		case 2: header->count = UINT32_MAX; break;
		case 3: header->runs++; break;
		case 4: header->runs = UINT32_MAX; break;
		case 5: header->runs = 0x08000000; header->count = 0xf0000000; break;
		case 6: header->payload_bytes -= 16; break;
		case 7: header->payload_bytes = WEIR_BLOCK_BYTES_MAX - 63; break;
		case 8: header->payload_bytes = UINT32_MAX; break;
		case 9: run->count++; break;
		case 10: run->count = UINT32_MAX; break;
		default: run->ring = WEIR_RUN_MARK; break;
		}
		reseal(at);
		struct found found = read_any();
		cr_assert_eq(found.result, 0, "lie %d: %s", lie, found.why);
		cr_assert_eq(found.blocks, whole.blocks - 1, "lie %d", lie);
		cr_assert_eq(found.report.gap_blocks, 1u, "lie %d", lie);
		memcpy(file + at, page, sizeof(page));
	}
	drop_log();
}

Test(reader, numbers_that_lie_under_a_good_checksum_cannot_hold_it)
{
	make_log(6, 4000, DURABILITY_BLOCK, true);
	uint64_t at = blocks[events_block()];
	uint8_t page[4096];

	memcpy(page, file + at, sizeof(page));
	for (int lie = 0; lie < 9; lie++) {
		struct weir_block_header *header = header_at(at);
		switch (lie) {
		case 0: header->lsn = 0; break;
		case 1: header->lsn = UINT64_MAX; break;
		case 2: header->lsn = (UINT64_C(1) << 62) - 1; break;
		case 3: header->lsn += 1000000; header->durable_lsn = header->lsn - 1; break;
		case 4: header->durable_lsn = header->lsn; break;
		case 5: header->durable_lsn = UINT64_MAX; break;
		case 6: header->lane = 9; break;
		case 7: header->epoch = 99; break;
		default: header->segment_id++; break;
		}
		block_seal(header);
		struct found found = read_any();
		cr_assert_eq(found.result, 0, "lie %d: %s", lie, found.why);
		memcpy(file + at, page, sizeof(page));
	}
	drop_log();
}

/* Touch everything that a block says is there. */
static uint64_t read_all_bytes(uint64_t from_lsn, bool follow)
{
	struct reader *reader;
	struct reader_block block;
	char why[128];
	uint64_t sum = 0, count = 0;

	if (reader_open(view, "lane-00", 0, from_lsn, follow, &reader, why, sizeof(why)) < 0)
		return 0;
	while (reader_next(reader, &block) == 1) {
		const uint8_t *payload = block.payload;
		for (uint32_t i = 0; i < block.header.payload_bytes; i++)
			sum += payload[i];
		for (uint32_t i = 0; block.runs && i < block.header.runs; i++)
			sum += block.runs[i].count;
		for (uint32_t i = 0; block.events && i < block.header.count; i++)
			sum += block.events[i].value;
		cr_assert(++count < 100000, "does not end");
	}
	reader_close(reader);
	return sum;
}

Test(reader, anything_under_good_checksums_is_read_within_bounds)
{
	make_log(13, 70000, DURABILITY_INTERVAL, true);
	uint8_t *good = malloc(file_bytes);
	uint64_t sum = 0;
	memcpy(good, file, file_bytes);

	for (int round = 0; round < 400; round++) {
		uint32_t lies = 1 + (uint32_t)lane_random(&lane, 6);
		for (uint32_t i = 0; i < lies; i++) {
			uint64_t at = blocks[lane_random(&lane, blocks_count)];
			uint64_t bytes = lane_random(&lane, 2) ? 60 : 192;
			uint64_t where = 4 + lane_random(&lane, bytes - 8);
			uint32_t value = (uint32_t)lane_random(&lane, 0);
			if (lane_random(&lane, 2))
				value &= 0xf;
			memcpy(file + at + where, &value, 1 + lane_random(&lane, 4));
			if (lane_random(&lane, 8))
				header_at(at)->segment_id = file_id;
			reseal(at);
		}
		sum += read_all_bytes(lane_random(&lane, 300), round & 1);
		memcpy(file, good, file_bytes);
	}
	cr_assert(sum > 0);
	free(good);
	drop_log();
}

Test(reader, unknown_skippable_blocks_are_passed_over_and_others_refused)
{
	make_log(7, 4000, DURABILITY_BLOCK, true);
	struct found whole = read_any();
	uint64_t at = blocks[events_block()];
	struct weir_block_header *header = header_at(at);

	header->type = WEIR_BLOCK_SKIPPABLE | 77;
	block_seal(header);
	hidden = true;
	struct found found = read_any();
	cr_assert_eq(found.result, 0);
	cr_assert_eq(found.blocks, whole.blocks - 1);
	cr_assert_eq(found.report.gaps, 0u, "it is there, it is only not for us");
	header->type = 77;
	block_seal(header);
	found = read_any();
	cr_assert_eq(found.result, -EPROTONOSUPPORT);
	cr_assert(strstr(found.why, "upgrade") != NULL, "%s", found.why);
	header->type = WEIR_BLOCK_EVENTS;
	header->incompat = 1;
	block_seal(header);
	found = read_any();
	cr_assert_eq(found.result, -EPROTONOSUPPORT);
	cr_assert(strstr(found.why, "upgrade") != NULL, "%s", found.why);
	drop_log();
}

Test(reader, a_file_of_another_format_or_lane_is_refused_with_a_reason)
{
	make_log(8, 4000, DURABILITY_BLOCK, true);
	struct weir_block_header *header = header_at(0);
	struct weir_segment_info *info = (struct weir_segment_info *)(header + 1);

	info->format_major = 2;
	reseal(0);
	struct found found = read_any();
	cr_assert_eq(found.result, -EPROTONOSUPPORT);
	cr_assert(strstr(found.why, ".wseg: ") != NULL, "%s", found.why);
	info->format_major = WEIR_FORMAT_MAJOR;
	info->format_minor = 999; /* any minor version is read */
	reseal(0);
	cr_assert_eq(read_any().result, 0);
	header->lane = 4;
	reseal(0);
	found = read_any();
	cr_assert_eq(found.result, -EPROTONOSUPPORT);
	cr_assert(strstr(found.why, "lane") != NULL, "%s", found.why);
	header->lane = 0;
	header->incompat = 8;
	reseal(0);
	cr_assert_eq(read_any().result, -EPROTONOSUPPORT);
	drop_log();
}

Test(reader, a_lost_first_block_costs_nothing_but_itself)
{
	make_log(9, 100000, DURABILITY_INTERVAL, true);
	struct found whole = read_any();

	memset(file, 0, 4096);
	struct found found = read_any();
	cr_assert_eq(found.result, 0);
	cr_assert_eq(found.events, whole.events);
	cr_assert_eq(found.report.gaps, 0u);
	cr_assert_eq(found.report.segments, whole.report.segments);
	/* And with its snapshot, that is reported. */
	memset(file, 0, blocks[4]);
	found = read_any();
	cr_assert_eq(found.result, 0);
	cr_assert_eq(found.report.gap_blocks, 3u);
	cr_assert_eq(found.events, whole.events);
	drop_log();
}

static const char *names[64];
static uint32_t names_count;

static void collect(void *self, const char *path)
{
	uint64_t id;

	(void)self;
	if (segment_parse_name(path + strlen("lane-00/"), &id) == SEGMENT_FILE_SEGMENT)
		names[names_count++] = strdup(path);
}

static void write_pages(int fd, const uint8_t *bytes, uint64_t count)
{
	static const uint8_t zeros[4096];

	cr_assert_eq(ftruncate(fd, (off_t)count), 0);
	for (uint64_t at = 0; at + 4096 <= count; at += 4096)
		if (memcmp(bytes + at, zeros, 4096) != 0)
			cr_assert_eq(pwrite(fd, bytes + at, 4096, (off_t)at), 4096);
}

/* The log once more in real files, with a hole wherever there are only zeros; what is read there.
 */
static struct found read_sparse(const char *directory)
{
	char path[128];
	struct io *was = view;
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_assert(fd >= 0 && io_pwrite_create(fd, 1, &view) == 0);
	cr_assert_eq(view->ops->make_dir(view, "lane-00"), 0);
	names_count = 0;
	simdisk_names(disk, collect, NULL);
	for (uint32_t i = 0; i < names_count; i++) {
		uint64_t bytes;
		const uint8_t *data = simdisk_file(disk, names[i], &bytes);
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		int copy = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		cr_assert(copy >= 0);
		write_pages(copy, data, bytes);
		close(copy);
	}
	struct found found = read_any();
	view->ops->destroy(view);
	close(fd);
	view = was;
	return found;
}

static void expect_same(const char *directory)
{
	struct found there = read_any(), sparse = read_sparse(directory);

	cr_assert_eq(there.result, 0);
	cr_assert_eq(sparse.result, 0);
	cr_assert(sparse.events > 0 && sparse.events == there.events);
	cr_assert_eq(sparse.missing, there.missing);
	cr_assert_eq(sparse.report.gap_blocks, there.report.gap_blocks);
	cr_assert_eq(sparse.report.segments, there.report.segments);
}

Test(reader, holes_are_passed_over_and_what_lies_behind_them_is_found)
{
	char directory[] = "/tmp/weir-reader-XXXXXX", command[64];

	segment_bytes = 8u << 20;
	make_log(12, 400000, DURABILITY_INTERVAL, false);
	cr_assert(mkdtemp(directory) != NULL);
	expect_same(directory);
	/* The blocks in the middle, up to one that is whole; then the beginning too, so that the
	 * file is searched for any block of its own. */
	const uint64_t from = blocks[blocks_count / 4], to = blocks[blocks_count * 3 / 4];
	cr_assert(to - from > 2u << 20);
	memset(file + from, 0, to - from);
	expect_same(directory);
	memset(file, 0, from);
	expect_same(directory);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	cr_assert_eq(system(command), 0);
	drop_log();
}

Test(reader, a_segment_that_somebody_removed_is_one_gap)
{
	make_log(10, 200000, DURABILITY_INTERVAL, true);
	struct found whole = read_any();

	simdisk_names(disk, collect, NULL);
	cr_assert(names_count >= 3);
	cr_assert_eq(view->ops->unlink(view, names[1]), 0);
	struct found found = read_any();
	cr_assert_eq(found.result, 0);
	cr_assert_eq(found.report.gaps, 1u);
	cr_assert_eq(found.gaps_seen, 1u);
	cr_assert_eq(found.blocks + found.report.gap_blocks, whole.blocks);
	cr_assert_eq(found.events + found.missing, whole.events);
	drop_log();
}

Test(reader, what_retention_removes_under_a_reader_is_no_corruption)
{
	make_log(11, 200000, DURABILITY_INTERVAL, true);
	struct reader *reader;
	struct reader_block block;
	struct reader_report report;
	char why[128];

	simdisk_names(disk, collect, NULL);
	cr_assert_eq(reader_open(view, "lane-00", 0, 0, false, &reader, why, sizeof(why)), 0);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(reader_next(reader, &block), 1);
	/* The file being read is recycled: another id, other blocks; the next one is gone too. */
	cr_assert_eq(view->ops->rename(view, names[0], "lane-00/spare-00000000000000aa.wspare"), 0);
	cr_assert_eq(view->ops->unlink(view, names[1]), 0);
	memset(file, 0, file_bytes);
	int jumps = 0, result;
	while ((result = reader_next(reader, &block)) == 1)
		jumps += block.gap_before;
	cr_assert_eq(result, 0);
	cr_assert_eq(jumps, 1, "it is said that something is missing");
	reader_report(reader, &report);
	cr_assert_eq(report.gaps, 0u, "but not that it is damaged");
	reader_close(reader);
	drop_log();
}

Test(reader, a_lane_that_is_not_there_is_told_from_one_that_is_empty)
{
	struct reader *reader;
	struct reader_block block;
	struct reader_report report;
	char why[128];

	disk = simdisk_create(1);
	view = simdisk_io(disk, 4);
	cr_assert_eq(reader_open(view, "lane-07", 7, 0, false, &reader, why, sizeof(why)), -ENOENT);
	cr_assert_eq(view->ops->make_dir(view, "lane-07"), 0);
	cr_assert_eq(reader_open(view, "lane-07", 7, 0, false, &reader, why, sizeof(why)), 0);
	cr_assert_eq(reader_next(reader, &block), 0);
	reader_report(reader, &report);
	cr_assert_eq(report.next_lsn, 1u);
	cr_assert_eq(report.last_id, 0u);
	cr_assert_eq(report.first_lsn, 0u);
	reader_close(reader);
	drop_log();
}

Test(reader, errors_of_the_disk_are_reported_not_read_over)
{
	make_log(12, 100000, DURABILITY_INTERVAL, true);
	uint64_t reads = simdisk_count(disk, SIMDISK_READ);

	read_any();
	reads = simdisk_count(disk, SIMDISK_READ) - reads;
	for (uint64_t nth = 1; nth <= reads; nth++) {
		simdisk_fail(disk, SIMDISK_READ, nth, -EIO, false);
		struct found found = read_any();
		cr_assert_eq(found.result, -EIO, "read %lu", (unsigned long)nth);
		simdisk_fail(disk, SIMDISK_READ, 0, 0, false);
	}
	drop_log();
}
