/*
 * svg: what charts that stand alone have in common: the page with its title, the styles of its
 * parts for light and dark viewers, text that cannot break out, and steps that read well.
 */
#ifndef WEIRCTL_SVG_H
#define WEIRCTL_SVG_H

#include <stdio.h>

struct svg_page {
	double width, height;
	const char *title;
	const char *about;        /* one sentence for who cannot see it */
	const char *light, *dark; /* styles of the chart's own classes, as CSS; beside them there
				     are page, text, title, grid */
	double left;              /* where the title begins */
};

/* The head of the file; what follows ends with svg_close(). */
void svg_open(const struct svg_page *page, FILE *to);
void svg_close(FILE *to);
/* Escaped. */
void svg_text(FILE *to, const char *text);
/* 1, 2 or 5 times a power of ten, so that there are some five of them in `span` (above 0). */
double svg_step(double span);

#endif
