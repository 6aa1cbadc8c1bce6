/*
 * groups: counts and sums of events by day, event, source or dimensions.
 *
 * Sums are compensated (Neumaier 1974): the error does not grow with the number of events.
 */
#ifndef WEIRCTL_GROUPS_H
#define WEIRCTL_GROUPS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "events.h"
#include "show.h"

#define GROUPS_KEYS_MAX 16

struct groups;

/* keys: "day,country": each is day, hour, event, field, source, or the name of a dimension.
 * Negative errno: -EINVAL, -ENOMEM. */
int groups_create(const char *keys, struct groups **ret_groups);
int groups_add(struct groups *groups, const struct event_view *event);
/* All groups, sorted by their keys. Nothing is added after this. */
void groups_print(struct groups *groups, enum event_form form, FILE *to);
void groups_destroy(struct groups *groups);

#endif
