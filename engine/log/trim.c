/*
 * trim: files that ended early give back the room they do not need.
 *
 * Idea:  a file is allocated whole before its first block. An engine that stops, or is killed,
 *        leaves it nearly empty: one that is started again and again would fill its disk with
 *        nothing, and push what is worth keeping out of retention. What lies behind a file's end
 *        is given back; its size stays, and what was there reads as zeros.
 *
 *          | SEGMENT | blocks | FOOTER |   room given back                        |  stopped
 *          | SEGMENT | blocks | ...  F |   room given back, from the first fence  |  killed
 *
 *        A killed engine's file ends where recovery has found the end: at the first fence that
 *        stands, or where all is a hole. What it had queued may come later still, and be a copy of
 *        a block that counts: its end is looked at again when nothing can come any more.
 *
 *        It is done in a moment of rest. Who is started again and again may never come to one: a
 *        few files wait for it, and of more than that each start trims some itself.
 * Runs on: the agent that owns the writer, and whoever opens it; one file at a time.
 * Never:   touches a file whose end nobody has seen, or waits for a dead engine's writes.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "log/segments.h"
#include "log/writer_private.h"

/* Between two looks at files that are not quiet yet. */
#define TRIM_AGAIN_NS (UINT64_C(100) * 1000 * 1000)

/* An engine that has just started has others waiting for it, and a hole keeps the lane's agent, and
 * whoever syncs the same file system, for as long as 30 ms. */
#define TRIM_REST_NS (UINT64_C(500) * 1000 * 1000)
/* So many files wait for that, whatever becomes of their engine; of more, a start looks after so
 * many. A life leaves one. */
#define TRIMS_LEFT 4u
#define TRIMS_AT_START 2u
/* Where a file ends that has not been looked at yet: no block ends there. */
#define TRIM_UNKNOWN UINT64_C(1)

/* What a full file may leave is not worth a hole, and without one the file can be a spare. */
static bool worth(const struct writer *writer, uint64_t end)
{
	const uint64_t left = writer->reserve_bytes + 2 * (uint64_t)writer->options.block_bytes;

	return end + left < writer->options.segment_bytes;
}

/* A start reads through the last file of the last epoch only. One that waited for a moment of rest
 * which its engine never had looks unfilled to all who come later. */
static bool seems_early(const struct writer *writer, const struct kept *kept)
{
	struct io *io = writer->options.io;
	char path[SEGMENT_PATH_BYTES];

	if (kept->bytes < writer->options.segment_bytes)
		return false;
	writer_path(writer, path, SEGMENT_FILE_SEGMENT, kept->id);
	int file = io->ops->open_read(io, path);
	if (file < 0)
		return false;
	const bool early = segments_unfilled(io, file, kept->id) == 1;
	io->ops->close(io, file);
	return early;
}

void trim_find(const struct writer *writer, struct kept *kept, bool last)
{
	const uint64_t end = segments_end(writer->options.io, kept->id);

	if (end)
		kept->trim = kept->bytes > end && worth(writer, end) ? end : 0;
	else if (last && seems_early(writer, kept))
		kept->trim = TRIM_UNKNOWN;
}

uint64_t trim_bytes(const struct kept *kept)
{
	return kept->trim > TRIM_UNKNOWN && kept->trim < kept->bytes ? kept->trim : kept->bytes;
}

void trim_file(struct writer *writer, struct kept *kept, int file, uint64_t end)
{
	struct io *io = writer->options.io;

	if (!io->ops->trim || !worth(writer, end))
		return;
	int error = io->ops->trim(io, file, end);
	int64_t room = error < 0 ? error : io->ops->room(io, file);
	if (room >= 0)
		kept->bytes = (uint64_t)room;
	else if (room != -EOPNOTSUPP)
		log_info("log", "%s: segment %016llx keeps room that it does not need (%s)",
			 writer->directory, (unsigned long long)kept->id, strerror((int)-room));
}

/* 1: it is done with; 0: not yet, a write of the dead engine's may be under way. */
static int trim_kept(struct writer *writer, struct kept *kept)
{
	struct io *io = writer->options.io;
	char path[SEGMENT_PATH_BYTES];

	writer_path(writer, path, SEGMENT_FILE_SEGMENT, kept->id);
	if (!io->ops->quiet || io->ops->quiet(io, path) != 1)
		return 0;
	int file = io->ops->open_read(io, path);
	if (file >= 0 && kept->trim == TRIM_UNKNOWN)
		kept->trim = segments_find_end(io, file, kept->id) < 0
				     ? 0
				     : segments_end(io, kept->id);
	const bool ended = file >= 0 && kept->trim && kept->trim != TRIM_UNKNOWN &&
			   segments_ended(io, file, kept->id, kept->trim) == 1;
	if (file >= 0)
		io->ops->close(io, file);
	file = ended ? io->ops->open_write(io, path) : -ENOENT;
	if (file >= 0) {
		trim_file(writer, kept, file, kept->trim);
		io->ops->close(io, file);
	}
	kept->trim = 0;
	return 1;
}

/* The oldest that is quiet. 1: there was one. */
static int trim_next(struct writer *writer)
{
	writer->trims = false;
	for (uint32_t i = 0; i < writer->kept_count; i++) {
		struct kept *kept = &writer->kept[i];
		if (!kept->trim || kept->replaced)
			continue;
		writer->trims = true; /* this one later, or more of them */
		if (trim_kept(writer, kept))
			return 1;
	}
	writer->trim_ns = writer->now_ns + TRIM_AGAIN_NS;
	return 0;
}

int trim_step(struct writer *writer)
{
	const bool busy = writer->active || writer->in_flight;

	if (!writer->rest_ns)
		writer->rest_ns = writer->now_ns + TRIM_REST_NS;
	/* A full disk is just when it counts. */
	const bool later = !writer->file_error && (busy || writer->now_ns < writer->rest_ns);
	if (!writer->trims || writer->now_ns < writer->trim_ns || later)
		return 0;
	return trim_next(writer);
}

bool trim_all(struct writer *writer)
{
	bool some = false;

	while (writer->trims && trim_next(writer))
		some = true;
	return some;
}

/* Who is started again and again may never come to a moment of rest. */
void trim_some(struct writer *writer)
{
	uint32_t waiting = 0;

	for (uint32_t i = 0; i < writer->kept_count; i++)
		waiting += writer->kept[i].trim != 0;
	for (uint32_t i = 0; i < TRIMS_AT_START && i + TRIMS_LEFT < waiting; i++)
		if (!trim_next(writer))
			return;
}
