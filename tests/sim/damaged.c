/*
 * damaged: a block goes bad that the engine had kept, and producers live on.
 *
 *   damaged [DAMAGES [SEED]]
 *
 * A story is killed, one block of its lane gets a wrong bit, and the next engines go on with the
 * same producers, whose rings still hold what was drained long ago. At level none no header of the
 * first file calls anything durable, so only marks say what was kept. Holds: what the first start
 * reads, each later one reads as well, and nothing between it; of each ring each event is in the
 * log at most once; one block is missing at most where there is a mark behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "log/block.h"
#include "log/reader.h"
#include "support/proof.h"
#include "support/simdisk.h"
#include "support/story.h"

#define LANE "lane-00"
#define RINGS_MAX 64u
#define LSNS_MAX 65536u

/* What one reading of the lane has found. */
struct found {
	uint64_t blocks, events, gap_blocks, next_lsn;
	uint64_t marked; /* the last block with a mark */
	uint64_t doubles;
	uint64_t ends[RINGS_MAX]; /* of each ring, behind its last event */
	uint8_t there[LSNS_MAX];
};

static uint64_t random_state;

static uint64_t draw(uint64_t bound)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % bound;
}

static void note_runs(struct found *found, const struct reader_block *block)
{
	for (uint32_t r = 0; r < block->header.runs; r++) {
		const struct weir_run *run = &block->runs[r];
		if (run->ring == WEIR_RUN_MARK) {
			found->marked = block->header.lsn;
			continue;
		}
		uint64_t *end = &found->ends[run->ring % RINGS_MAX];
		found->doubles += run->first_sequence < *end;
		*end = run->first_sequence + run->count + run->rejected;
	}
}

static void read_lane(struct story *story, struct found *found)
{
	struct io *io = simdisk_io(story->disk, 1);
	struct reader_report report;
	struct reader_block block;
	struct reader *reader;
	char why[256];

	memset(found, 0, sizeof(*found));
	expect(reader_open(io, LANE, 0, 0, false, &reader, why, sizeof(why)) == 0,
	       "the lane can be opened");
	while (reader_next(reader, &block) > 0) {
		found->there[block.header.lsn % LSNS_MAX] = 1;
		found->blocks++;
		found->events += block.events ? block.header.count : 0;
		if (block.events)
			note_runs(found, &block);
	}
	reader_report(reader, &report);
	found->gap_blocks = report.gap_blocks;
	found->next_lsn = report.next_lsn;
	reader_close(reader);
	io->ops->destroy(io);
}

struct target {
	struct simdisk *disk;
	uint64_t lsn;
	bool hit;
};

/* A wrong bit in the payload of the block, whichever file has it. */
static void damage(void *self, const char *path)
{
	struct target *target = self;
	uint64_t bytes, id;

	if (strncmp(path, LANE "/", strlen(LANE "/")) != 0 ||
	    segment_parse_name(path + strlen(LANE "/"), &id) != SEGMENT_FILE_SEGMENT)
		return;
	uint8_t *file = simdisk_file(target->disk, path, &bytes);
	for (uint64_t at = 0; at + WEIR_BLOCK_ALIGN <= bytes;) {
		struct weir_block_header header;
		memcpy(&header, file + at, sizeof(header));
		if (!block_header_good(&header, id))
			return;
		if (header.lsn == target->lsn && header.type == WEIR_BLOCK_EVENTS) {
			file[at + sizeof(header) + draw(header.payload_bytes)] ^= 1;
			target->hit = true;
			return;
		}
		at += weir_block_disk_bytes(header.payload_bytes);
	}
}

/* All that was read before is read again, and what came since lies behind it. */
static void expect_same(const struct found *before, const struct found *after)
{
	uint64_t gone = 0, risen = 0;

	for (uint64_t lsn = 1; lsn < before->next_lsn; lsn++) {
		gone += before->there[lsn] && !after->there[lsn];
		risen += !before->there[lsn] && after->there[lsn];
	}
	expect(gone == 0, "what a start has read, the next one reads");
	expect(risen == 0, "what a start has not read, no later one reads");
	expect(after->doubles == 0, "no event is in the log twice");
}

struct counts {
	uint32_t damages;
	uint32_t behind, gaps; /* a mark lies behind the block; it is a gap */
};

static void tell_story(const char *durability, uint64_t seed, struct counts *counts)
{
	static struct found whole, first, second;
	struct story story;

	random_state = seed;
	story_begin(&story, 1, 1, seed);
	story.durability = durability;
	story.block_bytes = "16KiB";
	story.checkpoint_intervals = draw(2) ? 100000 : 2;
	story_start(&story);
	story_play(&story, 3 + (uint32_t)draw(6), 0);
	for (uint64_t turns = draw(50); turns; turns--)
		story_crank(&story);
	story_crash(&story);
	read_lane(&story, &whole);
	struct target target = {.disk = story.disk, .lsn = 1 + draw(whole.next_lsn - 1)};
	simdisk_names(story.disk, damage, &target);
	counts->damages += target.hit;
	story_start(&story);
	story_play(&story, 1 + (uint32_t)draw(2), 0);
	story_settle(&story);
	story_crash(&story);
	read_lane(&story, &first);
	expect(first.doubles == 0, "no event is in the log twice");
	/* None, where the engine had not heard of the mark behind it: then it is drained again. */
	if (target.hit && whole.marked > target.lsn) {
		expect(first.gap_blocks <= 1, "one block is missing where one was damaged");
		counts->behind++;
		counts->gaps += first.gap_blocks == 1;
	}
	story_start(&story);
	story_play(&story, 1, 0);
	story_end_producers(&story);
	story_stop(&story);
	read_lane(&story, &second);
	expect_same(&first, &second);
	story_end(&story);
}

int main(int argc, char **argv)
{
	const uint32_t wanted = argc > 1 ? (uint32_t)atoi(argv[1]) : 60;
	const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	struct counts counts = {0};

	for (uint32_t i = 0; i < wanted * 4 && counts.damages < wanted && !expect_failed; i++)
		tell_story(i % 2 ? "none" : "interval", seed * 1000 + i, &counts);
	expect(counts.damages >= wanted, "blocks were damaged");
	expect(counts.gaps > counts.behind / 10 * 9, "what was kept is a gap, nearly always");
	printf("%u damaged, %u with a mark behind them, %u gaps\n", counts.damages, counts.behind,
	       counts.gaps);
	return expect_end("damaged-under-producers", counts.damages);
}
