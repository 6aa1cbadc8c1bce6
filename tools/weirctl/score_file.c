/*
 * score_file: see score_file.h. Rows come from import_input.h, times from import_time.h.
 */
#include "score_file.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "import_input.h"
#include "import_time.h"
#include "score_infer.h"
#include "score_place.h"

#define SHOWN_BYTES 40
/* Of one row, or none: nothing is said of it, whatever its interval is. */
#define INTERVAL_MS_UNKNOWN 60000

enum column { COLUMN_TIME, COLUMN_VALUE, COLUMN_WEIGHT, COLUMN_SQUARES, COLUMNS };

static const char *const column_names[COLUMNS] = {"timestamp", "value", "weight",
						    "squares"};
/* What `weirctl history --csv` calls it. */
#define TIME_ALSO "time"

struct score_file {
	const char *path;
	struct import_input input;
	struct import_clock clock;
	int at[COLUMNS]; /* -1: there is none */
	struct score_place place;
	/* Rows that were read ahead, and the one that is handed out next. */
	struct score_row ahead[SCORE_INFER_ROWS];
	unsigned ahead_count, ahead_next;
	int ahead_result; /* of reading on behind them: 1, 0 or an error with `ahead_why` */
	char ahead_why[256];
};

__attribute__((format(printf, 4, 5))) static int refuse(const struct score_file *file, char *why,
							size_t why_bytes, const char *format, ...)
{
	va_list arguments;
	int used = snprintf(why, why_bytes, "%s: ",
			    strcmp(file->path, "-") ? file->path : "standard input");

	if (used < 0 || (size_t)used >= why_bytes)
		return -EBADMSG;
	va_start(arguments, format);
	vsnprintf(why + used, why_bytes - (size_t)used, format, arguments);
	va_end(arguments);
	return -EBADMSG;
}

static struct import_field trimmed(const struct import_field *field)
{
	struct import_field trim = *field;

	while (trim.bytes && strchr(" \t", trim.text[trim.bytes - 1]))
		trim.bytes--;
	for (; trim.bytes && strchr(" \t", *trim.text); trim.bytes--)
		trim.text++;
	return trim;
}

static bool is_word(const struct import_field *field, const char *word)
{
	return field->bytes == strlen(word) && strncasecmp(field->text, word, field->bytes) == 0;
}

static bool is_packed(const struct import_field *field)
{
	return field->bytes >= 2 && memcmp(field->text, "\x1f\x8b", 2) == 0;
}

static int find_columns(struct score_file *file, char *why, size_t why_bytes)
{
	struct import_row header;
	char said[192], list[192] = "";
	int time_also = -1;
	int result = import_header(&file->input, &header, said, sizeof(said));

	if (result == -EBADMSG)
		return refuse(file, why, why_bytes, "%s", said);
	if (result < 0) {
		snprintf(why, why_bytes, "%s", said);
		return result;
	}
	if (header.count && is_packed(&header.fields[0]))
		return refuse(file, why, why_bytes,
			      "it is packed by gzip: name it .gz, or send it through zcat");
	for (int column = 0; column < COLUMNS; column++)
		file->at[column] = -1;
	for (uint32_t i = 0; i < header.count; i++) {
		struct import_field field = trimmed(&header.fields[i]);
		size_t used = strlen(list);

		for (int column = 0; column < COLUMNS; column++) {
			if (file->at[column] < 0 && is_word(&field, column_names[column]))
				file->at[column] = (int)i;
		}
		if (time_also < 0 && is_word(&field, TIME_ALSO))
			time_also = (int)i;
		snprintf(list + used, sizeof(list) - used, "%s%.*s", i ? ", " : "",
			 (int)(field.bytes < SHOWN_BYTES ? field.bytes : SHOWN_BYTES), field.text);
	}
	if (file->at[COLUMN_TIME] < 0)
		file->at[COLUMN_TIME] = time_also;
	for (int column = 0; column < COLUMN_WEIGHT; column++) {
		if (file->at[column] < 0)
			return refuse(file, why, why_bytes,
				      "there is no column %s; the first line must name it (it "
				      "names: %s)",
				      column_names[column], list);
	}
	return 0;
}

