/* Definitions: which are taken, which are refused, and that equal ones are one. */
#include "setup.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

static int define(weir *w, const char *event, const char *field,
		  const struct weir_dimension *dimensions, size_t count)
{
	return weir_series(w, event, field, WEIR_KIND_NUMBER, dimensions, count);
}

Test(series, equal_definitions_are_one_whatever_the_order_of_dimensions)
{
	struct setup s = setup_open((struct weir_options){0});
	struct weir_dimension ab[] = {{"a", "1"}, {"b", "2"}, {"ab", "3"}};
	struct weir_dimension ba[] = {{"ab", "3"}, {"b", "2"}, {"a", "1"}};
	struct weir_dimension swapped[] = {{"a", "2"}, {"b", "1"}, {"ab", "3"}};

	int first = define(s.w, "purchase", "value", ab, 3);
	cr_assert_eq(first, 2);
	cr_assert_eq(define(s.w, "purchase", "", ba, 3), first);
	cr_assert_eq(define(s.w, "purchase", NULL, ba, 3), first);
	cr_assert_eq(define(s.w, "purchase", NULL, swapped, 3), 3);
	cr_assert_eq(define(s.w, "purchase", "items", ab, 3), 4);
	cr_assert_eq(weir_series(s.w, "purchase", "value", WEIR_KIND_HASH, ab, 3), 5);
	cr_assert_eq(define(s.w, "purchases", "value", ab, 3), 6);
	cr_assert_eq(define(s.w, "purchase", "value", ab, 2), 7);
	setup_close(&s);
}

/* Where one text ends and the next begins is part of what makes definitions differ. */
Test(series, texts_do_not_run_into_each_other)
{
	struct setup s = setup_open((struct weir_options){0});
	struct weir_dimension one[] = {{"ab", "c"}}, other[] = {{"a", "bc"}};

	int id = define(s.w, "xy", "z", one, 1);
	cr_assert_neq(define(s.w, "x", "yz", one, 1), id);
	cr_assert_neq(define(s.w, "xy", "z", other, 1), id);
	setup_close(&s);
}

Test(series, texts_are_taken_up_to_their_bounds_and_not_beyond)
{
	struct setup s = setup_open((struct weir_options){0});
	char *text = malloc(65537);
	memset(text, 'x', 65536);
	text[65536] = '\0';
	struct weir_dimension whole[] = {{"country", text}};
	struct weir_dimension longest[] = {{"country", text + 65536 - WEIR_LABEL_BYTES_MAX}};
	struct weir_dimension longer[] = {{"country", text + 65536 - WEIR_LABEL_BYTES_MAX - 1}};
	struct weir_dimension name[] = {{text + 65536 - WEIR_NAME_BYTES_MAX, "DE"}};
	struct weir_dimension names[] = {{text + 65536 - WEIR_NAME_BYTES_MAX - 1, "DE"}};

	cr_assert_eq(define(s.w, "e", NULL, whole, 1), -EINVAL);
	cr_assert_gt(define(s.w, "e", NULL, longest, 1), 0);
	cr_assert_eq(define(s.w, "e", NULL, longer, 1), -EINVAL);
	cr_assert_gt(define(s.w, "e", NULL, name, 1), 0);
	cr_assert_eq(define(s.w, "e", NULL, names, 1), -EINVAL);
	cr_assert_gt(define(s.w, text + 65536 - WEIR_NAME_BYTES_MAX, NULL, NULL, 0), 0);
	cr_assert_eq(define(s.w, text, NULL, NULL, 0), -EINVAL);
	cr_assert_eq(define(s.w, "e", text, NULL, 0), -EINVAL);
	free(text);
	setup_close(&s);
}

