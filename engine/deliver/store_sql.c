/*
 * store_sql: the store's schema, and a revision as a row.
 *
 * Idea:  every field has a column of its own, so that people can ask with sqlite3, and every
 *        column gives back the bits that went in, so that a replay can be compared with it.
 * Runs on: whoever holds the connection.
 */
#include "deliver/store_sql.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/still.h"
#include "deliver/payload.h"

/* The journal is cut back to this when it has been longer, and this much is set aside for it. */
#define STORE_JOURNAL_BYTES 16777216
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

/* `row` is AUTOINCREMENT so that a number is never used again: the publisher's cursor is one. The
 * schema of version 1, then what each version since has changed. */
static const char schema[] =
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE revision ("
	"  row INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  id TEXT NOT NULL, revision INTEGER NOT NULL, sequence INTEGER NOT NULL,"
	"  group_id TEXT NOT NULL, state INTEGER NOT NULL,"
	"  severity REAL NOT NULL, severity_peak REAL NOT NULL,"
	"  source TEXT NOT NULL, metric TEXT NOT NULL, detector TEXT NOT NULL, kind TEXT NOT NULL,"
	"  slice TEXT NOT NULL, direction INTEGER NOT NULL,"
	"  interval_ms INTEGER NOT NULL, start INTEGER NOT NULL, interval INTEGER NOT NULL,"
	"  peak_interval INTEGER NOT NULL, end_ms INTEGER NOT NULL,"
	"  observed REAL NOT NULL, expected REAL NOT NULL, lower REAL NOT NULL,"
	"  upper REAL NOT NULL, log10_p REAL NOT NULL, incomplete INTEGER NOT NULL,"
	"  UNIQUE (id, revision));"
	"CREATE INDEX revision_end ON revision (end_ms);"
	"CREATE TABLE contribution ("
	"  row INTEGER NOT NULL, position INTEGER NOT NULL,"
	"  dimension TEXT NOT NULL, value TEXT NOT NULL, share REAL NOT NULL,"
	"  observed REAL NOT NULL, expected REAL NOT NULL,"
	"  PRIMARY KEY (row, position)) WITHOUT ROWID;"
	"CREATE TABLE outbox (row INTEGER PRIMARY KEY);"
	"INSERT INTO meta VALUES ('scored_through', 0);"
	"PRAGMA user_version = 1;";

/* Version 2: what operators say. Before it whatever was told had fired. The outbox's rows get
 * numbers of their own, above all that were used before. */
static const char schema_2[] =
	"ALTER TABLE revision ADD COLUMN fired INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE revision ADD COLUMN muted INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE revision ADD COLUMN acknowledged INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE revision ADD COLUMN frequency_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE outbox RENAME TO outbox_1;"
	"CREATE TABLE outbox ("
	"  row INTEGER PRIMARY KEY AUTOINCREMENT, of_row INTEGER NOT NULL UNIQUE);"
	"INSERT INTO outbox (row, of_row) SELECT row, row FROM revision ORDER BY row DESC LIMIT 1;"
	"DELETE FROM outbox;"
	"INSERT INTO outbox (of_row) SELECT row FROM outbox_1 ORDER BY row;"
	"DROP TABLE outbox_1;"
	"CREATE TABLE input ("
	"  number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, author TEXT NOT NULL,"
	"  time_ms INTEGER NOT NULL, text TEXT NOT NULL, id TEXT, source TEXT NOT NULL,"
	"  metric TEXT NOT NULL, detector TEXT NOT NULL, slice TEXT NOT NULL,"
	"  severity_below REAL NOT NULL, from_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,"
	"  mute INTEGER NOT NULL, ended INTEGER);"
	"CREATE INDEX input_id ON input (id) WHERE id IS NOT NULL;"
	"CREATE VIEW mute AS SELECT number, author, time_ms, text, id, source, metric, detector,"
	"  slice, severity_below, until_ms, ended FROM input WHERE kind = 0;"
	"CREATE VIEW ack AS SELECT number, author, time_ms, text, id FROM input WHERE kind = 2;"
	"CREATE VIEW annotation AS SELECT number, author, time_ms, text, id, source, metric,"
	"  from_ms, until_ms FROM input WHERE kind = 3;"
	"INSERT INTO meta VALUES ('inputs_through', 0);"
	"PRAGMA user_version = 2;";

/* Version 3: what explains an anomaly, and what moved with it; what operators say to detectors. */
static const char schema_3[] =
	"CREATE TABLE explanation ("
	"  row INTEGER NOT NULL, position INTEGER NOT NULL,"
	"  slice TEXT NOT NULL, share REAL NOT NULL, observed REAL NOT NULL,"
	"  expected REAL NOT NULL, evidence REAL NOT NULL, since INTEGER NOT NULL,"
	"  PRIMARY KEY (row, position)) WITHOUT ROWID;"
	"CREATE TABLE related ("
	"  row INTEGER NOT NULL, position INTEGER NOT NULL,"
	"  metric TEXT NOT NULL, direction INTEGER NOT NULL, start_ms INTEGER NOT NULL,"
	"  lead_ms INTEGER NOT NULL,"
	"  PRIMARY KEY (row, position)) WITHOUT ROWID;"
	"ALTER TABLE revision ADD COLUMN usual REAL NOT NULL DEFAULT 0;"
	"ALTER TABLE revision ADD COLUMN fall_1 REAL NOT NULL DEFAULT 0;"
	"ALTER TABLE revision ADD COLUMN fall_8 REAL NOT NULL DEFAULT 0;"
	"ALTER TABLE revision ADD COLUMN fall_64 REAL NOT NULL DEFAULT 0;"
	"ALTER TABLE revision ADD COLUMN rise_1 REAL NOT NULL DEFAULT 0;"
	"ALTER TABLE revision ADD COLUMN rise_8 REAL NOT NULL DEFAULT 0;"
	"ALTER TABLE revision ADD COLUMN rise_64 REAL NOT NULL DEFAULT 0;"
	"ALTER TABLE input ADD COLUMN detail TEXT NOT NULL DEFAULT '';"
	"CREATE VIEW feedback AS SELECT number, author, time_ms, text, id,"
	"  json_extract(detail, '$.verdict') AS verdict, source, metric, detector, slice, ended"
	"  FROM input WHERE kind = 4;"
	"PRAGMA user_version = 3;";

_Static_assert(STORE_SCHEMA_VERSION == 3, "the last change sets user_version");
_Static_assert(OPERATOR_MUTE == 0 && OPERATOR_ACK == 2 && OPERATOR_ANNOTATE == 3 &&
		       OPERATOR_FEEDBACK == 4,
	       "views say so");

int store_sql_errno(sqlite3 *db, int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
		return -EBADMSG;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR: {
		int error = db ? sqlite3_system_errno(db) : 0;
		return error > 0 ? -error : -EIO;
	}
	default:
		return -EIO;
	}
}

