/*
 * client: what the files of libweir share. Nothing here is seen outside of the library.
 *
 * Idea:  a handle lives in one mapping of two parts. The first is wiped by the kernel in a forked
 *        child; its `generation` is then 0, matches no thread's, and every path goes the slow way,
 *        where the child makes itself a region of its own. The second part is inherited, so that
 *        the child knows what to make, and what of its parent's to let go.
 *
 *   struct weir    | wiped: generation, series_count, locks | inherited: options, memfds, rings |
 *                     ^
 *   struct emitter    | one per (thread, handle): the private end of the thread's ring, valid while
 *   (thread-local)    | its generation is the handle's
 *
 * Handles are never unmapped, only used again, so that a thread that comes late (its exit, an
 * emit after close) always finds a generation to compare with.
 *
 * Reading order: emit.c (the hot path), clock.c, thread.c, client.c, series.c, memory.c, attach.c,
 * wait.c.
 */
#ifndef WEIR_CLIENT_H
#define WEIR_CLIENT_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "weir/order.h"
#include "weir/region.h"
#include "weir/ring.h"

/* The library is built with hidden symbols; these are the ones that are seen. */
#pragma GCC visibility push(default)
#include "weir/weir.h"
#pragma GCC visibility pop

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* A descriptor of ours. Applications close descriptors they do not know (daemons do); device and
 * inode tell whether the number still means what we opened. */
struct descriptor {
	int fd; /* -1: none */
	dev_t device;
	ino_t inode;
};

/* A sealed memfd of ours and its mapping. */
struct memory {
	struct descriptor descriptor;
	void *map; /* NULL: none */
	size_t bytes;
	bool plugged; /* in a forked child: `map` is private zeros in the place of the parent's */
};

enum offer {
	OFFER_NEW = 0, /* not yet offered over this connection */
	OFFER_SENT,
	OFFER_HELD, /* RING_OK */
	OFFER_REFUSED,
};

/*
 * One ring of this process. `memory`, `writer.slots`, `.mask`, `.header` and `.control` are set
 * before ring_count covers it and stay; the rest of `writer` and `owned` change hands under the
 * handle's lock; `offer` belongs to who runs the attach machine; the floors only grow, by anyone.
 */
struct client_ring {
	struct memory memory;
	struct weir_ring_writer writer; /* where the next owner goes on */
	bool owned;
	enum offer offer;
	/* The greatest ever seen in control pages: a new engine's page starts from zeros. `taken`
	 * is `released` of any engine, `released` that of those that keep a log. */
	uint64_t released, taken, durable, rejected, lost;
};

/* Bytes that a forked child finds zeroed: a multiple of every page size there is. */
#define WIPED_BYTES 65536u

enum attach_state {
	ATTACH_OFF = 0,
	ATTACH_HELLO, /* connected, everything sent, no answer yet */
	ATTACH_ON,    /* WELCOME taken, the engine's control page is in place */
};

/* Belongs to who holds `attach_busy`; `state` and `status` are looked at by others. */
struct attach {
	struct descriptor socket;
	uint32_t state;      /* enum attach_state */
	uint32_t status;     /* a negative errno: of the last refusal; 0 if none since */
	uint64_t retry_at_s; /* coarse monotonic seconds */
	uint64_t rings_retry_at_s;
	uint32_t awaiting; /* 1: an offer is not answered yet; looked at by emits */
	char refusal[sizeof(((struct weir_message *)0)->text)];
};

struct weir {
	union {
		struct {
			/* Unique in this process for each open and each fork; 0: closed, or forked
			 * and not opened again. Compared by every emit. */
			uint64_t generation;
			uint32_t series_count; /* ids 1 .. this are valid */
			uint32_t attach_busy;  /* 1: a thread runs the attach machine */
			/* Region-wide drops that had no region to be counted in yet. */
			uint64_t pending[WEIR_DROP_REASONS];
			_Alignas(128) pthread_mutex_t lock;
		};
		char wiped[WIPED_BYTES];
	};

	struct weir *next_handle; /* all handles there ever were, newest first; never changes */
	uint32_t in_use;          /* enum handle_use, in client.c */

	/* From here on everything is zeroed between two opens. */
	uint32_t ring_count;

	char socket_path[108];
	char source[WEIR_SOURCE_NAME_BYTES];
	char program[32];
	uint32_t clock; /* enum weir_clock_kind */
	uint32_t ring_events;
	uint32_t series_max;
	uint32_t table_bytes;
	uint32_t full_wait_us;
	uint64_t reopen_at_s; /* a forked child that could get no memory tries again then */

	struct memory region;
	void *control; /* WEIR_CONTROL_BYTES, reserved for good: zeros, or an engine's page */
	struct attach attach;
	char refusal[sizeof(((struct weir_message *)0)->text)]; /* the caller's copy */

	/* What the table holds, by our own count: in a forked child the region's header may still
	 * be the parent's, which goes on defining. With the lock held. */
	uint64_t table_used;
	uint32_t defined;
	/* Index of the definitions, private: offsets[id - 1] in the table, buckets of ids. */
	uint32_t *offsets;
	uint32_t *buckets;
	uint32_t bucket_mask;

	struct client_ring rings[WEIR_RINGS_MAX];
};

static inline struct weir_region_header *region_header(const struct weir *w)
{
	return w->region.map;
}

