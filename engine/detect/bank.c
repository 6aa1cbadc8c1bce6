/*
 * bank: one detector over the slices of one metric: from verdicts to anomalies.
 *
 * Idea:  a step scores all slices (the detector's vector loops), turns tail probabilities into
 *        severities, and then moves the few slices that are not normal through their life (see
 *        life.h). A slice that fires is not learned from, so that an incident does not become the
 *        norm; after a day (a window: after its length) it is, so that a lasting change does.
 *        To fire takes the threshold plus the alarm budget; to go on firing takes 25 less
 *        than the threshold: what is known to be wrong must not flicker.
 *
 * Runs on: the shard that owns the metric. Never reads a clock, never allocates but for new slices.
 */
#include "detect/bank.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/zone.h"
#include "detect/life.h"
#include "detect/math.h"
#include "detect/resolutions.h"
#include "detect/severity.h"

/* Severity by which an anomaly that fires may fall below the threshold and still go on. */
#define HYSTERESIS 25.0
/* Of the deviations so far, what an interval keeps: short before a run begins, long in it. */
#define KEEP_BEFORE 0.5
#define KEEP_RUNNING (1 - 1.0 / 32)
/* Another top contribution is told when it has stood this many intervals. */
#define TOP_TURNS 3
/* An explanation is looked for so far back before an anomaly's first interval, at least so many
 * intervals. */
#define EXPLAIN_BEFORE_MS 3600000.0
#define EXPLAIN_BEFORE 70.0
#define EXPLAIN_MAX 1000000
/* Intervals over which a slice's volume is averaged. */
#define VOLUME_INTERVALS 64.0

enum judgement { JUDGED_NORMAL, JUDGED_ANOMALOUS, JUDGED_UNKNOWN };

struct step {
	struct bank *bank;
	const struct observations *observations;
	double threshold; /* raw severity to fire: with the alarm budget */
	bool incomplete;
	bank_each *each;
	void *self;
};

/* Names are the same every time, and printing them anew costs as much as two values. */
static void keep_name(char *kept, size_t size, const char *name)
{
	if (strncmp(kept, name, size) != 0)
		snprintf(kept, size, "%s", name);
}

/* Take over what the observations say of themselves, and their new slices. */
static int adopt(struct bank *bank, const struct observations *observations)
{
	if (bank->interval_ms != observations->interval_ms)
		bank_interval(bank, observations->interval_ms);
	uint32_t slices = bank->slices;

	check(observations->count >= slices);
	keep_name(bank->source, sizeof(bank->source), observations->source);
	keep_name(bank->metric, sizeof(bank->metric), observations->metric);
	int result = observations->count == slices ? 0 : bank_grow(bank, observations->count);
	for (uint32_t i = slices; result == 0 && i < observations->count; i++)
		result = bank_label(bank, i, observations->slices[i].label);
	if (result == 0)
		result = resolutions_make(bank, observations->aggregation);
	if (result == 0 && bank->resolutions)
		result = resolutions_grow(bank->resolutions, observations->count);
	return result == 0 ? occasion_prepare(bank) : result;
}

static bool excluded(const struct observations *observations, uint32_t i)
{
	return observations->excluded && observations->excluded[i];
}

/* Intervals that a firing slice is not learned from. */
static int64_t freeze_intervals(const struct bank *bank)
{
	int64_t day = (int64_t)math_max(86400000.0 / (double)bank->step_ms, 3);
	if (bank->spec.kind == DETECTOR_WINDOW && bank->spec.window < day)
		return bank->spec.window;
	return day;
}

static void choose_learners(struct bank *bank, const struct observations *observations)
{
	int64_t interval = observations->interval;
	int64_t freeze = freeze_intervals(bank);
	for (uint32_t i = 0; i < bank->slices; i++) {
		const struct life *life = &bank->lives[i];
		bank->learn[i] = life->status == LIFE_NORMAL || life->status == LIFE_HUSHED ||
				 (life->status == LIFE_FIRING && !life->confirmed &&
				  interval - life->fired >= freeze);
		if (excluded(observations, i) || (observations->paused && observations->paused[i]))
			bank->learn[i] = 0;
	}
}

