/*
 * ring_ends: producer and consumer of each way through a ring; see ring_run.h.
 *
 * Runs on:  two processes, each pinned to a processor of its own. Neither sleeps; a consumer that
 *           has reached its snapshot looks away before it takes the next one, because one that
 *           chases the tail takes the producer's lines away. ck_ring's has the same manners,
 *           without which it is half as fast.
 */
#include "ring_ends.h"

#include "intake/drain.h"
#include "producer.h"

#define CHUNK 64u
/* A consumer looks away until an eighth of the ring can have been filled, but not for longer. */
#define LAG_NS_MAX 10000u
/* Events between two looks at the clock. */
#define LOOK_EVENTS 16384u
/* Drained at once, as the lane does: 16 KiB, which stay in the first-level cache. */
#define PIECE_EVENTS 1024u
/* Looks at a full ring between two at the clock. */
#define FULL_LOOKS 65536u

CK_RING_PROTOTYPE(event, weir_event)

static bool is_over(uint64_t end_ns)
{
	return monotonic_ns() >= end_ns || producers_interrupted();
}

/* The ring is full. Is there no point in looking again? A consumer that has died leaves it so. */
static inline bool give_up(uint32_t *looks, uint64_t end_ns)
{
	return __builtin_expect(++*looks % FULL_LOOKS == 0, 0) && is_over(end_ns);
}

static void lag(const struct ring_ends *ends)
{
	uint64_t lag_ns = ends->capacity / 8; /* 1 ns an event */
	uint64_t end_ns = monotonic_ns() + (lag_ns < LAG_NS_MAX ? lag_ns : LAG_NS_MAX);
	while (monotonic_ns() < end_ns)
		;
}

/* The sum of ring_event(0) .. ring_event(count - 1), as the consumers add them up. */
static uint64_t sum_of(uint64_t count)
{
	uint64_t numbers = count % 2 ? (count - 1) / 2 * count : count / 2 * (count - 1);
	return (numbers << WEIR_SERIES_BITS) + count + numbers * 3 + count;
}

static inline uint64_t sum_events(const struct weir_event *events, uint64_t count)
{
	uint64_t words = 0, values = 0;
	for (uint64_t i = 0; i < count; i++) {
		words += events[i].word;
		values += events[i].value;
	}
	return words + values;
}

static uint64_t ideal_produce(const struct ring_ends *ends)
{
	struct ring_shared *shared = ends->shared;
	uint64_t mask = ends->capacity - 1, head = 0, tail = 0;
	const uint64_t end_ns = monotonic_ns() + ends->run_ns;
	uint32_t looks = 0;

	while (head % LOOK_EVENTS || !is_over(end_ns)) {
		while (head + CHUNK - tail > ends->capacity) {
			/* Orders: the consumer's reads before the stores into the same slots. */
			tail = weir_load_acquire_64(&shared->tail);
			if (head + CHUNK - tail > ends->capacity && give_up(&looks, end_ns))
				return head;
		}
		struct weir_event *slot = &ends->slots[head & mask];
		for (uint32_t i = 0; i < CHUNK; i += WEIR_RING_LINE)
			weir_prefetch_write(
				&ends->slots[(head + WEIR_RING_AHEAD + i) & mask]);
		for (uint32_t i = 0; i < CHUNK; i++)
			slot[i] = ring_event(head + i);
		head += CHUNK;
		/* Orders: the slots before the head that covers them. */
		weir_store_release_64(&shared->head, head);
	}
	return head;
}

static uint64_t ideal_consume(const struct ring_ends *ends)
{
	struct ring_shared *shared = ends->shared;
	uint64_t mask = ends->capacity - 1, tail = 0, sum = 0, most = ends->capacity / 8;

	for (;;) {
		/* Acquire, the end first: with it comes the last head. */
		uint64_t end = weir_load_acquire_64(&shared->end);
		uint64_t head = weir_load_acquire_64(&shared->head);
		if (tail == end)
			break;
		while (tail != head) {
			uint64_t count = head - tail;
			uint64_t line = ends->capacity - (tail & mask);
			count = count < line ? count : line;
			count = count < most ? count : most;
			sum += sum_events(&ends->slots[tail & mask], count);
			tail += count;
			/* Orders: our reads before the slots are free. */
			weir_store_release_64(&shared->tail, tail);
		}
		lag(ends);
	}
	shared->received = sum;
	return tail;
}

