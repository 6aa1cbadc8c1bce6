/*
 * rebase: see rebase.h.
 */
#include "rebase.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "interval/history_scan.h"
#include "rebase_file.h"
#include "scorer.h"

/* Intervals of which nothing is known that are lived through as unknown; a longer stretch, between
 * what was imported and what was lived, is jumped over. */
#define UNKNOWN_MAX 60
#define STEP_POINTS 4 /* lived through in one step: with many slices an interval takes its time */
#define DAY_MS INT64_C(86400000)
/* Left for when the source is held: what may still be on its way into the history. */
#define LEFT_INTERVALS (2 * HISTORY_POINTS)
#define EARLIEST (-(INT64_C(1) << 31)) /* no interval is before */
#define WAIT_NS UINT64_C(60000000000)  /* for the history to have it all */
#define HOLD_NS UINT64_C(30000000000)  /* a source is held at most so long */

struct rebase {
	struct rebase_options options;
	pthread_mutex_t lock;    /* over the three below, for moments */
	struct rebase_look look; /* what others see */
	struct rebase_counters counters;
	char *asked_text; /* given, not yet taken */

	/* The agent's. */
	enum rebase_phase phase;
	uint32_t source;
	char *config_text;
	struct config *config;
	struct scorer *scorer;
	struct history_scan *scan;
	uint64_t wanted; /* close that the history must have */
	uint64_t since_ns;
	/* Coarse tiers before the intervals' own, the oldest first: points from..until. */
	struct stage {
		enum history_tier tier;
		int64_t from, until, step_ms;
	} stages[2];
	uint32_t stages_count, stage;
	bool begun;          /* `next` is known */
	int64_t first, next; /* interval */
	int64_t target;      /* through this one */
	uint64_t intervals, hours, days;
	uint64_t sequence;
};

int rebase_create(const struct rebase_options *options, struct rebase **ret_rebase)
{
	struct rebase *rebase = calloc(1, sizeof(*rebase));

	if (!rebase)
		return -ENOMEM;
	rebase->options = *options;
	pthread_mutex_init(&rebase->lock, NULL);
	*ret_rebase = rebase;
	return 0;
}

static void forget(struct rebase *rebase)
{
	history_scan_close(rebase->scan);
	scorer_destroy(rebase->scorer);
	config_free(rebase->config);
	free(rebase->config_text);
	rebase->scan = NULL;
	rebase->scorer = NULL;
	rebase->config = NULL;
	rebase->config_text = NULL;
}

void rebase_destroy(struct rebase *rebase)
{
	if (!rebase)
		return;
	if (rebase->phase == REBASE_HOLDING || rebase->phase == REBASE_ENDING)
		closing_let_go(rebase->options.closing);
	forget(rebase);
	free(rebase->asked_text);
	pthread_mutex_destroy(&rebase->lock);
	free(rebase);
}

const char *rebase_phase_name(enum rebase_phase phase)
{
	static const char *const names[] = {"idle",   "waiting",   "reading", "holding",
					    "ending", "recording", "done",    "failed"};
	return names[phase];
}

static bool under_way(enum rebase_phase phase)
{
	return phase != REBASE_IDLE && phase != REBASE_DONE && phase != REBASE_FAILED;
}

int rebase_ask(struct rebase *rebase, uint32_t source, const char *config_text)
{
	char *text = strdup(config_text);
	int error = text ? 0 : -ENOMEM;

	pthread_mutex_lock(&rebase->lock);
	if (!error && under_way(rebase->look.phase))
		error = -EBUSY;
	if (!error) {
		rebase->look = (struct rebase_look){.phase = REBASE_ASKED, .source = source};
		rebase->asked_text = text;
		text = NULL;
	}
	pthread_mutex_unlock(&rebase->lock);
	free(text);
	return error;
}

void rebase_look(struct rebase *rebase, struct rebase_look *ret_look)
{
	pthread_mutex_lock(&rebase->lock);
	*ret_look = rebase->look;
	pthread_mutex_unlock(&rebase->lock);
}

