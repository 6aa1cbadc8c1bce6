/*
 * simdisk: see simdisk.h. One thread.
 */
#include "support/simdisk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define SECTOR 512u
#define PATH_MAX_BYTES 128u
#define FILES_MAX 4096u
#define NAMES_MAX 4096u
#define IOS_MAX 16u
#define LATE_MAX 64u

struct sim_file {
	char path[PATH_MAX_BYTES];
	bool there; /* has its name; without, a descriptor or an undo may still hold it */
	bool directory;
	uint64_t bytes;
	uint64_t room; /* that it takes; less than its bytes once it was trimmed */
	uint8_t *now;
	uint8_t *safe;
	uint64_t *dirty;  /* per page: number of the write that made it so; 0: clean */
	uint8_t *written; /* per page: WRITTEN_NOW, WRITTEN_SAFE; neither: a hole */
};

enum { WRITTEN_NOW = 1, WRITTEN_SAFE = 2 };

/* A write of a process that was killed. */
struct late {
	struct sim_file *file;
	uint64_t offset;
	size_t bytes;
	uint8_t *data;
};

/* A change of names that no directory sync has covered yet. */
struct name_op {
	struct sim_file *file;
	enum { NAME_MADE, NAME_MOVED, NAME_GONE } kind;
	char before[PATH_MAX_BYTES];
	struct sim_file *displaced; /* by a move */
};

struct pending {
	bool sync;
	struct sim_file *file;
	uint64_t offset;
	const uint8_t *data;
	size_t bytes;
	uint64_t cookie;
	uint64_t due;
	uint64_t covers;  /* sync: writes up to this number */
	uint32_t names;   /* sync of a directory: name operations up to this one */
	int error;
	bool fails, cut_short;
};

struct sim_io {
	struct io io; /* first */
	struct simdisk *disk;
	struct sim_file *files[IO_FILES_MAX];
	struct pending *pending;
	uint32_t pending_count, depth;
	uint64_t ticks;
	void *regions[IO_REGIONS_MAX];
	uint32_t regions_count;
	bool dead;
};

struct fault {
	uint64_t countdown; /* 0: off */
	bool firing;
	bool persistent;
	int error;
};

struct simdisk {
	uint64_t random;
	struct sim_file *files[FILES_MAX];
	uint32_t files_count;
	struct name_op names[NAMES_MAX];
	uint32_t names_count;
	uint64_t names_done; /* operations that were synced or undone before names[0] */
	struct sim_io *ios[IOS_MAX];
	uint32_t ios_count;
	uint32_t delay;
	uint64_t capacity;
	uint64_t writes; /* numbers them */
	struct fault faults[SIMDISK_OPS];
	uint64_t counts[SIMDISK_OPS];
	uint64_t failed;
	struct late late[LATE_MAX];
	uint32_t late_count;
};

