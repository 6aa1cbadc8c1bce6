/*
 * rule: periods, thresholds and the life of anomalies against a model that keeps every period of
 * every slice in a list, asks libc for the calendar, and looks through all of it each time. A
 * second bank is saved and loaded on the way: it must say the same bit for bit.
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "detect/bank.h"
#include "support/random.h"

#define SLICES 3
#define PERIODS 20000
#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define HEARD 64

struct model_period {
	int64_t key;
	double value; /* NaN: none */
	bool whole;
};

struct model_slice {
	struct model_period *periods;
	uint32_t count;
	/* The period we are in. */
	double top, bottom, least, most;
	bool any;
	int status; /* 0 normal, 1 pending, 2 firing */
	uint32_t run, revision;
	int direction;
	int64_t start,
		quiet; /* interval; number of the first period in which something may begin */
};

struct heard {
	uint32_t count;
	struct anomaly anomaly[HEARD];
};

static struct detector_spec spec;
static struct observations observations;
static struct slice slices[SLICES];
static double value[SLICES], events[SLICES], squares[SLICES], numerator[SLICES], weight[SLICES];
static struct model_slice model[SLICES];
static int64_t interval_ms, period_key, first_of_period;
static uint32_t seen, whole_seen;
static struct heard heard, said; /* by the bank; by the model */

static struct tm calendar(int64_t interval)
{
	time_t seconds = interval * interval_ms / 1000;
	struct tm tm;
	gmtime_r(&seconds, &tm);
	return tm;
}

/* A number for the period that an interval lies in: consecutive periods, consecutive numbers. */
static int64_t key_of(int64_t interval)
{
	struct tm tm = calendar(interval);
	int64_t day = interval * interval_ms / DAY_MS; /* after 1970 */

	if (spec.frequency_ms == 0)
		return interval;
	if (spec.frequency_ms == DETECTOR_MONTH)
		return (tm.tm_year - 70) * 12 + tm.tm_mon;
	if (spec.frequency_ms == 7 * DAY_MS)
		return (day - (tm.tm_wday + 6) % 7 + 3) / 7;
	return day * (DAY_MS / spec.frequency_ms) + tm.tm_hour * HOUR_MS / spec.frequency_ms;
}

static int64_t back_of(enum detector_baseline baseline)
{
	int64_t days = baseline == BASELINE_LAST_WEEK ? 7 : 364;
	if (baseline == BASELINE_RECENT)
		return 1;
	if (spec.frequency_ms == DETECTOR_MONTH)
		return 12;
	return days * DAY_MS / (spec.frequency_ms ? spec.frequency_ms : interval_ms);
}

static double model_value(const struct model_slice *slice, int64_t key)
{
	for (uint32_t i = slice->count; i-- > 0;)
		if (slice->periods[i].key == key)
			return slice->periods[i].whole ? slice->periods[i].value : (double)NAN;
	return NAN;
}

static void better(double *best, int *direction, double severity, int side)
{
	if (isnan(severity))
		return;
	severity = fmin(fmax(severity, 0), 1000);
	if (severity > *best) {
		*best = severity;
		*direction = side;
	}
}

static double beyond(double by, double limit)
{
	return limit != 0 ? 50 * (1 + by / fabs(limit)) : by > 0 ? 100 : by < 0 ? 0 : 50;
}

static double growth(double now, double before)
{
	return before > 0 ? (now / before - 1) * 100 : (double)NAN;
}

/* Severity of the period, below 0 if nothing can be said. */
static double model_severity(const struct model_slice *slice, int64_t key, double now,
			     double *ret_base, int *ret_direction)
{
	double base = model_value(slice, key - back_of(spec.baseline)), best = -1;
	int64_t year = back_of(BASELINE_LAST_YEAR);
	double change = base != 0 ? (now - base) / fabs(base) * 100 : (double)NAN;

	*ret_base = base;
	*ret_direction = 0;
	better(&best, ret_direction, 50 * change / spec.up_percent, 1);
	better(&best, ret_direction, -50 * change / spec.down_percent, -1);
	if (!isnan(spec.above))
		better(&best, ret_direction, beyond(now - spec.above, spec.above), 1);
	if (!isnan(spec.below))
		better(&best, ret_direction, beyond(spec.below - now, spec.below), -1);
	double fall = growth(model_value(slice, key - 1), model_value(slice, key - 1 - year)) -
		      growth(now, model_value(slice, key - year));
	better(&best, ret_direction, 50 * fall / spec.growth_drop, -1);
	return best;
}

static void say(uint32_t i, enum anomaly_state state, double now)
{
	struct model_slice *slice = &model[i];
	struct anomaly *anomaly = &said.anomaly[said.count++ % HEARD];

	*anomaly = (struct anomaly){.state = state,
				    .revision = ++slice->revision,
				    .direction = slice->direction,
				    .start = slice->start,
				    .interval = observations.interval,
				    .observed = isnan(now) ? 0 : now,
				    .fired = slice->status == 2};
	snprintf(anomaly->slice, sizeof(anomaly->slice), "%s", slices[i].label);
}

