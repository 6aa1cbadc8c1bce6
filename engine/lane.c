/*
 * lane: see lane.h. This file has the pass: drain, mark, flush.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/log.h"
#include "interval/cells.h"
#include "lane_private.h"

/* Events drained at once: 16 KiB, so that cells and CRC find them in the first-level cache. */
#define PIECE_EVENTS 1024u
/* Events of one ring before the next one has its turn. */
#define TURN_EVENTS (64u << 10)
/* A block that is not full is written when its first event is this old. */
#define FLUSH_AFTER_NS 3000000u
#define RETAIN_EVERY_NS 1000000000u
#define COUNT_EVERY_NS 5000000u
#define LEDGER_EVERY_NS 1000000000u
#define REST_IDLE_MS 100u
/* An event source that rests is marked again, as far as it was, once so many blocks are behind its
 * last mark: a checkpoint reads on from a mark, and retention may not pass a checkpoint. */
#define REMARK_BLOCKS 256u
/* Intervals of a wall source that stay open while marks are held for producers to come back: the
 * window has two more, for what comes meanwhile. */
#define HELD_INTERVALS_MAX (WEIR_OPEN_INTERVALS_MAX - 2)

int lane_create(const struct lane_options *options, struct lane **ret_lane)
{
	struct lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return -ENOMEM;
	lane->options = *options;
	lane->marks_last = &lane->marks_first;
	lane->rings = calloc(LANE_RINGS_MAX, sizeof(lane->rings[0]));
	lane->positions = calloc(LANE_POSITIONS_MAX, sizeof(lane->positions[0]));
	lane->series_known = calloc(options->series_max / 8 + 1, 1);
	lane->series_fresh = calloc(options->series_max / 8 + 1, 1);
	lane->series_sketch = calloc(options->series_max + 1, 1);
	lane->records = calloc(LANE_RINGS_MAX + options->orphans_count, sizeof(lane->records[0]));
	lane->options.writer.snapshot = lane_snapshot;
	lane->options.writer.self = lane;
	int error = lane->rings && lane->positions && lane->series_known && lane->series_fresh &&
				    lane->series_sketch && lane->records
			    ? writer_open(&lane->options.writer, &lane->writer)
			    : -ENOMEM;
	if (error < 0) {
		free(lane->rings);
		free(lane->positions);
		free(lane->series_known);
		free(lane->series_fresh);
		free(lane->series_sketch);
		free(lane->records);
		free(lane);
		return error;
	}
	*ret_lane = lane;
	return 0;
}

static bool event_source(const struct lane *lane, uint32_t source)
{
	return lane->options.sources->sources[source].clock == WEIR_CLOCK_EVENT;
}

/* The cells must know when a new block begins: it is where a replay can start. */
static void follow_block(struct lane *lane)
{
	uint64_t lsn = writer_lsn(lane->writer);

	if (lsn == lane->block_lsn)
		return;
	lane->block_lsn = lsn;
	for (uint32_t s = 0; s < lane->sources_count; s++)
		if (lane->sources[s].cells)
			cells_block(lane->sources[s].cells, lsn);
}

/* Write the open block; what waits for a mark in it should not wait long for the sync. */
static void close_block(struct lane *lane)
{
	writer_flush(lane->writer);
	if (lane->marks_first)
		writer_sync_soon(lane->writer);
	lane->pending_since_ns = 0;
	lane->urgent = false;
}

/* The cells of the marked intervals, as far as memory goes: what is not freed yet counts. */
static struct partial *hand_over(struct lane *lane, struct cells *cells, int64_t interval)
{
	/* Relaxed: a bound, not an order; an old value only makes a rebuild more likely. */
	uint64_t freed = weir_load_relaxed_64(lane->options.partial_bytes_freed);
	uint64_t held = lane->partial_bytes - freed;
	uint64_t most = lane->options.partial_bytes_max;
	struct partial *partials = cells_mark(cells, interval, held < most ? most - held : 0);

	for (const struct partial *partial = partials; partial; partial = partial->next)
		lane->partial_bytes += partial_bytes(partial);
	return partials;
}

