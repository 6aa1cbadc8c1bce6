/*
 * faults: the writer on a simulated disk that reorders, tears, refuses and forgets.
 *
 * What must hold, whatever happens: the log is a prefix of what was written, each event once and
 * right; after a kill it has everything that was called persisted, after a power cut everything
 * that was called durable; nothing of this ever looks like corruption; and a writer whose disk
 * comes back goes on by itself and loses nothing.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "lane.h"
#include "support/simdisk.h"
#include "weir/limits.h"

enum end { END_KILL, END_POWER_CUT, END_CLOSE, ENDS };

struct plan {
	uint64_t seed;
	enum durability durability;
	enum simdisk_op op;
	uint64_t nth; /* 0: none */
	int error;
	bool persistent;
	enum end end;
	uint32_t spares;
	uint64_t events;
	bool spoils; /* the file that refuses a write refuses all from then on */
};

static struct lane lane;

static void lane_setup(const struct plan *plan)
{
	lane = (struct lane){
		.options = {
			.segment_bytes = WEIR_SEGMENT_BYTES_MIN,
			.block_bytes = 16 << 10,
			.buffers = 12,
			.durability = plan->durability,
			.sync_ms = 5,
			.sync_bytes = 64 << 10,
			.spares = plan->spares,
		},
		.random = plan->seed + lane_seed(),
	};
}

/* What the log must hold after this end. */
static uint64_t promised(const struct plan *plan)
{
	uint64_t lsn = lane.claimed_persisted;

	if (plan->end == END_CLOSE)
		return lane.flushed;
	if (plan->end == END_POWER_CUT)
		lsn = plan->durability == DURABILITY_NONE ? 0 : lane.claimed_durable;
	if (lsn < lane.options.next_lsn - 1)
		lsn = lane.options.next_lsn - 1;
	return lsn < lane.lsns ? lane.events_until[lsn] : lane.flushed;
}

/* Wherever reading starts, the snapshot comes first (without it rings and series mean nothing), and
 * it gets to the same end. */
static void read_from_anywhere(struct io *view, const struct lane_log *log)
{
	for (int i = 0; i < 3 && log->report.blocks; i++) {
		uint64_t from = 1 + lane_random(&lane, log->report.next_lsn - 1), last = 0;
		struct reader *reader;
		struct reader_block block;
		char why[128];
		cr_assert_eq(reader_open(view, "lane-00", 0, from, false, &reader, why,
					 sizeof(why)), 0, "%s", why);
		while (reader_next(reader, &block) == 1) {
			cr_assert(last || block.header.type == WEIR_BLOCK_RINGS,
				  "from %lu: type %u at %lu", (unsigned long)from,
				  block.header.type, (unsigned long)block.header.lsn);
			last = block.header.lsn;
		}
		cr_assert_eq(last + 1, log->report.next_lsn, "from %lu", (unsigned long)from);
		reader_close(reader);
	}
}

static void finish(const struct plan *plan, struct simdisk *disk, struct io *io,
		   struct lane_log *ret_log)
{
	uint64_t least;

	if (plan->end == END_CLOSE) {
		cr_assert_eq(writer_close(lane.writer, 5000), 0);
		least = promised(plan);
	} else {
		least = promised(plan);
		writer_abandon(lane.writer);
		if (plan->end == END_KILL)
			simdisk_kill(disk);
		else
			simdisk_power_cut(disk);
	}
	io->ops->destroy(io);
	struct io *view = simdisk_io(disk, 4);
	lane_read(view, ret_log);
	read_from_anywhere(view, ret_log);
	view->ops->destroy(view);
	cr_assert(ret_log->events >= least && ret_log->events <= lane.next,
		  "%lu events of %lu, %lu were promised", (unsigned long)ret_log->events,
		  (unsigned long)lane.next, (unsigned long)least);
	cr_assert_eq(ret_log->report.gaps, 0u, "no fault of these is corruption");
}

/* One life of a writer with one fault, its end, and a second life that must be all right.
 * True: the fault has struck. */
