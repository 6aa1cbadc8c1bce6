/*
 * shelf: see shelf.h.
 */
#include "shelf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

#define CHECKPOINT_CRC_AT 12u
#define CHECKPOINT_LENGTHS_AT 16u /* of the positions, of the sections */

struct filling {
	struct shelf *shelf;
	struct io *from;
	const char *directory;
};

static int take(void *self, const char *name)
{
	struct filling *filling = self;
	struct shelf *shelf = filling->shelf;
	struct io *from = filling->from;

	if (shelf->count == SHELF_FILES_MAX)
		abort();
	struct shelf_file *file = &shelf->files[shelf->count++];
	snprintf(file->path, sizeof(file->path), "%s/%.60s", filling->directory, name);
	int opened = from->ops->open_read(from, file->path);
	int64_t size = opened < 0 ? -1 : from->ops->size(from, opened);
	if (size < 0)
		abort();
	file->bytes = file->capacity = (uint64_t)size;
	file->data = malloc(file->bytes + 1);
	if (!file->data || from->ops->read(from, opened, 0, file->data, file->bytes) != size)
		abort();
	from->ops->close(from, opened);
	return 0;
}

static int by_path(const void *a, const void *b)
{
	const struct shelf_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

struct shelf_file *shelf_find(struct shelf *shelf, const char *directory, uint32_t nth)
{
	size_t bytes = strlen(directory);

	for (uint32_t i = 0; i < shelf->count; i++) {
		struct shelf_file *file = &shelf->files[i];
		if (strncmp(file->path, directory, bytes) == 0 && file->path[bytes] == '/' &&
		    nth-- == 0)
			return file;
	}
	return NULL;
}

static int open_read(struct io *io, const char *path)
{
	const struct shelf *shelf = (const struct shelf *)io;

	for (uint32_t i = 0; i < shelf->count; i++)
		if (strcmp(shelf->files[i].path, path) == 0)
			return (int)i;
	return -ENOENT;
}

static void close_file(struct io *io, int file)
{
	(void)io;
	(void)file;
}

static int64_t size(struct io *io, int file)
{
	return (int64_t)((const struct shelf *)io)->files[file].bytes;
}

static int64_t read_file(struct io *io, int number, uint64_t offset, void *data, size_t bytes)
{
	const struct shelf_file *file = &((const struct shelf *)io)->files[number];

	if (offset >= file->bytes)
		return 0;
	if (bytes > file->bytes - offset)
		bytes = file->bytes - offset;
	memcpy(data, file->data + offset, bytes);
	return (int64_t)bytes;
}

/* "." has the directories, once each; a directory its files. */
static int list(struct io *io, const char *path, int (*each)(void *self, const char *name),
		void *self)
{
	const struct shelf *shelf = (const struct shelf *)io;
	size_t bytes = strlen(path);
	bool top = strcmp(path, ".") == 0, there = top;
	char last[96] = "";

	for (uint32_t i = 0; i < shelf->count; i++) {
		const char *file = shelf->files[i].path;
		char name[96];
		if (top) {
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(file, "/"), file);
			if (strcmp(name, last) == 0)
				continue;
			memcpy(last, name, sizeof(last));
		} else if (strncmp(file, path, bytes) == 0 && file[bytes] == '/') {
			snprintf(name, sizeof(name), "%s", file + bytes + 1);
		} else {
			continue;
		}
		there = true;
		if (each(self, name))
			break;
	}
	return there ? 0 : -ENOENT;
}

static const struct io_ops shelf_ops = {
	.name = "shelf",
	.open_read = open_read,
	.close = close_file,
	.size = size,
	.room = size,
	.read = read_file,
	.list = list,
};

void shelf_fill(struct shelf *shelf, struct io *from, const char *const directories[])
{
	*shelf = (struct shelf){.io = {.ops = &shelf_ops}};
	for (uint32_t i = 0; directories[i]; i++) {
		struct filling filling = {
			.shelf = shelf, .from = from, .directory = directories[i]};
		if (from->ops->list(from, directories[i], take, &filling) < 0)
			abort();
	}
	qsort(shelf->files, shelf->count, sizeof(shelf->files[0]), by_path);
}

void shelf_fini(struct shelf *shelf)
{
	for (uint32_t i = 0; i < shelf->count; i++)
		free(shelf->files[i].data);
}

void shelf_seal_checkpoint(struct shelf_file *file)
{
	uint64_t lengths[2];
	uint32_t crc;

	if (file->bytes < SHELF_CHECKPOINT_HEADER_BYTES)
		return;
	memcpy(lengths, file->data + CHECKPOINT_LENGTHS_AT, sizeof(lengths));
	uint64_t body = file->bytes - SHELF_CHECKPOINT_HEADER_BYTES;
	if (lengths[0] > body || lengths[1] > body - lengths[0])
		return;
	crc = crc32c(0, file->data + SHELF_CHECKPOINT_HEADER_BYTES, lengths[0] + lengths[1]);
	memcpy(file->data + CHECKPOINT_CRC_AT, &crc, sizeof(crc));
}
