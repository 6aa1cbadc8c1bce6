/*
 * lane_rings: a lane's rings, from adoption to the last word: definitions and positions into the
 * log, `released` and `durable` back to the producers, the ledger, the end.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "lane_private.h"

/* Bytes of definitions put into one block of the log, if it takes so many. */
#define SERIES_BYTES_MAX (64u << 10)

/* Drops of a ring by reason, as its producer counts them. Those of the whole region stand with its
 * first ring. Returns the sum of those that lose events; refused values are no loss of traffic. */
uint64_t lane_ring_drops(const struct lane_ring *ring, uint64_t dropped[WEIR_DROP_REASONS])
{
	const struct drain_ring *drain = &ring->intake->drain;
	/* Relaxed: counters of another process, for the ledger; at its death they stand still. */
	uint64_t drops[WEIR_DROP_REASONS] = {
		[WEIR_DROP_FULL] = weir_load_relaxed_64(&drain->header->dropped_full),
		[WEIR_DROP_TIMEOUT] = weir_load_relaxed_64(&drain->header->dropped_timeout),
	};

	if (ring->intake->record.index == 0) {
		const struct weir_region_header *region = drain->region;
		drops[WEIR_DROP_NO_RING] = weir_load_relaxed_64(&region->dropped_no_ring);
		drops[WEIR_DROP_REENTRANT] = weir_load_relaxed_64(&region->dropped_reentrant);
		drops[WEIR_DROP_INVALID] = weir_load_relaxed_64(&region->dropped_invalid);
	}
	if (dropped)
		memcpy(dropped, drops, sizeof(drops));
	return drops[WEIR_DROP_FULL] + drops[WEIR_DROP_TIMEOUT] + drops[WEIR_DROP_NO_RING] +
	       drops[WEIR_DROP_REENTRANT];
}

static struct weir_ring_record record_of(const struct lane_ring *ring, bool final)
{
	const struct drain_ring *drain = &ring->intake->drain;
	struct weir_ring_record record = ring->intake->record;

	record.next_sequence = drain->next;
	record.rejected = drain->rejected;
	record.lost = drain->lost;
	lane_ring_drops(ring, record.dropped);
	record.final = final;
	return record;
}

/* Is the source of a ring in the control log? */
static bool source_ready(const struct lane *lane, const struct intake_ring *intake)
{
	/* Orders: the control log's record before the flag; partner: ready_sources() of the closing
	 * agent. After a crash a number that no control log explains goes to the source that comes
	 * first, and a ring named with it would be of another one than before. */
	return weir_load_acquire_32(&lane->options.starts[intake->record.source].ready);
}

/* Take rings from the intake agent: named in the log before any of their events. One whose source
 * is new waits for the control log, milliseconds; marks wait for it as they wait for producers that
 * may come back, since those behind it in the queue wait too. */
int lane_adopt(struct lane *lane)
{
	int work = 0;

	while (lane->rings_count < LANE_RINGS_MAX) {
		if (!lane->adopting)
			lane->adopting = queue_pop(lane->options.rings);
		struct intake_ring *intake = lane->adopting;
		lane->awaits_source = intake && !source_ready(lane, intake);
		if (!intake || lane->awaits_source)
			break;
		struct lane_ring *ring = calloc(1, sizeof(*ring));
		if (!ring)
			break;
		ring->intake = intake;
		ring->persisted = ring->durable = intake->drain.next;
		ring->ledger_next = intake->drain.next;
		struct weir_ring_record record = record_of(ring, false);
		ring->drops_marked = lane_ring_drops(ring, NULL);
		ring->ledger_drops = ring->drops_marked;
		if (writer_records(lane->writer, WEIR_BLOCK_LEDGER, &record, sizeof(record), 1) <
		    0) {
			free(ring);
			break;
		}
		lane->pending_since_ns = 0;
		lane->adopting = NULL;
		lane->rings[lane->rings_count++] = ring;
		work++;
	}
	return work;
}

