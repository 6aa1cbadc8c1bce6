/*
 * backlog: blocks between the lane and stable storage.
 *
 * Idea:  every block keeps its buffer until the level is reached (a sync; at level none, the
 *        write), so whatever the disk refuses can be written again, to another file, under the
 *        same LSN. Completions come in any order; what is said outside moves only over the
 *        contiguous prefix. A sync is queued after the completions of all that it is to cover, and
 *        is never tried twice: after a failed one nothing unsynced of that file is believed.
 * Runs on: the agent that owns the writer.
 * Never:   calls anything persisted or durable that is not; waits.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "log/writer_private.h"

static struct weir_block_header *header_of(const struct block *block)
{
	return (struct weir_block_header *)block->data;
}

struct block *backlog_take(struct writer *writer)
{
	check(writer->free_count > 0);
	return writer->free[--writer->free_count];
}

void backlog_give(struct writer *writer, struct block *block)
{
	block->state = BLOCK_FREE;
	block->slot = NULL;
	check(writer->free_count < writer->options.buffers);
	writer->free[writer->free_count++] = block;
}

uint64_t backlog_append(struct writer *writer, struct block *block)
{
	uint64_t lsn = writer->next_lsn++;

	check(lsn - writer->first_held < writer->options.buffers);
	header_of(block)->lsn = lsn;
	block->state = BLOCK_WAITING;
	block->slot = NULL;
	block->done_bytes = 0;
	block->retries = 0;
	block->begins_snapshot = writer->in_snapshot && lsn == writer->snapshot_begin_lsn;
	writer->held[lsn % writer->options.buffers] = block;
	backlog_push(writer);
	return lsn;
}

/* Give the next block its place in a file. False: it has to wait for one. */
static bool place(struct writer *writer)
{
	uint64_t lsn = writer->placed + 1;
	struct block *block = writer_held(writer, lsn);
	struct slot *slot = writer->current;

	if (writer->rewrite_lsn)
		return false;
	/* Only blocks that are written again can find no room here: the others made sure. */
	if (!slot ||
	    slot->offset + block->disk_bytes + HEAD_BYTES > writer->options.segment_bytes) {
		if (!roll_start(writer, lsn))
			return false;
		slot = writer->current;
	}
	struct weir_block_header *header = header_of(block);
	header->segment_id = slot->id;
	header->durable_lsn = writer->durable;
	block_seal(header);
	block->slot = slot;
	block->offset = slot->offset;
	block->state = BLOCK_PLACED;
	slot->offset += block->disk_bytes;
	slot->last_lsn = lsn;
	slot->blocks++;
	slot->events += header->type == WEIR_BLOCK_EVENTS ? header->count : 0;
	slot->held++;
	writer->placed = lsn;
	return true;
}

/* False: the queue is full. */
static bool submit(struct writer *writer, struct block *block)
{
	const struct io_ops *ops = writer->options.io->ops;
	int result = ops->write(writer->options.io, block->slot->file,
				block->offset + block->done_bytes, block->data + block->done_bytes,
				block->disk_bytes - block->done_bytes,
				cookie(COOKIE_BLOCK, block->index));

	if (result == -EAGAIN)
		return false;
	if (result < 0) {
		backlog_fail(writer, block->slot, header_of(block)->lsn, result);
		return false;
	}
	block->state = BLOCK_WRITING;
	block->slot->in_flight++;
	if (++writer->in_flight > writer->counters.in_flight_max)
		writer->counters.in_flight_max = writer->in_flight;
	return true;
}

/* Blocks whose write was interrupted lie behind `sent`. */
static int submit_again(struct writer *writer)
{
	int work = 0;

	for (uint64_t lsn = writer->written + 1; writer->interrupted && lsn <= writer->sent;
	     lsn++) {
		struct block *block = writer_held(writer, lsn);
		if (block->state != BLOCK_PLACED)
			continue;
		if (!submit(writer, block))
			break;
		writer->interrupted--;
		work++;
	}
	return work;
}

