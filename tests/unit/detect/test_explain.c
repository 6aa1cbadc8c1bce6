/* Explanations: what a made-up memory says, and what a bank says of a planted fault. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "detect/explain.h"
#include "market.h"

#define SLICES (1 + 3 + 2 + 6) /* total, countries, devices, pairs of them */

static const char *const countries[] = {"DE", "FR", "IT"}, *const devices[] = {"mobile", "desktop"};
static const double parts[] = {0.5, 0.3, 0.2, 0.6, 0.4};

static struct shop shop;
/* What each slice had in three stretches: of 1, 10 and 40 intervals. */
static struct recent memory[SLICES][DETECTOR_RECENT];
static struct explain_scan scan;
static double expected[SLICES];
static uint32_t looks; /* at a slice's memory */

static uint32_t lengths_of(const void *state, uint32_t lengths[DETECTOR_RECENT])
{
	(void)state;
	lengths[0] = 1, lengths[1] = 10, lengths[2] = 40;
	return 3;
}

static void recent_of(const void *state, uint32_t slice, struct recent ret[DETECTOR_RECENT])
{
	(void)state;
	looks++;
	memcpy(ret, memory[slice], sizeof(memory[slice]));
}

static const struct detector_ops remembers = {.recent_lengths = lengths_of, .recent = recent_of};
static const struct detector_ops forgets;

static uint32_t pair_of(uint32_t country, uint32_t device)
{
	return 6 + country * 2 + device;
}

static void name_slice(uint32_t i, uint32_t rollup, const char *country, const char *device)
{
	uint32_t count = 0;
	if (country) {
		shop.names[i][count] = "country";
		shop.values[i][count++] = country;
	}
	if (device) {
		shop.names[i][count] = "device";
		shop.values[i][count++] = device;
	}
	snprintf(shop.labels[i], sizeof(shop.labels[i]), "%s%s%s%s%s", country ? "country=" : "",
		 country ? country : "", country && device ? "," : "", device ? "device=" : "",
		 device ? device : "");
	shop.slices[i] = (struct slice){.label = shop.labels[i],
					.rollup = rollup,
					.dimensions = count,
					.names = shop.names[i],
					.values = shop.values[i]};
}

static void put(uint32_t slice, uint32_t stretch, double mean, double factor)
{
	struct recent *one = &memory[slice][stretch];
	one->observed += mean * factor;
	one->expected += mean;
	one->variance += mean;
	one->weight = 1;
}

/* A shop of so many events in each interval; pairs are off by these factors for `length`. */
static void remember(double rate, const double factors[3][2], uint32_t length)
{
	static const uint32_t lengths[] = {1, 10, 40};

	shop_init(&shop, 1, SLICES, 60000, AGGREGATE_COUNT);
	shop.observations.interval = 1000;
	memset(memory, 0, sizeof(memory));
	explain_forget(&scan);
	name_slice(0, 0, NULL, NULL);
	for (uint32_t c = 0; c < 3; c++)
		name_slice(1 + c, 1, countries[c], NULL);
	for (uint32_t d = 0; d < 2; d++)
		name_slice(4 + d, 2, NULL, devices[d]);
	for (uint32_t c = 0; c < 3; c++) {
		for (uint32_t d = 0; d < 2; d++) {
			const uint32_t slices[] = {0, 1 + c, 4 + d, pair_of(c, d)};
			name_slice(pair_of(c, d), 3, countries[c], devices[d]);
			for (uint32_t k = 0; k < 3; k++) {
				uint32_t off = lengths[k] < length ? lengths[k] : length;
				double factor = 1 + (factors[c][d] - 1) * off / lengths[k];
				double mean = rate * lengths[k] * parts[c] * parts[3 + d];
				for (uint32_t s = 0; s < 4; s++)
					put(slices[s], k, mean, factor);
			}
		}
	}
}

static struct explanation said[ANOMALY_EXPLANATIONS_MAX];

static uint32_t ask_back(const struct detector_ops *ops, uint32_t slice, int direction,
			 uint32_t longest)
{
	static double zero[SLICES];
	static int8_t directions[SLICES];
	static double observed[SLICES], predicted[SLICES], variance[SLICES], weight[SLICES];
	const struct verdicts verdicts = {expected, zero, zero, zero, directions, zero, zero};
	for (uint32_t i = 0; i < SLICES; i++) {
		observed[i] = memory[i][1].observed, predicted[i] = memory[i][1].expected;
		variance[i] = memory[i][1].variance, weight[i] = memory[i][1].weight;
	}
	const struct diagnosis diagnosis = {observed, predicted, variance, weight};
	const struct explain known = {.observations = &shop.observations,
				      .verdicts = &verdicts,
				      .ops = ops,
				      .diagnosis = &diagnosis};
	memset(said, 0, sizeof(said));
	return explain(&known, &scan, slice, direction, longest, said);
}

