/* history: what its file takes, forgets, survives and refuses. What is read back of random closes
 * is in tests/property/history.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interval/history.h"

#define MINUTE_MS 60000
#define DAY (1440)

static char directory[64], path[96], why[512];

static struct history_options options_of(void)
{
	return (struct history_options){
		.path = path,
		.store = "store",
		.interval_ms = MINUTE_MS,
		.keep = {{86400, 86400, 7 * 86400, 30 * 86400}},
		.pending_bytes_max = 64 << 20,
	};
}

static void begin(void)
{
	strcpy(directory, "/tmp/weir-history-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/history.db", directory);
}

static void end(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	cr_assert_eq(system(command), 0);
}

TestSuite(history, .init = begin, .fini = end);

static struct history *open_history(void)
{
	struct history_options options = options_of();
	struct history *history = NULL;

	cr_assert_eq(history_open(&options, &history, NULL, why, sizeof(why)), 0, "%s", why);
	return history;
}

/* One close of one interval: `slices` slices of orders, a count each. */
static bool add(struct history *history, uint64_t sequence, int64_t interval, uint32_t slices,
		uint64_t count)
{
	static const struct history_metric orders = {
		.name = "orders", .spec = 1, .kind = HISTORY_COUNT};
	struct history_rows rows = {0};
	char label[32];

	history_rows_interval(&rows, interval, false);
	for (uint32_t s = 0; s < slices; s++) {
		struct history_row row = {.slice = s, .interval = interval, .words = {count}};
		snprintf(label, sizeof(label), "country=%u", s);
		if (!s)
			label[0] = '\0';
		history_rows_name(&rows, 0, &orders, s, label);
		history_rows_add(&rows, &row, NULL);
	}
	struct history_close close = {
		.sequence = sequence,
		.source = "live",
		.through = interval,
		.rows = &rows,
		.shards = 1,
	};
	bool taken = history_add(history, &close);
	history_rows_fini(&rows);
	return taken;
}

static void fill(struct history *history, int64_t intervals, uint32_t slices)
{
	for (int64_t i = 0; i < intervals; i++) {
		cr_assert(add(history, history_added(history) + 1, i, slices, 1));
		if (i % 100 == 99)
			cr_assert_eq(history_commit(history), 0);
	}
	cr_assert_eq(history_commit(history), 0);
}

/* Sum of the values from..to, in minutes; *ret_unknown: points of which nothing is known. */
static double sum_of(const char *slice, int64_t from, int64_t to, int64_t step_minutes,
		     struct history_answer *ret_answer, uint32_t *ret_unknown)
{
	struct history_reader *reader;
	struct history_query query = {
		.metric = "orders",
		.slice = slice,
		.from_ms = from * MINUTE_MS,
		.to_ms = to * MINUTE_MS,
		.step_ms = step_minutes * MINUTE_MS,
	};
	double sum = 0;

	cr_assert_eq(history_reader_open(path, &reader), 0);
	cr_assert_eq(history_read(reader, &query, ret_answer, why, sizeof(why)), 0, "%s", why);
	history_reader_close(reader);
	*ret_unknown = 0;
	for (uint32_t i = 0; i < ret_answer->count; i++) {
		double value = ret_answer->points[i].value;
		sum += isnan(value) ? 0 : value;
		*ret_unknown += isnan(value);
	}
	uint32_t count = ret_answer->count;
	history_answer_fini(ret_answer);
	ret_answer->count = count;
	return sum;
}

