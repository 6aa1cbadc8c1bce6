/*
 * detail: what the page of one anomaly shows, out of what the store has of it.
 *
 * Runs on: any thread. Pure.
 */
#ifndef CONSOLE_DETAIL_H
#define CONSOLE_DETAIL_H

#include <jansson.h>

#include "deliver/store.h"

#define DETAIL_REVISIONS_MAX 500
#define DETAIL_INPUTS_MAX 200

/* One object of `revisions`. */
json_t *detail_revision(const struct anomaly *revision);
/* By dimension, the likeliest cause first; shares of each add up to 1, with a last value null for
 * the rest. `sums`: the metric's values add up. */
json_t *detail_contributions(const struct anomaly *strongest, bool sums);
json_t *detail_explanation(const struct anomaly *strongest);
/* What happened to it, in order: revisions, alerts, and what operators said of it. */
void detail_add_revision(json_t *timeline, const struct anomaly *revision);
void detail_add_input(json_t *timeline, const struct operator_input *input, uint64_t ended);
void detail_sort(json_t *timeline);

#endif
