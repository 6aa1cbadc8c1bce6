/*
 * segments: reads the first block of each of a lane's files, and puts the files in order.
 *
 * Idea:  ids are random, so order comes from what the first blocks say. Where that block is lost,
 *        the first good block behind it says nearly as much: its epoch, and its LSN as the base.
 * Runs on: who recovers, reads or opens a lane. Bytes from the disk are refused, never believed.
 */
#include "log/segments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "log/block.h"

/* Files of one lane at most: 1 Mi of 128 MiB each. A directory with more is not ours. */
#define SEGMENTS_MAX (1u << 20)
/* Behind a fence, this much is looked through all the same: up to the next one, several blocks. */
#define FENCE_DOUBT_MIN (2u * WEIR_BLOCK_BYTES_MAX)
#define FENCE_DOUBT_MAX (16u * WEIR_BLOCK_BYTES_MAX)
/* ... in pieces of this: mostly the disk has to be asked for all of it. */
#define PIECE_BYTES (256u << 10)
/* Files that are open at once when a directory is listed. */
#define FILES_AT_ONCE (IO_FILES_MAX / 2)

struct ids {
	uint64_t *ids;
	uint32_t count, capacity;
};

static int collect(void *self, const char *name)
{
	struct ids *ids = self;
	uint64_t id;

	if (segment_parse_name(name, &id) != SEGMENT_FILE_SEGMENT)
		return 0;
	if (ids->count == ids->capacity) {
		uint32_t capacity = ids->capacity ? ids->capacity * 2 : 64;
		uint64_t *grown = capacity <= SEGMENTS_MAX
					  ? realloc(ids->ids, capacity * sizeof(*grown))
					  : NULL;
		if (!grown)
			return -ENOMEM;
		ids->ids = grown;
		ids->capacity = capacity;
	}
	ids->ids[ids->count++] = id;
	return 0;
}

int segments_ids(struct io *io, const char *directory, uint64_t **ret_ids, uint32_t *ret_count)
{
	struct ids ids = {0};
	int result = io->ops->list(io, directory, collect, &ids);

	if (result < 0) {
		free(ids.ids);
		return result;
	}
	*ret_ids = ids.ids;
	*ret_count = ids.count;
	return 0;
}

static int refuse(const char *path, const char *what, char *why, size_t why_bytes)
{
	snprintf(why, why_bytes, "%s: %s", path, what);
	return -EPROTONOSUPPORT;
}

/* 1: read; 0: its first block is not good; negative: refused. */
static int read_first(const uint8_t *page, uint64_t id, uint16_t lane, const char *path,
		      struct segment_entry *entry, char *why, size_t why_bytes)
{
	struct weir_block_header header;
	struct weir_segment_info info;

	memcpy(&header, page, sizeof(header));
	if (!block_header_good(&header, id))
		return 0;
	if (header.incompat)
		return refuse(path, "written by a newer weir (unknown format flags); upgrade, or "
				    "move the file away", why, why_bytes);
	if (header.type != WEIR_BLOCK_SEGMENT || header.payload_bytes < sizeof(info) ||
	    header.payload_bytes > 4096 - sizeof(header) ||
	    crc32c(0, page + sizeof(header), header.payload_bytes) != header.payload_crc)
		return 0;
	memcpy(&info, page + sizeof(header), sizeof(info));
	if (info.format_major != WEIR_FORMAT_MAJOR)
		return refuse(path, "written in another major format; upgrade, or move the file "
				    "away", why, why_bytes);
	if (header.lane != lane)
		return refuse(path, "belongs to another lane; move it back to its own directory",
			      why, why_bytes);
	if (info.base_lsn != header.lsn)
		return 0;
	*entry = (struct segment_entry){
		.id = id,
		.base_lsn = info.base_lsn,
		.previous_id = info.previous_id,
		.created_ms = info.created_ms,
		.durable_lsn = header.durable_lsn,
		.void_lsn = UINT64_MAX,
		.epoch = header.epoch,
		.serial = info.serial,
		.continues = info.flags & WEIR_SEGMENT_CONTINUES,
		.again = info.flags & WEIR_SEGMENT_AGAIN,
	};
	return 1;
}

