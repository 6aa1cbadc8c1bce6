/*
 * history_scan: see history_scan.h.
 */
#include "interval/history_scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "interval/history_sql.h"
#include "interval/sketch.h"

/* A chunk of the stretch in memory. */
struct loaded {
	struct history_scanned *series;
	uint64_t present;
	size_t words;    /* offset in `words`, in words */
	uint32_t stride; /* words of a point */
	size_t sketches; /* offset in `sketches` of u32 bytes[60], behind it the sketches; or NONE
			  */
};
#define NONE SIZE_MAX

struct history_scan {
	sqlite3 *db;
	sqlite3_stmt *begin, *commit, *name, *seek, *load;
	int64_t source;
	int64_t from, next; /* points from here on; chunk to be looked at next */
	int64_t chunk;      /* of the stretch in memory */
	uint32_t at;        /* its next point */
	uint32_t coverage;  /* 1 + index in loaded of the source's own series; 0: none */

	history_scan_meaning *meaning; /* NULL: all series are wanted */
	void *meaning_self;
	struct history_scanned **series; /* by id; NULL: of another source, or none */
	uint32_t series_count;
	uint32_t named; /* ids up to this one have been looked at */

	struct loaded *loaded;
	uint32_t loaded_count, loaded_capacity;
	struct bytes words, sketches;
	struct history_scan_row *rows; /* [loaded_capacity] */
	struct history_chunk scratch;
	uint32_t damaged;
};

/* Statements of every stretch: to parse them costs as much as to read one. */
static int prepare(struct history_scan *scan, enum history_tier tier)
{
	const char *name = history_tier_name(tier);
	long long source = scan->source;
	int error = history_sql_prepare(scan->db, &scan->begin, "BEGIN");

	if (!error)
		error = history_sql_prepare(scan->db, &scan->commit, "COMMIT");
	if (!error)
		error = history_sql_prepare(scan->db, &scan->name,
					    "SELECT id, metric, spec, slice, kind FROM series "
					    "WHERE source = %lld AND id > ?1 ORDER BY id",
					    source);
	if (!error)
		error = history_sql_prepare(scan->db, &scan->seek,
					    "SELECT min(key) FROM chunk_%lld_%s WHERE key >= ?1",
					    source, name);
	if (!error)
		error = history_sql_prepare(scan->db, &scan->load,
					    "SELECT key, data FROM chunk_%lld_%s WHERE key >= ?1 "
					    "AND key < ?2 ORDER BY key",
					    source, name);
	return error;
}

static int run(struct history_scan *scan, sqlite3_stmt *statement)
{
	int result = sqlite3_step(statement);

	sqlite3_reset(statement);
	return history_sql_errno(scan->db, result);
}

static int find_source(struct history_scan *scan, const char *name)
{
	sqlite3_stmt *statement;
	int result = sqlite3_prepare_v2(scan->db, "SELECT id FROM source WHERE name = ?", -1,
					&statement, NULL);

	if (result != SQLITE_OK)
		return history_sql_errno(scan->db, result);
	sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
	result = sqlite3_step(statement);
	int error = history_sql_errno(scan->db, result);
	if (result == SQLITE_ROW)
		scan->source = sqlite3_column_int64(statement, 0);
	else if (!error)
		error = -ENOENT;
	sqlite3_finalize(statement);
	return error;
}

int history_scan_open(const char *path, const char *source, enum history_tier tier, int64_t from,
		      struct history_scan **ret_scan)
{
	struct history_scan *scan = calloc(1, sizeof(*scan));

	if (!scan)
		return -ENOMEM;
	history_chunk_init(&scan->scratch);
	int error = history_sql_open(path, SQLITE_OPEN_READONLY, &scan->db);
	if (!error)
		error = find_source(scan, source);
	if (!error)
		error = prepare(scan, tier);
	if (error < 0) {
		history_scan_close(scan);
		return error;
	}
	history_scan_again(scan, from);
	*ret_scan = scan;
	return 0;
}

void history_scan_close(struct history_scan *scan)
{
	if (!scan)
		return;
	for (uint32_t i = 0; i < scan->series_count; i++) {
		if (!scan->series[i])
			continue;
		free(scan->series[i]->metric);
		free(scan->series[i]->slice);
		free(scan->series[i]);
	}
	free(scan->series);
	free(scan->loaded);
	free(scan->rows);
	bytes_fini(&scan->words);
	bytes_fini(&scan->sketches);
	history_chunk_fini(&scan->scratch);
	sqlite3_finalize(scan->begin);
	sqlite3_finalize(scan->commit);
	sqlite3_finalize(scan->name);
	sqlite3_finalize(scan->seek);
	sqlite3_finalize(scan->load);
	sqlite3_close_v2(scan->db);
	free(scan);
}

