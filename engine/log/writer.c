/*
 * writer: the caller's side of one lane's log: fill the open block, mark, flush, records.
 *
 * Idea:  an open block is a write buffer. Events are put into it once, by the drain; this file
 *        only counts them, extends the CRC while they are in the cache, and keeps the run table,
 *        which is copied behind the events when the block is closed. Space in the file is made
 *        sure of before a block is opened, so a block never has to move to another file unless
 *        the disk refuses it.
 *
 *          | header 64 | events 16 x count | runs 32 x runs | zeros to 4 KiB |
 *                        ^ writer_room()   ^ grows
 *
 * Runs on: the agent that owns the writer. backlog.c takes the blocks from here, roll.c the files.
 * Never:   waits for the disk (writer_close and writer_open excepted), copies an event.
 */
#include "log/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "log/writer_private.h"

static struct weir_block_header *header_of(struct block *block)
{
	return (struct weir_block_header *)block->data;
}

static uint32_t open_used(const struct writer *writer)
{
	return (uint32_t)sizeof(struct weir_block_header) +
	       writer->events * (uint32_t)sizeof(struct weir_event) +
	       writer->runs_count * (uint32_t)sizeof(struct weir_run);
}

/* Events leave the reserve alone while there is no file to go on with: marks, closes and records
 * find room on a full disk. */
static bool space_for(const struct writer *writer, uint32_t bytes, bool events)
{
	uint64_t keep = HEAD_BYTES; /* the footer */

	if (writer->open)
		keep += (writer->open_bytes + 4095u) & ~4095u;
	if (events && !roll_ready(writer))
		keep += writer->reserve_bytes;
	return writer->current->offset + bytes + keep <= writer->options.segment_bytes;
}

static int run_snapshot(struct writer *writer)
{
	int result = 0;

	if (!writer->snapshot_partial)
		writer->snapshot_begin_lsn = writer->next_lsn;
	if (writer->options.snapshot) {
		writer->in_snapshot = true;
		result = writer->options.snapshot(writer->options.self, writer);
		writer->in_snapshot = false;
	}
	writer->snapshot_partial = result < 0 && writer->next_lsn != writer->snapshot_begin_lsn;
	if (result < 0)
		return result;
	writer->snapshot_pending = false;
	if (writer->current)
		writer->current->snapshot_lsn = writer->next_lsn - 1;
	return 0;
}

/* Room for a block of `bytes` in the current file, rolling over and writing the snapshot first if
 * need be. 0, or -EAGAIN: not now. */
static int make_space(struct writer *writer, uint32_t bytes, bool events)
{
	for (int rolls = 0; rolls < 3; rolls++) {
		if (!writer->current || writer->rewrite_lsn ||
		    writer->placed + 1 != writer->next_lsn)
			return -EAGAIN;
		if (!space_for(writer, bytes, events)) {
			if (writer->in_snapshot)
				return -EFBIG;
			if (!roll_over(writer))
				return -EAGAIN;
		}
		if (!writer->snapshot_pending || writer->in_snapshot)
			return 0;
		int result = run_snapshot(writer);
		if (result < 0 && result != -EFBIG)
			return -EAGAIN;
		if (result == -EFBIG)
			break;
	}
	log_error("log",
		  "%s: a segment of %llu bytes cannot hold its snapshot; raise segment_bytes",
		  writer->directory, (unsigned long long)writer->options.segment_bytes);
	return -EFBIG;
}

/* A free buffer for a block of at most `bytes`, its place made sure of. */
static struct block *new_block(struct writer *writer, uint32_t bytes, bool events)
{
	uint32_t kept = writer->options.buffers >= 2 * BUFFERS_KEPT ? BUFFERS_KEPT : 0;

	bytes = (bytes + 4095u) & ~4095u;
	if (make_space(writer, bytes, events) < 0)
		return NULL;
	if (writer->free_count <= (events ? kept : 0)) {
		writer->counters.stalled++;
		return NULL;
	}
	struct block *block = backlog_take(writer);
	struct weir_block_header *header = header_of(block);
	*header = (struct weir_block_header){
		.magic = WEIR_BLOCK_MAGIC,
		.lane = writer->options.lane,
		.epoch = writer->options.epoch,
	};
	block->state = BLOCK_OPEN;
	return block;
}

