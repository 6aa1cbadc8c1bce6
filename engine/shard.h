/*
 * shard: a scorer as an agent. Takes close jobs in order, hands on what it found, in order.
 */
#ifndef ENGINE_SHARD_H
#define ENGINE_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/question.h"
#include "base/queue.h"
#include "scorer.h"

/* What one shard says of one close. */
struct shard_result {
	struct close_job *job;
	struct scored_list revisions;
	struct history_rows rows;
	struct bytes sections; /* of the checkpoint, when the job asks for one */
};

struct shard {
	struct scorer *scorer;
	struct queue *jobs;     /* struct close_job, from the closing agent */
	struct queue *results;  /* struct shard_result, to the storing agent */
	struct shard_result *waiting; /* made, but the queue was full */
	uint64_t closes;        /* for people: stored relaxed */
	struct scorer_status status; /* stored relaxed, word by word */
	struct question_box questions; /* to the scorer, from the control agent */
};

int shard_step(void *shard, uint64_t now_ns); /* agent_step */
/* What shard_status() says is as the scorer is now. On the agent, or before it runs. */
void shard_show(struct shard *shard);
void shard_status(const struct shard *shard, struct scorer_status *ret_status); /* any thread */
/* The agent has been joined. Frees what waits in its queues; with_jobs: the jobs too (they are
 * shared: for one shard only). The scorer is not its own. */
void shard_fini(struct shard *shard, bool with_jobs);
void shard_result_free(struct shard_result *result);

#endif
