/*
 * table: a producer's series table, read as it grows; fills the map that lanes look up.
 *
 * Idea:  the producer appends definitions and then says how many there are. We follow: copy a
 *        record out of shared memory, check the copy, give it an engine id, and only then let
 *        lanes see it (`mapped`). A record that is no definition gets id 0, and its events are
 *        refused one by one; a table whose framing lies cannot be followed any further, so all
 *        ids it may still use are mapped to 0 at once: no lane ever waits for a liar.
 *
 *   records: | def 1 | def 2 | def 3 |  new  |  new  |   free             |
 *                                    offset          table_used
 *   ids:     [-][ 17 ][  4  ][  0  ][ ...                                 ]
 *                                    mapped = defined + 1
 *
 * Runs on:  the intake agent; lanes read the map.
 * Never:    checks bytes that can still change; reads behind table_bytes.
 */
#include <errno.h>
#include <stdlib.h>

#include "intake/memory.h"
#include "intake/table.h"

int table_init(struct table *table, const void *region, uint64_t table_bytes, uint32_t series_max,
	       uint32_t own_max)
{
	*table = (struct table){
		.header = region,
		.records = (const uint8_t *)region + WEIR_TABLE_OFFSET,
		.records_bytes = table_bytes,
		.own_max = own_max,
		.map = {.series_max = series_max, .mapped = 1},
	};
	/* Untouched pages of it cost nothing. */
	table->map.ids = calloc((size_t)series_max + 1, sizeof(*table->map.ids));
	return table->map.ids ? 0 : -ENOMEM;
}

void table_fini(struct table *table)
{
	free(table->map.ids);
	table->map.ids = NULL;
}

static void publish(struct table *table, uint32_t mapped)
{
	/* Orders: the ids below before the bound that covers them, and the definitions in the
	 * registry before both. Seen by: drain_take() of the lanes. Without it a lane could refuse
	 * a good event because it read an id of 0 that was about to be filled in. */
	weir_store_release_32(&table->map.mapped, mapped);
}

/* The framing lies: whatever the producer uses from here on is refused, never waited for. */
static int give_up(struct table *table)
{
	table->broken = true;
	publish(table, table->map.series_max + 1);
	return -EPROTO;
}

/* Copy out the record at the offset. Its length, or 0: there cannot be a record. */
static uint32_t copy_record(const struct table *table, uint64_t used, void *ret_record)
{
	struct weir_definition header;
	const uint8_t *at = table->records + table->offset;
	uint64_t left = used - table->offset;

	if (left < sizeof(header))
		return 0;
	memory_copy(&header, at, sizeof(header));
	if (header.bytes < sizeof(header) || header.bytes % 8 || header.bytes > left ||
	    header.bytes > WEIR_DEFINITION_BYTES_MAX)
		return 0;
	memory_copy(ret_record, at, header.bytes);
	/* The first look settled the length; the copy may say otherwise by now, and lie. */
	if (((const struct weir_definition *)ret_record)->bytes != header.bytes)
		return 0;
	return header.bytes;
}

static uint32_t engine_id(struct table *table, struct series_registry *registry,
			  const struct weir_definition *definition)
{
	const char *why = NULL;
	uint32_t id = 0;

	if (series_check(definition, definition->bytes, &why) == 0)
		id = table->defined < table->own_max ? series_intern(registry, definition)
						     : series_intern_overflow(registry, definition);
	if (!id) {
		table->refused++;
		table->refused_why = why;
	}
	return id;
}

int table_step(struct table *table, struct series_registry *registry, uint32_t budget)
{
	_Alignas(8) uint8_t record[WEIR_DEFINITION_BYTES_MAX];
	uint32_t before = table->defined;

	if (table->broken)
		return 0;
	/* Orders: the count before the cursor, and both before the records: the producer stores
	 * records, cursor, count in that order (weir_series of the client), so all records of this
	 * count lie below the cursor that is read after it. */
	uint32_t count = weir_load_acquire_32(&table->header->series_count);
	if (count == before)
		return 0;
	uint64_t used = weir_load_acquire_64(&table->header->table_used); /* as above */
	if (count < before || count > table->map.series_max || used > table->records_bytes ||
	    used < table->offset)
		return give_up(table);

	while (table->defined < count && table->defined - before < budget) {
		uint32_t bytes = copy_record(table, used, record);
		if (!bytes)
			return give_up(table);
		uint32_t id = engine_id(table, registry, (const struct weir_definition *)record);
		table->map.ids[++table->defined] = id;
		table->offset += bytes;
	}
	publish(table, table->defined + 1);
	return (int)(table->defined - before);
}
