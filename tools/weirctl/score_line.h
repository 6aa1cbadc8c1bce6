/*
 * score_line: what a detector said of one row, as `weirctl score` and `weirctl replay --scores`
 * write it.
 */
#ifndef WEIRCTL_SCORE_LINE_H
#define WEIRCTL_SCORE_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SCORE_LINE_COLUMNS "timestamp,value,expected,lower,upper,score,onset,severity,alarm"

struct score_line {
	bool timed;
	int64_t time_ms;
	double value; /* NaN: missing */
	double expected, lower, upper, score, onset, severity;
	bool alarm;
};

/* Without the line feed. Unix seconds, with thousandths only where there are some; numbers by the
 * fewest digits that read back to the same double, blank where there is none. */
void score_line_put(FILE *to, const struct score_line *line);
/* The same as one JSON object, null where there is no number; with its line feed. */
void score_line_json(FILE *to, const struct score_line *line);
/* "," and a number, or nothing behind it. */
void score_line_number(FILE *to, double value);

#endif
