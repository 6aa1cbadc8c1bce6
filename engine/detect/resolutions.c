/*
 * resolutions: the banks of a detector's longer periods. See resolutions.h.
 *
 * Idea:  a longer period is watched by a bank like any other, whose periods are sums of intervals.
 *        Each is fed with the sums of the next finer one that its periods are made of, so that
 *        most intervals are added up once. The alarm budget is the detector's: the longer periods
 *        have a tenth of it each, its own interval has the rest.
 *
 * Runs on: the shard that owns the metric. Allocates when slices are added and nowhere else.
 */
#include "detect/resolutions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/zone.h"
#include "detect/math.h"
#include "detect/severity.h"

#define DAY_MS INT64_C(86400000)
/* Of the detector's alarms by chance, what each of the longer periods may have. */
#define SHARE 0.1
/* It takes so long until one of them believes that an anomaly is over, at least. */
#define RECOVER_MS INT64_C(1800000)
#define RECOVER_PERIODS 2u

/* So many intervals of the bank's as periods, at least one where there is any. */
static uint32_t periods(const struct bank *bank, uint32_t intervals, int64_t frequency_ms)
{
	int64_t ms = intervals * bank->interval_ms;
	return (uint32_t)((ms + frequency_ms - 1) / frequency_ms);
}

static struct detector_spec spec_of(const struct bank *bank, int64_t frequency_ms)
{
	struct detector_spec spec = bank->spec;

	memset(spec.resolutions_ms, 0, sizeof(spec.resolutions_ms));
	spec.frequency_ms = frequency_ms;
	spec.for_intervals = periods(bank, spec.for_intervals, frequency_ms);
	spec.recover_intervals = periods(bank, spec.recover_intervals, frequency_ms);
	/* What is small is seen on and off. */
	uint32_t least = (uint32_t)((RECOVER_MS + frequency_ms - 1) / frequency_ms);
	least = least < RECOVER_PERIODS ? RECOVER_PERIODS : least;
	spec.recover_intervals = spec.recover_intervals < least ? least : spec.recover_intervals;
	spec.cooldown_intervals = periods(bank, spec.cooldown_intervals, frequency_ms);
	spec.learn_intervals = periods(bank, spec.learn_intervals, frequency_ms);
	return spec;
}

/* Is a period of `frequency_ms` made of such parts, by the clock of its place? */
static bool made_of(const struct bank *bank, int64_t frequency_ms, int64_t part_ms)
{
	if (frequency_ms % part_ms != 0)
		return false;
	return frequency_ms < DAY_MS || zone_granule_ms(bank->zone) % part_ms == 0;
}

static void choose_feeders(struct resolutions *resolutions)
{
	for (uint32_t rank = 1; rank < resolutions->ranks; rank++) {
		const struct bank *bank = resolutions->banks[rank];
		uint32_t feeder = rank - 1;

		while (feeder > 0 && !made_of(bank, bank->spec.frequency_ms,
					      resolutions->banks[feeder]->spec.frequency_ms))
			feeder--;
		resolutions->feeders[rank] = feeder;
	}
}

double resolutions_handicap(uint32_t rank, uint32_t ranks)
{
	double rest = 1 - SHARE * (ranks - 1);

	return severity_budget(0, 1 / (rank ? SHARE : rest));
}

static void share_budget(struct resolutions *resolutions)
{
	for (uint32_t rank = 0; rank < resolutions->ranks; rank++)
		resolutions->banks[rank]->handicap =
			resolutions_handicap(rank, resolutions->ranks);
}

static bool adds_up(enum aggregation aggregation)
{
	return aggregation != AGGREGATE_DISTINCT && aggregation != AGGREGATE_PERCENTILE;
}

static int add_bank(struct resolutions *resolutions, const struct bank *bank, int64_t frequency_ms)
{
	struct detector_spec spec = spec_of(bank, frequency_ms);
	struct bank *coarser = bank_create(&spec);

	if (!coarser)
		return -ENOMEM;
	coarser->whole = resolutions;
	coarser->rank = resolutions->ranks;
	resolutions->banks[resolutions->ranks++] = coarser;
	return 0;
}

static struct resolutions *create(struct bank *bank)
{
	struct resolutions *resolutions = calloc(1, sizeof(*resolutions));

