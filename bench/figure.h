/*
 * figure: a measured number over several runs, beside the limit it is judged by; as a line for
 * people or one JSON object.
 */
#ifndef BENCH_FIGURE_H
#define BENCH_FIGURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FIGURE_RUNS_MAX 100

struct figure {
	const char *name, *unit;
	double values[FIGURE_RUNS_MAX];
	double limits[FIGURE_RUNS_MAX]; /* of the same run; 0: there is none */
	uint32_t runs;
	bool lossless; /* every event of every run was found again */
};

void figure_add(struct figure *figure, double value, double limit);
/* {"name":...,"value":median,"unit":...,"limit":...,"ratio":...,"min":...,"max":...,"runs":...,
 * "lossless":...}; limit and ratio are null where there is none. ratio: the median of the runs'. */
void figure_print_json(const struct figure *figure, FILE *out);
void figure_print(const struct figure *figure, FILE *out);

#endif
