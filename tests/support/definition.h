/*
 * definition: series definitions for tests, written from the layout in weir/region.h alone, so
 * that a test of one stage needs no other.
 */
#ifndef SUPPORT_DEFINITION_H
#define SUPPORT_DEFINITION_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "weir/region.h"

struct definition_pair {
	const char *name, *value;
};

/* Pairs must be sorted by name. The caller frees. */
static inline struct weir_definition *definition_make(enum weir_kind kind, const char *event,
						      const char *field, uint32_t dimensions,
						      const struct definition_pair *pairs)
{
	size_t bytes = sizeof(struct weir_definition) + strlen(event) + strlen(field);
	for (uint32_t i = 0; i < dimensions; i++)
		bytes += 4 + strlen(pairs[i].name) + strlen(pairs[i].value);
	bytes = (bytes + 7) & ~(size_t)7;
	struct weir_definition *definition = calloc(1, bytes);
	assert(definition);
	definition->bytes = (uint32_t)bytes;
	definition->kind = (uint8_t)kind;
	definition->dimensions = (uint8_t)dimensions;
	definition->event_bytes = (uint8_t)strlen(event);
	definition->field_bytes = (uint8_t)strlen(field);
	uint8_t *at = definition->text;
	memcpy(at, event, strlen(event));
	at += strlen(event);
	memcpy(at, field, strlen(field));
	at += strlen(field);
	for (uint32_t i = 0; i < dimensions; i++) {
		uint16_t lengths[2] = {(uint16_t)strlen(pairs[i].name),
				       (uint16_t)strlen(pairs[i].value)};
		memcpy(at, lengths, sizeof(lengths));
		at += sizeof(lengths);
		memcpy(at, pairs[i].name, lengths[0]);
		at += lengths[0];
		memcpy(at, pairs[i].value, lengths[1]);
		at += lengths[1];
	}
	return definition;
}

#endif
