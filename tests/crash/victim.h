/*
 * victim: a producer that is to be killed, and what its shared memory shows to who kills it.
 *
 * Event n of victim `id` is a function of both, value and time, so that in the log each event says
 * whose it is, and a torn one shows. The killer maps the victim's ring: the tail in it, read after
 * the death, is what has been published.
 *
 * Between slot and tail: the killer stops the victim and lets it make single steps (ptrace), and
 * after each looks at the slot behind the tail. What it holds of the event that comes there says
 * where in an emit the victim is. No line of the library knows.
 */
#ifndef TESTS_CRASH_VICTIM_H
#define TESTS_CRASH_VICTIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "site.h"
#include "weir/ring.h"
#include "weir/weir.h"

#define VICTIM_RING_EVENTS 256u
/* Odd victims write by weir_emit_many, so many at a time. */
#define VICTIM_BATCH 24u

/* Shared by the victim and its killer. */
struct victim {
	uint64_t start_ms; /* time of its event 0; set before it starts */
	uint32_t id;
	int ring_fd;
	uint32_t series;  /* its own id of it */
	uint32_t ready;   /* 1: an engine has persisted its first event */
	uint32_t seen;    /* 1: the killer has its view, and it may die */
	uint32_t refused; /* 1: it could not even begin */
	uint64_t cpu_ns;  /* > 0: it dies by itself after so much work */
	uint64_t tail;    /* the killer's: what was published when it died */
};

/* Where in an emit. */
enum victim_place {
	VICTIM_BETWEEN = 0, /* the slot behind the tail shows nothing new */
	VICTIM_HALF,        /* one of its two words */
	VICTIM_WHOLE,       /* both; the tail does not cover them */
	VICTIM_BATCH_OPEN,  /* several such slots */
	VICTIM_PLACES,
};

/* The killer's look at a ring. */
struct victim_view {
	const struct weir_ring_header *header;
	const struct weir_event *slots;
	size_t bytes;
};

struct weir_event victim_event(const struct victim *victim, uint64_t n);
/* Whose event it is and which; false: nobody's. `victims` of them are known. */
bool victim_of_event(const struct weir_event *event, uint64_t *ret_id, uint64_t *ret_n);

/* Starts it. Then wait for `ready`. */
pid_t victim_start(const struct site *site, struct victim *victim);
/* A handle with its series defined. NULL: none. */
weir *victim_open(const struct site *site, uint32_t ring_events, int *ret_series);

/* Once it is ready. false: its memory cannot be seen. */
bool victim_look(const struct victim *victim, pid_t pid, struct victim_view *ret_view);
void victim_look_away(struct victim_view *view);
enum victim_place victim_place(const struct victim *victim, const struct victim_view *view);

/* ptrace works here. */
bool victim_can_stop(void);
/* Stop it inside an emit; `linger`: so many steps behind the first sight of its event, if it is
 * still not published then. Where it is; VICTIM_BETWEEN: it could not be caught, and goes on. */
enum victim_place victim_stop(const struct victim *victim, pid_t pid,
			      const struct victim_view *view, uint64_t linger);
/* One that was stopped goes on. */
void victim_continue(pid_t pid);

#endif
