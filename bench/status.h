/*
 * status: what weir-bench says when it ends.
 */
#ifndef BENCH_STATUS_H
#define BENCH_STATUS_H

enum status {
	STATUS_GOOD = 0,
	STATUS_LOSSY = 1,  /* measured, but not every event was found again: believe no figure */
	STATUS_USAGE = 2,
	STATUS_UNABLE = 3, /* could not measure: no disk, no engine; the message says what to do */
};

#endif