static const char *advice(int error)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return "the engine's user must be able to write the file and its directory";
	case -ENOENT:
		return "make its directory first, or set data_directory";
	case -EISDIR:
		return "a directory is in its place: move it away";
	case -ENOSPC:
		return "free some space on its disk";
	case -EBUSY:
		return "another program holds it: stop that program";
	case -EBADMSG:
		return "it is damaged or no store of weir: move it away to start an empty one";
	default:
		return "see the data directory's disk";
	}
}

static int refuse(sqlite3 *db, const char *path, int result, const char *what, char *why,
		  size_t why_bytes)
{
	int error = store_sql_errno(db, result);
	const char *text = db ? sqlite3_errmsg(db) : "out of memory";
	if ((result & 0xff) == SQLITE_CANTOPEN || (result & 0xff) == SQLITE_IOERR)
		text = strerror(-error);
	snprintf(why, why_bytes, "store: cannot %s %s: %s; %s", what, path, text, advice(error));
	return error ? error : -EIO;
}

static int open_and_look(const char *path, int flags, sqlite3 **ret_db)
{
	int result = sqlite3_open_v2(path, ret_db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (result == SQLITE_OK) {
		sqlite3_extended_result_codes(*ret_db, 1);
		sqlite3_busy_timeout(*ret_db, STORE_BUSY_MS);
		/* Opening is lazy: the first read shows whether it is a database at all. */
		result = sqlite3_exec(*ret_db, "PRAGMA schema_version", NULL, NULL, NULL);
	}
	return result;
}

/* A reader who may not write there, behind an engine that has ended well. */
static bool is_shut_out(int flags, int result)
{
	return flags == SQLITE_OPEN_READONLY &&
	       ((result & 0xff) == SQLITE_CANTOPEN || (result & 0xff) == SQLITE_READONLY);
}

int store_sql_open(const char *path, int flags, sqlite3 **ret_db, char *why, size_t why_bytes)
{
	sqlite3 *db = NULL;
	char still[STILL_BYTES];
	int result = open_and_look(path, flags, &db);
	if (is_shut_out(flags, result) && still_name(path, still)) {
		sqlite3_close_v2(db);
		db = NULL;
		result = open_and_look(still, flags | SQLITE_OPEN_URI, &db);
	}
	if (result != SQLITE_OK) {
		int error = refuse(db, path, result, "open", why, why_bytes);
		sqlite3_close_v2(db);
		return error;
	}
	/* SQLite falls back to reading where it may not write; the writer must not. */
	if (flags & SQLITE_OPEN_READWRITE && sqlite3_db_readonly(db, "main") == 1) {
		snprintf(why, why_bytes, "store: %s is read-only; %s", path, advice(-EROFS));
		sqlite3_close_v2(db);
		return -EROFS;
	}
	*ret_db = db;
	return 0;
}

static int read_version(sqlite3 *db, int *ret_version)
{
	sqlite3_stmt *statement;
	int result = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL);
	if (result != SQLITE_OK)
		return result;
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		*ret_version = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return result == SQLITE_ROW ? SQLITE_OK : result;
}

