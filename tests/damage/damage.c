/*
 * damage: a log with one bit wrong, cut short, with blocks in wrong places or files under wrong
 * names; what its two readers and a recovery make of it.
 *
 *   damage [FLIPS [CUTS]]   0: all 2,097,152 bits of 256 KiB; a cut at every byte of 64 KiB
 *
 * Holds, for each: no event but those that were written, each at its place and once; at most one
 * block is lost that a flip lies in, none that it does not; of swapped ones what is lost is said;
 * a recovery starts; a damaged checkpoint costs time, and changes nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/reader.h"
#include "replay.h"
#include "shelf.h"
#include "support/proof.h"
#include "support/simdisk.h"
#include "support/story.h"
#include "verify.h"

#define REGION_BYTES (256u << 10)
#define TAIL_BYTES (64u << 10)
#define LSNS_MAX 4096u
#define SERIES_MAX 1000u
#define RECOVERIES 60u
#define VERIFIES 400u

struct block {
	struct weir_block_header header;
	uint8_t *payload;
};

struct lane_image {
	const char *directory;
	uint16_t lane;
	struct block blocks[LSNS_MAX]; /* by LSN */
	uint64_t count, events;
};

struct world {
	struct shelf shelf;
	struct lane_image lane, control;
	char directory[64]; /* for verify */
	uint64_t said; /* blocks that the last look at a lane said are lost */
	uint64_t wrong, beyond, violations, proved;
	uint64_t passed_over; /* recoveries that said so of a checkpoint */
};

/* The nth file of a lane that is a segment, not one written ahead. */
static struct shelf_file *segment(struct world *world, const struct lane_image *image, uint32_t nth)
{
	struct shelf_file *file;

	for (uint32_t i = 0; (file = shelf_find(&world->shelf, image->directory, i)); i++) {
		uint32_t magic = 0;
		memcpy(&magic, file->data, sizeof(magic));
		if (magic == WEIR_BLOCK_MAGIC && strstr(file->path, ".wseg") && nth-- == 0)
			return file;
	}
	return NULL;
}

static void expect(struct world *world, bool condition, const char *what)
{
	if (!condition) {
		if (world->violations++ < 20)
			printf("FAILED: %s\n", what);
	}
}

/* The log as it was written. */

static void remember(struct world *world, struct lane_image *image, const char *directory,
		     uint16_t lane)
{
	struct reader_block block;
	struct reader *reader;
	char why[256];

	image->directory = directory;
	image->lane = lane;
	if (reader_open(&world->shelf.io, directory, lane, 0, false, &reader, why, sizeof(why)) < 0)
		abort();
	while (reader_next(reader, &block) > 0) {
		if (block.header.lsn >= LSNS_MAX)
			abort();
		struct block *kept = &image->blocks[block.header.lsn];
		kept->header = block.header;
		kept->payload = malloc(block.header.payload_bytes + 1);
		memcpy(kept->payload, block.payload, block.header.payload_bytes);
		image->count++;
		image->events +=
			block.header.type == WEIR_BLOCK_EVENTS ? block.header.count : 0;
	}
	reader_close(reader);
}

static void forget(struct lane_image *image)
{
	for (uint32_t i = 0; i < LSNS_MAX; i++)
		free(image->blocks[i].payload);
}

/* Read it all: how many blocks are missing. Wrong ones are counted. */
static uint64_t read_all(struct world *world, const struct lane_image *image)
{
	struct reader_block block;
	struct reader *reader;
	uint64_t good = 0, last = 0;
	char why[256];
	int more;

	if (reader_open(&world->shelf.io, image->directory, image->lane, 0, false, &reader, why,
			sizeof(why)) < 0) {
		expect(world, false, "a damaged lane can be opened");
		return image->count;
	}
	while ((more = reader_next(reader, &block)) > 0) {
		uint64_t lsn = block.header.lsn;
		const struct block *kept = lsn < LSNS_MAX ? &image->blocks[lsn] : NULL;
		bool same = kept && kept->payload && lsn > last &&
			    memcmp(&kept->header, &block.header, sizeof(block.header)) == 0 &&
			    memcmp(kept->payload, block.payload, block.header.payload_bytes) == 0;
		world->wrong += !same;
		good += same;
		last = lsn;
	}
	struct reader_report report;
	expect(world, more == 0, "a damaged lane can be read to its end");
	reader_report(reader, &report);
	world->said = report.gap_blocks;
	reader_close(reader);
	return image->count - good;
}

