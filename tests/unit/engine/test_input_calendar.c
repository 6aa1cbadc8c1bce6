/* Records of the calendar: what they say becomes an entry, what they cannot say is refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/zone.h"
#include "input.h"
#include "input_calendar.h"

#define BERLIN                                                                                     \
	"\"zone\":\"Europe/Berlin\","                                                              \
	"\"zone_rules\":\"Europe/Berlin 3600 CET-1CEST,M3.5.0,M10.5.0/3\""

static struct operator_input input;
static char why[512];

/* A record of kind calendar_add with these members. */
static int parse(const char *members)
{
	char text[2048];

	why[0] = '\0';
	snprintf(text, sizeof(text), "{\"kind\":\"calendar_add\",%s}", members);
	return input_parse(text, strlen(text), &input, why, sizeof(why));
}

static struct calendar_entry entry_of(const char *members)
{
	struct calendar_entry entry;

	cr_assert_eq(parse(members), 0, "%s: %s", members, why);
	input.number = 12;
	cr_assert_eq(input_calendar_entry(&input, &entry, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(entry.number, 12);
	return entry;
}

Test(input_calendar, a_record_is_an_entry)
{
	struct calendar_entry entry = entry_of(
		"\"name\":\"sale\",\"from_ms\":1000,\"until_ms\":2000,\"metric\":\"orders\","
		"\"slice\":\"country=DE\",\"source\":\"l*\",\"effect\":\"expect:+12.5%\","
		"\"learn\":false,\"text\":\"from marketing\",\"set\":\"plan\"");

	cr_assert_str_eq(entry.name, "sale");
	cr_assert_str_eq(entry.metric, "orders");
	cr_assert_str_eq(entry.slice, "country=DE");
	cr_assert_str_eq(entry.source, "l*");
	cr_assert(entry.when == CALENDAR_ONCE && entry.from_ms == 1000 && entry.until_ms == 2000);
	cr_assert(entry.effect == CALENDAR_EXPECT && entry.percent == 12.5);
	cr_assert_eq(entry.learn, CALENDAR_LEARN_NO);
	cr_assert_null(entry.zone);
	entry = entry_of("\"name\":\"x\",\"date\":\"12-24\",\"at\":\"14:30\",\"length_ms\":3600000,"
			 "\"only\":[\"sat\",\"sun\"],\"weekday\":\"mon\",\"shift\":-2,"
			 "\"first_year\":2020,\"last_year\":2030," BERLIN);
	cr_assert(entry.when == CALENDAR_DATE && entry.month == 12 && entry.day == 24);
	cr_assert(entry.at_ms == 52200000 && entry.length_ms == 3600000 && !entry.length_days);
	cr_assert(entry.only == 65 && entry.weekday == 1 && entry.days == -2);
	cr_assert(entry.first_year == 2020 && entry.last_year == 2030);
	cr_assert_eq(entry.effect, CALENDAR_EXCLUDE);
	cr_assert_str_eq(zone_name(entry.zone), "Europe/Berlin");
	zone_free((struct zone *)(uintptr_t)entry.zone);
	entry = entry_of("\"name\":\"x\",\"easter\":\"orthodox\",\"days\":3,"
			 "\"effect\":\"last-year\",\"learn\":true");
	cr_assert(entry.when == CALENDAR_ORTHODOX && entry.length_days == 3);
	cr_assert(entry.effect == CALENDAR_LAST_YEAR && calendar_learns(&entry));
}

static void expect_refused(const char *members, const char *words)
{
	cr_expect_eq(parse(members), -EINVAL, "%s", members);
	cr_expect(strstr(why, words), "%s: %s", members, why);
}

Test(input_calendar, what_cannot_be_is_refused)
{
	expect_refused("\"date\":\"01-01\"", "it has no name");
	expect_refused("\"name\":\"x\"", "when is it?");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"easter\":\"western\"", "when is it?");
	expect_refused("\"name\":\"x\",\"from_ms\":5,\"until_ms\":5", "ends before it begins");
	expect_refused("\"name\":\"x\",\"date\":\"1-1-1\"", "\"date\" is a month and a day");
	expect_refused("\"name\":\"x\",\"date\":\"02-30\"", "no such date");
	expect_refused("\"name\":\"x\",\"date\":7", "\"date\" is a month and a day");
	expect_refused("\"name\":\"x\",\"easter\":\"eastern\"", "western or orthodox");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"weekday\":\"Mon\"", "\"weekday\"");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"only\":[]", "\"only\"");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"only\":[\"mon\",1]", "\"only\"");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"at\":\"24:00\"", "\"at\"");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"shift\":1.5", "\"shift\"");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"days\":0", "so many days");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"days\":367", "a year at most");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"days\":null", "is null");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"first_year\":1500", "1970 to 2109");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"effect\":\"skip\"", "\"effect\"");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"learn\":true", "is not learned from");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"zone\":\"UTC\"", "rules of its zone");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"zone\":\"Europe/Rome\","
		       "\"zone_rules\":\"Europe/Berlin 3600\"",
		       "\"zone_rules\"");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"zone_rules\":\"Europe/Berlin 3600\"",
		       "\"zone_rules\"");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"colour\":\"red\"", "colour");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"id\":\"" /* of an anomaly */
		       "00000000000000010000000000000002\"",
		       "an entry is of no anomaly");
	expect_refused("\"name\":\"x\",\"date\":\"01-01\",\"set\":7", "\"set\"");
	cr_assert_eq(input_parse("{\"kind\":\"calendar_remove\"}", 26, &input, why, sizeof(why)),
		     -EINVAL);
	cr_assert(strstr(why, "remove which entry"), "%s", why);
}