static bool known(const struct lane *lane, uint32_t id)
{
	return lane->series_known[id / 8] >> (id % 8) & 1;
}

static void set_known(struct lane *lane, uint32_t id)
{
	lane->series_known[id / 8] |= (uint8_t)(1u << (id % 8));
	if (id > lane->series_known_max)
		lane->series_known_max = id;
}

/* A record of a definition. false: the block is full. */
static bool put_series(struct bytes *block, const struct lane *lane, uint32_t id,
		       enum weir_sketch sketch)
{
	const struct weir_definition *definition = series_get(lane->options.registry, id);
	size_t most = lane->options.writer.block_bytes - sizeof(struct weir_block_header);

	check(definition);
	if (most > SERIES_BYTES_MAX)
		most = SERIES_BYTES_MAX;
	if (block->used + 8 + definition->bytes > most)
		return false;
	bytes_put_u32(block, id);
	bytes_put_u32(block, sketch);
	bytes_put(block, definition, definition->bytes);
	return true;
}

static enum weir_sketch wanted(const struct lane *lane, uint32_t id)
{
	const struct series_registry *registry = lane->options.registry;

	return series_sketch(registry, series_get(registry, id));
}

/* What the block that was just written says of its series holds from here on. Making room for it
 * may have begun a segment, whose snapshot did not know it. */
static void note_series(struct lane *lane, const struct bytes *block)
{
	for (size_t at = 0; at < block->used;) {
		const struct weir_definition *definition = (const void *)(block->data + at + 8);
		uint32_t id, sketch;
		memcpy(&id, block->data + at, sizeof(id));
		memcpy(&sketch, block->data + at + 4, sizeof(sketch));
		lane->series_sketch[id] = (uint8_t)sketch;
		lane->series_fresh[id / 8] |= (uint8_t)(1u << (id % 8));
		set_known(lane, id);
		at += 8 + definition->bytes;
	}
}

/* Give a block of definitions to the log, and free it. false: no room now. */
static bool write_series(struct lane *lane, struct bytes *block, uint32_t count)
{
	bool written = !block->failed;

	if (written && count)
		written = writer_records(lane->writer, WEIR_BLOCK_SERIES, block->data,
					 (uint32_t)block->used, count) > 0;
	if (written)
		note_series(lane, block);
	bytes_fini(block);
	if (written && count)
		lane->pending_since_ns = 0;
	return written;
}

/* Write the definitions of ids that this lane's log does not have yet, before the first event that
 * uses them. false: no room in the log now. */
bool lane_define_series(struct lane *lane, struct lane_ring *ring)
{
	struct drain_ring *drain = &ring->intake->drain;
	/* Orders: ids[] before `mapped`; partner: the intake agent. What is mapped after this look
	 * is not drained before the next one: drain_take() goes by drain->mapped. */
	uint32_t mapped = weir_load_acquire_32(&drain->map->mapped);

	while (drain->mapped < mapped) {
		struct bytes block = {0};
		uint32_t count = 0;
		uint32_t local = drain->mapped;
		uint32_t snapshots = lane->snapshots;
		for (; local < mapped; local++) {
			uint32_t id = drain->map->ids[local];
			if (!id || known(lane, id))
				continue;
			if (!put_series(&block, lane, id, wanted(lane, id)))
				break;
			set_known(lane, id);
			count++;
		}
		if (!write_series(lane, &block, count)) {
			for (uint32_t i = drain->mapped; i < local; i++) {
				uint32_t id = drain->map->ids[i];
				lane->series_known[id / 8] &= (uint8_t)~(1u << (id % 8));
			}
			return false;
		}
		/* The block has begun a segment: what this ring was not yet seen to use and is not
		 * in the block is to be defined again. */
		if (lane->snapshots == snapshots)
			drain->mapped = local;
	}
	return true;
}

/* Where a new configuration wants other sketches, the log says so before the next events. false: no
 * room in it now. */
