/*
 * nowhere: the backend of an engine that keeps nothing (log.io: none). Writes and syncs end at once
 * and well, and what was written is gone; there is no file to be found.
 *
 * Idea:  all else of the log runs as it always does: blocks are filled, numbered, completed in
 *        order, and let their slots of the rings go; who must say what is kept asks `nowhere` of
 *        the table (log/io.h) and says nothing of the kind.
 * Runs on: the agent that owns the instance.
 * Never:   touches the disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "log/io.h"

struct nowhere_io {
	struct io io; /* first */
	uint32_t depth;
	uint32_t first, count; /* of `done`, a ring buffer */
	bool open[IO_FILES_MAX];
	struct {
		void *at;
		size_t bytes;
	} regions[IO_REGIONS_MAX];
	uint32_t regions_count;
	struct io_completion done[];
};

static struct nowhere_io *nowhere_of(struct io *io)
{
	return (struct nowhere_io *)io;
}

static void *buffers(struct io *base, uint32_t count, size_t bytes)
{
	struct nowhere_io *io = nowhere_of(base);
	size_t all = count * bytes;

	if (io->regions_count == IO_REGIONS_MAX || !all || bytes % 4096)
		return NULL;
	/* Not touched: an engine like this uses the same few again and again. */
	void *data = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return NULL;
	io->regions[io->regions_count].at = data;
	io->regions[io->regions_count++].bytes = all;
	return data;
}

static int file_number(struct io *base)
{
	struct nowhere_io *io = nowhere_of(base);

	for (uint32_t i = 0; i < IO_FILES_MAX; i++) {
		if (io->open[i])
			continue;
		io->open[i] = true;
		return (int)i;
	}
	return -EMFILE;
}

static bool is_open(struct io *base, int file)
{
	return file >= 0 && file < (int)IO_FILES_MAX && nowhere_of(base)->open[file];
}

static int create(struct io *io, const char *path, uint64_t bytes)
{
	(void)path;
	(void)bytes;
	return file_number(io);
}

static int open_write(struct io *io, const char *path)
{
	(void)io;
	(void)path;
	return -ENOENT;
}

/* Directories are there, files are not: the log's paths are "directory/file". */
static int open_read(struct io *io, const char *path)
{
	return strchr(path, '/') ? -ENOENT : file_number(io);
}

static void close_file(struct io *io, int file)
{
	if (is_open(io, file))
		nowhere_of(io)->open[file] = false;
}

static int64_t size(struct io *io, int file)
{
	return is_open(io, file) ? 0 : -EBADF;
}

static int64_t read_none(struct io *io, int file, uint64_t offset, void *data, size_t bytes)
{
	(void)offset;
	(void)data;
	(void)bytes;
	return is_open(io, file) ? 0 : -EBADF;
}

static int rename_none(struct io *io, const char *from, const char *to)
{
	(void)io;
	(void)from;
	(void)to;
	return 0;
}

static int path_done(struct io *io, const char *path)
{
	(void)io;
	(void)path;
	return 0;
}

static int list(struct io *io, const char *path, int (*each)(void *self, const char *name),
		void *self)
{
	(void)io;
	(void)path;
	(void)each;
	(void)self;
	return 0;
}

static int complete(struct io *base, int file, int64_t result, uint64_t cookie)
{
	struct nowhere_io *io = nowhere_of(base);

	if (!is_open(base, file))
		return -EBADF;
	if (io->count == io->depth)
		return -EAGAIN;
	io->done[(io->first + io->count++) % io->depth] =
		(struct io_completion){.cookie = cookie, .result = result};
	return 0;
}

static int write_block(struct io *io, int file, uint64_t offset, const void *data, size_t bytes,
		       uint64_t cookie)
{
	(void)offset;
	(void)data;
	return complete(io, file, (int64_t)bytes, cookie);
}

static int sync_file(struct io *io, int file, uint64_t cookie)
{
	return complete(io, file, 0, cookie);
}

static int reap(struct io *base, struct io_completion *completions, uint32_t max)
{
	struct nowhere_io *io = nowhere_of(base);
	uint32_t n = 0;

	for (; n < max && io->count; n++, io->count--) {
		completions[n] = io->done[io->first];
		io->first = (io->first + 1) % io->depth;
	}
	return (int)n;
}

static void destroy(struct io *base)
{
	struct nowhere_io *io = nowhere_of(base);

	for (uint32_t i = 0; i < io->regions_count; i++)
		munmap(io->regions[i].at, io->regions[i].bytes);
	free(io);
}

static const struct io_ops nowhere_ops = {
	.name = "none",
	.nowhere = true,
	.buffers = buffers,
	.create = create,
	.open_write = open_write,
	.open_read = open_read,
	.close = close_file,
	.size = size,
	.room = size,
	.read = read_none,
	.rename = rename_none,
	.unlink = path_done,
	.make_dir = path_done,
	.sync_dir = path_done,
	.list = list,
	.write = write_block,
	.sync = sync_file,
	.reap = reap,
	.destroy = destroy,
};

int io_nowhere_create(uint32_t depth, struct io **ret_io)
{
	if (!depth)
		return -EINVAL;
	struct nowhere_io *io = calloc(1, sizeof(*io) + depth * sizeof(io->done[0]));
	if (!io)
		return -ENOMEM;
	io->io.ops = &nowhere_ops;
	io->depth = depth;
	*ret_io = &io->io;
	return 0;
}