static bool open_block(struct writer *writer, uint32_t bytes, bool events)
{
	struct block *block = new_block(writer, bytes, events);

	if (!block)
		return false;
	writer->open = block;
	writer->open_bytes = bytes;
	writer->events = 0;
	writer->runs_count = 0;
	writer->payload_crc = 0;
	writer->time_min_ms = UINT64_MAX;
	writer->time_max_ms = 0;
	return true;
}

static struct weir_event *open_events(const struct writer *writer)
{
	return (struct weir_event *)(writer->open->data + sizeof(struct weir_block_header)) +
	       writer->events;
}

struct weir_event *writer_room(struct writer *writer, uint32_t *ret_room)
{
	*ret_room = 0;
	if (!writer->open && !open_block(writer, writer->options.block_bytes, true))
		return NULL;
	/* A block that was opened for a mark takes no events: flush it first. */
	if (writer->open_bytes < writer->options.block_bytes)
		return open_events(writer);
	/* One more run is needed for whatever comes. */
	uint32_t used = open_used(writer) + (uint32_t)sizeof(struct weir_run);
	if (writer->runs_count < WEIR_BLOCK_RUNS_MAX && used < writer->open_bytes)
		*ret_room = (writer->open_bytes - used) / (uint32_t)sizeof(struct weir_event);
	return open_events(writer);
}

static bool lengthens(const struct weir_run *run, const struct batch *batch)
{
	return run->ring == batch->ring && run->source == batch->source &&
	       run->first_sequence + run->count + run->rejected == batch->first_sequence;
}

static void add_run(struct writer *writer, const struct batch *batch)
{
	if (writer->runs_count && batch->ring != WEIR_RUN_MARK) {
		struct weir_run *last = &writer->runs[writer->runs_count - 1];
		if (lengthens(last, batch)) {
			last->count += batch->count;
			last->rejected += batch->rejected;
			return;
		}
	}
	check(writer->runs_count < WEIR_BLOCK_RUNS_MAX);
	writer->runs[writer->runs_count++] = (struct weir_run){
		.ring = batch->ring,
		.source = batch->source,
		.first_sequence = batch->first_sequence,
		.count = batch->count,
		.rejected = batch->rejected,
	};
}

void writer_commit(struct writer *writer, const struct batch *batch, uint64_t time_min_ms,
		   uint64_t time_max_ms)
{
	if (!batch->count && !batch->rejected)
		return;
	check(writer->open != NULL);
	check(writer->open_bytes == writer->options.block_bytes);
	check(!batch->count || batch->events == open_events(writer));
	if (batch->count) {
		size_t bytes = batch->count * sizeof(struct weir_event);
		if (!writer->options.io->ops->nowhere)
			writer->payload_crc = crc32c(writer->payload_crc, batch->events, bytes);
		writer->events += batch->count;
		if (time_min_ms < writer->time_min_ms)
			writer->time_min_ms = time_min_ms;
		if (time_max_ms > writer->time_max_ms)
			writer->time_max_ms = time_max_ms;
	}
	add_run(writer, batch);
	check(open_used(writer) <= writer->open_bytes);
}

int writer_mark(struct writer *writer, uint32_t source, int64_t interval, uint64_t drops)
{
	if (!writer->open && !open_block(writer, writer->options.block_bytes, true) &&
	    !open_block(writer, MARK_BLOCK_BYTES, false))
		return -EAGAIN;
	if (writer->runs_count == WEIR_BLOCK_RUNS_MAX ||
	    open_used(writer) + sizeof(struct weir_run) > writer->open_bytes)
		return -EAGAIN;
	writer->runs[writer->runs_count++] = (struct weir_run){
		.ring = WEIR_RUN_MARK,
		.source = source,
		.interval = interval,
		.drops = drops,
	};
	return 0;
}

static uint32_t seconds(uint64_t ms)
{
	return ms / 1000 < UINT32_MAX ? (uint32_t)(ms / 1000) : UINT32_MAX;
}

