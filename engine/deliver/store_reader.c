/*
 * store_reader: anomalies and outbox rows, over a connection of one's own.
 *
 * Idea:  WAL gives a reader a snapshot of whole transactions and never makes it, or the writer,
 *        wait. A revision's rows are never changed, so its contributions may be read after it.
 * Runs on: any thread, one at a time for each reader.
 * Never: writes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fnv.h"
#include "deliver/payload.h"
#include "deliver/store.h"
#include "deliver/store_sql.h"

enum statement {
	STATEMENT_CONTRIBUTIONS,
	STATEMENT_EXPLANATIONS,
	STATEMENT_RELATEDS,
	STATEMENT_OUTBOX,
	STATEMENT_REVISIONS,
	STATEMENT_LATEST,
	STATEMENT_FIND,
	STATEMENT_STRONGEST,
	STATEMENT_MATCH,
	STATEMENT_INPUTS,
	STATEMENT_STANDING,
	STATEMENT_LIFE,
	STATEMENT_VERSION,
	STATEMENT_FOLLOW,
	STATEMENT_FOLLOW_INPUTS,
	STATEMENT_LAST,
	STATEMENT_LAST_INPUT,
	STATEMENT_BEFORE,
	STATEMENTS
};

/* The filter of both lists. The peak is what an anomaly is remembered by: a resolved one keeps it.
 * A severity that is no REAL (NaN, kept as a blob) is above no bound. */
#define STORE_FILTER                                                                               \
	"(?1 <= 0 OR (typeof(r.severity_peak) = 'real' AND r.severity_peak >= ?1)) "               \
	"AND (?2 = 0 OR r.end_ms > ?2) AND (?3 IS NULL OR r.metric = ?3) "                         \
	"AND r.sequence > ?5 AND (?6 = 0 OR (1 << r.state) & ?6) "

static const char *const statements[STATEMENTS] = {
	[STATEMENT_CONTRIBUTIONS] = "SELECT position, dimension, value, share, observed, expected "
				    "FROM contribution WHERE row = ? ORDER BY position",
	[STATEMENT_EXPLANATIONS] = "SELECT slice, share, observed, expected, evidence, since "
				   "FROM explanation WHERE row = ? ORDER BY position",
	[STATEMENT_RELATEDS] = "SELECT metric, direction, start_ms, lead_ms FROM related "
			       "WHERE row = ? ORDER BY position",
	[STATEMENT_OUTBOX] = "SELECT r.row, " STORE_COLUMNS ", o.row FROM outbox o "
			     "JOIN revision r ON r.row = o.of_row WHERE o.row > ? "
			     "ORDER BY o.row LIMIT 1",
	[STATEMENT_REVISIONS] = "SELECT row, " STORE_COLUMNS " FROM revision r WHERE " STORE_FILTER
				"ORDER BY row LIMIT ?4",
	[STATEMENT_LATEST] = "SELECT row, " STORE_COLUMNS " FROM revision r WHERE " STORE_FILTER
			     "AND NOT EXISTS (SELECT 1 FROM revision n WHERE n.id = r.id "
			     "AND n.revision > r.revision) "
			     "AND (?7 OR r.fired OR r.state <> 2) ORDER BY row DESC LIMIT ?4",
	[STATEMENT_FIND] = "SELECT row, " STORE_COLUMNS " FROM revision WHERE id = ? "
			   "ORDER BY revision DESC LIMIT 1",
	[STATEMENT_STRONGEST] = "SELECT row, " STORE_COLUMNS " FROM revision WHERE id = ? "
				"ORDER BY typeof(severity) = 'real' DESC, severity DESC, revision "
				"LIMIT 1",
	[STATEMENT_MATCH] = "SELECT DISTINCT id FROM revision WHERE id >= ?1 AND id < ?1 || 'g' "
			    "LIMIT 2",
	[STATEMENT_INPUTS] = "SELECT " STORE_INPUT_COLUMNS ", ended FROM input "
			     "WHERE (?1 < 0 OR kind = ?1) AND (?2 IS NULL OR id = ?2) "
			     "ORDER BY number DESC LIMIT ?3",
	[STATEMENT_STANDING] = "SELECT count(*) FROM input WHERE kind = ? AND ifnull(ended, 0) = 0",
	[STATEMENT_LIFE] = "SELECT * FROM (SELECT row, " STORE_COLUMNS " FROM revision "
			   "WHERE id = ?1 ORDER BY revision DESC LIMIT ?2) ORDER BY revision",
	[STATEMENT_VERSION] = "PRAGMA data_version",
	[STATEMENT_FOLLOW] = "SELECT row, " STORE_COLUMNS " FROM revision WHERE row > ? "
			     "ORDER BY row LIMIT ?",
	[STATEMENT_FOLLOW_INPUTS] = "SELECT " STORE_INPUT_COLUMNS ", ended FROM input "
				    "WHERE number > ? ORDER BY number LIMIT ?",
	[STATEMENT_LAST] = "SELECT id || '-' || revision || '-' || end_ms FROM revision "
			   "WHERE row = ?",
	[STATEMENT_LAST_INPUT] =
		"SELECT kind || '-' || time_ms || '-' || ifnull(id, '') || until_ms || '-' || mute "
		"|| author || '-' || text || '-' || metric || '-' || slice || '-' || detail "
		"FROM input WHERE number = ?",
	[STATEMENT_BEFORE] = "SELECT row - 1 FROM revision WHERE revision = 1 "
			     "ORDER BY row DESC LIMIT 1 OFFSET ?",
};