Test(series, what_makes_no_definition_is_refused)
{
	struct setup s = setup_open((struct weir_options){0});
	struct weir_dimension twice[] = {{"b", "1"}, {"a", "1"}, {"b", "2"}};
	struct weir_dimension no_name[] = {{"", "1"}}, null_name[] = {{NULL, "1"}};
	struct weir_dimension null_value[] = {{"a", NULL}}, empty[] = {{"a", ""}};
	struct weir_dimension many[WEIR_DIMENSIONS_MAX + 1];
	char names[WEIR_DIMENSIONS_MAX + 1][3];

	for (int i = 0; i <= WEIR_DIMENSIONS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "%c", 'a' + i);
		many[i] = (struct weir_dimension){names[i], "v"};
	}
	cr_assert_eq(define(s.w, "", NULL, NULL, 0), -EINVAL);
	cr_assert_eq(define(s.w, NULL, NULL, NULL, 0), -EINVAL);
	cr_assert_eq(define(s.w, "e", NULL, twice, 3), -EINVAL);
	cr_assert_eq(define(s.w, "e", NULL, no_name, 1), -EINVAL);
	cr_assert_eq(define(s.w, "e", NULL, null_name, 1), -EINVAL);
	cr_assert_eq(define(s.w, "e", NULL, null_value, 1), -EINVAL);
	cr_assert_eq(define(s.w, "e", NULL, NULL, 1), -EINVAL);
	cr_assert_eq(define(s.w, "e", NULL, many, WEIR_DIMENSIONS_MAX + 1), -EINVAL);
	cr_assert_eq(weir_series(s.w, "e", NULL, (enum weir_series_kind)2, NULL, 0), -EINVAL);
	cr_assert_eq(define(NULL, "e", NULL, NULL, 0), -EINVAL);
	cr_assert_gt(define(s.w, "e", NULL, empty, 1), 0);
	cr_assert_gt(define(s.w, "e", NULL, many, WEIR_DIMENSIONS_MAX), 0);
	setup_close(&s);
}

Test(series, only_utf8_is_taken)
{
	struct setup s = setup_open((struct weir_options){0});
	static const char *const good[] = {
		"D\xc3\xbcsseldorf", "\xe6\x97\xa5\xe6\x9c\xac",
		"\xf0\x9f\x9b\x92",  "\xef\xbf\xbf",
		"\xf4\x8f\xbf\xbf",  "\x7f",
		"\xed\x9f\xbf",      "\xee\x80\x80",
	};
	static const char *const bad[] = {
		"\xff",
		"\xfe",
		"\x80",
		"\xc3",
		"\xc3(",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xe6\x97",
		"\xf0\x9f\x9b",
		"ok\xe6",
		"\xf0\x9f(\x92",
		"\xf0\x9f\x9b(",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct weir_dimension d[] = {{"city", good[i]}};
		cr_assert_gt(define(s.w, good[i], NULL, d, 1), 0, "good %zu", i);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct weir_dimension value[] = {{"city", bad[i]}}, name[] = {{bad[i], "x"}};
		cr_assert_eq(define(s.w, "e", NULL, value, 1), -EINVAL, "bad %zu", i);
		cr_assert_eq(define(s.w, "e", NULL, name, 1), -EINVAL, "bad %zu", i);
		cr_assert_eq(define(s.w, bad[i], NULL, NULL, 0), -EINVAL, "bad %zu", i);
		cr_assert_eq(define(s.w, "e", bad[i], NULL, 0), -EINVAL, "bad %zu", i);
	}
	setup_close(&s);
}