/* Cells that were let go and that no log has: the interval goes without them, and is incomplete. */
static void give_up_unkept(const struct lane *lane, struct close_mark *mark)
{
	for (struct partial *p = mark->partials; lane->options.unkept && p; p = p->next) {
		if (!p->dropped)
			continue;
		p->dropped = false;
		mark->drops += mark->drops == 0;
	}
}

/* Drops of the source's producers that no mark has told yet. Each counter is read once: what comes
 * after that look is for the next mark. Where the disk takes no events, also what waits in a ring:
 * the marked intervals do without it. */
static uint64_t new_drops(struct lane *lane, uint32_t number)
{
	uint64_t drops = 0;

	for (uint32_t i = 0; i < lane->rings_count; i++) {
		struct lane_ring *ring = lane->rings[i];
		if (ring->intake->drain.source != number)
			continue;
		ring->drops_seen = lane_ring_drops(ring, NULL);
		drops += ring->drops_seen - ring->drops_marked;
		if (lane->stuck && !ring->intake->drain.quarantined)
			drops += ring->intake->drain.tail - ring->intake->drain.next;
	}
	return drops;
}

static void tell_drops(struct lane *lane, uint32_t number)
{
	for (uint32_t i = 0; i < lane->rings_count; i++)
		if (lane->rings[i]->intake->drain.source == number)
			lane->rings[i]->drops_marked = lane->rings[i]->drops_seen;
}

/* Write a mark and queue what it hands over. false: no room in the log now. */
static bool put_mark(struct lane *lane, uint32_t number, int64_t interval)
{
	struct lane_source *source = &lane->sources[number];
	const struct lane_options *options = &lane->options;
	struct lane_mark *mark = calloc(1, sizeof(*mark));
	struct cells *fresh = NULL;
	uint64_t drops = new_drops(lane, number);

	/* Memory first: what is in the log cannot be taken back. */
	if (mark && !source->cells)
		fresh = cells_create(options->series_max, options->interval_ms, number,
				     options->epoch, options->number, interval);
	if (!mark || (!source->cells && !fresh))
		log_warning("lane",
			    "no memory for the cells of %s: its events wait in their rings; give "
			    "the engine more memory, or set limits.series_max lower",
			    options->sources->sources[number].name);
	if (!mark || (!source->cells && !fresh) ||
	    writer_mark(lane->writer, number, interval, drops) < 0) {
		close_block(lane);
		cells_destroy(fresh);
		free(mark);
		return false;
	}
	follow_block(lane);
	tell_drops(lane, number);
	mark->mark = (struct close_mark){
		.lane = options->number,
		.source = number,
		.interval = interval,
		.lsn = writer_lsn(lane->writer),
		.drops = drops,
	};
	if (source->cells) {
		mark->mark.partials = hand_over(lane, source->cells, interval);
		give_up_unkept(lane, &mark->mark);
	} else {
		source->cells = fresh;
		cells_sketches(fresh, lane->series_sketch);
		cells_block(source->cells, mark->mark.lsn);
	}
	cells_resume(source->cells, &mark->mark.resume_lsn, &mark->mark.resume_frontier);
	source->marked_lsn = mark->mark.lsn;
	*lane->marks_last = mark;
	lane->marks_last = &mark->next;
	if (!event_source(lane, number))
		lane->urgent = true;
	if (lane->pending_since_ns == 0)
		lane->pending_since_ns = lane->now_ns;
	return true;
}

/* Begin sources that have become known, and say so in the log. */
static void open_sources(struct lane *lane)
{
	/* Orders: the entry before its count; partner: the intake agent's new source. */
	uint32_t count = weir_load_acquire_32(&lane->options.sources->count);

	lane->sources_count = count;
	for (uint32_t s = 0; s < count; s++) {
		struct lane_source_start *start = &lane->options.starts[s];
		if (lane->sources[s].cells)
			continue;
		/* Orders: the control log's record, and `frontier`, before these flags; partners:
		 * engine/closing.c and start_source() below. Without it a lane could write of a
		 * source that no control log explains. */
		if (!weir_load_acquire_32(&start->ready) || !weir_load_acquire_32(&start->started))
			continue;
		put_mark(lane, s, start->frontier);
	}
}

