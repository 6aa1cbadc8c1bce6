/*
 * replay_lane: one lane's log, read forward: series, ring positions, cells, marks.
 *
 * Runs on: the thread of the replay that owns it. What it finds goes into that replay.
 */
#ifndef ENGINE_REPLAY_LANE_H
#define ENGINE_REPLAY_LANE_H

#include <stdint.h>

#include "interval/close.h"
#include "log/reader.h"

struct replay;
struct replay_lane;

struct replay_lane_options {
	struct io *io;
	uint32_t lane;
	struct replay *replay;
	const struct closer *resume; /* of a checkpoint: where cells begin; NULL: from the start */
};

int replay_lane_open(const struct replay_lane_options *options, struct replay_lane **ret_lane);
/* The lane is known to have had this block: see reader_kept(). */
void replay_lane_kept(struct replay_lane *lane, uint64_t lsn);
/* Read until this lane has marked the source through `interval` in the current epoch. A lane whose
 * log ends before (corruption, or an open tail) has said all it can: 0 as well. */
int replay_lane_until(struct replay_lane *lane, uint32_t source, int64_t interval);
/* Read to the first block of `epoch` or a later one (0: to the end); then everything open becomes
 * partials. */
int replay_lane_finish(struct replay_lane *lane, uint32_t epoch);
void replay_lane_report(const struct replay_lane *lane, struct reader_report *ret_report);
void replay_lane_close(struct replay_lane *lane); /* NULL is fine */

#endif
