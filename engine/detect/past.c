/*
 * past: rows by the numbers of periods. See past.h.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include "detect/past.h"

#include <errno.h>

/* No period that an event has is further from 1970: there are none shorter than a millisecond. */
#define PERIOD_FAR (INT64_C(1) << 42)

int past_check(const void *state)
{
	const struct past_header *header = state;
	return header->next < -PERIOD_FAR || header->next > PERIOD_FAR ? -EPROTO : 0;
}

static double *row_of(const struct past *past, int64_t number)
{
	int64_t rest = number % past->length;
	uint32_t row = (uint32_t)(rest < 0 ? rest + past->length : rest);
	return rows_double(past->state, past->capacity, past->first + row);
}

/* The whole row: slices that come later find nothing there either. */
static void clear_row(const struct past *past, int64_t number)
{
	double *row = row_of(past, number);
	for (size_t i = 0; i < rows_stride(past->capacity); i++)
		row[i] = PAST_NONE;
}

void past_clear(const struct past *past)
{
	for (uint32_t row = 0; row < past->length; row++)
		clear_row(past, row);
}

double *past_note(const struct past *past, int64_t number)
{
	struct past_header *header = past->state;

	if (!header->noted || number - header->next >= past->length)
		header->next = number - past->length + 1;
	for (; header->next <= number; header->next++)
		clear_row(past, header->next);
	header->noted = 1;
	return row_of(past, number);
}

const double *past_row(const struct past *past, int64_t number)
{
	const struct past_header *header = past->state;

	if (!header->noted || number >= header->next || number < header->next - past->length)
		return NULL;
	return row_of(past, number);
}
