/*
 * changing: what a producer shares is changed between the engine's looks at it.
 *
 *   changing ROUNDS
 *
 *   slots-that-change        slots of a ring that is drained become bad before a given instruction
 *                            of the drain: each is refused, or kept as the event that it was
 *   definitions-that-change  lengths of a record change before a given instruction of the look at
 *                            a table: it is refused, or becomes a definition that is whole
 *
 * The engine's own parts, in plain memory, struck before one instruction after the other (steps.h):
 * whatever was looked at twice has changed in between.
 */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/drain.h"
#include "intake/table.h"
#include "steps.h"
#include "support/proof.h"
#include "support/random.h"

#define CAPACITY 128u
/* More than are read ahead: the first of them are drained by one loop, the others by another. */
#define TO_DRAIN 66u
#define ROOM 3u
#define SERIES 6u     /* mapped; one more was refused, the next was never defined */
#define ID_BASE 1000u /* engine id of local series 0 */
#define TIME_MS 500u
/* Each of so many instructions is struck, then fewer and fewer, by chance. */
#define EACH_STEP 200u

/* The next instruction to strike. */
static uint32_t step_next(uint32_t at)
{
	return at + 1 + (at < EACH_STEP ? 0 : (uint32_t)random_below(at / 4));
}

/* Slots. */

static struct {
	struct weir_ring_header header;
	struct weir_region_header region;
	uint32_t ids[SERIES + 2];
	struct weir_event slots[CAPACITY], out[ROOM];
	struct series_map map;
	struct drain_ring ring;
	struct batch batch;
	uint32_t taken;
	uint64_t time_min_ms, time_max_ms;
	const struct weir_event *change; /* what the slots become */
} slots;

static void fill(struct weir_event event)
{
	for (uint32_t i = 0; i < CAPACITY; i++)
		slots.slots[i] = event;
}

static void change_slots(void)
{
	fill(*slots.change);
}

static void drain(void)
{
	slots.taken = drain_take(&slots.ring, slots.out, ROOM, UINT64_MAX, &slots.batch,
				 &slots.time_min_ms, &slots.time_max_ms);
}

/* One drain, of slots that are `before`, and `change` before instruction `at`. */
static bool drain_struck(struct weir_event before, const struct weir_event *change, uint32_t at,
			 uint64_t *bad)
{
	fill(before);
	slots.change = change;
	slots.header.tail = TO_DRAIN;
	slots.ring = (struct drain_ring){.header = &slots.header,
					 .slots = slots.slots,
					 .region = &slots.region,
					 .map = &slots.map,
					 .capacity = CAPACITY,
					 .mask = CAPACITY - 1,
					 .mapped = SERIES + 2};
	slots.time_min_ms = UINT64_MAX;
	slots.time_max_ms = 0;
	*bad += drain_snapshot(&slots.ring) != TO_DRAIN;
	const bool struck = steps_run(drain, at, change_slots);
	*bad += slots.taken != slots.batch.count + slots.batch.rejected;
	for (uint32_t i = 0; i < slots.batch.count; i++) {
		const struct weir_event event = slots.out[i];
		const uint32_t id = weir_event_series(event.word);
		const uint64_t time_ms = weir_event_time_ms(event.word);
		*bad += id <= ID_BASE || id > ID_BASE + SERIES || !weir_bits_finite(event.value) ||
			time_ms < slots.time_min_ms || time_ms > slots.time_max_ms;
	}
	return struck;
}

static uint64_t drain_changing(uint64_t rounds)
{
	static const struct {
		uint64_t time_ms;
		uint32_t series;
		double value;
	} kinds[] = {
		{TIME_MS, 1, 1},
		{TIME_MS, SERIES, -0.5},
		{TIME_MS, 1, NAN},
		{TIME_MS, 2, INFINITY},
		{TIME_MS, 0, 1},
		{TIME_MS, SERIES + 1, 1},
		{TIME_MS, SERIES + 2, 1},
		{TIME_MS, WEIR_SERIES_MASK, 1},
		{0, 3, 1},
		{WEIR_TIME_MS_MAX, 3, 1},
	};
	const unsigned count = sizeof(kinds) / sizeof(kinds[0]);
	struct weir_event events[sizeof(kinds) / sizeof(kinds[0])];
	uint64_t strikes = 0, bad = 0;

	slots.map = (struct series_map){.ids = slots.ids, .series_max = SERIES + 1};
	slots.map.mapped = SERIES + 2;
	slots.region.series_count = SERIES + 1;
	for (uint32_t i = 1; i <= SERIES; i++)
		slots.ids[i] = ID_BASE + i;
	for (unsigned k = 0; k < count; k++) {
		events[k].word = weir_event_word(kinds[k].time_ms, kinds[k].series);
		events[k].value = weir_value_bits(kinds[k].value);
	}
	for (uint64_t r = 0; r < rounds; r++)
		for (unsigned k = 1; k < 2 * count; k++) {
			/* The first into each, each into the first. */
			const struct weir_event before = events[k < count ? 0 : k - count];
			const struct weir_event *change = &events[k < count ? k : 0];
			for (uint32_t at = 0; drain_struck(before, change, at, &bad);
			     at = step_next(at))
				strikes++;
		}
	proof_say("slots-that-change", strikes, bad);
	return bad;
}

