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

#include "import_time.h"

#define PATH_BYTES 4096
#define LINE_BYTES 512
#define WHY_BYTES 512
#define ROWS_MAX 10000000
#define COLUMN_SCORE "anomaly_score"
#define NAME_ARTIFICIAL "artificial"

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

/* One line's number; blank: NaN. */
static bool read_number(char *line, int column, double *ret_number)
{
	char *rest = line, *word = strsep(&rest, ",\r\n"), *end;

	for (int c = 0; c < column && word; c++)
		word = strsep(&rest, ",\r\n");
	if (!word)
		return false;
	*ret_number = word[0] ? strtod(word, &end) : NAN;
	return !word[0] || *end == '\0';
}

/* The scores of one file: as many as it has rows, or it is no result of it. */
static int read_scores(FILE *in, const char *path, struct nab_file *file)
{
	char line[LINE_BYTES];
	uint32_t rows = 0;
	int place = fgets(line, sizeof(line), in) ? find_column(line, COLUMN_SCORE) : -1;

	if (place < 0) {
		fprintf(stderr, "weir-bench: %s: the first line names no column %s\n", path,
			COLUMN_SCORE);
		return -EINVAL;
	}
	for (; fgets(line, sizeof(line), in); rows++) {
		double score;
		if (!read_number(line, place, &score)) {
			fprintf(stderr, "weir-bench: %s:%u: %s is no number\n", path, rows + 2,
				COLUMN_SCORE);
			return -EINVAL;
		}
		if (rows < file->rows)
			file->scores[rows] = isnan(score) ? 0 : score;
	}
	if (rows == file->rows)
		return 0;
	fprintf(stderr, "weir-bench: %s has %u rows, its data %u: results have a row for each\n",
		path, rows, file->rows);
	return -EINVAL;
}

/* All rows of an open file, into `data` and the times of `file`. */
static int read_rows(struct score_file *in, struct nab_file *file, struct nab_data *data,
		     char why[WHY_BYTES])
{
	uint32_t room = 0;
	int result;

	for (struct score_row row; (result = score_file_next(in, &row, why, WHY_BYTES)) > 0;) {
		if (file->rows == room) {
			room = room ? room * 2 : 4096;
			struct score_row *rows = realloc(data->rows, room * sizeof(*rows));
			data->rows = rows ? rows : data->rows;
			int64_t *times = realloc(file->times_ms, room * sizeof(*times));
			file->times_ms = times ? times : file->times_ms;
			if (!rows || !times || room > ROWS_MAX) {
				snprintf(why, WHY_BYTES, "too many rows");
				return -ENOMEM;
			}
		}
		data->rows[file->rows] = row;
		file->times_ms[file->rows++] = row.timed ? row.time_ms : -1;
	}
	return result;
}

static int read_data(const char *path, struct nab_file *file, struct nab_data *data)
{
	struct score_file *in;
	char why[WHY_BYTES] = "";

	data->shape = (struct score_shape){.infer_kind = true};
	int result = score_file_open(path, &data->shape, &in, why, sizeof(why));
	if (result == 0) {
		char ignored[WHY_BYTES];
		result = read_rows(in, file, data, why);
		score_file_close(in, ignored, sizeof(ignored));
	}
	if (result < 0)
		fprintf(stderr, "weir-bench: %s\n", why);
	return result;
}

/* A label's time: "2014-04-10 16:15:00.000000". False: it is none. */
static bool read_time(const char *text, int64_t *ret_ms)
{
	struct import_clock clock;

	return text && import_clock_init(&clock, "iso", NULL) == 0 &&
	       import_time(&clock, text, (uint32_t)strlen(text), ret_ms) == 0;
}

/* -1: no row is of this time. */
static int64_t find_row(const struct nab_file *file, const char *time)
{
	int64_t time_ms;

	if (!read_time(time, &time_ms))
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
	struct nab_data *data = &corpus->data[corpus->count++];
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/data/%s", corpus->folder, name);
	int error = read_data(path, file, data);
	if (error < 0)
		return error;
	file->name = strdup(name);
	file->scores = calloc(file->rows + 1, sizeof(*file->scores));
	if (!file->name || !file->scores)
		return -ENOMEM;
	corpus->rows += file->rows;
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
	corpus->data = calloc(count + 1, sizeof(*corpus->data));
	if (!names || !corpus->files || !corpus->data)
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
		free(corpus->data[f].rows);
	}
	free(corpus->files);
	free(corpus->data);
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
		char path[PATH_BYTES];
		result_path(folder, corpus->files[f].name, path);
		FILE *in = fopen(path, "re");
		if (!in) {
			fprintf(stderr, "weir-bench: cannot read %s: %s\n", path, strerror(errno));
			return -EIO;
		}
		int error = read_scores(in, path, &corpus->files[f]);
		fclose(in);
		if (error < 0)
			return error;
	}
	return 0;
}

size_t nab_group_bytes(const char *name)
{
	if (strncmp(name, NAME_ARTIFICIAL, strlen(NAME_ARTIFICIAL)) == 0)
		return strlen(NAME_ARTIFICIAL);
	return strcspn(name, "/");
}