static void learn_volume(struct bank *bank, const struct observations *observations)
{
	double gain = math_max(1 / (double)bank->seen, 1 / VOLUME_INTERVALS);
	for (uint32_t i = 0; i < bank->slices; i++) {
		if (bank->learn[i])
			bank->volume[i] += gain * (observations->events[i] - bank->volume[i]);
	}
}

/* Too few events, expected and observed, to say anything. */
static bool too_few(const struct step *step, uint32_t i)
{
	const struct bank *bank = step->bank;
	enum aggregation aggregation = step->observations->aggregation;
	bool count = aggregation == AGGREGATE_COUNT || aggregation == AGGREGATE_DISTINCT;
	double expected = count ? bank->verdicts.expected[i] : bank->volume[i];
	return math_max(expected, step->observations->events[i]) < bank->spec.min_volume;
}

/* Severities, and how many slices are watched: those that can speak and ever had an event. */
static void weigh(struct step *step)
{
	struct bank *bank = step->bank;
	bool rated = bank->spec.kind == DETECTOR_RULE; /* it has written its severities itself */
	/* Kind seasonal says what it can from the beginning; it is believed from `learn` on. */
	bool learned = bank->spec.kind != DETECTOR_SEASONAL ||
		       bank->seen > bank->spec.learn_intervals;
	uint32_t watched = 0;

	for (uint32_t i = 0; i < bank->slices; i++) {
		double log10_p = bank->verdicts.log10_p[i];
		bool said = log10_p < 0 && learned && !too_few(step, i) &&
			    !excluded(step->observations, i);
		bool alive = bank->volume[i] > 0 || step->observations->events[i] > 0;
		if (!said)
			bank->raw[i] = -INFINITY;
		else if (!rated)
			bank->raw[i] = severity_raw(log10_p, bank->log10_intervals);
		watched += said && alive;
	}
	step->threshold = rated ? bank->spec.severity
				: bank->handicap + severity_budget(bank->spec.severity,
								   bank->spec.apart ? 1 : watched);
}

static bool outside_band(const struct step *step, uint32_t i)
{
	const struct verdicts *verdicts = &step->bank->verdicts;
	double value = step->observations->value[i];

	if (step->bank->spec.kind != DETECTOR_WINDOW)
		return true;
	return value < verdicts->lower[i] || value > verdicts->upper[i];
}

/* So small a deviation is of no interest, however unlikely it is. */
static bool too_small(const struct step *step, uint32_t i)
{
	double value = step->observations->value[i];
	double gap = (isfinite(value) ? value : 0) - step->bank->verdicts.expected[i];
	return fabs(gap) < step->bank->spec.min_delta;
}

/* With a threshold that is `raise` higher; as one that is `status` already. */
static enum judgement judge(const struct step *step, uint32_t i, double raise,
			    enum life_status status)
{
	const struct bank *bank = step->bank;
	const struct life *life = &bank->lives[i];
	enum detector_direction wanted = bank->spec.direction;
	int direction = bank->verdicts.direction[i];
	bool goes_on = status == LIFE_FIRING && life->direction == direction;
	/* A static threshold is where it is. */
	double less = bank->spec.kind == DETECTOR_RULE ? 0 : HYSTERESIS;
	double threshold = raise + (goes_on ? bank->spec.severity - less : step->threshold);
	bool unwanted = (wanted == DIRECTION_UP && direction < 0) ||
			(wanted == DIRECTION_DOWN && direction > 0);

	/* What is missing may have been lost on the way: only a surplus is sure. */
	if (step->incomplete && direction <= 0)
		return JUDGED_UNKNOWN;
	if (direction != 0 && !unwanted && bank->raw[i] >= threshold && outside_band(step, i) &&
	    !too_small(step, i))
		return JUDGED_ANOMALOUS;
	return step->incomplete ? JUDGED_UNKNOWN : JUDGED_NORMAL;
}

/* The contributions to a deviation in this direction, once per step. */
static uint32_t contributions(const struct step *step, int direction)
{
	struct bank *bank = step->bank;
	int side = direction > 0;

	if (bank->spec.apart)
		return 0;
	if (!bank->diagnosed[side]) {
		memset(bank->contribution[side], 0, sizeof(bank->contribution[side]));
		bank->contributions[side] = diagnose(&bank->diagnosis, step->observations,
						     &bank->verdicts, direction,
						     bank->contribution[side]);
		bank->diagnosed[side] = true;
	}
	return bank->contributions[side];
}

