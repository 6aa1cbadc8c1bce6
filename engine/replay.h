/*
 * replay: the state behind the logs, from the logs. Recovery, `weirctl replay` and tests are this.
 *
 * Idea:  the control log leads. Each EPOCH, SOURCE, CONFIG and CLOSE record is applied in order;
 *        a close pulls the lanes' logs forward until every lane of its epoch has marked what it
 *        covers. Lanes of dead epochs are read to their end when the next epoch begins; what they
 *        had open becomes partials, which the next close covers. Reading starts at the newest
 *        whole checkpoint, or at the beginning, or at the oldest checkpoint kept.
 *
 *   control log:  EPOCH 1  SOURCE  CONFIG  close close close | EPOCH 2  close ...
 *   lane 0:       events mark events mark events (torn)      | mark events mark ...
 *
 * Runs on: one thread; reads through an io, writes nothing.
 */
#ifndef ENGINE_REPLAY_H
#define ENGINE_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "input.h"
#include "intake/series.h"
#include "intake/source.h"
#include "interval/close.h"
#include "log/io.h"
#include "log/reader.h"
#include "moved.h"
#include "scorer.h"
#include "weir/segment.h"

enum replay_start {
	REPLAY_NEWEST, /* newest checkpoint */
	/* Newest checkpoint that the store has not fallen behind, else the oldest start. */
	REPLAY_STORED,
	REPLAY_OLDEST, /* from the first event if that and the states of all rebases are kept, else
			  from the oldest checkpoint */
};

struct replay_options {
	struct io *io;
	uint32_t shards;
	uint32_t series_max;
	enum replay_start start;
	uint64_t stored_through; /* STORED: of the last close that store and history have */
	/* Every revision, in order, with the number of its close. May be NULL. */
	void (*each)(void *self, uint64_t sequence, const struct anomaly *anomaly);
	/* What operators said, and whose last revision was published after all (input.h), in order
	 * with the revisions; of the time before a checkpoint that is behind `stored_through`, what
	 * they said comes first. May be NULL. */
	void (*each_input)(void *self, const struct operator_input *input);
	void (*each_release)(void *self, uint64_t sequence, uint64_t number, const uint64_t id[2]);
	/* What each close brings to the history: rows of each shard. May be NULL. */
	void (*each_close)(void *self, const struct close_job *job,
			   const struct history_rows *rows);
	/* What each detector said of each interval. May be NULL. */
	scorer_each *each_scored;
	void *self;
};

/* A log ends before a block of which the checkpoint or the control log says that it was kept: what
 * is between is one gap more in the report, and its numbers are not given again. */
struct replay_lane_end {
	struct reader_report report;
	uint64_t short_from; /* the first of these blocks, next_lsn is behind the last; 0: none */
	uint32_t lane;
};

#define REPLAY_WITHOUT_CONTROL                                                                     \
	"there is no control log beside these lanes or checkpoints: put the directory control "    \
	"back, or begin with an empty data directory"

/* What is known at the end of the logs; taken over by a starting engine. */
struct replay {
	struct replay_options options;
	struct series_registry *registry;
	struct source_table sources;
	struct closer closer;
	struct scorer *scorers[WEIR_SHARDS_MAX];
	struct inputs inputs;
	struct moved moved;
	struct config *config;   /* in force at the end; NULL in a new store */
	int64_t interval_ms;     /* 0 in a new store */
	uint32_t epoch;          /* last one, 0 in a new store */
	uint32_t epoch_seen;     /* highest in any segment; above `epoch`: control log torn */
	uint64_t started_at;     /* close after which replay began: 0, or a checkpoint's */
	uint64_t sequence;       /* of the last close */
	uint64_t events, blocks; /* read */
	uint64_t closes, intervals; /* read; how many intervals these closed */
	struct weir_ring_record *rings; /* every ring the logs still name */
	uint32_t rings_count, rings_capacity;
	uint32_t *rings_index; /* [2 * rings_capacity]: place + 1 by hash, or 0 */
	struct replay_lane_end control;
	struct replay_lane_end *lanes; /* all lane directories, and those that are gone */
	uint32_t lanes_count;
	char why[256]; /* what is wrong, when a call failed */
	uint32_t passed_over; /* checkpoints that could not be gone on from */
	char passed_why[384]; /* what is wrong with the newest of them */
	/* Intervals of a lane read back from its log, without what is damaged there. */
	uint32_t lacking;

	struct replay_state *state; /* private to replay.c */
};

/* Read everything. 0, or a negative errno with replay->why. The struct must be given to
 * replay_fini() in any case. -ENOENT: no control log (a new store), all is empty. */
int replay_run(const struct replay_options *options, struct replay *replay);
void replay_fini(struct replay *replay);
/* Definitions as they stand in the log and in checkpoints, into the registry, and what they are to
 * be sketched with into `kinds` (by series; NULL: nowhere). 0, -EPROTO, or series_restore()'s. */
int replay_definitions(struct replay *replay, const void *data, uint32_t bytes, uint8_t *kinds);

#endif
