/*
 * quality_slices_shop: a shop of six countries and three devices, and what fails in it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quality_lasting.h"
#include "quality_slices.h"
#include "random.h"

#define PLAN_PART UINT64_C(0x736c6963) /* of the random streams */
#define THIN_PART UINT64_C(0x7468696e)

const double slices_sizes[SLICES_SIZES] = {0.2, 0.4, 0.7};

/* The cells of slices are numbered country after country. */
static uint32_t cells_of(uint32_t slice)
{
	const uint32_t country = (1U << SLICES_DEVICES) - 1;
	uint32_t device = 0;

	if (slice < SLICES_COUNTRY)
		return (1U << SLICES_CELLS) - 1;
	if (slice < SLICES_DEVICE)
		return country << (slice - SLICES_COUNTRY) * SLICES_DEVICES;
	if (slice >= SLICES_PAIR)
		return 1U << (slice - SLICES_PAIR);
	for (uint32_t i = 0; i < SLICES_COUNTRIES; i++)
		device |= 1U << (i * SLICES_DEVICES + slice - SLICES_DEVICE);
	return device;
}

void slices_place(uint32_t slice, struct slices_place *ret_place)
{
	const struct market_dimension *countries = &market_dimensions[0];
	const struct market_dimension *devices = &market_dimensions[1];

	*ret_place = (struct slices_place){.cells = cells_of(slice)};
	if (slice == 0)
		return;
	bool device = slice >= SLICES_DEVICE && slice < SLICES_PAIR;
	const struct market_dimension *dimension = device ? devices : countries;
	uint32_t value = device                 ? slice - SLICES_DEVICE
			 : slice >= SLICES_PAIR ? (slice - SLICES_PAIR) / SLICES_DEVICES
						: slice - SLICES_COUNTRY;
	ret_place->rollup = slice >= SLICES_PAIR ? 3 : 1 + device;
	ret_place->dimensions = 1;
	ret_place->names[0] = dimension->name;
	ret_place->values[0] = dimension->values[value].name;
	snprintf(ret_place->label, sizeof(ret_place->label), "%s=%s", ret_place->names[0],
		 ret_place->values[0]);
	if (slice < SLICES_PAIR)
		return;
	size_t length = strlen(ret_place->label);
	ret_place->dimensions = 2;
	ret_place->names[1] = devices->name;
	ret_place->values[1] = devices->values[(slice - SLICES_PAIR) % SLICES_DEVICES].name;
	snprintf(ret_place->label + length, sizeof(ret_place->label) - length, ",%s=%s",
		 ret_place->names[1], ret_place->values[1]);
}

/* Which slices fail. */
static void choose(struct random *random, struct slices_fault *fault)
{
	static const uint32_t first[SLICES_KINDS] = {SLICES_COUNTRY, SLICES_DEVICE, SLICES_PAIR,
						     SLICES_COUNTRY, SLICES_PAIR};
	static const uint32_t counts[SLICES_KINDS] = {SLICES_COUNTRIES, SLICES_DEVICES,
						      SLICES_CELLS, SLICES_COUNTRIES, SLICES_CELLS};
	const uint32_t from = first[fault->kind], count = counts[fault->kind];

	fault->count = fault->kind >= SLICES_TWO_COUNTRIES ? 2 : 1;
	fault->slices[0] = from + random_below(random, count);
	if (fault->kind == SLICES_TWO_COUNTRIES) {
		uint32_t other = random_below(random, count - 1);
		fault->slices[1] = from + (fault->slices[0] - from + 1 + other) % count;
	} else if (fault->kind == SLICES_TWO_PAIRS) {
		uint32_t pair = fault->slices[0] - SLICES_PAIR;
		uint32_t country = (pair / SLICES_DEVICES + 1 +
				    random_below(random, SLICES_COUNTRIES - 1)) %
				   SLICES_COUNTRIES;
		uint32_t device = (pair % SLICES_DEVICES + 1 +
				   random_below(random, SLICES_DEVICES - 1)) %
				  SLICES_DEVICES;
		fault->slices[1] = SLICES_PAIR + country * SLICES_DEVICES + device;
	}
}

void slices_shop_init(struct slices_shop *shop, const struct slices_request *request, double rate,
		      uint32_t index)
{
	struct random random = random_keyed(request->seed, (uint64_t)llround(rate * 1000),
					    PLAN_PART + index);

	*shop = (struct slices_shop){
		.spec = {.seed = request->seed,
			 .rate = rate,
			 .series = index,
			 .minutes = SLICES_MINUTES,
			 .tier = request->other ? &counts_tiers_other[1] : &counts_tiers[1],
			 .other = request->other}};
	for (uint32_t cell = 0; cell < SLICES_CELLS; cell++)
		shop->shares[cell] =
			market_dimensions[0].values[cell / SLICES_DEVICES].share *
			market_dimensions[1].values[cell % SLICES_DEVICES].share;
	for (uint32_t i = 0; i < SLICES_FAULTS; i++) {
		struct slices_fault *fault = &shop->faults[i];
		uint32_t turn = index * SLICES_FAULTS + i;
		fault->kind = (enum slices_kind)(turn % SLICES_KINDS);
		fault->size = turn / SLICES_KINDS % SLICES_SIZES;
		fault->onset = SLICES_TEST + i * SLICES_SPACING +
			       random_below(&random, SLICES_SPACING - SLICES_WINDOW);
		choose(&random, fault);
	}
}

/* Is the mean evidence for it, of the slice that has more of it, enough for a test that knows all
 * and gives as many false alarms? See LASTING_NATS. */
static void note_possible(struct slices_fault *fault, const double *evidence)
{
	double most = fault->count > 1 ? fmax(evidence[0], evidence[1]) : evidence[0];

	fault->answers[SLICES_WEEKLY].possible = most >= LASTING_NATS;
	fault->answers[SLICES_SHIPPED].possible =
		most >= LASTING_NATS + log(SLICES_BUDGET_WEEKS * SLICES_COUNT);
}

static void plant(const struct slices_shop *shop, struct slices_fault *fault, const float *lambda,
		  float *injected)
{
	const double size = slices_sizes[fault->size];
	double evidence[2] = {0.0, 0.0};

	for (uint32_t k = 0; k < fault->count; k++) {
		const uint32_t cells = cells_of(fault->slices[k]);
		struct random random = random_keyed(shop->spec.seed + shop->spec.series,
						    THIN_PART + fault->slices[k], fault->onset);
		for (uint32_t t = fault->onset; t < fault->onset + SLICES_LENGTH; t++) {
			double mean = 0.0;
			for (uint32_t cell = 0; cell < SLICES_CELLS; cell++) {
				size_t at = (size_t)cell * SLICES_MINUTES + t;
				if (!(cells >> cell & 1) || isnan(injected[at]))
					continue;
				mean += (double)lambda[at];
				injected[at] = (float)random_binomial(
					&random, (uint64_t)injected[at], 1.0 - size);
			}
			evidence[k] += lasting_evidence(mean, -size);
		}
	}
	note_possible(fault, evidence);
}

void slices_shop_make(struct slices_shop *shop, float *lambda, float *clean, float *injected)
{
	counts_make_parts(&shop->spec, shop->shares, SLICES_CELLS, lambda, clean);
	memcpy(injected, clean, (size_t)SLICES_CELLS * SLICES_MINUTES * sizeof(*clean));
	for (uint32_t i = 0; i < SLICES_FAULTS; i++)
		plant(shop, &shop->faults[i], lambda, injected);
}