static bool live(const struct plan *plan)
{
	struct simdisk *disk = simdisk_create(plan->seed + lane_seed());
	struct io *io = simdisk_io(disk, 8);
	struct lane_log log;

	lane_setup(plan);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	simdisk_fail(disk, plan->op, plan->nth, plan->error, plan->persistent);
	simdisk_spoil(disk, plan->spoils);
	for (int i = 0; i < 600 && plan->op == SIMDISK_RENAME; i++)
		lane_step(&lane); /* idle: spares are written */
	lane_write(&lane, plan->events, 4000);
	bool struck = simdisk_failed(disk) > 0;
	simdisk_fail(disk, plan->op, 0, 0, false);
	if (plan->end == END_CLOSE || (plan->seed & 1)) {
		cr_assert(lane_write(&lane, plan->events, 20000), "did not go on by itself");
		if (plan->end == END_CLOSE) {
			struct writer_counters counters;
			cr_assert(lane_settle(&lane, 5000));
			for (int i = 0; i < 1500; i++) {
				lane_step(&lane); /* 1.5 s: more than the longest wait */
				writer_counters(lane.writer, &counters);
				if (!counters.failing)
					break;
			}
			cr_assert_eq(counters.failing, 0);
			/* With spares it may have been zeros of one, which is no fault. */
			if (struck && plan->op == SIMDISK_WRITE && plan->error && !plan->spares)
				cr_assert_gt(counters.write_errors, 0, "nobody counts it");
		}
	}
	finish(plan, disk, io, &log);
	simdisk_spoil(disk, false);

	struct plan second = {.seed = plan->seed + 1, .end = END_CLOSE};
	io = simdisk_io(disk, 8);
	cr_assert(lane_open(&lane, io, &log, NULL));
	cr_assert(lane_write(&lane, log.events + 2000, 4000));
	finish(&second, disk, io, &log);
	cr_assert_eq(log.events, lane.flushed);
	cr_assert_eq(log.report.torn_bytes, 0u);
	simdisk_destroy(disk);
	return struck;
}

static void live_until_clean(struct plan plan, uint64_t at_least)
{
	uint64_t nth = 1;

	for (;; nth++) {
		plan.nth = nth;
		plan.seed = nth * 977 + plan.end;
		plan.spares = nth % 3;
		if (!live(&plan))
			break;
		cr_assert(nth < 2000);
	}
	cr_assert(nth > at_least, "only %lu places to fail", (unsigned long)nth);
}

Test(faults, without_any_every_end_keeps_what_was_promised)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct plan plan = {
			.seed = seed,
			.durability = (enum durability)(seed % 3),
			.end = (enum end)(seed / 3 % ENDS),
			.spares = (uint32_t)(seed % 2),
			.events = 20000 + seed * 1000,
		};
		live(&plan);
	}
}

Test(faults, a_write_refused_once_at_any_place_loses_nothing)
{
	for (int end = 0; end < ENDS; end++)
		live_until_clean((struct plan){.durability = DURABILITY_INTERVAL,
					       .op = SIMDISK_WRITE,
					       .error = -EIO,
					       .end = (enum end)end,
					       .events = 70000},
				 60);
}

/* It can only go on elsewhere: there is no use in trying again where the disk is bad. */
Test(faults, a_file_that_has_refused_a_write_is_left_for_another)
{
	for (int end = 0; end < ENDS; end++)
		live_until_clean((struct plan){.durability = DURABILITY_INTERVAL,
					       .op = SIMDISK_WRITE,
					       .error = -EIO,
					       .spoils = true,
					       .end = (enum end)end,
					       .events = 40000},
				 30);
}

Test(faults, a_disk_that_refuses_every_write_from_any_place_on_loses_nothing_once_it_is_back)
{
	for (int end = 0; end < ENDS; end++)
		live_until_clean((struct plan){.durability = DURABILITY_INTERVAL,
					       .op = SIMDISK_WRITE,
					       .error = -ENOSPC,
					       .persistent = true,
					       .end = (enum end)end,
					       .events = 30000},
				 25);
}

Test(faults, short_writes_are_continued)
{
	live_until_clean((struct plan){.durability = DURABILITY_BLOCK,
				       .op = SIMDISK_WRITE,
				       .end = END_CLOSE,
				       .events = 30000},
			 25);
	live_until_clean((struct plan){.durability = DURABILITY_BLOCK,
				       .op = SIMDISK_WRITE,
				       .persistent = true,
				       .end = END_POWER_CUT,
				       .events = 20000},
			 5);
}

Test(faults, a_failed_sync_is_never_believed_again_wherever_it_happens)
{
	for (int persistent = 0; persistent < 2; persistent++)
		for (int end = 0; end < ENDS; end++)
			live_until_clean((struct plan){.durability = DURABILITY_BLOCK,
						       .op = SIMDISK_SYNC,
						       .error = -EIO,
						       .persistent = persistent,
						       .end = (enum end)end,
						       .events = 25000},
					 5);
}

/* The sync of a file's end fails at a level that keeps no block for it. What was lost with it is
 * gone; no header says that it is there. */