/* Stretches that are looked at reach as far back before an anomaly's first interval as what was not
 * seen at once may lie; by powers of two, so that few scans are made of many anomalies. */
static uint32_t explain_longest(const struct bank *bank, int64_t age)
{
	double before = math_max(EXPLAIN_BEFORE_MS / (double)bank->step_ms, EXPLAIN_BEFORE);
	uint32_t reach = 0;

	while (reach < age && reach < EXPLAIN_MAX)
		reach = reach ? 2 * reach : 1;
	return (uint32_t)math_min(before, EXPLAIN_MAX) + reach;
}

/* NULL: slices stand apart and explain nothing. */
static struct explain_scan *scan_of(const struct bank *bank)
{
	return bank->whole ? bank->whole->banks[0]->scan : bank->scan;
}

/* What explains an anomaly of the slice: so many. */
static uint32_t explain_slice(const struct step *step, uint32_t i,
			      struct explanation ret[ANOMALY_EXPLANATIONS_MAX])
{
	struct bank *bank = step->bank;
	const struct life *life = &bank->lives[i];
	const struct explain known = {
		.observations = step->observations,
		.verdicts = &bank->verdicts,
		.ops = bank->ops,
		.state = bank->state,
		.diagnosis = &bank->diagnosis,
	};
	uint32_t longest = explain_longest(bank, step->observations->interval - life->start);

	if (bank->spec.apart)
		return 0;
	uint32_t count = explain(&known, scan_of(bank), i, life->direction, longest, ret);
	/* The detector counts its periods, an anomaly tells intervals. */
	for (uint32_t k = 0; k < count; k++)
		ret[k].since = bank_first_of(bank, ret[k].since);
	return count;
}

/* Is another explanation to be told? It is looked for ever more seldom. */
static bool explained_anew(const struct step *step, uint32_t i)
{
	const struct life *life = &step->bank->lives[i];
	uint64_t age = (uint64_t)(step->observations->interval - life->fired);
	struct explanation found[ANOMALY_EXPLANATIONS_MAX];

	if (age == 0 || (age & (age - 1)) != 0)
		return false;
	uint64_t hash = explanation_hash(found, explain_slice(step, i, found));
	return hash != 0 && hash != life->explained;
}

static uint64_t top_hash(const struct step *step, int direction)
{
	if (contributions(step, direction) == 0)
		return 0;
	return contribution_hash(&step->bank->contribution[direction > 0][0]);
}

/* Intervals at the ends of a step of the detector. */
int64_t bank_first_of(const struct bank *bank, int64_t step)
{
	return bank->periodic
		       ? period_first(step, bank->interval_ms, bank->spec.frequency_ms, bank->zone)
		       : step;
}

int64_t bank_last_of(const struct bank *bank, int64_t step)
{
	return bank->periodic
		       ? period_last(step, bank->interval_ms, bank->spec.frequency_ms, bank->zone)
		       : step;
}

