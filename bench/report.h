/*
 * report: what a question answers: the machine first, then figures and notes, as a table for people
 * or a JSON object a line for programs.
 *
 *	struct report report;
 *	report_begin(&report, options->json, options->directory);
 *	report_note(&report, "the producer runs on core 0, the lane on core 1");
 *	report_figure(&report, &figure);
 *	return report_end(&report);
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "figure.h"

struct report {
	FILE *out;
	bool json;
	bool lossy; /* a figure was not lossless */
	uint32_t figures, voided, kept;
};

/* To standard output. `directory`: where the data lie; NULL: nothing is written. */
void report_begin(struct report *report, bool json, const char *directory);
void report_figure(struct report *report, const struct figure *figure);
/* A sentence that belongs to the figures: a line, or {"name":"note","text":...}. */
void report_note(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Say what is to be believed. Returns the exit status, STATUS_GOOD or STATUS_LOSSY. */
int report_end(struct report *report);

#endif
