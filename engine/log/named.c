/*
 * named: which series the segments of a lane name, without reading their events.
 *
 * Idea:  a segment's snapshot names what the segment before has defined, so the snapshots alone
 *        name everything but what each epoch's last segment has. Of that one the headers are read,
 *        one by one, and the payloads of SERIES blocks; so are they of a file whose snapshot does
 *        not come first, and of one behind which a crash has left a snapshot that is not whole.
 *
 * Runs on: who recovers. Never believes a length before the CRC over it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "log/block.h"
#include "log/segments.h"

/* So much without a good header is the end of a file: more than all blocks in flight. */
#define BAD_BYTES_MAX (16u << 20)

struct naming {
	struct io *io;
	uint16_t lane;
	uint8_t *buffer; /* a block */
	int (*take)(void *self, const void *payload, uint32_t bytes);
	void *self;
};

/* A block of definitions whose header is good. */
static int take_block(const struct naming *naming, int file, uint64_t offset,
		      const struct weir_block_header *header)
{
	size_t bytes = sizeof(*header) + header->payload_bytes;
	int64_t got = naming->io->ops->read(naming->io, file, offset, naming->buffer, bytes);
	const uint8_t *payload = naming->buffer + sizeof(*header);

	if (got < 0)
		return (int)got;
	if (got < (int64_t)bytes ||
	    crc32c(0, payload, header->payload_bytes) != header->payload_crc)
		return 0;
	return naming->take(naming->self, payload, header->payload_bytes);
}

/* all: not only what the file begins with. whole: that is whole, for a block that is opened only
 * behind a snapshot follows it without a hole. */
static int walk(const struct naming *naming, const struct segment_entry *entry, int file, bool all,
		bool *ret_whole)
{
	struct weir_block_header header;
	uint64_t offset = 0, limit = BAD_BYTES_MAX, next = entry->base_lsn;

	/* With every block up to where a newer epoch goes on, there is nothing to look for. */
	while (offset < limit && next < entry->void_lsn) {
		int64_t got = naming->io->ops->read(naming->io, file, offset, &header,
						    sizeof(header));
		if (got < (int64_t)sizeof(header))
			return got < 0 ? (int)got : 0;
		if (!block_header_good(&header, entry->id) || header.lane != naming->lane ||
		    header.payload_bytes > WEIR_BLOCK_BYTES_MAX - sizeof(header)) {
			int error = segments_fence(naming->io, file, entry->id, &offset);
			if (error)
				return error < 0 ? error : 0;
			offset += WEIR_BLOCK_ALIGN;
			error = segments_page(naming->io, file, entry->id, limit, &offset);
			if (error < 0)
				return error;
			continue;
		}
		if (header.lsn >= entry->void_lsn)
			return 0;
		bool first = header.type == WEIR_BLOCK_SEGMENT;
		bool snapshot = header.type == WEIR_BLOCK_RINGS || header.type == WEIR_BLOCK_SERIES;
		*ret_whole |= !first && !snapshot && header.lsn == next;
		next += !first && header.lsn == next;
		if (header.type == WEIR_BLOCK_FOOTER || (!first && !snapshot && !all))
			return 0;
		int error = header.type == WEIR_BLOCK_SERIES
				    ? take_block(naming, file, offset, &header)
				    : 0;
		if (error < 0)
			return error;
		offset += weir_block_disk_bytes(header.payload_bytes);
		limit = offset + BAD_BYTES_MAX;
	}
	return 0;
}

/* *whole: in, that of the segment behind it in its epoch, false if there is none; out, its own. */
static int walk_segment(const struct naming *naming, const char *directory,
			const struct segment_entry *entry, bool *whole)
{
	char path[SEGMENT_PATH_BYTES];
	bool mended = entry->continues || entry->again || entry->headless;
	bool all = !*whole || mended;

	segment_path(path, directory, SEGMENT_FILE_SEGMENT, entry->id);
	int file = naming->io->ops->open_read(naming->io, path);
	if (file < 0)
		return file;
	*whole = false;
	int error = walk(naming, entry, file, all, whole);
	*whole &= !mended;
	naming->io->ops->close(naming->io, file);
	return error;
}

int segments_series(struct io *io, const char *directory, uint16_t lane,
		    int (*take)(void *self, const void *payload, uint32_t bytes), void *self)
{
	struct naming naming = {.io = io, .lane = lane, .take = take, .self = self};
	struct segment_list list;
	char why[256];
	int error = segments_list(io, directory, lane, true, &list, why, sizeof(why));

	if (error < 0)
		return error;
	naming.buffer = malloc(WEIR_BLOCK_BYTES_MAX);
	if (!naming.buffer)
		error = -ENOMEM;
	bool whole = false;
	for (uint32_t i = list.count; i-- > 0 && !error;) {
		if (i + 1 < list.count && list.entries[i + 1].epoch != list.entries[i].epoch)
			whole = false;
		error = walk_segment(&naming, directory, &list.entries[i], &whole);
	}
	free(naming.buffer);
	segments_free(&list);
	return error;
}
