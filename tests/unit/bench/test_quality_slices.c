/* quality slices: what fails is planted where it says, and named is what was named. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quality_rates.h"
#include "quality_slices.h"

#define CELLS ((size_t)SLICES_CELLS * SLICES_MINUTES)

static const double one_rate = 200;
static const struct slices_request request = {
	.seed = 3, .shops = 15, .threads = 1, .rates = &one_rate, .rates_count = 1};

Test(quality_slices, countries_devices_and_pairs_each_make_up_the_whole)
{
	const uint32_t bounds[] = {SLICES_COUNTRY, SLICES_DEVICE, SLICES_PAIR, SLICES_COUNT};
	struct slices_place place, other;

	slices_place(0, &place);
	cr_expect(place.cells == (1U << SLICES_CELLS) - 1 && place.rollup == 0 &&
		  place.dimensions == 0 && *place.label == '\0');
	for (uint32_t group = 0; group < 3; group++) {
		uint32_t all = 0;
		for (uint32_t i = bounds[group]; i < bounds[group + 1]; i++) {
			slices_place(i, &place);
			cr_expect_eq(place.rollup, group + 1);
			cr_expect_eq(all & place.cells, 0, "%s", place.label);
			all |= place.cells;
		}
		cr_expect_eq(all, (1U << SLICES_CELLS) - 1);
	}
	/* A pair is what its country and its device have in common. */
	for (uint32_t i = SLICES_PAIR; i < SLICES_COUNT; i++) {
		char label[64];
		uint32_t cells = (1U << SLICES_CELLS) - 1;
		slices_place(i, &place);
		for (uint32_t k = SLICES_COUNTRY; k < SLICES_PAIR; k++) {
			slices_place(k, &other);
			const char *at = strstr(place.label, other.label);
			cells &= at ? other.cells : UINT32_MAX;
		}
		cr_expect_eq(cells, place.cells, "%s", place.label);
		snprintf(label, sizeof(label), "%s=%s,%s=%s", place.names[0], place.values[0],
			 place.names[1], place.values[1]);
		cr_expect_str_eq(label, place.label);
	}
}

Test(quality_slices, only_what_fails_is_less_and_by_its_size)
{
	float *room = malloc(3 * CELLS * sizeof(float));
	float *lambda = room, *clean = room + CELLS, *injected = clean + CELLS;
	static struct slices_shop shop;

	slices_shop_init(&shop, &request, 1000, 4);
	slices_shop_make(&shop, lambda, clean, injected);
	for (uint32_t i = 0; i < SLICES_FAULTS; i++) {
		const struct slices_fault *fault = &shop.faults[i];
		uint32_t cells = 0;
		double before = 0.0, after = 0.0;
		for (uint32_t k = 0; k < fault->count; k++) {
			struct slices_place place;
			slices_place(fault->slices[k], &place);
			cr_expect_eq(cells & place.cells, 0, "they have nothing in common");
			cells |= place.cells;
		}
		cr_assert_eq(fault->onset / SLICES_SPACING, SLICES_TEST / SLICES_SPACING + i);
		for (uint32_t cell = 0; cell < SLICES_CELLS; cell++) {
			for (uint32_t t = i * SLICES_SPACING; t < (i + 1) * SLICES_SPACING; t++) {
				size_t at = (size_t)cell * SLICES_MINUTES + SLICES_TEST + t;
				uint32_t since = SLICES_TEST + t - fault->onset;
				if (isnan(clean[at]) || !(cells >> cell & 1) ||
				    since >= SLICES_LENGTH) {
					cr_assert(isnan(clean[at]) ? isnan(injected[at])
								   : injected[at] == clean[at]);
					continue;
				}
				before += (double)clean[at];
				after += (double)injected[at];
			}
		}
		cr_expect_lt(fabs(before - after - slices_sizes[fault->size] * before),
			     5 * sqrt(before) + 1e-9, "%g of %g", after, before);
		cr_expect(fault->answers[SLICES_WEEKLY].possible ||
			  !fault->answers[SLICES_SHIPPED].possible);
	}
	free(room);
}

