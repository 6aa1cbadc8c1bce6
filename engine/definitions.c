/*
 * definitions: see definitions.h. Bytes come from a disk: a record is checked before it is shown.
 */
#include "definitions.h"

#include <errno.h>
#include <string.h>

/* One that cannot be is none: cells must never meet it. */
static enum weir_sketch possible(const struct weir_definition *definition, uint32_t sketch)
{
	enum weir_sketch of_kind = definition->kind == WEIR_HASH ? WEIR_SKETCH_DISTINCT
								 : WEIR_SKETCH_QUANTILE;

	return sketch == (uint32_t)of_kind ? of_kind : WEIR_SKETCH_NONE;
}

int definitions_each(const void *data, uint32_t bytes, definitions_take *take, void *self)
{
	const uint8_t *at = data;

	/* {u32 id, u32 sketch, definition}: 8-byte aligned throughout. */
	while (bytes >= 8 + sizeof(struct weir_definition)) {
		const struct weir_definition *definition = (const void *)(at + 8);
		uint32_t id, sketch;
		const char *why;
		memcpy(&id, at, sizeof(id));
		memcpy(&sketch, at + 4, sizeof(sketch));
		if (series_check(definition, bytes - 8, &why) < 0)
			return -EPROTO;
		int error = take(self, id, possible(definition, sketch), definition);
		if (error < 0)
			return error;
		at += 8 + definition->bytes;
		bytes -= 8 + definition->bytes;
	}
	return bytes ? -EPROTO : 0;
}
