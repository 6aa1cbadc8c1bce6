/*
 * explain: the scan. See explain.h.
 *
 * Counts and sums are counted in lumps of the variance over the mean that slices have which are no
 * part of each other: what scatters in common does not tell them apart. Shares of a denominator
 * are as many lumps as their numerators. Of means the squared distance between slice and rest over
 * twice its variance takes the place of the likelihood ratio; of extremes, which have no rest, that
 * from what was expected.
 */
#include "detect/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "detect/likelihood.h"
#include "detect/math.h"
#include "detect/values.h"

/* Nats that an explanation has to have, beyond what it pays; and a second slice, beyond the first,
 * and this part of what the first has: of much evidence some is the forecast's error. */
#define EVIDENCE_MIN 2.0
#define SECOND_MIN 4.0
#define SECOND_PART 0.05
/* The stretch by which lumps are measured. */
#define LUMP_STRETCH 4

/* What a slice had in each stretch. */
static void look(const struct explain *explain, uint32_t slice, struct recent ret[DETECTOR_RECENT])
{
	const struct diagnosis *sums = explain->diagnosis;

	if (explain->ops->recent) {
		explain->ops->recent(explain->state, slice, ret);
		return;
	}
	ret[0] = (struct recent){sums->observed[slice], sums->expected[slice],
				 sums->variance[slice], sums->weight[slice]};
}

/* Its roll-up; the total's number for one too many. */
static uint32_t rollup_of(const struct explain *explain, uint32_t slice)
{
	uint32_t rollup = explain->observations->slices[slice].rollup;

	return rollup < EXPLAIN_ROLLUPS ? rollup : 0;
}

static bool is_lumps(const struct explain *explain)
{
	enum aggregation aggregation = explain->observations->aggregation;

	return value_adds(aggregation) || aggregation == AGGREGATE_RATIO;
}

/* How many events come together: the least of all roll-ups, since what scatters in common is not
 * what tells slices apart. */
static double lump_of(const struct explain_sums *sums)
{
	uint32_t k = sums->count > LUMP_STRETCH ? LUMP_STRETCH : 0;
	double least = 0;

	for (uint32_t r = 0; r < EXPLAIN_ROLLUPS; r++) {
		const struct recent *one = &sums->rollup[r][k];
		double lump = one->variance / math_max(fabs(one->expected), 1e-300);
		if (sums->slices[r] == 0 || !(lump > 0) || !(fabs(one->expected) > 0))
			continue;
		if (least == 0 || lump < least)
			least = lump;
	}
	return least > 0 ? least : 1;
}

static void sum_rollups(const struct explain *explain, struct explain_sums *sums)
{
	struct recent own[DETECTOR_RECENT];

	memset(sums, 0, sizeof(*sums));
	sums->count = 1;
	sums->lengths[0] = 1;
	if (explain->ops->recent_lengths)
		sums->count = explain->ops->recent_lengths(explain->state, sums->lengths);
	for (uint32_t i = 0; i < explain->observations->count; i++) {
		uint32_t rollup = rollup_of(explain, i);
		look(explain, i, own);
		sums->slices[rollup]++;
		for (uint32_t k = 0; k < sums->count; k++) {
			struct recent *sum = &sums->rollup[rollup][k];
			sum->observed += own[k].observed;
			sum->expected += own[k].expected;
			sum->variance += own[k].variance;
			sum->weight += own[k].weight;
		}
	}
	sums->lump = is_lumps(explain) ? lump_of(sums) : 1;
}

/* One or two parts of a whole, each further off in the direction than the rest. */
static double evidence_lumps(const struct recent *const *parts, int count,
			     const struct recent *whole, double lump, int direction)
{
	double sign = (whole->expected < 0 ? -1 : 1) / lump;
	double x[2] = {0}, m[2] = {0};
	double rest_x = sign * whole->observed, rest_m = sign * whole->expected;

	for (int i = 0; i < count; i++) {
		x[i] = math_max(sign * parts[i]->observed, 0);
		m[i] = math_max(sign * parts[i]->expected, 0);
		rest_x -= x[i];
		rest_m -= m[i];
	}
	for (int i = 0; i < count; i++) {
		bool off = direction * (parts[i]->observed - parts[i]->expected) > 0;
		if (!off || sign * direction * (x[i] * rest_m - rest_x * m[i]) <= 0)
			return 0;
	}
	int known = m[0] <= 0 ? 0 : m[1] <= 0 ? 1 : 2;
	return likelihood_gain(known, x, m, sign * whole->observed, sign * whole->expected);
}

