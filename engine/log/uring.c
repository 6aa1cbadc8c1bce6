/*
 * uring: the log's writes and syncs through io_uring. The only user of liburing.
 *
 * Idea:  O_DIRECT writes from registered buffers into registered files: no copy, no page cache,
 *        a few percent of a core at the disk's full speed. Each refinement is tried once and done
 *        without where the machine refuses it (memlock, old kernels); the promises do not change.
 *        Own counting keeps what is in flight within the ring, so the completion queue cannot
 *        overflow. A submission that the kernel puts off (EAGAIN, EBUSY, EINTR) stays queued and
 *        is pushed by the next call.
 *        Before it is used, a ring is told what it is for: three operations on registered files,
 *        and nothing else that io_uring can do, for ever. Code that got into the engine could not
 *        use the ring to open, connect, or pass by what a filter of system calls forbids.
 * Runs on: the agent that owns the instance; it may have been made by another thread, so the ring
 *          is not bound to its creator (no SINGLE_ISSUER).
 * Never:   links a sync to a write: a chain ends at every submission and breaks at a short write.
 *          The caller queues a sync after the completions that it is to cover.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "log/posix.h"

/* Waits of 100 ms at the end for what is still in flight. */
#define LAST_WAITS 300
/* Kernel workers for what cannot be done at once; each instance has one file that is written. */
#define WORKERS_MAX 4u

struct uring_io {
	struct posix_io posix; /* first */
	struct io_uring ring;
	uint32_t depth;
	uint32_t in_flight;
	bool fixed_files;
	bool fixed_buffers;
};

static struct uring_io *uring_of(struct io *io)
{
	return (struct uring_io *)io;
}

/* Hand queued entries to the kernel. What it puts off stays in the queue. */
static void push(struct uring_io *io)
{
	int result = io_uring_submit(&io->ring);

	if (result < 0 && result != -EAGAIN && result != -EBUSY && result != -EINTR)
		log_error("log", "io_uring refuses to submit: %s", strerror(-result));
}

static void *buffers(struct io *base, uint32_t count, size_t bytes)
{
	struct uring_io *io = uring_of(base);
	void *data = posix_buffers(base, count, bytes);

	if (!data)
		return NULL;
	if (io->fixed_buffers)
		io_uring_unregister_buffers(&io->ring);
	int result = io_uring_register_buffers(&io->ring, io->posix.regions,
					       io->posix.regions_count);
	io->fixed_buffers = result == 0;
	if (result < 0)
		log_info("log", "buffers of %zu bytes cannot be registered (%s): plain writes; a "
				"larger RLIMIT_MEMLOCK saves some CPU",
			 count * bytes, strerror(-result));
	return data;
}

/* Which region holds these bytes; -1: none, a caller's error or buffers that are not registered. */
static int region_of(struct uring_io *io, const void *data, size_t bytes)
{
	for (uint32_t i = 0; io->fixed_buffers && i < io->posix.regions_count; i++) {
		const char *start = io->posix.regions[i].iov_base;
		const char *end = start + io->posix.regions[i].iov_len;
		if ((const char *)data >= start && (const char *)data + bytes <= end)
			return (int)i;
	}
	return -1;
}

static int register_file(struct io *base, int file)
{
	struct uring_io *io = uring_of(base);

	if (file < 0 || !io->fixed_files)
		return file;
	int result = io_uring_register_files_update(&io->ring, (unsigned)file,
						    &io->posix.files[file].fd, 1);
	if (result == 1)
		return file;
	posix_close(base, file);
	return result < 0 ? result : -EIO;
}

static int create(struct io *io, const char *path, uint64_t bytes)
{
	return register_file(io, posix_create(io, path, bytes));
}

static int open_write(struct io *io, const char *path)
{
	return register_file(io, posix_open_write(io, path));
}

static int open_read(struct io *io, const char *path)
{
	return register_file(io, posix_open_read(io, path));
}

static void close_file(struct io *base, int file)
{
	struct uring_io *io = uring_of(base);
	int none = -1;

	if (posix_file(base, file) && io->fixed_files)
		io_uring_register_files_update(&io->ring, (unsigned)file, &none, 1);
	posix_close(base, file);
}

