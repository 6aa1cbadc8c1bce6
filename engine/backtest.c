/*
 * backtest: see backtest.h. This file lives through the history; backtest_found.c keeps what is
 * found and compares.
 */
#include "backtest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_text.h"
#include "confirmed.h"
#include "deliver/store.h"
#include "detect/calendar.h"
#include "input.h"
#include "input_calendar.h"
#include "lived.h"
#include "retrace.h"
#include "scorer.h"

/* A tier that has so much of the span that is asked for is fine enough. */
#define ENOUGH 0.9

/* One source, lived through. */
struct living {
	const struct backtest_options *options;
	struct backtest *backtest;
	const struct lived *lived;
	const struct lived_event *next; /* comes next */
	uint32_t source;
	int64_t from_ms; /* what began before is not counted */
	struct scorer *scorer;
	struct config *config; /* the scorer's */
	struct retrace retrace;
	bool failed;
	char *why;
	size_t why_bytes;
};

static void each(void *self, const struct anomaly *anomaly)
{
	struct living *living = self;

	if (backtest_add(&living->backtest->found, anomaly) < 0)
		living->failed = true;
	if (living->options->each)
		living->options->each(living->options->self, anomaly);
}

static int configure(struct living *living, struct config *config)
{
	int error = scorer_configure(living->scorer, config);

	/* The scorer looks at the new one from here on. */
	config_free(living->config);
	living->config = config;
	retrace_again(&living->retrace);
	return error;
}

static int apply_config(struct living *living, const struct lived_event *event)
{
	struct config *config;

	if (!living->backtest->as_lived)
		return 0; /* the draft's is in force from the beginning */
	int error = config_restore(event->text, event->bytes, "the logged configuration", &config,
				   living->why, living->why_bytes);
	return error < 0 ? error : configure(living, config);
}

static int apply_input(struct living *living, const struct lived_event *event)
{
	struct operator_input *input = calloc(1, sizeof(*input));
	int error = input ? input_parse(event->text, event->bytes, input, living->why,
					living->why_bytes)
			  : -ENOMEM;

	bool calendar = !error && (input->kind == OPERATOR_CALENDAR_ADD ||
				   input->kind == OPERATOR_CALENDAR_REMOVE);
	/* A draft has the calendar of today from the beginning. */
	if (!error && (living->backtest->as_lived || !calendar)) {
		input->number = event->number;
		error = scorer_input(living->scorer, input);
	}
	free(input);
	return error;
}

/* The calendar of a scorer, for another one. */
static int copy_calendar(struct scorer *from, struct scorer *to)
{
	struct bytes bytes = {0};

	calendar_save(scorer_calendar(from), &bytes);
	struct bytes_reader in = {.data = bytes.data, .left = bytes.used};
	int error = bytes.failed ? -ENOMEM : calendar_load(scorer_calendar(to), &in);
	bytes_fini(&bytes);
	return error;
}

/* As the rebase did: what is in force lives through the history up to there. */
static int rebuild(struct living *living, int64_t through)
{
	struct bytes sections = {0};
	struct retrace own = {
		.scorer = scorer_create(0, 1, living->retrace.interval_ms, NULL),
		.source = living->source,
		.source_name = living->retrace.source_name,
		.history_path = living->retrace.history_path,
		.interval_ms = living->retrace.interval_ms,
	};
	int error = own.scorer ? copy_calendar(living->scorer, own.scorer) : -ENOMEM;

	if (!error)
		error = confirmed_told(living->scorer, own.source_name,
				       scorer_calendar(own.scorer));
	if (!error)
		error = scorer_source(own.scorer, own.source, own.source_name);
	if (!error)
		error = scorer_configure(own.scorer, living->config);
	if (!error)
		error = retrace_open(&own);
	if (!error)
		error = retrace_all(&own, through);
	if (!error) {
		scorer_settle(own.scorer, NULL, NULL);
		scorer_save(own.scorer, &sections);
		error = sections.failed ? -ENOMEM
					: scorer_rebase(living->scorer, own.source, &sections);
	}
	/* Slices have other numbers from here on. */
	retrace_again(&living->retrace);
	bytes_fini(&sections);
	retrace_close(&own);
	scorer_destroy(own.scorer);
	return error;
}