static double evidence_mean(const struct recent *one, const struct recent *whole, int direction)
{
	double off = direction * (one->observed - one->expected);
	double rest = whole->weight - one->weight;

	if (!(one->weight > 0) || rest < LIKELIHOOD_REST_MIN * one->weight)
		return 0;
	double other = direction * (whole->observed - whole->expected) - off;
	double gap = off / one->weight - other / rest;
	double variance = one->variance / (one->weight * one->weight) +
			  (whole->variance - one->variance) / (rest * rest);
	return gap > 0 && variance > 0 ? 0.5 * gap * gap / variance : 0;
}

/* How much likelier is it that this slice is off by itself? In the direction, else 0. */
static double evidence(const struct explain *explain, const struct recent *one,
		       const struct recent *whole, double lump, int direction)
{
	double off = direction * (one->observed - one->expected);

	if (is_lumps(explain))
		return evidence_lumps(&one, 1, whole, lump, direction);
	if (!(off > 0))
		return 0;
	if (explain->observations->aggregation == AGGREGATE_MEAN)
		return evidence_mean(one, whole, direction);
	return one->variance > 0 ? 0.5 * off * off / one->variance : 0;
}

/* The best of the first `count` stretches of a slice. */
static double scan_slice(const struct explain *explain, const struct explain_sums *sums,
			 uint32_t slice, int direction, uint32_t count, uint32_t *ret_stretch)
{
	const struct recent *whole = sums->rollup[rollup_of(explain, slice)];
	struct recent own[DETECTOR_RECENT];
	double best = 0;

	look(explain, slice, own);
	for (uint32_t k = 0; k < count; k++) {
		double one = evidence(explain, &own[k], &whole[k], sums->lump, direction);
		if (one > best) {
			best = one;
			*ret_stretch = k;
		}
	}
	return best;
}

/* Keep the list in order and short. */
static void insert(struct explain_list *list, uint32_t slice, double evidence)
{
	uint32_t at = list->count;

	while (at > 0 && evidence > list->best[at - 1].evidence)
		at--;
	if (at == EXPLAIN_CANDIDATES)
		return;
	uint32_t last = list->count < EXPLAIN_CANDIDATES ? list->count : list->count - 1;
	memmove(&list->best[at + 1], &list->best[at], (last - at) * sizeof(list->best[0]));
	list->best[at].slice = slice;
	list->best[at].evidence = evidence;
	list->count = last + 1;
}

/* What an explanation pays for being one of so many of its kind. */
static double price(const struct explain *explain, const struct explain_sums *sums, uint32_t slice)
{
	return math_log(sums->slices[rollup_of(explain, slice)]);
}

/* A slice into the lists, of each the best of the stretches that it looks at. */
static void scan_into(const struct explain *explain, struct explain_scan *scan, uint32_t slice,
		      int direction)
{
	const struct explain_sums *sums = &scan->sums;
	const struct recent *whole = sums->rollup[rollup_of(explain, slice)];
	double pays = price(explain, sums, slice), best = 0;
	struct recent own[DETECTOR_RECENT];

	look(explain, slice, own);
	for (uint32_t k = 0; k < sums->count; k++) {
		uint32_t less = sums->count - 1 - k;
		double one = evidence(explain, &own[k], &whole[k], sums->lump, direction);

		best = math_max(best, one);
		if (best > 0 && less < EXPLAIN_REACHES)
			insert(&scan->list[direction > 0][less], slice, best - pays);
	}
}

static void scan_all(const struct explain *explain, struct explain_scan *scan, int direction)
{
	const struct observations *observations = explain->observations;

	scan->known[direction > 0] = true;
	for (uint32_t i = 0; i < EXPLAIN_REACHES; i++) {
		scan->list[direction > 0][i].count = 0;
		scan->list[direction > 0][i].paired = false;
	}
	for (uint32_t i = 0; i < observations->count; i++)
		if (observations->slices[i].dimensions > 0)
			scan_into(explain, scan, i, direction);
}

