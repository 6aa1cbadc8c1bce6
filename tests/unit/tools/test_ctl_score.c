/* What is inferred from the first rows, and how rows become intervals. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../detect/support.h"
#include "score_file.h"
#include "score_infer.h"

#define START INT64_C(1424986973000) /* 2015-02-26 21:42:53 */

static struct score_sample samples[SCORE_INFER_ROWS];

/* Values by a function of the index, every five minutes. */
static void fill(double (*value)(unsigned i), bool point)
{
	for (unsigned i = 0; i < SCORE_INFER_ROWS; i++)
		samples[i] = (struct score_sample){
			.time_ms = START + i * INT64_C(300000),
			.value = value(i),
			.weight = NAN,
			.point = point,
		};
}

static struct chance chance;
static double mean;

static double poisson(unsigned i)
{
	(void)i;
	return chance_poisson(&chance, mean);
}

static double sloped(unsigned i)
{
	return chance_poisson(&chance, mean * (1 + 0.01 * i));
}

static double reading(unsigned i)
{
	(void)i;
	return floor(68 + 3 * chance_normal(&chance));
}

static double bursts(unsigned i)
{
	return i % 7 ? 3 : 900;
}

static double same(unsigned i)
{
	(void)i;
	return 20;
}

static double zero(unsigned i)
{
	(void)i;
	return 0;
}

static double half(unsigned i)
{
	return 0.5 + i % 3;
}

static double degrees(unsigned i)
{
	return -2.0 + i % 30;
}

static enum aggregation kind(void)
{
	return score_infer_kind(samples, SCORE_INFER_ROWS);
}

Test(score_infer, poisson_counts_of_any_rate_are_counts)
{
	const double means[] = {0.05, 0.5, 3, 40, 1000, 1e6};
	unsigned wrong = 0;

	for (unsigned k = 0; k < 6; k++) {
		for (unsigned seed = 1; seed <= 100; seed++) {
			chance = (struct chance){seed + 1000 * k};
			mean = means[k];
			fill(seed % 2 ? poisson : sloped, false);
			wrong += kind() != AGGREGATE_COUNT;
		}
	}
	/* One in five hundred comes below a half by chance. */
	cr_assert_leq(wrong, 5);
}

Test(score_infer, whole_numbers_that_scatter_less_are_readings)
{
	for (unsigned seed = 1; seed <= 100; seed++) {
		chance = (struct chance){seed};
		fill(reading, false);
		cr_assert_eq(kind(), AGGREGATE_MEAN);
	}
	fill(same, false);
	cr_assert_eq(kind(), AGGREGATE_MEAN);
}

Test(score_infer, counts_in_bursts_are_counts)
{
	fill(bursts, false);
	cr_assert_eq(kind(), AGGREGATE_COUNT);
	fill(bursts, true);
	cr_assert_eq(kind(), AGGREGATE_COUNT);
}

Test(score_infer, fractions_and_numbers_below_zero_are_readings)
{
	fill(half, true);
	cr_assert_eq(kind(), AGGREGATE_MEAN);
	fill(degrees, false);
	cr_assert_eq(kind(), AGGREGATE_MEAN);
}

Test(score_infer, of_nothing_but_zeros_the_digits_decide)
{
	fill(zero, false);
	cr_assert_eq(kind(), AGGREGATE_COUNT);
	fill(zero, true);
	cr_assert_eq(kind(), AGGREGATE_MEAN);
}

Test(score_infer, weights_make_a_share_a_ratio_and_anything_else_a_reading)
{
	fill(half, true);
	for (unsigned i = 0; i < SCORE_INFER_ROWS; i++) {
		samples[i].weight = 100;
		samples[i].value /= 3;
	}
	samples[3].value = samples[3].weight = NAN;
	cr_assert_eq(kind(), AGGREGATE_RATIO);
	samples[5].value = 1.5;
	cr_assert_eq(kind(), AGGREGATE_MEAN);
}

Test(score_infer, the_interval_is_the_commonest_gap_whatever_is_missing_or_doubled)
{
	fill(same, false);
	for (unsigned i = 0; i < SCORE_INFER_ROWS; i++)
		samples[i].time_ms += (i / 5) * INT64_C(600000);
	samples[40].time_ms = samples[39].time_ms;
	cr_assert_eq(score_infer_interval_ms(samples, SCORE_INFER_ROWS), 300000);
	cr_assert_eq(score_infer_interval_ms(samples, 1), 0);
	cr_assert_eq(score_infer_interval_ms(samples, 0), 0);
}

Test(score_infer, a_clock_that_jitters_has_an_interval)
{
	fill(same, false);
	chance = (struct chance){3};
	for (unsigned i = 0; i < SCORE_INFER_ROWS; i++)
		samples[i].time_ms += (int64_t)(2000 * chance_normal(&chance));
	int64_t interval_ms = score_infer_interval_ms(samples, SCORE_INFER_ROWS);
	cr_assert(interval_ms >= 290000 && interval_ms <= 310000, "%ld", (long)interval_ms);
}

/* The rows of a file of this text; how many there are. The last result is in *ret_result. */
static unsigned rows_of(const char *text, struct score_shape *shape, struct score_row *rows,
			unsigned most, int *ret_result, char *why)
{
	char path[] = "/tmp/weir-score-XXXXXX";
	struct score_file *file;
	unsigned count = 0;
	char closing[256];
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	why[0] = '\0';
	*ret_result = score_file_open(path, shape, &file, why, 256);
	if (*ret_result == 0) {
		while (count < most &&
		       (*ret_result = score_file_next(file, &rows[count], why, 256)) > 0)
			count++;
		score_file_close(file, closing, sizeof(closing));
	}
	unlink(path);
	return count;
}