int backlog_push(struct writer *writer)
{
	int work = 0;

	while (writer->placed + 1 < writer->next_lsn && place(writer))
		work++;
	if (writer->rewrite_lsn)
		return work;
	work += submit_again(writer);
	while (!writer->rewrite_lsn && writer->sent < writer->placed) {
		if (!submit(writer, writer_held(writer, writer->sent + 1)))
			break;
		writer->sent++;
		work++;
	}
	return work;
}

static void release(struct writer *writer, uint64_t lsn)
{
	struct block *block = writer_held(writer, lsn);

	check(lsn == writer->first_held);
	block->slot->held--;
	writer->held[lsn % writer->options.buffers] = NULL;
	writer->first_held = lsn + 1;
	backlog_give(writer, block);
}

/* Move the prefixes over what has completed since. */
static void advance(struct writer *writer)
{
	uint64_t end = writer->rewrite_lsn ? writer->rewrite_lsn - 1 : writer->sent;

	while (writer->written < end) {
		struct block *block = writer_held(writer, writer->written + 1);
		if (block->state != BLOCK_WRITTEN || !block->slot->head_written)
			break;
		writer->written++;
		if (writer_soft(writer))
			release(writer, writer->written);
	}
	if (writer->written > writer->persisted)
		writer->persisted = writer->written;
	while (!writer_soft(writer) && writer->durable < writer->written) {
		struct block *block = writer_held(writer, writer->durable + 1);
		if (writer->durable + 1 > block->slot->synced_lsn)
			break;
		writer->durable++;
		release(writer, writer->durable);
	}
}

/* A completed write of `result` bytes. 0: that was all; 1: go on behind it; negative errno. */
static int judge(uint32_t *retries, int64_t result, uint32_t want)
{
	if (result >= want)
		return 0;
	if (result == 0)
		return -EIO;
	if (result < 0 && result != -EAGAIN && result != -EINTR)
		return (int)result;
	if (++*retries > RETRIES_MAX)
		return result < 0 ? (int)result : -EIO;
	return 1;
}

/* The disk takes what it refused before. */
static void recovered(struct writer *writer)
{
	if (!writer->write_error)
		return;
	log_info("log", "%s: the disk takes blocks again", writer->directory);
	writer->write_error = 0;
	writer->backoff_ns = 0;
}

static void block_completed(struct writer *writer, struct block *block, int64_t result)
{
	struct slot *slot = block->slot;
	uint64_t lsn = header_of(block)->lsn;

	slot->in_flight--;
	writer->in_flight--;
	int verdict = judge(&block->retries, result, block->disk_bytes - block->done_bytes);
	if (verdict == 1) {
		/* Whole pages only: O_DIRECT goes on at a multiple of them. */
		if (result > 0)
			block->done_bytes += (uint32_t)result & ~4095u;
		block->state = BLOCK_PLACED;
		writer->interrupted++;
		return;
	}
	if (verdict < 0) {
		block->state = BLOCK_PLACED;
		writer->counters.write_errors++;
		backlog_fail(writer, slot, lsn, verdict);
		return;
	}
	block->state = BLOCK_WRITTEN;
	slot->written_bytes += block->disk_bytes;
	writer->counters.blocks++;
	writer->counters.bytes += block->disk_bytes;
	if ((!writer->error_was_sync || writer_soft(writer)) && slot->state == SLOT_CURRENT)
		recovered(writer);
}

static void head_completed(struct writer *writer, struct slot *slot, bool footer, int64_t result)
{
	slot->in_flight--;
	writer->in_flight--;
	int verdict = judge(&slot->head_retries, result, HEAD_BYTES);
	if (verdict == 1) { /* from the start: it is one page */
		if (footer)
			slot->footer_sent = false;
		else
			slot->head_sent = false;
		return;
	}
	if (verdict < 0)
		writer->counters.write_errors++;
	if (footer)
		slot->footer_written = true; /* or never: a reader does without */
	else if (verdict == 0)
		slot->head_written = true;
	else
		backlog_fail(writer, slot, slot->base_lsn, verdict);
	slot->written_bytes += HEAD_BYTES;
	/* With nothing left to write, this is all the proof there will be. */
	if (slot->state == SLOT_CURRENT && writer->first_held == writer->next_lsn)
		recovered(writer);
}

/* At level none nothing is held, so this is only what block headers say of themselves. What a
 * failed sync has lost nobody can write again: up to there, and no further. */
