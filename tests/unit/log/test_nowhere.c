/* The backend that keeps nothing: the writer runs on it as on a disk, and nothing is there. */
#include <criterion/criterion.h>
#include <errno.h>

#include "lane.h"

static struct lane lane;

static int count_name(void *self, const char *name)
{
	(void)name;
	++*(int *)self;
	return 0;
}

Test(nowhere, a_writer_completes_its_blocks_in_order_and_there_is_no_file)
{
	struct io *io;
	int error = 0, names = 0;

	cr_assert_eq(io_nowhere_create(4, &io), 0);
	cr_assert(io->ops->nowhere);
	/* As the engine has it: one segment that never ends. */
	lane = (struct lane){.options = {.segment_bytes = UINT64_C(1) << 60,
					 .block_bytes = 32 << 10,
					 .buffers = 16,
					 .durability = DURABILITY_NONE},
			     .random = 3};
	cr_assert(lane_open(&lane, io, NULL, &error), "%d", error);
	cr_assert(lane_write(&lane, 100000, 100000));
	cr_assert(lane_settle(&lane, 1000));
	cr_assert_gt(writer_lsn(lane.writer), 10);
	cr_assert_eq(writer_persisted(lane.writer) + 1, writer_lsn(lane.writer));
	cr_assert_eq(writer_close(lane.writer, 1000), 0);
	cr_assert_eq(io->ops->list(io, ".", count_name, &names), 0);
	cr_assert_eq(names, 0);
	io->ops->destroy(io);
}

Test(nowhere, it_refuses_what_a_disk_refuses)
{
	struct io_completion completions[4];
	struct io *io;

	cr_assert_eq(io_nowhere_create(0, &io), -EINVAL);
	cr_assert_eq(io_nowhere_create(2, &io), 0);
	void *data = io->ops->buffers(io, 2, 4096);
	cr_assert(data);
	cr_assert_eq(io->ops->write(io, 3, 0, data, 4096, 1), -EBADF, "no such file");
	cr_assert_eq(io->ops->open_write(io, "lane-00/x"), -ENOENT);
	cr_assert_eq(io->ops->open_read(io, "lane-00/x"), -ENOENT);
	int file = io->ops->create(io, "lane-00/x", 1 << 20);
	cr_assert_geq(file, 0);
	cr_assert_eq(io->ops->write(io, file, 0, data, 4096, 7), 0);
	cr_assert_eq(io->ops->sync(io, file, 8), 0);
	cr_assert_eq(io->ops->write(io, file, 4096, data, 4096, 9), -EAGAIN, "as deep as it is");
	cr_assert_eq(io->ops->reap(io, completions, 4), 2);
	cr_assert_eq(completions[0].cookie, 7);
	cr_assert_eq(completions[0].result, 4096);
	cr_assert_eq(completions[1].cookie, 8);
	cr_assert_eq(completions[1].result, 0);
	cr_assert_eq(io->ops->read(io, file, 0, data, 4096), 0, "it is gone");
	io->ops->close(io, file);
	cr_assert_eq(io->ops->size(io, file), -EBADF);
	io->ops->destroy(io);
}
