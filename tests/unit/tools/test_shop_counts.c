/* counts: what the generator of the quality benchmark says of its series is true of them. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "counts.h"
#include "random.h"

#define WEEKS 2
#define MINUTES (WEEKS * COUNTS_WEEK)

static float lambda[MINUTES], clean[MINUTES], other[MINUTES], visits[MINUTES];

static struct counts_spec spec_of(uint32_t tier, double rate, uint32_t series)
{
	return (struct counts_spec){.seed = 11,
				    .rate = rate,
				    .series = series,
				    .minutes = MINUTES,
				    .tier = &counts_tiers[tier]};
}

/* Mean of (x - lambda)^2 / (lambda + (extra lambda)^2) over the minutes that are there. */
static double scatter(double extra, double *ret_bias)
{
	double squares = 0.0, sum = 0.0, expected = 0.0;
	uint32_t count = 0;
	for (uint32_t t = 0; t < MINUTES; t++) {
		if (isnan(clean[t]))
			continue;
		double error = (double)clean[t] - (double)lambda[t];
		squares += error * error /
			   ((double)lambda[t] +
			    extra * extra * (double)lambda[t] * (double)lambda[t]);
		sum += error;
		expected += (double)lambda[t];
		count++;
	}
	*ret_bias = sum / expected;
	return squares / count;
}

Test(shop_counts, tier_0_is_poisson_around_a_season_of_the_rate_and_nothing_else)
{
	const double rates[] = {1, 20, 500};
	for (uint32_t i = 0; i < 3; i++) {
		struct counts_spec spec = spec_of(0, rates[i], i);
		double sum = 0.0, bias;
		counts_make(&spec, lambda, clean);
		for (uint32_t t = 0; t < COUNTS_WEEK; t++) {
			sum += (double)lambda[t];
			cr_assert_float_eq(lambda[t], lambda[t + COUNTS_WEEK], 1e-5F * lambda[t]);
		}
		cr_expect_float_eq(sum / COUNTS_WEEK / rates[i], 1.0, 1e-4);
		cr_expect_float_eq(scatter(0.0, &bias), 1.0,
				   5 * sqrt((2 + 10 / rates[i]) / MINUTES));
		cr_expect_lt(fabs(bias), 5 / sqrt(rates[i] * MINUTES), "rate %g: %g", rates[i],
			     bias);
		for (uint32_t t = 0; t < MINUTES; t++)
			cr_assert(clean[t] >= 0 && clean[t] == floorf(clean[t]));
	}
}