Test(quality_slices, every_kind_and_size_of_fault_comes_as_often)
{
	uint32_t seen[SLICES_KINDS][SLICES_SIZES] = {{0}};

	for (uint32_t i = 0; i < request.shops; i++) {
		static struct slices_shop shop;
		slices_shop_init(&shop, &request, 200, i);
		for (uint32_t k = 0; k < SLICES_FAULTS; k++)
			seen[shop.faults[k].kind][shop.faults[k].size]++;
	}
	for (uint32_t kind = 0; kind < SLICES_KINDS; kind++)
		for (uint32_t size = 0; size < SLICES_SIZES; size++)
			cr_expect_eq(seen[kind][size], SLICES_FAULTS);
}

Test(quality_slices, parts_share_half_of_the_noise_and_add_up_to_the_rate)
{
	float *room = malloc(2 * CELLS * sizeof(float));
	static struct slices_shop shop;
	double sum = 0.0, apart = 0.0, together = 0.0;

	slices_shop_init(&shop, &request, 200, 1);
	counts_make_parts(&shop.spec, shop.shares, SLICES_CELLS, room, room + CELLS);
	for (uint32_t t = 0; t < SLICES_MINUTES; t++) {
		for (uint32_t cell = 0; cell < SLICES_CELLS; cell++)
			sum += (double)room[(size_t)cell * SLICES_MINUTES + t] / SLICES_MINUTES;
		/* Their own noise is the difference of two, relative to their shares. */
		double a = log((double)room[t] / shop.shares[0]);
		double b = log((double)room[SLICES_MINUTES + t] / shop.shares[1]);
		apart += (a - b) * (a - b) / SLICES_MINUTES;
		together += (a - b) / SLICES_MINUTES;
	}
	cr_expect_float_eq(sum, 200, 16, "%g", sum);
	/* Each has sqrt(0.5) of 3 % and of 2 %, and of a trend: about 3.6 % for the difference. */
	double spread = sqrt(apart - together * together);
	cr_expect(spread > 0.02 && spread < 0.06, "%g", spread);
	free(room);
}

static void say(struct anomaly *anomaly, const char *first, const char *second)
{
	anomaly->explanations = (first != NULL) + (second != NULL);
	snprintf(anomaly->explanation[0].slice, ANOMALY_LABEL_BYTES, "%s", first ? first : "");
	snprintf(anomaly->explanation[1].slice, ANOMALY_LABEL_BYTES, "%s", second ? second : "");
}

Test(quality_slices, named_are_all_that_fail_and_no_others)
{
	struct slices_fault one = {.count = 1, .slices = {SLICES_COUNTRY + 2}};
	struct slices_fault two = {.count = 2, .slices = {SLICES_COUNTRY + 2, SLICES_COUNTRY}};
	static struct anomaly anomaly;

	say(&anomaly, "country=IT", NULL);
	cr_expect(slices_named(&one, &anomaly) && !slices_named(&two, &anomaly));
	say(&anomaly, "country=DE", "country=IT");
	cr_expect(!slices_named(&one, &anomaly) && slices_named(&two, &anomaly));
	say(&anomaly, "country=IT,device=mobile", NULL);
	cr_expect(!slices_named(&one, &anomaly) && !slices_named(&two, &anomaly));
	say(&anomaly, NULL, NULL);
	cr_expect(!slices_named(&one, &anomaly) && !slices_named(&two, &anomaly));
}

Test(quality_slices, rates_are_numbers_with_commas)
{
	double rates[3];
	uint32_t count;

	cr_expect_eq(quality_rates("0.5,20,1e3", 3, rates, &count), 0);
	cr_expect(count == 3 && rates[0] == 0.5 && rates[1] == 20 && rates[2] == 1000);
	const char *const wrong[] = {"", "5,", "5;6", "0", "nan", "1,2,3,4", "1e9"};
	for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_lt(quality_rates(wrong[i], 3, rates, &count), 0, "%s", wrong[i]);
}