/* A reload may change it; marks never go back for that. Relaxed: nothing hangs on when. */
static int64_t lateness_ms(const struct source *source)
{
	return (int64_t)weir_load_relaxed_64((const uint64_t *)&source->lateness_ms);
}

/* The first event of an event source says where its intervals begin. */
static void start_source(struct lane *lane, uint32_t number, uint64_t time_ms)
{
	struct lane_source_start *start = &lane->options.starts[number];
	const struct source *source = &lane->options.sources->sources[number];
	int64_t interval_ms = lane->options.interval_ms;

	/* Orders: nothing; whoever wins alone writes `frontier`, and the flag below shows it. */
	if (!weir_cas_32(&start->claimed, 0, 1))
		return;
	start->frontier = interval_of_ms((int64_t)time_ms - lateness_ms(source), interval_ms) - 1;
	/* Orders: `frontier` before the flag that lets lanes read it (open_sources). */
	weir_store_release_32(&start->started, 1);
}

static uint64_t peek_time_ms(const struct drain_ring *ring)
{
	return weir_event_time_ms(weir_load_relaxed_64(&ring->slots[ring->next & ring->mask].word));
}

/* An event of an event source beyond the window: raise the clock to it, so that marks move the
 * window; until then the ring is held, and counts as drained. */
static void hold(struct lane *lane, struct lane_ring *ring)
{
	const struct drain_ring *drain = &ring->intake->drain;
	uint64_t time_ms = peek_time_ms(drain);
	const struct cells *cells = lane->sources[drain->source].cells;

	ring->held = true;
	if (!cells) {
		start_source(lane, drain->source, time_ms);
		return;
	}
	/* Another look at the producer's memory may say anything: not less than was found. */
	uint64_t end_ms = cells_window_end_ms(cells);
	ring->held_ms = time_ms > end_ms ? time_ms : end_ms;
	/* Orders: no event; the clock only rises. Partner: begin_pass() of every lane. */
	weir_max_64(&lane->options.sources->sources[drain->source].clock_ms, time_ms);
}

static void begin_pass(struct lane *lane)
{
	lane->passing = true;
	lane->at = 0;
	for (uint32_t s = 0; s < lane->sources_count; s++) {
		const struct source *source = &lane->options.sources->sources[s];
		/* Orders: the clocks before the tails below. Whoever raised the clock to t has seen
		 * everything that producers in step published before t; so have our snapshots.
		 * Partners: weir_max_64() in other lanes, the intake agent. */
		lane->sources[s].ended = weir_load_acquire_32(&source->ended);
		lane->sources[s].clock_ms = weir_load_acquire_64(&source->clock_ms);
	}
	for (uint32_t i = 0; i < lane->rings_count; i++) {
		lane->rings[i]->held = false;
		if (drain_snapshot(&lane->rings[i]->intake->drain) < 0)
			lane_say_quarantine(lane->rings[i]);
	}
}

/* One piece of one ring. > 0: slots read; 0: the ring stands (drained, held or waiting);
 * -EAGAIN: the log has no room now. */
static int drain_piece(struct lane *lane, struct lane_ring *ring)
{
	struct drain_ring *drain = &ring->intake->drain;
	struct lane_source *source = &lane->sources[drain->source];
	uint64_t time_min_ms = UINT64_MAX;
	uint64_t time_max_ms = 0;
	uint64_t limit_ms = UINT64_MAX;
	struct batch batch;
	uint32_t room;

	if (lane->position_put - lane->position_durable >= LANE_POSITIONS_MAX)
		return -EAGAIN;
	struct weir_event *out = writer_room(lane->writer, &room);
	if (!out)
		return -EAGAIN;
	if (room == 0) {
		close_block(lane);
		writer_step(lane->writer, lane->now_ns);
		out = writer_room(lane->writer, &room);
		if (!out || room == 0)
			return -EAGAIN;
	}
	follow_block(lane);
	if (event_source(lane, drain->source))
		limit_ms = source->cells ? cells_window_end_ms(source->cells) : 0;
	uint32_t taken = drain_take(drain, out, room < PIECE_EVENTS ? room : PIECE_EVENTS, limit_ms,
				    &batch, &time_min_ms, &time_max_ms);
	if (taken == 0) {
		/* Nothing that a ring says moves the clock of a wall source. */
		if (drain->next != drain->tail && !drain->waiting && !drain->quarantined &&
		    event_source(lane, drain->source))
			hold(lane, ring);
		return 0;
	}
	if (batch.count)
		cells_add(source->cells, &batch);
	writer_commit(lane->writer, &batch, time_min_ms, time_max_ms);
	lane_note_position(lane, ring);
	if (lane->pending_since_ns == 0)
		lane->pending_since_ns = lane->now_ns;
	/* Orders: the batch in block and cells before the clock that may close its intervals;
	 * partner: begin_pass(), which loads it with acquire and marks by it. */
	if (limit_ms != UINT64_MAX && batch.count)
		weir_max_64(&lane->options.sources->sources[drain->source].clock_ms, time_max_ms);
	return (int)taken;
}

