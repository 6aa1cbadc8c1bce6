/*
 * ingest_run: one case of ingest, measured once: producers, a real weird, a disk, and a check that
 * nothing is missing.
 *
 * Idea:  a case says what is sent through which configuration. The time runs from the first emit
 *        to the answer "durable" for the last event. Then the log is read back: every event is
 *        compared with what was sent, counts and sums by series with their closed form, and
 *        `weirctl verify` has its say. Whoever asks a question over several cases runs them one by
 *        one, and makes figures of the outcomes.
 */
#ifndef BENCH_INGEST_RUN_H
#define BENCH_INGEST_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "disk.h"

/* Where all cases are measured, and with which programs. */
struct ingest_place {
	char directory[4096]; /* absolute; a directory is made in it for each run, and removed */
	char weird[2200];
	char weirctl[2200]; /* "": there is none, logs are read by one reader only */
	uint32_t limit_mib; /* of the plain writer before and after; 0: none */
	bool keep;          /* leave a run's directory in place, and say where it is */
};

struct ingest_case {
	const char *interval, *durability, *io; /* as the configuration says them */
	uint32_t run_ms;                        /* emit for at least this long */
	uint32_t producers, series, ring_events;
	uint32_t batch; /* 0: weir_emit, else so many at a time with weir_emit_many */
	uint32_t lanes, shards;
	double rate;   /* events/s of all producers together; 0: as fast as they can */
	bool idle;     /* producers are attached, and emit nothing */
	bool recycled; /* the log's files have been written before; false: all are fresh */
	bool no_log;   /* the engine keeps nothing: events go to cells and detectors only */
	bool pinned;   /* lanes and producers to a processor each, if there are enough */
};

struct ingest_outcome {
	uint64_t events;
	uint64_t log_bytes; /* blocks of all lanes, with headers and padding */
	double seconds;     /* first emit to last event durable */
	double emit_ns;     /* of the producers, an event; the wait for a full ring included */
	double cpu_s;       /* of the engine, meanwhile */
	uint64_t base_bytes; /* of it, resident before any producer came */
	uint64_t peak_bytes; /* at most, with what it maps of producers */
	double p50_s, p99_s;              /* from emit to durable; 0: nothing becomes durable */
	uint64_t delays;                  /* how many events that is taken of */
	bool ran_out; /* recycled files were not enough: the last ones were fresh */
	bool too_slow; /* the producers did not come to their rate */
	bool pinned;
	struct disk_rate before, after;
	bool lossless;
	char missing[600]; /* what was not as it must be; "" if lossless */
};

/* Find the programs (given: NULL where nobody named one) and resolve the directory. 0, or a
 * negative errno with `why`. */
int ingest_place_init(struct ingest_place *place, const char *directory, const char *weird,
		      const char *weirctl, char *why, size_t why_bytes);
/* Measure. 0 (look at lossless), or a negative errno with `why`: it could not be measured. */
int ingest_measure(const struct ingest_place *place, const struct ingest_case *with,
		   struct ingest_outcome *ret_outcome, char *why, size_t why_bytes);

/* Is the place on a disk, and is there room for `ms` of it? 0, or a negative errno with `why`. */
int ingest_disk_check(const struct ingest_place *place, uint64_t ms, char *why, size_t why_bytes);
/* bytes/s that the disk took at best, before and after. */
double ingest_disk_limit(const struct ingest_outcome *outcome);

#endif
