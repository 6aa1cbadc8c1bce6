/*
 * history_private: the writer's struct, shared by history.c (what comes in) and history_write.c
 * (the transaction). Nobody else includes this.
 */
#ifndef INTERVAL_HISTORY_PRIVATE_H
#define INTERVAL_HISTORY_PRIVATE_H

#include "base/bytes.h"
#include "interval/history.h"
#include "interval/history_sql.h"
#include "weir/limits.h"

/* The number of no metric: a row of the source's own, which intervals are known. */
#define HISTORY_COVERAGE_METRIC HISTORY_METRICS_MAX

/* One tier's table of one source. */
struct history_table {
	sqlite3_stmt *load, *save, *forget; /* NULL: not used in this transaction yet */
	int64_t oldest, newest;             /* chunks in it; oldest > newest: none */
};

struct history_source {
	char name[WEIR_SOURCE_NAME_BYTES];
	int64_t id;        /* in the database; 0: none yet */
	bool kept;         /* its row there is committed */
	int64_t through;   /* last closed interval, pending ones included; INT64_MIN: none */
	int64_t committed; /* the same as committed */
	uint32_t coverage; /* series of the source's own rows; 0: not known yet */
	struct bytes rows; /* struct history_row[], pending, in the order of the closes */
	struct history_table tables[HISTORY_TIERS];
};

/* Series by the numbers that the scorers use. */
struct history_map {
	uint32_t *series; /* [count]; 0: not named */
	uint32_t count;
};

struct history_entry {
	uint64_t key;
	uint32_t row, point;
};

struct history {
	struct history_options options;
	char *path;
	sqlite3 *db;
	sqlite3_stmt *find, *name;      /* series */
	uint64_t keep_s[HISTORY_TIERS]; /* stored relaxed by any thread */
	struct history_source sources[WEIR_SOURCES_MAX];
	uint32_t sources_count;
	uint64_t added;               /* last close that came */
	uint64_t committed;           /* stored relaxed: see history_through() */
	struct bytes names, sketches; /* pending; names: u32 source, then as history_rows_name() */
	uint64_t pending_bytes;
	uint32_t gave_up; /* stored relaxed */
	bool said_lost, said_unnamed, damaged;

	/* Of a transaction. */
	struct history_map *maps; /* [maps_count], by the number of a metric */
	uint32_t maps_count;
	uint8_t *kinds; /* [kinds_count], by series */
	uint32_t kinds_count;
	uint32_t series, series_committed;     /* the highest id */
	struct history_entry *entries, *spare; /* [entries_count] */
	size_t entries_count;
	uint64_t unnamed; /* rows whose slice has no series */
	struct history_chunk chunk;
	struct bytes blob;
	struct history_counters counters;
};

/* history_write.c: all that is pending, between BEGIN and COMMIT. */
int history_write(struct history *history);
/* Counters of what the file has. */
void history_count_file(struct history *history);
/* Statements are gone, tables are looked at afresh. */
void history_forget_statements(struct history *history);
/* history.c */
int history_load_state(struct history *history);

static inline uint32_t history_rows_pending(const struct history_source *source)
{
	return (uint32_t)(source->rows.used / sizeof(struct history_row));
}

#endif