static void model_live(uint32_t i, int verdict, int direction, double now)
{
	struct model_slice *slice = &model[i];

	if (verdict < 0 || (slice->status == 0 && (verdict == 0 || period_key < slice->quiet)))
		return;
	if (slice->status == 2) {
		bool turned = verdict && direction != slice->direction;
		slice->run = verdict ? 0 : slice->run + 1;
		if (verdict)
			slice->direction = direction;
		if (slice->run >= spec.recover_intervals) {
			say(i, ANOMALY_RESOLVED, now);
			slice->status = 0;
			slice->quiet = period_key + spec.cooldown_intervals + 1;
		} else if (turned) {
			say(i, ANOMALY_UPDATED, now);
		}
		return;
	}
	if (slice->status == 1 && (verdict == 0 || direction != slice->direction)) {
		say(i, ANOMALY_RESOLVED, now);
		slice->status = 0;
		if (verdict == 0)
			return;
	}
	if (slice->status == 0) {
		slice->status = 1;
		slice->run = slice->revision = 0;
		slice->start = first_of_period;
		slice->direction = direction;
	}
	if (++slice->run >= spec.for_intervals) {
		slice->status = 2;
		slice->run = 0;
		say(i, ANOMALY_FIRING, now);
	} else if (slice->run == 1) {
		say(i, ANOMALY_PENDING, now);
	}
}

static double model_now(const struct model_slice *slice)
{
	switch (observations.aggregation) {
	case AGGREGATE_MEAN:
	case AGGREGATE_RATIO:
		return slice->bottom > 0 ? slice->top / slice->bottom : (double)NAN;
	case AGGREGATE_MIN:
		return slice->any ? slice->least : (double)NAN;
	case AGGREGATE_MAX:
		return slice->any ? slice->most : (double)NAN;
	default:
		return slice->top;
	}
}

/* How close a severity may come to its threshold before both may be right. */
static bool close_call(double severity)
{
	return fabs(severity - 50) < 1e-4;
}

static bool model_end(uint32_t i, bool whole)
{
	struct model_slice *slice = &model[i];
	double now = model_now(slice), base;
	int direction, verdict;
	double severity = model_severity(slice, period_key, now, &base, &direction);
	bool said_any = severity >= 0 && !isnan(now);

	if (close_call(severity))
		return false;
	verdict = said_any && severity >= 50;
	if (!whole && (direction <= 0 || !verdict || !said_any))
		verdict = -1;
	model_live(i, verdict, direction, now);
	expect(slice->count < PERIODS);
	slice->periods[slice->count++] = (struct model_period){period_key, now, whole};
	return true;
}

static void model_begin(int64_t interval)
{
	period_key = key_of(interval);
	first_of_period = interval;
	while (key_of(first_of_period - 1) == period_key)
		first_of_period--;
	seen = whole_seen = 0;
	for (uint32_t i = 0; i < SLICES; i++)
		model[i].top = model[i].bottom = 0, model[i].any = false;
}

/* Mirrors bank_step(). false: too close to call, the round ends here. */
static bool model_step(void)
{
	int64_t interval = observations.interval;
	bool called = true;

	if (seen == 0 || key_of(interval) != period_key)
		model_begin(interval);
	seen++;
	whole_seen += !(observations.flags & OBSERVATION_INCOMPLETE);
	for (uint32_t i = 0; i < observations.count; i++) {
		struct model_slice *slice = &model[i];
		bool mean = observations.aggregation == AGGREGATE_MEAN;
		bool ratio = observations.aggregation == AGGREGATE_RATIO;
		if (ratio) {
			slice->top += numerator[i];
			slice->bottom += weight[i];
		} else if (!isnan(value[i])) {
			slice->top += mean ? value[i] * events[i] : value[i];
			slice->bottom += events[i];
			slice->least = slice->any ? fmin(slice->least, value[i]) : value[i];
			slice->most = slice->any ? fmax(slice->most, value[i]) : value[i];
			slice->any = true;
		}
	}
	if (key_of(interval + 1) == period_key)
		return true;
	int64_t length = interval - first_of_period + 1;
	bool whole = 20 * whole_seen >= 19 * length;
	if (spec.frequency_ms == 0)
		whole = whole_seen == 1;
	for (uint32_t i = 0; i < observations.count && called; i++)
		called = model_end(i, whole);
	seen = 0;
	return called;
}

static double percent_or_none(void)
{
	return random_one_in(2) ? (double)NAN : 5 + (double)random_below(60);
}

