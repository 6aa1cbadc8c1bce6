/*
 * calendar: bytes as an iCalendar file, and as an entry of the control log. The first one says
 * which.
 *
 * Holds: what is refused has a reason; what is taken is an entry that can be, whose occurrences
 * have an order, and that a checkpoint gives back.
 */
#include <string.h>

#include "base/check.h"
#include "base/zone.h"
#include "ical.h"
#include "input.h"
#include "input_calendar.h"
#include "target.h"

/* A moment in the year 2026. */
#define NOW_MS INT64_C(1780000000000)

static void check_entry(const struct calendar_entry *entry)
{
	struct calendar *calendar = calendar_create(), *again = calendar_create();
	struct bytes bytes = {0}, twice = {0};
	int64_t from, until, next, end;

	check(!calendar_wrong(entry));
	if (calendar_next(entry, NULL, NOW_MS, &from, &until)) {
		check(until > NOW_MS);
		if (calendar_next(entry, NULL, until, &next, &end))
			check(next >= from && end > until);
	}
	check(calendar && again && calendar_add(calendar, entry) == 0);
	calendar_save(calendar, &bytes);
	struct bytes_reader in = {.data = bytes.data, .left = bytes.used};
	check(calendar_load(again, &in) == 0 && in.left == 0);
	calendar_save(again, &twice);
	check(bytes.used == twice.used && memcmp(bytes.data, twice.data, bytes.used) == 0);
	bytes_fini(&bytes);
	bytes_fini(&twice);
	calendar_destroy(calendar);
	calendar_destroy(again);
}

static int each(void *self, uint64_t line, json_t *members)
{
	struct calendar_entry entry;
	char why[512] = "";

	(void)self;
	check(line > 0);
	if (input_calendar_read(members, &entry, why, sizeof(why)) == 0) {
		entry.number = line;
		check_entry(&entry);
	} else {
		check(why[0]);
	}
	zone_free((struct zone *)(uintptr_t)entry.zone);
	json_decref(members);
	return 0;
}

static void read_record(const char *text, size_t bytes)
{
	static struct operator_input input;
	struct calendar_entry entry;
	char why[512] = "";
	int error = input_parse(text, bytes, &input, why, sizeof(why));

	check(error == 0 || why[0]);
	if (error < 0 || input.kind != OPERATOR_CALENDAR_ADD)
		return;
	input.number = 1;
	check(input_calendar_entry(&input, &entry, why, sizeof(why)) == 0);
	check_entry(&entry);
	zone_free((struct zone *)(uintptr_t)entry.zone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[512] = "";

	if (size == 0)
		return 0;
	if (data[0] & 1)
		read_record((const char *)data + 1, size - 1);
	else if (ical_read((const char *)data + 1, size - 1, each, NULL, why, sizeof(why)) < 0)
		check(why[0]);
	return 0;
}
