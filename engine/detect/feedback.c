/*
 * feedback: see feedback.h.
 */
#include "detect/feedback.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detect/anomaly.h"
#include "detect/math.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define WEEK_MS (7 * DAY_MS)
/* By this much the threshold moves, in raw severity: 12.5 are a decade of chance. */
#define RAISE 3.75
#define RAISE_SIBLING 1.25
#define LOWER 1.25
#define HALF_LIFE_DAYS 90.0
/* The same time of the week: so much more or less. */
#define AROUND_MS (2 * HOUR_MS)
/* A pattern that has not been dismissed again for so long is none any more. */
#define PATTERN_MS (26 * WEEK_MS)
/* A run that began in time may last so many times as long as what was dismissed. */
#define LONGER 3
/* What came back once may come back with so much of what went the other way before. */
#define REBOUND 0.5
/* A scale counts when what was dismissed was so many standard deviations of its mean. */
#define BEYOND_CHANCE 4.0
/* And a mean over it when the run has lasted about half as long. */
#define LASTED 0.39
/* Of what was confirmed: nothing above this is a look-alike of what had been dismissed. */
#define BELOW_CONFIRMED 0.85
/* Half-way from what was dismissed to nothing at all: an outage is found. Not where what was
 * dismissed is one. */
#define NEARLY_ALL 0.9
/* What is usual may have grown since. */
#define GROWTH_MAX 2.0
/* Times have 42 bits, in milliseconds. */
#define TIME_MAX_MS (INT64_C(1) << 42)

const double feedback_scales[FEEDBACK_SCALES] = {1, 8, 64};

void feedback_measure(struct feedback_run *run, double deviation)
{
	run->most[0] = math_max(run->most[0], deviation);
	for (unsigned s = 1; s < FEEDBACK_SCALES; s++) {
		double gain = 1 / feedback_scales[s];
		double *mean = &run->mean[s - 1], *weight = &run->weight[s - 1];

		*mean += gain * (deviation - *mean);
		*weight += gain * (1 - *weight);
		if (*weight >= LASTED)
			run->most[s] = math_max(run->most[s], *mean / *weight);
	}
}

void feedback_turn(struct feedback_run *run)
{
	for (unsigned s = 1; s < FEEDBACK_SCALES; s++)
		run->mean[s - 1] = run->weight[s - 1] = 0;
}

bool feedback_run_possible(const struct feedback_run *run)
{
	bool possible = isfinite(run->most[0]);

	for (unsigned s = 1; s < FEEDBACK_SCALES; s++)
		possible = possible && isfinite(run->most[s]) && isfinite(run->mean[s - 1]) &&
			   run->weight[s - 1] >= 0 && run->weight[s - 1] <= 1;
	return possible;
}

struct feedback_list *feedback_create(void)
{
	return calloc(1, sizeof(struct feedback_list));
}

void feedback_destroy(struct feedback_list *list)
{
	for (uint32_t i = 0; list && i < list->count; i++)
		free(list->entry[i].slice);
	free(list);
}

static bool same_anomaly(const struct feedback_entry *a, const uint64_t id[2])
{
	return a->id[0] == id[0] && a->id[1] == id[1];
}

/* The last that was said of each. */
static void put_in_force(struct feedback_list *list)
{
	for (uint32_t i = 0; i < list->count; i++) {
		struct feedback_entry *entry = &list->entry[i];
		entry->in_force = true;
		for (uint32_t later = i + 1; later < list->count; later++)
			if (same_anomaly(&list->entry[later], entry->id))
				entry->in_force = false;
	}
}

static void take_out(struct feedback_list *list, uint32_t at)
{
	free(list->entry[at].slice);
	list->count--;
	memmove(&list->entry[at], &list->entry[at + 1],
		(list->count - at) * sizeof(list->entry[0]));
}

int feedback_add(struct feedback_list *list, uint64_t number, const uint64_t id[2],
		 const char *slice, const struct feedback_said *said)
{
	char *copy = strdup(slice);

	if (!copy)
		return -ENOMEM;
	if (list->count == FEEDBACK_MAX)
		take_out(list, 0);
	list->entry[list->count++] = (struct feedback_entry){
		.number = number,
		.id = {id[0], id[1]},
		.slice = copy,
		.said = *said,
	};
	put_in_force(list);
	return 0;
}

