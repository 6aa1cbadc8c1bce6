/*
 * lane: a lane for tests: writes numbered events in random pieces, remembers what each block held
 * and what the writer claimed, and checks a log against that.
 *
 * Event n has value n, series n % 1000 + 1 and time n ms; ring 7, sequence n. So any event that is
 * wrong, missing, twice or out of order shows, and the runs can be checked against the events.
 */
#ifndef TEST_LOG_LANE_H
#define TEST_LOG_LANE_H

#include "log/reader.h"
#include "log/writer.h"
#include "support/simdisk.h"

#define LANE_LSNS_MAX 65536u

struct lane {
	struct writer_options options;
	struct writer *writer;
	uint64_t random;
	bool real; /* the disk works while we do not */
	uint64_t now_ns;
	uint64_t next;        /* number of the next event */
	uint64_t flushed;     /* events below this are in closed blocks */
	uint64_t claimed_persisted, claimed_durable; /* highest LSNs ever claimed */
	uint64_t snapshots;
	uint32_t snapshot_at;
	uint64_t events_until[LANE_LSNS_MAX]; /* per LSN: events in blocks up to it */
	uint64_t lsns;        /* entries filled */
};

struct lane_log {
	uint64_t events;     /* 0 .. events-1 were there, in order */
	uint64_t snapshots;  /* RINGS blocks */
	uint64_t marks;
	struct reader_report report;
};

/* Added to the seeds of a test: 0, or $WEIR_TEST_SEED times a large number, to look further. */
uint64_t lane_seed(void);
uint64_t lane_random(struct lane *lane, uint64_t bound);
/* A lane of small blocks that is synced every few milliseconds, and the simulated disk below. */
struct simdisk *lane_small(struct lane *lane, uint64_t segment_bytes, uint64_t seed);
/* A writer at the end of what a log held. False: writer_open failed, errno-style in *ret_error. */
bool lane_open(struct lane *lane, struct io *io, const struct lane_log *log, int *ret_error);
/* Write events until there are `until` in closed blocks or `steps` rounds are over; false then. */
bool lane_write(struct lane *lane, uint64_t until, uint32_t steps);
void lane_step(struct lane *lane);
/* Turn the crank until everything written is durable, or `steps` are over: false. */
bool lane_settle(struct lane *lane, uint32_t steps);

/* Read a lane and check it: events in order, each once, runs that agree, a snapshot in front of
 * each file. Fails the test otherwise. gaps_max: blocks that may be lost. */
void lane_read(struct io *io, struct lane_log *ret_log);

/* A temporary directory beside the test program, on the disk. */
int lane_directory(char path[64]);
void lane_remove(const char *path);

#endif
