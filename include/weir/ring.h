/*
 * ring: one writer, one reader, events of 16 bytes, in a sealed memfd; both ends side by side.
 *
 * Idea:  free-running 64-bit cursors. The producer publishes each event by release-storing `tail`;
 *        the engine says in the control slot (another memfd, which the producer cannot write) how
 *        far slots may be reused. Each side keeps its own cursor and a cached copy of the other's
 *        in private memory, and reads the other's line only when the cache says full or empty.
 *        The engine takes a snapshot of `tail`, drains that, and looks away for a while: a reader
 *        that chases the tail costs the writer 80 ns an event instead of 1.
 *
 *          released          next (engine)        tail
 *             |  in flight     |   to drain         |   free
 *   ..........[################[====================[..........
 *             `--- not reusable before its block is in the log --'
 *
 *   who runs beside whom       | push | full? | snapshot | copy out
 *   producing thread:  push    |  -   |   -   |   yes    |  yes (other slots)
 *   draining lane:     snapshot| yes  |  yes  |    -     |   -
 *   Two threads pushing to one ring, or two lanes draining it, is a bug.
 */
#ifndef WEIR_RING_H
#define WEIR_RING_H

#include "weir/event.h"
#include "weir/order.h"
#include "weir/region.h"

/* The producer's private end. */
struct weir_ring_writer {
	struct weir_event *slots;
	uint64_t mask;
	uint64_t tail;     /* next sequence to write */
	uint64_t released; /* cached; slots below tail - capacity need a fresh look */
	struct weir_ring_header *header;
	const struct weir_control_slot
		*control; /* at a reserved address: zeros, or an engine's page */
};

/* Free slots by the cached cursor; only when that says none, by the engine's word. */
static inline uint64_t weir_ring_room(struct weir_ring_writer *ring)
{
	uint64_t used = ring->tail - ring->released;
	if (__builtin_expect(used <= ring->mask, 1))
		return ring->mask + 1 - used;
	/* Orders: the engine's copies out of the slots, then its store of `released`, before our
	 * stores into the same slots. Partner: the lane's release in engine/lane.c. Without it a
	 * slot could be overwritten while the engine still reads it. A value below the cached one
	 * or above the tail cannot come from an honest engine; it is ignored: taken as a distance
	 * from the cached one it is too far, also where the cursors roll over. */
	uint64_t released = weir_load_acquire_64(&ring->control->released);
	if (released - ring->released <= used)
		ring->released = released;
	return ring->mask + 1 - (ring->tail - ring->released);
}

/* So far ahead of the slot that is written its line is asked for. The engine has read the slots of
 * the lap before, and has their lines; a store into one waits for it to come back, for some hundred
 * nanoseconds where the processors are far apart, and the stores behind it wait too. With 32 lines
 * on their way none is waited for. */
#define WEIR_RING_AHEAD 128u
#define WEIR_RING_LINE (64u / sizeof(struct weir_event))

/* Ask for the lines that lie so far ahead of the next `count` events. */
static inline void weir_ring_ahead(const struct weir_ring_writer *ring, uint32_t count)
{
	const uint64_t tail = ring->tail + WEIR_RING_AHEAD;
	for (uint32_t i = 0; i < count; i += WEIR_RING_LINE)
		weir_prefetch_write(&ring->slots[(tail + i) & ring->mask]);
}

/* Store one event; nobody sees it yet. The caller has seen room, and asks for lines ahead. */
static inline void weir_ring_put(struct weir_ring_writer *ring, uint64_t word, uint64_t value)
{
	const uint64_t tail = ring->tail;
	struct weir_event *slot = &ring->slots[tail & ring->mask];
	ring->tail = tail + 1;
	slot->word = word;
	slot->value = value;
}

/* Show everything that was put. Orders: the slots before the tail that covers them. Seen by:
 * weir_ring_snapshot(). Without it the engine could read a slot that is still being written. */
static inline void weir_ring_publish(struct weir_ring_writer *ring)
{
	weir_store_release_64(&ring->header->tail, ring->tail);
}

/* Store one event and publish it. The caller has seen room. */
static inline void weir_ring_push(struct weir_ring_writer *ring, uint64_t word, uint64_t value)
{
	const uint64_t tail = ring->tail;
	struct weir_ring_header *header = ring->header;
	if (tail % WEIR_RING_LINE == 0)
		weir_ring_ahead(ring, 1);
	weir_ring_put(ring, word, value);
	/* As weir_ring_publish(); the tail is known here, and need not be read again. */
	weir_store_release_64(&header->tail, tail + 1);
}

/* The engine's look at the tail. Orders: this before the copies of the slots below it; partner:
 * weir_ring_publish(). The value is a claim: the caller checks it against its own cursor. */
static inline uint64_t weir_ring_snapshot(const struct weir_ring_header *header)
{
	return weir_load_acquire_64(&header->tail);
}

/* The engine's copy of a slot below a snapshot. Its words are loaded exactly once each: volatile,
 * so that the compiler cannot go back to shared memory for what the caller has checked. The
 * snapshot's acquire has ordered them. */
static inline struct weir_event weir_ring_read(const struct weir_event *slot)
{
	return (struct weir_event){.word = *(const volatile uint64_t *)&slot->word,
				   .value = *(const volatile uint64_t *)&slot->value};
}

#endif
