/*
 * verify: is a data directory whole? A reader of its own, written from include/weir/FORMAT.md
 * alone, so that a mistake in the engine's reader or writer is not made twice.
 *
 * It reads every segment of every lane and of the control log and checks: checksums, the chain of
 * LSNs, what is void and what is torn, that each ring's sequences are there exactly once, that
 * what is missing is counted, that marks and closes cover each other, that series are defined
 * before they are used.
 *
 * Best with the engine stopped. Beside a running one the newest blocks may be missed.
 */
#ifndef WEIRCTL_VERIFY_H
#define WEIRCTL_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct verify_options {
	/* Lost events are those that a producer published, that the log does not have, and that the
	 * engine admits (after a power cut, or of a disk that failed). Without this they are not
	 * "well"; the ledger agrees either way. */
	bool allow_lost;
	/* Events that came behind the mark that closed their interval are counted; with this they
	 * are also a finding. For logs of producers that are known to write in time. */
	bool refuse_late;
	uint32_t lines_max; /* of findings and notes each; 0: 1000 */
	/* For a progress bar; NULL: none. */
	void (*progress)(void *self, uint64_t bytes, uint64_t bytes_all);
	void *self;
};

/* Text lines, without newlines. `more`: that many are not listed. */
struct verify_lines {
	char **line;
	uint32_t count;
	uint64_t more;
};

struct verify_report {
	bool ok;        /* nothing in `findings` */
	bool ledger_ok; /* every sequence of every ring is accounted for, exactly once */
	uint64_t segments;
	uint64_t blocks;      /* good ones that are in force, without SEGMENT and FOOTER */
	uint64_t blocks_bad;  /* damaged, and missed: none of the torn tail, none rewritten since */
	uint64_t blocks_torn; /* unfinished ones at an end: no fault */
	uint64_t events;      /* in those blocks */
	uint64_t gaps;        /* runs of missing LSNs that had been called durable, or were kept */
	uint64_t gap_blocks;
	uint64_t lanes, epochs, sources, series, rings, marks, closes;
	/* Over all rings that the log names, since each one's first event (retention or not). */
	uint64_t persisted, rejected, lost, dropped;
	uint64_t late; /* of `events`: at or below the last mark of their source on their lane */
	struct verify_lines findings; /* what is wrong, and where */
	struct verify_lines notes;    /* what is worth knowing and is not wrong */
};

/* path: of a data directory. options: NULL for none. 0: it could be read, see the report (to be
 * freed); negative errno: it could not, and `why` says what to do. */
int verify_directory(const char *path, const struct verify_options *options,
		     struct verify_report *ret_report, char *why, size_t why_bytes);
void verify_report_free(struct verify_report *report);

#endif
