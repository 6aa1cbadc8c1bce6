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
#include "confirmed.h"
#include "input_calendar.h"
#include "rebase_file.h"
#include "retrace.h"
#include "scorer.h"
#include "weir/order.h"

/* Left for when the source is held: what may still be on its way into the history. */
#define LEFT_INTERVALS (2 * HISTORY_POINTS)
#define WAIT_NS UINT64_C(60000000000) /* for the history to have it all */
#define HOLD_NS UINT64_C(30000000000) /* a source is held at most so long */
#define AGAIN_MAX 3 /* times that it begins anew since operators went on speaking */

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
	struct retrace retrace; /* its scorer is our own */
	uint64_t wanted; /* close that the history must have */
	uint64_t since_ns;
	int64_t target; /* through this one */
	uint64_t sequence;
	uint64_t inputs; /* in the store when we looked at what operators say */
	unsigned again;
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
	retrace_close(&rebase->retrace);
	scorer_destroy(rebase->retrace.scorer);
	config_free(rebase->config);
	free(rebase->config_text);
	rebase->retrace.scorer = NULL;
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
	const struct retrace *retrace = &rebase->retrace;
	int64_t all = rebase->target - retrace->first;
	pthread_mutex_lock(&rebase->lock);
	rebase->look.phase = phase;
	rebase->counters.intervals += retrace->intervals - rebase->look.intervals;
	rebase->counters.stretches += retrace->hours - rebase->look.hours;
	rebase->counters.stretches += retrace->days - rebase->look.days;
	rebase->counters.done += phase == REBASE_DONE;
	rebase->counters.failed += phase == REBASE_FAILED;
	rebase->look.intervals = retrace->intervals;
	rebase->look.hours = retrace->hours;
	rebase->look.days = retrace->days;
	rebase->look.damaged = retrace_damaged(retrace);
	if (retrace->begun && all > 0)
		rebase->look.part = (double)(retrace->next - retrace->first) / (double)(all + 1);
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

static uint64_t inputs_stored(const struct rebase *rebase)
{
	/* Relaxed: a commit is seen by other connections as soon as it is done. */
	return rebase->options.inputs_stored ? weir_load_relaxed_64(rebase->options.inputs_stored)
					     : 0;
}

/* As it is now, for the past too: of what is known to have been, and of what was confirmed to be
 * wrong, nothing is learned. */
static int read_said(struct rebase *rebase, const char *name)
{
	struct calendar *calendar = scorer_calendar(rebase->retrace.scorer);

	rebase->inputs = inputs_stored(rebase);
	if (!rebase->options.store_path)
		return 0;
	int error = input_calendar_stored(rebase->options.store_path, calendar);
	return error ? error : confirmed_stored(rebase->options.store_path, name, calendar);
}

/* A scorer of our own that knows this source only. */
static int make_scorer(struct rebase *rebase, char *why, size_t why_bytes)
{
	const char *name = rebase->options.sources->sources[rebase->source].name;
	struct scorer *scorer = scorer_create(0, 1, rebase->options.interval_ms,
					      rebase->options.registry);

	rebase->retrace = (struct retrace){
		.scorer = scorer,
		.source = rebase->source,
		.source_name = name,
		.history_path = rebase->options.history_path,
		.interval_ms = rebase->options.interval_ms,
	};
	int error = scorer ? scorer_source(scorer, rebase->source, name) : -ENOMEM;
	if (!error)
		error = config_restore(rebase->config_text, strlen(rebase->config_text),
				       "the configuration in force", &rebase->config, why,
				       why_bytes);
	if (!error)
		error = scorer_configure(scorer, rebase->config);
	return error ? error : read_said(rebase, name);
}

static int begin_reading(struct rebase *rebase, uint64_t now_ns)
{
	char why[256] = "out of memory";

	rebase->wanted = closing_sequence(rebase->options.closing);
	int error = make_scorer(rebase, why, sizeof(why));
	if (error < 0 && !strcmp(why, "out of memory"))
		snprintf(why, sizeof(why), "%s", strerror(-error));
	if (error < 0)
		fail(rebase, now_ns, why);
	else if (history_gave_up(rebase->options.keeping->history))
		fail(rebase, now_ns, "history.db is damaged, and not written any more");
	else
		enter(rebase, REBASE_ASKED, now_ns);
	return 1;
}

/* A request, if there is one. */
static int begin(struct rebase *rebase, uint64_t now_ns)
{
	pthread_mutex_lock(&rebase->lock);
	rebase->config_text = rebase->asked_text;
	rebase->asked_text = NULL;
	rebase->source = rebase->look.source;
	pthread_mutex_unlock(&rebase->lock);
	rebase->again = 0;
	return rebase->config_text ? begin_reading(rebase, now_ns) : 0;
}

/* Somebody said something since we looked: what is read so far was read without it. */
static int begin_again(struct rebase *rebase, uint64_t now_ns)
{
	retrace_close(&rebase->retrace);
	scorer_destroy(rebase->retrace.scorer);
	config_free(rebase->config);
	rebase->retrace.scorer = NULL;
	rebase->config = NULL;
	rebase->again++;
	pthread_mutex_lock(&rebase->lock);
	rebase->look.intervals = rebase->look.hours = rebase->look.days = 0;
	pthread_mutex_unlock(&rebase->lock);
	return begin_reading(rebase, now_ns);
}

/* The history has every close that it should have. */
static bool kept(struct rebase *rebase, uint64_t sequence)
{
	return keeping_through(rebase->options.keeping, sequence);
}

static int open_scan(struct rebase *rebase, uint64_t now_ns)
{
	int error = retrace_open(&rebase->retrace);

	if (error == -ENOENT)
		fail(rebase, now_ns, "the history knows nothing of it");
	else if (error < 0)
		fail(rebase, now_ns, strerror(-error));
	else
		enter(rebase, REBASE_READING, now_ns);
	return 1;
}

static int64_t closed(const struct rebase *rebase)
{
	return closing_closed(rebase->options.closing, rebase->source);
}

/* Whole stretches only, and none that closes may still be on their way to. */
static int read_past(struct rebase *rebase, uint64_t now_ns)
{
	if (retrace_coarse(&rebase->retrace)) {
		int error = retrace_absorb(&rebase->retrace);
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
	int more = rebase->target == INT64_MIN ? 0 : retrace_some(&rebase->retrace, through);

	if (more < 0) {
		fail(rebase, now_ns, strerror(-more));
	} else if (more > 0) {
		enter(rebase, REBASE_READING, now_ns);
	} else if (inputs_stored(rebase) != rebase->inputs && rebase->again < AGAIN_MAX) {
		begin_again(rebase, now_ns);
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
	retrace_again(&rebase->retrace);
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

	scorer_settle(rebase->retrace.scorer, NULL, NULL);
	if (!error) {
		scorer_save(rebase->retrace.scorer, sections);
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
	int more = retrace_some(&rebase->retrace, rebase->target);

	if (more < 0)
		fail(rebase, now_ns, strerror(-more));
	else if (more > 0)
		enter(rebase, REBASE_ENDING, rebase->since_ns);
	else if (!rebase->retrace.begun)
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
		 rebase->options.sources->sources[rebase->source].name, rebase->retrace.intervals,
		 rebase->retrace.hours, rebase->retrace.days, rebase->sequence);
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
