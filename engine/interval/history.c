/*
 * history: the writer: what comes in, and what becomes of its file. See history.h.
 *
 * Rows and names wait as they came; history_write.c gives them series and chunks inside one
 * transaction. A transaction that fails is rolled back and made again from the same rows.
 */
#include "interval/history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "interval/history_private.h"
#include "weir/order.h"

/* Files moved aside are numbered up to here; the last number is used again. */
#define DAMAGED_MAX 99

static void move_aside(const char *path)
{
	static const char *const endings[] = {"", "-wal", "-shm"};
	char from[4200], to[4200];
	int number = 1;

	for (; number < DAMAGED_MAX; number++) {
		snprintf(to, sizeof(to), "%s.damaged-%d", path, number);
		if (access(to, F_OK) != 0)
			break;
	}
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		snprintf(from, sizeof(from), "%s%s", path, endings[i]);
		snprintf(to, sizeof(to), "%s.damaged-%d%s", path, number, endings[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			unlink(from);
	}
	log_warning("history", "moved %s aside to %s.damaged-%d", path, path, number);
}

static int load_sources(struct history *history)
{
	sqlite3_stmt *statement;
	int result = sqlite3_prepare_v2(history->db,
					"SELECT id, name, through, (SELECT id FROM series WHERE "
					"source = source.id AND metric = '') FROM source",
					-1, &statement, NULL);

	history->sources_count = 0;
	while (result == SQLITE_OK || result == SQLITE_ROW) {
		result = sqlite3_step(statement);
		if (result != SQLITE_ROW || history->sources_count == WEIR_SOURCES_MAX)
			break;
		struct history_source *source = &history->sources[history->sources_count++];
		const char *name = (const char *)sqlite3_column_text(statement, 1);
		source->id = sqlite3_column_int64(statement, 0);
		source->kept = true;
		snprintf(source->name, sizeof(source->name), "%s", name ? name : "");
		source->through = sqlite3_column_type(statement, 2) == SQLITE_NULL
					  ? INT64_MIN
					  : sqlite3_column_int64(statement, 2);
		source->committed = source->through;
		source->coverage = (uint32_t)sqlite3_column_int64(statement, 3);
	}
	sqlite3_finalize(statement);
	return history_sql_errno(history->db, result);
}

static int load_kinds(struct history *history)
{
	int64_t count = 0;
	sqlite3_stmt *statement;
	int error = history_sql_number(history->db, "SELECT max(id) FROM series", &count, NULL);

	if (error < 0 || count < 0 || count > HISTORY_SERIES_MAX)
		return error < 0 ? error : -EBADMSG;
	history->kinds_count = (uint32_t)count + 1024;
	history->kinds = calloc(history->kinds_count, 1);
	if (!history->kinds)
		return -ENOMEM;
	history->series = history->series_committed = (uint32_t)count;
	int result = sqlite3_prepare_v2(history->db, "SELECT id, kind FROM series", -1, &statement,
					NULL);
	while (result == SQLITE_OK || result == SQLITE_ROW) {
		result = sqlite3_step(statement);
		if (result != SQLITE_ROW)
			break;
		int64_t id = sqlite3_column_int64(statement, 0);
		uint32_t kind = (uint32_t)sqlite3_column_int64(statement, 1);
		if (id > 0 && id <= count && history_kind_words(kind))
			history->kinds[id] = (uint8_t)kind;
	}
	sqlite3_finalize(statement);
	return history_sql_errno(history->db, result);
}

/* The interval must be the engine's: points are numbered by it. */
static int check_meta(struct history *history, char *why, size_t why_bytes)
{
	const char *path = history->path;
	int64_t version = 0, interval_ms = 0, mine = 0;
	char sql[160];
	int error = history_sql_number(history->db, "PRAGMA user_version", &version, NULL);

	if (!error && version == 0)
		error = history_sql_create(history->db, history->options.interval_ms,
					   history->options.store);
	else if (!error && version > HISTORY_SCHEMA_VERSION) {
		snprintf(why, why_bytes,
			 "%s was written by a newer weir (schema %lld): run that one, or move the "
			 "file away to begin the history anew",
			 path, (long long)version);
		return -EPROTO;
	}
	if (error < 0)
		return error;
	snprintf(sql, sizeof(sql), "SELECT value = '%.64s' FROM meta WHERE key = 'store'",
		 history->options.store);
	error = history_sql_number(history->db, sql, &mine, NULL);
	if (!error && !mine)
		error = -EBADMSG; /* of another store: its numbers mean nothing here */
	if (!error)
		error = history_sql_number(history->db,
					   "SELECT value FROM meta WHERE key = 'interval_ms'",
					   &interval_ms, NULL);
	if (!error && interval_ms != history->options.interval_ms) {
		snprintf(why, why_bytes,
			 "%s was made with an interval of %lld ms, the configuration says %lld ms; "
			 "keep the interval, or begin a new data directory",
			 path, (long long)interval_ms, (long long)history->options.interval_ms);
		return -EINVAL;
	}
	return error;
}

int history_load_state(struct history *history)
{
	int64_t through = 0;
	int error = history_sql_number(history->db, "SELECT value FROM meta WHERE key = 'through'",
				       &through, NULL);

	if (!error)
		error = load_sources(history);
	if (!error)
		error = load_kinds(history);
	history->added = history->committed = (uint64_t)through;
	history_count_file(history);
	return error == -ENOENT ? -EBADMSG : error;
}

static int open_once(struct history *history, char *why, size_t why_bytes)
{
	int error = history_sql_open(history->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
				     &history->db);

	if (!error)
		error = check_meta(history, why, why_bytes);
	if (!error)
		error = history_load_state(history);
	if (error == -ENOENT && history->db)
		error = -EBADMSG; /* a row that every history has */
	if (error < 0 && history->db) {
		sqlite3_close_v2(history->db);
		history->db = NULL;
		free(history->kinds);
		history->kinds = NULL;
	}
	return error;
}

int history_open(const struct history_options *options, struct history **ret_history,
		 bool *ret_moved, char *why, size_t why_bytes)
{
	struct history *history = calloc(1, sizeof(*history));
	int error = -ENOMEM;

	if (ret_moved)
		*ret_moved = false;
	why[0] = '\0';
	if (history)
		history->path = strdup(options->path);
	if (history && history->path) {
		history->options = *options;
		history_keep(history, &options->keep);
		history_chunk_init(&history->chunk);
		error = open_once(history, why, why_bytes);
		if (error == -EBADMSG) {
			move_aside(history->path);
			if (ret_moved)
				*ret_moved = true;
			error = open_once(history, why, why_bytes);
		}
	}
	if (error < 0) {
		if (!why[0])
			snprintf(why, why_bytes,
				 "cannot open the history %s: %s; see its disk and its owner, or "
				 "move it away to begin a new one",
				 options->path, strerror(-error));
		history_close(history);
		return error;
	}
	*ret_history = history;
	return 0;
}

void history_close(struct history *history)
{
	if (!history)
		return;
	history_forget_statements(history);
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++)
		bytes_fini(&history->sources[s].rows);
	for (uint32_t m = 0; m < history->maps_count; m++)
		free(history->maps[m].series);
	sqlite3_close_v2(history->db);
	bytes_fini(&history->names);
	bytes_fini(&history->sketches);
	bytes_fini(&history->blob);
	history_chunk_fini(&history->chunk);
	free(history->maps);
	free(history->kinds);
	free(history->entries);
	free(history->spare);
	free(history->path);
	free(history);
}

