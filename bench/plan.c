/*
 * plan: which event comes as number n of a producer; see plan.h.
 */
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const events[] = {"page_view", "view_item", "add_to_cart", "begin_checkout",
				     "purchase"};
#define EVENTS (sizeof(events) / sizeof(events[0]))

/* Dimension d has values "<letter>0" .. "<letter><size - 1>"; the first takes what is over. */
static const struct {
	const char *name;
	char letter;
	uint32_t size;
} dimensions[PLAN_DIMENSIONS] = {{"campaign", 'p', UINT32_MAX},
				 {"channel", 'h', 10},
				 {"country", 'c', 50},
				 {"device", 'd', 4}};

static uint64_t mix(uint64_t z)
{
	z += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

int plan_init(struct plan *plan, uint32_t series, uint32_t producer)
{
	*plan = (struct plan){.series = series, .producer = producer};
	plan->order = malloc(series * sizeof(*plan->order));
	if (!plan->order)
		return -ENOMEM;
	for (uint32_t i = 0; i < series; i++)
		plan->order[i] = i;
	uint64_t random = mix(producer);
	for (uint32_t i = series - 1; i > 0; i--) {
		random = mix(random);
		uint32_t j = (uint32_t)(random % (i + 1)), swap = plan->order[i];
		plan->order[i] = plan->order[j];
		plan->order[j] = swap;
	}
	return 0;
}

void plan_fini(struct plan *plan)
{
	free(plan->order);
}

void plan_start(const struct plan *plan, struct plan_cursor *ret_cursor)
{
	*ret_cursor = (struct plan_cursor){.plan = plan};
}

void plan_turn(struct plan_cursor *cursor)
{
	const struct plan *plan = cursor->plan;
	if (cursor->rest) {
		cursor->at = plan->order;
		cursor->end = plan->order + cursor->rest;
		cursor->rest = 0;
		return;
	}
	uint64_t round = cursor->next_round++;
	uint32_t start = (uint32_t)(mix(round << 16 | plan->producer) % plan->series);
	cursor->base = (uint32_t)round + plan->producer;
	cursor->at = plan->order + start;
	cursor->end = plan->order + plan->series;
	cursor->rest = start;
}

/* The sum of what series `index` has in rounds from .. from + count - 1, count < PLAN_VALUES. */
static uint64_t sum_rounds(const struct plan *plan, uint32_t index, uint64_t from, uint64_t count)
{
	uint64_t sum = 0;
	for (uint64_t round = from; round < from + count; round++)
		sum += ((index + plan->producer + round) & (PLAN_VALUES - 1)) + 1;
	return sum;
}

void plan_expect(const struct plan *plan, uint64_t count, uint64_t *counts, uint64_t *sums)
{
	uint64_t rounds = count / plan->series, left = count % plan->series;
	uint64_t cycles = rounds / PLAN_VALUES, over = rounds % PLAN_VALUES;
	/* Over PLAN_VALUES rounds a series has each value once. */
	uint64_t cycle_sum = PLAN_VALUES * (PLAN_VALUES + 1) / 2;

	for (uint32_t i = 0; i < plan->series; i++) {
		counts[i] += rounds;
		sums[i] += cycles * cycle_sum + sum_rounds(plan, i, cycles * PLAN_VALUES, over);
	}
	struct plan_cursor cursor = {.plan = plan, .next_round = rounds};
	for (uint64_t i = 0; i < left; i++) {
		uint32_t value, index = plan_next(&cursor, &value);
		counts[index]++;
		sums[index] += value;
	}
}

void plan_series(uint32_t index, struct plan_series *ret_series)
{
	ret_series->event = events[index % EVENTS];
	index /= EVENTS;
	for (uint32_t i = PLAN_DIMENSIONS; i-- > 0;) {
		ret_series->names[i] = dimensions[i].name;
		snprintf(ret_series->values[i], sizeof(ret_series->values[i]), "%c%u",
			 dimensions[i].letter, index % dimensions[i].size);
		index /= dimensions[i].size;
	}
}

/* "<letter><number>" back to the number; UINT32_MAX: it is not that. */
static uint32_t value_number(uint32_t dimension, const char *text, uint32_t bytes)
{
	uint64_t number = 0;
	if (bytes < 2 || bytes > 9 || text[0] != dimensions[dimension].letter)
		return UINT32_MAX;
	for (uint32_t i = 1; i < bytes; i++) {
		if (text[i] < '0' || text[i] > '9')
			return UINT32_MAX;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	return number < dimensions[dimension].size ? (uint32_t)number : UINT32_MAX;
}

uint32_t plan_index(const char *event, size_t event_bytes, const char *const *values,
		    const uint32_t *value_bytes)
{
	uint64_t index = 0;
	for (uint32_t i = 0; i < PLAN_DIMENSIONS; i++) {
		uint32_t number = value_number(i, values[i], value_bytes[i]);
		if (number == UINT32_MAX)
			return UINT32_MAX;
		index = (i == 0 ? 0 : index * dimensions[i].size) + number;
	}
	for (uint32_t i = 0; i < EVENTS; i++)
		if (event_bytes == strlen(events[i]) && !memcmp(event, events[i], event_bytes)) {
			index = index * EVENTS + i;
			return index < PLAN_SERIES_MAX ? (uint32_t)index : UINT32_MAX;
		}
	return UINT32_MAX;
}
