/*
 * quality_nab_read: see quality_nab_read.h. A window is found by the times of its first and last
 * row, as the labels name them; where a time comes twice (a clock set back) the first row counts.
 */
#include "quality_nab_read.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATH_BYTES 4096
#define LINE_BYTES 512
#define ROWS_MAX 10000000
#define NAME_ARTIFICIAL "artificial"

/* Columns of a CSV file, as long as each other. */
struct columns {
	int64_t *times_ms;
	double *numbers;
	uint32_t rows, room;
};

static void columns_destroy(struct columns *columns)
{
	free(columns->times_ms);
	free(columns->numbers);
}

static int columns_add(struct columns *columns, int64_t time_ms, double number)
{
	if (columns->rows == columns->room) {
		uint32_t room = columns->room ? columns->room * 2 : 4096;
		int64_t *times = realloc(columns->times_ms, room * sizeof(*times));
		columns->times_ms = times ? times : columns->times_ms;
		double *numbers = realloc(columns->numbers, room * sizeof(*numbers));
		columns->numbers = numbers ? numbers : columns->numbers;
		if (!times || !numbers || room > ROWS_MAX)
			return -ENOMEM;
		columns->room = room;
	}
	columns->times_ms[columns->rows] = time_ms;
	columns->numbers[columns->rows++] = number;
	return 0;
}

/* "2014-04-10 16:15:00" or "2014-04-10 16:15:00.000000", in UTC. False: it is none. */
static bool read_time(const char *text, int64_t *ret_ms)
{
	struct tm tm = {0};
	double seconds;

	if (sscanf(text, "%d-%d-%d%*1[ T]%d:%d:%lf", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &seconds) != 6)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*ret_ms = (int64_t)timegm(&tm) * 1000 + llround(seconds * 1000);
	return true;
}

/* The place of column `name` in a head line; negative: there is none. */
static int find_column(char *head, const char *name)
{
	int column = 0;
	char *rest = head, *word;

	for (; (word = strsep(&rest, ",\r\n")); column++)
		if (strcmp(word, name) == 0)
			return column;
	return -1;
}

/* One line's time, if it is wanted, and number; blank: NaN. */
static bool read_line(char *line, int column, bool timed, int64_t *ret_ms, double *ret_number)
{
	char *rest = line, *word = strsep(&rest, ",\r\n"), *end;

	*ret_ms = 0;
	if (!word || (timed && !read_time(word, ret_ms)))
		return false;
	for (int c = 0; c < column && word; c++)
		word = strsep(&rest, ",\r\n");
	if (!word)
		return false;
	*ret_number = word[0] ? strtod(word, &end) : NAN;
	return !word[0] || *end == '\0';
}

static int read_rows(FILE *in, const char *path, const char *column, bool timed,
		     struct columns *columns)
{
	char line[LINE_BYTES];
	uint32_t number = 1;
	int place = fgets(line, sizeof(line), in) ? find_column(line, column) : -1;

	if (place < 1) {
		fprintf(stderr, "weir-bench: %s: the first line names no column %s\n", path,
			column);
		return -EINVAL;
	}
	while (fgets(line, sizeof(line), in)) {
		int64_t time_ms;
		double value;
		number++;
		if (!read_line(line, place, timed, &time_ms, &value)) {
			fprintf(stderr,
				"weir-bench: %s:%u: not a time and a number; it must read "
				"\"2014-04-10 16:15:00,1.5\"\n",
				path, number);
			return -EINVAL;
		}
		if (columns_add(columns, time_ms, value) < 0) {
			fprintf(stderr, "weir-bench: %s: too many rows\n", path);
			return -ENOMEM;
		}
	}
	return 0;
}

static int read_columns(const char *path, const char *column, bool timed,
			struct columns *ret_columns)
{
	FILE *in = fopen(path, "re");

	*ret_columns = (struct columns){0};
	if (!in) {
		fprintf(stderr, "weir-bench: cannot read %s: %s\n", path, strerror(errno));
		return -EIO;
	}
	int error = read_rows(in, path, column, timed, ret_columns);
	fclose(in);
	if (error < 0)
		columns_destroy(ret_columns);
	return error;
}

/* -1: no row is of this time. */
static int64_t find_row(const struct nab_file *file, const char *time)
{
	int64_t time_ms;

	if (!time || !read_time(time, &time_ms))
		return -1;
	for (uint32_t row = 0; row < file->rows; row++)
		if (file->times_ms[row] == time_ms)
			return row;
	return -1;
}

static int read_windows(struct nab_file *file, const json_t *labels)
{
	size_t count = json_array_size(labels), after = 0;

	file->windows = calloc(count + 1, sizeof(*file->windows));
	if (!file->windows)
		return -ENOMEM;
	for (size_t w = 0; w < count; w++) {
		const json_t *pair = json_array_get(labels, w);
		int64_t first = find_row(file, json_string_value(json_array_get(pair, 0)));
		int64_t last = find_row(file, json_string_value(json_array_get(pair, 1)));
		if (first < (int64_t)after || last < first) {
			fprintf(stderr,
				"weir-bench: %s: window %zu of the labels does not begin and end "
				"with rows of the data, behind the window before\n",
				file->name, w + 1);
			return -EINVAL;
		}
		file->windows[file->windows_count++] =
			(struct nab_window){(uint32_t)first, (uint32_t)last};
		after = (size_t)last + 1;
	}
	return 0;
}

