/* import: from the bytes of a file to events in the order of their times. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../support/random.h"
#include "import.h"

static char path[] = "/tmp/weir-import.XXXXXX";
static char why[IMPORT_WHY_BYTES];
static struct import import;
static uint64_t bad_lines[64];
static uint32_t bad_count;

static void on_bad(void *self, uint64_t line, const char *what)
{
	(void)self;
	cr_assert(what[0]);
	if (bad_count < 64)
		bad_lines[bad_count++] = line;
}

static void write_file(const void *bytes, size_t count)
{
	strcpy(path + strlen(path) - 6, "XXXXXX");
	int fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, count), (ssize_t)count);
	close(fd);
}

static struct import_map map_of(enum import_format format)
{
	return (struct import_map){
		.format = format,
		.delimiter = ',',
		.time_column = "time",
		.time_format = "auto",
		.dimensions = {{.name = "country", .column = "country"}},
		.dimensions_count = 1,
		.measures = {{.event = "purchase", .field = "value", .column = "value"}},
		.measures_count = 1,
	};
}

static int read_text(const struct import_map *map, const char *text, bool counted)
{
	struct import_listener listener = {.bad_row = counted ? on_bad : NULL};
	bad_count = 0;
	write_file(text, strlen(text));
	int ret = import_read(&import, map, path, &listener, why, sizeof(why));
	unlink(path);
	return ret;
}

/* "time country value;" of each event, in order. */
static const char *events(void)
{
	static char text[4096];
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < import.count && used < sizeof(text); i++) {
		const char *event, *field, *values[WEIR_DIMENSIONS_MAX] = {""};
		import_series(&import, weir_event_series(import.events[i].word), &event, &field,
			      values);
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "%llu %s.%s %s %g;",
			(unsigned long long)weir_event_time_ms(import.events[i].word), event, field,
			values[0], weir_bits_value(import.events[i].value));
	}
	return text;
}

Test(ctl_import, a_plain_file_is_read)
{
	struct import_map map = map_of(IMPORT_CSV);
	cr_assert_eq(read_text(&map, "time,country,value\n1,DE,2.5\n2,IT,-3\n", false), 0);
	cr_expect_str_eq(events(), "1000 purchase.value DE 2.5;2000 purchase.value IT -3;");
	cr_expect_eq(import.rows, 2);
	import_fini(&import);
}

Test(ctl_import, a_row_that_names_its_event_has_that_events_columns)
{
	struct import_map map = map_of(IMPORT_CSV);
	map.event_column = "name";
	map.measures[0] = (struct import_measure){.field = "value"}; /* 1 each */
	map.measures[1] = (struct import_measure){"purchase", "value", "total", false, false};
	map.measures[2] = (struct import_measure){"purchase", "items", "items", true, false};
	map.measures[3] = (struct import_measure){"page_view", "ms", "total", false, false};
	map.measures_count = 4;
	cr_assert_eq(read_text(&map,
			       "time,name,country,total,items\n"
			       "1,purchase,DE,9.5,2\n2,page_view,DE,120,\n"
			       "3,purchases,DE,,\n4,purchase,DE,7,\n",
			       false),
		     0, "%s", why);
	cr_expect_str_eq(events(), "1000 purchase.value DE 9.5;1000 purchase.items DE 2;"
				   "2000 page_view.ms DE 120;3000 purchases.value DE 1;"
				   "4000 purchase.value DE 7;");
	import_fini(&import);
	cr_expect_eq(read_text(&map, "time,name,country,total,items\n1,purchase,DE,,1\n", false),
		     -EBADMSG);
	/* Where only some are described, the others are passed over: a file has much in it. */
	map.measures[0] = map.measures[1];
	map.measures_count = 1;
	cr_assert_eq(read_text(&map, "time,name,country,total\n1,purchase,DE,4\n2,x,DE,\n", false),
		     0, "%s", why);
	cr_expect_str_eq(events(), "1000 purchase.value DE 4;");
	import_fini(&import);
}

Test(ctl_import, quotes_newlines_marks_and_missing_ends_are_taken)
{
	struct import_map map = map_of(IMPORT_CSV);
	cr_assert_eq(read_text(&map,
			       "\xef\xbb\xbf\"time\",value,\"country\"\r\n"
			       "1,1,\"a \"\"b\"\", c\r\nd\"\r\n"
			       "\r\n"
			       "2,\"2\",\"\"\r\n"
			       "3,3,x\"y",
			       false),
		     0, "%s", why);
	cr_expect_str_eq(events(), "1000 purchase.value a \"b\", c\r\nd 1;2000 purchase.value  2;"
				   "3000 purchase.value x\"y 3;");
	import_fini(&import);
}

