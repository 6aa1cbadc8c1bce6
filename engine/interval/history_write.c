/*
 * history_write: one transaction of the history.
 *
 * Idea:  rows are sorted, stably, by the key of the chunk they belong to, once for each tier, and
 *        each chunk is read, added to and written once. Within a point rows are added in the order
 *        of the closes, so that sums are the same bit for bit however closes were grouped.
 * Runs on: the history agent; recovery's thread before there is one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "interval/history_private.h"
#include "weir/order.h"

/* Chunks' worth of time that one transaction forgets of a table: forgetting never takes long. */
#define FORGET_CHUNKS 64

static const char *const tier_names[] = {"base", "minute", "hour", "day"};

const char *history_tier_name(enum history_tier tier)
{
	return tier_names[tier];
}

/* Relaxed: counters are for people. */
static void count(uint64_t *counter, uint64_t more)
{
	weir_store_relaxed_64(counter, *counter + more);
}

void history_forget_statements(struct history *history)
{
	sqlite3_finalize(history->find);
	sqlite3_finalize(history->name);
	history->find = history->name = NULL;
	for (uint32_t s = 0; s < history->sources_count; s++) {
		for (int t = 0; t < HISTORY_TIERS; t++) {
			struct history_table *table = &history->sources[s].tables[t];
			sqlite3_finalize(table->load);
			sqlite3_finalize(table->save);
			sqlite3_finalize(table->forget);
			memset(table, 0, sizeof(*table));
		}
	}
}

static int make_source(struct history *history, struct history_source *source)
{
	int error = history_sql_exec(history->db, "INSERT INTO source (name) VALUES (%Q)",
				     source->name);

	source->id = sqlite3_last_insert_rowid(history->db);
	for (int t = 0; t < HISTORY_TIERS && !error; t++)
		if (history_tier_used(t, history->options.interval_ms))
			error = history_sql_exec(history->db,
						 "CREATE TABLE chunk_%lld_%s (key INTEGER PRIMARY "
						 "KEY, data BLOB NOT NULL)",
						 (long long)source->id, tier_names[t]);
	return error;
}

static int open_table(struct history *history, const struct history_source *source,
		      enum history_tier tier, struct history_table *table)
{
	long long id = source->id;
	const char *name = tier_names[tier];
	int64_t key = 0;
	bool none = true;
	char sql[96];

	int error = history_sql_prepare(history->db, &table->load,
					"SELECT data FROM chunk_%lld_%s WHERE key = ?", id, name);
	if (!error)
		error = history_sql_prepare(history->db, &table->save,
					    "INSERT OR REPLACE INTO chunk_%lld_%s VALUES (?, ?)",
					    id, name);
	if (!error)
		error = history_sql_prepare(history->db, &table->forget,
					    "DELETE FROM chunk_%lld_%s WHERE key < ?", id, name);
	snprintf(sql, sizeof(sql), "SELECT min(key) FROM chunk_%lld_%s", id, name);
	if (!error)
		error = history_sql_number(history->db, sql, &key, &none);
	table->oldest = none ? 1 : history_key_chunk(key);
	snprintf(sql, sizeof(sql), "SELECT max(key) FROM chunk_%lld_%s", id, name);
	if (!error)
		error = history_sql_number(history->db, sql, &key, &none);
	table->newest = none ? 0 : history_key_chunk(key);
	return error;
}

static int grow_kinds(struct history *history, uint32_t series)
{
	if (series < history->kinds_count)
		return 0;
	uint32_t more = history->kinds_count * 2 > series ? history->kinds_count * 2
							  : series + 1024;
	uint8_t *kinds = realloc(history->kinds, more);
	if (!kinds)
		return -ENOMEM;
	memset(kinds + history->kinds_count, 0, more - history->kinds_count);
	history->kinds = kinds;
	history->kinds_count = more;
	return 0;
}