void rebase_counters(struct rebase *rebase, struct rebase_counters *ret_counters)
{
	pthread_mutex_lock(&rebase->lock);
	*ret_counters = rebase->counters;
	pthread_mutex_unlock(&rebase->lock);
}

static void enter(struct rebase *rebase, enum rebase_phase phase, uint64_t now_ns)
{
	rebase->phase = phase;
	rebase->since_ns = now_ns;
	int64_t all = rebase->target - rebase->first;
	pthread_mutex_lock(&rebase->lock);
	rebase->look.phase = phase;
	rebase->counters.intervals += rebase->intervals - rebase->look.intervals;
	rebase->counters.stretches += rebase->hours - rebase->look.hours;
	rebase->counters.stretches += rebase->days - rebase->look.days;
	rebase->counters.done += phase == REBASE_DONE;
	rebase->counters.failed += phase == REBASE_FAILED;
	rebase->look.intervals = rebase->intervals;
	rebase->look.hours = rebase->hours;
	rebase->look.days = rebase->days;
	rebase->look.damaged = rebase->scan ? history_scan_damaged(rebase->scan) : 0;
	if (rebase->begun && all > 0)
		rebase->look.part = (double)(rebase->next - rebase->first) / (double)(all + 1);
	pthread_mutex_unlock(&rebase->lock);
}

static void fail(struct rebase *rebase, uint64_t now_ns, const char *why)
{
	/* Behind REBASE_WRITTEN the closing agent has let the source go itself. */
	if (rebase->phase == REBASE_HOLDING || rebase->phase == REBASE_ENDING)
		closing_let_go(rebase->options.closing);
	log_warning("rebase", "no rebase of %s: %s; the detectors go on as they were",
		    rebase->options.sources->sources[rebase->source].name, why);
	pthread_mutex_lock(&rebase->lock);
	snprintf(rebase->look.why, sizeof(rebase->look.why), "%s", why);
	pthread_mutex_unlock(&rebase->lock);
	enter(rebase, REBASE_FAILED, now_ns);
	forget(rebase);
}

/* A request, if there is one: a scorer of our own that knows this source only. */
static int begin(struct rebase *rebase, uint64_t now_ns)
{
	char why[256] = "out of memory";

	pthread_mutex_lock(&rebase->lock);
	rebase->config_text = rebase->asked_text;
	rebase->asked_text = NULL;
	rebase->source = rebase->look.source;
	pthread_mutex_unlock(&rebase->lock);
	if (!rebase->config_text)
		return 0;
	const char *name = rebase->options.sources->sources[rebase->source].name;
	rebase->begun = false;
	rebase->intervals = rebase->hours = rebase->days = 0;
	rebase->wanted = closing_sequence(rebase->options.closing);
	rebase->scorer = scorer_create(0, 1, rebase->options.interval_ms, rebase->options.registry);
	int error = rebase->scorer ? scorer_source(rebase->scorer, rebase->source, name) : -ENOMEM;
	if (!error)
		error = config_restore(rebase->config_text, strlen(rebase->config_text),
				       "the configuration in force", &rebase->config, why,
				       sizeof(why));
	if (!error)
		error = scorer_configure(rebase->scorer, rebase->config);
	if (error < 0)
		fail(rebase, now_ns, why);
	else if (history_gave_up(rebase->options.keeping->history))
		fail(rebase, now_ns, "history.db is damaged, and not written any more");
	else
		enter(rebase, REBASE_ASKED, now_ns);
	return 1;
}

/* The history has every close that it should have. */
static bool kept(struct rebase *rebase, uint64_t sequence)
{
	return keeping_through(rebase->options.keeping, sequence);
}

static int open_tier(struct rebase *rebase, enum history_tier tier, int64_t from)
{
	const char *name = rebase->options.sources->sources[rebase->source].name;

	history_scan_close(rebase->scan);
	rebase->scan = NULL;
	return history_scan_open(rebase->options.history_path, name, tier, from, &rebase->scan);
}

