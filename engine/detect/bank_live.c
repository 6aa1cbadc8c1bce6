/*
 * bank_live: the life of a slice's anomaly, from judgement to judgement; see life.h.
 *
 * Idea:  a slice is judged by its severity as if nobody had said anything, and as what people said
 *        of its like has it; what it is follows from both, and from what it was. To go on firing
 *        takes less than to fire: what is known to be wrong must not flicker.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include <math.h>

#include "detect/life.h"
#include "detect/math.h"
#include "detect/severity.h"

/* Another top contribution is told when it has stood this many intervals. */
#define TOP_TURNS 3

enum judgement { JUDGED_NORMAL, JUDGED_ANOMALOUS, JUDGED_UNKNOWN };

static bool outside_band(const struct bank_turn *step, uint32_t i)
{
	const struct verdicts *verdicts = &step->bank->verdicts;
	double value = step->observations->value[i];

	if (step->bank->spec.kind != DETECTOR_WINDOW)
		return true;
	return value < verdicts->lower[i] || value > verdicts->upper[i];
}

/* So small a deviation is of no interest, however unlikely it is. */
static bool too_small(const struct bank_turn *step, uint32_t i)
{
	double value = step->observations->value[i];
	double gap = (isfinite(value) ? value : 0) - step->bank->verdicts.expected[i];
	return fabs(gap) < step->bank->spec.min_delta;
}

/* With a threshold that is `raise` higher; as one that is `status` already. */
static enum judgement judge(const struct bank_turn *step, uint32_t i, double raise,
			    enum life_status status)
{
	const struct bank *bank = step->bank;
	const struct life *life = &bank->lives[i];
	enum detector_direction wanted = bank->spec.direction;
	int direction = bank->verdicts.direction[i];
	bool goes_on = status == LIFE_FIRING && life->direction == direction;
	/* A static threshold is where it is. */
	double less = bank->spec.kind == DETECTOR_RULE ? 0 : BANK_HYSTERESIS;
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

static void note_peak(struct life *life, double raw, int64_t interval)
{
	if (raw > life->peak) {
		life->peak = raw;
		life->peak_interval = interval;
	}
}

/* What happens to a slice begins with this interval. */
static void begin(struct bank_turn *step, uint32_t i)
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
static void live_pending(struct bank_turn *step, uint32_t i, enum judgement judgement)
{
	struct bank *bank = step->bank;
	struct life *life = &bank->lives[i];
	int64_t interval = step->observations->interval;
	bool turned = life->direction != bank->verdicts.direction[i];

	if (judgement == JUDGED_UNKNOWN)
		return;
	if (life->revision > 0 && (judgement == JUDGED_NORMAL || turned))
		bank_speak(step, i, ANOMALY_RESOLVED);
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
			bank_speak(step, i, ANOMALY_PENDING);
		return;
	}
	life->status = LIFE_FIRING;
	life->count = 0;
	life->fired = interval;
	bank_speak(step, i, ANOMALY_FIRING);
}

/* Has another top contribution stood long enough to be told? */
static bool top_changed(const struct bank_turn *step, struct life *life)
{
	uint64_t top = bank_top(step, life->direction);

	if (top == life->top || top == 0) {
		life->top_turns = 0;
		return false;
	}
	life->top_turns = top == life->next_top ? (uint8_t)(life->top_turns + 1) : 1;
	life->next_top = top;
	return life->top_turns >= TOP_TURNS;
}

static void live_firing(struct bank_turn *step, uint32_t i, enum judgement judgement)
{
	struct bank *bank = step->bank;
	struct life *life = &bank->lives[i];
	int64_t interval = step->observations->interval;

	if (judgement == JUDGED_UNKNOWN)
		return;
	if (judgement == JUDGED_NORMAL) {
		if (++life->count < bank->spec.recover_intervals)
			return;
		bank_speak(step, i, ANOMALY_RESOLVED);
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
	bool explained = bank_explained_anew(step, i);
	bool louder = life->tell_at > 0 && bank->raw[i] >= life->tell_at;
	if (turned || changed || explained || louder || severity_band(severity) > life->band)
		bank_speak(step, i, ANOMALY_UPDATED);
}

/* Anomalous, had nobody said that its like is none. Over when nothing would be told any more. */
static void live_hushed(struct bank_turn *step, uint32_t i, enum judgement judgement)
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
static enum judgement heed(const struct bank_turn *step, uint32_t i, enum judgement judgement)
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

static bool alike(const struct bank_turn *step, uint32_t i)
{
	const struct bank *bank = step->bank;
	struct feedback_case of;

	if (!bank->feedback || bank->feedback->count == 0)
		return false;
	bank_case(bank, step->observations, i, &of);
	return feedback_alike(bank->feedback, &of, &bank->lives[i].run[of.direction > 0]);
}

void bank_live(struct bank_turn *step, uint32_t i)
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
	if (bank_excluded(step->observations, i))
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
