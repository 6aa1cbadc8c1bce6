/*
 * The sets that are shipped give the days that were and will be; events of iCalendar files are
 * taken, or refused with their line.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/zone.h"
#include "calendar_set.h"
#include "ical.h"
#include "input_calendar.h"

#define DAY_MS INT64_C(86400000)

/* All days that a set gives in a year, from the official lists of these years. */
static const struct {
	const char *set;
	int year;
	const char *days; /* MMDD, in order; days of several are named by their first */
} published[] = {
	{"us", 2021, "0101 0118 0215 0531 0618 0619 0704 0705 0906 1011 1111 1125 1224 1225 1231"},
	{"us", 2023, "0101 0102 0116 0220 0529 0619 0704 0904 1009 1110 1111 1123 1225"},
	{"us", 2024, "0101 0115 0219 0527 0619 0704 0902 1014 1111 1128 1225"},
	{"us", 2016, "0101 0118 0215 0530 0704 0905 1010 1111 1124 1225 1226"},
	{"us", 2018, "0101 0115 0219 0528 0704 0903 1008 1111 1112 1122 1225"},
	{"us", 2025, "0101 0120 0217 0526 0619 0704 0901 1013 1111 1127 1225"},
	{"us", 2020, "0101 0120 0217 0525 0703 0704 0907 1012 1111 1126 1225"},
	{"gb", 2021, "0101 0402 0404 0405 0503 0531 0830 1225 1226 1227 1228"},
	{"gb", 2023, "0101 0102 0407 0409 0410 0501 0529 0828 1225 1226"},
	{"gb", 2024, "0101 0329 0331 0401 0506 0527 0826 1225 1226"},
	{"gb", 2025, "0101 0418 0420 0421 0505 0526 0825 1225 1226"},
	{"gb", 2026, "0101 0403 0405 0406 0504 0525 0831 1225 1226 1228"},
	{"de", 2024, "0101 0329 0331 0401 0501 0509 0519 0520 1003 1224 1225 1226 1231"},
	{"de", 2026, "0101 0403 0405 0406 0501 0514 0524 0525 1003 1224 1225 1226 1231"},
	{"at", 2025, "0101 0106 0420 0421 0501 0529 0608 0609 0619 0815 1026 1101 1208 1225 1226"},
	{"ch", 2025, "0101 0418 0420 0421 0529 0608 0609 0801 1225 1226"},
	{"fr", 2023, "0101 0409 0410 0501 0508 0518 0528 0529 0714 0815 1101 1111 1225"},
	{"fr", 2025, "0101 0420 0421 0501 0508 0529 0608 0609 0714 0815 1101 1111 1225"},
	{"it", 2024, "0101 0106 0331 0401 0425 0501 0602 0815 1101 1208 1225 1226"},
	{"it", 2026, "0101 0106 0405 0406 0425 0501 0602 0815 1004 1101 1208 1225 1226"},
	{"es", 2024, "0101 0106 0329 0501 0815 1012 1101 1206 1208 1225"},
	{"nl", 2025, "0101 0420 0421 0426 0505 0529 0608 0609 1205 1225 1226"},
	{"nl", 2024, "0101 0331 0401 0427 0505 0509 0519 0520 1205 1225 1226"},
	{"pl", 2024, "0101 0106 0331 0401 0501 0503 0519 0530 0815 1101 1111 1225 1226"},
	{"pl", 2025, "0101 0106 0420 0421 0501 0503 0608 0619 0815 1101 1111 1224 1225 1226"},
	{"se", 2020,
	 "0101 0106 0410 0412 0413 0501 0521 0531 0606 0619 0620 1031 1224 1225 1226 1231"},
	{"se", 2024,
	 "0101 0106 0329 0331 0401 0501 0509 0519 0606 0621 0622 1102 1224 1225 1226 1231"},
	{"se", 2025,
	 "0101 0106 0418 0420 0421 0501 0529 0606 0608 0620 0621 1101 1224 1225 1226 1231"},
	{"gr", 2024, "0101 0106 0318 0325 0503 0505 0506 0624 0815 1028 1225 1226"},
	{"gr", 2025, "0101 0106 0303 0325 0418 0420 0421 0609 0815 1028 1225 1226"},
	{"ca", 2024, "0101 0219 0329 0520 0701 0805 0902 0930 1014 1111 1225 1226"},
	{"ca", 2026, "0101 0216 0403 0518 0701 0803 0907 0930 1012 1111 1225 1226 1228"},
	{"ca", 2023, "0101 0102 0220 0407 0522 0701 0703 0807 0904 0930 1009 1111 1225 1226"},
	{"au", 2022, "0101 0103 0126 0415 0416 0417 0418 0425 0613 1225 1226 1227"},
	{"au", 2026, "0101 0126 0403 0404 0405 0406 0425 0608 1225 1226 1228"},
	{"au", 2024, "0101 0126 0329 0330 0331 0401 0425 0610 1225 1226"},
	{"shopping", 2023, "0212 0308 0513 1111 1124 1125 1127 1218 1224 1231"},
	{"shopping", 2026, "0212 0308 0509 1111 1127 1128 1130 1218 1224 1231"},
};

