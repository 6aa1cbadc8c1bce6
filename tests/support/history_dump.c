/*
 * history_dump: what a history holds, as text; see history_dump.h.
 */
#include "support/history_dump.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interval/history.h"

static void path_of(const char *data, const char *ending, char path[256])
{
	snprintf(path, 256, "%s/%s%s", data, HISTORY_FILE, ending);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
		printf("history: %s: %s\n", sql, sqlite3_errmsg(db));
		abort();
	}
	return statement;
}

static void dump_tier(sqlite3 *db, int64_t source, const char *tier, FILE *out)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
		 "SELECT metric, slice, spec, key >> 28, hex(data) FROM chunk_%" PRId64
		 "_%s JOIN series ON id = key & 268435455 ORDER BY 1, 2, 3, 4",
		 source, tier);
	sqlite3_stmt *statement = prepare(db, sql);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		fputs(tier, out);
		for (int c = 0; c < 5; c++)
			fprintf(out, " %s", sqlite3_column_text(statement, c));
		fputc('\n', out);
	}
	sqlite3_finalize(statement);
}

char *history_dump(const char *data, const char *without)
{
	/* A minute is the base where the interval is one: that table is not there then. */
	static const char *const tiers[] = {"base", "minute", "hour", "day"};
	char path[256], sql[128];
	char *text = NULL;
	size_t bytes = 0;
	sqlite3 *db;
	FILE *out = open_memstream(&text, &bytes);

	path_of(data, "", path);
	if (!out || sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		abort();
	sqlite3_stmt *sources = prepare(db, "SELECT id, name FROM source ORDER BY name");
	while (sqlite3_step(sources) == SQLITE_ROW) {
		int64_t source = sqlite3_column_int64(sources, 0);
		const char *name = (const char *)sqlite3_column_text(sources, 1);
		if (without && strcmp(name, without) == 0)
			continue;
		fprintf(out, "source %s\n", name);
		for (int t = 0; t < 4; t++) {
			snprintf(sql, sizeof(sql),
				 "SELECT 1 FROM sqlite_master WHERE name = 'chunk_%" PRId64 "_%s'",
				 source, tiers[t]);
			sqlite3_stmt *there = prepare(db, sql);
			const bool is = sqlite3_step(there) == SQLITE_ROW;
			sqlite3_finalize(there);
			if (is)
				dump_tier(db, source, tiers[t], out);
		}
	}
	sqlite3_finalize(sources);
	sqlite3_close(db);
	fclose(out);
	return text;
}

void history_remove(const char *data)
{
	static const char *const endings[] = {"", "-wal", "-shm"};
	char path[256];

	for (int i = 0; i < 3; i++) {
		path_of(data, endings[i], path);
		unlink(path);
	}
}

void history_show_difference(const char *live, const char *rebuilt)
{
	while (*live && *live == *rebuilt) {
		live++;
		rebuilt++;
	}
	printf("live    ...%.200s\nrebuilt ...%.200s\n", live, rebuilt);
}