static int read_file(struct nab_corpus *corpus, const char *name, const json_t *labels)
{
	struct nab_file *file = &corpus->files[corpus->count];
	struct columns columns;
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/data/%s", corpus->folder, name);
	int error = read_columns(path, "value", true, &columns);
	if (error < 0)
		return error;
	corpus->values[corpus->count++] = columns.numbers;
	file->times_ms = columns.times_ms;
	file->rows = columns.rows;
	file->name = strdup(name);
	file->scores = calloc(columns.rows + 1, sizeof(*file->scores));
	if (!file->name || !file->scores)
		return -ENOMEM;
	corpus->rows += columns.rows;
	error = read_windows(file, labels);
	corpus->windows += file->windows_count;
	return error;
}

static int compare_names(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

/* By name, whatever the order of the labels is. */
static int read_files(struct nab_corpus *corpus, json_t *labels)
{
	size_t count = json_object_size(labels), n = 0;
	const char **names = calloc(count + 1, sizeof(*names));
	const char *key;
	json_t *windows;
	int error = 0;

	corpus->files = calloc(count + 1, sizeof(*corpus->files));
	corpus->values = calloc(count + 1, sizeof(*corpus->values));
	if (!names || !corpus->files || !corpus->values)
		error = -ENOMEM;
	json_object_foreach(labels, key, windows) {
		if (!error)
			names[n++] = key;
	}
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n && !error; i++)
		error = read_file(corpus, names[i], json_object_get(labels, names[i]));
	free(names);
	return error;
}

int nab_corpus_read(struct nab_corpus *corpus, const char *folder)
{
	static const char *const places[] = {"windows.json", "labels/combined_windows.json"};
	json_t *labels = NULL;
	json_error_t why = {0};

	*corpus = (struct nab_corpus){.folder = strdup(folder)};
	for (size_t p = 0; corpus->folder && p < 2 && !labels; p++) {
		char path[PATH_BYTES];
		snprintf(path, sizeof(path), "%s/%s", folder, places[p]);
		labels = json_load_file(path, 0, &why);
	}
	if (!json_object_size(labels)) {
		fprintf(stderr,
			"weir-bench: no labels in %s: it needs windows.json, or "
			"labels/combined_windows.json, and data/%s%s\n",
			folder, why.text[0] ? ": " : "", why.text);
		json_decref(labels);
		nab_corpus_destroy(corpus);
		return -EINVAL;
	}
	int error = read_files(corpus, labels);
	json_decref(labels);
	if (error == -ENOMEM)
		fprintf(stderr, "weir-bench: out of memory\n");
	if (error < 0)
		nab_corpus_destroy(corpus);
	return error;
}

void nab_corpus_destroy(struct nab_corpus *corpus)
{
	for (uint32_t f = 0; f < corpus->count; f++) {
		free(corpus->files[f].name);
		free(corpus->files[f].windows);
		free(corpus->files[f].times_ms);
		free(corpus->files[f].scores);
		free(corpus->values[f]);
	}
	free(corpus->files);
	free(corpus->values);
	free(corpus->folder);
	*corpus = (struct nab_corpus){0};
}

/* RESULTS/GROUP/FILE.csv, or with the detector's name, which is the folder's, before the file's. */
static void result_path(const char *folder, const char *name, char path[PATH_BYTES])
{
	size_t bytes = strlen(folder);
	const char *slash = strrchr(name, '/');
	size_t group = slash ? (size_t)(slash - name) + 1 : 0;

	while (bytes > 1 && folder[bytes - 1] == '/')
		bytes--;
	snprintf(path, PATH_BYTES, "%.*s/%s", (int)bytes, folder, name);
	FILE *in = fopen(path, "re");
	if (in) {
		fclose(in);
		return;
	}
	size_t base = bytes;
	while (base > 0 && folder[base - 1] != '/')
		base--;
	snprintf(path, PATH_BYTES, "%.*s/%.*s%.*s_%s", (int)bytes, folder, (int)group, name,
		 (int)(bytes - base), folder + base, name + group);
}

int nab_results_read(struct nab_corpus *corpus, const char *folder)
{
	for (uint32_t f = 0; f < corpus->count; f++) {
		struct nab_file *file = &corpus->files[f];
		struct columns columns;
		char path[PATH_BYTES];
		result_path(folder, file->name, path);
		int error = read_columns(path, "anomaly_score", false, &columns);
		if (error < 0)
			return error;
		if (columns.rows != file->rows) {
			fprintf(stderr,
				"weir-bench: %s has %u rows, its data %u: results have a row for "
				"each\n",
				path, columns.rows, file->rows);
			columns_destroy(&columns);
			return -EINVAL;
		}
		for (uint32_t row = 0; row < file->rows; row++)
			file->scores[row] = isnan(columns.numbers[row]) ? 0 : columns.numbers[row];
		columns_destroy(&columns);
	}
	return 0;
}

size_t nab_group_bytes(const char *name)
{
	if (strncmp(name, NAME_ARTIFICIAL, strlen(NAME_ARTIFICIAL)) == 0)
		return strlen(NAME_ARTIFICIAL);
	return strcspn(name, "/");
}
