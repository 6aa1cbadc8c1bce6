/*
 * peer: what a user would take instead of weir, driven as fast as it can be, and asked afterwards
 * what it has kept.
 *
 * Idea:  all get the same events (plan.h), and each is run the same way: in a process of its own
 *        with a directory of its own, one thread that sends on one processor and whoever takes the
 *        events on another. The time runs from before the first event until all have arrived and,
 *        where the peer keeps them on disk, until they are synced. Then what arrived is read back
 *        and compared with the plan by series. A rate counts what arrived, never what was sent.
 *
 * To add one: a `const struct peer peer_NAME` in a file peer_NAME.c, a row in PEERS, a name in
 * meson.build.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan.h"
#include "processor.h"

#define PEERS(ROW)                                                                                 \
	ROW(weir)                                                                                  \
	ROW(lttng)                                                                                 \
	ROW(redis_100)                                                                             \
	ROW(redis_1000)                                                                            \
	ROW(redis_memory)                                                                          \
	ROW(statsd)                                                                                \
	ROW(statsd_packed)                                                                         \
	ROW(fwrite)                                                                                \
	ROW(ck_ring)

#define PEER_DECLARE(name) extern const struct peer peer_##name;

/* What a run is given. */
struct peer_task {
	const char *directory;       /* its own and empty; on the disk */
	const char *weird, *weirctl; /* programs; NULL: look for them */
	uint32_t series;
	uint64_t run_ns;      /* send for at least this long */
	uint64_t events_max;  /* of a run: what the disk and the memory have room for */
	int sender, receiver; /* for processor_pin() */
	bool keep;            /* leave what it wrote in place, and say where */
};

/* What a run says. */
struct peer_result {
	uint64_t sent;
	uint64_t kept;  /* found again afterwards */
	uint64_t wrong; /* series whose count or sum differs, though as many arrived as were sent */
	uint64_t bytes; /* of what is kept; 0: it keeps sums, not events */
	double seconds;
	char why[1500]; /* what went wrong, or which series is; "" */
};

struct peer {
	const char *name;   /* the figure is compare.NAME */
	const char *title;  /* a few words for the table and the chart */
	const char *driven; /* how, and what it has done with the events when the clock stops */
	uint32_t batch;     /* events of a request, where run() serves several peers */
	bool on_disk;
	/* 0; or -ENOENT, and in `why` which package brings it. */
	int (*available)(const struct peer_task *task, char *why, size_t why_bytes);
	/* 0: measured (look at kept and wrong); or a negative errno with ret_result->why. */
	int (*run)(const struct peer *peer, const struct peer_task *task,
		   struct peer_result *ret_result);
};

PEERS(PEER_DECLARE)

/* peer->run in a process of its own, with what it started ended and its directory made before and
 * removed after, unless it is to be kept. */
int peer_measure(const struct peer *peer, const struct peer_task *task,
		 struct peer_result *ret_result);

/* What was found again, by series. */
struct peer_books {
	const struct plan *plan;
	uint64_t *counts, *sums;
	uint64_t events;
	uint64_t strangers; /* of no series, or without a value of the plan */
};

/* 0 or -ENOMEM. */
int peer_books_init(struct peer_books *books, const struct plan *plan);
void peer_books_fini(struct peer_books *books);

static inline void peer_books_add(struct peer_books *books, uint64_t index, double value)
{
	if (index >= books->plan->series || !(value >= 1 && value <= PLAN_VALUES)) {
		books->strangers++;
		return;
	}
	books->events++;
	books->counts[index]++;
	books->sums[index] += (uint64_t)value;
}

/* Fill in kept and wrong from what was sent. */
void peer_books_close(const struct peer_books *books, uint64_t sent,
		      struct peer_result *ret_result);

/* Send until the time is up: a loop over `peer_going(...)` sends PEER_CHUNK events each time. */
#define PEER_CHUNK 4000u
struct peer_watch {
	uint64_t first_ns, end_ns, events_max;
};
void peer_watch_start(struct peer_watch *watch, const struct peer_task *task);
bool peer_going(const struct peer_watch *watch, uint64_t sent);
double peer_seconds(const struct peer_watch *watch);

/* Start a program of the system: `directory` is its home and where its output goes (NAME.log), user
 * 0 stays what it is, any other is become. Its pid or a negative errno; it ends with this
 * process. */
struct peer_program {
	const char *path;
	char *const *arguments; /* NULL-terminated, the first is its name */
	const char *home, *name;
	int processor;
	uid_t user;
};
pid_t peer_start(const struct peer_program *program);
bool peer_runs(pid_t pid);
/* The exit status, or a negative errno: -ETIMEDOUT and -EINTR, killed. */
int peer_wait(pid_t pid, uint32_t timeout_ms);
/* Ask it to end, wait. */
void peer_end(pid_t pid);
/* The last line that NAME.log has, for who must find out why. */
void peer_quote(const char *home, const char *name, char *text, size_t text_bytes);
/* fdatasync a file by name. 0 or a negative errno. */
int peer_sync(const char *path);

#endif
