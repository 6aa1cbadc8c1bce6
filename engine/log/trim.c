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

/* What a full file may leave is not worth a hole, and without one the file can be a spare. */
static bool worth(const struct writer *writer, uint64_t end)
{
	const uint64_t left = writer->reserve_bytes + 2 * (uint64_t)writer->options.block_bytes;

	return end + left < writer->options.segment_bytes;
}

void trim_find(const struct writer *writer, struct kept *kept)
{
	const uint64_t end = segments_end(writer->options.io, kept->id);

	if (end && kept->bytes > end && worth(writer, end))
		kept->trim = end;
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
	const bool ended = file >= 0 && segments_ended(io, file, kept->id, kept->trim) == 1;
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

int trim_step(struct writer *writer)
{
	const bool busy = writer->active || writer->in_flight;

	/* A full disk is just when it counts. */
	if (!writer->trims || writer->now_ns < writer->trim_ns || (busy && !writer->file_error))
		return 0;
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