/* Of a dimension, its value in the slice; NULL: any. */
static const char *value_in(const struct slice *slice, const char *name)
{
	for (uint32_t d = 0; d < slice->dimensions; d++)
		if (strcmp(slice->names[d], name) == 0)
			return slice->values[d];
	return NULL;
}

/* Have two slices events in common? Not if a dimension of both differs. */
static bool overlaps(const struct slice *a, const struct slice *b)
{
	for (uint32_t d = 0; d < a->dimensions; d++) {
		const char *other = value_in(b, a->names[d]);
		if (other && strcmp(other, a->values[d]) != 0)
			return false;
	}
	return true;
}

/* One slice, or two that have nothing in common. */
struct found {
	uint32_t slice[2];
	uint32_t stretch;
	double evidence; /* less what they have to pay */
};

struct search {
	const struct explain *explain;
	const struct explain_sums *sums;
	struct explain_list *list;
	uint32_t count; /* stretches that it looks at */
	int direction;
};

/* What the better one of pairs has by itself, against the rest of a roll-up: asked for by all of
 * its pairs, most of which have the same. */
struct alone {
	const struct recent *whole; /* NULL: not asked yet */
	double evidence;
};

static double evidence_alone(const struct search *search, const struct recent *own,
			     const struct recent *whole, struct alone *alone)
{
	if (alone->whole == whole)
		return alone->evidence;
	*alone = (struct alone){.whole = whole};
	for (uint32_t k = 0; k < search->count; k++) {
		const struct recent *part = &own[k];
		double one = evidence_lumps(&part, 1, &whole[k], search->sums->lump,
					    search->direction);
		alone->evidence = math_max(alone->evidence, one);
	}
	return alone->evidence;
}

/* The two at once, a the better one: what b adds to it, against the rest of the finer one's
 * roll-up, both times: forecasts of two roll-ups are not quite the same. */
static double search_pair(const struct search *search, uint32_t a, uint32_t b,
			  const struct recent own[EXPLAIN_PAIRED][DETECTOR_RECENT],
			  struct alone *alone, uint8_t *ret_stretch)
{
	const struct explain *explain = search->explain;
	const struct explain_sums *sums = search->sums;
	const struct slice *slices = explain->observations->slices;
	uint32_t one = search->list->best[a].slice, other = search->list->best[b].slice;
	uint32_t finer = slices[one].dimensions > slices[other].dimensions ? one : other;
	const struct recent *whole = sums->rollup[rollup_of(explain, finer)];
	double most = 0;

	if (overlaps(&slices[one], &slices[other]))
		return 0;
	for (uint32_t k = 0; k < search->count; k++) {
		const struct recent *parts[2] = {&own[a][k], &own[b][k]};
		double both = evidence_lumps(parts, 2, &whole[k], sums->lump, search->direction);
		if (both > most) {
			most = both;
			*ret_stretch = (uint8_t)k;
		}
	}
	if (!(most > 0))
		return 0;
	double evidence = search->list->best[a].evidence + most -
			  evidence_alone(search, own[a], whole, alone) -
			  price(explain, sums, other);
	return math_max(evidence, 0);
}

static uint32_t paired(const struct explain_list *list)
{
	return list->count < EXPLAIN_PAIRED ? list->count : EXPLAIN_PAIRED;
}

/* All pairs: what they say is the same for whoever asks in this step. */
static void pair_all(struct search *search)
{
	struct explain_list *list = search->list;
	struct recent own[EXPLAIN_PAIRED][DETECTOR_RECENT];
	uint32_t count = paired(list), at = 0;

	for (uint32_t i = 0; i < count; i++)
		look(search->explain, list->best[i].slice, own[i]);
	for (uint32_t a = 0; a < count; a++) {
		struct alone alone = {0};
		for (uint32_t b = a + 1; b < count; b++, at++)
			list->evidence[at] = search_pair(search, a, b, own, &alone,
							 &list->stretch[at]);
	}
	list->paired = true;
}

static struct found search_pairs(struct search *search, const struct slice *of)
{
	const struct slice *slices = search->explain->observations->slices;
	const struct explain_list *list = search->list;
	uint32_t count = paired(list), at = 0;
	struct found best = {.evidence = 0};