static uint64_t random_next(struct simdisk *disk)
{
	uint64_t z = disk->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint64_t below(struct simdisk *disk, uint64_t bound)
{
	return bound ? random_next(disk) % bound : 0;
}

/* Counts the operation; true: it is to fail. */
static bool faulty(struct simdisk *disk, enum simdisk_op op)
{
	struct fault *fault = &disk->faults[op];

	disk->counts[op]++;
	if (fault->firing && fault->persistent) {
		disk->failed++;
		return true;
	}
	if (!fault->countdown || --fault->countdown)
		return false;
	fault->firing = true;
	disk->failed++;
	return true;
}

static struct sim_io *sim_of(struct io *io)
{
	return (struct sim_io *)io;
}

static struct sim_file *file_named(struct simdisk *disk, const char *path)
{
	for (uint32_t i = 0; i < disk->files_count; i++)
		if (disk->files[i]->there && !strcmp(disk->files[i]->path, path))
			return disk->files[i];
	return NULL;
}

static struct name_op *note_name(struct simdisk *disk, struct sim_file *file, int kind)
{
	if (disk->names_count == NAMES_MAX)
		abort();
	struct name_op *op = &disk->names[disk->names_count++];
	*op = (struct name_op){.file = file, .kind = kind};
	strcpy(op->before, file->path);
	return op;
}

static int number(struct sim_io *io, struct sim_file *file)
{
	for (uint32_t i = 0; i < IO_FILES_MAX; i++) {
		if (io->files[i])
			continue;
		io->files[i] = file;
		return (int)i;
	}
	return -EMFILE;
}

static void *sim_buffers(struct io *base, uint32_t count, size_t bytes)
{
	struct sim_io *io = sim_of(base);

	if (io->regions_count == IO_REGIONS_MAX)
		return NULL;
	void *data = aligned_alloc(PAGE, count * bytes);
	if (data)
		memset(data, 0, count * bytes);
	io->regions[io->regions_count++] = data;
	return data;
}

static struct sim_file *new_file(struct simdisk *disk, const char *path, uint64_t bytes,
				 bool directory)
{
	if (disk->files_count == FILES_MAX || strlen(path) >= PATH_MAX_BYTES)
		abort();
	struct sim_file *file = calloc(1, sizeof(*file));
	strcpy(file->path, path);
	file->there = true;
	file->directory = directory;
	file->bytes = file->room = bytes;
	file->now = calloc(1, bytes + 1);
	file->safe = calloc(1, bytes + 1);
	file->dirty = calloc(bytes / PAGE + 1, sizeof(*file->dirty));
	file->written = calloc(bytes / PAGE + 1, 1);
	disk->files[disk->files_count++] = file;
	return file;
}

uint64_t simdisk_used(const struct simdisk *disk)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < disk->files_count; i++)
		if (disk->files[i]->there)
			bytes += disk->files[i]->room;
	return bytes;
}

static int sim_create(struct io *base, const char *path, uint64_t bytes)
{
	struct sim_io *io = sim_of(base);
	struct simdisk *disk = io->disk;

	if (io->dead)
		return -EIO;
	if (faulty(disk, SIMDISK_CREATE))
		return disk->faults[SIMDISK_CREATE].error;
	if (file_named(disk, path))
		return -EEXIST;
	if (simdisk_used(disk) + bytes > disk->capacity)
		return -ENOSPC;
	struct sim_file *file = new_file(disk, path, bytes, false);
	note_name(disk, file, NAME_MADE);
	return number(io, file);
}

static int sim_open(struct io *base, const char *path)
{
	struct sim_io *io = sim_of(base);

	if (io->dead)
		return -EIO;
	if (faulty(io->disk, SIMDISK_OPEN))
		return io->disk->faults[SIMDISK_OPEN].error;
	struct sim_file *file = file_named(io->disk, path);
	return file ? number(io, file) : -ENOENT;
}

static void sim_close(struct io *base, int file)
{
	struct sim_io *io = sim_of(base);

	for (uint32_t i = 0; i < io->pending_count; i++)
		if (io->pending[i].file == io->files[file])
			abort(); /* promised: nothing in flight */
	io->files[file] = NULL;
}

static int64_t sim_size(struct io *base, int file)
{
	struct sim_file *f = sim_of(base)->files[file];

	return f ? (int64_t)f->bytes : -EBADF;
}

static int64_t sim_room(struct io *base, int file)
{
	const struct sim_file *f = sim_of(base)->files[file];

	return f ? (int64_t)f->room : -EBADF;
}

/* A write of zeros as far as a power cut goes: what was there may come back. */
static int sim_trim(struct io *base, int file, uint64_t offset)
{
	struct sim_io *io = sim_of(base);
	struct sim_file *f = io->files[file];

	if (io->dead || !f)
		return -EBADF;
	if (faulty(io->disk, SIMDISK_TRIM))
		return io->disk->faults[SIMDISK_TRIM].error;
	if (offset % PAGE || offset > f->bytes)
		abort(); /* the writer's error */
	const uint64_t write = ++io->disk->writes;
	memset(f->now + offset, 0, f->bytes - offset);
	for (uint64_t page = offset / PAGE; page < f->bytes / PAGE; page++) {
		f->dirty[page] = write;
		f->written[page] &= ~WRITTEN_NOW;
	}
	if (offset < f->room)
		f->room = offset;
	return 0;
}

