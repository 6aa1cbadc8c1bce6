/*
 * limit_lane: how fast a lane could be. The least that a lane has to do for an event, in one small
 * loop, between two processes: what the engine's own lane is judged by, measured in the same run.
 *
 * Idea:  a producer fills a ring with 16-byte events, each stamped by the coarse clock and
 *        published by itself. The lane copies each slot once into a block, checks the copy (series,
 *        value, time), maps its series, adds it to the series' cell, and extends the block's
 *        CRC32C. Full blocks go to the disk past the page cache, eight in flight, over a file that
 *        is written already; a slot is free again once its block is in the file; at the end all is
 *        synced.
 *        Without a directory there is no log: no CRC, no disk, a slot is free once it is copied.
 *
 * What it leaves out is what makes an engine of it: more than one ring, intervals that close,
 * segments, ledgers, detectors, restarts.
 */
#ifndef BENCH_LIMIT_LANE_H
#define BENCH_LIMIT_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limit_lane_options {
	const char *directory; /* on a disk that takes O_DIRECT; NULL: no log */
	uint32_t series;       /* 1 .. PLAN_SERIES_MAX, uniformly random */
	uint32_t ring_events;  /* a power of two; 0: 256Ki with a log, 64Ki without */
	uint64_t run_ns;       /* emit so long ... */
	uint64_t events_max;   /* ... or so many; 0: no bound */
};

struct limit_lane {
	double events_per_s; /* from the first emit until all is synced */
	double bytes_per_s;  /* of the log */
	double producer_ns;  /* of an event, waits for room included */
	double lane_cores;   /* processors the lane used meanwhile */
	uint64_t events;
};

/* Takes run_ns, and a second to write the file. Every event's value is summed up and the sum
 * compared with what was sent: a limit that loses events is none. 0, or a negative errno with what
 * to do in `why`. */
int limit_lane_run(const struct limit_lane_options *options, struct limit_lane *ret_limit,
		   char *why, size_t why_bytes);

/* What this program does on a machine of the class that weir's goals are set for, events/s, with up
 * to 1024 series or with 100,000; 0: nobody knows. */
double limit_lane_row(bool log, uint32_t series);

#endif
