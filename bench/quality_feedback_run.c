/*
 * quality_feedback_run: weeks of a shop, what is said of its anomalies, and what is found then. See
 * quality_feedback.h.
 *
 * Idea:  one detector with its resolutions lives through all weeks and is told what is dismissed.
 *        To try what would happen, it is copied by its checkpoint, with what was said and without,
 *        and both see the same.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detect/bank.h"
#include "detect/feedback.h"
#include "detect/math.h"
#include "detect/scoring.h"
#include "quality_feedback.h"
#include "random.h"

#define MINUTE_MS INT64_C(60000)
#define DAY 1440
#define WEEK (7 * DAY)
#define WARM_WEEKS 5
#define DISMISSED 3
/* Weeks in which it happens. */
#define WEEKS FEEDBACK_RUN_WEEKS
/* Of its usual size, at most and at least. */
#define LARGEST 1.1
#define SMALLEST 0.9
/* Intervals behind the end of what happens in which an alarm is of it. */
#define TAIL 120

/* One metric of one slice, in intervals of a minute. */
struct shop {
	double value;
	struct slice slice;
	struct observations observations;
};

static struct random dice;
static double slow; /* how the shop does just now, beside what is usual */
static struct feedback_sums sum;
static feedback_failed *failed;

/* What happens: between two intervals so many times the usual. */
struct event {
	int64_t from, until;
	double size;
};

/* Of a revision what matters here: a whole one is large. */
struct word {
	uint64_t id[2];
	int64_t start, interval;
	uint32_t revision, state;
	int direction;
	int64_t frequency_ms;
	bool fired;
	double severity, severity_peak, observed, expected, usual;
	double fall[FEEDBACK_SCALES], rise[FEEDBACK_SCALES];
};

#define WORDS_MAX 512

struct words {
	uint32_t count;
	struct word word[WORDS_MAX];
};

struct watch {
	struct bank *bank;
	struct feedback_list *list;
	struct shop *shop;
	struct words heard;
};

static struct detector_spec spec_of(void)
{
	struct detector_spec spec;
	scoring_defaults(&spec);
	/* As one of a configuration that does not say otherwise. */
	spec.resolutions_ms[0] = 5 * MINUTE_MS;
	spec.resolutions_ms[1] = 60 * MINUTE_MS;
	spec.resolutions_ms[2] = 1440 * MINUTE_MS;
	return spec;
}

static void hear(void *self, const struct anomaly *anomaly)
{
	struct words *words = self;
	if (words->count == WORDS_MAX)
		abort();
	struct word *word = &words->word[words->count++];
	memset(word, 0, sizeof(*word));
	memcpy(word->id, anomaly->id, sizeof(word->id));
	word->start = anomaly->start;
	word->interval = anomaly->interval;
	word->revision = anomaly->revision;
	word->state = anomaly->state;
	word->frequency_ms = anomaly->frequency_ms;
	word->direction = anomaly->direction;
	word->fired = anomaly->fired;
	word->severity = anomaly->severity;
	word->severity_peak = anomaly->severity_peak;
	word->observed = anomaly->observed;
	word->expected = anomaly->expected;
	word->usual = anomaly->usual;
	memcpy(word->fall, anomaly->fall, sizeof(word->fall));
	memcpy(word->rise, anomaly->rise, sizeof(word->rise));
}

static void watch_begin(struct watch *watch, struct shop *shop)
{
	const struct detector_spec spec = spec_of();
	watch->bank = bank_create(&spec);
	watch->list = feedback_create();
	watch->shop = shop;
	watch->heard.count = 0;
	bank_feedback(watch->bank, watch->list);
}

static void watch_end(struct watch *watch)
{
	bank_destroy(watch->bank);
	feedback_destroy(watch->list);
}

/* Another one that goes on from here; with what was said, or as if nothing had been. */
static void watch_copy(struct watch *to, const struct watch *from, bool with_feedback)
{
	struct bytes bytes = {0};
	watch_begin(to, from->shop);
	bank_save(from->bank, &bytes);
	struct bytes_reader in = {.data = bytes.data, .left = bytes.used};
	if (bank_load(to->bank, &in) < 0)
		abort();
	bytes_clear(&bytes);
	feedback_save(from->list, &bytes);
	in = (struct bytes_reader){.data = bytes.data, .left = bytes.used};
	if (with_feedback && feedback_load(to->list, &in) < 0)
		abort();
	bank_feedback(to->bank, to->list);
	bytes_fini(&bytes);
}

