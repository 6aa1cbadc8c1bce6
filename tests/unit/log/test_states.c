/*
 * states: every state in which a power cut may leave the log of a short life, one by one.
 *
 * A few blocks are written on a simulated disk: in a new store, behind an engine that was killed,
 * one that was stopped, across the end of a segment, while a failed sync is being mended. After
 * each step of that, the power is cut in every way there is: each page that is not synced is kept,
 * lost or torn in either half, and names are undone from the last one back. Where that would be
 * more than STATES, it is every way in which one page or two fare otherwise than all others, of all
 * kept and of all lost. (All kept, after each step: that is each prefix of the writes.)
 *
 * Each state is recovered: what was called durable is there, in order, each event once and right,
 * and nothing looks like corruption. Then a new engine goes on in it, and loses nothing.
 * WEIR_TEST_STATES: of each step, and so many of it at most, instead of every third and STATES.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "lane.h"
#include "support/proof.h"
#include "support/simdisk.h"
#include "weir/limits.h"

#define STATES 64
#define CHOICES_MAX 512u
#define STEPS 36
#define DELAY 3
/* What of a first segment is filled before a life that rolls. */
#define ROLL_EVENTS 61500u

enum before { NOTHING, KILLED, STOPPED, NEARLY_FULL, SYNC_FAILS, BEFORES };

struct life {
	enum before before;
	enum durability durability;
};

/* Ways of a moment, each a row of choices: the one being lived, and where it is. */
struct ways {
	uint8_t value[CHOICES_MAX], bound[CHOICES_MAX];
	uint32_t count, at;
	uint8_t usual;       /* the choice of all pages */
	uint32_t others_max; /* but of so many */
};

static struct lane lane;
static struct simdisk *disk;

static uint8_t usual_of(const struct ways *ways, uint32_t which)
{
	return ways->usual < ways->bound[which] ? ways->usual : 0;
}

static uint32_t choose(void *self, uint32_t bound)
{
	struct ways *ways = self;

	if (ways->at == ways->count) {
		cr_assert(ways->count < CHOICES_MAX && bound <= UINT8_MAX);
		ways->bound[ways->count] = (uint8_t)bound;
		ways->value[ways->count] = usual_of(ways, ways->count);
		ways->count++;
	}
	cr_assert_eq(ways->bound[ways->at], bound, "a life is not the same again");
	return ways->value[ways->at++];
}

/* false: that was the last. */
static bool next_way(struct ways *ways)
{
	for (ways->at = 0; ways->count > 0; ways->count--) {
		const uint32_t last = ways->count - 1;
		const uint8_t next = (uint8_t)((ways->value[last] + 1) % ways->bound[last]);
		uint32_t others = 0;
		for (uint32_t i = 0; i < last; i++)
			others += ways->value[i] != usual_of(ways, i);
		if (next == usual_of(ways, last) || others >= ways->others_max)
			continue;
		ways->value[last] = next;
		return true;
	}
	return false;
}

/* How many ways the choices of the first one have, and a bound on those with two others. */
static uint64_t all_of(const struct ways *ways, uint64_t *ret_with_two)
{
	uint64_t all = 1, others = 0;

	for (uint32_t i = 0; i < ways->count; i++) {
		all = all > UINT32_MAX ? all : all * ways->bound[i];
		others += ways->bound[i] - 1u;
	}
	*ret_with_two = 1 + others + others * others / 2;
	return all;
}

static struct io *recover(struct lane_log *log)
{
	struct io *io = simdisk_io(disk, 6);

	lane_read(io, log);
	return io;
}

/* What was there before the life whose every step is a last one; its instance. */
static struct io *begin_quickly(const struct life *life)
{
	struct lane_log log;

	lane = (struct lane){
		.options = {
			.segment_bytes = WEIR_SEGMENT_BYTES_MIN,
			.block_bytes = 8 << 10,
			.buffers = 5,
			.durability = life->durability,
			.sync_ms = 4,
			.sync_bytes = 24 << 10,
		},
		.random = lane_seed() + life->before,
	};
	disk = simdisk_create(lane.random);
	/* A start and a stop wait for the disk, in time of ours. */
	simdisk_delay(disk, 0);
	struct io *io = simdisk_io(disk, 6);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	if (life->before == NEARLY_FULL)
		cr_assert(lane_write(&lane, ROLL_EVENTS, 10000));
	else if (life->before != NOTHING)
		cr_assert(lane_write(&lane, 1500, 1000));
	if (life->before == SYNC_FAILS)
		simdisk_fail(disk, SIMDISK_SYNC, 1, -EIO, false);
	if (life->before != KILLED && life->before != STOPPED)
		return io;
	if (life->before == STOPPED) {
		cr_assert_eq(writer_close(lane.writer, 1000), 0);
	} else {
		writer_abandon(lane.writer);
		simdisk_kill(disk);
	}
	io->ops->destroy(io);
	io = recover(&log);
	cr_assert(lane_open(&lane, io, &log, NULL));
	return io;
}