static int64_t sim_read(struct io *base, int file, uint64_t offset, void *data, size_t bytes)
{
	struct sim_io *io = sim_of(base);
	struct sim_file *f = io->files[file];

	if (io->dead || !f)
		return -EBADF;
	if (faulty(io->disk, SIMDISK_READ))
		return io->disk->faults[SIMDISK_READ].error;
	if (offset >= f->bytes)
		return 0;
	if (bytes > f->bytes - offset)
		bytes = f->bytes - offset;
	memcpy(data, f->now + offset, bytes);
	return (int64_t)bytes;
}

static int64_t sim_next_data(struct io *base, int file, uint64_t offset)
{
	const struct sim_file *f = sim_of(base)->files[file];

	if (sim_of(base)->dead || !f)
		return -EBADF;
	while (offset < f->bytes && !(f->written[offset / PAGE] & WRITTEN_NOW))
		offset = (offset / PAGE + 1) * PAGE;
	return (int64_t)(offset < f->bytes ? offset : f->bytes);
}

static int sim_quiet(struct io *base, const char *path)
{
	const struct simdisk *disk = sim_of(base)->disk;
	const struct sim_file *file = file_named(sim_of(base)->disk, path);

	for (uint32_t i = 0; i < disk->late_count; i++)
		if (disk->late[i].file == file)
			return 0;
	return 1;
}

static int sim_rename(struct io *base, const char *from, const char *to)
{
	struct sim_io *io = sim_of(base);
	struct simdisk *disk = io->disk;

	if (io->dead)
		return -EIO;
	if (faulty(disk, SIMDISK_RENAME))
		return disk->faults[SIMDISK_RENAME].error;
	struct sim_file *file = file_named(disk, from);
	if (!file)
		return -ENOENT;
	struct sim_file *displaced = file_named(disk, to);
	struct name_op *op = note_name(disk, file, NAME_MOVED);
	op->displaced = displaced;
	if (displaced)
		displaced->there = false;
	strcpy(file->path, to);
	return 0;
}

static int sim_unlink(struct io *base, const char *path)
{
	struct sim_io *io = sim_of(base);

	if (io->dead)
		return -EIO;
	if (faulty(io->disk, SIMDISK_UNLINK))
		return io->disk->faults[SIMDISK_UNLINK].error;
	struct sim_file *file = file_named(io->disk, path);
	if (!file)
		return -ENOENT;
	note_name(io->disk, file, NAME_GONE);
	file->there = false;
	return 0;
}

static int sim_make_dir(struct io *base, const char *path)
{
	struct sim_io *io = sim_of(base);

	if (io->dead)
		return -EIO;
	if (!file_named(io->disk, path))
		note_name(io->disk, new_file(io->disk, path, 0, true), NAME_MADE);
	return 0;
}

static void names_safe(struct simdisk *disk, uint32_t count)
{
	memmove(disk->names, disk->names + count,
		(disk->names_count - count) * sizeof(*disk->names));
	disk->names_count -= count;
	disk->names_done += count;
}

static int sim_sync_dir(struct io *base, const char *path)
{
	struct sim_io *io = sim_of(base);

	(void)path;
	if (io->dead)
		return -EIO;
	if (faulty(io->disk, SIMDISK_SYNC_DIR))
		return io->disk->faults[SIMDISK_SYNC_DIR].error;
	names_safe(io->disk, io->disk->names_count);
	return 0;
}

static int sim_list(struct io *base, const char *path, int (*each)(void *self, const char *name),
		    void *self)
{
	struct sim_io *io = sim_of(base);
	struct simdisk *disk = io->disk;
	bool root = strcmp(path, ".") == 0;
	size_t length = root ? 0 : strlen(path);

	if (io->dead)
		return -EIO;
	if (!root && !file_named(disk, path))
		return -ENOENT;
	for (uint32_t i = 0; i < disk->files_count; i++) {
		const struct sim_file *file = disk->files[i];
		const char *name = root ? file->path : file->path + length + 1;
		if (!file->there ||
		    (!root && (strncmp(file->path, path, length) || file->path[length] != '/')) ||
		    strchr(name, '/'))
			continue;
		int stop = each(self, name);
		if (stop)
			return stop < 0 ? stop : 0;
	}
	return 0;
}

