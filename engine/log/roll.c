/*
 * roll: the files of a lane: the next one ready ahead of time, heads and footers, closing,
 * spares, retention.
 *
 * Idea:  the next segment is made, named and known to the directory while the current one is
 *        filled, so that rolling over is a swap of pointers and a full disk is noticed one whole
 *        file early. Files that retention frees are renamed to spares and used again; spares are
 *        written with zeros while the lane is idle, because a disk takes a written file half as
 *        fast again as a fresh one. An old block carries an old id, so it never passes for a new.
 *
 *   create or spare -> NAMING -> READY -> CURRENT -> CLOSING -> closed (kept until retention)
 *                                            `-> FAILED -> closed, or removed if replaced
 *
 * Runs on: the agent that owns the writer. Directory calls are made here, rarely; the sync of the
 *          names is queued like any other.
 * Never:   writes to a file of another epoch, renames a file that a reader needs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "log/segments.h"
#include "log/writer_private.h"

/* Newest files that are synced at open: an engine never has more than two unsynced. */
#define SYNC_AT_OPEN 4u
#define OPEN_SYNC_TRIES 200000 /* of 100 us */

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
static void seed_ids(struct writer *writer)
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

static uint64_t new_id(struct writer *writer)
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

static void path_of(const struct writer *writer, char path[SEGMENT_PATH_BYTES],
		    enum segment_file kind, uint64_t id)
{
	segment_path(path, writer->directory, kind, id);
}

static struct slot *free_slot(struct writer *writer)
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

/* Keep the file as a spare, or remove it. */
static int let_go(struct writer *writer, enum segment_file kind, uint64_t id)
{
	char from[SEGMENT_PATH_BYTES], to[SEGMENT_PATH_BYTES];

	path_of(writer, from, kind, id);
	if (writer->spares_count < writer->options.spares) {
		path_of(writer, to, SEGMENT_FILE_SPARE, id);
		int result = ops_of(writer)->rename(writer->options.io, from, to);
		if (result < 0)
			return result;
		writer->spares[writer->spares_count++] = id;
		return 0;
	}
	return ops_of(writer)->unlink(writer->options.io, from);
}

static bool keep(struct writer *writer, const struct kept *kept)
{
	if (writer->kept_count == writer->kept_capacity) {
		uint32_t capacity = writer->kept_capacity ? writer->kept_capacity * 2 : 64;
		struct kept *grown = realloc(writer->kept, capacity * sizeof(*grown));
		if (!grown)
			return false;
		writer->kept = grown;
		writer->kept_capacity = capacity;
	}
	writer->kept[writer->kept_count++] = *kept;
	return true;
}

static void drop_kept(struct writer *writer, uint32_t first, uint32_t count)
{
	memmove(&writer->kept[first], &writer->kept[first + count],
		(writer->kept_count - first - count) * sizeof(*writer->kept));
	writer->kept_count -= count;
}

static struct kept *find_kept(struct writer *writer, uint64_t id)
{
	for (uint32_t i = writer->kept_count; i-- > 0;)
		if (writer->kept[i].id == id)
			return &writer->kept[i];
	return NULL;
}

/* Open a spare, or make a file. >= 0: it has its name, the directory is not synced yet. */
static int make_file(struct writer *writer, uint64_t id)
{
	struct io *io = writer->options.io;
	char path[SEGMENT_PATH_BYTES], spare[SEGMENT_PATH_BYTES];

	path_of(writer, path, SEGMENT_FILE_SEGMENT, id);
	while (writer->spares_count) {
		path_of(writer, spare, SEGMENT_FILE_SPARE, writer->spares[--writer->spares_count]);
		if (io->ops->rename(io, spare, path) < 0)
			continue;
		int file = io->ops->open_write(io, path);
		if (file >= 0)
			return file;
		io->ops->unlink(io, path);
	}
	return io->ops->create(io, path, writer->options.segment_bytes);
}

bool roll_ready(const struct writer *writer)
{
	return writer->next && writer->next->state == SLOT_READY && !writer->next->in_flight;
}

