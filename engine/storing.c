/*
 * storing: see storing.h.
 *
 * Group commit: closes are joined as they come and committed together, at once when there is
 * something to tell, else within a second. A crash in between costs nothing: recovery makes the
 * same revisions again and the store ignores what it has.
 */
#include "storing.h"

#include <errno.h>
#include <stdbool.h>
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

/* One thing to store. */
struct stored_item {
	struct stored_item *next;
	uint64_t sequence;            /* of its close, or the last one before */
	uint64_t number;              /* of the last input before it */
	struct anomaly *anomaly;      /* a revision */
	struct operator_input *input; /* or an input; neither: a release of `id` */
	uint64_t id[2];
};

void storing_init(struct storing *storing)
{
	storing->last = &storing->first;
}

static void free_request(struct checkpoint_request *request)
{
	if (!request)
		return;
	bytes_fini(&request->positions);
	free(request);
}

void close_job_free(struct close_job *job)
{
	partials_free(job->partials);
	config_free(job->config);
	free(job->input);
	free_request(job->checkpoint);
	if (job->sections)
		bytes_fini(job->sections);
	free(job->sections);
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

static struct stored_item *add_item(struct storing *storing, uint64_t sequence)
{
	struct stored_item *item = calloc(1, sizeof(*item));

	check(item);
	item->sequence = sequence;
	item->number = storing->inputs.count;
	*storing->last = item;
	storing->last = &item->next;
	return item;
}

static void keep_revisions(struct storing *storing, const struct close_job *job,
			   struct scored_list *list)
{
	moved_relate(&storing->moved, list);
	for (struct scored *scored = list->first; scored; scored = scored->next) {
		struct stored_item *item = add_item(storing, job->sequence);
		item->anomaly = malloc(sizeof(*item->anomaly));
		check(item->anomaly);
		*item->anomaly = scored->anomaly;
		inputs_mark(&storing->inputs, job->source, item->anomaly);
	}
	scored_list_free(list);
}

static void keep_release(void *self, const uint64_t id[2])
{
	struct storing *storing = self;
	struct stored_item *item = add_item(storing, storing->batch_sequence);

	memcpy(item->id, id, sizeof(item->id));
}

/* What a job means here, once all shards are through with it. Replay does the same. */
static void take_job(struct storing *storing, struct close_job *job, struct scored_list *revisions)
{
	storing->batch_sequence = job->sequence;
	switch (job->kind) {
	case WEIR_CONTROL_CONFIG:
		/* No shard looks at the one before any more. */
		config_free(storing->config);
		storing->config = job->config;
		job->config = NULL;
		keeping_config(storing->keeping, storing->config);
		storing->retain_bytes = storing->config->retain_bytes;
		storing->retain_s = storing->config->retain_s;
		break;
	case WEIR_CONTROL_INPUT:
		inputs_apply(&storing->inputs, job->input);
		add_item(storing, job->sequence)->input = job->input;
		job->input = NULL;
		inputs_release(&storing->inputs, keep_release, storing);
		break;
	case WEIR_CONTROL_REBASE:
		break;
	default:
		keep_revisions(storing, job, revisions);
		inputs_close(&storing->inputs, job->source, job->closed_ms);
		inputs_release(&storing->inputs, keep_release, storing);
		break;
	}
}

/* A checkpoint that still waits for the history is the one that is written: another one meanwhile
 * would only wait longer. */
static void choose_checkpoint(struct storing *storing, struct close_job *job)
{
	if (!job->checkpoint || !storing->checkpoint)
		return;
	free_request(job->checkpoint);
	job->checkpoint = NULL;
}

/* The rows of all shards go on to the history, with their close. */
static void keep_rows(struct storing *storing, const struct close_job *job)
{
	if (job->kind != WEIR_CONTROL_CLOSE)
		return;
	struct kept_close *kept = kept_close_make(job->sequence, job->source_name, job->through,
						  storing->shards);

	check(kept);
	for (uint32_t i = 0; i < storing->shards; i++) {
		kept->rows[i] = storing->heads[i]->rows;
		storing->heads[i]->rows = (struct history_rows){0};
	}
	keeping_give(storing->keeping, kept);
}

/* The next close that all shards have answered. */
static bool join(struct storing *storing, uint64_t now_ns)
{
	struct scored_list all;

	if (storing->batch_closes >= COMMIT_CLOSES_MAX || !keeping_room(storing->keeping))
		return false;
	for (uint32_t i = 0; i < storing->shards; i++) {
		if (!storing->heads[i])
			storing->heads[i] = queue_pop(storing->results[i]);
		if (!storing->heads[i])
			return false;
	}
	struct close_job *job = storing->heads[0]->job;
	scored_list_init(&all);
	choose_checkpoint(storing, job);
	keep_rows(storing, job);
	for (uint32_t i = 0; i < storing->shards; i++) {
		struct shard_result *head = storing->heads[i];
		check(head->job == job);
		scored_list_merge(&all, &head->revisions);
		if (job->checkpoint) {
			bytes_put(&storing->sections, head->sections.data, head->sections.used);
			/* A shard that had no memory for all of it makes it void. */
			storing->sections.failed |= head->sections.failed;
		}
		shard_result_free(head);
		storing->heads[i] = NULL;
	}
	take_job(storing, job, &all);
	if (job->checkpoint) {
		inputs_save(&storing->inputs, &storing->sections);
		moved_save(&storing->moved, &storing->sections);
		storing->checkpoint = job->checkpoint;
		storing->checkpoint_sequence = job->sequence;
		job->checkpoint = NULL;
	}
	if (storing->batch_closes++ == 0)
		storing->batch_since_ns = now_ns;
	account_freed(storing, job);
	close_job_free(job);
	return true;
}

static int write_batch(struct storing *storing)
{
	int error = store_begin(storing->store);

	for (struct stored_item *at = storing->first; at && !error; at = at->next) {
		if (at->anomaly)
			error = store_add(storing->store, at->sequence, at->anomaly);
		else if (at->input)
			error = store_input(storing->store, at->input);
		else
			error = store_release(storing->store, at->sequence, at->number, at->id);
	}
	/* Also after an error: an acknowledgement must find no transaction open. */
	int ended = store_commit(storing->store, storing->batch_sequence);
	return error ? error : ended;
}

static void forget_batch(struct storing *storing)
{
	while (storing->first) {
		struct stored_item *next = storing->first->next;
		const struct anomaly *anomaly = storing->first->anomaly;
		bool revision = anomaly != NULL;
		bool muted = revision && anomaly->muted && anomaly->state != ANOMALY_PENDING;
		free(storing->first->anomaly);
		free(storing->first->input);
		free(storing->first);
		storing->first = next;
		/* Relaxed: for people. */
		weir_store_relaxed_64(&storing->revisions, storing->revisions + revision);
		weir_store_relaxed_64(&storing->muted, storing->muted + muted);
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
			log_error("store",
				  "cannot store anomalies: %s; they are kept in memory "
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
	weir_store_relaxed_64(&storing->inputs_stored, storing->inputs.count);
	weir_store_relaxed_64(&storing->withheld, storing->inputs.withheld_count); /* for people */
	forget_batch(storing);
	return 1;
}

/* Both checkpoints that are kept do without lanes that this engine has not: what those have left
 * is subject to retention. */
static void retain_dropped(struct storing *storing)
{
	/* Relaxed: a time; an old one keeps a segment until the next checkpoint. */
	uint64_t now_s = weir_load_relaxed_64(storing->live_ms) / 1000;
	int freed = dropped_retain(&storing->dropped, storing->retain_bytes, storing->retain_s,
				   now_s);

	if (freed < 0)
		log_warning("store", "cannot remove old segments of lanes that are no more: %s",
			    strerror(-freed));
	else if (freed)
		log_info("store", "removed %d segments of lanes that are no more", freed);
}

/* The checkpoint's close is stored, and in the history: what recovery begins behind must be in
 * both. Write it, and let the past go that the older one covers. */
static int write_checkpoint(struct storing *storing)
{
	struct checkpoint_request *request = storing->checkpoint;

	if (!request || storing->stored_through < storing->checkpoint_sequence ||
	    !keeping_through(storing->keeping, storing->checkpoint_sequence))
		return 0;
	int error = checkpoint_write(storing->io, storing->buffer, storing->checkpoint_sequence,
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
	if (!error) {
		if (storing->previous_whole && !request->needs_dropped)
			retain_dropped(storing);
		storing->previous_whole = !request->needs_dropped;
	}
	weir_store_relaxed_64(&storing->checkpoints, storing->checkpoints + (error == 0));
	free_request(request);
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
	free_request(storing->checkpoint);
	bytes_fini(&storing->sections);
	inputs_fini(&storing->inputs);
	moved_fini(&storing->moved);
	config_free(storing->config);
}
