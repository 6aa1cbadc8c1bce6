/*
 * sheet_play: the 400 days of sheet.h through libweir.
 *
 * Counts are exact, not drawn: each series emits as its rate accumulates, evenly spread over the
 * hour, so that a day is within an event or two of its mean and "a little below" is possible. An
 * order is worth the market's price at evenly spread quantiles. Some 7 million events by channel,
 * as fast as the engine takes them.
 */
#ifndef SHOP_SHEET_PLAY_H
#define SHOP_SHEET_PLAY_H

#include <stdbool.h>
#include <stdint.h>

struct sheet_options {
	const char *socket_path; /* NULL: libweir's default */
	const char *source;
	const char *truth; /* write what is planted there first; NULL: nowhere */
	uint64_t seed;     /* of the week's shape */
	uint64_t start_ms; /* the Monday at or before it is the first day */
	uint32_t patience_s;
	bool only_plan; /* print what is planted, and that is all */
	bool json;
};

/* Exit code of the tool. */
int sheet_run(const struct sheet_options *options);

#endif