bool feedback_undo(struct feedback_list *list, uint64_t number)
{
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->entry[i].number != number)
			continue;
		take_out(list, i);
		put_in_force(list);
		return true;
	}
	return false;
}

const struct feedback_entry *feedback_of(const struct feedback_list *list, const uint64_t id[2])
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->entry[i].in_force && same_anomaly(&list->entry[i], id))
			return &list->entry[i];
	return NULL;
}

/* Labels of the same dimensions: "country=DE" and "country=FR". */
static bool siblings(const char *a, const char *b)
{
	while (*a && *b) {
		size_t name = strcspn(a, "=");

		if (strncmp(a, b, name + 1) != 0)
			return false;
		a += strcspn(a, ",");
		b += strcspn(b, ",");
		if (*a != *b)
			return false;
		a += *a != '\0';
		b += *b != '\0';
	}
	return *a == *b;
}

static double fading(const struct feedback_entry *entry, int64_t now_ms)
{
	double days = (double)(now_ms - entry->said.end_ms) / (double)DAY_MS;

	return math_exp(-0.69314718055994531 / HALF_LIFE_DAYS * math_max(days, 0));
}

double feedback_raise(const struct feedback_list *list, const struct feedback_case *of,
		      uint64_t without)
{
	double raise = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct feedback_entry *entry = &list->entry[i];
		enum feedback_verdict verdict = entry->said.verdict;

		if (!entry->in_force || entry->number == without || verdict == FEEDBACK_UNSURE ||
		    entry->said.direction != of->direction)
			continue;
		bool same = strcmp(entry->slice, of->slice) == 0;
		if (verdict == FEEDBACK_YES)
			raise -= same ? LOWER * fading(entry, of->until_ms) : 0;
		else if (same || siblings(entry->slice, of->slice))
			raise += (same ? RAISE : RAISE_SIBLING) * fading(entry, of->until_ms);
	}
	return math_clamp(raise, -FEEDBACK_LOWER_MAX, FEEDBACK_RAISE_MAX);
}

/* From the first to the second time, in the circle of a week. */
static int64_t ahead(int64_t from_ms, int64_t to_ms)
{
	return ((to_ms - from_ms) % WEEK_MS + WEEK_MS) % WEEK_MS;
}

/* Do two spans of time meet, in the circle of a week? */
static bool meet(int64_t from_ms, int64_t until_ms, int64_t other_from_ms, int64_t other_until_ms)
{
	return ahead(other_from_ms, from_ms) < other_until_ms - other_from_ms ||
	       ahead(from_ms, other_from_ms) < until_ms - from_ms;
}

/* Is it of the time of the week of which the entry speaks? A run that began then still is. */
static bool in_time(const struct feedback_entry *entry, const struct feedback_case *of)
{
	const struct feedback_said *said = &entry->said;
	int64_t from_ms = said->start_ms - AROUND_MS, until_ms = said->end_ms + AROUND_MS;
	int64_t length_ms = said->end_ms - said->start_ms;

	if (of->until_ms - said->end_ms > PATTERN_MS)
		return false;
	if (meet(of->from_ms, of->until_ms, from_ms, until_ms))
		return true;
	return meet(of->since_ms, of->since_ms + 1, from_ms, until_ms) &&
	       of->until_ms - of->since_ms <= LONGER * length_ms + AROUND_MS;
}

/* What the entry says of a deviation's mean over a scale of the case's intervals; 0: nothing, they
 * are too short. */
static double size_of(const struct feedback_said *said, const struct feedback_case *of, unsigned s)
{
	double period_ms = (double)(of->until_ms - of->from_ms);
	double said_ms = (double)said->period_ms,
	       length_ms = (double)(said->end_ms - said->start_ms);
	const double *sizes = of->direction == said->direction ? said->size : said->rebound;
	double over_ms = 1.5 * feedback_scales[s] * period_ms;
	unsigned at = FEEDBACK_SCALES;

	for (unsigned i = 0; i < FEEDBACK_SCALES; i++)
		if (sizes[i] > 0 && feedback_scales[i] * said_ms <= over_ms)
			at = i;
	if (at == FEEDBACK_SCALES)
		return 0;
	double whole = sizes == said->rebound ? math_max(sizes[at], REBOUND * said->size[at])
					      : sizes[at];
	double size = whole * (of->adds ? period_ms / said_ms : 1);
	/* A longer period is only in part what was dismissed. */
	if (period_ms > said_ms)
		size *= math_min(1, length_ms / period_ms);
	double then = said->usual * (of->adds ? period_ms / said_ms : 1);
	bool grown = then > 0 && of->usual > then;
	return size * (grown ? math_min(of->usual / then, GROWTH_MAX) : 1);
}

