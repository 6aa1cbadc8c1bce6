/*
 * scorer: what a shard computes. Roll-ups and detectors of the metrics it owns, for every source.
 *
 * Idea:  a metric belongs to a shard by its name. Nothing here depends on how
 *        many shards there are: state is saved per source and metric, revisions carry the place
 *        they have in the order (interval, metric, detector, slice), so any number of shards gives
 *        the same anomalies, bit for bit.
 *
 * Runs on: a shard agent; the thread of a replay. Deterministic, no I/O, no clock.
 */
#ifndef ENGINE_SCORER_H
#define ENGINE_SCORER_H

#include <stdint.h>

#include "base/bytes.h"
#include "config.h"
#include "deliver/operator.h"
#include "detect/anomaly.h"
#include "detect/bank.h"
#include "intake/series.h"
#include "interval/close.h"
#include "interval/history_rows.h"
#include "weir/segment.h"

/* A record of the control log on its way through the shards: a closed run of intervals of one
 * source, or what somebody decided between two closes. */
struct close_job {
	enum weir_control_kind kind;
	uint64_t sequence; /* number of this close in the control log, from 1; of other kinds, of
			    * the last close before */
	/* CONFIG: in force from here on; the storing agent's once all shards have it. INPUT. */
	struct config *config;
	struct operator_input *input;
	struct bytes *sections; /* REBASE: the source's state from here on */
	/* CLOSE, REBASE */
	uint32_t source;
	uint32_t flags;          /* enum weir_close_flag */
	const char *source_name; /* of the source table */
	int64_t from;
	int64_t through;
	int64_t closed_ms;                     /* the end of `through`, unix */
	struct partial *partials;              /* in key order */
	uint64_t control_lsn;                  /* of the block that holds the close */
	struct checkpoint_request *checkpoint; /* not NULL: take one after this close */
};
void close_job_free(struct close_job *job);

/* A revision and its place in the order of a close. */
struct scored {
	struct scored *next;
	int64_t interval;
	uint32_t metric;
	uint32_t ordinal; /* within the metric: detector, then slice */
	struct anomaly anomaly;
};

struct scorer;

struct scorer *scorer_create(uint32_t shard, uint32_t shards, int64_t interval_ms,
			     const struct series_registry *registry);
void scorer_destroy(struct scorer *scorer);

/* A source has this number. Closes name theirs; a checkpoint's must be named before loading. */
int scorer_source(struct scorer *scorer, uint32_t number, const char *name);

/* A list of revisions in order; owned by the caller. */
struct scored_list {
	struct scored *first;
	struct scored **last;
};
void scored_list_init(struct scored_list *list);
void scored_list_free(struct scored_list *list);
/* Merge two lists that are each in order. `from` is empty afterwards. */
void scored_list_merge(struct scored_list *into, struct scored_list *from);

/* Another configuration is in force from here on. State of metrics and detectors that stay as they
 * were is kept; what fires in the others is resolved as of its last interval, with the next close.
 * The configuration is borrowed until the next call. */
int scorer_configure(struct scorer *scorer, const struct config *config);
/* What a bank is told of a detector of a configuration, whose zone it borrows. */
void scorer_detector_spec(const struct config_detector *detector, struct detector_spec *spec);
/* Where the rows of closes go from here on, for the history; NULL (at first): nowhere. What is
 * scored does not depend on it. */
void scorer_record(struct scorer *scorer, struct history_rows *rows);
/* The state of a source is this one from here on (scorer_save() of any number of shards, under the
 * same configuration); what fires is resolved with the next close. 0, -EPROTO, -ENOMEM. */
int scorer_rebase(struct scorer *scorer, uint32_t source, const struct bytes *sections);
/* What an operator said, between two closes. What is no detector's business changes nothing. 0 or
 * -ENOMEM. */
