/*
 * import_input: rows of a file, of a pipe, or of what gzip makes of a file; CSV or JSON lines.
 *
 * Idea:  one buffer that always holds a whole row. A reader finds the row's end and hands out
 * slices of the buffer; they are good until the next row.
 *
 *   buffer:  |  done  |  row  |  read, not looked at  |  sentinel |
 *                     begin                           end
 *
 * A row that cannot be read is named by the line that it begins on, and reading goes on with the
 * next line.
 */
#ifndef WEIRCTL_IMPORT_INPUT_H
#define WEIRCTL_IMPORT_INPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Columns, and bytes of a row: an unclosed quote ends here and not with the memory. Fuzz targets
 * have fewer: what is beyond is met sooner. */
#ifndef IMPORT_COLUMNS_MAX
#define IMPORT_COLUMNS_MAX 4096
#define IMPORT_ROW_BYTES_MAX (16u << 20)
#endif

enum import_format { IMPORT_CSV, IMPORT_JSON };

/* What stands in one column. */
struct import_field {
	const char *text; /* not NUL-terminated */
	uint32_t bytes;
	bool is_number; /* of a JSON number: */
	double number;
};

struct import_row {
	uint64_t line; /* from 1 */
	struct import_field *fields;
	uint32_t count;
};

struct import_input {
	const char *name;
	int fd;
	pid_t gzip;          /* 0: none */
	uint64_t size_bytes; /* 0: not known */
	uint64_t taken_bytes;
	bool ended;
	char *buffer;
	size_t capacity, begin, end;
	uint64_t line; /* of `begin` */
	enum import_format format;
	char delimiter; /* CSV */
	struct import_field fields[IMPORT_COLUMNS_MAX];
	/* JSON: the paths of the wanted columns ("geo.country"), the document of the row, and the
	 * texts of its numbers. */
	const char *paths[IMPORT_COLUMNS_MAX];
	uint32_t paths_count;
	json_t *document;
	char *numbers;
};

/* "-" is stdin; a name in .gz goes through gzip. 0; -EIO, -ENOMEM with `why`. */
int import_open(struct import_input *input, const char *path, enum import_format format,
		char delimiter, char *why, size_t why_bytes);
/* 0; or -EIO: gzip could not read the file to its end. */
int import_close(struct import_input *input, char *why, size_t why_bytes);

/* 1: a row. 0: no more. -EBADMSG: a row that cannot be read, `why` says what is wrong; its line is
 * in the row, and the next call goes on behind it. -EIO, -ENOMEM: the end, with `why`. */
int import_next(struct import_input *input, struct import_row *ret_row, char *why,
		size_t why_bytes);
/* How much of it has been read, in parts of one; negative where nobody knows. */
double import_part(const struct import_input *input);

/* CSV: the columns of the header line in front. 0, or as import_next(). */
int import_header(struct import_input *input, struct import_row *ret_row, char *why,
		  size_t why_bytes);
/* JSON: hand this member out as a column. Its index, or -E2BIG. The text must stay. */
int import_path(struct import_input *input, const char *path);

/* Below import_next(), one reader for each format: bytes of the row at `begin`; 0: it does not end
 * in the buffer; -EBADMSG. *ret_lines is how many lines it took. */
ssize_t import_csv_row(struct import_input *input, struct import_row *row, uint32_t *ret_lines,
		       char *why, size_t why_bytes);
ssize_t import_json_row(struct import_input *input, struct import_row *row, char *why,
			size_t why_bytes);

#endif