static struct pending *submit(struct sim_io *io, int file, uint64_t cookie)
{
	if (io->pending_count == io->depth)
		return NULL;
	struct pending *pending = &io->pending[io->pending_count++];
	*pending = (struct pending){
		.file = io->files[file],
		.cookie = cookie,
		.due = io->ticks + below(io->disk, io->disk->delay + 1),
	};
	return pending;
}

static int sim_write(struct io *base, int file, uint64_t offset, const void *data, size_t bytes,
		     uint64_t cookie)
{
	struct sim_io *io = sim_of(base);

	if (!io->files[file])
		return -EBADF;
	if (io->dead)
		return -EIO;
	if (offset % PAGE || bytes % PAGE || !bytes || (uintptr_t)data % PAGE ||
	    offset + bytes > io->files[file]->bytes)
		abort(); /* the writer's error */
	struct pending *pending = submit(io, file, cookie);
	if (!pending)
		return -EAGAIN;
	pending->offset = offset;
	pending->data = data;
	pending->bytes = bytes;
	if (faulty(io->disk, SIMDISK_WRITE)) {
		pending->error = io->disk->faults[SIMDISK_WRITE].error;
		pending->fails = pending->error != 0;
		pending->cut_short = pending->error == 0;
	}
	return 0;
}

static int sim_sync(struct io *base, int file, uint64_t cookie)
{
	struct sim_io *io = sim_of(base);
	struct sim_file *f = io->files[file];

	if (!f)
		return -EBADF;
	if (io->dead)
		return -EIO;
	struct pending *pending = submit(io, file, cookie);
	if (!pending)
		return -EAGAIN;
	enum simdisk_op op = f->directory ? SIMDISK_SYNC_DIR : SIMDISK_SYNC;
	pending->sync = true;
	pending->covers = io->disk->writes;
	pending->names = (uint32_t)(io->disk->names_done + io->disk->names_count);
	pending->fails = faulty(io->disk, op);
	pending->error = io->disk->faults[op].error;
	return 0;
}

/* Some sectors of a page. */
static void tear(struct simdisk *disk, uint8_t *to, const uint8_t *from)
{
	for (uint32_t at = 0; at < PAGE; at += SECTOR)
		if (random_next(disk) & 1)
			memcpy(to + at, from + at, SECTOR);
}

static void land(struct simdisk *disk, struct sim_file *file, uint64_t offset, const uint8_t *data,
		 size_t bytes)
{
	uint64_t write = ++disk->writes;

	memcpy(file->now + offset, data, bytes);
	for (uint64_t page = offset / PAGE; page < (offset + bytes) / PAGE; page++) {
		file->dirty[page] = write;
		file->written[page] |= WRITTEN_NOW;
	}
}

static int64_t complete_write(struct simdisk *disk, const struct pending *pending)
{
	size_t bytes = pending->bytes;

	if (pending->fails || pending->cut_short) {
		/* Whatever was refused may be there in part. */
		bytes = below(disk, pending->bytes / PAGE) * PAGE;
		land(disk, pending->file, pending->offset, pending->data, bytes);
		if (pending->fails)
			return pending->error;
		return (int64_t)(bytes ? bytes : SECTOR);
	}
	land(disk, pending->file, pending->offset, pending->data, bytes);
	return (int64_t)bytes;
}

static int64_t complete_sync(struct simdisk *disk, const struct pending *pending)
{
	struct sim_file *file = pending->file;

	if (file->directory) {
		if (pending->fails)
			return pending->error;
		if (pending->names > disk->names_done)
			names_safe(disk, (uint32_t)(pending->names - disk->names_done));
		return 0;
	}
	for (uint64_t page = 0; page < file->bytes / PAGE; page++) {
		if (!file->dirty[page] || file->dirty[page] > pending->covers)
			continue;
		/* After a failure a page is clean, whether it got there or not. */
		if (!pending->fails || (random_next(disk) & 1)) {
			memcpy(file->safe + page * PAGE, file->now + page * PAGE, PAGE);
			file->written[page] |= WRITTEN_SAFE;
		}
		file->dirty[page] = 0;
	}
	return pending->fails ? pending->error : 0;
}

