/*
 * scorer_private: what a scorer holds, shared by scorer.c and the files named after it.
 * Nobody else includes this.
 */
#ifndef ENGINE_SCORER_PRIVATE_H
#define ENGINE_SCORER_PRIVATE_H

#include "detect/bank.h"
#include "detect/feedback.h"
#include "gaps.h"
#include "interval/rollup.h"
#include "recorder.h"
#include "scorer.h"

struct metric_state {
	struct metric_state *next;
	uint32_t index; /* in the configuration: its place in the order */
	uint32_t source;
	char *key; /* text of the metric's configuration: equal text, equal meaning */
	struct rollup *rollup;
	struct recorder recorder;
	struct bank_state {
		struct bank *bank;
		char *key;
	} * banks;
	uint32_t banks_count;
	int64_t last; /* interval last scored */
	bool scored;
};

/* What was said of the anomalies of one detector. */
struct scorer_feedback {
	struct scorer_feedback *next;
	uint32_t source;
	char metric[65];
	char detector[65];
	struct feedback_list *list;
};

struct source_state {
	bool known;
	char name[WEIR_SOURCE_NAME_BYTES];
	struct gaps gaps; /* what jumps of its clock may still cost */
};

struct scorer {
	uint32_t shard;
	uint32_t shards;
	int64_t interval_ms;
	const struct series_registry *registry;
	const struct config *config;
	struct source_state sources[WEIR_SOURCES_MAX];
	struct metric_state *metrics; /* by source, then index */
	struct scored_list carried;   /* what a configuration resolved, until the next close */
	struct history_rows *rows;    /* of the close in hand, for the history; NULL: not wanted */
	uint32_t recorders;
	struct calendar *calendar;        /* banks borrow it */
	struct scorer_feedback *feedback; /* by source, metric, detector */
	scorer_each *watch;               /* NULL: nobody */
	void *watch_self;
};

/* Its section of a checkpoint. */
void scorer_save_calendar(const struct scorer *scorer, struct bytes *out);

/* Where a checkpoint's section has a metric's index: this one is what was said of a detector. */
#define FEEDBACK_SECTION (UINT32_MAX - 1)

/* Is it this scorer's metric? */
bool scorer_owns(const struct scorer *scorer, const char *metric);
/* scorer_feedback.c. An input of kind FEEDBACK: 0 or -ENOMEM; the number of one that is over. */
int scorer_hear(struct scorer *scorer, const struct operator_input *input);
void scorer_take_back(struct scorer *scorer, uint64_t number);
/* Banks have come, or something was said: each has what is its own. */
void scorer_hand_out(struct scorer *scorer);
void scorer_forget_feedback(struct scorer *scorer);
void scorer_save_feedback(const struct scorer *scorer, struct bytes *out);
int scorer_load_feedback(struct scorer *scorer, uint32_t source, struct bytes_reader *in);

#endif