/* An entry of the submission queue, or NULL: as much in flight as there may be. */
static struct io_uring_sqe *entry(struct uring_io *io)
{
	if (io->in_flight == io->depth)
		return NULL;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);
	if (!sqe) {
		push(io);
		sqe = io_uring_get_sqe(&io->ring);
	}
	return sqe;
}

static void queue_entry(struct uring_io *io, struct io_uring_sqe *sqe, uint64_t cookie)
{
	if (io->fixed_files)
		sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, cookie);
	io->in_flight++;
	push(io);
}

static int write_block(struct io *base, int file, uint64_t offset, const void *data, size_t bytes,
		       uint64_t cookie)
{
	struct uring_io *io = uring_of(base);
	struct posix_file *f = posix_file(base, file);

	if (!f)
		return -EBADF;
	struct io_uring_sqe *sqe = entry(io);
	if (!sqe)
		return -EAGAIN;
	int fd = io->fixed_files ? file : f->fd;
	int region = region_of(io, data, bytes);
	if (region >= 0)
		io_uring_prep_write_fixed(sqe, fd, data, (unsigned)bytes, offset, region);
	else
		io_uring_prep_write(sqe, fd, data, (unsigned)bytes, offset);
	queue_entry(io, sqe, cookie);
	return 0;
}

static int sync_file(struct io *base, int file, uint64_t cookie)
{
	struct uring_io *io = uring_of(base);
	struct posix_file *f = posix_file(base, file);

	if (!f)
		return -EBADF;
	struct io_uring_sqe *sqe = entry(io);
	if (!sqe)
		return -EAGAIN;
	io_uring_prep_fsync(sqe, io->fixed_files ? file : f->fd,
			    f->directory ? 0 : IORING_FSYNC_DATASYNC);
	queue_entry(io, sqe, cookie);
	return 0;
}

static int reap(struct io *base, struct io_completion *completions, uint32_t max)
{
	struct uring_io *io = uring_of(base);
	struct io_uring_cqe *cqes[32];
	uint32_t n = 0;

	if (io_uring_sq_ready(&io->ring))
		push(io);
	while (n < max && io->in_flight) {
		uint32_t want = max - n < 32 ? max - n : 32;
		unsigned got = io_uring_peek_batch_cqe(&io->ring, cqes, want);
		for (unsigned i = 0; i < got; i++)
			completions[n + i] = (struct io_completion){
				.cookie = io_uring_cqe_get_data64(cqes[i]),
				.result = cqes[i]->res,
			};
		io_uring_cq_advance(&io->ring, got);
		io->in_flight -= got;
		n += got;
		if (got < want)
			break;
	}
	return (int)n;
}

static void destroy(struct io *base)
{
	struct uring_io *io = uring_of(base);
	struct io_completion completions[32];

	for (int i = 0; io->in_flight && i < LAST_WAITS; i++) {
		struct __kernel_timespec wait = {.tv_nsec = 100 * 1000 * 1000};
		struct io_uring_cqe *cqe;
		io_uring_wait_cqe_timeout(&io->ring, &cqe, &wait);
		while (reap(base, completions, 32) > 0)
			;
	}
	if (io->in_flight)
		log_error("log", "%u writes never ended: their buffers stay allocated",
			  io->in_flight);
	io_uring_queue_exit(&io->ring);
	posix_fini(&io->posix, io->in_flight > 0);
	free(io);
}

static const struct io_ops uring_ops = {
	.name = "uring",
	.buffers = buffers,
	.prepare = posix_prepare,
	.create = create,
	.open_write = open_write,
	.open_read = open_read,
	.close = close_file,
	.size = posix_size,
	.room = posix_room,
	.trim = posix_trim,
	.read = posix_read,
	.next_data = posix_next_data,
	.expect = posix_expect,
	.expect_end = posix_expect_end,
	.quiet = posix_quiet,
	.rename = posix_rename,
	.unlink = posix_unlink,
	.make_dir = posix_make_dir,
	.sync_dir = posix_sync_dir,
	.list = posix_list,
	.write = write_block,
	.sync = sync_file,
	.reap = reap,
	.destroy = destroy,
};

