/*
 * producer: a process that writes events, from its HELLO until its rings are drained and gone.
 *
 * Idea:  a producer is what it offered: a region, mapped read-only, and rings. Its socket is only
 *        how it talks; losing that changes nothing. What ends it is death (pidfd) or its own word
 *        (region state CLOSED). Then the tails are final, the lanes are told, and when the last
 *        lane has let go, everything is unmapped and forgotten.
 *
 *                 socket lost / replaced
 *                   .-----.                all rings detached
 *     HELLO -> held-'      `-> leaving -> final ----------------> freed
 *                    died,     |  rings that are   |  lanes drain to
 *                    closed    |  still in the     |  the tails
 *                              |  socket are taken |
 *
 * Runs on:  the intake agent.
 * Never:    unmaps a ring that a lane may still read; gives up a held region because its engine or
 *           its socket goes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "intake/producer.h"

/* A cursor up here was never counted up to. */
#define SEQUENCE_MAX (UINT64_C(1) << 62)
/* Steps in which what a leaving producer's socket still holds is read: more than its rings need. */
#define LAST_WORDS_MAX 64u

struct producer *producer_find(struct intake *intake, uint32_t uid, const uint8_t uuid[16])
{
	for (uint32_t i = 0; i < intake->options.producers_max; i++) {
		struct producer *producer = intake->producers[i];
		if (producer && producer->process.uid == uid &&
		    !memcmp(producer->identity.uuid, uuid, 16))
			return producer;
	}
	return NULL;
}

static uint64_t user_bytes(const struct intake *intake, uint32_t uid)
{
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < intake->options.producers_max; i++) {
		const struct producer *producer = intake->producers[i];
		if (producer && producer->process.uid == uid)
			bytes += producer->bytes;
	}
	return bytes;
}

static int check_quota(const struct intake *intake, uint32_t uid, uint64_t more,
		       struct refusal *refusal)
{
	uint64_t max = intake->options.user_bytes_max, used = user_bytes(intake, uid);
	if (used <= max && more <= max - used)
		return 0;
	refuse(refusal,
	       "user %u has %llu of %llu KiB in rings, %llu more wanted: raise user_bytes_max", uid,
	       (unsigned long long)(used >> 10), (unsigned long long)(max >> 10),
	       (unsigned long long)(more >> 10));
	return -EDQUOT;
}

/* For what is mapped already, and is let go again if not. */
static int check_room(const struct intake *intake, uint32_t uid, uint64_t more,
		      struct refusal *refusal)
{
	int r = check_quota(intake, uid, more, refusal);

	return r == 0 && !memory_has_room(refusal) ? -ENOMEM : r;
}

static int find_source(const struct source_table *table, const char *name, uint32_t clock)
{
	for (uint32_t i = 0; i < table->count; i++)
		if (table->sources[i].clock == clock && !strcmp(table->sources[i].name, name))
			return (int)i;
	return -ENOENT;
}

/* The source's number, new or known. */
static int take_source(struct intake *intake, const struct region_identity *identity,
		       struct refusal *refusal)
{
	const struct intake_options *options = &intake->options;
	struct source_table *table = options->sources;
	int number = find_source(table, identity->source, identity->clock);

	if (number >= 0)
		return number;
	if (table->count >= WEIR_SOURCES_MAX) {
		refuse(refusal, "there are %u sources already: use one of them, or another engine",
		       WEIR_SOURCES_MAX);
		return -ENOSPC;
	}
	number = options->new_source(options->self, identity->source,
				     (enum weir_clock_kind)identity->clock);
	if (number < 0) {
		refuse(refusal, "the engine cannot log the new source %s: %s", identity->source,
		       strerror(-number));
		return number;
	}
	check((uint32_t)number <= table->count && number < (int)WEIR_SOURCES_MAX);
	if ((uint32_t)number < table->count)
		return number; /* the callback has put it there itself */
	struct source *source = &table->sources[number];
	*source = (struct source){
		.clock = identity->clock,
		.lateness_ms = identity->clock == WEIR_CLOCK_EVENT ? options->lateness_event_ms
								   : options->lateness_wall_ms,
	};
	memcpy(source->name, identity->source, sizeof(source->name));
	/* Orders: the entry before the count that covers it. Seen by: lanes that walk the table;
	 * without it they could take a source with no clock. */
	weir_store_release_32(&table->count, (uint32_t)number + 1);
	return number;
}