bool lane_define_again(struct lane *lane)
{
	uint32_t wants = series_wants(lane->options.registry);

	if (lane->wants == wants)
		return true;
	uint32_t id = lane->wants_at;
	while (id <= lane->series_known_max) {
		struct bytes block = {0};
		uint32_t count = 0;
		for (; id <= lane->series_known_max; id++) {
			enum weir_sketch sketch;
			if (!known(lane, id))
				continue;
			sketch = wanted(lane, id);
			if (sketch == lane->series_sketch[id])
				continue;
			if (!put_series(&block, lane, id, sketch))
				break;
			count++;
		}
		if (!write_series(lane, &block, count))
			return false;
		lane->wants_at = id;
	}
	lane->wants_at = 0;
	lane->wants = wants;
	return true;
}

/* The batch just committed is in the block with this LSN. */
void lane_note_position(struct lane *lane, struct lane_ring *ring)
{
	uint64_t lsn = writer_lsn(lane->writer);
	struct position *last =
		&lane->positions[ring->last_position & (LANE_POSITIONS_MAX - 1)];

	if (ring->positions && ring->last_position >= lane->position_persisted &&
	    last->lsn == lsn && last->ring == ring) {
		last->end = ring->intake->drain.next;
		return;
	}
	check(lane->position_put - lane->position_durable < LANE_POSITIONS_MAX);
	ring->last_position = lane->position_put;
	ring->positions++;
	lane->positions[lane->position_put++ & (LANE_POSITIONS_MAX - 1)] = (struct position){
		.lsn = lsn,
		.end = ring->intake->drain.next,
		.ring = ring,
	};
}

