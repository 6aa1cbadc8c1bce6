/*
 * market: who visits the shop and what they do there: events, dimension values, shares, prices.
 *
 * A series is one event in one cell (country, device, channel). Its mean rate is
 *
 *   page views per minute * ratio(event) * share(cell) * [conversion(cell) from the cart on]
 *                                                      * [bounce(cell) of bounces]
 *
 * with the shares of a dimension adding up to 1 and conversions and bounces averaging 1, so that
 * the ratios hold exactly for the shop as a whole. Constant tables; pure functions.
 */
#ifndef SHOP_MARKET_H
#define SHOP_MARKET_H

#include <stdint.h>

enum market_event {
	MARKET_PAGE_VIEW,
	MARKET_VIEW_ITEM,
	MARKET_ADD_TO_CART,
	MARKET_BEGIN_CHECKOUT,
	MARKET_PURCHASE,
	MARKET_REFUND,
	MARKET_SESSION_START, /* not of the funnel, from here on */
	MARKET_BOUNCE,
	MARKET_SEARCH,
	MARKET_EVENTS,
};

#define MARKET_DIMENSIONS 3
#define MARKET_CELLS (6 * 3 * 7)
#define MARKET_SERIES (MARKET_EVENTS * MARKET_CELLS)

struct market_value {
	const char *name;
	double share;
	double conversion; /* from the cart on, relative to the others */
	double bounce;     /* of a visit's chance to be one page long, relative to the others */
};

struct market_dimension {
	const char *name;
	const struct market_value *values;
	uint32_t count;
};

extern const struct market_dimension market_dimensions[MARKET_DIMENSIONS];

/* Series are numbered event-major: event * MARKET_CELLS + cell. */
static inline enum market_event market_series_event(uint32_t series)
{
	return (enum market_event)(series / MARKET_CELLS);
}

const char *market_event_name(enum market_event event);
/* Events per page view. */
double market_event_ratio(enum market_event event);
/* Index of the series' value in a dimension. */
uint32_t market_series_value(uint32_t series, uint32_t dimension);
/* Events of the series per page view of the shop. */
double market_series_ratio(uint32_t series);

/* What one event is worth: exact cents, log-normal, by quantile. A page view is worth 1.00, a
 * refund is negative. */
#define MARKET_PRICES 4096
struct market_prices {
	int32_t cents[MARKET_EVENTS][MARKET_PRICES];
};
void market_prices_init(struct market_prices *prices);

#endif
