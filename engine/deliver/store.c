/*
 * store: the writer. What a group of closes brought becomes one transaction.
 *
 * Idea:  revisions, outbox rows and "scored through" are stored together or not at all. After a
 *        crash the same closes come again; what lies at or below the mark is passed over, so
 *        nothing is stored, or sent under a new row, twice.
 * Runs on: the store agent. scored_through and outbox_rows may be read by any thread.
 * Never: waits for Redis, or changes a revision once it is stored.
 */
#include "deliver/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "deliver/payload.h"
#include "deliver/store_sql.h"
#include "weir/order.h"

enum statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_REVISION,
	STATEMENT_CONTRIBUTION,
	STATEMENT_EXPLANATION,
	STATEMENT_RELATED,
	STATEMENT_OUTBOX,
	STATEMENT_SCORED,
	STATEMENT_ACKNOWLEDGE,
	STATEMENT_INPUT,
	STATEMENT_END,
	STATEMENT_INPUTS,
	STATEMENT_FORGET,
	STATEMENT_GO_ON,
	STATEMENT_RELEASE,
	STATEMENTS
};

static const char *const statements[STATEMENTS] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_REVISION] =
		"INSERT INTO revision (" STORE_COLUMNS ") VALUES "
		"(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
		"?, ?, ?, ?, ?, ?, ?, ?) "
		"ON CONFLICT (id, revision) DO NOTHING",
	[STATEMENT_CONTRIBUTION] = "INSERT INTO contribution VALUES (?, ?, ?, ?, ?, ?, ?)",
	[STATEMENT_EXPLANATION] = "INSERT INTO explanation VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	[STATEMENT_RELATED] = "INSERT INTO related VALUES (?, ?, ?, ?, ?, ?)",
	[STATEMENT_OUTBOX] = "INSERT INTO outbox (of_row) VALUES (?)",
	[STATEMENT_SCORED] = "UPDATE meta SET value = ? WHERE key = 'scored_through'",
	[STATEMENT_ACKNOWLEDGE] = "DELETE FROM outbox WHERE row <= ?",
	[STATEMENT_INPUT] = "INSERT INTO input (" STORE_INPUT_COLUMNS ") VALUES "
			    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
			    "ON CONFLICT (number) DO NOTHING",
	[STATEMENT_END] = "UPDATE input SET ended = ?1 WHERE number = ?2 AND kind = ?3 "
			  "AND ended IS NULL",
	[STATEMENT_INPUTS] = "UPDATE meta SET value = ? WHERE key = 'inputs_through'",
	[STATEMENT_FORGET] = "DELETE FROM input WHERE number > ?",
	[STATEMENT_GO_ON] = "UPDATE input SET ended = NULL WHERE ended > ?",
	[STATEMENT_RELEASE] = "INSERT INTO outbox (of_row) SELECT row FROM revision "
			      "WHERE id = ? ORDER BY revision DESC LIMIT 1 "
			      "ON CONFLICT (of_row) DO NOTHING",
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statement[STATEMENTS];
	uint64_t scored_through; /* as committed */
	uint64_t outbox_rows;    /* as committed */
	uint64_t inputs_through; /* as committed */
	uint64_t inputs_added;   /* last one of the open transaction */
	uint64_t added;          /* outbox rows of the open transaction */
	bool open;               /* between begin and commit */
	int failed;              /* why the open transaction was rolled back, else 0 */
};

/* Run a bound statement that gives no rows, make it ready for the next time. */
static int run(struct store *store, enum statement which)
{
	sqlite3_stmt *statement = store->statement[which];
	int result = sqlite3_step(statement);
	int error = store_sql_errno(store->db, result);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return error;
}

/* The transaction is void; every call until the next store_begin() says why. */
static int fail(struct store *store, int error)
{
	store->failed = error;
	/* Some errors (a full disk) make SQLite roll back on its own. */
	if (!sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return error;
}

static int read_number(sqlite3 *db, const char *sql, uint64_t *ret_number)
{
	sqlite3_stmt *statement;
	int result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	if (result != SQLITE_OK)
		return store_sql_errno(db, result);
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		*ret_number = (uint64_t)sqlite3_column_int64(statement, 0);
	int error = store_sql_errno(db, result);
	sqlite3_finalize(statement);
	return result == SQLITE_DONE ? -EBADMSG : error;
}

static int prepare(struct store *store)
{
	for (int i = 0; i < STATEMENTS; i++) {
		int result = sqlite3_prepare_v3(store->db, statements[i], -1,
						SQLITE_PREPARE_PERSISTENT, &store->statement[i],
						NULL);
		if (result != SQLITE_OK)
			return store_sql_errno(store->db, result);
	}
	int error = read_number(store->db, "SELECT value FROM meta WHERE key = 'scored_through'",
				&store->scored_through);
	if (!error)
		error = read_number(store->db,
				    "SELECT value FROM meta WHERE key = 'inputs_through'",
				    &store->inputs_through);
	if (!error)
		error = read_number(store->db, "SELECT count(*) FROM outbox", &store->outbox_rows);
	return error;
}

int store_open(const char *path, struct store **ret_store, char *why, size_t why_bytes)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store) {
		snprintf(why, why_bytes, "store: out of memory");
		return -ENOMEM;
	}
	int error = store_sql_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &store->db,
				   why, why_bytes);
	if (!error)
		error = store_sql_migrate(store->db, path, why, why_bytes);
	if (!error) {
		error = prepare(store);
		if (error)
			snprintf(why, why_bytes,
				 "store: cannot read %s: %s; it is damaged: move it away to start "
				 "an empty one",
				 path, sqlite3_errmsg(store->db));
	}
	if (error) {
		store_close(store);
		return error;
	}
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(store->statement[i]);
	sqlite3_close_v2(store->db);
	free(store);
}

