/*
 * storing: the end of the engine's own way. Joins the shards' answers to a close, stores them in
 * one transaction, writes checkpoints, forgets what Redis has.
 *
 * Runs on: the storing agent, the only writer of SQLite and of checkpoints. It may block on disk.
 */
#ifndef ENGINE_STORING_H
#define ENGINE_STORING_H

#include <stdint.h>

#include "base/queue.h"
#include "deliver/publisher.h"
#include "deliver/store.h"
#include "dropped.h"
#include "input.h"
#include "keeping.h"
#include "log/io.h"
#include "moved.h"
#include "shard.h"
#include "weir/limits.h"

struct storing {
	struct store *store;
	struct publisher *publisher; /* NULL: no Redis configured */
	struct keeping *keeping;     /* of the history */
	struct io *io;               /* for checkpoints */
	void *buffer;                /* CHECKPOINT_BUFFER_BYTES of it */
	struct queue *results[WEIR_SHARDS_MAX];
	uint32_t shards;
	uint32_t lanes;
	uint32_t epoch;
	struct shard_result *heads[WEIR_SHARDS_MAX]; /* taken, not yet joined */
	uint64_t batch_closes;                       /* joined since the last commit */
	uint64_t batch_since_ns;
	uint64_t batch_sequence;           /* last one joined */
	struct stored_item *first, **last; /* of those jobs, in order */
	struct inputs inputs;              /* what operators said, as of the last job joined */
	struct moved moved;                          /* what fires, as of it */
	struct config *config;             /* in force since a reload; NULL: that of the start */
	struct checkpoint_request *checkpoint; /* to write once its close is stored and kept */
	uint64_t checkpoint_sequence;
	struct bytes sections;
	uint64_t previous_keep[WEIR_LANES_MAX]; /* of the newest checkpoint */
	uint64_t *keep_lsn;                     /* [lanes], of the older one; lanes acquire */
	bool previous_whole;                    /* it needs no lane that this engine has not */
	struct dropped dropped;                 /* those lanes */
	const uint64_t *live_ms;                /* clock of the live source */
	uint64_t retain_bytes, retain_s;
	uint64_t *partial_bytes_freed;          /* [lanes]; lanes read it */
	uint64_t acknowledged;
	/* For people: stored relaxed. */
	uint64_t inputs_stored; /* number of the last one */
	uint64_t stored_through, revisions, checkpoints, outbox;
	uint64_t muted;    /* of the revisions, those that a mute has withheld */
	uint64_t withheld; /* anomalies that go on untold */
	int32_t failing;
};

void storing_init(struct storing *storing);
int storing_step(void *storing, uint64_t now_ns); /* agent_step */
void storing_fini(struct storing *storing);

#endif