static struct history_source *find_source(struct history *history, const char *name)
{
	for (uint32_t s = 0; s < history->sources_count; s++)
		if (strcmp(history->sources[s].name, name) == 0)
			return &history->sources[s];
	if (history->sources_count == WEIR_SOURCES_MAX)
		return NULL;
	struct history_source *source = &history->sources[history->sources_count++];
	snprintf(source->name, sizeof(source->name), "%s", name);
	source->through = source->committed = INT64_MIN;
	return source;
}

static bool in_time(const struct history *history, int64_t interval)
{
	int64_t ms;

	return !__builtin_mul_overflow(interval, history->options.interval_ms, &ms) &&
	       ms > -HISTORY_TIME_MAX_MS && ms < HISTORY_TIME_MAX_MS;
}

/* What is late corrects; anything else at or before `through` has been here already: a log that
 * lost its end closes the same intervals again. */
static void take_rows(struct history *history, struct history_source *source,
		      const struct history_rows *rows, int64_t through)
{
	const struct history_row *row = (const void *)rows->rows.data;
	size_t count = rows->rows.used / sizeof(*row);
	uint64_t base = history->sketches.used;

	bytes_put(&history->sketches, rows->sketches.data, rows->sketches.used);
	for (size_t i = 0; i < count; i++) {
		if ((!row[i].late && row[i].interval <= through) ||
		    !in_time(history, row[i].interval)) {
			weir_store_relaxed_64(&history->counters.refused,
					      history->counters.refused + 1);
			continue;
		}
		struct history_row *kept = bytes_put(&source->rows, &row[i], sizeof(row[i]));
		if (kept && kept->sketch)
			kept->words[1] += base;
	}
}

static void take_names(struct history *history, uint32_t source, const struct history_rows *rows)
{
	if (rows->names.used == 0)
		return;
	bytes_put_u32(&history->names, source);
	bytes_put_u32(&history->names, (uint32_t)rows->names.used);
	bytes_put(&history->names, rows->names.data, rows->names.used);
}

/* Which intervals are known: every shard scores the same ones. */
static void take_intervals(struct history *history, struct history_source *source,
			   const struct history_rows *rows, int64_t through)
{
	const struct history_interval *interval = (const void *)rows->intervals.data;
	size_t count = rows->intervals.used / sizeof(*interval);

	for (size_t i = 0; i < count; i++) {
		struct history_row row = {
			.metric = HISTORY_COVERAGE_METRIC,
			.interval = interval[i].interval,
			.words = {1, interval[i].incomplete != 0},
		};
		if (row.interval > through && in_time(history, row.interval))
			bytes_put(&source->rows, &row, sizeof(row));
	}
}