/* Room for commits on a disk that others have filled: the journal's, beyond its end and not
 * counted in its size, so that SQLite sees nothing of it. Not the database's own file: closing
 * a descriptor of that would give up SQLite's locks. Best effort: some file systems cannot. */
static void set_space_aside(const char *path)
{
	char journal[4096];

	if ((size_t)snprintf(journal, sizeof(journal), "%s-wal", path) >= sizeof(journal))
		return;
	int fd = open(journal, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	struct stat journal_stat;
	/* What is not there in full is given back: file systems keep the part that there was, and
	 * the log and the history would find the disk fuller than it is. To cut a file at its own
	 * size frees what lies behind its end. */
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, STORE_JOURNAL_BYTES) < 0 &&
	    fstat(fd, &journal_stat) == 0)
		(void)!ftruncate(fd, journal_stat.st_size);
	close(fd);
}

int store_sql_migrate(sqlite3 *db, const char *path, char *why, size_t why_bytes)
{
	/* WAL: readers never wait for the writer. FULL: a commit is on the disk when it returns. */
	int result = sqlite3_exec(db,
				  "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
				  "PRAGMA journal_size_limit = " TEXT(STORE_JOURNAL_BYTES) ";",
				  NULL, NULL, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (result != SQLITE_OK)
		return refuse(db, path, result, "prepare", why, why_bytes);
	int version = -1;
	result = read_version(db, &version);
	if (result == SQLITE_OK && version == 0)
		result = sqlite3_exec(db, schema, NULL, NULL, NULL);
	if (result == SQLITE_OK && (version == 0 || version == 1))
		result = sqlite3_exec(db, schema_2, NULL, NULL, NULL);
	if (result == SQLITE_OK && version >= 0 && version <= 2)
		result = sqlite3_exec(db, schema_3, NULL, NULL, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (result != SQLITE_OK) {
		int error = refuse(db, path, result, "prepare", why, why_bytes);
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		return error;
	}
	if (version < 0 || version > STORE_SCHEMA_VERSION) {
		snprintf(why, why_bytes,
			 "store: %s has schema %d, this weird knows %d; use the weird that wrote "
			 "it, or move it away to start an empty one",
			 path, version, STORE_SCHEMA_VERSION);
		return -EPROTONOSUPPORT;
	}
	set_space_aside(path);
	return 0;
}

void store_bind_double(sqlite3_stmt *statement, int index, double value)
{
	if (isnan(value) || (value == 0.0 && signbit(value)))
		sqlite3_bind_blob(statement, index, &value, sizeof(value), SQLITE_TRANSIENT);
	else
		sqlite3_bind_double(statement, index, value);
}

double store_column_double(sqlite3_stmt *statement, int column)
{
	double value;
	if (sqlite3_column_type(statement, column) != SQLITE_BLOB)
		return sqlite3_column_double(statement, column);
	if (sqlite3_column_bytes(statement, column) != sizeof(value))
		return NAN;
	memcpy(&value, sqlite3_column_blob(statement, column), sizeof(value));
	return value;
}

int store_column_text(sqlite3_stmt *statement, int column, char *text, size_t size)
{
	const unsigned char *from = sqlite3_column_text(statement, column);
	size_t bytes = from ? strlen((const char *)from) : 0;
	if (!from || bytes >= size)
		return -EBADMSG;
	memcpy(text, from, bytes + 1);
	return 0;
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text, size_t size)
{
	sqlite3_bind_text(statement, index, text, (int)strnlen(text, size), SQLITE_STATIC);
}

void store_bind_revision(sqlite3_stmt *statement, uint64_t sequence, const struct anomaly *anomaly)
{
	char id[33], group[33];
	int i = 1;
	anomaly_id_text(anomaly->id, id);
	anomaly_id_text(anomaly->group, group);
	sqlite3_bind_text(statement, i++, id, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(statement, i++, anomaly->revision);
	sqlite3_bind_int64(statement, i++, (sqlite3_int64)sequence);
	sqlite3_bind_text(statement, i++, group, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(statement, i++, (int)anomaly->state);
	store_bind_double(statement, i++, anomaly->severity);
	store_bind_double(statement, i++, anomaly->severity_peak);
	bind_text(statement, i++, anomaly->source, sizeof(anomaly->source));
	bind_text(statement, i++, anomaly->metric, sizeof(anomaly->metric));
	bind_text(statement, i++, anomaly->detector, sizeof(anomaly->detector));
	bind_text(statement, i++, anomaly->kind, sizeof(anomaly->kind));
	bind_text(statement, i++, anomaly->slice, sizeof(anomaly->slice));
	sqlite3_bind_int(statement, i++, anomaly->direction);
	sqlite3_bind_int64(statement, i++, anomaly->interval_ms);
	sqlite3_bind_int64(statement, i++, anomaly->start);
	sqlite3_bind_int64(statement, i++, anomaly->interval);
	sqlite3_bind_int64(statement, i++, anomaly->peak_interval);
	sqlite3_bind_int64(statement, i++, anomaly_time_ms(anomaly, anomaly->interval, true));
	store_bind_double(statement, i++, anomaly->observed);
	store_bind_double(statement, i++, anomaly->expected);
	store_bind_double(statement, i++, anomaly->lower);
	store_bind_double(statement, i++, anomaly->upper);
	store_bind_double(statement, i++, anomaly->log10_p);
	sqlite3_bind_int(statement, i++, anomaly->incomplete);
	sqlite3_bind_int(statement, i++, anomaly->fired);
	sqlite3_bind_int(statement, i++, anomaly->muted);
	sqlite3_bind_int(statement, i++, anomaly->acknowledged);
	sqlite3_bind_int64(statement, i++, anomaly->frequency_ms);
	store_bind_double(statement, i++, anomaly->usual);
	for (unsigned s = 0; s < FEEDBACK_SCALES; s++)
		store_bind_double(statement, i++, anomaly->fall[s]);
	for (unsigned s = 0; s < FEEDBACK_SCALES; s++)
		store_bind_double(statement, i++, anomaly->rise[s]);
}

int store_column_id(sqlite3_stmt *statement, int column, uint64_t ret_id[2])
{
	char text[33], again[33];
	if (store_column_text(statement, column, text, sizeof(text)) < 0 ||
	    sscanf(text, "%16" SCNx64 "%16" SCNx64, &ret_id[0], &ret_id[1]) != 2)
		return -EBADMSG;
	anomaly_id_text(ret_id, again);
	return strcmp(text, again) == 0 ? 0 : -EBADMSG;
}

int store_read_revision(sqlite3_stmt *statement, int first, struct anomaly *ret_anomaly)
{
	struct anomaly *to = ret_anomaly;
	int i = first, error = 0;
	memset(to, 0, sizeof(*to));
	error |= store_column_id(statement, i++, to->id);
	to->revision = (uint32_t)sqlite3_column_int64(statement, i++);
	i++; /* sequence: of the close, which a reader does not need */
	error |= store_column_id(statement, i++, to->group);
	int state = sqlite3_column_int(statement, i++);
	if (state < ANOMALY_FIRING || state > ANOMALY_PENDING)
		return -EBADMSG;
	to->state = (enum anomaly_state)state;
	to->severity = store_column_double(statement, i++);
	to->severity_peak = store_column_double(statement, i++);
	error |= store_column_text(statement, i++, to->source, sizeof(to->source));
	error |= store_column_text(statement, i++, to->metric, sizeof(to->metric));
	error |= store_column_text(statement, i++, to->detector, sizeof(to->detector));
	error |= store_column_text(statement, i++, to->kind, sizeof(to->kind));
	error |= store_column_text(statement, i++, to->slice, sizeof(to->slice));
	to->direction = sqlite3_column_int(statement, i++);
	to->interval_ms = sqlite3_column_int64(statement, i++);
	to->start = sqlite3_column_int64(statement, i++);
	to->interval = sqlite3_column_int64(statement, i++);
	to->peak_interval = sqlite3_column_int64(statement, i++);
	i++; /* end_ms: follows from interval and interval_ms, there to be searched */
	to->observed = store_column_double(statement, i++);
	to->expected = store_column_double(statement, i++);
	to->lower = store_column_double(statement, i++);
	to->upper = store_column_double(statement, i++);
	to->log10_p = store_column_double(statement, i++);
	to->incomplete = sqlite3_column_int(statement, i++) != 0;
	to->fired = sqlite3_column_int(statement, i++) != 0;
	to->muted = sqlite3_column_int(statement, i++) != 0;
	to->acknowledged = sqlite3_column_int(statement, i++) != 0;
	to->frequency_ms = sqlite3_column_int64(statement, i++);
	to->usual = store_column_double(statement, i++);
	for (unsigned s = 0; s < FEEDBACK_SCALES; s++)
		to->fall[s] = store_column_double(statement, i++);
	for (unsigned s = 0; s < FEEDBACK_SCALES; s++)
		to->rise[s] = store_column_double(statement, i++);
	return error ? -EBADMSG : 0;
}

void store_bind_input(sqlite3_stmt *statement, const struct operator_input *input)
{
	char id[33];
	int i = 1;
	anomaly_id_text(input->id, id);
	sqlite3_bind_int64(statement, i++, (sqlite3_int64)input->number);
	sqlite3_bind_int(statement, i++, (int)input->kind);
	bind_text(statement, i++, input->author, sizeof(input->author));
	sqlite3_bind_int64(statement, i++, input->time_ms);
	bind_text(statement, i++, input->text, sizeof(input->text));
	if (input->has_id)
		sqlite3_bind_text(statement, i, id, -1, SQLITE_TRANSIENT);
	i++;
	bind_text(statement, i++, input->source, sizeof(input->source));
	bind_text(statement, i++, input->metric, sizeof(input->metric));
	bind_text(statement, i++, input->detector, sizeof(input->detector));
	bind_text(statement, i++, input->slice, sizeof(input->slice));
	store_bind_double(statement, i++, input->severity_below);
	sqlite3_bind_int64(statement, i++, input->from_ms);
	sqlite3_bind_int64(statement, i++, input->until_ms);
	sqlite3_bind_int64(statement, i++, (sqlite3_int64)input->ends);
	bind_text(statement, i++, input->detail, sizeof(input->detail));
}

int store_read_input(sqlite3_stmt *statement, int first, struct operator_input *ret_input)
{
	struct operator_input *to = ret_input;
	int i = first, error = 0;
	memset(to, 0, sizeof(*to));
	to->number = (uint64_t)sqlite3_column_int64(statement, i++);
	int kind = sqlite3_column_int(statement, i++);
	if (kind < OPERATOR_MUTE || kind >= OPERATOR_KINDS)
		return -EBADMSG;
	to->kind = (enum operator_kind)kind;
	error |= store_column_text(statement, i++, to->author, sizeof(to->author));
	to->time_ms = sqlite3_column_int64(statement, i++);
	error |= store_column_text(statement, i++, to->text, sizeof(to->text));
	to->has_id = sqlite3_column_type(statement, i) != SQLITE_NULL;
	if (to->has_id)
		error |= store_column_id(statement, i, to->id);
	i++;
	error |= store_column_text(statement, i++, to->source, sizeof(to->source));
	error |= store_column_text(statement, i++, to->metric, sizeof(to->metric));
	error |= store_column_text(statement, i++, to->detector, sizeof(to->detector));
	error |= store_column_text(statement, i++, to->slice, sizeof(to->slice));
	to->severity_below = store_column_double(statement, i++);
	to->from_ms = sqlite3_column_int64(statement, i++);
	to->until_ms = sqlite3_column_int64(statement, i++);
	to->ends = (uint64_t)sqlite3_column_int64(statement, i++);
	error |= store_column_text(statement, i++, to->detail, sizeof(to->detail));
	return error ? -EBADMSG : 0;
}
