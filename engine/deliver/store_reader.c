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
};

struct store_reader {
	sqlite3 *db;
	sqlite3_stmt *statement[STATEMENTS];
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

/* The row that the statement stands on, whole. */
static int read_anomaly(struct store_reader *reader, sqlite3_stmt *statement,
			struct anomaly *ret_anomaly)
{
	sqlite3_int64 row = sqlite3_column_int64(statement, 0);
	int error = store_read_revision(statement, 1, ret_anomaly);
	if (!error)
		error = read_contributions(reader, row, ret_anomaly);
	if (!error)
		error = read_explanations(reader, row, ret_anomaly);
	if (!error)
		error = read_relateds(reader, row, ret_anomaly);
	return error;
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