/* Is this byte of a file one that a block's checksums cover? */
static bool covered(const struct shelf_file *file, uint64_t at)
{
	uint64_t offset = 0;

	while (offset + sizeof(struct weir_block_header) <= file->bytes) {
		struct weir_block_header header;
		memcpy(&header, file->data + offset, sizeof(header));
		if (header.magic != WEIR_BLOCK_MAGIC)
			return false;
		uint64_t bytes = sizeof(header) + header.payload_bytes;
		if (at < offset + 4096 * ((bytes + 4095) / 4096))
			return at < offset + bytes;
		offset += 4096 * ((bytes + 4095) / 4096);
	}
	return false;
}

static void flip(struct world *world, const struct lane_image *image, struct shelf_file *file,
		 uint64_t bit)
{
	bool inside = covered(file, bit / 8);

	file->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	uint64_t lost = read_all(world, image);
	file->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	if (lost > inside) {
		world->beyond++;
		printf("bit %llu of %s: %llu blocks lost\n", (unsigned long long)bit, file->path,
		       (unsigned long long)lost);
	}
}

/* An odd stride walks over all bits of a byte. */
static uint64_t flips(struct world *world, const struct lane_image *image, uint64_t wanted)
{
	struct shelf_file *file = segment(world, image, 0);
	uint64_t bits = 8 * (file->bytes < REGION_BYTES ? file->bytes : REGION_BYTES), done = 0;
	uint64_t stride = wanted && wanted < bits ? (bits / wanted) | 1 : 1;

	for (uint64_t bit = 0; bit < bits; bit += stride, done++)
		flip(world, image, file, bit);
	return done;
}

/* Blocks of a file that were read of it and are not whole before `at`: no footer is. */
static uint64_t blocks_beyond(const struct lane_image *image, const struct shelf_file *file,
			      uint64_t at)
{
	uint64_t offset = 0, count = 0;

	while (offset + sizeof(struct weir_block_header) <= file->bytes) {
		struct weir_block_header header;
		memcpy(&header, file->data + offset, sizeof(header));
		if (header.magic != WEIR_BLOCK_MAGIC)
			break;
		offset += 4096 * ((sizeof(header) + header.payload_bytes + 4095) / 4096);
		count += offset > at && header.lsn < LSNS_MAX && image->blocks[header.lsn].payload;
	}
	return count;
}

/* The newest file, cut at each byte of its end: what lies before the cut is there, never more. */
static uint64_t cuts(struct world *world, const struct lane_image *image, uint64_t wanted)
{
	struct shelf_file *file = NULL;
	uint64_t last = 0, done = 0;

	for (uint32_t i = 0; segment(world, image, i); i++) {
		struct shelf_file *one = segment(world, image, i);
		struct weir_block_header header;
		memcpy(&header, one->data, sizeof(header));
		if (header.lsn >= last) {
			last = header.lsn;
			file = one;
		}
	}
	uint64_t end = 0;
	while (covered(file, end))
		end += 4096;
	uint64_t from = end > TAIL_BYTES ? end - TAIL_BYTES : 0;
	uint64_t stride = wanted && wanted < end - from ? (end - from) / wanted : 1;
	uint64_t lost_before = UINT64_MAX;
	for (uint64_t at = from; at <= end; at += stride, done++) {
		const uint64_t beyond = blocks_beyond(image, file, at);
		file->bytes = at;
		uint64_t lost = read_all(world, image);
		file->bytes = file->capacity;
		expect(world, lost <= beyond, "a cut costs no block before it");
		expect(world, lost <= lost_before, "a longer file has no fewer blocks");
		lost_before = lost;
	}
	return done;
}

/* Blocks in wrong places. Offsets of the first 64 blocks of one page each of a file. */
static uint32_t single_pages(const struct shelf_file *file, uint64_t offsets[64])
{
	uint64_t offset = 4096;
	uint32_t count = 0;

	while (count < 64 && offset + 4096 <= file->bytes) {
		struct weir_block_header header;
		memcpy(&header, file->data + offset, sizeof(header));
		if (header.magic != WEIR_BLOCK_MAGIC)
			break;
		uint64_t pages = (sizeof(header) + header.payload_bytes + 4095) / 4096;
		if (pages == 1)
			offsets[count++] = offset;
		offset += 4096 * pages;
	}
	return count;
}

static void swap_pages(uint8_t *a, uint8_t *b)
{
	uint8_t page[4096];

	memcpy(page, a, sizeof(page));
	memcpy(a, b, sizeof(page));
	memcpy(b, page, sizeof(page));
}