static int sim_reap(struct io *base, struct io_completion *completions, uint32_t max)
{
	struct sim_io *io = sim_of(base);
	uint32_t n = 0;

	if (io->dead)
		return 0;
	io->ticks++;
	while (n < max) {
		uint32_t due[256], due_count = 0;
		for (uint32_t i = 0; i < io->pending_count && due_count < 256; i++)
			if (io->pending[i].due < io->ticks)
				due[due_count++] = i;
		if (!due_count)
			break;
		uint32_t i = due[io->disk->delay ? below(io->disk, due_count) : 0];
		const struct pending pending = io->pending[i];
		memmove(&io->pending[i], &io->pending[i + 1],
			(io->pending_count - i - 1) * sizeof(*io->pending));
		io->pending_count--;
		completions[n++] = (struct io_completion){
			.cookie = pending.cookie,
			.result = pending.sync ? complete_sync(io->disk, &pending)
					       : complete_write(io->disk, &pending),
		};
	}
	return (int)n;
}

static void sim_destroy(struct io *base)
{
	struct sim_io *io = sim_of(base);
	struct simdisk *disk = io->disk;

	for (uint32_t i = 0; i < disk->ios_count; i++)
		if (disk->ios[i] == io)
			disk->ios[i] = disk->ios[--disk->ios_count];
	for (uint32_t i = 0; i < io->regions_count; i++)
		free(io->regions[i]);
	free(io->pending);
	free(io);
}

static const struct io_ops sim_ops = {
	.name = "sim",
	.buffers = sim_buffers,
	.create = sim_create,
	.open_write = sim_open,
	.open_read = sim_open,
	.close = sim_close,
	.size = sim_size,
	.room = sim_room,
	.trim = sim_trim,
	.read = sim_read,
	.next_data = sim_next_data,
	.quiet = sim_quiet,
	.rename = sim_rename,
	.unlink = sim_unlink,
	.make_dir = sim_make_dir,
	.sync_dir = sim_sync_dir,
	.list = sim_list,
	.write = sim_write,
	.sync = sim_sync,
	.reap = sim_reap,
	.destroy = sim_destroy,
};

struct simdisk *simdisk_create(uint64_t seed)
{
	struct simdisk *disk = calloc(1, sizeof(*disk));

	disk->random = seed;
	disk->delay = 3;
	disk->capacity = UINT64_MAX;
	return disk;
}

static void file_free(struct sim_file *file)
{
	free(file->now);
	free(file->safe);
	free(file->dirty);
	free(file->written);
	free(file);
}

void simdisk_destroy(struct simdisk *disk)
{
	for (uint32_t i = 0; i < disk->files_count; i++)
		file_free(disk->files[i]);
	free(disk);
}

struct io *simdisk_io(struct simdisk *disk, uint32_t depth)
{
	struct sim_io *io = calloc(1, sizeof(*io));

	if (disk->ios_count == IOS_MAX)
		abort();
	io->io.ops = &sim_ops;
	io->disk = disk;
	io->depth = depth;
	io->pending = calloc(depth, sizeof(*io->pending));
	disk->ios[disk->ios_count++] = io;
	return &io->io;
}

void simdisk_delay(struct simdisk *disk, uint32_t reaps_max)
{
	disk->delay = reaps_max;
}

void simdisk_capacity(struct simdisk *disk, uint64_t bytes)
{
	disk->capacity = bytes;
}

void simdisk_fail(struct simdisk *disk, enum simdisk_op op, uint64_t nth, int error,
		  bool persistent)
{
	disk->faults[op] =
		(struct fault){.countdown = nth, .error = error, .persistent = persistent};
}

uint64_t simdisk_count(const struct simdisk *disk, enum simdisk_op op)
{
	return disk->counts[op];
}

uint64_t simdisk_failed(const struct simdisk *disk)
{
	return disk->failed;
}

uint32_t simdisk_in_flight(const struct simdisk *disk)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < disk->ios_count; i++)
		count += disk->ios[i]->pending_count;
	return count;
}

