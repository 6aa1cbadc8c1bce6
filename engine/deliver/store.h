/*
 * store: anomalies, their revisions and the outbox, in SQLite (WAL, synchronous=FULL).
 *
 * Idea:  one transaction stores what a group of closes brought: revisions, outbox rows (unique by
 *        id and revision) and "scored through". What comes at or below that mark (a replay after
 *        a crash) is ignored. The outbox keeps a revision until the publisher has seen EXEC.
 * Runs on: the store agent (the only writer). The publisher and the control socket read over
 *          connections of their own.
 */
#ifndef DELIVER_STORE_H
#define DELIVER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deliver/operator.h"
#include "detect/anomaly.h"

struct store;

/* path: of the database file, made if absent; ":memory:" in tests. Negative errno with a text. */
int store_open(const char *path, struct store **ret_store, char *why, size_t why_bytes);
void store_close(struct store *store);

/* Position in the control log: `sequence` counts close records since the store began, from 1. */
uint64_t store_scored_through(const struct store *store);

/* Begin, add, end: one transaction over any number of closes. Revisions of a close at or below
 * scored_through are ignored. store_commit: 0, or negative errno (nothing of it is stored; the
 * same calls may be made again). */
int store_begin(struct store *store);
int store_add(struct store *store, uint64_t sequence, const struct anomaly *anomaly);
int store_commit(struct store *store, uint64_t sequence);
/* What an operator said, in the same transactions; ignored where its number has been stored. */
int store_input(struct store *store, const struct operator_input *input);
/* The mute of an anomaly has ended and it still fires: its last revision goes into the outbox after
 * all. Ignored when what stands before it, close and input, has been stored. */
int store_release(struct store *store, uint64_t sequence, uint64_t number, const uint64_t id[2]);
/* Is a revision for the outbox? Not what is muted, pending, or went before it fired. */
bool store_publishes(const struct anomaly *anomaly);
/* The log ends before what is stored (it was lost, or replaced): what comes above `sequence` is to
 * be stored again. Outside a transaction. 0 or negative errno. */
int store_rewind(struct store *store, uint64_t sequence);
int store_rewind_inputs(struct store *store, uint64_t number);
/* Outbox rows up to `row` have been acknowledged by Redis: forget them. */
int store_acknowledge(struct store *store, uint64_t row);
uint64_t store_outbox_rows(const struct store *store); /* waiting */

/* Reading, over a connection of one's own (any thread). */
struct store_reader;
int store_reader_open(const char *path, struct store_reader **ret_reader);
void store_reader_close(struct store_reader *reader);
/* The oldest outbox row above `after`: 1 and *ret_row, *ret_anomaly; 0: none; negative errno. */
int store_outbox_next(struct store_reader *reader, uint64_t after, uint64_t *ret_row,
		      struct anomaly *ret_anomaly);
struct store_query {
	double severity_min;     /* of the peak: a resolved anomaly is known by it */
	int64_t since_ms;        /* unix; intervals that end after it; 0: all */
	const char *metric;      /* NULL: all */
	uint64_t after_sequence; /* only revisions of closes behind this one; 0: all */
	uint32_t limit;          /* 0: none */
	uint32_t states;         /* 1 << enum anomaly_state of those wanted; 0: all */
	bool pending;   /* of the last of each: also what was only ever pending and is over */
	bool revisions; /* every revision, oldest first; else the last of each, newest first */
};
typedef int store_each(void *self, const struct anomaly *anomaly); /* nonzero stops */
int store_anomalies(struct store_reader *reader, const struct store_query *query, store_each *each,
		    void *self);
/* An anomaly's last revision: 1; 0: there is none; negative errno. */
int store_find(struct store_reader *reader, const uint64_t id[2], struct anomaly *ret_anomaly);
/* The same of its most severe revision, the first of them. */
int store_find_strongest(struct store_reader *reader, const uint64_t id[2],
			 struct anomaly *ret_anomaly);
/* Ids that begin with these hexadecimal digits (at most 32): 0, 1 and *ret_id, 2 for more than one;
 * negative errno. */
int store_match(struct store_reader *reader, const char *digits, uint64_t ret_id[2]);
/* What operators said, newest first. kind: of one sort, or -1. id: of one anomaly, or NULL.
 * ended: of a mute, the number of what ended it; 0: nothing has. */
typedef int store_each_input(void *self, const struct operator_input *input, uint64_t ended);
int store_inputs(struct store_reader *reader, int kind, const uint64_t *id, uint32_t limit,
		 store_each_input *each, void *self);
/* How many of a kind nothing has ended; or negative. */
int64_t store_standing(struct store_reader *reader, enum operator_kind kind);
/* An anomaly's revisions, oldest first, at most `limit` of the newest (0: all). Without what
 * contributes. */
int store_life(struct store_reader *reader, const uint64_t id[2], uint32_t limit, store_each *each,
	       void *self);

/* Following a store: how far somebody has read. Zeroed: from the beginning. */
struct store_position {
	uint64_t row;   /* of the last revision */
	uint64_t input; /* number of the last input */
	uint64_t print; /* of what these two said; 0: not known, whatever stands there is right */
};
/* Has anybody committed since this was last asked? Cheap. 1, 0 or negative errno. */
int store_changed(struct store_reader *reader);
/* What has come since, each in its order, revisions (without what contributes) before inputs, at
 * most `most` of each; inputs only when no revision is left. 0: that was all; 1: there is more;
 * -ESTALE: the position is of another store or of a log that was lost: begin anew. */
int store_follow(struct store_reader *reader, struct store_position *position, uint32_t most,
		 store_each *each, store_each_input *each_input, void *self);
/* Where to begin so that the newest anomalies, so many of them, are followed from their first
 * revision on: the row before it; 0: there are fewer. */
int store_row_before(struct store_reader *reader, uint32_t anomalies, uint64_t *ret_row);

#endif
