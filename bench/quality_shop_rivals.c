/*
 * quality_shop_rivals: the rules that people run, over the same twins.
 */
#include <errno.h>

#include "quality_shop.h"
#include "rival.h"

#define MINUTE_MS 60000
#define LOUD_DEVIATIONS 3.0

static const struct {
	enum shop_method method;
	enum rival_kind kind;
	uint32_t window;
} rivals[] = {
	{SHOP_HOUR, RIVAL_SLIDING, 60},
	{SHOP_DAY, RIVAL_SLIDING, COUNTS_DAY},
	{SHOP_WEEK, RIVAL_SLIDING, COUNTS_WEEK},
	{SHOP_PROFILE, RIVAL_HOUR_OF_WEEK, 0},
};

static int run(struct shop_part *part, const struct shop_twins *twins, uint32_t index,
	       enum shop_method method, struct rival *sober, struct rival *fooled)
{
	const float *clean = shop_row(twins->clean, index);
	const float *injected = shop_row(twins->injected, index);

	if (!sober || !fooled)
		return -ENOMEM;
	for (uint32_t t = 0; t < SHOP_MINUTES; t++) {
		int64_t interval = (int64_t)(COUNTS_START_MS / MINUTE_MS) + t;
		double a = rival_step(sober, interval, shop_value(twins, index, t, clean[t]));
		double b = rival_step(fooled, interval, shop_value(twins, index, t, injected[t]));
		if (t >= SHOP_TEST && !(shop_aside(twins, index, t) & TWINS_UNCOUNTED))
			shop_note(part, method, twins->from + index, t, a, b, a >= LOUD_DEVIATIONS);
	}
	return 0;
}

int shop_rivals(struct shop_part *part, const struct shop_twins *twins)
{
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < twins->count; i++) {
		for (uint32_t k = 0; ret == 0 && k < sizeof(rivals) / sizeof(rivals[0]); k++) {
			struct rival *sober = rival_create(rivals[k].kind, MINUTE_MS,
							   rivals[k].window);
			struct rival *fooled = rival_create(rivals[k].kind, MINUTE_MS,
							    rivals[k].window);
			ret = run(part, twins, i, rivals[k].method, sober, fooled);
			rival_destroy(sober);
			rival_destroy(fooled);
		}
	}
	return ret;
}