/* No handle ever has one of these generations. */
enum {
	GENERATION_NONE = 1, /* this emitter belongs to no ring */
	GENERATION_BUSY = 2, /* an emit is inside: a signal handler stays out */
	GENERATION_FIRST = 16,
};

/* A thread's private end of its ring in one handle. The first line is all an emit at the
 * caller's time touches. Only its own thread (and that thread's signal handlers) looks here. */
struct emitter {
	_Alignas(64) uint64_t generation;
	/* The tail at which to look up: no room known beyond it, or a while since the last look. */
	uint64_t stop;
	struct weir_ring_writer ring;

	int64_t second; /* of the last look at the socket, coarse clock */
	int64_t nanosecond;
	uint64_t lease; /* the generation under which the ring was taken */
	struct weir *weir;
	struct client_ring *home;
	struct emitter *next;
};

_Static_assert(offsetof(struct emitter, second) == 64, "the hot part is one line");

struct thread {
	struct emitter *current; /* of the last emit; never NULL */
	struct emitter *list;
	uint32_t inside; /* depth of slow calls: a signal handler takes no lock then */
	/* The last time there was no ring for this thread, and in which handle. */
	int64_t starved_second;
	struct weir *starved_weir;
};

/* Initial-exec: one load more than a plain variable, instead of a call. It takes static TLS, of
 * which a library that comes by dlopen gets some hundreds of bytes; this is 40. */
#define THREAD_LOCAL __attribute__((tls_model("initial-exec"))) __thread
extern THREAD_LOCAL struct thread libweir_thread;

/* Orders: what this thread did before it before what it does after, as its own signal handlers see
 * it; the partner is a handler anywhere in between. For the compiler only: a handler runs on the
 * same processor. Without it an emitter could be marked busy too late, or a list be half linked. */
static inline void libweir_handler_fence(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Around everything but the hot path: errno stays the caller's, cancellation waits, and signal
 * handlers are told. */
struct slow_call {
	int error;
	int cancel;
};
struct slow_call libweir_enter(void);
void libweir_leave(struct slow_call call);

/* While memory is made or the engine spoken to, this thread's signals wait: a handler that forks
 * in there would leave a child that goes on with its parent's memory or socket. Nothing blocks
 * meanwhile; what the processor itself raises comes through. */
void libweir_signals_hold(sigset_t *ret_before);
void libweir_signals_release(const sigset_t *before);

/* clock.c */
typedef int (*libweir_clock_function)(clockid_t, struct timespec *);
/* clock_gettime(), or the kernel's own that is behind it. Set by libweir_clock_find(), before there
 * is any handle to emit with. */
extern libweir_clock_function libweir_clock;
void libweir_clock_find(void);

/* client.c */
/* Make sure that the handle is this process's own. 0, -EINVAL (closed), or why a forked child
 * could not open it again. Inside a slow call. */
int libweir_ensure(struct weir *w);
/* Count a region-wide drop (no ring, reentrant, invalid). */
void libweir_drop(struct weir *w, enum weir_drop reason);
/* The seldom things: drops that were counted apart, the attach machine. */
void libweir_maintain(struct weir *w);

/* thread.c: the calling thread's emitter for `w`, NULL: no ring to be had. */
struct emitter *libweir_emitter_find(struct weir *w);
struct emitter *libweir_emitter_get(struct weir *w);
/* Is a look at the socket due (a new second, an answer awaited)? Starts the next second. */
bool libweir_look_due(struct emitter *e);
int libweir_thread_setup(void);

/* memory.c */
int libweir_memory_create(const char *name, size_t bytes, struct memory *memory);
void libweir_memory_drop(struct memory *memory);
/* Let go of all rings: the process's own, or what a forked child inherited of its parent's. */
void libweir_rings_drop(struct weir *w, bool inherited);
int libweir_descriptor_take(int fd, struct descriptor *ret_descriptor);
bool libweir_descriptor_valid(const struct descriptor *descriptor);
void libweir_descriptor_drop(struct descriptor *descriptor);
int libweir_region_create(const struct weir *w, struct memory *ret_memory);
/* Make rings[ring_count], whole, without counting it. With the lock held. */
int libweir_ring_create(struct weir *w);

/* series.c */
bool libweir_utf8_valid(const char *text, size_t bytes);
int libweir_index_create(struct weir *w);
void libweir_index_destroy(struct weir *w);
/* Index the definitions in the region's table up to table_used; counts them in `defined`. */
void libweir_index_rebuild(struct weir *w);

/* attach.c */
void libweir_attach_step(struct weir *w);
/* Hold the attach machine still. false: another thread turns it. Never waits. */
bool libweir_attach_enter(struct weir *w);
void libweir_attach_leave(struct weir *w);
void libweir_attach_reset(struct weir *w);
bool libweir_attached(const struct weir *w);

/* wait.c */
uint64_t libweir_clock_us(void); /* monotonic */
uint64_t libweir_coarse_s(void); /* monotonic, cheap */
/* What the engine last said of a ring, never less than before. */
struct ring_progress {
	uint64_t released, taken, durable, rejected, lost;
	bool unkept; /* the engine of now keeps no log */
};
struct ring_progress libweir_ring_progress(struct client_ring *ring);
/* Sleep until the engine has moved on this ring, or for `slice_us` at most. */
void libweir_ring_sleep(const struct client_ring *ring, uint32_t futex_was, uint32_t slice_us);
int libweir_wait_level(struct weir *w, enum weir_level level, uint32_t timeout_ms);

#endif
