/*
 * writer: round trips on a real disk over io_uring, over pwrite and on the simulated one; rolls,
 * recycling, retention, reserve, levels.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lane.h"
#include "log/block.h"
#include "support/simdisk.h"
#include "weir/limits.h"

enum backend { BACKEND_URING, BACKEND_PWRITE, BACKEND_SIM, BACKENDS };

struct place {
	enum backend backend;
	char path[64];
	int fd;
	struct simdisk *disk;
};

static struct lane lane;
static bool place_real;

static void place_make(struct place *place, enum backend backend)
{
	*place = (struct place){.backend = backend, .fd = -1};
	place_real = backend != BACKEND_SIM;
	if (backend == BACKEND_SIM)
		place->disk = simdisk_create(11);
	else
		place->fd = lane_directory(place->path);
}

static void place_remove(struct place *place)
{
	if (place->disk)
		simdisk_destroy(place->disk);
	if (place->fd >= 0) {
		close(place->fd);
		lane_remove(place->path);
	}
}

static struct io *place_io(struct place *place, uint32_t depth)
{
	struct io *io = NULL;
	int result = 0;

	if (place->backend == BACKEND_SIM)
		return simdisk_io(place->disk, depth);
	if (place->backend == BACKEND_URING)
		result = io_uring_create(place->fd, depth, &io);
	/* Where io_uring is forbidden, this is what the engine does too. */
	if (!io)
		result = io_pwrite_create(place->fd, depth, &io);
	cr_assert_eq(result, 0);
	return io;
}

static void lane_setup(uint64_t seed, enum durability durability)
{
	lane = (struct lane){
		.options = {
			.segment_bytes = WEIR_SEGMENT_BYTES_MIN,
			.block_bytes = 32 << 10,
			.buffers = 16,
			.durability = durability,
			.sync_ms = 5,
			.sync_bytes = 256 << 10,
		},
		.random = seed,
		.real = place_real,
	};
}

/* Of some 70 us while a disk works. */
#define STEPS 100000u

static void read_back(struct place *place, struct lane_log *ret_log)
{
	struct io *io = place_io(place, 4);

	lane_read(io, ret_log);
	io->ops->destroy(io);
	cr_assert_eq(ret_log->report.gaps, 0u);
}

static uint32_t files(struct place *place, const char *suffix)
{
	char path[80];
	uint32_t count = 0;

	snprintf(path, sizeof(path), "%s/lane-00", place->path);
	DIR *directory = opendir(path);
	cr_assert(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory));) {
		size_t length = strlen(entry->d_name), end = strlen(suffix);
		count += length > end && !strcmp(entry->d_name + length - end, suffix);
	}
	closedir(directory);
	return count;
}

Test(writer, what_is_written_is_read_back_over_each_backend_and_each_level)
{
	for (int i = 0; i < BACKENDS * 3; i++) {
		struct place place;
		struct lane_log log;

		place_make(&place, (enum backend)(i / 3));
		lane_setup((uint64_t)i + 1, (enum durability)(i % 3));
		struct io *io = place_io(&place, 8);
		cr_assert(lane_open(&lane, io, NULL, NULL));
		cr_assert(lane_write(&lane, 200000, STEPS));
		cr_assert_eq(writer_close(lane.writer, 10000), 0);
		io->ops->destroy(io);
		read_back(&place, &log);
		cr_assert_eq(log.events, lane.flushed);
		cr_assert_eq(log.report.torn_bytes, 0u);
		cr_assert(log.report.segments >= 3, "rolled over");
		cr_assert_eq(log.snapshots, 3 * log.report.segments, "each with its snapshot");
		cr_assert_eq(log.report.first_lsn, 1u);
		place_remove(&place);
	}
}

