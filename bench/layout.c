/*
 * layout: what an engine must have resident; see layout.h.
 *
 *      a series, once  its definition, as it stands in a region; 8 bytes to find it by its id;
 *                      two slots of 16 in a hash table that doubles
 *      in each lane    a cell of 64 bytes in three tables, on large pages (the interval that is
 *                      open, the one that waits for what is late, the one just closed); 48 bytes
 *                      in a partial on its way to a shard
 *      a producer      4 bytes a series, for the engine's id; its definitions; a page for the
 *                      header of its region and one for its ring's; 16 bytes an event
 */
#include "layout.h"

#include "intake/series.h"
#include "interval/cells.h"
#include "plan.h"
#include "weir/event.h"
#include "weir/region.h"

#define OPEN_TABLES 3u
#define SLOT_BYTES 16u
#define SLOTS_LEAST 1024u
#define ID_BYTES 4u
#define LARGE_PAGE_BYTES (UINT64_C(2) << 20)

static uint64_t definitions_bytes(uint32_t series)
{
	static _Alignas(8) uint8_t record[WEIR_DEFINITION_BYTES_MAX];
	uint64_t sum = 0;
	for (uint32_t i = 0; i < series; i++) {
		struct plan_series text;
		const char *values[PLAN_DIMENSIONS];
		plan_series(i, &text);
		for (uint32_t j = 0; j < PLAN_DIMENSIONS; j++)
			values[j] = text.values[j];
		int bytes = series_build(record, sizeof(record), WEIR_NUMBER, text.event, "value",
					 PLAN_DIMENSIONS, text.names, values);
		sum += bytes > 0 ? (uint64_t)bytes : 0;
	}
	return sum;
}

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

void layout_of(const struct ingest_case *with, uint64_t base_bytes, struct layout *ret_layout)
{
	uint64_t series = with->series, definitions = definitions_bytes(with->series);
	uint64_t slots = SLOTS_LEAST, table = series * sizeof(struct cell);
	while (slots < 2 * series)
		slots *= 2;
	table = round_up(table, table >= LARGE_PAGE_BYTES ? LARGE_PAGE_BYTES : 4096);
	*ret_layout = (struct layout){
		.base = base_bytes,
		.series = definitions + series * sizeof(uint64_t) + slots * SLOT_BYTES +
			  with->lanes *
				  (OPEN_TABLES * table + series * sizeof(struct partial_cell)),
		.ids = with->producers * series * ID_BYTES,
		.mapped = with->producers *
			  (WEIR_TABLE_OFFSET + round_up(definitions, 4096) + WEIR_RING_OFFSET +
			   with->ring_events * (uint64_t)sizeof(struct weir_event)),
	};
}

uint64_t layout_bytes(const struct layout *layout)
{
	return layout->base + layout->series + layout->ids + layout->mapped;
}