static bool lose_an_end(uint64_t nth)
{
	struct plan plan = {.seed = nth * 331, .durability = DURABILITY_NONE};
	struct simdisk *disk = simdisk_create(plan.seed + lane_seed());
	struct io *io = simdisk_io(disk, 8);
	struct reader_report report;
	struct reader_block block;
	struct reader *reader;
	char why[128];

	lane_setup(&plan);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	simdisk_fail(disk, SIMDISK_SYNC, nth, -EIO, false);
	lane_write(&lane, 300000, 20000);
	const bool struck = simdisk_failed(disk) > 0;
	writer_abandon(lane.writer);
	simdisk_power_cut(disk);
	io->ops->destroy(io);
	io = simdisk_io(disk, 4);
	cr_assert_eq(reader_open(io, "lane-00", 0, 0, false, &reader, why, sizeof(why)), 0, "%s",
		     why);
	while (reader_next(reader, &block) == 1)
		;
	reader_report(reader, &report);
	reader_close(reader);
	cr_assert_eq(report.gaps, 0u, "sync %lu: %lu blocks were called durable and are lost",
		     (unsigned long)nth, (unsigned long)report.gap_blocks);
	io->ops->destroy(io);
	simdisk_destroy(disk);
	return struck;
}

Test(faults, what_a_failed_sync_lost_is_called_durable_at_no_level)
{
	uint64_t nth = 1;

	while (lose_an_end(nth))
		nth++;
	cr_assert(nth > 2, "%lu", (unsigned long)nth);
}

/* An engine dies with a tail that is not synced; the next one takes it over, and one sync of that
 * fails. False: it has not so many. */
static bool take_over(uint64_t nth, int error)
{
	struct plan plan = {.seed = nth * 131, .durability = DURABILITY_INTERVAL, .end = END_KILL};
	struct simdisk *disk = simdisk_create(plan.seed + lane_seed());
	struct io *io = simdisk_io(disk, 8);
	struct lane_log log;

	lane_setup(&plan);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	lane_write(&lane, 30000, 4000);
	finish(&plan, disk, io, &log);

	io = simdisk_io(disk, 8);
	simdisk_fail(disk, SIMDISK_SYNC, nth, error, false);
	bool open = lane_open(&lane, io, &log, NULL);
	bool struck = simdisk_failed(disk) > 0;
	simdisk_fail(disk, SIMDISK_SYNC, 0, 0, false);
	if (!open) {
		io->ops->destroy(io);
		io = simdisk_io(disk, 8);
		cr_assert(lane_open(&lane, io, &log, NULL), "it starts once the disk is well");
	}
	/* What is before the new engine's first block counts as durable from now on. */
	lane_write(&lane, log.events + 2000, 4000);
	plan.end = END_POWER_CUT;
	finish(&plan, disk, io, &log);
	simdisk_destroy(disk);
	return struck;
}

Test(faults, a_tail_whose_sync_fails_at_a_takeover_is_not_called_durable)
{
	static const int errors[] = {-EIO, -ENOSPC, -EDQUOT};

	for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
		uint64_t nth = 1;
		while (take_over(nth, errors[e]))
			nth++;
		cr_assert(nth > 2, "only %lu places to fail", (unsigned long)nth);
	}
}

Test(faults, a_failed_sync_of_names_delays_the_next_segment_and_nothing_else)
{
	for (int end = 0; end < ENDS; end++)
		live_until_clean((struct plan){.durability = DURABILITY_INTERVAL,
					       .op = SIMDISK_SYNC_DIR,
					       .error = -EIO,
					       .persistent = true,
					       .end = (enum end)end,
					       .events = 140000},
				 1);
}

Test(faults, files_that_cannot_be_made_or_renamed_are_tried_again)
{
	live_until_clean((struct plan){.durability = DURABILITY_INTERVAL,
				       .op = SIMDISK_CREATE,
				       .error = -EMFILE,
				       .persistent = true,
				       .end = END_CLOSE,
				       .events = 140000},
			 1);
	live_until_clean((struct plan){.durability = DURABILITY_INTERVAL,
				       .op = SIMDISK_RENAME,
				       .error = -EIO,
				       .end = END_CLOSE,
				       .events = 140000},
			 2);
}

Test(faults, at_level_none_faults_lose_no_more_than_the_level_says)
{
	for (int end = 0; end < ENDS; end++) {
		live_until_clean((struct plan){.durability = DURABILITY_NONE,
					       .op = SIMDISK_WRITE,
					       .error = -EIO,
					       .end = (enum end)end,
					       .events = 20000},
				 15);
	}
}

