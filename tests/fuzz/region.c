/*
 * region: bytes as the memory that a producer offers: a region's header and its series table.
 *
 *   bytes 0..7     (place, value) written over a good header; a place of 255 ends them
 *   bytes 8..11    how far the table is said to be used, and how many definitions it has
 *   the rest       the table's records
 *
 * Holds: what is mapped is a definition; nothing is read behind the table; a refusal has a reason.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "target.h"
#include "intake/memory.h"
#include "intake/table.h"
#include "weir/limits.h"
#include "weir/region.h"

#define TABLE_BYTES 4096u
#define SERIES_MAX 64u
#define HEAD_BYTES 12u
#define PLACES_BYTES 8u

static uint8_t *map;
static int fd = -1;

/* A sealed memfd as libweir makes it, written to through our mapping. */
static void make(void)
{
	size_t bytes = WEIR_TABLE_OFFSET + TABLE_BYTES;

	fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	check(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED);
	check(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
}

static void fill(const uint8_t *data, size_t size)
{
	struct weir_region_header *header = (void *)map;
	size_t at = 0;

	*header = (struct weir_region_header){
		.magic = WEIR_REGION_MAGIC,
		.version = WEIR_LAYOUT_VERSION,
		.fingerprint = weir_layout_fingerprint(),
		.pid = (uint32_t)getpid(),
		.start_time_ticks = 1,
		.table_bytes = TABLE_BYTES,
		.rings_max = WEIR_RINGS_MAX,
		.series_max = SERIES_MAX,
		.uuid = {1},
		.source = "fuzz",
	};
	memset(map + WEIR_TABLE_OFFSET, 0, TABLE_BYTES);
	if (size <= HEAD_BYTES)
		return;
	size_t records = size - HEAD_BYTES > TABLE_BYTES ? TABLE_BYTES : size - HEAD_BYTES;
	memcpy(map + WEIR_TABLE_OFFSET, data + HEAD_BYTES, records);
	/* Mostly as it is, now and then a lie. */
	header->table_used = records + (data[8] < 16 ? data[9] * 64u : 0);
	header->series_count = data[10] % 8 + (data[10] > 240 ? data[11] << 12 : 0);
	for (; at + 2 <= PLACES_BYTES && data[at] != 0xff; at += 2)
		map[data[at] % sizeof(*header)] = data[at + 1];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct region_identity identity;
	struct memory memory;
	struct refusal refusal = {""};

	if (fd < 0)
		make();
	fill(data, size);
	if (memory_open_region(fd, &memory, &identity, &refusal) < 0) {
		check(refusal.text[0]);
		return 0;
	}
	struct series_registry *registry = series_create(SERIES_MAX);
	struct table table;
	check(registry && table_init(&table, memory.at, identity.table_bytes,
				     identity.series_max, SERIES_MAX) == 0);
	for (int turns = 0; turns < 8 && table_step(&table, registry, 16) > 0; turns++)
		;
	table_fini(&table);
	series_destroy(registry);
	memory_close(&memory);
	return 0;
}
