/*
 * book: the anomalies in memory: one compact entry each, put together from their revisions and from
 * what operators said, and the groups that they form.
 *
 * Idea:  what a row of a list shows is worked out when a revision is read, not when somebody asks.
 *        Bounded: the newest BOOK_ANOMALIES, and whatever is still open.
 *
 *   store ── follow.h ──> book_revision(), book_input() ──> entries, groups <── sieve.h (filters)
 *                                    │                          │
 *                                    └── changed ──> feed       └──> row.h (JSON)
 *
 * Runs on: follow's thread writes, any thread reads, each with the lock that it needs. Whoever
 *          wants to go on with entries without the lock copies them and holds the names.
 */
#ifndef CONSOLE_BOOK_H
#define CONSOLE_BOOK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "deliver/operator.h"
#include "detect/anomaly.h"
#include "names.h"
#include "weir/limits.h"

#define BOOK_ANOMALIES 20000u
#define BOOK_MUTES 1024u
#define BOOK_METRICS 1024u
#define BOOK_SAID 65536u
#define BOOK_NONE UINT32_MAX

/* What an anomaly is to people. */
enum book_status {
	BOOK_OPEN,
	BOOK_ACKNOWLEDGED,
	BOOK_MUTED,
	BOOK_RESOLVED,
	BOOK_DISMISSED, /* somebody said that it is none */
	BOOK_CONFIRMED, /* over, and somebody said that it was one */
	BOOK_STATUSES
};
const char *book_status_name(enum book_status status);

/* Observed less expected, summed up over each interval (impact.h), up to through_ms; NaN: cannot be
 * said. 0: it is not known. due_ms: by the monotonic clock, not to be asked for before. */
struct book_exact {
	double sum;
	int64_t through_ms, due_ms;
};

struct book_entry {
	uint64_t id[2], group[2];
	const struct name *source, *metric, *detector, *kind, *slice;
	const struct name *first_mover;               /* NULL: it moved alone */
	const struct name *pair[WEIR_DIMENSIONS_MAX]; /* "country=IT" */
	const struct name *explained[ANOMALY_EXPLANATIONS_MAX];
	double share[ANOMALY_EXPLANATIONS_MAX];
	uint8_t pairs, explanations;
	uint8_t state;   /* enum anomaly_state */
	uint8_t verdict; /* enum feedback_verdict; 0: nobody has said anything */
	int8_t direction;
	bool fired, acknowledged, muted, changed;
	uint32_t revision; /* the last; what follows is of it, or of the strongest */
	double severity, peak;
	double strongest, observed, expected; /* of the most severe, the first of them */
	int64_t start_ms, through_ms, peak_ms;
	int64_t interval_ms, frequency_ms;
	/* Observed less expected, about, up to `since_ms`; the last revision's, a millisecond. */
	double impact, rate;
	int64_t since_ms;
	struct book_exact exact;
	uint64_t feedback;       /* number of what `verdict` is of */
	uint32_t in_group, next; /* the group's place; the group's next entry; BOOK_NONE */
};

struct book_group {
	uint64_t id[2];
	uint32_t first, members; /* members: those that are listed */
};

struct book_said;

struct book_source {
	const struct name *name;
	int64_t through_ms; /* closed up to there, as far as is known */
	int64_t moved_ms;   /* when it last was heard to, by this machine's clock */
};

struct book_metric {
	const struct name *name;
	char aggregation[16], unit[8];
	bool sums; /* its values can be added up */
};

