/*
 * config_diff: what differs between two configurations, key by key, and which of it a running
 * engine can take over.
 */
#ifndef CONFIG_DIFF_H
#define CONFIG_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

/* `key` as a person would name it ("lateness.wall", "metrics.orders.by"); from, to: the values as
 * texts, NULL: the key, metric or detector is not there. restart: an engine takes it only when it
 * starts. */
typedef void config_each(void *self, const char *key, const char *from, const char *to,
			 bool restart);
/* How many there are. `each` may be NULL. */
unsigned config_diff(const struct config *from, const struct config *to, config_each *each,
		     void *self);

#endif
