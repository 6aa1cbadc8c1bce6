/*
 * dropped: see dropped.h.
 */
#include "dropped.h"

#include <stdio.h>
#include <string.h>

#include "log/block.h"
#include "log/segments.h"

struct walking {
	const struct dropped *dropped;
	uint64_t live_bytes; /* segments of lanes that there are */
	uint64_t bytes;      /* ... of those that are dropped */
	char names[WEIR_LANES_MAX][12];
	uint32_t lanes[WEIR_LANES_MAX];
	uint32_t count; /* dropped */
	const char *directory;
	uint64_t ids[64]; /* files to remove, of this look */
	enum segment_file kinds[64];
	uint32_t ids_count;
};

static int count_segment(void *self, const char *name)
{
	struct walking *walking = self;
	struct io *io = walking->dropped->io;
	char path[SEGMENT_PATH_BYTES];
	uint64_t id;

	if (segment_parse_name(name, &id) != SEGMENT_FILE_SEGMENT)
		return 0;
	segment_path(path, walking->directory, SEGMENT_FILE_SEGMENT, id);
	int file = io->ops->open_read(io, path);
	int64_t room = file >= 0 ? io->ops->room(io, file) : 0;
	if (file >= 0)
		io->ops->close(io, file);
	walking->live_bytes += room > 0 ? (uint64_t)room : 0;
	return 0;
}

static int each_lane(void *self, const char *name)
{
	struct walking *walking = self;
	unsigned number;
	int end = 0;

	if (sscanf(name, "lane-%2u%n", &number, &end) != 1 || name[end] ||
	    number >= WEIR_LANES_MAX)
		return 0;
	if (number >= walking->dropped->lanes && walking->count < WEIR_LANES_MAX) {
		walking->lanes[walking->count] = number;
		snprintf(walking->names[walking->count++], sizeof(walking->names[0]), "%s", name);
	}
	return 0;
}

static int find_spare(void *self, const char *name)
{
	struct walking *walking = self;
	uint64_t id;
	enum segment_file kind = segment_parse_name(name, &id);

	if (kind != SEGMENT_FILE_SPARE && kind != SEGMENT_FILE_PREPARE)
		return 0;
	walking->ids[walking->ids_count] = id;
	walking->kinds[walking->ids_count++] = kind;
	return walking->ids_count == sizeof(walking->ids) / sizeof(walking->ids[0]);
}

static int remove_file(const struct walking *walking, enum segment_file kind, uint64_t id)
{
	struct io *io = walking->dropped->io;
	char path[SEGMENT_PATH_BYTES];

	segment_path(path, walking->directory, kind, id);
	return io->ops->unlink(io, path);
}

static int remove_spares(struct walking *walking)
{
	struct io *io = walking->dropped->io;
	int error = io->ops->list(io, walking->directory, find_spare, walking);

	for (uint32_t i = 0; i < walking->ids_count && error >= 0; i++)
		error = remove_file(walking, walking->kinds[i], walking->ids[i]);
	walking->ids_count = 0;
	return error < 0 ? error : 0;
}

/* One lane's segments, oldest first, while they are over a bound. */
static int retain_lane(struct walking *walking, uint32_t lane, uint64_t bytes_max,
		       uint64_t before_s)
{
	struct io *io = walking->dropped->io;
	struct segment_list list;
	char why[256];
	int freed = 0;
	int error = segments_list(io, walking->directory, (uint16_t)lane, true, &list, why,
				  sizeof(why));

	if (error < 0)
		return error;
	for (uint32_t i = 0; i < list.count && error >= 0; i++) {
		bool last = i + 1 == list.count;
		uint64_t end_s = last ? walking->dropped->started_s
				      : list.entries[i + 1].created_ms / 1000;
		bool over = bytes_max && walking->live_bytes + walking->bytes > bytes_max;
		if (!over && end_s >= before_s)
			break;
		error = remove_file(walking, SEGMENT_FILE_SEGMENT, list.entries[i].id);
		walking->bytes -= list.entries[i].file_bytes;
		freed++;
	}
	/* Files that were made ready and never begun. */
	for (uint32_t i = 0; i < list.empty && error >= 0; i++)
		error = remove_file(walking, SEGMENT_FILE_SEGMENT, list.empty_ids[i]);
	segments_free(&list);
	if (freed && error >= 0)
		error = io->ops->sync_dir(io, walking->directory);
	return error < 0 ? error : freed;
}

/* What the dropped lanes' files take. */
static int count_dropped(struct walking *walking)
{
	struct io *io = walking->dropped->io;
	struct segment_list list;
	char why[256];

	for (uint32_t i = 0; i < walking->count; i++) {
		int error = segments_list(io, walking->names[i], (uint16_t)walking->lanes[i], true,
					  &list, why, sizeof(why));
		if (error < 0)
			return error;
		for (uint32_t j = 0; j < list.count; j++)
			walking->bytes += list.entries[j].file_bytes;
		segments_free(&list);
	}
	return 0;
}

int dropped_retain(const struct dropped *dropped, uint64_t bytes_max, uint64_t age_s,
		   uint64_t now_s)
{
	struct walking walking = {.dropped = dropped};
	struct io *io = dropped->io;
	uint64_t before_s = age_s && now_s > age_s ? now_s - age_s : 0;
	int error = io->ops->list(io, ".", each_lane, &walking);
	int freed = 0;

	if (error < 0 || !walking.count)
		return error < 0 ? error : 0;
	for (uint32_t lane = 0; lane < dropped->lanes && error >= 0; lane++) {
		char name[16];
		snprintf(name, sizeof(name), "lane-%02u", lane % 100);
		walking.directory = name;
		error = io->ops->list(io, name, count_segment, &walking);
	}
	if (error >= 0)
		error = count_dropped(&walking);
	for (uint32_t i = 0; i < walking.count && error >= 0; i++) {
		walking.directory = walking.names[i];
		error = remove_spares(&walking);
		int result = error < 0 ? error
				       : retain_lane(&walking, walking.lanes[i], bytes_max,
						     before_s);
		error = result < 0 ? result : error;
		freed += result > 0 ? result : 0;
	}
	return error < 0 ? error : freed;
}
