/*
 * plan: from the options to what is played: traffic, incident, and the times that frame them.
 *
 *   first                          live      onset       end            last
 *     |------- history, flat out ----|--lead---|-incident--|----tail------|
 *              (clock `event` only)   \------ as lived, paced at `speed` -/
 */
#ifndef SHOP_PLAN_H
#define SHOP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "incident.h"
#include "traffic.h"

struct plan_options {
	const char *source;
	uint64_t seed;
	uint64_t days;     /* of history, before the day of the incident */
	uint64_t start_ms; /* clock event: where history begins */
	uint64_t now_ms;   /* clock wall: unix time; else 0 */
	uint64_t interval_ms;
	uint64_t lead, length, tail; /* intervals */
	double page_views_min;
	bool incident; /* false: the same traffic without it */
	bool wall;     /* clock `wall`: no history, times are now */
	bool forever;  /* after the tail goes on until it is stopped */
};

struct plan {
	struct plan_options options;
	struct traffic traffic;
	struct incident incident;
	uint64_t first_ms, live_ms, last_ms; /* multiples of a step */
	uint64_t opened_ms; /* clock wall: so long after live_ms the shop opened, in a step */
};

/* 0, or -EINVAL, -ERANGE with what is wrong and what to do in `why`. */
int plan_init(struct plan *plan, const struct plan_options *options, char *why, size_t why_bytes);
/* The truth as JSON members, without braces: "seed":1,...,"planted":"country=DE",... */
void plan_print(const struct plan *plan, FILE *to);
/* Write {truth} to a file, whole or not at all. 0, or negative errno. */
int plan_write(const struct plan *plan, const char *path);
/* Expected number of events from first to last. */
double plan_expected(const struct plan *plan);

#endif