static struct io *begin(const struct life *life)
{
	struct io *io = begin_quickly(life);

	simdisk_delay(disk, DELAY);
	return io;
}

/* Is it what it should be, and can one go on in it? */
static void judge(uint64_t lsn, uint64_t least, uint64_t most)
{
	struct lane_log log;
	struct io *io = recover(&log);

	cr_assert(log.report.next_lsn > lsn, "block %lu was durable, %lu is next",
		  (unsigned long)lsn, (unsigned long)log.report.next_lsn);
	cr_assert(log.events >= least && log.events <= most,
		  "%lu events of %lu, %lu were durable", (unsigned long)log.events,
		  (unsigned long)most, (unsigned long)least);
	cr_assert_eq(log.report.gaps, 0u, "a power cut is no corruption");
	cr_assert(lane_open(&lane, io, &log, NULL));
	cr_assert(lane_write(&lane, log.events + 700, 1000));
	cr_assert(lane_settle(&lane, 1000));
	const uint64_t events = lane.flushed;
	writer_abandon(lane.writer);
	simdisk_kill(disk);
	io->ops->destroy(io);
	io = recover(&log);
	cr_assert_eq(log.events, events, "%lu events of %lu", (unsigned long)log.events,
		     (unsigned long)events);
	cr_assert_eq(log.report.gaps, 0u);
	io->ops->destroy(io);
}

static void live(const struct life *life, uint32_t steps, struct ways *ways)
{
	struct io *io = begin(life);

	for (uint32_t i = 0; i < steps; i++)
		lane_write(&lane, UINT64_MAX, 1);
	const uint64_t lsn = lane.claimed_durable, least = lane.events_until[lsn];
	writer_abandon(lane.writer);
	simdisk_delay(disk, 0);
	simdisk_fail(disk, SIMDISK_SYNC, 0, 0, false);
	simdisk_choose(disk, choose, ways);
	simdisk_power_cut(disk);
	simdisk_choose(disk, NULL, NULL);
	io->ops->destroy(io);
	judge(lsn, least, lane.next);
	simdisk_destroy(disk);
}

/* All ends of this step that `ways` stands for: how many. */
static uint64_t end_all(const struct life *life, uint32_t steps, struct ways *ways)
{
	uint64_t count = 0;

	do {
		live(life, steps, ways);
		count++;
	} while (next_way(ways));
	return count;
}

/* *all: so many steps had all of their ends. */
static uint64_t end_at(const struct life *life, uint32_t steps, uint64_t states_max, uint32_t *all)
{
	static struct ways ways;
	uint64_t count = 0, with_two;

	ways = (struct ways){.others_max = UINT32_MAX};
	live(life, steps, &ways);
	if (all_of(&ways, &with_two) <= states_max) {
		++*all;
		ways.count = ways.at = 0;
		return end_all(life, steps, &ways);
	}
	for (uint8_t usual = 0; usual < 2; usual++) {
		ways = (struct ways){.usual = usual,
				     .others_max = 2 * with_two <= states_max ? 2 : 1};
		count += end_all(life, steps, &ways);
	}
	return count;
}

/* How many of a step; *every: each so many-th step. */
static uint64_t states_most(uint32_t *every)
{
	const char *wanted = getenv("WEIR_TEST_STATES"), *quick = getenv("WEIR_TEST_QUICK");

	*every = wanted ? 1 : quick && *quick ? 12 : 3;
	return wanted ? strtoull(wanted, NULL, 10) : STATES;
}

Test(states, of_every_step_of_a_short_life_are_what_was_promised)
{
	static const enum durability levels[] = {DURABILITY_INTERVAL, DURABILITY_BLOCK};
	uint32_t all = 0, cuts = 0, every;
	const uint64_t most = states_most(&every);
	uint64_t count = 0;

	/* Syncs fail by the thousand, as they should. */
	log_set_level((enum log_level)(LOG_ERROR - 1));
	for (uint32_t l = 0; l < 2; l++) {
		for (enum before before = NOTHING; before < BEFORES; before++) {
			const struct life life = {before, levels[l]};
			for (uint32_t steps = l; steps < STEPS; steps += every, cuts++)
				count += end_at(&life, steps, most, &all);
		}
	}
	printf("%lu states of %u moments, %u of them whole\n", (unsigned long)count, cuts, all);
	proof_say("power-cut-states", count, 0);
}