static void soft_durable(struct writer *writer, const struct slot *synced)
{
	uint64_t until = synced->synced_lsn;

	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		const struct slot *slot = &writer->slots[i];
		if (slot->state >= SLOT_CURRENT && !slot->poisoned &&
		    slot->state <= SLOT_FAILED && slot->base_lsn < synced->base_lsn)
			return;
	}
	if (writer->lost_lsn && until >= writer->lost_lsn)
		until = writer->lost_lsn - 1;
	if (until > writer->durable)
		writer->durable = until;
}

/* Blocks from `bad` on of a file whose sync has failed: those that are not held any more. */
static void soft_lost(struct writer *writer, const struct slot *slot, uint64_t bad)
{
	if (bad > slot->last_lsn || bad >= writer->first_held)
		return;
	log_error("log",
		  "%s: blocks from %llu on are not held any more (durability none): a power cut "
		  "may take them, and what follows",
		  writer->directory, (unsigned long long)bad);
	if (!writer->lost_lsn || bad < writer->lost_lsn)
		writer->lost_lsn = bad;
}

static void sync_completed(struct writer *writer, struct slot *slot, int64_t result)
{
	slot->sync_running = false;
	if (result < 0) {
		uint64_t bad = slot->synced_lsn + 1 > slot->base_lsn ? slot->synced_lsn + 1
								    : slot->base_lsn;
		writer->counters.sync_errors++;
		slot->poisoned = true;
		log_error("log", "%s: a sync failed (%s): segment %016llx is given up, what it had "
				 "not synced is written again",
			  writer->directory, strerror((int)-result), (unsigned long long)slot->id);
		writer->error_was_sync = true;
		if (writer_soft(writer))
			soft_lost(writer, slot, bad);
		backlog_fail(writer, slot, bad > writer->first_held ? bad : writer->first_held,
			     (int)result);
		return;
	}
	writer->counters.syncs++;
	if (slot->sync_covers > slot->synced_lsn)
		slot->synced_lsn = slot->sync_covers;
	slot->finished = slot->sync_final;
	if (writer_soft(writer))
		soft_durable(writer, slot);
	if (slot->state != SLOT_FAILED)
		recovered(writer);
}

static void completed(struct writer *writer, const struct io_completion *completion)
{
	uint32_t index = (uint32_t)completion->cookie;
	int64_t result = completion->result;
	enum cookie_kind kind = (enum cookie_kind)(completion->cookie >> 32);

	switch (kind) {
	case COOKIE_BLOCK:
		check(index < writer->options.buffers);
		block_completed(writer, &writer->blocks[index], result);
		return;
	case COOKIE_HEAD:
	case COOKIE_FOOTER:
		check(index < SLOTS_MAX);
		head_completed(writer, &writer->slots[index], kind == COOKIE_FOOTER, result);
		return;
	case COOKIE_SYNC:
		check(index < SLOTS_MAX);
		sync_completed(writer, &writer->slots[index], result);
		return;
	case COOKIE_ZEROS:
		check(index < SLOTS_MAX);
		spares_written(writer, &writer->slots[index], result);
		return;
	case COOKIE_NAMES:
		roll_named(writer, result);
		return;
	case COOKIE_FENCE:
		fences_written(writer, index, result);
		return;
	}
	check(!"a completion that nobody asked for");
}

int backlog_reap(struct writer *writer)
{
	struct io_completion completions[32];
	struct io *io = writer->options.io;
	int work = 0, n;

	do {
		n = io->ops->reap(io, completions, 32);
		for (int i = 0; i < n; i++)
			completed(writer, &completions[i]);
		work += n;
	} while (n == 32);
	advance(writer);
	return work;
}