Test(writer, a_new_epoch_goes_on_where_an_abandoned_one_was_persisted)
{
	for (int i = 0; i < BACKENDS; i++) {
		struct place place;
		struct lane_log log = {.report.next_lsn = 1};

		place_make(&place, (enum backend)i);
		lane_setup((uint64_t)i + 5, DURABILITY_INTERVAL);
		for (int life = 0; life < 4; life++) {
			struct io *io = place_io(&place, 8);
			cr_assert(lane_open(&lane, io, &log, NULL));
			lane_write(&lane, lane.next + 40000, STEPS);
			lane_step(&lane);
			uint64_t least = lane.events_until[lane.claimed_persisted];
			writer_abandon(lane.writer);
			if (place.disk)
				simdisk_kill(place.disk);
			io->ops->destroy(io);
			read_back(&place, &log);
			cr_assert(log.events >= least && log.events <= lane.next);
		}
		place_remove(&place);
	}
}

Test(writer, an_engine_that_wrote_nothing_leaves_no_file_behind)
{
	struct place place;
	struct lane_log log = {.report.next_lsn = 1};

	place_make(&place, BACKEND_PWRITE);
	lane_setup(1, DURABILITY_INTERVAL);
	for (int life = 0; life < 3; life++) {
		struct io *io = place_io(&place, 8);
		cr_assert(lane_open(&lane, io, &log, NULL));
		if (life < 2)
			cr_assert_eq(writer_close(lane.writer, 5000), 0);
		else
			writer_abandon(lane.writer);
		io->ops->destroy(io);
		cr_assert_eq(files(&place, ".wseg"), life < 2 ? 0u : 1u);
		read_back(&place, &log);
		cr_assert_eq(log.report.next_lsn, 1u);
	}
	struct io *io = place_io(&place, 8);
	cr_assert(lane_open(&lane, io, &log, NULL), "takes the dead one's empty file away");
	cr_assert_eq(writer_close(lane.writer, 5000), 0);
	io->ops->destroy(io);
	cr_assert_eq(files(&place, ".wseg"), 0u);
	place_remove(&place);
}

static uint32_t spares_after_idling(struct place *place, uint32_t steps)
{
	for (uint32_t i = 0; i < steps && files(place, ".wspare") < lane.options.spares; i++)
		lane_step(&lane);
	return files(place, ".wspare");
}

Test(writer, an_idle_lane_writes_spares_ahead_and_uses_them)
{
	struct place place;
	struct lane_log log;

	place_make(&place, BACKEND_URING);
	lane_setup(2, DURABILITY_INTERVAL);
	lane.options.spares = 2;
	struct io *io = place_io(&place, 8);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	cr_assert_eq(spares_after_idling(&place, 20000), 2u);
	cr_assert_eq(files(&place, ".wtmp"), 0u);
	cr_assert(lane_write(&lane, 150000, STEPS));
	cr_assert_eq(writer_close(lane.writer, 10000), 0);
	io->ops->destroy(io);
	read_back(&place, &log);
	cr_assert_eq(log.events, lane.flushed);
	place_remove(&place);
}

Test(writer, recycled_files_never_show_what_they_held_before)
{
	struct place place;
	struct lane_log log = {.report.next_lsn = 1};
	uint32_t recycled = 0;

	place_make(&place, BACKEND_SIM);
	lane_setup(3, DURABILITY_BLOCK);
	lane.options.spares = 3;
	/* Old blocks with the same LSNs' neighbours, epochs and lane lie behind the new ones. */
	for (int life = 0; life < 6; life++) {
		struct io *io = place_io(&place, 8);
		cr_assert(lane_open(&lane, io, &log, NULL));
		for (int i = 0; i < 4; i++) {
			cr_assert(lane_write(&lane, lane.next + 40000, STEPS));
			cr_assert(lane_settle(&lane, 1000));
			recycled += (uint32_t)writer_retain(lane.writer, lane.claimed_durable,
							    WEIR_SEGMENT_BYTES_MIN * 2, 0);
		}
		writer_abandon(lane.writer);
		simdisk_kill(place.disk);
		io->ops->destroy(io);
		struct reader *reader;
		struct reader_block block;
		char why[128];
		uint64_t expected = 0;
		io = place_io(&place, 4);
		cr_assert_eq(reader_open(io, "lane-00", 0, 0, false, &reader, why, sizeof(why)), 0);
		while (reader_next(reader, &block) == 1)
			for (uint32_t i = 0; i < block.header.count && block.events; i++) {
				cr_assert(expected == 0 || block.events[i].value == expected);
				expected = block.events[i].value + 1;
			}
		reader_report(reader, &log.report);
		cr_assert_eq(log.report.gaps, 0u);
		cr_assert(log.report.first_lsn > 1 || life == 0);
		reader_close(reader);
		io->ops->destroy(io);
		cr_assert_eq(expected, lane.flushed);
		log.events = expected;
	}
	cr_assert(recycled > 6, "only %u recycled", recycled);
	place_remove(&place);
}

