/*
 * reader: a lane's blocks in LSN order, whatever the disk did to them.
 *
 * Idea:  each file has a cursor that stands on its first good block at or above the wanted LSN.
 *        The wanted block is taken from any file that has it and does not have it void; where a
 *        file was continued by another, both may, and the copies are the same. A bad header is
 *        passed over in steps of 4 KiB, a bad payload as a whole: its header says how long it is.
 *
 *          wanted = 7:   file A  | 5 | 6 | ? | 8 |          8 > 7: not here
 *                        file B            | 7 | 8 | 9      (continues A) here
 *
 *        Nowhere: if any header says that it was durable, it is a gap (corruption), and reading
 *        goes on at the next block there is; if none does, it is the torn tail, the end. Who reads
 *        may know of more that was kept: to end there would give numbers a second time.
 *        A live engine may write meanwhile: what is missing is looked for once more, on the disk,
 *        after the headers that would make it a gap have been seen.
 * Runs on: who reads; any number of readers beside a writer.
 * Never:   believes a length before the CRC over it, returns a block twice.
 */
#include "log/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "log/block.h"
#include "log/segments.h"

/* Any block lies in it whole, so that no file's end is needed; fuzz targets, whose whole files are
 * shorter than a block may be, have a smaller one. */
#ifndef READER_WINDOW_BYTES
#define READER_WINDOW_BYTES (1u << 20)
#endif
/* The first one of a file, and any that is far from the last: many files hold no more than that. */
#define READER_FIRST_BYTES (64u << 10)
/* The beginnings of so many files are asked for before they are read. */
#define FILES_AHEAD 16u
/* How far a reader that follows looks ahead in a file that is being written. */
#define AHEAD_BYTES (1u << 20)

struct cursor {
	struct segment_entry segment;
	int file;          /* -1: closed */
	uint64_t offset;   /* of the block it stands on, or where to look for it */
	uint64_t good_end; /* behind the last block that was returned or passed over as older */
	uint64_t lsn;      /* of the block it stands on, 0: none found yet */
	uint64_t checked;  /* `loads` of the reader when its payload was checked */
	uint64_t barren, barren_end; /* no page in between begins as a block does; 0: not known */
	bool ended;        /* footer, or the end of a file that nobody writes any more */
	bool gone;         /* removed by retention while we read */
};

struct reader {
	struct io *io;
	char directory[80];
	uint16_t lane;
	bool follow;
	struct cursor *cursors; /* in order */
	uint32_t count;
	uint32_t first;  /* cursors before this have nothing at or above `wanted` */
	uint32_t recent; /* the one that had the last block */
	uint32_t expected; /* of the cursors before this the disk was asked for the beginning */
	uint64_t wanted;
	uint64_t removed_lsn; /* below this, files may be missing because retention took them */
	uint64_t durable_lsn;
	uint64_t kept_lsn; /* somebody knows that there was this block, and all before it */
	uint64_t behind_lsn; /* the next block there is behind the end; 0: none */
	bool gap_before;
	bool front_open; /* nothing is read yet; the oldest file continues one that is not there */
	struct reader_report report;
	/* One piece of one file. */
	uint8_t *window;
	uint32_t window_cursor;
	uint64_t window_offset;
	uint64_t window_bytes;
	uint64_t loads;
	char why[256];
};

/* An engine that was started often left many short files: the disk is asked for several at once. */
static void expect_next(struct reader *reader, uint32_t index)
{
	if (reader->expected < index)
		reader->expected = index;
	for (; reader->expected < reader->count && reader->expected < index + FILES_AHEAD;
	     reader->expected++)
		segments_expect(reader->io, reader->directory,
				reader->cursors[reader->expected].segment.id, READER_FIRST_BYTES);
}

static bool cursor_open(struct reader *reader, struct cursor *cursor)
{
	char path[SEGMENT_PATH_BYTES];

	if (cursor->file >= 0)
		return true;
	expect_next(reader, (uint32_t)(cursor - reader->cursors));
	segment_path(path, reader->directory, SEGMENT_FILE_SEGMENT, cursor->segment.id);
	cursor->file = reader->io->ops->open_read(reader->io, path);
	if (cursor->file == -ENOENT)
		cursor->gone = true;
	if (cursor->file < 0)
		return false;
	return true;
}

