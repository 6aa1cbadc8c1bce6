/*
 * history_read: a span of one series, at the step that is asked for. See history.h.
 *
 * Idea:  the finest tier that reaches back far enough says how fine the answer can be; the
 *        coarsest tier that divides the step says how little is read. The points of a tier that
 *        lie in one step are added up as the writer adds intervals; what the source's own rows do
 *        not call closed is not known, and not zero. Days of a place are made of points that its
 *        midnights lie between.
 * Runs on: any thread, each with a reader of its own. Reads only.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/zone.h"
#include "interval/history_sql.h"
#include "interval/sketch.h"

#define DAY_MS INT64_C(86400000)
#define POINTS_DEFAULT 1000
#define POINTS_MAX 100000 /* five megabytes of answer */

/* The series that is read, and where it is known. */
struct found {
	int64_t source;
	int64_t through; /* last closed interval of the source */
	int64_t first;   /* interval from which its metric is known */
	int64_t begun;   /* and from which its source is */
	uint32_t series, coverage;
	enum history_kind kind;
	uint32_t sums;
};

/* Where steps begin. */
struct grid {
	int64_t step_ms;
	const struct zone *zone; /* NULL: UTC */
};

/* The points of the answer while they are added up. */
struct span {
	struct grid grid;
	enum history_kind kind;
	uint32_t words;
	int64_t first; /* number of the first point, in steps */
	uint32_t count;
	uint64_t *points; /* [count][words] */
	bool *have;
	struct sketch **sketches; /* [count]; NULL: the kind has none */
};

int history_reader_open(const char *path, struct history_reader **ret_reader)
{
	struct history_reader *reader = calloc(1, sizeof(*reader));
	int64_t version = 0;

	if (!reader)
		return -ENOMEM;
	int error = history_sql_open(path, SQLITE_OPEN_READONLY, &reader->db);
	if (!error)
		error = history_sql_number(reader->db, "PRAGMA user_version", &version, NULL);
	if (!error && version != HISTORY_SCHEMA_VERSION)
		error = version > HISTORY_SCHEMA_VERSION ? -EPROTO : -EBADMSG;
	if (!error)
		error = history_sql_number(reader->db,
					   "SELECT value FROM meta WHERE key = 'interval_ms'",
					   &reader->interval_ms, NULL);
	if (!error && reader->interval_ms <= 0)
		error = -EBADMSG;
	if (error < 0) {
		history_reader_close(reader);
		return error;
	}
	*ret_reader = reader;
	return 0;
}

int history_reader_open_or_say(const char *path, struct history_reader **ret_reader, char *why,
			       size_t why_bytes)
{
	int error = history_reader_open(path, ret_reader);

	if (error < 0)
		snprintf(why, why_bytes, "cannot read %s: %s", path,
			 error == -EBADMSG ? "it is damaged, or no history of weir"
					   : strerror(-error));
	return error;
}

void history_reader_close(struct history_reader *reader)
{
	if (!reader)
		return;
	sqlite3_close_v2(reader->db);
	free(reader);
}

static void copy(char *to, size_t bytes, const unsigned char *text)
{
	snprintf(to, bytes, "%s", text ? (const char *)text : "");
}

/* The newest meaning of the metric's name that has the slice. */
static int find_series(struct history_reader *reader, const struct history_query *query,
		       struct found *found, struct history_answer *answer)
{
	static const char sql[] =
		"SELECT s.id, s.source, s.kind, s.aggregation, s.sums, s.quantile, o.name, "
		"coalesce(o.through, 0), "
		"(SELECT min(first) FROM series t WHERE t.source = s.source AND "
		"t.metric = s.metric AND t.spec = s.spec), "
		"(SELECT id FROM series c WHERE c.source = s.source AND c.metric = ''), "
		"(SELECT first FROM series c WHERE c.source = s.source AND c.metric = '') "
		"FROM series s JOIN source o ON o.id = s.source "
		"WHERE s.metric = ?1 AND s.slice = ?2 AND (?3 IS NULL OR o.name = ?3) "
		"AND s.metric <> '' ORDER BY o.id, s.id DESC LIMIT 1";
	sqlite3_stmt *statement;
	int result = sqlite3_prepare_v2(reader->db, sql, -1, &statement, NULL);