/* Everything that an anomaly says but its contributions. */
static void describe(struct bank *bank, uint32_t i, int64_t interval, enum anomaly_state state)
{
	const struct life *life = &bank->lives[i];
	struct anomaly *anomaly = &bank->anomaly;

	bank->speaking = i;
	memset(anomaly, 0, sizeof(*anomaly));
	snprintf(anomaly->source, sizeof(anomaly->source), "%s", bank->source);
	snprintf(anomaly->metric, sizeof(anomaly->metric), "%s", bank->metric);
	snprintf(anomaly->detector, sizeof(anomaly->detector), "%s", bank->spec.name);
	snprintf(anomaly->kind, sizeof(anomaly->kind), "%s", bank->ops->kind);
	snprintf(anomaly->slice, sizeof(anomaly->slice), "%s", bank->labels[i]);
	anomaly->interval_ms = bank->interval_ms;
	anomaly->frequency_ms = bank->periodic ? bank->spec.frequency_ms : 0;
	anomaly->start = bank_first_of(bank, life->start);
	anomaly->interval = bank_last_of(bank, interval);
	anomaly->peak_interval = bank_last_of(bank, life->peak_interval);
	anomaly_id(anomaly->detector, anomaly->source, anomaly->metric, anomaly->slice,
		   anomaly->start, anomaly->id);
	group_id(anomaly->source, anomaly->metric, bank_first_of(bank, life->group),
		 anomaly->group);
	anomaly->fired = life->status == LIFE_FIRING;
	anomaly->revision = life->revision;
	anomaly->state = state;
	anomaly->direction = life->direction;
	anomaly->severity_peak = severity_clamp(life->peak);
	anomaly->observed = life->observed;
	anomaly->expected = life->expected;
	anomaly->usual = life->usual;
	memcpy(anomaly->fall, life->run[0].most, sizeof(anomaly->fall));
	memcpy(anomaly->rise, life->run[1].most, sizeof(anomaly->rise));
	anomaly->lower = life->lower;
	anomaly->upper = life->upper;
	anomaly->log10_p = bank->spec.kind == DETECTOR_RULE ? 0 : life->log10_p;
}

static void speak(const struct step *step, uint32_t i, enum anomaly_state state)
{
	struct bank *bank = step->bank;
	struct life *life = &bank->lives[i];
	struct anomaly *anomaly = &bank->anomaly;

	life->revision++;
	describe(bank, i, step->observations->interval, state);
	anomaly->severity = severity_clamp(math_max(bank->raw[i], 0));
	anomaly->incomplete = step->incomplete;
	anomaly->contributions = contributions(step, life->direction);
	memcpy(anomaly->contribution, bank->contribution[life->direction > 0],
	       sizeof(anomaly->contribution));
	anomaly->explanations = explain_slice(step, i, anomaly->explanation);
	life->explained = explanation_hash(anomaly->explanation, anomaly->explanations);
	int band = severity_band(anomaly->severity);
	if (band > life->band)
		life->band = (uint8_t)band;
	life->top = top_hash(step, life->direction);
	life->top_turns = 0;
	step->each(step->self, anomaly);
}

static void note_peak(struct life *life, double raw, int64_t interval)
{
	if (raw > life->peak) {
		life->peak = raw;
		life->peak_interval = interval;
	}
}

/* What happens to a slice begins with this interval. */
static void begin(struct step *step, uint32_t i)
{
	struct bank *bank = step->bank;
	struct life *life = &bank->lives[i];
	int64_t interval = step->observations->interval;

	if (!bank->running) {
		bank->running = true;
		bank->run = interval;
	}
	*life = (struct life){
		.status = LIFE_PENDING,
		.direction = bank->verdicts.direction[i],
		.start = interval,
		.quiet = life->quiet,
		.group = bank->run,
		.peak_interval = interval,
		.observed = life->observed,
		.expected = life->expected,
		.lower = life->lower,
		.upper = life->upper,
		.log10_p = life->log10_p,
		.usual = life->usual,
		.run = {life->run[0], life->run[1]},
	};
}

/* One that turns is another one: the first is over before it fired. */
static void live_pending(struct step *step, uint32_t i, enum judgement judgement)
{
	struct bank *bank = step->bank;
	struct life *life = &bank->lives[i];
	int64_t interval = step->observations->interval;
	bool turned = life->direction != bank->verdicts.direction[i];

	if (judgement == JUDGED_UNKNOWN)
		return;
	if (life->revision > 0 && (judgement == JUDGED_NORMAL || turned))
		speak(step, i, ANOMALY_RESOLVED);
	if (judgement == JUDGED_NORMAL) {
		life->status = LIFE_NORMAL;
		return;
	}
	if (turned)
		begin(step, i);
	life->count++;
	note_peak(life, bank->raw[i], interval);
	if (life->count < bank->spec.for_intervals) {
		if (life->count == 1)
			speak(step, i, ANOMALY_PENDING);
		return;
	}
	life->status = LIFE_FIRING;
	life->count = 0;
	life->fired = interval;
	speak(step, i, ANOMALY_FIRING);
}