static void cursor_close(struct reader *reader, struct cursor *cursor)
{
	if (cursor->file >= 0)
		reader->io->ops->close(reader->io, cursor->file);
	cursor->file = -1;
	reader->window_bytes = 0;
}

/* At least `need` bytes of a file at `offset`, in *ret; fewer at its end. */
static int64_t look(struct reader *reader, struct cursor *cursor, uint64_t offset, uint32_t need,
		    const uint8_t **ret)
{
	uint32_t index = (uint32_t)(cursor - reader->cursors);
	uint64_t end = reader->window_offset + reader->window_bytes;

	if (reader->window_cursor != index || offset < reader->window_offset ||
	    offset + need > end) {
		bool goes_on = reader->window_cursor == index && offset <= end &&
			       offset >= reader->window_offset;
		uint64_t bytes = goes_on ? 4 * reader->window_bytes : READER_FIRST_BYTES;
		if (bytes < need)
			bytes = need;
		if (bytes > READER_WINDOW_BYTES)
			bytes = READER_WINDOW_BYTES;
		int64_t got = reader->io->ops->read(reader->io, cursor->file, offset,
						    reader->window, bytes);
		reader->window_bytes = 0;
		reader->loads++;
		if (got < 0)
			return got;
		reader->window_cursor = index;
		reader->window_offset = offset;
		reader->window_bytes = (uint64_t)got;
	}
	*ret = reader->window + (offset - reader->window_offset);
	return (int64_t)(reader->window_offset + reader->window_bytes - offset);
}

enum verdict {
	BLOCK_GOOD,
	BLOCK_BAD,     /* nothing to believe: try 4 KiB further */
	BLOCK_DAMAGED, /* the header is good, what it describes is not */
	BLOCK_END,     /* the file has no more */
};

/* Run counts add up, marks carry none; the lengths are those of the counts. */
static bool events_good(const struct weir_block_header *header, const uint8_t *payload)
{
	uint64_t events_bytes = (uint64_t)header->count * sizeof(struct weir_event);
	uint64_t runs_bytes = (uint64_t)header->runs * sizeof(struct weir_run);
	uint64_t events = 0;

	if (header->runs > WEIR_BLOCK_RUNS_MAX ||
	    events_bytes + runs_bytes != header->payload_bytes)
		return false;
	for (uint32_t i = 0; i < header->runs; i++) {
		struct weir_run run;
		memcpy(&run, payload + events_bytes + i * sizeof(run), sizeof(run));
		if (run.ring == WEIR_RUN_MARK && run.count)
			return false;
		events += run.count;
	}
	return events == header->count;
}

/* The header at an offset, checked; its durable_lsn is noted even if it is not wanted. */
static int read_header(struct reader *reader, struct cursor *cursor, uint64_t offset,
		       struct weir_block_header *ret_header)
{
	const uint8_t *data;
	int64_t bytes = look(reader, cursor, offset, WEIR_BLOCK_ALIGN, &data);

	if (bytes < 0)
		return (int)bytes;
	if (bytes < (int64_t)WEIR_BLOCK_ALIGN)
		return BLOCK_END;
	memcpy(ret_header, data, sizeof(*ret_header));
	if (!block_header_good(ret_header, cursor->segment.id) ||
	    ret_header->lane != reader->lane || ret_header->epoch != cursor->segment.epoch)
		return BLOCK_BAD;
	if (ret_header->durable_lsn > reader->durable_lsn)
		reader->durable_lsn = ret_header->durable_lsn;
	return BLOCK_GOOD;
}

static int check_payload(struct reader *reader, struct cursor *cursor, uint64_t offset,
			 const struct weir_block_header *header, const uint8_t **ret_payload)
{
	const uint8_t *data;
	uint32_t all = (uint32_t)sizeof(*header) + header->payload_bytes;
	int64_t bytes = look(reader, cursor, offset, all, &data);

	if (bytes < 0)
		return (int)bytes;
	if (bytes < (int64_t)all)
		return BLOCK_DAMAGED;
	data += sizeof(*header);
	if (crc32c(0, data, header->payload_bytes) != header->payload_crc)
		return BLOCK_DAMAGED;
	if (header->type == WEIR_BLOCK_EVENTS && !events_good(header, data))
		return BLOCK_DAMAGED;
	*ret_payload = data;
	return BLOCK_GOOD;
}

