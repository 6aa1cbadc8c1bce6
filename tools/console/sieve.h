/*
 * sieve: which anomalies of the book are asked for, how many there are of what, and the page of
 * rows.
 *
 * Idea:  one pass over the book. Each entry gets a set of the filters that it fails; a row passes
 *        all of them, a facet counts what passes all but its own, the histogram all but severity.
 *        What is counted are groups (by=group), each by the members that pass, or entries.
 * Runs on: any thread; sieve_run() takes the book's lock, and no JSON is made with it.
 */
#ifndef CONSOLE_SIEVE_H
#define CONSOLE_SIEVE_H

#include <stddef.h>

#include "row.h"

#define SIEVE_ROWS_MAX 1000
#define SIEVE_BINS 101 /* of the peak: 0..100 */
#define SIEVE_CURSOR_BYTES 65

struct sieve;

/* What was asked: a query's parameter, or NULL. */
typedef const char *sieve_get(const void *self, const char *name);
/* 0; -EINVAL with why; -ENOMEM. */
int sieve_create(sieve_get *get, const void *self, struct sieve **ret_sieve, char *why,
		 size_t why_bytes);
void sieve_free(struct sieve *sieve);
/* Only what goes on between these times; to_ms 0: without end. */
void sieve_span(struct sieve *sieve, int64_t from_ms, int64_t to_ms);

struct sieve_facet {
	const struct name *name;
	uint32_t count;
};

struct sieve_answer {
	uint32_t total; /* without filters */
	uint32_t shown;
	uint32_t histogram[SIEVE_BINS];
	struct sieve_facet *metric, *detector, *pair; /* the most frequent first */
	uint32_t metrics, detectors, pairs;
	uint32_t status[BOOK_STATUSES];
	uint32_t direction[2]; /* down, up */
	struct book_row *row;
	uint32_t rows;
	char cursor[SIEVE_CURSOR_BYTES]; /* of the next page; "": this is the last */
	struct names *names;             /* held */
};

/* 0 or -ENOMEM. */
int sieve_run(const struct sieve *sieve, struct book *book, struct sieve_answer *ret_answer);
void sieve_answer_fini(struct sieve_answer *answer);

/* Each entry that passes, with the lock held to look; nonzero stops. 0 or -ENOMEM. */
typedef int sieve_each(void *self, const struct book_entry *entry);
int sieve_walk(const struct sieve *sieve, const struct book *book, sieve_each *each, void *self);

#endif