int scorer_input(struct scorer *scorer, const struct operator_input *input);
/* What is in force: to be filled before a rebuild lives through a history, and for who shows it. */
struct calendar *scorer_calendar(struct scorer *scorer);
/* What was said of the anomalies of each detector, and what it has suppressed since. */
struct feedback_list;
struct scorer_said {
	const char *source, *metric, *detector;
	int64_t through_ms; /* as of scorer_detail */
	const struct feedback_list *list;
};
typedef void scorer_each_said(void *self, const struct scorer_said *said);
void scorer_said(const struct scorer *scorer, scorer_each_said *each, void *self);
/* Score a close. */
int scorer_close(struct scorer *scorer, const struct close_job *job, struct scored_list *out);

/* Sections, one per source and metric that this scorer owns. load takes those it owns out of any
 * shard's sections; 0 or -EPROTO. Configure and name the sources first. */
void scorer_save(const struct scorer *scorer, struct bytes *out);
int scorer_load(struct scorer *scorer, struct bytes_reader *in);

/*
 * A state rebuilt from the history (rebase.h): what slices had in an interval comes row by row, in
 * the place of cells.
 */
struct metric_state;
/* What a metric means to the history: a hash of what its values follow from, not of what they are
 * rolled up by. */
uint64_t scorer_spec(const struct config *config, unsigned metric);
/* The metric whose history has this name and meaning; NULL: it is not this scorer's. */
struct metric_state *scorer_metric(struct scorer *scorer, uint32_t source, const char *name,
				   uint64_t spec);
bool scorer_watched(const struct metric_state *metric); /* by any detector */
/* Its slice of this label, made in this interval if it is new; UINT32_MAX: it has none such. */
uint32_t scorer_slice(struct metric_state *metric, const char *label, int64_t interval);
/* A row of the interval to be lived through next. 0; -ENOENT: no such kind; -EPROTO, -ENOMEM. */
int scorer_put(struct metric_state *metric, enum history_kind kind, uint32_t slice,
	       int64_t interval, const uint64_t *words, const uint8_t *sketch, size_t bytes);
/* Live through the interval of all metrics of the source. each: its revisions, in the order of a
 * close; NULL: they are forgotten. */
int scorer_step(struct scorer *scorer, uint32_t source, int64_t interval, bool incomplete,
		bank_each *each, void *self);
/* What a configuration has resolved and no step has told yet. */
void scorer_carried(struct scorer *scorer, bank_each *each, void *self);
/* The same with what a coarser tier has of `intervals` intervals, step_ms in all, through this one:
 * for detectors whose periods are made of such steps. These leave out the intervals up to
 * `through` that come later one by one. */
struct scorer_stretch {
	int64_t interval, intervals, incomplete, step_ms;
	int64_t through;
};
int scorer_absorb(struct scorer *scorer, uint32_t source, const struct scorer_stretch *stretch);
/* The end of it: nothing fires and nothing is pending. each: what that resolves, or NULL. */
void scorer_settle(struct scorer *scorer, bank_each *each, void *self);

/* For status: detectors that still learn, slices, bytes of state. */
struct scorer_status {
	uint64_t slices, bytes, overflowed;
	uint64_t learning, banks;
};
void scorer_status(const struct scorer *scorer, struct scorer_status *ret_status);

/* A detector at work on one source, in the order of the configuration. */
struct scorer_detail {
	const struct config_metric *metric;
	const struct config_detector *detector;
	const char *source;
	const struct bank *bank;
	int64_t through_ms; /* unix, the end of the interval last scored; 0: none yet */
	/* What was scored, for scorer_watch(); else NULL. */
	const struct observations *observations;
};
typedef void scorer_each(void *self, const struct scorer_detail *detail);
void scorer_details(const struct scorer *scorer, scorer_each *each, void *self);
/* Tell each detector at work after each interval of a close. What is scored does not depend on it.
 * NULL: no longer. */
void scorer_watch(struct scorer *scorer, scorer_each *each, void *self);

#endif
