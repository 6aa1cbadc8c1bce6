/*
 * history_sql: see history_sql.h.
 */
#include "interval/history_sql.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/still.h"

#define MINUTE_MS INT64_C(60000)
#define BUSY_MS 2000
/* Cache: a commit goes through the open chunks once, in order; it needs few pages at a time. */
#define PRAGMAS                                                                                    \
	"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;"        \
	"PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 2048;"

static const char schema[] =
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	"  through INTEGER);"
	"CREATE TABLE series (id INTEGER PRIMARY KEY, source INTEGER NOT NULL,"
	"  metric TEXT NOT NULL, slice TEXT NOT NULL, spec INTEGER NOT NULL,"
	"  kind INTEGER NOT NULL, aggregation INTEGER NOT NULL, sums INTEGER NOT NULL,"
	"  quantile REAL, first INTEGER NOT NULL,"
	"  UNIQUE (source, metric, slice, spec));";

int64_t history_step_ms(enum history_tier tier, int64_t interval_ms)
{
	static const int64_t steps[] = {0, MINUTE_MS, 60 * MINUTE_MS, 1440 * MINUTE_MS};

	return tier == HISTORY_BASE ? interval_ms : steps[tier];
}

bool history_tier_used(enum history_tier tier, int64_t interval_ms)
{
	return tier == HISTORY_BASE || history_step_ms(tier, interval_ms) > interval_ms;
}

int history_sql_errno(sqlite3 *db, int result)
{
	int primary = result & 0xff;

	if (primary == SQLITE_OK || primary == SQLITE_ROW || primary == SQLITE_DONE)
		return 0;
	if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_MISMATCH ||
	    primary == SQLITE_ERROR) /* a table or column that should be there is not */
		return -EBADMSG;
	if (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) {
		int error = db ? sqlite3_system_errno(db) : 0;
		/* A page that is not there at all: the file has been cut short. */
		return result == SQLITE_IOERR_SHORT_READ ? -EBADMSG : error > 0 ? -error : -EIO;
	}
	return primary == SQLITE_FULL       ? -ENOSPC
	       : primary == SQLITE_NOMEM    ? -ENOMEM
	       : primary == SQLITE_BUSY     ? -EBUSY
	       : primary == SQLITE_READONLY ? -EROFS
					    : -EIO;
}

int history_sql_prepare(sqlite3 *db, sqlite3_stmt **ret_statement, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	char *sql = sqlite3_vmprintf(format, arguments);
	va_end(arguments);
	int result = sql ? sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_statement,
					      NULL)
			 : SQLITE_NOMEM;
	sqlite3_free(sql);
	return history_sql_errno(db, result);
}

int history_sql_exec(sqlite3 *db, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	char *sql = sqlite3_vmprintf(format, arguments);
	va_end(arguments);
	int result = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
	sqlite3_free(sql);
	return history_sql_errno(db, result);
}

int history_sql_number(sqlite3 *db, const char *sql, int64_t *ret_number, bool *ret_null)
{
	sqlite3_stmt *statement;
	int result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (result != SQLITE_OK)
		return history_sql_errno(db, result);
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW) {
		*ret_number = sqlite3_column_int64(statement, 0);
		if (ret_null)
			*ret_null = sqlite3_column_type(statement, 0) == SQLITE_NULL;
	}
	int error = history_sql_errno(db, result);
	sqlite3_finalize(statement);
	return result == SQLITE_DONE ? -ENOENT : error;
}

static int open_and_look(const char *path, int flags, sqlite3 **ret_db)
{
	int64_t ignored;
	int result = sqlite3_open_v2(path, ret_db, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (result != SQLITE_OK)
		return history_sql_errno(*ret_db, result);
	sqlite3_extended_result_codes(*ret_db, 1);
	sqlite3_busy_timeout(*ret_db, BUSY_MS);
	/* Opening is lazy: the first read shows whether it is a database at all. */
	return history_sql_number(*ret_db, "SELECT count(*) FROM sqlite_schema", &ignored, NULL);
}

int history_sql_open(const char *path, int flags, sqlite3 **ret_db)
{
	sqlite3 *db = NULL;
	char still[STILL_BYTES];
	int error = open_and_look(path, flags, &db);

	/* A reader who may not write there, behind an engine that has ended well. */
	if ((error == -EROFS || error == -EACCES) && flags == SQLITE_OPEN_READONLY &&
	    still_name(path, still)) {
		sqlite3_close_v2(db);
		db = NULL;
		error = open_and_look(still, flags | SQLITE_OPEN_URI, &db);
	}
	if (!error && flags & SQLITE_OPEN_READWRITE && sqlite3_db_readonly(db, "main") == 1)
		error = -EROFS;
	if (!error && flags & SQLITE_OPEN_READWRITE) {
		error = history_sql_exec(db, "PRAGMA page_size = %u", HISTORY_PAGE_BYTES);
		if (!error)
			error = history_sql_exec(db, PRAGMAS);
	}
	if (error < 0) {
		sqlite3_close_v2(db);
		return error;
	}
	*ret_db = db;
	return 0;
}

int history_sql_create(sqlite3 *db, int64_t interval_ms, const char *store)
{
	int error = history_sql_exec(db, "BEGIN IMMEDIATE");

	if (!error)
		error = history_sql_exec(db, schema);
	if (!error)
		error = history_sql_exec(
			db,
			"INSERT INTO meta VALUES ('through', 0), ('interval_ms', %lld),"
			" ('store', %Q); PRAGMA user_version = %d; COMMIT",
			(long long)interval_ms, store, HISTORY_SCHEMA_VERSION);
	return error;
}
