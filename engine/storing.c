/*
 * storing: see storing.h.
 *
 * Group commit: closes are joined as they come and committed together, at once when there is
 * something to tell, else within a second. A crash in between costs nothing: recovery makes the
 * same revisions again and the store ignores what it has.
 */
#include "storing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "checkpoint.h"
#include "closing.h"
#include "weir/order.h"

#define COMMIT_CLOSES_MAX 256u
#define COMMIT_AFTER_NS UINT64_C(1000000000)
#define RETRY_AFTER_NS UINT64_C(200000000)

struct stored_revision {
	struct stored_revision *next;
	uint64_t sequence;
	struct anomaly anomaly;
};

void storing_init(struct storing *storing)
{
	storing->last = &storing->first;
}

void close_job_free(struct close_job *job)
{
	partials_free(job->partials);
	if (job->checkpoint) {
		bytes_fini(&job->checkpoint->positions);
		free(job->checkpoint);
	}
	free(job);
}

static void account_freed(struct storing *storing, const struct close_job *job)
{
	for (const struct partial *partial = job->partials; partial; partial = partial->next)
		/* Lanes of dead epochs have no account. Relaxed: see hand_over() in lane.c. */
		if (partial->epoch == storing->epoch)
			weir_add_64(&storing->partial_bytes_freed[partial->lane],
				    partial_bytes(partial));
}

static void keep_revisions(struct storing *storing, uint64_t sequence, struct scored_list *list)
{
	for (struct scored *scored = list->first; scored; scored = scored->next) {
		struct stored_revision *revision = calloc(1, sizeof(*revision));
		check(revision);
		revision->sequence = sequence;
		revision->anomaly = scored->anomaly;
		*storing->last = revision;
		storing->last = &revision->next;
	}
	scored_list_free(list);
}

/* The next close that all shards have answered. */
static bool join(struct storing *storing, uint64_t now_ns)
{
	struct scored_list all;

	if (storing->checkpoint || storing->batch_closes >= COMMIT_CLOSES_MAX)
		return false;
	for (uint32_t i = 0; i < storing->shards; i++) {
		if (!storing->heads[i])
			storing->heads[i] = queue_pop(storing->results[i]);
		if (!storing->heads[i])
			return false;
	}
	struct close_job *job = storing->heads[0]->job;
	scored_list_init(&all);
	for (uint32_t i = 0; i < storing->shards; i++) {
		struct shard_result *head = storing->heads[i];
		check(head->job == job);
		scored_list_merge(&all, &head->revisions);
		if (job->checkpoint)
			bytes_put(&storing->sections, head->sections.data, head->sections.used);
		shard_result_free(head);
		storing->heads[i] = NULL;
	}
	keep_revisions(storing, job->sequence, &all);
	storing->batch_sequence = job->sequence;
	storing->checkpoint = job->checkpoint;
	job->checkpoint = NULL;
	if (storing->batch_closes++ == 0)
		storing->batch_since_ns = now_ns;
	account_freed(storing, job);
	close_job_free(job);
	return true;
}

static int write_batch(struct storing *storing)
{
	int error = store_begin(storing->store);

	for (struct stored_revision *at = storing->first; at && !error; at = at->next)
		error = store_add(storing->store, at->sequence, &at->anomaly);
	return error ? error : store_commit(storing->store, storing->batch_sequence);
}

static void forget_batch(struct storing *storing)
{
	while (storing->first) {
		struct stored_revision *next = storing->first->next;
		free(storing->first);
		storing->first = next;
		weir_store_relaxed_64(&storing->revisions, storing->revisions + 1);
	}
	storing->last = &storing->first;
	storing->batch_closes = 0;
}

static int commit(struct storing *storing, uint64_t now_ns)
{
	bool due = storing->first || storing->checkpoint ||
		   storing->batch_closes >= COMMIT_CLOSES_MAX ||
		   now_ns - storing->batch_since_ns >= COMMIT_AFTER_NS;

	if (storing->batch_closes == 0 || !due)
		return 0;
	if (storing->failing && now_ns - storing->batch_since_ns < RETRY_AFTER_NS)
		return 0;
	int error = write_batch(storing);
	if (error < 0) {
		if (!storing->failing)
			log_error("store", "cannot store anomalies: %s; they are kept in memory "
					   "and tried again; look at the data directory's disk",
				  strerror(-error));
		weir_store_relaxed_32((uint32_t *)&storing->failing, (uint32_t)error);
		storing->batch_since_ns = now_ns;
		return 0;
	}
	if (storing->failing)
		log_info("store", "storing again");
	weir_store_relaxed_32((uint32_t *)&storing->failing, 0);
	weir_store_relaxed_64(&storing->stored_through, storing->batch_sequence);
	forget_batch(storing);
	return 1;
}

/* The checkpoint's close is stored: write it, and let the past go that the older one covers. */
static int write_checkpoint(struct storing *storing)
{
	struct checkpoint_request *request = storing->checkpoint;

	if (!request || storing->batch_closes)
		return 0;
	int error = checkpoint_write(storing->io, storing->buffer, storing->batch_sequence,
				     &request->positions, &storing->sections);
	if (error < 0)
		log_warning("store", "no checkpoint: %s; recovery will read more of the log",
			    strerror(-error));
	for (uint32_t lane = 0; lane < storing->lanes && !error; lane++) {
		/* Orders: the checkpoint in place before the bound that lets segments go; partner:
		 * retain() in lane.c. The older of the two kept gives the bound. */
		weir_store_release_64(&storing->keep_lsn[lane], storing->previous_keep[lane]);
		storing->previous_keep[lane] = request->resume_lsn[lane];
	}
	weir_store_relaxed_64(&storing->checkpoints, storing->checkpoints + (error == 0));
	bytes_fini(&request->positions);
	free(request);
	storing->checkpoint = NULL;
	bytes_clear(&storing->sections);
	return 1;
}

static int acknowledge(struct storing *storing)
{
	uint64_t row = storing->publisher ? publisher_acknowledged(storing->publisher) : 0;

	if (row <= storing->acknowledged)
		return 0;
	if (store_acknowledge(storing->store, row) < 0)
		return 0;
	storing->acknowledged = row;
	return 1;
}

int storing_step(void *self, uint64_t now_ns)
{
	struct storing *storing = self;
	int work = 0;

	while (join(storing, now_ns))
		work++;
	work += commit(storing, now_ns);
	work += write_checkpoint(storing);
	work += acknowledge(storing);
	if (work)
		weir_store_relaxed_64(&storing->outbox, store_outbox_rows(storing->store));
	return work;
}

void storing_fini(struct storing *storing)
{
	forget_batch(storing);
	if (storing->heads[0])
		close_job_free(storing->heads[0]->job);
	for (uint32_t i = 0; i < storing->shards; i++)
		if (storing->heads[i])
			shard_result_free(storing->heads[i]);
	if (storing->checkpoint) {
		bytes_fini(&storing->checkpoint->positions);
		free(storing->checkpoint);
	}
	bytes_fini(&storing->sections);
}