/* Many lives in one store, each ended by force, each with a fault somewhere. */
Test(faults, a_store_that_is_killed_again_and_again_stays_whole)
{
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct simdisk *disk = simdisk_create(seed + lane_seed());
		struct plan plan = {.seed = seed, .durability = DURABILITY_INTERVAL, .spares = 1};
		struct lane_log log = {.report.next_lsn = 1};

		lane_setup(&plan);
		for (uint32_t life = 0; life < 12; life++) {
			struct io *io = simdisk_io(disk, 8);
			plan.end = (enum end)lane_random(&lane, ENDS);
			cr_assert(lane_open(&lane, io, &log, NULL));
			/* Also a failed sync, then a kill before the blocks are written again,
			 * then, lives later, a power cut. */
			bool sync = life & 1;
			simdisk_fail(disk, sync ? SIMDISK_SYNC : SIMDISK_WRITE,
				     1 + lane_random(&lane, 40), -EIO, life % 4 < 2);
			lane_write(&lane, lane.next + lane_random(&lane, 20000), 400);
			simdisk_fail(disk, SIMDISK_WRITE, 0, 0, false);
			simdisk_fail(disk, SIMDISK_SYNC, 0, 0, false);
			finish(&plan, disk, io, &log);
		}
		simdisk_destroy(disk);
	}
}

/* A file that a power cut ended has no footer, and only the next epoch's base says where it ends:
 * a reader must be done with it all the same, and with more such files than it may have open. */
Test(faults, a_store_of_more_dead_engines_than_open_files_is_read_to_its_end)
{
	struct simdisk *disk = simdisk_create(5);
	struct plan plan = {.seed = 5, .durability = DURABILITY_INTERVAL, .end = END_POWER_CUT};
	struct lane_log log = {.report.next_lsn = 1};

	lane_setup(&plan);
	for (uint32_t life = 0; life < IO_FILES_MAX + 16; life++) {
		struct io *io = simdisk_io(disk, 8);
		cr_assert(lane_open(&lane, io, &log, NULL));
		lane_write(&lane, lane.next + 100, 200);
		cr_assert(lane_settle(&lane, 5000));
		lane_write(&lane, lane.next + 2000, 200);
		finish(&plan, disk, io, &log);
	}
	cr_assert(log.report.segments > IO_FILES_MAX);
	simdisk_destroy(disk);
}

Test(faults, a_full_disk_leaves_room_for_marks_and_ends_when_space_comes_back)
{
	struct plan plan = {.seed = 3, .durability = DURABILITY_INTERVAL, .end = END_CLOSE};
	struct simdisk *disk = simdisk_create(3);
	struct io *io = simdisk_io(disk, 8);
	struct writer_counters counters;
	struct lane_log log;
	uint32_t room;

	lane_setup(&plan);
	simdisk_capacity(disk, 2 * WEIR_SEGMENT_BYTES_MIN); /* the first and the next */
	cr_assert(lane_open(&lane, io, NULL, NULL));
	cr_assert(!lane_write(&lane, 1000000, 4000), "there is no room for that");
	cr_assert(lane_settle(&lane, 1000), "what was taken is safe all the same");
	writer_counters(lane.writer, &counters);
	cr_assert_eq(counters.failing, -ENOSPC);
	cr_assert_null(writer_room(lane.writer, &room));
	for (uint32_t mark = 0; mark < 20; mark++) {
		uint64_t lsn = writer_lsn(lane.writer);
		cr_assert_eq(writer_mark(lane.writer, 1, mark, 5), 0, "mark %u", mark);
		lane.flushed = lane.next;
		writer_flush(lane.writer);
		for (int i = 0; i < 50 && writer_persisted(lane.writer) < lsn; i++)
			lane_step(&lane);
		cr_assert(writer_persisted(lane.writer) >= lsn);
	}
	cr_assert_null(writer_room(lane.writer, &room), "marks do not make room for events");
	uint64_t before = lane.flushed;
	simdisk_capacity(disk, UINT64_MAX);
	lane.lsns = writer_lsn(lane.writer);
	lane.events_until[lane.lsns - 1] = lane.flushed;
	cr_assert(lane_write(&lane, before + 100000, 6000), "space came back");
	finish(&plan, disk, io, &log);
	cr_assert(log.marks >= 20);
	simdisk_destroy(disk);
}