Test(ctl_import, a_broken_row_is_named_by_its_line_and_ends_the_reading)
{
	static const struct {
		const char *rows, *says;
	} cases[] = {
		{"1,DE,1\n2,DE\n", ":3: 2 columns"},
		{"1,\"D\nE\",1\n2,DE,x\n", ":4: \"x\" in column \"value\" is no number"},
		{"1,DE,\n", ":2: \"\" in column"},
		{"1,DE,nan\n", ":2: \"nan\""},
		{"1,DE,0x10\n", ":2: \"0x10\""},
		{"yesterday,DE,1\n", ":2: \"yesterday\" is no time"},
		{"-1,DE,1\n", "before 1970"},
		{"1,\"DE\"x,1\n", ":2: text behind a closing quote"},
		{"1,DE,1\n2,\"DE,1\n3,DE,1\n", ":3: a quote opens here and is never closed"},
		{"1,\xff,1\n", ":2: a dimension's value is not UTF-8"},
	};
	struct import_map map = map_of(IMPORT_CSV);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256];
		snprintf(text, sizeof(text), "time,country,value\n%s", cases[i].rows);
		cr_expect_eq(read_text(&map, text, false), -EBADMSG, "%s", cases[i].rows);
		cr_expect(strstr(why, cases[i].says), "\"%s\" is not in \"%s\"", cases[i].says,
			  why);
	}
}

Test(ctl_import, broken_rows_are_counted_where_that_is_asked)
{
	struct import_map map = map_of(IMPORT_CSV);
	cr_assert_eq(
		read_text(&map,
			  "time,country,value\n1,DE,1\n2,\"DE\"x,1\n3,DE,y\n4,\"IT,4\n5,DE,5\n",
			  true),
		0);
	cr_expect_str_eq(events(), "1000 purchase.value DE 1;5000 purchase.value DE 5;");
	cr_expect_eq(import.bad_rows, 3);
	cr_expect_eq(import.rows, 5);
	cr_expect(bad_lines[0] == 3 && bad_lines[1] == 4 && bad_lines[2] == 5);
	import_fini(&import);
}

Test(ctl_import, a_column_that_is_not_there_is_answered_with_those_that_are)
{
	struct import_map map = map_of(IMPORT_CSV);
	cr_expect_eq(read_text(&map, "time,land,value\n1,DE,1\n", false), -EBADMSG);
	cr_expect(strstr(why, ":1: there is no column \"country\"; there are time, land, value"),
		  "%s", why);
	cr_expect_eq(read_text(&map, "", false), -EBADMSG);
	cr_expect(strstr(why, "empty"));
}

Test(ctl_import, columns_without_a_header_have_numbers)
{
	struct import_map map = map_of(IMPORT_CSV);
	map.no_header = true;
	map.delimiter = ';';
	map.time_column = "3";
	map.measures[0].column = "1";
	map.dimensions[0].column = "2";
	cr_assert_eq(read_text(&map, "7;DE;1\n8;IT;2\n", false), 0);
	cr_expect_str_eq(events(), "1000 purchase.value DE 7;2000 purchase.value IT 8;");
	import_fini(&import);
	map.time_column = "4";
	cr_expect_eq(read_text(&map, "7;DE;1\n", false), -EBADMSG);
	cr_expect(strstr(why, "there are 1 to 3"), "%s", why);
}

Test(ctl_import, sums_become_one_event_for_each_statistic_that_is_there)
{
	struct import_map map = map_of(IMPORT_CSV);
	map.measures[0] = (struct import_measure){
		.event = "purchase", .field = "value:count", .column = "n", .optional = true};
	map.measures[1] = (struct import_measure){
		.event = "purchase", .field = "value:sum", .column = "s", .optional = true};
	map.measures_count = 2;
	cr_assert_eq(read_text(&map, "time,country,n,s\n1,DE,10,99.5\n2,DE,3,\n", false), 0);
	cr_expect_str_eq(events(), "1000 purchase.value:count DE 10;1000 purchase.value:sum DE "
				   "99.5;2000 purchase.value:count DE 3;");
	cr_expect(import.used[0] && import.used[1]);
	import_fini(&import);
}

Test(ctl_import, json_lines_are_read_by_path)
{
	struct import_map map = map_of(IMPORT_JSON);
	map.dimensions[0].column = "geo.country";
	map.event_column = "name";
	map.measures[0].event = NULL;
	cr_assert_eq(read_text(&map,
			       "{\"time\":1.5,\"name\":\"a\",\"geo\":{\"country\":\"D\\u00eb\"},"
			       "\"value\":1}\n"
			       "\n"
			       "{\"time\":\"1970-01-01T00:00:02Z\",\"name\":\"b\",\"value\":\"2\","
			       "\"geo.country\":7,\"more\":[1]}",
			       false),
		     0, "%s", why);
	cr_expect_str_eq(events(), "1500 a.value D\xc3\xab 1;2000 b.value 7 2;");
	import_fini(&import);
	cr_expect_eq(read_text(&map, "{\"time\":1,\n", false), -EBADMSG);
	cr_expect(strstr(why, ":1: no JSON"), "%s", why);
	cr_expect_eq(read_text(&map, "[1]\n", false), -EBADMSG);
	cr_expect_eq(read_text(&map, "{\"time\":[1]}\n", false), -EBADMSG);
	cr_expect(strstr(why, "\"time\" is no text and no number"), "%s", why);
	cr_expect_eq(read_text(&map, "{\"time\":1,\"name\":\"a\\u0000b\"}\n", false), -EBADMSG);
}