/* A start of an engine lists its segments several times and reads them more than once, what a dead
 * engine had made in advance may be 128 MiB of zeros, and who follows a live one comes to its end
 * again and again. An end stays one while its fence stands, and a file without a block while it has
 * no first one: before it has a block behind, that is covered. */
static bool known_end(const struct io *io, uint64_t id, uint64_t offset)
{
	for (uint32_t i = 0; i < IO_ENDS_MAX && i < io->ends_count; i++)
		if (io->ends[i].id == id && io->ends[i].offset == offset)
			return true;
	return false;
}

static void note_end(struct io *io, uint64_t id, uint64_t offset)
{
	if (!known_end(io, id, offset))
		io->ends[io->ends_count++ % IO_ENDS_MAX] = (struct io_end){.id = id,
									   .offset = offset};
}

uint64_t segments_end(const struct io *io, uint64_t id)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < IO_ENDS_MAX && i < io->ends_count; i++)
		if (io->ends[i].id == id && io->ends[i].offset > end)
			end = io->ends[i].offset;
	return end;
}

/* Does a page of the piece claim to be a block of the segment? */
static bool piece_claims(const uint8_t *piece, uint64_t bytes, uint64_t id)
{
	struct weir_block_header header;

	for (uint64_t at = 0; at + sizeof(header) <= bytes; at += WEIR_BLOCK_ALIGN) {
		memcpy(&header, piece + at, sizeof(header));
		if (block_header_claims(&header, id))
			return true;
	}
	return false;
}

/* Does a page from `from` to `until`, or to the end of the file? */
static int claimed(struct io *io, int file, uint64_t id, uint64_t from, uint64_t until)
{
	uint8_t *piece = malloc(PIECE_BYTES);
	int64_t bytes = piece ? (int64_t)PIECE_BYTES : -ENOMEM;
	bool found = false;

	for (uint64_t at = from; at < until && bytes == PIECE_BYTES && !found; at += PIECE_BYTES) {
		bytes = io->ops->read(io, file, at, piece, PIECE_BYTES);
		if (bytes > 0 && (uint64_t)bytes > until - at)
			bytes = (int64_t)(until - at);
		found = bytes > 0 && piece_claims(piece, (uint64_t)bytes, id);
	}
	free(piece);
	return bytes < 0 ? (int)bytes : found;
}

static bool all_zeros(const uint8_t *page)
{
	return page[0] == 0 && memcmp(page, page + 1, WEIR_BLOCK_ALIGN - 1) == 0;
}

/* Zeros are read: the file system knows its holes only until they have been looked at, from then on
 * they are pages that the cache has. */
int segments_unwritten(struct io *io, int file, uint64_t at)
{
	uint8_t page[WEIR_BLOCK_ALIGN];
	struct weir_fence fence;
	int64_t bytes = io->ops->read(io, file, at, page, sizeof(page));

	if (bytes < (int64_t)sizeof(page))
		return bytes < 0 ? (int)bytes : 0;
	memcpy(&fence, page, sizeof(fence));
	return all_zeros(page) || fence_good(&fence, fence.segment_id, at);
}

