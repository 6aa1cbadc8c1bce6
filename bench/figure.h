/*
 * figure: a measured number over several runs, beside the limit it is judged by; as a line for
 * people or one JSON object. A limit that is itself far below what its program is known to do makes
 * the ratio void, and the figure says so.
 */
#ifndef BENCH_FIGURE_H
#define BENCH_FIGURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FIGURE_RUNS_MAX 100
/* Of its row: a limit that is further off was not measured on a machine of this class, or not in
 * quiet. */
#define FIGURE_ROW_PART 0.9

/* {"name":...,"value":median,"unit":...,"limit":...,"ratio":...,"min":...,"max":...,"runs":...,
 * "lossless":...} */
struct figure {
	const char *name, *unit;
	double values[FIGURE_RUNS_MAX];
	double limits[FIGURE_RUNS_MAX]; /* of the same run; 0: there is none, and null is said */
	uint32_t runs;
	bool lossless;      /* every event of every run was found again */
	bool keeps_nothing; /* there are no events to lose: "lossless" is null */
	bool beaten;        /* by weir, whose rate the limit is: the ratio is limit / value */
	bool cost;          /* less is better: a time, bytes, a share of a processor */
	double row;         /* what the limit's program prints where it is known; 0: not known */
	const char *absent; /* why there is no value: "value" is null, "absent" says this */
};

void figure_add(struct figure *figure, double value, double limit);
/* Medians over the runs; the ratio is that of the runs' ratios, 0 where there is no limit. */
double figure_value(const struct figure *figure);
double figure_limit(const struct figure *figure);
double figure_ratio(const struct figure *figure);
double figure_min(const struct figure *figure);
double figure_max(const struct figure *figure);
/* Is the ratio void? Then why, in words; otherwise an empty text. */
bool figure_void(const struct figure *figure, char why[160]);

/* A void ratio is null, and "void" says why. */
void figure_print_json(const struct figure *figure, FILE *out);
void figure_print(const struct figure *figure, FILE *out);
/* 83100000 as "83.1 M". Returns text. */
const char *figure_scaled(double value, char text[32]);
/* As a JSON string, with its quotation marks. */
void figure_json_text(const char *text, FILE *out);

#endif
