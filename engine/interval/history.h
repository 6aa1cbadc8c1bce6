/*
 * history: what every watched metric was, interval by interval, for years. A file of its own.
 *
 * Idea:  each closed interval gives each slice of a metric a point. Points are kept in tiers (the
 *        intervals themselves, minutes, hours, days), each for its own time, all four written when
 *        the interval is closed, so that a chart over any span reads little. In each tier sixty
 *        points of a series are a chunk (history_chunk.h), keyed by time, then series: writing
 *        appends, pages are full, and forgetting deletes from the front.
 * Exactly once: rows are committed together with the number of the last close they are of (the
 *        watermark). After a crash the log's closes come again; what lies at or below it is
 *        passed over. What is lost is rebuilt from as much of the log as there is.
 * Never: an input of live scoring.
 *
 *      close n ──> pending rows ──> one transaction for many closes: four tiers, watermark
 *
 * Runs on: the history agent (writer); any thread with a reader of its own.
 */
#ifndef INTERVAL_HISTORY_H
#define INTERVAL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "interval/history_rows.h"
#include "weir/limits.h"

struct zone;

#define HISTORY_FILE "history.db"

/* Of a slice's label: 16 dimensions at their longest, every byte escaped. */
#define HISTORY_LABEL_BYTES 10496

enum history_tier { HISTORY_BASE, HISTORY_MINUTE, HISTORY_HOUR, HISTORY_DAY, HISTORY_TIERS };

/* How long each tier is kept, in seconds behind the newest closed interval of its source. */
struct history_keep {
	uint64_t keep_s[HISTORY_TIERS];
};

struct history_options {
	const char *path;
	const char *store; /* which store it belongs to, a text */
	int64_t interval_ms;
	struct history_keep keep;
	uint64_t pending_bytes_max; /* rows that wait for a commit: beyond, closes are lost */
};

struct history;

/* A file that is damaged or of another store is moved aside to "<path>.damaged-N", and an empty
 * one made; *ret_moved (may be NULL) says so. Else 0, or a negative errno with what to do. */
int history_open(const struct history_options *options, struct history **ret_history,
		 bool *ret_moved, char *why, size_t why_bytes);
void history_close(struct history *history); /* what is not committed is forgotten */

/* One close as the shards answered it, in the order of the closes. */
struct history_close {
	uint64_t sequence;
	const char *source;
	int64_t through;
	const struct history_rows *rows; /* [shards] */
	uint32_t shards;
};
/* true: it is pending now; false: passed over (already there), or there is no room and it is
 * lost: the history has a hole, counted. */
bool history_add(struct history *history, const struct history_close *close);
/* Write what is pending, and forget some of what is too old. 0, or a negative errno: it is all
 * still pending. -EBADMSG: the file is damaged; it has been moved aside and nothing more is
 * kept until it is opened again. */
int history_commit(struct history *history);
/* The log ends at this close: a history that knows more goes on from there. */
int history_rewind(struct history *history, uint64_t sequence);

uint64_t history_through(const struct history *history); /* as committed; any thread */
uint64_t history_added(const struct history *history);   /* the same with what is pending */
uint64_t history_pending_bytes(const struct history *history);
/* It has given up: checkpoints need not wait for it. */
bool history_gave_up(const struct history *history);
void history_keep(struct history *history, const struct history_keep *keep); /* any thread */

struct history_counters { /* stored relaxed, for people */
	uint64_t series, rows, chunks, commits, pruned;
	uint64_t written_bytes; /* of chunks */
	uint64_t lost_closes, damaged_chunks, refused;
	uint64_t file_bytes;
};
void history_counters(const struct history *history, struct history_counters *ret_counters);

/* Reading: a connection of its own, on the file of a running engine or of a stopped one. */
struct history_reader;
int history_reader_open(const char *path, struct history_reader **ret_reader);
/* The same, with what is wrong in `why`. */
int history_reader_open_or_say(const char *path, struct history_reader **ret_reader, char *why,
			       size_t why_bytes);