static bool is_missing(const struct import_field *field)
{
	static const char *const words[] = {"nan", "na", "n/a", "null", "none"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (is_word(field, words[i]))
			return true;
	}
	return field->bytes == 0;
}

/* The trimmed field of a column; without bytes where the row or the file has none. */
static struct import_field field_of(const struct score_file *file, const struct import_row *row,
				    enum column column)
{
	int at = file->at[column];

	if (at < 0 || (uint32_t)at >= row->count)
		return (struct import_field){.text = "", .bytes = 0};
	return trimmed(&row->fields[at]);
}

static int take_number(const struct score_file *file, const struct import_row *row,
		       enum column column, double *ret_value, char *why, size_t why_bytes)
{
	struct import_field field = field_of(file, row, column);

	*ret_value = NAN;
	if (is_missing(&field) || import_number(field.text, field.bytes, ret_value) == 0)
		return 0;
	int shown = (int)(field.bytes < SHOWN_BYTES ? field.bytes : SHOWN_BYTES);
	return refuse(file, why, why_bytes,
		      "line %" PRIu64 ": %s \"%.*s\" is no number; leave it blank if it is missing",
		      row->line, column_names[column], shown, field.text);
}

static int take_time(struct score_file *file, const struct import_row *row,
		     struct score_row *ret_row, char *why, size_t why_bytes)
{
	struct import_field field = field_of(file, row, COLUMN_TIME);

	ret_row->timed = field.bytes > 0;
	ret_row->time_ms = 0;
	if (!ret_row->timed)
		return 0;
	int result = import_time(&file->clock, field.text, field.bytes, &ret_row->time_ms);
	if (result == 0)
		return 0;
	int shown = (int)(field.bytes < SHOWN_BYTES ? field.bytes : SHOWN_BYTES);
	if (result == -ERANGE)
		return refuse(file, why, why_bytes,
			      "line %" PRIu64 ": timestamp \"%.*s\" is before 1970 or after 2109",
			      row->line, shown, field.text);
	return refuse(file, why, why_bytes,
		      "line %" PRIu64
		      ": timestamp \"%.*s\" is neither unix seconds nor a time as 2011-01-04T10:00:00",
		      row->line, shown, field.text);
}

/* The next row without its interval. */
static int read_row(struct score_file *file, struct score_row *ret_row, bool *ret_point, char *why,
		    size_t why_bytes)
{
	struct import_row row;
	char said[192];
	int result = import_next(&file->input, &row, said, sizeof(said));

	*ret_point = false;
	if (result == -EBADMSG)
		return refuse(file, why, why_bytes, "line %" PRIu64 ": %s", row.line, said);
	if (result < 0)
		snprintf(why, why_bytes, "%s", said);
	if (result <= 0)
		return result;
	*ret_row = (struct score_row){.line = row.line};
	result = take_time(file, &row, ret_row, why, why_bytes);
	if (result == 0)
		result = take_number(file, &row, COLUMN_VALUE, &ret_row->value, why, why_bytes);
	if (result == 0)
		result = take_number(file, &row, COLUMN_WEIGHT, &ret_row->weight, why, why_bytes);
	if (result == 0)
		result = take_number(file, &row, COLUMN_SQUARES, &ret_row->squares, why, why_bytes);
	struct import_field value = field_of(file, &row, COLUMN_VALUE);
	*ret_point = memchr(value.text, '.', value.bytes) != NULL;
	return result < 0 ? result : 1;
}

