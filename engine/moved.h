/*
 * moved: which metrics of a source are anomalous at the same time, and which of them moved first.
 *
 * Idea:  behind the barrier, where the revisions of all shards come together in order, each metric
 *        has one entry while something of it fires: since when, in which direction. A revision is
 *        told the other metrics whose runs touch its own metric's. All that fires in an interval is
 *        noted before any revision of it is told, so that the order of metrics decides nothing.
 *
 *        visits  ------########-----------
 *        orders  ---------###########-----    visits 3 intervals before
 *        refunds -----------------####----    refunds 8 after, once they fire
 *
 *        Live (storing.c) and replay (replay.c) hand it the same revisions in the same order, so
 *        both tell the same.
 *
 * Runs on: the storing agent; the thread of a replay. Pure: no clock, no I/O.
 */
#ifndef ENGINE_MOVED_H
#define ENGINE_MOVED_H

#include <stdint.h>

#include "base/bytes.h"
#include "scorer.h"

/* Metrics that are anomalous or have lately been, at most. Beyond, the one that is over longest is
 * forgotten; with none over, what begins is not noted. Fuzz targets have fewer. */
#ifndef MOVED_MAX
#define MOVED_MAX 1024u
#endif
/* A run that ended so long before another began may still be its cause; and so long one is kept. */
#define MOVED_BEFORE_MS (INT64_C(3600000))
#define MOVED_KEPT_MS (6 * INT64_C(3600000))
/* What began so much before or after is another matter; or as many periods of the two metrics. */
#define MOVED_REACH_MS (6 * INT64_C(3600000))
#define MOVED_REACH_PERIODS 2

struct mover;

struct moved {
	struct mover *movers;
	uint32_t count;
};

/* 0 or -ENOMEM; all memory that is ever used. */
int moved_init(struct moved *moved);
void moved_fini(struct moved *moved);
void moved_reset(struct moved *moved); /* as new */
/* The revisions of a close, in order: fills in `related` of each. */
void moved_relate(struct moved *moved, struct scored_list *revisions);
/* A section of a checkpoint, header and all. load finds it among the others; 0 or -EPROTO. */
void moved_save(const struct moved *moved, struct bytes *out);
int moved_load(struct moved *moved, struct bytes_reader sections);

#endif