/* A ring's turn. -EAGAIN: the pass stops here and goes on later. */
static int drain_ring(struct lane *lane, struct lane_ring *ring)
{
	struct drain_ring *drain = &ring->intake->drain;
	uint32_t taken = 0;

	if (drain->quarantined || drain->next == drain->tail)
		return 0;
	if (!lane->sources[drain->source].cells && !event_source(lane, drain->source))
		return -EAGAIN;
	while (drain->next != drain->tail && taken < TURN_EVENTS) {
		if (!lane_define_series(lane, ring))
			return -EAGAIN;
		int piece = drain_piece(lane, ring);
		if (piece < 0)
			return piece;
		if (piece == 0)
			break;
		taken += (uint32_t)piece;
	}
	return (int)taken;
}

/* `through`, or less: nothing that a held ring still has is closed. Other lanes may have raised the
 * clock that far. What is held is beyond the window, so this never stands still. */
static int64_t before_held(const struct lane *lane, uint32_t number, int64_t through)
{
	for (uint32_t i = 0; i < lane->rings_count; i++) {
		const struct lane_ring *ring = lane->rings[i];
		if (ring->intake->drain.source != number || !ring->held)
			continue;
		int64_t held = interval_of_ms((int64_t)ring->held_ms, lane->options.interval_ms);
		through = through < held ? through : held - 1;
	}
	return through;
}

/* All rings of the source stand at their snapshot (or are held beyond the window): close what its
 * clock has passed. */
static void mark_source(struct lane *lane, uint32_t number)
{
	struct lane_source *source = &lane->sources[number];
	const struct source *shared = &lane->options.sources->sources[number];
	int64_t interval_ms = lane->options.interval_ms;

	if (!source->cells || source->clock_ms == 0)
		return;
	for (uint32_t i = 0; i < lane->rings_count; i++)
		if (lane->rings[i]->intake->drain.source == number &&
		    lane->rings[i]->intake->drain.waiting)
			return;
	int64_t clock_ms = (int64_t)source->clock_ms;
	int64_t through = interval_of_ms(clock_ms - lateness_ms(shared), interval_ms) - 1;
	if (source->ended && event_source(lane, number))
		through = interval_of_ms(clock_ms, interval_ms);
	/* Relaxed: the flag only delays marks. A wall source's window must follow the clock all the
	 * same, or what is emitted now would count as future. */
	if (weir_load_relaxed_32(lane->options.hold_marks) || lane->awaits_source) {
		int64_t behind = interval_of_ms(clock_ms, interval_ms) - HELD_INTERVALS_MAX;
		if (event_source(lane, number))
			return;
		through = behind < through ? behind : through;
	}
	through = before_held(lane, number, through);
	int64_t frontier = cells_frontier(source->cells);
	if (through > frontier)
		put_mark(lane, number, through);
	else if (event_source(lane, number) &&
		 writer_lsn(lane->writer) - source->marked_lsn > REMARK_BLOCKS)
		put_mark(lane, number, frontier);
}

/* The disk takes no events, but it has room set aside for marks: intervals of live sources close
 * without what waits in the rings, and the mark says that something is missing. It is kept when
 * there is room again, as late events are. Recorded sources wait. */