void backlog_fail(struct writer *writer, struct slot *slot, uint64_t bad_lsn, int error)
{
	if (!slot->poisoned) {
		writer->error_was_sync = false;
		log_error("log",
			  "%s: segment %016llx cannot be written (%s): going on in a new one",
			  writer->directory, (unsigned long long)slot->id, strerror(-error));
	}
	writer->write_error = error;
	if (bad_lsn <= slot->last_lsn && (!writer->rewrite_lsn || bad_lsn < writer->rewrite_lsn))
		writer->rewrite_lsn = bad_lsn;
	check(!writer->rewrite_lsn || writer->rewrite_lsn >= writer->first_held);
	/* What comes after goes with it, so that a file never has blocks from before and behind. */
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		struct slot *other = &writer->slots[i];
		if (other->state != SLOT_CURRENT && other->state != SLOT_CLOSING)
			continue;
		if (other == slot ||
		    (writer->rewrite_lsn && other->last_lsn >= writer->rewrite_lsn))
			other->state = SLOT_FAILED;
	}
	if (writer->current && writer->current->state == SLOT_FAILED)
		writer->current = NULL;
	writer_backoff(writer);
}

int backlog_again(struct writer *writer)
{
	uint64_t from = writer->rewrite_lsn, end = writer->placed;

	if (!from)
		return 0;
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		if (writer->slots[i].state == SLOT_FAILED && writer->slots[i].in_flight)
			return 0;
	for (uint64_t lsn = from; lsn <= end; lsn++) {
		struct block *block = writer_held(writer, lsn);
		block->slot->held--;
		block->slot = NULL;
		block->state = BLOCK_WAITING;
		block->done_bytes = 0;
		block->retries = 0;
		writer->counters.rewritten_blocks++;
	}
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		struct slot *slot = &writer->slots[i];
		if (slot->state != SLOT_FAILED || slot->last_lsn < from)
			continue;
		/* Until they are written again, those that are in the file serve a reader. */
		if (slot->base_lsn >= from)
			kept_replace(writer, slot->id,
				     slot->last_lsn < writer->written ? slot->last_lsn
								      : writer->written);
		slot->last_lsn = from - 1;
	}
	if (writer->placed > from - 1)
		writer->placed = from - 1;
	if (writer->sent > from - 1)
		writer->sent = from - 1;
	if (writer->written > from - 1)
		writer->written = from - 1;
	writer->interrupted = 0;
	for (uint64_t lsn = writer->written + 1; lsn <= writer->sent; lsn++)
		writer->interrupted += writer_held(writer, lsn)->state == BLOCK_PLACED;
	writer->rewrite_lsn = 0;
	return 1;
}

/* Is a sync of this file due, and what would it cover? */
static bool sync_due(const struct writer *writer, const struct slot *slot, uint64_t covers)
{
	bool more = covers > slot->synced_lsn && covers >= slot->base_lsn;
	uint64_t target = writer->sync_target < slot->last_lsn ? writer->sync_target
							       : slot->last_lsn;

	if (slot->state == SLOT_CLOSING && slot->footer_written && !slot->in_flight)
		return !slot->finished;
	if (!more)
		return false;
	if (slot->state == SLOT_FAILED)
		return covers == slot->last_lsn;
	if (writer->sync_target > writer->durable && covers >= target)
		return true;
	if (writer->options.durability == DURABILITY_BLOCK)
		return true;
	if (writer_soft(writer))
		return false;
	return slot->written_bytes >= writer->options.sync_bytes ||
	       writer->now_ns - slot->synced_ns >= writer->options.sync_ms * UINT64_C(1000000) ||
	       writer->written - writer->durable >= writer->options.buffers / 2;
}

int backlog_sync(struct writer *writer)
{
	struct io *io = writer->options.io;
	int work = 0;

	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		struct slot *slot = &writer->slots[i];
		if (slot->state < SLOT_CURRENT || slot->state > SLOT_FAILED || slot->poisoned ||
		    slot->sync_running || !slot->head_written || writer->rewrite_lsn)
			continue;
		uint64_t covers = writer->written < slot->last_lsn ? writer->written
								  : slot->last_lsn;
		if (!sync_due(writer, slot, covers))
			continue;
		if (io->ops->sync(io, slot->file, cookie(COOKIE_SYNC, i)) < 0)
			break;
		slot->sync_running = true;
		slot->sync_covers = covers;
		slot->sync_final = slot->state == SLOT_CLOSING && slot->footer_written &&
				   !slot->in_flight;
		slot->synced_ns = writer->now_ns;
		slot->written_bytes = 0;
		work++;
	}
	return work;
}
