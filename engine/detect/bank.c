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
#include "base/simd.h"
#include "base/zone.h"
#include "detect/life.h"
#include "detect/math.h"
#include "detect/resolutions.h"
#include "detect/severity.h"

/* Of the deviations so far, what an interval keeps: short before a run begins, long in it. */
#define KEEP_BEFORE 0.5
#define KEEP_RUNNING (1 - 1.0 / 32)
/* Intervals over which a slice's volume is averaged. */
#define VOLUME_INTERVALS 64.0

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
		if (bank_excluded(observations, i) ||
		    (observations->paused && observations->paused[i]))
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

/* Rows of a step, and what they come to. */
struct weighing {
	/* Of a count, the expectation; else the volume: too few events, expected and observed, say
	 * nothing. */
	const double *usual;
	double factor; /* what small scores are worth; 1 without calibration */
	bool calibrates, rated;
	bool far; /* any slice's severity is FAR */
	uint32_t watched, busy;
};

/* Of a slice whose score is part of an episode, or high: the severity is still to be said. */
#define FAR ((double)INFINITY)
/* Of one in an episode that says nothing in this step: the episode may be over by that. */
#define FAINT ((double)NAN)

/* All slices, without a branch; excluded: NULL where none is. */
static inline __attribute__((always_inline)) void
weigh_rows(const struct bank *bank, const struct observations *observations,
	   struct weighing *weighing, const uint8_t *excluded)
{
	const double *usual = weighing->usual, *events = observations->events;
	const double *volume = bank->volume, *peak = bank->episodes.peak;
	double *log10_p = bank->verdicts.log10_p, *raw = bank->raw;
	double factor = weighing->factor, intervals = bank->log10_intervals;
	double min_volume = bank->spec.min_volume;
	bool calibrates = weighing->calibrates, rated = weighing->rated;
	uint64_t watched = 0, busy = 0, far = 0;
	uint32_t slices = bank->slices;

	for (uint32_t i = 0; i < slices; i++) {
		double p = log10_p[i];
		bool said = (p < 0) & !(math_max(usual[i], events[i]) < min_volume);
		bool lives = calibrates & (peak[i] > 0);
		if (excluded) {
			said &= !excluded[i];
			lives &= !excluded[i];
		}
		bool high = said & (lives | (calibrates & (p <= -CALIBRATION_FROM)));
		double next = p * factor;
		double was = raw[i], severity = severity_raw(next, intervals);
		log10_p[i] = (said & !high) ? next : p;
		double silent = lives ? FAINT : -(double)INFINITY;
		raw[i] = high ? FAR : said ? (rated ? was : severity) : silent;
		far += high | lives;
		watched += said & ((volume[i] > 0) | (events[i] > 0));
		busy += said ? calibration_busy(volume[i]) : 0;
	}
	weighing->far = far > 0;
	weighing->watched = (uint32_t)watched;
	weighing->busy = (uint32_t)busy;
}

WEIR_CLONES
static void weigh_all(const struct bank *bank, const struct observations *observations,
		      struct weighing *weighing)
{
	if (observations->excluded)
		weigh_rows(bank, observations, weighing, observations->excluded);
	else
		weigh_rows(bank, observations, weighing, NULL);
}

/* What high scores are worth; they are part of episodes. */
static void weigh_far(const struct bank_turn *step)
{
	struct bank *bank = step->bank;

	for (uint32_t i = 0; i < bank->slices; i++) {
		bool faint = isnan(bank->raw[i]);
		double score = faint ? 0 : -bank->verdicts.log10_p[i];
		if (bank->raw[i] < FAR)
			continue;
		if (!step->incomplete)
			bank_episode(bank, i, score);
		if (faint) {
			bank->raw[i] = -INFINITY;
			continue;
		}
		double log10_p = -calibration_score(&bank->calibration, score);
		bank->verdicts.log10_p[i] = log10_p;
		bank->raw[i] = severity_raw(log10_p, bank->log10_intervals);
	}
}

/* Severities, and how many slices are watched: those that can speak and ever had an event. */
static void weigh(struct bank_turn *step)
{
	struct bank *bank = step->bank;
	enum aggregation aggregation = step->observations->aggregation;
	bool count = aggregation == AGGREGATE_COUNT || aggregation == AGGREGATE_DISTINCT;
	bool rated = bank->spec.kind == DETECTOR_RULE; /* it has written its severities itself */
	/* Kind seasonal says what it can from the beginning; it is believed from `learn` on. */
	bool learned = bank->spec.kind != DETECTOR_SEASONAL ||
		       bank->seen > bank->spec.learn_intervals;
	bool calibrates = bank_calibrates(bank);
	struct weighing weighing = {
		.usual = count ? bank->verdicts.expected : bank->volume,
		.factor = calibrates ? calibration_near(&bank->calibration) : 1,
		.calibrates = calibrates,
		.rated = rated,
	};

	if (calibrates)
		bank_calibrate_begin(bank, step->observations->interval,
				     (bank->spec.severity - BANK_HYSTERESIS - 50) / 12.5);
	if (learned)
		weigh_all(bank, step->observations, &weighing);
	for (uint32_t i = 0; i < bank->slices && !learned; i++)
		bank->raw[i] = -INFINITY;
	if (weighing.far)
		weigh_far(step);
	double slices = bank->spec.apart ? 1 : weighing.watched;
	step->threshold = rated ? bank->spec.severity
				: bank->handicap + severity_budget(bank->spec.severity, slices);
	if (calibrates)
		bank_calibrate_end(bank, step->observations, weighing.watched, weighing.busy,
				   -severity_log10_p(step->threshold, bank->log10_intervals));
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
	struct bank_turn step = {
		.bank = bank,
		.observations = observations,
		.incomplete = observations->flags & OBSERVATION_INCOMPLETE,
		.each = each,
		.self = self,
	};
	bank->seen++;
	bank->diagnosed[0] = bank->diagnosed[1] = false;
	if (!bank->spec.apart)
		explain_forget(bank_scan(bank));
	choose_learners(bank, observations);
	bank->ops->step(bank->state, &bank->spec, bank->capacity, observations, bank->learn,
			&bank->verdicts);
	occasion_note(bank, observations, start_ms, end_ms);
	weigh(&step);
	if (!bank->spec.apart)
		diagnose_add(&bank->diagnosis, observations, &bank->verdicts,
			     bank->running ? KEEP_RUNNING : KEEP_BEFORE, bank->edge);
	bool busy = false, was_running = bank->running;
	/* Nothing that was said lowers a threshold by more. */
	double least = step.threshold - FEEDBACK_LOWER_MAX;
	for (uint32_t i = 0; i < bank->slices; i++) {
		if (bank->lives[i].status == LIFE_NORMAL && bank->raw[i] < least)
			continue;
		bank_live(&step, i);
		busy |= bank->lives[i].status == LIFE_PENDING ||
			bank->lives[i].status == LIFE_FIRING;
	}
	if (busy && !was_running && bank_calibrates(bank))
		bank->calibration.fired++;
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
	return bank_step_sums(bank, observations, intervals, incomplete, bank_unheard, NULL);
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

uint32_t bank_watched(const struct bank *bank)
{
	uint32_t watched = 0;

	/* See weigh(); one whose first event has just come has been counted there already. */
	for (uint32_t i = 0; i < bank->told; i++)
		watched += bank->raw[i] > -INFINITY && bank->volume[i] > 0;
	return watched;
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