Test(shop_counts, tier_1_scatters_more_and_has_gaps)
{
	struct counts_spec spec = spec_of(1, 2000, 0);
	uint32_t missing = 0, longest = 0, run = 0;
	double bias;

	counts_make(&spec, lambda, clean);
	cr_expect_float_eq(scatter(0.03, &bias), 1.0, 0.05);
	cr_expect_gt(scatter(0.0, &bias), 1.5, "the counts of 2000 a minute scatter by 3 %% more");
	for (uint32_t t = 0; t < MINUTES; t++) {
		bool gone = isnan(clean[t]);
		missing += gone;
		run = gone ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	/* 20 single ones, and three times 10 to 60. */
	cr_expect(missing >= 30 && missing <= 240, "%u", missing);
	cr_expect(longest >= 10 && longest <= 125, "%u", longest);
}

Test(shop_counts, the_slow_noise_of_tier_1_is_as_large_as_it_says_and_never_jumps)
{
	static float calm[MINUTES];
	double squares = 0.0, steps = 0.0, largest = 0.0;
	enum { SERIES = 24 };

	for (uint32_t series = 0; series < SERIES; series++) {
		struct counts_spec quiet = spec_of(0, 100, series), noisy = spec_of(1, 100, series);
		counts_make(&quiet, calm, clean);
		counts_make(&noisy, lambda, clean);
		double before = log((double)lambda[0] / (double)calm[0]);
		for (uint32_t t = 1; t < COUNTS_WEEK; t++) {
			double now = log((double)lambda[t] / (double)calm[t]);
			squares += now * now / SERIES / COUNTS_WEEK;
			steps += (now - before) * (now - before) / SERIES / COUNTS_WEEK;
			largest = fmax(largest, fabs(now - before));
			before = now;
		}
	}
	/* 3 % and 2 %, and a trend of up to 2 %; a step is 3 % * sqrt(2 / 360 minutes). */
	cr_expect(sqrt(squares) > 0.03 && sqrt(squares) < 0.043, "%g", sqrt(squares));
	cr_expect_float_eq(sqrt(steps), 0.03 * sqrt(2.0 / 360), 1e-4);
	cr_expect_lt(largest, 6 * 0.03 * sqrt(2.0 / 360));
}

Test(shop_counts, what_is_injected_has_its_size_and_the_rest_is_as_it_was)
{
	for (uint32_t i = 0; i < COUNTS_SIZES; i++) {
		struct counts_spec spec = spec_of(0, 100, i);
		struct injection one = {
			.onset = 3000 + 100 * i, .length = 1440, .size = counts_sizes[i]};
		double sum = 0.0, expected = 0.0;

		counts_make(&spec, lambda, clean);
		memcpy(other, clean, sizeof(other));
		counts_inject(&spec, &one, lambda, other);
		for (uint32_t t = 0; t < MINUTES; t++) {
			if (t < one.onset || t >= one.onset + one.length) {
				cr_assert_eq(other[t], clean[t]);
				continue;
			}
			cr_assert(one.size < 0 ? other[t] <= clean[t] : other[t] >= clean[t]);
			sum += (double)other[t];
			expected += (double)lambda[t] * (1 + one.size);
		}
		cr_expect_leq(fabs(sum - expected), 5 * sqrt(expected), "size %g: %g of %g",
			      one.size, sum, expected);
	}
}

Test(shop_counts, missing_minutes_stay_missing_where_something_is_injected)
{
	struct counts_spec spec = spec_of(1, 20, 4);
	struct injection one = {.onset = 0, .length = MINUTES, .size = 0.5};

	counts_make(&spec, lambda, clean);
	memcpy(other, clean, sizeof(other));
	counts_inject(&spec, &one, lambda, other);
	for (uint32_t t = 0; t < MINUTES; t++)
		cr_assert_eq(isnan(clean[t]), isnan(other[t]));
}

Test(shop_counts, the_plan_has_each_combination_equally_often_and_one_in_each_block)
{
	enum { SERIES = 40, BLOCKS = 14, SPACING = 2 * COUNTS_DAY, FROM = 1000 };
	static struct injection plan[SERIES * BLOCKS];
	uint32_t seen[COUNTS_SIZES][COUNTS_LENGTHS] = {{0}};
	struct counts_spec spec = spec_of(0, 5, 0);

	counts_plan(&spec, SERIES, FROM, SPACING, BLOCKS, plan);
	for (uint32_t i = 0; i < SERIES * BLOCKS; i++) {
		uint32_t begin = FROM + i % BLOCKS * SPACING, size = 0, length = 0;
		cr_assert_eq(plan[i].series, i / BLOCKS);
		cr_assert(plan[i].onset >= begin &&
			  plan[i].onset + plan[i].length + 2 <= begin + SPACING);
		while (counts_sizes[size] != plan[i].size)
			cr_assert_lt(++size, COUNTS_SIZES);
		while (counts_lengths[length] != plan[i].length)
			cr_assert_lt(++length, COUNTS_LENGTHS);
		seen[size][length]++;
	}
	for (uint32_t size = 0; size < COUNTS_SIZES; size++)
		for (uint32_t length = 0; length < COUNTS_LENGTHS; length++)
			cr_expect_eq(seen[size][length], BLOCKS);
}

Test(shop_counts, a_series_is_the_same_again_and_others_are_others)
{
	struct counts_spec spec = spec_of(1, 20, 1);

	counts_make(&spec, lambda, clean);
	counts_make(&spec, lambda, other);
	cr_expect_eq(memcmp(clean, other, sizeof(clean)), 0);
	spec.series = 2;
	counts_make(&spec, lambda, other);
	cr_expect_neq(memcmp(clean, other, sizeof(clean)), 0);
	spec.series = 1, spec.seed = 12;
	counts_make(&spec, lambda, other);
	cr_expect_neq(memcmp(clean, other, sizeof(clean)), 0);
}

Test(shop_counts, orders_are_a_binomial_share_of_the_visits)
{
	struct counts_spec spec = spec_of(0, 100, 3);
	double squares = 0.0, orders = 0.0, expected = 0.0, all = 0.0;

	counts_make_conversion(&spec, lambda, clean, visits);
	for (uint32_t t = 0; t < MINUTES; t++) {
		double share = (double)lambda[t] / (double)visits[t];
		double error = (double)clean[t] - (double)lambda[t];
		cr_assert_leq(clean[t], visits[t]);
		cr_assert(share > 0.02 && share < 0.031, "%g", share);
		squares += error * error / ((double)lambda[t] * (1 - share)) / MINUTES;
		orders += (double)clean[t];
		expected += (double)lambda[t];
		all += (double)visits[t] / MINUTES;
	}
	cr_expect_float_eq(squares, 1.0, 0.06);
	cr_expect_lt(fabs(orders - expected), 5 * sqrt(expected));
	cr_expect_float_eq(all, 100.0 * COUNTS_VISITS, 0.01 * 100.0 * COUNTS_VISITS);
}

Test(shop_counts, revenue_is_so_many_orders_of_the_shops_prices)
{
	static struct market_prices prices;
	struct counts_spec spec = spec_of(0, 20, 3);
	double mean, square, sum = 0.0, orders = 0.0, squares = 0.0, variance = 0.0;

	market_prices_init(&prices);
	counts_price_moments(&prices, &mean, &square);
	counts_make(&spec, lambda, clean);
	memcpy(other, clean, sizeof(other));
	other[5] = NAN;
	counts_price(&spec, &prices, 0, MINUTES, other);
	cr_expect(isnan(other[5]));
	other[5] = 0;
	for (uint32_t t = 6; t < MINUTES; t++) {
		double error = (double)other[t] - mean * (double)lambda[t];
		orders += (double)clean[t];
		sum += (double)other[t];
		squares += error * error;
		variance += square * (double)lambda[t];
	}
	cr_expect_float_eq(sum / orders / mean, 1.0, 5 * sqrt(square / mean / mean / orders));
	cr_expect_float_eq(squares / variance, 1.0, 0.1, "%g", squares / variance);
	/* Part of it is priced as the whole is. */
	counts_price(&spec, &prices, 100, 200, clean);
	cr_expect_eq(memcmp(&clean[100], &other[100], 100 * sizeof(float)), 0);
	cr_expect_eq(clean[200], floorf(clean[200]));
}

/* Tier 2 is tier 1 times what happens. */
Test(shop_counts, what_happens_multiplies_the_mean_for_as_long_as_it_says)
{
	static float calm[MINUTES], times[MINUTES];
	struct happening happenings[COUNTS_HAPPENINGS_MAX];

	for (uint32_t series = 0; series < 6; series++) {
		struct counts_spec quiet = spec_of(1, 100, series), busy = spec_of(2, 100, series);
		struct counts_tier weekly = counts_tiers[2];
		weekly.holiday_weeks = 1;
		busy.tier = &weekly;
		counts_make(&quiet, calm, clean);
		counts_make(&busy, lambda, clean);
		cr_assert_eq(counts_happenings(&quiet, happenings), 0);
		cr_assert_eq(counts_happenings(&busy, happenings), WEEKS / 2 + WEEKS);
		for (uint32_t t = 0; t < MINUTES; t++)
			times[t] = 1;
		for (uint32_t i = 0; i < WEEKS / 2 + WEEKS; i++) {
			const struct happening *one = &happenings[i];
			bool holiday = i >= WEEKS / 2;
			if (holiday)
				cr_expect(one->start % COUNTS_DAY == 0 && one->factor == 2.2 &&
					  one->length == COUNTS_DAY && one->after == 120 &&
					  one->start / COUNTS_WEEK == i - WEEKS / 2);
			else
				cr_expect(one->length >= 120 && one->length <= 360 &&
					  one->factor > 1.3 && one->factor < 2 && one->after == 60);
			cr_assert_leq(one->start + one->length, MINUTES);
			for (uint32_t t = one->start; t < one->start + one->length; t++)
				times[t] *= (float)one->factor;
		}
		for (uint32_t t = 0; t < MINUTES; t++)
			cr_assert_float_eq(lambda[t] / calm[t], times[t], 1e-4F);
	}
}

Test(shop_counts, a_calendar_changes_nothing_of_what_happens)
{
	struct counts_spec unknown = spec_of(2, 20, 3), known = spec_of(3, 20, 3);

	counts_make(&unknown, lambda, clean);
	counts_make(&known, lambda, other);
	for (uint32_t t = 0; t < MINUTES; t++)
		cr_assert(isnan(clean[t]) ? isnan(other[t]) : clean[t] == other[t]);
	cr_expect(known.tier->known && !unknown.tier->known);
}

Test(shop_counts, nothing_is_planted_where_something_happens_and_the_rest_stays_where_it_was)
{
	enum { SERIES = 60, BLOCKS = 14, SPACING = 2 * COUNTS_DAY, FROM = 4 * COUNTS_WEEK };
	static struct injection busy[SERIES * BLOCKS], calm[SERIES * BLOCKS];
	struct happening happenings[COUNTS_HAPPENINGS_MAX];
	struct counts_spec spec = spec_of(2, 5, 0);
	uint32_t moved = 0;

	spec.minutes = 8 * COUNTS_WEEK;
	counts_plan(&spec, SERIES, FROM, SPACING, BLOCKS, busy);
	spec.tier = &counts_tiers[1];
	counts_plan(&spec, SERIES, FROM, SPACING, BLOCKS, calm);
	spec.tier = &counts_tiers[2];
	for (uint32_t i = 0; i < SERIES * BLOCKS; i++) {
		spec.series = i / BLOCKS;
		uint32_t count = counts_happenings(&spec, happenings);
		cr_assert_eq(count, 4 + 2);
		for (uint32_t k = 0; k < count; k++)
			cr_assert(busy[i].onset + busy[i].length + 2 <= happenings[k].start ||
				  busy[i].onset >= happenings[k].start + happenings[k].length +
							   happenings[k].after);
		cr_assert(busy[i].size == calm[i].size && busy[i].length == calm[i].length);
		cr_assert_eq(busy[i].onset / SPACING, calm[i].onset / SPACING);
		moved += busy[i].onset != calm[i].onset;
	}
	cr_expect_gt(moved, 0);
}
