/*
 * drain: out of a ring, into a block. Copy each slot once, check the copy, map the series.
 *
 * Idea:  the tail is read once per look (drain_snapshot) and then left alone. The slots below it
 *        are copied front to back into the block that is being filled; only the copies are looked
 *        at. An event is good if its series is mapped, its value finite and its time below the
 *        limit: three comparisons joined into one branch that practically never goes the other
 *        way. A slot that fails is judged by the slow path: refused and counted, or the drain
 *        stops before it.
 *
 *            next                                tail (snapshot)
 *              |  copied by this take  |          |
 *   ...........[#######################[----------[.............
 *                                ^ the map's line of this slot, 64 ahead, is being fetched
 *
 * Runs on:  the lane that owns the ring.
 * Never:    reads a shared field twice for one decision; follows an index or a length that the
 *           producer can write; touches a slot at or above the snapshot.
 */
#include <errno.h>

#include "base/check.h"
#include "intake/drain.h"

/* How far ahead the map is prefetched: a miss to memory takes about as long as 64 events. */
#define PREFETCH_EVENTS 64u
/* Slots that a producer may be writing above the tail it last published; kept clear of in the rare
 * case where it does not know our `released` yet (see outrun()). */
#define OUTRUN_MARGIN 64u
#define OUTRUN_TRIES_MAX 4

#define SERIES_CLEAR (~WEIR_SERIES_MASK)

/* One take while it runs. Passed by value where the loop is: all of it lives in registers then. */
struct take {
	const uint32_t *ids;
	uint32_t span;      /* local ids 1 .. span are mapped */
	uint64_t word_last; /* words above are at or beyond the time limit */
	uint64_t word_min, word_max;
	struct weir_event *out;
	uint32_t slots; /* read, in this take */
	uint32_t count; /* written to out */
};

static int64_t quarantine(struct drain_ring *ring)
{
	ring->quarantined = true;
	ring->waiting = false; /* for nothing any more: no mark waits for a liar */
	return -EPROTO;
}

/* Can an honest producer be at `tail`? It never goes back, and writes at most one lap beyond what
 * it was told is released. Until we have released up to where it stood when it came (`grace`), it
 * may still go by the word of an earlier engine, which cannot have reached beyond that point. */
static bool tail_plausible(const struct drain_ring *ring, uint64_t tail)
{
	uint64_t told = ring->released > ring->grace ? ring->released : ring->grace;
	return tail >= ring->tail && tail >= ring->next && tail <= told + ring->capacity;
}

int64_t drain_snapshot(struct drain_ring *ring)
{
	if (ring->quarantined)
		return -EPROTO;
	/* What a lane has drained to the end and let go must not grow again, whoever may still
	 * write there: a process that lives, or one that shares the memory of a dead one. */
	if (ring->settled)
		return (int64_t)(ring->tail - ring->next);
	/* Orders: the producer's end before our last look; partner: the intake agent's finish(). */
	ring->settled = weir_load_acquire_32(&ring->over);
	/* The one look at the tail; what follows uses this copy. */
	uint64_t tail = weir_ring_snapshot(ring->header);
	if (!tail_plausible(ring, tail))
		return quarantine(ring);
	if (tail - ring->next > ring->capacity) {
		/* Within the grace: overwritten on an earlier engine's word. */
		ring->lost += tail - ring->capacity - ring->next;
		ring->next = tail - ring->capacity;
	}
	ring->tail = tail;
	return (int64_t)(tail - ring->next);
}

/* A slot that is on its way in; what it says is only good for a hint. */
static inline void prefetch_series(const struct take *take, const struct weir_event *slot)
{
	uint64_t word = *(const volatile uint64_t *)&slot->word;
	uintptr_t at = (uintptr_t)take->ids + sizeof(uint32_t) * weir_event_series(word);
	__builtin_prefetch((const void *)at);
}

/* An event of the common kind: true. Anything else: false, nothing changed. */
static inline bool take_event(struct take *take, struct weir_event event)
{
	uint32_t local = weir_event_series(event.word);
	/* One branch for all: series 0 wraps around to a huge number. */
	bool good = (local - 1 < take->span) & (event.word <= take->word_last) &
		    weir_bits_finite(event.value);
	if (__builtin_expect(!good, 0))
		return false;
	uint32_t id = take->ids[local];
	/* A refused definition has id 0: written, but not kept, without a branch. */
	uint64_t keep = -(uint64_t)(id != 0);
	uint64_t low = event.word | ~keep, high = event.word & keep;
	take->out[take->count].word = (event.word & SERIES_CLEAR) | id;
	take->out[take->count].value = event.value;
	take->count += (uint32_t)(keep & 1);
	take->word_min = low < take->word_min ? low : take->word_min;
	take->word_max = high > take->word_max ? high : take->word_max;
	take->slots++;
	return true;
}