Test(writer, retention_keeps_what_is_needed_and_what_is_young)
{
	struct place place;
	struct writer_counters counters;

	place_make(&place, BACKEND_PWRITE);
	lane_setup(4, DURABILITY_INTERVAL);
	struct io *io = place_io(&place, 8);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	cr_assert(lane_write(&lane, 400000, STEPS));
	cr_assert(lane_settle(&lane, STEPS));
	for (int i = 0; i < 2000; i++)
		lane_step(&lane);
	writer_counters(lane.writer, &counters);
	cr_assert(counters.segments >= 5);
	cr_assert_eq(writer_retain(lane.writer, UINT64_MAX, 0, 0), 0, "no bound, nothing freed");
	cr_assert_eq(writer_retain(lane.writer, UINT64_MAX, 0, 1000), 0, "all younger than 1970");
	cr_assert_eq(writer_retain(lane.writer, 1, 1, 0), 0, "everything is needed");
	uint64_t bytes = (counters.segments - 1) * WEIR_SEGMENT_BYTES_MIN;
	cr_assert_eq(writer_retain(lane.writer, UINT64_MAX, bytes, 0), 1, "one too many");
	int freed = writer_retain(lane.writer, UINT64_MAX, 0, UINT32_MAX);
	cr_assert_eq(freed, (int)counters.segments - 2, "all but the current one: %d", freed);
	cr_assert_eq(files(&place, ".wspare"), 0u, "no spares were asked for");
	cr_assert_eq(files(&place, ".wseg"), 2u, "the current one and the next");
	cr_assert_eq(writer_close(lane.writer, 5000), 0);
	io->ops->destroy(io);
	place_remove(&place);
}

Test(writer, reading_can_start_at_any_lsn_with_the_snapshot_in_front)
{
	struct place place;
	char why[128];

	place_make(&place, BACKEND_PWRITE);
	lane_setup(6, DURABILITY_NONE);
	struct io *io = place_io(&place, 8);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	cr_assert(lane_write(&lane, 200000, STEPS));
	cr_assert_eq(writer_close(lane.writer, 5000), 0);
	for (uint64_t from = 1; from < lane.lsns; from += 7) {
		struct reader *reader;
		struct reader_block block;
		cr_assert_eq(reader_open(io, "lane-00", 0, from, false, &reader, why, sizeof(why)),
			     0);
		cr_assert_eq(reader_next(reader, &block), 1);
		cr_assert(block.header.lsn <= from);
		cr_assert_eq(block.header.type, WEIR_BLOCK_RINGS);
		reader_close(reader);
	}
	io->ops->destroy(io);
	place_remove(&place);
}

static uint64_t looks_for_data;

static int64_t look_for_data(struct io *io, int file, uint64_t offset)
{
	(void)io;
	(void)file;
	looks_for_data++;
	return (int64_t)offset;
}