void history_scan_again(struct history_scan *scan, int64_t from)
{
	scan->from = from;
	scan->next = history_chunk_of(from);
	scan->at = HISTORY_POINTS;
}

int64_t history_tier_ms(enum history_tier tier, int64_t interval_ms)
{
	return history_step_ms(tier, interval_ms);
}

uint32_t history_scan_damaged(const struct history_scan *scan)
{
	return scan->damaged;
}

static int keep_series(struct history_scan *scan)
{
	sqlite3_stmt *statement = scan->name;
	uint32_t id = (uint32_t)sqlite3_column_int64(statement, 0);
	const char *metric = (const char *)sqlite3_column_text(statement, 1);
	const char *slice = (const char *)sqlite3_column_text(statement, 3);
	uint32_t kind = (uint32_t)sqlite3_column_int64(statement, 4);

	if (id > HISTORY_SERIES_MAX || !metric || !slice || !history_kind_words(kind))
		return -EBADMSG;
	if (id >= scan->series_count) {
		uint32_t count = 2 * id + 64;
		void *series = realloc(scan->series, count * sizeof(*scan->series));
		if (!series)
			return -ENOMEM;
		scan->series = series;
		memset(scan->series + scan->series_count, 0,
		       (count - scan->series_count) * sizeof(*scan->series));
		scan->series_count = count;
	}
	struct history_scanned *one = calloc(1, sizeof(*one));
	if (!one)
		return -ENOMEM;
	*one = (struct history_scanned){
		.id = id,
		.spec = (uint64_t)sqlite3_column_int64(statement, 2),
		.kind = (enum history_kind)kind,
		.metric = strdup(metric),
		.slice = strdup(slice),
	};
	scan->series[id] = one;
	scan->named = id;
	return one->metric && one->slice ? 0 : -ENOMEM;
}

/* Series that have been named since the last look. */
static int name_series(struct history_scan *scan)
{
	int error = 0, result = SQLITE_DONE;

	sqlite3_bind_int64(scan->name, 1, scan->named);
	while (!error && (result = sqlite3_step(scan->name)) == SQLITE_ROW)
		error = keep_series(scan);
	if (!error)
		error = history_sql_errno(scan->db, result);
	sqlite3_reset(scan->name);
	return error;
}

/* The first chunk at or behind `next`; INT64_MAX: none. */
static int seek(struct history_scan *scan, int64_t *ret_chunk)
{
	sqlite3_bind_int64(scan->seek, 1, history_key(scan->next, 0));
	int result = sqlite3_step(scan->seek);
	int error = history_sql_errno(scan->db, result);

	*ret_chunk = INT64_MAX;
	if (result == SQLITE_ROW && sqlite3_column_type(scan->seek, 0) != SQLITE_NULL)
		*ret_chunk = history_key_chunk(sqlite3_column_int64(scan->seek, 0));
	sqlite3_reset(scan->seek);
	return error;
}

static int grow_loaded(struct history_scan *scan)
{
	uint32_t capacity = scan->loaded_capacity ? 2 * scan->loaded_capacity : 64;
	void *loaded = realloc(scan->loaded, capacity * sizeof(*scan->loaded));

	if (loaded)
		scan->loaded = loaded;
	void *rows = realloc(scan->rows, capacity * sizeof(*scan->rows));
	if (rows)
		scan->rows = rows;
	if (!loaded || !rows)
		return -ENOMEM;
	scan->loaded_capacity = capacity;
	return 0;
}

/* The chunk in `scratch` joins the stretch. */
static int keep_chunk(struct history_scan *scan, struct history_scanned *series)
{
	const struct history_chunk *chunk = &scan->scratch;

	if (scan->loaded_count == scan->loaded_capacity && grow_loaded(scan) < 0)
		return -ENOMEM;
	struct loaded *loaded = &scan->loaded[scan->loaded_count++];
	*loaded = (struct loaded){
		.series = series,
		.present = chunk->present,
		.words = scan->words.used / sizeof(uint64_t),
		.stride = chunk->words,
		.sketches = NONE,
	};
	bytes_put(&scan->words, chunk->points, sizeof(uint64_t) * HISTORY_POINTS * chunk->words);
	if (history_kind_sketch(chunk->kind) != SKETCH_NONE) {
		loaded->sketches = scan->sketches.used;
		for (uint32_t i = 0; i < HISTORY_POINTS; i++)
			bytes_put_u32(&scan->sketches, (uint32_t)chunk->sketches[i].used);
		for (uint32_t i = 0; i < HISTORY_POINTS; i++)
			bytes_put(&scan->sketches, chunk->sketches[i].data,
				  chunk->sketches[i].used);
	}
	if (series->metric[0] == '\0')
		scan->coverage = scan->loaded_count;
	return scan->words.failed || scan->sketches.failed ? -ENOMEM : 0;
}

