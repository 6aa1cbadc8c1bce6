/*
 * close: from the lanes' marks to closed intervals.
 *
 * Idea:  an interval of a source is closed when every lane of this epoch has marked it. What the
 *        lanes handed over with their marks (partials) waits here, in key order (interval, epoch,
 *        lane), until the close that covers it. Lanes of dead epochs have no more marks: their
 *        partials simply wait. The same object serves the live engine (closer_due finds what can
 *        be closed) and replay (the control log says what was).
 *
 * Runs on: the closing agent, or the thread of a replay. Pure: no clock, no I/O.
 */
#ifndef INTERVAL_CLOSE_H
#define INTERVAL_CLOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "interval/cells.h"
#include "weir/limits.h"

/* A lane's word that a source is closed through an interval, with what it counted. */
struct close_mark {
	uint32_t lane;
	uint32_t source;
	int64_t interval;
	uint64_t lsn;        /* of the block that holds the mark */
	uint64_t drops;      /* by the producers, since the lane's last mark of this source */
	uint64_t resume_lsn; /* see cells_resume() */
	int64_t resume_frontier;
	struct partial *partials; /* a list; the closer's from here on */
};

struct close_lane {
	bool marked; /* has marked this source in this epoch */
	int64_t interval;
	uint64_t lsn;
	uint64_t resume_lsn;
	int64_t resume_frontier;
};

struct close_source {
	bool opened;    /* `closed` is known: the first mark has come */
	int64_t closed; /* through this interval */
	uint64_t drops; /* not yet accounted to a close */
	struct close_lane lanes[WEIR_LANES_MAX];
	struct partial *pending; /* in key order */
};

struct closer {
	uint32_t epoch;
	uint32_t lanes;
	struct close_source sources[WEIR_SOURCES_MAX];
};

void closer_init(struct closer *closer);
void closer_fini(struct closer *closer); /* frees what is pending */
/* A new engine: its lanes have marked nothing yet. */
void closer_epoch(struct closer *closer, uint32_t epoch, uint32_t lanes);
/* Takes the partials. The first mark of a source in the store's life opens it. */
void closer_feed(struct closer *closer, const struct close_mark *mark);
/* Add partials that came without a mark (the end of a dead epoch). */
void closer_add(struct closer *closer, uint32_t source, struct partial *partials);
/* Can the source be closed further? The first and last interval, and whether producers dropped
 * events since the last close. */
bool closer_due(const struct closer *closer, uint32_t source, int64_t *ret_from,
		int64_t *ret_through, bool *ret_drops);
/* It is closed through `interval`: what it covers, a list in key order, the caller's to free. */
struct partial *closer_take(struct closer *closer, uint32_t source, int64_t interval);
/* For a checkpoint: all of the above. load: 0 or -EPROTO. */
void closer_save(const struct closer *closer, struct bytes *out);
int closer_load(struct closer *closer, struct bytes_reader *in);

#endif