static void sql(const char *text)
{
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* Minutes are kept for a shorter time than intervals, as by default: what is asked for of before is
 * made of intervals then. */
Test(history, a_tier_that_does_not_reach_back_is_not_read)
{
	struct history_options options = options_of();
	struct history_answer answer;
	struct history *history;
	struct history_reader *reader;
	struct history_query query = {.metric = "orders",
				      .to_ms = HISTORY_NEWEST,
				      .from_ms = 1,
				      .step_ms = 15 * MINUTE_MS};

	options.interval_ms = MINUTE_MS / 2;
	options.keep = (struct history_keep){{10 * 86400, 86400, 30 * 86400, 60 * 86400}};
	cr_assert_eq(history_open(&options, &history, NULL, why, sizeof(why)), 0, "%s", why);
	fill(history, 4 * 2 * DAY, 1);
	history_close(history);
	cr_assert_eq(history_reader_open(path, &reader), 0);
	cr_assert_eq(history_read(reader, &query, &answer, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(answer.count, 4 * 96);
	for (uint32_t i = 0; i < answer.count; i++)
		cr_assert_eq(answer.points[i].value, 30, "%u: %g", i, answer.points[i].value);
	history_answer_fini(&answer);
	/* And where they do, they are. */
	query.from_ms = (int64_t)(3 * DAY + 600) * MINUTE_MS;
	cr_assert_eq(history_read(reader, &query, &answer, why, sizeof(why)), 0, "%s", why);
	cr_assert(answer.tier == HISTORY_MINUTE && answer.points[0].value == 30);
	history_answer_fini(&answer);
	history_reader_close(reader);
}

Test(history, takes_what_the_arithmetic_says)
{
	struct history *history = open_history();
	struct stat st;

	fill(history, DAY, 200);
	history_close(history);
	cr_assert_eq(stat(path, &st), 0);
	/* A day of 200 series: 24 chunks of minutes, one of hours, one of days; the source's own.
	 */
	double wanted = (24 + 1 + 1) * 200 * history_kind_file_bytes(HISTORY_COUNT);
	cr_assert_float_eq((double)st.st_size, wanted, 0.1 * wanted, "%.0f instead of %.0f",
			   (double)st.st_size, wanted);
}

Test(history, forgets_each_tier_in_its_own_time)
{
	struct history *history = open_history();
	struct history_answer answer;
	uint32_t unknown;
	struct history_counters counters;

	fill(history, 10 * DAY, 2);
	history_counters(history, &counters);
	cr_assert_gt(counters.pruned, 0);
	history_close(history);
	/* The last day in minutes. */
	cr_assert_eq(sum_of("", 9 * DAY, 10 * DAY, 1, &answer, &unknown), DAY);
	cr_assert_eq(answer.tier, HISTORY_BASE);
	cr_assert_eq(unknown, 0);
	/* The day before is there in hours, the first one in days alone. */
	cr_assert_eq(sum_of("", 7 * DAY, 8 * DAY, 1, &answer, &unknown), DAY);
	cr_assert_eq(answer.tier, HISTORY_HOUR);
	cr_assert_eq(answer.count, 24);
	cr_assert_eq(sum_of("", 0, DAY, 60, &answer, &unknown), DAY);
	cr_assert_eq(answer.tier, HISTORY_DAY);
	cr_assert_eq(answer.count, 1);
}

Test(history, a_file_that_has_reached_its_size_stays_there)
{
	struct history *history = open_history();
	struct stat before, after;

	fill(history, 4 * DAY, 20);
	history_close(history);
	cr_assert_eq(stat(path, &before), 0);
	history = open_history();
	for (int64_t i = 4 * DAY; i < 8 * DAY; i++) {
		cr_assert(add(history, history_added(history) + 1, i, 20, 1));
		if (i % 60 == 0)
			cr_assert_eq(history_commit(history), 0);
	}
	cr_assert_eq(history_commit(history), 0);
	history_close(history);
	cr_assert_eq(stat(path, &after), 0);
	cr_assert_lt((double)after.st_size, 1.25 * (double)before.st_size);
}

Test(history, a_close_at_or_below_the_watermark_is_passed_over)
{
	struct history *history = open_history();
	struct history_answer answer;
	uint32_t unknown;

	cr_assert(add(history, 1, 100, 1, 5));
	cr_assert(add(history, 2, 101, 1, 5));
	cr_assert_eq(history_commit(history), 0);
	cr_assert_not(add(history, 2, 101, 1, 5));
	history_close(history);
	history = open_history();
	cr_assert_eq(history_through(history), 2);
	cr_assert_not(add(history, 1, 100, 1, 5));
	cr_assert_not(add(history, 2, 101, 1, 5));
	cr_assert(add(history, 3, 102, 1, 5));
	cr_assert_eq(history_commit(history), 0);
	history_close(history);
	cr_assert_eq(sum_of("", 100, 103, 1, &answer, &unknown), 15);
}

Test(history, what_is_not_committed_is_gone_and_comes_again)
{
	struct history *history = open_history();
	struct history_answer answer;
	uint32_t unknown;

	cr_assert(add(history, 1, 100, 1, 5));
	history_close(history); /* as a crash would */
	history = open_history();
	cr_assert_eq(history_through(history), 0);
	cr_assert(add(history, 1, 100, 1, 5));
	cr_assert_eq(history_commit(history), 0);
	history_close(history);
	cr_assert_eq(sum_of("", 100, 101, 1, &answer, &unknown), 5);
}

Test(history, intervals_that_are_closed_again_after_a_rewind_are_not_counted_twice)
{
	struct history *history = open_history();
	struct history_answer answer;
	uint32_t unknown;

	fill(history, 10, 1);
	cr_assert_eq(history_rewind(history, 4), 0);
	cr_assert_eq(history_through(history), 4);
	/* The log lost the closes 5 to 10: their intervals come again, and one more. */
	for (int64_t i = 4; i < 11; i++)
		add(history, (uint64_t)i + 1, i, 1, 1);
	cr_assert_eq(history_commit(history), 0);
	cr_assert_eq(history_through(history), 11);
	history_close(history);
	cr_assert_eq(sum_of("", 0, 11, 1, &answer, &unknown), 11);
}

Test(history, a_damaged_chunk_is_a_hole_and_said)
{
	struct history *history = open_history();
	struct history_answer answer;
	uint32_t unknown;

	fill(history, 3 * 60, 2);
	history_close(history);
	cr_assert_eq(sum_of("country=1", 0, 180, 1, &answer, &unknown), 180);
	sql("UPDATE chunk_1_base SET data = CAST(substr(data, 1, 20) || x'ff' || substr(data, 22)"
	    " AS BLOB) WHERE key = (SELECT key FROM chunk_1_base ORDER BY key LIMIT 1 OFFSET 4)");
	double total = sum_of("", 0, 180, 1, &answer, &unknown);
	uint32_t damaged = answer.damaged;
	double slice = sum_of("country=1", 0, 180, 1, &answer, &unknown);
	/* One of the three chunks of one of the series; the source's own may be that one. */
	cr_assert_gt(damaged + answer.damaged, 0);
	cr_assert_leq(total + slice, 360);
	/* More of it can be added: it begins anew. */
	history = open_history();
	cr_assert(add(history, history_added(history) + 1, 180, 2, 1));
	cr_assert_eq(history_commit(history), 0);
	history_close(history);
}

Test(history, a_file_that_is_no_database_is_moved_aside)
{
	struct history_options options = options_of();
	struct history *history;
	bool moved;
	char aside[128];
	FILE *file = fopen(path, "w");

	fputs("this is no database, and it is longer than a header of one would be, by far; "
	      "so it is not an empty file either, which would be as good as none at all.",
	      file);
	fclose(file);
	cr_assert_eq(history_open(&options, &history, &moved, why, sizeof(why)), 0, "%s", why);
	cr_assert(moved);
	cr_assert_eq(history_through(history), 0);
	cr_assert(add(history, 1, 1, 1, 1));
	cr_assert_eq(history_commit(history), 0);
	history_close(history);
	snprintf(aside, sizeof(aside), "%s.damaged-1", path);
	cr_assert_eq(access(aside, F_OK), 0);
}

Test(history, a_file_of_another_store_is_moved_aside)
{
	struct history_options options = options_of();
	struct history *history = open_history();
	bool moved;

	fill(history, 5, 1);
	history_close(history);
	options.store = "another";
	cr_assert_eq(history_open(&options, &history, &moved, why, sizeof(why)), 0, "%s", why);
	cr_assert(moved);
	cr_assert_eq(history_through(history), 0);
	history_close(history);
}

Test(history, a_file_of_another_interval_is_refused)
{
	struct history_options options = options_of();
	struct history *history = open_history();

	history_close(history);
	options.interval_ms = 10000;
	cr_assert_eq(history_open(&options, &history, NULL, why, sizeof(why)), -EINVAL);
	cr_assert_not_null(strstr(why, "60000 ms"), "%s", why);
}

Test(history, pages_that_turn_out_damaged_end_it_until_it_is_opened_again)
{
	struct history *history = open_history();
	static const char noise[4096] = "noise";

	fill(history, 2 * DAY, 50);
	history_close(history);
	struct stat st;
	cr_assert_eq(stat(path, &st), 0);
	FILE *file = fopen(path, "r+");
	for (long at = 16384; at < st.st_size; at += 4096) {
		fseek(file, at, SEEK_SET);
		fwrite(noise, 1, sizeof(noise), file);
	}
	fclose(file);
	struct history_options options = options_of();
	bool moved = false;
	cr_assert_eq(history_open(&options, &history, &moved, why, sizeof(why)), 0, "%s", why);
	if (!moved) { /* seen when it is written to */
		add(history, history_added(history) + 1, 2 * DAY, 50, 1);
		cr_assert_eq(history_commit(history), -EBADMSG);
		cr_assert(history_gave_up(history));
		cr_assert_not(add(history, history_added(history) + 1, 2 * DAY + 1, 50, 1));
		history_close(history);
		history = open_history();
	}
	cr_assert_eq(history_through(history), 0);
	history_close(history);
}

Test(history, a_full_disk_keeps_it_in_memory_until_there_is_room)
{
	struct history *history = open_history();
	struct history_answer answer;
	struct rlimit before, small;
	uint32_t unknown;

	fill(history, 60, 20);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 16384;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int64_t i = 60; i < 200; i++)
		cr_assert(add(history, (uint64_t)i + 1, i, 20, 1));
	cr_assert_lt(history_commit(history), 0);
	cr_assert_lt(history_commit(history), 0);
	cr_assert_eq(history_through(history), 60);
	cr_assert_not(history_gave_up(history));
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	cr_assert_eq(history_commit(history), 0);
	cr_assert_eq(history_through(history), 200);
	history_close(history);
	cr_assert_eq(sum_of("country=7", 0, 200, 1, &answer, &unknown), 200);
}

Test(history, what_there_is_no_room_for_is_lost_and_counted)
{
	struct history_options options = options_of();
	struct history_counters counters;
	struct history_answer answer;
	struct history *history;
	uint32_t unknown;

	options.pending_bytes_max = 4096;
	cr_assert_eq(history_open(&options, &history, NULL, why, sizeof(why)), 0, "%s", why);
	for (int64_t i = 0; i < 100; i++)
		add(history, (uint64_t)i + 1, i, 1, 1);
	history_counters(history, &counters);
	cr_assert_gt(counters.lost_closes, 0);
	cr_assert_eq(history_commit(history), 0);
	/* It goes on behind the hole. */
	cr_assert(add(history, 101, 100, 1, 1));
	cr_assert_eq(history_commit(history), 0);
	history_close(history);
	double sum = sum_of("", 0, 101, 1, &answer, &unknown);
	cr_assert_eq(sum, 101 - (double)counters.lost_closes);
	cr_assert_eq(unknown, counters.lost_closes, "a hole is not a zero");
}

Test(history, an_unknown_metric_is_refused_with_what_there_is)
{
	struct history *history = open_history();
	struct history_reader *reader;
	struct history_answer answer;
	struct history_query query = {.metric = "ordres", .to_ms = HISTORY_NEWEST, .back_ms = 1000};

	fill(history, 5, 2);
	history_close(history);
	cr_assert_eq(history_reader_open(path, &reader), 0);
	cr_assert_eq(history_read(reader, &query, &answer, why, sizeof(why)), -ENOENT);
	cr_assert_not_null(strstr(why, "there are orders"), "%s", why);
	query.metric = "orders";
	query.slice = "country=9";
	cr_assert_eq(history_read(reader, &query, &answer, why, sizeof(why)), -ENOENT);
	cr_assert_not_null(strstr(why, "of orders, country=9; there are country=1"), "%s", why);
	query.source = "nobody";
	cr_assert_eq(history_read(reader, &query, &answer, why, sizeof(why)), -ENOENT);
	cr_assert_not_null(strstr(why, "of nobody; there are orders"), "%s", why);
	query.source = NULL;
	query.slice = NULL;
	query.from_ms = 50;
	query.to_ms = 40;
	query.back_ms = 0;
	cr_assert_eq(history_read(reader, &query, &answer, why, sizeof(why)), -EINVAL);
	query.from_ms = 0;
	query.to_ms = INT64_C(1) << 41;
	query.step_ms = MINUTE_MS;
	cr_assert_eq(history_read(reader, &query, &answer, why, sizeof(why)), -E2BIG, "%s", why);
	history_reader_close(reader);
}

/* With look-ups for what there is, and not for a million chunks that there are not. */
Test(history, a_span_of_centuries_gives_what_there_is)
{
	struct history *history = open_history();
	struct history_answer answer;
	uint32_t unknown;

	fill(history, 200, 2);
	history_close(history);
	cr_assert_eq(sum_of("", -60000000, 60000000, 12007, &answer, &unknown), 200);
	cr_assert_eq(sum_of("country=1", -60000000, -12007, 12007, &answer, &unknown), 0);
}

Test(history, a_metric_of_another_meaning_is_another_series)
{
	struct history *history = open_history();
	struct history_answer answer;
	uint32_t unknown;
	struct history_metric sum = {
		.name = "orders", .spec = 2, .kind = HISTORY_SUM, .aggregation = AGGREGATE_SUM};
	struct history_rows rows = {0};
	struct history_row row = {.metric = 1,
				  .interval = 10,
				  .words = {2, weir_value_bits(7.5), weir_value_bits(30)}};

	fill(history, 10, 1);
	history_rows_interval(&rows, 10, false);
	history_rows_name(&rows, 1, &sum, 0, "");
	history_rows_add(&rows, &row, NULL);
	struct history_close close = {
		.sequence = 11, .source = "live", .through = 10, .rows = &rows, .shards = 1};
	cr_assert(history_add(history, &close));
	cr_assert_eq(history_commit(history), 0);
	history_rows_fini(&rows);
	history_close(history);
	cr_assert_eq(sum_of("", 10, 11, 1, &answer, &unknown), 7.5);
	cr_assert_eq(answer.aggregation, AGGREGATE_SUM);
	/* Of the time before it nothing is known, and it is not zero. */
	cr_assert_eq(sum_of("", 0, 10, 1, &answer, &unknown), 0);
	cr_assert_eq(unknown, 10);
}

Test(history, points_of_a_slice_without_a_name_are_counted_as_refused)
{
	struct history *history = open_history();
	struct history_counters counters;
	struct history_answer answer;
	struct history_rows rows = {0};
	uint32_t unknown;

	fill(history, 10, 1);
	history_rows_interval(&rows, 10, false);
	for (uint32_t i = 0; i < 3; i++) { /* a metric, a slice, and one that has its name */
		struct history_row row = {.metric = i == 0 ? 70 : 0,
					  .slice = i == 1 ? 3000 : 0,
					  .interval = 10,
					  .words = {4}};
		history_rows_add(&rows, &row, NULL);
	}
	struct history_close close = {
		.sequence = 11, .source = "live", .through = 10, .rows = &rows, .shards = 1};
	cr_assert(history_add(history, &close));
	cr_assert_eq(history_commit(history), 0);
	history_rows_fini(&rows);
	history_counters(history, &counters);
	cr_assert_eq(counters.refused, 2);
	cr_assert_eq(counters.rows, 10 + 10 + 1 + 1, "what is kept, with the coverage's rows");
	history_close(history);
	cr_assert_eq(sum_of("", 0, 11, 1, &answer, &unknown), 14);
}

Test(history, chunks_are_checked_whole)
{
	struct history_chunk chunk, copy;
	struct bytes saved = {0};
	uint64_t words[HISTORY_WORDS_MAX] = {3, weir_value_bits(2.5), weir_value_bits(4)};

	history_chunk_init(&chunk);
	history_chunk_init(&copy);
	history_chunk_clear(&chunk, HISTORY_SUM);
	cr_assert_eq(history_chunk_add(&chunk, 59, words, NULL, 0), 0);
	cr_assert_eq(history_chunk_add(&chunk, 59, words, NULL, 0), 0);
	history_chunk_save(&chunk, &saved);
	cr_assert_eq(saved.used, HISTORY_CHUNK_HEADER_BYTES + 60 * 24);
	cr_assert_eq(history_chunk_load(&copy, HISTORY_SUM, saved.data, saved.used), 0);
	cr_assert_eq(copy.points[59 * 3], 6);
	cr_assert_eq(weir_bits_value(copy.points[59 * 3 + 1]), 5.0);
	cr_assert_eq(history_chunk_load(&copy, HISTORY_COUNT, saved.data, saved.used), -EPROTO);
	for (size_t at = 0; at < saved.used; at += 7) {
		saved.data[at] ^= 16;
		cr_assert_eq(history_chunk_load(&copy, HISTORY_SUM, saved.data, saved.used),
			     -EPROTO, "byte %zu", at);
		cr_assert_eq(copy.present, 0);
		saved.data[at] ^= 16;
	}
	for (size_t bytes = 0; bytes < saved.used; bytes += 13)
		cr_assert_eq(history_chunk_load(&copy, HISTORY_SUM, saved.data, bytes), -EPROTO);
	bytes_fini(&saved);
	history_chunk_fini(&chunk);
	history_chunk_fini(&copy);
}