	if (!resolutions)
		return NULL;
	resolutions->banks[resolutions->ranks++] = bank;
	bank->resolutions = resolutions;
	for (uint32_t i = 0; i < DETECTOR_RESOLUTIONS_MAX; i++) {
		int64_t frequency_ms = bank->spec.resolutions_ms[i];

		if (frequency_ms <= bank->interval_ms || frequency_ms % bank->interval_ms != 0)
			continue;
		if (add_bank(resolutions, bank, frequency_ms) < 0) {
			resolutions_free(bank);
			return NULL;
		}
	}
	choose_feeders(resolutions);
	share_budget(resolutions);
	resolutions_calendar(bank);
	resolutions_feedback(bank, bank->feedback);
	return resolutions;
}

int resolutions_make(struct bank *bank, enum aggregation aggregation)
{
	if (bank->resolutions || bank->spec.resolutions_ms[0] == 0 || !adds_up(aggregation))
		return 0;
	return create(bank) ? 0 : -ENOMEM;
}

void resolutions_free(struct bank *bank)
{
	struct resolutions *resolutions = bank->resolutions;

	if (!resolutions)
		return;
	for (uint32_t rank = 1; rank < resolutions->ranks; rank++)
		bank_destroy(resolutions->banks[rank]);
	free(resolutions->incidents);
	free(resolutions);
	bank->resolutions = NULL;
	bank->handicap = 0;
}

int resolutions_grow(struct resolutions *resolutions, uint32_t slices)
{
	if (slices > resolutions->capacity) {
		uint32_t capacity = resolutions->capacity ? resolutions->capacity : 16;

		while (capacity < slices)
			capacity *= 2;
		struct incident *incidents = realloc(resolutions->incidents,
						     capacity * sizeof(*incidents));
		if (!incidents)
			return -ENOMEM;
		resolutions->incidents = incidents;
		resolutions->capacity = capacity;
	}
	for (; resolutions->slices < slices; resolutions->slices++)
		incident_clear(&resolutions->incidents[resolutions->slices]);
	return 0;
}

int resolutions_zone(struct bank *bank)
{
	struct resolutions *resolutions = bank->resolutions;
	int result = 0;

	for (uint32_t rank = 1; resolutions && rank < resolutions->ranks && result == 0; rank++)
		result = bank_zone(resolutions->banks[rank], bank->zone);
	if (resolutions && result == 0)
		choose_feeders(resolutions);
	return result;
}

void resolutions_calendar(struct bank *bank)
{
	struct resolutions *resolutions = bank->resolutions;

	for (uint32_t rank = 1; resolutions && rank < resolutions->ranks; rank++)
		bank_calendar(resolutions->banks[rank], bank->occasion.calendar);
}

void resolutions_feedback(struct bank *bank, struct feedback_list *list)
{
	struct resolutions *resolutions = bank->resolutions;

	for (uint32_t rank = 1; resolutions && rank < resolutions->ranks; rank++)
		bank_feedback(resolutions->banks[rank], list);
}

/* The observations of a rank in this step: the intervals', or the sums of the period of its feeder
 * that has just ended, as of its last interval. NULL: it goes on. */
static const struct observations *feed(const struct resolutions *resolutions, uint32_t rank,
				       const struct observations *observations,
				       struct observations *sums, int64_t *ret_intervals,
				       int64_t *ret_incomplete)
{
	uint32_t feeder = resolutions->feeders[rank];
	const struct period *period = &resolutions->banks[feeder]->period;

	*ret_intervals = 1;
	*ret_incomplete = observations->flags & OBSERVATION_INCOMPLETE ? 1 : 0;
	if (feeder == 0)
		return observations;
	if (period->ended == 0)
		return NULL;
	*sums = period->observations;
	sums->interval = observations->interval;
	sums->interval_ms = observations->interval_ms;
	*ret_intervals = period->ended;
	*ret_incomplete = period->incomplete;
	return sums;
}

/* What the longest periods know of a year that this rank never saw. */
static void inherit(const struct resolutions *resolutions, uint32_t rank)
{
	struct bank *bank = resolutions->banks[rank];
	const struct bank *longest = resolutions->banks[resolutions->ranks - 1];

	if (!bank->inherits || !bank->ops->inherit || bank->slices < longest->slices)
		return;
	bank->inherits = !bank->ops->inherit(bank->state, longest->state, longest->slices);
}

