/*
 * chart: figures as a picture that stands alone (tools/weirctl/svg.h): bars side by side, or lines
 * over numbers that grow by powers.
 *
 *   title                              title
 *   weir     |###############  81 M    10 M |  ____4 producers
 *   peer     |##  9.8 M                     | /
 *                                           |/_____________
 *                                            1 k  10 k  100 k
 */
#ifndef BENCH_CHART_H
#define BENCH_CHART_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CHART_LINES_MAX 6u
#define CHART_POINTS_MAX 16u

struct chart_bar {
	const char *label;
	double value;     /* above 0; 0 or less: no bar, `said` alone */
	const char *said; /* behind the bar */
	bool ours;        /* stands out */
};

struct chart_line {
	const char *label;
	double values[CHART_POINTS_MAX]; /* one for each of the chart's x; NaN: none */
};

struct chart {
	const char *title;
	const char *about; /* one sentence for who cannot see it */
	bool logarithmic;  /* of bars: the axis, a mark for each power of ten */
	/* Of lines: */
	const char *x_name, *y_name;
	const double *x; /* ascending, above 0 */
	uint32_t x_count;
};

/* 0, or -ENODATA: nothing to draw. */
int chart_draw_bars(const struct chart *chart, const struct chart_bar *bars, uint32_t count,
		    FILE *to);
int chart_draw_lines(const struct chart *chart, const struct chart_line *lines, uint32_t count,
		     FILE *to);

#endif
