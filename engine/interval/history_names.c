/*
 * history_names: which series the history has. See history.h.
 *
 * Runs on: any thread, each with a reader of its own. Reads only.
 */
#include "interval/history_sql.h"

static int each_row(struct history_reader *reader, const char *sql, const char *metric,
		    int (*each)(void *self, sqlite3_stmt *row), void *self)
{
	sqlite3_stmt *statement;
	int stop = 0;
	int result = sqlite3_prepare_v2(reader->db, sql, -1, &statement, NULL);

	if (result != SQLITE_OK)
		return history_sql_errno(reader->db, result);
	if (metric)
		sqlite3_bind_text(statement, 1, metric, -1, SQLITE_STATIC);
	while (!stop && (result = sqlite3_step(statement)) == SQLITE_ROW)
		stop = each(self, statement);
	int error = history_sql_errno(reader->db, result);
	sqlite3_finalize(statement);
	return error;
}

struct naming {
	int64_t interval_ms;
	int (*each)(void *self, const struct history_name *name);
	int (*each_metric)(void *self, const struct history_metric_name *name);
	void *self;
};

static int name_row(void *self, sqlite3_stmt *row)
{
	const struct naming *naming = self;
	struct history_name name = {
		.source = (const char *)sqlite3_column_text(row, 0),
		.metric = (const char *)sqlite3_column_text(row, 1),
		.slice = (const char *)sqlite3_column_text(row, 2),
		.aggregation = (enum aggregation)sqlite3_column_int64(row, 3),
	};

	if (!name.source || !name.metric || !name.slice || name.aggregation > AGGREGATE_RATIO)
		return 0;
	return naming->each(naming->self, &name);
}

int history_names(struct history_reader *reader,
		  int (*each)(void *self, const struct history_name *name), void *self)
{
	struct naming naming = {.each = each, .self = self};

	return each_row(reader,
			"SELECT o.name, s.metric, s.slice, s.aggregation FROM series s "
			"JOIN source o ON o.id = s.source WHERE s.metric <> '' "
			"ORDER BY o.id, s.metric, s.slice",
			NULL, name_row, &naming);
}

int history_slices(struct history_reader *reader, const char *metric,
		   int (*each)(void *self, const struct history_name *name), void *self)
{
	struct naming naming = {.each = each, .self = self};

	/* In the order of its index: what is not asked for any more is not read. */
	return each_row(reader,
			"SELECT o.name, s.metric, s.slice, max(s.aggregation) FROM source o "
			"JOIN series s ON s.source = o.id WHERE s.metric = ?1 AND s.metric <> '' "
			"GROUP BY o.id, s.slice ORDER BY o.id, s.slice",
			metric, name_row, &naming);
}

int history_progress(struct history_reader *reader, int64_t *ret_progress)
{
	return history_sql_number(reader->db,
				  "SELECT value FROM meta WHERE key = 'through'", ret_progress,
				  NULL);
}

static int metric_row(void *self, sqlite3_stmt *row)
{
	const struct naming *naming = self;
	struct history_metric_name name = {
		.source = (const char *)sqlite3_column_text(row, 0),
		.metric = (const char *)sqlite3_column_text(row, 1),
		.aggregation = (enum aggregation)sqlite3_column_int64(row, 2),
		.slices = sqlite3_column_int64(row, 3),
		.through_ms = (sqlite3_column_int64(row, 4) + 1) * naming->interval_ms,
	};

	if (!name.source || !name.metric || name.aggregation > AGGREGATE_RATIO)
		return 0;
	return naming->each_metric(naming->self, &name);
}

int history_metrics(struct history_reader *reader,
		    int (*each)(void *self, const struct history_metric_name *name), void *self)
{
	struct naming naming = {
		.interval_ms = reader->interval_ms, .each_metric = each, .self = self};

	/* Beside max(id) the aggregation is that of its row: the newest meaning of the name. */
	return each_row(reader,
			"SELECT name, metric, aggregation, slices, through FROM (SELECT "
			"o.id AS source, o.name AS name, o.through AS through, "
			"s.metric AS metric, s.aggregation AS aggregation, "
			"count(DISTINCT s.slice) AS slices, max(s.id) FROM source o JOIN series s "
			"ON s.source = o.id WHERE s.metric <> '' GROUP BY o.id, s.metric) "
			"ORDER BY source, metric",
			NULL, metric_row, &naming);
}
