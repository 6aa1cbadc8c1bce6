/*
 * ingest_cases: what of ingest is asked, and what figures are made of the answers.
 *
 * Idea:  a case is a configuration with a name; a figure is one number of one case's outcome,
 *        beside the limit that it is judged by. A limit is measured right before its case; some
 *        cases are judged by another one of the same round (fresh files by written ones).
 */
#ifndef BENCH_INGEST_CASES_H
#define BENCH_INGEST_CASES_H

#include <stdbool.h>
#include <stdint.h>

#include "figure.h"
#include "ingest_run.h"
#include "report.h"

enum ingest_name {
	INGEST_DURABLE,
	INGEST_FRESH,
	INGEST_DURABLE_1K,
	INGEST_MEMORY_1,
	INGEST_MEMORY_4,
	INGEST_MEMORY_64,
	INGEST_CPU_AT_10M,
	INGEST_CPU_IDLE,
	INGEST_LATENCY_INTERVAL,
	INGEST_LATENCY_BLOCK,
	INGEST_OWN, /* whatever the options say; by itself */
	INGEST_CASES,
};
#define INGEST_FIGURES_MAX 64

/* A number of rounds over some of the cases. */
struct ingest_suite {
	struct ingest_place place;
	struct ingest_case cases[INGEST_CASES];
	bool asked[INGEST_CASES];
	uint32_t limit_ms; /* of a bare lane */
	bool quick;

	/* Of the round that runs. */
	struct ingest_outcome outcomes[INGEST_CASES];
	bool measured[INGEST_CASES];
	double lanes[INGEST_CASES]; /* events/s of a bare lane, right before; 0: not measured */

	struct figure figures[INGEST_FIGURES_MAX];
	bool lossy[INGEST_CASES];
	uint32_t ran_out, pinned;
};

/* The cases that decide, all asked; emitting for `run_ms` each. `quick`: small. */
void ingest_suite_init(struct ingest_suite *suite, uint32_t run_ms, bool quick);
/* Ask only those named in `names`, "durable,fresh". 0, or -EINVAL: the first that is none, in
 * ret_wrong. */
int ingest_suite_ask(struct ingest_suite *suite, const char *names, char ret_wrong[64]);
/* All names, with commas. */
void ingest_suite_names(char *text, size_t text_bytes);
/* Measure each case that is asked, once. 0, or a negative errno with `why`. */
int ingest_suite_round(struct ingest_suite *suite, bool last, char *why, size_t why_bytes);
void ingest_suite_report(struct ingest_suite *suite, struct report *report);

#endif
