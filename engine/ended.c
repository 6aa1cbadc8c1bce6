/*
 * ended: see ended.h.
 */
#include "ended.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "log/block.h"
#include "log/segments.h"

/* Names of files that the line has room for; a lane has many only behind a block. */
#define NAMES_MAX 3u

/* May this file have had a block? Not one that was made in advance. */
static bool begun(struct io *io, const char *directory, uint64_t id)
{
	char path[SEGMENT_PATH_BYTES];

	segment_path(path, directory, SEGMENT_FILE_SEGMENT, id);
	int file = io->ops->open_read(io, path);
	if (file < 0)
		return true;
	int unwritten = segments_unwritten(io, file, 0);
	io->ops->close(io, file);
	return unwritten != 1;
}

/* Which files there are that may have had the blocks. */
static void look(struct io *io, const char *directory, uint16_t lane, char *text, size_t bytes)
{
	struct segment_list list;
	char why[256] = "";
	uint32_t lost = 0;
	int error = segments_list(io, directory, lane, true, &list, why, sizeof(why));

	if (error < 0) {
		snprintf(text, bytes, "%s",
			 error == -ENOENT ? "its directory is not there" : why);
		return;
	}
	*text = '\0';
	if (list.count)
		snprintf(text, bytes, "its newest file is %s/%016" PRIx64 ".wseg", directory,
			 list.entries[list.count - 1].id);
	const char *before = list.count ? ", no block can be read in " : "no block can be read in ";
	for (uint32_t i = 0; i < list.empty; i++) {
		const size_t used = strlen(text);
		if (!begun(io, directory, list.empty_ids[i]) || ++lost > NAMES_MAX)
			continue;
		snprintf(text + used, bytes - used, "%s%s/%016" PRIx64 ".wseg", before, directory,
			 list.empty_ids[i]);
		before = ", ";
	}
	if (!*text)
		snprintf(text, bytes, "it has no file with a block");
	if (lost > NAMES_MAX) {
		const size_t used = strlen(text);
		snprintf(text + used, bytes - used, " and %u more", lost - NAMES_MAX);
	}
	segments_free(&list);
}

void ended_say(struct io *io, const char *directory, uint16_t lane,
	       const struct replay_lane_end *end, bool soft)
{
	char found[512];

	if (!end->short_from)
		return;
	look(io, directory, lane, found, sizeof(found));
	log_error("recovery",
		  "%s: blocks %" PRIu64 " to %" PRIu64
		  " were kept and are not all there (%s%s): what is missing stays missing in this "
		  "data directory, put no single files back into it; with a copy of the whole data "
		  "directory, of one moment, stop the engine and put all of that in place of this "
		  "one; what came since the copy is missing then",
		  directory, end->short_from, end->report.next_lsn - 1, found,
		  soft ? "; with log.durability none a power cut does that" : "");
}