static uint64_t misplaced(struct world *world, const struct lane_image *image)
{
	struct shelf_file *file = segment(world, image, 0);
	struct shelf_file *other = segment(world, image, 1);
	uint8_t page[4096];
	uint64_t at[64], from[64], done = 0;
	uint32_t count = single_pages(file, at), others = single_pages(other, from);

	if (count < 16 || others < 16)
		abort();
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t j = i + 1; j < count; j += 7, done++) {
			swap_pages(file->data + at[i], file->data + at[j]);
			/* What lies between them comes behind a higher number: a gap, and said. */
			expect(world, read_all(world, image) == world->said,
			       "what swapped blocks cost is said");
			swap_pages(file->data + at[i], file->data + at[j]);
		}
		/* Another's block, and an older one of the same file, in its place. */
		for (int way = 0; way < 2; way++, done++) {
			const uint8_t *source = way ? file->data + at[i ? i - 1 : 1]
						    : other->data + from[i % others];
			memcpy(page, file->data + at[i], sizeof(page));
			memcpy(file->data + at[i], source, sizeof(page));
			expect(world, read_all(world, image) <= 1, "a stale block costs one");
			memcpy(file->data + at[i], page, sizeof(page));
		}
	}
	return done;
}

/* Inside a payload of several pages lie whole blocks: another file's, and one of this file's. The
 * block around them no longer agrees with its checksum, so that readers look page by page. */
static uint64_t forged(struct world *world, const struct lane_image *image)
{
	struct shelf_file *file = segment(world, image, 0);
	struct shelf_file *other = segment(world, image, 1);
	uint8_t page[4096];
	uint64_t at[64], from[64], done = 0, offset = 0;
	uint32_t count = single_pages(file, at), others = single_pages(other, from);

	while (offset + 4096 <= file->bytes) {
		struct weir_block_header header;
		memcpy(&header, file->data + offset, sizeof(header));
		if (header.magic != WEIR_BLOCK_MAGIC)
			break;
		uint64_t pages = (sizeof(header) + header.payload_bytes + 4095) / 4096;
		for (uint64_t p = 1; p < pages; p++)
			for (int way = 0; way < 2; way++, done++) {
				uint8_t *inner = file->data + offset + 4096 * p;
				memcpy(page, inner, sizeof(page));
				memcpy(inner,
				       way ? file->data + at[done % count]
					   : other->data + from[done % others],
				       sizeof(page));
				expect(world, read_all(world, image) <= 1,
				       "a forged block costs the one around it");
				memcpy(inner, page, sizeof(page));
			}
		offset += 4096 * pages;
	}
	expect(world, done > 0, "there are blocks of several pages");
	return done;
}

/* A recycled file, and a copied one: what a segment held, under another's name. */
static uint64_t renamed(struct world *world, const struct lane_image *image)
{
	struct shelf *shelf = &world->shelf;
	struct shelf_file *copy = &shelf->files[shelf->count];
	uint64_t done = 0;

	for (uint32_t i = 0; segment(world, image, i); i++, done++) {
		*copy = *segment(world, image, i);
		snprintf(copy->path, sizeof(copy->path), "%s/0123456789abcdef.wseg",
			 image->directory);
		shelf->count++;
		expect(world, read_all(world, image) == 0, "a copied file changes nothing");
		shelf->count--;
	}
	*copy = (struct shelf_file){0};
	return done;
}

/* Recovery. */

static uint64_t recover(struct world *world, enum replay_start start, struct bytes *ret_state)
{
	struct replay replay;
	struct replay_options options = {
		.io = &world->shelf.io,
		.shards = 1,
		.series_max = SERIES_MAX,
		.start = start,
	};
	int error = replay_run(&options, &replay);
	uint64_t sequence = replay.sequence;

	if (error < 0 && world->violations < 20)
		printf("%s\n", replay.why);
	expect(world, error == 0, "a recovery starts");
	if (ret_state) {
		bytes_clear(ret_state);
		if (replay.scorers[0])
			scorer_save(replay.scorers[0], ret_state);
	}
	world->passed_over += replay.passed_over && replay.passed_why[0];
	replay_fini(&replay);
	return sequence;
}