/* Does the file look as one does of which nothing was written from this fence on? 1: yes. */
static int ends_with(struct io *io, int file, uint64_t size, const struct weir_fence *fence)
{
	const uint64_t near = fence->stride < FENCE_DOUBT_MIN   ? FENCE_DOUBT_MIN
			      : fence->stride > FENCE_DOUBT_MAX ? FENCE_DOUBT_MAX
								: fence->stride;
	const uint64_t behind = fence->offset + WEIR_BLOCK_ALIGN;

	io_expect(io, file, behind, near - WEIR_BLOCK_ALIGN);
	for (uint64_t left = size - fence->offset, on = fence->stride; on < left;
	     on += fence->stride)
		io_expect(io, file, fence->offset + on, WEIR_BLOCK_ALIGN);
	int claims = claimed(io, file, fence->segment_id, behind, fence->offset + near);
	if (claims)
		return claims < 0 ? claims : 0;
	for (uint64_t left = size - fence->offset, on = fence->stride; on < left;
	     on += fence->stride) {
		int unwritten = segments_unwritten(io, file, fence->offset + on);
		if (unwritten <= 0)
			return unwritten;
	}
	return 1;
}

/* Blocks count in the order in which they lie in the file, so none behind a page that was never
 * covered does. A disk that has lost writes over a fence is found out by what lies up to the next
 * one, or by the fences behind it, unless it has lost all of that. */
int segments_fence(struct io *io, int file, uint64_t id, uint64_t *offset)
{
	struct weir_fence fence;
	int64_t bytes = io->ops->read(io, file, *offset, &fence, sizeof(fence));

	if (bytes < (int64_t)sizeof(fence) || !fence_good(&fence, id, *offset))
		return bytes < 0 ? (int)bytes : 0;
	int64_t size = io->ops->size(io, file);
	if (size < (int64_t)*offset)
		return size < 0 ? (int)size : 0;
	int ends = known_end(io, id, *offset);
	if (!ends) {
		ends = ends_with(io, file, (uint64_t)size, &fence);
		io_expect_end(io, file);
	}
	if (ends <= 0)
		return ends;
	note_end(io, id, *offset);
	*offset = (uint64_t)size;
	return 1;
}

static bool hole_from(struct io *io, int file, uint64_t offset)
{
	const int64_t size = io->ops->size(io, file);

	return size > 0 && offset < (uint64_t)size &&
	       io_skip_hole(io, file, offset) >= (uint64_t)size;
}

void segments_hole(struct io *io, int file, uint64_t id, uint64_t from)
{
	if (hole_from(io, file, from))
		note_end(io, id, from);
}

int segments_ended(struct io *io, int file, uint64_t id, uint64_t end)
{
	struct weir_fence fence;

	if (hole_from(io, file, end))
		return 1;
	return io->ops->read(io, file, end, &fence, sizeof(fence)) == sizeof(fence) &&
	       fence_good(&fence, id, end);
}

int segments_page(struct io *io, int file, uint64_t id, uint64_t limit, uint64_t *offset)
{
	struct weir_block_header header;
	/* Who follows a live engine looks at little, and leaves the pages of its file alone. */
	uint64_t at = limit == UINT64_MAX ? io_skip_hole(io, file, *offset) : *offset;
	int64_t bytes = 0;
	bool found = false;

	for (; at < limit && !found; at += WEIR_BLOCK_ALIGN) {
		bytes = io->ops->read(io, file, at, &header, sizeof(header));
		if (bytes < (int64_t)sizeof(header))
			break;
		found = header.magic == WEIR_BLOCK_MAGIC;
		if (header.magic != WEIR_FENCE_MAGIC)
			continue;
		*offset = at;
		int fenced = segments_fence(io, file, id, offset);
		if (fenced)
			return fenced < 0 ? fenced : 0;
	}
	*offset = found ? at - WEIR_BLOCK_ALIGN : at;
	return bytes < 0 ? (int)bytes : found;
}

