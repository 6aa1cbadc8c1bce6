/*
 * store_sql: what the store's writer and its readers share: schema, opening, and how a revision
 * becomes a row and comes back bit for bit.
 *
 *   revision      one row per (id, revision), in order of arrival, never changed
 *   contribution  its contributions, by position; explanation, related: the same of these
 *   outbox        which rows of `revision` Redis has not acknowledged yet, in the order in which
 *                 they are to be told; mostly theirs, but see store_release()
 *   input         what operators said; `mute` is the number of what ends with it, `detail` JSON of
 *                 what only its kind says; views of it: mute, ack, annotation, feedback
 *   meta          scored_through, inputs_through
 *
 * Only for store.c and store_reader.c.
 */
#ifndef DELIVER_STORE_SQL_H
#define DELIVER_STORE_SQL_H

#include <sqlite3.h>
#include <stddef.h>

#include "deliver/operator.h"
#include "detect/anomaly.h"

/* PRAGMA user_version: raised with every change of the schema. */
#define STORE_SCHEMA_VERSION 3

/* Milliseconds to wait for a lock that another connection holds, before -EBUSY. */
#define STORE_BUSY_MS 2000

/* A revision's columns, in the order that store_bind_revision() and store_read_revision() know.
 * `row` stands before them. */
#define STORE_COLUMNS                                                                              \
	"id, revision, sequence, group_id, state, severity, severity_peak, source, metric, "       \
	"detector, kind, slice, direction, interval_ms, start, interval, peak_interval, end_ms, "  \
	"observed, expected, lower, upper, log10_p, incomplete, fired, muted, acknowledged, "      \
	"frequency_ms, usual, fall_1, fall_8, fall_64, rise_1, rise_8, rise_64"
#define STORE_COLUMNS_COUNT 35

/* The same of an input. */
#define STORE_INPUT_COLUMNS                                                                        \
	"number, kind, author, time_ms, text, id, source, metric, detector, slice, "               \
	"severity_below, from_ms, until_ms, mute, detail"
#define STORE_INPUT_COLUMNS_COUNT 15

/* Open with `flags` (SQLITE_OPEN_...), set the busy timeout. Negative errno with a text. */
int store_sql_open(const char *path, int flags, sqlite3 **ret_db, char *why, size_t why_bytes);
/* Make or check the tables. Negative errno with a text. */
int store_sql_migrate(sqlite3 *db, const char *path, char *why, size_t why_bytes);
/* The negative errno that says best what SQLite's last answer on this connection means. */
int store_sql_errno(sqlite3 *db, int result);

/* Doubles go in as REAL, which SQLite keeps to the bit, but for NaN (it would become NULL) and
 * minus zero (it would lose its sign): those go in as a blob of 8 bytes. */
void store_bind_double(sqlite3_stmt *statement, int index, double value);
double store_column_double(sqlite3_stmt *statement, int column);
/* Copies a text column into a field of `size` bytes. 0, or -EBADMSG if it does not fit. */
int store_column_text(sqlite3_stmt *statement, int column, char *text, size_t size);
/* 32 hexadecimal digits. 0 or -EBADMSG. */
int store_column_id(sqlite3_stmt *statement, int column, uint64_t ret_id[2]);

void store_bind_revision(sqlite3_stmt *statement, uint64_t sequence, const struct anomaly *anomaly);
/* From column `first` on. 0, or -EBADMSG: somebody changed the file. No contributions. */
int store_read_revision(sqlite3_stmt *statement, int first, struct anomaly *ret_anomaly);

void store_bind_input(sqlite3_stmt *statement, const struct operator_input *input);
int store_read_input(sqlite3_stmt *statement, int first, struct operator_input *ret_input);

#endif