/* The first rows, and what they say. */
static int read_ahead(struct score_file *file, struct score_shape *shape, char *why,
		      size_t why_bytes)
{
	struct score_sample samples[SCORE_INFER_ROWS];
	unsigned count = 0, timed = 0;
	bool known = shape->interval_ms && !shape->infer_kind;
	unsigned most = known ? 1 : SCORE_INFER_ROWS;
	int result = 1;

	while (count < most && result > 0) {
		struct score_row *row = &file->ahead[count];
		bool point;

		result = read_row(file, row, &point, file->ahead_why, sizeof(file->ahead_why));
		if (result <= 0)
			break;
		count++;
		if (row->timed)
			samples[timed++] = (struct score_sample){
				.time_ms = row->time_ms,
				.value = row->value,
				.weight = row->weight,
				.point = point,
			};
	}
	file->ahead_count = count;
	file->ahead_result = result;
	if (result < 0) {
		snprintf(why, why_bytes, "%s", file->ahead_why);
		return result;
	}
	if (shape->infer_kind)
		shape->aggregation = score_infer_kind(samples, timed);
	if (shape->interval_ms)
		return 0;
	shape->interval_ms = score_infer_interval_ms(samples, timed);
	if (shape->interval_ms == 0 && timed > 1)
		return refuse(file, why, why_bytes,
			      "no row is newer than the one before it; sort the rows by time, "
			      "oldest first");
	if (shape->interval_ms == 0)
		shape->interval_ms = INTERVAL_MS_UNKNOWN;
	if (shape->interval_ms < SCORE_INTERVAL_MS_MIN)
		return refuse(file, why, why_bytes,
			      "rows are %" PRId64 " ms apart; intervals are a second at least: add "
			      "rows up to that",
			      shape->interval_ms);
	if (shape->interval_ms > SCORE_INTERVAL_MS_MAX)
		return refuse(file, why, why_bytes,
			      "rows are %" PRId64 " days apart; intervals are 31 days at most",
			      shape->interval_ms / 86400000);
	return 0;
}

int score_file_open(const char *path, struct score_shape *shape, struct score_file **ret_file,
		    char *why, size_t why_bytes)
{
	struct score_file *file = calloc(1, sizeof(*file));

	if (!file) {
		snprintf(why, why_bytes, "no memory to read %s", path);
		return -ENOMEM;
	}
	file->path = path;
	int result = import_open(&file->input, path, IMPORT_CSV, ',', why, why_bytes);
	if (result < 0) {
		free(file);
		return result;
	}
	result = import_clock_init(&file->clock, "auto", NULL);
	if (result == 0)
		result = find_columns(file, why, why_bytes);
	if (result == 0)
		result = read_ahead(file, shape, why, why_bytes);
	if (result < 0) {
		char closing[256];
		/* What gzip says of a file is worth more than that it has no rows. */
		if (score_file_close(file, closing, sizeof(closing)) < 0) {
			snprintf(why, why_bytes, "%s", closing);
			return -EIO;
		}
		return result;
	}
	file->place.interval_ms = shape->interval_ms;
	shape->weighted = file->at[COLUMN_WEIGHT] >= 0;
	shape->squared = file->at[COLUMN_SQUARES] >= 0;
	*ret_file = file;
	return 0;
}

int score_file_next(struct score_file *file, struct score_row *ret_row, char *why, size_t why_bytes)
{
	int result = 1;
	bool point;

	if (file->ahead_next < file->ahead_count)
		*ret_row = file->ahead[file->ahead_next++];
	else if (file->ahead_result <= 0)
		result = file->ahead_result;
	else
		result = read_row(file, ret_row, &point, why, why_bytes);
	if (result > 0)
		ret_row->scorable = ret_row->timed && score_place(&file->place, ret_row->time_ms,
								  &ret_row->interval);
	return result;
}

int score_file_close(struct score_file *file, char *why, size_t why_bytes)
{
	int result = import_close(&file->input, why, why_bytes);

	free(file);
	return result;
}