static double limit_of(const struct feedback_case *of, double size, unsigned times)
{
	double limit = size * (times >= 3 ? 1.4 : times == 2 ? 1.3 : 1.2);

	if (of->adds && of->direction < 0 && of->usual > 0 && size < NEARLY_ALL * of->usual)
		limit = math_min(limit, 0.5 * (size + of->usual));
	return limit;
}

/* What was dismissed at this time of the week, as the largest sizes and how often; bounded by what
 * was confirmed since. false: nothing was. */
static bool limits_of(const struct feedback_list *list, const struct feedback_case *of,
		      double ret_sizes[FEEDBACK_SCALES], double ret_limits[FEEDBACK_SCALES])
{
	double confirmed[FEEDBACK_SCALES] = {INFINITY, INFINITY, INFINITY};
	unsigned times = 0;

	for (unsigned s = 0; s < FEEDBACK_SCALES; s++)
		ret_sizes[s] = 0;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct feedback_entry *entry = &list->entry[i];
		bool no = entry->said.verdict == FEEDBACK_NO;

		if (!entry->in_force || entry->said.verdict == FEEDBACK_UNSURE ||
		    strcmp(entry->slice, of->slice) != 0 || !in_time(entry, of))
			continue;
		times += no;
		for (unsigned s = 0; s < FEEDBACK_SCALES; s++) {
			double size = size_of(&entry->said, of, s);
			if (no)
				ret_sizes[s] = math_max(ret_sizes[s], size);
			if (no)
				confirmed[s] = INFINITY;
			else if (size > 0)
				confirmed[s] = math_min(confirmed[s], BELOW_CONFIRMED * size);
		}
	}
	for (unsigned s = 0; s < FEEDBACK_SCALES; s++)
		ret_limits[s] = math_min(limit_of(of, ret_sizes[s], times), confirmed[s]);
	return times > 0;
}

bool feedback_alike(const struct feedback_list *list, const struct feedback_case *of,
		    const struct feedback_run *run)
{
	double sizes[FEEDBACK_SCALES], limits[FEEDBACK_SCALES];
	unsigned clear = 0, best = FEEDBACK_SCALES;

	if (!limits_of(list, of, sizes, limits))
		return false;
	for (unsigned s = 0; s < FEEDBACK_SCALES; s++) {
		double chance = of->deviation / sqrt(2 * feedback_scales[s] - 1);
		if (sizes[s] <= 0)
			continue;
		best = s;
		if (sizes[s] < BEYOND_CHANCE * chance)
			continue;
		clear++;
		if (run->most[s] > limits[s])
			return false;
	}
	return clear > 0 || (best < FEEDBACK_SCALES && run->most[best] <= limits[best]);
}

void feedback_suppressed(struct feedback_list *list, const struct feedback_case *of)
{
	struct feedback_entry *found = NULL;

	for (uint32_t i = list->count; i > 0; i--) {
		struct feedback_entry *entry = &list->entry[i - 1];

		if (!entry->in_force || entry->said.verdict != FEEDBACK_NO)
			continue;
		bool same = strcmp(entry->slice, of->slice) == 0;
		if (!found && entry->said.direction == of->direction &&
		    (same || siblings(entry->slice, of->slice)))
			found = entry;
		if (same && in_time(entry, of)) {
			found = entry;
			break;
		}
	}
	/* Several resolutions see it: the one that was spoken of counts. */
	int64_t period_ms = of->until_ms - of->from_ms;
	if (!found || found->said.period_ms >= 2 * period_ms ||
	    period_ms >= 2 * found->said.period_ms)
		return;
	/* Longer periods see it once more, a little later. */
	if (!found->suppressed || of->from_ms > found->suppressed_ms + AROUND_MS)
		found->suppressed++;
	if (of->until_ms > found->suppressed_ms)
		found->suppressed_ms = of->until_ms;
}

