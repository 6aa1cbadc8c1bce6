/*
 * chart: bars and lines come out as XML that stands alone, whatever the labels are; longer is more.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"

/* The number behind `key` in the nth element that contains `mark`. */
static double number_of(const char *text, const char *mark, int nth, const char *key)
{
	const char *at = text;

	for (int i = 0; i <= nth; i++) {
		at = strstr(i ? at + 1 : at, mark);
		cr_assert_not_null(at, "no %s number %d in %s", mark, nth, text);
	}
	at = strstr(at, key);
	cr_assert_not_null(at);
	return strtod(at + strlen(key), NULL);
}

static char *bars(bool logarithmic, const struct chart_bar *rows, uint32_t count, int wanted)
{
	const struct chart chart = {
		.title = "a < b & c", .about = "none", .logarithmic = logarithmic};
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);

	cr_assert_eq(chart_draw_bars(&chart, rows, count, to), wanted);
	fclose(to);
	return text;
}

Test(chart, a_bar_is_as_long_as_its_value)
{
	const struct chart_bar rows[] = {{"weir", 80e6, "80 M", true},
					 {"x>y", 20e6, "20 M", false}};
	char *text = bars(false, rows, 2, 0);

	double whole = number_of(text, "class=\"ours\"", 0, " width=\"");
	double quarter = number_of(text, "class=\"bar\"", 0, " width=\"");
	cr_assert_float_eq(quarter, whole / 4, 0.2);
	cr_assert_not_null(strstr(text, "a &lt; b &amp; c</title>"));
	cr_assert_not_null(strstr(text, "x&gt;y</text>"));
	cr_assert_not_null(strstr(text, "</svg>"));
	free(text);
}

Test(chart, on_a_logarithmic_axis_equal_ratios_are_equal_lengths)
{
	const struct chart_bar rows[] = {
		{"a", 1e6, "", false}, {"b", 1e5, "", false}, {"c", 1e4, "", false}};
	char *text = bars(true, rows, 3, 0);

	double a = number_of(text, "class=\"bar\"", 0, " width=\"");
	double b = number_of(text, "class=\"bar\"", 1, " width=\"");
	double c = number_of(text, "class=\"bar\"", 2, " width=\"");
	cr_assert(c > 0, "the shortest is seen");
	cr_assert_float_eq(a - b, b - c, 0.3);
	free(text);
}

Test(chart, what_is_absent_has_a_row_without_a_bar)
{
	const struct chart_bar rows[] = {{"weir", 5, "5", true}, {"none", 0, "absent", false}};
	char *text = bars(true, rows, 2, 0);

	cr_assert_not_null(strstr(text, "absent</text>"));
	cr_assert_null(strstr(text, "class=\"bar\""));
	free(text);
	free(bars(true, rows + 1, 1, -ENODATA));
}

Test(chart, lines_go_up_where_values_do_and_their_labels_keep_apart)
{
	static const double x[] = {1000, 10000, 100000};
	const struct chart chart = {.title = "t",
				    .about = "a",
				    .x_name = "series",
				    .y_name = "events/s",
				    .x = x,
				    .x_count = 3};
	const struct chart_line lines[] = {{"one", {10, 20, 40}}, {"two", {40, NAN, 40}}};
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);

	cr_assert_eq(chart_draw_lines(&chart, lines, 2, to), 0);
	fclose(to);
	double low = number_of(text, "class=\"p0\"", 0, "cy=\"");
	double high = number_of(text, "class=\"p0\"", 2, "cy=\"");
	cr_assert(high < low, "up is less");
	double left = number_of(text, "class=\"p0\"", 0, "cx=\"");
	double middle = number_of(text, "class=\"p0\"", 1, "cx=\"");
	double right = number_of(text, "class=\"p0\"", 2, "cx=\"");
	cr_assert_float_eq(middle - left, right - middle, 0.3, "powers are evenly apart");
	/* Both end at 40; the fourth and the third circle of each are the labels'. */
	double one = number_of(text, "class=\"p0\"", 3, "cy=\"");
	double two = number_of(text, "class=\"p1\"", 2, "cy=\"");
	cr_assert_geq(fabs(one - two), 12);
	free(text);
}