static int refuse(struct reader *reader, const struct cursor *cursor, const char *what)
{
	snprintf(reader->why, sizeof(reader->why), "%s/%016llx.wseg: %s", reader->directory,
		 (unsigned long long)cursor->segment.id, what);
	return -EPROTONOSUPPORT;
}

static bool type_known(uint8_t type)
{
	return (type >= WEIR_BLOCK_SEGMENT && type <= WEIR_BLOCK_CONTROL) ||
	       (type & WEIR_BLOCK_SKIPPABLE);
}

/* Is this file one that a live engine may still write to? Then its end is not the end. An engine
 * finishes one file while it fills the next. */
static bool growing(const struct reader *reader, const struct cursor *cursor)
{
	const struct cursor *last = &reader->cursors[reader->count - 1];

	return reader->follow && last - cursor <= 1 &&
	       last->segment.epoch == cursor->segment.epoch;
}

/* Moves *offset to the page behind one that holds no block, before `limit`. Where another window
 * would have to be read for it, what is none at the first glance is passed over; and all of the
 * rest where a fence says so: most of a file that an engine left at its death is none. */
static int next_page(struct reader *reader, struct cursor *cursor,
		     const struct weir_block_header *header, uint64_t limit, uint64_t *offset)
{
	uint64_t id = cursor->segment.id;

	if (header->magic == WEIR_FENCE_MAGIC) {
		int fenced = segments_fence(reader->io, cursor->file, id, offset);
		if (fenced)
			return fenced < 0 ? fenced : 0;
	}
	uint64_t from = *offset += WEIR_BLOCK_ALIGN;
	if (reader->window_cursor == (uint32_t)(cursor - reader->cursors) &&
	    from + WEIR_BLOCK_ALIGN <= reader->window_offset + reader->window_bytes)
		return 0;
	if (from >= limit)
		return 0;
	/* A dead file is walked for its last block, and again for what is torn behind that. */
	if (limit == UINT64_MAX && cursor->barren && from >= cursor->barren &&
	    from < cursor->barren_end) {
		*offset = cursor->barren_end;
		return 0;
	}
	int found = segments_page(reader->io, cursor->file, id, limit, offset);
	if (found == 0 && limit == UINT64_MAX) {
		cursor->barren = from;
		cursor->barren_end = *offset;
		segments_hole(reader->io, cursor->file, id, from);
	}
	return found < 0 ? found : 0;
}

/* Move to the first good block at or above `wanted`. 1: stands on it; 0: there is none (yet). */
static int seek(struct reader *reader, struct cursor *cursor)
{
	uint64_t limit = UINT64_MAX;

	if (cursor->lsn >= reader->wanted && cursor->lsn < cursor->segment.void_lsn)
		return 1;
	cursor->lsn = 0;
	if (cursor->ended || cursor->gone)
		return 0;
	if (!cursor_open(reader, cursor))
		return cursor->gone ? 0 : cursor->file;
	uint64_t offset = cursor->offset;
	if (growing(reader, cursor))
		limit = offset + AHEAD_BYTES;
	while (offset < limit) {
		struct weir_block_header header;
		const uint8_t *payload;
		int verdict = read_header(reader, cursor, offset, &header);
		if (verdict < 0)
			return verdict;
		if (verdict == BLOCK_END) {
			cursor->ended = !growing(reader, cursor);
			break;
		}
		if (verdict == BLOCK_BAD || (header.type == WEIR_BLOCK_SEGMENT && offset)) {
			int error = next_page(reader, cursor, &header, limit, &offset);
			if (error < 0)
				return error;
			continue;
		}
		if (header.incompat)
			return refuse(reader, cursor, "unknown format flags; a newer weir wrote "
						      "this, upgrade to read it");
		if (!type_known(header.type))
			return refuse(reader, cursor, "unknown block type; a newer weir wrote "
						      "this, upgrade to read it");
		uint64_t next = offset + weir_block_disk_bytes(header.payload_bytes);
		if (header.type == WEIR_BLOCK_FOOTER || header.lsn >= cursor->segment.void_lsn) {
			cursor->ended = true;
			cursor->offset = offset;
			return 0;
		}
		if (header.type == WEIR_BLOCK_SEGMENT || header.lsn < reader->wanted) {
			cursor->offset = cursor->good_end = offset = next;
			continue;
		}
		verdict = check_payload(reader, cursor, offset, &header, &payload);
		if (verdict < 0)
			return verdict;
		if (verdict == BLOCK_GOOD) {
			cursor->offset = offset;
			cursor->lsn = header.lsn;
			cursor->checked = reader->loads;
			return 1;
		}
		offset = next;
	}
	/* A file that nobody writes keeps the place; in a growing one the same bytes may yet
	 * become good. */
	if (!growing(reader, cursor))
		cursor->offset = offset;
	return 0;
}

