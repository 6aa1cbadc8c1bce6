/*
 * detector: bytes as the life of a bank, mostly of the default kind. The first ones say which
 * metric it watches and how, the rest is played as intervals.
 *
 *   byte   0            1            2          3       4          5 ...
 *          aggregation  interval     learn      kind    clock      operations
 *
 *   kind, up to 253, is the default: with 128 of three resolutions more, with 64 one that has lived
 *   for long before, from a state that was saved then; 254 and 255 are others
 *
 *   operation, low 3 bits; the high 5 are a number n
 *     0  n + 1 intervals, the values before again
 *     1  a day like that: 8 (n + 1) intervals
 *     2  a value: 8 bytes of a double, for slice n mod 2; from n = 16 on without its events
 *     3  a count: one byte, to the power of 4, likewise
 *     4  n^4 intervals of which nothing is known
 *     5  the interval that comes is incomplete; the clocks change by n - 16 quarters of an hour
 *     6  save, load and save again: the same bytes
 *     7  load what is left of the input; go on if it is refused
 *
 * Holds: no answer is NaN or infinite, a state is one that a checkpoint takes, a bank that was
 * loaded says the same. What the sanitizers say comes for nothing.
 */
#include "unit/detect/subject.h"
#include "unit/detect/support.h"

#include "base/check.h"
#include "target.h"

#define SLICES 2
#define SAVES_MAX 2 /* of a life, and as many states that are foreign */
/* Most lives are short, so that there are many, and half of them go on from a long one that all
 * have in common; one in DEEP_ONE_IN lasts for weeks itself. */
#define INTERVALS_SHORT 48
#define INTERVALS_DEEP 6000
#define DEEP_ONE_IN 1024u
#define INTERVALS_BEFORE 2000
#define INTERVALS 7


struct play {
	struct bytes_reader in;
	struct detector_spec spec;
	struct bank *bank;
	struct shop shop;
	double numerator[SLICES], weight[SLICES];
	uint32_t steps, steps_max;
	uint32_t saves, loads;
	bool foreign; /* its state came from the input: only memory must be safe */
};

/* The long lives, by aggregation, interval and resolutions; made where they are asked for. */
static struct before {
	struct bytes state;
	int64_t interval;
} lived[AGGREGATE_RATIO + 1][INTERVALS][2];

static uint8_t take(struct play *play)
{
	const uint8_t *byte = bytes_get(&play->in, 1);

	return byte ? *byte : 0;
}

static void on_anomaly(void *self, const struct anomaly *anomaly)
{
	const struct play *play = self;

	if (play->foreign)
		return;
	check(isfinite(anomaly->severity) && isfinite(anomaly->severity_peak));
	check(isfinite(anomaly->expected) && isfinite(anomaly->observed));
	check(isfinite(anomaly->log10_p));
}

static void look(const struct play *play)
{
	struct bank_slice slice;

	for (uint32_t i = 0; i < bank_slices(play->bank) && !play->foreign; i++) {
		bank_slice(play->bank, i, &slice);
		check(isfinite(slice.severity));
		check(play->spec.kind != SUBJECT_KIND || isfinite(slice.expected));
		check(play->spec.kind != SUBJECT_KIND || slice.lower <= slice.upper);
	}
}

/* Is the interval so much later one that an event can lie in? Its time has 42 bits. */
static bool there_is(const struct play *play, int64_t later)
{
	const struct observations *observations = &play->shop.observations;

	return observations->interval + later < (INT64_C(1) << 42) / observations->interval_ms;
}

static void step(struct play *play, uint32_t times)
{
	for (uint32_t k = 0; k < times && play->steps < play->steps_max && there_is(play, 1);
	     k++, play->steps++) {
		play->shop.observations.interval++;
		check(bank_step(play->bank, &play->shop.observations, on_anomaly, play) == 0);
		look(play);
		play->shop.observations.flags = 0;
	}
}

/* What lies behind a value is in keeping with it, or not known. */
static void set(struct play *play, uint32_t i, double value, bool known)
{
	bool counted = play->shop.observations.aggregation == AGGREGATE_COUNT;

	play->shop.value[i] = value;
	play->shop.squares[i] = counted ? fabs(value) : known ? value * value : (double)NAN;
	play->shop.events[i] = isnan(value) ? 0 : known ? fmin(fabs(value), 1e15) : 1;
	play->weight[i] = play->shop.events[i];
	play->numerator[i] = value * play->weight[i];
}

static void set_double(struct play *play, uint32_t n)
{
	const void *bytes = bytes_get(&play->in, sizeof(double));
	double value = 0;

	if (bytes)
		memcpy(&value, bytes, sizeof(value));
	set(play, n % SLICES, value, n < 16);
}

static void set_count(struct play *play, uint32_t n)
{
	double root = take(play);

	set(play, n % SLICES, root * root * root * root, n < 16);
}

static void save_and_load(struct play *play)
{
	struct bytes saved = {0}, again = {0};
	struct bank *fresh = bank_create(&play->spec);

	bank_save(play->bank, &saved);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	int result = bank_load(fresh, &in);
	check(play->foreign || result == 0);
	if (result == 0) {
		bank_save(fresh, &again);
		check(again.used == saved.used && memcmp(again.data, saved.data, saved.used) == 0);
		bank_destroy(play->bank);
		play->bank = fresh;
	} else {
		bank_destroy(fresh);
	}
	bytes_fini(&saved), bytes_fini(&again);
}

