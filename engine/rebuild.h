/*
 * rebuild: partials that a lane let go for want of memory, again from its log.
 */
#ifndef ENGINE_REBUILD_H
#define ENGINE_REBUILD_H

#include "interval/cells.h"
#include "log/io.h"

/* Replace every `dropped` partial of the list. The blocks they need are in the file: a mark behind
 * them is. Blocks; negative errno: the list is as it was, some may be rebuilt. */
int rebuild_partials(struct io *io, uint32_t series_max, int64_t interval_ms,
		     struct partial **partials);

#endif