/* The first block is lost: find another. 1: found; 0: there is none. */
static int search(struct io *io, int file, uint64_t id, uint16_t lane, struct segment_entry *entry)
{
	struct weir_block_header header;
	uint64_t offset = 0;

	if (known_end(io, id, 0))
		return 0;
	int fenced = segments_fence(io, file, id, &offset);
	if (fenced < 0)
		return fenced;
	do {
		offset += fenced ? 0 : WEIR_BLOCK_ALIGN;
		int found = segments_page(io, file, id, UINT64_MAX, &offset);
		if (found < 0)
			return found;
		int64_t bytes = io->ops->read(io, file, offset, &header, sizeof(header));
		if (bytes < 0)
			return (int)bytes;
		if (bytes < (int64_t)sizeof(header)) {
			note_end(io, id, 0);
			return 0;
		}
	} while (!block_header_good(&header, id) || header.lane != lane);
	*entry = (struct segment_entry){
		.id = id,
		.base_lsn = header.lsn,
		.durable_lsn = header.durable_lsn,
		.void_lsn = UINT64_MAX,
		.epoch = header.epoch,
		.headless = true,
	};
	return 1;
}

/* Of a file that has been opened, or could not be, and is closed. */
static int read_entry(struct io *io, const char *path, int file, uint64_t id, uint16_t lane,
		      bool headless, struct segment_entry *entry, char *why, size_t why_bytes)
{
	_Alignas(8) uint8_t page[4096];

	if (file == -ENOENT)
		return 0; /* retention was faster */
	if (file < 0) {
		snprintf(why, why_bytes, "%s: %s", path, strerror(-file));
		return file;
	}
	int64_t room = io->ops->room(io, file);
	int64_t bytes = io->ops->read(io, file, 0, page, sizeof(page));
	int result = bytes < 0 ? (int)bytes : 0;
	if (bytes == sizeof(page))
		result = read_first(page, id, lane, path, entry, why, why_bytes);
	if (result == 0 && headless && bytes == sizeof(page))
		result = search(io, file, id, lane, entry);
	io->ops->close(io, file);
	if (result < 0 && result != -EPROTONOSUPPORT)
		snprintf(why, why_bytes, "%s: %s", path, strerror(-result));
	if (result == 1) {
		entry->file_bytes = room > 0 ? (uint64_t)room : 0;
		segments_note(io->known, entry, lane);
	}
	return result;
}

int segments_entry(struct io *io, const char *directory, uint64_t id, uint16_t lane, bool headless,
		   struct segment_entry *entry, char *why, size_t why_bytes)
{
	char path[SEGMENT_PATH_BYTES];

	if (segments_recall(io->known, id, lane, entry))
		return 1;
	segment_path(path, directory, SEGMENT_FILE_SEGMENT, id);
	return read_entry(io, path, io->ops->open_read(io, path), id, lane, headless, entry, why,
			  why_bytes);
}

