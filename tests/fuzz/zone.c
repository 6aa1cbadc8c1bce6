/*
 * zone: bytes as a file of a time zone, as a rule in an otherwise good file, and as a line of a
 * record. What is taken answers for every time with an offset that there may be, and comes back
 * from its line as the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/zone.h"
#include "target.h"

#define OFFSET_MAX_MS 93600000


static void ask(const struct zone *zone)
{
	static const int64_t times_ms[] = {INT64_MIN,     -1,   0,        1, 951782399999,
					   4102444800000, 1e15, INT64_MAX};

	for (size_t i = 0; i < sizeof(times_ms) / sizeof(times_ms[0]); i++)
		check(llabs(zone_offset_ms(zone, times_ms[i])) <= OFFSET_MAX_MS);
	check(zone_granule_ms(zone) > 0 && 86400000 % zone_granule_ms(zone) == 0);
}

/* Its line is read back as what gives the same line and the same times. */
static void come_back(struct zone *zone)
{
	struct bytes line = {0}, again = {0};
	struct zone *read = NULL;

	ask(zone);
	zone_save(zone, &line);
	check(!line.failed);
	check(zone_read((const char *)line.data, line.used, &read) == 0);
	ask(read);
	for (int64_t t = 0; t < 6000000000000; t += 123456789012)
		check(zone_offset_ms(read, t) == zone_offset_ms(zone, t));
	zone_save(read, &again);
	check(again.used == line.used && memcmp(again.data, line.data, line.used) == 0);
	bytes_fini(&line);
	bytes_fini(&again);
	zone_free(read);
	zone_free(zone);
}

/* A file of the second version with one type, and these bytes as its rule. */
static size_t wrap(const uint8_t *rule, size_t size, uint8_t *file)
{
	static const uint8_t header[44] = {'T', 'Z', 'i', 'f', '2', [39] = 1, [43] = 1};

	for (int i = 0; i < 2; i++) {
		memcpy(file + i * 51, header, 44);
		memset(file + i * 51 + 44, 0, 7);
	}
	file[102] = '\n';
	memcpy(file + 103, rule, size);
	file[103 + size] = '\n';
	return 104 + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zone *zone;
	uint8_t file[1024];

	if (zone_parse("Fuzz/Zone", data, size, &zone) == 0)
		come_back(zone);
	if (size < 800 && zone_parse("Fuzz/Rule", file, wrap(data, size, file), &zone) == 0)
		come_back(zone);
	if (zone_read((const char *)data, size, &zone) == 0)
		come_back(zone);
	return 0;
}