/* The rules of a zone come from this machine, once; what a client says of them does not count. */
Test(input_calendar, a_zone_s_rules_are_put_in)
{
	json_t *record = json_pack("{ss ss}", "zone", "Europe/London", "zone_rules", "nonsense");

	cr_assert_eq(input_calendar_complete(record, why, sizeof(why)), 0, "%s", why);
	const char *rules = json_string_value(json_object_get(record, "zone_rules"));
	cr_assert(strncmp(rules, "Europe/London ", 14) == 0, "%s", rules);
	json_decref(record);
	record = json_pack("{ss}", "zone", "Europe/Atlantis");
	cr_assert_lt(input_calendar_complete(record, why, sizeof(why)), 0);
	cr_assert(strstr(why, "Europe/Atlantis"), "%s", why);
	json_decref(record);
}

static void expect_refused_new(const char *members, const char *words)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"name\":\"x\",%s}", members);
	json_t *record = json_loads(text, 0, NULL);
	why[0] = '\0';
	cr_expect_eq(input_calendar_complete(record, why, sizeof(why)), -EINVAL, "%s", members);
	cr_expect(strstr(why, words), "%s: %s", members, why);
	json_decref(record);
}

/* Of what somebody says now; a log that has it is read nevertheless. */
Test(input_calendar, what_would_be_ignored_is_refused)
{
	static const char span[] = "\"from_ms\":5,\"until_ms\":9,\"at\":\"18:00\"";
	json_t *record;

	expect_refused_new(span, "has no \"at\"");
	expect_refused_new("\"from_ms\":5,\"until_ms\":9,\"days\":2", "has no \"days\"");
	expect_refused_new("\"date\":\"01-01\",\"detector\":\"orders\"", "has no \"detector\"");
	expect_refused_new("\"date\":\"01-01\",\"severity_below\":50", "has no \"severity_below\"");
	expect_refused_new("\"date\":\"01-01\",\"of\":5", "has no \"of\"");
	expect_refused_new("\"date\":\"01-01\",\"first_year\":2030,\"last_year\":2020",
			   "is behind \"last_year\"");
	expect_refused_new("\"date\":\"01-01\",\"slice\":\"DE\"", "\"slice\"");
	expect_refused_new("\"date\":\"01-01\",\"slice\":\"=DE\"", "\"slice\"");
	expect_refused_new("\"date\":\"01-01\",\"slice\":\"country=DE,\"", "\"slice\"");
	expect_refused_new("\"date\":\"01-01\",\"metric\":\"a\\u0007\"", "\"metric\" has");
	expect_refused_new("\"date\":\"01-01\",\"set\":\"a\\u007f\"", "\"set\" has");
	record = json_pack("{ss ss ss}", "name", "Pâques", "date", "01-01", "slice",
			   "country=DE,device=mobile");
	cr_assert_eq(input_calendar_complete(record, why, sizeof(why)), 0, "%s", why);
	json_decref(record);
	record = json_pack("{ss ss ss}", "name", "fair", "date", "01-01", "slice",
			   "city=Frankfurt\\, Oder,device=mobile");
	cr_assert_eq(input_calendar_complete(record, why, sizeof(why)), 0, "%s", why);
	json_decref(record);
	char text[128];
	snprintf(text, sizeof(text), "\"name\":\"x\",%s", span);
	cr_assert_eq(parse(text), 0, "%s", why);
}