static uint64_t recoveries(struct world *world, const struct lane_image *image)
{
	struct shelf_file *file = segment(world, image, 0);
	uint64_t bits = 8 * (uint64_t)REGION_BYTES, done = 0;

	for (uint64_t bit = 11; bit < bits; bit += bits / RECOVERIES | 1, done++) {
		file->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		recover(world, REPLAY_NEWEST, NULL);
		file->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	return done;
}

/* Where a recovery of the whole shelf ends: as what. */
struct recovered {
	uint64_t sequence;
	struct bytes state;
};

static bool recovers_to(struct world *world, const struct recovered *whole)
{
	struct bytes state = {0};
	bool same = recover(world, REPLAY_NEWEST, &state) == whole->sequence &&
		    state.used == whole->state.used &&
		    memcmp(state.data, whole->state.data, state.used) == 0;

	bytes_fini(&state);
	return same;
}

/* Whole, and of the version before or behind ours: the second word of its header. */
static uint64_t other_versions(struct world *world, struct shelf_file *file,
			       const struct recovered *whole)
{
	uint8_t *version = file->data + sizeof(uint64_t);

	for (int by = -1; by <= 1; by += 2) {
		*version = (uint8_t)(*version + by);
		expect(world, recovers_to(world, whole),
		       "a checkpoint of another version changes nothing");
		*version = (uint8_t)(*version - by);
	}
	return 2;
}

/* With a good checksum, and a place in the control log behind which there could be no block. */
static uint64_t beyond_the_log(struct world *world, struct shelf_file *file,
			       const struct recovered *whole)
{
	static const uint64_t beyond[] = {UINT64_C(1) << 62, UINT64_MAX};
	uint8_t *at = file->data + SHELF_CHECKPOINT_HEADER_BYTES + sizeof(uint64_t);
	uint64_t good;

	memcpy(&good, at, sizeof(good));
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		memcpy(at, &beyond[i], sizeof(beyond[i]));
		shelf_seal_checkpoint(file);
		expect(world, recovers_to(world, whole),
		       "a checkpoint behind the end of all logs changes nothing");
	}
	memcpy(at, &good, sizeof(good));
	shelf_seal_checkpoint(file);
	return sizeof(beyond) / sizeof(beyond[0]);
}

/* A checkpoint with a wrong bit, cut, empty, or of another version is none: recovery begins
 * earlier, and ends with the same state to the last byte. */
static uint64_t checkpoints(struct world *world)
{
	struct recovered whole = {0};
	uint64_t done = 0;
	struct shelf_file *file;

	whole.sequence = recover(world, REPLAY_NEWEST, &whole.state);

	expect(world, !world->passed_over, "whole checkpoints are gone on from");
	for (uint32_t f = 0; (file = shelf_find(&world->shelf, "checkpoint", f)); f++)
		for (uint64_t bit = 3; bit < 8 * file->bytes; bit += 8 * file->bytes / 24 | 1) {
			file->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			expect(world, recovers_to(world, &whole),
			       "a damaged checkpoint changes nothing");
			file->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			file->bytes = bit / 8;
			expect(world, recovers_to(world, &whole),
			       "a cut checkpoint changes nothing");
			file->bytes = file->capacity;
			done += 2;
		}
	const uint64_t before = world->passed_over;
	expect(world, before > 0, "that one was passed over is said");
	for (uint32_t f = 0; (file = shelf_find(&world->shelf, "checkpoint", f)); f++)
		done += other_versions(world, file, &whole);
	/* Of the newest, which is the one that is looked at. */
	expect(world, world->passed_over == before + 2, "what is of another version is said");
	for (uint32_t f = 0; (file = shelf_find(&world->shelf, "checkpoint", f)); f++)
		done += beyond_the_log(world, file, &whole);
	expect(world, world->passed_over == before + 4, "and of what is beyond the log");
	expect(world, done > 0, "there is a checkpoint");
	bytes_fini(&whole.state);
	return done;
}

/* Events without the log that says which intervals they belong to: refused, and said why; never
 * taken for a new store. */
static void without_control(struct world *world)
{
	static const char *const kept[2][3] = {{"lane-00"}, {"lane-00", "checkpoint"}};

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		struct shelf shelf = {0};
		shelf_fill(&shelf, &world->shelf.io, kept[i]);
		struct replay replay;
		struct replay_options options = {
			.io = &shelf.io,
			.shards = 1,
			.series_max = SERIES_MAX,
			.start = REPLAY_NEWEST,
		};
		int error = replay_run(&options, &replay);
		expect(world, error == -EPROTO && strstr(replay.why, "control log"),
		       "lanes without a control log are refused, and said why");
		replay_fini(&replay);
		shelf_fini(&shelf);
	}
}

/* The independent reader wants a real directory. */

static void put_file(const struct world *world, const struct shelf_file *file)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%.*s", world->directory,
		 (int)strcspn(file->path, "/"), file->path);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s", world->directory, file->path);
	FILE *out = fopen(path, "w");
	if (!out || fwrite(file->data, 1, file->bytes, out) != file->bytes || fclose(out))
		abort();
}

