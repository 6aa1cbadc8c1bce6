/*
 * io: the seam between the log and the machine. Four backends behind one table: io_uring with
 * O_DIRECT, pwrite with the same promises, one that keeps nothing, and a simulated disk for tests.
 *
 * Idea:  paths are relative to the data directory. Files are small numbers. Writes and syncs are
 *        asynchronous: submitted with a cookie, completed by reap(). Directory operations and
 *        reads are synchronous; they are rare. Nothing here retries a sync.
 * Runs on: the agent that owns the instance; every lane and the control log have their own.
 */
#ifndef LOG_IO_H
#define LOG_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Calls of buffers(), and files open at once, of one instance: a lane needs two and about ten. */
#define IO_REGIONS_MAX 4u
#define IO_FILES_MAX 64u

struct io;

struct io_completion {
	uint64_t cookie;
	int64_t result; /* bytes written, 0 for a sync, or a negative errno */
};

struct io_ops {
	const char *name; /* "uring", "pwrite", "none", "sim" */
	/* What is written is gone, and nothing may be called kept: checksums are for nobody. */
	bool nowhere;
	/* Buffers for writes: `count` of `bytes` each (a multiple of 4 KiB) in a row, zeroed, 4 KiB
	 * aligned, registered where allowed. At most IO_REGIONS_MAX times, while nothing is in
	 * flight. They live until destroy(). NULL: no memory. */
	void *(*buffers)(struct io *io, uint32_t count, size_t bytes);
	/* Memory that the next buffers() of `bytes` in all will take and leave as it is: who asks
	 * for it touches all of it before that call, on any thread. NULL: there is none, or it is
	 * of no use. */
	void *(*prepare)(struct io *io, size_t bytes);
	/* Make a file of exactly `bytes`, allocated; -EEXIST if there. Opened for writing. */
	int (*create)(struct io *io, const char *path, uint64_t bytes);
	int (*open_write)(struct io *io, const char *path);
	int (*open_read)(struct io *io, const char *path);
	void (*close)(struct io *io, int file); /* nothing may be in flight on it */
	int64_t (*size)(struct io *io, int file);
	/* Bytes of the disk that it takes: less than its size where it has holes. */
	int64_t (*room)(struct io *io, int file);
	/* What a file that is open for writing takes from `offset` on goes back to the file system,
	 * and reads as zeros; its size stays. NULL, or -EOPNOTSUPP: it cannot. */
	int (*trim)(struct io *io, int file, uint64_t offset);
	int64_t (*read)(struct io *io, int file, uint64_t offset, void *data, size_t bytes);
	/* Where data begin, at `offset` or behind it: all before is zeros that nobody has written,
	 * or whose write is not over. The file's size: none do. NULL: nobody can tell. */
	int64_t (*next_data)(struct io *io, int file, uint64_t offset);
	/* A hint: these bytes are read soon, before expect_end() and next to nothing else; the disk
	 * may be asked for them already. A kernel that is not told reads up to megabytes along
	 * with each page that is far from the last one. NULL: hints are of no use. */
	void (*expect)(struct io *io, int file, uint64_t offset, uint64_t bytes);
	void (*expect_end)(struct io *io, int file);
	/* Has every write ended of whoever has had the file open for writing? 1: yes; 0: not yet,
	 * or it is not known. A kernel goes on for a while with what a process had queued when it
	 * was killed; into a file that was removed meanwhile it does no harm. NULL: nobody can
	 * tell. */
	int (*quiet)(struct io *io, const char *path);
	int (*rename)(struct io *io, const char *from, const char *to);
	int (*unlink)(struct io *io, const char *path);
	int (*make_dir)(struct io *io, const char *path);  /* 0 also if there */
	int (*sync_dir)(struct io *io, const char *path);  /* after create, rename, unlink */
	/* Names in a directory, one call each, unsorted. What `each` returns ends it, unless that
	 * is 0, and is the answer if it is negative. */
	int (*list)(struct io *io, const char *path, int (*each)(void *self, const char *name),
		    void *self);
	/* Submit. 0, or -EAGAIN (queue full: reap first). `data` lies in buffers(), aligned. A
	 * short write is the caller's to continue. */
	int (*write)(struct io *io, int file, uint64_t offset, const void *data, size_t bytes,
		     uint64_t cookie);
	/* Data sync of a file; of a directory (open_read), its names. Covers what has completed. */
	int (*sync)(struct io *io, int file, uint64_t cookie);
	/* Completions so far, at most `max`; also pushes what is queued. Never blocks. */
	int (*reap)(struct io *io, struct io_completion *completions, uint32_t max);
	void (*destroy)(struct io *io);
};

/* Where segments end, as a reader has found: at a fence that stands, or where all is a hole up to
 * the end of the file. From 0 on: it has no block at all. Some of each lane, for all lanes. */
#define IO_ENDS_MAX 256u

struct io_end {
	uint64_t id, offset;
};

struct segments_known;

struct io {
	const struct io_ops *ops;
	struct segments_known *known; /* segments.c only; borrowed, NULL: none (see known.c) */
	struct io_end ends[IO_ENDS_MAX]; /* segments.c only; the latest, in a circle */
	uint32_t ends_count;
};

/* Those that another has read through: recovery has, before there is a writer. And what it knows of
 * files, which the writer forgets as soon as it has looked. */
static inline void io_know_ends(struct io *io, const struct io *other)
{
	io->known = other->known;
	memcpy(io->ends, other->ends, sizeof(io->ends));
	io->ends_count = other->ends_count;
}

static inline void io_expect(struct io *io, int file, uint64_t offset, uint64_t bytes)
{
	if (io->ops->expect)
		io->ops->expect(io, file, offset, bytes);
}

static inline void io_expect_end(struct io *io, int file)
{
	if (io->ops->expect_end)
		io->ops->expect_end(io, file);
}

/* `offset`, or the 4 KiB page behind it in which the next data lie: a file that was made for 128
 * MiB and holds one block is not read through. */
static inline uint64_t io_skip_hole(struct io *io, int file, uint64_t offset)
{
	int64_t data = io->ops->next_data ? io->ops->next_data(io, file, offset) : 0;

	return data > (int64_t)offset ? (uint64_t)data & ~UINT64_C(4095) : offset;
}

/* depth: writes and syncs in flight at most. dirfd: of the data directory, borrowed.
 * Negative errno when the machine has no such backend (-EPERM, -ENOSYS, -ENOMEM). */
int io_uring_create(int dirfd, uint32_t depth, struct io **ret_io);
int io_pwrite_create(int dirfd, uint32_t depth, struct io **ret_io);
int io_nowhere_create(uint32_t depth, struct io **ret_io);

#endif
