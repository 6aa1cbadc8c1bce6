/*
 * keeping: the history as an agent. Takes closes that the storing agent has joined, keeps their
 * rows, commits many closes at once, so that neither alerts nor lanes wait for it.
 *
 *   storing ──(queue, bounded by bytes)──> keeping ──> history.db
 *      ^ the close through which it is kept: a checkpoint waits for that
 *
 * Runs on: the history agent, the only writer of the history. It may block on disk.
 */
#ifndef ENGINE_KEEPING_H
#define ENGINE_KEEPING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/queue.h"
#include "config.h"
#include "interval/history.h"

/* Rows that may wait in the history before they are committed, and at most when they cannot be. */
#define KEEPING_COMMIT_BYTES (UINT64_C(32) << 20)
#define KEEPING_PENDING_BYTES (UINT64_C(256) << 20)

/* Closes on their way at most. */
#define KEEPING_QUEUE 4096u

/* One close on its way. */
struct kept_close {
	struct history_close close; /* rows: those below */
	uint64_t bytes;
	struct history_rows rows[]; /* [close.shards] */
};

struct keeping {
	struct history *history;
	struct queue *closes; /* struct kept_close, from the storing agent */
	uint64_t given_bytes; /* the storing agent's */
	uint64_t taken_bytes; /* stored relaxed by the history agent */
	uint64_t wanted;      /* commit through this close at once; stored relaxed by storing */
	bool hurry;           /* the agents have stopped: what waits is committed at once */
	/* The history agent's. */
	uint64_t committed_ns, wait_ns;
	int32_t failing; /* stored relaxed, for people */
};

struct history_keep keeping_keep(const struct config *config);
/* Another configuration is in force. */
void keeping_config(struct keeping *keeping, const struct config *config);
/* The storing agent: room for another close? Then it may be given. */
bool keeping_room(const struct keeping *keeping);
/* NULL: no memory. `source` must live as long as the engine. Takes the rows over. */
struct kept_close *kept_close_make(uint64_t sequence, const char *source, int64_t through,
				   uint32_t shards);
void kept_close_free(struct kept_close *close);
void keeping_give(struct keeping *keeping, struct kept_close *close);
/* Is a checkpoint of this close allowed? If not, the history is asked to hurry. */
bool keeping_through(struct keeping *keeping, uint64_t sequence);

int keeping_step(void *keeping, uint64_t now_ns); /* agent_step */
void keeping_fini(struct keeping *keeping);       /* the agent has been joined; not the history */

#endif