/* To look for data may mean to drop what is in memory of a file: not of one that is written. */
Test(writer, a_reader_that_follows_looks_for_no_data_behind_the_end)
{
	struct reader *reader;
	struct reader_block block;
	struct place place;
	char why[128];

	place_make(&place, BACKEND_PWRITE);
	lane_setup(9, DURABILITY_INTERVAL);
	struct io *io = place_io(&place, 8), *view = place_io(&place, 4);
	struct io_ops ops = *view->ops;
	ops.next_data = look_for_data;
	view->ops = &ops;
	cr_assert(lane_open(&lane, io, NULL, NULL));
	cr_assert(lane_write(&lane, 1000, STEPS));
	cr_assert(lane_settle(&lane, STEPS));
	cr_assert_eq(reader_open(view, "lane-00", 0, 0, true, &reader, why, sizeof(why)), 0);
	looks_for_data = 0;
	for (int round = 0; round < 4; round++)
		while (reader_next(reader, &block) == 1)
			;
	cr_assert_eq(looks_for_data, 0u, "%lu", (unsigned long)looks_for_data);
	reader_close(reader);
	cr_assert_eq(writer_close(lane.writer, 5000), 0);
	io->ops->destroy(io);
	view->ops->destroy(view);
	place_remove(&place);
}

Test(writer, a_reader_that_follows_sees_every_block_of_a_live_writer_once)
{
	for (int i = 0; i < BACKENDS; i++) {
		struct place place;
		struct reader *reader = NULL;
		struct reader_block block;
		char why[128];
		uint64_t seen = 0;

		place_make(&place, (enum backend)i);
		lane_setup((uint64_t)i + 7, DURABILITY_INTERVAL);
		struct io *io = place_io(&place, 8), *view = place_io(&place, 4);
		cr_assert(lane_open(&lane, io, NULL, NULL));
		/* As many turns as a slow disk needs. */
		time_t end = time(NULL) + 50;
		for (int round = 0; time(NULL) < end; round++) {
			if (round < 600 || lane.flushed <= 100000)
				lane_write(&lane, lane.next + 500, 20);
			else
				lane_settle(&lane, 1);
			if (!reader && reader_open(view, "lane-00", 0, 0, true, &reader, why,
						   sizeof(why)) < 0)
				continue;
			int result;
			while ((result = reader_next(reader, &block)) == 1) {
				cr_assert(!block.gap_before);
				for (uint32_t e = 0; block.events && e < block.header.count; e++)
					cr_assert_eq(block.events[e].value, seen++);
			}
			cr_assert_eq(result, 0, "%d %s", result, reader_why(reader));
			if (round > 600 && lane.flushed > 100000 && seen == lane.flushed)
				break;
		}
		cr_assert_eq(seen, lane.flushed, "%d: %lu of %lu", i, (unsigned long)seen,
			     (unsigned long)lane.flushed);
		cr_assert(lane.flushed > 100000);
		reader_close(reader);
		cr_assert_eq(writer_close(lane.writer, 5000), 0);
		io->ops->destroy(io);
		view->ops->destroy(view);
		place_remove(&place);
	}
}

Test(writer, buffers_take_the_memory_that_was_prepared_for_them)
{
	for (int i = BACKEND_URING; i <= BACKEND_PWRITE; i++) {
		struct place place;

		place_make(&place, (enum backend)i);
		struct io *io = place_io(&place, 4);
		uint8_t *data = io->ops->prepare(io, 4 * 8192);
		cr_assert_not_null(data);
		memset(data, 0, 4 * 8192);
		cr_assert_null(io->ops->prepare(io, 8192), "one at a time");
		uint8_t *other = io->ops->buffers(io, 3, 8192);
		cr_assert(other && other != data, "not for fewer");
		cr_assert_eq(io->ops->buffers(io, 4, 8192), data);
		uint8_t *third = io->ops->buffers(io, 4, 8192);
		cr_assert(third && third != data, "nor twice");
		cr_assert_not_null(io->ops->prepare(io, 8192), "and given back where nobody asks");
		io->ops->destroy(io);
		place_remove(&place);
	}
}

