/*
 * import_input: the buffer under the rows, and where its bytes come from.
 */
#include "import_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "text.h"

/* To begin with. Fuzz targets have less, so that it grows. */
#ifndef IMPORT_BUFFER_BYTES
#define IMPORT_BUFFER_BYTES (1u << 20)
#endif

/* Start gzip on the file; its output is what we read. */
static int open_gzip(struct import_input *input, const char *path)
{
	int ends[2];
	if (access(path, R_OK) < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	input->gzip = fork();
	if (input->gzip == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execlp("gzip", "gzip", "-dc", "--", path, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	if (input->gzip < 0) {
		close(ends[0]);
		return -ENOMEM;
	}
	return ends[0];
}

static int open_file(struct import_input *input, const char *path)
{
	size_t bytes = strlen(path);
	struct stat status;

	if (strcmp(path, "-") == 0)
		return STDIN_FILENO;
	if (bytes > 3 && strcmp(path + bytes - 3, ".gz") == 0)
		return open_gzip(input, path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (S_ISDIR(status.st_mode)) {
		close(fd);
		return -EISDIR;
	}
	if (S_ISREG(status.st_mode))
		input->size_bytes = (uint64_t)status.st_size;
	return fd;
}

/* More bytes behind `end`: what is done goes, the buffer grows where a row fills it. */
static int fill(struct import_input *input, char *why, size_t why_bytes)
{
	size_t used = input->end - input->begin;

	memmove(input->buffer, input->buffer + input->begin, used);
	input->begin = 0;
	input->end = used;
	if (used == input->capacity) {
		char *larger = realloc(input->buffer, 2 * input->capacity + 1);
		if (!larger) {
			snprintf(why, why_bytes, "no memory to read %s", input->name);
			return -ENOMEM;
		}
		input->buffer = larger;
		input->capacity *= 2;
	}
	for (;;) {
		ssize_t got = read(input->fd, input->buffer + used, input->capacity - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int error = errno;
			snprintf(why, why_bytes, "cannot read %s: %s", input->name,
				 strerror(error));
			return -EIO;
		}
		input->ended = got == 0;
		input->end += (size_t)got;
		return 0;
	}
}

/* The first bytes; a byte order mark, as spreadsheets write it, is no text. */
static int begin_reading(struct import_input *input, char *why, size_t why_bytes)
{
	while (input->end < 3 && !input->ended) {
		int ret = fill(input, why, why_bytes);
		if (ret < 0)
			return ret;
	}
	if (input->end >= 3 && memcmp(input->buffer, "\xef\xbb\xbf", 3) == 0)
		input->begin = 3;
	return 0;
}

int import_open(struct import_input *input, const char *path, enum import_format format,
		char delimiter, char *why, size_t why_bytes)
{
	memset(input, 0, sizeof(*input));
	input->name = path;
	input->format = format;
	input->delimiter = delimiter;
	input->line = 1;
	input->fd = open_file(input, path);
	if (input->fd < 0) {
		snprintf(why, why_bytes, "cannot open %s: %s", path, strerror(-input->fd));
		return -EIO;
	}
	input->capacity = IMPORT_BUFFER_BYTES;
	/* One byte more: the sentinel of the CSV reader. */
	input->buffer = malloc(input->capacity + 1);
	input->numbers = malloc((size_t)IMPORT_COLUMNS_MAX * TEXT_NUMBER_BYTES);
	int ret = -ENOMEM;
	snprintf(why, why_bytes, "no memory to read %s", path);
	if (input->buffer && input->numbers)
		ret = begin_reading(input, why, why_bytes);
	if (ret < 0) {
		char told[64];
		import_close(input, told, sizeof(told));
	}
	return ret;
}

int import_close(struct import_input *input, char *why, size_t why_bytes)
{
	int status = 0;
	int ret = 0;

	if (input->fd > STDIN_FILENO)
		close(input->fd);
	/* gzip ends by the closed pipe where we left before its end: that is no finding. */
	if (input->gzip > 0 && waitpid(input->gzip, &status, 0) == input->gzip && input->ended &&
	    status != 0) {
		snprintf(why, why_bytes, "gzip could not read %s to its end", input->name);
		ret = -EIO;
	}
	json_decref(input->document);
	free(input->buffer);
	free(input->numbers);
	input->buffer = NULL;
	input->numbers = NULL;
	input->document = NULL;
	input->fd = -1;
	input->gzip = 0;
	return ret;
}

/* Behind the line that `begin` is on. */
static int skip_line(struct import_input *input, char *why, size_t why_bytes)
{
	for (;;) {
		char *begin = input->buffer + input->begin;
		char *newline = memchr(begin, '\n', input->end - input->begin);
		size_t bytes = newline ? (size_t)(newline - begin) + 1 : input->end - input->begin;
		input->begin += bytes;
		input->taken_bytes += bytes;
		if (newline)
			input->line++;
		if (newline || input->ended)
			return 0;
		int ret = fill(input, why, why_bytes);
		if (ret < 0)
			return ret;
	}
}

static ssize_t row_at(struct import_input *input, struct import_row *row, uint32_t *ret_lines,
		      char *why, size_t why_bytes)
{
	*ret_lines = 1;
	/* The sentinel, also for who looks at the first bytes of a line. */
	input->buffer[input->end] = '\n';
	if (input->format == IMPORT_JSON)
		return import_json_row(input, row, why, why_bytes);
	return import_csv_row(input, row, ret_lines, why, why_bytes);
}

/* A line without anything is no row. */
static bool row_empty(const struct import_input *input, const struct import_row *row)
{
	return row->count == 0 ||
	       (row->count == 1 && row->fields[0].bytes == 0 && input->format == IMPORT_CSV);
}

int import_next(struct import_input *input, struct import_row *ret_row, char *why, size_t why_bytes)
{
	for (;;) {
		uint32_t lines;
		if (input->begin == input->end && input->ended)
			return 0;
		ret_row->line = input->line;
		ssize_t bytes = input->begin == input->end
					? 0
					: row_at(input, ret_row, &lines, why, why_bytes);
		if (bytes == 0 && input->end - input->begin >= IMPORT_ROW_BYTES_MAX) {
			snprintf(why, why_bytes,
				 "a row of more than 16 MiB: is a quote not "
				 "closed?");
			bytes = -EBADMSG;
		}
		if (bytes < 0) {
			char told[64];
			int ret = skip_line(input, told, sizeof(told));
			return ret < 0 ? ret : -EBADMSG;
		}
		if (bytes == 0) {
			int ret = fill(input, why, why_bytes);
			if (ret < 0)
				return ret;
			continue;
		}
		input->begin += (size_t)bytes;
		input->taken_bytes += (size_t)bytes;
		input->line += lines;
		if (!row_empty(input, ret_row))
			return 1;
	}
}

double import_part(const struct import_input *input)
{
	if (!input->size_bytes)
		return -1.0;
	double part = (double)input->taken_bytes / (double)input->size_bytes;
	return part < 1.0 ? part : 1.0;
}

int import_header(struct import_input *input, struct import_row *ret_row, char *why,
		  size_t why_bytes)
{
	int ret = import_next(input, ret_row, why, why_bytes);
	if (ret == 0) {
		snprintf(why, why_bytes, "it is empty: the first line names the columns");
		return -EBADMSG;
	}
	return ret < 0 ? ret : 0;
}
