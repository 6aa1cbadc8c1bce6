/*
 * test_config_diff: what differs between two configurations is named, key by key.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "config_diff.h"

static char said[4096];

static void each(void *self, const char *key, const char *from, const char *to, bool restart)
{
	size_t used = strlen(said);
	(void)self;
	snprintf(said + used, sizeof(said) - used, "%s: %s -> %s%s\n", key, from ? from : "(none)",
		 to ? to : "(none)", restart ? " (restart)" : "");
}

static const char *differences(const char *from_text, const char *to_text)
{
	struct config *from, *to;
	char why[512] = "";
	said[0] = '\0';
	cr_assert_eq(config_parse(from_text, strlen(from_text), "from", &from, why, sizeof(why)), 0,
		     "%s", why);
	cr_assert_eq(config_parse(to_text, strlen(to_text), "to", &to, why, sizeof(why)), 0, "%s",
		     why);
	unsigned count = config_diff(from, to, each, NULL), lines = 0;
	cr_assert_eq(config_diff(from, to, NULL, NULL), count);
	for (const char *at = said; *at; at++)
		lines += *at == '\n';
	cr_assert_eq(count, lines);
	config_free(from);
	config_free(to);
	return said;
}

#define METRICS                                                                                    \
	"metrics:\n"                                                                               \
	"  - {name: orders, event: purchase, by: [country, country*device]}\n"                     \
	"  - {name: views, event: page_view}\n"                                                    \
	"  - {name: conversion, ratio: orders / views}\n"

Test(config_diff, says_nothing_of_order_and_comments)
{
	cr_assert_str_eq(differences(METRICS "detectors:\n"
					     "  - {name: a, metric: orders, kind: window}\n"
					     "  - {name: b, metric: views, kind: window}\n",
				     "# the same\nlanes: 1\n" METRICS "detectors:\n"
				     "  - {name: b, metric: views, kind: window}\n"
				     "  - {name: a, metric: orders, kind: window, k: 4}\n"),
			 "");
}

Test(config_diff, names_keys_and_which_need_a_restart)
{
	cr_assert_str_eq(differences("lateness: {wall: 1s}\nlanes: 1\ninterval: 10s\n" METRICS,
				     "lateness: {wall: 2s}\nlanes: 2\ninterval: 10s\n"
				     "log: {retain_bytes: 1GiB}\n" METRICS),
			 "lanes: 1 -> 2 (restart)\n"
			 "lateness.wall: 1000 -> 2000\n"
			 "log.retain_bytes: 0 -> 1073741824\n");
	cr_assert_str_eq(differences(METRICS, METRICS "redis: {url: 'unix:///tmp/x'}\n"),
			 "redis.url: (none) -> unix:///tmp/x (restart)\n");
}

Test(config_diff, names_metrics_and_detectors_that_came_went_and_changed)
{
	cr_assert_str_eq(
		differences(
			METRICS "detectors:\n"
				"  - {name: a, metric: orders, kind: window, window: 30}\n"
				"  - {name: gone, metric: orders, kind: absence}\n",
			"metrics:\n"
			"  - {name: sessions, event: session_start}\n"
			"  - {name: orders, event: purchase, by: [country], where: [\"channel=cpc|email\"]}\n"
			"  - {name: conversion, ratio: orders / sessions}\n"
			"detectors:\n"
			"  - {name: new, metric: orders, kind: absence}\n"
			"  - {name: a, metric: orders, kind: window, window: 40}\n"),
		"metrics.orders.where: (none) -> channel=cpc|email\n"
		"metrics.orders.by: country, country*device -> country\n"
		"metrics.views: count -> (none)\n"
		"metrics.conversion.ratio: orders / views -> orders / sessions\n"
		"metrics.sessions: (none) -> count\n"
		"detectors.a.window: 30 -> 40\n"
		"detectors.gone: absence -> (none)\n"
		"detectors.new: (none) -> absence\n");
}