static void wake(struct weir_control_slot *control)
{
	/* Orders: nothing by itself; the words it announces are release-stored before. A waiter
	 * compares this word, so that a change between its look and its sleep is not missed. */
	weir_add_32(&control->futex, 1);
	syscall(SYS_futex, &control->futex, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* A producer that found its ring full sleeps. Woken for the first block's room it would fill that
 * and sleep again, at the price of a wake for each block: it is left alone until a quarter is free,
 * as long as there is more to come. Its own looks, a slice apart, do not wait for us. */
static bool worth_a_wake(const struct lane_ring *ring, uint64_t end)
{
	const struct drain_ring *drain = &ring->intake->drain;

	return drain->tail - end <= drain->capacity / 4 * 3 || end == drain->next;
}

static void say_released(struct lane_ring *ring, uint64_t end)
{
	struct weir_control_slot *control = ring->intake->control;

	ring->persisted = end;
	ring->intake->drain.released = end;
	weir_store_relaxed_64(&control->rejected, ring->intake->drain.rejected);
	weir_store_relaxed_64(&control->lost, ring->intake->drain.lost);
	/* Orders: our copies out of the slots, and the write that keeps them, before the word that
	 * lets the producer reuse them. Seen by: weir_ring_room(). Without it a slot could be
	 * overwritten before it is kept. */
	weir_store_release_64(&control->released, end);
	if (worth_a_wake(ring, end))
		wake(control);
}

static void say_durable(struct lane_ring *ring, uint64_t end, bool keeps)
{
	struct weir_control_slot *control = ring->intake->control;

	ring->durable = end;
	if (!keeps)
		return;
	/* Orders: the completed sync before the word that promises it. Seen by: weir_wait(). */
	weir_store_release_64(&control->durable, end);
	wake(control);
}

void lane_say_quarantine(struct lane_ring *ring)
{
	struct weir_control_slot *control = ring->intake->control;

	/* Relaxed: we alone store the flags by now, and nothing is read behind this one. */
	weir_store_relaxed_32(&control->flags, weir_load_relaxed_32(&control->flags) |
						       WEIR_CONTROL_QUARANTINED);
}

/* Tell the producers how far their rings are in the file, and synced. */
int lane_say_back(struct lane *lane)
{
	uint64_t persisted = writer_persisted(lane->writer);
	uint64_t durable = writer_durable(lane->writer);
	int work = 0;

	while (lane->position_persisted < lane->position_put) {
		const struct position *position =
			&lane->positions[lane->position_persisted & (LANE_POSITIONS_MAX - 1)];
		if (position->lsn > persisted)
			break;
		say_released(position->ring, position->end);
		lane->position_persisted++;
		work++;
	}
	while (lane->position_durable < lane->position_persisted) {
		const struct position *position =
			&lane->positions[lane->position_durable & (LANE_POSITIONS_MAX - 1)];
		if (position->lsn > durable)
			break;
		say_durable(position->ring, position->end, !lane->options.unkept);
		position->ring->positions--;
		lane->position_durable++;
		work++;
	}
	return work;
}

/* A block of those of the rings first .. end - 1 in which something has changed. */
static int ledger_block(struct lane *lane, uint32_t first, uint32_t end)
{
	uint32_t count = 0;

	for (uint32_t i = first; i < end; i++) {
		struct lane_ring *ring = lane->rings[i];
		/* Seen before the record is made: what comes in between is told twice. */
		uint64_t drops = lane_ring_drops(ring, NULL);
		ring->ledger_due = ring->ledger_next != ring->intake->drain.next ||
				   ring->ledger_drops != drops;
		if (!ring->ledger_due)
			continue;
		ring->ledger_seen = drops;
		lane->records[count++] = record_of(ring, false);
	}
	if (count == 0)
		return 0;
	int64_t lsn = writer_records(lane->writer, WEIR_BLOCK_LEDGER, lane->records,
				     count * (uint32_t)sizeof(*lane->records), count);
	if (lsn < 0)
		return (int)lsn;
	lane->pending_since_ns = 0;
	for (uint32_t i = first; i < end; i++) {
		struct lane_ring *ring = lane->rings[i];
		if (!ring->ledger_due)
			continue;
		ring->ledger_next = ring->intake->drain.next;
		ring->ledger_drops = ring->ledger_seen;
	}
	return 1;
}

/* Positions and drops of the rings in which something has changed. Blocks written, or -EAGAIN: not
 * all of them now. */
int lane_ledger(struct lane *lane)
{
	const uint32_t most =
		(lane->options.writer.block_bytes - 64) / (uint32_t)sizeof(*lane->records);
	struct writer_counters writer;
	int blocks = 0;

	writer_counters(lane->writer, &writer);
	if (writer.failing)
		return 0; /* what room is left is for marks */
	for (uint32_t first = 0; first < lane->rings_count; first += most) {
		uint32_t left = lane->rings_count - first;
		int result = ledger_block(lane, first, first + (left < most ? left : most));
		if (result < 0)
			return result;
		blocks += result;
	}
	return blocks;
}

static void finish(struct lane *lane, struct lane_ring *ring)
{
	struct weir_ring_record record = record_of(ring, true);
	uint64_t dropped = 0;

	for (uint32_t i = 0; i < WEIR_DROP_REASONS; i++)
		dropped += record.dropped[i];
	lane->finished_attempted += record.next_sequence + dropped;
	lane->finished_persisted += record.next_sequence - record.rejected - record.lost;
	lane->finished_rejected += record.rejected;
	lane->finished_dropped += dropped;
	lane->finished_lost += record.lost;
	ring->intake->record = record;
	if (ring->intake->drain.quarantined)
		lane_say_quarantine(ring);
	/* Orders: our last touch of the ring's memory before the intake agent unmaps it. */
	weir_store_release_32(&ring->intake->detached, 1);
	free(ring);
}

/* Rings of producers that are gone: drained to the end, said so in the log, given back. */
int lane_detach(struct lane *lane)
{
	int work = 0;

	for (uint32_t i = 0; i < lane->rings_count; i++) {
		struct lane_ring *ring = lane->rings[i];
		struct drain_ring *drain = &ring->intake->drain;
		/* Orders: the final tail and counters before the word that they are final; partner:
		 * the intake agent, which saw the process end. */
		if (!weir_load_acquire_32(&drain->over))
			continue;
		if (ring->final_lsn == 0) {
			bool drained = drain->quarantined ||
				       (drain_snapshot(drain) == 0 && drain->next == drain->tail);
			if (!drained || ring->positions)
				continue;
			struct weir_ring_record record = record_of(ring, true);
			int64_t lsn = writer_records(lane->writer, WEIR_BLOCK_LEDGER, &record,
						     sizeof(record), 1);
			if (lsn > 0) {
				ring->final_lsn = (uint64_t)lsn;
				lane->pending_since_ns = 0;
				writer_sync_soon(lane->writer);
			}
			work++;
		} else if (ring->final_lsn <= writer_durable(lane->writer)) {
			lane->rings[i--] = lane->rings[--lane->rings_count];
			lane->passing = false;
			lane->snapshot_rings = 0; /* one under way begins anew: places changed */
			finish(lane, ring);
			work++;
		}
	}
	return work;
}

static int snapshot_rings(struct lane *lane, struct writer *writer)
{
	uint32_t most = (lane->options.writer.block_bytes - 64) / (uint32_t)sizeof(*lane->records);
	uint32_t count = lane->options.orphans_count;

	memcpy(lane->records, lane->options.orphans, count * sizeof(*lane->records));
	for (uint32_t i = 0; i < lane->rings_count; i++)
		lane->records[count++] = record_of(lane->rings[i], false);
	while (lane->snapshot_rings < count) {
		uint32_t left = count - lane->snapshot_rings;
		uint32_t now = left < most ? left : most;
		int64_t lsn = writer_records(writer, WEIR_BLOCK_RINGS,
					     lane->records + lane->snapshot_rings,
					     now * (uint32_t)sizeof(*lane->records), now);
		if (lsn < 0)
			return (int)lsn;
		lane->snapshot_rings += now;
	}
	return 0;
}

/* A block of definitions from lane->snapshot_series on; > 0: there may be more. */
static int snapshot_series(struct lane *lane, struct writer *writer)
{
	struct bytes block = {0};
	uint32_t count = 0;
	uint32_t id = lane->snapshot_series;
	int64_t lsn = 1;

	for (; id <= lane->series_known_max; id++) {
		if (!known(lane, id))
			continue;
		if (!put_series(&block, lane, id, lane->series_sketch[id]))
			break;
		count++;
	}
	if (block.failed)
		lsn = -ENOMEM;
	else if (count)
		lsn = writer_records(writer, WEIR_BLOCK_SERIES, block.data, (uint32_t)block.used,
				     count);
	bytes_fini(&block);
	if (lsn < 0)
		return (int)lsn;
	lane->snapshot_series = id;
	return id <= lane->series_known_max;
}

/* Has a ring before this one the same series, and as many of them? */
static bool mapped_before(const struct lane *lane, uint32_t ring)
{
	const struct drain_ring *drain = &lane->rings[ring]->intake->drain;

	for (uint32_t i = 0; i < ring; i++) {
		const struct drain_ring *other = &lane->rings[i]->intake->drain;
		if (other->map == drain->map && other->mapped >= drain->mapped)
			return true;
	}
	return false;
}

/* Which series stay in the log: those that a ring may use, and what the last segment has defined.
 * The latter so that who reads the snapshots, and of each epoch the last segment as well, knows all
 * ids that there are. The others are defined again when a ring comes that has them. */
static void retire_series(struct lane *lane)
{
	uint8_t *kept = lane->series_fresh;

	lane->snapshots++;
	for (uint32_t i = 0; i < lane->rings_count; i++) {
		const struct drain_ring *drain = &lane->rings[i]->intake->drain;
		if (mapped_before(lane, i))
			continue;
		for (uint32_t local = 0; local < drain->mapped; local++) {
			uint32_t id = drain->map->ids[local];
			kept[id / 8] |= (uint8_t)(1u << (id % 8));
		}
	}
	kept[0] &= (uint8_t)~1u; /* refused definitions have id 0 */
	lane->series_fresh = lane->series_known;
	lane->series_known = kept;
	memset(lane->series_fresh, 0, lane->series_known_max / 8 + 1);
	while (lane->series_known_max && !known(lane, lane->series_known_max))
		lane->series_known_max--;
}

/* What makes a segment readable on its own: the rings, where they stand, and every series that
 * they use. Goes on where it was when the writer has no room. */
int lane_snapshot(void *self, struct writer *writer)
{
	struct lane *lane = self;

	if (!lane->snapshot_begun)
		retire_series(lane);
	lane->snapshot_begun = true;
	int more = snapshot_rings(lane, writer);
	while (more >= 0 && (more = snapshot_series(lane, writer)) > 0)
		;
	if (more < 0)
		return more;
	lane->snapshot_begun = false;
	lane->snapshot_rings = 0;
	lane->snapshot_series = 0;
	return 0;
}

/* Numbers for the status: sums over the rings, and what the writer counts. */
void lane_count(struct lane *lane)
{
	struct lane_totals totals = {
		.rings = lane->rings_count,
		.attempted = lane->finished_attempted,
		.persisted = lane->finished_persisted,
		.rejected = lane->finished_rejected,
		.dropped = lane->finished_dropped,
		.lost = lane->finished_lost,
	};
	struct writer_counters writer;

	for (uint32_t i = 0; i < lane->rings_count; i++) {
		const struct lane_ring *ring = lane->rings[i];
		const struct drain_ring *drain = &ring->intake->drain;
		struct weir_ring_record record = record_of(ring, false);
		totals.quarantined += drain->quarantined;
		for (uint32_t reason = 0; reason < WEIR_DROP_REASONS; reason++)
			totals.dropped += record.dropped[reason];
		totals.persisted += ring->persisted - drain->rejected - drain->lost;
		totals.rejected += drain->rejected;
		totals.lost += drain->lost;
		totals.in_ring += drain->tail - ring->persisted;
	}
	totals.attempted = totals.persisted + totals.rejected + totals.lost + totals.in_ring +
			   totals.dropped;
	for (uint32_t s = 0; s < lane->sources_count; s++) {
		struct cells_counters cells = {0};
		if (lane->sources[s].cells)
			cells_counters(lane->sources[s].cells, &cells);
		totals.late += cells.late;
		totals.future += cells.future;
		totals.late_uncorrected += cells.late_uncorrected;
		totals.unsketched += cells.unsketched;
	}
	if (lane->options.unkept) {
		totals.unkept = totals.persisted;
		totals.persisted = 0;
	}
	writer_counters(lane->writer, &writer);
	totals.events = writer.events;
	if (!lane->options.unkept) {
		totals.blocks = writer.blocks;
		totals.bytes = writer.bytes;
		totals.segments = writer.segments;
		totals.syncs = writer.syncs;
	}
	totals.in_flight = lane_in_flight(lane);
	totals.unsynced = lane_unsynced(lane);
	totals.in_flight_max = writer.in_flight_max;
	totals.stalled = writer.stalled;
	totals.write_errors = writer.write_errors;
	totals.sync_errors = writer.sync_errors;
	totals.failing = writer.failing;
	const uint64_t *from = (const uint64_t *)&totals;
	uint64_t *to = (uint64_t *)&lane->totals;
	/* Relaxed: the numbers are for people and sums; none of them orders anything. */
	for (size_t i = 0; i < sizeof(totals) / sizeof(*to); i++)
		weir_store_relaxed_64(&to[i], from[i]);
}

void lane_totals(const struct lane *lane, struct lane_totals *ret_totals)
{
	const uint64_t *from = (const uint64_t *)&lane->totals;
	uint64_t *to = (uint64_t *)ret_totals;

	/* Relaxed: each number is whole; together they are as of about the same step. */
	for (size_t i = 0; i < sizeof(*ret_totals) / sizeof(*to); i++)
		to[i] = weir_load_relaxed_64(&from[i]);
}
