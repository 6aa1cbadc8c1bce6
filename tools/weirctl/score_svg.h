/*
 * score_svg: rows and what the detector said of them, as a chart that stands alone: what came, what
 * was expected and its band, and where the alarm was raised.
 *
 *   title                                              legend
 *   |        ____                      o 13 instead of 1.5
 *   |   ____/    \___   band, expected and values   /\
 *   |__/             \_____________________________/__\___
 *      4 Jan    5 Jan    6 Jan ...
 *
 * Greys for what is usual, one colour for what is not; the viewer's preference for a dark page is
 * followed. Rows beyond POINTS are drawn as the least and the greatest of each few.
 */
#ifndef WEIRCTL_SCORE_SVG_H
#define WEIRCTL_SCORE_SVG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "score_line.h"

/* Lines in the order of their times, kept for the chart. All zero at first. */
struct score_svg {
	const char *title;
	int64_t interval_ms;
	int64_t since_ms, until_ms; /* 0: all */
	double severity;            /* rows of this severity and more are marked */
	struct score_line *lines;
	size_t count, capacity;
};

/* Keep the line if it is within the times; 0 or -ENOMEM. Lines without a time are not drawn. */
int score_svg_add(struct score_svg *svg, const struct score_line *line);
/* 0; -ENODATA: no line has a value; -ENOMEM. */
int score_svg_draw(const struct score_svg *svg, FILE *to);
void score_svg_fini(struct score_svg *svg);

#endif
