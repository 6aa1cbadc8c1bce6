/*
 * quality_shop_measure: thresholds at equal false alarms, what is found there, and how soon.
 *
 * The threshold of a method is the lowest at which its clean twins have at most BUDGET alarm-hours
 * a series-week: hours of the clock in which a score is above it. An injection is found if a score
 * is above the threshold from its onset until SHOP_AFTER minutes after its end; the delay counts
 * minutes from the onset on, the onset's own being 1. Delays are compared over injections of the
 * longer two lengths that both find. What is found of the oracle's is a quotient of sums over
 * series; between what it lies in nine of ten cases is by how much these differ (linearized;
 * W. Cochran, Sampling Techniques, 6.3). Of all rates together each has the same say.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quality_shop.h"

#define BUDGET 1 /* alarm-hours a series-week */
#define LONG_MINUTES 30
#define NINE_OF_TEN 1.6449 /* standard deviations to either side */

/* What a rate's figures are made of: sums, so that several rates add up. */
struct tally {
	double events, oracle, weir, global, shipped, rivals[SHOP_METHODS]; /* found */
	double far_weir, far_oracle, near_weir, near_oracle;       /* delays */
	double hours, episodes, early[2], fired, global_hours, loud[SHOP_METHODS];
	double squares, errors, ns, series;
	/* Over series, less their means: what weir found of its deviations, squared, times the
	 * oracle's, and that squared. */
	double found_ww, found_wo, found_oo;
};

#define TALLY_FIELDS (sizeof(struct tally) / sizeof(double))

struct delays {
	uint8_t *oracle, *weir, *other; /* per event; 0: not found */
};

static int compare_down(const void *a, const void *b)
{
	float left, right;

	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return (left < right) - (left > right);
}

/* What at most `budget` of the values are above. Sorts them. */
static float threshold_of(float *values, size_t count, size_t budget)
{
	qsort(values, count, sizeof(*values), compare_down);
	return values[budget < count ? budget : count - 1];
}

static uint32_t least_series(const struct shop_part *parts, uint32_t rates)
{
	uint32_t least = parts[0].series;

	for (uint32_t i = 1; i < rates; i++)
		least = parts[i].series < least ? parts[i].series : least;
	return least;
}

/* Of several sets of values, for as many times the budget; each rate has the same say. */
static int threshold_all(const struct shop_part *parts, uint32_t rates, float *ret_threshold)
{
	const uint32_t series = least_series(parts, rates);
	size_t each = (size_t)series * SHOP_HOURS;
	float *values = malloc(each * rates * sizeof(*values));

	if (!values)
		return -ENOMEM;
	for (uint32_t i = 0; i < rates; i++)
		memcpy(values + i * each, parts[i].methods[SHOP_WEIR].hour_max,
		       each * sizeof(*values));
	*ret_threshold = threshold_of(values, each * rates,
				      (size_t)BUDGET * SHOP_TEST_WEEKS * series * rates);
	free(values);
	return 0;
}

static uint32_t events_of(const struct shop_part *part)
{
	return part->series * SHOP_EVENTS;
}

/* The first minute above the threshold, from 1; 0: none. */
static uint8_t delay_of(const struct injection *injection, const float *reach, float threshold)
{
	for (uint32_t k = 0; k < injection->length + SHOP_AFTER; k++)
		if (reach[k] > threshold)
			return (uint8_t)(k + 1);
	return 0;
}

static void find(const struct shop_part *part, const float *reach, float threshold,
		 uint8_t *ret_delays)
{
	for (uint32_t i = 0; i < events_of(part); i++)
		ret_delays[i] = delay_of(&part->events[i], reach + (size_t)i * SHOP_REACH,
					 threshold);
}

void shop_oracle_delays(struct shop_part *part, uint8_t *ret_delays)
{
	float thresholds[COUNTS_SIZES];
	size_t hours = (size_t)part->series * SHOP_HOURS;

	for (uint32_t size = 0; size < COUNTS_SIZES; size++)
		thresholds[size] = threshold_of(part->oracle_max[size], hours,
						(size_t)BUDGET * SHOP_TEST_WEEKS * part->series);
	for (uint32_t i = 0; i < events_of(part); i++)
		ret_delays[i] = delay_of(&part->events[i],
					 part->oracle_reach + (size_t)i * SHOP_REACH,
					 thresholds[shop_size(part->events[i].size)]);
}

static double found(const struct shop_part *part, const uint8_t *delays)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < events_of(part); i++)
		count += delays[i] > 0;
	return count;
}