static void mark_on_full_disk(struct lane *lane)
{
	struct writer_counters writer;

	writer_counters(lane->writer, &writer);
	if (!writer.failing)
		return;
	begin_pass(lane);
	lane->stuck = true;
	for (uint32_t s = 0; s < lane->sources_count; s++)
		if (!event_source(lane, s))
			mark_source(lane, s);
	lane->stuck = false;
}

static int run_pass(struct lane *lane)
{
	uint32_t left = 1;
	int work = 0;

	for (uint32_t turns = 0; left && turns <= lane->rings_count; turns++) {
		left = 0;
		for (; lane->at < lane->rings_count; lane->at++) {
			struct lane_ring *ring = lane->rings[lane->at];
			int taken = drain_ring(lane, ring);
			if (taken < 0) {
				mark_on_full_disk(lane);
				return work;
			}
			work += taken;
			left += ring->intake->drain.next != ring->intake->drain.tail &&
				!ring->held && !ring->intake->drain.waiting &&
				!ring->intake->drain.quarantined;
			lane_say_back(lane);
		}
		lane->at = 0;
	}
	/* Turns ran out: the next step goes on, up to the same snapshot. With a new one a lane that
	 * only just keeps up would never stand at its snapshot, and mark nothing. */
	if (left)
		return work;
	lane->passing = false;
	for (uint32_t s = 0; s < lane->sources_count; s++)
		mark_source(lane, s);
	return work;
}

/* Hand over the marks whose blocks are kept. */
static int pass_marks(struct lane *lane)
{
	uint64_t durable = writer_durable(lane->writer);
	int work = 0;

	while (lane->marks_first && lane->marks_first->mark.lsn <= durable) {
		struct lane_mark *mark = lane->marks_first;
		struct lane_mark *next = mark->next;
		if (!queue_push(lane->options.marks, mark))
			break;
		lane->marks_first = next;
		if (!next)
			lane->marks_last = &lane->marks_first;
		work++;
	}
	return work;
}

static bool half_full(const struct lane *lane)
{
	for (uint32_t i = 0; i < lane->rings_count; i++) {
		const struct drain_ring *drain = &lane->rings[i]->intake->drain;
		if (drain->next - drain->released > drain->capacity / 2)
			return true;
	}
	return false;
}

/* A block that is not full is written when a mark waits in it, when it is old, or when a ring may
 * fill up before it is full. */
static void flush(struct lane *lane)
{
	if (lane->pending_since_ns == 0)
		return;
	if (lane->urgent || lane->now_ns - lane->pending_since_ns >= FLUSH_AFTER_NS ||
	    half_full(lane))
		close_block(lane);
}

/* Let go of old segments that no checkpoint needs. Time is the live source's: source 0. */
static void retain(struct lane *lane)
{
	const struct lane_options *options = &lane->options;
	/* Orders: the checkpoint's rename before the bound that lets its past go; partner:
	 * engine/storing.c. Without it a crash could find neither checkpoint nor segments. */
	uint64_t keep_lsn = weir_load_acquire_64(options->keep_lsn);
	uint64_t now_s = lane->sources[0].clock_ms / 1000;
	/* Relaxed: see lane_retain(). */
	uint64_t retain_bytes = weir_load_relaxed_64(&options->retain_bytes);
	uint64_t retain_s = weir_load_relaxed_64(&options->retain_s);
	uint64_t before_s = retain_s && now_s > retain_s ? now_s - retain_s : 0;

	lane->retain_ns = lane->now_ns;
	if (keep_lsn && (retain_bytes || before_s))
		writer_retain(lane->writer, keep_lsn, retain_bytes, before_s);
}

void lane_retain(struct lane *lane, uint64_t bytes, uint64_t seconds)
{
	/* Relaxed: bounds for what is let go of some day. */
	weir_store_relaxed_64(&lane->options.retain_bytes, bytes);
	weir_store_relaxed_64(&lane->options.retain_s, seconds);
}

