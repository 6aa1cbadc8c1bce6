/*
 * replay: recorded orders through libweir, as `purchase` and `refund` events with clock `event`.
 */
#ifndef SHOP_REPLAY_H
#define SHOP_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct replay_options {
	const char *path;        /* CSV, "-" for stdin, or a name that ends in .gz */
	const char *socket_path; /* NULL: libweir's default */
	const char *source;
	uint32_t patience_s;
	bool json;
};

/* One event per order (orders.h), in time order, by country. Ends with weir_close, which tells the
 * engine that the source is over. Prints the result on stdout. An exit code (enum tool_exit). */
int replay_run(const struct replay_options *options);

#endif