/* The first day that a tier has from its beginning; INT64_MAX: none. */
static int first_day(struct rebase *rebase, enum history_tier tier, int64_t *ret_day)
{
	int64_t step_ms = history_tier_ms(tier, rebase->options.interval_ms);
	struct history_scan_point point;

	*ret_day = INT64_MAX;
	if (tier != HISTORY_BASE && step_ms <= rebase->options.interval_ms)
		return 0; /* it is not kept beside the intervals */
	int more = open_tier(rebase, tier, EARLIEST);
	if (more == 0)
		more = history_scan_next(rebase->scan, INT64_MAX);
	while (more > 0 && history_scan_point(rebase->scan, &point)) {
		if (!point.closed && !point.count)
			continue;
		*ret_day = interval_of_ms(point.number * step_ms + DAY_MS - 1, DAY_MS);
		return 0;
	}
	return more < 0 ? more : 0;
}

static void add_stage(struct rebase *rebase, enum history_tier tier, int64_t from_day,
		      int64_t until_day)
{
	int64_t step_ms = history_tier_ms(tier, rebase->options.interval_ms);

	if (from_day >= until_day || step_ms <= rebase->options.interval_ms)
		return;
	rebase->stages[rebase->stages_count++] = (struct stage){
		.tier = tier,
		.from = from_day * (DAY_MS / step_ms),
		.until = until_day * (DAY_MS / step_ms),
		.step_ms = step_ms,
	};
}

/* Detectors with periods can take older hours and days as sums, where these reach back further than
 * the intervals do. Whole days, so that no period has anything of two tiers twice. */
static int plan_stages(struct rebase *rebase)
{
	int64_t base, hours, days;
	int error = first_day(rebase, HISTORY_BASE, &base);

	rebase->stages_count = rebase->stage = 0;
	if (error < 0 || base == INT64_MAX || DAY_MS % rebase->options.interval_ms != 0)
		return error;
	error = first_day(rebase, HISTORY_HOUR, &hours);
	if (!error)
		error = first_day(rebase, HISTORY_DAY, &days);
	if (error < 0)
		return error;
	hours = hours < base ? hours : base;
	add_stage(rebase, HISTORY_DAY, days, hours);
	add_stage(rebase, HISTORY_HOUR, hours, base);
	return 0;
}

/* The next stage's tier, or the intervals' own. */
static int open_stage(struct rebase *rebase)
{
	const struct stage *stage = &rebase->stages[rebase->stage];

	if (rebase->stage < rebase->stages_count)
		return open_tier(rebase, stage->tier, stage->from);
	return open_tier(rebase, HISTORY_BASE, EARLIEST);
}

static int open_scan(struct rebase *rebase, uint64_t now_ns)
{
	int error = plan_stages(rebase);

	if (!error)
		error = open_stage(rebase);
	if (error == -ENOENT)
		fail(rebase, now_ns, "the history knows nothing of it");
	else if (error < 0)
		fail(rebase, now_ns, strerror(-error));
	else
		enter(rebase, REBASE_READING, now_ns);
	return 1;
}

static int put_row(struct rebase *rebase, const struct history_scan_row *row, int64_t interval)
{
	struct history_scanned *series = row->series;

	/* A metric that is configured no more, or means something else now. */
	if (!series->of)
		series->of = scorer_metric(rebase->scorer, rebase->source, series->metric,
					   series->spec);
	if (!series->of)
		return 0;
	int error = scorer_put(series->of, series->kind, series->slice, interval, row->words,
			       row->sketch, row->sketch_bytes);
	return error == -ENOENT ? 0 : error;
}

static int live_through(struct rebase *rebase, int64_t interval, bool unknown)
{
	int error = scorer_step(rebase->scorer, rebase->source, interval, unknown);

	rebase->next = interval + 1;
	rebase->intervals++;
	return error;
}

static int live_point(struct rebase *rebase, const struct history_scan_point *point)
{
	int error = 0;
	bool nothing = !point->closed && !point->count;

	if (nothing && !rebase->begun)
		return 0;
	if (!rebase->begun) {
		rebase->begun = true;
		rebase->first = rebase->next = point->number;
	}
	if (point->number - rebase->next > UNKNOWN_MAX)
		rebase->next = point->number;
	while (!error && rebase->next < point->number)
		error = live_through(rebase, rebase->next, true);
	for (uint32_t i = 0; !error && i < point->count; i++)
		error = put_row(rebase, &point->rows[i], point->number);
	if (!error)
		error = live_through(rebase, point->number, nothing || point->incomplete);
	return error;
}