/* The cursor stands on the wanted block. */
static int deliver(struct reader *reader, struct cursor *cursor, struct reader_block *ret_block)
{
	struct weir_block_header header;
	const uint8_t *payload;
	int verdict = read_header(reader, cursor, cursor->offset, &header);

	/* Still in memory as it was checked, or once more. */
	if (verdict == BLOCK_GOOD && cursor->checked == reader->loads)
		payload = reader->window + (cursor->offset - reader->window_offset) +
			  sizeof(header);
	else if (verdict == BLOCK_GOOD)
		verdict = check_payload(reader, cursor, cursor->offset, &header, &payload);
	if (verdict < 0)
		return verdict;
	if (verdict != BLOCK_GOOD || header.lsn != cursor->lsn) {
		cursor->lsn = 0; /* recycled under our eyes */
		cursor->ended = true;
		return 0;
	}
	cursor->offset += weir_block_disk_bytes(header.payload_bytes);
	cursor->good_end = cursor->offset;
	cursor->lsn = 0;
	reader->wanted = header.lsn + 1;
	reader->front_open = false;
	reader->recent = (uint32_t)(cursor - reader->cursors);
	if (header.type & WEIR_BLOCK_SKIPPABLE)
		return 0;
	bool events = header.type == WEIR_BLOCK_EVENTS;
	*ret_block = (struct reader_block){
		.header = header,
		.payload = payload,
		.events = events ? (const struct weir_event *)payload : NULL,
		.runs = events ? (const struct weir_run *)(payload +
							   header.count * sizeof(struct weir_event))
			       : NULL,
		.gap_before = reader->gap_before,
	};
	reader->gap_before = false;
	reader->report.blocks++;
	reader->report.events += events ? header.count : 0;
	return 1;
}

/* Look for the wanted block in every file that may have it. 1: found, *ret_cursor; 0: no, and
 * *ret_next is the lowest LSN above it that there is (0: none). */
static int find(struct reader *reader, struct cursor **ret_cursor, uint64_t *ret_next)
{
	uint64_t next = 0;

	/* Nearly always behind the last one; not if that file is done with. */
	if (reader->recent >= reader->first && reader->recent < reader->count) {
		*ret_cursor = &reader->cursors[reader->recent];
		int result = seek(reader, *ret_cursor);
		if (result < 0 || (*ret_cursor)->lsn == reader->wanted)
			return result;
	}
	for (uint32_t i = reader->first; i < reader->count; i++) {
		struct cursor *cursor = &reader->cursors[i];
		if (next && cursor->segment.base_lsn > next)
			continue;
		int result = seek(reader, cursor);
		if (result < 0)
			return result;
		if (result == 0)
			continue;
		*ret_cursor = cursor;
		if (cursor->lsn == reader->wanted)
			return 1;
		if (!next || cursor->lsn < next)
			next = cursor->lsn;
	}
	*ret_next = next;
	return 0;
}

/* Files that have ended before `wanted`, or whose later blocks a newer epoch voids, are done with.
 * A dead engine's has no footer: without the second rule it would stay open. */
static void retire(struct reader *reader)
{
	while (reader->first + 1 < reader->count) {
		struct cursor *cursor = &reader->cursors[reader->first];
		bool voided = cursor->segment.void_lsn <= reader->wanted;
		if (!voided && (!(cursor->ended || cursor->gone) || cursor->lsn))
			return;
		cursor_close(reader, cursor);
		reader->first++;
	}
}

static bool known(const struct reader *reader, uint64_t id)
{
	for (uint32_t i = 0; i < reader->count; i++)
		if (reader->cursors[i].segment.id == id)
			return true;
	return false;
}

