/*
 * rebase: the state of one source's detectors, made anew from its history.
 *
 * Idea:  what was imported behind live data is in the history, but no detector has seen it. So a
 *        scorer of our own lives through the history again, interval by interval, as if it had
 *        come in order; its state is written to a file, and a REBASE record that names the file
 *        goes into the control log between two closes. Shards and replays load it there: what the
 *        history says later changes nothing.
 *
 *   history ──> scorer of our own ──> checkpoint/rebase-….wreb ──> REBASE ──> every shard
 *               └ the past, while closing goes on ┘└ the last stretch, while the source is held ┘
 *
 * What is taken: the intervals' own tier, as long as it is kept; before that hours and days, as
 * sums, for detectors whose periods are made of them. An interval that nobody closed and of which
 * nothing is known is unknown: not learned. Corrections that come during a rebuild, for intervals
 * it has passed, are in the history and not in the state.
 *
 * What operators say is taken as it is now, for the past too: the calendar, and the incidents that
 * were confirmed (confirmed.h). When they say more while the past is read, it begins anew; what
 * they say in the moments in which the source is held counts from there on only.
 *
 * Runs on: the rebase agent; rebase_ask() and rebase_look() on the control agent. Reads the history
 *          over a connection of its own. Its steps block on disk, a stretch of sixty intervals at
 *          a time.
 */
#ifndef ENGINE_REBASE_H
#define ENGINE_REBASE_H

#include <stdbool.h>
#include <stdint.h>

#include "closing.h"
#include "intake/series.h"
#include "intake/source.h"
#include "keeping.h"
#include "log/io.h"

struct rebase_options {
	struct closing *closing;
	struct keeping *keeping;
	const char *history_path;
	const char *store_path; /* which has the calendar, and what was confirmed */
	const uint64_t *inputs_stored; /* how many inputs that has; NULL: none will come */
	struct io *io; /* the agent's own, and CHECKPOINT_BUFFER_BYTES of its buffers */
	void *buffer;
	const struct series_registry *registry;
	const struct source_table *sources;
	int64_t interval_ms;
};

enum rebase_phase {
	REBASE_IDLE,    /* nothing was asked for since the start */
	REBASE_ASKED,   /* waits until the history has what is closed */
	REBASE_READING, /* the past */
	REBASE_HOLDING, /* waits until the source stands, and the history has it all */
	REBASE_ENDING,  /* the last stretch, while the source is held */
	REBASE_WRITTEN, /* waits until its record is in the log */
	REBASE_DONE,
	REBASE_FAILED,
};

struct rebase;

int rebase_create(const struct rebase_options *options, struct rebase **ret_rebase);
void rebase_destroy(struct rebase *rebase);     /* the agent has been joined */
int rebase_step(void *rebase, uint64_t now_ns); /* agent_step */

/* Begin. `config_text` is in force. 0, -EBUSY (one is under way), -ENOMEM. */
int rebase_ask(struct rebase *rebase, uint32_t source, const char *config_text);
struct rebase_look {
	enum rebase_phase phase;
	uint32_t source;
	uint64_t intervals; /* lived through so far */
	uint64_t hours, days; /* taken as sums before them */
	double part;        /* of one, about */
	uint64_t sequence;  /* REBASE_DONE: of the close before the record */
	int64_t closed;     /* and the interval through which it was closed */
	uint32_t damaged;   /* chunks of the history that could not be read */
	char why[256];      /* REBASE_FAILED */
};
struct rebase_counters { /* since the start */
	uint64_t done, failed, intervals, stretches;
};
void rebase_counters(struct rebase *rebase, struct rebase_counters *ret_counters);
void rebase_look(struct rebase *rebase, struct rebase_look *ret_look);
const char *rebase_phase_name(enum rebase_phase phase);

#endif