uint64_t store_scored_through(const struct store *store)
{
	return weir_load_relaxed_64(&store->scored_through);
}

uint64_t store_outbox_rows(const struct store *store)
{
	return weir_load_relaxed_64(&store->outbox_rows);
}

int store_begin(struct store *store)
{
	if (store->open)
		fail(store, -ECANCELED);
	store->open = true;
	store->failed = 0;
	store->added = 0;
	store->inputs_added = 0;
	int error = run(store, STATEMENT_BEGIN);
	return error ? fail(store, error) : 0;
}

static int add_contribution(struct store *store, sqlite3_int64 row, int position,
			    const struct contribution *from)
{
	sqlite3_stmt *statement = store->statement[STATEMENT_CONTRIBUTION];
	sqlite3_bind_int64(statement, 1, row);
	sqlite3_bind_int(statement, 2, position);
	sqlite3_bind_text(statement, 3, from->dimension,
			  (int)strnlen(from->dimension, sizeof(from->dimension)), SQLITE_STATIC);
	sqlite3_bind_text(statement, 4, from->value, (int)strnlen(from->value, sizeof(from->value)),
			  SQLITE_STATIC);
	store_bind_double(statement, 5, from->share);
	store_bind_double(statement, 6, from->observed);
	store_bind_double(statement, 7, from->expected);
	return run(store, STATEMENT_CONTRIBUTION);
}

static int add_explanation(struct store *store, sqlite3_int64 row, int position,
			   const struct explanation *from)
{
	sqlite3_stmt *statement = store->statement[STATEMENT_EXPLANATION];
	sqlite3_bind_int64(statement, 1, row);
	sqlite3_bind_int(statement, 2, position);
	sqlite3_bind_text(statement, 3, from->slice, (int)strnlen(from->slice, sizeof(from->slice)),
			  SQLITE_STATIC);
	store_bind_double(statement, 4, from->share);
	store_bind_double(statement, 5, from->observed);
	store_bind_double(statement, 6, from->expected);
	store_bind_double(statement, 7, from->evidence);
	sqlite3_bind_int64(statement, 8, from->since);
	return run(store, STATEMENT_EXPLANATION);
}

static int add_related(struct store *store, sqlite3_int64 row, int position,
		       const struct related *from)
{
	sqlite3_stmt *statement = store->statement[STATEMENT_RELATED];
	sqlite3_bind_int64(statement, 1, row);
	sqlite3_bind_int(statement, 2, position);
	sqlite3_bind_text(statement, 3, from->metric,
			  (int)strnlen(from->metric, sizeof(from->metric)), SQLITE_STATIC);
	sqlite3_bind_int(statement, 4, from->direction);
	sqlite3_bind_int64(statement, 5, from->start_ms);
	sqlite3_bind_int64(statement, 6, from->lead_ms);
	return run(store, STATEMENT_RELATED);
}

int store_add(struct store *store, uint64_t sequence, const struct anomaly *anomaly)
{
	check(store->open && anomaly->contributions <= ANOMALY_CONTRIBUTIONS_MAX &&
	      anomaly->explanations <= ANOMALY_EXPLANATIONS_MAX &&
	      anomaly->relateds <= ANOMALY_RELATED_MAX);
	if (store->failed)
		return store->failed;
	if (sequence <= store->scored_through)
		return 0;
	store_bind_revision(store->statement[STATEMENT_REVISION], sequence, anomaly);
	int error = run(store, STATEMENT_REVISION);
	if (error)
		return fail(store, error);
	if (sqlite3_changes(store->db) == 0)
		return 0; /* this revision is there: it keeps its row */
	sqlite3_int64 row = sqlite3_last_insert_rowid(store->db);
	for (uint32_t i = 0; i < anomaly->contributions && !error; i++)
		error = add_contribution(store, row, (int)i, &anomaly->contribution[i]);
	for (uint32_t i = 0; i < anomaly->explanations && !error; i++)
		error = add_explanation(store, row, (int)i, &anomaly->explanation[i]);
	for (uint32_t i = 0; i < anomaly->relateds && !error; i++)
		error = add_related(store, row, (int)i, &anomaly->related[i]);
	if (!error && store_publishes(anomaly)) {
		sqlite3_bind_int64(store->statement[STATEMENT_OUTBOX], 1, row);
		error = run(store, STATEMENT_OUTBOX);
		store->added++;
	}
	return error ? fail(store, error) : 0;
}

