/*
 * series: the registry that gives every definition one engine id.
 *
 * Runs on:  the intake agent adds (one writer); lanes, shards and tools read without a lock:
 *           definitions never move and `count` is release-stored after them.
 * Bounds:   series_max in all, the last sixteenth of them (1 to 1024 ids) kept for overflow. What
 *           is over the bound becomes its event's `__overflow__` series (the definition without
 *           dimensions and with field "__overflow__"), and is counted.
 */
#ifndef INTAKE_SERIES_H
#define INTAKE_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/limits.h"
#include "weir/region.h"
#include "weir/segment.h"

struct series_registry;

/* series_max: ids are 1 .. series_max. NULL: no memory. */
struct series_registry *series_create(uint32_t series_max);
void series_destroy(struct series_registry *registry);

/* Is this a well-formed definition within `left` bytes (lengths, UTF-8, no NUL, sorted names,
 * known kind)? 0, or -EINVAL with a reason in *ret_why. Never reads beyond `left`. */
int series_check(const struct weir_definition *definition, size_t left, const char **ret_why);

/* The id of an equal definition, or a new one. > 0 id; 0 when full and no overflow id could be
 * given. The definition has been checked. Writer only. */
uint32_t series_intern(struct series_registry *registry, const struct weir_definition *definition);
/* The id of the `__overflow__` series of the definition's event: where a caller with a bound of its
 * own (definitions of one producer) sends what is over it. Counted. 0: none left. Writer only. */
uint32_t series_intern_overflow(struct series_registry *registry,
				const struct weir_definition *definition);
/* Recovery: the log says that `id` is this. 0, -EEXIST if it contradicts, -ENOSPC over the bound.
 * Writer only, before lanes start. */
int series_restore(struct series_registry *registry, uint32_t id,
		   const struct weir_definition *definition);

/* Ids below this exist or are holes left by recovery. Any thread. */
uint32_t series_count(const struct series_registry *registry);
/* NULL: no such id. The pointer is valid as long as the registry. Any thread. */
const struct weir_definition *series_get(const struct series_registry *registry, uint32_t id);
uint64_t series_overflowed(const struct series_registry *registry); /* definitions over the bound */
/* FNV-1a 64 over the definition's bytes: what history and checkpoints are keyed by. */
uint64_t series_hash(const struct weir_definition *definition);

/* Which numbers a configuration has percentiles of. */
struct series_wish {
	char event[WEIR_NAME_BYTES_MAX + 1];
	char field[WEIR_NAME_BYTES_MAX + 1]; /* "" and "value": the default field, or none */
};
/* From now on these are wished, and no others: a copy is kept. Lanes see it at their next pass, and
 * log the definitions that it concerns again before their next events. Whoever applies a
 * configuration, one at a time; 0 or -ENOMEM, then the old ones stay. */
int series_want(struct series_registry *registry, const struct series_wish *wishes, uint32_t count);
/* Counts the calls of series_want(): another number, another answer below. Any thread. */
uint32_t series_wants(const struct series_registry *registry);
/* What cells should keep of a series with this definition. Any thread. */
enum weir_sketch series_sketch(const struct series_registry *registry,
			       const struct weir_definition *definition);

/* Read access to a checked definition's parts; texts are not NUL-terminated. */
struct series_text {
	const char *bytes;
	uint32_t count;
};
struct series_text series_event(const struct weir_definition *definition);
struct series_text series_field(const struct weir_definition *definition);
/* index < definition->dimensions. */
void series_dimension(const struct weir_definition *definition, uint32_t index,
		      struct series_text *ret_name, struct series_text *ret_value);
/* Build a checked definition from C strings (names need not be sorted). Bytes used, or -EINVAL,
 * -ENOSPC. For tools and tests. */
int series_build(void *out, size_t out_bytes, enum weir_kind kind, const char *event,
		 const char *field, uint32_t dimensions, const char *const *names,
		 const char *const *values);

#endif