struct store_reader {
	sqlite3 *db;
	sqlite3_stmt *statement[STATEMENTS];
	sqlite3_int64 version; /* as store_changed() saw it last */
};

int store_reader_open(const char *path, struct store_reader **ret_reader)
{
	char why[256];
	struct store_reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	int error = store_sql_open(path, SQLITE_OPEN_READONLY, &reader->db, why, sizeof(why));
	for (int i = 0; i < STATEMENTS && !error; i++) {
		int result = sqlite3_prepare_v3(reader->db, statements[i], -1,
						SQLITE_PREPARE_PERSISTENT, &reader->statement[i],
						NULL);
		/* No such table or column: not a store, or one of another schema. */
		if (result == SQLITE_ERROR)
			error = -EPROTONOSUPPORT;
		else
			error = store_sql_errno(reader->db, result);
	}
	if (error) {
		store_reader_close(reader);
		return error;
	}
	*ret_reader = reader;
	return 0;
}

void store_reader_close(struct store_reader *reader)
{
	if (!reader)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(reader->statement[i]);
	sqlite3_close_v2(reader->db);
	free(reader);
}

static int read_contributions(struct store_reader *reader, sqlite3_int64 row,
			      struct anomaly *anomaly)
{
	sqlite3_stmt *statement = reader->statement[STATEMENT_CONTRIBUTIONS];
	int result, error = 0;
	sqlite3_bind_int64(statement, 1, row);
	while (!error && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		if (anomaly->contributions == ANOMALY_CONTRIBUTIONS_MAX) {
			error = -EBADMSG;
			break;
		}
		struct contribution *to = &anomaly->contribution[anomaly->contributions++];
		error |= store_column_text(statement, 1, to->dimension, sizeof(to->dimension));
		error |= store_column_text(statement, 2, to->value, sizeof(to->value));
		to->share = store_column_double(statement, 3);
		to->observed = store_column_double(statement, 4);
		to->expected = store_column_double(statement, 5);
	}
	if (!error)
		error = store_sql_errno(reader->db, result);
	sqlite3_reset(statement);
	return error;
}

static int read_explanations(struct store_reader *reader, sqlite3_int64 row,
			     struct anomaly *anomaly)
{
	sqlite3_stmt *statement = reader->statement[STATEMENT_EXPLANATIONS];
	int result, error = 0;
	sqlite3_bind_int64(statement, 1, row);
	while (!error && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		if (anomaly->explanations == ANOMALY_EXPLANATIONS_MAX) {
			error = -EBADMSG;
			break;
		}
		struct explanation *to = &anomaly->explanation[anomaly->explanations++];
		error |= store_column_text(statement, 0, to->slice, sizeof(to->slice));
		to->share = store_column_double(statement, 1);
		to->observed = store_column_double(statement, 2);
		to->expected = store_column_double(statement, 3);
		to->evidence = store_column_double(statement, 4);
		to->since = sqlite3_column_int64(statement, 5);
	}
	if (!error)
		error = store_sql_errno(reader->db, result);
	sqlite3_reset(statement);
	return error;
}