static uint32_t ask_of(const struct detector_ops *ops, uint32_t slice, int direction)
{
	return ask_back(ops, slice, direction, 60);
}

static uint32_t ask(uint32_t slice)
{
	return ask_of(&remembers, slice, -1);
}

Test(explain, a_country_is_named_with_its_sums_since_it_fell)
{
	remember(100, (const double[3][2]){{1, 1}, {1, 1}, {0.5, 0.5}}, 10);
	cr_assert_eq(ask(0), 1);
	cr_assert_str_eq(said[0].slice, "country=IT");
	cr_assert_float_eq(said[0].share, 1, 1e-12);
	cr_assert_float_eq(said[0].observed, 100, 1e-9, "half of 10 intervals of 20");
	cr_assert_float_eq(said[0].expected, 200, 1e-9);
	cr_assert_eq(said[0].since, 991, "ten intervals with this one");
	cr_assert_gt(said[0].evidence, 10);
	cr_assert_eq(ask_of(&remembers, 0, 1), 0, "nothing rose");
}

Test(explain, nested_slices_compete_fairly)
{
	static const struct {
		double factors[3][2];
		const char *name;
	} faults[] = {
		{{{1, 1}, {1, 1}, {0.4, 1}}, "country=IT,device=mobile"},
		{{{1, 1}, {1, 1}, {0.5, 0.5}}, "country=IT"},
		{{{0.7, 1}, {0.7, 1}, {0.7, 1}}, "device=mobile"},
		{{{0.6, 1}, {1, 1}, {1, 1}}, "country=DE,device=mobile"},
	};
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		remember(100, faults[i].factors, 40);
		cr_assert_eq(ask(0), 1, "%s", faults[i].name);
		cr_assert_str_eq(said[0].slice, faults[i].name);
		cr_assert_eq(said[0].since, 961);
	}
}

Test(explain, what_the_whole_shop_does_names_nobody)
{
	remember(100, (const double[3][2]){{0.5, 0.5}, {0.5, 0.5}, {0.5, 0.5}}, 40);
	cr_assert_eq(ask(0), 0);
	/* And on top of it one that does more. */
	remember(100, (const double[3][2]){{0.8, 0.8}, {0.8, 0.8}, {0.3, 0.3}}, 40);
	cr_assert_eq(ask(0), 1);
	cr_assert_str_eq(said[0].slice, "country=IT");
	cr_assert_float_eq(said[0].share, 14.0 / 30, 1e-9, "the rest is the shop's");
}

Test(explain, two_slices_at_once_are_both_named)
{
	remember(100, (const double[3][2]){{1, 1}, {0.6, 0.6}, {0.6, 0.6}}, 40);
	cr_assert_eq(ask(0), 2);
	cr_assert_str_eq(said[0].slice, "country=FR");
	cr_assert_str_eq(said[1].slice, "country=IT");
	cr_assert_float_eq(said[0].share, 0.6, 1e-9);
	cr_assert_float_eq(said[1].share, 0.4, 1e-9);
	remember(300, (const double[3][2]){{1, 0.5}, {0.5, 1}, {1, 1}}, 40);
	cr_assert_eq(ask(0), 2);
	cr_assert_str_eq(said[0].slice, "country=DE,device=desktop");
	cr_assert_str_eq(said[1].slice, "country=FR,device=mobile");
	/* One that is hardly off is not worth a second name. */
	remember(100, (const double[3][2]){{1, 1}, {0.97, 0.97}, {0.6, 0.6}}, 40);
	cr_assert_eq(ask(0), 1);
	cr_assert_str_eq(said[0].slice, "country=IT");
}

Test(explain, an_anomaly_is_explained_by_what_it_has_events_of)
{
	remember(100, (const double[3][2]){{1, 1}, {1, 1}, {0.5, 0.5}}, 40);
	cr_assert_eq(ask(1), 0, "Germany by Italy");
	cr_assert_eq(ask(4), 1, "mobile by Italy, that has some of it");
	cr_assert_str_eq(said[0].slice, "country=IT");
	cr_assert_eq(ask(pair_of(2, 1)), 1);
	cr_assert_str_eq(said[0].slice, "country=IT");
	/* Of two at once the other one may be elsewhere. */
	remember(100, (const double[3][2]){{1, 1}, {0.6, 0.6}, {0.6, 0.6}}, 40);
	cr_assert_eq(ask(3), 2);
}

