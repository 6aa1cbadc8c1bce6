/*
 * row: an anomaly as lists and events show it.
 *
 * Runs on: any thread. A row is filled with the book's lock and shown without it, the book's names
 * being held.
 */
#ifndef CONSOLE_ROW_H
#define CONSOLE_ROW_H

#include <jansson.h>

#include "book.h"

struct book_row {
	struct book_entry entry;
	uint32_t members; /* of its group, those that count */
	double impact;    /* NaN: none can be said */
	bool about;       /* it is an estimate */
	int64_t source_through_ms; /* up to there its source is closed */
	char aggregation[16], unit[8];
};

/* With the book's lock, to look. */
void row_fill(const struct book *book, const struct book_entry *entry, uint32_t members,
	      struct book_row *ret_row);
/* NULL: no memory. */
json_t *row_json(const struct book_row *row);
/* {"country":"IT"} of a slice. */
json_t *row_dimensions(const char *slice);
/* null where it is none. */
json_t *row_number(double value);
const char *row_direction(int direction);

#endif