/* Some points of the history, up to `through`. 1; 0: there are no more; negative errno. */
static int live_some(struct rebase *rebase, int64_t through)
{
	struct history_scan_point point;

	for (int i = 0; i < STEP_POINTS; i++) {
		if (!history_scan_point(rebase->scan, &point))
			return history_scan_next(rebase->scan, through);
		if (point.number > through)
			return 0;
		int error = live_point(rebase, &point);
		if (error < 0)
			return error;
	}
	return 1;
}

/* An hour or a day, as sums. */
static int absorb_point(struct rebase *rebase, const struct stage *stage,
			const struct history_scan_point *point)
{
	const struct stage *last = &rebase->stages[rebase->stages_count - 1];
	int64_t intervals = stage->step_ms / rebase->options.interval_ms;
	int64_t whole = (int64_t)point->closed - (int64_t)point->incomplete;
	struct scorer_stretch stretch = {
		.interval = (point->number + 1) * intervals - 1,
		.intervals = intervals,
		/* What was imported was never closed: it is all that there was. */
		.incomplete = point->closed ? intervals - whole : 0,
		.step_ms = stage->step_ms,
		.through = last->until * (last->step_ms / rebase->options.interval_ms) - 1,
	};
	int error = 0;

	for (uint32_t i = 0; !error && i < point->count; i++)
		error = put_row(rebase, &point->rows[i], stretch.interval);
	if (!error)
		error = scorer_absorb(rebase->scorer, rebase->source, &stretch);
	rebase->hours += !error && stage->tier == HISTORY_HOUR;
	rebase->days += !error && stage->tier == HISTORY_DAY;
	return error;
}

/* A stretch of a coarse tier; behind the last one the next tier is opened. */
static int absorb_stretch(struct rebase *rebase)
{
	const struct stage *stage = &rebase->stages[rebase->stage];
	struct history_scan_point point;
	int more = history_scan_next(rebase->scan, stage->until - 1);
	int error = 0;

	while (more > 0 && !error && history_scan_point(rebase->scan, &point) &&
	       point.number < stage->until)
		if (point.closed || point.count)
			error = absorb_point(rebase, stage, &point);
	if (more == 0) {
		rebase->stage++;
		error = open_stage(rebase);
	}
	return more < 0 ? more : error;
}

static int64_t closed(const struct rebase *rebase)
{
	return closing_closed(rebase->options.closing, rebase->source);
}

/* Whole stretches only, and none that closes may still be on their way to. */
static int read_past(struct rebase *rebase, uint64_t now_ns)
{
	if (rebase->stage < rebase->stages_count) {
		int error = absorb_stretch(rebase);
		if (error < 0)
			fail(rebase, now_ns, strerror(-error));
		else
			enter(rebase, REBASE_READING, now_ns);
		return 1;
	}
	rebase->target = closed(rebase);
	int64_t through = interval_of_ms(rebase->target - LEFT_INTERVALS, HISTORY_POINTS) *
				  HISTORY_POINTS -
			  1;
	int more = rebase->target == INT64_MIN ? 0 : live_some(rebase, through);

	if (more < 0) {
		fail(rebase, now_ns, strerror(-more));
	} else if (more > 0) {
		enter(rebase, REBASE_READING, now_ns);
	} else {
		closing_hold(rebase->options.closing, rebase->source);
		enter(rebase, REBASE_HOLDING, now_ns);
	}
	return 1;
}

static int wait_for_hold(struct rebase *rebase, uint64_t now_ns)
{
	int64_t stands;

	if (!closing_held(rebase->options.closing, &rebase->sequence, &stands) ||
	    !kept(rebase, rebase->sequence))
		return 0;
	rebase->target = stands;
	history_scan_again(rebase->scan, rebase->begun ? rebase->next : EARLIEST);
	/* The time that a source is held counts from here on. */
	enter(rebase, REBASE_ENDING, rebase->since_ns);
	(void)now_ns;
	return 1;
}