static int map_series(struct history *history, uint32_t metric, uint32_t slice, uint32_t series)
{
	if (metric >= history->maps_count) {
		uint32_t more = metric * 2 + 16;
		void *maps = realloc(history->maps, more * sizeof(history->maps[0]));
		if (!maps)
			return -ENOMEM;
		history->maps = maps;
		memset(history->maps + history->maps_count, 0,
		       (more - history->maps_count) * sizeof(history->maps[0]));
		history->maps_count = more;
	}
	struct history_map *map = &history->maps[metric];
	if (slice >= map->count) {
		uint32_t more = slice * 2 + 16;
		uint32_t *grown = realloc(map->series, more * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		memset(grown + map->count, 0, (more - map->count) * sizeof(*grown));
		map->series = grown;
		map->count = more;
	}
	map->series[slice] = series;
	return 0;
}

/* The series of a metric's slice: found, or given the next number. */
static int name_series(struct history *history, const struct history_source *source,
		       const struct history_metric *metric, const char *label, int64_t first,
		       uint32_t *ret_series)
{
	sqlite3_stmt *find = history->find, *name = history->name;

	sqlite3_bind_int64(find, 1, source->id);
	sqlite3_bind_text(find, 2, metric->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(find, 3, label, -1, SQLITE_STATIC);
	sqlite3_bind_int64(find, 4, (int64_t)metric->spec);
	int result = sqlite3_step(find);
	*ret_series = result == SQLITE_ROW ? (uint32_t)sqlite3_column_int64(find, 0) : 0;
	int error = history_sql_errno(history->db, result);
	sqlite3_reset(find);
	if (error < 0 || *ret_series)
		return error;
	if (history->series == HISTORY_SERIES_MAX)
		return -ENOSPC;
	uint32_t series = ++history->series;
	sqlite3_bind_int64(name, 1, series);
	sqlite3_bind_int64(name, 2, source->id);
	sqlite3_bind_text(name, 3, metric->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(name, 4, label, -1, SQLITE_STATIC);
	sqlite3_bind_int64(name, 5, (int64_t)metric->spec);
	sqlite3_bind_int(name, 6, (int)metric->kind);
	sqlite3_bind_int(name, 7, (int)metric->aggregation);
	sqlite3_bind_int(name, 8, (int)metric->sums);
	sqlite3_bind_double(name, 9, metric->quantile);
	sqlite3_bind_int64(name, 10, first);
	error = history_sql_errno(history->db, sqlite3_step(name));
	sqlite3_reset(name);
	if (!error)
		error = grow_kinds(history, series);
	if (!error)
		history->kinds[series] = (uint8_t)metric->kind;
	*ret_series = series;
	return error;
}

/* The interval of a source's first pending row: what is named now is known from there. */
static int64_t first_interval(const struct history_source *source)
{
	const struct history_row *row = (const void *)source->rows.data;

	return source->committed != INT64_MIN     ? source->committed + 1
	       : history_rows_pending(source) > 0 ? row->interval
						  : 0;
}

static int read_name(struct history *history, const struct history_source *source,
		     struct bytes_reader *in)
{
	char metric_name[WEIR_NAME_BYTES_MAX + 1];
	char label[HISTORY_LABEL_BYTES];
	struct history_metric metric = {.name = metric_name};
	uint32_t series;
	uint32_t number = bytes_get_u32(in);
	uint32_t slice = bytes_get_u32(in);

	metric.spec = bytes_get_u64(in);
	metric.kind = (enum history_kind)bytes_get_u32(in);
	metric.aggregation = (enum aggregation)bytes_get_u32(in);
	metric.sums = bytes_get_u32(in);
	metric.quantile = bytes_get_f64(in);
	bytes_get_text(in, metric_name, sizeof(metric_name));
	bytes_get_text(in, label, sizeof(label));
	check(!in->failed && history_kind_words(metric.kind));
	int error = name_series(history, source, &metric, label, first_interval(source), &series);
	return error < 0 ? error : map_series(history, number, slice, series);
}

static int write_names(struct history *history)
{
	static const struct history_metric coverage = {.name = "", .kind = HISTORY_COVERAGE};
	struct bytes_reader names = {.data = history->names.data, .left = history->names.used};
	int error = history_sql_prepare(history->db, &history->find,
					"SELECT id FROM series WHERE source = ? AND metric = ? "
					"AND slice = ? AND spec = ?");

	if (!error)
		error = history_sql_prepare(history->db, &history->name,
					    "INSERT INTO series VALUES (?1, ?2, ?3, ?4, ?5, ?6, "
					    "?7, ?8, ?9, ?10)");
	for (uint32_t s = 0; s < history->sources_count && !error; s++) {
		struct history_source *source = &history->sources[s];
		if (source->id == 0)
			error = make_source(history, source);
		if (!error && source->coverage == 0)
			error = name_series(history, source, &coverage, "", first_interval(source),
					    &source->coverage);
	}
	while (names.left && !error) {
		uint32_t source = bytes_get_u32(&names);
		uint32_t bytes = bytes_get_u32(&names);
		struct bytes_reader in = {.data = bytes_get(&names, bytes), .left = bytes};
		check(!names.failed);
		while (in.left && !error)
			error = read_name(history, &history->sources[source], &in);
	}
	return error;
}

static uint32_t series_of(const struct history *history, const struct history_source *source,
			  const struct history_row *row)
{
	if (row->metric == HISTORY_COVERAGE_METRIC)
		return source->coverage;
	if (row->metric >= history->maps_count || row->slice >= history->maps[row->metric].count)
		return 0;
	return history->maps[row->metric].series[row->slice];
}

/* Chunks before this one are of a time that is forgotten. INT64_MIN: none is. */
static int64_t forgotten(const struct history *history, const struct history_source *source,
			 enum history_tier tier)
{
	int64_t interval_ms = history->options.interval_ms;
	int64_t through_ms = (source->through + 1) * interval_ms;
	/* Relaxed: see history_keep(). */
	uint64_t keep_s = weir_load_relaxed_64(&history->keep_s[tier]);

	if (source->through == INT64_MIN)
		return INT64_MIN;
	/* Tiers that are no finer than the intervals are in these. */
	for (int t = HISTORY_MINUTE; tier == HISTORY_BASE && t < HISTORY_TIERS; t++) {
		uint64_t other_s = weir_load_relaxed_64(&history->keep_s[t]); /* as above */
		if (!history_tier_used(t, interval_ms) && other_s > keep_s)
			keep_s = other_s;
	}
	if (keep_s > (uint64_t)HISTORY_TIME_MAX_MS / 1000)
		return INT64_MIN;
	int64_t first_ms = through_ms - (int64_t)keep_s * 1000;
	return history_chunk_of(history_floor_div(first_ms, history_step_ms(tier, interval_ms)));
}

static int room_for_entries(struct history *history, size_t count)
{
	if (count <= history->entries_count)
		return 0;
	free(history->entries);
	free(history->spare);
	history->entries_count = 0;
	history->entries = malloc(count * sizeof(history->entries[0]));
	history->spare = malloc(count * sizeof(history->entries[0]));
	if (!history->entries || !history->spare)
		return -ENOMEM;
	history->entries_count = count;
	return 0;
}

/* Stable, least significant byte first; bytes that are the same in all keys cost nothing. */
static void sort_entries(struct history *history, size_t count)
{
	static _Thread_local uint32_t counts[8][256];
	struct history_entry *from = history->entries, *to = history->spare;

	memset(counts, 0, sizeof(counts));
	for (size_t i = 0; i < count; i++)
		for (int b = 0; b < 8; b++)
			counts[b][from[i].key >> (8 * b) & 255]++;
	for (int b = 0; b < 8; b++) {
		uint32_t at = 0;
		if (count == 0 || counts[b][from[0].key >> (8 * b) & 255] == count)
			continue;
		for (int d = 0; d < 256; d++) {
			uint32_t here = counts[b][d];
			counts[b][d] = at;
			at += here;
		}
		for (size_t i = 0; i < count; i++)
			to[counts[b][from[i].key >> (8 * b) & 255]++] = from[i];
		struct history_entry *sorted = to;
		to = from;
		from = sorted;
	}
	history->entries = from;
	history->spare = to;
}

static size_t gather(struct history *history, const struct history_source *source,
		     enum history_tier tier)
{
	const struct history_row *rows = (const void *)source->rows.data;
	int64_t interval_ms = history->options.interval_ms;
	int64_t step_ms = history_step_ms(tier, interval_ms);
	int64_t oldest = forgotten(history, source, tier);
	uint32_t count = history_rows_pending(source);
	size_t used = 0;

	for (uint32_t i = 0; i < count; i++) {
		int64_t point = tier == HISTORY_BASE
					? rows[i].interval
					: history_floor_div(rows[i].interval * interval_ms,
							    step_ms);
		int64_t chunk = history_chunk_of(point);
		uint32_t series = series_of(history, source, &rows[i]);
		/* Every row is of the base tier: there each is counted once. */
		history->unnamed += series == 0 && tier == HISTORY_BASE;
		if (chunk < oldest || series == 0)
			continue;
		history->entries[used++] = (struct history_entry){
			.key = (uint64_t)history_key(chunk, series),
			.row = i,
			.point = (uint32_t)(point - chunk * HISTORY_POINTS),
		};
	}
	return used;
}

/* What the table has of the chunk, or an empty one. */
static int load_chunk(struct history *history, struct history_table *table, int64_t key,
		      enum history_kind kind)
{
	int64_t chunk = history_key_chunk(key);

	if (chunk > table->newest || chunk < table->oldest) {
		history_chunk_clear(&history->chunk, kind);
		return 0;
	}
	sqlite3_bind_int64(table->load, 1, key);
	int result = sqlite3_step(table->load);
	int error = history_sql_errno(history->db, result);
	if (result == SQLITE_ROW) {
		error = history_chunk_load(&history->chunk, kind,
					   sqlite3_column_blob(table->load, 0),
					   (size_t)sqlite3_column_bytes(table->load, 0));
		if (error == -EPROTO) {
			if (history->counters.damaged_chunks == 0)
				log_warning("history", "a chunk of %s is damaged: it begins anew",
					    history->path);
			count(&history->counters.damaged_chunks, 1);
			error = 0;
		}
	} else {
		history_chunk_clear(&history->chunk, kind);
	}
	sqlite3_reset(table->load);
	return error;
}

static int save_chunk(struct history *history, struct history_table *table, int64_t key)
{
	bytes_clear(&history->blob);
	history_chunk_save(&history->chunk, &history->blob);
	if (history->blob.failed)
		return -ENOMEM;
	sqlite3_bind_int64(table->save, 1, key);
	sqlite3_bind_blob(table->save, 2, history->blob.data, (int)history->blob.used,
			  SQLITE_STATIC);
	int error = history_sql_errno(history->db, sqlite3_step(table->save));
	sqlite3_reset(table->save);
	count(&history->counters.chunks, 1);
	count(&history->counters.written_bytes, history->blob.used);
	return error;
}

static int write_chunk(struct history *history, const struct history_source *source,
		       struct history_table *table, const struct history_entry *entry, size_t count)
{
	const struct history_row *rows = (const void *)source->rows.data;
	uint32_t series = entry->key & HISTORY_SERIES_MAX;
	enum history_kind kind = (enum history_kind)history->kinds[series];
	int error = load_chunk(history, table, (int64_t)entry->key, kind);

	for (size_t i = 0; i < count && !error; i++) {
		const struct history_row *row = &rows[entry[i].row];
		const uint8_t *sketch = row->sketch ? history->sketches.data + row->words[1] : NULL;
		error = history_chunk_add(&history->chunk, entry[i].point, row->words, sketch,
					  row->sketch ? row->words[2] : 0);
		check(error != -EPROTO); /* it is our own */
	}
	return error ? error : save_chunk(history, table, (int64_t)entry->key);
}

static int forget_old(struct history *history, const struct history_source *source,
		      enum history_tier tier, struct history_table *table)
{
	int64_t until = forgotten(history, source, tier);

	if (table->oldest > table->newest || table->oldest >= until)
		return 0;
	if (until > table->newest)
		until = table->newest;
	if (until - table->oldest > FORGET_CHUNKS)
		until = table->oldest + FORGET_CHUNKS;
	sqlite3_bind_int64(table->forget, 1, history_key(until, 0));
	int error = history_sql_errno(history->db, sqlite3_step(table->forget));
	sqlite3_reset(table->forget);
	count(&history->counters.pruned, (uint64_t)sqlite3_changes(history->db));
	table->oldest = until;
	return error;
}

static int write_tier(struct history *history, struct history_source *source,
		      enum history_tier tier)
{
	struct history_table *table = &source->tables[tier];
	int error = table->save ? 0 : open_table(history, source, tier, table);

	if (!error)
		error = room_for_entries(history, history_rows_pending(source));
	size_t used = error ? 0 : gather(history, source, tier);
	sort_entries(history, used);
	const struct history_entry *entries = history->entries;
	for (size_t i = 0, next; i < used && !error; i = next) {
		for (next = i + 1; next < used && entries[next].key == entries[i].key; next++)
			;
		error = write_chunk(history, source, table, &entries[i], next - i);
	}
	if (used && !error) {
		int64_t first = history_key_chunk((int64_t)entries[0].key);
		int64_t last = history_key_chunk((int64_t)entries[used - 1].key);
		bool none = table->oldest > table->newest;
		table->oldest = none || first < table->oldest ? first : table->oldest;
		table->newest = none || last > table->newest ? last : table->newest;
	}
	return error ? error : forget_old(history, source, tier, table);
}

static int write_all(struct history *history)
{
	int error = write_names(history);
	uint64_t rows = 0;

	history->unnamed = 0; /* a transaction that was rolled back counts nothing */
	for (uint32_t s = 0; s < history->sources_count && !error; s++) {
		struct history_source *source = &history->sources[s];
		uint32_t pending = history_rows_pending(source);
		for (int t = 0; t < HISTORY_TIERS && pending && !error; t++)
			if (history_tier_used(t, history->options.interval_ms))
				error = write_tier(history, source, t);
		if (!error && source->through != source->committed)
			error = history_sql_exec(history->db,
						 "UPDATE source SET through = %lld WHERE id = %lld",
						 (long long)source->through, (long long)source->id);
		rows += pending;
	}
	if (!error)
		error = history_sql_exec(history->db,
					 "UPDATE meta SET value = %lld WHERE key = 'through'",
					 (long long)history->added);
	if (error)
		return error;
	count(&history->counters.rows, rows - history->unnamed);
	count(&history->counters.refused, history->unnamed);
	if (history->unnamed && !history->said_unnamed)
		log_warning("history", "points of slices that were never named are not kept: %llu",
			    (unsigned long long)history->unnamed);
	history->said_unnamed |= history->unnamed != 0;
	return 0;
}

static void roll_back(struct history *history)
{
	history_forget_statements(history);
	/* Some errors (a full disk) make SQLite roll back on its own. */
	if (!sqlite3_get_autocommit(history->db))
		sqlite3_exec(history->db, "ROLLBACK", NULL, NULL, NULL);
	history->series = history->series_committed;
	for (uint32_t s = 0; s < history->sources_count; s++)
		if (!history->sources[s].kept)
			history->sources[s].id = history->sources[s].coverage = 0;
}

void history_count_file(struct history *history)
{
	int64_t pages = 0;

	if (history_sql_number(history->db, "PRAGMA page_count", &pages, NULL) == 0)
		weir_store_relaxed_64(&history->counters.file_bytes, /* for people */
				      (uint64_t)pages * HISTORY_PAGE_BYTES);
	weir_store_relaxed_64(&history->counters.series, history->series); /* the same */
}

int history_write(struct history *history)
{
	int error = history_sql_exec(history->db, "BEGIN IMMEDIATE");

	if (!error)
		error = write_all(history);
	if (!error)
		error = history_sql_exec(history->db, "COMMIT");
	if (error < 0) {
		roll_back(history);
		return error;
	}
	sqlite3_finalize(history->find);
	sqlite3_finalize(history->name);
	history->find = history->name = NULL;
	for (uint32_t s = 0; s < history->sources_count; s++)
		history->sources[s].kept = true;
	history->series_committed = history->series;
	count(&history->counters.commits, 1);
	history_count_file(history);
	return 0;
}