/* Definitions. */

static struct {
	struct weir_region_header header;
	_Alignas(4096) uint8_t records[2 * WEIR_DEFINITION_BYTES_MAX];
	struct table table;
	struct series_registry *registry;
	const struct change *change;
	int said;
} region;

/* What may change of a record: so many bytes at a place. */
struct change {
	uint32_t at, bytes, becomes;
};

/* "shop", field "value", one dimension of 8 and 8 bytes; how many bytes it takes. */
static uint32_t define(struct weir_definition *definition)
{
	static const uint16_t bytes[2] = {8, 8};
	uint8_t *at = definition->text;

	memcpy(at, "shopvalue", 9);
	memcpy(at + 9, bytes, sizeof(bytes));
	memcpy(at + 13, "platformiphone17", 16);
	at += 13 + 16;
	while ((size_t)(at - (uint8_t *)definition) % 8)
		*at++ = 0;
	definition->bytes = (uint32_t)(at - (uint8_t *)definition);
	definition->kind = WEIR_NUMBER;
	definition->dimensions = 1;
	definition->event_bytes = 4;
	definition->field_bytes = 5;
	return definition->bytes;
}

/* So that room is there before the steps: to fill new memory may take one for each byte. */
static bool keep_another(struct series_registry *registry)
{
	union {
		struct weir_definition definition;
		uint8_t bytes[128];
	} other;

	memset(&other, 0, sizeof(other));
	define(&other.definition);
	other.definition.text[0] = 'c';
	return series_intern(registry, &other.definition) > 0;
}

static void change_record(void)
{
	memcpy(region.records + region.change->at, &region.change->becomes, region.change->bytes);
}

static void look(void)
{
	region.said = table_step(&region.table, region.registry, 8);
}

/* Is all that the registry has a definition, of its own length? */
static uint64_t check_registry(const struct series_registry *registry)
{
	uint64_t bad = 0;
	const char *why;

	for (uint32_t id = 1; id < series_count(registry); id++) {
		const struct weir_definition *definition = series_get(registry, id);
		bad += definition && (definition->bytes > WEIR_DEFINITION_BYTES_MAX ||
				      series_check(definition, definition->bytes, &why) != 0);
	}
	return bad;
}

static bool look_struck(const struct change *change, uint32_t at, uint64_t *bad)
{
	memset(region.records, 0, sizeof(region.records));
	region.header.table_used = define((struct weir_definition *)region.records);
	region.header.series_count = 1;
	region.change = change;
	region.registry = series_create(64);
	if (!region.registry || !keep_another(region.registry) ||
	    table_init(&region.table, &region, sizeof(region.records), 8, 8))
		exit(1);
	const bool struck = steps_run(look, at, change_record);
	*bad += region.said != 1 && region.said != -EPROTO;
	*bad += region.table.offset > region.header.table_used;
	*bad += check_registry(region.registry);
	table_fini(&region.table);
	series_destroy(region.registry);
	return struck;
}

static uint64_t look_changing(uint64_t rounds)
{
	static const struct change changes[] = {
		{offsetof(struct weir_definition, bytes), 4, 0},
		{offsetof(struct weir_definition, bytes), 4, 8},
		{offsetof(struct weir_definition, bytes), 4, WEIR_DEFINITION_BYTES_MAX},
		{offsetof(struct weir_definition, bytes), 4, WEIR_DEFINITION_BYTES_MAX + 8},
		{offsetof(struct weir_definition, bytes), 4, 1u << 31},
		{offsetof(struct weir_definition, kind), 1, 255},
		{offsetof(struct weir_definition, dimensions), 1, 255},
		{offsetof(struct weir_definition, event_bytes), 1, 255},
		{offsetof(struct weir_definition, field_bytes), 1, 0},
		{offsetof(struct weir_definition, text) + 9, 2, 65535},
		{offsetof(struct weir_definition, text) + 14, 1, 0},
	};
	uint64_t strikes = 0, bad = 0;

	for (uint64_t r = 0; r < rounds; r++)
		for (unsigned c = 0; c < sizeof(changes) / sizeof(changes[0]); c++)
			for (uint32_t at = 0; look_struck(&changes[c], at, &bad);
			     at = step_next(at))
				strikes++;
	proof_say("definitions-that-change", strikes, bad);
	return bad;
}

int main(int argc, char **argv)
{
	const uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;

	if (!steps_possible()) {
		printf("skipped: changing goes by single steps, which are not to be had here\n");
		return 77;
	}
	random_start(1);
	const uint64_t bad = drain_changing(rounds);
	return bad + look_changing(rounds) ? 1 : 0;
}