/* Of the mean: 5:1 between afternoon and night, weekdays a little apart. */
static double shape_at(double hours)
{
	double day = sin(M_PI * (hours - 4) / 24), week = cos(2 * M_PI * floor(hours / 24) / 7);

	return (0.2 + 0.8 * day * day) / 0.6 * (1 + 0.06 * week);
}

static double draw(double rate, double hours, double factor)
{
	slow += -0.02 * slow + 0.004 * random_normal(&dice);
	return (double)random_poisson(&dice, rate * shape_at(hours) * exp(slow) * factor);
}

static void shop_begin(struct shop *shop)
{
	*shop = (struct shop){.slice = {.label = ""}};
	shop->observations = (struct observations){
		.metric = "orders",
		.source = "live",
		.aggregation = AGGREGATE_COUNT,
		.interval_ms = MINUTE_MS,
		.count = 1,
		.value = &shop->value,
		.events = &shop->value,
		.sum_squares = &shop->value,
		.slices = &shop->slice,
	};
}

static void watch_step(struct watch *watch, int64_t interval, double value)
{
	struct shop *shop = watch->shop;
	shop->observations.interval = interval;
	shop->value = value;
	if (bank_step(watch->bank, &shop->observations, hear, &watch->heard) < 0)
		abort();
}

/* Several watches see the same weeks. */
static void play(struct watch *const *watches, unsigned count, double rate, int64_t from,
		 int64_t until, const struct event *event)
{
	for (int64_t i = from; i < until; i++) {
		bool in = i >= event->from && i < event->until;
		double value = draw(rate, ((double)i + 0.5) / 60, in ? event->size : 1);
		for (unsigned w = 0; w < count; w++)
			watch_step(watches[w], i, value);
	}
}

/* The last revision of each anomaly that fired and began in an event or just behind it. */
static uint32_t alarms_of(const struct watch *watch, const struct event *event,
			  struct word *ret_last, uint32_t max)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < watch->heard.count; i++) {
		const struct word *anomaly = &watch->heard.word[i];
		bool of = anomaly->fired && anomaly->start < event->until + TAIL &&
			  anomaly->interval >= event->from;
		uint32_t at = 0;
		while (at < count && memcmp(ret_last[at].id, anomaly->id, sizeof(anomaly->id)) != 0)
			at++;
		if (!of || at == max)
			continue;
		ret_last[at] = *anomaly;
		count += at == count;
	}
	return count;
}

static void dismiss(struct watch *watch, const struct word *anomaly, uint64_t number)
{
	/* What is said of it goes by its strongest revision: here all goes up. */
	bool up = anomaly->rise[0] >= anomaly->fall[0];
	struct feedback_said said = {
		.verdict = FEEDBACK_NO,
		.direction = up ? 1 : -1,
		.start_ms = anomaly->start * MINUTE_MS,
		.end_ms = (anomaly->interval + 1) * MINUTE_MS,
		.period_ms = anomaly->frequency_ms ? anomaly->frequency_ms : MINUTE_MS,
		.severity_peak = anomaly->severity_peak,
		.usual = anomaly->usual,
	};
	memcpy(said.size, up ? anomaly->rise : anomaly->fall, sizeof(said.size));
	memcpy(said.rebound, up ? anomaly->fall : anomaly->rise, sizeof(said.rebound));
	if (feedback_add(watch->list, number, anomaly->id, "", &said) < 0)
		abort();
	bank_feedback(watch->bank, watch->list);
}

static void expect(bool holds, const char *what, uint32_t round, double rate, double size)
{
	if (!holds && failed)
		failed(what, round, rate, size);
}

/* Is an incident found by who has been told as by who has not? */
static void try_incident(const struct watch *watch, double rate, int64_t from, int64_t until,
			 const struct event *incident, uint32_t round)
{
	struct watch told, bare;
	struct word last[8];
	struct watch *const both[] = {&told, &bare};
	double before = slow;
	struct random then = dice;

	watch_copy(&told, watch, true);
	watch_copy(&bare, watch, false);
	play(both, 2, rate, from, until, incident);
	bool found = alarms_of(&told, incident, last, 8) > 0;
	bool would = alarms_of(&bare, incident, last, 8) > 0;
	sum.incidents++;
	sum.found += found;
	sum.bare += would;
	sum.lost += would && !found;
	expect(found || !would, "an incident of twice its size is not found", round, rate,
	       incident->size);
	watch_end(&told);
	watch_end(&bare);
	slow = before;
	dice = then;
}

