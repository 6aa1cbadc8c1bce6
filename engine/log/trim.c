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
 *        A killed engine's file ends where recovery, which has read it, has found nothing more.
 * Runs on: the agent that owns the writer; one file at a time, between blocks.
 * Never:   touches a file whose end nobody has seen, or what was not read through from there on.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "log/segments.h"
#include "log/writer_private.h"

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

int trim_step(struct writer *writer)
{
	struct io *io = writer->options.io;
	char path[SEGMENT_PATH_BYTES];

	/* A full disk is just when it counts. */
	if (!writer->trims || (!writer->file_error && (writer->active || writer->in_flight)))
		return 0;
	writer->trims = false;
	for (uint32_t i = 0; i < writer->kept_count; i++) {
		struct kept *kept = &writer->kept[i];
		if (!kept->trim || kept->replaced)
			continue;
		writer_path(writer, path, SEGMENT_FILE_SEGMENT, kept->id);
		int file = io->ops->open_write(io, path);
		if (file >= 0) {
			trim_file(writer, kept, file, kept->trim);
			io->ops->close(io, file);
		}
		kept->trim = 0;
		writer->trims = true; /* perhaps there are more */
		return 1;
	}
	return 0;
}