int segments_compare(const void *a, const void *b)
{
	const struct segment_entry *x = a, *y = b;

	if (x->epoch != y->epoch)
		return x->epoch < y->epoch ? -1 : 1;
	if (x->base_lsn != y->base_lsn)
		return x->base_lsn < y->base_lsn ? -1 : 1;
	/* A rewrite that was itself rewritten: same blocks, the later one last. */
	if (x->serial != y->serial)
		return x->serial < y->serial ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void mark_void(struct segment_list *list)
{
	uint64_t void_lsn = UINT64_MAX;  /* by epochs newer than that of entry i */
	uint64_t base_min = UINT64_MAX;  /* of entry i's own epoch and newer */
	uint32_t serial_max = 0;         /* of those up to entry i in its epoch */

	for (uint32_t i = 0; i < list->count; i++) {
		struct segment_entry *entry = &list->entries[i];
		if (i && entry->epoch != list->entries[i - 1].epoch)
			serial_max = 0;
		/* By a file that was begun later and starts no later. */
		bool same = i + 1 < list->count && entry[1].epoch == entry->epoch &&
			    entry[1].base_lsn == entry->base_lsn;
		entry->superseded = entry->serial && (entry->serial < serial_max || same);
		if (entry->serial > serial_max)
			serial_max = entry->serial;
	}
	for (uint32_t i = list->count; i-- > 0;) {
		struct segment_entry *entry = &list->entries[i];
		if (i + 1 < list->count && entry->epoch != list->entries[i + 1].epoch)
			void_lsn = base_min;
		entry->void_lsn = void_lsn;
		if (entry->base_lsn < base_min)
			base_min = entry->base_lsn;
	}
}

void segments_expect(struct io *io, const char *directory, uint64_t id, uint64_t bytes)
{
	char path[SEGMENT_PATH_BYTES];

	if (!io->ops->expect)
		return;
	segment_path(path, directory, SEGMENT_FILE_SEGMENT, id);
	int file = io->ops->open_read(io, path);
	if (file < 0)
		return;
	io_expect(io, file, 0, bytes);
	io->ops->close(io, file);
}

/* Entries of as many files as are asked for at once: a disk that is asked for one after the other
 * lets a start wait for each. */
static int list_some(struct io *io, const char *directory, const uint64_t *ids, uint32_t count,
		     uint16_t lane, bool headless, struct segment_list *list, char *why,
		     size_t why_bytes)
{
	char path[SEGMENT_PATH_BYTES];
	int files[FILES_AT_ONCE];
	int result = 0;

	for (uint32_t i = 0; i < count; i++) {
		segment_path(path, directory, SEGMENT_FILE_SEGMENT, ids[i]);
		files[i] = io->ops->open_read(io, path);
		if (files[i] >= 0)
			io_expect(io, files[i], 0, WEIR_BLOCK_ALIGN);
	}
	for (uint32_t i = 0; i < count; i++) {
		if (result < 0) {
			if (files[i] >= 0)
				io->ops->close(io, files[i]);
			continue;
		}
		segment_path(path, directory, SEGMENT_FILE_SEGMENT, ids[i]);
		/* Others may have had too many open; these are closed by now. */
		if (files[i] < 0)
			files[i] = io->ops->open_read(io, path);
		result = read_entry(io, path, files[i], ids[i], lane, headless,
				    &list->entries[list->count], why, why_bytes);
		if (result == 1)
			list->count++;
		else if (result == 0)
			list->empty_ids[list->empty++] = ids[i];
	}
	return result < 0 ? result : 0;
}

/* Those that are known already go first, and leave the others in `ids`: how many. */
static uint32_t list_known(const struct io *io, uint64_t *ids, uint32_t count, uint16_t lane,
			   struct segment_list *list)
{
	uint32_t others = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (segments_recall(io->known, ids[i], lane, &list->entries[list->count]))
			list->count++;
		else
			ids[others++] = ids[i];
	}
	return others;
}

int segments_list(struct io *io, const char *directory, uint16_t lane, bool headless,
		  struct segment_list *ret_list, char *why, size_t why_bytes)
{
	struct segment_list list = {0};
	uint64_t *ids;
	uint32_t count;
	int result = segments_ids(io, directory, &ids, &count);

	if (result < 0) {
		snprintf(why, why_bytes, "%s: %s", directory, strerror(-result));
		return result;
	}
	list.entries = calloc(count ? count : 1, sizeof(*list.entries));
	list.empty_ids = calloc(count ? count : 1, sizeof(*list.empty_ids));
	if (!list.entries || !list.empty_ids)
		result = -ENOMEM;
	if (result == 0)
		count = list_known(io, ids, count, lane, &list);
	for (uint32_t i = 0; i < count && result == 0; i += FILES_AT_ONCE)
		result = list_some(io, directory, &ids[i],
				   count - i < FILES_AT_ONCE ? count - i : FILES_AT_ONCE, lane,
				   headless, &list, why, why_bytes);
	free(ids);
	if (result < 0) {
		segments_free(&list);
		return result;
	}
	qsort(list.entries, list.count, sizeof(*list.entries), segments_compare);
	mark_void(&list);
	*ret_list = list;
	return 0;
}

void segments_free(struct segment_list *list)
{
	free(list->entries);
	free(list->empty_ids);
	*list = (struct segment_list){0};
}