int resolutions_step(struct resolutions *resolutions, const struct observations *observations,
		     bank_each *each, void *self)
{
	int result = 0;

	resolutions->each = each;
	resolutions->self = self;
	for (uint32_t rank = 0; rank < resolutions->ranks && result == 0; rank++) {
		struct bank *bank = resolutions->banks[rank];
		struct ear ear = {resolutions, rank};
		struct observations sums;
		int64_t intervals, incomplete;

		bank->period.ended = 0;
		if (bank->absorbed && observations->interval <= bank->absorbed_through)
			continue;
		const struct observations *fed = feed(resolutions, rank, observations, &sums,
						      &intervals, &incomplete);
		if (fed)
			result = bank_step_sums(bank, fed, intervals, incomplete, incident_hear,
						&ear);
		if (result == 0 && bank->inherits)
			inherit(resolutions, rank);
	}
	return result;
}

bool resolutions_absorb_any(const struct bank *bank, int64_t interval_ms, int64_t step_ms)
{
	/* A bank that has not seen an interval yet has none of its own: what it will have is in
	 * its specification. */
	for (uint32_t i = 0; i < DETECTOR_RESOLUTIONS_MAX; i++) {
		int64_t frequency_ms = bank->spec.resolutions_ms[i];
		if (frequency_ms > interval_ms && frequency_ms % interval_ms == 0 &&
		    made_of(bank, frequency_ms, step_ms))
			return true;
	}
	return false;
}

int resolutions_absorb(struct resolutions *resolutions, const struct observations *observations,
		       int64_t intervals, int64_t step_ms, int64_t incomplete, int64_t through)
{
	int result = 0;

	for (uint32_t rank = 1; rank < resolutions->ranks && result == 0; rank++) {
		struct bank *bank = resolutions->banks[rank];

		if (!made_of(bank, bank->spec.frequency_ms, step_ms))
			continue;
		bank->absorbed = true;
		bank->absorbed_through = through;
		result = bank_step_sums(bank, observations, intervals, incomplete, bank_unheard,
					NULL);
	}
	/* The longest of them has had all of it, if any has. */
	bool all = resolutions->banks[resolutions->ranks - 1]->absorbed;
	for (uint32_t rank = 0; rank < resolutions->ranks && result == 0; rank++)
		resolutions->banks[rank]->inherits = all && !resolutions->banks[rank]->absorbed;
	return result;
}

void resolutions_end(struct resolutions *resolutions, int64_t interval, bank_each *each, void *self)
{
	resolutions->each = each;
	resolutions->self = self;
	for (uint32_t rank = 0; rank < resolutions->ranks; rank++) {
		struct ear ear = {resolutions, rank};
		bank_end_own(resolutions->banks[rank], interval, incident_hear, &ear);
	}
}

uint64_t resolutions_bytes(const struct bank *bank)
{
	const struct resolutions *resolutions = bank->resolutions;
	uint64_t bytes = 0;

	if (!resolutions)
		return 0;
	for (uint32_t rank = 1; rank < resolutions->ranks; rank++)
		bytes += bank_bytes(resolutions->banks[rank]);
	return bytes + sizeof(*resolutions) + resolutions->capacity * sizeof(struct incident);
}

void resolutions_save(const struct bank *bank, struct bytes *out)
{
	const struct resolutions *resolutions = bank->resolutions;

	bytes_put_u32(out, resolutions ? resolutions->ranks : 0);
	for (uint32_t rank = 1; resolutions && rank < resolutions->ranks; rank++)
		bank_save(resolutions->banks[rank], out);
	for (uint32_t i = 0; resolutions && i < bank->slices; i++)
		incident_save(resolutions, i, out);
}

int resolutions_load(struct bank *bank, struct bytes_reader *in)
{
	uint32_t ranks = bytes_get_u32(in);

	if (in->failed || ranks > RANKS_MAX)
		return -EPROTO;
	if (ranks == 0)
		return 0;
	if (bank->spec.resolutions_ms[0] == 0 || bank->interval_ms == 0)
		return -EPROTO;
	struct resolutions *resolutions = create(bank);
	if (!resolutions)
		return -ENOMEM;
	int result = ranks == resolutions->ranks ? 0 : -EPROTO;
	for (uint32_t rank = 1; rank < ranks && result == 0; rank++) {
		const struct bank *coarser = resolutions->banks[rank];

		result = bank_load(resolutions->banks[rank], in);
		/* Of slices born since its feeder's last period it does not know. */
		bool other = coarser->interval_ms != 0 && coarser->interval_ms != bank->interval_ms;
		if (result == 0 && (other || coarser->slices > bank->slices))
			result = -EPROTO;
	}
	if (result == 0)
		result = resolutions_grow(resolutions, bank->slices);
	for (uint32_t i = 0; i < bank->slices && result == 0; i++)
		result = incident_load(resolutions, i, in);
	return result;
}