/* Our own state with what is left of the input written over its end. */
static void load_foreign(struct play *play)
{
	struct bytes saved = {0};
	size_t left = play->in.left;
	struct bank *fresh = bank_create(&play->spec);

	bank_save(play->bank, &saved);
	if (left > saved.used)
		left = saved.used;
	memcpy(saved.data + saved.used - left, play->in.data, left);
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	if (left && bank_load(fresh, &in) == 0 && bank_slices(fresh) <= SLICES) {
		bank_destroy(play->bank);
		play->bank = fresh;
		play->foreign = true;
	} else {
		bank_destroy(fresh);
	}
	bytes_fini(&saved);
}

static void operate(struct play *play)
{
	struct observations *observations = &play->shop.observations;
	uint8_t byte = take(play);
	uint32_t n = byte >> 3;

	switch (byte & 7) {
	case 0:
		step(play, n + 1);
		break;
	case 1:
		step(play, 8 * (n + 1));
		break;
	case 2:
		set_double(play, n);
		break;
	case 3:
		set_count(play, n);
		break;
	case 4:
		if (there_is(play, (int64_t)n * n * n * n))
			observations->interval += (int64_t)n * n * n * n;
		break;
	case 5:
		observations->flags = OBSERVATION_INCOMPLETE;
		observations->offset_ms += ((int64_t)n - 16) * 900000;
		observations->offset_ms %= 86400000;
		break;
	case 6:
		if (play->saves++ < SAVES_MAX)
			save_and_load(play);
		break;
	default:
		if (play->loads++ < SAVES_MAX)
			load_foreign(play);
	}
}

/* A bank of what is said of it, at a time. */
static void make(struct play *play, enum aggregation aggregation, int64_t interval_ms, uint8_t time)
{
	shop_init(&play->shop, 1, SLICES, interval_ms, aggregation);
	play->shop.observations.interval = (int64_t)time * 86400000 * 80 / interval_ms;
	play->shop.observations.quantile = 0.9;
	play->shop.observations.numerator = play->numerator;
	play->shop.observations.weight = play->weight;
	play->bank = bank_create(&play->spec);
	check(play->bank);
}

/* Days with a night and a little noise; in the last slice, now and then nothing. */
static void live(struct before *before, const struct play *as)
{
	const struct observations *observations = &as->shop.observations;
	static struct play play;
	uint32_t random = 7;

	memset(&play, 0, sizeof(play));
	play.spec = as->spec;
	play.steps_max = INTERVALS_BEFORE;
	make(&play, observations->aggregation, observations->interval_ms, 200);
	for (uint32_t k = 0; k < INTERVALS_BEFORE; k++) {
		uint32_t slot = k % 24;
		for (uint32_t i = 0; i < SLICES; i++) {
			random = random * 1664525 + 1013904223;
			double value = (slot < 12 ? 40 + 10 * slot : 280 - 10 * slot) / (1.0 + i);
			bool nothing = i == SLICES - 1 && random >> 29 == 0;
			set(&play, i, nothing ? 0 : floor(value + (random >> 24) / 16.0), true);
		}
		step(&play, 1);
	}
	before->interval = play.shop.observations.interval;
	bank_save(play.bank, &before->state);
	check(!before->state.failed);
	bank_destroy(play.bank);
}

static void go_on(struct play *play, struct before *before)
{
	if (!before->state.used)
		live(before, play);
	struct bytes_reader in = {.data = before->state.data, .left = before->state.used};
	check(bank_load(play->bank, &in) == 0);
	play->shop.observations.interval = before->interval;
}

static void begin(struct play *play)
{
	static const int64_t intervals_ms[INTERVALS] = {1000,   10000,   60000,   300000,
							900000, 3600000, 86400000};
	static const enum detector_kind others[] = {DETECTOR_WINDOW, DETECTOR_ABSENCE};
	/* So short that a short life has many of them. */
	static const int64_t resolutions_ms[] = {20000, 300000, 3600000, 86400000};
	uint32_t aggregation = take(play) % (AGGREGATE_RATIO + 1);
	uint32_t interval = take(play) % INTERVALS;

	play->spec = (struct detector_spec){
		.name = "fuzz",
		.metric = "orders",
		.kind = SUBJECT_KIND,
		.severity = 60,
		.for_intervals = 1,
		.recover_intervals = 2,
		.window = 40,
		.k = 3,
		.learn_intervals = 1 + take(play),
		.absent_intervals = 2,
	};
	uint8_t kind = take(play);
	bool old = kind < 254 && kind & 64;
	if (kind >= 254)
		play->spec.kind = others[kind & 1];
	else if (kind & 128)
		memcpy(play->spec.resolutions_ms, resolutions_ms, sizeof(resolutions_ms));
	if (old)
		play->spec.learn_intervals = 100;
	make(play, (enum aggregation)aggregation, intervals_ms[interval], take(play));
	if (old)
		go_on(play, &lived[aggregation][interval][kind >> 7]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct play play;

	memset(&play, 0, sizeof(play));
	play.in = (struct bytes_reader){.data = data, .left = size};
	uint32_t sum = 0;
	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + data[i];
	play.steps_max = sum % DEEP_ONE_IN ? INTERVALS_SHORT : INTERVALS_DEEP;
	begin(&play);
	/* What was cut short ends here: nothing more is taken from it, and it never gets empty. */
	while (play.in.left && !play.in.failed && play.steps < play.steps_max)
		operate(&play);
	if (!play.saves)
		save_and_load(&play);
	bank_destroy(play.bank);
	return 0;
}
