/*
 * named: see named.h. A replay begins at a checkpoint; older segments stay until retention takes
 * them, and their ids must not mean something else meanwhile.
 */
#include "named.h"

#include <errno.h>
#include <stdio.h>

#include "checkpoint.h"
#include "definitions.h"
#include "log/segments.h"

#define CHECKPOINTS_MAX 8

struct naming {
	struct io *io;
	struct series_registry *registry;
};

/* What contradicts, or is beyond a bound that was lowered, is no reason not to start: nothing is
 * read by it. */
static int restore(void *self, uint32_t id, enum weir_sketch sketch,
		   const struct weir_definition *definition)
{
	const struct naming *naming = self;

	(void)sketch;
	int error = series_restore(naming->registry, id, definition);
	return error == -EEXIST || error == -ENOSPC ? 0 : error;
}

static int take(void *self, const void *payload, uint32_t bytes)
{
	int error = definitions_each(payload, bytes, restore, self);

	return error == -EPROTO ? 0 : error;
}

static int each_lane(void *self, const char *name)
{
	struct naming *naming = self;
	unsigned number;
	int end = 0;

	if (sscanf(name, "lane-%2u%n", &number, &end) != 1 || name[end] ||
	    number >= WEIR_LANES_MAX)
		return 0;
	int error = segments_series(naming->io, name, (uint16_t)number, take, naming);
	return error < 0 ? error : 0;
}

int named_restore(struct io *io, struct series_registry *registry)
{
	struct naming naming = {.io = io, .registry = registry};
	uint64_t sequences[CHECKPOINTS_MAX];
	int count = checkpoint_list(io, sequences, CHECKPOINTS_MAX);

	int error = count < 0 ? count : 0;

	for (int i = 0; i < count && !error; i++) {
		struct checkpoint checkpoint;
		if (checkpoint_read(io, sequences[i], &checkpoint) < 0)
			continue; /* not whole: nothing will start from it */
		error = take(&naming, checkpoint.definitions.data,
			     (uint32_t)checkpoint.definitions.used);
		checkpoint_fini(&checkpoint);
	}
	return error ? error : io->ops->list(io, ".", each_lane, &naming);
}