void history_reader_close(struct history_reader *reader);

#define HISTORY_NEWEST INT64_MAX

struct history_query {
	const char *metric;
	const char *source; /* NULL: the first that has the metric, wall sources' names first */
	const char *slice;  /* "" or NULL: the total */
	int64_t from_ms;
	int64_t to_ms;       /* HISTORY_NEWEST: the end of what is known */
	int64_t back_ms;     /* not 0: from_ms is that long before the end */
	int64_t step_ms;     /* 0: the finest that gives at most points_max */
	uint32_t points_max; /* 0: 1000 */
	/* Steps of whole days are days of this place, if a tier that reaches back so far is fine
	 * enough for its midnights; else, and where it is NULL, of UTC. Stays the caller's. */
	const struct zone *zone;
};

struct history_point {
	int64_t time_ms;             /* its beginning */
	double value;                /* NaN: nothing is known, or nothing can be said */
	double events;               /* behind the value */
	double sum, sum_squares;     /* of what is added up; of a ratio above */
	double numerator, weight;    /* of a ratio */
	uint32_t closed, incomplete; /* intervals of the point: known, and of them not whole */
};

struct history_answer {
	char source[WEIR_SOURCE_NAME_BYTES], metric[WEIR_NAME_BYTES_MAX + 1];
	char slice[HISTORY_LABEL_BYTES];
	enum aggregation aggregation;
	double quantile;
	enum history_tier tier;
	int64_t interval_ms;
	int64_t step_ms;  /* at least what was asked for */
	bool local;       /* steps are days of the query's zone */
	uint32_t damaged; /* chunks that cannot be read: holes */
	uint32_t count;
	struct history_point *points; /* [count], without gaps, in time order; to be freed */
};
/* 0; -ENOENT: nothing is known of that (`why` lists what is); -E2BIG: a step that gives too many
 * points; other negative errno. */
int history_read(struct history_reader *reader, const struct history_query *query,
		 struct history_answer *ret_answer, char *why, size_t why_bytes);
void history_answer_fini(struct history_answer *answer);
const char *history_tier_name(enum history_tier tier);

/* What there is of a metric of a source, and since when. */
struct history_reach {
	char source[WEIR_SOURCE_NAME_BYTES];
	enum aggregation aggregation;
	int64_t interval_ms;
	int64_t begun_ms;   /* the first interval of the source that is known, unix */
	int64_t known_ms;   /* of the metric */
	int64_t through_ms; /* the end of the source's last closed interval */
	/* Of each tier: where what is kept of the source begins. INT64_MAX: nothing is, or the
	 * intervals are as coarse. */
	int64_t first_ms[HISTORY_TIERS];
};
/* As history_read(): 0, -ENOENT, other negative errno. Of the query metric, source and slice. */
int history_reach(struct history_reader *reader, const struct history_query *query,
		  struct history_reach *ret_reach, char *why, size_t why_bytes);
/* Milliseconds of a tier's point. */
int64_t history_tier_ms(enum history_tier tier, int64_t interval_ms);

/* Every series: for lists and completion. `each` returns non-zero to stop. */
struct history_name {
	const char *source, *metric, *slice;
	enum aggregation aggregation;
};
int history_names(struct history_reader *reader,
		  int (*each)(void *self, const struct history_name *name), void *self);
/* The slices of one metric, each once. */
int history_slices(struct history_reader *reader, const char *metric,
		   int (*each)(void *self, const struct history_name *name), void *self);
/* The metrics of each source, and how many slices they have. */
struct history_metric_name {
	const char *source, *metric;
	enum aggregation aggregation; /* as it is now */
	int64_t slices;
	int64_t through_ms; /* the end of the source's last closed interval */
};
/* Another number whenever a close has been added, of any source. */
int history_progress(struct history_reader *reader, int64_t *ret_progress);
int history_metrics(struct history_reader *reader,
		    int (*each)(void *self, const struct history_metric_name *name), void *self);

#endif
