/*
 * region: what a producer and the engine share, and what they say to set it up.
 *
 * Idea:  the producer makes the memory (memfds, sealed SHRINK|GROW|SEAL, allocated up front), the
 *        engine checks it. Three kinds of memfd:
 *
 *        region    one per process: identity, and the append-only table of its series
 *        ring      one per producing thread: cursor, drop counters, slots
 *        control   made by the engine, one per region, sealed FUTURE_WRITE: what the engine says
 *                  back; no producer can write it
 *
 * Every word has exactly one writer. Fields of different writers are 128 bytes apart (two lines,
 * because the hardware fetches lines in pairs). All little-endian, fixed widths, no pointers.
 *
 * Trust: the engine copies sizes once at attach, masks indexes with its own masks, copies each
 *        slot once and checks the copy. A region that lies is put in quarantine and counted.
 */
#ifndef WEIR_REGION_H
#define WEIR_REGION_H

#include <stddef.h>
#include <stdint.h>

#include "weir/limits.h"

#define WEIR_REGION_MAGIC UINT64_C(0x4e47455252494557)  /* "WEIRREGN" */
#define WEIR_RING_MAGIC UINT64_C(0x474e495252494557)    /* "WEIRRING" */
#define WEIR_CONTROL_MAGIC UINT64_C(0x4c52544352494557) /* "WEIRCTRL" */
#define WEIR_LAYOUT_VERSION 1u

enum weir_clock_kind {
	WEIR_CLOCK_WALL = 0,  /* live: the engine's own time closes intervals */
	WEIR_CLOCK_EVENT = 1, /* recorded: the greatest time seen, less the lateness, closes them */
};

enum weir_region_state {
	WEIR_REGION_OPEN = 0,
	WEIR_REGION_CLOSED = 1, /* weir_close was called: nothing comes after the tails */
};

/*
 * The region's first page. Offset: writer.
 *    0  identity: producer, before the fd is offered, never again
 *  128  table cursor: producer, under its own lock; the engine only reads
 *  256  state and region-wide drop counters: producer, atomic adds
 * If the producer dies anywhere: the cursor covers only whole definitions, because it is
 * release-stored after their bytes.
 */
struct weir_region_header {
	uint64_t magic;
	uint32_t version;
	uint32_t fingerprint; /* weir_layout_fingerprint(): two differently built sides refuse */
	uint8_t uuid[16];
	uint32_t pid;
	uint32_t clock;             /* enum weir_clock_kind */
	uint64_t start_time_ticks;  /* field 22 of /proc/pid/stat, outside of time namespaces: pid
				     * reuse is noticed */
	uint64_t table_bytes;       /* of the series table that follows this page */
	uint32_t rings_max;         /* ring indexes are below this */
	uint32_t series_max;        /* local series ids are 1 .. series_max */
	char source[WEIR_SOURCE_NAME_BYTES]; /* NUL-terminated name of the source, "live" */
	char program[32];                    /* NUL-terminated, for people */

	_Alignas(128) uint64_t table_used; /* bytes of whole definitions; release-stored */
	uint32_t series_count;             /* definitions so far; release-stored after table_used */

	_Alignas(128) uint32_t state;   /* enum weir_region_state; release-stored */
	uint32_t spare;
	uint64_t dropped_no_ring;       /* emits of threads that could get no ring */
	uint64_t dropped_reentrant;     /* emits from a signal handler inside an emit */
	uint64_t dropped_invalid;       /* NaN, infinity, a series that was never defined */
};

#define WEIR_TABLE_OFFSET 4096u

_Static_assert(offsetof(struct weir_region_header, table_used) == 128, "cursor on its own lines");
_Static_assert(offsetof(struct weir_region_header, state) == 256, "state on its own lines");
_Static_assert(sizeof(struct weir_region_header) <= WEIR_TABLE_OFFSET, "header is one page");

enum weir_kind {
	WEIR_NUMBER = 0, /* value takes part in sums */
	WEIR_HASH = 1,   /* value is 63 bits of a hash (distinct counts), bit 62 cleared */
};

/*
 * A definition: this header, then event name, field, and for each dimension {u16 name bytes,
 * u16 value bytes, name, value}; no NULs, UTF-8; padded with zeros to a multiple of 8.
 * The same record stands in a region's table, in the log and in checkpoints. Dimensions are
 * sorted by name (bytewise), so that equal definitions are equal bytes.
 */
struct weir_definition {
	uint32_t bytes; /* of the whole record, padding included */
	uint8_t kind;   /* enum weir_kind */
	uint8_t dimensions;
	uint8_t event_bytes;
	uint8_t field_bytes;
	uint8_t text[];
};

_Static_assert(offsetof(struct weir_definition, text) == 8, "definition header is 8 bytes");

/* Why an attempted event is not in a ring: each is a counter, and their sum and `tail` are the
 * attempts. */
enum weir_drop {
	WEIR_DROP_FULL = 0,    /* ring full, newest dropped */
	WEIR_DROP_TIMEOUT = 1, /* ring full, waited as long as asked */
	WEIR_DROP_NO_RING = 2,
	WEIR_DROP_REENTRANT = 3,
	WEIR_DROP_INVALID = 4,
	WEIR_DROP_REASONS = 5,
};

/*
 * A ring's first page; slots follow at WEIR_RING_OFFSET. Offset: writer.
 *    0  identity: producer, before the fd is offered, never again
 *  128  tail: the producing thread, release-stored after the slot; free-running 64 bits
 *  256  drop counters and owner: the producing thread; read by the engine for the ledger only
 * If the producer dies between slot and tail, the slot is not published and nobody sees it.
 */
