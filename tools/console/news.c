/*
 * news: see news.h.
 */
#include "news.h"

#include <errno.h>
#include <stdlib.h>

#include "chart.h"
#include "console.h"
#include "engine_link.h"
#include "feed.h"
#include "follow.h"
#include "row.h"
#include "session.h"
#include "watched.h"

static void tell_row(void *self, const struct book_row *row)
{
	struct console *console = self;
	json_t *data = row_json(row);

	if (data)
		feed_publish(console->feed, FEED_ANOMALIES, "anomaly", data);
}

static void tell_reset(void *self)
{
	struct console *console = self;

	feed_publish(console->feed, FEED_ANOMALIES, "reset", json_object());
}

int news_open(struct console *console)
{
	struct follow_options options = {.changed = tell_row, .reset = tell_reset, .self = console};
	int error = book_create(0, &console->book);

	options.book = console->book;
	if (!error)
		error = follow_create(&options, &console->follow);
	if (error)
		return error;
	news_step(console);
	return follow_start(console->follow);
}

void news_close(struct console *console)
{
	follow_destroy(console->follow);
	book_destroy(console->book);
	console->follow = NULL;
	console->book = NULL;
}

static void learn_closed(struct book *book, const json_t *status)
{
	const json_t *source;
	size_t i;

	json_array_foreach(json_object_get(status, "sources"), i, source)
	{
		const char *name = json_string_value(json_object_get(source, "name"));
		const json_t *through = json_object_get(source, "closed_through_ms");
		if (name && json_is_integer(through))
			(void)book_closed(book, name, json_integer_value(through));
	}
}

static void learn_metrics(struct book *book, const json_t *metrics)
{
	const json_t *metric;
	size_t i;

	json_array_foreach(metrics, i, metric)
	{
		const char *name = json_string_value(json_object_get(metric, "name"));
		const char *aggregation = json_string_value(json_object_get(metric, "aggregation"));
		const char *unit = json_string_value(json_object_get(metric, "unit"));
		if (name && aggregation && unit)
			(void)book_metric(book, name, aggregation, unit);
	}
}

/* A ratio is thought to be one of counts. */
static int learn_metric(void *self, const struct history_metric_name *name)
{
	const char *aggregation = chart_aggregation_name(name->aggregation);
	struct book *book = self;

	book_write(book);
	(void)book_metric(book, name->metric, aggregation, watched_unit_of(aggregation, true));
	book_done(book);
	return 0;
}

/* Without an engine that ever said it: as the history has it. The disk is read without the book's
 * lock. */
static void learn_from_history(struct console *console)
{
	char why[ENGINE_WHY_BYTES];
	char *path = engine_link_path(console->link, HISTORY_FILE, why);
	struct history_reader *reader;

	if (path && history_reader_open(path, &reader) == 0) {
		(void)history_metrics(reader, learn_metric, console->book);
		history_reader_close(reader);
	}
	free(path);
}

void news_step(struct console *console)
{
	char why[ENGINE_WHY_BYTES];
	char *path = engine_link_path(console->link, "weir.db", why);
	json_t *status = engine_link_known(console->link);
	json_t *metrics = session_metrics(console);

	if (path)
		(void)follow_path(console->follow, path);
	free(path);
	book_write(console->book);
	learn_closed(console->book, status);
	learn_metrics(console->book, metrics);
	uint32_t known = console->book->metrics;
	book_done(console->book);
	if (!known)
		learn_from_history(console);
	json_decref(status);
	json_decref(metrics);
}
