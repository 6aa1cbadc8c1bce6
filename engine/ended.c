/*
 * ended: see ended.h.
 */
#include "ended.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "log/segments.h"

/* Names of files that the line has room for; a lane has many only behind a block. */
#define NAMES_MAX 3u

/* Which files there are that may have had the blocks. */
static void look(struct io *io, const char *directory, uint16_t lane, char *text, size_t bytes)
{
	struct segment_list list;
	char why[256] = "";
	size_t used;
	int error = segments_list(io, directory, lane, true, &list, why, sizeof(why));

	if (error < 0) {
		snprintf(text, bytes, "%s",
			 error == -ENOENT ? "its directory is not there" : why);
		return;
	}
	if (list.count)
		snprintf(text, bytes, "it ends in %s/%016" PRIx64 ".wseg", directory,
			 list.entries[list.count - 1].id);
	else
		snprintf(text, bytes, "%s", list.empty ? "" : "it has no file");
	const char *before = list.count ? "; no block can be read in " : "no block can be read in ";
	for (uint32_t i = 0; i < list.empty && i < NAMES_MAX; i++, before = ", ") {
		used = strlen(text);
		snprintf(text + used, bytes - used, "%s%s/%016" PRIx64 ".wseg", before, directory,
			 list.empty_ids[i]);
	}
	if (list.empty > NAMES_MAX) {
		used = strlen(text);
		snprintf(text + used, bytes - used, " and %u more", list.empty - NAMES_MAX);
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
		  " were kept and are not there, and what was in them is missing: %s%s; if there is "
		  "a copy of its files, stop the engine, put those that are missing or damaged back "
		  "beside the new ones, and start it again",
		  directory, end->short_from, end->report.next_lsn - 1, found,
		  soft ? " (with log.durability none a power cut does that)" : "");
}