static int apply(struct living *living, const struct lived_event *event)
{
	switch (event->kind) {
	case WEIR_CONTROL_CONFIG:
		return apply_config(living, event);
	case WEIR_CONTROL_INPUT:
		return apply_input(living, event);
	case WEIR_CONTROL_REBASE:
		return living->backtest->as_lived && event->source == living->source
			       ? rebuild(living, event->behind[living->source])
			       : 0;
	default:
		return 0;
	}
}

/* What stands in the log before this interval, a point of the tier, is in force. */
static int before(void *self, int64_t interval)
{
	struct living *living = self;
	const struct retrace *retrace = &living->retrace;
	int error = living->failed ? -ENOMEM : 0;

	for (; !error && living->next; living->next = living->next->next) {
		int64_t behind = living->next->behind[living->source];
		if (behind != INT64_MIN &&
		    (behind + 1) * retrace->interval_ms > interval * retrace->step_ms)
			break;
		error = apply(living, living->next);
	}
	return error;
}

static bool reaches(int64_t first_ms, int64_t from_ms, int64_t until_ms)
{
	double part = (double)(until_ms - first_ms) / ((double)(until_ms - from_ms) + 1);

	return first_ms <= from_ms || part >= ENOUGH;
}

/* The finest tier that has what is asked for, or what reaches back furthest. */
static int choose_tier(struct living *living, int64_t from_ms, int64_t until_ms, bool *ret_whole,
		       int64_t *ret_first_ms)
{
	struct retrace *retrace = &living->retrace;
	int64_t first_ms[HISTORY_TIERS];
	enum history_tier furthest = HISTORY_BASE, chosen = HISTORY_TIERS;

	for (enum history_tier tier = HISTORY_BASE; tier < HISTORY_TIERS; tier++) {
		int error = retrace_first_ms(retrace, tier, &first_ms[tier]);
		if (error < 0)
			return error;
		if (first_ms[tier] == INT64_MAX)
			continue;
		if (chosen == HISTORY_TIERS && reaches(first_ms[tier], from_ms, until_ms))
			chosen = tier;
		/* A coarse point begins before its first interval. */
		if (first_ms[tier] + history_tier_ms(tier, retrace->interval_ms) <=
		    first_ms[furthest])
			furthest = tier;
	}
	*ret_whole = furthest == HISTORY_BASE;
	*ret_first_ms = first_ms[HISTORY_BASE];
	retrace->tier = living->backtest->as_lived || *ret_whole ? HISTORY_BASE
			: chosen != HISTORY_TIERS                ? chosen
								 : furthest;
	return first_ms[HISTORY_BASE] == INT64_MAX ? -ENOENT : 0;
}

/* The configuration that is in force, with the draft's detectors in the place of its own; at
 * intervals of the tier. */
static int draft_config(struct living *living, struct config **ret_config)
{
	const struct backtest_options *options = living->options;
	struct config *in_force;
	const char *record = lived_config(living->lived);
	int64_t step_ms = history_tier_ms(living->retrace.tier, living->retrace.interval_ms);
	char *text = NULL;

	json_t *detectors = config_text_detectors(options->draft, options->draft_bytes,
						  options->draft_name, living->why,
						  living->why_bytes);
	if (!detectors)
		return -EINVAL;
	int error = config_restore(record, strlen(record), "the configuration in force", &in_force,
				   living->why, living->why_bytes);
	if (!error) {
		text = config_text_with(in_force->text, strlen(in_force->text), detectors,
					living->retrace.tier == HISTORY_BASE ? 0 : step_ms,
					"the configuration in force", living->why,
					living->why_bytes);
		config_free(in_force);
		error = text ? 0 : -EINVAL;
	}
	json_decref(detectors);
	if (!error)
		error = config_parse(text, strlen(text), options->draft_name, ret_config,
				     living->why, living->why_bytes);
	bool written = text != NULL;
	free(text);
	size_t used = strlen(living->why);
	if (error == -EINVAL && written && living->retrace.tier != HISTORY_BASE)
		snprintf(living->why + used, living->why_bytes - used,
			 "; it is to be looked at in points of %g s, since the intervals are not "
			 "kept for so long: ask for less",
			 (double)step_ms / 1000);
	return error;
}

static int live_on(struct living *living, int64_t through)
{
	int error = retrace_all(&living->retrace, through);

	if (!error)
		scorer_carried(living->scorer, each, living);
	return error ? error : living->failed ? -ENOMEM : 0;
}

