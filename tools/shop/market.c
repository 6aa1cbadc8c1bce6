/*
 * market: who visits the shop and what they do there: events, dimension values, shares, prices.
 */
#include "market.h"

#include <math.h>

#include "random.h"
#include "weir/weir.h"

static const struct market_value countries[] = {
	{"DE", 0.30, 1.10, 1.00}, {"FR", 0.20, 1.00, 1.05}, {"IT", 0.16, 0.90, 1.10},
	{"ES", 0.14, 0.85, 1.05}, {"NL", 0.11, 1.05, 0.90}, {"AT", 0.09, 1.15, 0.95},
};

static const struct market_value devices[] = {
	{"mobile", 0.58, 0.80, 1.15},
	{"desktop", 0.34, 1.35, 0.80},
	{"tablet", 0.08, 0.95, 0.90},
};

static const struct market_value channels[] = {
	{WEIR_CHANNEL_ORGANIC_NONBRANDED, 0.26, 0.80, 1.05},
	{WEIR_CHANNEL_CPC, 0.21, 0.95, 1.30},
	{WEIR_CHANNEL_ORGANIC_BRANDED, 0.17, 1.30, 0.70},
	{WEIR_CHANNEL_DIRECT, 0.17, 1.15, 0.90},
	{WEIR_CHANNEL_EMAIL, 0.08, 1.40, 0.75},
	{WEIR_CHANNEL_REFERRAL, 0.06, 0.90, 1.00},
	{WEIR_CHANNEL_SOCIAL, 0.05, 0.50, 1.50},
};

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

const struct market_dimension market_dimensions[MARKET_DIMENSIONS] = {
	{WEIR_COUNTRY, countries, COUNT(countries)},
	{WEIR_DEVICE, devices, COUNT(devices)},
	{WEIR_CHANNEL, channels, COUNT(channels)},
};

_Static_assert(COUNT(countries) * COUNT(devices) * COUNT(channels) == MARKET_CELLS,
	       "a cell for each combination");

static const struct {
	const char *name;
	double ratio;        /* per page view */
	double median_cents; /* of the value */
	double sigma;        /* of its logarithm */
} events[MARKET_EVENTS] = {
	[MARKET_PAGE_VIEW] = {WEIR_PAGE_VIEW, 1.0, 100.0, 0.0},
	[MARKET_VIEW_ITEM] = {WEIR_VIEW_ITEM, 0.45, 2400.0, 0.7},
	[MARKET_ADD_TO_CART] = {WEIR_ADD_TO_CART, 0.12, 2800.0, 0.7},
	[MARKET_BEGIN_CHECKOUT] = {WEIR_BEGIN_CHECKOUT, 0.06, 6200.0, 0.65},
	[MARKET_PURCHASE] = {WEIR_PURCHASE, 0.035, 5800.0, 0.65},
	[MARKET_REFUND] = {WEIR_REFUND, 0.0025, -4000.0, 0.6},
	/* 4.5 pages a visit; two visits of five end after the first. */
	[MARKET_SESSION_START] = {WEIR_SESSION_START, 0.22, 100.0, 0.0},
	[MARKET_BOUNCE] = {WEIR_BOUNCE, 0.088, 100.0, 0.0},
	[MARKET_SEARCH] = {WEIR_SEARCH, 0.04, 100.0, 0.0},
};

const char *market_event_name(enum market_event event)
{
	return events[event].name;
}

double market_event_ratio(enum market_event event)
{
	return events[event].ratio;
}

uint32_t market_series_value(uint32_t series, uint32_t dimension)
{
	uint32_t index = series % MARKET_CELLS;
	for (uint32_t i = MARKET_DIMENSIONS - 1; i > dimension; i--)
		index /= market_dimensions[i].count;
	return index % market_dimensions[dimension].count;
}

/* How a value differs from the shop as a whole, in what one event depends on. */
static double relative(const struct market_value *value, enum market_event event)
{
	if (event == MARKET_BOUNCE)
		return value->bounce;
	return event >= MARKET_ADD_TO_CART && event <= MARKET_REFUND ? value->conversion : 1.0;
}

double market_series_ratio(uint32_t series)
{
	enum market_event event = market_series_event(series);
	double ratio = events[event].ratio;
	for (uint32_t i = 0; i < MARKET_DIMENSIONS; i++) {
		const struct market_dimension *dimension = &market_dimensions[i];
		const struct market_value *value =
			&dimension->values[market_series_value(series, i)];
		double mean = 0.0;
		for (uint32_t j = 0; j < dimension->count; j++)
			mean += dimension->values[j].share * relative(&dimension->values[j], event);
		ratio *= value->share * relative(value, event) / mean;
	}
	return ratio;
}

void market_prices_init(struct market_prices *prices)
{
	for (int i = 0; i < MARKET_PRICES; i++) {
		double z = normal_quantile((i + 0.5) / MARKET_PRICES);
		for (int event = 0; event < MARKET_EVENTS; event++)
			prices->cents[event][i] = (int32_t)lround(events[event].median_cents *
								  exp(events[event].sigma * z));
	}
}
