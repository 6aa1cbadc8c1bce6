/*
 * score_calendar: a CSV file of spans that a calendar knows of, for `weirctl score --calendar`.
 *
 *   start,end,name[,effect]     unix seconds (or times as those of the rows), end exclusive
 *
 * effect: exclude (also where it is blank), expect:+40%, last-year. Spans may overlap (what then:
 * detect/calendar.h). The first line may name the columns, then they may be in any order.
 */
#ifndef WEIRCTL_SCORE_CALENDAR_H
#define WEIRCTL_SCORE_CALENDAR_H

#include <stddef.h>
#include <stdint.h>

struct calendar;

/* 0; -EBADMSG: it is no such file, -EIO, -ENOMEM; `why` says what is wrong, on which line, and what
 * to do. */
int score_calendar_read(const char *path, struct calendar **ret_calendar, char *why,
			size_t why_bytes);
/* Rows stand so much behind the beginning of their interval: spans are of the rows' times. Before
 * the first step only. */
void score_calendar_shift(struct calendar *calendar, int64_t ms);

#endif
