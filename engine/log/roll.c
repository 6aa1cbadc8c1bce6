/*
 * roll: one file after another: the next one ready ahead of time, heads and footers, closing.
 *
 * Idea:  the next segment is made, named and known to the directory while the current one is
 *        filled, so that rolling over is a swap of pointers and a full disk is noticed one whole
 *        file early.
 *
 *   create or spare -> NAMING -> READY -> CURRENT -> CLOSING -> closed (kept until retention)
 *                                            `-> FAILED -> closed, or removed if replaced
 *
 * Runs on: the agent that owns the writer. Directory calls are made here, rarely; the sync of the
 *          names is queued like any other.
 * Never:   starts a file whose name might not survive a power cut.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "log/writer_private.h"

static const struct io_ops *ops_of(const struct writer *writer)
{
	return writer->options.io->ops;
}

/* splitmix64 (Steele, Lea, Flood 2014): any seed gives a full period. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Never that of another epoch or lane, even if the caller's seeds repeat: an old block in a
 * recycled file must not validate. */
void roll_seed(struct writer *writer)
{
	const struct writer_options *options = &writer->options;
	uint64_t uuid[2];

	memcpy(uuid, options->store_uuid, sizeof(uuid));
	writer->random = options->random_seed;
	const uint64_t parts[] = {uuid[0], uuid[1], options->epoch, options->lane,
				  options->next_lsn};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		writer->random ^= random_next(&writer->random) + parts[i];
}

uint64_t roll_new_id(struct writer *writer)
{
	for (;;) {
		uint64_t id = random_next(&writer->random);
		bool used = id == 0;
		for (uint32_t i = 0; i < writer->kept_count; i++)
			used |= writer->kept[i].id == id;
		if (!used)
			return id;
	}
}

void writer_backoff(struct writer *writer)
{
	writer->retry_ns = writer->now_ns + writer->backoff_ns;
	writer->backoff_ns = writer->backoff_ns ? writer->backoff_ns * 2 : BACKOFF_MIN_NS;
	if (writer->backoff_ns > BACKOFF_MAX_NS)
		writer->backoff_ns = BACKOFF_MAX_NS;
}

void writer_path(const struct writer *writer, char path[SEGMENT_PATH_BYTES],
		 enum segment_file kind, uint64_t id)
{
	segment_path(path, writer->directory, kind, id);
}

struct slot *roll_free_slot(struct writer *writer)
{
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		struct slot *slot = &writer->slots[i];
		if (slot->state != SLOT_FREE)
			continue;
		uint8_t *head = slot->head;
		*slot = (struct slot){.head = head, .file = -1};
		return slot;
	}
	return NULL;
}

bool roll_ready(const struct writer *writer)
{
	return writer->next && writer->next->state == SLOT_READY && !writer->next->in_flight;
}

void roll_file_failed(struct writer *writer, int error)
{
	if (writer->file_error != error)
		log_warning("log",
			    "%s: no new segment (%s); %s, else events fill their rings and are "
			    "dropped and counted; trying again",
			    writer->directory, strerror(-error),
			    error == -ENOSPC || error == -EDQUOT ? "free some space on its disk"
								 : "look at its disk");
	writer->file_error = error;
	writer_backoff(writer);
}

/* See that there is a next file, or that one is on its way. */
static int prepare(struct writer *writer)
{
	struct io *io = writer->options.io;

	if (!writer->next) {
		bool spare = writer->spares_count > 0;
		struct slot *slot = roll_free_slot(writer);
		if (!slot || writer->now_ns < writer->retry_ns)
			return 0;
		slot->id = roll_new_id(writer);
		slot->file = spares_take(writer, slot->id);
		if (slot->file < 0) {
			roll_file_failed(writer, slot->file);
			return 0;
		}
		slot->state = SLOT_NAMING;
		slot->zeroed = spare ? writer->options.segment_bytes : 0;
		if (spare)
			fences_want(writer, slot);
		writer->next = slot;
	}
	if (writer->next->state != SLOT_NAMING || writer->naming_running)
		return 0;
	if (io->ops->sync(io, writer->directory_file, cookie(COOKIE_NAMES, 0)) < 0)
		return 0;
	writer->naming_running = true;
	return 1;
}