static int check_process(const struct process *process, const struct region_identity *identity,
			 struct refusal *refusal)
{
	if (process->gone || !process->start_time_ticks ||
	    process->start_time_ticks == identity->start_time_ticks)
		return 0;
	refuse(refusal,
	       "the region was made by another process: after a fork, open one of your own");
	return -EPERM;
}

static int free_slot(const struct intake *intake, struct refusal *refusal)
{
	for (uint32_t i = 0; i < intake->options.producers_max; i++)
		if (!intake->producers[i])
			return (int)i;
	refuse(refusal, "%u producers are attached already: raise producers_max",
	       intake->options.producers_max);
	return -EUSERS;
}

/* Everything a producer has but its process and its place. */
static int fill_producer(struct intake *intake, struct producer *producer, struct refusal *refusal)
{
	const struct region_identity *identity = &producer->identity;
	int r = table_init(&producer->table, producer->memory.at, identity->table_bytes,
			   identity->series_max, intake->options.producer_series_max);

	producer->rings = calloc(identity->rings_max, sizeof(struct held_ring *));
	if (r == 0 && !producer->rings)
		r = -ENOMEM;
	if (r == 0)
		r = memory_create_control(intake->options.epoch, &producer->control,
					  &producer->control_fd);
	if (r < 0) {
		refuse(refusal, "the engine is out of memory or descriptors: %s", strerror(-r));
		return r;
	}
	r = take_source(intake, identity, refusal);
	if (r < 0)
		return r;
	producer->source = (uint32_t)r;
	return 0;
}

/* Undo open_producer() and fill_producer(). */
static void destroy_producer(struct producer *producer)
{
	memory_destroy_control(producer->control, producer->control_fd);
	table_fini(&producer->table);
	free(producer->rings);
	memory_close(&producer->memory);
	free(producer);
}

/* Checked, mapped, filled; not yet in the list. */
static int open_producer(struct intake *intake, int fd, const struct process *process, bool fresh,
			 struct producer **ret_producer, struct refusal *refusal)
{
	struct producer *producer = aligned_alloc(64, sizeof(*producer));
	if (!producer)
		return -ENOMEM;
	memset(producer, 0, sizeof(*producer));
	producer->process = *process;
	producer->control_fd = -1;
	int r = memory_open_region(fd, &producer->memory, &producer->identity, refusal);
	if (r == 0)
		r = check_process(process, &producer->identity, refusal);
	producer->bytes = producer->memory.bytes + WEIR_CONTROL_BYTES +
			  ((uint64_t)producer->identity.series_max + 1) * sizeof(uint32_t);
	if (r == 0 && fresh)
		r = check_room(intake, process->uid, producer->bytes, refusal);
	if (r == 0)
		r = fill_producer(intake, producer, refusal);
	if (r < 0) {
		destroy_producer(producer);
		return r;
	}
	*ret_producer = producer;
	return 0;
}

int producer_attach(struct intake *intake, int fd, const struct process *process, bool fresh,
		    struct producer **ret_producer, struct refusal *refusal)
{
	struct producer *producer;
	int slot = free_slot(intake, refusal);

	if (slot < 0)
		return slot;
	int r = open_producer(intake, fd, process, fresh, &producer, refusal);
	if (r < 0)
		return r;
	producer->slot = (uint32_t)slot;
	producer->serial = ++intake->serial;
	r = watch_producer(intake, producer);
	if (r < 0) {
		refuse(refusal, "the engine cannot watch this process: %s", strerror(-r));
		destroy_producer(producer);
		return r;
	}
	intake->producers[slot] = producer;
	intake->producers_count++;
	count_add(&intake->counters.producers, 1);
	count_add(&intake->counters.attached, 1);
	intake->live[producer->source]++;
	intake->seen[producer->source] = true;
	/* Relaxed is enough: lanes act on `ended` late or never, and this only takes it back. */
	weir_store_relaxed_32(&intake->options.sources->sources[producer->source].ended, 0);
	if (process->gone)
		producer_died(intake, producer);

	char name[STORE_NAME_BYTES];
	store_name_region(name, process->uid, producer->identity.uuid, process->pid);
	if (intake->options.keep_fd && fresh)
		intake->options.keep_fd(intake->options.self, name, fd);
	*ret_producer = producer;
	return 0;
}