	if (result != SQLITE_OK)
		return history_sql_errno(reader->db, result);
	sqlite3_bind_text(statement, 1, query->metric, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, query->slice ? query->slice : "", -1, SQLITE_STATIC);
	if (query->source)
		sqlite3_bind_text(statement, 3, query->source, -1, SQLITE_STATIC);
	result = sqlite3_step(statement);
	int error = history_sql_errno(reader->db, result);
	if (result == SQLITE_ROW) {
		found->series = (uint32_t)sqlite3_column_int64(statement, 0);
		found->source = sqlite3_column_int64(statement, 1);
		found->kind = (enum history_kind)sqlite3_column_int64(statement, 2);
		answer->aggregation = (enum aggregation)sqlite3_column_int64(statement, 3);
		found->sums = (uint32_t)sqlite3_column_int64(statement, 4);
		answer->quantile = sqlite3_column_double(statement, 5);
		copy(answer->source, sizeof(answer->source), sqlite3_column_text(statement, 6));
		found->through = sqlite3_column_int64(statement, 7);
		found->first = sqlite3_column_int64(statement, 8);
		found->coverage = (uint32_t)sqlite3_column_int64(statement, 9);
		found->begun = found->coverage ? sqlite3_column_int64(statement, 10) : found->first;
		if (!history_kind_words(found->kind) || answer->aggregation > AGGREGATE_RATIO)
			error = -EBADMSG;
	} else if (!error) {
		error = -ENOENT;
	}
	sqlite3_finalize(statement);
	return error;
}