	if (!list->paired)
		pair_all(search);
	for (uint32_t a = 0; a < count; a++) {
		uint32_t one = list->best[a].slice;
		for (uint32_t b = a + 1; b < count; b++, at++) {
			uint32_t other = list->best[b].slice;
			if (list->evidence[at] > best.evidence &&
			    (overlaps(&slices[one], of) || overlaps(&slices[other], of)))
				best = (struct found){
					{one, other}, list->stretch[at], list->evidence[at]};
		}
	}
	return best;
}

/* By how much a slice is off in the direction. */
static double off_of(const struct search *search, const struct recent *of)
{
	return math_max(search->direction * (of->observed - of->expected), 0);
}

/* with: what the other one is off by. */
static void tell(const struct search *search, uint32_t slice, uint32_t stretch, double with,
		 struct explanation *ret)
{
	const struct explain *explain = search->explain;
	const struct observations *observations = explain->observations;
	const struct recent *whole = &search->sums->rollup[rollup_of(explain, slice)][stretch];
	bool sums = value_adds(observations->aggregation) && explain->ops->recent;
	double value = value_of(observations, slice);
	struct recent own[DETECTOR_RECENT];

	look(explain, slice, own);
	double off = off_of(search, &own[stretch]);
	double all = off_of(search, whole);
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->slice, sizeof(ret->slice), "%s", observations->slices[slice].label);
	/* What went the other way elsewhere does not make it more than all. */
	ret->share = off > 0 ? off / math_max(off + with, all) : 0;
	ret->observed = sums ? own[stretch].observed : isfinite(value) ? value : 0;
	ret->expected = sums ? own[stretch].expected : explain->verdicts->expected[slice];
	ret->since = observations->interval + 1 - (sums ? search->sums->lengths[stretch] : 1);
}

static uint32_t tell_pair(const struct search *search, const struct found *pair, double single,
			  struct explanation ret[ANOMALY_EXPLANATIONS_MAX])
{
	struct recent own[2][DETECTOR_RECENT];

	for (int i = 0; i < 2; i++)
		look(search->explain, pair->slice[i], own[i]);
	for (int i = 0; i < 2; i++) {
		const struct recent *other = &own[1 - i][pair->stretch];
		tell(search, pair->slice[i], pair->stretch, off_of(search, other), &ret[i]);
	}
	ret[0].evidence = pair->evidence;
	ret[1].evidence = pair->evidence - single;
	return 2;
}

void explain_forget(struct explain_scan *scan)
{
	scan->sums.count = 0;
	scan->known[0] = scan->known[1] = false;
}

/* Of so many of the longest stretches nothing is asked. */
static uint32_t longer_than(const struct explain_sums *sums, uint32_t longest)
{
	uint32_t less = 0;

	while (less + 1 < sums->count && less + 1 < EXPLAIN_REACHES &&
	       sums->lengths[sums->count - 1 - less] > longest)
		less++;
	return less;
}

uint32_t explain(const struct explain *explain, struct explain_scan *scan, uint32_t slice,
		 int direction, uint32_t longest, struct explanation ret[ANOMALY_EXPLANATIONS_MAX])
{
	const struct slice *slices = explain->observations->slices;
	uint32_t at = 0;

	if (scan->sums.count == 0)
		sum_rollups(explain, &scan->sums);
	if (!scan->known[direction > 0])
		scan_all(explain, scan, direction);
	uint32_t less = longer_than(&scan->sums, longest);
	struct explain_list *list = &scan->list[direction > 0][less];
	struct search search = {
		.explain = explain,
		.sums = &scan->sums,
		.list = list,
		.count = scan->sums.count - less,
		.direction = direction,
	};
	while (at < list->count && !overlaps(&slices[list->best[at].slice], &slices[slice]))
		at++;
	if (at == list->count || list->best[at].evidence < EVIDENCE_MIN)
		return 0;
	uint32_t best = list->best[at].slice;
	double single = list->best[at].evidence;
	if (is_lumps(explain)) {
		struct found pair = search_pairs(&search, &slices[slice]);
		if (pair.evidence > single + SECOND_MIN + SECOND_PART * single)
			return tell_pair(&search, &pair, single, ret);
	}
	uint32_t stretch = 0;
	scan_slice(explain, &scan->sums, best, direction, search.count, &stretch);
	tell(&search, best, stretch, 0, &ret[0]);
	ret[0].evidence = single;
	return 1;
}
