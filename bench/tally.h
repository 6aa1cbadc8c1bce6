/*
 * tally: what the log holds, beside what the producers sent.
 */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "plan.h"

struct tally_result {
	uint64_t events;       /* in the log */
	uint64_t log_bytes;    /* blocks of all lanes, with headers and padding */
	uint64_t wrong_events; /* not what the producer sent under this sequence */
	uint64_t wrong_series; /* count or sum differs from the closed form */
	uint64_t rejected;     /* slots read and refused */
	uint64_t gaps;         /* blocks missing */
	char first_wrong[200]; /* the first thing that was wrong, "" if nothing */
};

/* Read all lanes of a data directory: every event against its producer's plan, in order; then
 * counts and sums by series against the closed form of sent[producer] events. plans: one for each
 * producer, of equal `series`. 0 (look at the result), or a negative errno with `why`: cannot
 * read. */
int tally_log(const char *data, uint32_t lanes, const struct plan *plans, uint32_t producers,
	      const uint64_t *sent, struct tally_result *ret_result, char *why, size_t why_bytes);

#endif