Test(series, a_full_table_says_so_and_keeps_what_it_has)
{
	struct setup s = setup_open((struct weir_options){.series_max = 8, .table_bytes = 4096});
	char event[65];

	for (int i = 2; i <= 8; i++) {
		snprintf(event, sizeof(event), "event-%d", i);
		cr_assert_eq(define(s.w, event, NULL, NULL, 0), i);
	}
	cr_assert_eq(define(s.w, "one-more", NULL, NULL, 0), -ENOSPC);
	cr_assert_eq(define(s.w, "event-5", NULL, NULL, 0), 5);
	setup_close(&s);

	s = setup_open((struct weir_options){.series_max = 4096, .table_bytes = 4096});
	int last = 0, id = 1;
	for (int i = 0; id > 0 && i < 200; i++) {
		snprintf(event, sizeof(event), "%060d", i);
		last = id;
		id = define(s.w, event, NULL, NULL, 0);
	}
	cr_assert_eq(id, -ENOSPC);
	/* 80 bytes each: header, 60, "value", padding; the first one is 24. */
	cr_assert_eq(last, 1 + (4096 - 24) / 80);
	cr_assert_eq(weir_emit(s.w, last, 1), 0);
	cr_assert_eq(weir_emit(s.w, last + 1, 1), -EINVAL);
	setup_close(&s);
}

/* Ids against an oracle that only remembers texts. */
Test(series, thousands_of_definitions_keep_their_ids)
{
	struct setup s =
		setup_open((struct weir_options){.series_max = 5000, .table_bytes = 1 << 20});
	char value[16];
	struct weir_dimension d[] = {{"sku", value}};

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 4000; i++) {
			snprintf(value, sizeof(value), "%d", i * 7919 % 4000);
			int id = define(s.w, "view_item", NULL, d, 1);
			cr_assert_eq(id, i + 2);
		}
	}
	setup_close(&s);
}

static void *define_many(void *argument)
{
	weir *w = argument;
	char value[16];
	struct weir_dimension d[] = {{"n", value}};
	int *ids = calloc(500, sizeof(*ids));

	for (int i = 0; i < 500; i++) {
		snprintf(value, sizeof(value), "%d", i);
		ids[i] = define(w, "e", NULL, d, 1);
		weir_emit(w, ids[i], 1);
	}
	return ids;
}

Test(series, threads_that_define_the_same_get_the_same_ids)
{
	struct setup s = setup_open((struct weir_options){
		.series_max = 1000, .table_bytes = 65536, .ring_events = 2048});
	pthread_t threads[4];
	int *ids[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, define_many, s.w);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], (void **)&ids[i]);
	for (int i = 1; i < 4; i++)
		cr_assert_arr_eq(ids[0], ids[i], 500 * sizeof(int));
	for (int i = 0; i < 4; i++)
		free(ids[i]);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.published, 2000);
	cr_assert_eq(l.dropped, 0);
	setup_close(&s);
}

/* What the engine finds in the table: whole, padded records, sorted, of the stated sizes. */
Test(series, the_table_holds_canonical_records)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(
		&fake, &log, (struct weir_options){.source = "shop", .program = "till"});
	struct weir_dimension d[] = {{"device", "mobile"}, {"country", "DE"}};

	cr_assert_eq(weir_series(s.w, "refund", "items", WEIR_KIND_HASH, d, 2), 2);
	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 0), 0);
	while (!fake.count || !fake.producers[0].region) {
		weir_poll(s.w);
		fake_step(&fake);
		usleep(1000);
	}
	const struct weir_region_header *region = fake.producers[0].region;
	cr_assert_eq(region->series_count, 2);
	cr_assert_str_eq(region->source, "shop");
	cr_assert_str_eq(region->program, "till");
	cr_assert_eq(region->pid, (uint32_t)getpid());
	cr_assert_eq(region->clock, WEIR_CLOCK_WALL);
	static const char table[] = "\x18\0\0\0\0\0\x08\x05purchasevalue\0\0\0"
				    "\x30\0\0\0\x01\x02\x06\x05refunditems"
				    "\x07\0\x02\0countryDE\x06\0\x06\0devicemobile";
	cr_assert_eq(region->table_used, sizeof(table) - 1);
	cr_assert_arr_eq((const char *)region + WEIR_TABLE_OFFSET, table, sizeof(table) - 1);
	cr_assert_null(fake.wrong, "%s", fake.wrong);
	fake_stop(&fake);
	setup_close(&s);
}
