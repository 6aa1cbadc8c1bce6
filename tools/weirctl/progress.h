/*
 * progress: one line on a terminal that says how far long work is.
 *
 *   reading  [############            ]  52 %  520,000 rows  1,040,000/s  1 s left
 *
 * Nothing is written where stderr is no terminal, or more often than ten times a second.
 */
#ifndef WEIRCTL_PROGRESS_H
#define WEIRCTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool wanted, shown;
	const char *what;  /* "reading" */
	const char *units; /* "rows" */
	uint64_t began_ns, shown_ns;
};

/* `quiet`: nothing, whatever stderr is. */
void progress_begin(struct progress *progress, const char *what, const char *units, bool quiet);
/* part: of one; negative: nobody knows the whole. */
void progress_show(struct progress *progress, double part, uint64_t count);
/* Take the line away: before any other output, and at the end. */
void progress_end(struct progress *progress);

#endif