/* The record of a ring: from the log, or a new number. */
static int take_record(struct intake *intake, const struct producer *producer, uint32_t index,
		       struct weir_ring_record *ret_record, struct refusal *refusal)
{
	struct known_ring *known = known_find(&intake->known, producer->process.uid,
					      producer->identity.uuid, index);
	if (known) {
		*ret_record = known->record;
		ret_record->final = 0;
	} else {
		if (intake->known.number_next == WEIR_RUN_MARK) {
			refuse(refusal, "this log has numbered %u rings, and knows no more: start "
					"a new data directory", WEIR_RUN_MARK - 1);
			return -ENOSPC;
		}
		*ret_record = (struct weir_ring_record){.number = intake->known.number_next,
							.index = index,
							.uid = producer->process.uid};
		memcpy(ret_record->uuid, producer->identity.uuid, sizeof(ret_record->uuid));
	}
	ret_record->source = producer->source;
	return 0;
}

/* The record is settled: nobody else gets its number. */
static void keep_record(struct intake *intake, const struct weir_ring_record *record)
{
	struct known_ring *known = known_find(&intake->known, record->uid, record->uuid,
					      record->index);
	if (known)
		known->attached = true;
	else
		intake->known.number_next++;
	intake->known_changed = true;
}

/* Where reading goes on: where the log ends, or at the oldest slot that is still there. */
static int place_cursor(const struct weir_ring_header *header, uint64_t capacity,
			struct weir_ring_record *record, uint64_t *ret_tail,
			struct refusal *refusal)
{
	/* Orders: this before the copies of the slots below, like every later snapshot. */
	uint64_t tail = weir_ring_snapshot(header);
	if (tail >= SEQUENCE_MAX || record->next_sequence > tail) {
		refuse(refusal,
		       "ring %u says it has %llu events, the log has more: open a new region",
		       record->index, (unsigned long long)tail);
		return -EPROTO;
	}
	if (tail - record->next_sequence > capacity) {
		record->lost += tail - capacity - record->next_sequence;
		record->next_sequence = tail - capacity;
	}
	*ret_tail = tail;
	return 0;
}

static struct weir_control_slot *control_slot(const struct producer *producer, uint32_t index)
{
	return (struct weir_control_slot *)((char *)producer->control +
					    sizeof(struct weir_control_header)) +
	       index;
}

/* What the engine says of a ring, before the lane takes over. */
static void say_position(struct weir_control_slot *slot, const struct weir_ring_record *record,
			 bool unkept)
{
	slot->rejected = record->rejected;
	slot->lost = record->lost;
	slot->durable = unkept ? 0 : record->next_sequence;
	slot->flags = WEIR_CONTROL_ATTACHED | (unkept ? WEIR_CONTROL_UNKEPT : 0);
	/* Orders: the rest of the slot before `released`. Seen by: weir_ring_room() and the waits
	 * of the client, which may have this page mapped already. Without it a ledger could be
	 * read with a new position and an old loss. */
	weir_store_release_64(&slot->released, record->next_sequence);
}

static void fill_ring(struct held_ring *held, struct producer *producer, uint64_t capacity,
		      uint64_t tail, const struct weir_ring_record *record)
{
	const char *at = held->memory.at;

	held->ring.record = *record;
	held->ring.control = control_slot(producer, record->index);
	held->ring.owner = producer;
	held->ring.drain = (struct drain_ring){
		.header = (const struct weir_ring_header *)at,
		.slots = (const struct weir_event *)(at + WEIR_RING_OFFSET),
		.region = producer->memory.at,
		.map = &producer->table.map,
		.capacity = capacity,
		.mask = capacity - 1,
		.next = record->next_sequence,
		.tail = record->next_sequence,
		.released = record->next_sequence,
		.grace = tail,
		.number = record->number,
		.source = producer->source,
		.rejected = record->rejected,
		.lost = record->lost,
	};
}

static void offer_ring(struct intake *intake, struct held_ring *held)
{
	if (!held->offered)
		held->offered = intake->options.offer(intake->options.self, &held->ring);
}

/* A ring that is held already was offered again, over a new socket perhaps. */
static int answer_held(const struct held_ring *held, int fd, uint64_t *ret_sequence,
		       struct refusal *refusal)
{
	const struct weir_control_slot *slot = held->ring.control;

	if (!memory_is(&held->memory, fd)) {
		refuse(refusal, "ring %u is held already, and is another memfd",
		       held->ring.record.index);
		return -EEXIST;
	}
	/* Relaxed: a flag that stays once it is set. */
	if (weir_load_relaxed_32(&slot->flags) & WEIR_CONTROL_QUARANTINED) {
		refuse(refusal, "ring %u is in quarantine: its cursor lied; open a new region",
		       held->ring.record.index);
		return -EPROTO;
	}
	/* Acquire for form's sake: the lane stores it, and nothing is read behind it. */
	*ret_sequence = weir_load_acquire_64(&slot->released);
	return 0;
}