static void make_spec(void)
{
	static const int64_t intervals[] = {HOUR_MS, 6 * HOUR_MS, DAY_MS};
	static const int64_t frequencies[] = {0, DAY_MS, 7 * DAY_MS, DETECTOR_MONTH};

	interval_ms = intervals[random_below(3)];
	spec = (struct detector_spec){
		.name = "rule",
		.metric = "m",
		.kind = DETECTOR_RULE,
		.severity = 50,
		.for_intervals = 1 + (uint32_t)random_below(3),
		.recover_intervals = 1 + (uint32_t)random_below(3),
		.cooldown_intervals = (uint32_t)random_below(4),
		.frequency_ms = frequencies[random_below(4)],
		.baseline = (enum detector_baseline)random_below(3),
		.up_percent = percent_or_none(),
		.down_percent = percent_or_none(),
		.above = random_one_in(3) ? (double)random_below(400) - 20 : (double)NAN,
		.below = random_one_in(3) ? (double)random_below(100) - 20 : (double)NAN,
		.growth_drop = percent_or_none(),
	};
	if (spec.frequency_ms == interval_ms)
		spec.frequency_ms = 0;
	if (spec.frequency_ms == DETECTOR_MONTH && spec.baseline == BASELINE_LAST_WEEK)
		spec.baseline = BASELINE_LAST_YEAR;
}

static void draw(double level)
{
	for (uint32_t i = 0; i < observations.count; i++) {
		double n = (double)random_below(6);
		double x = floor(level * (0.9 + (double)random_below(21) / 100));
		events[i] = n;
		value[i] = observations.aggregation <= AGGREGATE_SUM ? x * n
			   : n > 0                                   ? x
								     : (double)NAN;
		squares[i] = x * x * n;
		numerator[i] = x * n, weight[i] = n;
		if (observations.aggregation == AGGREGATE_RATIO)
			value[i] = n > 0 ? x : (double)NAN;
	}
}

static void listen(void *self, const struct anomaly *anomaly)
{
	struct heard *to = self;
	to->anomaly[to->count++ % HEARD] = *anomaly;
}

static void compare(void)
{
	uint32_t compared = 0;
	/* Bands and contributions are not the model's: only a turn is an update for it. */
	for (uint32_t k = 0; k < heard.count; k++) {
		const struct anomaly *a = &heard.anomaly[k], *b = &said.anomaly[compared];
		if (a->state == ANOMALY_UPDATED &&
		    (compared == said.count || b->state != ANOMALY_UPDATED ||
		     strcmp(a->slice, b->slice) != 0))
			continue;
		expect(compared < said.count);
		expect(a->state == b->state && a->direction == b->direction);
		expect(strcmp(a->slice, b->slice) == 0 && a->fired == b->fired);
		expect(a->start == b->start && a->interval == b->interval);
		expect(fabs(a->observed - b->observed) <= 1e-9 * fabs(b->observed));
		compared++;
	}
	expect(compared == said.count);
}

static struct bank *reload(struct bank *bank)
{
	struct bytes saved = {0};
	bank_save(bank, &saved);
	bank_destroy(bank);
	struct bank *loaded = bank_create(&spec);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	expect(bank_load(loaded, &in) == 0 && in.left == 0);
	bytes_fini(&saved);
	return loaded;
}

static void begin_round(void)
{
	static const char *const labels[] = {"", "country=DE", "country=FR"};

	make_spec();
	for (uint32_t i = 0; i < SLICES; i++) {
		struct model_period *periods = model[i].periods;
		if (!periods)
			periods = calloc(PERIODS, sizeof(*periods));
		model[i] = (struct model_slice){.periods = periods};
		slices[i] = (struct slice){.label = labels[i]};
	}
	seen = 0;
	observations = (struct observations){
		.metric = "m",
		.source = "live",
		.aggregation = (enum aggregation[]){AGGREGATE_COUNT, AGGREGATE_SUM, AGGREGATE_MEAN,
						    AGGREGATE_MIN, AGGREGATE_MAX,
						    AGGREGATE_RATIO}[random_below(6)],
		.interval = (int64_t)(19000 + random_below(800)) * DAY_MS / interval_ms +
			    (int64_t)random_below(24),
		.interval_ms = interval_ms,
		.count = 1,
		.value = value,
		.events = events,
		.sum_squares = squares,
		.numerator = numerator,
		.weight = weight,
		.slices = slices,
	};
}

static void round_of_rules(void)
{
	static struct heard again;
	double level = 100;

	begin_round();
	uint32_t steps = (uint32_t)(500 * DAY_MS / interval_ms);
	struct bank *bank = bank_create(&spec), *other = bank_create(&spec);
	for (uint32_t k = 0; k < steps; k++) {
		observations.interval += random_one_in(2000) ? 1 + (int64_t)random_below(90) : 1;
		observations.flags = random_one_in(100) ? OBSERVATION_INCOMPLETE : 0;
		if (observations.count < SLICES && random_one_in(500))
			observations.count++;
		if (random_one_in(20))
			level = 20 + (double)random_below(200);
		draw(level);
		heard.count = again.count = said.count = 0;
		expect(bank_step(bank, &observations, listen, &heard) == 0);
		expect(bank_step(other, &observations, listen, &again) == 0);
		expect(heard.count <= HEARD && heard.count == again.count);
		expect(memcmp(heard.anomaly, again.anomaly,
			      heard.count * sizeof(heard.anomaly[0])) == 0);
		if (!model_step())
			break;
		compare();
		if (random_one_in(300))
			other = reload(other);
	}
	bank_destroy(bank);
	bank_destroy(other);
}

int main(int argc, char **argv)
{
	return random_main(argc, argv, "property-rule", 40, round_of_rules);
}