Test(writer, small_memlock_only_costs_the_registered_buffers)
{
	struct rlimit limit = {.rlim_cur = 64 << 10, .rlim_max = 64 << 10};
	struct place place;
	struct lane_log log;

	place_make(&place, BACKEND_URING);
	setrlimit(RLIMIT_MEMLOCK, &limit);
	/* Root is not bound by it: be nobody for a while. */
	bool root = geteuid() == 0;
	if (root) {
		cr_assert_eq(fchown(place.fd, 65534, 65534), 0);
		cr_assert_eq(seteuid(65534), 0);
	}
	lane_setup(8, DURABILITY_INTERVAL);
	struct io *io = place_io(&place, 8);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	cr_assert(lane_write(&lane, 20000, STEPS));
	cr_assert_eq(writer_close(lane.writer, 5000), 0);
	io->ops->destroy(io);
	read_back(&place, &log);
	cr_assert_eq(log.events, lane.flushed);
	if (root)
		cr_assert_eq(seteuid(0), 0);
	place_remove(&place);
}

Test(writer, rejected_slots_and_marks_make_blocks_without_events)
{
	struct place place;
	struct reader *reader;
	struct reader_block block;
	char why[128];
	uint32_t room;

	place_make(&place, BACKEND_SIM);
	lane_setup(9, DURABILITY_INTERVAL);
	lane.options.snapshot = NULL;
	struct io *io = place_io(&place, 8);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	writer_flush(lane.writer);
	cr_assert(writer_room(lane.writer, &room) && room > 1000);
	writer_flush(lane.writer);
	struct batch refused = {.ring = 3, .source = 1, .rejected = 4, .first_sequence = 10};
	writer_commit(lane.writer, &refused, 0, 0);
	refused.first_sequence = 14; /* follows: the run is lengthened */
	writer_commit(lane.writer, &refused, 0, 0);
	refused.first_sequence = 20; /* does not */
	writer_commit(lane.writer, &refused, 0, 0);
	cr_assert_eq(writer_mark(lane.writer, 1, -5, 99), 0);
	writer_flush(lane.writer);
	cr_assert(lane_settle(&lane, 100));
	struct io *view = place_io(&place, 4);
	cr_assert_eq(reader_open(view, "lane-00", 0, 0, false, &reader, why, sizeof(why)), 0);
	int found = 0;
	while (reader_next(reader, &block) == 1) {
		if (!block.header.runs)
			continue;
		found++;
		cr_assert_eq(block.header.count, 0u);
		cr_assert_eq(block.header.runs, 3u);
		cr_assert_eq(block.runs[0].rejected, 8u);
		cr_assert_eq(block.runs[1].first_sequence, 20u);
		cr_assert_eq(block.runs[2].ring, WEIR_RUN_MARK);
		cr_assert_eq(block.runs[2].interval, -5);
		cr_assert_eq(block.runs[2].drops, 99u);
	}
	cr_assert_eq(found, 1);
	reader_close(reader);
	cr_assert_eq(writer_close(lane.writer, 5000), 0);
	io->ops->destroy(io);
	view->ops->destroy(view);
	place_remove(&place);
}

Test(writer, a_full_run_table_asks_for_a_flush)
{
	struct place place;
	uint32_t room = 1, runs = 0;

	place_make(&place, BACKEND_SIM);
	lane_setup(10, DURABILITY_INTERVAL);
	struct io *io = place_io(&place, 8);
	cr_assert(lane_open(&lane, io, NULL, NULL));
	for (; runs < 2 * WEIR_BLOCK_RUNS_MAX; runs++) {
		struct weir_event *events = writer_room(lane.writer, &room);
		cr_assert(events != NULL);
		if (!room)
			break;
		events[0] = (struct weir_event){.word = weir_event_word(1, 1), .value = runs};
		struct batch batch = {.events = events, .count = 1, .ring = runs};
		writer_commit(lane.writer, &batch, 1, 1);
	}
	cr_assert_eq(runs, WEIR_BLOCK_RUNS_MAX);
	cr_assert_eq(writer_mark(lane.writer, 1, 1, 0), -EAGAIN);
	writer_flush(lane.writer);
	cr_assert_eq(writer_mark(lane.writer, 1, 1, 0), 0);
	cr_assert_eq(writer_close(lane.writer, 5000), 0);
	io->ops->destroy(io);
	place_remove(&place);
}