static int read_relateds(struct store_reader *reader, sqlite3_int64 row, struct anomaly *anomaly)
{
	sqlite3_stmt *statement = reader->statement[STATEMENT_RELATEDS];
	int result, error = 0;
	sqlite3_bind_int64(statement, 1, row);
	while (!error && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		if (anomaly->relateds == ANOMALY_RELATED_MAX) {
			error = -EBADMSG;
			break;
		}
		struct related *to = &anomaly->related[anomaly->relateds++];
		error |= store_column_text(statement, 0, to->metric, sizeof(to->metric));
		to->direction = sqlite3_column_int(statement, 1);
		to->start_ms = sqlite3_column_int64(statement, 2);
		to->lead_ms = sqlite3_column_int64(statement, 3);
	}
	if (!error)
		error = store_sql_errno(reader->db, result);
	sqlite3_reset(statement);
	return error;
}

/* The row that the statement stands on, without what contributes: most of its bytes. */
static int read_light(struct store_reader *reader, sqlite3_stmt *statement,
		      struct anomaly *ret_anomaly)
{
	sqlite3_int64 row = sqlite3_column_int64(statement, 0);
	int error = store_read_revision(statement, 1, ret_anomaly);
	if (!error)
		error = read_explanations(reader, row, ret_anomaly);
	if (!error)
		error = read_relateds(reader, row, ret_anomaly);
	return error;
}

/* The row, whole. */
static int read_anomaly(struct store_reader *reader, sqlite3_stmt *statement,
			struct anomaly *ret_anomaly)
{
	sqlite3_int64 row = sqlite3_column_int64(statement, 0);
	int error = read_light(reader, statement, ret_anomaly);
	return error ? error : read_contributions(reader, row, ret_anomaly);
}

/* The statement's one row, if it has one: 1, 0, or negative. Its column `row` too, where ret_row is
 * not NULL. */
static int take_anomaly(struct store_reader *reader, sqlite3_stmt *statement, int row,
			uint64_t *ret_row, struct anomaly *ret_anomaly)
{
	int result = sqlite3_step(statement);
	int answer = store_sql_errno(reader->db, result);
	if (result == SQLITE_ROW) {
		if (ret_row)
			*ret_row = (uint64_t)sqlite3_column_int64(statement, row);
		answer = read_anomaly(reader, statement, ret_anomaly);
		if (!answer)
			answer = 1;
	}
	sqlite3_reset(statement);
	return answer;
}

int store_outbox_next(struct store_reader *reader, uint64_t after, uint64_t *ret_row,
		      struct anomaly *ret_anomaly)
{
	sqlite3_stmt *statement = reader->statement[STATEMENT_OUTBOX];
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)after);
	return take_anomaly(reader, statement, 1 + STORE_COLUMNS_COUNT, ret_row, ret_anomaly);
}

int store_anomalies(struct store_reader *reader, const struct store_query *query, store_each *each,
		    void *self)
{
	sqlite3_stmt *statement =
		reader->statement[query->revisions ? STATEMENT_REVISIONS : STATEMENT_LATEST];
	struct anomaly *anomaly = malloc(sizeof(*anomaly));
	if (!anomaly)
		return -ENOMEM;
	sqlite3_bind_double(statement, 1, query->severity_min);
	sqlite3_bind_int64(statement, 2, query->since_ms);
	sqlite3_bind_text(statement, 3, query->metric, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 4, query->limit ? (sqlite3_int64)query->limit : -1);
	sqlite3_bind_int64(statement, 5, (sqlite3_int64)query->after_sequence);
	sqlite3_bind_int64(statement, 6, query->states);
	if (!query->revisions)
		sqlite3_bind_int(statement, 7, query->pending);
	int result = SQLITE_ROW, error = 0;
	while (!error && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		error = read_anomaly(reader, statement, anomaly);
		if (!error && each(self, anomaly))
			break;
	}
	if (!error)
		error = store_sql_errno(reader->db, result);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	free(anomaly);
	return error;
}