/* Map and place a ring; nothing is in any list yet. */
static int open_ring(struct intake *intake, struct producer *producer, uint32_t index, int fd,
		     bool fresh, struct held_ring **ret_held, struct refusal *refusal)
{
	struct weir_ring_record record;
	uint64_t capacity = 0, tail = 0;
	struct held_ring *held = aligned_alloc(64, sizeof(*held));

	if (!held) {
		refuse(refusal, "the engine is out of memory");
		return -ENOMEM;
	}
	memset(held, 0, sizeof(*held));
	int r = memory_open_ring(fd, producer->identity.uuid, index, &held->memory, &capacity,
				 refusal);
	if (r == 0 && fresh)
		r = check_room(intake, producer->process.uid, held->memory.bytes, refusal);
	if (r == 0)
		r = take_record(intake, producer, index, &record, refusal);
	if (r == 0)
		r = place_cursor(held->memory.at, capacity, &record, &tail, refusal);
	if (r < 0) {
		memory_close(&held->memory);
		free(held);
		return r;
	}
	fill_ring(held, producer, capacity, tail, &record);
	say_position(held->ring.control, &record, intake->options.unkept);
	*ret_held = held;
	return 0;
}

int producer_attach_ring(struct intake *intake, struct producer *producer, uint32_t index, int fd,
			 bool fresh, uint64_t *ret_sequence, struct refusal *refusal)
{
	struct held_ring *held;

	if (index >= producer->identity.rings_max) {
		refuse(refusal, "ring %u of a region that has %u", index,
		       producer->identity.rings_max);
		return -EINVAL;
	}
	if (producer->rings[index])
		return answer_held(producer->rings[index], fd, ret_sequence, refusal);
	if (producer->final) {
		refuse(refusal, "the region is closed: open a new one");
		return -ESHUTDOWN;
	}
	int r = open_ring(intake, producer, index, fd, fresh, &held, refusal);
	if (r < 0)
		return r;
	keep_record(intake, &held->ring.record);
	producer->rings[index] = held;
	producer->rings_count++;
	producer->bytes += held->memory.bytes;
	count_add(&intake->counters.rings, 1);
	*ret_sequence = held->ring.record.next_sequence;

	char name[STORE_NAME_BYTES];
	store_name_ring(name, producer->process.uid, producer->identity.uuid, index);
	if (intake->options.keep_fd && fresh)
		intake->options.keep_fd(intake->options.self, name, fd);
	offer_ring(intake, held);
	return 0;
}

void producer_died(struct intake *intake, struct producer *producer)
{
	if (producer->process.pidfd >= 0) {
		close(producer->process.pidfd); /* epoll forgets it with that */
		producer->process.pidfd = -1;
	}
	producer->process.gone = true;
	producer->leaving = true;
	count_add(&intake->counters.deaths, 1);
}

/* Death or CLOSED has been seen, and the socket is empty: no tail moves any more, or in vain. */
static void finish(struct producer *producer)
{
	producer->final = true;
	for (uint32_t i = 0; i < producer->identity.rings_max; i++) {
		if (!producer->rings[i])
			continue;
		/* Orders: our sight of the death (or of CLOSED, acquired) before the lane's next
		 * snapshot: partner is the lane's acquire of `over`, after which it looks at the
		 * tail once more and that is the end. Without it the last events before a death
		 * could be left behind. */
		weir_store_release_32(&producer->rings[i]->ring.drain.over, 1);
	}
}

static void notice_end(struct intake *intake, struct producer *producer)
{
	const struct weir_region_header *header = producer->memory.at;

	/* Orders: this before the lanes' last look at the tails; the producer stores CLOSED after
	 * its last event (weir_close of the client). */
	if (!producer->leaving && weir_load_acquire_32(&header->state) == WEIR_REGION_CLOSED)
		producer->leaving = true;
	if (!producer->leaving || producer->final)
		return;
	/* Rings that it offered before the end are still in its socket; one that lives and goes on
	 * talking cannot put off the end by that. */
	if (producer->connection && connection_read(intake, producer->connection) &&
	    ++producer->last_words < LAST_WORDS_MAX)
		return;
	finish(producer);
}