static void note_segment(struct reader *reader, const struct segment_entry *entry)
{
	reader->report.last_id = entry->id;
	reader->report.segments++;
	if (entry->durable_lsn > reader->durable_lsn)
		reader->durable_lsn = entry->durable_lsn;
	if (entry->epoch > reader->report.epoch)
		reader->report.epoch = entry->epoch;
}

/* A file that has begun since. */
static int add_segment(struct reader *reader, const struct segment_entry *entry)
{
	struct cursor *grown = realloc(reader->cursors, (reader->count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	reader->cursors = grown;
	for (uint32_t i = 0; i < reader->count; i++) {
		struct segment_entry *older = &reader->cursors[i].segment;
		if (older->epoch < entry->epoch && older->void_lsn > entry->base_lsn)
			older->void_lsn = entry->base_lsn;
	}
	reader->cursors[reader->count++] = (struct cursor){.segment = *entry, .file = -1};
	note_segment(reader, entry);
	return 0;
}

/* Which known files are gone: `ids` are those still there. */
static int note_removed(struct reader *reader, const uint64_t *ids, uint32_t count)
{
	int changed = 0;

	for (uint32_t i = reader->first; i < reader->count; i++) {
		struct cursor *cursor = &reader->cursors[i];
		bool there = cursor->gone;
		for (uint32_t j = 0; j < count && !there; j++)
			there = ids[j] == cursor->segment.id;
		changed |= !there;
		cursor->gone |= !there;
		if (cursor->gone && i + 1 < reader->count &&
		    reader->removed_lsn < reader->cursors[i + 1].segment.base_lsn)
			reader->removed_lsn = reader->cursors[i + 1].segment.base_lsn;
	}
	return changed;
}

/* New files at the end, removed ones gone. 1: something has changed. */
static int refresh(struct reader *reader)
{
	struct segment_entry *entries;
	uint64_t *ids;
	uint32_t count, fresh = 0;
	int result = segments_ids(reader->io, reader->directory, &ids, &count);

	if (result < 0)
		return result;
	entries = calloc(count ? count : 1, sizeof(*entries));
	if (!entries)
		result = -ENOMEM;
	for (uint32_t i = 0; i < count && result >= 0; i++) {
		if (known(reader, ids[i]))
			continue;
		result = segments_entry(reader->io, reader->directory, ids[i], reader->lane, false,
					&entries[fresh], reader->why, sizeof(reader->why));
		fresh += result == 1;
	}
	if (result >= 0 && fresh > 1)
		qsort(entries, fresh, sizeof(*entries), segments_compare);
	for (uint32_t i = 0; i < fresh && result >= 0; i++)
		result = add_segment(reader, &entries[i]);
	if (result >= 0)
		result = note_removed(reader, ids, count) || fresh;
	free(entries);
	free(ids);
	reader->window_bytes = 0;
	reader->loads++;
	return result;
}

/* Headers behind the end of the good part: how far was the log known durable, how much is torn? */
static int walk_tail(struct reader *reader, struct cursor *cursor, uint64_t *ret_torn)
{
	uint64_t offset = cursor->good_end;
	bool grows = growing(reader, cursor);
	uint64_t limit = grows ? offset + AHEAD_BYTES : UINT64_MAX;

	if (cursor->gone || !cursor_open(reader, cursor))
		return cursor->gone ? 0 : cursor->file;
	while (offset < limit) {
		struct weir_block_header header;
		int verdict = read_header(reader, cursor, offset, &header);
		if (verdict < 0)
			return verdict;
		if (verdict == BLOCK_END)
			return 0;
		if (verdict == BLOCK_BAD) {
			if (block_header_claims(&header, cursor->segment.id))
				*ret_torn += WEIR_BLOCK_ALIGN;
			int error = next_page(reader, cursor, &header, limit, &offset);
			if (error < 0)
				return error;
			continue;
		}
		if (header.lsn >= cursor->segment.void_lsn)
			return 0;
		if (header.type != WEIR_BLOCK_SEGMENT && header.type != WEIR_BLOCK_FOOTER &&
		    header.lsn >= reader->wanted)
			*ret_torn += weir_block_disk_bytes(header.payload_bytes);
		offset += weir_block_disk_bytes(header.payload_bytes);
		limit = grows ? offset + AHEAD_BYTES : UINT64_MAX;
	}
	return 0;
}

static int walk_tails(struct reader *reader, uint64_t *ret_torn)
{
	*ret_torn = 0;
	for (uint32_t i = reader->first; i < reader->count; i++) {
		int result = walk_tail(reader, &reader->cursors[i], ret_torn);
		if (result < 0)
			return result;
	}
	return 0;
}

/* Forget what was looked at in vain, so that it is read from the disk again. */
static void look_again(struct reader *reader, bool growing_only)
{
	reader->window_bytes = 0;
	reader->loads++;
	for (uint32_t i = reader->first; i < reader->count; i++) {
		struct cursor *cursor = &reader->cursors[i];
		if (cursor->gone || (growing_only && !growing(reader, cursor)))
			continue;
		cursor->lsn = 0;
		cursor->ended = false;
		cursor->offset = cursor->good_end;
		cursor->barren = 0;
	}
}

static void jump(struct reader *reader, uint64_t to, bool count)
{
	if (count) {
		reader->report.gaps++;
		reader->report.gap_blocks += to - reader->wanted;
	}
	reader->gap_before = true;
	reader->wanted = to;
}

/* May reading begin with this file? */
static bool has_snapshot(const struct segment_entry *entry)
{
	return !entry->continues && !entry->superseded && entry->base_lsn < entry->void_lsn;
}

/* The first file from `index` on with which reading may begin; `count` if there is none. */
static uint32_t with_snapshot(const struct reader *reader, uint32_t index)
{
	while (index < reader->count && !has_snapshot(&reader->cursors[index].segment))
		index++;
	return index;
}

/* The wanted block is nowhere. 1: reading goes on; 0: it does not (for now); negative errno. */
static int missing(struct reader *reader, uint64_t next, bool *again)
{
	uint64_t torn = 0;
	int result = refresh(reader);

	if (result != 0)
		return result;
	if (next && reader->wanted < reader->removed_lsn) {
		jump(reader, next, false);
		return 1;
	}
	if ((next || !reader->follow) && reader->durable_lsn < reader->wanted) {
		result = walk_tails(reader, &torn);
		if (result < 0)
			return result;
	}
	if (reader->durable_lsn < reader->wanted && !(next && reader->kept_lsn >= reader->wanted)) {
		reader->report.torn_bytes = torn;
		reader->behind_lsn = next;
		look_again(reader, true);
		return 0;
	}
	if (!*again) {
		*again = true;
		look_again(reader, false);
		return 1;
	}
	uint32_t whole = reader->front_open ? with_snapshot(reader, reader->first) : reader->count;
	if (whole < reader->count) {
		reader->first = reader->recent = whole;
		jump(reader, reader->cursors[whole].segment.base_lsn, false);
	} else {
		jump(reader, next ? next : reader->durable_lsn + 1, true);
	}
	reader->front_open = false;
	return 1;
}

int reader_next(struct reader *reader, struct reader_block *ret_block)
{
	bool again = false;

	for (;;) {
		struct cursor *cursor = NULL;
		uint64_t next = 0, wanted = reader->wanted;
		retire(reader);
		int result = find(reader, &cursor, &next);
		if (result == 1) {
			result = deliver(reader, cursor, ret_block);
			if (result != 0)
				return result;
		} else if (result == 0) {
			result = missing(reader, next, &again);
			if (result <= 0)
				return result;
		} else {
			return result;
		}
		if (reader->wanted != wanted)
			again = false;
	}
}

/* Where to begin for from_lsn: the last file that starts at or below it, with a snapshot, and in
 * front of which everything is durable, as a newer file's first block says, or was kept: otherwise
 * the log may have ended in an older file, and this one be torn off. */
static uint32_t start_at(const struct reader *reader, uint64_t from_lsn)
{
	uint32_t start = 0;

	for (uint32_t i = 0; i < reader->count; i++) {
		const struct segment_entry *entry = &reader->cursors[i].segment;
		if (start == i && entry->base_lsn >= entry->void_lsn && i + 1 < reader->count)
			start = i + 1;
		else if (entry->base_lsn <= from_lsn && has_snapshot(entry) && !entry->headless &&
			 (entry->base_lsn <= reader->durable_lsn + 1 ||
			  entry->base_lsn <= reader->kept_lsn))
			start = i;
	}
	return start;
}

/* The oldest file may not be the log's beginning: blocks in front of it may be lost. Retention
 * removes a file and those that continue it one by one; a crash in between leaves the latter. */
static void start_front(struct reader *reader)
{
	const struct segment_entry *entry = &reader->cursors[reader->first].segment;
	uint32_t whole = with_snapshot(reader, reader->first);

	reader->wanted = entry->base_lsn;
	if ((entry->continues || entry->headless) && entry->durable_lsn + 1 < entry->base_lsn) {
		/* They were not durable when it began: the crash may have come before they were. */
		reader->wanted = entry->durable_lsn + 1;
		reader->front_open = entry->continues;
	} else if (entry->continues && entry->base_lsn > 1 && whole < reader->count) {
		reader->first = reader->recent = whole;
		reader->wanted = reader->cursors[whole].segment.base_lsn;
	}
	/* What it has again may be whole only in the files before. */
	while (reader->first > 0 && (reader->cursors[reader->first].segment.again ||
				     reader->cursors[reader->first].segment.headless))
		reader->first--;
}

static int load_segments(struct reader *reader, uint64_t from_lsn)
{
	struct segment_list list;
	int result = segments_list(reader->io, reader->directory, reader->lane, true, &list,
				   reader->why, sizeof(reader->why));

	if (result < 0)
		return result;
	reader->cursors = calloc(list.count ? list.count : 1, sizeof(*reader->cursors));
	if (!reader->cursors) {
		segments_free(&list);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < list.count; i++) {
		reader->cursors[i] = (struct cursor){.segment = list.entries[i], .file = -1};
		note_segment(reader, &list.entries[i]);
	}
	reader->count = list.count;
	segments_free(&list);
	reader->wanted = 1;
	if (!reader->count)
		return 0;
	reader->first = start_at(reader, 0);
	reader->report.first_lsn = reader->cursors[reader->first].segment.base_lsn;
	reader->first = reader->recent = start_at(reader, from_lsn);
	start_front(reader);
	if (reader->report.first_lsn > reader->wanted)
		reader->report.first_lsn = reader->wanted;
	return 0;
}

static int open_at(struct io *io, const char *directory, uint16_t lane, uint64_t from_lsn,
		   uint64_t kept_lsn, bool follow, struct reader **ret_reader, char *why,
		   size_t why_bytes)
{
	if (strlen(directory) >= 80)
		return -ENAMETOOLONG;
	struct reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->io = io;
	reader->lane = lane;
	reader->follow = follow;
	reader->kept_lsn = kept_lsn;
	memcpy(reader->directory, directory, strlen(directory) + 1); /* its length was checked */
	reader->window = aligned_alloc(4096, READER_WINDOW_BYTES);
	int result = reader->window ? load_segments(reader, from_lsn) : -ENOMEM;
	if (result < 0) {
		snprintf(why, why_bytes, "%s", reader->why[0] ? reader->why : strerror(-result));
		reader_close(reader);
		return result;
	}
	*ret_reader = reader;
	return 0;
}

int reader_open(struct io *io, const char *directory, uint16_t lane, uint64_t from_lsn, bool follow,
		struct reader **ret_reader, char *why, size_t why_bytes)
{
	return open_at(io, directory, lane, from_lsn, 0, follow, ret_reader, why, why_bytes);
}

int reader_open_kept(struct io *io, const char *directory, uint16_t lane, uint64_t from_lsn,
		     struct reader **ret_reader, char *why, size_t why_bytes)
{
	return open_at(io, directory, lane, from_lsn, from_lsn, false, ret_reader, why, why_bytes);
}

bool reader_kept(struct reader *reader, uint64_t lsn)
{
	reader->kept_lsn = lsn > reader->kept_lsn ? lsn : reader->kept_lsn;
	return reader->behind_lsn && reader->kept_lsn >= reader->wanted;
}

const char *reader_why(const struct reader *reader)
{
	return reader->why;
}

void reader_report(const struct reader *reader, struct reader_report *ret_report)
{
	*ret_report = reader->report;
	ret_report->next_lsn = reader->wanted;
	ret_report->durable_lsn = reader->durable_lsn;
}

void reader_close(struct reader *reader)
{
	if (!reader)
		return;
	for (uint32_t i = 0; i < reader->count; i++)
		cursor_close(reader, &reader->cursors[i]);
	free(reader->cursors);
	free(reader->window);
	free(reader);
}
