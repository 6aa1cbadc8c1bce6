/*
 * retrace: see retrace.h.
 */
#include "retrace.h"

#include <errno.h>

/* Intervals of which nothing is known that are lived through as unknown. */
#define UNKNOWN_MAX 60
#define STEP_POINTS 4 /* lived through in one step: with many slices an interval takes its time */
#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)

/* What a series of the history is to the scorer. A metric that is configured no more, or means
 * something else now, is nothing to it. */
static bool find_metric(void *self, struct history_scanned *series)
{
	const struct retrace *retrace = self;

	series->of = scorer_metric(retrace->scorer, retrace->source, series->metric, series->spec);
	series->number = UINT32_MAX;
	return series->of && (!retrace->watched || scorer_watched(series->of));
}

static int open_tier(struct retrace *retrace, enum history_tier tier, int64_t from)
{
	history_scan_close(retrace->scan);
	retrace->scan = NULL;
	int error = history_scan_open(retrace->history_path, retrace->source_name, tier, from,
				      &retrace->scan);
	if (!error)
		history_scan_mean(retrace->scan, find_metric, retrace);
	return error;
}

int retrace_first_ms(const struct retrace *retrace, enum history_tier tier, int64_t *ret_ms)
{
	int64_t step_ms = history_tier_ms(tier, retrace->interval_ms);
	struct history_scan_point point;
	struct history_scan *scan;

	*ret_ms = INT64_MAX;
	if (tier != HISTORY_BASE && step_ms <= retrace->interval_ms)
		return 0; /* it is not kept beside the intervals */
	int more = history_scan_open(retrace->history_path, retrace->source_name, tier,
				     RETRACE_EARLIEST, &scan);
	if (more < 0)
		return more;
	more = history_scan_next(scan, INT64_MAX);
	while (more > 0 && history_scan_point(scan, &point)) {
		if (!point.closed && !point.count)
			continue;
		*ret_ms = point.number * step_ms;
		break;
	}
	history_scan_close(scan);
	return more < 0 ? more : 0;
}

/* The first day that is all behind a time. */
static int64_t day_behind(int64_t ms)
{
	return interval_of_ms(ms + DAY_MS - 1, DAY_MS);
}

/* Does the history have an interval of this day or a later one? */
static int goes_on(const struct retrace *retrace, int64_t day)
{
	int64_t from = day * (DAY_MS / retrace->interval_ms);
	struct history_scan_point point;
	struct history_scan *scan;
	int more = history_scan_open(retrace->history_path, retrace->source_name, HISTORY_BASE,
				     from, &scan);

	if (more < 0)
		return more;
	bool found = false;
	while (!found && (more = history_scan_next(scan, INT64_MAX)) > 0)
		while (!found && history_scan_point(scan, &point))
			found = point.number >= from && (point.closed || point.count);
	history_scan_close(scan);
	return more < 0 ? more : found;
}

static void add_stage(struct retrace *retrace, enum history_tier tier, int64_t from_day,
		      int64_t until_day)
{
	int64_t step_ms = history_tier_ms(tier, retrace->interval_ms);

	if (from_day >= until_day || step_ms <= retrace->interval_ms)
		return;
	retrace->stages[retrace->stages_count++] = (struct retrace_stage){
		.tier = tier,
		.from = from_day * (DAY_MS / step_ms),
		.until = until_day * (DAY_MS / step_ms),
		.step_ms = step_ms,
	};
}

/* Detectors with periods can take older hours and days as sums, where these reach back further than
 * the intervals do. Whole days, so that no period has anything of two tiers twice. */
static int plan_stages(struct retrace *retrace)
{
	int64_t base_ms, hours_ms, days_ms;
	int error = retrace_first_ms(retrace, HISTORY_BASE, &base_ms);

	retrace->stages_count = retrace->stage = 0;
	if (error < 0 || base_ms == INT64_MAX || DAY_MS % retrace->interval_ms != 0)
		return error;
	error = retrace_first_ms(retrace, HISTORY_HOUR, &hours_ms);
	if (!error)
		error = retrace_first_ms(retrace, HISTORY_DAY, &days_ms);
	if (error < 0)
		return error;
	/* A tier whose first point begins before the first interval and holds it knows no more. */
	if (hours_ms == INT64_MAX || hours_ms > base_ms - HOUR_MS)
		hours_ms = base_ms;
	if (days_ms == INT64_MAX || days_ms > base_ms - DAY_MS)
		days_ms = hours_ms;
	int64_t base = day_behind(base_ms);
	if (hours_ms == base_ms && days_ms == base_ms)
		return 0;
	/* The day that the intervals begin in may go on still: then it is not to be had as a whole.
	 */
	int later = goes_on(retrace, base);
	if (later < 0)
		return later;
	base -= base * DAY_MS > base_ms && !later;
	int64_t hours = day_behind(hours_ms) < base ? day_behind(hours_ms) : base;
	add_stage(retrace, HISTORY_DAY, day_behind(days_ms), hours);
	add_stage(retrace, HISTORY_HOUR, hours, base);
	return 0;
}

/* The next stage's tier, or that which is lived through. */
static int open_stage(struct retrace *retrace)
{
	const struct retrace_stage *stage = &retrace->stages[retrace->stage];

	if (retrace->stage < retrace->stages_count)
		return open_tier(retrace, stage->tier, stage->from);
	return open_tier(retrace, retrace->tier, RETRACE_EARLIEST);
}

int retrace_open(struct retrace *retrace)
{
	int error = retrace->tier == HISTORY_BASE ? plan_stages(retrace) : 0;

	retrace->step_ms = history_tier_ms(retrace->tier, retrace->interval_ms);
	return error < 0 ? error : open_stage(retrace);
}

