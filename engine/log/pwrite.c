/*
 * pwrite: the log where io_uring is forbidden. Same promises, plain calls.
 *
 * Idea:  a write is done in place, into the page cache; its completion waits in a list until
 *        reap(). A sync would block for a disk's latency, so one helper thread does them, in order.
 *
 *          agent:  write() -> pwrite -> done[]           reap() <- done[], answers[]
 *                  sync()  -> jobs[] ---> helper: fdatasync ---> answers[]
 *
 * Runs on: the agent that owns the instance; jobs[] and answers[] are shared with the helper
 *          under the mutex, everything else is the agent's alone.
 * Never:   retries a sync.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "log/posix.h"

#define TRIES_MAX 16

struct sync_job {
	int fd;
	bool directory;
	uint64_t cookie;
};

struct pwrite_io {
	struct posix_io posix; /* first */
	uint32_t depth;
	uint32_t in_flight; /* submitted, not yet reaped */
	uint32_t syncs;     /* of these, with the helper */
	struct io_completion *done; /* [depth] */
	uint32_t done_count;

	pthread_t helper;
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct sync_job *jobs; /* [depth], a ring */
	uint32_t jobs_first, jobs_count;
	struct io_completion *answers; /* [depth] */
	uint32_t answers_count;
	bool stop;
};

static struct pwrite_io *pwrite_of(struct io *io)
{
	return (struct pwrite_io *)io;
}

static int sync_now(const struct sync_job *job)
{
	int result = job->directory ? fsync(job->fd) : fdatasync(job->fd);

	return result < 0 ? -errno : 0;
}

static void *helper_main(void *self)
{
	struct pwrite_io *io = self;

	pthread_mutex_lock(&io->mutex);
	for (;;) {
		while (!io->jobs_count && !io->stop)
			pthread_cond_wait(&io->work, &io->mutex);
		if (!io->jobs_count)
			break;
		struct sync_job job = io->jobs[io->jobs_first];
		io->jobs_first = (io->jobs_first + 1) % io->depth;
		io->jobs_count--;
		pthread_mutex_unlock(&io->mutex);
		int result = sync_now(&job);
		pthread_mutex_lock(&io->mutex);
		io->answers[io->answers_count++] =
			(struct io_completion){.cookie = job.cookie, .result = result};
	}
	pthread_mutex_unlock(&io->mutex);
	return NULL;
}

static int write_block(struct io *base, int file, uint64_t offset, const void *data, size_t bytes,
		       uint64_t cookie)
{
	struct pwrite_io *io = pwrite_of(base);
	struct posix_file *f = posix_file(base, file);
	ssize_t result;
	int tries = 0;

	if (!f)
		return -EBADF;
	if (io->in_flight == io->depth)
		return -EAGAIN;
	do
		result = pwrite(f->fd, data, bytes, (off_t)offset);
	while (result < 0 && errno == EINTR && ++tries < TRIES_MAX);
	io->done[io->done_count++] = (struct io_completion){
		.cookie = cookie,
		.result = result < 0 ? -errno : result,
	};
	io->in_flight++;
	return 0;
}

static int sync_file(struct io *base, int file, uint64_t cookie)
{
	struct pwrite_io *io = pwrite_of(base);
	struct posix_file *f = posix_file(base, file);

	if (!f)
		return -EBADF;
	if (io->in_flight == io->depth)
		return -EAGAIN;
	pthread_mutex_lock(&io->mutex);
	io->jobs[(io->jobs_first + io->jobs_count++) % io->depth] = (struct sync_job){
		.fd = f->fd,
		.directory = f->directory,
		.cookie = cookie,
	};
	pthread_cond_signal(&io->work);
	pthread_mutex_unlock(&io->mutex);
	io->in_flight++;
	io->syncs++;
	return 0;
}

static uint32_t take(struct io_completion *from, uint32_t *count, struct io_completion *to,
		     uint32_t max)
{
	uint32_t n = *count < max ? *count : max;

	for (uint32_t i = 0; i < n; i++)
		to[i] = from[i];
	for (uint32_t i = n; i < *count; i++)
		from[i - n] = from[i];
	*count -= n;
	return n;
}

static int reap(struct io *base, struct io_completion *completions, uint32_t max)
{
	struct pwrite_io *io = pwrite_of(base);
	uint32_t n = take(io->done, &io->done_count, completions, max);

	if (io->syncs && n < max) {
		pthread_mutex_lock(&io->mutex);
		uint32_t synced = take(io->answers, &io->answers_count, completions + n, max - n);
		pthread_mutex_unlock(&io->mutex);
		io->syncs -= synced;
		n += synced;
	}
	io->in_flight -= n;
	return (int)n;
}

static void destroy(struct io *base)
{
	struct pwrite_io *io = pwrite_of(base);

	pthread_mutex_lock(&io->mutex);
	io->stop = true;
	pthread_cond_signal(&io->work);
	pthread_mutex_unlock(&io->mutex);
	pthread_join(io->helper, NULL);
	posix_fini(&io->posix, false);
	pthread_cond_destroy(&io->work);
	pthread_mutex_destroy(&io->mutex);
	free(io->done);
	free(io->jobs);
	free(io->answers);
	free(io);
}

static const struct io_ops pwrite_ops = {
	.name = "pwrite",
	.buffers = posix_buffers,
	.prepare = posix_prepare,
	.create = posix_create,
	.open_write = posix_open_write,
	.open_read = posix_open_read,
	.close = posix_close,
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

int io_pwrite_create(int dirfd, uint32_t depth, struct io **ret_io)
{
	if (!depth)
		return -EINVAL;
	struct pwrite_io *io = calloc(1, sizeof(*io));
	if (!io)
		return -ENOMEM;
	posix_init(&io->posix, &pwrite_ops, dirfd, false);
	io->depth = depth;
	io->done = calloc(depth, sizeof(*io->done));
	io->jobs = calloc(depth, sizeof(*io->jobs));
	io->answers = calloc(depth, sizeof(*io->answers));
	int result = io->done && io->jobs && io->answers ? 0 : ENOMEM;
	if (!result) {
		pthread_mutex_init(&io->mutex, NULL);
		pthread_cond_init(&io->work, NULL);
		result = pthread_create(&io->helper, NULL, helper_main, io);
	}
	if (result) {
		free(io->done);
		free(io->jobs);
		free(io->answers);
		free(io);
		return -result;
	}
	pthread_setname_np(io->helper, "weird-sync");
	*ret_io = &io->posix.io;
	return 0;
}