static int find_by_id(struct store_reader *reader, enum statement which, const uint64_t id[2],
		      struct anomaly *ret_anomaly)
{
	sqlite3_stmt *statement = reader->statement[which];
	char text[33];
	anomaly_id_text(id, text);
	sqlite3_bind_text(statement, 1, text, -1, SQLITE_TRANSIENT);
	return take_anomaly(reader, statement, 0, NULL, ret_anomaly);
}

int store_find(struct store_reader *reader, const uint64_t id[2], struct anomaly *ret_anomaly)
{
	return find_by_id(reader, STATEMENT_FIND, id, ret_anomaly);
}

int store_find_strongest(struct store_reader *reader, const uint64_t id[2],
			 struct anomaly *ret_anomaly)
{
	return find_by_id(reader, STATEMENT_STRONGEST, id, ret_anomaly);
}

int store_match(struct store_reader *reader, const char *digits, uint64_t ret_id[2])
{
	sqlite3_stmt *statement = reader->statement[STATEMENT_MATCH];
	int result, count = 0, error = 0;
	if (strlen(digits) > 32 || strspn(digits, "0123456789abcdef") != strlen(digits))
		return 0;
	sqlite3_bind_text(statement, 1, digits, -1, SQLITE_STATIC);
	while (!error && (result = sqlite3_step(statement)) == SQLITE_ROW)
		if (count++ == 0)
			error = store_column_id(statement, 0, ret_id);
	if (!error)
		error = store_sql_errno(reader->db, result);
	sqlite3_reset(statement);
	return error ? error : count;
}

int store_inputs(struct store_reader *reader, int kind, const uint64_t *id, uint32_t limit,
		 store_each_input *each, void *self)
{
	sqlite3_stmt *statement = reader->statement[STATEMENT_INPUTS];
	struct operator_input input;
	char text[33];
	int result, error = 0;
	sqlite3_bind_int(statement, 1, kind);
	if (id) {
		anomaly_id_text(id, text);
		sqlite3_bind_text(statement, 2, text, -1, SQLITE_TRANSIENT);
	}
	sqlite3_bind_int64(statement, 3, limit ? (sqlite3_int64)limit : -1);
	while (!error && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		error = store_read_input(statement, 0, &input);
		if (!error &&
		    each(self, &input,
			 (uint64_t)sqlite3_column_int64(statement, STORE_INPUT_COLUMNS_COUNT)))
			break;
	}
	if (!error)
		error = store_sql_errno(reader->db, result);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return error;
}

int64_t store_standing(struct store_reader *reader, enum operator_kind kind)
{
	sqlite3_stmt *statement = reader->statement[STATEMENT_STANDING];
	sqlite3_bind_int(statement, 1, (int)kind);
	int result = sqlite3_step(statement);
	int64_t count = result == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
	int error = store_sql_errno(reader->db, result);
	sqlite3_reset(statement);
	return error ? error : count;
}

/* Each row of a bound statement, light; *ret_row, where it is not NULL, is the last one's. Returns
 * how many, or negative. */
static int each_light(struct store_reader *reader, sqlite3_stmt *statement, store_each *each,
		      void *self, uint64_t *ret_row)
{
	struct anomaly *anomaly = malloc(sizeof(*anomaly));
	int result = SQLITE_ROW, error = anomaly ? 0 : -ENOMEM, count = 0;
	while (!error && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		error = read_light(reader, statement, anomaly);
		if (error || each(self, anomaly))
			break;
		count++;
		if (ret_row)
			*ret_row = (uint64_t)sqlite3_column_int64(statement, 0);
	}
	if (!error)
		error = store_sql_errno(reader->db, result);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	free(anomaly);
	return error ? error : count;
}