Test(faults, an_engine_can_start_on_a_full_disk_and_writes_when_there_is_room)
{
	struct plan plan = {.seed = 5, .durability = DURABILITY_INTERVAL, .end = END_CLOSE};
	struct simdisk *disk = simdisk_create(5);
	struct io *io = simdisk_io(disk, 8);
	struct lane_log log;
	int error;

	lane_setup(&plan);
	simdisk_capacity(disk, 0);
	cr_assert(lane_open(&lane, io, NULL, &error), "%d", error);
	cr_assert(!lane_write(&lane, 1, 100));
	simdisk_capacity(disk, UINT64_MAX);
	cr_assert(lane_write(&lane, 5000, 3000));
	finish(&plan, disk, io, &log);
	simdisk_destroy(disk);
}

Test(faults, retention_never_leaves_a_log_without_its_snapshot)
{
	uint64_t freed = 0, waited = 0;

	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct plan plan = {.seed = seed, .durability = DURABILITY_INTERVAL};
		struct simdisk *disk = simdisk_create(seed + lane_seed());
		struct io *io = simdisk_io(disk, 8);

		lane_setup(&plan);
		lane.options.sync_ms = 40; /* so that it often has to wait for a snapshot's sync */
		cr_assert(lane_open(&lane, io, NULL, NULL));
		uint64_t stop = 50000 + lane_random(&lane, 150000);
		int now = 0;
		/* The cut comes right after something was freed. */
		while (lane.flushed < stop || now == 0) {
			if (lane_random(&lane, 200) == 0)
				simdisk_fail(disk, SIMDISK_WRITE + lane_random(&lane, 2), 1, -EIO,
					     false);
			lane_write(&lane, lane.flushed + 100, 3);
			now = writer_retain(lane.writer, UINT64_MAX, 1, 0);
			freed += (uint64_t)now;
			if (now == 0)
				waited++;
		}
		writer_abandon(lane.writer);
		simdisk_power_cut(disk);
		io->ops->destroy(io);
		io = simdisk_io(disk, 4);
		struct reader *reader;
		struct reader_block block;
		char why[128];
		cr_assert_eq(reader_open(io, "lane-00", 0, 0, false, &reader, why, sizeof(why)), 0);
		cr_assert_eq(reader_next(reader, &block), 1, "seed %lu", (unsigned long)seed);
		cr_assert_eq(block.header.type, WEIR_BLOCK_RINGS);
		uint64_t last = 0;
		do
			last = block.header.lsn;
		while (reader_next(reader, &block) == 1);
		cr_assert(last >= lane.claimed_durable);
		reader_close(reader);
		io->ops->destroy(io);
		simdisk_destroy(disk);
	}
	cr_assert(freed > 20 && waited > 20);
}

/* Two epochs: what the first left behind a hole must not come back through the second. */
Test(faults, blocks_behind_a_hole_are_void_once_a_new_epoch_has_written_their_numbers)
{
	uint64_t strays = 0;

	for (uint64_t seed = 1; seed < 40; seed++) {
		struct plan plan = {
			.seed = seed,
			.durability = DURABILITY_NONE,
			.end = END_POWER_CUT,
		};
		struct simdisk *disk = simdisk_create(seed + lane_seed());
		struct io *io = simdisk_io(disk, 8);
		struct lane_log log;

		lane_setup(&plan);
		cr_assert(lane_open(&lane, io, NULL, NULL));
		cr_assert(lane_write(&lane, 12000, 4000));
		finish(&plan, disk, io, &log);
		strays += log.report.torn_bytes > 0;
		io = simdisk_io(disk, 8);
		cr_assert(lane_open(&lane, io, &log, NULL));
		cr_assert(lane_write(&lane, log.events + 9000, 4000));
		plan.end = END_CLOSE;
		finish(&plan, disk, io, &log);
		cr_assert_eq(log.events, lane.flushed);
		simdisk_destroy(disk);
	}
	cr_assert(strays > 5, "the test did not leave any blocks behind a hole");
}

Test(faults, a_recovery_that_would_go_back_behind_durable_blocks_is_refused)
{
	struct plan plan = {.seed = 9, .durability = DURABILITY_BLOCK, .end = END_CLOSE};
	struct simdisk *disk = simdisk_create(9);
	struct io *io = simdisk_io(disk, 8);
	struct lane_log log;
	int error;

	lane_setup(&plan);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	cr_assert(lane_write(&lane, 100000, 4000));
	finish(&plan, disk, io, &log);
	io = simdisk_io(disk, 8);
	log.report.next_lsn = 2;
	cr_assert(!lane_open(&lane, io, &log, &error));
	cr_assert_eq(error, -EINVAL);
	io->ops->destroy(io);
	simdisk_destroy(disk);
}