/* Lengths, and zeros up to the next 4 KiB: what a buffer held before is nobody's business. */
static uint64_t append(struct writer *writer, struct block *block, uint32_t payload_bytes)
{
	uint32_t used = (uint32_t)sizeof(struct weir_block_header) + payload_bytes;

	header_of(block)->payload_bytes = payload_bytes;
	block->disk_bytes = (uint32_t)weir_block_disk_bytes(payload_bytes);
	memset(block->data + used, 0, block->disk_bytes - used);
	writer->active = true;
	return backlog_append(writer, block);
}

void writer_flush(struct writer *writer)
{
	struct block *block = writer->open;

	if (!block || (!writer->events && !writer->runs_count))
		return;
	struct weir_block_header *header = header_of(block);
	uint32_t events_bytes = writer->events * (uint32_t)sizeof(struct weir_event);
	uint32_t runs_bytes = writer->runs_count * (uint32_t)sizeof(struct weir_run);
	uint8_t *runs = block->data + sizeof(*header) + events_bytes;

	memcpy(runs, writer->runs, runs_bytes);
	header->type = WEIR_BLOCK_EVENTS;
	header->count = writer->events;
	header->runs = writer->runs_count;
	header->time_min_s = writer->events ? seconds(writer->time_min_ms) : 0;
	header->time_max_s = writer->events ? seconds(writer->time_max_ms) : 0;
	header->payload_crc = crc32c(writer->payload_crc, runs, runs_bytes);
	writer->open = NULL;
	writer->counters.events += writer->events;
	append(writer, block, events_bytes + runs_bytes);
	writer->events = 0;
	writer->runs_count = 0;
}

int64_t writer_records(struct writer *writer, enum weir_block_type type, const void *data,
		       uint32_t bytes, uint32_t count)
{
	uint32_t all = (uint32_t)sizeof(struct weir_block_header) + bytes;

	check(type != WEIR_BLOCK_SEGMENT && type != WEIR_BLOCK_FOOTER && type != WEIR_BLOCK_EVENTS);
	check(bytes <= writer->options.block_bytes - sizeof(struct weir_block_header));
	writer_flush(writer);
	struct block *block = new_block(writer, all, false);
	if (!block)
		return -EAGAIN;
	struct weir_block_header *header = header_of(block);
	memcpy(block->data + sizeof(*header), data, bytes);
	header->type = (uint8_t)type;
	header->count = count;
	header->payload_crc = crc32c(0, data, bytes);
	return (int64_t)append(writer, block, bytes);
}

uint64_t writer_lsn(const struct writer *writer)
{
	return writer->next_lsn;
}

uint32_t writer_pending(const struct writer *writer)
{
	return writer->open ? writer->events : 0;
}

uint64_t writer_persisted(const struct writer *writer)
{
	return writer->persisted;
}

uint64_t writer_durable(const struct writer *writer)
{
	return writer_soft(writer) ? writer->persisted : writer->durable;
}

int writer_step(struct writer *writer, uint64_t now_ns)
{
	int work = 0;

	writer->now_ns = now_ns;
	work += backlog_reap(writer);
	work += backlog_again(writer);
	work += roll_step(writer);
	work += backlog_push(writer);
	work += backlog_sync(writer);
	work += spares_step(writer);
	writer->active = false;
	return work;
}

void writer_sync_soon(struct writer *writer)
{
	writer->sync_target = writer->next_lsn - 1;
}

void writer_counters(const struct writer *writer, struct writer_counters *ret_counters)
{
	*ret_counters = writer->counters;
	ret_counters->in_flight = writer->in_flight;
	ret_counters->failing = writer->write_error ? writer->write_error : writer->file_error;
}

static bool options_good(const struct writer_options *options)
{
	return options->io && options->directory && strlen(options->directory) < 80 &&
	       options->next_lsn && options->epoch && options->buffers >= 2 &&
	       options->block_bytes >= 2 * MARK_BLOCK_BYTES &&
	       options->block_bytes <= WEIR_BLOCK_BYTES_MAX &&
	       options->block_bytes % WEIR_BLOCK_ALIGN == 0 &&
	       options->segment_bytes >= WEIR_SEGMENT_BYTES_MIN &&
	       options->segment_bytes % WEIR_BLOCK_ALIGN == 0;
}

