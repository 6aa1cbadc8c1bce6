/* stat: the table of every number, held to what it promises. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

#include "stat.h"

Test(stat, names_are_lower_case_unique_and_end_as_prometheus_wants)
{
	size_t count;
	const struct stat_row *rows = stat_rows(&count);
	cr_assert_gt(count, 50);
	for (size_t i = 0; i < count; i++) {
		size_t bytes = strlen(rows[i].name);
		bool total = bytes > 6 && strcmp(rows[i].name + bytes - 6, "_total") == 0;
		cr_expect_eq(strspn(rows[i].name, "abcdefghijklmnopqrstuvwxyz_"), bytes, "%s",
			     rows[i].name);
		cr_expect_eq(total, rows[i].type == STAT_COUNTER, "%s", rows[i].name);
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(rows[i].name, rows[j].name);
	}
}

Test(stat, each_number_has_a_unit_and_a_sentence)
{
	size_t count;
	const struct stat_row *rows = stat_rows(&count);
	for (size_t i = 0; i < count; i++) {
		const char *said = rows[i].description;
		cr_expect_gt(strlen(rows[i].unit), 0, "%s", rows[i].name);
		cr_expect(isupper((unsigned char)said[0]) || isdigit((unsigned char)said[0]), "%s",
			  rows[i].name);
		cr_expect_eq(said[strlen(said) - 1], '.', "%s", rows[i].name);
		cr_expect_null(strchr(said, '\n'));
		cr_expect(rows[i].scale != 0.0, "%s", rows[i].name);
	}
}

/* Whoever adds a counter to a struct that is shown gives it a row in engine/stat.c, too. */
Test(stat, each_word_of_each_snapshot_is_in_the_table_once)
{
	size_t count;
	const struct stat_row *rows = stat_rows(&count);
	for (int group = 0; group < STAT_GROUPS; group++) {
		size_t bytes = stat_group_bytes((enum stat_group)group);
		cr_assert(bytes > 0 && bytes % 8 == 0);
		for (size_t at = 0; at < bytes; at += 8) {
			int found = 0;
			for (size_t i = 0; i < count; i++)
				found += rows[i].group == (enum stat_group)group &&
					 rows[i].at == at;
			cr_expect_eq(found, 1, "word %zu of group %d is in %d rows", at / 8, group,
				     found);
		}
	}
}

Test(stat, rows_of_a_group_stand_together)
{
	size_t count;
	const struct stat_row *rows = stat_rows(&count);
	for (size_t i = 1; i < count; i++)
		for (size_t j = 0; rows[i].group != rows[i - 1].group && j + 1 < i; j++)
			cr_expect_neq(rows[j].group, rows[i].group, "%s", rows[i].name);
}

Test(stat, numbers_read_back)
{
	static const double values[] = {0.0,     1.0,   -28.0, 0.1, 1e15, 123456789012.0,
					1.0 / 3, 2.5e-7};
	char text[STAT_NUMBER_BYTES];
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		stat_number(text, values[i]);
		cr_expect_eq(strtod(text, NULL), values[i], "%s", text);
	}
	stat_number(text, 123456789012.0);
	cr_expect_str_eq(text, "123456789012");
	stat_number(text, 0.1);
	cr_expect_str_eq(text, "0.1");
}