static int ascending(const void *a, const void *b)
{
	return memcmp(a, b, 4);
}

/* The days of a set in a year, as in the table. */
static void days_of(const char *set, int year, char text[512])
{
	char why[512], days[64][24];
	json_t *entries = calendar_set_read(set, why, sizeof(why)), *members;
	size_t i, count = 0;

	cr_assert_not_null(entries, "%s", why);
	json_array_foreach(entries, i, members)
	{
		struct calendar_entry entry;
		int64_t day;
		cr_assert_eq(input_calendar_read(members, &entry, why, sizeof(why)), 0, "%s", why);
		if (!calendar_day(&entry, year, &day))
			day = 0; /* of the next year's date it may still be this year's */
		for (int64_t of = year; of <= year + 1; of++) {
			if (!calendar_day(&entry, of, &day) || civil_year(day) != year)
				continue;
			int month = 1;
			while (month < 12 && day >= civil_day(year, month + 1, 1))
				month++;
			snprintf(days[count++], sizeof(days[0]), "%02d%02d", month,
				 (int)(day - civil_day(year, month, 1)) + 1);
		}
	}
	json_decref(entries);
	qsort(days, count, sizeof(days[0]), ascending);
	text[0] = '\0';
	for (i = 0; i < count; i++) {
		size_t used = strlen(text);
		snprintf(text + used, 512 - used, "%s%.4s", i ? " " : "", days[i]);
	}
}

Test(ctl_calendar, sets_give_the_days_that_are_published)
{
	char text[512];

	for (size_t i = 0; i < sizeof(published) / sizeof(published[0]); i++) {
		days_of(published[i].set, published[i].year, text);
		cr_expect_str_eq(text, published[i].days, "%s %d:\n%s, not\n%s", published[i].set,
				 published[i].year, text, published[i].days);
	}
}

static void note_set(void *self, const char *name, const char *title)
{
	unsigned *count = self;
	char why[512];
	struct zone *zone;
	json_t *entries = calendar_set_read(name, why, sizeof(why)), *members;
	size_t i;

	cr_assert(title[0]);
	cr_assert_not_null(entries, "%s", why);
	/* Each zone is one that there is. */
	json_array_foreach(entries, i, members)
	{
		const char *named = json_string_value(json_object_get(members, "zone"));
		cr_assert(!named || zone_load(named, &zone, why, sizeof(why)) == 0, "%s", why);
		if (named)
			zone_free(zone);
	}
	json_decref(entries);
	(*count)++;
}

Test(ctl_calendar, every_set_is_right_and_in_the_table)
{
	unsigned count = 0, named = 0;

	cr_assert_eq(calendar_sets_each(note_set, &count), 0);
	for (size_t i = 0; i < sizeof(published) / sizeof(published[0]); i++) {
		bool before = false;
		for (size_t k = 0; k < i; k++)
			before |= strcmp(published[k].set, published[i].set) == 0;
		named += !before;
	}
	cr_assert_eq(count, named);
	char why[512];
	cr_assert_null(calendar_set_read("atlantis", why, sizeof(why)));
	cr_assert(strstr(why, "atlantis") && strstr(why, "gb, gr, it"), "%s", why);
}

static int append(void *self, uint64_t line, json_t *members)
{
	cr_assert_gt(line, 0);
	return json_array_append_new(self, members);
}

/* The entries of these lines within a calendar. */
static json_t *taken(const char *lines)
{
	json_t *list = json_array();
	char text[4096], why[512];

	snprintf(text, sizeof(text), "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n%sEND:VCALENDAR\r\n",
		 lines);
	cr_assert_eq(ical_read(text, strlen(text), append, list, why, sizeof(why)), 0, "%s: %s",
		     lines, why);
	return list;
}

