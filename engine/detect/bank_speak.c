/*
 * bank_speak: what a bank says of a slice's anomaly, and what it says explains it.
 *
 * Idea:  contributions are made once per step and direction, when they are first asked for. An
 *        explanation takes a scan of the last intervals, so it is looked for when something is
 *        told, and ever more seldom afterwards.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include <stdio.h>
#include <string.h>

#include "detect/life.h"
#include "detect/math.h"
#include "detect/resolutions.h"
#include "detect/severity.h"

/* An explanation is looked for so far back before an anomaly's first interval, at least so many
 * intervals. */
#define EXPLAIN_BEFORE_MS 3600000.0
#define EXPLAIN_BEFORE 70.0
#define EXPLAIN_MAX 1000000

/* The contributions to a deviation in this direction, once per step. */
static uint32_t contributions(const struct bank_turn *step, int direction)
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

struct explain_scan *bank_scan(const struct bank *bank)
{
	return bank->whole ? bank->whole->banks[0]->scan : bank->scan;
}

/* What explains an anomaly of the slice: so many. */
static uint32_t explain_slice(const struct bank_turn *step, uint32_t i,
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
	uint32_t count = explain(&known, bank_scan(bank), i, life->direction, longest, ret);
	/* The detector counts its periods, an anomaly tells intervals. */
	for (uint32_t k = 0; k < count; k++)
		ret[k].since = bank_first_of(bank, ret[k].since);
	return count;
}

bool bank_explained_anew(const struct bank_turn *step, uint32_t i)
{
	const struct life *life = &step->bank->lives[i];
	uint64_t age = (uint64_t)(step->observations->interval - life->fired);
	struct explanation found[ANOMALY_EXPLANATIONS_MAX];

	if (age == 0 || (age & (age - 1)) != 0)
		return false;
	uint64_t hash = explanation_hash(found, explain_slice(step, i, found));
	return hash != 0 && hash != life->explained;
}

uint64_t bank_top(const struct bank_turn *step, int direction)
{
	if (contributions(step, direction) == 0)
		return 0;
	return contribution_hash(&step->bank->contribution[direction > 0][0]);
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

void bank_speak(const struct bank_turn *step, uint32_t i, enum anomaly_state state)
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
	life->top = bank_top(step, life->direction);
	life->top_turns = 0;
	step->each(step->self, anomaly);
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
