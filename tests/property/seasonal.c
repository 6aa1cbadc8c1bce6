/*
 * seasonal: what holds for the default detector whatever comes: any metric, interval, gap, zone,
 * and values that nobody would send.
 *
 *   first      all slices, from the beginning
 *   scalar     the same without vector instructions: bit for bit
 *   plain      as it is built for every processor (seasonal_build.h): bit for bit
 *   shifted    so many times 400 years later, after which dates and weekdays agree: bit for bit
 *   reloaded   saved and loaded on the way: bit for bit, state and all
 *   alone      one slice by itself: bit for bit
 *   grown      moved to larger blocks on the way
 *
 * Slices are born on the way, as in a bank. Every answer is a finite number, every state one that a
 * checkpoint takes.
 */
#include "unit/detect/subject.h"
#include "unit/detect/support.h"

#include "support/random.h"

#define SLICES 12
#define STEPS 2000
#define ERA_MS (INT64_C(146097) * 86400000)

enum { FIRST, SCALAR, PLAIN, SHIFTED, RELOADED, ALONE, GROWN, TWINS };

static struct shop shop, single; /* `single`: what the one alone sees */
static struct probe twin[TWINS];
static double numerator[SHOP_SLICES_MAX], weight[SHOP_SLICES_MAX];
static double rates[SLICES], broken[SLICES];
static uint32_t slices, all, one; /* so far; in the end; the one of ALONE */
static int64_t eras;              /* between FIRST and SHIFTED */
static uint64_t gap;              /* intervals left out at once, at most */
static bool wild;                 /* values that nobody would send */
static bool bare;                 /* numbers without their events: squares are not known */

static double wild_value(void)
{
	static const double values[] = {0,    -0.0,     1,         -1,    0.5,    1e9,
					1e15, 1e59,     1e61,      1e308, -1e308, 5e-324,
					NAN,  INFINITY, -INFINITY, 1e-300};
	return values[random_below(sizeof(values) / sizeof(values[0]))];
}

/* Values as they come: counts, money, times, shares. */
static void draw_slice(uint32_t i, double shape)
{
	enum aggregation aggregation = shop.observations.aggregation;
	double mean = rates[i] * shape * broken[i], hits = 0;

	if (aggregation <= AGGREGATE_MEAN) {
		/* Of money not more lumps than a test has time for. */
		shop_draw(&shop, i, aggregation == AGGREGATE_COUNT ? mean : fmin(mean, 40));
		return;
	}
	double events = chance_poisson(&shop.chance, mean);
	shop.events[i] = weight[i] = events;
	if (aggregation == AGGREGATE_RATIO) {
		hits = fmin(chance_poisson(&shop.chance, 0.1 * events), events);
		numerator[i] = hits;
		shop.value[i] = events > 0 ? hits / events : (double)NAN;
	} else if (aggregation == AGGREGATE_DISTINCT) {
		shop.value[i] = events;
	} else {
		double noise = chance_normal(&shop.chance);
		shop.value[i] = events > 0 ? 120 * exp(0.1 * noise) * broken[i] : (double)NAN;
	}
	shop.squares[i] = hits;
}

/* What no engine would hand over, but a column of numbers may hold. */
static void spoil(uint32_t i)
{
	double squares = random_one_in(2) ? shop.value[i] * shop.value[i] : fabs(wild_value());

	shop.value[i] = wild_value();
	shop.events[i] = random_one_in(4) && shop.value[i] >= 0 && isfinite(shop.value[i])
				 ? shop.value[i]
				 : (double)random_below(UINT64_C(1) << random_below(64));
	shop.squares[i] = squares;
	numerator[i] = wild_value();
	weight[i] = fabs(wild_value());
}

