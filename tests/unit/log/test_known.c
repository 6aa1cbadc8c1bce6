/*
 * known: what a start remembers of files is what is in them, whatever happens to them meanwhile.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "lane.h"
#include "log/segments.h"
#include "support/simdisk.h"

#define SEGMENT_BYTES (1u << 20)

static struct lane lane;
static struct simdisk *disk;

static void setup(uint64_t seed)
{
	disk = lane_small(&lane, SEGMENT_BYTES, seed);
}

static struct io *instance(struct segments_known *known)
{
	struct io *io = simdisk_io(disk, 8);

	io->known = known;
	return io;
}

static void list(struct io *io, struct segment_list *list)
{
	char why[256];

	cr_assert_eq(segments_list(io, "lane-00", 0, true, list, why, sizeof(why)), 0);
}

static bool same_id(const uint64_t *ids, uint32_t count, uint64_t id)
{
	for (uint32_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* As who knows nothing finds it. Files may have been given less room since. Those without a good
 * first block are counted in *headless. */
static void compare(struct io *io, uint32_t *headless)
{
	struct segment_list known, fresh;
	struct io *other = instance(NULL);

	io->ends_count = 0; /* not of those is to be spoken here */
	list(io, &known);
	list(other, &fresh);
	cr_assert_eq(known.count, fresh.count, "%u, not %u", known.count, fresh.count);
	cr_assert_eq(known.empty, fresh.empty);
	for (uint32_t i = 0; i < fresh.count; i++) {
		known.entries[i].file_bytes = fresh.entries[i].file_bytes;
		*headless += fresh.entries[i].headless;
		cr_assert_arr_eq(&known.entries[i], &fresh.entries[i], sizeof(fresh.entries[i]),
				 "entry %u of %u", i, fresh.count);
	}
	for (uint32_t i = 0; i < fresh.empty; i++)
		cr_assert(same_id(known.empty_ids, known.empty, fresh.empty_ids[i]));
	segments_free(&known);
	segments_free(&fresh);
	other->ops->destroy(other);
}

/* Lives that are killed, so many. */
static void live(int lives, struct lane_log *ret_log)
{
	*ret_log = (struct lane_log){.report.next_lsn = 1};
	for (int i = 0; i < lives; i++) {
		struct io *io = simdisk_io(disk, 8);
		cr_assert(lane_open(&lane, io, i ? ret_log : NULL, NULL));
		cr_assert(lane_write(&lane, lane.next + 1 + lane_random(&lane, 5000), 100000));
		cr_assert(lane_settle(&lane, 10000));
		writer_abandon(lane.writer);
		simdisk_kill(disk);
		io->ops->destroy(io);
		io = simdisk_io(disk, 8);
		lane_read(io, ret_log);
		io->ops->destroy(io);
	}
}

Test(known, a_file_is_read_once_by_all_who_list_it)
{
	struct segments_known *known = segments_know();
	struct segment_list files;
	struct lane_log log;
	uint32_t headless = 0;

	setup(lane_seed() + 1);
	live(80, &log); /* more than are open at once */
	struct io *io = instance(known), *writers = simdisk_io(disk, 8);
	const uint64_t before = simdisk_count(disk, SIMDISK_OPEN);
	list(io, &files);
	const uint64_t first = simdisk_count(disk, SIMDISK_OPEN) - before;
	cr_assert_geq(files.count, 80u);
	cr_assert_eq(first, files.count + files.empty, "each is opened once: %lu",
		     (unsigned long)first);
	const uint32_t empty = files.empty;
	segments_free(&files);

	io_know_ends(writers, io);
	list(writers, &files);
	cr_assert_eq(simdisk_count(disk, SIMDISK_OPEN) - before - first, empty,
		     "only who has nothing yet may have something now");
	segments_free(&files);
	compare(writers, &headless);
	/* A writer changes what there is, and is the first that no longer believes what was. */
	cr_assert(lane_open(&lane, writers, &log, NULL));
	cr_assert_null(writers->known);
	writer_abandon(lane.writer);
	writers->ops->destroy(writers);
	io->ops->destroy(io);
	simdisk_destroy(disk);
	segments_forget(known);
}

/* A live engine begins files, gives them room back, lets them go and takes them again; what it has
 * queued comes in any order, also after its death. */
Test(known, what_has_changed_since_is_found)
{
	uint32_t headless = 0;

	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct segments_known *known = segments_know();
		struct lane_log log;

		setup(lane_seed() + 100 * seed);
		live(2, &log);
		struct io *io = instance(known), *writers = simdisk_io(disk, 8);
		compare(io, &headless);
		cr_assert(lane_open(&lane, writers, &log, NULL));
		for (int i = 0; i < 400; i++) {
			lane_write(&lane, lane.next + 4000, 1 + (uint32_t)lane_random(&lane, 4));
			compare(io, &headless);
			if (i % 16 == 15)
				writer_retain(lane.writer, writer_durable(lane.writer),
					      2 * SEGMENT_BYTES, 0);
		}
		writer_abandon(lane.writer);
		simdisk_kill_late(disk);
		writers->ops->destroy(writers);
		io->ops->destroy(io);
		io = instance(known);
		compare(io, &headless);
		simdisk_late(disk);
		compare(io, &headless);
		io->ops->destroy(io);
		simdisk_destroy(disk);
		segments_forget(known);
	}
	cr_assert_gt(headless, 10u);
}

Test(known, in_the_directory_of_another_lane_it_is_refused_all_the_same)
{
	struct segments_known *known = segments_know();
	struct segment_list files;
	struct lane_log log;
	char why[256];

	setup(lane_seed() + 2);
	live(2, &log);
	struct io *io = instance(known);
	list(io, &files);
	segments_free(&files);
	cr_assert_eq(segments_list(io, "lane-00", 1, true, &files, why, sizeof(why)),
		     -EPROTONOSUPPORT);
	io->ops->destroy(io);
	simdisk_destroy(disk);
	segments_forget(known);
}
