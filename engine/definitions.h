/*
 * definitions: the records of a SERIES block, read one by one.
 */
#ifndef ENGINE_DEFINITIONS_H
#define ENGINE_DEFINITIONS_H

#include "intake/series.h"

/* A record: 0, or a negative errno that ends the reading. The id has not been looked at. */
typedef int definitions_take(void *self, uint32_t id, enum weir_sketch sketch,
			     const struct weir_definition *definition);

/* Every record of a block's payload, as it stands in the log and in checkpoints. 0, -EPROTO, or
 * what `take` said. */
int definitions_each(const void *data, uint32_t bytes, definitions_take *take, void *self);

#endif