/* Has another top contribution stood long enough to be told? */
static bool top_changed(const struct step *step, struct life *life)
{
	uint64_t top = top_hash(step, life->direction);

	if (top == life->top || top == 0) {
		life->top_turns = 0;
		return false;
	}
	life->top_turns = top == life->next_top ? (uint8_t)(life->top_turns + 1) : 1;
	life->next_top = top;
	return life->top_turns >= TOP_TURNS;
}

static void live_firing(struct step *step, uint32_t i, enum judgement judgement)
{
	struct bank *bank = step->bank;
	struct life *life = &bank->lives[i];
	int64_t interval = step->observations->interval;

	if (judgement == JUDGED_UNKNOWN)
		return;
	if (judgement == JUDGED_NORMAL) {
		if (++life->count < bank->spec.recover_intervals)
			return;
		speak(step, i, ANOMALY_RESOLVED);
		life->status = LIFE_NORMAL;
		life->quiet = interval + bank->spec.cooldown_intervals + 1;
		return;
	}
	double severity = severity_clamp(bank->raw[i]);
	bool turned = life->direction != bank->verdicts.direction[i];
	life->count = 0;
	life->direction = bank->verdicts.direction[i];
	note_peak(life, bank->raw[i], interval);
	bool changed = top_changed(step, life);
	bool explained = explained_anew(step, i);
	bool louder = life->tell_at > 0 && bank->raw[i] >= life->tell_at;
	if (turned || changed || explained || louder || severity_band(severity) > life->band)
		speak(step, i, ANOMALY_UPDATED);
}

/* Anomalous, had nobody said that its like is none. Over when nothing would be told any more. */
static void live_hushed(struct step *step, uint32_t i, enum judgement judgement)
{
	struct bank *bank = step->bank;
	struct life *life = &bank->lives[i];
	int64_t interval = step->observations->interval;
	struct feedback_case of;

	if (life->status == LIFE_NORMAL)
		*life = (struct life){
			.status = LIFE_HUSHED,
			.start = interval,
			.quiet = life->quiet,
			.usual = life->usual,
			.run = {life->run[0], life->run[1]},
		};
	if (judgement == JUDGED_NORMAL && ++life->count >= bank->spec.recover_intervals)
		life->status = LIFE_NORMAL;
	if (judgement != JUDGED_ANOMALOUS)
		return;
	life->direction = bank->verdicts.direction[i];
	life->count = 0;
	if (++life->hushed != bank->spec.for_intervals)
		return;
	/* What hushed it may be said no more. */
	if (!bank->feedback)
		return;
	bank_case(bank, step->observations, i, &of);
	feedback_suppressed(bank->feedback, &of);
}

/* What the slice is judged to be by what people have said of its like. */
static enum judgement heed(const struct step *step, uint32_t i, enum judgement judgement)
{
	const struct bank *bank = step->bank;
	const struct life *life = &bank->lives[i];
	struct feedback_case of;

	if (!bank->feedback || bank->feedback->count == 0)
		return life->status == LIFE_HUSHED ? judge(step, i, 0, LIFE_NORMAL) : judgement;
	/* Nothing that was said lowers a threshold by more than this. */
	if (life->status == LIFE_NORMAL && judgement != JUDGED_ANOMALOUS &&
	    bank->raw[i] < step->threshold - FEEDBACK_LOWER_MAX)
		return judgement;
	bank_case(bank, step->observations, i, &of);
	judgement = judge(step, i, feedback_raise(bank->feedback, &of, 0),
			  life->status == LIFE_HUSHED ? LIFE_NORMAL : life->status);
	return judgement;
}

static bool alike(const struct step *step, uint32_t i)
{
	const struct bank *bank = step->bank;
	struct feedback_case of;

	if (!bank->feedback || bank->feedback->count == 0)
		return false;
	bank_case(bank, step->observations, i, &of);
	return feedback_alike(bank->feedback, &of, &bank->lives[i].run[of.direction > 0]);
}