/* One event of these lines, as an entry's JSON. */
static void expect_entry(const char *lines, const char *wanted)
{
	char text[2048], why[256];
	struct calendar_entry entry;

	snprintf(text, sizeof(text), "BEGIN:VEVENT\r\nUID:1@x\r\n%sEND:VEVENT\r\n", lines);
	json_t *list = taken(text);
	cr_assert_eq(json_array_size(list), 1);
	json_t *members = json_array_get(list, 0);
	char *got = json_dumps(members, JSON_COMPACT | JSON_SORT_KEYS);
	cr_expect_str_eq(got, wanted, "%s:\n%s, not\n%s", lines, got, wanted);
	cr_assert_eq(input_calendar_read(members, &entry, why, sizeof(why)), 0, "%s", why);
	free(got);
	json_decref(list);
}

Test(ctl_calendar, events_become_entries)
{
	expect_entry("DTSTART:20261127T080000Z\r\nDTEND:20261127T140000Z\r\nSUMMARY:sale\r\n",
		     "{\"from_ms\":1795766400000,\"name\":\"sale\",\"until_ms\":1795788000000}");
	expect_entry("DTSTART;TZID=Europe/Berlin:20261127T090000\r\nDURATION:PT6H\r\nSUMMARY:s\r\n",
		     "{\"from_ms\":1795766400000,\"name\":\"s\",\"until_ms\":1795788000000}");
	expect_entry("DTSTART;TZID=\"Europe/Berlin\":20261127T090000\r\n"
		     "DTEND;TZID=Europe/London:20261127T140000\r\nSUMMARY:s\r\n",
		     "{\"from_ms\":1795766400000,\"name\":\"s\",\"until_ms\":1795788000000}");
	/* A date is of the detector's clock. */
	expect_entry("DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227\r\nSUMMARY:x\r\n",
		     "{\"date\":\"12-24\",\"days\":3,\"first_year\":2026,\"last_year\":2026,"
		     "\"name\":\"x\"}");
	expect_entry("DTSTART;VALUE=DATE:20261224\r\nSUMMARY:x\r\nRRULE:FREQ=YEARLY\r\n",
		     "{\"date\":\"12-24\",\"days\":1,\"first_year\":2026,\"name\":\"x\"}");
	expect_entry("DTSTART:20261224T183000\r\nDURATION:P1DT30M\r\nSUMMARY:x\r\n"
		     "RRULE:FREQ=YEARLY;COUNT=3\r\n",
		     "{\"at\":\"18:30\",\"date\":\"12-24\",\"first_year\":2026,"
		     "\"last_year\":2028,\"length_ms\":88200000,\"name\":\"x\"}");
	expect_entry("DTSTART;TZID=Europe/Rome:20261126T100000\r\nDURATION:PT1H\r\nSUMMARY:x\r\n"
		     "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;UNTIL=20281130\r\n",
		     "{\"at\":\"10:00\",\"date\":\"11-22\",\"first_year\":2026,"
		     "\"last_year\":2028,\"length_ms\":3600000,\"name\":\"x\","
		     "\"weekday\":\"thu\",\"zone\":\"Europe/Rome\"}");
	expect_entry("DTSTART;VALUE=DATE:20260525\r\nSUMMARY:x\r\n"
		     "RRULE:FREQ=YEARLY;BYDAY=-1MO;BYMONTH=5;UNTIL=20280101T000000Z\r\n",
		     "{\"date\":\"05-25\",\"days\":1,\"first_year\":2026,\"last_year\":2027,"
		     "\"name\":\"x\",\"weekday\":\"mon\"}");
}