/* Why did an event fail? true: refuse it and go on; false: stop before it. */
static bool judge_event(struct drain_ring *ring, const struct take *take, struct weir_event event)
{
	uint32_t local = weir_event_series(event.word);

	if (!local || !weir_bits_finite(event.value))
		return true;
	if (event.word > take->word_last)
		return false;
	check(local > take->span);
	/* Orders: the producer's count before our answer; a definition is published before the
	 * first event that uses it (partner: weir_series of the client), and we have acquired the
	 * tail, so an honest event's series is covered by what we load here. */
	uint32_t published = weir_load_acquire_32(&ring->region->series_count);
	if (published > ring->map->series_max)
		published = ring->map->series_max;
	if (local > published)
		return true;
	/* Relaxed: a hint; the agent looks at the table on every step anyway. */
	if (weir_load_relaxed_32(&ring->map->wanted) <= local)
		weir_store_relaxed_32(&ring->map->wanted, local + 1);
	ring->waiting = true;
	return false;
}

/* Take up to `slots` slots from ring->next on; fewer if one stops us. */
static struct take take_slots(struct drain_ring *ring, struct take take, uint32_t slots)
{
	uint64_t ahead = ring->tail - ring->next; /* slots that may be looked at */
	/* So many slots have one 64 ahead of them that is below the snapshot. */
	uint64_t far = ahead > PREFETCH_EVENTS ? ahead - PREFETCH_EVENTS : 0;
	uint64_t first = ring->next, mask = ring->mask;
	const struct weir_event *base = ring->slots;

	while (take.slots < slots) {
		uint64_t line = ring->capacity - ((first + take.slots) & mask); /* to the wrap */
		uint32_t end = slots - take.slots < line ? slots : take.slots + (uint32_t)line;
		uint32_t fetched = far < end ? (uint32_t)far : end;
		const struct weir_event *at = &base[(first + take.slots) & mask];
		struct weir_event event = {0};
		bool good = true;

		while (take.slots < fetched) {
			prefetch_series(&take,
					&base[(first + take.slots + PREFETCH_EVENTS) & mask]);
			event = weir_ring_read(at);
			good = take_event(&take, event);
			if (!good)
				break;
			at++;
		}
		while (good && take.slots < end) {
			event = weir_ring_read(at);
			good = take_event(&take, event);
			at++;
		}
		if (!good) {
			struct take seen = take; /* a copy: the loop's own never leaves registers */
			if (!judge_event(ring, &seen, event))
				break;
			take.slots++;
		}
	}
	return take;
}

/*
 * Has the producer overwritten what we just copied? Only possible while it goes by an earlier
 * engine's `released` that our log does not reach (a wiped data directory, a damaged log). The
 * front of the take is then lost, and counted; true: take again from where it is sound.
 */
static bool outrun(struct drain_ring *ring)
{
	if (__builtin_expect(ring->next >= ring->grace, 1))
		return false;
	/* Orders: the copies of the slots (volatile, and an acquire's fence stands before) before
	 * this look. A copy is sound if the tail was less than a lap ahead after it was made. */
	uint64_t tail = weir_ring_snapshot(ring->header);
	if (tail <= ring->released + ring->capacity && tail >= ring->tail)
		return false; /* it keeps to our word */
	if (!tail_plausible(ring, tail)) {
		quarantine(ring);
		return true;
	}
	uint64_t margin = ring->capacity / 4 < OUTRUN_MARGIN ? ring->capacity / 4 : OUTRUN_MARGIN;
	uint64_t sound = tail - (ring->capacity - margin);
	if (sound > ring->tail)
		sound = ring->tail;
	if (sound <= ring->next)
		return false;
	ring->lost += sound - ring->next;
	ring->next = sound;
	return true;
}

uint32_t drain_take(struct drain_ring *ring, struct weir_event *out, uint32_t room,
		    uint64_t time_limit_ms, struct batch *batch, uint64_t *time_min_ms,
		    uint64_t *time_max_ms)
{
	struct take take;

	ring->waiting = false;
	*batch = (struct batch){.events = out,
				.ring = ring->number,
				.source = ring->source,
				.first_sequence = ring->next};
	/* The lane's own bound: it acquired `map->mapped` and put those definitions into the log.
	 */
	uint32_t mapped = ring->mapped;
	for (int tries = 0;; tries++) {
		if (ring->quarantined || tries == OUTRUN_TRIES_MAX) {
			batch->first_sequence = ring->next;
			return 0;
		}
		check(ring->tail - ring->next <= ring->capacity);
		uint64_t left = ring->tail - ring->next;
		take = (struct take){
			.ids = ring->map->ids,
			.span = mapped ? mapped - 1 : 0,
			.word_last = time_limit_ms > WEIR_TIME_MS_MAX
					     ? UINT64_MAX
					     : (time_limit_ms << WEIR_SERIES_BITS) -
						       !!time_limit_ms,
			.word_min = UINT64_MAX,
			.out = out,
		};
		take = take_slots(ring, take, left < room ? (uint32_t)left : room);
		if (!outrun(ring))
			break;
	}
	batch->first_sequence = ring->next;
	batch->count = take.count;
	batch->rejected = take.slots - take.count;
	ring->next += take.slots;
	ring->rejected += batch->rejected;
	if (take.count) {
		uint64_t low = weir_event_time_ms(take.word_min);
		uint64_t high = weir_event_time_ms(take.word_max);
		*time_min_ms = low < *time_min_ms ? low : *time_min_ms;
		*time_max_ms = high > *time_max_ms ? high : *time_max_ms;
	}
	return take.slots;
}