static void submit(struct rebase *rebase, uint64_t now_ns)
{
	struct closing_record *record = calloc(1, sizeof(*record));
	struct bytes *sections = calloc(1, sizeof(*sections));
	struct weir_control_rebase *data = calloc(1, sizeof(*data));
	int error = record && sections && data ? 0 : -ENOMEM;

	scorer_settle(rebase->scorer);
	if (!error) {
		scorer_save(rebase->scorer, sections);
		error = rebase_file_write(rebase->options.io, rebase->options.buffer,
					  rebase->sequence, rebase->source, sections, data);
	}
	if (error < 0) {
		if (sections)
			bytes_fini(sections);
		free(sections);
		free(record);
		free(data);
		fail(rebase, now_ns, strerror(-error));
		return;
	}
	*record = (struct closing_record){
		.kind = WEIR_CONTROL_REBASE,
		.text = (char *)data,
		.bytes = sizeof(*data),
		.source = rebase->source,
		.sections = sections,
		.config_text = rebase->config_text,
	};
	rebase->config_text = NULL;
	closing_rebase(rebase->options.closing, record);
	enter(rebase, REBASE_WRITTEN, now_ns);
}

static int end_past(struct rebase *rebase, uint64_t now_ns)
{
	int more = live_some(rebase, rebase->target);

	if (more < 0)
		fail(rebase, now_ns, strerror(-more));
	else if (more > 0)
		enter(rebase, REBASE_ENDING, rebase->since_ns);
	else if (!rebase->begun)
		fail(rebase, now_ns, "the history of its intervals is empty");
	else
		submit(rebase, now_ns);
	return 1;
}

static int wait_for_record(struct rebase *rebase, uint64_t now_ns)
{
	switch (closing_rebased(rebase->options.closing)) {
	case REBASED_WAITING:
		return 0;
	case REBASED_REFUSED:
		closing_let_go(rebase->options.closing);
		fail(rebase, now_ns, "another configuration has come into force; ask again");
		return 1;
	case REBASED_KEPT:
		break;
	}
	pthread_mutex_lock(&rebase->lock);
	rebase->look.sequence = rebase->sequence;
	rebase->look.closed = rebase->target;
	rebase->look.part = 1.0;
	pthread_mutex_unlock(&rebase->lock);
	log_info("rebase",
		 "%s: %" PRIu64 " intervals of history, before them %" PRIu64 " hours and %" PRIu64
		 " days; in force behind close %" PRIu64,
		 rebase->options.sources->sources[rebase->source].name, rebase->intervals,
		 rebase->hours, rebase->days, rebase->sequence);
	enter(rebase, REBASE_DONE, now_ns);
	forget(rebase);
	return 1;
}

int rebase_step(void *self, uint64_t now_ns)
{
	struct rebase *rebase = self;
	uint64_t waited_ns = now_ns - rebase->since_ns;
	bool holds = rebase->phase == REBASE_HOLDING || rebase->phase == REBASE_ENDING;

	if (rebase->phase == REBASE_ASKED && waited_ns > WAIT_NS) {
		fail(rebase, now_ns,
		     "the history does not come to what is closed; look at the "
		     "data directory's disk");
		return 1;
	}
	if (holds && waited_ns > HOLD_NS) {
		fail(rebase, now_ns,
		     "its closes would have been held back for too long; ask "
		     "again when the disk has less to do");
		return 1;
	}
	switch (rebase->phase) {
	case REBASE_ASKED:
		return kept(rebase, rebase->wanted) ? open_scan(rebase, now_ns) : 0;
	case REBASE_READING:
		return read_past(rebase, now_ns);
	case REBASE_HOLDING:
		return wait_for_hold(rebase, now_ns);
	case REBASE_ENDING:
		return end_past(rebase, now_ns);
	case REBASE_WRITTEN:
		return wait_for_record(rebase, now_ns);
	default:
		return begin(rebase, now_ns);
	}
}
