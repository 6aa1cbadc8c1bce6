/*
 * history_sql: the history's database: opening, schema, keys. Shared by its writer and reader.
 *
 *   meta    key, value            interval_ms, store, through (the watermark)
 *   source  id, name, through     through: its last closed interval
 *   series  id, source, metric, spec, slice, kind, aggregation, sums, quantile, first
 *   chunk_S_T  key, data          for each source S and tier T: key = chunk << 28 | series
 *
 * A table for each source and tier, so that new chunks are always its last rows: pages fill up to
 * the end. Sources have their own times: one that replays the past is forgotten by its own.
 */
#ifndef INTERVAL_HISTORY_SQL_H
#define INTERVAL_HISTORY_SQL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "interval/history.h"

#define HISTORY_SCHEMA_VERSION 1
#define HISTORY_SERIES_MAX ((1u << 28) - 1)
/* Times are 42 bits of milliseconds; a chunk is at least a minute. Before 1970 there are some. */
#define HISTORY_TIME_MAX_MS (INT64_C(1) << 42)
#define HISTORY_CHUNK_OFFSET (INT64_C(1) << 32)

/* A connection that reads. */
struct history_reader {
	sqlite3 *db;
	int64_t interval_ms;
};

/* Milliseconds of a tier's point: the interval, a minute, an hour, a day. */
int64_t history_step_ms(enum history_tier tier, int64_t interval_ms);
/* Is the tier kept beside finer ones? A tier as fine as the intervals is not. */
bool history_tier_used(enum history_tier tier, int64_t interval_ms);

static inline int64_t history_floor_div(int64_t a, int64_t b)
{
	int64_t quotient = a / b;
	return quotient - (a % b < 0);
}

static inline int64_t history_chunk_of(int64_t point)
{
	return history_floor_div(point, HISTORY_POINTS);
}

static inline int64_t history_key(int64_t chunk, uint32_t series)
{
	return (int64_t)((uint64_t)(chunk + HISTORY_CHUNK_OFFSET) << 28 | series);
}

static inline int64_t history_key_chunk(int64_t key)
{
	return (key >> 28) - HISTORY_CHUNK_OFFSET;
}

int history_sql_errno(sqlite3 *db, int result);
/* 0, -EBADMSG (damaged), or another negative errno. */
int history_sql_open(const char *path, int flags, sqlite3 **ret_db);
/* Formats are those of sqlite3_mprintf(). A prepared statement lasts. */
int history_sql_exec(sqlite3 *db, const char *format, ...);
int history_sql_prepare(sqlite3 *db, sqlite3_stmt **ret_statement, const char *format, ...);
/* One number; -ENOENT: no row. A NULL gives 0 and *ret_null (may be NULL). */
int history_sql_number(sqlite3 *db, const char *sql, int64_t *ret_number, bool *ret_null);
/* Make an empty database what it should be. */
int history_sql_create(sqlite3 *db, int64_t interval_ms, const char *store);

#endif