static void draw(void)
{
	double shape = shop_shape(fmod(shop_hours(&shop), 168));

	for (uint32_t i = 0; i < slices; i++) {
		if (random_one_in(200))
			broken[i] = random_one_in(2) ? 1 : (double)random_below(300) / 100;
		draw_slice(i, shape);
		if (random_one_in(50)) {
			shop.value[i] = NAN;
			shop.events[i] = shop.squares[i] = numerator[i] = weight[i] = 0;
		}
		if (wild && random_one_in(10))
			spoil(i);
		bool summed = shop.observations.aggregation == AGGREGATE_SUM ||
			      shop.observations.aggregation == AGGREGATE_MEAN;
		if (bare && summed) {
			shop.squares[i] = NAN;
			shop.events[i] = isfinite(shop.value[i]) ? 1 : 0;
		}
	}
}

static void sane(const struct probe *probe, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		expect(isfinite(probe->expected[i]));
		expect(isfinite(probe->lower[i]) && isfinite(probe->upper[i]));
		expect(probe->lower[i] <= probe->upper[i]);
		expect(probe->log10_p[i] <= 0 && isfinite(probe->log10_p[i]));
		expect(probe->onset[i] == 0 || probe->onset[i] == -probe->log10_p[i]);
		expect(probe->direction[i] >= -1 && probe->direction[i] <= 1);
	}
}

/* Slices of `a` from `from` on, as the first ones of `b`. */
static void same(const struct probe *a, uint32_t from, const struct probe *b, uint32_t count)
{
	size_t size = count * sizeof(double);

	expect(memcmp(a->expected + from, b->expected, size) == 0);
	expect(memcmp(a->lower + from, b->lower, size) == 0);
	expect(memcmp(a->upper + from, b->upper, size) == 0);
	expect(memcmp(a->log10_p + from, b->log10_p, size) == 0);
	expect(memcmp(a->onset + from, b->onset, size) == 0);
	expect(memcmp(a->direction + from, b->direction, count) == 0);
}

static void save(const struct probe *probe, uint32_t count, struct bytes *out)
{
	probe->ops->save(probe->state, &probe->spec, probe->capacity, count, out);
}

static void reload(struct probe *probe)
{
	struct bytes saved = {0}, again = {0};
	struct probe fresh;

	save(probe, slices, &saved);
	probe_init(&fresh, probe->ops, &probe->spec, all + (uint32_t)random_below(40));
	struct bytes_reader in = {.data = saved.data, .left = saved.used};
	expect(fresh.ops->load(fresh.state, &fresh.spec, fresh.capacity, slices, &in) == 0);
	expect(in.left == 0);
	save(&fresh, slices, &again);
	expect(again.used == saved.used && memcmp(again.data, saved.data, saved.used) == 0);
	free(probe->state);
	probe->state = fresh.state;
	probe->capacity = fresh.capacity;
	bytes_fini(&saved), bytes_fini(&again);
}

static void grow(struct probe *probe)
{
	struct probe fresh;

	probe_init(&fresh, probe->ops, &probe->spec, probe->capacity + 1);
	probe->ops->move(fresh.state, fresh.capacity, probe->state, probe->capacity, &probe->spec);
	free(probe->state);
	probe->state = fresh.state;
	probe->capacity = fresh.capacity;
}

static void begin_round(void)
{
	static const int64_t intervals[] = {10000,   60000,    300000,  600000,
					    3600000, 21600000, 86400000};
	static const int64_t zones[] = {0, 3600000, -18000000, 20700000, 50400000};
	int64_t interval_ms = intervals[random_below(7)];
	struct detector_spec spec = {
		.name = "any",
		.kind = SUBJECT_KIND,
		.severity = 10 + (double)random_below(80),
		.learn_intervals = 1 + (uint32_t)random_below(200),
	};

	all = 2 + (uint32_t)random_below(SLICES - 1);
	slices = 1 + (uint32_t)random_below(all);
	one = (uint32_t)random_below(slices);
	eras = 1 + (int64_t)random_below(3);
	gap = random_one_in(2) ? 3000 : 30;
	wild = random_one_in(3);
	bare = random_one_in(4);
	shop_init(&shop, random_next(), all, interval_ms, (enum aggregation)random_below(8));
	shop.observations.interval = (int64_t)random_below(20000) * 86400000 / interval_ms;
	shop.observations.offset_ms = zones[random_below(5)];
	shop.observations.quantile = 0.95;
	shop.observations.numerator = numerator;
	shop.observations.weight = weight;
	for (uint32_t i = 0; i < all; i++) {
		rates[i] = pow(10, -1 + (double)random_below(500) / 100);
		broken[i] = 1;
		numerator[i] = weight[i] = 0;
	}
	for (int t = 0; t < TWINS; t++) {
		uint32_t capacity = t == ALONE ? 1 : t == GROWN ? slices : all;
		const struct detector_ops *ops = t == SCALAR  ? &SUBJECT_SCALAR
						 : t == PLAIN ? &detector_seasonal
							      : &SUBJECT;
		probe_init(&twin[t], ops, &spec, capacity);
	}
}