bool store_publishes(const struct anomaly *anomaly)
{
	return anomaly->fired && !anomaly->muted && anomaly->state != ANOMALY_PENDING;
}

/* The sort of input that is over with one of this kind; OPERATOR_KINDS: none. */
static enum operator_kind ended_by(enum operator_kind kind)
{
	switch (kind) {
	case OPERATOR_UNMUTE:
		return OPERATOR_MUTE;
	case OPERATOR_FEEDBACK_UNDO:
		return OPERATOR_FEEDBACK;
	case OPERATOR_CALENDAR_REMOVE:
		return OPERATOR_CALENDAR_ADD;
	case OPERATOR_OVERRIDE_UNDO:
		return OPERATOR_OVERRIDE;
	default:
		return OPERATOR_KINDS;
	}
}

int store_input(struct store *store, const struct operator_input *input)
{
	check(store->open);
	if (store->failed)
		return store->failed;
	if (input->number <= store->inputs_through)
		return 0;
	store_bind_input(store->statement[STATEMENT_INPUT], input);
	int error = run(store, STATEMENT_INPUT);
	if (!error && ended_by(input->kind) < OPERATOR_KINDS) {
		sqlite3_stmt *statement = store->statement[STATEMENT_END];
		sqlite3_bind_int64(statement, 1, (sqlite3_int64)input->number);
		sqlite3_bind_int64(statement, 2, (sqlite3_int64)input->ends);
		sqlite3_bind_int(statement, 3, (int)ended_by(input->kind));
		error = run(store, STATEMENT_END);
	}
	if (error)
		return fail(store, error);
	store->inputs_added = input->number;
	return 0;
}

int store_release(struct store *store, uint64_t sequence, uint64_t number, const uint64_t id[2])
{
	char text[33];
	check(store->open);
	if (store->failed)
		return store->failed;
	if (sequence <= store->scored_through && number <= store->inputs_through)
		return 0;
	anomaly_id_text(id, text);
	sqlite3_bind_text(store->statement[STATEMENT_RELEASE], 1, text, -1, SQLITE_TRANSIENT);
	int error = run(store, STATEMENT_RELEASE);
	if (error)
		return fail(store, error);
	store->added += (uint64_t)sqlite3_changes(store->db);
	return 0;
}

int store_commit(struct store *store, uint64_t sequence)
{
	check(store->open);
	int error = store->failed;
	if (!error && sequence > store->scored_through) {
		sqlite3_bind_int64(store->statement[STATEMENT_SCORED], 1, (sqlite3_int64)sequence);
		error = run(store, STATEMENT_SCORED);
	}
	if (!error && store->inputs_added) {
		sqlite3_bind_int64(store->statement[STATEMENT_INPUTS], 1,
				   (sqlite3_int64)store->inputs_added);
		error = run(store, STATEMENT_INPUTS);
	}
	if (!error)
		error = run(store, STATEMENT_COMMIT);
	if (error) {
		fail(store, error);
		store->open = false;
		return error;
	}
	store->open = false;
	if (sequence > store->scored_through)
		weir_store_relaxed_64(&store->scored_through, sequence);
	if (store->inputs_added)
		store->inputs_through = store->inputs_added;
	weir_store_relaxed_64(&store->outbox_rows, store->outbox_rows + store->added);
	return 0;
}

int store_rewind(struct store *store, uint64_t sequence)
{
	check(!store->open);
	if (sequence >= store->scored_through)
		return 0;
	sqlite3_bind_int64(store->statement[STATEMENT_SCORED], 1, (sqlite3_int64)sequence);
	int error = run(store, STATEMENT_SCORED);
	if (!error)
		weir_store_relaxed_64(&store->scored_through, sequence);
	return error;
}

int store_rewind_inputs(struct store *store, uint64_t number)
{
	static const enum statement all[] = {STATEMENT_BEGIN, STATEMENT_FORGET, STATEMENT_GO_ON,
					     STATEMENT_INPUTS, STATEMENT_COMMIT};
	int error = 0;
	check(!store->open);
	if (number >= store->inputs_through)
		return 0;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && !error; i++) {
		if (all[i] != STATEMENT_BEGIN && all[i] != STATEMENT_COMMIT)
			sqlite3_bind_int64(store->statement[all[i]], 1, (sqlite3_int64)number);
		error = run(store, all[i]);
	}
	if (error)
		return fail(store, error);
	store->inputs_through = number;
	return 0;
}

int store_acknowledge(struct store *store, uint64_t row)
{
	check(!store->open);
	sqlite3_bind_int64(store->statement[STATEMENT_ACKNOWLEDGE], 1, (sqlite3_int64)row);
	int error = run(store, STATEMENT_ACKNOWLEDGE);
	if (error)
		return error;
	uint64_t gone = (uint64_t)sqlite3_changes(store->db);
	weir_store_relaxed_64(&store->outbox_rows, store->outbox_rows - gone);
	return 0;
}
