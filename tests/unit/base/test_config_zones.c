/* Time zones of a configuration: found when a file is read, carried with it from there on. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/zone.h"
#include "config.h"
#include "config_diff.h"
#include "zone_file.h"

#define METRICS                                                                                    \
	"metrics: [{name: orders, event: purchase}, {name: aov, event: purchase, agg: mean}]\n"
#define JULY (INT64_C(1720000000) * 1000)
#define HOUR_MS 3600000

static char why[1024];

static struct config *parse(const char *text)
{
	struct config *config = NULL;

	cr_assert_eq(config_parse(text, strlen(text), "shop.yaml", &config, why, sizeof(why)), 0,
		     "%s", why);
	return config;
}

static struct config *restore(const char *record)
{
	struct config *config = NULL;

	cr_assert_eq(config_restore(record, strlen(record), "the log", &config, why, sizeof(why)),
		     0, "%s", why);
	return config;
}

static void refuses(const char *text, const char *expected)
{
	struct config *config = NULL;

	why[0] = '\0';
	cr_assert_eq(config_parse(text, strlen(text), "shop.yaml", &config, why, sizeof(why)),
		     -EINVAL);
	cr_assert_str_eq(why, expected);
}

static void refuses_record(const char *record)
{
	struct config *config = NULL;

	cr_assert_eq(config_restore(record, strlen(record), "x", &config, why, sizeof(why)),
		     -EINVAL, "%s", record);
}

/* Etc/Shop in a database, with this rule. */
static void open_shop(const char *rule)
{
	struct made made = make_file(NULL, 0, (const int32_t[]){0}, 1, rule);

	database("Shop", &made);
}

static void close_shop(void)
{
	remove_database("Shop");
	setenv("TZDIR", "/nonexistent", 1);
}

static int64_t july(const struct config *config, unsigned detector)
{
	return zone_offset_ms(config->detectors[detector].zone, JULY) / HOUR_MS;
}

Test(config_zones, are_utc_unless_it_says_otherwise_and_then_nothing_is_added)
{
	setenv("TZDIR", "/nonexistent", 1);
	struct config *config = parse(METRICS);

	cr_assert_str_eq(config->timezone, "UTC");
	cr_assert_str_eq(config->detectors[0].timezone, "UTC");
	cr_assert_null(config->detectors[0].zone);
	cr_assert_str_eq(config->record, config->text);
	config_free(config);
	config = parse("timezone: UTC\n" METRICS);
	cr_assert_str_eq(config->record, config->text);
	config_free(config);
}

Test(config_zones, are_carried_by_the_record_and_not_looked_up_again)
{
	static const char text[] = METRICS "timezone: Etc/Shop # ours";

	open_shop("GMT0BST,M3.5.0/1,M10.5.0");
	struct config *config = parse(text);

	close_shop();
	cr_assert_str_eq(config->text, text);
	cr_assert_str_eq(config->record, METRICS "timezone: Etc/Shop # ours\n"
						 "#zone Etc/Shop 0 GMT0BST,M3.5.0/1,M10.5.0\n"
						 "#zones 1\n");
	struct config *restored = restore(config->record);

	cr_assert_eq(july(config, 0), 1);
	cr_assert_eq(july(restored, 0), 1);
	cr_assert_str_eq(restored->record, config->record);
	cr_assert_null(strstr(restored->text, "#zone"));
	/* It is a file's text as well: what is behind it are comments. */
	open_shop("GMT0");
	struct config *again = parse(config->record);

	cr_assert_eq(july(again, 0), 0);
	struct config *both = restore(again->record);

	cr_assert_eq(july(both, 0), 0);
	cr_assert_str_eq(both->text, config->record);
	close_shop();
	config_free(config);
	config_free(restored);
	config_free(again);
	config_free(both);
}

Test(config_zones, of_detectors_are_their_own_or_the_files)
{
	open_shop("AAA-5");
	struct config *config = parse(
		"timezone: Etc/Shop\n" METRICS "detectors:\n"
		"  - {name: a, metric: orders}\n"
		"  - {name: b, metric: orders, timezone: UTC}\n"
		"  - {name: c, metric: orders, kind: window}\n"
		"  - {name: d, metric: orders, kind: window, frequency: 1d, window: 7}\n"
		"  - {name: e, metric: orders, kind: rule, up: 10, frequency: 1mo, timezone: Etc/Shop}\n"
		"  - {name: f, metric: orders, kind: absence}\n");
	const int64_t expected[] = {5, 0, 0, 5, 5, 5};

	for (unsigned i = 0; i < 6; i++)
		cr_assert_eq(july(config, i), expected[i], "%s", config->detectors[i].name);
	cr_assert_null(config->detectors[2].timezone);
	cr_assert_eq(config->zones_count, 1);
	config_free(config);
	close_shop();
}