static void note_source(struct living *living, bool whole)
{
	const struct retrace *retrace = &living->retrace;
	struct backtest_source *source =
		&living->backtest->sources[living->backtest->sources_count];

	if (!retrace->begun)
		return;
	living->backtest->sources_count++;
	*source = (struct backtest_source){
		.tier = retrace->tier,
		.step_ms = retrace->step_ms,
		.from_ms = living->from_ms,
		.first_ms = retrace->first * retrace->step_ms,
		.last_ms = retrace->next * retrace->step_ms,
		.whole = whole,
		.intervals = retrace->intervals,
		.rows = retrace->rows,
		.hours = retrace->hours,
		.days = retrace->days,
		.damaged = retrace_damaged(retrace),
	};
	snprintf(source->name, sizeof(source->name), "%s", retrace->source_name);
	if (source->from_ms < living->backtest->from_ms)
		living->backtest->from_ms = source->from_ms;
	if (source->last_ms > living->backtest->last_ms)
		living->backtest->last_ms = source->last_ms;
}

/* What is in force at the first interval. */
static int begin(struct living *living)
{
	const struct retrace *retrace = &living->retrace;
	struct config *config = NULL;
	int64_t step_ms = history_tier_ms(retrace->tier, retrace->interval_ms);
	int error = 0;

	living->scorer = scorer_create(0, 1, step_ms, NULL);
	if (!living->scorer ||
	    scorer_source(living->scorer, living->source, retrace->source_name) < 0)
		return -ENOMEM;
	living->retrace.scorer = living->scorer;
	if (!living->backtest->as_lived)
		error = draft_config(living, &config);
	/* A draft lives with the calendar as it is now; what was lived hears of entries in turn. */
	if (!error && !living->backtest->as_lived && living->options->store_path)
		error = input_calendar_stored(living->options->store_path,
					      scorer_calendar(living->scorer));
	return error || !config ? error : configure(living, config);
}

static int live_source(struct living *living)
{
	const struct lived *lived = living->lived;
	int64_t closed = lived->closed[living->source];
	int64_t end_ms = (closed + 1) * lived->interval_ms;
	int64_t first_ms;
	bool whole;

	/* Each source has an end of its own: what was imported ends years before what is live. */
	living->from_ms = living->options->back_ms ? end_ms - living->options->back_ms
						   : living->options->from_ms;
	living->next = lived->first;
	living->retrace = (struct retrace){
		.source = living->source,
		.source_name = lived->names[living->source],
		.history_path = living->options->history_path,
		.interval_ms = lived->interval_ms,
		/* Slices have the numbers that they had, also of metrics nobody watched yet. */
		.watched = !living->backtest->as_lived,
		.each = each,
		.before = before,
		.self = living,
	};
	int error = choose_tier(living, living->from_ms, end_ms, &whole, &first_ms);
	if (error == -ENOENT)
		return 0; /* nothing is kept of it */
	if (!error)
		error = begin(living);
	/* What was in force at the first interval; sums of what was before are for it too. */
	living->retrace.step_ms = history_tier_ms(living->retrace.tier, lived->interval_ms);
	if (!error && living->backtest->as_lived)
		error = before(living, first_ms / lived->interval_ms);
	if (!error)
		error = retrace_open(&living->retrace);
	if (!error)
		error = live_on(living, closed * lived->interval_ms / living->retrace.step_ms);
	if (!error)
		note_source(living, whole);
	return error;
}

static void forget(struct living *living)
{
	retrace_close(&living->retrace);
	scorer_destroy(living->scorer);
	config_free(living->config);
	living->scorer = NULL;
	living->config = NULL;
}

/* Detectors hear of what operators said: then it matters where that stands in the log. */
static int each_said(void *self, const struct operator_input *input, uint64_t ended)
{
	bool *said = self;

	(void)ended;
	*said |= input->kind >= OPERATOR_FEEDBACK && input->kind < OPERATOR_OVERRIDE;
	return *said;
}

static bool anything_said(const char *store_path)
{
	struct store_reader *reader;
	bool said = false;

	if (!store_path || store_reader_open(store_path, &reader) < 0)
		return false;
	if (store_inputs(reader, -1, NULL, 0, each_said, &said) < 0)
		said = true;
	store_reader_close(reader);
	return said;
}

static int add_against(struct backtest *backtest, const char *name)
{
	for (uint32_t i = 0; i < backtest->against_count; i++)
		if (strcmp(backtest->against[i], name) == 0)
			return 0;
	void *names = realloc(backtest->against,
			      (backtest->against_count + 1) * sizeof(backtest->against[0]));
	if (!names)
		return -ENOMEM;
	backtest->against = names;
	snprintf(backtest->against[backtest->against_count++], sizeof(backtest->against[0]), "%s",
		 name);
	return 0;
}