int store_life(struct store_reader *reader, const uint64_t id[2], uint32_t limit, store_each *each,
	       void *self)
{
	sqlite3_stmt *statement = reader->statement[STATEMENT_LIFE];
	char text[33];
	anomaly_id_text(id, text);
	sqlite3_bind_text(statement, 1, text, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(statement, 2, limit ? (sqlite3_int64)limit : -1);
	int count = each_light(reader, statement, each, self, NULL);
	return count < 0 ? count : 0;
}

/* 1 and the number that the statement gives; 0: no row; negative. */
static int take_number(struct store_reader *reader, enum statement which, sqlite3_int64 *ret_number)
{
	sqlite3_stmt *statement = reader->statement[which];
	int result = sqlite3_step(statement);
	int error = store_sql_errno(reader->db, result);
	if (result == SQLITE_ROW)
		*ret_number = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return error ? error : result == SQLITE_ROW;
}

int store_changed(struct store_reader *reader)
{
	sqlite3_int64 version = 0;
	int found = take_number(reader, STATEMENT_VERSION, &version);
	if (found < 0)
		return found;
	bool changed = version != reader->version;
	reader->version = version;
	return changed;
}

int store_row_before(struct store_reader *reader, uint32_t anomalies, uint64_t *ret_row)
{
	sqlite3_int64 row = 0;
	if (anomalies == 0)
		return -EINVAL;
	sqlite3_bind_int64(reader->statement[STATEMENT_BEFORE], 1, (sqlite3_int64)anomalies - 1);
	int found = take_number(reader, STATEMENT_BEFORE, &row);
	*ret_row = (uint64_t)row;
	return found < 0 ? found : 0;
}

/* The hash, and what the statement says of this number; 0: no such row any more, or an error. */
static int print_of(struct store_reader *reader, enum statement which, uint64_t number,
		    uint64_t *hash)
{
	sqlite3_stmt *statement = reader->statement[which];
	if (number == 0)
		return 0;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)number);
	int result = sqlite3_step(statement);
	int error = store_sql_errno(reader->db, result);
	if (result == SQLITE_ROW)
		*hash = fnv(*hash, sqlite3_column_text(statement, 0),
			    (size_t)sqlite3_column_bytes(statement, 0));
	sqlite3_reset(statement);
	return error ? error : result == SQLITE_ROW ? 0 : -ESTALE;
}

static int position_print(struct store_reader *reader, const struct store_position *position,
			  uint64_t *ret_print)
{
	*ret_print = FNV_BEGIN;
	int error = print_of(reader, STATEMENT_LAST, position->row, ret_print);
	return error ? error
		     : print_of(reader, STATEMENT_LAST_INPUT, position->input, ret_print);
}

static int follow_inputs(struct store_reader *reader, struct store_position *position,
			 uint32_t most, store_each_input *each, void *self)
{
	sqlite3_stmt *statement = reader->statement[STATEMENT_FOLLOW_INPUTS];
	struct operator_input input;
	int result = SQLITE_ROW, error = 0, count = 0;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)position->input);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)most);
	while (!error && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		error = store_read_input(statement, 0, &input);
		if (error || each(self, &input,
				  (uint64_t)sqlite3_column_int64(statement,
								 STORE_INPUT_COLUMNS_COUNT)))
			break;
		position->input = input.number;
		count++;
	}
	if (!error)
		error = store_sql_errno(reader->db, result);
	sqlite3_reset(statement);
	return error ? error : count;
}

/* Within one snapshot. */
static int follow(struct store_reader *reader, struct store_position *position, uint32_t most,
		  store_each *each, store_each_input *each_input, void *self)
{
	sqlite3_stmt *statement = reader->statement[STATEMENT_FOLLOW];
	uint64_t print = 0;
	int count = position->print ? position_print(reader, position, &print) : 0;
	if (count == 0 && print != position->print)
		count = -ESTALE;
	if (count < 0)
		return count;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)position->row);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)most);
	count = each_light(reader, statement, each, self, &position->row);
	if (count >= 0 && (uint32_t)count < most)
		count = follow_inputs(reader, position, most, each_input, self);
	int error = count < 0 ? count : position_print(reader, position, &position->print);
	return error ? error : (uint32_t)count == most;
}

int store_follow(struct store_reader *reader, struct store_position *position, uint32_t most,
		 store_each *each, store_each_input *each_input, void *self)
{
	int result = sqlite3_exec(reader->db, "BEGIN", NULL, NULL, NULL);
	if (result != SQLITE_OK)
		return store_sql_errno(reader->db, result);
	int answer = follow(reader, position, most, each, each_input, self);
	sqlite3_exec(reader->db, "COMMIT", NULL, NULL, NULL);
	return answer;
}
