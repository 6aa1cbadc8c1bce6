/*
 * score_file: a CSV file of one series, as the detector is to see it: row by row, each with the
 * interval that it is of.
 *
 *   timestamp,value[,weight][,squares],...    columns by name, in any order; others are passed over
 *
 * timestamp   unix seconds (milliseconds where they are too large for that), or ISO 8601 with T or
 *             a space, with or without fractions of a second; UTC unless it names a zone. Without
 *             such a column one called time, as of `weirctl history --csv`
 * value       a number; blank, NaN, NA, N/A, null and None are missing
 * weight      as value: of a ratio the denominator, of a gauge the readings behind it
 * squares     as value: of a sum, the squares of what it is made of, added up
 *
 * Which interval a row is of: score_place.h; a row with a blank timestamp is of none.
 *
 * Only the first SCORE_INFER_ROWS rows are read ahead, if interval or kind are to be inferred.
 */
#ifndef WEIRCTL_SCORE_FILE_H
#define WEIRCTL_SCORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "interval/observation.h"

#define SCORE_INTERVAL_MS_MIN 1000
#define SCORE_INTERVAL_MS_MAX (INT64_C(31) * 86400000)

struct score_file;

/* What is given, and behind open what is so. */
struct score_shape {
	int64_t interval_ms;          /* 0: infer it */
	enum aggregation aggregation; /* COUNT, SUM, MEAN or RATIO */
	bool infer_kind;
	bool weighted, squared;       /* set by open: there are columns weight and squares */
};

struct score_row {
	uint64_t line;
	bool timed;      /* there is a timestamp: */
	int64_t time_ms;
	double value, weight, squares; /* NaN: missing */
	bool scorable; /* it has an interval, behind that of every row before it: */
	int64_t interval;
};

/* "-" is stdin, .gz goes through gzip. 0, -EBADMSG: it is no such file, -EIO, -ENOMEM; `why` says
 * what is wrong, on which line, and what to do. */
int score_file_open(const char *path, struct score_shape *shape, struct score_file **ret_file,
		    char *why, size_t why_bytes);
/* 1: a row; 0: the end; or as open. */
int score_file_next(struct score_file *file, struct score_row *ret_row, char *why,
		    size_t why_bytes);
/* 0; -EIO: the file could not be read to its end. */
int score_file_close(struct score_file *file, char *why, size_t why_bytes);

#endif
