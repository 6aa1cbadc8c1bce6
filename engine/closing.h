/*
 * closing: the agent that closes intervals. Owns the control log.
 *
 * Idea:  marks come from the lanes once their blocks are kept; when all lanes have marked an
 *        interval, a CLOSE record goes into the control log; when that is kept too, the close and
 *        its partials go to every shard as one job. So nothing is scored that a crash could take
 *        back, and a replay of the control log makes the same jobs.
 *
 *        What an operator decides goes the same way, a record and a job of its own, so that live
 *        and replay meet it between the same two closes.
 *
 *      lanes ── marks ──> [ closer ] ── CLOSE ──> control log ── kept ──> jobs ──> every shard
 *
 * Runs on: the closing agent. Never waits for a shard: jobs wait in its list.
 */
#ifndef ENGINE_CLOSING_H
#define ENGINE_CLOSING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/queue.h"
#include "intake/series.h"
#include "intake/source.h"
#include "interval/close.h"
#include "lane.h"
#include "log/writer.h"
#include "scorer.h"

/* Jobs that wait at a shard at most: beyond that they wait here, their cells in memory. */
#define CLOSING_JOBS_MAX 64u

/* What somebody decides, for the control log. `text` is its data (malloc'd, no NUL counted). */
struct closing_record {
	enum weir_control_kind kind; /* CONFIG, INPUT, REBASE */
	char *text;
	size_t bytes;
	struct config *config;        /* CONFIG: the text, parsed */
	struct operator_input *input; /* INPUT: the text, parsed */
	/* REBASE: `text` is a struct weir_control_rebase. */
	uint32_t source;
	struct bytes *sections; /* what stands in its file */
	char *config_text;      /* under which it was made */
};
void closing_record_free(struct closing_record *record);

/* What a checkpoint needs beside the scorers' sections; made here, used by the storing agent. */
struct checkpoint_request {
	struct bytes positions;
	uint64_t resume_lsn[WEIR_LANES_MAX]; /* retention may not pass these */
	bool needs_dropped; /* cells are still to be read from lanes that this engine has not */
};

struct closing_options {
	struct writer_options writer; /* of the control log */
	struct io *read_io;           /* to rebuild partials that memory had no room for */
	struct closer *closer;        /* from recovery; the agent's while it runs */
	uint64_t sequence;            /* of the last close in the log */
	struct source_table *sources;
	struct lane_source_start *starts;
	uint32_t lanes, shards;
	struct queue **marks;  /* [lanes] */
	struct queue **jobs;   /* [shards] */
	struct queue *records; /* struct closing_record, from the control agent; NULL: none come */
	uint32_t epoch;
	int64_t interval_ms;
	uint64_t started_ms; /* unix */
	const char *config_text;
	bool config_changed; /* write it: the log's last one differs */
	bool sources_lost;   /* write them all: the log has lost records that told of them */
	uint32_t series_max;
	const struct series_registry *registry; /* a checkpoint names the series that wait in it */
	uint32_t checkpoint_intervals; /* at least this many intervals between checkpoints */
	uint64_t intervals;            /* closed since the last one, by engines before */
	bool resumed; /* the store is not new: wall intervals until now had downtime */
};

struct closing;

/* Opens the control log and writes the epoch (and configuration). */
int closing_create(const struct closing_options *options, struct closing **ret_closing);
/* The records written so far are kept: lanes may start. Bounded by timeout_ms. */
int closing_settle(struct closing *closing, uint32_t timeout_ms);
int closing_step(void *closing, uint64_t now_ns); /* agent_step */
/* Give a source a number, from the intake agent. It is ready for lanes once it is in the control
 * log. now_ms: unix time, where a wall source begins. Number, or -ENOSPC, -EEXIST (the name has
 * another clock). */
int closing_new_source(struct closing *closing, const char *name, enum weir_clock_kind clock,
		       int64_t lateness_ms, uint64_t now_ms);
uint64_t closing_sequence(const struct closing *closing); /* any thread */
/* How many of the records that were submitted are kept, in their order. Any thread. */
uint64_t closing_records_kept(const struct closing *closing);
/*
 * A rebase, by an agent of its own, one at a time. Hold the closes of a source back (other sources
 * go on) until it is let go, or until the record that is submitted meanwhile is in the log.
 */
void closing_hold(struct closing *closing, uint32_t source);
/* true: it stands, behind this close of the log, closed through this interval. */
bool closing_held(struct closing *closing, uint64_t *ret_sequence, int64_t *ret_closed);
void closing_let_go(struct closing *closing);
enum closing_rebased { REBASED_WAITING, REBASED_KEPT, REBASED_REFUSED };
/* Takes the record over. */
void closing_rebase(struct closing *closing, struct closing_record *record);
/* What became of it. Refused: another configuration is in force. */
enum closing_rebased closing_rebased(const struct closing *closing);
/* Does a record of so many bytes fit into a block at all? */
bool closing_takes(const struct closing *closing, size_t bytes);
int64_t closing_closed(const struct closing *closing, uint32_t source); /* any thread; INT64_MIN */
int32_t closing_failing(const struct closing *closing);
int closing_close(struct closing *closing, uint32_t timeout_ms);
void closing_abandon(struct closing *closing);

#endif
