/* rebuild: cells that memory had no room for are those of all blocks that are still good. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../deliver/maker.h"
#include "../deliver/sample.h"
#include "closing.h"
#include "interval/cells.h"
#include "rebuild.h"

#define BLOCKS 8u
#define SERIES_MAX 3u
#define INTERVAL_MS 10000

static char root[64];
static struct maker lane;

static struct cells *open_cells(void)
{
	struct cells *cells = cells_create(SERIES_MAX, INTERVAL_MS, 0, 1, 0, -1);

	cr_assert_not_null(cells);
	return cells;
}

/* The events of the block that is being filled. */
static void add(struct cells *cells, uint64_t lsn)
{
	struct batch batch = {.events = lane.event, .count = lane.events_count, .ring = 1};

	cells_block(cells, lsn);
	cells_add(cells, &batch);
}

enum shape {
	SPREAD,       /* both intervals have events in each block */
	CONCENTRATED, /* all of the first one's are in the damaged block, or in the first */
	MARKED_AGAIN, /* behind the mark is another, of a later interval */
	EPOCH_ENDS,   /* behind the mark begins another epoch */
};

/* Behind the mark that all was let go at. */
static void write_on(enum shape shape)
{
	if (shape == MARKED_AGAIN) {
		maker_mark(&lane, 0, 3);
		maker_flush(&lane);
	} else if (shape == EPOCH_ENDS) {
		lane.epoch = 2;
		maker_segment(&lane, 0);
		maker_run(&lane, 1, 5000, 1, 0, 1000, 1);
		maker_mark(&lane, 0, 3);
		maker_flush(&lane);
	}
}

/* Two intervals and, in the last block, the mark that closes them, in a file of which no header
 * calls anything durable. Then block `hit` gets damaged. What the lane let go at its mark; and what
 * the good blocks hold. */
static void write_lane(enum shape shape, uint64_t hit, struct partial **ret_dropped,
		       struct partial **ret_good)
{
	struct cells *all = open_cells(), *good = open_cells();
	uint64_t offset = 0;

	strcpy(root, sample_directory());
	maker_open(&lane, root, "lane-00", 0);
	maker_segment(&lane, 0);
	for (uint64_t lsn = 1; lsn <= BLOCKS; lsn++) {
		if (shape != CONCENTRATED || lsn == (hit ? hit : 1))
			maker_run(&lane, 1, lsn * 100, (uint32_t)lsn, 0, lsn * 1000, 1);
		maker_run(&lane, 1, lsn * 100 + lsn, 2, 0, INTERVAL_MS + lsn, 1 + lsn % SERIES_MAX);
		add(all, lsn);
		if (lsn != hit)
			add(good, lsn);
		if (lsn == BLOCKS)
			maker_mark(&lane, 0, 1);
		cr_assert_eq(maker_flush(&lane), lsn);
		if (lsn == hit)
			offset = lane.last_offset;
	}
	if (offset)
		cr_assert_eq(pwrite(lane.fd, "?", 1, (off_t)offset + 70), 1);
	write_on(shape);
	*ret_dropped = cells_mark(all, 1, 0);
	*ret_good = cells_mark(good, 1, UINT64_MAX);
	cells_destroy(all);
	cells_destroy(good);
}

static void remove_lane(void)
{
	char path[128];

	maker_end(&lane);
	snprintf(path, sizeof(path), "%s/lane-00", root);
	sample_remove(path);
	snprintf(path, sizeof(path), "%s/control", root);
	sample_remove(path);
	sample_remove(root);
}

static int rebuild(bool ended, struct partial **partials, uint32_t *ret_lacking)
{
	struct io *io;
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*ret_lacking = 0;
	cr_assert_eq(io_pwrite_create(fd, 1, &io), 0);
	int error = rebuild_partials(io, SERIES_MAX, INTERVAL_MS, ended, partials, ret_lacking);
	io->ops->destroy(io);
	close(fd);
	return error;
}

/* What the list has become is all that the good blocks hold, and nothing else. */
static void expect_good(const struct partial *at, const struct partial *good, uint64_t hit)
{
	for (const struct partial *wanted = good; wanted; wanted = wanted->next) {
		cr_assert(at && at->rebuilt && !at->dropped);
		cr_assert_eq(at->interval, wanted->interval);
		cr_assert_eq(at->cell_count, wanted->cell_count);
		cr_assert_eq(memcmp(at->cells, wanted->cells,
				    wanted->cell_count * sizeof(wanted->cells[0])),
			     0, "block %lu", (unsigned long)hit);
		cr_assert_eq(at->late_count, 0u);
		at = at->next;
	}
	cr_assert_null(at);
}

