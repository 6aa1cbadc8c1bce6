/*
 * shard: see shard.h. Jobs are shared with the other shards and only read.
 */
#include "shard.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "weir/order.h"

void shard_show(struct shard *shard)
{
	struct scorer_status status;
	const uint64_t *from = (const uint64_t *)&status;
	uint64_t *to = (uint64_t *)&shard->status;

	scorer_status(shard->scorer, &status);
	/* Relaxed: numbers for people. */
	for (size_t i = 0; i < sizeof(status) / sizeof(*to); i++)
		weir_store_relaxed_64(&to[i], from[i]);
}

void shard_status(const struct shard *shard, struct scorer_status *ret_status)
{
	const uint64_t *from = (const uint64_t *)&shard->status;
	uint64_t *to = (uint64_t *)ret_status;

	for (size_t i = 0; i < sizeof(*ret_status) / sizeof(*to); i++)
		to[i] = weir_load_relaxed_64(&from[i]);
}

int shard_step(void *self, uint64_t now_ns)
{
	struct shard *shard = self;

	(void)now_ns;
	if (question_answer(&shard->questions, shard->scorer))
		return 1;
	if (shard->waiting) {
		if (!queue_push(shard->results, shard->waiting))
			return 0;
		shard->waiting = NULL;
	}
	struct close_job *job = queue_pop(shard->jobs);
	if (!job)
		return 0;
	struct shard_result *result = calloc(1, sizeof(*result));
	check(result);
	result->job = job;
	scored_list_init(&result->revisions);
	scorer_record(shard->scorer, &result->rows);
	int error = 0;
	if (job->kind == WEIR_CONTROL_CONFIG)
		error = scorer_configure(shard->scorer, job->config);
	else if (job->kind == WEIR_CONTROL_REBASE)
		error = scorer_rebase(shard->scorer, job->source, job->sections);
	else if (job->kind == WEIR_CONTROL_INPUT)
		error = scorer_input(shard->scorer, job->input);
	else if (job->kind == WEIR_CONTROL_CLOSE)
		error = scorer_close(shard->scorer, job, &result->revisions);
	if (error < 0)
		log_error("shard", "scoring a close: %s", strerror(-error));
	/* Without memory to score, going on would give other alerts than a replay: stop here, the
	 * log has everything. */
	check(error >= 0 && !history_rows_failed(&result->rows));
	if (job->checkpoint)
		scorer_save(shard->scorer, &result->sections);
	shard_show(shard);
	/* Relaxed: a number for people. */
	weir_store_relaxed_64(&shard->closes, shard->closes + 1);
	if (!queue_push(shard->results, result))
		shard->waiting = result;
	return 1;
}

static void free_result(struct shard_result *result, bool with_job)
{
	if (with_job)
		close_job_free(result->job);
	shard_result_free(result);
}

void shard_fini(struct shard *shard, bool with_jobs)
{
	struct shard_result *result;
	struct close_job *job;

	if (!shard->jobs)
		return;
	while ((result = queue_pop(shard->results)))
		free_result(result, with_jobs);
	if (shard->waiting)
		free_result(shard->waiting, with_jobs);
	while ((job = queue_pop(shard->jobs)))
		if (with_jobs)
			close_job_free(job);
	shard->waiting = NULL;
}

void shard_result_free(struct shard_result *result)
{
	scored_list_free(&result->revisions);
	history_rows_fini(&result->rows);
	bytes_fini(&result->sections);
	free(result);
}
