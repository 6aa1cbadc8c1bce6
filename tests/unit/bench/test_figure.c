/*
 * figure: medians and ratios of the same run, a limit that is not to be believed, and what programs
 * read of it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figure.h"

static char *printed(const struct figure *figure, bool json)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	cr_assert_not_null(out);
	if (json)
		figure_print_json(figure, out);
	else
		figure_print(figure, out);
	fclose(out);
	return text;
}

static void expect_has(const struct figure *figure, bool json, const char *part)
{
	char *text = printed(figure, json);

	cr_assert_not_null(strstr(text, part), "no \"%s\" in %s", part, text);
	free(text);
}

static void expect_lacks(const struct figure *figure, bool json, const char *part)
{
	char *text = printed(figure, json);

	cr_assert_null(strstr(text, part), "\"%s\" in %s", part, text);
	free(text);
}

Test(figure, is_the_median_with_the_ratio_of_each_run)
{
	struct figure figure = {.name = "a.b", .unit = "x/s"};

	figure_add(&figure, 30, 60);
	figure_add(&figure, 10, 10);
	figure_add(&figure, 20, 80);
	cr_assert_eq(figure_value(&figure), 20);
	cr_assert_eq(figure_limit(&figure), 60);
	/* Of 0.5, 1 and 0.25: not the median value by the median limit. */
	cr_assert_eq(figure_ratio(&figure), 0.5);
	cr_assert_eq(figure_min(&figure), 10);
	cr_assert_eq(figure_max(&figure), 30);
	figure_add(&figure, 40, 80);
	cr_assert_eq(figure_value(&figure), 25, "between the two in the middle");
}

Test(figure, without_a_limit_in_every_run_has_no_ratio)
{
	struct figure figure = {.name = "a", .unit = "ns", .lossless = true};

	figure_add(&figure, 3, 6);
	figure_add(&figure, 4, 0);
	cr_assert_eq(figure_ratio(&figure), 0);
	expect_has(&figure, true, "\"limit\":null,\"ratio\":null");
	expect_lacks(&figure, false, "of");
}

Test(figure, takes_as_many_runs_as_it_has_room_for)
{
	struct figure figure = {.name = "a", .unit = "ns"};

	for (int i = 0; i < FIGURE_RUNS_MAX + 5; i++)
		figure_add(&figure, i, 1);
	cr_assert_eq(figure.runs, FIGURE_RUNS_MAX);
	cr_assert_eq(figure_max(&figure), FIGURE_RUNS_MAX - 1);
}

Test(figure, says_whether_anything_was_lost_where_something_is_kept)
{
	struct figure figure = {.name = "a", .unit = "ns"};

	figure_add(&figure, 1, 0);
	expect_has(&figure, true, "\"lossless\":false");
	figure.lossless = true;
	expect_has(&figure, true, "\"lossless\":true");
	figure.keeps_nothing = true;
	expect_has(&figure, true, "\"lossless\":null");
}

Test(figure, a_limit_below_nine_tenths_of_its_row_voids_the_ratio)
{
	struct figure figure = {.name = "a", .unit = "x/s", .row = 100};
	char why[160];

	figure_add(&figure, 45, 90);
	cr_assert_not(figure_void(&figure, why));
	cr_assert_str_empty(why);
	expect_has(&figure, true, "\"ratio\":0.5,");
	expect_lacks(&figure, true, "void");
	figure.limits[0] = 89;
	cr_assert(figure_void(&figure, why));
	cr_assert_not_null(strstr(why, "0.89 of the 100"), "%s", why);
	expect_has(&figure, true, "\"limit\":89,\"ratio\":null");
	expect_has(&figure, true, "\"void\":\"");
	expect_has(&figure, false, "VOID: the limit is 89");
	expect_lacks(&figure, false, "% of");
	figure.row = 0;
	cr_assert_not(figure_void(&figure, why), "nobody knows the row");
}

Test(figure, a_floor_that_is_slower_than_its_row_voids_the_ratio)
{
	struct figure figure = {.name = "a", .unit = "ns", .row = 9, .cost = true};
	char why[160];

	figure_add(&figure, 12, 9.9);
	cr_assert_not(figure_void(&figure, why));
	expect_has(&figure, false, "1.21 x 9.90");
	figure.limits[0] = 10.1;
	cr_assert(figure_void(&figure, why));
	figure.limits[0] = 2;
	cr_assert_not(figure_void(&figure, why), "faster is no reason");
}

Test(figure, that_is_absent_says_why)
{
	struct figure figure = {
		.name = "compare.x", .unit = "events/s", .absent = "no \"x\" here; install it"};

	expect_has(&figure, true, "\"value\":null");
	expect_has(&figure, true, "\"absent\":\"no \\\"x\\\" here; install it\"");
	expect_has(&figure, false, "absent: no \"x\" here");
}

Test(figure, large_and_small_numbers_are_readable)
{
	char text[32];

	cr_assert_str_eq(figure_scaled(83100000, text), "83.1 M");
	cr_assert_str_eq(figure_scaled(5.5e9, text), "5.50 G");
	cr_assert_str_eq(figure_scaled(999, text), "999");
	cr_assert_str_eq(figure_scaled(0.0123, text), "0.0123");
	cr_assert_str_eq(figure_scaled(0, text), "0");

	struct figure wait = {.name = "a", .unit = "ms"}, rate = {.name = "b", .unit = "events/s"};
	figure_add(&wait, 1062, 0);
	figure_add(&rate, 1062, 0);
	expect_has(&wait, false, " 1062 ms ");
	expect_has(&rate, false, " 1.06 k events/s ");
}

Test(figure, of_what_is_beaten_the_ratio_says_how_often_it_fits_into_the_limit)
{
	struct figure figure = {
		.name = "compare.peer", .unit = "events/s", .lossless = true, .beaten = true};

	figure_add(&figure, 10, 50);
	figure_add(&figure, 10, 40);
	figure_add(&figure, 20, 60);
	cr_assert_float_eq(figure_ratio(&figure), 4, 1e-9);
	expect_has(&figure, true, "\"value\":10,");
	expect_has(&figure, true, "\"limit\":50,\"ratio\":4,");
	expect_has(&figure, false, "weir: 50.0, 4.00 x");
}