/* How what both find differs from series to series. */
static void add_squares(const struct shop_part *part, const struct delays *delays,
			struct tally *tally)
{
	for (uint32_t i = 0; i < part->series; i++) {
		double weir = 0.0, oracle = 0.0;
		for (uint32_t k = i * SHOP_EVENTS; k < (i + 1) * SHOP_EVENTS; k++) {
			weir += delays->weir[k] > 0;
			oracle += delays->oracle[k] > 0;
		}
		tally->found_ww += weir * weir;
		tally->found_wo += weir * oracle;
		tally->found_oo += oracle * oracle;
	}
	tally->found_ww -= tally->weir * tally->weir / part->series;
	tally->found_wo -= tally->weir * tally->oracle / part->series;
	tally->found_oo -= tally->oracle * tally->oracle / part->series;
}

/* Delays of what both find, with a size within low..high of either sign. */
static void add_delays(const struct shop_part *part, const struct delays *delays, double low,
		       double high, double *ret_weir, double *ret_oracle)
{
	for (uint32_t i = 0; i < events_of(part); i++) {
		double size = fabs(part->events[i].size);
		if (part->events[i].length < LONG_MINUTES || size < low || size > high ||
		    !delays->weir[i] || !delays->oracle[i])
			continue;
		*ret_weir += delays->weir[i];
		*ret_oracle += delays->oracle[i];
	}
}

static void fill_cells(const struct shop_part *part, const struct delays *delays, uint32_t column,
		       struct shop_table *table)
{
	for (uint32_t k = 0; k < COUNTS_SIZES / 2; k++) {
		double count = 0.0, weir = 0.0, oracle = 0.0;
		for (uint32_t i = 0; i < events_of(part); i++) {
			if (part->events[i].length < LONG_MINUTES ||
			    fabs(part->events[i].size) != fabs(counts_sizes[k]))
				continue;
			count++;
			weir += delays->weir[i] > 0;
			oracle += delays->oracle[i] > 0;
		}
		table->cells[k][0][column] = 100.0 * weir / count;
		table->cells[k][1][column] = 100.0 * oracle / count;
	}
}

static double sum_of(const uint32_t *values, uint32_t count)
{
	double sum = 0.0;

	for (uint32_t i = 0; i < count; i++)
		sum += values[i];
	return sum;
}

/* Alarms on clean data, errors of the forecast, cost. */
static void tally_clean(const struct shop_part *part, float global, struct tally *tally)
{
	const struct shop_scores *weir = &part->methods[SHOP_WEIR];

	tally->series = part->series;
	tally->hours = sum_of(weir->loud_hours, part->series);
	tally->episodes = sum_of(weir->loud_episodes, part->series);
	for (size_t i = 0; i < (size_t)part->series * SHOP_HOURS; i++)
		tally->global_hours += weir->hour_max[i] > global;
	for (uint32_t k = SHOP_HOUR; part->rivals && k < SHOP_METHODS; k++)
		tally->loud[k] = sum_of(part->methods[k].loud_hours, part->series);
	for (uint32_t i = 0; i < part->series; i++) {
		tally->early[0] += part->early[i];
		tally->early[1] += part->early[part->series + i];
		tally->fired += part->fired[i];
		tally->squares += part->error_squares[i];
		tally->errors += part->errors[i];
		tally->ns += part->score_ns[i];
	}
}

/* Thresholds and what is found. delays: room for the part's events. */
static void tally_found(struct shop_part *part, uint32_t column, float global,
			const struct delays *delays, struct tally *tally, struct shop_table *table)
{
	const size_t hours = (size_t)part->series * SHOP_HOURS;
	const size_t budget = (size_t)BUDGET * SHOP_TEST_WEEKS * part->series;
	const struct shop_scores *weir = &part->methods[SHOP_WEIR];
	float threshold = threshold_of(weir->hour_max, hours, budget);

	tally->events = events_of(part);
	shop_oracle_delays(part, delays->oracle);
	find(part, weir->reach, threshold, delays->weir);
	find(part, weir->reach, global, delays->other);
	tally->shipped = found(part, part->fired_at);
	tally->oracle = found(part, delays->oracle);
	tally->weir = found(part, delays->weir);
	tally->global = found(part, delays->other);
	add_squares(part, delays, tally);
	add_delays(part, delays, 0.5, 1.0, &tally->far_weir, &tally->far_oracle);
	add_delays(part, delays, 0.2, 0.2, &tally->near_weir, &tally->near_oracle);
	fill_cells(part, delays, column, table);
	table->figures[SHOP_ROW_THRESHOLD][column] = threshold;
	for (uint32_t k = SHOP_HOUR; part->rivals && k < SHOP_METHODS; k++) {
		struct shop_scores *rival = &part->methods[k];
		find(part, rival->reach, threshold_of(rival->hour_max, hours, budget),
		     delays->other);
		tally->rivals[k] = found(part, delays->other);
	}
}

