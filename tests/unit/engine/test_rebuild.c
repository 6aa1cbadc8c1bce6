/* rebuild: cells that memory had no room for are those of all blocks that are still good. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../deliver/maker.h"
#include "../deliver/sample.h"
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

/* Two intervals and, in the last block, the mark that closes them, in a file of which no header
 * calls anything durable. Then block `hit` gets damaged. What the lane let go at its mark; and what
 * the good blocks hold. */
static void write_lane(uint64_t hit, struct partial **ret_dropped, struct partial **ret_good)
{
	struct cells *all = open_cells(), *good = open_cells();
	uint64_t offset = 0;

	strcpy(root, sample_directory());
	maker_open(&lane, root, "lane-00", 0);
	maker_segment(&lane, 0);
	for (uint64_t lsn = 1; lsn <= BLOCKS; lsn++) {
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
	sample_remove(root);
}

static int rebuild(struct partial **partials)
{
	struct io *io;
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_assert_eq(io_pwrite_create(fd, 1, &io), 0);
	int error = rebuild_partials(io, SERIES_MAX, INTERVAL_MS, partials);
	io->ops->destroy(io);
	close(fd);
	return error;
}

/* That their mark was heeded says that all of its lane's blocks before it were kept. */
Test(rebuild, gives_all_cells_but_those_of_a_damaged_block_that_no_header_calls_durable)
{
	for (uint64_t hit = 0; hit < BLOCKS; hit++) {
		struct partial *partials, *good;
		write_lane(hit, &partials, &good);
		cr_assert(partials->dropped && partials->next->dropped);
		cr_assert_eq(partials->first_lsn, 1u);
		int error = rebuild(&partials);
		cr_assert_eq(error, 0, "block %lu: %s", (unsigned long)hit, strerror(-error));
		struct partial *at = partials;
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
		partials_free(partials);
		partials_free(good);
		remove_lane();
	}
}