static void live(struct step *step, uint32_t i)
{
	struct bank *bank = step->bank;
	struct life *life = &bank->lives[i];
	/* What it would be, had nobody said anything. */
	enum judgement judgement = judge(step, i, 0,
					 life->status == LIFE_HUSHED ? LIFE_FIRING : life->status);
	enum judgement heeded = heed(step, i, judgement);
	double value = step->observations->value[i];
	bool quiet = step->observations->interval < life->quiet;

	/* Nobody can tell: what goes on goes on, nothing begins. */
	if (excluded(step->observations, i))
		return;
	if (life->status == LIFE_NORMAL &&
	    ((judgement != JUDGED_ANOMALOUS && heeded != JUDGED_ANOMALOUS) || quiet))
		return;
	life->observed = isfinite(value) ? value : 0;
	life->expected = bank->verdicts.expected[i];
	life->lower = bank->verdicts.lower[i];
	life->upper = bank->verdicts.upper[i];
	life->log10_p = bank->verdicts.log10_p[i];
	bank_measure(bank, step->observations, i);
	if (heeded == JUDGED_ANOMALOUS && alike(step, i))
		heeded = JUDGED_NORMAL;
	bool silent = life->status == LIFE_NORMAL || life->status == LIFE_HUSHED;
	if (silent && heeded != JUDGED_ANOMALOUS) {
		live_hushed(step, i, judgement);
		return;
	}
	if (silent)
		begin(step, i);
	if (life->status == LIFE_PENDING)
		live_pending(step, i, heeded);
	else
		live_firing(step, i, heeded);
}

/* The detector's own view of them: at its place's time of day. */
static const struct observations *place(struct bank *bank, const struct observations *observations,
					int64_t start_ms)
{
	/* Numbers of days are its own already. */
	if (!bank->zone || (bank->periodic && bank->step_ms >= 86400000))
		return observations;
	if (start_ms < bank->offset_from_ms || start_ms >= bank->offset_until_ms) {
		bank->offset_ms = zone_offset_until(bank->zone, start_ms, &bank->offset_until_ms);
		bank->offset_from_ms = start_ms;
	}
	bank->placed = *observations;
	bank->placed.offset_ms = bank->offset_ms;
	return &bank->placed;
}

/* An interval, or the period that has ended. */
static void step_slices(struct bank *bank, const struct observations *observations, bank_each *each,
			void *self)
{
	int64_t start_ms = bank_first_of(bank, observations->interval) * bank->interval_ms;
	int64_t end_ms = (bank_last_of(bank, observations->interval) + 1) * bank->interval_ms;

	observations = place(bank, observations, start_ms);
	observations = occasion_mark(bank, observations, start_ms, end_ms);
	observations = bank_hold(bank, observations);
	struct step step = {
		.bank = bank,
		.observations = observations,
		.incomplete = observations->flags & OBSERVATION_INCOMPLETE,
		.each = each,
		.self = self,
	};
	bank->seen++;
	bank->diagnosed[0] = bank->diagnosed[1] = false;
	if (!bank->spec.apart)
		explain_forget(scan_of(bank));
	choose_learners(bank, observations);
	bank->ops->step(bank->state, &bank->spec, bank->capacity, observations, bank->learn,
			&bank->verdicts);
	occasion_note(bank, observations, start_ms, end_ms);
	weigh(&step);
	if (!bank->spec.apart)
		diagnose_add(&bank->diagnosis, observations, &bank->verdicts,
			     bank->running ? KEEP_RUNNING : KEEP_BEFORE, bank->edge);
	bool busy = false;
	for (uint32_t i = 0; i < bank->slices; i++) {
		live(&step, i);
		busy |= bank->lives[i].status == LIFE_PENDING ||
			bank->lives[i].status == LIFE_FIRING;
	}
	bank->running = busy;
	bank->told = bank->slices;
	if (!step.incomplete)
		learn_volume(bank, observations);
}

int bank_step_sums(struct bank *bank, const struct observations *observations, int64_t intervals,
		   int64_t incomplete, bank_each *each, void *self)
{
	int result = adopt(bank, observations);

	if (result < 0)
		return result;
	if (observations->count == 0)
		return 0;
	if (bank->periodic)
		observations = period_add_many(&bank->period, observations, intervals, incomplete);
	if (!observations)
		return 0;
	step_slices(bank, observations, each, self);
	return 0;
}