int lane_step(void *self, uint64_t now_ns)
{
	struct lane *lane = self;

	lane->now_ns = now_ns;
	int work = writer_step(lane->writer, now_ns);

	work += lane_say_back(lane);
	work += lane_adopt(lane);
	open_sources(lane);
	lane_define_again(lane);
	if (!lane->passing)
		begin_pass(lane);
	int drained = run_pass(lane);
	flush(lane);
	work += drained + pass_marks(lane);
	if (now_ns - lane->ledger_ns >= LEDGER_EVERY_NS) {
		lane->ledger_ns = now_ns;
		work += lane_ledger(lane) > 0;
	}
	work += lane_detach(lane);
	if (now_ns - lane->retain_ns > RETAIN_EVERY_NS)
		retain(lane);
	/* Relaxed: for people, and for tests that look for a write under way. */
	weir_store_relaxed_64(&lane->totals.in_flight, lane_in_flight(lane));
	weir_store_relaxed_64(&lane->totals.unsynced, lane_unsynced(lane));
	if (now_ns - lane->count_ns > COUNT_EVERY_NS) {
		lane->count_ns = now_ns;
		lane_count(lane);
	}
	return work;
}

bool lane_waits(const void *lane)
{
	return lane_in_flight(lane) > 0;
}

static void destroy(struct lane *lane)
{
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++)
		if (lane->sources[s].cells)
			cells_destroy(lane->sources[s].cells);
	while (lane->marks_first) {
		struct lane_mark *next = lane->marks_first->next;
		partials_free(lane->marks_first->mark.partials);
		free(lane->marks_first);
		lane->marks_first = next;
	}
	for (uint32_t i = 0; i < lane->rings_count; i++)
		free(lane->rings[i]);
	free(lane->rings);
	free(lane->positions);
	free(lane->series_known);
	free(lane->series_fresh);
	free(lane->series_sketch);
	free(lane->records);
	free(lane);
}

/* A ring that is quarantined, or waits for a series that nobody defines any more, has no more. */
static bool rest_taken(const struct lane *lane)
{
	for (uint32_t i = 0; i < lane->rings_count; i++) {
		const struct drain_ring *drain = &lane->rings[i]->intake->drain;
		if ((int64_t)(lane->rings[i]->rest - drain->next) > 0 && !drain->waiting &&
		    !drain->quarantined)
			return false;
	}
	return true;
}

/* Drain what the producers had published when the stop began: they may be gone before the next
 * engine comes. Milliseconds that it took, by a count of steps. */
static uint32_t drain_rest(struct lane *lane, uint32_t timeout_ms)
{
	struct timespec pause = {.tv_nsec = 1000000};
	uint32_t ms = 0;

	for (uint32_t i = 0; i < lane->rings_count; i++)
		lane->rings[i]->rest = weir_ring_snapshot(lane->rings[i]->intake->drain.header);
	/* What stands still for so long with no write under way will not move: the disk is full, or
	 * a recorded source waits for producers that have not come back. */
	for (uint32_t idle = 0; ms < timeout_ms && idle < REST_IDLE_MS && !rest_taken(lane); ms++) {
		if (lane_step(lane, lane->now_ns) > 0) {
			idle = 0;
			continue;
		}
		idle = lane_waits(lane) ? 0 : idle + 1;
		nanosleep(&pause, NULL);
		lane->now_ns += UINT64_C(1000000);
	}
	return ms;
}

/* Wait until everything is kept, and say so to the producers. The log's last word on each ring is
 * how many events its producer has dropped by now. */
static void settle(struct lane *lane, uint32_t timeout_ms)
{
	struct timespec pause = {.tv_nsec = 1000000};

	close_block(lane);
	int told = lane_ledger(lane);
	for (uint32_t ms = 0; ms < timeout_ms; ms++) {
		writer_sync_soon(lane->writer);
		lane->now_ns += UINT64_C(1000000);
		writer_step(lane->writer, lane->now_ns);
		lane_say_back(lane);
		if (told < 0)
			told = lane_ledger(lane);
		else if (writer_durable(lane->writer) + 1 >= writer_lsn(lane->writer))
			break;
		nanosleep(&pause, NULL);
	}
}

int lane_close(struct lane *lane, uint32_t timeout_ms)
{
	settle(lane, timeout_ms - drain_rest(lane, timeout_ms));
	int error = writer_close(lane->writer, timeout_ms);

	destroy(lane);
	return error;
}

void lane_abandon(struct lane *lane)
{
	writer_abandon(lane->writer);
	destroy(lane);
}