/* What there is instead: of a metric that is known its slices, else metrics. */
static void list_known(struct history_reader *reader, char *why, size_t why_bytes,
		       const struct history_query *query)
{
	static const char sql[] =
		"SELECT DISTINCT slice FROM series s JOIN source o ON o.id = s.source "
		"WHERE metric = ?1 AND metric <> '' AND slice <> '' "
		"AND (?2 IS NULL OR o.name = ?2) "
		"UNION ALL SELECT * FROM (SELECT DISTINCT metric FROM series "
		"WHERE metric <> '' AND NOT EXISTS (SELECT 1 FROM series s JOIN source o "
		"ON o.id = s.source WHERE metric = ?1 AND (?2 IS NULL OR o.name = ?2))) "
		"ORDER BY 1 LIMIT 20";
	sqlite3_stmt *statement;
	const char *slice = query->slice && query->slice[0] ? query->slice : NULL;
	int used = snprintf(why, why_bytes, "nothing is known of %s%s%s%s%s", query->metric,
			    slice ? ", " : "", slice ? slice : "", query->source ? " of " : "",
			    query->source ? query->source : "");
	const char *join = "; there are ";

	if (sqlite3_prepare_v2(reader->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return;
	sqlite3_bind_text(statement, 1, query->metric, -1, SQLITE_STATIC);
	if (query->source)
		sqlite3_bind_text(statement, 2, query->source, -1, SQLITE_STATIC);
	while (sqlite3_step(statement) == SQLITE_ROW && used > 0 && (size_t)used < why_bytes) {
		used += snprintf(why + used, why_bytes - (size_t)used, "%s%s", join,
				 sqlite3_column_text(statement, 0));
		join = ", ";
	}
	sqlite3_finalize(statement);
}

/* Where each tier begins; INT64_MAX: it is empty, or the intervals are as coarse. */
static int tiers_first(struct history_reader *reader, const struct found *found,
		       int64_t first_ms[HISTORY_TIERS])
{
	int error = 0;

	for (enum history_tier t = HISTORY_BASE; t < HISTORY_TIERS && !error; t++) {
		int64_t tier_ms = history_step_ms(t, reader->interval_ms);
		int64_t key = 0;
		bool none = true;
		char sql[96];
		first_ms[t] = INT64_MAX;
		if (!history_tier_used(t, reader->interval_ms))
			continue;
		snprintf(sql, sizeof(sql), "SELECT min(key) FROM chunk_%lld_%s",
			 (long long)found->source, history_tier_name(t));
		error = history_sql_number(reader->db, sql, &key, &none);
		if (!none)
			first_ms[t] = history_key_chunk(key) * HISTORY_POINTS * tier_ms;
	}
	return error;
}

/* The finest tier that still has this time, else the coarsest. */
static enum history_tier finest(const int64_t first_ms[HISTORY_TIERS], int64_t interval_ms,
				int64_t from_ms)
{
	enum history_tier found = HISTORY_BASE;

	for (enum history_tier t = HISTORY_BASE; t < HISTORY_TIERS; t++) {
		if (!history_tier_used(t, interval_ms))
			continue;
		found = t;
		if (first_ms[t] <= from_ms)
			break;
	}
	return found;
}

/* The coarsest tier, from this one on, that has the time too and that steps can be made of;
 * HISTORY_TIERS: there is none. Coarser ones may be kept for a shorter time. */
static enum history_tier coarsest(const int64_t first_ms[HISTORY_TIERS], enum history_tier from,
				  int64_t interval_ms, const struct grid *grid, int64_t from_ms)
{
	enum history_tier found = HISTORY_TIERS;

	for (enum history_tier t = from; t < HISTORY_TIERS; t++) {
		int64_t tier_ms = history_step_ms(t, interval_ms);
		if (history_tier_used(t, interval_ms) && grid->step_ms % tier_ms == 0 &&
		    (t == from || first_ms[t] <= from_ms) &&
		    (!grid->zone || zone_granule_ms(grid->zone) % tier_ms == 0))
			found = t;
	}
	return found;
}

/* The finest tier that reaches back (else the coarsest) bounds the step from below; of those that
 * divide the step, the coarsest is read. */
static int choose(struct history_reader *reader, const struct history_query *query,
		  const struct found *found, struct history_answer *answer)
{
	int64_t interval_ms = reader->interval_ms;
	int64_t known_ms = found->first * interval_ms;
	int64_t from_ms = query->from_ms > known_ms ? query->from_ms : known_ms;
	int64_t most = query->points_max ? query->points_max : POINTS_DEFAULT;
	int64_t span_ms = query->to_ms - query->from_ms;
	int64_t step_ms = query->step_ms;
	int64_t first_ms[HISTORY_TIERS];
	int error = tiers_first(reader, found, first_ms);

	if (error < 0)
		return error;
	enum history_tier from = finest(first_ms, interval_ms, from_ms);
	int64_t least_ms = history_step_ms(from, interval_ms);
	if (step_ms < least_ms)
		step_ms = least_ms;
	/* Nobody asked for this step: a tier's own, or a multiple of it. */
	for (int t = from; t < HISTORY_TIERS && !query->step_ms; t++) {
		if (!history_tier_used(t, interval_ms) || span_ms / step_ms <= most)
			continue;
		int64_t tier_ms = history_step_ms(t, interval_ms);
		if (tier_ms > step_ms)
			step_ms = tier_ms;
	}
	if (!query->step_ms && span_ms / step_ms > most)
		step_ms *= (span_ms / step_ms + most - 1) / most;
	step_ms = (step_ms + least_ms - 1) / least_ms * least_ms;
	answer->step_ms = step_ms;
	struct grid grid = {step_ms, step_ms % DAY_MS == 0 ? query->zone : NULL};
	answer->tier = coarsest(first_ms, from, interval_ms, &grid, from_ms);
	answer->local = grid.zone && answer->tier != HISTORY_TIERS;
	grid.zone = NULL;
	if (!answer->local)
		answer->tier = coarsest(first_ms, from, interval_ms, &grid, from_ms);
	check(answer->tier != HISTORY_TIERS); /* the step is a multiple of the finest */
	return 0;
}

static int span_make(struct span *span, const struct grid *grid, enum history_kind kind,
		     int64_t first, uint32_t count)
{
	*span = (struct span){
		.grid = *grid,
		.kind = kind,
		.words = history_kind_words(kind),
		.first = first,
		.count = count,
	};
	span->points = calloc(count, sizeof(uint64_t) * span->words);
	span->have = calloc(count, sizeof(bool));
	if (history_kind_sketch(kind) != SKETCH_NONE)
		span->sketches = calloc(count, sizeof(span->sketches[0]));
	bool all = span->points && span->have &&
		   (span->sketches || history_kind_sketch(kind) == SKETCH_NONE);
	return all ? 0 : -ENOMEM;
}

static void span_fini(struct span *span)
{
	for (uint32_t i = 0; span->sketches && i < span->count; i++)
		sketch_destroy(span->sketches[i]);
	free(span->sketches);
	free(span->points);
	free(span->have);
}

static int add_point(struct span *span, uint32_t at, const struct history_chunk *chunk,
		     uint32_t point)
{
	const struct bytes *saved = &chunk->sketches[point];

	history_words_add(span->kind, &span->points[(size_t)at * span->words], &span->have[at],
			  &chunk->points[(size_t)point * span->words]);
	if (!span->sketches || saved->used == 0)
		return 0;
	if (!span->sketches[at])
		span->sketches[at] =
			sketch_create((enum sketch_kind)history_kind_sketch(span->kind));
	if (!span->sketches[at])
		return -ENOMEM;
	struct bytes_reader in = {.data = saved->data, .left = saved->used};
	return sketch_merge_saved(span->sketches[at], &in);
}

/* Steps count from 1970, those of whole weeks from its first Monday: so do detectors' weeks. */
static int64_t origin_ms(int64_t step_ms)
{
	return step_ms % (7 * DAY_MS) == 0 ? 4 * DAY_MS : 0;
}

static int64_t step_of(const struct grid *grid, int64_t ms)
{
	int64_t local_ms = ms + zone_offset_ms(grid->zone, ms);

	return history_floor_div(local_ms - origin_ms(grid->step_ms), grid->step_ms);
}

static int64_t step_begins_ms(const struct grid *grid, int64_t step)
{
	return zone_utc_ms(grid->zone, step * grid->step_ms + origin_ms(grid->step_ms));
}

static int add_chunk(struct span *span, const struct history_chunk *chunk, int64_t number,
		     int64_t tier_ms)
{
	int error = 0;

	for (uint32_t i = 0; i < HISTORY_POINTS && !error; i++) {
		int64_t ms = (number * HISTORY_POINTS + i) * tier_ms;
		int64_t at = step_of(&span->grid, ms) - span->first;
		if (chunk->present >> i & 1 && at >= 0 && at < span->count)
			error = add_point(span, (uint32_t)at, chunk, i);
	}
	return error;
}

/* Narrow the chunks first..last to those that the table may have: whoever asks for a thousand years
 * must not make us look each of them up. */
static int bound_chunks(struct history_reader *reader, int64_t source, const char *tier,
			int64_t *first, int64_t *last)
{
	static const char *const ends[] = {"min", "max"};
	int64_t key[2] = {0};
	char sql[96];

	for (int i = 0; i < 2; i++) {
		bool none = false;
		snprintf(sql, sizeof(sql), "SELECT %s(key) FROM chunk_%lld_%s", ends[i],
			 (long long)source, tier);
		int error = history_sql_number(reader->db, sql, &key[i], &none);
		if (error < 0)
			return error;
		if (none) {
			*last = *first - 1;
			return 0;
		}
	}
	if (*first < history_key_chunk(key[0]))
		*first = history_key_chunk(key[0]);
	if (*last > history_key_chunk(key[1]))
		*last = history_key_chunk(key[1]);
	return 0;
}

/* Add up what the tier has of a series. */
static int read_series(struct history_reader *reader, const struct found *found, uint32_t series,
		       struct history_answer *answer, struct span *span)
{
	int64_t tier_ms = history_step_ms(answer->tier, reader->interval_ms);
	int64_t first_ms = step_begins_ms(&span->grid, span->first);
	int64_t end_ms = step_begins_ms(&span->grid, span->first + span->count);
	int64_t first = history_chunk_of(history_floor_div(first_ms, tier_ms));
	int64_t last = history_chunk_of(history_floor_div(end_ms - 1, tier_ms));
	struct history_chunk chunk;
	sqlite3_stmt *statement;
	char sql[96];

	snprintf(sql, sizeof(sql), "SELECT data FROM chunk_%lld_%s WHERE key = ?",
		 (long long)found->source, history_tier_name(answer->tier));
	int result = sqlite3_prepare_v2(reader->db, sql, -1, &statement, NULL);
	if (result != SQLITE_OK)
		return history_sql_errno(reader->db, result);
	history_chunk_init(&chunk);
	int error = bound_chunks(reader, found->source, history_tier_name(answer->tier), &first,
				 &last);
	for (int64_t number = first; number <= last && !error; number++) {
		sqlite3_bind_int64(statement, 1, history_key(number, series));
		result = sqlite3_step(statement);
		error = history_sql_errno(reader->db, result);
		if (result == SQLITE_ROW) {
			error = history_chunk_load(&chunk, span->kind,
						   sqlite3_column_blob(statement, 0),
						   (size_t)sqlite3_column_bytes(statement, 0));
			if (!error)
				error = add_chunk(span, &chunk, number, tier_ms);
			answer->damaged += error == -EPROTO;
			error = error == -EPROTO ? 0 : error;
		}
		sqlite3_reset(statement);
	}
	history_chunk_fini(&chunk);
	sqlite3_finalize(statement);
	return error;
}

static double term_value(const uint64_t *words, bool is_sum)
{
	return is_sum ? weir_bits_value(words[1]) : (double)words[0];
}

/* A point from its words. `known`: its intervals are closed. */
static void fill_point(struct history_point *point, const struct span *span, uint32_t at,
		       const struct history_answer *answer, uint32_t sums, bool known)
{
	static const uint64_t zeros[HISTORY_WORDS_MAX];
	const uint64_t *words = span->have[at] ? &span->points[(size_t)at * span->words] : zeros;
	const struct sketch *sketch = span->sketches ? span->sketches[at] : NULL;
	bool any = span->have[at];

	point->value = NAN;
	point->events = (double)words[0];
	switch (span->kind) {
	case HISTORY_COUNT:
		point->value = any || known ? (double)words[0] : NAN;
		break;
	case HISTORY_SUM:
		point->sum = weir_bits_value(words[1]);
		point->sum_squares = weir_bits_value(words[2]);
		if (answer->aggregation == AGGREGATE_SUM && (any || known))
			point->value = point->sum;
		else if (words[0] > 0)
			point->value = point->sum / (double)words[0];
		break;
	case HISTORY_MIN:
	case HISTORY_MAX:
		point->value = any ? weir_bits_value(words[1]) : NAN;
		break;
	case HISTORY_SHARE:
		point->numerator = (double)words[0];
		point->weight = (double)words[1];
		break;
	case HISTORY_RATIO:
		point->sum = weir_bits_value(words[1]);
		point->sum_squares = weir_bits_value(words[2]);
		point->numerator = term_value(words, sums & 1);
		point->weight = term_value(words + 3, sums & 2);
		break;
	case HISTORY_DISTINCT:
		point->value = sketch ? sketch_distinct(sketch) : !any && known ? 0 : NAN;
		break;
	case HISTORY_QUANTILE:
		point->value = sketch ? sketch_quantile(sketch, answer->quantile) : NAN;
		break;
	case HISTORY_COVERAGE:
		break;
	}
	if (answer->aggregation != AGGREGATE_RATIO)
		return;
	point->events = (double)words[span->kind == HISTORY_SHARE ? 1 : 3];
	if (point->weight != 0)
		point->value = point->numerator / point->weight;
}

static int fill_answer(const struct found *found, const struct span *span,
		       const struct span *coverage, struct history_answer *answer)
{
	answer->points = calloc(span->count, sizeof(answer->points[0]));
	if (!answer->points)
		return -ENOMEM;
	for (uint32_t i = 0; i < span->count; i++) {
		struct history_point *point = &answer->points[i];
		int64_t time_ms = step_begins_ms(&span->grid, span->first + i);
		const uint64_t *closed = &coverage->points[(size_t)i * coverage->words];
		bool before = time_ms + answer->step_ms <= found->first * answer->interval_ms;
		point->time_ms = time_ms;
		point->closed = (uint32_t)closed[0];
		point->incomplete = (uint32_t)closed[1];
		fill_point(point, span, i, answer, found->sums, closed[0] > 0 && !before);
	}
	answer->count = span->count;
	return 0;
}

static int read_span(struct history_reader *reader, const struct found *found,
		     const struct grid *grid, int64_t first, uint32_t count,
		     struct history_answer *answer)
{
	struct span span, coverage;
	int error = span_make(&span, grid, found->kind, first, count);
	int other = span_make(&coverage, grid, HISTORY_COVERAGE, first, count);

	if (!error)
		error = other;
	if (!error)
		error = read_series(reader, found, found->series, answer, &span);
	if (!error && found->coverage)
		error = read_series(reader, found, found->coverage, answer, &coverage);
	if (!error)
		error = fill_answer(found, &span, &coverage, answer);
	span_fini(&span);
	span_fini(&coverage);
	return error;
}

/* The span that is asked for, once it is known where the series ends. */
static int bound_query(const struct history_reader *reader, const struct found *found,
		       struct history_query *query, char *why, size_t why_bytes)
{
	if (query->to_ms == HISTORY_NEWEST)
		query->to_ms = (found->through + 1) * reader->interval_ms;
	bool back = query->back_ms >= 0 && query->back_ms < 2 * HISTORY_TIME_MAX_MS;
	if (back && query->back_ms && query->to_ms > -HISTORY_TIME_MAX_MS)
		query->from_ms = query->to_ms - query->back_ms;
	if (query->to_ms > query->from_ms && query->from_ms > -HISTORY_TIME_MAX_MS &&
	    query->to_ms < HISTORY_TIME_MAX_MS && query->step_ms >= 0 && back &&
	    query->step_ms <= HISTORY_TIME_MAX_MS)
		return 0;
	snprintf(why, why_bytes, "the span must end after it begins, its step be positive");
	return -EINVAL;
}

static int read_bounded(struct history_reader *reader, const struct history_query *query,
			const struct found *found, struct history_answer *answer, char *why,
			size_t why_bytes)
{
	int error = choose(reader, query, found, answer);

	if (error < 0)
		return error;
	const struct grid grid = {answer->step_ms, answer->local ? query->zone : NULL};
	int64_t first = step_of(&grid, query->from_ms);
	int64_t end = step_of(&grid, query->to_ms - 1) + 1;
	if (end - first <= POINTS_MAX)
		return read_span(reader, found, &grid, first, (uint32_t)(end - first), answer);
	snprintf(why, why_bytes,
		 "%lld points are too many for one answer; ask for a longer step or a shorter span",
		 (long long)(end - first));
	return -E2BIG;
}

int history_read(struct history_reader *reader, const struct history_query *query,
		 struct history_answer *ret_answer, char *why, size_t why_bytes)
{
	struct history_answer *answer = ret_answer;
	struct history_query bounded = *query;
	struct found found = {0};

	memset(answer, 0, sizeof(*answer));
	why[0] = '\0';
	copy(answer->metric, sizeof(answer->metric), (const unsigned char *)query->metric);
	copy(answer->slice, sizeof(answer->slice), (const unsigned char *)query->slice);
	answer->interval_ms = reader->interval_ms;
	/* One transaction: the series and its source's rows are of the same commit. */
	int error = history_sql_exec(reader->db, "BEGIN");
	if (!error)
		error = find_series(reader, query, &found, answer);
	if (error == -ENOENT)
		list_known(reader, why, why_bytes, query);
	if (!error)
		error = bound_query(reader, &found, &bounded, why, why_bytes);
	if (!error)
		error = read_bounded(reader, &bounded, &found, answer, why, why_bytes);
	sqlite3_exec(reader->db, "COMMIT", NULL, NULL, NULL);
	if (error < 0)
		history_answer_fini(answer);
	if (error < 0 && !why[0])
		snprintf(why, why_bytes, "cannot read the history: %s", strerror(-error));
	return error;
}

static int reach_of(struct history_reader *reader, const struct history_query *query,
		    struct history_reach *reach)
{
	struct found found = {0};
	struct history_answer *answer = calloc(1, sizeof(*answer));
	int error = answer ? find_series(reader, query, &found, answer) : -ENOMEM;

	if (!error) {
		memcpy(reach->source, answer->source, sizeof(reach->source));
		reach->aggregation = answer->aggregation;
		reach->begun_ms = found.begun * reader->interval_ms;
		reach->known_ms = found.first * reader->interval_ms;
		reach->through_ms = (found.through + 1) * reader->interval_ms;
	}
	free(answer);
	return error ? error : tiers_first(reader, &found, reach->first_ms);
}

int history_reach(struct history_reader *reader, const struct history_query *query,
		  struct history_reach *ret_reach, char *why, size_t why_bytes)
{
	why[0] = '\0';
	*ret_reach = (struct history_reach){.interval_ms = reader->interval_ms};
	int error = history_sql_exec(reader->db, "BEGIN");
	if (!error)
		error = reach_of(reader, query, ret_reach);
	if (error == -ENOENT)
		list_known(reader, why, why_bytes, query);
	sqlite3_exec(reader->db, "COMMIT", NULL, NULL, NULL);
	if (error < 0 && !why[0])
		snprintf(why, why_bytes, "cannot read the history: %s", strerror(-error));
	return error;
}

void history_answer_fini(struct history_answer *answer)
{
	free(answer->points);
	answer->points = NULL;
	answer->count = 0;
}