/* The live detector of the same name; where there is none, those that watch the same metric. */
static int find_against(struct backtest *backtest, const struct config *live,
			const json_t *detectors)
{
	const json_t *draft;
	size_t i;
	int error = 0;

	json_array_foreach(detectors, i, draft)
	{
		const char *metric = json_string_value(json_object_get(draft, "metric"));
		char name[65];
		bool same = false;
		for (unsigned d = 0;
		     config_text_name(draft, name, sizeof(name)) && d < live->detectors_count; d++)
			same |= strcmp(live->detectors[d].name, name) == 0;
		if (same)
			error = error ? error : add_against(backtest, name);
		for (unsigned d = 0; !same && metric && d < live->detectors_count; d++)
			if (!error && strcmp(live->detectors[d].metric, metric) == 0)
				error = add_against(backtest, live->detectors[d].name);
	}
	return error;
}

static int choose_against(const struct backtest_options *options, struct backtest *backtest,
			  const struct lived *lived, char *why, size_t why_bytes)
{
	const char *record = lived_config(lived);
	struct config *live;
	json_t *detectors;

	if (!options->draft)
		return 0;
	detectors = config_text_detectors(options->draft, options->draft_bytes, options->draft_name,
					  why, why_bytes);
	if (!detectors)
		return -EINVAL;
	int error = config_restore(record, strlen(record), "the configuration in force", &live, why,
				   why_bytes);
	if (!error) {
		error = find_against(backtest, live, detectors);
		config_free(live);
	}
	if (!error && json_array_size(detectors) == 0) {
		snprintf(why, why_bytes, "%s: no detector stands in it", options->draft_name);
		error = -EINVAL;
	}
	json_decref(detectors);
	return error;
}

static int live_sources(const struct backtest_options *options, struct backtest *backtest,
			const struct lived *lived, char *why, size_t why_bytes)
{
	int error = 0;

	for (uint32_t s = 0; s < lived->sources && !error; s++) {
		struct living living = {
			.options = options,
			.backtest = backtest,
			.lived = lived,
			.source = s,
			.why = why,
			.why_bytes = why_bytes,
		};
		/* Events have times from 1970 on: what is below is no close. */
		if (lived->closed[s] < 0 ||
		    (options->source && strcmp(lived->names[s], options->source) != 0))
			continue;
		error = live_source(&living);
		forget(&living);
	}
	return error;
}

static int run(const struct backtest_options *options, struct backtest *backtest,
	       const struct lived *lived, char *why, size_t why_bytes)
{
	int error = 0;

	if (!lived_config(lived)) {
		snprintf(why, why_bytes, "no configuration has been in force here yet");
		return -ENOENT;
	}
	if (options->source && lived_source(lived, options->source) == UINT32_MAX) {
		snprintf(why, why_bytes, "there is no source \"%s\": see weirctl status",
			 options->source);
		return -ENOENT;
	}
	error = choose_against(options, backtest, lived, why, why_bytes);
	if (!error)
		error = live_sources(options, backtest, lived, why, why_bytes);
	if (!error && backtest->sources_count == 0) {
		snprintf(why, why_bytes, "the history has nothing of what is asked for");
		error = -ENOENT;
	}
	backtest_sort(&backtest->found);
	if (!error && options->store_path)
		error = backtest_read_store(options->store_path, backtest);
	return error;
}

int backtest_run(const struct backtest_options *options, struct backtest *backtest, char *why,
		 size_t why_bytes)
{
	struct lived lived;
	int error;

	*backtest = (struct backtest){
		.as_lived = !options->draft, .from_ms = INT64_MAX, .last_ms = INT64_MIN};
	snprintf(why, why_bytes, "%s", "");
	if (options->lived) {
		error = run(options, backtest, options->lived, why, why_bytes);
	} else {
		bool whole = !options->draft || anything_said(options->store_path);
		error = lived_read(options->io, whole, &lived, why, why_bytes);
		if (!error)
			error = run(options, backtest, &lived, why, why_bytes);
		lived_fini(&lived);
	}
	if (error < 0 && !why[0])
		snprintf(why, why_bytes, "%s", strerror(-error));
	return error;
}

void backtest_fini(struct backtest *backtest)
{
	free(backtest->against);
	free(backtest->live.found);
	free(backtest->found.found);
	memset(backtest, 0, sizeof(*backtest));
}