static void put_byte(const struct world *world, const struct shelf_file *file, uint64_t at)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", world->directory, file->path);
	FILE *out = fopen(path, "r+");
	if (!out || fseek(out, (long)at, SEEK_SET) || fputc(file->data[at], out) == EOF ||
	    fclose(out))
		abort();
}

static struct verify_report look(struct world *world)
{
	struct verify_report report = {0};
	char why[256] = "";
	int error = verify_directory(world->directory, NULL, &report, why, sizeof(why));

	if (error < 0)
		printf("%s\n", why);
	expect(world, error == 0, "weirctl verify can read it");
	return report;
}

static uint64_t verifies(struct world *world, const struct lane_image *image)
{
	struct shelf_file *file = segment(world, image, 0);
	struct verify_report whole = look(world);
	uint64_t bits = 8 * (uint64_t)REGION_BYTES, done = 0;

	expect(world, whole.ok && whole.ledger_ok, "verify finds nothing wrong without damage");
	for (uint64_t bit = 5; bit < bits; bit += bits / VERIFIES | 1, done++) {
		bool inside = covered(file, bit / 8);
		file->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		put_byte(world, file, bit / 8);
		struct verify_report report = look(world);
		world->wrong += report.events > whole.events;
		world->beyond += report.blocks + inside < whole.blocks;
		expect(world, !inside || bit / 8 < 4096 || !report.ok,
		       "verify says what is damaged");
		verify_report_free(&report);
		file->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		put_byte(world, file, bit / 8);
	}
	verify_report_free(&whole);
	return done;
}

static void make_world(struct world *world)
{
	static const char *const directories[] = {"lane-00", "control", "checkpoint", NULL};
	static struct story story;

	story_begin(&story, 1, 1, 5);
	story_start(&story);
	/* Some blocks of many pages, most of one. */
	for (int i = 0; i < 5; i++) {
		story_play(&story, 90, 0.3);
		story_late(&story, 1500);
	}
	story_end_producers(&story);
	story_stop(&story);
	struct io *io = simdisk_io(story.disk, 1);
	shelf_fill(&world->shelf, io, directories);
	io->ops->destroy(io);
	story_end(&story);
	snprintf(world->directory, sizeof(world->directory), "./damage-XXXXXX");
	if (!mkdtemp(world->directory))
		abort();
	for (uint32_t i = 0; i < world->shelf.count; i++)
		put_file(world, &world->shelf.files[i]);
	remember(world, &world->lane, "lane-00", 0);
	remember(world, &world->control, "control", WEIR_LANE_CONTROL);
	printf("%llu events in %llu blocks; %llu blocks of the control log\n",
	       (unsigned long long)world->lane.events, (unsigned long long)world->lane.count,
	       (unsigned long long)world->control.count);
}

static void prove(struct world *world, const char *name, uint64_t count)
{
	const uint64_t all = world->wrong + world->beyond + world->violations;

	proof_say(name, count, all - world->proved);
	world->proved = all;
}

int main(int argc, char **argv)
{
	static struct world world;
	bool quick = getenv("WEIR_TEST_QUICK");
	uint64_t flips_wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : quick ? 1000 : 16000;
	uint64_t cuts_wanted = argc > 2 ? strtoull(argv[2], NULL, 10) : quick ? 100 : 2000;
	char command[96];

	setvbuf(stdout, NULL, _IOLBF, 0);
	make_world(&world);
	uint64_t done = flips(&world, &world.lane, flips_wanted);
	done += flips(&world, &world.control, flips_wanted / 4);
	prove(&world, "bit-flips", done);
	done = cuts(&world, &world.lane, cuts_wanted);
	done += cuts(&world, &world.control, cuts_wanted / 4);
	prove(&world, "cuts", done);
	done = misplaced(&world, &world.lane) + forged(&world, &world.lane);
	prove(&world, "misplaced-blocks", done + renamed(&world, &world.lane));
	prove(&world, "bit-flips-verify", verifies(&world, &world.lane));
	prove(&world, "bit-flips-recovery", recoveries(&world, &world.lane));
	prove(&world, "bit-flips-checkpoint", checkpoints(&world));
	without_control(&world);
	forget(&world.lane);
	forget(&world.control);
	shelf_fini(&world.shelf);
	uint64_t bad = world.wrong + world.beyond + world.violations;
	printf("%llu wrong blocks, %llu losses beyond one block, %llu other violations\n",
	       (unsigned long long)world.wrong, (unsigned long long)world.beyond,
	       (unsigned long long)world.violations);
	snprintf(command, sizeof(command), "rm -rf %s", world.directory);
	if (system(command))
		bad++;
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