/* As if there were so many series of it. */
static void tally_add(struct tally *to, const struct tally *from, double series)
{
	const double part = series / from->series;
	double sums[TALLY_FIELDS], more[TALLY_FIELDS];
	struct tally scaled = *from;

	scaled.found_ww *= part;
	scaled.found_wo *= part;
	scaled.found_oo *= part;
	memcpy(sums, to, sizeof(sums));
	memcpy(more, &scaled, sizeof(more));
	for (size_t i = 0; i < TALLY_FIELDS; i++)
		sums[i] += part * more[i];
	memcpy(to, sums, sizeof(sums));
}

/* How far the quotient of what is found may be off. */
static double ratio_error(const struct tally *tally)
{
	const double ratio = tally->weir / tally->oracle;
	double squares = tally->found_ww - 2.0 * ratio * tally->found_wo +
			 ratio * ratio * tally->found_oo;

	return NINE_OF_TEN * sqrt(fmax(squares, 0.0)) / tally->oracle;
}

static void fill_column(const struct tally *tally, uint32_t column, struct shop_table *table)
{
	double (*figures)[SHOP_RATES_MAX + 1] = table->figures;
	double weeks = tally->series * SHOP_TEST_WEEKS;

	figures[SHOP_ROW_ORACLE][column] = 100.0 * tally->oracle / tally->events;
	figures[SHOP_ROW_WEIR][column] = 100.0 * tally->weir / tally->events;
	figures[SHOP_ROW_RATIO][column] = tally->weir / tally->oracle;
	figures[SHOP_ROW_RATIO_LEAST][column] = tally->weir / tally->oracle - ratio_error(tally);
	figures[SHOP_ROW_RATIO_MOST][column] = tally->weir / tally->oracle + ratio_error(tally);
	figures[SHOP_ROW_GLOBAL][column] = tally->global / tally->oracle;
	for (uint32_t k = SHOP_HOUR; k < SHOP_METHODS; k++) {
		figures[SHOP_ROW_RIVALS + k - 1][column] = tally->rivals[k] / tally->oracle;
		figures[SHOP_ROW_LOUD + k - 1][column] = tally->loud[k] / weeks;
	}
	figures[SHOP_ROW_DELAY_50][column] = tally->far_weir / tally->far_oracle;
	figures[SHOP_ROW_DELAY_20][column] = tally->near_weir / tally->near_oracle;
	figures[SHOP_ROW_HOURS][column] = tally->hours / weeks;
	figures[SHOP_ROW_EPISODES][column] = tally->episodes / weeks;
	figures[SHOP_ROW_EARLY][column] = tally->early[0] / tally->series;
	figures[SHOP_ROW_EARLY + 1][column] =
		tally->early[1] / tally->series / (SHOP_TRAIN_WEEKS - 1);
	figures[SHOP_ROW_GLOBAL_HOURS][column] = tally->global_hours / weeks;
	figures[SHOP_ROW_SHIPPED][column] = 100.0 * tally->shipped / tally->events;
	figures[SHOP_ROW_FIRED][column] = tally->fired / weeks * 52.0;
	figures[SHOP_ROW_ERROR][column] = 100.0 * sqrt(tally->squares / tally->errors);
	figures[SHOP_ROW_COST][column] = tally->ns / tally->series;
}

int shop_measure(struct shop_part *parts, uint32_t rates, struct shop_table *ret_table)
{
	const double least = least_series(parts, rates);
	size_t events = 0;
	struct tally all = {0};
	float global = 0.0F;
	for (uint32_t i = 0; i < rates; i++)
		events = events_of(&parts[i]) > events ? events_of(&parts[i]) : events;
	uint8_t *room = malloc(3 * events);
	int ret = room ? threshold_all(parts, rates, &global) : -ENOMEM;
	const struct delays delays = {room, room + events, room + 2 * events};

	ret_table->kind = parts[0].kind;
	ret_table->rates = rates;
	ret_table->rivals = parts[0].rivals;
	for (uint32_t i = 0; ret == 0 && i < rates; i++) {
		struct tally tally = {0};
		ret_table->rate[i] = parts[i].spec.rate;
		ret_table->series[i] = parts[i].series;
		tally_clean(&parts[i], global, &tally);
		tally_found(&parts[i], i, global, &delays, &tally, ret_table);
		tally_add(&all, &tally, least);
		fill_column(&tally, i, ret_table);
	}
	if (ret == 0)
		fill_column(&all, rates, ret_table);
	ret_table->figures[SHOP_ROW_THRESHOLD][rates] = global;
	free(room);
	return ret;
}