static void notice_lie(struct intake *intake, struct producer *producer, struct held_ring *held)
{
	/* Relaxed: the lane's word, which stays. */
	if (held->lied || !(weir_load_relaxed_32(&held->ring.control->flags) &
			    WEIR_CONTROL_QUARANTINED))
		return;
	held->lied = true;
	producer->lied = true;
	count_add(&intake->counters.quarantined, 1);
	log_warning("intake", "ring %u of %s (pid %d) lied about its cursor and is in quarantine",
		    held->ring.record.index, producer->identity.program,
		    (int)producer->process.pid);
}

/* Which rings have the lanes let go, or found to lie? */
static int collect_rings(struct intake *intake, struct producer *producer)
{
	int work = 0;

	for (uint32_t i = 0; i < producer->identity.rings_max; i++) {
		struct held_ring *held = producer->rings[i];
		if (!held || held->done)
			continue;
		offer_ring(intake, held);
		/* Orders: the lane's last use of the ring before our unmapping it. */
		held->done = held->offered && weir_load_acquire_32(&held->ring.detached);
		notice_lie(intake, producer, held);
		if (!held->done)
			continue;
		producer->rings_done++;
		work++;
	}
	return work;
}

static int step_table(struct intake *intake, struct producer *producer, uint32_t budget)
{
	uint64_t refused = producer->table.refused;
	int mapped = table_step(&producer->table, intake->options.registry, budget);

	if (mapped < 0) {
		producer->lied = true;
		count_add(&intake->counters.quarantined, 1);
		log_warning("intake",
			    "the series table of %s (pid %d) is not what it says: series "
			    "after %u are refused and their events rejected; correct the program",
			    producer->identity.program, (int)producer->process.pid,
			    producer->table.defined);
		return 1;
	}
	if (refused == 0 && producer->table.refused) { /* once; the rest is counted */
		const char *why = producer->table.refused_why;
		log_warning("intake",
			    "a series of %s (pid %d) is refused: %s; its events are counted as "
			    "rejected, correct the program",
			    producer->identity.program, (int)producer->process.pid,
			    why ? why : "no memory for it");
	}
	count_add(&intake->counters.refused_definitions,
		  (int64_t)(producer->table.refused - refused));
	return mapped;
}

int producer_step(struct intake *intake, struct producer *producer, uint32_t series_budget)
{
	int work = step_table(intake, producer, series_budget);

	notice_end(intake, producer);
	work += collect_rings(intake, producer);
	if (producer->final && producer->rings_done == producer->rings_count) {
		producer_free(intake, producer);
		work++;
	}
	return work;
}

/* It was drained to the end. Who is dead never asks for it again. Who has closed and lives may: its
 * library sees our end of the socket close before it sees that all is kept, and offers the region
 * once more; without a note the ring would be read again from its oldest slot. */
static void forget_ring(struct intake *intake, struct producer *producer, struct held_ring *held)
{
	struct weir_ring_record *record = &held->ring.record;
	struct known_ring *known = known_find(&intake->known, record->uid, record->uuid,
					      record->index);
	char name[STORE_NAME_BYTES];
	int r = 0;

	record->next_sequence = held->ring.drain.next;
	record->rejected = held->ring.drain.rejected;
	record->lost = held->ring.drain.lost;
	record->final = 1;
	if (known)
		known->record = *record;
	else if (producer->doubtful)
		r = known_add(&intake->known, record);
	else if (!producer->process.gone)
		r = known_note(&intake->known, record);
	if (r < 0)
		log_warning("intake", "no memory to remember ring %u", record->number);
	if (intake->options.drop_fd) {
		store_name_ring(name, record->uid, record->uuid, record->index);
		intake->options.drop_fd(intake->options.self, name);
	}
}

void producer_free(struct intake *intake, struct producer *producer)
{
	char name[STORE_NAME_BYTES];

	for (uint32_t i = 0; i < producer->identity.rings_max; i++) {
		struct held_ring *held = producer->rings[i];
		if (!held)
			continue;
		if (producer->final)
			forget_ring(intake, producer, held);
		memory_close(&held->memory);
		free(held);
		count_add(&intake->counters.rings, -1);
	}
	if (producer->final && intake->options.drop_fd) {
		store_name_region(name, producer->process.uid, producer->identity.uuid,
				  producer->process.pid);
		intake->options.drop_fd(intake->options.self, name);
	}
	if (producer->connection)
		connection_close(intake, producer->connection);
	if (producer->process.pidfd >= 0)
		close(producer->process.pidfd);
	intake->live[producer->source]--;
	intake->producers[producer->slot] = NULL;
	intake->producers_count--;
	count_add(&intake->counters.producers, -1);
	destroy_producer(producer);
}