struct weir_ring_header {
	uint64_t magic;
	uint32_t version;
	uint32_t fingerprint;
	uint8_t uuid[16];   /* of the region it belongs to */
	uint32_t index;     /* below rings_max */
	uint32_t spare;
	uint64_t capacity;  /* events, a power of two */

	_Alignas(128) uint64_t tail;

	_Alignas(128) uint64_t dropped_full;
	uint64_t dropped_timeout;
	uint32_t owned; /* 1 while a living thread writes here; a free ring is reused */
};

#define WEIR_RING_OFFSET 4096u

_Static_assert(offsetof(struct weir_ring_header, tail) == 128, "tail on its own lines");
_Static_assert(offsetof(struct weir_ring_header, dropped_full) == 256, "drops on their own lines");
_Static_assert(sizeof(struct weir_ring_header) <= WEIR_RING_OFFSET, "header is one page");

enum weir_control_flag {
	WEIR_CONTROL_ATTACHED = 1,    /* this engine drains the ring */
	WEIR_CONTROL_QUARANTINED = 2, /* the ring lied; the engine reads it no more */
	WEIR_CONTROL_SOFT = 4,        /* level `none`: durable means persisted, no sync behind it */
	WEIR_CONTROL_UNKEPT = 8,      /* nothing is kept: released means taken, durable stays 0 */
};

/*
 * What the engine says of one ring: one slot of 128 bytes, index as the ring's. Only the lane that
 * drains the ring writes it. Values only grow, also across engines (a new engine starts from its
 * log). The futex word is the low half of `durable`, or of `released` while someone waits for
 * that; waits sleep in slices, so a dead engine's word holds nobody.
 */
struct weir_control_slot {
	uint64_t released; /* slots below are in the log (or taken): the producer may reuse them */
	uint64_t durable;  /* slots below are on stable storage */
	uint64_t rejected; /* of those released, refused by the engine (bad series, NaN) */
	uint64_t lost;     /* never seen by any engine: the log was behind the oldest slot */
	uint32_t futex;    /* changes whenever released or durable has moved */
	uint32_t flags;    /* enum weir_control_flag */
	uint8_t pad[88];
};

struct weir_control_header {
	uint64_t magic;
	uint32_t version;
	uint32_t fingerprint;
	uint32_t epoch;  /* of the engine that made this */
	uint32_t slots;
	uint8_t pad[104];
};

_Static_assert(sizeof(struct weir_control_slot) == 128, "a slot is two lines");
_Static_assert(sizeof(struct weir_control_header) == 128, "slots start at 128");

/* Bytes of a control memfd: header and slots, rounded up to pages. */
#define WEIR_CONTROL_BYTES                                                                         \
	(((size_t)(1 + WEIR_RINGS_MAX) * sizeof(struct weir_control_slot) + 4095) & ~(size_t)4095)

static inline const struct weir_control_slot *weir_control_slots(const void *control)
{
	return (const struct weir_control_slot *)((const char *)control +
						  sizeof(struct weir_control_header));
}

/* Sizes and offsets of everything shared, folded into one word. */
static inline uint32_t weir_layout_fingerprint(void)
{
	uint32_t parts[] = {
		sizeof(struct weir_region_header),
		offsetof(struct weir_region_header, table_used),
		offsetof(struct weir_region_header, state),
		sizeof(struct weir_ring_header),
		offsetof(struct weir_ring_header, tail),
		offsetof(struct weir_ring_header, dropped_full),
		sizeof(struct weir_control_slot),
		WEIR_RINGS_MAX,
		WEIR_LAYOUT_VERSION,
		16 /* bytes of an event */,
	};
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		hash = (hash ^ parts[i]) * 16777619u;
	return hash;
}

/*
 * Attach: messages over a SOCK_SEQPACKET UNIX socket, one struct each, at most one descriptor.
 *
 *   producer                             engine
 *   HELLO   (fd: region)           ->
 *                                  <-    WELCOME (fd: control)      or REFUSED (status, text)
 *   RING    (fd: ring, index)      ->
 *                                  <-    RING_OK (index, sequence)  or REFUSED (index, ...)
 *
 * RING may be sent before WELCOME is read. The same steps serve a first attach and every one after
 * an engine's restart. While an engine holds a region, a HELLO of the same user with the same uuid
 * replaces only the socket; rings that it already holds are answered RING_OK again.
 */
#define WEIR_MESSAGE_MAGIC 0x52494557u /* "WEIR" */

enum weir_message_type {
	WEIR_MESSAGE_HELLO = 1,
	WEIR_MESSAGE_WELCOME = 2,
	WEIR_MESSAGE_RING = 3,
	WEIR_MESSAGE_RING_OK = 4,
	WEIR_MESSAGE_REFUSED = 5,
};

struct weir_message {
	uint32_t magic;
	uint16_t version; /* WEIR_LAYOUT_VERSION */
	uint16_t type;    /* enum weir_message_type */
	uint32_t index;   /* of the ring */
	int32_t status;   /* REFUSED: a negative errno */
	uint64_t sequence; /* RING_OK: the first sequence the engine will read */
	char text[104];   /* REFUSED: NUL-terminated, says what to do */
};

_Static_assert(sizeof(struct weir_message) == 128, "messages are 128 bytes");

/* Where an engine listens when nothing else is said: $WEIR_SOCKET, else this. */
#define WEIR_SOCKET_DEFAULT "/run/weir/weir.sock"

#endif