void retrace_close(struct retrace *retrace)
{
	history_scan_close(retrace->scan);
	retrace->scan = NULL;
}

uint32_t retrace_damaged(const struct retrace *retrace)
{
	return retrace->scan ? history_scan_damaged(retrace->scan) : 0;
}

void retrace_again(struct retrace *retrace)
{
	retrace->again = true;
}

static void begin_again(struct retrace *retrace)
{
	retrace->again = false;
	history_scan_mean(retrace->scan, find_metric, retrace);
	history_scan_again(retrace->scan, retrace->begun ? retrace->next : RETRACE_EARLIEST);
}

static int put_row(struct retrace *retrace, const struct history_scan_row *row, int64_t interval)
{
	struct history_scanned *series = row->series;

	if (series->number == UINT32_MAX)
		series->number = scorer_slice(series->of, series->slice, interval);
	if (series->number == UINT32_MAX)
		return 0;
	int error = scorer_put(series->of, series->kind, series->number, interval, row->words,
			       row->sketch, row->sketch_bytes);
	retrace->rows++;
	return error == -ENOENT ? 0 : error;
}

static int live_through(struct retrace *retrace, int64_t interval, bool unknown)
{
	int error = scorer_step(retrace->scorer, retrace->source, interval, unknown, retrace->each,
				retrace->self);

	retrace->next = interval + 1;
	retrace->intervals++;
	return error;
}

static int tell_before(struct retrace *retrace, int64_t interval)
{
	return retrace->before ? retrace->before(retrace->self, interval) : 0;
}

/* Was it seen as a whole? Of a coarse point all but a twentieth is enough, as of a period. */
static bool is_unknown(const struct retrace *retrace, const struct history_scan_point *point)
{
	int64_t intervals = retrace->step_ms / retrace->interval_ms;
	int64_t whole = (int64_t)point->closed - (int64_t)point->incomplete;

	if (!point->closed && !point->count)
		return true;
	if (intervals <= 1 || !point->closed)
		return point->incomplete > 0;
	return (intervals - whole) * 20 > intervals;
}

static int live_point(struct retrace *retrace, const struct history_scan_point *point)
{
	bool nothing = !point->closed && !point->count;
	int error = 0;

	if (nothing && !retrace->begun)
		return 0;
	if (!retrace->begun) {
		retrace->begun = true;
		retrace->first = retrace->next = point->number;
	}
	if (point->number - retrace->next > UNKNOWN_MAX)
		retrace->next = point->number;
	while (!error && retrace->next < point->number) {
		error = tell_before(retrace, retrace->next);
		if (!error)
			error = live_through(retrace, retrace->next, true);
	}
	if (!error)
		error = tell_before(retrace, point->number);
	if (error || retrace->again)
		return error;
	for (uint32_t i = 0; !error && i < point->count; i++)
		error = put_row(retrace, &point->rows[i], point->number);
	return error ? error : live_through(retrace, point->number, is_unknown(retrace, point));
}

int retrace_some(struct retrace *retrace, int64_t through)
{
	struct history_scan_point point;

	for (int i = 0; i < STEP_POINTS; i++) {
		if (retrace->again)
			begin_again(retrace);
		if (!history_scan_point(retrace->scan, &point))
			return history_scan_next(retrace->scan, through);
		if (point.number > through)
			return 0;
		int error = live_point(retrace, &point);
		if (error < 0)
			return error;
	}
	return 1;
}

bool retrace_coarse(const struct retrace *retrace)
{
	return retrace->stage < retrace->stages_count;
}

/* An hour or a day, as sums. */
static int absorb_point(struct retrace *retrace, const struct retrace_stage *stage,
			const struct history_scan_point *point)
{
	const struct retrace_stage *last = &retrace->stages[retrace->stages_count - 1];
	int64_t intervals = stage->step_ms / retrace->interval_ms;
	int64_t whole = (int64_t)point->closed - (int64_t)point->incomplete;
	struct scorer_stretch stretch = {
		.interval = (point->number + 1) * intervals - 1,
		.intervals = intervals,
		/* What was imported was never closed: it is all that there was. */
		.incomplete = point->closed ? intervals - whole : 0,
		.step_ms = stage->step_ms,
		.through = last->until * (last->step_ms / retrace->interval_ms) - 1,
	};
	int error = 0;

	for (uint32_t i = 0; !error && i < point->count; i++)
		error = put_row(retrace, &point->rows[i], stretch.interval);
	if (!error)
		error = scorer_absorb(retrace->scorer, retrace->source, &stretch);
	retrace->hours += !error && stage->tier == HISTORY_HOUR;
	retrace->days += !error && stage->tier == HISTORY_DAY;
	return error;
}

/* Behind the last stretch of a tier the next one is opened. */
int retrace_absorb(struct retrace *retrace)
{
	const struct retrace_stage *stage = &retrace->stages[retrace->stage];
	struct history_scan_point point;
	int more = history_scan_next(retrace->scan, stage->until - 1);
	int error = 0;

	while (more > 0 && !error && history_scan_point(retrace->scan, &point) &&
	       point.number < stage->until)
		if (point.closed || point.count)
			error = absorb_point(retrace, stage, &point);
	if (more == 0) {
		retrace->stage++;
		error = open_stage(retrace);
	}
	return more < 0 ? more : error;
}

int retrace_all(struct retrace *retrace, int64_t through)
{
	int more = 1;

	while (more > 0 && retrace_coarse(retrace)) {
		int error = retrace_absorb(retrace);
		more = error < 0 ? error : 1;
	}
	while (more > 0)
		more = retrace_some(retrace, through);
	return more;
}