static size_t close_bytes(const struct history_close *close)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < close->shards; i++)
		bytes += history_rows_bytes(&close->rows[i]);
	return bytes;
}

static bool lose(struct history *history, const char *why)
{
	if (!history->said_lost)
		log_error("history", "intervals are missing from the history from here on: %s",
			  why);
	history->said_lost = true;
	/* Relaxed: for people. */
	weir_store_relaxed_64(&history->counters.lost_closes, history->counters.lost_closes + 1);
	return false;
}

bool history_add(struct history *history, const struct history_close *close)
{
	bool known = close->sequence <= history->added;
	struct history_source *source = find_source(history, close->source);
	size_t bytes = close_bytes(close);

	if (!known)
		history->added = close->sequence;
	if (history->damaged)
		return !known && lose(history, "its file is damaged; start again to rebuild it");
	if (!source)
		return !known && lose(history, "there are too many sources in it");
	/* Names are given once: they are taken whatever becomes of the rows. */
	for (uint32_t i = 0; i < close->shards; i++)
		take_names(history, (uint32_t)(source - history->sources), &close->rows[i]);
	if (known)
		return false;
	if (history->pending_bytes &&
	    history->pending_bytes + bytes > history->options.pending_bytes_max)
		return lose(history, "it cannot be written; see the data directory's disk");
	int64_t through = source->through;
	for (uint32_t i = 0; i < close->shards; i++)
		take_rows(history, source, &close->rows[i], through);
	if (close->shards)
		take_intervals(history, source, &close->rows[0], through);
	if (close->through > source->through)
		source->through = close->through;
	history->pending_bytes += bytes;
	/* An engine without memory for its rows has none for anything. */
	check(!history->names.failed && !history->sketches.failed && !source->rows.failed);
	return true;
}

static void forget_pending(struct history *history)
{
	for (uint32_t s = 0; s < history->sources_count; s++) {
		history->sources[s].committed = history->sources[s].through;
		bytes_clear(&history->sources[s].rows);
	}
	bytes_clear(&history->names);
	bytes_clear(&history->sketches);
	history->pending_bytes = 0;
}

int history_commit(struct history *history)
{
	if (history->damaged)
		return -EBADMSG;
	if (history->added == history->committed)
		return 0;
	int error = history_write(history);
	if (!error) {
		forget_pending(history);
		history->said_lost = false;
		/* Orders: the rows in the file before the word that they are; partner:
		 * history_through(), whose readers write a checkpoint and let the log go. */
		weir_store_release_64(&history->committed, history->added);
		weir_store_relaxed_32(&history->gave_up, 0); /* a hint, see history_gave_up() */
		return 0;
	}
	if (error == -EBADMSG) {
		log_error("history", "%s is damaged; start again to rebuild it from the log",
			  history->path);
		history_forget_statements(history);
		sqlite3_close_v2(history->db);
		history->db = NULL;
		move_aside(history->path);
		forget_pending(history);
		history->damaged = true;
	}
	if (history->damaged || history->pending_bytes > history->options.pending_bytes_max / 2)
		weir_store_relaxed_32(&history->gave_up, 1); /* a hint, as above */
	return error;
}

int history_rewind(struct history *history, uint64_t sequence)
{
	if (history->damaged || sequence >= history->added)
		return 0;
	int error = history_sql_exec(history->db,
				     "UPDATE meta SET value = %lld WHERE key = 'through'",
				     (long long)sequence);
	if (error < 0)
		return error;
	history->added = sequence;
	weir_store_release_64(&history->committed, sequence); /* as in history_commit() */
	return 0;
}

uint64_t history_through(const struct history *history)
{
	/* Orders: see history_commit(). */
	return weir_load_acquire_64(&history->committed);
}

uint64_t history_added(const struct history *history)
{
	return history->added;
}

uint64_t history_pending_bytes(const struct history *history)
{
	return history->pending_bytes;
}

bool history_gave_up(const struct history *history)
{
	/* Relaxed: it only decides whether a checkpoint waits a little longer. */
	return weir_load_relaxed_32(&history->gave_up) != 0;
}

void history_keep(struct history *history, const struct history_keep *keep)
{
	/* Relaxed: each stands for itself, and the next commit is early enough. */
	for (int t = 0; t < HISTORY_TIERS; t++)
		weir_store_relaxed_64(&history->keep_s[t], keep->keep_s[t]);
}

void history_counters(const struct history *history, struct history_counters *ret_counters)
{
	const uint64_t *from = (const uint64_t *)&history->counters;
	uint64_t *to = (uint64_t *)ret_counters;

	for (size_t i = 0; i < sizeof(*ret_counters) / sizeof(*to); i++)
		to[i] = weir_load_relaxed_64(&from[i]); /* for people */
}