/* Lines are folded anywhere, names are escaped, and other components are nobody's business. */
Test(ctl_calendar, what_a_file_may_look_like)
{
	expect_entry("DTSTART;VALUE=DA\r\n TE:2026\r\n\t1224\r\nSUMMARY:Sale\\, big\r\n ger\\; "
		     "\\\\ 50\r\nBEGIN:VALARM\r\nTRIGGER:-PT5M\r\nSUMMARY:no\r\nEND:VALARM\r\n",
		     "{\"date\":\"12-24\",\"days\":1,\"first_year\":2026,\"last_year\":2026,"
		     "\"name\":\"Sale, bigger; \\\\ 50\"}");
	json_t *list = taken("BEGIN:VTIMEZONE\nTZID:X\nBEGIN:STANDARD\nDTSTART:19700101T000000\n"
			     "RRULE:FREQ=WEEKLY\nEND:STANDARD\nEND:VTIMEZONE\n\n"
			     "begin:vevent\nsummary:a\ndtstart:20260101\nend:vevent\n"
			     "BEGIN:VEVENT\nSUMMARY:b\nSTATUS:CANCELLED\nEND:VEVENT\n"
			     "BEGIN:VTODO\nSUMMARY:c\nEND:VTODO\n"
			     "BEGIN:VEVENT\nSUMMARY:d\nDTSTART:20260201\nEND:VEVENT\n");
	cr_assert_eq(json_array_size(list), 2);
	cr_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 1), "name")), "d");
	json_decref(list);
	/* A name is cut where a character ends. */
	char lines[512], name[96];
	snprintf(name, sizeof(name), "%063d\xc3\xa9y", 7);
	snprintf(lines, sizeof(lines), "BEGIN:VEVENT\nDTSTART:20260101\nSUMMARY:%s\nEND:VEVENT\n",
		 name);
	list = taken(lines);
	cr_assert_eq(strlen(json_string_value(json_object_get(json_array_get(list, 0), "name"))),
		     63);
	json_decref(list);
}

static void expect_refused(const char *lines, unsigned line, const char *words)
{
	json_t *list = json_array();
	char text[2048], why[512] = "", begin[32];

	snprintf(text, sizeof(text), "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x\n%s\nEND:VEVENT\n",
		 lines);
	snprintf(begin, sizeof(begin), "line %u: ", line);
	cr_expect_eq(ical_read(text, strlen(text), append, list, why, sizeof(why)), -EBADMSG, "%s",
		     lines);
	cr_expect(strncmp(why, begin, strlen(begin)) == 0 && strstr(why, words), "%s: %s", lines,
		  why);
	json_decref(list);
}

Test(ctl_calendar, what_is_not_taken_is_said)
{
	expect_refused("DTSTART:20260101\nRRULE:FREQ=WEEKLY", 5, "only FREQ=YEARLY is taken");
	expect_refused("DTSTART:20260101\nRRULE:FREQ=YEARLY;INTERVAL=2", 5, "INTERVAL=2");
	expect_refused("DTSTART:20260101\nRRULE:FREQ=YEARLY;BYSETPOS=1", 5, "BYSETPOS=1");
	expect_refused("DTSTART:20260101\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=5TH", 5, "BYDAY=5TH");
	expect_refused("DTSTART:20261127\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", 2,
		       "RRULE and DTSTART are not of the same date");
	expect_refused("DTSTART:20260101\nRRULE:FREQ=YEARLY;UNTIL=20250101", 2, "over before");
	expect_refused("DTSTART:20260101\nEXDATE:20270101", 5, "EXDATE is not taken");
	expect_refused("DTSTART:20260101\nRDATE:20270103", 5, "RDATE is not taken");
	expect_refused("DTSTART:20260230", 4, "\"20260230\" is no date");
	expect_refused("DTSTART:20260101T250000Z", 4, "is no date");
	expect_refused("DTSTART;VALUE=DATE:20260101T100000Z", 4, "says that it is a DATE");
	expect_refused("DTSTART:20260101T100000Z", 2, "DTEND or DURATION is missing");
	expect_refused("DTSTART:20260101T100000Z\nDTEND:20260101", 2, "different clocks");
	expect_refused("DTSTART:20260102\nDTEND:20260102", 2, "ends before it begins");
	expect_refused("DTSTART;TZID=Nowhere/X:20260101T100000\nDURATION:PT1H", 2, "Nowhere/X");
	expect_refused("DTSTART:20260101\nDURATION:P1X", 5, "DURATION");
	expect_refused("DTSTART", 4, "no colon");
	expect_refused("COMMENT:x", 2, "it has no DTSTART");
	/* It goes on and on. */
	char why[512];
	cr_assert_eq(ical_read("BEGIN:VEVENT\nSUMMARY:x\n", 23, append, NULL, why, sizeof(why)),
		     -EBADMSG);
	cr_assert(strstr(why, "ends within an event"), "%s", why);
}