/* Time passes: now and then there is a gap, and the clocks change. */
static void advance(void)
{
	struct observations *observations = &shop.observations;

	observations->interval += random_one_in(100) ? 1 + (int64_t)random_below(gap) : 1;
	if (random_one_in(150))
		observations->offset_ms += random_one_in(2) ? 3600000 : -3600000;
	observations->flags = random_one_in(60) ? OBSERVATION_INCOMPLETE : 0;
}

static void step_alone(void)
{
	struct observations *observations = &single.observations;

	single = shop;
	*observations = shop.observations;
	observations->count = 1;
	observations->value = shop.value + one;
	observations->events = shop.events + one;
	observations->sum_squares = shop.squares + one;
	observations->numerator = numerator + one;
	observations->weight = weight + one;
	observations->slices = shop.slices + one;
	twin[ALONE].learn[0] = twin[FIRST].learn[one];
	probe_step(&twin[ALONE], &single);
}

static void step_all(void)
{
	for (int t = 0; t < TWINS; t++) {
		if (t != FIRST && t != ALONE)
			memcpy(twin[t].learn, twin[FIRST].learn, sizeof(twin[t].learn));
		if (t == ALONE) {
			step_alone();
			continue;
		}
		int64_t later = t == SHIFTED ? eras * ERA_MS / shop.observations.interval_ms : 0;
		shop.observations.interval += later;
		probe_step(&twin[t], &shop);
		shop.observations.interval -= later;
	}
}

static void round_of_traffic(void)
{
	struct bytes first = {0}, second = {0};

	begin_round();
	for (uint32_t k = 0; k < STEPS; k++) {
		advance();
		if (slices < all && random_one_in(100))
			slices++;
		shop.observations.count = slices;
		if (twin[GROWN].capacity < slices)
			grow(&twin[GROWN]);
		draw();
		if (random_one_in(40))
			twin[FIRST].learn[random_below(slices)] ^= 1;
		step_all();
		sane(&twin[FIRST], slices);
		same(&twin[FIRST], 0, &twin[SCALAR], slices);
		same(&twin[FIRST], 0, &twin[PLAIN], slices);
		same(&twin[FIRST], 0, &twin[SHIFTED], slices);
		same(&twin[FIRST], 0, &twin[RELOADED], slices);
		same(&twin[FIRST], one, &twin[ALONE], 1);
		same(&twin[FIRST], 0, &twin[GROWN], slices);
		if (random_one_in(100)) {
			reload(&twin[RELOADED]);
			reload(&twin[PLAIN]);
		}
	}
	reload(&twin[FIRST]); /* which says whether the state is one that a checkpoint takes */
	save(&twin[FIRST], slices, &first);
	save(&twin[SCALAR], slices, &second);
	expect(first.used == second.used && memcmp(first.data, second.data, first.used) == 0);
	bytes_clear(&second);
	save(&twin[PLAIN], slices, &second);
	expect(first.used == second.used && memcmp(first.data, second.data, first.used) == 0);
	bytes_fini(&first), bytes_fini(&second);
	for (int t = 0; t < TWINS; t++)
		probe_fini(&twin[t]);
}

int main(int argc, char **argv)
{
	return random_main(argc, argv, "property-seasonal", 24, round_of_traffic);
}