/* A call that liburing 2.3 declares and does not export. */
static int register_call(struct uring_io *io, unsigned what, const void *data, unsigned count)
{
	return syscall(SYS_io_uring_register, io->ring.ring_fd, what, data, count) < 0 ? -errno : 0;
}

/* What this file asks of a ring from now on; the kernel refuses the rest (EACCES). Waiting with a
 * timeout is no operation where the kernel has the argument for it. */
static int restrict_ring(struct uring_io *io)
{
	static const uint8_t operations[] = {IORING_OP_WRITE, IORING_OP_WRITE_FIXED,
					     IORING_OP_FSYNC};
	static const uint8_t registers[] = {IORING_REGISTER_BUFFERS, IORING_UNREGISTER_BUFFERS,
					    IORING_REGISTER_FILES_UPDATE};
	struct io_uring_restriction rules[8] = {{0}};
	unsigned n = 0;

	if (!(io->ring.features & IORING_FEAT_EXT_ARG))
		return -EOPNOTSUPP;
	for (size_t i = 0; i < sizeof(operations); i++, n++)
		rules[n] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP,
							 .sqe_op = operations[i]};
	for (size_t i = 0; i < sizeof(registers); i++, n++)
		rules[n] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_REGISTER_OP,
							 .register_op = registers[i]};
	/* What must be set may be set. */
	rules[n++] = (struct io_uring_restriction){
		.opcode = io->fixed_files ? IORING_RESTRICTION_SQE_FLAGS_REQUIRED
					  : IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		.sqe_flags = io->fixed_files ? IOSQE_FIXED_FILE : 0,
	};
	return register_call(io, IORING_REGISTER_RESTRICTIONS, rules, n);
}

/* A ring of the best kind that there is. */
static int open_ring(struct uring_io *io, uint32_t depth, unsigned flags)
{
	/* The flag word tells peek when a completion needs a call into the kernel to appear. */
	unsigned wanted = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
	int result = io_uring_queue_init(depth, &io->ring, flags | wanted | IORING_SETUP_CLAMP);

	if (result == -EINVAL)
		result = io_uring_queue_init(depth, &io->ring, flags | IORING_SETUP_CLAMP);
	if (result < 0)
		return result;
	io->depth = depth < io->ring.sq.ring_entries ? depth : io->ring.sq.ring_entries;

	int none[IO_FILES_MAX];
	for (uint32_t i = 0; i < IO_FILES_MAX; i++)
		none[i] = -1;
	io->fixed_files = io_uring_register_files(&io->ring, none, IO_FILES_MAX) == 0;
	unsigned workers[2] = {WORKERS_MAX, WORKERS_MAX};
	io_uring_register_iowq_max_workers(&io->ring, workers);
	return 0;
}

/* Restrictions can be set only while a ring has not begun. */
static int setup(struct uring_io *io, uint32_t depth)
{
	int result = open_ring(io, depth, IORING_SETUP_R_DISABLED);
	bool opened = result == 0;

	if (opened) {
		result = restrict_ring(io);
		if (!result)
			result = register_call(io, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	}
	if (!result)
		return 0;
	if (opened)
		io_uring_queue_exit(&io->ring);
	int again = open_ring(io, depth, 0);
	if (!again)
		log_info("log",
			 "io_uring cannot be restricted to writes and syncs (%s): it is "
			 "used as it is",
			 strerror(-result));
	return again;
}

int io_uring_create(int dirfd, uint32_t depth, struct io **ret_io)
{
	if (!depth)
		return -EINVAL;
	struct uring_io *io = calloc(1, sizeof(*io));
	if (!io)
		return -ENOMEM;
	posix_init(&io->posix, &uring_ops, dirfd, true);
	int result = setup(io, depth);
	if (result < 0) {
		free(io);
		return result;
	}
	*ret_io = &io->posix.io;
	return 0;
}