Test(config_zones, that_are_unknown_or_of_no_use_are_refused_with_what_to_do)
{
	char expected[512];

	open_shop("GMT0");
	struct made made = make_file(NULL, 0, (const int32_t[]){0}, 1, "UTC0");
	char path[256];

	snprintf(path, sizeof(path), "%s/Etc/UTC", getenv("TZDIR"));
	FILE *file = fopen(path, "w");

	cr_assert(file);
	fwrite(made.data, 1, made.used, file);
	fclose(file);
	snprintf(expected, sizeof(expected),
		 "shop.yaml: timezone: there is no time zone \"Etc/Shpo\"; write UTC, or a name as "
		 "Europe/London or America/New_York (a file below %s)",
		 getenv("TZDIR"));
	refuses("timezone: Etc/Shpo\n" METRICS, expected);
	unlink(path);
	close_shop();
	refuses(METRICS "detectors: [{metric: orders, timezone: Europe/London}]\n",
		"shop.yaml: detectors[0].timezone: \"Europe/London\" cannot be looked up: there is no "
		"time zone database in /nonexistent; install it (Debian: tzdata), or write UTC");
	refuses(METRICS "detectors: [{metric: orders, kind: window, timezone: UTC}]\n",
		"shop.yaml: detectors[0].timezone: of kind window only a frequency of 1d, 7d or 1mo "
		"goes by a clock on the wall; remove it");
	refuses("timezone: ''\n" METRICS,
		"shop.yaml: timezone: empty; give it a value or remove the key");
}

Test(config_zones, of_a_broken_record_are_refused_and_what_a_person_wrote_is_none)
{
	setenv("TZDIR", "/nonexistent", 1);
	refuses_record("timezone: A/B\n#zone A/B 0\n");
	refuses_record("timezone: A/B\n#zone A/B 0\n#zones 0\n");
	refuses_record("timezone: A/B\n#zone A/B 0\n#zones 2\n");
	refuses_record("timezone: A/B\n#zone A/B zero\n#zones 1\n");
	refuses_record("timezone: A/B\n#zone A/B 0\n#zones 99\n");
	refuses_record("timezone: A/B\n#zone A/C 0\n#zones 1\n");
	refuses_record("#zones 1\n");
	refuses_record("#zones 1");
	config_free(restore("timezone: A/B\n#zone A/B 0\n#zones 1\n"));
	/* A file that ends like a record. */
	struct config *config = parse(METRICS "#zones 3");

	cr_assert_str_eq(config->record, METRICS "#zones 3\n#zones 0\n");
	struct config *restored = restore(config->record);

	cr_assert_str_eq(restored->text, METRICS "#zones 3\n");
	cr_assert_str_eq(restored->record, config->record);
	config_free(config);
	config_free(restored);
	/* A record of before there were zones. */
	config = restore(METRICS);
	cr_assert_null(config->detectors[0].zone);
	config_free(config);
}

static char said[4096];

static void each(void *self, const char *key, const char *from, const char *to, bool restart)
{
	size_t used = strlen(said);

	(void)self;
	cr_assert_not(restart);
	snprintf(said + used, sizeof(said) - used, "%s: %s -> %s\n", key, from, to);
}

Test(config_zones, differ_by_name_and_by_the_rules_of_a_name)
{
	static const char text[] = "timezone: Etc/Shop\n" METRICS
				   "detectors: [{name: a, metric: orders}]\n";

	open_shop("GMT0BST,M3.5.0/1,M10.5.0");
	struct config *old = parse(text);

	close_shop();
	open_shop("GMT0");
	struct config *new = parse(text);
	struct config *utc = parse(METRICS "detectors: [{name: a, metric: orders}]\n");

	close_shop();
	cr_assert_eq(config_diff(old, old, each, NULL), 0);
	cr_assert_eq(config_diff(utc, old, each, NULL), 2);
	cr_assert_str_eq(said, "timezone: UTC -> Etc/Shop\n"
			       "detectors.a.timezone: UTC -> Etc/Shop\n");
	said[0] = '\0';
	cr_assert_eq(config_diff(old, new, each, NULL), 1);
	cr_assert(strstr(said, "zones.Etc/Shop: 0 changes, then GMT0BST,M3.5.0/1,M10.5.0 (") ==
			  said,
		  "%s", said);
	cr_assert(strstr(said, " -> 0 changes, then GMT0 ("), "%s", said);
	config_free(old);
	config_free(new);
	config_free(utc);
}

Test(config_zones, an_interval_without_events_is_zero_or_missing_as_the_metric_says)
{
	struct config *config = parse(
		"metrics:\n"
		"  - {name: orders, event: purchase}\n"
		"  - {name: revenue, event: purchase, agg: sum, empty: missing}\n"
		"  - {name: visitors, event: visit, agg: distinct, empty: zero}\n"
		"  - {name: aov, event: purchase, agg: mean, empty: missing}\n"
		"  - {name: speed, event: page_view, agg: p95}\n"
		"  - {name: conversion, ratio: orders / orders}\n");
	static const char *const expected[] = {"zero",    "missing", "zero",
					       "missing", "missing", "missing"};

	for (unsigned i = 0; i < 6; i++)
		cr_assert_str_eq(config->metrics[i].empty, expected[i]);
	config_free(config);
	refuses("metrics: [{name: a, event: b, agg: mean, empty: zero}]\n",
		"shop.yaml: metrics[0].empty: a mean of nothing is missing, not zero; remove it, or "
		"watch a count, sum or distinct");
	refuses("metrics: [{name: a, event: b, empty: none}]\n",
		"shop.yaml: metrics[0].empty: \"none\" is unknown; write one of zero, missing");
}
