/*
 * bank_feedback: what a bank does with what people said of its anomalies; see feedback.h.
 *
 * Runs on: the shard that owns the metric.
 */
#include <math.h>
#include <string.h>

#include "detect/life.h"
#include "detect/math.h"
#include "detect/resolutions.h"
#include "detect/values.h"

const char *bank_detector(const struct bank *bank)
{
	return bank->spec.name;
}

static int64_t start_ms(const struct bank *bank, int64_t step)
{
	return bank_first_of(bank, step) * bank->interval_ms;
}

/* Standard deviations lie between the expectation and the edges of a band that knows of chance. */
static double deviation(const struct bank *bank, uint32_t i)
{
	double wide = bank->verdicts.upper[i] - bank->verdicts.lower[i];

	return bank->edge > 0 && wide >= 0 && wide <= VALUE_MAX ? wide / (2 * bank->edge) : 0;
}

static double sane(double value)
{
	return fabs(value) <= VALUE_MAX ? value : 0;
}

void bank_case(const struct bank *bank, const struct observations *observations, uint32_t i,
	       struct feedback_case *ret_case)
{
	const struct life *life = &bank->lives[i];
	int64_t interval = observations->interval;
	bool on = life->status != LIFE_NORMAL;
	int direction = bank->verdicts.direction[i];

	*ret_case = (struct feedback_case){
		.slice = bank->labels[i],
		.direction = direction ? direction : life->direction,
		.from_ms = start_ms(bank, interval),
		.until_ms = (bank_last_of(bank, interval) + 1) * bank->interval_ms,
		.since_ms = start_ms(bank, on ? life->start : interval),
		.usual = on ? life->usual : sane(bank->verdicts.expected[i]),
		.deviation = deviation(bank, i),
		.adds = value_adds(observations->aggregation),
	};
}

void bank_measure(struct bank *bank, const struct observations *observations, uint32_t i)
{
	struct life *life = &bank->lives[i];
	int direction = bank->verdicts.direction[i];
	double value = value_of(observations, i);
	/* Nothing where something was expected: of what is added up that is a value. */
	double off = (isnan(value) && value_adds(observations->aggregation) ? 0 : value) -
		     bank->verdicts.expected[i];

	if (life->status == LIFE_NORMAL) {
		memset(&life->run, 0, sizeof(life->run));
		life->usual = sane(bank->verdicts.expected[i]);
	}
	/* One that turns is measured anew in its new direction; what it was stays. */
	if (direction != 0 && direction != life->direction)
		feedback_turn(&life->run[direction > 0]);
	if (!(fabs(off) <= VALUE_MAX))
		return;
	feedback_measure(&life->run[0], -off);
	feedback_measure(&life->run[1], off);
}

const struct observations *bank_hold(struct bank *bank, const struct observations *observations)
{
	if (bank->confirmed == 0)
		return observations;
	bank->confirmed = 0;
	for (uint32_t i = 0; i < bank->slices; i++) {
		struct life *life = &bank->lives[i];
		bool on = life->status == LIFE_PENDING || life->status == LIFE_FIRING;
		life->confirmed = on && life->confirmed;
		bank->confirmed += (uint32_t)life->confirmed;
		bank->paused[i] = life->confirmed ||
				  (observations->paused && observations->paused[i]);
	}
	if (observations != &bank->placed)
		bank->placed = *observations;
	bank->placed.paused = bank->paused;
	return &bank->placed;
}

/* Of what is told of the slice. */
static void open_id(const struct bank *bank, uint32_t i, uint64_t ret_id[2])
{
	const struct resolutions *all = bank->resolutions ? bank->resolutions : bank->whole;

	if (all)
		incident_id(all, bank->rank, i, ret_id);
	else
		anomaly_id(bank->spec.name, bank->source, bank->metric, bank->labels[i],
			   bank_first_of(bank, bank->lives[i].start), ret_id);
}

void bank_confirm(struct bank *bank, uint32_t i)
{
	/* Of slices born since its last period one of longer periods does not know. */
	if (i >= bank->slices)
		return;
	struct life *life = &bank->lives[i];
	const struct feedback_entry *entry = NULL;
	uint64_t id[2];

	bank->confirmed -= (uint32_t)life->confirmed;
	life->confirmed = 0;
	if (!bank->feedback || (life->status != LIFE_PENDING && life->status != LIFE_FIRING))
		return;
	open_id(bank, i, id);
	entry = feedback_of(bank->feedback, id);
	life->confirmed = entry && entry->said.verdict == FEEDBACK_YES;
	bank->confirmed += (uint32_t)life->confirmed;
}

void bank_feedback(struct bank *bank, struct feedback_list *list)
{
	resolutions_feedback(bank, list);
	bank->feedback = list;
	for (uint32_t i = 0; i < bank->slices; i++)
		bank_confirm(bank, i);
}