void simdisk_kill(struct simdisk *disk)
{
	for (uint32_t i = 0; i < disk->ios_count; i++) {
		struct sim_io *io = disk->ios[i];
		for (uint32_t j = 0; j < io->pending_count; j++) {
			const struct pending *pending = &io->pending[j];
			for (size_t at = 0; !pending->sync && at < pending->bytes; at += PAGE)
				if (random_next(disk) & 1)
					land(disk, pending->file, pending->offset + at,
					     pending->data + at, PAGE);
		}
		io->pending_count = 0;
		io->dead = true;
	}
}

static void undo(struct simdisk *disk)
{
	struct name_op *op = &disk->names[--disk->names_count];

	switch (op->kind) {
	case NAME_MADE:
		op->file->there = false;
		break;
	case NAME_GONE:
		op->file->there = true;
		break;
	case NAME_MOVED:
		strcpy(op->file->path, op->before);
		if (op->displaced)
			op->displaced->there = true;
		break;
	}
}

void simdisk_kill_late(struct simdisk *disk)
{
	for (uint32_t i = 0; i < disk->ios_count; i++) {
		const struct sim_io *io = disk->ios[i];
		for (uint32_t j = 0; j < io->pending_count; j++) {
			const struct pending *pending = &io->pending[j];
			if (pending->sync)
				continue;
			if (disk->late_count == LATE_MAX)
				abort();
			struct late *late = &disk->late[disk->late_count++];
			*late = (struct late){
				.file = pending->file,
				.offset = pending->offset,
				.bytes = pending->bytes,
				.data = malloc(pending->bytes),
			};
			memcpy(late->data, pending->data, pending->bytes);
			disk->ios[i]->pending[j].sync = true; /* nothing more of it lands now */
		}
	}
	simdisk_kill(disk);
}

uint32_t simdisk_late(struct simdisk *disk)
{
	const uint32_t count = disk->late_count;

	for (uint32_t i = 0; i < count; i++) {
		const struct late *late = &disk->late[i];
		land(disk, late->file, late->offset, late->data, late->bytes);
		free(late->data);
	}
	disk->late_count = 0;
	return count;
}

void simdisk_power_cut(struct simdisk *disk)
{
	simdisk_kill(disk);
	for (uint32_t i = 0; i < disk->files_count; i++) {
		struct sim_file *file = disk->files[i];
		for (uint64_t page = 0; page < file->bytes / PAGE; page++) {
			uint8_t *safe = file->safe + page * PAGE, *now = file->now + page * PAGE;
			uint64_t fate = file->dirty[page] ? below(disk, 4) : 3;
			const bool hole = !(file->written[page] & WRITTEN_NOW);
			if (fate == 0 || fate == 1)
				memcpy(safe, now, PAGE);
			else if (fate == 2)
				tear(disk, safe, now);
			/* What was allocated and has lost its write reads as zeros, a hole again;
			 * what was trimmed may be back. */
			bool data = file->written[page] & WRITTEN_SAFE;
			if (fate < 3)
				data = fate == 2 || !hole;
			file->written[page] = data ? WRITTEN_NOW | WRITTEN_SAFE : 0;
			if (data && file->room < (page + 1) * PAGE)
				file->room = (page + 1) * PAGE;
			file->dirty[page] = 0;
		}
		memcpy(file->now, file->safe, file->bytes);
	}
	uint64_t keep = below(disk, disk->names_count + 1);
	while (disk->names_count > keep)
		undo(disk);
	names_safe(disk, disk->names_count);
}

uint8_t *simdisk_file(struct simdisk *disk, const char *path, uint64_t *ret_bytes)
{
	struct sim_file *file = file_named(disk, path);

	if (!file)
		return NULL;
	*ret_bytes = file->bytes;
	return file->now;
}

void simdisk_names(struct simdisk *disk, void (*each)(void *self, const char *path), void *self)
{
	for (uint32_t i = 0; i < disk->files_count; i++)
		if (disk->files[i]->there && !disk->files[i]->directory)
			each(self, disk->files[i]->path);
}