static void file_failed(struct writer *writer, int error)
{
	if (writer->file_error != error)
		log_warning("log", "%s: no new segment (%s); trying again", writer->directory,
			    strerror(-error));
	writer->file_error = error;
	writer_backoff(writer);
}

/* See that there is a next file, or that one is on its way. */
static int prepare(struct writer *writer)
{
	struct io *io = writer->options.io;

	if (!writer->next) {
		bool spare = writer->spares_count > 0;
		struct slot *slot = free_slot(writer);
		if (!slot || writer->now_ns < writer->retry_ns)
			return 0;
		slot->id = new_id(writer);
		slot->file = make_file(writer, slot->id);
		if (slot->file < 0) {
			file_failed(writer, slot->file);
			return 0;
		}
		slot->state = SLOT_NAMING;
		slot->zeroed = spare ? writer->options.segment_bytes : 0;
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
		writer->file_error = 0;
		if (!writer->write_error)
			writer->backoff_ns = 0;
		return;
	}
	/* The name may or may not be there after a crash: not good enough for a block. */
	path_of(writer, path, SEGMENT_FILE_SEGMENT, slot->id);
	ops_of(writer)->close(writer->options.io, slot->file);
	ops_of(writer)->unlink(writer->options.io, path);
	slot->state = SLOT_FREE;
	writer->next = NULL;
	file_failed(writer, (int)result);
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

bool roll_start(struct writer *writer, uint64_t base_lsn, bool continues)
{
	struct slot *slot = writer->next;

	if (!roll_ready(writer) || (writer->write_error && writer->now_ns < writer->retry_ns))
		return false;
	struct weir_segment_info info = {
		.format_major = WEIR_FORMAT_MAJOR,
		.format_minor = WEIR_FORMAT_MINOR,
		.base_lsn = base_lsn,
		.previous_id = writer->last_id,
		.created_ms = wall_ms(writer),
		.file_bytes = writer->options.segment_bytes,
		.flags = continues ? WEIR_SEGMENT_CONTINUES : 0,
	};
	struct kept kept = {
		.id = slot->id,
		.base_lsn = base_lsn,
		.created_ms = info.created_ms,
		.bytes = info.file_bytes,
		.continues = continues,
		.busy = true,
	};
	if (!keep(writer, &kept))
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
	return roll_start(writer, writer->next_lsn, false);
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
	struct kept *kept = find_kept(writer, slot->id);

	ops_of(writer)->close(writer->options.io, slot->file);
	slot->state = SLOT_FREE;
	check(kept != NULL);
	kept->busy = false;
	/* Nothing in it that anybody needs: refused from its first block on, or never used. */
	if (slot->last_lsn < slot->base_lsn && !kept->replaced) {
		kept->replaced = true;
		kept->last_lsn = 0;
	}
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

	for (uint32_t i = 0; i < writer->kept_count; i++) {
		const struct kept *kept = &writer->kept[i];
		if (!kept->replaced || kept->busy || kept->last_lsn > writer->written)
			continue;
		char path[SEGMENT_PATH_BYTES];
		path_of(writer, path, SEGMENT_FILE_SEGMENT, kept->id);
		ops_of(writer)->unlink(writer->options.io, path);
		drop_kept(writer, i--, 1);
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
	if (!writer->closing)
		work += prepare(writer);
	else if (writer->placed + 1 != writer->next_lsn)
		work += prepare(writer);
	/* After an error without anything to write again. */
	if (!writer->current && !writer->closing && !writer->rewrite_lsn &&
	    writer->placed + 1 == writer->next_lsn)
		work += roll_start(writer, writer->next_lsn, false);
	return work;
}

void roll_zeroed(struct writer *writer, struct slot *slot, int64_t result)
{
	(void)writer;
	(void)slot;
	(void)result;
}

void roll_finish(struct writer *writer)
{
	struct io *io = writer->options.io;

	if (writer->next) {
		io->ops->close(io, writer->next->file);
		let_go(writer, SEGMENT_FILE_SEGMENT, writer->next->id);
	}
	remove_replaced(writer);
	if (writer->directory_file >= 0)
		io->ops->close(io, writer->directory_file);
	io->ops->sync_dir(io, writer->directory);
}

static int sync_and_wait(struct writer *writer, int file)
{
	struct io *io = writer->options.io;
	struct timespec nap = {.tv_nsec = 100 * 1000};
	struct io_completion completion;
	int result = io->ops->sync(io, file, cookie(COOKIE_NAMES, 1));

	if (result < 0)
		return result;
	for (int tries = 0; tries < OPEN_SYNC_TRIES; tries++) {
		if (io->ops->reap(io, &completion, 1) == 1)
			return (int)completion.result;
		nanosleep(&nap, NULL);
	}
	return -ETIMEDOUT;
}

/* What a dead engine wrote and did not sync is in these files: from now on it counts as durable. */
static int sync_tail(struct writer *writer, const struct segment_list *list)
{
	struct io *io = writer->options.io;
	char path[SEGMENT_PATH_BYTES];

	for (uint32_t i = list->count, synced = 0; i-- > 0 && synced < SYNC_AT_OPEN;) {
		if (list->entries[i].base_lsn >= writer->options.next_lsn)
			continue; /* void: let go */
		synced++;
		path_of(writer, path, SEGMENT_FILE_SEGMENT, list->entries[i].id);
		int file = io->ops->open_read(io, path);
		if (file < 0)
			return file;
		int result = sync_and_wait(writer, file);
		io->ops->close(io, file);
		if (result < 0) {
			log_error("log", "%s cannot be synced: %s", path, strerror(-result));
			return result;
		}
	}
	return 0;
}

static int spare_found(void *self, const char *name)
{
	struct writer *writer = self;
	uint64_t id;
	enum segment_file kind = segment_parse_name(name, &id);

	if (kind == SEGMENT_FILE_SPARE && writer->spares_count < SPARES_MAX)
		writer->spares[writer->spares_count++] = id;
	return 0;
}

struct leftovers {
	uint64_t ids[SPARES_MAX];
	uint32_t count;
};

static int leftover_found(void *self, const char *name)
{
	struct leftovers *leftovers = self;
	uint64_t id;

	if (segment_parse_name(name, &id) == SEGMENT_FILE_PREPARE && leftovers->count < SPARES_MAX)
		leftovers->ids[leftovers->count++] = id;
	return 0;
}

static bool spare_fits(struct writer *writer, const char *path)
{
	struct io *io = writer->options.io;
	int file = io->ops->open_read(io, path);

	if (file < 0)
		return false;
	int64_t size = io->ops->size(io, file);
	io->ops->close(io, file);
	return size == (int64_t)writer->options.segment_bytes;
}

/* Spares of the right size stay; half-made ones, others and too many go. */
static void find_spares(struct writer *writer)
{
	struct io *io = writer->options.io;
	struct leftovers leftovers = {.count = 0};
	char path[SEGMENT_PATH_BYTES];
	uint32_t good = 0;

	io->ops->list(io, writer->directory, leftover_found, &leftovers);
	for (uint32_t i = 0; i < leftovers.count; i++) {
		path_of(writer, path, SEGMENT_FILE_PREPARE, leftovers.ids[i]);
		io->ops->unlink(io, path);
	}
	io->ops->list(io, writer->directory, spare_found, writer);
	for (uint32_t i = 0; i < writer->spares_count; i++) {
		path_of(writer, path, SEGMENT_FILE_SPARE, writer->spares[i]);
		if (good < writer->options.spares && spare_fits(writer, path))
			writer->spares[good++] = writer->spares[i];
		else
			io->ops->unlink(io, path);
	}
	writer->spares_count = good;
}

/* What is there, oldest first. Files that hold nothing below next_lsn are void altogether. */
static int take_over(struct writer *writer, const struct segment_list *list)
{
	for (uint32_t i = 0; i < list->count; i++) {
		const struct segment_entry *entry = &list->entries[i];
		if (entry->durable_lsn >= writer->options.next_lsn ||
		    entry->epoch >= writer->options.epoch) {
			log_error("log", "%s: segment %016llx is newer than what was recovered",
				  writer->directory, (unsigned long long)entry->id);
			return -EINVAL;
		}
	}
	for (uint32_t i = 0; i < list->count; i++) {
		const struct segment_entry *entry = &list->entries[i];
		struct kept kept = {
			.id = entry->id,
			.base_lsn = entry->base_lsn,
			.created_ms = entry->created_ms,
			.bytes = entry->file_bytes,
			.continues = entry->continues,
		};
		if (entry->base_lsn >= writer->options.next_lsn)
			let_go(writer, SEGMENT_FILE_SEGMENT, entry->id);
		else if (!keep(writer, &kept))
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < list->empty; i++)
		let_go(writer, SEGMENT_FILE_SEGMENT, list->empty_ids[i]);
	return 0;
}

/* The first file, in one go. A full disk is no error: it is tried again. */
static int first_file(struct writer *writer)
{
	struct io *io = writer->options.io;
	struct slot *slot = free_slot(writer);

	slot->id = new_id(writer);
	slot->file = make_file(writer, slot->id);
	if (slot->file == -ENOSPC || slot->file == -EDQUOT) {
		file_failed(writer, slot->file);
		return 0;
	}
	if (slot->file < 0)
		return slot->file;
	int result = io->ops->sync_dir(io, writer->directory);
	if (result < 0) {
		io->ops->close(io, slot->file);
		return result;
	}
	slot->state = SLOT_READY;
	writer->next = slot;
	return roll_start(writer, writer->next_lsn, false) ? 0 : -ENOMEM;
}

int roll_open(struct writer *writer)
{
	struct io *io = writer->options.io;
	struct segment_list list = {0};
	char why[256] = "";

	seed_ids(writer);
	int result = io->ops->make_dir(io, writer->directory);
	if (result == 0)
		result = io->ops->sync_dir(io, ".");
	if (result < 0)
		return result;
	result = segments_list(io, writer->directory, writer->options.lane, true, &list, why,
			       sizeof(why));
	if (result < 0) {
		log_error("log", "%s", why);
		return result;
	}
	find_spares(writer);
	result = take_over(writer, &list);
	if (result == 0)
		result = sync_tail(writer, &list);
	segments_free(&list);
	if (result < 0)
		return result;
	writer->directory_file = io->ops->open_read(io, writer->directory);
	if (writer->directory_file < 0)
		return writer->directory_file;
	return first_file(writer);
}

/* The snapshot that would then be the lane's first must be on stable storage. */
static bool snapshot_safe(const struct writer *writer, const struct kept *kept)
{
	if (!kept->busy)
		return true;
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		const struct slot *slot = &writer->slots[i];
		if (slot->id == kept->id && slot->state >= SLOT_CURRENT &&
		    slot->state <= SLOT_FAILED)
			return slot->snapshot_lsn && writer->durable >= slot->snapshot_lsn;
	}
	return false;
}

int writer_retain(struct writer *writer, uint64_t keep_lsn, uint64_t bytes_max, uint64_t before_s)
{
	int freed = 0;

	for (;;) {
		uint64_t bytes = 0;
		uint32_t end = 1;
		for (uint32_t i = 0; i < writer->kept_count; i++)
			bytes += writer->kept[i].bytes;
		/* A file that continues another has no snapshot in front: they go together. */
		while (end < writer->kept_count && writer->kept[end].continues)
			end++;
		if (end >= writer->kept_count || writer->kept[end].base_lsn > keep_lsn ||
		    !snapshot_safe(writer, &writer->kept[end]))
			return freed;
		bool old = before_s && writer->kept[end].created_ms / 1000 < before_s;
		if (!old && !(bytes_max && bytes > bytes_max))
			return freed;
		for (uint32_t i = 0; i < end; i++)
			if (writer->kept[i].busy || writer->kept[i].replaced)
				return freed;
		for (uint32_t i = 0; i < end; i++) {
			int result = let_go(writer, SEGMENT_FILE_SEGMENT, writer->kept[0].id);
			if (result < 0) {
				log_warning("log", "%s: cannot remove a segment: %s",
					    writer->directory, strerror(-result));
				return freed;
			}
			drop_kept(writer, 0, 1);
			freed++;
		}
	}
}