/* That their mark was heeded says that all of its lane's blocks before it were kept. */
Test(rebuild, gives_all_cells_but_those_of_a_damaged_block_that_no_header_calls_durable)
{
	for (enum shape shape = SPREAD; shape <= EPOCH_ENDS; shape++) {
		const uint64_t hits = shape < MARKED_AGAIN ? BLOCKS : BLOCKS + 1;
		for (uint64_t hit = 0; hit < hits; hit++) {
			struct partial *partials, *good;
			uint32_t lacking;
			write_lane(shape, hit, &partials, &good);
			cr_assert(partials->dropped && partials->next->dropped);
			int error = rebuild(false, &partials, &lacking);
			cr_assert_eq(error, 0, "shape %d, block %lu: %s", (int)shape,
				     (unsigned long)hit, strerror(-error));
			cr_assert_eq(lacking, hit ? 2u : 0u, "shape %d, block %lu: %u", (int)shape,
				     (unsigned long)hit, lacking);
			expect_good(partials, good, hit);
			partials_free(partials);
			partials_free(good);
			remove_lane();
		}
	}
}

/* Who knows that nothing more comes takes what there is, as a replay does at the end of an epoch.
 */
Test(rebuild, waits_for_a_mark_only_where_more_may_come)
{
	struct partial *partials, *good;
	uint32_t lacking;

	write_lane(SPREAD, BLOCKS, &partials, &good);
	cr_assert_eq(rebuild(false, &partials, &lacking), -EAGAIN);
	cr_assert(partials->dropped && partials->next->dropped);
	cr_assert_eq(lacking, 0u);
	cr_assert_eq(rebuild(true, &partials, &lacking), 0);
	cr_assert_eq(lacking, 2u);
	expect_good(partials, good, BLOCKS);
	partials_free(partials);
	partials_free(good);
	remove_lane();
}

/* As a checkpoint may have it whose checksum is good. */
Test(rebuild, believes_no_frontier_behind_the_interval)
{
	struct partial *partials, *good;
	uint32_t lacking;

	write_lane(SPREAD, BLOCKS, &partials, &good);
	for (struct partial *at = partials; at; at = at->next)
		at->first_frontier = INT64_MAX;
	cr_assert_eq(rebuild(true, &partials, &lacking), 0);
	cr_assert_null(partials);
	partials_free(good);
	remove_lane();
}

/* A closing agent that has an interval to close, of which a lane let its cells go. */
struct closer_world {
	struct closer closer;
	struct source_table sources;
	struct lane_source_start starts[WEIR_SOURCES_MAX];
	struct queue *marks, *jobs;
	struct io *io, *read_io;
	struct closing *closing;
	int fd;
};

static void open_world(struct closer_world *world, struct partial *partials)
{
	const struct close_mark first = {.interval = -1, .lsn = 1};
	const struct close_mark mark = {.interval = 1, .lsn = BLOCKS, .partials = partials};

	world->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(io_pwrite_create(world->fd, 4, &world->io), 0);
	cr_assert_eq(io_pwrite_create(world->fd, 4, &world->read_io), 0);
	world->marks = queue_create(4);
	world->jobs = queue_create(128);
	world->sources.count = 1;
	strcpy(world->sources.sources[0].name, "live");
	world->sources.sources[0].clock = WEIR_CLOCK_EVENT;
	closer_init(&world->closer);
	const struct closing_options options = {
		.writer = {.io = world->io,
			   .directory = "control",
			   .lane = WEIR_LANE_CONTROL,
			   .epoch = 1,
			   .next_lsn = 1,
			   .segment_bytes = 4u << 20,
			   .block_bytes = 64u << 10,
			   .buffers = 8,
			   .random_seed = 1},
		.read_io = world->read_io,
		.closer = &world->closer,
		.sources = &world->sources,
		.starts = world->starts,
		.lanes = 1,
		.shards = 1,
		.marks = &world->marks,
		.jobs = &world->jobs,
		.epoch = 1,
		.interval_ms = INTERVAL_MS,
		.config_text = "",
		.series_max = SERIES_MAX,
		.checkpoint_intervals = 1000,
	};
	cr_assert_eq(closing_create(&options, &world->closing), 0);
	closer_feed(&world->closer, &first);
	closer_feed(&world->closer, &mark);
}

static void close_world(struct closer_world *world)
{
	closing_abandon(world->closing);
	closer_fini(&world->closer);
	queue_destroy(world->marks);
	queue_destroy(world->jobs);
	world->io->ops->destroy(world->io);
	world->read_io->ops->destroy(world->read_io);
	close(world->fd);
}

/* Nothing behind the mark will ever say what it said, and all other closes stand behind this. */
Test(rebuild, no_close_waits_for_ever_for_a_damaged_mark)
{
	struct closer_world world = {0};
	struct partial *partials, *good;
	struct close_job *job = NULL;
	uint64_t now_ns = 1000000000;

	write_lane(SPREAD, BLOCKS, &partials, &good);
	open_world(&world, partials);
	for (int ms = 0; ms < 60000 && !job; ms++) {
		closing_step(world.closing, now_ns += 1000000);
		job = queue_pop(world.jobs);
	}
	cr_assert(job, "the interval is not closed within a minute");
	cr_assert_gt(now_ns, UINT64_C(5000000000), "it was not waited for");
	expect_good(job->partials, good, BLOCKS);
	close_job_free(job);
	close_world(&world);
	partials_free(good);
	remove_lane();
}
