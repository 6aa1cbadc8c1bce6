/*
 * quality_slices: what the parts of `weir-bench quality slices` share.
 *
 * A shop is six countries times three devices: 18 cells, whose counts add up to 28 slices, which
 * lie in one bank as they would live: the total, each country, each device, each pair.
 *
 *   cells (tools/shop/counts.h)  -> thinned where something fails -> slices, minute by minute
 *        |
 *   quality_slices_shop.c   makes a shop and plans its faults
 *   quality_slices_run.c    three banks over it -> struct slices_fault
 *   quality_slices_table.c  a row for each kind and size of fault
 *
 *   quality_slices_clean.c  a table of its own: alarms of slices that have nothing
 *
 * Each fault is looked at by two detectors: the one that ships, whose threshold is a promise about
 * all slices together, and one whose threshold lets each slice have one false alarm a week, as in
 * the tables of `quality shop`.
 */
#ifndef BENCH_QUALITY_SLICES_H
#define BENCH_QUALITY_SLICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counts.h"
#include "detect/anomaly.h"
#include "detect/detector.h"

#define SLICES_COUNTRIES 6
#define SLICES_DEVICES 3
#define SLICES_CELLS (SLICES_COUNTRIES * SLICES_DEVICES)
#define SLICES_COUNT (1 + SLICES_COUNTRIES + SLICES_DEVICES + SLICES_CELLS)
#define SLICES_COUNTRY 1 /* the first of them */
#define SLICES_DEVICE (SLICES_COUNTRY + SLICES_COUNTRIES)
#define SLICES_PAIR (SLICES_DEVICE + SLICES_DEVICES)

#define SLICES_TRAIN_WEEKS 4
#define SLICES_TEST_WEEKS 4
#define SLICES_TEST (SLICES_TRAIN_WEEKS * COUNTS_WEEK)
#define SLICES_MINUTES ((SLICES_TRAIN_WEEKS + SLICES_TEST_WEEKS) * COUNTS_WEEK)
#define SLICES_SPACING (2 * COUNTS_DAY) /* one fault in each */
#define SLICES_FAULTS (SLICES_TEST_WEEKS * COUNTS_WEEK / SLICES_SPACING) /* of a shop */
#define SLICES_LENGTH 45 /* minutes of a fault */
#define SLICES_WINDOW (SLICES_LENGTH + 2) /* in which it may be found */
#define SLICES_NAMED_AFTER 5 /* minutes after the alarm at which its explanation is read */
#define SLICES_RATES_MAX 8
#define SLICES_SEVERITY 70.0 /* the threshold that ships */
#define SLICES_BUDGET_WEEKS 39.81 /* between two false alarms of a detector at it (severity.h) */

enum slices_kind {
	SLICES_ONE_COUNTRY,
	SLICES_ONE_DEVICE,
	SLICES_ONE_PAIR,
	SLICES_TWO_COUNTRIES,
	SLICES_TWO_PAIRS, /* that have no value in common */
	SLICES_KINDS,
};

#define SLICES_SIZES 3
extern const double slices_sizes[SLICES_SIZES]; /* parts that are gone */

enum slices_watcher {
	SLICES_WEEKLY,  /* a false alarm of each slice a week */
	SLICES_SHIPPED, /* the detector as it ships */
	SLICES_WATCHERS,
};

/* What a watcher made of a fault. */
struct slices_answer {
	uint8_t found; /* minute, the onset's being 1; 0: not */
	bool named;    /* the last that was said until SLICES_NAMED_AFTER names it */
	bool possible; /* the mean evidence for it is enough */
};

struct slices_fault {
	enum slices_kind kind;
	uint32_t size;  /* of slices_sizes */
	uint32_t onset; /* minute */
	uint32_t count, slices[2];
	struct slices_answer answers[SLICES_WATCHERS];
};

/* A shop of a rate. */
struct slices_shop {
	struct counts_spec spec;
	double shares[SLICES_CELLS];
	struct slices_fault faults[SLICES_FAULTS];
	/* Of the clean shop, in the test: hours of the clock in which a slice has a severity of 50,
	 * over all slices; alarms that the detector as it ships fires. */
	uint32_t loud_hours, fired;
};

struct slices_request {
	uint64_t seed;
	uint32_t shops, threads;
	uint32_t millions; /* of intervals, of each case of clean slices */
	uint32_t clean_slices, clean_minutes; /* these alone; 0: all */
	double clean_events;                  /* the same; below 0: all */
	uint32_t clean_weeks;                 /* of test; 0: as many as the interval asks for */
	double clean_severity;                /* threshold */
	bool other, json;
	const double *rates; /* events a minute of all slices together */
	uint32_t rates_count;
};

/* A slice's place in its roll-up, and the cells that it is made of: a bit each. */
struct slices_place {
	char label[64];
	const char *names[2], *values[2];
	uint32_t rollup, dimensions, cells;
};

void slices_place(uint32_t slice, struct slices_place *ret_place);
/* Shop `index` of a rate: its numbers and what will fail in it. Kinds and sizes come in turn, shop
 * after shop. */
void slices_shop_init(struct slices_shop *shop, const struct slices_request *request, double rate,
		      uint32_t index);
/* Its cells: [SLICES_CELLS][SLICES_MINUTES]; injected: with what fails. Notes what is possible. */
void slices_shop_make(struct slices_shop *shop, float *lambda, float *clean, float *injected);
/* The detector as it ships, of an interval: with its resolutions. */
void slices_shipped(struct detector_spec *ret_spec, int64_t interval_ms);
/* Does an anomaly name what failed, and nothing else? */
bool slices_named(const struct slices_fault *fault, const struct anomaly *anomaly);
/* 0; -ENOMEM. */
int slices_shop_watch(struct slices_shop *shop);
/* Are there clean slices of such intervals, and so many in a detector? 0: any. */
bool slices_clean_known(uint32_t minutes, uint32_t slices);
/* Which of the means of clean slices a text says; false: none. */
bool slices_clean_events(const char *text, double *ret_events);
/* Clean slices: score and print them all. 0; -ENOMEM. */
int slices_clean_run(const struct slices_request *request);
/* shops: [rates][shops]. */
void slices_print(const struct slices_request *request, const struct slices_shop *shops);

#endif