static int allocate(struct writer *writer)
{
	uint32_t buffers = writer->options.buffers;
	struct io *io = writer->options.io;

	writer->blocks = calloc(buffers, sizeof(*writer->blocks));
	writer->free = calloc(buffers, sizeof(*writer->free));
	writer->held = calloc(buffers, sizeof(*writer->held));
	uint8_t *data = io->ops->buffers(io, buffers, writer->options.block_bytes);
	uint8_t *heads = io->ops->buffers(io, SLOTS_MAX + FENCES_MAX, HEAD_BYTES);
	if (!writer->blocks || !writer->free || !writer->held || !data || !heads)
		return -ENOMEM;
	/* The first one on top of the stack. */
	for (uint32_t i = buffers; i-- > 0;) {
		writer->blocks[i].data = data + (size_t)i * writer->options.block_bytes;
		writer->blocks[i].index = i;
		writer->free[writer->free_count++] = &writer->blocks[i];
	}
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		writer->slots[i].head = heads + (size_t)i * HEAD_BYTES;
		writer->slots[i].file = -1;
	}
	writer->fences = heads + (size_t)SLOTS_MAX * HEAD_BYTES;
	return 0;
}

static void writer_free(struct writer *writer)
{
	free(writer->blocks);
	free(writer->free);
	free(writer->held);
	free(writer->kept);
	free(writer);
}

int writer_open(const struct writer_options *options, struct writer **ret_writer)
{
	if (!options_good(options))
		return -EINVAL;
	struct writer *writer = calloc(1, sizeof(*writer));
	if (!writer)
		return -ENOMEM;
	writer->options = *options;
	/* options_good() has checked its length. */
	memcpy(writer->directory, options->directory, strlen(options->directory) + 1);
	writer->options.directory = writer->directory;
	if (writer->options.spares > SPARES_MAX)
		writer->options.spares = SPARES_MAX;
	writer->next_lsn = options->next_lsn;
	writer->placed = writer->sent = writer->written = options->next_lsn - 1;
	writer->persisted = writer->durable = options->next_lsn - 1;
	writer->first_held = options->next_lsn;
	writer->last_id = options->previous_id;
	writer->reserve_bytes = options->segment_bytes / 8 < (4u << 20) ? options->segment_bytes / 8
									: 4u << 20;
	writer->directory_file = -1;
	int result = allocate(writer);
	if (result == 0)
		result = takeover(writer);
	if (result < 0) {
		writer_free(writer);
		return result;
	}
	*ret_writer = writer;
	return 0;
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Everything durable and every file closed? */
static bool settled(const struct writer *writer)
{
	if (writer->placed + 1 != writer->next_lsn || writer->rewrite_lsn)
		return false;
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		if (writer->slots[i].in_flight || (writer->slots[i].state >= SLOT_CURRENT &&
						   writer->slots[i].state <= SLOT_FAILED))
			return false;
	return true;
}

int writer_close(struct writer *writer, uint32_t timeout_ms)
{
	struct timespec nap = {.tv_nsec = 50 * 1000};
	uint64_t start_ns = monotonic_ns(), now_ns = start_ns, first_ns = writer->now_ns;

	writer_flush(writer);
	writer->closing = true;
	bool done;
	while (!(done = settled(writer)) && now_ns - start_ns <= timeout_ms * UINT64_C(1000000)) {
		writer_sync_soon(writer);
		int work = writer_step(writer, first_ns + (now_ns - start_ns));
		if (writer->placed + 1 == writer->next_lsn && !writer->rewrite_lsn)
			roll_close(writer);
		if (!work)
			nanosleep(&nap, NULL);
		now_ns = monotonic_ns();
	}
	int result = done ? 0 : writer->write_error ? writer->write_error : -ETIMEDOUT;
	if (done)
		roll_finish(writer);
	writer_free(writer);
	return result;
}

void writer_abandon(struct writer *writer)
{
	writer_free(writer);
}
