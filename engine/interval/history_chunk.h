/*
 * history_chunk: sixty points of one series in one tier, as they lie in the database.
 *
 * Idea:  a point is a few words that add up: points of intervals become the point of an hour, and
 *        a late correction is added like any other. How many words follows from what is watched.
 *        A chunk is made at its full size and changed in place, so a database page stays where it
 *        is; only sketches have a length of their own.
 *
 *   0        4      5      6       8          16                         16 + 480 * words
 *   +--------+------+------+-------+----------+--------------------------+-----------------------+
 *   | crc32c | kind | words| zero  | present  | 60 points of words * 8   | sketches (see below)  |
 *   +--------+------+------+-------+----------+--------------------------+-----------------------+
 *   the CRC is of all that follows it; bit i of `present`: point i has something
 *   sketches: u32 bytes[60], then sketch_save() of each point that has one
 *
 * Runs on: the history agent, readers. Pure: no I/O. What comes from the disk is not trusted.
 */
#ifndef INTERVAL_HISTORY_CHUNK_H
#define INTERVAL_HISTORY_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "weir/event.h" /* weir_bits_value(): some words are doubles */

#define HISTORY_POINTS 60
#define HISTORY_WORDS_MAX 6
#define HISTORY_CHUNK_HEADER_BYTES 16
/* Of the database: a page, its header, and what a row has beside the chunk: its size, its key, the
 * record's header, its place in the page. */
#define HISTORY_PAGE_BYTES 16384u
#define HISTORY_PAGE_HEADER_BYTES 8u
#define HISTORY_ROW_BYTES 17u

/* On disk: numbers are never used again for something else. */
enum history_kind {
	HISTORY_COUNT = 1,    /* count */
	HISTORY_SUM = 2,      /* count, sum, sum of squares: of sums and means */
	HISTORY_MIN = 3,      /* count, least value */
	HISTORY_MAX = 4,      /* count, greatest value */
	HISTORY_SHARE = 5,    /* a ratio of counts: count above, count below */
	HISTORY_RATIO = 6,    /* any other ratio: HISTORY_SUM above, HISTORY_SUM below */
	HISTORY_DISTINCT = 7, /* count, and a sketch */
	HISTORY_QUANTILE = 8, /* the same */
	HISTORY_COVERAGE = 9, /* intervals closed, of them incomplete */
};

struct history_chunk {
	enum history_kind kind;
	uint32_t words; /* of a point */
	uint64_t present;
	uint64_t points[HISTORY_POINTS * HISTORY_WORDS_MAX]; /* [60][words], counts and doubles */
	struct bytes sketches[HISTORY_POINTS];               /* saved ones */
};

/* Words of a point; 0: there is no such kind. */
uint32_t history_kind_words(uint32_t kind);
/* Bytes of the file that a chunk takes, its share of a page's rest included; without sketches. */
double history_kind_file_bytes(enum history_kind kind);
/* enum sketch_kind of its points. */
int history_kind_sketch(enum history_kind kind);

void history_chunk_init(struct history_chunk *chunk); /* once, before all else */
void history_chunk_fini(struct history_chunk *chunk);
/* Empty, of this kind; memory is kept. */
void history_chunk_clear(struct history_chunk *chunk, enum history_kind kind);
/* 0; -EPROTO: not a whole chunk of this kind (the chunk is empty then); -ENOMEM. */
int history_chunk_load(struct history_chunk *chunk, enum history_kind kind, const void *data,
		       size_t bytes);
/* Appends; out->failed without memory. */
void history_chunk_save(const struct history_chunk *chunk, struct bytes *out);
/* Add words (and a saved sketch, or NULL) to a point. 0, -ENOMEM; -EPROTO: the sketch is none. */
int history_chunk_add(struct history_chunk *chunk, uint32_t point, const uint64_t *words,
		      const void *sketch, size_t sketch_bytes);
/* The same with two points that lie in memory; *have: `to` has something. */
void history_words_add(enum history_kind kind, uint64_t *to, bool *have, const uint64_t *words);

#endif