/* Anomalies of one step that began at different times: none throws away what the others need. */
Test(explain, all_who_ask_in_a_step_share_one_scan)
{
	static const uint32_t longest[] = {60, 20, 1, 39, 40, 10};

	for (uint32_t turn = 0; turn < 2; turn++) {
		remember(100, (const double[3][2]){{1, 1}, {0.6, 0.6}, {0.6, 0.6}}, 40);
		if (turn == 0)
			remember(100, (const double[3][2]){{1, 1}, {1, 1}, {0.4, 1}}, 20);
		for (uint32_t i = 0; i < 600; i++) {
			struct explanation shared[ANOMALY_EXPLANATIONS_MAX];
			uint32_t back = longest[i % 6], slice = i % SLICES;
			uint32_t from = looks;
			uint32_t count = ask_back(&remembers, slice, -1, back);
			cr_assert_leq(looks - from, i < 6 ? 4 * SLICES : 4, "%u at %u",
				      looks - from, i);
			memcpy(shared, said, sizeof(said));
			struct explain_scan kept = scan;
			explain_forget(&scan);
			cr_assert_eq(ask_back(&remembers, slice, -1, back), count);
			cr_assert_eq(memcmp(shared, said, sizeof(said)), 0, "back by %u", back);
			if (count)
				cr_assert_geq(said[0].since, 1001 - (int64_t)back);
			scan = kept;
		}
	}
}

/* The same with noise: what countries, devices and the total have is what their pairs have. */
static void scatter(struct chance *chance)
{
	for (uint32_t k = 0; k < 3; k++) {
		for (uint32_t i = 0; i < 6; i++)
			memory[i][k].observed = 0;
		for (uint32_t i = 6; i < SLICES; i++) {
			struct recent *one = &memory[i][k];
			uint32_t c = (i - 6) / 2, d = (i - 6) % 2;
			one->observed = chance_poisson(chance, one->observed);
			memory[0][k].observed += one->observed;
			memory[1 + c][k].observed += one->observed;
			memory[4 + d][k].observed += one->observed;
		}
	}
}

Test(explain, chance_explains_nothing)
{
	struct chance chance = {7};
	uint32_t named = 0, twice = 0, turns = 1000;

	for (uint32_t turn = 0; turn < turns; turn++) {
		remember(100, (const double[3][2]){{1, 1}, {1, 1}, {1, 1}}, 40);
		scatter(&chance);
		named += ask(0) > 0;
		remember(100, (const double[3][2]){{1, 1}, {1, 1}, {0.6, 0.6}}, 40);
		scatter(&chance);
		twice += ask(0) != 1 || strcmp(said[0].slice, "country=IT") != 0;
	}
	cr_assert_lt(named, turns / 4, "%u of %u", named, turns);
	cr_assert_lt(twice, turns / 50, "%u of %u named another, or two", twice, turns);
}

Test(explain, sums_below_zero_and_lumps_of_many)
{
	remember(100, (const double[3][2]){{1, 1}, {1, 1}, {0.5, 0.5}}, 40);
	shop.observations.aggregation = AGGREGATE_SUM;
	for (uint32_t i = 0; i < SLICES; i++) {
		for (uint32_t k = 0; k < 3; k++) {
			struct recent *one = &memory[i][k];
			one->observed *= -30, one->expected *= -30, one->variance *= 900;
		}
	}
	cr_assert_eq(ask_of(&remembers, 0, 1), 1, "less is lost: that is up");
	cr_assert_str_eq(said[0].slice, "country=IT");
	double evidence = said[0].evidence;
	remember(100, (const double[3][2]){{1, 1}, {1, 1}, {0.5, 0.5}}, 40);
	cr_assert_eq(ask(0), 1);
	cr_assert_float_eq(said[0].evidence, evidence, 1e-6, "as many lumps, as much evidence");
}

Test(explain, means_by_the_distance_from_the_rest)
{
	remember(100, (const double[3][2]){{1, 1}, {1, 1}, {1, 1}}, 40);
	shop.observations.aggregation = AGGREGATE_MEAN;
	for (uint32_t i = 0; i < SLICES; i++) {
		bool italian = strstr(shop.labels[i], "IT") != NULL;
		double part = italian ? 1 : i == 0 || i == 4 || i == 5 ? 0.2 : 0;
		for (uint32_t k = 0; k < 3; k++) {
			double events = memory[i][k].expected;
			/* Deviations from what was expected: two below, each scattering by 10. */
			memory[i][k] = (struct recent){-2 * part * events, 0, 100 * events, events};
		}
	}
	shop.value[3] = 38;
	expected[3] = 40;
	cr_assert_eq(ask(0), 1);
	cr_assert_str_eq(said[0].slice, "country=IT");
	cr_assert_eq(said[0].observed, 38, "of this interval");
	cr_assert_eq(said[0].expected, 40);
	cr_assert_eq(said[0].since, 1000);
}

