/*
 * history_scan: everything that a tier has of one source, point after point in time.
 *
 * Idea:  a chunk is sixty points of one series; all series' chunks of the same hour (or so) are
 *        read together, and turned from series-major to time-major. What is in memory is one such
 *        stretch.
 *
 *        series a  |0 1 2 ... 59|
 *        series b  |0 1 2 ... 59|   ──>   point 0: a, b, c;  point 1: a, c;  ...
 *        series c  |0 1 2 ... 59|
 *
 * Runs on: any thread, with a scan of its own. Reads only.
 */
#ifndef INTERVAL_HISTORY_SCAN_H
#define INTERVAL_HISTORY_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "interval/history.h"
#include "interval/history_chunk.h"

/* One series of the source. Texts live as long as the scan. */
struct history_scanned {
	uint32_t id;
	uint64_t spec;
	enum history_kind kind;
	char *metric; /* "": the source's own, which points are known */
	char *slice;
	/* What it is to the reader: history_scan_mean(). */
	void *of;
	uint32_t number;
	bool asked, wanted;
};

struct history_scan_row {
	struct history_scanned *series;
	const uint64_t *words;
	const uint8_t *sketch; /* a saved one; NULL: none */
	size_t sketch_bytes;
};

struct history_scan_point {
	int64_t number;                      /* of the point: unix time / step of the tier */
	uint64_t closed, incomplete;         /* intervals of it */
	const struct history_scan_row *rows; /* of series that have something, by their ids */
	uint32_t count;
};

struct history_scan;

/* From the chunk that holds the point `from` on. 0; -ENOENT: nothing is known of the source. */
int history_scan_open(const char *path, const char *source, enum history_tier tier, int64_t from,
		      struct history_scan **ret_scan);
void history_scan_close(struct history_scan *scan);
/* Called for each series that has something, once: what is it, and are its points wanted? Given
 * anew, it is asked again; then begin again where the reader is. At first all are wanted. */
typedef bool history_scan_meaning(void *self, struct history_scanned *series);
void history_scan_mean(struct history_scan *scan, history_scan_meaning *meaning, void *self);
/* The next stretch that has anything and begins at or before the point `through`, with all series
 * named so far. 1; 0: there is none (now); negative errno. */
int history_scan_next(struct history_scan *scan, int64_t through);
/* The points of the stretch, one by one, that are at `from` or later. False: no more. */
bool history_scan_point(struct history_scan *scan, struct history_scan_point *ret_point);
/* Begin again with the stretch that holds this point: there may be more of it now. */
void history_scan_again(struct history_scan *scan, int64_t from);
uint32_t history_scan_damaged(const struct history_scan *scan); /* chunks: holes */

#endif
