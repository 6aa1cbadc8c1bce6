/* How a metric's values are written. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "watched.h"

Test(watched, each_metric_has_its_unit)
{
	static const char text[] = "data_directory: /nonexistent\nsocket: /nonexistent/s\n"
				   "control_socket: /nonexistent/c\nmetrics:\n"
				   "  - {name: page_views, event: page_view}\n"
				   "  - {name: orders, event: purchase}\n"
				   "  - {name: revenue, event: purchase, agg: sum, field: value}\n"
				   "  - {name: dearest, event: purchase, agg: max, field: value}\n"
				   "  - {name: conversion, ratio: orders / page_views}\n"
				   "  - {name: basket, ratio: revenue / orders}\n";
	static const char *const wanted[] = {"count", "count", "value", "value", "share", "value"};
	struct config *config;
	char why[512] = "";

	cr_assert_eq(config_parse(text, strlen(text), "test", &config, why, sizeof(why)), 0, "%s",
		     why);
	for (unsigned i = 0; i < config->metrics_count; i++)
		cr_assert_str_eq(watched_unit(config, &config->metrics[i]), wanted[i], "%s",
				 config->metrics[i].name);
	cr_assert_eq(config->metrics_count, 6);
	config_free(config);
}