/* `chunk`: events that one store of the tail publishes. */
static inline uint64_t weir_produce(const struct ring_ends *ends, uint32_t chunk)
{
	struct weir_ring_writer ring = {
		.slots = ends->slots,
		.mask = ends->capacity - 1,
		.header = &ends->shared->header,
		.control = &ends->shared->control,
	};
	const uint64_t end_ns = monotonic_ns() + ends->run_ns;
	uint64_t look = 0;
	uint32_t looks = 0;

	for (;;) {
		if (ring.tail >= look) {
			if (is_over(end_ns))
				return ring.tail;
			look = ring.tail + LOOK_EVENTS;
		}
		uint64_t room = weir_ring_room(&ring);
		uint32_t count = room < PIECE_EVENTS ? (uint32_t)room : PIECE_EVENTS;
		if (count == 0 && give_up(&looks, end_ns))
			return ring.tail;
		for (uint32_t done = 0; done < count;) {
			uint32_t part = count - done < chunk ? count - done : chunk;
			/* As weir_emit and weir_emit_many. */
			if (chunk == 1) {
				struct weir_event event = ring_event(ring.tail);
				weir_ring_push(&ring, event.word, event.value);
			} else {
				weir_ring_ahead(&ring, part);
				for (uint32_t i = 0; i < part; i++) {
					struct weir_event event = ring_event(ring.tail);
					weir_ring_put(&ring, event.word, event.value);
				}
				weir_ring_publish(&ring);
			}
			done += part;
		}
	}
}

/* Events below the snapshot, up to the ring's end or a piece. */
static inline uint32_t copy_piece(struct drain_ring *ring, struct weir_event *piece)
{
	const struct weir_event *slots = &ring->slots[ring->next & ring->mask];
	uint64_t line = ring->capacity - (ring->next & ring->mask);
	uint64_t left = ring->tail - ring->next;

	left = left < line ? left : line;
	uint32_t count = left < PIECE_EVENTS ? (uint32_t)left : PIECE_EVENTS;
	for (uint32_t i = 0; i < count; i++)
		piece[i] = weir_ring_read(&slots[i]);
	ring->next += count;
	return count;
}

/* What the lane does when it looks at a ring, without or with everything that it does to an event
 * on the way. */
static inline uint64_t weir_consume(const struct ring_ends *ends, bool whole)
{
	struct ring_shared *shared = ends->shared;
	uint32_t ids[2] = {0, 1};
	struct series_map map = {.ids = ids, .series_max = 1, .mapped = 2};
	struct drain_ring ring = {
		.header = &shared->header,
		.slots = ends->slots,
		.region = &shared->region,
		.map = &map,
		.capacity = ends->capacity,
		.mask = ends->capacity - 1,
		.mapped = 2,
	};
	struct weir_event piece[PIECE_EVENTS];
	uint64_t sum = 0;

	for (;;) {
		/* Acquire: with the end comes the last tail. */
		uint64_t end = weir_load_acquire_64(&shared->end);
		int64_t left = drain_snapshot(&ring);
		if (left < 0 || ring.next == end)
			break;
		while (ring.next != ring.tail) {
			struct batch batch;
			uint64_t low = UINT64_MAX, high = 0;
			uint32_t count;
			if (whole) {
				drain_take(&ring, piece, PIECE_EVENTS, UINT64_MAX, &batch, &low,
					   &high);
				count = batch.count;
			} else {
				count = copy_piece(&ring, piece);
			}
			sum += sum_events(piece, count);
			if (ring.next - ring.released >= ring.capacity / 8 ||
			    ring.next == ring.tail) {
				ring.released = ring.next;
				/* Orders: our copies before the slots are free; partner:
				 * weir_ring_room(). */
				weir_store_release_64(&shared->control.released, ring.next);
			}
		}
		lag(ends);
	}
	shared->received = sum;
	return ring.next;
}

static uint64_t ck_produce(const struct ring_ends *ends)
{
	const uint64_t end_ns = monotonic_ns() + ends->run_ns;
	uint64_t count = 0;
	uint32_t looks = 0;

	while (count % LOOK_EVENTS || !is_over(end_ns)) {
		struct weir_event event = ring_event(count);
		while (!CK_RING_ENQUEUE_SPSC(event, &ends->shared->ck, ends->slots, &event)) {
			if (give_up(&looks, end_ns))
				return count;
			ck_pr_stall();
		}
		count++;
	}
	return count;
}

static uint64_t ck_consume(const struct ring_ends *ends)
{
	struct ring_shared *shared = ends->shared;
	struct weir_event event;
	uint64_t count = 0, sum = 0;

	for (;;) {
		/* Acquire: with the end comes the last event. */
		uint64_t end = weir_load_acquire_64(&shared->end);
		while (CK_RING_DEQUEUE_SPSC(event, &shared->ck, ends->slots, &event)) {
			sum += event.word + event.value;
			count++;
		}
		if (count == end)
			break;
		lag(ends);
	}
	shared->received = sum;
	return count;
}

uint64_t ring_produce(const struct ring_ends *ends, enum ring_way way)
{
	uint64_t count = way == RING_IDEAL    ? ideal_produce(ends)
			 : way == RING_CHUNKS ? weir_produce(ends, CHUNK)
			 : way == RING_CK     ? ck_produce(ends)
					      : weir_produce(ends, 1);
	/* Orders: the last event's publication before the number that ends the run. */
	weir_store_release_64(&ends->shared->end, count);
	ends->shared->sent = sum_of(count);
	return count;
}

uint64_t ring_consume(const struct ring_ends *ends, enum ring_way way)
{
	return way == RING_IDEAL   ? ideal_consume(ends)
	       : way == RING_DRAIN ? weir_consume(ends, true)
	       : way == RING_CK    ? ck_consume(ends)
				   : weir_consume(ends, false);
}