/* Taken back: both say the same from here on. */
static void try_undo(const struct watch *watch, double rate, int64_t from,
		     const struct event *event, uint32_t round)
{
	struct watch undone, never;
	struct watch *const both[] = {&undone, &never};

	watch_copy(&undone, watch, true);
	watch_copy(&never, watch, false);
	while (undone.list->count > 0)
		feedback_undo(undone.list, undone.list->entry[0].number);
	bank_feedback(undone.bank, undone.list);
	play(both, 2, rate, from, from + WEEK, event);
	bool same = undone.heard.count == never.heard.count &&
		    memcmp(undone.heard.word, never.heard.word,
			   never.heard.count * sizeof(struct word)) == 0;
	sum.undone += same;
	expect(same, "what was taken back still has an effect", round, rate, event->size);
	watch_end(&undone);
	watch_end(&never);
}

/* Twice as large as what happens each week: in its place, and at another time. */
static void try_incidents(const struct watch *watch, double rate, int64_t week,
			  const struct event *event, double size, uint32_t round)
{
	struct event twice = *event;

	twice.size = 1 + 2 * LARGEST * (size - 1);
	try_incident(watch, rate, week * WEEK, twice.until + TAIL, &twice, round);
	twice.from = week * WEEK + 13 * 60 + DAY * (int64_t)(6 * random_unit(&dice));
	twice.until = twice.from + 60;
	try_incident(watch, rate, week * WEEK, twice.until + TAIL, &twice, round);
}

static struct event event_of(int64_t week, int64_t at, double size)
{
	int64_t from = week * WEEK + at - 30 + (int64_t)(60 * random_unit(&dice));
	int64_t length = 45 + (int64_t)(45 * random_unit(&dice));
	/* No week is quite like the other. */
	double scale = SMALLEST + (LARGEST - SMALLEST) * random_unit(&dice);
	return (struct event){from, from + length, 1 + (size - 1) * scale};
}

static void one_round(uint32_t round)
{
	static const double rates[] = {10, 40, 150, 600, 2000};
	static const double sizes[] = {2.5, 2, 1.6, 1.4, 1.3};
	uint32_t kind = round % 5;
	double rate = rates[kind], size = sizes[kind] + 0.3 * random_unit(&dice);
	/* By day: at night no newsletter goes out, and counts are small. */
	int64_t at = DAY * (int64_t)(7 * random_unit(&dice)) + 10 * 60 +
		     (int64_t)(600 * random_unit(&dice));
	static struct shop shop;
	static struct watch watch;
	struct watch *const only[] = {&watch};
	struct word last[8];
	struct event nothing = {0};
	uint32_t dismissed = 0;
	uint64_t number = 0;

	shop_begin(&shop);
	watch_begin(&watch, &shop);
	slow = 0;
	play(only, 1, rate, 0, WARM_WEEKS * WEEK, &nothing);
	for (int64_t week = WARM_WEEKS; week < WARM_WEEKS + WEEKS; week++) {
		struct event event = event_of(week, at, size);
		bool late = week >= WARM_WEEKS + WEEKS / 2;
		if (late)
			try_incidents(&watch, rate, week, &event, size, round);
		if (week + 1 == WARM_WEEKS + WEEKS)
			try_undo(&watch, rate, week * WEEK, &event, round);
		watch.heard.count = 0;
		play(only, 1, rate, week * WEEK, (week + 1) * WEEK, &event);
		uint32_t count = alarms_of(&watch, &event, last, 8);
		sum.alarms += count;
		sum.again += dismissed >= DISMISSED ? count : 0;
		expect(count == 0 || dismissed < DISMISSED,
		       "an alarm of what was dismissed three times", round, rate, size);
		for (uint32_t i = 0; i < count; i++)
			dismiss(&watch, &last[i], ++number);
		dismissed += count > 0;
	}
	sum.rounds++;
	sum.dismissed += dismissed;
	for (uint32_t i = 0; i < watch.list->count; i++)
		sum.suppressed += (uint32_t)watch.list->entry[i].suppressed;
	watch_end(&watch);
}

void feedback_run(uint32_t rounds, uint64_t seed, feedback_failed *each, struct feedback_sums *ret)
{
	sum = (struct feedback_sums){0};
	failed = each;
	dice = random_keyed(seed, 0, 0);
	for (uint32_t round = 0; round < rounds; round++)
		one_round(round);
	expect(sum.suppressed > 0, "nothing was ever suppressed", 0, 0, 0);
	*ret = sum;
}
