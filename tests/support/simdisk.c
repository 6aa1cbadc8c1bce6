/*
 * simdisk: see simdisk.h. One thread.
 */
#include "support/simdisk_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t simdisk_random(struct simdisk *disk)
{
	uint64_t z = disk->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t simdisk_below(struct simdisk *disk, uint64_t bound)
{
	return bound ? simdisk_random(disk) % bound : 0;
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

void simdisk_names_safe(struct simdisk *disk, uint32_t count)
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
	simdisk_names_safe(io->disk, io->disk->names_count);
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
		.due = io->ticks + simdisk_below(io->disk, io->disk->delay + 1),
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
	} else if (pending->file->bad) {
		pending->error = pending->file->bad;
		pending->fails = true;
	}
	if (io->disk->spoils)
		pending->file->bad = pending->error;
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

void simdisk_land(struct simdisk *disk, struct sim_file *file, uint64_t offset, const uint8_t *data,
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
		bytes = simdisk_below(disk, pending->bytes / PAGE) * PAGE;
		simdisk_land(disk, pending->file, pending->offset, pending->data, bytes);
		if (pending->fails)
			return pending->error;
		return (int64_t)(bytes ? bytes : SECTOR);
	}
	simdisk_land(disk, pending->file, pending->offset, pending->data, bytes);
	return (int64_t)bytes;
}

static int64_t complete_sync(struct simdisk *disk, const struct pending *pending)
{
	struct sim_file *file = pending->file;

	if (file->directory) {
		if (pending->fails)
			return pending->error;
		if (pending->names > disk->names_done)
			simdisk_names_safe(disk, (uint32_t)(pending->names - disk->names_done));
		return 0;
	}
	for (uint64_t page = 0; page < file->bytes / PAGE; page++) {
		if (!file->dirty[page] || file->dirty[page] > pending->covers)
			continue;
		/* After a failure a page is clean, whether it got there or not. */
		if (!pending->fails || (simdisk_random(disk) & 1)) {
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
		uint32_t i = due[io->disk->delay ? simdisk_below(io->disk, due_count) : 0];
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

void simdisk_spoil(struct simdisk *disk, bool spoils)
{
	disk->spoils = spoils;
	for (uint32_t i = 0; i < disk->files_count && !spoils; i++)
		disk->files[i]->bad = 0;
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