/* Intervals of rows at these seconds after the start, every 300 s; -1: of none. */
static void assert_intervals(const int *seconds, const int *wanted, unsigned count)
{
	struct score_shape shape = {.interval_ms = 300000, .aggregation = AGGREGATE_COUNT};
	struct score_row rows[32];
	char text[2048] = "timestamp,value\n", why[256];
	int result;

	for (unsigned i = 0; i < count; i++)
		sprintf(text + strlen(text), "%lld,%u\n", (long long)(START / 1000) + seconds[i],
			i);
	cr_assert_eq(rows_of(text, &shape, rows, 32, &result, why), count, "%s", why);
	cr_assert_eq(result, 0);
	for (unsigned i = 0; i < count; i++) {
		int64_t found = rows[i].interval - START / 300000;
		cr_assert_eq(rows[i].scorable, wanted[i] >= 0, "row %u", i);
		if (rows[i].scorable)
			cr_assert_eq(found, wanted[i], "row %u: %ld", i, (long)found);
	}
}

Test(score_file, intervals_begin_where_the_first_row_does)
{
	const int seconds[] = {0, 300, 600, 900, 1800, 2100};
	const int wanted[] = {0, 1, 2, 3, 6, 7};
	assert_intervals(seconds, wanted, 6);
}

Test(score_file, rows_that_jitter_are_of_the_nearest_interval_or_the_next_free_one)
{
	const int seconds[] = {0, 320, 560, 930, 1140, 1330, 1520, 2090};
	const int wanted[] = {0, 1, 2, 3, 4, 5, 6, 7};
	/* 1330 is nearest to 4, which is taken; 1520 to 5, which is taken then. */
	assert_intervals(seconds, wanted, 8);
}

Test(score_file, a_doubled_hour_and_disorder_are_of_no_interval)
{
	const int seconds[] = {0, 300, 600, 900, 300, 600, 900, 900, 1200, 1100, 1500};
	const int wanted[] = {0, 1, 2, 3, -1, -1, -1, -1, 4, -1, 5};
	assert_intervals(seconds, wanted, 11);
}

Test(score_file, a_burst_does_not_run_ahead_of_time)
{
	const int seconds[] = {0, 300, 301, 302, 303, 304, 600, 900, 1200};
	const int wanted[] = {0, 1, -1, -1, -1, -1, 2, 3, 4};
	assert_intervals(seconds, wanted, 9);
}

Test(score_file, reads_times_numbers_and_columns_as_they_are_written)
{
	const char *text = "\xef\xbb\xbfnote, VALUE ,\"timestamp\",x\r\n"
			   "\"a, \"\"b\"\"\nc\",1.5,2014-04-01 00:00:00,9\r\n"
			   "b,,2014-04-01T00:05:00Z\r\n"
			   "c,NaN,2014-04-01T02:10:00.250+02:00,9\r\n"
			   "\r\n"
			   "d,-3e2,1396311300,9\r\n"
			   "e,7,,9\r\n";
	struct score_shape shape = {.infer_kind = true};
	struct score_row rows[8];
	char why[256];
	int result;

	cr_assert_eq(rows_of(text, &shape, rows, 8, &result, why), 5, "%s", why);
	cr_assert_eq(shape.interval_ms, 300000);
	cr_assert_eq(shape.aggregation, AGGREGATE_MEAN);
	cr_assert_not(shape.weighted);
	cr_assert_eq(rows[0].time_ms, INT64_C(1396310400000));
	cr_assert_eq(rows[0].value, 1.5);
	cr_assert(isnan(rows[1].value) && isnan(rows[2].value));
	cr_assert_eq(rows[2].time_ms, INT64_C(1396311000250));
	cr_assert_eq(rows[3].value, -300);
	cr_assert(rows[3].scorable && !rows[4].scorable && !rows[4].timed);
	cr_assert_eq(rows[3].interval, rows[0].interval + 3);
}

Test(score_file, of_one_row_or_none_is_read_all_the_same)
{
	static const char *const texts[] = {"timestamp,value\n", "timestamp,value\n100,2\n",
					    "timestamp,value\n,2\n"};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct score_shape shape = {.infer_kind = true};
		struct score_row rows[8];
		char why[256];
		int result;

		cr_assert_eq(rows_of(texts[i], &shape, rows, 8, &result, why), i > 0);
		cr_assert_eq(result, 0, "%u: %s", i, why);
		cr_assert_gt(shape.interval_ms, 0);
	}
}

Test(score_file, says_what_is_wrong_and_where)
{
	const struct {
		const char *text, *says;
	} table[] = {
		{"", "empty"},
		{"when,value\n1,2\n", "no column timestamp"},
		{"timestamp,count\n1,2\n", "no column value"},
		{"\x1f\x8b\x08 what gzip writes\n100,2\n", "zcat"},
		{"timestamp,value\n100,2\n200,two\n", "line 3: value \"two\""},
		{"timestamp,value\n100,2\nyesterday,2\n", "line 3: timestamp \"yesterday\""},
		{"timestamp,value\n100,2\n200,\"2\n", "line 3: a quote opens here"},
		{"timestamp,value\n300,2\n200,1\n100,0\n", "oldest first"},
		{"timestamp,value\n100.1,2\n100.2,1\n100.3,0\n", "a second at least"},
		{"timestamp,value\n100,1e999\n200,1\n", "line 2: value \"1e999\""},
		{"timestamp,value\n-100,1\n200,1\n", "before 1970"},
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct score_shape shape = {.infer_kind = true};
		struct score_row rows[8];
		char why[256];
		int result;

		rows_of(table[i].text, &shape, rows, 8, &result, why);
		cr_assert_eq(result, -EBADMSG, "%u", i);
		cr_assert(strstr(why, table[i].says), "%u: %s", i, why);
	}
}
