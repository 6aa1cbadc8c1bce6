/*
 * quality_lasting_table: figures of changes that last: a row for each, a column for each rate.
 *
 * "Until half are found" is the median over all, those that are not found among them; "-" where
 * less than half are.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "quality_lasting.h"

static const char *const names[LASTING_KINDS] = {"shift", "drift", "outage", "conversion"};

static uint32_t count_of(const struct lasting *lasting)
{
	return lasting->series * lasting_scenarios[lasting->kind].blocks;
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	return (left > right) - (left < right);
}

/* Minutes within which this share of all is found (or could be, of the limits); NaN: never. */
static double minutes_until(const struct lasting *lasting, double share, bool limit)
{
	uint32_t count = count_of(lasting);
	uint32_t *minutes = malloc(count * sizeof(*minutes));
	double result = NAN;

	if (!minutes)
		return result;
	for (uint32_t i = 0; i < count; i++) {
		const struct lasting_event *event = &lasting->events[i];
		uint32_t minute = limit ? event->limit : event->found;
		minutes[i] = minute ? minute : UINT32_MAX;
	}
	qsort(minutes, count, sizeof(*minutes), compare);
	uint32_t at = (uint32_t)ceil(share * count);
	uint32_t minute = minutes[at > 0 ? at - 1 : 0];
	if (minute != UINT32_MAX)
		result = minute;
	free(minutes);
	return result;
}

static double found_within(const struct lasting *lasting, uint32_t minutes)
{
	double found = 0.0;

	for (uint32_t i = 0; i < count_of(lasting); i++)
		found += lasting->events[i].found > 0 && lasting->events[i].found <= minutes;
	return 100.0 * found / count_of(lasting);
}

static double figure_found(const struct lasting *lasting)
{
	return found_within(lasting, lasting_scenarios[lasting->kind].horizon);
}

static double figure_half(const struct lasting *lasting)
{
	return minutes_until(lasting, 0.5, false);
}

static double figure_limit(const struct lasting *lasting)
{
	return minutes_until(lasting, 0.5, true);
}

static double figure_most(const struct lasting *lasting)
{
	return minutes_until(lasting, 0.9, false);
}

static double figure_30(const struct lasting *lasting)
{
	return found_within(lasting, 30);
}

static double figure_60(const struct lasting *lasting)
{
	return found_within(lasting, 60);
}

static double figure_fired(const struct lasting *lasting)
{
	double fired = 0.0;

	for (uint32_t i = 0; i < count_of(lasting); i++)
		fired += lasting->events[i].fired;
	return fired / count_of(lasting);
}

static double figure_after(const struct lasting *lasting)
{
	const struct lasting_scenario *scenario = &lasting_scenarios[lasting->kind];
	double hours = 0.0;
	double weeks = (double)(scenario->after_to - scenario->after_from) / COUNTS_WEEK;

	for (uint32_t i = 0; i < count_of(lasting); i++)
		hours += lasting->events[i].loud_hours;
	return hours / count_of(lasting) / weeks;
}

static double figure_adapted(const struct lasting *lasting)
{
	double sum = 0.0, minutes = 0.0;

	for (uint32_t i = 0; i < count_of(lasting); i++) {
		sum += lasting->events[i].adapted;
		minutes += lasting->events[i].adapted_minutes;
	}
	return 100.0 * sum / minutes;
}

static const struct row {
	enum lasting_kind kind;
	const char *label, *name;
	int decimals;
	double (*figure)(const struct lasting *lasting);
} rows[] = {
	{LASTING_SHIFT, "20 % for good: found in 12 h, %", "found", 1, figure_found},
	{LASTING_SHIFT, "  minutes until half are found", "half", 0, figure_half},
	{LASTING_SHIFT, "  the limit", "limit", 0, figure_limit},
	{LASTING_SHIFT, "  alarms fired in 7 days", "fired", 2, figure_fired},
	{LASTING_SHIFT, "  expected on the 8th day, % of it", "adapted", 0, figure_adapted},
	{LASTING_SHIFT, "  alarm-hours, week from then on", "after", 2, figure_after},
	{LASTING_DRIFT, "drift to -20 % in 6 h: found, %", "found", 1, figure_found},
	{LASTING_DRIFT, "  minutes until half are found", "half", 0, figure_half},
	{LASTING_DRIFT, "  the limit", "limit", 0, figure_limit},
	{LASTING_OUTAGE, "outage of 4 h: found, %", "found", 1, figure_found},
	{LASTING_OUTAGE, "  minutes until half are found", "half", 0, figure_half},
	{LASTING_OUTAGE, "  the limit", "limit", 0, figure_limit},
	{LASTING_OUTAGE, "  alarm-hours in the week after", "after", 2, figure_after},
	{LASTING_CONVERSION, "conversion -10 %, 100 orders/min", NULL, 0, NULL},
	{LASTING_CONVERSION, "  found within 30 minutes, %", "found_30", 1, figure_30},
	{LASTING_CONVERSION, "  found within 60 minutes, %", "found_60", 1, figure_60},
	{LASTING_CONVERSION, "  minutes until half are found", "half", 0, figure_half},
	{LASTING_CONVERSION, "  minutes until 9 of 10 are found", "most", 0, figure_most},
	{LASTING_CONVERSION, "  the limit of half", "limit", 0, figure_limit},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void print_value(double value, int decimals)
{
	if (!isfinite(value))
		printf(" %7s", "-");
	else
		printf(" %7.*f", decimals, value);
}

static void print_line(const struct shop_request *request, const struct row *row,
		       const struct lasting *lasting)
{
	double value = row->figure(lasting);

	printf("{\"name\":\"shop_t%u_%s_%s_r%g\",\"value\":", request->tier, names[row->kind],
	       row->name, lasting->spec.rate);
	if (!isfinite(value))
		printf("null}\n");
	else
		printf("%.6g}\n", value);
}

void lasting_print(const struct shop_request *request, const struct lasting *all)
{
	if (!request->json) {
		printf("changes that last, tier %u: %u series a rate, found at severity 50\n\n"
		       "%-33s",
		       request->tier, request->series, "events a minute");
		for (uint32_t i = 0; i < request->rates_count; i++)
			printf(" %7g", request->rates[i]);
		putchar('\n');
	}
	for (size_t r = 0; r < ROWS; r++) {
		const struct row *row = &rows[r];
		uint32_t columns = row->kind == LASTING_CONVERSION ? 1 : request->rates_count;
		const struct lasting *first = all + row->kind * request->rates_count;

		if (!request->json)
			printf("%-33s", row->label);
		for (uint32_t i = 0; row->figure && i < columns; i++) {
			if (request->json)
				print_line(request, row, &first[i]);
			else
				print_value(row->figure(&first[i]), row->decimals);
		}
		if (!request->json)
			putchar('\n');
	}
	if (!request->json)
		putchar('\n');
	fflush(stdout);
}