static int by_time(const void *a, const void *b)
{
	uint64_t left = weir_event_time_ms(((const struct weir_event *)a)->word);
	uint64_t right = weir_event_time_ms(((const struct weir_event *)b)->word);
	return (left > right) - (left < right);
}

Test(ctl_import, events_come_in_the_order_of_their_times_and_else_of_the_file)
{
	enum { ROWS = 20000 };
	struct import_map map = map_of(IMPORT_CSV);
	struct weir_event *oracle = calloc(ROWS, sizeof(*oracle));
	random_start(7);
	char *text = malloc(64 * ROWS);
	size_t used = (size_t)sprintf(text, "time,country,value\n");
	for (uint32_t i = 0; i < ROWS; i++) {
		uint64_t time_ms = UINT64_C(1) << random_below(42);
		time_ms += i % 3 ? 0 : random_below(1000);
		oracle[i].word = weir_event_word(time_ms, 1);
		oracle[i].value = weir_value_bits(i);
		used += (size_t)sprintf(text + used, "%llu,%u,%u\n", (unsigned long long)time_ms,
					i % 50, i);
	}
	map.time_format = "ms";
	cr_assert_eq(read_text(&map, text, false), 0, "%s", why);
	/* glibc's qsort merges where memory allows: stable. Its own order of equals is not needed:
	 * the values say which row it was. */
	qsort(oracle, ROWS, sizeof(*oracle), by_time);
	cr_assert_eq(import.count, ROWS);
	for (uint32_t i = 0; i < ROWS; i++) {
		cr_assert_eq(weir_event_time_ms(import.events[i].word),
			     weir_event_time_ms(oracle[i].word));
		bool same_time = i && by_time(&import.events[i - 1], &import.events[i]) == 0;
		cr_assert(!same_time || weir_bits_value(import.events[i - 1].value) <
						weir_bits_value(import.events[i].value));
	}
	cr_expect_eq(import.groups_count, 50);
	import_fini(&import);
	free(oracle);
	free(text);
}

/* Write rows as RFC 4180 has them, some quoted, some with everything in them, and read them back;
 * in pieces through a pipe too, so that rows end anywhere in what has been read. */
Test(ctl_import, whatever_is_quoted_reads_back)
{
	static const char letters[] = "ab,\"\n\r; 7";
	random_start(11);
	static char text[200000];
	static char wanted[2000][12];
	size_t used = (size_t)sprintf(text, "time,country,value\n");
	uint32_t rows = 2000;
	for (uint32_t i = 0; i < rows; i++) {
		uint32_t bytes = random_below(11);
		for (uint32_t k = 0; k < bytes; k++)
			wanted[i][k] = letters[random_below(sizeof(letters) - 1)];
		used += (size_t)sprintf(text + used, "%u,\"", i);
		for (uint32_t k = 0; k < bytes; k++)
			used += (size_t)sprintf(text + used, wanted[i][k] == '"' ? "\"\"" : "%c",
						wanted[i][k]);
		used += (size_t)sprintf(text + used, i % 2 ? "\",1\n" : "\",\"1\"\r\n");
	}
	struct import_map map = map_of(IMPORT_CSV);
	cr_assert_eq(read_text(&map, text, false), 0, "%s", why);
	cr_assert_eq(import.count, rows);
	for (uint32_t i = 0; i < rows; i++) {
		const char *event, *field, *values[WEIR_DIMENSIONS_MAX];
		import_series(&import, weir_event_series(import.events[i].word), &event, &field,
			      values);
		cr_assert_str_eq(values[0], wanted[i]);
	}
	import_fini(&import);
}

Test(ctl_import, rows_longer_than_the_buffer_are_read)
{
	struct import_map map = map_of(IMPORT_CSV);
	size_t note = 3u << 20;
	char *text = malloc(note + 128);
	size_t used = (size_t)sprintf(text, "time,country,value,note\n1,DE,1,\"");
	memset(text + used, '\n', note);
	strcpy(text + used + note, "\"\n2,IT,2,\n3,IT,x,\n");
	cr_expect_eq(read_text(&map, text, false), -EBADMSG);
	char says[32];
	snprintf(says, sizeof(says), ":%zu:", note + 4);
	cr_expect(strstr(why, says), "%s", why);
	free(text);
}