int bank_step(struct bank *bank, const struct observations *observations, bank_each *each,
	      void *self)
{
	/* Whether it has resolutions is known once it has adopted the interval. */
	int result = adopt(bank, observations);

	if (result < 0)
		return result;
	if (bank->resolutions)
		return resolutions_step(bank->resolutions, observations, each, self);
	if (bank->absorbed && observations->interval <= bank->absorbed_through)
		return 0;
	return bank_step_sums(bank, observations, 1,
			      observations->flags & OBSERVATION_INCOMPLETE ? 1 : 0, each, self);
}

/* Is a period of its own made of such stretches? */
static bool absorbs_own(const struct bank *bank, int64_t interval_ms, int64_t step_ms)
{
	int64_t frequency_ms = bank->spec.frequency_ms;

	if (frequency_ms == 0 || frequency_ms == interval_ms || step_ms > 86400000)
		return false;
	/* Local days begin between stretches only where these divide every offset. */
	bool days = frequency_ms == DETECTOR_MONTH || frequency_ms >= 86400000;

	if (days && zone_granule_ms(bank->zone) % step_ms != 0)
		return false;
	return frequency_ms == DETECTOR_MONTH || frequency_ms % step_ms == 0;
}

bool bank_absorbs(const struct bank *bank, int64_t interval_ms, int64_t step_ms)
{
	return absorbs_own(bank, interval_ms, step_ms) ||
	       resolutions_absorb_any(bank, interval_ms, step_ms);
}

static void let_pass(void *self, const struct anomaly *anomaly)
{
	(void)self;
	(void)anomaly;
}

int bank_absorb(struct bank *bank, const struct observations *observations, int64_t intervals,
		int64_t step_ms, int64_t incomplete, int64_t through)
{
	int result = adopt(bank, observations);

	if (result < 0)
		return result;
	if (bank->resolutions)
		return resolutions_absorb(bank->resolutions, observations, intervals, step_ms,
					  incomplete, through);
	/* Its values do not add up, so there are no resolutions of them. */
	if (!bank->periodic)
		return 0;
	bank->absorbed = true;
	bank->absorbed_through = through;
	return bank_step_sums(bank, observations, intervals, incomplete, let_pass, NULL);
}

void bank_learning(const struct bank *bank, uint64_t *ret_seen, uint64_t *ret_wanted)
{
	*ret_seen = bank->seen;
	*ret_wanted = bank_wanted(&bank->spec, bank->step_ms);
}

int64_t bank_interval_ms(const struct bank *bank)
{
	return bank->interval_ms;
}

uint32_t bank_slices(const struct bank *bank)
{
	return bank->slices;
}

void bank_slice(const struct bank *bank, uint32_t slice, struct bank_slice *ret_slice)
{
	const struct verdicts *verdicts = &bank->verdicts;
	const struct life *life = &bank->lives[slice];
	bool told = slice < bank->told;

	*ret_slice = (struct bank_slice){
		.label = bank->labels[slice],
		.expected = told ? verdicts->expected[slice] : NAN,
		.lower = told ? verdicts->lower[slice] : NAN,
		.upper = told ? verdicts->upper[slice] : NAN,
		.score = math_max(-verdicts->log10_p[slice], 0),
		.onset = verdicts->onset[slice],
		.severity = severity_clamp(math_max(bank->raw[slice], 0)),
		.pending = life->status == LIFE_PENDING,
		.firing = life->status == LIFE_FIRING ||
			  (bank->resolutions && incident_fires(bank->resolutions, slice)),
	};
}

void bank_end_own(struct bank *bank, int64_t interval, bank_each *each, void *self)
{
	for (uint32_t i = 0; i < bank->slices; i++) {
		struct life *life = &bank->lives[i];
		bool told = life->status != LIFE_NORMAL && life->revision > 0;
		if (told) {
			life->revision++;
			describe(bank, i, life->start, ANOMALY_RESOLVED);
			bank->anomaly.interval = interval;
			each(self, &bank->anomaly);
		}
		life->status = LIFE_NORMAL;
	}
	bank->running = false;
}

void bank_end(struct bank *bank, int64_t interval, bank_each *each, void *self)
{
	if (bank->resolutions)
		resolutions_end(bank->resolutions, interval, each, self);
	else
		bank_end_own(bank, interval, each, self);
}