Test(explain, kinds_that_remember_no_stretches_go_by_their_sums)
{
	remember(100, (const double[3][2]){{1, 1}, {1, 1}, {0.5, 0.5}}, 10);
	expected[3] = 20;
	shop.value[3] = 10;
	cr_assert_eq(ask_of(&forgets, 0, -1), 1);
	cr_assert_str_eq(said[0].slice, "country=IT");
	cr_assert_eq(said[0].observed, 10);
	cr_assert_eq(said[0].expected, 20);
	cr_assert_eq(said[0].since, 1000);
}

/* The detector's own memory: the sums of the last intervals, and forecasts from before them. */
Test(explain, seasonal_remembers_what_came)
{
	static struct market market;
	struct detector_spec spec = {.name = "orders",
				     .metric = "orders",
				     .kind = DETECTOR_SEASONAL,
				     .severity = 75,
				     .for_intervals = 1,
				     .recover_intervals = 3,
				     .learn_intervals = 1};
	static double last[1100];
	struct probe probe;
	uint32_t lengths[DETECTOR_RECENT], count = 0;
	struct recent recent[DETECTOR_RECENT];

	market_init(&market, 3, 200, 60000, AGGREGATE_COUNT);
	probe_init(&probe, &detector_seasonal, &spec, MARKET_SLICES);
	for (uint32_t k = 0; k < 6000; k++) {
		market_step(&market);
		probe_step(&probe, &market.shop);
		memmove(&last[1], &last[0], sizeof(last) - sizeof(last[0]));
		last[0] = market.shop.value[5];
		if (k < 5900)
			continue;
		count = detector_seasonal.recent_lengths(probe.state, lengths);
		detector_seasonal.recent(probe.state, 5, recent);
		double sum = 0;
		for (uint32_t i = 0, n = 0; i < count; i++) {
			cr_assert(lengths[i] >= n, "the shortest first");
			for (; n < lengths[i]; n++)
				sum += last[n];
			cr_assert_float_eq(recent[i].observed, sum, 1e-3, "%u intervals", n);
			/* Noise of the level before, and of the sum; and the shape's error. */
			cr_assert_float_eq(recent[i].expected / sum, 1, 6 / sqrt(sum) + 0.15);
			cr_assert(recent[i].variance >= 0.7 * recent[i].expected);
		}
	}
	cr_assert_eq(count, DETECTOR_RECENT);
	probe_fini(&probe);
}

static void keep_explained(void *self, const struct anomaly *anomaly)
{
	struct anomaly *kept = self;

	if (anomaly->explanations > 0)
		*kept = *anomaly;
}

/* A detector of hours over minutes counts hours; what it tells is in intervals. */
Test(explain, since_is_an_interval_where_periods_are_longer)
{
	struct detector_spec spec = {.name = "orders",
				     .metric = "orders",
				     .kind = DETECTOR_SEASONAL,
				     .severity = 60,
				     .frequency_ms = 3600000,
				     .for_intervals = 1,
				     .recover_intervals = 2,
				     .learn_intervals = 1};
	struct bank *bank = bank_create(&spec);
	struct anomaly kept = {.explanations = 0};
	const int32_t day = 144, from = 20 * day;

	shop_init(&shop, 3, 4, 600000, AGGREGATE_COUNT);
	name_slice(0, 0, NULL, NULL);
	for (uint32_t c = 0; c < 3; c++)
		name_slice(1 + c, 1, countries[c], NULL);
	for (int32_t k = 0; k < from + day; k++) {
		double all = 0;

		shop.observations.interval = k;
		for (uint32_t i = 1; i < 4; i++) {
			double part = i == 1 && k >= from ? 0.4 : 1;
			shop_draw(&shop, i, 20 * part * shop_shape(shop_hours(&shop)));
			all += shop.value[i];
		}
		shop.value[0] = shop.events[0] = shop.squares[0] = all;
		cr_assert_eq(bank_step(bank, &shop.observations, keep_explained, &kept), 0);
	}
	cr_assert_gt(kept.explanations, 0);
	cr_assert_geq(kept.start, from);
	cr_assert_str_eq(kept.explanation[0].slice, "country=DE");
	cr_expect_geq(kept.explanation[0].since, from - day, "%ld",
		      (long)kept.explanation[0].since);
	cr_expect_leq(kept.explanation[0].since, kept.interval);
	cr_expect_eq(kept.explanation[0].since % 6, 0, "an hour begins");
	bank_destroy(bank);
}