void feedback_save(const struct feedback_list *list, struct bytes *out)
{
	bytes_put_u32(out, list->count);
	for (uint32_t i = 0; i < list->count; i++) {
		const struct feedback_entry *entry = &list->entry[i];
		const struct feedback_said *said = &entry->said;

		bytes_put_u64(out, entry->number);
		bytes_put_u64(out, entry->id[0]);
		bytes_put_u64(out, entry->id[1]);
		bytes_put_text(out, entry->slice);
		bytes_put_u32(out, (uint32_t)said->verdict);
		bytes_put_u32(out, said->direction > 0);
		bytes_put_u64(out, (uint64_t)said->start_ms);
		bytes_put_u64(out, (uint64_t)said->end_ms);
		bytes_put_u64(out, (uint64_t)said->period_ms);
		bytes_put_f64(out, said->severity_peak);
		bytes_put_f64(out, said->usual);
		for (unsigned s = 0; s < FEEDBACK_SCALES; s++)
			bytes_put_f64(out, said->size[s]);
		for (unsigned s = 0; s < FEEDBACK_SCALES; s++)
			bytes_put_f64(out, said->rebound[s]);
		bytes_put_u64(out, entry->suppressed);
		bytes_put_u64(out, (uint64_t)entry->suppressed_ms);
	}
}

static bool possible_time(int64_t ms)
{
	return ms >= -TIME_MAX_MS && ms <= TIME_MAX_MS;
}

bool feedback_possible(const struct feedback_said *said)
{
	bool possible = said->verdict >= FEEDBACK_NO && said->verdict < FEEDBACK_VERDICTS &&
			(said->direction == 1 || said->direction == -1) &&
			possible_time(said->start_ms) && possible_time(said->end_ms) &&
			said->end_ms > said->start_ms && said->period_ms > 0 &&
			possible_time(said->period_ms) && isfinite(said->severity_peak) &&
			isfinite(said->usual);

	for (unsigned s = 0; s < FEEDBACK_SCALES; s++)
		possible = possible && isfinite(said->size[s]) && said->size[s] >= 0 &&
			   isfinite(said->rebound[s]) && said->rebound[s] >= 0;
	return possible;
}

static int load_entry(struct feedback_entry *entry, struct bytes_reader *in)
{
	struct feedback_said *said = &entry->said;
	char slice[ANOMALY_LABEL_BYTES];

	*entry = (struct feedback_entry){.number = bytes_get_u64(in)};
	entry->id[0] = bytes_get_u64(in);
	entry->id[1] = bytes_get_u64(in);
	bytes_get_text(in, slice, sizeof(slice));
	said->verdict = (enum feedback_verdict)bytes_get_u32(in);
	said->direction = bytes_get_u32(in) ? 1 : -1;
	said->start_ms = (int64_t)bytes_get_u64(in);
	said->end_ms = (int64_t)bytes_get_u64(in);
	said->period_ms = (int64_t)bytes_get_u64(in);
	said->severity_peak = bytes_get_f64(in);
	said->usual = bytes_get_f64(in);
	for (unsigned s = 0; s < FEEDBACK_SCALES; s++)
		said->size[s] = bytes_get_f64(in);
	for (unsigned s = 0; s < FEEDBACK_SCALES; s++)
		said->rebound[s] = bytes_get_f64(in);
	entry->suppressed = bytes_get_u64(in);
	entry->suppressed_ms = (int64_t)bytes_get_u64(in);
	if (in->failed || !feedback_possible(said) || !possible_time(entry->suppressed_ms))
		return -EPROTO;
	entry->slice = strdup(slice);
	return entry->slice ? 0 : -ENOMEM;
}

int feedback_load(struct feedback_list *list, struct bytes_reader *in)
{
	uint32_t count = bytes_get_u32(in);
	int error = 0;

	if (in->failed || count > FEEDBACK_MAX)
		return -EPROTO;
	while (list->count < count && !error) {
		error = load_entry(&list->entry[list->count], in);
		list->count += !error;
	}
	put_in_force(list);
	return error;
}