void roll_named(struct writer *writer, int64_t result)
{
	struct slot *slot = writer->next;
	char path[SEGMENT_PATH_BYTES];

	writer->naming_running = false;
	if (!slot || slot->state != SLOT_NAMING)
		return;
	if (result == 0) {
		slot->state = SLOT_READY;
		if (writer->file_error)
			log_info("log", "%s: there is room for segments again",
				 writer->directory);
		writer->file_error = 0;
		if (!writer->write_error)
			writer->backoff_ns = 0;
		return;
	}
	/* The name may or may not be there after a crash: not good enough for a block. */
	writer_path(writer, path, SEGMENT_FILE_SEGMENT, slot->id);
	ops_of(writer)->close(writer->options.io, slot->file);
	ops_of(writer)->unlink(writer->options.io, path);
	slot->state = SLOT_FREE;
	writer->next = NULL;
	roll_file_failed(writer, (int)result);
}

static uint64_t wall_ms(const struct writer *writer)
{
	struct timespec now;

	if (writer->options.wall_ms)
		return writer->options.wall_ms(writer->options.self);
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* A block of one record that has no LSN of its own, in the slot's page. */
static void fill_head(struct writer *writer, struct slot *slot, enum weir_block_type type,
		      uint64_t lsn, const void *payload, uint32_t bytes)
{
	struct weir_block_header *header = (struct weir_block_header *)slot->head;

	memset(slot->head, 0, HEAD_BYTES);
	memcpy(slot->head + sizeof(*header), payload, bytes);
	*header = (struct weir_block_header){
		.magic = WEIR_BLOCK_MAGIC,
		.type = (uint8_t)type,
		.lane = writer->options.lane,
		.segment_id = slot->id,
		.lsn = lsn,
		.durable_lsn = writer->durable < lsn ? writer->durable : lsn - 1,
		.epoch = writer->options.epoch,
		.count = 1,
		.payload_bytes = bytes,
		.payload_crc = crc32c(0, payload, bytes),
	};
	block_seal(header);
}

/* Queue what a file wants written but for blocks. */
static int send_head(struct writer *writer, struct slot *slot)
{
	struct io *io = writer->options.io;
	uint32_t index = slot_index(writer, slot);
	bool footer = slot->footer_wanted && !slot->footer_sent;
	bool head = slot->head_wanted && !slot->head_sent;

	if (!head && !footer)
		return 0;
	if (io->ops->write(io, slot->file, head ? 0 : slot->offset, slot->head, HEAD_BYTES,
			   cookie(head ? COOKIE_HEAD : COOKIE_FOOTER, index)) < 0)
		return 0;
	if (head)
		slot->head_sent = true;
	else
		slot->footer_sent = true;
	slot->in_flight++;
	writer->in_flight++;
	return 1;
}

bool roll_start(struct writer *writer, uint64_t base_lsn)
{
	struct slot *slot = writer->next;
	bool again = base_lsn < writer->next_lsn;
	/* From the start of a snapshot on, it can be read alone; in the middle of one it cannot. */
	bool continues = again ? !writer_held(writer, base_lsn)->begins_snapshot
			       : writer->snapshot_partial;

	if (!roll_ready(writer) || (writer->write_error && writer->now_ns < writer->retry_ns))
		return false;
	continues &= writer->options.snapshot != NULL;
	struct weir_segment_info info = {
		.format_major = WEIR_FORMAT_MAJOR,
		.format_minor = WEIR_FORMAT_MINOR,
		.base_lsn = base_lsn,
		.previous_id = writer->last_id,
		.created_ms = wall_ms(writer),
		.file_bytes = writer->options.segment_bytes,
		.flags = (continues ? WEIR_SEGMENT_CONTINUES : 0) |
			 (again ? WEIR_SEGMENT_AGAIN : 0),
		.serial = ++writer->serial,
	};
	struct kept kept = {
		.id = slot->id,
		.base_lsn = base_lsn,
		.created_ms = info.created_ms,
		.bytes = info.file_bytes,
		.continues = continues,
		.busy = true,
	};
	if (!kept_add(writer, &kept))
		return false;
	memcpy(info.store_uuid, writer->options.store_uuid, sizeof(info.store_uuid));
	if (writer->current)
		writer->current->state = SLOT_CLOSING;
	slot->state = SLOT_CURRENT;
	slot->base_lsn = base_lsn;
	slot->last_lsn = base_lsn - 1;
	slot->synced_lsn = base_lsn - 1;
	slot->synced_ns = writer->now_ns;
	slot->offset = HEAD_BYTES;
	slot->head_wanted = true;
	fill_head(writer, slot, WEIR_BLOCK_SEGMENT, base_lsn, &info, sizeof(info));
	writer->current = slot;
	writer->next = NULL;
	writer->last_id = slot->id;
	writer->snapshot_pending = true;
	writer->counters.segments++;
	send_head(writer, slot);
	return true;
}

bool roll_over(struct writer *writer)
{
	/* One file that is not finished, besides the current one, is all that a new engine will
	 * sync for us. */
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		if (writer->slots[i].state == SLOT_CLOSING || writer->slots[i].state == SLOT_FAILED)
			return false;
	return roll_start(writer, writer->next_lsn);
}

void roll_close(struct writer *writer)
{
	if (!writer->current)
		return;
	writer->current->state = SLOT_CLOSING;
	writer->current = NULL;
}

static void close_slot(struct writer *writer, struct slot *slot)
{
	struct kept *kept = kept_find(writer, slot->id);

	check(kept != NULL);
	/* Behind the footer. Of a file that failed everything stays as it is. */
	if (slot->finished)
		trim_file(writer, kept, slot->file, slot->offset + HEAD_BYTES);
	ops_of(writer)->close(writer->options.io, slot->file);
	slot->state = SLOT_FREE;
	kept->busy = false;
	/* Nothing in it that anybody needs: refused from its first block on, or never used. */
	if (slot->last_lsn < slot->base_lsn && !kept->replaced)
		kept_replace(writer, slot->id, 0);
}

static int closing_step(struct writer *writer, struct slot *slot)
{
	bool all = writer->sent >= slot->last_lsn && !writer->interrupted && !slot->in_flight &&
		   slot->head_written;

	if (!slot->footer_wanted && all) {
		struct weir_footer footer = {
			.last_lsn = slot->last_lsn,
			.events = slot->events,
			.blocks = slot->blocks,
		};
		fill_head(writer, slot, WEIR_BLOCK_FOOTER, slot->last_lsn + 1, &footer,
			  sizeof(footer));
		slot->footer_wanted = true;
		slot->head_retries = 0;
		return 1;
	}
	if (!slot->finished || slot->held || slot->in_flight || slot->sync_running)
		return 0;
	close_slot(writer, slot);
	return 1;
}

static int failed_step(struct writer *writer, struct slot *slot)
{
	if (writer->rewrite_lsn || slot->in_flight || slot->held || slot->sync_running)
		return 0;
	bool blocks = slot->last_lsn >= slot->base_lsn;
	if (blocks && !slot->poisoned && slot->synced_lsn < slot->last_lsn)
		return 0; /* backlog_sync() will */
	close_slot(writer, slot);
	return 1;
}

/* Files whose blocks all stand in a newer one by now. */
static int remove_replaced(struct writer *writer)
{
	int work = 0;

	for (uint32_t i = 0; i < writer->kept_count && writer->replaced_count; i++) {
		const struct kept *kept = &writer->kept[i];
		if (!kept->replaced || kept->busy || kept->last_lsn > writer->written)
			continue;
		char path[SEGMENT_PATH_BYTES];
		writer_path(writer, path, SEGMENT_FILE_SEGMENT, kept->id);
		ops_of(writer)->unlink(writer->options.io, path);
		kept_drop(writer, i--, 1);
		writer->replaced_count--;
		work++;
	}
	return work;
}

int roll_step(struct writer *writer)
{
	int work = 0;

	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		struct slot *slot = &writer->slots[i];
		work += send_head(writer, slot);
		if (slot->state == SLOT_CLOSING)
			work += closing_step(writer, slot);
		else if (slot->state == SLOT_FAILED)
			work += failed_step(writer, slot);
	}
	work += remove_replaced(writer);
	work += trim_step(writer);
	work += fences_step(writer);
	if (!writer->closing || writer->placed + 1 != writer->next_lsn)
		work += prepare(writer);
	/* After an error without anything to write again. */
	if (!writer->current && !writer->closing && !writer->rewrite_lsn &&
	    writer->placed + 1 == writer->next_lsn)
		work += roll_start(writer, writer->next_lsn);
	return work;
}

void roll_finish(struct writer *writer)
{
	struct io *io = writer->options.io;

	if (writer->next) {
		io->ops->close(io, writer->next->file);
		spares_let_go(writer, writer->next->id, true);
	}
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		char path[SEGMENT_PATH_BYTES];
		if (writer->slots[i].state != SLOT_SPARE)
			continue;
		io->ops->close(io, writer->slots[i].file);
		writer_path(writer, path, SEGMENT_FILE_PREPARE, writer->slots[i].id);
		io->ops->unlink(io, path);
	}
	remove_replaced(writer);
	if (writer->directory_file >= 0)
		io->ops->close(io, writer->directory_file);
	io->ops->sync_dir(io, writer->directory);
}

