/*
 * sieve_private: what a query asks for, taken apart (sieve_ask.c), and how an entry is tried by it
 * (sieve.c).
 */
#ifndef CONSOLE_SIEVE_PRIVATE_H
#define CONSOLE_SIEVE_PRIVATE_H

#include "sieve.h"

#define SIEVE_WANTED_MAX 64
#define SIEVE_WORDS_MAX 8
#define SIEVE_DIMENSIONS_MAX 16

enum sieve_sort { SORT_NEWEST, SORT_SEVERITY, SORT_IMPACT };

/* Filters that an entry fails: one bit each, and one for each dimension that is asked for. */
enum sieve_fail {
	FAIL_SEVERITY = 1 << 0,
	FAIL_METRIC = 1 << 1,
	FAIL_STATUS = 1 << 2,
	FAIL_DETECTOR = 1 << 3,
	FAIL_DIRECTION = 1 << 4,
	FAIL_TIME = 1 << 5,
	FAIL_WORDS = 1 << 6,
	FAIL_DIMENSION = 1 << 7, /* of the first one */
};

struct sieve_text {
	const char *text;
	size_t bytes;
};

/* Where a row stands: by its key, then its start, then its id, each from the greatest on. */
struct sieve_rank {
	double key;
	int64_t start_ms;
	uint64_t id[2];
};

struct sieve {
	double severity;
	struct sieve_text metric[SIEVE_WANTED_MAX], detector[SIEVE_WANTED_MAX];
	struct sieve_text pair[SIEVE_WANTED_MAX];          /* "country=IT" */
	uint8_t pair_dimension[SIEVE_WANTED_MAX];          /* which of these */
	struct sieve_text dimension[SIEVE_DIMENSIONS_MAX]; /* "country" */
	struct sieve_text word[SIEVE_WORDS_MAX];
	unsigned metrics, detectors, pairs, dimensions, words;
	unsigned status;    /* bits of enum book_status; 0: any */
	unsigned direction; /* 1: down, 2: up; 0: any */
	int64_t from_ms, to_ms;
	enum sieve_sort sort;
	bool each;
	uint32_t limit;
	bool has_cursor;
	struct sieve_rank cursor;
	char *copy[6]; /* what the texts point into */
	unsigned copies;
};

int sieve_rank_compare(const struct sieve_rank *left, const struct sieve_rank *right);
void sieve_rank_text(const struct sieve_rank *rank, char text[SIEVE_CURSOR_BYTES]);

#endif