struct book {
	pthread_rwlock_t lock; /* of all that follows */
	struct names *names;
	struct book_entry *entry; /* in the order in which they came */
	uint32_t count, capacity, kept_max;
	uint32_t *place; /* hash of an id to 1 + index; 0: free */
	uint32_t places;
	struct book_group *group;
	uint32_t groups, groups_capacity;
	uint32_t *group_place;
	struct book_source source[WEIR_SOURCES_MAX];
	uint32_t sources;
	struct book_metric metric[BOOK_METRICS];
	uint32_t metrics;
	struct operator_input *mute; /* those that nobody has ended */
	uint32_t mutes;
	struct book_said *said;
	uint32_t saids, saids_capacity;
	uint32_t *changed; /* entries that have changed since they were last asked for */
	uint32_t changes;
	bool mutes_turned; /* a mute began or ended, or time has gone on */
	bool loose;        /* an entry is of another group now */
	uint32_t too_open; /* nothing can be forgotten before there are more than this */
};

/* kept_max: 0: BOOK_ANOMALIES. 0 or -ENOMEM. */
int book_create(uint32_t kept_max, struct book **ret_book);
void book_destroy(struct book *book);
/* As new, but for what is known of metrics. 0 or -ENOMEM. */
int book_reset(struct book *book);

void book_read(struct book *book);  /* take the lock, to look; not twice */
void book_write(struct book *book); /* ..., to change */
void book_done(struct book *book);

/* With the lock to change. 0 or -ENOMEM. Of what is already known, or of an anomaly that the book
 * has not got, nothing follows. `ended` as store_each_input has it. */
int book_revision(struct book *book, const struct anomaly *anomaly);
int book_input(struct book *book, const struct operator_input *input, uint64_t ended);
/* A source is closed up to there. */
int book_closed(struct book *book, const char *source, int64_t through_ms);
/* How a metric's values come about ("sum", "mean", ...), and their unit (watched.h). */
int book_metric(struct book *book, const char *metric, const char *aggregation, const char *unit);
/* After any of these: mutes that began or ended, too many entries. -ENOMEM: the book is empty, and
 * has to be filled anew. */
int book_settle(struct book *book);
/* What feedback said; 0: cannot be read. */
enum feedback_verdict book_verdict(const struct operator_input *input);
/* What was found of a copy; of what has ended meanwhile it is due again. */
void book_take_exact(struct book *book, const struct book_entry *of,
		     const struct book_exact *exact);
void book_forget_exact(struct book *book); /* of all */
/* Copies of entries that have changed since the last call, at most `most`; how many. */
uint32_t book_take_changes(struct book *book, struct book_entry *entry, uint32_t most);

/* With the lock, to look. */
const struct book_entry *book_find(const struct book *book, const uint64_t id[2]);
const struct book_group *book_group_of(const struct book *book, const struct book_entry *entry);
const struct book_metric *book_metric_of(const struct book *book, const struct name *metric);
int64_t book_through(const struct book *book, const struct book_entry *entry);
/* Does the mute, which nobody has ended, hold for anything that may come? Its end is by the clock
 * of each source that it is about. One that has not moved for minutes, as an import that is done,
 * may never be there: then it counts no more where this machine's clock is past the end, unless it
 * holds for what is open. */
bool book_mute_counts(const struct book *book, const struct operator_input *mute, int64_t now_ms);
/* The newest time at which there was an anomaly; 0: there is none. */
int64_t book_newest(const struct book *book);
/* Observed less expected over all of it so far: exactly where known, else from its revisions
 * alone: an estimate, of its direction or 0; NaN: such values do not add up. */
double book_impact(const struct book *book, const struct book_entry *entry);
bool book_is_exact(const struct book_entry *entry);
/* Copies of those whose exact impact is due, at most `most`, newest first: for the first time, of
 * what went on since, or of what is over and may have been corrected; how many. */
enum book_due { BOOK_FIRST, BOOK_GOES_ON, BOOK_CORRECTED };
uint32_t book_inexact(const struct book *book, int64_t now_ms, enum book_due due,
		      struct book_entry *entry, uint32_t most);

/* Of a copy too. */
bool book_is_listed(const struct book_entry *entry); /* not what went before it fired */
bool book_is_over(const struct book_entry *entry);
enum book_status book_status(const struct book_entry *entry);

#endif
