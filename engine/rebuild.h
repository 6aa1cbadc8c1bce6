/*
 * rebuild: partials that a lane let go for want of memory, again from its log.
 */
#ifndef ENGINE_REBUILD_H
#define ENGINE_REBUILD_H

#include "interval/cells.h"
#include "log/io.h"

/* Replace every `dropped` partial of the list by what the log has of it up to a mark through its
 * interval, or up to the end of its epoch, as a replay would. One of which nothing is left is taken
 * out of the list and freed: an interval without events has no partial. Where a later block is
 * there, what is missing before it is damaged, for the mark was kept; that mark itself may be:
 *   ended   nothing more comes: the log's end is the epoch's. Else it is -EAGAIN.
 * *lacking grows by how many lack what damaged blocks held. Blocks; negative errno: the list is as
 * it was, some may be rebuilt. */
int rebuild_partials(struct io *io, uint32_t series_max, int64_t interval_ms, bool ended,
		     struct partial **partials, uint32_t *lacking);

#endif