void history_scan_mean(struct history_scan *scan, history_scan_meaning *meaning, void *self)
{
	scan->meaning = meaning;
	scan->meaning_self = self;
	for (uint32_t i = 0; i < scan->series_count; i++)
		if (scan->series[i])
			scan->series[i]->asked = false;
}

static bool is_wanted(const struct history_scan *scan, struct history_scanned *series)
{
	if (!scan->meaning || series->metric[0] == '\0')
		return true;
	if (!series->asked)
		series->wanted = scan->meaning(scan->meaning_self, series);
	series->asked = true;
	return series->wanted;
}

static int load_row(struct history_scan *scan)
{
	uint32_t id = (uint32_t)(sqlite3_column_int64(scan->load, 0) & HISTORY_SERIES_MAX);
	struct history_scanned *series = id < scan->series_count ? scan->series[id] : NULL;

	if (!series || !is_wanted(scan, series))
		return 0;
	int error = history_chunk_load(&scan->scratch, series->kind,
				       sqlite3_column_blob(scan->load, 1),
				       (size_t)sqlite3_column_bytes(scan->load, 1));
	if (error == -EPROTO) {
		scan->damaged++;
		return 0;
	}
	return error < 0 ? error : keep_chunk(scan, series);
}

static int load_stretch(struct history_scan *scan, int64_t chunk)
{
	int error = name_series(scan);
	int result = SQLITE_DONE;

	scan->loaded_count = 0;
	scan->coverage = 0;
	bytes_clear(&scan->words);
	bytes_clear(&scan->sketches);
	sqlite3_bind_int64(scan->load, 1, history_key(chunk, 0));
	sqlite3_bind_int64(scan->load, 2, history_key(chunk + 1, 0));
	while (!error && (result = sqlite3_step(scan->load)) == SQLITE_ROW)
		error = load_row(scan);
	if (!error)
		error = history_sql_errno(scan->db, result);
	sqlite3_reset(scan->load);
	return error;
}

int history_scan_next(struct history_scan *scan, int64_t through)
{
	int64_t chunk;

	scan->at = HISTORY_POINTS;
	/* One transaction: the chunks of a stretch are of the same commit. */
	int error = run(scan, scan->begin);
	if (error < 0)
		return error;
	error = seek(scan, &chunk);
	bool more = !error && chunk != INT64_MAX && chunk * HISTORY_POINTS <= through;
	if (more)
		error = load_stretch(scan, chunk);
	run(scan, scan->commit);
	if (error < 0 || !more)
		return error;
	scan->chunk = chunk;
	scan->next = chunk + 1;
	scan->at = 0;
	return 1;
}

/* The saved sketch of a point; there are as many bytes as history_chunk_load() has checked. */
static void find_sketch(const struct history_scan *scan, const struct loaded *loaded,
			uint32_t point, struct history_scan_row *row)
{
	uint32_t sizes[HISTORY_POINTS];

	if (loaded->sketches == NONE)
		return;
	const uint8_t *at = scan->sketches.data + loaded->sketches;
	memcpy(sizes, at, sizeof(sizes));
	at += sizeof(sizes);
	for (uint32_t i = 0; i < point; i++)
		at += sizes[i];
	row->sketch = sizes[point] ? at : NULL;
	row->sketch_bytes = sizes[point];
}

bool history_scan_point(struct history_scan *scan, struct history_scan_point *ret_point)
{
	const uint64_t *words = (const uint64_t *)(const void *)scan->words.data;

	while (scan->at < HISTORY_POINTS &&
	       scan->chunk * HISTORY_POINTS + (int64_t)scan->at < scan->from)
		scan->at++;
	if (scan->at == HISTORY_POINTS)
		return false;
	uint32_t point = scan->at++;
	*ret_point = (struct history_scan_point){
		.number = scan->chunk * HISTORY_POINTS + point,
		.rows = scan->rows,
	};
	for (uint32_t i = 0; i < scan->loaded_count; i++) {
		const struct loaded *loaded = &scan->loaded[i];
		if (!(loaded->present >> point & 1))
			continue;
		const uint64_t *of = words + loaded->words + (size_t)point * loaded->stride;
		if (i + 1 == scan->coverage) {
			ret_point->closed = of[0];
			ret_point->incomplete = of[1];
			continue;
		}
		struct history_scan_row *row = &scan->rows[ret_point->count++];
		*row = (struct history_scan_row){.series = loaded->series, .words = of};
		find_sketch(scan, loaded, point, row);
	}
	return true;
}
